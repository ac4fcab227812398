"""The charts of the pages of spiking neurons: arrays in, SVG as text out.

Times in ms, voltages in mV, currents in nA, rates in Hz. The membrane is blue, a spike orange; what a formula says is
a line, what was measured a dot, so that nothing is told by colour alone.
"""

import html
import math

import drawing
import numpy as np

CSS = (
    drawing.CSS
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
}
"""
)

# The visitor draws the current: `drawn` is the area, `data-values` what it shows. One drawing at a time goes to the
# server, the newest as soon as the answer to the one before is there.
DRAW = r"""
let values = null, last = null, next = false, busy = 0;
const send = () => {
  busy = 0;
  if (!next) return;
  next = false;
  busy = setTimeout(send, 1500);  // an answer that changes nothing is not seen
  trigger('pick', { values: values.map(value => value.toFixed(3)).join(', ') });
};
const changed = () => { next = true; if (!busy) send(); };
new MutationObserver(() => { if (busy) { clearTimeout(busy); busy = setTimeout(send, 40); } })
  .observe(element, { childList: true, subtree: true });
function put(event) {
  const area = element.querySelector('svg.draws .drawn');
  if (!area) return;
  const box = area.getBoundingClientRect(), count = values.length;
  const low = Number(area.dataset.low), high = Number(area.dataset.high);
  const at = Math.min(count - 1, Math.max(0, Math.floor(count * (event.clientX - box.left) / box.width)));
  const up = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  const value = Math.min(1, Math.max(-1, high - up * (high - low)));
  const from = last === null ? at : last[0], before = last === null ? value : last[1];
  for (let i = Math.min(from, at); i <= Math.max(from, at); i++)
    values[i] = at === from ? value : before + (value - before) * (i - from) / (at - from);
  last = [at, value];
  changed();
}
element.addEventListener('pointerdown', event => {
  const area = event.target.closest('.drawn');
  if (!area || event.button !== 0) return;
  event.preventDefault();
  values = area.dataset.values.split(',').map(Number); last = null;
  try { element.setPointerCapture(event.pointerId); } catch (error) { /* a pointer that has gone again */ }
  put(event);
});
element.addEventListener('pointermove', event => { if (last !== null) put(event); });
for (const end of ['pointerup', 'pointercancel'])
  element.addEventListener(end, () => { if (last !== null) { last = null; changed(); } });
