"""Sampling from a diffusion model beside the same steps one by one, in Python and float64."""

import numpy as np
import pytest
from keras import ops

from kzoo.errors import KzooError
from kzoo.models.diffusion import Diffusion
from kzoo.ops import denoising as tables
from kzoo.ops import random
from kzoo.ops.diffusion import to_x0
from kzoo.sampling.diffusion import Denoising, denoising, sample
from kzoo.seeds import seeded

CLASSES, LABELS = 3, [2, 0, 1]


@pytest.fixture(scope="module")
def model():
    """Untrained, but its weights so large that its answers depend on image, time and class."""
    return _made(num_classes=CLASSES)


@pytest.fixture(scope="module")
def untold():
    return _made()


def _made(**arguments):
    with seeded(1):
        made = Diffusion((4, 4, 1), filters=(8,), num_heads=2, timesteps=40, **arguments)
    rng = np.random.default_rng(0)
    for weight in made.average.weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.2, weight.shape))
    return made


def one_by_one(model, noise, labels, plan, scale=1.0, seed=0, clip=True):
    """The steps in Python: each asks the network for one image at a time and adds up in float64."""
    x, before = noise.astype("float64"), np.zeros(noise.shape)

    def says(x, t, labels):
        made = [
            model.says(x[i : i + 1].astype("float32"), int(t), None if labels is None else np.array(labels[i : i + 1]))
            for i in range(len(x))
        ]
        return np.concatenate([ops.convert_to_numpy(one) for one in made]).astype("float64")

    for i, t in enumerate(plan.timestep):
        output = says(x, t, labels)
        if scale != 1:
            nothing = says(x, t, np.full(len(x), model.num_classes, "int32"))
            output = scale * output + (1 - scale) * nothing
        x0 = to_x0(model.prediction, output, x, plan.alpha[i], plan.sigma[i])
        x0 = np.clip(x0, -1, 1) if clip else x0
        key = ops.convert_to_tensor(np.array([seed, 1 + i], "int32"))
        z = ops.convert_to_numpy(random.normal(noise.shape, key))
        x, before = plan.of_x[i] * x + plan.of_x0[i] * x0 + plan.of_before[i] * before + plan.of_noise[i] * z, x0
    return np.clip((x + 1) / 2, 0, 1)


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        ({"sampler": "ddim", "steps": 8}, 1.0),
        ({"sampler": "ddim", "steps": 8, "eta": 0.5, "spacing": "leading", "clip": False}, 2.5),
        ({"sampler": "ddpm", "steps": 40, "seed": 5}, 1.0),
        ({"sampler": "dpm_solver", "steps": 8, "spacing": "linspace"}, 2.5),
    ],
    ids=["ddim", "ddim with noise, led", "ddpm", "dpm_solver, led"],
)
def test_the_compiled_loop_takes_the_same_steps(model, options, scale):
    spacing, seed = options.get("spacing", "trailing"), options.get("seed", 0)
    asked = tables.timesteps(40, options["steps"], spacing)
    plan = tables.plan(options["sampler"], model.schedule, asked, options.get("eta", 0.0))
    labels = np.array(LABELS, "int32")
    expected = one_by_one(model, model.noise(3, seed), labels, plan, scale, seed, options.get("clip", True))
    found = sample(model, 3, LABELS, guidance_scale=scale, **options)
    assert found.dtype == np.float32
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_the_models_own_images_are_ddim_with_as_many_steps_as_there_are(model, untold):
    np.testing.assert_allclose(model.sample(3, LABELS, seed=4), sample(model, 3, LABELS, seed=4), rtol=0, atol=1e-6)
    np.testing.assert_allclose(untold.sample(2), sample(untold, 2, steps=40), rtol=0, atol=1e-6)


def test_an_image_does_not_depend_on_how_many_are_made(model):
    labels = np.array([0, 1, 2, 0, 1])
    found = sample(model, 5, labels, steps=6)
    np.testing.assert_allclose(sample(model, 5, labels, steps=6, batch_size=2), found, rtol=0, atol=1e-6)
    np.testing.assert_allclose(sample(model, 2, labels[:2], steps=6), found[:2], rtol=0, atol=1e-6)
    assert np.abs(sample(model, 5, labels, steps=6, seed=1) - found).max() > 0.1
    noisy = sample(model, 4, 0, steps=6, sampler="ddpm", batch_size=2)
    again = sample(model, 4, 0, steps=6, sampler="ddpm", batch_size=2)
    np.testing.assert_array_equal(noisy, again)


