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
# # 6 · Training craft
#
# **The network is right and the gradient is right. Why does it still not learn, and when should it stop?**
#
# After this chapter you can
#
# - choose initial weights so that signals and gradients survive many layers, and measure whether they do;
# - read and set a learning-rate schedule, and rescue an exploding run by clipping its gradients;
# - tell underfitting from overfitting, and name a remedy for each;
# - set all of it by the name that kzoo's command line uses.
#
# It needs chapters 3 to 5. About three minutes on two cores.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import tempfile

import keras
import numpy as np

from kzoo import plots
from kzoo.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, label, new_figure
from kzoo.training import run
from kzoo.training.batches import Batches, FollowEpoch
from kzoo.training.evaluation import load_for
from kzoo.training.optimizers import learning_rate
from kzoo.training.run import Diverged, build

keras.utils.set_random_seed(0)
data = kzoo.load_data("digits")
numpy = keras.ops.convert_to_numpy
LINES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (VERMILLION, ":"), (PURPLE, (0, (5, 1, 1, 1)))]

# %% [markdown]
# ## The idea: keep the signal alive
#
# A deep network is a long row of people who pass a message on. If each of them speaks a little too softly, the last
# one hears nothing; a little too loudly, and the end is all noise. The volume at which a layer speaks is the variance
# of its initial weights. One unit adds up $d$ products, $z = \sum_j w_j a_j$. With independent weights of mean 0,
#
# $$ \operatorname{Var}(z) = d \, \operatorname{Var}(w) \, \mathbb{E}[a^2]. $$
#
# To pass the signal on unchanged, $d \operatorname{Var}(w)$ has to make up for what the activation takes away:
#
# - near 0, tanh is a straight line and takes nothing: $\operatorname{Var}(w) = 1/d$. Backwards the same sum runs over
#   the *outputs*, so **Glorot** takes the mean of both numbers: $\operatorname{Var}(w) = 2 / (d_{in} + d_{out})$;
# - relu sets one half to zero, so that $\mathbb{E}[a^2] = \operatorname{Var}(z) / 2$: **He** doubles the variance,
#   $\operatorname{Var}(w) = 2 / d_{in}$.


