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
# # 3 · Forward and backward propagation by hand
#
# **How does one number at the end of a network tell every weight what to do?**
#
# After this chapter you can
#
# - run a small network forward with pencil and paper, and write down the shape of everything in it;
# - run it backward with the chain rule, and get the derivative for every weight in one sweep;
# - check such a derivative in two independent ways: by finite differences, and by automatic differentiation;
# - find a mistake in a program that seems to work.
#
# You need chapters 1 and 2. The whole chapter runs in less than a minute on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import time

import keras
import numpy as np
from keras import ops
from matplotlib.patches import FancyBboxPatch

from kzoo import plots
from kzoo.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, label, new_figure

keras.utils.set_random_seed(0)

# %% [markdown]
# ## The idea: rates multiply
#
# A gear turns three times as fast as the one that drives it, and drives another twice as fast as itself. The last one
# turns $3 \times 2 = 6$ times as fast as the first. That is the **chain rule**: if $z$ depends on $w$, and $L$ on $z$,
#
# $$\frac{\partial L}{\partial w} = \frac{\partial L}{\partial z} \cdot \frac{\partial z}{\partial w} .$$
#
# A network is a long train of gears. At its end stands the **loss** $L$, one number that says how wrong the output was.
# To improve a weight we must know how the loss changes with it, $\partial L / \partial w$, and the chain rule says how:
# multiply the rates of all the gears in between. If there are several ways from $w$ to $L$, add up what comes along
# each. **Backpropagation** is the art of doing this for every weight at once without computing anything twice: start at
# the loss, walk back, and carry along $\partial L / \partial(\text{whatever you are standing on})$.
#
# ## A network small enough for paper
#
# Two inputs, three hidden units with tanh, one output, and half the squared error as the loss. Everything is a matrix
# with one row per example; here there is a single example. The shapes stand underneath:
#
# $$\underset{(1,3)}{\mathbf{z}_1} = \underset{(1,2)}{\mathbf{x}} \; \underset{(2,3)}{W_1} + \underset{(3)}{\mathbf{b}_1}
# \qquad \underset{(1,3)}{\mathbf{a}_1} = \tanh \mathbf{z}_1
# \qquad \underset{(1,1)}{z_2} = \mathbf{a}_1 \underset{(3,1)}{W_2} + \underset{(1)}{b_2}
# \qquad L = \tfrac12 (z_2 - y)^2$$

# %%
x, y = np.array([[1.0, -2.0]]), np.array([[0.5]])  # (1, 2), (1, 1)
W1 = np.array([[0.5, -1.0, 0.3], [0.2, 0.4, -0.6]])  # (2, 3)
b1 = np.array([0.1, 0.0, -0.2])  # (3,)
W2 = np.array([[0.8], [-0.5], [1.2]])  # (3, 1)
b2 = np.array([0.1])  # (1,)


def forward(x, y, W1, b1, W2, b2):
    """The loss of one example, and everything that was computed on the way."""
    z1 = x @ W1 + b1  # (1, 3)
    a1 = np.tanh(z1)  # (1, 3)
    z2 = a1 @ W2 + b2  # (1, 1)
    loss = 0.5 * ((z2 - y) ** 2).sum()
    return loss, {"z1": z1, "a1": a1, "z2": z2}


loss, values = forward(x, y, W1, b1, W2, b2)
for name, value in values.items():
    print(f"{name} = {value.round(4)}")
print(f"L  = {loss:.4f}")

# %% [markdown]
# Drawn as a picture, this is a **computational graph**: boxes are operations, arrows carry numbers. Forward, we follow
# the arrows. Backward, we walk against them, and at each box multiply by that box's own rate.


# %%
def box(axes, x, y, text, color, width=1.0):
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.28), width, 0.56, boxstyle="round,pad=0.06", fc=color, ec=BLACK, alpha=0.25
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=12)


