"""Drawings of the plane and of small networks as SVG: arrays in, text out.

SVG rather than pictures of pixels: sharp on every screen, light enough to be sent ten times a second, dark where the
page is dark, and each weight tells its value to a mouse. Negative and class 0 are blue, positive and class 1 orange;
a class is told by its shape too, so that nothing is said by colour alone.
"""

import html
import math

import contourpy
import numpy as np
import pictures

# Of kzoo/plots/style.py: the blue and orange of Okabe and Ito; points a shade darker than the plane beneath them.
NEGATIVE, POSITIVE = (0, 114, 178), (230, 159, 0)
GRID = 64  # the plane is computed on GRID x GRID points
TILE = 16  # a unit's own picture of the plane is every fourth of them
MOST_UNITS = 8  # drawn in one layer

CSS = """
svg { display: block; width: 100%; height: auto; font-family: inherit; }
svg text { fill: var(--body-text-color); font-size: 13px; }
svg .quiet { fill: var(--kz-quiet); font-size: 12px; }
svg .frame { fill: none; stroke: var(--kz-quiet); stroke-opacity: 0.45; }
svg .paper { fill: var(--kz-paper); }
svg .border { fill: none; stroke: var(--body-text-color); stroke-width: 2; }
svg .ghost { stroke-dasharray: 5 5; stroke-opacity: 0.55; }
svg .c0 { fill: var(--kz-class0); stroke: var(--kz-paper); stroke-width: 1.2; }
svg .c1 { fill: var(--kz-class1); stroke: var(--kz-paper); stroke-width: 1.2; }
svg .c0.test { fill: var(--kz-paper); stroke: var(--kz-class0); stroke-width: 1.8; }
svg .c1.test { fill: var(--kz-paper); stroke: var(--kz-class1); stroke-width: 1.8; }
svg .wrong { fill: none; stroke: var(--body-text-color); stroke-width: 1.4; }
svg .neg { stroke: #0072b2; fill: none; } svg .pos { stroke: #e69f00; fill: none; }
svg .edge:hover { stroke: var(--body-text-color); }
svg .train { stroke: var(--body-text-color); fill: none; stroke-width: 2; }
svg .testline { stroke: var(--kz-test); fill: none; stroke-width: 2; stroke-dasharray: 6 4; }
svg .testtext { fill: var(--kz-test); } svg .bar { fill: var(--kz-class1); }
svg .mark { stroke: var(--kz-mark); stroke-width: 4; fill: none; } svg .tip { fill: var(--kz-mark); }
svg.clickable { cursor: crosshair; touch-action: manipulation; }
/* A phone shrinks the drawing, not its words. */
@media (max-width: 640px) { svg.wide text, svg.wide .quiet { font-size: 23px; } }
"""

# What stands in a chart where nothing has been measured, line by line: a phone is narrow.
NOTHING_YET = ("Press Play to fill this chart.",)
NO_CURVE = ("A trained preset brings no curve.", "Press Play to draw one.")

# A click's place in the units of the plane; the corners stand on the drawing itself.
CLICK = """
element.addEventListener('click', (event) => {
  const svg = element.querySelector('svg.kz-plane');
  if (!svg || !svg.contains(event.target)) return;
  const box = svg.querySelector('.area').getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width, up = 1 - (event.clientY - box.top) / box.height;
  if (across < 0 || across > 1 || up < 0 || up > 1) return;
  const low = svg.dataset.low.split(',').map(Number), high = svg.dataset.high.split(',').map(Number);
  trigger('click', {x: low[0] + across * (high[0] - low[0]), y: low[1] + up * (high[1] - low[1])});
});
"""


def grid(low, high) -> np.ndarray:
    """The centres of GRID x GRID cells of the plane, (GRID * GRID, 2) float32, rows from bottom to top.

    Args:
        low: Pair of least coordinates.
        high: Pair of greatest coordinates.
    """
    steps = (np.arange(GRID) + 0.5) / GRID
    across, up = low[0] + (high[0] - low[0]) * steps, low[1] + (high[1] - low[1]) * steps
    return np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2).astype(np.float32)