# %%
def sizes_through_depth(gain, activation, depth=30, width=256, seed=0):
    """Root mean square of each layer's activations, Var(w) = gain / width, random inputs."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(200, width))
    sizes = []
    for _ in range(depth):
        a = activation(a @ rng.normal(0, np.sqrt(gain / width), (width, width)))
        sizes.append(np.sqrt(np.mean(a**2)))
    return np.array(sizes)


def relu(z):
    return np.maximum(z, 0)


cases = {
    "relu, He: 2 / d": (2.0, relu),
    "relu, Glorot: 1 / d": (1.0, relu),
    "relu, too small: 0.5 / d": (0.5, relu),
    "relu, too large: 4 / d": (4.0, relu),
    "tanh, Glorot: 1 / d": (1.0, np.tanh),
}
sizes = {name: sizes_through_depth(*case) for name, case in cases.items()}
figure = new_figure(8, 4.2)
axes = figure.subplots()
for (name, values), (shade, line) in zip(sizes.items(), LINES, strict=True):
    axes.semilogy(range(1, 31), values, color=shade, linestyle=line, linewidth=2, label=name)
label(axes, x="layer", y="root mean square of activations (log axis)")
axes.grid(alpha=0.25)
axes.legend(title="activation, Var(w)", loc="lower left")
figure

# %% [markdown]
# **Figure 1.** How large the activations are after each of 30 layers of 256 units, before any training. Only relu with
# He's variance stays at the size it began with; tanh with Glorot's fades slowly, because tanh is not quite a straight
# line. For relu, a variance of half the right value loses a factor of $\sqrt 2$ *per layer*, and twice the right value
# gains it: after 30 layers, a factor of about 30,000 either way.

# %% [markdown]
# ## The same through kzoo
#
# kzoo's MLP chooses He's initial weights for the relu family and Glorot's for the others. We check the variance that
# it draws, and follow one batch through twenty layers: `model.activations` beside a plain NumPy loop with the same
# weights.

# %%
deep = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(256,) * 20)
drawn = [layer.kernel for layer in deep.layers if layer.name.startswith("dense_")]
for kernel in drawn[1:4]:
    print(f"Var(w) times d: {numpy(kernel).var() * 256:.3f} (He: 2)")
    assert abs(numpy(kernel).var() * 256 - 2) < 0.05

x = data.x_train[:200]
seen = deep.activations(x)
a = x.reshape(200, 64)
weights = deep.get_weights()
for i in range(20):
    a = relu(a @ weights[2 * i] + weights[2 * i + 1])
    np.testing.assert_allclose(a, seen[f"relu_{i + 1}"], rtol=1e-4, atol=1e-5)
print(f"20 layers agree; root mean square of the last one: {np.sqrt(np.mean(a**2)):.3f}")

# %% [markdown]
# ## Gradients vanish and explode
#
# Backwards the message is $\delta_i = (\delta_{i+1} W_{i+1}^\top) \odot \sigma'(z_i)$: again a product with one
# factor per layer. The sigmoid's slope is at most $1/4$, so each layer takes at least three quarters of it away
# unless the weights make up for it. We measure the gradients of every kernel in networks of twelve hidden layers.


# %%
def gradient_sizes(activation, batch_norm=False, depth=12):
    """Root mean square of the gradient of each kernel, first layer first."""
    keras.utils.set_random_seed(0)
    dims = (64,) * depth
    model = kzoo.create_model(
        "mlp", input_shape=(8, 8, 1), hidden_dims=dims, activation=activation, batch_norm=batch_norm
    )
    loss_fn = model.training_loss()
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    _, gradients = kzoo.backend.value_and_grad(
        lambda: loss_fn(data.y_train[:128], model(data.x_train[:128], training=True)), kernels
    )
    return [float(np.sqrt(np.mean(numpy(g) ** 2))) for g in gradients]


found = {
    "sigmoid": gradient_sizes("sigmoid"),
    "tanh": gradient_sizes("tanh"),
    "relu": gradient_sizes("relu"),
    "sigmoid + batch norm": gradient_sizes("sigmoid", batch_norm=True),
}
figure = new_figure(8, 4.2)
axes = figure.subplots()
for (name, values), (shade, line), mark in zip(found.items(), LINES[:4], "os^D", strict=True):
    axes.semilogy(range(1, 14), values, color=shade, linestyle=line, marker=mark, label=name)
label(axes, x="layer (1: next to the input)", y="gradient, root mean square (log axis)")
axes.grid(alpha=0.25)
axes.legend()
print(f"sigmoid: the first layer's gradient is {found['sigmoid'][-1] / found['sigmoid'][0]:.0e} "
      "times smaller than the last one's")  # fmt: skip
figure

# %% [markdown]
# **Figure 2.** The size of each kernel's gradient before the first step. With sigmoids it shrinks by about four per
# layer on the way back (right to left): the first layers would need millions of times as many steps. This is the
# **vanishing gradient**. Tanh and relu with fitting weights keep it alive, and **batch normalisation**
# (`--model.batch_norm true`) rescues even the sigmoid, because it sets each layer's size anew at every step.

# %% [markdown]
# ## Schedules and warm-up
#
# Large steps cross the landscape, small steps settle. So the rate starts high and falls. The most common fall is half a
# cosine over the run's $T$ steps, often after a **warm-up** of $m$ steps in which the rate rises from 0, while Adam's
# averages are still guesses and the weights still random:
#
# $$ \eta_t = \eta \, \frac{t}{m} \ \text{ for } t < m, \qquad
#    \eta_t = \frac{\eta}{2} \left( 1 + \cos \pi \frac{t - m}{T - m} \right) \ \text{ for } t \ge m. $$
#
# Ours on one line, and kzoo's from a recipe: on the command line `--schedule.name cosine --schedule.warmup_epochs 1`.


# %%
def cosine(t, rate, warm, total):
    falling = 0.5 * rate * (1 + np.cos(np.pi * (t - warm) / (total - warm)))
    return np.where(t < warm, rate * t / warm, falling)


base = kzoo.recipe_for("mlp", "digits").override(epochs=20)
steps_per_epoch = 41
total = 20 * steps_per_epoch
t = np.arange(0, total, 10)  # every tenth step is enough for a picture
schedules = {
    "constant": {"name": "constant", "warmup_epochs": 0.0},
    "step": {"name": "step", "step_epochs": 7, "factor": 0.3, "warmup_epochs": 0.0},
    "cosine": {"name": "cosine", "warmup_epochs": 0.0},
    "cosine + warm-up": {"name": "cosine", "warmup_epochs": 2.0},
}
figure = new_figure(8, 3.6)
axes = figure.subplots()
for (name, spec), (shade, line) in zip(schedules.items(), LINES[:4], strict=True):
    rate = learning_rate(base.override(schedule=spec), steps_per_epoch)
    values = [float(rate(step)) if callable(rate) else rate for step in t]
    axes.plot(t / steps_per_epoch, values, color=shade, linestyle=line, linewidth=2, label=name,
              drawstyle="steps-post" if name == "step" else "default")  # fmt: skip
label(axes, x="epoch", y="learning rate (no unit)")
axes.legend()
np.testing.assert_allclose(values, cosine(t, 2e-3, 2 * steps_per_epoch, total), atol=1e-7)
print("our cosine with warm-up is kzoo's at all", len(t), "steps drawn")
figure

# %% [markdown]
# **Figure 3.** The learning rate over a run of 20 epochs, as four recipes of kzoo give it. A fifth, `plateau`, cannot
# be drawn in advance: it lowers the rate when the validation figure has stopped improving.

# %% [markdown]
# ## Does it matter? Ask the runs
#
# From here on each experiment is a recipe with a few keys changed. `trial` trains it just as `kzoo train` does, but
# leaves no run folder. Our patient is an MLP with six hidden layers, trained by Adam at a rate that is too high for
# it.


# %%
def trial(recipe):
    """Trains a recipe; returns its history, a list of one number an epoch by name."""
    parts = load_for(recipe)
    size, seed = recipe.batch_size, recipe.seed
    batches = Batches(parts.x_train, parts.y_train, size, seed, recipe.data.augment)
    model = build(recipe, parts, batches.num_batches)
    fitted = model.fit(
        batches,
        validation_data=(parts.x_val, parts.y_val),
        validation_batch_size=512,
        epochs=recipe.epochs,
        shuffle=False,  # the batches bring their own order
        callbacks=[FollowEpoch(batches)],
        verbose=0,
    )
    return fitted.history


plain = kzoo.recipe_for("mlp", "digits").override(
    model={"hidden_dims": [64] * 6, "dropout": 0.0, "batch_norm": False},
    data={"shift": 0.0, "rotate": 0.0, "scale": 0.0},
    optimizer={"name": "adam", "learning_rate": 0.03},
    schedule={"name": "constant", "warmup_epochs": 0.0},
    epochs=4 if FAST else 15,
)
figure = new_figure(8, 3.6)
axes = figure.subplots()
for name, line, mark in (("constant", LINES[0], "o"), ("cosine + warm-up", LINES[1], "s")):
    spec = {**schedules[name], "warmup_epochs": 1.0 if "warm-up" in name else 0.0}
    history = trial(plain.override(schedule=spec))
    shade, style = line
    epochs = np.arange(1, len(history["loss"]) + 1)
    axes.plot(epochs, history["loss"], color=shade, ls=style, marker=mark, label=name)
    print(f"{name:>16}: training loss {history['loss'][-1]:.3f} nats, "
          f"validation accuracy {100 * history['val_accuracy'][-1]:.1f} % after the last epoch")  # fmt: skip
axes.set_yscale("log")
axes.set_xticks(epochs)
label(axes, x="epoch", y="training loss (nats, log axis)")
axes.legend()
figure

# %% [markdown]
# **Figure 4.** One network, one seed, one highest rate: at a constant rate the loss stops falling and jumps about,
# because every step is too long to settle. With warm-up and a cosine the same rate becomes useful: it is high while
# there is ground to cover, and small at the end.

# %% [markdown]
# ## Clipping saves an exploding run
#
# Now plain SGD at a rate of 1, which is far too high for six layers. One step into a steep place gives a huge
# gradient; the next step throws the weights far away, where the gradient is larger still. **Clipping** by the global
# norm keeps the direction and limits the length:
#
# $$ g \leftarrow g \cdot \min\!\left(1, \frac{c}{\lVert g \rVert}\right). $$


# %%
def clip(gradients, limit):
    """All gradients together are scaled so that their common L2 norm is at most `limit`."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1.0, limit / norm) for g in gradients]


