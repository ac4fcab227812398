"""Sequences: what was foretold, what is remembered, gates and states over time, how far back a gradient reaches."""

from collections.abc import Mapping

import numpy as np

from kzoo.plots.style import (
    BLACK,
    BLUE,
    DIVERGING,
    GREY,
    INTENSITY,
    LABEL,
    TICK,
    VERMILLION,
    color,
    label,
    marker,
    new_figure,
)

MAX_SHOWN = 2000  # points of a scatter; more only make the file larger
MAX_SERIES = 6  # panels of whole sequences
SMALLEST = 1e-30  # what a gradient of zero is drawn as


def forecast(y_true, y_predicted, *, title: str, step_name: str = "test sample"):
    """Numbers foretold against the numbers that came, as a Figure.

    Args:
        y_true, y_predicted: (n, d) numbers, each drawn against the other and in their order; or (n, t, d) sequences,
            the first few drawn over time.
        title: which model on which data; the mean squared error is written beneath it.
        step_name: what the order of the samples is, such as "year".

    Raises:
        ValueError: if the two differ in shape, or have neither two nor three axes.
    """
    y_true, y_predicted = np.asarray(y_true, float), np.asarray(y_predicted, float)
    if y_true.shape != y_predicted.shape or y_true.ndim not in (2, 3) or not y_true.size:
        raise ValueError(
            "y_true and y_predicted must be of one shape, (n, d) or (n, t, d), with at least one number; received "
            f"{y_true.shape} and {y_predicted.shape}."
        )
    mse = np.square(y_true - y_predicted).mean()
    title = f"{title}\nmean squared error {mse:.3g}"
    return (_foretold_numbers if y_true.ndim == 2 else _foretold_sequences)(y_true, y_predicted, title, step_name)


def _foretold_numbers(y_true, y_predicted, title, step_name):
    figure = new_figure(11.0, 4.4, title)
    scatter, order = figure.subplots(1, 2, width_ratios=[1, 1.7])
    low, high = min(y_true.min(), y_predicted.min()), max(y_true.max(), y_predicted.max())
    scatter.plot([low, high], [low, high], color=GREY, linewidth=1, label="foretold = true")
    shown = np.unique(np.linspace(0, len(y_true) - 1, MAX_SHOWN).astype(int))
    for k in range(y_true.shape[1]):
        name = f"number {k + 1}" if y_true.shape[1] > 1 else None
        scatter.plot(
            y_true[shown, k], y_predicted[shown, k], marker(k), color=color(k), markersize=3, alpha=0.5, label=name
        )
    label(scatter, x="true value", y="foretold value", title="On the line is right")
    scatter.legend(fontsize=TICK)
    last = slice(max(0, len(y_true) - 100), None)
    steps = np.arange(len(y_true))[last]
    order.plot(steps, y_true[last, 0], color=BLACK, linewidth=1.2, label="true")
    order.plot(steps, y_predicted[last, 0], "--", color=VERMILLION, linewidth=1.4, label="foretold")
    label(order, x=step_name, y="value", title=f"The last {len(steps)} of {len(y_true):,}")
    order.legend(fontsize=TICK)
    order.grid(alpha=0.25)
    return figure


def _foretold_sequences(y_true, y_predicted, title, step_name):
    count = min(len(y_true), MAX_SERIES)
    figure = new_figure(10.0, 1.5 * count + 1.0, title)
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for number, axes in enumerate(panels):
        for k in range(y_true.shape[2]):
            axes.plot(y_true[number, :, k], color=color(k), linewidth=2.5, alpha=0.35, label=f"true {k + 1}")
            axes.plot(y_predicted[number, :, k], "--", color=color(k), linewidth=1.2, label=f"generated {k + 1}")
        label(axes, y=f"{step_name} {number + 1}")
        axes.grid(alpha=0.25)
    panels[0].legend(fontsize=TICK, ncols=4, loc="upper right")
    label(panels[-1], x="step")
    return figure


