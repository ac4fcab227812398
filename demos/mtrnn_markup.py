"""The pictures of the MTRNN's page as SVG, and the pad on which a visitor draws: arrays in, text out.

What was taught is a wide pale band, what the network does by itself a thin dark line, and a path's time goes from blue
to orange; where it begins stands a ring, where it ends a square, so that nothing is said by colour alone.
"""

import html
import math

import drawing
import numpy as np

CSS = (
    drawing.CSS
    + """
svg .taught { stroke: var(--kz-class0); stroke-opacity: 0.3; stroke-width: 11; fill: none; stroke-linejoin: round; }
svg .second { stroke: var(--kz-class1); stroke-opacity: 0.45; stroke-width: 7; stroke-dasharray: 3 9; fill: none; }
svg .made { stroke: var(--body-text-color); stroke-width: 1.6; fill: none; stroke-linejoin: round; }
svg .path { stroke-width: 2; fill: none; stroke-linejoin: round; stroke-linecap: round; }
svg .begin { fill: var(--kz-paper); stroke: var(--body-text-color); stroke-width: 2; }
svg .end { fill: var(--body-text-color); stroke: var(--kz-paper); stroke-width: 1.2; }
svg .grid { stroke: var(--kz-quiet); stroke-opacity: 0.3; }
svg.pad { cursor: crosshair; touch-action: none; max-width: 340px; }
.kz-two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)); gap: 8px 16px; }
"""
)

# A stroke across the pad, point by point; the curve closes by itself when the pen is lifted.
DRAW = """
let points = null;
function mark(event, svg) {
  const area = svg.querySelector('.area'), box = area.getBoundingClientRect(), most = Number(svg.dataset.most);
  const place = (share) => Math.min(Math.max(2 * share - 1, -1), 1) * most;
  const point = [place((event.clientX - box.left) / box.width), place(1 - (event.clientY - box.top) / box.height)];
  const last = points[points.length - 1];
  if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.03 || points.length >= 200) return;
  points.push(point);
  const left = Number(area.getAttribute('x')), top = Number(area.getAttribute('y')),
    side = Number(area.getAttribute('width')) / 2;
  svg.querySelector('.made').setAttribute('points', points.map(([x, y]) =>
    (left + side * (1 + x / most)).toFixed(1) + ',' + (top + side * (1 - y / most)).toFixed(1)).join(' '));
  svg.querySelector('.begin').setAttribute('visibility', 'hidden');
}
element.addEventListener('pointerdown', (event) => {
  const svg = element.querySelector('svg.pad');
  if (!svg || !svg.contains(event.target) || event.button !== 0) return;
  event.preventDefault();
  element.setPointerCapture(event.pointerId);
  points = [];
  mark(event, svg);
});
element.addEventListener('pointermove', (event) => {
  const svg = element.querySelector('svg.pad');
  if (points && svg) mark(event, svg);
});
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => {
    if (!points) return;
    const drawn = points; points = null;
    trigger('click', {points: drawn});
  });
"""


def plane(taught, second, made, *, label: str) -> str:
    """The movements in the plane.

    Args:
        taught: (t, 2) the taught movement.
        second: (t, 2) another one, of which the initial state is mixed in, or None.
        made: (t, 2) what the network does.
        label: What a screen reader says.
    """
    left, top, side = 36.0, 6.0, 400.0

    def spots(values):
        return left + side * (1 + values[:, 0]) / 2, top + side * (1 - values[:, 1]) / 2

    return "".join(
        (
            f'<svg viewBox="0 0 {left + side + 8:g} {top + side + 28:g}" role="img" aria-label="{_safe(label)}">',
            f'<rect class="paper" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
            _line("taught", *spots(np.asarray(taught, float))),
            "" if second is None else _line("second", *spots(np.asarray(second, float))),
            _line("made", *spots(np.asarray(made, float))),
            _ends(*spots(np.asarray(made, float))),
            f'<rect class="frame" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
            *_corners(left, top, side, ("-1", "1"), ("x", "y")),
            "</svg>",
        )
    )


