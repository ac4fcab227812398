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
# # 2 · Activations
#
# **Why must a neuron bend its score, and which bend is a good one?**
#
# After this chapter you can
#
# - show that layers without a bend between them are one layer in disguise;
# - write down the common activation functions with their derivatives, and check them against automatic differentiation;
# - recognise the two ways in which units stop learning: saturation and death;
# - compute a softmax that does not overflow, and say what its temperature does.
#
# You need chapter 1 and the idea of a derivative: how fast a function's value changes. The whole chapter runs in about a
# minute on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import math

import keras
import numpy as np
from keras import ops

from kzoo.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILLION, label, new_figure

keras.utils.set_random_seed(0)

# %% [markdown]
# ## The idea: without a bend, depth is an illusion
#
# Chapter 1 ended with a task that one neuron cannot do. The way out is a second layer of neurons that looks at the
# first. But what if the first layer passes its scores on just as they are? With weight matrices $W_1, W_2$ (inputs as
# rows, so that a layer computes $\mathbf{x}W + \mathbf{b}$):
#
# $$(\mathbf{x} W_1 + \mathbf{b}_1) W_2 + \mathbf{b}_2
# = \mathbf{x} \underbrace{(W_1 W_2)}_{W} + \underbrace{(\mathbf{b}_1 W_2 + \mathbf{b}_2)}_{\mathbf{b}}$$
#
# Two layers have collapsed into one with weights $W$ and bias $\mathbf{b}$, and so would two hundred. To gain anything
# from depth, each layer must do something to its scores that is not linear: apply an **activation function** $f$, number
# by number:
#
# $$\mathbf{a} = f(\mathbf{z}), \qquad \mathbf{z} = \mathbf{x} W + \mathbf{b}$$
#
# Let us watch both happen in the zoo's `mlp`, here with one input, two hidden layers, and untrained.

# %%
linear = kzoo.create_model("mlp", input_shape=(1,), num_classes=2, hidden_dims=(16, 16), activation="linear")
weights = linear.get_weights()  # W1, b1, W2, b2, W3, b3
rng = np.random.default_rng(3)
weights[0] *= 4  # steep, and with biases that are not zero: the bends become easy to see
weights[1], weights[3] = rng.normal(0, 3, 16), rng.normal(0, 1, 16)
linear.set_weights(weights)

w1, b1, w2, b2, w3, b3 = weights
collapsed_w, collapsed_b = w1 @ w2 @ w3, (b1 @ w2 + b2) @ w3 + b3  # (1, 2), (2,)

x = np.linspace(-3, 3, 301, dtype="float32")[:, None]  # (n, 1)
np.testing.assert_allclose(linear.predict(x, verbose=0), x @ collapsed_w + collapsed_b, rtol=1e-4, atol=1e-4)
print(f"{linear.count_params()} parameters in three layers compute what {collapsed_w.size + collapsed_b.size} would.")

# %%
figure = new_figure(12, 3.4)
for axes, activation in zip(figure.subplots(1, 3), ("linear", "tanh", "relu"), strict=True):
    model = kzoo.create_model("mlp", input_shape=(1,), num_classes=2, hidden_dims=(16, 16), activation=activation)
    model.set_weights(weights)
    axes.plot(x, model.predict(x, verbose=0)[:, 0], color=BLUE, linewidth=2.5)
    label(axes, x="input x (no unit)", title=activation)
label(figure.axes[0], y="first output (no unit)")
figure

# %% [markdown]
# **Figure 1.** One network, one set of weights, three activations, each on its own scale. Without one (left) three layers are a straight line.
# With tanh the line bends smoothly; with relu it has kinks, where a unit switches on or off. Training moves the bends to
# where the task needs them.

