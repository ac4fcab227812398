"""The U-Net against NumPy in float64, written out from the paper's description, and what it refuses."""

import keras
import numpy as np
import pytest
from checks import compiled_gradients
from keras import ops

from kzoo.layers.unet import ResidualBlock, SpatialAttention, TimeEmbedding, UNet
from kzoo.seeds import seeded


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def convolve(x, kernel, bias, stride=1):
    """A window at a time; of a stride of 2 the padding is below and to the right, as TensorFlow's "same" has it."""
    size = kernel.shape[0]
    total = max((-(-x.shape[1] // stride) - 1) * stride + size - x.shape[1], 0)
    pads = (total // 2, total - total // 2)
    x = np.pad(x, ((0, 0), pads, pads, (0, 0)))
    places = range(0, x.shape[1] - size + 1, stride), range(0, x.shape[2] - size + 1, stride)
    rows = [[np.tensordot(x[:, i : i + size, j : j + size], kernel, 3) + bias for j in places[1]] for i in places[0]]
    return np.moveaxis(np.array(rows), 2, 0)


def norm(x, gamma, beta):
    """Groups of neighbouring channels, at most 8 of at least 4, each with the mean and variance of its places."""
    channels = x.shape[-1]
    groups = next(n for n in (8, 4, 2, 1) if channels % (4 * n) == 0 or n == 1)
    parts = x.reshape(len(x), -1, groups, channels // groups)
    mean, variance = parts.mean(axis=(1, 3), keepdims=True), parts.var(axis=(1, 3), keepdims=True)
    return ((parts - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape) * gamma + beta


class Reference:
    """A U-Net out of the weights of one, by the names of its parts."""

    def __init__(self, layer):
        self.weights = {}
        for variable in layer.weights:
            path = variable.path.split("/", 1)[1]
            assert path not in self.weights, path
            self.weights[path] = ops.convert_to_numpy(variable.value).astype("float64")

    def __call__(self, part, *kinds):
        return [self.weights[f"{part}/{kind}" if part else kind] for kind in kinds]

    def dense(self, x, part):
        kernel, bias = self(part, "kernel", "bias")
        return x @ kernel + bias

    def conv(self, x, part, stride=1):
        return convolve(x, *self(part, "kernel", "bias"), stride)

    def norm(self, x, part):
        return norm(x, *self(part, "gamma", "beta"))

    def time(self, times, part=""):
        part = f"{part}/" if part else ""
        half = self.weights[f"{part}dense_1/kernel"].shape[0] // 2
        waves = [np.sin(times[:, None] * 10_000.0 ** (-np.arange(half) / half))]
        waves += [np.cos(times[:, None] * 10_000.0 ** (-np.arange(half) / half))]
        return self.dense(silu(self.dense(np.concatenate(waves, axis=1), f"{part}dense_1")), f"{part}dense_2")

    def block(self, x, told, part=""):
        part = f"{part}/" if part else ""
        h = self.conv(silu(self.norm(x, f"{part}norm_1")), f"{part}conv_1")
        h = h + self.dense(silu(told), f"{part}of_time")[:, None, None]
        h = self.conv(silu(self.norm(h, f"{part}norm_2")), f"{part}conv_2")
        return h + (self.conv(x, f"{part}skip") if f"{part}skip/kernel" in self.weights else x)

    def attention(self, x, heads, part=""):
        part = f"{part}/" if part else ""
        b, h, w, c = x.shape
        found = self.norm(x, f"{part}norm").reshape(b, h * w, c)
        q, k, v = np.split(self.dense(found, f"{part}attention/qkv"), 3, axis=-1)
        out = np.zeros_like(q)
        for i in range(heads):
            own = slice(i * c // heads, (i + 1) * c // heads)
            scores = q[..., own] @ np.swapaxes(k[..., own], 1, 2) / np.sqrt(c // heads)
            share = np.exp(scores - scores.max(axis=-1, keepdims=True))
            out[..., own] = share / share.sum(axis=-1, keepdims=True) @ v[..., own]
        return x + self.dense(out, f"{part}attention/project").reshape(x.shape)

    def unet(self, x, times, labels, filters, depth, heads, patch):
        told = self.time(times, "time") + self.weights["classes"][labels]
        rows, columns = range(0, x.shape[1], patch), range(0, x.shape[2], patch)
        squares = [[x[:, i : i + patch, j : j + patch].reshape(len(x), -1) for j in columns] for i in rows]
        h, made = self.conv(np.moveaxis(np.array(squares), 2, 0), "conv_in"), []
        for i in range(len(filters)):
            for j in range(depth):
                h = self.block(h, told, f"down_{i}_{j}")
                made.append(h)
            if i < len(filters) - 1:
                h = self.conv(h, f"halve_{i}", 2)
        h = self.block(self.attention(self.block(h, told, "middle_1"), heads, "attention"), told, "middle_2")
        for i in reversed(range(len(filters))):
            for j in range(depth):
                h = self.block(np.concatenate([h, made.pop()], axis=-1), told, f"up_{i}_{j}")
            if i:
                h = self.conv(np.kron(h, np.ones((1, 2, 2, 1))), f"double_{i - 1}")
        out, pixels = self.conv(silu(self.norm(h, "norm")), "conv_out"), np.zeros_like(x)
        for i in rows:
            for j in columns:
                square = out[:, i // patch, j // patch].reshape(len(x), patch, patch, -1)
                pixels[:, i : i + patch, j : j + patch] = square
        return pixels


def shaken(layer):
    """All weights off what they began as, so that norms, biases and what begins small count."""
    rng = np.random.default_rng(1)
    for weight in layer.trainable_variables:
        weight.assign(ops.convert_to_numpy(weight.value) + rng.normal(0, 0.2, weight.shape))
    return layer


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def close(found, expected):
    """Within 1e-5 of the largest number."""
    found = ops.convert_to_numpy(found)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * max(1, np.abs(expected).max())


TIMES = np.array([1.0, 40.0, 1000.0], "float32")


def test_the_time_is_told_in_waves():
    layer = TimeEmbedding(16)
    layer.build((None,))
    close(shaken(layer)(TIMES), Reference(layer).time(TIMES.astype("float64")))


@pytest.mark.parametrize("channels", [6, 8])
def test_a_residual_block_is_its_equations(channels):
    layer, x, told = ResidualBlock(8), draw(3, 4, 6, channels), draw(3, 5, seed=1)
    layer.build(x.shape, told.shape)
    assert (layer.skip is None) == (channels == 8)
    close(shaken(layer)(x, told), Reference(layer).block(x.astype("float64"), told.astype("float64")))


def test_attention_is_its_equations_and_each_place_sees_all_others():
    layer, x = SpatialAttention(2), draw(2, 3, 2, 4)
    layer.build(x.shape)
    expected = Reference(shaken(layer)).attention(x.astype("float64"), 2)
    close(layer(x), expected)
    x[:, 0, 0, 0] += 1
    moved = np.abs(ops.convert_to_numpy(layer(x)) - expected).max(axis=(0, 3))
    assert (moved > 1e-5).all()


FILTERS, DEPTH, HEADS, CLASSES = (4, 8, 16), 2, 2, 3


@pytest.mark.parametrize("patch", [1, 2])
def test_the_whole_network_is_its_description(patch):
    layer = UNet(FILTERS, DEPTH, HEADS, patch, CLASSES, name="network")
    layer.build((None, 8 * patch, 4 * patch, 2))
    x, labels = draw(3, 8 * patch, 4 * patch, 2), np.array([2, 0, 3], "int32")
    reference = Reference(shaken(layer))
    expected = reference.unet(x.astype("float64"), TIMES.astype("float64"), labels, FILTERS, DEPTH, HEADS, patch)
    assert expected.std() > 0.3  # so that a tolerance means something
    close(layer(x, TIMES, labels), expected)


def test_dropout_is_in_training_alone():
    with seeded(3):
        layer = UNet((8,), dropout=0.5, num_heads=2)
        layer.build((None, 4, 4, 1))
    x = draw(3, 4, 4, 1)
    found = [ops.convert_to_numpy(layer(x, TIMES, training=flag)) for flag in (False, False, True)]
    assert np.array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_every_weight_gets_a_gradient_from_the_start():
    with seeded(3):
        layer = UNet((4, 8), num_classes=2, num_heads=2)
        layer.build((None, 4, 4, 1))
    x, labels = ops.convert_to_tensor(draw(3, 4, 4, 1)), np.array([0, 1, 2], "int32")

    def loss():
        return ops.mean(ops.square(layer(x, TIMES, labels) - x))

    _, gradients = compiled_gradients(loss, layer.trainable_variables)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert np.abs(ops.convert_to_numpy(gradient)).max() > 0, variable.path


def test_half_precision_tells_neighbouring_times_apart():
    layer = UNet((8,), num_heads=1, dtype="mixed_bfloat16")
    layer.build((None, 4, 4, 1))
    shaken(layer)
    found = layer(np.ones((2, 4, 4, 1), "float32"), np.array([999, 1000], "float32"))
    found = ops.convert_to_numpy(ops.cast(found, "float32"))
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_the_config_makes_the_layer_again():
    arguments = {
        "filters": [4, 8],
        "depth": 2,
        "num_heads": 2,
        "patch": 3,
        "num_classes": 3,
        "dropout": 0.25,
        "portable_dropout": False,
    }
    layer = UNet(**arguments)
    config = layer.get_config()
    assert {key: config[key] for key in arguments} == arguments
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == config
    for layer in (TimeEmbedding(16), ResidualBlock(8, 0.5, False), SpatialAttention(2)):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_what_the_network_cannot_do_is_named():
    with pytest.raises(ValueError, match="multiples of 4; received 28 x 30"):
        UNet((4, 8, 8)).build((None, 28, 30, 1))
    with pytest.raises(ValueError, match=r"squares of 3 x 3 and halves .* multiples of 6; received 12 x 8"):
        UNet((4, 8), patch=3).build((None, 12, 8, 1))
    with pytest.raises(ValueError, match="patch=0"):
        UNet((4, 8), patch=0)
    with pytest.raises(ValueError, match="does not divide the width 8"):
        UNet((4, 8), num_heads=3).build((None, 4, 4, 1))
    with pytest.raises(ValueError, match="multiple of 8; received width=12"):
        TimeEmbedding(12)
    with pytest.raises(ValueError, match="depth=0"):
        UNet((4, 8), depth=0)
