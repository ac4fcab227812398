"""RNN: the simple recurrent network, whose state is a layer that also reads itself.

Elman, "Finding structure in time", Cognitive Science 14(2), 1990, doi:10.1207/s15516709cog1402_1. Why it forgets:
Bengio, Simard and Frasconi 1994, doi:10.1109/72.279181; its gradient is a product of one matrix a step, and vanishes
or explodes with the distance in time. The recurrent matrix starts orthogonal (Saxe et al. 2013, arXiv:1312.6120).

Axis letters: b batch, t time, d width, u units.

    inputs (b, t, d) or tokens (b, t) -> outputs;   h_t = activation(W x_t + U h_{t-1} + b),  h_0 = 0

Differs from the paper: trained by backpropagation through the whole sequence, where Elman's copies the state as an
input and goes one step back; tanh where his units are logistic (a choice of `activation`); stacked, both directions
and dropout as options.
"""

import keras

from kzoo.layers import recurrent
from kzoo.models.base import choice
from kzoo.models.recurrent import Recurrent

ACTIVATIONS = ("tanh", "relu", "sigmoid")
PRESETS = {
    "mu": {
        "input_shape": (5, 2),
        "num_outputs": 3,
        "hidden_dims": (4, 6),
        "bidirectional": True,
        "activation": "relu",
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
class RNN(Recurrent):
    """Simple recurrent layers, then a linear layer.

    Args:
        input_shape: Shape of one sequence, (t, d), or (t,) for tokens; t may be None.
        num_outputs: Classes, numbers to foretell, or tokens of the vocabulary.
        task: "classification", "regression" or "tokens": see `kzoo.models.recurrent`.
        hidden_dims: Units of each layer.
        bidirectional: Whether each layer has a twin that reads from the end; their states stand side by side.
        activation: One of `ACTIVATIONS`, of the recurrent layers.
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
        activation: str = "tanh",
        dropout: float = 0.0,
        vocabulary: int | str | None = None,
        embedding_dim: int = 32,
        portable_dropout: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        choice("activation", activation, ACTIVATIONS)

        def make_layer(units, **arguments):
            return recurrent.SimpleRNN(units, activation=activation, **arguments)

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
        self.activation = activation
