"""`kzoo.layers.convolution` beside bare `keras.layers`, in one run: single layers and `fit` of a whole model.

    KERAS_BACKEND=jax python benchmarks/convolution.py [--smoke] [--out FILE]

A ratio above 1 says that kzoo is the faster; the ratio of processor time is the steadier one on a busy machine.
"""

# Before keras, so that kzoo's choice of the backend holds.
from kzoo.layers import convolution as kzoo_layers  # isort: skip

import keras
import numpy as np
import timing

SIDES = {"keras": keras.layers, "kzoo": kzoo_layers}
# Height and width, channels, filters: the four convolutions of a small MNIST network.
SHAPES = ((28, 1, 32), (26, 32, 32), (12, 32, 64), (10, 64, 64))


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


def main(arguments=None) -> None:
    """Measures, prints tables, and writes JSON where --out says."""
    options = timing.parser(__doc__.splitlines()[0]).parse_args(arguments)
    batch, steps, turns = (8, 2, 2) if options.smoke else (128, 20, 7)
    generator = np.random.default_rng(0)
    rows = {}
    for size, channels, filters in SHAPES:
        images = generator.normal(size=(batch, size, size, channels)).astype("float32")
        calls = {side: layer_call(layers.Conv2D(filters, 3), images) for side, layers in SIDES.items()}
        title = f"conv 3x3, {size}x{size}, {channels} -> {filters}"
        rows[title] = timing.in_turns(calls, 2 * turns + 1, base="keras")
        timing.show(title, rows[title])

    images = generator.normal(size=(batch * steps, 28, 28, 1)).astype("float32")
    labels = generator.integers(0, 10, batch * steps)
    networks = {side: model(layers) for side, layers in SIDES.items()}
    losses = {side: [] for side in SIDES}

    def fit(side):
        history = networks[side].fit(images, labels, batch_size=batch, shuffle=False, verbose=0)
        losses[side] += history.history["loss"]

    title = f"fit, steps of {batch}"
    rows[title] = timing.in_turns({side: lambda side=side: fit(side) for side in SIDES}, turns, "keras", steps)
    timing.show(title, rows[title])
    # Of the first fit alone: over many, rounding grows on random labels to any size.
    difference = abs(losses["keras"][0] - losses["kzoo"][0])
    print(f"loss of the first fit differs by {difference:.1e}")
    timing.conclude(options, {"batch": batch, "first_loss_difference": difference, "rows": rows})


if __name__ == "__main__":
    main()
