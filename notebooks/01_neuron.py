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
# # 1 · The neuron and its weights
#
# **How can a sum of products decide anything, and how can it learn what to decide?**
#
# After this chapter you can
#
# - compute a neuron's output by hand, and say what each weight and the bias do to it;
# - see a neuron as a straight line, and as a template that is laid over its input;
# - let a neuron find its own weights with the perceptron rule;
# - prove that there is a task that no single neuron can ever do.
#
# You need school algebra and a little Python. The whole chapter runs in less than a minute on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import keras
import numpy as np

from kzoo import plots
from kzoo.plots.style import BLACK, BLUE, DIVERGING, GREY, ORANGE, bare, label, new_figure

keras.utils.set_random_seed(0)

# %% [markdown]
# ## The idea: a vote with weights
#
# Should you take an umbrella? You look at two things: how cloudy it is ($x_1$, from 0 to 1) and how much the forecast
# believes in rain ($x_2$, from 0 to 1). The forecast convinces you more than the sky, so it gets more say. And since
# you hate carrying things, the evidence must be strong before you move at all.
#
# A neuron decides in just this way. Each input has a **weight** $w_i$: how much it speaks for "yes", or, if negative,
# for "no". The **bias** $b$ is what the neuron thinks before it has seen anything. It adds everything up to a score
# $z$ and says "yes" (1) if the score is above zero, and "no" (0) otherwise:
#
# $$z = w_1 x_1 + w_2 x_2 + \dots + w_d x_d + b = \mathbf{w} \cdot \mathbf{x} + b
# \qquad\qquad y = \begin{cases} 1 & \text{if } z > 0 \\ 0 & \text{otherwise} \end{cases}$$
#
# The sum of products $\mathbf{w} \cdot \mathbf{x}$ is called a **dot product**. To serve many inputs at once, we stack
# them as the rows of a matrix of shape $(n, d)$; NumPy's `@` then computes all $n$ dot products.


# %%
def score(x, w, b):
    """Inputs (n, d), weights (d,), bias () -> scores (n,)."""
    return x @ w + b


def neuron(x, w, b):
    """The same, thresholded -> decisions (n,), each 0 or 1."""
    return (score(x, w, b) > 0).astype(int)


days = np.array([[0.2, 0.1], [0.9, 0.2], [0.3, 0.9], [1.0, 1.0]])  # (n=4, d=2): clouds, forecast
w, b = np.array([1.0, 3.0]), -2.0

for day, z, y in zip(days, score(days, w, b), neuron(days, w, b), strict=True):
    print(f"clouds {day[0]:.1f}, forecast {day[1]:.1f}:  z = {z:+.1f}  ->  {['leave it', 'umbrella'][y]}")

# %% [markdown]
# ## A neuron is a line
#
# With two inputs we can draw the neuron. The points where it is undecided, $z = 0$, form a straight line:
#
# $$w_1 x_1 + w_2 x_2 + b = 0$$
#
# Three facts are worth knowing by heart. The vector $\mathbf{w}$ stands **at a right angle** to the line and points to
# the side of "yes". The **distance** of a point from the line is $|z| / \lVert\mathbf{w}\rVert$, so the score is a
# distance in disguise. And the bias **shifts** the line without turning it: its distance from the origin is
# $|b| / \lVert\mathbf{w}\rVert$. With three inputs the line becomes a plane, with more a *hyperplane*; nothing else
# changes.


# %%
def draw_neuron(axes, w, b, title, reach=2.0):
    """Colours the plane by the score, and draws the border and the vector w."""
    across = np.linspace(-reach, reach, 101)
    plane = np.stack(np.meshgrid(across, across), axis=-1)  # (101, 101, 2)
    z = score(plane, w, b)
    shades = axes.pcolormesh(across, across, z, cmap=DIVERGING, vmin=-4, vmax=4, shading="nearest")
    axes.contour(across, across, z, levels=[0.0], colors=BLACK, linewidths=2)
    foot = -b * w / (w @ w)  # the point of the border that is nearest to the origin
    axes.annotate("", foot + w / 2, foot, arrowprops={"arrowstyle": "-|>", "color": BLACK, "linewidth": 2})
    axes.text(*(foot + 0.62 * w), "w", fontsize=13, weight="bold", ha="center", va="center")
    axes.set_aspect("equal")
    label(axes, x="input $x_1$ (no unit)", y="input $x_2$ (no unit)", title=title)
    return shades