"""

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


def _span(low: float, high: float, least: float, share: float = 0.08) -> tuple[float, float]:
    """A range with some air about it, `least` wide at least."""
    middle, half = (low + high) / 2, max(high - low, least) / 2
    return middle - half * (1 + 2 * share), middle + half * (1 + 2 * share)


def trace_svg(
    dt, current, voltage, spikes, *, threshold, rest, rheobase, held=0.0, label: str, clean=None, drawn=None
) -> str:
    """The current into a neuron and its voltage, one above the other, with drawn spikes.

    Args:
        dt: ms.
        current: (t,) nA.
        voltage: (t,) mV.
        spikes: (t,) bool.
        threshold, rest: mV.
        rheobase: nA.
        held: ms after each spike in which the voltage is held.
        label: What a screen reader says.
        clean: (t,) nA, the current without its white noise; None where it has none.
        drawn: The values of a current that the visitor draws, nA; None where it is not drawn.
    """
    current, voltage = np.asarray(current, float), np.asarray(voltage, float)
    steps = np.flatnonzero(spikes)
    end = len(current) * dt
    low, high = min(current.min(), 0.0, rheobase), max(current.max(), rheobase, 0.0)
    if drawn is not None:
        low, high = min(low, -0.2), max(high, 0.8)
    above = Frame(62.0, WIDE - 24, 26.0, 122.0, (0, end), _span(low, high, 0.1))
    # Room above the threshold for the strokes; voltages far below rest do not flatten the rest.
    bottom = max(min(voltage.min(), rest), threshold - 120.0)
    tall = max(threshold - bottom, 5.0)
    below = Frame(62.0, WIDE - 24, 156.0, 372.0, (0, end), (bottom - 0.1 * tall, threshold + 0.45 * tall))
    parts = [
        f'<svg class="wide{" draws" if drawn is not None else ""}" viewBox="0 0 {WIDE:g} 414" role="img" '
        f'aria-label="{safe(label)}">',
        above.axes(title="Current I (nA)", widths=()),
        above.across(rheobase, "level"),
        below.axes(title="Voltage V (mV)", below="time (ms)"),
    ]
    if held > 0 and len(steps) <= 120:
        x = below.x(steps * dt)
        wide = float(below.x(held) - below.x(0))
        parts += [
            f'<rect class="hold" x="{a:.1f}" y="{below.top:g}" width="{min(wide, below.right - a):.1f}" '
            f'height="{below.base - below.top:g}"/>'
            for a in x.tolist()
        ]
    for values, kind in ((current, "amp" if clean is None else "amp pale"), (clean, "amp")):
        if values is not None:
            keep = thinned(values)
            # A current is held for each step: its corners are drawn.
            x, y = np.repeat(keep * dt, 2)[1:], np.repeat(values[keep], 2)[:-1]
            parts.append(above.line(np.append(x, end), np.append(y, values[-1]), kind))
    keep = np.unique(np.concatenate([thinned(voltage), steps, np.minimum(steps + 1, len(voltage) - 1)]))
    parts.append(below.line(keep * dt, voltage[keep], "volt"))
    tip, foot = below.top + 6, float(below.y(threshold))
    if len(steps):
        # More strokes than pixels say nothing more.
        places = np.unique(np.round(below.x(steps * dt), 1))
        parts.append(f'<path class="spike" d="{"".join(f"M{a:.1f} {foot:.1f}V{tip:.1f}" for a in places.tolist())}"/>')
    parts += [below.across(threshold, "level"), below.across(rest, "faint")]
    for frame, value, name in (
        (above, rheobase, "rheobase"), (below, threshold, "threshold"), (below, rest, "rest"),
    ):  # fmt: skip
        if frame.y0 <= value <= frame.y1:
            y = float(frame.y(value)) - 5
            parts.append(f'<text class="quiet over spare" x="{frame.left + 8:g}" y="{y:.1f}">{name}</text>')
    if drawn is not None:
        values = ",".join(f"{value:.3f}" for value in drawn)
        area = f'data-low="{above.y0:g}" data-high="{above.y1:g}" data-values="{values}"'
        parts.append(above.box("drawn", area))
    return "".join([*parts, "</svg>"])


def rates_svg(currents, rates, theory, now, *, rheobase, exact=None, noisy: bool, label: str) -> str:
    """Firing rate by current: measured dots, the formula's line, and the neuron on screen.

    Args:
        currents: (n,) nA of the dots.
        rates: (n,) Hz, measured.
        theory: (currents (m,), rates (m,)) of the formula.
        now: (nA, Hz) of the neuron on screen; a rate of None is not drawn.
        rheobase: nA.
        exact: The rates (m,) without noise, where theory has noise; None for none.
        noisy: Whether the formula is Siegert's.
        label: What a screen reader says.
    """
    x, y = theory
    highest = max(np.max(y), np.max(rates), now[1] or 0.0, 10.0)
    frame = Frame(62.0, 500.0, 30.0, 260.0, (float(x[0]), float(x[-1])), (0.0, 1.08 * highest))
    corners = f'data-low="{frame.x0:g},0" data-high="{frame.x1:g},{frame.y1:g}"'
    parts = [
        f'<svg class="mid kz-plane clickable" viewBox="0 0 510 306" role="img" aria-label="{safe(label)}" {corners}>',
        frame.axes(title="Firing rate (Hz)", below="current (nA)"),
        frame.up(rheobase, "level"),
    ]
    if exact is not None:
        parts.append(frame.line(x, exact, "exact"))
    parts.append(frame.line(x, y, "theory"))
    parts += [
        f'<circle class="dot" cx="{a:.1f}" cy="{b:.1f}" r="3.6"/>'
        for a, b in zip(frame.x(currents).tolist(), frame.y(rates).tolist(), strict=True)
    ]
    if now[1] is not None and frame.x0 <= now[0] <= frame.x1:
        parts.append(f'<circle class="now" cx="{frame.x(now[0]):.1f}" cy="{frame.y(now[1]):.1f}" r="8"/>')
    entries = [("line", "theory", "Siegert's formula" if noisy else "formula"), ("dot", "dot", "measured")]
    if exact is not None:
        entries.insert(1, ("line", "exact", "without noise"))
    for row, (shape, kind, name) in enumerate(entries):
        y = frame.top + 20 + 20 * row
        parts.append(
            f'<line class="{kind}" x1="72" y1="{y - 4:g}" x2="92" y2="{y - 4:g}"/>'
            if shape == "line"
            else f'<circle class="dot" cx="82" cy="{y - 4:g}" r="3.6"/>'
        )
        parts.append(f'<text class="over" x="98" y="{y:g}">{name}</text>')
    parts.append(frame.box("area", 'fill="transparent"'))
    return "".join([*parts, "</svg>"])


def note_html(text: str, wrong: bool = False) -> str:
    """A sentence under a picture; with a bar at its side where something is not possible."""
    return f'<p class="kz-said{" wrong" if wrong else ""}" role="status">{safe(text)}</p>'


# --- three engines -------------------------------------------------------------------------------------------------

ENGINES = ("NumPy", "Brian2", "Keras")
_LEAST, _MOST = -16, 2  # powers of ten, in mV, of the chart of differences


def overlay_svg(dt, drawn, spikes, *, threshold, label: str) -> str:
    """One neuron's voltage by several engines, drawn over each other, and how far each is from the first.

    Args:
        dt: ms.
        drawn: (name of ENGINES, voltage (t,) mV, difference from the first (t,) mV of 0 or more) of each.
        spikes: Steps of the first one's spikes.
        threshold: mV.
        label: What a screen reader says.
    """
    first = drawn[0][1]
    end = len(first) * dt
    bottom = max(min(np.min(voltage) for _, voltage, _ in drawn), threshold - 120)
    tall = max(threshold - bottom, 5.0)
    above = Frame(62.0, WIDE - 24, 26.0, 230.0, (0, end), (bottom - 0.12 * tall, threshold + 0.35 * tall))
    below = Frame(62.0, WIDE - 24, 268.0, 378.0, (0, end), (_LEAST - 0.6, _MOST))
    keep = np.unique(np.concatenate([thinned(first), spikes, np.minimum(spikes + 1, len(first) - 1)]))
    parts = [
        f'<svg class="wide" viewBox="0 0 {WIDE:g} 420" role="img" aria-label="{safe(label)}">',
        above.axes(title="Voltage V (mV), one line over the other", widths=()),
        above.across(threshold, "level"),
        below.axes(title="Difference from NumPy (mV, powers of ten)", below="time (ms)", heights=(-15, -10, -5, 0)),
    ]
    for name, voltage, gaps in drawn:
        kind = f"engine e{ENGINES.index(name)}"
        parts.append(above.line(keep * dt, voltage[keep], kind))
        if name != drawn[0][0]:
            width = -(-len(gaps) // 240)
            most = np.pad(gaps, (0, -len(gaps) % width)).reshape(-1, width).max(axis=1)
            powers = np.log10(np.maximum(most, 10.0**_LEAST))
            parts.append(below.line((np.arange(len(most)) + 0.5) * min(width * dt, end), powers, kind))
    return "".join([*parts, "</svg>"])


def engines_html(rows) -> str:
    """A table of engines: (name, what ran, spikes, largest difference, spikes moved, time, note) of each, as text."""
    body = ""
    for name, what, *cells, note in rows:
        key = f'<span class="kz-key e{ENGINES.index(name)}"></span>'
        words = f"{safe(what)}{'; ' if what and note else ''}{safe(note)}"
        numbers = "".join(f"<td>{safe(cell)}</td>" for cell in cells)
        body += f'<tr><th scope="row">{key}<b>{name}</b></th>{numbers}<td class="words">{words}</td></tr>'
    heads = ("engine", "spikes", "largest difference", "spikes moved", "time")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f'<div class="kz-table" role="status"><table><thead><tr>{head}<th scope="col" class="words">what ran</th></tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


# --- a network -----------------------------------------------------------------------------------------------------

# A place of the plane is chosen by a click, or with the arrow keys; the network is run where the ring comes to rest.
PLANE = r"""
let at = null, resting = null, focused = false;
const svg = () => element.querySelector('svg.brunel');
const clip = (value, ends) => Math.min(ends[1], Math.max(ends[0], value));
const ends = name => svg().dataset[name].split(',').map(Number);
function show() {
  const area = svg().querySelector('.area').getBBox(), [g0, g1] = ends('g'), [e0, e1] = ends('eta');
  const x = area.x + area.width * (at.g - g0) / (g1 - g0), y = area.y + area.height * (e1 - at.eta) / (e1 - e0);
  svg().querySelector('.ring').setAttribute('transform', `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
}
function move(g, eta, wait) {
  at = { g: Math.round(clip(g, ends('g')) * 20) / 20, eta: Math.round(clip(eta, ends('eta')) * 20) / 20 };
  show();
  clearTimeout(resting);
  resting = setTimeout(() => { trigger('pick', at); at = null; }, wait);
}
element.addEventListener('click', event => {
  const found = svg();
  if (!found || !found.contains(event.target)) return;
  const letter = event.target.closest('[data-place]');
  if (letter) { const [g, eta] = letter.dataset.place.split(',').map(Number); move(g, eta, 0); return; }
  const box = found.querySelector('.area').getBoundingClientRect();
  const across = (event.clientX - box.left) / box.width, up = 1 - (event.clientY - box.top) / box.height;
  if (across < 0 || across > 1 || up < 0 || up > 1) return;
  const [g0, g1] = ends('g'), [e0, e1] = ends('eta');
  move(g0 + across * (g1 - g0), e0 + up * (e1 - e0), 0);
});
element.addEventListener('keydown', event => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!step || !event.target.closest('svg.brunel')) return;
  event.preventDefault();
  const now = at || { g: Number(svg().dataset.at.split(',')[0]), eta: Number(svg().dataset.at.split(',')[1]) };
  const size = event.shiftKey ? 5 : 1;
  move(now.g + 0.1 * size * step[0], now.eta + 0.1 * size * step[1], 500);
});
element.addEventListener('focusin', event => { focused = Boolean(event.target.closest('svg.brunel')); });
new MutationObserver(() => {
  if (at) show();
  if (focused && document.activeElement === document.body) svg()?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true });
"""


def plane_svg(rates, g, eta, at, regimes: dict) -> str:
    """Brunel's plane: theory's rate as a shade, the balance and the threshold as lines, the regimes as letters.

    Args:
        rates: (rows, columns) Hz, eta from the least up.
        g, eta: (least, greatest) of the axes.
        at: (g, eta) of the network on screen.
        regimes: Letter -> (g, eta).
    """
    frame = Frame(56.0, 470.0, 30.0, 330.0, g, eta)
    shades = np.clip(np.log10(np.maximum(rates, 1.0)) / math.log10(400.0), 0, 1)
    corners = f'data-g="{g[0]:g},{g[1]:g}" data-eta="{eta[0]:g},{eta[1]:g}" data-at="{at[0]:g},{at[1]:g}"'
    said_at = f"The network is at g {at[0]:g}, eta {at[1]:g}. Arrow keys move it."
    x, y = float(frame.x(at[0])), float(frame.y(at[1]))
    wide, tall = frame.right - frame.left, frame.base - frame.top
    parts = [
        f'<svg class="mid brunel" viewBox="0 0 480 376" role="application" tabindex="0" {corners} '
        f'aria-label="{safe("Brunel" + chr(39) + "s plane of networks. " + said_at)}">',
        frame.axes(title="Drive from outside \u03b7", below="strength of inhibition g"),
        f'<image x="{frame.left:g}" y="{frame.top:g}" width="{wide:g}" height="{tall:g}" preserveAspectRatio="none" '
        f'href="{drawing.picture(shades, 0.8)}"/>',
        frame.up(4.0, "level"),
        frame.across(1.0, "level"),
        f'<text class="over" x="{frame.x(4.0) + 6:.1f}" y="{frame.top + 16:g}">balance</text>',
        f'<text class="over" x="{frame.right - 8:g}" y="{frame.y(1.0) - 6:.1f}" text-anchor="end">threshold</text>',
        frame.box("area", 'fill="transparent"'),
    ]
    for letter, place in regimes.items():
        a, b = float(frame.x(place[0])), float(frame.y(place[1]))
        parts.append(
            f'<g class="letter" data-place="{place[0]:g},{place[1]:g}"><circle cx="{a:.1f}" cy="{b:.1f}" r="13"/>'
            f'<text x="{a:.1f}" y="{b + 5:.1f}" text-anchor="middle">{letter}</text></g>'
        )
    parts.append(f'<g class="ring" transform="translate({x:.1f} {y:.1f})"><circle r="19"/></g>')
    return "".join([*parts, "</svg>"])


def spectrum_svg(frequencies, power, peak: float) -> str:
    """The power of the population's rhythm by frequency.

    Args:
        frequencies: (f,) Hz, ascending.
        power: (f,) of any unit.
        peak: Hz of the highest one.
    """
    frame = Frame(20.0, 468.0, 30.0, 200.0, (0.0, float(frequencies[-1])), (0.0, 1.1))
    share = np.asarray(power, float) / max(float(np.max(power)), 1e-30)
    parts = [
        f'<svg class="mid" viewBox="0 0 480 246" role="img" aria-label="Spectrum of the activity; the strongest rhythm '
        f'has {peak:.0f} Hz">',
        frame.axes(title="Rhythms of the population (share of the strongest)", below="frequency (Hz)", heights=()),
        frame.line(frequencies, share, "volt"),
        f'<text class="over" x="{min(float(frame.x(peak)) + 6, 400):.1f}" y="{frame.top + 16:g}">{peak:.0f} Hz</text>',
    ]
    return "".join([*parts, "</svg>"])


def histogram_svg(values) -> str:
    """How irregular the neurons fire: a bar for each stretch of CV.

    Args:
        values: (n,) CV of each neuron that fires often enough.
    """
    edges = np.linspace(0, 1.6, 33)
    counts, _ = np.histogram(np.clip(values, 0, 1.6 - 1e-9), edges)
    frame = Frame(20.0, 468.0, 30.0, 200.0, (0.0, 1.6), (0.0, 1.1 * max(int(counts.max()), 1)))
    mean = float(np.mean(values)) if len(values) else math.nan
    known = f"mean {mean:.2f}, {len(values):,} neurons" if len(values) else "too few spikes to tell"
    parts = [
        f'<svg class="mid" viewBox="0 0 480 246" role="img" aria-label="Histogram of the CV of intervals: {known}">',
        frame.axes(title=f"Irregularity (CV): {known}", below="0: a clock;  1: as random as can be", heights=()),
    ]
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            a, b = float(frame.x(left)), float(frame.x(right))
            top = float(frame.y(count))
            box = f'x="{a + 0.5:.1f}" y="{top:.1f}" width="{b - a - 1:.1f}" height="{frame.base - top:.1f}"'
            parts.append(f'<rect class="volume" {box}/>')
    return "".join([*parts, "</svg>"])
