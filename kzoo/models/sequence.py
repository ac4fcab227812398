"""What the models of sequences share: how a sequence comes in, and how a long one is read in pieces.

Axis letters: b batch, t time, d width of an input or an embedding, k classes, v vocabulary.

    inputs (b, t, d) or tokens (b, t) -> the model's own layers -> head

    task              head               outputs
    classification    logits             (b, k)
    regression        numbers            (b, k)
    tokens            logits, each step  (b, t, v)
"""

import keras
import numpy as np
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.backend.selective import differ
from kzoo.models.base import ZooModel, choice, count, standardise

TASKS = ("classification", "regression", "tokens")


def vocabulary_size(vocabulary) -> int:
    """How many tokens a vocabulary has.

    Args:
        vocabulary: A number, or the characters themselves, each one once, in the order of their tokens.

    Raises:
        ValueError: if it is neither, or a character comes twice.
    """
    if not isinstance(vocabulary, str):
        return count("vocabulary", vocabulary)
    twice = sorted({character for character in vocabulary if vocabulary.count(character) > 1})
    if twice or not vocabulary:
        found = f"has {', '.join(map(repr, twice[:5]))} more than once" if twice else "is empty"
        raise ValueError(
            f"model.vocabulary: got {vocabulary!r}, which {found}; expected each character once, such as 'abc', "
            "or how many tokens there are."
        )
    return len(vocabulary)


def read(input_shape, vocabulary, table=None, statistics=None):
    """The input of a model of sequences, and what its first layer reads.

    Args:
        input_shape: Shape of one sequence, (t, d), or (t,) for tokens; t may be None.
        vocabulary: As in `vocabulary_size`, or None where the inputs are numbers.
        table: For tokens a layer from (b, t) to (b, t, d), the embedding.
        statistics: [mean, deviation] per channel to standardise numbers with, or None.

    Returns:
        The input and the vectors that follow from it, (b, t, d).

    Raises:
        ValueError: if the shape is none of a sequence, or there are statistics of tokens.
    """
    axes = 2 if vocabulary is None else 1
    valid = isinstance(input_shape, (list, tuple)) and len(input_shape) == axes
    if not valid or any((n is not None or i > 0) and (type(n) is not int or n < 1) for i, n in enumerate(input_shape)):
        form = "(t, d) for sequences of numbers" if vocabulary is None else "(t,) for tokens"
        raise ValueError(f"model.input_shape: got {input_shape!r}; expected {form}, such as {(28, 28)[:axes]}.")
    if vocabulary is None:
        inputs = keras.Input(tuple(input_shape))
        return inputs, standardise(inputs, statistics)
    if statistics is not None:
        raise ValueError("model.statistics: tokens are no numbers to standardise; leave data.normalise at unit.")
    inputs = keras.Input(tuple(input_shape), dtype="int32")
    # Keras cannot cut a graph right behind a layer that is used again further on, as a tied embedding is.
    return inputs, keras.layers.Identity(name="vectors")(table(inputs))


def head(task: str, num_outputs: int, **arguments):
    """The last layer, linear: "forecast" for a regression, else "logits".

    Args:
        task: One of `TASKS`.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        **arguments: Of `keras.layers.Dense`.

    Raises:
        ValueError: if there is no such task, or the number is no positive whole one.
    """
    choice("task", task, TASKS)
    name = "forecast" if task == "regression" else "logits"
    return keras.layers.Dense(count("num_outputs", num_outputs), name=name, **arguments)


