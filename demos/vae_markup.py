"""The pictures of the VAE's page as markup, and the script by which a code is dragged: arrays in, text out.

Digits are white on black on a light page and on a dark one, as those are that the models were trained on; so is the
plane of the codes, on which each test digit stands as its own numeral, so that nothing is said by colour alone.
"""

import html
import math

import drawing
import numpy as np
import pictures
from digits import CLASSES

# Ten colours that can be told apart on black.
HUES = (
    "#56b4e9", "#ff9f43", "#4fd1a5", "#f0e442", "#f29ac9",
    "#ff7a66", "#b7a4f5", "#c9d65b", "#ffffff", "#8fd3d9",
)  # fmt: skip

CSS = (
    drawing.CSS
    + pictures.CSS
    + """
.kz-two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 8px 16px; }
svg.plane { cursor: crosshair; touch-action: none; border-radius: 8px; }
/* Eight pixels a side are read more easily without their edges. */
svg.plane image, .kz-soft img { image-rendering: auto; }
svg .night { fill: #0b0d12; }
svg .code { font-size: 11.5px; font-weight: 650; text-anchor: middle; }
svg .prior { fill: none; stroke: #9aa3b2; stroke-dasharray: 4 4; }
svg .note { fill: #c8d0dc; font-size: 12px; }
svg .handle circle { fill: none; stroke: #ffb000; stroke-width: 3; }
svg .handle path { stroke: #ffb000; stroke-width: 1.5; }
svg .handle .back { stroke: #000; stroke-width: 6; stroke-opacity: 0.6; }
svg .kl { fill: #5a9bd4; } svg .rest { fill: #d98324; }
svg .each { fill: #5a9bd4; } svg .usual { stroke: var(--body-text-color); stroke-width: 1.5; stroke-dasharray: 4 3; }
.kz-way { overflow-x: auto; }
.kz-way .kz-images { min-width: 430px; }
.kz-way h3, .kz-cost h3 { font-size: 0.95rem; font-weight: 650; margin: 6px 0 4px; }
.kz-cost p { margin: 0 0 6px; font-size: 1rem; }
.kz-cost p b { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
"""
    + "".join(f"svg .h{k} {{ fill: {hue}; }}\n" for k, hue in enumerate(HUES))
)

# What `here_html` makes tells the planes that the server has answered; see DRAG.
SEEN = r"""
new MutationObserver(() => window.dispatchEvent(new Event('kz-vae-seen')))
  .observe(element, { childList: true, subtree: true, characterData: true, attributes: true });
"""

# A code is dragged, or moved with the arrow keys, in any plane of the component; the rings of all follow at once.
# "pick" tells the server where, while it moves and at last where it came to rest. New pictures of the planes are no
# answer: training brings them.
DRAG = (
    pictures.TOLD
    + r"""
let held = null, at = null, focused = -1, resting = null;
const planes = () => [...element.querySelectorAll('svg.plane')];
window.addEventListener('kz-vae-seen', answered);
function show() {
  for (const svg of planes()) {
    const area = svg.querySelector('.area'), reach = Number(svg.dataset.reach);
    const side = Number(area.getAttribute('width'));
    const x = Number(area.getAttribute('x')) + side * (1 + at.first / reach) / 2;
    const y = Number(area.getAttribute('y')) + side * (1 - at.second / reach) / 2;
    svg.querySelector('.handle').setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
  }
}
function move(first, second, reach) {
  const within = (value) => Math.round(20 * Math.min(Math.max(value, -reach), reach)) / 20;
  at = { first: within(first), second: within(second) };
  show();
  clearTimeout(resting);
  tell({ ...at, moving: true });
}
function rest(soon) {
  clearTimeout(resting);
  resting = setTimeout(() => { tell(at); at = null; }, soon ? 0 : 400);
}
function follow(svg, event) {
  const box = svg.querySelector('.area').getBoundingClientRect(), reach = Number(svg.dataset.reach);
  move(reach * (2 * (event.clientX - box.left) / box.width - 1),
    reach * (1 - 2 * (event.clientY - box.top) / box.height), reach);
}
element.addEventListener('pointerdown', (event) => {
  const svg = event.target.closest('svg.plane');
  if (!svg || event.button !== 0) return;
  event.preventDefault();
  held = planes().indexOf(svg);
  svg.focus({ preventScroll: true });
  try { element.setPointerCapture(event.pointerId); } catch (error) { /* a pointer that has gone again */ }
  follow(svg, event);
});
element.addEventListener('pointermove', (event) => {
  if (held !== null && planes()[held]) follow(planes()[held], event);
});
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => { if (held !== null) { held = null; rest(true); } });
element.addEventListener('keydown', (event) => {
  const svg = event.target.closest('svg.plane'), step = event.shiftKey ? 0.5 : 0.1;
  const to = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
  if (!svg || !to) return;
  event.preventDefault();
  const now = at || { first: Number(svg.dataset.first), second: Number(svg.dataset.second) };
  move(now.first + to[0], now.second + to[1], Number(svg.dataset.reach));
  rest(false);
});
element.addEventListener('focusin', (event) => { focused = planes().indexOf(event.target.closest('svg.plane')); });
// New pictures, as training brings them: the ring stays under the finger, and the focus where it was.
new MutationObserver(() => {
  if (at) show();
  if (focused >= 0 && document.activeElement === document.body) planes()[focused]?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true });
"""
)

