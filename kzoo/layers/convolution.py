"""`Conv2D` and `MaxPooling2D`: Keras's own layers on the arithmetic of `kzoo.backend`.

On torch and TensorFlow they compute what Keras computes, by the same calls. On JAX, where XLA's convolution
is slow on a CPU, `kzoo.backend` chooses a faster form of the same sum. Weights written by the one are read by
the other.
"""

import keras

from kzoo import backend


@keras.saving.register_keras_serializable("kzoo")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, computed by `kzoo.backend.conv2d`.

    y[b, i, j, f] = activation(bias[f] + sum over p, q, c of kernel[p, q, c, f]
                                         * x[b, i * stride + p * dilation, j * stride + q * dilation, c])

    The arguments, the weights and their layout are those of Keras.
    """

    def convolution_op(self, inputs, kernel):
        return backend.conv2d(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation=self.dilation_rate,
            groups=self.groups,
        )


@keras.saving.register_keras_serializable("kzoo")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D`, computed by `kzoo.backend.max_pool2d`.

    y[b, i, j, c] = max over p, q < pool_size of x[b, i * stride + p, j * stride + q, c]
    """

    def call(self, inputs):
        return backend.max_pool2d(
            inputs,
            pool_size=self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )
