import errno
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from kzoo.bio import LIF, engines, networks, simulate, theory
from kzoo.bio.engines import building, cache, estimate, plan, process, programs
from kzoo.errors import ParameterError, install_command

CURRENT = np.full((200, 2), 0.4e-9)


@pytest.fixture(autouse=True)
def nothing_said_or_built(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "_SAID", set())
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path))


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """A PATH on which there is Python, and no compiler."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture
def brian(monkeypatch):
    """As if Brian2 were installed, and with this NumPy."""
    monkeypatch.setattr(building, "brian_version", lambda: "2.10.1")
    return monkeypatch


def test_numpy_is_always_here():
    assert tuple(engines.available()) == engines.ENGINES
    assert engines.available()["numpy"] == ""
    assert engines.pick("numpy") == ("numpy", "")


def test_every_engine_that_cannot_run_says_what_to_do(no_compiler, brian):
    assert "apt install g++" in engines.available()["brian-cpp"]
    assert engines.available()["brian-numpy"] == ""
    brian.setattr(building, "brian_version", lambda: None)
    for name in ("brian-numpy", "brian-cython", "brian-cpp"):
        assert engines.available()[name] == f"Brian2 is not installed: {install_command('bio')}"


def test_an_old_brian_with_a_new_numpy_is_told_apart(brian):
    brian.setattr(building, "brian_version", lambda: "2.9.0")
    brian.setattr(engines.importlib.metadata, "version", lambda name: "2.4.1")
    assert "pip install 'numpy<2.4'" in engines.available()["brian-cpp"]
    brian.setattr(engines.importlib.metadata, "version", lambda name: "2.3.5")
    assert engines.available()["brian-numpy"] == ""


def test_without_a_compiler_numpy_runs_and_it_is_said_once(no_compiler, brian):
    with pytest.warns(engines.EngineWarning, match="no C\\+\\+ compiler") as caught:
        raster = networks.run(networks.cuba(200), 0.01, engine="brian-cpp")
    assert len(caught) == 1
    assert raster.engine == "numpy"
    assert "numpy ran" in raster.note
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = networks.run(networks.cuba(200), 0.01, engine="brian-cpp")
        single = simulate(LIF(), CURRENT, engine="brian-cpp")
    assert again.note == raster.note
    assert (single.engine, single.note) == ("numpy", raster.note)


def test_without_a_place_for_programs_numpy_runs(brian, monkeypatch, tmp_path):
    monkeypatch.setattr(building, "compiler", lambda: "/usr/bin/g++")
    (tmp_path / "file").touch()
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(engines.EngineWarning, match="export KZOO_CACHE_DIR=FOLDER"):
        assert networks.run(networks.cuba(200), 0.01, engine="brian-cpp").engine == "numpy"


def no_room(structure, place, progress):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused(structure, place, progress):
    raise building.BuildFailed("c++ refuses what Brian2 wrote")


@pytest.mark.parametrize(("build", "why"), [(no_room, "No space left"), (refused, "c\\+\\+ refuses")])
def test_where_a_build_fails_auto_runs_numpy_and_cpp_says_what_to_do(brian, build, why):
    brian.setattr(building, "compiler", lambda: "/usr/bin/c++")
    brian.setattr(building, "compiler_version", lambda: "c++ 1.0")
    brian.setattr(building, "build", build)
    brian.setattr(estimate, "BUILD", 0.0)
    network = networks.cuba(200)
    with pytest.warns(engines.EngineWarning, match=why) as caught:
        raster = networks.run(network, 0.05)
    assert [warning.filename for warning in caught] == [__file__]
    assert raster.engine == "numpy"
    assert re.search(f"so numpy ran: .*{why}", raster.note)
    np.testing.assert_array_equal(raster.times, networks.run(network, 0.05, engine="numpy").times)
    for run in (
        lambda: networks.run(network, 0.05, engine="brian-cpp"),
        lambda: simulate(LIF(), CURRENT, engine="brian-cpp"),
    ):
        with pytest.raises(building.BuildFailed, match=rf"{why}(.|\n)*engine='numpy'.*export KZOO_CACHE_DIR"):
            run()


def test_auto_compiles_only_what_takes_numpy_longer(brian):
    brian.setattr(building, "compiler", lambda: "/usr/bin/c++")
    small, large = (networks.cuba(200).plan(seconds) for seconds in (0.1, 200.0))
    assert engines.pick("auto", small) == (
        "numpy",
        "auto took numpy: by estimate, it takes 0.022 s if neurons fire at 20 Hz; brian-cpp would first build a "
        "program, once, in some 20 s",
    )
    assert engines.pick("auto", large) == (
        "brian-cpp",
        "auto took brian-cpp: by estimate, numpy would take 44 s if neurons fire at 20 Hz",
    )
    brian.setattr(programs, "is_built", lambda structure: True)
    assert engines.pick("auto", small) == (
        "brian-cpp",
        "auto took brian-cpp: by estimate, numpy would take 0.022 s if neurons fire at 20 Hz",
    )
    tiny = networks.cuba(200).plan(0.01)
    assert engines.pick("auto", tiny) == (
        "numpy",
        "auto took numpy: by estimate, it takes 0.0022 s if neurons fire at 20 Hz",
    )
    assert engines.pick("auto", networks.Graded(np.zeros((2, 2))).plan(1000.0)) == ("numpy", "")
    assert engines.pick("auto") == engines.pick("numpy", large) == ("numpy", "")
    assert engines.pick("brian-cpp", tiny) == ("brian-cpp", "")


@pytest.mark.parametrize(
    ("regime", "said"), [("A", "340 Hz"), ("B", "56 Hz"), ("C", "38 Hz"), ("D", "6.6 Hz")], ids="ABCD"
)
def test_the_estimate_of_brunels_network_is_at_the_rate_of_his_theory(brian, regime, said):
    given = networks.brunel(*networks.REGIMES[regime], scale=0.2).plan(0.01)
    rate = estimate.rate(given)
    assert rate == pytest.approx(theory.brunel_rates(*networks.REGIMES[regime])[0], rel=0.06)
    assert f"it takes {estimate.seconds(given, rate):.2g} s if neurons fire at {said}" in engines.pick("auto", given)[1]


def test_where_the_theory_does_not_hold_the_estimate_is_at_one_rate():
    for network in (networks.cuba(200), networks.coba(200), networks.balanced(50, 10)):
        assert estimate.rate(network.plan(0.01)) == estimate.RATE
    brunel = networks.brunel(scale=0.2)
    assert estimate.rate(brunel.plan(0.01, stimulus=np.full(5, 1e-9))) == estimate.RATE
    assert estimate.rate(networks.brunel(5.0, 0.0, scale=0.2).plan(0.01)) == estimate.RATE  # nothing from outside
    assert estimate.rate(networks.brunel(10.0, 0.2, scale=0.2).plan(0.01)) == 0.1  # next to silent
    assert 450 < estimate.rate(networks.brunel(0.0, 4.0, scale=0.2).plan(0.01)) < 500  # as often as t_ref lets it


def test_a_program_that_is_built_is_worth_its_start_and_the_handing_over_of_synapses(brian):
    brian.setattr(building, "compiler", lambda: "/usr/bin/c++")
    brian.setattr(programs, "is_built", lambda structure: True)
    # 3,125,000 synapses of 20 ns: 2 (0.01 s + 62.5 ms). NumPy takes 95 and 594 ms, at 38 Hz.
    network = networks.brunel(scale=0.2)
    short, long = (network.plan(seconds) for seconds in (0.04, 0.25))
    assert estimate.worth(short, True) == pytest.approx(0.145)
    assert [engines.pick("auto", given)[0] for given in (short, long)] == ["numpy", "brian-cpp"]
    assert estimate.worth(short, False) == estimate.BUILD


def test_where_auto_would_compile_and_cannot_it_is_said(no_compiler, brian):
    brian.setattr(estimate, "BUILD", 0.0)
    with pytest.warns(engines.EngineWarning, match="no C\\+\\+ compiler"):
        assert networks.run(networks.cuba(200), 0.01).engine == "numpy"


@pytest.mark.parametrize(
    ("network", "seconds"),
    [
        # 5,000 steps of 20 µs and 4,000 x 3 ns; 40,000 spikes of 3 µs and 80 synapses of 12 ns.
        (networks.cuba(), 0.318),
        # The same, and conductances of 5 ns.
        (networks.coba(), 0.418),
        # 5,000 steps of 20 µs and 2,500 x (3 + 15) ns, the drive; 25,000 spikes of 3 µs and 1,250 synapses.
        (networks.brunel(scale=0.2), 0.775),
    ],
)
def test_the_estimate_counts_steps_and_spikes(network, seconds):
    assert estimate.seconds(network.plan(0.5)) == pytest.approx(seconds, rel=0.01)


def test_a_build_that_failed_is_not_tried_again_until_something_changes(brian):
    tried = []

    def build(structure, place, progress):
        tried.append(structure)
        raise building.BuildFailed(f"refused, {len(tried)}", lasts=True)

    brian.setattr(building, "compiler", lambda: "/usr/bin/c++")
    brian.setattr(building, "compiler_version", lambda: "c++ 1.0")
    brian.setattr(building, "build", build)
    with pytest.raises(building.BuildFailed, match=r"^refused, 1\n") as failed:
        programs.program("{}")
    assert "within the hour" not in str(failed.value)
    for _ in range(2):
        with pytest.raises(
            building.BuildFailed, match=r"^refused, 1\nThat was at a build within the hour.*delete "
        ) as failed:
            programs.program("{}")
    assert len(tried) == 1
    with pytest.raises(building.BuildFailed, match=r"^refused, 2"):
        programs.program("[]")  # another program
    for name, now in (("compiler_version", "c++ 2.0"), ("compiler", "/bin/c++"), ("brian_version", "2.11.0")):
        brian.setattr(building, name, lambda now=now: now)
        before = len(tried)
        for _ in range(2):
            with pytest.raises(building.BuildFailed, match=f"^refused, {before + 1}"):
                programs.program("{}")
    # As the message says; and a build that succeeds forgets.
    file = Path(re.search(r"to try again now, delete (.*)\.\n", str(failed.value))[1])
    file.unlink()
    with pytest.raises(building.BuildFailed, match=r"^refused, 6"):
        programs.program("{}")
    brian.setattr(building, "compiler_version", lambda: "c++ 3.0")
    brian.setattr(building, "build", lambda structure, place, progress: None)
    assert file.exists()
    programs.program("{}")
    assert not file.exists()


def failing(brian, error):
    """How often two calls build a program where each build fails with `error`; the file that remembers, if any."""
    tried = []

    def build(structure, place, progress):
        tried.append(place)
        raise error

    brian.setattr(building, "compiler", lambda: "/usr/bin/c++")
    brian.setattr(building, "compiler_version", lambda: "c++ 1.0")
    brian.setattr(building, "build", build)
    for _ in range(2):
        with pytest.raises(building.BuildFailed, match=re.escape(str(error))):
            programs.program("{}")
    return len(tried), next(cache.folder().glob("*.failed.json"), None)


@pytest.mark.parametrize("lasts", [False, True])
def test_another_compiler_is_a_remedy_where_this_one_refuses(brian, lasts):
    failing(brian, building.BuildFailed("said", lasts))
    for _ in range(2):  # remembered or not
        with pytest.raises(building.BuildFailed, match="engine='numpy'") as failed:
            programs.program("{}")
        assert ("export CXX=PATH" in str(failed.value)) == lasts
        assert ("export KZOO_CACHE_DIR=FOLDER" in str(failed.value)) != lasts


def test_the_next_build_deletes_refusals_of_long_ago(brian):
    _, file = failing(brian, building.BuildFailed("refused", lasts=True))
    recent = file.with_name("recent.failed.json")
    recent.touch()
    os.utime(file, (file.stat().st_mtime - 3601,) * 2)
    brian.setattr(building, "build", lambda structure, place, progress: None)
    programs.program("[]")  # another program
    assert (file.exists(), recent.exists()) == (False, True)


def test_a_failure_that_no_compiler_speaks_of_is_tried_again(brian):
    assert failing(brian, building.BuildFailed("Brian2 ended with code -9:\n(it said nothing)")) == (2, None)
    assert failing(brian, OSError(errno.EMFILE, "Too many open files")) == (2, None)


def test_a_refusal_is_forgotten_after_an_hour(brian):
    tried, file = failing(brian, building.BuildFailed("refused", lasts=True))
    assert tried == 1
    aged = file.stat().st_mtime - 3601
    os.utime(file, (aged, aged))
    tried, file = failing(brian, building.BuildFailed("refused", lasts=True))
    assert tried == 1  # anew, and remembered anew
    ahead = file.stat().st_mtime + 60  # a clock was put back
    os.utime(file, (ahead, ahead))
    assert failing(brian, building.BuildFailed("refused"))[0] == 2


def test_a_relative_place_for_programs_is_of_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KZOO_CACHE_DIR", "here")
    assert cache.folder() == tmp_path / "here" / "bio"


def test_a_fallback_points_at_the_line_that_asked(no_compiler, brian):
    with pytest.warns(engines.EngineWarning) as caught:
        networks.run(networks.cuba(200), 0.01, engine="brian-cpp")
    assert caught[0].filename == __file__


def test_what_asks_for_numpy_or_is_exact_there_warns_of_nothing(no_compiler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert networks.run(networks.cuba(200), 0.01, engine="numpy").note == ""
        assert networks.run(networks.Graded(np.zeros((2, 2))), 0.01).note == ""
        assert simulate(LIF(), CURRENT).note == ""


def test_an_unknown_engine_is_refused():
    with pytest.raises(ParameterError, match=r"engine: got 'brain-cpp'.*Did you mean 'brian-cpp'"):
        engines.pick("brain-cpp")


def test_a_structure_holds_no_sizes():
    first = networks.brunel(scale=0.2).plan(0.01)
    second = networks.brunel(3.0, 1.0, scale=0.25).plan(0.02, 5e-5, seed=3)
    assert first.structure == second.structure != plan.SINGLE
    assert networks.cuba(200).plan(0.01).structure == networks.cuba(400).plan(0.01).structure


def test_a_structure_says_which_synapses_have_numbers_of_their_own():
    def wires(weight, delay):
        synapses = networks.Synapses("a", "a", weight, delay, pairs=([0, 1], [1, 2]))
        return json.loads(networks.Spiking(networks.Population("a", 3), synapses).plan(0.01).structure)["wires"]

    assert wires(1e-3, 1e-3) == [[None, False, False]]
    assert wires([1e-3, 2e-3], 1e-3) == [[None, True, False]]
    assert wires(1e-3, [1e-3, 2e-3]) == [[None, False, True]]
    one = networks.Graded(np.array([[0.0, 0.0], [0.5, 0.0]])).plan(0.01)
    assert json.loads(one.structure)["wires"] == [[None, True, False]]  # of couplings each has its own


def test_importing_kzoo_bio_imports_no_brian():
    code = (
        "import sys, kzoo.bio.networks, kzoo.bio.engines.brian\n"
        "sys.exit(' '.join({'brian2', 'keras', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=os.environ)


def test_what_a_slow_program_is_given_reaches_it_whole():
    # More than a pipe holds, to one that is asked how far it is before it reads.
    slow = "import sys, time; time.sleep(1.2); sys.stdout.write(str(len(sys.stdin.buffer.read())))"
    said = []
    assert (
        process.call([sys.executable, "-c", slow], bytes(300_000), "It", timeout=20, progress=said.append) == b"300000"
    )
