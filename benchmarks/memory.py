"""What Mamba remembers: two tasks of its paper trained small, and sequences far longer than those of the training.

    KERAS_BACKEND=jax python benchmarks/memory.py induction [--seeds 1] [--longest 16] [--to docs/memory]
    KERAS_BACKEND=jax python benchmarks/memory.py copying [--seeds 1] [--to docs/memory]
    KERAS_BACKEND=jax python benchmarks/memory.py page [--to docs/memory]

"induction" trains Mamba by its recipe of `induction_heads` at 256 tokens, as Gu and Dao 2023 (arXiv:2312.00752, section
4.1.2) do, and asks it about new sequences of 64 tokens and more. They are read in pieces of 1,024 tokens with the state
handed on, so that the memory does not grow with the length. "copying" trains the recipe
of `selective_copying` (section 4.1.1, here a reduced setting) with and without selection.

Both write their tables, figures and README.md into the folder of --to, where "page" makes figures and README.md anew
from the tables. --runs names a folder that keeps the runs, and whose runs are not trained again.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip  # noqa: F401

import csv
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import timing
from tables import write_csv

from kzoo import backend, plots, registry
from kzoo.data import sequences
from kzoo.plots.style import GREY, LABEL, TICK, color, label, marker, new_figure
from kzoo.recipe import Recipe
from kzoo.training import run
from kzoo.training.evaluation import evaluate, load_for

# Tokens that a model reads at once, and sequences abreast: a longer text costs time and no memory.
PIECE, ABREAST = 1024, 64
# Sequences of each length, as long as all of them have no more tokens than READ; beyond it fewer.
COUNT, READ = 256, 2**22
# The share of right answers from which on a network has found the task.
LEARNED = 0.9
# The paper's lengths begin here.
SHORTEST = 6
SELECTIONS = {"selective": {"selective": True}, "time-invariant": {"selective": False}}


def train(recipe: Recipe, folder: Path) -> tuple:
    """One run: its model, its test answers, a row of what it was and reached, and its epochs as rows.

    A run that `folder` holds already is taken as it is, or goes on where it was stopped.

    Raises:
        ValueError: if the folder's run is of another recipe.
    """
    begun = folder / "recipe.json"
    if begun.is_file():
        found = Recipe.from_json(begun.read_text(encoding="utf-8"))
        # The command line writes a model's defaults, too.
        full = found.override(model=recipe.model.arguments)
        if found != full or dataclasses.replace(found, model=recipe.model) != recipe:
            raise ValueError(f"{folder} holds a run of another recipe. Move it away, or name another folder by --runs.")
        made = run(resume=folder, verbose=0)
    else:
        made = run(recipe, out=folder, verbose=0)
    data = load_for(recipe)
    _, told = evaluate(made.model, data.x_test, data.y_test)
    steps = -(-len(data.y_train) // recipe.batch_size)  # of an epoch
    row = {
        "seed": recipe.seed,
        "parameters": made.metrics["parameters"],
        "length": data.x_test.shape[1],
        "steps": steps * made.metrics["epochs"],
        "batch": recipe.batch_size,
        "learning_rate": recipe.optimizer.learning_rate,
        "test_accuracy": made.metrics["test_accuracy"],
        "test_loss": made.metrics["test_loss"],
        "test_samples": made.metrics["test_samples"],
        "train_s": round(made.metrics["seconds"]),
    }
    with (made.folder / "metrics.csv").open(encoding="utf-8") as file:
        epochs = [
            {"step": steps * int(line["epoch"]), "val_accuracy": float(line["val_accuracy"])}
            for line in csv.DictReader(file)
        ]
    return made.model, (told, data.y_test), row, epochs


def chosen(data: str, given, seed: int) -> Recipe:
    """Mamba's recipe for a data set, as `kzoo train mamba --data NAME --seed SEED` has it."""
    recipe = registry.recipe_for("mamba", data).override(seed=seed)
    return recipe.override(epochs=1, smoke=True) if given.smoke else recipe


