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
# # 8 · RNN, LSTM, GRU
#
# **How can a network remember what it saw fifty steps ago?**
#
# After this chapter you can
#
# - run a simple recurrent network, an LSTM and a GRU by hand, forwards and, the simple one, backwards through time;
# - say why a gradient vanishes or explodes with the distance in time, and measure how far back it reaches;
# - read the gates of a trained LSTM, and see it hold a number until it is needed;
# - tell what breaks such a network: no clipping, a forget gate that starts half closed, longer sequences than it knew.
#
# It needs chapters 3, 4 and 6. About three minutes on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import keras
import numpy as np
from keras import ops

from kzoo import plots
from kzoo.data import standard_stats
from kzoo.plots.style import BLACK, BLUE, GREEN, GREY, VERMILLION, color, label, marker, new_figure
from kzoo.training import evaluate
from kzoo.training.batches import Batches, FollowEpoch

keras.utils.set_random_seed(0)
numpy = ops.convert_to_numpy
rng = np.random.default_rng(0)
LOOKS = [(color(k), line, marker(k)) for k, line in enumerate((":", "-", "--", "-."))]  # rnn, lstm, gru, one more

# %% [markdown]
# ## The idea: a layer that also reads itself
#
# An MLP sees its whole input at once. A melody, a sentence or a curve comes piece by piece, $x_1, x_2, \dots, x_T$, of
# any length, and what a piece means depends on those before it. Elman's network (1990) keeps a **state** $h$: a short
# summary of all that it has read. Each step makes the new state from the new piece *and the old state*, with the same
# weights at every step:
#
# $$ h_t = \tanh(x_t W + h_{t-1} U + b), \qquad h_0 = 0. $$
#
# A convolution uses one kernel at every place; a recurrent network uses one layer at every *time*. That is why its
# number of weights does not depend on the length. At the end a linear layer reads the last state: $y = h_T V + c$.


# %%
def elman(x, w, u, b):
    """Inputs (t, d) -> states (t + 1, u), the first of them 0."""
    h = [np.zeros(len(u))]
    for step in x:
        h.append(np.tanh(step @ w + h[-1] @ u + b))
    return np.array(h)


model = kzoo.create_model("rnn", input_shape=(None, 3), num_outputs=2, task="regression", hidden_dims=(16,), seed=0)
w, u, b, v, c = (part.astype("float64") for part in model.get_weights())
x = rng.normal(size=(12, 3)).astype("float32")
h = elman(x, w, u, b)
np.testing.assert_allclose(h[1:], model.trace(x[None])["layer_1"]["hidden state"][0], atol=1e-5)
np.testing.assert_allclose(h[-1] @ v + c, numpy(model(x[None]))[0], atol=1e-5)
swapped = elman(x[::-1], w, u, b)
print("our states are kzoo's; the same inputs in the other order end in a state that differs by up to "
      f"{np.abs(swapped[-1] - h[-1]).max():.2f}")  # fmt: skip

# %% [markdown]
# ## Backpropagation through time
#
# Unroll the loop: $T$ steps are a network of $T$ layers that share their weights. So chapter 3 applies as it stands
# (Werbos 1990). With $\delta_t$ the derivative of the loss with respect to what stands inside the tanh of step $t$,
#
# $$ \delta_{t-1} = (\delta_t U^\top) \odot (1 - h_{t-1}^2), \qquad
#    \frac{\partial L}{\partial U} = \sum_t h_{t-1}^\top \delta_t, \qquad
#    \frac{\partial L}{\partial W} = \sum_t x_t^\top \delta_t, \qquad
#    \frac{\partial L}{\partial b} = \sum_t \delta_t. $$
#
# Each weight is used at every step, so its gradient is a sum over the steps, as a kernel's was over the places. And
# $\delta_t W^\top$ is the derivative with respect to the *input* of step $t$: how much does the answer depend on what
# was read then? kzoo's models tell its length as `model.gradient_norms`.


# %%
def bptt(x, h, w, u, last, steps=None):
    """Derivatives of a loss for w, u, b and x, if `last` is its derivative for the last state.

    Goes back `steps` steps; None is all of them.
    """
    delta = last * (1 - h[-1] ** 2)
    dw, du, db, dx = np.zeros_like(w), np.zeros_like(u), np.zeros(len(u)), np.zeros(x.shape)
    for t in list(reversed(range(len(x))))[:steps]:  # h[t] is the state before step t
        dw += np.outer(x[t], delta)
        du += np.outer(h[t], delta)
        db += delta
        dx[t] = delta @ w.T
        delta = (delta @ u.T) * (1 - h[t] ** 2)
    return dw, du, db, dx


