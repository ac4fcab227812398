"""Models of language from inside: who looks at whom, what is written and kept, what each layer would say, how far it
reaches.

Axis letters: l layers, h heads, t tokens, d width, n state, v vocabulary.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.style import (
    BLACK,
    DIVERGING,
    GREY,
    LABEL,
    SEQUENTIAL,
    TICK,
    VERMILLION,
    bare,
    color,
    label,
    marker,
    new_figure,
)

COLUMNS = 64  # characters in a line of text
MAX_NAMED = 40  # tokens that are written along an axis; more would overlap
# What a reader would not see, in signs that the font, which comes with matplotlib, has. A text may hold dollars, too,
# and they are no mathematics.
_TOKEN = {"fontfamily": "DejaVu Sans Mono", "parse_math": False}
_SIGNS = {" ": "␣", "\n": "↵", "\t": "→", "": "∅"}
_LINES = ("-", "--", "-.", ":")


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
    names = _names(tokens, length)
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
                _name_ticks(axes.xaxis, names, text)
                _name_ticks(axes.yaxis, names, text)
        label(row[0], y="this token")
    for axes in grid[-1]:
        label(axes, x="looks at")
    ticks = np.array([0, 0.01, 0.1, 0.25, 0.5, 1])
    bar = figure.colorbar(image, ax=grid, ticks=np.sqrt(ticks), fraction=0.03, pad=0.01)
    bar.ax.set_yticklabels([f"{100 * tick:g} %" for tick in ticks], fontsize=TICK)
    bar.set_label("share of the look", fontsize=LABEL)
    return figure


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
    tokens = _tokens(text)
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
    tokens = _tokens(text)
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
        axes.set_xticks(range(part.shape[1]), [_sign(token)[0] for token in tokens[start : start + columns]])
        axes.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)
        label(axes, y="number of\nthe state")
        for tick in axes.get_xticklabels():
            tick.set(fontsize=LABEL, **_TOKEN)
    bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.01)
    bar.set_label("value (no unit)", fontsize=TICK)
    bar.ax.tick_params(labelsize=TICK - 1)
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
    names = _names(tokens, len(matrix))
    lower = np.abs(matrix[np.tril_indices(len(matrix))])
    limit = max(np.percentile(lower, 99), 1e-12)
    figure = new_figure(7.4, 6.4, title)
    axes = figure.add_subplot()
    image = axes.imshow(matrix, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    if 0 < len(names) <= MAX_NAMED:
        _name_ticks(axes.xaxis, names)
        _name_ticks(axes.yaxis, names)
    label(axes, x="depends on this input", y="the output at this token")
    bar = figure.colorbar(image, ax=axes, extend="both", fraction=0.045)
    bar.set_label("weight (no unit); white is none", fontsize=LABEL)
    return figure


def loss_by_context(losses: Mapping, *, title: str, x_name: str = "tokens read", unit: str = "nats a token"):
    """What several models make of more context, as a Figure.

    Args:
        losses: model's name -> (t,) losses after 1, 2, 3, ... tokens; or a pair of such numbers of tokens and the
            losses there, each (t,). A long context has a logarithmic axis.
        title: which models on what.
        x_name: what the horizontal axis counts.
        unit: of the losses.

    Raises:
        ValueError: if there are no losses, a pair differs in length, or a number of tokens is below 1.
    """
    found = _curves(losses, "losses")
    figure = new_figure(8.0, 4.6, title)
    axes = figure.add_subplot()
    _draw_curves(axes, found)
    places = np.concatenate([x for x, _ in found.values()])
    if places.max() >= 50:
        axes.set_xscale("log", base=2)  # the tenth token adds much, the hundredth little
        _plain_powers(axes, places.min(), places.max())
        x_name += " (log axis)"
    label(axes, x=x_name, y=f"loss ({unit})")
    return figure


def extrapolation(accuracies: Mapping, *, title: str, trained: int | None = None, chance: float | None = None):
    """Accuracy on sequences longer than those of the training, on a logarithmic axis, as a Figure.

    Args:
        accuracies: model's name -> a pair of lengths (k,) and shares of right answers (k,), between 0 and 1.
        title: which models on what.
        trained: The length in training, marked by a line; None marks none.
        chance: The share that guessing gets right; None draws none.

    Raises:
        ValueError: if there are no accuracies, they are no shares, or a length is below 1.
    """
    found = _curves(accuracies, "accuracies")
    for name, (_, shares) in found.items():
        if not (shares.min() >= 0 and shares.max() <= 1):
            raise ValueError(
                f"accuracies[{name!r}] must be shares from 0 to 1; received {shares.min():g} to {shares.max():g}."
            )
    figure = new_figure(8.0, 4.6, title)
    axes = figure.add_subplot()
    _draw_curves(axes, {name: (lengths, 100 * shares) for name, (lengths, shares) in found.items()})
    axes.set_xscale("log", base=2)
    axes.set_ylim(-3, 103)
    if chance is not None:
        axes.axhline(100 * chance, color=GREY, linestyle=":", linewidth=1.2, label="guessing")
    if trained is not None:
        axes.axvline(trained, color=BLACK, linestyle=":", linewidth=1.2, label=f"length in training, {trained:,}")
    places = np.concatenate([lengths for lengths, _ in found.values()])
    _plain_powers(axes, places.min(), places.max())
    label(axes, x="length of the sequence (tokens, log axis)", y="right answers (%)")
    axes.legend(fontsize=LABEL)
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
    tokens, vocabulary = _tokens(tokens), _tokens(vocabulary)
    if logits.ndim != 3 or logits.shape[1:] != (len(tokens), len(vocabulary)) or not logits.size:
        raise ValueError(
            f"logits must be (layers + 1, t, v) = (layers + 1, {len(tokens)}, {len(vocabulary)}), with the tokens and "
            f"the vocabulary given; received the shape {logits.shape}."
        )
    targets = _names(targets, len(tokens))
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
            axes.text(column, row, _sign(guess), ha="center", va="center", fontsize=LABEL, color=ink, **_TOKEN)
            if targets and guess == targets[column]:
                axes.add_patch(_frame(column - 0.44, row - 0.42, 0.88, 0.84))
    axes.set_yticks(range(rows), ["embedding", *(f"layer {k}" for k in range(1, rows))])
    _name_ticks(axes.xaxis, tokens)
    label(axes, x="token that was read")
    if targets:
        above = axes.secondary_xaxis("top")
        _name_ticks(above, targets)
        label(above, x="token that came next; a frame: foretold rightly")
    for tick in axes.get_xticklabels():
        tick.set_fontsize(LABEL)
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01).set_label("probability of the guess", fontsize=TICK)
    return figure


def _tokens(text) -> list[str]:
    """The tokens of a text, its characters, or of a sequence of strings."""
    return [str(token) for token in text]


def _names(tokens, length: int) -> list[str]:
    if tokens is None:
        return []
    names = _tokens(tokens)
    if len(names) != length:
        raise ValueError(f"there must be one token for each of the {length} places; received {len(names)} tokens.")
    return names


def _sign(token: str) -> str:
    """A token as it is written: with a sign for what a reader would not see."""
    return _SIGNS.get(token) or "".join(_SIGNS.get(character, character) for character in token)


def _name_ticks(axis, names, size: float = TICK) -> None:
    """Write tokens along an axis of an axes, or along a secondary axes."""
    setter = axis.set_xticks if hasattr(axis, "set_xticks") else axis.set_ticks
    setter(range(len(names)), [_sign(name) for name in names])
    ticks = axis.get_xticklabels() if hasattr(axis, "get_xticklabels") else axis.get_ticklabels()
    for tick in ticks:
        tick.set(fontsize=size, **_TOKEN)


def _wrapped(tokens, columns: int):
    """The place (line, column) at which each token begins, and the number of lines."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1; received {columns}.")
    line = column = 0
    places = []
    for token in tokens:
        width = len(_sign(token))
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
        shown = _sign(token) if token.strip() or token == "\n" else ""
        axes.text(
            column + width / 2, line + 0.54, shown, ha="center", va="center", fontsize=LABEL + 2, color=ink, **_TOKEN
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


def _curves(curves: Mapping, what: str) -> dict:
    """name -> (x, y) of name -> y or (x, y)."""
    found = {}
    for name, values in curves.items():
        pair = isinstance(values, tuple) and len(values) == 2
        y = np.asarray(values[1] if pair else values, float)
        x = np.asarray(values[0], float) if pair else np.arange(1.0, len(y) + 1)
        if y.ndim != 1 or x.shape != y.shape or not y.size:
            raise ValueError(
                f"{what}[{name!r}] must be numbers (t,), or a pair of places and numbers of one length; received the "
                f"shapes {x.shape} and {y.shape}."
            )
        if not x.min() >= 1:
            raise ValueError(f"{what}[{name!r}] must stand at numbers of tokens of at least 1; received {x.min():g}.")
        found[name] = x, y
    if not found:
        raise ValueError(f"{what} must name at least one model; received none.")
    return found


def _draw_curves(axes, found) -> None:
    for k, (name, (x, y)) in enumerate(found.items()):
        axes.plot(
            x,
            y,
            _LINES[k % len(_LINES)],
            color=color(k),
            marker=marker(k),
            markevery=None if len(y) <= 24 else [0],
            markersize=5,
            linewidth=1.5,
            label=name,
        )
    axes.grid(alpha=0.25)
    axes.legend(fontsize=LABEL)


def _plain_powers(axes, first: float, last: float) -> None:
    """At most a dozen ticks at powers of two from `first` to `last`, written as numbers."""
    powers = [2**k for k in range(64) if first <= 2**k <= last]
    ticks = powers[:: -(-len(powers) // 12) or 1]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
