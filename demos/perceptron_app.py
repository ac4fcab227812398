"""The perceptron learns to part two classes of points by a straight line, one mistake at a time.

    python demos/perceptron_app.py

Each step shows it one point. Where its answer is right nothing happens; where it is wrong, the weights move by that
point, and the line with them. On XOR no line will do, and it never ends. The rule is kzoo's own, through Keras.
"""

import dataclasses
from dataclasses import dataclass, field

import drawing
import gradio as gr
import kit
import live
import numpy as np
import player
import points
import validate

import kzoo
from kzoo.data import epoch_order

TITLE = "Perceptron"
SUMMARY = "Rosenblatt's rule of 1958, one mistake at a time"
PRESETS = ("perceptron_moons", "perceptron_xor", "perceptron_digits")

DATA = {"two clouds": "clouds", "two moons": "moons", "XOR": "xor", "own points": "own"}
NOISE = {"clouds": 0.3, "moons": 0.1, "xor": 0.25, "own": 0.0}
MOST_STEPS = 20_000  # of one perceptron
MOST_PLAYED = 5_000  # of one press on Play: on XOR it would go on for ever

OWN_POINTS = (
    "-0.6, 0.5, 0\n-0.3, 0.7, 0\n-0.7, -0.1, 0\n0.1, 0.6, 0\n0.5, -0.4, 1\n0.7, 0.2, 1\n-0.1, -0.6, 1\n0.3, -0.8, 1"
)


@dataclass(frozen=True)
class Settings:
    """All that a picture on the page depends on, but for the number of steps.

    Attributes:
        data: A value of DATA.
        noise: Standard deviation of the points' noise, in the units of the plane.
        samples: How many points.
        seed: Decides points and order.
        points: Lines "x, y, class" of a visitor's own points.
    """

    data: str = "clouds"
    noise: float = 0.3
    samples: int = 80
    seed: int = 0
    points: str = OWN_POINTS


FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    given = dict(zip(FIELDS, values, strict=True))
    settings = Settings(
        data=validate.choice("data", given["data"], DATA.values()),
        noise=validate.number("noise", given["noise"], 0, 0.6),
        samples=validate.number("samples", given["samples"], 20, 200, whole=True),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
        points=validate.text("points", given["points"], points.LONGEST),
    )
    if settings.data == "own":
        points.read(settings.points)
    return settings


def clouds(samples: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two round clouds about (-0.8, 0.5) and (0.8, -0.5): x (samples, 2) float32 and y (samples,) int32.

    Args:
        samples: How many points, in turn of either class.
        noise: Standard deviation, in the units of the plane; from about 0.35 on the clouds run into each other.
        seed: Decides the points.
    """
    y = np.arange(samples) % 2
    centres = np.array([[-0.8, 0.5], [0.8, -0.5]])[y]
    x = centres + noise * np.random.default_rng(seed).standard_normal((samples, 2))
    return x.astype(np.float32), y.astype(np.int32)


def dataset(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The points (n, 2) and their classes (n,)."""
    if settings.data == "own":
        return points.read(settings.points)
    if settings.data == "clouds":
        return clouds(settings.samples, settings.noise, settings.seed)
    data = kzoo.load_data(
        settings.data, samples=settings.samples, noise=settings.noise, seed=settings.seed, validation_fraction=0
    )
    return data.x_train, data.y_train


# --- a perceptron and its training ---------------------------------------------------------------------------------


@dataclass
class Step:
    """What one step did.

    Attributes:
        index: The point's index.
        before, after: (w1, w2, b).
    """

    index: int
    before: tuple
    after: tuple

    @property
    def mistake(self) -> bool:
        """Whether the answer was wrong: then, and only then, the rule moves the bias by one."""
        return self.before[2] != self.after[2]


@dataclass
class Run(player.Run):
    """One perceptron in training, its steps the points that it was shown.

    Attributes:
        x, y: The points and their classes.
        low, high: Corners of the plane.
        mistakes: Of each full epoch.
        current: Mistakes in the present epoch.
        last: The latest step.
    """

    x: np.ndarray
    y: np.ndarray
    low: tuple
    high: tuple
    mistakes: list = field(default_factory=list)
    current: int = 0
    last: Step | None = None

    @property
    def epoch(self) -> int:
        """Full epochs so far."""
        return len(self.mistakes)

    @property
    def done(self) -> bool:
        """Whether a whole epoch went by without a mistake."""
        return bool(self.mistakes) and self.mistakes[-1] == 0


def make_model():
    """A perceptron of two inputs and one unit, its weights at zero, under Rosenblatt's rule."""
    import keras

    model = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2)
    model.compile(keras.optimizers.SGD(1.0), model.training_loss())
    return model


