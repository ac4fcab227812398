"""What simulations are compared with: the membrane, f-I curves, Siegert's rate, Brunel's network, graded networks.

Voltages V in volts, currents in amperes, times in seconds, rates in hertz. V∞ = v_rest + resistance * I is where a
constant current I would take the voltage. Functions of a current take a number or an array and give an array of that
shape. Each raises ParameterError for an argument out of its bounds. What noise does is in `kzoo.bio.siegert`.
"""

import math
import typing

import numpy as np
from scipy import linalg

from kzoo.bio import checks
from kzoo.bio.siegert import siegert, siegert_cv
from kzoo.errors import ParameterError


class Stability(typing.NamedTuple):
    """Of a graded network: the largest real part of an eigenvalue of W, and whether it is below 1."""

    largest: float
    stable: bool


def membrane(parameters, current, t, v_start=None):
    """The voltage (t,) at times `t` (t,) of a membrane without threshold, with a constant current from time 0 on.

    V(t) = V∞ + (v_start - V∞) exp(-t / tau); v_start is v_rest by default.
    """
    end = parameters.v_rest + parameters.resistance * checks.quantity("current", current, "nA")
    start = parameters.v_rest if v_start is None else checks.quantity("v_start", v_start, "mV", **checks.VOLTAGE)
    return end + (start - end) * np.exp(-checks.array("t", t, "s", dims=(0, 1)) / parameters.tau)


def sine_response(parameters, frequency):
    """How a membrane below threshold follows the current I₀ sin(2πft) once it has settled.

    Returns: gain resistance / √(1 + (2πf tau)²) [V/A] and phase -arctan(2πf tau) [rad], so that
    V - v_rest = gain I₀ sin(2πft + phase).
    """
    x = 2 * math.pi * checks.array("frequency", frequency, "Hz", dims=(0, 1)) * parameters.tau
    return parameters.resistance / np.hypot(1.0, x), -np.arctan(x)


def rheobase(parameters) -> float:
    """The current that takes V∞ to the threshold [A]; every larger one makes the neuron fire.

    (v_threshold - v_rest) / resistance. Below 0 for a neuron that fires without a current.
    """
    return (parameters.v_threshold - parameters.v_rest) / parameters.resistance


def interval(parameters, current):
    """The time between two spikes [s] under a constant current, in continuous time; inf for a current that is too low.

    t_ref + tau ln((V∞ - v_reset) / (V∞ - v_threshold)) where V∞ > v_threshold.
    """
    return parameters.t_ref + _climb(parameters, current)


def rate(parameters, current):
    """The f-I curve in continuous time [Hz]: 1 / interval, 0 where there is none."""
    return 1.0 / interval(parameters, current)


def interval_on_grid(parameters, current, dt):
    """The time between two spikes [s] under a constant current in a simulation with steps of dt: exactly.

    dt (max(1, n) + floor(L / dt)) with n = parameters.refractory_steps(dt) and L = tau ln((V∞ - v_reset) /
    (V∞ - v_threshold)). For t_ref a multiple of dt, and not 0, this is t_ref + floor(L / dt) dt. At t_ref = 0 it is one
    step more than that: the voltage moves in the step after the spike, not in its own.
    """
    steps = max(1, parameters.refractory_steps(dt)) + np.floor(_climb(parameters, current) / dt)
    return steps * dt


def rate_on_grid(parameters, current, dt):
    """The f-I curve of a simulation with steps of dt [Hz]: 1 / interval_on_grid."""
    return 1.0 / interval_on_grid(parameters, current, dt)


def rate_under_noise(parameters, current, sigma, dt=None):
    """`siegert` for a neuron with a constant current [A] and noise of the membrane `sigma` [V], as in `simulate`."""
    p = parameters
    mu = p.v_rest + p.resistance * checks.array("current", current, "A", dims=(0, 1))
    return siegert(mu, sigma, p.tau, p.v_threshold, p.v_reset, p.t_ref, dt)


