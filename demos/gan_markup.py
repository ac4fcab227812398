"""The pictures of the GAN's page: the game in the plane and its losses as SVG, images by class. Arrays in, text out.

What is real is blue and round, what is made orange and square; the plane has the colour of what the discriminator takes
each place for.
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
svg .halo { stroke: var(--kz-paper); fill: none; } svg .real { stroke: var(--kz-class0); fill: none; }
svg .made { stroke: var(--kz-class1); fill: none; } svg .pull { stroke: var(--body-text-color); fill: none; }
svg .dot { stroke-linecap: round; } svg .box { stroke-linecap: square; }
svg .blue { stroke: var(--kz-class0); fill: none; stroke-width: 2; }
svg .orange { stroke: var(--kz-class1); fill: none; stroke-width: 2; stroke-dasharray: 6 3; }
svg .even { stroke-width: 1; stroke-dasharray: 2 5; }
svg .bluetext { fill: var(--kz-class0); } svg .orangetext { fill: var(--kz-class1); }
.kz-legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0 0 4px; padding: 0; list-style: none;
  font-size: 0.9rem; color: var(--body-text-color); }
.kz-legend li { display: flex; align-items: center; gap: 6px; margin: 0; }
.kz-legend svg { width: 18px; height: 18px; flex: none; }
.kz-board { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 8px; max-width: 780px; }
.kz-board ol { display: grid; margin: 0; padding: 0; list-style: none; font-size: 0.95rem; font-weight: 600;
  color: var(--body-text-color); }
.kz-board li { display: flex; align-items: center; margin: 0; }
.kz-board p { grid-column: 2; display: flex; justify-content: space-between; margin: 4px 0 0; font-size: 0.85rem;
  color: var(--kz-quiet); }
.kz-here .kz-images { justify-content: start; }
"""
)

LEGEND = (
    '<ul class="kz-legend">'
    '<li><svg viewBox="0 0 18 18" aria-hidden="true"><path class="real dot" stroke-width="9" d="M9 9h.01"/></svg>'
    "real points</li>"
    '<li><svg viewBox="0 0 18 18" aria-hidden="true"><path class="made box" stroke-width="8" d="M9 9h.01"/></svg>'
    "made by the generator</li>"
    '<li><svg viewBox="0 0 18 18" aria-hidden="true"><rect width="18" height="18" rx="3" fill="rgb(0 114 178 / 55%)"/>'
    "</svg>the discriminator says: real</li>"
    '<li><svg viewBox="0 0 18 18" aria-hidden="true"><rect width="18" height="18" rx="3" fill="rgb(230 159 0 / 55%)"/>'
    "</svg>it says: made</li>"
    '<li><svg viewBox="0 0 18 18" aria-hidden="true"><path class="pull" stroke-width="2" d="M2 9H15M10 4L15 9L10 14"/>'
    "</svg>where that drives the made points</li></ul>"
)