figure = new_figure(12, 3.6)
axes = figure.subplots()
operations = [(2, "$x\\,W_1 + b_1$"), (5, "tanh"), (8, "$a_1 W_2 + b_2$"), (11, "$\\frac{1}{2}(z_2 - y)^2$")]
for place, text in operations:
    box(axes, place, 1.5, text, BLUE, width=1.6)
for place, text in ((-0.4, "$x$  (1, 2)"), (2, "$W_1, b_1$  (2, 3), (3)"), (8, "$W_2, b_2$  (3, 1), (1)"), (11, "$y$")):
    box(axes, place, 1.5 if place < 0 else 0, text, GREY, width=1.2 if place in (-0.4, 11) else 2.6)
    start, end = ((0.3, 1.5), (1.1, 1.5)) if place < 0 else ((place, 0.36), (place, 1.14))
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>"})
box(axes, 13.3, 1.5, "$L$", GREY, width=0.5)
gaps = [
    (2.9, 4.1, "$z_1$", "$\\partial L/\\partial z_1$"),
    (5.9, 7.1, "$a_1$", "$\\partial L/\\partial a_1$"),
    (8.9, 10.1, "$z_2$", "$\\partial L/\\partial z_2$"),
    (11.9, 12.95, "$L$", "1"),
]
for start, end, above, below in gaps:
    axes.annotate("", (end, 1.6), (start, 1.6), arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 2})
    axes.annotate(
        "", (start, 1.35), (end, 1.35), arrowprops={"arrowstyle": "-|>", "color": VERMILLION, "lw": 2, "ls": "--"}
    )
    axes.text((start + end) / 2, 1.72, above, ha="center", color=BLUE, fontsize=13)
    axes.text((start + end) / 2, 0.88, below, ha="center", color=VERMILLION, fontsize=13)
axes.set(xlim=(-1.3, 13.8), ylim=(-0.5, 2.2))
axes.axis("off")
figure

# %% [markdown]
# **Figure 1.** The network as a computational graph, with shapes. Solid blue arrows carry values forward. Dashed red
# arrows carry the derivative of the loss backward along the same wires, so it has the same shape as the value that
# passed there: this is the best check of shapes there is.

# %% [markdown]
# ## Backward, one box at a time
#
# Walk from right to left. Write $\delta$ for the derivative of the loss with respect to a *score*, and $\odot$ for
# multiplying number by number.
#
# | box | its own rate | what we now know | shape |
# | --- | --- | --- | --- |
# | loss | $z_2 - y$ | $\delta_2 = \partial L/\partial z_2 = z_2 - y$ | $(1,1)$ |
# | second layer | $z_2$ grows by $a_1$ per unit of $W_2$ | $\partial L/\partial W_2 = \mathbf{a}_1^\top \delta_2$ | $(3,1)$ |
# | | and by 1 per unit of $b_2$ | $\partial L/\partial b_2 = \delta_2$ | $(1)$ |
# | | and by $W_2$ per unit of $a_1$ | $\partial L/\partial \mathbf{a}_1 = \delta_2 W_2^\top$ | $(1,3)$ |
# | tanh | $1 - \mathbf{a}_1^2$ | $\delta_1 = \partial L/\partial \mathbf{a}_1 \odot (1 - \mathbf{a}_1^2)$ | $(1,3)$ |
# | first layer | $z_1$ grows by $x$ per unit of $W_1$ | $\partial L/\partial W_1 = \mathbf{x}^\top \delta_1$ | $(2,3)$ |
# | | and by 1 per unit of $b_1$ | $\partial L/\partial \mathbf{b}_1 = \delta_1$ | $(3)$ |
#
# Read one entry of it in words. $\partial L / \partial W_1[i,j] = x_i \, \delta_{1,j}$: a weight is to blame as far as
# its input was large *and* the unit that it feeds was to blame. Note also what the backward pass needs: $\mathbf{x}$,
# $\mathbf{a}_1$ and $z_2$, the values of the forward pass. That is why training takes more memory than using a network.