# Keras's clipping, seen from outside: at rate 1, SGD subtracts the clipped gradient itself.
model = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(64,) * 6)
loss_fn = model.training_loss()
_, gradients = kzoo.backend.value_and_grad(
    lambda: loss_fn(data.y_train[:32], model(data.x_train[:32])), model.trainable_variables
)
before = model.get_weights()
keras.optimizers.SGD(1.0, global_clipnorm=0.3).apply(gradients, model.trainable_variables)
clipped = clip([numpy(g) for g in gradients], 0.3)
for old, new, ours in zip(before, model.get_weights(), clipped, strict=True):
    np.testing.assert_allclose(old - new, ours, atol=1e-6)
print("our clipped gradients are Keras's")

wild = plain.override(optimizer={"name": "sgd", "learning_rate": 1.0}, batch_size=32)
with tempfile.TemporaryDirectory() as folder:
    try:
        run(wild, out=f"{folder}/run", verbose=0)  # the same call as kzoo train's, which watches the loss
    except Diverged as error:
        print("\nwithout clipping kzoo stops the run and says:")
        print(*str(error).replace(folder, "").splitlines(), sep="\n   ")
    else:
        raise AssertionError("this run was expected to explode")

history = trial(wild.override(clipping={"global_norm": 0.3}))
print(f"\nwith --clipping.global_norm 0.3: loss {history['loss'][0]:.2f} -> {history['loss'][-1]:.2f}, "
      f"validation accuracy {100 * history['val_accuracy'][-1]:.1f} %")  # fmt: skip