def plane(field, reach: float, real, made, pulls, *, label: str, clickable: bool = False) -> str:
    """The game: the discriminator's answer as colour, both kinds of points, and arrows.

    Args:
        field: (GRID, GRID), rows from bottom to top, from -1, taken for real, to 1, taken for made.
        reach: The plane is [-reach, reach] x [-reach, reach].
        real: (n, 2).
        made: (m, 2).
        pulls: (k, 2) arrows of the first k made points, of which nine in ten are drawn at their relative lengths, the
            longest ones cut; None for no arrows.
        label: What a screen reader says.
        clickable: Whether a click places something (the page's script reads the corners from here).
    """
    size, pad = 400.0, 30.0
    scale = size / (2 * reach)

    def spots(points):
        points = np.asarray(points, float).reshape(-1, 2)
        # What has run away far beyond the plane is cut off; a coordinate that is no number lies nowhere.
        points = np.clip(points[np.isfinite(points).all(axis=1)], -4 * reach, 4 * reach)
        return np.stack([pad + (points[:, 0] + reach) * scale, 6 + size - (points[:, 1] + reach) * scale], axis=1)

    def dots(points, kind, shape, width):
        places = "".join(f"M{x:.1f} {y:.1f}h.01" for x, y in spots(points))
        return (
            f'<path class="halo {shape}" stroke-width="{width + 1.6:g}" d="{places}"/>'
            f'<path class="{kind} {shape}" stroke-width="{width:g}" d="{places}"/>'
            if places
            else ""
        )

    corners = f'data-low="{-reach:g},{-reach:g}" data-high="{reach:g},{reach:g}"'
    area = f'x="{pad:g}" y="6" width="{size:g}" height="{size:g}"'
    parts = [
        LEGEND,
        f'<svg viewBox="0 0 {size + pad + 6:g} {size + 30:g}" role="img" aria-label="{html.escape(label, quote=True)}" '
        f'class="kz-plane{" clickable" if clickable else ""}" {corners}>',
        f'<clipPath id="kz-game"><rect {area} rx="6"/></clipPath><g clip-path="url(#kz-game)">',
        f'<rect class="paper area" {area}/>',
        f'<image {area} preserveAspectRatio="none" href="{drawing.picture(field)}"/>',
        dots(real, "real", "dot", 4.5),
        dots(made, "made", "box", 3.6),
        "" if pulls is None else _arrows(spots, np.asarray(made, float)[: len(pulls)], np.asarray(pulls, float), reach),
        "</g>",
        f'<rect class="frame" {area} rx="6"/>',
    ]
    base = size + 22
    for x, anchor, text in ((pad, "start", f"{-reach:g}"), (pad + size, "end", f"{reach:g}")):
        parts.append(f'<text class="quiet" x="{x:g}" y="{base:g}" text-anchor="{anchor}">{text}</text>')
    parts.append(f'<text class="quiet" x="{pad + size / 2:g}" y="{base:g}" text-anchor="middle">x\u2081</text>')
    for y, text in ((6 + size, f"{-reach:g}"), (18, f"{reach:g}"), (6 + size / 2, "x\u2082")):
        parts.append(f'<text class="quiet" x="{pad - 6:g}" y="{y:g}" text-anchor="end">{text}</text>')
    return "".join([*parts, "</svg>"])


def _arrows(spots, points, pulls, reach: float) -> str:
    """Arrows from points (k, 2) along pulls (k, 2), as one path."""
    good = np.isfinite(points).all(axis=1) & np.isfinite(pulls).all(axis=1)
    points, pulls = points[good], pulls[good]
    lengths = np.linalg.norm(pulls, axis=1)
    if not len(lengths) or lengths.max() < 1e-12:
        return ""
    longest = 0.16 * reach
    along = pulls / np.maximum(lengths, 1e-12)[:, None]
    shown = longest * np.minimum(lengths / max(np.quantile(lengths, 0.9), 1e-12), 1)
    places = []
    for (x, y), (u, v) in zip(spots(points), spots(points + along * shown[:, None]), strict=True):
        length = math.hypot(u - x, v - y)
        if length < 2:
            continue
        a, b, tip = (u - x) / length, (v - y) / length, min(4.0, length / 2)
        places.append(
            f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}"
            f"M{u - tip * (a + b):.1f} {v - tip * (b - a):.1f}L{u:.1f} {v:.1f}"
            f"L{u - tip * (a - b):.1f} {v - tip * (b + a):.1f}"
        )
    return f'<path class="pull" stroke-width="1.2" d="{"".join(places)}"/>'