# %%
def backward(x, y, W2, values):
    """The derivative of the loss for each weight, each in the shape of its weight."""
    a1, z2 = values["a1"], values["z2"]
    delta2 = z2 - y  # (1, 1)
    dW2 = a1.T @ delta2  # (3, 1)
    db2 = delta2.sum(axis=0)  # (1,)
    da1 = delta2 @ W2.T  # (1, 3)
    delta1 = da1 * (1 - a1**2)  # (1, 3)
    dW1 = x.T @ delta1  # (2, 3)
    db1 = delta1.sum(axis=0)  # (3,)
    return dW1, db1, dW2, db2


weights = [W1, b1, W2, b2]
gradients = backward(x, y, W2, values)
for name, weight, gradient in zip(("W1", "b1", "W2", "b2"), weights, gradients, strict=True):
    assert gradient.shape == weight.shape
    print(f"dL/d{name} =", np.array2string(gradient.round(4), prefix=" " * 8))

# %% [markdown]
# ## Two witnesses
#
# Never trust a derivative that nobody has checked. The first witness knows no calculus at all: wiggle one weight by a
# small $h$ to both sides, and see how the loss moves. These **central differences** are wrong by about $h^2$, so in
# float64 with $h = 10^{-5}$ some ten digits are right:
#
# $$\frac{\partial L}{\partial w} \approx \frac{L(w + h) - L(w - h)}{2h}$$
#
# The second witness is your backend, which records the forward pass and does the same walk back as we did:
# **automatic differentiation**. The forward pass is written anew in `keras.ops`, which every backend understands.


# %%
def numeric_gradients(loss_of, weights, h=1e-5):
    """Central differences of `loss_of()` for every entry of every array, which is changed in place and put back."""
    gradients = []
    for weight in weights:
        gradient = np.zeros_like(weight)
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + h
            up = loss_of()
            weight[index] = kept - h
            down = loss_of()
            weight[index] = kept
            gradient[index] = (up - down) / (2 * h)
        gradients.append(gradient)
    return gradients


numeric = numeric_gradients(lambda: forward(x, y, *weights)[0], weights)

variables = [keras.Variable(weight, dtype="float32") for weight in weights]
inputs, target = (ops.convert_to_tensor(part, dtype="float32") for part in (x, y))


def loss_in_keras():
    v1, c1, v2, c2 = variables
    a1 = ops.tanh(ops.matmul(inputs, v1) + c1)
    z2 = ops.matmul(a1, v2) + c2
    return 0.5 * ops.sum((z2 - target) ** 2)


value, automatic = kzoo.backend.value_and_grad(loss_in_keras, variables)
automatic = [ops.convert_to_numpy(gradient) for gradient in automatic]

np.testing.assert_allclose(ops.convert_to_numpy(value), loss, rtol=1e-6)
for ours, differences, autodiff in zip(gradients, numeric, automatic, strict=True):
    np.testing.assert_allclose(ours, differences, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours, autodiff, rtol=1e-5, atol=1e-6)
print(f"By hand, by differences and by {kzoo.backend.name()}: all {sum(w.size for w in weights)} derivatives agree.")

# %%
figure = new_figure(11, 5)
axes = figure.subplots()
places = [[(0, 1.5), (0, 0.0)], [(3, 2.1), (3, 0.75), (3, -0.6)], [(6, 0.75)]]
shown = [x[0], values["a1"][0], values["z2"][0]]
deltas = [None, ((values["z2"] - y) @ W2.T)[0], (values["z2"] - y)[0]]
for layer, (weight, gradient) in enumerate(((W1, gradients[0]), (W2, gradients[2]))):
    for (i, start), (j, end) in ((s, e) for s in enumerate(places[layer]) for e in enumerate(places[layer + 1])):
        w, g = weight[i, j], gradient[i, j]
        axes.plot(*zip(start, end, strict=True), color=GREY, linewidth=0.6 + 3 * abs(w), alpha=0.6, zorder=1,
                  linestyle="-" if w > 0 else "--")  # fmt: skip
        at = np.array(start) + (0.27 + 0.19 * j if layer == 0 else 0.42) * (np.array(end) - np.array(start))
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # so that no line runs through a number
        axes.text(*at, f"{w:+.1f}", color=BLUE, fontsize=10, ha="center", va="bottom", bbox=paper)
        axes.text(*at, f"{g:+.2f}", color=VERMILLION, fontsize=10, ha="center", va="top", bbox=paper)
