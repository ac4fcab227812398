"""Throughput of kzoo's training beside a bare `fit` of the same layers in plain Keras, in one run.

    KERAS_BACKEND=jax python benchmarks/fit.py [--model cnn] [--data mnist] [--smoke] [--out FILE]

Both train on the same arrays with the recipe's batch size, in turns of one short epoch each; a ratio is bare time /
kzoo time, so above 1 means that kzoo is faster. kzoo trains with the batches, layers, portable dropout and callbacks
of `kzoo train`, which write metrics and checkpoints each epoch; the bare model is built from keras.layers alone and
gets `fit(x, y, shuffle=True)`. Both validate on the same arrays. A third way adds the recipe's augmentation, which
the bare model does not have.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip

import tempfile
from pathlib import Path

import keras
import timing

from kzoo import registry
from kzoo.errors import DatasetUnavailable
from kzoo.training.batches import Batches, FollowEpoch
from kzoo.training.build import build
from kzoo.training.evaluation import load_for
from kzoo.training.run import _Record


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


def load(model, data):
    """The recipe and its data; without a name MNIST, or where that cannot be had, scikit-learn's digits."""
    for name in [data] if data else ["mnist", "digits"]:
        recipe = kzoo.recipe_for(model, name)
        try:
            return recipe, load_for(recipe)
        except DatasetUnavailable as error:
            if data or name == "digits":
                raise
            print(f"digits in place of mnist: {error}")
    raise AssertionError("the last name returns or raises")


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", default="cnn", choices=registry.list_models())
    parser.add_argument("--data", help="a data set (default mnist)")
    parser.add_argument("--steps", type=int, default=60, help="steps of an epoch (default 60)")
    parser.add_argument("--turns", type=int, default=5, help="timed epochs of each (default 5)")
    given = parser.parse_args(arguments)
    steps, turns = (2, 2) if given.smoke else (given.steps, given.turns)

    recipe, data = load(given.model, given.data or ("digits" if given.smoke else None))
    count = min(steps * recipe.batch_size, len(data.x_train))
    x, y = data.x_train[:count], data.y_train[:count]
    x_val, y_val = data.x_val[: count // 10], data.y_val[: count // 10]
    plain = Batches(x, y, recipe.batch_size, recipe.seed)
    augmented = Batches(x, y, recipe.batch_size, recipe.seed, recipe.data.augment)
    validation = Batches(x_val, y_val, max(recipe.batch_size, 256), recipe.seed, shuffle=False)
    model = build(recipe, data, plain.num_batches)
    twin = bare_twin(model)
    twin.compile(
        keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer)),
        model.training_loss(recipe.regularisation.label_smoothing),
        metrics=["accuracy"],
    )
    with tempfile.TemporaryDirectory() as folder:
        record = _Record(recipe, Path(folder), [], {}, plain.num_batches)

        def bare():
            twin.fit(
                x, y, batch_size=recipe.batch_size, validation_data=(x_val, y_val), validation_batch_size=256, verbose=0
            )

        def own(batches):
            callbacks = [FollowEpoch(batches), record]
            model.fit(batches, validation_data=validation, shuffle=False, callbacks=callbacks, verbose=0)

        ways = {"bare Keras": bare, "kzoo": lambda: own(plain), "kzoo, augmented": lambda: own(augmented)}
        rows = timing.in_turns(ways, turns, base="bare Keras", steps=plain.num_batches)

    timing.show(f"{given.model} on {data.name}, steps of {recipe.batch_size}", rows)
    timing.conclude(
        given,
        {
            "model": given.model,
            "data": data.name,
            "steps": plain.num_batches,
            "batch_size": recipe.batch_size,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
