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
# # 14 · Diffusion
#
# **How can a network that only removes noise make images out of nothing but noise?**
#
# After this chapter you can
#
# - drown an image in noise in one step, and say how much of it is left at any time;
# - convert what a network may predict (the noise, the image, v) into one another, and say where each is fragile;
# - write the sampler of DDPM and DDIM in ten lines that give kzoo's images;
# - say why a *perfect* denoiser would be useless;
# - lead a network to a class, and walk a straight path instead of a curved one.
#
# It needs chapters 4, 7 and 10. On one core about four minutes on PyTorch, five on JAX, where half of it is compilation.

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

from kzoo.ops import denoising, diffusion, random
from kzoo.plots.style import GREY, bare, color, label, marker, new_figure
from kzoo.sampling.diffusion import sample
from kzoo.training.image_quality import image_quality

keras.utils.set_random_seed(0)
numpy = ops.convert_to_numpy
rng = np.random.default_rng(0)
data = kzoo.load_data("digits")  # 8 x 8 pixels from 0 to 1
images, held_out = 2 * data.x_train - 1, 2 * data.x_test - 1  # (b, 8, 8, 1) from -1 to 1, as wide as the noise


def show(rows, titles=None, names=None, side=0.95):
    """Images in [-1, 1] as a figure: rows (r, s, h, w, 1), with a title a column and a name a row."""
    figure = new_figure(side * len(rows[0]) + (1.2 if names else 0), side * len(rows) + 0.5)
    for i, row in enumerate(figure.subplots(len(rows), len(rows[0]), squeeze=False)):
        for j, axes in enumerate(row):
            axes.imshow(np.asarray(rows[i][j])[..., 0], cmap="gray", vmin=-1, vmax=1)
            bare(axes)
            if titles is not None and i == 0:
                axes.set_title(titles[j], fontsize=9)
            if names is not None and j == 0:
                axes.set_ylabel(names[i], rotation=0, ha="right", va="center", fontsize=9)
    return figure


# %% [markdown]
# ## The idea: destroy slowly, and learn to undo a little
#
# To make an image at one stroke is hard. To take a *little* noise out of an image is easy, and any CNN can learn it from
# as many examples as one likes: take an image, add noise, ask for the image. **Diffusion** makes a chain of such easy
# problems (Ho et al. 2020, arXiv:2006.11239). Forwards, an image $x_0$ drowns in $n = 1000$ small steps,
#
# $$ x_t = \sqrt{1 - \beta_t}\; x_{t-1} + \sqrt{\beta_t}\; \epsilon_t, \qquad \epsilon_t \sim \mathcal N(0, 1), $$
#
# until nothing but noise is left. Backwards, a network undoes step after step. It begins with noise that never was an
# image, and ends with an image that never was.
#
# The factors are such that the variance stays 1 where it was 1. Since a sum of Gaussians is Gaussian, all steps up to $t$
# are *one* step (the **closed form**):
#
# $$ x_t = \alpha_t\, x_0 + \sigma_t\, \epsilon, \qquad \alpha_t^2 = \prod_{s \le t} (1 - \beta_s), \qquad
#    \sigma_t^2 = 1 - \alpha_t^2. $$
#
# So no training example costs a walk. We choose $t$, draw $\epsilon$ once, and are there.

# %%
n = 1000
share = np.cos(np.pi / 2 * (np.arange(n + 1) / n + 0.008) / 1.008) ** 2  # the cosine schedule (arXiv:2102.09672)
betas = np.minimum(1 - share[1:] / share[:-1], 0.999)
alpha = np.sqrt(np.cumprod(1 - betas))
sigma = np.sqrt(1 - alpha**2)

signal, variance = 1.0, 0.0
for t, beta in enumerate(betas):  # the chain, step by step: what is left of the image, and the noise's variance
    signal, variance = np.sqrt(1 - beta) * signal, (1 - beta) * variance + beta
    np.testing.assert_allclose((signal, variance), (alpha[t], sigma[t] ** 2), rtol=1e-9)
