"""The U-Net of diffusion: from an image with noise in it, and how much of that, to as many numbers as it has pixels.

Ho et al. 2020 (arXiv:2006.11239, appendix B), after Ronneberger et al. 2015 (arXiv:1505.04597). Group normalisation: Wu
and He 2018 (arXiv:1803.08494). A class beside the time: Dhariwal and Nichol 2021 (arXiv:2105.05233).

Axis letters: b batch, h w c image, f filters, e width of the embedding.

    down:    a level is `depth` residual blocks, and the next one has half the height and width
    middle:  block, attention among all places, block, at the coarsest level
    up:      the levels backwards; each block also reads what its twin on the way down made

With `patch` p, squares of p x p pixels enter as one place of p^2 c channels and leave as pixels again (Hoogeboom et al.
2023, arXiv:2301.11093): the finest level, which costs as much as all others, is then spared.

Differs from the paper: attention at the coarsest level alone; as many blocks on the way up as down; the last
convolution of each block begins small, not at zero, so that no weight waits for another one to move first.
"""

import math

import keras
from keras import ops

from kzoo.layers.checks import positive
from kzoo.layers.convolution import Conv2D
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, RandomNormal, VarianceScaling
from kzoo.layers.transformer import Attention

__all__ = ["ResidualBlock", "SpatialAttention", "TimeEmbedding", "UNet"]

# Of what begins small: the share of the variance that a layer of its size would have else.
_SMALL = 0.01


def _convolution(filters, size, name, policy, small=False, strides=1):
    initializer = VarianceScaling(_SMALL, "fan_avg", "uniform") if small else GlorotUniform()
    return Conv2D(filters, size, strides, padding="same", kernel_initializer=initializer, name=name, dtype=policy)


