"""The VAE with a code of two numbers, trained live on small digits: the plane of its codes can be seen whole."""

import dataclasses
import functools
import math
from dataclasses import dataclass, field

import kit
import live
import numpy as np
import player
import vae_markup as markup
import validate

import kzoo
from kzoo.data import epoch_order

PRESET = "vae_digits"
BETAS = ("0", "0.1", "0.3", "1", "2", "4")
RATES = ("0.0005", "0.001", "0.002", "0.005", "0.01")
HIDDEN = (128, 64)
BATCH = 48
MOST_EPOCHS = 300
REACH = 3.0  # of the plane, in standard deviations of the prior: 99.5 % of its codes
CELLS = 11  # codes that are decoded along each side of the plane
# Their middles, so that the cells fill the plane.
STEPS = REACH * (2 * np.arange(CELLS) + 1 - CELLS) / CELLS


@dataclass(frozen=True)
class Settings:
    """All that a model depends on, but for the epochs of training.

    Attributes:
        beta: Weight of the divergence, one of BETAS.
        rate: Learning rate, one of RATES.
        seed: Decides initial weights, noise and order.
    """

    beta: str = "1"
    rate: str = "0.002"
    seed: int = 0


@dataclass(frozen=True)
class View:
    """The code that is looked at, each number in [-REACH, REACH]."""

    first: float = 1.0
    second: float = -1.0


@dataclass
class Look:
    """What the pictures are made from, after so many epochs.

    Attributes:
        count: The epochs.
        codes: (n, 2) means of the codes of the test digits.
        sheet: (CELLS * CELLS, 8, 8) what the decoder makes of the plane, row by row from the top.
        figures: Of `VAE.measure` on the test digits: nelbo, reconstruction, kl, in nats an image.
        decoder: The decoder's weights, so that a code can be decoded while the model learns on.
    """

    count: int
    codes: np.ndarray
    sheet: np.ndarray
    figures: dict
    decoder: list


@dataclass
class Run(player.Run):
    """A model, what was last seen of it, and its figures by epoch."""

    look: Look | None = field(default=None, kw_only=True)
    epochs: list = field(default_factory=list, kw_only=True)
    reconstruction: list = field(default_factory=list, kw_only=True)
    kl: list = field(default_factory=list, kw_only=True)


def check(values) -> Settings:
    """The settings from what a page or a client sent.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    beta, rate, seed = values
    return Settings(
        validate.choice("beta", beta, BETAS),
        validate.choice("rate", rate, RATES),
        validate.number("seed", seed, 0, 9999, whole=True),
    )


def check_view(values) -> View:
    """The code from the values of its two controls.

    Raises:
        gr.Error: as above.
    """
    first, second = values
    return View(validate.number("first", first, -REACH, REACH), validate.number("second", second, -REACH, REACH))


@functools.cache
def digits():
    """The bundled digits, 8 x 8: 1,438 to learn from and 359 to test."""
    return kzoo.load_data("digits", validation_fraction=0)


def make_model(settings: Settings):
    """An untrained model."""
    return kzoo.create_model(
        "vae", seed=settings.seed, input_shape=(8, 8, 1), latent_dim=2, hidden_dims=HIDDEN, activation="gelu",
        beta=float(settings.beta),
    )  # fmt: skip


def start(settings: Settings) -> Run:
    """An untrained model, ready to learn."""
    import keras

    model = make_model(settings)
    model.compile(keras.optimizers.Adam(float(settings.rate)))
    return Run(settings, None, model)


def from_preset(name: str = PRESET) -> Run | None:
    """The shipped model; None where it does not ship."""
    model = kit.preset(name)
    return None if model is None else Run(Settings(), name, model)


def advance(run: Run) -> None:
    """One epoch, in batches of one size: another would be compiled anew."""
    x = digits().x_train
    order = epoch_order(len(x), run.settings.seed, run.count)
    for first in range(0, len(x) - BATCH + 1, BATCH):
        run.model.train_on_batch(x[order[first : first + BATCH]])


def finished(run: Run) -> str | None:
    """Why training has come to an end by itself: the bound is no number."""
    if run.look is not None and not math.isfinite(run.look.figures["nelbo"]):
        return "The bound is no number any more: the learning rate is too large. Choose a smaller one."
    return None


# --- what is seen --------------------------------------------------------------------------------------------------


@functools.cache
def _viewer():
    """One model whose encoder and decoder are compiled once; it takes on the weights of whichever run is looked at."""
    return make_model(Settings())


def plane_codes() -> np.ndarray:
    """The codes (CELLS * CELLS, 2) of the plane's cells, row by row from the top."""
    across, up = np.meshgrid(STEPS, STEPS[::-1])
    return np.stack([across, up], axis=-1).reshape(-1, 2).astype("float32")


