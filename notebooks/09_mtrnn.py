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
# # 9 · MTRNN
#
# **How can one network know several movements, and when to change from one to the next?**
#
# After this chapter you can
#
# - say what a time constant does to a unit, and which changes a slow unit cannot hear;
# - run a network of fast and slow units by hand, in a loop that is closed: what it does is what it sees;
# - teach one network five movements that differ in nothing but the state that it begins with;
# - show that slow units hold the plan, by making them slower, by making them fast, and by stopping them.
#
# It needs chapters 3, 6 and 8. On one core about one minute on JAX, two on TensorFlow and six on PyTorch.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import itertools

import keras
import numpy as np

from kzoo import plots
from kzoo.data.primitives import PRIMITIVES, compositions, lessons, lissajous, sequence
from kzoo.plots.style import BLACK, BLUE, DIVERGING, GREY, ORANGE, TICK, VERMILLION, color, label, new_figure

rng = np.random.default_rng(0)
NAMES = list(PRIMITIVES)
TAU = (2.0, 5.0, 70.0)  # time constants of outputs, fast and slow units, in steps of the sequence

# %% [markdown]
# ## The idea: units that do not forget at once
#
# The simple recurrent network of chapter 8 makes its whole state anew at every step. A **leaky** unit keeps most of its
# potential $u$ and moves a part of the way towards what it is told, its drive $I$. (A GRU does so too, but learns at
# each step how far; here the part is fixed.) As an equation of time, and in steps of length 1:
#
# $$ \tau \frac{du}{dt} = -u + I \qquad \text{becomes} \qquad
#    u_t = \left(1 - \frac{1}{\tau}\right) u_{t-1} + \frac{1}{\tau} I_t. $$
#
# $\tau$ is its **time constant**, in steps. With $\tau = 1$ nothing is kept, which is chapter 8. A large $\tau$ makes
# the unit slow, and deaf to what changes fast: it hears a mean over about the last $\tau$ steps. Told $I = 1$ from
# $u_0 = 0$ on, it has come $u_t = 1 - (1 - 1/\tau)^t$ of the way: about two thirds after $\tau$ steps.


# %%
def leaky(drive, tau):
    """Potentials (t,) of one unit with drive (t,), from 0."""
    u, path = 0.0, []
    for told in drive:
        u = (1 - 1 / tau) * u + told / tau
        path.append(u)
    return np.array(path)


t = np.arange(1, 201)
step, wave = np.ones(200), np.sin(2 * np.pi * t / 20)
figure = new_figure(10, 3.6)
axes = figure.subplots(1, 2, sharex=True)
axes[0].axhline(1, color=GREY, linewidth=1, label="what it is told")
axes[1].plot(t, wave, color=GREY, linewidth=1, label="what it is told")
for tau, shade, line in zip(TAU, (BLUE, ORANGE, VERMILLION), ("-", "--", "-."), strict=True):
    answer = leaky(step, tau)
    np.testing.assert_allclose(answer, 1 - (1 - 1 / tau) ** t)
    print(f"tau {tau:2.0f}: {100 * answer[int(tau) - 1]:.0f} % of the way after {tau:.0f} steps")
    for panel, told in zip(axes, (step, wave), strict=True):
        panel.plot(t, leaky(told, tau), color=shade, linestyle=line, linewidth=2, label=rf"$\tau$ = {tau:.0f}")
label(axes[0], x="step", y="potential u", title="a constant")
label(axes[1], x="step", title="a cycle of 20 steps")
for panel in axes:
    panel.grid(alpha=0.25)
axes[0].legend()
figure

# %% [markdown]
# **Figure 1.** One leaky unit with three time constants, told to be 1 (left) and told to go up and down once in 20
# steps (right). With $\tau = 2$ it follows both. With $\tau = 70$ it has not quite reached the constant after 200
# steps, and of the cycle a few percent come through. So a network with both kinds can do two things at once: the fast
# units move, and the slow ones see over many cycles of the movement.

