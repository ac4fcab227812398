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
# # 10 · Attention and the Transformer
#
# **How can every place of a text ask every earlier one for what it needs, without passing it from hand to hand?**
#
# After this chapter you can
#
# - write attention as a mean whose weights the data choose, and say why its scores are divided by $\sqrt p$;
# - write a whole GPT in thirty lines of NumPy that gives kzoo's numbers, with and without a cache;
# - read the maps of its heads, and what each layer would answer if it were the last;
# - draw text with a temperature, top-k and top-p, and say what each new token costs;
# - tell what breaks such a model: no positions, no mask, more text than it knew.
#
# It needs chapters 3, 6 and 8. On one core about three minutes on JAX, four on PyTorch and TensorFlow.

# %%
# %matplotlib inline
import os

import kzoo  # before Keras, because it chooses a backend that is installed here

FAST = "KZOO_FAST" in os.environ  # the tests set it: fewer steps, the same code
print(f"Keras runs on {kzoo.backend.name()}")  # for another, start with KERAS_BACKEND=torch (or jax, tensorflow)

# %%
import time
from collections import defaultdict

import keras
import numpy as np
from keras import ops

from kzoo import plots
from kzoo.ops import attention as zoo
from kzoo.plots.style import BLACK, BLUE, DIVERGING, GREEN, GREY, ORANGE, VERMILLION, label, new_figure
from kzoo.sampling.text import generate

keras.utils.set_random_seed(0)
numpy = ops.convert_to_numpy
rng = np.random.default_rng(0)


def softmax(scores):
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


# %% [markdown]
# ## The idea: a mean, and then a choosy one
#
# A recurrent network hands everything on in one state: what is needed fifty steps later has to survive fifty
# steps (chapter 8). Why not keep all that was read, and let each step look at all of it?
#
# The simplest look is a **mean**: step $t$ takes the mean of all the vectors $x_1, \dots, x_t$. As one matrix product
# it is $A x$ with $A_{ts} = 1/t$ for $s \le t$ and 0 beyond: a lower triangle, since no step may see what comes after
# it. And it is what a softmax makes of scores that are all alike, where the score $-\infty$ hides the future:
# $e^{-\infty} = 0$. So a mean is attention without any preference. It is left to choose the scores.

# %%
x = rng.normal(size=(6, 4))  # (t, d)
loop = np.array([x[: t + 1].mean(axis=0) for t in range(6)])
lower = np.tril(np.ones((6, 6)))
matrix = lower / lower.sum(axis=1, keepdims=True)
np.testing.assert_allclose(matrix @ x, loop)
np.testing.assert_allclose(softmax(np.where(lower == 1, 0, -np.inf)), matrix)
print("a loop of means, a triangle of 1/t, and a softmax of equal scores are the same:")
print(matrix.round(2))

# %% [markdown]
# ## The equation: the data choose the weights
#
# Each step makes three vectors of its own: a **query** $q$, what it looks for; a **key** $k$, what it can be found by;
# a **value** $v$, what it hands over. The score of $s$ for $t$ is how well key and query agree (Vaswani et al. 2017,
# arXiv:1706.03762):
#
# $$ w_{ts} = \frac{\exp(q_t \cdot k_s / \sqrt p)}{\sum_{r \le t} \exp(q_t \cdot k_r / \sqrt p)}, \qquad
#    y_t = \sum_{s \le t} w_{ts} v_s, $$
#
# with $p$ the width of $q$ and $k$. A softmax is a soft maximum: it is a table look-up whose answer is blended of all
# entries, more of those whose key fits. Being blended, it has a gradient, and the network learns what to ask. The way
# from any step to any other is one step long, however far apart they stand.


# %%
def attention(q, k, v, start=0):
    """Queries (t, p), keys and values (s, p) -> (t, p), and the weights (t, s). Query i stands at time start + i."""
    scores = q @ k.T / np.sqrt(q.shape[-1])
    seen = np.arange(len(k)) <= start + np.arange(len(q))[:, None]
    weights = softmax(np.where(seen, scores, -np.inf))
    return weights @ v, weights


