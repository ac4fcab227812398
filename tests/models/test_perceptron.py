"""The perceptron against scikit-learn's and Rosenblatt's rule in a loop, and its famous failure."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import Perceptron as SklearnPerceptron

import kzoo
from kzoo.data import load_data


def _fit(model, x, y, epochs):
    # Batch size 1 and rate 1, in the given order: the classical rule.
    model.compile(keras.optimizers.SGD(1.0), model.training_loss(), metrics=["accuracy"])
    model.fit(x, y, batch_size=1, epochs=epochs, shuffle=False, verbose=0)
    kernel, bias = model.get_weights()
    return kernel, bias


def test_two_classes_follow_rosenblatts_rule_like_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype("float32")
    y = (x @ [1.0, -2.0, 0.5] + 0.3 > 0).astype("int32")
    # Near the line the two may round differently; the rule is not about rounding.
    far = np.abs(x @ [1.0, -2.0, 0.5] + 0.3) > 0.2
    x, y = x[far], y[far]
    kernel, bias = _fit(kzoo.create_model("perceptron", input_shape=(3,), num_classes=2), x, y, 3)
    oracle = SklearnPerceptron(eta0=1.0, shuffle=False, max_iter=3, tol=None).fit(x, y)
    np.testing.assert_allclose(kernel[:, 0], oracle.coef_[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(bias, oracle.intercept_, rtol=0, atol=1e-5)


def test_many_classes_follow_the_rule_written_as_a_loop():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4)).astype("float32")
    y = rng.integers(0, 3, 40).astype("int32")
    kernel, bias = _fit(kzoo.create_model("perceptron", input_shape=(4,), num_classes=3), x, y, 2)
    w, b = np.zeros((4, 3)), np.zeros(3)
    for _ in range(2):
        for sample, label in zip(x.astype("float64"), y, strict=True):
            predicted = np.argmax(sample @ w + b)
            if predicted != label:
                w[:, label] += sample
                b[label] += 1
                w[:, predicted] -= sample
                b[predicted] -= 1
    np.testing.assert_allclose(kernel, w, rtol=0, atol=1e-4)
    np.testing.assert_allclose(bias, b, rtol=0, atol=1e-6)


def test_it_fails_on_xor_and_a_hidden_layer_does_not():
    data = load_data("xor", seed=0)
    perceptron = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2)
    _fit(perceptron, data.x_train, data.y_train, 3)
    right = perceptron.predict(data.x_test, verbose=0).argmax(axis=-1) == data.y_test
    # No line does better on four equal clouds than three of them.
    assert right.mean() < 0.8
    keras.utils.set_random_seed(0)
    mlp = kzoo.create_model("mlp", input_shape=(2,), num_classes=2, hidden_dims=(8,), activation="tanh")
    mlp.compile(keras.optimizers.Adam(0.05), mlp.training_loss())
    mlp.fit(data.x_train, data.y_train, epochs=15, batch_size=32, verbose=0)
    right = mlp.predict(data.x_test, verbose=0).argmax(axis=-1) == data.y_test
    assert right.mean() > 0.95


def test_it_refuses_label_smoothing_and_a_single_class():
    model = kzoo.create_model("perceptron:mu")
    with pytest.raises(ValueError, match=r"label_smoothing: got 0.1"):
        model.training_loss(0.1)
    with pytest.raises(kzoo.KzooError, match="at least 2"):
        kzoo.create_model("perceptron", num_classes=1)
