"""From the name of a data set to its samples, as they are before a validation part is split off.

One loader stands for each kind of data set: a function (name, seed, smoke, arguments) to a `RawData`.
"""

from functools import partial

import numpy as np

from kzoo.data import images, points, primitives, sequences, text
from kzoo.data.catalogue import TABLE
from kzoo.data.checks import check_integer
from kzoo.data.dataset import RawData, stratified_indices
from kzoo.data.seeds import generator

# How often an epoch of movements shows each of them.
MOVEMENT_REPEATS = 50
# The most samples of `smoke=True`: in the training and validation part together, and in the test part.
SMOKE_TRAIN, SMOKE_TEST = 256, 128
# Characters that a window of text holds, as in nanoGPT's run for a CPU.
TEXT_WINDOW = 64
# Test samples of a computed set of sequences: an error below 0.001 is then known to some percent.
SEQUENCE_TEST = 1000


def _load_images(name, seed, smoke, arguments):
    return _fewer_images(getattr(images, name)(), smoke)  # a set's loader bears its name


def _fewer_images(raw, smoke):
    if not smoke:
        return raw
    train = stratified_indices(raw.y_train, min(SMOKE_TRAIN, len(raw.y_train)), generator("smoke"))
    test = stratified_indices(raw.y_test, min(SMOKE_TEST, len(raw.y_test)), generator("smoke"))
    return raw._replace(
        x_train=raw.x_train[train],
        y_train=raw.y_train[train],
        x_test=raw.x_test[test],
        y_test=raw.y_test[test],
    )


def _load_points(name, seed, smoke, arguments):
    make = getattr(points, name)
    if smoke:
        arguments["samples"] = _fewer_samples(arguments)
    x_train, y_train = make(generator("points", seed, 0), **arguments)
    x_test, y_test = make(generator("points", seed, 1), **arguments)
    if smoke:
        x_test, y_test = x_test[:SMOKE_TEST], y_test[:SMOKE_TEST]
    names = {
        "spirals": tuple(f"arm {k}" for k in range(y_train.max() + 1)),
        "moons": ("upper moon", "lower moon"),
        "xor": ("equal signs", "different signs"),
        "ring": tuple(f"cloud {k}" for k in range(y_train.max() + 1)),
    }
    return RawData(x_train, y_train, x_test, y_test, 1, names[name])


def _load_sequences(name, seed, smoke, arguments):
    make = getattr(sequences, name)
    if smoke and "samples" in TABLE[name].arguments:
        arguments["samples"] = _fewer_samples(arguments)
    test = SMOKE_TEST if smoke else SEQUENCE_TEST
    if name in _MEMORY:
        x_train, y_train = make(generator("sequences", seed, 0), **arguments)
        x_test, y_test = make(generator("sequences", seed, 1), **{**arguments, "samples": test})
        fresh = (lambda x, y: partial(make, **{**arguments, "samples": len(y)})) if name in _FRESH else None
        return RawData(x_train, y_train, x_test, y_test, 1, _MEMORY[name], fresh=fresh)
    if name == "mackey_glass":
        return RawData(*make(generator("sequences", seed), test=test, **arguments), 1, (), in_time=True)
    if name == "sunspots":  # fewer than smoke allows
        return RawData(*make(**arguments), 1, (), in_time=True)
    return _fewer_images(make(), smoke)


# Tests of memory, with the tokens that they are written in, and which of them every epoch sees others of.
_MEMORY = {
    "adding": (),
    "copying": sequences.COPYING_TOKENS,
    "selective_copying": sequences.SELECTIVE_TOKENS,
    "induction_heads": sequences.INDUCTION_TOKENS,
}
_FRESH = ("selective_copying", "induction_heads")


def _load_text(name, seed, smoke, arguments):
    tokens, characters = getattr(text, name)()
    train, test = text.split(tokens)
    window = check_integer("window", arguments.get("window", TEXT_WINDOW), 1, len(test) - 1)
    samples, fresh = arguments.get("samples"), None
    if smoke:
        train, test = train[: SMOKE_TRAIN * window + 1], test[: SMOKE_TEST * window + 1]
    if samples is not None:
        samples = _fewer_samples(arguments) if smoke else check_integer("samples", samples, 1)

        def fresh(x, y):
            # The windows of the training part side by side are its text again.
            return partial(text.draw, tokens=np.append(x, y[-1, -1]), window=window, samples=samples)

    (x_train, y_train), (x_test, y_test) = text.windows(train, window), text.windows(test, window)
    return RawData(x_train, y_train, x_test, y_test, 1, characters, in_time=True, fresh=fresh)


def _load_movements(name, seed, smoke, arguments):
    rng = generator("movements", seed)
    if smoke:
        arguments["cycles"] = min(check_integer("cycles", arguments.get("cycles", 2), 1), 2)
    repeats = check_integer("repeats", arguments.pop("repeats", 1 if smoke else MOVEMENT_REPEATS), 1)
    walked = primitives.primitives if name == "lissajous" else lambda *a, **k: primitives.compositions(*a, **k)[0]
    x, y = primitives.lessons(walked(rng, **arguments))
    often = {key: np.concatenate([part] * repeats) for key, part in x.items()}
    return RawData(often, np.concatenate([y] * repeats), x, y, 1, (), by_heart=True)


LOADERS = {
    "image": _load_images,
    "points": _load_points,
    "sequence": _load_sequences,
    "text": _load_text,
    "movements": _load_movements,
}


def _fewer_samples(arguments):
    return min(check_integer("samples", arguments.get("samples", SMOKE_TRAIN), 1), SMOKE_TRAIN)
