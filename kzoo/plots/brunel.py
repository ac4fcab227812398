"""Brunel's plane of networks: how strong inhibition is, how strong the drive, and what the network does there."""

from collections.abc import Mapping

import numpy as np

from kzoo.plots.style import BLACK, INTENSITY, LABEL, TICK, label, new_figure


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