q, k, v = rng.normal(size=(3, 12, 8)).astype("float32")
ours, weights = attention(q, k, v)
theirs = zoo.attend(*(part[None, None] for part in (q, k, v)), zoo.causal_mask(12, 12))  # (b, h, t, p)
np.testing.assert_allclose(ours, numpy(theirs)[0, 0], atol=1e-6)
np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
print("our five lines are kzoo's attention; each row of weights sums to 1, and nothing looks ahead")

# %% [markdown]
# ## Why divide by the square root of the width?
#
# If the $p$ numbers of $q$ and $k$ are about as large as 1 and independent, $q \cdot k$ is a sum of $p$ such products:
# its variance is $p$, its spread $\sqrt p$. Large scores make the softmax hard: one weight is nearly 1, the rest 0. And a
# softmax that has decided learns no more, since its derivative is $\partial w_i / \partial s_j = w_i (\delta_{ij} -
# w_j)$: near 0 where a $w$ is near 0 or 1. Divided by $\sqrt p$ the scores have a spread of 1, whatever the width.

# %%
widths = 4 ** np.arange(1, 7)
figure = new_figure(10, 3.6)
left, right = figure.subplots(1, 2)
for scaled, shade, line, mark in ((True, BLUE, "-", "o"), (False, VERMILLION, "--", "s")):
    largest, slope = [], []
    for p in widths:
        queries, keys = rng.normal(size=(2, 50, 32, p))  # 50 times 32 of each
        scores = np.einsum("ntp,nsp->nts", queries, keys) / (np.sqrt(p) if scaled else 1)
        w = softmax(scores)
        largest.append(w.max(axis=-1).mean())
        slope.append((w * (1 - w)).mean())  # the derivative of a weight by its own score
    for axes, values in ((left, largest), (right, slope)):
        axes.plot(widths, values, color=shade, linestyle=line, marker=mark,
                  label=r"divided by $\sqrt{p}$" if scaled else "not divided")  # fmt: skip
left.axhline(1 / 32, color=GREY, linestyle=":", label="a mean of 32")
label(left, x="width p (log axis)", y="largest weight (share)")
label(right, x="width p (log axis)", y="mean slope of a weight")
right.set_yscale("log")
for axes in (left, right):
    axes.set_xscale("log")
    axes.set_xticks(widths, [f"{p:,}" for p in widths])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
left.legend()
figure

# %% [markdown]
# **Figure 1.** Random queries and 32 random keys. Without the division (red) a wide head looks at a single key, as
# chance would have it, and the slope by which it could learn to look elsewhere falls. With it (blue) neither depends on
# the width.

# %% [markdown]
# ## Attention does not know the order
#
# The formula asks *what* the keys are and never *where* they stand. Shuffle the words before the last one, and the last
# one's answer is the same to the digit: *dog bites man* is *man bites dog*. Two remedies:
#
# - **Learned positions**: add a vector to each word that says where it stands. One for each place that exists; GPT-2.
# - **Rotary positions** (Su et al. 2021, arXiv:2104.09864): turn queries and keys by angles that grow with the time,
#   pair by pair: $\angle_i(t) = t \cdot 10000^{-2i/p}$. A dot product sees only the difference of two angles, so the
#   score depends on the *distance* $t - s$ and on no absolute place.


# %%
def rotary(x, times):
    """(t, p) turned by the angles of the times (t,)."""
    half = x.shape[-1] // 2
    angle = times[:, None] * 10_000.0 ** (-np.arange(half) / half)
    a, b = x[:, :half], x[:, half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], axis=1)


words = {word: rng.normal(size=8) for word in ("dog", "bites", "man", ".")}
places = rng.normal(size=(4, 8))
answers = {}
for order in (["dog", "bites", "man", "."], ["man", "bites", "dog", "."]):
    e = np.array([words[word] for word in order])
    turned = rotary(e, np.arange(4.0))
    answers[order[0]] = [attention(*parts)[0][-1] for parts in ((e, e, e), (e + places,) * 3, (turned, turned, e))]
for name, one, other in zip(("no positions", "learned", "rotary"), answers["dog"], answers["man"], strict=True):
    print(f"{name:>12}: the two sentences end in vectors that differ by {np.abs(one - other).max():.2f}")