schedule = diffusion.noise_schedule("cosine", n)
np.testing.assert_allclose((alpha, sigma), (schedule.alpha, schedule.sigma))
print(f"after {n} steps {signal:.5f} of the image is left, and noise of variance {variance:.5f}")

noise = rng.normal(size=(2, 8, 8, 1))
times = np.array([0, 100, 200, 300, 400, 500, 600, 700, 800, 999])
drowned = [[alpha[t] * image + sigma[t] * one for t in times] for image, one in zip(held_out, noise, strict=False)]
show(drowned, titles=[f"t = {t}" for t in times])

# %% [markdown]
# **Figure 1.** Two test digits on their way into the noise, each with one $\epsilon$ all along. Where would you stop
# recognising them? The network is asked at every $t$.

# %% [markdown]
# ## The noise schedule
#
# How fast $\alpha$ falls is a choice. What counts is the **signal-to-noise ratio** $\alpha_t^2 / \sigma_t^2$: two
# schedules with the same range of it differ only in how long they stay where. DDPM's first one let $\beta$ grow in equal
# steps; it spends a third of its time in noise in which nothing can be seen any more. The cosine schedule is spread more
# evenly. *Flow matching*, at the end of this chapter, takes straight lines.

# %%
figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
for k, kind in enumerate(diffusion.NOISE_SCHEDULES):
    one = diffusion.noise_schedule(kind, n)
    left.plot(one.alpha, color=color(k), label=rf"{kind}: $\alpha$")
    left.plot(one.sigma, color=color(k), linestyle=":", label=rf"{kind}: $\sigma$")
    right.semilogy(np.maximum(one.snr, 1e-6), color=color(k), label=kind)
    print(f"{kind:>6}: less than 1 % of signal in {100 * (one.snr < 0.01).mean():.0f} % of the timesteps")
label(left, x="timestep t", y="share (no unit)")
label(right, x="timestep t", y="signal-to-noise ratio (log axis)")
right.axhline(1, color=GREY, linewidth=1)
right.set_ylim(1e-5, 1e5)
for axes in (left, right):
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
figure

# %% [markdown]
# **Figure 2.** Left: how much image (solid) and noise (dotted) there is. Right: their ratio. Above the grey line the
# image is stronger, below it the noise.

# %% [markdown]
# ## What should the network say?
#
# It sees $x_t$ and knows $t$. Since $x_t = \alpha x_0 + \sigma \epsilon$, who knows one of $x_0$ and $\epsilon$ knows the
# other. DDPM asks for $\epsilon$. One may ask for $x_0$; or, in between, for $v = \alpha \epsilon - \sigma x_0$
# (Salimans and Ho 2022, arXiv:2202.00512). On paper this is all the same. For a network that errs it is not: an error
# $e$ of its output becomes in the image an error of
#
# $$ \epsilon:\ \frac{\sigma_t}{\alpha_t}\, e \qquad x_0:\ e \qquad v:\ \sigma_t\, e. $$
#
# With $\epsilon$ an error is blown up without bound as $\alpha \to 0$: to name the noise in pure noise is trivial (it is
# all that you see), and says nothing of an image. With $x_0$ a network must work hard where there is hardly any noise and
# the answer stands before its eyes. $v$ is good at both ends, and is what we take.

# %%
x0, epsilon = rng.normal(size=(2, 8, 8, 1)), rng.normal(size=(2, 8, 8, 1))
amplified = {name: [] for name in ("epsilon", "x0", "v")}
for t in range(0, n, 37):
    x = diffusion.q_sample(x0, epsilon, alpha[t], sigma[t])
    for name, found in amplified.items():
        said = diffusion.target(name, x0, epsilon, alpha[t], sigma[t])
        np.testing.assert_allclose(diffusion.to_x0(name, said, x, alpha[t], sigma[t]), x0, atol=1e-9)
        np.testing.assert_allclose(diffusion.to_noise(name, said, x, alpha[t], sigma[t]), epsilon, atol=1e-9)
        off = diffusion.to_x0(name, said + 1, x, alpha[t], sigma[t]) - x0
        found.append(np.abs(off).mean())
