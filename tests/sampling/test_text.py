"""Generated text beside a plain loop over whole texts, piece by piece, beyond a context, and what is refused."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend, create_model
from kzoo.errors import KzooError
from kzoo.sampling import codec, generate, stream_text
from kzoo.sampling.text import BLOCK

LETTERS = "\n abcdefg"
COMPILES = keras.backend.backend() != "torch"


@pytest.fixture(scope="module")
def model():
    made = create_model("lstm:mu-tokens", seed=0, input_shape=(None,), vocabulary=LETTERS)
    rng = np.random.default_rng(5)
    for weight in made.weights:  # so that a text is no run of one letter
        weight.assign(rng.normal(0, 1.5 if len(weight.shape) > 1 else 0.0, weight.shape))
    return made


def plain(model, tokens, length, uniforms=None, temperature=1.0):
    """The same by a loop that reads the whole text for each new token, with probabilities in float64."""
    batch, given = np.shape(tokens)
    # One shape for all, since what comes later counts for nothing; compiled, which spares JAX minutes.
    call = backend.compiled(lambda x: model(x, training=False), model.variables)
    tokens = np.concatenate([tokens, np.zeros((batch, length), "int32")], axis=1, dtype="int32")
    for i in range(length):
        logits = ops.convert_to_numpy(call(tokens))[:, given + i - 1].astype("float64")
        if uniforms is None:
            new = logits.argmax(-1)
        else:
            p = np.exp(logits / temperature)
            sums = np.cumsum(p, axis=-1) / p.sum(-1, keepdims=True)
            new = (sums <= uniforms[i][:, None]).sum(-1)
        tokens[:, given + i] = new
    return tokens[:, given:]


def test_greedy_tokens_are_those_of_a_loop_over_whole_texts(model):
    prompt = np.random.default_rng(0).integers(0, 9, (3, 5))
    found = generate(model, prompt, 90, temperature=0)  # more than one block
    assert found.shape == (3, 90)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, plain(model, prompt, 90))
    assert len(np.unique(found)) > 2


def test_tokens_follow_from_the_seed_as_the_docstring_says(model):
    prompt = np.random.default_rng(0).integers(0, 9, (2, 4))
    uniforms = np.random.default_rng(7).random((80, 2), "float32")
    for temperature in (1.0, 0.6):
        found = generate(model, prompt, 80, temperature=temperature, seed=7)
        np.testing.assert_array_equal(found, plain(model, prompt, 80, uniforms, temperature))
    assert not np.array_equal(found, generate(model, prompt, 80, temperature=temperature, seed=8))


@pytest.mark.parametrize("length", [1, 2, 16, 17, 18, 40, 300])
def test_a_prompt_of_any_length_is_read_whole(model, length):
    prompt = np.random.default_rng(1).integers(0, 9, (1, length))
    np.testing.assert_array_equal(generate(model, prompt, 5, temperature=0), plain(model, prompt, 5))


@pytest.mark.parametrize("knobs", [{}, {"temperature": 0}, {"top_k": 3}, {"top_p": 0.5}, {"top_k": 4, "top_p": 0.8}])
def test_pieces_together_are_the_text(model, knobs):
    expected = generate(model, "abc", 70, seed=3, **knobs)
    assert len(expected) == 70
    for piece in (1, 7, 64):
        pieces = list(stream_text(model, "abc", 70, seed=3, piece=piece, **knobs))
        assert [len(part) for part in pieces] == [piece] * (70 // piece) + [70 % piece] * (70 % piece > 0)
        assert "".join(pieces) == expected


def test_the_coldest_choices_and_the_one_most_probable_are_greedy(model):
    expected = generate(model, "gab", 60, temperature=0)
    for knobs in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-12}, {"top_k": 1, "top_p": 0.9}):
        assert generate(model, "gab", 60, **knobs) == expected, knobs


def test_knobs_beyond_single_precision_keep_their_meaning(model):
    # As float32 they would be 0 and infinite.
    assert generate(model, "abc", 60, top_p=1e-60) == generate(model, "abc", 60, temperature=0)
    assert generate(model, "abc", 60, temperature=1e300) == generate(model, "abc", 60, temperature=1e20)


def test_a_transformer_without_a_bound_writes_on():
    unbound = create_model("transformer:mu-tied", positions="rotary", num_heads=1, input_shape=(None,), seed=0)
    tokens = np.array([[0, 1, 2, 1]])
    np.testing.assert_array_equal(generate(unbound, tokens, 90, temperature=0), plain(unbound, tokens, 90))


def test_all_tokens_and_all_of_the_probability_are_no_limit(model):
    expected = generate(model, "gab", 60)
    for knobs in ({"top_k": 9}, {"top_k": 5000}, {"top_p": 1.0}, {"top_p": 1}):
        assert generate(model, "gab", 60, **knobs) == expected, knobs


def test_only_the_top_k_tokens_of_each_step_are_written(model):
    tokens = np.array([[2, 3]])
    written = generate(model, tokens, 60, top_k=2, temperature=5.0)
    whole = np.concatenate([tokens, written], axis=1)
    logits = ops.convert_to_numpy(model(whole, training=False))[0, 1:-1]
    ranks = (logits > np.take_along_axis(logits, written[0][:, None], axis=1)).sum(-1)
    assert set(ranks) == {0, 1}


def test_a_batch_of_texts_gives_a_text_for_each(model):
    found = generate(model, ["ab", "cd", "ab"], 20, temperature=0)
    assert found == [generate(model, text, 20, temperature=0) for text in ("ab", "cd", "ab")]


def test_an_empty_prompt_is_the_beginning_of_a_line_or_a_drawn_token(model):
    assert generate(model, "", 20) == generate(model, "\n", 20)
    other = create_model("lstm:mu-tokens", seed=0, vocabulary="abcdefghi")
    texts = {seed: generate(other, "", 5, temperature=0, seed=seed) for seed in range(30)}
    assert set(texts.values()) <= {generate(other, letter, 5, temperature=0) for letter in "abcdefghi"}
    assert texts[0] == generate(other, "", 5, temperature=0, seed=0)


def test_another_length_temperature_or_number_of_candidates_compiles_nothing_anew():
    model = Counting()
    for length, temperature, top_k in ((5, 1.0, 5), (80, 0.5, 6), (3, 2.0, 7)):
        generate(model, "abc", length, temperature=temperature, top_k=top_k)
    steps = 5 + 80 + 3 + 3 * 2  # and two of each prompt
    assert model.steps == steps if not COMPILES else model.steps <= 2


def test_weights_that_change_later_count_and_a_model_that_is_gone_leaves_nothing():
    model = create_model("gru:mu-tokens", seed=0, input_shape=(None,))
    prompt = model.sample_inputs(1)
    first = generate(model, prompt, 30)
    model.set_weights([-weight for weight in model.get_weights()])
    second = generate(model, prompt, 30)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(second, plain(model, prompt, 30, np.random.default_rng(0).random((30, 1), "float32")))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Counting:
    """A stand-in with room for `context_length` tokens: its logits tell how many it has read, and their sum.

    The next token is (sum of the window's tokens + their number) modulo 9.
    """

    task, vocabulary, num_outputs = "tokens", LETTERS, 9
    variables = ()

    def __init__(self, context_length=None, broken_at=None):
        self.context_length, self.broken_at, self.steps, self.places = context_length, broken_at, 0, []

    def initial_state(self, batch_size, max_length=None):
        self.places.append(max_length)
        # As data, as weights would bring it: XLA takes a nan that is a constant for what suits it.
        state = {"sum": ops.zeros((batch_size,), "int32"), "read": ops.zeros((), "int32")}
        return {**state, "broken": ops.convert_to_tensor(np.float32(np.nan))}

    def stream(self, tokens, state):
        for t in range(tokens.shape[1]):
            logits, state = self.step(tokens[:, t], state)
        return logits[:, None], state

    def step(self, token, state):
        self.steps += 1
        state = {**state, "sum": state["sum"] + token, "read": state["read"] + 1}
        logits = ops.one_hot((state["sum"] + state["read"]) % 9, 9) * 50.0
        if self.broken_at is not None:
            logits = ops.where(state["read"] >= self.broken_at, logits * state["broken"], logits)
        return logits, state


@pytest.mark.parametrize("context", [1, 2, 5, 16, 70])
@pytest.mark.parametrize("length", [1, 4, 30, 200])
def test_a_full_context_goes_on_from_its_last_half(context, length):
    text = list(np.random.default_rng(2).integers(0, 9, length))
    window = text if length <= context else text[-max(1, context // 2) :]
    expected = []
    for _ in range(100):
        if len(window) > context:
            window = window[-max(1, context // 2) :]
        expected.append((sum(window) + len(window)) % 9)
        window = [*window, expected[-1]]
    found = generate(Counting(context), np.array([text]), 100, temperature=0)
    np.testing.assert_array_equal(found[0], expected)


def test_a_short_text_asks_for_a_short_cache_and_a_long_one_for_the_whole():
    for context, length, expected in (
        (1000, 10, [64]),
        (1000, 200, [256]),
        (1000, 1000, [1000, 1000]),
        (None, 9, [64]),
    ):
        model = Counting(context)
        generate(model, "ab", length, temperature=0)
        assert model.places == expected, (context, length)


def test_logits_that_are_no_numbers_are_refused_where_they_come():
    with pytest.raises(KzooError, match=f"tokens {BLOCK + 1} to {2 * BLOCK}.*nan") as refused:
        generate(Counting(broken_at=100), "ab", 500)
    assert "earlier epoch" in str(refused.value)
    for knobs in ({"temperature": 0}, {"top_k": 2}, {"top_p": 0.5}):
        with pytest.raises(KzooError, match="no numbers"):
            generate(Counting(broken_at=1), "ab", 5, **knobs)


@pytest.mark.parametrize(
    ("prompt", "arguments", "words"),
    [
        ("abc", {"length": 0}, ["length: got 0", "at least 1"]),
        ("abc", {"length": 2.5}, ["length: got 2.5", "whole number"]),
        ("abc", {"temperature": -0.1}, ["temperature: got -0.1", "at least 0"]),
        ("abc", {"temperature": float("nan")}, ["temperature: got nan"]),
        ("abc", {"top_k": 0}, ["top_k: got 0", "at least 1"]),
        ("abc", {"top_p": 0}, ["top_p: got 0", "above 0"]),
        ("abc", {"top_p": 1.5}, ["top_p: got 1.5", "at most 1"]),
        ("abc", {"seed": -1}, ["seed: got -1"]),
        ("aéBx", {}, ["no token for 'B', 'x', 'é'", "Write 'b' for 'B', 'e' for 'é'", "It knows 9 characters"]),
        ("a&", {}, ["no token for '&'. Leave that out."]),
        (["ab", "abc"], {}, ["equally many tokens", "[2, 3]", "one by one"]),
        ([], {}, ["one by one"]),
        (np.zeros((2, 0), "int32"), {}, ["at least one token", "(2, 0)"]),
        (np.zeros(3, "int32"), {}, ["shape (b, t)", "(3,)"]),
        (np.zeros((1, 3)), {}, ["whole numbers", "float64"]),
        ([[1, 2], [3]], {}, ["rows of one length", "one by one"]),
        (np.array([[0, 9]]), {}, ["from 0 to 8", "has 9"]),
        (np.array([[-1, 2]]), {}, ["has -1"]),
    ],
)
def test_what_cannot_be_continued_is_named_with_what_can(model, prompt, arguments, words):
    with pytest.raises(KzooError) as refused:
        generate(model, prompt, **{"length": 5, **arguments})
    for word in words:
        assert word in str(refused.value)


def test_a_model_that_writes_no_text_is_refused(model):
    with pytest.raises(KzooError, match="MLP writes no text: its task is 'classification'"):
        generate(create_model("mlp:mu"), "abc", 5)
    with pytest.raises(KzooError, match=r"knows 9 tokens.*tokenizer.json"):
        generate(create_model("gru:mu-tokens"), "abc", 5)
    with pytest.raises(KzooError, match="reads 5 tokens and answers with 9"):
        generate(create_model("gru:mu-tokens", vocabulary=5), np.array([[1]]), 5)
    with pytest.raises(KzooError, match="continues one text; received list"):
        next(stream_text(model, ["a", "b"], 5))


def test_characters_go_to_tokens_and_back():
    words = codec(Counting())
    assert words.encode("ga\n") == [8, 2, 0]
    assert words.decode([8, 2, 0]) == "ga\n"
    with pytest.raises(KzooError, match=r"no token for (.*), \.\.\.|\.\.\. "):
        words.encode("ABCDHIJKLMNOP")
    for wrong in (-1, 9):
        with pytest.raises(KzooError, match=f"from 0 to 8; received {wrong}"):
            words.decode([0, wrong])


@pytest.fixture
def words(tmp_path):
    """A model whose tokens are bytes, in the order of the tokenizer that lies beside it."""
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE({character: i for i, character in enumerate(alphabet)}, merges=[])
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    model = Counting()
    model.vocabulary = model.num_outputs = len(alphabet)
    model.tokenizer_file = tmp_path / "tokenizer.json"
    return codec(model)


def test_a_character_of_several_tokens_comes_once_it_is_whole(words):
    text = "aé 漢字!"
    tokens = words.encode(text)
    assert len(tokens) == len(text.encode())
    assert words.decode(tokens) == text
    pieces = list(words.pieces([[token] for token in tokens], words.encode("before")))
    assert pieces == list(text)
    # What never becomes whole is shown in the end, and does not hold up what comes after it for long.
    assert "\ufffd" in "".join(words.pieces([tokens[:2]]))
    stuck = "".join(words.pieces([[tokens[1]] for _ in range(50)] + [[tokens[0]]]))
    assert stuck.endswith("a")


def test_a_tokenizer_of_another_model_is_named(words, tmp_path):
    model = Counting()
    model.vocabulary = model.num_outputs = 9
    model.tokenizer_file = tmp_path / "tokenizer.json"
    with pytest.raises(KzooError, match=r"has tokens that the model has not: .* from 0 to 8"):
        generate(model, "abc", 5)


def test_a_damaged_tokenizer_is_named(tmp_path):
    pytest.importorskip("tokenizers")
    model = Counting()
    model.vocabulary, model.tokenizer_file = 9, tmp_path / "tokenizer.json"
    model.tokenizer_file.write_text("{")
    with pytest.raises(KzooError, match=r"tokenizer\.json cannot be read as a tokenizer"):
        codec(model)
