"""What rnn, lstm and gru share: the stack of recurrent layers, its three heads, and a look at gates and gradients.

Axis letters: b batch, t time, d width of an input, u units.

    inputs (b, t, d) or tokens (b, t) -> layer 1 (b, t, u) -> ... -> last layer -> head

The head reads the last layer's last state; for the task "tokens" every state of it.
"""

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, RandomNormal
from kzoo.models.base import count, fraction, sizes
from kzoo.models.sequence import SequenceModel, head, read, vocabulary_size

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


class Recurrent(SequenceModel):
    """A stack of recurrent layers with a head for its task.

    Args:
        make_layer: A function (units, **arguments) to a layer of `kzoo.layers.recurrent`.
        input_shape: Shape of one sequence, (t, d), or (t,) for tokens; t may be None.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        task: One of `kzoo.models.sequence.TASKS`.
        hidden_dims: Units of each layer.
        bidirectional: Whether each layer has a twin that reads from the end; their states stand side by side.
        dropout: Share of each layer's outputs that is dropped in training.
        vocabulary: How many tokens there are, or the characters themselves, where the inputs are tokens; else None.
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
        hidden_dims = sizes("hidden_dims", hidden_dims)
        fraction("dropout", dropout)
        count("embedding_dim", embedding_dim)
        if not isinstance(bidirectional, bool):
            raise ValueError(f"model.bidirectional: got {bidirectional!r}; expected true or false.")
        if bidirectional and task == "tokens":
            raise ValueError(
                "model.bidirectional: got True; a model that gives a token at each step must not have read the next "
                "ones, so tokens allow only False."
            )
        table = None
        if vocabulary is not None:
            size = vocabulary_size(vocabulary)
            table = keras.layers.Embedding(size, embedding_dim, RandomNormal(stddev=0.05), name="embedding")
        inputs, vectors = read(input_shape, vocabulary, table, statistics)
        x = vectors
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
        super().__init__(
            inputs,
            vectors,
            head(task, num_outputs, kernel_initializer=GlorotUniform())(x),
            num_outputs=num_outputs,
            task=task,
            vocabulary=vocabulary,
            statistics=statistics,
            **kwargs,
        )
        self.hidden_dims = hidden_dims
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.embedding_dim = embedding_dim
        self.portable_dropout = portable_dropout
        # Names, since Keras would save layers and models that are attributes as parts of this one.
        self._recurrent = [layer.name for layer in self.layers if layer.name.startswith("layer_")]

    def initial_state(self, batch_size: int, max_length: int | None = None):
        """The states of all layers before anything was read: a list of tuples of zeros (b, u).

        Args:
            batch_size: b.
            max_length: Not asked for, since a state takes the same room after any number of tokens.

        Raises:
            ValueError: if the model does not go from tokens to tokens.
        """
        self._check_reads_text()
        self._check_batch(batch_size)
        layers = [self.get_layer(name) for name in self._recurrent]
        return [
            tuple(ops.zeros((batch_size, layer.units), layer.compute_dtype) for _ in layer.states) for layer in layers
        ]

    def stream(self, tokens, state):
        """Reads a piece of a text, tokens (b, t): logits (b, t, v) and the state to go on with.

        Raises:
            ValueError: if the model does not go from tokens to tokens, there is none, or the state is that of another
                number of texts or layers.
        """
        self._check_piece(tokens, "b t", self._recurrent, state)
        vectors = ops.swapaxes(self.get_layer("embedding")(tokens), 0, 1)  # (t, b, d)
        state, outputs = backend.scan(lambda state, x: self._advance(x, state)[::-1], state, vectors)
        return self.get_layer("logits")(ops.swapaxes(outputs, 0, 1)), state

    def step(self, token, state):
        """Reads one token (b,): logits (b, v) and the state to go on with. It refuses what `stream` refuses."""
        self._check_piece(token, "b", self._recurrent, state)
        output, state = self._advance(self.get_layer("embedding")(token), state)
        return self.get_layer("logits")(output), state

    def _advance(self, x, state):
        """The last layer's output (b, u) for one step of the first one's input (b, d), and the states of all."""
        after = []
        for name, own in zip(self._recurrent, state, strict=True):
            x, own = self.get_layer(name).advance(x, own)
            after.append(own)
        return x, after

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
