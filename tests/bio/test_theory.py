import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special

from kzoo.bio import LIF, analysis, rates, simulate, theory
from kzoo.errors import ParameterError

DT = 1e-4
# Brunel's neuron: volts from rest.
BRUNEL = {"tau": 20e-3, "threshold": 20e-3, "reset": 10e-3, "t_ref": 2e-3}


def naive_siegert(mu, sigma, tau, threshold, reset, t_ref):
    """The formula as it is printed, by adaptive quadrature."""
    inside, _ = integrate.quad(
        lambda x: math.exp(x * x) * (1 + math.erf(x)), (reset - mu) / sigma, (threshold - mu) / sigma, epsrel=1e-12
    )
    return 1 / (t_ref + tau * math.sqrt(math.pi) * inside)


def test_a_membrane_below_threshold_is_what_the_simulation_gives():
    p = LIF()
    recording = simulate(p, np.full(2000, 0.15e-9), DT, -80e-3)
    expected = theory.membrane(p, 0.15e-9, recording.times, -80e-3)
    np.testing.assert_allclose(recording.voltage[:, 0], expected, rtol=0, atol=1e-13)
    assert theory.membrane(p, 0.1e-9, p.tau) == pytest.approx(-70e-3 + 10e-3 * (1 - math.exp(-1)))
    assert theory.membrane(p, 0.1e-9, [0.0]).tolist() == [p.v_rest]


@pytest.mark.parametrize("frequency", [2.0, 8.0, 60.0])
def test_a_membrane_follows_a_sine_with_its_gain_and_phase(frequency):
    p, dt, amplitude = LIF(), 1e-5, 0.1e-9
    middle = (np.arange(50_000) + 0.5) * dt  # of each step, so that holding the current costs no phase
    voltage = simulate(p, amplitude * np.sin(2 * np.pi * frequency * middle), dt).voltage[:, 0]
    gain, phase = theory.sine_response(p, frequency)
    t = np.arange(50_000) * dt
    settled = t > 0.4  # 20 tau
    expected = p.v_rest + gain * amplitude * np.sin(2 * np.pi * frequency * t + phase)
    np.testing.assert_allclose(voltage[settled], expected[settled], rtol=0, atol=1e-5 * amplitude * gain)


def test_gain_and_phase_at_the_corner_frequency():
    p = LIF()
    gain, phase = theory.sine_response(p, [0.0, 1 / (2 * np.pi * p.tau)])
    np.testing.assert_allclose(gain, [100e6, 100e6 / math.sqrt(2)])
    np.testing.assert_allclose(phase, [0, -math.pi / 4], atol=1e-15)


def test_the_curve_in_continuous_time_is_the_limit_of_fine_steps():
    p = LIF()
    current = np.linspace(0.0, 2e-9, 9)
    by_hand = 1 / (2e-3 + 20e-3 * math.log((-70e-3 + 0.1 + 65e-3) / (-70e-3 + 0.1 + 50e-3)))
    assert theory.rate(p, 1e-9) == pytest.approx(by_hand, rel=1e-12)
    assert theory.rate(p, current)[0] == 0
    assert np.isinf(theory.interval(p, 0.2e-9))  # the rheobase itself
    np.testing.assert_allclose(theory.rate_on_grid(p, current, 1e-7), theory.rate(p, current), rtol=1e-4)
    assert theory.rate(p, 1.0) == pytest.approx(1 / p.t_ref, rel=1e-3)


def test_without_a_refractory_time_an_interval_has_one_step_more_than_the_climb():
    p, climb = LIF(t_ref=0), theory.interval(LIF(t_ref=0), 0.3e-9)
    found = theory.interval_on_grid(p, 0.3e-9, DT)
    assert found == pytest.approx((math.floor(climb / DT) + 1) * DT)
    gaps = np.diff(simulate(p, np.full(3000, 0.3e-9), DT).spike_times())
    np.testing.assert_allclose(gaps, found, rtol=0, atol=1e-13)
    np.testing.assert_allclose(theory.interval_on_grid(LIF(t_ref=1e-4), 0.3e-9, DT), found)


