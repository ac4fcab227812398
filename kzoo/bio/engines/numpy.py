"""Single LIF neurons in NumPy, exact for currents that are constant during a step.

    V <- V∞ + (V - V∞) exp(-dt / tau),  V∞ = v_rest + resistance * I,  unless refractory
    spike where V > v_threshold; then V <- v_reset

The semantics are Brian2's, step by step (doi:10.7554/eLife.47314). After a spike in step k the voltage moves again
from step k + max(1, refractory_steps) on. Both loops below round alike, so that the result does not depend on which
of them ran.
"""

import numpy as np

from kzoo.bio.records import Recording

# Below this many neurons a loop over each in plain Python is quicker than one over all in NumPy.
FEW = 40
# Numbers drawn at a time for `spike_counts`: 8 MB.
_CHUNK = 1 << 20


def simulate(parameters, current, dt, v_start) -> Recording:
    """The voltages and spikes of n neurons. neuron.simulate checks the arguments and explains them.

    Arguments:
        parameters: `LIF`.
        current: float64 (t, n) [A].
        dt: [s].
        v_start: the voltage at the start, float64 (n,) [V].
    """
    drive = parameters.v_rest + parameters.resistance * current  # (t, n)
    run = _each if current.shape[1] < FEW else _together
    voltage, spikes = run(parameters, drive, dt, v_start)
    return Recording(dt, current, voltage, spikes, "numpy")


def _each(parameters, drive, dt, v_start):
    """One neuron after the other."""
    voltage, spikes = np.empty(drive.shape), np.zeros(drive.shape, bool)
    for i, v in enumerate(v_start.tolist()):
        trace, fired = _one(parameters, drive[:, i].tolist(), dt, v)
        voltage[:, i] = trace
        spikes[fired, i] = True
    return voltage, spikes


def _one(parameters, drive, dt, v):
    """The voltages of one neuron as a list, and the steps of its spikes."""
    keep, hold = parameters.decay(dt), max(1, parameters.refractory_steps(dt))
    threshold, reset, steps = parameters.v_threshold, parameters.v_reset, len(drive)
    trace, fired, start = [], [], 0
    note = trace.append
    while start < steps:
        for k in range(start, steps):
            note(v)
            target = drive[k]
            v = target + (v - target) * keep
            if v > threshold:
                break
        else:
            break
        fired.append(k)
        v = reset
        start = k + hold
        trace += [reset] * (min(start, steps) - k - 1)
    return trace, fired


def _together(parameters, drive, dt, v_start):
    """All neurons step by step."""
    voltage, spikes = np.empty(drive.shape), np.zeros(drive.shape, bool)
    state = _State(parameters, dt, v_start)
    for k, target in enumerate(drive):
        voltage[k] = state.v
        state.step(k, target, spikes[k])
    return voltage, spikes


class _State:
    """Voltages (n,) and the steps from which they move again."""

    def __init__(self, parameters, dt, v_start):
        self.keep, self.hold = parameters.decay(dt), max(1, parameters.refractory_steps(dt))
        self.threshold, self.reset = parameters.v_threshold, parameters.v_reset
        self.v = v_start.copy()
        self.free = np.zeros(len(v_start), np.int64)
        self.last = 0  # no neuron is held from this step on
        self._new = np.empty_like(self.v)

    def step(self, k, target, spikes):
        """Moves all voltages through step k towards `target` (n,) and writes who fired into `spikes` (n,)."""
        v, new = self.v, self._new
        np.subtract(v, target, out=new)
        new *= self.keep
        new += target
        if k < self.last:
            np.copyto(v, new, where=self.free <= k)
        else:
            self.v, self._new = new, v
            v = new
        np.greater(v, self.threshold, out=spikes)
        fired = np.flatnonzero(spikes)
        if fired.size:
            v[fired] = self.reset
            self.free[fired] = self.last = k + self.hold


def spike_counts(parameters, currents, steps, dt, v_start, noise=0.0, seed=0, skip=0):
    """Counts the spikes of n neurons, each with a constant current, without keeping voltages.

    Without noise it ends as soon as every neuron that goes on firing has two spikes to count: after a reset a neuron
    does the same again, to the last bit, so that all its intervals are equal.

    Arguments:
        parameters: `LIF`.
        currents: float64 (n,) [A].
        steps: how many at most.
        dt: [s].
        v_start: float64 (n,) [V].
        noise: standard deviation [A] of a current that is drawn anew in each step for each neuron.
        seed: of the noise.
        skip: steps at the beginning whose spikes are not counted.

    Returns: counts (n,), and the steps of the first and of the last spike that was counted, (n,) each.
    """
    count = len(currents)
    counts, first, last = (np.zeros(count, np.int64) for _ in range(3))
    state, spikes = _State(parameters, dt, v_start), np.empty(count, bool)
    mean = parameters.v_rest + parameters.resistance * currents
    repeating = np.flatnonzero(mean > parameters.v_threshold)
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // count)
    for k in range(steps):
        target = mean
        if noise:
            if k % rows == 0:
                drawn = rng.standard_normal((min(rows, steps - k), count))
                drawn *= parameters.resistance * noise
                drawn += mean
            target = drawn[k % rows]
        state.step(k, target, spikes)
        if k >= skip and spikes.any():
            np.copyto(first, k, where=spikes & (counts == 0))
            np.copyto(last, k, where=spikes)
            counts += spikes
            if not noise and (counts[repeating] > 1).all():
                break
    return counts, first, last