for layer, (names, unit_places) in enumerate(zip(("x_{}", "a_{{1,{}}}", "z_2"), places, strict=True)):
    for j, place in enumerate(unit_places):
        axes.scatter(*place, s=2300, color="white", edgecolors=BLACK, zorder=2)
        axes.text(*place, f"{shown[layer][j]:+.2f}", ha="center", va="bottom", color=BLUE, fontsize=12, zorder=3)
        if deltas[layer] is not None:
            axes.text(
                *place, f"{deltas[layer][j]:+.2f}", ha="center", va="top", color=VERMILLION, fontsize=12, zorder=3
            )
        axes.text(place[0], place[1] + 0.42, f"${names.format(j + 1)}$", ha="center", fontsize=12)
axes.text(6.75, 0.75, f"L = {loss:.3f}\ntarget y = {y.item()}", va="center", fontsize=12)
axes.set(xlim=(-0.6, 8), ylim=(-1.3, 2.8))
axes.axis("off")
axes.set_title("blue, above: the value        red, below: the derivative of the loss with respect to it", fontsize=12)
figure

# %% [markdown]
# **Figure 2.** The same network with all its numbers but the biases (thick edges are large weights, dashed ones
# negative). Find the edge with the largest red number: to lower the loss, change that weight first, *against* the sign
# of its derivative. It hangs on the largest input and on the hidden unit that is blamed most after tanh has had its say.

# %% [markdown]
# ## How small should the wiggle be?
#
# Mathematics says: as small as possible. Computers disagree. $L(w+h)$ and $L(w-h)$ are rounded to 16 digits (float64) or
# 7 (float32), and if $h$ is tiny they agree in nearly all of them: what is left of the difference is mostly noise.

# %%
steps = 10.0 ** np.arange(-14, 0.01, 0.5)
exact = gradients[0][1, 2]


def error_of(h, kind, dtype="float64"):
    def loss_at(step):
        moved = W1.copy()
        moved[1, 2] += step
        return forward(*(part.astype(dtype) for part in (x, y, moved, b1, W2, b2)))[0]

    numeric = (loss_at(h) - loss_at(-h)) / (2 * h) if kind == "central" else (loss_at(h) - loss_at(0)) / h
    return max(abs(numeric - exact) / abs(exact), 1e-17)


figure = new_figure(9, 4.2)
axes = figure.subplots()
for kind, dtype, color, dash in (
    ("one-sided", "float64", ORANGE, "--"),
    ("central", "float64", BLUE, "-"),
    ("central", "float32", VERMILLION, ":"),
):
    errors = [error_of(h, kind, dtype) for h in steps]
    axes.loglog(steps, errors, color=color, linestyle=dash, marker=".", label=f"{kind}, {dtype}")
axes.set_ylim(1e-13, 30)
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
label(
    axes, x="step h (log axis)", y="relative error (log axis)", title="Finite differences against the exact derivative"
)
figure

# %% [markdown]
# **Figure 3.** From right to left: at first a smaller step helps (central differences gain two digits for each one
# digit of $h$, one-sided differences only one), then rounding takes over and it gets worse again. The best central
# difference lies between $10^{-6}$ and $10^{-5}$, in float64. In float32 (dotted) the same step leaves two digits, and a
# still smaller one none at all: the two losses come out equal.