shown = np.arange(0, n, 37)
np.testing.assert_allclose(amplified["epsilon"], (sigma / alpha)[shown])
np.testing.assert_allclose(amplified["v"], sigma[shown])
figure = new_figure(8, 3.4)
axes = figure.subplots()
for k, (name, found) in enumerate(amplified.items()):
    axes.semilogy(shown, found, color=color(k), marker=marker(k), markersize=5, label=f"network says {name}")
label(axes, x="timestep t", y="error in the image for an\nerror of 1 in the output (log)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 3.** What an error of the output does to the image that it means. At the last timestep, where sampling begins,
# $\epsilon$ multiplies it by twenty thousand. kzoo keeps the guessed image within $[-1, 1]$ at each step, which saves
# the worst.

# %% [markdown]
# ## From scratch: a perfect denoiser, without any network
#
# The loss is the mean squared error, so the best answer is the *mean* of all images that might be behind $x_t$. If there
# were no images but the $m$ training images, Bayes gives it in closed form, the training images weighted by how likely
# each of them is to have become $x_t$:
#
# $$ \hat x_0(x_t) = \sum_i w_i\, x^{(i)}, \qquad w = \operatorname{softmax}_i
#    \left( - \frac{\lVert x_t - \alpha_t x^{(i)} \rVert^2}{2 \sigma_t^2} \right). $$
#
# (Attention, with the noisy image as the query: chapter 10.) To walk back, we ask what the image is, take the noise that
# goes with it, and mix the two again as they stand at the next, earlier timestep $u$:
#
# $$ \hat\epsilon = \frac{x_t - \alpha_t \hat x_0}{\sigma_t}, \qquad
#    x_u = \alpha_u \hat x_0 + \sqrt{\sigma_u^2 - d^2}\; \hat\epsilon + d z, \qquad
#    d = \eta\, \sigma_u \sqrt{1 - \left( \frac{\alpha_t \sigma_u}{\alpha_u \sigma_t} \right)^2}. $$
#
# With $\eta = 0$ nothing is random but the start: **DDIM** (Song et al. 2020, arXiv:2010.02502). With $\eta = 1$ as much
# fresh noise $z$ comes in as the forward chain would have put there: **DDPM**. One function does both.


# %%
def walk(see, x, times, eta=0.0, draws=None):
    """From noise x (b, ...) at falling timesteps to images; `see(x, t)` says what the image is. The whole path."""
    path = [x]
    for i, (t, u) in enumerate(zip(times, [*times[1:], None], strict=True)):
        a, s = (1.0, 0.0) if u is None else (alpha[u], sigma[u])
        x0 = np.clip(see(x, t), -1, 1)
        fresh = eta * s * np.sqrt(1 - (alpha[t] * s / (a * sigma[t])) ** 2)
        x = a * x0 + np.sqrt(s**2 - fresh**2) * (x - alpha[t] * x0) / sigma[t]
        x = x if draws is None else x + fresh * draws[i]
        path.append(x)
    return np.array(path)


def ideal(x, t):
    """The mean of the training images that x (b, 8, 8, 1) may have been."""
    flat, known = x.reshape(len(x), -1), images.reshape(len(images), -1)
    scores = -((flat[:, None] - alpha[t] * known) ** 2).sum(axis=-1) / (2 * sigma[t] ** 2)  # (b, m)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True) @ known).reshape(x.shape)


def nearest(x):
    """The training image nearest to each of x, and the root mean square of the difference."""
    distances = ((x[:, None] - images) ** 2).mean(axis=(2, 3, 4))
    return images[distances.argmin(axis=1)], np.sqrt(distances.min(axis=1))


twenty = denoising.timesteps(n, 20)  # 999, 949, ..., 49
start = rng.normal(size=(10, 8, 8, 1))
made = walk(ideal, start, twenty)[-1]
likeness, distance = nearest(made)
print(f"10 images out of noise; the farthest from its nearest training image by {distance.max():.4f} a pixel")
show([made, likeness], names=["made", "nearest in\nthe training set"])

# %% [markdown]
# **Figure 4.** Ten images out of noise, without a network, in 20 steps; beneath, the nearest training image. The images
# are flawless, and every one of them is a *copy*. A perfect minimum of the loss on the training set memorises it: so the
# whole point of a diffusion model is how it **fails** to be perfect. A network that is too small, and too local, to file
# 1,400 images has to settle for what digits have in common, and that is where new images come from.

# %% [markdown]
# ## The network, its loss, its training
#
# kzoo's is a small **U-Net**: residual blocks (chapter 7's convolutions with a skip connection), one level at 8 x 8
# pixels and one at 4 x 4, attention there, and a wire from each level on the way down to the same level on the way up, so
# that details get through. The timestep enters as waves of many lengths, the class as one more vector. The loss is
#
# $$ L = \mathbb E_{x_0, t, \epsilon}\; \omega_t\, \lVert v_\theta(x_t, t, \text{class}) - v \rVert^2, $$
#
# with weights $\omega_t$ that keep the many easy timesteps from outvoting the others (Min-SNR, arXiv:2303.09556). In one
# of ten examples the class is hidden: we shall need that. What makes images is not the network itself but a moving
# average of its weights, which jitters less.

# %%
EPOCHS = 2 if FAST else 20


def trained(**options):
    """A small diffusion model of the digits."""
    model = kzoo.create_model(
        "diffusion", seed=0, input_shape=(8, 8, 1), num_classes=10, filters=(16, 32), momentum=0.995, **options
    )
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * (len(data.x_train) // 50))
    model.compile(keras.optimizers.Adam(rate))
    history = model.fit(data.x_train, data.y_train, batch_size=50, epochs=EPOCHS, verbose=0).history
    print(f"{model.network.count_params():,} weights; loss {history['loss'][0]:.3f} -> {history['loss'][-1]:.3f}")
    return model


model = trained(prediction="v", min_snr=5.0)
B = 100  # images go through the network a hundred at a time, so that one size is compiled
asked = kzoo.backend.compiled(model.says, model.average.variables)
labels = np.arange(B, dtype="int32") % 10
nobody = np.full(B, 10, "int32")  # the label that stands for no class


def see(x, t, labels=labels):
    """The image that the network sees in x (100, 8, 8, 1)."""
    v = numpy(asked(x.astype("float32"), np.full(B, t, "int32"), labels))
    return alpha[t] * x - sigma[t] * v


# %% [markdown]
# Does it fail in the right way? We drown **test** images, which neither it nor `ideal` has seen, and ask both.

# %%
some, known = held_out[:B], np.asarray(data.y_test[:B], "int32")
errors = {"ideal for the training set": [], "network": [], "network, told the class": []}
shown = np.array([20, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999])
epsilon = rng.normal(size=some.shape)
for t in shown:
    x = alpha[t] * some + sigma[t] * epsilon
    for name, guess in zip(errors, (ideal(x, t), see(x, t, nobody), see(x, t, known)), strict=True):
        errors[name].append(np.sqrt(np.mean((np.clip(guess, -1, 1) - some) ** 2)))
figure = new_figure(8, 3.6)
axes = figure.subplots()
for k, (name, found) in enumerate(errors.items()):
    axes.plot(shown, found, color=color(k), marker=marker(k), linestyle=("--", "-", ":")[k], label=name)
label(axes, x="timestep t", y="error of the guessed image\n(root mean square, no unit)")
axes.grid(alpha=0.25)
axes.legend()
for name, found in errors.items():
    print(f"{name:>26}: {found[2]:.3f} at t = 200, {found[-1]:.3f} at t = 999")
figure

# %% [markdown]
# **Figure 5.** Errors on images that neither has seen. In little noise the network is far nearer than the memory of the
# training set, which can offer nothing but old images. In much noise the right answer is a mean of all that is possible,
# and there the memory is hard to beat: the network does so only where it is told the class. At the very end the mean is
# all that can be said.

# %% [markdown]
# ## DDPM by hand, and kzoo's
#
# The same `walk`, now with the network. With the same noise, first and in between, it gives the images of
# `kzoo.sampling.diffusion.sample`.

# %%
steps, seed = 50, 1
first = model.noise(B, seed)
keys = [ops.convert_to_tensor([seed, i + 1], "int32") for i in range(steps)]  # threefry: the same on every backend
draws = [numpy(random.normal(first.shape, key, dtype="float32")) for key in keys]
path = walk(see, first, denoising.timesteps(n, steps), eta=1.0, draws=draws)
zoo = sample(model, B, labels, seed=seed, sampler="ddpm", steps=steps, batch_size=B)
np.testing.assert_allclose(np.clip((path[-1] + 1) / 2, 0, 1), zoo, atol=5e-3)
print(f"by hand and by kzoo: {np.abs(np.clip((path[-1] + 1) / 2, 0, 1) - zoo).max():.1e} apart at most")
moments = [0, 10, 20, 30, 40, 45, 48, 50]
rows = [[path[k][i] for k in moments] for i in (3, 5, 8)]
show(rows, titles=[f"after {k}" for k in moments], names=["3", "5", "8"])

# %% [markdown]
# **Figure 6.** Three digits by DDPM, after so many of 50 steps. First the large, then the small: what the network can
# tell early is what is strong in all images of the class.

# %% [markdown]
# ## Fewer steps
#
# DDPM was made for a thousand steps. DDIM is a *deterministic path* from noise to image, so one may take large steps
# along it, and one noise always gives one image. How good are 300 images of each? `image_quality` asks the classifier
# `cnn_digits` (chapter 7) what it sees: the distance of its features to those of real digits (nFCD, smaller is better),
# and in how many it reads the class that was asked for.

# %%
counts = (3, 10) if FAST else (2, 3, 5, 10, 20, 50)
PARTS = 1 if FAST else 3
told = np.tile(labels, PARTS)


def make(steps, eta=0.0, see=see, spacing="trailing"):
    """Images (100 times PARTS, 8, 8, 1) in [0, 1]."""
    times, made = denoising.timesteps(n, steps, spacing), []
    for part in range(PARTS):
        fresh = np.random.default_rng(part).normal(size=(steps, B, 8, 8, 1))
        made.append(walk(see, model.noise(B, 10 + part), times, eta, fresh if eta else None)[-1])
    return np.clip((np.concatenate(made) + 1) / 2, 0, 1).astype("float32")


def quality(made):
    return image_quality(made, data.x_train, told, classifier="cnn_digits", count=len(told))


table = {"DDIM": {}, "DDPM": {}}
for steps in counts:
    for name, eta in (("DDIM", 0.0), ("DDPM", 1.0)):
        table[name][steps] = quality(make(steps, eta))
        found = table[name][steps]
        print(f"{name}, {steps:2d} steps: nFCD {found.nfcd:.3f}, {100 * found.recognised:.0f} % read as asked for")

# %% [markdown]
# ## Guidance: more of the class than there is
#
# The network has learned to answer with and without a class (one example in ten had none). The difference of the two
# answers points to the class. **Guidance** goes further in that direction (Ho and Salimans 2022, arXiv:2207.12598):
#
# $$ y = y_\text{none} + w\,(y_\text{class} - y_\text{none}). $$
#
# $w = 0$ ignores the class, $w = 1$ is the network as it is, beyond that it exaggerates. It costs a second answer.


# %%
def led(w):
    """`see` with a guidance of w."""

    def seen(x, t):
        return see(x, t, nobody) + w * (see(x, t) - see(x, t, nobody))

    return seen


scales, rows, ten = (0, 1, 2, 4, 8), [], denoising.timesteps(n, 10)
for w in scales:
    made = np.clip(walk(led(w), model.noise(B, 3), ten)[-1], -1, 1)
    rows.append(made[:10])
    read = image_quality((made + 1) / 2, data.x_train, labels, classifier="cnn_digits", count=B).recognised
    spread = np.mean([made[labels == k].std(axis=0).mean() for k in range(10)])
    print(f"w = {w}: {100 * read:3.0f} % read as asked for; spread of a pixel within a class {spread:.2f}")
show(rows, titles=[str(k) for k in range(10)], names=[f"w = {w}" for w in scales])

# %% [markdown]
# **Figure 7.** One noise a column, the class above it, more and more guidance from top to bottom. Without it ($w = 0$) the
# class is left to chance. With more the digits get plainer, and more alike: the spread within a class falls. Far beyond,
# strokes break up, because no image looks like that. That is the trade, here as in large models: fidelity for variety.

# %% [markdown]
# ## Flow matching: the same network on a straight path
#
# Why should the path be curved at all? Take $x_\sigma = (1 - \sigma)\, x_0 + \sigma\, \epsilon$, a straight line from image
# to noise, and let the network say its direction, $y = \epsilon - x_0$ (Lipman et al. 2022, arXiv:2210.02747). Then making
# an image is to solve $\mathrm dx / \mathrm d\sigma = y$ from $\sigma = 1$ to $0$, and the simplest solver, Euler's, is
# three lines. In our terms nothing is new: another schedule, another prediction. And DDIM on it *is* Euler's method.

# %%
flow = trained(prediction="flow", noise_schedule="flow")
direction = kzoo.backend.compiled(flow.says, flow.average.variables)


def euler(x, steps):
    """From noise (100, 8, 8, 1) to images, along straight pieces."""
    for t in denoising.timesteps(n, steps):
        y = numpy(direction(x.astype("float32"), np.full(B, t, "int32"), labels))
        x = x - y / steps  # sigma falls by 1 / steps each time
    return x


by_hand = np.clip((euler(flow.noise(B, 1), 10) + 1) / 2, 0, 1)
zoo = sample(flow, B, labels, seed=1, sampler="ddim", steps=10, clip=False, batch_size=B)
np.testing.assert_allclose(by_hand, zoo, atol=5e-3)
print(f"Euler's method and kzoo's DDIM: {np.abs(by_hand - zoo).max():.1e} apart at most")

table["flow, Euler"] = {}
for steps in counts:
    made = np.concatenate([euler(flow.noise(B, 10 + part), steps) for part in range(PARTS)])
    table["flow, Euler"][steps] = quality(np.clip((made + 1) / 2, 0, 1).astype("float32"))
real = image_quality(data.x_train[: len(told)], data.x_train, classifier="cnn_digits", count=len(told)).nfcd
figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
for k, (name, found) in enumerate(table.items()):
    look = {"color": color(k), "marker": marker(k), "linestyle": ("-", "--", ":")[k], "label": name}
    left.semilogx(counts, [found[s].nfcd for s in counts], **look)
    right.semilogx(counts, [100 * found[s].recognised for s in counts], **look)
left.axhline(real, color=GREY, linewidth=1, label=f"{len(told)} real digits")
left.set_ylim(0)
label(left, x="steps (log axis)", y="nFCD (no unit, less is better)")
label(right, x="steps (log axis)", y="read as asked for (%)")
for axes in (left, right):
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
left.legend(fontsize=9)
figure

# %% [markdown]
# **Figure 8.** The same networks, asked more or less often, after twenty epochs. Five steps are enough. More of them do
# not help the two that go without noise: what a small network gets wrong adds up along the path, and nothing takes it
# back. DDPM's fresh noise does, and its images go on getting better. Grey: as many real digits.

# %% [markdown]
# ## The shipped model: 28 x 28 pixels
#
# `diffusion_mnist` is the same model with more weights, trained for an hour instead of a minute. Its U-Net works on
# squares of 2 x 2 pixels. Below, all ten digits from one noise, and what it sees on the way.

# %%
preset = kzoo.from_preset("diffusion_mnist")
print(f"{preset.network.count_params():,} weights, prediction {preset.prediction}, schedule {preset.noise_schedule}")
answers = kzoo.backend.compiled(preset.says, preset.average.variables)
ten_labels, guesses = np.arange(10, dtype="int32"), []


def see_mnist(x, t):
    """The image that the preset sees in x (10, 28, 28, 1), with a guidance of 2."""
    time = np.full(10, t, "int32")
    one, none = (numpy(answers(x.astype("float32"), time, k)) for k in (ten_labels, np.full(10, 10, "int32")))
    guesses.append(np.clip(alpha[t] * x - sigma[t] * (none + 2 * (one - none)), -1, 1))
    return guesses[-1]


times = denoising.timesteps(n, 8 if FAST else 25)
path = walk(see_mnist, np.repeat(preset.noise(1, 0), 10, axis=0), times)
moments = np.unique(np.linspace(0, len(times) - 1, 5).astype(int))
show([*(guesses[k] for k in moments), path[-1]], names=[*(f"seen at t = {times[k]}" for k in moments), "image"])

# %% [markdown]
# **Figure 9.** One noise, ten classes. At first the network sees the mean of what it was told; then it commits itself.
# Slant and width are much the same in all ten: they come from the noise, which is shared. The demo
# (`kzoo demo diffusion`) has a slider for this.

# %% [markdown]
# ## What breaks it
#
# A sampler and a training have to agree on what $x_t$ is. Two popular ways not to:
#
# - **Not starting at the end.** "Leading" steps, $t = 0, r, 2r, \dots$, never visit $t = n - 1$. The network is given pure
#   noise and told that some image is in it already, so it goes on as if there were (Lin et al. 2023, arXiv:2305.08891).
# - **Noise of the wrong size.** It was trained with a variance of 1. Less looks to it like an image of low contrast.

# %%
five, rows, names = denoising.timesteps(n, 5), [], []
begun = model.noise(B, 3)
for name, x, times in (
    ("as trained", begun, five),
    ("leading", begun, denoising.timesteps(n, 5, "leading")),
    ("noise x 0.7", 0.7 * begun, five),
    ("noise x 1.3", 1.3 * begun, five),
):
    made = np.clip(walk(see, x, times)[-1], -1, 1)
    found = image_quality((made + 1) / 2, data.x_train, labels, classifier="cnn_digits", count=B)
    print(f"{name:>12}, from t = {times[0]}: nFCD {found.nfcd:.3f}, mean brightness {(made.mean() + 1) / 2:.2f}")
    rows.append(made[:10])
    names.append(name)
print(f"{'real digits':>12}: mean brightness {data.x_train.mean():.2f}")
show(rows, titles=[str(k) for k in range(10)], names=names)

# %% [markdown]
# **Figure 10.** Five steps of DDIM. First as it should be; then leading steps, which cost most; then too little noise at
# the start, which does little harm here, and too much, which does.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Show that $v$ and $x_t$ give the image by $x_0 = \alpha x_t - \sigma v$ and the noise by
# $\epsilon = \sigma x_t + \alpha v$. What do the two equations say, if $\alpha$ and $\sigma$ are cosine and sine?
#
# <details>
# <summary>Solution</summary>
#
# $(x_t, v)$ is $(x_0, \epsilon)$ turned by the angle with $\cos = \alpha$, $\sin = \sigma$; the equations turn it back. So
# no direction is preferred, and no error grows.
#
# ```python
# a, s = np.cos(0.7), np.sin(0.7)
# turn = np.array([[a, s], [-s, a]])  # (x_t, v) of (x_0, epsilon)
# np.testing.assert_allclose(turn.T @ turn, np.eye(2), atol=1e-12)
# x0, epsilon = rng.normal(size=(2, 5))
# x, v = turn @ np.stack([x0, epsilon])
# np.testing.assert_allclose(a * x - s * v, x0)
# np.testing.assert_allclose(s * x + a * v, epsilon)
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** DDIM can be walked the other way: from an image to *its* noise. Take test digits to $t = 999$ in 50
# steps and back again. How near do they come? Why not exactly?
#
# <details>
# <summary>Solution</summary>
#
# Forwards we ask at $t$ and go to $u > t$ with the same formula. Backwards the network is asked at $u$, about another
# $x$: the error is that of any solver of a differential equation, and shrinks with the steps.
#
# ```python
# def there_and_back(steps):
#     times = denoising.timesteps(n, steps)
#     x = some.copy()
#     x = alpha[times[-1]] * x  # next to no noise
#     for t, u in zip(times[::-1], times[::-1][1:]):
#         x0 = see(x, t, known)
#         x = alpha[u] * x0 + sigma[u] * (x - alpha[t] * x0) / sigma[t]
#     back = walk(lambda x, t: see(x, t, known), x, times)[-1]
#     return np.sqrt(((back - some) ** 2).mean()), x
#
# near, code = there_and_back(10 if FAST else 50)
# print(f"there and back: {near:.3f} a pixel; the noise has a deviation of {code.std():.2f}")
# assert near < np.sqrt(((some[::-1] - some) ** 2).mean()), "nearer than another digit is"
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Drown threes only to $t = 500$, tell the network that they are eights, and walk back from there. What
# stays of the three? And from $t = 900$?
#
# <details>
# <summary>Solution</summary>
#
# What is not drowned stays: slant, thickness, place. From $t = 900$ nearly nothing does. (For photographs this is known
# as SDEdit, arXiv:2108.01073.)
#
# ```python
# threes = np.resize(images[data.y_train == 3], (B, 8, 8, 1))
# fresh, eight = rng.normal(size=threes.shape), np.full(B, 8, "int32")
# rows, away = [threes[:10]], []
# for begin in (300, 500, 700, 900):
#     times = np.arange(begin, 0, -50)
#     x = alpha[begin] * threes + sigma[begin] * fresh
#     rows.append(np.clip(walk(lambda x, t: see(x, t, eight), x, times)[-1], -1, 1)[:10])
#     away.append(np.sqrt(((rows[-1] - rows[0]) ** 2).mean()))
#     print(f"from t = {begin}: {away[-1]:.2f} away from the three")
# assert away[0] < away[-1], "the later, the less of the three is left"
# show(rows, names=["threes", "300", "500", "700", "900"])
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** How near are the network's images to training images, and how near are *test* images to training images?
# Has it memorised?
#
# <details>
# <summary>Solution</summary>
#
# ```python
# made = 2 * make(10)[:B] - 1
# _, of_made = nearest(made)
# _, of_real = nearest(some)
# print(f"nearest training image: {np.median(of_made):.3f} for made ones, {np.median(of_real):.3f} for test images")
# assert np.median(of_made) > 0.3 * np.median(of_real), "no copies"
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - An image drowns in noise in closed form, $x_t = \alpha_t x_0 + \sigma_t \epsilon$: a training example costs one step.
# - Noise, image and $v$ say the same, and err differently. $v$ is good at both ends.
# - The perfect denoiser of a training set copies it. New images come from how a network generalises.
# - DDPM and DDIM are one sum with more or less fresh noise. A few steps will do; what is gained by many, noise gains.
# - Guidance exaggerates the class and costs variety. Flow matching walks straight, with the same network.
#
# To read on: Ho et al., *Denoising diffusion probabilistic models*, arXiv:2006.11239. Song et al., *Denoising diffusion
# implicit models*, arXiv:2010.02502. Karras et al., *Elucidating the design space*, arXiv:2206.00364. In kzoo:
# `kzoo/ops/diffusion.py`, `kzoo/ops/denoising.py`, `kzoo/layers/unet.py`, `kzoo/models/diffusion.py`,
# `kzoo/sampling/diffusion.py`.
