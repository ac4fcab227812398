"""What a state space starts with: decays, and steps of time. Drawn in NumPy, as in `kzoo.layers.initializers`."""

import keras
import numpy as np
from keras import ops

from kzoo.layers.initializers import RandomUniform

__all__ = ["LogUniform", "RealS4D", "StepBias"]


@keras.saving.register_keras_serializable("kzoo")
class RealS4D(keras.initializers.Initializer):
    """A_log of shape (d, n) with A = -exp(A_log) = -1, -2, ..., -n in every row (Gu et al. 2022, arXiv:2206.11893)."""

    def __call__(self, shape, dtype=None):
        return ops.cast(np.broadcast_to(np.log(np.arange(1, shape[-1] + 1)), shape).astype("float32"), dtype)


@keras.saving.register_keras_serializable("kzoo")
class LogUniform(RandomUniform):
    """w = log x, x ~ U[minval, maxval)."""

    def values(self, shape, generator):
        return np.log(super().values(shape, generator))


@keras.saving.register_keras_serializable("kzoo")
class StepBias(RandomUniform):
    """A bias b whose softplus(b) = log(1 + exp b) is a step of time, log-uniform in [minval, maxval)."""

    def values(self, shape, generator):
        step = np.exp(generator.uniform(np.log(self.minval), np.log(self.maxval), shape))
        return step + np.log(-np.expm1(-step))
