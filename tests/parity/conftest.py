"""Processes of one backend each, which the tests of parity compare."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import kzoo

HERE = Path(__file__).parent
# Sums over several threads come in another order now and then, and where that moves a number across the kink of a
# ReLU, the paths of two backends part. Two such processes share two cores all the better.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def pytest_collection_modifyitems(items):
    """Skips all of it where a backend is missing."""
    if set(kzoo.backend.installed()) != set(kzoo.backend.NAMES):
        for item in items:
            if HERE in item.path.parents:
                reason = "needs all three backends in one environment: nox -s parity"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def work():
    """Runs a script of this folder in a process of its own: work(script, *arguments, backend=)."""

    def run(script, *arguments, backend="torch"):
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
        environment = os.environ | {"KERAS_BACKEND": backend} | quiet | ONE_THREAD
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{script} {arguments} {backend}\n{done.stderr[-3000:]}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def work_on_each(work):
    """What a script says on each backend: work_on_each(script, *arguments). Two of them run at a time."""

    def run(script, *arguments):
        with ThreadPoolExecutor(2) as pool:
            said = pool.map(lambda backend: work(script, *arguments, backend=backend), kzoo.backend.NAMES)
            return dict(zip(kzoo.backend.NAMES, said, strict=True))

    return run
