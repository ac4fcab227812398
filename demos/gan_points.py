"""A GAN of points in the plane, trained live: both players can be seen whole.

The real samples are points of a few clouds, the made ones are points too; the discriminator is a number at each place
of the plane, and its slope at the made points is all that the generator ever learns from.
"""

import dataclasses
import math
from dataclasses import dataclass, field

import drawing
import gan_markup as markup
import gradio as gr
import kit
import live
import numpy as np
import player
import validate

import kzoo

DATA = {"ring of 8 clouds": "ring", "one cloud": "one", "two moons": "moons", "a line": "line", "own clouds": "own"}
OBJECTIVES = {"non-saturating": "non_saturating", "hinge": "hinge", "Wasserstein": "wasserstein"}
PENALTIES = ("0", "0.01", "0.1", "0.3", "1", "10")
RATES = ("0.0005", "0.001", "0.002", "0.005", "0.01", "0.02")
REACH = 3.0  # of the plane
SAMPLES, MADE, PULLED = 512, 300, 60  # real points, made points that are drawn, and those of them with an arrow
BATCH = 128
MOST_STEPS = 5000
MOST_CLOUDS, LONGEST = 60, 2000  # of a visitor's own, and characters of their lines
NEAR = 3.0  # standard deviations within which a made point counts as one of a cloud
SHARE = 0.02  # of the made points, from which on a cloud counts as reached

OWN_CLOUDS = "-1.5, 0.8\n1.5, 0.8\n-0.8, -1.2\n0, -1.5\n0.8, -1.2"


@dataclass(frozen=True)
class Settings:
    """All that a picture of the game depends on, but for the steps.

    Attributes:
        data: A value of DATA.
        noise: Standard deviation of each cloud, in the units of the plane.
        objective: A value of OBJECTIVES.
        penalty: Weight of the penalty on the discriminator's gradients.
        d_rate, g_rate: Learning rates of both players.
        d_steps: How often the discriminator is trained in a step.
        seed: Decides initial weights, noise and batches.
        points: Lines "x, y", the middles of a visitor's own clouds.
    """

    data: str = "ring"
    noise: float = 0.1
    objective: str = "non_saturating"
    penalty: str = "0.1"
    d_rate: str = "0.002"
    g_rate: str = "0.002"
    d_steps: int = 1
    seed: int = 0
    points: str = OWN_CLOUDS


# The word on a button -> what it sets; the rest is as in Settings.
SCENES = {
    "Mode collapse: no penalty": {"penalty": "0"},
    "Its cure: the penalty": {},
    "Another: Wasserstein": {
        "objective": "wasserstein", "penalty": "0.1", "d_rate": "0.005", "g_rate": "0.002", "d_steps": 3,
    },
}  # fmt: skip

FIELDS = tuple(spec.name for spec in dataclasses.fields(Settings))


def check(values) -> Settings:
    """The settings from what a page or a client sent, in the order of FIELDS.

    Wasserstein's scores would grow without bound where there is no penalty: with that objective, 0 becomes 0.1.

    Raises:
        gr.Error: one line, for the first value that is not allowed.
    """
    given = dict(zip(FIELDS, values, strict=True))
    settings = Settings(
        data=validate.choice("data", given["data"], DATA.values()),
        noise=validate.number("noise", given["noise"], 0.02, 0.5),
        objective=validate.choice("objective", given["objective"], OBJECTIVES.values()),
        penalty=validate.choice("penalty", given["penalty"], PENALTIES),
        d_rate=validate.choice("d_rate", given["d_rate"], RATES),
        g_rate=validate.choice("g_rate", given["g_rate"], RATES),
        d_steps=validate.number("d_steps", given["d_steps"], 1, 5, whole=True),
        seed=validate.number("seed", given["seed"], 0, 9999, whole=True),
        points=validate.text("points", given["points"], LONGEST),
    )
    if settings.data == "own":
        middles(settings.points)
    if settings.objective == "wasserstein" and settings.penalty == "0":
        return dataclasses.replace(settings, penalty="0.1")
    return settings


