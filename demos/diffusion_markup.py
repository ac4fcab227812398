"""The pictures of diffusion's page as markup: what was computed goes in as arrays, text comes out.

A film is a few pictures that change together as its slider moves. All of its frames come at once, side by side on one
sheet a picture, so that the slider asks the server for nothing.

Axis letters: s frames, r pictures, h w pixels.
"""

import html
import itertools
import json

import numpy as np
import pictures

CSS = (
    pictures.CSS
    + """
.kz-title { font-size: 0.98rem; font-weight: 650; margin: 2px 0 6px; color: var(--body-text-color); }
.kz-film { color: var(--body-text-color); }
.kz-film .row { display: grid; grid-template-columns: 7.6em repeat(var(--count), minmax(0, 190px)); gap: 10px;
  align-items: center; margin: 0 0 10px; }
.kz-film .row > span { font-size: 0.95rem; line-height: 1.35; font-weight: 600; }
.kz-film .abreast { display: grid; grid-template-columns: repeat(var(--across), minmax(0, 190px)); gap: 10px;
  margin: 0 0 8px; }
.kz-film .abreast span { display: block; font-size: 0.9rem; line-height: 1.35; font-weight: 600; margin-top: 4px; }
.kz-film .frame { display: block; width: 100%; aspect-ratio: 1; border-radius: 6px; background-repeat: no-repeat;
  background-size: calc(100% * var(--frames)) 100%; background-position: calc(100% * var(--at)) 0;
  image-rendering: pixelated; }
.kz-film .turn { display: flex; align-items: center; gap: 10px; margin: 4px 0; }
.kz-film .turn button { flex: none; min-width: 92px; min-height: 40px; padding: 0 12px; border-radius: 8px;
  font: inherit; cursor: pointer; color: var(--button-secondary-text-color);
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill); }
.kz-film label { flex: 1; display: block; font-size: 0.88rem; color: var(--kz-quiet); }
.kz-film input { display: block; width: 100%; min-height: 28px; margin: 0; accent-color: #e69f00; cursor: pointer; }
.kz-film .ends { display: flex; justify-content: space-between; }
.kz-film .words { margin: 2px 0 8px; font-size: 0.95rem; line-height: 1.45; min-height: 2.9em; }
.kz-film .strip { display: grid; grid-template-columns: repeat(var(--shown), minmax(0, 1fr)); gap: 3px;
  align-items: start; }
.kz-film .strip button { display: block; padding: 2px; border: 2px solid transparent; border-radius: 6px;
  background: none; cursor: pointer; font: inherit; font-size: 0.72rem; color: var(--kz-quiet); }
.kz-film .strip button:hover { border-color: var(--kz-quiet); }
.kz-film .strip button.here { border-color: #e69f00; color: var(--body-text-color); }
.kz-film .strip .frame { border-radius: 3px; margin-bottom: 2px; }
.kz-table { overflow-x: auto; }
.kz-table table { border: 0 !important; border-collapse: collapse; margin: 0; width: 100%; max-width: 620px;
  table-layout: fixed; font-variant-numeric: tabular-nums; }
.kz-table thead, .kz-table tbody, .kz-table tr { border: 0 !important; background: none !important; }
.kz-table th, .kz-table td { border: 0 !important; padding: 3px !important; text-align: center;
  font-size: 0.84rem; font-weight: 400; line-height: 1.3; color: var(--body-text-color); background: none; }
.kz-table th[scope="row"] { width: 5.4em; text-align: left; font-weight: 600; overflow-wrap: anywhere; }
.kz-table th b { display: block; }
.kz-table img { display: block; width: 100%; max-width: 92px; margin: 0 auto; border-radius: 4px;
  image-rendering: pixelated; }
.kz-empty { border: 1px dashed var(--border-color-primary); border-radius: 8px; padding: 18px; margin: 0;
  color: var(--kz-quiet); font-size: 0.95rem; }
@media (max-width: 640px) {
  .kz-film .row { grid-template-columns: repeat(var(--count), minmax(0, 1fr)); gap: 6px; }
  .kz-film .row > span { grid-column: 1 / -1; }
  .kz-film .strip button small { display: none; }
  .kz-table th, .kz-table td { padding: 2px !important; font-size: 0.76rem; }
  .kz-table th[scope="row"] { width: 4.6em; }
}
"""
)

# The slider, the buttons of the strip and Play, all in the browser. A film that is just made plays once by itself,
# unless the visitor's system asks for stillness.
FILM = r"""
let timer = null;
function show(film, k) {
  const words = JSON.parse(film.dataset.words), range = film.querySelector('input');
  film.style.setProperty('--at', k / (words.length - 1));
  if (Number(range.value) !== k) range.value = k;
  range.setAttribute('aria-valuetext', words[k]);
  film.querySelector('.words').textContent = words[k];
  const strip = [...film.querySelectorAll('[data-frame]')];
  const near = strip.reduce((a, b) => Math.abs(b.dataset.frame - k) < Math.abs(a.dataset.frame - k) ? b : a, strip[0]);
  for (const one of strip) one.classList.toggle('here', one === near);
}
function halt() {
  clearInterval(timer); timer = null;
  const button = element.querySelector('[data-play]');
  if (button) button.textContent = '\u25b6 Play';
}
function play() {
  const film = element.querySelector('.kz-film');
  if (!film) return;
  halt();
  const last = Number(film.querySelector('input').max), step = Math.max(40, 2400 / (last + 1));
  let k = 0;
  show(film, 0);
  film.querySelector('[data-play]').textContent = 'Pause';
  timer = setInterval(() => { if (!film.isConnected || k >= last) halt(); else show(film, ++k); }, step);
}
element.addEventListener('input', event => {
  const film = event.target.closest('.kz-film');
  if (film && event.target.matches('input')) { halt(); show(film, Number(event.target.value)); }
});
element.addEventListener('click', event => {
  const one = event.target.closest('[data-frame]');
  if (one) { halt(); show(one.closest('.kz-film'), Number(one.dataset.frame)); }
  else if (event.target.closest('[data-play]')) { if (timer) halt(); else play(); }
});
// Gradio changes what is there rather than put new elements in its place: the slider stays where the visitor left it.
let made = element.querySelector('.kz-film')?.dataset.made;
new MutationObserver(() => {
  const film = element.querySelector('.kz-film');
  if (!film || film.dataset.made === made) return;
  made = film.dataset.made;
  halt();
  if (made.startsWith('fresh') && !matchMedia('(prefers-reduced-motion: reduce)').matches) play();
  else show(film, Math.min(Number(film.querySelector('input').value), JSON.parse(film.dataset.words).length - 1));
}).observe(element, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-made'] });
"""


