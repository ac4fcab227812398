"""The pictures of the transformer's page as markup: what the model computed goes in as arrays, text comes out.

Axis letters: l layers, h heads, t characters of the window, v vocabulary. A look's strength is the square root of its
share, as a colour and as a byte: many shares are small, and yet are no zeros.
"""

import base64
import html
import json

import drawing
import numpy as np
from writing import pick, sign

CSS = """
.kz-next ol { list-style: none; margin: 0; padding: 0; }
.kz-next li { display: grid; grid-template-columns: 1.6em 1fr 4em 6.6em; gap: 8px; align-items: center;
  height: 25px; margin: 0; font-variant-numeric: tabular-nums; }
.kz-next .sign { text-align: center; font: 650 1.02rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.kz-next .track { position: relative; height: 15px; border-radius: 4px; background: var(--background-fill-secondary);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); }
.kz-next .bar { display: block; height: 100%; border-radius: 4px; background: #0072b2; }
.kz-next .own { position: absolute; top: -3px; bottom: -3px; width: 3px; margin-left: -1px; background: #e69f00;
  box-shadow: 0 0 0 1px var(--kz-paper); }
.kz-next .share { text-align: right; }
.kz-next .came { color: var(--kz-good); font-weight: 650; font-size: 0.85rem; white-space: nowrap; }
.kz-title { font-size: 0.98rem; font-weight: 650; margin: 2px 0 6px; color: var(--body-text-color); }
.kz-title code, .kz-caption code { font: 650 1em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  background: var(--background-fill-secondary); padding: 0 4px; border-radius: 4px; }
.kz-lens table { width: 100%; border: 0; border-collapse: separate; border-spacing: 3px; margin: 0;
  table-layout: fixed; }
.kz-lens th { width: 8.6em; }
.kz-lens th { text-align: left; font-weight: 400; font-size: 0.88rem; color: var(--kz-quiet); padding: 0; border: 0; }
.kz-lens td { text-align: center; padding: 2px 0 3px; border: 0; border-radius: 5px; line-height: 1.15;
  background: color-mix(in srgb, var(--kz-guess) calc(100% * var(--s)), transparent); color: var(--body-text-color); }
.kz-lens td b { display: block; font: 650 1.02rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.kz-lens td small { font-size: 0.72rem; font-variant-numeric: tabular-nums; }
.kz-lens td.came { box-shadow: inset 0 0 0 2px var(--kz-good); }
.kz-looks { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 8px 26px; align-items: start; }
.kz-grid { display: grid; gap: 6px; }
.kz-grid button { padding: 3px; border: 1px solid var(--border-color-primary); border-radius: 7px; cursor: pointer;
  background: var(--kz-paper) !important; color: inherit; font: inherit; min-width: 0; }
.kz-grid button:hover { border-color: var(--kz-class0); }
.kz-grid button[aria-pressed="true"] { border: 3px solid var(--kz-class0); padding: 1px; font-weight: 700; }
.kz-grid img { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated; margin: 0 !important; }
.kz-grid span { display: block; font-size: 0.74rem; line-height: 1.25; }
.kz-grid .all { grid-column: 1 / -1; padding: 5px; font-size: 0.85rem; min-height: 34px; }
.kz-map svg { display: block; width: 100%; height: auto; cursor: crosshair; touch-action: manipulation; }
.kz-map image { image-rendering: pixelated; }
.kz-map text { fill: var(--body-text-color); text-anchor: middle;
  font: 8.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.kz-map .paper { fill: var(--kz-paper); }
.kz-map .frame { fill: none; stroke: var(--kz-quiet); stroke-opacity: 0.5; }
.kz-map .row { fill: none; stroke: var(--body-text-color); stroke-width: 1.6; }
.kz-map .here { fill: none; stroke: var(--kz-class0); stroke-width: 2; visibility: hidden; }
.kz-read { min-height: 1.5em; margin: 4px 0 0; font-size: 0.9rem; color: var(--body-text-color); }
.kz-costs table { width: 100%; border: 0; border-collapse: collapse; margin: 0; font-variant-numeric: tabular-nums; }
.kz-costs thead, .kz-costs tbody, .kz-costs tr { border: 0; }
.kz-costs th, .kz-costs td { border: 0; border-bottom: 1px solid var(--border-color-primary); padding: 4px 6px 4px 0;
  text-align: right; font-size: 0.88rem; font-weight: 400; color: var(--body-text-color); }
.kz-costs th:first-child { text-align: left; color: var(--kz-quiet); }
@media (max-width: 640px) {
  .kz-looks { grid-template-columns: minmax(0, 1fr); }
  .kz-grid span { font-size: 0.68rem; }
  .kz-map text { display: none; }
}
"""

