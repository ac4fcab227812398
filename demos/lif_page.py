"""What the tabs of the page of spiking neurons share: looks and sliders."""

import gradio as gr
import live
from lif_charts import CSS

QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
# For a click or a drag, whose data Gradio keeps of each event alone; see pictures.DRAGGED.
EACH = {**QUICK, "trigger_mode": "multiple"}
STYLE = {"css_template": CSS}
STATUS = {"css_template": CSS + live.STATUS_CSS}


def sliders(table: dict, now) -> dict:
    """A slider for each row of a table, name -> (label, least, greatest, step), at the values of `now`."""
    return {
        name: gr.Slider(low, high, getattr(now, name), step=step, label=label, buttons=[], min_width=150)
        for name, (label, low, high, step) in table.items()
    }
