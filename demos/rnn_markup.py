"""The pictures of the page of rnn, lstm and gru as SVG: what the models computed goes in as arrays, text comes out.

A model is told by its colour, by the dashes of its line and by its name at the line's end; beneath 0 is blue, above 0
orange, a closed gate is empty and an open one full.
"""

import html
import math

import drawing
import numpy as np

CSS = (
    drawing.CSS
    + """
svg .rnn { stroke: var(--kz-class1); fill: none; stroke-width: 2.4; }
svg .lstm { stroke: var(--kz-class0); fill: none; stroke-width: 2.4; stroke-dasharray: 8 4; }
svg .gru { stroke: var(--kz-good); fill: none; stroke-width: 2.4; stroke-dasharray: 2.5 3.5; }
svg .truth { stroke: var(--body-text-color); fill: none; stroke-width: 1.4; }
svg .read { fill: var(--kz-quiet); fill-opacity: 0.1; }
svg .grid { stroke: var(--kz-quiet); stroke-opacity: 0.25; }
svg .now { stroke: var(--kz-quiet); stroke-width: 1; }
svg .name { font-size: 15px; font-weight: 650; }
svg image { image-rendering: pixelated; }
/* A phone shrinks these drawings less than the wide ones. */
@media (max-width: 640px) { svg.mid text, svg.mid .quiet { font-size: 15px; } }
svg.pad { cursor: crosshair; touch-action: none; }
.kz-three { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr)); gap: 10px 18px; }
"""
)

# A stroke across the pad, as one value for each of its places; those between two events lie on the line between them.
DRAW = """
let places = null, last = null;
function at(event, svg) {
  const box = svg.querySelector('.area').getBoundingClientRect(), most = places.length - 1;
  const across = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  const up = Math.min(Math.max(1 - (event.clientY - box.top) / box.height, 0), 1);
  return [Math.round(across * most), 2 * up - 1];
}
function mark(event, svg) {
  const [to, value] = at(event, svg), [from, before] = last || [to, value];
  const step = to < from ? -1 : 1;
  for (let i = from; i !== to + step; i += step)
    places[i] = from === to ? value : before + (value - before) * (i - from) / (to - from);
  last = [to, value];
  const area = svg.querySelector('.area'), width = Number(area.getAttribute('width')),
    height = Number(area.getAttribute('height')), left = Number(area.getAttribute('x')),
    top = Number(area.getAttribute('y'));
  svg.querySelector('polyline').setAttribute('points', places.map((one, i) =>
    (left + width * i / (places.length - 1)).toFixed(1) + ',' + (top + height * (1 - one) / 2).toFixed(1)).join(' '));
}
element.addEventListener('pointerdown', (event) => {
  const svg = element.querySelector('svg.pad');
  if (!svg || !svg.contains(event.target) || event.button !== 0) return;
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  places = svg.dataset.values.split(',').map(Number); last = null;
  mark(event, svg);
});
element.addEventListener('pointermove', (event) => {
  const svg = element.querySelector('svg.pad');
  if (places && svg) mark(event, svg);
});
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => {
    if (!places) return;
    const values = places; places = null;
    trigger('click', {values});
  });
"""


def forecasts(known, truth, foretold: dict, titles: dict) -> str:
    """A panel for each model: the values that it reads, and its forecast beside what really came.

    Args:
        known: (t,) the values that every model reads, the last one now.
        truth: (n,) the values that followed.
        foretold: Model's name -> (n,) its forecast of them.
        titles: Model's name -> what stands beside the name.
    """
    known, truth = np.asarray(known, float), np.asarray(truth, float)
    low, high = float(min(known.min(), truth.min())), float(max(known.max(), truth.max()))
    room = 0.15 * max(high - low, 1e-6)
    low, high = low - room, high + room
    panels = [_forecast(known, truth, values, name, titles[name], low, high) for name, values in foretold.items()]
    return f'<div class="kz-three">{"".join(panels)}</div>'