# The text under the pointer: each character that the one pointed at looks at takes its colour.
HOVER = r"""
function look(box, place) {
  const first = Number(box.dataset.first), row = place - first, bytes = atob(box.dataset.map);
  const side = Math.sqrt(bytes.length);
  if (row < 0 || row >= side) return;
  const shares = [...bytes].slice(row * side, (row + 1) * side).map(one => one.charCodeAt(0) ** 2);
  const most = Math.max(...shares);
  shares.forEach((share, i) => box.children[first + i].style.setProperty('--s', share / most));
}
element.addEventListener('pointerover', event => {
  const box = event.target.closest('.kz-text'), one = event.target.closest('.kz-text i');
  if (box && one && box.dataset.map) look(box, [...box.children].indexOf(one));
});
element.addEventListener('pointerleave', () => {
  const box = element.querySelector('.kz-text');
  if (box && box.dataset.map) look(box, Number(box.dataset.place));
});
"""

# The large map under the pointer says in words what it shows; a click takes its row.
READ = r"""
function cell(event) {
  const area = event.target.closest('.kz-map .area');
  if (!area) return null;
  const box = area.getBoundingClientRect(), map = area.closest('.kz-map'), side = Number(map.dataset.side);
  const at = share => Math.min(side - 1, Math.max(0, Math.floor(share * side)));
  return { map, side, row: at((event.clientY - box.top) / box.height),
           column: at((event.clientX - box.left) / box.width) };
}
element.addEventListener('pointermove', event => {
  const at = cell(event);
  if (!at) return;
  const { map, side, row, column } = at, signs = JSON.parse(map.dataset.signs);
  const share = (atob(map.dataset.map).charCodeAt(row * side + column) / 255) ** 2;
  const said = column > row ? 'cannot see what comes later'
    : 'looks at ' + signs[column] + ': ' + (100 * share).toFixed(1) + ' %';
  map.querySelector('.kz-read').textContent = 'The row of ' + signs[row] + ' ' + said + '.';
  const here = map.querySelector('.here'), step = Number(here.getAttribute('width'));
  here.setAttribute('x', Number(here.dataset.left) + column * step);
  here.setAttribute('y', row * step);
  here.style.visibility = 'visible';
});
element.addEventListener('click', event => {
  const at = cell(event);
  if (at) trigger('pick', { place: Number(at.map.dataset.first) + at.row });
});
"""


MOST_NAMED = 72  # letters along a map; more are too small to read, and the line beneath names them
CAME = "\u25c2 came next"


def coded(weights) -> str:
    """Shares (t, t) as text for a script: the square root of each as a byte, row by row, in base 64."""
    return base64.b64encode(np.round(255 * np.sqrt(np.clip(weights, 0, 1))).astype("uint8").tobytes()).decode()


def percent(share: float) -> str:
    """A share as a column has room for."""
    return "0" if share == 0 else "<0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def quoted(character: str) -> str:
    """A character as it stands in a sentence, as markup."""
    return f"<code>{html.escape(sign(character))}</code>"