def accuracy_by_step(right, *, title: str):
    """The share of right tokens at each step of a sequence, as a Figure.

    Args:
        right: (n, t): 1 or True where the token of sample n at step t was right, 0 or False where it was wrong, NaN
            where none was asked for.
        title: which model on which data; the share of all tokens is written beneath it.

    Raises:
        ValueError: if `right` has not two axes, or asks for nothing.
    """
    steps, share, mean = _by_step("right", right)
    figure = new_figure(9.0, 3.8, f"{title}\n{100 * mean:.1f} % of all tokens are right")
    axes = figure.add_subplot()
    axes.plot(steps, 100 * share, color=BLUE, linewidth=1.4, marker="o" if len(steps) <= 60 else None)
    axes.set_ylim(-3, 103)
    label(axes, x="step of the sequence", y="tokens that are right (%)")
    axes.grid(alpha=0.25)
    return figure


def loss_by_position(losses, *, title: str):
    """What a longer past is worth to a model of text: the mean loss at each place of a window, as a Figure.

    Args:
        losses: (n, t) cross-entropies in nats of the token after the first, the second, ... one of window n; NaN where
            none was asked for.
        title: which model on which data; the mean of all tokens is written beneath it, in nats and in bits.

    Raises:
        ValueError: if `losses` has not two axes, or asks for nothing.
    """
    steps, loss, mean = _by_step("losses", losses)
    figure = new_figure(8.0, 4.4, f"{title}\nmean {mean:.4f} nats, {mean / np.log(2):.4f} bits a character")
    axes = figure.add_subplot()
    axes.plot(steps + 1, loss, color=BLUE, linewidth=1.4, marker="o" if len(steps) <= 60 else None, markersize=4)
    axes.axhline(mean, color=GREY, linewidth=1, linestyle="--", label="mean of all")
    axes.set_xscale("log", base=2)
    label(axes, x="characters read before (log axis)", y="loss (nats a character)")
    axes.secondary_yaxis("right", functions=(lambda v: v / np.log(2), lambda v: v * np.log(2))).set_ylabel(
        "bits a character", fontsize=LABEL
    )
    axes.grid(alpha=0.25)
    axes.legend(fontsize=TICK)
    return figure


def _by_step(name, values):
    """The steps of (n, t) values that are asked for, the mean of each, and of all."""
    values = np.asarray(values, float)
    if values.ndim != 2 or np.isnan(values).all():
        raise ValueError(f"{name} must be (n, t) with at least one token; received the shape {values.shape}.")
    steps = np.flatnonzero(~np.isnan(values).all(axis=0))
    return steps, np.nanmean(values[:, steps], axis=0), np.nanmean(values)


def states_over_time(states: Mapping, *, title: str, inputs=None, step_names=None, max_units: int = 64):
    """Gates and states of one sequence as heat maps over time, one panel each, as a Figure.

    Args:
        states: name -> (t, u) numbers, as the `trace` of a recurrent layer gives for one sample. What lies between 0
            and 1 and is called a gate is drawn from dark (closed) to bright (open); the rest about zero.
        title: which model on what.
        inputs: (t,) or (t, d) numbers, drawn as curves above the panels; None leaves them out.
        step_names: t labels of the steps, such as characters; drawn where there are at most 60.
        max_units: the first units that are drawn of each.

    Raises:
        ValueError: if there is no state, or the lengths differ.
    """
    found = {name: np.asarray(values, float) for name, values in states.items()}
    lengths = {name: values.shape[0] if values.ndim == 2 else None for name, values in found.items()}
    if not found or None in lengths.values() or len(set(lengths.values())) > 1:
        raise ValueError(f"states must map names to arrays (t, u) of one length; received {_shapes(found)}.")
    steps = next(iter(lengths.values()))
    panels = len(found) + (inputs is not None)
    figure = new_figure(10.0, 1.45 * panels + 1.0, title)
    axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
    if inputs is not None:
        values = np.asarray(inputs, float).reshape(len(inputs), -1)
        if len(values) != steps:
            raise ValueError(f"inputs must have {steps} steps, as the states; received {len(values)}.")
        for k in range(min(values.shape[1], 8)):
            axes[0].plot(values[:, k], color=color(k), linewidth=1.2)
        label(axes[0], y="input")
    for panel, (name, values) in zip(axes[inputs is not None :], found.items(), strict=True):
        shown = values[:, :max_units].T
        gate = "gate" in name and shown.min() >= 0 and shown.max() <= 1
        limit = max(np.abs(shown).max(), 1e-12)
        image = panel.imshow(
            shown,
            aspect="auto",
            interpolation="nearest",
            cmap=INTENSITY if gate else DIVERGING,
            vmin=0 if gate else -limit,
            vmax=1 if gate else limit,
        )
        label(panel, y=f"{name}\nunit")
        bar = figure.colorbar(image, ax=panel, pad=0.01)
        bar.set_label("closed - open" if gate else "value", fontsize=TICK)
        bar.ax.tick_params(labelsize=TICK - 1)
    label(axes[-1], x="step")
    if step_names is not None and len(step_names) == steps <= 60:
        axes[-1].set_xticks(range(steps), [str(name) for name in step_names], fontsize=TICK)
    return figure


