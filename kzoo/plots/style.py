"""What every figure of kzoo shares: the palette, the text sizes, a bare figure, and saving."""

from pathlib import Path

from kzoo.files import replacing

# The palette of Okabe and Ito holds for every common colour blindness. Its yellow fades on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
GREY = "#767676"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, BLACK)
# A class is told by its shape too. Ten shapes against seven colours: no pair repeats before class 70.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")

# Colour maps that hold for colour-blind readers too. SEQUENTIAL: white is nothing; DIVERGING: white is zero.
SEQUENTIAL, INTENSITY, DIVERGING = "Blues", "viridis", "PuOr_r"

TITLE, LABEL, TICK = 13, 11, 9  # points


def color(index: int) -> str:
    return PALETTE[index % len(PALETTE)]


def on_dark(shade: str) -> str:
    """A colour "#rrggbb" a third of the way to white: the same hue, which can be seen on a dark ground."""
    parts = (int(shade[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) / 3):02x}" for part in parts)


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def new_figure(width: float, height: float, title: str | None = None):
    """A figure of `width` x `height` inches that no global state of matplotlib knows of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    if title:
        figure.suptitle(title, fontsize=TITLE)
    return figure


def label(axes, *, x: str | None = None, y: str | None = None, title: str | None = None) -> None:
    """Write the labels of `axes` in the sizes that all figures share."""
    if x is not None:
        axes.set_xlabel(x, fontsize=LABEL)
    if y is not None:
        axes.set_ylabel(y, fontsize=LABEL)
    if title is not None:
        axes.set_title(title, fontsize=TITLE)
    axes.tick_params(labelsize=TICK)


def bare(axes) -> None:
    """Take ticks and frame off an axes that shows a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def save_png(figure, path, *, dpi: int = 150) -> Path:
    """Write `figure` to `path` and return it; a reader never sees a half-written file.

    Raises:
        ValueError: if `path` does not end in `.png`.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"save_png writes PNG files; received the path {str(path)!r}. End it in .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)
    return path
