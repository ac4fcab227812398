"""A multilayer perceptron learns to tell two classes of points apart, and every unit shows what it has learnt.

    python demos/mlp_app.py

Left the network: each unit is a small picture of its own answer over the plane, each line a weight. Right the answer
of the whole. Choose data or place points, press Play, and watch. Training runs through `kzoo.create_model` and Keras.
"""

import dataclasses
import math
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
from kzoo.data import epoch_order, standard_stats

TITLE = "Multilayer perceptron"
SUMMARY = "Watch a small network bend the plane, unit by unit"
PRESETS = ("mlp_spirals", "mlp_moons")

DATA = {"two spirals": "spirals", "two moons": "moons", "XOR": "xor", "own points": "own"}
NOISE = {"spirals": 0.05, "moons": 0.1, "xor": 0.25, "own": 0.0}  # what kzoo.load_data takes by itself
SAMPLES = 400
ACTIVATIONS = ("tanh", "relu", "sigmoid", "gelu", "silu", "leaky_relu", "linear")
RATES = ("0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1")
DECAYS = ("0", "0.01", "0.03", "0.1", "0.3", "1")
OPTIMIZERS = {"Adam": "Adam", "SGD": "SGD"}
BATCHES = ("8", "16", "32", "64")

MOST_EPOCHS = 2000  # of one network

# A ring about a spot: no straight line parts them, two hidden units do not either, three do.
OWN_POINTS = "\n".join(
    [f"{0.2 * math.cos(a):.2f}, {0.2 * math.sin(a):.2f}, 1" for a in np.arange(5) * 2 * math.pi / 5]
    + [f"{0.75 * math.cos(a):.2f}, {0.75 * math.sin(a):.2f}, 0" for a in np.arange(10) * 2 * math.pi / 10]
)


@dataclass(frozen=True)
class Settings:
    """All that a picture on the page depends on, but for the number of epochs.

    Attributes:
        data: A value of DATA.
        noise: Standard deviation of the points' noise, in the units of the plane.
        share: Per cent of the points that the network is trained on; the rest tests it.
        seed: Decides points, initial weights, order and dropout.
        depth: Hidden layers.
        width: Units in each.
        activation: One of ACTIVATIONS.
        optimizer: A value of OPTIMIZERS.
        rate: Learning rate.
        decay: Weight decay (L2): each step shrinks a weight by rate * decay of itself.
        dropout: Share of the hidden activations dropped in training.
        batch: Points in a step.
        points: Lines "x, y, class" of a visitor's own points.
    """

    data: str = "spirals"
    noise: float = 0.05
    share: int = 50
    seed: int = 0
    depth: int = 3
    width: int = 8
    activation: str = "tanh"
    optimizer: str = "Adam"
    rate: str = "0.01"
    decay: str = "0"
    dropout: float = 0.0
    batch: str = "16"
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
        noise=validate.number("noise", given["noise"], 0, 0.5),
        share=validate.number("share", given["share"], 10, 90, whole=True),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
        depth=validate.number("depth", given["depth"], 0, 4, whole=True),
        width=validate.number("width", given["width"], 1, 32, whole=True),
        activation=validate.choice("activation", given["activation"], ACTIVATIONS),
        optimizer=validate.choice("optimizer", given["optimizer"], OPTIMIZERS.values()),
        rate=validate.choice("rate", given["rate"], RATES),
        decay=validate.choice("decay", given["decay"], DECAYS),
        dropout=validate.number("dropout", given["dropout"], 0, 0.5),
        batch=validate.choice("batch", given["batch"], BATCHES),
        points=validate.text("points", given["points"], points.LONGEST),
    )
    if settings.data == "own":
        points.read(settings.points)
    return settings


def dataset(settings: Settings):
    """x_train, y_train, x_test, y_test; one's own points are all for training, and the test part is then empty."""
    if settings.data == "own":
        x, y = points.read(settings.points)
        return x, y, x[:0], y[:0]
    data = kzoo.load_data(
        settings.data, samples=SAMPLES, noise=settings.noise, seed=settings.seed, validation_fraction=0
    )
    n = SAMPLES * settings.share // 100
    return data.x_train[:n], data.y_train[:n], data.x_train[n:], data.y_train[n:]


# --- a network and its training ------------------------------------------------------------------------------------