np.testing.assert_allclose(answers["dog"][0], answers["man"][0], atol=1e-12)
np.testing.assert_allclose(rotary(q, np.arange(12)), numpy(zoo.rotary(q[None, None]))[0, 0], atol=1e-5)

figure = new_figure(10.5, 4)
left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
one, other = np.ones((2, 1, 64)) / 8
for start, shade, line, width in ((0, ORANGE, "-", 4), (100, BLUE, "--", 2), (5000, BLACK, ":", 2)):
    query = rotary(one, np.array([start + 60]))
    scores = [(query @ rotary(other, np.array([start + 60 - away])).T).item() for away in range(61)]
    left.plot(range(61), scores, color=shade, linestyle=line, linewidth=width, label=f"query at {start + 60}")
label(left, x="steps back", y="score of one query and one key", title="the distance alone")
left.legend()
left.grid(alpha=0.25)
clocks = rotary(np.repeat([[1.0, 0.0]], 8, axis=1).repeat(61, axis=0), np.arange(61))[:, :8]  # cosines of 8 pairs
image = right.imshow(clocks.T, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto")
figure.colorbar(image, ax=right).set_label("cosine of the angle")
label(right, x="time (steps)", y="pair of numbers", title="eight clocks of a head of width 16")
figure

# %% [markdown]
# **Figure 2.** Rotary positions. Left: the score of the same query and key at many distances, with the query early and
# late in a text: three curves, one line. Right: the angles of the eight pairs of a head. The first turns once in six
# steps and tells neighbours apart; the last has hardly moved after sixty, and tells near from far.

# %% [markdown]
# ## Heads and blocks: the whole Transformer
#
# One softmax can look at one thing at a time. So the width $d$ is split into $h$ **heads** of $p = d / h$, each with
# queries, keys and values of its own; their answers stand side by side, and a last matrix mixes them. A **block** adds
# twice to the stream $x$, which runs through as in a residual network (chapter 7):
#
# $$ x \leftarrow x + \text{heads}(\text{norm}(x)), \qquad
#    x \leftarrow x + W_2\, \text{gelu}(W_1\, \text{norm}(x)). $$
#
# The first half moves information *between* places, the second, an MLP of width $4d$, works on each place alone.
# Below: tokens to vectors, blocks, and the logits of the next token by the table of the embedding once more. That is
# GPT-2 (Radford et al. 2019), but for its positions: it adds learned ones to the vectors, and we turn queries and keys.
# (`cache` and `clock` are for later.)


# %%
def normed(x, w, name):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5)
    return x * w[f"{name}/gamma"] + w[f"{name}/beta"]


def linear(x, w, name):
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def transformer(tokens, w, layers, heads, cache=None, clock=None):
    """Tokens (t,) -> logits (t, v). A cache holds keys and values of each head, which it reads and lengthens."""
    cache = {} if cache is None else cache
    start = len(cache[1, 0][0]) if cache else 0
    times = start + np.arange(len(tokens)) if clock is None else clock[: len(tokens)]
    x = w["embedding/embeddings"][tokens]
    for layer in range(1, layers + 1):
        block, found = f"block_{layer}", []
        qkv = linear(normed(x, w, f"{block}/norm_1"), w, f"{block}/attention/qkv")
        for head, (q, k, v) in enumerate(zip(*(np.split(part, heads, 1) for part in np.split(qkv, 3, 1)), strict=True)):
            q, k = rotary(q, times), rotary(k, times)
            if start:
                k, v = np.concatenate([cache[layer, head][0], k]), np.concatenate([cache[layer, head][1], v])
            cache[layer, head] = k, v
            found.append(attention(q, k, v, start)[0])
        x = x + linear(np.concatenate(found, axis=1), w, f"{block}/attention/project")
        x = x + linear(gelu(linear(normed(x, w, f"{block}/norm_2"), w, f"{block}/expand")), w, f"{block}/contract")
    return normed(x, w, "norm") @ w["embedding/embeddings"].T


def weights_of(model):
    """The model's weights by name, in float64; one that it does not have is 0."""
    return defaultdict(float, {v.path: numpy(v).astype("float64") for v in model.weights})


