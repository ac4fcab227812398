"""Images of numbers on a page: one as an address, many on one sheet, or a grid whose images may be clicked on.

    tiles = gr.HTML(
        pictures.grid(images, label="Samples", names=["0", "1"], picks=[{"digit": 0}, {"digit": 1}], chosen=0),
        css_template=pictures.CSS, js_on_load=pictures.PICK,
    )
    tiles.pick(handler, ...)  # its gr.EventData has the dictionary of the image as `_data`

Arrays in, text out. An image is (h, w), (h, w, 1) or (h, w, 3), numbers in [0, 1]: 0 is black. What lies beyond, as
noise does, is shown as black or white.
"""

import base64
import html
import io
import json

import numpy as np

CSS = """
.kz-images { display: grid; grid-template-columns: repeat(var(--columns, auto-fill), minmax(0, var(--side)));
  gap: 6px; list-style: none; margin: 0; padding: 0; }
.kz-images li { margin: 0; text-align: center; font-size: 0.78rem; line-height: 1.3; color: var(--kz-quiet); }
.kz-images img, .kz-sheet { display: block; width: 100%; margin: 0; border-radius: 4px; image-rendering: pixelated; }
.kz-images button { display: block; width: 100%; padding: 2px; border: 2px solid transparent; border-radius: 8px;
  background: none; font: inherit; color: inherit; cursor: pointer; }
.kz-images button:hover { border-color: var(--kz-quiet); }
.kz-images button[aria-pressed="true"] { border-color: #e69f00; font-weight: 700; color: var(--body-text-color); }
"""

# A click on anything with `data-pick`, told to Python as the event "pick". New markup takes the place of the button
# that had the focus: its successor gets the focus back, so that the next key works too.
PICK = r"""
let latest = null;
element.addEventListener('click', event => {
  const found = event.target.closest('[data-pick]');
  if (!found) return;
  latest = found.dataset.pick;
  trigger('pick', JSON.parse(latest));
});
new MutationObserver(() => {
  if (latest && document.activeElement === document.body)
    [...element.querySelectorAll('[data-pick]')].find(one => one.dataset.pick === latest)
      ?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true });
"""

# For a script whose pictures are dragged: `tell(what)` fires "pick" with the newest place, one at a time, as soon as
# `answered()` says that the answer to the one before is there; so answers come in order, and none piles up on a slow
# line. The event's trigger_mode must be "multiple": for "always_last" Gradio sends the data of the first place again.
TOLD = r"""
let next = null, busy = 0;
function send() {
  busy = 0;
  if (next === null) return;
  const what = next;
  next = null;
  busy = setTimeout(send, 1500);  // an answer that changes nothing is not seen
  trigger('pick', what);
}
function tell(what) {
  next = what;
  if (!busy) send();
}
function answered() {
  if (busy) { clearTimeout(busy); busy = setTimeout(send, 40); }
}
"""

# The same for a script whose answers are seen in its own `element`.
DRAGGED = (
    TOLD
    + r"""
new MutationObserver(answered).observe(element, { childList: true, subtree: true });
"""
)


def png(pixels) -> str:
    """Bytes (h, w, 3), or (h, w, 4) with opacity, as the address of a PNG picture."""
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG", compress_level=6)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def grey(image) -> np.ndarray:
    """Grey values (...) in [0, 1] as bytes (..., 3)."""
    return np.repeat(_bytes(image)[..., None], 3, axis=-1)


def address(image) -> str:
    """An image as the address of a picture, for `<img src>` and SVG's `<image href>`."""
    return png(_colours(np.asarray(image)))


def sheet(images, columns: int, gap: int = 1) -> str:
    """Many images as the address of one picture, see-through between them: quicker than a picture each.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), row by row from the top.
        columns: Images a row.
        gap: Pixels between them.
    """
    colours = np.stack([_colours(image) for image in np.asarray(images)])
    count, height, width, _ = colours.shape
    rows = -(-count // columns)
    board = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4), np.uint8)
    for k, one in enumerate(colours):
        y, x = k // columns * (height + gap), k % columns * (width + gap)
        board[y : y + height, x : x + width] = np.dstack([one, np.full((height, width), 255, np.uint8)])
    return png(board)


def sheet_html(images, columns: int, *, label: str, gap: int = 1) -> str:
    """A sheet as an element as wide as its place; `label` is what a screen reader says."""
    return f'<img class="kz-sheet" src="{sheet(images, columns, gap)}" alt="{_safe(label)}"/>'


def grid(
    images, *, label: str, names=None, said=None, picks=None, chosen: int | None = None, side: int = 64,
    columns: int | None = None,
) -> str:  # fmt: skip
    """Images side by side, each with its name beneath.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3).
        label: What a screen reader calls them.
        names: n texts; None for none.
        said: n texts for a screen reader, where they are not the names.
        picks: What a click on each image chooses, n dictionaries of plain values; None where there is nothing to
            choose. The component then needs `PICK`.
        chosen: The index of the one that is chosen already.
        side: Width of an image on the page, at most, in pixels.
        columns: Images a row; None takes as many as there is room for.
    """
    cells = []
    for k, image in enumerate(images):
        name = "" if names is None else f"<span>{_safe(names[k])}</span>"
        spoken = _safe((said or names)[k] if said or names else f"{label}, {k + 1}")
        if picks is None:
            cells.append(f'<li><img src="{address(image)}" alt="{"" if name else spoken}"/>{name}</li>')
            continue
        pressed = "" if chosen is None else f' aria-pressed="{"true" if k == chosen else "false"}"'
        cells.append(
            f'<li><button type="button" {pick(**picks[k])}{pressed} aria-label="{spoken}">'
            f'<img src="{address(image)}" alt=""/>{name}</button></li>'
        )
    fixed = "" if columns is None else f"--columns:{columns};"
    return f'<ul class="kz-images" style="{fixed}--side:{side}px" aria-label="{_safe(label)}">{"".join(cells)}</ul>'


def pick(**what) -> str:
    """The attribute of an element that `PICK` tells the page of."""
    return f'data-pick="{html.escape(json.dumps(what), quote=True)}"'


def _colours(image) -> np.ndarray:
    """An image as bytes (h, w, 3)."""
    if image.ndim == 3 and image.shape[-1] == 3:
        return _bytes(image)
    return grey(image[..., 0] if image.ndim == 3 else image)


def _bytes(values) -> np.ndarray:
    return np.uint8(np.rint(255 * np.clip(np.nan_to_num(np.asarray(values, float)), 0, 1)))


def _safe(text) -> str:
    return html.escape(str(text), quote=True)
