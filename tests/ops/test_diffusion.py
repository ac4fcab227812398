"""Noise schedules and predictions beside the papers' own formulas, written out step by step in Python's floats."""

import math

import numpy as np
import pytest
from keras import ops

from kzoo.ops import diffusion
from kzoo.ops.diffusion import PREDICTIONS, noise_schedule

RNG = np.random.default_rng(0)
X0, NOISE = RNG.uniform(-1, 1, (3, 4, 4, 2)), RNG.normal(size=(3, 4, 4, 2))


def betas(kind, length):
    if kind == "linear":
        return [(1e-4 + (0.02 - 1e-4) * t / (length - 1)) * 1000 / length for t in range(length)]

    def left(t):
        return math.cos((t / length + 0.008) / 1.008 * math.pi / 2) ** 2

    return [min(1 - left(t + 1) / left(t), 0.999) for t in range(length)]


@pytest.mark.parametrize("length", [1000, 100])
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_schedule_is_the_product_of_one_minus_beta(kind, length):
    schedule, product = noise_schedule(kind, length), 1.0
    for t, beta in enumerate(betas(kind, length)):
        product *= 1 - beta
        assert schedule.alpha[t] == pytest.approx(math.sqrt(product), rel=1e-12)
        assert schedule.sigma[t] == pytest.approx(math.sqrt(1 - product), rel=1e-9)  # 1 - product cancels digits
    assert schedule.length == length


def test_known_values_of_the_papers():
    assert noise_schedule("linear").alpha[-1] ** 2 == pytest.approx(4.0358e-5, rel=1e-4)
    assert noise_schedule("cosine").alpha[499] ** 2 == pytest.approx(0.4938, abs=1e-3)


def test_the_flow_goes_straight_from_image_to_noise():
    schedule = noise_schedule("flow", 4)
    np.testing.assert_allclose(schedule.sigma, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(schedule.alpha, [0.75, 0.5, 0.25, 0])


@pytest.mark.parametrize("kind", diffusion.NOISE_SCHEDULES)
@pytest.mark.parametrize("length", [2, 7, 1000])
def test_the_image_fades_at_every_step_of_any_length(kind, length):
    schedule = noise_schedule(kind, length)
    assert schedule.alpha.dtype == schedule.sigma.dtype == np.float64
    assert (np.diff(schedule.snr) < 0).all()
    assert (schedule.sigma > 0).all()
    assert schedule.alpha[-1] < 0.3 if length < 10 else schedule.alpha[-1] < 0.01


# Each paper's own words: epsilon, the image, v = alpha epsilon - sigma x_0, and the velocity epsilon - x_0.
TARGETS = {
    "epsilon": lambda x0, noise, alpha, sigma: noise,
    "x0": lambda x0, noise, alpha, sigma: x0,
    "v": lambda x0, noise, alpha, sigma: alpha * noise - sigma * x0,
    "flow": lambda x0, noise, alpha, sigma: noise - x0,
}


def test_every_prediction_has_a_formula_here():
    assert set(TARGETS) == set(PREDICTIONS)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("kind", diffusion.NOISE_SCHEDULES)
def test_a_prediction_tells_the_image_and_the_noise(kind, prediction):
    schedule = noise_schedule(kind, 50)
    for t in (0, 20, 45):
        alpha, sigma = schedule.alpha[t], schedule.sigma[t]
        x = diffusion.q_sample(X0, NOISE, alpha, sigma)
        np.testing.assert_allclose(x, alpha * X0 + sigma * NOISE, rtol=1e-15)
        said = diffusion.target(prediction, X0, NOISE, alpha, sigma)
        np.testing.assert_allclose(said, TARGETS[prediction](X0, NOISE, alpha, sigma), rtol=1e-12)
        np.testing.assert_allclose(diffusion.to_x0(prediction, said, x, alpha, sigma), X0, rtol=0, atol=1e-10)
        np.testing.assert_allclose(diffusion.to_noise(prediction, said, x, alpha, sigma), NOISE, rtol=0, atol=1e-10)


def test_each_image_of_a_batch_has_its_own_timestep():
    schedule, timesteps = noise_schedule("cosine", 10), [9, 0, 4]
    alpha, sigma = (diffusion.at(table, ops.convert_to_tensor(timesteps)) for table in schedule)
    images, noise = (ops.convert_to_tensor(part, "float32") for part in (X0, NOISE))
    found = ops.convert_to_numpy(diffusion.q_sample(images, noise, alpha, sigma))
    for image, t in enumerate(timesteps):
        expected = schedule.alpha[t] * X0[image] + schedule.sigma[t] * NOISE[image]
        np.testing.assert_allclose(found[image], expected, rtol=0, atol=1e-6)


# Section 3.4 of the paper, each in the snr alone (v's for alpha^2 + sigma^2 = 1).
MIN_SNR = {
    "epsilon": lambda snr: np.minimum(snr, 5) / snr,
    "x0": lambda snr: np.minimum(snr, 5),
    "v": lambda snr: np.minimum(snr, 5) / (snr + 1),
}


@pytest.mark.parametrize("prediction", MIN_SNR)
def test_min_snr_weights_are_the_papers(prediction):
    schedule = noise_schedule("cosine", 100)
    found = diffusion.loss_weights(schedule, prediction, 5.0)
    np.testing.assert_allclose(found, MIN_SNR[prediction](schedule.snr), rtol=1e-6)
    assert (diffusion.loss_weights(schedule, prediction) == 1).all()


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_min_snr_weighs_the_error_of_the_image_alike_whatever_is_predicted(kind):
    """An output that is off by a little puts the image off: weighed by it, all four losses are one."""
    schedule, found = noise_schedule(kind, 100), []
    for prediction in PREDICTIONS:
        weights, errors = diffusion.loss_weights(schedule, prediction, 5.0), []
        for t in range(0, 100, 7):
            alpha, sigma = schedule.alpha[t], schedule.sigma[t]
            off = diffusion.to_x0(prediction, 1.001, 1.0, alpha, sigma) - diffusion.to_x0(
                prediction, 1, 1, alpha, sigma
            )
            errors.append(weights[t] * (0.001 / off) ** 2)
        found.append(errors)
    for errors in found:
        np.testing.assert_allclose(errors, np.minimum(schedule.snr, 5)[::7], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: noise_schedule("quadratic"), "got 'quadratic'; allowed: linear, cosine, flow"),
        (lambda: noise_schedule("linear", 1), "timesteps: got 1; expected a whole number of at least 2"),
        (lambda: noise_schedule("linear", 10.0), "timesteps: got 10.0"),
        (lambda: diffusion.target("noise", 1, 1, 1, 1), "got 'noise'; allowed: epsilon, x0, v, flow"),
        (lambda: diffusion.loss_weights(noise_schedule("linear"), "eps"), "prediction: got 'eps'"),
    ],
)
def test_what_is_not_allowed_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