# %% [markdown]
# ## A batch, any depth, and ten classes: the vectorised form
#
# With a batch of $n$ examples the inputs become $X$ of shape $(n, d)$, and every formula above stays the same. The loss
# is the mean over the batch, so $\delta$ carries a factor $1/n$. The product $A^\top \delta$ then adds up the examples'
# contributions by itself; the biases' sum over rows must be written out.
#
# For a classifier we put softmax and the **cross-entropy** $L = -\log p_y$ at the end, with $p$ from chapter 2. It looks
# more complicated than a squared error, and its derivative is even simpler. Since $\log p_y = z_y - \log \sum_j e^{z_j}$,
#
# $$\delta_k = \frac{\partial L}{\partial z_k} = p_k - [k = y] :$$
#
# *what was said minus what should have been said.* All layers are now alike, and a loop does the rest.


# %%
def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def run_forward(x, layers):
    """Inputs (n, d) and [(W, b), ...] -> the inputs of every layer, and last the logits (n, k)."""
    outputs = [x]
    for i, (W, b) in enumerate(layers):
        z = outputs[-1] @ W + b
        outputs.append(np.tanh(z) if i < len(layers) - 1 else z)
    return outputs


def cross_entropy(logits, y):
    return -np.log(softmax(logits)[np.arange(len(y)), y]).mean()


def run_backward(outputs, layers, y):
    """The derivatives of the mean loss, [(dW, db), ...]."""
    delta = (softmax(outputs[-1]) - np.eye(outputs[-1].shape[1])[y]) / len(y)  # (n, k)
    gradients = []
    for i in reversed(range(len(layers))):
        gradients.append((outputs[i].T @ delta, delta.sum(axis=0)))
        if i > 0:
            delta = (delta @ layers[i][0].T) * (1 - outputs[i] ** 2)
    return gradients[::-1]


# %% [markdown]
# ## The same through kzoo
#
# The zoo's `mlp` with tanh is this network. We take its initial weights, run ours and the zoo's on the same batch, and
# compare the loss and every derivative. Then both take five steps downhill, $w \leftarrow w - \eta\,\partial L/\partial
# w$, and must still agree.

# %%
moons = kzoo.load_data("moons", samples=200)
model = kzoo.create_model("mlp", input_shape=(2,), num_classes=2, hidden_dims=(8, 6), activation="tanh")
start = [weight.astype("float64") for weight in model.get_weights()]  # W1, b1, W2, b2, W3, b3


def layers_of(weights):
    return list(zip(weights[::2], weights[1::2], strict=True))


layers = layers_of(start)
outputs = run_forward(moons.x_train, layers)
ours = [part for layer in run_backward(outputs, layers, moons.y_train) for part in layer]

loss_fn = model.training_loss()
value, theirs = kzoo.backend.value_and_grad(
    lambda: loss_fn(moons.y_train, model(moons.x_train)), model.trainable_variables
)
np.testing.assert_allclose(ops.convert_to_numpy(value), cross_entropy(outputs[-1], moons.y_train), rtol=1e-5)
for mine, other in zip(ours, theirs, strict=True):
    np.testing.assert_allclose(mine, ops.convert_to_numpy(other), rtol=1e-4, atol=1e-6)


def train(weights, steps, rate, backward=run_backward):
    """Plain gradient descent on the whole training set -> the weights and the loss before each step."""
    weights, losses = [w.copy() for w in weights], []
    for _ in range(steps):
        layers = layers_of(weights)
        outputs = run_forward(moons.x_train, layers)
        losses.append(cross_entropy(outputs[-1], moons.y_train))
        gradients = [part for layer in backward(outputs, layers, moons.y_train) for part in layer]
        weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
    return weights, losses


model.compile(keras.optimizers.SGD(0.5), loss_fn)
model.fit(moons.x_train, moons.y_train, batch_size=len(moons.x_train), epochs=5, shuffle=False, verbose=0)
for mine, other in zip(train(start, 5, 0.5)[0], model.get_weights(), strict=True):
    np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)
print(f"{len(ours)} arrays of derivatives agree, and so do the weights after five steps.")

