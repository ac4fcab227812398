"""Keras's random initializers with weights that depend on the seed, not on the backend.

The draw is NumPy's, from PCG64 of the initializer's own seed in float64; only the result becomes a tensor.
The distributions, the arguments and the configuration are those of Keras. A default seed comes from `kzoo.seeds`,
so `kzoo.create_model(..., seed=s)` decides the weights of a whole model, else, as in Keras, from Python's `random`. As
in Keras, one initializer gives the same values at every call.

Differs from Keras: a seed is an int, not a `SeedGenerator`, whose state lives on the backend.
"""

import inspect

import keras
import numpy as np
from keras import initializers, ops

from kzoo import seeds

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
]

# The standard deviation of a standard normal cut off at two of its own.
_TRUNCATED_STDDEV = 0.87962566103423978


class _NumpyDraw:
    """What the classes below share: `values(shape, generator)` in float64 becomes the tensor.

    It stands before Keras's class, whose `__call__` would draw from the backend.
    """

    def __init__(self, *args, **kwargs):
        given = inspect.signature(super().__init__).bind(*args, **kwargs)  # Keras's classes differ in their order
        if given.arguments.get("seed") is None:
            given.arguments["seed"] = seeds.default()
        super().__init__(*given.args, **given.kwargs)
        if not isinstance(self.seed, int):
            raise ValueError(
                f"{type(self).__name__} draws in NumPy: its seed is an int or None; received {self.seed!r}.\n"
                "For other values at each use, give each its own seed, or none: seed=None"
            )

    def __call__(self, shape, dtype=None):
        # The mask admits the negative seeds that Keras admits.
        generator = np.random.Generator(np.random.PCG64(self.seed & 0xFFFFFFFFFFFFFFFF))
        values = self.values(tuple(shape), generator)
        dtype = keras.backend.standardize_dtype(dtype or keras.config.floatx())
        # NumPy has no bfloat16, so the backend makes the narrow types; from float32, as JAX has no float64.
        return ops.cast(values if dtype == "float64" else values.astype("float32"), dtype)


@keras.saving.register_keras_serializable("kzoo")
class RandomNormal(_NumpyDraw, initializers.RandomNormal):
    """w ~ N(mean, stddev^2)."""

    def values(self, shape, generator):
        return self.mean + self.stddev * generator.standard_normal(shape)


@keras.saving.register_keras_serializable("kzoo")
class TruncatedNormal(_NumpyDraw, initializers.TruncatedNormal):
    """w ~ N(mean, stddev^2), drawn again where it is more than two stddev from the mean."""

    def values(self, shape, generator):
        return self.mean + self.stddev * _truncated_normal(shape, generator)


@keras.saving.register_keras_serializable("kzoo")
class RandomUniform(_NumpyDraw, initializers.RandomUniform):
    """w ~ U[minval, maxval)."""

    def values(self, shape, generator):
        return generator.uniform(self.minval, self.maxval, shape)


class _NumpyVarianceScaling(_NumpyDraw):
    """variance(w) = scale / n, with n the fan-in, the fan-out or their mean, as `mode` says."""

    def values(self, shape, generator):
        fan_in, fan_out = _fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = np.sqrt(self.scale / max(1.0, n))
        if self.distribution == "truncated_normal":
            return stddev / _TRUNCATED_STDDEV * _truncated_normal(shape, generator)
        if self.distribution == "untruncated_normal":
            return stddev * generator.standard_normal(shape)
        limit = np.sqrt(3) * stddev
        return generator.uniform(-limit, limit, shape)


@keras.saving.register_keras_serializable("kzoo")
class VarianceScaling(_NumpyVarianceScaling, initializers.VarianceScaling):
    """variance(w) = scale / n; the general form of the six below."""


@keras.saving.register_keras_serializable("kzoo")
class GlorotUniform(_NumpyVarianceScaling, initializers.GlorotUniform):
    """w ~ U[-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""


@keras.saving.register_keras_serializable("kzoo")
class GlorotNormal(_NumpyVarianceScaling, initializers.GlorotNormal):
    """w truncated normal, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""


@keras.saving.register_keras_serializable("kzoo")
class HeNormal(_NumpyVarianceScaling, initializers.HeNormal):
    """w truncated normal, variance 2 / fan_in (He et al. 2015, arXiv:1502.01852)."""


@keras.saving.register_keras_serializable("kzoo")
class HeUniform(_NumpyVarianceScaling, initializers.HeUniform):
    """w ~ U[-a, a), a = sqrt(6 / fan_in) (He et al. 2015, arXiv:1502.01852)."""


@keras.saving.register_keras_serializable("kzoo")
class LecunNormal(_NumpyVarianceScaling, initializers.LecunNormal):
    """w truncated normal, variance 1 / fan_in (LeCun et al. 1998)."""


@keras.saving.register_keras_serializable("kzoo")
class LecunUniform(_NumpyVarianceScaling, initializers.LecunUniform):
    """w ~ U[-a, a), a = sqrt(3 / fan_in) (LeCun et al. 1998)."""


@keras.saving.register_keras_serializable("kzoo")
class Orthogonal(_NumpyDraw, initializers.Orthogonal):
    """gain * Q, Q with orthonormal rows or columns, the fewer of the two (Saxe et al. 2014, arXiv:1312.6120).

    A kernel of more than two axes counts as the matrix (all axes but the last, the last).
    """

    def values(self, shape, generator):
        if len(shape) < 2:
            raise ValueError(
                f"Orthogonal initialises at least two axes; received shape={shape}.\n"
                'For a vector use another initializer, such as "zeros".'
            )
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        # With the diagonal of R positive the factorisation is unique, and Q uniform over all rotations.
        q *= np.sign(np.diag(r))
        return self.gain * (q.T if rows < columns else q).reshape(shape)


def _truncated_normal(shape, generator):
    """Standard normal values within [-2, 2]."""
    values = generator.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside))
    return values


def _fans(shape, input_axes, output_axes):
    """How many inputs and outputs a weight connects; Keras's own rule, which it does not export."""
    if input_axes is not None and output_axes is not None:
        return _product(shape[axis] for axis in input_axes), _product(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return _product(shape), _product(shape)
    # A convolution's kernel is (window..., inputs, outputs); a matrix has an empty window.
    window = _product(shape[:-2])
    return window * shape[-2], window * shape[-1]


def _product(sizes):
    return int(np.prod(list(sizes), dtype=np.int64))
