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
# # 5 · Perceptron and MLP
#
# **What does a hidden layer see that a single layer cannot?**
#
# After this chapter you can
#
# - train Rosenblatt's perceptron on handwritten digits and read its weights as pictures;
# - write a multilayer perceptron (MLP) with its training loop in NumPy, and show that it is kzoo's, step by step;
# - judge a classifier by more than its accuracy: which classes it mixes up, and which images defeat it;
# - say what width and depth buy, and name three ways to build an MLP that cannot learn.
#
# It needs chapters 1 to 4: the neuron, activations, backpropagation, SGD. About two minutes on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import tempfile
from itertools import pairwise

import keras
import numpy as np

from kzoo import plots
from kzoo.data import epoch_order
from kzoo.plots.style import BLACK, BLUE, DIVERGING, ORANGE, TICK, bare, label, new_figure
from kzoo.training import evaluate, run
from kzoo.training.batches import Batches
from kzoo.training.evaluation import parameter_count

keras.utils.set_random_seed(0)
data = kzoo.load_data("digits")  # 8 x 8 pixels, grey values in sixteenths, (n, 8, 8, 1)
x_train, x_val, x_test = (x.reshape(len(x), -1) for x in (data.x_train, data.x_val, data.x_test))
y_train, y_val, y_test = data.y_train, data.y_val, data.y_test
print(data)

# %% [markdown]
# ## One layer: ten templates
#
# Lay an image out as a row of 64 numbers, $x$. For each class $k$ keep 64 weights $w_k$ and a bias $b_k$. The score of
# a class is a sum of products, and the highest score wins:
#
# $$ z_k = w_k \cdot x + b_k, \qquad \hat y = \arg\max_k z_k. $$
#
# Think of $w_k$ as a **template**: ink on a positive weight speaks for the class, ink on a negative one against it.
#
# Rosenblatt's rule of 1958 learns from mistakes alone. If the answer $\hat y$ is wrong, add the image to the right
# class's weights and take it from the wrong class's:
#
# $$ w_y \leftarrow w_y + \eta\, x, \qquad w_{\hat y} \leftarrow w_{\hat y} - \eta\, x. $$
#
# The biases move by $\pm\eta$. We take $\eta = 1$, because another rate would only rescale all the scores.


# %%
def perceptron_epoch(x, y, w, b, order):
    """One pass of the rule, image by image. Changes w (d, k) and b (k,); returns the mistakes."""
    mistakes = 0
    for i in order:
        guess = np.argmax(x[i] @ w + b)
        if guess != y[i]:
            w[:, y[i]] += x[i]
            b[y[i]] += 1
            w[:, guess] -= x[i]
            b[guess] -= 1
            mistakes += 1
    return mistakes


n = 300 if FAST else len(x_train)
w, b = np.zeros((64, 10), "float32"), np.zeros(10, "float32")
for epoch in range(10):
    mistakes = perceptron_epoch(x_train[:n], y_train[:n], w, b, epoch_order(n, 0, epoch))
    if epoch == 0:
        first = w.copy(), b.copy()
    print(f"epoch {epoch + 1:2d}: {mistakes:3d} mistakes on {n} images")
accuracy = np.mean(np.argmax(x_test @ w + b, axis=1) == y_test)
print(f"test accuracy {100 * accuracy:.1f} %")

# %% [markdown]
# kzoo has this model too. It writes the rule as one step of SGD on a loss whose gradient *is* the rule, so that Keras's
# ordinary `fit` can run it. The same images in the same order must give the same weights, and here "the same" can mean
# *exactly*: pixels are sixteenths, so every weight is a multiple of 1/16, and sums of such numbers have no rounding.

# %%
perceptron = kzoo.create_model("perceptron", input_shape=(8, 8, 1))
perceptron.compile(keras.optimizers.SGD(1.0), perceptron.training_loss())
batches = Batches(data.x_train[:n], y_train[:n], batch_size=1, seed=0)  # order: epoch_order(n, 0, 0)
perceptron.fit(batches, epochs=1, shuffle=False, verbose=0)

for ours, theirs in zip(first, perceptron.get_weights(), strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0)
print(f"after {n} single steps all 650 weights are equal, to the last bit")

