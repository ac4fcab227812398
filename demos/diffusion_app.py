"""Watch a digit come out of noise, and see at each moment what the network takes it to be.

    python demos/diffusion_app.py

The model is the preset `diffusion_mnist`, which is told the class of an image. Choose a class, how strongly to lead to
it, a sampler and how often it may ask the network. All moments of the way come at once; the slider goes through them.
"""

import dataclasses
import functools
import threading
import time
from dataclasses import dataclass

import diffusion_markup as markup
import digit_pad
import digits
import gradio as gr
import kit
import link
import live
import numpy as np
import pad
import validate
from diffusion_steps import NOISED, ROWS, TIMESTEPS, Moment, alike, drowned, read_images, sampled, seen
from digits import CLASSES, INK_LEVELS, SIDE

import kzoo

TITLE = "Diffusion"
SUMMARY = "A digit comes out of noise, step by step: turn time back"
PRESETS = ("diffusion_mnist", "cnn_mnist")

MOST_STEPS = 50
SAMPLERS = {"DDPM": "ddpm", "DDIM": "ddim", "DPM-Solver++ 2M": "dpm_solver"}
GUIDANCE = (0, 1, 2, 3, 4.5, 6)
STEP_COUNTS = (3, 5, 10, 20, 50)
FIRST = digits.example("5")  # the drawing that the page opens with


@dataclass(frozen=True)
class Settings:
    """All that the images depend on.

    Attributes:
        label: The digit that is asked for.
        guidance: How far to lead away from what the network says of no class: 0 for no class, 1 for no leading.
        sampler: A value of SAMPLERS.
        steps: How often the network is asked.
        seed: Decides all noise.
    """

    label: str = "3"
    guidance: float = 2.0
    sampler: str = "ddim"
    steps: int = 25
    seed: int = 0


FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    label, guidance, sampler, steps, seed = values
    return Settings(
        label=validate.choice("class", label, CLASSES),
        guidance=validate.number("guidance", guidance, 0, 8),
        sampler=validate.choice("sampler", sampler, SAMPLERS.values()),
        steps=validate.number("steps", steps, 1, MOST_STEPS, whole=True),
        seed=validate.number("seed", seed, 0, 9999, whole=True),
    )


# --- what is seen --------------------------------------------------------------------------------------------------


def film(model, moments, fresh: bool = False) -> str:
    """The markup of a way from noise to images: what the network is asked about, and what it sees in it."""
    steps, schedule = len(moments), model.schedule
    x = np.stack([*(moment.x for moment in moments), moments[-1].image], axis=1)
    guesses = np.stack([*(moment.guess for moment in moments), moments[-1].guess], axis=1)
    words, numbers = [], []
    for k, moment in enumerate(moments):
        t = int(moment.timestep[0])
        parts = f"{schedule.alpha[t]:.2f} of an image and {schedule.sigma[t]:.2f} of noise"
        words.append(f"Timestep {t}, before step {k + 1} of {steps}: {parts}.")
        numbers.append(f"{t}")
    words.append(f"After step {steps} of {steps}: no noise is left. What the network sees and the image are the same.")
    return markup.film_html(
        {"The image so far": seen(x), "What the network takes it to be": seen(guesses)},
        words,
        slider="Timestep: drag to go through the way, or press the arrow keys",
        ends=(f"{TIMESTEPS - 1}: noise alone", "0: the image"),
        at=steps // 2,
        numbers=[*numbers, "image"],
        fresh=fresh,
    )


def status(moments, note: str = "") -> str:
    """The line above the film: how often the network was asked, and what that took."""
    cells = [("times the network was asked", len(moments))]
    if moments:
        cells.append(("ms each", f"{1000 * np.median([moment.seconds for moment in moments]):.0f}"))
    return live.status(cells, note)


def told_html(settings: Settings) -> str:
    """Which image a comparison is of."""
    name = {value: key for key, value in SAMPLERS.items()}[settings.sampler]
    return kit.caption_html(
        f"Shown: digit {settings.label}, seed {settings.seed}, {settings.steps} steps of {name}. All begin with the "
        "noise of the first image above."
    )


def guidance_html(model, settings: Settings) -> str:
    """The same image, led to its class more and more, as markup."""
    images, read = [], []
    for first in range(0, len(GUIDANCE), ROWS):
        found, _ = alike(model, settings, GUIDANCE[first : first + ROWS], ROWS * [settings.sampler], settings.steps)
        images += list(found)
        read += read_images(found)
    heads = [(f"{scale:g}", {0: "no class", 1: "plain"}.get(scale, "led")) for scale in GUIDANCE]
    label = f"Digit {settings.label} with guidance from {GUIDANCE[0]:g} to {GUIDANCE[-1]:g}"
    return markup.table_html({"": images}, heads, label=label, corner="guidance", read={"": read}) + told_html(settings)


