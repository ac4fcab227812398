"""Tasks on the backend of KERAS_BACKEND, in a process of its own: python worker.py TASK FOLDER...

One process does all of a backend's tasks of one kind, since loading the backend takes longer than most of them.
Each folder holds a recipe.json; what a task leaves beside it bears the backend's name.

    first     in each folder: the initial weights, the figures of 100 training steps, after 10 of them a checkpoint,
              its weights and what it answers, and after 100 the images that it makes, where it makes any; of a recipe
              that says smoke, a whole run of `kzoo.training.run`
    continue  in each folder: from the checkpoint of every backend on, the weights, what it answers, and the figures of
              20 more steps
"""

import sys
from pathlib import Path

import kzoo  # isort: skip

import keras
import numpy as np

from kzoo.data import load_data
from kzoo.recipe import Recipe
from kzoo.sampling import diffusion
from kzoo.training import checkpoints, run
from kzoo.training.batches import Batches
from kzoo.training.build import build

NAME = kzoo.backend.name()


def _steps(model, batches, count: int, start: int = 0) -> list[list[float]]:
    """The loss of each step and, of a model that trains in phases, whatever else it reports."""
    found = []
    for step in range(start, start + count):
        batches.epoch, index = divmod(step, batches.num_batches)
        model.reset_metrics()
        logs = model.train_on_batch(*batches[index], return_dict=True)
        found.append([float(logs["loss"]), *(float(logs[key]) for key in sorted(logs) if key != "loss")])
    return found


def _answers(model, data):
    """What a model says of images, or those that it makes."""
    return model.probe() if model.task == "generation" else model.predict(data.x_test[:64], verbose=0)


def _weights(model) -> dict:
    """All of the model and of its optimizers, which know no names that all backends share."""
    held = {"w": model.weights, "o": model.optimizer.variables}
    return {f"{kind}{i:03d}": keras.ops.convert_to_numpy(w) for kind, all_ in held.items() for i, w in enumerate(all_)}


def _images(model) -> dict:
    """Images of several kinds, one seed each."""
    if model.task != "generation":
        return {}
    found = {"images": model.probe()}
    if hasattr(model, "schedule"):
        labels = np.arange(10)
        found["images_ddpm"] = diffusion.sample(model, 10, labels, sampler="ddpm", steps=100)
        found["images_led"] = diffusion.sample(model, 10, labels, sampler="dpm_solver", steps=20, guidance_scale=2)
    return found


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
    figures = _steps(model, batches, 10)
    checkpoints.save(folder / f"{NAME}.keras", model, {})
    np.savez(folder / f"{NAME}-saved.npz", answers=_answers(model, data), **_weights(model))
    figures += _steps(model, batches, 90, start=10)
    np.savez(folder / f"{NAME}-first.npz", figures=figures, **initial, **_images(model))


def _continue(folder: Path, recipe: Recipe) -> None:
    data, batches, model = _prepare(recipe)
    for origin in kzoo.backend.NAMES:
        source = folder / f"{origin}.keras"
        # As a user loads it, and as a resumed run does: weights, optimizer and seed generators.
        answers = _answers(kzoo.load_model(source), data)
        checkpoints.load_into(source, model)
        loaded = _weights(model)
        figures = _steps(model, batches, 20, start=10)
        np.savez(folder / f"{origin}-{NAME}.npz", answers=answers, figures=figures, **loaded)


TASKS = {"first": _first, "continue": _continue}
for folder in map(Path, sys.argv[2:]):
    TASKS[sys.argv[1]](folder, Recipe.from_json((folder / "recipe.json").read_text()))
