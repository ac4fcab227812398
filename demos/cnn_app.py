"""Draw a digit and watch a convolutional network read it: its input, its maps, one filter's sum, and where it looks.

    python demos/cnn_app.py

The network is the preset `cnn_mnist`. A drawing of 64 x 64 pixels is centred and scaled as MNIST's digits were, and
every picture on the page is made from what the model computes for it.
"""

import base64
import functools
import html
import io
import json
import os
import threading
from typing import NamedTuple

# One drawing gives a library of threads nothing to share out, and visitors come side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gradio as gr
import kit
import numpy as np
import pad

import kzoo

TITLE = "Convolutional network"
SUMMARY = "Draw a digit and watch a CNN read it, layer by layer"
PRESETS = ("cnn_mnist",)

SIDE, BOX = 28, 20  # of the network's input, and of the square within it that the ink fills, in pixels
INK_LEVELS = 15  # steps of ink in the input: a hexadecimal digit a pixel; MNIST's test accuracy stays the same
CLASSES = tuple("0123456789")
FILTERED = SIDE - 2  # rows and columns of the first convolution's maps: 3 x 3, without a border
FILTERS = 32
CAM_LAYER = "relu_2_2"
# The stages of the overview, and the four maps that stand for each of them.
STAGES = ("relu_1_1", "relu_1_2", "pool_1", "relu_2_1", "relu_2_2", "pool_2", "relu_dense")
LAYERS = (
    *(f"{kind}_{block}_{i}" for block in (1,) for i in (1, 2) for kind in ("conv", "norm", "relu")),
    "pool_1",
    *(f"{kind}_2_{i}" for i in (1, 2) for kind in ("conv", "norm", "relu")),
    "pool_2",
    "flatten",
    "dense",
    "norm_dense",
    "relu_dense",
    "logits",
)


# --- from a drawing to the network's input -------------------------------------------------------------------------


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
    reach = max(light.shape) // 6 * 2 + 1
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


# --- what the network computes -------------------------------------------------------------------------------------

_PREDICTING = threading.Lock()


@functools.lru_cache(maxsize=4)
def _probe(model):
    import keras

    return keras.Model(model.input, [model.get_layer(name).output for name in LAYERS])


def activations(model, image) -> dict[str, np.ndarray]:
    """The output of each of LAYERS for one image (28, 28): (h, w, c) or (units,). The same as `model.activations`.

    Compiled once for a batch of one; `model.activations` runs layer by layer, which takes a few times as long.
    """
    x = np.asarray(image, np.float32)[None, :, :, None]
    # Keras writes the state of a model back after each call, so that calls must not overlap.
    with _PREDICTING:
        found = _probe(model).predict_on_batch(x)
    return {name: np.asarray(value)[0] for name, value in zip(LAYERS, found, strict=True)}


def softmax(logits) -> np.ndarray:
    """Probabilities from logits (k,)."""
    powers = np.exp(np.asarray(logits, float) - np.max(logits))
    return powers / powers.sum()


class Step(NamedTuple):
    """One pixel of the first block's map: `value = relu(scale * (patch . kernel) + shift)`.

    Attributes:
        patch: (3, 3), the input under the window.
        kernel: (3, 3), the filter's weights.
        total: the sum of patch times kernel.
        scale, shift: what the norm layer multiplies by and adds; a bias of the convolution is in the shift.
        value: what comes out of relu.
    """

    patch: np.ndarray
    kernel: np.ndarray
    total: float
    scale: float
    shift: float
    value: float


def one_step(model, image, filter: int, row: int, column: int) -> Step:
    """The arithmetic of one output pixel of the first convolution, from the model's weights alone."""
    import keras

    layer, norm = model.get_layer("conv_1_1"), model.get_layer("norm_1_1")
    number = lambda weight: float(keras.ops.convert_to_numpy(weight)[filter])  # noqa: E731
    patch = np.asarray(image, float)[row : row + 3, column : column + 3]
    kernel = keras.ops.convert_to_numpy(layer.kernel)[:, :, 0, filter].astype(float)
    total = float((patch * kernel).sum())
    scale = number(norm.gamma) / np.sqrt(number(norm.moving_variance) + norm.epsilon)
    bias = number(layer.bias) if layer.use_bias else 0.0
    shift = number(norm.beta) + scale * (bias - number(norm.moving_mean))
    return Step(patch, kernel, total, float(scale), float(shift), max(0.0, float(scale * total + shift)))


def saliency(model, image, target: int) -> np.ndarray:
    """The gradient of the class's logit with respect to each input pixel, (28, 28)."""
    import keras

    x = keras.Variable(np.asarray(image, np.float32)[None, :, :, None], trainable=False)
    _, (gradient,) = kzoo.backend.value_and_grad(lambda: model(x.value, training=False)[0, target], [x])
    return keras.ops.convert_to_numpy(gradient)[0, :, :, 0]


@functools.lru_cache(maxsize=4)
def _head(model):
    import keras

    return keras.Model(model.get_layer(CAM_LAYER).output, model.output)


def grad_cam(model, maps, target: int) -> np.ndarray:
    """Grad-CAM (Selvaraju et al., arXiv:1610.02391) of the last convolution's maps, (8, 8), at least 0.

    cam = relu(sum over k of weight_k maps_k), weight_k the mean over the map of d logit / d maps_k.

    Args:
        model: the CNN.
        maps: the output of CAM_LAYER, (8, 8, 64).
        target: the class.
    """
    import keras

    head = _head(model)
    a = keras.Variable(np.asarray(maps, np.float32)[None], trainable=False)
    _, (gradient,) = kzoo.backend.value_and_grad(lambda: head(a.value, training=False)[0, target], [a])
    weights = keras.ops.convert_to_numpy(gradient)[0].mean(axis=(0, 1))
    return np.maximum(maps @ weights, 0)


