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
# # 7 · Convolutional networks
#
# **What does a network gain when it knows that neighbouring pixels belong together?**
#
# After this chapter you can
#
# - compute a convolution by hand, with padding and stride, forwards and backwards;
# - say how much of the image a unit sees, by formula and by experiment;
# - look inside a trained CNN: its filters, its feature maps, and the pixels that decide;
# - show by experiment what a CNN assumes about images, and what happens where that is false.
#
# It needs chapters 3 to 6. About three minutes on two cores.

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
from kzoo.data import augment, batch_rng
from kzoo.plots.style import BLUE, DIVERGING, GREEN, ORANGE, VERMILLION, bare, label, new_figure
from kzoo.training import evaluate
from kzoo.training.batches import Batches, FollowEpoch

keras.utils.set_random_seed(0)
data = kzoo.load_data("digits")
numpy = ops.convert_to_numpy

# %% [markdown]
# ## The idea: one small template, moved everywhere
#
# The MLP of chapter 5 has a weight of its own for every pixel. It has to learn what a stroke looks like at the top
# left, and learn it again at the bottom right. And if somebody shuffled the pixels of all images alike, it would not
# even notice: it does not know which pixels are neighbours.
#
# A **convolution** builds in two facts about images. *Locality*: what matters is found among neighbours, so the
# template is small, say 3 x 3. *The same everywhere*: a stroke is a stroke wherever it is, so the one template, the
# **kernel**, is laid on every place in turn:
#
# $$ y_{ijf} = b_f + \sum_{p, q, c} K_{pqcf} \; x_{i s + p,\; j s + q,\; c}. $$
#
# Here $c$ counts the input's channels, $f$ the kernels (one output **feature map** each), and $s$ is the **stride**,
# the step from place to place. (Mathematicians would flip the kernel and call this cross-correlation. The network
# learns its kernels, so it makes no difference.)


# %%
def conv_loops(x, kernel, stride=1):
    """Image (h, w, c), kernel (kh, kw, c, f) -> (h', w', f), without padding."""
    kh, kw, _, filters = kernel.shape
    height, width = (x.shape[0] - kh) // stride + 1, (x.shape[1] - kw) // stride + 1
    y = np.zeros((height, width, filters))
    for i in range(height):
        for j in range(width):
            window = x[i * stride : i * stride + kh, j * stride : j * stride + kw]  # (kh, kw, c)
            for f in range(filters):
                y[i, j, f] = np.sum(window * kernel[:, :, :, f])
    return y


# Two kernels made by hand: light above dark, and light left of dark.
down = np.array([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])
edges = np.stack([down, down.T], axis=-1)[:, :, None, :]  # (3, 3, 1, 2)
digit = data.x_test[0]  # (8, 8, 1)
maps = conv_loops(digit, edges)

