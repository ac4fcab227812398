"""Models once more, in NumPy and float64, a step at a time: the oracles of their tests."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(x, kernel, recurrent, bias, activation=np.tanh):
    """States (b, t, u) of a simple recurrent layer on (b, t, d)."""
    h, states = np.zeros((len(x), len(recurrent))), []
    for x_t in x.swapaxes(0, 1):
        h = activation(x_t @ kernel + h @ recurrent + bias)
        states.append(h)
    return {"state": np.stack(states, axis=1)}


def lstm(x, kernel, recurrent, bias):
    """Gates and states (b, t, u) of an LSTM layer; the weights' columns are i, f, candidate, o."""
    h = c = np.zeros((len(x), len(recurrent)))
    found = {name: [] for name in ("input", "forget", "candidate", "output", "cell", "state")}
    for x_t in x.swapaxes(0, 1):
        i, f, g, o = np.split(x_t @ kernel + h @ recurrent + bias, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in zip(found, (i, f, g, o, c, h), strict=True):
            found[name].append(value)
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def gru(x, kernel, recurrent, bias):
    """Gates and states (b, t, u) of a GRU layer; the weights' columns are z, r, candidate, the bias has two rows."""
    h = np.zeros((len(x), len(recurrent)))
    found = {name: [] for name in ("update", "reset", "candidate", "state")}
    for x_t in x.swapaxes(0, 1):
        xz, xr, xg = np.split(x_t @ kernel + bias[0], 3, axis=-1)
        hz, hr, hg = np.split(h @ recurrent + bias[1], 3, axis=-1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        g = np.tanh(xg + r * hg)
        h = z * h + (1 - z) * g
        for name, value in zip(found, (z, r, g, h), strict=True):
            found[name].append(value)
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def rms_norm(x, scale):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5) * scale


def _depthwise(x, kernel, bias):
    """silu of a causal convolution (b, t, c) of each channel with its taps (w, c), the present step's tap last."""
    y = np.zeros_like(x) + bias
    for t in range(x.shape[1]):
        for k in range(len(kernel)):
            if t - k >= 0:
                y[:, t] += kernel[-1 - k] * x[:, t - k]
    return y * sigmoid(y)


def mamba1(x, w):
    """The mixer of Mamba on (b, t, m); `w` by the layer's names, without x_proj a mixer that selects nothing."""
    u, z = np.split(x @ w["in_proj"], 2, axis=-1)
    u = _depthwise(u, w["conv_kernel"], w["conv_bias"])
    d, n = w["A_log"].shape
    h, ys = np.zeros((len(x), d, n)), []
    for t in range(x.shape[1]):
        if "x_proj" in w:
            rank = w["dt_proj"].shape[0]
            dt, write, read = np.split(u[:, t, None] @ w["x_proj"], [rank, rank + n], axis=-1)
            delta = np.log1p(np.exp(dt[:, 0] @ w["dt_proj"] + w["dt_bias"]))
        else:
            write, read, delta = w["B"], w["C"], np.log1p(np.exp(w["dt_bias"])) * np.ones((len(x), d))
        h = np.exp(-np.exp(w["A_log"]) * delta[..., None]) * h + write * (delta * u[:, t])[..., None]
        ys.append((h * read).sum(axis=-1) + w["D"] * u[:, t])
    y = np.stack(ys, axis=1) * z * sigmoid(z)
    return y @ w["out_proj"]


def mamba2(x, w, groups):
    """The mixer of Mamba-2 on (b, t, m), a head at a time; `w` by the layer's names."""
    (d, _), (heads,), channels = w["out_proj"].shape, w["A_log"].shape, len(w["conv_bias"])
    n, p = (channels - d) // (2 * groups), d // heads
    z, read, dt = np.split(x @ w["in_proj"], [d, d + channels], axis=-1)
    read = _depthwise(read, w["conv_kernel"], w["conv_bias"])
    delta = np.log1p(np.exp(dt + w["dt_bias"]))
    y = np.zeros((*x.shape[:2], d))
    for head in range(heads):
        group, own = head * groups // heads, slice(head * p, (head + 1) * p)
        write = read[..., d + group * n : d + (group + 1) * n]
        out = read[..., d + (groups + group) * n : d + (groups + group + 1) * n]
        h = np.zeros((len(x), p, n))
        for t in range(x.shape[1]):
            step = delta[:, t, head, None, None]
            u = read[:, t, own]
            h = np.exp(-np.exp(w["A_log"][head]) * step) * h + step * u[:, :, None] * write[:, t, None]
            y[:, t, own] = (h * out[:, t, None]).sum(axis=-1) + w["D"][head] * u
    parts = zip(*(np.split(part, groups, axis=-1) for part in (y * z * sigmoid(z), w["norm"])), strict=True)
    return np.concatenate([rms_norm(part, scale) for part, scale in parts], axis=-1) @ w["out_proj"]
