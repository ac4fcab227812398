"""Movements for a network with several time constants: curves in the plane that repeat, and sequences made of them.

A primitive is a Lissajous curve that is walked round and round. All begin at the same point, home, so that where the
pen is does not tell which of them comes next. A composition walks one primitive a number of times and then another:
what it asks of a network is to know both how to move and how far it has got. It is the counterpart, in the plane, of
the robot's behaviours made of primitives in Yamashita and Tani 2008, doi:10.1371/journal.pcbi.1000220.

Sequences are float32 (n, t, 2) with every coordinate in [-0.8, 0.8], which tanh reaches with room to spare.
"""

import math

import numpy as np

from kzoo.data.checks import check_integer, check_number

AMPLITUDE = 0.8

# name -> turns of x and of y in one cycle; a negative number turns the other way. At home both are at the same place:
# x = 0.8 cos 0, y = 0.8 sin 0. Two turns and one give no loop but an arc that is walked to and fro, and are not here.
PRIMITIVES = {
    "circle": (1, 1),
    "eight": (1, 2),
    "three loops": (3, 1),
    "circle back": (1, -1),
    "wave": (1, 3),
}


def lissajous(turns_x, turns_y, steps, period, amplitude=AMPLITUDE, phase=math.pi / 2):
    """A curve of Lissajous: x = a sin(2 pi turns_x k / period + phase), y = a sin(2 pi turns_y k / period).

    Arguments:
        turns_x, turns_y: whole turns of each coordinate in one cycle.
        steps: how many points, k = 0, 1, ...
        period: steps of one cycle, 2 or more.
        amplitude: a, in the units of the plane.
        phase: in radians; with pi/2 every curve begins at (a, 0).

    Returns: float64 array (steps, 2).
    Raises: ValueError if an argument is out of range.
    """
    check_integer("steps", steps, 1)
    check_integer("period", period, 2)
    check_number("amplitude", amplitude, lambda v: 0 < v < math.inf, "a length, above 0")
    angle = 2 * math.pi * np.arange(steps) / period
    return amplitude * np.stack([np.sin(turns_x * angle + phase), np.sin(turns_y * angle)], axis=1)


def sequence(order, cycles=8, period=20, rest=8):
    """A rest at home, then the primitives of `order`, each walked `cycles` times, and home again.

    The rest gives a network the steps that it needs until its slow units have reached the outputs.

    Arguments:
        order: names of `PRIMITIVES`, one or more.
        cycles: how often each is walked, 1 or more.
        period: steps of one cycle, 2 or more.
        rest: steps at home before the first, 0 or more.

    Returns: float32 array (rest + len(order) cycles period + 1, 2).
    Raises: ValueError if a name is unknown or a number is out of range.
    """
    cycles, period = check_integer("cycles", cycles, 1), check_integer("period", period, 2)
    order = [order] if isinstance(order, str) else list(order)
    if not order or not set(order) <= set(PRIMITIVES):
        raise ValueError(f"`order` must hold one or more of: {', '.join(PRIMITIVES)}. Received: {order!r}.")
    home = lissajous(*PRIMITIVES[order[0]], check_integer("rest", rest, 0) + 1, period)
    walked = [lissajous(*PRIMITIVES[name], cycles * period, period) for name in order]
    return np.concatenate([home[:1].repeat(rest, axis=0), *walked, home[:1]]).astype(np.float32)


def primitives(rng, samples=5, cycles=6, period=24, rest=8, noise=0.0):
    """One sequence for each of the first `samples` primitives, which it walks `cycles` times.

    Arguments:
        rng: `numpy.random.Generator` of the noise.
        samples: n, from 1 to 5.
        cycles, period, rest: as in `sequence`.
        noise: standard deviation of the Gaussian added to every coordinate, in the units of the plane.

    Returns: float32 array (n, rest + cycles period + 1, 2).
    Raises: ValueError if an argument is out of range.
    """
    names = list(PRIMITIVES)[: check_integer("samples", samples, 1, len(PRIMITIVES))]
    return _with_noise(rng, np.stack([sequence(name, cycles, period, rest) for name in names]), noise)


