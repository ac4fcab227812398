"""What the tabs of the page of spiking neurons share: looks, sliders, the code panel and the link."""

import gradio as gr
import kit
import link
import live
from lif_charts import CSS

QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
STYLE = {"css_template": CSS}
STATUS = {"css_template": CSS + live.STATUS_CSS}


def restored(controls: dict, tabs, tab: str, work, outputs, demo) -> None:
    """Lets the address's own values be shown, on their tab."""

    @kit.in_float32
    def restore(request: gr.Request):
        good = link.restore(controls, request)
        if not good:
            return [gr.skip()] * (1 + len(controls) + len(outputs))
        given = [good.get(name, component.value) for name, component in controls.items()]
        return [gr.Tabs(selected=tab), *given, *work(*given)]

    demo.load(restore, None, [tabs, *controls.values(), *outputs], show_progress="hidden", **kit.PRIVATE)


def bottom(text: str, controls: dict):
    """Code panel and link."""
    panel = kit.code_panel(text)
    link.button(controls, {name: component.value for name, component in controls.items()})
    return panel


def sliders(table: dict, now) -> dict:
    """A slider for each row of a table, name -> (label, least, greatest, step), at the values of `now`."""
    return {
        name: gr.Slider(low, high, getattr(now, name), step=step, label=label, buttons=[], min_width=150)
        for name, (label, low, high, step) in table.items()
    }