figure = new_figure(10, 2.9)
pictures = (digit[..., 0], edges[:, :, 0, 0], maps[..., 0], edges[:, :, 0, 1], maps[..., 1])
titles = ("image, 8 x 8", "kernel 0, 3 x 3", "its map, 6 x 6", "kernel 1, 3 x 3", "its map, 6 x 6")
for axes, picture, title in zip(figure.subplots(1, 5), pictures, titles, strict=True):
    limit = np.abs(picture).max()
    look = {"cmap": "gray"} if title.startswith("image") else {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    axes.imshow(picture, **look)
    axes.set_title(title, fontsize=11)
    bare(axes)
figure

# %% [markdown]
# **Figure 1.** A digit and what two kernels make of it (orange: positive, purple: negative, white: 0). The first
# answers where ink ends downwards (orange) or begins (purple), and is silent along vertical strokes; the second does
# the same from left to right. One kernel of nine numbers has become a detector for every place. The map is smaller
# than the image, because the kernel does not fit over the border.

# %% [markdown]
# ## Padding, and a convolution as one matrix product
#
# Padding `"valid"` means none. `"same"` puts zeros around the image so that with stride 1 the size stays. For size $n$,
# kernel $k$ and stride $s$ the output has
#
# $$ n' = \left\lfloor \frac{n - k}{s} \right\rfloor + 1 \quad \text{(valid)}, \qquad
#    n' = \left\lceil \frac{n}{s} \right\rceil \quad \text{(same)}. $$
#
# Four nested loops are slow. Write each window as a row of a matrix, and all windows and kernels become *one* product,
# which every processor is best at. kzoo does exactly this for JAX on CPU, where it is faster than the library's own.


# %%
def pad_same(x, size, stride):
    """Zeros around (h, w, c), so that every stride-th pixel is a window's centre; an odd one last."""
    widths = []
    for n in x.shape[:2]:
        total = max((-(-n // stride) - 1) * stride + size - n, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(x, (*widths, (0, 0)))


def windows(x, size, stride=1):
    """(h, w, c) -> (h', w', size * size * c): each window of the image as a row."""
    found = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(0, 1))
    found = found[::stride, ::stride].transpose(0, 1, 3, 4, 2)  # (h', w', size, size, c)
    return found.reshape(*found.shape[:2], -1)


def conv_matrix(x, kernel, stride=1):
    return windows(x, kernel.shape[0], stride) @ kernel.reshape(-1, kernel.shape[-1])


rng = np.random.default_rng(0)
image = rng.normal(size=(9, 8, 3)).astype("float32")
for size in (2, 3, 5):
    kernel = rng.normal(size=(size, size, 3, 4)).astype("float32")
    for stride in (1, 2):
        for padding in ("valid", "same"):
            x = pad_same(image, size, stride) if padding == "same" else image
            ours = conv_matrix(x, kernel, stride)
            zoo = kzoo.backend.conv2d(image[None], kernel, strides=stride, padding=padding)
            keras_y = ops.conv(image[None], kernel, strides=stride, padding=padding)
            np.testing.assert_allclose(ours, conv_loops(x, kernel, stride), atol=1e-4)
            np.testing.assert_allclose(ours, numpy(zoo)[0], atol=1e-4)
            np.testing.assert_allclose(ours, numpy(keras_y)[0], atol=1e-4)
            valid = tuple((n - size) // stride + 1 for n in (9, 8))
            same = tuple(-(-n // stride) for n in (9, 8))
            assert ours.shape[:2] == (same if padding == "same" else valid)
print("loops = matrix product = kzoo.backend.conv2d = keras.ops.conv: 12 cases agree")

# %% [markdown]
# Backwards it is a matrix product too. With $P$ the windows (a row each) and $\delta = \partial L / \partial y$,
# chapter 3 says $\partial L / \partial K = P^\top \delta$. Each kernel weight is used at every place, so its gradient
# is the **sum** over all places: that is what sharing weights means. We check it against the backend's own
# derivative.

# %%
kernel = keras.Variable(rng.normal(size=(3, 3, 3, 4)).astype("float32"))
target = rng.normal(size=(7, 6, 4)).astype("float32")


def squared_error():
    y = kzoo.backend.conv2d(image[None], ops.convert_to_tensor(kernel))
    return 0.5 * ops.sum(ops.square(y[0] - ops.convert_to_tensor(target)))


_, (theirs,) = kzoo.backend.value_and_grad(squared_error, [kernel])
rows = windows(image, 3).reshape(-1, 27)  # (places, 3 * 3 * 3)
delta = (conv_matrix(image, numpy(kernel)) - target).reshape(-1, 4)
np.testing.assert_allclose((rows.T @ delta).reshape(3, 3, 3, 4), numpy(theirs), rtol=1e-4, atol=1e-3)
print(f"the gradient of all {kernel.shape} weights agrees, summed over {len(rows)} places")

# %% [markdown]
# ## Few weights, and pooling
#
# How many weights does it take to go from an 8 x 8 image to 32 maps of 8 x 8? A dense layer connects everything with
# everything; a convolution has one kernel a map. Between convolutions a CNN **pools**: each 2 x 2 block is replaced
# by its maximum. That says "it was here, more or less", and it halves the map, so that the next kernels see twice as
# far.

# %%
dense = 64 * (64 * 32) + 64 * 32
convolution = 3 * 3 * 1 * 32 + 32
print(f"dense {dense:,} weights, convolution {convolution}: {dense / convolution:.0f} times fewer")
assert keras.Sequential([keras.Input((64,)), keras.layers.Dense(64 * 32)]).count_params() == dense
layer = keras.layers.Conv2D(32, 3, padding="same", data_format="channels_last")
assert keras.Sequential([keras.Input((8, 8, 1)), layer]).count_params() == convolution

blocks = image[:8].reshape(4, 2, 4, 2, 3)  # (row, inside, column, inside, channel)
np.testing.assert_array_equal(blocks.max(axis=(1, 3)), numpy(kzoo.backend.max_pool2d(image[None, :8]))[0])
print("2 x 2 max-pooling in one line of NumPy is kzoo's")

# %% [markdown]
# ## How far does a unit see?
#
# The pixels that can change a unit are its **receptive field**. Let $j$ be the distance, in pixels, between
# neighbouring units of a layer. A layer with kernel $k$ and stride $s$ adds $k - 1$ of the previous layer's steps,
# then stretches the steps:
#
# $$ r \leftarrow r + (k - 1)\, j, \qquad j \leftarrow j\, s, \qquad \text{starting with } r = j = 1. $$
#
# That is the theory. The experiment: a pixel belongs to the field if the derivative of the unit with respect to it is
# not zero, for some input. We ask the backend for that derivative, on many random images at once.

# %%
plain = {"filters": (8, 8), "padding": "same", "batch_norm": False, "dropout": 0.0}
model = kzoo.create_model("cnn", input_shape=(28, 28, 1), **plain)
layers = [("conv_1_1", 3, 1), ("conv_1_2", 3, 1), ("pool_1", 2, 2), ("conv_2_1", 3, 1), ("conv_2_2", 3, 1)]
noise = keras.Variable(rng.normal(size=(64, 28, 28, 1)).astype("float32"))


def input_gradient(name):
    """Mean absolute derivative (28, 28) of a layer's middle unit with respect to the pixels."""
    probe = keras.Model(model.input, model.get_layer(name).output)
    middle = model.get_layer(name).output.shape[1] // 2
    _, (gradient,) = kzoo.backend.value_and_grad(
        lambda: ops.sum(probe(ops.convert_to_tensor(noise))[:, middle, middle, 0]), [noise]
    )
    return np.abs(numpy(gradient)).mean(axis=0)[..., 0]


field, step, heat = 1, 1, {}
for name, size, stride in layers:
    field, step = field + (size - 1) * step, step * stride
    heat[f"{name}: {field} x {field}"] = input_gradient(name)
    touched = np.flatnonzero(heat[f"{name}: {field} x {field}"].any(axis=1))
    measured = touched[-1] - touched[0] + 1
    print(f"{name}: receptive field {field:2d} pixels by formula, {measured:2d} measured")
    assert field == measured

figure = new_figure(10, 2.9)
for axes, (name, values) in zip(figure.subplots(1, 5), heat.items(), strict=True):
    axes.imshow(values / values.max(), cmap="viridis")
    axes.set_title(name, fontsize=11)
    bare(axes)
figure

# %% [markdown]
# **Figure 2.** Where in a 28 x 28 image one unit of each layer looks: bright pixels move it most, dark ones not at
# all. The titles give the field by formula. It grows by 2 with each 3 x 3 convolution before the pooling and by 4
# after it. Notice that it is not evenly lit: the middle is reached along many paths through the layers and the rim
# along few, so the *effective* field is smaller.

# %% [markdown]
# ## Equivariance, and where it breaks
#
# Move the image, and the feature map moves along: $f(T x) = T f(x)$. This is called **equivariance**, and it follows
# from using one kernel everywhere. Three things break it. *Stride* and *pooling* keep every second place, so a shift
# by one pixel has no counterpart in the map. And the *border*: what slides out of the image is gone. We measure the
# first two on a digit in the middle of a wide black canvas.

# %%
canvas = np.zeros((1, 24, 24, 1), "float32")
canvas[0, 8:16, 8:16] = digit
kernel = rng.normal(size=(3, 3, 1, 8)).astype("float32")
operations = {
    "convolution": (1, lambda x: kzoo.backend.conv2d(x, kernel, padding="same")),
    "convolution, stride 2": (2, lambda x: kzoo.backend.conv2d(x, kernel, strides=2, padding="same")),
    "2 x 2 max-pooling": (2, lambda x: kzoo.backend.max_pool2d(x)),
}
shifts = np.arange(7)
figure = new_figure(8, 3.4)
axes = figure.subplots()
styles = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"))
for (name, (stride, operation)), (shade, line, mark) in zip(operations.items(), styles, strict=True):
    still = numpy(operation(canvas))
    errors = []
    for shift in shifts:
        moved = numpy(operation(np.roll(canvas, shift, axis=2)))
        # An odd shift lies between two places of a map with stride 2: the better of both counts.
        near = {shift // stride, -(-shift // stride)}
        errors.append(min(np.linalg.norm(moved - np.roll(still, k, axis=2)) for k in near))
    errors = np.array(errors) / np.linalg.norm(still)
    assert np.all(errors[::stride] < 1e-6)  # equivariant to multiples of the stride
    axes.plot(shifts, 100 * errors, color=shade, linestyle=line, marker=mark, markersize=8, label=name)
label(axes, x="shift of the image (pixels)", y="error of f(Tx) = T f(x)\n(% of the size of f(x))")
axes.set_ylim(-5, 105)
axes.legend(loc="upper center", ncols=3)
axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 3.** How far "shift, then operate" is from "operate, then shift". The plain convolution is equivariant to
# every shift; with stride 2 and with pooling only to even ones, and at odd shifts the two maps differ by a good part
# of their size. A CNN is therefore *less* sensitive to shifts than an MLP, but by no means blind to them. We come
# back to this in figure 8.

# %% [markdown]
# ## Inside a trained CNN
#
# The preset `cnn_digits` ships with kzoo: two blocks of two 3 x 3 convolutions and a pooling, then a hidden layer.
# What do its first kernels look for? Instead of guessing from nine numbers, ask the data: which 3 x 3 pieces of real
# digits excite a kernel most?

# %%
trained = kzoo.from_preset("cnn_digits")
figures, _ = evaluate(trained, data.x_test, data.y_test, batch_size=len(data.y_test))
print(f"cnn_digits on the test digits: {100 * figures['accuracy']:.2f} %")

first = numpy(trained.get_layer("conv_1_1").kernel)  # (3, 3, 1, 32)
pieces = np.concatenate([windows(x, 3).reshape(-1, 9) for x in data.x_train[:400]])
strongest = np.argsort(-np.linalg.norm(first.reshape(9, -1), axis=0))[:10]
figure = new_figure(10, 2.9, "Ten kernels of the first layer, and the pieces that excite them")
grid = figure.subplots(2, 10)
limit = np.abs(first).max()
for column, f in enumerate(strongest):
    grid[0, column].imshow(first[:, :, 0, f], cmap=DIVERGING, vmin=-limit, vmax=limit)
    best = np.argsort(-(pieces @ first[:, :, 0, f].reshape(9)))[:100]
    grid[1, column].imshow(pieces[best].mean(axis=0).reshape(3, 3), cmap="gray", vmin=0, vmax=1)
    grid[0, column].set_title(f"{f}", fontsize=10)
for axes in grid.flat:
    bare(axes)
figure

# %% [markdown]
# **Figure 4.** Top: the kernels with the largest weights (orange: wants ink, purple: wants none). Below: the mean of
# the 100 pieces of training digits to which each answers most. They are edges, corners and ends of strokes in various
# directions: nobody told the network to look for these.

# %%
names = ("relu_1_1", "pool_1", "relu_2_2", "pool_2", "logits")
seen = trained.activations(data.x_test[:1])
plots.feature_maps({name: seen[name][0] for name in names}, image=data.x_test[0])

# %% [markdown]
# **Figure 5.** One digit on its way through the network, eight channels of each layer. The first maps still look like
# the digit, each with other edges lit. Further down the maps get smaller and each point stands for more of the image,
# until the ten logits at the bottom, of which the highest is the answer.

# %% [markdown]
# ## Which pixels decide?
#
# **Saliency**: the derivative of the winning logit with respect to each pixel, $|\partial z_k / \partial x|$. It says
# where a *small* change would matter most. A plainer question is **occlusion**: paint a 2 x 2 block with the image's
# mean grey and see how much the logit falls. If the two disagree, be careful with stories about either.

# %%
chosen = [int(np.flatnonzero(data.y_test == k)[0]) for k in (0, 3, 4, 6, 7, 9)]
six = data.x_test[chosen]
covered = np.repeat(six[:, None], 50, axis=1)  # (digit, block, 8, 8, 1); the last copy stays as it is
for block, (i, j) in enumerate(np.ndindex(7, 7)):
    covered[:, block, i : i + 2, j : j + 2] = six.mean(axis=(1, 2, 3))[:, None, None, None]
z = trained.predict(covered.reshape(-1, 8, 8, 1), batch_size=300, verbose=0).reshape(6, 50, 10)
winners = z[:, -1].argmax(axis=1)
z = z[np.arange(6), :, winners]  # (digit, block): the winning logit
falls = (z[:, -1:] - z[:, :-1]).reshape(6, 7, 7)

pixels = keras.Variable(six)


def winning_logits():
    logits = trained(ops.convert_to_tensor(pixels), training=False)
    return ops.sum(logits * ops.one_hot(winners, 10, dtype=logits.dtype))


_, (gradient,) = kzoo.backend.value_and_grad(winning_logits, [pixels])
saliency = np.abs(numpy(gradient))[..., 0]

ink = six[..., 0]
blocks = (ink[:, 1:, 1:] + ink[:, :-1, 1:] + ink[:, 1:, :-1] + ink[:, :-1, :-1]) / 4
for name, values, paper in (("saliency", saliency, ink), ("occlusion", falls, blocks)):
    print(f"{name}: correlation with ink {np.corrcoef(values.ravel(), paper.ravel())[0, 1]:+.2f}")

figure = new_figure(10, 5.2)
grid = figure.subplots(3, len(chosen))
for column in range(len(chosen)):
    grid[0, column].imshow(data.x_test[chosen[column], ..., 0], cmap="gray")
    grid[1, column].imshow(saliency[column], cmap="viridis")
    limit = np.abs(falls[column]).max()
    grid[2, column].imshow(falls[column], cmap=DIVERGING, vmin=-limit, vmax=limit)
    grid[0, column].set_title(f"says {winners[column]}")
for row, name in enumerate(("image", "saliency", "occlusion")):
    grid[row, 0].set_ylabel(name, fontsize=11)
for axes in grid.flat:
    bare(axes)
figure

# %% [markdown]
# **Figure 6.** Six digits (top), the size of the derivative at each pixel (middle, bright is large), and the fall of
# the winning logit when a 2 x 2 block is covered (bottom; orange: it falls, so the block spoke for the answer;
# purple: it rises). The two do not ask the same question, and it shows. Occlusion follows the ink, since covering ink
# removes evidence. Saliency hardly does: it lights up on black pixels too, where a little ink would begin to make
# another digit.

# %% [markdown]
# ## What breaks it: shuffled pixels
#
# Now the experiment that the first section promised. One fixed permutation of the 64 pixels is applied to all images,
# training and test alike. No information is lost: it could be undone. The MLP cannot even tell: permute the rows of
# its first matrix in the same way and every logit is what it was.

# %%
permutation = np.random.default_rng(0).permutation(64)


def shuffled(x):
    """(n, 8, 8, 1) with the pixels of every image in another, common order."""
    return x.reshape(len(x), 64)[:, permutation].reshape(x.shape)


mlp = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(64,))
twin = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(64,))
w, *others = mlp.get_weights()
twin.set_weights([w[permutation], *others])
np.testing.assert_allclose(
    mlp.predict(data.x_test, verbose=0), twin.predict(shuffled(data.x_test), verbose=0), atol=1e-5
)
print("an MLP on shuffled images is the same MLP with its first rows shuffled")


def fitted(name, x, seed, augmentation=None):
    """A small CNN or MLP after a few epochs of Adam on images x and the training labels."""
    keras.utils.set_random_seed(seed)
    arguments = {
        "cnn": {**plain, "filters": (16, 32), "depth": 1, "hidden_dim": 32},
        "mlp": {"hidden_dims": (64,)},
    }[name]
    model = kzoo.create_model(name, input_shape=(8, 8, 1), **arguments)
    batches = Batches(x, data.y_train[: len(x)], 32, seed, augmentation)
    epochs = 4 if FAST else 12
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * batches.num_batches)
    model.compile(keras.optimizers.Adam(rate), model.training_loss())
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[FollowEpoch(batches)])
    return model


def accuracy(model, x):
    return 100 * evaluate(model, x, data.y_test, batch_size=len(x))[0]["accuracy"]


n = 400 if FAST else len(data.x_train)
seeds = (0,) if FAST else (0, 1, 2)
figure = new_figure(8, 2.6)
axes = figure.subplots()
kept = {}
for row, name in enumerate(("mlp", "cnn")):
    ends = []
    for change, shade, mark in ((lambda x: x, BLUE, "o"), (shuffled, VERMILLION, "X")):
        models = [fitted(name, change(data.x_train[:n]), seed) for seed in seeds]
        scores = [accuracy(model, change(data.x_test)) for model in models]
        kept.setdefault(name, models[0])
        ends.append(np.mean(scores))
        word = "shuffled pixels" if change is shuffled else "as they are"
        axes.plot(scores, [row] * len(scores), mark, color=shade, markersize=10, alpha=0.8,
                  label=word if row == 0 else None)  # fmt: skip
    print(f"{name}: {ends[0]:.1f} % as they are, {ends[1]:.1f} % shuffled")
axes.set_yticks([0, 1], ["MLP", "CNN"])
axes.set_ylim(-0.6, 1.6)
label(axes, x="test accuracy (% correct); one mark a seed")
figure.legend(loc="outside right upper", frameon=False)
axes.grid(axis="x", alpha=0.25)
figure

# %% [markdown]
# **Figure 7.** The same small networks on the images as they are (circles) and with shuffled pixels (crosses). The
# MLP does not care. The CNN is the better one on images and the worse one on shuffled images: what it assumes about
# neighbours is its strength where that is true, and its handicap where it is false. There is no free lunch: an
# assumption has to fit the data.

# %% [markdown]
# ## Augmentation: teach what is not built in
#
# Figure 3 says that pooling and borders limit what a CNN knows about shifts. What the architecture does not know can
# be taught with moved copies of the images: `--data.shift 1` in kzoo. It costs nothing at prediction time.

# %%
moved = augment(data.x_train[:8], batch_rng(0, 0, 0), shift=1.0, rotate=10.0, scale=0.1)
print(f"a batch of {moved.shape}, moved by kzoo.data.augment; pixels still within "
      f"{moved.min():.1f} and {moved.max():.1f}")  # fmt: skip
taught = fitted("cnn", data.x_train[:n], 0, {"shift": 1.5})


def slid(x, by):
    """Images moved `by` columns to the right, black coming in."""
    found = np.zeros_like(x)
    width = x.shape[2]
    found[:, :, max(by, 0) : width + min(by, 0)] = x[:, :, max(-by, 0) : width - max(by, 0)]
    return found


shifts = np.arange(-3, 4)
contenders = (
    ("MLP", kept["mlp"], VERMILLION, ":", "X"),
    ("CNN", kept["cnn"], BLUE, "--", "o"),
    ("CNN + shift up to 1.5 pixels", taught, GREEN, "-", "s"),
)
figure = new_figure(8, 3.8)
axes = figure.subplots()
for name, model, shade, line, mark in contenders:
    scores = [accuracy(model, slid(data.x_test, by)) for by in shifts]
    axes.plot(shifts, scores, color=shade, linestyle=line, marker=mark, markersize=7, label=name)
    words = [f"{by:+d}: {score:4.1f} %" for by, score in zip(shifts, scores, strict=True)]
    print(f"{name:>28}: " + "  ".join(words))
label(axes, x="test images moved to the right (pixels)", y="accuracy (% correct)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 8.** Accuracy on test images that are moved sideways. The MLP falls off at the first pixel, since its
# templates have a fixed place. The CNN holds out longer, but its last, dense layers have learned where digits usually
# are. With augmentation it answers well within the range that it has practised, and pays for it with a little
# accuracy at 0: it had a harder task and no more epochs. (At 3 pixels many of these 8 x 8 digits have partly left the
# image.)

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** A convolution is a dense layer with most weights zero and the others shared. Find the dense matrix
# (64, 36) of `"valid"` kernel 0 of figure 1. How many of its entries are not zero, and how many *different* values do
# they have?
#
# <details>
# <summary>Solution</summary>
#
# Feed in each image that has a single 1: the answers are the rows of the matrix. Each of the 36 outputs uses the six
# non-zero weights of the kernel, so 216 of 2,304 entries are not zero, with only two values, 1 and -1.
#
# ```python
# units = np.eye(64).reshape(64, 8, 8, 1)
# matrix = np.stack([conv_loops(unit, edges[..., :1]).ravel() for unit in units])  # (64, 36)
# np.testing.assert_allclose(digit.ravel() @ matrix, maps[..., 0].ravel(), atol=1e-6)
# assert np.count_nonzero(matrix) == 36 * 6
# assert set(np.unique(matrix)) == {-1.0, 0.0, 1.0}
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Two 3 x 3 convolutions in a row see 5 x 5 pixels. Show that without an activation between them they
# *are* one 5 x 5 convolution, and compare the number of weights for $c$ channels throughout. Why put a relu between
# them?
#
# <details>
# <summary>Solution</summary>
#
# The kernel of the pair is one kernel laid over the other at all places. Two layers have $18 c^2$ weights and one has
# $25 c^2$: fewer weights for the same field. Without a relu the pair can only do *less* than a free 5 x 5 kernel;
# with one it can do what no single kernel can.
#
# ```python
# one, two = rng.normal(size=(2, 3, 3))
# both = np.zeros((5, 5))
# for p in range(3):
#     for q in range(3):
#         both[p : p + 3, q : q + 3] += two[p, q] * one
# twice = conv_loops(conv_loops(digit, one[:, :, None, None]), two[:, :, None, None])
# np.testing.assert_allclose(conv_loops(digit, both[:, :, None, None]), twice, atol=1e-9)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Some permutations of the pixels do not hurt a CNN. Show that mirroring the image is one: which
# change of the kernel makes up for it exactly?
#
# <details>
# <summary>Solution</summary>
#
# Mirror the kernel too, and the map is mirrored. So a CNN for mirrored images is as easy to learn as one for images:
# neighbours stay neighbours. A shuffle tears them apart, and no small kernel brings them together.
#
# ```python
# mirrored = conv_loops(digit[:, ::-1], edges[:, ::-1])
# np.testing.assert_allclose(mirrored, maps[:, ::-1], atol=1e-9)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Replace the flattening before the dense layers by the *mean of each map* (global average pooling).
# Show that convolution, relu and this mean together ignore every shift that keeps the digit on the canvas.
#
# <details>
# <summary>Solution</summary>
#
# The convolution moves its map along with the image, and a mean does not care where things are: equivariance and then
# pooling over all places give **invariance**. The price is that such a network cannot tell places apart at all.
#
# ```python
# def summary(x):
#     return numpy(ops.mean(ops.relu(kzoo.backend.conv2d(x, kernel, padding="same")), axis=(1, 2)))
#
# for shift in range(-7, 8):
#     np.testing.assert_allclose(summary(np.roll(canvas, shift, axis=2)), summary(canvas), atol=1e-6)
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A convolution is one small template on every place: local, shared, and one matrix product of the windows.
# - Kernels, strides and depth decide how far a unit sees; pooling makes it see further, less exactly.
# - Equivariance is exact for the convolution alone. Stride, pooling and borders break it, and augmentation fills the
#   gap.
# - An architecture is an assumption about the data. Shuffle the pixels and the assumption is false.
#
# You have now seen every part of kzoo's first models. Read one as a page: `kzoo/models/cnn.py`.
