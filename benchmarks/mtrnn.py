"""Figure 9 of Yamashita and Tani 2008 made anew: what the ratio of the slow to the fast time constant is good for.

    KERAS_BACKEND=jax python benchmarks/mtrnn.py [--smoke] [--to docs/mtrnn] [--out FILE]

For each ratio and seed an MTRNN learns three compositions of two primitives, each walked eight times before the next
(basic training, all weights); then three new orders of the same primitives, with all but the slow units' connections
and new initial states fixed (additional training). The fast time constant stays at 5 steps. Measured is the closed
loop: how far the whole sequence that is generated from its initial state alone lies from the one that was taught.

Written to the folder of --to: timescales.png and timescales.csv (the figure and its numbers), regeneration.png and
regeneration.csv (five primitives learned, generated for three cycles and on), README.md (both tables).
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # noqa: F401  # isort: skip

import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import timing
from tables import write_csv

from kzoo import backend, plots
from kzoo.data import primitives as data
from kzoo.models.mtrnn import MTRNN
from kzoo.plots.style import BLACK, BLUE, GREY, LABEL, TICK, VERMILLION, color, label, new_figure
from kzoo.seeds import seeded

FAST = 5.0
RATIOS = (1, 2, 5, 10, 14)
REST, PERIOD, CYCLES = 8, 20, 8  # steps, steps, walks of each primitive in a composition
LEARN_PERIOD, LEARN_CYCLES = 24, 6  # of the primitives that are learned alone
DRAWN_CYCLES = 3


def train(model, lesson, steps: int, clip: float = 0.1) -> None:
    """Full batches, Adam, a cosine from 0.01 to zero, the gradient cut to the norm `clip`."""
    schedule = keras.optimizers.schedules.CosineDecay(0.01, steps)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=clip), model.training_loss())
    x, y = lesson
    # One long epoch of the same batch: an epoch has costs of its own.
    x, y = keras.tree.map_structure(lambda part: np.concatenate([part] * steps), (x, y))
    model.fit(x, y, batch_size=len(y) // steps, epochs=1, shuffle=False, verbose=0)


def error(model, lesson) -> float:
    """Root mean squared error of the closed loop, in the units of the plane."""
    x, y = lesson
    found = model.generate(x["index"][:, 0], y.shape[1])["outputs"]
    return float(np.sqrt(np.square(found - y).mean()))


def both_trainings(ratio: float, seed: int, steps: int, more: int) -> dict:
    """Basic and additional training of one network."""
    sequences, orders = data.compositions(np.random.default_rng(seed), 6, cycles=CYCLES, period=PERIOD, rest=REST)
    basic, additional = data.lessons(sequences[:3]), data.lessons(sequences[3:])
    began = time.process_time()
    settings = {"num_sequences": 3, "time_constants": (2.0, FAST, ratio * FAST)}
    with seeded(seed):
        model = MTRNN(**settings, blend_steps=max(1, steps // 2))
        train(model, basic, steps)
        again = MTRNN(**settings, blend_steps=max(1, more // 2))
    again.get_layer("dynamics").set_weights(model.get_layer("dynamics").get_weights())
    again.get_layer("dynamics").blended.assign(0)
    again.train_slow_alone()
    train(again, additional, more)
    return {
        "ratio": ratio,
        "slow_time_constant": ratio * FAST,
        "seed": seed,
        "basic_rmse": error(model, basic),
        "additional_rmse": error(again, additional),
        "cpu_s": round(time.process_time() - began, 1),
        "taught": " | ".join(" > ".join(order) for order in orders[:3]),
    }


def regenerate(seed: int, steps: int, cycles: int) -> tuple[dict, np.ndarray, np.ndarray]:
    """Five primitives learned from `LEARN_CYCLES` cycles and generated for `cycles`: errors, outputs, targets."""
    sequences = data.primitives(np.random.default_rng(seed), 5, LEARN_CYCLES, LEARN_PERIOD, REST)
    with seeded(seed):
        model = MTRNN(num_sequences=5, blend_steps=max(1, steps // 2))
        train(model, data.lessons(sequences), steps, clip=1.0)
    targets = np.stack([data.sequence(name, cycles, LEARN_PERIOD, REST) for name in data.PRIMITIVES])[:, 1:]
    found = model.generate(range(5), targets.shape[1])["outputs"]
    squares = np.square(found - targets).mean(axis=-1)  # (5, t)
    row = {"seed": seed}
    for cycle in range(cycles):
        # y begins one step after the sequence does.
        part = slice(REST - 1 + cycle * LEARN_PERIOD, REST - 1 + (cycle + 1) * LEARN_PERIOD)
        row[f"cycle_{cycle + 1}"] = float(np.sqrt(squares[:, part].mean()))
    three = slice(0, REST - 1 + DRAWN_CYCLES * LEARN_PERIOD)
    row["three_cycles_rmse"] = float(np.sqrt(squares[:, three].mean()))
    row["worst_primitive_rmse"] = float(np.sqrt(squares[:, three].mean(axis=1).max()))
    return row, found, targets


def figure_of_timescales(rows: list[dict], seeds: int):
    """Median and range over the seeds for each ratio, basic beside additional training."""
    figure = new_figure(
        7.6, 5.0, "MTRNN: a slow group that is not slow learns worse\n(after Fig. 9 of Yamashita and Tani 2008)"
    )
    axes = figure.add_subplot()
    ratios = sorted({row["ratio"] for row in rows})
    for key, name, hue, mark, shift in (
        ("basic_rmse", "basic training, all weights", BLUE, "o", -0.08),
        ("additional_rmse", "additional training, slow units alone", VERMILLION, "s", 0.08),
    ):
        values = [np.array([row[key] for row in rows if row["ratio"] == ratio]) for ratio in ratios]
        middle = np.array([np.median(value) for value in values])
        reach = [middle - [value.min() for value in values], [value.max() for value in values] - middle]
        places = np.arange(len(ratios)) + shift
        axes.errorbar(places, middle, reach, color=hue, marker=mark, capsize=4, linewidth=1.6, label=name)
        for place, value in zip(places, values, strict=True):
            axes.plot([place] * len(value), value, mark, color=hue, markersize=3, alpha=0.4)
    axes.set_xticks(range(len(ratios)), [f"{ratio:g}\n({FAST * ratio:g})" for ratio in ratios])
    axes.set_ylim(0, 1.08 * max(max(row["basic_rmse"], row["additional_rmse"]) for row in rows))
    label(
        axes,
        x=f"ratio of slow to fast time constant (slow one in steps; fast one {FAST:g} steps)",
        y="closed-loop error, root mean square\n(units of the plane; amplitude 0.8)",
    )
    axes.grid(alpha=0.25)
    axes.legend(fontsize=TICK, title=f"median and range of {seeds} seeds", title_fontsize=TICK)
    return figure


def figure_of_regeneration(rows, found, targets):
    """The generated curves over the taught ones for three cycles, and the error of every cycle for each seed."""
    figure = new_figure(12.5, 6.6, f"MTRNN: five primitives, {DRAWN_CYCLES} cycles each, from the initial state alone")
    top, bottom = figure.add_gridspec(2, 1)
    last = REST - 1 + DRAWN_CYCLES * LEARN_PERIOD
    for k, (cell, name) in enumerate(zip(top.subgridspec(1, 5), data.PRIMITIVES, strict=True)):
        axes = figure.add_subplot(cell)
        walked = slice(REST - 1, last)
        axes.plot(*targets[k, walked].T, color=GREY, linewidth=5, alpha=0.35)
        axes.plot(*found[k, walked].T, color=VERMILLION, linewidth=1.0)
        axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
        label(axes, x="x", y="y" if k == 0 else None, title=f"{name}, seed {rows[0]['seed']}")
    time_axes, error_axes = (figure.add_subplot(cell) for cell in bottom.subgridspec(1, 2, width_ratios=[1.6, 1]))
    shown = 2  # the one with the sharpest bends
    for k, (name, hue) in enumerate(zip("xy", (BLUE, VERMILLION), strict=True)):
        time_axes.plot(targets[shown, :last, k], color=hue, linewidth=4, alpha=0.3, label=f"{name} taught")
        time_axes.plot(found[shown, :last, k], color=hue, linewidth=1.1, label=f"{name} generated")
    title = f"{list(data.PRIMITIVES)[shown]}, seed {rows[0]['seed']}"
    label(time_axes, x="step", y="coordinate", title=title)
    time_axes.set_ylim(-1, 1.5)  # room for the legend
    time_axes.legend(fontsize=TICK - 1, ncols=4, loc="upper right")
    cycles = [key for key in rows[0] if key.startswith("cycle_")]
    for k, row in enumerate(rows):
        error_axes.plot(
            range(1, len(cycles) + 1), [row[key] for key in cycles], "o-", color=color(k), markersize=4,
            linewidth=1.2, label=f"seed {row['seed']}",
        )  # fmt: skip
    error_axes.axvspan(LEARN_CYCLES + 0.5, len(cycles) + 0.5, color=GREY, alpha=0.15)
    error_axes.text(LEARN_CYCLES + 0.6, 0.005, "beyond what was taught", fontsize=TICK - 1, color=BLACK)
    error_axes.set_ylim(0, 1.1 * max(row[key] for row in rows for key in cycles))
    label(error_axes, x="cycle", y="error, root mean square", title="Five primitives together")
    error_axes.legend(fontsize=TICK - 1)
    for axes in (time_axes, error_axes):
        axes.grid(alpha=0.25)
    figure.supxlabel(
        "Wide: taught. Narrow: generated. Coordinates in units of the plane; amplitude 0.8.", fontsize=LABEL
    )
    return figure


def page(rows, learned, given) -> str:
    """README.md of the folder: what was done, and both tables."""
    lines = [
        "# MTRNN: time constants and regeneration",
        "",
        "Made by `KERAS_BACKEND=" + backend.name() + " python benchmarks/mtrnn.py"
        f" --seeds {given.seeds} --steps {given.steps} --more {given.more}`.",
        "",
        f"Taught are compositions of two primitives, {CYCLES} cycles of {PERIOD} steps each, to networks of 2 outputs, "
        f"40 fast and 10 slow units, {given.steps:,} steps of Adam: three of them with all weights (basic training), "
        f"then three new orders with the slow units' connections and new initial states alone, {given.more:,} steps "
        "(additional training). Measured is the whole sequence that a network generates from its initial state alone.",
        "",
        "![closed-loop error against the ratio of the time constants](timescales.png)",
        "",
        "Closed-loop error, root mean square in units of the plane (amplitude 0.8): median (lowest to highest) of "
        f"{given.seeds} seeds.",
        "",
        "| slow / fast time constant | slow one, steps | basic training | additional training |",
        "| --- | --- | --- | --- |",
    ]
    for ratio in sorted({row["ratio"] for row in rows}):
        cells = []
        for key in ("basic_rmse", "additional_rmse"):
            values = [row[key] for row in rows if row["ratio"] == ratio]
            cells.append(f"{np.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {ratio:g} | {ratio * FAST:g} | {cells[0]} | {cells[1]} |")
    cycles = [key for key in learned[0] if key.startswith("cycle_")]
    shown = [key for key in cycles if int(key.split("_")[1]) in (1, 2, 3, 6, 9)]
    lines += [
        "",
        "![five primitives regenerated](regeneration.png)",
        "",
        f"Five primitives learned from {LEARN_CYCLES} cycles and regenerated from the initial state alone: error of "
        "all five together.",
        "",
        "| seed | three cycles, with the rest before | worst primitive | "
        + " | ".join(f"cycle {key.split('_')[1]}" for key in shown)
        + " |",
        "| --- " * (3 + len(shown)) + "|",
    ]
    for row in learned:
        figures = [row["three_cycles_rmse"], row["worst_primitive_rmse"], *(row[key] for key in shown)]
        lines.append(f"| {row['seed']} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")
    return "\n".join(lines) + "\n"


def main(arguments=None) -> None:
    """Measures, prints a line a network, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--to", type=Path, help="folder of the figures (default docs/mtrnn; with --smoke none that stays)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="networks of each ratio (default 5)")
    parser.add_argument("--steps", type=int, default=3000, help="steps of basic training (default 3000)")
    parser.add_argument("--more", type=int, default=1000, help="steps of additional training (default 1000)")
    given = parser.parse_args(arguments)
    ratios = RATIOS
    if given.smoke:
        given.seeds, given.steps, given.more, ratios = 2, 3, 2, RATIOS[::4]
    with tempfile.TemporaryDirectory() as away:
        # A smoke run's figures mean nothing, and must not take the place of those that do.
        folder = given.to or (Path(away) if given.smoke else Path(__file__).parents[1] / "docs" / "mtrnn")
        folder.mkdir(parents=True, exist_ok=True)
        figures = measure(ratios, given, folder)
    timing.conclude(given, figures)