figure = new_figure(12, 4.2)
panels = figure.subplots(1, 3)
draw_neuron(panels[0], np.array([1.0, 1.0]), 0.0, "w = (1, 1),  b = 0")
draw_neuron(panels[1], np.array([1.0, 1.0]), -1.0, "w = (1, 1),  b = -1")
shades = draw_neuron(panels[2], np.array([1.5, -0.5]), 0.0, "w = (1.5, -0.5),  b = 0")
figure.colorbar(shades, ax=panels, shrink=0.8, label="score z (no unit)")
figure

# %% [markdown]
# **Figure 1.** Three neurons with two inputs. The black line is the border, the arrow (at half its length) the weights.
# From the first to the second only the bias changed: the line moved, and kept its direction. From the first to the
# third only the weights changed: the line turned, and stays at a right angle to the arrow.

# %% [markdown]
# ## Weights by hand
#
# Take two inputs that are either 0 or 1. There are four cases, and the logical functions AND and OR say what the
# answer to each should be. Before you run the next cell, find weights and a bias for OR on paper. For AND, both inputs
# together must lift the score above zero, while one alone must not. **Change the numbers and run the cell again** until
# you can predict what happens.

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
truth = {"OR": np.array([0, 1, 1, 1]), "AND": np.array([0, 0, 0, 1]), "XOR": np.array([0, 1, 1, 0])}
by_hand = {  # change these
    "OR": (np.array([1.0, 1.0]), -0.5),
    "AND": (np.array([1.0, 1.0]), -1.5),
    "XOR": (np.array([1.0, 1.0]), -0.5),  # exclusive or: one or the other, but not both
}

figure = new_figure(12, 4.4)
panels = figure.subplots(1, 3)
for axes, (task, (w, b)) in zip(panels, by_hand.items(), strict=True):
    right = int((neuron(corners, w, b) == truth[task]).sum())
    shades = draw_neuron(axes, w, b, f"{task}: {right} of 4 right")
    for point, y in zip(corners, truth[task], strict=True):
        axes.scatter(*point, s=150, marker="os"[y], color=[BLUE, ORANGE][y], edgecolors=BLACK, zorder=3)
    axes.set(xlim=(-0.6, 1.8), ylim=(-0.6, 1.8))
figure.colorbar(shades, ax=panels, shrink=0.8, label="score z (no unit)")
figure

# %% [markdown]
# **Figure 2.** The truth tables as points: orange squares should get a 1, blue discs a 0. One line solves OR, a shifted
# one solves AND. For XOR this line gets three of four right; can you find a better one? (We come back to that.)

# %% [markdown]
# ## A neuron is a template
#
# The dot product has a second meaning. If $\theta$ is the angle between two vectors, then
#
# $$\mathbf{w} \cdot \mathbf{x} = \lVert\mathbf{w}\rVert \, \lVert\mathbf{x}\rVert \cos\theta ,$$
#
# which is largest when $\mathbf{x}$ points the same way as $\mathbf{w}$: **the dot product measures how alike they
# are**. An image is a vector too, one number a pixel. So a neuron can hold a *picture* in its weights and answer how
# well the input fits it.
#
# Let us build ten neurons for the ten digits and take as weights of neuron $k$ the mean image $\mathbf{m}_k$ of its
# class. Which bias? We would like the digit to belong to the *nearest* mean. Multiply the distance out:
#
# $$\lVert\mathbf{x} - \mathbf{m}_k\rVert^2 = \lVert\mathbf{x}\rVert^2
# - 2\left(\mathbf{m}_k \cdot \mathbf{x} - \tfrac12 \lVert\mathbf{m}_k\rVert^2\right)$$
#
# The first term is the same for every class. So the nearest mean is the neuron with the highest score, if
# $\mathbf{w}_k = \mathbf{m}_k$ and $b_k = -\tfrac12\lVert\mathbf{m}_k\rVert^2$.

# %%
digits = kzoo.load_data("digits")  # 8 x 8 pixels, from scikit-learn: nothing is downloaded
x_train, x_test = (part.reshape(len(part), -1) for part in (digits.x_train, digits.x_test))  # (n, 64)

templates = np.stack([x_train[digits.y_train == k].mean(axis=0) for k in range(10)])  # (k=10, d=64)
biases = -0.5 * (templates**2).sum(axis=1)  # (10,)
scores = x_test @ templates.T + biases  # (n, 64) @ (64, 10) + (10,) -> (n, 10)