# %%
figure = new_figure(10, 2.1, "The perceptron's templates")
limit = np.abs(w).max()
for k, axes in enumerate(figure.subplots(1, 10)):
    shades = axes.imshow(w[:, k].reshape(8, 8), cmap=DIVERGING, vmin=-limit, vmax=limit)
    axes.set_title(str(k))
    bare(axes)
bar = figure.colorbar(shades, ax=figure.axes, shrink=0.7)
bar.set_label("weight (no unit)", fontsize=TICK)
figure

# %% [markdown]
# **Figure 1.** The 64 weights of each of the ten units, laid out like the image: purple where ink counts against the
# class, orange where it counts for it. See the hole of the 0: ink in the middle speaks strongly against it. But the
# templates do not look like digits. They answer another question: which ink tells this class *from the other nine*?

# %% [markdown]
# ## Why one layer is not enough
#
# A template votes pixel by pixel. It cannot say "this stroke **or** that one, but not both", since every pixel's vote
# is added, whatever the others say. The smallest example is *exclusive or*: chapter 1 shows that no line separates
# it.
#
# A hidden layer solves it by **moving the points first**. Two units suffice, here with weights set by hand:
#
# $$ a_1 = \max(0,\; x_1 + x_2), \qquad a_2 = \max(0,\; x_1 + x_2 - 1), \qquad z = a_1 - 2 a_2. $$

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
answers = np.array([0, 1, 1, 0])
total = corners.sum(axis=1)
hidden = np.stack([np.maximum(0, total), np.maximum(0, total - 1)], axis=1)  # (4, 2)
np.testing.assert_array_equal(hidden @ [1, -2], answers)

figure = new_figure(9, 4)
for axes, points, title in zip(
    figure.subplots(1, 2),
    (corners, hidden),
    ("inputs: no line does it", "hidden layer: one line does"),
    strict=True,
):
    for answer, mark, shade in ((0, "o", BLUE), (1, "s", ORANGE)):
        chosen = points[answers == answer]
        axes.plot(*chosen.T, mark, color=shade, markersize=13, label=f"xor = {answer}")
    names = {}
    for point, corner in zip(points, corners.astype(int), strict=True):
        names.setdefault(tuple(point), []).append(f"({corner[0]}, {corner[1]})")
    for place, found in names.items():  # two corners land on one place
        axes.annotate(" and ".join(found), place, xytext=(9, 9), textcoords="offset points")
    symbol = "x" if points is corners else "a"
    label(axes, x=f"${symbol}_1$ (no unit)", y=f"${symbol}_2$ (no unit)", title=title)
    axes.set_xlim(-0.3, 2.6 if points is hidden else 1.6)
    axes.set_ylim(-0.3, 1.4)
line = np.array([-0.3, 2.6])
axes.plot(line, (line - 0.5) / 2, "--", color=BLACK, label="$z = 0.5$")
axes.legend(loc="upper left")
figure

# %% [markdown]
# **Figure 2.** The four corners of exclusive or, before the hidden layer (left) and after it (right). Both corners
# with answer 1 land on the same point, and the corner (1, 1) is carried away to the right. Now a straight line is
# enough. That is all that hidden layers ever do: they move the data until a single layer can finish the job.

# %% [markdown]
# ## The MLP in NumPy
#
# With $a_0 = x$, each layer $i = 1 \dots \ell$ computes
#
# $$ z_i = a_{i-1} W_i + b_i, \qquad a_i = \max(0, z_i) \ \text{ for } i < \ell. $$
#
# The last $z_\ell$ are the **logits**; softmax turns them into probabilities $p$, and the loss is the mean of
# $-\log p_y$. Backwards, with $\delta_i = \partial L / \partial z_i$ and batch size $n$ (chapter 3):
#
# $$ \delta_\ell = \frac{p - \mathrm{onehot}(y)}{n}, \qquad
#    \delta_i = (\delta_{i+1} W_{i+1}^\top) \odot [z_i > 0], \qquad
#    \frac{\partial L}{\partial W_i} = a_{i-1}^\top \delta_i, \qquad
#    \frac{\partial L}{\partial b_i} = \textstyle\sum_n \delta_i. $$


# %%
def initial(widths, seed=0):
    """[(W (d_in, d_out), b (d_out,)), ...] with He's variance 2 / d_in (chapter 6 says why)."""
    rng = np.random.default_rng(seed)
    return [(rng.normal(0, np.sqrt(2 / d), (d, width)), np.zeros(width)) for d, width in pairwise(widths)]


