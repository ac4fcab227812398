"""The table of the data sets, and `load_data`, which turns a name into a `Dataset`."""

from functools import partial
from typing import NamedTuple

import numpy as np

from kzoo.data import images, points, primitives, sequences, text
from kzoo.data.checks import check_integer, check_number
from kzoo.data.dataset import Dataset, RawData, complement, stratified_indices
from kzoo.data.seeds import check_key, generator
from kzoo.errors import UnknownName, did_you_mean

# How often an epoch of movements shows each of them.
MOVEMENT_REPEATS = 50
# The most samples of `smoke=True`: in the training and validation part together, and in the test part.
SMOKE_TRAIN, SMOKE_TEST = 256, 128
# Characters that a window of text holds, as in nanoGPT's run for a CPU.
TEXT_WINDOW = 64
# Test samples of a computed set of sequences: an error below 0.001 is then known to some percent.
SEQUENCE_TEST = 1000


class DatasetInfo(NamedTuple):
    """What is to be known of a data set before it is loaded.

    Attributes:
        kind: "image", "points", "sequence", "text" or "movements".
        description: one line.
        size: samples and shape, and the size of the download if there is one.
        license: the terms of the data themselves.
        needs_network: whether the first use downloads it, when no copy is on this machine.
        arguments: the names of the arguments that `load_data` takes for this set alone.
        task: "classification", "regression" or "tokens": see `Dataset`.
    """

    kind: str
    description: str
    size: str
    license: str
    needs_network: bool
    arguments: tuple = ()
    task: str = "classification"


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
    "ring": DatasetInfo(
        "points",
        "Clouds on a circle, one a class, of which a generator may forget some (Metz et al. 2016, arXiv:1611.02163)",
        "1,000 + 1,000 of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "noise", "clouds"),
    ),
    "digits_rows": DatasetInfo(
        "sequence",
        "The images of digits, read row by row",
        "1,438 + 359 of 8 steps of 8",
        "CC BY 4.0",
        needs_network=False,
    ),
    "mnist_rows": DatasetInfo(
        "sequence",
        "The images of mnist, read row by row",
        "60,000 + 10,000 of 28 steps of 28, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "mnist_pixels": DatasetInfo(
        "sequence",
        "The images of mnist, read pixel by pixel (Le, Jaitly and Hinton 2015, arXiv:1504.00941)",
        "60,000 + 10,000 of 784 steps of 1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "mnist_permuted": DatasetInfo(
        "sequence",
        "The pixels of mnist in one shuffled order (Le, Jaitly and Hinton 2015, arXiv:1504.00941)",
        "60,000 + 10,000 of 784 steps of 1, 11 MB",
        "CC BY-SA 3.0",
        needs_network=True,
    ),
    "adding": DatasetInfo(
        "sequence",
        "The sum of two marked numbers in a long sequence (Hochreiter and Schmidhuber 1997)",
        "10,000 + 1,000 of 200 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length"),
        task="regression",
    ),
    "copying": DatasetInfo(
        "sequence",
        "Ten letters to recite after a delay (Arjovsky, Shah and Bengio 2016, arXiv:1511.06464)",
        "10,000 + 1,000 of 120 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "delay"),
        task="tokens",
    ),
    "selective_copying": DatasetInfo(
        "sequence",
        "Letters scattered among blanks, to recite without them (Gu and Dao 2023, arXiv:2312.00752); drawn anew each "
        "epoch",
        "10,000 + 1,000 of 272 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length", "tokens"),
        task="tokens",
    ),
    "induction_heads": DatasetInfo(
        "sequence",
        "What came after the mark, when it came before? (Gu and Dao 2023, arXiv:2312.00752); drawn anew each epoch",
        "10,000 + 1,000 of 256 tokens, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "length"),
        task="tokens",
    ),
    "mackey_glass": DatasetInfo(
        "sequence",
        "Windows of a chaotic series, to foretell it (Mackey and Glass 1977)",
        "2,000 + 1,000 of 50 steps of 1, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "window", "ahead"),
        task="regression",
    ),
    "sunspots": DatasetInfo(
        "sequence",
        "The yearly numbers of sunspots, to foretell the next; comes with statsmodels, an extra: kzoo[series]",
        "226 + 53 of 30 steps of 1, or as asked",
        "public domain",
        needs_network=False,
        arguments=("window",),
        task="regression",
    ),
    "shakespeare": DatasetInfo(
        "text",
        "Shakespeare's plays, a character a token, to foretell the next (Karpathy 2015, char-rnn)",
        "1,003,854 + 111,540 characters in windows of 64, or as asked, 1.1 MB",
        "public domain",
        needs_network=True,
        arguments=("window", "samples"),
        task="tokens",
    ),
    "pydoc": DatasetInfo(
        "text",
        "Python's own help, a character a token, to foretell the next; differs between versions of Python",
        "335,504 + 37,279 characters in Python 3.11, in windows of 64, or as asked",
        "PSF-2.0",
        needs_network=False,
        arguments=("window", "samples"),
        task="tokens",
    ),
    "lissajous": DatasetInfo(
        "movements",
        "Closed curves in the plane, each walked again and again, to be learned by heart",
        "5 of 152 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "cycles", "period", "rest", "noise", "repeats"),
        task="regression",
    ),
    "compositions": DatasetInfo(
        "movements",
        "Sequences of two such curves, after Yamashita and Tani 2008: one, many times, and then another",
        "3 of 328 steps of 2, or as asked",
        _COMPUTED,
        needs_network=False,
        arguments=("samples", "parts", "cycles", "period", "rest", "kinds", "noise", "repeats"),
        task="regression",
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
            below 1, with its classes in the same proportions where there are classes. Both parts keep the order of
            the source. Windows of a series or a text are split in time: the last ones become the validation part, and
            nothing that it asks for, or the test part after it, occurs in an earlier part. Movements are learned by
            heart: the validation and the test part are the training part, whatever the share.
        seed: chooses the validation part and what is drawn at random: points, sequences, the beginning of a computed
            series. An integer from 0 to 2**32 - 1. The same seed gives the same split and order whatever the
            backend and the machine, and the same points but for the last digit of a machine's own sine and
            logarithm.
        smoke: at most 256 samples for training and validation together and 128 for the test, for
            a run that only shows that things work. Of a set of images or a text, always the same ones.
        **arguments: for computed sets and texts, and the window of "sunspots".
            samples: points for training and validation together, and again as many, from an independent
                stream, for the test; default 1,000. Of "adding", "copying" (default 10,000) and "mackey_glass"
                (2,000) 1,000 more are the test; those of "mackey_glass" follow in time. Of "selective_copying" and
                "induction_heads" as many as of "copying", but every epoch trains on others. Of a text the windows that
                an epoch draws from anywhere in the training part, every epoch others; by default the text from its
                beginning to its end, in windows that do not overlap, as the other parts always are.
            noise: standard deviation of the Gaussian added to each coordinate, in the units of the plane.
                Default 0.05 (spirals), 0.1 (moons, ring), 0.25 (xor).
            turns: how often a spiral's arm winds about the origin. Default 1.5.
            classes: the number of spiral arms. Default 2.
            clouds: the number of clouds on the ring. Default 8.
            length: steps of a sequence of "adding", "selective_copying" (before the signs to recite) or
                "induction_heads". Default 200, 256 and 256.
            tokens: letters of "selective_copying". Default 16.
            delay: steps from the end of the letters of "copying" to the sign to recite them. Default 100.
            window: steps that a forecast is made from. Default 50 ("mackey_glass"), 30 years ("sunspots") or 64
                characters (texts): so many tokens are read, and the one after each of them is asked for.
            ahead: how long after the window of "mackey_glass" the wanted value is, in units of its time. Default 6.
            cycles, period, rest: how often each curve of a movement is walked, the steps of a cycle, and the steps of
                rest before. Default 6, 24 and 8 ("lissajous"), 8, 20 and 8 ("compositions").
            parts, kinds: curves in a composition, and from how many of them. Default 2 and 3.
            repeats: how often the training part holds each movement, so that an epoch is more than a step. Default 50.
            For movements `samples` is the number of sequences, default 5 or 3, and `noise` defaults to 0.

    Returns: a `Dataset`: images (n, h, w, c) float32 in [0, 1], points (n, 2) float32, or sequences (n, t, d) float32
        or (n, t) int32, with what is wanted of them, as its `task` says.
    Raises:
        UnknownName: no data set has this name.
        DatasetUnavailable: it is neither on this machine nor to be downloaded, or its checksum is wrong; or the
            package that it comes with is not installed.
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

    raw = _LOADERS[info.kind](name, seed, smoke, arguments)
    wanted = np.float32 if info.task == "regression" else np.int32
    y_train, y_test = (y.astype(wanted, copy=False) for y in (raw.y_train, raw.y_test))
    if raw.by_heart:
        parts = (raw.x_train, y_train, raw.x_test, y_test, raw.x_test, y_test)
        return Dataset(name, info.kind, *parts, raw.class_names, info.task)
    n = len(y_train)
    count = round(validation_fraction * n)
    if count == n or (count == 0 and validation_fraction > 0):
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {n} samples leaves none for "
            f"{'training' if count else 'validation'}. Take another, or 0 for no validation part."
        )
    if raw.in_time:
        validation = np.arange(n - count, n)
    elif info.task == "classification":
        validation = stratified_indices(y_train, count, generator("validation", seed))
    else:
        validation = np.sort(generator("validation", seed).permutation(n)[:count])
    training = complement(validation, n)
    x_train, y_learned, renew = _scaled(raw.x_train[training], raw.scale), y_train[training], None
    if raw.fresh is not None:
        renew = partial(_renewed, raw.fresh(x_train, y_learned), seed)
        x_train, y_learned = renew(0)
    return Dataset(
        name,
        info.kind,
        x_train,
        y_learned,
        _scaled(raw.x_train[validation], raw.scale),
        y_train[validation],
        _scaled(raw.x_test, raw.scale),
        y_test,
        raw.class_names,
        info.task,
        renew,
    )


def _renewed(make, seed, epoch):
    return make(generator("fresh", seed, epoch))


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
    if smoke and "samples" in _TABLE[name].arguments:
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


_LOADERS = {
    "image": _load_images,
    "points": _load_points,
    "sequence": _load_sequences,
    "text": _load_text,
    "movements": _load_movements,
}


def _fewer_samples(arguments):
    return min(check_integer("samples", arguments.get("samples", SMOKE_TRAIN), 1), SMOKE_TRAIN)


def _scaled(x, scale):
    if x.dtype == np.int32:
        return x  # tokens are names, not quantities
    # order="C": CIFAR-10 is stored a colour at a time, and its arrays would keep that order in memory.
    return np.divide(x, np.float32(scale), dtype=np.float32, order="C")
