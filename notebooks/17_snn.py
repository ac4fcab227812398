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
# # 17 · Spiking networks trained by surrogate gradients
#
# **How can a network learn when every answer in it is a step, which has no slope?**
#
# After this chapter you can
#
# - show why the gradient of a spike is useless, and what is put in its place;
# - carry a gradient backwards through time and through resets, by hand, and get kzoo's numbers;
# - turn an image into spikes in three ways, and say what each costs in time;
# - train a network of spiking neurons, look at its spikes, and make it use fewer;
# - break the training in three ways, and recognise each of them by its gradients.
#
# It needs chapters 3, 5 and 15. On one core about two minutes.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import dataclasses

import keras
import numpy as np
from keras import ops

from kzoo import bio, plots
from kzoo.layers.encoders import LatencyEncoder, RateEncoder
from kzoo.layers.initializers import GlorotUniform, VarianceScaling
from kzoo.layers.lif import LIF, LeakyIntegrator
from kzoo.ops.spikes import SURROGATES, spike
from kzoo.plots.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, bare, color, label, marker, new_figure
from kzoo.training import evaluate
from kzoo.training.batches import Batches, FollowEpoch

data = kzoo.load_data("digits")
numpy = ops.convert_to_numpy

# %% [markdown]
# ## A step has no slope
#
# A spiking neuron answers with 1 or with nothing. Here is that of chapter 15 without its units: time in steps,
# threshold 1, rest and reset 0, and the current scaled so that a current of $I$ lifts the voltage by $I$ in a step. In
# step $k$, with $\lambda = e^{-1/\tau}$ the part of the voltage that a step leaves,
#
# $$ U_k = \lambda V_k + I_k, \qquad S_k = H(U_k - 1), \qquad V_{k+1} = U_k (1 - S_k). $$
#
# $U$ is the voltage before the reset, $V$ that after it, and $H$ the step: 1 above 0, else 0.
#
# Let such a neuron have a single weight, $I_k = w$, and let it learn to fire 5 times in 25 steps: the loss is
# $(n - 5)^2$, with $n = \sum_k S_k$. Chapter 3 would now ask for $\partial L / \partial w$.

# %%
tau = 5.0
kept = np.exp(-1 / tau)


def lif(current):
    """Currents (t, ...) -> spikes and voltages before the reset, each (t, ...)."""
    v, spikes, before = np.zeros_like(current[0]), [], []
    for i in current:
        u = kept * v + i
        s = (u > 1).astype(u.dtype)
        v = u * (1 - s)
        spikes.append(s)
        before.append(u)
    return np.array(spikes), np.array(before)


def counted(w):
    """How often a neuron fires in 25 steps, for each of the weights (n,)."""
    return lif(np.tile(w, (25, 1)))[0].sum(axis=0)


weights = np.linspace(0, 1.2, 2401) + 1e-5
width = 1e-7
slopes = ((counted(weights + width) - 5) ** 2 - (counted(weights - width) - 5) ** 2) / (2 * width)
print(f"the slope of the loss is exactly 0 at {(slopes == 0).sum()} of {len(weights)} weights")
assert np.mean(slopes == 0) > 0.99

# %% [markdown]
# There it is: the loss changes, but only in jumps. Between them a weight may move without any effect, and *at* a jump
# the slope is infinite. Neither tells gradient descent where to go.
#
# ## The idea: a slope that is lent
#
# Forwards the neuron stays as it is. Backwards, wherever the chain rule asks for the slope of $H$, it gets that of
# something smooth which looks like $H$ from afar: a **surrogate** $\sigma'(x)$, where $x = U - 1$ says how far the
# voltage was above threshold. The gradient is then wrong, on purpose. But it has the right sign, and says something
# even where no spike fell: *you were close*. Three are common:
#
# | name | $\sigma'(x)$ | slope $s$ in kzoo | from |
# | --- | --- | --- | --- |
# | straight-through | 1 | none | Bengio et al. 2013, arXiv:1308.3432 |
# | fast sigmoid | $1 / (1 + s \lvert x \rvert)^2$ | 25 | Zenke and Ganguli 2018, arXiv:1705.11146 |
# | arctan | $\frac{s}{2} / (1 + (\frac{\pi}{2} s x)^2)$ | 2 | Fang et al. 2021, arXiv:2007.05785 |
#
# In a framework that differentiates by itself it takes one line, in kzoo `hard + (x - stop_gradient(x)) * ...`: the
# value is that of the step, and the derivative is whatever stands at the dots.

