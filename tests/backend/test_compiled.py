"""`compiled`: the numbers of a plain call, weights that stay arguments, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

COMPILES = keras.backend.backend() != "torch"


def numpy(value):
    return ops.convert_to_numpy(value)


@pytest.fixture
def layer():
    made = keras.layers.Dense(3, "tanh")
    made.build((None, 4))
    return made


def x(seed=0):
    return np.random.default_rng(seed).normal(size=(5, 4)).astype("float32")


def test_numbers_are_those_of_the_layer_in_numpy(layer):
    kernel, bias = (weight.astype("float64") for weight in layer.get_weights())
    found = backend.compiled(layer, layer.variables)(x())
    np.testing.assert_allclose(numpy(found), np.tanh(x() @ kernel + bias), rtol=1e-5, atol=1e-6)


def test_nests_go_in_and_come_out_and_a_result_may_go_in_again(layer):
    def add(state, x):
        return {"sum": state["sum"] + layer(x), "steps": state["steps"] + 1}

    call = backend.compiled(add, layer.variables)
    state = {"sum": np.zeros((5, 3), "float32"), "steps": np.int32(0)}
    for seed in range(3):
        state = call(state, x(seed))
    expected = sum(numpy(layer(x(seed))) for seed in range(3))
    np.testing.assert_allclose(numpy(state["sum"]), expected, rtol=1e-5, atol=1e-6)
    assert int(state["steps"]) == 3
    assert keras.backend.standardize_dtype(state["steps"].dtype) == "int32"


def test_it_is_traced_once_for_each_shape_also_where_results_come_back(layer):
    traces = []

    def double(x):
        traces.append(x.shape)
        return x * 2.0 + ops.ones(())

    call = backend.compiled(double, [])
    y = call(call(call(x())))
    np.testing.assert_allclose(numpy(y), 8 * x() + 7, rtol=1e-6)
    assert len(traces) == (1 if COMPILES else 3)
    call(x()[:2])
    assert len(traces) == (2 if COMPILES else 4)


def test_new_weights_count_at_the_next_call(layer):
    call = backend.compiled(layer, layer.variables)
    before = numpy(call(x()))
    layer.set_weights([2 * weight for weight in layer.get_weights()])
    np.testing.assert_allclose(np.arctanh(numpy(call(x()))), 2 * np.arctanh(before), rtol=1e-3, atol=1e-5)


def test_a_loop_within_runs_as_often_as_a_tensor_says(layer):
    def power(x, count):
        def body(i, x):
            return i + 1, ops.matmul(x, layer.kernel)

        return ops.while_loop(lambda i, x: i < count, body, (ops.zeros((), "int32"), x))[1]

    layer = keras.layers.Dense(4)
    layer.build((None, 4))
    call = backend.compiled(power, layer.variables)
    kernel = layer.get_weights()[0].astype("float64")
    for count in (0, 1, 5):
        expected = x() @ np.linalg.matrix_power(kernel, count)
        np.testing.assert_allclose(numpy(call(x(), np.int32(count))), expected, rtol=1e-4, atol=1e-5)


def test_an_assigned_variable_is_refused_and_keeps_its_value(layer):
    counter = keras.Variable(3.0, name="counter")

    def count(x):
        counter.assign(counter + 1.0)
        return x

    with pytest.raises(ValueError, match="assigned the variable counter"):
        backend.compiled(count, [counter])(x())
    assert numpy(counter) == 3.0


def test_a_variable_that_is_not_listed_is_refused(layer):
    with pytest.raises(ValueError, match="kernel, which is none of `variables`"):
        backend.compiled(layer, [layer.bias])(x())
