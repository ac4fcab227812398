import concurrent.futures
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import references_network as reference
from references_neuron import noisy
from waiting import until

from kzoo.bio import LIF, analysis, engines, networks, simulate, theory
from kzoo.bio.engines import numpy_network, plan, process, programs, standalone

if lacks := engines.available()["brian-cpp"]:
    pytest.skip(lacks, allow_module_level=True)

DT = 1e-4
LINUX = sys.platform == "linux"


@pytest.mark.parametrize("t_ref", [0.0, 1e-4, 3e-4, 2e-3, 2.05e-3])
def test_single_neurons_have_the_same_spikes(t_ref):
    p, current = LIF(t_ref=t_ref), noisy()
    ours, theirs = simulate(p, current, DT), simulate(p, current, DT, engine="brian-cpp")
    assert (theirs.engine, theirs.note) == ("brian-cpp", "")
    assert theirs.voltage.flags.writeable
    np.testing.assert_array_equal(ours.spikes, theirs.spikes)
    np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert ours.spikes.sum() > 1000


def test_one_program_runs_any_number_of_neurons_for_any_time_at_any_dt():
    program = programs.program(plan.SINGLE)
    for neurons, steps, dt in ((1, 1, 1e-4), (1, 300, 1e-3), (7, 200, 2.5e-5), (300, 11, 1e-4)):
        p, current = LIF(tau=9e-3, v_rest=-0.06), noisy(neurons, steps)
        ours, theirs = simulate(p, current, dt, -0.055), simulate(p, current, dt, -0.055, "brian-cpp")
        np.testing.assert_array_equal(ours.spikes, theirs.spikes)
        np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert programs.program(plan.SINGLE) == program


def test_a_network_of_everything_has_the_same_spikes():
    for seed, size in ((3, 1000), (4, 700)):
        given = reference.small().plan(size * DT, DT, seed, trace=range(12), stimulus=reference.stimuli(size))
        ours, theirs = numpy_network.run(given), standalone.run(given)
        np.testing.assert_array_equal(ours.steps, theirs.steps)
        np.testing.assert_array_equal(ours.neurons, theirs.neurons)
        np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
        assert len(ours.steps) > 20


def test_brunels_network_has_the_same_spikes():
    """Chaos would tell apart two runs of which one spike differs."""
    network = networks.brunel(scale=0.2)
    ours, theirs = (networks.run(network, 0.1, engine=name, trace=[5]) for name in ("numpy", "brian-cpp"))
    np.testing.assert_array_equal(ours.times, theirs.times)
    np.testing.assert_array_equal(ours.neurons, theirs.neurons)
    np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert len(ours.times) > 5000
    other = networks.run(network, 0.1, seed=1, engine="brian-cpp")
    assert not np.array_equal(other.times, theirs.times)


def test_a_graded_network_is_integrated_to_first_order():
    weights = np.random.default_rng(2).normal(size=(10, 10)) / 5
    network = networks.Graded(weights, LIF(), -70e-3 + np.linspace(-5e-3, 5e-3, 10))
    errors = []
    for dt in (2e-4, 1e-4):
        made = networks.run(network, 0.1, dt, engine="brian-cpp")
        exact = theory.graded_response(LIF(), weights, np.zeros(10), made.times, network.v_start)
        errors.append(np.abs(made.voltage - exact).max())
        assert made.engine == "brian-cpp"
    assert 1e-6 < errors[1] < 1e-4
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.05)


def test_a_graded_network_may_have_no_couplings_or_one():
    for weights in ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.5, 0.0]]):
        network = networks.Graded(np.array(weights), LIF(), [-65e-3, -75e-3])
        exact, made = (networks.run(network, 0.05, engine=name).voltage for name in ("numpy", "brian-cpp"))
        np.testing.assert_allclose(made, exact, rtol=0, atol=1e-5)


