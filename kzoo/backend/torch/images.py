"""Convolution and pooling of images on PyTorch."""

import keras
from torch.nn import functional


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """See `kzoo.backend.conv2d`."""
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation=1):
    """See `kzoo.backend.conv2d_transpose`."""
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
    """See `kzoo.backend.max_pool2d`."""
    return keras.ops.max_pool(x, pool_size, strides, padding, data_format)
