import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special

from kzoo.bio import LIF, analysis, rates, siegert, simulate, theory
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


@pytest.mark.parametrize("sigma", [2e-3, 5e-3, 20e-3])
@pytest.mark.parametrize("mu", [0.0, 10e-3, 15e-3, 20e-3, 22e-3, 60e-3])
def test_siegert_is_the_printed_formula(mu, sigma):
    while abs((20e-3 - mu) / sigma) > 3 or abs((10e-3 - mu) / sigma) > 3:
        sigma *= 2  # beyond, the printed form loses its digits
    expected = naive_siegert(mu, sigma, 20e-3, 20e-3, 10e-3, 2e-3)
    assert siegert.siegert(mu, sigma, **BRUNEL) == pytest.approx(expected, rel=1e-9)


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
    assert siegert._integral(np.array(low, float), np.array(high, float)) == pytest.approx(math.fsum(pieces), rel=1e-11)


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
    assert siegert.siegert(20e-3, sigma, **BRUNEL) == pytest.approx(expected, rel=(sigma / 10e-3) ** 2 + 1e-14)


def test_siegert_stays_finite_and_rises_with_the_mean():
    mu = np.linspace(-1, 10, 4001)
    for sigma in (1e-4, 1e-3, 1e-2, 1.0):
        found = siegert.siegert(mu, sigma, **BRUNEL)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert (found < 500).all()
        assert (np.diff(found) >= -1e-9).all()


def test_siegert_takes_arrays_of_means_and_of_deviations():
    mu, sigma = np.linspace(0, 30e-3, 5)[:, None], np.linspace(0, 8e-3, 4)
    found = siegert.siegert(mu, sigma, **BRUNEL)
    assert found.shape == (5, 4)
    for i in range(5):
        for j in range(4):
            assert found[i, j] == pytest.approx(siegert.siegert(mu[i, 0], sigma[j], **BRUNEL), rel=1e-12)


def test_the_values_of_the_correction():
    # Measured with 4,000 neurons for 20 s: 8.832, 18.722 and 34.192 Hz, standard errors 0.009, 0.010 and 0.011.
    mu = np.array([15e-3, 18e-3, 22e-3])
    np.testing.assert_allclose(siegert.siegert(mu, 5e-3, **BRUNEL), [9.461, 19.620, 35.302], atol=1e-3)
    np.testing.assert_allclose(siegert.siegert(mu, 5e-3, **BRUNEL, dt=DT), [8.832, 18.722, 34.192], atol=0.03)
    # Below the threshold it is the constant alone; above it, at 22 mV, a little more.
    raised = {**BRUNEL, "threshold": 20e-3 + 0.5825971579390106 * 5e-3 * math.sqrt(DT / 20e-3), "t_ref": 1.9e-3}
    corrected, constant = siegert.siegert(mu, 5e-3, **BRUNEL, dt=DT), siegert.siegert(mu, 5e-3, **raised)
    np.testing.assert_allclose(corrected[:2], constant[:2], rtol=1e-12)
    assert 0.9995 < corrected[2] / constant[2] < 0.9998


def test_a_walk_is_seen_beyond_its_barrier_by_the_overshoot():
    # Spitzer's sum, long enough for each of these drifts.
    n = np.arange(1, 200_001)
    for drift in (0.02, 0.1, 0.5, 0.99, 1.01, 3.0, 40.0):
        z = np.sqrt(n) * drift
        below = (np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) - z * special.ndtr(-z)) / np.sqrt(n)
        assert siegert.overshoot(drift) == pytest.approx((1 + drift**2) / (2 * drift) - below.sum(), abs=2e-5)
    np.testing.assert_array_equal(siegert.overshoot([-3.0, -0.01, 0.0]), siegert.SEEN_AFTER_STEPS)
    assert siegert.overshoot(1e12) == pytest.approx(0.5e12)
    # And walks themselves.
    for drift in (0.3, 2.0):
        steps = drift + np.random.default_rng(0).standard_normal((4000, 400))
        walks = np.cumsum(steps, 1)
        barrier = 20.0
        first = (walks > barrier).argmax(1)
        beyond = walks[np.arange(4000), first] - barrier
        assert beyond.min() > 0
        assert beyond.mean() == pytest.approx(siegert.overshoot(drift), abs=5 * beyond.std() / math.sqrt(4000))


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
    assert siegert.siegert_cv(mu, 5e-3, **BRUNEL) == pytest.approx(found, rel=0.03)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 1.0), (-3.0, -2.0), (0.5, 2.0), (-2.0, 3.0), (-5.0, -0.1), (1.0, 1.01), (-2.0, 9.0)]
)
def test_the_variance_is_the_printed_double_integral(low, high):
    def inner(x):
        return integrate.quad(lambda y: math.exp(-y * y) * special.erfcx(-y) ** 2, -20, x, epsabs=0, limit=200)[0]

    expected, _ = integrate.quad(lambda x: math.exp(x * x) * inner(x), low, high, epsabs=0)
    assert siegert._spread(low, high) == pytest.approx(expected, rel=1e-7)


def test_the_variation_has_its_limits():
    # Weak noise: the variance of a first passage is tau² / 2 (1 / high² - 1 / low²).
    for sigma in (1e-4, 1e-7, 1e-10):
        expected = theory.rate_under_noise(LIF(), 0.4e-9, sigma) * 20e-3 * sigma
        expected *= math.sqrt((1 / 20e-3**2 - 1 / 35e-3**2) / 2)
        assert theory.cv_under_noise(LIF(), 0.4e-9, sigma) == pytest.approx(expected, rel=1e-4)
    found = siegert.siegert_cv([30e-3, 0.0, 0.0, 20e-3, 10e-3], [0.0, 0.0, 1e-3, 0.0, 2e-3], **BRUNEL)
    assert found[0] == 0
    assert np.isnan(found[1:4]).all()  # these do not fire
    assert found[4] == pytest.approx(1, abs=1e-3)  # seldom, and so as a Poisson process
    assert siegert.siegert_cv(18e-3, [[5e-3], [6e-3]], **BRUNEL).shape == (2, 1)


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


NAN = float("nan")


@pytest.mark.parametrize("function", [siegert.siegert, siegert.siegert_cv])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f(0, -1e-3, **BRUNEL), "sigma: got -1 mV; expected at least 0 mV"),
        (lambda f: f(0, 1e-3, 0, 20e-3, 10e-3, 2e-3), "tau: got 0 ms"),
        (lambda f: f(0, 1e-3, 20e-3, 20e-3, 20e-3, 2e-3), "reset: got 20 mV; expected .* below 20 mV"),
        (lambda f: f(0, 1e-3, 20e-3, 20e-3, 10e-3, -1), "t_ref: got -1000 ms"),
        (lambda f: f(0, 1e-3, **BRUNEL, dt=1), "dt: got 1000 ms; expected .* at most 20 ms"),
        (lambda f: f(NAN, 1e-3, **BRUNEL), "mu: got nan V"),
    ],
)
def test_nonsense_is_refused(function, call, message):
    with pytest.raises(ParameterError, match=message):
        call(function)
