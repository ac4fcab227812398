"""What env.json says of the process and the machine of a run."""

import json
import platform
import resource
import subprocess
import sys

import pytest

import kzoo
from kzoo.training import environment


def test_the_environment_can_be_written_as_json_and_read_back():
    found = environment.describe(3)
    assert json.loads(json.dumps(found)) == found
    assert found["seed"] == 3


def test_the_cpu_threads_are_those_of_the_backend(monkeypatch, backend):
    # Wall times of two runs compare only where these are equal: the cores of the machine do not tell them.
    assert environment.describe(0)["threads"] == kzoo.backend.thread_count() >= 1
    monkeypatch.setattr(kzoo.backend, "thread_count", lambda: 7)
    assert environment.describe(0)["threads"] == 7


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc alone")
def test_freed_memory_stays_with_the_process():
    # In a process of its own, since it cannot be undone. An array of 64 MiB, which glibc would give back.
    script = """
import pathlib, sys
import numpy as np
from kzoo.training.environment import keep_memory
assert "keep" not in sys.argv or keep_memory()
np.full(2**23, 1.0)
print(pathlib.Path("/proc/self/statm").read_text().split()[1])
"""
    held, kept = (
        int(subprocess.run([sys.executable, "-c", script, *how], capture_output=True, text=True, check=True).stdout)
        for how in ([], ["keep"])
    )
    assert (kept - held) * resource.getpagesize() > 2**25


def test_a_finished_run_keeps_the_threads_it_ran_with(finished):
    assert json.loads((finished.folder / "env.json").read_text())["threads"] == kzoo.backend.thread_count()
