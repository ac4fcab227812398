"""What the charts of the page of spiking neurons are made of: a frame with axes, and their looks. SVG as text.

The membrane is blue, a spike orange; what a formula says is a line, what was measured a dot, so that nothing is told by
colour alone.
"""

import html
import math

import drawing
import numpy as np
import pictures

CSS = (
    drawing.CSS
    + pictures.CSS
    + """
.kz-title { font-size: 0.98rem; font-weight: 650; margin: 2px 0 4px; color: var(--body-text-color); }
.kz-said { font-size: 0.95rem; line-height: 1.5; margin: 2px 0 4px; color: var(--body-text-color); }
.kz-said.wrong { border-left: 4px solid var(--kz-class1); padding-left: 10px; }
svg.mid { max-width: 620px; }
svg .grid { stroke: var(--kz-quiet); stroke-opacity: 0.2; }
svg .volt { fill: none; stroke: var(--kz-class0); stroke-width: 1.8; stroke-linejoin: round; }
svg .amp { fill: none; stroke: var(--body-text-color); stroke-width: 1.8; stroke-linejoin: round; }
svg .pale { stroke-opacity: 0.35; stroke-width: 1; }
svg .spike { fill: none; stroke: var(--kz-class1); stroke-width: 2; }
svg .level { fill: none; stroke: var(--body-text-color); stroke-dasharray: 7 4; stroke-width: 1.3; }
svg .faint { fill: none; stroke: var(--kz-quiet); stroke-dasharray: 2 4; stroke-width: 1.2; }
svg .theory { fill: none; stroke: var(--body-text-color); stroke-width: 2; }
svg .exact { fill: none; stroke: var(--kz-quiet); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .dot { fill: var(--kz-class0); stroke: var(--kz-paper); stroke-width: 0.8; }
svg .now { fill: none; stroke: var(--kz-class1); stroke-width: 3; }
svg .over { paint-order: stroke; stroke: var(--kz-paper); stroke-width: 4; stroke-linejoin: round; }
svg .hold { fill: var(--kz-class1); fill-opacity: 0.1; }
svg.draws { touch-action: none; } svg.draws .drawn { cursor: crosshair; fill: transparent; }
svg .engine { fill: none; stroke-linejoin: round; }
svg .e0 { stroke: var(--kz-quiet); stroke-width: 8; stroke-opacity: 0.4; }
svg .e1 { stroke: var(--kz-class1); stroke-width: 3.6; } svg .e2 { stroke: var(--kz-class0); stroke-width: 1.6; }
svg.brunel { cursor: crosshair; touch-action: manipulation; } svg.brunel image { image-rendering: auto; }
svg .letter { cursor: pointer; } svg .letter circle { fill: var(--kz-paper); stroke: var(--body-text-color); }
svg .letter text { font-weight: 700; } svg .ring { pointer-events: none; }
svg .ring circle { fill: none; stroke: var(--kz-class0); stroke-width: 4; }
svg .winner { fill: none; stroke: var(--kz-class1); stroke-width: 3.5; }
svg .second { fill: none; stroke: var(--kz-class0); stroke-width: 2.4; stroke-dasharray: 7 4; }
svg .other { fill: none; stroke: var(--kz-quiet); stroke-opacity: 0.45; stroke-width: 1.3; }
svg .winnertext { fill: var(--kz-class1); font-weight: 700; font-size: 15px; }
svg .secondtext { fill: var(--kz-class0); font-weight: 700; }
svg image { image-rendering: pixelated; }
svg .volume { fill: var(--kz-class0); }
.kz-table { overflow-x: auto; } .kz-table :is(table, thead, tbody, tr) { border: 0 !important; }
.kz-table table { width: 100%; border-collapse: collapse; margin: 0; font-size: 0.92rem;
  font-variant-numeric: tabular-nums; color: var(--body-text-color); }
.kz-table th, .kz-table td { padding: 5px 10px 5px 0; text-align: right; font-weight: 400; vertical-align: top;
  border: solid var(--border-color-primary); border-width: 0 0 1px !important; }
.kz-table thead th { color: var(--kz-quiet); } .kz-table b { font-weight: 650; }
.kz-table th:first-child, .kz-table td:first-child, .kz-table .words { text-align: left; }
.kz-key { display: inline-block; width: 22px; margin-right: 8px; vertical-align: middle; border-radius: 4px; }
.kz-key.e0 { height: 8px; background: var(--kz-quiet); opacity: 0.4; }
.kz-key.e1 { height: 4px; background: var(--kz-class1); } .kz-key.e2 { height: 2px; background: var(--kz-class0); }
@media (max-width: 640px) {
  svg.mid text, svg.mid .quiet { font-size: 18px; }
  svg.wide .spare, svg.mid .spare { display: none; }
  .kz-engines table { font-size: 0.8rem; }
  .kz-engines .kz-key { width: 12px; margin-right: 4px; }
  .kz-engines tr { display: grid; grid-template-columns: 19fr 12fr 24fr 14fr 19fr; }
  .kz-engines tr > * { border-bottom: 0 !important; padding: 5px 0 0; }
  .kz-engines tr > .words { grid-column: 1 / -1; padding-bottom: 6px; border-bottom: 1px solid !important;
    border-color: var(--border-color-primary) !important; }
}
"""
)

