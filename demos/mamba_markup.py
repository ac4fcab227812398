"""The pictures of Mamba's page as markup: what the model computed goes in as arrays, text comes out.

Axis letters: t characters, d inner channels, n numbers that a channel keeps. Beneath zero is blue, above it orange; a
colour's strength is the square root of the number, since many are small and yet are no zeros.
"""

import html
import math

import drawing
import numpy as np
from writing import sign

CSS = (
    drawing.CSS
    + """
.kz-title { font-size: 0.98rem; font-weight: 650; margin: 2px 0 6px; color: var(--body-text-color); }
.kz-said { font-size: 0.95rem; line-height: 1.5; margin: 2px 0 4px; color: var(--body-text-color); }
.kz-said code { font: 650 1em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; padding: 0 4px;
  background: var(--background-fill-secondary); border-radius: 4px; }
.kz-scale { display: flex; align-items: center; gap: 8px; font-size: 0.88rem; color: var(--kz-quiet); margin: 4px 0; }
.kz-scale i { width: 120px; height: 12px; border-radius: 3px; border: 1px solid var(--border-color-primary);
  background: linear-gradient(to right, transparent, #e69f00); }
.dark .kz-scale i { background: linear-gradient(to right, transparent, #a86400); }
svg image { image-rendering: pixelated; }
svg.mid { max-width: 480px; }
svg [data-across], svg [data-down] { cursor: crosshair; touch-action: manipulation; fill: transparent; }
svg .grid { stroke: var(--kz-quiet); stroke-opacity: 0.25; }
svg .here { fill: none; stroke: var(--body-text-color); stroke-width: 1.6; pointer-events: none; }
svg .chosen { font-weight: 700; }
svg .sign { font: 9px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; text-anchor: middle; }
svg .mamba { stroke: var(--kz-class0); fill: none; stroke-width: 2.6; }
svg .transformer { stroke: var(--kz-class1); fill: none; stroke-width: 2.6; stroke-dasharray: 8 4; }
svg .dot { fill: var(--body-text-color); stroke: none; }
.kz-ways table { border: 0 !important; width: 100%; border-collapse: collapse; margin: 0;
  font-variant-numeric: tabular-nums; }
.kz-ways th, .kz-ways td { border: solid var(--border-color-primary);
  border-width: 0 0 1px !important; padding: 4px 6px 4px 0;
  text-align: right; font-size: 0.92rem; font-weight: 400; color: var(--body-text-color); }
.kz-ways th { text-align: left; color: var(--kz-quiet); }
.kz-ways td b { font-size: 1.1rem; }
@media (max-width: 640px) {
  svg.mid text, svg.mid .quiet { font-size: 16px; }
  svg.wide text.row, svg.wide .row.quiet { font-size: 20px; }
  svg .sign, svg .span { display: none; }
}
"""
)

# A click into a map: which place, layer or channel lies beneath it stands on the map itself, "name,first,count".
CELL = r"""
element.addEventListener('click', event => {
  const area = event.target.closest('[data-across], [data-down]');
  if (!area) return;
  const box = area.getBoundingClientRect(), what = {};
  const at = (wanted, share) => {
    const [name, first, count] = wanted.split(',');
    what[name] = Number(first) + Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  };
  if (area.dataset.across) at(area.dataset.across, (event.clientX - box.left) / box.width);
  if (area.dataset.down) at(area.dataset.down, (event.clientY - box.top) / box.height);
  trigger('pick', what);
});
"""

WIDE, LEFT = 700.0, 84.0  # of a drawing across the page, and where its map begins


def said_html(character: str, place: int, layer: int, delta: float, kept: float, low: float, high: float, by: str):
    """Under the text: what its colour means, and what one layer does at the character that is looked into.

    Args:
        character: The one at `place`.
        place: From 0.
        layer: From 1.
        delta: The layer's mean step at that character.
        kept: The mean share of its state that it keeps there.
        low, high: What the palest and the darkest character of the text stand for.
        by: "written" where the colour is the layer's mean delta, "used" where it is what the character depends on.
    """
    ends = (f"delta {low:.3f}: keeps", f"{high:.3f}: writes") if by == "written" else ("adds nothing", "adds most")
    return (
        f'<p class="kz-scale"><span>{ends[0]}</span><i></i><span>{ends[1]}</span></p>'
        f'<p class="kz-said">At <code>{html.escape(sign(character))}</code>, character {place + 1}, layer {layer} '
        f"takes a step of {delta:.3f} in the mean over its channels: it keeps <b>{100 * kept:.0f} %</b> of its state "
        "and writes the rest anew.</p>"
    )