def forward(x, layers):
    """Inputs (b, d) -> the list a_0, a_1, ..., with the logits (b, k) at its end."""
    a = [x]
    for w, b in layers:
        z = a[-1] @ w + b
        a.append(np.maximum(z, 0) if len(a) < len(layers) else z)
    return a


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)  # the same result, and exp cannot overflow
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def loss_and_gradients(x, y, layers):
    """The mean cross-entropy in nats, and [(dW, db), ...]."""
    a = forward(x, layers)
    log_p = log_softmax(a[-1])
    rows = np.arange(len(y))
    delta = np.exp(log_p)
    delta[rows, y] -= 1
    delta /= len(y)
    gradients = []
    for i in reversed(range(len(layers))):
        gradients.insert(0, (a[i].T @ delta, delta.sum(axis=0)))
        if i:
            delta = (delta @ layers[i][0].T) * (a[i] > 0)
    return -log_p[rows, y].mean(), gradients


def sgd_step(layers, gradients, rate):
    pairs = zip(layers, gradients, strict=True)
    return [(w - rate * dw, b - rate * db) for (w, b), (dw, db) in pairs]


# %% [markdown]
# ## The same through kzoo
#
# `kzoo.create_model("mlp", hidden_dims=(32,))` is 64-32-10 with relu. We copy our weights into it and compare logits,
# loss and gradients, then let both train and compare **every step**. Ours computes in float64 and Keras in float32,
# so they agree to about seven digits, and a little less after many steps.

# %%
layers = initial((64, 32, 10))
model = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(32,))
model.set_weights([part for layer in layers for part in layer])

loss_fn = model.training_loss()
x0, y0 = data.x_train[:64], y_train[:64]
theirs, their_gradients = kzoo.backend.value_and_grad(lambda: loss_fn(y0, model(x0)), model.trainable_variables)
ours, our_gradients = loss_and_gradients(x_train[:64], y0, layers)
np.testing.assert_allclose(forward(x_train[:64], layers)[-1], model.predict(x0, verbose=0), atol=1e-5)
np.testing.assert_allclose(ours, float(theirs), rtol=1e-5)
flat = [part for pair in our_gradients for part in pair]
for mine, his in zip(flat, their_gradients, strict=True):
    np.testing.assert_allclose(mine, keras.ops.convert_to_numpy(his), atol=1e-6)
print(f"loss {ours:.6f} here, {float(theirs):.6f} in Keras; logits and all gradients agree")

# %%
model.compile(keras.optimizers.SGD(0.1), loss_fn)
order = epoch_order(len(x_train), 0, 0)
stepped, furthest = layers, 0.0
for start in range(0, len(order), 32):
    chosen = order[start : start + 32]
    _, gradients = loss_and_gradients(x_train[chosen], y_train[chosen], stepped)
    stepped = sgd_step(stepped, gradients, 0.1)
    model.train_on_batch(data.x_train[chosen], y_train[chosen])
    for mine, his in zip([p for pair in stepped for p in pair], model.get_weights(), strict=True):
        furthest = max(furthest, np.abs(mine - his).max())
assert furthest < 1e-4
print(f"{start // 32 + 1} steps of SGD: no weight ever differed by more than {furthest:.0e}")

# And back: the weights that Keras has reached, read by our own forward pass.
w1, b1, w2, b2 = model.get_weights()
back = forward(x_test, [(w1, b1), (w2, b2)])[-1]
np.testing.assert_allclose(back, model.predict(data.x_test, verbose=0), rtol=0, atol=1e-4)

# %% [markdown]
# ## Training it
#
# One **epoch** is one pass over the training images, in a new order, in **mini-batches** of 32. We keep an eye on the
# validation part, which the gradients never see.


# %%
def train(layers, epochs, rate=0.1, batch=32):
    """Mini-batch SGD; returns the layers and a history as `fit` gives it."""
    history = {"loss": [], "val_loss": [], "accuracy": [], "val_accuracy": []}
    for epoch in range(epochs):
        order = epoch_order(len(x_train), 0, epoch)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            _, gradients = loss_and_gradients(x_train[chosen], y_train[chosen], layers)
            layers = sgd_step(layers, gradients, rate)
        for prefix, x, y in (("", x_train, y_train), ("val_", x_val, y_val)):
            log_p = log_softmax(forward(x, layers)[-1])
            history[prefix + "loss"].append(-log_p[np.arange(len(y)), y].mean())
            history[prefix + "accuracy"].append((log_p.argmax(axis=1) == y).mean())
    return layers, history


