"""`Spiking.plan`, which all engines share, beside a simulation that knows nothing of it."""

import numpy as np
import pytest
import references_spiking as reference

from kzoo.bio import LIF, networks
from kzoo.bio.networks import Poisson, Population, Spiking, Stimulus, Synapses

DT, STEPS = 1e-4, 1500
ONE = Population("one", 3, LIF(), 0.26e-9, -55e-3)
TWO = Population(
    "two",
    2,
    LIF(tau=12e-3, resistance=80e6, v_rest=-68e-3, v_threshold=-52e-3, v_reset=-60e-3, t_ref=0.57e-3),
    0.21e-9,
    -66e-3,
)
# Own weights and delays, of which some fall between steps and one is none. Names in any order.
JUMPS = Synapses(
    "one", "two", [3e-3, -1e-3, 2e-3, 4e-3], [0.26e-3, 0.0, 1.5e-3, 0.34e-3], pairs=([0, 1, 2, 2], [1, 0, 0, 1])
)
BACK = Synapses("two", ("two", "one"), 1e-3, 0.3e-3, pairs=([0, 1, 1, 0], [0, 1, 4, 4]))
CURRENT = Synapses("all", "all", [2e-3, -3e-3, 1e-3], 0.5e-3, pairs=([0, 4, 3], [3, 2, 1]), tau=5e-3)
SAME = Synapses("one", "one", 1e-3, [0.2e-3, 0.7e-3], pairs=([0, 1], [1, 2]), tau=5e-3)
OPEN = Synapses("one", "all", [0.2, 0.1], 0.4e-3, pairs=([0, 2], [4, 1]), tau=4e-3, reversal=0.0, start=(0.1, 0.0))
MORE = Synapses("two", "one", 0.3, pairs=([1], [0]), tau=4e-3, reversal=0.0, start=(0.1, 0.0))
SHUT = Synapses("two", "all", 0.05, 1e-3, pairs=([0, 1], [2, 3]), tau=8e-3, reversal=-80e-3)


@pytest.mark.parametrize(
    "synapses",
    [(), (JUMPS, BACK), (CURRENT, JUMPS, SAME, BACK), (OPEN, CURRENT, MORE, SHUT, JUMPS)],
    ids=["none", "jumps", "currents", "conductances"],
)
def test_a_network_does_what_its_populations_and_synapses_say(synapses):
    network = Spiking((ONE, TWO), synapses)
    wave = 0.1e-9 * np.sin(np.arange(STEPS) / 50)
    stimuli = ("two", list(0.5 * wave[:900])), ("one", list(wave))
    spikes, voltage = reference.simulate(network, STEPS, DT, stimuli)
    made = networks.run(
        network,
        STEPS * DT,
        DT,
        engine="numpy",
        trace=range(5),
        stimulus=[Stimulus(np.array(current), name) for name, current in stimuli],
    )
    np.testing.assert_array_equal(np.rint(made.times / DT).astype(int), [step for step, _ in spikes])
    np.testing.assert_array_equal(made.neurons, [neuron for _, neuron in spikes])
    np.testing.assert_allclose(made.voltage, voltage, rtol=0, atol=1e-14)
    assert np.bincount(made.neurons, minlength=5).min() > 2


def test_each_population_has_the_mean_of_its_own_drive():
    """Without a threshold in reach: rate, weight and tau."""
    drives = Poisson(5000.0, 0.1e-3), None, Poisson(2000.0, -0.2e-3), Poisson(5000.0, 0.3e-3), Poisson(0.0, 1e-3)
    neuron = LIF(tau=10e-3, v_rest=0.0, v_threshold=1.0, v_reset=0.0)
    network = Spiking([Population(f"p{k}", 60, neuron, drive=drive) for k, drive in enumerate(drives)])
    assert Spiking(Population("quiet", 1, neuron, drive=drives[4])).plan(DT).drive is None
    assert network.plan(DT).drive.means == pytest.approx((0.5, 0.2))  # of equal rates one table
    voltage = networks.run(network, 0.1, DT, engine="numpy", trace=range(300)).voltage[500:]
    means = voltage.mean(0).reshape(5, 60).mean(1)
    np.testing.assert_allclose(means, [5e-3, 0.0, -4e-3, 15e-3, 0.0], rtol=0.04, atol=1e-15)
