"""The pad of a page that reads digits: what a visitor drew, the examples beneath, and the drawing that a link brings.

drawing = pad.build_pad(digits.example("3"))
digit_pad.build_examples(drawing, "vae-examples")  # inside gr.Blocks; a click puts one on the pad
"""

import functools

import digits
import gradio as gr
import kit
import numpy as np
import pad
import pictures
import validate

# Values come as they were sent: they are checked here, in words clearer than Gradio's own.
_QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False, **kit.PRIVATE}


def prepared(drawing) -> digits.Prepared:
    """The network's input for what a page or an API client sent as a drawing; None is an empty one.

    Raises:
        gr.Error: one line, if it is no drawing.
    """
    try:
        return digits.prepare(pad.decode("" if drawing is None else drawing))
    except ValueError as error:
        raise validate.refuse(str(error)) from None


@functools.cache
def example(name: str) -> np.ndarray:
    """An example as a network gets it, (28, 28)."""
    return prepared(digits.example(name)).image


def chosen(event: gr.EventData) -> str:
    """The name of the example that was clicked."""
    clicked = event._data.get("name") if isinstance(event._data, dict) else None
    return validate.choice("Example", clicked, digits.EXAMPLES)


def choose(event: gr.EventData) -> str:
    """The drawing of the example that was clicked."""
    return digits.example(chosen(event))


def build_examples(drawing, elem_id: str) -> gr.HTML:
    """The examples as tiles; a click puts one on the pad `drawing`."""
    tiles = gr.HTML(
        pictures.grid(
            [example(name) for name in digits.EXAMPLES],
            label="Examples",
            said=[f"Example: {name}" for name in digits.EXAMPLES],
            picks=[{"name": name} for name in digits.EXAMPLES],
            side=46,
        ),
        js_on_load=pictures.PICK,
        css_template=pictures.CSS,
        elem_id=elem_id,
    )
    # Of each click its own data: of the last one alone, Gradio sends those of the first again.
    tiles.pick(choose, None, drawing, **{**_QUICK, "trigger_mode": "multiple", "concurrency_limit": 1})
    return tiles


def linked(request: gr.Request | None) -> str | None:
    """The drawing that the page's address asks for, or None; a bad one is ignored, and a note says so."""
    text = request.query_params.get("drawing") if request is not None else None
    try:
        pad.decode(text or "")
    except ValueError:
        text = None
        gr.Info("The link's value of 'drawing' is not allowed here and was left out.")
    return text or None


def late(drawing, start: str) -> gr.State:
    """What a handler of `demo.load` gives a drawing to, in place of a pad whose tab is not drawn yet.

    Such an update of a component of ours would take its properties away. The pad gets the drawing once it is there.
    """
    wanted = gr.State(start)
    wanted.change(lambda text: text, wanted, drawing, **_QUICK)
    return wanted
