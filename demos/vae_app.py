"""A variational autoencoder: drag a code through its plane, send a digit through fifty numbers, and draw new digits.

    python demos/vae_app.py

The plane belongs to a small model with a code of two numbers, which can be trained on the page with any beta
(`vae_plane`). A drawing goes through the preset `vae_mnist`, whose code has fifty numbers; what it costs is told too.
"""

import functools
import json
from typing import NamedTuple

import digit_pad
import digits
import gradio as gr
import kit
import link
import live
import numpy as np
import pad
import vae_markup as markup
import vae_plane as plane
import validate
from digits import CLASSES, INK_LEVELS

import kzoo
from kzoo.registry import preset_folder

TITLE = "Variational autoencoder"
SUMMARY = "Digits as codes: drag one, cross two, draw new ones"
PRESETS = ("vae_mnist", "vae_digits")

FIRST, OTHER = "3", "8"  # the drawing that the page opens with, and the example at the end of the way
STEPS = 9  # images from one digit to the other
COPIES = 32  # binarisations and codes of a drawing, over which its costs are a mean
SAMPLES = 36
MOST_SPREAD = 2.0


# --- what the model of fifty numbers computes ----------------------------------------------------------------------


class Passage(NamedTuple):
    """A drawing through the model.

    Attributes:
        reconstruction: (28, 28), of the mean of its code.
        cost: Its reconstruction term in nats, a mean over COPIES binarisations and codes.
        kl: Its divergence in nats.
        each: (k,) the divergence of each number of the code.
        decoded: (STEPS, 28, 28) on the straight line from its code to that of the other digit.
        mixed: (STEPS, 28, 28) the same shares of the two images' pixels.
    """

    reconstruction: np.ndarray
    cost: float
    kl: float
    each: np.ndarray
    decoded: np.ndarray
    mixed: np.ndarray


def passage(model, image, other) -> Passage:
    """What becomes of an image (28, 28) in the model, alone and on the way to another one (28, 28)."""
    pair = np.stack([image, other]).astype("float32")[..., None]
    mean, logvar = model.encode(pair)
    shares = np.linspace(0, 1, STEPS, dtype="float32")[:, None]
    decoded = model.decode((1 - shares) * mean[0] + shares * mean[1])[..., 0]
    figures = model.measure(np.repeat(pair[:1], COPIES, axis=0))
    each = (np.exp(logvar[0]) + mean[0] ** 2 - 1 - logvar[0]) / 2
    shares = shares[:, :, None]
    mixed = (1 - shares) * pair[0, ..., 0] + shares * pair[1, ..., 0]
    # The first image of the way is the drawing's own reconstruction.
    return Passage(decoded[0], figures["reconstruction"], figures["kl"], each, decoded, mixed)


def new_digits(model, seed: int, spread: float) -> np.ndarray:
    """Images (SAMPLES, 28, 28) of codes that nobody wrote: standard normal numbers, times the spread."""
    return model.decode(spread * model.noise(SAMPLES, seed))[..., 0]


@functools.cache
def usual() -> tuple[float, float]:
    """Reconstruction and KL in nats of the mean of MNIST's test digits, from the preset's own figures."""
    figures = json.loads((preset_folder(PRESETS[0]) / "metrics.json").read_text(encoding="utf-8"))
    return figures["test_reconstruction"], figures["test_kl"]


def code(image, to: str) -> str:
    """The lines that reproduce what is on screen for a drawing; they run as pasted."""
    return f'''import numpy as np

import kzoo  # before keras: it chooses the backend

# The drawing and the example {to} as the model gets them: ink from 0 (a dot) to f.
DRAWING = """
{_rows(image)}
"""
OTHER = """
{_rows(digit_pad.example(to))}
"""


def image(rows):
    return np.array([[int(ink.replace(".", "0"), 16) for ink in row] for row in rows.split()], "float32") / {INK_LEVELS}


x = np.stack([image(DRAWING), image(OTHER)])[..., None]  # (n, h, w, c)
model = kzoo.from_preset("{PRESETS[0]}")
mean, logvar = model.encode(x)  # (n, {50}): each code is a Gaussian

# Through the mean of the code, and what that costs in nats: over {COPIES} binarisations and codes of the drawing
reconstruction = model.decode(mean[:1])[0, :, :, 0]
figures = model.measure(np.repeat(x[:1], {COPIES}, axis=0))
print(figures)
each = (np.exp(logvar[0]) + mean[0] ** 2 - 1 - logvar[0]) / 2
print("the numbers of the code that say most:", np.argsort(-each)[:5])

# From digit to digit: a straight line between their codes
shares = np.linspace(0, 1, {STEPS})[:, None]
decoded = model.decode((1 - shares) * mean[0] + shares * mean[1])[..., 0]
'''


