"""Watch Mamba write, and see what it does with each character: what it writes into its state, keeps and forgets.

    python demos/mamba_app.py

The model is the preset `mamba_shakespeare`. Every picture is made from what it computes for the text on screen: the
step delta of each layer, the state after a character, and the attention that the scan amounts to.
"""

import functools
from typing import NamedTuple

import gradio as gr
import kit
import mamba_markup as markup
import mamba_measure as measure
import numpy as np
import validate
import writing
from writing import Seen, Settings

import kzoo
from kzoo.sampling import codec

TITLE = "Mamba"
SUMMARY = "A memory of constant size reads on: see what it keeps"
PRESETS = ("mamba_shakespeare",)

LAYERS, CHANNELS = 7, 256
SHADES = {"what is written": "written", "what is used": "used"}
WINDOW = 48  # characters of the map of implied attention
SIZES = (64, 256, writing.LONGEST + writing.MOST)  # texts are read in these lengths, filled up: few are compiled
EXAMPLES = {
    "ROMEO": "ROMEO:\n",
    "Another speaker": "My lord, the king is dead.\n\nQUEEN MARGARET:\n",
    "Two names": "GLOUCESTER:\nCome, Catesby; come, Ratcliff; say, where is ",
    "A line's start": "\n",
}


# --- what the model computes ---------------------------------------------------------------------------------------


class Layer(NamedTuple):
    """What one layer's scan is made of while a text is read: h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t.

    Attributes:
        inputs: u, (t, d).
        delta: (t, d).
        A: (d, n), below 0.
        B, C: (t, n).
    """

    inputs: np.ndarray
    delta: np.ndarray
    A: np.ndarray
    B: np.ndarray
    C: np.ndarray


def read(model, text: str) -> list[Layer]:
    """What every layer's scan is made of while the model reads a text.

    Raises:
        KzooError: for a character that the model does not know.
    """
    tokens = codec(model).encode(text)
    count = len(tokens)
    # What is filled in stands to the right, where none of the text looks.
    filled = np.zeros((1, next(size for size in SIZES if size >= count)), "int32")
    filled[0, :count] = tokens
    layers = []
    for found in model.trace(filled).values():
        parts = {name: found[name] if name == "A" else found[name][0, :count] for name in Layer._fields}
        layers.append(Layer(**parts))
    return layers


def state_after(layer: Layer, place: int) -> np.ndarray:
    """The layer's state after the character at `place`, (d, n), by the recurrence, step by step in float64."""
    delta, inputs, decays = (np.asarray(part, float) for part in (layer.delta, layer.inputs, layer.A))
    state = np.zeros_like(decays)
    for t in range(place + 1):
        state = np.exp(delta[t, :, None] * decays) * state + (delta[t] * inputs[t])[:, None] * layer.B[t]
    return state


def implied_attention(layer: Layer, channel: int, first: int, beyond: int) -> np.ndarray:
    """How much the characters of a window add to one channel's outputs there: (w, w), lower triangular, in float64.

    M_ts = C_t . exp(A (delta_{s+1} + ... + delta_t)) delta_s B_s
    """
    delta = np.asarray(layer.delta[first:beyond, channel], float)
    reach = np.cumsum(delta)
    between = np.maximum(reach[:, None] - reach[None], 0)  # (w, w); what lies above the diagonal is cut off below
    kept = np.exp(between[..., None] * np.asarray(layer.A[channel], float))
    written = delta[:, None] * layer.B[first:beyond]
    return np.tril(np.einsum("tn,tsn,sn->ts", layer.C[first:beyond], kept, written))


def used(layer: Layer, channel: int, place: int) -> np.ndarray:
    """How much each character up to `place` adds to one channel's output there, (place + 1,): a row of the matrix."""
    delta = np.asarray(layer.delta[: place + 1, channel], float)
    between = delta[::-1].cumsum()[::-1] - delta
    kept = np.exp(between[:, None] * np.asarray(layer.A[channel], float))
    return kept * delta[:, None] * layer.B[: place + 1] @ layer.C[place]


def window(length: int, place: int) -> tuple[int, int]:
    """The places (first, last + 1) that the map shows: those up to `place`, or the first ones of the text."""
    first = max(0, min(place + 1, length) - WINDOW)
    return first, min(length, first + WINDOW)


# A click on another layer, channel or character of the same text asks for nothing new. A text of 800 takes 13 MB.
@functools.lru_cache(maxsize=6)
def _read(text: str) -> tuple[list[Layer], np.ndarray]:
    """What the shown model makes of a text, and each layer's mean delta, (l, t)."""
    model = _model()
    with kit.alone(model):
        layers = read(model, text)
    return layers, np.stack([layer.delta.mean(axis=1) for layer in layers])


# --- what is seen --------------------------------------------------------------------------------------------------