preset = kzoo.from_preset("transformer_shakespeare")
VOCABULARY = preset.vocabulary  # the characters themselves
w, sizes = weights_of(preset), {"layers": preset.num_layers, "heads": preset.num_heads}


def encode(text):
    return np.array([VOCABULARY.index(character) for character in text], "int32")


def read(model, text):
    """The logits (t, v) of a text of any length, by kzoo."""
    return numpy(model.stream(ops.convert_to_tensor(encode(text)[None]), model.initial_state(1))[0])[0]


line = "Shall I compare thee to a summer's day?\nThou art more lovely"
ours, theirs = transformer(encode(line), w, **sizes), read(preset, line)
np.testing.assert_allclose(ours, theirs, atol=2e-3)
print(f"{preset.count_params():,} weights; our thirty lines and kzoo's model differ by {np.abs(ours - theirs).max():.0e} "
      f"at logits up to {np.abs(ours).max():.0f}")  # fmt: skip

# %% [markdown]
# ## A small one, trained here
#
# A language model is trained on nothing but text: at each place, foretell the next character. The loss is chapter 4's
# cross-entropy. Three numbers to know it by: who knows nothing pays $\ln v$; who counts single characters, a bit less;
# who counts *pairs* knows what follows each character, but not what came before it. Ours reads Python's own help, has
# two blocks of width 64 and rotary positions.

# %%
STEPS = 60 if FAST else 1200
text = kzoo.load_data("pydoc", window=64, samples=STEPS * 16)
size = len(text.class_names)


def loss_at(logits, y):
    """Cross-entropies (b, t) of logits (b, t, v)."""
    return -np.take_along_axis(np.log(softmax(logits.astype("float64"))), y[..., None], axis=-1)[..., 0]


pairs = np.ones((size, size))  # one of each to begin with, so that no pair is impossible
np.add.at(pairs, (text.x_train.ravel(), text.y_train.ravel()), 1)
x_test, y_test = text.x_test[: 100 if FAST else None], text.y_test[: 100 if FAST else None]
singles = -np.log(pairs.sum(axis=0) / pairs.sum())[y_test].mean()
counted = loss_at(np.log(pairs)[x_test], y_test).mean()

small = kzoo.create_model(
    "transformer", input_shape=(None,), num_outputs=size, vocabulary=size, hidden_dim=64, num_layers=2, num_heads=4,
    positions="rotary", seed=0,
)  # fmt: skip
fresh = loss_at(numpy(small(x_test[:20])), y_test[:20]).mean()
rate = keras.optimizers.schedules.CosineDecay(0.0, STEPS, warmup_target=4e-3, warmup_steps=STEPS // 10)
small.compile(keras.optimizers.AdamW(rate, global_clipnorm=1.0), small.training_loss())
small.fit(text.x_train, text.y_train, batch_size=16, epochs=1, shuffle=False, verbose=0)
by_place = loss_at(numpy(small.predict(x_test, batch_size=20, verbose=0)), y_test).mean(axis=0)
np.testing.assert_allclose(fresh, np.log(size), rtol=0.05)
print(f"before training {fresh:.2f} nats a character, ln {size} is {np.log(size):.2f}; after {STEPS} steps "
      f"{by_place.mean():.2f}")  # fmt: skip
figure = plots.loss_by_context({"transformer": by_place}, title="What it makes of what it has read",
                               x_name="characters read", unit="nats a character")  # fmt: skip
(axes,) = figure.axes
axes.axhline(singles, color=GREY, linestyle=":", label="counts of single characters")
axes.axhline(counted, color=GREY, linestyle="--", label="counts of pairs")
axes.legend()
figure

# %% [markdown]
# **Figure 3.** The loss on text that it was not trained on, against how much of the window has been read. At the left
# edge it has seen one character (which is no more than the table of pairs has); each further one helps, the first ones
# most. What lies below the dashed line is context that no pair can hold.

# %% [markdown]
# ## Where do the heads look?
#
# Now to the model that comes with kzoo. It has read Shakespeare's plays, character by character. The sonnets were not
# among them.

# %%
verse = "Shall I compare thee to a summer's day?"
here = len(verse)
filled = encode(verse.ljust(preset.context_length))[None]  # what stands behind it is not seen
maps = preset.attention(filled)[:, 0, :, :here, :here]  # (layers, heads, t, t)
np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)
for layer, head in np.ndindex(maps.shape[:2]):
    one = maps[layer, head]
    away = [np.trace(one, -k) / (here - k) for k in range(here)]  # mean weight k steps back
    nearest = int(np.argmax(away[:10]))
    if away[nearest] > 0.5:
        print(
            f"layer {layer + 1}, head {head + 1}: {100 * away[nearest]:.0f} % of its look goes to the character {nearest} before"
        )
