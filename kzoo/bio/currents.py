"""Currents into a neuron: functions of duration and dt that give amperes, float64 (t,), one for each step.

Step k has the value at its start, k dt, and holds it for the step, as Brian2 does: a waveform that moves within a step
comes half a step late. Durations and times in seconds, amplitudes in amperes, frequencies in hertz. Each raises
ParameterError for an argument out of its bounds, and there is at least one step.
"""

import math

import numpy as np

from kzoo.bio import checks


def constant(duration, dt, amplitude):
    """The same current throughout."""
    return np.full(checks.num_steps(duration, dt), _ampere("amplitude", amplitude))


def step(duration, dt, amplitude, start=None, stop=None, baseline=0.0):
    """`amplitude` from `start` until `stop` (by default a fifth and four fifths of the duration), else `baseline`."""
    steps = checks.num_steps(duration, dt)
    start, stop = _window(duration, start, stop, duration / 5, duration * 4 / 5)
    current = np.full(steps, _ampere("baseline", baseline))
    current[_index(start, dt) : _index(stop, dt)] = _ampere("amplitude", amplitude)
    return current


def ramp(duration, dt, amplitude, start=None, stop=None, baseline=0.0):
    """`baseline` until `start` (0), then in a straight line to `amplitude` at `stop` (the end), which it keeps."""
    steps = checks.num_steps(duration, dt)
    start, stop = _window(duration, start, stop, 0.0, duration)
    baseline, amplitude = _ampere("baseline", baseline), _ampere("amplitude", amplitude)
    risen = np.clip((np.arange(steps) * dt - start) / max(stop - start, dt), 0.0, 1.0)
    return baseline + (amplitude - baseline) * risen


def sine(duration, dt, amplitude, frequency=10.0, phase=0.0, baseline=0.0):
    """baseline + amplitude sin(2π frequency t + phase), the phase in radians."""
    t = np.arange(checks.num_steps(duration, dt)) * dt
    frequency = checks.quantity("frequency", frequency, "Hz", least=0.0, most=0.5 / dt)
    phase = checks.quantity("phase", phase, "rad")
    return _ampere("baseline", baseline) + _ampere("amplitude", amplitude) * np.sin(2 * math.pi * frequency * t + phase)


def pulses(duration, dt, amplitude, frequency=20.0, width=5e-3, start=0.0, baseline=0.0):
    """`amplitude` for `width` seconds, `frequency` times a second from `start` on, else `baseline`."""
    steps = checks.num_steps(duration, dt)
    frequency = checks.quantity("frequency", frequency, "Hz", above=0.0, most=1 / dt)
    width = checks.quantity("width", width, "ms", least=dt, most=max(dt, 1 / frequency))
    start = checks.quantity("start", start, "ms", least=0.0, most=duration)
    baseline, amplitude = _ampere("baseline", baseline), _ampere("amplitude", amplitude)
    since = np.arange(steps) * dt - start + 1e-3 * dt  # a pulse begins in the step that it falls on, not in the next
    return np.where((since >= 0) & (since % (1 / frequency) < width), amplitude, baseline)


def noise(duration, dt, amplitude, sigma=2e-11, seed=0):
    """White Gaussian noise around `amplitude`: in each step amplitude + sigma / √dt ξ, ξ normal with variance 1.

    sigma is a density in A √s (the same as A / √Hz of a two-sided spectrum), so that its effect does not depend on
    dt. It moves a membrane as noise of resistance * sigma / √tau [V] does (`neuron.noise_deviation`, for a short dt).
    """
    steps = checks.num_steps(duration, dt)
    sigma = checks.quantity("sigma", sigma, "nA √s", least=0.0)
    drawn = np.random.default_rng(checks.integer("seed", seed, 0)).standard_normal(steps)
    return _ampere("amplitude", amplitude) + sigma / math.sqrt(dt) * drawn


def ornstein_uhlenbeck(duration, dt, amplitude, sigma=1e-10, tau=5e-3, seed=0):
    """Gaussian noise around `amplitude` with memory: standard deviation `sigma` [A], correlation exp(-|t| / tau).

    The exact step of tau dI = (amplitude - I) dt + sigma √(2 tau) dW, begun in its stationary state.
    """
    steps = checks.num_steps(duration, dt)
    sigma, tau = checks.quantity("sigma", sigma, "nA", least=0.0), checks.quantity("tau", tau, "ms", above=0.0)
    keep = math.exp(-dt / tau)
    drawn = np.random.default_rng(checks.integer("seed", seed, 0)).standard_normal(steps)
    drawn[1:] *= math.sqrt(-math.expm1(-2 * dt / tau))
    x, deviations = 0.0, []
    for fresh in drawn.tolist():
        x = keep * x + fresh
        deviations.append(x)
    return _ampere("amplitude", amplitude) + sigma * np.array(deviations)


def from_array(values, duration, dt, interval=None):
    """A current of one's own: each of `values` (m,) [A] is held for `interval` seconds, the last one until the end.

    By default the values share the duration equally.
    """
    values = checks.array("values", values, "A")
    steps = checks.num_steps(duration, dt)
    if interval is None:
        interval = steps * dt / len(values)
    interval = checks.quantity("interval", interval, "ms", above=0.0)
    with np.errstate(over="ignore"):
        index = (np.arange(steps) + 1e-3) * (dt / interval)  # 1e-3: what rounding may take off
    return values[np.minimum(index, len(values) - 1).astype(np.int64)]


# By name, for commands and pages: all but `from_array` take (duration, dt, amplitude, ...).
CURRENTS = {
    "constant": constant,
    "step": step,
    "ramp": ramp,
    "sine": sine,
    "pulses": pulses,
    "noise": noise,
    "ornstein_uhlenbeck": ornstein_uhlenbeck,
}


def _ampere(name, value):
    return checks.quantity(name, value, "nA")


def _window(duration, start, stop, first, last):
    start = checks.quantity("start", first if start is None else start, "ms", least=0.0, most=duration)
    return start, checks.quantity("stop", max(last, start) if stop is None else stop, "ms", least=start, most=duration)


def _index(time, dt):
    """The first step that begins at `time` or later."""
    return math.ceil(time / dt - 1e-3)