@dataclass
class Run(player.Run):
    """One network in training, its steps epochs, and what has been measured of it.

    Attributes:
        parts: x_train, y_train, x_test, y_test.
        low, high: Corners of the plane.
        epochs, train, test: The loss by epoch, in nats, at each picture.
    """

    parts: tuple
    low: tuple
    high: tuple
    epochs: list = field(default_factory=list)
    train: list = field(default_factory=list)
    test: list = field(default_factory=list)


def make_model(settings: Settings, x):
    """The untrained Keras model of the settings, compiled; its first layer standardises by the points `x` (n, 2).

    Without it the spirals, half a unit wide, take ten times as long to learn, if they are learnt at all.
    """
    import keras

    statistics = [part.tolist() for part in standard_stats(x)] if len(x) else None
    model = kzoo.create_model(
        "mlp",
        seed=settings.seed,
        input_shape=(2,),
        num_classes=2,
        hidden_dims=[settings.width] * settings.depth,
        activation=settings.activation,
        dropout=settings.dropout,
        statistics=statistics,
    )
    optimizer = getattr(keras.optimizers, settings.optimizer)(
        float(settings.rate), weight_decay=float(settings.decay) or None
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, model.training_loss())
    return model


def start(settings: Settings) -> Run:
    """An untrained network on its data."""
    parts = dataset(settings)
    corners = ((-1.0, -1.0), (1.0, 1.0)) if settings.data == "own" else drawing.square(np.concatenate(parts[::2]))
    return Run(settings, None, make_model(settings, parts[0]), parts, *corners)


def from_preset(name: str) -> Run | None:
    """A shipped network, trained, on the data that it was trained on; None where it does not ship."""
    model = kit.preset(name)
    if model is None:
        return None
    task = name.removeprefix("mlp_")
    data = kzoo.load_data(task)
    # Small enough to be drawn, and the same on every page.
    parts = data.x_train[:200], data.y_train[:200], data.x_test[:200], data.y_test[:200]
    widths = model.hidden_dims
    settings = Settings(
        data=task,
        noise=NOISE[task],
        depth=len(widths),
        width=widths[0] if widths else 8,
        activation=model.activation,
        dropout=float(model.dropout),
    )
    return Run(settings, name, model, parts, *drawing.square(np.concatenate(parts[::2])))


def advance(run: Run) -> None:
    """One epoch: every batch of one size, since another size would be compiled anew; what is left over waits."""
    x, y = run.parts[:2]
    batch = min(int(run.settings.batch), len(x))
    order = epoch_order(len(x), run.settings.seed, run.count)
    for first in range(0, len(x) - batch + 1, batch):
        rows = order[first : first + batch]
        run.model.train_on_batch(x[rows], y[rows])


def finished(run: Run) -> str | None:
    """Why training has come to an end by itself: the loss of the latest picture is no number."""
    return NAN_NOTE if run.train and math.isnan(run.train[-1]) and len(run.parts[1]) else None


# --- what is seen --------------------------------------------------------------------------------------------------


@dataclass
class Look:
    """What a picture is drawn from, as arrays.

    Attributes:
        score: (GRID, GRID) logit of class 1 minus logit of class 0.
        layers: Inputs, hidden layers, output: (TILE, TILE, units) in [-1, 1]; at most MOST_UNITS a layer.
        weights: Between neighbours of these.
        biases: Of each after the inputs.
        total: How many units each layer has.
        wrong: For the training and the test part, (n,) of bool.
        loss: Mean cross-entropy of both parts in nats; NaN for an empty one.
        accuracy: Share of right answers of both parts; NaN for an empty one.
    """

    score: np.ndarray
    layers: list
    weights: list
    biases: list
    total: list
    wrong: list
    loss: list
    accuracy: list