def next_html(before: str, vocabulary: str, own, drawn, came: str | None, rows: int = 10) -> str:
    """What comes after a character: the likeliest ones, and the one that came.

    Args:
        before: The text up to and with the character that is looked into.
        vocabulary: The v characters.
        own: (v,) the model's own probabilities.
        drawn: (v,) the chance of each to be drawn.
        came: The character that came next, or None at the text's end.
        rows: How many characters are shown; the one that came is shown in any case.
    """
    own, drawn = np.asarray(own, float), np.asarray(drawn, float)
    shown = np.argsort(-own, kind="stable")[:rows].tolist()
    token = vocabulary.index(came) if came is not None else None
    if token is not None and token not in shown:
        shown[-1] = token
    items = "".join(
        f'<li><span class="sign">{html.escape(sign(vocabulary[i]))}</span>'
        f'<span class="track"><span class="bar" style="width:{100 * drawn[i]:.1f}%"></span>'
        f'<span class="own" style="left:{100 * own[i]:.1f}%"></span></span>'
        f'<span class="share">{html.escape(percent(drawn[i]))}</span>'
        f'<span class="came">{CAME if i == token else ""}</span></li>'
        for i in shown
    )
    end = html.escape("".join(map(sign, before[-12:])))
    dots = "\u2026" if len(before) > 12 else ""
    return (
        f'<div class="kz-next"><p class="kz-title">What comes after <code>{dots}{end}</code></p><ol>{items}</ol></div>'
    )


def lens_html(vocabulary: str, shares, came: str | None, guesses: int = 5) -> str:
    """What each layer would say of the next character if it were the last one.

    Args:
        vocabulary: The v characters.
        shares: (l + 1, v) probabilities: before the first layer, and after each one.
        came: The character that came next, or None.
        guesses: How many of each layer.
    """
    shares, framed = np.asarray(shares, float), ' class="came"'
    lines = []
    for layer, row in enumerate(shares):
        cells = "".join(
            f'<td style="--s:{row[i]:.3f}"{framed if vocabulary[i] == came else ""}>'
            f"<b>{html.escape(sign(vocabulary[i]))}</b><small>{100 * row[i]:.0f} %</small></td>"
            for i in np.argsort(-row, kind="stable")[:guesses]
        )
        name = "layer" if layer < len(shares) - 1 else "answer, layer"
        name = f"{name} {layer}" if layer else "before layer 1"
        lines.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return f'<div class="kz-lens"><table><tbody>{"".join(lines)}</tbody></table></div>'


def looks_html(maps, characters: str, first: int, row: int, chosen: tuple[str, str]) -> str:
    """All attention maps as buttons, and the chosen one, or the mean of the chosen ones, large.

    Args:
        maps: (l, h, t, t).
        characters: The t characters of the window.
        first: The place of the first one in the text.
        row: The row that is marked.
        chosen: Layer and head, each a number from 1 or "all".
    """
    layers, heads = maps.shape[:2]
    buttons = []
    for layer in range(layers):
        for head in range(heads):
            mine = {"layer": str(layer + 1), "head": str(head + 1)}
            one_of = all(part in ("all", own) for part, own in zip(chosen, mine.values(), strict=True))
            pressed = str(one_of and chosen != ("all", "all")).lower()
            buttons.append(
                f'<button type="button" {pick(**mine)} aria-pressed="{pressed}" '
                f'aria-label="Layer {layer + 1}, head {head + 1}">'
                f'<img src="{_heat(maps[layer, head])}" alt=""/><span>{layer + 1}, {head + 1}</span></button>'
            )
    everything = (
        f'<button type="button" class="all" {pick(layer="all", head="all")} '
        f'aria-pressed="{str(chosen == ("all", "all")).lower()}">The mean of all heads</button>'
    )
    columns = f"grid-template-columns:repeat({heads},minmax(0,1fr))"
    grid = (
        f'<div class="kz-grid" role="group" aria-label="Attention maps" style="{columns}">'
        f"{''.join(buttons)}{everything}</div>"
    )
    return f'<div class="kz-looks">{grid}{_large(merged(maps, chosen), characters, first, row, chosen)}</div>'