# %%
surrogates = {
    "straight_through": lambda x, s=1.0: np.ones_like(x),
    "fast_sigmoid": lambda x, s=25.0: 1 / (1 + s * np.abs(x)) ** 2,
    "arctan": lambda x, s=2.0: s / 2 / (1 + (np.pi / 2 * s * x) ** 2),
}
assert surrogates.keys() == SURROGATES.keys()
x = keras.Variable(np.linspace(-1.5, 1.5, 302, dtype="float32"))  # an even number: none of them is 0
for name, (_, s) in SURROGATES.items():
    value = numpy(spike(ops.convert_to_tensor(x), name, s))
    _, (lent,) = kzoo.backend.value_and_grad(lambda n=name, s=s: ops.sum(spike(ops.convert_to_tensor(x), n, s)), [x])
    np.testing.assert_array_equal(value, numpy(x) > 0)
    np.testing.assert_allclose(numpy(lent), surrogates[name](numpy(x)), rtol=1e-5)
print("kzoo's spikes are steps, and their slopes the three formulas")

wanted = 5
w, path = 0.1, []
for _ in range(40):
    spikes, before = lif(np.full(25, w))
    path.append((w, spikes.sum()))
    # The slope of n by w, with the surrogate: through the voltages of all steps that no reset lies behind.
    reach, total = 0.0, 0.0
    for s, u in zip(spikes, before, strict=True):
        reach = 1 + kept * reach
        total += surrogates["arctan"](u - 1) * reach
        reach *= 1 - s
    w -= 3e-5 * 2 * (spikes.sum() - wanted) * total
path = np.array(path)
print(f"gradient descent with arctan: w from {path[0, 0]:.2f} to {w:.2f}, spikes from {path[0, 1]:.0f} to {wanted}")
assert path[-1, 1] == wanted

figure = new_figure(11, 3.6)
axes = figure.subplots(1, 3)
axes[0].plot(weights, counted(weights), color=BLUE)
axes[0].axhline(wanted, color=GREY, linestyle=":", linewidth=1.5)
label(axes[0], x="weight w", y="spikes in 25 steps", title="What can be had")
grid = numpy(x)
axes[1].plot(grid, grid > 0, color=BLACK, linewidth=2.5, label="the spike")
for k, (name, s) in enumerate((("straight_through", 1.0), ("fast_sigmoid", 25.0), ("arctan", 2.0))):
    axes[1].plot(grid, surrogates[name](grid, s), color=color(k), linestyle=("--", "-.", "-")[k], label=name)
label(axes[1], x="x: voltage above threshold", y="value, or lent slope", title="Three slopes")
axes[1].set_ylim(-0.05, 1.75)
axes[1].legend(fontsize=8, loc="upper left")
axes[2].plot(path[:, 0], color=BLUE, label="weight")
label(axes[2], x="step of gradient descent", y="weight w", title="Descent along arctan")
twin = axes[2].twinx()
twin.plot(path[:, 1], color=ORANGE, linestyle="--", label="spikes")
label(twin, y="spikes in 25 steps (dashed)")
figure

# %% [markdown]
# **Figure 1.** Left: how often the neuron fires, over its weight: a staircase, flat nearly everywhere. Middle: the
# spike itself (black), and the slopes that are lent to it. The fast sigmoid looks only at voltages close to the
# threshold, the straight-through one at all alike. Right: gradient descent on the weight with arctan. It starts where
# the neuron is silent, with no slope at all in sight, climbs the stairs (dashed), and stays at five spikes.

# %% [markdown]
# ## Backwards through time, by hand
#
# A spiking layer is a recurrent network (chapter 8): its state is the voltage. Let $g_k = \partial L / \partial S_k$ be
# what later layers say of the spikes, and $\delta_k = \partial L / \partial U_k$. A voltage acts in two ways: on the
# spike of its own step, and, if it is not reset, on the next voltage, of which $\lambda$ is left:
#
# $$ \delta_k = g_k\, \sigma'(U_k - 1) + \lambda\, \delta_{k+1} (1 - S_k), \qquad
#    \frac{\partial L}{\partial I_k} = \delta_k. $$
#
# There is a third way, $V_{k+1} = U_k (1 - S_k)$: the spike resets the voltage. Its slope is a surrogate's as well and
# would add $-\lambda\, \delta_{k+1} U_k\, \sigma'(U_k - 1)$. Nearly everybody leaves it out (**the reset is
# detached**), and at the end of the chapter we see why.


# %%
def lif_backward(g, spikes, before, lent, detached=True):
    """dL/dS (t, ...) -> dL/dI (t, ...)."""
    later, found = np.zeros_like(g[0]), np.empty_like(g)  # later: dL/dV of the next step
    for k in reversed(range(len(g))):
        through = lent(before[k] - 1)
        on_spike = g[k] if detached else g[k] - later * before[k]
        found[k] = on_spike * through + later * (1 - spikes[k])
        later = kept * found[k]
    return found


rng = np.random.default_rng(3)
current = rng.normal(0.25, 0.4, size=(40, 6))  # (t, u)
g = rng.normal(size=current.shape)
spikes, before = lif(current)
resistance = float(1 / (1 - kept))  # a current of 1 lifts the voltage by 1 in a step
given = keras.Variable(current[None].astype("float32"))  # (b, t, u)
for name, lent in surrogates.items():
    for detached in (True, False):
        layer = LIF(6, tau, resistance, surrogate=name, detach_reset=detached)
        assert np.array_equal(numpy(layer(given))[0], spikes)

        def weighted(layer=layer):
            return ops.sum(layer(ops.convert_to_tensor(given)) * ops.convert_to_tensor(g[None].astype("float32")))

        _, (theirs,) = kzoo.backend.value_and_grad(weighted, [given])
        ours = lif_backward(g, spikes, before, lent, detached)
        np.testing.assert_allclose(numpy(theirs)[0], ours, rtol=0, atol=1e-5 * np.abs(ours).max())
print(f"{spikes.sum():.0f} spikes of 6 neurons agree, and 6 x {current.size} gradients")

current = np.where(np.arange(60) < 48, 0.26, 0.0) + 0.05 * rng.normal(size=60)
spikes, before = lif(current)
g = (np.arange(60) >= 33).astype(float)  # more spikes from here on, please
figure = new_figure(10, 4.6)
panels = figure.subplots(3, 1, sharex=True)
panels[0].step(np.arange(60), current, where="mid", color=GREY)
panels[1].plot(before, ".-", color=BLUE)
panels[1].plot(np.flatnonzero(spikes), before[spikes > 0], "^", color=VERMILLION, markersize=9, label="spike")
panels[1].axhline(1, color=VERMILLION, linestyle="--", linewidth=1)
panels[1].set_ylim(0, 1.3)
panels[1].legend()
for name, shade, line in (("arctan", BLUE, "-"), ("fast_sigmoid", ORANGE, "--")):
    credit = lif_backward(g, spikes, before, surrogates[name])
    panels[2].plot(credit, line, color=shade, label=name)
panels[2].axvline(32.5, color=GREY, linestyle=":")
panels[2].legend()
for axes, words in zip(panels, ("current", "voltage U", "gradient"), strict=True):
    label(axes, y=words)
    axes.grid(alpha=0.25)
label(panels[2], x="step")
figure

# %% [markdown]
# **Figure 2.** A neuron that is wanted to spike more from step 33 on (right of the dotted line). The gradient says by
# how much a little more current at each step would help. It falls at each spike: what was before a reset cannot
# matter after it. So credit passes the dotted line to the left, back to the last spike there, and no further. The fast
# sigmoid gives it for voltages close to the threshold only.

# %% [markdown]
# ## Three codes
#
# A spiking network lives in time; an image does not. How does one become the other? As a **current**: every pixel
# pushes all the time, as strongly as it is bright. As a **rate**: at each step a spike with the pixel's value as its
# probability. As a **latency**: one spike, the earlier the brighter.

# %%
steps = 25
digit = int(np.flatnonzero(data.y_test == 5)[0])
pixels = data.x_test[digit].reshape(1, 64)
as_rate = numpy(RateEncoder(steps, seed=0)(pixels))[0]  # (t, 64)
as_latency = numpy(LatencyEncoder(steps)(pixels))[0]
when = np.ceil(steps * (1 - pixels[0])).astype(int)  # 1 is the first step, black never comes
by_hand = np.zeros((steps, 64))
by_hand[np.clip(when, 1, steps) - 1, np.arange(64)] = pixels[0] > 0
np.testing.assert_array_equal(by_hand, as_latency)
spread = np.sqrt(pixels[0] * (1 - pixels[0]) / steps)
assert np.all(np.abs(as_rate.mean(axis=0) - pixels[0]) <= 4 * spread)
print(f"spikes of the code: rate {as_rate.sum():.0f}, latency {as_latency.sum():.0f}")

