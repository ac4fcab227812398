"""Spiking neurons: one under a current of your own, the same on three engines, a network of them, and one that learned.

    python demos/lif_app.py

The neuron is the leaky integrate-and-fire one of `kzoo.bio`, in SI units, with theory beside what is measured.
"""

import functools

import digit_pad
import digits
import drawing
import gradio as gr
import kit
import lif_digits as learned
import lif_engines
import lif_markup as markup
import lif_network_tab
import lif_neuron as one
import link
import numpy as np
import pad
import validate
from lif_charts import note_html
from lif_neuron import Settings
from lif_page import QUICK, STATUS, STYLE, sliders

from kzoo.errors import KzooError

TITLE = "Spiking neurons"
SUMMARY = "Integrate, fire, reset: a neuron, a network, a classifier"
PRESETS = ("snn_mnist",)

# --- one neuron ----------------------------------------------------------------------------------------------------


@kit.in_float32
def neuron(*sent):
    """The status line, the traces, the f-I curve and the code for the settings, in the order of `one.FIELDS`."""
    return _neuron(one.check(*sent))


def _neuron(settings: Settings):
    try:
        return *one.look(settings), one.code(settings)
    except KzooError as error:
        # While a slider passes through what cannot be, the last picture stays and a sentence says why.
        return note_html(str(error), wrong=True), gr.skip(), gr.skip(), gr.skip()


def neuron_client(
    tau: float = 20.0, resistance: float = 100.0, v_rest: float = -70.0, v_threshold: float = -50.0,
    v_reset: float = -65.0, t_ref: float = 2.0, amplitude: float = 0.25, sigma: float = 0.0, duration: int = 300,
    dt: float = 0.1, seed: int = 0,
) -> dict:  # fmt: skip
    """A neuron under a constant current: when it spikes (ms), its rate and what the formula says (Hz), and the code.

    Times in ms, voltages in mV, the resistance in MOhm, the current in nA.
    """
    default = Settings()
    settings = one.check(
        tau, resistance, v_rest, v_threshold, v_reset, t_ref, "constant", amplitude, default.baseline,
        default.frequency, default.width, default.spread, default.memory, sigma, default.values, duration, dt, seed,
    )  # fmt: skip
    recording = one.record(settings)
    found = one.figures(settings, recording)
    return {
        "spikes": np.round(recording.spike_times() * 1e3, 6).tolist(),
        "rate": found.measured,
        "formula": found.predicted,
        "code": one.code(settings),
    }


def _asked(wave) -> list:
    """Which controls of the current are there to be set."""
    wave = validate.choice("Current", wave, one.WAVES.values())
    shown = {"amplitude": wave not in ("own",), **{name: name in one.ASKS[wave] for name in _OPTIONAL}}
    return [gr.update(visible=shown[name]) for name in ("amplitude", *_OPTIONAL)] + [gr.update(visible=wave == "own")]


_OPTIONAL = ("baseline", "frequency", "width", "spread", "memory")


def _neuron_tab(demo, tabs) -> dict:
    """Gives the controls, which the engines' tab reads too."""
    now = Settings()
    said, seen, curve, text = _neuron(now)
    with gr.Row():
        scenes = {name: gr.Button(name, size="sm", min_width=150) for name in one.SCENES}
    status = gr.HTML(said, elem_id="lif-status", **STATUS)
    with gr.Row():
        with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
            traces = gr.HTML(seen, elem_id="lif-traces", js_on_load=markup.DRAW, **STYLE)
            kit.caption(
                "The voltage follows the current with the time constant and leaks back to rest. Above the threshold it "
                "is reset: the orange strokes are drawn by hand, for the model has no shape of a spike. Shaded: the "
                "refractory period."
            )
            rate = gr.HTML(curve, elem_id="lif-rates", js_on_load=drawing.CLICK, **STYLE)
            kit.caption(
                "Dots: measured, all currents in one run. Dashed upright: the rheobase. The ring is the neuron above; "
                "click to give it another current."
            )
        with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
            with gr.Group():
                wave = gr.Radio(list(one.WAVES.items()), value=now.wave, label="Current")
                drive = sliders(one.DRIVE, now)
                values = gr.Textbox(
                    now.values, label="Drawn current (nA, numbers with commas): or draw into the picture", lines=2,
                    max_lines=3, max_length=one.LONGEST, visible=False,
                )  # fmt: skip
            with gr.Group():
                membrane = sliders(one.MEMBRANE, now)
            with gr.Group():
                duration = gr.Slider(*one.DURATIONS, now.duration, step=50, label="Duration (ms)", buttons=[])
                with gr.Row():
                    dt = gr.Dropdown(one.STEPS, value=now.dt, label="Time step (ms)", min_width=120)
                    seed = gr.Number(
                        now.seed, label="Seed of the noise (0 to 9999)", precision=0, minimum=0, maximum=9999,
                        min_width=120,
                    )  # fmt: skip
    for name in _OPTIONAL:
        drive[name].visible = name in one.ASKS[now.wave]
    controls = {
        **membrane, "wave": wave, **drive, "values": values, "duration": duration, "dt": dt, "seed": seed,
    }  # fmt: skip
    assert tuple(controls) == one.FIELDS
    panel = link.foot(text, controls)
    asked, outputs = list(controls.values()), [status, traces, rate, panel]
    gr.on([part.input for part in asked], neuron, asked, outputs, api_name="neuron", **QUICK)
    fitting = [drive["amplitude"], *(drive[name] for name in _OPTIONAL), values]
    wave.change(kit.in_float32(_asked), wave, fitting, **QUICK, **kit.PRIVATE)

    @kit.in_float32
    def begin(name):
        settings = one.scene(name)
        return *(getattr(settings, field) for field in one.FIELDS), *_neuron(settings)

    for number, (name, button) in enumerate(scenes.items(), start=1):
        button.click(
            functools.partial(begin, name), None, [*asked, *outputs],
            api_name=f"neuron_scene_{number}", **QUICK, **kit.PRIVATE,
        )  # fmt: skip

    @kit.in_float32
    def clicked(event: gr.EventData, *sent):
        """The current that was clicked in the f-I curve."""
        sent = dict(zip(one.FIELDS, sent, strict=True))
        place = event._data if isinstance(event._data, dict) else {}
        low, high = one.DRIVE["amplitude"][1:3]
        sent["amplitude"] = round(min(max(validate.number("Current", place.get("x"), -1e3, 1e3), low), high), 3)
        return sent["amplitude"], *neuron(*sent.values())

    rate.click(clicked, asked, [drive["amplitude"], *outputs], api_name="neuron_click", **QUICK, **kit.PRIVATE)

    @kit.in_float32
    def drew(event: gr.EventData, *sent):
        """The current that is being drawn."""
        sent = dict(zip(one.FIELDS, sent, strict=True))
        place = event._data if isinstance(event._data, dict) else {}
        sent["values"] = validate.text("Drawn current", place.get("values"), one.LONGEST)
        return sent["values"], *neuron(*sent.values())

    traces.pick(drew, asked, [values, *outputs], api_name="neuron_draw", **QUICK, **kit.PRIVATE)
    link.reopen(demo, tabs, "neuron", controls, neuron, outputs)
    gr.api(kit.in_float32(neuron_client), api_name="simulate_neuron")
    return controls


