"""The pictures of a network: Brunel's plane, its rhythms and its irregularity. Arrays in, SVG as text out."""

import math

import drawing
import numpy as np
from lif_charts import Frame, safe

# A place of the plane is chosen by a click, or with the arrow keys; the network is run where the ring comes to rest.
PLANE = r"""
let at = null, was = null, resting = null, focused = false;  // `at` until the server has drawn it
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
  resting = setTimeout(() => { resting = null; was = svg().dataset.at; trigger('pick', at); }, wait);
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
  if (at && resting === null && svg() && svg().dataset.at !== was) at = null;
  if (at && svg()) show();
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


def spectrum_svg(frequencies, power, rhythm: float | None) -> str:
    """The power of the population's rhythm by frequency.

    Args:
        frequencies: (f,) Hz, ascending.
        power: (f,) of any unit.
        rhythm: Hz of the strongest one, marked; None where none stands out.
    """
    frame = Frame(20.0, 454.0, 30.0, 200.0, (0.0, float(frequencies[-1])), (0.0, 1.1))
    share = np.asarray(power, float) / max(float(np.max(power)), 1e-30)
    known = "no rhythm stands out" if rhythm is None else f"the strongest rhythm has {rhythm:.0f} Hz"
    parts = [
        f'<svg class="mid" viewBox="0 0 480 246" role="img" aria-label="Spectrum of the activity; {known}">',
        frame.axes(title="Rhythms of the population (share of the strongest)", below="frequency (Hz)", heights=()),
        frame.line(frequencies, share, "volt"),
    ]
    if rhythm is not None:
        x, y = float(frame.x(rhythm)), float(frame.y(np.interp(rhythm, frequencies, share)))
        # Beside the peak, and within the frame.
        parts.append(
            f'<text class="over" x="{min(x + 6, 400):.1f}" y="{max(y + 4, frame.top + 16):.1f}">{rhythm:.0f} Hz</text>'
        )
    return "".join([*parts, "</svg>"])


def histogram_svg(values) -> str:
    """How irregular the neurons fire: a bar for each stretch of CV.

    Args:
        values: (n,) CV of each neuron that fires often enough.
    """
    edges = np.linspace(0, 1.6, 33)
    counts, _ = np.histogram(np.clip(values, 0, 1.6 - 1e-9), edges)
    frame = Frame(20.0, 454.0, 30.0, 200.0, (0.0, 1.6), (0.0, 1.1 * max(int(counts.max()), 1)))
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
