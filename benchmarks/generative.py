"""One GAN training step of kzoo's `fit` beside a loop written by hand in the backend's own style, in one run.

    KERAS_BACKEND=jax python benchmarks/generative.py [--images 28] [--steps 20] [--turns 7] [--smoke] [--out FILE]

A step trains the discriminator once and the generator once, without a class, and moves the generator's average: batch
64, Adam, the non-saturating objective, batch normalisation in the generator. The loop by hand knows neither Keras nor
kzoo: `jax.jit` over trees of arrays, `tf.function` over `tf.Variable`, torch.nn.functional with `torch.optim.Adam`,
with the backend's own convolutions and its own random numbers. Each way shuffles, slices and feeds the images itself.
A ratio is the loop's time / kzoo's time, so above 1 means that kzoo is faster; kzoo's time is to be at most 1.1 of
the loop's.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip

import keras
import numpy as np
import timing

from kzoo.models.gan import GAN

BATCH, LATENT, FILTERS, MOMENTUM = 64, 64, (32, 64), 0.999
RATE, BETA_1, BETA_2, EPSILON = 2e-4, 0.5, 0.999, 1e-7
LIMIT = 1.1


def first_weights(side):
    """Weights for a loop by hand, as many as kzoo's model has, but for the last bias, one for four."""
    rng = np.random.default_rng(0)
    narrow, wide = FILTERS
    small = side // 4

    def normal(*shape):
        return rng.normal(0, 0.05, shape).astype("float32")

    generator = {
        "small": normal(LATENT, small * small * wide),
        "gamma_1": np.ones(wide, "float32"),
        "beta_1": np.zeros(wide, "float32"),
        "up_1": normal(4, 4, narrow, wide),
        "gamma_2": np.ones(narrow, "float32"),
        "beta_2": np.zeros(narrow, "float32"),
        "up_2": normal(4, 4, 1, narrow),
        "bias": np.zeros(1, "float32"),
    }
    discriminator = {
        "conv_1": normal(4, 4, 1, narrow),
        "bias_1": np.zeros(narrow, "float32"),
        "conv_2": normal(4, 4, narrow, wide),
        "bias_2": np.zeros(wide, "float32"),
        "score": normal(small * small * wide, 1),
        "bias": np.zeros(1, "float32"),
    }
    statistics = {
        f"{name}_{i}": fill(width)
        for i, width in ((1, wide), (2, narrow))
        for name, fill in (("mean", np.zeros), ("variance", np.ones))
    }
    return generator, discriminator, {key: value.astype("float32") for key, value in statistics.items()}


def batches(images):
    """The batches of one epoch in an order of its own."""
    order = np.random.default_rng().permutation(len(images))
    for start in range(0, len(images), BATCH):
        yield images[order[start : start + BATCH]]


