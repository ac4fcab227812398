"""How long the NumPy engine would take for a `Plan`, and from when on a program in C++ is worth it.

    seconds = steps (STEP + neurons NEURON) + spikes (SPIKE + synapses of a neuron SYNAPSE)
    worth = (START + synapses HAND) / (1 - SHARE), of a program that is built; else BUILD

The figures are processor seconds measured on one core of a common x86 server, with NumPy 2.3. How often neurons fire is
not known before. Where spikes move voltages at once, as in Brunel's network, it is what his theory gives for neurons
that fire asynchronously; elsewhere it is taken to be `RATE`. Neurons that fire at 300 Hz take up to fifteen times as
long where synapses are many.

A program in C++ first reads its synapses, which is all that it does in a short run of a large network; then it takes
from a seventh (CUBA) to three quarters (Brunel's regime A) of NumPy's time.
"""

import numpy as np

from kzoo.bio.engines import plan

# In seconds: for a step; for a step of a neuron, and what a drive and conductances add to that; for a spike; for one
# synapse that hands it on.
STEP, NEURON, DRIVE, CONDUCTANCE, SPIKE, SYNAPSE = 20e-6, 3e-9, 15e-9, 5e-9, 3e-6, 12e-9
# How often a neuron fires of which nothing is known [Hz].
RATE = 20.0
# What C++ takes before its first step: to build a program, once, on one core to itself; to start one that is built; to
# hand it one synapse.
BUILD, START, HAND = 20.0, 0.01, 20e-9
# Of NumPy's time that C++ takes for the steps.
SHARE = 0.5


def rate(given) -> float:
    """How often a neuron of a `Plan` fires, by estimate [Hz].

    Where all neurons are alike, and spikes alone move them, at once, it is the lowest nu = siegert(mu, sigma, ...) with

        mu = v_rest + tau (sum of weights, each times the rate of its source)
        sigma² = tau (sum of squared weights, each times the rate of its source)

    of a mean neuron, within a twentieth or so: Brunel 2000, doi:10.1023/A:1008925309027, eqs. 4, 5 and 21.
    """
    if given.own or given.channels or given.current is not None or given.drive is None:
        return RATE
    tau, _, rest, threshold, reset, t_ref = (float(given.parameters[name][0]) for name in plan.PARAMETERS)
    outside = np.array([*given.drive.means, 0.0])[given.drive.kind] / given.dt  # a kind of -1 has no drive

    def weights(power, nu):
        inside = sum(len(w.targets) * np.mean(w.weights**power) for w in given.wires) / given.size
        return np.mean(outside * given.drive.weight**power) + inside * nu

    nu = np.geomspace(0.1, 1 / max(t_ref, given.dt), 200)
    from kzoo.bio.siegert import siegert  # which loads SciPy

    found = siegert(rest + tau * weights(1, nu), np.sqrt(tau * weights(2, nu)), tau, threshold, reset, t_ref)
    below = np.flatnonzero(found <= nu)
    return float(nu[below[0] if below.size else -1])


def seconds(given, rate=RATE) -> float:
    """What the NumPy engine takes for a `Plan` of neurons that fire at `rate` [Hz], by estimate."""
    neuron = NEURON
    if given.drive is not None:
        neuron += DRIVE
    if any(channel.reversal is not None for channel in given.channels):
        neuron += CONDUCTANCE
    spikes = rate * given.size * given.steps * given.dt
    synapses = sum(len(wires.targets) for wires in given.wires) / given.size
    return given.steps * (STEP + given.size * neuron) + spikes * (SPIKE + synapses * SYNAPSE)


def worth(given, built) -> float:
    """The seconds in NumPy from which on a program is worth its start, or its build if it is not built."""
    synapses = sum(len(wires.targets) for wires in given.wires)
    return (START + synapses * HAND) / (1 - SHARE) if built else BUILD
