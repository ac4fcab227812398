"""The MLP against NumPy in float64: values, activations and gradients."""

import keras
import numpy as np
import pytest
from scipy.special import erf, expit

import kzoo
from kzoo.backend import value_and_grad
from kzoo.models.base import SmoothedCrossEntropy
from kzoo.models.mlp import ACTIVATIONS

# Each activation from its own formula.
FORMULAS = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": expit,
    "tanh": np.tanh,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "linear": lambda z: z,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "silu": lambda z: z * expit(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
}


def test_every_activation_has_a_formula_here():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_forward_pass_is_the_formula(activation):
    keras.utils.set_random_seed(2)
    model = kzoo.create_model("mlp", input_shape=(2, 3), num_classes=4, hidden_dims=(5, 6), activation=activation)
    for bias in model.trainable_variables[1::2]:
        bias.assign(np.linspace(-0.5, 0.5, bias.shape[0]))
    x = np.random.default_rng(0).normal(size=(7, 2, 3)).astype("float32")
    a = x.reshape(7, 6).astype("float64")
    w1, b1, w2, b2, w3, b3 = (w.astype("float64") for w in model.get_weights())
    for w, b in ((w1, b1), (w2, b2)):
        a = FORMULAS[activation](a @ w + b)
    found = model.activations(x)
    np.testing.assert_allclose(found[f"{activation}_2"], a, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["logits"], a @ w3 + b3, rtol=0, atol=2e-5)


def test_backpropagation_equals_the_chain_rule_by_hand():
    keras.utils.set_random_seed(0)
    model = kzoo.create_model("mlp", input_shape=(3,), num_classes=4, hidden_dims=(5,), activation="tanh")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 4, 6)
    w1, b1, w2, b2 = (w.astype("float64") for w in model.get_weights())
    hidden = np.tanh(x @ w1 + b1)
    p = np.exp(hidden @ w2 + b2)
    p /= p.sum(axis=-1, keepdims=True)
    delta2 = (p - np.eye(4)[y]) / 6
    delta1 = delta2 @ w2.T * (1 - hidden**2)
    by_hand = [x.T @ delta1, delta1.sum(axis=0), hidden.T @ delta2, delta2.sum(axis=0)]
    loss = model.training_loss()
    value, gradients = value_and_grad(
        lambda: loss(y.astype("int32"), model(x.astype("float32"))), model.trainable_variables
    )
    assert float(value) == pytest.approx(-np.log(p[np.arange(6), y]).mean(), abs=1e-6)
    for gradient, expected in zip(gradients, by_hand, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(gradient), expected, rtol=0, atol=1e-6)


def test_smoothing_is_the_cross_entropy_to_the_smoothed_target():
    logits = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]], "float32")
    y = np.array([2, 0], "int32")
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    target = 0.9 * np.eye(3)[y] + 0.1 / 3
    expected = -(target * log_p).sum(axis=-1).mean()
    for labels in (y, y[:, None]):
        assert float(SmoothedCrossEntropy(0.1)(labels, logits)) == pytest.approx(expected, abs=1e-6)
    again = SmoothedCrossEntropy.from_config(SmoothedCrossEntropy(0.1).get_config())
    assert again.label_smoothing == 0.1


def test_standardising_subtracts_the_mean_and_divides_by_the_deviation():
    statistics = [[1.0, -2.0, 0.0], [2.0, 0.5, 1.0]]
    model = kzoo.create_model("mlp", input_shape=(3,), num_classes=2, hidden_dims=(), statistics=statistics)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    expected = (x - statistics[0]) / statistics[1]
    np.testing.assert_allclose(model.activations(x)["standardise"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"activation": "rleu"}, "activation: got 'rleu'; allowed: relu"),
        ({"dropout": 1.0}, "dropout: got 1.0; expected a number, at least 0 and below 1"),
        ({"dropout": float("nan")}, "dropout: got nan"),
        ({"hidden_dims": [0]}, "hidden_dims: got \\[0\\]; expected whole numbers of at least 1"),
        ({"hidden_dims": "8"}, "hidden_dims: got '8'"),
        ({"num_classes": 2.0}, "num_classes: got 2.0"),
        ({"statistics": [[0.0], [1.0, 2.0]]}, "statistics: .* each with 1 numbers"),
        ({"statistics": [[0.0], [0.0]]}, "every deviation above 0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(kzoo.KzooError, match=words):
        kzoo.create_model("mlp", **arguments)
