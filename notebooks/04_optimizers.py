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
# # 4 · Losses and optimizers
#
# **What exactly should a network make small, and how does it get there fast?**
#
# After this chapter you can
#
# - say where squared error and cross-entropy come from, and why classifiers use the second;
# - write SGD, momentum, RMSprop and Adam in a few lines each, and match Keras's own step by step;
# - see what a learning rate does on a slope, in a ravine and on a saddle;
# - compute, from the curvature alone, which learning rates diverge and how many steps a ravine costs.
#
# You need chapters 1 to 3. The whole chapter runs in about a minute on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import re

import keras
import numpy as np
from IPython.display import HTML
from keras import ops
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kzoo.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, label, new_figure

keras.utils.set_random_seed(0)

# %% [markdown]
# ## Losses: how surprised are you?
#
# A loss turns "how wrong" into one number. There is a principle behind the common ones: **let the network state a
# probability for what it sees, and let the loss be its surprise**, $L = -\log p(\text{the truth})$. If it gave the truth
# the probability 1, it is not surprised at all; if it ruled the truth out, its surprise is infinite. Adding up the
# surprise over all examples and making it small is called *maximum likelihood*.
#
# - A **number** $y$, which the network expects at $\hat y$, give or take a Gaussian error of a fixed width: the surprise
#   is $(\hat y - y)^2$ times a constant, plus another constant. That is the **squared error**.
# - A **class** $y$, to which it gives the probability $p_y$: the surprise is $-\log p_y$. That is the **cross-entropy**.
#   With two classes, a score $z$ and $p = \sigma(z)$ for class 1:
#   $\;L = -y \log p - (1 - y) \log(1 - p)$.
#
# Written like that, the last line computes $\log 0$ as soon as the network is very sure. Put $p = \sigma(z)$ in, simplify
# on paper, and it becomes safe for every score: $L = \max(z, 0) - y z + \log(1 + e^{-|z|})$. This is why the zoo's
# models give scores (**logits**) and leave the softmax to the loss. Natural logarithms measure surprise in *nats*.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def squared_error(z, y):
    return (sigmoid(z) - y) ** 2


def binary_cross_entropy(z, y):
    """Scores and labels 0 or 1, both (n,) -> surprise in nats, (n,). Safe for any score."""
    return np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))


