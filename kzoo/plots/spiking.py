"""Single neurons that spike: currents and voltages, rates over currents, intervals.

Numbers come in SI units (seconds, volts, amperes, hertz) and are drawn in those of the field (ms, mV, nA, Hz).

Axis letters: t steps, n neurons, k points of a curve.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.spikes import MILLI, NANO, curve, legend_above, named, positive, thinned, traces
from kzoo.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LABEL,
    ORANGE,
    TICK,
    VERMILLION,
    color,
    label,
    marker,
    new_figure,
)

SPIKE = 20e-3  # volts above threshold up to which a spike is drawn: the model has no spike of its own shape
MAX_NEURONS = 6  # panels of voltages


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
        current: (t,) or (t, n) amperes; None leaves its panel out. Of one that jumps from step to step, as noise does,
            the panel shows the mean over a hundredth of the record, with the steps pale behind it, cut off where they
            go beyond.
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
    dt = positive("dt", dt, "seconds")
    voltage = traces("voltage", voltage)
    steps, count = voltage.shape
    spikes = traces("spikes", spikes, (steps, count)).astype(bool)
    if current is not None:
        current = traces("current", current)
        if len(current) != steps or current.shape[1] not in (1, count):
            raise ValueError(
                f"current must be ({steps},) or ({steps}, {count}) as the voltage; received {current.shape}."
            )
    if prediction is not None:
        prediction = traces("prediction", prediction, (steps, count))
    names = named(names, count, "neuron")
    shown = min(count, MAX_NEURONS)
    tall, last = 2.4 if shown < 3 else 1.5, 0 if current is None else 1
    figure = new_figure(10.0, 0.9 + tall * shown + 0.8 * last, title)
    panels = list(
        figure.subplots(shown + last, 1, sharex=True, squeeze=False, height_ratios=[tall] * shown + [1.1] * last)[:, 0]
    )
    below = panels.pop() if last else panels[-1]
    times = np.arange(steps) * dt
    for k, axes in enumerate(panels):
        _stroke(axes, times, voltage[:, k], spikes[:, k], v_threshold)
        if prediction is not None:
            axes.plot(
                *thinned(times / MILLI, prediction[:, k] / MILLI),
                "--",
                color=ORANGE,
                linewidth=1.6,
                label="theory",
            )
        axes.axhline(v_threshold / MILLI, color=VERMILLION, linestyle="--", linewidth=1, label="threshold")
        if v_rest is not None:
            axes.axhline(v_rest / MILLI, color=GREY, linestyle=":", linewidth=1.2, label="rest")
        total = int(spikes[:, k].sum())
        said = f"{total} spike{'' if total == 1 else 's'} in {steps * dt / MILLI:.4g} ms"
        label(axes, y="V (mV)")
        axes.set_title(said if count == 1 else f"{names[k]}: {said}", fontsize=LABEL, loc="left")
        axes.grid(alpha=0.25)
    if shown < count:
        figure.supxlabel(f"the first {shown} of {count:,} neurons", fontsize=TICK)
    legend_above(panels[0])
    if current is not None:
        _current(below, times, current, shown, rheobase, names)
    below.set_xlim(0, steps * dt / MILLI)
    label(below, x="time (ms)")
    return figure


def _current(axes, times, current, shown, rheobase, names):
    """Currents over time, and the one that every spike needs."""
    alone = current.shape[1] == 1
    kept = [current[:, k] / NANO for k in range(min(current.shape[1], shown))]
    means = [_mean_of_noise(values) for values in kept]
    noisy = any(mean is not None for mean in means)
    for k, (values, mean) in enumerate(zip(kept, means, strict=True)):
        shade = GREEN if alone else color(k)
        if mean is None:
            axes.plot(*thinned(times / MILLI, values), color=shade, linewidth=1.2, label=names[k])
            continue
        far = np.abs(values - mean).max()
        said = f"in each step, up to {far:.2g} nA off"
        axes.plot(
            *thinned(times / MILLI, values), color=shade, linewidth=0.6, alpha=0.25, label=said if alone else None
        )
        span = len(values) // 100 * (times[1] - times[0]) / MILLI
        said = f"mean over {span:.2g} ms"
        axes.plot(
            *thinned(times / MILLI, mean), color=shade, linewidth=1.6, label=said if alone else f"{names[k]}, {said}"
        )
    if rheobase is not None:
        axes.axhline(rheobase / NANO, color=VERMILLION, linestyle="--", linewidth=1.2, zorder=3)
        axes.annotate(" rheobase", (1, rheobase / NANO), xycoords=("axes fraction", "data"), fontsize=TICK, va="center")
    if not alone or noisy:
        legend_above(axes)
    if noisy:
        ends = [values if mean is None else mean for values, mean in zip(kept, means, strict=True)]
        ends += [] if rheobase is None else [[rheobase / NANO]]
        low, high = min(map(min, ends)), max(map(max, ends))
        room = 0.15 * (high - low) or 1.0
        axes.set_ylim(low - room, high + room)
    else:
        axes.margins(y=0.15)
    label(axes, y="I (nA)")
    axes.grid(alpha=0.25)


def _mean_of_noise(values):
    """(t,) the running mean over a hundredth of the record, if most of what is off it is jumps of single steps."""
    width = len(values) // 100
    if width < 2:
        return None
    sums = np.convolve(values, np.ones(width), "same")
    mean = sums / np.convolve(np.ones(len(values)), np.ones(width), "same")
    # Of independent numbers the squared difference of two is twice their variance, and each jump takes half of the one
    # before it back; of what is smooth, jumps rarely, or has a memory, one of the two is far less.
    off, jumps = ((values - mean) ** 2).mean(), np.diff(values)
    large, back = (jumps**2).mean(), -(jumps[1:] * jumps[:-1]).mean()
    noise = large > off > 0 and back > large / 4 and np.count_nonzero(jumps) > len(jumps) / 2
    return mean if noise else None


def _stroke(axes, times, voltage, spikes, v_threshold):
    """A voltage over time with its spikes as strokes up to a fixed height."""
    axes.plot(*thinned(times / MILLI, voltage / MILLI), color=BLUE, linewidth=1.3)
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
    measured = {name: curve(f"rates[{name!r}]", currents, values) for name, values in measured.items()}
    lines = {}
    for name, values in (theory or {}).items():
        own = isinstance(values, tuple) and len(values) == 2 and np.ndim(values[0]) == 1
        lines[name] = curve(f"theory[{name!r}]", *(values if own else (currents, values)))
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
    # A few very long ones would press all others into one bar.
    top = np.percentile(found, 99.5, method="higher")
    _bars(axes[0], found[found <= top] / MILLI, BLUE)
    longer = np.count_nonzero(found > top)
    label(
        axes[0],
        x="interval (ms)" + (f"; {longer} longer ones not drawn" if longer else ""),
        y="intervals",
        title=f"mean {found.mean() / MILLI:.3g} ms",
    )
    axes[0].axvline(found.mean() / MILLI, color=BLACK, linestyle="--", linewidth=1)
    if cvs is not None:
        cvs = np.asarray(cvs, float).ravel()
        cvs = cvs[np.isfinite(cvs)]
        if not cvs.size:
            raise ValueError("cvs holds no number: a CV needs neurons with at least three spikes. Let it run longer.")
        # Over the whole axis: of clocks, whose CVs are nearly equal, a bar would be too thin to be seen.
        _bars(axes[1], cvs, GREEN, (0, max(1.0, cvs.max())))
        axes[1].axvline(1, color=GREY, linestyle=":", linewidth=1.4, label="Poisson")
        axes[1].axvline(cvs.mean(), color=BLACK, linestyle="--", linewidth=1, label="mean")
        axes[1].set_xlim(left=0)
        axes[1].legend(fontsize=TICK)
        label(axes[1], x="CV of the intervals (0: a clock)", y="neurons", title=f"mean CV {cvs.mean():.2f}")
    return figure


def _bars(axes, values, shade, span=None):
    """Bars of a histogram over `span`, by default that of the numbers."""
    if span is None:
        # Equal numbers would give bins of no width.
        span = (values.min(), values.max()) if np.ptp(values) > 1e-9 * abs(values.max()) else (0, 2 * values.max() or 1)
    axes.hist(values, bins=int(np.clip(2 * np.sqrt(values.size), 8, 40)), range=span, color=shade, alpha=0.85)
    axes.grid(alpha=0.25)