assert history["loss"][-1] < 1.0

# %% [markdown]
# Clipping does not make a rate right. It is a guard rail: it turns the rare step that would ruin the run into a
# harmless one. If it acts at every step, the true remedy is a lower rate.

# %% [markdown]
# ## Under- and overfitting: the bias-variance picture
#
# Take a curve that we know, $f(x) = \sin 2 \pi x$, measure it at 15 places with noise of deviation $\sigma$, fit a
# polynomial of degree $m$, and do it again with *new noise*. At each place, the error of such a fit $\hat f$ has three
# parts:
#
# $$ \mathbb{E}\big[(y - \hat f(x))^2\big] =
#    \underbrace{\big(f(x) - \mathbb{E} \hat f(x)\big)^2}_{\text{bias}^2} +
#    \underbrace{\operatorname{Var} \hat f(x)}_{\text{variance}} + \underbrace{\sigma^2}_{\text{noise}}. $$
#
# **Bias**: even the average fit is wrong, the model is too stiff (*underfitting*). **Variance**: each sample gives
# another fit, the model follows the noise (*overfitting*). Since we know $f$, we can measure both. The variance even
# has a formula, averaged over the 15 places: $\sigma^2 (m + 1) / 15$, a share of the noise for each coefficient.

# %%
rng = np.random.default_rng(0)
repeats, noise = (200 if FAST else 2000), 0.3
place = np.linspace(0, 1, 15)
fine = np.linspace(0, 1, 200)
truth = np.sin(2 * np.pi * place)
degrees = np.arange(13)
bias, variance, error, fits = [], [], [], {}
for degree in degrees:
    samples = truth + rng.normal(0, noise, (repeats, 15))
    polynomials = [np.polynomial.Polynomial.fit(place, sample, degree) for sample in samples]
    curves = np.array([polynomial(place) for polynomial in polynomials])  # (repeats, place)
    bias.append(np.mean((truth - curves.mean(axis=0)) ** 2))
    variance.append(np.mean(curves.var(axis=0)))
    error.append(np.mean((truth - curves) ** 2))
    fits[degree] = np.array([polynomial(fine) for polynomial in polynomials[:15]])
np.testing.assert_allclose(error, np.add(bias, variance), rtol=1e-9)
np.testing.assert_allclose(variance, noise**2 * (degrees + 1) / 15, rtol=0.25)

figure = new_figure(11, 3.8)
first, second, third, right = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.5])
for axes, degree, word in ((first, 1, "too stiff"), (second, 3, "about right"), (third, 12, "too free")):
    axes.plot(fine, fits[degree].T, color=BLUE, alpha=0.35, linewidth=1)
    axes.plot(fine, np.sin(2 * np.pi * fine), "--", color=BLACK, linewidth=2)
    axes.set_ylim(-2.2, 2.2)
    label(axes, x="$x$ (no unit)", title=f"degree {degree}: {word}")
