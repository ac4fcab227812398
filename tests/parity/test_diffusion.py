"""A hundred steps of diffusion and of flow matching with one seed on all three backends, and the images that follow.

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
    folder = tmp_path_factory.mktemp("diffusion")
    for backend in kzoo.backend.NAMES:
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, str(Path(__file__).parent / "diffusion_worker.py"), str(folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{backend}\n{done.stderr[-3000:]}"
    return {backend: dict(np.load(folder / f"{backend}.npz")) for backend in kzoo.backend.NAMES}


@pytest.mark.parametrize("model", ["v", "flow"])
def test_one_seed_is_one_training_and_one_set_of_images_on_every_backend(model, found):
    reference = found["jax"]
    for backend, arrays in found.items():
        for key in reference:
            if key.startswith(f"{model}-w"):
                np.testing.assert_array_equal(arrays[key], reference[key], err_msg=f"{backend} {key}")
        apart = np.abs(arrays[f"{model}-losses"] - reference[f"{model}-losses"])
        images = {
            kind: np.abs(arrays[f"{model}-{kind}"] - reference[f"{model}-{kind}"]).max()
            for kind in ("ddim", "ddpm", "guided")
        }
        of_pixels = ", ".join(f"{kind} {figure:.1e}" for kind, figure in images.items())
        print(f"{model} {backend}: largest difference of a loss {apart.max():.1e}, of a pixel {of_pixels}")
        assert len(apart) == 100
        assert apart[:10].max() < 1e-4, backend  # another epsilon, order or mask is above it at once
        assert apart.max() < 1e-3, backend
        assert max(images.values()) < 1e-3, backend
    losses = reference[f"{model}-losses"]
    assert losses[-10:].mean() < 0.8 * losses[:10].mean()
