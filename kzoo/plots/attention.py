"""Who looks at whom in a text: attention, and what stands for it in a state space model.

Axis letters: l layers, h heads, t tokens.
"""

import numpy as np

from kzoo.plots.style import DIVERGING, LABEL, SEQUENTIAL, TICK, label, new_figure
from kzoo.plots.tokens import MAX_NAMED, name_ticks, names_of


def attention_grid(maps, tokens=None, *, title: str):
    """Attention of every layer and head as a grid of heat maps, as a Figure.

    Args:
        maps: (l, h, t, t) weights: row q of a map is how token q shares its look out among the tokens, and sums to 1.
        tokens: The t tokens, a text or strings; written along the axes where there are at most 40. None leaves them
            out.
        title: which model on what.

    The colour is the square root of the weight: many weights are small, and yet are no zeros.

    Raises:
        ValueError: if the shapes do not fit, or a row is no share of 1.
    """
    maps = np.asarray(maps, float)
    if maps.ndim != 4 or maps.shape[-1] != maps.shape[-2] or not maps.size:
        raise ValueError(f"maps must be attention weights (layers, heads, t, t); received the shape {maps.shape}.")
    if maps.min() < 0 or np.abs(maps.sum(axis=-1) - 1).max() > 1e-2:
        raise ValueError(
            "each row of maps must be a share of 1, as a softmax gives it; received rows that sum to "
            f"{maps.sum(axis=-1).min():.3g} to {maps.sum(axis=-1).max():.3g}. Scores go through a softmax first."
        )
    layers, heads, length, _ = maps.shape
    names = names_of(tokens, length)
    named = 0 < len(names) <= MAX_NAMED
    # As large as the names need, as long as the page is not too wide for it.
    size = max(1.7, min(0.14 * length, 13 / heads) if named else 0)
    text = min(TICK, 60 * size / length)
    figure = new_figure(size * heads + 1.6, size * layers + 1.2, title)
    grid = figure.subplots(layers, heads, squeeze=False, sharex=True, sharey=True)
    for layer, row in enumerate(grid):
        for head, axes in enumerate(row):
            image = axes.imshow(np.sqrt(maps[layer, head]), cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest")
            label(axes, title=f"layer {layer + 1}, head {head + 1}")
            axes.title.set_fontsize(LABEL)
            if named:
                name_ticks(axes.xaxis, names, text)
                name_ticks(axes.yaxis, names, text)
        label(row[0], y="this token")
    for axes in grid[-1]:
        label(axes, x="looks at")
    ticks = np.array([0, 0.01, 0.1, 0.25, 0.5, 1])
    bar = figure.colorbar(image, ax=grid, ticks=np.sqrt(ticks), fraction=0.03, pad=0.01)
    bar.ax.set_yticklabels([f"{100 * tick:g} %" for tick in ticks], fontsize=TICK)
    bar.set_label("share of the look", fontsize=LABEL)
    return figure


def implied_attention(matrix, tokens=None, *, title: str):
    """The matrix by which a state space model's outputs depend on its inputs, as a heat map in a Figure.

    Args:
        matrix: (t, t) numbers, row t for output t and column s for input s. Unlike attention, they may be below zero
            and need not sum to anything.
        tokens: The t tokens, a text or strings; written along the axes where there are at most 40.
        title: which model on what.

    One number in a hundred lies beyond the ends of the colours, so that a few large ones do not hide the rest.

    Raises:
        ValueError: if the matrix is not square.
    """
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"matrix must be (t, t), outputs by inputs; received the shape {matrix.shape}.")
    names = names_of(tokens, len(matrix))
    lower = np.abs(matrix[np.tril_indices(len(matrix))])
    limit = max(np.percentile(lower, 99), 1e-12)
    figure = new_figure(7.4, 6.4, title)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    if 0 < len(names) <= MAX_NAMED:
        name_ticks(axes.xaxis, names)
        name_ticks(axes.yaxis, names)
    label(axes, x="depends on this input", y="the output at this token")
    bar = figure.colorbar(image, ax=axes, extend="both", fraction=0.045)
    bar.set_label("weight (no unit); white is none", fontsize=LABEL)
    return figure