# %% [markdown]
# ## Seven activations and their derivatives
#
# Learning will need the derivative $f'(z)$: by how much the output changes if the score changes a little. (Chapter 3
# shows what for.) Here $\sigma$ is the sigmoid, $\Phi$ the share of a standard normal distribution that lies below $z$,
# and $\varphi$ its density.
#
# | name | $f(z)$ | $f'(z)$ |
# | --- | --- | --- |
# | step | $1$ if $z > 0$, else $0$ | $0$ |
# | sigmoid | $\sigma(z) = 1 / (1 + e^{-z})$ | $\sigma(z)\,(1 - \sigma(z))$ |
# | tanh | $(e^z - e^{-z}) / (e^z + e^{-z})$ | $1 - \tanh^2 z$ |
# | relu | $\max(0, z)$ | $1$ if $z > 0$, else $0$ |
# | leaky relu | $z$ if $z > 0$, else $\alpha z$ | $1$ if $z > 0$, else $\alpha$ |
# | silu (swish) | $z\,\sigma(z)$ | $\sigma(z) + z\,\sigma(z)\,(1 - \sigma(z))$ |
# | gelu | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# The first row is why chapter 1's threshold has to go: **its derivative is zero everywhere** (and at 0 it has none), so
# it can never tell a weight in which direction to move. All others are ways to make the step less brutal. Strictly, relu
# and leaky relu have no derivative at exactly $z = 0$ either; there, programs just choose a side.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normal_cdf(z):
    return 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


def normal_density(z):
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


ALPHA = 0.2  # Keras's slope of leaky relu
activations = {  # name: (function, derivative)
    "step": (lambda z: np.where(z > 0, 1.0, 0.0), np.zeros_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(0, z), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, ALPHA * z), lambda z: np.where(z > 0, 1.0, ALPHA)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid(z) * (1 - sigmoid(z))),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_density(z)),
}

# %% [markdown]
# ## The same through kzoo, on your backend
#
# Your backend can differentiate by itself; chapter 3 opens that box. `kzoo.backend.value_and_grad(fn, variables)` gives
# the value of a scalar function and its derivative with respect to each variable, on all three backends alike. We make
# all the scores one variable and the *sum* of $f(z_i)$ the function. Since $z_i$ appears in one summand only, its
# derivative is just $f'(z_i)$. Everything agrees to the precision of 32-bit numbers, which is about seven digits.

# %%
grid = np.linspace(-4.95, 4.95, 100)  # no point is 0, where relu has no derivative
z = keras.Variable(grid, dtype="float32")

for name, (function, derivative) in activations.items():
    if name == "step":
        continue  # nothing to differentiate, so Keras has no step
    theirs = keras.activations.get(name)
    _, (gradient,) = kzoo.backend.value_and_grad(lambda theirs=theirs: ops.sum(theirs(z)), [z])
    values, gradient = ops.convert_to_numpy(theirs(z)), ops.convert_to_numpy(gradient)
    np.testing.assert_allclose(values, function(grid), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, derivative(grid), rtol=1e-5, atol=1e-6)
    print(f"{name:10}  largest difference of the derivatives: {abs(gradient - derivative(grid)).max():.1e}")

# %%
figure = new_figure(12, 5.4)
panels = figure.subplots(2, 4).flat
for axes, (name, (function, derivative)) in zip(panels, activations.items(), strict=False):
    axes.axhline(0, color=BLACK, linewidth=0.5)
    axes.axvline(0, color=BLACK, linewidth=0.5)
    (solid,) = axes.plot(grid, function(grid), color=BLUE, linewidth=2.2)
    (dashed,) = axes.plot(grid, derivative(grid), color=ORANGE, linewidth=2.2, linestyle="--")
    axes.set(xlim=(-4, 4), ylim=(-1.2, 2))
    label(axes, x="score z", title=name.replace("_", " "))
legend = list(figure.axes)[-1]
legend.axis("off")
legend.legend([solid, dashed], ["f(z)", "f'(z)"], loc="center", fontsize=13, frameon=False)
figure

# %% [markdown]
# **Figure 2.** Seven activations (solid) and their derivatives (dashed). Watch the dashed lines: for sigmoid and tanh
# they fall to zero on *both* sides, for relu on the left only, for leaky relu nowhere. Silu and gelu are relu with its
# corner rounded, and dip a little below zero.

# %% [markdown]
# ## What breaks it, first: saturation
#
# Where a sigmoid is flat, its derivative is next to nothing: at $z = -8$ it is 0.0003. A neuron that is out there is
# **saturated**. It may be utterly wrong, and the derivative still tells it hardly to move.
#
# Take one neuron with one weight and the input 1, so that its score is the weight: $a = f(w)$. It should answer 1. We
# push $w$ downhill on the squared error $L = (a - 1)^2$, by small steps against the derivative
# $\mathrm{d}L/\mathrm{d}w = 2\,(a - 1)\,f'(w)$, from four starting points.