def measure(ratios, given, folder: Path) -> dict:
    """Trains all networks, and writes figures and tables into `folder`."""
    rows = []
    # Seed by seed, so that a run that is stopped has compared all ratios.
    for seed in range(given.seeds):
        for ratio in ratios:
            row = both_trainings(ratio, seed, given.steps, given.more)
            rows.append(row)
            print(
                f"ratio {ratio:3g}  seed {seed}  basic {row['basic_rmse']:.4f}  additional "
                f"{row['additional_rmse']:.4f}  CPU {row['cpu_s']:.0f} s",
                flush=True,
            )
    learned, first = [], None
    for seed in range(given.seeds):
        row, found, targets = regenerate(seed, given.steps, DRAWN_CYCLES * 3)
        learned.append(row)
        first = first or (found, targets)
        print(
            f"seed {seed}  three cycles {row['three_cycles_rmse']:.4f}  worst {row['worst_primitive_rmse']:.4f}",
            flush=True,
        )
    write_csv(folder / "timescales.csv", rows)
    write_csv(folder / "regeneration.csv", learned)
    plots.save_png(figure_of_timescales(rows, given.seeds), folder / "timescales.png")
    plots.save_png(figure_of_regeneration(learned, *first), folder / "regeneration.png")
    (folder / "README.md").write_text(page(rows, learned, given), encoding="utf-8")
    return {"rows": rows, "regeneration": learned}


if __name__ == "__main__":
    main()
