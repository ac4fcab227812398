"""The pictures of the CNN's page as HTML: what the model computed goes in as arrays, markup comes out."""

import functools
import html

import numpy as np
from digits import CLASSES, EXAMPLES, Prepared
from pictures import DRAGGED, grey, pick, png

# The stages of the overview, and the four maps that stand for each of them.
STAGES = ("relu_1_1", "relu_1_2", "pool_1", "relu_2_1", "relu_2_2", "pool_2", "relu_dense")


# --- pixels and colours --------------------------------------------------------------------------------------------


@functools.cache
def _colours(name: str) -> np.ndarray:
    """256 colours of a colour map, (256, 3) bytes."""
    import matplotlib

    return np.uint8(np.rint(255 * matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3]))


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
    colours = png(_shade(np.linspace(low, high, 64)[None], low, high))
    return (
        f'<div class="ramp"><span>{html.escape(left)}</span><img src="{colours}" alt="">'
        f"<span>{html.escape(right)}</span></div>"
    )


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
            sure = "Sure of itself"
        head = (
            f'<p class="says" role="status">It says <strong>{CLASSES[best]}</strong></p>'
            f'<p class="sure">{html.escape(sure)}</p>'
        )
    rows = "".join(
        f'<li class="{"best" if k == best else ""}" aria-label="{name}: {100 * value:.1f} percent">'
        f'<span class="name">{"▶ " if k == best else ""}{name}</span>'
        f'<span class="track"><span class="bar" style="width:{100 * value:.1f}%"></span></span>'
        f'<span class="share">{"&ndash;" if best is None else f"{100 * value:.1f} %"}</span></li>'
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
        f'28 by 28 pixels"><image href="{png(grey(prepared.image))}" width="28" height="28"/>{box}{mark}</svg></div>'
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
        f'<div class="stage"><img src="{png(grey(image))}" alt=""><span class="name">input</span>'
        f'<span class="size">28 x 28</span></div>'
    ]
    for name in STAGES:
        values = found[name]
        if values.ndim == 3:
            # Four maps at even distances: always the same ones, so that drawings can be compared.
            four = values[:, :, :: values.shape[-1] // 4][:, :, :4]
            pictures = "".join(f'<img src="{png(_shade(four[:, :, k], *_limits(values)))}" alt="">' for k in range(4))
            size = " x ".join(map(str, values.shape))
        else:
            pictures = f'<img class="tall" src="{png(_shade(values.reshape(-1, 4), *_limits(values)))}" alt="">'
            size = f"{values.size} units"
        parts.append(
            f'<button type="button" class="stage" {pick(layer=name)} '
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
    "norm_dense": "each unit is shifted and scaled to about the same spread (batch normalisation)",
    "relu_dense": "what was negative becomes 0; each unit that is left speaks for some of the classes",
    "logits": "one score a class: the largest wins, softmax makes probabilities of them",
}


def describe(layer: str, shape) -> str:
    """A sentence on what a layer does and the size of what comes out."""
    if len(shape) == 3:
        return f"{layer}: {shape[2]} maps of {shape[0]} x {shape[1]}; {ROLES[layer.split('_')[0]]}."
    return f"{layer}: {shape[0]} units; {ROLES.get(layer) or ROLES[layer.split('_')[0]]}."


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
            f'height="{height}"><title>map {k}: {one.min():.2f} to {one.max():.2f}</title></rect>'
            for k, one in enumerate(np.moveaxis(values, -1, 0))
        )
        shown = f"all {count} maps, map 0 top left"
    else:
        columns = {10: 10, 128: 32}.get(values.size, 64)
        picture = _mosaic(values.reshape(1, 1, -1), columns, 0)
        titles = "".join(
            f'<rect x="{k % columns}" y="{k // columns}" width="1" height="1">'
            f"<title>unit {k}: {value:.2f}</title></rect>"
            for k, value in enumerate(values)
        )
        if values.size == len(CLASSES):
            titles += "".join(
                f'<text x="{k + 0.5}" y="0.58" class="{"light" if abs(value) > 0.6 * high else ""}">'
                f"{CLASSES[k]}: {value:.1f}</text>"
                for k, value in enumerate(values)
            )
        shown = f"all {values.size} units"
    high_p, width_p = picture.shape[:2]
    left = f"{low:.2f}" if low < 0 else "0"
    return (
        f'<div class="kz-maps"><p class="kz-caption">{html.escape(describe(layer, values.shape))}</p>'
        f'<svg viewBox="0 0 {width_p} {high_p}" role="img" aria-label="{html.escape(layer)}: {shown}">'
        f'<image href="{png(picture)}" width="{width_p}" height="{high_p}"/>{titles}</svg>'
        f"{_ramp(low, high, left, f'{high:.2f} (activation, no unit)')}</div>"
    )


