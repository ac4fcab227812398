"""The standard recurrences on PyTorch."""

import keras
import torch


def projection(x, kernel, bias):
    """See `kzoo.backend.projection`."""
    return keras.ops.matmul(x, kernel) + bias, lambda projected: projected


def recurrence(kind, x, state, kernel, recurrent_kernel, bias):
    """See `kzoo.backend.recurrence`."""
    if x.is_meta or x.dtype not in (torch.float32, torch.float64):
        return None
    if kind == "gru":
        kernel, recurrent_kernel, bias = (_reset_first(weight) for weight in (kernel, recurrent_kernel, bias))
        biases = bias.unbind()
    else:
        biases = bias, torch.zeros_like(bias)
    weights = [kernel.t(), recurrent_kernel.t(), *biases]
    hx = [h[None] for h in state]
    kernels = {"rnn_tanh": torch.rnn_tanh, "rnn_relu": torch.rnn_relu, "lstm": torch.lstm, "gru": torch.gru}
    # One layer, no dropout, one direction, time first. The flag for training is for the sake of cuDNN.
    y, *last = kernels[kind](
        x, hx if kind == "lstm" else hx[0], weights, True, 1, 0.0, torch.is_grad_enabled(), False, False
    )
    return y, [h[0] for h in last]


def _reset_first(weight):
    """Keras's columns z r n in torch's order r z n."""
    z, r, n = weight.chunk(3, dim=-1)
    return torch.cat([r, z, n], dim=-1)