def square(points, margin: float = 0.15) -> tuple[tuple[float, float], tuple[float, float]]:
    """The corners (low, high) of a square about `points` (n, 2), with a share of its side as margin."""
    points = np.asarray(points, dtype=float)
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(float((high - low).max()) / 2, 0.5) * (1 + margin)
    middle = (low + high) / 2
    return tuple((middle - half).tolist()), tuple((middle + half).tolist())


def picture(values, strongest: float = 0.62) -> str:
    """A data address of a picture of `values` (rows from bottom to top) in [-1, 1]: blue, nothing, orange.

    The colour's opacity is the size of the value, so that zero shows the page itself, light or dark.
    """
    values = np.clip(np.nan_to_num(np.asarray(values, dtype=float)), -1, 1)[::-1]
    pixels = np.empty((*values.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(values[..., None] < 0, NEGATIVE, POSITIVE)
    pixels[..., 3] = np.round(255 * strongest * np.abs(values))
    return pictures.png(pixels)


def _safe(text: str) -> str:
    """Text for an attribute."""
    return html.escape(text, quote=True)


def plane(
    values,
    low,
    high,
    points,
    *,
    label: str,
    border=None,
    line=None,
    ghost=None,
    arrow=None,
    marked: int | None = None,
    clickable: bool = False,
    names=("x\u2081", "x\u2082"),
) -> str:
    """The plane with a model's answer, its border and the data.

    Args:
        values: (GRID, GRID) in [-1, 1], from `grid(low, high)`; None for an empty plane.
        low: Pair of least coordinates.
        high: Pair of greatest coordinates.
        points: List of (x (n, 2), y (n,), wrong (n,) of bool, "train" or "test").
        label: What a screen reader says.
        border: (GRID, GRID) scores whose zero line is drawn; None takes `values`.
        line: (w1, w2, b) of a straight border w . x + b = 0 to draw exactly.
        ghost: The same of a line that was, drawn faint.
        arrow: ((x, y), (dx, dy)) of an arrow in data coordinates.
        marked: Index into the first set of points: the one with a halo.
        clickable: Whether a click places a point (the page's script reads the corners from here).
        names: Of the two axes.
    """
    size, pad = 400.0, 36.0
    scale = size / np.array([high[0] - low[0], high[1] - low[1]])

    def spot(x, y):
        return pad + (x - low[0]) * scale[0], size - (y - low[1]) * scale[1] + 6

    corners = f'data-low="{low[0]:g},{low[1]:g}" data-high="{high[0]:g},{high[1]:g}"'
    parts = [
        f'<svg viewBox="0 0 {size + pad + 8:g} {size + 34:g}" role="img" aria-label="{_safe(label)}" '
        f'class="kz-plane{" clickable" if clickable else ""}" {corners}>',
        f'<clipPath id="kz-clip"><rect x="{pad:g}" y="6" width="{size:g}" height="{size:g}" rx="6"/></clipPath>',
        '<g clip-path="url(#kz-clip)">',
        f'<rect class="paper area" x="{pad:g}" y="6" width="{size:g}" height="{size:g}"/>',
    ]
    if values is not None:
        parts.append(
            f'<image x="{pad:g}" y="6" width="{size:g}" height="{size:g}" preserveAspectRatio="none" '
            f'href="{picture(values)}"/>'
        )
        scores = values if border is None else border
        if line is None and np.isfinite(scores).all() and scores.min() < 0 < scores.max():
            steps = (np.arange(GRID) + 0.5) / GRID
            for path in contourpy.contour_generator(
                low[0] + (high[0] - low[0]) * steps, low[1] + (high[1] - low[1]) * steps, scores
            ).lines(0.0):
                # One decimal of a pixel is enough, and a third of the text.
                places = " ".join("{:.1f},{:.1f}".format(*spot(x, y)) for x, y in path)
                parts.append(f'<polyline class="border" points="{places}"/>')
    for which, style in ((ghost, "border ghost"), (line, "border")):
        ends = None if which is None else line_ends(which, low, high)
        if ends is not None:
            (xa, ya), (xb, yb) = spot(*ends[0]), spot(*ends[1])
            parts.append(f'<line class="{style}" x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}"/>')
    # Wide sets of points are drawn smaller.
    count = sum(len(x) for x, *_ in points)
    radius = 6.5 if count <= 60 else 4.2 if count <= 260 else 3.4
    for x, y, wrong, which in points:
        for (a, b), kind, bad in zip(x, y, wrong, strict=True):
            cx, cy = spot(float(a), float(b))
            parts.append(_mark(cx, cy, int(kind), radius, which))
            if bad:
                parts.append(f'<circle class="wrong" cx="{cx:.1f}" cy="{cy:.1f}" r="{radius + 2.8:.1f}"/>')
    if marked is not None and points and marked < len(points[0][0]):
        cx, cy = spot(*map(float, points[0][0][marked]))
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{radius + 9:.1f}" class="mark"/>')
    parts.append("</g>")
    if arrow is not None:
        parts.append(_arrow(spot(*arrow[0]), spot(arrow[0][0] + arrow[1][0], arrow[0][1] + arrow[1][1])))
    parts.append(f'<rect class="frame" x="{pad:g}" y="6" width="{size:g}" height="{size:g}" rx="6"/>')
    base = size + 22
    parts += [
        f'<text class="quiet" x="{pad:g}" y="{base:g}">{low[0]:.2g}</text>',
        f'<text class="quiet" x="{pad + size:g}" y="{base:g}" text-anchor="end">{high[0]:.2g}</text>',
        f'<text class="quiet" x="{pad + size / 2:g}" y="{base:g}" text-anchor="middle">{names[0]}</text>',
        f'<text class="quiet" x="{pad - 6:g}" y="{size + 4:g}" text-anchor="end">{low[1]:.2g}</text>',
        f'<text class="quiet" x="{pad - 6:g}" y="17" text-anchor="end">{high[1]:.2g}</text>',
        f'<text class="quiet" x="{pad - 8:g}" y="{6 + size / 2:g}" text-anchor="end">{names[1]}</text>',
        "</svg>",
    ]
    return "".join(parts)


def line_foot(line, low, high):
    """The point of a straight line (w1, w2, b), w . x + b = 0, nearest to the plane's middle; None without a line."""
    w, b = np.array(line[:2], dtype=float), float(line[2])
    if not (np.isfinite(w).all() and math.isfinite(b) and w @ w > 0):
        return None
    middle = (np.array(low) + np.array(high)) / 2
    return middle - (w @ middle + b) / (w @ w) * w


def line_ends(line, low, high):
    """Two points of a straight line (w1, w2, b), far past both edges of the plane; None without a line."""
    foot = line_foot(line, low, high)
    if foot is None or np.abs(foot).max() > 1e6:
        return None
    along = np.array([-line[1], line[0]], dtype=float)
    reach = 3 * max(high[0] - low[0], high[1] - low[1]) * along / np.hypot(*along)
    return foot - reach, foot + reach


def _mark(x: float, y: float, kind: int, radius: float, which: str) -> str:
    """A circle for class 0, a square for class 1; hollow for the test part."""
    style = f"c{kind} {'test' if which == 'test' else ''}".strip()
    if kind == 0:
        return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
    side = 1.8 * radius
    return (
        f'<rect class="{style}" x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"/>'
    )


def _arrow(start, end) -> str:
    start, end = np.array(start), np.array(end)
    length = np.hypot(*(end - start))
    if not np.isfinite(length) or length < 1:
        return ""
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    tip = [end, end - 12 * along + 6 * across, end - 12 * along - 6 * across]
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in tip)
    (xa, ya), (xb, yb) = start, end - 8 * along
    return (
        f'<line x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}" class="mark"/>'
        f'<polygon points="{corners}" class="tip"/>'
        f'<text x="{end[0] + 8 * along[0]:.1f}" y="{end[1] + 14 * along[1]:.1f}" font-weight="700">w</text>'
    )


def network(layers, weights, biases, *, total=None, label: str, inputs=("x\u2081", "x\u2082")) -> str:
    """A network from left to right: each unit a picture of its answer over the plane, each weight a line.

    Args:
        layers: For each layer, inputs first and the output last, (TILE, TILE, units) in [-1, 1].
        weights: Between neighbours, (units before, units after).
        biases: For each layer after the inputs, (units,).
        total: How many units each layer really has; None takes those given.
        label: What a screen reader says.
        inputs: Names of the inputs.
    """
    width, height = 700.0, 380.0
    most = max(layer.shape[-1] for layer in layers)
    tile = min(46.0, (height - 58) / most - 6, (width - 60) / len(layers) - 46)
    columns = [46 + i * (width - 110 - tile * 1.5) / (len(layers) - 1) for i in range(len(layers))]
    # The output stands larger at the end: it is the answer.
    sizes = [tile] * (len(layers) - 1) + [max(tile * 1.6, 58.0)]
    columns[-1] = width - sizes[-1] - 14

    def top(i, j):
        count, side = layers[i].shape[-1], sizes[i]
        gap = min(22.0, (height - 58 - count * side) / max(count - 1, 1))
        return 32 + (height - 58 - count * side - (count - 1) * gap) / 2 + j * (side + gap)

    parts = [f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">']
    for i, matrix in enumerate(weights):
        x0, x1 = columns[i] + sizes[i], columns[i + 1]
        bend = (x1 - x0) / 2
        lines = []
        for j in range(matrix.shape[0]):
            for k in range(matrix.shape[1]):
                w = float(matrix[j, k])
                if not math.isfinite(w):
                    continue
                y0, y1 = top(i, j) + sizes[i] / 2, top(i + 1, k) + sizes[i + 1] / 2
                thick = min(0.4 + 1.7 * abs(w), 8)
                faint = min(0.25 + 0.5 * abs(w), 0.9)
                lines.append(
                    (
                        abs(w),
                        f'<path class="edge {"pos" if w > 0 else "neg"}" stroke-width="{thick:.2f}" '
                        f'stroke-opacity="{faint:.2f}" d="M{x0:.0f},{y0:.1f}C{x0 + bend:.0f},{y0:.1f},'
                        f'{x1 - bend:.0f},{y1:.1f},{x1:.0f},{y1:.1f}"><title>weight {w:.3f}</title></path>',
                    )
                )
        parts += [text for _, text in sorted(lines)]  # the strongest on top
    names = ["inputs", *(f"layer {i}" for i in range(1, len(layers) - 1)), "output"]
    for i, layer in enumerate(layers):
        drawn, real = layer.shape[-1], (total or [part.shape[-1] for part in layers])[i]
        middle = columns[i] + sizes[i] / 2
        parts.append(f'<text class="quiet" x="{middle:.0f}" y="20" text-anchor="middle">{names[i]}</text>')
        if real > drawn:
            some = f"{drawn} of {real} units"
            parts.append(f'<text class="quiet" x="{middle:.0f}" y="{height - 6:g}" text-anchor="middle">{some}</text>')
        for j in range(drawn):
            x, y, side = columns[i], top(i, j), sizes[i]
            if i == 0:
                tip = f"input {inputs[j]}"
                parts.append(f'<text x="{x - 8:.0f}" y="{y + side / 2 + 4:.1f}" text-anchor="end">{inputs[j]}</text>')
            else:
                tip = f"{names[i]}, unit {j + 1}: bias {float(biases[i - 1][j]):.3f}"
            box = f'x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}"'
            parts.append(
                f'<g><title>{tip}</title><rect class="paper" {box} rx="4"/>'
                f'<image {box} preserveAspectRatio="none" href="{picture(layer[..., j], 0.9)}"/>'
                f'<rect class="frame" {box} rx="4"/></g>'
            )
    parts.append("</svg>")
    return "".join(parts)


def curves(epochs, train, test, *, name: str, unit: str = "", label: str, empty=NOTHING_YET) -> str:
    """Two curves over the epochs: what the model is trained on, and what it has not seen.

    Args:
        epochs: (n,) rising.
        train: (n,) values; may be empty with the others.
        test: (n,) values, or None.
        name: Of the vertical axis.
        unit: Of the vertical axis.
        label: What a screen reader says.
        empty: Lines that stand in the chart where there is nothing to draw.
    """
    width, height, left, right, bottom = 700.0, 170.0, 62.0, 150.0, 32.0
    series = [("train", "train", "", train)] + ([("testline", "test", "testtext", test)] if test is not None else [])
    # At most 240 places of each curve: finer than the pixels of a phone.
    keep = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 240)).astype(int)) if len(epochs) else []
    last = max(float(epochs[-1]) if len(epochs) else 1.0, 1.0)
    finite = [v for *_, values in series for v in np.asarray(values, dtype=float) if math.isfinite(v)]
    highest = max([*finite, 1e-6]) * 1.08
    base = height - bottom
    parts = [
        f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{width - right:g}" y2="{base:g}"/>',
        f'<line class="frame" x1="{left:g}" y1="8" x2="{left:g}" y2="{base:g}"/>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">0</text>',
        *(
            [f'<text class="quiet" x="{left - 6:g}" y="20" text-anchor="end">{highest:.2g}</text>']
            if len(epochs)
            else []
        ),
        f'<text class="quiet" x="{left:g}" y="{height - 8:g}">{name}{f" ({unit})" if unit else ""} by epoch</text>',
    ]
    if len(epochs):
        at = f'x="{width - right:g}" y="{height - 8:g}"'
        parts.append(f'<text class="quiet" {at} text-anchor="end">{last:.0f}</text>')
    else:
        parts.append(_empty((left + width - right) / 2, base / 2, empty))
    places = []
    for style, title, color, values in series:
        spots = [
            (left + (width - left - right) * float(epochs[i]) / last, base - (base - 8) * float(values[i]) / highest)
            for i in keep
            if math.isfinite(values[i])
        ]
        if not spots:
            continue
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="{style}" points="{drawn}"/>')
        places.append([spots[-1][1] + 4, spots[-1][0] + 8, _safe(f"{title} {_short(float(values[keep[-1]]))}"), color])
    # Two names that would cover each other move apart.
    places.sort()
    if len(places) == 2 and places[1][0] - places[0][0] < 22:
        middle = min(max((places[0][0] + places[1][0]) / 2, 24), base - 12)
        places[0][0], places[1][0] = middle - 10, middle + 12
    parts += [f'<text class="{color}" x="{x:.1f}" y="{y:.1f}">{text}</text>' for y, x, text, color in places]
    parts.append("</svg>")
    return "".join(parts)