def _forecast(known, truth, values, name, title, low, high) -> str:
    width, left, right, top, base = 400.0, 34.0, 392.0, 30.0, 176.0
    steps = len(known) + len(truth) - 1

    def places(first, row):
        found = []
        for i, value in enumerate(np.asarray(row, float)):
            if math.isfinite(value):
                x = left + (right - left) * (first + i) / steps
                y = base - (base - top) * (min(max(value, low - 9), high + 9) - low) / (high - low)
                found.append(f"{x:.1f},{min(max(y, -999), 999):.1f}")
        return " ".join(found)

    now = left + (right - left) * (len(known) - 1) / steps
    last = len(known) - 1
    label = f"{name}: the series and the forecast of its next {len(truth)} values; {title}"
    return "".join(
        (
            f'<svg class="mid" viewBox="0 0 {width:g} 198" role="img" aria-label="{_safe(label)}">',
            f'<clipPath id="rnn-clip-{name}"><rect x="{left:g}" y="{top:g}" width="{right - left:g}" '
            f'height="{base - top:g}"/></clipPath>',
            f'<text class="name" x="{left:g}" y="20">{_safe(name)}</text>',
            f'<text class="quiet" x="{right:g}" y="20" text-anchor="end">{_safe(title)}</text>',
            f'<rect class="paper" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>',
            f'<rect class="read" x="{left:g}" y="{top:g}" width="{now - left:.1f}" height="{base - top:g}"/>',
            f'<line class="now" x1="{now:.1f}" y1="{top:g}" x2="{now:.1f}" y2="{base:g}"/>',
            f'<g clip-path="url(#rnn-clip-{name})">',
            f'<polyline class="truth" points="{places(0, np.concatenate([known, truth]))}"/>',
            # From the last value that is known: the forecast begins where the reading ends.
            f'<polyline class="{name}" points="{places(last, np.concatenate([known[-1:], values]))}"/></g>',
            f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>',
            f'<text class="quiet" x="{left - 4:g}" y="{base:g}" text-anchor="end">{_number(low)}</text>',
            f'<text class="quiet" x="{left - 4:g}" y="{top + 10:g}" text-anchor="end">{_number(high)}</text>',
            f'<text class="quiet" x="{left:g}" y="192">\u2212{last} steps</text>',
            f'<text class="quiet" x="{now:.1f}" y="192" text-anchor="middle">now</text>',
            f'<text class="quiet" x="{right:g}" y="192" text-anchor="end">+{len(truth)} steps</text>',
            "</svg>",
        )
    )


def states(name: str, read, found: dict) -> str:
    """Every gate and state of one model over time, a heat map each, beneath what the model reads.

    Args:
        name: The model's.
        read: (t,) the values that it reads.
        found: Name of the gate or state -> (t, u).
    """
    width, left, right, tall, gap = 700.0, 8.0, 692.0, 62.0, 32.0
    read = np.asarray(read, float)
    low, reach = float(read.min()), max(float(np.ptp(read)), 1e-9)
    steps = len(read)
    height = (tall + gap) * (len(found) + 1) + 30
    label = f"What goes on in {name} at each of {steps} steps: {', '.join(found)}"
    top = gap
    curve = " ".join(
        f"{left + (right - left) * (i + 0.5) / steps:.1f},{top + tall - 4 - (tall - 8) * (value - low) / reach:.1f}"
        for i, value in enumerate(read)
    )
    parts = [
        f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<text x="{left:g}" y="{top - 9:g}">what {name} reads</text>',
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}"/>',
        f'<polyline class="truth" points="{curve}"/>',
    ]
    for key, values in found.items():
        top += tall + gap
        values = np.asarray(values, float)
        gate = "gate" in key
        limit = 1.0 if gate else max(float(np.abs(np.nan_to_num(values)).max()), 1e-9)
        ends = ("closed 0", "1 open") if gate else (f"\u2212{limit:.2g}", f"+{limit:.2g}")
        ramp = drawing.picture(np.linspace(0 if gate else -1, 1, 33)[None], 0.95)
        picture = drawing.picture(values.T[::-1] / limit, 0.95)  # the first unit at the top
        parts += [
            f'<text x="{left:g}" y="{top - 9:g}">{_safe(key)}, {values.shape[1]} units</text>',
            f'<text class="quiet" x="{right - 182:g}" y="{top - 9:g}" text-anchor="end">{ends[0]}</text>',
            f'<image x="{right - 176:g}" y="{top - 20:g}" width="90" height="12" preserveAspectRatio="none" '
            f'href="{ramp}"/>',
            f'<rect class="frame" x="{right - 176:g}" y="{top - 20:g}" width="90" height="12"/>',
            f'<text class="quiet" x="{right - 80:g}" y="{top - 9:g}">{ends[1]}</text>',
            f'<rect class="paper" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}"/>',
            f'<image x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}" '
            f'preserveAspectRatio="none" href="{picture}"/>',
            f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}"/>',
        ]
    foot = top + tall + 22
    parts += [
        f'<text class="quiet" x="{left:g}" y="{foot:g}">{steps - 1} steps ago</text>',
        f'<text class="quiet" x="{right:g}" y="{foot:g}" text-anchor="end">now</text>',
        "</svg>",
    ]
    return "".join(parts)


