"""A spiking network, neuron by neuron in plain Python, by the equations and not by anyone's formula for a step."""

import numpy as np
from scipy.linalg import expm
from scipy.stats import poisson

from kzoo.bio import LIF, networks


def small() -> networks.Spiking:
    """Of everything something: two kinds of neurons and of synapses, own weights and delays, a drive."""
    rng = np.random.default_rng(7)
    a = LIF(tau=20e-3, t_ref=2e-3)
    b = LIF(tau=12e-3, resistance=80e6, v_rest=-68e-3, v_threshold=-52e-3, v_reset=-60e-3, t_ref=1.07e-3)
    pairs = rng.integers(0, 8, 30), rng.integers(0, 4, 30)
    return networks.Spiking(
        (
            networks.Population("a", 8, a, 0.25e-9, (-70e-3, -50e-3), networks.Poisson(2000.0, 0.3e-3)),
            networks.Population("b", 4, b, 0.21e-9, (-70e-3, -52e-3)),
        ),
        (
            networks.Synapses("a", "all", 3e-3, 0.5e-3, probability=0.5, tau=5e-3),
            networks.Synapses("a", "b", rng.normal(1e-3, 1e-3, 30), rng.integers(0, 9, 30) * 1e-4, pairs=pairs),
            networks.Synapses("b", "all", -2e-3, 1e-3, in_degree=2, tau=10e-3),
        ),
    )


def stimuli(steps=1000):
    """Currents for `small`, which overlap."""
    wave = 0.1e-9 * np.sin(np.arange(steps) / 50)
    return networks.Stimulus(wave, [0, 1, 9]), networks.Stimulus(0.05e-9 * np.ones(steps // 2), "b")


def by_hand(plan):
    """Spikes bool (t, n) and voltages (t, n) of a `Plan` without conductances."""
    size, count = plan.size, len(plan.channels)
    own = [{name: np.broadcast_to(v, size)[i] for name, v in plan.parameters.items()} for i in range(size)]
    v, g = plan.v_start.copy(), np.zeros((size, count))
    last = [None] * size
    arrivals = {}  # (step, neuron) -> list of (channel, weight)
    spikes, voltage = np.zeros((plan.steps, size), bool), np.zeros((plan.steps, size))
    moves, decays = [], []
    for p in own:
        # d/dt (V, g..., 1), the 1 standing for what is constant during the step.
        matrix = np.zeros((count + 2, count + 2))
        matrix[0] = [-1 / p["tau"], *[1 / p["tau"]] * count, 1 / p["tau"]]
        for c, channel in enumerate(plan.channels):
            matrix[c + 1, c + 1] = -1 / channel.tau
        moves.append(expm(matrix * plan.dt))
        decays.append([np.exp(-plan.dt / channel.tau) for channel in plan.channels])
    for k in range(plan.steps):
        voltage[k] = v
        fired, free = [], []
        for i, p in enumerate(own):
            held = last[i] is not None and k - last[i] < max(1, int(p["t_ref"] / plan.dt + 1e-3))
            current = 0.0 if plan.current is None else plan.current[k, plan.column[i]]
            moved = moves[i] @ [v[i], *g[i], p["v_rest"] + p["resistance"] * current]
            if not held:
                v[i] = moved[0]
            g[i] = decays[i] * g[i]
            if v[i] > p["v_threshold"] and not held:
                fired.append(i)
                last[i] = k
            elif not held:
                free.append(i)
        for wires in plan.wires:
            for i in fired:
                for s in range(wires.first[i], wires.first[i + 1]):
                    weight = np.broadcast_to(wires.weights, len(wires.targets))[s]
                    delay = np.broadcast_to(wires.delays, len(wires.targets))[s]
                    arrivals.setdefault((k + delay, wires.targets[s]), []).append((wires.channel, weight))
        for i in range(size):
            for channel, weight in arrivals.pop((k, i), []):
                if channel is not None:
                    g[i, channel] += weight
                elif i in free:
                    v[i] += weight
            if i in free and plan.drive is not None:
                v[i] += plan.drive.weight[i] * kicks(plan.drive, size, k, i)
        for i in fired:
            spikes[k, i], v[i] = True, own[i]["v_reset"]
    return spikes, voltage


def kicks(drive, size, step, neuron):
    """How many spikes from outside reach a neuron in a step: splitmix64 in Python's integers, and scipy's quantile."""
    if drive.kind[neuron] < 0:
        return 0
    mask = 2**64 - 1
    x = (drive.key + (step * size + neuron + 1) * 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    uniform = ((x ^ (x >> 31)) >> 11) / 2**53
    return int(poisson.ppf(uniform, drive.means[drive.kind[neuron]])) if uniform else 0
