"""What a run needs to be understood later: versions, backend, machine and the state of the source code."""

import ctypes
import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from kzoo import __version__, backend

_PACKAGES = ("keras", "numpy", "scikit-learn", "h5py")


def machine() -> str:
    """The kind of machine in words, such as "AMD EPYC, 2 cores"."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # no Linux: the platform's own word will do
    return f"{name}, {os.cpu_count()} cores"


def keep_memory() -> bool:
    """Lets this process keep the memory that it frees, until it ends; where the C library is glibc, else nothing.

    A training step frees its large arrays and asks for as many a moment later. glibc gives everything above 32 MiB back
    to the system each time, which then has to hand out every page anew, in zeros: a fifth of the processor time of a
    small Transformer's step on JAX.

    Returns:
        Whether it could be done.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False  # no glibc
    return bool(mallopt(mmap_max, 0) and mallopt(trim_threshold, 2**31 - 1))


def _git_state() -> dict | None:
    """Commit and cleanliness of the checkout that kzoo is imported from; None where it is installed."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "-C", str(here), "status", "--porcelain"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "clean": not changes}


def _command() -> str:
    """The command line of this process, without the folders of this machine: of a path, its last part."""
    program = Path(sys.argv[0])
    words = ["python", program.name]
    if program.resolve().parent == Path(__file__).resolve().parents[1]:  # python -m kzoo, python -m kzoo.train
        words = ["python", "-m", "kzoo", *(["train"] if program.stem == "train" else [])]
    elif program.name == "kzoo":
        words = ["kzoo"]
    return shlex.join([*words, *(Path(word).name if "/" in word or "\\" in word else word for word in sys.argv[1:])])


def describe(seed: int) -> dict:
    """Versions, backend, devices, CPU threads, seed, command and source state, as JSON can hold them."""
    chosen = backend.name()
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    # From the module: the backend's distribution may have another name, such as tensorflow-cpu.
    versions[chosen] = str(sys.modules[chosen].__version__)
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": _command(),
        "backend": chosen,
        "devices": backend.devices(),
        "threads": backend.thread_count(),
        "machine": machine(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {"kzoo": __version__, **versions},
        "seed": seed,
        "git": _git_state(),
    }