def samplers_html(model, settings: Settings) -> str:
    """The same image by each sampler in few and in many steps, as markup."""
    images, read = {name: [] for name in SAMPLERS}, {name: [] for name in SAMPLERS}
    heads = []
    for steps in STEP_COUNTS:
        found, seconds = alike(model, settings, ROWS * [settings.guidance], list(SAMPLERS.values()), steps)
        heads.append((f"{steps} steps", f"{1000 * steps * seconds:,.0f} ms"))
        for name, image, digit in zip(SAMPLERS, found, read_images(found), strict=True):
            images[name].append(image)
            read[name].append(digit)
    label = f"Digit {settings.label} by three samplers in {STEP_COUNTS[0]} to {STEP_COUNTS[-1]} steps"
    return markup.table_html(images, heads, label=label, corner="sampler", read=read) + kit.caption_html(
        f"Shown: digit {settings.label}, seed {settings.seed}, guidance {settings.guidance:g}. All of them begin with "
        "the same noise; a step asks the network once. Time of three images, with class and without, on this machine."
    )


def drowned_html(model, image, settings: Settings) -> str:
    """A drawing with more and more noise in it, and what the network takes it to be, as markup."""
    noisy, untold, told = drowned(model, image, int(settings.label), settings.seed)
    words = [
        f"Timestep {t}: {model.schedule.alpha[t]:.2f} of the drawing and {model.schedule.sigma[t]:.2f} of noise."
        for t in NOISED
    ]
    rows = {
        "Your drawing in noise": noisy[None],
        "The network, told nothing": untold[None],
        f"The network, told \u201c{settings.label}\u201d": told[None],
    }
    return markup.film_html(
        rows,
        words,
        slider="Timestep: how much noise is put into the drawing",
        ends=("0: the drawing", f"{TIMESTEPS - 1}: noise alone"),
        at=8,
        numbers=[f"{t}" for t in NOISED],
    )


def code(settings: Settings, image) -> str:
    """The lines that reproduce what is on screen; they run as pasted."""
    levels = np.rint(np.asarray(image) * INK_LEVELS).astype(int)
    rows = "\n".join("".join("." if level == 0 else f"{level:x}" for level in line) for line in levels)
    return f'''import kzoo  # first: it chooses the backend that Keras runs on
import keras
import numpy as np
from kzoo import plots
from kzoo.ops.diffusion import q_sample, to_x0
from kzoo.sampling.diffusion import denoising, sample

model = kzoo.from_preset("{PRESETS[0]}")
label, seed = {settings.label}, {settings.seed}

# Three images, and the way to them: x after each step, and what the network saw in it before.
way = denoising(
    model, {ROWS}, label, seed=seed, sampler="{settings.sampler}", steps={settings.steps}, \
guidance_scale={settings.guidance!r}
)
figure = plots.denoising_strip(
    (way.states[:, 0] + 1) / 2, way.timesteps, guesses=(way.guesses[:, 0] + 1) / 2, title="out of the noise"
) if len(way.states) > 1 else None  # figure.savefig("way.png")

# The first one, led to its class more and more. Each number of steps is compiled anew on JAX and TensorFlow.
led = {{
    scale: sample(model, 1, label, seed=seed, sampler="{settings.sampler}", steps={settings.steps}, \
guidance_scale=scale)[0]
    for scale in {GUIDANCE}
}}

# The same by each sampler, in few steps and in many.
table = {{
    (sampler, steps): sample(
        model, 1, label, seed=seed, sampler=sampler, steps=steps, guidance_scale={settings.guidance!r}
    )[0]
    for sampler in {tuple(SAMPLERS.values())}
    for steps in {STEP_COUNTS}
}}

# The drawing, ink from 0 (a dot) to f, with more and more noise in it, and what the network takes it to be.
ROWS = """
{rows}
"""
drawing = np.array([[int(ink.replace(".", "0"), 16) for ink in row] for row in ROWS.split()], "float32") / 15
timesteps = np.array({list(NOISED)})
alpha, sigma = (part[timesteps, None, None, None].astype("float32") for part in model.schedule)
noisy = q_sample(2 * drawing[None, :, :, None] - 1, model.noise(1, seed), alpha, sigma)
seen = {{}}
for told in (label, model.num_classes):  # the last number stands for no class
    output = model.says(noisy, timesteps, np.full(len(timesteps), told))
    x0 = to_x0(model.prediction, keras.ops.convert_to_numpy(output), noisy, alpha, sigma)
    seen[told] = np.clip((x0 + 1) / 2, 0, 1)
'''


# --- the page ------------------------------------------------------------------------------------------------------


def _model():
    """The shipped model; an untrained one of its kind where it is missing."""
    return kit.preset(PRESETS[0]) or _untrained()


