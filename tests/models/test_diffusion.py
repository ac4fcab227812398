"""The loss of a diffusion model beside NumPy in float64, what its average does, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.models.diffusion import PRESETS, Diffusion
from kzoo.ops import random
from kzoo.ops.diffusion import noise_schedule
from kzoo.seeds import seeded
from kzoo.training import checkpoints

SMALL = {"input_shape": (4, 4, 1), "filters": (8,), "num_heads": 1, "timesteps": 20}


def diffusion(seed=0, **arguments):
    with seeded(seed):
        return Diffusion(**{**SMALL, **arguments})


def images(count=8, shape=(4, 4, 1)):
    return np.random.default_rng(2).random((count, *shape), dtype="float32")


def coming_draws(model, count):
    """The keys that the next draws in training will take: the generator counts on from its state."""
    state = ops.convert_to_numpy(model.seeds.training.state.value)
    return [ops.convert_to_tensor(state + np.array([0, i], state.dtype)) for i in range(count)]


def drawn(model, x):
    """The timesteps and the noise of the next batch without labels, by the key of each draw."""
    first, second = coming_draws(model, 2)
    uniform = ops.convert_to_numpy(random.uniform((len(x),), first))
    timesteps = np.minimum((np.arange(len(x)) + uniform) / len(x) * model.timesteps, model.timesteps - 1).astype(int)
    return timesteps, ops.convert_to_numpy(random.normal(x.shape, second)).astype("float64")


def in_float64(model, x, timesteps, noise, output):
    """The loss and the gradient of its sum by each output, from the papers' formulas."""
    schedule = noise_schedule(model.noise_schedule, model.timesteps)
    alpha, sigma = (table[timesteps].reshape(-1, 1, 1, 1) for table in schedule)
    x0 = 2 * x.astype("float64") - 1
    target = {"epsilon": noise, "x0": x0, "v": alpha * noise - sigma * x0, "flow": noise - x0}[model.prediction]
    snr = (alpha / sigma) ** 2
    weight = {
        "epsilon": lambda: np.minimum(snr, model.min_snr) / snr,
        "x0": lambda: np.minimum(snr, model.min_snr),
        "v": lambda: np.minimum(snr, model.min_snr) / (snr + 1),
        "flow": lambda: np.minimum(snr, model.min_snr) * sigma**2 / (alpha + sigma) ** 2,
    }[model.prediction]()
    error = output(alpha * x0 + sigma * noise) - target
    return np.mean(weight * error**2), 2 * weight * error / error.size


KINDS = [("epsilon", "linear"), ("x0", "cosine"), ("v", "cosine"), ("flow", "flow"), ("v", "linear")]


@pytest.mark.parametrize(("prediction", "schedule"), KINDS)
def test_the_loss_is_its_formula(prediction, schedule, monkeypatch):
    model, x = diffusion(prediction=prediction, noise_schedule=schedule, min_snr=2.0), images()
    asked = []

    def says(x, timesteps, labels, network=None, training=False):
        asked.append((ops.convert_to_numpy(timesteps), labels, network, training))
        return 0.7 * x + 0.1

    monkeypatch.setattr(model, "says", says)
    timesteps, noise = drawn(model, x)
    expected, _ = in_float64(model, x, timesteps, noise, lambda x: 0.7 * x + 0.1)
    assert float(model.diffusion_loss(x, None, True)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(asked[0][0], timesteps)
    assert asked[0][1] is None
    assert asked[0][2] is model.network
    assert asked[0][3] is True


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_the_gradient_of_the_last_bias_is_the_one_by_hand(prediction):
    """What the output has to say, summed over all places: the chain rule of the one weight that stands at the end."""
    model, x = diffusion(prediction=prediction, min_snr=2.0), images()
    timesteps, noise = drawn(model, x)

    def output(noisy):
        told = ops.convert_to_tensor(timesteps.astype("int32"))
        return ops.convert_to_numpy(model.says(noisy.astype("float32"), told, None, model.network))

    value, by_output = in_float64(model, x, timesteps, noise, output)
    bias = next(variable for variable in model.phases()[0].variables if variable.path == "network/conv_out/bias")
    loss, gradients = value_and_grad(lambda: model.diffusion_loss(x, None, True), [bias])
    assert float(loss) == pytest.approx(value, rel=1e-5)
    found = ops.convert_to_numpy(gradients[0])
    np.testing.assert_allclose(found, by_output.sum(axis=(0, 1, 2)), rtol=0, atol=1e-6)


def test_each_part_of_the_schedule_has_its_image_and_each_timestep_is_as_likely(monkeypatch):
    model, found = diffusion(timesteps=12), []
    monkeypatch.setattr(model, "says", lambda x, t, *rest, **options: found.append(ops.convert_to_numpy(t)) or x)
    for _ in range(300):
        model.diffusion_loss(images(4), None, True)
    found = np.array(found)
    assert (found // 3 == np.arange(4)).all()
    shares = np.bincount(found.ravel(), minlength=12) / found.size
    # 300 draws of 3 values: four deviations.
    np.testing.assert_allclose(shares, 1 / 12, rtol=0, atol=4 * np.sqrt(2 / 9 / 300) / 4)


def test_some_classes_are_kept_from_the_network_in_training_alone(monkeypatch):
    model, found = diffusion(num_classes=3, label_dropout=0.25), []
    monkeypatch.setattr(model, "says", lambda x, t, labels, *rest, **options: found.append(labels) or x)
    y = np.tile([[0], [1], [2], [1]], (500, 1))
    x = np.zeros((2000, 4, 4, 1), "float32")
    for training in (True, False):
        model.diffusion_loss(x, y, training)
    hidden, told = (ops.convert_to_numpy(labels) for labels in found)
    np.testing.assert_array_equal(told, y[:, 0])
    np.testing.assert_array_equal(hidden[hidden != 3], y[hidden != 3, 0])
    assert np.mean(hidden == 3) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 2000))