def check_view(sent) -> tuple[int, int, str]:
    """Layer from 1 and channel from 0 that are looked into, and what the colour of the text is.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    layer, channel, shade = sent
    return (
        validate.number("layer", layer, 1, LAYERS, whole=True),
        validate.number("channel", channel, 0, CHANNELS - 1, whole=True),
        validate.choice("shade", shade, SHADES.values()),
    )


def look(seen: Seen) -> tuple[str, ...]:
    """The text, what is said of it, delta by layer, the state and the implied attention, as markup."""
    number, channel, shade = seen.view
    layers, delta = _read(seen.text)
    layer, here = layers[number - 1], delta[number - 1]
    low, high = float(here.min()), float(here.max())
    if shade == "written":
        shades = (here - low) / max(high - low, 1e-9)
    else:
        shades = np.abs(used(layer, channel, seen.place))
        shades = np.sqrt(shades / max(shades.max(), 1e-12))  # many are small, and yet are no zeros
    first, beyond = window(len(seen.text), seen.place)
    kept = float(np.exp(np.asarray(layer.delta[seen.place], float)[:, None] * layer.A).mean())
    character = seen.text[seen.place]
    return (
        writing.text_html(seen, shades.tolist()),
        markup.said_html(character, seen.place, number, float(here[seen.place]), kept, low, high, shade),
        markup.layers_svg(delta, seen.place, number, seen.text),
        markup.state_svg(state_after(layer, seen.place), channel, number, character),
        markup.matrix_svg(
            implied_attention(layer, channel, first, beyond),
            seen.text[first:beyond],
            first,
            seen.place - first,
            number,
            channel,
        ),
    )


def code(seen: Seen) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `text`, `delta`, `state`, `matrix`, `difference`."""
    number, channel, _ = seen.view
    first, beyond = window(len(seen.text), seen.place)
    return (
        writing.code(seen, PRESETS[0])
        + f"""
tokens = np.array([codec(model).encode(text)])  # (1, t)

# The step of each layer, the mean over its channels: large where it writes, small where it keeps.
trace = model.trace(tokens)
delta = np.stack([found["delta"][0].mean(axis=-1) for found in trace.values()])  # (layers, t)
print("layer {number} writes most at", [text[i] for i in np.argsort(-delta[{number - 1}])[:10]])

# The state of layer {number} after the character at place {seen.place}, {seen.text[seen.place]!r}: (channels, numbers).
_, states = model.stream(tokens[:, : {seen.place + 1}], model.initial_state(1))
state = keras.ops.convert_to_numpy(states[{number - 1}][1][0])

# How much each character adds to what channel {channel} of layer {number} puts out at each later one.
matrix = model.implied_attention(tokens, layer={number}, channel={channel})[0][{first}:{beyond}, {first}:{beyond}]

# The same by the scan, all at once, and step by step.
scanned, _ = model.stream(tokens, model.initial_state(1))
stepped, states = [], model.initial_state(1)
for token in tokens[0]:
    logits, states = model.step(np.array([token]), states)
    stepped.append(keras.ops.convert_to_numpy(logits)[0])
difference = np.abs(keras.ops.convert_to_numpy(scanned)[0] - np.stack(stepped)).max()
print("largest difference", difference)
"""
    )


# --- the page ------------------------------------------------------------------------------------------------------


def _model():
    return writing.model(PRESETS[0])


@functools.cache
def opening() -> tuple[Seen, float | None]:
    """What a visitor sees first, and the seconds that a character of it took."""
    settings = Settings()
    text, seconds = writing.whole(_model(), settings)
    return Seen(settings, text, len(settings.prompt), 40, (2, 0, "written")), seconds


def cells(seen: Seen) -> list[tuple[str, str]]:
    """What the status line says beside the time: the size of the state, which no text makes larger."""
    return [("kB of state, at any length", f"{measure.kilobytes(_model(), len(seen.text)):.0f}")]


def memory_svg() -> str:
    """What Mamba and the transformer beside it keep of a text, by its length: known without measuring."""
    sizes = {
        name: [measure.kilobytes(model, length) for length in measure.LENGTHS]
        for name, model in (("mamba", _model()), ("transformer", measure.transformer()))
    }
    return markup.growth(measure.LENGTHS, sizes, title="What is kept of a text", up="kB (log axes)", ends=_ENDS)


def time_svg(lengths=(), times=None) -> str:
    """What one character more takes after so many, as far as it is measured."""
    return markup.growth(
        lengths,
        times or {},
        title="One character more takes",
        up="ms (log axes)",
        ends=_ENDS,
        empty="Press the button to measure.",
    )


_ENDS = (measure.LENGTHS[0], measure.LENGTHS[-1])


