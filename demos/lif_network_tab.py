"""The tab of a network: its handlers, its pictures and its controls."""

import gradio as gr
import kit
import lif_network as many
import lif_network_markup as markup
import lif_player
import link
import live
import numpy as np
from lif_page import EACH, QUICK, STATUS, STYLE


@kit.in_float32
def network(g: float = 5.0, eta: float = 2.0, seed: int = 0, cell: int = many.NOBODY, strength: float = 0.3):
    """The status line, the plane, the film, the spectrum, the histogram and the code of a network, as they come."""
    place = many.check(g, eta, seed, cell, strength)
    yield live.status([], "Simulating 2,500 neurons ..."), *[gr.skip()] * 5
    yield *many.look(place), many.code(place)


# Session -> what it asked for last, while that is at work.
_LAST: dict = {}


def newest(session, pictures):
    """Pictures as they come, until the session asks for others: a place that was left must not come back."""
    _LAST[session] = mine = object()
    try:
        for seen in pictures:
            if _LAST.get(session) is not mine:
                return
            yield seen
    finally:
        if _LAST.get(session) is mine:
            del _LAST[session]


def network_client(
    g: float = 5.0, eta: float = 2.0, seed: int = 0, cell: int = many.NOBODY, strength: float = 0.3
) -> dict:
    """A network of 2,500 neurons: its rate and theory's (Hz), CV, synchrony, rhythm (Hz), and the code.

    cell: the neuron about which a stimulus of `strength` nA acts; -1 for none.
    """
    place = many.check(g, eta, seed, cell, strength)
    found = many.figures(many.run(place))
    return {
        "rate": found.rate,
        "theory": many.predicted(place.g, place.eta),
        "cv": found.cv,
        "synchrony": None if np.isnan(found.synchrony) else found.synchrony,
        "rhythm": found.rhythm,
        "code": many.code(place),
    }


def build(demo, tabs, tab) -> None:
    g, eta = many.REGIMES[many.FIRST]
    first = many.Place(g, eta, 0, many.NOBODY, 0.3)
    with gr.Row():
        regimes = {
            letter: gr.Button(f"{letter}: {many.REGIME_NAMES[letter]}", size="sm", min_width=200)
            for letter in many.REGIMES
        }
    status = gr.HTML("", elem_id="lif-network", **STATUS)
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
                "Click anywhere, or use the arrow keys. The more orange, the faster theory expects them to fire. "
                "Right of the balance inhibition wins; below the threshold the drive alone makes no neuron fire."
            )
        with gr.Column(scale=5, min_width=300, elem_classes="kz-tight"):
            spectrum = gr.HTML("", elem_id="lif-spectrum", **STYLE)
            kit.caption(
                "A rhythm is named where a peak stands out of the noise: fast where inhibition answers after its delay."
            )
            histogram = gr.HTML("", elem_id="lif-histogram", **STYLE)
            kit.caption("Of each neuron, how much its intervals vary: standard deviation over mean.")
    with gr.Row():
        controls = {
            "g": gr.Slider(*many.G, g, step=0.05, label="Inhibition g (ratio of weights)", buttons=[]),
            "eta": gr.Slider(*many.ETA, eta, step=0.05, label="Drive \u03b7 (1 just reaches threshold)", buttons=[]),
            "network": gr.Number(0, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999),
            "cell": gr.Number(
                many.NOBODY, label="Stimulated cell (0 to 2499; -1: none)", precision=0, minimum=many.NOBODY,
                maximum=many.SIZE - 1,
            ),
            "strength": gr.Slider(0, many.STRONGEST, first.strength, step=0.05, label="Stimulus (nA)", buttons=[]),
        }  # fmt: skip
    kit.caption(
        "The network of Brunel (2000) with a fifth of its neurons, as the command kzoo bio network brunel --scale 0.2 "
        "has it: 2,000 excitatory and 500 inhibitory ones, each with 1,000 and 250 random sources. So two neurons "
        "share half of their sources, in Brunel's a tenth: they fire more in step, even in C. A stimulus lasts a tenth "
        "of the time."
    )
    panel = link.foot(many.code(first), controls)
    asked, outputs = list(controls.values()), [status, plane, film, spectrum, histogram, panel]

    def shown(request: gr.Request, g=5.0, eta=2.0, seed=0, cell=many.NOBODY, strength=0.3):
        yield from newest(request.session_hash, network(g, eta, seed, cell, strength))

    turns = {"concurrency_id": "network", "concurrency_limit": 2}
    work = {**turns, **QUICK}
    # A network takes seconds: it is run when a slider is let go.
    moved = [part.release if isinstance(part, gr.Slider) else part.input for part in asked]
    gr.on(moved, shown, asked, outputs, api_name="network", **work)

    def chosen(which):
        """A handler of a click: what it changes of the settings, then the network."""

        def handler(event: gr.EventData, request: gr.Request, *sent):
            sent = dict(zip(controls, sent, strict=True))
            sent |= which(event._data if isinstance(event._data, dict) else {}, sent)
            for seen in newest(request.session_hash, network(*sent.values())):
                yield *sent.values(), *seen

        return kit.in_float32(handler)

    def place(clicked, sent):
        return {"g": clicked.get("g"), "eta": clicked.get("eta")}

    def cell(clicked, sent):
        return {"cell": clicked.get("cell"), "strength": sent["strength"] or first.strength}

    plane.pick(chosen(place), asked, [*asked, *outputs], api_name="network_place", **turns, **EACH, **kit.PRIVATE)
    film.pick(chosen(cell), asked, [*asked, *outputs], api_name="network_cell", **turns, **EACH, **kit.PRIVATE)
    for letter, button in regimes.items():
        where = dict(zip(("g", "eta"), many.REGIMES[letter], strict=True)) | {"cell": many.NOBODY}
        button.click(
            chosen(lambda clicked, sent, where=where: where), asked, [*asked, *outputs],
            api_name=f"network_{letter}", **work, **kit.PRIVATE,
        )  # fmt: skip
    # The first network is run when somebody comes to see it; all who follow get the same.
    tab.select(shown, asked, outputs, **work, **kit.PRIVATE)

    @kit.in_float32
    def restore(request: gr.Request):
        """The place that the address asks for; the tab's own event runs it."""
        good = link.restore(controls, request)
        if not good:
            return [gr.skip()] * (1 + len(controls))
        return gr.Tabs(selected="network"), *(good.get(name, part.value) for name, part in controls.items())

    demo.load(restore, None, [tabs, *asked], show_progress="hidden", **kit.PRIVATE)
    gr.api(kit.in_float32(network_client), api_name="simulate_network", concurrency_id="network")