def check_view(values) -> bool:
    """Whether arrows are drawn, from the page's one view control."""
    (arrows,) = values
    return validate.flag("arrows", arrows)


def middles(text: str) -> np.ndarray:
    """The middles of a visitor's clouds, (n, 2) float64, from lines "x, y".

    Raises:
        gr.Error: names the first line that is not of that form, or says how many there must be.
    """
    rows = validate.places("clouds", text, REACH, "0.5, -1.2")
    if len(rows) > MOST_CLOUDS:
        raise validate.refuse(f"clouds: got {len(rows)}; expected at most {MOST_CLOUDS}.")
    return np.array(rows, float).reshape(-1, 2)


def clouds(settings: Settings) -> np.ndarray | None:
    """The middles of the clouds, (n, 2); None for real points that lie on a curve."""
    if settings.data == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if settings.data == "one":
        return np.array([[1.0, 0.5]])
    return middles(settings.points) if settings.data == "own" else None


def real_points(settings: Settings) -> np.ndarray:
    """What is real: (SAMPLES, 2) float32; (0, 2) where a visitor has placed none."""
    noise, rng = settings.noise, np.random.default_rng(0)
    if settings.data == "ring":
        return kzoo.load_data("ring", samples=SAMPLES, noise=noise, validation_fraction=0).x_train
    if settings.data == "moons":
        x = kzoo.load_data("moons", samples=SAMPLES, noise=noise / 1.5, validation_fraction=0).x_train
        return 1.5 * (x - np.float32([0.5, 0.25]))
    if settings.data == "line":
        middle = np.linspace(-1, 1, SAMPLES)[:, None] * [2.0, 1.0]
    else:
        found = clouds(settings)
        if not len(found):
            return np.zeros((0, 2), "float32")
        middle = found[np.arange(SAMPLES) % len(found)]
    return (middle + noise * rng.standard_normal((SAMPLES, 2))).astype("float32")


# --- the two players and their training ----------------------------------------------------------------------------


@dataclass
class Run(player.Run):
    """One game, its real points, and both losses by step, at each picture a mean of the steps since the last one."""

    real: np.ndarray
    logs: dict = field(default_factory=dict, kw_only=True)
    counts: list = field(default_factory=list, kw_only=True)
    discriminator: list = field(default_factory=list, kw_only=True)
    generator: list = field(default_factory=list, kw_only=True)


def start(settings: Settings) -> Run:
    """Two untrained players, compiled."""
    import keras

    from kzoo.models.points_gan import PointsGAN
    from kzoo.seeds import seeded

    with seeded(settings.seed):
        model = PointsGAN(
            objective=settings.objective,
            penalty=float(settings.penalty),
            discriminator_steps=settings.d_steps,
        )
    rates = {"discriminator": settings.d_rate, "generator": settings.g_rate}
    model.compile({name: keras.optimizers.Adam(float(rate), beta_1=0.5, beta_2=0.99) for name, rate in rates.items()})
    return Run(settings, None, model, real_points(settings))


def advance(run: Run) -> None:
    """One step: the discriminator `d_steps` times, then the generator, on one batch."""
    rows = np.random.default_rng((run.settings.seed, run.count)).integers(0, len(run.real), BATCH)
    run.logs = run.model.train_on_batch(run.real[rows], return_dict=True)


def obstacle(run: Run) -> str | None:
    """Why it cannot be trained."""
    return None if len(run.real) else "Place at least one cloud: click into the plane, or type a line below it."


def finished(run: Run) -> str | None:
    """Why training has come to an end by itself."""
    if run.discriminator and not math.isfinite(run.discriminator[-1] + run.generator[-1]):
        return "A loss is no number any more. Choose smaller learning rates, or a penalty."
    return None


# --- what is seen --------------------------------------------------------------------------------------------------


