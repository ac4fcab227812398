"""Sequences: images read step by step, four tests of memory, and two series to forecast.

Images: `digits_rows`, `mnist_rows`, `mnist_pixels` and `mnist_permuted` take no argument and give a `RawData` of
uint8 sequences (n, t, d). Memory: `adding`, `copying`, `selective_copying` and `induction_heads` are pure functions
of an rng, with samples that are independent of each other. Series: `mackey_glass` and `sunspots` give windows of one
series, in the order of time, each with the value to foretell; windows overlap, so that such a set may only be split in
time.
"""

import math

import numpy as np

from kzoo.data import images
from kzoo.data.checks import check_integer
from kzoo.data.seeds import generator
from kzoo.errors import DatasetUnavailable

# Sunspots a unit: the largest yearly number, 190.2, becomes 1.902.
SUNSPOT_UNIT = 100.0
# The first year that the test part of `sunspots` asks for.
SUNSPOT_TEST_YEAR = 1956

# What `copying` is written in: eight letters to remember, a blank, and the sign to begin reciting.
COPYING_TOKENS = (*"abcdefgh", "blank", "recite")
_RECALLED = 10
# What `selective_copying` is written in, and `induction_heads`: sixteen tokens each, as in the paper.
SELECTIVE_TOKENS = (*"abcdefghijklmn", "blank", "recite")
INDUCTION_TOKENS = (*"abcdefghijklmno", "mark")
# The target of a step that asks for nothing: neither loss nor accuracy counts it.
NOT_ASKED = -1

# Mackey and Glass's equation: rates a unit of time, the delay in units of time, and steps of integration a unit.
_PRODUCTION, _DECAY, _DELAY, _STEPS = 0.2, 0.1, 17, 10
# Units of time after which the series has left its beginning and is on the attractor.
_TRANSIENT = 1000


def digits_rows():
    """`digits` from the top row to the bottom one: 8 steps of 8 numbers."""
    return _rows(images.digits())


def mnist_rows():
    """`mnist` from the top row to the bottom one: 28 steps of 28 numbers."""
    return _rows(images.mnist())


def mnist_pixels():
    """`mnist` pixel by pixel in reading order: 784 steps of 1 number (Le, Jaitly and Hinton 2015, arXiv:1504.00941)."""
    return _steps(images.mnist(), slice(None))


def mnist_permuted():
    """`mnist_pixels` in another order, the same for every image and every seed, so that neighbours are far apart."""
    return _steps(images.mnist(), pixel_permutation(784))


def pixel_permutation(count):
    """The order in which `mnist_permuted` visits the pixels: `numpy.random.default_rng([8]).permutation(count)`."""
    return generator("permutation").permutation(count)


def adding(rng, samples=10_000, length=200):
    """The adding problem: two numbers of a long sequence are marked, and their sum is wanted.

    x[:, :, 0] holds numbers uniform in [0, 1); x[:, :, 1] is a marker: 1 at one step of the first half (rounded down)
    and at one of the second, each step of a half as likely, else 0. To answer 1 whatever the sequence has a mean
    squared error of 1/6 = 0.167, the variance of the sum.

    Source: Hochreiter and Schmidhuber 1997, section 5.4. Differs from it, as later papers do (Le, Jaitly and Hinton
    2015, arXiv:1504.00941): numbers in [0, 1) and not [-1, 1], the sum itself and not 0.5 + sum / 4, every sequence
    of one length, and a marker anywhere in its half.

    Arguments:
        rng: `numpy.random.Generator`.
        samples: n, 1 or more.
        length: t, in steps, 2 or more.

    Returns: x float32 (n, t, 2) and y float32 (n, 1).
    Raises: ValueError if an argument is no integer in its range.
    """
    samples, length = check_integer("samples", samples, 1), check_integer("length", length, 2)
    x = np.zeros((samples, length, 2), np.float32)
    x[:, :, 0] = rng.random((samples, length), dtype=np.float32)
    every, half = np.arange(samples), length // 2
    first, second = rng.integers(0, half, samples), rng.integers(half, length, samples)
    x[every, first, 1] = x[every, second, 1] = 1
    return x, (x[every, first, 0] + x[every, second, 0])[:, None]


