# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · GAN: two networks against each other
#
# **How can a network learn to make images when nobody can write down what is wrong with them?**
#
# After this chapter you can
#
# - write down the game of a generator and a discriminator, and say what the best discriminator knows;
# - say which distance between distributions the game measures, where it is blind, and what "non-saturating" mends;
# - check both players' losses, and a penalty on gradients, by hand against kzoo;
# - see mode collapse, and see two networks circle each other; say what the penalty does about it;
# - train a GAN on digits in a minute, ask it for a class, and judge its images by more than their looks.
#
# It needs chapters 3, 4 and 7. About two minutes on one core on JAX, longer on the others.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import json

import keras
import numpy as np
from keras import ops

from kzoo import plots
from kzoo.models.points_gan import PointsGAN
from kzoo.plots.style import BLUE, DIVERGING, GREY, ORANGE, VERMILLION, label, new_figure
from kzoo.registry import preset_folder
from kzoo.seeds import seeded
from kzoo.training.batches import Batches, FollowEpoch

numpy = ops.convert_to_numpy
rng = np.random.default_rng(0)

# %% [markdown]
# ## The idea: a forger and a critic
#
# The VAE of chapter 12 learns by comparing pixels, and its images are soft: a mean of all strokes that might have been.
# A **GAN** (Goodfellow et al. 2014, arXiv:1406.2661) compares nothing. A **generator** $G$ turns noise $z$ into a
# sample. A **discriminator** $D$ gets real and made samples, and has to say which is which: the probability
# $D(x) = \sigma(s(x))$ that $x$ is real, with a **score** $s$. It is a classifier as in chapter 5, and its loss is
# cross-entropy. The generator wants it to be wrong:
#
# $$ \min_G \max_D \; V(G, D) = \mathbb{E}_{x \sim p} \log D(x) + \mathbb{E}_{z} \log (1 - D(G(z))). $$
#
# Nobody tells the generator what a digit is. It learns from the one thing that the critic hands on: a gradient.
#
# ## What the best critic knows
#
# Let $q$ be the distribution of what $G$ makes, and let $D$ be any function at all. For each $x$ on its own, $D$ makes
# $p \log D + q \log(1 - D)$ large. The derivative is zero at
#
# $$ D^*(x) = \frac{p(x)}{p(x) + q(x)}, \qquad s^*(x) = \log \frac{p(x)}{q(x)}, \qquad
#    V(G, D^*) = 2\,\mathrm{JS}(p, q) - 2 \log 2. $$
#
# So the best score is the log of a ratio of densities, of two distributions that we have only samples of. And at its
# best, the game measures a distance, the **Jensen-Shannon divergence**
# $\mathrm{JS} = \frac12 \mathrm{KL}(p \| \frac{p+q}2) + \frac12 \mathrm{KL}(q \| \frac{p+q}2)$, which is 0 where the two
# are the same: then $D^* = 1/2$ everywhere, and the critic can only toss a coin. Do we get there by learning? We climb.

# %%
x = np.linspace(-5, 5, 401)


def bell(middle, width):
    density = np.exp(-0.5 * ((x - middle) / width) ** 2)
    return density / density.sum()  # probabilities of the 401 places


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def js(p, q):
    middle = (p + q) / 2
    return sum(0.5 * np.sum(part * np.log(np.maximum(part, 1e-300) / middle)) for part in (p, q))


p, q = 0.5 * bell(-1.5, 0.7) + 0.5 * bell(1.5, 0.7), bell(0.3, 1.2)
s = np.zeros_like(x)
for _ in range(4000):  # gradient ascent on V, a step at each place in the unit of its own curvature
    s += 0.5 * (p * sigmoid(-s) - q * sigmoid(s)) / (p + q)
np.testing.assert_allclose(s, np.log(p / q), atol=1e-5)
value = np.sum(p * np.log(sigmoid(s)) + q * np.log(sigmoid(-s)))
np.testing.assert_allclose(value, 2 * js(p, q) - 2 * np.log(2), atol=1e-9)
print(f"V = {value:.4f} = 2 JS - 2 log 2, with JS = {js(p, q):.4f} nats")

