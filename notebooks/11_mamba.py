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
# # 11 · State spaces: from S4D to Mamba
#
# **How can a memory of fixed size read a text of any length, and decide by itself what to keep?**
#
# After this chapter you can
#
# - turn a linear differential equation into a recurrent network, and the network into a convolution;
# - say what no such network can do as long as its weights are the same at each step, and what *selection* changes;
# - write Mamba in forty lines of NumPy that give kzoo's numbers;
# - compute a scan in parallel, and tell a form of it that is fast and wrong;
# - see what a trained model writes down, what it keeps, and what its memory has no room for.
#
# It needs chapters 8, 9 and 10. On one core about three minutes on JAX, five on PyTorch and TensorFlow.

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
from kzoo.ops.state_space import ssd
from kzoo.plots.style import BLACK, BLUE, GREY, ORANGE, PURPLE, VERMILLION, color, label, marker, new_figure

keras.utils.set_random_seed(0)
numpy = ops.convert_to_numpy
rng = np.random.default_rng(0)

# %% [markdown]
# ## The idea: a linear system that is looked at step by step
#
# Chapter 9 had leaky units, $\tau\, \dot u = -u + I$, whose memory is a time constant. Take $n$ of them, each with a
# rate $A_i = -1/\tau_i$, let one signal $u$ drive them all, and read a mixture of them:
#
# $$ \dot h_i(t) = A_i h_i(t) + B_i u(t), \qquad y(t) = \sum_i C_i h_i(t). $$
#
# That is a **state space** with a diagonal $A$. Being linear, it can be solved. If the signal is held at $u_t$ for a
# time $\Delta$ (*zero-order hold*), then at the end of each such step exactly
#
# $$ h_t = \bar A h_{t-1} + \bar B u_t, \qquad \bar A = e^{\Delta A}, \qquad \bar B = \frac{e^{\Delta A} - 1}{A} B
#    \approx \Delta B. $$
#
# A recurrent network whose decay is *computed* from a step size: always between 0 and 1 for $A < 0$, so that nothing can
# explode. Mamba takes the simpler $\Delta B$ on the right; for small $\Delta |A|$ it is the same.

# %%
A, B, C = np.array([-0.5, -2.0]), np.ones(2), np.array([1.0, -1.0])


def path(u, step, simple=False):
    """Outputs (t,) of the system above for a signal (t,) that is held for `step` each time."""
    a = np.exp(step * A)
    b = step * B if simple else (a - 1) / A * B
    h, y = np.zeros(2), []
    for held in u:
        h = a * h + b * held
        y.append(C @ h)
    return np.array(y)


u = np.sin(np.arange(0, 12, 1.0)) + (np.arange(12) == 3)
fine = path(np.repeat(u, 1000), 1e-3)  # the same signal, in a thousand small steps each
np.testing.assert_allclose(path(u, 1.0), fine[999::1000], atol=1e-12)
for parts in (1, 10, 100):
    off = np.abs(path(np.repeat(u, parts), 1 / parts, simple=True)[parts - 1 :: parts] - path(u, 1.0)).max()
    print(f"Delta = {1 / parts:4.2f}: the simple B is off by {off:.4f}")