@functools.cache
def _untrained():
    return kzoo.create_model("diffusion", seed=0, num_classes=len(CLASSES), filters=(32, 64), patch=2)


@functools.cache
def opening() -> list[Moment]:
    """The way that the page opens with."""
    return list(sampled(_model(), Settings()))


_LOCK = threading.Lock()


@kit.in_float32
def compared() -> tuple[str, str]:
    """The comparisons of the opening settings, computed once for all visitors."""
    with _LOCK:
        return _compared()


@functools.cache
def _compared():
    return guidance_html(_model(), Settings()), samplers_html(_model(), Settings())


@kit.in_float32
def make(drawing, *values):
    """Makes three images, telling of it as it goes: status, film, the drawing's film, code."""
    settings, image, model = check(values), digit_pad.prepared(drawing).image, _model()
    moments, told = [], time.monotonic()
    for moment in sampled(model, settings):
        moments.append(moment)
        if time.monotonic() - told > 0.25 and len(moments) < settings.steps:
            told = time.monotonic()
            yield status(moments, f"step {len(moments)} of {settings.steps} \u2026"), *3 * [gr.skip()]
    yield (
        status(moments, "three images of noise"),
        film(model, moments, fresh=True),
        drowned_html(model, image, settings),
        code(settings, image),
    )


@kit.in_float32
def compare_guidance(*values):
    """The table of guidance, as markup."""
    settings = check(values)
    yield markup.empty_html(f"Making {len(GUIDANCE)} images \u2026")
    yield guidance_html(_model(), settings)


@kit.in_float32
def compare_samplers(*values):
    """The table of samplers and steps, as markup."""
    settings = check(values)
    yield markup.empty_html(f"Making {len(SAMPLERS) * len(STEP_COUNTS)} images \u2026")
    yield samplers_html(_model(), settings)


@kit.in_float32
def drown(drawing, *values):
    """What the network takes a drawing to be, in more and more noise, as markup, and the code."""
    settings, image = check(values), digit_pad.prepared(drawing).image
    return drowned_html(_model(), image, settings), code(settings, image)


def choose_example(name):
    """The drawing of an example."""
    return digits.example(validate.choice("Example", name, digits.EXAMPLES))


def sample_client(
    label: str = "3", guidance: float = 2.0, sampler: str = "ddim", steps: int = 25, seed: int = 0
) -> dict:
    """Three images of a digit, rows of numbers from 0 to 1, and the code that gives the same."""
    settings = check((label, guidance, sampler, steps, seed))
    *_, last = sampled(_model(), settings)
    blank = np.zeros((SIDE, SIDE), "float32")
    return {"images": np.round(seen(last.image), 3).tolist(), "code": code(settings, blank)}


def take_home() -> str:
    """The path of the model as a `.keras` file."""
    return kit.download(_model(), PRESETS[0])


def restore(request: gr.Request, controls: dict):
    """The drawing and the controls' values that the page's address asks for."""
    good = link.restore(controls, request)
    text = digit_pad.linked(request)
    return text or gr.skip(), *(good.get(name, gr.skip()) for name in controls)


def arrive(drawing, *values):
    """What `make` makes of a link's settings; nothing where they are those that the page opens with."""
    if check(values) == Settings() and drawing == FIRST:
        yield 4 * (gr.skip(),)
    else:
        yield from make(drawing, *values)


@kit.in_float32
def arrive_compared(*values):
    """The comparisons of a link's settings, as markup."""
    settings = check(values)
    if settings == Settings():
        return compared()
    return guidance_html(_model(), settings), samplers_html(_model(), settings)


