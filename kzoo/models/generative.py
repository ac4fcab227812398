"""What the models that make images share: their form, their labels, and how samples are drawn.

Axis letters: b batch, h w c image, k latent.

Images are float32 (b, h, w, c) in [0, 1], given and made; whatever else a network wants, its model sees to. A model
with `num_classes` is conditional: it is told the class of each image and makes images of a class. One without is told
none.

A page gives `phases`, whose losses are `(x, y, training)` to a scalar, means over the batch, with their noise drawn by
`self.seeds.next(training)`; and `draw`, from noise to images.
"""

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.models.base import ZooModel, count
from kzoo.models.phased import PhasedModel
from kzoo.ops import random


class GenerativeModel(PhasedModel):
    """A model that makes images.

    A subclass keeps its own arguments as attributes of the same names, and sets `self.built` once its parts stand.

    Args:
        input_shape: Shape of an image, (h, w, c).
        num_classes: How many classes there are, where the model is told them; else None.

    Attributes:
        image_shape: (h, w, c).
        seeds: The streams of noise of training and of validation.
        measured: How the figures of `measure` come about, where that is to be told with them: whole sentences.
    """

    task = "generation"
    measured = ""
    save_to_preset = ZooModel.save_to_preset

    def __init__(self, input_shape=(28, 28, 1), num_classes: int | None = None, **kwargs):
        super().__init__(**kwargs)
        shape = tuple(input_shape) if isinstance(input_shape, (list, tuple)) else ()
        if len(shape) != 3 or any(type(size) is not int or size < 1 for size in shape):
            raise ValueError(
                f"model.input_shape: got {input_shape!r}; expected the shape of an image, (h, w, c), such as "
                "(28, 28, 1)."
            )
        self.image_shape = shape
        self.num_classes = None if num_classes is None else count("num_classes", num_classes)
        self.seeds = random.Seeds.of()
        self._functions = {}  # of `in_batches`

    @property
    def input_shape(self):
        """(None, h, w, c), as a model with a graph has it."""
        return (None, *self.image_shape)

    @property
    def output_shape(self):
        """(None, h, w, c): images."""
        return (None, *self.image_shape)

    def sample_inputs(self, count: int, seed: int = 0):
        """Random images, (count, h, w, c) float32 in [0, 1), for probes and tests."""
        return np.random.default_rng(seed).random((count, *self.image_shape), dtype="float32")

    def probe(self) -> np.ndarray:
        """Four images that are the same each time, by which backends are compared: (4, h, w, c)."""
        return self.sample(4, None if self.num_classes is None else np.arange(4) % self.num_classes)

    def one_hot(self, y):
        """The classes of a batch, (b,) to (b, num_classes) float32; None where the model is told none.

        Raises:
            ValueError: if the model is conditional and there are no labels.
        """
        if self.num_classes is None:
            return None
        if y is None:
            raise ValueError(
                f"{type(self).__name__}: got images without labels, and num_classes={self.num_classes}; expected a "
                f"label from 0 to {self.num_classes - 1} with each, or a model with num_classes=None."
            )
        return ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), self.num_classes)

    def checked_labels(self, count: int, labels) -> np.ndarray | None:
        """The classes of images that are asked for, (count,) int32; None where the model is told none.

        Args:
            count: How many images.
            labels: One class for all of them, or `count` classes; None for a model that is told none.

        Raises:
            ValueError: if `count` is no positive whole number, a conditional model is not told the classes, another
                one is, or they are no whole numbers from 0 to below `num_classes`, `count` of them.
        """
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"count: got {count!r}; expected how many images to make, at least 1, such as 64.")
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(
                    f"labels: got {labels!r}, and this {type(self).__name__} was trained without classes "
                    "(num_classes=None), so that none can be asked for; leave labels out."
                )
            return None
        allowed = f"a class from 0 to {self.num_classes - 1}, or {count} of them"
        if labels is None:
            raise ValueError(f"labels: got None; this {type(self).__name__} makes images of a class: give {allowed}.")
        found = np.asarray(labels)
        fits = found.dtype.kind in "iu" and found.shape in ((), (1,), (count,))
        if not fits or found.min() < 0 or found.max() >= self.num_classes:
            raise ValueError(f"labels: got {labels!r}; expected {allowed}.")
        return np.broadcast_to(found, (count,)).astype("int32")

    def noise(self, count: int, seed: int) -> np.ndarray:
        """What images are made of, (count, ...) float32: the same on every backend, the first rows for any `count`."""
        raise NotImplementedError

    def draw(self, noise, labels):
        """Images (b, h, w, c) of noise (b, ...) and labels (b,), or None where the model is told none; compiled."""
        raise NotImplementedError

    def sample(self, count: int, labels=None, *, seed: int = 0, batch_size: int = 100) -> np.ndarray:
        """Makes images: one seed gives the same ones on every backend, up to rounding.

        Args:
            count: How many.
            labels: For a conditional model a class for all, or `count` of them.
            seed: Decides the noise, a whole number of at least 0.
            batch_size: How many at a time; it changes no image.

        Returns:
            (count, h, w, c) float32 in [0, 1].

        Raises:
            ValueError: as `checked_labels`, or for a seed that is none.
        """
        labels = self.checked_labels(count, labels)
        return self.in_batches("draw", self.draw, [self.noise(count, seed), labels], batch_size)

    def in_batches(self, name: str, function, arrays: list, batch_size: int):
        """A function of batches over whole arrays, compiled once and kept.

        Args:
            name: Whose compiled form is kept: of one name there is one function.
            function: Of tensors (b, ...), and of None where there is no array, to a tensor (b, ...) or a tuple of
                them. It assigns no variable.
            arrays: NumPy arrays (n, ...); for one name always the same ones are None.
            batch_size: b. The last batch is filled up with what the arrays begin with, so that there is one shape.

        Returns:
            What the function gives, as NumPy arrays (n, ...).
        """
        given = [array for array in arrays if array is not None]
        if name not in self._functions:
            places = [i for i, array in enumerate(arrays) if array is not None]

            def whole(*batch):
                told = dict(zip(places, batch, strict=True))
                return function(*(told.get(i) for i in range(len(arrays))))

            self._functions[name] = backend.compiled(whole, self.variables)
        total = len(given[0])
        size, found = min(batch_size, total), []
        for start in range(0, total, size):
            rows = np.arange(start, start + size) % total
            made = self._functions[name](*(np.ascontiguousarray(array[rows]) for array in given))
            found.append(keras.tree.map_structure(ops.convert_to_numpy, made))
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts)[:total], *found)

    def measure(self, x, y=None, *, seed: int = 0, thorough: bool = False) -> dict[str, float]:
        """The model's own figures on images that it has not seen: keys of `kzoo.training.tasks.FIGURES`.

        Args:
            x: Images (n, h, w, c).
            y: Labels (n,); read where the model is conditional.
            seed: Decides the noise that is drawn for it.
            thorough: Whether to measure also what takes long.
        """
        return {}


class LatentModel(GenerativeModel):
    """A model that makes an image of a code, `latent_dim` normal numbers."""

    def noise(self, count: int, seed: int) -> np.ndarray:
        """Codes (count, k), drawn in NumPy."""
        return normal((count, self.latent_dim), seed)

    def decode(self, z, labels=None) -> np.ndarray:
        """Images (n, h, w, c) in [0, 1] of codes (n, k), such as those on a way from one image to another.

        Raises:
            ValueError: for codes of another length, or labels that are missing or not asked for.
        """
        z = np.asarray(z, "float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z: got the shape {z.shape}; expected (n, {self.latent_dim}), a code for each image.")
        return self.in_batches("draw", self.draw, [z, self.checked_labels(len(z), labels)], 100)


def normal(shape, seed: int) -> np.ndarray:
    """Standard normal numbers, float32, drawn in NumPy: the same on every backend.

    Raises:
        ValueError: if the seed is no whole number of at least 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: got {seed!r}; expected a whole number of at least 0, such as 0.")
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")
