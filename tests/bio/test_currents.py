import numpy as np
import pytest

from kzoo.bio import currents
from kzoo.errors import ParameterError

NA = 1e-9


def test_constant_step_and_ramp_by_hand():
    np.testing.assert_array_equal(currents.constant(3e-3, 1e-3, NA), [NA] * 3)
    np.testing.assert_array_equal(
        currents.step(6e-3, 1e-3, NA, start=2e-3, stop=4e-3, baseline=-NA), [-NA, -NA, NA, NA, -NA, -NA]
    )
    np.testing.assert_allclose(
        currents.ramp(6e-3, 1e-3, 4 * NA, start=1e-3, stop=5e-3), [0, 0, NA, 2 * NA, 3 * NA, 4 * NA], atol=1e-24
    )
    np.testing.assert_allclose(currents.ramp(4e-3, 1e-3, NA, baseline=5 * NA), [5 * NA, 4 * NA, 3 * NA, 2 * NA])


def test_a_step_lasts_by_default_from_a_fifth_to_four_fifths():
    on = np.flatnonzero(currents.step(1.0, 1e-4, NA))
    assert (on[0], on[-1] + 1) == (2000, 8000)


def test_a_step_begins_in_the_step_that_its_time_falls_on():
    # 0.3 / 0.1 is above 3 in binary once multiplied back, 0.7 / 0.1 below 7.
    for k in range(1, 20):
        assert np.flatnonzero(currents.step(2.0, 0.1, NA, start=k * 0.1, stop=2.0))[0] == k
        # Between two steps it waits for the next.
        assert np.flatnonzero(currents.step(2.5, 0.1, NA, start=k * 0.1 + 0.04, stop=2.5))[0] == k + 1


def test_a_sine_has_its_amplitude_frequency_phase_and_baseline():
    t = np.arange(1000) * 1e-3
    made = currents.sine(1.0, 1e-3, NA, frequency=7, phase=0.4, baseline=2 * NA)
    np.testing.assert_allclose(made, 2 * NA + NA * np.sin(2 * np.pi * 7 * t + 0.4), rtol=1e-12)


def test_pulses_come_with_their_frequency_width_and_start():
    made = currents.pulses(1.0, 1e-4, NA, frequency=30, width=5e-3, start=0.1)
    begins = np.flatnonzero(np.diff(made) > 0) + 1
    assert len(begins) == 27  # 0.9 s of 30 Hz
    np.testing.assert_allclose(begins * 1e-4, 0.1 + np.arange(27) / 30, atol=1.01e-4)
    assert made.sum() / NA == pytest.approx(27 * 50, abs=27)


def test_pulses_that_fall_on_steps_have_them_to_the_step():
    on = np.flatnonzero(currents.pulses(1.0, 1e-4, NA, frequency=20, width=5e-3, start=0.2))
    np.testing.assert_array_equal(on, (2000 + 500 * np.arange(16)[:, None] + np.arange(50)).ravel())


def test_white_noise_has_its_density_whatever_the_step():
    for dt in (1e-4, 1e-3):
        made = currents.noise(20.0, dt, 3 * NA, sigma=0.02e-9)
        bound = 5 * 0.02e-9 / np.sqrt(20.0)  # five standard errors of the mean over 20 s
        assert abs(made.mean() - 3 * NA) < bound
        assert made.std() * np.sqrt(dt) == pytest.approx(0.02e-9, rel=5 / np.sqrt(2 * len(made)))


def test_ornstein_uhlenbeck_has_its_deviation_and_memory():
    made = currents.ornstein_uhlenbeck(200.0, 1e-3, 3 * NA, sigma=0.1 * NA, tau=5e-3) - 3 * NA
    samples = 200 / (2 * 5e-3)  # that are independent of one another
    assert made.std() == pytest.approx(0.1 * NA, rel=5 / np.sqrt(2 * samples))
    for lag in (1, 5, 20):
        expected = np.exp(-lag / 5)
        found = (made[lag:] * made[:-lag]).mean() / made.var()
        assert found == pytest.approx(expected, abs=5 / np.sqrt(samples))
    starts = [currents.ornstein_uhlenbeck(1e-3, 1e-3, 0.0, sigma=NA, seed=seed)[0] for seed in range(1000)]
    assert np.std(starts) == pytest.approx(NA, rel=5 / np.sqrt(2000))  # stationary from the first step on