@dataclass
class Look:
    """What the picture is drawn from.

    Attributes:
        made: (MADE, 2) points of the generator as it stands.
        field: (GRID, GRID) from -1, real, to 1, made: what the discriminator takes each place for.
        pulls: (PULLED, 2) where the first of the points are sent: minus the slope of the generator's loss.
        reached: How many clouds have their share of the made points, and of how many; None where there are none.
        near: Share of the made points that lie in a cloud; None where there are none.
    """

    made: np.ndarray
    field: np.ndarray
    pulls: np.ndarray
    reached: tuple[int, int] | None
    near: float | None


def look(run: Run) -> Look:
    """Asks both players for all that the picture shows."""
    made = run.model.sample(MADE, average=False)
    score = run.model.scores(drawing.grid((-REACH, -REACH), (REACH, REACH))).astype(float)
    # Only with the non-saturating objective and the hinge is 0 the middle between real and made.
    middle, unit = 0.0, 2.0
    if run.settings.objective == "wasserstein":
        middle, unit = float(np.median(score)), max(float(score.std()), 1e-6)
    field = -np.tanh((score - middle) / unit).reshape(drawing.GRID, drawing.GRID)
    return Look(made, field, run.model.pulls(made[:PULLED]), *reached(run.settings, made))


def reached(settings: Settings, made) -> tuple[tuple[int, int] | None, float | None]:
    """How many clouds the made points (n, 2) have reached, of how many, and the share of them that lies in one."""
    found = clouds(settings)
    if found is None or not len(found):
        return None, None
    away = np.linalg.norm(made[:, None] - found, axis=2)  # (n, clouds)
    inside = away.min(axis=1) < NEAR * settings.noise
    shares = np.bincount(away.argmin(axis=1)[inside], minlength=len(found)) / len(made)
    return (int((shares >= SHARE).sum()), len(found)), float(inside.mean())


def frame(run: Run, note: str = "") -> tuple[str, str, str]:
    """Status, plane and losses of a run as markup; the losses are noted on the way."""
    if run.count and (not run.counts or run.counts[-1] != run.count):
        run.counts.append(run.count)
        run.discriminator.append(float(run.logs["discriminator_loss"]))
        run.generator.append(float(run.logs["generator_loss"]))
        run.model.reset_metrics()
    seen = look(run)
    cells = [("steps", run.count)]
    if seen.reached is not None and seen.reached[1]:
        cells.append(("clouds reached", "{} of {}".format(*seen.reached)))
        cells.append(("of the made points in a cloud", f"{100 * seen.near:.0f} %"))
    said = ", ".join(f"{value} {name}" for name, value in cells)
    return (
        live.status(cells, finished(run) or note),
        markup.plane(
            seen.field,
            REACH,
            run.real[:MADE],
            seen.made,
            seen.pulls if run.view is None or run.view else None,
            label=f"The plane: {said}",
            clickable=run.settings.data == "own",
        ),
        markup.losses(run.counts, run.discriminator, run.generator, run.settings.objective),
    )