def by_hand_jax(images):
    """An epoch in JAX."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    side = images.shape[1]
    generator, discriminator, statistics = jax.tree.map(jnp.asarray, first_weights(side))
    layout = ("NHWC", "HWIO", "NHWC")

    def normalise(x, p, s, i):
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        s = {
            **s,
            f"mean_{i}": 0.99 * s[f"mean_{i}"] + 0.01 * mean,
            f"variance_{i}": 0.99 * s[f"variance_{i}"] + 0.01 * variance,
        }
        return jax.nn.relu((x - mean) * lax.rsqrt(variance + 1e-3) * p[f"gamma_{i}"] + p[f"beta_{i}"]), s

    def make(p, s, z):
        x, s = normalise((z @ p["small"]).reshape(len(z), side // 4, side // 4, -1), p, s, 1)
        x = lax.conv_transpose(x, p["up_1"].swapaxes(2, 3), (2, 2), "SAME", dimension_numbers=layout)
        x, s = normalise(x, p, s, 2)
        x = lax.conv_transpose(x, p["up_2"].swapaxes(2, 3), (2, 2), "SAME", dimension_numbers=layout)
        return jnp.tanh(x + p["bias"]), s

    def score(p, x):
        for i in (1, 2):
            x = lax.conv_general_dilated(x, p[f"conv_{i}"], (2, 2), "SAME", dimension_numbers=layout) + p[f"bias_{i}"]
            x = jax.nn.leaky_relu(x, 0.2)
        return x.reshape(len(x), -1) @ p["score"] + p["bias"]

    def adam(p, gradients, moments, count):
        m = jax.tree.map(lambda a, g: BETA_1 * a + (1 - BETA_1) * g, moments[0], gradients)
        v = jax.tree.map(lambda a, g: BETA_2 * a + (1 - BETA_2) * g * g, moments[1], gradients)
        rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        return jax.tree.map(lambda w, a, b: w - rate * a / (jnp.sqrt(b) + EPSILON), p, m, v), (m, v)

    def step(state, x):
        g, d, s, average, moments_g, moments_d, count, key = state
        key, first, second = jax.random.split(key, 3)
        count = count + 1
        x = 2 * x - 1
        fake, s = make(g, s, jax.random.normal(first, (len(x), LATENT)))
        fake = lax.stop_gradient(fake)

        def loss_d(d):
            return jax.nn.softplus(-score(d, x)).mean() + jax.nn.softplus(score(d, fake)).mean()

        loss_1, gradients = jax.value_and_grad(loss_d)(d)
        d, moments_d = adam(d, gradients, moments_d, count)

        def loss_g(g):
            fake, after = make(g, s, jax.random.normal(second, (len(x), LATENT)))
            return jax.nn.softplus(-score(d, fake)).mean(), after

        (loss_2, s), gradients = jax.value_and_grad(loss_g, has_aux=True)(g)
        g, moments_g = adam(g, gradients, moments_g, count)
        average = jax.tree.map(lambda a, b: MOMENTUM * a + (1 - MOMENTUM) * b, average, (g, s))
        return (g, d, s, average, moments_g, moments_d, count, key), loss_1 + loss_2

    def zeros(tree):
        return jax.tree.map(jnp.zeros_like, tree), jax.tree.map(jnp.zeros_like, tree)

    compiled = jax.jit(step, donate_argnums=0)
    average = jax.tree.map(jnp.array, (generator, statistics))
    state = [
        (generator, discriminator, statistics, average, zeros(generator), zeros(discriminator), 0, jax.random.key(0))
    ]

    def epoch():
        losses = []
        for x in batches(images):
            state[0], loss = compiled(state[0], x)
            losses.append(loss)
        return float(sum(losses))

    return epoch


def by_hand_tensorflow(images):
    """An epoch in TensorFlow."""
    import tensorflow as tf

    side = images.shape[1]
    g, d, s = ({k: tf.Variable(v) for k, v in part.items()} for part in first_weights(side))
    followed = [*g.values(), *s.values()]
    average = [tf.Variable(v) for v in followed]
    count = tf.Variable(0.0)
    moments = {
        name: [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in part.values()]
        for name, part in (("g", g), ("d", d))
    }

    def normalise(x, i):
        mean, variance = tf.nn.moments(x, (0, 1, 2))
        s[f"mean_{i}"].assign(0.99 * s[f"mean_{i}"] + 0.01 * mean)
        s[f"variance_{i}"].assign(0.99 * s[f"variance_{i}"] + 0.01 * variance)
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, g[f"beta_{i}"], g[f"gamma_{i}"], 1e-3))

    def make(count):
        z = tf.random.normal((count, LATENT))
        x = normalise(tf.reshape(z @ g["small"], (count, side // 4, side // 4, -1)), 1)
        x = tf.nn.conv2d_transpose(x, g["up_1"], (count, side // 2, side // 2, FILTERS[0]), 2)
        x = tf.nn.conv2d_transpose(normalise(x, 2), g["up_2"], (count, side, side, 1), 2)
        return tf.tanh(x + g["bias"])

    def score(x):
        for i in (1, 2):
            x = tf.nn.leaky_relu(tf.nn.conv2d(x, d[f"conv_{i}"], 2, "SAME") + d[f"bias_{i}"], 0.2)
        return tf.reshape(x, (len(x), -1)) @ d["score"] + d["bias"]

    def adam(name, variables, gradients):
        rate = RATE * tf.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        for v, gradient, (m, n) in zip(variables, gradients, moments[name], strict=True):
            m.assign(BETA_1 * m + (1 - BETA_1) * gradient)
            n.assign(BETA_2 * n + (1 - BETA_2) * gradient * gradient)
            v.assign_sub(rate * m / (tf.sqrt(n) + EPSILON))

    @tf.function
    def step(x):
        count.assign_add(1.0)
        x = 2 * x - 1
        fake = make(len(x))
        with tf.GradientTape() as tape:
            loss_d = tf.reduce_mean(tf.nn.softplus(-score(x))) + tf.reduce_mean(tf.nn.softplus(score(fake)))
        adam("d", d.values(), tape.gradient(loss_d, list(d.values())))
        with tf.GradientTape() as tape:
            loss_g = tf.reduce_mean(tf.nn.softplus(-score(make(len(x)))))
        adam("g", g.values(), tape.gradient(loss_g, list(g.values())))
        for a, v in zip(average, followed, strict=True):
            a.assign(MOMENTUM * a + (1 - MOMENTUM) * v)
        return loss_d + loss_g

    return lambda: float(sum(step(tf.convert_to_tensor(x)) for x in batches(images)))


def by_hand_torch(images):
    """An epoch in PyTorch."""
    import torch
    from torch.nn import functional

    side = images.shape[1]
    g, d, s = ({k: torch.from_numpy(v) for k, v in part.items()} for part in first_weights(side))
    for part in (g, d):
        for key, value in part.items():
            if value.ndim == 4:  # torch's own order; of a transposed convolution (in, out, h, w)
                value = value.permute(3, 2, 0, 1).contiguous()
            part[key] = value.requires_grad_(True)
    average = [v.detach().clone() for v in (*g.values(), *s.values())]
    optimizers = {
        name: torch.optim.Adam(part.values(), RATE, (BETA_1, BETA_2), EPSILON) for name, part in (("g", g), ("d", d))
    }

    def normalise(x, i):
        mean, variance = s[f"mean_{i}"], s[f"variance_{i}"]
        x = functional.batch_norm(x, mean, variance, g[f"gamma_{i}"], g[f"beta_{i}"], True, 0.01, 1e-3)
        return functional.relu(x)

    def make(count):
        x = (torch.randn(count, LATENT) @ g["small"]).reshape(count, FILTERS[1], side // 4, side // 4)
        x = functional.conv_transpose2d(normalise(x, 1), g["up_1"], stride=2, padding=1)
        x = functional.conv_transpose2d(normalise(x, 2), g["up_2"], g["bias"], stride=2, padding=1)
        return torch.tanh(x)

    def score(x):
        for i in (1, 2):
            x = functional.conv2d(x, d[f"conv_{i}"], d[f"bias_{i}"], stride=2, padding=1)
            x = functional.leaky_relu(x, 0.2)
        return x.flatten(1) @ d["score"] + d["bias"]

    def step(x):
        x = (2 * x - 1).permute(0, 3, 1, 2)
        with torch.no_grad():
            fake = make(len(x))
        optimizers["d"].zero_grad()
        loss_d = functional.softplus(-score(x)).mean() + functional.softplus(score(fake)).mean()
        loss_d.backward()
        optimizers["d"].step()
        optimizers["g"].zero_grad()
        loss_g = functional.softplus(-score(make(len(x)))).mean()
        loss_g.backward()
        optimizers["g"].step()
        with torch.no_grad():
            torch._foreach_lerp_(average, [*g.values(), *s.values()], 1 - MOMENTUM)
        return (loss_d + loss_g).detach()

    return lambda: float(sum(step(torch.from_numpy(x)) for x in batches(images)))


def own(images):
    """An epoch of kzoo's `fit`."""
    model = GAN(images.shape[1:], latent_dim=LATENT, filters=FILTERS, momentum=MOMENTUM)
    model.compile(
        {name: keras.optimizers.Adam(RATE, BETA_1, BETA_2, EPSILON) for name in ("discriminator", "generator")}
    )
    return lambda: model.fit(images, batch_size=BATCH, verbose=0)


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=28, help="height and width of the images (default 28)")
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch (default 20)")
    parser.add_argument("--turns", type=int, default=7, help="timed epochs of each (default 7)")
    given = parser.parse_args(arguments)
    side, steps, turns = (8, 2, 2) if given.smoke else (given.images, given.steps, given.turns)
    images = np.random.default_rng(0).random((steps * BATCH, side, side, 1), dtype="float32")
    by_hand = {"jax": by_hand_jax, "tensorflow": by_hand_tensorflow, "torch": by_hand_torch}[kzoo.backend.name()]
    ways = {"by hand": by_hand(images), "kzoo": own(images)}
    rows = timing.in_turns(ways, turns, base="by hand", steps=steps)
    timing.show(f"GAN step, {BATCH} images of {side} x {side}", rows)
    share = 1 / rows["kzoo"]["cpu_ratio"]
    print(f"kzoo takes {share:.2f} of the processor time of the loop by hand; asked: at most {LIMIT}")
    timing.conclude(given, {"gan": {"batch_size": BATCH, "side": side, "filters": FILTERS, "rows": rows}})


if __name__ == "__main__":
    main()