plots.attention_grid(maps[:, :4, :20, :20], verse[:20], title="Where each character looks, in the first four heads")

# %% [markdown]
# **Figure 4.** Each row of a map is one character and shares its look out among itself and those before it. A line
# beside the diagonal is a head that looks a fixed number of steps back: to know the last letters, in their order, is
# worth most. Upright stripes are single places, often the spaces between the words or the first character, that many
# others look at.

# %%
lens = preset.logits_by_layer(filled)[:, 0, :here]  # (layers + 1, t, v)
np.testing.assert_allclose(lens[-1], read(preset, verse), atol=1e-3)
plots.logit_lens(lens[:, 1:-1], verse[1:-1], VOCABULARY, targets=verse[2:],
                 title="What each layer would answer if it were the last")  # fmt: skip

# %% [markdown]
# **Figure 5.** The stream after each block, read by the head as if nothing followed (from below): the **logit lens**.
# The embedding by itself mostly repeats the character that was read, because head and embedding share their table.
# Layer by layer the guess turns from the present character to the next one, and grows surer.

# %% [markdown]
# ## Text from probabilities
#
# To write, draw a character from the softmax, append it, read again. The **temperature** $T$ divides the logits before:
# $T \to 0$ always takes the likeliest, $T = 1$ draws as the model means it, a large $T$ draws from all alike. Even a
# good model gives each of many nonsense tokens a little, which adds up; so one cuts. **Top-k** keeps the $k$ likeliest.
# **Top-p** (Holtzman et al. 2019, arXiv:1904.09751) keeps the smallest set that holds at least the share $p$: few where
# the model is sure, many where it is not.


# %%
def shares(logits, temperature=1.0, top_k=None, top_p=None):
    """The probabilities (v,) that a token is drawn with."""
    p = softmax(logits / temperature)
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]  # what the likelier ones hold together
    kept = (np.arange(len(p)) < (top_k or len(p))) & (before < (1.0 if top_p is None else top_p))
    p[order[~kept]] = 0
    return p / p.sum()


sure, unsure = "Shall I compare thee to a summ", "Shall I "
figure = new_figure(10.5, 4.2)
for axes, prompt in zip(figure.subplots(1, 2, sharey=True), (sure, unsure), strict=True):
    logits = transformer(encode(prompt), w, **sizes)[-1]
    order = np.argsort(-logits)[:12]
    settings = (("T = 1", {}), ("T = 0.5", {"temperature": 0.5}), ("T = 2", {"temperature": 2.0}),
                ("T = 1, top-p 0.8", {"top_p": 0.8}))  # fmt: skip
    for k, ((name, arguments), shade) in enumerate(zip(settings, (BLACK, BLUE, ORANGE, GREEN), strict=True)):
        p = shares(logits, **arguments)
        axes.bar(np.arange(12) + 0.2 * k - 0.3, 100 * p[order], 0.2, color=shade, label=f"{name}: {(p > 0).sum()} kept")
    axes.set_xticks(range(12), [VOCABULARY[token].replace(" ", "␣").replace("\n", "↵") for token in order])
    label(axes, x="the twelve likeliest next characters", title=f'after "{prompt[-12:]}"')
    axes.legend()
label(figure.axes[0], y="probability (%)")
figure

# %% [markdown]
# **Figure 6.** What may come next within a word (left) and at the beginning of one (right). A low temperature (blue)
# makes the likeliest likelier, a high one (orange) lifts the tail. Top-p (green) cuts the tail off and leaves the
# proportions of the rest: it keeps fewer characters where the model is surer.

