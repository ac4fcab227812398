"""An MTRNN walks the movements that it has learned, told nothing but the state that its slow units begin with.

    python demos/mtrnn_app.py

Choose a movement, mix two, change the time constants of the learned network and see what becomes of it; or draw a
curve, press Play, and watch the network learn it. Training runs through `kzoo.create_model` and Keras.
"""

import dataclasses
import math
from dataclasses import dataclass, field

import drawing
import gradio as gr
import kit
import live
import mtrnn_loop
import mtrnn_markup
import numpy as np
import player
import validate

import kzoo
from kzoo.data import primitives

TITLE = "MTRNN"
SUMMARY = "Movements begun by slow units and walked by fast ones"
PRESETS = ("mtrnn_lissajous",)

DATA = {"five movements": "movements", "own curve": "own"}
MOVEMENTS = tuple(primitives.PRIMITIVES)
RATES = ("0.001", "0.003", "0.01", "0.02", "0.03")
RATE = {"movements": "0.01", "own": "0.02"}  # that suits it
STEPS = {"movements": 3000, "own": 600}  # of training, over which the learning rate falls as a cosine
CYCLES = {"movements": 6, "own": 4}  # that are taught
REST, PERIOD = 8, 24  # steps at the first point, and of one cycle, as `kzoo.load_data("lissajous")` has them
MOST_CYCLES = 9
LENGTH = REST - 1 + MOST_CYCLES * PERIOD  # of what the network is always asked for: another would be compiled anew
TIME_CONSTANTS = (2, 5, 70)  # that all networks of this page are trained with
MOST_POINTS, LONGEST = 200, 8000  # points and characters of a visitor's curve
REACH = 0.9  # of a visitor's curve, in the units of the plane: tanh gets there

# A heart: smooth but for two points.
_ANGLES = 2 * math.pi * np.arange(32) / 32
OWN_CURVE = "\n".join(
    f"{0.8 * math.sin(a) ** 3:.2f}, "
    f"{0.05 * (13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) + 0.1:.2f}"
    for a in _ANGLES
)


@dataclass(frozen=True)
class Settings:
    """All that a network on the page depends on, but for the steps of training.

    Attributes:
        data: A value of DATA.
        rate: Learning rate of the first step.
        seed: Decides the initial weights and states.
        curve: Lines "x, y" of a visitor's own closed curve.
    """

    data: str = "movements"
    rate: str = "0.01"
    seed: int = 0
    curve: str = OWN_CURVE


@dataclass(frozen=True)
class View:
    """What a network is asked.

    Attributes:
        movement: Whose initial state it begins with.
        other: Whose initial state is mixed in.
        share: Per cent of the other in the mixture.
        cycles: How long it walks.
        outputs, fast, slow: Time constants in steps.
    """

    movement: str = "eight"
    other: str = "circle"
    share: int = 0
    cycles: int = 3
    outputs: float = TIME_CONSTANTS[0]
    fast: float = TIME_CONSTANTS[1]
    slow: float = TIME_CONSTANTS[2]


FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    given = dict(zip(FIELDS, values, strict=True))
    settings = Settings(
        data=validate.choice("data", given["data"], DATA.values()),
        rate=validate.choice("rate", given["rate"], RATES),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
        curve=validate.text("curve", given["curve"], LONGEST),
    )
    if settings.data == "own":
        walked(settings.curve)
    return settings