ours = bptt(x, h, w, u, v[:, 0])  # the loss is the first output itself
_, theirs = kzoo.backend.value_and_grad(lambda: ops.sum(model(x[None])[:, 0]), model.trainable_variables[:3])
for name, mine, zoo in zip(("W", "U", "b"), ours, theirs, strict=False):
    np.testing.assert_allclose(mine, numpy(zoo), rtol=1e-4, atol=1e-5)
    print(f"dL/d{name}, shape {mine.shape}: our sum over {len(x)} steps is the backend's gradient")
np.testing.assert_allclose(np.linalg.norm(ours[3], axis=1), model.gradient_norms(x[None], output=0)[0], rtol=1e-4)

# %% [markdown]
# ## Why the gradient vanishes
#
# Follow $\delta$ over many steps. The last state depends on the state $k$ steps before it by a *product of $k$
# matrices*:
#
# $$ \frac{\partial h_T}{\partial h_{T-k}} = \prod_{t=T-k+1}^{T} U \operatorname{diag}(1 - h_t^2), \qquad
#    \left\lVert \frac{\partial h_T}{\partial h_{T-k}} \right\rVert \le \lVert U \rVert^k, $$
#
# since the slope of tanh is at most 1. The norm is the largest singular value, the most by which a matrix can stretch a
# vector. If that of $U$ is below 1, the gradient **must vanish**, exponentially fast. If it is above 1, the gradient
# *may* **explode**. Chapter 6 had the same product over layers. But a deep network has a matrix of its own for each
# layer; here it is one and the same again and again, and the exponent is the length of the sequence (Bengio, Simard and
# Frasconi 1994).

# %%
units, steps = 32, 60
rotation, _ = np.linalg.qr(rng.normal(size=(units, units)))  # orthogonal: all of its singular values are 1
figure = new_figure(8, 4.2)
axes = figure.subplots()
for gain, shade, mark in ((0.8, BLUE, "o"), (1.0, GREEN, "s"), (1.5, VERMILLION, "^")):
    states = elman(rng.normal(size=(steps, 1)), 0.3 * rng.normal(size=(1, units)), gain * rotation, 0)
    product, sizes = np.eye(units), [1.0]
    for state in states[:0:-1]:  # from the last step back to the first
        product = gain * rotation * (1 - state**2) @ product
        sizes.append(np.linalg.norm(product, 2))
    distance = np.arange(steps + 1)
    assert np.all(sizes <= gain**distance * (1 + 1e-9))
    axes.semilogy(distance, gain ** distance.astype(float), color=shade, linestyle="--", linewidth=1)
    axes.semilogy(distance, sizes, color=shade, marker=mark, markevery=6, label=f"U = {gain} x a rotation")
    print(f"U = {gain} x a rotation: after {steps} steps {sizes[-1]:.1e}; without tanh {gain**steps:.1e}")