def test_a_hundred_runs_from_eight_threads_are_those_one_after_the_other():
    current = noisy(1, 2000)

    def one(k):
        p = LIF(tau=(10 + k % 20) * 1e-3, t_ref=(1 + k % 20 / 10) * 1e-3)
        return standalone.simulate(p, current, DT, np.array([-70e-3]))

    serial = [one(k) for k in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(one, range(100)))
    for k, made in enumerate(threads):
        np.testing.assert_array_equal(made.voltage, serial[k % 20].voltage)
        np.testing.assert_array_equal(made.spikes, serial[k % 20].spikes)
    assert len({made.spikes.sum() for made in serial}) > 5


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whoever_ends_the_parent_ends_the_simulation(number):
    programs.program(networks.brunel(scale=0.2).plan(DT).structure)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kzoo.bio import networks; networks.run(networks.brunel(scale=0.2), 10_000.0, engine='brian-cpp')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)

    def children():
        with open(f"/proc/{parent.pid}/task/{parent.pid}/children") as file:
            return file.read().split()

    def simulates(child):
        try:
            with open(f"/proc/{child}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return False
        return fields[0] != "Z" and int(fields[11]) > 5  # has used some processor time: it has read its input

    until(lambda: any(map(simulates, children())))
    (child,) = children()
    parent.send_signal(number)
    _, errors = parent.communicate(timeout=20)
    assert (b"KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    until(lambda: not simulates(child))


def test_a_timeout_ends_a_run(monkeypatch):
    given = plan.single(LIF(), np.zeros((2_000_000, 1)), DT, np.array([-70e-3]))
    with pytest.raises(process.Failed, match=r"The simulation took longer than the 0\.02 s"):
        standalone.run(given, timeout=0.02)


def test_a_long_run_says_how_far_it_is():
    said = []
    with pytest.raises(process.Failed, match=r"longer than the 3 s.*a shorter time"):
        networks.run(networks.brunel(scale=0.2), 100.0, engine="brian-cpp", timeout=3, progress=said.append)
    shares = [int(sentence.split()[-2]) for sentence in said if sentence.startswith("The simulation is at")]
    assert shares
    assert 0 <= shares[0] <= shares[-1] < 50


def test_brunels_regimes_are_told_apart():
    """What sets them apart at full size does so in a fifth of it: rate, irregularity, and rhythm of all together."""
    found = {}
    for name, seconds in (("A", 0.15), ("B", 0.4), ("C", 0.4), ("D", 1.0)):
        raster = networks.run(networks.brunel(*networks.REGIMES[name], scale=0.2), seconds, engine="brian-cpp")
        bins, rate = analysis.population_rate(raster, 5e-4)
        frequency, power = analysis.spectrum(rate[bins > 0.1], 5e-4)
        found[name] = (
            np.sum(raster.times > 0.1) / raster.size / (raster.duration - 0.1),
            np.nanmean(analysis.cv(raster, 0.05)),
            frequency[frequency > 5][np.argmax(power[frequency > 5])],
        )
    rates, cvs, rhythms = zip(*found.values(), strict=True)
    for rate, name in zip(rates, "ABC", strict=False):
        assert rate == pytest.approx(theory.brunel_rates(*networks.REGIMES[name])[0], rel=0.25)
    assert 3 < rates[3] < 8
    assert cvs[0] < 0.05 < 0.3 < cvs[2] < 0.6 < 0.8 < cvs[1]
    assert rhythms[0] > 500
    assert 120 < rhythms[1] < 220
    assert rhythms[3] < 40


@pytest.mark.skipif(not LINUX, reason="asks Linux who the parent is")
def test_a_program_whose_parent_is_gone_ends_at_once():
    given = standalone.encoded(plan.single(LIF(), np.zeros((10, 1)), DT, np.array([-70e-3])))
    # The pid of another than this process, as after its death.
    environment = {"KZOO_SIZE": "1", "KZOO_PARENT": str(os.getppid())}
    with pytest.raises(process.Failed, match="ended with code 3:\nkzoo: whoever started this process is gone"):
        process.call([str(programs.program(plan.SINGLE))], given, "It", environment=environment)


def test_what_a_program_refuses_is_said():
    binary = programs.program(plan.SINGLE)
    given = standalone.encoded(plan.single(LIF(), np.zeros((10, 1)), DT, np.array([-70e-3])))
    for wrong, message in ((given[:-40], "the input ended early"), (given[8:], "another")):
        with pytest.raises(process.Failed, match=f"ended with code 3:\nkzoo: .*{message}"):
            process.call([str(binary)], wrong, "It", environment={"KZOO_SIZE": "1"})