@pytest.mark.parametrize("make", [currents.noise, currents.ornstein_uhlenbeck])
def test_noise_is_decided_by_its_seed(make):
    one, same, other = (make(0.1, 1e-4, NA, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_an_array_of_ones_own_is_held():
    np.testing.assert_array_equal(currents.from_array([1, 2, 3], 6e-3, 1e-3), [1, 1, 2, 2, 3, 3])
    np.testing.assert_array_equal(currents.from_array([1, 2], 5e-3, 1e-3, interval=1e-3), [1, 2, 2, 2, 2])
    values = np.arange(1000.0)
    np.testing.assert_array_equal(currents.from_array(values, 0.1, 1e-4), values)
    np.testing.assert_array_equal(currents.from_array(values, 0.1, 1e-4, interval=1e-4), values)
    np.testing.assert_array_equal(currents.from_array(values, 0.05, 1e-4, interval=5e-5), values[::2])
    for interval in (1e-21, 1e-300, 5e-324):  # so short that only the last is left
        assert currents.from_array([1, 2], 3e-3, 1e-3, interval=interval)[1:].tolist() == [2, 2]


@pytest.mark.parametrize("name", currents.CURRENTS)
def test_every_waveform_gives_one_finite_number_for_each_step(name):
    for duration, dt, steps in ((0.5, 1e-4, 5000), (1e-4, 1e-4, 1), (2.1, 1e-3, 2100)):
        made = currents.CURRENTS[name](duration, dt, 0.3 * NA)
        assert made.dtype == np.float64
        assert made.shape == (steps,)
        assert np.isfinite(made).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: currents.constant(0, 1e-4, NA), r"duration: got 0 ms; expected a finite number at least 0.1 ms"),
        (lambda: currents.constant(float("nan"), 1e-4, NA), "duration: got nan ms"),
        (lambda: currents.constant(1, 0, NA), "dt: got 0 ms; expected a finite number above 0 ms"),
        (lambda: currents.constant(1, 1e-4, float("inf")), "amplitude: got inf nA"),
        (lambda: currents.constant(1, 1e-4, "1 nA"), "amplitude: got '1 nA'"),
        (lambda: currents.step(1, 1e-4, NA, start=2), "start: got 2000 ms; expected .* at most 1000 ms"),
        (lambda: currents.step(1, 1e-4, NA, start=0.5, stop=0.4), "stop: got 400 ms; expected .* at least 500 ms"),
        (lambda: currents.ramp(1, 1e-4, NA, baseline=float("nan")), "baseline: got nan nA"),
        (lambda: currents.sine(1, 1e-3, NA, frequency=501), "frequency: got 501 Hz; expected .* at most 500 Hz"),
        (lambda: currents.sine(1, 1e-3, NA, frequency=-1), "frequency: got -1 Hz"),
        (lambda: currents.sine(1, 1e-3, NA, phase=None), "phase: got None"),
        (lambda: currents.pulses(1, 1e-3, NA, frequency=0), "frequency: got 0 Hz"),
        (lambda: currents.pulses(1, 1e-3, NA, width=0.1), "width: got 100 ms; expected .* at most 50 ms"),
        (lambda: currents.noise(1, 1e-3, NA, sigma=-NA), "sigma: got -1 nA √s"),
        (lambda: currents.noise(1, 1e-3, NA, seed=-1), "seed: got -1"),
        (lambda: currents.noise(1, 1e-3, NA, seed=1.5), "seed: got 1.5"),
        (lambda: currents.ornstein_uhlenbeck(1, 1e-3, NA, tau=0), "tau: got 0 ms"),
        (lambda: currents.from_array([1, float("nan")], 1, 1e-3), "values: got nan A at index 1"),
        (lambda: currents.from_array([], 1, 1e-3), r"values: got an array of shape \(0,\)"),
        (lambda: currents.from_array([1], 1, 1e-3, interval=0), "interval: got 0 ms"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