# %%
LENGTH = 60 if FAST else 200
prompt = "ROMEO:\n"
greedy = encode(prompt)
for _ in range(24):  # the likeliest, by our own thirty lines
    greedy = np.append(greedy, transformer(greedy, w, **sizes)[-1].argmax())
written = generate(preset, prompt, 24, temperature=0)
assert "".join(VOCABULARY[token] for token in greedy).endswith(written)
for arguments in ({"temperature": 0}, {"temperature": 1.5}, {"temperature": 0.8, "top_p": 0.9}):
    print("-" * 30, arguments)
    print(generate(preset, prompt, LENGTH, seed=1, **arguments))

# %% [markdown]
# Always the likeliest runs in circles; too hot, and it is letters; between the two there is English of a kind. Each
# draw is one number between 0 and 1 that NumPy makes from the seed: the same seed gives the same text on all three
# backends.
#
# ## The cache, and what a token costs
#
# To write a text of $n$ tokens we have read it $n$ times from the start. But the mask hides the future, so the past
# does not change when a token is appended: neither its keys nor its values. Keep them. Then a new token needs *its own*
# query, key and value, and one look at what is kept. In products of numbers, for $l$ layers of width $d$,
#
# $$ \text{all anew: } n\, l\, (12 d^2 + 2 n d), \qquad \text{with a cache: } l\, (12 d^2 + 2 n d). $$
#
# The cache holds $2\, l\, d\, n$ numbers. Still, the cost of a token *grows with what was read*. Our `transformer` can do
# it already, and so can every sequence model of kzoo, as `model.step`.

# %%
tokens, cache = encode(line), {}
began = time.perf_counter()
stepwise = []
for token in tokens:
    ours = transformer(np.array([token]), w, cache=cache, **sizes)[0]
    stepwise.append(ours)
mine = time.perf_counter() - began
state = preset.initial_state(1)
for token, ours in zip(tokens[:10], stepwise, strict=False):
    theirs, state = preset.step(ops.convert_to_tensor([token], "int32"), state)
    np.testing.assert_allclose(ours, numpy(theirs)[0], atol=2e-3)
np.testing.assert_allclose(stepwise, transformer(tokens, w, **sizes), atol=1e-9)
began = time.perf_counter()
for n in range(1, len(tokens) + 1):
    transformer(tokens[:n], w, **sizes)
print(f"{len(tokens)} tokens in NumPy: {1000 * mine:.0f} ms with a cache, "
      f"{1000 * (time.perf_counter() - began):.0f} ms all anew each time")  # fmt: skip

n = np.arange(1, 8193)
layers, d = 12, 768  # those of the smallest GPT-2
fixed, look = layers * 12 * d**2, 2 * layers * n * d
figure = new_figure(10, 3.8)
left, right = figure.subplots(1, 2)
left.loglog(n, n * (fixed + look), color=VERMILLION, linestyle="--", label="all anew")
left.loglog(n, fixed + look, color=BLUE, label="with a cache")
left.loglog(n, look, color=GREY, linestyle=":", label="its look at the cache")
label(left, x="tokens in the text (log axis)", y="products for the next token (log axis)")
left.legend()
right.plot(n, 4 * 2 * layers * n * d / 1e6, color=BLUE)
label(right, x="tokens in the text", y="cache of one text in float32 (MB)")
for axes in (left, right):
    axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 7.** A Transformer of GPT-2's smallest size, 12 layers of width 768, by the formulas above. Left: with the
# cache the next token costs nearly the same for some thousand tokens, and then more and more; at $n = 6d$ the look at
# the cache costs as much as all the matrices. Right: what has to be kept for one text. Chapter 11 is about models whose
# memory does not grow.

# %% [markdown]
# ## What breaks it
#
# **No positions.** What does a trained model lose if we stop its clocks, or let them show the wrong times? **More text
# than it knew.** With learned positions a place without a vector is an error. Rotary positions have an angle for every
# time, and no error warns you.

