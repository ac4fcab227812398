"""Spiking neurons: one under a current of your own, the same on three engines, a network of them, and one that learned.

    python demos/lif_app.py

The neuron is the leaky integrate-and-fire one of `kzoo.bio`, in SI units, with theory beside what is measured.
"""

import functools

import gradio as gr
import kit
import lif_engines
import lif_markup as markup
import lif_network as many
import lif_neuron as one
import lif_player
import link
import numpy as np
import validate
from lif_neuron import Settings

from kzoo.errors import KzooError

TITLE = "Spiking neurons"
SUMMARY = "Integrate, fire, reset: a neuron, a network, a classifier"
PRESETS = ()

QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
STYLE = {"css_template": markup.CSS}


# --- what all tabs share -------------------------------------------------------------------------------------------


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
        return markup.note_html(str(error), wrong=True), gr.skip(), gr.skip(), gr.skip()


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
    status = gr.HTML(said, elem_id="lif-status", css_template=markup.CSS + one.live.STATUS_CSS)
    with gr.Row():
        with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
            traces = gr.HTML(seen, elem_id="lif-traces", js_on_load=markup.DRAW, **STYLE)
            kit.caption(
                "The voltage follows the current with the time constant and leaks back to rest. Above the threshold it "
                "is reset: the orange strokes are drawn by hand, for the model has no shape of a spike. Shaded: the "
                "refractory period."
            )
            rate = gr.HTML(curve, elem_id="lif-rates", js_on_load=markup.drawing.CLICK, **STYLE)
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
    panel = bottom(text, controls)
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
    restored(controls, tabs, "neuron", neuron, outputs, demo)
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


# --- a network -----------------------------------------------------------------------------------------------------


@kit.in_float32
def network(g: float = 5.0, eta: float = 2.0, seed: int = 0, cell: int = many.NOBODY, strength: float = 0.3):
    """The status line, the plane, the film, the spectrum, the histogram and the code of a network, as they come."""
    place = many.check(g, eta, seed, cell, strength)
    yield one.live.status([], "Simulating 2,500 neurons ..."), *[gr.skip()] * 5
    yield *many.look(place), many.code(place)


def network_client(
    g: float = 5.0, eta: float = 2.0, seed: int = 0, cell: int = many.NOBODY, strength: float = 0.3
) -> dict:
    """A network of 2,500 neurons: its rate and theory's (Hz), CV, synchrony, rhythm (Hz), and the code.

    cell: the neuron about which a stimulus of `strength` nA acts; -1 for none.
    """
    place = many.check(g, eta, seed, cell, strength)
    found = many.figures(many.run(place))
    known = found.regularity[np.isfinite(found.regularity)]
    return {
        "rate": found.rate,
        "theory": many.predicted(place.g, place.eta),
        "cv": float(known.mean()) if len(known) else None,
        "synchrony": None if np.isnan(found.synchrony) else found.synchrony,
        "rhythm": found.rhythm,
        "code": many.code(place),
    }


