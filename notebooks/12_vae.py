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
# # 12 · VAE: codes that are distributions
#
# **How can a network that has learned to copy digits make new ones?**
#
# After this chapter you can
#
# - write down a model of images with a hidden code, and say why its likelihood cannot be computed, and how it is bounded;
# - compute both terms of the bound by hand, and check them against kzoo;
# - send a gradient through a random draw, and say what is won over the other way of doing it;
# - read the plane of codes of a small VAE, and see what beta does to it: from holes to collapse;
# - tighten the bound with importance weights, up to the likelihood itself.
#
# It needs chapters 3 to 6. About a minute on one core.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import json

import keras
import numpy as np

from kzoo import plots
from kzoo.models.generative import normal
from kzoo.plots.style import BLUE, GREY, VERMILLION, color, label, marker, new_figure
from kzoo.registry import preset_folder

keras.utils.set_random_seed(0)
data = kzoo.load_data("digits", validation_fraction=0)
rng = np.random.default_rng(0)
EPOCHS = 4 if FAST else 40

# %% [markdown]
# ## Copying is not making
#
# An **autoencoder** squeezes an image through a few numbers, its **code** $z$, and rebuilds the image from them. Train
# it to copy, throw the first half away, feed random codes into the second half: do new digits come out?
#
# kzoo's VAE with its weight `beta = 0` is very nearly such an autoencoder. Its code has two numbers here, so that all
# codes can be seen in one picture.


# %%
def trained(beta):
    model = kzoo.create_model(
        "vae", seed=0, input_shape=(8, 8, 1), latent_dim=2, hidden_dims=(128, 64), activation="tanh", beta=float(beta)
    )
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(data.x_train, epochs=EPOCHS, batch_size=48, verbose=0)
    return model


models = {0: trained(0)}
codes = models[0].encode(data.x_test)[0]  # (n, 2)
draws = normal((24, 2), seed=1)
copies = models[0].reconstruct(data.x_test[:12])
made = models[0].decode(draws)
rows = [data.x_test[:12], copies, made[:12], made[12:]]
figure = plots.sample_grid(np.concatenate(rows), title="test digits, their copies, and 24 random codes", columns=12)
figure

# %% [markdown]
# **Figure 1.** First row: test digits. Second row: their copies, through a code of two numbers. Third and fourth row:
# what the decoder makes of random codes, each number drawn from $\mathcal N(0, 1)$: much the same few shapes, again and
# again, and digits that never come.

# %%
figure = new_figure(6, 5.2)
axes = figure.subplots()
for k in range(10):
    own = data.y_test == k
    axes.plot(*codes[own].T, linestyle="", marker=marker(k), color=color(k), markersize=5, label=str(k))
axes.plot(*draws.T, "k+", markersize=9, label="random codes")
label(axes, x="first number of the code (no unit)", y="second number of the code (no unit)")
axes.grid(alpha=0.25)
axes.legend(fontsize=9, ncols=2)
figure

# %% [markdown]
# **Figure 2.** Where the digits are. Nobody has told the encoder where to put them, so it has spread them as far as it
# could: copies get better the further codes are apart. The random codes (+) all lie near 0, and most digits do not: those
# are never drawn. And some random codes lie where no digit is, so that nobody has asked the decoder for anything there.
#
# Two things would help: the codes should fill the region that we draw from, and neighbouring codes should give
# neighbouring images. Both follow from one idea.

# %% [markdown]
# ## A model with a hidden code
#
# Say how an image comes about: first a code is drawn, $z \sim p(z) = \mathcal N(0, 1)$; then each pixel is drawn
# black or white, with the probability of white that a network, the **decoder**, gives to it, $p(x | z)$. Such a model
# should give the images that we have a large probability
#
# $$ p(x) = \int p(x | z)\, p(z)\, dz. $$
#
# With a code of fifty numbers nobody can compute this integral. Almost all codes are wrong for a given $x$, so random
# ones would find nothing. So a second network, the **encoder**, is asked where to look: it answers with a Gaussian
# $q(z | x) = \mathcal N(\mu, \sigma^2)$. For any $q$ (Jensen's inequality, since $\log$ is concave)
#
# $$ \log p(x) = \log \mathbb E_{q} \frac{p(x | z)\, p(z)}{q(z | x)}
#    \;\ge\; \mathbb E_{q} \log \frac{p(x | z)\, p(z)}{q(z | x)}
#    = \underbrace{\mathbb E_{q} \log p(x | z)}_{-\text{reconstruction}}
#    - \underbrace{\mathrm{KL}\big(q(z|x) \,\|\, p(z)\big)}_{\text{cost of the code}}. $$
#
# This is the **evidence lower bound**. Its negative is a loss: *rebuild the image, with a code that differs little from
# one drawn blindly*. What is missing to $\log p(x)$ is $\mathrm{KL}(q(z|x) \,\|\, p(z|x))$: how far the Gaussian is from
# the codes that truly belong to $x$.
#
# For Gaussians the second term has a closed form, $\mathrm{KL} = \frac12 \sum_i (\sigma_i^2 + \mu_i^2 - 1 - \log
# \sigma_i^2)$. Both terms in NumPy, from the weights of a model of kzoo:


