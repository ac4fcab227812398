"""The bound of a VAE beside NumPy in float64, its gradients beside ones by hand, its likelihood beside integrals."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.models.vae import PRESETS, VAE
from kzoo.ops import random
from kzoo.registry import create_model
from kzoo.seeds import seeded

# One hidden layer in each half, so that the references below are short.
SMALL = {"input_shape": (2, 3, 1), "latent_dim": 2, "hidden_dims": (5,)}


def vae(seed=0, **arguments):
    """A small VAE with weights that are no special ones, the biases included."""
    with seeded(seed):
        model = VAE(**{**SMALL, **arguments})
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def weights(model):
    """The trainable weights in float64, by the names of their layers."""
    return {v.path.split("/")[-2] + "/" + v.name: v.numpy().astype("float64") for v in model.trainable_variables}


def black_and_white(model, count, seed=3):
    return (np.random.default_rng(seed).random((count, *model.image_shape)) < 0.4).astype("float32")


def dense(found, name, x):
    return x @ found[f"{name}/kernel"] + found[f"{name}/bias"]


def reference(model, x, noise, one_hot=None):
    """(cost, kl) of each image and the code, by the formulas of the page, in float64."""
    found = weights(model)
    label = np.zeros((len(x), 0)) if one_hot is None else one_hot
    flat = x.reshape(len(x), -1).astype("float64")
    hidden = np.tanh(dense(found, "encoder_dense_1", np.hstack([flat, label])))
    mean, logvar = (dense(found, f"encoder_{part}", hidden) for part in ("mean", "logvar"))
    deviation = np.sqrt(np.exp(logvar))
    z = mean + deviation * noise
    outputs = dense(found, "decoder_out", np.tanh(dense(found, "decoder_dense_1", np.hstack([z, label]))))
    p = 1 / (1 + np.exp(-outputs))
    if model.likelihood == "bernoulli":
        cost = -np.log(np.where(flat > 0.5, p, 1 - p)).sum(axis=1)
    else:
        variance = np.exp(float(model.pixel_logvar.numpy()))
        density = np.exp(-((flat - p) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        cost = -np.log(density).sum(axis=1)
    kl = (-np.log(deviation) + (deviation**2 + mean**2) / 2 - 0.5).sum(axis=1)
    return cost, kl, z


@pytest.mark.parametrize("arguments", [{}, {"likelihood": "gaussian"}, {"num_classes": 3}], ids=str)
def test_the_bound_is_that_of_numpy(arguments):
    model = vae(**arguments)
    x = black_and_white(model, 7) if model.likelihood == "bernoulli" else model.sample_inputs(7)
    y = np.array([0, 2, 1, 1, 0, 2, 2])
    noise = np.random.default_rng(4).standard_normal((7, 2), dtype="float32")
    cost, kl, _ = reference(model, x, noise, np.eye(3)[y] if model.num_classes else None)
    found = model.measure(x, y, seed=4)
    np.testing.assert_allclose(found["reconstruction"], cost.mean(), rtol=2e-6)
    np.testing.assert_allclose(found["kl"], kl.mean(), rtol=2e-6)
    np.testing.assert_allclose(found["nelbo"], (cost + kl).mean(), rtol=2e-6)


def gradients_by_hand(model, x, noise, weight):
    """Of mean(cost + weight kl) of a Bernoulli model with one hidden layer a half, backwards line by line."""
    w = weights(model)
    n, flat = len(x), x.reshape(len(x), -1).astype("float64")
    hidden = np.tanh(dense(w, "encoder_dense_1", flat))
    mean, logvar = dense(w, "encoder_mean", hidden), dense(w, "encoder_logvar", hidden)
    deviation = np.exp(logvar / 2)
    z = mean + deviation * noise
    decoded = np.tanh(dense(w, "decoder_dense_1", z))
    p = 1 / (1 + np.exp(-dense(w, "decoder_out", decoded)))
    g = {}

    def back(name, below, above):
        g[f"{name}/kernel"], g[f"{name}/bias"] = below.T @ above, above.sum(axis=0)
        return above @ w[f"{name}/kernel"].T

    above = back("decoder_out", decoded, (p - flat) / n) * (1 - decoded**2)
    above = back("decoder_dense_1", z, above)
    of_mean = above + weight * mean / n
    of_logvar = above * noise * deviation / 2 + weight * (deviation**2 - 1) / 2 / n
    above = back("encoder_mean", hidden, of_mean) + back("encoder_logvar", hidden, of_logvar)
    back("encoder_dense_1", flat, above * (1 - hidden**2))
    return g


def test_the_gradients_of_the_phase_are_those_written_by_hand(monkeypatch):
    model = vae(beta=0.7)
    x = black_and_white(model, 6)
    noise = np.random.default_rng(5).standard_normal((6, 2), dtype="float32")
    monkeypatch.setattr(random, "normal", lambda shape, seed, dtype: ops.convert_to_tensor(noise))
    (phase,) = model.phases()
    _, found = value_and_grad(lambda: phase.loss(ops.convert_to_tensor(x), None, True), phase.variables)
    expected = gradients_by_hand(model, x, noise.astype("float64"), 0.7)
    assert len(found) == len(expected)
    for name, gradient in zip(weights(model), found, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(gradient), expected[name], rtol=0, atol=1e-6, err_msg=name)


def test_the_importance_bound_is_that_of_numpy_whatever_the_pieces():
    # More images and more codes than a piece holds, and neither a multiple of it.
    model = vae()
    x, count = black_and_white(model, 23), 130
    found = model.log_likelihood(x, samples=count, seed=6)
    for i in (0, 19, 20, 22):
        noise = np.random.default_rng([6, 1, i]).standard_normal((count, 2), dtype="float32").astype("float64")
        cost, _, z = reference(model, x[i : i + 1].repeat(count, 0), noise)
        mean, logvar = (part[0].astype("float64") for part in model.encode(x[i : i + 1]))
        prior = -(z**2).sum(axis=1) / 2
        posterior = -((z - mean) ** 2 / np.exp(logvar) + logvar).sum(axis=1) / 2
        expected = np.log(np.mean(np.exp(-cost + prior - posterior)))
        np.testing.assert_allclose(found[i], expected, rtol=2e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_many_codes_give_the_likelihood_itself(likelihood):
    """With a code of one number the integral over it can be done: log p(x) = log of int p(x|z) N(z; 0, 1) dz."""
    model = vae(latent_dim=1, likelihood=likelihood)
    x = black_and_white(model, 3)
    grid = np.linspace(-8, 8, 2001)
    found = weights(model)
    p = 1 / (1 + np.exp(-dense(found, "decoder_out", np.tanh(dense(found, "decoder_dense_1", grid[:, None])))))
    flat = x.reshape(3, 1, -1)
    if likelihood == "bernoulli":
        log_p = np.log(np.where(flat > 0.5, p, 1 - p)).sum(axis=-1)
    else:
        variance = np.exp(float(model.pixel_logvar.numpy()))
        log_p = (-((flat - p) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2).sum(axis=-1)
    density = np.exp(log_p - grid**2 / 2) / np.sqrt(2 * np.pi)
    exact = np.log(density.sum(axis=1) * (grid[1] - grid[0]))
    # 5,000 codes: a standard error of about 0.01.
    np.testing.assert_allclose(model.log_likelihood(x), exact, rtol=0, atol=0.05)
    few = np.mean([model.log_likelihood(x, samples=1, seed=seed) for seed in range(40)])
    assert few < exact.mean()


def test_the_weight_of_the_divergence_grows_over_the_warm_up_and_is_whole_in_validation():
    model = vae(beta=0.5, warmup_steps=4)
    x = black_and_white(model, 8)
    model.compile(keras.optimizers.SGD(0.01))
    history = model.fit(x, batch_size=8, epochs=6, verbose=0, validation_data=(x,)).history
    for part, expected in (("", [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]), ("val_", [0.5] * 6)):
        loss, cost, kl = (np.array(history[f"{part}{name}"]) for name in ("loss", "reconstruction", "kl"))
        np.testing.assert_allclose((loss - cost) / kl, expected, rtol=1e-3)
        np.testing.assert_allclose(history[f"{part}nelbo"], cost + kl, rtol=1e-6)
    assert int(model.steps.numpy()) == 4


def test_grey_values_are_drawn_black_and_white_anew_at_each_step_and_once_to_measure():
    model = vae()
    # No image gets through: the cost is softplus(b) - x b for each pixel.
    for weight in model.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    model.decoder.get_layer("decoder_out").bias.assign(np.full(6, 2.0))
    x = np.full((2000, 2, 3, 1), 0.3, "float32")
    expected = 6 * (np.log1p(np.exp(2.0)) - 0.3 * 2.0)
    model.compile(keras.optimizers.SGD(1e-20))
    # The standard error of a mean over 12,000 pixels: 6 * 2 * sqrt(0.3 * 0.7 / 12000) = 0.05.
    found = model.fit(x, batch_size=2000, epochs=3, verbose=0).history["loss"]
    assert len(set(found)) == 3
    np.testing.assert_allclose(found, expected, atol=0.25)
    once = model.binarised(x, seed=1)
    assert set(np.unique(once)) == {0.0, 1.0}
    assert abs(once.mean() - 0.3) < 0.02
    assert np.array_equal(once, model.binarised(x, seed=1))
    assert not np.array_equal(once, model.binarised(x, seed=2))
    grey = vae(likelihood="gaussian")
    assert np.array_equal(grey.binarised(x), x)


def test_it_learns_how_often_an_image_comes():
    """Two images, each half of the time: log 2 nats are the least that they cost, and 4.2 without a code."""
    x = np.zeros((64 * 40, 2, 3, 1), "float32")
    x[::2, 0], x[1::2, 1] = 1, 1
    model = vae(hidden_dims=(16,), latent_dim=1)
    model.compile(keras.optimizers.Adam(0.02))
    model.fit(x, batch_size=64, epochs=10, verbose=0)
    cost = -model.log_likelihood(x[:2], samples=2000)
    # Log 2, and the share of the codes that a smooth decoder makes a mixture of both.
    assert np.log(2) - 0.02 < cost.mean() < 1.1
    apart = model.reconstruct(x[:2])
    np.testing.assert_allclose(apart, x[:2], rtol=0, atol=0.1)
    share = model.sample(1000)[:, 0].mean()
    assert 0.35 < share < 0.65


def test_samples_are_codes_decoded_and_reconstructions_the_mean_code():
    model = vae(num_classes=3)
    noise = np.random.default_rng(9).standard_normal((5, 2), dtype="float32")
    labels = np.array([0, 1, 2, 0, 1])
    made = model.sample(5, labels, seed=9)
    np.testing.assert_allclose(made, model.decode(noise, labels), rtol=0, atol=1e-6)
    found = weights(model)
    hidden = np.tanh(dense(found, "decoder_dense_1", np.hstack([noise, np.eye(3)[labels]])))
    expected = 1 / (1 + np.exp(-dense(found, "decoder_out", hidden)))
    np.testing.assert_allclose(made.reshape(5, -1), expected, rtol=0, atol=1e-6)
    assert not np.allclose(model.decode(noise, (labels + 1) % 3), made, atol=1e-3)
    x = model.sample_inputs(5)
    np.testing.assert_allclose(model.reconstruct(x, labels), ops.convert_to_numpy(model(x, labels)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(x, labels), model.decode(model.encode(x, labels)[0], labels))


def test_a_model_without_classes_does_not_read_the_labels():
    model = vae()
    model.compile(keras.optimizers.SGD(0.1))
    x = black_and_white(model, 8)
    first = model.evaluate(x, np.arange(8), verbose=0)
    model = vae()
    model.compile(keras.optimizers.SGD(0.1))
    assert model.evaluate(x, verbose=0) == first


def test_convolutions_halve_the_image_and_double_it_again():
    model = create_model("vae:mu-conv", seed=0)
    shapes = [tuple(layer.output.shape[1:]) for layer in model.encoder.layers if "conv" in layer.name]
    assert shapes == [(2, 4, 3), (1, 2, 4)]
    shapes = [tuple(layer.output.shape[1:]) for layer in model.decoder.layers if "conv" in layer.name]
    assert shapes == [(2, 4, 3)]
    assert model.decoder.output_shape == (None, *PRESETS["mu-conv"]["input_shape"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (28, 28)}, "the shape of an image"),
        ({"num_classes": 0}, "num_classes: got 0"),
        ({"latent_dim": 0}, "latent_dim: got 0"),
        ({"hidden_dims": ()}, "hidden_dims: got"),
        ({"filters": (3, 0)}, "filters: got"),
        ({"filters": (3,)}, "2 x 3 cannot be halved 1 times; give fewer filters"),
        ({"activation": "sine"}, "activation: got 'sine'; allowed: tanh"),
        ({"likelihood": "poisson"}, "likelihood: got 'poisson'; allowed: bernoulli, gaussian"),
        ({"beta": -1}, "beta: got -1; expected a number of at least 0"),
        ({"beta": float("nan")}, "beta: got nan"),
        ({"warmup_steps": 0.5}, "warmup_steps: got 0.5"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        VAE(**{**SMALL, **arguments})


@pytest.mark.parametrize(
    ("classes", "call", "words"),
    [
        (None, lambda m: m.sample(0), "count: got 0"),
        (None, lambda m: m.sample(2, labels=1), "trained without classes"),
        (None, lambda m: m.sample(2, seed=-1), "seed: got -1"),
        (3, lambda m: m.sample(2), "makes images of a class: give a class from 0 to 2"),
        (3, lambda m: m.sample(2, labels=3), "labels: got 3"),
        (3, lambda m: m.sample(2, labels=[0, 1, 2]), "or 2 of them"),
        (3, lambda m: m.sample(2, labels=0.5), "labels: got 0.5"),
        (None, lambda m: m.encode(np.zeros((2, 3, 2, 1))), r"x: got the shape \(2, 3, 2, 1\)"),
        (None, lambda m: m.decode(np.zeros((2, 3))), r"z: got the shape \(2, 3\); expected \(n, 2\)"),
        (None, lambda m: m.log_likelihood(np.full((1, 2, 3, 1), 0.5)), "give binarised"),
        (None, lambda m: m.log_likelihood(np.zeros((1, 2, 3, 1)), samples=0), "samples: got 0"),
        (3, lambda m: m(np.zeros((1, 2, 3, 1), "float32")), "got images without labels"),
    ],
)
def test_a_wrong_call_is_refused_with_what_is_allowed(classes, call, words):
    with pytest.raises(ValueError, match=words):
        call(vae(num_classes=classes))


def test_training_without_the_labels_that_it_needs_is_refused():
    model = vae(num_classes=3)
    model.compile("adam", run_eagerly=True)
    with pytest.raises(ValueError, match="got images without labels"):
        model.fit(black_and_white(model, 4), verbose=0)
