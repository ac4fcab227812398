"""What a network computes inside: activations layer by layer, and the weights of a convolution."""

from collections.abc import Mapping

import numpy as np

from kzoo.plots.classification import as_pictures
from kzoo.plots.style import BLUE, DIVERGING, INTENSITY, LABEL, TICK, bare, label, new_figure


def feature_maps(activations: Mapping, *, image=None, max_channels: int = 8):
    """The activations of one example, a row a layer, as a matplotlib Figure.

    Args:
        activations: from layer name to (h, w, c) for a feature map or (n,) for a vector of units.
        image: the input, (h, w), (h, w, 1) or (h, w, 3); shown on top where given.
        max_channels: the first this many channels of each feature map are shown.

    Each row has its own colour scale; where a layer has negative values, white is zero.
    """
    if not isinstance(activations, Mapping) or not activations:
        raise ValueError(
            f"activations must be a non-empty dict from layer name to an array; received {type(activations).__name__}."
        )
    if max_channels < 1:
        raise ValueError(f"max_channels must be at least 1; received {max_channels}.")
    layers = {name: np.asarray(values, dtype=float) for name, values in activations.items()}
    for name, values in layers.items():
        if values.ndim not in (1, 3) or values.size == 0:
            raise ValueError(
                f"activations[{name!r}] must be of shape (h, w, c) or (n,), one example without its batch "
                f"axis; received {values.shape}."
            )
    if image is not None:
        image = np.asarray(image)
        if image.ndim not in (2, 3):
            raise ValueError(f"image must be of shape (h, w), (h, w, 1) or (h, w, 3); received {image.shape}.")
        image = as_pictures("image", image[None])[0]

    columns = max([min(v.shape[-1], max_channels) for v in layers.values() if v.ndim == 3], default=6)
    columns = max(columns, 4)
    heights = ([1.3] if image is not None else []) + [1.25 if v.ndim == 3 else 1.5 for v in layers.values()]
    figure = new_figure(1.2 * columns + 2.9, sum(heights) * 1.05 + 0.8)
    figure.suptitle(
        "What each layer computes from one input, from first (top) to last\n"
        "activations have no unit; each row has a scale of its own",
        fontsize=LABEL,
    )
    grid = figure.add_gridspec(
        len(heights), columns + 2, height_ratios=heights, width_ratios=[1.45] + [1] * columns + [0.16]
    )
    row = 0
    if image is not None:
        _name_row(figure.add_subplot(grid[0, 0]), "input", image.shape, "")
        axes = figure.add_subplot(grid[0, 1])
        axes.imshow(image, cmap="gray")
        bare(axes)
        row = 1
    for name, values in layers.items():
        if values.ndim == 3:
            _map_row(figure, grid, row, name, values, min(values.shape[-1], max_channels))
        else:
            _name_row(figure.add_subplot(grid[row, 0]), name, values.shape, "")
            axes = figure.add_subplot(grid[row, 1 : columns + 1])
            axes.bar(np.arange(values.size), values, color=BLUE, width=0.8)
            axes.axhline(0, color="black", linewidth=0.6)
            if values.size <= 20:
                axes.set_xticks(range(values.size))
            axes.set_xlim(-0.6, values.size - 0.4)
            label(axes, x="unit", y="activation")
        row += 1
    return figure


def _map_row(figure, grid, row: int, name: str, values, shown: int) -> None:
    channels = values.shape[-1]
    note = f"channels 0 to {shown - 1} of {channels}" if shown < channels else ""
    _name_row(figure.add_subplot(grid[row, 0]), name, values.shape, note)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    colours = INTENSITY
    if low < 0:
        high = max(-low, high)
        low, colours = -high, DIVERGING
    if low == high:
        high = low + 1.0
    for channel in range(shown):
        axes = figure.add_subplot(grid[row, channel + 1])
        shades = axes.imshow(values[..., channel], cmap=colours, vmin=low, vmax=high)
        bare(axes)
    bar = figure.colorbar(shades, cax=figure.add_subplot(grid[row, -1]))
    bar.ax.tick_params(labelsize=TICK - 1)
    bar.locator.set_params(nbins=3)
    bar.update_ticks()


def _name_row(axes, name: str, shape, note: str) -> None:
    bare(axes)
    size = " x ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} units"
    axes.text(0, 0.5, "\n".join(filter(None, [name, size, note])), va="center", fontsize=TICK)


def kernels(weights, *, title: str | None = None, max_filters: int = 32, max_inputs: int = 8):
    """The weights of a 2-D convolution, as a matplotlib Figure.

    Args:
        weights: (h, w, cin, cout), as Keras keeps them.
        title: which layer of which model.
        max_filters, max_inputs: the first this many of cout and cin are shown.

    With one input channel the filters fill a grid; with more, a row is an input channel, a column a filter.
    White is zero, and all tiles share one colour scale.
    """
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != 4 or weights.size == 0:
        raise ValueError(f"weights must be of shape (h, w, cin, cout); received {weights.shape}.")
    if max_filters < 1 or max_inputs < 1:
        raise ValueError(f"max_filters and max_inputs must be at least 1; received {max_filters}, {max_inputs}.")
    height, width, inputs, filters = weights.shape
    shown_filters, shown_inputs = min(filters, max_filters), min(inputs, max_inputs)
    columns = min(8, shown_filters) if inputs == 1 else shown_filters
    rows = -(-shown_filters // columns) if inputs == 1 else shown_inputs

    cut = f", the first {shown_filters} shown" if shown_filters < filters else ""
    size = f"{filters} filters of {height} x {width}{cut}"
    if inputs > 1:
        size += f"\neach column is a filter, each row one of its {inputs} input channels"
        size += f", the first {shown_inputs} shown" if shown_inputs < inputs else ""
    figure = new_figure(
        max(0.8 * columns + 1.4, 6.0), max(0.95 * rows + 1.2, 3.0), "\n".join(filter(None, [title, size]))
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    limit = np.abs(weights).max() or 1.0
    for index, tile in enumerate(axes.flat):
        row, column = divmod(index, columns)
        chosen, source = (index, 0) if inputs == 1 else (column, row)
        if chosen >= shown_filters:
            tile.set_axis_off()
            continue
        shades = tile.imshow(weights[:, :, source, chosen], cmap=DIVERGING, vmin=-limit, vmax=limit)
        tile.set_xticks([])
        tile.set_yticks([])
        if inputs == 1 or row == 0:
            tile.set_title(str(chosen), fontsize=TICK - 1, pad=2)
        if inputs > 1 and column == 0:
            tile.set_ylabel(f"input {row}", fontsize=TICK)
    bar = figure.colorbar(shades, ax=axes)
    bar.set_label("weight (no unit)", fontsize=LABEL)
    bar.ax.tick_params(labelsize=TICK)
    return figure
