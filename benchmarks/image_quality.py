"""Which number catches which fault of generated images: real digits of MNIST, spoilt in ways that are known.

    KERAS_BACKEND=jax python benchmarks/image_quality.py [--to docs/image_quality] [--smoke] [--out FILE]

Each set of 10,000 images is measured by `kzoo.training.image_quality` beside the same 10,000 training images. Sets of
real images say how much the figures vary without any fault: a figure is marked where it is worse than in each of them
by more than their whole range. nFCD is taken with the features of a second classifier, too, which shares neither
kind nor training with the first.

Writes image_quality.csv, image_quality.png and README.md into the folder of --to.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip  # noqa: F401

import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import timing
from tables import write_csv

from kzoo import backend, plots
from kzoo.data import load_data
from kzoo.data.dataset import complement
from kzoo.plots.style import GREY, LABEL, TICK, VERMILLION, bare, new_figure
from kzoo.training.image_quality import COUNT, image_quality, reference_indices

JUDGE, SECOND = "cnn_mnist", "mlp_mnist"
# Disjoint sets of training images beside the test images.
DRAWS = 5
# A key -> whether more of it is better, and how a table writes it.
FIGURES = {
    "nfcd": (False, "{:.4f}"),
    "nfcd_second": (False, "{:.4f}"),
    "precision": (True, "{:.3f}"),
    "recall": (True, "{:.3f}"),
    "density": (True, "{:.2f}"),
    "coverage": (True, "{:.3f}"),
    "rarest": (True, "{:.3f}"),
    "commonest": (False, "{:.3f}"),
    "recognised": (True, "{:.3f}"),
}
NAMES = {
    "nfcd": "nFCD",
    "nfcd_second": f"nFCD by {SECOND}",
    "rarest": "rarest class",
    "commonest": "commonest class",
}
SHOWN = 10  # images of each set in the picture


def spoilt(data, rng):
    """Pairs of a name and a set: images (n, 28, 28, 1) with their labels, real sets first."""
    others = rng.permutation(complement(reference_indices(data.y_train), len(data.y_train)))
    for k in range(DRAWS):
        drawn = others[k * COUNT : (k + 1) * COUNT]
        yield f"training images, draw {k + 1}", data.x_train[drawn], data.y_train[drawn]
    x, y = data.x_test, data.y_test
    yield "test images", x, y
    few = rng.permutation(len(x))[:2000]
    yield "test images, 2,000 only", x[few], y[few]
    kept = others[data.y_train[others] != 9][:COUNT]
    yield "no nines", data.x_train[kept], data.y_train[kept]
    learned = rng.permutation(len(data.y_train))[:200].repeat(COUNT // 200)
    yield "200 training images, 50 times each", data.x_train[learned], data.y_train[learned]
    for deviation in (0.1, 0.3):
        noise = rng.normal(0, deviation, x.shape).astype("float32")
        yield f"noise of {deviation}", np.clip(x + noise, 0, 1), y
    yield "blur of 1 pixel", blurred(x, 1.0), y
    means = np.stack([data.x_train[data.y_train == k].mean(axis=0) for k in range(10)])
    classes = np.arange(COUNT) % 10
    yield "the mean of each class", means[classes], classes
    yield "uniform noise", rng.random(x.shape, dtype="float32"), classes
    wrong = y.copy()
    wrong[::10] = (wrong[::10] + 1) % 10
    yield "one image in ten of another class than asked", x, wrong


def blurred(images, deviation: float):
    """Images (n, h, w, c) under a Gaussian of so many pixels, cut off at four deviations."""
    places = np.arange(-int(4 * deviation), int(4 * deviation) + 1)
    kernel = np.exp(-0.5 * np.square(places / deviation))
    kernel /= kernel.sum()
    for axis in (1, 2):
        width = [(len(places) // 2,) * 2 if k == axis else (0, 0) for k in range(4)]
        padded = np.pad(images, width)
        size = images.shape[axis]
        images = sum(
            share * padded[(slice(None),) * axis + (slice(k, k + size),)] for k, share in enumerate(kernel)
        ).astype("float32")
    return images


def measured(name: str, images, labels) -> dict:
    """A row of the table: the figures of a set, with those of the second classifier."""
    cpu = time.process_time()
    found = image_quality(images, labels=labels, count=len(images), classifier=JUDGE)
    row = {
        "set": name,
        "images": found.count,
        "nfcd": found.nfcd,
        "nfcd_second": image_quality(images, count=len(images), classifier=SECOND).nfcd,
        **{key: getattr(found, key) for key in ("precision", "recall", "density", "coverage", "recognised")},
        "rarest": min(found.class_shares),
        "commonest": max(found.class_shares),
    }
    print(f"{name}: nFCD {row['nfcd']:.4f}, CPU {time.process_time() - cpu:.0f} s", flush=True)
    return {key: row[key] for key in ("set", "images", *FIGURES)}


def marks(rows: list[dict]) -> dict[str, float]:
    """Figure -> the value beyond which it is marked: the worst of the real sets, worse by the range of them."""
    real = rows[: DRAWS + 1]
    found = {}
    for key, (more_is_better, _) in FIGURES.items():
        values = [row[key] for row in real]
        span = max(values) - min(values)
        found[key] = min(values) - span if more_is_better else max(values) + span
    return found


def marked(row: dict, key: str, bounds: dict[str, float]) -> bool:
    """Whether a figure of a row is worse than real images give it."""
    more_is_better, _ = FIGURES[key]
    return row[key] < bounds[key] if more_is_better else row[key] > bounds[key]


def figure_of(rows: list[dict], samples: list, bounds: dict[str, float]):
    """Some images of each set beside its figures, those that catch a fault in bold and colour."""
    keys = ("nfcd", "precision", "recall", "coverage", "rarest", "recognised")
    shown = rows[DRAWS:]
    figure = new_figure(13.5, 0.55 * len(shown) + 1.5, "Real digits, spoilt: which number tells?")
    axes = figure.add_subplot()
    bare(axes)
    left, right = 4.6, 4.6 + SHOWN  # the pictures, in units of their side
    for k, (row, images) in enumerate(zip(shown, samples[DRAWS:], strict=True)):
        axes.text(left - 0.3, k, row["set"], ha="right", va="center", fontsize=LABEL)
        # One image a class, white where there is none.
        strip = np.concatenate([i[0, ..., 0] if len(i) else np.ones((28, 28)) for i in images], axis=1)
        axes.imshow(strip, cmap="gray", vmin=0, vmax=1, extent=(left, right, k + 0.45, k - 0.45), aspect="auto")
        for column, key in enumerate(keys):
            bad = marked(row, key, bounds)
            axes.text(
                right + 1.2 + 1.6 * column,
                k,
                FIGURES[key][1].format(row[key]),
                ha="center",
                va="center",
                fontsize=LABEL,
                color="white" if bad else GREY,
                fontweight="bold" if bad else "normal",
                bbox={"boxstyle": "round", "facecolor": VERMILLION, "edgecolor": "none"} if bad else None,
            )
    for column, key in enumerate(keys):
        axes.text(right + 1.2 + 1.6 * column, -0.75, NAMES.get(key, key).replace(" ", "\n"), ha="center", va="bottom")
    axes.set_xlim(-4.2, right + 1.6 * len(keys) + 0.5)
    axes.set_ylim(len(shown) - 0.4, -1.6)
    figure.supxlabel(f"filled: clearly worse than in each of {DRAWS + 1} sets of 10,000 real images", fontsize=TICK + 1)
    return figure


def page(rows: list[dict], bounds: dict[str, float]) -> str:
    """README.md: what was done, the picture and the table."""
    keys = list(FIGURES)
    lines = [
        "# Quality of generated images: which number catches which fault",
        "",
        f"Made by `KERAS_BACKEND={backend.name()} python benchmarks/image_quality.py`.",
        "",
        "Real digits of MNIST are spoilt in known ways and measured as generated ones are, by "
        f"`kzoo.training.image_quality` beside 10,000 training images: nFCD with the features of the preset `{JUDGE}`, "
        "precision, recall, density and coverage with 5 neighbours among 2,500 images of each kind, and the shares of "
        "the classes as the preset reads them.",
        "",
        "![some images of each set, and its figures](image_quality.png)",
        "",
        f"Bold: worse than in each of the {DRAWS + 1} sets of 10,000 real images, by more than their whole range. Of "
        "nFCD and the commonest class less is better, of the others more.",
        "",
        f"| 10,000 images, if not said otherwise | {' | '.join(NAMES.get(key, key) for key in keys)} |",
        "| --- " * (1 + len(keys)) + "|",
    ]
    for row in rows:
        cells = [FIGURES[key][1].format(row[key]) for key in keys]
        cells = [f"**{cell}**" if marked(row, key, bounds) else cell for key, cell in zip(keys, cells, strict=True)]
        lines.append(f"| {row['set']} | {' | '.join(cells)} |")
    nfcd = {row["set"]: row["nfcd"] for row in rows}
    ratio = nfcd["test images, 2,000 only"] / nfcd["test images"]
    lines += [
        "",
        f"2,000 real images have {ratio:.1f} times the nFCD of 10,000: figures of different numbers of images are not "
        "to be compared, and neither are those of different classifiers.",
    ]
    return "\n".join(lines) + "\n"


def read_csv(path: Path) -> list[dict]:
    """The rows of `write_csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {key: value if key == "set" else float(value) for key, value in row.items()} for row in csv.DictReader(file)
        ]


def main(arguments=None) -> None:
    """Measures, prints a line a set, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--to", type=Path, help="folder of table and picture (default docs/image_quality; with --smoke none that stays)"
    )
    parser.add_argument("--page", action="store_true", help="measure nothing: picture and page anew from the table")
    given = parser.parse_args(arguments)
    data = load_data("mnist", validation_fraction=0)
    with tempfile.TemporaryDirectory() as away:
        # A smoke run's figures mean nothing, and must not take the place of those that do.
        folder = given.to or (Path(away) if given.smoke else Path(__file__).parents[1] / "docs" / "image_quality")
        folder.mkdir(parents=True, exist_ok=True)
        rows, samples = read_csv(folder / "image_quality.csv") if given.page else [], []
        for name, images, labels in spoilt(data, np.random.default_rng(1)):
            if given.smoke:
                images, labels = images[:50], labels[:50]
            samples.append([images[labels == k][:1] for k in range(SHOWN)])
            if not given.page:
                rows.append(measured(name, images, labels))
                write_csv(folder / "image_quality.csv", rows)
        bounds = marks(rows)
        plots.save_png(figure_of(rows, samples, bounds), folder / "image_quality.png", dpi=110)
        (folder / "README.md").write_text(page(rows, bounds), encoding="utf-8")
    timing.conclude(given, {"rows": rows, "marks": bounds})


if __name__ == "__main__":
    main()