label(first, y="15 fits (blue), the truth (dashed)")
right.plot(degrees, bias, "o--", color=ORANGE, label="bias²")
right.plot(degrees, variance, "s-.", color=BLUE, label="variance")
right.plot(degrees, error, "D-", color=BLACK, label="their sum")
right.set_ylim(0, 0.3)
label(right, x="degree of the polynomial", y="mean over the places (no unit)", title="measured")
right.legend(loc="upper right")
print("best degree:", degrees[np.argmin(error)])
figure

# %% [markdown]
# **Figure 5.** Left: fifteen fits, each to other noise, of three polynomials. Straight lines agree with each other
# and are all wrong (bias); degree 12 is right on average and every single fit wriggles after its own noise
# (variance). Right: over many samples, bias falls in steps and variance grows in a straight line, and their sum is
# lowest in between. (The bias of degree 0, 0.47, lies above the frame.)

# %% [markdown]
# ## The same with a network: few images
#
# Now digits. A large `--data.validation_fraction` leaves few images for training, so we can watch the gap between
# training and validation open. The network is the same throughout.

# %%
learner = kzoo.recipe_for("mlp", "digits").override(
    model={"hidden_dims": [64], "dropout": 0.0, "batch_norm": False},
    data={"shift": 0.0, "rotate": 0.0, "scale": 0.0},
    optimizer={"learning_rate": 5e-3},
    schedule={"name": "constant", "warmup_epochs": 0.0},
)
counts, gaps = [], {"training": [], "validation": []}
for fraction in (0.96, 0.2) if FAST else (0.98, 0.96, 0.92, 0.8, 0.6, 0.2):
    n = round(len(data.x_train) / 0.9 * (1 - fraction))
    # The same number of steps for each, whatever the number of images.
    epochs = max(3, round((60 if FAST else 800) / np.ceil(n / 32)))
    recipe = learner.override(data={"validation_fraction": fraction}, epochs=min(epochs, 100))
    history = trial(recipe)
    counts.append(n)
    gaps["training"].append(100 * (1 - history["accuracy"][-1]))
    gaps["validation"].append(100 * (1 - history["val_accuracy"][-1]))

