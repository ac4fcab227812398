"""How good generated images are, without a download: by the features of a classifier that kzoo ships.

nFCD        Fréchet distance of the features (Heusel et al. 2017, arXiv:1706.08500, with kzoo's own classifier in place
            of Inception) over the trace of the real features' covariance. 0 is best.
precision   share of generated images among the real ones; recall: share of real images among the generated ones
            (Kynkäänniemi et al. 2019, arXiv:1904.06991).
density     real neighbourhoods that a generated image lies in, over k; coverage: share of real images that have a
            generated one in their neighbourhood (Naeem et al. 2020, arXiv:2002.09797).
classes     share of each class as the classifier reads the images; and the share that is read as the class asked for.

No single figure will do: of 200 training images, 50 times each, precision and density are those of real images, and
recall is 0.02; without the class 9, recall is as good as it can be, and the class's share is 0. docs/image_quality/
shows which fault moves which figure. Figures of different classifiers, or of different numbers of images, are not to be
compared.

Axis letters: n generated images, m real images, h w c image, d features, k classes; `neighbours` is the papers' k.
"""

import dataclasses
import functools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kzoo import backend, registry
from kzoo.data import load_data
from kzoo.data.dataset import stratified_indices
from kzoo.models.preset import load_model

# The number of images that figures are stated for: with fewer, nFCD is larger for the same generator.
COUNT = 10_000
# Images of each kind among which neighbours are sought, and how many a neighbourhood reaches.
NEAREST_COUNT, NEIGHBOURS = 2_500, 5
# Of MNIST, whose images the default reference is.
CLASSIFIER = "cnn_mnist"
# Images that the classifier reads at a time, and rows of a matrix of distances: 40 MB of it at 10,000 columns.
BATCH, ROWS = 250, 500
# A square of a distance below this share of the squares of the lengths is rounding of float32 features: no distance.
ROUNDING = 1e-12


class Neighbours(NamedTuple):
    """What the nearest neighbours say of generated samples: see `neighbourhoods`."""

    precision: float
    recall: float
    density: float
    coverage: float


