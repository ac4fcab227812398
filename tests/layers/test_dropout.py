"""Dropout and GaussianNoise: the mask is that of `keep_mask`, in and out of `fit`, and only in training."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend
from kzoo.layers.dropout import Dropout, GaussianNoise
from kzoo.ops import random


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def test_every_backend_drops_these_elements():
    # Literal, so that the session of each backend proves the same; the second call draws anew.
    layer = Dropout(0.5, seed=42)
    x = np.ones((2, 6), "float32")
    assert numpy_of(layer(x, training=True)).tolist() == [
        [0.0, 0.0, 0.0, 0.0, 0.0, 2.0],
        [0.0, 2.0, 2.0, 0.0, 0.0, 2.0],
    ]
    assert numpy_of(layer(x, training=True)).tolist() == [
        [0.0, 0.0, 0.0, 2.0, 0.0, 0.0],
        [2.0, 2.0, 0.0, 0.0, 0.0, 0.0],
    ]


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_what_is_kept_is_divided_by_the_kept_fraction(rate):
    x = np.random.default_rng(0).normal(size=(30, 7)).astype("float32")
    y = numpy_of(Dropout(rate, seed=3)(x, training=True))
    kept = numpy_of(random.keep_mask(x.shape, rate, 3))
    np.testing.assert_allclose(y, np.where(kept, x / random.kept_fraction(rate), 0), rtol=2e-7)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_the_mean_is_kept(rate):
    y = numpy_of(Dropout(rate, seed=3)(np.ones((300, 300), "float32"), training=True))
    assert abs(y.mean() - 1) < 4 * np.sqrt(rate / (1 - rate) / y.size)


@pytest.mark.parametrize("layer", [Dropout(0.5, seed=1), GaussianNoise(0.5, seed=1)])
@pytest.mark.parametrize("training", [False, None])
def test_outside_training_nothing_is_changed_or_drawn(layer, training):
    x = np.ones((3, 4), "float32")
    before = numpy_of(layer.seed_generator.state.value).tolist()
    np.testing.assert_array_equal(numpy_of(layer(x, training=training)), x)
    assert numpy_of(layer.seed_generator.state.value).tolist() == before


@pytest.mark.parametrize(("rate", "expected"), [(0, 1.0), (1, 0.0)])
def test_the_rates_zero_and_one_are_exact(rate, expected):
    y = numpy_of(Dropout(rate)(np.ones((3, 4), "float32"), training=True))
    np.testing.assert_array_equal(y, np.full((3, 4), expected))


def test_a_noise_shape_drops_whole_channels():
    y = numpy_of(Dropout(0.5, noise_shape=(None, 1, None), seed=5)(np.ones((8, 6, 10), "float32"), training=True))
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], 6, axis=1))
    assert 0.2 < (y[:, 0] == 0).mean() < 0.8


def test_the_gradient_is_the_scaled_mask():
    layer = Dropout(0.25, seed=8)
    variable = keras.Variable(np.linspace(-1, 1, 40, dtype="float32").reshape(5, 8))
    _, (gradient,) = backend.value_and_grad(lambda: ops.sum(layer(variable.value, training=True)), [variable])
    kept = numpy_of(random.keep_mask((5, 8), 0.25, 8))
    np.testing.assert_allclose(numpy_of(gradient), kept / random.kept_fraction(0.25), rtol=2e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_stay_narrow(dtype):
    for layer in (Dropout(0.5, seed=1, dtype=dtype), GaussianNoise(0.5, seed=1, dtype=dtype)):
        y = layer(ops.ones((4, 6), dtype=dtype), training=True)
        assert keras.backend.standardize_dtype(y.dtype) == dtype
    y = numpy_of(ops.cast(Dropout(0.5, seed=1, dtype=dtype)(ops.ones((4, 6), dtype=dtype), training=True), "float32"))
    np.testing.assert_array_equal(y, 2.0 * numpy_of(random.keep_mask((4, 6), 0.5, 1)))


def test_gaussian_noise_adds_the_normal_numbers_of_its_seed():
    x = np.ones((5, 3), "float32")
    y = numpy_of(GaussianNoise(0.3, seed=2)(x, training=True))
    np.testing.assert_allclose(y, x + 0.3 * numpy_of(random.normal((5, 3), 2)), atol=5e-7)


class Recorder(keras.layers.Layer):
    """Adds up, over the training steps, an identity weight's use: sees inside a compiled `fit`."""

    def build(self, shape):
        self.total = self.add_weight(shape=shape[1:], initializer="zeros", trainable=False)
        self.gain = self.add_weight(shape=(), initializer="ones")

    def call(self, x, training=False):
        if training:
            self.total.assign_add(ops.sum(x, axis=0))
        return x * self.gain