def test_accuracy(layers):
    return (forward(x_test, layers)[-1].argmax(axis=1) == y_test).mean()


trained, history = train(layers, epochs=8 if FAST else 40)
print(f"test accuracy {100 * test_accuracy(trained):.1f} %")
plots.learning_curves(history, title="Our MLP 64-32-10 on digits")

# %% [markdown]
# **Figure 3.** Loss and accuracy by epoch, on the images it trains on (solid) and on those it does not (dashed). Most
# is learned in the first few epochs. Later the training loss goes on falling while the validation loss hardly moves:
# the network begins to learn these particular images rather than digits. Chapter 6 is about that gap.
#
# An honest look at the accuracy: the perceptron had about 96 % too, once it had seen all the images ten times. These
# digits are clean and centred, and ten templates go a long way. What is left is what templates cannot do, and there
# every tenth of a percent has to be earned: by hidden layers, and by the recipe further down.

# %%
figure = new_figure(10, 3.1, "What the 20 strongest of the 32 hidden units look for")
limit = np.abs(trained[0][0]).max()
strongest = np.argsort(-np.linalg.norm(trained[0][0], axis=0))[:20]
for unit, axes in zip(strongest, figure.subplots(2, 10).flat, strict=True):
    axes.imshow(trained[0][0][:, unit].reshape(8, 8), cmap=DIVERGING, vmin=-limit, vmax=limit)
    out = trained[1][0][unit]  # this unit's weight to each class
    axes.set_title(f"for {out.argmax()}, not {out.argmin()}", fontsize=TICK)
    bare(axes)
figure

# %% [markdown]
# **Figure 4.** Incoming weights of hidden units, drawn as in figure 1 (orange: ink excites, purple: ink silences).
# The titles name the classes that a unit speaks most for and most against. None of them is a digit. They are
# **parts**, such as a stroke here with no ink beside it, and every part serves several classes. One layer owns ten
# templates; this one builds its ten answers from 32 shared parts.

# %% [markdown]
# ## A full recipe, and what it gets wrong
#
# kzoo's recipe for this task adds batch normalisation, dropout, augmentation, Adam and a falling learning rate. In a
# terminal it is `kzoo train mlp --data digits`; from Python it is one call that leaves a run folder. The recipe's
# keys are the command line's flags: `override(model={"hidden_dims": [64]})` here is `--model.hidden_dims "[64]"`
# there.

# %%
recipe = kzoo.recipe_for("mlp", "digits")
if FAST:
    recipe = recipe.override(epochs=4)
with tempfile.TemporaryDirectory() as folder:
    result = run(recipe, out=f"{folder}/run", verbose=0)
    print("the run folder holds:", *sorted(path.name for path in result.folder.iterdir()))
measured, probabilities = evaluate(result.model, data.x_test, y_test)
print({name: round(value, 4) for name, value in measured.items()})

plots.confusion_matrix(y_test, probabilities.argmax(axis=1), data.class_names, title="kzoo's MLP on the test digits")

# %% [markdown]
# **Figure 5.** A row for each true class, a column for each answer. One accuracy hides where the errors are; off the
# diagonal you see who is taken for whom. The few mistakes gather among digits that share strokes.

# %%
surprise = -np.log(probabilities[np.arange(len(y_test)), y_test])  # nats: the loss of each image
hardest = np.argsort(-surprise)[:16]
plots.predictions(data.x_test[hardest], y_test[hardest], probabilities[hardest], data.class_names)

# %% [markdown]
# **Figure 6.** The 16 test images with the highest loss, worst first. Look at them before blaming the network: at 8 x
# 8 pixels some are hard for people too. The worrying ones are those where it is *wrong and certain* (a high
# percentage under a cross): it has no idea that it does not know.

# %% [markdown]
# ## Width, depth and the shipped presets
#
# How many units does it take? We train our NumPy network, which is fast, at several widths and depths, each from
# several seeds, since one seed would be an anecdote.

