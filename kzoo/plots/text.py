"""A text, token by token: what a model writes down there, what it keeps, and what each layer would say.

Axis letters: l layers, t tokens, d width, n state, v vocabulary.
"""

from collections.abc import Sequence

import numpy as np

from kzoo.plots.style import BLACK, DIVERGING, LABEL, SEQUENTIAL, TICK, VERMILLION, bare, label, new_figure
from kzoo.plots.tokens import TOKEN, name_ticks, names_of, sign, tokens_of

COLUMNS = 64  # characters in a line of text


def delta_over_text(delta, text, *, title: str, what: str = "delta (no unit)", columns: int = COLUMNS):
    """A text whose tokens are coloured by how strongly a state space model writes them down, as a Figure.

    Args:
        delta: (t,) step sizes, or (l, t), a copy of the text for each layer. The mean over a layer's channels is meant.
        text: t characters, or t strings of any length.
        title: which model on what.
        what: what the numbers are, with their unit.
        columns: Characters in a line; a line ends at a newline, too.

    A large delta writes the token into the state and lets go of what was there; at a small one the state stays.

    Raises:
        ValueError: if there is not one number a token, or one is negative or no number.
    """
    tokens = tokens_of(text)
    delta = np.asarray(delta, float)
    if delta.ndim not in (1, 2) or not delta.size or delta.shape[-1] != len(tokens):
        raise ValueError(
            f"delta must be (t,) or (layers, t) with one number for each of the {len(tokens)} tokens; received the "
            f"shape {delta.shape}. Of (t, d) take the mean over d."
        )
    if not (delta >= 0).all():
        raise ValueError(f"delta is a step size, at least 0; received values from {delta.min()} to {delta.max()}.")
    layers = np.atleast_2d(delta)
    places, lines = _wrapped(tokens, columns)
    figure = new_figure(10.0, (0.3 * lines + 0.35) * len(layers) + 0.7, title)
    cells = figure.subplots(len(layers), 1, squeeze=False)[:, 0]
    for number, (axes, values) in enumerate(zip(cells, layers, strict=True)):
        image = _coloured(axes, tokens, places, values, columns, lines)
        if len(layers) > 1:
            axes.set_title(f"layer {number + 1}", fontsize=LABEL, loc="left")
        bar = figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
        bar.ax.locator_params(nbins=max(2, lines))
        bar.ax.tick_params(labelsize=TICK - 1)
    figure.supxlabel(f"{what}: pale keeps the state, dark writes the token into it", fontsize=LABEL)
    return figure


def state_over_text(states, text, *, title: str, columns: int = COLUMNS, max_units: int = 32):
    """A model's state while it reads a text, a column a token under the token itself, as a Figure.

    Args:
        states: (t, n) numbers, the state after each token.
        text: t characters, or t strings; of longer ones the first sign is written.
        title: which model on what.
        columns: Tokens in a row; a longer text goes on in the row below.
        max_units: The first numbers of the state that are drawn.

    Raises:
        ValueError: if there is not one state a token.
    """
    tokens = tokens_of(text)
    states = np.asarray(states, float)
    if states.ndim != 2 or len(states) != len(tokens) or not states.size:
        raise ValueError(
            f"states must be (t, n) with one state for each of the {len(tokens)} tokens; received {states.shape}."
        )
    shown = states[:, :max_units].T
    limit = max(np.abs(shown).max(), 1e-12)
    rows = range(0, len(tokens), columns)
    figure = new_figure(10.0, (0.075 * len(shown) + 0.75) * len(rows) + 0.6, title)
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, start in zip(panels, rows, strict=True):
        part = shown[:, start : start + columns]
        image = axes.imshow(part, aspect="auto", interpolation="nearest", cmap=DIVERGING, vmin=-limit, vmax=limit)
        axes.set_xlim(-0.5, min(columns, len(tokens)) - 0.5)
        axes.set_xticks(range(part.shape[1]), [sign(token)[0] for token in tokens[start : start + columns]])
        axes.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)
        label(axes, y="number of\nthe state")
        for tick in axes.get_xticklabels():
            tick.set(fontsize=LABEL, **TOKEN)
    bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.01)
    bar.set_label("value (no unit)", fontsize=TICK)
    bar.ax.tick_params(labelsize=TICK - 1)
    return figure