def layers_svg(delta, place: int, layer: int, text: str) -> str:
    """Every layer's mean delta at every character, a row a layer.

    Args:
        delta: (l, t).
        place: The character that is looked into.
        layer: The layer that is looked into, from 1.
        text: Its t characters.
    """
    delta = np.asarray(delta, float)
    layers, count = delta.shape
    tall, right, top = 26.0, WIDE - 116, 6.0
    low, high = delta.min(axis=1, keepdims=True), delta.max(axis=1, keepdims=True)
    shades = (delta - low) / np.maximum(high - low, 1e-9)
    base, step = top + tall * layers, (right - LEFT) / count
    label = (
        f"Mean delta of each of {layers} layers at each of {count} characters. Layer {layer} goes from "
        f"{low[layer - 1, 0]:.3f} to {high[layer - 1, 0]:.3f}"
    )
    parts = [
        f'<svg class="wide" viewBox="0 0 {WIDE:g} {base + 24:g}" role="img" aria-label="{label}">',
        f'<rect class="paper" x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall * layers:g}"/>',
        f'<image x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall * layers:g}" '
        f'preserveAspectRatio="none" href="{drawing.picture(shades[::-1], 0.95)}"/>',
    ]
    for i in range(layers):
        y, kind = top + tall * i + 18, "chosen" if i == layer - 1 else "quiet"
        parts.append(f'<text class="row {kind}" x="{LEFT - 6:g}" y="{y:g}" text-anchor="end">layer {i + 1}</text>')
        span = f"{low[i, 0]:.3f} to {high[i, 0]:.3f}"
        parts.append(f'<text class="span {kind}" x="{right + 6:g}" y="{y:g}">{span}</text>')
    parts += [
        f'<rect class="frame" x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall * layers:g}" '
        f'data-across="place,0,{count}" data-down="layer,1,{layers}"/>',
        f'<rect class="here" x="{LEFT:g}" y="{top + tall * (layer - 1):g}" width="{right - LEFT:g}" '
        f'height="{tall:g}"/>',
        f'<rect class="here" x="{LEFT + step * place:.2f}" y="{top:g}" width="{max(step, 1.5):.2f}" '
        f'height="{tall * layers:g}"/>',
        f'<text class="quiet" x="{LEFT:g}" y="{base + 17:g}">first character</text>',
        f'<text class="quiet" x="{right:g}" y="{base + 17:g}" text-anchor="end">last of {len(text)}</text>',
        "</svg>",
    ]
    return "".join(parts)


def state_svg(state, channel: int, layer: int, character: str) -> str:
    """What a layer keeps after a character: n numbers in each of d channels.

    Args:
        state: (d, n).
        channel: The one that is looked into.
        layer: From 1.
        character: The last one that was read.
    """
    state = np.asarray(state, float)
    d, n = state.shape
    limit = max(float(np.percentile(np.abs(state), 99.5)), 1e-9)
    right, top, tall = WIDE - 10, 26.0, 9.0 * n
    step = (right - LEFT) / d
    x = LEFT + step * channel
    said = f"{d * n:,} numbers from {_signed(state.min())} to {_signed(state.max())}"
    label = f"The state of layer {layer} after {sign(character)}: {d} channels of {n} numbers; {said}"
    return "".join(
        (
            f'<svg class="wide" viewBox="0 0 {WIDE:g} {top + tall + 26:g}" role="img" aria-label="{_safe(label)}">',
            f'<text class="quiet" x="{LEFT:g}" y="16">{_safe(said)}</text>',
            f'<rect class="paper" x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall:g}"/>',
            f'<image x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall:g}" preserveAspectRatio="none" '
            f'href="{drawing.picture(_rooted(state.T[::-1], limit), 0.95)}"/>',
            f'<text class="quiet" x="{LEFT - 6:g}" y="{top + 10:g}" text-anchor="end">slow</text>',
            f'<text class="quiet" x="{LEFT - 6:g}" y="{top + tall:g}" text-anchor="end">fast</text>',
            f'<rect class="frame" x="{LEFT:g}" y="{top:g}" width="{right - LEFT:g}" height="{tall:g}" '
            f'data-across="channel,0,{d}"/>',
            f'<rect class="here" x="{x - 1:.2f}" y="{top - 2:g}" width="{step + 2:.2f}" height="{tall + 4:g}"/>',
            f'<text class="quiet" x="{LEFT:g}" y="{top + tall + 19:g}">channel 0</text>',
            f'<text class="quiet" x="{right:g}" y="{top + tall + 19:g}" text-anchor="end">channel {d - 1}</text>',
            "</svg>",
        )
    )


def matrix_svg(matrix, characters: str, first: int, row: int, layer: int, channel: int) -> str:
    """How much each character adds to what one channel puts out at each later one.

    Args:
        matrix: (w, w), lower triangular.
        characters: The w characters of the window.
        first: The place of the first one in the text.
        row: The row of the character that is looked into.
        layer: From 1.
        channel: From 0.
    """
    matrix = np.asarray(matrix, float)
    side, left, top = len(matrix), 20.0, 6.0
    size = 420.0
    step = size / side
    limit = max(float(np.percentile(np.abs(matrix[np.tril_indices(side)]), 99)), 1e-12)
    names = [html.escape(sign(character)) for character in characters]
    ticks = "".join(
        f'<text class="sign" x="{left - 9:g}" y="{top + step * (i + 0.5) + 3:.1f}">{name}</text>'
        f'<text class="sign" x="{left + step * (i + 0.5):.1f}" y="{top + size + 12:g}">{name}</text>'
        for i, name in enumerate(names)
    )
    strongest = int(np.argmax(np.abs(matrix[row])))
    label = (
        f"Implied attention of channel {channel} in layer {layer} among {side} characters; {characters[row]!r} takes "
        f"most of {characters[strongest]!r}, {_signed(matrix[row, strongest])}"
    )
    return (
        f'<svg class="kz-matrix" viewBox="0 0 {left + size + 4:g} {top + size + 18:g}" role="img" '
        f'aria-label="{_safe(label)}">'
        f'<rect class="paper" x="{left:g}" y="{top:g}" width="{size:g}" height="{size:g}"/>'
        f'<image x="{left:g}" y="{top:g}" width="{size:g}" height="{size:g}" preserveAspectRatio="none" '
        f'href="{drawing.picture(_rooted(matrix[::-1], limit), 0.95)}"/>{ticks}'
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{size:g}" height="{size:g}" '
        f'data-down="place,{first},{side}"/>'
        f'<rect class="here" x="{left:g}" y="{top + step * row:.2f}" width="{size:g}" height="{step:.2f}"/></svg>'
    )