@pytest.mark.parametrize("how", [{}, {"jit_compile": False}, {"run_eagerly": True}])
@pytest.mark.parametrize("symbolic", [True, False])
def test_fit_draws_what_eager_calls_draw(how, symbolic):
    x = np.ones((10, 6), "float32")
    # The last batch is smaller, so that a compiled step meets a second size.
    batches = (4, 4, 2)
    dropout, recorder = Dropout(0.5, seed=21), Recorder()
    model = keras.Sequential([*([keras.Input((6,))] if symbolic else []), dropout, recorder])
    model.compile(keras.optimizers.SGD(0.0), "mse", **how)
    model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
    eager = Dropout(0.5, seed=21)
    expected = sum(numpy_of(eager(np.ones((size, 6), "float32"), training=True)).sum(axis=0) for size in batches)
    np.testing.assert_array_equal(numpy_of(recorder.total.value), expected)
    assert any(variable is dropout.seed_generator.state for variable in model.variables)
    assert not any(variable is dropout.seed_generator.state for variable in model.weights)
    assert numpy_of(dropout.seed_generator.state.value).tolist() == [21, 3]


def test_an_unknown_batch_size_stays_unknown():
    for layer in (Dropout(0.5, seed=1), Dropout(0.5, (None, 1), seed=1), GaussianNoise(0.5, seed=1)):
        assert layer(keras.KerasTensor((None, 7)), training=True).shape == (None, 7)


def test_a_layer_that_holds_a_dropout_infers_its_shape():
    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dropout, self.noise = Dropout(0.5, seed=1), GaussianNoise(0.1, seed=1)

        def call(self, x, training=False):
            return ops.concatenate([self.dropout(x, training=True), self.noise(x, training=True)], axis=-1)

    holder = Holder()
    assert holder(keras.KerasTensor((None, 7))).shape == (None, 14)
    # Inference of shapes draws nothing.
    assert numpy_of(holder.dropout.seed_generator.state.value).tolist() == [1, 0]


def test_the_default_seed_comes_from_set_random_seed():
    keras.utils.set_random_seed(5)
    first, second = Dropout(0.5), Dropout(0.5)
    # Python's random decides, so these seeds are the same in the sessions of all backends.
    assert int(numpy_of(first.seed_generator.state.value)[0]) == 668835602
    assert int(numpy_of(second.seed_generator.state.value)[0]) == 274281999


def test_without_portability_the_mask_is_that_of_keras():
    x = np.ones((20, 10), "float32")
    ours = Dropout(0.5, seed=4, portable=False)(x, training=True)
    np.testing.assert_array_equal(numpy_of(ours), numpy_of(keras.layers.Dropout(0.5, seed=4)(x, training=True)))
    assert (numpy_of(ours) != numpy_of(Dropout(0.5, seed=4)(x, training=True))).any()
    noise = GaussianNoise(0.5, seed=4, portable=False)(x, training=True)
    native = keras.layers.GaussianNoise(0.5, seed=4)(x, training=True)
    np.testing.assert_array_equal(numpy_of(noise), numpy_of(native))


@pytest.mark.parametrize(
    "layer",
    [
        Dropout(0.3, noise_shape=(None, 1), seed=6, portable=True, name="d"),
        Dropout(0.3, portable=False),
        GaussianNoise(0.3, seed=6),
        GaussianNoise(0.3, seed=6, portable=False),
    ],
)
def test_serialisation_restores_the_layer(layer):
    stored = keras.layers.serialize(layer)
    assert stored["registered_name"] == f"kzoo>{type(layer).__name__}"
    restored = keras.layers.deserialize(stored)
    assert type(restored) is type(layer)
    assert restored.get_config() == layer.get_config()
    # Named one by one, as an argument that both configurations forget would go unseen.
    for argument in ("rate", "stddev", "noise_shape", "seed", "portable", "name"):
        assert getattr(restored, argument, None) == getattr(layer, argument, None)
    if layer.seed is not None:
        x = np.ones((4, 5), "float32")
        layer = type(layer).from_config(layer.get_config())
        np.testing.assert_array_equal(numpy_of(restored(x, training=True)), numpy_of(layer(x, training=True)))


def test_a_rate_out_of_range_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(1.5)