LEFT, TOP, SIDE = 30.0, 6.0, 400.0


def planes_html(codes, labels, sheet, cells: int, at, reach: float) -> str:
    """The plane of the codes twice: where the encoder puts digits, and what the decoder makes of each place.

    Args:
        codes: (n, 2) codes of digits.
        labels: (n,) their classes.
        sheet: (cells * cells, h, w) images in [0, 1], row by row from the top.
        cells: Images along each side.
        at: (2,) the code under the ring.
        reach: The plane goes from -reach to reach.
    """
    codes = np.asarray(codes, float)
    inside = (np.abs(codes) <= reach).all(axis=1)
    spots = _spots(codes[inside], reach)
    numerals = "".join(
        f'<text class="code h{label}" x="{x:.1f}" y="{y + 4:.1f}">{label}</text>'
        for (x, y), label in zip(spots, np.asarray(labels)[inside], strict=True)
    )
    missing = int((~inside).sum())
    note = f"{missing} of {len(codes)} lie outside" if missing else ""
    rings = "".join(
        f'<circle class="prior" cx="{LEFT + SIDE / 2:g}" cy="{TOP + SIDE / 2:g}" r="{SIDE / 2 * k / reach:.1f}"/>'
        for k in (1, 2)
    )
    # A border of black about each, so that they do not run into each other.
    framed = np.pad(sheet, ((0, 0), (1, 1), (1, 1)))
    picture = (
        f'<image x="{LEFT:g}" y="{TOP:g}" width="{SIDE:g}" height="{SIDE:g}" preserveAspectRatio="none" '
        f'href="{pictures.sheet(framed, cells, gap=0)}"/>'
    )
    said = f"{len(codes)} test digits at their codes" + (f", {note}" if note else "")
    noted = f'<text class="note" x="{LEFT + 8:g}" y="{TOP + 18:g}">{note}</text>' if note else ""
    return (
        f'<div class="kz-two">{_plane(rings + numerals + noted, at, reach, said)}'
        f"{_plane(picture, at, reach, f'What the decoder makes of {cells * cells} codes')}</div>"
    )


def _plane(inside: str, at, reach: float, said: str) -> str:
    x, y = _spots(np.array([at], float), reach)[0]
    base, low, high = TOP + SIDE, f"\u2212{reach:g}", f"{reach:g}"
    return (
        f'<svg class="plane" viewBox="0 0 {LEFT + SIDE + 8:g} {base + 24:g}" role="img" tabindex="0" '
        f'data-reach="{reach:g}" data-first="{at[0]:g}" data-second="{at[1]:g}" '
        f'aria-label="{_safe(said)}. The ring is at {at[0]:.2f}, {at[1]:.2f}. Arrow keys move it.">'
        f'<rect class="night area" x="{LEFT:g}" y="{TOP:g}" width="{SIDE:g}" height="{SIDE:g}"/>{inside}'
        f'<rect class="frame" x="{LEFT:g}" y="{TOP:g}" width="{SIDE:g}" height="{SIDE:g}"/>'
        f'<g class="handle" transform="translate({x:.1f} {y:.1f})"><circle class="back" r="13"/><circle r="13"/>'
        '<path d="M-4 0h8M0 -4v8"/></g>'
        f'<text class="quiet" x="{LEFT:g}" y="{base + 17:g}">{low}</text>'
        f'<text class="quiet" x="{LEFT + SIDE / 2:g}" y="{base + 17:g}" text-anchor="middle">first number</text>'
        f'<text class="quiet" x="{LEFT + SIDE:g}" y="{base + 17:g}" text-anchor="end">{high}</text>'
        f'<text class="quiet" x="{LEFT - 5:g}" y="{base:g}" text-anchor="end">{low}</text>'
        f'<text class="quiet" x="{LEFT - 5:g}" y="{TOP + 12:g}" text-anchor="end">{high}</text>'
        f'<text class="quiet" transform="translate({LEFT - 9:g} {TOP + SIDE / 2:g}) rotate(-90)" '
        'text-anchor="middle">second number</text></svg>'
    )