def code_of_samples(seed: int, spread: float) -> str:
    """The lines that draw the new digits on screen; they run as pasted."""
    return f"""import kzoo  # before keras: it chooses the backend
from kzoo import plots

model = kzoo.from_preset("{PRESETS[0]}")
made = model.decode({spread:g} * model.noise({SAMPLES}, {seed}))  # times 1 it is model.sample({SAMPLES}, seed={seed})
figure = plots.sample_grid(made, title="vae_mnist")  # figure.savefig("digits.png")
"""


def _rows(image) -> str:
    levels = np.rint(np.asarray(image) * INK_LEVELS).astype(int)
    return "\n".join("".join("." if level == 0 else f"{level:x}" for level in line) for line in levels)


# --- the handlers --------------------------------------------------------------------------------------------------


def _model():
    return kit.preset(PRESETS[0])


@kit.in_float32
def send(drawing: str, to: str):
    """A drawing through the model: both images, the costs and the way to another digit as markup, and the code."""
    image, to = digit_pad.prepared(drawing).image, validate.choice("Digit", to, CLASSES)
    with kit.alone(_model()) as model:
        seen = passage(model, image, digit_pad.example(to))
    return (
        markup.through_html(image, seen.reconstruction),
        markup.cost_html(seen.cost, seen.kl, seen.each, usual()),
        markup.way_html(seen.decoded, seen.mixed, to),
        code(image, to),
    )


@kit.in_float32
def draw_new(seed: int = 0, spread: float = 1.0):
    """New digits as markup, and the code that draws them."""
    seed = validate.number("Seed", seed, 0, 9999, whole=True)
    spread = validate.number("Spread", spread, 0, MOST_SPREAD)
    with kit.alone(_model()) as model:
        made = new_digits(model, seed, spread)
    return markup.samples_html(made, spread), code_of_samples(seed, spread)


def _clicked(event) -> dict:
    return event._data if isinstance(event._data, dict) else {}


def _place(event) -> dict:
    """The code that a visitor dragged the ring to."""
    sent = _clicked(event)
    view = plane.check_view([sent.get("first"), sent.get("second")])
    return {"first": view.first, "second": view.second}


def _while_dragged(run, view):
    """The pictures while the ring moves: of a model that learns meanwhile, as it was last seen."""
    return gr.skip(), plane.here(run.look, view), gr.skip()


# --- the page ------------------------------------------------------------------------------------------------------


def _plane_tab(demo) -> None:
    """The plane of the codes, trained live."""
    first = plane.opening()
    now, view = first.settings, plane.View()
    page = live.Page(plane.PLAYER, first, "Drag the ring; or choose a beta and press Play.")
    style = {"css_template": markup.CSS}
    with gr.Row():
        with gr.Column(scale=7, min_width=320, elem_classes="kz-tight"):
            planes = gr.HTML(page.pictures[0], elem_id="vae-planes", js_on_load=markup.DRAG, **style)
            kit.caption(
                "Drag the ring. Numerals: test digits, never seen in training, each at the mean of its code; dashed, "
                "one and two standard deviations of the codes that new digits are drawn from. Pictures: what the "
                "decoder makes of each place."
            )
        with gr.Column(scale=3, min_width=260, elem_classes="kz-tight kz-first"):
            here = gr.HTML(page.pictures[1], elem_id="vae-here", js_on_load=markup.SEEN, **style)
            kit.caption("Left: the picture that belongs to the ring's place. Right: a real digit that lives near it.")
            first_number, second_number = (
                gr.Slider(-plane.REACH, plane.REACH, value, step=0.05, label=f"{name} number of the code", buttons=[])
                for name, value in (("First", view.first), ("Second", view.second))
            )
    with gr.Row():
        with gr.Column(scale=6, min_width=300, elem_classes="kz-tight"):
            costs = gr.HTML(page.pictures[2], elem_id="vae-costs", **style)
            kit.caption(
                "What a test digit costs: the pixels, given the code (orange), and the code itself (blue), by which "
                "the encoder's answer differs from a code drawn blindly. Their sum bounds -log p(x)."
            )
        with gr.Column(scale=4, min_width=280):
            with gr.Group():
                beta = gr.Radio(plane.BETAS, value=now.beta, label="Beta (weight of the KL term; 1 is the bound)")
                with gr.Row():
                    rate = gr.Dropdown(plane.RATES, value=now.rate, label="Learning rate (per step)", min_width=120)
                    seed = gr.Number(
                        now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999, min_width=120
                    )
                speed = gr.Slider(1, 20, 1, step=1, label="Speed (epochs a picture)", buttons=[])
            kit.caption(
                "With beta 0 nothing keeps the codes together: most leave the plane, and a code drawn at random lies "
                "where no digit is. With beta 4 a code costs more than it saves: all fall into the middle, and every "
                "place decodes to the same blur."
            )
    page.connect(
        demo,
        [planes, here, costs],
        {"beta": beta, "rate": rate, "seed": seed},
        speed,
        views={"first": first_number, "second": second_number},
        presets={plane.PRESET: "plane"},
    )
    page.look(planes.pick, _place, "place", _while_dragged)
    gr.api(kit.in_float32(plane.train_client), api_name="train_vae", **live.TRAIN)


