"""A network's activity as an object that is played: a grid of neurons that light up, and the raster beside it.

`activity_data` makes a small object of it that goes into JSON. activity_film.py draws it as GIF and MP4, and
activity_page.py makes a page that a browser plays by itself, by activity.js; all draw the same from the same object.

The object, version 1. Of a large network every so-many-th neuron is drawn; the drawn ones are numbered anew, from 0.

    format, version      "kzoo.activity", 1
    size, of, every      neurons drawn, neurons in all, and of how many one is drawn
    columns, rows        of the grid. A group begins in a row of its own and fills it from left to right
    groups               a list of {name, start, stop: drawn numbers; first, of: the first of all numbers, and how many;
                         row: the group's first row of the grid; color}
    duration, tick       seconds of the record, and of one unit of the times
    count                spikes of the drawn neurons
    ticks, neurons       base64 of little-endian whole numbers, one each a spike, in the order of time
    ticks_type, neurons_type   "u2" or "u4": numbers of two or of four bytes
    rate                 {bin: seconds; values: {group: [hertz, ...]}}, of all neurons, drawn or not
"""

import base64
import math

import numpy as np

from kzoo.plots.spikes import BIN, checked_groups, checked_spikes, group_color, positive
from kzoo.plots.style import on_dark

FORMAT, VERSION = "kzoo.activity", 1
MAX_NEURONS = 2500  # of the grid: 50 x 50
MAX_BINS = 400  # of the rate; more are noise beside each other


def activity_data(
    times,
    neurons,
    size: int,
    duration: float,
    *,
    groups=None,
    tick: float = 1e-4,
    max_neurons: int = MAX_NEURONS,
) -> dict:
    """A network's spikes as an object that goes into JSON and that `save_activity` and activity.js play.

    Args:
        times: (s,) seconds.
        neurons: (s,) whole numbers from 0 to size - 1.
        size: neurons in all.
        duration: seconds of the record.
        groups: name -> (start, stop) or slice of neurons; None means one group. A neuron of none is left out.
        tick: seconds to which the times are rounded.
        max_neurons: Neurons drawn. Of a larger network every so-many-th of each group is.

    Raises:
        ValueError: if the shapes do not fit, or a neuron or time is out of range.
    """
    times, neurons, size, duration = checked_spikes(times, neurons, size, duration)
    tick = positive("tick", tick, "seconds")
    if round(duration / tick) >= 2**32:
        raise ValueError(f"tick must be so long that the record has fewer than 2^32 of them; received {tick} s.")
    if int(max_neurons) != max_neurons or max_neurons < 1:
        raise ValueError(f"max_neurons must be a whole number of at least 1; received {max_neurons}.")
    spans = checked_groups(groups, size)
    every = -(-size // int(max_neurons))
    numbers = np.full(size, -1)
    found, shown = [], 0
    for k, (name, (first, last)) in enumerate(spans.items()):
        here = -(-(last - first) // every)
        numbers[first:last:every] = np.arange(shown, shown + here)
        shade = on_dark(group_color(name, k))
        found.append(
            {"name": name, "start": shown, "stop": shown + here, "first": first, "of": last - first, "color": shade}
        )
        shown += here
    columns = math.ceil(math.sqrt(shown))
    row = 0
    for group in found:
        group["row"] = row
        row += -(-(group["stop"] - group["start"]) // columns)
    drawn = numbers[neurons]
    inside = drawn >= 0
    ticks_type = "u2" if round(duration / tick) < 2**16 else "u4"
    neurons_type = "u2" if shown <= 2**16 else "u4"
    width = max(BIN, duration / MAX_BINS)
    bins = np.linspace(0, duration, max(2, round(duration / width) + 1))
    values = {}
    for name, (first, last) in spans.items():
        counts, _ = np.histogram(times[(neurons >= first) & (neurons < last)], bins)
        values[name] = np.round(counts / (last - first) / (bins[1] - bins[0]), 2).tolist()
    return {
        "format": FORMAT,
        "version": VERSION,
        "size": shown,
        "of": size,
        "every": every,
        "columns": columns,
        "rows": row,
        "groups": found,
        "duration": duration,
        "tick": tick,
        "count": int(inside.sum()),
        "ticks_type": ticks_type,
        "ticks": _packed(np.round(times[inside] / tick), ticks_type),
        "neurons_type": neurons_type,
        "neurons": _packed(drawn[inside], neurons_type),
        "rate": {"bin": float(bins[1] - bins[0]), "values": values},
    }


def activity_spikes(data: dict):
    """The spikes of the drawn neurons out of an object of `activity_data`: times (s,) in seconds, numbers (s,).

    Raises:
        ValueError: if it is no such object.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise ValueError(f"data must be what activity_data gives, {FORMAT} version {VERSION}; received {data!r:.60}.")
    ticks, neurons = (
        np.frombuffer(base64.b64decode(data[key]), f"<{data[f'{key}_type']}") for key in ("ticks", "neurons")
    )
    if len(ticks) != data["count"] or len(neurons) != data["count"]:
        raise ValueError(f"data is damaged: it says {data['count']} spikes and holds {len(ticks)}, {len(neurons)}.")
    return ticks * data["tick"], neurons.astype(int)


def activity_places(data: dict) -> np.ndarray:
    """Where each drawn neuron stands in the grid: (size, 2), row and column."""
    places = np.empty((data["size"], 2), int)
    for group in data["groups"]:
        within = np.arange(group["stop"] - group["start"])
        places[group["start"] : group["stop"], 0] = group["row"] + within // data["columns"]
        places[group["start"] : group["stop"], 1] = within % data["columns"]
    return places


def afterglow(times, neurons, size: int, at: float, fade: float) -> np.ndarray:
    """How bright each neuron is at a moment: exp(-(at - its last spike) / fade), 1 at the spike, (size,).

    Args:
        times: (s,) seconds, ascending.
        neurons: (s,) numbers from 0 to size - 1.
        size: neurons.
        at: the moment, in seconds; a spike at that moment has been seen.
        fade: seconds in which a light falls to 1/e. After ten of them it is out.
    """
    # A nanosecond: times come out of ticks, and may be above a moment by rounding.
    first, last = np.searchsorted(times, [at - 10 * fade, at + 1e-9], side="right")
    light = np.zeros(size)
    # Of a number that comes several times, NumPy keeps the last: the latest spike.
    light[neurons[first:last]] = np.exp(np.minimum(times[first:last] - at, 0) / fade)
    return light


def _packed(values, kind) -> str:
    return base64.b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode("ascii")
