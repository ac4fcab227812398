"""C++ programs made by Brian2's standalone mode: built once for a kind of network, then run with any numbers.

What is compiled is the structure of a network (`Plan.structure`: which synapses there are, whether there is a current).
Sizes, parameters, connections, currents, the seed, dt and the duration are read by the program when it starts. So a
network is built once, in some ten seconds, and then runs without Brian2, without a compiler and in any thread.

Brian2 writes the sources. In them, the number of neurons is a constant; a stand-in for it (`brian_model.SIZE`) is
replaced by a variable. standalone.h holds what reads and writes.

Floating point is left as it stands in the sources: no -ffast-math, no contraction to fused operations. So spikes do not
move between machines. On x86 the code is for this processor (-march=native) and kept under its name: another processor
that looks into the same cache builds its own.
"""

import concurrent.futures
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import numpy as np

from kzoo import files
from kzoo.bio.engines import cache, plan, process
from kzoo.bio.records import Recording
from kzoo.errors import KzooError

# The last two let loops run on vectors; none of them changes a number.
FLAGS = ("-O3", "-std=c++17", "-ffp-contract=off", "-w", "-fno-math-errno", "-fno-trapping-math")
_INCLUDES = ("-include", "standalone.h", "-I.")
_HERE = Path(__file__).parent
# What a program follows from, beside its structure.
_SOURCES = ("standalone.py", "standalone.h", "brian_model.py", "brian_worker.py")
# The stand-in of brian_model for the number of neurons, and one more, the length of Brian2's list of spikes.
_SIZE = 1000003
_BUILDING = threading.Lock()
# What this process has found whole: path -> (time of change, size) of the file.
_WHOLE: dict[Path, tuple] = {}


class BuildFailed(KzooError):
    """A C++ program could not be built; the message has the compiler's last lines, and what to do."""


def simulate(parameters, current, dt, v_start, timeout=None, progress=None) -> Recording:
    """The voltages and spikes of n neurons. neuron.simulate checks the arguments and explains them.

    Arguments:
        parameters: `LIF`.
        current: float64 (t, n) [A].
        dt: [s].
        v_start: float64 (n,) [V].
        timeout: [s] for the run, or None.
        progress: a function of a sentence, called while a program is built, which takes seconds, and every second or so
            of a longer run.
    """
    made = run(plan.single(parameters, current, dt, v_start), timeout, progress)
    return Recording(dt, current, made.voltage, made.spikes(*current.shape), "brian-cpp")


def run(given, timeout=None, progress=None) -> plan.Run:
    """Runs a `Plan`; builds its program before, where that has not been done.

    Raises: BuildFailed, or process.Failed with what the program said, or after `timeout` seconds.
    """
    start = time.perf_counter()
    binary = program(given.structure, progress)
    built = time.perf_counter()
    environment = {"KZOO_SIZE": str(given.size)}
    answer = process.call(
        [str(binary)], encoded(given), "The simulation", timeout, environment, binary.parent, progress
    )
    records = _records(answer, 1 if given.graded else 3)
    voltage = records[0].view(np.float64).reshape(given.steps, len(given.trace))
    if given.graded:
        steps = neurons = np.zeros(0, np.int64)
    else:
        steps = np.rint(records[1].view(np.float64) / given.dt).astype(np.int64)
        neurons = records[2].view(np.int32).astype(np.int64)
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return plan.Run(steps, neurons, voltage, seconds)


def is_built(structure) -> bool:
    """Whether a program for the structure is here, whole and of these versions."""
    return _whole(_place(structure))


def program(structure, progress=None) -> Path:
    """The program for a structure, built if need be.

    Two threads or processes that ask for one program at once build it once.

    Raises: BuildFailed.
    """
    place = _place(structure)
    if not _whole(place):
        # Not two at once: each takes all cores for its compiler.
        try:
            with _BUILDING, cache.lock(cache.folder() / "building.lock"):
                if not _whole(place):
                    _clean()
                    _build(structure, place, progress or (lambda sentence: None))
        except (BuildFailed, OSError) as error:
            raise BuildFailed(
                f"{error}\nThe program could not be built in {place.parent}. Run with engine='numpy', which builds "
                "nothing; or choose another compiler: export CXX=PATH; or, if the disk is full, another folder: "
                "export KZOO_CACHE_DIR=FOLDER."
            ) from None
    return place / "main"