distances = np.linalg.norm(x_test[:, None, :] - templates, axis=-1)  # (n, 10), the long way round
np.testing.assert_array_equal(scores.argmax(axis=1), distances.argmin(axis=1))
template_accuracy = (scores.argmax(axis=1) == digits.y_test).mean()
print(f"Ten neurons with mean images as weights name {template_accuracy:.1%} of the test digits.")

# %%
example = 3
figure = new_figure(12, 3.6)
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.3))
for k, axes in enumerate(top.subplots(1, 10)):
    axes.imshow(templates[k].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
    bare(axes)
    axes.set_title(f"$w_{k}$", fontsize=11)
picture, bars = bottom.subplots(1, 2, width_ratios=(1, 6))
picture.imshow(x_test[example].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
bare(picture)
picture.set_title("input x", fontsize=11)
best = scores[example].argmax()
bars.bar(range(10), scores[example], color=[ORANGE if k == best else BLUE for k in range(10)])
bars.axhline(0, color=BLACK, linewidth=0.6)
bars.set_xticks(range(10))
label(bars, x=f"neuron (the highest score, orange, is neuron {best})", y="score z")
figure

# %% [markdown]
# **Figure 3.** Above: the weights of ten neurons, drawn as the images that they are (dark is a large weight). Below: a
# test digit, and how well it fits each template. Look at the losers too: the runners-up are digits of similar shape.

# %% [markdown]
# ## Learning: the perceptron rule
#
# Nobody finds 64 weights by hand. In 1958 Frank Rosenblatt let the neuron learn from its mistakes. Show it one example
# after another, and whenever its answer $\hat{y}$ differs from the right one $y$, move the weights:
#
# $$\mathbf{w} \leftarrow \mathbf{w} + \eta\,(y - \hat{y})\,\mathbf{x}
# \qquad\qquad b \leftarrow b + \eta\,(y - \hat{y})$$
#
# The step size $\eta$ is called the **learning rate**. A right answer has $y - \hat{y} = 0$ and changes nothing. If
# "yes" was right and the neuron said "no", the input is *added* to the weights, so that they become more like it. The
# score of this very input grows by $\eta(\lVert\mathbf{x}\rVert^2 + 1)$, which is always a step in the right direction.
#
# Our points come from two sides of a line that the neuron is not told. We leave a gap between them.

# %%
rng = np.random.default_rng(4)
true_w, true_b = np.array([2.0, -1.0]), 0.5
points = rng.uniform(-2, 2, (400, 2))
points = points[np.abs(score(points, true_w, true_b)) / np.linalg.norm(true_w) > 0.15][:100]
labels = neuron(points, true_w, true_b)


def perceptron(x, y, epochs, rate=1.0):
    """The perceptron rule -> weights, bias, mistakes in each epoch, and every border on the way."""
    w, b, mistakes, borders = np.zeros(x.shape[1]), 0.0, [], []
    for _ in range(epochs):
        wrong = 0
        for xi, yi in zip(x, y, strict=True):
            error = yi - float(xi @ w + b > 0)  # -1, 0 or 1
            if error:
                w, b, wrong = w + rate * error * xi, b + rate * error, wrong + 1
                borders.append((w, b))
        mistakes.append(wrong)
    return w, b, mistakes, borders


w, b, mistakes, borders = perceptron(points, labels, epochs=10)
print(f"mistakes in each pass over the 100 points: {mistakes}")
assert mistakes[-1] == 0

# %%
figure = new_figure(12, 4.3)
plane, curve = figure.subplots(1, 2)
for y in (0, 1):
    mine = points[labels == y]
    plane.scatter(*mine.T, s=28, marker="os"[y], color=[BLUE, ORANGE][y], label=f"class {y}")
ends = np.array([-2.2, 2.2])
for number, (w_i, b_i) in enumerate(borders, start=1):
    last = number == len(borders)
    age = 0.12 + 0.5 * number / len(borders)
    style = {"color": BLACK, "linewidth": 2.5} if last else {"color": GREY, "alpha": age, "linewidth": 1}
    plane.plot(ends, -(w_i[0] * ends + b_i) / w_i[1], **style, label="final border" if last else None)
plane.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2))
plane.set_aspect("equal")
plane.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
label(plane, x="input $x_1$ (no unit)", y="input $x_2$ (no unit)", title="The border after each mistake")
curve.plot(range(1, 11), mistakes, "o-", color=BLUE)
label(curve, x="pass over the data (epoch)", y="mistakes", title="Mistakes in each pass")
figure

