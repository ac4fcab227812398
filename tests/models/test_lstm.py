"""LSTM: outputs, gates and gradients against NumPy in float64; what its heads and its directions are."""

import numpy as np
import pytest
import references
from keras import ops

from kzoo import create_model
from kzoo.errors import RecipeError


def weights(layer):
    """A layer's weights as float64 arrays, each moved off what it started at."""
    rng = np.random.default_rng(3)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return [ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights]


def outputs(model, x):
    return ops.convert_to_numpy(model(x, training=False))


@pytest.fixture
def model():
    return create_model("lstm", seed=0, input_shape=(9, 3), num_outputs=4, hidden_dims=(5, 6))


def test_logits_are_those_of_two_layers_in_numpy(model):
    x = model.sample_inputs(2)
    first = references.lstm(x, *weights(model.get_layer("layer_1")))["state"]
    second = references.lstm(first, *weights(model.get_layer("layer_2")))["state"]
    kernel, bias = weights(model.get_layer("logits"))
    np.testing.assert_allclose(outputs(model, x), second[:, -1] @ kernel + bias, rtol=0, atol=1e-5)


def test_the_trace_holds_every_gate_and_state(model):
    x = model.sample_inputs(2)
    oracle = references.lstm(x, *weights(model.get_layer("layer_1")))
    found = model.trace(x)
    assert list(found) == ["layer_1", "layer_2"]
    gates = found["layer_1"]
    assert len(gates) == len(oracle)
    for name, expected in oracle.items():
        (key,) = (key for key in gates if key.split()[0] == name or (name == "state" and key == "hidden state"))
        np.testing.assert_allclose(gates[key], expected, rtol=0, atol=1e-5, err_msg=name)
    assert found["layer_2"][key].shape == (2, 9, 6)


def test_gradient_norms_are_those_of_finite_differences(model):
    x = model.sample_inputs(2)
    layers = [weights(model.get_layer(name)) for name in ("layer_1", "layer_2", "logits")]

    def logit(x):
        h = references.lstm(references.lstm(x, *layers[0])["state"], *layers[1])["state"][:, -1]
        return (h @ layers[2][0] + layers[2][1])[:, 1]

    expected, size = np.zeros((2, 9)), 1e-5
    for t in range(9):
        for d in range(3):
            moved = x.astype("float64")
            moved[:, t, d] += size
            up = logit(moved)
            moved[:, t, d] -= 2 * size
            expected[:, t] += ((up - logit(moved)) / (2 * size)) ** 2
    found = model.gradient_norms(x, output=1)
    np.testing.assert_allclose(found, np.sqrt(expected), rtol=1e-3, atol=1e-7)
    assert found[0, 0] != found[1, 0]
    with pytest.raises(ValueError, match="from 0 to 3"):
        model.gradient_norms(x, output=4)


def test_gradients_are_those_of_the_numbers_that_came_in_before_they_are_standardised():
    plain = create_model("lstm", seed=0, input_shape=(5, 1), num_outputs=2, hidden_dims=(4,))
    scaled = create_model(
        "lstm", seed=0, input_shape=(5, 1), num_outputs=2, hidden_dims=(4,), statistics=[[0.5], [0.25]]
    )
    scaled.set_weights([*scaled.get_weights()[: -len(plain.weights)], *plain.get_weights()])
    x = plain.sample_inputs(2)
    expected = plain.gradient_norms((x - 0.5) / 0.25) / 0.25
    np.testing.assert_allclose(scaled.gradient_norms(x), expected, rtol=1e-4)


def test_the_twin_of_a_layer_reads_from_the_end():
    model = create_model("lstm", seed=0, input_shape=(7, 3), num_outputs=2, hidden_dims=(4, 5), bidirectional=True)
    x = model.sample_inputs(2)
    found = x.astype("float64")
    for i, last in ((1, False), (2, True)):
        ahead = references.lstm(found, *weights(model.get_layer(f"layer_{i}")))["state"]
        back = references.lstm(found[:, ::-1], *weights(model.get_layer(f"layer_{i}_back")))["state"]
        both = [ahead[:, -1], back[:, -1]] if last else [ahead, back[:, ::-1]]
        found = np.concatenate(both, axis=-1)
    kernel, bias = weights(model.get_layer("logits"))
    np.testing.assert_allclose(outputs(model, x), found @ kernel + bias, rtol=0, atol=1e-5)
    trace = model.trace(x)["layer_1_back"]["hidden state"]
    np.testing.assert_allclose(outputs_of_back(model, x), trace, rtol=0, atol=1e-5)


def outputs_of_back(model, x):
    """The backward twin of layer 1 in NumPy, in the order of time."""
    arrays = [ops.convert_to_numpy(weight).astype("float64") for weight in model.get_layer("layer_1_back").weights]
    return references.lstm(x[:, ::-1].astype("float64"), *arrays)["state"][:, ::-1]


def test_logits_of_a_token_do_not_depend_on_later_tokens():
    model = create_model("lstm:mu-tokens", seed=0)
    x = model.sample_inputs(3)
    other = x.copy()
    other[:, 4:] = (other[:, 4:] + 1) % model.vocabulary
    found, changed = outputs(model, x), outputs(model, other)
    assert found.shape == (3, 6, 9)
    np.testing.assert_allclose(found[:, :4], changed[:, :4], rtol=0, atol=1e-6)
    assert np.abs(found[:, 4:] - changed[:, 4:]).max() > 1e-4
    assert model.gradient_norms(x).shape == (3, 6)


def test_a_memory_draws_biases_for_that_many_steps():
    model = create_model("lstm", seed=0, input_shape=(9, 3), num_outputs=2, hidden_dims=(200,), memory=100)
    _, _, bias = (ops.convert_to_numpy(weight) for weight in model.get_layer("layer_1").weights)
    i, f, g, o = np.split(bias, 4)
    steps = np.exp(f)  # a forget gate of bias b keeps its cell for about e^b steps
    assert steps.min() >= 0.99
    assert steps.max() <= 99.1
    assert 40 < steps.mean() < 60
    np.testing.assert_allclose(i, -f, atol=1e-6)
    assert not np.any(g)
    assert not np.any(o)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (28, 28, 1)}, "expected (t, d) for sequences of numbers"),
        ({"input_shape": (0, 3)}, "expected (t, d)"),
        ({"input_shape": (9, 3), "vocabulary": 5}, "expected (t,) for tokens"),
        ({"task": "segmentation"}, "allowed: classification, regression, tokens"),
        ({"task": "tokens", "bidirectional": True}, "model.bidirectional"),
        ({"hidden_dims": []}, "model.hidden_dims"),
        ({"input_shape": (5, None)}, "expected (t, d)"),
        ({"bidirectional": "yes"}, "model.bidirectional"),
        ({"memory": 1}, "model.memory"),
        ({"dropout": 1}, "model.dropout"),
        ({"input_shape": (9,), "vocabulary": 5, "statistics": [[0.0], [1.0]]}, "tokens are no numbers"),
    ],
)
def test_arguments_out_of_range_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(RecipeError) as refused:
        create_model("lstm", **arguments)
    assert words in str(refused.value)
