"""A hundred steps of a GAN and of a WGAN-GP with one seed on all three backends, each in a process of its own.

Needs the three backends in one environment; `nox -s parity` makes it.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kzoo

pytestmark = pytest.mark.skipif(
    set(kzoo.backend.installed()) != set(kzoo.backend.NAMES),
    reason="needs all three backends in one environment: nox -s parity",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each backend's worker left."""
    folder = tmp_path_factory.mktemp("gan")
    for backend in kzoo.backend.NAMES:
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, str(Path(__file__).parent / "gan_worker.py"), str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{backend}\n{done.stderr[-3000:]}"
    return {backend: dict(np.load(folder / f"{backend}.npz")) for backend in kzoo.backend.NAMES}


@pytest.mark.parametrize("model", ["gan", "wgan"])
def test_two_networks_in_turns_follow_the_same_path_on_every_backend(model, found):
    reference = found["jax"]
    for backend, arrays in found.items():
        for key in reference:
            if key.startswith(f"{model}-w"):
                np.testing.assert_array_equal(arrays[key], reference[key], err_msg=f"{backend} {key}")
        apart = np.abs(arrays[f"{model}-losses"] - reference[f"{model}-losses"]).max(axis=1)
        images = np.abs(arrays[f"{model}-images"] - reference[f"{model}-images"]).max()
        print(f"{model} {backend}: largest difference of a loss {apart.max():.1e}, of a pixel {images:.1e}")
        assert len(apart) == 100
        assert apart[:10].max() < 1e-4, backend  # another epsilon, order or mask is above it at once
        assert apart.max() < 1e-3, backend
        assert images < 1e-3, backend
    losses = reference[f"{model}-losses"]
    assert np.abs(losses[-10:].mean(axis=0) - losses[:10].mean(axis=0)).max() > 0.1  # they have gone somewhere