def test_a_model_is_led_as_it_says_where_nobody_says_otherwise(model):
    config = {**model.get_config(), "guidance_scale": 2.5}
    led = type(model).from_config(config)
    led.set_weights(model.get_weights())
    expected = sample(model, 3, LABELS, guidance_scale=2.5)
    assert np.abs(expected - sample(model, 3, LABELS)).max() > 1e-3
    np.testing.assert_array_equal(sample(led, 3, LABELS), expected)
    np.testing.assert_allclose(led.sample(3, LABELS), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(sample(led, 3, LABELS, guidance_scale=1), sample(model, 3, LABELS))


def test_guidance_of_0_is_no_class_and_of_1_is_none(model):
    told = sample(model, 3, LABELS, steps=6)
    np.testing.assert_array_equal(sample(model, 3, LABELS, steps=6, guidance_scale=1), told)
    found = [sample(model, 3, labels, steps=6, guidance_scale=0) for labels in (LABELS, [0, 0, 0])]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-6)
    assert np.abs(found[0] - told).max() > 0.01


def test_the_way_from_noise_to_images(model):
    images = sample(model, 3, LABELS, steps=7)
    whole = denoising(model, 3, LABELS, steps=7)
    assert isinstance(whole, Denoising)
    assert whole.states.shape == whole.guesses.shape == (7, 3, 4, 4, 1)
    np.testing.assert_allclose(whole.images, images, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.clip((whole.states[-1] + 1) / 2, 0, 1), images, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(whole.timesteps, tables.timesteps(40, 7))
    some = denoising(model, 3, LABELS, steps=7, every=4)
    np.testing.assert_array_equal(some.timesteps, whole.timesteps[[2, 6]])
    np.testing.assert_allclose(some.states, whole.states[[2, 6]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(some.guesses, whole.guesses[[2, 6]], rtol=0, atol=1e-6)


def test_what_is_learned_meanwhile_counts(model):
    before, weight = sample(model, 1, 0, steps=3), model.average.weights[-1]
    old = weight.numpy()
    weight.assign(old + 1)
    after = sample(model, 1, 0, steps=3)
    weight.assign(old)
    assert np.abs(after - before).max() > 0.01


@pytest.mark.parametrize(
    ("labels", "options", "says"),
    [
        (LABELS, {"steps": 41}, "steps: got 41; expected a whole number from 1 to 40"),
        (None, {"guidance_scale": 3.0}, "guidance_scale: got 3.0, and no labels are given"),
        (LABELS, {"guidance_scale": -1}, "guidance_scale: got -1; expected a number of at least 0"),
        (None, {}, "labels: got None"),
        ([3, 0, 0], {}, "expected a class from 0 to 2"),
        (LABELS, {"sampler": "euler"}, "sampler: got 'euler'; allowed: ddpm, ddim, dpm_solver"),
        (LABELS, {"spacing": "even"}, "spacing: got 'even'"),
        (LABELS, {"eta": 2}, "eta: got 2"),
        (LABELS, {"seed": -1}, "seed: got -1"),
        (LABELS, {"batch_size": 0}, "batch_size: got 0"),
    ],
)
def test_what_cannot_be_asked_for_is_named(model, labels, options, says):
    with pytest.raises(KzooError, match=says):
        sample(model, 3, labels, **options)


def test_a_model_without_classes_cannot_be_led(untold):
    with pytest.raises(KzooError, match="trained without classes, so that there is none to lead to; leave"):
        sample(untold, 3, guidance_scale=2.0)
    with pytest.raises(KzooError, match="leave labels out"):
        sample(untold, 3, LABELS)
    with pytest.raises(KzooError, match="count: got 0"):
        sample(untold, 0)
    with pytest.raises(KzooError, match="every: got 0"):
        denoising(untold, 1, every=0)


def test_weights_that_are_no_numbers_are_named(untold):
    weight = untold.average.weights[-1]
    old = weight.numpy()
    weight.assign(np.full(weight.shape, np.nan))
    with pytest.raises(KzooError, match="hold nan"):
        sample(untold, 1, steps=2)
    weight.assign(old)
