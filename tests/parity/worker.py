"""Tasks on the backend of KERAS_BACKEND, in a process of its own: python worker.py TASK FOLDER...

One process does all of a backend's tasks of one kind, since loading the backend takes longer than most of them.
Each folder holds a recipe.json; what a task leaves beside it bears the backend's name.

    first     in each folder: the initial weights, the losses of 100 training steps, and after 10 of them a
              checkpoint and its logits; of a recipe that says smoke, a whole run of `kzoo.training.run`
    continue  in each folder: from the checkpoint of every backend on, the logits and the losses of 20 more steps
"""

import sys
from pathlib import Path

import kzoo  # isort: skip

import keras
import numpy as np

from kzoo.data import load_data
from kzoo.recipe import Recipe
from kzoo.training import checkpoints, run
from kzoo.training.batches import Batches
from kzoo.training.build import build

NAME = kzoo.backend.name()


def _steps(model, batches, count: int, start: int = 0) -> list[float]:
    losses = []
    for step in range(start, start + count):
        batches.epoch, index = divmod(step, batches.num_batches)
        model.reset_metrics()
        losses.append(float(model.train_on_batch(*batches[index], return_dict=True)["loss"]))
    return losses


def _prepare(recipe: Recipe):
    data = load_data(recipe.data.name, seed=recipe.seed)
    batches = Batches(data.x_train, data.y_train, recipe.batch_size, recipe.seed, recipe.data.augment)
    return data, batches, build(recipe, data, batches.num_batches)


def _first(folder: Path, recipe: Recipe) -> None:
    if recipe.smoke:
        run(recipe, out=folder / f"{NAME}-run", verbose=0)
        return
    data, batches, model = _prepare(recipe)
    initial = {f"w{i:03d}": keras.ops.convert_to_numpy(w) for i, w in enumerate(model.weights)}
    losses = _steps(model, batches, 10)
    checkpoints.save(folder / f"{NAME}.keras", model, {})
    logits = model.predict(data.x_test[:64], verbose=0)
    losses += _steps(model, batches, 90, start=10)
    np.savez(folder / f"{NAME}-first.npz", losses=losses, logits=logits, **initial)


def _continue(folder: Path, recipe: Recipe) -> None:
    data, batches, model = _prepare(recipe)
    for origin in kzoo.backend.NAMES:
        source = folder / f"{origin}.keras"
        # As a user loads it, and as a resumed run does: weights, optimizer and seed generators.
        logits = kzoo.load_model(source).predict(data.x_test[:64], verbose=0)
        checkpoints.load_into(source, model)
        losses = _steps(model, batches, 20, start=10)
        iterations = int(model.optimizer.iterations)
        np.savez(folder / f"{origin}-{NAME}.npz", logits=logits, losses=losses, iterations=iterations)


TASKS = {"first": _first, "continue": _continue}
for folder in map(Path, sys.argv[2:]):
    TASKS[sys.argv[1]](folder, Recipe.from_json((folder / "recipe.json").read_text()))