# %% [markdown]
# ## Three groups
#
# Yamashita and Tani's **multiple-timescale recurrent network** (2008) has three groups: outputs ($\tau = 2$), fast
# context ($\tau = 5$) and slow context ($\tau = 70$). All are leaky, and the drive is what a recurrent network's is:
#
# $$ u_{i,t} = \left(1 - \frac{1}{\tau_i}\right) u_{i,t-1} + \frac{1}{\tau_i} \Big( \sum_j y_{j,t-1} W_{ji} + b_i \Big),
#    \qquad y_{i,t} = \tanh u_{i,t}. $$
#
# Two rules make it what it is. *Outputs and slow units are not connected*: they meet through the fast ones only, and so
# two blocks of $W$ are zero. And *the slow units' first potentials* $u_0$ *are learned, one set for each sequence*; all
# other units begin at 0. There is no input. The network sees its own last output: the loop is **closed**. Once it runs,
# the initial state is all that tells one movement from another. Here is the whole of it in ten lines.


# %%
def closed_loop(weights, slow, steps, tau=TAU):
    """Outputs (t, 2), fast (t, 40) and slow (t, 10) activities from the slow units' first potentials (10,)."""
    yy, yf, fy, ff, fs, sf, ss, *biases = weights[1:11]  # y, f, s: from outputs, fast, slow
    sizes = [len(bias) for bias in biases]
    nothing = np.zeros((sizes[0], sizes[2]))
    matrix = np.block([[yy, yf, nothing], [fy, ff, fs], [nothing.T, sf, ss]]).astype("float64")
    leak = 1 / np.repeat(tau, sizes)
    u, path = np.concatenate([np.zeros(sizes[0] + sizes[1]), slow]), []
    for _ in range(steps):
        u = (1 - leak) * u + leak * (np.tanh(u) @ matrix + np.concatenate(biases))
        path.append(np.tanh(u))
    return np.split(np.array(path), np.cumsum(sizes)[:2], axis=1)


untaught = kzoo.create_model("mtrnn", num_sequences=5, seed=0)
# Biases begin at 0, where a wrong one would not be noticed.
untaught.set_weights([w + rng.normal(0, 0.1, w.shape) for w in untaught.get_weights()])
state = rng.normal(size=10)
ours = dict(zip(("outputs", "fast", "slow"), closed_loop(untaught.get_weights(), state, 200), strict=True))
theirs = untaught.generate(state=state, steps=200)
for name, values in ours.items():
    np.testing.assert_allclose(values, theirs[name][0], atol=1e-4)
    print(f"{name:>7} {values.shape}: our closed loop is kzoo's, within {np.abs(values - theirs[name][0]).max():.0e}")

# %% [markdown]
# ## Five movements to learn by heart
#
# A **primitive** is a movement that repeats. Ours are five Lissajous curves, 24 steps a round:
#
# $$ x_k = 0.8 \cos \frac{2 \pi p k}{24}, \qquad y_k = 0.8 \sin \frac{2 \pi q k}{24}, $$
#
# with whole turns $p$ and $q$. All begin at the same point, *home*, after eight steps of rest there. So at the
# beginning, and at every return, nothing in the plane tells which curve is being walked: the network has to know.

# %%
data = kzoo.load_data("lissajous")
print(f"taught: {data.y_test.shape[0]} sequences of {data.y_test.shape[1]} steps, each {len(data.y_train) // 5} times "
      "in an epoch")  # fmt: skip
figure = new_figure(10, 2.5)
for k, axes in enumerate(figure.subplots(1, 5, sharex=True, sharey=True)):
    curve = lissajous(*PRIMITIVES[NAMES[k]], 25, 24)
    axes.plot(*curve.T, color=color(k), linewidth=2)
    axes.annotate("", curve[2], curve[1], arrowprops={"arrowstyle": "-|>", "color": color(k), "mutation_scale": 20})
    axes.plot(*curve[0], "o", color="white", markeredgecolor=BLACK)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    label(axes, x="x", y="y" if k == 0 else None, title=NAMES[k])
figure

# %% [markdown]
# **Figure 2.** The five primitives. The circle marks home, the arrow the way that the curve is begun. Circle and circle
# back are the same set of points: they differ in nothing but the order.

# %% [markdown]
# ## Training: first hand in hand, then alone
#
# The loss is the mean squared error between each output and the point that was taught; the gradient runs backwards
# through all 152 steps, to the weights *and to the five initial states*. They start as small random numbers, all
# nearly the same, and move apart because that lowers the error.
#
# A network that knows nothing yet drifts away within a few steps, and then learns from places where it should never
# have been. So at first it is told the taught point in place of its own: **teacher forcing**. But a network that is
# always led by the hand never learns to correct its own small errors. kzoo lets go slowly: its input is
# $(1 - \beta)$ taught + $\beta$ own, and $\beta$ grows from 0 to 1 in the first half of the training.


