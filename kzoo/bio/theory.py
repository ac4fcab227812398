"""What simulations are compared with: the membrane, f-I curves, Siegert's rate, Brunel's network, graded networks.

Voltages V in volts, currents in amperes, times in seconds, rates in hertz. V∞ = v_rest + resistance * I is where a
constant current I would take the voltage. Functions of a current take a number or an array and give an array of that
shape. Each raises ParameterError for an argument out of its bounds.
"""

import itertools
import math
import typing

import numpy as np
from scipy import linalg, special

from kzoo.bio import checks
from kzoo.errors import ParameterError

# -ζ(1/2) / √(2π): by so many standard deviations of a step a random walk that is only looked at after each step seems
# to have a barrier farther away. Broadie, Glasserman and Kou 1997, doi:10.1111/1467-9965.00035.
SEEN_AFTER_STEPS = 0.5825971579390106
# What drift towards the barrier adds: -ζ(-1/2) / (2 √(2π)) δ² and ζ(-3/2) / (24 √(2π)) δ⁴, beside δ / 4.
_SQUARE, _FOURTH = 0.0414673, -0.00042363

_ROOT_PI = math.sqrt(math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
# Beyond, erfcx is its asymptotic series to the last bit.
_FAR = 5000.0


class Stability(typing.NamedTuple):
    """Of a graded network: the largest real part of an eigenvalue of W, and whether it is below 1."""

    largest: float
    stable: bool


def membrane(parameters, current, t, v_start=None):
    """The voltage (t,) at times `t` (t,) of a membrane without threshold, with a constant current from time 0 on.

    V(t) = V∞ + (v_start - V∞) exp(-t / tau); v_start is v_rest by default.
    """
    end = parameters.v_rest + parameters.resistance * checks.quantity("current", current, "nA")
    start = parameters.v_rest if v_start is None else checks.quantity("v_start", v_start, "mV")
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
    return _reciprocal(interval(parameters, current))


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
    return _reciprocal(interval_on_grid(parameters, current, dt))


def siegert(mu, sigma, tau, threshold, reset, t_ref, dt=None):
    """The firing rate [Hz] of tau dV = (mu - V) dt + sigma √tau dW, with spikes at `threshold`.

    1 / rate = t_ref + tau √π ∫ exp(x²) (1 + erf x) dx from (reset - mu) / sigma to (threshold - mu) / sigma.

    Source: Siegert 1951, doi:10.1103/PhysRev.81.617; in this form Brunel 2000, doi:10.1023/A:1008925309027, eq. 21.
    With sigma = 0 it is the f-I curve without noise.

    A simulation in steps of dt sees a crossing only at the end of a step, and misses some. For such a one give `dt`:
    the threshold is then raised to where the voltage is on average when a crossing is seen, see `overshoot`: by
    0.5826 sigma √(dt / tau) or, if mu is above the threshold, more. And t_ref is replaced by the time for which the
    engines hold the voltage, one step less than refractory_steps(dt) or none. With sigma = 0 it is `rate_on_grid`.
    What remains is an effect of the grid that noise too weak to blur a step leaves of `rate_on_grid`'s own.

    Arguments:
        mu: where the voltage tends to without noise [V], a number or an array.
        sigma: [V], 0 or more, a number or an array; the stationary standard deviation is sigma / √2.
        tau, t_ref: [s].
        threshold, reset: [V], the reset below.
        dt: [s], or None for continuous time.

    Returns: float64 of the shape that mu and sigma have together.
    """
    mu, sigma, barrier, held = _diffusion(mu, sigma, tau, threshold, reset, t_ref, dt)
    # Where the noise is so weak that erfcx has become 1 / (√π x), the mean alone decides.
    noisy = sigma > 1e-12 * np.abs(np.maximum(barrier - mu, mu - reset))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        passage = _ROOT_PI * _integral((reset - mu) / sigma, (barrier - mu) / sigma)
        still = np.where(mu > threshold, np.log((mu - reset) / (mu - threshold)), np.inf)
        if dt is not None:
            still = (np.floor(still * (tau / dt)) + 1) * (dt / tau)
        return _reciprocal(held + tau * np.where(noisy, passage, still))


def siegert_cv(mu, sigma, tau, threshold, reset, t_ref, dt=None):
    """The coefficient of variation of the intervals of `siegert`'s neuron: standard deviation over mean.

    cv² = 2π (rate tau)² ∫ exp(x²) ∫ exp(y²) (1 + erf y)² dy dx, over x from (reset - mu) / sigma to
    (threshold - mu) / sigma and over y from -inf to x.

    The noise is white: in a recurrent network, where most of a neuron's noise is spikes of others that fire more
    regularly than a Poisson process, intervals are more regular than this says. See Dummer, Wieland and Lindner 2014,
    doi:10.3389/fncom.2014.00104.

    Source: Brunel 2000, doi:10.1023/A:1008925309027, appendix. Arguments, dt and the shape of the answer are those of
    `siegert`. 0 without noise, and NaN where the neuron does not fire: from a threshold 18 sigma above mu on.
    """
    mu, sigma, barrier, _ = _diffusion(mu, sigma, tau, threshold, reset, t_ref, dt)
    rates = siegert(mu, sigma, tau, threshold, reset, t_ref, dt)
    answer = np.zeros(np.shape(rates))
    for k in np.ndindex(answer.shape):
        low, high = (np.array([reset, barrier[k]]) - mu[k]) / (sigma[k] or 1e-300)
        if high > 18 or not rates[k]:
            answer[k] = np.nan
        elif high > -1e12:
            answer[k] = rates[k] * tau * math.sqrt(2 * math.pi * _spread(low, high))
    return answer


def overshoot(drift):
    """How far a random walk is beyond a distant barrier on average when it is first seen there.

    Its steps are normal with mean `drift` and variance 1. For a drift above 0 by Spitzer's identity

        (1 + drift²) / (2 drift) - sum over n of E[max(0, -S_n)] / n,   S_n normal with mean n drift and variance n;

    it rises from `SEEN_AFTER_STEPS` by a quarter of the drift at first, and by half of a large one. For a drift of 0 or
    less `SEEN_AFTER_STEPS` itself: so far the barrier seems to be for the rare walks that come there.

    Source: Siegmund 1985, Sequential Analysis, doi:10.1007/978-1-4757-1862-1, for the overshoot; Chang and Peres 1997,
    doi:10.1214/aop/1024404419, for the series by which a drift below 1 is served, to 2e-5.
    """
    drift = np.maximum(checks.array("drift", drift, dims=(0, 1, 2)), 0.0)
    large = np.maximum(drift, 1.0)
    n = np.sqrt(np.arange(1, 65))
    z = n * large[..., None]
    below = (np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) - z * special.ndtr(-z)) / n
    far = (1 / large + large) / 2 - below.sum(-1)
    small = np.minimum(drift, 1.0)
    near = SEEN_AFTER_STEPS + small / 4 + _SQUARE * small**2 + _FOURTH * small**4
    return np.where(drift > 1, far, near)


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
        weight: J, by which an excitatory spike moves the voltage [V].
        num_excitatory: C_E, excitatory synapses of a neuron from inside, and as many from outside.
        gamma: inhibitory synapses for each excitatory one.
        tau, threshold, reset, t_ref: of the neurons [s, V]; t_ref above 0. They rest at 0 V.
        dt: for rates of a simulation in steps of dt, see `siegert`; None for continuous time. The formula for dt
            supposes Gaussian noise; kicks of `weight` are not.
    """
    g, eta = checks.quantity("g", g, least=0.0), checks.quantity("eta", eta, least=0.0)
    weight, gamma = checks.quantity("weight", weight, "mV", above=0.0), checks.quantity("gamma", gamma, least=0.0)
    tau, t_ref = checks.quantity("tau", tau, "ms", above=0.0), checks.quantity("t_ref", t_ref, "ms", above=0.0)
    threshold = checks.quantity("threshold", threshold, "mV", above=0.0)
    synapses = checks.integer("num_excitatory", num_excitatory, 1)
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


def _reciprocal(times):
    with np.errstate(divide="ignore"):
        return 1.0 / times


def _integral(low, high):
    """∫ erfcx(-x) dx from low to high, of arrays, for any size of either."""
    # exp(x²) (1 + erf x) is erfcx(-x); for x > 0 that is 2 exp(x²) - erfcx(x), whose first part Dawson's D integrates.
    rising = 2 * (_dawson(np.maximum(high, 0)) - _dawson(np.maximum(low, 0)))
    rising = np.where(high > 26.6, np.inf, rising)  # exp overflows: no spike in the age of the universe
    falling = _tail(np.maximum(-high, 0), np.maximum(-low, 0)) - _tail(np.maximum(low, 0), np.maximum(high, 0))
    return rising + falling


def _dawson(x):
    """∫ exp(u²) du from 0 to x."""
    return np.exp(x**2) * special.dawsn(x)


def _tail(low, high):
    """∫ erfcx(u) du from low to high, both 0 or more."""
    near = np.arcsinh(np.minimum(low, _FAR)), np.arcsinh(np.minimum(high, _FAR))
    # u = sinh s: the integrand is smooth and between 0.5 and 1.
    s = (near[0] + near[1])[..., None] / 2 + (near[1] - near[0])[..., None] / 2 * _NODES
    inner = (special.erfcx(np.sinh(s)) * np.cosh(s)) @ _WEIGHTS * (near[1] - near[0]) / 2
    low, high = np.maximum(low, _FAR), np.maximum(high, _FAR)
    return inner + (np.log(high / low) + (high**-2.0 - low**-2.0) / 4) / _ROOT_PI


def _diffusion(mu, sigma, tau, threshold, reset, t_ref, dt):
    """Checked arrays mu and sigma, the threshold as it is seen in steps of dt, and for how long the voltage is held."""
    tau, t_ref = checks.quantity("tau", tau, "ms", above=0.0), checks.quantity("t_ref", t_ref, "ms", least=0.0)
    threshold = checks.quantity("threshold", threshold, "mV")
    checks.quantity("reset", reset, "mV", below=threshold, hint="The reset is below the threshold.")
    mu, sigma = np.broadcast_arrays(
        checks.array("mu", mu, "V", dims=(0, 1, 2)), checks.array("sigma", sigma, "V", dims=(0, 1, 2))
    )
    if (sigma < 0).any():
        raise ParameterError(f"sigma: got {checks.shown(sigma.min(), 'mV')}; expected at least 0 mV.")
    if dt is None:
        return mu, sigma, np.full(mu.shape, threshold), t_ref
    dt = checks.quantity("dt", dt, "ms", above=0.0, most=tau)
    moved = sigma * math.sqrt(dt / tau)  # by noise in a step
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        drift = np.where(sigma > 0, (mu - threshold) * (dt / tau) / moved, 0.0)
    barrier = threshold + moved * overshoot(np.minimum(drift, 1e100))  # which is finite
    return mu, sigma, barrier, max(0, math.floor(t_ref / dt + 1e-3) - 1) * dt


def _spread(low, high):
    """∫ h(x) dx from low to high, h(x) = exp(x²) ∫ exp(-y²) erfcx(-y)² dy from -inf to x: numbers, not arrays."""
    total = 0.0
    if high > 0:  # h grows as exp(2x²): panels that become narrower towards the end
        bottom = max(low, 0.0)
        edges = high - (high - bottom) * np.append(0.5 ** np.arange(8), 0.0)
        for left, right in itertools.pairwise(edges):
            x = (left + right) / 2 + (right - left) / 2 * _NODES
            total += _inner(x) @ _WEIGHTS * (right - left) / 2
    if low < 0:
        top = min(high, 0.0)
        # x = -sinh s, as in _tail; far away h is 1 / (2π |x|³).
        ends = np.arcsinh(np.minimum([-top, -low], _FAR))
        s = ends.sum() / 2 + (ends[1] - ends[0]) / 2 * _NODES
        total += (_inner(-np.sinh(s)) * np.cosh(s)) @ _WEIGHTS * (ends[1] - ends[0]) / 2
        far = np.maximum([-top, -low], _FAR)
        total += (far[0] ** -2.0 - far[1] ** -2.0) / (4 * math.pi)
    return total


def _inner(x):
    """h(x) of `_spread`, (m,): with u = x - y it is ∫ exp(2xu - u²) erfcx(u - x)² du from 0 on."""
    # Up to where the integrand is exp(-37) of its largest: in u, or for a negative x in |x| u if that comes first.
    far = np.where(x > 0, x + 6.1, 37 / (np.maximum(-x, 0) + np.sqrt(np.minimum(x, 0) ** 2 + 37)))
    parts = [(np.zeros_like(x), np.maximum(x, 0)), (np.maximum(x, 0), far)]
    total = np.zeros_like(x)
    for start, stop in parts:
        u = ((start + stop) / 2)[:, None] + ((stop - start) / 2)[:, None] * _NODES
        y = u - x[:, None]
        total += (np.exp(2 * x[:, None] * u - u**2) * special.erfcx(y) ** 2) @ _WEIGHTS * (stop - start) / 2
    return total


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