figure = new_figure(11, 3.4)
axes = figure.subplots(1, 4, width_ratios=(0.8, 1, 1, 1))
axes[0].imshow(pixels.reshape(8, 8), cmap="gray")
bare(axes[0])
label(axes[0], title="64 pixels")
axes[1].imshow(np.tile(pixels[0][:, None], (1, steps)), cmap="gray_r", aspect="auto", interpolation="nearest")
label(axes[1], title="current", y="pixel")
for panel, values, name in ((axes[2], as_rate, "rate"), (axes[3], as_latency, "latency")):
    at, which = np.nonzero(values)
    panel.plot(at, which, "|", color=BLUE, markersize=6, markeredgewidth=1.6)
    panel.set_xlim(-0.5, steps - 0.5)
    panel.set_ylim(63.5, -0.5)
    label(panel, title=name)
for panel in axes[1:]:
    label(panel, x="step")
figure

# %% [markdown]
# **Figure 3.** A five in three codes. The current is exact at once. The rate says little in the first steps, and its
# error shrinks with the root of their number. The latency takes one spike a pixel, but grey pixels come late.

# %% [markdown]
# ## A network, whole, by hand
#
# kzoo's `snn` is: Dense, LIF, Dense, and as **readout** a membrane for each class that never spikes, whose mean voltage
# is the logit. With what we have that is ten lines forwards and ten backwards. Do they give kzoo's gradients?

# %%
model = kzoo.create_model("snn", seed=0, input_shape=(8, 8, 1), hidden_dims=(64,), steps=10, tau=tau)
batch, labels = data.x_train[:16], data.y_train[:16]


def by_hand(model, x, y):
    """Logits (b, k), and the gradients of the mean cross-entropy by both kernels."""
    (w1, b1), (w2, b2) = ([numpy(part).astype(float) for part in model.get_layer(n).weights]
                          for n in ("dense_1", "readout"))  # fmt: skip
    x = x.reshape(len(x), -1).astype(float)
    spikes, before = lif(np.tile(x @ w1 + b1, (10, 1, 1)))  # (t, b, u)
    v, total = 0, 0
    for driven in spikes @ w2 + b2:
        v = kept * v + driven
        total = total + v
    logits = total / 10
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    d = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(y) / 10  # of a voltage, at each step
    left = np.array([d * (1 - kept ** (10 - k)) / (1 - kept) for k in range(10)])  # of a current: it decays since
    on_current = lif_backward(left @ w2.T, spikes, before, surrogates["arctan"])
    return logits, [x.T @ on_current.sum(axis=0), np.einsum("tbu,tbk->uk", spikes, left)]


logits, ours = by_hand(model, batch, labels)
np.testing.assert_allclose(logits, numpy(model(batch)), rtol=0, atol=1e-5)
cost = model.training_loss()
kernels = [model.get_layer(n).kernel for n in ("dense_1", "readout")]
_, theirs = kzoo.backend.value_and_grad(lambda: cost(ops.convert_to_tensor(labels), model(batch)), kernels)
for mine, their in zip(ours, theirs, strict=True):
    np.testing.assert_allclose(mine, numpy(their), rtol=0, atol=1e-5 * np.abs(mine).max())
print(f"logits and the gradients of {sum(k.shape[0] * k.shape[1] for k in kernels):,} weights agree")

# %% [markdown]
# Now let it learn, with each of the three codes. Nothing else changes: Adam, cross-entropy, a handful of epochs.


# %%
def fit(model, loss=None, y=data.y_train, epochs=4 if FAST else 12, rate=5e-3):
    """Trains on the digits, in the same order on every backend."""
    batches = Batches(data.x_train, y, 32, seed=0)
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * batches.num_batches)
    model.compile(keras.optimizers.Adam(decay), loss or model.training_loss())
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[FollowEpoch(batches)])
    return model