# %%
seeds = range(1 if FAST else 4)
epochs = 4 if FAST else 30
widths = (1, 2, 4, 8, 16, 32, 64, 128)
depths = (0, 1, 2, 3, 4, 6)


def accuracies(shape):
    scores = [test_accuracy(train(initial(shape, seed), epochs, rate=0.05)[0]) for seed in seeds]
    return [100 * score for score in scores]


by_width = [accuracies((64, width, 10)) for width in widths]
by_depth = [accuracies((64, *[16] * depth, 10)) for depth in depths]

figure = new_figure(10, 4)
left, right = figure.subplots(1, 2)
for axes, xs, found in ((left, widths, by_width), (right, depths, by_depth)):
    axes.plot(xs, [np.mean(scores) for scores in found], "o-", color=BLUE, label="mean")
    lowest, highest = [min(scores) for scores in found], [max(scores) for scores in found]
    axes.fill_between(xs, lowest, highest, color=BLUE, alpha=0.2, label=f"range of {len(seeds)} seeds")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right" if axes is left else "upper right")
left.set_xscale("log", base=2)
left.set_xticks(widths, [str(width) for width in widths])
label(left, x="units in one hidden layer", y="test accuracy (% correct)", title="width")
right.set_xticks(depths)
label(right, x="hidden layers of 16 units (0: none)", y="test accuracy (% correct)", title="depth")
figure

# %% [markdown]
# **Figure 7.** Test accuracy by width (left) and by depth (right) after the same number of epochs; mind the two
# scales. One or two hidden units are a bottleneck through which ten classes do not fit. From about 16 units on, more
# width brings little on this small task. Depth brings even less: with none the accuracy is already near 94 %, with
# one or two layers a little higher, and beyond that these narrow layers only make training harder. Depth pays when
# the task is built from parts of parts, as images are (chapter 7).

# %%
for name in kzoo.list_presets("mlp_*"):
    preset = kzoo.from_preset(name)
    print(f"{name}: input {preset.input_shape[1:]}, hidden {preset.hidden_dims}, "
          f"{parameter_count(preset):,} trained weights")  # fmt: skip

os.environ.setdefault("KZOO_OFFLINE", "1")  # MNIST is used where it is on this machine, not downloaded
wanted = "mnist"
try:
    mnist = kzoo.load_data(wanted)
except kzoo.KzooError:
    print("MNIST is not here; set KZOO_DATA_DIR to a folder with mnist.npz to measure mlp_mnist on it.")
else:
    some = slice(0, 1000 if FAST else None)
    score, _ = evaluate(kzoo.from_preset("mlp_mnist"), mnist.x_test[some], mnist.y_test[some])
    print(f"mlp_mnist on {len(mnist.y_test[some]):,} MNIST test images: {100 * score['accuracy']:.2f} %")

# %% [markdown]
# ## What breaks it
#
# Three ways to a network that looks right and does not learn:
#
# 1. **Equal weights.** If all hidden units start the same, they get the same gradient and stay the same for ever: 32
#    units that count as one.
# 2. **No activation.** $(x W_1) W_2 = x (W_1 W_2)$: layers without a bend between them collapse into one.
# 3. **Too large a rate.** A step that is too long jumps across the valley and lands higher than it started.

# %%
equal = [(np.full((64, 32), 0.05), np.zeros(32)), (np.full((32, 10), 0.05), np.zeros(10))]
equal, _ = train(equal, epochs=3)
distinct = np.unique(equal[0][0].round(12), axis=1).shape[1]
print(f"1. equal weights: {distinct} distinct hidden unit, test {100 * test_accuracy(equal):.1f} %")
assert distinct == 1

linear = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(32, 32), activation="linear")
w1, b1, w2, b2, w3, b3 = linear.get_weights()
one_layer = x_test @ (w1 @ w2 @ w3) + (b1 @ w2 + b2) @ w3 + b3
np.testing.assert_allclose(one_layer, linear.predict(data.x_test, verbose=0), atol=1e-4)
print("2. no activation: three layers give the same logits as their product, one layer")

print("3. rates, each for 3 epochs of the same start:")
with np.errstate(all="ignore"):  # the largest ones overflow, and that is the lesson
    for rate in (0.001, 0.01, 0.1, 1.0, 10.0):
        broken, seen = train(layers, epochs=3, rate=rate)
        print(f"   rate {rate:<6}: training loss {seen['loss'][-1]:.3g} nats, "
              f"test {100 * test_accuracy(broken):.1f} %")  # fmt: skip