def _spots(codes, reach: float) -> np.ndarray:
    """Codes (n, 2) as places in the drawing."""
    return np.stack([LEFT + SIDE * (1 + codes[:, 0] / reach) / 2, TOP + SIDE * (1 - codes[:, 1] / reach) / 2], axis=-1)


def here_html(image, at, neighbour, label: int, distance: float) -> str:
    """The code under the ring, decoded, beside the test digit whose code is nearest to it."""
    names = [
        f"the code ({at[0]:.2f}, {at[1]:.2f}), decoded".replace("-", "\u2212"),
        f"the test digit whose code is nearest: a {label}, {distance:.2f} away",
    ]
    tiles = pictures.grid([image, neighbour], label="Under the ring", names=names, side=190, columns=2)
    return f'<div class="kz-soft">{tiles}</div>'


def costs_svg(epochs, reconstruction, kl, *, trained: bool = False) -> str:
    """Both parts of the bound by epoch, one on top of the other.

    Args:
        epochs: (n,) rising; may be empty with the others.
        reconstruction, kl: (n,) nats an image.
        trained: Whether it is a preset, which brings no curve.
    """
    width, height, left, right, base = 700.0, 200.0, 50.0, 520.0, 164.0
    keep = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 240)).astype(int)) if len(epochs) else []
    kept = [(epochs[i], kl[i], reconstruction[i]) for i in keep]
    kept = [row for row in kept if all(math.isfinite(value) and abs(value) < 1e6 for value in row)]
    label = "Reconstruction and KL of the test digits by epoch"
    if kept:
        label += f"; at last {kept[-1][2]:.1f} and {kept[-1][1]:.1f} nats"
    parts = [
        f'<svg class="wide" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}">',
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{right:g}" y2="{base:g}"/>',
        f'<line class="frame" x1="{left:g}" y1="8" x2="{left:g}" y2="{base:g}"/>',
        f'<text class="quiet" x="{left - 6:g}" y="{base:g}" text-anchor="end">0</text>',
        f'<text class="quiet" x="{left:g}" y="{height - 8:g}">nats a test digit, by epoch</text>',
    ]
    if len(kept) < 2:
        lines = drawing.NO_CURVE if trained else drawing.NOTHING_YET
        for i, line in enumerate(lines):
            parts.append(
                f'<text class="quiet" x="{(left + right) / 2:g}" y="{80 + 26 * i:g}" text-anchor="middle">{line}</text>'
            )
        return "".join([*parts, "</svg>"])
    x, low, high = (np.array(values, float) for values in zip(*kept, strict=True))
    most = float((low + high).max()) * 1.05
    across = left + (right - left) * (x - x[0]) / (x[-1] - x[0])
    floor, middle, top = (base - (base - 8) * values / most for values in (0 * low, low, low + high))
    for style, a, b in (("kl", floor, middle), ("rest", middle, top)):
        edge = [*zip(across, b, strict=True), *zip(across[::-1], a[::-1], strict=True)]
        parts.append(f'<polygon class="{style}" points="{" ".join(f"{u:.1f},{v:.1f}" for u, v in edge)}"/>')
    names = [
        [float(top[-1] + middle[-1]) / 2 + 5, f"reconstruction {high[-1]:.1f}"],
        [float(middle[-1] + base) / 2 + 5, f"KL {low[-1]:.1f}"],
    ]
    names[1][0] = min(max(names[1][0], names[0][0] + 24), base + 8)
    parts += [f'<text x="{right + 8:g}" y="{y:.1f}">{text}</text>' for y, text in names]
    parts += [
        f'<text class="quiet" x="{left - 6:g}" y="20" text-anchor="end">{most:.0f}</text>',
        f'<text class="quiet" x="{right:g}" y="{height - 8:g}" text-anchor="end">{x[-1]:.0f}</text>',
        "</svg>",
    ]
    return "".join(parts)


# --- the model of fifty numbers ------------------------------------------------------------------------------------