def flags() -> tuple[str, ...]:
    """What the compiler is told, on this machine."""
    return (*FLAGS, "-march=native") if platform.machine() in ("x86_64", "AMD64") else FLAGS


@functools.cache
def processor() -> str:
    """The system, the architecture and, on Linux, what the processor can do."""
    names = [platform.system(), platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names += sorted({line for line in lines if line.startswith(("flags", "model name"))})
    except OSError:
        pass
    return "\n".join(names)


@functools.cache
def recipe() -> str:
    """What decides the code of a program beside its structure: the sources here, the flags, the processor."""
    digest = hashlib.sha256(json.dumps([flags(), processor()]).encode())
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    return digest.hexdigest()


def compiler() -> str | None:
    """The C++ compiler: $CXX, else the first of g++, clang++ and c++ that is here."""
    named = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, filter(None, (named, "g++", "clang++", "c++")))), None)


def compiler_version() -> str | None:
    """The compiler's first line about itself; None without one."""
    path = compiler()
    return None if path is None else _version(path, os.stat(path).st_mtime_ns)


@functools.cache
def _version(path, changed):
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60)
    return said.stdout.partition("\n")[0].strip()


@functools.cache
def brian_version() -> str | None:
    """Brian2's version, without importing it; None where it is not installed."""
    try:
        return importlib.metadata.version("brian2")
    except importlib.metadata.PackageNotFoundError:
        return None


def _place(structure) -> Path:
    return cache.path() / hashlib.sha256(f"{recipe()}{structure}".encode()).hexdigest()[:20]


def _whole(place) -> bool:
    """Whether a folder holds a program as it was built, by the Brian2 and the compiler that are here now.

    Where one of the two is not here any more, what it has built before still runs.
    """
    binary = place / "main"
    try:
        found = binary.stat()
        if _WHOLE.get(binary) == (found.st_mtime_ns, found.st_size):
            return True
        manifest = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        wanted = {"brian2": brian_version(), "compiler": compiler_version()}
        if any(now is not None and manifest[name] != now for name, now in wanted.items()):
            return False
        if manifest["sha256"] != hashlib.sha256(binary.read_bytes()).hexdigest():
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    _WHOLE[binary] = (found.st_mtime_ns, found.st_size)
    return True


def _clean(age=3600.0):
    """Deletes what a build that was killed has left behind."""
    for left in cache.folder().glob(".writing-*"):
        if time.time() - left.stat().st_mtime > age:
            shutil.rmtree(left, ignore_errors=True)


def _build(structure, place, progress):
    path, version = compiler(), compiler_version()
    if path is None:
        raise BuildFailed(
            "There is no C++ compiler (looked for $CXX, g++, clang++ and c++). Install one, such as with "
            "`apt install g++`."
        )
    progress("Brian2 writes a C++ program for this kind of network, once")
    with files.replacing_folder(place) as folder:
        try:
            process.brian(["write", str(folder)], structure.encode())
        except process.Failed as failed:
            raise BuildFailed(str(failed)) from None
        sources = _adapt(folder)
        _compile(path, folder, sources, progress)
        for source in folder.iterdir():  # the program alone is kept
            if source.is_dir():
                shutil.rmtree(source)
            elif source.name != "main":
                source.unlink()
        sha256 = hashlib.sha256((folder / "main").read_bytes()).hexdigest()
        manifest = {"structure": structure, "brian2": brian_version(), "compiler": version, "sha256": sha256}
        files.write_json(folder / "manifest.json", manifest)
    progress("The program is built")