def _table(values, kind: str, shades) -> str:
    """Nine numbers in a square, each on its colour."""

    def cell(value, shade):
        ink = "#fff" if shade @ np.array([0.3, 0.6, 0.1]) < 140 else "#000"
        return f'<td style="background:rgb({",".join(map(str, shade))});color:{ink}">{value:.2f}</td>'

    rows = "".join(f"<tr>{''.join(map(cell, line, shade))}</tr>" for line, shade in zip(values, shades, strict=True))
    return f'<table class="nine"><caption>{kind}</caption><tbody>{rows}</tbody></table>'


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
        f'<button type="button" {pick(filter=k)} '
        f'aria-pressed="{str(k == filter).lower()}" aria-label="Filter {k}">'
        f'<img class="kernel" src="{png(_shade(kernels[:, :, 0, k], -reach, reach))}" alt="">'
        f'<img src="{png(_shade(maps[:, :, k], low, high))}" alt=""><span>{k}</span></button>'
        for k in range(kernels.shape[-1])
    )
    return (
        f'<div class="kz-kernels"><div class="tiles" role="group" aria-label="Filters of conv_1_1">{tiles}</div>'
        f"{_ramp(-reach, reach, f'{-reach:.2f}', f'{reach:.2f} (weight, no unit)')}</div>"
    )


def step_html(image, maps, step, filter: int, row: int, column: int) -> str:
    """One output pixel: the window on the input, nine products, their sum, and the place in the map.

    Args:
        image: (28, 28).
        maps: output of relu_1_1, (26, 26, filters).
        step: the arithmetic, with patch, kernel, total, scale, shift and value.
        filter: which map.
        row: of the output pixel.
        column: of the output pixel.
    """
    low, high = _limits(maps)
    reach = max(float(np.abs(step.kernel).max()), 1e-6)
    products = np.round(step.patch * step.kernel, 2) + 0.0  # no -0.00
    normed = step.scale * step.total + step.shift
    outcome = f"stays {normed:.2f}" if normed > 0 else f"{normed:.2f} becomes 0"
    shift = f"{'+' if step.shift >= 0 else '&minus;'} {abs(step.shift):.3f}"
    return f"""
<div class="kz-step">
  <figure><svg viewBox="0 0 28 28" class="pick" data-offset="1" data-limit="{len(maps)}" role="img" tabindex="0"
    aria-label="Input. The window is at row {row}, column {column}. Arrow keys move it.">
    <image href="{png(grey(image))}" width="28" height="28"/>
    <rect x="{column}" y="{row}" width="3" height="3" class="window"/></svg>
    <figcaption>input, 28 x 28: click to move the window</figcaption></figure>
  <div class="sum">
    <div class="three">{_table(step.patch, "patch", grey(step.patch))}<span>&times;</span>
    {_table(step.kernel, f"filter {filter}", _shade(step.kernel, -reach, reach))}<span>=</span>
    {_table(products, "products", _shade(products, -reach, reach))}</div>
    <ol>
      <li><span>sum of the nine products</span><b>{step.total:.3f}</b></li>
      <li><span>norm: {step.scale:.3f} &times; sum {shift}</span><b>{normed:.3f}</b></li>
      <li><span>relu: {outcome}</span><b class="value">{step.value:.3f}</b></li>
    </ol>
  </div>
  <figure><svg viewBox="0 0 26 26" class="pick" data-offset="0" data-limit="{len(maps)}" role="img" tabindex="0"
    aria-label="Map {filter} of relu_1_1. The pixel is at row {row}, column {column}. Arrow keys move it.">
    <image href="{png(_shade(maps[:, :, filter], low, high))}" width="26" height="26"/>
    <rect x="{column}" y="{row}" width="1" height="1" class="window"/></svg>
    <figcaption>map {filter} of relu_1_1, 26 x 26</figcaption></figure>
</div>
<p class="kz-caption">Row {row}, column {column}: the filter lies on 3 x 3 pixels, each is multiplied by the weight on
it, and the products add up to one number of the map. This network's convolutions have no bias of their own: the norm
layer after them shifts instead ({step.shift:.3f}).</p>
"""