# %%
def layers(part):
    """Weights and biases of a Keras model's dense layers, in order."""
    found = part.get_weights()
    return list(zip(found[::2], found[1::2], strict=True))


def mlp(x, weights):
    for i, (w, b) in enumerate(weights):
        x = x @ w + b
        if i < len(weights) - 1:
            x = np.tanh(x)
    return x


def encode(x, model):
    """Images (n, 8, 8, 1) -> mean and logvar (n, 2)."""
    hidden = np.tanh(mlp(x.reshape(len(x), -1), layers(model.encoder)[:-2]))
    (w_mean, b_mean), (w_logvar, b_logvar) = layers(model.encoder)[-2:]
    return hidden @ w_mean + b_mean, hidden @ w_logvar + b_logvar


def cost_of(x, logits):
    """-log p(x|z) of black and white pixels, in nats: softplus(l) - x l, summed over the pixels."""
    return (np.logaddexp(0, logits) - x * logits).sum(axis=-1)


def bound_terms(x, noise, model):
    mean, logvar = encode(x, model)
    z = mean + np.exp(logvar / 2) * noise
    kl = (np.exp(logvar) + mean**2 - 1 - logvar).sum(axis=-1) / 2
    return cost_of(x.reshape(len(x), -1), mlp(z, layers(model.decoder))), kl


models[1] = trained(1)
x = models[1].binarised(data.x_test, seed=0)  # each grey value is the probability of white, drawn once
cost, kl = bound_terms(x, normal((len(x), 2), seed=0), models[1])
measured = models[1].measure(data.x_test, seed=0)
print(f"by hand: reconstruction {cost.mean():.3f} + KL {kl.mean():.3f} = {(cost + kl).mean():.3f} nats a test digit")
print("kzoo:   ", {name: round(value, 3) for name, value in measured.items()})
np.testing.assert_allclose(cost.mean(), measured["reconstruction"], rtol=1e-4)
np.testing.assert_allclose(kl.mean(), measured["kl"], rtol=1e-4)

# %% [markdown]
# ## A gradient through a draw
#
# The first term is a mean over random codes, and the encoder decides which codes are drawn. How does a loss tell the
# encoder to draw elsewhere? Move the randomness out of the way (**reparameterisation**):
#
# $$ z = \mu + \sigma\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, 1), \qquad
#    \nabla_\mu \mathbb E f(z) = \mathbb E f'(\mu + \sigma \varepsilon). $$
#
# Now $z$ is an ordinary function of $\mu$ and $\sigma$, and backpropagation goes through it. The other way, which needs
# no $f'$, is the score function: $\nabla_\mu \mathbb E f(z) = \mathbb E f(z) (z - \mu) / \sigma^2$. Both are right on
# average. They are not equally good.

# %%
mu, sigma = 0.5, 0.8
f, slope = lambda z: (z - 2) ** 2 + 10, lambda z: 2 * (z - 2)
z = mu + sigma * rng.standard_normal(200_000)
ways = {"reparameterised": slope(z), "score function": f(z) * (z - mu) / sigma**2}
print(f"true gradient: {2 * (mu - 2):.2f}")
for name, values in ways.items():
    print(f"{name:>15}: {values.mean():6.2f} on average; one draw is off by {values.std():5.1f}")
    assert abs(values.mean() - 2 * (mu - 2)) < 0.2
print(f"draws that the second needs for each of the first: {np.var(ways['score function']) / np.var(slope(z)):.0f}")