def check_view(values) -> View:
    """What a network is asked, from the values of the page's views in the order of `View`.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    movement, other, share, cycles, outputs, fast, slow = values
    return View(
        validate.choice("movement", movement, MOVEMENTS),
        validate.choice("other", other, MOVEMENTS),
        validate.number("share", share, 0, 100, whole=True),
        validate.number("cycles", cycles, 1, MOST_CYCLES, whole=True),
        # A time constant below the step of 1 is none that the network can be run with.
        validate.number("outputs", outputs, 1, 20),
        validate.number("fast", fast, 1, 50),
        validate.number("slow", slow, 1, 200),
    )


def read_curve(text: str) -> np.ndarray:
    """A visitor's points, (n, 2) float64, from lines "x, y".

    Raises:
        gr.Error: names the first line that is not of that form, or says how many there must be.
    """
    rows = validate.places("curve", text, REACH, "0.3, -0.5")
    if not 3 <= len(rows) <= MOST_POINTS:
        raise validate.refuse(f"curve: got {len(rows)} points; expected 3 to {MOST_POINTS} that go round a curve.")
    return np.array(rows)


def walked(text: str) -> np.ndarray:
    """One cycle round the closed curve of `text` at an even pace: (PERIOD, 2) float64 to four digits.

    Raises:
        gr.Error: as in `read_curve`; and for points that all lie at one place.
    """
    points = read_curve(text)
    closed = np.concatenate([points, points[:1]])
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    if way[-1] < 0.2:
        raise validate.refuse(f"curve: it is {way[-1]:.2g} long; draw one of at least 0.2 in the units of the plane.")
    places = np.arange(PERIOD) * way[-1] / PERIOD
    return np.stack([np.interp(places, way, closed[:, k]) for k in range(2)], axis=1).round(4)


def sequences(settings: Settings, cycles: int) -> np.ndarray:
    """What is taught, each walked for `cycles`: (n, REST + cycles PERIOD + 1, 2) float32."""
    if settings.data == "own":
        curve = walked(settings.curve)
        every = [curve[:1].repeat(REST, axis=0), np.tile(curve, (cycles, 1)), curve[:1]]
        return np.concatenate(every).astype(np.float32)[None]
    return primitives.primitives(np.random.default_rng(0), len(MOVEMENTS), cycles, PERIOD, REST)


# --- a network and its training ------------------------------------------------------------------------------------


@dataclass
class Run(player.Run):
    """One network in training, and what has been measured of it.

    Attributes:
        targets: (n, LENGTH, 2) all sequences that it is taught, walked on for MOST_CYCLES.
        lesson: x and y of a step of training; None for a preset.
        counts, errors: The closed loop's error over all sequences, by step of training, at each picture.
    """

    targets: np.ndarray
    lesson: tuple | None = None
    counts: list = field(default_factory=list)
    errors: list = field(default_factory=list)


def start(settings: Settings) -> Run:
    """An untrained network, compiled, and what it is to learn."""
    import keras

    steps = STEPS[settings.data]
    taught = sequences(settings, CYCLES[settings.data])
    model = kzoo.create_model(
        "mtrnn",
        seed=settings.seed,
        num_outputs=2,
        num_sequences=len(taught),
        time_constants=TIME_CONSTANTS,
        blend_steps=steps // 4,
    )
    rate = keras.optimizers.schedules.CosineDecay(float(settings.rate), steps)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), model.training_loss())
    return Run(settings, None, model, sequences(settings, MOST_CYCLES)[:, 1:-1], primitives.lessons(taught))


def from_preset(name: str = PRESETS[0]) -> Run | None:
    """The shipped network, trained; None where it does not ship."""
    model = kit.preset(name)
    return None if model is None else Run(Settings(), name, model, sequences(Settings(), MOST_CYCLES)[:, 1:-1])


def advance(run: Run) -> None:
    """One step on all that is taught."""
    run.model.train_on_batch(*run.lesson)


def finished(run: Run) -> str | None:
    """Why training has come to an end by itself."""
    if run.errors and not math.isfinite(run.errors[-1]):
        return "The outputs are no numbers any more. Choose a smaller learning rate."
    steps = STEPS[run.settings.data]
    if run.count >= steps:
        return f"Learned: the learning rate has come to its end after {steps} steps."
    return None


# --- what it does --------------------------------------------------------------------------------------------------


@dataclass
class Look:
    """What the pictures are drawn from.

    Attributes:
        taught: (t, 2) the movement that is chosen, one step after another.
        second: (t, 2) the one that is mixed in, or None.
        outputs, fast, slow: (t, units) what the network does.
        error: Root mean square of outputs less taught, in the units of the plane; None for a mixture.
    """

    taught: np.ndarray
    second: np.ndarray | None
    outputs: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    error: float | None


def view_of(run: Run) -> View:
    """What the run is asked."""
    return run.view or View()


def chosen(run: Run) -> tuple[int, int, float]:
    """Which sequences are asked for, and the second one's share, 0 to 1; an own curve is alone."""
    if len(run.targets) == 1:
        return 0, 0, 0.0
    view = view_of(run)
    return MOVEMENTS.index(view.movement), MOVEMENTS.index(view.other), view.share / 100