def through_html(image, reconstruction) -> str:
    """A drawing as the model gets it, and what comes out."""
    names = ["what goes in: 28 x 28 pixels", "what comes out of its code"]
    return pictures.grid([image, reconstruction], label="Through the code", names=names, side=220, columns=2)


def cost_html(reconstruction: float, kl: float, each, usual) -> str:
    """The bound of one drawing, split, and the KL of each number of its code.

    Args:
        reconstruction, kl: In nats.
        each: (k,) KL of each number, in nats.
        usual: The same two for the mean of MNIST's test digits.
    """
    total, wide, left = reconstruction + kl, 460.0, 118.0
    scale = (wide - left - 46) / max(total, sum(usual), 1.0)
    bars = ""
    for row, (name, (cost, divergence)) in enumerate((("this drawing", (reconstruction, kl)), ("MNIST, mean", usual))):
        y = 6 + 34 * row
        split, end = left + scale * divergence, left + scale * (cost + divergence)
        bars += (
            f'<text x="{left - 8:g}" y="{y + 17:g}" text-anchor="end">{name}</text>'
            f'<rect class="kl" x="{left:g}" y="{y:g}" width="{split - left:.1f}" height="24"/>'
            f'<rect class="rest" x="{split:.1f}" y="{y:g}" width="{end - split:.1f}" height="24"/>'
            f'<text x="{end + 6:.1f}" y="{y + 17:g}">{cost + divergence:.0f}</text>'
        )
    said = f"{total:.1f} nats, KL {kl:.1f} and reconstruction {reconstruction:.1f}; MNIST's mean {sum(usual):.1f}"
    bar = f'<svg viewBox="0 0 {wide:g} 72" role="img" aria-label="{_safe(said)}">{bars}</svg>'
    return (
        '<div class="kz-cost"><h3>What it costs</h3>'
        f'<p><b>{total:.1f}</b> nats = <b style="color:var(--kz-class0)">{kl:.1f}</b> for the code (KL) + '
        f'<b style="color:var(--kz-class1)">{reconstruction:.1f}</b> for the pixels, given the code</p>{bar}'
        f"<h3>Its code</h3>{_each_svg(np.asarray(each, float))}</div>"
    )


def _each_svg(each) -> str:
    """A bar for each number of a code, the largest first."""
    order, width, left, base = np.argsort(-each), 460.0, 34.0, 104.0
    most = max(float(each.max()), 1.0)
    used = int((each > 0.1).sum())
    step = (width - left - 6) / len(each)
    bars = "".join(
        f'<rect class="each" x="{left + step * i:.1f}" y="{base - max(92 * each[k] / most, 0.6):.1f}" '
        f'width="{step - 1.5:.1f}" height="{max(92 * each[k] / most, 0.6):.1f}"><title>number {k}: {each[k]:.2f} nats'
        "</title></rect>"
        for i, k in enumerate(order)
    )
    said = f"{used} of the {len(each)} numbers say more than 0.1 nats; the most {each.max():.1f}"
    return (
        f'<svg viewBox="0 0 {width:g} {base + 26:g}" role="img" aria-label="{said}">'
        f'<line class="frame" x1="{left:g}" y1="{base:g}" x2="{width - 6:g}" y2="{base:g}"/>{bars}'
        f'<text class="quiet" x="{left - 5:g}" y="20" text-anchor="end">{most:.1f}</text>'
        f'<text class="quiet" x="{left - 5:g}" y="{base:g}" text-anchor="end">0</text>'
        f'<text class="quiet" x="{left:g}" y="{base + 18:g}">{said} (nats)</text></svg>'
    )


def way_html(decoded, mixed, end: str) -> str:
    """The way from the drawing to another digit, in codes and in pixels, step by step.

    Args:
        decoded, mixed: (s, 28, 28), at equal shares from the one to the other.
        end: Name of the other digit.
    """
    shares = [f"{100 * k / (len(decoded) - 1):.0f} %" for k in range(len(decoded))]
    rows = "".join(
        f"<h3>{title}</h3>{pictures.grid(row, label=title, names=shares, side=110, columns=len(row))}"
        for title, row in (
            (f"Through the codes, from your drawing to the example {end}", decoded),
            ("The same shares of the pixels", mixed),
        )
    )
    return f'<div class="kz-way" tabindex="0" role="group" aria-label="From digit to digit">{rows}</div>'


def samples_html(images, spread: float) -> str:
    """Digits that nobody wrote."""
    return pictures.grid(images, label=f"New digits, spread {spread:g}", side=92)


EXAMPLES = CLASSES


def _safe(text: str) -> str:
    return html.escape(str(text), quote=True)