def start(settings: Settings) -> Run:
    """An untrained perceptron on its data."""
    x, y = dataset(settings)
    corners = ((-1.0, -1.0), (1.0, 1.0)) if settings.data == "own" else drawing.square(x)
    return Run(settings, None, make_model(), x, y, *corners)


def from_preset(name: str) -> Run | None:
    """A shipped perceptron, trained, on the first of the points that it was trained on; None where none ships."""
    model = kit.preset(name)
    if model is None:
        return None
    task = name.removeprefix("perceptron_")
    data = kzoo.load_data(task)
    settings = Settings(data=task, noise=NOISE[task])
    x, y = data.x_train[: settings.samples], data.y_train[: settings.samples]
    return Run(settings, name, model, x, y, *drawing.square(x))


def weights_of(model) -> tuple[float, float, float]:
    """(w1, w2, b) of the line w . x + b = 0 in the plane, a standardising first layer reckoned in."""
    kernel, bias = model.get_layer("units").get_weights()
    w, b = kernel[:, 0].astype(np.float64), float(bias[0])
    if model.statistics is not None:
        mean, deviation = (np.asarray(part, dtype=np.float64) for part in model.statistics)
        w = w / deviation
        b = b - float(w @ mean)
    return float(w[0]), float(w[1]), b


def scores(weights, x) -> np.ndarray:
    """z = w . x + b of points (n, 2); the answer is class 1 where it is above 0."""
    return np.asarray(x, dtype=np.float64) @ np.array(weights[:2]) + weights[2]


def wrong(run: Run) -> np.ndarray:
    """Which points the perceptron answers wrongly now, (n,) of bool."""
    return (scores(weights_of(run.model), run.x) > 0) != (run.y == 1)


def advance(run: Run) -> None:
    """Shows the perceptron its next point, and lets kzoo's rule correct it."""
    epoch, position = divmod(run.count, len(run.x))
    index = int(epoch_order(len(run.x), run.settings.seed, epoch)[position])
    before = weights_of(run.model)
    run.model.train_on_batch(run.x[index : index + 1], run.y[index : index + 1])
    run.last = Step(index, before, weights_of(run.model))
    run.current += run.last.mistake
    if position == len(run.x) - 1:
        run.mistakes.append(run.current)
        run.current = 0


# --- what is seen --------------------------------------------------------------------------------------------------


def plane_svg(run: Run) -> str:
    """The picture of the plane: the two sides, the line, its weight vector and the points."""
    line = weights_of(run.model)
    side = 0.55 * np.sign(scores(line, drawing.grid(run.low, run.high))).reshape(drawing.GRID, drawing.GRID)
    foot = drawing.line_foot(line, run.low, run.high)
    arrow = None
    if foot is not None:
        w = np.array(line[:2])
        length = np.hypot(*w)
        reach = 0.3 * (run.high[0] - run.low[0])
        # Longer with |w|, and never out of the picture.
        arrow = (foot, w / length * reach * length / (1 + length))
        inside = np.all(foot > np.array(run.low)) and np.all(foot < np.array(run.high))
        arrow = arrow if inside else None
    moved = run.last if run.last is not None and run.last.mistake else None
    return drawing.plane(
        side if foot is not None else None,
        run.low,
        run.high,
        [(run.x, run.y, wrong(run), "train")],
        label=f"The plane: {status_text(run)}",
        line=line,
        ghost=moved.before if moved else None,
        arrow=arrow,
        marked=run.last.index if run.last else None,
        clickable=run.settings.data == "own",
    )


