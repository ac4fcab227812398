"""Networks of graded coupling: voltages on their way to rest, and the eigenvalues that say whether they come there.

Numbers come in SI units (seconds, volts, hertz) and are drawn in those of the field (ms, mV, Hz).

Axis letters: t steps, n neurons.
"""

import numpy as np

from kzoo.plots.spikes import MILLI, legend_above, thinned, traces
from kzoo.plots.style import BLACK, BLUE, GREY, LABEL, VERMILLION, color, label, new_figure


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