axes.set_ylim(1e-9, 1e12)
label(axes, x="steps back in time", y="norm of $\\partial h_T / \\partial h_{T-k}$ (log axis)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 1.** How much the last state depends on an earlier one, in networks with random inputs. Dashed: the bound
# $\lVert U \rVert^k$, which is exact without tanh. On this axis every straight line is an exponential. Even the pure
# rotation, which by itself loses nothing, forgets, because each tanh takes its share. With the larger $U$ the gradient
# grows, but by far less than the bound permits, since larger states also push tanh into its flat parts.

# %% [markdown]
# ## LSTM: carry a sum, and guard it
#
# The trouble is that the state is *made anew* at every step. Hochreiter and Schmidhuber (1997) keep a second one, the
# **cell** $c$, which is only ever added to; then the derivative $\partial c_t / \partial c_{t-1}$ along the cell is 1,
# and a product of ones does not vanish. **Gates**, numbers between 0 and 1 for each unit, decide what gets in ($i$) and
# what is shown ($o$). Gers, Schmidhuber and Cummins (2000) added the gate $f$ that can let the sum go:
#
# $$ i, f, o = \sigma(x_t W_\ast + h_{t-1} U_\ast + b_\ast), \qquad g = \tanh(x_t W_g + h_{t-1} U_g + b_g), $$
#
# $$ c_t = f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh(c_t). $$
#
# Along the cell the product is now $f_T f_{T-1} \cdots$, unit by unit, and no matrix is in it. Where a forget gate
# stays open, at 1, its unit keeps its content for as long as it likes. (There is still a second path, through $h$ and
# the gates.)


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm(x, w, u, b):
    """Inputs (t, d) -> gates i, f, the candidate g, the gate o, the states c and h: (6, t, u)."""
    h = c = np.zeros(len(u))
    seen = []
    for step in x:
        i, f, g, o = np.split(step @ w + h @ u + b, 4)  # columns in the order of Keras
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        seen.append((i, f, g, o, c, h))
    return np.array(seen).transpose(1, 0, 2)


model = kzoo.create_model("lstm", input_shape=(None, 3), num_outputs=2, task="regression", hidden_dims=(16,), seed=0)
w, u, b, v, c = (part.astype("float64") for part in model.get_weights())
parts = ("input gate", "forget gate", "candidate", "output gate", "cell state", "hidden state")
for name, mine in zip(parts, lstm(x, w, u, b), strict=True):
    np.testing.assert_allclose(mine, model.trace(x[None])["layer_1"][name][0], atol=1e-5)
np.testing.assert_allclose(lstm(x, w, u, b)[-1, -1] @ v + c, numpy(model(x[None]))[0], atol=1e-5)
print(f"all gates and states agree; kernel {w.shape}: four times as wide as a simple network's")
assert np.all(b[16:32] == 1)
print(f"the biases of the forget gates start at 1: the gates are open to {sigmoid(1.0):.2f}")

# %% [markdown]
# ## GRU: the same idea with one state
#
# Cho et al. (2014, arXiv:1406.1078) do without the second state. The new one is a weighted mean of the old one and a
# candidate $n$; the **update gate** $z$ is forget and input gate in one, and the **reset gate** $r$ decides how much
# the candidate sees of the old state:
#
# $$ z, r = \sigma(x_t W_\ast + h_{t-1} U_\ast + b_\ast), \qquad
#    n = \tanh\big(x_t W_n + b_n + r \odot (h_{t-1} U_n + b'_n)\big), $$
#
# $$ h_t = z \odot h_{t-1} + (1 - z) \odot n. $$
#
# (In the paper $r$ multiplies $h_{t-1}$ before the matrix. This form, which cuDNN, Keras and PyTorch use, allows one
# product for all. Some authors swap $z$ and $1 - z$.) Three blocks of weights against the LSTM's four and the simple
# network's one. Exercise 3 asks for its ten lines.
#
# How far do the three reach back before they have learned anything? Our test is the **adding problem** (Hochreiter and
# Schmidhuber 1997): a long row of random numbers, of which two are marked, and their sum is wanted.

# %%
LENGTH = 50
data = kzoo.load_data("adding", length=LENGTH, samples=1500 if FAST else 5000)
small = {"input_shape": (None, 2), "num_outputs": 1, "task": "regression", "hidden_dims": (32,), "seed": 0}
models = {
    "rnn": kzoo.create_model("rnn", **small),
    "lstm": kzoo.create_model("lstm", **small),
    "gru": kzoo.create_model("gru", **small),
    f"lstm, memory={LENGTH}": kzoo.create_model("lstm", memory=LENGTH, **small),
}


def reach(models):
    """The mean norm of d output / d input at each step, by model."""
    return {name: model.gradient_norms(data.x_test[:200]).mean(axis=0) for name, model in models.items()}


fresh = reach(models)
for name, norms in fresh.items():
    print(f"{name:>15}: first step {norms[0]:.0e}, last {norms[-1]:.0e}: "
          f"a factor of {(norms[0] / norms[-1]) ** (1 / (LENGTH - 1)):.2f} a step")  # fmt: skip
plots.gradient_reach(fresh, title="Before training: how far back does the answer reach?")

# %% [markdown]
# **Figure 2.** How much the output depends on the input of each step, in fresh networks of 32 units. A surprise: the
# LSTM and the GRU vanish *faster* than the simple network, whose $U$ starts as a rotation. No wonder: a forget bias of
# 1 opens the gate to 0.73, a GRU's update gate starts half open, and $0.73^{49}$ is $2 \cdot 10^{-7}$, $0.5^{49}$ even
# $2 \cdot 10^{-15}$. (The curves end higher: not every gate stands at its bias, and there are the paths beside the
# cell.) The difference is what can be *learned*: to reach back, a gated network only has to move a bias. `memory=50`
# starts with biases that are spread for memories up to 50 steps (exercise 1).

# %% [markdown]
# ## Eight steps: digits row by row
#
# First an easy task. `digits_rows` gives the network a digit from the top row to the bottom one, 8 steps of 8 numbers,
# and asks for the class at the end. All three have 32 units and the same training.

# %%
digits = kzoo.load_data("digits_rows")
count = 400 if FAST else len(digits.x_train)


def fitted(name, seed):
    """A network of 32 units after some epochs of Adam on the digits, row by row."""
    model = kzoo.create_model(name, input_shape=(8, 8), num_outputs=10, hidden_dims=(32,), seed=seed)
    batches = Batches(digits.x_train[:count], digits.y_train[:count], 32, seed)
    epochs = 5 if FAST else 20
    rate = keras.optimizers.schedules.CosineDecay(1e-2, epochs * batches.num_batches)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), model.training_loss())
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[FollowEpoch(batches)])
    return model


