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
    legend_above,
    positive,
    shown_neurons,
)
from kzoo.plots.style import BLACK, BLUE, LABEL, VERMILLION, color, label, new_figure

# What a group is called decides its colour, so that it has the same one in every figure.
GROUP_COLORS = {"excitatory": BLUE, "inhibitory": VERMILLION}


def raster(
    times,
    neurons,
    size: int,
    duration: float,
    *,
    title: str,
    groups: Mapping | None = None,
    bin_width: float = BIN,
    theory: float | None = None,
    start: float = 0.0,
    max_dots: int = MAX_DOTS,
):
    """A network's spikes, a dot each, over its rate in time, a line a group, as a Figure.

    Args:
        times: (s,) seconds.
        neurons: (s,) whole numbers from 0 to size - 1.
        size: neurons in all.
        duration: seconds to the end of the record.
        title: which network; its mean rate is written beneath it.
        groups: name -> (start, stop) or slice of neurons; "excitatory" and "inhibitory" have colours of their own.
            None means one group.
        bin_width: seconds of a bin of the rate.
        theory: hertz that a theory foretells, a dashed line; None draws none.
        start: seconds at which the picture, the mean rate too, begins.
        max_dots: Dots drawn. Where there are more spikes, whole neurons are left out, evenly, and the figure says so;
            the rate counts all.

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
    mean = len(times) / size / (duration - start)
    figure = new_figure(10.0, 5.6, f"{title}\nmean rate {mean:.3g} Hz")
    dots, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1])
    every, rows = shown_neurons(neurons, groups, size, max_dots)
    bins = np.arange(start, duration + bin_width / 2, bin_width)
    if len(bins) < 2:
        bins = np.array([start, duration])
    for k, (name, (first, last)) in enumerate(groups.items()):
        shade = GROUP_COLORS.get(name, color(k))
        mine = (neurons >= first) & (neurons < last)
        drawn = mine & (rows[neurons] >= 0)
        dots.plot(
            times[drawn] / MILLI, neurons[drawn], ".", color=shade, markersize=1.8, markeredgewidth=0, rasterized=True
        )
        counts, _ = np.histogram(times[mine], bins)
        rate = counts / (last - first) / np.diff(bins)
        # The largest group, whose rate is the smoothest, on top.
        above = 2 + (last - first) / size
        below.stairs(rate, bins / MILLI, color=shade, linewidth=1.2, zorder=above, label=f"{name}, {last - first:,}")
    dots.set_ylim(-0.01 * size - 0.5, 1.01 * size - 0.5)
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


def spectrum(frequencies, power, *, title: str, highest: float = 500.0, lowest: float = 0.0):
    """The power of a population's rate over frequency, its largest peak marked, as a Figure.

    Args:
        frequencies: (k,) hertz, rising.
        power: (k,), or a mapping of names to (k,): what `kzoo.bio.analysis.spectrum` gives.
        title: which network.
        highest: hertz up to which it is drawn.
        lowest: hertz below which no peak is looked for; 0 looks above the first frequency, which is the mean.

    Raises:
        ValueError: if the shapes do not fit, or nothing lies in the range.
    """
    frequencies = np.asarray(frequencies, float)
    curves = dict(power) if isinstance(power, Mapping) else {"power": power}
    curves = {name: curve(f"power[{name!r}]", frequencies, values)[1] for name, values in curves.items()}
    shown = (frequencies > 0) & (frequencies <= highest)
    sought = shown & (frequencies >= lowest)
    if not sought.any():
        raise ValueError(
            f"no frequency lies from {lowest:g} to {highest:g} Hz; received {frequencies.min():g} to "
            f"{frequencies.max():g} Hz. A longer record has lower frequencies, a finer bin higher ones."
        )
    figure = new_figure(8.0, 4.2, textwrap.fill(title, 60))
    axes = figure.add_subplot()
    for k, (name, values) in enumerate(curves.items()):
        peak = frequencies[sought][values[sought].argmax()]
        said = f"peak at {peak:.0f} Hz"
        shade = GROUP_COLORS.get(name, color(k))
        axes.plot(
            frequencies[shown],
            np.maximum(values[shown], 1e-30),
            color=shade,
            linewidth=1.2,
            label=said if len(curves) == 1 else f"{name}, {said}",
        )
        axes.plot(peak, values[sought].max(), "v", color=shade, markersize=8)
    axes.set_yscale("log")
    axes.set_xlim(0, highest)
    label(axes, x="frequency (Hz)", y="power of the rate (log axis)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=LABEL, loc="upper right")
    return figure


def _ordinal(number) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