def _empty(x: float, y: float, lines) -> str:
    """What stands where nothing has been measured."""
    first = y - 13 * (len(lines) - 1)
    return "".join(
        f'<text class="quiet" x="{x:g}" y="{first + 26 * i:g}" text-anchor="middle">{_safe(line)}</text>'
        for i, line in enumerate(lines)
    )


def _short(value: float) -> str:
    """A value as the margin beside a curve has room for, on a phone too."""
    return "<0.001" if 0 <= value < 0.0005 else f"{value:.3f}" if value < 10 else f"{value:.3g}"


def bars(values, *, name: str, label: str, empty=NOTHING_YET) -> str:
    """A bar an epoch, from the first; whole numbers.

    Args:
        values: (n,) may be empty.
        name: What is counted.
        label: What a screen reader says.
        empty: Lines that stand in the chart where there is nothing to draw.
    """
    width, height, left, right, base = 700.0, 170.0, 62.0, 690.0, 134.0
    highest = max([*values, 1])
    # Narrow bars for few epochs too: a single broad block says nothing.
    slot = min(26.0, (right - left - 8) / max(len(values), 1))
    parts = [
        f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{right:g}" y2="{base:g}"/>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">0</text>',
        f'<text class="quiet" x="{left:g}" y="{height - 8:g}">{name} in each epoch</text>',
    ]
    if not len(values):
        parts.append(_empty((left + right) / 2, base / 2, empty))
    else:
        parts.append(f'<text class="quiet" x="{left - 6:g}" y="28" text-anchor="end">{highest}</text>')
    for i, value in enumerate(values):
        tall = max((base - 14) * value / highest, 1.5)
        x = left + 4 + i * slot
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{base - tall:.1f}" width="{max(slot - 3, 1):.1f}" height="{tall:.1f}">'
            f"<title>epoch {i + 1}: {value}</title></rect>"
        )
    if len(values):
        x = min(left + 4 + len(values) * slot + 6, right - 4)
        parts.append(
            f'<text x="{x:.1f}" y="{base - 8:.1f}" text-anchor="{"end" if x > right - 30 else "start"}">'
            f"{values[-1]}</text>"
        )
    parts.append("</svg>")
    return "".join(parts)