def answers_by_row(model, x):
    """Logits (n, 8, 10) if reading stopped after each row: the head on every state, not only on the last."""
    v, c = model.get_weights()[-2:]
    return model.trace(x)["layer_1"]["hidden state"] @ v + c


figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
readers = {}
for row, (name, (shade, line, mark)) in enumerate(zip(("rnn", "lstm", "gru"), LOOKS, strict=False)):
    runs = [fitted(name, seed) for seed in ((0,) if FAST else (0, 1, 2))]
    found = [evaluate(m, digits.x_test, digits.y_test, len(digits.y_test)) for m in runs]
    scores = [100 * figures["accuracy"] for figures, _ in found]
    readers[name] = runs[0]
    left.plot(scores, [row] * len(scores), mark, color=shade, markersize=10, alpha=0.8)
    logits = answers_by_row(runs[0], digits.x_test)
    np.testing.assert_allclose(logits[:, -1], numpy(runs[0].predict_on_batch(digits.x_test)), atol=1e-3)
    so_far = 100 * (logits.argmax(axis=-1) == digits.y_test[:, None]).mean(axis=0)
    right.plot(np.arange(1, 9), so_far, color=shade, linestyle=line, marker=mark, label=name)
    print(f"{name:>4}: {runs[0].count_params():,} weights, test accuracy {np.mean(scores):.1f} %")
left.set_yticks(range(3), list(readers))
left.set_ylim(-0.5, 2.5)
label(left, x="test accuracy (% correct); one mark a seed")
label(right, x="rows read", y="right so far (% of the test digits)")
right.legend()
for axes in (left, right):
    axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 3.** Left: all three read digits well. Another seed changes as much as another network: over eight steps even
# the simple network's gradient arrives, and the gates earn little. Right: how often the head is right if it looks at
# the state after fewer rows. It was trained on the last state alone, and for the first rows it does no better than
# chance (10 %); then the evidence adds up.

# %%
shown = int(np.flatnonzero(digits.y_test == 3)[0])
trace = {name: values[0] for name, values in readers["lstm"].trace(digits.x_test[shown : shown + 1])["layer_1"].items()}
logits = answers_by_row(readers["lstm"], digits.x_test[shown : shown + 1])[0]
p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
for row in range(8):
    ink = "".join(" .:*#"[int(4 * value + 0.5)] * 2 for value in digits.x_test[shown, row])
    print(f"row {row + 1}  |{ink}|  {p[row].argmax()} ({100 * p[row].max():3.0f} %)")
plots.states_over_time(
    {name: trace[name] for name in ("input gate", "forget gate", "output gate", "cell state", "hidden state")},
    title="An LSTM reads a 3",
    inputs=digits.x_test[shown].mean(axis=1),
    step_names=[f"row {row + 1}" for row in range(8)],
)