def sight(model, name: str) -> tuple[float, int, int]:
    """What a layer's pixels see of the input, in its pixels: the centre of the first, the step to the next, the width."""
    first, step, width = 0.0, 1, 1
    for layer in model.layers:
        taps = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1,)))[0]
        first, width = first + step * (taps - 1) / 2, width + step * (taps - 1)
        step *= getattr(layer, "strides", (1,))[0]
        if layer.name == name:
            break
    return first, step, width


def spread(cam, first: float, step: int) -> np.ndarray:
    """A map laid over the input, (28, 28): each cell at the centre of what it sees, straight lines between them."""
    cells, pixels = first + step * np.arange(len(cam)), np.arange(SIDE)
    weights = np.stack([np.interp(pixels, cells, one) for one in np.eye(len(cam))], axis=1)
    return weights @ cam @ weights.T


# --- examples ------------------------------------------------------------------------------------------------------


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
FIRST = "3"


def example(name: str) -> str:
    """The drawing of an example, as the pad's text."""
    return pad.encode(pad.rasterise(EXAMPLES[name]))


# --- markup --------------------------------------------------------------------------------------------------------


@functools.cache
def _colours(name: str) -> np.ndarray:
    """256 colours of a colour map, (256, 3) bytes."""
    import matplotlib

    return np.uint8(np.rint(255 * matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3]))


def _png(rgb) -> str:
    """Bytes (h, w, 3 or 4) as the address of a PNG picture."""
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(np.asarray(rgb, np.uint8)).save(file, "PNG", compress_level=6)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _limits(values) -> tuple[float, float]:
    """The scale of a picture of `values`: from 0 where none is negative, else the same to both sides of 0."""
    low, high = float(np.min(values)), float(np.max(values))
    if low < 0:
        high = max(-low, high)
        return -high, high
    return 0.0, high or 1.0


def _shade(values, low: float, high: float) -> np.ndarray:
    """Values as colours: viridis from 0, or purple to orange with white for 0."""
    from kzoo.plots.style import DIVERGING, INTENSITY

    places = np.clip((np.asarray(values) - low) / (high - low), 0, 1)
    return _colours(DIVERGING if low < 0 else INTENSITY)[np.uint8(np.rint(255 * places))]


def _ramp(low: float, high: float, left: str, right: str) -> str:
    """The scale beneath a picture."""
    colours = _png(_shade(np.linspace(low, high, 64)[None], low, high))
    return (
        f'<div class="ramp"><span>{html.escape(left)}</span><img src="{colours}" alt="">'
        f"<span>{html.escape(right)}</span></div>"
    )


def _pick(**what) -> str:
    """What a click on an element chooses, for its attribute `data-pick`."""
    return html.escape(json.dumps(what))


def _grey(image) -> np.ndarray:
    return np.repeat(np.uint8(np.rint(255 * np.asarray(image)))[..., None], 3, axis=2)


def _outline(image) -> str:
    """The path of an SVG about all pixels of more than half ink, in pixels of the image."""
    ink = np.pad(np.asarray(image) > 0.5, 1)
    lines = [f"M{x} {y}h1" for y, x in zip(*np.nonzero(ink[1:, 1:-1] != ink[:-1, 1:-1]), strict=True)]
    lines += [f"M{x} {y}v1" for y, x in zip(*np.nonzero(ink[1:-1, 1:] != ink[1:-1, :-1]), strict=True)]
    return "".join(lines)


def answer_html(probabilities=None) -> str:
    """The answer in words and a bar a class. None: nothing was drawn."""
    if probabilities is None:
        head, values, best = '<p class="says">Draw a digit</p><p class="sure">and the bars move.</p>', [0] * 10, None
    else:
        values, best = list(probabilities), int(np.argmax(probabilities))
        share, second = values[best], sorted(values)[-2]
        if share < 0.5:
            sure = "Unsure: no class reaches 50 %"
        elif share < 0.85:
            sure = f"Leaning: {CLASSES[values.index(second)]} comes next with {100 * second:.0f} %"
        else:
            sure = "Sure"
        head = (
            f'<p class="says" role="status">It says <strong>{CLASSES[best]}</strong></p>'
            f'<p class="sure">{html.escape(sure)}</p>'
        )
    rows = "".join(
        f'<li class="{"best" if k == best else ""}" aria-label="{name}: {100 * value:.1f} percent">'
        f'<span class="name">{"▶ " if k == best else ""}{name}</span>'
        f'<span class="track"><span class="bar" style="width:{100 * value:.1f}%"></span></span>'
        f'<span class="share">{100 * value:.1f} %</span></li>'
        for k, (name, value) in enumerate(zip(CLASSES, values, strict=True))
    )
    return f'<div class="kz-answer">{head}<ol>{rows}</ol></div>'


def input_html(prepared: Prepared) -> str:
    """The 28 x 28 pixels that the network gets, the box of 20 x 20 about the ink, and the centre."""
    top, left, height, width = prepared.box
    box = mark = ""
    if height:
        y, x = min(max(top + height / 2 - 10, 0), 8), min(max(left + width / 2 - 10, 0), 8)
        box = f'<rect x="{x}" y="{y}" width="20" height="20" class="box"/>'
        mark = '<path d="M14.5 13.2v2.6M13.2 14.5h2.6" class="centre"/>'
    return (
        '<div class="kz-input"><svg viewBox="0 0 28 28" role="img" aria-label="The drawing as the network sees it, '
        f'28 by 28 pixels"><image href="{_png(_grey(prepared.image))}" width="28" height="28"/>{box}{mark}</svg></div>'
    )


