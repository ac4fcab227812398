"""Networks that the field knows: balanced, CUBA, COBA, and Brunel's with its four regimes."""

from kzoo.bio import checks
from kzoo.bio.networks.inputs import ALL
from kzoo.bio.networks.population import Poisson, Population
from kzoo.bio.networks.spiking import Spiking
from kzoo.bio.networks.synapses import Synapses
from kzoo.bio.parameters import LIF

# Brunel 2000, figure 8: inhibition over excitation g, and the external rate over that which takes the mean to the
# threshold, eta.
REGIMES = {"A": (3.0, 2.0), "B": (6.0, 4.0), "C": (5.0, 2.0), "D": (4.5, 0.9)}
REGIME_NAMES = {
    "A": "synchronous regular",
    "B": "synchronous irregular, fast oscillation",
    "C": "asynchronous irregular",
    "D": "synchronous irregular, slow oscillation",
}


def balanced(size=1000, in_degree=100, weight=1e-3, g=6.0, current=0.3e-9, delay=1.5e-3) -> Spiking:
    """A random balanced network: a constant current above rheobase, held back by inhibition. Nothing in it is noise.

    Four fifths are excitatory. Each neuron has `in_degree` excitatory sources and a quarter as many inhibitory ones.
    Spikes move voltages at once. Excitation and inhibition nearly cancel in the mean, and what is left fluctuates, so
    that neurons fire at irregular times: van Vreeswijk and Sompolinsky 1996, doi:10.1126/science.274.5293.1724.

    Arguments:
        size: of the network, 10 or more.
        in_degree: excitatory synapses of a neuron.
        weight: of an excitatory spike [V].
        g: inhibition over excitation of a synapse, 0 or more.
        current: into each neuron [A].
        delay: [s].
    """
    size = checks.integer("size", size, 10, 10**6)
    neuron = LIF()
    start = (neuron.v_rest, neuron.v_threshold)
    excitatory = size - size // 5
    in_degree = checks.integer("in_degree", in_degree, 1, excitatory - 1)
    g = checks.quantity("g", g, least=0.0)
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, current, start),
            Population("inhibitory", size // 5, neuron, current, start),
        ),
        (
            Synapses("excitatory", ALL, weight, delay, in_degree=in_degree),
            Synapses("inhibitory", ALL, -g * weight, delay, in_degree=min(round(in_degree / 4), size // 5 - 1)),
        ),
    )


def cuba(size=4000) -> Spiking:
    """The network with currents of Vogels and Abbott 2005 (doi:10.1523/JNEUROSCI.3508-05.2005).

    The parameters are those of the benchmark 2 of Brette et al. 2007 (arXiv:q-bio/0611089): they fire without any
    input, since they rest above the threshold. In a smaller network the probability of a connection grows, so that a
    neuron keeps 80 synapses.

    Differs from the source: no neuron is connected to itself.

    Arguments:
        size: from 200 on; 4,000 in the source.
    """
    size = checks.integer("size", size, 200, 10**6)
    neuron = LIF(tau=20e-3, v_rest=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, t_ref=5e-3)
    return _vogels_abbott(
        size,
        neuron,
        (neuron.v_reset, neuron.v_threshold),
        {"weight": 1.62e-3, "tau": 5e-3},
        {"weight": -9e-3, "tau": 10e-3},
    )


def coba(size=4000) -> Spiking:
    """The network with conductances of Vogels and Abbott 2005 (doi:10.1523/JNEUROSCI.3508-05.2005).

    The parameters are those of the benchmark 1 of Brette et al. 2007 (arXiv:q-bio/0611089). Nothing drives it but its
    own activity, which voltages and conductances at the start set off. It can die out: of 60 seeds, 2 fell silent, in
    the first 40 ms; and a smaller one does so more often. In a smaller network the probability of a connection grows,
    so that a neuron keeps 80 synapses.

    Differs from the source: no neuron is connected to itself; voltages at the start are uniform between -85 and -55 mV,
    and conductances normal with 4 ± 1.5 and 15 ± 12 times the leak, cut off at 0.

    Arguments:
        size: from 200 on; 4,000 in the source.
    """
    size = checks.integer("size", size, 200, 10**6)
    neuron = LIF(tau=20e-3, v_rest=-60e-3, v_threshold=-50e-3, v_reset=-60e-3, t_ref=5e-3)
    return _vogels_abbott(
        size,
        neuron,
        (-85e-3, -55e-3),
        {"weight": 0.6, "tau": 5e-3, "reversal": 0.0, "start": (4.0, 1.5)},
        {"weight": 6.7, "tau": 10e-3, "reversal": -80e-3, "start": (15.0, 12.0)},
    )


def _vogels_abbott(size, neuron, start, excitation, inhibition):
    probability = min(1.0, 80 / size)
    excitatory = size - size // 5
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, v_start=start),
            Population("inhibitory", size - excitatory, neuron, v_start=start),
        ),
        (
            Synapses("excitatory", ALL, probability=probability, **excitation),
            Synapses("inhibitory", ALL, probability=probability, **inhibition),
        ),
    )


def brunel(g=5.0, eta=2.0, scale=1.0, *, weight=0.1e-3, delay=1.5e-3) -> Spiking:
    """The sparse network of Brunel 2000 (doi:10.1023/A:1008925309027), model A.

    10,000 excitatory and 2,500 inhibitory neurons; each has 1,000 excitatory and 250 inhibitory sources within, and
    1,000 Poisson sources outside. Voltages count from rest: threshold 20 mV, reset 10 mV.

    A smaller network keeps the sources of a neuron, 1,000 and 250, and their weight, and has fewer neurons: scale
    10,000 and scale 2,500 of them. So mean and variance of what a neuron receives, and the theory's rates, stay as they
    are; what grows is the share of sources that two neurons have in common, 10 % / scale, and with it the synchrony. At
    scale 0.2 the rates are within 10 % of the full network's in all four regimes and oscillations are of the same
    frequencies, but C is less asynchronous: `analysis.synchrony` is 0.30 instead of 0.14 there.

    Differs from the source: voltages at the start are uniform between rest and threshold.

    Arguments:
        g: weight of inhibition over excitation, 0 or more.
        eta: external rate over that which takes the mean to the threshold, 0 or more.
        scale: of the number of neurons, from 0.2 to 1.
        weight: J, by which an excitatory spike moves the voltage [V], above 0.
        delay: D [s].
    """
    g, eta = checks.quantity("g", g, least=0.0), checks.quantity("eta", eta, least=0.0)
    hint = "Two neurons of a smaller network would have more than half of their sources in common."
    scale = checks.quantity("scale", scale, least=0.2, most=1.0, hint=hint)
    weight = checks.quantity("weight", weight, "mV", above=0.0)
    neuron = LIF(tau=20e-3, v_rest=0.0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3)
    excitatory = round(10_000 * scale)
    outside = eta * neuron.v_threshold / (weight * neuron.tau)  # of all 1,000 sources together
    drive = Poisson(outside, weight)
    start = (neuron.v_rest, neuron.v_threshold)
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, v_start=start, drive=drive),
            Population("inhibitory", round(excitatory / 4), neuron, v_start=start, drive=drive),
        ),
        (
            Synapses("excitatory", ALL, weight, delay, in_degree=1000),
            Synapses("inhibitory", ALL, -g * weight, delay, in_degree=250),
        ),
    )