# %% [markdown]
# The whole training is this: encode, draw one $\varepsilon$ for each image, decode, add the two terms, and let Keras
# differentiate. `VAE.negative_bound` in `kzoo/models/vae.py` is no more than that.
#
# ## The plane of codes
#
# Now the same model as in figure 1 with the KL term at its full weight, `beta = 1`.

# %%
steps = np.linspace(-2.5, 2.5, 11)
grid = np.stack(np.meshgrid(steps, steps), axis=-1)  # (row, column, 2), from the bottom up
images = models[1].decode(grid.reshape(-1, 2)).reshape(11, 11, 8, 8, 1)
images = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))  # a border, so that they do not run into each other
figure = plots.latent_plane(
    images, steps, steps, title="a code of two numbers, beta = 1", codes=models[1].encode(data.x_test)[0],
    labels=data.y_test,
)  # fmt: skip
figure

# %% [markdown]
# **Figure 3.** Left: what the decoder makes of each place of the plane. Right: the codes of the test digits. The codes
# now fill the region that new codes are drawn from, with classes as neighbours that look alike, and almost every place
# decodes to something like a digit. The price: two numbers, made uncertain on purpose, cannot say everything, so the
# images are blurred. (They are probabilities of white, the mean over all that the code leaves open.)

# %% [markdown]
# ## Beta, and posterior collapse
#
# Give the second term a weight $\beta$ (Higgins et al. 2017). Only $\beta = 1$ is the bound; the others trade.

# %%
models[4] = trained(4)
angle = np.linspace(0, 2 * np.pi, 100)
circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
figure = new_figure(11, 4.2)
found = {}
for axes, beta in zip(figure.subplots(1, 3), (0, 1, 4), strict=True):
    mean, logvar = models[beta].encode(data.x_test)
    found[beta] = models[beta].measure(data.x_test, seed=0)
    for k in range(10):
        own = data.y_test == k
        axes.plot(*mean[own].T, linestyle="", marker=marker(k), color=color(k), markersize=3.5)
    axes.plot(*(2 * circle).T, color=GREY, linestyle="--")
    axes.set_title(f"beta = {beta}: KL {found[beta]['kl']:.1f} nats", fontsize=11)
    reach = max(3.0, 1.1 * np.abs(mean).max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    label(axes, x="first number (no unit)", y="second number (no unit)" if beta == 0 else "")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in found[beta].items())
    print(f"beta = {beta}: {parts}; a code's own deviation {np.exp(logvar / 2).mean():.3f}")
losses = {beta: found[beta]["reconstruction"] + 4 * found[beta]["kl"] for beta in (1, 4)}
print(f"by the loss with beta = 4, the model of beta = 1 costs {losses[1]:.1f} nats, that of beta = 4 {losses[4]:.1f}")
figure

# %% [markdown]
# **Figure 4.** The codes of the test digits for three weights of the KL term; dashed, two standard deviations of
# $p(z)$. Mind the scales. Without it (left) the codes flee, and become as good as certain. With $\beta = 4$ (right) the
# model has given up: every digit has the same code, $q(z|x) = p(z)$, a KL of 0. This is **posterior collapse**. What the
# code could save in pixels is less than what it costs, so the decoder learns the mean image and ignores its input; and
# once it does, the encoder has no reason to say anything.
#
# The optimizer has not failed here: by the loss that it was given, the model in the middle is worse (the last line of
# numbers). For a linear model it can be shown exactly which directions of a code survive: those along which the data vary
# by more than the noise that the decoder allows, times $\beta$ (Lucas et al. 2019, arXiv:1911.02469). So it happens at
# $\beta = 1$ too, to single numbers of a code. We shall see it below, and count.

# %% [markdown]
# ## How good is the bound?
#
# With a code of two numbers the integral *can* be computed, as a sum over a fine grid. That is a luxury: we can see what
# the encoder's Gaussian misses, and how much the bound is below the truth.

# %%
fine = np.linspace(-5, 5, 41 if FAST else 161)
area = (fine[1] - fine[0]) ** 2
plane = np.stack(np.meshgrid(fine, fine), axis=-1).reshape(-1, 2)  # (g, 2)
log_prior = -(plane**2).sum(axis=-1) / 2 - np.log(2 * np.pi)
logits = mlp(plane, layers(models[1].decoder))  # (g, 64)
some = x[: 10 if FAST else 40].reshape(-1, 64)
# -cost for all pairs of an image and a code at once
log_joint = some @ logits.T - np.logaddexp(0, logits).sum(axis=-1) + log_prior  # (n, g)
exact = np.logaddexp.reduce(log_joint, axis=1) + np.log(area)  # log p(x), (n,)