def status_text(run: Run) -> str:
    """One line on where the run stands."""
    where = f"trained preset {run.preset}" if run.preset else f"epoch {run.epoch}, {run.count} points shown"
    return f"{where}, {int(wrong(run).sum())} of {len(run.x)} points wrong"


def status_html(run: Run, note: str = "") -> str:
    """The line above the pictures."""
    if run.preset:
        cells = [("trained preset", run.preset)]
    else:
        cells = [("full epochs", run.epoch), ("points shown", run.count)]
    cells.append((f"of {len(run.x)} points wrong", int(wrong(run).sum())))
    return live.status(cells, note)


def verdict(run: Run) -> str:
    """What the visitor should make of it, in a line."""
    if run.preset == "perceptron_xor" or (run.settings.data == "xor" and run.epoch >= 3):
        return (
            "XOR: the two classes lie crosswise, and no straight line parts them. Each correction undoes another, "
            "for ever (Minsky and Papert 1969). A hidden layer solves it."
        )
    if run.done:
        return (
            f"A whole epoch without a mistake, after {sum(run.mistakes)} corrections: a line was found. "
            "Where one exists, the rule always finds it (Novikoff 1962)."
        )
    if run.settings.data == "moons" and (run.preset or run.epoch >= 5):
        return (
            "The moons reach into each other: seldom does a straight line part them all, and a few mistakes come back "
            "each epoch."
        )
    return "Each wrong point pulls the line to its own side. Right answers change nothing."


RULE_CSS = """
.kz-rule { border: 1px solid var(--border-color-primary); border-radius: 8px; padding: 12px 14px; line-height: 1.75; }
.kz-rule .formula { font-family: var(--font-mono); font-size: 0.92rem; white-space: pre-wrap; margin: 0; }
.kz-rule .good, .kz-rule .bad { font-weight: 650; }
.kz-rule .good { color: var(--kz-good); } .kz-rule .bad { color: var(--kz-class1); }
.kz-rule p { margin: 0; }
/* As high as its longest words: else the page below would jump at each point. */
@media (max-width: 640px) { .kz-rule { min-height: 12.2rem; } .kz-rule .formula { font-size: 0.8rem; } }
"""


def rule_html(run: Run) -> str:
    """The latest step as numbers in the rule's own terms."""
    w1, w2, b = weights_of(run.model)
    now = f"w = ({w1:.2f}, {w2:.2f})   b = {b:.2f}"
    if run.last is None:
        lines = [
            "z = w \u00b7 x + b      answer: class 1 if z > 0, else class 0",
            "w \u2190 w + (class \u2212 answer) \u00b7 x",
            "b \u2190 b + (class \u2212 answer)",
            now,
        ]
        title = "<p>The whole rule. Press Step to see it at work on one point.</p>"
    else:
        last = run.last
        x, kind = run.x[last.index], int(run.y[last.index])
        z = float(scores(last.before, x[None])[0])
        answer = 1 - kind if last.mistake else kind
        shape = "square" if kind else "circle"
        mark = '<span class="bad">wrong</span>' if last.mistake else '<span class="good">right</span>'
        place = f"({x[0]:.2f}, {x[1]:.2f})"
        title = f"<p>Point {last.index + 1} at {place}, a {shape} of class {kind}: answered {answer}, {mark}.</p>"
        lines = [f"z = w \u00b7 x + b = {z:.2f}   \u2192   answer {answer}"]
        if last.mistake:
            sign = "+" if kind else "\u2212"
            lines += [
                f"w \u2190 w {sign} x = ({last.before[0]:.2f}, {last.before[1]:.2f}) {sign} ({x[0]:.2f}, {x[1]:.2f})",
                f"b \u2190 b {sign} 1",
                now,
            ]
        else:
            lines += ["nothing changes", " ", now]
    return f'<div class="kz-rule" aria-live="off">{title}<p class="formula">{"<br>".join(lines)}</p></div>'


