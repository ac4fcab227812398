"""Neurons that spike: currents and voltages, rates over currents, rasters of networks, and of networks that classify.

Numbers come in SI units (seconds, volts, amperes, hertz) and are drawn in those of the field (ms, mV, nA, Hz).

Axis letters: t steps, n neurons, s spikes of a network, k points of a curve, c classes.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    INTENSITY,
    LABEL,
    ORANGE,
    TICK,
    VERMILLION,
    bare,
    color,
    label,
    marker,
    new_figure,
)

MILLI, NANO = 1e-3, 1e-9
SPIKE = 20e-3  # volts above threshold up to which a spike is drawn: the model has no spike of its own shape
MAX_DOTS = 6000  # of a raster; more only make it black
MAX_POINTS = 4000  # of a curve; more lie within one pixel
MAX_NEURONS = 6  # panels of voltages
BIN = 1e-3  # seconds of a bin of a population's rate

# What a group is called decides its colour, so that it has the same one in every figure.
GROUP_COLORS = {"excitatory": BLUE, "inhibitory": VERMILLION}


def membrane(
    current,
    voltage,
    spikes,
    dt: float,
    *,
    title: str,
    v_threshold: float,
    v_rest: float | None = None,
    rheobase: float | None = None,
    prediction=None,
    names: Sequence | None = None,
):
    """Voltages with their spikes above the current that caused them, as a Figure.

    Args:
        current: (t,) or (t, n) amperes.
        voltage: (t,) or (t, n) volts; one panel a neuron, of the first six.
        spikes: (t,) or (t, n), true where a neuron spiked. The model only resets; the spike itself, a stroke up to
            20 mV above threshold, is drawn by hand.
        dt: seconds of a step.
        title: which neuron under which current; the spikes of each are counted beside it.
        v_threshold: volts, a dashed line.
        v_rest: volts, a dotted line; None draws none.
        rheobase: amperes, a dashed line in the panel of the current; None draws none.
        prediction: (t,) or (t, n) volts of a theory, drawn over the voltage; None draws none.
        names: what each neuron is called; by default "neuron 1", ...

    Raises:
        ValueError: if the shapes do not fit, or dt is not above zero.
    """
    dt = _positive("dt", dt, "seconds")
    voltage = _traces("voltage", voltage)
    steps, count = voltage.shape
    spikes = _traces("spikes", spikes, (steps, count)).astype(bool)
    current = _traces("current", current)
    if len(current) != steps or current.shape[1] not in (1, count):
        raise ValueError(f"current must be ({steps},) or ({steps}, {count}) as the voltage; received {current.shape}.")
    if prediction is not None:
        prediction = _traces("prediction", prediction, (steps, count))
    names = _names(names, count, "neuron")
    shown = min(count, MAX_NEURONS)
    figure = new_figure(10.0, 1.6 + 2.4 * shown if shown < 3 else 1.6 + 1.5 * shown, title)
    *panels, below = figure.subplots(
        shown + 1, 1, sharex=True, height_ratios=[*[2.4 if shown < 3 else 1.5] * shown, 1.1]
    )
    times = np.arange(steps) * dt
    for k, axes in enumerate(panels):
        _stroke(axes, times, voltage[:, k], spikes[:, k], v_threshold)
        if prediction is not None:
            axes.plot(
                *_thinned(times / MILLI, prediction[:, k] / MILLI),
                "--",
                color=ORANGE,
                linewidth=1.6,
                label="theory",
            )
        axes.axhline(v_threshold / MILLI, color=VERMILLION, linestyle="--", linewidth=1, label="threshold")
        if v_rest is not None:
            axes.axhline(v_rest / MILLI, color=GREY, linestyle=":", linewidth=1.2, label="rest")
        total = int(spikes[:, k].sum())
        said = f"{total} spike{'' if total == 1 else 's'}, {total / (steps * dt):.3g} Hz"
        label(axes, y="V (mV)")
        axes.set_title(said if count == 1 else f"{names[k]}: {said}", fontsize=LABEL, loc="left")
        axes.grid(alpha=0.25)
    if shown < count:
        figure.supxlabel(f"the first {shown} of {count:,} neurons", fontsize=TICK)
    _legend_above(panels[0])
    for k in range(min(current.shape[1], shown)):
        shade = GREEN if current.shape[1] == 1 else color(k)
        below.plot(*_thinned(times / MILLI, current[:, k] / NANO), color=shade, linewidth=1.2, label=names[k])
    if rheobase is not None:
        below.axhline(rheobase / NANO, color=VERMILLION, linestyle="--", linewidth=1)
        below.annotate(
            " rheobase", (1, rheobase / NANO), xycoords=("axes fraction", "data"), fontsize=TICK, va="center"
        )
    if current.shape[1] > 1:
        _legend_above(below)
    below.margins(y=0.15)
    below.set_xlim(0, steps * dt / MILLI)
    label(below, x="time (ms)", y="I (nA)")
    below.grid(alpha=0.25)
    return figure


def _stroke(axes, times, voltage, spikes, v_threshold):
    """A voltage over time with its spikes as strokes up to a fixed height."""
    axes.plot(*_thinned(times / MILLI, voltage / MILLI), color=BLUE, linewidth=1.3)
    at = times[spikes] / MILLI
    axes.vlines(at, v_threshold / MILLI, (v_threshold + SPIKE) / MILLI, color=BLUE, linewidth=1.3)


def frequency_current(
    currents, rates, *, title: str, theory: Mapping | None = None, rheobase: float | None = None, limit=None
):
    """How the rate of a neuron grows with its current, measured (dots) and as theory has it (lines), as a Figure.

    Args:
        currents: (k,) amperes.
        rates: (k,) hertz, or a mapping of names, such as of levels of noise, to (k,) hertz.
        title: which neuron.
        theory: name -> (k,) hertz, or a pair of currents and rates of their own. A name that `rates` has too is drawn
            in the same colour.
        rheobase: amperes below which no constant current makes it fire; a dashed line.
        limit: hertz, one over the refractory period; a dotted line, drawn where the curve comes near it.

    Raises:
        ValueError: if the shapes do not fit, or a rate is negative or no number.
    """
    currents = np.asarray(currents, float)
    measured = dict(rates) if isinstance(rates, Mapping) else {"simulated": rates}
    measured = {name: _curve(f"rates[{name!r}]", currents, values) for name, values in measured.items()}
    lines = {}
    for name, values in (theory or {}).items():
        own = isinstance(values, tuple) and len(values) == 2 and np.ndim(values[0]) == 1
        lines[name] = _curve(f"theory[{name!r}]", *(values if own else (currents, values)))
    if not measured and not lines:
        raise ValueError("rates and theory are both empty: there is nothing to draw.")
    alone = len(measured) == 1 and not set(measured) & set(lines)
    shades = {name: color(k) for k, name in enumerate(measured)}
    others = [name for name in lines if name not in shades]
    shades |= {name: (VERMILLION, GREY, GREEN, ORANGE)[k % 4] for k, name in enumerate(others)}
    figure = new_figure(8.0, 4.8, title)
    axes = figure.add_subplot()
    for k, (name, (x, y)) in enumerate(lines.items()):
        said = name if name in others else f"{name}, theory"
        style = ("-", "--", "-.")[k % 3] if alone else "-"
        axes.plot(x / NANO, y, style, color=shades[name], linewidth=1.8, label=said)
    for k, (name, (x, y)) in enumerate(measured.items()):
        said = f"{name}, simulated" if name in lines else name
        axes.plot(x / NANO, y, marker(k), color=shades[name], markersize=5, alpha=0.8, label=said)
    highest = max(y.max() for _, y in (*measured.values(), *lines.values()))
    if rheobase is not None:
        axes.axvline(rheobase / NANO, color=GREY, linestyle="--", linewidth=1.2, label="rheobase")
    if limit is not None and np.isfinite(limit) and highest > 0.4 * limit:
        axes.axhline(limit, color=GREY, linestyle=":", linewidth=1.2, label="1 / refractory period")
    axes.set_ylim(bottom=-0.03 * max(highest, 1.0))
    label(axes, x="current I (nA)", y="rate (Hz)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=LABEL, loc="upper left")
    return figure


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
    times, neurons, size, duration = _spikes(times, neurons, size, duration)
    bin_width = _positive("bin_width", bin_width, "seconds")
    if not 0 <= start < duration:
        raise ValueError(f"start must lie in the record, from 0 to below {duration:g} s; received {start}.")
    groups = _groups(groups, size)
    inside = times >= start
    times, neurons = times[inside], neurons[inside]
    mean = len(times) / size / (duration - start)
    figure = new_figure(10.0, 5.6, f"{title}\nmean rate {mean:.3g} Hz")
    dots, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 1])
    every, rows = _shown_neurons(neurons, groups, size, max_dots)
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
        below.stairs(rate, bins / MILLI, color=shade, linewidth=1.2, label=f"{name}, {last - first:,}")
    dots.set_ylim(-0.01 * size - 0.5, 1.01 * size - 0.5)
    said = "neuron" if every == 1 else f"neuron (every {_ordinal(every)} drawn)"
    label(dots, y=said)
    if theory is not None:
        below.axhline(theory, color=BLACK, linestyle="--", linewidth=1, label=f"theory, {theory:.3g} Hz")
    below.set_xlim(start / MILLI, duration / MILLI)
    below.set_ylim(bottom=0)
    label(below, x="time (ms)", y="rate (Hz)")
    below.grid(alpha=0.25)
    _legend_above(below)
    return figure


def intervals(found, cvs=None, *, title: str):
    """How long neurons wait between spikes, and how irregularly, as histograms in a Figure.

    Args:
        found: (k,) intervals of one or many neurons, in seconds.
        cvs: (n,) coefficients of variation, standard deviation over mean of a neuron's intervals; NaN, of a neuron
            with too few spikes, is left out. None draws the intervals alone.
        title: which network or neuron.

    Raises:
        ValueError: if there is no interval, or one is not above zero.
    """
    found = np.asarray(found, float).ravel()
    if not found.size or not (found > 0).all() or not np.isfinite(found).all():
        raise ValueError(
            "found must hold at least one interval above 0 s; received "
            + (f"{found.min():g} to {found.max():g}." if found.size else "none: let it run longer.")
        )
    panels = 1 if cvs is None else 2
    figure = new_figure(5.2 * panels, 3.8, title)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    top = np.percentile(found, 99.5)
    _bars(axes[0], found[found <= top] / MILLI, BLUE)
    label(axes[0], x="interval (ms)", y="intervals", title=f"mean {found.mean() / MILLI:.3g} ms")
    axes[0].axvline(found.mean() / MILLI, color=BLACK, linestyle="--", linewidth=1)
    if cvs is not None:
        cvs = np.asarray(cvs, float).ravel()
        cvs = cvs[np.isfinite(cvs)]
        if not cvs.size:
            raise ValueError("cvs holds no number: a CV needs neurons with at least three spikes. Let it run longer.")
        _bars(axes[1], cvs, GREEN)
        axes[1].axvline(1, color=GREY, linestyle=":", linewidth=1.4, label="Poisson")
        axes[1].axvline(cvs.mean(), color=BLACK, linestyle="--", linewidth=1, label="mean")
        axes[1].set_xlim(left=0)
        axes[1].legend(fontsize=TICK)
        label(axes[1], x="CV of the intervals (0: a clock)", y="neurons", title=f"mean CV {cvs.mean():.2f}")
    return figure


def _bars(axes, values, shade):
    # Equal numbers would give bins of no width.
    span = (values.min(), values.max()) if np.ptp(values) > 1e-9 * abs(values.max()) else (0, 2 * values.max() or 1)
    axes.hist(values, bins=int(np.clip(2 * np.sqrt(values.size), 8, 40)), range=span, color=shade, alpha=0.85)
    axes.grid(alpha=0.25)


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
    curves = {name: _curve(f"power[{name!r}]", frequencies, values)[1] for name, values in curves.items()}
    shown = (frequencies > 0) & (frequencies <= highest)
    sought = shown & (frequencies >= lowest)
    if not sought.any():
        raise ValueError(
            f"no frequency lies from {lowest:g} to {highest:g} Hz; received {frequencies.min():g} to "
            f"{frequencies.max():g} Hz. A longer record has lower frequencies, a finer bin higher ones."
        )
    figure = new_figure(8.0, 4.2, title)
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
    voltages = _traces("voltages", voltages)
    steps, count = voltages.shape
    if times.shape != (steps,):
        raise ValueError(f"times must be ({steps},), one for each row of the voltages; received {times.shape}.")
    if exact is not None:
        exact = _traces("exact", exact, (steps, count))
    if fixed_point is not None:
        fixed_point = np.asarray(fixed_point, float)
        if fixed_point.shape != (count,):
            raise ValueError(f"fixed_point must be ({count},), one a neuron; received {fixed_point.shape}.")
    panels = 1 if eigenvalues is None else 2
    figure = new_figure(9.0 if panels == 1 else 11.5, 4.4, title)
    axes, *rest = figure.subplots(1, panels, squeeze=False, width_ratios=[2, 1][:panels])[0]
    for k in range(min(count, 10)):
        axes.plot(*_thinned(times / MILLI, voltages[:, k] / MILLI), color=color(k), linewidth=1.6)
        if fixed_point is not None:
            axes.axhline(fixed_point[k] / MILLI, color=color(k), linestyle="--", linewidth=1, alpha=0.7)
        if exact is not None:
            axes.plot(*_thinned(times / MILLI, exact[:, k] / MILLI), ":", color=BLACK, linewidth=1.2)
    axes.plot([], [], color=GREY, linewidth=1.6, label=f"V of {count:,} neurons" if count <= 10 else "V of ten neurons")
    if fixed_point is not None:
        axes.plot([], [], "--", color=GREY, linewidth=1, label="fixed point")
    if exact is not None:
        axes.plot([], [], ":", color=BLACK, linewidth=1.2, label="exact solution")
    axes.legend(fontsize=TICK)
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
        names = _names(class_names, readout.shape[1], None)
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
    answer = int(readout[-1].argmax())
    for k in range(readout.shape[1]):
        told = k in (answer, target)
        shade = BLUE if k == answer else VERMILLION if k == target else GREY
        axes.plot(readout[:, k], color=shade, linewidth=2.2 if told else 0.9, alpha=1 if told else 0.5)
        if told:
            axes.annotate(
                f" {names[k]}", (1, readout[-1, k]), xycoords=("axes fraction", "data"), color=shade, va="center"
            )
    right = "" if target is None else ", right" if target == answer else f", wrong: it is {names[target]}"
    axes.set_title(f"answer {names[answer]}{right}", fontsize=LABEL, loc="left", pad=3)
    axes.grid(alpha=0.25)
    label(axes, y="readout")


def _legend_above(axes):
    """The legend in a line above the right end, where it covers no data."""
    axes.legend(fontsize=TICK, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=4, frameon=False, borderaxespad=0.2)


def _traces(name, values, shape=None):
    """(t, n) numbers out of (t,) or (t, n)."""
    values = np.asarray(values)
    found = values[:, None] if values.ndim == 1 else values
    if found.ndim != 2 or not found.size or (shape is not None and found.shape != shape):
        wanted = "(t,) or (t, n) with at least one number" if shape is None else f"{shape}, as the voltage"
        raise ValueError(f"{name} must be {wanted}; received the shape {values.shape}.")
    return found


def _curve(name, x, y):
    """A pair of (k,) numbers that can be drawn."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise ValueError(f"{name} must be as long as its axis, {x.shape}; received {y.shape}.")
    if not (y >= 0).all():
        raise ValueError(f"{name} must be at least 0; received values from {y.min()} to {y.max()}.")
    return x, y


def _positive(name, value, unit):
    value = float(value)
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be above 0 {unit}; received {value}.")
    return value


def _spikes(times, neurons, size, duration):
    """Checked spikes of a network: sorted times, and neurons of 0 to size - 1."""
    times, neurons = np.asarray(times, float), np.asarray(neurons)
    duration = _positive("duration", duration, "seconds")
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


def _groups(groups, size):
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


def _shown_neurons(neurons, groups, size, max_dots):
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


def _ordinal(number) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _names(names, count, kind):
    if names is None:
        return [f"{kind} {k + 1}" if kind else str(k) for k in range(count)]
    if len(names) != count:
        raise ValueError(f"there must be {count} names, one each; received {len(names)}.")
    return [str(name) for name in names]


def _thinned(x, y):
    """The points of a curve, or of each stretch its lowest and highest where there are very many."""
    if len(x) <= 2 * MAX_POINTS:
        return x, y
    width = -(-len(x) // MAX_POINTS)
    whole = len(x) // width * width
    parts = y[:whole].reshape(-1, width)
    starts = np.arange(len(parts)) * width
    kept = np.sort(np.concatenate([starts + parts.argmin(1), starts + parts.argmax(1), np.arange(whole, len(y))]))
    return x[kept], y[kept]