def log_chart(
    x, lines: dict, *, label: str, title: str, across: str, up: str = "", said: dict, level=None, floor=1e-12, empty=()
) -> str:
    """A line for each model on a logarithmic axis.

    Args:
        x: (n,) rising; may be empty with the lines.
        lines: Model's name -> (n,) values; what is not above 0 is drawn at the floor, what is no number left out.
        label: What a screen reader says.
        title: Above the chart.
        across: Name of the horizontal axis.
        up: Name and unit of the vertical axis.
        said: Model's name -> what stands at the end of its line, beside the name.
        level: (value, name) of a line across the chart, or None.
        floor: The least value that is told from none.
        empty: Lines of text that stand in the chart where there is nothing to draw.
    """
    width, height, left, right, top, base = 440.0, 232.0, 50.0, 306.0, 44.0, 196.0
    parts = [
        f'<svg class="mid" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<text x="{left:g}" y="16">{_safe(title)}</text>',
        f'<text class="quiet" x="{left:g}" y="34">{_safe(up)}</text>',
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>',
        f'<text class="quiet" x="{(left + right) / 2:g}" y="{base + 30:g}" text-anchor="middle">{_safe(across)}</text>',
    ]
    rows = {name: np.maximum(np.asarray(values, float), floor) for name, values in lines.items()}
    seen = [row[np.isfinite(row)] for row in rows.values()] + ([np.array([level[0]])] if level else [])
    seen = np.concatenate(seen) if seen else np.zeros(0)
    if not len(x) or not len(seen):
        for i, line in enumerate(empty):
            y = (top + base) / 2 + 18 * i
            parts.append(
                f'<text class="quiet" x="{(left + right) / 2:g}" y="{y:g}" text-anchor="middle">{_safe(line)}</text>'
            )
        return "".join([*parts, "</svg>"])
    lowest, highest = math.floor(math.log10(seen.min())), math.ceil(math.log10(seen.max()))
    highest = max(highest, lowest + 1)

    def height_of(value):
        return base - (base - top) * (math.log10(value) - lowest) / (highest - lowest)

    every = -(-(highest - lowest) // 6)
    for power in range(highest, lowest - 1, -every):
        y = height_of(10.0**power)
        parts.append(f'<line class="grid" x1="{left:g}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}"/>')
        parts.append(f'<text class="quiet" x="{left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{_power(power)}</text>')
    parts.append(f'<text class="quiet" x="{left:g}" y="{base + 16:g}">{x[0]:g}</text>')
    if x[-1] > x[0]:
        parts.append(f'<text class="quiet" x="{right:g}" y="{base + 16:g}" text-anchor="end">{x[-1]:g}</text>')
    if level:
        y = height_of(level[0])
        parts.append(f'<line class="border ghost" x1="{left:g}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="quiet" x="{right - 5:g}" y="{y - 5:.1f}" text-anchor="end">{_safe(level[1])}</text>'
        )
    names = []
    reach = max(float(x[-1] - x[0]), 1e-9)
    # At most 240 places of each curve: finer than the pixels of a phone.
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), 240)).astype(int))
    for name, row in rows.items():
        spots = [
            (left + (right - left) * float(x[i] - x[0]) / reach, height_of(row[i])) for i in keep if np.isfinite(row[i])
        ]
        if spots:
            drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
            parts.append(f'<polyline class="{name}" points="{drawn}"/>')
            names.append([spots[-1][1] + 4, name])
    names.sort()
    for i in range(1, len(names)):  # names that would cover each other move apart
        names[i][0] = max(names[i][0], names[i - 1][0] + 16)
    over = names[-1][0] - base if names else 0
    for y, name in names:
        y -= max(over, 0)
        parts.append(f'<line class="{name}" x1="{right + 5:g}" y1="{y - 4:.1f}" x2="{right + 25:g}" y2="{y - 4:.1f}"/>')
        parts.append(f'<text x="{right + 30:g}" y="{y:.1f}">{_safe(f"{name} {said[name]}")}</text>')
    return "".join([*parts, "</svg>"])


def pad(values) -> str:
    """The pad on which a visitor draws one period of a curve of their own, `values` (n,) in [-1, 1]."""
    values = np.asarray(values, float)
    width, left, right, top, base = 440.0, 30.0, 432.0, 8.0, 128.0
    drawn = " ".join(
        f"{left + (right - left) * i / (len(values) - 1):.1f},{top + (base - top) * (1 - value) / 2:.1f}"
        for i, value in enumerate(values)
    )
    kept = ",".join(f"{value:g}" for value in values)
    middle = (top + base) / 2
    return (
        f'<svg class="pad" viewBox="0 0 {width:g} 150" role="img" data-values="{kept}" '
        'aria-label="A pad to draw one period of a curve on; the box beneath takes it as numbers">'
        f'<rect class="paper area" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>'
        f'<line class="grid" x1="{left:g}" y1="{middle:g}" x2="{right:g}" y2="{middle:g}"/>'
        f'<polyline class="truth" points="{drawn}"/>'
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{base - top:g}"/>'
        f'<text class="quiet" x="{left - 5:g}" y="{top + 10:g}" text-anchor="end">1</text>'
        f'<text class="quiet" x="{left - 5:g}" y="{base:g}" text-anchor="end">\u22121</text>'
        f'<text class="quiet" x="{left:g}" y="{base + 16:g}">0</text>'
        f'<text class="quiet" x="{right:g}" y="{base + 16:g}" text-anchor="end">{len(values)} steps, then again</text>'
        "</svg>"
    )


def _number(value: float) -> str:
    """A value as a tick says it."""
    return f"{value:.1f}".replace("-", "\u2212")


def _power(power: int) -> str:
    """A power of ten as a tick says it."""
    plain = {0: "1", 1: "10", 2: "100", -1: "0.1", -2: "0.01"}
    return plain.get(power) or "10" + str(power).translate(str.maketrans("-0123456789", "\u207b⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _safe(text: str) -> str:
    """Text for an attribute or an element."""
    return html.escape(str(text), quote=True)
