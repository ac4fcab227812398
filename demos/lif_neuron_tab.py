"""The tab of one neuron: its handlers, its pictures and its controls."""

import functools

import drawing
import gradio as gr
import kit
import lif_markup as markup
import lif_neuron as one
import link
import numpy as np
import validate
from lif_charts import note_html
from lif_page import EACH, QUICK, STATUS, STYLE, sliders
from lif_settings import ASKS, DRIVE, DURATIONS, FIELDS, LONGEST, MEMBRANE, SCENES, STEPS, WAVES, Settings, check, scene

from kzoo.errors import KzooError


@kit.in_float32
def neuron(*sent):
    """The status line, the traces, the f-I curve and the code for the settings, in the order of `FIELDS`."""
    return _neuron(check(*sent))


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
    settings = check(
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
    wave = validate.choice("Current", wave, WAVES.values())
    shown = {"amplitude": wave not in ("own",), **{name: name in ASKS[wave] for name in _OPTIONAL}}
    return [gr.update(visible=shown[name]) for name in ("amplitude", *_OPTIONAL)] + [gr.update(visible=wave == "own")]


_OPTIONAL = ("baseline", "frequency", "width", "spread", "memory")


def build(demo, tabs) -> dict:
    """Gives the controls, which the engines' tab reads too."""
    now = Settings()
    said, seen, curve, text = _neuron(now)
    with gr.Row():
        scenes = {name: gr.Button(name, size="sm", min_width=150) for name in SCENES}
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
                wave = gr.Radio(list(WAVES.items()), value=now.wave, label="Current")
                drive = sliders(DRIVE, now)
                values = gr.Textbox(
                    now.values, label="Drawn current (nA, numbers with commas): or draw into the picture", lines=2,
                    max_lines=3, max_length=LONGEST, visible=False,
                )  # fmt: skip
            with gr.Group():
                membrane = sliders(MEMBRANE, now)
            with gr.Group():
                duration = gr.Slider(*DURATIONS, now.duration, step=50, label="Duration (ms)", buttons=[])
                with gr.Row():
                    dt = gr.Dropdown(STEPS, value=now.dt, label="Time step (ms)", min_width=120)
                    seed = gr.Number(
                        now.seed, label="Seed of the noise (0 to 9999)", precision=0, minimum=0, maximum=9999,
                        min_width=120,
                    )  # fmt: skip
    for name in _OPTIONAL:
        drive[name].visible = name in ASKS[now.wave]
    controls = {
        **membrane, "wave": wave, **drive, "values": values, "duration": duration, "dt": dt, "seed": seed,
    }  # fmt: skip
    assert tuple(controls) == FIELDS
    panel = link.foot(text, controls)
    asked, outputs = list(controls.values()), [status, traces, rate, panel]
    gr.on([part.input for part in asked], neuron, asked, outputs, api_name="neuron", **QUICK)
    fitting = [drive["amplitude"], *(drive[name] for name in _OPTIONAL), values]
    wave.change(kit.in_float32(_asked), wave, fitting, **QUICK, **kit.PRIVATE)

    @kit.in_float32
    def begin(name):
        settings = scene(name)
        return *(getattr(settings, field) for field in FIELDS), *_neuron(settings)

    for number, (name, button) in enumerate(scenes.items(), start=1):
        button.click(
            functools.partial(begin, name), None, [*asked, *outputs],
            api_name=f"neuron_scene_{number}", **QUICK, **kit.PRIVATE,
        )  # fmt: skip

    @kit.in_float32
    def clicked(event: gr.EventData, *sent):
        """The current that was clicked in the f-I curve."""
        sent = dict(zip(FIELDS, sent, strict=True))
        place = event._data if isinstance(event._data, dict) else {}
        low, high = DRIVE["amplitude"][1:3]
        sent["amplitude"] = round(min(max(validate.number("Current", place.get("x"), -1e3, 1e3), low), high), 3)
        return sent["amplitude"], *neuron(*sent.values())

    rate.click(clicked, asked, [drive["amplitude"], *outputs], api_name="neuron_click", **EACH, **kit.PRIVATE)

    @kit.in_float32
    def drew(event: gr.EventData, *sent):
        """The current that is being drawn."""
        sent = dict(zip(FIELDS, sent, strict=True))
        place = event._data if isinstance(event._data, dict) else {}
        sent["values"] = validate.text("Drawn current", place.get("values"), LONGEST)
        return sent["values"], *neuron(*sent.values())

    traces.pick(drew, asked, [values, *outputs], api_name="neuron_draw", **EACH, **kit.PRIVATE)
    link.reopen(demo, tabs, "neuron", controls, neuron, outputs)
    gr.api(kit.in_float32(neuron_client), api_name="simulate_neuron")
    return controls
