"""A spiking network in plain Python, straight from `Population` and `Synapses`: by the equations of
`kzoo.bio.engines.numpy_network`, one neuron and one synapse after the other. It knows no `Plan`."""

import math


def simulate(network, steps, dt, stimuli=()):
    """The spikes as a list of (step, neuron), and the voltages as a list of lists (t, n).

    Arguments:
        network: `Spiking`, with `pairs` alone, one voltage to start from in each population, and starts of conductances
            that do not vary.
        stimuli: (population's name, list of amperes) each.
    """
    neurons = [(population, i) for population in network.populations for i in range(population.size)]
    everyone = range(len(neurons))
    kinds = [_kind(synapses) for synapses in network.synapses]
    # What decays, of each neuron, by (tau, reversal, start): those who share it, share what was there at the start.
    states = [{kind: kind[2][0] if kind[2] else 0.0 for kind in kinds if kind} for _ in neurons]
    v = [population.v_start[0] for population, _ in neurons]
    held_until = [0 for _ in neurons]
    under_way, spikes, voltages = [], [], []
    for k in range(steps):
        voltages.append(list(v))
        free = [k >= held_until[n] for n in everyone]
        for n in everyone:
            population, lif = neurons[n][0], neurons[n][0].neuron
            current = population.current
            for name, values in stimuli:
                if name == population.name and k < len(values):
                    current += values[k]
            if free[n]:
                v[n] = _moved(v[n], lif, lif.v_rest + lif.resistance * current, states[n], dt)
            for tau, reversal, start in states[n]:
                states[n][tau, reversal, start] *= math.exp(-dt / tau)
        fired = [n for n in everyone if v[n] > neurons[n][0].neuron.v_threshold]
        for synapses, kind in zip(network.synapses, kinds, strict=True):
            sources, targets = (_of(neurons, name) for name in (synapses.source, synapses.target))
            for s, (source, target) in enumerate(zip(*synapses.pairs, strict=True)):
                if sources[source] in fired:
                    weight, delay = (
                        value if isinstance(value, float) else value[s] for value in (synapses.weight, synapses.delay)
                    )
                    under_way.append((k + math.floor(delay / dt + 0.5), targets[target], kind, weight))
        for when, target, kind, weight in under_way:
            if when == k and kind:
                states[target][kind] += weight
            elif when == k and free[target]:
                v[target] += weight
        for n in fired:
            spikes.append((k, n))
            lif = neurons[n][0].neuron
            v[n], held_until[n] = lif.v_reset, k + max(1, math.floor(lif.t_ref / dt + 1e-3))
    return spikes, voltages


def _kind(synapses):
    return (synapses.tau, synapses.reversal, synapses.start) if synapses.tau else None


def _of(neurons, names):
    """The numbers of the neurons of some populations."""
    names = [names] if isinstance(names, str) else names
    return [n for n, (population, _) in enumerate(neurons) if names == ["all"] or population.name in names]


def _moved(v, lif, target, state, dt):
    """The voltage after a step."""
    conductances = {kind: value for kind, value in state.items() if kind[1] is not None}
    currents = {kind: value for kind, value in state.items() if kind[1] is None}
    if conductances:  # exponential Euler
        s = 1 + sum(conductances.values())
        target = (target + sum(currents.values()) + sum(h * kind[1] for kind, h in conductances.items())) / s
        return target + (v - target) * math.exp(-s * dt / lif.tau)
    keep = math.exp(-dt / lif.tau)
    v = target + (v - target) * keep
    for (tau, _, _), g in currents.items():
        v += g * tau / (tau - lif.tau) * (math.exp(-dt / tau) - keep)
    return v
