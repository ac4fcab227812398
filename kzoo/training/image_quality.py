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

import numpy as np

from kzoo.data import load_data
from kzoo.data.dataset import stratified_indices
from kzoo.training.distances import NEIGHBOURS, frechet_distance, neighbourhoods
from kzoo.training.image_reader import Answers, Reader, reader_of, some

# The number of images that figures are stated for: with fewer, nFCD is larger for the same generator.
COUNT = 10_000
# Images of each kind among which neighbours are sought.
NEAREST_COUNT = 2_500
# Of MNIST, whose images the default reference is.
CLASSIFIER = "cnn_mnist"


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
    reader = reader_of(classifier)
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
        reference = reader("real", some(_at_least("real", real, count), COUNT)).features
        held = None
        if held_out is not None:
            held = reader("held_out", _at_least("held_out", held_out, count), held_out_labels)
    floor = None if held is None else _figures(held.some(count), reference)
    return dataclasses.replace(_figures(answers, reference), floor=floor)


def reference_indices(labels) -> np.ndarray:
    """Which 10,000 of the training images of MNIST, in the order of its files, generated ones are compared with.

    Args:
        labels: (60000,) the labels of the training images.

    Returns:
        Sorted indices (10000,), with the classes in the proportions of `labels`, always the same.
    """
    return stratified_indices(labels, COUNT, np.random.default_rng(0))


@functools.lru_cache(maxsize=2)
def _mnist(reader: Reader) -> tuple[np.ndarray, Answers]:
    """The features of 10,000 training images of MNIST, and the answers to its test images."""
    data = load_data("mnist", validation_fraction=0)
    chosen = reference_indices(data.y_train)
    return reader("real", data.x_train[chosen]).features, reader("held_out", data.x_test, data.y_test)


def _figures(answers: Answers, reference) -> ImageQuality:
    nearest = min(NEAREST_COUNT, len(answers.features))
    near = neighbourhoods(some(reference, nearest), some(answers.features, nearest))
    shares = np.bincount(answers.classes, minlength=answers.num_classes) / len(answers.classes)
    trace = np.var(reference, axis=0, ddof=1, dtype="float64").sum()
    return ImageQuality(
        count=len(answers.features),
        nfcd=frechet_distance(answers.features, reference) / float(trace),
        **near._asdict(),
        class_shares=tuple(map(float, shares)),
        recognised=None if answers.labels is None else float((answers.labels == answers.classes).mean()),
    )


def _at_least(what: str, values, count: int):
    if len(values) < count:
        raise ValueError(
            f"{what}: got {len(values):,} images; expected at least as many as are measured, {count:,}. Measure "
            f"count={len(values)} images instead, or give more."
        )
    return np.asarray(values)
