"""Networks in plain NumPy: what runs where there is no compiler, and what the other engines are compared with.

A step, in Brian2's order:

    V <- V∞ + (V - V∞) exp(-dt / tau) + Σ_c g_c m_c,  V∞ = v_rest + resistance * I,  unless refractory
    g_c <- g_c exp(-dt / tau_c),  m_c = tau_c / (tau_c - tau) * (exp(-dt / tau_c) - exp(-dt / tau))
    spike where V > v_threshold
    the spikes of `delay` steps ago reach g_c, or V where that is not refractory, and so does the drive
    V <- v_reset where there was a spike

That is exact. With conductances h_c it is the exponential Euler method, which holds them constant during a step:

    V <- V∞ + (V - V∞) exp(-s dt / tau),  s = 1 + Σ_c h_c,
    V∞ = (v_rest + resistance * I + Σ_c g_c + Σ_c h_c reversal_c) / s

A graded network, tau dV_i/dt = -(V_i - v_rest) + resistance I_i + Σ_j W_ij (V_j - v_rest), is integrated exactly by the
matrix exponential E = exp((W - 1) dt / tau):

    x <- E x + (W - 1)⁻¹ (E - 1) resistance I,  x = V - v_rest
"""

import time

import numpy as np

from kzoo.bio.engines import plan, process


def run(given, timeout=None, progress=None) -> plan.Run:
    """Runs a `Plan`.

    Arguments:
        given: `Plan`.
        timeout: [s], or None.
        progress: a function of a sentence, called every second or so.

    Raises: process.Failed after `timeout` seconds.
    """
    start = time.perf_counter()
    watch = _Watch(given.steps, start, timeout, progress)
    if given.graded:
        voltage = _graded(given, watch)
        steps = neurons = np.zeros(0, np.int64)
    else:
        steps, neurons, voltage = _spiking(given, watch)
    return plan.Run(steps, neurons, voltage, {"build": 0.0, "run": time.perf_counter() - start})


class _Watch:
    """Looks at the clock now and then."""

    def __init__(self, steps, start, timeout, progress):
        self.steps, self.start, self.timeout, self.progress = steps, start, timeout, progress
        self.said = start

    def __call__(self, k):
        now = time.perf_counter()
        if self.timeout is not None and now - self.start > self.timeout:
            raise process.Failed(
                f"The simulation took longer than the {self.timeout:g} s that it was given, and was ended at step {k} "
                f"of {self.steps}. Simulate a shorter time or a smaller network, or pass a longer timeout."
            )
        if self.progress and now - self.said > 1.0:
            self.said = now
            self.progress(f"The simulation is at {100 * k // self.steps} %")


def _spiking(given, watch):
    size, dt = given.size, given.dt
    tau, resistance, v_rest, threshold, reset, hold = (
        value if given.own else value[0] for value in (*map(given.parameters.get, plan.PARAMETERS[:-1]), given.hold)
    )
    keep = np.exp(-dt / tau)
    currents = [c for c, channel in enumerate(given.channels) if channel.reversal is None]
    conductances = [c for c, channel in enumerate(given.channels) if channel.reversal is not None]
    state = [np.zeros(size) if channel.start is None else channel.start.copy() for channel in given.channels]
    decays = [np.exp(-dt / channel.tau) for channel in given.channels]
    mixes = [c.tau / (c.tau - tau) * (decay - keep) for c, decay in zip(given.channels, decays, strict=True)]
    wires = [_Delivery(wires, size, given.steps) for wires in given.wires]
    moved = [wire for wire in wires if wire.channel is None]
    flowing = [wire for wire in wires if wire.channel is not None]
    count = given.drive.counter() if given.drive else None
    v, free_from = given.v_start.copy(), np.zeros(size, np.int64)
    free = np.ones(size, bool)
    target = v_rest
    voltage = np.empty((given.steps, len(given.trace)))
    when, who = [], []
    for k in range(given.steps):
        if k % 64 == 0:
            watch(k)
        voltage[k] = v[given.trace]
        np.less_equal(free_from, k, out=free)
        if given.current is not None:
            target = v_rest + resistance * given.current[k][given.column]
        if conductances:
            total, new = 1.0, target
            for c in conductances:
                total = total + state[c]
                new = new + state[c] * given.channels[c].reversal
            for c in currents:
                new = new + state[c]
            new = new / total
            new += (v - new) * np.exp(-dt * total / tau)
        else:
            new = v - target
            new *= keep
            new += target
            for c in currents:
                new += state[c] * mixes[c]
        np.copyto(v, new, where=free)
        for g, decay in zip(state, decays, strict=True):
            g *= decay
        fired = np.flatnonzero(v > threshold)
        if fired.size:
            when.append(np.full(fired.size, k))
            who.append(fired)
            free_from[fired] = k + (hold[fired] if given.own else hold)
            for wire in wires:
                wire.send(k, fired)
        for wire in flowing:
            wire.arrive(k, state[wire.channel])
        for wire in moved:
            wire.arrive(k, v, free)
        if count:
            np.add(v, given.drive.weight * count(k), out=v, where=free)
        if fired.size:
            v[fired] = reset[fired] if given.own else reset
    empty = [np.zeros(0, np.int64)]
    return np.concatenate(when or empty), np.concatenate(who or empty), voltage


