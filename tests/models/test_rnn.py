"""RNN: logits and the trace against NumPy in float64."""

import numpy as np
import pytest
import references
from keras import ops

from kzoo import create_model
from kzoo.errors import RecipeError


def test_logits_and_trace_are_those_of_numpy():
    model = create_model("rnn", seed=0, input_shape=(9, 3), num_outputs=4, hidden_dims=(5,))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    layer, head = (
        [ops.convert_to_numpy(weight).astype("float64") for weight in model.get_layer(name).weights]
        for name in ("layer_1", "logits")
    )
    x = model.sample_inputs(2)
    oracle = references.rnn(x, *layer)
    found = ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(found, oracle["state"][:, -1] @ head[0] + head[1], rtol=0, atol=1e-5)
    trace = model.trace(x)["layer_1"]
    assert len(trace) == len(oracle)
    for name, expected in oracle.items():
        (key,) = (key for key in trace if key.split()[0] == name or (name == "state" and key == "hidden state"))
        np.testing.assert_allclose(trace[key], expected, rtol=0, atol=1e-5, err_msg=name)


def test_the_gradient_of_a_small_recurrent_matrix_vanishes_with_the_distance():
    model = create_model("rnn", seed=0, input_shape=(30, 3), num_outputs=2, hidden_dims=(6,))
    layer = model.get_layer("layer_1")
    layer.weights[1].assign(0.5 * ops.convert_to_numpy(layer.weights[1]))  # orthogonal before: now each step halves
    norms = model.gradient_norms(model.sample_inputs(2))
    assert (norms[:, 0] < 1e-6 * norms[:, -1]).all()
    assert (norms[:, 0] > 0).all()


def test_another_activation_is_refused_by_name():
    with pytest.raises(RecipeError, match="allowed: tanh, relu, sigmoid"):
        create_model("rnn", activation="gelu")
