"""The tab of the trained network: its handlers, its pictures and its controls."""

import digit_pad
import digits
import gradio as gr
import kit
import lif_digits as learned
import link
import pad
from lif_page import QUICK, STATUS, STYLE


@kit.in_float32
def think(drawing: str = "", encoder: str = "current", steps: int = 10):
    """What the trained network makes of a drawing: status, input, layers, readout over time, as markup; the code."""
    asked = learned.check(drawing, encoder, steps)
    return *learned.look(*asked), learned.code(*asked)


def build(demo, tabs) -> None:
    start = digits.example(learned.FIRST)
    encoder, steps = learned.trained()
    said, given, layers, readout, text = think(start, encoder, steps)
    status = gr.HTML(said, elem_id="lif-answer", **STATUS)
    with gr.Row():
        with gr.Column(scale=3, min_width=280, elem_classes="kz-tight"):
            drawn = pad.build_pad(start, label="Drawing pad")
            digit_pad.build_examples(drawn, "lif-examples")
            with gr.Group():
                coded = gr.Radio(list(learned.CODES.items()), value=encoder, label="The input comes as")
                length = gr.Slider(*learned.STEPS, steps, step=1, label="Time (steps)", buttons=[])
            kit.caption(
                f"Trained with {steps} steps of constant current: it reads {learned.quality()} of MNIST's test digits. "
                "With another code, or another time, the weights stay as they are."
            )
        with gr.Column(scale=8, min_width=300, elem_classes="kz-tight"):
            strip = gr.HTML(given, elem_id="lif-given", **STYLE)
            with gr.Row():
                with gr.Column(min_width=280, elem_classes="kz-tight"):
                    raster = gr.HTML(layers, elem_id="lif-layers", **STYLE)
                    kit.caption("A row a neuron, a mark a spike; who fires most stands on top. Many never fire.")
                with gr.Column(min_width=280, elem_classes="kz-tight"):
                    output = gr.HTML(readout, elem_id="lif-readout", **STYLE)
                    kit.caption(
                        "Output neurons do not fire: the class whose voltage is highest in the mean is the answer. At "
                        "the foot, what it would say after each step."
                    )
    panel = kit.code_panel(text)
    controls = {"drawing": drawn, "code": coded, "steps": length}
    with gr.Row():
        link.button(controls)
        kit.download_button(
            "Download the model (.keras)", lambda: kit.download(kit.preset(learned.NAME), learned.NAME), []
        )
    asked, outputs = list(controls.values()), [status, strip, raster, output, panel]
    gr.on([drawn.change, coded.input, length.input], think, asked, outputs, api_name="think", **QUICK)

    @kit.in_float32
    def restore(request: gr.Request):
        """The drawing that the address asks for, on its tab."""
        good = link.restore({name: controls[name] for name in ("code", "steps")}, request)
        asked = digit_pad.linked(request)
        seen = [wanted, coded, length, *outputs]
        if not asked and not good:
            return [gr.skip()] * (1 + len(seen))
        given = asked or start, good.get("code", encoder), good.get("steps", steps)
        return gr.Tabs(selected="trained"), *given, *think(*given)

    wanted = digit_pad.late(drawn, start)
    demo.load(restore, None, [tabs, wanted, coded, length, *outputs], show_progress="hidden", **kit.PRIVATE)