def cv_under_noise(parameters, current, sigma, dt=None):
    """`siegert_cv` for a neuron with a constant current [A] and noise of the membrane `sigma` [V], as in `simulate`."""
    p = parameters
    mu = p.v_rest + p.resistance * checks.array("current", current, "A", dims=(0, 1))
    return siegert_cv(mu, sigma, p.tau, p.v_threshold, p.v_reset, p.t_ref, dt)


def brunel_rates(
    g,
    eta,
    *,
    weight=0.1e-3,
    num_excitatory=1000,
    gamma=0.25,
    tau=20e-3,
    threshold=20e-3,
    reset=10e-3,
    t_ref=2e-3,
    dt=None,
) -> np.ndarray:
    """The rates [Hz] at which Brunel's sparse network may fire asynchronously, ascending: one, or some of them stable.

    Every neuron, excitatory or inhibitory, has the rate ν = siegert(mu, sigma, ...) with

        mu = tau weight num_excitatory (ν_ext + (1 - gamma g) ν)
        sigma² = tau weight² num_excitatory (ν_ext + (1 + gamma g²) ν)
        ν_ext = eta threshold / (weight num_excitatory tau)

    The first is always stable in this sense: it is the one that a silent network comes to; it may be next to 0.
    Whether the network stays asynchronous there, the formula does not say.

    Source: Brunel 2000, doi:10.1023/A:1008925309027, eqs. 4, 5 and 21.

    Arguments:
        g: inhibition over excitation of a synapse, 0 or more.
        eta: external rate in units of the one that takes the mean to the threshold, 0 or more.
        weight: J, by which an excitatory spike moves the voltage [V], 1e-12 or more.
        num_excitatory: C_E, excitatory synapses of a neuron from inside, and as many from outside; up to 10**9.
        gamma: inhibitory synapses for each excitatory one.
        tau, threshold, reset, t_ref: of the neurons [s, V]; t_ref above 0. They rest at 0 V.
        dt: for rates of a simulation in steps of dt, see `siegert`; None for continuous time. The formula for dt
            supposes Gaussian noise; kicks of `weight` are not.
    """
    g, eta = checks.quantity("g", g, least=0.0), checks.quantity("eta", eta, least=0.0)
    # Below 1 pV and 1 ns no network is meant, and their product would come to 0.
    weight, gamma = checks.quantity("weight", weight, "mV", least=1e-12), checks.quantity("gamma", gamma, least=0.0)
    tau, t_ref = checks.quantity("tau", tau, "ms", least=1e-9), checks.quantity("t_ref", t_ref, "ms", above=0.0)
    threshold = checks.quantity("threshold", threshold, "mV", above=0.0)
    synapses = checks.integer("num_excitatory", num_excitatory, 1, 10**9)
    outside = eta * threshold / (weight * synapses * tau)

    def excess(nu):
        mu = tau * weight * synapses * (outside + (1 - gamma * g) * nu)
        sigma = np.sqrt(tau * synapses * (outside + (1 + gamma * g**2) * nu)) * weight
        return siegert(mu, sigma, tau, threshold, reset, t_ref, dt) - nu

    shortest = t_ref if dt is None else max(t_ref - 2 * dt, dt)  # interval of any neuron
    nu = np.concatenate([[0.0], np.geomspace(1e-12, 1.0, 4000) / shortest])
    above = excess(nu) > 0
    if not above[0]:  # silence keeps itself
        return np.concatenate([[0.0], _roots(excess, nu[1:], above[1:])])
    return _roots(excess, nu, above)


def graded_stability(weights) -> Stability:
    """Whether tau dV_i/dt = -(V_i - v_rest) + resistance I_i + sum_j W_ij (V_j - v_rest) comes to rest.

    It does where the largest real part of an eigenvalue of W (n, n) is below 1: (W - 1) / tau then has eigenvalues
    with negative real parts alone.
    """
    largest = float(np.linalg.eigvals(_square(weights)).real.max())
    return Stability(largest, largest < 1)


