"""Weights of `torch.nn.RNN`, `LSTM` and `GRU` to those of `kzoo.layers.recurrent` (and `keras.layers`), and back.

torch keeps (columns, width) where Keras keeps (width, columns), so every matrix is transposed. The gates of the LSTM
stand in one order, i f g o; those of the GRU as r z n in torch and z r n in Keras. torch adds two biases. For RNN and
LSTM only their sum counts: it is formed on the way here, and on the way back the second becomes zero. The GRU keeps
both.
"""

import numpy as np

__all__ = ["from_torch_weights", "to_torch_weights"]

# By how many units the kernels are wide.
_GRU = 3
_CELLS = {1: "SimpleRNN", _GRU: "GRU", 4: "LSTM"}


def from_torch_weights(state, layer=0, reverse=False) -> list[np.ndarray]:
    """The weights of one layer and direction, for `set_weights`: kernel, recurrent_kernel, bias.

    Args:
        state: a mapping such as `torch.nn.LSTM(...).state_dict()`: names to arrays, or to tensors on the CPU.
        layer: which of stacked layers.
        reverse: the backward direction of a bidirectional one.

    Raises:
        ValueError: where the mapping lacks this layer, or its sizes are those of no such cell.
    """
    suffix = f"_l{layer}" + ("_reverse" if reverse else "")
    if f"weight_ih{suffix}" not in state or f"weight_hh{suffix}" not in state:
        raise ValueError(
            f"A recurrent layer of torch has weight_ih{suffix} and weight_hh{suffix}; received "
            f"{', '.join(sorted(state)) or 'nothing'}.\nOf a larger model pass the part of that layer, for example "
            "model.lstm.state_dict()."
        )
    kernel, recurrent = (np.asarray(state[f"weight_{part}{suffix}"]).T for part in ("ih", "hh"))
    count = _count(kernel.shape, recurrent.shape)
    zeros = np.zeros(kernel.shape[1], kernel.dtype)
    biases = [np.asarray(state.get(f"bias_{part}{suffix}", zeros)) for part in ("ih", "hh")]
    if count == _GRU:
        kernel, recurrent = _first_two_swapped(kernel), _first_two_swapped(recurrent)
        bias = np.stack([_first_two_swapped(each) for each in biases])
    else:
        bias = biases[0] + biases[1]
    return [np.ascontiguousarray(kernel), np.ascontiguousarray(recurrent), bias]


def to_torch_weights(weights, layer=0, reverse=False) -> dict[str, np.ndarray]:
    """The state dict of one layer and direction, as arrays; the inverse of `from_torch_weights`.

    For torch: `{name: torch.from_numpy(array) for name, array in to_torch_weights(...).items()}`.

    Args:
        weights: kernel, recurrent_kernel, bias, as `get_weights()` returns them.
        layer: the number to give the layer among stacked ones.
        reverse: whether it is the backward direction of a bidirectional one.

    Raises:
        ValueError: for weights that are not those of such a cell.
    """
    if len(weights) != 3:
        raise ValueError(
            f"A recurrent layer has three weights, kernel, recurrent_kernel and bias; received {len(weights)}. "
            "Pass layer.get_weights() of one SimpleRNN, LSTM or GRU."
        )
    kernel, recurrent, bias = (np.asarray(weight) for weight in weights)
    count = _count(kernel.shape, recurrent.shape)
    expected = (2, kernel.shape[1]) if count == _GRU else (kernel.shape[1],)
    if bias.shape != expected:
        raise ValueError(
            f"The bias of this {_CELLS[count]} has the shape {expected}; received {bias.shape}. "
            "A GRU of Keras has two rows where it was made with reset_after=True, the only form that torch knows."
        )
    if count == _GRU:
        kernel, recurrent, bias = (_first_two_swapped(each) for each in (kernel, recurrent, bias))
    else:
        bias = np.stack([bias, np.zeros_like(bias)])
    suffix = f"_l{layer}" + ("_reverse" if reverse else "")
    return {
        f"weight_ih{suffix}": np.ascontiguousarray(kernel.T),
        f"weight_hh{suffix}": np.ascontiguousarray(recurrent.T),
        f"bias_ih{suffix}": bias[0].copy(),
        f"bias_hh{suffix}": bias[1].copy(),
    }


def _count(kernel_shape, recurrent_shape) -> int:
    """How many gates stand side by side, from kernels (d, count * u) and (u, count * u)."""
    units, columns = recurrent_shape
    count, rest = divmod(columns, units)
    if rest or count not in _CELLS or kernel_shape[1] != columns:
        raise ValueError(
            "The kernels of a recurrent cell are (d, n u) and (u, n u), n = 1 (SimpleRNN), 3 (GRU) or 4 (LSTM); "
            f"received {tuple(kernel_shape)} and {tuple(recurrent_shape)}."
        )
    return count


def _first_two_swapped(weight):
    """z r n to r z n, and back."""
    first, second, third = np.split(weight, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)