def accuracy(model):
    return 100 * evaluate(model, data.x_test, data.y_test, batch_size=len(data.y_test))[0]["accuracy"]


trained = {}
for code in ("current", "rate", "latency"):
    made = kzoo.create_model("snn", seed=0, input_shape=(8, 8, 1), hidden_dims=(64,), steps=10, tau=tau, encoder=code)
    trained[code] = fit(made)
    print(f"{code:>8}: {accuracy(made):.1f} % of the test digits")


# %%
def logits_over_time(model, x):
    """The mean voltages up to each step, (b, t, k): the answer if it had to come now."""
    voltages = model.activations(x)["voltages"]
    return np.cumsum(voltages, axis=1) / np.arange(1, voltages.shape[1] + 1)[:, None]


model, one = trained["current"], data.x_test[digit : digit + 1]
plots.spiking_layers(
    {"hidden": model.spike_trains(one)["lif_1"][0]},
    logits_over_time(model, one)[0],
    title="One digit in a spiking network",
    image=data.x_test[digit],
    target=int(data.y_test[digit]),
)

# %% [markdown]
# **Figure 4.** The spikes of the 64 hidden neurons for the five of figure 3, and below the mean voltages of the ten
# readout membranes so far; at the last step they are the logits. Neurons that need two steps to the threshold fire at
# every other one, and all of them at the same ones, since all start from rest together: hence the raster's rhythm.

# %% [markdown]
# ## How long must it look?
#
# A network that computes in time can be asked at any time. The same trained networks, and the answer that they would
# have given after 1, 2, ... steps: nothing is trained again.


# %%
figure = new_figure(8, 3.6)
axes = figure.subplots()
for k, (code, made) in enumerate(trained.items()):
    answers = logits_over_time(made, data.x_test).argmax(axis=-1)
    scores = 100 * (answers == data.y_test[:, None]).mean(axis=0)
    assert abs(scores[-1] - accuracy(made)) < 0.1
    axes.plot(np.arange(1, 11), scores, color=color(k), marker=marker(k), linestyle=("-", "--", ":")[k], label=code)
    print(f"{code:>8}: " + " ".join(f"{score:5.1f}" for score in scores))
axes.axhline(10, color=GREY, linewidth=1, linestyle=":")
label(axes, x="steps looked at", y="test accuracy (%)")
axes.set_ylim(0, 102)
axes.legend()
axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 5.** Accuracy over the steps that the answer waits for; the dotted line is chance. Under a current one step
# tells nine digits of ten, since whoever fires first is whoever is driven most, and two tell nearly all. The rate
# gets better as its noise averages out. The latency waits for the grey pixels. They were trained to answer at the end:
# trained to answer early, they would be better at it.

# %% [markdown]
# ## Fewer spikes
#
# Why spikes at all? Where none falls, nothing has to be computed. A spike of ours costs ten additions, one for each
# class, where a layer of 64 numbers costs 640 multiplications. (On your processor a spiking network is the slower one:
# it makes all the products, with zeros too, at each step. Saving needs hardware that skips them.) So let a spike have
# a price in the loss, so many nats each, and see what the network can do without.


# %%
def thrifty(price):
    """A network that pays `price` nats for each hidden spike of an image."""
    model = kzoo.create_model("snn", seed=0, input_shape=(8, 8, 1), hidden_dims=(64,), steps=10, tau=tau)
    spent = ops.sum(model.get_layer("lif_1").output, axis=(1, 2))
    both = keras.Model(model.input, ops.concatenate([model.output, spent[:, None]], axis=1))  # (b, 10 + 1)

    def loss(y, z):
        return keras.losses.sparse_categorical_crossentropy(y, z[:, :10], from_logits=True) + price * z[:, 10]

    fit(both, loss)
    return model


