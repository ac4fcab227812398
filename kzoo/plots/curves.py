"""How a training run went: one panel a metric, the learning rate beneath."""

from collections.abc import Mapping

import numpy as np

from kzoo.plots.style import BLACK, BLUE, GREY, TICK, VERMILLION, label, new_figure

RATE_NAMES = ("learning_rate", "lr")
# Past this ratio of its largest to its smallest value, a loss is read on a logarithmic axis.
LOG_RATIO = 10.0
# A learning rate is so only if half of the epochs, too, lie below its largest value by this factor.
LOW_RATE = 5.0
MARKED_EPOCHS = 30  # up to here each epoch gets a marker
TRAINING = {"color": BLUE, "linestyle": "-", "marker": "o"}
VALIDATION = {"color": VERMILLION, "linestyle": "--", "marker": "s"}


def learning_curves(history: Mapping, *, title: str, saved_epoch: int | None = None):
    """The learning curves of one training run, as a matplotlib Figure.

    Args:
        history: from name to one value per epoch, as in the `history` of what `fit` returns. The name `val_x`
            is the validation twin of `x`; `learning_rate` (or `lr`) gets a thin panel of its own.
        title: what was trained on what.
        saved_epoch: the epoch, from 1, whose weights were kept; every panel with a validation curve marks it.

    Without `saved_epoch` a loss panel marks its lowest validation value, an accuracy panel its highest.
    """
    series = _checked(history)
    epochs = len(next(iter(series.values())))
    if saved_epoch is not None and not 1 <= saved_epoch <= epochs:
        raise ValueError(f"saved_epoch must lie in 1..{epochs}, the epochs of history; received {saved_epoch}.")
    rate = next((series.pop(name) for name in RATE_NAMES if name in series), None)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in series))
    names.sort(key=lambda name: (not _is_loss(name), not _is_accuracy(name)))
    if not names:
        raise ValueError(f"history holds no metric; received the names {sorted(history)}, expected 'loss' at least.")

    # Of two networks against each other, what is low for one is high for the other.
    rivals = {"generator_loss", "discriminator_loss"} <= set(names)
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    heights = [3.6] * rows + ([1.2] if rate is not None else [])
    figure = new_figure(max(4.8 * columns, 6.0), sum(heights) + 0.5, title)
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for index, name in enumerate(names):
        axes = figure.add_subplot(grid[divmod(index, columns)])
        _panel(axes, name, series.get(name), series.get(f"val_{name}"), saved_epoch, rivals)
    if rate is not None:
        _rate_panel(figure.add_subplot(grid[rows, :]), rate)
    return figure


def _checked(history) -> dict[str, np.ndarray]:
    if not isinstance(history, Mapping) or not history:
        raise ValueError(
            "history must be a non-empty dict from name to a list with one number per epoch; "
            f"received {type(history).__name__}. Pass `model.fit(...).history`."
        )
    series = {name: np.asarray(values, dtype=float) for name, values in history.items()}
    for name, values in series.items():
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"history[{name!r}] must hold one number per epoch; received shape {values.shape}.")
    lengths = {name: values.size for name, values in series.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"all lists of history must be of one length; received the lengths {lengths}.")
    return series


def _is_loss(name: str) -> bool:
    return name == "loss" or name.endswith("_loss")


def _is_accuracy(name: str) -> bool:
    return name in ("acc", "accuracy") or name.endswith("_accuracy")


def _panel(axes, name: str, train, validation, saved_epoch, rivals) -> None:
    drawn = [values for values in (train, validation) if values is not None]
    epochs = np.arange(1, drawn[0].size + 1)
    few = epochs.size <= MARKED_EPOCHS
    for values, who, line in ((train, "training", TRAINING), (validation, "validation", VALIDATION)):
        if values is not None:
            seen = np.where(np.isfinite(values), values, np.nan)
            shape = line["marker"] if few else None
            axes.plot(epochs, seen, **(line | {"marker": shape}), label=who, markersize=5, linewidth=1.6)

    finite = np.concatenate([values[np.isfinite(values)] for values in drawn])
    loss, accuracy = _is_loss(name), _is_accuracy(name)
    words = name.replace("_", " ")
    if accuracy:
        from matplotlib.ticker import PercentFormatter

        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, symbol=""))
        label(axes, x="epoch", y=f"{words} (% correct)", title="Accuracy: higher is better")
    elif loss:
        logarithmic = _spans_decades(finite)
        if logarithmic:
            _log_axis(axes, finite)
        title = "Loss: neither low nor high is better" if rivals else "Loss: lower is better"
        label(axes, x="epoch", y=f"{words} (log axis)" if logarithmic else words, title=title)
    else:
        label(axes, x="epoch", y=words, title=words)
    _epoch_axis(axes, epochs.size)
    axes.grid(alpha=0.25)

    if validation is not None and np.isfinite(validation).any() and (loss or accuracy):
        seen = np.where(np.isfinite(validation), validation, np.nan)
        best = int(np.nanargmin(seen) if loss else np.nanargmax(seen)) if saved_epoch is None else saved_epoch - 1
        what = "best validation" if saved_epoch is None else "saved weights"
        shown = f"{validation[best]:.3g}" if loss else f"{100 * validation[best]:.1f} %"
        axes.axvline(best + 1, color=GREY, linewidth=1, linestyle=":", zorder=0)
        # A ring, so that the point inside stays in sight.
        axes.plot(
            [best + 1], [validation[best]], linestyle="none", marker="o", markersize=13, markeredgewidth=1.8,
            color=BLACK, markerfacecolor="none", label=f"{what}: {shown}, epoch {best + 1}",
        )  # fmt: skip
    bad = [np.flatnonzero(~np.isfinite(values)) for values in drawn]
    if any(gaps.size for gaps in bad):
        first = 1 + min(int(gaps[0]) for gaps in bad if gaps.size)
        axes.axvspan(
            first - 0.5, epochs.size + 0.5, facecolor="#EEEEEE", edgecolor=GREY, hatch="//", linewidth=0,
            zorder=0, label=f"not a finite number from epoch {first}",
        )  # fmt: skip
    if epochs.size == 1:
        axes.margins(y=0.7)  # room for the legend above the single pair of points
    axes.legend(fontsize=TICK, framealpha=0.9, loc="upper center" if epochs.size == 1 else "best")


def _rate_panel(axes, rate) -> None:
    axes.plot(np.arange(1, rate.size + 1), rate, color=BLACK, linewidth=1.4, drawstyle="steps-mid")
    if rate.size == 1:
        axes.lines[0].set_marker("o")
    seen = rate[np.isfinite(rate)]
    # A cosine ends near zero and keeps its shape on a linear axis; a rate that falls by factors needs the other one.
    if _spans_decades(seen) and np.median(seen) < seen.max() / LOW_RATE:
        axes.set_yscale("log")
    label(axes, x="epoch", y="learning rate")
    _epoch_axis(axes, rate.size)
    axes.grid(alpha=0.25)


def _spans_decades(values) -> bool:
    return values.size > 0 and values.min() > 0 and values.max() / values.min() >= LOG_RATIO


def _log_axis(axes, values) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    # 0.2 and 0.5 say more than 2 x 10^-1, and a range of one decade would show a single number without them.
    subs = (1.0, 2.0, 5.0) if values.max() / values.min() < 1000 else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _epoch_axis(axes, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