mean, logvar = encode(some, models[1])
figure = new_figure(11, 3.4)
for axes, i in zip(figure.subplots(1, 4), range(4), strict=True):
    side = len(fine)
    axes.contourf(fine, fine, np.exp(log_joint[i] - log_joint[i].max()).reshape(side, side), 6, cmap="Greys")
    for size in (1, 2):
        axes.plot(*(mean[i] + size * np.exp(logvar[i] / 2) * circle).T, color=VERMILLION, linewidth=1.5)
    axes.set(xlim=mean[i, 0] + np.array([-1.5, 1.5]), ylim=mean[i, 1] + np.array([-1.5, 1.5]), aspect="equal")
    axes.set_title(f"a {data.y_test[i]}", fontsize=11)
    label(axes, x="first number (no unit)", y="second number (no unit)" if i == 0 else "")
figure

# %% [markdown]
# **Figure 5.** For four test digits: the codes that truly belong to it, $p(z|x)$ (grey), and the encoder's answer
# $q(z|x)$ (red: one and two standard deviations). The true ones are slanted and bent. The answer is a Gaussian along the
# axes, and it was made by one network for all digits. That is the gap.
#
# ### Importance weights
#
# Before Jensen's inequality there was an *equation*, an expectation that can be estimated: draw $s$ codes from $q$, and
# take the log of the mean of their weights,
#
# $$ \log p(x) \approx \log \frac1s \sum_{i=1}^{s} \frac{p(x|z_i)\, p(z_i)}{q(z_i|x)}, \qquad z_i \sim q(z|x). $$
#
# On average this is a bound for every $s$: the one that we know for $s = 1$, and the truth for $s \to \infty$ (Burda et
# al. 2015, arXiv:1509.00519). In ten lines, beside `VAE.log_likelihood`:


# %%
def importance_bound(x, samples, model, rng):
    """(n,) estimates of log p(x) of images (n, 64)."""
    mean, logvar = encode(x, model)
    noise = rng.standard_normal((len(x), samples, 2))
    z = mean[:, None] + np.exp(logvar / 2)[:, None] * noise  # (n, s, k)
    cost = cost_of(x[:, None], mlp(z, layers(model.decoder)))
    log_ratio = (noise**2 - z**2 + logvar[:, None]).sum(axis=-1) / 2  # log p(z) / q(z|x): the constants cancel
    return np.logaddexp.reduce(log_ratio - cost, axis=1) - np.log(samples)


sizes = (1, 10, 100) if FAST else (1, 3, 10, 30, 100, 300, 1000)
bounds = [importance_bound(some, s, models[1], rng).mean() for s in sizes]
theirs = models[1].log_likelihood(some.reshape(-1, 8, 8, 1), samples=sizes[-1]).mean()
print(f"one code {bounds[0]:.3f}, {sizes[-1]} codes {bounds[-1]:.3f}, kzoo {theirs:.3f}, exact {exact.mean():.3f} nats")
if not FAST:
    assert abs(bounds[-1] - exact.mean()) < 0.1
    assert abs(theirs - exact.mean()) < 0.1
