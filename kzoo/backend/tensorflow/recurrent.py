"""The standard recurrences on TensorFlow."""

import keras


def projection(x, kernel, bias):
    """See `kzoo.backend.projection`."""
    return keras.ops.matmul(x, kernel) + bias, lambda projected: projected


def recurrence(kind, x, state, kernel, recurrent_kernel, bias):
    """See `kzoo.backend.recurrence`."""
    return