# %%
trained, losses = train(start, steps=300 if FAST else 2000, rate=0.5)
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
plots.decision_surface(
    lambda points: softmax(run_forward(points, layers_of(trained))[-1]),
    moons.x_train, moons.y_train, x_test=moons.x_test, y_test=moons.y_test,
    title="Two moons, by 30 lines of NumPy",
)  # fmt: skip

# %% [markdown]
# **Figure 4.** What our own forward and backward pass have learned: a border that bends between the moons. Compare it
# with the single line of chapter 1, which is all that one neuron has.

# %% [markdown]
# ## Why backward?
#
# Finite differences gave the same numbers with no calculus. But they need two forward passes **for each weight**, while
# one backward pass, at the price of about two forward passes, serves all weights at once. Small networks have thousands
# of weights, large ones billions.

# %%
layers = layers_of(trained)
begin = time.perf_counter()
for _ in range(20):
    run_backward(run_forward(moons.x_train, layers), layers, moons.y_train)
by_backpropagation = (time.perf_counter() - begin) / 20
begin = time.perf_counter()
numeric_gradients(lambda: cross_entropy(run_forward(moons.x_train, layers)[-1], moons.y_train), trained)
by_differences = time.perf_counter() - begin
count = sum(w.size for w in trained)
print(f"{count} weights: differences take {by_differences / by_backpropagation:.0f} times as long as backpropagation")

# %% [markdown]
# ## What breaks it: small mistakes, which need not show
#
# Here are three bugs that are easily written: a sign flipped on the way back, the derivative of the activation left out,
# and biases that are never updated. The program runs in each case. Does the loss give the bug away?


# %%
def with_bug(bug):
    """`run_backward` with one mistake in it."""

    def run(outputs, layers, y):
        delta = (softmax(outputs[-1]) - np.eye(outputs[-1].shape[1])[y]) / len(y)
        gradients = []
        for i in reversed(range(len(layers))):
            bias = delta.sum(axis=0)
            gradients.append((outputs[i].T @ delta, 0 * bias if bug == "biases forgotten" else bias))
            if i > 0:
                sign = -1 if bug == "sign flipped" else 1
                slope = 1 if bug == "slope of tanh left out" else 1 - outputs[i] ** 2
                delta = sign * (delta @ layers[i][0].T) * slope
        return gradients[::-1]

    return run


def gradient_check(backward, weights):
    """The largest relative difference of a gradient from central differences, over all arrays."""
    weights = [w.copy() for w in weights]
    layers = layers_of(weights)
    exact = numeric_gradients(lambda: cross_entropy(run_forward(moons.x_train, layers)[-1], moons.y_train), weights)
    found = [part for layer in backward(run_forward(moons.x_train, layers), layers, moons.y_train) for part in layer]
    return max(
        np.linalg.norm(f - e) / (np.linalg.norm(f) + np.linalg.norm(e)) for f, e in zip(found, exact, strict=True)
    )


figure = new_figure(10, 4.2)
axes = figure.subplots()
checks = {}
for bug, color, dash in (
    ("none", BLACK, "-"),
    ("slope of tanh left out", BLUE, "--"),
    ("biases forgotten", GREEN, "-."),
    ("sign flipped", VERMILLION, ":"),
):
    checks[bug] = gradient_check(with_bug(bug), start)
    _, losses = train(start, 300, 0.1, with_bug(bug))
    axes.plot(losses, color=color, linestyle=dash, linewidth=2, label=f"{bug}: {checks[bug]:.0e}")
axes.set_ylim(0, 1.5)
axes.legend(title="bug: relative error that the check finds", loc="upper center", ncols=2, frameon=False)
label(axes, x="step", y="training loss (nats)", title="Four programs, three of them wrong")
assert checks["none"] < 1e-7
assert all(error > 1e-2 for bug, error in checks.items() if bug != "none")
figure

