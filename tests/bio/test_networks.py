import dataclasses

import numpy as np
import pytest
import references_network as reference
from scipy.integrate import solve_ivp

from kzoo.bio import LIF, analysis, networks, theory
from kzoo.bio.engines import numpy_network, plan
from kzoo.bio.networks import Graded, Poisson, Population, Spiking, Stimulus, Synapses
from kzoo.errors import ParameterError

DT = 1e-4


def pair(weight=5e-3, delay=1e-3, **more):
    """Neuron 0 fires by itself and reaches neuron 1, which does not."""
    one = Population("one", 1, LIF(), current=0.4e-9)
    two = Population("two", 1, LIF())
    return Spiking((one, two), (Synapses("one", "two", weight, delay, pairs=([0], [0]), **more),))


def simulate(network, duration, **more):
    return networks.run(network, duration, DT, engine="numpy", **more)


def test_a_network_of_everything_does_what_the_equations_say():
    network = reference.small()
    given = network.plan(0.1, DT, seed=3, trace=range(12), stimulus=reference.stimuli())
    spikes, voltage = reference.by_hand(given)
    made = numpy_network.run(given)
    np.testing.assert_array_equal(made.spikes(1000, 12), spikes)
    np.testing.assert_allclose(made.voltage, voltage, rtol=0, atol=1e-14)
    assert spikes[:, :8].sum() > 20
    assert spikes[:, 8:].sum() > 10
    assert len(given.drive.means) == 1
    assert given.current.shape == (1000, 4)  # nothing, one of two stimuli, or both


def test_a_spike_moves_its_target_after_the_delay():
    raster = simulate(pair(), 0.1, trace=[0, 1])
    first = round(raster.times[0] / DT)
    v = raster.voltage[:, 1]
    assert np.all(v[: first + 11] == -70e-3)
    # It is added in step first + 10, and seen at the start of the next.
    assert v[first + 11] == pytest.approx(-65e-3)
    assert v[first + 12] == pytest.approx(-70e-3 + 5e-3 * np.exp(-DT / 20e-3))
    assert np.all(np.diff(raster.spike_times(0)) > 0.01)


def test_a_current_rises_and_decays_as_its_differential_equation():
    raster = simulate(pair(weight=3e-3, delay=0.0, tau=5e-3), 0.1, trace=[1])
    first = round(raster.times[0] / DT)
    t = np.arange(100) * DT  # until the next spike
    expected = 3e-3 * 5e-3 / (5e-3 - 20e-3) * (np.exp(-t / 5e-3) - np.exp(-t / 20e-3))
    np.testing.assert_allclose(raster.voltage[first + 1 : first + 101, 0] + 70e-3, expected, rtol=0, atol=1e-15)


def test_a_current_as_slow_as_the_membrane_is_no_division_by_zero():
    raster = simulate(pair(weight=3e-3, delay=0.0, tau=20e-3), 0.1, trace=[1])
    first = round(raster.times[0] / DT)
    t = np.arange(100) * DT
    np.testing.assert_allclose(
        raster.voltage[first + 1 : first + 101, 0] + 70e-3, 3e-3 * t / 20e-3 * np.exp(-t / 20e-3), rtol=1e-5, atol=1e-12
    )


def test_conductances_and_a_current_are_integrated_to_first_order():
    neuron = LIF(v_threshold=0.05)  # out of reach
    population = Population("one", 1, neuron, v_start=-60e-3)
    none = ([], [])
    synapses = (
        Synapses("one", "one", 0.0, pairs=none, tau=5e-3, reversal=0.0, start=(2.0, 0.0)),
        Synapses("one", "one", 0.0, pairs=none, tau=10e-3, reversal=-80e-3, start=(3.0, 0.0)),
        Synapses("one", "one", 0.0, pairs=none, tau=7e-3, start=(8e-3, 0.0)),  # a current beside them
    )

    def slope(t, v):
        excitation, inhibition = 2 * np.exp(-t / 5e-3), 3 * np.exp(-t / 10e-3)
        current = 8e-3 * np.exp(-t / 7e-3)
        return (-(v + 70e-3) + excitation * (0 - v) + inhibition * (-80e-3 - v) + current) / 20e-3

    exact = solve_ivp(slope, (0, 0.02), [-60e-3], rtol=1e-11, atol=1e-13).y[0, -1]
    errors = []
    for dt in (1e-4, 0.5e-4):
        raster = networks.run(Spiking(population, synapses), 0.02 + dt, dt, engine="numpy", trace=[0])
        errors.append(abs(raster.voltage[-1, 0] - exact))
    assert 1e-6 < errors[0] < 1e-4
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.05)