prices = (0.0, 0.01) if FAST else (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
bought = []
for price in prices:
    made = thrifty(price) if price else trained["current"]
    bought.append((accuracy(made), made.spike_trains(data.x_test)["lif_1"].sum(axis=(1, 2)).mean()))
bought = np.array(bought)
for price, (score, spent) in zip(prices, bought, strict=True):
    print(f"{price:5.3f} nats a spike: {score:5.1f} %, {spent:6.1f} spikes an image")
assert np.all(np.diff(bought[:, 1]) < 0)
figure = new_figure(8, 3.6)
axes = figure.subplots()
axes.plot(bought[:, 1], bought[:, 0], "o-", color=BLUE)
for price, (score, spent) in zip(prices, bought, strict=True):
    axes.annotate(f"{price:g}", (spent, score), xytext=(4, -14), textcoords="offset points")
axes.axvline(64, color=GREY, linestyle=":", label="one spike a neuron")
axes.set_ylim(0, 105)
axes.legend()
label(axes, x="hidden spikes an image", y="test accuracy (%)")
axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 6.** Accuracy over spikes, the price of a spike (nats) beside each point. Free of charge, a hidden neuron
# fires two or three times an image. At 0.01 nats six of seven spikes are gone, and most neurons do not fire at all,
# for about one per cent of accuracy. At 0.1 the cheapest network is a dead one: it never fires, and guesses.

# %% [markdown]
# ## What breaks it
#
# One hidden layer forgives much. Three do not, because the chain rule multiplies what each layer and each step lends.
#
# - *Too few spikes.* With weights too small (or a threshold too high, which is the same) all neurons are silent. Then
#   the next layer gets no input, and its kernel a gradient of exactly 0. The first kernel and the biases do have
#   something to go by, through slopes that are lent far from the threshold: a narrow surrogate has next to none there.
# - *A slope too steep.* That of arctan is $s / 2$ at the threshold. With $s = 200$ a neuron which happens to be there is
#   heard a hundred times as loud as with $s = 2$, and all others not at all.
# - *A reset that is not detached.* A step back in time then multiplies by $\lambda (1 - S - U \sigma')$. At the
#   threshold that is 0 or -0.8 for $s = 2$, but -3.3 or -4.1 for $s = 10$: a neuron that stays close to the threshold for
#   some steps blows the gradient up.


# %%
def deep(scale=1.0, **neuron):
    """Three hidden layers, put together from kzoo's layers; `scale` multiplies the initial weights."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Reshape((64,))(inputs)
    for k in range(3):
        start = VarianceScaling(2 * scale**2, mode="fan_in", distribution="uniform", seed=k + 1)
        x = keras.layers.Dense(64, kernel_initializer=start)(x)
        x = LIF(64, tau, resistance, steps=None if k else 10, **neuron)(x)
    x = keras.layers.Dense(10, kernel_initializer=GlorotUniform(seed=9))(x)
    return keras.Model(inputs, ops.mean(LeakyIntegrator(10, tau, resistance)(x), axis=1))


cases = {
    "as it should be": {},
    "silent: weights x 0.03, s = 50": {"scale": 0.03, "slope": 50.0},
    "silent as well, but s = 2": {"scale": 0.03},
    "too steep: s = 200": {"slope": 200.0},
    "reset not detached, s = 10": {"slope": 10.0, "detach_reset": False},
}
sizes, ends = {}, {}
for name, arguments in list(cases.items())[: 2 if FAST else None]:
    model = deep(**arguments)
    kernels = [part.kernel for part in model.layers if isinstance(part, keras.layers.Dense)]

    def at_start(model=model):
        return cost(ops.convert_to_tensor(data.y_train[:128]), model(data.x_train[:128]))

    _, found = kzoo.backend.value_and_grad(at_start, kernels)
    sizes[name] = np.array([np.linalg.norm(numpy(part)) for part in found])
    ends[name] = accuracy(fit(model, cost))
    print(f"{name:>30}: {ends[name]:5.1f} %, gradients " + " ".join(f"{size:.0e}" for size in sizes[name]))
silent = sizes["silent: weights x 0.03, s = 50"]
assert np.all(silent[1:] == 0)
assert silent[0] < 1e-6

figure = new_figure(11, 4)
axes = figure.subplots(1, 2, width_ratios=(1.3, 1))
for k, name in enumerate(sizes):
    shown = np.where(sizes[name] > 0, sizes[name], np.nan)
    axes[0].semilogy(shown, color=color(k), marker=marker(k), linestyle=("-", "--", "--", ":", "-.")[k], markersize=8)
axes[0].set_xticks(range(4), ["first", "second", "third", "readout"])
label(axes[0], x="kernel", y="norm of its gradient (log axis)", title="Before the first step")
axes[0].grid(alpha=0.25)
axes[1].barh(list(ends), ends.values(), color=[color(k) for k in range(len(ends))])
axes[1].invert_yaxis()
axes[1].axvline(10, color=BLACK, linestyle=":")
label(axes[1], x="test accuracy after training (%)", title="After training")
figure

# %% [markdown]
# **Figure 7.** Left: how large the gradient of each kernel is in a fresh network; a gradient of 0 has no mark. Right:
# what becomes of the network; the dotted line is chance. In a healthy one all layers hear about equally much. The
# kernels of the silent ones hear nothing, but for the first. With a narrow surrogate that is too little, and the
# network stays silent; with a wide one Adam, which divides by the gradient's size, wakes it. The steep slope's gradient
# grows from layer to layer and that of the attached reset from step to step, and both networks train badly.

# %% [markdown]
# ## The same neuron as the biologist's
#
# Nothing in this layer is a caricature of chapter 15's neuron: it *is* that neuron, with a gradient. It takes the same
# parameters, in volts, ohms and seconds, and gives the same spikes. Only the numbers are shorter, 24 bits here and 53
# there.

# %%
cell, dt = bio.LIF(), 1e-4
pushed = bio.currents.sine(0.4, dt, 0.2e-9, frequency=7.0, baseline=0.25e-9)
record = bio.simulate(cell, pushed, dt)
layer = LIF(1, **dataclasses.asdict(cell), dt=dt, return_voltages=True)
spikes, voltages = layer(ops.convert_to_tensor(pushed[None, :, None].astype("float32")))
np.testing.assert_array_equal(numpy(spikes)[0] > 0, record.spikes)
apart = np.abs(numpy(voltages)[0] - record.voltage).max()
assert apart < 1e-6
print(f"{record.spikes.sum()} spikes at the same steps; voltages differ by {apart * 1e9:.0f} nV at most")

# %% [markdown]
# ## A trained one
#
# The preset `snn_digits` ships with kzoo, and so does `snn_mnist`, of 512 hidden neurons.

# %%
shipped = kzoo.from_preset("snn_digits")
trains = shipped.spike_trains(data.x_test)
print(f"{len(shipped.layers)} layers, {accuracy(shipped):.2f} % of the test digits,")
print(f"{trains['lif_1'].sum(axis=(1, 2)).mean():.0f} spikes an image")
answers = logits_over_time(shipped, data.x_test)
wrong = int(np.flatnonzero(answers[:, -1].argmax(axis=1) != data.y_test)[0])
plots.spiking_layers(
    {"hidden": trains["lif_1"][wrong]},
    answers[wrong],
    title="A digit that snn_digits gets wrong",
    image=data.x_test[wrong],
    target=int(data.y_test[wrong]),
)

# %% [markdown]
# **Figure 8.** What the network that ships with kzoo does with a digit that it gets wrong. Most classes fall behind
# within a few steps. The right one (orange) does not, but the answer (blue) stays beside it to the end.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Of what is the surrogate gradient the true one? Put the smooth
# $\sigma(x) = \frac{1}{\pi} \arctan(\frac{\pi}{2} s x) + \frac{1}{2}$ in the place of the step, forwards too, and
# compare `lif_backward` with finite differences. Which of its two forms is right?
#
# <details>
# <summary>Solution</summary>
#
# The one that is not detached: it follows every path on which a voltage acts. So the surrogate gradient is the exact
# gradient of a smooth network, taken at the spikes of another one. With the reset detached it is the gradient of
# nothing, and it trains better all the same.
#
# ```python
# def smooth(current):
#     """The loss, spikes and voltages of a neuron whose spikes are soft."""
#     v, found, before = 0.0, [], []
#     for i in current:
#         u = kept * v + i
#         s = np.arctan(np.pi * (u - 1)) / np.pi + 0.5
#         v = u * (1 - s)
#         found.append(s)
#         before.append(u)
#     return np.array(found), np.array(before)
#
# push = rng.normal(0.3, 0.3, size=20)
# g = rng.normal(size=20)
# differences = [
#     ((smooth(push + step)[0] - smooth(push - step)[0]) @ g) / 2e-5 for step in 1e-5 * np.eye(20)
# ]
# soft, voltages = smooth(push)
# whole, part = (lif_backward(g, soft, voltages, surrogates["arctan"], detached) for detached in (False, True))
# np.testing.assert_allclose(whole, differences, atol=1e-7)
# assert np.abs(part - differences).max() > 1e-2
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Instead of setting the voltage to 0, a spike may *subtract* the threshold. Count the spikes of a neuron
# without leak ($\lambda = 1$) under a constant current below 1, for both resets. Which of the two counts is, to within
# one spike, proportional to the current?
#
# <details>
# <summary>Solution</summary>
#
# The one that subtracts: nothing is thrown away, and after $t$ steps as many spikes have fallen as there are whole units
# in $t I$. Such a neuron is a relu that is read by counting, and so a trained network of relus can be turned into a
# spiking one.
#
# ```python
# def spikes_of(current, subtract, steps=200):
#     v, count = 0.0, 0
#     for _ in range(steps):
#         v += current
#         if v > 1:
#             count, v = count + 1, v - 1 if subtract else 0.0
#     return count
#
# for push in (0.013, 0.17, 0.31, 0.47, 0.63, 0.89):
#     soft, hard = (spikes_of(push, subtract) for subtract in (True, False))
#     print(f"I = {push}: {200 * push:5.1f} expected, {soft} if it subtracts, {hard} if it is set to 0")
#     assert abs(soft - 200 * push) <= 1
# assert hard < 0.7 * 200 * push
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Spikes get lost. Remove each hidden spike of the network of figure 4 with probability $p$, before the
# readout, and plot or print its accuracy over $p$. How many can be lost?
#
# <details>
# <summary>Solution</summary>
#
# A lost spike is a little less of one of many voices. The readout is linear, so the mean logit shrinks by $1 - p$ and
# its noise grows slowly: half the spikes do nearly as well as all.
#
# ```python
# hidden = trained["current"].spike_trains(data.x_test)["lif_1"]
# w2, b2 = (numpy(part) for part in trained["current"].get_layer("readout").weights)
# scores = []
# for p in (0.0, 0.25, 0.5, 0.75, 1.0):
#     kept_spikes = hidden & (rng.random(hidden.shape) >= p)
#     left = (1 - kept ** np.arange(10, 0, -1)) / (1 - kept)  # of a step's current, until the last step
#     z = np.einsum("btk,t->bk", kept_spikes @ w2 + b2, left) / 10
#     scores.append(100 * (z.argmax(axis=1) == data.y_test).mean())
#     print(f"p = {p:4.2f}: {scores[-1]:.1f} %")
# assert abs(scores[0] - accuracy(trained["current"])) < 0.3
# assert scores[2] > 70 > 30 > scores[4]
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** How well does a rate code know a pixel? Measure the root of the mean squared error of the mean of
# `RateEncoder` for 4, 16, 64 and 256 steps. How many steps would one grey level in 16 take?
#
# <details>
# <summary>Solution</summary>
#
# The mean of $t$ draws with probability $x$ has the variance $x (1 - x) / t$: four times the steps, half the error. For
# a middle grey to be known to 1/16 it takes $0.25 \cdot 16^2 = 64$ steps. A latency code has one spike, and needs 16.
#
# ```python
# grey = np.full((1, 4000), 0.5, "float32")
# errors = []
# for t in (4, 16, 64, 256):
#     mean = numpy(RateEncoder(t, seed=1)(grey))[0].mean(axis=0)
#     errors.append(np.sqrt(np.mean((mean - 0.5) ** 2)))
#     print(f"{t:3d} steps: {errors[-1]:.3f}")
# np.testing.assert_allclose(errors, 0.5 / np.sqrt([4, 16, 64, 256]), rtol=0.1)
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A spike is a step: its gradient is 0 nearly everywhere. A surrogate lends it the slope of something smooth, backwards
#   only.
# - A spiking layer is a recurrent network. Its gradient runs back through the leak, and stops at each reset.
# - Current, rate and latency are three codes of one image; time buys accuracy, and the code decides at what rate.
# - Spikes can be charged for, and most of them saved.
# - Silence, a steep slope, and an attached reset break the training of deep networks; gradients show which it is.
#
# To read on: Neftci, Mostafa and Zenke, *Surrogate gradient learning in spiking neural networks*, 2019,
# arXiv:1901.09948. Zenke and Vogels, *The remarkable robustness of surrogate gradient learning*, 2021,
# doi:10.1162/neco_a_01367. In kzoo: `kzoo/ops/spikes.py`, `kzoo/layers/lif.py` and `kzoo/models/snn.py`; from a shell,
# `kzoo train snn --data digits`.
