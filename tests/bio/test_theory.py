import math

import numpy as np
import pytest
from scipy import integrate, special

from kzoo.bio import LIF, simulate, theory
from kzoo.errors import ParameterError

DT = 1e-4


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
        (lambda: theory.brunel_rates(-1, 2), "g: got -1; expected a finite number at least 0"),
        (lambda: theory.brunel_rates(5, NAN), "eta: got nan"),
        (lambda: theory.brunel_rates(1e300, 2), r"g: got 1e\+300; expected a finite number at least 0"),
        (
            lambda: theory.brunel_rates(5, 2, weight=1e-323),
            "weight: got .*; expected a finite number at least 1e-09 mV",
        ),
        (lambda: theory.brunel_rates(5, 2, tau=1e-300), "tau: got 1e-297 ms"),
        (
            lambda: theory.brunel_rates(5, 2, num_excitatory=10**400),
            "num_excitatory: got 10+; expected an integer from",
        ),
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