# %% [markdown]
# **Figure 4.** The three gates (dark is closed, bright is open) and both states of 32 units, row by row; at the top,
# how much ink the row has. The print above shows what the head would answer after each row. Follow one line of the cell
# from left to right: some units collect over all rows, others are filled late and some are emptied again, where their
# forget gate is dark.

# %% [markdown]
# ## Fifty steps: who remembers?
#
# Now the adding problem with 50 steps. The first marked number lies in the first half, so it has to be kept for 25
# to 49 steps, among numbers that must *not* be added. To answer 1 whatever comes has a mean squared error of $1/6$.

# %%
figure = new_figure(8, 4.2)
axes = figure.subplots()
for (name, model), (shade, line, mark) in zip(models.items(), LOOKS, strict=True):
    batches = Batches(data.x_train, data.y_train, 50, 0)
    model.compile(keras.optimizers.Adam(5e-3, global_clipnorm=1.0), model.training_loss())
    history = model.fit(
        batches,
        epochs=2 if FAST else 15,
        shuffle=False,
        verbose=0,
        validation_data=(data.x_val, data.y_val),
        validation_batch_size=500,
        callbacks=[FollowEpoch(batches)],
    ).history["val_loss"]
    axes.semilogy(np.arange(1, len(history) + 1), history, color=shade, linestyle=line, marker=mark, label=name)
    error = evaluate(model, data.x_test, data.y_test, len(data.y_test))[0]["mse"]
    print(f"{name:>15}: mean squared error {error:.4f} on the test part, {error * 6:.3f} times that of answering 1")
axes.axhline(1 / 6, color=GREY, linestyle="--", label="always 1")
label(axes, x="epoch", y="mean squared error, validation (log axis)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 5.** The same number of units, the same data, the same optimizer. At first nobody does better than the dashed
# line. Then the gated networks drop, one after the other, once a gate has been found that holds. The simple network
# does not find the way in this time. (With fewer steps, 20 or so, it does. Try it.)

# %%
example = data.x_test[:1]
marked = np.flatnonzero(example[0, :, 1])
trace = {name: values[0] for name, values in models["lstm"].trace(example)["layer_1"].items()}
trace["tanh of the cell"] = np.tanh(trace["cell state"])  # as the output gate sees it
print("marked steps:", marked, " numbers:", example[0, marked, 0].round(2), f" sum: {example[0, marked, 0].sum():.2f}",
      f" the lstm says: {numpy(models['lstm'](example))[0, 0]:.2f}")  # fmt: skip
plots.states_over_time(
    {name: trace[name] for name in ("input gate", "forget gate", "tanh of the cell")},
    title="An LSTM adds the two marked numbers",
    inputs=example[0],
)

# %% [markdown]
# **Figure 6.** The top panel shows the input: random numbers (blue) and the marker (orange), which is 1 at two steps.
# At these steps stripes run down through the gates: units open their input gates for the marked number, and close them
# again. Between them, units with a bright forget gate keep their cell: look for bands that change their shade at a
# marker and then last. Not all of them last without loss, and we shall see in figure 10 what comes of that.

# %%
plots.gradient_reach(reach(models), title="After training: how far back does the answer reach?")

# %% [markdown]
# **Figure 7.** Figure 2 again, after training. In the networks that have solved the task the answer depends on all
# steps about alike: the gradient reaches from the end to the beginning without loss. They *learned* it, by opening
# gates. The simple network's gradient gets lost on the way: its one matrix would have to keep the old, take in the new
# and tell the two apart, and each change of it changes all steps at once.

# %% [markdown]
# ## A recurrent network that dreams
#
# A network that foretells the *next* value of a series can be fed with its own forecasts, and so runs on alone: in
# **closed loop**. The Mackey-Glass series is chaotic, so that small errors grow, however good the network is.

# %%
series = kzoo.load_data("mackey_glass", samples=600 if FAST else 2000, window=40, ahead=1)
statistics = [part.tolist() for part in standard_stats(series.x_train)]
arguments = {"num_outputs": 1, "task": "regression", "hidden_dims": (32,), "statistics": statistics, "seed": 0}
dreamer = kzoo.create_model("lstm", input_shape=(None, 1), memory=20, **arguments)
batches = Batches(series.x_train, series.y_train, 32, 0)
epochs = 3 if FAST else 40
rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * batches.num_batches)
dreamer.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), dreamer.training_loss())
dreamer.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[FollowEpoch(batches)])

