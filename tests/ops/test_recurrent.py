"""One step of each cell against its equations, written out unit by unit in NumPy float64."""

import numpy as np
import pytest
from keras import ops

from kzoo.ops import recurrent

BATCH, UNITS = 3, 4


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def tensors(*arrays):
    return [ops.convert_to_tensor(array) for array in arrays]


def compare(done, expected):
    assert set(done._fields) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(ops.convert_to_numpy(getattr(done, name)), value, atol=1e-6, err_msg=name)


def gates(projected, h, recurrent_kernel, bias=0.0):
    """For each gate its part of the input and of the recurrent product, (b, u) each, by loops over units."""
    count = recurrent_kernel.shape[1] // UNITS
    own = np.zeros((count, BATCH, UNITS))
    for gate, b, unit in np.ndindex(own.shape):
        column = gate * UNITS + unit
        own[gate, b, unit] = sum(float(h[b, j]) * float(recurrent_kernel[j, column]) for j in range(UNITS))
        own[gate, b, unit] += bias if np.isscalar(bias) else bias[column]
    return np.stack(np.split(projected.astype("float64"), count, axis=1)), own


@pytest.mark.parametrize(("activation", "function"), [(ops.tanh, np.tanh), (ops.relu, lambda x: np.maximum(x, 0))])
def test_a_step_of_the_simple_rnn(activation, function):
    projected, h, r = draw(BATCH, UNITS, seed=1), draw(BATCH, UNITS, seed=2), draw(UNITS, UNITS, seed=3)
    (x,), (own,) = gates(projected, h, r)
    compare(recurrent.simple_rnn_step(*tensors(projected, h, r), activation), {"h": function(x + own)})


def test_a_step_of_the_lstm():
    projected, r = draw(BATCH, 4 * UNITS, seed=1), draw(UNITS, 4 * UNITS, seed=2)
    h, c = draw(BATCH, UNITS, seed=3), draw(BATCH, UNITS, seed=4)
    x, own = gates(projected, h, r)
    i, f, g, o = sigmoid(x[0] + own[0]), sigmoid(x[1] + own[1]), np.tanh(x[2] + own[2]), sigmoid(x[3] + own[3])
    new = f * c + i * g
    expected = {"i": i, "f": f, "g": g, "o": o, "c": new, "h": o * np.tanh(new)}
    compare(recurrent.lstm_step(*tensors(projected, h, c, r)), expected)


def test_a_step_of_the_gru():
    projected, r = draw(BATCH, 3 * UNITS, seed=1), draw(UNITS, 3 * UNITS, seed=2)
    h, bias = draw(BATCH, UNITS, seed=3), draw(3 * UNITS, seed=4)
    x, own = gates(projected, h, r, bias)
    z, reset = sigmoid(x[0] + own[0]), sigmoid(x[1] + own[1])
    n = np.tanh(x[2] + reset * own[2])
    compare(recurrent.gru_step(*tensors(projected, h, r, bias)), {"z": z, "r": reset, "n": n, "h": z * h + (1 - z) * n})