# %% [markdown]
# Guessing costs $\log 10 \approx 2.30$ nats. A loss that stays at that number says "no better than guessing"; `nan`
# says that the weights have overflowed. Learn to recognise both at a glance.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Some pixels are black in every training image. What must the perceptron's weights at these pixels
# be, and what has the MLP done with its own weights there? Check both.
#
# <details>
# <summary>Solution</summary>
#
# Every change of a weight is proportional to its input. An input that is always 0 changes nothing: the perceptron's
# weight is still 0, and the MLP's still holds its random start. Such weights are harmless here, and dangerous where a
# test image does have ink on that pixel.
#
# ```python
# black = (x_train == 0).all(axis=0)
# print(f"{black.sum()} of 64 pixels are always black")
# assert black.any()
# assert (w[black] == 0).all()
# np.testing.assert_array_equal(trained[0][0][black], layers[0][0][black])
# assert (trained[0][0][~black] != layers[0][0][~black]).any()
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Shuffle the hidden units of the trained network: permute the columns of $W_1$ and $b_1$, and the
# rows of $W_2$ alike. What happens to its answers? How many such networks are there?
#
# <details>
# <summary>Solution</summary>
#
# Nothing happens, since a sum does not care about its order. With 32 hidden units there are $32! \approx 2.6 \cdot
# 10^{35}$ different settings of the weights that compute the same function. So "the" best weights do not exist.
#
# ```python
# shuffle = np.random.default_rng(0).permutation(32)
# (first_w, first_b), (second_w, second_b) = trained
# shuffled = [(first_w[:, shuffle], first_b[shuffle]), (second_w[shuffle], second_b)]
# np.testing.assert_allclose(forward(x_test, shuffled)[-1], forward(x_test, trained)[-1], atol=1e-9)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Write down the number of weights of an MLP with widths $d_0, d_1, \dots, d_\ell$. Check the formula
# with three models of the zoo, then find the widest single hidden layer for 8 x 8 digits with at most 1,000 weights.
#
# <details>
# <summary>Solution</summary>
#
# Each layer has $d_{i-1} d_i$ weights and $d_i$ biases, so $\sum_i (d_{i-1} + 1)\, d_i$. One hidden layer of width $m$
# on 64 inputs and 10 classes has $65 m + 10 (m + 1) = 75 m + 10$, which is at most 1,000 for $m \le 13$.
#
# ```python
# def count(widths):
#     return sum((before + 1) * after for before, after in pairwise(widths))
#
# for dims in ((), (13,), (128, 64)):
#     counted = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=dims).count_params()
#     assert counted == count((64, *dims, 10))
# assert count((64, 13, 10)) <= 1000 < count((64, 14, 10))
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Let the network refuse: it answers only where its highest probability is above a threshold. Print,
# for some thresholds, the share of test images that it answers and its accuracy on those. Where would you set it for
# sorting mail, and where for a game?
#
# <details>
# <summary>Solution</summary>
#
# The more it may refuse, the fewer mistakes are left among its answers. The threshold is a matter of cost: a letter
# sent to the wrong town costs more than one that a person has to read, and in a game a wrong guess costs nothing.
#
# ```python
# p = np.exp(log_softmax(forward(x_test, trained)[-1]))
# sure, right = p.max(axis=1), p.argmax(axis=1) == y_test
# for threshold in (0.0, 0.5, 0.8, 0.9, 0.99):
#     answered = sure >= threshold
#     share, score = 100 * answered.mean(), 100 * right[answered].mean()
#     print(f"above {threshold:4.2f}: answers {share:5.1f} %, right {score:5.1f} %")
# assert right[sure >= 0.9].mean() >= right.mean()
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - One layer keeps one template a class, and every pixel votes by itself. A hidden layer moves the data until one layer
#   is enough.
# - Forward, loss, backward, step: forty lines of NumPy, and Keras does the same arithmetic.
# - Look past the accuracy: the confusion matrix says who is mixed up, the highest losses say what to look at.
# - Width buys parts to build from, depth buys parts of parts; both cost training that has to be looked after.
#
# Next: **6 · Training craft**, on how to start, steer and stop a training run.
