"""GRU: logits and the trace against NumPy in float64."""

import numpy as np
import pytest
import references
from keras import ops

from kzoo import create_model
from kzoo.errors import RecipeError


def test_logits_and_trace_are_those_of_numpy():
    model = create_model("gru", seed=0, input_shape=(9, 3), num_outputs=4, hidden_dims=(5,))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    layer, head = (
        [ops.convert_to_numpy(weight).astype("float64") for weight in model.get_layer(name).weights]
        for name in ("layer_1", "logits")
    )
    x = model.sample_inputs(2)
    oracle = references.gru(x, *layer)
    found = ops.convert_to_numpy(model(x, training=False))
    np.testing.assert_allclose(found, oracle["state"][:, -1] @ head[0] + head[1], rtol=0, atol=1e-5)
    trace = model.trace(x)["layer_1"]
    assert len(trace) == len(oracle)
    for name, expected in oracle.items():
        (key,) = (key for key in trace if key.split()[0] == name or (name == "state" and key == "hidden state"))
        np.testing.assert_allclose(trace[key], expected, rtol=0, atol=1e-5, err_msg=name)


def test_a_memory_draws_update_biases_for_that_many_steps():
    model = create_model("gru", seed=0, input_shape=(9, 3), num_outputs=2, hidden_dims=(200,), memory=100)
    _, _, bias = (ops.convert_to_numpy(weight) for weight in model.get_layer("layer_1").weights)
    z, r, g = np.split(bias.sum(axis=0), 3)
    steps = np.exp(z)  # an update gate of bias b keeps its state for about e^b steps
    assert steps.min() >= 0.99
    assert steps.max() <= 99.1
    assert 40 < steps.mean() < 60
    assert not np.any(r)
    assert not np.any(g)


def test_a_memory_below_one_step_is_refused():
    with pytest.raises(RecipeError, match=r"model\.memory"):
        create_model("gru", memory=-3)