def cross_entropy(logits, y):
    """Scores (n, k) and classes (n,) -> surprise in nats, (n,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]


rng = np.random.default_rng(0)
logits, classes = 5 * rng.normal(size=(6, 10)), rng.integers(0, 10, 6)
z, y = 20 * rng.normal(size=6), rng.integers(0, 2, 6)

model = kzoo.create_model("mlp", input_shape=(8, 8, 1), num_classes=10)
theirs = model.training_loss()(classes, logits)
np.testing.assert_allclose(ops.convert_to_numpy(theirs), cross_entropy(logits, classes).mean(), rtol=1e-5)
theirs = keras.losses.BinaryCrossentropy(from_logits=True)(y[:, None].astype("float32"), z[:, None])
np.testing.assert_allclose(ops.convert_to_numpy(theirs), binary_cross_entropy(z, y).mean(), rtol=1e-5)
print(f"Guessing among ten classes costs {cross_entropy(np.zeros((1, 10)), [0])[0]:.3f} nats, the logarithm of 10.")

# %% [markdown]
# ## Why not the squared error for classes?
#
# One could also ask that $\sigma(z)$ come near the label in squared error. Compare what the two losses send back to the
# score, by the chain rule of chapter 3:
#
# $$\text{squared error: } \frac{\partial L}{\partial z} = 2\,(p - y)\; p\,(1 - p) \qquad\qquad
# \text{cross-entropy: } \frac{\partial L}{\partial z} = p - y$$
#
# The factor $p\,(1 - p)$ is the slope of the sigmoid, and it vanishes exactly where the network is *sure and wrong*.
# In cross-entropy the logarithm cancels it.

# %%
scores = np.linspace(-8, 8, 201)
p = sigmoid(scores)
figure = new_figure(12, 3.9)
losses, slopes = figure.subplots(1, 2)
for loss, slope, name, color, dash in (
    (squared_error(scores, 1), 2 * (p - 1) * p * (1 - p), "squared error", ORANGE, "--"),
    (binary_cross_entropy(scores, 1), p - 1, "cross-entropy", BLUE, "-"),
):
    losses.plot(scores, loss, color=color, linestyle=dash, linewidth=2, label=name)
    slopes.plot(scores, np.abs(slope), color=color, linestyle=dash, linewidth=2, label=name)
for axes in (losses, slopes):
    axes.axvspan(-8, -4, color=GREY, alpha=0.18)
losses.text(-6, 1.6, "sure\nand wrong", ha="center", fontsize=11)
losses.legend(frameon=False)
label(losses, x="score z, the right class being 1", y="loss", title="The loss ...")
label(slopes, x="score z, the right class being 1", y="|dL/dz|", title="... and how hard it pushes")
figure

# %% [markdown]
# **Figure 1.** Two losses of one example whose right answer is class 1. On the left of the plot, where the network is sure
# and wrong, cross-entropy pushes with full force, and squared error hardly at all: its curve is flat there, although
# the loss is near its maximum. A network that is badly wrong would stay so.

# %% [markdown]
# ## Downhill: the learning rate
#
# Think of the loss as a landscape over all weights. The **gradient** $\mathbf{g}$, the vector of all derivatives, points
# uphill where it is steepest. **Gradient descent** takes a step the other way:
#
# $$\mathbf{w} \leftarrow \mathbf{w} - \eta\,\mathbf{g}$$
#
# How long may the step be? Take the simplest valley, a bowl that is steep in one direction and flat in the other:
# $L = \tfrac12 (\lambda_1 w_1^2 + \lambda_2 w_2^2)$. Its gradient is $(\lambda_1 w_1, \lambda_2 w_2)$, so that a step
# multiplies each coordinate by a number of its own:
#
# $$w_i \leftarrow (1 - \eta \lambda_i)\, w_i$$
#
# It shrinks as long as this factor lies between $-1$ and $1$, which means $\eta < 2 / \lambda_i$. **The steepest direction
# forbids all rates above $2/\lambda_{\max}$; the flattest direction then has to crawl.** How bad it is depends on the
# ratio $\kappa = \lambda_{\max} / \lambda_{\min}$, the *condition number*. Near a minimum
# nearly every smooth loss is such a bowl, once the axes are turned to fit, and the $\lambda_i$ are its curvatures.

# %%
curvature = np.array([1.0, 20.0])  # condition number 20


def descend(rate, steps=40):
    path = [np.array([-2.0, 1.0])]
    for _ in range(steps):
        path.append(path[-1] - rate * curvature * path[-1])
    return np.array(path)  # (steps + 1, 2)


figure = new_figure(12, 3.9)
across, up = np.linspace(-2.4, 2.4, 121), np.linspace(-1.4, 1.4, 121)
plane = np.stack(np.meshgrid(across, up), axis=-1)
bowl = 0.5 * (curvature * plane**2).sum(axis=-1)
for axes, rate, verdict in zip(
    figure.subplots(1, 3, sharey=True), (0.01, 0.09, 0.101), ("too small", "good", "too large"), strict=True
):
    path = descend(rate)
    axes.contour(across, up, bowl, levels=[0.1, 0.5, 1.5, 3, 6, 10, 15], colors=GREY, linewidths=0.7)
    axes.plot(*path.T, "o-", color=BLUE, markersize=3.5, linewidth=1)
    axes.plot(*path[0], "s", color=VERMILLION, markersize=9)
    axes.plot(0, 0, "*", color=BLACK, markersize=14)
    axes.set(xlim=(-2.4, 2.4), ylim=(-1.6, 1.6))
    label(axes, x="weight $w_1$ (flat)", title=f"rate {rate}: {verdict}")
label(figure.axes[0], y="weight $w_2$ (steep)")
assert np.abs(descend(0.101)[-1, 1]) > 1 > np.abs(descend(0.099)[-1, 1])  # the limit is 2 / 20
figure

# %% [markdown]
# **Figure 2.** Forty steps of gradient descent from the red square towards the star, in a bowl with curvatures 1 and 20.
# Left: no danger, little progress. Middle: close to the limit the steps jump from wall to wall, and get there. Right:
# 1 % above the limit $2/20 = 0.1$ every jump is a little longer than the last one.

# %% [markdown]
# ## Four optimizers from scratch
#
# All of them get the gradient $\mathbf{g}$ and remember something about the past. Squares, roots and divisions are
# number by number.
#
# - **SGD.** Just a step. ("S" is for *stochastic*: the gradient is that of a random batch, and so a little wrong.)
#   $\;\mathbf{w} \leftarrow \mathbf{w} - \eta\,\mathbf{g}$
# - **Momentum.** A heavy ball that keeps a share $\mu$ of its velocity: $\;\mathbf{v} \leftarrow \mu \mathbf{v} - \eta\,
#   \mathbf{g}, \; \mathbf{w} \leftarrow \mathbf{w} + \mathbf{v}$. What zigzags cancels; what persists adds up, to
#   $1 / (1 - \mu)$ times as much.
# - **RMSprop.** Each weight has a step size of its own: divide by the typical size of its gradient. $\;\mathbf{s}
#   \leftarrow \rho\,\mathbf{s} + (1 - \rho)\,\mathbf{g}^2, \; \mathbf{w} \leftarrow \mathbf{w} - \eta\,\mathbf{g} /
#   \sqrt{\mathbf{s} + \epsilon}$
# - **Adam.** Both: $\;\mathbf{m} \leftarrow \beta_1 \mathbf{m} + (1 - \beta_1)\,\mathbf{g}, \; \mathbf{s} \leftarrow \beta_2
#   \mathbf{s} + (1 - \beta_2)\,\mathbf{g}^2$. Since both start at zero, they are too small at first, by factors $1 -
#   \beta_1^t$ and $1 - \beta_2^t$ at step $t$; the **bias correction** divides these out. $\;\mathbf{w} \leftarrow
#   \mathbf{w} - \eta\,\frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{\mathbf{m}}{\sqrt{\mathbf{s}} + \epsilon}$
#
# The tiny $\epsilon$ keeps the division safe. Where it stands differs between papers and programs; these are Keras's
# places.


# %%
class SGD:
    def __init__(self, rate, momentum=0.0):
        self.rate, self.momentum, self.v = rate, momentum, 0.0

    def step(self, w, g):
        self.v = self.momentum * self.v - self.rate * g
        return w + self.v


class RMSprop:
    def __init__(self, rate, rho=0.9, epsilon=1e-7):
        self.rate, self.rho, self.epsilon, self.s = rate, rho, epsilon, 0.0

    def step(self, w, g):
        self.s = self.rho * self.s + (1 - self.rho) * g**2
        return w - self.rate * g / np.sqrt(self.s + self.epsilon)


class Adam:
    def __init__(self, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.rate, self.beta_1, self.beta_2, self.epsilon = rate, beta_1, beta_2, epsilon
        self.m, self.s, self.t = 0.0, 0.0, 0

    def step(self, w, g):
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.s = self.beta_2 * self.s + (1 - self.beta_2) * g**2
        rate = self.rate * np.sqrt(1 - self.beta_2**self.t) / (1 - self.beta_1**self.t)
        return w - rate * self.m / (np.sqrt(self.s) + self.epsilon)


# %% [markdown]
# ## The same through Keras, step by step
#
# As a test track we take a curved ravine, $L = (1 - u)^2 + 10\,(v - u^2)^2$: a banana-shaped valley whose floor falls
# gently to the minimum at $(1, 1)$. Our optimizers get the gradient by hand, those of Keras from your backend. After
# every single step, the weights must be the same.

# %%
START = np.array([-1.2, 1.0])


def ravine(w):
    u, v = w[..., 0], w[..., 1]
    return (1 - u) ** 2 + 10 * (v - u**2) ** 2


def ravine_gradient(w):
    u, v = w
    return np.array([-2 * (1 - u) - 40 * u * (v - u**2), 20 * (v - u**2)])


def run(optimizer, gradient, start, steps):
    path = [np.array(start, dtype="float64")]
    for _ in range(steps):
        path.append(optimizer.step(path[-1], gradient(path[-1])))
    return np.array(path)  # (steps + 1, 2)


pairs = {
    "SGD": (SGD(0.012), keras.optimizers.SGD(0.012)),
    "momentum": (SGD(0.004, momentum=0.9), keras.optimizers.SGD(0.004, momentum=0.9)),
    "RMSprop": (RMSprop(0.03), keras.optimizers.RMSprop(0.03)),
    "Adam": (Adam(0.15), keras.optimizers.Adam(0.15)),
}
for name, (ours, theirs) in pairs.items():
    w = keras.Variable(START, dtype="float32")
    theirs.build([w])
    path = run(ours, ravine_gradient, START, steps=10 if FAST else 40)
    for expected in path[1:]:
        _, gradients = kzoo.backend.value_and_grad(lambda w=w: (1 - w[0]) ** 2 + 10 * (w[1] - w[0] ** 2) ** 2, [w])
        theirs.apply(gradients, [w])
        np.testing.assert_allclose(ops.convert_to_numpy(w), expected, rtol=1e-3, atol=1e-4)
    print(f"{name:8}: {len(path) - 1} steps agree, now at {path[-1].round(3)}")

# %% [markdown]
# ## A race, animated
#
# Now let them run. The next cell makes the race, draws it frame by frame, and shows it with buttons to play, pause and
# step. (matplotlib's player fetches its icons from the internet; we put plain letters in their place, so that the
# notebook needs no network.)

# %%
racers = {
    "SGD": (SGD(0.012), BLUE, "o"),
    "momentum": (SGD(0.004, momentum=0.9), VERMILLION, "s"),
    "RMSprop": (RMSprop(0.03), GREEN, "^"),
    "Adam": (Adam(0.15), BLACK, "D"),
}
STEPS = 120
race = {name: run(optimizer, ravine_gradient, START, STEPS) for name, (optimizer, _, _) in racers.items()}

figure = new_figure(9, 4.6)
figure.set_dpi(72)  # the frames become a part of the notebook: keep them small
FigureCanvasAgg(figure)  # draws without a window
axes = figure.subplots()
across, up = np.linspace(-1.6, 1.6, 161), np.linspace(-0.6, 1.6, 121)
plane = np.stack(np.meshgrid(across, up), axis=-1)
axes.contourf(across, up, np.log10(ravine(plane) + 1e-2), levels=14, cmap="Greys", alpha=0.45)
axes.plot(1, 1, "*", color=ORANGE, markeredgecolor=BLACK, markersize=18)
lines = {}
for name, (_, color, mark) in racers.items():
    lines[name] = axes.plot([], [], color=color, marker=mark, markevery=[-1], markersize=9, label=name)[0]
axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
label(axes, x="weight u", y="weight v")


def draw(step):
    for name, line in lines.items():
        line.set_data(*race[name][: step + 1].T)
    axes.set_title(f"step {step}")
    return list(lines.values())


frames = range(0, STEPS + 1, 20 if FAST else 4)
player = FuncAnimation(figure, draw, frames=frames, interval=120).to_jshtml(default_mode="once")
for icon, sign in {
    "fa-minus": "slower", "fa-fast-backward": "start", "fa-step-backward": "-1", "fa-play fa-flip-horizontal": "back",
    "fa-pause": "pause", "fa-play": "play", "fa-step-forward": "+1", "fa-fast-forward": "end", "fa-plus": "faster",
}.items():  # fmt: skip
    player = player.replace(f'<i class="fa {icon}"></i>', sign)
player = re.sub(r"<link[^>]*>", "", player).replace("width: 36px", "min-width: 36px")
assert "://" not in player
print(f"{len(frames)} frames, {len(player) / 1e6:.1f} MB")
HTML(player)

# %% [markdown]
# **Figure 3.** (Animated.) Four optimizers in a curved ravine; dark is high, the star is the minimum. First they all fall
# to the valley's floor. There, plain SGD (disc) creeps. Momentum (square) gathers speed along the floor and swings a
# little. RMSprop (triangle) walks at a steady pace; near the star it cannot settle, for dividing by a small gradient
# keeps its steps large. Adam (diamond) is both steady and quick.

# %%
figure = new_figure(12, 3.9)
ravine_axes, saddle_axes = figure.subplots(1, 2)
dashes = {"SGD": "-", "momentum": "--", "RMSprop": "-.", "Adam": ":"}
for name, (_, color, _) in racers.items():
    ravine_axes.semilogy(ravine(race[name]), color=color, linestyle=dashes[name], linewidth=2, label=name)
ravine_axes.legend(frameon=False, loc="lower left")
label(ravine_axes, x="step", y="loss (log axis)", title="In the ravine")


def saddle_gradient(w):
    """Of L = u^2 / 2 - v^2 / 2 + v^4 / 4: a saddle at (0, 0), minima at (0, -1) and (0, 1)."""
    return np.array([w[0], -w[1] + w[1] ** 3])


for name, optimizer in {
    "SGD": SGD(0.1), "momentum": SGD(0.02, momentum=0.9), "RMSprop": RMSprop(0.05), "Adam": Adam(0.05),
}.items():  # fmt: skip
    path = run(optimizer, saddle_gradient, [1.0, 1e-3], 120)
    saddle_axes.plot(np.abs(path[:, 1]), color=racers[name][1], linestyle=dashes[name], linewidth=2, label=name)
saddle_axes.axhline(1, color=GREY, linewidth=0.8)
label(saddle_axes, x="step", y="|v|, distance from the ridge", title="On the saddle (minimum at 1)")
figure

# %% [markdown]
# **Figure 4.** Left: the loss along the race of figure 3. Right: another landscape, a **saddle**, where the ball starts
# on a ridge, a thousandth off its middle. The gradient to the side is tiny at first, and SGD and momentum wait for it
# to grow. RMSprop and Adam divide by that same tiny size, and are off in a few steps. That is worth having: in
# landscapes of many dimensions, points where the gradient vanishes are nearly always saddles, seldom bad minima
# (Dauphin et al. 2014).

# %% [markdown]
# ## What a condition number costs
#
# Back to the bowl with curvatures 1 and $\kappa$. The best rate for plain descent makes both directions shrink alike,
# $1 - \eta = -(1 - \eta\kappa)$, so $\eta = 2/(1 + \kappa)$, and each step multiplies the error by
# $(\kappa - 1)/(\kappa + 1)$: the number of steps grows like $\kappa$. With momentum, and the best
# $\eta = \big(2/(1 + \sqrt\kappa)\big)^2$ and $\mu = \big((\sqrt\kappa - 1)/(\sqrt\kappa + 1)\big)^2$, it grows like
# $\sqrt\kappa$ (Polyak 1964). That is what momentum is for.


# %%
def steps_needed(optimizer, kappa, reduction=1e-6):
    """Steps until the loss in a bowl with curvatures 1 and kappa has fallen by the factor `reduction`."""
    curvature, w = np.array([1.0, kappa]), np.ones(2)
    goal = reduction * 0.5 * curvature.sum()
    for step in range(100_000):
        if 0.5 * (curvature * w**2).sum() < goal:
            return step
        w = optimizer.step(w, curvature * w)
    raise RuntimeError("no convergence")


kappas = np.array([2, 5, 10, 30, 100, 300, 1000])
plain = np.array([steps_needed(SGD(2 / (1 + k)), k) for k in kappas])
heavy = np.array(
    [steps_needed(SGD((2 / (1 + np.sqrt(k))) ** 2, ((np.sqrt(k) - 1) / (np.sqrt(k) + 1)) ** 2), k) for k in kappas]
)
growth = [np.polyfit(np.log(kappas[3:]), np.log(steps[3:]), 1)[0] for steps in (plain, heavy)]
print(f"steps grow like kappa to the power {growth[0]:.2f} (plain) and {growth[1]:.2f} (momentum)")
assert abs(growth[0] - 1) < 0.1
assert abs(growth[1] - 0.5) < 0.1

figure = new_figure(7.5, 4)
axes = figure.subplots()
axes.loglog(kappas, plain, "o-", color=BLUE, label="plain descent, best rate")
axes.loglog(kappas, heavy, "s--", color=VERMILLION, label="momentum, best rate and share")
axes.legend(frameon=False)
label(axes, x="condition number (log axis)", y="steps (log axis)", title="Steps to a millionth of the loss")
figure

# %% [markdown]
# **Figure 5.** A ravine that is ten times narrower costs plain descent ten times as many steps, and momentum about three
# times as many. At a condition number of 1000, which is nothing unusual, momentum is some 17 times faster.

# %% [markdown]
# ## What breaks it: the rate, and the noise
#
# On real data the gradient is that of a batch, the loss is no bowl, and nobody knows the curvatures. So one tries
# learning rates, by factors. Here is a network with 32 hidden units on the digits, in NumPy as in chapter 3, with each
# of our optimizers at rates from far too small to far too large.


# %%
digits = kzoo.load_data("digits", smoke=FAST)
x_train = digits.x_train.reshape(len(digits.x_train), -1).astype("float64")  # (n, 64)
y_train = digits.y_train
initial = [  # relu units, so that the variance is 2 / inputs (chapter 6 says why)
    rng.normal(0, np.sqrt(2 / 64), (64, 32)), np.zeros(32), rng.normal(0, np.sqrt(2 / 32), (32, 10)), np.zeros(10)
]  # fmt: skip


def loss_and_gradients(x, y, W1, b1, W2, b2):
    """Mean cross-entropy of a 64-32-10 network, and its derivatives as in chapter 3."""
    a1 = np.maximum(0, x @ W1 + b1)
    logits = a1 @ W2 + b2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta2 = (powers / powers.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(y)
    delta1 = (delta2 @ W2.T) * (a1 > 0)
    gradients = [x.T @ delta1, delta1.sum(axis=0), a1.T @ delta2, delta2.sum(axis=0)]
    return cross_entropy(logits, y).mean(), gradients


def train(make, rate, epochs, batch=32, seed=0):
    """The loss on the whole training set after some epochs, with one optimizer an array."""
    weights, optimizers, order = initial, [make(rate) for _ in initial], np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(y_train)), len(y_train) // batch):
            _, gradients = loss_and_gradients(x_train[rows], y_train[rows], *weights)
            weights = [o.step(w, g) for o, w, g in zip(optimizers, weights, gradients, strict=True)]
    return loss_and_gradients(x_train, y_train, *weights)[0]


makers = {
    "SGD": lambda rate: SGD(rate),
    "momentum": lambda rate: SGD(rate, momentum=0.9),
    "RMSprop": lambda rate: RMSprop(rate),
    "Adam": lambda rate: Adam(rate),
}
rates = 10.0 ** np.arange(-5, 1.1, 1.0 if FAST else 0.5)
figure = new_figure(9, 4.2)
axes = figure.subplots()
with np.errstate(over="ignore", invalid="ignore"):  # some of these runs are meant to explode
    for name, make in makers.items():
        final = np.array([train(make, rate, epochs=2 if FAST else 5) for rate in rates])
        shown = np.where(np.isfinite(final), np.minimum(final, 20), 20)
        _, color, mark = racers[name]
        axes.loglog(rates, shown, color=color, linestyle=dashes[name], marker=mark, label=name)
axes.axhline(np.log(10), color=GREY, linewidth=0.8)
axes.text(rates[0], 0.72 * np.log(10), "grey line: guessing, log 10", fontsize=9, va="top")
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
label(axes, x="learning rate (log axis)", y="training loss, nats (cut off at 20)", title="Digits, a few epochs")
figure

# %% [markdown]
# **Figure 6.** Each optimizer has a window of rates in which it works, one or two powers of ten wide, and **the rate
# matters more than the optimizer**: at their best rates the four are within a factor of three, off them they are worlds
# apart. The windows lie at different places: at 0.001 Adam learns and SGD hardly moves; at 1 SGD is at its best and the
# others are lost. Far beyond its window, an optimizer ends worse than guessing.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Which constant $c$ has the lowest mean squared error to a list of numbers? Which the lowest mean
# *absolute* error? Try it on `[1, 2, 3, 4, 100]`. Which loss would you choose if some of your labels are typing errors?
#
# <details>
# <summary>Solution</summary>
#
# Squared error: the mean, 22. Absolute error: the median, 3, because moving $c$ up by a little helps as many points as
# it hurts there. Absolute error is the surprise under a distribution with heavier tails, and does not run after
# outliers.
#
# ```python
# numbers, c = np.array([1, 2, 3, 4, 100.0]), np.linspace(0, 100, 1001)[:, None]
# assert np.isclose(c[((numbers - c) ** 2).mean(axis=1).argmin(), 0], numbers.mean())
# assert np.isclose(c[np.abs(numbers - c).mean(axis=1).argmin(), 0], np.median(numbers))
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** How long is Adam's very first step, for gradients of 0.001, 1 and 1000? And without the bias correction?
#
# <details>
# <summary>Solution</summary>
#
# At $t = 1$, $\mathbf{m} = (1 - \beta_1)\,\mathbf{g}$ and $\mathbf{s} = (1 - \beta_2)\,\mathbf{g}^2$, so the corrected step
# is $\eta\,\mathbf{g}/|\mathbf{g}|$: the learning rate itself, whatever the gradient (but for $\epsilon$). Without the
# correction it would be $0.1/\sqrt{0.001} \approx 3.2$ times as long.
#
# ```python
# gradient = np.array([0.001, 1.0, 1000.0])
# first = Adam(0.01).step(np.zeros(3), gradient)
# np.testing.assert_allclose(first, -0.01, rtol=0.01)
# optimizer = keras.optimizers.Adam(0.01)
# w = keras.Variable(np.zeros(3), dtype="float32")
# optimizer.build([w])
# optimizer.apply([ops.convert_to_tensor(gradient, dtype="float32")], [w])
# np.testing.assert_allclose(ops.convert_to_numpy(w), first, rtol=1e-4)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Nesterov's momentum takes the step $\mathbf{w} \leftarrow \mathbf{w} + \mu\mathbf{v} - \eta\,\mathbf{g}$
# with the *new* velocity $\mathbf{v}$. Write it, and check it against `keras.optimizers.SGD(..., nesterov=True)`.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# class Nesterov(SGD):
#     def step(self, w, g):
#         self.v = self.momentum * self.v - self.rate * g
#         return w + self.momentum * self.v - self.rate * g
#
#
# optimizer = keras.optimizers.SGD(0.004, momentum=0.9, nesterov=True)
# w = keras.Variable(START, dtype="float32")
# optimizer.build([w])
# for expected in run(Nesterov(0.004, 0.9), ravine_gradient, START, 10)[1:]:
#     gradient = ravine_gradient(ops.convert_to_numpy(w).astype("float64"))
#     optimizer.apply([ops.convert_to_tensor(gradient, dtype="float32")], [w])
#     np.testing.assert_allclose(ops.convert_to_numpy(w), expected, rtol=1e-3, atol=1e-4)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** For a linear model without bias and with squared error, the curvatures of the loss are the eigenvalues of $X^\top X / n$
# (times a constant). Take 500 points with two inputs: a height in metres, normal around 1.7 with deviation 0.1, and a
# weight in kilograms, around 70 with deviation 10. What is the condition number before and after standardising the
# inputs with `kzoo.data.standard_stats`?
#
# <details>
# <summary>Solution</summary>
#
# Before, the two columns differ in size and are nearly parallel (both are far from zero): a ravine so narrow that plain
# descent would need hundreds of thousands of steps. After, it is a round bowl. Standardising inputs is the cheapest
# optimizer there is.
#
# ```python
# from kzoo.data import standard_stats
#
# people = np.stack([rng.normal(1.7, 0.1, 500), rng.normal(70, 10, 500)], axis=1)
# mean, deviation = standard_stats(people)
# before = np.linalg.cond(people.T @ people)
# standardised = (people - mean) / deviation
# after = np.linalg.cond(standardised.T @ standardised)
# print(f"condition number {before:,.0f} before, {after:.2f} after")
# assert before > 10_000
# assert after < 1.5
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A loss is a surprise: squared error for numbers, cross-entropy for classes, computed from logits.
# - Cross-entropy pushes hardest where the network is sure and wrong; squared error behind a sigmoid gives up there.
# - Rates above $2/\lambda_{\max}$ diverge; the flattest direction pays for it, in proportion to the condition number.
# - Momentum turns $\kappa$ into $\sqrt\kappa$; RMSprop and Adam give each weight a step size of its own.
# - Tune the learning rate first, by factors, whatever the optimizer.
# - Next, **chapter 5**: all of it together, in a network that reads digits.