figure = new_figure(9, 3.4)
left = figure.subplots()
left.fill_between(x, p, color=BLUE, alpha=0.3, label="real: p")
left.fill_between(x, q, color=ORANGE, alpha=0.4, label="made: q")
label(left, x="x (no unit)", y="probability of a place")
left.legend(loc="upper left")
right = left.twinx()
right.plot(x, sigmoid(s), color="black", label="D learned by ascent")
right.plot(x[::20], (p / (p + q))[::20], "o", color=VERMILLION, label="p / (p + q)")
right.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
right.set_ylim(0, 1)
label(right, y="D(x), probability of real")
right.legend(loc="upper right")
figure

# %% [markdown]
# **Figure 1.** What is real has two bells, what is made has one. The best critic is sure where only one of them is, and
# says 1/2 (dotted) where they are equally dense. Its slope points from where too much is made to where too little is:
# that is what the generator will follow.

# %% [markdown]
# ## Where it is blind, and why "non-saturating"
#
# Two things go wrong at the beginning, when the made samples are nowhere near the real ones. First, JS itself: move two
# distributions apart, and once they hardly overlap it stays at $\log 2$, however far. A constant has no slope.
#
# Second, the generator's loss. At a made sample with score $s$ it is $\log(1 - \sigma(s))$ in the game as written; its
# slope is $-\sigma(s)$. A forgery that is seen through at once has $s \ll 0$: slope 0, nothing to learn, just where most
# is to be learned. Goodfellow et al. already let the generator minimise $-\log \sigma(s)$ instead, with the slope
# $-\sigma(-s)$: the **non-saturating** loss. It wants the same, and pushes hardest where it is worst.

# %%
scores = np.linspace(-8, 8, 161)
saturating, non_saturating = -sigmoid(scores), -sigmoid(-scores)
step = 1e-5
for slope, loss in ((saturating, lambda s: np.log(sigmoid(-s))), (non_saturating, lambda s: np.logaddexp(0, -s))):
    np.testing.assert_allclose(slope, (loss(scores + step) - loss(scores - step)) / (2 * step), atol=1e-6)

distances = np.linspace(0, 6, 61)
divergence = np.array([js(bell(-d / 2, 0.4), bell(d / 2, 0.4)) for d in distances])
assert abs(divergence[-1] - np.log(2)) < 1e-6

figure = new_figure(10, 3.4)
left, right = figure.subplots(1, 2)
left.plot(distances, divergence, color=BLUE, linewidth=2, label="Jensen-Shannon (nats)")
left.plot(distances, distances, color=ORANGE, linestyle="--", linewidth=2, label="Wasserstein (units of x)")
left.axhline(np.log(2), color=GREY, linewidth=1, linestyle=":")
left.set_ylim(0, 2)
label(left, x="distance of two equal bells (units of x)", y="distance of the distributions")
left.legend(loc="lower right")
right.plot(scores, -saturating, color=VERMILLION, linewidth=2, label=r"saturating, $\log(1 - D)$")
right.plot(scores, -non_saturating, color=BLUE, linewidth=2, linestyle="--", label=r"non-saturating, $-\log D$")
label(right, x="score of a made sample (0: a coin toss)", y="how hard the generator is pushed")
right.legend(loc="center left")
for axes in (left, right):
    axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 2.** Left: two bells of width 0.4, moved apart. JS is flat from a distance of about 2 on; the **Wasserstein
# distance**, how far the mass would have to be carried, keeps its slope. Right: how hard each loss pushes the generator
# at a sample of a given score. A forgery that is seen through is to the left.

