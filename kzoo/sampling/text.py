"""Text from a model of tokens: a prompt in, its continuation out, at once or piece by piece.

Axis letters: b batch, t time, v vocabulary.

    prompt (b, t) -> state;   then, for each new token,   logits (b, v), state = step(token, state);   token = one of v

The loop is one compiled function where the backend compiles, with the weights as its arguments. It runs up to `BLOCK`
steps a call, as many as a tensor says, so that no length compiles anew; prompts are read in pieces of a few sizes, for
the same reason. What is random is one uniform number a token, drawn in NumPy: one seed gives one text, on every
backend, as long as no sum of probabilities lies within rounding of such a number.

A model whose state holds a bounded number of tokens (`context_length`, a transformer's) goes on beyond it: when all
places are taken, the last half of them is read anew into an empty state. So each token is chosen after at least the
half of the context before it, and at most all of it. A longer prompt is read from its last half context on.
"""

import math
import weakref

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.errors import KzooError
from kzoo.models.sequence import vocabulary_size
from kzoo.ops.sampling import choose_token
from kzoo.sampling.codec import codec

# Steps of one call at most.
BLOCK = 64
# The sizes of a prompt's pieces; what is left, and the last token, goes through the loop step by step.
_PIECES = (256, 16)
_WIDTH = BLOCK + _PIECES[-1]
# Below it nothing but a tie is random any more, and a division by it is still a number.
_COLDEST = 1e-6
# Above it all tokens are as probable as each other, as they are here.
_HOTTEST = 1e30
# So small a share is within the most probable token, and still a number in float32, which 1e-60 is not.
_LEAST = 1e-30


def generate(model, prompt, length: int, *, temperature=1.0, top_k=None, top_p=None, seed: int = 0):
    """Continues a prompt.

    Args:
        model: A model of the task "tokens", such as `kzoo.from_preset` gives.
        prompt: A text, or a list of texts of equally many tokens, or tokens (b, t). An empty text stands for a line's
            beginning ("\\n"), or for the token that begins a text in the model's tokenizer, or where there is neither
            for a token drawn with the seed.
        length: How many tokens to write.
        temperature: 0 for the most probable token at each step; 1 for the model's own probabilities.
        top_k: Choose among so many most probable tokens; None for all.
        top_p: Choose among the fewest most probable tokens that together are so probable; None for all.
        seed: Decides the choices.

    Returns:
        The continuation without the prompt: a text, a list of texts, or tokens (b, length) int32.

    Raises:
        KzooError: if the model writes no text, has no tokens for the prompt, or gives logits that are no numbers; and
            for an argument out of range.
    """
    tokens, words = _tokens_of(model, prompt, seed)
    parts = _continue(model, tokens, length, BLOCK, temperature, top_k, top_p, seed)
    written = np.concatenate(list(parts), axis=1)
    if words is None:
        return written
    texts = ["".join(words.pieces([new], before)) for before, new in zip(tokens, written, strict=True)]
    return texts[0] if isinstance(prompt, str) else texts


def stream_text(
    model, prompt: str, length: int, *, temperature=1.0, top_k=None, top_p=None, seed: int = 0, piece: int = 8
):
    """Continues a prompt and yields the text as it comes: together the text of `generate`.

    Args:
        model, prompt, length, temperature, top_k, top_p, seed: As in `generate`; one text.
        piece: How many tokens to write at a time, at most 64.

    Yields:
        Texts, some perhaps empty: a character may need several tokens.

    Raises:
        KzooError: as `generate`, at the first text that is asked for.
    """
    if not isinstance(prompt, str):
        raise KzooError(f"stream_text continues one text; received {type(prompt).__name__}. See generate for others.")
    piece = min(_whole("piece", piece), BLOCK)
    tokens, words = _tokens_of(model, prompt, seed)
    parts = _continue(model, tokens, length, piece, temperature, top_k, top_p, seed)
    yield from words.pieces((part[0] for part in parts), tokens[0])


