"""CNN: blocks of 3 x 3 convolutions and max-pooling, then a small classifier.

LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86(11), 1998,
doi:10.1109/5.726791, with what came after it: 3 x 3 kernels in pairs (Simonyan and Zisserman 2014,
arXiv:1409.1556), relu and He's initial weights (arXiv:1502.01852), batch normalisation (arXiv:1502.03167),
dropout before and after the hidden layer (Srivastava et al., JMLR 15, 2014).

Axis letters: b batch, h w c image, d width, k classes.

    inputs (b, h, w, c) -> logits (b, k);   block i:  [conv - norm - relu] x depth, then max-pool 2 x 2

Differs from LeNet-5: max-pooling in place of trained subsampling, full connections between maps, softmax
cross-entropy in place of radial basis outputs.
"""

import keras

from kzoo.layers.convolution import Conv2D, MaxPooling2D
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, HeNormal
from kzoo.models.base import Classifier, choice, count, fraction, sizes, standardise

PRESETS = {
    "mu": {
        "input_shape": (10, 10, 1),
        "num_classes": 3,
        "filters": (3, 4),
        "depth": 1,
        "hidden_dim": 6,
        "padding": "same",
        "dropout": 0.25,
        "portable_dropout": False,
        "statistics": [[0.25], [0.5]],
    },
    "mu-plain": {"input_shape": (16, 16, 1), "num_classes": 3, "filters": (3,), "hidden_dim": 6, "batch_norm": False},
}


@keras.saving.register_keras_serializable("kzoo")
class CNN(Classifier):
    """Convolutions and max-pooling, then one hidden layer.

    Args:
        input_shape: Shape of one image, (h, w, c).
        num_classes: k.
        filters: Maps of each block; each block halves height and width.
        depth: Convolutions a block.
        hidden_dim: Width of the hidden layer before the logits.
        padding: "same" keeps the size in a convolution, "valid" trims its border.
        dropout: Share of activations that is dropped in training, before and after the hidden layer.
        batch_norm: Whether to normalise before each relu.
        portable_dropout: Whether dropout draws the same bits on every backend.
        statistics: [mean, deviation] per channel to standardise with, or None.

    Raises:
        ValueError: if an argument is out of range, or the image is too small for the blocks.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        num_classes=10,
        *,
        filters: tuple[int, ...] = (32, 64),
        depth: int = 2,
        hidden_dim: int = 128,
        padding: str = "valid",
        dropout: float = 0.5,
        batch_norm: bool = True,
        portable_dropout: bool = True,
        statistics: list[list[float]] | None = None,
        **kwargs,
    ):
        filters = sizes("filters", filters)
        count("depth", depth)
        count("hidden_dim", hidden_dim)
        count("num_classes", num_classes)
        choice("padding", padding, ("same", "valid"))
        fraction("dropout", dropout)
        if len(input_shape) != 3:
            raise ValueError(f"model.input_shape: got {tuple(input_shape)}; a CNN takes images (h, w, c).")
        trimmed = 0 if padding == "same" else 2 * depth
        side = min(input_shape[:2])
        for block in range(len(filters)):
            side = (side - trimmed) // 2
            if side < 1:
                raise ValueError(
                    f"model.filters: got {filters}; an image of {tuple(input_shape[:2])} pixels is used up in block "
                    f"{block + 1}. Give fewer blocks, or padding='same'."
                )

        def activate(x, name):
            if batch_norm:
                x = keras.layers.BatchNormalization(name=f"norm_{name}")(x)
            return keras.layers.Activation("relu", name=f"relu_{name}")(x)

        # A bias before batch normalisation is subtracted again with the mean.
        shared = {"use_bias": not batch_norm}
        layout = {"data_format": "channels_last"}  # whatever the reader's keras.json says
        inputs = keras.Input(tuple(input_shape))
        x = standardise(inputs, statistics)
        for i, maps in enumerate(filters, start=1):
            for j in range(1, depth + 1):
                conv = Conv2D(
                    maps, 3, padding=padding, kernel_initializer=HeNormal(), name=f"conv_{i}_{j}", **layout, **shared
                )
                x = activate(conv(x), f"{i}_{j}")  # (b, h, w, maps)
            x = MaxPooling2D(2, name=f"pool_{i}", **layout)(x)  # (b, h / 2, w / 2, maps)
        x = keras.layers.Flatten(name="flatten", **layout)(x)  # (b, h w maps)
        if dropout:
            x = Dropout(dropout, portable=portable_dropout, name="dropout_1")(x)
        x = keras.layers.Dense(hidden_dim, kernel_initializer=HeNormal(), name="dense", **shared)(x)
        x = activate(x, "dense")  # (b, d)
        if dropout:
            x = Dropout(dropout, portable=portable_dropout, name="dropout_2")(x)
        logits = keras.layers.Dense(num_classes, kernel_initializer=GlorotUniform(), name="logits")(x)
        super().__init__(inputs, logits, **kwargs)
        self.num_classes = num_classes
        self.filters = filters
        self.depth = depth
        self.hidden_dim = hidden_dim
        self.padding = padding
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.portable_dropout = portable_dropout
        self.statistics = statistics