@pytest.mark.parametrize("sigma", [2e-3, 5e-3, 20e-3])
@pytest.mark.parametrize("mu", [0.0, 10e-3, 15e-3, 20e-3, 22e-3, 60e-3])
def test_siegert_is_the_printed_formula(mu, sigma):
    while abs((20e-3 - mu) / sigma) > 3 or abs((10e-3 - mu) / sigma) > 3:
        sigma *= 2  # beyond, the printed form loses its digits
    expected = naive_siegert(mu, sigma, 20e-3, 20e-3, 10e-3, 2e-3)
    assert theory.siegert(mu, sigma, **BRUNEL) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1e3, -10), (-600, -400), (-1e5, 1), (-30, 25), (5, 5.01), (-5.01, -5), (-0.1, 0.1), (10, 26), (-1e9, -1e8)],
)
def test_the_integral_holds_for_large_arguments(low, high):
    # erfcx(-x), piece by piece: quad is lost on a range of many decades.
    edges = [low, *[e for e in (-1e8, -1e6, -1e4, -1e3, -1e2, -10, -3, 0, 3, 10, 20) if low < e < high], high]
    pieces = [
        integrate.quad(lambda x: special.erfcx(-x), a, b, epsabs=0, epsrel=1e-13, limit=400)[0]
        for a, b in itertools.pairwise(edges)
    ]
    assert theory._integral(np.array(low, float), np.array(high, float)) == pytest.approx(math.fsum(pieces), rel=1e-11)


def test_siegert_without_noise_is_the_curve_without_noise_and_weak_noise_comes_near_it():
    p = LIF()
    current = np.array([0.1e-9, 0.19e-9, 0.25e-9, 1e-9, 10e-9])
    exact = theory.rate(p, current)
    np.testing.assert_allclose(theory.rate_under_noise(p, current, 0.0), exact, rtol=1e-12)
    for sigma in (1e-300, 1e-20, 1e-15, 1e-12, 1e-9, 1e-7):
        np.testing.assert_allclose(theory.rate_under_noise(p, current, sigma), exact, rtol=1e-6)


@pytest.mark.parametrize("sigma", [1e-4, 1e-7, 1e-11])
def test_the_weakest_noise_makes_a_neuron_fire_whose_mean_is_the_threshold(sigma):
    # √π ∫ erfcx from 0 to x is ln(2x) + γ/2 for a large x, to 1 / (2x)².
    climb = math.log(2 * 10e-3 / sigma) + np.euler_gamma / 2
    expected = 1 / (2e-3 + 20e-3 * climb)
    assert theory.siegert(20e-3, sigma, **BRUNEL) == pytest.approx(expected, rel=(sigma / 10e-3) ** 2 + 1e-14)


def test_siegert_stays_finite_and_rises_with_the_mean():
    mu = np.linspace(-1, 10, 4001)
    for sigma in (1e-4, 1e-3, 1e-2, 1.0):
        found = theory.siegert(mu, sigma, **BRUNEL)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert (found < 500).all()
        assert (np.diff(found) >= -1e-9).all()


def test_siegert_takes_arrays_of_means_and_of_deviations():
    mu, sigma = np.linspace(0, 30e-3, 5)[:, None], np.linspace(0, 8e-3, 4)
    found = theory.siegert(mu, sigma, **BRUNEL)
    assert found.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            assert found[i, j] == pytest.approx(theory.siegert(mu[i, 0], sigma[j], **BRUNEL), rel=1e-12)


def test_the_values_of_the_correction():
    # Measured with 4,000 neurons for 20 s: 8.832, 18.722 and 34.192 Hz, standard errors 0.009, 0.010 and 0.011.
    mu = np.array([15e-3, 18e-3, 22e-3])
    np.testing.assert_allclose(theory.siegert(mu, 5e-3, **BRUNEL), [9.461, 19.620, 35.302], atol=1e-3)
    np.testing.assert_allclose(theory.siegert(mu, 5e-3, **BRUNEL, dt=DT), [8.832, 18.722, 34.192], atol=0.03)
    # Below the threshold it is the constant alone; above it, at 22 mV, a little more.
    raised = {**BRUNEL, "threshold": 20e-3 + 0.5825971579390106 * 5e-3 * math.sqrt(DT / 20e-3), "t_ref": 1.9e-3}
    corrected, constant = theory.siegert(mu, 5e-3, **BRUNEL, dt=DT), theory.siegert(mu, 5e-3, **raised)
    np.testing.assert_allclose(corrected[:2], constant[:2], rtol=1e-12)
    assert 0.9995 < corrected[2] / constant[2] < 0.9998