# %% [markdown]
# **Figure 4.** Left: each mistake turns and shifts the border (thin grey, older ones fainter) until it fits through the
# gap (black). Right: once a whole pass has no mistake, nothing changes any more. That this always happens if *some*
# line parts the classes is Novikoff's theorem (exercise 3).

# %% [markdown]
# ## The same through kzoo
#
# The zoo's `perceptron` is this neuron as a Keras model. Its loss is written so that one step of gradient descent is
# the perceptron rule (chapters 3 and 4 explain gradients and descent). With one example a step, in the same order, it
# must make the same mistakes and end with the same weights.

# %%
model = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2)
model.compile(keras.optimizers.SGD(1.0), model.training_loss())
epochs = 3 if FAST else 10
model.fit(points.astype("float32"), labels, batch_size=1, epochs=epochs, shuffle=False, verbose=0)

kernel, bias = model.get_layer("units").get_weights()  # (2, 1), (1,)
w, b, *_ = perceptron(points, labels, epochs)
np.testing.assert_allclose(kernel[:, 0], w, rtol=1e-5, atol=1e-5)
np.testing.assert_allclose(bias[0], b, rtol=1e-5, atol=1e-5)
print(f"ours: w = {w.round(4)}, b = {b:.4f}\nkzoo: w = {kernel[:, 0].round(4)}, b = {bias[0]:.4f}")

# %% [markdown]
# ## What breaks it: XOR
#
# Is there a line for XOR, which we could not find by hand? Suppose there is. Its four answers would be four
# inequalities:
#
# $$\begin{aligned}
# (0,0) \mapsto 0 &: & b &\le 0 \\
# (0,1) \mapsto 1 &: & w_2 + b &> 0 \\
# (1,0) \mapsto 1 &: & w_1 + b &> 0 \\
# (1,1) \mapsto 0 &: & w_1 + w_2 + b &\le 0
# \end{aligned}$$
#
# Add the two in the middle: $w_1 + w_2 + 2b > 0$, so $w_1 + w_2 + b > -b$. By the first one, $-b \ge 0$. So
# $w_1 + w_2 + b > 0$, and the last one says the opposite. **No weights exist**, and no learning rule can find them.
#
# Whatever the perceptron rule does here, it cannot settle. With weights that start at zero and inputs that are whole
# numbers, the weights stay whole numbers, and we can watch them go round in a circle.

# %%
w, b = np.zeros(2), 0.0
seen = {}
for epoch in range(100):
    state = (*w.tolist(), float(b))
    if state in seen:
        break
    seen[state] = epoch
    for xi, yi in zip(corners, truth["XOR"], strict=True):
        error = yi - float(xi @ w + b > 0)
        w, b = w + error * xi, b + error

print(f"After epoch {epoch} the weights are those of epoch {seen[state]} again: {state}. It will go on for ever.")
_, _, mistakes, _ = perceptron(corners, truth["XOR"], epochs=100)
assert min(mistakes) > 0

# %%
xor = kzoo.load_data("xor", samples=200)  # noisy points around four corners
model = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2)
model.compile(keras.optimizers.SGD(0.1), model.training_loss(), metrics=["accuracy"])
model.fit(xor.x_train, xor.y_train, batch_size=4, epochs=2 if FAST else 20, verbose=0)
plots.decision_surface(
    lambda x: model.predict(x, batch_size=4096, verbose=0), xor.x_train, xor.y_train, title="A perceptron on XOR"
)

# %% [markdown]
# **Figure 5.** The best that a line can do here is to get three of the four clouds right; where training stops is a
# matter of luck. Black rings mark mistakes. Two lines would do, and a second layer of neurons to combine them: that is
# the multilayer perceptron of chapter 5.

# %% [markdown]
# ## Exercises
#
# Try each before you open its solution.