# %% [markdown]
# **Figure 5.** The flipped sign (dotted) shows: its loss jumps about. The other two bugs hide: their networks learn nearly
# as well as the right one (solid), because the weights of the last layer are right and make up for the damage behind
# them. A falling loss proves nothing. The gradient check tells all of them apart at once: below $10^{-7}$ is right, above
# $10^{-2}$ is wrong, and what lies between deserves a second look.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** The derivative of the loss with respect to the *input* of the 2-3-1 network costs one more line. Which?
# Check it against finite differences. (Chapter 7 draws it as a picture: which pixels matter.)
#
# <details>
# <summary>Solution</summary>
#
# One more step back through the first layer: $\partial L/\partial \mathbf{x} = \delta_1 W_1^\top$, of shape $(1, 2)$.
#
# ```python
# delta1 = ((values["z2"] - y) @ W2.T) * (1 - values["a1"] ** 2)  # (1, 3)
# dx = delta1 @ W1.T  # (1, 2)
# (differences,) = numeric_gradients(lambda: forward(x, y, *weights)[0], [x])
# np.testing.assert_allclose(dx, differences, rtol=1e-8)
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Let a number take two ways to the loss: $L = x \tanh x$. Write the derivative down with the chain rule,
# adding what comes along each way, and check it with your backend.
#
# <details>
# <summary>Solution</summary>
#
# Along the factor $x$: $\tanh x$. Along the tanh: $x\,(1 - \tanh^2 x)$. Together
# $\mathrm{d}L/\mathrm{d}x = \tanh x + x\,(1 - \tanh^2 x)$.
#
# ```python
# variable = keras.Variable(0.7, dtype="float32")
# _, (gradient,) = kzoo.backend.value_and_grad(lambda: variable * ops.tanh(variable), [variable])
# by_hand = np.tanh(0.7) + 0.7 * (1 - np.tanh(0.7) ** 2)
# np.testing.assert_allclose(ops.convert_to_numpy(gradient), by_hand, rtol=1e-6)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Start all weights of the moons network at the same constant, 0.5, and train it. What happens to the
# eight units of the first layer, and why?
#
# <details>
# <summary>Solution</summary>
#
# All units of a layer see the same inputs with the same weights, so they say the same and get the same blame; their
# updates are equal, and they stay equal for ever: eight units do the work of one. Random initial weights break the tie.
# (At exactly 0 it is worse: no derivative gets past the zero weights at all.)
#
# ```python
# constant, _ = train([np.full_like(w, 0.5) for w in start], 200, 0.5)
# np.testing.assert_allclose(constant[0], constant[0][:, :1] * np.ones((1, 8)), rtol=1e-9)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Derive $\delta_k = p_k - [k = y]$ from $L = -z_y + \log \sum_j e^{z_j}$ on paper. What do the entries of
# $\delta$ add up to, and what does that mean for the scores?
#
# <details>
# <summary>Solution</summary>
#
# The first term gives $-[k = y]$. The second: $\frac{1}{\sum_j e^{z_j}} e^{z_k} = p_k$. They add up to $1 - 1 = 0$:
# a step takes from some scores just what it gives to others, since only differences of scores matter to softmax.
#
# ```python
# logits = run_forward(moons.x_train, layers)[-1]
# delta = softmax(logits) - np.eye(2)[moons.y_train]
# np.testing.assert_allclose(delta.sum(axis=1), 0, atol=1e-12)
# (differences,) = numeric_gradients(lambda: cross_entropy(logits, moons.y_train), [logits])
# np.testing.assert_allclose(delta / len(logits), differences, atol=1e-9)
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - Forward: each layer computes $\mathbf{a} = f(\mathbf{x}W + \mathbf{b})$, and the end is one number, the loss.
# - Backward: carry $\delta$, the derivative with respect to the scores; $\partial L/\partial W = A^\top \delta$.
# - A derivative has the shape of the thing that it belongs to.
# - One backward pass serves every weight. Finite differences need two forward passes for each, and are the witness.
# - A falling loss does not prove that the derivatives are right; a gradient check does.
# - Next, **chapter 4**: what to do with the derivatives, and which loss to take them of.
