"""The pictures of one spiking neuron: arrays in, SVG as text out. Times in ms, voltages in mV, currents in nA, Hz."""

import numpy as np
from lif_charts import WIDE, Frame, safe, spread, thinned
from pictures import DRAGGED

# The visitor draws the current: `drawn` is the area, `data-values` what it shows.
DRAW = (
    DRAGGED
    + r"""
let values = null, last = null;
const changed = () => tell({ values: values.map(value => value.toFixed(3)).join(', ') });
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
)


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
    above = Frame(62.0, WIDE - 24, 26.0, 122.0, (0, end), spread(low, high, 0.1))
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
        f'<div class="kz-table kz-engines" role="status"><table><thead><tr>{head}'
        f'<th scope="col" class="words">what ran</th></tr></thead><tbody>{body}</tbody></table></div>'
    )
