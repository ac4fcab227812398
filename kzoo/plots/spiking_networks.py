"""Networks that spike: rasters, rates and their spectrum, graded coupling, Brunel's plane, a classifier layer by layer.

Numbers come in SI units (seconds, volts, hertz) and are drawn in those of the field (ms, mV, Hz).

Axis letters: t steps, n neurons, s spikes, k points of a curve, c classes.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.spikes import (
    BIN,
    MAX_DOTS,
    MILLI,
    checked_groups,
    checked_spikes,
    curve,
    legend_above,
    named,
    positive,
    shown_neurons,
    thinned,
    traces,
)
from kzoo.plots.style import (
    BLACK,
    BLUE,
    GREY,
    INTENSITY,
    LABEL,
    TICK,
    VERMILLION,
    bare,
    color,
    label,
    new_figure,
)

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


def graded(times, voltages, *, title: str, fixed_point=None, exact=None, eigenvalues=None):
    """Voltages of a network with graded coupling on their way to where they rest, as a Figure.

    Args:
        times: (t,) seconds.
        voltages: (t, n) volts; of the first ten neurons.
        title: which network.
        fixed_point: (n,) volts at which they stand still, dashed lines; None draws none.
        exact: (t, n) volts of the exact solution, dotted; None draws none.
        eigenvalues: (n,) of the matrix W, complex; a second panel shows them beside the line Re = 1, right of which the
            network runs away. None leaves it out.

    Raises:
        ValueError: if the shapes do not fit.
    """
    times = np.asarray(times, float)
    voltages = traces("voltages", voltages)
    steps, count = voltages.shape
    if times.shape != (steps,):
        raise ValueError(f"times must be ({steps},), one for each row of the voltages; received {times.shape}.")
    if exact is not None:
        exact = traces("exact", exact, (steps, count))
    if fixed_point is not None:
        fixed_point = np.asarray(fixed_point, float)
        if fixed_point.shape != (count,):
            raise ValueError(f"fixed_point must be ({count},), one a neuron; received {fixed_point.shape}.")
    panels = 1 if eigenvalues is None else 2
    figure = new_figure(9.0 if panels == 1 else 11.5, 4.4, title)
    axes, *rest = figure.subplots(1, panels, squeeze=False, width_ratios=[2, 1][:panels])[0]
    for k in range(min(count, 10)):
        axes.plot(*thinned(times / MILLI, voltages[:, k] / MILLI), color=color(k), linewidth=1.6)
        if fixed_point is not None:
            axes.axhline(fixed_point[k] / MILLI, color=color(k), linestyle="--", linewidth=1, alpha=0.7)
        if exact is not None:
            axes.plot(*thinned(times / MILLI, exact[:, k] / MILLI), ":", color=BLACK, linewidth=1.2)
    axes.plot([], [], color=GREY, linewidth=1.6, label=f"V of {count:,} neurons" if count <= 10 else "V of ten neurons")
    if fixed_point is not None:
        axes.plot([], [], "--", color=GREY, linewidth=1, label="fixed point")
    if exact is not None:
        axes.plot([], [], ":", color=BLACK, linewidth=1.2, label="exact solution")
    legend_above(axes)
    axes.grid(alpha=0.25)
    label(axes, x="time (ms)", y="V (mV)")
    if rest:
        values = np.asarray(eigenvalues, complex).ravel()
        _eigenvalues(rest[0], values)
    return figure


def _eigenvalues(axes, values):
    largest = values.real.max()
    reach = 1.15 * max(np.abs(values).max(), 1.0) + 0.1
    axes.axvspan(1, max(reach, 1.3), color=VERMILLION, alpha=0.15, linewidth=0)
    axes.axvline(1, color=VERMILLION, linestyle="--", linewidth=1.2)
    axes.axhline(0, color=GREY, linewidth=0.8)
    stable = values.real < 1
    axes.plot(values[stable].real, values[stable].imag, "o", color=BLUE, markersize=5)
    axes.plot(values[~stable].real, values[~stable].imag, "X", color=VERMILLION, markersize=8)
    axes.set(xlim=(-reach, max(reach, 1.3)), ylim=(-reach, reach))
    said = "stable" if largest < 1 else "runs away"
    label(axes, x="real part", y="imaginary part", title=f"Eigenvalues of W: {said}")
    axes.title.set_fontsize(LABEL)


def regimes(
    points: Mapping, *, title: str, rates=None, g=None, eta=None, measured: Mapping | None = None, balance: float = 4.0
):
    """Brunel's plane: how strong inhibition is, how strong the drive from outside, and what the network then does.

    Args:
        points: name -> (g, eta), such as `kzoo.bio.networks.REGIMES`.
        title: which network.
        rates: (rows of eta, columns of g) hertz, drawn as colours on a logarithmic scale; NaN is left white. None
            draws none.
        g: (columns,) values of g, rising; needed with rates.
        eta: (rows,) values of eta, rising; needed with rates.
        measured: name of a point -> words written beside it, such as "38 Hz, CV 0.4".
        balance: the g at which inhibition equals excitation, a line: C_E / C_I, which is 4 in the paper.

    Left of the line of balance excitation wins and all fire together, near their limit; right of it inhibition wins.
    Below eta = 1 the drive alone does not reach the threshold.

    Raises:
        ValueError: if there is no point, or the shapes do not fit.
    """
    if not points:
        raise ValueError("points must name at least one place (g, eta) of the plane; received none.")
    places = {str(name): np.asarray(place, float) for name, place in points.items()}
    if any(place.shape != (2,) or not np.isfinite(place).all() for place in places.values()):
        raise ValueError(f"points must map names to pairs (g, eta); received {dict(points)}.")
    figure = new_figure(8.4, 5.2, title)
    axes = figure.add_subplot()
    if rates is not None:
        rates, g, eta = (np.asarray(values, float) for values in (rates, g, eta))
        if rates.ndim != 2 or g.shape != rates.shape[1:] or eta.shape != rates.shape[:1]:
            raise ValueError(
                f"rates must be (rows of eta, columns of g); received {rates.shape} with eta {eta.shape}, g {g.shape}."
            )
        from matplotlib.colors import LogNorm

        known = rates[np.isfinite(rates) & (rates > 0)]
        low, high = (known.min(), known.max()) if known.size else (0.1, 1.0)
        mesh = axes.pcolormesh(
            g,
            eta,
            np.ma.masked_invalid(np.where(rates > 0, rates, np.nan)),
            norm=LogNorm(max(low, high * 1e-5), max(high, low * 1.01)),
            cmap=INTENSITY,
            shading="nearest",
            alpha=0.85,
        )
        bar = figure.colorbar(mesh, ax=axes, pad=0.01)
        bar.set_label("rate in theory (Hz, log scale)", fontsize=LABEL)
    axes.axvline(balance, color=BLACK, linestyle="--", linewidth=1.4)
    axes.axhline(1, color=BLACK, linestyle=":", linewidth=1.4)
    for name, (x, y) in places.items():
        axes.plot(x, y, "o", color="white", markeredgecolor=BLACK, markersize=19)
        axes.text(x, y, name, ha="center", va="center", fontsize=LABEL, fontweight="bold")
        if measured and name in measured:
            axes.annotate(
                measured[name],
                (x, y),
                xytext=(15, 0),
                textcoords="offset points",
                fontsize=TICK,
                va="center",
                bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            )
    xs, ys = (np.array([place[k] for place in places.values()]) for k in (0, 1))
    if rates is None:
        axes.set_xlim(min(0, xs.min() - 1), max(8, xs.max() + 1.5))
        axes.set_ylim(0, max(4.5, ys.max() + 0.5))
    _beside(axes, (balance, 1), ("excitation wins ", " inhibition wins"), ("data", "axes fraction"))
    for words, side in ((" drive above threshold", "bottom"), (" drive below threshold", "top")):
        axes.annotate(
            words,
            (1, 1),
            xytext=(-4, 4 if side == "bottom" else -4),
            textcoords="offset points",
            xycoords=("axes fraction", "data"),
            fontsize=TICK,
            ha="right",
            va=side,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )
    label(
        axes, x="g: an inhibitory synapse over an excitatory one", y="$\\eta$: drive from outside, 1 reaches threshold"
    )
    return figure


def _beside(axes, place, words, coordinates):
    """Two texts left and right of a line."""
    for text, side in zip(words, ("right", "left"), strict=True):
        axes.annotate(
            text, place, xytext=(0, 3), textcoords="offset points", xycoords=coordinates, fontsize=TICK, ha=side
        )


def spiking_layers(
    layers: Mapping,
    readout=None,
    *,
    title: str,
    image=None,
    class_names: Sequence | None = None,
    target: int | None = None,
    max_units: int = 400,
):
    """What a spiking classifier does with one sample: a raster a layer, and the readout step by step, as a Figure.

    Args:
        layers: name -> (t, n) spikes, in the order of the network; true or above zero where a unit spiked.
        readout: (t, c) of the readout after each step, the largest at the end being the answer; None draws none.
        title: which model on what.
        image: (h, w) or (h, w, channels) of what was shown; None leaves it out.
        class_names: the name of class 0, class 1, ...; by default the numbers.
        target: the right class; None says nothing of it.
        max_units: Units drawn of a layer; of a larger one evenly, and it says so.

    Raises:
        ValueError: if there is no layer, the lengths differ, or a class has no name.
    """
    found = {name: np.asarray(values) for name, values in layers.items()}
    lengths = {values.shape[0] if values.ndim == 2 else None for values in found.values()}
    if not found or None in lengths or len(lengths) > 1 or not all(values.size for values in found.values()):
        shapes = ", ".join(f"{name} {values.shape}" for name, values in found.items()) or "nothing"
        raise ValueError(f"layers must map names to spikes (t, n) of one length; received {shapes}.")
    steps = lengths.pop()
    if readout is not None:
        readout = np.asarray(readout, float)
        if readout.ndim != 2 or len(readout) != steps:
            raise ValueError(f"readout must be ({steps}, classes), a row a step; received {readout.shape}.")
        names = named(class_names, readout.shape[1], None)
    panels = len(found) + (readout is not None)
    figure = new_figure(10.0, 1.7 * panels + 0.8, title)
    if image is None:
        axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
    else:
        grid = figure.add_gridspec(panels, 2, width_ratios=[1, 4.5])
        axes = [figure.add_subplot(grid[0, 1])]
        axes += [figure.add_subplot(grid[k, 1], sharex=axes[0]) for k in range(1, panels)]
        shown = figure.add_subplot(grid[:, 0], anchor="N")
        shown.imshow(np.squeeze(np.asarray(image)), cmap="gray_r", interpolation="nearest")
        bare(shown)
        if target is not None and readout is not None:
            label(shown, x=f"class {names[target]}")
    for panel, (name, values) in zip(axes, found.items(), strict=False):
        units = np.unique(np.linspace(0, values.shape[1] - 1, max_units).astype(int))
        at, unit = np.nonzero(values[:, units] > 0)
        size = 5.0 if len(units) <= 60 else 2.4
        panel.plot(at, units[unit], "|" if len(units) <= 60 else ".", color=BLUE, markersize=size, rasterized=True)
        panel.set_ylim(-0.5 - 0.02 * values.shape[1], values.shape[1] * 1.02 - 0.5)
        panel.yaxis.get_major_locator().set_params(integer=True)
        some = "" if len(units) == values.shape[1] else f"\n({len(units)} of {values.shape[1]:,})"
        label(panel, y=f"{name}{some}")
        mean = (values > 0).mean()
        panel.set_title(f"{100 * mean:.1f} % of units a step", fontsize=TICK, loc="right", pad=2)
    if readout is not None:
        _readout(axes[-1], readout, names, target)
    for panel in axes[:-1]:
        panel.tick_params(labelbottom=False)
    axes[-1].set_xlim(-0.5, steps - 0.5)
    label(axes[-1], x="step")
    return figure


def _readout(axes, readout, names, target):
    ends = readout[-1]
    answer = int(ends.argmax())
    for k in range(readout.shape[1]):
        told = k in (answer, target)
        shade = BLUE if k == answer else VERMILLION if k == target else GREY
        axes.plot(readout[:, k], color=shade, linewidth=2.2 if told else 0.9, alpha=1 if told else 0.5)
    shown = {answer: BLUE} if target in (None, answer) else {answer: BLUE, target: VERMILLION}
    low, high = axes.get_ylim()
    near = len(shown) == 2 and ends[answer] - ends[target] < 0.3 * (high - low)
    for k, shade in shown.items():
        # Two that end close together stand one above and one below their lines' ends.
        side = ("bottom" if k == answer else "top") if near else "center"
        axes.annotate(f" {names[k]}", (1, ends[k]), xycoords=("axes fraction", "data"), color=shade, va=side)
    right = "" if target is None else ", right" if target == answer else f", wrong: it is {names[target]}"
    axes.set_title(f"answer {names[answer]}{right}", fontsize=LABEL, loc="left", pad=3)
    axes.grid(alpha=0.25)
    label(axes, y="readout")


def _ordinal(number) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
