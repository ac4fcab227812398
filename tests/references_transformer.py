"""The transformer once more, in NumPy and float64, head by head: the oracle of its tests."""

import numpy as np


def transformer_block(x, weights, heads, causal=True, rotary=False, use_bias=True):
    """The outputs (b, t, d) of a pre-norm block on x (b, t, d), and its attention's weights (b, h, t, t).

    `weights` are float64 arrays by the paths of kzoo's variables inside of a block, such as "attention/qkv/kernel".
    """
    length, width = x.shape[1], x.shape[2]
    p = width // heads

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + (weights[f"{name}/bias"] if use_bias else 0)

    qkv, found, maps = dense(norm(x, weights, "norm_1"), "attention/qkv"), [], []
    for h in range(heads):
        q, k, v = (qkv[..., part * width + h * p : part * width + (h + 1) * p] for part in range(3))
        if rotary:
            q, k = turned(q), turned(k)
        scores = np.einsum("btp,bsp->bts", q, k) / np.sqrt(p)
        if causal:
            scores[:, ~np.tri(length, dtype=bool)] = -np.inf
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        maps.append(share)
        found.append(np.einsum("bts,bsp->btp", share, v))
    x = x + dense(np.concatenate(found, axis=-1), "attention/project")
    wide = dense(norm(x, weights, "norm_2"), "expand")
    # The logistic function in place of gelu's tanh: (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)).
    gelu = wide / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))
    return x + dense(gelu, "contract"), np.stack(maps, axis=1)


def norm(x, weights, name):
    """Layer normalisation over the last axis, with a shift where there is one."""
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}/gamma"] + weights.get(f"{name}/beta", 0)


def turned(x):
    """Rotary positions of one head (b, t, p), as complex numbers whose parts stand half a head apart."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), 10_000.0 ** (-np.arange(half) / half))
    y = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([y.real, y.imag], axis=-1)