def _adapt(folder) -> list[Path]:
    """Puts variables in place of what must not be a constant; returns the sources to compile."""
    shutil.copy(_HERE / "standalone.h", folder / "standalone.h")
    replaced = 0
    for source in [*folder.rglob("*.cpp"), *folder.rglob("*.h")]:
        if source.name == "standalone.h":
            continue
        text = source.read_text(encoding="utf-8")
        text, more = re.subn(rf"\b{_SIZE + 1}\b", "(kzoo::size + 1)", text)
        text, some = re.subn(rf"\b{_SIZE}\b", "kzoo::size", text)
        if more or some:
            source.write_text(text, encoding="utf-8")
        replaced += some
    if not replaced:
        raise BuildFailed(f"Brian2 {brian_version()} writes the number of neurons in a way that kzoo does not know.")
    return sorted(folder.rglob("*.cpp"))


def _compile(path, folder, sources, progress):
    """Compiles and links, some files at a time."""
    done, running, lock = 0, set(), threading.Lock()

    def call(arguments):
        made = process.start([path, *arguments], {"LC_ALL": "C"}, folder)
        with lock:
            running.add(made)
        _, errors = made.communicate()
        return made.returncode, errors

    workers = min(len(sources), os.cpu_count() or 1, 8)
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        # Takes half of the time off. A compiler that makes nothing of it reads the header itself.
        call([*flags(), "-x", "c++-header", "standalone.h", "-o", "standalone.h.gch"])
        jobs = [pool.submit(call, [*flags(), *_INCLUDES, "-c", str(file), "-o", f"{file}.o"]) for file in sources]
        for job in concurrent.futures.as_completed(jobs):
            code, errors = job.result()
            if code:
                raise BuildFailed(f"{path} refuses what Brian2 wrote:\n{process.last_lines(errors)}")
            done += 1
            progress(f"Compiling: {done} of {len(sources)} files")
        code, errors = call([*(f"{file}.o" for file in sources), "-o", "main"])
        if code:
            raise BuildFailed(f"{path} cannot link the program:\n{process.last_lines(errors)}")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        with lock:
            for made in running:
                process.end(made)


def encoded(given) -> bytes:
    """All that the program reads, in the order in which brian_worker.write lets it read."""
    records = []

    def put(values, dtype):
        values = np.ascontiguousarray(values, dtype)
        records.append(np.array([values.size, values.itemsize], np.int64).tobytes())
        records.append(values.tobytes())

    def put_all(values, count):
        put(np.broadcast_to(values, count), np.float64)

    put([given.dt], np.float64)
    put([given.steps], np.int64)
    for name in plan.PARAMETERS:
        if not given.graded or name in ("tau", "resistance", "v_rest"):
            put_all(given.parameters[name], given.size if given.own else 1)
    if not given.graded:
        put(np.broadcast_to(given.hold, given.size if given.own else 1), np.int32)
    put_all(given.v_start, given.size)
    if given.current is not None:
        put([given.current.shape[1]], np.int64)
        put(given.current, np.float64)
        put(given.column, np.int32)
    for channel in given.channels:
        put([channel.tau], np.float64)
        if channel.reversal is not None:
            put([channel.reversal], np.float64)
        put_all(0.0 if channel.start is None else channel.start, given.size)
    for wires in given.wires:
        put(wires.first, np.int64)
        put(wires.targets, np.int32)
        put(wires.weights, np.float64)
        if not given.graded:
            put(wires.delays * given.dt, np.float64)
    if given.drive is not None:
        tables = given.drive.tables
        put([given.drive.key], np.uint64)
        put(np.cumsum([0, *map(len, tables)]), np.int64)
        put(np.concatenate(tables), np.float64)
        put(given.drive.kind, np.int32)
        put(given.drive.weight, np.float64)
    put(given.trace, np.int32)
    return b"".join(records)


def _records(answer, count) -> list[np.ndarray]:
    """The records of an answer, as bytes."""
    found, at = [], 0
    for _ in range(count):
        number, width = np.frombuffer(answer, np.int64, 2, at)
        found.append(np.frombuffer(answer, np.uint8, number * width, at + 16).copy())
        at += 16 + number * width
    return found
