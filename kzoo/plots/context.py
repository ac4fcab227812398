"""How far models of sequences reach: the loss over the context, the accuracy beyond the length of the training.

Axis letters: t tokens, k points of a curve.
"""

from collections.abc import Mapping

import numpy as np

from kzoo.plots.style import BLACK, GREY, LABEL, color, label, marker, new_figure

_LINES = ("-", "--", "-.", ":")


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
