"""The standard recurrences on JAX."""

import jax
import keras


def projection(x, kernel, bias):
    """See `kzoo.backend.projection`."""
    if jax.default_backend() == "cpu":
        return x, lambda step: step @ kernel + bias
    return keras.ops.matmul(x, kernel) + bias, lambda projected: projected


def recurrence(kind, x, state, kernel, recurrent_kernel, bias):
    """See `kzoo.backend.recurrence`."""
    return