# %%
sonnet = """Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd."""
pieces = [encode(sonnet[start : start + 61]) for start in range(0, 240, 60)]
broken = {}
for name, clock in (("as trained", None), ("no positions", np.zeros(60)), ("in another order", rng.permutation(60))):
    losses = [loss_at(transformer(piece[:-1], w, clock=clock, **sizes), piece[1:]) for piece in pieces]
    broken[name] = np.mean(losses)
    print(f"{name:>16}: {broken[name]:.2f} nats a character")
assert broken["as trained"] < min(broken["no positions"], broken["in another order"])

learned = kzoo.create_model("transformer", input_shape=(16,), num_outputs=9, vocabulary=9, hidden_dim=8, num_layers=1)
try:
    learned.stream(ops.zeros((1, 17), "int32"), learned.initial_state(1))
except ValueError as error:
    print("learned positions:", error)
else:
    raise AssertionError("expected a refusal")

longer = kzoo.load_data("pydoc", window=512)
count = 4 if FAST else 40
found = loss_at(numpy(small.predict(longer.x_test[:count], batch_size=4, verbose=0)), longer.y_test[:count])
smooth = [found[:, lo - 1 : hi - 1].mean() for lo, hi in zip(2 ** np.arange(9), 2 ** np.arange(1, 10), strict=True)]
figure = plots.loss_by_context({"rotary, trained on windows of 64": (1.5 * 2.0 ** np.arange(9), smooth)},
                               title="Past the end of what it knew", x_name="characters read, mean over an octave",
                               unit="nats a character")  # fmt: skip
(axes,) = figure.axes
axes.axvline(64, color=BLACK, linestyle=":", label="length in training")
axes.legend()
figure

# %% [markdown]
# **Figure 8.** The small model of figure 3 on windows eight times as long as any in its training. Up to the dotted line
# more context helps. Beyond it stand distances, and numbers of keys in one softmax, that it has never met, and the loss
# turns up again, although the model has *more* to go by. The print above says what the model of figure 4 pays for each
# character of a sonnet that it has not read, with its clocks, without, and with clocks that show wrong times.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Show that $q \cdot k$ has the variance $p$ if the numbers of $q$ and $k$ are independent, with mean 0 and
# variance 1. What would the variance of $(q \cdot k) / p$ be, and which attention would a very wide head then begin with?
#
# <details>
# <summary>Solution</summary>
#
# Each product has mean 0 and variance $1 \cdot 1$; variances of independent terms add up. Divided by $p$ it would be
# $p / p^2 = 1/p$, next to nothing: all weights alike, the mean of the beginning.
#
# ```python
# for p in (16, 256):
#     dots = (rng.normal(size=(20_000, p)) * rng.normal(size=(20_000, p))).sum(axis=1)
#     np.testing.assert_allclose([dots.var() / p, (dots / np.sqrt(p)).var(), (dots / p).var() * p], 1, atol=0.1)
# flat = softmax(dots[:32] / p)  # one query and 32 keys of width 256
# assert flat.max() < 1.5 / 32
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Take the mask away. Change the last token of a sequence: which outputs change in a causal block, which
# in one without a mask? Why would a language model without a mask reach a loss of nearly 0 and be of no use?
#
# <details>
# <summary>Solution</summary>
#
# It would simply look one step ahead, where the answer stands. When it writes, nothing stands there yet. An *encoder*,
# which classifies a text that is all there, needs no mask; kzoo's transformer has none for `task="classification"`.
#
# ```python
# from kzoo.layers.transformer import TransformerBlock
#
# before = rng.normal(size=(1, 8, 16)).astype("float32")
# after = before.copy()
# after[:, -1] = rng.normal(size=16)
# for causal in (True, False):
#     block = TransformerBlock(num_heads=4, causal=causal)
#     block.build(before.shape)
#     for part in block.trainable_variables:  # fresh weights are so small that next to nothing would move
#         part.assign(0.3 * rng.normal(size=part.shape))
#     moved = np.abs(numpy(block(after)) - numpy(block(before))).max(axis=-1)[0]
#     print(f"causal={causal}: places that change", np.flatnonzero(moved > 1e-6))
#     assert moved[-1] > 1e-3
#     assert np.all(moved[:-1] == 0) if causal else np.all(moved[:-1] > 1e-6)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Build an **induction head** by hand, with two calls of `attention` and no training: it reads
# `A B ... A` and answers `B`, whatever `A` and `B` are. (Olsson et al. 2022, arXiv:2209.11895, found such heads in
# trained models. Chapter 11 returns to them.)
#
# <details>
# <summary>Solution</summary>
#
# The first head looks one step back, by positions, and so every place learns which token stands *before* it. The second
# asks with its own token for a place whose predecessor was that token, and takes the token of that place. Large scores
# (times 50) make the softmax hard.
#
# ```python
# letters = "KZOOLABYRINTHZ"  # ends with the Z that O followed
# e = np.eye(26)[[ord(letter) - 65 for letter in letters]]
# place = np.eye(len(letters))
# previous, _ = attention(50 * np.roll(place, -1, axis=1), place, e)  # the query of place t is the key of place t - 1
# previous[0] = 0  # nothing stands before the first
# answer, weights = attention(50 * e, previous, e)
# print(f"after {letters} comes", chr(65 + answer[-1].argmax()))
# assert chr(65 + answer[-1].argmax()) == "O"
# assert weights[-1].argmax() == 2
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** How many numbers does top-p keep, character by character, in the first line of the sonnet? Show that
# what it keeps holds at least $p$, and that it could not do with one less.
#
# <details>
# <summary>Solution</summary>
#
# From one, where the word is clear, to a good many at the beginning of a word.
#
# ```python
# rows = transformer(encode(line), w, **sizes)
# counts = []
# for row in rows:
#     p, kept = softmax(row), shares(row, top_p=0.9) > 0
#     counts.append(kept.sum())
#     assert p[kept].sum() >= 0.9 > p[kept].sum() - p[kept].min() - 1e-12
#     np.testing.assert_allclose(shares(row, top_k=1), np.eye(len(row))[row.argmax()])
# print(" ".join(f"{'␣' if c == ' ' else '↵' if c == chr(10) else c}{n}" for c, n in zip(line, counts, strict=True)))
# assert min(counts) < 5 < max(counts)
# ```
#
# </details>

