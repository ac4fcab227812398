"""GPT-2, Mamba and Mamba-2 in NumPy and float64, straight from the tensors of a file of Hugging Face's.

The oracles of the conversion: nothing here knows kzoo's layers, or what its weights are called. The equations are those
of the papers (Radford et al. 2019; arXiv:2312.00752; arXiv:2405.21060), a step of time after the other.

Each takes `state`, name -> array as the file has it, with today's names; `config`, the object in config.json; and
tokens (b, t). It gives logits (b, t, v).
"""

import numpy as np


def logits(state, config, tokens):
    """Logits (b, t, v) of any of the three."""
    state = {name: np.asarray(value, "float64") for name, value in state.items()}
    model = {"gpt2": gpt2, "mamba": mamba, "mamba2": mamba2}[config["model_type"]]
    hidden, table = model(state, config, np.asarray(tokens))
    return hidden @ state.get("lm_head.weight", table).T


def gpt2(state, config, tokens):
    """What the head reads (b, t, d), and the table of the embedding (v, d)."""

    def normed(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_epsilon"])
        return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]

    def product(x, name):
        return x @ state[f"{name}.weight"] + state[f"{name}.bias"]

    table, steps = state["transformer.wte.weight"], tokens.shape[1]
    x = table[tokens] + state["transformer.wpe.weight"][:steps]
    width = x.shape[-1] // config["n_head"]
    for layer in range(config["n_layer"]):
        name = f"transformer.h.{layer}"
        qkv = product(normed(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
        q, k, v = np.split(qkv, 3, axis=-1)
        found = np.zeros_like(x)
        for head in range(config["n_head"]):
            its = slice(head * width, (head + 1) * width)
            for t in range(steps):
                scores = (k[:, : t + 1, its] * q[:, t : t + 1, its]).sum(-1) / np.sqrt(width)  # (b, t + 1)
                weights = np.exp(scores - scores.max(-1, keepdims=True))
                weights /= weights.sum(-1, keepdims=True)
                found[:, t, its] = (weights[..., None] * v[:, : t + 1, its]).sum(1)
        x = x + product(found, f"{name}.attn.c_proj")
        inner = product(normed(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        inner = inner / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
        x = x + product(inner, f"{name}.mlp.c_proj")
    return normed(x, "transformer.ln_f"), table


def mamba(state, config, tokens):
    """What the head reads (b, t, m), and the table of the embedding (v, m)."""

    def mixer(x, w):
        u, z = np.split(x @ w["in_proj.weight"].T, 2, axis=-1)
        u = _silu(_convolved(u, w["conv1d.weight"], w["conv1d.bias"]))
        rank, n = w["dt_proj.weight"].shape[1], w["A_log"].shape[1]
        dt, b, c = np.split(u @ w["x_proj.weight"].T, [rank, rank + n], axis=-1)
        delta = np.log1p(np.exp(dt @ w["dt_proj.weight"].T + w["dt_proj.bias"]))
        h, y = np.zeros((len(x), *w["A_log"].shape)), np.zeros_like(u)
        for t in range(x.shape[1]):
            decay = np.exp(-delta[:, t, :, None] * np.exp(w["A_log"]))
            h = decay * h + (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
            y[:, t] = (h * c[:, t, None]).sum(-1) + w["D"] * u[:, t]
        return (y * _silu(z)) @ w["out_proj.weight"].T

    return _stacked(state, config, tokens, mixer)


def mamba2(state, config, tokens):
    """What the head reads (b, t, m), and the table of the embedding (v, m)."""
    heads, p, groups, n = (config[key] for key in ("num_heads", "head_dim", "n_groups", "state_size"))

    def mixer(x, w):
        d = heads * p
        z, u, dt = np.split(x @ w["in_proj.weight"].T, [d, 2 * d + 2 * groups * n], axis=-1)
        u = _silu(_convolved(u, w["conv1d.weight"], w["conv1d.bias"]))
        u, b, c = np.split(u, [d, d + groups * n], axis=-1)
        delta = np.log1p(np.exp(dt + w["dt_bias"]))
        y = np.zeros_like(u)
        for head in range(heads):
            its, group = slice(head * p, (head + 1) * p), head // (heads // groups)
            vectors = slice(group * n, (group + 1) * n)
            h = np.zeros((len(x), p, n))
            for t in range(x.shape[1]):
                step = delta[:, t, head, None, None]
                entering = u[:, t, its, None] * b[:, t, None, vectors]
                h = np.exp(-step * np.exp(w["A_log"][head])) * h + step * entering
                y[:, t, its] = (h * c[:, t, None, vectors]).sum(-1) + w["D"][head] * u[:, t, its]
        y = y * _silu(z)
        # Each group of channels has a norm of its own.
        parts = [_rms(part, config) for part in np.split(y, groups, axis=-1)]
        return (np.concatenate(parts, axis=-1) * w["norm.weight"]) @ w["out_proj.weight"].T

    return _stacked(state, config, tokens, mixer)


def _stacked(state, config, tokens, mixer):
    table = state["backbone.embeddings.weight"]
    x = table[tokens]
    for layer in range(config["num_hidden_layers"]):
        name = f"backbone.layers.{layer}."
        its = {key.removeprefix(f"{name}mixer."): state[key] for key in state if key.startswith(f"{name}mixer.")}
        x = x + mixer(_rms(x, config) * state[f"{name}norm.weight"], its)
    return _rms(x, config) * state["backbone.norm_f.weight"], table


def _rms(x, config):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + config["layer_norm_epsilon"])


def _silu(x):
    return x / (1 + np.exp(-x))


def _convolved(x, kernel, bias):
    """Each channel of (b, t, c) with its own taps (c, 1, w), the last of which is for the present."""
    width = kernel.shape[-1]
    padded = np.concatenate([np.zeros((len(x), width - 1, x.shape[-1])), x], axis=1)
    return bias + sum(kernel[:, 0, k] * padded[:, k : k + x.shape[1]] for k in range(width))