# %% [markdown]
# **Exercise 1.** Build XOR from *three* neurons by hand: two that look at the inputs, and one that looks at these two.
# Hint: XOR is "OR, but not AND".
#
# <details>
# <summary>Solution</summary>
#
# The first two neurons are the OR and the AND from above. The third weighs OR with $+1$ and AND with $-1$ (any weight
# below $-0.5$ would do), so that AND can veto.
#
# ```python
# hidden = np.stack([neuron(corners, *by_hand["OR"]), neuron(corners, *by_hand["AND"])], axis=1)  # (4, 2)
# answer = neuron(hidden, np.array([1.0, -1.0]), -0.5)
# print(answer)
# np.testing.assert_array_equal(answer, truth["XOR"])
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Multiply the weights *and* the bias of a neuron by 10. Which decisions change? Multiply them by $-1$.
# Which change now? What happens to the border in both cases?
#
# <details>
# <summary>Solution</summary>
#
# The border $z = 0$ stays where it is in both cases. A positive factor changes no decision; only the scores grow. A
# negative one swaps the sides: every decision flips (but for points exactly on the border).
#
# ```python
# decisions = neuron(points, true_w, true_b)
# np.testing.assert_array_equal(neuron(points, 10 * true_w, 10 * true_b), decisions)
# np.testing.assert_array_equal(neuron(points, -true_w, -true_b), 1 - decisions)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Novikoff proved in 1962 that the perceptron rule makes at most $(R / \gamma)^2$ mistakes in all, where
# each input gets a last entry of 1 for the bias, $R$ is the length of the longest input, and $\gamma$ the distance of
# the nearest one from *any* border that parts the classes. Check it on our points with the border that made them.
#
# <details>
# <summary>Solution</summary>
#
# The bound uses one border that we know; the best border would give a smaller bound. Real runs need far fewer.
#
# ```python
# augmented = np.hstack([points, np.ones((len(points), 1))])  # (n, 3): the bias is the last weight
# border = np.append(true_w, true_b)
# longest = np.linalg.norm(augmented, axis=1).max()
# gamma = np.abs(augmented @ border).min() / np.linalg.norm(border)
# total = sum(perceptron(points, labels, epochs=10)[2])
# print(f"{total} mistakes, at most {(longest / gamma) ** 2:.0f} allowed")
# assert total <= (longest / gamma) ** 2
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** The weights start at zero. Show that the learning rate then makes no difference to any decision of the
# perceptron. Would that still be true if the weights started at random values?
#
# <details>
# <summary>Solution</summary>
#
# By induction: if all weights so far are $\eta$ times those of the run with rate 1, so are the scores; the signs, and
# with them the mistakes and the corrections, are the same. With random starting weights the rate decides how soon the
# corrections outweigh the start, and the runs differ.
#
# ```python
# w_1, b_1, mistakes_1, _ = perceptron(points, labels, epochs=10, rate=1.0)
# w_2, b_2, mistakes_2, _ = perceptron(points, labels, epochs=10, rate=0.25)
# assert mistakes_1 == mistakes_2
# np.testing.assert_allclose(w_2, 0.25 * w_1)
# ```
#
# </details>

# %% [markdown]
# **Exercise 5.** The mean images were weights that nobody trained. Train the zoo's `perceptron` on the digits, with ten
# classes, and compare its accuracy on the test digits with that of the templates. Draw its weights: do they still look
# like digits?
#
# <details>
# <summary>Solution</summary>
#
# It beats the templates, by some three points in a hundred. (Train it for one epoch more or less, and the figure moves
# a little: the classes cannot quite be parted, so the rule never comes to rest.) Its weights are less like digits: they stress the pixels in which one class differs from the
# others, and those that all digits share do not help. Draw them with
# `axes.imshow(kernel[:, k].reshape(8, 8), cmap=DIVERGING)`.
#
# ```python
# model = kzoo.create_model("perceptron", input_shape=(8, 8, 1), num_classes=10)
# model.compile(keras.optimizers.SGD(0.1), model.training_loss(), metrics=["accuracy"])
# model.fit(digits.x_train, digits.y_train, batch_size=128, epochs=30, verbose=0)
# accuracy = (model.predict(digits.x_test, verbose=0).argmax(axis=1) == digits.y_test).mean()
# print(f"templates {template_accuracy:.1%}, perceptron {accuracy:.1%}")
# assert accuracy > template_accuracy
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A neuron computes $z = \mathbf{w} \cdot \mathbf{x} + b$ and compares it with zero.
# - Seen as geometry, it is a line (a hyperplane) with $\mathbf{w}$ at a right angle; the bias shifts it.
# - Seen as matching, $\mathbf{w}$ is a template, and the dot product says how well the input fits it.
# - The perceptron rule adds or subtracts the inputs that it got wrong. It finds a border whenever there is one.
# - For XOR there is none. The way out is more than one layer, and for that the hard threshold has to go: **chapter 2**.
