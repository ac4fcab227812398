"""What a model of images makes: samples, ways from one image to another, the plane of its codes, from noise to image.

Axis letters: n images, h w c image (one channel or three), r rows, s steps. Images are numbers in [0, 1]; what lies
beyond, as noise does, is shown as black or white.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from kzoo.plots.style import GREY, LABEL, TICK, bare, color, label, marker, new_figure

MAX_IMAGES = 1024  # in one figure
GAP = 1 / 14  # between images, of their side


def sample_grid(images, *, title: str, labels=None, class_names: Sequence | None = None, columns: int | None = None):
    """Images side by side, as a Figure; those of a class in a row of their own where labels are given.

    Args:
        images: (n, h, w, c), n up to 1,024.
        title: which model, and after how much training.
        labels: (n,) the class that each image was asked to be; None where none was.
        class_names: the name of class 0, class 1, ...; by default the numbers.
        columns: images a row; by default as many as make a square, or as the commonest class has.

    Raises:
        ValueError: if the shapes do not fit, or a class has no name.
    """
    images = _images("images", images, 4)
    _at_most(len(images))
    if labels is None:
        rows = _rows(images, columns or math.ceil(math.sqrt(len(images))))
        names = None
    else:
        rows, names = _by_class(images, labels, class_names, columns)
    figure, axes = _board(rows, title, names)
    if names is not None:
        label(axes, y="class that was asked for")
    return figure


def training_grids(grids: Mapping, *, title: str, columns: int | None = None, unit: str = "epoch"):
    """The samples of several epochs side by side, as a Figure. The same noise for all of them shows what is learned.

    Args:
        grids: epoch -> (n, h, w, c), in the order that they are drawn in; at most 1,024 images together.
        title: which model on which data.
        columns: images a row of each grid; by default as many as make a square.
        unit: what is counted.

    Raises:
        ValueError: if there is no grid, or the shapes do not fit.
    """
    found = _grids(grids)
    _at_most(sum(map(len, found.values())))
    # Three or four a row, whichever leaves fewer places empty.
    across = len(found) if len(found) <= 4 else min((4, 3), key=lambda k: -len(found) % k)
    down = -(-len(found) // across)
    boards = [mosaic(images, columns) for images in found.values()]
    tall = max(board.shape[0] / board.shape[1] for board in boards)
    width = 3.0 if across > 2 else 4.0
    figure = new_figure(width * across, (width * tall + 0.35) * down + 0.5, title)
    cells = list(figure.subplots(down, across, squeeze=False).flat)
    for axes, number, board in zip(cells, found, boards, strict=False):
        _show(axes, board)
        axes.set_title(f"{unit} {number}", fontsize=LABEL)
    for axes in cells:
        axes.set_axis_off()
    return figure


def training_frames(grids: Mapping, *, title: str, columns: int | None = None, unit: str = "epoch") -> list:
    """The frames of a film of the training, a Figure an epoch, all of one size.

    Args:
        grids: epoch -> (n, h, w, c), as many images in each.
        title: which model on which data; the epoch stands below it.
        columns: images a row; by default as many as make a square.
        unit: what is counted.

    Raises:
        ValueError: if there is no grid, the shapes do not fit, or the grids differ in shape.
    """
    found = _grids(grids)
    if len({images.shape for images in found.values()}) > 1:
        shapes = ", ".join(str(images.shape) for images in found.values())
        raise ValueError(f"grids must hold as many images of one shape in each epoch; received {shapes}.")
    last = list(found)[-1]
    return [
        sample_grid(images, title=f"{title}\n{unit} {number} of {last}", columns=columns)
        for number, images in found.items()
    ]


def interpolation(images, *, title: str, ends: str = "an image"):
    """Ways from one image to another, a way a row, as a Figure.

    Args:
        images: (s, h, w, c), or (r, s, h, w, c) for several ways; s of at least 2, at equal steps of the way.
        title: which model.
        ends: what the first and the last image of a way are.

    Raises:
        ValueError: if the shapes do not fit.
    """
    rows = _strips("images", images)
    steps = rows.shape[1]
    figure, axes = _board(rows, title)
    shown = range(steps) if steps <= 11 else [0, (steps - 1) / 4, (steps - 1) / 2, 3 * (steps - 1) / 4, steps - 1]
    names = [f"{100 * k / (steps - 1):.0f} %" for k in shown]
    label(axes, x=f"way from {ends} (left) to another (right)")
    axes.set_xticks(shown, names)
    return figure


def latent_plane(images, across, up, *, title: str, codes=None, labels=None, class_names: Sequence | None = None):
    """What a model with two latent numbers makes of each point of their plane, as a Figure.

    Args:
        images: (r, s, h, w, c): the image of row i and column j is that of the code (across[j], up[i]).
        across: (s,) values of the first latent number, from left to right.
        up: (r,) values of the second one, from the bottom to the top.
        title: which model.
        codes: (n, 2) codes of real images, drawn in a second plane with the same axes; None draws none.
        labels: (n,) their classes.
        class_names: the name of class 0, class 1, ...; by default the numbers.

    Raises:
        ValueError: if the shapes do not fit, or the values do not rise.
    """
    images = _images("images", images, 5)
    across, up = (_rising(name, values) for name, values in (("across", across), ("up", up)))
    if images.shape[:2] != (len(up), len(across)):
        raise ValueError(
            f"images must be (rows, columns, h, w, c) with {len(up)} rows, one for each value of up, and {len(across)} "
            f"columns, one for each of across; received the shape {images.shape}."
        )
    _at_most(len(up) * len(across))
    panels = 1 if codes is None else 2
    figure = new_figure(6.4 * panels + (0.8 if labels is not None else 0), 6.6, title)
    planes = figure.subplots(1, panels, squeeze=False)[0]
    # Each image is centred on its code.
    extent = [*_edges(across), *_edges(up)]
    board = np.concatenate([np.concatenate(list(row), axis=1) for row in images[::-1]], axis=0)
    _show(planes[0], board, extent=extent)
    label(planes[0], x="first latent number", y="second latent number", title="the image of each code")
    if codes is not None:
        codes = _draw_codes(planes[1], codes, labels, class_names, extent)
        outside = int((np.clip(codes, (extent[0], extent[2]), (extent[1], extent[3])) != codes).any(axis=1).sum())
        seen = f", {outside:,} of {len(codes):,} lie outside" if outside else ""
        label(planes[1], x="first latent number", y="second latent number", title=f"codes of real images{seen}")
    for axes in planes:
        axes.set_aspect((extent[1] - extent[0]) / (extent[3] - extent[2]))
        axes.title.set_fontsize(LABEL)
    return figure


def denoising_strip(images, timesteps, *, title: str, guesses=None):
    """Images on their way out of the noise, a row each, as a Figure.

    Args:
        images: (s, h, w, c), or (r, s, h, w, c) for several images, in the order of the sampling: noise first.
        timesteps: (s,) the timestep that each column stands at, which falls to 0.
        title: which model and which sampler.
        guesses: Of the shape of `images`: what the network takes the image to be at each step, drawn below each row.

    Raises:
        ValueError: if the shapes do not fit.
    """
    rows = _strips("images", images)
    timesteps = np.asarray(timesteps)
    if timesteps.shape != (rows.shape[1],):
        raise ValueError(
            f"timesteps must hold one number for each of the {rows.shape[1]} columns; received {timesteps.shape}."
        )
    names = None
    if guesses is not None:
        guesses = _strips("guesses", guesses)
        if guesses.shape != rows.shape:
            raise ValueError(f"guesses must be of the shape of images, {rows.shape}; received {guesses.shape}.")
        rows = np.stack([rows, guesses], axis=1).reshape(-1, *rows.shape[1:])
        names = ["the image", "what the network\nmakes of it"] * (len(rows) // 2)
    figure, axes = _board(rows, title, names)
    label(axes, x="timestep: from pure noise (left) to 0, the image (right)")
    axes.set_xticks(range(len(timesteps)), [f"{t:g}" for t in timesteps])
    return figure


def mosaic(images, columns: int | None = None) -> np.ndarray:
    """Images side by side in one array, with white between them.

    Args:
        images: (n, h, w, c) in [0, 1], from left to right and row by row.
        columns: images a row; by default as many as make a square.

    Returns:
        (H, W) for one channel, (H, W, 3) for three, in [0, 1]; places without an image are white.

    Raises:
        ValueError: if the shapes do not fit.
    """
    images = _images("images", images, 4)
    return _mosaic(_rows(images, columns or math.ceil(math.sqrt(len(images)))))


def _images(what: str, images, axes: int) -> np.ndarray:
    images = np.asarray(images)
    expected = {4: "(n, h, w, c)", 5: "(rows, columns, h, w, c)"}[axes]
    if images.ndim != axes or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(f"{what} must be {expected} with c 1 or 3; received the shape {images.shape}.")
    if images.dtype.kind != "f":
        raise ValueError(f"{what} must be floats in [0, 1]; received {images.dtype}. Of bytes, divide by 255.")
    return np.clip(images, 0, 1)


def _strips(what: str, images) -> np.ndarray:
    """Rows (r, s, h, w, c) of one row or several."""
    images = np.asarray(images)
    rows = _images(what, images[None] if images.ndim == 4 else images, 5)
    if rows.shape[1] < 2:
        raise ValueError(f"{what} must hold at least 2 images a row; received the shape {images.shape}.")
    _at_most(rows.shape[0] * rows.shape[1])
    return rows


def _at_most(count: int) -> None:
    if count > MAX_IMAGES:
        raise ValueError(f"a figure shows up to {MAX_IMAGES:,} images; received {count:,}. Pass fewer.")


def _rising(name: str, values) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all():
        raise ValueError(f"{name} must hold at least 2 rising numbers; received {values}.")
    return values


def _edges(values) -> tuple[float, float]:
    """Where the first and the last of equal cells begin and end whose middles are the values."""
    half = (values[-1] - values[0]) / (len(values) - 1) / 2
    return values[0] - half, values[-1] + half


def _grids(grids: Mapping) -> dict:
    if not isinstance(grids, Mapping) or not grids:
        raise ValueError(f"grids must be a non-empty dict from epoch to images; received {type(grids).__name__}.")
    return {number: _images(f"grids[{number!r}]", images, 4) for number, images in grids.items()}


def _rows(images, columns: int) -> np.ndarray:
    """(r, columns, h, w, c) of (n, h, w, c), the rest white."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1; received {columns}.")
    columns = min(columns, len(images))
    missing = -len(images) % columns
    full = np.concatenate([images, np.ones((missing, *images.shape[1:]), images.dtype)])
    return full.reshape(-1, columns, *images.shape[1:])