class SequenceModel(ZooModel):
    """A model of sequences with a head for its task.

    A subclass hands its graph over and keeps its arguments as attributes; those of all its kind are kept here. One
    of the task "tokens" can read a long text in pieces, or a token at a time: it has `initial_state` and `stream`.

    Args:
        inputs, vectors: What `read` gave.
        outputs: The head's output.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        task: One of `TASKS`.
        vocabulary: None, how many tokens there are, or the characters themselves: see `vocabulary_size`.
        statistics: [mean, deviation] per channel, or None.

    Attributes:
        tokenizer_file: The path of a tokenizer.json that says which text each token is, or None: a preset's, where
            the vocabulary is no characters. It goes along into another preset, not into a .keras file.
    """

    tokenizer_file = None

    def __init__(self, inputs, vectors, outputs, *, num_outputs, task, vocabulary, statistics, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        self.num_outputs = num_outputs
        self.task = task
        self.vocabulary = vocabulary
        self.statistics = statistics
        # Where `gradient_norms` cuts: numbers as they come in, before they are standardised, or tokens' vectors.
        self._vectors = inputs if vocabulary is None else vectors

    def sample_inputs(self, count: int, seed: int = 0):
        """Random sequences that fit the model, of 7 steps where it takes any: tokens, or numbers in [0, 1)."""
        steps, *rest = self.input_shape[1:]
        shape = (count, steps or 7, *rest)
        rng = np.random.default_rng(seed)
        if self.vocabulary is not None:
            return rng.integers(0, vocabulary_size(self.vocabulary), shape).astype("int32")
        return rng.random(shape, dtype="float32")

    def gradient_norms(self, x, output: int = 0) -> np.ndarray:
        """How much one number of the last outputs depends on each step of the input.

        Args:
            x: Sequences (b, t, d) or tokens (b, t).
            output: Which of the numbers: a class, a token or a number that is foretold.

        Returns:
            (b, t): the norm of d output / d x_t; for tokens of d output / d embedding_t.

        Raises:
            ValueError: if there is no such output.
        """
        if type(output) is not int or not 0 <= output < self.num_outputs:
            raise ValueError(f"`output` must be from 0 to {self.num_outputs - 1}. Received: output={output!r}.")
        x = np.asarray(x)
        if self.vocabulary is not None:
            x = keras.Model(self.input, self._vectors)(x, training=False)
        after, given = keras.Model(self._vectors, self.output), keras.Variable(x)
        # Of one sample alone: another's input does not reach its output.
        last = (lambda y: y[:, -1]) if self.task == "tokens" else (lambda y: y)
        _, (gradient,) = value_and_grad(
            lambda: ops.sum(last(after(ops.convert_to_tensor(given), training=False))[:, output]), [given]
        )
        return np.linalg.norm(ops.convert_to_numpy(gradient), axis=-1)

    def initial_state(self, batch_size: int, max_length: int | None = None):
        """What `stream` begins with: the state of a model that has read nothing.

        Args:
            batch_size: b.
            max_length: How many tokens a state that grows with the text shall hold; None for the model's own length.
                A state of constant size does not ask.

        Returns:
            A nest of tensors, of the same shapes and dtypes at every step.
        """
        raise NotImplementedError

    @staticmethod
    def _check_batch(batch_size) -> None:
        if type(batch_size) is not int or batch_size < 1:
            raise ValueError(f"batch_size: got {batch_size!r}; expected how many texts, a whole number of at least 1.")

    def _check_reads_text(self) -> None:
        """Refuses to read on piece by piece where the model does not go from tokens to tokens."""
        if self.task != "tokens" or self.vocabulary is None:
            raise ValueError(
                f"A model with task={self.task!r} and vocabulary={self.vocabulary!r} reads whole sequences: call it. "
                'To read a text in pieces, make one with task="tokens" and a vocabulary.'
            )

    def _check_tokens(self, tokens, axes: str) -> tuple:
        """The shape of tokens to read on with; refuses what is none.

        Args:
            tokens: A tensor, whose numbers are not looked at, or an array.
            axes: "b t" or "b".
        """
        self._check_reads_text()
        expected = f"Expected tokens, whole numbers of the shape ({axes.replace(' ', ', ')}), at least one"
        if not hasattr(tokens, "shape"):
            raise ValueError(
                f"{expected}; received {type(tokens).__name__}. kzoo.sampling.codec(model).encode(text) makes the "
                "tokens of a text:  np.array([tokens])"
            )
        shape = tuple(tokens.shape)
        if len(shape) != len(axes.split()) or 0 in shape:
            raise ValueError(
                f"{expected}; received the shape {shape}. One text of tokens (t,) goes to `stream` as tokens[None], "
                "one token of each text, (b,), to `step`."
            )
        if isinstance(tokens, np.ndarray):
            size = vocabulary_size(self.vocabulary)
            if tokens.dtype.kind not in "iu":
                raise ValueError(f"{expected}; received {tokens.dtype}.")
            if tokens.min() < 0 or tokens.max() >= size:
                wrong = tokens.min() if tokens.min() < 0 else tokens.max()
                raise ValueError(f"The tokens of this model go from 0 to {size - 1}; received {wrong}.")
        return shape

    def _check_piece(self, tokens, axes: str, layers: list[str], states) -> None:
        """Refuses tokens that are no piece of the text whose state it is, before one is broadcast to the other.

        Args:
            tokens, axes: As in `_check_tokens`.
            layers: The layers that have a state.
            states: For each of them a nest of tensors (b, ...).
        """
        shape = self._check_tokens(tokens, axes)
        states = () if states is None else states
        if len(states) != len(layers):
            raise ValueError(
                f"The state is of {len(states)} layers; the model has {len(layers)}. Begin with this model's own "
                f"initial_state({shape[0]})."
            )
        for layer, state in zip(layers, states, strict=True):
            for part in keras.tree.flatten(state):
                if differ(part.shape[0], shape[0]):
                    raise ValueError(
                        f"The state of {layer} is of a batch of {part.shape[0]}; received tokens of a batch of "
                        f"{shape[0]}. Each text has a state of its own: begin with initial_state({shape[0]})."
                    )

    def stream(self, tokens, state):
        """Reads a piece of a text: the same logits as at the same place of the whole text.

        Args:
            tokens: (b, t), t at least 1, each from 0 to v - 1, which is checked of an array and not of a tensor.
            state: Of `initial_state`, or of the piece before.

        Returns:
            Logits (b, t, v) and the state to go on with.

        Raises:
            ValueError: if the model does not go from tokens to tokens, there is none, or the state is that of another
                number of texts or layers.
        """
        raise NotImplementedError

    def step(self, token, state):
        """Reads one token.

        Args:
            token: (b,).
            state: Of `initial_state`, or of the step before.

        Returns:
            Logits (b, v) of the token after it, and the state to go on with.

        Raises:
            ValueError: as `stream`.
        """
        self._check_tokens(token, "b")
        logits, state = self.stream(token[:, None], state)
        return logits[:, 0], state