def build() -> gr.Blocks:
    """The page."""
    model, now, moments = _model(), Settings(), opening()
    image = digit_pad.prepared(FIRST).image
    style, turned = {"css_template": markup.CSS}, {"css_template": markup.CSS, "js_on_load": markup.FILM}
    with kit.blocks(TITLE) as demo:
        kit.heading(
            "Diffusion: digits out of noise",
            f"A network of {model.average.count_params():,} weights has learned one thing: to tell noise from digits. "
            f"Asked again and again, it turns noise into a digit. It runs here, on {kzoo.backend.name()}.",
        )
        with gr.Row():
            with gr.Column(scale=3, min_width=290):
                with gr.Group():
                    label = gr.Radio(list(CLASSES), value=now.label, label="Digit to make (default 3)")
                    guidance = gr.Slider(
                        0,
                        8,
                        now.guidance,
                        step=0.5,
                        label="Guidance (0 no class, 1 plain, above led to it; default 2)",
                        buttons=[],
                    )
                    sampler = gr.Radio(list(SAMPLERS.items()), value=now.sampler, label="Sampler (default DDIM)")
                    steps = gr.Slider(
                        1, MOST_STEPS, now.steps, step=1, label="Steps (1 to 50 times asked; default 25)", buttons=[]
                    )
                    seed = gr.Number(
                        now.seed, label="Seed of the noise (0 to 9999; default 0)", precision=0, minimum=0, maximum=9999
                    )
                with gr.Row(elem_classes="kz-buttons"):
                    start = gr.Button("\u25b6 Make images", variant="primary", min_width=120)
                    again = gr.Button("New noise", min_width=100)
            with gr.Column(scale=7, min_width=320, elem_classes="kz-tight kz-first"):
                said = gr.HTML(status(moments, "press Play, or make images of your own"), css_template=live.STATUS_CSS)
                way = gr.HTML(film(model, moments), elem_id="diffusion-way", **turned)
                kit.caption(
                    "Three images on their way, each above what the network takes it to be at that moment. The next "
                    "moment is a mixture of the two. Beneath: the first one, from pure noise to the digit."
                )
        with gr.Row():
            with gr.Column(min_width=320, elem_classes="kz-tight"):
                gr.HTML('<p class="kz-title">One noise, led to the class more and more</p>', **style)
                led = gr.HTML(markup.empty_html("These images are being made \u2026"), elem_id="diffusion-led", **style)
                kit.caption(
                    "The network says what it sees when it is told the class, and when it is not. Guidance goes on "
                    "along the difference: plainer digits, and fewer kinds of them."
                )
                lead = gr.Button("Compare guidance with my settings", size="sm")
            with gr.Column(min_width=320, elem_classes="kz-tight"):
                gr.HTML('<p class="kz-title">One noise, three samplers, few steps or many</p>', **style)
                grid = gr.HTML(
                    markup.empty_html("These images are being made \u2026"), elem_id="diffusion-grid", **style
                )
                kit.caption(
                    "DDIM and DPM-Solver++ follow one path, which few steps follow roughly; DDPM adds new noise at "
                    "each step, and so ends elsewhere. \u201cReads\u201d is what a classifier of digits makes of it."
                )
                sort = gr.Button("Compare samplers with my settings", size="sm")
        gr.HTML('<p class="kz-title">Drown your own drawing: what can still be told of it?</p>', **style)
        with gr.Row():
            with gr.Column(scale=3, min_width=290):
                drawing = pad.build_pad(FIRST, label="Drawing pad")
                example = gr.Dropdown(list(digits.EXAMPLES), value="5", label="Or take an example")
            with gr.Column(scale=7, min_width=320, elem_classes="kz-tight"):
                deep = gr.HTML(drowned_html(model, image, now), elem_id="diffusion-deep", **turned)
                kit.caption(
                    "In a little noise the network finds your drawing again. In much it sees a blur of all digits that "
                    "might be there, and of the one that it was told, if it was: this is how images begin."
                )
        panel = kit.code_panel(code(now, image))
        controls = {"digit": label, "guidance": guidance, "sampler": sampler, "steps": steps, "seed": seed}
        with gr.Row():
            link.button({**controls, "drawing": drawing}, {**dataclasses.asdict(now), "digit": now.label})
            kit.download_button("Download the model (.keras)", take_home, [])

        state, made = list(controls.values()), [said, way, deep, panel]
        # Values come as they were sent: `check` tests them, in words clearer than Gradio's own.
        quick = {"show_progress": "hidden", "preprocess": False}
        turns = {"concurrency_id": "diffusion", "concurrency_limit": 2}
        start.click(make, [drawing, *state], made, api_name="diffusion_make", **quick, **turns, **kit.PRIVATE)
        again.click(None, None, seed, js="() => Math.floor(10000 * Math.random())", **kit.PRIVATE).then(
            make, [drawing, *state], made, **quick, **turns, **kit.PRIVATE
        )
        lead.click(compare_guidance, state, led, api_name="diffusion_guidance", **quick, **turns, **kit.PRIVATE)
        sort.click(compare_samplers, state, grid, api_name="diffusion_samplers", **quick, **turns, **kit.PRIVATE)
        drawing.settled(drown, [drawing, *state], [deep, panel], trigger_mode="always_last", **quick, **kit.PRIVATE)
        example.input(choose_example, example, drawing, **quick, **kit.PRIVATE)

        # Gradio finds the request by its annotation, in a function of the page's own.
        def read_address(request: gr.Request):
            return restore(request, controls)

        opened = demo.load(read_address, None, [drawing, *state], show_progress="hidden", **kit.PRIVATE)
        opened.then(arrive, [drawing, *state], made, **quick, **kit.PRIVATE)
        opened.then(arrive_compared, state, [led, grid], **quick, **kit.PRIVATE)
        gr.api(kit.in_float32(sample_client), api_name="sample_diffusion")
    # While the first visitor looks at the film. No daemon: JAX aborts where one is cut off.
    threading.Thread(target=compared, daemon=False).start()
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
