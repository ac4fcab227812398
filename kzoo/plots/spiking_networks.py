"""Networks that spike: their rasters, rates and the spectrum of these.

Numbers come in SI units (seconds, hertz) and are drawn in those of the field (ms, Hz).

Axis letters: s spikes, k points of a curve.
"""

import textwrap
from collections.abc import Mapping

import numpy as np

from kzoo.plots.spikes import (
    BIN,
    MAX_DOTS,
    MILLI,
    checked_groups,
    checked_spikes,
    curve,
    group_color,
    legend_above,
    positive,
    shown_neurons,
    strokes,
)
from kzoo.plots.style import BLACK, LABEL, label, new_figure


def raster(
    times,
    neurons,
    size: int,
    duration: float,
    *,
    title: str,
    measured: str | None = None,
    groups: Mapping | None = None,
    bin_width: float = BIN,
    theory: float | None = None,
    start: float = 0.0,
    max_dots: int = MAX_DOTS,
):
    """A network's spikes, a stroke each, over its rate in time, a line a group, as a Figure.

    Args:
        times: (s,) seconds.
        neurons: (s,) whole numbers from 0 to size - 1.
        size: neurons in all.
        duration: seconds to the end of the record.
        title: which network.
        measured: what was found of it, written beneath the title; by default the mean rate of the picture.
        groups: name -> (start, stop) or slice of neurons; "excitatory" and "inhibitory" have colours of their own. The
            first neuron stands on top. None means one group.
        bin_width: seconds of a bin of the rate.
        theory: hertz that a theory foretells, a dashed line; None draws none.
        start: seconds at which the picture, the mean rate too, begins.
        max_dots: Strokes drawn. Where there are more spikes, whole neurons are left out, evenly, and the figure says
            so; the rate counts all.

    Raises:
        ValueError: if the shapes do not fit, a neuron is out of range, or a width or duration is not above zero.
    """
    times, neurons, size, duration = checked_spikes(times, neurons, size, duration)
    bin_width = positive("bin_width", bin_width, "seconds")
    if not 0 <= start < duration:
        raise ValueError(f"start must lie in the record, from 0 to below {duration:g} s; received {start}.")
    groups = checked_groups(groups, size)
    inside = times >= start
    times, neurons = times[inside], neurons[inside]
    if measured is None:
        measured = f"mean rate {len(times) / size / (duration - start):.3g} Hz"
    figure = new_figure(10.0, 5.6, _within(f"{title}\n{measured}", 90))
    dots, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1])
    every, rows = shown_neurons(neurons, groups, size, max_dots)
    bins = np.arange(start, duration + bin_width / 2, bin_width)
    if len(bins) < 2:
        bins = np.array([start, duration])
    for k, (name, (first, last)) in enumerate(groups.items()):
        shade = group_color(name, k)
        mine = (neurons >= first) & (neurons < last)
        drawn = mine & (rows[neurons] >= 0)
        strokes(dots, times[drawn], neurons[drawn], every, size, shade, 1.0)
        counts, _ = np.histogram(times[mine], bins)
        rate = counts / (last - first) / np.diff(bins)
        # The largest group, whose rate is the smoothest, on top.
        above = 2 + (last - first) / size
        below.stairs(rate, bins / MILLI, color=shade, linewidth=1.2, zorder=above, label=f"{name}, {last - first:,}")
    said = "neuron" if every == 1 else f"neuron (every {_ordinal(every)} drawn)"
    label(dots, y=said)
    if theory is not None:
        below.axhline(theory, color=BLACK, linestyle="--", linewidth=1, label=f"theory, {theory:.3g} Hz")
    below.set_xlim(start / MILLI, duration / MILLI)
    below.set_ylim(bottom=0)
    label(below, x="time (ms)", y="rate (Hz)")
    below.grid(alpha=0.25)
    legend_above(below)
    return figure


def spectrum(frequencies, power, *, title: str, rhythm=None, highest: float = 500.0):
    """The power of a population's rate over frequency, its rhythm marked, as a Figure.

    Args:
        frequencies: (k,) hertz, rising.
        power: (k,), or a mapping of names to (k,): what `kzoo.bio.analysis.spectrum` gives.
        title: which network.
        rhythm: hertz, or a mapping of the same names to hertz: what `kzoo.bio.analysis.rhythm` gives, NaN where none
            stands out. None, or a name that is missing, says nothing of rhythms.
        highest: hertz up to which it is drawn.

    Raises:
        ValueError: if the shapes do not fit, nothing lies in the range, or a rhythm lies outside of it.
    """
    frequencies = np.asarray(frequencies, float)
    curves = dict(power) if isinstance(power, Mapping) else {"power": power}
    rhythms = rhythm if isinstance(rhythm, Mapping) else dict.fromkeys(curves, rhythm)
    curves = {name: curve(f"power[{name!r}]", frequencies, values)[1] for name, values in curves.items()}
    shown = (frequencies > 0) & (frequencies <= highest)
    if not shown.any():
        raise ValueError(
            f"no frequency lies above 0 and up to {highest:g} Hz; received {frequencies.min():g} to "
            f"{frequencies.max():g} Hz. A longer record has lower frequencies."
        )
    figure = new_figure(8.0, 4.2, _within(title, 60))
    axes = figure.add_subplot()
    for k, (name, values) in enumerate(curves.items()):
        shade, found = group_color(name, k), rhythms.get(name)
        said = [name] if len(curves) > 1 else []
        if found is not None:
            said.append(f"rhythm of {found:.0f} Hz" if np.isfinite(found) else "no rhythm stands out")
        axes.plot(
            frequencies[shown],
            np.maximum(values[shown], 1e-30),
            color=shade,
            linewidth=1.2,
            label=", ".join(said) or None,
        )
        if found is not None and np.isfinite(found):
            if not 0 < found <= highest:
                raise ValueError(f"rhythm must lie above 0 and up to highest, {highest:g} Hz; received {found:g} Hz.")
            axes.plot(found, np.interp(found, frequencies, values), "v", color=shade, markersize=8)
    axes.set_yscale("log")
    axes.set_xlim(0, highest)
    label(axes, x="frequency (Hz)", y="power of the rate (log axis)")
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=LABEL, loc="upper right")
    return figure


def _within(title: str, columns: int) -> str:
    """A title whose lines are no longer than that."""
    return "\n".join(textwrap.fill(line, columns) for line in title.splitlines())


def _ordinal(number) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