def gradient_reach(norms: Mapping, *, title: str):
    """How much the outputs of the last step depend on each step before it, as a Figure.

    Args:
        norms: model's name -> (t,) norms of d output / d input of each step, the last step last.
        title: which models on what.

    A line that falls steadily on this logarithmic axis is a gradient that vanishes; one that rises, explodes.

    Raises:
        ValueError: if there are no norms, or one is negative or no number.
    """
    found = {name: np.asarray(values, float) for name, values in norms.items()}
    if not found or any(values.ndim != 1 or not (values >= 0).all() or not values.size for values in found.values()):
        raise ValueError(f"norms must map names to (t,) numbers of at least 0; received {_shapes(found)}.")
    figure = new_figure(8.0, 4.6, title)
    axes = figure.add_subplot()
    for k, (name, values) in enumerate(found.items()):
        distance = np.arange(len(values))[::-1]
        every = max(1, len(values) // 12)
        axes.plot(
            distance,
            np.maximum(values, SMALLEST),
            color=color(k),
            marker=marker(k),
            markevery=every,
            markersize=5,
            linewidth=1.4,
            label=name,
        )
    axes.set_yscale("log")
    label(axes, x="steps back in time", y="norm of the gradient (log axis)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=LABEL)
    return figure


def phase(states: Mapping, *, title: str):
    """The paths of groups of units through the plane of their two main directions, as a Figure.

    Args:
        states: group's name -> (t, u) states of one sequence. Each group is drawn in its first two principal
            components; its time runs from dark to bright, a circle marks the start.
        title: which model on what.

    Raises:
        ValueError: if there is no group, or one has fewer than two steps.
    """
    found = {name: np.asarray(values, float) for name, values in states.items()}
    if not found or any(values.ndim != 2 or len(values) < 2 for values in found.values()):
        raise ValueError(f"states must map names to (t, u) of at least two steps; received {_shapes(found)}.")
    figure = new_figure(4.6 * len(found), 4.6, title)
    for axes, (name, values) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        path, share = _principal(values)
        axes.plot(*path.T, color=GREY, linewidth=0.6, alpha=0.6)
        dots = axes.scatter(*path.T, c=np.arange(len(path)), cmap=INTENSITY, s=9)
        axes.plot(*path[0], "o", color="white", markeredgecolor=BLACK, markersize=8)
        label(
            axes,
            x=f"component 1 ({100 * share[0]:.0f} % of the variance)",
            y=f"component 2 ({100 * share[1]:.0f} %)",
            title=name,
        )
        axes.grid(alpha=0.25)
    figure.colorbar(dots, ax=axes).set_label("step", fontsize=LABEL)
    return figure


def _principal(values):
    """(t, 2) coordinates along the two main directions, and their shares of the variance."""
    centred = values - values.mean(axis=0)
    u, s, v = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is anybody's choice; this one is the same on every machine.
    signs = np.sign(v[np.arange(len(v)), np.abs(v).argmax(axis=1)])
    path = np.zeros((len(values), 2))
    share = np.zeros(2)
    known = min(2, len(s))
    path[:, :known] = (u * s * signs)[:, :known]
    share[:known] = (s**2 / max((s**2).sum(), 1e-300))[:known]
    return path, share


def _shapes(found) -> str:
    return ", ".join(f"{name} {values.shape}" for name, values in found.items()) or "nothing"