def look(run: Run) -> Look:
    """Asks the model for all that the page shows, in one forward pass."""
    plane = drawing.grid(run.low, run.high)
    x_train, y_train, x_test, y_test = run.parts
    found = run.model.activations(np.concatenate([plane, x_train, x_test]))
    depth = len(run.model.hidden_dims)
    dense = [run.model.get_layer(f"dense_{i}").get_weights() for i in range(1, depth + 1)]
    dense.append(run.model.get_layer("logits").get_weights())
    hidden = [found[f"{run.model.activation}_{i}"] for i in range(1, depth + 1)]
    logits = np.asarray(found["logits"], dtype=np.float64)
    score = logits[:, 1] - logits[:, 0]

    wrong, loss, accuracy = [], [], []
    for first, y in ((len(plane), y_train), (len(plane) + len(x_train), y_test)):
        margin = np.where(y == 1, 1, -1) * score[first : first + len(y)]
        # On a tie Keras's argmax answers class 0; what is no number is right nowhere.
        wrong.append(~((margin > 0) | ((margin == 0) & (y == 0))))
        # Cross-entropy of two logits is softplus of minus their margin.
        with np.errstate(invalid="ignore"):  # a loss of nan has its own note
            loss.append(float(np.mean(np.logaddexp(0, -margin))) if len(y) else math.nan)
        accuracy.append(float(1 - wrong[-1].mean()) if len(y) else math.nan)

    # The two logits matter only by their difference, so that the drawing has one output.
    weights, biases = [w for w, _ in dense], [b for _, b in dense]
    weights[-1], biases[-1] = weights[-1][:, 1:] - weights[-1][:, :1], biases[-1][1:] - biases[-1][:1]
    layers = [plane, *(values[: len(plane)] for values in hidden), np.tanh(score[: len(plane), None] / 2)]
    total = [layer.shape[-1] for layer in layers]
    for i in range(1, len(layers) - 1):  # of a wide layer, the units that speak the loudest to the next
        if total[i] > drawing.MOST_UNITS:
            voice = np.abs(layers[i]).mean(axis=0) * np.abs(weights[i]).sum(axis=1)
            kept = np.sort(np.argsort(-voice)[: drawing.MOST_UNITS])
            layers[i], biases[i - 1] = layers[i][:, kept], biases[i - 1][kept]
            weights[i - 1], weights[i] = weights[i - 1][:, kept], weights[i][kept]
    return Look(
        score[: len(plane)].reshape(drawing.GRID, drawing.GRID),
        [_tiles(layer) for layer in layers],
        weights,
        biases,
        total,
        wrong,
        loss,
        accuracy,
    )


