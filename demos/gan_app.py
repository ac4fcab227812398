"""A GAN makes digits of the class that it is asked for; and a small one plays its game in the plane, live.

    python demos/gan_app.py

The images come from the preset `gan_mnist`: by class and seed, and along a way between two codes. The game of generator
and discriminator is played by two tiny networks on points (`gan_points`), where all of it can be seen.
"""

import functools
import json

import gan_markup as markup
import gan_points as game
import gradio as gr
import kit
import link
import live
import numpy as np
import validate

import kzoo
from kzoo.registry import preset_folder

TITLE = "Generative adversarial network"
SUMMARY = "A forger and a critic: digits by class, and their game"
PRESETS = ("gan_mnist",)

CLASSES = tuple("0123456789")
EVERY = "all"
ACROSS = 10  # images a row of each sheet
ORDERS = {"as they come": "code", "most real to the discriminator first": "score"}
WAYS = {"along the sphere": "sphere", "straight": "straight"}


# --- what the model makes ------------------------------------------------------------------------------------------


def samples(model, digit: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (100, 28, 28, 1) and the discriminator's scores of them (100,), ten a row.

    Args:
        model: A conditional GAN of ten classes.
        digit: A class, of which 100 codes are drawn; or EVERY: ten codes, for each of the ten classes in turn.
        seed: Of the codes.
    """
    count = ACROSS * len(CLASSES)
    if digit == EVERY:
        labels = np.repeat(np.arange(len(CLASSES)), ACROSS)
        codes = np.tile(model.noise(ACROSS, seed), (len(CLASSES), 1))
    else:
        labels, codes = np.full(count, int(digit)), model.noise(count, seed)
    return judged(model, codes, labels)


def judged(model, codes, labels) -> tuple[np.ndarray, np.ndarray]:
    """The images (n, h, w, c) of codes (n, k) and classes (n,), and the discriminator's scores of them (n,)."""
    images = model.decode(codes, labels)
    scores = model.in_batches("scores", model.call, [images, labels.astype("int32")], len(images))
    return images, scores


def ordered(images, scores):
    """Each row of ten images with the highest scores first."""
    rows = scores.reshape(-1, ACROSS)
    places = np.argsort(-rows, axis=1) + ACROSS * np.arange(len(rows))[:, None]
    return images[places.ravel()], scores[places.ravel()]


def codes_between(first, last, shares, way: str) -> np.ndarray:
    """Codes (s, k) at shares (s,) of the way from one code (k,) to another (k,).

    Standard normal codes of many numbers lie near a sphere; the straight way leads through its inside, where the
    generator has seen none.
    """
    shares = np.asarray(shares, float)[:, None]
    first, last = np.asarray(first, float), np.asarray(last, float)
    angle = np.arccos(np.clip(first @ last / (np.linalg.norm(first) * np.linalg.norm(last)), -1, 1))
    if way == "straight" or np.sin(angle) < 1e-6:
        return ((1 - shares) * first + shares * last).astype("float32")
    return ((np.sin((1 - shares) * angle) * first + np.sin(shares * angle) * last) / np.sin(angle)).astype("float32")


def walk(model, start: int, end: int, way: str, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten codes on the way from one seed's code to another's, and the one at `place` per cent, for each class.

    Returns:
        (100, 28, 28, 1), a class a row; and (10, 28, 28, 1), the classes at the place.
    """
    ends = model.noise(1, start)[0], model.noise(1, end)[0]
    labels = np.arange(len(CLASSES))
    along = codes_between(*ends, np.linspace(0, 1, ACROSS), way)
    here = codes_between(*ends, [place / 100], way)
    # In one go and of one number, since another would be compiled anew.
    codes = np.concatenate([np.tile(along, (len(labels), 1)), np.repeat(here, 100, axis=0)])
    images = model.decode(codes, np.concatenate([np.repeat(labels, ACROSS), np.tile(labels, 10)]))
    return images[:100], images[100:110]


def code_of_samples(digit: str, seed: int, order: str) -> str:
    """The lines that make the images on screen; they run as pasted."""
    if digit == EVERY:
        asked = f"""labels = np.repeat(np.arange(10), {ACROSS})  # a row for each class, of the same ten codes
codes = np.tile(model.noise({ACROSS}, {seed}), (10, 1))
images = model.decode(codes, labels)  # (100, 28, 28, 1)
"""
    else:
        asked = f"""labels = np.full(100, {digit})
images = model.sample(100, {digit}, seed={seed})  # (100, 28, 28, 1)
"""
    sort = """
# Each row of ten by the score, the most real first
best = (np.argsort(-scores.reshape(10, 10), axis=1) + 10 * np.arange(10)[:, None]).ravel()
images, scores = images[best], scores[best]
"""
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
import keras
import numpy as np
from kzoo import plots

model = kzoo.from_preset("{PRESETS[0]}")
{asked}
# What the discriminator says of each: above 0 it takes it for real
scores = keras.ops.convert_to_numpy(model(images, labels))
{sort if order == "score" else ""}
figure = plots.sample_grid(images, title="{PRESETS[0]}", columns={ACROSS})  # figure.savefig("digits.png")
"""


def code_of_walk(start: int, end: int, way: str, place: int) -> str:
    """The lines that make the walk on screen; they run as pasted."""
    if way == "sphere":
        between = """    angle = np.arccos(first @ last / (np.linalg.norm(first) * np.linalg.norm(last)))
    if np.sin(angle) < 1e-6:
        return (1 - share) * first + share * last
    return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)"""
    else:
        between = "    return (1 - share) * first + share * last"
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
import numpy as np
from kzoo import plots

model = kzoo.from_preset("{PRESETS[0]}")
first, last = model.noise(1, {start})[0], model.noise(1, {end})[0]  # (32,) numbers each


def code(share):
{between}


codes = np.array([code(share) for share in np.linspace(0, 1, {ACROSS})])
images = model.decode(np.tile(codes, (10, 1)), np.repeat(np.arange(10), {ACROSS}))  # a class a row
here = model.decode(np.repeat([code({place / 100!r})], 10, axis=0), np.arange(10))  # at {place} %
figure = plots.interpolation(images.reshape(10, {ACROSS}, 28, 28, 1), title="{PRESETS[0]}", ends="one code")
"""


# --- the handlers --------------------------------------------------------------------------------------------------


def _model():
    return kit.preset(PRESETS[0])


@functools.cache
def quality() -> str:
    """What the preset's own figures say of its images, in a sentence; "" where there are none."""
    file = preset_folder(PRESETS[0]) / "metrics.json"
    figures = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "test_recognised" not in figures:
        return ""
    return (
        f"Of 10,000 of its images {100 * figures['test_recognised']:.1f} % are read by the CNN of these pages as the "
        "class that was asked for."
    )


@kit.in_float32
def make(digit: str = EVERY, seed: int = 0, order: str = "code"):
    """Digits of a class, or of all classes by the same codes, as markup; what is said of them; and the code."""
    digit = validate.choice("Class", digit, (EVERY, *CLASSES))
    seed = validate.number("Seed", seed, 0, 9999, whole=True)
    order = validate.choice("Order", order, ORDERS.values())
    with kit.alone(_model()) as model:
        images, scores = samples(model, digit, seed)
    if order == "score":
        images, scores = ordered(images, scores)
    kind = "digits of all classes, a class a row" if digit == EVERY else f"images of the class {digit}"
    seen = markup.board(
        images, CLASSES if digit == EVERY else [digit] * 10, label=f"100 {kind}, seed {seed}", columns=ACROSS
    )
    said = f"The discriminator takes {100 * (scores > 0).mean():.0f} of these 100 for real. "
    return seen, kit.caption_html(said + quality()), code_of_samples(digit, seed, order)


@kit.in_float32
def go(start: int = 1, end: int = 2, way: str = "sphere", place: int = 50):
    """A way between two codes for all classes, and one place of it, as markup; and the code."""
    start = validate.number("Seed of the first code", start, 0, 9999, whole=True)
    end = validate.number("Seed of the last code", end, 0, 9999, whole=True)
    way = validate.choice("Way", way, WAYS.values())
    place = validate.number("Place", place, 0, 100, whole=True)
    with kit.alone(_model()) as model:
        images, here = walk(model, start, end, way, place)
    return (
        markup.board(
            images,
            CLASSES,
            label=f"Ten classes, a row each, on the way from code {start} to code {end}",
            columns=ACROSS,
            ends=(f"code of seed {start}", f"code of seed {end}"),
        ),
        markup.place(here, CLASSES, place),
        code_of_walk(start, end, way, place),
    )


# --- the page ------------------------------------------------------------------------------------------------------

QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "preprocess": False}


def _take_home() -> str:
    """The path of the model as a `.keras` file."""
    return kit.download(_model(), PRESETS[0])


def _digits_tab(demo, tabs) -> None:
    seen, said, text = make()
    with gr.Row():
        with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
            sheet = gr.HTML(seen, elem_id="gan-digits", css_template=markup.CSS)
            kit.caption(
                "Each image is made of 32 random numbers, its code, and a class. With all classes, each column is one "
                "code: slant and stroke belong to the code, the digit to the class."
            )
        with gr.Column(scale=3, min_width=280, elem_classes="kz-tight"):
            with gr.Group():
                digit = gr.Radio([EVERY, *CLASSES], value=EVERY, label="Class of the digits")
                seed = gr.Number(0, label="Seed of the codes (0 to 9999)", precision=0, minimum=0, maximum=9999)
                order = gr.Radio(list(ORDERS.items()), value="code", label="Order within a row")
            again = gr.Button("Draw others", variant="primary")
            opinion = gr.HTML(said, elem_id="gan-opinion")
    controls = {"class": digit, "codes": seed, "order": order}
    panel = link.foot(text, controls, _take_home)
    asked, outputs = list(controls.values()), [sheet, opinion, panel]
    gr.on([one.input for one in asked], make, asked, outputs, api_name="make", **QUICK)

    @kit.in_float32
    def others(digit, seed, order):
        seed = (validate.number("Seed", seed, 0, 9999, whole=True) + 1) % 10_000
        return seed, *make(digit, seed, order)

    again.click(others, asked, [seed, *outputs], **QUICK, **kit.PRIVATE)
    link.reopen(demo, tabs, "digits", controls, make, outputs)


def _walk_tab(demo, tabs) -> None:
    seen, at, text = go()
    style = {"css_template": markup.CSS}
    with gr.Row():
        with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
            sheet = gr.HTML(seen, elem_id="gan-walk", **style)
            kit.caption(
                "From one code to another in ten steps, for each class. Neighbours look alike: the generator is a "
                "smooth map, and there are digits all along the way."
            )
        with gr.Column(scale=3, min_width=280, elem_classes="kz-tight"):
            with gr.Group():
                place = gr.Slider(0, 100, 50, step=1, label="Place on the way (%)", buttons=[])
                start, end = (
                    gr.Number(value, label=f"Seed of the {name} code (0 to 9999)", precision=0, minimum=0, maximum=9999)
                    for name, value in (("first", 1), ("last", 2))
                )
                way = gr.Radio(list(WAYS.items()), value="sphere", label="Way between the codes")
            here = gr.HTML(at, elem_id="gan-here", **style)
            kit.caption("The ten classes at the chosen place: move the slider to walk.")
    controls = {"start": start, "end": end, "way": way, "place": place}
    panel = link.foot(text, controls, _take_home)
    asked, outputs = list(controls.values()), [sheet, here, panel]
    gr.on([one.input for one in asked], go, asked, outputs, api_name="walk", **QUICK)
    link.reopen(demo, tabs, "walk", controls, go, outputs)


def _game_tab(demo, tabs) -> None:
    now = game.Settings()
    page = live.Page(game.PLAYER, game.start(now), "Press Play.")
    style = {"css_template": markup.CSS}
    with gr.Row():
        scenes = {name: gr.Button(name, size="sm", min_width=180) for name in game.SCENES}
    with gr.Row():
        with gr.Column(scale=5, min_width=320, elem_classes="kz-tight"):
            plane = gr.HTML(page.pictures[0], elem_id="gan-plane", js_on_load=markup.drawing.CLICK, **style)
            kit.caption(
                "Each step the discriminator learns to tell the squares from the circles, then each square is pushed "
                "to where it would be taken for a circle (arrows; the longest are cut)."
            )
        with gr.Column(scale=4, min_width=320, elem_classes="kz-tight"):
            curves = gr.HTML(page.pictures[1], elem_id="gan-losses", **style)
            kit.caption(
                "Neither loss says how good the points are: each is measured against an opponent that learns, too. "
                "Dotted: a discriminator that can only toss a coin (non-saturating)."
            )
            kit.caption(
                "Mode collapse: without a penalty the squares settle in some of the ring's clouds and leave others "
                "empty; with the penalty 0.1 they come to all. After 2,000 steps from the seeds 0, 1 and 2 they had "
                "reached 3, 6 and 2 of 8 clouds without it, and all 8 with it."
            )
            with gr.Group():
                data = gr.Radio(list(game.DATA.items()), value=now.data, label="What is real")
                noise = gr.Slider(
                    0.02, 0.5, now.noise, step=0.01, label="Width of a cloud (\u03c3, plane units)", buttons=[]
                )
                objective = gr.Radio(list(game.OBJECTIVES.items()), value=now.objective, label="Objective")
                with gr.Row():
                    penalty = gr.Dropdown(
                        game.PENALTIES, value=now.penalty, label="Gradient penalty (weight)", min_width=130
                    )
                    seed = gr.Number(
                        now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999, min_width=130
                    )
                with gr.Row():
                    d_rate, g_rate = (
                        gr.Dropdown(game.RATES, value=value, label=f"Learning rate, {name}", min_width=130)
                        for name, value in (("discriminator", now.d_rate), ("generator", now.g_rate))
                    )
                d_steps = gr.Slider(1, 5, now.d_steps, step=1, label="The discriminator's moves in a step", buttons=[])
                speed = gr.Slider(1, 50, 20, step=1, label="Speed (steps a picture)", buttons=[])
                arrows = gr.Checkbox(True, label="Draw the arrows")
            with gr.Accordion("Own clouds", open=False) as own:
                text = gr.Textbox(
                    now.points,
                    label=f"The middle of each, one a line: x, y from {-game.REACH:g} to {game.REACH:g}",
                    lines=4,
                    max_lines=4,
                    max_length=game.LONGEST,
                )
                with gr.Row():
                    undo, clear, use = (
                        gr.Button(word, size="sm", min_width=80) for word in ("Undo", "Clear", "Use the clouds above")
                    )
    controls = {
        "data": data, "noise": noise, "objective": objective, "penalty": penalty, "d_rate": d_rate, "g_rate": g_rate,
        "d_steps": d_steps, "seed": seed, "points": text,
    }  # fmt: skip
    page.connect(demo, [plane, curves], controls, speed, views={"arrows": arrows})
    for number, (name, button) in enumerate(scenes.items(), start=1):
        page.anew(button.click, lambda settings, event, name=name: game.scene(name, settings), f"scene_{number}")
    page.anew(plane.click, game.placed, "place")
    page.anew(undo.click, lambda settings, event: game.undone(settings), "undo")
    page.anew(clear.click, lambda settings, event: game.own(settings, ""), "clear")
    page.anew(use.click, lambda settings, event: game.own(settings, settings.points), "use")
    data.change(
        lambda chosen: gr.update(open=chosen == "own"), data, own,
        api_name="gan_own", show_progress="hidden", preprocess=False, **kit.PRIVATE,
    )  # fmt: skip
    named = {*controls, "arrows", game.PLAYER.unit}

    def opened(request: gr.Request):
        """The tab of a link to a game; its state is restored by the page of live training."""
        return gr.Tabs(selected="game") if named & set(request.query_params) else gr.skip()

    demo.load(opened, None, tabs, show_progress="hidden", **kit.PRIVATE)
    gr.api(kit.in_float32(game.train_client), api_name="train_gan", **live.TRAIN)


def build() -> gr.Blocks:
    """The page."""
    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE,
            "A generator makes digits out of random numbers, and a discriminator learned to tell them from real ones: "
            f"each is the other's teacher. It runs here, on {kzoo.backend.name()}.",
        )
        with kit.tabs() as tabs:
            with gr.Tab("Digits", id="digits"):
                _digits_tab(demo, tabs)
            with gr.Tab("A walk", id="walk"):
                _walk_tab(demo, tabs)
            with gr.Tab("The game", id="game"):
                _game_tab(demo, tabs)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
