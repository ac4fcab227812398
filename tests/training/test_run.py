"""A run folder: what is in it, and that it can be loaded, continued and trusted."""

import csv
import dataclasses
import importlib
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

import kzoo
from kzoo.errors import KzooError, RecipeError
from kzoo.recipe import Recipe
from kzoo.training import run
from kzoo.training.evaluation import evaluate, load_for
from kzoo.training.measure import measure
from kzoo.training.run import Diverged


def _weights(model):
    return [weight.numpy() for weight in model.weights]


def _same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_run_folder_holds_all_that_it_promises(finished, tiny, backend):
    folder = finished.folder
    assert Recipe.from_json((folder / "recipe.json").read_text()) == tiny
    env = json.loads((folder / "env.json").read_text())
    assert env["backend"] == backend
    assert env["seed"] == tiny.seed
    assert {"kzoo", "keras", "numpy", backend} <= set(env["versions"])
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds"} <= set(rows[0])
    for name in ("learning_curves.png", "confusion_matrix.png", "predictions.png"):
        assert (folder / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert not list(folder.glob(".writing-*"))


def test_the_metrics_are_those_of_the_best_weights_on_the_test_part(finished, tiny):
    data = load_for(tiny)
    model = kzoo.load_model(finished.folder)
    right = model.predict(data.x_test, verbose=0).argmax(axis=-1) == data.y_test
    assert finished.metrics["test_accuracy"] == pytest.approx(right.mean(), abs=1e-9)
    rows = list(csv.DictReader((finished.folder / "metrics.csv").open()))
    assert finished.metrics["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    assert measure(finished.folder)["accuracy"] == finished.metrics["test_accuracy"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_gives_others(finished, tiny, tmp_path):
    again = run(tiny, out=tmp_path / "again", verbose=0)
    assert _same(_weights(again.model), _weights(finished.model))
    other = run(tiny.override(seed=4, epochs=1), out=tmp_path / "other", verbose=0)
    assert not _same(_weights(other.model), _weights(finished.model))


def _interrupt_after_first_epoch(folder, monkeypatch, tiny):
    """A run that dies in its second epoch, the first one saved."""
    from kzoo.training.batches import FollowEpoch

    def die(self, epoch, logs=None):
        self.batches.epoch = epoch
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FollowEpoch, "on_epoch_begin", die)
        with pytest.raises(KeyboardInterrupt):
            run(tiny, out=folder, verbose=0)


def test_a_resumed_run_ends_with_exactly_the_weights_of_an_uninterrupted_one(finished, tiny, tmp_path, monkeypatch):
    _interrupt_after_first_epoch(tmp_path / "cut", monkeypatch, tiny)
    resumed = run(resume=tmp_path / "cut", verbose=0)
    assert _same(_weights(resumed.model), _weights(finished.model))
    with zipfile.ZipFile(tmp_path / "cut" / "last.keras") as archive:
        seeds = json.loads(archive.read("kzoo_state.json"))["seeds"]
    with zipfile.ZipFile(finished.folder / "last.keras") as archive:
        assert seeds == json.loads(archive.read("kzoo_state.json"))["seeds"]
    assert seeds, "the recipe has dropout, so there are seed generators to save"
    assert all(draws > 0 for _, draws in seeds)


def test_a_run_killed_before_its_first_epoch_is_done_starts_again(finished, tiny, tmp_path):
    folder = tmp_path / "early"
    folder.mkdir()
    shutil.copy(finished.folder / "recipe.json", folder)
    resumed = run(resume=folder, verbose=0)
    assert _same(_weights(resumed.model), _weights(finished.model))


def test_resuming_a_finished_run_changes_nothing(finished):
    before = {path.name: path.stat().st_mtime_ns for path in finished.folder.iterdir()}
    again = run(resume=finished.folder, verbose=0)
    assert again.metrics == finished.metrics
    assert {path.name: path.stat().st_mtime_ns for path in finished.folder.iterdir()} == before


def test_validation_does_not_disturb_training(tiny, tmp_path, finished, monkeypatch):
    data = load_for(tiny)
    fewer = dataclasses.replace(data, x_val=data.x_val[:5], y_val=data.y_val[:5])
    # By its name: the package's attribute `run` is the function, not the module.
    monkeypatch.setattr(importlib.import_module("kzoo.training.run"), "load_for", lambda recipe: fewer)
    other = run(tiny, out=tmp_path / "fewer", verbose=0)
    first = list(csv.DictReader((finished.folder / "metrics.csv").open()))
    second = list(csv.DictReader((other.folder / "metrics.csv").open()))
    assert [row["loss"] for row in first] == [row["loss"] for row in second]
    assert [row["val_loss"] for row in first] != [row["val_loss"] for row in second]


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_weights(tiny, tmp_path):
    # Plain steps of this size on a linear model overflow within a few batches.
    recipe = kzoo.recipe_for("mlp", "digits").override(
        model={"activation": "linear", "batch_norm": False, "hidden_dims": [16, 16]},
        optimizer={"name": "sgd", "learning_rate": 1e18},
        schedule={"name": "constant", "warmup_epochs": 0.0},
        smoke=True,
        epochs=3,
    )
    with pytest.raises(Diverged, match=r"NaN or infinite in epoch 1.*\n.*--optimizer.learning_rate"):
        run(recipe, out=tmp_path / "nan", verbose=0)
    assert not (tmp_path / "nan" / "last.keras").exists()


def test_an_existing_run_is_never_overwritten(finished, tiny):
    with pytest.raises(RecipeError, match="--resume"):
        run(tiny, out=finished.folder)


def test_a_damaged_checkpoint_is_refused(finished, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(finished.folder, folder)
    (folder / "metrics.json").unlink()
    whole = (folder / "last.keras").read_bytes()
    (folder / "last.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KzooError, match=r"last\.keras is damaged"):
        run(resume=folder)
    (folder / "best.keras").write_bytes(b"no archive")
    with pytest.raises(KzooError, match=r"best\.keras is damaged"):
        kzoo.load_model(folder)


def test_the_callers_dtype_policy_is_left_alone(tiny, tmp_path):
    run(tiny.override(precision="mixed_bfloat16", epochs=1), out=tmp_path / "half", verbose=0)
    assert keras.config.dtype_policy().name == "float32"
    loaded = kzoo.load_model(tmp_path / "half")
    assert loaded.dtype_policy.name == "mixed_bfloat16"
    assert {layer.compute_dtype for layer in loaded.layers[1:]} == {"bfloat16"}


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": {"name": "step", "step_epochs": 1, "factor": 0.5}},
        {"schedule": {"name": "plateau", "patience": 1, "warmup_epochs": 0.0}},
        {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
        {"optimizer": {"name": "adamw"}, "regularisation": {"weight_decay": 0.01}},
        {"optimizer": {"name": "rmsprop", "rho": 0.8}, "clipping": {"global_norm": 1.0}},
        {"regularisation": {"l1": 1e-4, "l2": 1e-4, "label_smoothing": 0.1}},
        {"early_stopping": {"patience": 1}, "monitor": "val_loss"},
        {"data": {"normalise": "standard"}, "random": "native"},
    ],
    ids=lambda change: "-".join(change),
)
def test_every_option_trains_and_matters(change, tiny, finished, tmp_path):
    result = run(tiny.override(**change), out=tmp_path / "option", verbose=0)
    assert np.isfinite(result.metrics["test_loss"])
    # Early stopping and plateau have nothing to change in two epochs.
    waits = "early_stopping" in change or change.get("schedule", {}).get("name") == "plateau"
    if not waits:
        assert not _same(_weights(result.model), _weights(finished.model))


def test_evaluation_is_the_cross_entropy_in_nats():
    class Fixed:
        def predict(self, x, **_):
            return np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])) + 5.0

    figures, probabilities = evaluate(Fixed(), None, np.array([0, 1]))
    assert figures["loss"] == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    assert figures["accuracy"] == 0.5
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0)