def curve_svg(run: Run) -> str:
    """Mistakes by epoch."""
    return drawing.bars(
        run.mistakes,
        name="mistakes",
        label=f"Mistakes in each epoch: {run.mistakes[-20:]}",
        empty=drawing.NO_CURVE if run.preset else drawing.NOTHING_YET,
    )


def digits_html() -> str:
    """The weights of the ten units of the shipped perceptron on digits, as pictures; "" where it does not ship."""
    model = kit.preset("perceptron_digits")
    if model is None:
        return ""
    kernel = model.get_layer("units").get_weights()[0]
    rows, columns = model.input_shape[1:3]
    strongest = np.abs(kernel).max()
    tiles = []
    for digit in range(kernel.shape[1]):
        image = drawing.picture(kernel[:, digit].reshape(rows, columns)[::-1] / strongest * 1.6, 0.95)
        tiles.append(
            f'<figure><img src="{image}" alt="weights of the unit for {digit}">'
            f"<figcaption>{digit}</figcaption></figure>"
        )
    return f'<div class="kz-digits">{"".join(tiles)}</div>'


DIGITS_CSS = """
.kz-digits { display: grid; grid-template-columns: repeat(10, 1fr); gap: 8px; }
.kz-digits figure { margin: 0; text-align: center; color: var(--kz-quiet); }
.kz-digits img { width: 100%; image-rendering: pixelated; border: 1px solid var(--border-color-primary);
  border-radius: 6px; background: var(--kz-paper); margin: 0; }
@media (max-width: 640px) { .kz-digits { grid-template-columns: repeat(5, 1fr); } }
"""


def code(settings: Settings, steps: int, preset: str | None = None) -> str:
    """Lines that reproduce what is on screen, runnable as pasted. They end with the weights `w`, `b`."""
    head = "import kzoo  # first: it chooses the backend that Keras runs on\n"
    tail = """
kernel, bias = model.get_layer("units").get_weights()
w, b = kernel[:, 0], bias[0]
wrong = (x @ w + b > 0) != (y == 1)
print("w =", w, " b =", b, " wrong:", wrong.sum(), "of", len(x))
"""
    if preset:
        return f"""{head}
data = kzoo.load_data("{settings.data}")
x, y = data.x_train[:{settings.samples}], data.y_train[:{settings.samples}]
model = kzoo.from_preset("{preset}")
{tail}"""
    numpy = settings.data in ("own", "clouds")
    if settings.data == "own":
        data = points.as_code(settings.points)
    elif settings.data == "clouds":
        data = f"""y = np.arange({settings.samples}) % 2
centres = np.array([[-0.8, 0.5], [0.8, -0.5]])[y]
x = centres + {settings.noise!r} * np.random.default_rng({settings.seed}).standard_normal(({settings.samples}, 2))
x, y = x.astype("float32"), y.astype("int32")
"""
    else:
        data = f"""data = kzoo.load_data("{settings.data}", samples={settings.samples}, noise={settings.noise!r}, \
seed={settings.seed}, validation_fraction=0)
x, y = data.x_train, data.y_train
"""
    return f"""{head}import keras
{"import numpy as np" + chr(10) if numpy else ""}from kzoo.data import epoch_order

{data}
model = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2)  # its weights start at zero
# One point at a time at rate 1: the gradient of the perceptron's loss is Rosenblatt's correction.
model.compile(keras.optimizers.SGD(1.0), model.training_loss())
for step in range({steps}):
    epoch, position = divmod(step, len(x))
    i = epoch_order(len(x), {settings.seed}, epoch)[position]
    model.train_on_batch(x[i : i + 1], y[i : i + 1])
{tail}"""


# --- the page ------------------------------------------------------------------------------------------------------

PLAY_NOTE = "Press Play to watch one learn from scratch."


def frame(run: Run, note: str = "") -> tuple[str, str, str, str, str]:
    """Status, plane, rule, curve and verdict of a run as markup."""
    return (
        status_html(run, note),
        plane_svg(run),
        rule_html(run),
        curve_svg(run),
        kit.caption_html(verdict(run)),
    )


