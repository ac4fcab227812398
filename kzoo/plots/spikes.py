"""What the figures of spikes share: units, checks of what they are given, and drawing less where there is too much.

Axis letters: t steps, n neurons, s spikes of a network, k points of a curve.
"""

import itertools

import numpy as np

from kzoo.plots.style import BLUE, GREEN, ORANGE, PURPLE, TICK, VERMILLION

MILLI, NANO = 1e-3, 1e-9
MAX_DOTS = 6000  # of a raster; more only make it black
MAX_POINTS = 4000  # of a curve; more lie within one pixel
BIN = 1e-3  # seconds of a bin of a population's rate
# What a group is called decides its colour, so that it has the same one in every figure and film. All can be told on
# white and on the dark ground of a film.
GROUP_COLORS = {"excitatory": BLUE, "inhibitory": VERMILLION}


def group_color(name, index: int) -> str:
    """The colour of a group of neurons: by its name, else by its place among the groups."""
    return GROUP_COLORS.get(name, (BLUE, ORANGE, PURPLE, GREEN)[index % 4])


def strokes(axes, times, neurons, every: int, size: int, shade: str, linewidth: float) -> None:
    """Spikes as upright strokes over time in ms, the first neuron on top.

    A stroke fills the row of its neuron, so that spikes at one time stand as one line, however few neurons are drawn.
    """
    tall = max(every, size / 160) / 2
    axes.vlines(times / MILLI, neurons - tall, neurons + tall, color=shade, linewidth=linewidth, rasterized=True)
    axes.set_ylim(size - 0.5 + tall, -0.5 - tall)


def legend_above(axes):
    """The legend in a line above the right end, where it covers no data."""
    axes.legend(fontsize=TICK, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=4, frameon=False, borderaxespad=0.2)


def traces(name, values, shape=None):
    """(t, n) numbers out of (t,) or (t, n)."""
    values = np.asarray(values)
    found = values[:, None] if values.ndim == 1 else values
    if found.ndim != 2 or not found.size or (shape is not None and found.shape != shape):
        wanted = "(t,) or (t, n) with at least one number" if shape is None else f"{shape}, as the voltage"
        raise ValueError(f"{name} must be {wanted}; received the shape {values.shape}.")
    return found


def curve(name, x, y):
    """A pair of (k,) numbers that can be drawn."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise ValueError(f"{name} must be as long as its axis, {x.shape}; received {y.shape}.")
    if not (y >= 0).all():
        raise ValueError(f"{name} must be at least 0; received values from {y.min()} to {y.max()}.")
    return x, y


def positive(name, value, unit):
    value = float(value)
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be above 0 {unit}; received {value}.")
    return value


def checked_spikes(times, neurons, size, duration):
    """Checked spikes of a network: sorted times, and neurons of 0 to size - 1."""
    times, neurons = np.asarray(times, float), np.asarray(neurons)
    duration = positive("duration", duration, "seconds")
    if int(size) != size or size < 1:
        raise ValueError(f"size must be a whole number of neurons, at least 1; received {size}.")
    if times.ndim != 1 or times.shape != neurons.shape:
        raise ValueError(
            f"times and neurons must be (s,), one each a spike; received {times.shape} and {neurons.shape}."
        )
    if times.size and not (times.min() >= 0 and times.max() <= duration):
        raise ValueError(
            f"times must lie in the record, from 0 to {duration:g} s; received {times.min():g} to {times.max():g} s."
        )
    neurons = neurons.astype(int)
    if neurons.size and not (neurons.min() >= 0 and neurons.max() < size):
        raise ValueError(f"neurons must be 0 to {size - 1}; received {neurons.min()} to {neurons.max()}.")
    order = np.argsort(times, kind="stable")
    return times[order], neurons[order], int(size), duration


def checked_groups(groups, size):
    """name -> (start, stop) out of pairs, slices or ranges; one group of all where none is given."""
    found = {}
    for name, part in (groups or {"neurons": (0, size)}).items():
        start, stop = (part.start, part.stop) if hasattr(part, "stop") else part
        start, stop = int(start or 0), int(size if stop is None else stop)
        if not 0 <= start < stop <= size:
            raise ValueError(f"groups[{name!r}] must lie within 0 to {size}; received {start} to {stop}.")
        found[str(name)] = (start, stop)
    spans = sorted(found.values())
    if any(before[1] > after[0] for before, after in itertools.pairwise(spans)):
        raise ValueError(f"groups must not overlap; received {found}.")
    return found


def named(names, count, kind):
    if names is None:
        return [f"{kind} {k + 1}" if kind else str(k) for k in range(count)]
    if len(names) != count:
        raise ValueError(f"there must be {count} names, one each; received {len(names)}.")
    return [str(name) for name in names]


def thinned(x, y):
    """The points of a curve, or of each stretch its lowest and highest where there are very many."""
    if len(x) <= 2 * MAX_POINTS:
        return x, y
    width = -(-len(x) // MAX_POINTS)
    whole = len(x) // width * width
    parts = y[:whole].reshape(-1, width)
    starts = np.arange(len(parts)) * width
    kept = np.sort(np.concatenate([starts + parts.argmin(1), starts + parts.argmax(1), np.arange(whole, len(y))]))
    return x[kept], y[kept]


def shown_neurons(neurons, groups, size, max_dots):
    """Every how many a neuron is drawn so that the dots are at most max_dots, and (size,) its row or -1."""
    counts = np.bincount(neurons, minlength=size)
    every = max(1, -(-counts.sum() // max(1, int(max_dots))))
    while True:
        rows = np.full(size, -1)
        for first, last in groups.values():
            rows[first:last:every] = np.arange(first, last, every)
        if counts[rows >= 0].sum() <= max_dots or every >= size:
            return every, rows
        every += 1
