"""What portable dropout costs: the time of a training step with it, over that with Keras's own dropout.

    KERAS_BACKEND=jax python benchmarks/dropout.py --out dropout.json

Both models of a pair are trained in turns in one process, and the figure is the median of the ratios of
neighbouring turns: whatever else the machine does falls on both. On a busy machine read the ratio of
processor time, which counts all threads of this process and not the waiting for others; on torch with
OMP_NUM_THREADS=1, since idle threads of OpenMP spin.
"""

import argparse
import json
import os
import platform
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers

from kzoo.layers.dropout import Dropout

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


def seconds(model, images, labels, steps):
    """The time of one step and its processor time, from `steps` of them in one epoch."""

    def batches():
        for _ in range(steps):
            yield images, labels

    start = time.perf_counter(), time.process_time()
    model.fit(batches(), steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
    return (time.perf_counter() - start[0]) / steps, (time.process_time() - start[1]) / steps


def compare(make, steps, turns):
    """The median time of a step of either kind and the median ratio, portable over native, by both clocks."""
    kinds = {"native": layers.Dropout, "portable": Dropout}
    models = {kind: compiled(make, dropout) for kind, dropout in kinds.items()}
    for arguments in models.values():
        seconds(*arguments, 3)
    times = {kind: [] for kind in kinds}
    for turn in range(turns):
        # Whoever goes first alternates, since the second finds warmer caches.
        for kind in sorted(kinds, reverse=turn % 2 == 1):
            times[kind].append(seconds(*models[kind], steps))
    figures = {}
    for i, clock in enumerate(("wall", "processor")):
        native, portable = ([turn[i] for turn in times[kind]] for kind in ("native", "portable"))
        low, ratio, high = statistics.quantiles((p / n for p, n in zip(portable, native, strict=True)), n=4)
        figures[clock] = {
            "native_ms": 1e3 * statistics.median(native),
            "portable_ms": 1e3 * statistics.median(portable),
            "ratio": ratio,
            "ratio_quartiles": [low, high],
            "within_limit": ratio <= LIMIT,
        }
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="write the figures here as JSON")
    parser.add_argument("--smoke", action="store_true", help="two short turns: that it runs, not a figure")
    parser.add_argument("--steps", type=int, default=10, help="steps in a turn")
    parser.add_argument("--turns", type=int, default=31, help="turns of each kind")
    options = parser.parse_args()
    steps, turns = (2, 2) if options.smoke else (options.steps, options.turns)

    figures = {make.__name__: compare(make, steps, turns) for make in (mlp, cnn)}
    print(f"{keras.backend.backend()}: a training step of {BATCH}, portable over native dropout")
    print(f"{'model':<6}{'clock':<11}{'native ms':>10}{'portable ms':>13}{'ratio':>8}  quartiles")
    for name, clocks in figures.items():
        for clock, row in clocks.items():
            low, high = row["ratio_quartiles"]
            verdict = "" if row["within_limit"] else f"  over the limit of {LIMIT}"
            print(
                f"{name:<6}{clock:<11}{row['native_ms']:>10.3f}{row['portable_ms']:>13.3f}{row['ratio']:>8.3f}"
                f"  {low:.3f} to {high:.3f}{verdict}"
            )
    if options.out:
        report = {
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "machine": platform.machine(),
            "batch": BATCH,
            "steps": steps,
            "turns": turns,
            "figures": figures,
        }
        with open(options.out, "w") as file:
            json.dump(report, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
