"""Convolution and pooling of images on JAX: on a CPU, where XLA's own are slow, in forms of kzoo's own."""

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kzoo.backend.jax.machine import thread_count

# The patches of one chunk of the batch, in bytes for each thread: about what stays in a core's cache. Larger
# chunks spill, and above 32 MB the C library maps and faults in fresh pages at every call; smaller ones cost
# more steps of the loop.
_CHUNK_BYTES_PER_THREAD = 2**19


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """See `kzoo.backend.conv2d`."""
    on_patches = (
        _on_cpu(x, data_format)
        and keras.backend.standardize_dtype(kernel.dtype) == "float32"
        and x.shape[-1] == kernel.shape[-2]
    )
    if on_patches:
        x = keras.ops.convert_to_tensor(x, dtype="float32")
        kernel = keras.ops.convert_to_tensor(kernel)
        return _convolve(x, kernel, _pair(strides), padding, _pair(dilation), thread_count())
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation=1):
    """See `kzoo.backend.conv2d_transpose`."""
    at_corners = (
        _on_cpu(x, data_format)
        and keras.backend.standardize_dtype(kernel.dtype) == "float32"
        and tuple(kernel.shape[:2]) == (4, 4)
        and _pair(strides) == (2, 2)
        and _pair(dilation) == (1, 1)
        and padding == "same"
        and output_padding is None
    )
    if at_corners:
        x = keras.ops.convert_to_tensor(x, dtype="float32")
        return _double(x, keras.ops.convert_to_tensor(kernel), thread_count())
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, data_format, dilation)


def max_pool2d(x, pool_size=2, strides=None, padding="valid", data_format=None):
    """See `kzoo.backend.max_pool2d`."""
    pool_size = _pair(pool_size)
    # XLA's reduce-window, and the scatter that is its gradient, are slow on a CPU; windows that do not
    # overlap need neither.
    in_blocks = (
        _on_cpu(x, data_format)
        and padding == "valid"
        and (strides is None or _pair(strides) == pool_size)
        and pool_size[0] <= x.shape[1]
        and pool_size[1] <= x.shape[2]
    )
    if in_blocks:
        return _max_pool(keras.ops.convert_to_tensor(x), pool_size)
    # Keras 3.15 fails on JAX where strides is None.
    return keras.ops.max_pool(x, pool_size, pool_size if strides is None else strides, padding, data_format)


def _on_cpu(x, data_format):
    """Whether a form of kzoo's own may serve: accelerators have kernels of XLA's, and it is made for one layout."""
    return (
        jax.default_backend() == "cpu"
        and not keras.utils.is_keras_tensor(x)
        and len(x.shape) == 4
        # A size that is unknown while Keras infers shapes is not an int.
        and all(isinstance(size, int) for size in x.shape)
        and (data_format or keras.config.image_data_format()) == "channels_last"
    )


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _convolve(x, kernel, strides, padding, dilation, threads):
    """Convolution as one matrix product: the taps' shifted images side by side, times the kernel as a matrix.

    A large batch goes through in chunks whose patches fit the cache. The backward pass lays the patches of a
    chunk out again and never stores those of the batch, which are (kernel h * kernel w) times the input.
    """
    kernel_h, kernel_w, channels, filters = kernel.shape
    spans = [(taps - 1) * gap + 1 for taps, gap in zip(kernel.shape[:2], dilation, strict=True)]
    pads = lax.padtype_to_pads(x.shape[1:3], spans, strides, padding.upper())
    matrix = kernel.reshape(-1, filters)
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (*pads[0], 0), (*pads[1], 0), (0, 0, 0)))
    batch, height, width, _ = x.shape
    out_h = (height - (kernel_h - 1) * dilation[0] - 1) // strides[0] + 1
    out_w = (width - (kernel_w - 1) * dilation[1] - 1) // strides[1] + 1

    def product(images):
        count = images.shape[0]
        taps = [
            lax.slice(
                images,
                (0, top, left, 0),
                (count, top + (out_h - 1) * strides[0] + 1, left + (out_w - 1) * strides[1] + 1, channels),
                (1, *strides, 1),
            )
            for top in range(0, kernel_h * dilation[0], dilation[0])
            for left in range(0, kernel_w * dilation[1], dilation[1])
        ]
        patches = jnp.concatenate(taps, axis=-1)  # (b, h', w', kernel h * kernel w * c)
        return lax.dot_general(patches, matrix, (((3,), (0,)), ((), ())))

    patch_bytes = 4 * out_h * out_w * matrix.shape[0]
    chunk = max(1, _CHUNK_BYTES_PER_THREAD * threads // patch_bytes)
    if chunk >= batch:
        return product(x)
    # As few chunks as that allows, of equal size; the rest, fewer images than there are chunks, goes alone.
    chunk = batch // -(-batch // chunk)
    whole = batch - batch % chunk
    chunks = x[:whole].reshape(-1, chunk, height, width, channels)
    # Inside a loop XLA cannot merge the recomputation with the first pass: no barrier against it is needed.
    y = lax.map(jax.checkpoint(product, prevent_cse=False), chunks).reshape(whole, out_h, out_w, filters)
    return y if whole == batch else jnp.concatenate([y, product(x[whole:])])


def _double(x, kernel, threads):
    """The transposed convolution of a 4 x 4 kernel and stride 2 that doubles the size.

    Around the corner of four pixels lie four of the new pixels, each a sum over those four: a 2 x 2 convolution with as
    many filters for each new one, whose outputs are laid side by side. XLA's own takes five times as long.
    """
    batch, height, width, channels = x.shape
    filters = kernel.shape[2]
    # kernel[2 p + r, 2 q + s]: of the new pixel (r, s) at a corner, the tap on the pixel before it where p or q is 1.
    taps = kernel.reshape(2, 2, 2, 2, filters, channels)[::-1, :, ::-1]
    taps = taps.transpose(0, 2, 5, 1, 3, 4).reshape(2, 2, channels, 4 * filters)
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = _convolve(x, taps, (1, 1), "valid", (1, 1), threads).reshape(batch, height + 1, width + 1, 2, 2, filters)
    y = y.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height + 2, 2 * width + 2, filters)
    return y[:, 1:-1, 1:-1]


def _max_pool(x, pool_size):
    """The running maximum over the positions of a window, each position a block of its own.

    A later position takes the lead only where it is greater, so that among equals the gradient goes to the
    first, as it does in Keras on every backend. The maximum along a reshaped axis would share it out evenly.
    """
    batch, height, width, channels = x.shape
    out_h, out_w = height // pool_size[0], width // pool_size[1]
    x = x[:, : out_h * pool_size[0], : out_w * pool_size[1]]
    blocks = x.reshape(batch, out_h, pool_size[0], out_w, pool_size[1], channels)
    lead = blocks[:, :, 0, :, 0]
    for row in range(pool_size[0]):
        for column in range(pool_size[1]):
            rival = blocks[:, :, row, :, column]
            # Not `rival > lead`: a nan, on either side, must stay in the lead as it does in Keras.
            lead = jnp.where((lead >= rival) | jnp.isnan(lead), lead, rival)
    return lead