# %%
def fitted(x, y, steps, clip, tau=TAU, blend=1.0):
    """An MTRNN after `steps` steps of Adam, each on all of the sequences, with gradients cut to the norm `clip`."""
    count = int(x["index"].max()) + 1
    model = kzoo.create_model(
        "mtrnn", num_sequences=count, time_constants=tau, blend=blend, blend_steps=steps // 2, seed=0
    )
    rate = keras.optimizers.schedules.CosineDecay(0.01, steps)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=clip), model.training_loss())
    model.fit(x, y, batch_size=count, epochs=steps * count // len(y), shuffle=False, verbose=0)
    return model


def error(found, taught):
    return float(np.sqrt(np.mean(np.square(found - taught))))


model = fitted(data.x_train, data.y_train, 150 if FAST else 2000, clip=1.0)
rounds = 9  # three more than were taught
taught = np.stack([sequence(name, rounds, 24) for name in NAMES])[:, 1:]
found = model.generate(range(5), taught.shape[1])
figure = new_figure(10, 5.4)
grid = figure.subplots(2, 5, sharex="row", sharey="row")
for k, name in enumerate(NAMES):
    y = found["outputs"][k]
    print(f"{name:>11}: error {error(y[:152], taught[k, :152]):.3f} in the six rounds that were taught, "
          f"{error(y[152:], taught[k, 152:]):.3f} in three more")  # fmt: skip
    grid[0, k].plot(*taught[k].T, color=GREY, linewidth=5, alpha=0.35)
    grid[0, k].plot(*y.T, color=color(k), linewidth=1)
    grid[0, k].set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    label(grid[0, k], x="x", y="y" if k == 0 else None, title=name)
    grid[1, k].plot(taught[k, :, 1], color=GREY, linewidth=4, alpha=0.35)
    grid[1, k].plot(y[:, 1], color=color(k), linewidth=1)
    grid[1, k].axvline(152, color=BLACK, linestyle=":", linewidth=1)
    grid[1, k].set_xlim(90, taught.shape[1])
    label(grid[1, k], x="step", y="y" if k == 0 else None)
figure

# %% [markdown]
# **Figure 3.** What the network does from each of its five initial states, with nothing else to tell it (narrow), over
# what was taught (wide); top in the plane, below the second coordinate towards the end. The stray lines near home are
# the first steps, in which the initial state takes hold. The amplitude is 0.8, so an error of 0.04 is five percent.
# Behind the dotted line it walks on for three rounds that it was never shown: it has learned not a recording but how to
# go on. That need not last for ever: try 1,000 steps.

# %% [markdown]
# ## Sequences of movements: who knows when to change?
#
# Now the paper's real question. A **composition** walks one primitive eight times and then another. The point where it
# has to change looks like every other return home. The network has to know *which* curve it is on, and *how far*: a
# memory over 160 steps. And two of the three compositions begin alike, so that where it is going cannot be told from
# where it is.

# %%
both, orders = compositions(np.random.default_rng(0), 3)  # eight rounds of 20 steps each
x, y = lessons(both, copies=50)
STEPS = 150 if FAST else 3000
planner = fitted(x, y, STEPS, clip=0.1)
long, change = y.shape[1], 8 - 1 + 8 * 20  # steps of a composition; the step at which the second part begins
plans = planner.generate(range(3), long)
figure = new_figure(10, 5.6)
grid = figure.subplots(3, 3, sharex=True, height_ratios=(1, 1, 1.3))
for k, order in enumerate(orders):
    print(f"{' > '.join(order)}: error {error(plans['outputs'][k], y[k]):.3f}")
    for row in range(2):
        grid[row, k].plot(y[k, :, row], color=GREY, linewidth=4, alpha=0.35)
        grid[row, k].plot(plans["outputs"][k, :, row], color=(BLUE, VERMILLION)[row], linewidth=1)
        label(grid[row, k], y="xy"[row] if k == 0 else None, title=" > ".join(order) if row == 0 else None)
    image = grid[2, k].imshow(
        plans["slow"][k].T, aspect="auto", interpolation="nearest", cmap=DIVERGING, vmin=-1, vmax=1
    )
    label(grid[2, k], x="step", y="slow unit" if k == 0 else None)
    for axes in grid[:, k]:
        axes.axvline(change, color=BLACK, linestyle=":", linewidth=1)
figure.colorbar(image, ax=grid[2], pad=0.01).set_label("activity", fontsize=TICK)
figure

# %% [markdown]
# **Figure 4.** Three compositions, each generated from its initial state alone (narrow) over what was taught (wide),
# and the ten slow units (below). The dotted line is where the movement should change. The slow units hardly notice the
# single rounds. They drift from one pattern to another: where they are says *which part is on*, and their drift is the
# clock. Compare the two that begin with the same curve: the movement is the same, the slow units are not. They know
# from the start where it is going.

# %%
plots.phase({"fast": plans["fast"][0], "slow": plans["slow"][0]}, title=f"Context units: {' > '.join(orders[0])}")

# %% [markdown]
# **Figure 5.** The same first composition as a path through the two main directions of each group of units (circle:
# start; dark to bright: time). The fast units run round and round, first in one place and then in another: they follow
# the movements. The slow units go one way through their plane, from the region of one part to that of the next, with
# the rounds no more than a ripple: they are the plan. Nobody divided the work between them. The time constants did.

# %% [markdown]
# ## What breaks it
#
# If the slow units are the clock, then a network whose slow units are made slower *after* training has to change
# later: if their drift were all that counts, in proportion to $\tau$. And a network whose "slow" units are as fast as
# the fast ones, during training too, should find it hard to learn when to change. The paper says so (its figure 9).
# kzoo's own repetition of it, `docs/mtrnn`, with five seeds for each ratio and three compositions learned as above,
# finds these errors of the closed loop:
#
# | slow / fast time constant | 1 | 2 | 5 | 10 | 14 |
# | --- | --- | --- | --- | --- | --- |
# | median error | 0.230 | 0.193 | 0.064 | 0.085 | 0.046 |
# | lowest to highest | 0.125 to 0.252 | 0.055 to 0.212 | 0.038 to 0.080 | 0.034 to 0.104 | 0.036 to 0.060 |
#
# Ratios of 1 and 2 are worse, as published; from 5 on the ranges overlap. To see *what* goes wrong, we ask of every
# stretch of 20 steps which primitive it is, if any.


# %%
def walked(outputs, period=20):
    """Number of the primitive that each step is in the midst of; -1 where none is within 0.2, a quarter of its size."""
    stretches = np.lib.stride_tricks.sliding_window_view(outputs, period, axis=0).transpose(0, 2, 1)  # (n, period, 2)
    fits = []
    for turns in PRIMITIVES.values():
        curve = lissajous(*turns, period, period)
        begun = np.stack([np.roll(curve, shift, axis=0) for shift in range(period)])  # wherever the stretch begins
        fits.append(np.sqrt(np.mean(np.square(stretches[:, None] - begun), axis=(2, 3))).min(axis=1))
    fits = np.array(fits)
    named = np.where(fits.min(axis=0) < 0.2, fits.argmin(axis=0), -1)
    return np.concatenate([np.full(period // 2, -1), named, np.full(len(outputs) - len(named) - period // 2, -1)])


def strips(axes, rows, names):
    """A strip a row, (t,) numbers of primitives, in their colours; grey where there is none."""
    for place, row in enumerate(rows):
        edges = np.flatnonzero(np.diff(row, prepend=-2, append=-2))
        for start, end in itertools.pairwise(edges):
            shade = color(row[start]) if row[start] >= 0 else "#DDDDDD"
            axes.broken_barh([(start, end - start)], (place - 0.4, 0.8), color=shade)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    label(axes, x="step")


ratio_one = fitted(x, y, STEPS, clip=0.1, tau=(2.0, 5.0, 5.0))
found = ratio_one.generate(range(3), long)["outputs"]
print(f"closed-loop error: {error(plans['outputs'], y[:3]):.3f} with ratio 14, {error(found, y[:3]):.3f} with ratio 1")

slower = (35, 50, 70, 100, 140)
weights = planner.get_weights()
runs = [closed_loop(weights, weights[0][1], 450, (2, 5, tau))[0] for tau in slower]
np.testing.assert_allclose(runs[2][:50], plans["outputs"][1, :50], atol=1e-2)  # the taught one, by our ten lines
figure = new_figure(10, 4.4)
left, right = figure.subplots(1, 2)
strips(left, [walked(run) for run in runs], [rf"$\tau$ = {tau}" for tau in slower])
left.plot([change * tau / 70 for tau in slower], range(5), "k|", markersize=24, markeredgewidth=2)
label(left, title=f"time constant changed after training\n{' > '.join(orders[1])}")
words = [f"{name}: {' > '.join(order)}" for name in ("14", "1") for order in orders]
strips(right, [walked(run) for run in (*plans["outputs"], *found)], words)
right.axvline(change, color=BLACK, linewidth=2)
label(right, title="trained with a ratio of 14 and of 1")
for k in range(3):
    left.plot([], [], "s", color=color(k), markersize=10, label=NAMES[k])
left.plot([], [], "s", color="#DDDDDD", markersize=10, label="none of them")
figure.legend(loc="outside lower center", ncols=4, frameon=False)
figure

# %% [markdown]
# **Figure 6.** Which primitive is walked at each step (colour; grey: none of them, and the first and last ten steps,
# which lie in the midst of no stretch). Left: one network, taught with $\tau = 70$, its slow units' time constant
# changed afterwards; not a weight was touched. It changes earlier or later, but by less than in proportion, which would
# be at the black marks. (What it does long after the change was never taught.) Right: the three compositions by the
# network of figure 4, and by one whose slow units are as fast as the fast ones (black: where to change). That one has
# learned the movements too, more or less. What it lacks is a clean change: between its two parts lie long stretches
# that are neither. One seed each; the table above has five.

# %% [markdown]
# ## Between two plans
#
# An initial state is ten numbers, and nothing forbids the points between two of them. What does the first network,
# which knows five primitives, do with a mixture $(1 - s)\, u_0^{a} + s\, u_0^{b}$ of two of its own?

# %%
shares = np.linspace(0, 1, 7)
known = model.initial_states()
pairs = ((0, 1), (1, 2), (0, 3))
figure = new_figure(10, 5)
grid = figure.subplots(len(pairs), len(shares), sharex=True, sharey=True)
for row, (a, b) in zip(grid, pairs, strict=True):
    mixed = model.generate(state=[(1 - s) * known[a] + s * known[b] for s in shares], steps=152)["outputs"]
    for axes, s, curve in zip(row, shares, mixed, strict=True):
        axes.plot(*curve[56:].T, color=(color(a), GREY, color(b))[int(s > 0.01) + int(s > 0.99)], linewidth=1)
        axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xticks=[], yticks=[])
        if a == pairs[0][0] and b == pairs[0][1]:
            label(axes, title=f"s = {s:.2f}")
    label(row[0], y=NAMES[a])
    row[-1].yaxis.set_label_position("right")
    label(row[-1], y=NAMES[b])
np.testing.assert_allclose(mixed[[0, -1]], model.generate([0, 3], 152)["outputs"], atol=1e-5)
figure

# %% [markdown]
# **Figure 7.** The last four rounds from mixed initial states: at the left one primitive, at the right another, in grey
# what lies between. A small share of the other leaves some primitives nearly as they were and bends others. Further in
# there is no mean of the two curves (that of a circle and a circle back would be a line to and fro), but curves that
# nobody taught, some of them regular. The states between were never trained: they are what the network happens to
# make of them.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** How much of a cycle of $P$ steps comes through a leaky unit? Show that of a drive
# $\sin(2 \pi t / P)$ there remains, after a while, a wave of amplitude
# $\frac{1/\tau}{\left| 1 - (1 - 1/\tau)\, e^{-2 \pi i / P} \right|}$, and check it for figure 1.
#
# <details>
# <summary>Solution</summary>
#
# Put $I_t = e^{i \omega t}$ and $u_t = A e^{i \omega t}$ into the equation:
# $A = (1 - 1/\tau)\, A\, e^{-i \omega} + 1/\tau$. Solve for $A$ and take its size. At $\tau = 70$ less than a twentieth
# is left: the ripple of figure 5.
#
# ```python
# late = np.arange(1, 2001)
# for tau in TAU:
#     formula = (1 / tau) / abs(1 - (1 - 1 / tau) * np.exp(-2j * np.pi / 20))
#     seen = leaky(np.sin(2 * np.pi * late / 20), tau)[-20:]
#     # The parts of the last round along sine and cosine give the amplitude exactly, wherever the crest lies.
#     measured = abs(np.mean(seen * np.exp(-2j * np.pi * late[-20:] / 20))) * 2
#     print(f"tau {tau:2.0f}: {100 * formula:.1f} % by formula, {100 * measured:.1f} % measured")
#     np.testing.assert_allclose(measured, formula, rtol=1e-6)
# assert formula < 0.05
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** kzoo's model has a `dt`, the step of the integration: $u_t = (1 - dt/\tau)\, u_{t-1} + (dt/\tau)
# (\dots)$. Show that $dt = 1/2$ is exactly the same network as one with all three time constants doubled. Does the
# taught network then walk the same circle, at half the speed?
#
# <details>
# <summary>Solution</summary>
#
# Only the quotient $dt / \tau$ occurs in the equation. Were the steps small, the curve would be the same at half the
# speed. But a step of 1 is coarse beside $\tau = 2$: the weights were learned for this step, and the network in steps
# of a half is another system. Nothing promises the circle, and the second line says what became of it.
#
# ```python
# half = kzoo.create_model("mtrnn", num_sequences=5, dt=0.5)
# twice = kzoo.create_model("mtrnn", num_sequences=5, time_constants=(4.0, 10.0, 140.0))
# for twin in (half, twice):
#     twin.set_weights(model.get_weights()[:11])
# slowly = half.generate(0, 304)["outputs"]
# np.testing.assert_allclose(slowly[:, :100], twice.generate(0, 100)["outputs"], atol=1e-4)
# at_speed = model.generate(0, 152)["outputs"]
# for run, period in ((at_speed[0], 24), (slowly[0], 48)):
#     print(f"rounds of {period} steps: a circle {100 * np.mean(walked(run, period)[48:-24] == 0):.0f} % of the time")
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Stop the clock. Take the slow units' activities in the middle of the first part of a composition, turn
# them into potentials, and give the slow units so long a time constant that they stay there. What does the network do?
#
# <details>
# <summary>Solution</summary>
#
# It should walk the curve that was on, again and again, and never change: with the slow units at rest there is no
# clock. Do it near the change and it may do neither: the slow units were never meant to stay there.
#
# ```python
# middle = plans["slow"][1, 40]
# still = closed_loop(weights, np.arctanh(np.clip(middle, -0.999999, 0.999999)), 500, (2.0, 5.0, 1e9))
# np.testing.assert_allclose(still[2], np.broadcast_to(middle, still[2].shape), atol=1e-4)
# on = walked(still[0])[200:-10]
# names, counts = np.unique(on, return_counts=True)
# print({"none" if k < 0 else NAMES[k]: int(n) for k, n in zip(names, counts, strict=True)})
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Train the five primitives with `blend=0`: led by the hand to the end. Compare the error of the *next*
# step, led, with that of the closed loop.
#
# <details>
# <summary>Solution</summary>
#
# Told the true point at each step, it foretells the next one well. Left alone it has to live with its own errors, which
# it has never seen in training, and the loop may leave the curve. A small loss under teacher forcing says little about
# the closed loop. In training a call uses the teacher; `generate` never does.
#
# ```python
# led = fitted(data.x_train, data.y_train, 60 if FAST else 1000, clip=1.0, blend=0.0)
# free = fitted(data.x_train, data.y_train, 60 if FAST else 1000, clip=1.0)
# ends = {}
# for name, trained in (("led", led), ("let go", free)):
#     told = keras.ops.convert_to_numpy(trained(data.x_test, training=True))
#     alone = trained.generate(range(5), 152)["outputs"]
#     ends[name] = error(told, data.y_test), error(alone, data.y_test)
#     print(f"{name:>6}: {ends[name][0]:.3f} in training, {ends[name][1]:.3f} alone")
# assert ends["led"][0] < ends["led"][1]
# np.testing.assert_allclose(*ends["let go"], rtol=1e-3)  # at the end of its training it was alone already
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A leaky unit hears about the last $\tau$ steps: a slow one is deaf to the rounds of a movement, not to its course.
# - In a closed loop the initial state is all that tells one movement from another; it is learned like a weight.
# - Fast units become the movements and slow ones the plan, because their time constants differ: nobody told them to.
# - Train hand in hand first, then in the closed loop that you will use; cut the gradients, for the sequences are long.
# - Time constants are part of what was learned: change one afterwards, and the movement changes at another time.
#
# To read on: Yamashita and Tani, *Emergence of functional hierarchy in a multiple timescale neural network model: a
# humanoid robot experiment*, 2008, doi:10.1371/journal.pcbi.1000220. Where kzoo's model differs from it stands at the
# top of `kzoo/models/mtrnn.py`; to train it by name: `kzoo train mtrnn --data compositions`.
