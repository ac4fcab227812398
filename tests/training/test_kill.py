"""kill -9 at a random moment, then --resume: the weights must be those of an uninterrupted run, bit for bit.

One moment by default; KZOO_KILLS=10 tries ten, one in each tenth of the run.
"""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kzoo

# Everything that carries state from epoch to epoch: dropout, normalisation, augmentation, momentum, a schedule.
FLAGS = ["--smoke", "--epochs", "6", "--model.filters", "[4,4]", "--model.hidden_dim", "8", "--seed", "9"]
KILLS = int(os.environ.get("KZOO_KILLS", "1"))


def _start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "kzoo", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output[-3000:]


def _start_and_wait(*arguments, folder):
    """A run, once its first file is written; from then on it can be resumed."""
    process = _start(*arguments, "--out", folder)
    while process.poll() is None and not (folder / "recipe.json").exists():
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of a run that nothing disturbed, and the seconds from its first file to its end."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = _start_and_wait("cnn", *FLAGS, folder=folder)
    began = time.monotonic()
    while process.poll() is None and not (folder / "metrics.json").exists():
        time.sleep(0.01)
    seconds = time.monotonic() - began
    _finish(process)
    return _weights(folder), seconds


def _weights(folder):
    last = [weight.numpy() for weight in kzoo.load_model(folder / "last.keras").weights]
    best = [weight.numpy() for weight in kzoo.load_model(folder / "best.keras").weights]
    return last + best


def _kill_during_a_run(share, seconds, tmp_path):
    """The folder of a run killed after about a share of its time; one that ended before the kill does not count."""
    for attempt in range(4):
        folder = tmp_path / f"run{attempt}"
        process = _start_and_wait("cnn", *FLAGS, folder=folder)
        # From the first file on: compiling, any epoch, a checkpoint half written, the figures at the end.
        until = time.monotonic() + share * seconds
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        assert folder.exists(), output[-3000:]
        left = sorted(path.name for path in folder.iterdir())
        print(f"killed after {share * seconds:.2f} s of {seconds:.2f} s, leaving {left}")
        if "metrics.json" not in left:
            assert process.returncode == -signal.SIGKILL, output[-3000:]
            return folder
        share *= 0.7  # this machine was faster than in the run that was timed
    raise AssertionError(f"four runs ended before the kill, the last at {share:.2f} of {seconds:.2f} s")


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_killed_run_resumes_to_exactly_the_same_weights(moment, uninterrupted, tmp_path):
    expected, seconds = uninterrupted
    # Not from `random`, which the fixture `seed` fixes: every run of this test is to try another moment.
    share = (moment + random.SystemRandom().random()) / KILLS
    folder = _kill_during_a_run(share, seconds, tmp_path)
    _finish(_start("--resume", folder))
    assert (folder / "metrics.json").exists()
    found = _weights(folder)
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