def measure_text(text: str):
    """Reads a text both ways, then times one character more after more and more of them: (table, chart) as they come.

    Raises:
        gr.Error: if it is no text, or too long.
        KzooError: for a character that the model does not know.
    """
    text, *_ = writing.check_text(text, 0, 0)
    model = _model()
    tokens = codec(model).encode(text)
    with kit.alone(model):
        table = markup.ways_html(measure.read_both_ways(model, tokens))
    yield table, time_svg()
    for lengths, times in measure.race(model):
        yield table, time_svg(lengths, times)


def read_client(text: str = "ROMEO:\nBut soft", layer: int = 2, channel: int = 0) -> dict:
    """What one layer does with each character of a text: its mean delta, and what one channel makes of the last one."""
    text, _, place = writing.check_text(text, 0, len(text) - 1 if isinstance(text, str) and text else 0)
    number, channel, _ = check_view((layer, channel, "written"))
    layers, delta = _read(text)
    seen = Seen(Settings(prompt=text[: writing.LONGEST], length=0), text, len(text), place, (number, channel, "used"))
    return {
        "delta": delta[number - 1].tolist(),
        "used": used(layers[number - 1], channel, place).tolist(),
        "code": code(seen),
    }


def build() -> gr.Blocks:
    """The page."""
    first, seconds = opening()
    panel = writing.Panel(
        "mamba", _model, look, code, first, EXAMPLES, check_view=check_view, cells=cells, seconds=seconds
    )
    style = {"css_template": markup.CSS}
    click = {"js_on_load": writing.PICK + markup.CELL, **style}
    with kit.blocks(TITLE) as demo:
        kit.heading(
            "Mamba writes with a memory of constant size",
            f"A small model that has read Shakespeare, {_model().count_params():,} weights; it runs here, on "
            f"{kzoo.backend.name()}. Press Write; then click any letter to see what was kept and what was overwritten "
            "there.",
        )
        with gr.Row():
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                panel.ask()
                said = gr.HTML(panel.pictures[1], elem_id="mamba-said", **style)
                gr.HTML('<p class="kz-title">What each layer writes, letter by letter: click into it</p>', **style)
                layers = gr.HTML(panel.pictures[2], elem_id="mamba-layers", **click)
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
                panel.knobs()
                with gr.Group():
                    shade = gr.Radio(list(SHADES.items()), value=first.view[2], label="Colour of the text")
                    layer = gr.Slider(1, LAYERS, first.view[0], step=1, label="Look into layer", buttons=[])
                    channel = gr.Slider(
                        0, CHANNELS - 1, first.view[1], step=1, label="Look into channel (0 to 255)", buttons=[]
                    )
                kit.caption(
                    "Written: the layer's step delta, the mean over its channels. Used: how much each letter still "
                    "adds, through the chosen channel, to the output at the framed one."
                )
        with gr.Row():
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                gr.HTML('<p class="kz-title">The state after the framed letter: choose a channel</p>', **style)
                state = gr.HTML(panel.pictures[3], elem_id="mamba-state", **click)
                kit.caption(
                    "All that the layer knows of what it has read. Blue is below zero, orange above. In each channel "
                    "the upper numbers begin, before training, as those that forget most slowly."
                )
                gr.HTML('<p class="kz-title">Read at once or letter by letter: the same numbers</p>', **style)
                ways = gr.HTML(markup.ways_html(), elem_id="mamba-ways", **style)
                start = gr.Button("Measure here and now (some seconds)", size="sm")
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
                gr.HTML('<p class="kz-title">The attention that this channel amounts to</p>', **style)
                matrix = gr.HTML(panel.pictures[4], elem_id="mamba-matrix", **click)
                kit.caption(
                    "A row is a letter, and takes up what the letters up to itself, the columns, have left in the "
                    "state. No such map is ever made while the model reads: it is computed here to be seen."
                )
        with gr.Row():
            with gr.Column(min_width=280, elem_classes="kz-tight"):
                times = gr.HTML(time_svg(), elem_id="mamba-time", **style)
            with gr.Column(min_width=280, elem_classes="kz-tight"):
                gr.HTML(memory_svg(), elem_id="mamba-memory", **style)
        kit.caption(
            f"Beside Mamba an untrained transformer as wide, of {measure.transformer().count_params():,} weights: its "
            "cache grows with the text, and so does the time that it takes to look through it. Times are those of this "
            f"machine while it serves others; no length is begun after {measure.BOUND:g} seconds."
        )
        panel.connect(
            demo,
            [said, layers, state, matrix],
            {"layer": layer, "channel": channel, "shade": shade},
            picks=[layers, state, matrix],
        )
        start.click(
            kit.in_float32(measure_text),
            panel.shown[0],
            [ways, times],
            api_name="mamba_measure",
            show_progress="hidden",
            preprocess=False,
            concurrency_id="measure",
            concurrency_limit=1,
            **kit.PRIVATE,
        )
        gr.api(kit.in_float32(read_client), api_name="read_mamba")
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