def attribution_html(image, gradient, cam, target: int, share: float, layer: str, field: int) -> str:
    """Input gradient and Grad-CAM over the drawing.

    Args:
        image: (28, 28).
        gradient: (28, 28), of the class's logit.
        cam: (28, 28), at least 0, any scale.
        target: the class.
        share: its probability.
        layer: whose maps those of Grad-CAM are.
        field: width of what one cell of the map sees, in pixels.
    """
    outline = f'<path d="{_outline(image)}" class="outline"/>'
    low, high = -float(np.abs(gradient).max() or 1), float(np.abs(gradient).max() or 1)
    peak = float(cam.max())
    heat = _shade(cam / (peak or 1), 0, 1)
    name = CLASSES[target]
    closing = (
        f"Class {name} has {100 * share:.1f} %. The line is the outline of your drawing."
        if np.any(image)
        else f"Nothing is drawn: this is what the network makes of empty paper, its class {name}."
    )
    where = (
        f"Weighted by what they add to the score of {name}, the last maps ({layer}, 8 x 8 cells) light up where "
        f"they found it. A cell sees {field} x {field} pixels and is laid on the middle of them, fading to their edge."
        if peak
        else f"No place in the last maps speaks for {name}."
    )
    return f"""
<div class="kz-where">
  <figure><h3>Input gradient (saliency)</h3>
    <svg viewBox="0 0 28 28" role="img" aria-label="Gradient of the score of {name} with respect to each pixel">
    <image href="{png(_shade(gradient, low, high))}" width="28" height="28"/>{outline}</svg>
    {_ramp(low, high, f"{low:.1f} against {name}", f"for {name} {high:+.1f}")}
    <figcaption class="kz-caption">How the score of {name} (its logit) would change if a pixel got a little more ink:
    orange raises it, purple lowers it.</figcaption></figure>
  <figure><h3>Grad-CAM</h3>
    <svg viewBox="0 0 28 28" role="img" aria-label="Grad-CAM of the class {name}">
    <image href="{png(heat)}" width="28" height="28"/>{outline}</svg>
    {_ramp(0, 1, "0", "most")}
    <figcaption class="kz-caption">{where}</figcaption></figure>
</div>
<p class="kz-caption">{closing}</p>
"""


def examples_html() -> str:
    """A button an example, each a small drawing of it."""
    tiles = ""
    for name, strokes in EXAMPLES.items():
        lines = "".join(
            f'<polyline points="{" ".join(f"{100 * x:.0f},{100 * y:.0f}" for x, y in stroke)}"/>' for stroke in strokes
        )
        tiles += (
            f'<button type="button" {pick(name=name)} aria-label="Example: {name}">'
            f'<svg viewBox="0 0 100 100" aria-hidden="true">{lines}</svg></button>'
        )
    return f'<div class="kz-examples" role="group" aria-label="Examples"><span>Or try</span>{tiles}</div>'


# --- script and looks ----------------------------------------------------------------------------------------------