class _Delivery:
    """Spikes under way. With one delay for all synapses those who fired wait for it; with many, sums of weights wait in
    a ring of one row for each step until the longest delay has passed."""

    def __init__(self, wires, size, steps):
        self.channel, self.size = wires.channel, size
        self.targets, self.first = wires.targets, wires.first
        self.weights = wires.weights if len(wires.weights) > 1 else wires.weights[0]
        self.ring, self.waiting = None, {}
        if len(wires.delays) > 1:
            self.delays = np.minimum(wires.delays, steps)  # what comes later does not come at all
            self.ring = np.zeros((int(self.delays.max()) + 1, size))
        else:
            self.delays = int(wires.delays[0])

    def send(self, k, fired):
        """Takes the neurons that fired in step k."""
        if self.ring is None:
            self.waiting[k + self.delays] = fired
            return
        targets, weights, delays = self._of(fired, self.targets, self.weights, self.delays)
        rows = (k + delays) % len(self.ring)
        np.add.at(self.ring.reshape(-1), rows * self.size + targets, weights)

    def arrive(self, k, to, free=None):
        """Adds what arrives in step k to `to` (n,); where `free` is given, only to the neurons that it allows."""
        if self.ring is not None:
            row = self.ring[k % len(self.ring)]
            np.add(to, row, out=to, where=True if free is None else free)
            row[:] = 0.0
        elif (fired := self.waiting.pop(k, None)) is not None:
            targets, weights = self._of(fired, self.targets, self.weights)
            if free is not None:
                reached = free[targets]
                targets, weights = targets[reached], weights[reached] if np.ndim(weights) else weights
            np.add.at(to, targets, weights)

    def _of(self, fired, *values):
        """What arrays of all synapses hold for those of some neurons; a number stands for itself."""
        ends = zip(self.first[fired].tolist(), self.first[fired + 1].tolist(), strict=True)
        spans = [slice(*pair) for pair in ends]
        return [np.concatenate([value[span] for span in spans]) if np.ndim(value) else value for value in values]


def _graded(given, watch):
    from scipy.linalg import expm

    (wires,) = given.wires
    tau, resistance, v_rest = (given.parameters[name] for name in ("tau", "resistance", "v_rest"))
    weights = np.zeros((given.size, given.size))
    np.add.at(weights, (wires.targets, wires.sources), wires.weights)
    slope = (weights - np.eye(given.size)) / tau[:, None]
    step = expm(slope * given.dt)
    # The response to a current that is constant during the step. It exists: a stable W has no eigenvalue 1.
    gain = np.linalg.solve(slope, step - np.eye(given.size)) * (resistance / tau)
    x = given.v_start - v_rest
    voltage = np.empty((given.steps, len(given.trace)))
    for k in range(given.steps):
        if k % 64 == 0:
            watch(k)
        voltage[k] = (x + v_rest)[given.trace]
        x = step @ x
        if given.current is not None:
            x += gain @ given.current[k][given.column]
    return voltage