def over_time(taught, second, made, rest: int, period: int, *, label: str) -> str:
    """Both coordinates over the steps, one above the other, with a line where each cycle begins.

    Args:
        taught, second, made: As in `plane`; they begin one step after the sequence does.
        rest: Steps at the beginning before the first cycle.
        period: Steps of a cycle.
        label: What a screen reader says.
    """
    width, left, right, tall, gap = 700.0, 46.0, 690.0, 132.0, 20.0
    steps = len(made)
    across = left + (right - left) * np.arange(steps) / max(steps - 1, 1)
    parts = [f'<svg class="wide" viewBox="0 0 {width:g} 322" role="img" aria-label="{_safe(label)}">']
    for k, name in enumerate("xy"):
        top = 8 + k * (tall + gap)
        parts.append(f'<rect class="paper" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}"/>')
        for begin in range(rest - 1, steps, period):
            parts.append(
                f'<line class="grid" x1="{across[begin]:.1f}" y1="{top:g}" x2="{across[begin]:.1f}" '
                f'y2="{top + tall:g}"/>'
            )
        for style, values in (("taught", taught), ("second", second), ("made", made)):
            if values is not None:
                parts.append(_line(style, across, top + tall * (1 - np.asarray(values, float)[:, k]) / 2))
        parts += [
            f'<rect class="frame" x="{left:g}" y="{top:g}" width="{right - left:g}" height="{tall:g}"/>',
            f'<text class="quiet" x="{left - 6:g}" y="{top + 12:g}" text-anchor="end">1</text>',
            f'<text class="quiet" x="{left - 6:g}" y="{top + tall / 2 + 5:g}" text-anchor="end">{name}</text>',
            f'<text class="quiet" x="{left - 6:g}" y="{top + tall:g}" text-anchor="end">\u22121</text>',
        ]
    foot = 8 + 2 * tall + gap + 24
    parts += [
        f'<text class="quiet" x="{left:g}" y="{foot:g}">0</text>',
        f'<text class="quiet" x="{(left + right) / 2:g}" y="{foot:g}" text-anchor="middle">steps</text>',
        f'<text class="quiet" x="{right:g}" y="{foot:g}" text-anchor="end">{steps}</text>',
        "</svg>",
    ]
    return "".join(parts)


def phases(groups: dict) -> str:
    """The path of each group of units through the plane of their two main directions, side by side.

    Args:
        groups: Name of the group, such as "40 fast units" -> (t, u) activities.
    """
    return f'<div class="kz-two">{"".join(_phase(values, name) for name, values in groups.items())}</div>'


def _phase(values, name: str) -> str:
    path, share = principal(values)
    left, top, side = 36.0, 30.0, 300.0
    low, high = path.min(axis=0), path.max(axis=0)
    # At least a tenth of an activity: what hardly moves is to look as if it did not.
    half = max(float((high - low).max()) / 2 * 1.1, 0.05)
    # One scale for both directions: else a small second one would look as large as the first.
    places = (path - (low + high) / 2) / half
    x, y = left + side * (1 + places[:, 0]) / 2, top + side * (1 - places[:, 1]) / 2
    pieces = min(24, max(len(x) - 1, 1))
    cuts = np.linspace(0, len(x) - 1, pieces + 1).astype(int)
    label = f"{name}: their path in its two main directions, {len(x)} steps"
    parts = [
        f'<svg viewBox="0 0 {left + side + 8:g} {top + side + 60:g}" role="img" aria-label="{_safe(label)}">',
        f'<text x="{left:g}" y="19">{_safe(name)}</text>',
        f'<rect class="paper" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
    ]
    for i in range(pieces):
        part = slice(cuts[i], cuts[i + 1] + 1)
        parts.append(_line("path", x[part], y[part], f'style="stroke: {_hue(i / max(pieces - 1, 1))}"'))
    span = 2 * half
    foot = top + side + 46
    parts += [
        _ends(x, y),
        f'<rect class="frame" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
        f'<text class="quiet" x="{left + side / 2:g}" y="{top + side + 16:g}" text-anchor="middle">direction 1: '
        f"{100 * share[0]:.0f} % of the variance</text>",
        f'<text class="quiet" transform="translate({left - 10:g} {top + side / 2:g}) rotate(-90)" '
        f'text-anchor="middle">direction 2: {100 * share[1]:.0f} %</text>',
        f'<text class="quiet" x="{left + side - 6:g}" y="{top + 16:g}" text-anchor="end">side: {span:.2g}</text>',
        f'<text class="quiet" x="{left:g}" y="{foot:g}">step 0</text>',
        *(
            f'<rect x="{left + 58 + 7 * i:g}" y="{foot - 10:g}" width="7.5" height="10" style="fill: {_hue(i / 23)}"/>'
            for i in range(24)
        ),
        f'<text class="quiet" x="{left + 234:g}" y="{foot:g}">{len(x)}</text>',
        "</svg>",
    ]
    return "".join(parts)


def principal(values) -> tuple[np.ndarray, np.ndarray]:
    """(t, 2) coordinates of `values` (t, u) along their two main directions, and the shares of the variance (2,).

    A direction points to where its largest unit grows. What is no number counts as 0.
    """
    values = np.nan_to_num(np.asarray(values, float))
    u, s, v = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    signs = np.sign(v[np.arange(len(v)), np.abs(v).argmax(axis=1)])
    path, share = np.zeros((len(values), 2)), np.zeros(2)
    known = min(2, len(s))
    path[:, :known] = (u * s * signs)[:, :known]
    share[:known] = (s**2 / max(float((s**2).sum()), 1e-300))[:known]
    return path, share


