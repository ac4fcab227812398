"""What rnn, lstm and gru share: the stack of recurrent layers, its three heads, and a look at gates and gradients.

Axis letters: b batch, t time, d width of an input, u units, k classes, v vocabulary.

    inputs (b, t, d) or tokens (b, t) -> layer 1 (b, t, u) -> ... -> last layer -> head

    task              last layer gives    head               outputs
    classification    its last state      logits             (b, k)
    regression        its last state      numbers            (b, k)
    tokens            every state         logits, each step  (b, t, v)
"""

import keras
import numpy as np
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, RandomNormal
from kzoo.models.base import ZooModel, choice, count, fraction, sizes, standardise

TASKS = ("classification", "regression", "tokens")

# What the letters of `kzoo.ops.recurrent` stand for.
_NAMES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "z": "update gate",
    "r": "reset gate",
    "g": "candidate",
    "n": "candidate",
    "c": "cell state",
    "h": "hidden state",
}


def memory_bias(name: str, memory: int | None) -> dict:
    """The arguments of a layer whose gates shall remember up to `memory` steps; none where it is None.

    Args:
        name: The layer's argument for the bias of the gate that keeps the old state.
        memory: In steps.

    Raises:
        ValueError: if it is no whole number of at least 2.
    """
    if memory is None:
        return {}
    if type(memory) is not int or memory < 2:
        raise ValueError(f"model.memory: got {memory!r}; expected a whole number of steps, at least 2, or null.")
    return {name: "chrono", "max_time": memory}


class Recurrent(ZooModel):
    """A stack of recurrent layers with a head for its task.

    Args:
        make_layer: A function (units, **arguments) to a layer of `kzoo.layers.recurrent`.
        input_shape: Shape of one sequence, (t, d), or (t,) for tokens; t may be None.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        task: One of `TASKS`.
        hidden_dims: Units of each layer.
        bidirectional: Whether each layer has a twin that reads from the end; their states stand side by side.
        dropout: Share of each layer's outputs that is dropped in training.
        vocabulary: How many tokens there are, where the inputs are tokens; else None.
        embedding_dim: Width of a token's vector.
        portable_dropout: Whether dropout draws the same bits on every backend.
        statistics: [mean, deviation] per channel to standardise with, or None.

    Raises:
        ValueError: if an argument is out of range, or two of them contradict each other.
    """

    def __init__(
        self,
        make_layer,
        *,
        input_shape,
        num_outputs,
        task,
        hidden_dims,
        bidirectional,
        dropout,
        vocabulary,
        embedding_dim,
        portable_dropout,
        statistics,
        **kwargs,
    ):
        count("num_outputs", num_outputs)
        choice("task", task, TASKS)
        hidden_dims = sizes("hidden_dims", hidden_dims)
        fraction("dropout", dropout)
        count("embedding_dim", embedding_dim)
        _check_inputs(input_shape, vocabulary, statistics)
        if not isinstance(bidirectional, bool):
            raise ValueError(f"model.bidirectional: got {bidirectional!r}; expected true or false.")
        if bidirectional and task == "tokens":
            raise ValueError(
                "model.bidirectional: got True; a model that gives a token at each step must not have read the next "
                "ones, so tokens allow only False."
            )
        if vocabulary is None:
            read = inputs = keras.Input(tuple(input_shape))
            x = standardise(inputs, statistics)
        else:
            inputs = keras.Input(tuple(input_shape), dtype="int32")
            table = keras.layers.Embedding(vocabulary, embedding_dim, RandomNormal(stddev=0.05), name="embedding")
            read = x = table(inputs)  # (b, t, d)
        for i, units in enumerate(hidden_dims, start=1):
            every = i < len(hidden_dims) or task == "tokens"
            layer = make_layer(units, return_sequences=every, name=f"layer_{i}")
            states = layer(x)
            if bidirectional:
                twin = make_layer(units, return_sequences=every, go_backwards=True, name=f"layer_{i}_back")(x)
                if every:
                    twin = ops.flip(twin, axis=1)  # a layer that reads backwards gives its last step first
                states = keras.layers.Concatenate(name=f"both_{i}")([states, twin])
            x = Dropout(dropout, portable=portable_dropout, name=f"dropout_{i}")(states) if dropout else states
        head = "forecast" if task == "regression" else "logits"
        outputs = keras.layers.Dense(num_outputs, kernel_initializer=GlorotUniform(), name=head)(x)
        super().__init__(inputs, outputs, **kwargs)
        self.num_outputs = num_outputs
        self.task = task
        self.hidden_dims = hidden_dims
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.vocabulary = vocabulary
        self.embedding_dim = embedding_dim
        self.portable_dropout = portable_dropout
        self.statistics = statistics
        # Names, since Keras would save layers and models that are attributes as parts of this one.
        self._recurrent = [layer.name for layer in self.layers if layer.name.startswith("layer_")]
        self._read = read

    def sample_inputs(self, count: int, seed: int = 0):
        """Random sequences that fit the model, of 7 steps where it takes any: tokens, or numbers in [0, 1)."""
        steps, *rest = self.input_shape[1:]
        shape = (count, steps or 7, *rest)
        rng = np.random.default_rng(seed)
        if self.vocabulary is not None:
            return rng.integers(0, self.vocabulary, shape).astype("int32")
        return rng.random(shape, dtype="float32")

    def trace(self, x) -> dict[str, dict[str, np.ndarray]]:
        """Every gate and every state of every layer while it reads `x` (b, t, d) or (b, t).

        Returns:
            Layer name -> name of the gate or state, such as "forget gate" -> (b, t, u), in the order of time, also
            where a layer reads backwards.
        """
        found = {}
        layers = [self.get_layer(name) for name in self._recurrent]
        inputs = keras.Model(self.input, [layer.input for layer in layers])(np.asarray(x), training=False)
        for layer, given in zip(layers, inputs if isinstance(inputs, (list, tuple)) else [inputs], strict=True):
            trace = layer.trace(given)
            found[layer.name] = {_NAMES[key]: ops.convert_to_numpy(value) for key, value in trace.items()}
        return found

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
            x = keras.Model(self.input, self._read)(x, training=False)
        after, given = keras.Model(self._read, self.output), keras.Variable(x)
        # Of one sample alone: another's input does not reach its output.
        last = (lambda y: y[:, -1]) if self.task == "tokens" else (lambda y: y)
        _, (gradient,) = value_and_grad(
            lambda: ops.sum(last(after(ops.convert_to_tensor(given), training=False))[:, output]), [given]
        )
        return np.linalg.norm(ops.convert_to_numpy(gradient), axis=-1)


def _check_inputs(input_shape, vocabulary, statistics) -> None:
    axes = 2 if vocabulary is None else 1
    valid = isinstance(input_shape, (list, tuple)) and len(input_shape) == axes
    if not valid or any((n is not None or i > 0) and (type(n) is not int or n < 1) for i, n in enumerate(input_shape)):
        form = "(t, d) for sequences of numbers" if vocabulary is None else "(t,) for tokens"
        raise ValueError(f"model.input_shape: got {input_shape!r}; expected {form}, such as {(28, 28)[:axes]}.")
    if vocabulary is not None:
        count("vocabulary", vocabulary)
        if statistics is not None:
            raise ValueError("model.statistics: tokens are no numbers to standardise; leave data.normalise at unit.")
