"""run(recipe): the one place that calls `fit`.

A run folder holds

    recipe.json, env.json     what was run, and where
    metrics.csv               a line an epoch
    best.keras, last.keras    weights and optimizer, and what a resume needs
    metrics.json              the final figures, written when the run has ended
    *.png                     learning curves, and what the task shows: a confusion matrix, predictions, ...
    samples/epoch_0001.png    of a model that makes images a grid of them each epoch, always from the same noise

Losses of training and validation are what is minimised, label smoothing and penalties included; `test_loss` is the
plain cross-entropy in nats.
"""

import csv
import io
import json
import math
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import keras

from kzoo import backend, plots
from kzoo.data import Dataset
from kzoo.errors import KzooError, RecipeError
from kzoo.files import copy, read_json, runs_in, write_json, write_text
from kzoo.recipe import Recipe
from kzoo.training import checkpoints, environment
from kzoo.training.batches import Batches, FollowEpoch
from kzoo.training.build import build
from kzoo.training.evaluation import evaluate, load_for, parameter_count
from kzoo.training.optimizers import learning_rate
from kzoo.training.tasks import better, check_fit


class Diverged(KzooError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class RunResult:
    """What a run leaves.

    Attributes:
        folder: The run folder.
        metrics: The content of metrics.json.
        model: The model with its best weights.
    """

    folder: Path
    metrics: dict
    model: keras.Model


def run(
    recipe: Recipe | None = None, *, out=None, resume=None, verbose: int | None = None, announce=None, callbacks=()
) -> RunResult:
    """Trains a recipe into a run folder, or continues an interrupted run.

    Args:
        recipe: What to run; None when resuming, where the folder's own recipe holds.
        out: The run folder, new or empty; by default the next free `runs/MODEL-DATA-BACKEND-N`.
        resume: A run folder to continue after its last finished epoch. On the CPU and the backend that began
            it, the final weights are exactly those of an uninterrupted run.
        verbose: Keras's 0, 1 (progress bar) or 2 (a line an epoch); by default 1 on a terminal, else 2.
        announce: Called with the run folder once it exists, before training begins.
        callbacks: More Keras callbacks; at the end of an epoch they are asked after its checkpoint is written.

    Raises:
        RecipeError: if the recipe asks for what its model, data or optimizer cannot do.
        DatasetUnavailable: if the data set is not here and cannot be downloaded.
        Diverged: if the loss becomes NaN or infinite; the last good weights stay in the folder.
    """
    if (recipe is None) == (resume is None):
        raise ValueError("run takes a recipe, or resume=FOLDER, and not both.")
    if resume is not None:
        folder, recipe = _open_run(resume)
        if (folder / "metrics.json").is_file():
            return _finished(folder, recipe)
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2

    environment.keep_memory()
    policy = keras.config.dtype_policy()  # Keras keeps it per thread, and the caller's is not ours to change
    keras.config.set_dtype_policy(recipe.precision)
    try:
        check_fit(recipe)
        data = load_for(recipe)
        model = build(recipe, data, -(-len(data.y_train) // recipe.batch_size))
        augmentation = _augmentation(recipe, data)
        batches = Batches(data.x_train, data.y_train, recipe.batch_size, recipe.seed, augmentation, renew=data.renew)
        if resume is None:
            folder = _new_folder(recipe, out)
            write_text(folder / "recipe.json", recipe.to_json())
        _write_environment(folder, recipe.seed)
        if announce is not None:
            announce(folder)
        _fit(recipe, model, data, batches, folder, verbose, callbacks)
        return _conclude(recipe, model, data, folder)
    finally:
        keras.config.set_dtype_policy(policy)


def _write_environment(folder: Path, seed: int) -> None:
    """env.json of the process that began the run, with a line for each one that resumed it."""
    here = environment.describe(seed)
    try:
        began = json.loads((folder / "env.json").read_text(encoding="utf-8"))
    except OSError:
        write_json(folder / "env.json", here)  # a new run, or one that was killed before it wrote the file
        return
    again = {key: here[key] for key in ("started", "backend", "machine", "threads", "versions")}
    write_json(folder / "env.json", {**began, "resumed": [*began.get("resumed", []), again]})


class _Record(keras.callbacks.Callback):
    """Writes each epoch's figures and checkpoints, and stops a run whose loss is no number."""

    # Reading the loss waits for the device, so it is not read at every batch.
    _CHECK_EVERY = 50

    def __init__(self, recipe: Recipe, folder: Path, counted, state: dict, steps: int):
        super().__init__()
        self.recipe = recipe
        self.steps = steps
        self.schedule = learning_rate(recipe, steps)
        self.task = check_fit(recipe)
        self.folder = folder
        self.counted = counted
        self.history = state.get("history", [])
        self.best = state.get("best")
        self.diverged = None
        self._began = self._rate = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()
        # In the middle of the epoch: a warm-up begins at 0, and a cosine's last step ends there.
        rate = self.schedule
        if callable(rate):
            rate = rate((epoch + 0.5) * self.steps - 0.5)
        elif self.recipe.schedule.name == "plateau":
            rate = self.model.optimizer.learning_rate
        self._rate = float(keras.ops.convert_to_numpy(rate))

    def on_train_batch_end(self, batch, logs=None):
        if batch % self._CHECK_EVERY == 0 and not math.isfinite(float(logs["loss"])):
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        logs = {key: float(value) for key, value in logs.items()}
        logs.pop("learning_rate", None)  # the plateau callback adds the rate of the next epoch
        # The last step may ruin the weights and leave the mean loss finite: validation then shows it.
        if not all(map(math.isfinite, logs.values())):
            self.diverged = epoch + 1
            self.model.stop_training = True
            return
        seconds = round(time.perf_counter() - self._began, 3)
        self.history.append({"epoch": epoch + 1, **logs, "learning_rate": self._rate, "seconds": seconds})
        if better(self.task, self.recipe, {"epoch": epoch + 1, **logs}, self.best):
            self.best = {"epoch": epoch + 1, **logs}
        state = {
            "epoch": epoch + 1,
            "history": self.history,
            "best": self.best,
            "callbacks": checkpoints.callback_state(self.counted),
            "stopped": bool(self.model.stop_training),
        }
        # The checkpoint commits the epoch; everything else can be written again from it.
        checkpoints.save(self.folder / "last.keras", self.model, state)
        self.write_rest()

    def write_rest(self):
        """Writes what follows from last.keras: best.keras, if it is the same epoch's, and metrics.csv."""
        if self.best["epoch"] == self.history[-1]["epoch"]:
            copy(self.folder / "last.keras", self.folder / "best.keras")
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_text(self.folder / "metrics.csv", text.getvalue())


class _Samples(keras.callbacks.Callback):
    """Draws what a model makes after each epoch, once the epoch is in its checkpoint."""

    def __init__(self, task, folder: Path, data: Dataset, title: str):
        super().__init__()
        self.task = task
        self.folder = folder / "samples"
        self.data = data
        self.title = title

    def on_epoch_end(self, epoch, logs=None):
        if not all(math.isfinite(float(value)) for value in logs.values()):
            return
        self.folder.mkdir(exist_ok=True)
        made = self.task.samples(self.model)
        made = self.task.pictures(self.model, self.data, made, f"{self.title}, epoch {epoch + 1}")
        plots.save_png(made["samples"], self.folder / f"epoch_{epoch + 1:04}.png")


def _title(recipe: Recipe) -> str:
    return f"{recipe.model.name} on {recipe.data.name} ({backend.name()}, seed {recipe.seed})"


def _fit(recipe: Recipe, model, data: Dataset, batches: Batches, folder: Path, verbose: int, more=()) -> None:
    counted = []
    task = check_fit(recipe)
    monitor, mode = task.monitor(recipe)
    if recipe.schedule.name == "plateau":
        counted.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor,
                factor=recipe.schedule.factor,
                patience=recipe.schedule.patience,
                min_lr=recipe.schedule.floor * recipe.optimizer.learning_rate,
                mode=mode,
            )
        )
    if recipe.early_stopping.patience is not None:
        if monitor == "epoch":
            raise RecipeError(
                "early_stopping.patience: the recipe's monitor is epoch, which always makes progress; set "
                "early_stopping.patience to null, or monitor to val_loss."
            )
        counted.append(
            keras.callbacks.EarlyStopping(
                monitor,
                patience=recipe.early_stopping.patience,
                min_delta=recipe.early_stopping.min_delta,
                mode=mode,
            )
        )
    state = {}
    if (folder / "last.keras").is_file():
        state = checkpoints.load_into(folder / "last.keras", model)
        if len(state["callbacks"]) != len(counted):
            raise KzooError(
                f"{folder / 'recipe.json'} was changed: its schedule or early stopping is not that of last.keras "
                "beside it.\nPut the recipe of the run back; or train the changed one from the start:\n"
                f"    kzoo train --config {shlex.quote(str(folder / 'recipe.json'))}"
            )
    record = _Record(recipe, folder, counted, state, batches.num_batches)
    if record.history:
        record.write_rest()  # a kill may have come between the checkpoint and the other files
    if state.get("stopped") or state.get("epoch", 0) >= recipe.epochs:
        return
    samples = [_Samples(task, folder, data, _title(recipe))] if task.name == "generation" else []
    callbacks = [FollowEpoch(batches), *counted, record, *samples, *more]
    if state:
        callbacks.append(checkpoints.RestoreCallbacks(counted, state["callbacks"]))
    model.fit(
        batches,
        validation_data=Batches(data.x_val, data.y_val, max(recipe.batch_size, 256), recipe.seed, shuffle=False),
        epochs=recipe.epochs,
        initial_epoch=state.get("epoch", 0),
        shuffle=False,  # the batches bring their own order
        callbacks=callbacks,
        verbose=verbose,
    )
    if record.diverged is not None:
        kept = record.history[-1]["epoch"] if record.history else 0
        kept = f"The weights of epoch {kept} are kept in {folder}" if kept else "No epoch was finished"
        raise Diverged(
            f"The loss became NaN or infinite in epoch {record.diverged}, and the run was stopped. {kept}.\n"
            f"Try a lower rate than {recipe.optimizer.learning_rate}, or clipped gradients, for example:\n"
            f"    --optimizer.learning_rate {recipe.optimizer.learning_rate / 10:g}    --clipping.global_norm 1"
        )


def _conclude(recipe: Recipe, model, data: Dataset, folder: Path) -> RunResult:
    """Measures the best weights on the test part, and writes metrics.json and the figures."""
    state = checkpoints.read_state(folder / "last.keras")
    history, best = state["history"], state["best"]
    model.load_weights(folder / "best.keras")
    task = check_fit(recipe)
    test, outputs = evaluate(model, data.x_test, data.y_test)
    metrics = {
        **{f"test_{key}": value for key, value in test.items()},
        **{key: value for key, value in best.items() if key.startswith("val_")},
        "best_epoch": best["epoch"],
        "epochs": history[-1]["epoch"],
        "seconds": round(sum(line["seconds"] for line in history), 1),
        "parameters": parameter_count(model),
        "test_samples": len(data.y_test),
    }
    title = _title(recipe)
    columns = {key: [line[key] for line in history] for key in history[0] if key not in ("epoch", "seconds")}
    pictures = {"learning_curves": plots.learning_curves(columns, title=title, saved_epoch=best["epoch"])}
    pictures |= task.pictures(model, data, outputs, title)
    for stem, figure in pictures.items():
        plots.save_png(figure, folder / f"{stem}.png")
    write_json(folder / "metrics.json", metrics)  # last: its presence says that the run has ended
    return RunResult(folder, metrics, model)


def _augmentation(recipe: Recipe, data: Dataset) -> dict:
    wanted = {key: value for key, value in recipe.data.augment.items() if value}
    if wanted and data.kind != "image":
        raise RecipeError(
            f"data.{next(iter(wanted))}: {data.name} holds no images, and nothing else can be augmented; set it to 0."
        )
    return wanted


def _new_folder(recipe: Recipe, out) -> Path:
    if out is not None:
        folder = Path(out)
        if folder.exists() and not folder.is_dir():
            raise RecipeError(f"--out: {folder} is a file; name a folder that does not exist yet, such as runs/mine.")
        if folder.is_dir() and any(not found.name.startswith(".writing-") for found in folder.iterdir()):
            here = f"--out: {folder} exists and is not empty."
            if not (folder / "recipe.json").is_file():
                raise RecipeError(f"{here} Name a folder that does not exist yet, such as runs/mine.")
            command = f"kzoo train --resume {shlex.quote(str(folder))}"
            raise RecipeError(f"{here} To continue the run in it, type:\n    {command}\nor name another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    number = 1
    while True:
        folder = Path("runs") / f"{recipe.model.name}-{recipe.data.name}-{backend.name()}-{number}"
        try:
            folder.mkdir(parents=True)  # fails where another run has just taken the number
            return folder
        except FileExistsError:
            number += 1


def _open_run(path) -> tuple[Path, Recipe]:
    folder = Path(path)
    if not (folder / "recipe.json").is_file():
        runs = [str(run) for run in runs_in("runs")]
        here = f" Runs here: {', '.join(runs[:20])}." if runs else " There are no runs in ./runs."
        raise RecipeError(f"--resume: {folder} is no run folder: it holds no recipe.json.{here}")
    for half in folder.glob(".writing-*"):
        half.unlink(missing_ok=True)  # what a kill left of a file that it interrupted
    return folder, Recipe.from_json((folder / "recipe.json").read_text(encoding="utf-8"))


def _finished(folder: Path, recipe: Recipe) -> RunResult:
    from kzoo.models.preset import load_model

    remedy = "Delete it and give the same command again: the run then measures its weights anew."
    figures = [f"test_{key}" for key in check_fit(recipe).figures]
    metrics = read_json(folder / "metrics.json", remedy, (*figures, "best_epoch", "epochs"))
    return RunResult(folder, metrics, load_model(folder))