# What is clicked or moved with the arrows inside a component's markup, told to Python as the event "pick".
PICK = (
    DRAGGED
    + r"""
function move(picture, event) {
  const box = picture.getBoundingClientRect(), limit = Number(picture.dataset.limit);
  const side = picture.viewBox.baseVal.width, offset = Number(picture.dataset.offset);
  const place = value => Math.min(limit - 1, Math.max(0, Math.floor(value * side) - offset));
  const down = (event.clientY - box.top) / box.height, along = (event.clientX - box.left) / box.width;
  tell({ row: place(down), column: place(along) });
}
element.addEventListener('click', event => {
  const found = event.target.closest('[data-pick]');
  if (found) trigger('pick', JSON.parse(found.dataset.pick));
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
  tell(to);
});
"""
)

STYLE = """<style>
.gradio-container { --kz-quiet: color-mix(in srgb, var(--body-text-color) 72%, transparent); }
.kz-cnn { gap: 28px !important; align-items: flex-start; }
.kz-cnn > .column { gap: 8px !important; }
.kz-cnn h2 { font-size: 1.05rem; font-weight: 650; margin: 0; }
.kz-answer .says { font-size: 1.5rem; line-height: 1.1; margin: 0; }
.kz-answer .says strong { font-size: 2.6rem; font-weight: 750; }
.kz-answer .sure { margin: 2px 0 10px; color: var(--kz-quiet); }
.kz-answer ol { list-style: none; margin: 0; padding: 0; }
.kz-answer li { display: grid; grid-template-columns: 2.2em 1fr 4em; gap: 8px;
  align-items: center; height: 26px; margin: 0; }
.kz-answer .name { text-align: right; font-variant-numeric: tabular-nums; }
.kz-answer .track { height: 16px; border-radius: 4px; background: var(--background-fill-secondary);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); overflow: hidden; }
.kz-answer .bar { display: block; height: 100%; background: #767676; transition: width .12s; }
.kz-answer .share { text-align: right; font-variant-numeric: tabular-nums; color: var(--kz-quiet); }
.kz-answer .best .name, .kz-answer .best .share { font-weight: 750; color: var(--body-text-color); }
.kz-answer .best .bar { background: repeating-linear-gradient(135deg, #0072B2 0 8px, #2a8fc7 8px 12px); }
.kz-input svg { display: block; width: 100%; max-width: 340px; border-radius: 12px;
  background: #000; }
.kz-cnn svg image, .kz-maps image, .kz-step image, .kz-where image { image-rendering: pixelated; }
.kz-input .box { fill: none; stroke: #E69F00; stroke-width: .16; stroke-dasharray: .7 .5; }
.kz-input .centre { stroke: #E69F00; stroke-width: .25; }
.kz-more { align-items: center; }
.kz-more > .column { align-self: center; }
.kz-examples { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.kz-examples span { margin-right: 4px; color: var(--kz-quiet); }
.kz-examples button { width: 50px; height: 50px; padding: 2px; border-radius: 8px; cursor: pointer;
  background: #0b0d12 !important;
  border: 1px solid #5b6472; }
.kz-examples button:hover { border-color: #56B4E9; }
.kz-examples polyline { fill: none; stroke: #fff; stroke-width: 9; stroke-linecap: round; stroke-linejoin: round; }
.kz-overview { display: flex; align-items: center; gap: 6px; overflow-x: auto; padding: 6px 4px 10px; }
.kz-overview .stage { display: flex; flex-direction: column; align-items: center; gap: 4px; flex: 1 0 74px;
  padding: 8px 4px; border: 1px solid transparent; border-radius: 10px; background: none; font: inherit;
  color: inherit; }
.kz-overview button.stage { cursor: pointer; border-color: var(--border-color-primary); }
.kz-overview button.stage:hover { border-color: #0072B2; }
.kz-overview button.stage[aria-pressed="true"] { border: 3px solid #0072B2; padding: 6px 2px; }
.kz-overview img { width: 48px; height: 48px; image-rendering: pixelated; border-radius: 3px; margin: 0; }
.kz-overview img.tall { height: 204px; }
.kz-overview strong { font-size: 3rem; line-height: 1.1; }
.kz-overview .name { font-size: .82rem; font-weight: 600; }
.kz-overview .size { font-size: .75rem; color: var(--kz-quiet); white-space: nowrap; }
.kz-overview .arrow { color: var(--kz-quiet); }
.kz-maps svg { display: block; width: 100%; max-height: 520px; margin: 8px 0; }
.kz-maps rect { fill: transparent; }
.kz-maps rect:hover { stroke: #E69F00; stroke-width: .6; }
.kz-maps text { font-size: .22px; text-anchor: middle; fill: #000; pointer-events: none; }
.kz-maps text.light { fill: #fff; }
.ramp { display: flex; align-items: center; gap: 8px; font-size: .8rem; color: var(--kz-quiet); }
.ramp img { width: 120px; height: 10px; border-radius: 3px; margin: 0; }
.kz-kernels .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(62px, 1fr)); gap: 6px;
  margin-bottom: 8px; }
.kz-kernels button { display: flex; flex-direction: column; align-items: center; gap: 3px;
  padding: 5px 2px; cursor: pointer; border: 1px solid var(--border-color-primary); border-radius: 8px;
  background: none; font: inherit; color: inherit; }
.kz-kernels button:hover { border-color: #0072B2; }
.kz-kernels button[aria-pressed="true"] { border: 3px solid #0072B2; padding: 3px 0; font-weight: 750; }
.kz-kernels button img { width: 42px; height: 42px; image-rendering: pixelated; border-radius: 3px; margin: 0; }
.kz-kernels button img.kernel { width: 30px; height: 30px; }
.kz-kernels button span { font-size: .78rem; }
.kz-step { display: flex; flex-wrap: wrap; gap: 20px; align-items: center; justify-content: space-between;
  margin: 8px 0; }
.kz-step figure { margin: 0; flex: 1 1 220px; max-width: 300px; }
.kz-step figure svg { display: block; width: 100%; border-radius: 6px; cursor: crosshair; touch-action: none; }
.kz-step figcaption { font-size: .82rem; color: var(--kz-quiet); text-align: center; margin-top: 4px; }
.kz-step .window { fill: none; stroke: #E69F00; stroke-width: .5; }
.kz-step .sum { flex: 2 1 320px; }
.kz-step .three { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 8px; }
.kz-step .three span { font-size: 1.3rem; }
.kz-step table.nine { border-collapse: collapse; width: auto; margin: 0; font-variant-numeric: tabular-nums; }
.kz-step table.nine caption { font-size: .82rem; caption-side: top; padding-bottom: 3px;
  color: var(--kz-quiet); }
.kz-step table.nine td { width: 42px; height: 36px; text-align: center; font-size: .78rem; padding: 0;
  border: 1px solid var(--border-color-primary); }
.kz-step ol { list-style: none; margin: 14px auto 0; padding: 0; max-width: 420px; }
.kz-step li { display: flex; justify-content: space-between; gap: 12px; margin: 0; padding: 4px 2px;
  border-bottom: 1px solid var(--border-color-primary); font-variant-numeric: tabular-nums; }
.kz-step .value { font-size: 1.15rem; }
.kz-where { display: flex; flex-wrap: wrap; gap: 28px; margin: 8px 0; }
.kz-where figure { margin: 0; flex: 1 1 280px; max-width: 440px; }
.kz-where h3 { font-size: .95rem; font-weight: 650; margin: 0 0 6px; }
.kz-where svg { display: block; width: 100%; border-radius: 8px; margin-bottom: 6px; }
.kz-where .outline { fill: none; stroke: #000; stroke-width: .22; stroke-linecap: square; }
.kz-where figure + figure .outline { stroke: #fff; }
@media (max-width: 640px) {
  .kz-cnn > .kz-sees { order: 3; }
  .kz-overview .stage { flex-basis: 64px; }
}
</style>"""