figure = new_figure(7, 3.4)
axes = figure.subplots()
axes.axhline(exact.mean(), color=GREY, linestyle="--", label="exact, by a sum over a grid")
axes.semilogx(sizes, bounds, "o-", color=BLUE, label="importance-weighted bound")
label(axes, x="codes drawn for each image (log axis)", y="log p(x) (nats a digit)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 6.** The mean over some test digits. With one code it is the bound that the model was trained on. It climbs to
# the true likelihood with more. Hence likelihoods of VAEs are always stated with the number of codes.

# %% [markdown]
# ## A larger one
#
# The preset `vae_mnist` has a code of 50 numbers and was trained for 250 epochs on MNIST. Its figures are of the 10,000
# test images, binarised once:

# %%
preset = kzoo.from_preset("vae_mnist")
figures = json.loads((preset_folder("vae_mnist") / "metrics.json").read_text(encoding="utf-8"))
print(f"negative bound   {figures['test_nelbo']:.2f} nats an image")
print(f"  reconstruction {figures['test_reconstruction']:.2f}")
print(f"  KL             {figures['test_kl']:.2f}")
print(f"-log p(x)        {figures['test_nll']:.2f} nats with 5,000 codes an image")

# %% [markdown]
# 89.70 nats by the bound and 86.01 by 5,000 codes: 3.7 nats were not the model's fault but the bound's. (The
# importance-weighted autoencoder's paper gives 86.35 to 86.76 for a VAE of one layer of codes, with pixels drawn anew
# at each step of training, as here.)
#
# Samples are one line. And a straight line between two codes is a way from one digit to another that consists of digits.

# %%
samples = preset.sample(60, seed=0)
figure = plots.sample_grid(samples, title="vae_mnist: random codes", columns=15)
figure

# %% [markdown]
# **Figure 7.** Sixty digits that nobody wrote. Most can be read; some are between two classes, since nothing in the loss
# says that a random code must belong to one.

# %%
ends = preset.encode(preset.binarised(samples[:6], seed=0))[0]  # codes of six of them, binarised as in training
shares = np.linspace(0, 1, 11)[:, None]
ways = np.stack([preset.decode((1 - shares) * a + shares * b) for a, b in zip(ends[::2], ends[1::2], strict=True)])
figure = plots.interpolation(ways, title="vae_mnist: straight lines between codes", ends="a digit")
figure

# %% [markdown]
# **Figure 8.** Three ways. In pixels, the middle of two digits would be both of them, half as bright; in codes it is
# one digit, or something between the two.
#
# Which of the fifty numbers does it use? The KL term is a sum over them. We ask for each number's share, on digits that
# the model has made itself (MNIST's own would need a download).

# %%
mean, logvar = preset.encode(preset.binarised(preset.sample(200, seed=1), seed=0))
each = ((np.exp(logvar) + mean**2 - 1 - logvar) / 2).mean(axis=0)  # (50,)
used = int((each > 0.1).sum())
print(
    f"{used} of {len(each)} numbers carry more than 0.1 nats, together {each[each > 0.1].sum():.1f} of {each.sum():.1f}"
)
figure = new_figure(8, 3)
axes = figure.subplots()
axes.bar(np.arange(1, 51), np.sort(each)[::-1], color=BLUE)
label(axes, x="number of the code, the most telling first", y="KL (nats a digit)")
figure

# %% [markdown]
# **Figure 9.** What each number of the code tells. Those at the right have collapsed, at $\beta = 1$: the decoder does
# not listen to them. A code does not need all the places that it is given.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Check the closed form of the KL of $\mathcal N(\mu, \sigma^2)$ from $\mathcal N(0, 1)$ by numerical
# integration. For which $\mu$ and $\sigma$ is it 0? Is it symmetric?
#
# <details>
# <summary>Solution</summary>
#
# It is 0 for $\mu = 0, \sigma = 1$ alone, and not symmetric: a narrow Gaussian in a wide one costs $-\log \sigma$ and a
# little, a wide one around a narrow one costs $1 / (2 \sigma^2)$ times a square.
#
# ```python
# t = np.linspace(-30, 30, 200_001)
#
# def density(mu, sigma):
#     return -((t - mu) ** 2) / (2 * sigma**2) - np.log(sigma) - np.log(2 * np.pi) / 2  # its log
#
# def divergence(p, q):
#     return (np.exp(p) * (p - q)).sum() * (t[1] - t[0])
#
# for mu, sigma in ((0, 1), (1.5, 0.3), (-0.4, 2.0)):
#     closed = (sigma**2 + mu**2 - 1 - np.log(sigma**2)) / 2
#     np.testing.assert_allclose(divergence(density(mu, sigma), density(0, 1)), closed, atol=1e-6)
# there, back = divergence(density(0, 0.3), density(0, 1)), divergence(density(0, 1), density(0, 0.3))
# print(f"narrow from wide {there:.2f}, wide from narrow {back:.2f}")
# assert back > 3 * there
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** A collapsed model gives every digit the same image. Which one is best, and what does it cost? Compare
# with `models[4]`.
#
# <details>
# <summary>Solution</summary>
#
# The probability of white of each pixel by itself, its mean over the training images. The cost is the cross-entropy of
# the test pixels with it.
#
# ```python
# p = data.x_train.reshape(-1, 64).mean(axis=0).clip(1e-4, 1 - 1e-4)
# best = cost_of(x.reshape(-1, 64), np.log(p / (1 - p))).mean()
# print(f"the mean image costs {best:.1f} nats, the collapsed model {found[4]['reconstruction']:.1f}")
# if not FAST:
#     assert abs(best - found[4]["reconstruction"]) < 0.5
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Why is a grey image drawn black and white anew at each step, and not just put into the formula for the
# cost? Show that for a given code the mean cost over all drawings *is* that of the grey values. What differs then?
#
# <details>
# <summary>Solution</summary>
#
# The cost is linear in $x$, so the mean over drawings is the cost of their mean. What differs is that the encoder, too,
# sees black and white, and that $p(x)$ is a probability only of images that can occur: grey values are none of them.
# (And a new drawing in each epoch is augmentation for free.)
#
# ```python
# grey, code = data.x_test[0].reshape(-1), np.array([[0.3, -0.8]])
# logits = mlp(code, layers(models[1].decoder))
# drawn = (rng.random((20_000, 64)) < grey).astype("float32")
# costs = cost_of(drawn, logits)
# assert abs(costs.mean() - cost_of(grey, logits)[0]) < 5 * costs.std() / np.sqrt(20_000)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** The gap of the bound is $\mathrm{KL}(q(z|x) \,\|\, p(z|x))$. Compute it for each digit of figure 5 by a
# sum over the grid, and compare with exact minus bound.
#
# <details>
# <summary>Solution</summary>
#
# They agree up to the noise of the codes that are drawn for the bound, here 2,000 for each digit.
#
# ```python
# log_posterior = log_joint - exact[:, None]  # log p(z|x) on the grid
# mean, logvar = encode(some, models[1])
# squares = ((plane - mean[:, None]) ** 2 / np.exp(logvar)[:, None]).sum(axis=-1)
# log_q = -squares / 2 - logvar.sum(axis=-1, keepdims=True) / 2 - np.log(2 * np.pi)
# gap = (np.exp(log_q) * (log_q - log_posterior)).sum(axis=1) * area
# terms = [sum(bound_terms(some, rng.standard_normal(mean.shape), models[1])) for _ in range(2000)]
# bound = -np.mean(terms, axis=0)
# print(f"gap {gap.mean():.3f} nats, exact minus bound {np.mean(exact - bound):.3f}")
# if not FAST:
#     np.testing.assert_allclose(gap, exact - bound, atol=0.3)
# ```
#
# </details>

# %% [markdown]
# **Exercise 5.** Random codes of 50 numbers are about $\sqrt{50} \approx 7.1$ long. How long is the middle of a straight
# line between two of them? Walk on an arc instead, $z = \big(\sin((1-t)\omega)\, a + \sin(t \omega)\, b\big) / \sin
# \omega$ with the angle $\omega$ between them, and compare the images.
#
# <details>
# <summary>Solution</summary>
#
# Shorter by about $\sqrt 2$: a kind of code that is almost never drawn. The arc keeps the length. For this model the
# images differ little; for some others the arc looks better.
#
# ```python
# a, b = preset.noise(2, seed=3)
# omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
# t = np.linspace(0, 1, 9)[:, None]
# lines = {"straight": (1 - t) * a + t * b, "arc": (np.sin((1 - t) * omega) * a + np.sin(t * omega) * b) / np.sin(omega)}
# for name, way in lines.items():
#     print(f"{name:>8}: lengths {np.linalg.norm(way, axis=1).round(1)}")
# figure = plots.interpolation(np.stack([preset.decode(way) for way in lines.values()]), title="straight and on an arc")
# middle = {name: np.linalg.norm(way[4]) for name, way in lines.items()}
# assert middle["straight"] < 0.85 * middle["arc"]
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A hidden code makes a model of images; its likelihood is an integral, and a second network makes it a bound.
# - The bound has two terms: rebuild the image, with a code that costs little. The code is uncertain on purpose.
# - $z = \mu + \sigma \varepsilon$ lets the gradient through, with far less noise than the score function.
# - Too little weight on the KL term leaves holes; too much, and the code says nothing.
# - Importance weights close the gap. State the number of codes with each likelihood.
#
# To read on: Kingma and Welling, *Auto-encoding variational Bayes*, arXiv:1312.6114. Burda, Grosse and Salakhutdinov,
# *Importance weighted autoencoders*, arXiv:1509.00519. Higgins et al., *beta-VAE*, ICLR 2017. Lucas et al., *Don't blame
# the ELBO!*, arXiv:1911.02469. In kzoo: `kzoo/models/vae.py`.
