"""A neuron in white noise: how often it fires, and how regularly. Voltages in volts, times in seconds, rates in hertz.

    tau dV = (mu - V) dt + sigma √tau dW,   a spike at the threshold, then held at the reset for t_ref

`kzoo.bio.theory` has `siegert` and `siegert_cv` too, and both in terms of a neuron's parameters and current.
"""

import itertools
import math

import numpy as np
from scipy import special

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
    mu, sigma, barrier, held = _at_barrier(mu, sigma, tau, threshold, reset, t_ref, dt)
    # Where the noise is so weak that erfcx has become 1 / (√π x), the mean alone decides.
    noisy = sigma > 1e-12 * np.abs(np.maximum(barrier - mu, mu - reset))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        passage = _ROOT_PI * _integral((reset - mu) / sigma, (barrier - mu) / sigma)
        still = np.where(mu > threshold, np.log((mu - reset) / (mu - threshold)), np.inf)
        if dt is not None:
            still = (np.floor(still * (tau / dt)) + 1) * (dt / tau)
        return 1.0 / (held + tau * np.where(noisy, passage, still))


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
    mu, sigma, barrier, _ = _at_barrier(mu, sigma, tau, threshold, reset, t_ref, dt)
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
    drift = np.maximum(checks.array("drift", drift, dims=(0, 1, 2), most=np.finfo(np.float64).max), 0.0)
    large = np.maximum(drift, 1.0)
    n = np.sqrt(np.arange(1, 65))
    z = n * large[..., None]
    below = (np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) - z * special.ndtr(-z)) / n
    far = (1 / large + large) / 2 - below.sum(-1)
    small = np.minimum(drift, 1.0)
    near = SEEN_AFTER_STEPS + small / 4 + _SQUARE * small**2 + _FOURTH * small**4
    return np.where(drift > 1, far, near)


def _at_barrier(mu, sigma, tau, threshold, reset, t_ref, dt):
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
