"""Convolution and pooling of images on PyTorch."""

import keras
from torch.nn import functional


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """2D convolution (cross-correlation, as in Keras): the same numbers as `keras.ops.conv`, up to rounding.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        kernel: weights, (kernel h, kernel w, c / groups, filters).
        strides: an int or a pair.
        padding: "valid" or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        dilation: an int or a pair, the step between the taps of the kernel.
        groups: the number of groups of channels, each convolved with its own share of the filters.

    Returns:
        (b, h', w', filters), or (b, filters, h', w') if `data_format` is "channels_first".
    """
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation=1):
    """Transposed 2D convolution: the same numbers as `keras.ops.conv_transpose`, up to rounding.

    y[b, s i + p - m, s j + q - n, f] is the sum over i, j, p, q, c of kernel[p, q, f, c] x[b, i, j, c], where "same"
    padding cuts m rows and n columns off, so that the size is s times that of x.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        kernel: weights, (kernel h, kernel w, filters, c).
        strides: an int or a pair, s.
        padding: "valid" or "same".
        output_padding: an int or a pair, rows and columns added below and to the right; None for the size as above.
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        dilation: an int or a pair, the step between the taps of the kernel.

    Returns:
        (b, h', w', filters), or (b, filters, h', w') if `data_format` is "channels_first".
    """
    # Keras computes the rows that "same" cuts off, and copies the rest.
    x = x if keras.utils.is_keras_tensor(x) else keras.ops.convert_to_tensor(x)
    doubles = (
        not keras.utils.is_keras_tensor(x)
        and tuple(kernel.shape[:2]) == (4, 4)
        and strides in (2, (2, 2))
        and dilation in (1, (1, 1))
        and padding == "same"
        and output_padding is None
        and (data_format or keras.config.image_data_format()) == "channels_last"
        and x.device.type != "meta"
    )
    if doubles:
        x = x.permute(0, 3, 1, 2)
        kernel = keras.ops.convert_to_tensor(kernel).permute(3, 2, 0, 1)
        return functional.conv_transpose2d(x, kernel, stride=2, padding=1).permute(0, 2, 3, 1)
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, data_format, dilation)


def max_pool2d(x, pool_size=2, strides=None, padding="valid", data_format=None):
    """2D max-pooling: the same numbers as `keras.ops.max_pool`.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        pool_size: an int or a pair, the window.
        strides: an int or a pair; None for the window itself.
        padding: "valid" (a last row or column that fills no window is dropped) or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.

    Returns:
        The maximum of each window, in the layout of `x`.
    """
    return keras.ops.max_pool(x, pool_size, strides, padding, data_format)