def _columns(count: int, size: int) -> int:
    """Maps a row, so that a mosaic is broad."""
    return {32: 8, 64: 16}.get(count, 8) if size > 1 else count


def _mosaic(maps, columns: int, gap: int) -> np.ndarray:
    """Maps (h, w, c) side by side as a picture with see-through gaps: bytes (rows, columns, 4)."""
    height, width, count = maps.shape
    rows = -(-count // columns)
    colours = _shade(maps, *_limits(maps))
    picture = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for k in range(count):
        y, x = k // columns * (height + gap), k % columns * (width + gap)
        picture[y : y + height, x : x + width, :3] = colours[:, :, k]
        picture[y : y + height, x : x + width, 3] = 255
    return picture


def overview_html(image, found: dict, layer: str) -> str:
    """The way through the network: a button a stage, with four of its maps."""
    parts = [
        f'<div class="stage"><img src="{_png(_grey(image))}" alt=""><span class="name">input</span>'
        f'<span class="size">28 x 28</span></div>'
    ]
    for name in STAGES:
        values = found[name]
        if values.ndim == 3:
            # Four maps at even distances: always the same ones, so that drawings can be compared.
            four = values[:, :, :: values.shape[-1] // 4][:, :, :4]
            pictures = "".join(f'<img src="{_png(_shade(four[:, :, k], *_limits(values)))}" alt="">' for k in range(4))
            size = " x ".join(map(str, values.shape))
        else:
            pictures = f'<img class="tall" src="{_png(_shade(values.reshape(-1, 4), *_limits(values)))}" alt="">'
            size = f"{values.size} units"
        parts.append(
            f'<button type="button" class="stage" data-pick="{_pick(layer=name)}" '
            f'aria-pressed="{str(name == layer).lower()}" aria-label="Show the layer {name}, {size}">{pictures}'
            f'<span class="name">{name}</span><span class="size">{size}</span></button>'
        )
    best = CLASSES[int(np.argmax(found["logits"]))] if np.any(image) else "?"
    parts.append(f'<div class="stage"><strong>{best}</strong><span class="name">answer</span></div>')
    arrow = '<span class="arrow" aria-hidden="true">→</span>'
    return f'<div class="kz-overview" tabindex="0" role="group" aria-label="Layers">{arrow.join(parts)}</div>'


ROLES = {
    "conv": "each map is a 3 x 3 filter slid over all maps of the layer before",
    "norm": "each map is shifted and scaled to about the same spread (batch normalisation)",
    "relu": "what was negative becomes 0; what is left says where a filter found its pattern",
    "pool": "each map keeps the largest of every 2 x 2 pixels: half the size, less fussy about place",
    "flatten": "all maps laid end to end, one long list of numbers",
    "dense": "each unit weighs all the numbers before it",
    "logits": "one score a class: the largest wins, softmax makes probabilities of them",
}


def describe(layer: str, shape) -> str:
    """A sentence on what a layer does and the size of what comes out."""
    role = ROLES[layer.split("_")[0]]
    if len(shape) == 3:
        return f"{layer}: {shape[2]} maps of {shape[0]} x {shape[1]}; {role}."
    return f"{layer}: {shape[0]} units; {role}."


def maps_html(layer: str, values) -> str:
    """All maps of a layer, or all units of a list of them, with their scale."""
    values = np.asarray(values)
    low, high = _limits(values)
    if values.ndim == 3:
        height, width, count = values.shape
        gap = max(1, height // 13)
        columns = _columns(count, height)
        picture = _mosaic(values, columns, gap)
        titles = "".join(
            f'<rect x="{k % columns * (width + gap)}" y="{k // columns * (height + gap)}" width="{width}" '
            f'height="{height}"><title>map {k}: {values[:, :, k].min():.2f} to {values[:, :, k].max():.2f}</title></rect>'
            for k in range(count)
        )
        shown = f"all {count} maps, map 0 top left"
    else:
        columns = {10: 10, 128: 32}.get(values.size, 64)
        picture = _mosaic(values.reshape(1, 1, -1), columns, 0)
        titles = "".join(
            f'<rect x="{k % columns}" y="{k // columns}" width="1" height="1"><title>unit {k}: {value:.2f}</title></rect>'
            + (
                f'<text x="{k + 0.5}" y="0.6" class="{"light" if abs(value) > 0.6 * high else ""}">'
                f"{CLASSES[k]}: {value:.1f}</text>"
                if values.size == 10
                else ""
            )
            for k, value in enumerate(values)
        )
        shown = f"all {values.size} units"
    high_p, width_p = picture.shape[:2]
    left = f"{low:.2f}" if low < 0 else "0"
    return (
        f'<div class="kz-maps"><p class="kz-caption">{html.escape(describe(layer, values.shape))}</p>'
        f'<svg viewBox="0 0 {width_p} {high_p}" role="img" aria-label="{html.escape(layer)}: {shown}">'
        f'<image href="{_png(picture)}" width="{width_p}" height="{high_p}"/>{titles}</svg>'
        f"{_ramp(low, high, left, f'{high:.2f} (activation, no unit)')}</div>"
    )


def _table(values, kind: str, shades=None) -> str:
    """Nine numbers in a square."""
    cells = "".join(
        "<tr>"
        + "".join(
            f'<td style="background:rgb({",".join(map(str, shades[i, j]))});'
            f'color:{"#fff" if shades[i, j] @ np.array([0.3, 0.6, 0.1]) < 140 else "#000"}">{values[i, j]:.2f}</td>'
            for j in range(3)
        )
        + "</tr>"
        for i in range(3)
    )
    return f'<table class="nine"><caption>{kind}</caption><tbody>{cells}</tbody></table>'


def kernels_html(kernels, maps, filter: int) -> str:
    """The filters of the first layer as buttons: the weights above, what relu leaves of the map beneath.

    Args:
        kernels: (3, 3, 1, filters).
        maps: (26, 26, filters).
        filter: the chosen one.
    """
    reach = float(np.abs(kernels).max())
    low, high = _limits(maps)
    tiles = "".join(
        f'<button type="button" data-pick="{_pick(filter=k)}" '
        f'aria-pressed="{str(k == filter).lower()}" aria-label="Filter {k}">'
        f'<img class="kernel" src="{_png(_shade(kernels[:, :, 0, k], -reach, reach))}" alt="">'
        f'<img src="{_png(_shade(maps[:, :, k], low, high))}" alt=""><span>{k}</span></button>'
        for k in range(kernels.shape[-1])
    )
    return (
        f'<div class="kz-kernels"><div class="tiles" role="group" aria-label="Filters of conv_1_1">{tiles}</div>'
        f"{_ramp(-reach, reach, f'{-reach:.2f}', f'{reach:.2f} (weight, no unit)')}</div>"
    )


def step_html(image, maps, step: Step, filter: int, row: int, column: int) -> str:
    """One output pixel: the window on the input, nine products, their sum, and the place in the map.

    Args:
        image: (28, 28).
        maps: output of relu_1_1, (26, 26, filters).
        step: the arithmetic.
        filter: which map.
        row: of the output pixel.
        column: of the output pixel.
    """
    low, high = _limits(maps)
    reach = max(float(np.abs(step.kernel).max()), 1e-6)
    products = step.patch * step.kernel
    normed = step.scale * step.total + step.shift
    outcome = f"stays {normed:.2f}" if normed > 0 else f"{normed:.2f} becomes 0"
    return f"""
<div class="kz-step">
  <figure><svg viewBox="0 0 28 28" class="pick" data-offset="1" data-limit="{FILTERED}" role="img" tabindex="0"
    aria-label="Input. The window is at row {row}, column {column}. Arrow keys move it.">
    <image href="{_png(_grey(image))}" width="28" height="28"/>
    <rect x="{column}" y="{row}" width="3" height="3" class="window"/></svg>
    <figcaption>input, 28 x 28: click to move the window</figcaption></figure>
  <div class="sum">
    <div class="three">{_table(step.patch, "patch", _grey(step.patch))}<span>&times;</span>
    {_table(step.kernel, f"filter {filter}", _shade(step.kernel, -reach, reach))}<span>=</span>
    {_table(products, "products", _shade(products, -reach, reach))}</div>
    <ol>
      <li><span>sum of the nine products</span><b>{step.total:.3f}</b></li>
      <li><span>norm: {step.scale:.3f} x sum {"+" if step.shift >= 0 else "&minus;"} {abs(step.shift):.3f}</span><b>{normed:.3f}</b></li>
      <li><span>relu: {outcome}</span><b class="value">{step.value:.3f}</b></li>
    </ol>
  </div>
  <figure><svg viewBox="0 0 26 26" class="pick" data-offset="0" data-limit="{FILTERED}" role="img" tabindex="0"
    aria-label="Map {filter} of relu_1_1. The pixel is at row {row}, column {column}. Arrow keys move it.">
    <image href="{_png(_shade(maps[:, :, filter], low, high))}" width="26" height="26"/>
    <rect x="{column}" y="{row}" width="1" height="1" class="window"/></svg>
    <figcaption>map {filter} of relu_1_1, 26 x 26</figcaption></figure>
</div>
<p class="kz-caption">Row {row}, column {column}: the filter lies on 3 x 3 pixels, each is multiplied by the weight on
it, and the products add up to one number of the map. This network's convolutions have no bias of their own: the norm
layer after them shifts instead ({step.shift:.3f}).</p>
"""


def attribution_html(image, gradient, cam, target: int, share: float, field: int) -> str:
    """Input gradient and Grad-CAM over the drawing.

    Args:
        image: (28, 28).
        gradient: (28, 28), of the class's logit.
        cam: (28, 28), at least 0, any scale.
        target: the class.
        share: its probability.
        field: width of what one cell of the map sees, in pixels.
    """
    outline = f'<path d="{_outline(image)}" class="outline"/>'
    low, high = -float(np.abs(gradient).max() or 1), float(np.abs(gradient).max() or 1)
    peak = float(cam.max())
    heat = _shade(cam / (peak or 1), 0, 1)
    name = CLASSES[target]
    where = (
        f"Weighted by what they add to the score of {name}, the last maps ({CAM_LAYER}, 8 x 8 cells) light up where "
        f"they found it. A cell sees {field} x {field} pixels and is laid on the middle of them."
        if peak
        else f"No place in the last maps speaks for {name}."
    )
    return f"""
<div class="kz-where">
  <figure><h3>Input gradient (saliency)</h3>
    <svg viewBox="0 0 28 28" role="img" aria-label="Gradient of the score of {name} with respect to each pixel">
    <image href="{_png(_shade(gradient, low, high))}" width="28" height="28"/>{outline}</svg>
    {_ramp(low, high, f"{low:.1f} against {name}", f"for {name} {high:+.1f}")}
    <figcaption class="kz-caption">How the score of {name} (its logit) would change if a pixel got a little more ink:
    orange raises it, purple lowers it.</figcaption></figure>
  <figure><h3>Grad-CAM</h3>
    <svg viewBox="0 0 28 28" role="img" aria-label="Grad-CAM of the class {name}">
    <image href="{_png(heat)}" width="28" height="28"/>{outline}</svg>
    {_ramp(0, 1, "0", "most")}
    <figcaption class="kz-caption">{where}</figcaption></figure>
</div>
<p class="kz-caption">Class {name} has {100 * share:.1f} %. The line is the outline of your drawing.</p>
"""


def examples_html() -> str:
    """A button an example, each a small drawing of it."""
    tiles = ""
    for name, strokes in EXAMPLES.items():
        lines = "".join(
            f'<polyline points="{" ".join(f"{100 * x:.0f},{100 * y:.0f}" for x, y in stroke)}"/>' for stroke in strokes
        )
        tiles += (
            f'<button type="button" data-pick="{_pick(name=name)}" aria-label="Example: {name}">'
            f'<svg viewBox="0 0 100 100" aria-hidden="true">{lines}</svg></button>'
        )
    return f'<div class="kz-examples" role="group" aria-label="Examples">{tiles}</div>'


def code(image, layer: str, filter: int, row: int, column: int, target: int) -> str:
    """The lines that reproduce what is on screen; they run as pasted."""
    levels = np.rint(np.asarray(image) * INK_LEVELS).astype(int)
    rows = "\n".join("".join("." if level == 0 else f"{level:x}" for level in line) for line in levels)
    return f'''import numpy as np

import kzoo  # before keras: it chooses the backend

import keras
from kzoo import plots

# The drawing as the network sees it: ink from 0 (a dot) to f.
ROWS = """
{rows}
"""
image = np.array([[int(ink.replace(".", "0"), 16) for ink in row] for row in ROWS.split()], "float32") / 15
x = image[None, :, :, None]  # (b, h, w, c)

model = kzoo.from_preset("cnn_mnist")

# The answer
probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(model(x, training=False)))[0]
print("answer:", probabilities.argmax(), "with", probabilities.max())

# Layer by layer: every map by its layer's name
activations = model.activations(x)
maps = activations["{layer}"][0]
print("{layer}:", maps.shape, "from", maps.min(), "to", maps.max())
figure = plots.feature_maps({{"{layer}": maps}}, image=image)  # figure.savefig("maps.png")

# One pixel of the first convolution: patch x kernel, then the norm layer, then relu
filter, row, column = {filter}, {row}, {column}
kernel = keras.ops.convert_to_numpy(model.get_layer("conv_1_1").kernel)[:, :, 0, filter]
total = (image[row : row + 3, column : column + 3] * kernel).sum()
norm = model.get_layer("norm_1_1")
gamma, beta, mean, variance = (
    keras.ops.convert_to_numpy(weight)[filter]
    for weight in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
)
value = max(0, gamma * (total - mean) / np.sqrt(variance + norm.epsilon) + beta)
print("sum", total, "value", value, "of the model:", activations["relu_1_1"][0, row, column, filter])

# Where it looks, for the class {target}: the gradient of its score with respect to the input ...
target = {target}
pixels = keras.Variable(x)
_, (gradient,) = kzoo.backend.value_and_grad(lambda: model(pixels.value, training=False)[0, target], [pixels])
saliency = keras.ops.convert_to_numpy(gradient)[0, :, :, 0]

# ... and Grad-CAM: the last maps, weighted by the mean of their gradients
head = keras.Model(model.get_layer("{CAM_LAYER}").output, model.output)
last = activations["{CAM_LAYER}"]
places = keras.Variable(last)
_, (gradient,) = kzoo.backend.value_and_grad(lambda: head(places.value, training=False)[0, target], [places])
cam = np.maximum(last[0] @ keras.ops.convert_to_numpy(gradient)[0].mean(axis=(0, 1)), 0)
print("Grad-CAM, row by row:", cam.max(axis=1))
'''


# --- the page ------------------------------------------------------------------------------------------------------

# What is clicked or moved with the arrows inside a component's markup, told to Python as the event "pick".
_PICK = r"""
let sent = 0, waiting = null;
const cell = {};
function tell(what, soon) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { sent = performance.now(); trigger('pick', what); },
    soon ? Math.max(0, 80 - (performance.now() - sent)) : 0);
}
function move(picture, event) {
  const box = picture.getBoundingClientRect(), limit = Number(picture.dataset.limit);
  const side = picture.viewBox.baseVal.width, offset = Number(picture.dataset.offset);
  const place = value => Math.min(limit - 1, Math.max(0, Math.floor(value * side) - offset));
  tell({ row: place((event.clientY - box.top) / box.height), column: place((event.clientX - box.left) / box.width) }, true);
}
element.addEventListener('click', event => {
  const found = event.target.closest('[data-pick]');
  if (found) tell(JSON.parse(found.dataset.pick));
});
element.addEventListener('pointerdown', event => {
  const picture = event.target.closest('svg.pick');
  if (picture) move(picture, event);
});
element.addEventListener('pointermove', event => {
  const picture = event.target.closest('svg.pick');
  if (picture && event.buttons & 1) move(picture, event);
});
element.addEventListener('keydown', event => {
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const picture = event.target.closest('svg.pick');
  if (!picture || !moves[event.key]) return;
  event.preventDefault();
  const window = picture.querySelector('.window'), limit = Number(picture.dataset.limit);
  const step = (name, by) => Math.min(limit - 1, Math.max(0, Number(window.getAttribute(name)) + by));
  const to = { row: step('y', moves[event.key][0]), column: step('x', moves[event.key][1]) };
  window.setAttribute('y', to.row); window.setAttribute('x', to.column);
  tell(to, true);
});
"""

_STYLE = """<style>
.kz-cnn { gap: 22px !important; align-items: flex-start; }
.kz-cnn h2 { font-size: 1rem; font-weight: 650; margin: 0 0 6px; }
.kz-answer .says { font-size: 1.5rem; line-height: 1.1; margin: 0; }
.kz-answer .says strong { font-size: 2.6rem; font-weight: 750; }
.kz-answer .sure { margin: 2px 0 10px; color: var(--body-text-color-subdued); }
.kz-answer ol { list-style: none; margin: 0; padding: 0; }
.kz-answer li { display: grid; grid-template-columns: 2.2em 1fr 4em; gap: 8px; align-items: center; height: 27px; margin: 0; }
.kz-answer .name { text-align: right; font-variant-numeric: tabular-nums; }
.kz-answer .track { height: 16px; border-radius: 4px; background: var(--background-fill-secondary);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); overflow: hidden; }
.kz-answer .bar { display: block; height: 100%; background: #767676; transition: width .12s; }
.kz-answer .share { text-align: right; font-variant-numeric: tabular-nums; color: var(--body-text-color-subdued); }
.kz-answer .best .name, .kz-answer .best .share { font-weight: 750; color: var(--body-text-color); }
.kz-answer .best .bar { background: repeating-linear-gradient(135deg, #0072B2 0 8px, #2a8fc7 8px 12px); }
.kz-input svg { display: block; width: 100%; max-width: 320px; margin: 0 auto; border-radius: 12px; background: #000; }
.kz-cnn svg image, .kz-maps image, .kz-step image, .kz-where image { image-rendering: pixelated; }
.kz-input .box { fill: none; stroke: #E69F00; stroke-width: .16; stroke-dasharray: .7 .5; }
.kz-input .centre { stroke: #E69F00; stroke-width: .25; }
.kz-examples { display: flex; flex-wrap: wrap; gap: 8px; }
.kz-examples button { width: 52px; height: 52px; padding: 2px; border-radius: 8px; background: #0b0d12; cursor: pointer;
  border: 1px solid #5b6472; }
.kz-examples button:hover { border-color: #56B4E9; }
.kz-examples polyline { fill: none; stroke: #fff; stroke-width: 9; stroke-linecap: round; stroke-linejoin: round; }
.kz-overview { display: flex; align-items: center; gap: 6px; overflow-x: auto; padding: 6px 4px 10px; }
.kz-overview .stage { display: flex; flex-direction: column; align-items: center; gap: 4px; flex: 1 0 74px; padding: 8px 4px;
  border: 1px solid transparent; border-radius: 10px; background: none; font: inherit; color: inherit; }
.kz-overview button.stage { cursor: pointer; border-color: var(--border-color-primary); }
.kz-overview button.stage:hover { border-color: #0072B2; }
.kz-overview button.stage[aria-pressed="true"] { border: 3px solid #0072B2; padding: 6px 2px; }
.kz-overview img { width: 48px; height: 48px; image-rendering: pixelated; border-radius: 3px; margin: 0; }
.kz-overview img.tall { height: 204px; }
.kz-overview strong { font-size: 3rem; line-height: 1.1; }
.kz-overview .name { font-size: .82rem; font-weight: 600; }
.kz-overview .size { font-size: .75rem; color: var(--body-text-color-subdued); white-space: nowrap; }
.kz-overview .arrow { color: var(--body-text-color-subdued); }
.kz-maps svg { display: block; width: 100%; max-height: 520px; margin: 8px 0; }
.kz-maps rect { fill: transparent; }
.kz-maps rect:hover { stroke: #E69F00; stroke-width: .6; }
.kz-maps text { font-size: .22px; text-anchor: middle; fill: #000; pointer-events: none; }
.kz-maps text.light { fill: #fff; }
.ramp { display: flex; align-items: center; gap: 8px; font-size: .8rem; color: var(--body-text-color-subdued); }
.ramp img { width: 120px; height: 10px; border-radius: 3px; margin: 0; }
.kz-kernels .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(58px, 1fr)); gap: 6px; margin-bottom: 8px; }
.kz-kernels button { display: flex; flex-direction: column; align-items: center; gap: 3px; padding: 5px 2px; cursor: pointer;
  border: 1px solid var(--border-color-primary); border-radius: 8px; background: none; font: inherit; color: inherit; }
.kz-kernels button:hover { border-color: #0072B2; }
.kz-kernels button[aria-pressed="true"] { border: 3px solid #0072B2; padding: 3px 0; font-weight: 750; }
.kz-kernels button img { width: 42px; height: 42px; image-rendering: pixelated; border-radius: 3px; margin: 0; }
.kz-kernels button img.kernel { width: 30px; height: 30px; }
.kz-kernels button span { font-size: .78rem; }
.kz-step { display: flex; flex-wrap: wrap; gap: 20px; align-items: center; justify-content: space-between; margin: 8px 0; }
.kz-step figure { margin: 0; flex: 1 1 220px; max-width: 300px; }
.kz-step figure svg { display: block; width: 100%; border-radius: 6px; cursor: crosshair; touch-action: none; }
.kz-step figcaption { font-size: .82rem; color: var(--body-text-color-subdued); text-align: center; margin-top: 4px; }
.kz-step .window { fill: none; stroke: #E69F00; stroke-width: .5; }
.kz-step .sum { flex: 2 1 320px; }
.kz-step .three { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 8px; }
.kz-step .three span { font-size: 1.3rem; }
.kz-step table.nine { border-collapse: collapse; width: auto; margin: 0; font-variant-numeric: tabular-nums; }
.kz-step table.nine caption { font-size: .82rem; caption-side: top; padding-bottom: 3px; color: var(--body-text-color-subdued); }
.kz-step table.nine td { width: 42px; height: 36px; text-align: center; font-size: .78rem; padding: 0;
  border: 1px solid var(--border-color-primary); }
.kz-step ol { list-style: none; margin: 14px auto 0; padding: 0; max-width: 420px; }
.kz-step li { display: flex; justify-content: space-between; gap: 12px; margin: 0; padding: 4px 2px;
  border-bottom: 1px solid var(--border-color-primary); font-variant-numeric: tabular-nums; }
.kz-step .value { font-size: 1.15rem; }
.kz-where { display: flex; flex-wrap: wrap; gap: 28px; margin: 8px 0; }
.kz-where figure { margin: 0; flex: 1 1 260px; max-width: 380px; }
.kz-where h3 { font-size: .95rem; font-weight: 650; margin: 0 0 6px; }
.kz-where svg { display: block; width: 100%; border-radius: 8px; margin-bottom: 6px; }
.kz-where .outline { fill: none; stroke: #000; stroke-width: .22; stroke-linecap: square; }
.kz-where figure + figure .outline { stroke: #fff; }
@media (max-width: 640px) {
  .kz-cnn > .kz-sees { order: 3; }
  .kz-overview .stage { flex-basis: 64px; }
}
</style>"""

NOTE = "An example; your first stroke starts a new drawing."


def _model():
    return kit.preset(PRESETS[0])


def _pixels(drawing) -> np.ndarray:
    """The pixels of what a page or an API client sent as a drawing."""
    try:
        return pad.decode("" if drawing is None else drawing)
    except ValueError as error:
        raise kit.refuse(str(error)) from None


@kit.in_float32
def classify(drawing: str):
    """The answer for a drawing and the network's input, as markup."""
    prepared = prepare(_pixels(drawing))
    if not prepared.image.any():
        return answer_html(), input_html(prepared)
    return answer_html(softmax(activations(_model(), prepared.image)["logits"])), input_html(prepared)


class Settings(NamedTuple):
    """What a visitor chose, checked."""

    image: np.ndarray
    layer: str
    filter: int
    row: int
    column: int
    target: str


def _settings(drawing, layer, filter, row, column, target, event=None) -> Settings:
    """The state of the page, with what a click chose in place of the state's own.

    Raises:
        gr.Error: if a value is not allowed.
    """
    values = {"layer": layer, "filter": filter, "row": row, "column": column}
    clicked = getattr(event, "_data", None)
    if isinstance(clicked, dict):
        values.update({name: clicked[name] for name in values if name in clicked})
    return Settings(
        prepare(_pixels(drawing)).image,
        kit.check_choice("Layer", values["layer"], LAYERS),
        kit.check_number("Filter", values["filter"], 0, FILTERS - 1, whole=True),
        kit.check_number("Row", values["row"], 0, FILTERED - 1, whole=True),
        kit.check_number("Column", values["column"], 0, FILTERED - 1, whole=True),
        kit.check_choice("Class", target, ("answer", *CLASSES)),
    )


def _class(settings, found) -> int:
    return int(np.argmax(found["logits"])) if settings.target == "answer" else int(settings.target)


def _code(settings, found) -> str:
    return code(*settings[:-1], _class(settings, found))


def _layers(settings, found):
    return overview_html(settings.image, found, settings.layer), maps_html(settings.layer, found[settings.layer])


def _filters(settings, found):
    import keras

    model, maps = _model(), found["relu_1_1"]
    place = settings.filter, settings.row, settings.column
    kernels = keras.ops.convert_to_numpy(model.get_layer("conv_1_1").kernel)
    return (
        kernels_html(kernels, maps, settings.filter),
        step_html(settings.image, maps, one_step(model, settings.image, *place), *place),
    )


def _attribution(settings, found):
    model, target = _model(), _class(settings, found)
    first, step, field = sight(model, CAM_LAYER)
    cam = spread(grad_cam(model, found[CAM_LAYER], target), first, step)
    gradient = saliency(model, settings.image, target)
    return attribution_html(settings.image, gradient, cam, target, softmax(found["logits"])[target], field)


@kit.in_float32
def explain(drawing: str, layer: str, filter: float, row: float, column: float, target: str):
    """Everything beneath the answer, as markup: overview, maps, filters, one pixel's sum, attribution; and the code."""
    settings = _settings(drawing, layer, filter, row, column, target)
    found = activations(_model(), settings.image)
    return (
        *_layers(settings, found),
        *_filters(settings, found),
        _attribution(settings, found),
        _code(settings, found),
    )


@kit.in_float32
def show_layer(drawing, layer, filter, row, column, target, event: gr.EventData):
    """The layer that was chosen in the list or clicked in the overview."""
    settings = _settings(drawing, layer, filter, row, column, target, event)
    found = activations(_model(), settings.image)
    return settings.layer, *_layers(settings, found), _code(settings, found)


@kit.in_float32
def show_filter(drawing, layer, filter, row, column, target, event: gr.EventData):
    """The filter or the pixel that was chosen by a slider, a click, or the arrows."""
    settings = _settings(drawing, layer, filter, row, column, target, event)
    found = activations(_model(), settings.image)
    return settings.filter, settings.row, settings.column, *_filters(settings, found), _code(settings, found)


@kit.in_float32
def show_class(drawing, layer, filter, row, column, target):
    """The class that is to be explained."""
    settings = _settings(drawing, layer, filter, row, column, target)
    found = activations(_model(), settings.image)
    return _attribution(settings, found), _code(settings, found)


def choose_example(event: gr.EventData):
    """The drawing of the example that was clicked, and a note."""
    name = kit.check_choice("Example", event._data.get("name") if isinstance(event._data, dict) else None, EXAMPLES)
    if name in CLASSES:
        return example(name), kit.caption_html(NOTE)
    return example(name), kit.caption_html(
        f"This is {name}: a network that knows ten digits and nothing else must name one."
    )


@kit.in_float32
def upload(path):
    """A visitor's picture on the pad, and a note on what was done to it."""
    if path is None:
        return gr.skip(), gr.skip()
    try:
        drawing, note = read_picture(path)
    except ValueError as error:
        raise kit.refuse(str(error)) from None
    return pad.encode(drawing), kit.caption_html(note)


def take_home() -> str:
    """The path of the model as a `.keras` file."""
    return kit.download(_model(), PRESETS[0])


def build() -> gr.Blocks:
    """The page."""
    start = example(FIRST)
    first = _settings(start, "relu_1_2", 0, 9, 12, "answer")
    answer, seen = classify(start)
    found = activations(_model(), first.image)
    overview, maps = _layers(first, found)
    kernels, step = _filters(first, found)
    with kit.blocks(TITLE) as demo:
        gr.HTML(_STYLE)
        kit.heading(
            "Draw a digit, watch a network read it",
            "A small convolutional network, trained on the 60,000 handwritten digits of MNIST; it runs here, on "
            f"{kzoo.backend.name()}.",
        )
        with gr.Row(elem_classes="kz-cnn"):
            with gr.Column(min_width=280, elem_classes="kz-draws"):
                gr.HTML("<h2>1. You draw</h2>")
                drawing = pad.build_pad(start, label="Drawing pad")
                note = kit.caption(NOTE)
            with gr.Column(min_width=280, elem_classes="kz-sees"):
                gr.HTML("<h2>2. The network sees</h2>")
                sees = gr.HTML(seen)
                kit.caption(
                    "28 x 28 pixels, made as MNIST was: cropped to the ink, scaled to fit 20 x 20 (dashed), its "
                    "centre of mass moved to the middle (cross). Where and how large you draw does not matter."
                )
            with gr.Column(min_width=280, elem_classes="kz-says"):
                gr.HTML("<h2>3. It answers</h2>")
                says = gr.HTML(answer)
                kit.caption("Probability of each class, in %: the softmax of the network's scores.")
        with gr.Row(elem_classes="kz-more"):
            examples = gr.HTML(examples_html(), js_on_load=_PICK, scale=4, min_width=280)
            picture = gr.UploadButton(
                "Upload a picture of a digit", file_types=["image"], size="sm", scale=0, min_width=220
            )
        with gr.Tabs():
            with gr.Tab("Layer by layer"):
                kit.caption("Four maps of each stage on the way to the answer; bright is strong. Click a stage.")
                ways = gr.HTML(overview, js_on_load=_PICK)
                layer = gr.Dropdown(list(LAYERS), value=first.layer, label="Layer", info="in the order of computation")
                all_maps = gr.HTML(maps)
            with gr.Tab("One filter, one pixel"):
                summed = gr.HTML(step, js_on_load=_PICK)
                with gr.Row():
                    filter = gr.Slider(0, FILTERS - 1, value=first.filter, step=1, label="Filter", info="its number")
                    row = gr.Slider(0, FILTERED - 1, value=first.row, step=1, label="Row", info="in pixels")
                    column = gr.Slider(0, FILTERED - 1, value=first.column, step=1, label="Column", info="in pixels")
                kit.caption(
                    f"The {FILTERS} filters of the first layer: their weights (orange adds, purple subtracts, white is "
                    "0), and beneath them what they find in your drawing. Click one."
                )
                tiles = gr.HTML(kernels, js_on_load=_PICK)
            with gr.Tab("Where it looks"):
                target = gr.Radio([("its answer", "answer"), *CLASSES], value=first.target, label="Explain the class")
                where = gr.HTML()
        panel = kit.code_panel(_code(first, found))
        controls = {"layer": layer, "filter": filter, "row": row, "column": column, "class": target}
        with gr.Row():
            kit.link_button({"drawing": drawing, **controls})
            kit.download_button("Download the model (.keras)", take_home, [])

        state = [drawing, *controls.values()]
        quick = {"show_progress": "hidden", "trigger_mode": "always_last"}
        drawing.change(classify, drawing, [says, sees], api_name="classify", **quick)
        details = [ways, all_maps, tiles, summed, where, panel]
        drawing.settled(explain, state, details, api_name="explain", **quick)
        drawing.own(None, None, note, js="() => ''", **kit.PRIVATE)
        for listen in (layer.input, ways.pick):
            listen(show_layer, state, [layer, ways, all_maps, panel], **quick, **kit.PRIVATE)
        for listen in (filter.input, row.input, column.input, tiles.pick, summed.pick):
            listen(show_filter, state, [filter, row, column, tiles, summed, panel], **quick, **kit.PRIVATE)
        target.input(show_class, state, [where, panel], **quick, **kit.PRIVATE)
        examples.pick(choose_example, None, [drawing, note], **quick, **kit.PRIVATE)
        picture.upload(upload, picture, [drawing, note], api_name="upload", show_progress="minimal")

        def restore(request: gr.Request):
            good = kit.restore(controls, request)
            values = [good.get(name, gr.skip()) for name in controls]
            text = request.query_params.get("drawing") if request is not None else None
            try:
                pad.decode(text or "")
            except ValueError:
                text = None
                gr.Info("The link's value of 'drawing' is not allowed here and was left out.")
            return text or gr.skip(), "" if text else gr.skip(), *values

        demo.load(restore, None, [drawing, note, *controls.values()], **kit.PRIVATE).then(
            explain, state, details, **quick, **kit.PRIVATE
        )
    # The gradients are compiled while the visitor looks at the answer.
    threading.Thread(target=kit.in_float32(_attribution), args=(first, found), daemon=True).start()
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
