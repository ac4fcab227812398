"""What a classifier makes of images: its features beside the classes that it reads.

Axis letters: b batch, n images, h w c image, d features, k classes.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kzoo import backend, registry
from kzoo.models.preset import load_model

# Images that the classifier reads at a time.
BATCH = 250


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
        labels = None if self.labels is None else some(self.labels, count)
        return self._replace(features=some(self.features, count), classes=some(self.classes, count), labels=labels)


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


def reader_of(classifier) -> Reader:
    """The reader of a classifier of the zoo, or of what `kzoo.load_model` takes."""
    if isinstance(classifier, str) and classifier in registry.list_presets():
        return _shipped(classifier)
    return Reader(load_model(classifier) if isinstance(classifier, str | Path) else classifier)


@functools.lru_cache(maxsize=2)
def _shipped(name: str) -> Reader:
    """The reader of a shipped preset, loaded and compiled once."""
    return Reader(load_model(name))


def some(values, count: int):
    """The same `count` of the values each time, in no order that they have."""
    return values[np.random.default_rng(0).permutation(len(values))[:count]]