_MADE = itertools.count()  # films: a new one is told from the one before


def film_html(rows, words, *, slider: str, ends: tuple[str, str], at: int, numbers=None, fresh: bool = False) -> str:
    """Pictures that change together as a slider moves, and a strip of the first one of each row.

    Args:
        rows: Name -> pictures of that row, (r, s, h, w) in [0, 1]; as many in each row. Rows of one picture stand side
            by side.
        words: s lines, what is to be seen at each frame.
        slider: What the slider is called.
        ends: What stands at its left and its right end.
        at: The frame that is shown first.
        numbers: s short texts under the strip's pictures; None for none.
        fresh: Whether to play the film once, as soon as it is on the page.
    """
    rows = {name: np.asarray(row) for name, row in rows.items()}
    count, frames = next(iter(rows.values())).shape[:2]
    shown = np.unique(np.rint(np.linspace(0, frames - 1, min(frames, 11))).astype(int)).tolist()
    nearest = min(shown, key=lambda k: abs(k - at))
    firsts = [row[0] for row in rows.values()]
    parts = ""
    for name, row in rows.items():
        cells = ""
        for k, images in enumerate(row):
            sheet = f"background-image:url({pictures.sheet(images, frames, gap=0)})"
            said = _safe(name if count == 1 else f"{name}, {k + 1}")
            cells += f'<i class="frame" role="img" aria-label="{said}" style="{sheet}"></i>'
        named = f"<span>{_safe(name)}</span>"
        parts += f"<div>{cells}{named}</div>" if count == 1 else f'<div class="row">{named}{cells}</div>'
    if count == 1:
        parts = f'<div class="abreast">{parts}</div>'
    buttons = ""
    for k in shown:
        # One small picture for both: the sheets above are not sent again.
        both = pictures.address(np.concatenate([np.clip(row[k], 0, 1) for row in firsts], axis=0))
        tall = f"aspect-ratio:1/{len(firsts)};background-image:url({both});background-size:100% 100%"
        number = "" if numbers is None else f"<small>{_safe(numbers[k])}</small>"
        buttons += (
            f'<button type="button" data-frame="{k}" class="{"here" if k == nearest else ""}" '
            f'aria-label="{_safe(words[k])}"><i class="frame" style="{tall}"></i>{number}</button>'
        )
    style = f"--count:{count};--across:{len(rows)};--frames:{frames};--at:{at / (frames - 1):.5g};--shown:{len(shown)}"
    return (
        f'<div class="kz-film" style="{style}" data-words="{_safe(json.dumps(list(words)))}"'
        f' data-made="{"fresh" if fresh else "still"} {next(_MADE)}">{parts}'
        '<div class="turn"><button type="button" data-play>\u25b6 Play</button>'
        f'<label>{_safe(slider)}<input type="range" min="0" max="{frames - 1}" step="1" value="{at}" '
        f'aria-valuetext="{_safe(words[at])}"/>'
        f'<span class="ends"><span>{_safe(ends[0])}</span><span>{_safe(ends[1])}</span></span></label></div>'
        f'<p class="words" role="status">{_safe(words[at])}</p>'
        f'<div class="strip" role="group" aria-label="Moments of the way">{buttons}</div></div>'
    )


def table_html(images, columns, *, label: str, corner: str = "", read=None) -> str:
    """Images in a table, a row each, with heads.

    Args:
        images: Name of a row -> images, (c, h, w) in [0, 1].
        columns: c pairs of a head and a line beneath it.
        label: What a screen reader calls the table.
        corner: What the rows are.
        read: Name of a row -> c texts that stand under its images; None for none.
    """
    heads = "".join(f'<th scope="col"><b>{_safe(head)}</b>{_safe(line)}</th>' for head, line in columns)
    body = ""
    for name, row in images.items():
        cells = ""
        for k, image in enumerate(row):
            beneath = "" if read is None else _safe(read[name][k])
            said = _safe(f"{name} {columns[k][0]}".strip())
            cells += f'<td><img src="{pictures.address(np.asarray(image))}" alt="{said}"/>{beneath}</td>'
        body += f'<tr><th scope="row">{_safe(name)}</th>{cells}</tr>'
    return (
        f'<div class="kz-table"><table aria-label="{_safe(label)}"><thead><tr><th scope="col">{_safe(corner)}</th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def empty_html(line: str) -> str:
    """What stands where nothing has been computed yet."""
    return f'<p class="kz-empty" role="status">{_safe(line)}</p>'


def _safe(text) -> str:
    return html.escape(str(text), quote=True)