figure = new_figure(9, 3.8)
axes = figure.subplots()
axes.step(np.arange(13), np.append(u, u[-1]), where="post", color=GREY, linewidth=1, label="signal, held")
axes.plot(np.arange(1, 12001) / 1000, fine, color=BLUE, label="the system in continuous time")
axes.plot(np.arange(1, 13), path(u, 1.0), "o", color=BLACK, label=r"zero-order hold, $\Delta$ = 1")
axes.plot(np.arange(1, 13), path(u, 1.0, simple=True), "s", color=ORANGE, mfc="none", label=r"simple B, $\Delta$ = 1")
label(axes, x="time (no unit)", y="output y (no unit)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 1.** A system of two leaky units. The black dots are steps of length 1; they lie on the curve exactly, however
# large the step, for a signal that is held. The simple $B$ (squares) makes an error, which shrinks with $\Delta$.

# %% [markdown]
# ## A recurrence is a convolution
#
# Unroll it: what is left at step $t$ of the input at step $s$ went through $t - s$ decays. So
#
# $$ y_t = \sum_{s \le t} K_{t-s}\, u_s, \qquad K_k = \sum_i C_i\, e^{k \Delta A_i}\, \bar B_i: $$
#
# a convolution with a kernel as long as the sequence (chapter 7 had kernels of three pixels). Trained as a convolution,
# all steps at once, by a Fourier transform in $t \log t$; used as a recurrence, step by step, with a state of $n$
# numbers. This is **S4D** (Gu et al. 2022, arXiv:2206.11893), here with real $A = -1, -2, \dots, -n$. A layer has such a
# system for each of its $d$ channels.

# %%
steps, n = 200, 16
A = -np.arange(1.0, n + 1)
B, C = np.ones(n), rng.normal(size=n)
u = rng.normal(size=steps)


def kernel(step, length):
    """K (length,) of the simple B."""
    return np.exp(np.outer(np.arange(length), step * A)) @ (C * step * B)


K = kernel(0.05, steps)
convolved = np.array([K[: t + 1][::-1] @ u[: t + 1] for t in range(steps)])
by_transform = np.fft.irfft(np.fft.rfft(K, 2 * steps) * np.fft.rfft(u, 2 * steps))[:steps]  # twice as long: no wrapping
constant = {"delta": np.full((1, steps, 1), 0.05), "A": A[None], "B": np.tile(B, (1, steps, 1)),
            "C": np.tile(C, (1, steps, 1))}  # fmt: skip
recurrent = kzoo.backend.selective_scan(
    ops.convert_to_tensor(u[None, :, None].astype("float32")),
    **{name: ops.convert_to_tensor(part.astype("float32")) for name, part in constant.items()},
)
np.testing.assert_allclose(by_transform, convolved, atol=1e-10)
np.testing.assert_allclose(numpy(recurrent)[0, :, 0], convolved, atol=1e-4)
print(f"{steps} steps: the sum, the Fourier transform and kzoo's scan, step by step, give the same outputs")
figure = new_figure(9, 3.4)
axes = figure.subplots()
for k, step in enumerate((0.001, 0.01, 0.1)):
    shape = np.abs(np.exp(np.outer(np.arange(400), step * A))).mean(axis=1)
    axes.plot(shape, color=color(k), linestyle=("-", "--", ":")[k], label=rf"$\Delta$ = {step:g}")
label(axes, x="steps back", y="what is left (mean of 16 units)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 2.** $\Delta$ is the size of a step in the system's own time, and so decides how long it remembers, in steps:
# about $1 / (\Delta |A|)$. Channels begin with different $\Delta$, from 0.001 to 0.1, as LSTMs did with different biases
# (chapter 8): a fresh network has memories of many lengths.

# %% [markdown]
# ## What it cannot do: choose
#
# $K_{t-s}$ asks *how long ago*, and never *what*. Such a system is **time-invariant**: shift the input, and the output
# is the same, shifted. It can forget after 50 steps. It cannot forget the commas and keep the names, whatever its
# weights. Attention chooses by content (chapter 10), but keeps everything. **Mamba** (Gu and Dao 2023, arXiv:2312.00752)
# lets the input of each step decide how it is written and read: **selection**. For a layer's input $u_t$ of width $d$,
#
# $$ \Delta_t = \operatorname{softplus}(u_t W_\Delta + b_\Delta), \qquad B_t = u_t W_B, \qquad C_t = u_t W_C, $$
#
# $$ h_t = e^{\Delta_t A} \odot h_{t-1} + \Delta_t B_t u_t, \qquad y_t = C_t h_t. $$
#
# $\Delta_t \to 0$: time stands still, the state is kept and the input is not seen. $\Delta_t$ large: much time has
# passed, the old state is gone, the input takes its place. A gate like the GRU's, and exactly one for $n = 1$ (exercise
# 2). $B_t$ decides *where* in the state it is written, $C_t$ what is read.


# %%
def scan(u, delta, A, B, C):
    """Inputs and steps (t, d), A (d, n), B and C (t, n) -> outputs (t, d)."""
    h, y = np.zeros_like(A), []
    for t in range(len(u)):
        h = np.exp(delta[t, :, None] * A) * h + (delta[t] * u[t])[:, None] * B[t]
        y.append(h @ C[t])
    return np.array(y)


t, d, n = 40, 6, 4
u, delta = rng.normal(size=(t, d)), rng.uniform(0.001, 1, size=(t, d))
A, B, C = -rng.uniform(0.5, 4, size=(d, n)), rng.normal(size=(t, n)), rng.normal(size=(t, n))


def tensors(*arrays):
    return [ops.convert_to_tensor(array.astype("float32")) for array in arrays]


theirs = kzoo.backend.selective_scan(*(part[None] for part in tensors(u, delta)), *tensors(A),
                                     *(part[None] for part in tensors(B, C)))  # fmt: skip
np.testing.assert_allclose(scan(u, delta, A, B, C), numpy(theirs)[0], atol=1e-5)

marked = np.zeros((60, 1))
marked[[8, 35]] = 1
values = rng.uniform(-1, 1, size=(60, 1))
one = np.ones((60, 1))
figure = new_figure(10, 3.6)
axes = figure.subplots()
axes.plot(values, color=GREY, linewidth=0.8, label="input")
axes.plot(np.flatnonzero(marked), values[[8, 35]], "D", color=BLACK, markersize=9, label="input, marked")
for step, shade, line in ((0.1, ORANGE, "--"), (0.7, PURPLE, ":")):
    kept = scan(values, np.full((60, 1), step), -np.ones((1, 1)), one, one)
    axes.plot(kept, color=shade, linestyle=line, linewidth=2, label=rf"$\Delta$ = {step} at each step")
held = scan(values / 6, 6 * marked + 1e-3, -np.ones((1, 1)), one, one)
axes.plot(held, color=BLUE, linewidth=2, label=r"selection: $\Delta$ = 6 at a mark, else 0.001")
label(axes, x="step", y="state of one unit (no unit)")
axes.grid(alpha=0.25)
axes.set_ylim(-1.9, 1.1)
axes.legend(ncols=2, loc="lower left", frameon=False)
print(f"marked {values[8, 0]:.2f}, held for 26 steps: {held[34, 0]:.2f}")
assert abs(held[34, 0] - values[8, 0]) < 0.05
figure

# %% [markdown]
# **Figure 3.** One number to remember among many. With the same $\Delta$ at each step (dashed, dotted) the state is some
# mean of the last inputs, longer or shorter, whatever they are. With a $\Delta$ that the mark decides (blue) it takes
# the marked number, holds it, and lets go of it at the next mark.

# %% [markdown]
# ## The scan: in parallel, and a trap
#
# The kernel is gone: with $\Delta_t$ of its own at each step there is no convolution any more. Is training a slow loop
# again, then? A step is the map $h \mapsto a h + b$, and two of them after one another are such a map, too:
#
# $$ (a, b) \text{ then } (a', b') = (a' a,\; a' b + b'). $$
#
# This is associative. So $t$ steps can be joined in pairs, pairs of pairs, and so on: $\log_2 t$ rounds, each of them in
# parallel. (On a CPU a good loop is as fast; kzoo chooses for each backend.)
#
# Tempting is a closed form. With the product of all decays so far, $P_t = a_1 \cdots a_t$, it is
# $h_t = P_t \sum_{s \le t} b_s / P_s$: two cumulative sums, no loop. It can be found in tutorials, with a small number
# added to $P_s$ so that nothing is divided by zero. On paper it is right.


# %%
def loop(a, b):
    h, path = 0 * b[0], []
    for decay, new in zip(a, b, strict=True):
        h = decay * h + new
        path.append(h)
    return np.array(path)


def doubling(a, b):
    """The same in log2(t) rounds: after round k each place holds the map of the last 2^k steps."""
    a, b, reach = a.copy(), b.copy(), 1
    while reach < len(a):
        b[reach:] = a[reach:] * b[:-reach] + b[reach:]
        a[reach:] = a[reach:] * a[:-reach]
        reach *= 2
    return b


def closed_form(a, b):
    products = np.cumprod(a, axis=0)
    return products * np.cumsum(b / (products + np.float32(1e-12)), axis=0)


lengths = 2 ** np.arange(4, 12)
errors = {"the loop": [], "doubling": [], "closed form": []}
for length in lengths:
    delta = np.exp(rng.uniform(np.log(0.001), np.log(0.1), size=(length, 64, 1)))  # as a fresh Mamba has them
    a, b = np.exp(-delta * np.arange(1, 17)), delta * rng.normal(size=(length, 64, 16))
    right = loop(a, b)
    for name, way in zip(errors, (loop, doubling, closed_form), strict=True):
        found = way(a.astype("float32"), b.astype("float32"))
        errors[name].append(np.linalg.norm(found - right) / np.linalg.norm(right))
figure = new_figure(9, 3.8)
axes = figure.subplots()
for k, (name, found) in enumerate(errors.items()):
    axes.loglog(lengths, found, color=color(k), marker=marker(k), linestyle=("-", "--", ":")[k], label=name)
axes.axhline(1, color=GREY, linewidth=1, label="all of it is wrong")
axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
axes.minorticks_off()
label(axes, x="steps (log axis)", y="relative error (log axis)")
axes.grid(alpha=0.25)
axes.legend()
print(
    "closed form:", *(f"{100 * e:.2g} % at {length}" for length, e in zip(lengths, errors["closed form"], strict=True))
)
assert max(errors["the loop"] + errors["doubling"]) < 1e-6
assert errors["closed form"][-1] > 0.5
figure

# %% [markdown]
# **Figure 4.** Three ways to the same state in float32, beside the loop in float64. $P_t$ falls exponentially: soon it
# is smaller than the small number that should save the division, and later smaller than any float32. What comes out
# looks like numbers, and no error is raised. kzoo multiplies decays and divides by none; its scan is tested against
# float64.

# %% [markdown]
# ## Mamba, whole
#
# A block widens the stream to $d = 2m$ channels, twice: $u$, which goes through a short convolution over the last four
# steps and then the selective scan, and $z$, which gates what comes out:
#
# $$ x \leftarrow x + \big( (\operatorname{scan}(u') + D \odot u') \odot \operatorname{silu}(z) \big) W_{out}, \qquad
#    u' = \operatorname{silu}(\operatorname{conv}(u)), $$
#
# with $\operatorname{silu}(z) = z\, \sigma(z)$. No attention, and no MLP beside it: this is the whole block. (Before it
# $x$ is divided by its root mean square. $\Delta$ comes through a bottleneck of some numbers.) $A$ is $-e^{A_{log}}$, and
# begins as S4D's.


# %%
def silu(x):
    return x / (1 + np.exp(-x))


def rms(x, scale):
    return x * scale / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5)


def mixer(x, w):
    """(t, m) -> (t, m) by the weights of a mixer."""
    u, z = np.split(x @ w["in_proj/kernel"], 2, axis=1)
    kernel = w["conv_kernel"]
    padded = np.concatenate([np.zeros((len(kernel) - 1, u.shape[1])), u])
    u = silu(sum(padded[k : k + len(u)] * row for k, row in enumerate(kernel)) + w["conv_bias"])
    n = w["A_log"].shape[1]
    dt, B, C = np.split(u @ w["x_proj/kernel"], [-2 * n, -n], axis=1)
    delta = np.logaddexp(0, dt @ w["dt_proj/kernel"] + w["dt_bias"])  # softplus
    y = scan(u, delta, -np.exp(w["A_log"]), B, C) + w["D"] * u
    return (y * silu(z)) @ w["out_proj/kernel"]


def mamba(tokens, model):
    """Tokens (t,) -> logits (t, v)."""
    w = {v.path: numpy(v).astype("float64") for v in model.weights}
    x = w["embedding/embeddings"][tokens]
    for layer in range(1, model.num_layers + 1):
        block = {name.split("/", 2)[2]: part for name, part in w.items() if name.startswith(f"block_{layer}/mixer/")}
        x = x + mixer(rms(x, w[f"block_{layer}/norm/scale"]), block)
    return rms(x, w["norm/scale"]) @ w["embedding/embeddings"].T


preset = kzoo.from_preset("mamba_shakespeare")
VOCABULARY = preset.vocabulary  # the characters themselves


def encode(text):
    return np.array([VOCABULARY.index(character) for character in text], "int32")


def read(text):
    """Logits (t, v) by kzoo."""
    return numpy(preset.stream(ops.convert_to_tensor(encode(text)[None]), preset.initial_state(1))[0])[0]


verse = "Shall I compare thee to a summer's day?\nThou art more lovely and"
ours, theirs = mamba(encode(verse), preset), read(verse)
np.testing.assert_allclose(ours, theirs, atol=2e-3)
print(f"{preset.count_params():,} weights; ours and kzoo's differ by {np.abs(ours - theirs).max():.0e} "
      f"at logits up to {np.abs(ours).max():.0f}")  # fmt: skip

# %% [markdown]
# ## Does selection matter? Copy the letters, not the blanks
#
# **Selective copying** (section 4.1 of the paper, here much smaller): two letters lie scattered among 62 blanks, and at
# the end they are to be recited in order. Where they lie is different each time, so that *how long ago* says nothing.
# Two models, all the same but for one option: with `selective=False` kzoo's blocks keep convolution, gate and all, and
# $\Delta$, $B$, $C$ are learned numbers that no input changes.

# %%
LENGTH, LETTERS, STEPS = 64, 2, 24 if FAST else 600
copying = kzoo.load_data("selective_copying", length=LENGTH, tokens=LETTERS, samples=36 * STEPS)
tokens, tested = len(copying.class_names), copying.y_test[:500]
curves, copiers = {}, {}
for name in ("selective", "time-invariant"):
    model = kzoo.create_model(
        "mamba", input_shape=(None,), num_outputs=tokens, vocabulary=tokens, hidden_dim=32, num_layers=2,
        selective=name == "selective", seed=0,
    )  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(0.0, STEPS, warmup_target=5e-3, warmup_steps=STEPS // 10)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), model.training_loss())
    curves[name], part = [], 32 * STEPS // 8
    for start in range(0, 8 * part, part):
        now = slice(start, start + part)
        model.fit(copying.x_train[now], copying.y_train[now], batch_size=32, epochs=1, shuffle=False, verbose=0)
        answers = model.predict(copying.x_test[:500], batch_size=100, verbose=0).argmax(axis=-1)
        curves[name].append((answers == tested)[tested >= 0].mean())
    copiers[name] = model
    print(f"{name:>14}: {100 * curves[name][-1]:.1f} % of the letters right after {STEPS} steps, "
          f"{model.count_params():,} weights")  # fmt: skip
figure = new_figure(8, 3.6)
axes = figure.subplots()
for (name, shares), shade, mark in zip(curves.items(), (BLUE, VERMILLION), "os", strict=True):
    axes.plot(STEPS // 8 * np.arange(1, 9), 100 * np.array(shares), color=shade, marker=mark, label=name)
axes.axhline(100 / (tokens - 2), color=GREY, linestyle=":", label="guessing")
axes.set_ylim(0, 103)
label(axes, x="training steps", y="letters that are right (%)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 5.** Which letters are recited, on sequences that were not trained on. The same blocks, the same data, the
# same optimizer; the one may choose what it writes down, the other may not.

# %%
signs = np.array([{"blank": "·", "recite": "?"}.get(name, name) for name in copying.class_names])[copying.x_test[:100]]
letters, blanks = np.isin(signs, ["·", "?"], invert=True), signs == "·"
figure = new_figure(8, 4.2)
axes = figure.subplots()
for mark, shade, block in (("o", BLUE, "block_1"), ("^", ORANGE, "block_2")):
    delta = copiers["selective"].trace(copying.x_test[:100])[block]["delta"]  # (100, t, d)
    at_letters, at_blanks = delta[letters].mean(axis=0), delta[blanks].mean(axis=0)
    axes.loglog(at_blanks, at_letters / at_blanks, mark, color=shade, alpha=0.7, label=block.replace("_", " "))
channel = int((at_letters / at_blanks).argmax())  # of the second block
axes.axhline(1, color=VERMILLION, label="time-invariant: all channels")
label(axes, x=r"$\Delta$ at a blank (log axis)", y=r"$\Delta$ at a letter / $\Delta$ at a blank (log axis)")
axes.legend()
axes.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 6.** Each point is a channel of the model that may select: how long are its steps, and how much longer at a
# letter than at a blank, in the mean over 100 sequences? Of the other model all channels lie on the line, because no
# input changes its steps. Channels above it take letters and pass blanks by; those below do the reverse.

# %%
delta = copiers["selective"].trace(copying.x_test[:1])["block_2"]["delta"][0, :, channel]
plots.delta_over_text(delta, signs[0], title=f"Channel {channel} of block 2, whose steps differ most",
                      columns=LENGTH + LETTERS)  # fmt: skip

# %% [markdown]
# **Figure 7.** One sequence of the task, coloured by the $\Delta$ of the channel of block 2 that lies furthest above the
# line of figure 6. At a pale token less time passes than at a dark one, where more of the old state goes and the new
# token takes its place. Not every letter moves it alike: the channels share the work.

# %% [markdown]
# ## What a language model writes down
#
# The same picture for the model that comes with kzoo, which has read Shakespeare's plays.

# %%
filled = encode(verse.ljust(preset.input_shape[1] or 0))[None]  # what stands behind the verse does not reach back
inside = preset.trace(filled)
means = np.array([parts["delta"][0, : len(verse)].mean(axis=-1) for parts in inside.values()])  # (layers, t)
relative = (means / means.mean(axis=1, keepdims=True)).mean(axis=0)  # each layer by its own mean
first = np.array([before in " \n" for before in " " + verse[:-1]]) & np.array([c.isalpha() for c in verse])
later = np.array([c.isalpha() for c in verse]) & ~first
for name, chosen in (
    ("first letters of words", first),
    ("later letters", later),
    ("all that is no letter", ~first & ~later),
):
    print(f"{name:>22}: {relative[chosen].mean():.3f} times the mean step")
plots.delta_over_text(relative, verse, title="Where does a language model write?", what="delta, in means of its layer")

# %% [markdown]
# **Figure 8.** Where is much written (dark), and where does the state pass by nearly unchanged (pale)? Nobody told the
# model that there are words. The print says whether it treats their beginnings otherwise than what follows. Mind the
# bar: in a mean over all channels and layers the differences are some percent; single channels differ by more.

# %%
few, layer = verse[:39], (preset.num_layers + 1) // 2
here = slice(len(few))
matrix = preset.implied_attention(filled, layer=layer, channel=0)[0, here, here]
u, delta, A, B, C = (part.astype("float64") for part in inside[f"block_{layer}"].values())
ours = scan(u[0, here, :1], delta[0, here, :1], A[:1], B[0, here], C[0, here])
np.testing.assert_allclose(matrix @ u[0, here, 0], ours[:, 0], atol=1e-4)
plots.implied_attention(matrix, few, title="The attention that a scan implies, of one channel")

# %% [markdown]
# **Figure 9.** A scan is linear in what it reads once $\Delta$, $B$ and $C$ stand, so it multiplies each channel by a
# triangle: $y = M u$ with $M_{ts} = C_t \big( \prod_{s < r \le t} e^{\Delta_r A} \big) \Delta_s B_s$. Compare it with
# chapter 10's maps. It may be negative, need not sum to 1, and is never computed in use. A dark column is a character
# that is remembered for long; a row that begins anew after some place shows a state that was let go there.

# %% [markdown]
# ## A memory that does not grow
#
# To write on, a model needs the state of each block, and nothing else: $l\,(d n + 3 d)$ numbers, the scan's state and the
# last three inputs of the convolution, after ten tokens as after a million. The Transformer's cache grew with every
# token. And since the state is all there is, a long text may be read in pieces.

# %%
state = preset.initial_state(1)
kept = sum(int(np.prod(part.shape)) for pair in state for part in pair)
whole = read(verse)
for place, token in enumerate(encode(verse[:20])):
    logits, state = preset.step(ops.convert_to_tensor([token], "int32"), state)
    np.testing.assert_allclose(numpy(logits)[0], whole[place], atol=2e-3)
assert sum(int(np.prod(part.shape)) for pair in state for part in pair) == kept
print(f"the state: {kept:,} numbers before the first token, and as many after the twentieth")

n = 2 ** np.arange(6, 21)
figure = new_figure(9, 3.8)
axes = figure.subplots()
axes.loglog(
    n, 4e-6 * 2 * 12 * 768 * n, color=VERMILLION, linestyle="--", label="Transformer: keys and values of all tokens"
)
axes.loglog(n, np.full(len(n), 4e-6 * 24 * (1536 * 16 + 3 * 1536)), color=BLUE, label="Mamba: its state")
axes.set_xticks(n[::2], [f"{x:,}" for x in n[::2]])
axes.minorticks_off()
label(axes, x="tokens read (log axis)", y="memory of one text (MB, log axis)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 10.** What has to be kept to write the next token, in float32, by the formulas of this chapter and the last,
# for two published sizes: GPT-2's smallest (12 layers of width 768) and Mamba's 130 million (24 layers of width 768,
# so $d$ = 1,536; $n$ = 16).

# %% [markdown]
# ## Mamba-2: the scan as attention
#
# Let a **head** of $p$ channels share one decay, a single number $A$ (Dao and Gu 2024, arXiv:2405.21060). Then the
# triangle of figure 9 is, for all channels of the head,
#
# $$ y = (L \odot C B^\top)\, (\Delta \odot x), \qquad L_{ts} = \exp \sum_{s < r \le t} \Delta_r A : $$
#
# attention with queries $C$, keys $B$, values $\Delta x$, without a softmax, and with a mask that *fades* in place of
# one that only hides. Products of matrices are what hardware does best. In full it costs $t^2$, so one does it within
# chunks and hands a state from chunk to chunk: still linear in $t$.

# %%
t, heads, p, n = 50, 2, 8, 5
x, delta = rng.normal(size=(t, heads, p)), rng.uniform(0.01, 1, size=(t, heads))
A, B, C = np.array([-0.5, -2.0]), rng.normal(size=(t, n)), rng.normal(size=(t, n))
as_attention, as_scan = np.zeros_like(x), np.zeros_like(x)
for head in range(heads):
    total = np.cumsum(delta[:, head] * A[head])
    fading = np.tril(np.exp(np.minimum(total[:, None] - total, 0)))
    as_attention[:, head] = (fading * (C @ B.T)) @ (delta[:, head, None] * x[:, head])
    as_scan[:, head] = scan(x[:, head], np.tile(delta[:, head, None], p), np.full((p, n), A[head]), B, C)
np.testing.assert_allclose(as_attention, as_scan, atol=1e-12)
shaped = tensors(x[None], delta[None], A, B[None, :, None], C[None, :, None])
for chunk in (1, 7, 16, 64):
    np.testing.assert_allclose(numpy(ssd(*shaped, chunk=chunk))[0], as_scan, atol=1e-4)
print("a product of matrices, a loop over 50 steps, and kzoo's chunks of 1, 7, 16 and 64 give the same outputs")

# %% [markdown]
# ## What breaks it
#
# **A memory of fixed size is full at some time.** What a head keeps is a matrix, $h = \sum_s v_s k_s^\top$: values filed
# under keys (its $B$). Asked with a key, it answers $h k$: the right value, plus a bit of all others whose keys are not
# at right angles to this one. In $n$ dimensions there are no more than $n$ right angles. Attention keeps each pair by
# itself, and has no such limit: it pays with a cache.

# %%
pairs = np.array([1, 2, 4, 8, 16, 32, 64, 128])
figure = new_figure(9, 3.8)
axes = figure.subplots()
for k, n in enumerate((8, 16, 64)):
    right = []
    for count in pairs:
        keys = rng.normal(size=(40, count, n))
        keys /= np.linalg.norm(keys, axis=-1, keepdims=True)
        letters = rng.integers(0, 16, size=(40, count))
        state = np.einsum("bsv,bsn->bvn", np.eye(16)[letters], keys)  # no decay: nothing is let go
        answers = np.einsum("bvn,bsn->bsv", state, keys).argmax(axis=-1)
        right.append(100 * (answers == letters).mean())
    axes.plot(pairs, right, color=color(k), marker=marker(k), linestyle=("-", "--", ":")[k], label=f"state of 16 x {n}")
axes.plot(pairs, np.full(len(pairs), 100.0), color=BLACK, linewidth=1, label="attention: each pair by itself")
axes.axhline(100 / 16, color=GREY, linestyle="-.", label="guessing")
axes.set_xscale("log", base=2)
axes.set_xticks(pairs, [str(count) for count in pairs])
axes.set_ylim(0, 103)
label(axes, x="pairs that were written (log axis)", y="letters that are right (%)")
axes.grid(alpha=0.25)
axes.legend()
figure

# %% [markdown]
# **Figure 11.** Letters filed under random keys and asked for again. As long as there are far fewer pairs than
# dimensions of a key, all comes back. Then it gets worse with every pair more. A trained model does better than random
# keys, and forgets what it will not need; but a state of $n$ numbers cannot hold a text of any length word for word. To
# copy long texts exactly is where Transformers stay ahead (Jelassi et al. 2024, arXiv:2402.01032), and why many large
# models of today mix a few attention layers into many layers of this kind.

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** How many steps does a unit with rate $A$ remember at step size $\Delta$, until $1/e$ is left? Look at a
# fresh model of kzoo: between which numbers do the $\Delta$ of its biases lie, and how far do its memories reach?
#
# <details>
# <summary>Solution</summary>
#
# $e^{k \Delta A} = 1/e$ for $k = 1 / (\Delta |A|)$. With $\Delta$ from 0.001 to 0.1 and $A$ from $-1$ to $-16$: from
# less than one step to a thousand.
#
# ```python
# fresh = kzoo.create_model("mamba", input_shape=(None,), num_outputs=10, vocabulary=10, hidden_dim=32, num_layers=2, seed=0)
# found = {v.path: numpy(v).astype("float64") for v in fresh.weights}
# biases = np.logaddexp(0, found["block_1/mixer/dt_bias"])
# rates = np.exp(found["block_1/mixer/A_log"])
# memories = 1 / (biases[:, None] * rates)
# print(f"Delta from {biases.min():.4f} to {biases.max():.4f}; memories from {memories.min():.1f} to {memories.max():.0f} steps")
# assert biases.min() >= 0.001 - 1e-6
# assert biases.max() <= 0.1 + 1e-6
# np.testing.assert_allclose(rates[0], np.arange(1, 17), rtol=1e-5)
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Let $n = 1$, $A = -1$ and $B = 1$, with the exact $\bar B$ of zero-order hold, and
# $\Delta = \operatorname{softplus}(z)$. Show that the step is the GRU's: $h_t = (1 - g)\, h_{t-1} + g\, u_t$ with the gate
# $g = \sigma(z)$. (This is theorem 1 of the paper.)
#
# <details>
# <summary>Solution</summary>
#
# $e^{-\operatorname{softplus}(z)} = 1 / (1 + e^z) = 1 - \sigma(z)$, and $\bar B = (e^{-\Delta} - 1) / (-1) = 1 -
# e^{-\Delta} = \sigma(z)$.
#
# ```python
# z = np.linspace(-6, 6, 25)
# delta, gate = np.logaddexp(0, z), 1 / (1 + np.exp(-z))
# np.testing.assert_allclose(np.exp(-delta), 1 - gate)
# np.testing.assert_allclose((np.exp(-delta) - 1) / -1, gate)
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Shift the input of a time-invariant system by ten steps, and that of a selective one. Which outputs are
# the same, shifted? Then put ten blanks *between* two inputs instead. Which of the two can give the same answer in the
# end?
#
# <details>
# <summary>Solution</summary>
#
# A shift from the start changes neither, since both begin with an empty state. Blanks in between are seen by the fixed
# one alone: it has forgotten ten steps' worth. The selective one gives them a $\Delta$ of 0, and they have not happened.
#
# ```python
# def last(u, delta):
#     one = np.ones((len(u), 1))
#     return scan(u, delta, -np.ones((1, 1)), one, one)[-1, 0]
#
# u = np.array([[1.0], [2.0]])
# blanks = np.zeros((10, 1))
# before, between = np.concatenate([blanks, u]), np.concatenate([u[:1], blanks, u[1:]])
# chosen = {"fixed": lambda x: np.full_like(x, 0.5), "selective": lambda x: 0.5 * (x != 0)}
# ends = {name: [last(x, rule(x)) for x in (u, before, between)] for name, rule in chosen.items()}
# for name, (whole_row, shifted, spread) in ends.items():
#     print(f"{name:>9}: {whole_row:.3f} at first, {shifted:.3f} shifted, {spread:.3f} with blanks between")
# np.testing.assert_allclose(ends["selective"], ends["selective"][0])
# assert ends["fixed"][0] == ends["fixed"][1] != ends["fixed"][2]
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Show by numbers that joining two steps is associative, that it is not commutative, and that `doubling`
# makes about $t \log_2 t$ products where the loop makes $t$. Why is it used on a GPU all the same?
#
# <details>
# <summary>Solution</summary>
#
# Because a GPU has more multipliers than a loop can feed: ten rounds of 1,024 products at once take less time than
# 1,024 products one after the other.
#
# ```python
# def join(first, second):
#     return second[0] * first[0], second[0] * first[1] + second[1]
#
# p, q, r = rng.uniform(0, 1, size=(3, 2))
# np.testing.assert_allclose(join(join(p, q), r), join(p, join(q, r)))
# assert not np.allclose(join(p, q), join(q, p))
# products = sum(2 * (1024 - 2**k) for k in range(10))
# print(f"1,024 steps: {products:,} products in 10 rounds, 1,024 in the loop")
# assert 1024 * 10 < products < 2 * 1024 * 10
# ```
#
# </details>

# %% [markdown]
# **Exercise 5.** Read a text in pieces of 6 and of 21 characters, and hand the state on. Are the logits those of the
# whole text? What do they become in the second line if you *drop* the state after the first?
#
# <details>
# <summary>Solution</summary>
#
# They are the same but for rounding. Without the state it has read the second line alone.
#
# ```python
# for size in (6, 21):
#     state, pieces = preset.initial_state(1), []
#     for start in range(0, len(verse), size):
#         piece = ops.convert_to_tensor(encode(verse[start : start + size])[None])
#         logits, state = preset.stream(piece, state)
#         pieces.append(numpy(logits)[0])
#     np.testing.assert_allclose(np.concatenate(pieces), whole, atol=2e-3)
# alone = mamba(encode(verse[40:]), preset)  # the second line without the first
# print(f"without the state of the first line the logits differ by up to {np.abs(alone - whole[40:]).max():.1f}")
# assert np.abs(alone - whole[40:]).max() > 0.1
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A linear system, looked at in steps of size $\Delta$, is a recurrent network with decays between 0 and 1.
# - With fixed weights it is a convolution as well: trained all at once, used step by step. It sees how long ago, not what.
# - Mamba lets each input choose $\Delta$, $B$ and $C$: how strongly, where it is written, and what is read.
# - The scan is associative, so it runs in parallel. Multiply decays; never divide by their product.
# - The state does not grow, and so has a capacity. Attention has none, and a cache that grows.
#
# To read on: Gu et al., *On the parameterization and initialization of diagonal state space models*, arXiv:2206.11893.
# Gu and Dao, *Mamba*, arXiv:2312.00752. Dao and Gu, *Transformers are SSMs*, arXiv:2405.21060. In kzoo:
# `kzoo/ops/state_space.py`, `kzoo/layers/mamba.py`, `kzoo/models/mamba.py`.
