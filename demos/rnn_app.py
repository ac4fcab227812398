"""An RNN, an LSTM and a GRU learn to foretell one series side by side, and show what goes on inside of them.

    python demos/rnn_app.py

Above each model's forecast beside what really came; beneath, every gate and state of one of them over time, and how
far back the gradient of each reaches. Choose a series or draw one, press Play, and watch.
"""

import dataclasses
import functools
import math
import time
from dataclasses import dataclass, field

import gradio as gr
import kit
import live
import numpy as np
import player
import rnn_markup
import rnn_series
import validate
from rnn_series import AHEAD, DATA, OWN_CURVE, read_curve

import kzoo
from kzoo.data import epoch_order, standard_stats

TITLE = "RNN, LSTM and GRU"
SUMMARY = "Three memories side by side: gates, states, gradients"
PRESETS = ("rnn_mackey_glass", "lstm_mackey_glass", "gru_mackey_glass")

NAMES = ("rnn", "lstm", "gru")
RATES = ("0.0003", "0.001", "0.003", "0.01", "0.03")
READS = {"the series": "series", "its own forecasts": "own"}
# What a model may have inside, in the order in which it is drawn.
PARTS = (
    "input gate",
    "forget gate",
    "output gate",
    "update gate",
    "reset gate",
    "candidate",
    "cell state",
    "hidden state",
)
BATCH = 32  # windows in a step of training
HORIZON = 60  # steps that a picture foretells
LAST_PLACE = 900  # of the test part that a picture begins at
MOST_STEPS = 2000  # of one training
ROWS = 25  # windows asked at once: one size, since another would be compiled anew


@dataclass(frozen=True)
class Settings:
    """All that a picture on the page depends on, but for the steps of training and what is looked at.

    Attributes:
        data: A value of DATA.
        units: Of each model's one layer.
        window: Values that a forecast is made from.
        rate: Learning rate.
        seed: Decides the series' beginning, initial weights and order.
        curve: Numbers of one period of a visitor's own curve.
    """

    data: str = "mackey_glass"
    units: int = 32
    window: int = 50
    rate: str = "0.003"
    seed: int = 0
    curve: str = OWN_CURVE


FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    given = dict(zip(FIELDS, values, strict=True))
    settings = Settings(
        data=validate.choice("data", given["data"], DATA.values()),
        units=validate.number("units", given["units"], 2, 64, whole=True),
        window=validate.number("window", given["window"], 20, 100, whole=True),
        rate=validate.choice("rate", given["rate"], RATES),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
        curve=validate.text("curve", given["curve"], rnn_series.LONGEST),
    )
    if settings.data == "own":
        read_curve(settings.curve)
    return settings