# %% [markdown]
# ## The same, through kzoo
#
# `kzoo.models.adversarial` has three objectives. With made samples $g$ and the means over a batch,
#
# | objective | discriminator | generator |
# | --- | --- | --- |
# | non_saturating | softplus(-s(x)) + softplus(s(g)) | softplus(-s(g)) |
# | hinge | relu(1 - s(x)) + relu(1 + s(g)) | -s(g) |
# | wasserstein | s(g) - s(x) | -s(g) |
#
# where softplus$(-s) = -\log \sigma(s)$. Wasserstein's would grow without bound if nothing held the scores' slope: a
# penalty pulls its length to 1 (WGAN-GP, Gulrajani et al. 2017, arXiv:1704.00028). The others may have the penalty
# **R1** (Mescheder et al. 2018, arXiv:1801.04406), $\frac{\gamma}{2} \mathbb{E}_x \|\nabla_x s(x)\|^2$ at the real
# samples. Here are all three losses with R1 in NumPy, for a `PointsGAN`: two small networks for points in the plane. Its
# generator is first made to give one point whatever the noise, so that nothing is drawn at random.


# %%
def forward(points, weights):
    """Scores (n,) of points (n, 2), and their slopes (n, 2), by the backward pass of chapter 3."""
    layers = [(weights[i], weights[i + 1]) for i in range(0, len(weights), 2)]
    h, bends = points.astype("float64"), []
    for kernel, bias in layers[:-1]:
        h = h @ kernel + bias
        bends.append(np.where(h > 0, 1.0, 0.2))  # the slope of a leaky relu
        h = h * bends[-1]
    scores = h @ layers[-1][0] + layers[-1][1]
    back = np.ones((len(points), 1)) @ layers[-1][0].T
    for (kernel, _), bend in zip(reversed(layers[:-1]), reversed(bends), strict=True):
        back = (back * bend) @ kernel.T
    return scores[:, 0], back


softplus, relu = lambda s: np.logaddexp(0, s), lambda s: np.maximum(0, s)
real, spot = rng.normal(size=(64, 2)).astype("float32"), np.array([0.5, -1.0], "float32")
for objective in ("non_saturating", "hinge"):
    with seeded(0):
        model = PointsGAN(hidden_dims=(16, 16), objective=objective, penalty=0.7)
    still = [0 * weight for weight in model.generator.get_weights()]
    still[-1] = spot
    model.generator.set_weights(still)
    weights = model.discriminator.get_weights()
    on_real, slopes = forward(real, weights)
    on_made, _ = forward(spot[None], weights)
    if objective == "non_saturating":
        critic, forger = softplus(-on_real).mean() + softplus(on_made).mean(), softplus(-on_made).mean()
    else:
        critic, forger = relu(1 - on_real).mean() + relu(1 + on_made).mean(), -on_made.mean()
    critic += 0.7 / 2 * (slopes**2).sum(axis=1).mean()
    theirs = [float(numpy(loss(ops.convert_to_tensor(real), None, False)))
              for loss in (model.discriminator_loss, model.generator_loss)]  # fmt: skip
    np.testing.assert_allclose([critic, forger], theirs, atol=1e-5)
    print(f"{objective:>14}: discriminator {critic:.4f}, generator {forger:.4f}, by hand and by kzoo")

# %% [markdown]
# ## Two networks that circle each other
#
# Training is no descent: each player's ground moves with the other's step. The smallest game shows it. All real samples
# are at 0, all made ones at $\theta$, and the critic is a line, $s(x) = \psi x$ (the *Dirac-GAN* of Mescheder et al.).
# With Wasserstein's losses each player's slope can be read off, the last term from R1:
#
# $$ \dot\theta = \psi, \qquad \dot\psi = -\theta - \gamma \psi. $$


# %%
def duel(gamma, rate=0.1, steps=600):
    """The path (steps + 1, 2) of (theta, psi), in turns: first the critic, then the forger."""
    theta, psi, path = 1.0, 0.0, [(1.0, 0.0)]
    for _ in range(steps):
        psi += rate * (-theta - gamma * psi)
        theta += rate * psi
        path.append((theta, psi))
    return np.array(path)


