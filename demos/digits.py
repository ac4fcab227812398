"""Digits: from a drawing, or a visitor's picture, to the input that a network of MNIST expects; examples as strokes."""

from typing import NamedTuple

import numpy as np
import pad

SIDE, BOX = 28, 20  # of the network's input, and of the square within it that the ink fills, in pixels
INK_LEVELS = 15  # steps of ink in the input: a hexadecimal digit a pixel; MNIST's test accuracy stays the same
CLASSES = tuple("0123456789")


class Prepared(NamedTuple):
    """The network's input and where the ink was put.

    Attributes:
        image: (28, 28) float32, ink from 0 to 1.
        box: top, left, height, width of the ink, in pixels of the input; all 0 without ink.
    """

    image: np.ndarray
    box: tuple[int, int, int, int]


def prepare(ink) -> Prepared:
    """Ink on a pad as MNIST would hold it: cropped, scaled into 20 x 20 pixels, its centre of mass in the middle.

    Args:
        ink: (h, w), from 0 to 1.
    """
    ink = np.asarray(ink, float)
    seen = ink > 1 / 6
    if not seen.any():
        return Prepared(np.zeros((SIDE, SIDE), np.float32), (0, 0, 0, 0))
    (top, bottom), (left, right) = (np.flatnonzero(seen.any(axis=axis))[[0, -1]] + [0, 1] for axis in (1, 0))
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round(size * scale)) for size in (bottom - top, right - left))
    small = _overlaps(len(ink), top, bottom, height) @ ink @ _overlaps(ink.shape[1], left, right, width).T
    # Means of whole pixels: the middle of MNIST's digits is the middle of the pixel (14, 14).
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    y, x = small.sum(axis=1) @ rows / small.sum(), small.sum(axis=0) @ columns / small.sum()
    top = int(np.clip(round(14.5 - y), 0, SIDE - height))
    left = int(np.clip(round(14.5 - x), 0, SIDE - width))
    image = np.zeros((SIDE, SIDE), np.float32)
    image[top : top + height, left : left + width] = np.rint(small * INK_LEVELS) / INK_LEVELS
    return Prepared(image, (top, left, height, width))


def _overlaps(size: int, start: float, stop: float, parts: int) -> np.ndarray:
    """(parts, size): what each of `size` pixels gives to the mean over each of `parts` equal pieces of start..stop."""
    edges, pixels = np.linspace(start, stop, parts + 1), np.arange(size)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(shares, 0, None) * parts / (stop - start)


LARGEST_SIDE = 4096  # pixels: a file of 2 MB can unfold into gigabytes