ahead = 60
starts = np.arange(0, 900, 30)
window = series.x_test[starts]  # (start, 40, 1): all of them run at once
foretold = np.zeros((len(starts), ahead))
for k in range(ahead):
    foretold[:, k] = numpy(dreamer.predict_on_batch(window))[:, 0]
    window = np.concatenate([window[:, 1:], foretold[:, k, None, None].astype("float32")], axis=1)
truth = np.stack([series.y_test[start : start + ahead, 0] for start in starts])
repeated = series.x_test[starts, -1]  # (start, 1)


def rms(error):
    return np.sqrt(np.mean(error**2, axis=0))


figure = new_figure(11, 3.6)
left, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
left.plot(np.arange(-39, 1), series.x_test[starts[0], :, 0], color=GREY, label="read")
left.plot(np.arange(1, ahead + 1), truth[0], color=BLACK, label="what came")
left.plot(np.arange(1, ahead + 1), foretold[0], "--", color=VERMILLION, linewidth=2, label="closed loop")
label(left, x="time (units of the series)", y="value (no unit)")
left.set_ylim(0.2, 1.5)
left.legend(loc="lower left", ncols=3)
right.semilogy(np.arange(1, ahead + 1), rms(foretold - truth), color=VERMILLION, label="closed loop")
right.semilogy(np.arange(1, ahead + 1), rms(repeated - truth), "--", color=BLUE, label="repeat the last value")
right.axhline(series.y_test.std(), color=GREY, linestyle=":", label="spread of the series")
label(right, x="steps ahead", y="error, root mean square (log axis)")
right.grid(alpha=0.25)
right.legend()
print("error 1, 5, 10, 20 and 60 steps ahead:", rms(foretold - truth)[[0, 4, 9, 19, 59]].round(3))
figure

# %% [markdown]
# **Figure 8.** Left: the network reads 40 values and then lives on its own forecasts. Right: the error over 30 such
# starts. It grows, by and large, since every forecast is built on those before it. A better network follows for longer.
# None follows for ever.

# %% [markdown]
# ## What breaks it
#
# **No clipping.** With relu for tanh nothing limits the state, and a $U$ that stretches by 1.4 a step lets states and
# gradients explode. Clipping by the norm (chapter 6; Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063) keeps the
# direction and limits the length. We take plain SGD, one batch, and look at its loss step by step.

# %%
batch = data.x_train[:100], data.y_train[:100]
losses = {}
for name, limit in (("not clipped", None), ("clipped to 1", 1.0)):
    wild = kzoo.create_model("rnn", activation="relu", **small)
    w, u, *others = wild.get_weights()
    wild.set_weights([w, 1.4 * u, *others])
    wild.compile(keras.optimizers.SGD(0.02, global_clipnorm=limit), wild.training_loss())
    losses[name] = wild.fit(*batch, batch_size=100, epochs=15 if FAST else 60, verbose=0).history["loss"]
figure = new_figure(8, 3.6)
axes = figure.subplots()
for (name, values), shade, mark in zip(losses.items(), (VERMILLION, BLUE), "Xo", strict=True):
    axes.semilogy(range(1, len(values) + 1), values, color=shade, marker=mark, markersize=5, label=name)
    print(f"{name:>12}: first losses", *(f"{value:.3g}" for value in values[:4]), f"... last {values[-1]:.3g}")
axes.axhline(1 / 6, color=GREY, linestyle="--", label="always 1")
label(axes, x="step", y="mean squared error (log axis)")
axes.grid(alpha=0.25)
axes.legend()
assert not np.isfinite(losses["not clipped"][-1])
assert losses["clipped to 1"][-1] < losses["clipped to 1"][0]
figure

# %% [markdown]
# **Figure 9.** One step without clipping, and the loss has left all bounds; soon it is no number any more and the line
# ends. With clipping the same start comes down. Clipping cures explosions alone: a gradient that has vanished does not
# come back by being made longer, since what it says about distant steps is already lost.

# %% [markdown]
# **A forget gate that starts half closed**, and **sequences longer than any in training.** The bias of the forget gate
# decides what a fresh LSTM can hold: at a bias of 0 it halves its cell in each step. And a network that has added over
# 50 steps has never had to hold anything for 200.