def test_what_arrives_while_a_neuron_is_held_is_lost():
    one, two = Population("one", 1, LIF(), current=1e-9), Population("two", 1, LIF(t_ref=5e-3), v_start=-49e-3)
    first = round(simulate(Spiking((one,)), 0.05).times[0] / DT)
    # Neuron 1 fires in step 0 and is held until step 50.
    arrivals = {}
    for arrival in (49, 50):
        synapses = Synapses("one", "two", 1e-3, (arrival - first) * DT, pairs=([0], [0]))
        arrivals[arrival] = simulate(Spiking((one, two), (synapses,)), 0.01, trace=[1]).voltage[:, 0]
    assert np.all(arrivals[49][1:51] == -65e-3)
    assert arrivals[49][51] == pytest.approx(-70e-3 + 5e-3 * np.exp(-DT / 20e-3))
    assert arrivals[50][51] == pytest.approx(arrivals[49][51] + 1e-3)


def test_the_drive_has_the_moments_of_poisson_and_depends_on_the_key_alone():
    def counts(key):
        drive = plan.Drive((2.0,), np.zeros(5000, np.int32), np.ones(5000), key)
        return np.array([drive.counter()(step) for step in range(40)])

    drawn = counts(11)
    # The standard error of the mean of 200,000 is 0.0032, that of the variance 0.0071.
    assert drawn.mean() == pytest.approx(2.0, abs=0.013)
    assert drawn.var() == pytest.approx(2.0, abs=0.03)
    np.testing.assert_array_equal(drawn, counts(11))
    assert np.mean(drawn == counts(12)) < 0.3
    for lag in (drawn[1:] * drawn[:-1], drawn[:, 1:] * drawn[:, :-1]):  # neither steps nor neighbours go together
        assert lag.mean() == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("mean", [1e-3, 0.9, 8.0, 90.0])
def test_each_count_of_the_drive_is_the_quantile_of_its_number(mean):
    drive = plan.Drive((mean,), np.array([0, -1, 0], np.int32), np.ones(3), 2**63 + 5)
    counter = drive.counter()
    for step in (0, 1, 2, 10**6):
        assert counter(step).tolist() == [reference.kicks(drive, 3, step, i) for i in range(3)]


def test_every_neuron_has_its_in_degree_of_different_sources():
    for sources, in_degree in ((300, 20), (30, 29), (300, 299), (30, 0)):
        network = Spiking(
            (Population("a", sources), Population("b", 50)), (Synapses("a", "all", 0.0, in_degree=in_degree),)
        )
        (wires,) = network.plan(DT, seed=5).wires
        matrix = np.zeros((sources + 50, sources + 50), int)
        np.add.at(matrix, (wires.sources, wires.targets), 1)
        assert matrix.max() == (in_degree > 0)
        assert np.all(matrix.sum(axis=0) == in_degree)
        assert np.all(np.diag(matrix) == 0)
        assert np.all(matrix[sources:] == 0)