def read_picture(path) -> tuple[np.ndarray, str]:
    """A visitor's picture as a drawing for the pad.

    Args:
        path: a PNG, JPEG, WebP, GIF or BMP file.

    Returns:
        The ink, (64, 64) from 0 to 1, and a sentence that says what was done to the picture.

    Raises:
        ValueError: if it is no such picture, too large, or shows nothing.
    """
    from PIL import Image, ImageFilter, ImageOps

    wanted = f"a PNG, JPEG, WebP, GIF or BMP picture, at most {LARGEST_SIDE} pixels a side"
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP", "GIF", "BMP")) as picture:
            if max(picture.size) > LARGEST_SIDE:
                raise ValueError(f"The picture has {picture.width} x {picture.height} pixels; expected {wanted}.")
            picture = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, SyntaxError, Image.DecompressionBombError, TypeError):
        raise ValueError(f"The file cannot be read; expected {wanted}.") from None
    picture.thumbnail((256, 256), Image.Resampling.BOX)
    alpha = np.asarray(picture)[..., 3:] / 255
    grey = np.asarray(picture.convert("RGB").convert("L"), float)[..., None] / 255
    if alpha.min() < 0.5:
        # On see-through paper the ink is what is not: paper of the other brightness is put beneath it.
        paper = 1.0 if (grey * alpha).sum() < 0.5 * alpha.sum() else 0.0
        grey = grey * alpha + paper * (1 - alpha)
    grey = grey[..., 0]
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    inverted = bool(np.median(border) > (np.quantile(grey, 0.01) + np.quantile(grey, 0.99)) / 2)
    light = 1 - grey if inverted else grey
    # Shadows on paper are wide, strokes are not: what is left of a wide minimum, smoothed, is paper.
    image = Image.fromarray(np.uint8(np.rint(255 * light)))
    reach = max(3, max(light.shape) // 6 * 2 + 1)  # with 1, Pillow divides by zero and takes the server along
    paper = image.filter(ImageFilter.MinFilter(min(reach, 61))).filter(ImageFilter.GaussianBlur(reach / 3))
    ink = np.clip(light - np.asarray(paper, float) / 255, 0, None)
    full = float(np.quantile(ink, 0.995))
    if full < 0.08:
        raise ValueError("The picture shows nothing that stands out from its background. Try one with more contrast.")
    ink = np.clip((ink / full - 0.35) / 0.4, 0, 1)
    (top, bottom), (left, right) = (np.flatnonzero((ink > 0.5).any(axis=axis))[[0, -1]] + [0, 1] for axis in (1, 0))
    scale = 46 / max(bottom - top, right - left)
    height, width = (max(1, round(size * scale)) for size in (bottom - top, right - left))
    drawing = np.zeros((pad.SIZE, pad.SIZE), np.float32)
    above, before = (pad.SIZE - height) // 2, (pad.SIZE - width) // 2
    drawing[above : above + height, before : before + width] = (
        _overlaps(ink.shape[0], top, bottom, height) @ ink @ _overlaps(ink.shape[1], left, right, width).T
    )
    first = "It was dark on light, so it was inverted" if inverted else "It was light on dark, as the network expects"
    return drawing, f"Your picture: {first}; its background was taken away, and what is left was cut out and centred."


def _arc(x, y, width, height, start, stop):
    """Points of an ellipse; angles in degrees, clockwise, 0 to the right."""
    angles = np.deg2rad(np.linspace(start, stop, 24))
    return [(x + width * np.cos(angle), y + height * np.sin(angle)) for angle in angles]


# Strokes across the pad, x to the right and y downwards, from 0 to 1.
EXAMPLES = {
    "0": [_arc(0.5, 0.5, 0.21, 0.34, -80, 285)],
    "1": [[(0.40, 0.27), (0.54, 0.16), (0.52, 0.84)]],
    "2": [[*_arc(0.48, 0.34, 0.19, 0.18, -160, 25), (0.56, 0.55), (0.30, 0.82), (0.74, 0.80)]],
    "3": [_arc(0.47, 0.33, 0.18, 0.165, -150, 80) + _arc(0.48, 0.66, 0.20, 0.175, -80, 150)],
    "4": [[(0.40, 0.17), (0.28, 0.56), (0.74, 0.54)], [(0.63, 0.24), (0.58, 0.85)]],
    "5": [[(0.70, 0.18), (0.38, 0.18), (0.34, 0.46), *_arc(0.48, 0.63, 0.20, 0.20, -125, 140)]],
    "6": [[(0.62, 0.15), (0.45, 0.30), (0.35, 0.52), *_arc(0.50, 0.66, 0.16, 0.17, -170, 190)]],
    "7": [[(0.28, 0.20), (0.72, 0.20), (0.58, 0.45), (0.44, 0.84)]],
    "8": [_arc(0.50, 0.33, 0.15, 0.165, 90, -270) + _arc(0.50, 0.67, 0.18, 0.17, -90, 270)],
    "9": [[*_arc(0.48, 0.36, 0.17, 0.18, 0, -360), (0.64, 0.50), (0.58, 0.84)]],
    "a heart": [
        [(0.5, 0.82), (0.22, 0.48), *_arc(0.355, 0.35, 0.15, 0.15, 150, 350)],
        [*_arc(0.645, 0.35, 0.15, 0.15, 190, 390), (0.78, 0.48), (0.5, 0.82)],
    ],
    "a house": [[(0.24, 0.45), (0.5, 0.18), (0.76, 0.45), (0.76, 0.82), (0.24, 0.82), (0.24, 0.45)]],
}


def example(name: str) -> str:
    """The drawing of an example, as the pad's text."""
    return pad.encode(pad.rasterise(EXAMPLES[name]))
