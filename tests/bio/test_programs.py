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
from references_neuron import noisy
from waiting import until

from kzoo.bio import LIF, engines, simulate
from kzoo.bio.engines import building, cache, plan, programs, standalone
from kzoo.bio.engines import numpy as numpy_engine

if lacks := engines.available()["brian-cpp"]:
    pytest.skip(lacks, allow_module_level=True)

DT = 1e-4
LINUX = sys.platform == "linux"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A cache that holds a copy of the program for single neurons, and a `_build` that copies it again."""
    original = programs.program(plan.SINGLE).parent
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(programs, "_WHOLE", {})
    built = []

    def build(structure, place, progress):
        built.append(place)
        time.sleep(0.05)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(original, place)

    monkeypatch.setattr(building, "build", build)
    return built


def test_a_program_is_built_once_by_all_that_ask_for_it(elsewhere):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: programs.program(plan.SINGLE), range(16)))
    assert len(found) == len(elsewhere) == 1
    assert programs.is_built(plan.SINGLE)
    assert cache.folder() in found.pop().parents


def test_who_waits_for_the_build_of_another_thread_is_told_until_it_ends(elsewhere, monkeypatch):
    monkeypatch.setattr(cache, "LOOK", 0.05)
    said = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with programs._turn(lambda sentence: None):
            waiting = pool.submit(programs.program, plan.SINGLE, said.append)
            until(lambda: len(said) > 2)
        waiting.result(timeout=20)
    assert set(said) == {"Waiting for another thread, which builds a program"}


def test_two_processes_do_not_build_at_once(tmp_path, monkeypatch):
    """A process that holds the lock keeps another waiting, who is told until it ends; one that is killed does not."""
    monkeypatch.setattr(cache, "LOOK", 0.05)
    code = (
        "import sys, time; from pathlib import Path; from kzoo.bio.engines import cache\n"
        f"with cache.lock(Path({str(tmp_path / 'lock')!r})): print('in', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"in\n"
    entered, said = threading.Event(), []

    def wait():
        with cache.lock(tmp_path / "lock", lambda: said.append("waits")):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: len(said) > 2)
    assert not entered.is_set()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert entered.wait(10)
    thread.join()


@pytest.mark.parametrize("damage", ["half", "one byte", "no binary", "no manifest", "half a manifest", "other version"])
def test_a_damaged_program_is_built_again(elsewhere, monkeypatch, damage):
    place = programs.program(plan.SINGLE).parent
    monkeypatch.setattr(programs, "_WHOLE", {})
    assert programs.is_built(plan.SINGLE)
    monkeypatch.setattr(programs, "_WHOLE", {})
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
    assert not programs.is_built(plan.SINGLE)
    made = standalone.simulate(LIF(), noisy(1, 100), DT, np.array([-70e-3]))
    assert len(elsewhere) == 2
    np.testing.assert_array_equal(
        made.spikes, numpy_engine.simulate(LIF(), noisy(1, 100), DT, np.array([-70e-3])).spikes
    )


def test_what_was_built_runs_without_compiler_and_brian(elsewhere, monkeypatch):
    programs.program(plan.SINGLE)
    monkeypatch.setattr(programs, "_WHOLE", {})
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(building, "brian_version", lambda: None)
    assert engines.pick("brian-cpp") == ("brian-cpp", "")
    assert simulate(LIF(), noisy(1, 100), engine="brian-cpp").engine == "brian-cpp"
    assert len(elsewhere) == 1


@pytest.fixture
def sources(monkeypatch, tmp_path):
    """An empty cache, and Brian2's part of a build replaced by two small files."""
    monkeypatch.setenv("KZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(programs, "_WHOLE", {})

    def brian(arguments, given):
        from pathlib import Path

        folder = Path(arguments[1])
        (folder / "main.cpp").write_text(
            "int twice(int); int n = 1000003; int main() { return twice(n - kzoo::size); }"
        )
        (folder / "code_objects").mkdir()
        (folder / "code_objects" / "other.cpp").write_text("int twice(int n) { return 2 * n; }")

    monkeypatch.setattr(building.process, "brian", brian)
    return tmp_path


def left(folder):
    return [path.name for path in (folder / "bio").iterdir() if path.name.startswith(".")]


def test_a_build_leaves_a_program_and_nothing_else(sources):
    said = []
    program = programs.program("{}", said.append)
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
    with pytest.raises(building.BuildFailed, match=r"refuses what Brian2 wrote:\n(.|\n)*no space left"):
        programs.program("{}")
    assert left(sources) == []
    assert not programs.is_built("{}")


LOCATED = "code_objects/other.cpp:3:7: error: "


@pytest.mark.parametrize(
    ("said", "end", "remembered"),
    [
        (LOCATED + "'expm1' was not declared in this scope", "exit 1", True),
        ("main.cpp:1:10: fatal error: vector: No such file or directory", "exit 1", True),
        ("c++: error: unrecognized command-line option '-ffp-contract=off'", "exit 1", True),
        ("/usr/bin/ld: cannot find -lstdc++: No such file or directory", "exit 1", True),
        (LOCATED + "'expm1' was not declared in this scope", "kill -KILL $$", False),
        ("c++: fatal error: Killed signal terminated program cc1plus", "exit 1", False),
        ("main.cpp:1:10: fatal error: vector: Too many open files", "exit 1", False),
        (LOCATED + "x\nfatal error: error writing to /tmp/a.s: Disk quota exceeded", "exit 1", False),
        ("Cannot create temporary file in /tmp/: Permission denied", "exit 134", False),
        ("main.cpp:3:7: internal compiler error: Segmentation fault", "exit 4", False),
        ("collect2: fatal error: ld terminated with signal 7 [Bus error]", "exit 1", False),
        ("fatal error: error writing to main.cpp.o: Read-only file system", "exit 1", False),
        ("", "exit 1", False),
    ],
)
def test_only_what_a_compiler_refuses_is_remembered(sources, monkeypatch, said, end, remembered):
    compiler = sources / "fails"
    (sources / "said").write_text(f"{said}\n")
    compiler.write_text(
        f"#!/bin/sh\ncase $1 in --version) echo fails 1.0; exit;; esac\ncat '{sources / 'said'}' >&2\n{end}\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(building.BuildFailed):
        programs.program("{}")
    assert len(list(cache.folder().glob("*.failed.json"))) == remembered


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_an_interrupted_build_leaves_no_process_and_no_folder(sources, monkeypatch):
    """Ctrl-C, while the compiler waits for another process."""
    compiler = sources / "waits"
    compiler.write_text(f"#!/bin/sh\ncase $1 in --version) echo slow 1.0; exit;; esac\nsleep 61.{os.getpid()} & wait\n")
    compiler.chmod(0o755)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from kzoo.bio.engines import building, programs
        def brian(arguments, given):
            (Path(arguments[1]) / "main.cpp").write_text("int n = 1000003;")
        building.process.brian = brian
        programs.program("{}", lambda said: print(said, flush=True))
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
