"""How long the NumPy engine would take for a `Plan`, and from when on a program in C++ is worth it.

    seconds = steps (STEP + neurons NEURON) + spikes (SPIKE + synapses of a neuron SYNAPSE)
    worth = (START + synapses HAND) / (1 - SHARE), of a program that is built; else BUILD

The figures are processor seconds measured on one core of a common x86 server, with NumPy 2.3. How often neurons fire is
not known before: it is taken to be `RATE`. Neurons that fire at 300 Hz take up to fifteen times as long where synapses
are many.

A program in C++ first reads its synapses, which is all that it does in a short run of a large network; then it takes
from a seventh (CUBA) to three quarters (Brunel's regime A) of NumPy's time.
"""

# In seconds: for a step; for a step of a neuron, and what a drive and conductances add to that; for a spike; for one
# synapse that hands it on.
STEP, NEURON, DRIVE, CONDUCTANCE, SPIKE, SYNAPSE = 20e-6, 3e-9, 15e-9, 5e-9, 3e-6, 12e-9
# Of a neuron that nothing is known of [Hz].
RATE = 20.0
# What C++ takes before its first step: to build a program, once, on one core to itself; to start one that is built; to
# hand it one synapse.
BUILD, START, HAND = 20.0, 0.01, 20e-9
# Of NumPy's time that C++ takes for the steps.
SHARE = 0.5


def seconds(given) -> float:
    """What the NumPy engine takes for a `Plan` of spiking neurons, by estimate."""
    neuron = NEURON
    if given.drive is not None:
        neuron += DRIVE
    if any(channel.reversal is not None for channel in given.channels):
        neuron += CONDUCTANCE
    spikes = RATE * given.size * given.steps * given.dt
    synapses = sum(len(wires.targets) for wires in given.wires) / given.size
    return given.steps * (STEP + given.size * neuron) + spikes * (SPIKE + synapses * SYNAPSE)


def worth(given, built) -> float:
    """The seconds in NumPy from which on a program is worth its start, or its build if it is not built."""
    synapses = sum(len(wires.targets) for wires in given.wires)
    return (START + synapses * HAND) / (1 - SHARE) if built else BUILD
