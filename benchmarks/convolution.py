"""`kzoo.layers.convolution` beside bare `keras.layers`, in one run: single layers and `fit` of a whole model.

    KERAS_BACKEND=jax python -m benchmarks.convolution [--smoke] [--out FILE]

The two sides take turns and each figure is a median, so that other work on the machine weighs on both alike.
A ratio above 1 says that kzoo is the faster; the ratio of CPU seconds is the steadier one on a busy machine.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import keras
import numpy as np

from kzoo import backend
from kzoo.layers import convolution as kzoo_layers

SIDES = {"keras": keras.layers, "kzoo": kzoo_layers}
# Height and width, channels, filters: the four convolutions of a small MNIST network.
SHAPES = ((28, 1, 32), (26, 32, 32), (12, 32, 64), (10, 64, 64))


def timed(call):
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(calls, rounds):
    """Medians of each side and the ratios keras / kzoo; `calls` maps a side to a function of no arguments."""
    seconds = {side: [] for side in calls}
    for call in calls.values():
        call()
    for turn in range(rounds):
        # Who goes first alternates: the second finds the caches and the memory as the first left them.
        for side in sorted(calls, reverse=turn % 2 == 1):
            seconds[side].append(timed(calls[side]))
    row = {}
    for kind, index in (("wall", 0), ("cpu", 1)):
        medians = {side: statistics.median(pair[index] for pair in pairs) for side, pairs in seconds.items()}
        row |= {f"{side}_{kind}_s": value for side, value in medians.items()}
        row[f"{kind}_ratio"] = medians["keras"] / medians["kzoo"]
    return row


def layer_call(layer, images):
    """Forward and backward of one layer, compiled where the backend compiles; the first layer needs no dx."""
    tensor = keras.ops.convert_to_tensor(images)
    layer.build(images.shape)
    needs_input_gradient = images.shape[-1] > 1
    if keras.backend.backend() == "jax":
        import jax

        def loss(variables, x):
            return keras.ops.sum(layer.stateless_call(variables, [], x)[0] ** 2)

        gradient = jax.jit(jax.grad(loss, argnums=(0, 1) if needs_input_gradient else 0))
        values = [variable.value for variable in layer.trainable_variables]
        return lambda: jax.block_until_ready(gradient(values, tensor))
    if keras.backend.backend() == "torch":
        import torch

        tensor.requires_grad_(needs_input_gradient)
        targets = [variable.value for variable in layer.trainable_variables] + [tensor] * needs_input_gradient
        return lambda: torch.autograd.grad(torch.sum(layer(tensor) ** 2), targets)
    import tensorflow as tf

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            loss = tf.reduce_sum(layer(tensor) ** 2)
        targets = [variable.value for variable in layer.trainable_variables]
        return tape.gradient(loss, targets + [tensor] * needs_input_gradient)

    return lambda: [value.numpy() for value in gradient()]


def model(layers):
    """Four 3 x 3 convolutions with batch normalisation, two poolings; the same weights on both sides."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (32, 64):
        for _ in range(2):
            network.add(layers.Conv2D(filters, 3, activation="relu"))
            network.add(keras.layers.BatchNormalization())
        network.add(layers.MaxPooling2D())
    network.add(keras.layers.Flatten())
    network.add(keras.layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss)
    return network


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a few small steps, to see that it runs")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args(arguments)
    batch, steps, rounds = (8, 2, 2) if options.smoke else (128, 20, 7)
    generator = np.random.default_rng(0)
    rows = {}
    for size, channels, filters in SHAPES:
        images = generator.normal(size=(batch, size, size, channels)).astype("float32")
        calls = {side: layer_call(layers.Conv2D(filters, 3), images) for side, layers in SIDES.items()}
        rows[f"conv 3x3, {size}x{size}, {channels} -> {filters}"] = compare(calls, 2 * rounds + 1)

    images = generator.normal(size=(batch * steps, 28, 28, 1)).astype("float32")
    labels = generator.integers(0, 10, batch * steps)
    networks = {side: model(layers) for side, layers in SIDES.items()}
    losses = {side: [] for side in SIDES}

    def fit(side):
        history = networks[side].fit(images, labels, batch_size=batch, shuffle=False, verbose=0)
        losses[side] += history.history["loss"]

    row = compare({side: lambda side=side: fit(side) for side in SIDES}, rounds)
    # Of the first fit alone: over many, rounding grows on random labels to any size.
    row["first_loss_difference"] = abs(losses["keras"][0] - losses["kzoo"][0])
    rows[f"fit, {steps} steps of {batch}"] = row

    print(f"{backend.name()}, {', '.join(backend.devices())}, {backend.thread_count()} threads, batch {batch}")
    print(f"{'':30}{'keras ms':>10}{'kzoo ms':>10}{'wall':>8}{'CPU':>8}")
    for title, row in rows.items():
        wall = [1e3 * row[f"{side}_wall_s"] for side in SIDES]
        print(f"{title:30}{wall[0]:10.1f}{wall[1]:10.1f}{row['wall_ratio']:7.2f}x{row['cpu_ratio']:7.2f}x")
    # Linux counts in KiB, macOS in bytes; both sides have run in this process.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"loss of the first fit differs by {row['first_loss_difference']:.1e}; peak {peak / 2**30:.2f} GiB")
    if options.out:
        figures = {"backend": backend.name(), "devices": backend.devices(), "threads": backend.thread_count()}
        figures |= {"batch": batch, "smoke": options.smoke, "peak_bytes": peak, "rows": rows}
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