def logit_lens(logits, tokens, vocabulary: Sequence, *, title: str, targets=None):
    """What each layer would say if it were the last one: a table of the likeliest next tokens, as a Figure.

    Args:
        logits: (l + 1, t, v): of the embedding, and of the stream after each layer.
        tokens: The t tokens that were read, a text or strings.
        vocabulary: The v tokens in the order of their numbers, a text or strings.
        title: which model on what.
        targets: The t tokens that came next; None leaves them out. A guess that is right has a frame.

    Raises:
        ValueError: if the shapes do not fit.
    """
    logits = np.asarray(logits, float)
    tokens, vocabulary = tokens_of(tokens), tokens_of(vocabulary)
    if logits.ndim != 3 or logits.shape[1:] != (len(tokens), len(vocabulary)) or not logits.size:
        raise ValueError(
            f"logits must be (layers + 1, t, v) = (layers + 1, {len(tokens)}, {len(vocabulary)}), with the tokens and "
            f"the vocabulary given; received the shape {logits.shape}."
        )
    targets = names_of(targets, len(tokens))
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances = shifted / shifted.sum(axis=-1, keepdims=True)
    best, chance = chances.argmax(axis=-1), chances.max(axis=-1)  # (l + 1, t)
    rows, columns = best.shape
    figure = new_figure(max(6.0, 0.34 * columns + 2.4), 0.36 * rows + 1.6, title)
    axes = figure.add_subplot()
    image = axes.imshow(chance, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", origin="lower")
    for row in range(rows):
        for column in range(columns):
            guess = vocabulary[best[row, column]]
            ink = "white" if chance[row, column] > 0.6 else BLACK
            axes.text(column, row, sign(guess), ha="center", va="center", fontsize=LABEL, color=ink, **TOKEN)
            if targets and guess == targets[column]:
                axes.add_patch(_frame(column - 0.44, row - 0.42, 0.88, 0.84))
    axes.set_yticks(range(rows), ["embedding", *(f"layer {k}" for k in range(1, rows))])
    name_ticks(axes.xaxis, tokens)
    label(axes, x="token that was read")
    if targets:
        above = axes.secondary_xaxis("top")
        name_ticks(above, targets)
        label(above, x="token that came next; a frame: foretold rightly")
    for tick in axes.get_xticklabels():
        tick.set_fontsize(LABEL)
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01).set_label("probability of the guess", fontsize=TICK)
    return figure


def _wrapped(tokens, columns: int):
    """The place (line, column) at which each token begins, and the number of lines."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1; received {columns}.")
    line = column = 0
    places = []
    for token in tokens:
        width = len(sign(token))
        if column and column + width > columns:
            line, column = line + 1, 0
        places.append((line, column, width))
        column += width
        if token.endswith("\n"):
            line, column = line + 1, 0
    return places, places[-1][0] + 1


def _coloured(axes, tokens, places, values, columns, lines):
    """Draw tokens on cells of the colour of their value; returns what a colour bar is made from."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    low, high = values.min(), values.max()
    norm = Normalize(low, high if high > low else low + 1)
    shades = colormaps[SEQUENTIAL]
    for token, (line, column, width), value in zip(tokens, places, values, strict=True):
        share = float(norm(value))
        axes.add_patch(Rectangle((column, line), width, 1, facecolor=shades(0.85 * share), edgecolor="none"))
        ink = "white" if share > 0.62 else BLACK
        # An empty cell is a space to every reader; a sign for it would be read as a letter.
        shown = sign(token) if token.strip() or token == "\n" else ""
        axes.text(
            column + width / 2, line + 0.54, shown, ha="center", va="center", fontsize=LABEL + 2, color=ink, **TOKEN
        )
    axes.set_xlim(0, columns)
    axes.set_ylim(lines, 0)
    bare(axes)
    # The bar shows the shades that are drawn, which leave out the darkest.
    return ScalarMappable(norm, shades if high <= low else _cut(shades, 0.85))


def _cut(shades, end: float):
    from matplotlib.colors import ListedColormap

    return ListedColormap(shades(np.linspace(0, end, 256)))


def _frame(x, y, width, height):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, fill=False, edgecolor=VERMILLION, linewidth=1.8)