def _whole(name, value, least=1) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise KzooError(f"{name}: got {value!r}; expected a whole number of at least {least}.")
    return int(value)


def _is_number(value) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)


def _tokens_of(model, prompt, seed):
    """The prompt's tokens (b, t) int32, and the codec of a prompt in words."""
    vocabulary = getattr(model, "vocabulary", None)
    if getattr(model, "task", None) != "tokens" or vocabulary is None:
        raise KzooError(
            f"{type(model).__name__} writes no text: its task is {getattr(model, 'task', 'unknown')!r}. Text comes "
            'from a model that was made with task="tokens" and a vocabulary, such as one trained on shakespeare: the '
            "presets mamba_shakespeare and transformer_shakespeare."
        )
    size = vocabulary_size(vocabulary)
    if model.num_outputs != size:
        raise KzooError(
            f"The model reads {size} tokens and answers with {model.num_outputs}: its answers are no text to read on."
        )
    if isinstance(prompt, str) or (isinstance(prompt, (list, tuple)) and all(isinstance(p, str) for p in prompt)):
        words = codec(model)
        rows = [words.encode(text) for text in ([prompt] if isinstance(prompt, str) else prompt)]
        start = words.start or [int(np.random.default_rng(_whole("seed", seed, 0)).integers(size))]
        rows = [row or start for row in rows]
        if beyond := sorted({token for row in rows for token in row if token >= size}):
            raise KzooError(
                f"The tokenizer has tokens that the model has not: {beyond[0]}, where the model's go from 0 to "
                f"{size - 1}. They do not belong together: take the tokenizer.json that came with the weights."
            )
        lengths = sorted({len(row) for row in rows})
        if len(lengths) != 1:
            raise KzooError(
                f"The prompts of a batch have equally many tokens; received {lengths or 'none'}. "
                "Continue them one by one."
            )
        return np.asarray(rows, "int32"), words
    try:
        tokens = np.asarray(prompt)
    except ValueError as error:  # rows of several lengths
        raise KzooError(
            f"A prompt of tokens has rows of one length, (b, t): {error}. Continue the rows one by one."
        ) from None
    if tokens.ndim != 2 or tokens.dtype.kind not in "iu" or 0 in tokens.shape:
        raise KzooError(
            f"A prompt is a text, or whole numbers of shape (b, t) with at least one token; received shape "
            f"{tokens.shape} of {tokens.dtype}."
        )
    if tokens.min() < 0 or tokens.max() >= size:
        wrong = tokens.min() if tokens.min() < 0 else tokens.max()
        raise KzooError(f"The tokens of this model go from 0 to {size - 1}; the prompt has {wrong}.")
    return tokens.astype("int32"), None