def losses(counts, discriminator, generator, objective: str) -> str:
    """Both losses by step.

    Args:
        counts: (n,) steps, rising; may be empty with the others.
        discriminator, generator: (n,) losses.
        objective: With "non_saturating" the losses of a discriminator that tosses a coin are drawn, too.
    """
    width, height, left, right, base = 520.0, 170.0, 40.0, 170.0, 132.0
    finite = [v for v in (*discriminator, *generator) if math.isfinite(v)]
    even = (2 * math.log(2), math.log(2)) if objective == "non_saturating" else (None, None)
    top, low = max([*finite, *(e for e in even if e), 0.1]) * 1.06, min([*finite, 0.0]) * 1.06
    last = max(float(counts[-1]) if len(counts) else 1.0, 1.0)

    def y(value):
        return base - (base - 10) * (value - low) / (top - low)

    said = "Losses by step"
    for name, values in (("discriminator", discriminator), ("generator", generator)):
        if len(values) and math.isfinite(values[-1]):
            said += f", {name} {values[-1]:.2f}"
    parts = [
        f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{said}">',
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{width - right:g}" y2="{base:g}"/>',
        f'<line class="frame" x1="{left:g}" y1="8" x2="{left:g}" y2="{base:g}"/>',
        f'<text class="quiet" x="{left:g}" y="{height - 10:g}">loss by step</text>',
    ]
    if low < 0:
        parts.append(f'<line class="frame" x1="{left:g}" y1="{y(0):.1f}" x2="{width - right:g}" y2="{y(0):.1f}"/>')
    if not finite:
        parts.append(
            f'<text class="quiet" x="{(left + width - right) / 2:g}" y="{base / 2:g}" text-anchor="middle">'
            f"{drawing.NOTHING_YET[0]}</text></svg>"
        )
        return "".join(parts)
    parts += [
        f'<text class="quiet" x="{left - 6:g}" y="22" text-anchor="end">{top:.2g}</text>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">{low:.2g}</text>',
        f'<text class="quiet" x="{width - right:g}" y="{height - 10:g}" text-anchor="end">{last:.0f}</text>',
    ]
    keep = np.unique(np.linspace(0, len(counts) - 1, min(len(counts), 240)).astype(int))
    ends = []
    for name, style, values, coin in (
        ("discriminator", "blue", discriminator, even[0]),
        ("generator", "orange", generator, even[1]),
    ):
        if coin:
            parts.append(f'<path class="{style} even" d="M{left:g} {y(coin):.1f}H{width - right:g}"/>')
        spots = [
            (left + (width - left - right) * counts[i] / last, y(values[i])) for i in keep if math.isfinite(values[i])
        ]
        if spots:
            drawn = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
            parts.append(f'<polyline class="{style}" points="{drawn}"/>')
            ends.append([spots[-1][1] + 4, name, style, f"{values[keep[-1]]:.2f}"])
    ends.sort()
    if len(ends) == 2 and ends[1][0] - ends[0][0] < 54:  # two names of two lines that would cover each other
        middle = min(max((ends[0][0] + ends[1][0]) / 2, 46), base - 50)
        ends[0][0], ends[1][0] = middle - 27, middle + 27
    parts += [
        f'<text class="{style}text" x="{width - right + 8:g}" y="{min(at, base - 26):.1f}">{name}'
        f'<tspan x="{width - right + 8:g}" dy="24">{value}</tspan></text>'
        for at, name, style, value in ends
    ]
    return "".join([*parts, "</svg>"])


def board(images, names, *, label: str, columns: int, ends=None) -> str:
    """Rows of images, each with the name of its class.

    Args:
        images: (r * columns, h, w, 1), row by row.
        names: r texts.
        label: What a screen reader says.
        columns: Images a row.
        ends: Words beneath the first and the last column; None for none.
    """
    rows = "".join(f"<li>{html.escape(str(name))}</li>" for name in names)
    beneath = "" if ends is None else "<p>" + "".join(f"<span>{html.escape(end)}</span>" for end in ends) + "</p>"
    return (
        f'<div class="kz-board"><ol style="grid-template-rows:repeat({len(names)},1fr)" aria-hidden="true">{rows}</ol>'
        f"{pictures.sheet_html(images, columns, label=label, gap=2)}{beneath}</div>"
    )


def place(images, names, share: int) -> str:
    """The images (n, h, w, 1) at `share` per cent of a way, with their names."""
    label = f"The classes at {share} % of the way"
    return f'<div class="kz-here">{pictures.grid(images, label=label, names=names, columns=5, side=72)}</div>'