def _by_class(images, labels, class_names, columns):
    """Rows (classes, columns, h, w, c), white where a class has too few images, and the names of the rows."""
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be a whole number for each of the {len(images)} images; received {labels.dtype} of shape "
            f"{labels.shape}."
        )
    found = np.unique(labels)
    names = _class_names(found, class_names)
    columns = columns or int(np.unique(labels, return_counts=True)[1].max())
    if columns < 1:
        raise ValueError(f"columns must be at least 1; received {columns}.")
    rows = np.ones((len(found), columns, *images.shape[1:]), images.dtype)
    for row, number in zip(rows, found, strict=True):
        own = images[labels == number][:columns]
        row[: len(own)] = own
    return rows, names


def _class_names(found, class_names) -> list[str]:
    if class_names is None:
        return [str(number) for number in found]
    if found.min() < 0 or found.max() >= len(class_names):
        raise ValueError(f"labels reach from {found.min()} to {found.max()}; class_names has {len(class_names)} names.")
    return [str(class_names[number]) for number in found]


def _gap(width: int) -> int:
    """Pixels between images of so many pixels."""
    return max(1, round(GAP * width))


def _mosaic(rows) -> np.ndarray:
    """One array of rows (r, s, h, w, c), with gaps of white."""
    r, s, h, w, c = rows.shape
    gap = _gap(w)
    board = np.ones((r * (h + gap) - gap, s * (w + gap) - gap, c), rows.dtype)
    for i in range(r):
        for j in range(s):
            board[i * (h + gap) : i * (h + gap) + h, j * (w + gap) : j * (w + gap) + w] = rows[i, j]
    return board[..., 0] if c == 1 else board