def test_a_walk_is_seen_beyond_its_barrier_by_the_overshoot():
    # Spitzer's sum, long enough for each of these drifts.
    n = np.arange(1, 200_001)
    for drift in (0.02, 0.1, 0.5, 0.99, 1.01, 3.0, 40.0):
        z = np.sqrt(n) * drift
        below = (np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) - z * special.ndtr(-z)) / np.sqrt(n)
        assert theory.overshoot(drift) == pytest.approx((1 + drift**2) / (2 * drift) - below.sum(), abs=2e-5)
    np.testing.assert_array_equal(theory.overshoot([-3.0, -0.01, 0.0]), theory.SEEN_AFTER_STEPS)
    assert theory.overshoot(1e100) == pytest.approx(0.5e100)
    # And walks themselves.
    for drift in (0.3, 2.0):
        steps = drift + np.random.default_rng(0).standard_normal((4000, 400))
        walks = np.cumsum(steps, 1)
        barrier = 20.0
        first = (walks > barrier).argmax(1)
        beyond = walks[np.arange(4000), first] - barrier
        assert beyond.min() > 0
        assert beyond.mean() == pytest.approx(theory.overshoot(drift), abs=5 * beyond.std() / math.sqrt(4000))


@pytest.mark.parametrize(("mu", "sigma"), [(50e-3, 1e-3), (50e-3, 5e-3), (150e-3, 5e-3)])
def test_the_correction_holds_where_the_mean_moves_the_voltage_more_than_the_noise(mu, sigma):
    p, dt = LIF(tau=20e-3, resistance=1.0, v_rest=0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3), 5e-4
    found = rates(p, np.full(2000, mu), 1.2, dt, sigma=sigma, skip=0.2)
    assert found.std() / np.sqrt(2000) / found.mean() < 0.0005
    assert found.mean() == pytest.approx(theory.rate_under_noise(p, mu, sigma, dt), rel=0.004)
    assert abs(found.mean() / theory.rate_under_noise(p, mu, sigma) - 1) > 0.005


@pytest.mark.parametrize("mu", [15e-3, 22e-3, 50e-3])
def test_the_variation_of_intervals_is_that_of_a_simulation(mu):
    p = LIF(tau=20e-3, resistance=1.0, v_rest=0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3)
    gaps, _ = analysis.intervals(simulate(p, np.full((50_000, 100), mu), DT, sigma=5e-3))
    found = gaps.std() / gaps.mean()
    # Five standard errors of a deviation; and a time of 5 s misses a few of the longest intervals.
    assert found == pytest.approx(theory.cv_under_noise(p, mu, 5e-3, DT), rel=5 / math.sqrt(2 * len(gaps)) + 0.005)
    assert theory.siegert_cv(mu, 5e-3, **BRUNEL) == pytest.approx(found, rel=0.03)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 1.0), (-3.0, -2.0), (0.5, 2.0), (-2.0, 3.0), (-5.0, -0.1), (1.0, 1.01)]
)
def test_the_variance_is_the_printed_double_integral(low, high):
    def inner(x):
        return integrate.quad(lambda y: math.exp(-y * y) * special.erfcx(-y) ** 2, -20, x, epsabs=0, limit=200)[0]

    expected, _ = integrate.quad(lambda x: math.exp(x * x) * inner(x), low, high, epsabs=0)
    assert theory._spread(low, high) == pytest.approx(expected, rel=1e-7)


def test_the_variation_has_its_limits():
    # Weak noise: the variance of a first passage is tau² / 2 (1 / high² - 1 / low²).
    for sigma in (1e-4, 1e-7, 1e-10):
        expected = theory.rate_under_noise(LIF(), 0.4e-9, sigma) * 20e-3 * sigma
        expected *= math.sqrt((1 / 20e-3**2 - 1 / 35e-3**2) / 2)
        assert theory.cv_under_noise(LIF(), 0.4e-9, sigma) == pytest.approx(expected, rel=1e-4)
    found = theory.siegert_cv([30e-3, 0.0, 0.0, 20e-3, 10e-3], [0.0, 0.0, 1e-3, 0.0, 2e-3], **BRUNEL)
    assert found[0] == 0
    assert np.isnan(found[1:4]).all()  # these do not fire
    assert found[4] == pytest.approx(1, abs=1e-3)  # seldom, and so as a Poisson process
    assert theory.siegert_cv(18e-3, [[5e-3], [6e-3]], **BRUNEL).shape == (2, 1)


