"""A drawing pad that draws at the first stroke: with a finger, a mouse, a stylus, or the keyboard alone.

    drawing = pad.build_pad(pad.encode(pixels))       # inside gr.Blocks
    drawing.change(classify, drawing, answer)         # while drawing, at most ten times a second
    drawing.settled(explain, drawing, details)        # once, when the pen is lifted or a program set the value

The component's value is a short text: SIZE x SIZE pixels in four shades, run by run. `decode` makes an array of it.
A text fits into a link as it is, and says exactly what is on the pad.
"""

import base64
import binascii

import gradio as gr
import numpy as np

SIZE = 64  # pixels along each side of the pad
SHADES = 4  # 0 is empty, 3 is full ink
PEN = 6.0  # diameter of the pen, in pixels of the pad

# A byte holds a shade (2 bits) and the length of its run less one (6 bits).
_LONGEST_RUN = 64
_LONGEST_TEXT = 4 * -(-SIZE * SIZE // 3)


def encode(pixels) -> str:
    """The text of a drawing, "" for an empty one.

    Args:
        pixels: (SIZE, SIZE), ink from 0 to 1; it is rounded to the nearest of the four shades.
    """
    shades = np.rint(np.clip(np.asarray(pixels, float), 0, 1) * (SHADES - 1)).astype(int).ravel()
    if not shades.any():
        return ""
    edges = np.flatnonzero(np.diff(shades)) + 1
    starts, stops = np.r_[0, edges], np.r_[edges, shades.size]
    runs = bytearray()
    for start, stop in zip(starts, stops, strict=True):
        length = int(stop - start)
        while length:
            part = min(length, _LONGEST_RUN)
            runs.append(int(shades[start]) << 6 | (part - 1))
            length -= part
    return base64.urlsafe_b64encode(bytes(runs)).decode().rstrip("=")


def decode(text) -> np.ndarray:
    """The pixels of a drawing's text: (SIZE, SIZE) float32, ink from 0 to 1.

    Raises:
        ValueError: if `text` is no drawing; the message says what a drawing is.
    """
    wanted = f'a text that this pad writes ({SIZE} x {SIZE} pixels, "" for an empty one)'
    if not isinstance(text, str):
        raise ValueError(f"The drawing is of type {type(text).__name__}; expected {wanted}.")
    if not text:
        return np.zeros((SIZE, SIZE), np.float32)
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"The drawing is {len(text):,} characters long; expected {wanted}, at most {_LONGEST_TEXT:,}.")
    try:
        # b64decode ignores foreign characters unless told otherwise.
        runs = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"The drawing cannot be read; expected {wanted}.") from None
    runs = np.frombuffer(runs, np.uint8)
    lengths = (runs & 63).astype(int) + 1
    if lengths.sum() != SIZE * SIZE:
        raise ValueError(f"The drawing holds {lengths.sum():,} pixels; expected {wanted}.")
    return (np.repeat(runs >> 6, lengths) / (SHADES - 1)).astype(np.float32).reshape(SIZE, SIZE)