def _show(axes, board, extent=None):
    axes.imshow(board, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)


def _board(rows, title: str, names=None):
    """A figure of rows (r, s, h, w, c), by name, and its axes, on which the middle of image j of row i is (j, i)."""
    r, s, h, w, _ = rows.shape
    gap = _gap(w)
    left, top = -0.5 * w / (w + gap), -0.5 * h / (h + gap)
    side = float(np.clip(10 / s, 0.35, 1.1))
    longest = max((len(line) for name in names or [] for line in name.split("\n")), default=0)
    width = max(side * s + 0.5 + 0.075 * longest, 4.0)
    # Some nine characters an inch; a line that is given stays one where it fits.
    title = "\n".join(textwrap.fill(line, int(9 * width)) for line in title.split("\n"))
    figure = new_figure(width, side * r * (h + gap) / (w + gap) + 1.0, title)
    axes = figure.add_subplot()
    _show(axes, _mosaic(rows), extent=(left, s - 1 - left, r - 1 - top, top))
    axes.set_aspect((h + gap) / (w + gap))
    bare(axes)
    if names is not None:
        axes.set_yticks(range(r), names)
    axes.tick_params(length=0, labelsize=TICK)
    return figure, axes


def _draw_codes(axes, codes, labels, class_names, extent):
    """Draw codes (n, 2) and return them as an array."""
    codes = np.asarray(codes, float)
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes):
        raise ValueError(f"codes must be (n, 2), one of two numbers for each image; received the shape {codes.shape}.")
    if labels is None:
        axes.scatter(*codes.T, s=6, color=GREY, linewidths=0)
    else:
        labels = np.asarray(labels)
        if labels.shape != (len(codes),):
            raise ValueError(f"labels must hold one class for each of the {len(codes)} codes; received {labels.shape}.")
        found = np.unique(labels)
        for number, name in zip(found, _class_names(found, class_names), strict=True):
            own = codes[labels == number]
            axes.scatter(*own.T, s=12, color=color(number), marker=marker(number), linewidths=0, alpha=0.7, label=name)
        axes.legend(fontsize=TICK, loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=2, title="class")
    axes.set_xlim(extent[0], extent[1])
    axes.set_ylim(extent[2], extent[3])
    axes.grid(alpha=0.25)
    return codes
