"""Convolution and pooling of images on TensorFlow."""

import keras


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """See `kzoo.backend.conv2d`."""
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


def conv2d_transpose(x, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation=1):
    """See `kzoo.backend.conv2d_transpose`."""
    return keras.ops.conv_transpose(x, kernel, strides, padding, output_padding, data_format, dilation)


def max_pool2d(x, pool_size=2, strides=None, padding="valid", data_format=None):
    """See `kzoo.backend.max_pool2d`."""
    return keras.ops.max_pool(x, pool_size, strides, padding, data_format)
