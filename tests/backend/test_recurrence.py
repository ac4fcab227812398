"""The backend's own recurrences against loops in float64, and where the input's product is made."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

ON_TORCH = keras.backend.backend() == "torch"
TIME, BATCH, WIDTH, UNITS = 6, 3, 4, 5
COUNTS = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw(kind):
    """x, states, kernel, recurrent kernel, bias."""
    generator, columns = np.random.default_rng(0), COUNTS[kind] * UNITS
    states = [generator.normal(size=(BATCH, UNITS)) for _ in range(2 if kind == "lstm" else 1)]
    bias = generator.normal(size=(2, columns) if kind == "gru" else columns)
    x = generator.normal(size=(TIME, BATCH, WIDTH))
    return x, states, generator.normal(size=(WIDTH, columns)), generator.normal(size=(UNITS, columns)) / 2, bias


def reference(kind, x, states, kernel, recurrent_kernel, bias):
    h, c = states[0], states[-1]
    ys = []
    for x_t in x:
        if kind == "gru":
            x_z, x_r, x_n = np.split(x_t @ kernel + bias[0], 3, axis=-1)
            h_z, h_r, h_n = np.split(h @ recurrent_kernel + bias[1], 3, axis=-1)
            z = sigmoid(x_z + h_z)
            h = z * h + (1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n)
        elif kind == "lstm":
            i, f, g, o = np.split(x_t @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            h = x_t @ kernel + h @ recurrent_kernel + bias
            h = np.tanh(h) if kind == "rnn_tanh" else np.maximum(h, 0)
        ys.append(h)
    return np.stack(ys), [h, c][: len(states)]


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_native_recurrence_equals_the_loop_in_float64(kind, dtype):
    arguments = draw(kind)
    tensors = keras.tree.map_structure(lambda array: ops.convert_to_tensor(array.astype(dtype)), list(arguments))
    found = backend.recurrence(kind, *tensors)
    assert (found is not None) == ON_TORCH
    if found is None:
        return
    y, states = reference(kind, *arguments)
    atol = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(ops.convert_to_numpy(found[0]), y, atol=atol)
    for state, expected in zip(found[1], states, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(state), expected, atol=atol)


@pytest.mark.parametrize("kind", COUNTS)
def test_half_precision_is_left_to_the_scan(kind):
    arguments = keras.tree.map_structure(lambda array: ops.cast(array.astype("float32"), "bfloat16"), list(draw(kind)))
    assert backend.recurrence(kind, *arguments) is None


def test_the_projection_of_a_step_is_its_product_with_the_kernel():
    x, _, kernel, _, bias = (
        ops.convert_to_tensor(a.astype("float32")) for a in [draw("lstm")[0], np.zeros(1), *draw("lstm")[2:]]
    )
    inputs, project = backend.projection(x, kernel, bias)
    expected = ops.convert_to_numpy(ops.matmul(x, kernel) + bias)
    for t in range(TIME):
        np.testing.assert_allclose(ops.convert_to_numpy(project(inputs[t])), expected[t], atol=1e-5)