# %%
figure = new_figure(11, 3.8)
left, right = figure.subplots(1, 2)
for bias, (shade, line, mark) in zip((0.0, 1.0, 3.0), LOOKS, strict=False):
    model = kzoo.create_model("lstm", **small)
    weights = model.get_weights()
    weights[2][32:64] = bias  # the second block of columns is the forget gate's
    model.set_weights(weights)
    norms = reach({"": model})[""]
    left.semilogy(np.arange(LENGTH)[::-1], norms, color=shade, linestyle=line, marker=mark, markevery=8,
                  label=f"forget bias {bias:g}: gate {sigmoid(bias):.2f}")  # fmt: skip
label(left, x="steps back in time", y="norm of the gradient (log axis)")
lengths = (25, 50) if FAST else (25, 50, 100, 200)
longer = [kzoo.load_data("adding", length=length, samples=100) for length in lengths]
for (name, model), (shade, line, mark) in zip(models.items(), LOOKS, strict=True):
    found = [evaluate(model, other.x_test, other.y_test, len(other.y_test)) for other in longer]
    errors = [figures["mse"] for figures, _ in found]
    shifts = [(outputs - other.y_test).mean() for (_, outputs), other in zip(found, longer, strict=True)]
    words = [f"{shift:+.2f} at {length} steps" for shift, length in zip(shifts, lengths, strict=True)]
    print(f"{name:>15}: mean of answer - sum " + ", ".join(words))
    right.loglog(lengths, errors, color=shade, linestyle=line, marker=mark, label=name)
right.axvline(LENGTH, color=GREY, linestyle=":")
right.set_xticks(lengths, [str(length) for length in lengths])
right.minorticks_off()
label(right, x="length of the test sequences (steps, log axis)", y="mean squared error (log axis)")
for axes in (left, right):
    axes.grid(alpha=0.25)
    axes.legend()
figure