def merged(maps, chosen: tuple[str, str]):
    """The map of a layer and head, or the mean over all of either: (t, t)."""
    layer, head = (slice(None) if part == "all" else slice(int(part) - 1, int(part)) for part in chosen)
    return maps[layer, head].mean(axis=(0, 1))


def named(chosen: tuple[str, str]) -> str:
    """What a map is called."""
    layer, head = chosen
    if chosen == ("all", "all"):
        return "the mean of all heads"
    if layer == "all":
        return f"the mean of head {head} of all layers"
    return f"the mean of layer {layer}" if head == "all" else f"layer {layer}, head {head}"


def _heat(weights) -> str:
    return drawing.picture(np.sqrt(weights)[::-1], 1.0)


def _large(weights, characters, first, row, chosen) -> str:
    side, step, left = len(characters), 10, 14
    names = [sign(character) for character in characters]
    ticks = "".join(
        f'<text x="{left - 7}" y="{step * i + 8}">{html.escape(name)}</text>'
        f'<text x="{left + step * i + 5}" y="{step * side + 11}">{html.escape(name)}</text>'
        for i, name in enumerate(names if side <= MOST_NAMED else [])
    )
    size = step * side
    data = (
        f'data-side="{side}" data-first="{first}" data-map="{coded(weights)}" '
        f'data-signs="{html.escape(json.dumps(names, ensure_ascii=False))}"'
    )
    title = named(chosen)
    strongest = int(np.argmax(weights[row]))
    said = f"The row of {names[row]} looks most at {names[strongest]}: {percent(float(weights[row, strongest]))}."
    return (
        f'<div class="kz-map" {data}><p class="kz-title">{title[0].upper()}{title[1:]}</p>'
        f'<svg viewBox="0 0 {size + left + 1} {size + 15}" role="img" '
        f'aria-label="Attention of {side} characters, {title}. {html.escape(said)}">'
        f'<rect class="paper" x="{left}" y="0" width="{size}" height="{size}"/>'
        f'<image x="{left}" y="0" width="{size}" height="{size}" preserveAspectRatio="none" href="{_heat(weights)}"/>'
        f'{ticks}<rect class="frame area" x="{left}" y="0" width="{size}" height="{size}" pointer-events="all"/>'
        f'<rect class="row" x="{left}" y="{step * row}" width="{size}" height="{step}" pointer-events="none"/>'
        f'<rect class="here" data-left="{left}" x="{left}" y="0" width="{step}" height="{step}" '
        f'pointer-events="none"/></svg>'
        f'<p class="kz-read">{html.escape(said)}</p></div>'
    )


def costs_html(read: int, cost: dict) -> str:
    """What the next character costs, with the cache and without it.

    Args:
        read: Characters that have been read.
        cost: What `transformer_app.cost` gave.
    """
    million = lambda number: f"{number / 1e6:,.2f} million"  # noqa: E731
    return (
        '<div class="kz-costs"><table><thead><tr><th scope="col">The next character costs</th>'
        '<th scope="col">with a cache</th><th scope="col">reading all anew</th></tr></thead><tbody>'
        f'<tr><th scope="row">multiplications, after {read} characters</th>'
        f"<td>{million(cost['cached'])}</td><td>{million(cost['anew'])}</td></tr>"
        f'<tr><th scope="row">of them for attention</th>'
        f"<td>{million(cost['cached_attention'])}</td><td>{million(cost['anew_attention'])}</td></tr>"
        f'<tr><th scope="row">kept for it, in kB</th><td>{cost["bytes"] / 1000:,.0f}</td><td>0</td></tr>'
        "</tbody></table></div>"
    )
