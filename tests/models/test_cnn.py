"""The CNN against NumPy in float64, layer by layer."""

import keras
import numpy as np
import pytest

import kzoo


def _convolve(x, kernel, same):
    """Loops over the window: out[i, j] = sum over (p, q, c) of x[i + p, j + q, c] kernel[p, q, c]."""
    if same:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1] - 2, x.shape[2] - 2
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for p in range(3):
        for q in range(3):
            out += x[:, p : p + height, q : q + width] @ kernel[p, q]
    return out


def _pool(x):
    height, width = x.shape[1] // 2, x.shape[2] // 2
    corners = [x[:, i : 2 * height : 2, j : 2 * width : 2] for i in (0, 1) for j in (0, 1)]
    return np.maximum.reduce(corners)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_forward_pass_is_convolution_normalisation_relu_and_pooling(padding):
    keras.utils.set_random_seed(1)
    model = kzoo.create_model(
        "cnn", input_shape=(13, 15, 2), num_classes=3, filters=(3, 4), depth=1, hidden_dim=5, padding=padding
    )
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:  # normalisation at its initial values would hide a wrong order
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    weights = {w.path.split("/", 1)[-1] if w.path.startswith("cnn/") else w.path: w.numpy() for w in model.weights}
    weights = {key: value.astype("float64") for key, value in weights.items()}

    def normalise(x, name):
        gamma, beta, mean, variance = (
            weights[f"norm_{name}/{key}"] for key in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    x = rng.normal(size=(2, 13, 15, 2)).astype("float32")
    found = model.activations(x)
    a = x.astype("float64")
    for i in (1, 2):
        a = np.maximum(normalise(_convolve(a, weights[f"conv_{i}_1/kernel"], padding == "same"), f"{i}_1"), 0)
        np.testing.assert_allclose(found[f"relu_{i}_1"], a, rtol=0, atol=1e-5)
        a = _pool(a)
        np.testing.assert_allclose(found[f"pool_{i}"], a, rtol=0, atol=1e-5)
    a = np.maximum(normalise(a.reshape(2, -1) @ weights["dense/kernel"], "dense"), 0)
    logits = a @ weights["logits/kernel"] + weights["logits/bias"]
    np.testing.assert_allclose(found["logits"], logits, rtol=0, atol=1e-4)


def test_without_normalisation_the_convolutions_have_a_bias():
    with_norm = {w.name for w in kzoo.create_model("cnn:mu").get_layer("conv_1_1").weights}
    without = {w.name for w in kzoo.create_model("cnn:mu", batch_norm=False).get_layer("conv_1_1").weights}
    assert (with_norm, without) == ({"kernel"}, {"kernel", "bias"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (28, 28)}, r"input_shape: got \(28, 28\); a CNN takes images"),
        ({"input_shape": (8, 8, 1)}, "used up in block 2. Give fewer blocks, or padding='same'"),
        ({"padding": "full"}, "padding: got 'full'; allowed: same, valid"),
        ({"filters": []}, "filters"),
        ({"depth": 0}, "depth: got 0"),
        ({"hidden_dim": "128"}, "hidden_dim: got '128'"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(kzoo.KzooError, match=words):
        kzoo.create_model("cnn", **arguments)
