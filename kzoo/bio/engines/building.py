"""How Brian2's standalone mode makes a C++ program of a kind of network (`Plan.structure`).

Brian2 writes the sources. In them, the number of neurons is a constant; a stand-in for it (`brian_model.SIZE`) is
replaced by a variable. standalone.h holds what reads and writes.

Floating point is left as it stands in the sources: no -ffast-math, no contraction to fused operations. So no spike
depends on what a compiler makes of them. On x86 the code is for this processor (-march=native).
"""

import concurrent.futures
import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import threading
from pathlib import Path

from kzoo import files
from kzoo.bio.engines import process
from kzoo.errors import KzooError

# The last two let loops run on vectors; none of them changes a number.
FLAGS = ("-O3", "-std=c++17", "-ffp-contract=off", "-w", "-fno-math-errno", "-fno-trapping-math")
_INCLUDES = ("-include", "standalone.h", "-I.")
_HERE = Path(__file__).parent
# The stand-in of brian_model for the number of neurons, and one more, the length of Brian2's list of spikes.
_SIZE = 1000003


# What a compiler or linker says of the code itself, or of a flag, in English; see `_refused`.
_REFUSES = re.compile(
    r":\d+: (fatal )?error: |error: (unrecognized|unknown|unsupported) |undefined (reference|symbol)|cannot find -l"
)
# Which of that, and of all else, passes by itself.
_PASSES = re.compile(
    r"no space left|quota exceeded|too many open files|temporarily unavailable|(out of|allocate) memory|"
    r"memory exhausted|killed|(with|to) signal|permission denied|read-only|input/output error|internal compiler error",
    re.IGNORECASE,
)


class BuildFailed(KzooError):
    """A C++ program could not be built; the message has the compiler's last lines, and what to do.

    Arguments:
        message: str.
        lasts: whether the compiler refuses the code, as it would again; not where a disk is full or a process killed.
    """

    def __init__(self, message, lasts=False):
        super().__init__(message)
        self.lasts = lasts


def flags() -> tuple[str, ...]:
    """What the compiler is told, on this machine."""
    return (*FLAGS, "-march=native") if platform.machine() in ("x86_64", "AMD64") else FLAGS


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


def build(structure, place, progress):
    """Builds the program for a structure into the folder `place`, whole or not at all.

    Raises: BuildFailed, OSError.
    """
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


def _refused(code, errors) -> bool:
    """Whether a compiler that ended with `code` (below 0: by a signal) found fault with the code."""
    said = errors.decode(errors="replace")
    return code > 0 and _REFUSES.search(said) is not None and _PASSES.search(said) is None


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
                said = f"{path} refuses what Brian2 wrote:\n{process.last_lines(errors)}"
                raise BuildFailed(said, _refused(code, errors))
            done += 1
            progress(f"Compiling: {done} of {len(sources)} files")
        code, errors = call([*(f"{file}.o" for file in sources), "-o", "main"])
        if code:
            said = f"{path} cannot link the program:\n{process.last_lines(errors)}"
            raise BuildFailed(said, _refused(code, errors))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        with lock:
            for made in running:
                process.end(made)