WIDE = 700.0


class Frame:
    """A rectangle with axes: from the data's units to places in the drawing."""

    def __init__(self, left, right, top, base, x, y):
        """left, right, top, base: edges in the drawing. x, y: (least, greatest) of the data."""
        self.left, self.right, self.top, self.base = left, right, top, base
        (self.x0, self.x1), (self.y0, self.y1) = x, y

    def x(self, value):
        return self.left + (self.right - self.left) * (np.asarray(value, float) - self.x0) / (self.x1 - self.x0)

    def y(self, value):
        return self.base - (self.base - self.top) * (np.asarray(value, float) - self.y0) / (self.y1 - self.y0)

    def box(self, kind: str, extra: str = "") -> str:
        return (
            f'<rect class="{kind}" x="{self.left:g}" y="{self.top:g}" width="{self.right - self.left:g}" '
            f'height="{self.base - self.top:g}" {extra}/>'
        )

    def line(self, x, y, kind: str) -> str:
        """A curve through points, drawn inside of the frame alone."""
        places = zip(self.x(x).tolist(), np.clip(self.y(y), self.top, self.base).tolist(), strict=True)
        return f'<polyline class="{kind}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in places)}"/>'

    def across(self, value, kind: str) -> str:
        """A level line, where it lies within the frame."""
        if not self.y0 <= value <= self.y1:
            return ""
        y = float(self.y(value))
        return f'<line class="{kind}" x1="{self.left:g}" y1="{y:.1f}" x2="{self.right:g}" y2="{y:.1f}"/>'

    def up(self, value, kind: str) -> str:
        """An upright line, where it lies within the frame."""
        if not self.x0 <= value <= self.x1:
            return ""
        x = float(self.x(value))
        return f'<line class="{kind}" x1="{x:.1f}" y1="{self.top:g}" x2="{x:.1f}" y2="{self.base:g}"/>'

    def axes(self, *, title: str = "", below: str = "", heights=None, widths=None) -> str:
        """Paper, ticks with faint lines, a title above and the name of the horizontal axis beneath."""
        parts = [self.box("paper"), self.box("frame")]
        for value in ticks(self.y0, self.y1) if heights is None else heights:
            y = float(self.y(value))
            parts.append(self.across(value, "grid"))
            parts.append(f'<text class="quiet" x="{self.left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{said(value)}')
            parts.append("</text>")
        for value in ticks(self.x0, self.x1, 6) if widths is None else widths:
            x = float(self.x(value))
            parts.append(f'<text class="quiet" x="{x:.1f}" y="{self.base + 17:g}" text-anchor="middle">{said(value)}')
            parts.append("</text>")
        if title:
            parts.append(f'<text x="{self.left:g}" y="{self.top - 8:g}">{safe(title)}</text>')
        if below:
            parts.append(
                f'<text class="quiet" x="{(self.left + self.right) / 2:g}" y="{self.base + 36:g}" '
                f'text-anchor="middle">{safe(below)}</text>'
            )
        return "".join(parts)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers within low..high."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * share for share in (1, 2, 2.5, 5, 10) if power * share >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def said(value: float, digits: int = 4) -> str:
    """A number as an axis shows it, with a real minus."""
    return f"{0.0 + round(value, 12):.{digits}g}".replace("-", "\u2212")


def safe(text) -> str:
    return html.escape(str(text), quote=True)


def thinned(values, buckets: int = 300) -> np.ndarray:
    """Indices of (t,) values that draw the same curve: of each of many stretches its first, least and greatest."""
    values = np.asarray(values)
    if len(values) <= 3 * buckets:
        return np.arange(len(values))
    width = -(-len(values) // buckets)
    # The last stretch is filled up with its last value, whose index is then put right.
    filled = np.pad(values, (0, -len(values) % width), mode="edge").reshape(-1, width)
    starts = np.arange(len(filled)) * width
    found = np.concatenate([starts, starts + filled.argmin(axis=1), starts + filled.argmax(axis=1), [len(values) - 1]])
    return np.unique(np.minimum(found, len(values) - 1))


def spread(low: float, high: float, least: float, share: float = 0.08) -> tuple[float, float]:
    """A range with some air about it, `least` wide at least."""
    middle, half = (low + high) / 2, max(high - low, least) / 2
    return middle - half * (1 + 2 * share), middle + half * (1 + 2 * share)


def note_html(text: str, wrong: bool = False) -> str:
    """A sentence under a picture; with a bar at its side where something is not possible."""
    return f'<p class="kz-said{" wrong" if wrong else ""}" role="status">{safe(text)}</p>'
