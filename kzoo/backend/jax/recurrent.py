"""The standard recurrences on JAX."""

import jax
import keras


def projection(x, kernel, bias):
    """Where the product x W + b of a recurrent layer belongs: before the loop over time, or into its steps.

    torch and TensorFlow multiply all steps at once. XLA on a CPU is faster with small products that stay in the cache.

    Args:
        x: (t, b, d).
        kernel: (d, u).
        bias: (u,).

    Returns:
        The inputs of the loop, and a function that makes x W + b, (b, u), of one step of them.
    """
    if jax.default_backend() == "cpu":
        return x, lambda step: step @ kernel + bias
    return keras.ops.matmul(x, kernel) + bias, lambda projected: projected


def recurrence(kind, x, state, kernel, recurrent_kernel, bias):
    """A whole standard recurrence by the backend's own kernel, or None where it has none and the scan is to run.

    torch has one for each kind in float32 and float64; JAX and TensorFlow have none here.

    Args:
        kind: "rnn_tanh", "rnn_relu", "lstm" or "gru".
        x: (t, b, d).
        state: the initial states, each (b, u): [h], for "lstm" [h, c].
        kernel: in Keras's layout, (d, u), (d, 4u) with the gates i f g o, or (d, 3u) with z r n.
        recurrent_kernel: (u, u), (u, 4u) or (u, 3u).
        bias: (u,), (4u,) or (2, 3u).

    Returns:
        The outputs (t, b, u) and the list of the last states; or None.
    """
    return
