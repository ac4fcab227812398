"""Processes of one backend each, which the tests of parity compare."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kzoo

HERE = Path(__file__).parent


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
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{script} {arguments} {backend}\n{done.stderr[-3000:]}"
        return done.stdout

    return run