def code(run: Run) -> str:
    """Lines that reproduce what is on screen, runnable as pasted: `real`, `made`, `scores` and `pulls`."""
    settings = run.settings
    if settings.data == "ring":
        data = (
            f'real = kzoo.load_data("ring", samples={SAMPLES}, noise={settings.noise!r}, validation_fraction=0).x_train'
        )
    elif settings.data == "moons":
        data = f"""x = kzoo.load_data("moons", samples={SAMPLES}, noise={settings.noise!r} / 1.5, validation_fraction=0)
real = 1.5 * (x.x_train - np.float32([0.5, 0.25]))"""
    else:
        if settings.data == "line":
            middle = f"np.linspace(-1, 1, {SAMPLES})[:, None] * [2.0, 1.0]"
        else:
            # Where none is placed yet, one in the middle stands in, so that the lines run.
            rows = ", ".join(f"({x:.9g}, {y:.9g})" for x, y in clouds(settings).tolist()) or "(0.0, 0.0)"
            middle = f"np.array([{rows}])"
            middle += f"[np.arange({SAMPLES}) % {max(len(clouds(settings)), 1)}]"
        data = f"""middle = {middle}
real = (middle + {settings.noise!r} * np.random.default_rng(0).standard_normal(({SAMPLES}, 2))).astype("float32")"""
    return f"""import kzoo  # first: it chooses the backend that Keras runs on
import keras
import numpy as np
from kzoo.models.points_gan import PointsGAN
from kzoo.seeds import seeded

{data}

with seeded({settings.seed}):
    model = PointsGAN(objective="{settings.objective}", penalty={float(settings.penalty)!r}, \
discriminator_steps={settings.d_steps})
model.compile({{
    "discriminator": keras.optimizers.Adam({settings.d_rate}, beta_1=0.5, beta_2=0.99),
    "generator": keras.optimizers.Adam({settings.g_rate}, beta_1=0.5, beta_2=0.99),
}})
for step in range({run.count}):
    rows = np.random.default_rng(({settings.seed}, step)).integers(0, len(real), {BATCH})
    model.train_on_batch(real[rows])

made = model.sample({MADE}, average=False)  # by the generator as it stands
pulls = model.pulls(made)  # the arrows: minus the slope of the generator's loss at each made point
across = np.linspace({-REACH:g}, {REACH:g}, 64)
scores = model.scores(np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)).reshape(64, 64)
print("made points, the first three:", made[:3].tolist())
"""


# --- for the page --------------------------------------------------------------------------------------------------


PLAYER = player.Player(
    "gan",
    "steps",
    Settings,
    check,
    start,
    advance,
    frame,
    code,
    most=MOST_STEPS,
    obstacle=obstacle,
    finished=finished,
    look=check_view,
    # So that the page shows what `check` makes of the two.
    adjust={"objective": lambda settings: settings, "penalty": lambda settings: settings},
    hint="Press Play.",
    stepped="One step more: each player has moved.",
    seconds=120,
)


def train_client(
    data: str = "ring",
    noise: float = 0.1,
    objective: str = "non_saturating",
    penalty: str = "0.1",
    d_rate: str = "0.002",
    g_rate: str = "0.002",
    d_steps: int = 1,
    seed: int = 0,
    points: str = OWN_CLOUDS,
    steps: int = 20,
) -> dict:
    """Plays a game of up to 1,000 steps; gives its losses, the clouds that were reached, and the code."""
    settings = check((data, noise, objective, penalty, d_rate, g_rate, d_steps, seed, points))
    run = PLAYER.trained(settings, validate.number("steps", steps, 0, 1000, whole=True))
    with kit.alone(run.model):
        seen = look(run)
    losses = {name: float(run.logs[name]) for name in ("discriminator_loss", "generator_loss") if name in run.logs}
    return {
        "steps": run.count,
        **{name: value if math.isfinite(value) else None for name, value in losses.items()},
        "clouds_reached": seen.reached,
        "made": seen.made.astype(float).round(4).tolist(),
        "code": code(run),
    }


def scene(name: str, settings: Settings) -> Settings:
    """The settings of a scene, with the seed and the own clouds that are there."""
    return Settings(seed=settings.seed, points=settings.points, **SCENES[name])


def placed(settings: Settings, event) -> Settings | None:
    """The settings with one more cloud, where a visitor has clicked into the plane."""
    if settings.data != "own":
        gr.Info("To place clouds, choose \u201cown clouds\u201d as the data first.")
        return None
    sent = event._data if isinstance(event._data, dict) else {}
    x, y = (validate.number(name, sent.get(name), -REACH, REACH) for name in ("x", "y"))
    return own(settings, (settings.points.rstrip() + f"\n{x:.2f}, {y:.2f}").lstrip())


def own(settings: Settings, text: str) -> Settings:
    """The settings with these own clouds."""
    return dataclasses.replace(settings, data="own", points=text)


def undone(settings: Settings) -> Settings:
    """The settings without the last cloud."""
    return own(settings, "\n".join(settings.points.rstrip().splitlines()[:-1]))