def look(run: Run) -> Look:
    """Asks the network for all that the page shows."""
    view, (one, two, share) = view_of(run), chosen(run)
    states = run.model.initial_states()
    # The mixture and all that is taught in one go: one number of rows, since another would be compiled anew.
    rows = np.concatenate([[(1 - share) * states[one] + share * states[two]], states])
    times = (view.outputs, view.fast, view.slow)
    found = mtrnn_loop.closed_loop(run.model, rows, times, LENGTH)
    steps = REST - 1 + view.cycles * PERIOD
    if not run.preset and (not run.counts or run.counts[-1] != run.count):
        made = found
        if times != TIME_CONSTANTS:
            made = mtrnn_loop.closed_loop(run.model, rows, TIME_CONSTANTS, LENGTH)
        taught = slice(0, REST - 1 + CYCLES[run.settings.data] * PERIOD)
        run.counts.append(run.count)
        run.errors.append(rms(made["outputs"][1:, taught] - run.targets[:, taught]))
    taught, outputs = run.targets[one, :steps], found["outputs"][0, :steps]
    return Look(
        taught,
        run.targets[two, :steps] if share and one != two else None,
        outputs,
        found["fast"][0, :steps],
        found["slow"][0, :steps],
        rms(outputs - taught) if not share or one == two else None,
    )


def rms(difference) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


# --- what is seen --------------------------------------------------------------------------------------------------


def name_of(run: Run) -> str:
    """What is asked for, in words."""
    one, two, share = chosen(run)
    if len(run.targets) == 1:
        return "own curve"
    return (
        f"{100 - 100 * share:.0f} % {MOVEMENTS[one]} + {100 * share:.0f} % {MOVEMENTS[two]}"
        if share
        else MOVEMENTS[one]
    )


def frame(run: Run, note: str = "") -> tuple[str, ...]:
    """Status, plane, time, phases, learning and pad of a run as markup; the error is noted on the way."""
    seen, view, name = look(run), view_of(run), name_of(run)
    cells = [("trained preset", run.preset) if run.preset else ("steps", run.count)]
    if seen.error is not None:
        cells.append(("RMS error (plane units)", f"{seen.error:.3f}"))
    long = f"{view.cycles} cycle{'s' if view.cycles > 1 else ''}"
    said = "" if seen.error is None else f", root mean square error {seen.error:.3f} units of the plane"
    return (
        live.status(cells, finished(run) or note),
        mtrnn_markup.plane(seen.taught, seen.second, seen.outputs, label=f"The plane: {name}, {long}{said}"),
        mtrnn_markup.over_time(
            seen.taught, seen.second, seen.outputs, REST, PERIOD, label=f"x and y over time: {name}, {long}{said}"
        ),
        mtrnn_markup.phases(
            {f"{seen.fast.shape[1]} fast units": seen.fast, f"{seen.slow.shape[1]} slow units": seen.slow}
        ),
        mtrnn_markup.errors(
            run.counts,
            run.errors,
            label="Error of all that is taught by step of training"
            + (f": {run.errors[-1]:.3f} at step {run.counts[-1]}" if run.errors else ""),
            empty=drawing.NO_CURVE if run.preset else drawing.NOTHING_YET,
        ),
        mtrnn_markup.pad(pad_points(run.settings.curve), REACH),
    )


def pad_points(text: str) -> np.ndarray:
    """What the pad shows: the curve that the box holds, or the first one where it holds none."""
    try:
        return read_curve(text)
    except gr.Error:
        return read_curve(OWN_CURVE)


def code(run: Run) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `found`, the activities of all units."""
    settings, view, (one, two, share) = run.settings, view_of(run), chosen(run)
    own, steps = settings.data == "own", REST - 1 + view.cycles * PERIOD
    data = "from kzoo.data import primitives\n"
    if own:
        pairs = [f"({x:g}, {y:g})" for x, y in walked(settings.curve).tolist()]
        rows = "".join(f"    {', '.join(pairs[i : i + 4])},\n" for i in range(0, PERIOD, 4))
        data += f"""
curve = np.array([  # one cycle
{rows}])