def _continue(model, prompt, length, piece, temperature, top_k, top_p, seed):
    """Yields the new tokens as int32 arrays (b, n), n at most `piece`."""
    length, seed = _whole("length", length), _whole("seed", seed, 0)
    if not _is_number(temperature) or temperature < 0:
        raise KzooError(
            f"temperature: got {temperature!r}; expected a number of at least 0, where 0 takes the most probable token "
            "and 1 the model's own probabilities."
        )
    if top_p is not None and (not _is_number(top_p) or not 0 < top_p <= 1):
        raise KzooError(f"top_p: got {top_p!r}; expected a probability above 0 and at most 1, such as 0.9.")
    size = vocabulary_size(model.vocabulary)
    most = None
    if top_k is not None and _whole("top_k", top_k) < size:
        # A few sizes for all of top_k, so that another one seldom compiles anew.
        most = min(size, 1 << (int(top_k) - 1).bit_length())
    read, write = _compiled(model, temperature == 0, most, top_p is not None and top_p < 1)
    knobs = {
        "temperature": np.float32(min(max(temperature, _COLDEST), _HOTTEST)),
        "top_k": np.int32(size if top_k is None else min(top_k, size)),
        "top_p": np.float32(1 if top_p is None else max(top_p, _LEAST)),
    }

    rng = np.random.default_rng(seed)
    batch = len(prompt)
    bound = getattr(model, "context_length", None)
    # A short text needs no long cache; a few sizes for all lengths seldom compile anew.
    places = max(BLOCK, 1 << (prompt.shape[1] + length - 1).bit_length())
    places = places if bound is None else min(bound, places)
    text, written, used, state = prompt, 0, 0, None
    while written < length:
        if state is None or used == bound:
            if bound is not None and text.shape[1] > bound:
                text = text[:, -max(1, bound // 2) :]
            state, used = model.initial_state(batch, places), 0
            for size in _PIECES:
                while text.shape[1] - 1 - used >= size:
                    state = read(text[:, used : used + size], state)
                    used += size
            token, given = text[:, used], text[:, used + 1 :]
        count = given.shape[1]
        steps = min(count + min(piece, length - written), _WIDTH if bound is None else bound - used)
        forced = np.full((batch, _WIDTH), -1, "int32")
        forced[:, :count] = given
        uniform = np.zeros((batch, _WIDTH), "float32")
        uniform[:, count:steps] = rng.random((steps - count, batch), "float32").T
        found, token, sound, state = write(token, state, forced, uniform, np.int32(steps), knobs)
        new = ops.convert_to_numpy(found)[:, count:steps]
        if not bool(ops.convert_to_numpy(sound)):
            raise KzooError(
                f"The model's logits are no numbers within the tokens {written + 1} to {written + new.shape[1]}. "
                "Its weights hold nan or have grown without bound: take those of an earlier epoch, or train anew with "
                "a smaller learning rate."
            )
        text = np.concatenate([text, new], axis=1)
        text = text[:, -1:] if bound is None else text[:, -bound - 1 :]
        used, written, given = used + steps, written + new.shape[1], new[:, :0]
        yield new


# Kept beside the models: a model that is gone takes its functions along, since they hold no more than its variables.
_FUNCTIONS = weakref.WeakKeyDictionary()


def _compiled(model, greedy: bool, most: int | None, nucleus: bool):
    """The two compiled functions of a model: one reads a piece of a prompt, one writes up to `BLOCK` tokens."""
    functions = _FUNCTIONS.setdefault(model, {})
    held = weakref.ref(model)

    def read(tokens, state):
        return held().stream(tokens, state)[1]

    def write(token, state, forced, uniform, steps, knobs):
        def choose(logits, uniform):
            if greedy:
                return ops.cast(ops.argmax(logits, axis=-1), "int32")
            top_k = knobs["top_k"] if most is not None else None
            top_p = knobs["top_p"] if nucleus else None
            return choose_token(logits, uniform, knobs["temperature"], top_k, top_p, most)

        def step(i, token, found, sound, *leaves):
            logits, after = held().step(token, keras.tree.pack_sequence_as(state, leaves))
            logits = ops.cast(logits, "float32")
            total = ops.sum(ops.exp(logits - ops.max(logits, axis=-1, keepdims=True)))  # nan for what is no number
            chosen, known = choose(logits, ops.take(uniform, i, axis=1)), ops.take(forced, i, axis=1)
            token = ops.where(known < 0, chosen, known)
            found = ops.where(ops.arange(_WIDTH, dtype="int32") == i, ops.expand_dims(token, 1), found)
            return i + 1, token, found, sound & ops.isfinite(total), *keras.tree.flatten(after)

        start = (ops.zeros((), "int32"), token, ops.zeros_like(forced), ops.convert_to_tensor(True))
        done = ops.while_loop(lambda i, *_: i < steps, step, (*start, *keras.tree.flatten(state)))
        _, token, found, sound, *leaves = done
        return found, token, sound, keras.tree.pack_sequence_as(state, leaves)

    kind = (greedy, most, nucleus)
    if "read" not in functions:
        functions["read"] = backend.compiled(read, model.variables)
    if kind not in functions:
        functions[kind] = backend.compiled(write, model.variables)
    return functions["read"], functions[kind]