def test_without_noise_the_corrected_rate_is_that_on_the_grid():
    p = LIF()
    current = np.linspace(0, 2e-9, 50)
    np.testing.assert_allclose(theory.rate_under_noise(p, current, 0.0, DT), theory.rate_on_grid(p, current, DT))
    assert np.isfinite(theory.rate_under_noise(p, current, 1e-300, DT)).all()


def test_the_correction_holds_for_a_coarse_step():
    p, dt = LIF(tau=20e-3, resistance=1.0, v_rest=0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3), 5e-4
    found = rates(p, np.full(2000, 18e-3), 10.3, dt, sigma=5e-3, skip=0.3)
    assert found.std() / np.sqrt(2000) / found.mean() < 0.002
    assert found.mean() == pytest.approx(theory.rate_under_noise(p, 18e-3, 5e-3, dt), rel=0.01)
    assert abs(found.mean() / theory.rate_under_noise(p, 18e-3, 5e-3) - 1) > 0.05


@pytest.mark.parametrize(("g", "eta", "expected"), [(3, 2, 327.0), (6, 4, 55.8), (5, 2, 37.95), (4.5, 0.9, 6.5)])
def test_brunels_four_regimes_have_their_rates(g, eta, expected):
    found = theory.brunel_rates(g, eta)
    assert found == pytest.approx([expected], rel=3e-3)
    (nu,) = found
    outside = eta * 20e-3 / (0.1e-3 * 1000 * 20e-3)
    assert outside == pytest.approx(eta * 10)
    mu = 20e-3 * 0.1e-3 * (1000 * outside + 1000 * nu - 250 * g * nu)
    sigma = math.sqrt(20e-3 * (0.1e-3) ** 2 * (1000 * outside + 1000 * nu + 250 * g**2 * nu))
    edges = (10e-3 - mu) / sigma, (20e-3 - mu) / sigma
    inside, _ = integrate.quad(lambda x: special.erfcx(-x), *edges, epsabs=0, epsrel=1e-12)
    assert 1 / nu == pytest.approx(2e-3 + 20e-3 * math.sqrt(math.pi) * inside, rel=1e-9)


def test_a_network_with_little_drive_and_little_inhibition_has_three_rates():
    low, middle, high = theory.brunel_rates(2, 0.5)
    assert low < 1e-9
    assert 1 < middle < 20
    assert 300 < high < 500
    assert theory.brunel_rates(8, 0.0).tolist() == [0.0]


def test_rates_of_brunels_network_rise_with_drive_and_fall_with_inhibition():
    by_drive = [theory.brunel_rates(5, eta)[0] for eta in (1, 1.5, 2, 3, 4)]
    by_inhibition = [theory.brunel_rates(g, 2)[0] for g in (4.5, 5, 6, 8)]
    assert by_drive == sorted(by_drive)
    assert by_inhibition == sorted(by_inhibition, reverse=True)
    assert theory.brunel_rates(5, 2, dt=DT)[0] < theory.brunel_rates(5, 2)[0]


def test_a_graded_network_is_stable_where_the_real_parts_are_below_one():
    assert theory.graded_stability([[0.99]]) == (0.99, True)
    assert theory.graded_stability([[1.0]]) == (1.0, False)
    # A rotation: imaginary parts of any size do no harm, nor do negative eigenvalues.
    assert theory.graded_stability([[0.5, -30.0], [30.0, 0.5]]) == (pytest.approx(0.5), True)
    assert theory.graded_stability(np.diag([-100.0, 0.2])).stable
    assert theory.graded_stability([[0.0, 4.0], [1.0, 0.0]]) == (pytest.approx(2.0), False)


def solved(p, weights, current, t, start):
    """The network's equation, written term by term and integrated by scipy."""

    def slope(_, v):
        return [
            (
                -(v[i] - p.v_rest)
                + p.resistance * current[i]
                + sum(w * (u - p.v_rest) for w, u in zip(row, v, strict=True))
            )
            / p.tau
            for i, row in enumerate(weights)
        ]

    return integrate.solve_ivp(slope, (0, t[-1]), start, "DOP853", t, rtol=1e-11, atol=1e-14).y.T