def errors(steps, values, *, label: str, empty=()) -> str:
    """The error over the steps of training.

    Args:
        steps: (n,) rising; may be empty with the values.
        values: (n,).
        label: What a screen reader says.
        empty: Lines that stand in the chart where there is nothing to draw.
    """
    width, height, left, right, top, base = 440.0, 170.0, 46.0, 380.0, 8.0, 140.0
    kept = [(a, b) for a, b in zip(steps, values, strict=True) if math.isfinite(b)]
    # At most 240 places: finer than the pixels of a phone.
    kept = [kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, min(len(kept), 240)).astype(int))] if kept else []
    highest, last = max([b for _, b in kept], default=1.0) * 1.08 or 1.0, max([a for a, _ in kept], default=1) or 1
    parts = [
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{_safe(label)}">',
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{right:g}" y2="{base:g}"/>',
        f'<line class="frame" x1="{left:g}" y1="{top:g}" x2="{left:g}" y2="{base:g}"/>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">0</text>',
        f'<text class="quiet" x="{left:g}" y="{height - 8:g}">RMS error (plane units) by step</text>',
    ]
    if not kept:
        for i, line in enumerate(empty):
            y = base / 2 + 18 * i - 9 * (len(empty) - 1)
            parts.append(
                f'<text class="quiet" x="{(left + right) / 2:g}" y="{y:g}" text-anchor="middle">{_safe(line)}</text>'
            )
        return "".join([*parts, "</svg>"])
    x = left + (right - left) * np.array([a for a, _ in kept]) / last
    y = base - (base - top) * np.array([b for _, b in kept]) / highest
    parts += [
        f'<text class="quiet" x="{left - 6:g}" y="{top + 14:g}" text-anchor="end">{highest:.2g}</text>',
        f'<text class="quiet" x="{right:g}" y="{height - 8:g}" text-anchor="end">{last:g}</text>',
        _line("train", x, y),
        f'<text x="{x[-1] + 8:.1f}" y="{y[-1] + 5:.1f}">{kept[-1][1]:.3f}</text>',
        "</svg>",
    ]
    return "".join(parts)


def pad(points, most: float) -> str:
    """The pad on which a visitor draws a closed curve: `points` (n, 2) in [-most, most]."""
    left, top, side = 36.0, 6.0, 300.0
    closed = np.concatenate([points, points[:1]])
    x, y = left + side * (1 + closed[:, 0] / most) / 2, top + side * (1 - closed[:, 1] / most) / 2
    return "".join(
        (
            f'<svg class="pad" viewBox="0 0 {left + side + 8:g} {top + side + 24:g}" role="img" data-most="{most:g}" '
            'aria-label="A pad to draw a closed curve on; the box beneath takes it as numbers">',
            f'<rect class="paper area" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
            _line("made", x, y),
            f'<circle class="begin" cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="6"/>',
            f'<rect class="frame" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" rx="6"/>',
            *_corners(left, top, side, (f"{-most:g}", f"{most:g}"), ("x", "y")),
            "</svg>",
        )
    )


def _line(style: str, x, y, more: str = "") -> str:
    """A polyline through what of the places (n,) is a number."""
    drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b))
    return f'<polyline class="{style}" {more} points="{drawn}"/>'


def _ends(x, y) -> str:
    """The ring where a path begins and the square where it ends."""
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return ""
    return (
        f'<circle class="begin" cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="6"><title>begins here</title></circle>'
        f'<rect class="end" x="{x[-1] - 5:.1f}" y="{y[-1] - 5:.1f}" width="10" height="10">'
        "<title>ends here</title></rect>"
    )


def _corners(left, top, side, ends, names) -> list[str]:
    """The ticks and names of a square's axes."""
    low, high = (end.replace("-", "\u2212") for end in ends)
    base = top + side
    return [
        f'<text class="quiet" x="{left:g}" y="{base + 16:g}">{low}</text>',
        f'<text class="quiet" x="{left + side:g}" y="{base + 16:g}" text-anchor="end">{high}</text>',
        f'<text class="quiet" x="{left + side / 2:g}" y="{base + 16:g}" text-anchor="middle">{names[0]}</text>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">{low}</text>',
        f'<text class="quiet" x="{left - 6:g}" y="{top + 12:g}" text-anchor="end">{high}</text>',
        f'<text class="quiet" x="{left - 8:g}" y="{top + side / 2:g}" text-anchor="end">{names[1]}</text>',
    ]


def _hue(share: float) -> str:
    """Blue at 0, orange at 1, in the shades of the page, light or dark."""
    return f"color-mix(in oklab, var(--kz-class1) {100 * share:.0f}%, var(--kz-class0))"


def _safe(text: str) -> str:
    """Text for an attribute or an element."""
    return html.escape(str(text), quote=True)
