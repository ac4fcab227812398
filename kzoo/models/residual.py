"""What the Transformer and Mamba share: blocks that each add to one stream of vectors, and a head that reads it.

Axis letters: b batch, t time, d width of the stream, c numbers a step, k classes or numbers, v vocabulary.

    tokens (b, t) or numbers (b, t, c) -> embedding (b, t, d) -> block_1 -> ... -> norm -> head
"""

import keras
import numpy as np
from keras import ops

from kzoo.layers.initializers import GlorotUniform, RandomNormal
from kzoo.models.sequence import SequenceModel, read, vocabulary_size


def embed(input_shape, vocabulary, hidden_dim: int, statistics, stddev: float):
    """The way into the stream: a table for tokens, a linear layer for numbers.

    Args:
        input_shape, vocabulary, statistics: As in `kzoo.models.sequence.read`.
        hidden_dim: d.
        stddev: Of the table's entries at the start.

    Returns:
        The input, its vectors (b, t, d), and the table or None.
    """
    if vocabulary is None:
        inputs, x = read(input_shape, vocabulary, None, statistics)
        return inputs, keras.layers.Dense(hidden_dim, kernel_initializer=GlorotUniform(), name="embedding")(x), None
    table = keras.layers.ReversibleEmbedding(
        vocabulary_size(vocabulary), hidden_dim, embeddings_initializer=RandomNormal(stddev=stddev), name="embedding"
    )
    return *read(input_shape, vocabulary, table, statistics), table


def shares_table(tied: bool, task: str, vocabulary, num_outputs: int) -> bool:
    """Whether the head is the embedding's table: where it is to be, the model writes tokens, and there is a table.

    Raises:
        ValueError: if the table has no row for each output.
    """
    if not (tied and task == "tokens" and vocabulary is not None):
        return False
    size = vocabulary_size(vocabulary)
    if num_outputs != size:
        raise ValueError(
            f"model.num_outputs: got {num_outputs!r} for a vocabulary of {size}; a tied head gives one logit a token, "
            f"which allows only {size}. For another number:  tied=False"
        )
    return True


class ResidualModel(SequenceModel):
    """A model of sequences whose layers are "embedding", "block_1" and so on, "norm", and a head.

    A subclass keeps `num_layers` as an attribute.
    """

    def _blocks(self):
        return [self.get_layer(f"block_{i}") for i in range(1, self.num_layers + 1)]

    def _embedded(self, x):
        """The vectors (b, t, d) of tokens or numbers."""
        if self.vocabulary is None:
            return keras.Model(self.input, self.get_layer("embedding").output)(np.asarray(x), training=False)
        # By the layer: the graph takes texts of one length alone.
        return self.get_layer("embedding")(ops.convert_to_tensor(x))

    def _read_out(self, x):
        """Vectors (b, t, d) or (b, d) of one step to outputs."""
        x = self.get_layer("norm")(x)
        if self.task != "tokens":
            x = self.get_layer("mean")(x)
        names = {layer.name for layer in self.layers}
        heads = names & {"logits", "forecast"}
        return self.get_layer(heads.pop())(x) if heads else self.get_layer("embedding")(x, reverse=True)
