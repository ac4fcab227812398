"""One step of the standard recurrent cells: SimpleRNN, LSTM and GRU.

Axis letters: b batch, d input width, u units. In the equations x is one step of the input, (b, d), h' and c' are the
states of the step before, (b, u); W is the kernel, R the recurrent kernel, b the bias.

Every function takes `projected`, x W + b of this step, since that product needs no loop: one matmul serves all steps
of a sequence. It returns all that the step computed, so that a plot may show the gates; what runs on is `h` (and `c`).
Gates stand side by side in the last axis of W, R and b, in the order of Keras.
"""

from typing import Any, NamedTuple

from keras import ops

__all__ = ["GRUStep", "LSTMStep", "SimpleRNNStep", "gru_step", "lstm_step", "simple_rnn_step"]


class SimpleRNNStep(NamedTuple):
    """What a step of the SimpleRNN computed, (b, u)."""

    h: Any


class LSTMStep(NamedTuple):
    """What a step of the LSTM computed, each (b, u): the gates i, f, o, the candidate g, the states c and h."""

    i: Any
    f: Any
    g: Any
    o: Any
    c: Any
    h: Any


class GRUStep(NamedTuple):
    """What a step of the GRU computed, each (b, u): the gates z and r, the candidate n, the state h."""

    z: Any
    r: Any
    n: Any
    h: Any


def simple_rnn_step(projected, h, recurrent_kernel, activation=ops.tanh) -> SimpleRNNStep:
    """The step of Elman 1990, "Finding structure in time".

        h = activation(x W + b + h' R)

    Args:
        projected: x W + b, (b, u).
        h: the state of the step before, (b, u).
        recurrent_kernel: R, (u, u).
        activation: a function of a tensor.
    """
    return SimpleRNNStep(activation(ops.matmul(h, recurrent_kernel) + projected))


def lstm_step(projected, h, c, recurrent_kernel) -> LSTMStep:
    """The step of Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000.

        i, f, o = sigmoid(x W + b + h' R) in their columns of W, R and b
        g       = tanh(x W + b + h' R) in its own
        c = f * c' + i * g
        h = o * tanh(c)

    The columns stand in the order i f g o. No peephole goes from c to the gates.

    Args:
        projected: x W + b, (b, 4u).
        h: the state of the step before, (b, u).
        c: the cell of the step before, (b, u).
        recurrent_kernel: R, (u, 4u).
    """
    i, f, g, o = ops.split(ops.matmul(h, recurrent_kernel) + projected, 4, axis=-1)
    i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
    c = f * c + i * g
    return LSTMStep(i, f, g, o, c, o * ops.tanh(c))


def gru_step(projected, h, recurrent_kernel, recurrent_bias) -> GRUStep:
    """The step of Cho et al. 2014 (arXiv:1406.1078), with the reset gate after the matrix as in cuDNN.

        z, r = sigmoid(x W + b + h' R + b_R) in their columns
        n    = tanh(x W + b + r * (h' R + b_R)) in its own
        h    = z * h' + (1 - z) * n

    The columns stand in the order z r n. Differs from the paper: there r multiplies h' before the product with R, and
    R has no bias; this form lets one product serve all three. It is `reset_after=True` of Keras, and torch's only one.

    Args:
        projected: x W + b, (b, 3u).
        h: the state of the step before, (b, u).
        recurrent_kernel: R, (u, 3u).
        recurrent_bias: b_R, (3u,).
    """
    x_z, x_r, x_n = ops.split(projected, 3, axis=-1)
    h_z, h_r, h_n = ops.split(ops.matmul(h, recurrent_kernel) + recurrent_bias, 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    n = ops.tanh(x_n + r * h_n)
    return GRUStep(z, r, n, n + z * (h - n))