@pytest.mark.parametrize(
    "weights", [[[0, 0.5], [-0.8, 0.2]], [[0, 1.2], [1.1, 0]], [[1, 0], [0, 1]], [[0.5, 1], [0, 0.5]]]
)
def test_the_response_of_a_graded_network_solves_its_equation(weights):
    p, current, start = LIF(), [0.1e-9, -0.05e-9], [-75e-3, -60e-3]
    for t in (np.linspace(0, 0.1, 101), np.array([0.0, 1e-3, 3e-3, 7e-3, 0.08])):
        found = theory.graded_response(p, weights, current, t, start)
        np.testing.assert_allclose(found, solved(p, weights, current, t, start), rtol=0, atol=1e-11)


def test_a_stable_network_goes_to_its_fixed_point():
    p, weights = LIF(), np.array([[0.2, 0.5, 0.0], [-0.8, 0.1, 0.3], [0.4, -0.2, 0.0]])
    current = [0.1e-9, 0.2e-9, 0.0]
    point = theory.graded_fixed_point(p, weights, current)
    np.testing.assert_allclose(theory.graded_response(p, weights, current, [2.0], -60e-3)[0], point, rtol=1e-12)
    u = point - p.v_rest
    np.testing.assert_allclose(u, p.resistance * np.array(current) + weights @ u, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(theory.graded_fixed_point(p, weights, 0.0), p.v_rest)
    # Alone, it is a membrane.
    t = np.linspace(0, 0.1, 11)
    np.testing.assert_allclose(
        theory.graded_response(p, [[0.0]], [0.1e-9], t)[:, 0], theory.membrane(p, 0.1e-9, t), rtol=1e-13
    )


NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.membrane(LIF(), NAN, [0.0]), "current: got nan nA"),
        (lambda: theory.membrane(LIF(), 0.0, [NAN]), "t: got nan s at index 0"),
        (lambda: theory.sine_response(LIF(), "8"), "frequency: got '8'; expected an array of real numbers in hertz"),
        (lambda: theory.rate(LIF(), [0.0, NAN]), "current: got nan A at index 1"),
        (lambda: theory.rate_on_grid(LIF(), 0.0, 0), "dt: got 0 ms"),
        (lambda: theory.siegert(0, -1e-3, **BRUNEL), "sigma: got -1 mV; expected at least 0 mV"),
        (lambda: theory.siegert(0, 1e-3, 0, 20e-3, 10e-3, 2e-3), "tau: got 0 ms"),
        (lambda: theory.siegert(0, 1e-3, 20e-3, 20e-3, 20e-3, 2e-3), "reset: got 20 mV; expected .* below 20 mV"),
        (lambda: theory.siegert(0, 1e-3, 20e-3, 20e-3, 10e-3, -1), "t_ref: got -1000 ms"),
        (lambda: theory.siegert(0, 1e-3, **BRUNEL, dt=1), "dt: got 1000 ms; expected .* at most 20 ms"),
        (lambda: theory.siegert(NAN, 1e-3, **BRUNEL), "mu: got nan V"),
        (lambda: theory.brunel_rates(-1, 2), "g: got -1; expected a finite number at least 0"),
        (lambda: theory.brunel_rates(5, NAN), "eta: got nan"),
        (lambda: theory.brunel_rates(5, 2, t_ref=0), "t_ref: got 0 ms; expected .* above 0 ms"),
        (
            lambda: theory.graded_stability(np.zeros((2, 3))),
            r"weights: got an array of shape \(2, 3\); expected \(n, n\)",
        ),
        (lambda: theory.graded_stability([[NAN]]), "weights: got nan"),
        (lambda: theory.graded_fixed_point(LIF(), [[1.0]], 0.0), "weights: 1 is an eigenvalue of W"),
        (lambda: theory.graded_fixed_point(LIF(), [[0.5]], [0.0, 0.0]), r"current: got shape \(2,\)"),
        (lambda: theory.graded_response(LIF(), [[0.5]], 0.0, [0.1, 0.0]), "t: got times that are below 0 s or do not"),
        (lambda: theory.graded_response(LIF(), [[0.5]], 0.0, [-0.1]), "t: got times that are below 0 s"),
        (lambda: theory.graded_response(LIF(), [[0.5]], 0.0, [0.1], [0, 0]), r"v_start: got shape \(2,\)"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