@pytest.mark.parametrize(("target", "choices"), [("a", 39), ("b", 40)])
def test_every_source_is_as_likely_as_another(target, choices):
    network = Spiking((Population("a", 40), Population("b", 40)), Synapses("a", target, 0.0, in_degree=10))
    counts = np.zeros((40, 80))
    for seed in range(400):
        (wires,) = network.plan(DT, seed=seed).wires
        np.add.at(counts, (wires.sources, wires.targets), 1)
    others = counts[:, 40:] if target == "b" else counts[:, :40][~np.eye(40, dtype=bool)]
    expected, variance = 400 * 10 / choices, 400 * 10 / choices * (choices - 10) / choices
    assert others.mean() == pytest.approx(expected)
    # The mean of 1,560 squares of standard normals is 1 with a standard deviation of 0.036.
    assert np.mean((others - expected) ** 2) / variance == pytest.approx(1.0, abs=0.15)


def test_pairs_are_connected_with_their_probability():
    network = Spiking((Population("a", 600), Population("b", 400)), (Synapses(("a", "b"), "b", 0.0, probability=0.1),))
    (wires,) = network.plan(DT).wires
    assert wires.targets.min() >= 600
    assert np.all(wires.sources != wires.targets)
    # 1,000 times 400 less 400 of a neuron with itself: 39,960, with a standard deviation of 190.
    assert len(wires.targets) == pytest.approx(39_960, abs=800)
    assert len(set(zip(wires.sources.tolist(), wires.targets.tolist(), strict=True))) == len(wires.targets)
    per_source = np.diff(wires.first)
    assert per_source.var() == pytest.approx(400 * 0.1 * 0.9, rel=0.2)
    for probability, count in ((0.0, 0), (1.0, 399_600)):
        synapses = Synapses("all", "b", 0.0, probability=probability)
        assert len(dataclasses.replace(network, synapses=(synapses,)).plan(DT).wires[0].targets) == count