def graded_fixed_point(parameters, weights, current) -> np.ndarray:
    """Where a graded network is at rest, (n,) [V]: v_rest + (1 - W)⁻¹ resistance I. It goes there if it is stable.

    Arguments:
        parameters: `LIF`; only tau, resistance and v_rest count.
        weights: W, (n, n): W_ij is from neuron j to neuron i, without a unit.
        current: (n,) [A], or one number.

    Raises: ParameterError too if 1 is an eigenvalue of W: there is no such place then, or more than one.
    """
    weights = _square(weights)
    pushed = parameters.resistance * _each("current", current, "A", len(weights))
    try:
        return parameters.v_rest + np.linalg.solve(np.eye(len(weights)) - weights, pushed)
    except np.linalg.LinAlgError:
        raise ParameterError(
            "weights: 1 is an eigenvalue of W; expected none. Scale W to have one fixed point."
        ) from None


def graded_response(parameters, weights, current, t, v_start=None) -> np.ndarray:
    """The voltages (t, n) at times `t` (t,) of a graded network with constant currents from time 0 on: exactly.

    V(t) = V* + exp((W - 1) t / tau) (v_start - V*) with V* of `graded_fixed_point`; it holds for an unstable network
    too, and where there is no V*. Here exp is that of a matrix, of (W - 1) / tau and resistance I / tau in one.

    Arguments:
        parameters, weights, current: as in `graded_fixed_point`.
        t: [s], 0 or more, ascending.
        v_start: (n,) [V], or one number; v_rest by default.
    """
    weights, t = _square(weights), checks.array("t", t, "s")
    if t[0] < 0 or (np.diff(t) < 0).any():
        raise ParameterError("t: got times that are below 0 s or do not ascend; expected ascending times from 0 s on.")
    count = len(weights)
    flow = np.zeros((count + 1, count + 1))
    flow[:count, :count] = (weights - np.eye(count)) / parameters.tau
    flow[:count, count] = parameters.resistance * _each("current", current, "A", count) / parameters.tau
    state = np.ones(count + 1)
    if v_start is None:
        v_start = parameters.v_rest
    state[:count] = _each("v_start", v_start, "V", count) - parameters.v_rest
    answer, gaps = np.empty((len(t), count)), np.diff(t, prepend=0.0)
    even = t[0] + np.arange(len(t)) * ((t[-1] - t[0]) / max(len(t) - 1, 1))
    if len(t) > 2 and np.allclose(t, even, rtol=0, atol=1e-12 * t[-1]):
        gaps[1:] = even[1] - even[0]  # equal to the last digit: one matrix serves all
    length = matrix = None
    for k, gap in enumerate(gaps):
        if gap != length:
            length, matrix = gap, linalg.expm(flow * gap)
        state = matrix @ state
        answer[k] = parameters.v_rest + state[:count]
    return answer


def _climb(parameters, current):
    """The time from the reset to the threshold [s], inf where the voltage never gets there."""
    end = parameters.v_rest + parameters.resistance * checks.array("current", current, "A", dims=(0, 1))
    above = end > parameters.v_threshold
    ratio = (parameters.v_threshold - parameters.v_reset) / np.where(above, end - parameters.v_threshold, np.inf)
    return np.where(above, parameters.tau * np.log1p(ratio), np.inf)


def _roots(function, x, above):
    """Where `function` crosses 0 between neighbours of x whose signs differ, by bisection."""
    left = np.flatnonzero(above[1:] != above[:-1])
    if not left.size:
        return x[:0]
    low, high, rising = x[left], x[left + 1], above[left + 1]
    for _ in range(60):
        middle = (low + high) / 2
        beyond = (function(middle) > 0) == rising
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return (low + high) / 2


def _square(weights):
    weights = checks.array("weights", weights, dims=(2,))
    if weights.shape[0] != weights.shape[1]:
        raise ParameterError(f"weights: got an array of shape {weights.shape}; expected (n, n), from column to row.")
    return weights


def _each(name, value, unit, count):
    """A number or (n,) as (n,)."""
    value = checks.array(name, value, unit, dims=(0, 1))
    if value.ndim and len(value) != count:
        raise ParameterError(f"{name}: got shape {value.shape}; expected a number, or ({count},): one each neuron.")
    return np.broadcast_to(value, count)