# %%
def descend(w, name, steps=200, rate=0.5):
    """The outputs of a neuron with weight w and input 1 while it learns to answer 1."""
    function, derivative = activations[name]
    outputs = []
    for _ in range(steps):
        outputs.append(function(w))
        w = w - rate * 2 * (function(w) - 1) * derivative(w)
    return outputs


figure = new_figure(12, 3.9)
slopes, learning = figure.subplots(1, 2)
scores = np.linspace(-10, 10, 201)
slopes.axhspan(1e-5, 0.01, color=GREY, alpha=0.18)
slopes.text(0, 2e-4, "a hundredth or less of\nwhat relu passes on", ha="center", fontsize=10)
for name, color, dash in (("sigmoid", BLUE, "-"), ("tanh", ORANGE, "--")):
    slopes.semilogy(scores, activations[name][1](scores), color=color, linestyle=dash, linewidth=2, label=name)
slopes.set_ylim(1e-5, 2)
slopes.legend(frameon=False, loc="upper right")
label(slopes, x="score z", y="derivative f'(z), log axis", title="How much of a correction gets through")
for start, color, dash in ((0, GREEN, "-"), (-3, BLUE, "--"), (-5, ORANGE, "-."), (-8, VERMILLION, ":")):
    curve = descend(np.float64(start), "sigmoid")
    learning.plot(curve, color=color, linestyle=dash, linewidth=2, label=f"from z = {start}")
learning.axhline(1, color=BLACK, linewidth=0.6)
learning.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
label(learning, x="step", y="output a (should become 1)", title="A sigmoid learns from four starts")
figure

# %% [markdown]
# **Figure 3.** Left: the derivatives of sigmoid and tanh fall by a factor $e$, and $e^2$, for each unit that the score
# moves outwards. Right: the more wrong the neuron is at its start, the *slower* it learns; from $-8$ it does not seem
# to learn at all. A better loss cures this in the last layer (chapter 4), relu and its kin in the layers before it.

# %% [markdown]
# It gets worse with depth. A correction that travels back through ten layers is multiplied by ten such derivatives
# (chapter 3 says why). The sigmoid's is at most $\tfrac14$, so what arrives is at most $4^{-10}$, a millionth, times the
# weights on the way. That is the **vanishing gradient**, which chapter 6 takes on.
#
# ## What breaks it, second: dead units
#
# A relu cannot saturate on the right. But suppose that a step of training was too large and threw a unit's bias far
# below zero, so that its score is negative for *every* example. Then its output is always 0, its derivative is always
# 0, no correction reaches it, and it will not come back by itself: it is **dead**. Let us kill some on purpose, with a learning
# rate a hundred times too large, and count for each unit on what share of the digits its score is positive.

# %%
digits = kzoo.load_data("digits", smoke=FAST)
runs = {}
for activation, rate in (("relu", 0.002), ("relu", 0.2), ("leaky_relu", 0.2)):
    keras.utils.set_random_seed(0)
    model = kzoo.create_model("mlp", input_shape=(8, 8, 1), num_classes=10, hidden_dims=(64, 64), activation=activation)
    model.compile(keras.optimizers.Adam(rate), model.training_loss())
    model.fit(digits.x_train, digits.y_train, batch_size=32, epochs=3 if FAST else 5, verbose=0)
    fires = (model.activations(digits.x_train)[f"{activation}_1"] > 0).mean(axis=0)  # (64,)
    accuracy = (model.predict(digits.x_test, verbose=0).argmax(axis=1) == digits.y_test).mean()
    runs[activation, rate] = fires
    print(f"{activation:10} rate {rate:5}: {(fires == 0).sum():2} of 64 units never positive, {accuracy:.1%} right")

# %%
figure = new_figure(12, 3.6)
for axes, ((activation, rate), fires) in zip(figure.subplots(1, 3, sharey=True), runs.items(), strict=True):
    axes.bar(range(64), 100 * np.sort(fires), width=1.0, color=BLUE)
    silent = int((fires == 0).sum())
    axes.axvspan(-0.5, silent - 0.5, color=VERMILLION, alpha=0.2)
    word = "dead" if activation == "relu" else "negative throughout, yet learning"
    axes.text(0.5, 90, f"{silent} {word}", fontsize=11)
    axes.set(xlim=(-0.5, 63.5), ylim=(0, 100))
    label(axes, x="unit, sorted", title=f"{activation.replace('_', ' ')}, rate {rate}")
