"""The samplers beside their papers' equations in float64, and beside flows whose solution is known."""

import itertools
import math

import numpy as np
import pytest
from keras import ops

from kzoo.ops import denoising, random
from kzoo.ops.diffusion import PREDICTIONS, NoiseSchedule, noise_schedule, target, to_noise, to_x0

SHAPE = (2, 3, 3, 1)


def network(x, t, k=np):
    """No diffusion model of anything, but a smooth function of both: its errors would show."""
    return 0.4 * k.sin(x + t / 300) + 0.2 * x


def betas_of(schedule):
    squared = schedule.alpha**2
    return 1 - squared / np.append(1, squared[:-1])


def by_ddpm(x, schedule, draws):
    """Algorithm 2 of DDPM over all timesteps, with the posterior variance of its equation 7."""
    betas, bar = betas_of(schedule), schedule.alpha**2
    for step, t in enumerate(range(schedule.length - 1, -1, -1)):
        before = bar[t - 1] if t else 1.0
        epsilon = network(x, t)
        x = (x - betas[t] / math.sqrt(1 - bar[t]) * epsilon) / math.sqrt(1 - betas[t])
        x = x + math.sqrt((1 - before) / (1 - bar[t]) * betas[t]) * draws[step]
    return x


def by_ddim(x, schedule, asked, eta, draws):
    """Equation 12 of DDIM with the sigma of its equation 16."""
    bar = schedule.alpha**2
    for step, t in enumerate(asked):
        before = bar[asked[step + 1]] if step + 1 < len(asked) else 1.0
        epsilon = network(x, t)
        sigma = eta * math.sqrt((1 - before) / (1 - bar[t])) * math.sqrt(1 - bar[t] / before)
        x0 = (x - math.sqrt(1 - bar[t]) * epsilon) / math.sqrt(bar[t])
        x = math.sqrt(before) * x0 + math.sqrt(max(1 - before - sigma**2, 0)) * epsilon + sigma * draws[step]
    return x


def by_dpm_solver(x, schedule, asked):
    """Algorithm 2 of DPM-Solver++, whose last step is of first order and goes to the image."""
    logs, old = np.log(schedule.alpha / schedule.sigma), None
    for step, t in enumerate(asked):
        x0 = (x - schedule.sigma[t] * network(x, t)) / schedule.alpha[t]
        if step + 1 == len(asked):
            return x0
        u = asked[step + 1]
        h, direction = logs[u] - logs[t], x0
        if step:
            r = (logs[t] - logs[asked[step - 1]]) / h
            direction = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * old
        x = schedule.sigma[u] / schedule.sigma[t] * x - schedule.alpha[u] * (math.exp(-h) - 1) * direction
        old = x0
    return None


def noise(seed=0):
    return np.random.default_rng(seed).normal(size=SHAPE)


KEY = np.array([7, 0], "int32")


def draws_of(steps):
    """What step i adds is drawn with the key + (0, 1 + i)."""
    keys = [ops.convert_to_tensor(KEY + np.array([0, 1 + i], "int32")) for i in range(steps)]
    return [ops.convert_to_numpy(random.normal(SHAPE, key)).astype("float64") for key in keys]


def walked(sampler, schedule, asked, eta=0.0, **options):
    steps = denoising.plan(sampler, schedule, asked, eta).rounded()
    options = {"clip": False, "key": KEY if steps.of_noise.any() else None, **options}

    def predict(x, t):
        return network(x, ops.cast(t, "float32"), ops)

    return denoising.denoise(predict, noise().astype("float32"), steps, "epsilon", **options)