def test_a_seed_is_a_network():
    network = networks.brunel(scale=0.2)
    network = dataclasses.replace(
        network, synapses=tuple(dataclasses.replace(s, in_degree=s.in_degree // 10) for s in network.synapses)
    )
    first, same, other = (network.plan(0.01, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first.wires, same.wires, strict=True):
        np.testing.assert_array_equal(a.targets, b.targets)
    np.testing.assert_array_equal(first.v_start, same.v_start)
    assert first.drive.key == same.drive.key != other.drive.key
    assert not np.array_equal(first.wires[0].targets, other.wires[0].targets)
    assert not np.array_equal(first.wires[0].targets[:100], first.wires[1].targets[:100])
    assert not np.array_equal(first.v_start, other.v_start)


def test_own_weights_and_delays_go_with_their_pairs():
    pairs = np.array([2, 0, 1, 0]), np.array([0, 1, 2, 2])
    weights, delays = np.array([1e-3, 2e-3, 3e-3, 4e-3]), np.array([1, 2, 3, 4]) * DT
    network = Spiking(Population("a", 3), Synapses("a", "a", weights, delays, pairs=pairs))
    (wires,) = network.plan(DT).wires
    found = list(zip(wires.sources, wires.targets, wires.weights, wires.delays, strict=True))
    assert found == [(0, 1, 2e-3, 2), (0, 2, 4e-3, 4), (1, 2, 3e-3, 3), (2, 0, 1e-3, 1)]


def test_a_delay_is_taken_to_the_nearest_step():
    delays = np.array([0.0, 0.04, 0.06, 0.24, 0.26, 0.3, 0.34]) * 1e-3
    network = Spiking(Population("a", 7), Synapses("a", "a", 0.0, delays, pairs=(np.arange(7), np.arange(7))))
    assert network.plan(DT).wires[0].delays.tolist() == [0, 0, 1, 2, 3, 3, 3]


@pytest.mark.parametrize(("t_ref", "steps"), [(0.0, 1), (1e-4, 1), (1.9e-4, 1), (3e-4, 3), (7e-4, 7), (2.05e-3, 20)])
def test_a_spike_holds_the_voltage_for_the_whole_steps_of_t_ref(t_ref, steps):
    neuron = LIF(t_ref=t_ref)
    network = Spiking(Population("a", 1, neuron, v_start=-49e-3))
    assert network.plan(DT).hold.tolist() == [steps] == [max(1, neuron.refractory_steps(DT))]
    raster = simulate(network, 5e-3, trace=[0])
    v = raster.voltage[:, 0]
    assert raster.times.tolist() == [0.0]
    # Put to the reset at the end of step 0; in step `steps` it moves again, which is seen at the start of the next.
    assert np.all(v[1 : steps + 1] == neuron.v_reset)
    assert v[steps + 1] < neuron.v_reset


def test_a_voltage_at_the_threshold_is_no_spike():
    def network(above):
        return Spiking(Population("a", 1, LIF(v_rest=-50e-3, v_threshold=-50e-3), v_start=-50e-3 + above))

    assert not len(simulate(network(0.0), 0.01).times)
    assert len(simulate(network(1e-6), 0.01).times) == 1


def test_own_weights_with_one_delay_pass_by_who_is_held():
    one = Population("one", 1, LIF(), v_start=-49e-3)
    two = Population("two", 3, LIF(t_ref=5e-3), v_start=-70e-3)
    held = Population("held", 1, LIF(t_ref=5e-3), v_start=-49e-3)
    synapses = Synapses("one", ("two", "held"), [4e-3, 1e-3, 2e-3, 3e-3], 1e-3, pairs=([0, 0, 0, 0], [3, 0, 1, 2]))
    v = simulate(Spiking((one, two, held), synapses), 2e-3, trace=range(1, 5)).voltage[11]
    np.testing.assert_allclose(v, [-69e-3, -68e-3, -67e-3, -65e-3], rtol=0, atol=1e-15)


def test_a_plan_survives_the_way_to_another_process():
    given = reference.small().plan(0.02, DT, trace=[3], stimulus=reference.stimuli(200))
    back = plan.from_arrays(plan.to_arrays(given))
    assert back.structure == given.structure
    first, second = numpy_network.run(given), numpy_network.run(back)
    np.testing.assert_array_equal(first.voltage, second.voltage)
    graded = Graded(np.array([[0.0, 0.5], [0.0, 0.0]])).plan(0.01)
    assert plan.from_arrays(plan.to_arrays(graded)).graded


def test_cuba_fires_at_its_rate():
    raster = simulate(networks.cuba(), 1.0)
    assert 5.0 <= len(raster.times) / raster.size <= 6.5
    assert 0.4 < np.nanmean(analysis.cv(raster)) < 0.7
    assert list(raster.groups) == ["excitatory", "inhibitory"]
    assert raster.groups["inhibitory"] == (3200, 4000)


def test_coba_stays_alive():
    raster = simulate(networks.coba(), 0.5)
    assert np.sum(raster.times > 0.4) > 1000
    assert 10 < len(raster.times) / raster.size / 0.5 < 30


def test_a_balanced_network_fires_irregularly_without_any_noise():
    raster = simulate(networks.balanced(), 1.0)
    rate = len(raster.times) / raster.size
    assert 10 < rate < 30
    assert 0.8 < np.nanmean(analysis.cv(raster, 0.2)) < 1.2  # 1 is Poisson's
    assert raster.engine == "numpy"


def test_a_fifth_of_brunels_network_keeps_its_rate_and_irregularity():
    raster = simulate(networks.brunel(5.0, 2.0, scale=0.2), 0.3)
    assert raster.size == 2500
    rate = np.sum(raster.times >= 0.1) / raster.size / 0.2
    # 5 % more than in full, over a long time; over 0.2 s the rate of so synchronous a network is known to some 5 %.
    assert rate == pytest.approx(theory.brunel_rates(5.0, 2.0)[0], rel=0.15)
    assert 0.3 < np.nanmean(analysis.cv(raster)) < 0.6


def test_brunels_network_is_the_papers():
    network = networks.brunel()
    excitatory, inhibitory = network.populations
    assert (excitatory.size, inhibitory.size) == (10_000, 2_500)
    assert excitatory.drive.rate == pytest.approx(2 * 1000 * 10.0)  # twice the threshold of 10 Hz, 1,000 sources
    assert [s.weight for s in network.synapses] == pytest.approx([0.1e-3, -0.5e-3])
    assert [s.in_degree for s in network.synapses] == [1000, 250]
    assert networks.REGIMES == {"A": (3, 2), "B": (6, 4), "C": (5, 2), "D": (4.5, 0.9)}
    assert set(networks.REGIME_NAMES) == set(networks.REGIMES)


def test_the_neurons_of_ready_networks_are_those_of_their_papers():
    mv = 1e-3
    given = {
        # tau, threshold, reset, rest, refractory period; between which voltages they start
        networks.cuba: ((20e-3, -50 * mv, -60 * mv, -49 * mv, 5e-3), (-60 * mv, -50 * mv)),
        networks.coba: ((20e-3, -50 * mv, -60 * mv, -60 * mv, 5e-3), (-85 * mv, -55 * mv)),
        networks.brunel: ((20e-3, 20 * mv, 10 * mv, 0.0, 2e-3), (0.0, 20 * mv)),
        networks.balanced: ((20e-3, -50 * mv, -65 * mv, -70 * mv, 2e-3), (-70 * mv, -50 * mv)),
    }
    for make, (numbers, start) in given.items():
        for population in make().populations:
            p = population.neuron
            assert (p.tau, p.v_threshold, p.v_reset, p.v_rest, p.t_ref) == pytest.approx(numbers), make.__name__
            assert population.v_start == pytest.approx(start), make.__name__


def test_another_weight_reaches_every_place_of_a_ready_network():
    network = networks.brunel(g=4.0, eta=3.0, weight=0.2e-3, delay=2e-3)
    for population in network.populations:
        # 3 times the 20 mV of the threshold over the 0.2 mV of a spike, in each 20 ms.
        assert (population.drive.rate, population.drive.weight) == (pytest.approx(15_000.0), 0.2e-3)
    assert [s.weight for s in network.synapses] == pytest.approx([0.2e-3, -0.8e-3])
    assert [s.delay for s in network.synapses] == [2e-3, 2e-3]
    network = networks.balanced(200, in_degree=40, weight=2e-3, g=5.0, current=0.4e-9, delay=1e-3)
    assert [s.weight for s in network.synapses] == pytest.approx([2e-3, -10e-3])
    assert [s.in_degree for s in network.synapses] == [40, 10]
    assert [s.delay for s in network.synapses] == [1e-3, 1e-3]
    assert [(p.size, p.current) for p in network.populations] == [(160, 0.4e-9), (40, 0.4e-9)]


def test_coba_starts_from_the_voltages_and_conductances_that_it_says():
    given = networks.coba().plan(DT)
    assert -85e-3 <= given.v_start.min() < -84.9e-3 < -55.1e-3 < given.v_start.max() <= -55e-3
    # Of 4,000 uniform numbers 30 mV wide the mean has a standard error of 0.14 mV.
    assert given.v_start.mean() == pytest.approx(-70e-3, abs=0.5e-3)
    excitation, inhibition = (channel.start for channel in given.channels)
    assert excitation.min() == inhibition.min() == 0.0
    assert np.median(excitation) == pytest.approx(4.0, abs=0.12)
    assert np.median(inhibition) == pytest.approx(15.0, abs=1.0)
    # 10.6 % of normal numbers are more than 15/12 deviations below their mean, 84.1 % less than one above it.
    assert np.mean(inhibition == 0.0) == pytest.approx(0.1056, abs=0.02)
    assert np.mean(inhibition < 27.0) == pytest.approx(0.8413, abs=0.025)
    assert np.mean(excitation < 5.5) == pytest.approx(0.8413, abs=0.025)


def test_cuba_starts_between_reset_and_threshold():
    start = networks.cuba().plan(DT).v_start
    assert -60e-3 <= start.min() < -59.9e-3 < -50.1e-3 < start.max() <= -50e-3


def test_stimuli_add_up_and_end():
    population = Population("a", 3, LIF(v_threshold=0.0))
    network = Spiking((population, Population("b", 1, LIF(v_threshold=0.0))))
    one, two = np.full(100, 1e-10), np.full(50, 2e-10)
    raster = simulate(network, 0.02, stimulus=[Stimulus(one, [0, 1]), Stimulus(two, "a")], trace=range(4))
    v = raster.voltage[50] + 70e-3
    rise = 1 - np.exp(-50 * DT / 20e-3)
    np.testing.assert_allclose(v, np.array([3e-2, 3e-2, 2e-2, 0.0]) * rise, atol=1e-14)
    assert np.all(np.diff(raster.voltage[100:, 0]) < 0)
    every = simulate(network, 0.02, stimulus=one, trace=[0, 3]).voltage
    np.testing.assert_array_equal(every[:, 0], every[:, 1])
    columns = simulate(network, 0.02, stimulus=np.outer(one, [1, 2, 3, 4]), trace=[0, 3]).voltage[50] + 70e-3
    np.testing.assert_allclose(columns, [1e-2 * rise, 4e-2 * rise], atol=1e-14)


def random_weights(size=20, largest=0.9, seed=2):
    weights = np.random.default_rng(seed).normal(size=(size, size))
    return weights * largest / np.linalg.eigvals(weights).real.max()


def test_a_graded_network_is_integrated_exactly():
    neuron, weights = LIF(), random_weights()
    current = np.random.default_rng(3).normal(size=20) * 1e-10
    start = neuron.v_rest + np.linspace(-5e-3, 5e-3, 20)
    for dt in (1e-4, 2e-3):  # exact at any dt
        steps = round(0.2 / dt)
        made = networks.run(Graded(weights, neuron, start), 0.2, dt, stimulus=np.tile(current, (steps, 1)))
        exact = theory.graded_response(neuron, weights, current, made.times, start)
        np.testing.assert_allclose(made.voltage, exact, rtol=0, atol=1e-12)
        assert (made.engine, made.voltage.shape) == ("numpy", (steps, 20))
        np.testing.assert_array_equal(made.current[3], current)


def test_graded_coupling_goes_from_column_to_row():
    weights = np.array([[0.0, 0.0], [0.5, 0.0]])  # from 0 to 1
    stimulus = Stimulus(np.full(5000, 1e-10), [0])
    made = networks.run(Graded(weights), 0.5, DT, stimulus=stimulus)
    np.testing.assert_allclose(made.voltage[-1] + 70e-3, [10e-3, 5e-3], atol=1e-9)


def test_an_unstable_matrix_is_refused_with_the_factor_that_helps():
    weights = random_weights(largest=1.6)
    with pytest.raises(ParameterError, match=r"largest real part of 1\.6;.*expected below 1") as error:
        Graded(weights)
    factor = float(str(error.value).split("Scale it: ")[1].split(" *")[0])
    assert theory.graded_stability(Graded(factor * weights).weights).largest == pytest.approx(0.99, abs=1e-3)
    with pytest.raises(ParameterError, match="below 1"):
        Graded(np.eye(2))
    Graded(-5 * np.eye(2))  # inhibition of oneself is stable


REFUSED = [
    (lambda: networks.brunel(scale=1.5), "scale: got 1.5; expected a finite number at least 0.2 and at most 1."),
    (lambda: Population("all", 1), "name: got 'all'"),
    (lambda: Population("a", 0), "size: got 0"),
    (lambda: Population("a", 1, neuron=3), "neuron: got 3; expected a LIF"),
    (lambda: Population("a", 1, current=np.nan), "current: got nan nA"),
    (lambda: Population("a", 1, current=0.6), "and at most 10000 nA. It is given in amperes"),
    (lambda: Population("a", 1, v_start=(0.0, -1.0)), "v_start: got -1000 mV; expected a finite number at least 0 mV"),
    (lambda: Population("a", 1, v_start=(0, 1, 2)), "expected a number, or"),
    (lambda: Poisson(-1, 0.1), "rate: got -1 Hz"),
    (lambda: Poisson(1, np.inf), "weight: got inf mV"),
    (lambda: Synapses("a", "a", 1e-3), "got none of them; expected exactly one"),
    (lambda: Synapses("a", "a", 1e-3, probability=0.1, in_degree=3), "probability and in_degree"),
    (lambda: Synapses("a", "a", 1e-3, probability=1.5), "probability: got 1.5"),
    (lambda: Synapses("a", "a", 1e-3, -1e-3, probability=0.5), "delay: got -1 ms; expected a finite number at least 0"),
    (lambda: Synapses("a", "a", np.nan, probability=0.5), "weight: got nan mV"),
    (lambda: Synapses("a", "a", [1.0, 2.0], probability=0.5), "weight: got numbers of shape (2,); expected one number"),
    (
        lambda: Synapses("a", "a", 1.0, [0.1], pairs=([0, 1], [0, 1])),
        "delay: got numbers of shape (1,); expected one for each of 2",
    ),
    (lambda: Synapses("a", "a", 1.0, [-0.1], pairs=([0], [0])), "delay: got -100 ms"),
    (lambda: Synapses("a", "a", 1.0, 1.5, probability=0.5), "delay: got 1500 ms; expected a finite number at least 0"),
    (lambda: networks.run(pair(), 1e7, engine="numpy"), "duration: got 1e+10 ms, which is 1e+11 steps"),
    (lambda: Synapses("a", "a", 1.0, pairs=([0, 1], [0])), "2 sources and 1 targets"),
    (lambda: Synapses("a", "a", 1.0, pairs=([0.5], [0])), "two arrays of integers"),
    (lambda: Synapses("a", "a", 1.0, pairs=3), "two arrays of integers"),
    (lambda: Synapses("a", "a", 1.0, probability=0.5, tau=0.0), "tau: got 0 ms"),
    # What was meant in milliseconds and millivolts.
    (lambda: Synapses("a", "a", 1.0, probability=0.5, tau=5), "tau: got 5000 ms; expected a finite number above 0 ms"),
    (lambda: Synapses("a", "a", 1.0, probability=0.5, tau=5e-3, reversal=-80), "reversal: got -80000 mV; expected"),
    (
        lambda: Synapses("a", "a", -20, probability=0.5),
        "weight: got -20000 mV; expected a finite number at least -10000",
    ),
    (lambda: networks.Poisson(1000, 20), "weight: got 20000 mV; expected"),
    (lambda: Population("a", 1, v_start=-60), "v_start: got -60000 mV; expected"),
    (
        lambda: Population("a", 1, v_start=(-60e-3, 50)),
        "v_start: got 50000 mV; expected a finite number at least -60 mV",
    ),
    (lambda: Synapses("a", "a", 1.0, probability=0.5, reversal=0.0), "tau: got None"),
    (lambda: Synapses("a", "a", 1.0, probability=0.5, start=(1, 1)), "start: got"),
    (lambda: Spiking(()), "populations: got the names"),
    (lambda: Spiking((Population("a", 1), Population("a", 1))), "each once"),
    (lambda: Spiking((LIF(),)), "expected a Population"),
    (lambda: Spiking(Population("a", 2), Synapses("a", "b", 1.0, probability=0.5)), "got 'b'; expected one of a"),
    (lambda: Spiking(Population("a", 2), Synapses("a", "a", 1.0, in_degree=2)), "in_degree: got 2; expected at most 1"),
    (lambda: Spiking(Population("a", 2), Synapses("a", "a", 1.0, pairs=([2], [0]))), "pairs: got the source 2"),
    (lambda: Graded(np.zeros((2, 3))), "got shape"),
    (lambda: Graded([[np.nan]]), "weights: got nan"),
    (lambda: Graded(np.zeros((2, 2)), v_start=[1.0]), "v_start: got 1 numbers"),
    (lambda: networks.run(networks.cuba, 1.0), "network: got"),
    (lambda: networks.run(pair(), 0.0), "duration: got 0 ms"),
    (lambda: networks.run(pair(), 1.0, dt=0.0), "dt: got 0 ms"),
    (lambda: networks.run(pair(), 1.0, dt=0.03), "dt: got 30 ms"),
    (lambda: networks.run(pair(), 0.1, seed=-1), "seed: got -1"),
    (lambda: networks.run(pair(), 0.1, engine="nest"), "engine: got 'nest'; expected one of auto, numpy"),
    (lambda: networks.run(pair(), 0.1, trace=[2], engine="numpy"), "trace: got"),
    (lambda: networks.run(pair(), 0.1, timeout=0, engine="numpy"), "timeout: got 0 s"),
    (lambda: networks.run(pair(), 0.01, stimulus=np.zeros(101)), "got 101 steps; expected at most 100"),
    (lambda: networks.run(pair(), 0.01, stimulus=np.zeros((10, 3))), "stimulus: got shape"),
    (lambda: networks.run(pair(), 0.01, stimulus=Stimulus(np.zeros(3), "three")), "got 'three'"),
    (lambda: networks.run(pair(), 0.01, stimulus=np.array([0.0, np.nan])), "stimulus: got nan"),
    (
        lambda: networks.run(pair(), 0.01, stimulus=[0.6]),
        "1e-05 amperes. Currents are given in amperes: 0.6e-9 is 0.6 nA.",
    ),
    (lambda: networks.run(networks.Graded(np.zeros((2, 2))), 0.01, stimulus=[0.6]), "stimulus: got 0.6 A"),
    (lambda: networks.brunel(scale=0.1), "scale: got 0.1"),
    (lambda: networks.brunel(g=-1), "g: got -1"),
    (lambda: networks.brunel(weight=0), "weight: got 0 mV"),
    (lambda: networks.cuba(100), "size: got 100"),
    (lambda: networks.balanced(in_degree=0), "in_degree: got 0"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_nonsense_is_refused_by_name(call, message):
    with pytest.raises(ParameterError) as error:
        call()
    assert message in str(error.value)


def test_a_simulation_that_takes_too_long_is_ended():
    with pytest.raises(Exception, match=r"longer than the 0\.05 s.*shorter time"):
        simulate(networks.cuba(), 10.0, timeout=0.05)


def test_a_conductance_below_0_is_refused():
    with pytest.raises(ParameterError, match=r"weight: got -0.1; expected a finite number at least 0\."):
        Synapses("all", "all", -0.1, probability=0.1, tau=5e-3, reversal=0.0)


@pytest.mark.parametrize("source", [3, None, ()])
def test_synapses_from_no_population_are_refused(source):
    with pytest.raises(ParameterError, match="population: got"):
        Spiking(Population("one", 2), Synapses(source, "one", 1e-3, probability=0.5))


def test_all_neurons_of_another_population_may_be_sources():
    populations = Population("a", 5), Population("b", 3)
    (wires,) = Spiking(populations, Synapses("a", "b", 0.0, in_degree=5)).plan(DT).wires
    assert sorted(zip(wires.sources, wires.targets, strict=True)) == [(i, j) for i in range(5) for j in (5, 6, 7)]
    for synapses, most in (
        (Synapses("a", "b", 0.0, in_degree=6), "5, the neurons of 'a'"),
        (Synapses("a", "all", 0.0, in_degree=5), "4, the other neurons of 'a'"),
        (Synapses(("a", "b"), "b", 0.0, in_degree=8), "7, the other neurons of"),
    ):
        with pytest.raises(ParameterError, match=f"in_degree: got .; expected at most {most}"):
            Spiking(populations, synapses)


def test_what_is_no_population_is_refused():
    with pytest.raises(ParameterError, match=r"populations: got 3; expected a Population"):
        Spiking(3)
