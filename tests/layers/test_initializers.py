"""The initializers: the same weights on every backend, from the distributions that they name."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from kzoo.layers import initializers

NAMES = initializers.__all__
VARIANCES = {  # of a kernel with fan-in 12 and fan-out 300
    "GlorotUniform": 2 / 312,
    "GlorotNormal": 2 / 312,
    "HeNormal": 2 / 12,
    "HeUniform": 2 / 12,
    "LecunNormal": 1 / 12,
    "LecunUniform": 1 / 12,
    "VarianceScaling": 1 / 12,
}
# The first two values of a (4, 3) kernel with seed 7.
GOLDEN = {
    "GlorotNormal": (0.00074752781, 0.18153882),
    "GlorotUniform": (0.2316318, 0.73549706),
    "HeNormal": (0.00098888634, 0.24015328),
    "HeUniform": (0.30642006, 0.97297114),
    "LecunNormal": (0.00069924822, 0.16981402),
    "LecunUniform": (0.21667171, 0.68799448),
    "Orthogonal": (0.0011316036, 0.19668777),
    "RandomNormal": (6.1507671e-05, 0.014937277),
    "RandomUniform": (0.012509546, 0.039721381),
    "TruncatedNormal": (6.1507671e-05, 0.014937277),
    "VarianceScaling": (0.00069924822, 0.16981402),
}


def draw(initializer, shape, dtype=None):
    return ops.convert_to_numpy(initializer(shape, dtype=dtype))


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_of_a_seed_are_known_numbers(name):
    values = draw(getattr(initializers, name)(seed=7), (4, 3))
    np.testing.assert_allclose(values.ravel()[:2], GOLDEN[name], rtol=2e-7)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_drawn_from_the_backend(name, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("drawn from the backend")

    # Keras's own initializers bind this module, so the patch would stop them.
    backend_random = __import__("keras.src.backend", fromlist=["random"]).random
    for function in ("normal", "uniform", "truncated_normal", "randint"):
        monkeypatch.setattr(backend_random, function, forbidden)
    with pytest.raises(AssertionError, match="drawn from the backend"):
        getattr(keras.initializers, name)(seed=1)((4, 3))
    assert draw(getattr(initializers, name)(seed=1), (4, 3)).shape == (4, 3)


@pytest.mark.parametrize("name", sorted(VARIANCES))
def test_the_variance_of_a_dense_kernel_is_that_of_the_formula(name):
    values = draw(getattr(initializers, name)(seed=3), (12, 300))
    # 3,600 draws: the variance of a sample scatters by sqrt(2 / 3600) = 2.4 % or less; four of these.
    np.testing.assert_allclose(values.var(), VARIANCES[name], rtol=0.1)
    assert abs(values.mean()) < 4 * np.sqrt(VARIANCES[name] / values.size)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("shape", [(), (5,), (6, 10), (3, 4, 8), (3, 5, 8, 16), (2, 3, 5, 8, 16)])
def test_the_limit_equals_that_of_keras_for_every_kind_of_kernel(shape, mode):
    from keras.src.initializers.random_initializers import compute_fans

    fan_in, fan_out = compute_fans(shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    initializer = initializers.VarianceScaling(2.0, mode, "uniform", seed=1)
    unit = np.random.Generator(np.random.PCG64(1)).uniform(-1, 1, shape)
    np.testing.assert_allclose(draw(initializer, shape), unit * np.sqrt(3 * 2 / n), rtol=1e-6)


def test_named_axes_decide_the_fans_as_in_keras():
    # The kernel of a multi-head projection, (d, heads, head width): 24 inputs, 4 * 6 outputs.
    initializer = initializers.GlorotUniform(seed=1, input_axes=[0], output_axes=[1, 2])
    unit = np.random.Generator(np.random.PCG64(1)).uniform(-1, 1, (24, 4, 6))
    np.testing.assert_allclose(draw(initializer, (24, 4, 6)), unit * np.sqrt(6 / 48), rtol=1e-6)


def test_an_untruncated_normal_has_the_variance_of_the_formula():
    values = draw(initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=3), (50, 200))
    assert stats.kstest(values.ravel(), stats.norm(0, np.sqrt(2 / 50)).cdf).pvalue > 0.01


def test_the_simple_distributions_are_what_they_name():
    shape = (100, 100)
    normal = draw(initializers.RandomNormal(1.0, 2.0, seed=5), shape).ravel()
    assert stats.kstest(normal, stats.norm(1, 2).cdf).pvalue > 0.01
    uniform = draw(initializers.RandomUniform(-1.0, 3.0, seed=5), shape).ravel()
    assert stats.kstest(uniform, stats.uniform(-1, 4).cdf).pvalue > 0.01
    truncated = draw(initializers.TruncatedNormal(1.0, 2.0, seed=5), shape).ravel()
    assert stats.kstest(truncated, stats.truncnorm(-2, 2, 1, 2).cdf).pvalue > 0.01
    assert truncated.min() >= -3
    assert truncated.max() <= 5


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (3, 4, 6)])
def test_an_orthogonal_matrix_has_orthonormal_rows_or_columns(shape):
    values = draw(initializers.Orthogonal(gain=2.0, seed=5), shape).reshape(-1, shape[-1])
    values = values if values.shape[0] <= values.shape[1] else values.T
    np.testing.assert_allclose(values @ values.T, 4 * np.eye(len(values)), atol=1e-5)


def test_a_vector_has_no_orthogonal_initialisation():
    with pytest.raises(ValueError, match="at least two axes"):
        initializers.Orthogonal(seed=1)((3,))


@pytest.mark.parametrize("name", NAMES)
def test_the_configuration_is_that_of_keras_and_restores_the_values(name):
    initializer = getattr(initializers, name)(seed=11)
    assert initializer.get_config() == getattr(keras.initializers, name)(seed=11).get_config()
    stored = keras.initializers.serialize(initializer)
    assert stored["registered_name"] == f"kzoo>{name}"
    restored = keras.initializers.deserialize(stored)
    assert type(restored) is type(initializer)
    np.testing.assert_array_equal(draw(restored, (4, 3)), draw(initializer, (4, 3)))


def test_a_layer_restores_its_initializer():
    layer = keras.layers.Dense(3, kernel_initializer=initializers.HeNormal(seed=4))
    copy = keras.layers.Dense.from_config(layer.get_config())
    assert type(copy.kernel_initializer) is initializers.HeNormal
    layer.build((None, 5))
    copy.build((None, 5))
    np.testing.assert_array_equal(ops.convert_to_numpy(copy.kernel.value), ops.convert_to_numpy(layer.kernel.value))


def test_set_random_seed_decides_the_default_seeds():
    kernels = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        layers = [keras.layers.Dense(4, kernel_initializer=initializers.GlorotUniform()) for _ in range(2)]
        for layer in layers:
            layer.build((None, 3))
        kernels.append([ops.convert_to_numpy(layer.kernel.value) for layer in layers])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0][0] != kernels[0][1]).all()
    # Python's random decides, so this number is the same in the sessions of all backends.
    np.testing.assert_allclose(kernels[0][0][0, 0], -0.77980781, rtol=2e-7)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_narrow_types_are_roundings_of_the_same_draw(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is asked to")
    tensor = initializers.HeNormal(seed=2)((6, 4), dtype=dtype)
    assert keras.backend.standardize_dtype(tensor.dtype) == dtype
    wide = draw(initializers.HeNormal(seed=2), (6, 4))
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(tensor, "float32")), wide, rtol=2**-8)


def test_a_stateless_scope_changes_nothing():
    initializer = initializers.GlorotNormal(seed=2)
    outside = draw(initializer, (6, 4))
    with keras.StatelessScope():
        np.testing.assert_array_equal(draw(initializer, (6, 4)), outside)


def test_a_negative_or_large_seed_is_taken_and_a_generator_is_refused():
    assert draw(initializers.HeNormal(seed=-1), (2,)).shape == (2,)
    assert draw(initializers.HeNormal(seed=2**40), (2,)).shape == (2,)
    with pytest.raises(ValueError, match="its seed is an int or None"):
        initializers.HeNormal(seed=keras.random.SeedGenerator(1))
