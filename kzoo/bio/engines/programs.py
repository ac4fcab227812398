"""The C++ programs of `building.py`: each built once, and kept in the cache.

A program goes by its structure and by all that decides its code; so another processor that looks into the same cache
builds its own.
"""

import contextlib
import functools
import hashlib
import json
import platform
import shutil
import threading
import time
from pathlib import Path

import numpy as np

from kzoo import files
from kzoo.bio.engines import building, cache
from kzoo.bio.engines.building import BuildFailed

_HERE = Path(__file__).parent
# What a program follows from, beside its structure.
_SOURCES = ("building.py", "standalone.h", "brian_model.py", "brian_worker.py")
_BUILDING = threading.Lock()
# How long a compiler's refusal is remembered [s].
_REMEMBERED = 3600.0
# What this process has found whole: path -> (time of change, size) of the file.
_WHOLE: dict[Path, tuple] = {}


def is_built(structure) -> bool:
    """Whether a program for the structure is here, whole and of these versions."""
    return _whole(_place(structure))


def program(structure, progress=None) -> Path:
    """The program for a structure, built if need be.

    Two threads or processes that ask for one program at once build it once. What a compiler refuses is not tried again
    with the same compiler, Brian2 and NumPy for an hour, unless the file is deleted that the message names.

    Raises: BuildFailed.
    """
    place, progress = _place(structure), progress or (lambda sentence: None)
    if not _whole(place):
        try:
            with _turn(progress):
                if not _whole(place):
                    _clean()
                    _build(structure, place, progress)
        except (BuildFailed, OSError) as error:
            refused = isinstance(error, BuildFailed) and error.lasts
            other = "choose another compiler: export CXX=PATH"
            if not refused:
                other = "if the disk is full, name another folder: export KZOO_CACHE_DIR=FOLDER"
            raise BuildFailed(
                f"{error}\nThe program could not be built in {place.parent}. Run with engine='numpy', which builds "
                f"nothing; or {other}.",
                refused,
            ) from None
    return place / "main"


@contextlib.contextmanager
def _turn(progress):
    """Lets one build at a time into the block: each takes all cores for its compiler.

    Who waits is told so again and again, as what tells it on may print only some of it.
    """
    if not _BUILDING.acquire(blocking=False):
        waits = True
        while waits:
            progress("Waiting for another thread, which builds a program")
            waits = not _BUILDING.acquire(timeout=cache.LOOK)
    try:
        waits = functools.partial(progress, "Waiting for another process, which builds a program")
        with cache.lock(cache.folder() / "building.lock", waits):
            yield
    finally:
        _BUILDING.release()


def _build(structure, place, progress):
    """Builds a program, unless the compiler has refused it within the hour."""
    memory = place.with_name(f"{place.name}.failed.json")
    by = {"compiler": building.compiler(), "brian2": building.brian_version(), "numpy": np.__version__}
    by["version"] = building.compiler_version()
    try:
        before = json.loads(memory.read_text(encoding="utf-8"))
        recent = 0 <= time.time() - memory.stat().st_mtime < _REMEMBERED
        failed = before["why"] if recent and {name: before[name] for name in by} == by else ""
    except (OSError, ValueError, KeyError, TypeError):
        failed = ""
    if failed:
        raise BuildFailed(
            f"{failed}\nThat was at a build within the hour; to try again now, delete {memory}.", lasts=True
        )
    try:
        building.build(structure, place, progress)
    except BuildFailed as error:
        if error.lasts:
            with contextlib.suppress(OSError):
                files.write_json(memory, {**by, "why": str(error)})
        raise
    memory.unlink(missing_ok=True)


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
    digest = hashlib.sha256(json.dumps([building.flags(), processor()]).encode())
    for name in _SOURCES:
        digest.update((_HERE / name).read_bytes())
    return digest.hexdigest()


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
        wanted = {"brian2": building.brian_version(), "compiler": building.compiler_version()}
        if any(now is not None and manifest[name] != now for name, now in wanted.items()):
            return False
        if manifest["sha256"] != hashlib.sha256(binary.read_bytes()).hexdigest():
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    _WHOLE[binary] = (found.st_mtime_ns, found.st_size)
    return True


def _clean(age=3600.0):
    """Deletes what a build that was killed has left behind, and refusals that are remembered no more."""
    for left in cache.folder().glob(".writing-*"):
        if time.time() - left.stat().st_mtime > age:
            shutil.rmtree(left, ignore_errors=True)
    for memory in cache.folder().glob("*.failed.json"):
        if time.time() - memory.stat().st_mtime > _REMEMBERED:
            memory.unlink(missing_ok=True)
