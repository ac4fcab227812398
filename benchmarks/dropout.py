"""What portable dropout costs: a training step with Keras's own dropout beside one with kzoo's.

    KERAS_BACKEND=jax python benchmarks/dropout.py [--smoke] [--out FILE]

Ratios are native time over portable time; below 1 / 1.05 portable dropout costs more than the 5 % it may.
"""

# Before keras, so that kzoo's choice of the backend holds.
from kzoo.layers.dropout import Dropout  # isort: skip

import keras
import numpy as np
import timing
from keras import layers

BATCH = 128
LIMIT = 1.05


def mlp(dropout):
    """784-512-512-10: the masks are (128, 512), twice."""
    return (28, 28), [
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        dropout(0.5),
        layers.Dense(512, activation="relu"),
        dropout(0.5),
        layers.Dense(10),
    ]


def cnn(dropout):
    """Two convolutions of 16 and 64 channels: the masks are (128, 1024) and (128, 128)."""
    return (28, 28, 1), [
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        dropout(0.25),
        layers.Dense(128, activation="relu"),
        dropout(0.5),
        layers.Dense(10),
    ]


def compiled(make, dropout):
    """The model, and the images and labels of its batch."""
    keras.utils.set_random_seed(0)
    shape, stack = make(dropout)
    model = keras.Sequential([layers.Input(shape), *stack])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    generator = np.random.default_rng(0)
    images = generator.random((BATCH, *shape), dtype=np.float32)
    return model, images, generator.integers(0, 10, BATCH).astype("int32")


def epoch(model, images, labels, steps):
    """A function that trains `steps` steps on one batch."""

    def batches():
        for _ in range(steps):
            yield images, labels

    return lambda: model.fit(batches(), steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)


def main(arguments=None) -> None:
    """Measures, prints tables, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10, help="steps in a turn")
    parser.add_argument("--turns", type=int, default=31, help="turns of each kind")
    options = parser.parse_args(arguments)
    steps, turns = (2, 2) if options.smoke else (options.steps, options.turns)

    kinds = {"native": layers.Dropout, "portable": Dropout}
    figures = {}
    for make in (mlp, cnn):
        ways = {kind: epoch(*compiled(make, dropout), steps) for kind, dropout in kinds.items()}
        rows = figures[make.__name__] = timing.in_turns(ways, turns, base="native", steps=steps)
        cost = 1 / rows["portable"]["cpu_ratio"]
        rows["portable"] |= {"cpu_cost": round(cost, 4), "within_limit": cost <= LIMIT}
        timing.show(f"{make.__name__}, a step of {BATCH}", rows)
        print(f"  portable costs {cost:.3f} of native in processor time; the limit is {LIMIT}")
    timing.conclude(options, {"batch": BATCH, "steps": steps, "turns": turns, "figures": figures})


if __name__ == "__main__":
    main()
