"""One task on the backend of KERAS_BACKEND, in a process of its own: python worker.py TASK FILE_IN FILE_OUT.

steps       the losses of 100 training steps and the initial weights of a recipe
save        train a little, write a checkpoint and its logits
continue    load that checkpoint, write its logits, the losses of further steps and the weights after them
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kzoo
from kzoo.data import load_data
from kzoo.recipe import Recipe
from kzoo.training import checkpoints
from kzoo.training.batches import Batches
from kzoo.training.run import build


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


def _numbered(prefix, weights) -> dict:
    return {f"{prefix}{i:03d}": keras.ops.convert_to_numpy(w) for i, w in enumerate(weights)}


def main(task: str, source: str, target: str) -> None:
    """Runs one task and writes its arrays as .npz."""
    if task == "continue":
        x = np.load(source.replace(".keras", ".npz"))["x"]
        recipe = Recipe.from_json(Path(source.replace(".keras", ".json")).read_text())
        logits = kzoo.load_model(source).predict(x, verbose=0)
        _, batches, model = _prepare(recipe)
        checkpoints.load_into(source, model)
        losses = _steps(model, batches, 20, start=10)
        after = _numbered("w", model.trainable_variables)
        np.savez(target, logits=logits, losses=losses, iterations=int(model.optimizer.iterations), **after)
        return
    recipe = Recipe.from_json(Path(source).read_text())
    data, batches, model = _prepare(recipe)
    if task == "steps":
        initial = _numbered("w", model.weights)
        np.savez(target, losses=_steps(model, batches, 100), **initial)
    elif task == "save":
        _steps(model, batches, 10)
        checkpoints.save(target.replace(".npz", ".keras"), model, {})
        with open(target.replace(".npz", ".json"), "w") as file:
            file.write(recipe.to_json())
        x = data.x_test[:64]
        np.savez(target, x=x, logits=model.predict(x, verbose=0))
    else:
        raise SystemExit(f"no task {task!r}: {json.dumps(['steps', 'save', 'continue'])}")


main(*sys.argv[1:])
