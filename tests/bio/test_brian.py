import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import references_network as reference
from references_neuron import noisy
from waiting import until

from kzoo.bio import LIF, engines, networks
from kzoo.bio.engines import brian, numpy_network, plan, process
from kzoo.bio.engines import numpy as numpy_engine

if lacks := engines.available()["brian-numpy"]:
    pytest.skip(lacks, allow_module_level=True)

DT = 1e-4


def test_a_network_of_everything_has_the_same_spikes():
    given = reference.small().plan(0.2, DT, seed=3, trace=range(12), stimulus=reference.stimuli())
    ours, theirs = numpy_network.run(given), brian.run(given)
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    np.testing.assert_array_equal(ours.neurons, theirs.neurons)
    np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert len(ours.steps) > 60
    assert theirs.seconds["run"] > 0


def test_a_network_of_conductances_and_a_current_has_the_same_spikes():
    network = networks.coba(400)
    driven = tuple(dataclasses.replace(population, current=0.12e-9) for population in network.populations)
    current = networks.Synapses("excitatory", "all", 1e-3, 2e-3, probability=0.05, tau=3e-3)
    given = networks.Spiking(driven, (*network.synapses, current)).plan(0.1, DT, trace=[0, 399])
    assert [channel.reversal for channel in given.channels] == [0.0, -80e-3, None]
    ours, theirs = numpy_network.run(given), brian.run(given)
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    np.testing.assert_array_equal(ours.neurons, theirs.neurons)
    np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert len(ours.steps) > 100


def test_simulations_in_threads_are_those_one_after_the_other():
    """In threads of one process Brian2 gives a fraction of the spikes, without an error."""
    given = [plan.single(LIF(), noisy(5, 2000, seed), DT, np.full(5, -70e-3)) for seed in range(2)]
    expected = [numpy_engine.simulate(LIF(), noisy(5, 2000, seed), DT, np.full(5, -70e-3)) for seed in range(2)]
    found = [None] * 2

    def run(k):
        found[k] = brian.run(given[k])

    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for made, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(made.spikes(2000, 5), right.spikes)
        assert right.spikes.sum() > 20


def test_a_timeout_ends_the_process_and_says_so():
    given = networks.cuba(200).plan(10.0)
    start = time.perf_counter()
    with pytest.raises(process.Failed, match=r"Brian2 took longer than the 0\.5 s"):
        brian.run(given, timeout=0.5)
    assert time.perf_counter() - start < 5


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("seconds", [0.0, 0.7])
def test_a_process_whose_parent_is_killed_ends(seconds):
    """While Python starts, and while Brian2 is imported."""
    code = "from kzoo.bio import networks; networks.run(networks.cuba(200), 1000.0, engine='brian-numpy')"
    parent = subprocess.Popen([sys.executable, "-c", code])

    def children():
        """Those that run the worker: imports start short-lived processes of their own, such as ldconfig."""
        with open(f"/proc/{parent.pid}/task/{parent.pid}/children") as file:
            return [child for child in file.read().split() if b"brian_worker" in read(child, "cmdline")]

    def read(child, name):
        try:
            with open(f"/proc/{child}/{name}", "rb") as file:
                return file.read()
        except OSError:
            return b""

    def gone(child):
        stat = read(child, "stat")
        return not stat or stat.rsplit(b")", 1)[1].split()[0] == b"Z"

    until(children, 60)
    (child,) = children()
    try:
        time.sleep(seconds)
        parent.kill()
        parent.wait()
        until(lambda: gone(child), 20)
    finally:
        if not gone(child):
            os.kill(int(child), signal.SIGKILL)


def test_what_brian_says_is_in_the_error():
    given = networks.cuba(200).plan(0.01)
    with pytest.raises(process.Failed, match=r"ended with code 1(.|\n)*fortran"):
        brian.run(given, target="fortran")
