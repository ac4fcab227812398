"""What a classifier got right and wrong: the confusion matrix and a grid of pictures with its answers."""

import numpy as np

from kzoo.plots.style import BLACK, GREY, LABEL, SEQUENTIAL, TICK, TITLE, VERMILLION, label, new_figure

COUNTED_CLASSES = 20  # up to here every cell holds its count
MAX_PICTURES = 256


def confusion_matrix(y_true, y_pred, class_names, *, title: str):
    """Which class was taken for which, as a matplotlib Figure.

    Args:
        y_true, y_pred: (n,) integer class numbers.
        class_names: the name of class 0, class 1, ...
        title: which model on which data; the accuracy is written beneath it.

    A row is a true class, its colour the share of that class: the diagonal is right, the rest is wrong.
    """
    names = [str(name) for name in class_names]
    y_true = _class_numbers("y_true", y_true, len(names))
    y_pred = _class_numbers("y_pred", y_pred, len(names))
    if y_true.size != y_pred.size:
        raise ValueError(f"y_true and y_pred must be of one length; received {y_true.size} and {y_pred.size}.")

    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (y_true, y_pred), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, total = int(np.trace(counts)), int(counts.sum())

    side = float(np.clip(0.5 * len(names) + 2.2, 4.6, 11.0))
    figure = new_figure(
        side + 1.0,
        side + 0.4,
        f"{title}\naccuracy {100 * right / total:.1f} % ({right:,} of {total:,} right)",
    )
    axes = figure.add_subplot()
    image = axes.imshow(100 * share, cmap=SEQUENTIAL, vmin=0, vmax=100)
    label(axes, x="predicted class", y="true class")
    every = -(-len(names) // 50)
    ticks = range(0, len(names), every)
    crowded = max(map(len, names)) * 0.075 > (side - 2.2) / len(names) * every
    axes.set_xticks(ticks, [names[i] for i in ticks], rotation=90 if crowded else 0, fontsize=TICK)
    axes.set_yticks(ticks, [names[i] for i in ticks], fontsize=TICK)
    if len(names) <= COUNTED_CLASSES:
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if share[row, column] > 0.5 else BLACK if count else "#BBBBBB"
            axes.text(column, row, str(count), ha="center", va="center", fontsize=TICK, color=ink)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the true class (%)", fontsize=LABEL)
    bar.ax.tick_params(labelsize=TICK)
    return figure


def predictions(images, y_true, probabilities, class_names, *, columns: int = 8, title: str | None = None):
    """A grid of pictures, each with its true label, the predicted one and its probability, as a Figure.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), in any range.
        y_true: (n,) integer class numbers.
        probabilities: (n, classes), rows that sum to 1.
        class_names: the name of class 0, class 1, ...
        columns: pictures a row.
        title: by default how many of these are right.

    A wrong answer carries a cross, bold words and a thick frame; a right one a tick.
    """
    names = [str(name) for name in class_names]
    images = as_pictures("images", images)
    count = len(images)
    y_true = _class_numbers("y_true", y_true, len(names))
    probabilities = np.asarray(probabilities, dtype=float)
    if not 1 <= count <= MAX_PICTURES:
        raise ValueError(f"images must hold 1 to {MAX_PICTURES} pictures; received {count}. Pass a slice.")
    if y_true.size != count:
        raise ValueError(f"y_true must hold one class per picture: {count}; received {y_true.size}.")
    if probabilities.shape != (count, len(names)):
        raise ValueError(
            f"probabilities must be of shape (pictures, classes) = ({count}, {len(names)}); "
            f"received {probabilities.shape}."
        )
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-2):
        raise ValueError(
            "probabilities must be non-negative, each row summing to 1; received values from "
            f"{probabilities.min():.3g} to {probabilities.max():.3g}. Apply a softmax to logits first."
        )
    if columns < 1:
        raise ValueError(f"columns must be at least 1; received {columns}.")

    answers = probabilities.argmax(axis=1)
    right = answers == y_true
    columns = min(columns, count)
    rows = -(-count // columns)
    # 0.09 inches hold a bold letter of the titles.
    cell = max(1.45, 0.09 * (max(len(names[answer]) for answer in answers) + len("x says: (100 %)")))
    figure = new_figure(max(cell * columns, 5.4), 1.9 * rows + 0.5)
    title = title or f"{right.sum()} of {count} right"
    figure.suptitle(f"{title}; \N{BALLOT X} and a thick frame mark the wrong ones", fontsize=TITLE)
    low, high = images.min(), images.max()
    for index, picture in enumerate(images):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(picture, cmap="gray", vmin=low, vmax=high)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(color=GREY if right[index] else VERMILLION, linewidth=0.8 if right[index] else 3.5)
        mark = "\N{CHECK MARK}" if right[index] else "\N{BALLOT X}"
        chance = 100 * probabilities[index, answers[index]]
        axes.set_title(
            f"true: {names[y_true[index]]}\n{mark} says: {names[answers[index]]} ({chance:.0f} %)",
            fontsize=TICK,
            fontweight="normal" if right[index] else "bold",
            color=BLACK if right[index] else "#A34700",
        )
    return figure


def as_pictures(name: str, images) -> np.ndarray:
    """`images` as (n, h, w) greys, or as (n, h, w, 3) colours in 0..1."""
    images = np.asarray(images)
    grey = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 1)
    if not (grey or (images.ndim == 4 and images.shape[-1] == 3)) or not np.issubdtype(images.dtype, np.number):
        raise ValueError(f"{name} must be of shape (n, h, w), (n, h, w, 1) or (n, h, w, 3); received {images.shape}.")
    images = images.astype(float)
    if grey:
        return images.reshape(images.shape[:3])
    if images.size and (images.min() < 0 or images.max() > 1):
        low, high = (0.0, 255.0) if images.min() >= 0 and images.max() <= 255 else (images.min(), images.max())
        images = (images - low) / (high - low)
    return images


def _class_numbers(name: str, values, classes: int) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or values.size == 0 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"{name} must be a non-empty 1-D array of integer class numbers; received shape {values.shape} "
            f"of {values.dtype}. From probabilities, take `.argmax(axis=-1)`."
        )
    if values.min() < 0 or values.max() >= classes:
        raise ValueError(
            f"{name} must lie in 0..{classes - 1}, one number per class name; "
            f"received values from {values.min()} to {values.max()}."
        )
    return values