def _network_tab(demo, tabs, tab) -> None:
    g, eta = many.REGIMES[many.FIRST]
    first = many.Place(g, eta, 0, many.NOBODY, 0.3)
    with gr.Row():
        regimes = {
            letter: gr.Button(f"{letter}: {many.REGIME_NAMES[letter]}", size="sm", min_width=200)
            for letter in many.REGIMES
        }
    status = gr.HTML("", elem_id="lif-network", css_template=markup.CSS + one.live.STATUS_CSS)
    film = gr.HTML(lif_player.film_html(), elem_id="lif-film", js_on_load=lif_player.script(),
                   css_template=lif_player.CSS)  # fmt: skip
    kit.caption(
        "Left, each cell is a neuron and lights up when it fires; right, each dot is a spike, with the rate of the "
        "population below. Click a cell to stimulate those around it; click the raster to move in time."
    )
    with gr.Row():
        with gr.Column(scale=5, min_width=300, elem_classes="kz-tight"):
            plane = gr.HTML(
                markup.plane_svg(many.plane(), many.G, many.ETA, (g, eta), many.REGIMES), elem_id="lif-plane",
                js_on_load=markup.PLANE, **STYLE,
            )  # fmt: skip
            kit.caption(
                "Click anywhere, or use the arrow keys. The darker, the faster theory expects the neurons to fire. "
                "Right of the balance inhibition wins; below the threshold the drive alone makes no neuron fire."
            )
        with gr.Column(scale=5, min_width=300, elem_classes="kz-tight"):
            spectrum = gr.HTML("", elem_id="lif-spectrum", **STYLE)
            kit.caption("A peak is a common rhythm: fast where inhibition answers after its delay, slow in regime D.")
            histogram = gr.HTML("", elem_id="lif-histogram", **STYLE)
            kit.caption("Of each neuron, how much its intervals vary: standard deviation over mean.")
    with gr.Row():
        controls = {
            "g": gr.Slider(*many.G, g, step=0.05, label="Inhibition g (ratio of weights)", buttons=[]),
            "eta": gr.Slider(*many.ETA, eta, step=0.05, label="Drive \u03b7 (1 just reaches threshold)", buttons=[]),
            "network": gr.Number(0, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999),
            "cell": gr.Number(
                many.NOBODY, label="Stimulated cell (0 to 2499; -1: none)", precision=0, minimum=many.NOBODY,
                maximum=2499,
            ),
            "strength": gr.Slider(0, many.STRONGEST, first.strength, step=0.05, label="Stimulus (nA)", buttons=[]),
        }  # fmt: skip
    kit.caption(
        "The network of Brunel (2000) with a fifth of its neurons: 2,000 excitatory and 500 inhibitory, each with 400 "
        "and 100 random sources. In so small a one neurons share more of their sources, so that even C is a little "
        "synchronous. A stimulus lasts a tenth of the time."
    )
    panel = bottom(many.code(first), controls)
    asked, outputs = list(controls.values()), [status, plane, film, spectrum, histogram, panel]
    work = {"concurrency_id": "network", "concurrency_limit": 2, **QUICK}
    # A network takes seconds: it is run when a slider is let go.
    moved = [part.release if isinstance(part, gr.Slider) else part.input for part in asked]
    gr.on(moved, network, asked, outputs, api_name="network", **work)

    def chosen(which):
        """A handler of a click: what it changes of the settings, then the network."""

        def handler(event: gr.EventData, *sent):
            sent = dict(zip(controls, sent, strict=True))
            sent |= which(event._data if isinstance(event._data, dict) else {}, sent)
            for seen in network(*sent.values()):
                yield *sent.values(), *seen

        return kit.in_float32(handler)

    def place(clicked, sent):
        return {"g": clicked.get("g"), "eta": clicked.get("eta")}

    def cell(clicked, sent):
        return {"cell": clicked.get("cell"), "strength": sent["strength"] or first.strength}

    plane.pick(chosen(place), asked, [*asked, *outputs], api_name="network_place", **work, **kit.PRIVATE)
    film.pick(chosen(cell), asked, [*asked, *outputs], api_name="network_cell", **work, **kit.PRIVATE)
    for letter, button in regimes.items():
        where = dict(zip(("g", "eta"), many.REGIMES[letter], strict=True)) | {"cell": many.NOBODY}
        button.click(
            chosen(lambda clicked, sent, where=where: where), asked, [*asked, *outputs],
            api_name=f"network_{letter}", **work, **kit.PRIVATE,
        )  # fmt: skip
    # The first network is run when somebody comes to see it; all who follow get the same.
    tab.select(network, asked, outputs, **work, **kit.PRIVATE)

    @kit.in_float32
    def restore(request: gr.Request):
        """The place that the address asks for; the tab's own event runs it."""
        good = link.restore(controls, request)
        if not good:
            return [gr.skip()] * (1 + len(controls))
        return gr.Tabs(selected="network"), *(good.get(name, part.value) for name, part in controls.items())

    demo.load(restore, None, [tabs, *asked], show_progress="hidden", **kit.PRIVATE)
    gr.api(kit.in_float32(network_client), api_name="simulate_network", concurrency_id="network")


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
        with gr.Tabs() as tabs:
            with gr.Tab("One neuron", id="neuron"):
                controls = _neuron_tab(demo, tabs)
            with gr.Tab("Three engines", id="engines"):
                _engines_tab(controls)
            with gr.Tab("A network", id="network") as tab:
                _network_tab(demo, tabs, tab)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