def check_view(values) -> tuple[str, int, str]:
    """Which model is looked into, at which step of the test part, and what the forecasts go on from.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    shown, place, reads = values
    return (
        validate.choice("model", shown, NAMES),
        validate.number("place", place, 0, LAST_PLACE, whole=True),
        validate.choice("reads", reads, READS.values()),
    )


def dataset(settings: Settings):
    """x_train (n, t, 1), y_train (n, 1), x_test (m, t, 1), y_test (m, 1): see `rnn_series.windows`."""
    return rnn_series.windows(settings.data, settings.window, settings.seed, settings.curve)


# --- three models and their training -------------------------------------------------------------------------------


@dataclass
class Run(player.Run):
    """Three models in training, its steps one batch each, and what has been measured of them.

    The run's `model` has all three in it, so that one question asks, one lock guards and one file keeps them.

    Attributes:
        parts: x_train, y_train, x_test, y_test.
        models: "rnn", "lstm", "gru" -> the model.
        counts: The steps at each picture.
        errors: Model's name -> mean squared error on the test part at each of these.
        reach: (count, Model's name -> (t,)): of the latest look at the gradients.
        states: ((count, model, place), name -> (t, u)): of the latest look at gates and states.
        looked: When the latest look inside ended, and how many seconds it took.
    """

    parts: tuple
    models: dict
    counts: list = field(default_factory=list)
    errors: dict = field(default_factory=lambda: {name: [] for name in NAMES})
    reach: tuple = (None, {})
    states: tuple = (None, {})
    looked: tuple = (0.0, 0.0)


def together(models):
    """One Keras model, (b, t, 1) to a list of (b, 1), of which the given ones are parts."""
    import keras

    inputs = keras.Input(models[0].input_shape[1:])
    return keras.Model(inputs, [model(inputs) for model in models], name="side_by_side")


def start(settings: Settings) -> Run:
    """Three untrained models on their series."""
    import keras

    parts = dataset(settings)
    models = {
        name: kzoo.create_model(
            name,
            seed=settings.seed,
            input_shape=(settings.window, 1),
            num_outputs=1,
            task="regression",
            hidden_dims=(settings.units,),
            statistics=[part.tolist() for part in standard_stats(parts[0])],
            name=name,
        )
        for name in NAMES
    }
    for model in models.values():
        model.compile(keras.optimizers.Adam(float(settings.rate), clipnorm=1.0), model.training_loss())
    return Run(settings, None, together(list(models.values())), parts, models)


@functools.cache
def _shipped():
    """The shipped presets, by model's name, and the model that has all of them in it; None where one is missing."""
    models = {name: kit.preset(preset, "side by side") for name, preset in zip(NAMES, PRESETS, strict=True)}
    return None if None in models.values() else (models, together(list(models.values())))


def from_preset(name: str = PRESETS[0]) -> Run | None:
    """The three shipped models, trained, on the series that they were trained on; None where one does not ship."""
    if (shipped := _shipped()) is None:
        return None
    models, model = shipped
    rnn = models["rnn"]
    settings = Settings(units=rnn.hidden_dims[0], window=rnn.input_shape[1])
    return Run(settings, name, model, dataset(settings), models)


def advance(run: Run) -> None:
    """One step: a batch of windows; what an epoch leaves over waits."""
    x, y = run.parts[:2]
    epoch, batch = divmod(run.count, len(x) // BATCH)
    rows = epoch_order(len(x), run.settings.seed, epoch)[batch * BATCH : (batch + 1) * BATCH]
    # One by one: Keras on torch resets gradients by the variables' paths, which are the same in all three.
    for model in run.models.values():
        model.train_on_batch(x[rows], y[rows])


def finished(run: Run) -> str | None:
    """Why training has come to an end by itself: the error of the latest picture is no number."""
    lost = [name for name, errors in run.errors.items() if errors and not math.isfinite(errors[-1])]
    return f"The error of {', '.join(lost)} is no number any more: choose a smaller learning rate." if lost else None


def obstacle(run: Run) -> str | None:
    """What to do where there is nothing to learn, or None."""
    return "The curve is flat: draw one that goes up and down." if np.ptp(run.parts[0]) < 0.01 else None


# --- what is seen --------------------------------------------------------------------------------------------------


def ask(model, x) -> np.ndarray:
    """The forecasts (3, n) of the three parts of `model` for windows x (n, t, 1), asked ROWS at a time."""
    filled = np.zeros((-(-len(x) // ROWS) * ROWS, *x.shape[1:]), "float32")
    filled[: len(x)] = x
    answers = [np.array(model.predict_on_batch(filled[i : i + ROWS])) for i in range(0, len(filled), ROWS)]
    return np.concatenate(answers, axis=1)[:, : len(x), 0]


def measure(run: Run) -> tuple[dict, float]:
    """The mean squared error of each model on every tenth window of the test part, and of repeating the last value."""
    x, y = run.parts[2][::10], run.parts[3][::10, 0]
    found = np.square(ask(run.model, x) - y).mean(axis=1)
    return dict(zip(NAMES, found.tolist(), strict=True)), float(np.square(x[:, -1, 0] - y).mean())


def values_at(run: Run, place: int) -> tuple[np.ndarray, np.ndarray]:
    """The known values (t + AHEAD - 1,) at a place of the test part, and the HORIZON values after them."""
    x, y = run.parts[2:]
    series = np.concatenate([x[0, :, 0], x[1:, -1, 0], y[-AHEAD:, 0]])
    now = place + run.settings.window + AHEAD - 1
    return series[place:now], series[now : now + HORIZON]


def foretell(run: Run) -> np.ndarray:
    """The forecasts of the HORIZON values after the place that is looked at, (3, HORIZON).

    Each is made AHEAD steps before from the series itself; or each model reads what it has foretold, so that only
    the first AHEAD follow from known values.
    """
    _, place, reads = view_of(run)
    if reads == "series":
        return ask(run.model, run.parts[2][place : place + HORIZON])
    known, _ = values_at(run, place)
    window, parts = run.settings.window, np.arange(len(NAMES))
    values = np.repeat(known[None], len(NAMES), axis=0)
    while values.shape[1] < len(known) + HORIZON:
        recent = values[:, -(window + AHEAD - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(recent, window, axis=1)  # (3, AHEAD, t)
        answers = ask(run.model, windows.reshape(-1, window, 1)).reshape(len(NAMES), len(NAMES), AHEAD)
        values = np.concatenate([values, answers[parts, parts]], axis=1)  # of each model, the answers to its own
    return values[:, len(known) :]


def gradient_reach(run: Run) -> dict:
    """Model's name -> (t,): how much a forecast depends on the value k steps back, as a share of the last one's.

    The mean over eight windows of the test part.
    """
    found = {}
    for name, model in run.models.items():
        norms = model.gradient_norms(run.parts[2][::125]).mean(axis=0)[::-1]
        found[name] = norms / norms[0] if norms[0] > 0 else norms
    return found


def look_inside(run: Run, hurry: bool) -> None:
    """Brings `run.reach` and `run.states` up to date; in a hurry only where that costs a fifth of the time at most."""
    shown, place, _ = view_of(run)
    key = (run.count, shown, place)
    if run.states[0] == key and run.reach[0] == run.count:
        return
    ended, seconds = run.looked
    began = time.monotonic()
    if hurry and began - ended < 4 * seconds:
        return
    if run.reach[0] != run.count:
        run.reach = run.count, gradient_reach(run)
    known, _ = values_at(run, place)
    trace = run.models[shown].trace(known[None, AHEAD - 1 :, None])["layer_1"]
    run.states = key, {name: trace[name][0] for name in PARTS if name in trace}
    now = time.monotonic()
    run.looked = now, now - began


def view_of(run: Run) -> tuple[str, int, str]:
    """Which model is looked into, where, and what the forecasts go on from."""
    return run.view or ("lstm", 0, "series")


def frame(run: Run, note: str = "") -> tuple[str, ...]:
    """Status, forecasts, states, reach, errors and pad of a run as markup; the errors are noted on the way."""
    errors, repeat = measure(run)
    if not run.preset and (not run.counts or run.counts[-1] != run.count):
        run.counts.append(run.count)
        for name in NAMES:
            run.errors[name].append(errors[name])
    look_inside(run, hurry=note == player.LEARNING)
    known, truth = values_at(run, view_of(run)[1])
    foretold = foretell(run)
    titles = {
        name: f"{model.count_params():,} weights, test error {_short(errors[name])}"
        for name, model in run.models.items()
    }
    cells = [("trained presets", len(NAMES))] if run.preset else [("steps", run.count)]
    cells += [(f"test error of {name}", _short(errors[name])) for name in NAMES]
    return (
        live.status(cells, finished(run) or note),
        rnn_markup.forecasts(known[AHEAD - 1 :], truth, dict(zip(NAMES, foretold, strict=True)), titles),
        states_svg(run),
        reach_svg(run),
        errors_svg(run, repeat),
        rnn_markup.pad(pad_values(run.settings.curve)),
    )


def states_svg(run: Run) -> str:
    """The heat maps of the latest look inside."""
    (_, shown, place), found = run.states
    return rnn_markup.states(shown, values_at(run, place)[0][AHEAD - 1 :], found)


def reach_svg(run: Run) -> str:
    """The three gradients of the latest look inside."""
    count, found = run.reach
    when = "of the trained presets" if run.preset else f"at step {count}"
    said = {name: share(values[-1]) for name, values in found.items()}
    ends = ", ".join(f"{name} {text}" for name, text in said.items())
    far = run.settings.window - 1
    return rnn_markup.log_chart(
        np.arange(far + 1),
        found,
        label=f"How far back the gradient reaches, {when}. Left {far} steps back: {ends}",
        title=f"Reach of the gradient, {when}",
        across="steps back in time",
        up="share of the last step's gradient (log axis)",
        said=said,
    )


def errors_svg(run: Run, repeat: float) -> str:
    """The three test errors over the steps of training."""
    latest = {name: _short(values[-1]) if values else "" for name, values in run.errors.items()}
    return rnn_markup.log_chart(
        run.counts,
        run.errors,
        label="Test error by step of training: " + ", ".join(f"{name} {text}" for name, text in latest.items()),
        title="What they have learned",
        across="steps of training (32 windows each)",
        up=f"mean squared error, {AHEAD} steps ahead (log axis)",
        said=latest,
        level=(repeat, "repeat the last value") if repeat > 0 else None,
        empty=("A trained preset brings no curve.", "Press Play to draw one.") if run.preset else (),
    )


def pad_values(text: str) -> np.ndarray:
    """What the pad shows: the curve that the box holds, or the first one where it holds none."""
    try:
        return read_curve(text)
    except gr.Error:
        return read_curve(OWN_CURVE)


def share(value: float) -> str:
    """A share as the margin beside a line has room for."""
    return "?" if not math.isfinite(value) else "<0.01 %" if value < 1e-4 else f"{100 * value:.2g} %"


def _short(value: float) -> str:
    """An error as a status line and a margin have room for."""
    if not math.isfinite(value):
        return "?"
    return (
        "<0.000001"
        if value < 5e-7
        else f"{value:.6f}"
        if value < 1e-3
        else f"{value:.4f}"
        if value < 1
        else f"{value:.3g}"
    )


def code(run: Run) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `models`, their errors, reach and states."""
    settings, (shown, place, reads) = run.settings, view_of(run)
    data = rnn_series.as_code(settings.data, settings.window, settings.seed, settings.curve)
    if run.preset:
        head = f"""import kzoo  # first: it chooses the backend that Keras runs on
import numpy as np

{data}
models = {{name: kzoo.from_preset(f"{{name}}_mackey_glass") for name in ("rnn", "lstm", "gru")}}
"""
    else:
        head = f"""import kzoo  # first: it chooses the backend that Keras runs on
import keras
import numpy as np
from kzoo.data import epoch_order, standard_stats

{data}
models = {{}}
for name in ("rnn", "lstm", "gru"):
    model = models[name] = kzoo.create_model(
        name, seed={settings.seed}, input_shape=({settings.window}, 1), num_outputs=1, task="regression", \
hidden_dims=({settings.units},),
        statistics=[part.tolist() for part in standard_stats(x_train)],
    )
    model.compile(keras.optimizers.Adam({settings.rate}, clipnorm=1.0), model.training_loss())
    batches = len(x_train) // {BATCH}
    for step in range({run.count}):
        first = step % batches * {BATCH}
        rows = epoch_order(len(x_train), {settings.seed}, step // batches)[first : first + {BATCH}]
        model.train_on_batch(x_train[rows], y_train[rows])
"""
    if reads == "series":
        foretold = f"""foretold = {{name: model.predict(x_test[{place} : {place + HORIZON}], verbose=0)[:, 0] \
for name, model in models.items()}}
"""
    else:
        foretold = f"""known = np.concatenate([x_test[{place}, :, 0], x_test[{place + 1} : {place + AHEAD}, -1, 0]])
foretold = {{}}
for name, model in models.items():
    values = known
    for _ in range({HORIZON // AHEAD}):  # {AHEAD} windows give the next {AHEAD} values, which then are read themselves
        windows = np.lib.stride_tricks.sliding_window_view(values, {settings.window})[-{AHEAD}:, :, None]
        values = np.concatenate([values, model.predict(windows, verbose=0)[:, 0]])
    foretold[name] = values[len(known) :]
"""
    return (
        head
        + f"""
# The forecasts of {HORIZON} values of the test part.
{foretold}
errors, reach = {{}}, {{}}
for name, model in models.items():
    forecasts = model.predict(x_test[::10], verbose=0)
    errors[name] = np.mean((forecasts - y_test[::10]) ** 2)
    norms = model.gradient_norms(x_test[::125]).mean(axis=0)[::-1]  # (t,): the last step first
    reach[name] = norms / norms[0]
    print(name, "test error", errors[name], "gradient left {settings.window - 1} steps back", reach[name][-1])

# Every gate and state of the {shown}'s one layer: name -> (1, t, units).
states = models["{shown}"].trace(x_test[{place + AHEAD - 1} : {place + AHEAD}])["layer_1"]
print({{name: values.shape for name, values in states.items()}})

# The file that the page hands out holds all three:
# kzoo.load_model("rnn.keras").get_layer("{shown}")
"""
    )


# --- the page ------------------------------------------------------------------------------------------------------

PLAY_NOTE = "Press Play to watch three learn from scratch."

PLAYER = player.Player(
    "rnn",
    "steps",
    Settings,
    check,
    start,
    advance,
    frame,
    code,
    most=MOST_STEPS,
    from_preset=from_preset,
    obstacle=obstacle,
    finished=finished,
    look=check_view,
    seconds=90,
)


def opening() -> Run:
    """What a visitor sees first: the shipped presets; where one is missing, three untrained models."""
    return from_preset() or start(Settings())


def train_client(
    data: str = "mackey_glass",
    units: int = 32,
    window: int = 50,
    rate: str = "0.003",
    seed: int = 0,
    curve: str = OWN_CURVE,
    steps: int = 20,
) -> dict:
    """Trains the three for up to 300 steps and gives their figures and the code that gives the same."""
    settings = check((data, units, window, rate, seed, curve))
    run = PLAYER.trained(settings, validate.number("steps", steps, 0, 300, whole=True))
    with kit.alone(run.model):
        errors, repeat = measure(run)
        reach = gradient_reach(run)
    return {
        "steps": run.count,
        "test_error": {name: value if math.isfinite(value) else None for name, value in errors.items()},
        "test_error_of_the_last_value": repeat,
        "gradient_left": {
            name: float(values[-1]) if math.isfinite(values[-1]) else None for name, values in reach.items()
        },
        "code": code(run),
    }


def _drawn(settings, event):
    sent = event._data if isinstance(event._data, dict) else {}
    values = validate.array("curve", sent.get("values"), ((8, 200),), -1, 1)
    return dataclasses.replace(settings, data="own", curve=", ".join(f"{value:g}" for value in np.round(values, 2)))


def build() -> gr.Blocks:
    """The page."""
    first = opening()
    now = first.settings

    with kit.blocks(TITLE) as demo:
        kit.heading(TITLE, "Three kinds of memory read one series and foretell it. Look into their gates. Press Play.")
        page = live.Page(PLAYER, first, PLAY_NOTE)
        style = {"css_template": rnn_markup.CSS}
        series = gr.HTML(page.pictures[0], elem_id="rnn-forecasts", **style)
        kit.caption(
            "On grey: the values that the maps below are made from. Thin line: the series. Thick line: what the model "
            f"foretells of it {AHEAD} steps before. Let it read its own forecasts, and small errors feed themselves."
        )
        with gr.Row():
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                with gr.Row():
                    shown = gr.Radio(NAMES, value="lstm", label="Look into", min_width=200)
                    reads = gr.Radio(list(READS.items()), value="series", label="Beyond now it reads", min_width=200)
                    place = gr.Slider(0, LAST_PLACE, 0, step=1, label="Place in the test part (steps)", buttons=[])
                inside = gr.HTML(page.pictures[1], elem_id="rnn-states", **style)
                kit.caption(
                    "Each row of a map is a unit, each column a step. Gates: empty is closed, full orange is open. "
                    "States and candidates: blue below zero, orange above."
                )
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight"):
                reach = gr.HTML(page.pictures[2], elem_id="rnn-reach", **style)
                kit.caption(
                    "How much a forecast would change with the value read so many steps before, beside the last one. "
                    "A line that falls steadily is a gradient that vanishes: what lies there teaches the model little. "
                    "Before training the gates stand half open, and lstm and gru forget the faster."
                )
                errors = gr.HTML(page.pictures[3], elem_id="rnn-errors", **style)
                kit.caption("The error on a later part of the series, which none of them learns from.")
                with gr.Accordion("Own curve", open=False) as panel:
                    pad = gr.HTML(page.pictures[4], elem_id="rnn-pad", js_on_load=rnn_markup.DRAW, **style)
                    kit.caption("Draw one period from left to right; the series repeats it.")
                    curve = gr.Textbox(
                        now.curve,
                        label="The same as 8 to 200 numbers from -1 to 1",
                        lines=3,
                        max_lines=3,
                        max_length=rnn_series.LONGEST,
                        elem_id="rnn-curve",
                    )
                    use = gr.Button("Use the numbers above", size="sm")
        with gr.Row():
            with gr.Column(min_width=280), gr.Group():
                data = gr.Radio(list(DATA.items()), value=now.data, label="Series")
                window = gr.Slider(20, 100, now.window, step=1, label="Window (steps that are read)", buttons=[])
            with gr.Column(min_width=280), gr.Group():
                units = gr.Slider(2, 64, now.units, step=1, label="Hidden units (of each model)", buttons=[])
                rate = gr.Dropdown(RATES, value=now.rate, label="Learning rate (per step)")
            with gr.Column(min_width=280), gr.Group():
                speed = gr.Slider(1, 50, 5, step=1, label="Speed (steps a picture)", buttons=[])
                seed = gr.Number(now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999)
        controls = {"data": data, "units": units, "window": window, "rate": rate, "seed": seed, "curve": curve}
        page.connect(
            demo,
            [series, inside, reach, errors, pad],
            controls,
            speed,
            views={"model": shown, "place": place, "reads": reads},
            presets={PRESETS[0]: "three"} if first.preset else None,
        )
        page.anew(pad.click, _drawn, "draw")
        page.anew(use.click, lambda settings, event: dataclasses.replace(settings, data="own"), "use")
        data.change(
            lambda chosen: gr.update(open=chosen == "own"), data, panel,
            api_name="rnn_own", show_progress="hidden", preprocess=False, **kit.PRIVATE,
        )  # fmt: skip
        gr.api(kit.in_float32(train_client), api_name="train_rnn", **live.TRAIN)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