figure = new_figure(10, 3.9)
for axes, gamma in zip(figure.subplots(1, 3), (0.0, 0.2, 1.0), strict=True):
    path = duel(gamma)
    axes.plot(*path.T, color=BLUE, linewidth=1)
    axes.plot(*path[0], "o", color=ORANGE, markersize=9)
    axes.plot(0, 0, "*", color=VERMILLION, markersize=13)
    axes.set_title(f"R1 with weight {gamma:g}", fontsize=11)
    label(axes, x=r"made sample $\theta$", y=r"slope of the critic $\psi$")
    axes.set_aspect("equal")
    axes.set_xlim(-1.3, 1.3)
    axes.set_ylim(-1.3, 1.3)
    print(f"weight {gamma:g}: after 600 steps {np.hypot(*path[-1]):.4f} from where both are right")
assert np.hypot(*duel(0.0)[-100:].T).min() > 0.9
assert np.hypot(*duel(1.0)[-1]) < 1e-3
figure

# %% [markdown]
# **Figure 3.** The made sample (from the orange dot) should come to the star. Without a penalty the critic drives it past
# the real one and must then turn round: the two circle each other for good. (With the non-saturating loss the circle
# shrinks, but the slower the smaller it is.) The penalty makes the critic flat where the samples are real, which is what
# it should be in the end, and the circle becomes a spiral.

# %% [markdown]
# ## Mode collapse, seen
#
# Eight clouds on a circle. The generator is asked for *a* sample that passes, in each batch anew; nothing in its loss
# asks for variety. Two runs of the same networks from the same weights on the same batches: without R1, and with it.

# %%
ring = kzoo.load_data("ring", samples=512, noise=0.1, validation_fraction=0).x_train
angles = 2 * np.pi * np.arange(8) / 8
middles = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
STAGES = (20, 40, 60) if FAST else (500, 1000, 2000)


def reached(points):
    """How many of the clouds hold at least 2 % of the points within three standard deviations."""
    away = np.linalg.norm(points[:, None] - middles, axis=2)
    inside = away.min(axis=1) < 0.3
    return int((np.bincount(away.argmin(axis=1)[inside], minlength=8) >= 0.02 * len(points)).sum())


def play(penalty):
    """Points and the critic's answer over the plane, after each number of steps of STAGES."""
    with seeded(0):
        game = PointsGAN(penalty=penalty)
    game.compile(keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.99))
    across = np.linspace(-3, 3, 64)
    grid, found = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2), []
    for step in range(STAGES[-1]):
        rows = np.random.default_rng((0, step)).integers(0, len(ring), 128)
        game.train_on_batch(ring[rows])
        if step + 1 in STAGES:
            found.append((game.sample(500, average=False), sigmoid(game.scores(grid)).reshape(64, 64)))
    return found


figure = new_figure(10, 7)
for row, penalty in zip(figure.subplots(2, 3), (0.0, 0.1), strict=True):
    for axes, steps, (made, answer) in zip(row, STAGES, play(penalty), strict=True):
        axes.imshow(answer, cmap=DIVERGING, vmin=0, vmax=1, origin="lower", extent=(-3, 3, -3, 3), alpha=0.6)
        axes.plot(*ring.T, ".", color=BLUE, markersize=3)
        axes.plot(*made.T, ".", color="black", markersize=3)
        axes.set_xlim(-3, 3)
        axes.set_ylim(-3, 3)
        axes.set_title(f"R1 {penalty:g}, {steps} steps: {reached(made)} of 8 clouds", fontsize=11)
        print(f"penalty {penalty:g}, {steps} steps: {reached(made)} of 8 clouds reached")
figure

# %% [markdown]
# **Figure 4.** Real points (blue), made ones (black), and what the critic takes each place for (orange: real, purple:
# made). Above, without a penalty, the made points settle in some of the clouds and leave others empty: **mode collapse**.
# The critic knows the empty clouds, but between there and the made points its answer is flat: no slope, no way. Below,
# with R1, it is smooth. The made points keep moving and come to more clouds; many lie between them, too. Which clouds,
# and how many, differs from seed to seed and, since rounding decides which way a chase goes, from backend to backend.
# The demo (`kzoo demo gan`) plays the same game live.