def opening() -> Run:
    """What a visitor sees first: a trained preset, or, where none ships, an untrained perceptron."""
    return from_preset("perceptron_moons") or start(Settings())


PLAYER = player.Player(
    "perceptron",
    "steps",
    Settings,
    check,
    start,
    advance,
    frame,
    lambda run: code(run.settings, run.count, run.preset),
    most=MOST_STEPS,
    from_preset=from_preset,
    obstacle=lambda run: points.obstacle(run.y),
    finished=lambda run: "Done." if run.done else None,
    # Another data set comes with the noise that suits it.
    adjust={"data": lambda settings: dataclasses.replace(settings, noise=NOISE[settings.data])},
    hint="Press Play or Step.",
    stepped="One point more.",
    per_play=MOST_PLAYED,
)


def train_client(
    data: str = "clouds", noise: float = 0.3, samples: int = 80, seed: int = 0, points: str = "", steps: int = 400
) -> dict:
    """Shows a perceptron up to 2,000 points and gives its weights, its mistakes and the code that gives the same."""
    settings = check((data, noise, samples, seed, points))
    run = PLAYER.trained(settings, validate.number("steps", steps, 0, 2000, whole=True))
    w1, w2, b = weights_of(run.model)
    return {
        "steps": run.count,
        "w": [w1, w2],
        "b": b,
        "mistakes_by_epoch": run.mistakes,
        "wrong": int(wrong(run).sum()),
        "code": code(settings, run.count),
    }


def build() -> gr.Blocks:
    """The page."""
    first = opening()
    now = first.settings

    with kit.blocks(TITLE) as demo:
        kit.heading(
            TITLE, "Rosenblatt's rule of 1958, mistake by mistake: the line that learns, and XOR, where it never ends."
        )
        page = live.Page(PLAYER, first, PLAY_NOTE)
        with gr.Row():
            with gr.Column(scale=5, min_width=300, elem_classes="kz-tight"):
                surface = gr.HTML(
                    page.pictures[0], css_template=drawing.CSS, js_on_load=drawing.CLICK, elem_id="perceptron-plane"
                )
                kit.caption(
                    "Circles are class 0, squares class 1; the colour is the perceptron's answer, a ring marks a wrong "
                    "one. The weight vector w stands on the line and points to the orange side. Green ring: the point "
                    "just shown; dashed: the line before it."
                )
                own = points.OwnPoints(now.points)
            with gr.Column(scale=5, min_width=300, elem_classes="kz-tight"):
                rule = gr.HTML(page.pictures[1], css_template=RULE_CSS, elem_id="perceptron-rule")
                curve = gr.HTML(page.pictures[2], css_template=drawing.CSS, elem_id="perceptron-curve")
                comment = gr.HTML(page.pictures[3], elem_id="perceptron-verdict")
                with gr.Group():
                    data = gr.Radio(list(DATA.items()), value=now.data, label="Data")
                    with gr.Row():
                        noise = gr.Slider(
                            0, 0.6, now.noise, step=0.01, label="Noise (\u03c3, plane units)", buttons=[], min_width=200
                        )
                        samples = gr.Slider(
                            20, 200, now.samples, step=20, label="Points (how many)", buttons=[], min_width=200
                        )
                    with gr.Row():
                        speed = gr.Slider(1, 50, 5, step=1, label="Speed (points a picture)", buttons=[], min_width=200)
                        seed = gr.Number(
                            now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999, min_width=200
                        )
        digits = digits_html()
        if digits:
            gr.HTML(digits, css_template=DIGITS_CSS)
            kit.caption(
                "Ten such units read digits of 8 x 8 pixels, one unit a digit (preset perceptron_digits). Orange: ink "
                "here speaks for the digit; blue: against it."
            )
        controls = {"data": data, "noise": noise, "samples": samples, "seed": seed, "points": own.text}
        page.connect(
            demo,
            [surface, rule, curve, comment],
            controls,
            speed,
            presets={"perceptron_moons": "moons", "perceptron_xor": "XOR"},
        )
        own.connect(page, surface, data)
        gr.api(kit.in_float32(train_client), api_name="train_perceptron", **live.TRAIN)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
