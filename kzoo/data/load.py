"""`load_data`, which turns the name of a data set into a `Dataset`, its three parts."""

from functools import partial

import numpy as np

from kzoo.data.catalogue import TABLE
from kzoo.data.checks import check_number
from kzoo.data.dataset import Dataset, complement, stratified_indices
from kzoo.data.loaders import LOADERS
from kzoo.data.seeds import check_key, generator
from kzoo.errors import UnknownName, did_you_mean


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
    if name not in TABLE:
        near = did_you_mean(name, TABLE)
        raise UnknownName(f"No data set is called {name!r}.{near} There are: {', '.join(TABLE)}.")
    info = TABLE[name]
    for argument in arguments:
        if argument not in info.arguments:
            allowed = f" It takes: {', '.join(info.arguments)}." if info.arguments else " It takes none of its own."
            raise ValueError(f"The data set {name!r} takes no argument `{argument}`.{allowed} Leave it out.")
    share = "a share of the training part, from 0 to below 1, such as 0.1"
    check_number("validation_fraction", validation_fraction, lambda v: 0 <= v < 1, share)
    seed = check_key("seed", seed)

    raw = LOADERS[info.kind](name, seed, smoke, arguments)
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


def _scaled(x, scale):
    if x.dtype == np.int32:
        return x  # tokens are names, not quantities
    # order="C": CIFAR-10 is stored a colour at a time, and its arrays would keep that order in memory.
    return np.divide(x, np.float32(scale), dtype=np.float32, order="C")
