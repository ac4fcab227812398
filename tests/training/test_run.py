"""A run folder: what is in it, and that it can be loaded, continued and trusted."""

import csv
import dataclasses
import functools
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
from kzoo.training import checkpoints, run
from kzoo.training.batches import Batches, FollowEpoch
from kzoo.training.build import build
from kzoo.training.evaluation import evaluate, load_for
from kzoo.training.measure import measure
from kzoo.training.run import Diverged

# A network that trains in no time, plain enough that what validation sees changes with its weights alone.
PLAIN = kzoo.recipe_for("mlp", "digits").override(
    model={"hidden_dims": [8], "dropout": 0.2, "batch_norm": False},
    data={"shift": 0.0, "rotate": 0.0, "scale": 0.0},
    schedule={"name": "constant", "warmup_epochs": 0.0},
    smoke=True,
    epochs=2,
    seed=5,
)


def _weights(model):
    return [weight.numpy() for weight in model.weights]


def _same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _rows(folder):
    """metrics.csv, a dict of numbers an epoch, without the seconds, which no two runs share."""
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    return [{key: float(value) for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_run_folder_holds_all_that_it_promises(finished, tiny, backend):
    folder = finished.folder
    assert Recipe.from_json((folder / "recipe.json").read_text()) == tiny
    env = json.loads((folder / "env.json").read_text())
    assert env["backend"] == backend
    assert env["seed"] == tiny.seed
    assert {"kzoo", "keras", "numpy", backend} <= set(env["versions"])
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
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
    rows = list(csv.DictReader((finished.folder / "metrics.csv").read_text().splitlines()))
    assert finished.metrics["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    assert measure(finished.folder)["accuracy"] == finished.metrics["test_accuracy"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_gives_others(finished, tiny, tmp_path):
    again = run(tiny, out=tmp_path / "again", verbose=0)
    assert _same(_weights(again.model), _weights(finished.model))
    other = run(tiny.override(seed=4, epochs=1), out=tmp_path / "other", verbose=0)
    assert not _same(_weights(other.model), _weights(finished.model))


def _interrupt(folder, recipe, monkeypatch, *, after: int, resume=False):
    """A run that dies when `after` epochs are saved and the next one begins."""

    def die(self, epoch, logs=None):
        self.batches.epoch = epoch
        if epoch == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FollowEpoch, "on_epoch_begin", die)
        with pytest.raises(KeyboardInterrupt):
            run(**{"resume": folder} if resume else {"recipe": recipe, "out": folder}, verbose=0)


def test_a_resumed_run_ends_with_exactly_the_weights_of_an_uninterrupted_one(finished, tiny, tmp_path, monkeypatch):
    _interrupt(tmp_path / "cut", tiny, monkeypatch, after=1)
    resumed = run(resume=tmp_path / "cut", verbose=0)
    assert _same(_weights(resumed.model), _weights(finished.model))
    with zipfile.ZipFile(tmp_path / "cut" / "last.keras") as archive:
        seeds = json.loads(archive.read("kzoo_state.json"))["seeds"]
    with zipfile.ZipFile(finished.folder / "last.keras") as archive:
        assert seeds == json.loads(archive.read("kzoo_state.json"))["seeds"]
    assert seeds, "the recipe has dropout, so there are seed generators to save"
    assert all(draws > 0 for _, draws in seeds)


def test_a_resumed_run_still_counts_the_epochs_without_progress(tmp_path, monkeypatch):
    # At this rate weights move, and a handful of validation samples keep their classes.
    recipe = PLAIN.override(
        optimizer={"learning_rate": 1e-5},
        schedule={"name": "plateau", "factor": 0.5, "patience": 2},
        early_stopping={"patience": 4},
        monitor="val_accuracy",
        epochs=9,
    )
    whole = run(recipe, out=tmp_path / "whole", verbose=0)
    # The first epoch is progress; two without it halve the rate, and four end the run.
    assert whole.metrics["epochs"] == 5
    rates = [row["learning_rate"] for row in _rows(whole.folder)]
    assert sorted({round(rate / 1e-5, 3) for rate in rates}) in ([0.5, 1.0], [0.25, 0.5, 1.0])

    _interrupt(tmp_path / "cut", recipe, monkeypatch, after=2)
    counters = checkpoints.read_state(tmp_path / "cut" / "last.keras")["callbacks"]
    assert [counter["wait"] for counter in counters] == [1, 1]
    resumed = run(resume=tmp_path / "cut", verbose=0)
    assert _rows(resumed.folder) == _rows(whole.folder)
    assert resumed.metrics["epochs"] == 5
    for name in ("best.keras", "last.keras"):
        first, second = (kzoo.load_model(folder / name) for folder in (whole.folder, resumed.folder))
        assert _same(_weights(first), _weights(second)), name
        assert _same(
            [keras.ops.convert_to_numpy(value) for value in first.optimizer.variables],
            [keras.ops.convert_to_numpy(value) for value in second.optimizer.variables],
        ), name


def test_a_run_killed_before_its_first_epoch_is_done_starts_again(finished, tiny, tmp_path):
    folder = tmp_path / "early"
    folder.mkdir()
    shutil.copy(finished.folder / "recipe.json", folder)
    resumed = run(resume=folder, verbose=0)
    assert _same(_weights(resumed.model), _weights(finished.model))


def test_a_kill_between_the_checkpoint_and_the_best_weights_loses_neither(tmp_path, monkeypatch):
    folder = tmp_path / "cut"
    _interrupt(folder, PLAIN, monkeypatch, after=1)
    (folder / "best.keras").write_bytes(b"of an epoch before")  # the first epoch is the best so far
    lines = (folder / "metrics.csv").read_text()
    (folder / "metrics.csv").unlink()
    _interrupt(folder, PLAIN, monkeypatch, after=1, resume=True)
    last, best = (kzoo.load_model(folder / name) for name in ("last.keras", "best.keras"))
    assert _same(_weights(last), _weights(best))
    assert (folder / "metrics.csv").read_text() == lines


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
    first = list(csv.DictReader((finished.folder / "metrics.csv").read_text().splitlines()))
    second = list(csv.DictReader((other.folder / "metrics.csv").read_text().splitlines()))
    assert [row["loss"] for row in first] == [row["loss"] for row in second]
    assert [row["val_loss"] for row in first] != [row["val_loss"] for row in second]


def test_a_loss_that_is_no_number_from_the_start_leaves_no_weights(tmp_path):
    # Plain steps of this size on a linear model overflow within a few batches.
    recipe = kzoo.recipe_for("mlp", "digits").override(
        model={"activation": "linear", "batch_norm": False, "hidden_dims": [16, 16]},
        optimizer={"name": "sgd", "learning_rate": 1e18},
        schedule={"name": "constant", "warmup_epochs": 0.0},
        smoke=True,
        epochs=3,
    )
    with pytest.raises(Diverged, match=r"NaN or infinite in epoch 1(.|\n)*--optimizer\.learning_rate"):
        run(recipe, out=tmp_path / "nan", verbose=0)
    assert not (tmp_path / "nan" / "last.keras").exists()


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_run_that_diverges_later_keeps_the_last_good_weights(part, tmp_path, monkeypatch):
    # Linear, since TensorFlow's relu takes a nan for 0.
    linear = PLAIN.override(model={"activation": "linear"})
    good = run(linear.override(epochs=1), out=tmp_path / "good", verbose=0)
    get, reached = Batches.__getitem__, []

    def poisoned(self, index):
        x, y = get(self, index)
        if self.shuffle:  # batches of training; those of validation follow on the epoch that these have reached
            reached.append(self.epoch)
        bad = reached[-1:] == [1] and self.shuffle == (part == "training")
        return (x * np.float32("nan") if bad else x), y

    monkeypatch.setattr(Batches, "__getitem__", poisoned)
    with pytest.raises(Diverged, match=r"in epoch 2.*\n?.*weights of epoch 1 are kept"):
        run(linear.override(epochs=3), out=tmp_path / "nan", verbose=0)
    assert [row["epoch"] for row in _rows(tmp_path / "nan")] == [1]
    for name in ("best.keras", "last.keras"):
        assert checkpoints.read_state(tmp_path / "nan" / name)["epoch"] == 1
        kept = _weights(kzoo.load_model(tmp_path / "nan" / name))
        assert all(np.isfinite(weight).all() for weight in kept)
        assert _same(kept, _weights(kzoo.load_model(good.folder / name)))
    assert not (tmp_path / "nan" / "metrics.json").exists()


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


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_the_callers_dtype_policy_is_left_alone(precision, tmp_path):
    result = run(PLAIN.override(precision=precision, epochs=1), out=tmp_path / "half", verbose=0)
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(result.metrics["test_loss"])
    loaded = kzoo.load_model(tmp_path / "half")
    assert loaded.dtype_policy.name == precision
    assert {layer.compute_dtype for layer in loaded.layers[1:]} == {precision.removeprefix("mixed_")}
    assert {weight.dtype for weight in loaded.trainable_variables} == {"float32"}


@functools.cache
def _trained(text: str):
    """The weights after two epochs of two batches of a recipe, given as JSON; the first batches of a run."""
    recipe = Recipe.from_json(text)
    data = load_for(recipe)
    count = 2 * recipe.batch_size
    batches = Batches(data.x_train[:count], data.y_train[:count], recipe.batch_size, recipe.seed, recipe.data.augment)
    model = build(recipe, data, batches.num_batches)
    model.run_eagerly = True  # compiling would take longer than the four steps
    for step in range(4):
        batches.epoch, index = divmod(step, 2)
        model.train_on_batch(*batches[index])
    return _weights(model)


SGD = {"optimizer": {"name": "sgd", "learning_rate": 0.5}}
MOMENTUM = {"optimizer": {"name": "sgd", "learning_rate": 0.5, "momentum": 0.9}}
STEP = {"schedule": {"name": "step", "step_epochs": 1, "factor": 0.5}}
COSINE = {"schedule": {"name": "cosine"}}


@pytest.mark.parametrize(
    ("base", "section", "option", "value"),
    [
        ({}, "optimizer", "name", "sgd"),
        ({}, "optimizer", "name", "nadam"),
        ({}, "optimizer", "name", "rmsprop"),
        ({}, "optimizer", "name", "adagrad"),
        ({}, "optimizer", "name", "adadelta"),
        ({}, "optimizer", "name", "lion"),
        ({}, "optimizer", "learning_rate", 2e-2),
        (SGD, "optimizer", "momentum", 0.5),
        (MOMENTUM, "optimizer", "nesterov", True),
        ({"optimizer": {"name": "rmsprop"}}, "optimizer", "momentum", 0.5),
        ({"optimizer": {"name": "rmsprop"}}, "optimizer", "rho", 0.5),
        ({"optimizer": {"name": "adadelta", "learning_rate": 1.0}}, "optimizer", "rho", 0.5),
        ({}, "optimizer", "beta_1", 0.5),
        ({}, "optimizer", "beta_2", 0.5),
        ({}, "optimizer", "epsilon", 1e-2),
        (STEP, "schedule", "factor", 0.1),
        (STEP, "schedule", "step_epochs", 2),
        ({}, "schedule", "name", "step"),
        ({}, "schedule", "name", "cosine"),
        (COSINE, "schedule", "floor", 0.5),
        ({}, "schedule", "warmup_epochs", 1.0),
        ({}, "regularisation", "l1", 1e-2),
        ({}, "regularisation", "l2", 1e-2),
        ({}, "regularisation", "label_smoothing", 0.1),
        ({}, "regularisation", "weight_decay", 0.1),
        # AdamW without decay is Adam, so it is its decay that tells.
        ({"optimizer": {"name": "adamw"}}, "regularisation", "weight_decay", 0.1),
        (SGD, "clipping", "norm", 1e-2),
        (SGD, "clipping", "global_norm", 1e-2),
        (SGD, "clipping", "value", 1e-3),
        ({}, "data", "shift", 1.0),
        ({}, "data", "rotate", 20.0),
        ({}, "data", "scale", 0.2),
        ({}, "data", "flip", True),
        ({}, "data", "normalise", "standard"),
        ({}, "data", "validation_fraction", 0.5),
        ({}, None, "random", "native"),
        ({}, None, "batch_size", 16),
        ({}, None, "seed", 6),
    ],
)
def test_every_option_trains_and_matters(base, section, option, value):
    recipe = PLAIN.override(**({"schedule": {"step_epochs": 1}} | base))
    changed = recipe.override(**({section: {option: value}} if section else {option: value}))
    before, after = _trained(recipe.to_json()), _trained(changed.to_json())
    assert all(np.isfinite(weight).all() for weight in after)
    assert not _same(before, after)


def test_a_plateau_lowers_the_rate_down_to_its_floor(tmp_path):
    # A rate too small to move any weight: nothing ever improves after the first epoch.
    recipe = PLAIN.override(
        optimizer={"name": "sgd", "learning_rate": 1e-12},
        schedule={"name": "plateau", "patience": 1, "factor": 0.1, "floor": 0.05},
        monitor="val_loss",
        epochs=4,
    )
    rates = [row["learning_rate"] for row in _rows(run(recipe, out=tmp_path / "plateau", verbose=0).folder)]
    assert rates == sorted(rates, reverse=True)
    assert sorted({round(rate / 1e-12, 4) for rate in rates}) == [0.05, 0.1, 1.0]


def test_a_run_stops_early_when_progress_is_less_than_asked(tmp_path):
    recipe = PLAIN.override(early_stopping={"patience": 2, "min_delta": 100.0}, monitor="val_loss", epochs=9)
    result = run(recipe, out=tmp_path / "early", verbose=0)
    losses = [row["val_loss"] for row in _rows(result.folder)]
    assert len(losses) == result.metrics["epochs"] == 3
    assert losses[2] < losses[0], "it was not for want of any progress that it stopped"


def test_evaluation_is_the_cross_entropy_in_nats():
    class Fixed:
        def predict(self, x, **_):
            return np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])) + 5.0

    figures, probabilities = evaluate(Fixed(), None, np.array([0, 1]))
    assert figures["loss"] == pytest.approx(-(np.log(0.7) + np.log(0.1)) / 2)
    assert figures["accuracy"] == 0.5
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0)