def copying(rng, samples=10_000, delay=100):
    """The copying memory problem: ten letters are to be recited after a delay.

    A sequence is 10 letters, each of eight as likely; `delay` - 1 blanks; the sign to recite; 10 blanks. Wanted are
    `delay` + 10 blanks, then the 10 letters. Without memory the best guess has a mean cross-entropy of
    10 ln 8 / (`delay` + 20) nats a token, and answering blank throughout is right at (`delay` + 10) / (`delay` + 20)
    of the steps.

    Source: Hochreiter and Schmidhuber 1997, in the form of Arjovsky, Shah and Bengio 2016, arXiv:1511.06464,
    section 5.1; their T is `delay`.

    Arguments:
        rng: `numpy.random.Generator`.
        samples: n, 1 or more.
        delay: in steps, 1 or more.

    Returns: x and y, int32 (n, delay + 20): indices into `COPYING_TOKENS`.
    Raises: ValueError if an argument is no integer in its range.
    """
    samples, delay = check_integer("samples", samples, 1), check_integer("delay", delay, 1)
    letters = rng.integers(0, 8, (samples, _RECALLED))
    blank, recite = COPYING_TOKENS.index("blank"), COPYING_TOKENS.index("recite")
    x = np.full((samples, delay + 2 * _RECALLED), blank, np.int32)
    y = x.copy()
    x[:, :_RECALLED] = y[:, -_RECALLED:] = letters
    x[:, -_RECALLED - 1] = recite
    return x, y


def selective_copying(rng, samples=10_000, length=256, tokens=16):
    """Selective copying: letters lie scattered among blanks, and are to be recited without the blanks.

    A sequence is `length` steps of blanks in which `tokens` steps, each set of them as likely, hold a letter, each of
    fourteen as likely; then `tokens` signs to recite. Wanted at the signs are the letters in their order; the steps
    before ask for nothing, -1. To guess letters costs ln 14 = 2.64 nats and is right at 1/14 = 7.1 % of what is asked.

    Source: Gu and Dao 2023, arXiv:2312.00752, section 4.1.1 and appendix E.1: a length of 4,096, 16 letters, a
    vocabulary of 16. The authors' data were not published, so how the letters are asked for is this function's choice,
    and so is that the blank and the sign are two of the sixteen tokens.

    Arguments:
        rng: `numpy.random.Generator`.
        samples: n, 1 or more.
        length: steps before the signs, 1 or more.
        tokens: letters, from 1 to `length`.

    Returns: x and y, int32 (n, length + tokens): indices into `SELECTIVE_TOKENS`, and -1 in y.
    Raises: ValueError if an argument is no integer in its range.
    """
    samples, length = check_integer("samples", samples, 1), check_integer("length", length, 1)
    tokens = check_integer("tokens", tokens, 1, length)
    letters = rng.integers(0, len(SELECTIVE_TOKENS) - 2, (samples, tokens))
    x = np.full((samples, length + tokens), SELECTIVE_TOKENS.index("blank"), np.int32)
    x[np.arange(samples)[:, None], _places(rng, samples, length, tokens)] = letters
    x[:, length:] = SELECTIVE_TOKENS.index("recite")
    y = np.full_like(x, NOT_ASKED)
    y[:, length:] = letters
    return x, y


def _places(rng, samples, length, count):
    """`count` different places below `length` in ascending order for each sample, int64 (samples, count).

    Floyd's algorithm (Bentley and Floyd 1987, CACM 30:754), all samples at once: every set of places is as likely.
    """
    places = np.full((samples, count), -1)
    for k, last in enumerate(range(length - count, length)):
        place = rng.integers(0, last + 1, samples)
        places[:, k] = np.where((places == place[:, None]).any(axis=1), last, place)
    return np.sort(places, axis=1)


def induction_heads(rng, samples=10_000, length=256):
    """Induction heads: what came after the mark, when the mark came before?

    A sequence is letters, each of fifteen as likely, with a mark at one step, each of the first `length` - 2 as likely,
    and another at the last one. Wanted at the last step is the letter after the first mark; the steps before ask for
    nothing, -1. To guess is right at 1/15 = 6.7 % and costs ln 15 = 2.71 nats.

    Source: Gu and Dao 2023, arXiv:2312.00752, section 4.1.2 and appendix E.1: a length of 256, a vocabulary of 16.

    Arguments:
        rng: `numpy.random.Generator`.
        samples: n, 1 or more.
        length: t, in steps, 3 or more.

    Returns: x and y, int32 (n, t): indices into `INDUCTION_TOKENS`, and -1 in y.
    Raises: ValueError if an argument is no integer in its range.
    """
    samples, length = check_integer("samples", samples, 1), check_integer("length", length, 3)
    mark = INDUCTION_TOKENS.index("mark")
    x = rng.integers(0, mark, (samples, length), dtype=np.int32)
    every, place = np.arange(samples), rng.integers(0, length - 2, samples)
    x[every, place] = x[:, -1] = mark
    y = np.full_like(x, NOT_ASKED)
    y[:, -1] = x[every, place + 1]
    return x, y