label(figure.axes[0], y="% of digits with z > 0")
figure

# %% [markdown]
# **Figure 4.** The first hidden layer of three trained networks: for each unit, how often its score is positive. The red
# stripe marks units that never are. For relu they are dead, and with most of its units the network has lost most of what
# it could do (see the accuracies above). Leaky relu has a slope on the left too, so its units can come back.

# %% [markdown]
# ## Softmax: scores into probabilities
#
# The last layer of a classifier has one score a class. We want probabilities: positive, and 1 in sum. **Softmax** makes
# every score positive with an exponential, then divides by the sum; $T$ is called the *temperature* and is usually 1:
#
# $$p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}$$
#
# Unlike the others it looks at all the scores together, so it has a derivative for each pair $(i, j)$, with
# $\delta_{ij} = 1$ if $i = j$ and 0 otherwise:
#
# $$\frac{\partial p_i}{\partial z_j} = \frac{1}{T}\, p_i \left(\delta_{ij} - p_j\right)$$
#
# As written, the formula breaks at once: $e^{1000}$ is too large for any floating-point number. But adding a constant to
# *all* scores changes nothing, since it cancels in the fraction. So subtract the largest: the largest exponent is then
# $e^0 = 1$.


# %%
def naive_softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


def softmax(z, temperature=1.0):
    """Scores (..., k) -> probabilities (..., k)."""
    z = np.asarray(z, dtype="float64") / temperature
    powers = np.exp(z - z.max(axis=-1, keepdims=True))  # at most 1
    return powers / powers.sum(axis=-1, keepdims=True)


large = np.array([1000.0, 999.0, 0.0])
with np.errstate(over="ignore", invalid="ignore"):
    print("naive: ", naive_softmax(large))
print("stable:", softmax(large).round(4), "  Keras:", ops.convert_to_numpy(ops.softmax(large)).round(4))
np.testing.assert_allclose(softmax(large), ops.convert_to_numpy(ops.softmax(large)), rtol=1e-5, atol=1e-7)

# %%
scores = np.array([2.0, 1.0, 0.5, -1.0])
p = softmax(scores)
ours = np.diag(p) - np.outer(p, p)  # p_i (delta_ij - p_j), (k, k)

z = keras.Variable(scores, dtype="float32")
rows = [kzoo.backend.value_and_grad(lambda i=i: ops.softmax(z)[i], [z])[1][0] for i in range(4)]
theirs = np.stack([ops.convert_to_numpy(row) for row in rows])
np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-7)
print("The derivatives of softmax agree; rows sum to zero:", np.abs(ours.sum(axis=1)).max() < 1e-12)

figure = new_figure(12, 3.4)
for axes, temperature in zip(figure.subplots(1, 4, sharey=True), (0.2, 1, 3, 100), strict=True):
    bars = axes.bar(range(4), softmax(scores, temperature), color=BLUE)
    axes.bar_label(bars, fmt="%.2f", fontsize=10)
    axes.set_xticks(range(4), [f"z = {s:g}" for s in scores], fontsize=9)
    axes.set_ylim(0, 1.1)
    axes.set_title(f"temperature {temperature}")
label(figure.axes[0], y="probability")
figure

# %% [markdown]
# **Figure 5.** The same four scores at four temperatures. When cold, softmax gives everything to the winner; when hot, it
# forgets the scores and shares equally. The order of the classes never changes. Text generators use this knob.

# %% [markdown]
# ## Which one should I use?
#
# - **Hidden layers:** relu is a sound first choice; gelu or silu in transformers and modern image models; leaky relu
#   where units die; tanh in recurrent networks, whose states must stay bounded.
# - **Last layer:** none at all for numbers without limits; sigmoid for one yes-or-no; softmax for one class out of many.
#   The zoo's classifiers give the raw scores, called **logits**, and let the loss apply softmax: chapter 4 shows why
#   that is safer.
#
# ## Exercises

