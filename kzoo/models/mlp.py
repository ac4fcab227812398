"""MLP: fully connected layers, trained by backpropagation.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323, 1986,
doi:10.1038/323533a0. Initial weights: Glorot and Bengio 2010 (tanh, sigmoid, linear), He et al. 2015,
arXiv:1502.01852 (the relu family). Batch normalisation: Ioffe and Szegedy 2015, arXiv:1502.03167. Dropout:
Srivastava et al., JMLR 15, 2014.

Axis letters: b batch, h w c image, d width, k classes.

    inputs (b, h, w, c) or (b, d) -> logits (b, k);   hidden layer i:  a_i = activation(norm(W_i a_{i-1} + b_i))

Differs from the paper: softmax cross-entropy in place of squared error, and the modern activations, batch
normalisation and dropout as options; the 1986 network is `activation="sigmoid"` with neither.
"""

import math

import keras

from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, HeUniform
from kzoo.models.base import Classifier, choice, count, fraction, sizes, standardise

ACTIVATIONS = (
    "relu",
    "sigmoid",
    "tanh",
    "softmax",
    "linear",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
)
# He et al. 2015 doubles the variance for units that are silent on half of their inputs.
_RELU_LIKE = ("relu", "leaky_relu", "elu", "gelu", "silu", "mish")

PRESETS = {
    "mu": {
        "input_shape": (4, 4, 1),
        "num_classes": 3,
        "hidden_dims": (8, 5),
        "activation": "tanh",
        "dropout": 0.25,
        "batch_norm": True,
        "portable_dropout": False,
        "statistics": [[0.25], [0.5]],
    },
    "mu-plain": {"input_shape": (4,), "num_classes": 3, "hidden_dims": (8,)},
    "classic": {"input_shape": (28, 28, 1), "num_classes": 10, "hidden_dims": (128,), "dropout": 0.0},
}


@keras.saving.register_keras_serializable("kzoo")
class MLP(Classifier):
    """Hidden layers of one activation, then a linear layer to the logits.

    Args:
        input_shape: Shape of one sample, (h, w, c) or (d,).
        num_classes: k.
        hidden_dims: Width of each hidden layer; empty is logistic regression.
        activation: One of `ACTIVATIONS`.
        dropout: Share of each hidden layer's activations that is dropped in training.
        batch_norm: Whether to normalise each hidden layer before its activation.
        portable_dropout: Whether dropout draws the same bits on every backend.
        statistics: [mean, deviation] per channel to standardise with, or None.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        num_classes=10,
        *,
        hidden_dims: tuple[int, ...] = (128,),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        portable_dropout: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        count("num_classes", num_classes)
        hidden_dims = sizes("hidden_dims", hidden_dims, empty=True)
        choice("activation", activation, ACTIVATIONS)
        fraction("dropout", dropout)
        initializer = HeUniform if activation in _RELU_LIKE else GlorotUniform

        inputs = keras.Input(tuple(input_shape))
        x = standardise(inputs, statistics)
        if len(input_shape) > 1:
            x = keras.layers.Reshape((math.prod(input_shape),), name="flatten")(x)  # (b, d)
        for i, width in enumerate(hidden_dims, start=1):
            # A bias before batch normalisation is subtracted again with the mean.
            dense = keras.layers.Dense(
                width, use_bias=not batch_norm, kernel_initializer=initializer(), name=f"dense_{i}"
            )
            x = dense(x)
            if batch_norm:
                x = keras.layers.BatchNormalization(name=f"norm_{i}")(x)
            x = keras.layers.Activation(activation, name=f"{activation}_{i}")(x)
            if dropout:
                x = Dropout(dropout, portable=portable_dropout, name=f"dropout_{i}")(x)
        logits = keras.layers.Dense(num_classes, kernel_initializer=GlorotUniform(), name="logits")(x)
        super().__init__(inputs, logits, **kwargs)
        self.num_classes = num_classes
        self.hidden_dims = hidden_dims
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.portable_dropout = portable_dropout
        self.statistics = statistics
