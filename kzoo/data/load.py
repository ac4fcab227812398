"""The table of the data sets, and `load_data`, which turns a name into a `Dataset`."""

from typing import NamedTuple

import numpy as np

from kzoo.data import images, points
from kzoo.data.checks import check_integer, check_number
from kzoo.data.dataset import Dataset, RawData, complement, stratified_indices
from kzoo.data.seeds import check_key, generator
from kzoo.errors import UnknownName, did_you_mean

# The most samples of `smoke=True`: in the training and validation part together, and in the test part.
SMOKE_TRAIN, SMOKE_TEST = 256, 128


class DatasetInfo(NamedTuple):
    """What is to be known of a data set before it is loaded.

    Attributes:
        kind: "image" or "points".
        description: one line.
        size: samples and shape, and the size of the download if there is one.
        license: the terms of the data themselves.
        needs_network: whether the first use downloads it, when no copy is on this machine.
        arguments: the names of the arguments that `load_data` takes for this set alone.
    """

    kind: str
    description: str
    size: str
    license: str
    needs_network: bool
    arguments: tuple = ()


_COMPUTED = "none: computed by kzoo"

_TABLE = {
    "digits": DatasetInfo(
        "image",
        "Scanned handwritten digits that come with scikit-learn (UCI, Alpaydin and Kaynak 1998)",
        "1,438 + 359 of 8x8x1",
        "CC BY 4.0",
        needs_network=False,
    ),
    "mnist": DatasetInfo(
        "image",
        "Handwritten digits (LeCun, Cortes and Burges 1998)",
        "60,000 + 10,000 of 28x28x1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "fashion_mnist": DatasetInfo(
        "image",
        "Articles of clothing (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747)",
        "60,000 + 10,000 of 28x28x1, 31 MB",
        "MIT",
        needs_network=True,
    ),
    "cifar10": DatasetInfo(
        "image",
        "Small colour photographs of animals and vehicles (Krizhevsky 2009)",
        "50,000 + 10,000 of 32x32x3, 170 MB",
        "none stated by its authors",
        needs_network=True,
    ),
    "spirals": DatasetInfo(
        "points",
        "Interleaved spiral arms in the plane, one a class",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise", "turns", "classes"),
    ),
    "moons": DatasetInfo(
        "points",
        "Two interlocked half circles in the plane",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise"),
    ),
    "xor": DatasetInfo(
        "points",
        "Exclusive or: four clouds in the plane that no straight line parts",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise"),
    ),
}


def list_datasets():
    """The data sets that `load_data` knows: a dict from the name to its `DatasetInfo`."""
    return dict(_TABLE)


def load_data(name="digits", *, validation_fraction=0.1, seed=0, smoke=False, **arguments):
    """Loads a data set into memory and splits a validation part off its training part.

    Arguments:
        name: one of `list_datasets()`.
        validation_fraction: the share of the training part that becomes the validation part, from 0 to
            below 1, with its classes in the same proportions. Both parts keep the order of the source.
        seed: chooses the validation part and, for points, the points: an integer from 0 to 2**32 - 1. The
            same seed gives the same split and order whatever the backend and the machine, and the same
            points but for the last digit of a machine's own sine and logarithm.
        smoke: at most 256 samples for training and validation together and 128 for the test, for
            a run that only shows that things work. Of a set of images, always the same ones.
        **arguments: for points only.
            samples: points for training and validation together, and again as many, from an independent
                stream, for the test. Default 1,000.
            noise: standard deviation of the Gaussian added to each coordinate, in the units of the plane.
                Default 0.05 (spirals), 0.1 (moons), 0.25 (xor).
            turns: how often a spiral's arm winds about the origin. Default 1.5.
            classes: the number of spiral arms. Default 2.

    Returns: a `Dataset`: images (n, h, w, c) float32 in [0, 1] or points (n, 2) float32, with int32 labels.
    Raises:
        UnknownName: no data set has this name.
        DatasetUnavailable: it is neither on this machine nor to be downloaded, or its checksum is wrong.
            Files are looked for in `$KZOO_DATA_DIR`, then `$KERAS_HOME/datasets` (default
            ~/.keras/datasets), where a download goes too. KZOO_OFFLINE=1 forbids the download.
        ValueError: an argument is out of range, or this data set does not take it.
    """
    if name not in _TABLE:
        near = did_you_mean(name, _TABLE)
        raise UnknownName(f"No data set is called {name!r}.{near} There are: {', '.join(_TABLE)}.")
    info = _TABLE[name]
    for argument in arguments:
        if argument not in info.arguments:
            allowed = f" It takes: {', '.join(info.arguments)}." if info.arguments else " It takes none of its own."
            raise ValueError(f"The data set {name!r} takes no argument `{argument}`.{allowed} Leave it out.")
    share = "a share of the training part, from 0 to below 1, such as 0.1"
    check_number("validation_fraction", validation_fraction, lambda v: 0 <= v < 1, share)
    seed = check_key("seed", seed)

    raw = (_load_images if info.kind == "image" else _load_points)(name, seed, smoke, arguments)
    y_train = raw.y_train.astype(np.int32)
    count = round(validation_fraction * len(y_train))
    if count == len(y_train) or (count == 0 and validation_fraction > 0):
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {len(y_train)} samples leaves none for "
            f"{'training' if count else 'validation'}. Take another, or 0 for no validation part."
        )
    validation = stratified_indices(y_train, count, generator("validation", seed))
    training = complement(validation, len(y_train))
    return Dataset(
        name,
        info.kind,
        _scaled(raw.x_train[training], raw.scale),
        y_train[training],
        _scaled(raw.x_train[validation], raw.scale),
        y_train[validation],
        _scaled(raw.x_test, raw.scale),
        raw.y_test.astype(np.int32),
        raw.class_names,
    )


def _load_images(name, seed, smoke, arguments):
    raw = getattr(images, name)()  # a set's loader bears its name
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
        arguments["samples"] = min(check_integer("samples", arguments.get("samples", SMOKE_TRAIN), 1), SMOKE_TRAIN)
    x_train, y_train = make(generator("points", seed, 0), **arguments)
    x_test, y_test = make(generator("points", seed, 1), **arguments)
    if smoke:
        x_test, y_test = x_test[:SMOKE_TEST], y_test[:SMOKE_TEST]
    names = {
        "spirals": tuple(f"arm {k}" for k in range(y_train.max() + 1)),
        "moons": ("upper moon", "lower moon"),
        "xor": ("equal signs", "different signs"),
    }
    return RawData(x_train, y_train, x_test, y_test, 1, names[name])


def _scaled(x, scale):
    # order="C": CIFAR-10 is stored a colour at a time, and its arrays would keep that order in memory.
    return np.divide(x, np.float32(scale), dtype=np.float32, order="C")
