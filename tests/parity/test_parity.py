"""One recipe and one seed on all three backends, each in a process of its own.

Needs the three backends in one environment; `nox -s parity` makes it.
"""

import csv

import numpy as np
import pytest

import kzoo

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
    # Spikes, of the neurons and of the code drawn at each step: an ulp counts only where it moves one.
    "snn": kzoo.recipe_for("snn", "digits").override(
        model={"hidden_dims": [16], "steps": 6, "encoder": "rate"},
        batch_size=8,
        optimizer={"learning_rate": 0.01},
        schedule={"warmup_epochs": 0},
        data=_MOVED,
        seed=11,
    ),
    # Training in phases, with the pixels and the codes drawn at each step.
    "vae": kzoo.recipe_for("vae", "digits").override(
        model={"hidden_dims": [32], "latent_dim": 4, "warmup_steps": 50}, data=_MOVED, seed=11
    ),
    # Two networks in turns, and their moving average.
    "gan": kzoo.recipe_for("gan", "digits").override(
        model={"latent_dim": 8, "filters": [4, 8], "dropout": 0.2, "momentum": 0.9}, data=_MOVED, seed=11
    ),
    "wgan": kzoo.recipe_for("gan", "digits").override(
        model={
            "latent_dim": 8,
            "filters": [4, 8],
            "dropout": 0.1,
            "momentum": 0.9,
            "objective": "wasserstein",
            "penalty": 10.0,
            "discriminator_steps": 2,
        },
        seed=11,
    ),
    "diffusion": kzoo.recipe_for("diffusion", "digits").override(
        model={"filters": [8, 8], "num_heads": 2, "dropout": 0.1, "momentum": 0.9, "label_dropout": 0.2}, seed=11
    ),
    "flow": kzoo.recipe_for("diffusion", "digits").override(
        model={
            "filters": [8],
            "num_heads": 2,
            "patch": 2,
            "momentum": 0.9,
            "prediction": "flow",
            "noise_schedule": "flow",
            "min_snr": None,
        },
        seed=11,
    ),
}
CONTINUED = ("cnn", "vae", "gan", "wgan", "diffusion")


# A whole run of seconds: two epochs of a small network with dropout and augmentation.
SHORT = RECIPES["cnn"].override(model={"filters": [4], "depth": 1, "hidden_dim": 8}, smoke=True, epochs=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, work_on_each):
    """The folder in which each backend has trained each recipe, and some then on from every checkpoint."""
    root = tmp_path_factory.mktemp("parity")
    for model, recipe in {**RECIPES, "short": SHORT}.items():
        (root / model).mkdir()
        (root / model / "recipe.json").write_text(recipe.to_json())
    work_on_each("worker.py", "first", *(root / model for model in (*RECIPES, "short")))
    work_on_each("worker.py", "continue", *(root / model for model in CONTINUED))  # each needs the checkpoints of all
    return root


@pytest.mark.parametrize("model", RECIPES)
def test_a_hundred_steps_follow_the_same_path_on_every_backend(model, folder):
    found = {backend: dict(np.load(folder / model / f"{backend}-first.npz")) for backend in kzoo.backend.NAMES}
    reference = found["jax"]
    for backend, arrays in found.items():
        assert arrays.keys() == reference.keys()
        for key in reference:
            if key.startswith("w"):
                np.testing.assert_array_equal(arrays[key], reference[key], err_msg=f"{backend} {key}")
        apart = np.abs(arrays["figures"] - reference["figures"]).max(axis=1)
        pixels = [np.abs(arrays[key] - reference[key]).max() for key in reference if key.startswith("images")]
        print(f"{model} {backend}: largest difference of a figure {apart.max():.1e}", end="")
        print(f", of a pixel {max(pixels):.1e}" if pixels else "")
        assert len(apart) == 100
        assert apart[:10].max() < 1e-4, backend  # another epsilon, order or mask is above it at once
        assert apart.max() < 1e-3, backend
        assert max(pixels, default=0) < 1e-3, backend
    figures = reference["figures"]
    if model in ("gan", "wgan"):  # whose losses need not fall
        assert np.abs(figures[-10:].mean(axis=0) - figures[:10].mean(axis=0)).max() > 0.1
    else:
        assert figures[-10:, 0].mean() < 0.8 * figures[:10, 0].mean()


@pytest.mark.parametrize("model", CONTINUED)
@pytest.mark.parametrize("origin", kzoo.backend.NAMES)
def test_a_checkpoint_of_one_backend_goes_on_under_the_others(origin, model, folder):
    saved = dict(np.load(folder / model / f"{origin}-saved.npz"))
    uninterrupted = np.load(folder / model / f"{origin}-first.npz")["figures"][10:30]
    for backend in kzoo.backend.NAMES:
        arrays = dict(np.load(folder / model / f"{origin}-{backend}.npz"))
        np.testing.assert_allclose(arrays["answers"], saved["answers"], rtol=0, atol=1e-5, err_msg=backend)
        for key in saved.keys() - {"answers"}:  # to the last bit: averages, generators and every optimizer's moments
            np.testing.assert_array_equal(arrays[key], saved[key], err_msg=f"{backend} {key}")
        apart = np.abs(arrays["figures"] - uninterrupted) / np.maximum(1, np.abs(uninterrupted))
        print(f"{model} from {origin} to {backend}: largest difference of a figure {apart.max():.1e}")
        # On its own backend it is the uninterrupted run.
        assert apart.max() <= (0 if backend == origin else 1e-5), backend


def test_a_whole_run_writes_the_same_losses_on_every_backend(folder):
    found = {}
    for backend in kzoo.backend.NAMES:
        lines = (folder / "short" / f"{backend}-run" / "metrics.csv").read_text().splitlines()
        found[backend] = [(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(lines)]
    assert len(found["jax"]) == 2
    for backend, losses in found.items():
        np.testing.assert_allclose(losses, found["jax"], rtol=0, atol=1e-3, err_msg=backend)