# %% [markdown]
# **Exercise 5.** Count the weights of a Transformer with biases: embedding $v d$, learned positions $t d$, and of each
# block as many as the code above says. Check it with kzoo, and say where most of GPT-2's 124 million are ($d = 768$,
# $l = 12$, $v = 50257$, $t = 1024$).
#
# <details>
# <summary>Solution</summary>
#
# A block: $3d^2 + 3d$ for queries, keys and values, $d^2 + d$ to mix the heads, $4d^2 + 4d$ and $4d^2 + d$ in the MLP, and
# $4d$ in two norms. Two thirds of a block are its MLP.
#
# ```python
# def count(v, t, d, l):
#     return v * d + t * d + l * (12 * d**2 + 13 * d) + 2 * d
#
# model = kzoo.create_model("transformer", input_shape=(40,), num_outputs=30, vocabulary=30, hidden_dim=32, num_layers=3)
# assert count(30, 40, 32, 3) == model.count_params()
# print(f"GPT-2: {count(50257, 1024, 768, 12):,}; its blocks hold {100 * 12 * 12 * 768**2 / count(50257, 1024, 768, 12):.0f} %")
# assert count(50257, 1024, 768, 12) == 124_439_808
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - Attention is a mean with weights that the data choose: queries ask, keys are found, values are handed over.
# - Divided by $\sqrt p$, the scores of any width begin with a spread of 1, where a softmax can still learn.
# - It knows no order: positions have to be added or turned in. A mask hides the future.
# - The stream runs through; heads add what they found elsewhere, the MLP what it makes of it on the spot.
# - A cache makes the next token cheap, but it grows with the text, and so does each look at it.
#
# To read on: Vaswani et al., arXiv:1706.03762. Radford et al., *Language models are unsupervised multitask learners*,
# 2019. Su et al., arXiv:2104.09864. Holtzman et al., arXiv:1904.09751. In kzoo: `kzoo/ops/attention.py`,
# `kzoo/models/transformer.py`, `kzoo/sampling/text.py`.
#
# Next: [state spaces](11_mamba.ipynb), which are used as a recurrent network is and trained as attention is.