figure = new_figure(7, 3.8)
axes = figure.subplots()
axes.plot(counts, gaps["training"], "o-", color=BLUE, label="training images")
axes.plot(counts, gaps["validation"], "s--", color=VERMILLION, label="validation images")
axes.set_xscale("log")
axes.set_xticks(counts, [str(n) for n in counts])
axes.minorticks_off()
label(axes, x="images to train on (log axis)", y="errors (% of the images)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 6.** A **learning curve**: errors after training, by the number of training images. With few images the
# network knows each of them by heart and errs on new ones: a wide gap is variance. More data closes the gap from
# above. If both curves were high and close together, that would be bias, and more data would not help: a larger model
# would.

# %% [markdown]
# ## Remedies against overfitting
#
# When more images cannot be had, make memorising harder. Each remedy is a key of the recipe:
#
# | remedy | what it does | flag |
# | --- | --- | --- |
# | L2 penalty | adds $\lambda \sum w^2$ to the loss: large weights must earn their keep | `--regularisation.l2` |
# | weight decay | shrinks weights in the step itself, not by way of the gradient | `--regularisation.weight_decay` |
# | dropout | silences random units, so that none can rely on another | `--model.dropout` |
# | label smoothing | asks for 91 %, not 100 %: certainty is no longer rewarded | `--regularisation.label_smoothing` |
# | augmentation | moves the images a little: new ones for free | `--data.shift`, `rotate`, `scale` |
# | early stopping | stops when the validation figure no longer improves | `--early_stopping.patience` |
#
# We give each the same 115 images.

# %%
few = learner.override(data={"validation_fraction": 0.92}, epochs=20 if FAST else 150)
remedies = {
    "none": {},
    "L2 0.003": {"regularisation": {"l2": 0.003}},
    "dropout 0.5": {"model": {"dropout": 0.5}},
    "label smoothing 0.1": {"regularisation": {"label_smoothing": 0.1}},
    "augmentation": {"data": {"shift": 0.7, "rotate": 10.0, "scale": 0.1}},
}
seeds = (0, 1, 2)
if FAST:
    seeds, remedies = (0,), {name: remedies[name] for name in ("none", "augmentation")}
found = {}
for name, change in remedies.items():
    found[name] = [trial(few.override(**change, seed=seed)) for seed in seeds]
    ends = [[100 * history[key][-1] for history in found[name]] for key in ("accuracy", "val_accuracy")]
    print(f"{name:>20}: training {np.mean(ends[0]):5.1f} %, validation {np.mean(ends[1]):4.1f} % "
          f"(seeds: {min(ends[1]):.1f} to {max(ends[1]):.1f} %)")  # fmt: skip

plots.learning_curves(found["none"][0], title="115 images, no remedy")

# %% [markdown]
# **Figure 7.** Training without a remedy. The network soon knows all 115 images by heart: the training loss falls
# without end, while the validation loss turns and slowly rises. The network does not get more answers wrong, but it
# grows more certain of the wrong ones.
#
# Read the numbers above the figure honestly: after the full number of epochs the penalties move the validation
# accuracy by less than another seed does. For so small a network and so clean a task they are no cure. Augmentation
# is one, and the reason is worth keeping: it alone adds *knowledge*, that a digit moved a little is the same digit.
# Its price is time. It needs many more epochs, and after the first 20 it is still behind.

# %%
stopping = few.override(
    early_stopping={"patience": 3, "min_delta": 0.002}, monitor="val_loss", epochs=8 if FAST else 150
)
with tempfile.TemporaryDirectory() as folder:
    metrics = run(stopping, out=f"{folder}/run", verbose=0).metrics
print(f"early stopping: {metrics['epochs']} epochs of at most {stopping.epochs}; the best, epoch "
      f"{metrics['best_epoch']}, has validation accuracy {100 * metrics['val_accuracy']:.1f} %")  # fmt: skip
print("in a terminal: kzoo train mlp --data digits --data.validation_fraction 0.92 --monitor val_loss "
      "--early_stopping.patience 3 --early_stopping.min_delta 0.002")  # fmt: skip

# %% [markdown]
# ## Batch size and noise
#
# A mini-batch's gradient is an estimate of the whole set's. Its noise falls as $1 / \sqrt{B}$: four times the work for
# half the noise. We measure it at one setting of the weights, over many random batches.

# %%
model = kzoo.create_model("mlp", input_shape=(8, 8, 1), hidden_dims=(32,))
w1, b1, w2, b2 = (part.astype("float64") for part in model.get_weights())
flat = data.x_train.reshape(len(data.x_train), -1)
hidden = relu(flat @ w1 + b1)
z = hidden @ w2 + b2
p = np.exp(z - z.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
p[np.arange(len(p)), data.y_train] -= 1
each = hidden[:, :, None] * p[:, None, :]  # (n, 32, 10): the last kernel's gradient, image by image

kernel = model.trainable_variables[2]
loss_fn = model.training_loss()
_, (theirs,) = kzoo.backend.value_and_grad(lambda: loss_fn(data.y_train, model(data.x_train)), [kernel])
np.testing.assert_allclose(each.mean(axis=0), numpy(theirs), atol=1e-6)

sizes_tried = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
draws = 100 if FAST else 300
noise_seen = []
for size in sizes_tried:
    batches = [each[rng.integers(0, len(each), size)].mean(axis=0) for _ in range(draws)]
    noise_seen.append(np.sqrt(np.mean([np.sum((g - each.mean(axis=0)) ** 2) for g in batches])))
slope = np.polyfit(np.log(sizes_tried), np.log(noise_seen), 1)[0]

figure = new_figure(7, 3.6)
axes = figure.subplots()
axes.loglog(sizes_tried, noise_seen, "o", color=BLUE, markersize=8, label="measured noise")
axes.loglog(sizes_tried, noise_seen[0] / np.sqrt(sizes_tried), "--", color=BLACK, label=r"$1/\sqrt{B}$")
axes.axhline(np.linalg.norm(each.mean(axis=0)), color=GREY, ls=":", label="length of the true gradient")
label(axes, x="batch size $B$ (images, log axis)", y="noise of the gradient (log axis)")
axes.legend()
print(f"slope {slope:.3f} (theory: -0.5)")
figure

# %% [markdown]
# **Figure 8.** The noise of a mini-batch gradient: its root-mean-square distance from the gradient of all images. The
# dots follow the dashed law. Where they cross the dotted line, the noise is as long as the gradient itself: smaller
# batches wander, larger ones spend work on a direction that is already known. That is one reason why sizes like 32 to
# 128 are so common.

# %% [markdown]
# ## What breaks it
#
# You have seen each of these fail above, and this is how to tell them apart in a run of your own:
#
# | you see | likely cause | try |
# | --- | --- | --- |
# | loss stays at $\log k$ from the start | signal or gradient dead, labels wrong, rate tiny | figures 1 and 2 |
# | loss becomes `nan` | rate too high | a tenth of it, warm-up, clipping |
# | loss jumps about, never settles | rate too high at the end | a schedule that falls |
# | training *and* validation poor | underfitting | larger model, longer, less regularisation |
# | training fine, validation poor | overfitting | more data, augmentation, dropout, decay, stop early |
# | validation better than training | dropout and augmentation act in training alone | nothing: it is fine |

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** For which gain $g$ in $\operatorname{Var}(w) = g / d$ does *tanh* keep its activations at the size
# of 0.5 or more through 30 layers? Try 1 to 3, and say why it cannot explode as relu does.
#
# <details>
# <summary>Solution</summary>
#
# From a gain between 1.6 and 2 on. Tanh flattens large inputs, so its outputs never exceed 1, whatever the gain: too
# large a gain shows up not as an explosion but as saturation, where the slope is near 0 and the gradient dies.
#
# ```python
# last = {g: sizes_through_depth(g, np.tanh)[-1] for g in (1.0, 1.3, 1.6, 2.0, 3.0)}
# print({g: float(round(size, 2)) for g, size in last.items()})
# assert last[1.0] < 0.2 < 0.5 < last[2.0] < last[3.0] < 1
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Write the `step` schedule of figure 3 in one line of NumPy, and check it against kzoo's.
#
# <details>
# <summary>Solution</summary>
#
# The rate is multiplied by the factor once for every full seven epochs that have passed.
#
# ```python
# ours = 2e-3 * 0.3 ** (t // (7 * steps_per_epoch))
# theirs = learning_rate(base.override(schedule=schedules["step"]), steps_per_epoch)
# np.testing.assert_allclose(ours, [float(theirs(step)) for step in t], rtol=1e-5)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Show that the L2 penalty and weight decay are the same thing for plain SGD: which $\lambda$ gives
# the step $w \leftarrow (1 - \eta d)\, w - \eta g$? Why are they different for Adam?
#
# <details>
# <summary>Solution</summary>
#
# The penalty $\lambda w^2$ adds $2 \lambda w$ to the gradient, so $\lambda = d / 2$. Adam divides the gradient by its
# running size: a penalty inside the gradient is divided too, so weights with large gradients are hardly decayed.
# Decay in the step itself treats all alike (that is the W in AdamW).
#
# ```python
# w, g, eta, d = np.array([2.0, -1.0]), np.array([0.3, 0.001]), 0.1, 0.01
# np.testing.assert_allclose(w - eta * (g + 2 * (d / 2) * w), (1 - eta * d) * w - eta * g)
#
# def adam_first_step(gradient):  # with bias correction, the first step of Adam is the sign
#     return -eta * gradient / np.abs(gradient)
#
# penalty = adam_first_step(g + d * w) - adam_first_step(g)
# print("what the penalty adds to Adam's first step:", penalty, "  decay:", -eta * d * w)
# assert not np.allclose(penalty, -eta * d * w)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** With label smoothing of 0.1 and ten classes, which probability for the right class has the lowest
# loss? Find it by formula and by search.
#
# <details>
# <summary>Solution</summary>
#
# Cross-entropy is lowest where the prediction equals the target: $0.9 + 0.1 / 10 = 0.91$ for the right class and
# $0.01$ for each other one. A network trained so never becomes certain, and its logits stay finite.
#
# ```python
# p = np.linspace(0.5, 0.999, 500)
# other = (1 - p) / 9
# smoothed = -(0.91 * np.log(p) + 9 * 0.01 * np.log(other))
# print("lowest at", round(p[np.argmin(smoothed)], 3))
# assert abs(p[np.argmin(smoothed)] - 0.91) < 2e-3
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - Signals and gradients are products with one factor per layer: He for relu, Glorot for tanh, normalisation for the
#   rest.
# - A rate that rises briefly and then falls can be higher than a constant one; clipping is the guard rail.
# - Compare training with validation first: the gap says which of the two opposite remedies you need.
# - Data that teach something new, augmented ones too, did more here than any penalty. Measure before you believe.
#
# Next: **7 · Convolutional networks**, which know from the start that a digit moved is the same digit.
