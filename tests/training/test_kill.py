"""kill -9 at a random moment, then --resume: the weights must be those of an uninterrupted run, bit for bit.

One moment by default; KZOO_KILLS=10 tries ten.
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


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of a run that nothing disturbed, and the seconds from its first file to its end."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = _start("cnn", *FLAGS, "--out", folder)
    while process.poll() is None and not (folder / "env.json").exists():
        time.sleep(0.01)
    began = time.monotonic()
    _finish(process)
    return _weights(folder), time.monotonic() - began


def _weights(folder):
    last = [weight.numpy() for weight in kzoo.load_model(folder / "last.keras").weights]
    best = [weight.numpy() for weight in kzoo.load_model(folder / "best.keras").weights]
    return last + best


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_killed_run_resumes_to_exactly_the_same_weights(moment, uninterrupted, tmp_path):
    expected, seconds = uninterrupted
    folder = tmp_path / "run"
    process = _start("cnn", *FLAGS, "--out", folder)
    while process.poll() is None and not (folder / "env.json").exists():
        time.sleep(0.01)
    # From the first file on: compiling, any epoch, a checkpoint half written, the figures at the end.
    share = random.random()
    time.sleep(share * seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = sorted(path.name for path in folder.iterdir())
    print(f"killed after {share * seconds:.2f} s of {seconds:.2f} s, leaving {left}")
    _finish(_start("--resume", folder))
    assert (folder / "metrics.json").exists()
    found = _weights(folder)
    assert len(found) == len(expected)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
