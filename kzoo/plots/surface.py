"""Where a classifier of two inputs draws its borders."""

import numpy as np

from kzoo.plots.style import BLACK, TICK, color, label, marker, new_figure

WIDE_RINGS = 30  # up to so many wrong points stand out by a wide ring


def decision_surface(
    predict, x, y, *, title: str, class_names=None, x_test=None, y_test=None, margin: float = 0.3, resolution: int = 200
):
    """The class that a model gives to every point of the plane, with the data on top, as a matplotlib Figure.

    Args:
        predict: from (n, 2) points to (n, classes) probabilities or scores; the largest one wins.
        x: (n, 2) training points.
        y: (n,) their integer classes.
        title: which model on which task; the accuracies are written beneath it.
        class_names: the name of class 0, class 1, ... in the legend; by default these words.
        x_test, y_test: points that the model did not see, drawn hollow.
        margin: how far the plane reaches past the points, in the unit of x.
        resolution: grid points along each axis.

    Colours are paler where probabilities leave the answer open. A ring marks a training point on the wrong side,
    a cross a test point.

    Raises:
        ValueError: if an array does not fit, or there is not one name for each class; the message says what was
            received.
    """
    x, y = _points("x", x, "y", y)
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test go together; received only one of them.")
    sets = [("training", x, y)]
    if x_test is not None:
        sets.append(("test", *_points("x_test", x_test, "y_test", y_test)))
    if resolution < 2 or margin < 0:
        raise ValueError(f"resolution must be at least 2 and margin 0 or more; received {resolution}, {margin}.")

    every = np.concatenate([points for _, points, _ in sets])
    low, high = every.min(axis=0) - margin, every.max(axis=0) + margin
    across, up = np.linspace(low[0], high[0], resolution), np.linspace(low[1], high[1], resolution)
    plane = np.stack(np.meshgrid(across, up), axis=-1)  # (row, column, 2)
    scores = _scores(predict, plane.reshape(-1, 2)).reshape(resolution, resolution, -1)
    classes = scores.shape[-1]
    seen = int(max(labels.max() for _, _, labels in sets)) + 1
    if seen > classes:
        raise ValueError(f"the classes reach {seen - 1}, but predict gives scores for 0..{classes - 1} only.")
    names = [f"class {index}" for index in range(classes)] if class_names is None else [str(n) for n in class_names]
    if len(names) != classes:
        raise ValueError(
            f"class_names must hold one name for each of the {classes} classes that predict scores; received "
            f"{len(names)}: {', '.join(names)}."
        )

    # The plane fills 5 inches on its longer side. The rest is for the labels, and wide enough that the height
    # is what binds: matplotlib's layout cuts the label off an axes of fixed aspect that the width binds.
    width, height = 5.0 * (high - low) / (high - low).max()
    legend = 0.075 * (max(map(len, names)) + len(", training"))  # inches
    figure = new_figure(width + max(3.6, 1.5 + legend), height + 1.1)
    axes = figure.add_subplot()
    axes.imshow(_shades(scores), origin="lower", extent=(low[0], high[0], low[1], high[1]), interpolation="nearest")
    for index in range(classes):
        # Above zero where this class wins: its zero line is the border, smoother than a map of winners.
        lead = scores[..., index] - np.delete(scores, index, axis=-1).max(axis=-1)
        if lead.min() < 0 < lead.max():
            axes.contour(across, up, lead, levels=[0.0], colors=[BLACK], linewidths=1.0)

    summary = []
    size = 80 if len(every) < 50 else 30
    for which, points, labels in sets:
        wrong = _scores(predict, points).argmax(axis=-1) != labels
        summary.append(f"{which} {100 * (1 - wrong.mean()):.1f} % right")
        for index in range(classes):
            mine = labels == index
            if not mine.any():
                continue
            axes.scatter(
                points[mine, 0], points[mine, 1], s=size, marker=marker(index), linewidths=1.0, zorder=3,
                facecolors=color(index) if which == "training" else "white",
                edgecolors="white" if which == "training" else color(index),
                label=f"{names[index]}, {which}",
            )  # fmt: skip
        if wrong.any():
            _mark_wrong(axes, points[wrong], which, size)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_aspect("equal")
    label(axes, x="input $x_1$ (no unit)", y="input $x_2$ (no unit)")
    axes.set_title(f"{title}\n{', '.join(summary)}", fontsize=12)
    figure.legend(loc="outside right upper", fontsize=TICK, frameon=False)
    return figure


def _mark_wrong(axes, points, which: str, size: float) -> None:
    """A ring about each wrong training point; a cross in each wrong test point, which is hollow."""
    few = len(points) <= WIDE_RINGS
    words = {"label": f"wrong, {which} ({len(points)})", "zorder": 4}
    if which == "test":
        axes.scatter(*points.T, s=0.5 * size, marker="x", color=BLACK, linewidths=1.3 if few else 0.7, **words)
        return
    # Wide rings would hide a crowd of wrong points, and the points beside them.
    axes.scatter(
        *points.T, s=size + (90 if few else 12), marker="o", facecolors="none", edgecolors=BLACK,
        linewidths=1.3 if few else 0.7, **words,
    )  # fmt: skip


def _shades(scores) -> np.ndarray:
    """Each grid point in the colour of its winner, mixed with white; (row, column, 3)."""
    from matplotlib.colors import to_rgb

    classes = scores.shape[-1]
    palette = np.array([to_rgb(color(index)) for index in range(classes)])
    strength = np.full(scores.shape[:-1], 0.35)
    if scores.min() >= -1e-6 and np.allclose(scores.sum(axis=-1), 1, atol=1e-3):
        certain = (scores.max(axis=-1) - 1 / classes) / (1 - 1 / classes)
        strength = 0.08 + 0.37 * np.clip(certain, 0, 1)
    strength = strength[..., None]
    return strength * palette[scores.argmax(axis=-1)] + (1 - strength)


def _scores(predict, points) -> np.ndarray:
    scores = np.asarray(predict(points), dtype=float)
    if scores.ndim != 2 or scores.shape[0] != len(points) or scores.shape[1] < 2:
        raise ValueError(
            f"predict must turn ({len(points)}, 2) points into ({len(points)}, classes) scores, with 2 "
            f"classes or more; received {scores.shape}. From a single output p, stack [1 - p, p]."
        )
    if not np.isfinite(scores).all():
        raise ValueError("predict gave values that are not finite numbers; the model may have diverged.")
    return scores


def _points(x_name: str, x, y_name: str, y):
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) == 0:
        raise ValueError(f"{x_name} must be of shape (n, 2); received {x.shape}.")
    if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
        raise ValueError(
            f"{y_name} must hold {len(x)} integer classes from 0, one per point; received shape {y.shape} of {y.dtype}."
        )
    return x, y