def _digit_tab(demo, tabs) -> None:
    """A visitor's digit through the code of fifty numbers."""
    start = digits.example(FIRST)
    through, cost, way, text = send(start, OTHER)
    style = {"css_template": markup.CSS}
    with gr.Row():
        with gr.Column(scale=3, min_width=280, elem_classes="kz-tight"):
            drawing = pad.build_pad(start, label="Drawing pad")
            digit_pad.build_examples(drawing, "vae-examples")
            kit.caption("Draw, or click an example. Ten digits, and two things that the model has never seen.")
        with gr.Column(scale=8, min_width=300, elem_classes="kz-tight"):
            with gr.Row():
                with gr.Column(min_width=280, elem_classes="kz-tight"):
                    passed = gr.HTML(through, elem_id="vae-through", **style)
                    kit.caption(
                        "784 pixels become a code of 50 numbers, and the code becomes 784 pixels: what no digit of "
                        "MNIST has is lost on the way."
                    )
                with gr.Column(min_width=280, elem_classes="kz-tight"):
                    costs = gr.HTML(cost, elem_id="vae-cost", **style)
                    kit.caption(
                        f"A mean over {COPIES} drawings of black and white pixels, each grey value the probability of "
                        "white, and as many codes. Beneath, the KL of each number of the code: those at 0 say nothing."
                    )
            walk = gr.HTML(way, elem_id="vae-way", **style)
            kit.caption("Between two codes lie other digits; between two images of pixels lie two ghosts.")
            to = gr.Radio(list(CLASSES), value=OTHER, label="The way ends at the example of the digit")
    panel = kit.code_panel(text)
    controls = {"drawing": drawing, "to": to}
    with gr.Row():
        link.button(controls)
        kit.download_button("Download the model (.keras)", lambda: kit.download(_model(), PRESETS[0]), [])
    quick = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
    outputs = [passed, costs, walk, panel]
    drawing.change(send, [drawing, to], outputs, api_name="send", **quick)
    to.input(send, [drawing, to], outputs, **quick, **kit.PRIVATE)

    @kit.in_float32
    def restore(request: gr.Request):
        """The drawing that the address asks for, on its tab."""
        good = link.restore({"to": to}, request)
        asked = digit_pad.linked(request)
        if not asked and not good:
            return [gr.skip()] * 7
        asked, end = asked or start, good.get("to", OTHER)
        return gr.Tabs(selected="digit"), asked, end, *send(asked, end)

    wanted = digit_pad.late(drawing, start)
    demo.load(restore, None, [tabs, wanted, to, *outputs], show_progress="hidden", **kit.PRIVATE)


def _new_tab(demo, tabs) -> None:
    """Digits that nobody wrote."""
    made, text = draw_new()
    grid = gr.HTML(made, elem_id="vae-new", css_template=markup.CSS)
    kit.caption(
        "Each from a code of 50 numbers drawn at random. With spread 0 they are all the one digit in the middle; "
        "above 1 the codes lie where no digit of MNIST was put."
    )
    with gr.Row():
        seed = gr.Number(0, label="Seed of the codes (0 to 9999)", precision=0, minimum=0, maximum=9999)
        spread = gr.Slider(0, MOST_SPREAD, 1, step=0.1, label="Spread of the codes (standard deviations)", buttons=[])
        again = gr.Button("Draw others")
    controls = {"noise": seed, "spread": spread}
    panel = link.foot(text, controls)
    quick = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}
    gr.on([seed.input, spread.input], draw_new, [seed, spread], [grid, panel], api_name="draw_new", **quick)

    @kit.in_float32
    def others(seed, spread):
        seed = (validate.number("Seed", seed, 0, 9999, whole=True) + 1) % 10_000
        return seed, *draw_new(seed, spread)

    again.click(others, [seed, spread], [seed, grid, panel], **quick, **kit.PRIVATE)

    link.reopen(demo, tabs, "new", controls, draw_new, [grid, panel])


def build() -> gr.Blocks:
    """The page."""
    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE,
            "It turns a digit into a few numbers, its code, and the code back into a digit; so codes drawn at random "
            f"become digits that nobody wrote. It runs here, on {kzoo.backend.name()}.",
        )
        with kit.tabs() as tabs:
            with gr.Tab("Plane", id="plane"):
                _plane_tab(demo)
            with gr.Tab("Your digit", id="digit"):
                _digit_tab(demo, tabs)
            with gr.Tab("New digits", id="new"):
                _new_tab(demo, tabs)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
