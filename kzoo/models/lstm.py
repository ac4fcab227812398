"""LSTM: long short-term memory, whose cell carries a sum through time and gates what enters, stays and leaves.

Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997, doi:10.1162/neco.1997.9.8.1735;
the forget gate: Gers, Schmidhuber and Cummins 2000, doi:10.1162/089976600300015015. Biases for long memories: Tallec
and Ollivier 2018, arXiv:1804.11188.

Axis letters: b batch, t time, d width, u units.

    inputs (b, t, d) or tokens (b, t) -> outputs;   i, f, o = sigmoid(W x_t + U h_{t-1} + b) of their own weights each
    g = tanh(W x_t + U h_{t-1} + b),   c_t = f c_{t-1} + i g,   h_t = o tanh(c_t),   h_0 = c_0 = 0

Differs from the papers: no peepholes, one cell a block, trained by full backpropagation through time; stacked, both
directions and dropout as options.
"""

import keras

from kzoo.layers import recurrent
from kzoo.models.recurrent import Recurrent, memory_bias

PRESETS = {
    "mu": {
        "input_shape": (5, 2),
        "num_outputs": 3,
        "hidden_dims": (4, 6),
        "bidirectional": True,
        "memory": 20,
        "dropout": 0.25,
        "portable_dropout": False,
        "statistics": [[0.25, 0.5], [0.5, 2.0]],
    },
    "mu-forecast": {"input_shape": (7, 3), "num_outputs": 2, "task": "regression", "hidden_dims": (5,)},
    "mu-tokens": {
        "input_shape": (6,),
        "num_outputs": 9,
        "task": "tokens",
        "hidden_dims": (5, 4),
        "vocabulary": 9,
        "embedding_dim": 3,
    },
}


@keras.saving.register_keras_serializable("kzoo")
class LSTM(Recurrent):
    """LSTM layers, then a linear layer.

    Args:
        input_shape: Shape of one sequence, (t, d), or (t,) for tokens; t may be None.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        task: "classification", "regression" or "tokens": see `kzoo.models.recurrent`.
        hidden_dims: Units of each layer.
        bidirectional: Whether each layer has a twin that reads from the end; their states stand side by side.
        memory: About how many steps the cells shall remember before anything is learned: the gates' biases are then
            drawn for memories of 1 to that many steps. None starts every forget gate at a bias of 1.
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
        input_shape=(28, 28),
        num_outputs=10,
        *,
        task: str = "classification",
        hidden_dims: tuple[int, ...] = (128,),
        bidirectional: bool = False,
        memory: int | None = None,
        dropout: float = 0.0,
        vocabulary: int | str | None = None,
        embedding_dim: int = 32,
        portable_dropout: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        forget = memory_bias("forget_bias", memory)

        def make_layer(units, **arguments):
            return recurrent.LSTM(units, **forget, **arguments)

        super().__init__(
            make_layer,
            input_shape=input_shape,
            num_outputs=num_outputs,
            task=task,
            hidden_dims=hidden_dims,
            bidirectional=bidirectional,
            dropout=dropout,
            vocabulary=vocabulary,
            embedding_dim=embedding_dim,
            portable_dropout=portable_dropout,
            statistics=statistics,
            **kwargs,
        )
        self.memory = memory