# %% [markdown]
# ## Digits in a minute
#
# `kzoo train gan` plays it with convolutions (Radford et al. 2015, arXiv:1511.06434): the discriminator halves the image
# with stride 2, the generator doubles it with transposed convolutions, a convolution's backward pass used forward. Both
# are told the class: the generator beside its noise, the discriminator by an inner product of its features with a vector
# of the class. R1 and dropout keep the discriminator from learning 1,438 small digits by heart. Images are drawn from a
# moving average of the generator's weights, which circles less than the generator itself.

# %%
data = kzoo.load_data("digits", validation_fraction=0)
recipe = kzoo.recipe_for("gan", "digits")
model = kzoo.create_model("gan", seed=0, input_shape=(8, 8, 1), num_classes=10, **recipe.model.arguments)
model.compile({phase: keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.99) for phase in ("discriminator", "generator")})
asked = np.repeat(np.arange(10), 8)
grids, history = {0: model.sample(80, asked)}, {"discriminator_loss": [], "generator_loss": []}
batches = Batches(data.x_train, data.y_train, 32, seed=0)
for last in (1, 2) if FAST else (5, 15, 40):
    options = {"initial_epoch": max(grids), "epochs": last, "callbacks": [FollowEpoch(batches)]}
    noted = model.fit(batches, shuffle=False, verbose=0, **options).history
    for name, values in history.items():
        values += noted[name]
    grids[last] = model.sample(80, asked)
print(f"{model.count_params():,} weights, {max(grids)} epochs")
plots.training_grids(grids, title="The same noise after more and more epochs; a class a row", columns=8)

# %% [markdown]
# **Figure 5.** Eight codes for each class, from noise to digits. The rows are the classes 0 to 9 that were asked for.

# %%
figure = new_figure(9, 3.0)
axes = figure.subplots()
epochs = np.arange(1, max(grids) + 1)
axes.plot(epochs, history["discriminator_loss"], color=BLUE, label="discriminator")
axes.plot(epochs, history["generator_loss"], color=ORANGE, linestyle="--", label="generator")
for coin in (2 * np.log(2), np.log(2)):
    axes.axhline(coin, color=GREY, linewidth=1, linestyle=":")
label(axes, x="epoch", y="loss (nats)")
axes.legend()
reader = kzoo.from_preset("cnn_digits")
asked = np.tile(np.arange(10), 50)
made = model.sample(500, asked, seed=1)
right = reader.predict(made, verbose=0).argmax(axis=1) == asked
print(f"{100 * right.mean():.1f} % of 500 made digits are read as the class that was asked for")
figure

# %% [markdown]
# **Figure 6.** Both losses. The dotted lines are a coin toss, $2 \log 2$ and $\log 2$. The discriminator's loss is about
# there from epoch 5 on, when the images of figure 5 are still poor; they are good at epoch 15. **Neither loss says how
# good the images are**, since each is measured against an opponent that learns as well. So how do we know when to stop,
# or which of two GANs is better?

# %% [markdown]
# ## Copies?
#
# A generator that hands out training images would fool every critic. Look for the nearest training image of each made
# one, and compare with how near digits that were *not* trained on come to the training set.


# %%
def nearest(images):
    """Distance to the nearest training image, and that image's place, for each image."""
    flat, train = images.reshape(len(images), -1), data.x_train.reshape(len(data.x_train), -1)
    square = (flat**2).sum(axis=1)[:, None] - 2 * flat @ train.T + (train**2).sum(axis=1)
    return np.sqrt(np.maximum(square.min(axis=1), 0)), square.argmin(axis=1)


ours, places = nearest(made)
theirs, _ = nearest(data.x_test)
np.testing.assert_allclose(nearest(data.x_train[:5])[0], 0, atol=1e-2)
print(f"median distance to the nearest training image: made {np.median(ours):.2f}, unseen real {np.median(theirs):.2f}")
shown = np.stack([made[:10], data.x_train[places[:10]]], axis=0).reshape(-1, 8, 8, 1)
plots.sample_grid(shown, title="Made digits (above), and the nearest training image of each (below)", columns=10)