def test_it_learns_and_its_average_makes_the_images():
    model = diffusion(num_classes=2, momentum=0.9)
    for ours, theirs in zip(model.average.weights, model.network.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    x, y = np.zeros((32, 4, 4, 1), "float32"), np.arange(32) % 2
    x[y == 1] = 1
    model.compile(keras.optimizers.Adam(0.01))
    losses = model.fit(x, y, epochs=60, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    made = model.sample(8, np.arange(8) % 2)
    assert (np.abs(made.mean(axis=(1, 2, 3)) - np.arange(8) % 2) < 0.3).all()
    for weight in model.network.weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(model.sample(8, np.arange(8) % 2), made)


def test_a_model_sees_through_a_little_noise():
    """`call` reads images at the first timestep, where what is said of the noise hardly changes them."""
    for prediction in ("epsilon", "v"):
        model, x = diffusion(prediction=prediction, timesteps=1000), 0.1 + 0.8 * images(3)
        np.testing.assert_allclose(ops.convert_to_numpy(model(x)), x, rtol=0, atol=0.05)


def test_a_run_that_resumes_ends_where_an_uninterrupted_one_does(tmp_path):
    x, y = images(16), np.arange(16) % 2

    def made():
        model = diffusion(num_classes=2, dropout=0.3)
        model.compile(keras.optimizers.Adam(0.01))
        return model

    def train(model, epochs):
        model.fit(x, y, epochs=epochs, batch_size=8, shuffle=False, verbose=0, validation_data=(x, y))

    whole, first, second = made(), made(), made()
    train(whole, 2)
    train(first, 1)
    checkpoints.save(tmp_path / "last.keras", first, {"epoch": 1})
    checkpoints.load_into(tmp_path / "last.keras", second)
    train(second, 1)
    for ours, theirs in zip(second.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    whole.save(tmp_path / "whole.keras")
    loaded = keras.saving.load_model(tmp_path / "whole.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.sample(2, [0, 1]), whole.sample(2, [0, 1]), rtol=0, atol=1e-6)


def test_every_weight_is_saved(tmp_path):
    models = []
    for seed in (1, 2):
        with seeded(seed):
            models.append(Diffusion(**PRESETS["mu"]))
    models[0].save_weights(tmp_path / "of.weights.h5")
    models[1].load_weights(tmp_path / "of.weights.h5")
    for ours, theirs in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


def test_mixed_precision_trains_and_makes_numbers():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = diffusion(num_classes=2)
        assert model.network.compute_dtype == "bfloat16"
        model.compile(keras.optimizers.Adam(0.01))
        x, y = np.ones((32, 4, 4, 1), "float32"), np.arange(32) % 2
        losses = model.fit(x, y, epochs=30, batch_size=32, verbose=0).history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        assert model.sample(2, 1).dtype == np.float32
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_config_makes_the_same_model(preset):
    model = Diffusion(**PRESETS[preset])
    config = model.get_config()
    assert all(np.array_equal(config[key], value) for key, value in PRESETS[preset].items())
    again = Diffusion.from_config(config)
    assert again.get_config() == config
    assert [tuple(weight.shape) for weight in again.weights] == [tuple(weight.shape) for weight in model.weights]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"input_shape": (7, 8, 1), "filters": (8, 8)}, "must be multiples of 2; received 7 x 8"),
        ({"prediction": "noise"}, "prediction: got 'noise'; allowed: epsilon, x0, v, flow"),
        ({"noise_schedule": "sqrt"}, "noise_schedule: got 'sqrt'; allowed: linear, cosine, flow"),
        ({"noise_schedule": "flow", "prediction": "epsilon"}, "Take 'flow', 'v' or 'x0'"),
        ({"timesteps": 1}, "timesteps: got 1"),
        ({"min_snr": 0}, "min_snr: got 0; expected a number above 0, such as 5, or None"),
        ({"label_dropout": 1.0}, "label_dropout: got 1.0"),
        ({"min_snr": float("nan")}, "min_snr: got nan"),
        ({"num_classes": 3, "guidance_scale": 2.0, "label_dropout": 0.0}, "never learns what to say of no class"),
        ({"guidance_scale": 2.0}, "guidance_scale: got 2.0 with num_classes=None"),
        ({"guidance_scale": float("nan")}, "guidance_scale: got nan; expected a number of at least 0"),
        ({"momentum": -0.1}, "momentum: got -0.1"),
        ({"filters": []}, r"filters: got \[\]"),
        ({"num_heads": 3}, "does not divide the width 8"),
    ],
)
def test_what_it_cannot_be_made_of_is_named(arguments, says):
    with pytest.raises(ValueError, match=says):
        diffusion(**arguments)


def test_images_without_labels_are_refused_where_classes_are_told():
    with pytest.raises(ValueError, match="images without labels"):
        diffusion(num_classes=3).diffusion_loss(images(), None, True)


def test_it_says_how_the_images_are_made_whose_figures_are_told():
    plain, led = Diffusion(**PRESETS["mu-flow"]), Diffusion(**PRESETS["mu"])
    assert plain.measured == "The images are made by 50 steps of DDIM."
    assert led.measured == "The images are made by 20 steps of DDIM, each led to its class by guidance of 1.5."
