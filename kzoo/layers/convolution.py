"""`Conv2D`, `Conv2DTranspose` and `MaxPooling2D`: Keras's own layers on the arithmetic of `kzoo.backend`.

Mostly they compute what Keras computes, by the same calls. Where those are slow on a CPU, as XLA's convolutions on JAX
are, `kzoo.backend` chooses a faster form of the same sum. Weights written by the one are read by
the other.
"""

import keras
from keras import ops

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
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, computed by `kzoo.backend.conv2d_transpose`.

    The arguments, the weights and their layout are those of Keras.
    """

    def call(self, inputs):
        outputs = backend.conv2d_transpose(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            data_format=self.data_format,
            dilation=self.dilation_rate,
        )
        if self.use_bias:
            last = self.data_format == "channels_last"
            outputs = outputs + ops.reshape(self.bias, (1, 1, 1, -1) if last else (1, -1, 1, 1))
        return outputs if self.activation is None else self.activation(outputs)


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
