"""One recipe and one seed on all three backends, each in a process of its own.

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

# All that a recipe can draw from the seed: weights, order, augmentation and dropout. Batch 32 on digits.
_MOVED = {"shift": 1.0, "rotate": 10.0, "scale": 0.1}
RECIPES = {
    "mlp": kzoo.recipe_for("mlp", "digits").override(model={"dropout": 0.3}, data=_MOVED, seed=11),
    "cnn": kzoo.recipe_for("cnn", "digits").override(
        model={"dropout": 0.3, "filters": [8, 16], "hidden_dim": 32}, data=_MOVED, seed=11
    ),
}


def _work(backend, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(Path(__file__).parent / "worker.py"), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(arguments[-1]))


@pytest.mark.parametrize("model", RECIPES)
def test_a_hundred_steps_follow_the_same_path_on_every_backend(model, tmp_path):
    (tmp_path / "recipe.json").write_text(RECIPES[model].to_json())
    found = {
        backend: _work(backend, "steps", tmp_path / "recipe.json", tmp_path / f"{backend}.npz")
        for backend in kzoo.backend.NAMES
    }
    reference = found["jax"]
    for backend, arrays in found.items():
        for key in reference:
            if key != "losses":
                np.testing.assert_array_equal(arrays[key], reference[key], err_msg=f"{backend} {key}")
        worst = np.abs(arrays["losses"] - reference["losses"]).max()
        print(f"{model} {backend}: largest difference of the loss {worst:.1e}")
        assert worst < 1e-3, backend
    assert reference["losses"][-10:].mean() < 0.7 * reference["losses"][:10].mean()


@pytest.mark.parametrize("origin", kzoo.backend.NAMES)
def test_a_checkpoint_of_one_backend_goes_on_under_the_others(origin, tmp_path):
    (tmp_path / "recipe.json").write_text(RECIPES["cnn"].to_json())
    saved = _work(origin, "save", tmp_path / "recipe.json", tmp_path / "saved.npz")
    results = {
        backend: _work(backend, "continue", tmp_path / "saved.keras", tmp_path / f"{backend}.npz")
        for backend in kzoo.backend.NAMES
    }
    for backend, arrays in results.items():
        np.testing.assert_allclose(arrays["logits"], saved["logits"], rtol=0, atol=1e-5, err_msg=backend)
        # 10 steps before and 20 after: the optimizer's state came along.
        assert arrays["iterations"] == 30, backend
        np.testing.assert_allclose(arrays["losses"], results[origin]["losses"], rtol=0, atol=1e-3, err_msg=backend)