def _tiles(values) -> np.ndarray:
    """Answers over the plane (GRID * GRID, units) as small pictures (TILE, TILE, units), each scaled to [-1, 1]."""
    step = drawing.GRID // drawing.TILE
    values = np.asarray(values, dtype=np.float64).reshape(drawing.GRID, drawing.GRID, -1)
    values = values[step // 2 :: step, step // 2 :: step]
    return values / np.maximum(np.abs(values).max(axis=(0, 1)), 1e-9)


def network_svg(run: Run, seen: Look) -> str:
    """The network's picture."""
    shape = " - ".join(map(str, seen.total))
    return drawing.network(
        seen.layers, seen.weights, seen.biases, total=seen.total, label=f"The network, {shape} units, with its weights"
    )


def plane_svg(run: Run, seen: Look) -> str:
    """The picture of the plane, coloured by the whole network's answer."""
    x_train, y_train, x_test, y_test = run.parts
    # Rings about half of the points would hide the picture and tell nothing.
    rings = [wrong if wrong.sum() <= 0.2 * len(wrong) else np.zeros_like(wrong) for wrong in seen.wrong]
    return drawing.plane(
        np.tanh(seen.score / 2),  # p(class 1) - p(class 0)
        run.low,
        run.high,
        [(x_test, y_test, rings[1], "test"), (x_train, y_train, rings[0], "train")],
        border=seen.score,
        label=f"The plane: {status_text(run, seen)}",
        clickable=run.settings.data == "own",
    )


def curves_svg(run: Run) -> str:
    """The picture of both losses."""
    test = run.test if len(run.parts[3]) else None
    return drawing.curves(
        run.epochs,
        run.train,
        test,
        name="cross-entropy",
        unit="nats",
        label="Training and test loss by epoch",
        empty=drawing.NO_CURVE if run.preset else drawing.NOTHING_YET,
    )


def status_text(run: Run, seen: Look) -> str:
    """One line on where the run stands."""
    where = f"trained preset {run.preset}" if run.preset else f"epoch {run.count}"
    parts = [where, f"{100 * seen.accuracy[0]:.1f} % of the training points right"] if len(run.parts[1]) else [where]
    if len(run.parts[3]):
        parts.append(f"{100 * seen.accuracy[1]:.1f} % of the test points right")
    return ", ".join(parts)


def status_html(run: Run, seen: Look, note: str = "") -> str:
    """The line above the pictures."""
    cells = [("trained preset", run.preset) if run.preset else ("epochs", run.count)]
    for name, accuracy, size in zip(
        ("training points", "test points"), seen.accuracy, map(len, run.parts[1::2]), strict=True
    ):
        if size:
            cells.append((f"{name} right", f"{100 * accuracy:.1f} %"))
    return live.status(cells, note)


def code(settings: Settings, epochs: int, preset: str | None = None) -> str:
    """Lines that reproduce what is on screen, runnable as pasted.

    They end with `score`, a function from points (n, 2) to the number whose sign is the answer.
    """
    head = "import kzoo  # first: it chooses the backend that Keras runs on\n"
    if preset:
        body = f'''
data = kzoo.load_data("{settings.data}")
x_train, y_train, x_test, y_test = data.x_train[:200], data.y_train[:200], data.x_test[:200], data.y_test[:200]
model = kzoo.from_preset("{preset}")
'''
        return head + "import numpy as np\n" + body + _CODE_END
    if settings.data == "own":
        data = f"""{points.as_code(settings.points, ("x_train", "y_train"))}\
x_test, y_test = x_train, y_train  # one's own points have no test part
"""
    else:
        n = SAMPLES * settings.share // 100
        data = f"""data = kzoo.load_data("{settings.data}", samples={SAMPLES}, noise={settings.noise!r}, \
seed={settings.seed}, validation_fraction=0)
x_train, y_train = data.x_train[:{n}], data.y_train[:{n}]
x_test, y_test = data.x_train[{n}:], data.y_train[{n}:]
"""
    decay = f", weight_decay={settings.decay}" if float(settings.decay) else ""
    free = '\noptimizer.exclude_from_weight_decay(var_names=["bias"])' if decay else ""
    dropout = f", dropout={settings.dropout!r}" if settings.dropout else ""
    return (
        f"""{head}import keras
import numpy as np
from kzoo.data import epoch_order, standard_stats

{data}
model = kzoo.create_model(
    "mlp", seed={settings.seed}, input_shape=(2,), num_classes=2, hidden_dims={[settings.width] * settings.depth}, \
activation="{settings.activation}"{dropout},
    statistics=[part.tolist() for part in standard_stats(x_train)],
)
optimizer = keras.optimizers.{settings.optimizer}({settings.rate}{decay}){free}
model.compile(optimizer, model.training_loss())

batch = min({settings.batch}, len(x_train))
for epoch in range({epochs}):
    order = epoch_order(len(x_train), {settings.seed}, epoch)
    for first in range(0, len(x_train) - batch + 1, batch):
        rows = order[first : first + batch]
        model.train_on_batch(x_train[rows], y_train[rows])
"""
        + _CODE_END
    )


_CODE_END = """

def score(points):
    \"\"\"Above 0 the answer is class 1; this is what colours the plane.\"\"\"
    logits = model.predict(points, verbose=0)
    return logits[:, 1] - logits[:, 0]


for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
    print(name, "accuracy", np.mean((score(x) > 0) == y))
"""


# --- the page ------------------------------------------------------------------------------------------------------

PLAY_NOTE = "Press Play to watch one learn from scratch."
NAN_NOTE = "The loss is no number any more: the learning rate is too large. Choose a smaller one."


def frame(run: Run, note: str = "") -> tuple[str, str, str, str]:
    """Status, network, plane and curves of a run as markup; the losses are noted on the way."""
    seen = look(run)
    if not run.preset and (not run.epochs or run.epochs[-1] != run.count):
        run.epochs.append(run.count)
        run.train.append(seen.loss[0])
        run.test.append(seen.loss[1])
    note = finished(run) or note
    return status_html(run, seen, note), network_svg(run, seen), plane_svg(run, seen), curves_svg(run)


def opening() -> Run:
    """What a visitor sees first: the first preset that knows its task; where there is none, an untrained network."""
    for name in PRESETS:
        run = from_preset(name)
        if run is not None and look(run).accuracy[1] > 0.9:
            return run
    return start(Settings())


PLAYER = player.Player(
    "mlp",
    "epochs",
    Settings,
    check,
    start,
    advance,
    frame,
    lambda run: code(run.settings, run.count, run.preset),
    most=MOST_EPOCHS,
    from_preset=from_preset,
    obstacle=lambda run: points.obstacle(run.parts[1]),
    finished=finished,
    # Another data set comes with the noise that suits it.
    adjust={"data": lambda settings: dataclasses.replace(settings, noise=NOISE[settings.data])},
    stepped="One epoch more.",
    seconds=90,
)


def train_client(
    data: str = "spirals",
    noise: float = 0.05,
    share: int = 50,
    seed: int = 0,
    depth: int = 3,
    width: int = 8,
    activation: str = "tanh",
    optimizer: str = "Adam",
    rate: str = "0.01",
    decay: str = "0",
    dropout: float = 0.0,
    batch: str = "16",
    points: str = "",
    epochs: int = 20,
) -> dict:
    """Trains a network for up to 200 epochs and gives its figures and the code that gives the same."""
    settings = check(
        (data, noise, share, seed, depth, width, activation, optimizer, rate, decay, dropout, batch, points)
    )
    run = PLAYER.trained(settings, validate.number("epochs", epochs, 0, 200, whole=True))
    seen = look(run)
    plain = [value if math.isfinite(value) else None for value in (*seen.loss, *seen.accuracy)]
    names = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
    return {"epochs": run.count, **dict(zip(names, plain, strict=True)), "code": code(settings, run.count)}


def build() -> gr.Blocks:
    """The page."""
    first = opening()
    now = first.settings

    with kit.blocks(TITLE) as demo:
        kit.heading(TITLE, "Watch a small network bend the plane until it tells blue from orange. Press Play.")
        page = live.Page(PLAYER, first, PLAY_NOTE)
        with gr.Row():
            with gr.Column(scale=6, min_width=320, elem_classes="kz-tight"):
                net = gr.HTML(page.pictures[0], css_template=drawing.CSS, elem_id="mlp-network")
                kit.caption(
                    "Each tile: what one unit answers over the plane. Each line: a weight, thicker where it is "
                    "larger, orange above zero, blue below. Point at one to read it."
                )
                loss = gr.HTML(page.pictures[2], css_template=drawing.CSS, elem_id="mlp-curves")
                kit.caption(
                    "The loss on the points it learns from and on those it never sees. A gap between them: overfitting."
                )
            with gr.Column(scale=4, min_width=300, elem_classes="kz-tight kz-first"):
                surface = gr.HTML(
                    page.pictures[1], css_template=drawing.CSS, js_on_load=drawing.CLICK, elem_id="mlp-plane"
                )
                kit.caption(
                    "The network's answer: the deeper the colour, the surer. Circles are class 0, squares class 1; "
                    "filled to learn from, hollow to test. "
                    "The line is where the answer turns; a ring marks one of the last wrong points."
                )
                own = points.OwnPoints(now.points)
        with gr.Row():
            with gr.Column(min_width=280), gr.Group():
                data = gr.Radio(list(DATA.items()), value=now.data, label="Data")
                noise = gr.Slider(0, 0.5, now.noise, step=0.01, label="Noise (\u03c3, plane units)", buttons=[])
                share = gr.Slider(10, 90, now.share, step=10, label="Share to learn from (%)", buttons=[])
            with gr.Column(min_width=280), gr.Group():
                depth = gr.Slider(0, 4, now.depth, step=1, label="Hidden layers", buttons=[])
                width = gr.Slider(1, 32, now.width, step=1, label="Units in each layer", buttons=[])
                activation = gr.Dropdown(ACTIVATIONS, value=now.activation, label="Activation")
                dropout = gr.Slider(0, 0.5, now.dropout, step=0.05, label="Dropout (share of units)", buttons=[])
            with gr.Column(min_width=280), gr.Group():
                with gr.Row():
                    optimizer = gr.Dropdown(
                        list(OPTIMIZERS.items()), value=now.optimizer, label="Optimizer", min_width=120
                    )
                    rate = gr.Dropdown(RATES, value=now.rate, label="Learning rate (per step)", min_width=120)
                with gr.Row():
                    decay = gr.Dropdown(DECAYS, value=now.decay, label="Weight decay (L2)", min_width=120)
                    batch = gr.Dropdown(BATCHES, value=now.batch, label="Batch size (points)", min_width=120)
                speed = gr.Slider(1, 20, 3, step=1, label="Speed (epochs a picture)", buttons=[])
                seed = gr.Number(now.seed, label="Seed (0 to 9999)", precision=0, minimum=0, maximum=9999)
        controls = {
            "data": data, "noise": noise, "share": share, "seed": seed, "depth": depth, "width": width,
            "activation": activation, "optimizer": optimizer, "rate": rate, "decay": decay, "dropout": dropout,
            "batch": batch, "points": own.text,
        }  # fmt: skip
        page.connect(
            demo,
            [net, surface, loss],
            controls,
            speed,
            presets={name: name.removeprefix("mlp_") for name in PRESETS},
        )
        own.connect(page, surface, data)
        gr.api(kit.in_float32(train_client), api_name="train_mlp", **live.TRAIN)
    return demo


if __name__ == "__main__":
    kit.launch(build, TITLE)
