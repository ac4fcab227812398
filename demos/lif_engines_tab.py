"""The tab of the three engines: the neuron that is set on the first tab, on each of them."""

import gradio as gr
import kit
import lif_engines as three
from lif_page import STYLE
from lif_settings import Settings, check


@kit.in_float32
def compare(*sent):
    """The neuron of the first tab on all engines, as they answer: overlay, table and code."""
    settings = check(*sent)
    engine, _ = three.brian()
    for found in three.runs(settings):
        yield *three.look(settings, found), three.code(settings, engine)


def build(controls: dict) -> None:
    """The tab; `controls` are those of the neuron's."""
    settings = Settings()
    engine, _ = three.brian()
    # Opened with NumPy's alone: what takes longer waits for the button.
    first, _ = three.by_numpy(settings)
    waiting = [three.Run(name, "", note="not run yet") for name in ("Brian2", "Keras")]
    overlay, table = three.look(settings, [first, *waiting])
    with gr.Row(elem_classes="kz-buttons"):
        start = gr.Button("Run on all three", variant="primary", scale=0, min_width=180)
        kit.caption(
            "The neuron as it is set on the first tab, under the same current. The first time, Brian2's program is "
            "compiled, which takes some twenty seconds; then it runs in milliseconds."
        )
    picture = gr.HTML(overlay, elem_id="lif-overlay", **STYLE)
    kit.caption(
        "Three lines over each other: where one hides the others, they agree. Below, how far Brian2 and Keras are from "
        "NumPy: the rounding of 64 bits lies near 10\u207b\u00b9\u00b3 mV, that of 32 bits near 10\u207b\u2074 mV."
    )
    said = gr.HTML(table, elem_id="lif-engines", **STYLE)
    panel = kit.code_panel(three.code(settings, engine))
    start.click(
        compare, list(controls.values()), [picture, said, panel], api_name="engines", show_progress="hidden",
        preprocess=False, trigger_mode="once", concurrency_id="engines", concurrency_limit=2,
    )  # fmt: skip