def _norm(channels, name, policy):
    # Of each channel for itself it would take out again what the time has added to all places of a channel.
    groups = 1 if channels % 4 else math.gcd(8, channels // 4)
    return keras.layers.GroupNormalization(groups, epsilon=1e-5, name=name, dtype=policy)


@keras.saving.register_keras_serializable("kzoo.layers")
class TimeEmbedding(keras.layers.Layer):
    """What a network is told of the time, (b,) to (b, e): waves of many lengths, then two dense layers.

        wave_i = sin(time r_i) or cos(time r_i),   r_i = 10000^(-2 i / w),   i below w / 2, w = e / 4
        y = W_2 silu(W_1 wave + b_1) + b_2

    Args:
        width: e, a multiple of 8.

    Raises:
        ValueError: for another width.
    """

    def __init__(self, width: int, **kwargs):
        # A time of 999 is one of 1000 in bfloat16: it comes in as it is.
        super().__init__(autocast=False, **kwargs)
        self.width = positive("TimeEmbedding", "width", width)
        if width % 8:
            raise ValueError(f"TimeEmbedding needs a width that is a multiple of 8; received width={width!r}.")
        self.dense_1, self.dense_2 = (
            keras.layers.Dense(width, kernel_initializer=GlorotUniform(), name=f"dense_{i}", dtype=self.dtype_policy)
            for i in (1, 2)
        )

    def build(self, times_shape):
        self.dense_1.build((None, self.width // 4))
        self.dense_2.build((None, self.width))

    def call(self, times):
        half = self.width // 8
        rates = ops.convert_to_tensor([10_000.0 ** (-i / half) for i in range(half)], "float32")
        angles = ops.expand_dims(ops.cast(times, "float32"), 1) * rates
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)
        return self.dense_2(ops.silu(self.dense_1(waves)))

    def compute_output_shape(self, times_shape):
        return (times_shape[0], self.width)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("kzoo.layers")
class ResidualBlock(keras.layers.Layer):
    """Two convolutions around what the time has to say, (b, h, w, c) and (b, e) to (b, h, w, f).

        h = conv_1(silu(norm_1(x))) + W silu(embedding) + b
        y = skip(x) + conv_2(dropout(silu(norm_2(h)))),   skip a convolution of single places, or nothing where c = f

    Args:
        filters: f.
        dropout: Share of the numbers before the second convolution that is dropped in training.
        portable_dropout: Whether dropout draws the same bits on every backend.
    """

    def __init__(self, filters: int, dropout: float = 0.0, portable_dropout: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.filters = positive("ResidualBlock", "filters", filters)
        self.dropout = dropout
        self.portable_dropout = portable_dropout
        policy = self.dtype_policy
        self.conv_1 = _convolution(filters, 3, "conv_1", policy)
        self.conv_2 = _convolution(filters, 3, "conv_2", policy, small=True)
        self._for_skip = GlorotUniform()
        self.of_time = keras.layers.Dense(filters, kernel_initializer=GlorotUniform(), name="of_time", dtype=policy)
        self.drop = Dropout(dropout, portable=portable_dropout, name="drop", dtype=policy)

    def build(self, x_shape, embedding_shape):
        made = (*x_shape[:-1], self.filters)
        self.norm_1 = _norm(x_shape[-1], "norm_1", self.dtype_policy)
        self.norm_2 = _norm(self.filters, "norm_2", self.dtype_policy)
        self.norm_1.build(x_shape)
        self.conv_1.build(x_shape)
        self.of_time.build(embedding_shape)
        self.norm_2.build(made)
        self.conv_2.build(made)
        self.skip = None
        if x_shape[-1] != self.filters:
            self.skip = Conv2D(self.filters, 1, kernel_initializer=self._for_skip, name="skip", dtype=self.dtype_policy)
            self.skip.build(x_shape)

    def call(self, x, embedding, training=False):
        told = ops.reshape(self.of_time(ops.silu(embedding)), (-1, 1, 1, self.filters))
        h = self.conv_1(ops.silu(self.norm_1(x))) + told
        h = self.conv_2(self.drop(ops.silu(self.norm_2(h)), training=training))
        return h + (x if self.skip is None else self.skip(x))

    def compute_output_shape(self, x_shape, embedding_shape):
        return (*x_shape[:-1], self.filters)

    def get_config(self):
        """The constructor's arguments."""
        mine = {"filters": self.filters, "dropout": self.dropout, "portable_dropout": self.portable_dropout}
        return {**super().get_config(), **mine}


@keras.saving.register_keras_serializable("kzoo.layers")
class SpatialAttention(keras.layers.Layer):
    """Each place of an image looks at all others: y = x + attention(norm(x)), (b, h, w, c) to (b, h, w, c).

    Args:
        num_heads: A divisor of c.

    Raises:
        ValueError: as `kzoo.layers.transformer.Attention`.
    """

    def __init__(self, num_heads: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.attention = Attention(num_heads, causal=False, name="attention", dtype=self.dtype_policy)

    def build(self, input_shape):
        self.norm = _norm(input_shape[-1], "norm", self.dtype_policy)
        self.norm.build(input_shape)
        self.attention.build((input_shape[0], None, input_shape[-1]))

    def call(self, x):
        _, height, width, channels = x.shape
        places = ops.reshape(self.norm(x), (-1, height * width, channels))
        return x + ops.reshape(self.attention(places), (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "num_heads": self.num_heads}


@keras.saving.register_keras_serializable("kzoo.layers")
class UNet(keras.layers.Layer):
    """Images (b, h, w, c), times (b,) and perhaps labels (b,) to (b, h, w, c).

    Args:
        filters: f of each level, the finest first.
        depth: Residual blocks of a level, on the way down and on the way up.
        num_heads: Heads of the attention, a divisor of the last f.
        patch: p, the side of the squares of pixels that are one place.
        num_classes: How many classes there are; the label of this number stands for none of them. None for a network
            that is told no class.
        dropout: Share of the numbers within each block that is dropped in training.
        portable_dropout: Whether dropout draws the same bits on every backend.

    Raises:
        ValueError: for an image that cannot be cut into patches, or halved as often as there are levels but one.
    """

    def __init__(
        self,
        filters: tuple[int, ...] = (32, 64, 64),
        depth: int = 1,
        num_heads: int = 4,
        patch: int = 1,
        num_classes: int | None = None,
        dropout: float = 0.0,
        portable_dropout: bool = True,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # see TimeEmbedding; each layer casts what it reads
        self.filters = tuple(filters)
        self.depth = positive("UNet", "depth", depth)
        self.num_heads = num_heads
        self.patch = positive("UNet", "patch", patch)
        self.num_classes = num_classes
        self.dropout = dropout
        self.portable_dropout = portable_dropout
        policy, last = self.dtype_policy, len(self.filters) - 1

        def blocks(way):
            return [
                [ResidualBlock(f, dropout, portable_dropout, name=f"{way}_{i}_{j}", dtype=policy) for j in range(depth)]
                for i, f in enumerate(self.filters)
            ]

        self.time = TimeEmbedding(8 * math.ceil(self.filters[0] / 2), name="time", dtype=policy)
        self.conv_in = _convolution(self.filters[0], 3, "conv_in", policy)
        self.down = blocks("down")
        self.halved = [_convolution(self.filters[i], 3, f"halve_{i}", policy, strides=2) for i in range(last)]
        self.middle = [
            ResidualBlock(self.filters[-1], dropout, portable_dropout, name=f"middle_{i}", dtype=policy) for i in (1, 2)
        ]
        self.attention = SpatialAttention(num_heads, name="attention", dtype=policy)
        self.up = blocks("up")
        # Not `double`: every layer on torch has that method, and Keras saves no attribute of such a name.
        self.doubled = [_convolution(self.filters[i], 3, f"double_{i}", policy) for i in range(last)]
        self.norm = _norm(self.filters[0], "norm", policy)
        self._initializers = RandomNormal(stddev=1.0), VarianceScaling(_SMALL, "fan_avg", "uniform")

    def build(self, x_shape, times_shape=None, labels_shape=None):
        _, height, width, channels = x_shape
        times = self.patch * 2 ** len(self.halved)
        if height % times or width % times:
            cut, fewer = "", "fewer levels"
            if self.patch > 1:
                cut = f"cuts its images into squares of {self.patch} x {self.patch} and "
                fewer = "fewer levels or a smaller patch"
            raise ValueError(
                f"A U-Net of {len(self.filters)} levels {cut}halves its images {len(self.halved)} times, so that "
                f"height and width must be multiples of {times}; received {height} x {width}. Pad or crop the images, "
                f"or give {fewer}: filters has one number for each level."
            )
        height, width, channels = height // self.patch, width // self.patch, channels * self.patch**2
        for_classes, for_output = self._initializers
        told = (None, self.time.width)
        self.time.build((None,))
        if self.num_classes is not None:
            shape = (self.num_classes + 1, self.time.width)
            self.classes = self.add_weight(shape=shape, initializer=for_classes, name="classes")
        self.conv_in.build((None, height, width, channels))
        before = self.filters[0]
        for i, f in enumerate(self.filters):
            size = (None, height // 2**i, width // 2**i)
            for block in self.down[i]:
                block.build((*size, before), told)
                before = f
            for block in self.up[i]:  # each reads what comes from below and what its twin made
                block.build((*size, 2 * f), told)
            if i < len(self.halved):
                self.halved[i].build((*size, f))
                self.doubled[i].build((*size, self.filters[i + 1]))
        self.middle[0].build((*size, f), told)
        self.attention.build((*size, f))
        self.middle[1].build((*size, f), told)
        self.norm.build((None, height, width, self.filters[0]))
        self.conv_out = Conv2D(
            channels, 3, padding="same", kernel_initializer=for_output, name="conv_out", dtype=self.dtype_policy
        )
        self.conv_out.build((None, height, width, self.filters[0]))

    def call(self, x, times, labels=None, training=False):
        told = self.time(times)
        if self.num_classes is not None:
            told = told + ops.cast(ops.take(self.classes, labels, axis=0), told.dtype)
        h, made = self.conv_in(_patches(x, self.patch)), []
        for i, level in enumerate(self.down):
            for block in level:
                h = block(h, told, training=training)
                made.append(h)
            if i < len(self.halved):
                h = self.halved[i](h)
        h = self.attention(self.middle[0](h, told, training=training))
        h = self.middle[1](h, told, training=training)
        for i in reversed(range(len(self.filters))):
            for block in self.up[i]:
                h = block(ops.concatenate([h, made.pop()], axis=-1), told, training=training)
            if i:
                h = self.doubled[i - 1](ops.repeat(ops.repeat(h, 2, axis=1), 2, axis=2))
        return _pixels(self.conv_out(ops.silu(self.norm(h))), self.patch)

    def compute_output_shape(self, x_shape, times_shape=None, labels_shape=None):
        return x_shape

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "filters": list(self.filters),
            "depth": self.depth,
            "num_heads": self.num_heads,
            "patch": self.patch,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "portable_dropout": self.portable_dropout,
        }


def _patches(x, p):
    """Squares of p x p pixels as places: (b, h, w, c) to (b, h / p, w / p, p^2 c)."""
    _, h, w, c = x.shape
    squares = ops.transpose(ops.reshape(x, (-1, h // p, p, w // p, p, c)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(squares, (-1, h // p, w // p, p * p * c))


def _pixels(x, p):
    """The inverse of `_patches`: (b, h, w, p^2 c) to (b, p h, p w, c)."""
    _, h, w, c = x.shape
    squares = ops.transpose(ops.reshape(x, (-1, h, w, p, p, c // p**2)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(squares, (-1, h * p, w * p, c // p**2))