# %% [markdown]
# **Figure 7.** If the distances of made images were much smaller than those of unseen real ones, the generator would
# be copying; if they were much larger, it would be making something else. On JAX the medians were 1.19 and 1.02.

# %% [markdown]
# ## What no loss says: a trained GAN and its figures
#
# The preset `gan_mnist` ships with kzoo. Its images are judged by the features of a classifier (`kzoo evaluate` does it):
#
# - **nFCD**: the Fréchet distance of the features of 10,000 made and 10,000 real images, in units of the real features'
#   variance. Both quality and variety, in one number; 0 is best.
# - **precision**: the share of made images that lie among real ones: quality. **Recall**: the share of real images that
#   lie among the made ones; **coverage**: the share of real images with a made one nearby: variety.
# - **recognised**: the share that is read as the class that was asked for.
#
# No single figure will do. A generator that hands out the same 200 perfect images has a high precision, and no recall:
# mode collapse is exactly what precision cannot see.

# %%
preset = kzoo.from_preset("gan_mnist")
figures = json.loads((preset_folder("gan_mnist") / "metrics.json").read_text(encoding="utf-8"))
for name in ("nfcd", "precision", "recall", "coverage", "recognised"):
    print(f"{name:>10} {figures[f'test_{name}']:.4f}")
labels = np.repeat(np.arange(10), 12)
codes = np.tile(preset.noise(12, seed=0), (10, 1))
plots.sample_grid(preset.decode(codes, labels), title="gan_mnist: a class a row, a code a column", labels=labels)

# %% [markdown]
# **Figure 8.** Twelve codes for each of ten classes. What a column has in common is the code's: slant, width, weight of
# the stroke. What a row has in common is the class. Nobody told the network to divide the work like this; it is told the
# class, so that the code need not say it.

# %%
first, last = preset.noise(2, seed=4)
shares = np.linspace(0, 1, 9)[:, None]
angle = np.arccos(first @ last / np.linalg.norm(first) / np.linalg.norm(last))
ways = {
    "straight": (1 - shares) * first + shares * last,
    "sphere": (np.sin((1 - shares) * angle) * first + np.sin(shares * angle) * last) / np.sin(angle),
}
for name, way in ways.items():
    print(f"{name:>8}: lengths", np.linalg.norm(way, axis=1).round(1))
rows = [preset.decode(way.astype("float32"), digit) for digit in (3, 8) for way in ways.values()]
plots.interpolation(
    np.stack(rows), title="From code to code, straight and along the sphere, for a 3 and an 8", ends="a code"
)