def apart(found, expected):
    return np.abs(ops.convert_to_numpy(found) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_ddpm_is_its_algorithm(kind):
    schedule = noise_schedule(kind, 20)
    expected = by_ddpm(noise(), schedule, draws_of(20))
    assert apart(walked("ddpm", schedule, np.arange(19, -1, -1)), expected) < 1e-5


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spacing", denoising.SPACINGS)
def test_ddim_is_its_equation(spacing, eta):
    schedule, asked = noise_schedule("linear", 1000), denoising.timesteps(1000, 12, spacing)
    expected = by_ddim(noise(), schedule, asked, eta, draws_of(12))
    assert apart(walked("ddim", schedule, asked, eta), expected) < 1e-5


@pytest.mark.parametrize("steps", [1, 2, 3, 12])
def test_dpm_solver_is_its_algorithm(steps):
    schedule, asked = noise_schedule("linear", 1000), denoising.timesteps(1000, steps)
    assert apart(walked("dpm_solver", schedule, asked), by_dpm_solver(noise(), schedule, asked)) < 1e-5


def gaussian_error(sampler, steps, deviation=0.5):
    """How far from the exact flow: of images x_0 ~ N(0, s^2) all is known, x_u / x_t = s_u / s_t."""
    # lambda in equal steps, where the order of a method shows.
    half_log_snr = np.linspace(-4, 4, steps)
    schedule = NoiseSchedule(1 / np.sqrt(1 + np.exp(-2 * half_log_snr)), 1 / np.sqrt(1 + np.exp(2 * half_log_snr)))
    schedule = NoiseSchedule(schedule.alpha[::-1], schedule.sigma[::-1])
    table = denoising.plan(sampler, schedule, np.arange(steps - 1, -1, -1))
    spread = np.sqrt((table.alpha * deviation) ** 2 + table.sigma**2)
    x, before = 1.0, 0.0
    for i in range(steps - 1):  # the last one goes to the image, which is no step of the flow
        x0 = table.alpha[i] * deviation**2 / spread[i] ** 2 * x
        x, before = table.of_x[i] * x + table.of_x0[i] * x0 + table.of_before[i] * before, x0
    return abs(x - spread[-1] / spread[0])


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm_solver", 2)])
def test_the_error_falls_with_the_order_of_the_method(sampler, order):
    errors = [gaussian_error(sampler, steps) for steps in (41, 81, 161)]
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


def test_along_straight_paths_ddim_is_eulers_method():
    schedule, asked = noise_schedule("flow", 100), denoising.timesteps(100, 10)
    table = denoising.plan("ddim", schedule, asked)
    x, velocity = noise(), noise(1)
    for i in range(10):
        x0 = to_x0("flow", velocity, x, table.alpha[i], table.sigma[i])
        later = table.sigma[i + 1] if i < 9 else 0.0
        expected = x + (later - table.sigma[i]) * velocity
        np.testing.assert_allclose(table.of_x[i] * x + table.of_x0[i] * x0, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sampler", denoising.SAMPLERS)
@pytest.mark.parametrize("kind", ["linear", "cosine", "flow"])
def test_a_network_that_knows_the_image_leads_to_it(kind, sampler):
    """With the image itself for x_0 every sampler ends in it, whatever lies between: the table's sums are right."""
    schedule, image = noise_schedule(kind, 30), np.full(SHAPE, 0.3, "float32")
    table = denoising.plan(sampler, schedule, denoising.timesteps(30, 10))
    np.testing.assert_allclose(
        (table.of_x * table.alpha + table.of_x0 + table.of_before)[1:], np.append(table.alpha[2:], 1), rtol=1e-9
    )
    found = denoising.denoise(
        lambda x, t: ops.convert_to_tensor(image), noise().astype("float32"), table.rounded(), "x0", key=KEY
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_what_is_predicted_changes_no_path(prediction):
    schedule, asked = noise_schedule("cosine", 50), denoising.timesteps(50, 5, "leading")
    image = noise(3).astype("float32")
    alpha, sigma = (np.asarray(table, "float32") for table in schedule)

    def predict(x, t):
        now = ops.take(ops.convert_to_tensor(alpha), t), ops.take(ops.convert_to_tensor(sigma), t)
        known = ops.tanh(ops.convert_to_tensor(image) + 0.1 * x)
        return target(prediction, known, to_noise("x0", known, x, *now), *now)

    def by(name):
        steps = denoising.plan("ddim", schedule, asked).rounded()
        return ops.convert_to_numpy(denoising.denoise(predict, noise().astype("float32"), steps, name, clip=False))

    found = by(prediction)
    x, table = noise(), denoising.plan("ddim", schedule, asked)
    for i in range(5):
        x = table.of_x[i] * x + table.of_x0[i] * np.tanh(image + 0.1 * x)
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-5)


def test_every_step_is_kept_and_the_image_is_clipped():
    schedule, asked = noise_schedule("linear", 100), denoising.timesteps(100, 6)
    images, states, guesses = (ops.convert_to_numpy(part) for part in walked("ddim", schedule, asked, keep=True))
    assert states.shape == guesses.shape == (6, *SHAPE)
    np.testing.assert_array_equal(states[-1], images)
    np.testing.assert_array_equal(guesses[-1], images)
    clipped = ops.convert_to_numpy(walked("ddim", schedule, asked, keep=True, clip=True)[2])
    assert np.abs(guesses[0]).max() > 1
    np.testing.assert_array_equal(clipped[0], np.clip(guesses[0], -1, 1))


def test_guidance_leads_away_from_no_class():
    def predict(x, timestep, labels):
        return x * ops.reshape(ops.cast(labels, "float32"), (-1, 1, 1, 1)) + ops.cast(timestep, "float32")

    x, labels = np.ones(SHAPE, "float32"), ops.convert_to_tensor(np.array([2, 3], "int32"))
    for scale in (0.0, 1.0, 3.0):
        found = ops.convert_to_numpy(denoising.guided(predict, labels, 10, scale)(ops.convert_to_tensor(x), 5))
        expected = 15 + scale * (np.array([7, 8]) - 15)
        np.testing.assert_allclose(found[:, 0, 0, 0], expected, rtol=1e-6)


def test_the_spacings():
    assert denoising.timesteps(1000, 4, "leading").tolist() == [750, 500, 250, 0]
    assert denoising.timesteps(1000, 4, "trailing").tolist() == [999, 749, 499, 249]
    assert denoising.timesteps(1000, 4, "linspace").tolist() == [999, 666, 333, 0]
    for spacing in denoising.SPACINGS:
        for steps in (1, 3, 7, 10):
            found = denoising.timesteps(10, steps, spacing)
            assert len(set(found.tolist()) & set(range(10))) == steps
            assert (np.diff(found) < 0).all()


LINEAR = noise_schedule("linear", 100)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: denoising.timesteps(1000, 1001), "got 1001; expected a whole number from 1 to 1000.*Take fewer steps"),
        (lambda: denoising.timesteps(1000, 0), "steps: got 0"),
        (lambda: denoising.timesteps(1000, 10.0), "steps: got 10.0"),
        (lambda: denoising.timesteps(1000, 10, "even"), "got 'even'; allowed: leading, trailing, linspace"),
        (lambda: denoising.plan("euler", LINEAR, [5]), "got 'euler'; allowed: ddpm, ddim, dpm_solver"),
        (lambda: denoising.plan("ddim", LINEAR, [5], 1.5), "eta: got 1.5"),
        (lambda: denoising.plan("dpm_solver", LINEAR, [5], 0.5), "leave it out"),
        (lambda: denoising.plan("ddim", LINEAR, [5, 6]), "expected falling numbers from 99 to 0"),
        (lambda: denoising.plan("ddim", LINEAR, [100]), r"timesteps: got \[100\]"),
    ],
)
def test_what_is_not_allowed_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
