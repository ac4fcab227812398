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
