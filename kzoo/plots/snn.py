"""A spiking classifier from inside: the spikes of each layer, and the readout step by step.

Axis letters: t steps, n units, c classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.spikes import named
from kzoo.plots.style import BLUE, GREY, LABEL, TICK, VERMILLION, bare, label, new_figure


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