# %% [markdown]
# **Exercise 1.** Show that $\tanh z = 2\,\sigma(2z) - 1$. What does it say about networks of sigmoids and networks of
# tanhs?
#
# <details>
# <summary>Solution</summary>
#
# $2\sigma(2z) - 1 = \frac{2}{1 + e^{-2z}} - 1 = \frac{1 - e^{-2z}}{1 + e^{-2z}}$, and multiplying above and below by
# $e^z$ gives $\tanh z$. So each can compute what the other can, with other weights and biases. They still learn
# differently: tanh is centred on zero, and its derivative at 0 is 1, four times as large.
#
# ```python
# np.testing.assert_allclose(np.tanh(grid), 2 * sigmoid(2 * grid) - 1, atol=1e-12)
# assert activations["tanh"][1](np.float64(0)) == 4 * activations["sigmoid"][1](np.float64(0))
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Softmax of two scores is a function that you know. Which one, and of what?
#
# <details>
# <summary>Solution</summary>
#
# Divide above and below by $e^{z_1}$: $p_1 = 1 / (1 + e^{-(z_1 - z_2)}) = \sigma(z_1 - z_2)$. Only the difference
# counts, which is why a two-class problem needs only one output.
#
# ```python
# pairs = np.random.default_rng(0).normal(size=(50, 2))
# np.testing.assert_allclose(softmax(pairs)[:, 0], sigmoid(pairs[:, 0] - pairs[:, 1]))
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Our `sigmoid` warns of an overflow for $z = -1000$ (its answer is right by luck). And `np.log(softmax(z))`
# gives $-\infty$ for the last of `[1000, 999, 0]`. Write versions that do neither.
#
# <details>
# <summary>Solution</summary>
#
# For negative $z$ use $\sigma(z) = e^{z} / (1 + e^{z})$, so that no exponent is positive. For the logarithm, take it
# on paper first: $\log p_i = z_i - m - \log \sum_j e^{z_j - m}$ with $m = \max_j z_j$.
#
# ```python
# def safe_sigmoid(z):
#     small = np.exp(-np.abs(z))  # never above 1
#     return np.where(z >= 0, 1, small) / (1 + small)
#
#
# def log_softmax(z):
#     shifted = z - z.max(axis=-1, keepdims=True)
#     return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
#
#
# with np.errstate(all="raise", under="ignore"):
#     np.testing.assert_allclose(safe_sigmoid(grid), sigmoid(grid))
#     assert safe_sigmoid(np.array([-1000.0, 1000.0])).tolist() == [0.0, 1.0]
#     np.testing.assert_allclose(log_softmax(large), ops.convert_to_numpy(ops.log_softmax(large)), rtol=1e-5)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Many programs compute gelu as
# $\tfrac12 z \left(1 + \tanh\!\left[\sqrt{2/\pi}\,(z + 0.044715\,z^3)\right]\right)$. How far is that from the real one,
# at worst? Which of the two does `keras.activations.gelu` compute, and how do you ask for the other?
#
# <details>
# <summary>Solution</summary>
#
# By less than 0.0005 everywhere. Keras computes the real one; `approximate=True` asks for the other. The difference is
# small, but large enough to break a bit-for-bit comparison of two implementations.
#
# ```python
# approximate = 0.5 * grid * (1 + np.tanh(math.sqrt(2 / math.pi) * (grid + 0.044715 * grid**3)))
# print(f"largest difference {np.abs(approximate - activations['gelu'][0](grid)).max():.5f}")
# assert 0.0004 < np.abs(approximate - activations["gelu"][0](grid)).max() < 0.0005
# theirs = ops.convert_to_numpy(keras.activations.gelu(grid, approximate=True))
# np.testing.assert_allclose(theirs, approximate, rtol=1e-4, atol=1e-6)
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - Layers without an activation between them collapse into one; the step has no useful derivative.
# - Every derivative here can be written in a line, and agrees with your backend's automatic one.
# - Sigmoid and tanh saturate on both sides; relu units can die; leaky relu, silu and gelu avoid most of that.
# - Softmax turns scores into probabilities. Subtract the largest score first; the temperature sets how sharp it is.
# - Next, **chapter 3**: how the corrections find their way back through many layers.
