"""One recipe and one seed on all three backends, each in a process of its own.

Needs the three backends in one environment; `nox -s parity` makes it.
"""

import csv
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

# All that a recipe can draw from the seed: weights, order, augmentation and dropout; the recipes' own Adam.
_MOVED = {"shift": 1.0, "rotate": 10.0, "scale": 0.1}
RECIPES = {
    "mlp": kzoo.recipe_for("mlp", "digits").override(model={"dropout": 0.3}, data=_MOVED, seed=11),
    "cnn": kzoo.recipe_for("cnn", "digits").override(
        # Rounding differs by an ulp, and where it moves a number across the kink of a ReLU or swaps the two
        # largest of a pooling window, the paths part: on one backend, weights 1e-5 apart are losses 1e-1 apart
        # after 100 steps. So few units and small batches, in which that happens once in some thousand steps.
        model={"dropout": 0.1, "filters": [4, 8], "hidden_dim": 16},
        batch_size=8,
        optimizer={"learning_rate": 0.01},  # so small a network learns too little otherwise in 100 batches of 8
        schedule={"warmup_epochs": 0},
        data=_MOVED,
        seed=11,
    ),
    # Training in phases, with the pixels and the codes drawn at each step.
    "vae": kzoo.recipe_for("vae", "digits").override(
        model={"hidden_dims": [32], "latent_dim": 4, "warmup_steps": 50}, data=_MOVED, seed=11
    ),
}
CONTINUED = ("cnn", "vae")


# A whole run of seconds: two epochs of a small network with dropout and augmentation.
SHORT = RECIPES["cnn"].override(model={"filters": [4], "depth": 1, "hidden_dim": 8}, smoke=True, epochs=2)


def _work(backend, task, *folders):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(Path(__file__).parent / "worker.py"), task, *map(str, folders)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{backend} {task}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """The folder in which each backend has trained each recipe, and some then on from every checkpoint."""
    root = tmp_path_factory.mktemp("parity")
    for model, recipe in {**RECIPES, "short": SHORT}.items():
        (root / model).mkdir()
        (root / model / "recipe.json").write_text(recipe.to_json())
    for backend in kzoo.backend.NAMES:
        _work(backend, "first", *(root / model for model in (*RECIPES, "short")))
    for backend in kzoo.backend.NAMES:  # each needs the checkpoints of all
        _work(backend, "continue", *(root / model for model in CONTINUED))
    return root


@pytest.mark.parametrize("model", RECIPES)
def test_a_hundred_steps_follow_the_same_path_on_every_backend(model, work):
    found = {backend: dict(np.load(work / model / f"{backend}-first.npz")) for backend in kzoo.backend.NAMES}
    reference = found["jax"]
    for backend, arrays in found.items():
        assert arrays.keys() == reference.keys()
        for key in reference:
            if key.startswith("w"):
                np.testing.assert_array_equal(arrays[key], reference[key], err_msg=f"{backend} {key}")
        apart = np.abs(arrays["losses"] - reference["losses"])
        worst = apart.max()
        print(f"{model} {backend}: largest difference of the loss {worst:.1e}")
        assert len(arrays["losses"]) == 100
        assert apart[:10].max() < 1e-4, backend  # another epsilon, order or mask is above it at once
        assert worst < 1e-3, backend
    assert reference["losses"][-10:].mean() < 0.8 * reference["losses"][:10].mean()


@pytest.mark.parametrize("model", CONTINUED)
@pytest.mark.parametrize("origin", kzoo.backend.NAMES)
def test_a_checkpoint_of_one_backend_goes_on_under_the_others(origin, model, work):
    saved = dict(np.load(work / model / f"{origin}-first.npz"))
    for backend in kzoo.backend.NAMES:
        arrays = dict(np.load(work / model / f"{origin}-{backend}.npz"))
        np.testing.assert_allclose(arrays["logits"], saved["logits"], rtol=0, atol=1e-5, err_msg=backend)
        # 10 steps before and 20 after: the optimizer's state came along.
        assert arrays["iterations"] == 30, backend
        # The origin itself went on without a pause.
        np.testing.assert_allclose(arrays["losses"], saved["losses"][10:30], rtol=0, atol=1e-3, err_msg=backend)


def test_a_whole_run_writes_the_same_losses_on_every_backend(work):
    found = {}
    for backend in kzoo.backend.NAMES:
        lines = (work / "short" / f"{backend}-run" / "metrics.csv").read_text().splitlines()
        found[backend] = [(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(lines)]
    assert len(found["jax"]) == 2
    for backend, losses in found.items():
        np.testing.assert_allclose(losses, found["jax"], rtol=0, atol=1e-3, err_msg=backend)
