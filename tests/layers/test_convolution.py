"""`kzoo.layers.convolution` beside the layers of Keras: weights, configuration, shapes, training."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo.layers import convolution

OPTIONS = [
    {"kernel_size": 3},
    {"kernel_size": 3, "padding": "same", "strides": 2},
    {"kernel_size": (2, 4), "padding": "same", "use_bias": False, "activation": "relu"},
    {"kernel_size": 5, "dilation_rate": 2, "padding": "same"},
    {"kernel_size": 1, "strides": (2, 1)},
    {"kernel_size": 3, "groups": 3},
]


def images(batch=2, height=11, width=10, channels=3):
    shape = (batch, height, width, channels)
    return np.random.default_rng(batch).normal(size=shape).astype("float32")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("batch", [1, 2])
def test_conv2d_with_the_weights_of_keras_gives_the_outputs_of_keras(options, batch):
    own, bare = convolution.Conv2D(6, **options), keras.layers.Conv2D(6, **options)
    x = images(batch)
    own.build(x.shape)
    bare.build(x.shape)
    own.set_weights([np.random.default_rng(8).normal(size=weight.shape) for weight in bare.get_weights()])
    bare.set_weights(own.get_weights())
    # Some hundred products of order 1, summed in float32 in two orders.
    np.testing.assert_allclose(ops.convert_to_numpy(own(x)), ops.convert_to_numpy(bare(x)), atol=5e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4, "strides": 2, "padding": "same"},
        {"kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False, "activation": "relu"},
        {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        {"kernel_size": 4, "strides": 2},
    ],
)
def test_conv2d_transpose_with_the_weights_of_keras_gives_the_outputs_of_keras(options):
    own, bare = convolution.Conv2DTranspose(6, **options), keras.layers.Conv2DTranspose(6, **options)
    x = images(2, 5, 4)
    inputs = keras.Input(x.shape[1:])
    assert own(inputs).shape == bare(inputs).shape
    own.set_weights([np.random.default_rng(8).normal(size=weight.shape) for weight in bare.get_weights()])
    bare.set_weights(own.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(own(x)), ops.convert_to_numpy(bare(x)), atol=5e-5)
    again = keras.layers.deserialize(keras.layers.serialize(own))
    assert type(again) is convolution.Conv2DTranspose
    assert again.get_config() == own.get_config()


@pytest.mark.parametrize("options", OPTIONS)
def test_a_functional_model_has_the_shapes_of_keras_with_the_batch_unknown(options):
    inputs = keras.Input((11, 10, 3))
    own = convolution.MaxPooling2D()(convolution.Conv2D(6, **options)(inputs))
    bare = keras.layers.MaxPooling2D()(keras.layers.Conv2D(6, **options)(inputs))
    assert own.shape == bare.shape
    model = keras.Model(inputs, own)
    assert model(images(3)).shape == (3, *own.shape[1:])


def test_a_model_for_images_of_unknown_size_runs_on_any_size():
    inputs = keras.Input((None, None, 3))
    outputs = convolution.MaxPooling2D()(convolution.Conv2D(4, 3, padding="same")(inputs))
    assert outputs.shape == (None, None, None, 4)
    model = keras.Model(inputs, outputs)
    assert model(images(2, 7, 6)).shape == (2, 3, 3, 4)


def test_a_custom_layer_around_both_is_traced_with_the_batch_unknown():
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.conv = convolution.Conv2D(4, 3)
            self.pool = convolution.MaxPooling2D()

        def build(self, shape):
            self.conv.build(shape)

        def call(self, x):
            return self.pool(self.conv(x))

    assert Block()(keras.Input((11, 10, 3))).shape == (None, 4, 4, 4)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_configuration_rebuilds_an_equal_layer(options):
    layer = convolution.Conv2D(6, name="c", **options)
    restored = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(restored) is convolution.Conv2D
    assert layer.get_config() == keras.layers.Conv2D(6, name="c", **options).get_config()
    for attribute in ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "use_bias"):
        assert getattr(restored, attribute) == getattr(layer, attribute)
    pool = convolution.MaxPooling2D((3, 2), strides=(2, 1), padding="same", name="p")
    restored = keras.layers.deserialize(keras.layers.serialize(pool))
    assert type(restored) is convolution.MaxPooling2D
    assert (restored.pool_size, restored.strides, restored.padding) == ((3, 2), (2, 1), "same")


def test_a_saved_model_loads_to_equal_outputs_and_bare_keras_reads_its_weights(tmp_path):
    def model(layers):
        return keras.Sequential(
            [keras.Input((11, 10, 3)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D()]
        )

    own, bare = model(convolution), model(keras.layers)
    own.save(tmp_path / "own.keras")
    own.save_weights(tmp_path / "own.weights.h5")
    bare.load_weights(tmp_path / "own.weights.h5")
    x = images()
    expected = ops.convert_to_numpy(own(x))
    loaded = keras.models.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(x)), expected)
    np.testing.assert_allclose(ops.convert_to_numpy(bare(x)), expected, atol=5e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_in_half_and_keeps_weights_in_float32(policy):
    layer = convolution.Conv2D(4, 3, dtype=policy)
    outputs = convolution.MaxPooling2D(dtype=policy)(layer(images()))
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    assert layer.kernel.dtype == "float32"


@pytest.mark.parametrize("options", [{}, {"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (3, 2)}])
def test_max_pooling_equals_that_of_keras(options):
    x = images(2, 11, 9)
    own, bare = convolution.MaxPooling2D(**options)(x), keras.layers.MaxPooling2D(**options)(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(own), ops.convert_to_numpy(bare))


def test_training_follows_the_losses_of_bare_keras():
    def losses(layers):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((13, 12, 1)),
                layers.Conv2D(4, 3, activation="relu"),
                keras.layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Conv2D(6, 3, activation="relu"),
                layers.MaxPooling2D(),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-2), loss)
        x, y = images(44, 13, 12, 1), np.arange(44) % 3
        # 44 in batches of 16: the last batch is of another size.
        return model.fit(x, y, batch_size=16, epochs=8, shuffle=False, verbose=0).history["loss"]

    own, bare = losses(convolution), losses(keras.layers)
    np.testing.assert_allclose(own, bare, rtol=1e-3)
    assert own[-1] < 0.7 * own[0]