def mackey_glass(rng, samples=2000, window=50, ahead=6, test=1000):
    """Windows of the chaotic series of Mackey and Glass, each with the value some time after it.

    The series is `mackey_glass_series` from a beginning drawn uniformly from 0.4 to 0.8, read once a unit of time
    after the first 1,000 units. Window i holds its values i ... i + window - 1; wanted is value
    i + window - 1 + ahead. The values stay as they are, from about 0.4 to 1.3. To repeat the window's last value has
    a mean squared error of 0.034 on the default test part, whose variance is 0.050 (seed 0).

    Arguments:
        rng: `numpy.random.Generator`.
        samples: n, the windows before the test part, 1 or more.
        window: t, in units of time, 1 or more.
        ahead: how long after the window's last value the wanted one is, in units of time, 1 or more.
        test: m, the windows of the test part, which follow.

    Returns: x_train (n, t, 1), y_train (n, 1), x_test (m, t, 1), y_test (m, 1): float32, in the order of time.
    Raises: ValueError if an argument is no integer in its range.
    """
    samples, test = check_integer("samples", samples, 1), check_integer("test", test, 1)
    window, ahead = check_integer("window", window, 1), check_integer("ahead", ahead, 1)
    values = mackey_glass_series(0.4 + 0.4 * rng.random(), _TRANSIENT + samples + test + window + ahead - 1)
    x, y = _windows(values[_TRANSIENT:].astype(np.float32), window, ahead)
    return x[:samples], y[:samples], x[samples:], y[samples:]


def mackey_glass_series(start, count, steps=_STEPS):
    """Mackey and Glass's equation with a delay of 17 units of time, for which it is chaotic.

    dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x(t), with x(t) = `start` up to t = 0.

    Integrated by the classical Runge-Kutta method of order 4 in steps of 1 / `steps` = 0.1 units; half-way between two
    steps the delayed value is read from the cubic that meets values and slopes at both (Hermite's), so that the order
    stays 4. Only sums, products and quotients: the bits are the same on every machine.

    Source: Mackey and Glass 1977, Science 197:287; the constants are those of the field's benchmark.

    Arguments:
        start: x up to t = 0, above 0; 0 and 1 are fixed points.
        count: how many values.
        steps: steps of integration a unit of time.

    Returns: float64 array (count,): x at t = 0, 1, 2, ...
    """
    h, lag = 1 / steps, _DELAY * steps
    values, slopes = [float(start)], []

    def slope(x, delayed):
        square = delayed * delayed
        fourth = square * square
        return _PRODUCTION * delayed / (1 + fourth * fourth * square) - _DECAY * x

    for k in range((count - 1) * steps):
        x, past = values[k], k - lag
        here = there = between = values[0]
        if past >= 0:
            here, there = values[past], values[past + 1]
            between = (here + there) / 2 + h / 8 * (slopes[past] - slopes[past + 1])
        first = slope(x, here)
        slopes.append(first)
        second = slope(x + h / 2 * first, between)
        third = slope(x + h / 2 * second, between)
        fourth = slope(x + h * third, there)
        values.append(x + h / 6 * (first + 2 * second + 2 * third + fourth))
    return np.array(values[::steps][:count])


def sunspots(window=30):
    """Windows of the yearly sunspot numbers from 1700 to 2008, each with the number of the next year.

    In units of 100 sunspots, so from 0 to 1.902. The test part asks for the years from 1956 on, the training part for
    those before. To repeat the last year's number has a mean squared error of 0.112 on the test part, whose variance
    is 0.278: 33 sunspots, root mean square. Source: statsmodels.datasets.sunspots (National Geophysical Data Center).

    Arguments:
        window: t, in years, from 1 to 200.

    Returns: x_train, y_train, x_test, y_test: float32 windows (n, t, 1) and numbers (n, 1), in the order of time.
    Raises:
        DatasetUnavailable: statsmodels is not installed.
        ValueError: `window` is no integer in its range.
    """
    window = check_integer("window", window, 1, 200)
    try:
        from statsmodels.datasets import sunspots as stored
    except ImportError as error:
        raise DatasetUnavailable(
            f"The data set 'sunspots' comes with statsmodels, which cannot be imported ({error}). "
            'To install it, type:  pip install "statsmodels>=0.14"\n'
            "Or use the series that needs nothing more: --data mackey_glass."
        ) from error
    series = stored.load().data
    x, y = _windows((series["SUNACTIVITY"].to_numpy() / SUNSPOT_UNIT).astype(np.float32), window, 1)
    train = series["YEAR"].to_numpy()[window:] < SUNSPOT_TEST_YEAR
    return x[train], y[train], x[~train], y[~train]


def _rows(raw):
    return raw._replace(x_train=raw.x_train[..., 0], x_test=raw.x_test[..., 0])


def _steps(raw, order):
    """Images (n, h, w, 1) as sequences of pixels (n, h w, 1) in the given order."""
    train, test = (x.reshape(len(x), math.prod(x.shape[1:]), 1)[:, order] for x in (raw.x_train, raw.x_test))
    return raw._replace(x_train=train, x_test=test)


def _windows(values, window, ahead):
    """Every window of a series (n,), as (m, window, 1), and the value `ahead` steps after its last, (m, 1)."""
    x = np.lib.stride_tricks.sliding_window_view(values[:-ahead], window)
    return x[..., None].copy(), values[window - 1 + ahead :, None].copy()