def walk(cycles):
    \"\"\"A rest at the first point, then so many cycles: (1, t, 2).\"\"\"
    every = [curve[:1].repeat({REST}, axis=0), np.tile(curve, (cycles, 1)), curve[:1]]
    return np.concatenate(every).astype("float32")[None]
"""
    else:
        data += f"""

def walk(cycles):
    \"\"\"{", ".join(MOVEMENTS)}: ({len(MOVEMENTS)}, t, 2).\"\"\"
    return primitives.primitives(np.random.default_rng(0), {len(MOVEMENTS)}, cycles, {PERIOD}, {REST})
"""
    if run.preset:
        made = f"""import numpy as np
{data}

model = kzoo.from_preset("{run.preset}")
"""
    else:
        made = f"""import keras
import numpy as np
{data}

taught = walk({CYCLES[settings.data]})
model = kzoo.create_model(
    "mtrnn", seed={settings.seed}, num_outputs=2, num_sequences=len(taught), time_constants={list(TIME_CONSTANTS)}, \
blend_steps={STEPS[settings.data] // 4}
)
rate = keras.optimizers.schedules.CosineDecay({settings.rate}, {STEPS[settings.data]})
model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), model.training_loss())
x, y = primitives.lessons(taught)
for step in range({run.count}):
    model.train_on_batch(x, y)
"""
    times = (view.outputs, view.fast, view.slow)
    other = ""
    if times != TIME_CONSTANTS:
        other = f"""
# The same weights with other time constants of outputs, fast and slow units, in steps.
weights = model.get_weights()
model = type(model).from_config({{**model.get_config(), "time_constants": {list(times)}}})
model.set_weights(weights)
"""
    if share:
        asked = f"""# A mixture of two initial states.
states = model.initial_states()
found = model.generate(state={1 - share:g} * states[{one}] + {share:g} * states[{two}], steps={steps})
"""
    else:
        asked = f"found = model.generate({one}, steps={steps})\n"
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
{made}{other}
{asked}print({{name: values.shape for name, values in found.items()}})

target = walk({view.cycles})[{one}, 1:-1]
print("root mean square of outputs less {"curve" if own else MOVEMENTS[one]}", \
np.sqrt(np.mean((found["outputs"][0] - target) ** 2)))
"""


# --- the page ------------------------------------------------------------------------------------------------------

PLAY_NOTE = "Choose a movement; or draw a curve below and press Play."

PLAYER = player.Player(
    "mtrnn",
    "steps",
    Settings,
    check,
    start,
    advance,
    frame,
    code,
    most=max(STEPS.values()),
    from_preset=from_preset,
    finished=finished,
    look=check_view,
    # What is taught comes with the learning rate that suits it.
    adjust={"data": lambda settings: dataclasses.replace(settings, rate=RATE[settings.data])},
    seconds=90,
)


def opening() -> Run:
    """What a visitor sees first: the shipped preset; where it is missing, an untrained network."""
    return from_preset() or start(Settings())


def train_client(data: str = "own", rate: str = "0.02", seed: int = 0, curve: str = OWN_CURVE, steps: int = 20) -> dict:
    """Trains a network for up to 600 steps and gives its error and the code that gives the same."""
    settings = check((data, rate, seed, curve))
    run = PLAYER.trained(settings, validate.number("steps", steps, 0, 600, whole=True))
    with kit.alone(run.model):
        look(run)
    error = run.errors[-1]
    return {"steps": run.count, "rms_error": error if math.isfinite(error) else None, "code": code(run)}


def _own(settings: Settings, curve: str) -> Settings:
    rate = settings.rate if settings.data == "own" else RATE["own"]
    return dataclasses.replace(settings, data="own", rate=rate, curve=curve)


def _drawn(settings, event):
    sent = event._data if isinstance(event._data, dict) else {}
    points = validate.array("curve", sent.get("points"), ((3, MOST_POINTS), 2), -REACH, REACH)
    return _own(settings, "\n".join(f"{x:g}, {y:g}" for x, y in (points.astype(float).round(2) + 0.0).tolist()))