@dataclasses.dataclass(frozen=True)
class ImageQuality:
    """The figures of a set of images; `str()` of it is a table.

    Attributes:
        count: The number of images, n.
        nfcd: Normalised Fréchet classifier distance, at least 0.
        precision, recall, coverage: Shares from 0 to 1.
        density: At least 0, about 1 for real images.
        class_shares: Share of each class as the classifier reads the images, (k,); they sum to 1.
        recognised: Share of the images that are read as the class that was asked for; None where none was.
        floor: The same figures of as many real images that are not in the reference; None where there are none.
    """

    count: int
    nfcd: float
    precision: float
    recall: float
    density: float
    coverage: float
    class_shares: tuple[float, ...]
    recognised: float | None = None
    floor: "ImageQuality | None" = None

    def as_dict(self) -> dict:
        """The figures as JSON takes them, those of the floor under "floor"."""
        return {**dataclasses.asdict(self), "class_shares": list(self.class_shares)} | (
            {"floor": self.floor.as_dict()} if self.floor else {}
        )

    def __str__(self) -> str:
        sets = [self, *([self.floor] if self.floor else [])]
        rows = [("", [f"{self.count:,} images", "real ones"], "")]
        for key, write, meaning in _ROWS:
            values = [getattr(one, key) for one in sets]
            if values[0] is not None:
                shown = ["" if value is None else write(value) for value in values]
                rows.append((_NAMES.get(key, key), shown, meaning))
        for number, _ in enumerate(self.class_shares):
            shown = [_percent(one.class_shares[number]) for one in sets]
            rows.append((f"class {number}", shown, "" if number else "share of the images that are read as this class"))
        lines = []
        for name, shown, meaning in rows:
            cells = "".join(f"{cell:>15}" for cell in shown[: len(sets)])
            lines.append(f"{name:<12}{cells}   {meaning}".rstrip())
        return "\n".join(lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


_NAMES = {"nfcd": "nFCD"}
_ROWS = (
    ("nfcd", "{:.4f}".format, "distance from the real images, 0 is best"),
    ("precision", _percent, "images that lie among the real ones"),
    ("recall", _percent, "real images that lie among these: variety"),
    ("density", "{:.2f}".format, "how densely real images lie around them"),
    ("coverage", _percent, "real images with one of these nearby"),
    ("recognised", _percent, "images that are read as the class asked for"),
)


def image_quality(
    images, real=None, labels=None, *, held_out=None, held_out_labels=None, classifier=CLASSIFIER, count: int = COUNT
) -> ImageQuality:
    """The figures of generated images beside real ones.

    Args:
        images: (n, h, w, c) generated images in [0, 1], of which n = `count`.
        real: (m, h, w, c) images in [0, 1] to compare with, at least `count` of them; of more than 10,000 the same
            10,000 are taken each time. By default 10,000 training images of MNIST.
        labels: (n,) the class that each image was asked to be; None where none was.
        held_out: Real images that are not among `real`, at least `count`, whose figures are the floor. By default none,
            or the test images of MNIST where `real` is MNIST by default.
        held_out_labels: Their classes.
        classifier: A classifier of the zoo, or what `kzoo.load_model` takes, which was trained on such images.
        count: The number of images, by which `images` is checked: figures of another number than 10,000 are not to be
            compared with those that kzoo states.

    Returns:
        The figures, nFCD of all images, precision, recall, density and coverage with 5 neighbours among 2,500 of the
        generated and 2,500 of the real images, or `count` if that is fewer. The choice of the 2,500 is fixed, whatever
        the order of the classes.

    Raises:
        ValueError: if the number, the shape or the range of the images does not fit, or a label is no class.
        DatasetUnavailable: if `real` is left out and MNIST is neither here nor to be downloaded.
        KzooError: if the classifier cannot be loaded.
    """
    if type(count) is not int or count <= NEIGHBOURS:
        raise ValueError(f"count: got {count!r}; expected a whole number above {NEIGHBOURS}, such as {COUNT}.")
    reader = _reader(classifier)
    if real is None and held_out is not None:
        raise ValueError("held_out: got images without real ones to compare them with. Give real=, too.")
    images = np.asarray(images)
    if images.ndim and len(images) != count:
        raise ValueError(
            f"images: got {len(images):,}; expected {count:,}. Figures of few images are worse than those of many of "
            f"the same generator (nFCD of 2,000 real images is 3 times that of 10,000). Make {count:,} "
            f"images, or say count={len(images)} and compare with no figure of another count."
        )
    answers = reader("images", images, labels)
    if real is None:
        reference, held = _mnist(reader)
    else:
        reference = reader("real", _some(_at_least("real", real, count), COUNT)).features
        held = None
        if held_out is not None:
            held = reader("held_out", _at_least("held_out", held_out, count), held_out_labels)
    floor = None if held is None else _figures(held.some(count), reference)
    return dataclasses.replace(_figures(answers, reference), floor=floor)


def frechet_distance(a, b) -> float:
    """The squared Fréchet distance of two Gaussians with the means and covariances of two samples.

        |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))

    (Dowson and Landau 1982, doi:10.1016/0047-259X(82)90077-X). With S = R^T R of a QR decomposition, the second term
    is the smallest |R_a - U R_b|^2 of all rotations U, which a singular value decomposition of R_a R_b^T gives. No root
    of a covariance is taken and no large numbers cancel: the result is never below 0, and that of equal samples is
    0 to float64's rounding even where a covariance has no inverse.

    Args:
        a: (n, d) numbers, n of at least 2.
        b: (m, d) numbers, m of at least 2.

    Raises:
        ValueError: if the shapes do not fit.
    """
    a, b = _samples(a, b, 2)
    rotated, other = _root(a), _root(b)
    left, _, right = np.linalg.svd(rotated @ other.T)
    shift = a.mean(axis=0) - b.mean(axis=0)
    return float(np.square(shift).sum() + np.square(rotated - left @ right @ other).sum())


def neighbourhoods(real, generated, neighbours: int = NEIGHBOURS) -> Neighbours:
    """Precision, recall, density and coverage of samples by their nearest neighbours.

    The neighbourhood of a sample is the ball around it that reaches its `neighbours`-th nearest other sample of the
    same set. Precision is the share of `generated` inside of any neighbourhood of `real`, recall the share of `real`
    inside of any neighbourhood of `generated`, density the mean number of neighbourhoods of `real` that one of
    `generated` is inside of, over `neighbours`, and coverage the share of neighbourhoods of `real` with any of
    `generated` inside.

    Args:
        real: (m, d) numbers.
        generated: (n, d) numbers.
        neighbours: At least 1, and below n and m.

    Raises:
        ValueError: if the shapes do not fit, or there are too few samples for so many neighbours.
    """
    if type(neighbours) is not int or neighbours < 1:
        raise ValueError(f"neighbours: got {neighbours!r}; expected a whole number of at least 1, such as 5.")
    real, generated = _samples(real, generated, neighbours + 1)
    own_reach, reach = _reach(generated, neighbours), _reach(real, neighbours)
    among, total = 0, 0
    reached, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(generated), ROWS):
        part = slice(start, start + ROWS)
        distances = _squared_distances(generated[part], real)  # (rows, m)
        inside = distances <= reach
        among += int(inside.any(axis=1).sum())
        total += int(inside.sum())
        covered |= inside.any(axis=0)
        reached |= (distances <= own_reach[part, None]).any(axis=0)
    return Neighbours(
        precision=among / len(generated),
        recall=float(reached.mean()),
        density=total / (neighbours * len(generated)),
        coverage=float(covered.mean()),
    )