def compositions(rng, samples=3, parts=2, cycles=8, period=20, rest=8, kinds=3, noise=0.0):
    """Sequences of `parts` primitives each, no primitive twice in a row, no order twice.

    Arguments:
        rng: `numpy.random.Generator` that chooses the orders, and the noise.
        samples: n, from 1 to the number of orders, kinds (kinds - 1)^(parts - 1).
        parts: primitives in a sequence, 1 or more.
        cycles, period, rest: as in `sequence`.
        kinds: how many of `PRIMITIVES` are used, the first ones, from 2 to 5.
        noise: as in `primitives`.

    Returns: float32 array (n, rest + parts cycles period + 1, 2), and the orders: n tuples of names.
    Raises: ValueError if an argument is out of range.
    """
    kinds, parts = check_integer("kinds", kinds, 2, len(PRIMITIVES)), check_integer("parts", parts, 1)
    if kinds * (kinds - 1) ** (parts - 1) > 100_000:
        raise ValueError(f"`parts` is too large: {parts} parts of {kinds} kinds have over 100,000 orders. Take fewer.")
    every = [(name,) for name in list(PRIMITIVES)[:kinds]]
    for _ in range(parts - 1):
        every = [(*order, name) for order in every for name in list(PRIMITIVES)[:kinds] if name != order[-1]]
    chosen = rng.permutation(len(every))[: check_integer("samples", samples, 1, len(every))]
    orders = [every[i] for i in chosen]
    return _with_noise(rng, np.stack([sequence(order, cycles, period, rest) for order in orders]), noise), orders


def lessons(sequences, copies=1):
    """What a network that foretells the next step is given, and what it is to answer.

    Arguments:
        sequences: array (n, t + 1, d) with t >= 1.
        copies: how often all of them come, 1 or more: a few sequences make a short epoch.

    Returns: x, a dictionary of "teacher", float32 (copies n, t, d), the sequences without their last step, and
        "index", int32 (copies n, 1), which sequence it is; and y, float32 (copies n, t, d), the sequences without
        their first step.
    Raises: ValueError if the array has not three axes, holds no sequence or one shorter than two steps, or `copies`
        is out of range.
    """
    sequences = np.asarray(sequences, np.float32)
    if sequences.ndim != 3 or not len(sequences) or sequences.shape[1] < 2:
        raise ValueError(
            f"`sequences` must be of shape (n, t + 1, d) with two steps or more. Received: shape {sequences.shape}. "
            "A single sequence is sequences[None]."
        )
    index = np.arange(len(sequences), dtype=np.int32)[:, None]
    index = np.concatenate([index] * check_integer("copies", copies, 1))
    every = sequences[index[:, 0]]
    return {"teacher": every[:, :-1], "index": index}, every[:, 1:]


def population_code(values, units=10, width=0.2):
    """Each number as the activity of a group of units, each with a favourite value: what a softmax output learns.

        p_j = exp(-(v - c_j)^2 / (2 width^2)) / sum over i of exp(-(v - c_i)^2 / (2 width^2)),   c_j from -1 to 1

    Arguments:
        values: array (..., d) of numbers in [-1, 1].
        units: units of a group, 2 or more; their favourite values lie evenly from -1 to 1.
        width: of a unit's tuning, in the units of the values, above 0.

    Returns: float32 array (..., d units), the groups one after the other; each sums to 1.
    Raises: ValueError if an argument is out of range.
    """
    values, units = np.asarray(values, float), check_integer("units", units, 2)
    check_number("width", width, lambda v: 0 < v < math.inf, "a width, above 0")
    if not values.ndim or not (np.abs(values) <= 1).all():
        raise ValueError("`values` must be of shape (..., d), every number from -1 to 1. Divide by the largest one.")
    activity = np.exp(-0.5 * np.square((values[..., None] - np.linspace(-1, 1, units)) / width))
    activity /= activity.sum(axis=-1, keepdims=True)
    return activity.reshape(*values.shape[:-1], -1).astype(np.float32)


def from_population_code(code, units=10, width=0.2):
    """The numbers behind a `population_code`: the mean of the favourite values, mended at the ends.

    Near -1 and 1 a group lacks units on one side, so that its mean lies too far inward; the mean of every number is
    known, and is read backwards.

    Arguments:
        code: array (..., d units) of activities that sum to 1 in each group.
        units, width: as in `population_code`.

    Returns: float32 array (..., d), numbers in [-1, 1].
    Raises: ValueError if the last axis does not split into groups.
    """
    code = np.asarray(code, float)
    if not code.ndim or code.shape[-1] % check_integer("units", units, 2):
        raise ValueError(f"The last axis must hold groups of {units} units. Received: shape {code.shape}.")
    favourites = np.linspace(-1, 1, units)
    grid = np.linspace(-1, 1, 2001)
    means = population_code(grid[:, None], units, width).astype(float) @ favourites
    found = code.reshape(*code.shape[:-1], -1, units) @ favourites
    return np.interp(found, means, grid).astype(np.float32)


def _with_noise(rng, clean, noise):
    check_number("noise", noise, lambda v: 0 <= v < math.inf, "a standard deviation, 0 or more")
    # Drawn at noise=0 too, so that the noise alone changes from one level to the next.
    drawn = rng.standard_normal(clean.shape)
    return (clean + noise * drawn).astype(np.float32) if noise else clean