def right_answers(model, length: int, count: int, seed: int) -> int:
    """How many of `count` new sequences of induction heads are continued rightly, read piece by piece."""
    x, y = sequences.induction_heads(np.random.default_rng([seed, length]), count, length)

    def last_logits(tokens, state):
        logits, state = model.stream(tokens, state)
        return logits[:, -1], state

    read, right = backend.compiled(last_logits, model.variables), 0
    for first in range(0, count, ABREAST):
        part = slice(first, first + ABREAST)
        state = model.initial_state(len(x[part]), max_length=length)
        for start in range(0, length, PIECE):
            logits, state = read(x[part, start : start + PIECE], state)
        right += int((np.asarray(logits).argmax(axis=-1) == y[part, -1]).sum())
    return right


def extrapolate(model, seed: int, longest: int):
    """Rows of the share of right answers at each length, doubled from 2^6 on."""
    for power in range(SHORTEST, longest + 1):
        length = 2**power
        count = min(COUNT, max(1, READ // length))
        wall, cpu = time.perf_counter(), time.process_time()
        right = right_answers(model, length, count, seed)
        row = {
            "seed": seed,
            "length": length,
            "sequences": count,
            "right": right,
            "cpu_s": round(time.process_time() - cpu, 1),
            "wall_s": round(time.perf_counter() - wall, 1),
        }
        print(f"seed {seed}: {right} of {count} at {length:,}, CPU {row['cpu_s']:.0f} s", flush=True)
        yield row


def induction(given, folder: Path, runs: Path) -> dict:
    """Trains and asks Mamba, and writes induction_heads.csv and extrapolation.csv."""
    trained, asked = [], []
    for seed in range(given.seeds):
        model, _, row, _ = train(chosen("induction_heads", given, seed), runs / f"mamba_induction_heads_{seed}")
        trained.append({"model": "mamba", **row})
        print(f"seed {seed}: {100 * row['test_accuracy']:.2f} % in {row['train_s']} s", flush=True)
        write_csv(folder / "induction_heads.csv", trained)
        # Who guesses at the length of the training has nothing to say about longer ones.
        if row["test_accuracy"] >= LEARNED or given.smoke:
            asked += extrapolate(model, seed, given.longest)
            write_csv(folder / "extrapolation.csv", asked)
    return {"induction_heads": trained, "extrapolation": asked}


def copying(given, folder: Path, runs: Path) -> dict:
    """Trains Mamba with and without selection, and writes selective_copying.csv, curves.csv and places.csv."""
    trained, curves, places = [], [], []
    for seed in range(given.seeds):
        for name, arguments in SELECTIONS.items():
            recipe = chosen("selective_copying", given, seed).override(model=arguments)
            _, (told, y), row, epochs = train(recipe, runs / f"mamba_selective_copying_{name}_{seed}")
            trained.append({"model": name, "letters": int((y[0] >= 0).sum()), **row})
            curves += [{"model": name, "seed": seed, **epoch} for epoch in epochs]
            asked = told.right[:, (y >= 0).any(axis=0)]  # (n, letters)
            shares = asked.mean(axis=0)
            places += [
                {"model": name, "seed": seed, "place": k + 1, "accuracy": float(share)}
                for k, share in enumerate(shares)
            ]
            print(
                f"{name} seed {seed}: {100 * row['test_accuracy']:.2f} %, whole sequences "
                f"{100 * asked.all(axis=1).mean():.2f} % in {row['train_s']} s",
                flush=True,
            )
            write_csv(folder / "selective_copying.csv", trained)
            write_csv(folder / "curves.csv", curves)
            write_csv(folder / "places.csv", places)
    return {"selective_copying": trained, "curves": curves, "places": places}


def shares_by_length(rows: list[dict]) -> dict[int, tuple[int, int]]:
    """Length -> right answers and sequences, of all seeds together."""
    found = {}
    for row in rows:
        right, count = found.get(int(row["length"]), (0, 0))
        found[int(row["length"])] = (right + int(row["right"]), count + int(row["sequences"]))
    return found


def figure_of_extrapolation(rows: list[dict], trained: int):
    """Right answers against the length of the sequence."""
    found = shares_by_length(rows)
    return plots.extrapolation(
        {"Mamba": (list(found), [right / count for right, count in found.values()])},
        title=f"Induction heads: trained on {trained:,} tokens, asked about up to {max(found):,}",
        trained=trained,
        chance=1 / (len(sequences.INDUCTION_TOKENS) - 1),
    )


def figure_of_copying(curves: list[dict], places: list[dict]):
    """How selection learns to copy and its lack does not; and which of the letters each of them gets right."""
    chance = 100 / (len(sequences.SELECTIVE_TOKENS) - 2)
    figure = new_figure(11.0, 4.6, "Selective copying: the letters of a sequence are to be recited without its blanks")
    learning, letters = figure.subplots(1, 2, sharey=True, width_ratios=[1.3, 1])
    for k, name in enumerate(dict.fromkeys(row["model"] for row in curves)):
        words = {"selective": "Mamba: its input decides what it keeps"}.get(
            name, "the same without selection: each token is kept alike"
        )
        for seed in sorted({row["seed"] for row in curves}):
            own = [row for row in curves if (row["model"], row["seed"]) == (name, seed)]
            x, y = ([float(row[key]) for row in own] for key in ("step", "val_accuracy"))
            learning.plot(
                x, 100 * np.array(y), color=color(k), marker=marker(k), markersize=4, linewidth=1.6, label=words
            )
            own = [row for row in places if (row["model"], row["seed"]) == (name, seed)]
            x, y = ([float(row[key]) for row in own] for key in ("place", "accuracy"))
            letters.plot(x, 100 * np.array(y), color=color(k), marker=marker(k), markersize=4, linewidth=1.6)
            words = None  # one line of the legend a model
    for axes in (learning, letters):
        axes.axhline(chance, color=GREY, linestyle=":", linewidth=1.2, label="guessing")
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.25)
    label(learning, x="steps of training", y="letters recited rightly (%)")
    label(letters, x="which letter of the sequence", title="after the training, letter by letter")
    letters.title.set_fontsize(LABEL)
    letters.set_xticks([int(row["place"]) for row in places][:: max(1, len({row["place"] for row in places}) // 8)])
    learning.xaxis.set_major_formatter("{x:,.0f}")
    learning.legend(fontsize=TICK, loc="lower right", bbox_to_anchor=(1, 0.12))
    return figure


def read_csv(path: Path) -> list[dict]:
    """Rows of strings, none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def draw(folder: Path) -> None:
    """Figures and README.md from the tables that are in the folder."""
    heads, asked = read_csv(folder / "induction_heads.csv"), read_csv(folder / "extrapolation.csv")
    copied, curves = read_csv(folder / "selective_copying.csv"), read_csv(folder / "curves.csv")
    if asked:
        plots.save_png(figure_of_extrapolation(asked, int(heads[0]["length"])), folder / "extrapolation.png")
    if copied:
        plots.save_png(figure_of_copying(curves, read_csv(folder / "places.csv")), folder / "selective_copying.png")
    lines = ["# Memory: what Mamba keeps", "", *(page_of_heads(heads, asked) if asked else [])]
    lines += page_of_copying(copied) if copied else []
    (folder / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def made_by(words: str) -> str:
    """The line that says how a part of the page came about."""
    return f"Made by `KERAS_BACKEND={backend.name()} python benchmarks/memory.py {words}`."


def training_table(rows: list[dict], asked: str) -> list[str]:
    """What was trained and how well it answers on the test part."""
    lines = [
        f"| model | seed | parameters | steps of Adam | batch | {asked} | training, s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['model']} | {row['seed']} | {int(row['parameters']):,} | {int(row['steps']):,} | {row['batch']} | "
            f"{100 * float(row['test_accuracy']):.2f} % | {int(row['train_s']):,} |"
        )
    return lines


def page_of_heads(trained: list[dict], asked: list[dict]) -> list[str]:
    """Induction heads: what was done, the figure, and both tables."""
    found = shares_by_length(asked)
    length, seeds = int(trained[0]["length"]), len({row["seed"] for row in trained})
    lines = [
        "## Induction heads",
        "",
        made_by(f"induction --seeds {seeds} --longest {max(found).bit_length() - 1}"),
        "",
        "A sequence of letters holds a mark somewhere and ends with a mark; wanted is the letter that came after the "
        "first one (Gu and Dao 2023, arXiv:2312.00752, section 4.1.2). Mamba is trained as `kzoo train mamba --data "
        f"induction_heads` does it, two layers of width 64, on {length:,} tokens and on no other length. The paper "
        "trains longer, 204,800 steps of 8 sequences, and its Mamba stays at 100 % up to 2^20 tokens.",
        "",
        f"![right answers against the length of the sequence; trained on {length:,} tokens](extrapolation.png)",
        "",
        *training_table(trained, f"right of {int(trained[0]['test_samples']):,} test sequences"),
        "",
        f"{len({row['seed'] for row in asked})} of {seeds} networks found the task in so few steps; to guess is "
        f"right in 1 of {len(sequences.INDUCTION_TOKENS) - 1}. Asked about new sequences, those that found it:",
        "",
        "| tokens | right | sequences | share |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {place:,} | {right:,} | {count:,} | {100 * right / count:.1f} % |"
        for place, (right, count) in found.items()
    ]
    return [*lines, ""]


def page_of_copying(trained: list[dict]) -> list[str]:
    """Selective copying: what was done, the figure, and the table."""
    seeds, length = len({row["seed"] for row in trained}), int(trained[0]["length"])
    letters = int(trained[0]["letters"])
    return [
        "## Selective copying",
        "",
        made_by(f"copying --seeds {seeds}"),
        "",
        f"{letters} letters lie scattered among {length - 2 * letters:,} blanks, and are to be recited in their order. "
        f"This is a reduced setting: the paper has 16 letters in 4,096 tokens, and 400,000 steps of batches of 64 (Gu "
        "and Dao 2023, arXiv:2312.00752, section 4.1.1; there Mamba recites 99.8 % of the letters). Selective: Mamba. "
        "Time-invariant: the same network with `selective=False`, whose state space treats each token alike.",
        "",
        "![letters recited rightly, in the course of the training and letter by letter](selective_copying.png)",
        "",
        *training_table(trained, f"letters right, {int(trained[0]['test_samples']):,} test sequences"),
        "",
    ]


def main(arguments=None) -> None:
    """Measures, prints a line a network, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("part", choices=("induction", "copying", "page"))
    parser.add_argument(
        "--to", type=Path, help="folder of tables and figures (default docs/memory; with --smoke none that stays)"
    )
    parser.add_argument("--runs", type=Path, help="keep the run folders here, and take those that are")
    parser.add_argument("--seeds", type=int, default=1, help="networks of each kind (default 1)")
    parser.add_argument("--longest", type=int, default=16, help="ask up to 2 to this power of tokens (default 16)")
    given = parser.parse_args(arguments)
    if given.smoke:
        given.longest = min(given.longest, 11)
    with tempfile.TemporaryDirectory() as away:
        # A smoke run's figures mean nothing, and must not take the place of those that do.
        folder = given.to or (Path(away) if given.smoke else Path(__file__).parents[1] / "docs" / "memory")
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"induction": induction, "copying": copying}
        figures = parts[given.part](given, folder, given.runs or Path(away)) if given.part in parts else {}
        draw(folder)
    timing.conclude(given, {"part": given.part, **figures})


if __name__ == "__main__":
    main()