def reference_indices(labels) -> np.ndarray:
    """Which 10,000 of the training images of MNIST, in the order of its files, generated ones are compared with.

    Args:
        labels: (60000,) the labels of the training images.

    Returns:
        Sorted indices (10000,), with the classes in the proportions of `labels`, always the same.
    """
    return stratified_indices(labels, COUNT, np.random.default_rng(0))


class Answers(NamedTuple):
    """What a classifier makes of images.

    Attributes:
        features: (n, d), what its last layer is given, float32.
        classes: (n,) the classes that it reads.
        num_classes: k.
        labels: (n,) the classes that were asked for, or None.
    """

    features: np.ndarray
    classes: np.ndarray
    num_classes: int
    labels: np.ndarray | None

    def some(self, count: int) -> "Answers":
        """The answers to `count` of the images, the same ones each time: MNIST's are in no random order."""
        labels = None if self.labels is None else _some(self.labels, count)
        return self._replace(features=_some(self.features, count), classes=_some(self.classes, count), labels=labels)


class Reader:
    """A classifier that gives its features beside its answers, compiled once.

    Args:
        model: A classifier of the zoo, whose last layer, "logits", takes the features (b, d).

    Raises:
        ValueError: if the model has no such layer.
    """

    def __init__(self, model):
        names = [layer.name for layer in getattr(model, "layers", [])]
        if not names or names[-1] != "logits" or len(model.output_shape) != 2:
            raise ValueError(
                f"classifier: got {type(model).__name__}, whose layers are {', '.join(names) or 'none'}; expected a "
                "classifier whose last layer is `logits`, such as the preset cnn_mnist."
            )
        self.image_shape, self.num_classes = tuple(model.input_shape[1:]), model.output_shape[-1]
        probe = keras.Model(model.input, [model.layers[-1].input, model.output])
        self._answer = backend.compiled(lambda x: tuple(probe(x, training=False)), probe.variables)

    def __call__(self, what: str, images, labels=None) -> Answers:
        """The answers to images (n, h, w, c) in [0, 1], with the labels (n,) that were asked for.

        Raises:
            ValueError: if the images or the labels do not fit; the message calls the images `what`.
        """
        images = self._images(what, images)
        labels = None if labels is None else self._labels(labels, len(images))
        parts = [self._answer(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        features, logits = (
            np.concatenate([keras.ops.convert_to_numpy(x) for x in p]) for p in zip(*parts, strict=True)
        )
        return Answers(features, logits.argmax(axis=-1), self.num_classes, labels)

    def _images(self, what, images):
        images = np.asarray(images)
        if images.shape[1:] != self.image_shape or not len(images):
            raise ValueError(
                f"{what}: got the shape {images.shape}; the classifier takes {(None, *self.image_shape)}. Name one of "
                "such images by classifier=, or change the images."
            )
        if images.dtype.kind != "f":
            raise ValueError(f"{what}: got {images.dtype}; expected floats from 0 to 1. Of bytes, divide by 255.")
        low, high = images.min(), images.max()
        # NaN is in no range.
        if not (low >= -1e-3 and high <= 1 + 1e-3):
            raise ValueError(
                f"{what}: got values from {low:g} to {high:g}; expected 0 to 1. Of -1 to 1, take (images + 1) / 2."
            )
        return np.asarray(images, "float32")

    def _labels(self, labels, count):
        labels = np.asarray(labels)
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise ValueError(f"labels: got {labels.dtype} of shape {labels.shape}; expected whole numbers ({count},).")
        if labels.min() < 0 or labels.max() >= self.num_classes:
            raise ValueError(
                f"labels: got {labels.min()} to {labels.max()}; the classifier knows the classes 0 to "
                f"{self.num_classes - 1}."
            )
        return labels


def _reader(classifier) -> Reader:
    if isinstance(classifier, str) and classifier in registry.list_presets():
        return _shipped(classifier)
    return Reader(load_model(classifier) if isinstance(classifier, str | Path) else classifier)


@functools.lru_cache(maxsize=2)
def _shipped(name: str) -> Reader:
    """The reader of a shipped preset, loaded and compiled once."""
    return Reader(load_model(name))


@functools.lru_cache(maxsize=2)
def _mnist(reader: Reader) -> tuple[np.ndarray, Answers]:
    """The features of 10,000 training images of MNIST, and the answers to its test images."""
    data = load_data("mnist", validation_fraction=0)
    chosen = reference_indices(data.y_train)
    return reader("real", data.x_train[chosen]).features, reader("held_out", data.x_test, data.y_test)


def _figures(answers: Answers, reference) -> ImageQuality:
    nearest = min(NEAREST_COUNT, len(answers.features))
    near = neighbourhoods(_some(reference, nearest), _some(answers.features, nearest))
    shares = np.bincount(answers.classes, minlength=answers.num_classes) / len(answers.classes)
    trace = np.var(reference, axis=0, ddof=1, dtype="float64").sum()
    return ImageQuality(
        count=len(answers.features),
        nfcd=frechet_distance(answers.features, reference) / float(trace),
        **near._asdict(),
        class_shares=tuple(map(float, shares)),
        recognised=None if answers.labels is None else float((answers.labels == answers.classes).mean()),
    )


def _some(values, count: int):
    """The same `count` of the values each time, in no order that they have."""
    return values[np.random.default_rng(0).permutation(len(values))[:count]]


def _at_least(what: str, values, count: int):
    if len(values) < count:
        raise ValueError(
            f"{what}: got {len(values):,} images; expected at least as many as are measured, {count:,}. Measure "
            f"count={len(values)} images instead, or give more."
        )
    return np.asarray(values)


def _samples(a, b, least: int):
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < least:
        raise ValueError(
            f"got samples of the shapes {a.shape} and {b.shape}; expected (n, d), each n at least {least}."
        )
    return a, b


def _root(samples):
    """R (d, d) with R^T R the covariance of samples (n, d)."""
    root = np.linalg.qr((samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1), mode="r")
    # Fewer samples than features have a root of fewer rows.
    return np.pad(root, ((0, root.shape[1] - len(root)), (0, 0)))


def _reach(samples, neighbours: int):
    """The squared distance from each of (n, d) samples to its nearest but `neighbours` - 1, itself left out, (n,)."""
    found = []
    for start in range(0, len(samples), ROWS):
        distances = _squared_distances(samples[start : start + ROWS], samples)
        rows = np.arange(len(distances))
        distances[rows, start + rows] = np.inf
        found.append(np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])
    return np.concatenate(found)


def _squared_distances(a, b):
    """(n, m) squares of the distances between (n, d) and (m, d)."""
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    squares = lengths - 2 * a @ b.T
    # Of copies the differences are rounding, whose sign would decide what is inside of a ball of no size.
    squares[squares <= ROUNDING * lengths] = 0
    return squares
