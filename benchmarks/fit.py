"""Throughput of kzoo's training beside a bare `fit` of the same layers in plain Keras, in one run.

    KERAS_BACKEND=jax python benchmarks/fit.py --model cnn --data mnist

Both train on the same arrays with the recipe's batch size, in turns of one short epoch each; the figure is the
median over the turns of bare seconds / kzoo seconds, so above 1 means that kzoo is faster. kzoo trains as
`kzoo train` does, with its own batches, layers, portable dropout and per-epoch checkpoints; the bare model is built
from keras.layers alone and gets `fit(x, y, shuffle=True)`. A third column adds the recipe's augmentation, which the
bare model does not have.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import kzoo
from kzoo import registry
from kzoo.training import checkpoints
from kzoo.training.batches import Batches
from kzoo.training.evaluation import load_for
from kzoo.training.run import build


def bare_twin(model):
    """The same graph from Keras's own layers, with the same initial weights."""

    def plain(layer):
        config = layer.get_config()
        config.pop("portable", None)
        own = type(layer).__module__.startswith("kzoo")
        cls = getattr(keras.layers, type(layer).__name__) if own else type(layer)
        return cls.from_config(config)

    x = inputs = keras.Input(model.input_shape[1:])
    for layer in model.layers[1:]:
        x = plain(layer)(x)
    twin = keras.Model(inputs, x)
    twin.set_weights(model.get_weights())
    return twin


class Checkpoint(keras.callbacks.Callback):
    """What a run writes at the end of each epoch."""

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def on_epoch_end(self, epoch, logs=None):
        """Writes as a run does."""
        checkpoints.save(self.folder / "last.keras", self.model, {"epoch": epoch})


def _timed(function) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="cnn", choices=registry.list_models())
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--steps", type=int, default=60, help="steps of an epoch (default 60)")
    parser.add_argument("--turns", type=int, default=5, help="timed epochs of each (default 5)")
    parser.add_argument("--out", help="a JSON file")
    given = parser.parse_args()

    recipe = kzoo.recipe_for(given.model, given.data)
    data = load_for(recipe)
    count = min(given.steps * recipe.batch_size, len(data.x_train))
    x, y = data.x_train[:count], data.y_train[:count]
    batches = Batches(x, y, recipe.batch_size, recipe.seed)
    augmented = Batches(x, y, recipe.batch_size, recipe.seed, recipe.data.augment)
    model = build(recipe, data, batches.num_batches)
    twin = bare_twin(model)
    twin.compile(
        keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer)),
        model.classification_loss(recipe.regularisation.label_smoothing),
        metrics=["accuracy"],
    )
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"verbose": 0, "callbacks": [Checkpoint(folder)]}
        ways = {
            "bare Keras": lambda: twin.fit(x, y, batch_size=recipe.batch_size, verbose=0),
            "kzoo": lambda: model.fit(batches, shuffle=False, **quiet),
            "kzoo, augmented": lambda: model.fit(augmented, shuffle=False, **quiet),
        }
        for way in ways.values():
            way()  # compiles
        seconds = {name: [] for name in ways}
        for turn in range(given.turns):
            order = list(ways) if turn % 2 == 0 else list(ways)[::-1]
            for name in order:
                seconds[name].append(_timed(ways[name]))

    result = {
        "backend": kzoo.backend.name(),
        "model": given.model,
        "data": given.data,
        "steps": batches.num_batches,
        "batch_size": recipe.batch_size,
        "cores": os.cpu_count(),
        "ways": {},
    }
    print(f"{given.model} on {given.data}, {result['backend']}: {batches.num_batches} steps of {recipe.batch_size}")
    print(f"{'':18}{'ms a step':>12}{'CPU ms':>10}{'wall ratio':>12}{'CPU ratio':>12}")
    base = np.array(seconds["bare Keras"])
    for name, timings in seconds.items():
        timings = np.array(timings)
        wall, cpu = (statistics.median(base[:, i] / timings[:, i]) for i in (0, 1))
        step, cpu_step = np.median(timings, axis=0) / batches.num_batches * 1000
        print(f"{name:18}{step:12.2f}{cpu_step:10.2f}{wall:12.2f}{cpu:12.2f}")
        result["ways"][name] = {
            "ms_per_step": round(step, 3),
            "cpu_ms_per_step": round(cpu_step, 3),
            "wall_ratio": round(wall, 3),
            "cpu_ratio": round(cpu, 3),
        }
    if given.out:
        Path(given.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