def ways_html(found=None) -> str:
    """The same text read by the scan and step by step, as a table; without `found` what there will be to see.

    Args:
        found: What `mamba_measure.read_both_ways` gave.
    """
    if found is None:
        return (
            '<p class="kz-said">It learns from whole texts, read at once, and writes like a recurrent network, one '
            "character after another. Press the button to read the text on screen both ways.</p>"
        )
    return (
        '<div class="kz-ways"><table><tbody>'
        f'<tr><th scope="row">largest difference between two logits, {found.count} letters</th>'
        f"<td><b>{found.difference:.1e}</b></td></tr>"
        f'<tr><th scope="row">the largest logit itself</th><td>{found.reach:.1f}</td></tr>'
        f'<tr><th scope="row">read at once, by the scan</th><td>{1000 * found.scan:,.1f} ms</td></tr>'
        f'<tr><th scope="row">read character by character</th><td>{1000 * found.step:,.1f} ms</td></tr>'
        "</tbody></table></div>"
    )


def growth(lengths, lines: dict, *, title: str, up: str, ends: tuple, empty: str = "") -> str:
    """What a text's length costs two models, on logarithmic axes.

    Args:
        lengths: Characters read, rising.
        lines: "mamba" and "transformer" -> as many values above 0, or fewer where not all is measured yet.
        title: Above the chart.
        up: Name and unit of the vertical axis.
        ends: The least and the greatest length of the axis.
        empty: What stands in a chart without values.
    """
    width, height, left, right, top, base = 440.0, 250.0, 70.0, 262.0, 44.0, 200.0
    values = [value for row in lines.values() for value in row]
    said = ", ".join(f"{name} {_short(row[-1])}" for name, row in lines.items() if row)
    label = f"{title}, {up}" + (f"; after {lengths[len(values) // 2 - 1]:,} characters {said}" if values else "")
    parts = [
        f'<svg class="mid" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<text x="{left:g}" y="16">{_safe(title)}</text>',
        f'<text class="quiet" x="{left:g}" y="34">{_safe(up)}</text>',
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>',
    ]
    low, high = (math.log2(end) for end in ends)

    def across(length):
        return left + 8 + (right - left - 16) * (math.log2(length) - low) / (high - low)

    for i, end in enumerate(ends):
        anchor = ("start", "end")[i]
        x = (left, right)[i]
        parts.append(f'<text class="quiet" x="{x:g}" y="{base + 18:g}" text-anchor="{anchor}">{end:,}</text>')
    parts.append(
        f'<text class="quiet" x="{(left + right) / 2:g}" y="{base + 38:g}" text-anchor="middle">characters read</text>'
    )
    if not values:
        middle = (left + right) / 2
        parts.append(f'<text class="quiet" x="{middle:g}" y="{(top + base) / 2:g}" text-anchor="middle">{empty}</text>')
        return "".join([*parts, "</svg>"])
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    most = max(most, least + 1)

    def height_of(value):
        return base - (base - top) * (math.log10(value) - least) / (most - least)

    for power in range(least, most + 1):
        y = height_of(10.0**power)
        parts.append(f'<line class="grid" x1="{left:g}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}"/>')
        parts.append(f'<text class="quiet" x="{left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>')
    names = []
    for name, row in lines.items():
        spots = [(across(length), height_of(value)) for length, value in zip(lengths, row, strict=False)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="{name}" points="{drawn}"/>')
        parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in spots]
        names.append([spots[-1][1] + 4, name, _short(row[-1])])
    names.sort()
    for i in range(1, len(names)):  # names that would cover each other move apart
        names[i][0] = max(names[i][0], names[i - 1][0] + 18)
    for y, name, value in names:
        parts.append(f'<line class="{name}" x1="{right + 5:g}" y1="{y - 4:.1f}" x2="{right + 23:g}" y2="{y - 4:.1f}"/>')
        parts.append(f'<text x="{right + 28:g}" y="{y:.1f}">{name} {value}</text>')
    return "".join([*parts, "</svg>"])


def _rooted(values, limit: float):
    return np.sign(values) * np.sqrt(np.abs(values) / limit)


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", "\u2212")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
