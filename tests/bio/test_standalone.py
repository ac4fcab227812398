import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import references_network as reference

from kzoo.bio import LIF, analysis, engines, networks, simulate, theory
from kzoo.bio.engines import cache, numpy_network, plan, process, standalone
from kzoo.bio.engines import numpy as numpy_engine

if lacks := engines.available()["brian-cpp"]:
    pytest.skip(lacks, allow_module_level=True)

DT = 1e-4
LINUX = sys.platform == "linux"


def noisy(neurons=50, steps=5000, seed=1):
    return 0.25e-9 + 3e-9 * np.random.default_rng(seed).standard_normal((steps, neurons))


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
    program = standalone.program(plan.SINGLE)
    for neurons, steps, dt in ((1, 1, 1e-4), (1, 300, 1e-3), (7, 200, 2.5e-5), (300, 11, 1e-4)):
        p, current = LIF(tau=9e-3, v_rest=-0.06), noisy(neurons, steps)
        ours, theirs = simulate(p, current, dt, -0.055), simulate(p, current, dt, -0.055, "brian-cpp")
        np.testing.assert_array_equal(ours.spikes, theirs.spikes)
        np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert standalone.program(plan.SINGLE) == program


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


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A cache that holds a copy of the program for single neurons, and a `_build` that copies it again."""
    original = standalone.program(plan.SINGLE).parent
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(standalone, "_WHOLE", {})
    built = []

    def build(structure, place, progress):
        built.append(place)
        time.sleep(0.05)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(original, place)

    monkeypatch.setattr(standalone, "_build", build)
    return built


def test_a_program_is_built_once_by_all_that_ask_for_it(elsewhere):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: standalone.program(plan.SINGLE), range(16)))
    assert len(found) == len(elsewhere) == 1
    assert standalone.is_built(plan.SINGLE)
    assert cache.folder() in found.pop().parents


def test_two_processes_do_not_build_at_once(tmp_path):
    """A process that holds the lock keeps another waiting, and one that is killed does not."""
    code = (
        "import sys, time; from pathlib import Path; from kzoo.bio.engines import cache\n"
        f"with cache.lock(Path({str(tmp_path / 'lock')!r})): print('in', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"in\n"
    entered = threading.Event()

    def wait():
        with cache.lock(tmp_path / "lock"):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not entered.wait(0.3)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert entered.wait(10)
    thread.join()


@pytest.mark.parametrize("damage", ["half", "one byte", "no binary", "no manifest", "half a manifest", "other version"])
def test_a_damaged_program_is_built_again(elsewhere, monkeypatch, damage):
    place = standalone.program(plan.SINGLE).parent
    monkeypatch.setattr(standalone, "_WHOLE", {})
    assert standalone.is_built(plan.SINGLE)
    monkeypatch.setattr(standalone, "_WHOLE", {})
    binary, manifest = place / "main", place / "manifest.json"
    whole = binary.read_bytes()
    if damage == "half":
        binary.write_bytes(whole[: len(whole) // 2])
    elif damage == "one byte":
        binary.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    elif damage == "no binary":
        binary.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "half a manifest":
        manifest.write_text(manifest.read_text()[:40])
    else:
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "brian2": "1.0"}))
    assert not standalone.is_built(plan.SINGLE)
    made = standalone.simulate(LIF(), noisy(1, 100), DT, np.array([-70e-3]))
    assert len(elsewhere) == 2
    np.testing.assert_array_equal(
        made.spikes, numpy_engine.simulate(LIF(), noisy(1, 100), DT, np.array([-70e-3])).spikes
    )


def test_what_was_built_runs_without_compiler_and_brian(elsewhere, monkeypatch):
    standalone.program(plan.SINGLE)
    monkeypatch.setattr(standalone, "_WHOLE", {})
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(standalone, "brian_version", lambda: None)
    assert engines.pick("brian-cpp") == ("brian-cpp", "")
    assert simulate(LIF(), noisy(1, 100), engine="brian-cpp").engine == "brian-cpp"
    assert len(elsewhere) == 1


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """An empty cache, and Brian2's part of a build replaced by two small files."""
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(standalone, "_WHOLE", {})

    def brian(arguments, given):
        from pathlib import Path

        folder = Path(arguments[1])
        (folder / "main.cpp").write_text(
            "int twice(int); int n = 1000003; int main() { return twice(n - kzoo::size); }"
        )
        (folder / "code_objects").mkdir()
        (folder / "code_objects" / "other.cpp").write_text("int twice(int n) { return 2 * n; }")

    monkeypatch.setattr(standalone.process, "brian", brian)
    return tmp_path


def left(folder):
    return [path.name for path in (folder / "bio").iterdir() if path.name.startswith(".")]


def test_a_build_leaves_a_program_and_nothing_else(sources):
    said = []
    program = standalone.program("{}", said.append)
    assert sorted(path.name for path in program.parent.iterdir()) == ["main", "manifest.json"]
    assert subprocess.run([program]).returncode == 0  # the number of neurons was replaced by the variable
    assert said[0].startswith("Brian2 writes")
    assert said[-2:] == ["Compiling: 2 of 2 files", "The program is built"]
    assert left(sources) == []


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(sources, monkeypatch):
    compiler = sources / "fails"
    compiler.write_text("#!/bin/sh\nfor i in 1 2 3; do echo line $i >&2; done\necho no space left >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(standalone.BuildFailed, match=r"refuses what Brian2 wrote:\n(.|\n)*no space left"):
        standalone.program("{}")
    assert left(sources) == []
    assert not standalone.is_built("{}")


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_an_interrupted_build_leaves_no_process_and_no_folder(sources, monkeypatch):
    """Ctrl-C, while the compiler waits for another process."""
    compiler = sources / "waits"
    compiler.write_text(f"#!/bin/sh\ncase $1 in --version) echo slow 1.0; exit;; esac\nsleep 61.{os.getpid()} & wait\n")
    compiler.chmod(0o755)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from kzoo.bio.engines import standalone
        def brian(arguments, given):
            (Path(arguments[1]) / "main.cpp").write_text("int n = 1000003;")
        standalone.process.brian = brian
        standalone.program("{}", lambda said: print(said, flush=True))
    """)
    # In the foreground of a session of its own, as in a terminal; a shell's background job ignores Ctrl-C.
    process_ = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + script],
        env={**os.environ, "CXX": str(compiler)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process_.stdout.readline()
    until(sleeping)
    process_.send_signal(signal.SIGINT)
    _, errors = process_.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    until(lambda: not sleeping())
    assert left(sources) == []


def sleeping():
    """The processes that the compiler of the test above has started."""
    found = []
    for folder in os.listdir("/proc"):
        if folder.isdigit():
            try:
                with open(f"/proc/{folder}/cmdline", "rb") as file:
                    if f"61.{os.getpid()}".encode() in file.read().split(b"\0"):
                        found.append(folder)
            except OSError:
                pass
    return found


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whoever_ends_the_parent_ends_the_simulation(number):
    standalone.program(networks.brunel(scale=0.2).plan(DT).structure)
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


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
        process.call([str(standalone.program(plan.SINGLE))], given, "It", environment=environment)


def test_what_a_program_refuses_is_said():
    binary = standalone.program(plan.SINGLE)
    given = standalone.encoded(plan.single(LIF(), np.zeros((10, 1)), DT, np.array([-70e-3])))
    for wrong, message in ((given[:-40], "the input ended early"), (given[8:], "another")):
        with pytest.raises(process.Failed, match=f"ended with code 3:\nkzoo: .*{message}"):
            process.call([str(binary)], wrong, "It", environment={"KZOO_SIZE": "1"})