def build() -> gr.Blocks:
    """The page."""
    first = opening()
    now, view = first.settings, View()

    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE,
            "A network with fast and slow units walks what it has learned by itself, told nothing but how its slow "
            "units begin.",
        )
        page = live.Page(PLAYER, first, PLAY_NOTE)
        style = {"css_template": mtrnn_markup.CSS}
        with gr.Row():
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
                surface = gr.HTML(page.pictures[0], elem_id="mtrnn-plane", **style)
                kit.caption(
                    "Wide band: what was taught. Thin line: what the network does by itself, from the ring to the "
                    "square. Dotted band: the second movement of a mixture."
                )
                movement = gr.Radio(MOVEMENTS, value=view.movement, label="Begin as for the movement")
                with gr.Group() as mixture:
                    other = gr.Dropdown(MOVEMENTS, value=view.other, label="Mix its initial state with that of")
                    share = gr.Slider(0, 100, view.share, step=1, label="Share of the second state (%)", buttons=[])
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                time = gr.HTML(page.pictures[1], elem_id="mtrnn-time", **style)
                kit.caption(
                    f"Both coordinates over time. First {REST} steps of rest, then cycles of {PERIOD} steps: a grey "
                    "line marks where each begins."
                )
                phases = gr.HTML(page.pictures[2], elem_id="mtrnn-phases", **style)
                kit.caption(
                    "The paths of the fast and of the slow units in their two main directions, in units of activity; "
                    "time goes from blue to orange, from the ring to the square. Mind the length of a side."
                )
        with gr.Row():
            with gr.Column(min_width=280):
                with gr.Group():
                    cycles = gr.Slider(1, MOST_CYCLES, view.cycles, step=1, label="Cycles generated", buttons=[])
                    outputs, fast, slow = (
                        gr.Slider(1, most, value, step=step, label=f"Time constant, {name} (steps)", buttons=[])
                        for name, most, value, step in (
                            ("outputs", 20, view.outputs, 0.5),
                            ("fast units", 50, view.fast, 0.5),
                            ("slow units", 200, view.slow, 1),
                        )
                    )
                kit.caption(
                    "The weights stay as they were learned, with {:g}, {:g} and {:g} steps: what does the same "
                    "network do with other time constants?".format(*TIME_CONSTANTS)
                )
            with gr.Column(min_width=280):
                errors = gr.HTML(page.pictures[3], elem_id="mtrnn-errors", **style)
                kit.caption("How far the closed loop is from all that is taught, at the time constants of training.")
                with gr.Group():
                    data = gr.Radio(list(DATA.items()), value=now.data, label="What is taught")
                    with gr.Row():
                        rate = gr.Dropdown(RATES, value=now.rate, label="Learning rate (first step)", min_width=120)
                        seed = gr.Number(
                            now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999, min_width=120
                        )
                    speed = gr.Slider(1, 50, 5, step=1, label="Speed (steps a picture)", buttons=[])
            with gr.Column(min_width=280), gr.Accordion("Own curve", open=True):
                pad = gr.HTML(page.pictures[4], elem_id="mtrnn-pad", js_on_load=mtrnn_markup.DRAW, **style)
                kit.caption("Draw a curve; it closes by itself. Then press Play to see it learned.")
                curve = gr.Textbox(
                    now.curve,
                    label=f"The same as lines x, y from {-REACH:g} to {REACH:g}, 3 to {MOST_POINTS} of them",
                    lines=3,
                    max_lines=3,
                    max_length=LONGEST,
                )
                use = gr.Button("Use the points above", size="sm")
        controls = {"data": data, "rate": rate, "seed": seed, "curve": curve}
        views = {
            "movement": movement, "other": other, "share": share, "cycles": cycles, "outputs": outputs, "fast": fast,
            "slow": slow,
        }  # fmt: skip
        page.connect(
            demo,
            [surface, time, phases, errors, pad],
            controls,
            speed,
            views=views,
            presets={PRESETS[0]: "movements"},
        )
        page.anew(pad.click, _drawn, "draw")
        page.anew(use.click, lambda settings, event: _own(settings, settings.curve), "use")
        # An own curve has one initial state: there is nothing to choose among, and nothing to mix.
        data.change(
            lambda sent: [gr.update(visible=sent != "own")] * 2, data, [movement, mixture],
            api_name="mtrnn_own", show_progress="hidden", preprocess=False, **kit.PRIVATE,
        )  # fmt: skip
        gr.api(kit.in_float32(train_client), api_name="train_mtrnn", **live.TRAIN)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
