"""`conv2d`, `conv2d_transpose` and `max_pool2d` against sums written out in NumPy float64, and against Keras itself."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

ON_JAX = keras.backend.backend() == "jax"

# kernel, strides, padding, dilation, groups, (b, h, w, c), filters
CASES = [
    ((3, 3), (1, 1), "valid", (1, 1), 1, (2, 7, 6, 3), 4),
    ((3, 3), (1, 1), "same", (1, 1), 1, (2, 7, 6, 3), 4),
    ((3, 3), (2, 2), "same", (1, 1), 1, (3, 8, 7, 2), 3),
    ((3, 3), (2, 1), "valid", (1, 1), 1, (1, 9, 7, 2), 3),
    ((3, 3), (1, 1), "same", (2, 2), 1, (2, 9, 8, 2), 3),
    ((3, 3), (1, 1), "valid", (2, 3), 1, (2, 9, 9, 2), 3),
    ((1, 1), (1, 1), "valid", (1, 1), 1, (2, 5, 4, 3), 4),
    ((1, 1), (2, 2), "same", (1, 1), 1, (2, 5, 6, 3), 4),
    ((5, 5), (1, 1), "same", (1, 1), 1, (1, 7, 6, 1), 2),
    ((5, 5), (3, 3), "valid", (1, 1), 1, (2, 11, 12, 1), 2),
    ((2, 4), (1, 1), "same", (1, 1), 1, (2, 6, 7, 3), 2),
    ((2, 4), (1, 2), "valid", (1, 1), 1, (2, 6, 7, 3), 2),
    ((4, 4), (2, 2), "same", (1, 1), 1, (2, 8, 8, 3), 2),
    ((3, 3), (1, 1), "same", (1, 1), 2, (2, 6, 5, 4), 6),
    ((3, 3), (2, 2), "same", (1, 1), 4, (2, 6, 5, 4), 4),
]
NAMES = [f"{k[0]}x{k[1]} s{s} {p} d{d} g{g} b{shape[0]}" for k, s, p, d, g, shape, _ in CASES]


def same_pads(size, taps, stride, gap):
    """Rows of zeros before and after, as the documentation of Keras states it."""
    total = max((-(-size // stride) - 1) * stride + (taps - 1) * gap + 1 - size, 0)
    return total // 2, total - total // 2


def reference_conv(x, kernel, cotangent_of, strides, padding, dilation, groups):
    """The output, and dx and dkernel of sum(y * cotangent_of(y)), by loops in float64."""
    x, kernel = x.astype("float64"), kernel.astype("float64")
    kernel_h, kernel_w, depth, filters = kernel.shape
    pads = [(0, 0), (0, 0)]
    if padding == "same":
        pads = [same_pads(x.shape[1 + a], kernel.shape[a], strides[a], dilation[a]) for a in (0, 1)]
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    out = [(padded.shape[1 + a] - (kernel.shape[a] - 1) * dilation[a] - 1) // strides[a] + 1 for a in (0, 1)]
    sites = [
        (i, j, p, q, i * strides[0] + p * dilation[0], j * strides[1] + q * dilation[1], g)
        for i in range(out[0])
        for j in range(out[1])
        for p in range(kernel_h)
        for q in range(kernel_w)
        for g in range(groups)
    ]
    share = filters // groups
    y = np.zeros((x.shape[0], *out, filters))
    for i, j, p, q, row, column, g in sites:
        f, c = slice(g * share, (g + 1) * share), slice(g * depth, (g + 1) * depth)
        y[:, i, j, f] += padded[:, row, column, c] @ kernel[p, q, :, f]
    cotangent = cotangent_of(y)
    dx, dkernel = np.zeros_like(padded), np.zeros_like(kernel)
    for i, j, p, q, row, column, g in sites:
        f, c = slice(g * share, (g + 1) * share), slice(g * depth, (g + 1) * depth)
        dx[:, row, column, c] += cotangent[:, i, j, f] @ kernel[p, q, :, f].T
        dkernel[p, q, :, f] += padded[:, row, column, c].T @ cotangent[:, i, j, f]
    (top, _), (left, _) = pads
    return y, cotangent, dx[:, top : top + x.shape[1], left : left + x.shape[2]], dkernel


def reference_pool(x, pool_size, strides, padding):
    """The output and, for each output, the place of its first maximum: (row, column)."""
    pads = [(0, 0), (0, 0)]
    if padding == "same":
        pads = [same_pads(x.shape[1 + a], pool_size[a], strides[a], 1) for a in (0, 1)]
    padded = np.pad(x.astype("float64"), [(0, 0), *pads, (0, 0)], constant_values=-np.inf)
    out = [(padded.shape[1 + a] - pool_size[a]) // strides[a] + 1 for a in (0, 1)]
    y = np.zeros((x.shape[0], *out, x.shape[3]))
    place = np.zeros((*y.shape, 2), int)
    for b, i, j, c in np.ndindex(y.shape):
        top, left = i * strides[0], j * strides[1]
        window = padded[b, top : top + pool_size[0], left : left + pool_size[1], c]
        p, q = np.unravel_index(np.argmax(window), window.shape)
        y[b, i, j, c] = window[p, q]
        place[b, i, j, c] = top + p - pads[0][0], left + q - pads[1][0]
    return y, place


def output_and_gradients(fn, *arrays):
    """`fn(*arrays)`, weighted by `weights` into a scalar, with the gradient of each array."""
    variables = [keras.Variable(array, dtype="float32") for array in arrays]
    outputs = ops.convert_to_numpy(fn(*[ops.convert_to_tensor(array) for array in arrays]))
    weights = ops.convert_to_tensor(cosines(outputs))

    def loss():
        return ops.sum(fn(*[ops.convert_to_tensor(variable) for variable in variables]) * weights)

    _, gradients = backend.value_and_grad(loss, variables)
    return outputs, [ops.convert_to_numpy(gradient) for gradient in gradients]


def cosines(y):
    """A cotangent without symmetry, so that a flipped or shifted gradient shows."""
    return np.cos(1.7 * np.arange(y.size)).reshape(y.shape).astype("float32")


def arrays_for(shape, kernel, groups, filters):
    generator = np.random.default_rng(3)
    x = generator.normal(size=shape).astype("float32")
    return x, generator.normal(size=(*kernel, shape[3] // groups, filters)).astype("float32")


@pytest.mark.parametrize(("kernel", "strides", "padding", "dilation", "groups", "shape", "filters"), CASES, ids=NAMES)
def test_conv2d_and_its_gradients_match_the_sum_written_out(kernel, strides, padding, dilation, groups, shape, filters):
    x, weights = arrays_for(shape, kernel, groups, filters)
    y, _, dx, dkernel = reference_conv(x, weights, cosines, strides, padding, dilation, groups)
    if groups > 1 and keras.backend.backend() == "tensorflow":
        # TensorFlow has no gradient of a grouped convolution on a CPU, but for what is compiled by XLA.
        found = ops.convert_to_numpy(backend.conv2d(x, weights, strides, padding, "channels_last", dilation, groups))
        np.testing.assert_allclose(found, y, atol=2e-5)
        return
    found, gradients = output_and_gradients(
        lambda x, k: backend.conv2d(x, k, strides, padding, "channels_last", dilation, groups), x, weights
    )
    # Sums of at most some hundred products of order 1, in float32.
    np.testing.assert_allclose(found, y, atol=2e-5)
    np.testing.assert_allclose(gradients[0], dx, atol=5e-5)
    np.testing.assert_allclose(gradients[1], dkernel, atol=2e-4)


@pytest.mark.parametrize(("kernel", "strides", "padding", "dilation", "groups", "shape", "filters"), CASES, ids=NAMES)
def test_conv2d_equals_keras_ops_conv(kernel, strides, padding, dilation, groups, shape, filters):
    x, weights = arrays_for(shape, kernel, groups, filters)
    found = backend.conv2d(x, weights, strides, padding, "channels_last", dilation, groups)
    expected = ops.conv(x, weights, strides, padding, "channels_last", dilation)
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=2e-5)


# kernel, strides, padding, the rows and columns that "same" cuts off on either side
TRANSPOSED = [
    ((4, 4), (2, 2), "same", ((1, 1), (1, 1))),
    ((4, 4), (2, 2), "valid", ((0, 0), (0, 0))),
    ((3, 3), (1, 1), "same", ((1, 1), (1, 1))),
    ((2, 4), (2, 2), "same", ((0, 0), (1, 1))),
]


@pytest.mark.parametrize(("kernel", "strides", "padding", "cut"), TRANSPOSED, ids=lambda value: str(value))
@pytest.mark.parametrize("batch", [2, 3])
def test_conv2d_transpose_adds_a_stamp_for_each_pixel(kernel, strides, padding, cut, batch):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(batch, 3, 5, 2)).astype("float32")
    weights = generator.normal(size=(*kernel, 4, 2)).astype("float32")
    size = [(n - 1) * s + k for n, s, k in zip((3, 5), strides, kernel, strict=True)]
    stamps = [
        (i, j, slice(i * strides[0], i * strides[0] + kernel[0]), slice(j * strides[1], j * strides[1] + kernel[1]))
        for i, j in np.ndindex(3, 5)
    ]
    inside = (slice(None), *(slice(before, n - after) for (before, after), n in zip(cut, size, strict=True)))
    large = np.zeros((batch, *size, 4))
    for i, j, rows, columns in stamps:
        large[:, rows, columns] += np.einsum("bc,pqfc->bpqf", x[:, i, j].astype("float64"), weights)
    y = large[inside]
    cotangent = np.zeros_like(large)
    cotangent[inside] = cosines(y)
    dx, dkernel = np.zeros(x.shape), np.zeros(weights.shape)
    for i, j, rows, columns in stamps:
        dx[:, i, j] = np.einsum("bpqf,pqfc->bc", cotangent[:, rows, columns], weights)
        dkernel += np.einsum("bpqf,bc->pqfc", cotangent[:, rows, columns], x[:, i, j])
    found, gradients = output_and_gradients(
        lambda x, k: backend.conv2d_transpose(x, k, strides, padding, data_format="channels_last"), x, weights
    )
    np.testing.assert_allclose(found, y, rtol=0, atol=2e-5)
    plain = backend.conv2d_transpose(x, weights, strides, padding, data_format="channels_last")  # NumPy's arrays
    np.testing.assert_allclose(ops.convert_to_numpy(plain), y, rtol=0, atol=2e-5)
    np.testing.assert_allclose(gradients[0], dx, rtol=0, atol=5e-5)
    np.testing.assert_allclose(gradients[1], dkernel, rtol=0, atol=2e-4)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow has no channels_first on a CPU")
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_channels_first_is_channels_last_transposed(padding):
    x, weights = arrays_for((2, 7, 6, 3), (3, 3), 1, 4)
    last = ops.convert_to_numpy(backend.conv2d(x, weights, 1, padding, "channels_last"))
    first = backend.conv2d(np.moveaxis(x, 3, 1), weights, 1, padding, "channels_first")
    np.testing.assert_allclose(np.moveaxis(ops.convert_to_numpy(first), 1, 3), last, atol=2e-5)
    pooled = ops.convert_to_numpy(backend.max_pool2d(x, 2, None, padding, "channels_last"))
    first = backend.max_pool2d(np.moveaxis(x, 3, 1), 2, None, padding, "channels_first")
    np.testing.assert_array_equal(np.moveaxis(ops.convert_to_numpy(first), 1, 3), pooled)


def test_ints_stand_for_pairs_and_the_data_format_defaults_to_that_of_keras():
    x, weights = arrays_for((2, 7, 6, 3), (3, 3), 1, 4)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(backend.conv2d(x, weights, 2, "same")),
        ops.convert_to_numpy(backend.conv2d(x, weights, (2, 2), "same", "channels_last", (1, 1), 1)),
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_in_its_dtype_and_near_float32(dtype):
    x, weights = arrays_for((2, 7, 6, 3), (3, 3), 1, 4)
    half = backend.conv2d(ops.cast(x, dtype), ops.cast(weights, dtype), 1, "same")
    assert keras.backend.standardize_dtype(half.dtype) == dtype
    full = ops.convert_to_numpy(backend.conv2d(x, weights, 1, "same"))
    # Eight bits of mantissa on values up to about 15.
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(half, "float32")), full, atol=0.1)


@pytest.mark.skipif(not ON_JAX, reason="only JAX has a second form")
@pytest.mark.parametrize(("batch", "chunk"), [(1, 1), (2, 1), (7, 3), (8, 4), (5, 2), (11, 4), (3, 8)])
def test_every_chunking_of_the_batch_matches_the_sum_written_out(monkeypatch, batch, chunk):
    from kzoo.backend.jax import images

    patch_bytes = 4 * (4 * 3) * (3 * 3 * 2)  # float32, h' * w', taps * c
    monkeypatch.setattr(images, "_CHUNK_BYTES_PER_THREAD", chunk * patch_bytes)
    monkeypatch.setattr(images, "thread_count", lambda: 1)
    x, weights = arrays_for((batch, 6, 5, 2), (3, 3), 1, 3)
    y, _, dx, dkernel = reference_conv(x, weights, cosines, (1, 1), "valid", (1, 1), 1)
    found, gradients = output_and_gradients(lambda x, k: backend.conv2d(x, k), x, weights)
    np.testing.assert_allclose(found, y, atol=2e-5)
    np.testing.assert_allclose(gradients[0], dx, atol=5e-5)
    np.testing.assert_allclose(gradients[1], dkernel, atol=2e-4)


@pytest.mark.skipif(not ON_JAX, reason="only JAX has a second form")
def test_the_form_is_chosen_by_platform_dtype_layout_and_groups(monkeypatch):
    import jax

    def primitives(x, kernel, **options):
        return str(jax.make_jaxpr(lambda x, k: backend.conv2d(x, k, **options))(x, kernel))

    x, kernel = np.zeros((2, 4, 4, 4), "float32"), np.zeros((3, 3, 4, 4), "float32")
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert "conv_general_dilated" not in primitives(x, kernel)
    assert "conv_general_dilated" not in primitives(x, kernel, strides=2, padding="same")
    assert "conv_general_dilated" in primitives(x, kernel, data_format="channels_first")
    assert "conv_general_dilated" in primitives(x, np.zeros((3, 3, 2, 4), "float32"), groups=2)
    assert "conv_general_dilated" in primitives(x.astype("float16"), kernel.astype("float16"))
    pool = str(jax.make_jaxpr(lambda x: backend.max_pool2d(x, 2))(x))
    assert "reduce_window" not in pool
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "conv_general_dilated" in primitives(x, kernel)
    pool = str(jax.make_jaxpr(lambda x: backend.max_pool2d(x, 2))(x))
    assert "reduce_window" in pool


@pytest.mark.skipif(not ON_JAX, reason="only JAX has a second form")
def test_second_derivatives_equal_those_of_keras_ops():
    import jax

    x, weights = arrays_for((3, 7, 6, 2), (3, 3), 1, 3)

    def curvature(conv):
        slope = jax.grad(lambda x, k: ops.sum(ops.tanh(conv(x, k))), argnums=0)
        return jax.grad(lambda x, k: ops.sum(slope(x, k) ** 2), argnums=(0, 1))(x, weights)

    for found, expected in zip(curvature(backend.conv2d), curvature(ops.conv), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


POOLS = [
    ((2, 2), None, "valid", (2, 6, 4, 3)),
    ((2, 2), None, "valid", (1, 7, 5, 2)),
    ((3, 2), None, "valid", (2, 10, 7, 2)),
    ((2, 2), (2, 2), "same", (2, 7, 5, 2)),
    ((3, 3), (2, 2), "valid", (2, 8, 7, 2)),
    ((3, 3), (2, 2), "same", (2, 8, 7, 2)),
    ((2, 2), (1, 1), "valid", (2, 5, 4, 2)),
]


@pytest.mark.parametrize(("pool_size", "strides", "padding", "shape"), POOLS)
def test_max_pool2d_and_its_gradient_match_the_first_maximum_of_each_window(pool_size, strides, padding, shape):
    # A few small integers: most windows have a tie.
    x = np.random.default_rng(5).integers(-2, 2, shape).astype("float32")
    y, place = reference_pool(x, pool_size, strides or pool_size, padding)
    found, (dx,) = output_and_gradients(lambda x: backend.max_pool2d(x, pool_size, strides, padding), x)
    np.testing.assert_array_equal(found, y)
    expected = np.zeros(shape)
    weights = cosines(y)
    for b, i, j, c in np.ndindex(y.shape):
        row, column = place[b, i, j, c]
        expected[b, row, column, c] += weights[b, i, j, c]
    np.testing.assert_allclose(dx, expected, atol=1e-6)


@pytest.mark.parametrize("position", range(4))
def test_max_pool2d_passes_infinities_and_keeps_nan_where_keras_does(position):
    x = np.full((1, 2, 2, 1), -np.inf, "float32")
    # TensorFlow starts from the lowest finite number, and so answers with it.
    expected = ops.convert_to_numpy(ops.max_pool(x, 2, 2))
    np.testing.assert_array_equal(ops.convert_to_numpy(backend.max_pool2d(x, 2)), expected)
    x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    x.flat[position] = np.nan
    found = ops.convert_to_numpy(backend.max_pool2d(x, 2))
    np.testing.assert_array_equal(found, ops.convert_to_numpy(ops.max_pool(x, 2, 2)))


def test_a_window_larger_than_the_image_is_left_to_keras():
    x = np.ones((1, 3, 3, 1), "float32")
    outcomes = []
    for pool in (lambda: backend.max_pool2d(x, 4), lambda: ops.max_pool(x, 4, 4)):
        try:
            outcomes.append(tuple(pool().shape))
        except Exception as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


def test_devices_and_threads_are_found():
    assert any(device.startswith(("cpu:", "gpu:", "cuda:", "tpu:")) for device in backend.devices())
    assert backend.thread_count() >= 1