def look(run: Run) -> Look:
    """Codes, plane and figures of a run as it is now; the figures are noted on the way."""
    if run.look is None or run.look.count != run.count:
        data = digits()
        encoder, decoder = run.model.encoder.get_weights(), run.model.decoder.get_weights()
        with kit.alone(_viewer()) as viewer:
            viewer.encoder.set_weights(encoder)
            viewer.decoder.set_weights(decoder)
            codes = viewer.encode(data.x_test)[0]
            sheet = viewer.decode(plane_codes())[..., 0]
            figures = viewer.measure(data.x_test)
        run.look = Look(run.count, codes, sheet, figures, decoder)
        if not run.preset:
            run.epochs.append(run.count)
            run.reconstruction.append(figures["reconstruction"])
            run.kl.append(figures["kl"])
    return run.look


def view_of(run: Run) -> View:
    """Its view, or the first one."""
    return run.view or View()


def decoded(seen: Look, view: View) -> np.ndarray:
    """What the decoder that was looked at makes of a code, (8, 8)."""
    with kit.alone(_viewer()) as viewer:
        viewer.decoder.set_weights(seen.decoder)
        # As many codes at a time as of the plane: another number would be compiled anew.
        return viewer.decode(np.repeat([dataclasses.astuple(view)], 100, axis=0))[0, ..., 0]


def nearest(codes, view: View) -> tuple[int, float]:
    """Which of the codes (n, 2) is the nearest, and how far it is."""
    distances = np.hypot(*(np.nan_to_num(codes, nan=1e9) - dataclasses.astuple(view)).T)
    return int(np.argmin(distances)), float(distances.min())


def here(seen: Look, view: View) -> str:
    """A code, decoded, and the test digit whose code is nearest to it, as markup."""
    data = digits()
    index, distance = nearest(seen.codes, view)
    place, image = dataclasses.astuple(view), data.x_test[index, ..., 0]
    return markup.here_html(decoded(seen, view), place, image, int(data.y_test[index]), distance)


def frame(run: Run, note: str = "") -> tuple[str, ...]:
    """Status, both planes, the code that is looked at, and the costs of a run as markup."""
    seen, view = look(run), view_of(run)
    figures = seen.figures
    cells = [("trained preset", run.preset) if run.preset else ("epochs", run.count)]
    for name, key in (
        ("nats a test digit, of which", "nelbo"),
        ("for its pixels (reconstruction)", "reconstruction"),
        ("for its code (KL)", "kl"),
    ):
        cells.append((name, _nats(figures[key])))
    return (
        live.status(cells, finished(run) or note),
        markup.planes_html(seen.codes, digits().y_test, seen.sheet, CELLS, dataclasses.astuple(view), REACH),
        here(seen, view),
        markup.costs_svg(run.epochs, run.reconstruction, run.kl, trained=run.preset is not None),
    )


def _nats(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 1e6 else f"{value:.1e}"


def code(run: Run) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `codes`, `plane`, `image` and `figures`."""
    settings, view = run.settings, view_of(run)
    if run.preset:
        made = f"""import numpy as np

data = kzoo.load_data("digits", validation_fraction=0)
model = kzoo.from_preset("{run.preset}")
"""
    else:
        made = f"""import keras
import numpy as np
from kzoo.data import epoch_order

data = kzoo.load_data("digits", validation_fraction=0)
model = kzoo.create_model(
    "vae", seed={settings.seed}, input_shape=(8, 8, 1), latent_dim=2, hidden_dims={list(HIDDEN)}, activation="gelu", \
beta={float(settings.beta)}
)
model.compile(keras.optimizers.Adam({settings.rate}))
for epoch in range({run.count}):
    order = epoch_order(len(data.x_train), {settings.seed}, epoch)
    for first in range(0, len(order) - {BATCH - 1}, {BATCH}):
        model.train_on_batch(data.x_train[order[first : first + {BATCH}]])
"""
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
{made}
figures = model.measure(data.x_test)
print("nats a test digit:", figures)

# Where the encoder puts the test digits, and what the decoder makes of the plane, from the top left
codes, logvars = model.encode(data.x_test)
steps = {REACH:g} * (2 * np.arange({CELLS}) + 1 - {CELLS}) / {CELLS}
across, up = np.meshgrid(steps, steps[::-1])
plane = model.decode(np.stack([across, up], axis=-1).reshape(-1, 2))[..., 0]

# The code under the ring
image = model.decode([[{view.first:g}, {view.second:g}]])[0, :, :, 0]
print(np.round(image, 1))
"""


PLAYER = player.Player(
    "vae",
    "epochs",
    Settings,
    check,
    start,
    advance,
    frame,
    code,
    most=MOST_EPOCHS,
    from_preset=from_preset,
    finished=finished,
    look=check_view,
    hint="Press Play to see the codes spread out.",
    stepped="One epoch more.",
    seconds=90,
)


def opening() -> Run:
    """What a visitor sees first: the shipped preset; where it is missing, an untrained model."""
    return from_preset() or start(Settings())


def train_client(beta: str = "1", rate: str = "0.002", seed: int = 0, epochs: int = 10) -> dict:
    """Trains a model with a code of two numbers for up to 100 epochs; its figures in nats a test digit, and the code
    that gives the same."""
    settings = check((beta, rate, seed))
    run = PLAYER.trained(settings, validate.number("epochs", epochs, 0, 100, whole=True))
    with kit.alone(run.model):
        figures = look(run).figures
    plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return {"epochs": run.count, **plain, "code": code(run)}