# %% [markdown]
# **Figure 10.** Left: the reach of fresh LSTMs that differ in one number. With a bias of 3 the gates are open to 0.95,
# and the answer depends on the first step by many orders of magnitude more than with a bias of 0. Right: the networks
# of figure 5 on sequences of other lengths than the 50 (dotted) that they were trained on. All that had learned
# something get worse, on longer sequences and even on shorter ones. The print shows that they do not just become
# unsure: the plain LSTM's answers are too large at 25 steps and too small at 100, as those of a leaking memory would be
# whose head has learned to make up for just what is lost in 50 steps. A network is free to rely on whatever all of its
# training sequences have in common. Training on many lengths is the remedy.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** A forget gate at $f$ keeps $f^k$ of a cell after $k$ steps. Which gate has a memory of $T$ steps, so
# that about $1/e$ is left after $T$, and which bias gives that gate? Look at the biases of `memory=50` in figure 2.
#
# <details>
# <summary>Solution</summary>
#
# $f = 1 - 1/T$, because $(1 - 1/T)^T \approx 1/e$; and $\sigma(b) = 1 - 1/T$ for $b = \log(T - 1)$. kzoo draws $T$ for
# each unit between 2 and `memory`, and gives the input gate $-b$, so that what is kept long is also filled slowly. This
# is the *chrono* initialisation of Tallec and Ollivier (2018, arXiv:1804.11188).
#
# ```python
# memories = np.array([2, 10, 50, 1000])
# gates = sigmoid(np.log(memories - 1))
# np.testing.assert_allclose(gates, 1 - 1 / memories)
# print("left after T steps:", (gates**memories).round(3))
# start = kzoo.create_model("lstm", memory=50, **small).get_weights()[2]
# i_bias, f_bias = start[:32], start[32:64]
# assert np.all((0 <= f_bias) & (f_bias <= np.log(49)))
# np.testing.assert_allclose(i_bias, -f_bias)
# assert fresh["lstm, memory=50"][0] > 10 * fresh["lstm"][0]
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** `bidirectional=True` gives each layer a twin that reads from the end. Why may such a network classify
# digits, but not give a token, or a forecast, at each step? Show what the twin knows at the first step.
#
# <details>
# <summary>Solution</summary>
#
# The twin's state at the first step has read the whole sequence, the last row as well. A whole digit is there before
# the question is asked, so that is fair. A forecast at step $t$ would have read the values that it should foretell: it
# would be perfect in training and useless in life, where they have not happened yet. kzoo refuses it for tokens.
#
# ```python
# both = kzoo.create_model("rnn", input_shape=(8, 8), num_outputs=10, hidden_dims=(16,), bidirectional=True, seed=0)
# changed = digits.x_test[:1].copy()
# changed[:, -1] = 1 - changed[:, -1]  # another last row
# before, after = both.trace(digits.x_test[:1]), both.trace(changed)
# state = "hidden state"
# np.testing.assert_array_equal(before["layer_1"][state][0, 0], after["layer_1"][state][0, 0])
# assert np.abs(before["layer_1_back"][state][0, 0] - after["layer_1_back"][state][0, 0]).max() > 1e-3
# try:
#     kzoo.create_model("rnn", input_shape=(20,), num_outputs=10, task="tokens", vocabulary=10, bidirectional=True)
# except kzoo.errors.RecipeError as error:
#     print(error)
# else:
#     raise AssertionError("expected a refusal")
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Write the GRU in ten lines of NumPy and compare all of its gates with kzoo's. The kernel's columns
# stand in the order z, r, n; the bias has two rows, one for the input and one for the recurrent product.
#
# <details>
# <summary>Solution</summary>
#
# ```python
# def gru(x, w, u, b):
#     h, seen = np.zeros(len(u)), []
#     for step in x:
#         x_z, x_r, x_n = np.split(step @ w + b[0], 3)
#         h_z, h_r, h_n = np.split(h @ u + b[1], 3)
#         z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
#         n = np.tanh(x_n + r * h_n)
#         h = z * h + (1 - z) * n
#         seen.append((z, r, n, h))
#     return np.array(seen).transpose(1, 0, 2)
#
# zoo = models["gru"]  # the trained one, since fresh biases are all 0 and would hide a mistake
# mine = gru(example[0], *(part.astype("float64") for part in zoo.get_weights()[:3]))
# for part, name in zip(mine, ("update gate", "reset gate", "candidate", "hidden state"), strict=True):
#     np.testing.assert_allclose(part, zoo.trace(example)["layer_1"][name][0], atol=1e-4)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** To save time and memory, *truncated* backpropagation through time goes back only $k$ steps. Use `bptt`
# with `steps=k` on one sequence of the adding problem and the fresh simple network. How large is the error of
# $\partial L / \partial U$, and what can a network with a small $k$ never learn?
#
# <details>
# <summary>Solution</summary>
#
# The error falls as fast as the gradient vanishes: what is cut off was small. And that is the danger. A dependence over
# more than $k$ steps has no share in the gradient at all, so the first marked number would never be asked for.
#
# ```python
# w, u, b, v, _ = (part.astype("float64") for part in kzoo.create_model("rnn", **small).get_weights())
# h = elman(example[0], w, u, b)
# _, full, _, _ = bptt(example[0], h, w, u, v[:, 0])
# errors = {}
# for k in (1, 2, 5, 10, 25, 50):
#     _, part, _, dx = bptt(example[0], h, w, u, v[:, 0], steps=k)
#     errors[k] = np.linalg.norm(part - full) / np.linalg.norm(full)
#     assert not dx[: LENGTH - k].any()  # what lies further back has no say
#     print(f"{k:2d} steps: dL/dU is off by {100 * errors[k]:.2f} %")
# assert errors[50] == 0 and errors[25] < errors[5] < errors[1]
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A recurrent network is one layer, used at every step, that reads its own last state.
# - Backwards through time the gradient is a product of one matrix a step: it vanishes or explodes exponentially.
# - An LSTM carries a sum past the matrices, and gates guard it; a GRU does it with one state and two gates.
# - Gates do not reach far by themselves. They make reaching far easy to learn, and the right initial bias easier still.
# - Clip the gradients; look at the forget bias; do not trust a network on sequences longer than those it knew.
#
# To read on: Elman, *Finding structure in time*, 1990. Bengio, Simard and Frasconi, *Learning long-term dependencies
# with gradient descent is difficult*, 1994. Hochreiter and Schmidhuber, *Long short-term memory*, 1997. Gers,
# Schmidhuber and Cummins, *Learning to forget*, 2000. Cho et al., arXiv:1406.1078. In kzoo: `kzoo/ops/recurrent.py`,
# one function a step.
