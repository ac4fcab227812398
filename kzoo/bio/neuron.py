"""The single LIF neuron: `simulate` on any engine, `rates` of many currents in one run.

Time goes in steps of dt. The current is constant during a step, and the membrane is integrated exactly; a spike is
seen at the end of the step in which V > v_threshold, and its time is the start of that step (see `Recording`). This is
Brian2's order of events with its exact integration, on every engine.
"""

import dataclasses
import math

import numpy as np

from kzoo.bio import checks, engines
from kzoo.bio.engines import numpy as numpy_engine
from kzoo.bio.engines import standalone
from kzoo.bio.parameters import LIF
from kzoo.bio.records import Recording
from kzoo.errors import ParameterError

ENGINES = ("auto", *engines.ENGINES)


def simulate(
    parameters,
    current,
    dt=1e-4,
    v_start=None,
    engine="auto",
    *,
    sigma=0.0,
    seed=0,
    timeout=None,
    progress=None,
) -> Recording:
    """Lets n neurons with the same parameters run, each with its own current.

    Arguments:
        parameters: `LIF`.
        current: (t,) or (t, n) [A]: what acts in each step.
        dt: [s], above 0 and at most tau.
        v_start: voltage at the start [V]: a number, or (n,); v_rest by default.
        engine: one of `ENGINES`. "auto" is "numpy", the quickest for single neurons. Where the one asked for cannot
            run, "numpy" does, and `Recording.note` says why.
        sigma: Gaussian noise of the membrane [V]: without a threshold its stationary standard deviation is
            sigma / √2, as in tau dV = (V∞ - V) dt + sigma √tau dW. It enters as a current, see `noise_current`, which
            is part of the recorded one; so the same noise runs on every engine.
        seed: of the noise, an integer of 0 or more.
        timeout: seconds of wall time for an engine that is a process of its own, or None.
        progress: a function of a sentence, called where "brian-cpp" builds its program, in some twenty seconds.

    Returns: `Recording`.
    Raises: ParameterError if an argument is out of its bounds; it names the parameter, its unit and the bounds.
        engines.process.Failed, a KzooError, if another engine's process fails or takes too long.
    """
    _check_parameters(parameters)
    dt = parameters.check_dt(dt)
    current = parameters.check_current(current)
    v_start = _start(parameters, v_start, current.shape[1])
    engine = checks.choice("engine", engine, ENGINES)
    if checks.quantity("sigma", sigma, "mV", least=0.0):
        current = current + noise_current(parameters, sigma, *current.shape, dt=dt, seed=seed)
    if timeout is not None:
        timeout = checks.quantity("timeout", timeout, "s", above=0.0)
    engine, note = engines.pick(engine)
    given = parameters, current, dt, v_start
    if engine == "numpy":
        recording = numpy_engine.simulate(*given)
    elif engine == "brian-cpp":
        recording = standalone.simulate(*given, timeout, progress)
    else:
        from kzoo.bio.engines import brian

        recording = brian.simulate(*given, engine.removeprefix("brian-"), timeout)
    return dataclasses.replace(recording, note=note) if note else recording


def rates(parameters, currents, duration=1.0, dt=1e-4, *, sigma=0.0, seed=0, skip=None) -> np.ndarray:
    """The firing rates of neurons with constant currents, all in one run of the NumPy engine.

    Without noise a rate is the reciprocal of the interval, so that it does not depend on where the last spike falls; a
    neuron with fewer than two spikes has their number over the duration. With noise it is the number of
    spikes over the time after `skip`.

    Arguments:
        parameters: `LIF`.
        currents: (n,) [A].
        duration: [s], `skip` included; without noise the run ends earlier where every rate is known.
        dt: [s].
        sigma, seed: noise of the membrane [V], as in `simulate`; each neuron has its own.
        skip: [s] at the beginning that are not counted, shorter than `duration`; by default 0 without noise, else
            five tau or half the duration, if that is shorter.

    Returns: float64 (n,) [Hz].
    Raises: ParameterError if an argument is out of its bounds.
    """
    _check_parameters(parameters)
    dt = parameters.check_dt(dt)
    currents = parameters.check_current(currents, "currents", dims=(1,))[:, 0]
    sigma = checks.quantity("sigma", sigma, "mV", least=0.0)
    steps = checks.num_steps(duration, dt)
    if skip is None:
        skip = min(5 * parameters.tau, steps * dt / 2) if sigma else 0.0
    skip = min(round(checks.quantity("skip", skip, "ms", least=0.0, below=steps * dt) / dt), steps - 1)
    noise = noise_deviation(parameters, sigma, dt)
    start = _start(parameters, None, len(currents))
    counts, first, last = numpy_engine.spike_counts(
        parameters, currents, steps, dt, start, noise, checks.integer("seed", seed, 0), skip
    )
    rate = counts / ((steps - skip) * dt)
    if not sigma:
        several = counts > 1
        rate[several] = (counts[several] - 1) / ((last - first)[several] * dt)
    return rate


def noise_deviation(parameters, sigma, dt) -> float:
    """The standard deviation [A] of the current drawn in each step that makes membrane noise of `sigma` [V].

    With a = exp(-dt / tau), the exact step of tau dV = (V∞ - V) dt + sigma √tau dW is

        V <- V∞ + (V - V∞) a + sigma √((1 - a²) / 2) ξ,   ξ normal with variance 1,

    and a current i that is constant during the step adds resistance * i * (1 - a). So i is
    sigma / resistance * √((1 + a) / (2 (1 - a))) ξ, which is sigma √(tau / dt) / resistance ξ for a short step.
    """
    half = dt / parameters.tau / 2  # (1 + a) / (1 - a) is 1 / tanh of it, without the difference of near numbers
    return sigma / parameters.resistance / math.sqrt(2 * math.tanh(half))


def noise_current(parameters, sigma, steps, neurons=1, dt=1e-4, seed=0) -> np.ndarray:
    """White noise (steps, neurons) [A] for a membrane whose stationary standard deviation is sigma / √2 [V].

    Raises: ParameterError if an argument is out of its bounds.
    """
    dt = parameters.check_dt(dt)
    sigma = checks.quantity("sigma", sigma, "mV", least=0.0)
    shape = checks.integer("steps", steps, 1), checks.integer("neurons", neurons, 1)
    drawn = np.random.default_rng(checks.integer("seed", seed, 0)).standard_normal(shape)
    return noise_deviation(parameters, sigma, dt) * drawn


def _check_parameters(parameters):
    if not isinstance(parameters, LIF):
        raise ParameterError(f"parameters: got {parameters!r:.60}; expected a kzoo.bio.LIF, such as LIF(tau=20e-3).")


def _start(parameters, v_start, count):
    """The voltages at the start, (n,)."""
    if v_start is None:
        return np.full(count, parameters.v_rest)
    v_start = checks.array("v_start", v_start, "V", dims=(0, 1), most=checks.VOLTAGE["most"])
    if v_start.ndim and len(v_start) != count:
        raise ParameterError(
            f"v_start: got an array of shape {v_start.shape}; expected a number, or one for each of {count} neurons."
        )
    return np.array(np.broadcast_to(v_start, count))