# %% [markdown]
# **Figure 9.** Rows 1 and 3: straight from one code to another; rows 2 and 4: along the sphere. A standard normal code of
# 32 numbers has a length of about $\sqrt{32} = 5.7$, and one in a hundred is shorter than 4: the straight way leads
# through a region of short codes, of which the generator has seen few. Both ways give digits all along.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** What does the non-saturating loss minimise at the best critic? Show, for distributions over five places,
# that the gradient of $\mathbb{E}_{q} [-\log D^*]$ with $D^*$ *held fixed* is that of
# $\mathrm{KL}(q \| p) - 2\, \mathrm{JS}(p, q)$. Why is that odd?
#
# <details>
# <summary>Solution</summary>
#
# The sign before JS is wrong: it would push the two apart. KL$(q \| p)$ outweighs it. And KL in this direction is
# dear where something is made that is not real, and cheap where something real is never made: nothing against collapse
# (Arjovsky and Bottou 2017, arXiv:1701.04862).
#
# ```python
# def softmax(a):
#     e = np.exp(a - a.max())
#     return e / e.sum()
#
# p5, a = softmax(rng.normal(size=5)), rng.normal(size=5)
# fixed = -np.log(p5 / (p5 + softmax(a)))
# target = lambda a: np.sum(softmax(a) * np.log(softmax(a) / p5)) - 2 * js(p5, softmax(a))
# slopes = lambda f: np.array([(f(a + 1e-5 * e) - f(a - 1e-5 * e)) / 2e-5 for e in np.eye(5)])
# np.testing.assert_allclose(slopes(lambda a: softmax(a) @ fixed), slopes(target), atol=1e-6)
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Find the best critic of the hinge loss for the densities of figure 1, and its loss there.
#
# <details>
# <summary>Solution</summary>
#
# At each place $p\, \mathrm{relu}(1 - s) + q\, \mathrm{relu}(1 + s)$ is made of straight pieces with corners at -1 and 1:
# the best score is the sign of $p - q$, and the loss $2 \sum \min(p, q)$: it measures the total variation.
#
# ```python
# candidates = np.linspace(-3, 3, 601)[:, None]
# losses = p * relu(1 - candidates) + q * relu(1 + candidates)  # (candidates, places)
# best = candidates[losses.argmin(axis=0), 0]
# clear = np.abs(p - q) > 1e-6
# np.testing.assert_allclose(best[clear], np.sign(p - q)[clear], atol=1e-9)
# np.testing.assert_allclose(losses.min(axis=0).sum(), 2 * np.minimum(p, q).sum(), atol=1e-9)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Write the duel of figure 3 as a matrix, and say from its eigenvalues from which weight $\gamma$ on the
# spiral becomes a way without turns.
#
# <details>
# <summary>Solution</summary>
#
# The eigenvalues are $-\gamma/2 \pm \sqrt{\gamma^2/4 - 1}$: purely imaginary without a penalty, a circle; complex with a
# negative real part for $\gamma < 2$, a spiral; real from $\gamma = 2$ on.
#
# ```python
# def values(gamma):
#     return np.linalg.eigvals(np.array([[0, 1], [-1, -gamma]])).astype(complex)
#
#
# np.testing.assert_allclose(values(0.0).real, 0, atol=1e-12)
# assert (values(1.0).real < 0).all() and (values(1.0).imag != 0).any()
# assert np.abs(values(3.0).imag).max() == 0
# turns = [(np.diff(np.sign(duel(gamma)[:, 0])) != 0).sum() for gamma in (0.2, 1.0, 3.0)]
# assert turns[0] > turns[1] > turns[2] == 0
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Make the codes of `gan_mnist` shorter: multiply them by 0.5. What becomes of the images' variety, and of
# how sure a reader is? (Big GANs are shown off like this; it is called truncation.)
#
# <details>
# <summary>Solution</summary>
#
# Short codes lie near the middle of all that the generator has learned: tidier digits, and more alike. Precision rises
# and recall falls.
#
# ```python
# digits = np.tile(np.arange(10), 20)
# codes = preset.noise(200, seed=7)
# whole, short = (preset.decode(scale * codes, digits) for scale in (1.0, 0.5))
# spread = lambda images: np.mean([images[digits == k].std(axis=0).mean() for k in range(10)])
# assert spread(short) < spread(whole)
# read = lambda images: (kzoo.from_preset("cnn_mnist").predict(images, verbose=0).argmax(axis=1) == digits).mean()
# print(f"spread {spread(whole):.3f} and {spread(short):.3f}, read right {read(whole):.2f} and {read(short):.2f}")
# assert read(short) >= read(whole) - 0.02
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A discriminator that is as good as can be knows the ratio of two densities of which it has only seen samples; the game
#   then measures the Jensen-Shannon divergence.
# - The non-saturating loss pushes where the generator is worst; hinge and Wasserstein's are other distances.
# - Two learners circle each other, and a generator may forget what it is not asked for. A penalty on the
#   discriminator's slope calms the one and helps against the other.
# - Losses say nothing about the images: measure quality and variety, each by its own figure.
#
# Read the page that plays the game: `kzoo/models/adversarial.py`.