# --- three engines -------------------------------------------------------------------------------------------------


@kit.in_float32
def compare(*sent):
    """The neuron of the first tab on all engines, as they answer: overlay, table and code."""
    settings = one.check(*sent)
    engine, _ = lif_engines.brian()
    for found in lif_engines.runs(settings):
        yield *lif_engines.look(settings, found), lif_engines.code(settings, engine)


def _engines_tab(controls: dict) -> None:
    settings = Settings()
    engine, _ = lif_engines.brian()
    # Opened with NumPy's alone: what takes longer waits for the button.
    first, _ = lif_engines.by_numpy(settings)
    waiting = [lif_engines.Run(name, "", note="not run yet") for name in ("Brian2", "Keras")]
    overlay, table = lif_engines.look(settings, [first, *waiting])
    with gr.Row(elem_classes="kz-buttons"):
        start = gr.Button("Run on all three", variant="primary", scale=0, min_width=180)
        kit.caption(
            "The neuron as it is set on the first tab, under the same current. The first time, Brian2's program is "
            "compiled, which takes some ten seconds; then it runs in milliseconds."
        )
    picture = gr.HTML(overlay, elem_id="lif-overlay", **STYLE)
    kit.caption(
        "Three lines over each other: where one hides the others, they agree. Below, how far Brian2 and Keras are from "
        "NumPy: the rounding of 64 bits lies near 10\u207b\u00b9\u00b3 mV, that of 32 bits near 10\u207b\u2074 mV."
    )
    said = gr.HTML(table, elem_id="lif-engines", **STYLE)
    panel = kit.code_panel(lif_engines.code(settings, engine))
    start.click(
        compare, list(controls.values()), [picture, said, panel], api_name="engines", show_progress="hidden",
        preprocess=False, trigger_mode="once", concurrency_id="engines", concurrency_limit=2,
    )  # fmt: skip


# --- a trained network ---------------------------------------------------------------------------------------------


@kit.in_float32
def think(drawing: str = "", encoder: str = "current", steps: int = 10):
    """What the trained network makes of a drawing: status, input, layers, readout over time, as markup; the code."""
    asked = learned.check(drawing, encoder, steps)
    return *learned.look(*asked), learned.code(*asked)


def _digits_tab(demo, tabs) -> None:
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


# --- the page ------------------------------------------------------------------------------------------------------


def build() -> gr.Blocks:
    """The page."""
    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE,
            "A neuron sums up its current, leaks, and fires above a threshold: "
            "\u03c4 dV/dt = \u2212(V \u2212 V_rest) + R I. Every picture is simulated here and now, with the "
            "formula beside what was measured.",
        )
        with kit.tabs() as tabs:
            with gr.Tab("Neuron", id="neuron"):
                controls = _neuron_tab(demo, tabs)
            with gr.Tab("Engines", id="engines"):
                _engines_tab(controls)
            with gr.Tab("Network", id="network") as tab:
                lif_network_tab.build(demo, tabs, tab)
            with gr.Tab("Trained", id="trained"):
                _digits_tab(demo, tabs)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