def rasterise(strokes, width: float = PEN) -> np.ndarray:
    """Strokes as the pad would draw them: (SIZE, SIZE) float32, ink from 0 to 1.

    Args:
        strokes: lists of points (x, y), x to the right and y downwards, each from 0 to 1 across the pad.
        width: diameter of the pen, in pixels of the pad.
    """
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    nearest = np.full((SIZE, SIZE), np.inf)
    for stroke in strokes:
        points = np.asarray(stroke, float) * SIZE
        for (x0, y0), (x1, y1) in zip(points, points[1:] if len(points) > 1 else points, strict=False):
            length = (x1 - x0) ** 2 + (y1 - y0) ** 2
            along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / (length or 1), 0, 1)
            nearest = np.minimum(nearest, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
    # A pixel at the edge of the pen is covered in part.
    return np.clip(width / 2 + 0.5 - nearest, 0, 1).astype(np.float32)


def build_pad(value: str = "", *, label: str = "Drawing pad", elem_id: str = "pad") -> gr.HTML:
    """The pad as a Gradio component; call it inside `gr.Blocks`.

    Its events: `change`, whenever the drawing is another one; `settled`, when the pen was lifted, or when the value
    was set by a program; `own`, when a visitor takes over a drawing that a program had put there. A pen stroke on such
    a drawing starts a new one; the eraser edits it.

    Args:
        value: the text of a drawing, as `encode` makes it.
        label: what a screen reader calls the pad.
        elem_id: the id of the component on the page.
    """
    decode(value)
    return gr.HTML(
        value,
        label=label,
        html_template=_HTML,
        css_template=_CSS,
        js_on_load=_JS,
        apply_default_css=False,
        elem_id=elem_id,
        size=SIZE,
        pen=PEN,
    )


_HTML = """
<div class="pad">
  <div class="paper">
    <canvas width="512" height="512" tabindex="0" role="application" aria-roledescription="drawing pad"
      aria-label="${label}" aria-describedby="pad-help"></canvas>
    <div class="pen" hidden></div>
    <div class="hint" aria-hidden="true">Draw a digit here</div>
  </div>
  <div class="tools" role="toolbar" aria-label="Tools of the drawing pad">
    <button type="button" data-tool="pen" aria-pressed="true">Pen</button>
    <button type="button" data-tool="eraser" aria-pressed="false">Eraser</button>
    <button type="button" data-tool="undo">Undo</button>
    <button type="button" data-tool="clear">Clear</button>
  </div>
  <p id="pad-help" class="help">Finger, mouse, or keyboard: arrows move, Space puts the pen down or up, E erases,
  Delete clears.</p>
  <p class="spoken" role="status"></p>
</div>
"""

# The pad is white on black in light and in dark mode, as the pictures are that the network was trained on.
_CSS = """
.pad { width: 100%; max-width: 340px; }
.paper { position: relative; aspect-ratio: 1; border-radius: 12px; overflow: hidden; background: #0b0d12;
  box-shadow: inset 0 0 0 1px #5b6472; }
.paper:focus-within { box-shadow: inset 0 0 0 1px #5b6472, 0 0 0 3px #56B4E9; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; outline: none;
  touch-action: none; cursor: crosshair; user-select: none; -webkit-user-select: none; }
.hint { position: absolute; inset: auto 0 44% 0; text-align: center; color: #9aa3b2; font-size: 1.1rem;
  pointer-events: none; }
.hint[hidden], .pen[hidden] { display: none; }
.pen { position: absolute; border: 2px dashed #56B4E9; border-radius: 50%; transform: translate(-50%, -50%);
  pointer-events: none; }
.pen.down { border-style: solid; background: #56B4E988; }
.tools { display: flex; gap: 6px; margin-top: 8px; }
.tools button { flex: 1; min-height: 44px; padding: 0 4px; border-radius: 8px; font: inherit; cursor: pointer;
  border: 1px solid var(--border-color-primary); background: var(--button-secondary-background-fill);
  color: var(--button-secondary-text-color); }
.tools button[aria-pressed="true"] { border: 2px solid #0072B2; font-weight: 700; text-decoration: underline;
  text-underline-offset: 3px; }
.tools button:focus-visible { outline: 3px solid #56B4E9; outline-offset: 1px; }
.help { margin: 6px 0 0; font-size: 0.8rem; line-height: 1.35;
  color: color-mix(in srgb, var(--body-text-color) 72%, transparent); }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); margin: 0; }
"""

_JS = r"""
const canvas = element.querySelector('canvas'), context = canvas.getContext('2d', { willReadFrequently: true });
const cursor = element.querySelector('.pen'), hint = element.querySelector('.hint');
const spoken = element.querySelector('.spoken'), size = props.size, scale = canvas.width / size;
const widths = { pen: props.pen, eraser: 1.8 * props.pen };
let tool = 'pen', last = null, undo = [], foreign = false;
let sentAt = 0, waiting = null, settling = null;
let at = [size / 2, size / 2], down = false;          // the keyboard's pen
context.lineCap = context.lineJoin = 'round';

// --- the drawing as text: runs of one of four shades, as demos/pad.py reads them
function encode() {
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data, runs = [];
  let shade = -1, length = 0, ink = false;
  for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) {
    let sum = 0;
    for (let y = row * scale; y < (row + 1) * scale; y++)
      for (let x = column * scale; x < (column + 1) * scale; x++) sum += data[4 * (y * canvas.width + x) + 3];
    const here = Math.round(3 * sum / (255 * scale * scale));
    ink = ink || here > 0;
    if (here === shade && length < 64) length++;
    else { if (length) runs.push(shade << 6 | (length - 1)); shade = here; length = 1; }
  }
  runs.push(shade << 6 | (length - 1));
  if (!ink) return '';
  return btoa(String.fromCharCode(...runs)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function show(text) {
  const small = document.createElement('canvas');
  small.width = small.height = size;
  const image = new ImageData(size, size);
  let pixel = 0;
  for (const letter of atob((text || '').replaceAll('-', '+').replaceAll('_', '/'))) {
    const run = letter.charCodeAt(0);
    for (let i = 0; i <= (run & 63) && pixel < size * size; i++, pixel++) {
      image.data.fill(255, 4 * pixel, 4 * pixel + 3);
      image.data[4 * pixel + 3] = 85 * (run >> 6);
    }
  }
  small.getContext('2d').putImageData(image, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  hint.hidden = Boolean(text);
}

// --- what leaves for the server: at once, then at most ten times a second
function send() {
  clearTimeout(waiting); waiting = null; sentAt = performance.now();
  props.value = encode();
  hint.hidden = Boolean(props.value);
}
function changed() {
  hint.hidden = true;
  if (waiting === null) waiting = setTimeout(send, Math.max(0, 100 - (performance.now() - sentAt)));
  clearTimeout(settling);
}
function settle() {
  send();
  clearTimeout(settling);
  settling = setTimeout(() => trigger('settled'), 60);
}

// --- drawing
function remember() {
  undo.push({ image: context.getImageData(0, 0, canvas.width, canvas.height), foreign });
  if (undo.length > 12) undo.shift();
}
function begin() {
  remember();
  if (foreign && tool === 'pen') context.clearRect(0, 0, canvas.width, canvas.height);
  if (foreign) trigger('own');
  foreign = false;
}
function line(from, to) {
  context.globalCompositeOperation = tool === 'pen' ? 'source-over' : 'destination-out';
  context.strokeStyle = '#fff';
  context.lineWidth = widths[tool] * scale;
  context.beginPath();
  context.moveTo(from[0] * scale, from[1] * scale);
  context.lineTo(to[0] * scale, to[1] * scale);
  context.stroke();
  context.globalCompositeOperation = 'source-over';
  changed();
}
function clear() {
  remember();
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (foreign) trigger('own');
  foreign = false; settle(); say('The pad is empty.');
}
function takeBack() {
  const before = undo.pop();
  if (!before) return;
  context.putImageData(before.image, 0, 0);
  foreign = before.foreign; settle(); say('Taken back.');
}
function choose(name) {
  tool = name;
  for (const button of element.querySelectorAll('[aria-pressed]'))
    button.setAttribute('aria-pressed', String(button.dataset.tool === name));
  place(); say(name === 'pen' ? 'Pen.' : 'Eraser.');
}
function say(words) { spoken.textContent = words; }

// --- finger, mouse, stylus
function point(event) {
  const box = canvas.getBoundingClientRect();
  return [size * (event.clientX - box.left) / box.width, size * (event.clientY - box.top) / box.height];
}
canvas.addEventListener('pointerdown', event => {
  if (event.button !== 0 || !event.isPrimary) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  try { canvas.setPointerCapture(event.pointerId); } catch (error) { /* a pointer that has gone again */ }
  cursor.hidden = true; down = false;
  begin();
  last = point(event);
  line(last, last);
});
canvas.addEventListener('pointermove', event => {
  if (!last || !event.isPrimary) return;
  const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const step of steps.length ? steps : [event]) { const to = point(step); line(last, to); last = to; }
});
function lift(event) { if (last && event.isPrimary) { last = null; settle(); } }
canvas.addEventListener('pointerup', lift);
canvas.addEventListener('pointercancel', lift);
canvas.addEventListener('contextmenu', event => { if (last) event.preventDefault(); });

// --- keyboard
function place() {
  cursor.style.left = 100 * at[0] / size + '%'; cursor.style.top = 100 * at[1] / size + '%';
  cursor.style.width = cursor.style.height = 100 * widths[tool] / size + '%';
  cursor.classList.toggle('down', down);
}
canvas.addEventListener('keydown', event => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') {
    event.preventDefault();
    takeBack();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) {
    const step = event.shiftKey ? 8 : 2;
    const to = at.map((value, i) => Math.min(size - 4, Math.max(4, value + step * moves[event.key][i])));
    if (down) line(at, to);
    at = to;
    if (!down) say(`Pen up, column ${Math.round(at[0])}, row ${Math.round(at[1])} of ${size}.`);
  } else if (event.key === ' ') {
    down = !down;
    if (down) { begin(); line(at, at); } else settle();
    say(down ? 'Pen down: arrows draw.' : 'Pen up.');
  } else if (event.key.toLowerCase() === 'e') choose(tool === 'pen' ? 'eraser' : 'pen');
  else if (event.key === 'Delete' || event.key === 'Backspace') clear();
  else if (event.key === 'Escape') { if (down) { down = false; settle(); } }
  else return;
  event.preventDefault();
  cursor.hidden = false; place();
});
canvas.addEventListener('focus', () => {
  if (canvas.matches(':focus-visible') && !last) { cursor.hidden = false; place(); }
});
canvas.addEventListener('blur', () => { cursor.hidden = true; if (down) { down = false; settle(); } });

element.addEventListener('click', event => {
  const button = event.target.closest('[data-tool]');
  if (!button) return;
  if (button.dataset.tool === 'undo') takeBack();
  else if (button.dataset.tool === 'clear') clear();
  else choose(button.dataset.tool);
});

// --- a drawing that a program put there: an example, an upload, a link
watch('value', () => {
  last = null; down = false; clearTimeout(waiting); waiting = null;
  remember(); show(props.value); foreign = Boolean(props.value);
  clearTimeout(settling); settling = setTimeout(() => trigger('settled'), 0);
});
show(props.value); foreign = Boolean(props.value);
"""
