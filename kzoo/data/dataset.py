"""The three parts of a data set, how they are split, and their statistics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A data set in memory: training, validation and test part.

    Attributes:
        name: its name in `load_data`.
        kind: "image", "points", "sequence", "text" or "movements".
        x_train, x_val, x_test: float32 inputs. Images: (n, h, w, c) with values in [0, 1]. Points: (n, 2).
            Sequences: (n, t, d), or int32 (n, t) where they are tokens, as a text's are. Movements: a dictionary of
            "teacher", float32 (n, t, d), and "index", int32 (n, 1), which of them it is; what is tested is what was
            learned.
        y_train, y_val, y_test: what is wanted. For "classification" int32 class labels from 0, (n,); for "regression"
            float32 numbers, (n, d), or (n, t, d) at each step; for "tokens" int32 tokens at each step, (n, t),
            or -1 where none is asked for.
        class_names: the name of each class, in the order of the labels, or of each token of the vocabulary, which for a
            text are its characters; empty for a regression.
        task: "classification", "regression" or "tokens".
        renew: where an epoch has samples of its own, a function from the epoch, 0 and up, to its `x_train` and
            `y_train`, always as many: those above are of epoch 0. A pure function, so that a run can be resumed. None
            where every epoch has the same samples.
    """

    name: str
    kind: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple
    task: str = "classification"
    renew: Callable | None = None

    @property
    def input_shape(self):
        """The shape of one input: (h, w, c) for an image, (2,) for a point, (t, d) or (t,) for a sequence.

        For movements that of the teacher, (t, d).
        """
        x = self.x_train["teacher"] if isinstance(self.x_train, dict) else self.x_train
        return x.shape[1:]

    @property
    def num_classes(self):
        """The number of classes; of tokens in the vocabulary; 0 for a regression."""
        return len(self.class_names)

    @property
    def num_outputs(self):
        """How many numbers answer a question: one a class, one a token of the vocabulary, or the d wanted ones."""
        return self.y_train.shape[-1] if self.task == "regression" else self.num_classes

    def __repr__(self):
        parts = f"train {len(self.y_train)}, val {len(self.y_val)}, test {len(self.y_test)}"
        wanted = {
            "classification": f"{self.num_classes} classes",
            "regression": f"targets {self.y_train.shape[1:]}",
            "tokens": f"{self.num_classes} tokens",
        }
        return f"Dataset({self.name!r}, {self.kind} {self.input_shape}, {wanted[self.task]}, {parts})"


class RawData(NamedTuple):
    """What a loader gives before the validation part is split off: inputs as `scale` times their value.

    Attributes:
        in_time: whether the samples are overlapping windows of one series, in the order of time, so that they may only
            be split in time.
        by_heart: whether there is nothing to hold out: what is learned is what shall be said again.
        fresh: where each epoch is drawn anew, a function from the training part that the split has left, (x, y), to a
            function from an rng to the x and y of an epoch; else None.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    scale: int
    class_names: tuple
    in_time: bool = False
    by_heart: bool = False
    fresh: Callable | None = None


def standard_stats(x):
    """Mean and standard deviation of each channel, to standardise inputs as (x - mean) / std.

    Give it the training part alone: the other parts must not leak into what the model sees.

    Arguments:
        x: float array (n, ..., c), such as images (n, h, w, c) or points (n, c).

    Returns: (mean, std), float32 arrays of shape (c,). The std of a constant channel is given as 1, so that
        dividing by it is safe.
    Raises: ValueError if `x` holds no sample or has fewer than two axes.
    """
    x = np.asarray(x)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"`x` must be of shape (n, ..., c) with at least one sample. Received: shape {x.shape}. "
            "Pass the training part, for example standard_stats(data.x_train)."
        )
    axes = tuple(range(x.ndim - 1))
    # float64 sums, a block at a time: float32 sums drift, and a float64 copy of CIFAR-10 takes 1.2 GB.
    mean = x.mean(axis=axes, dtype=np.float64)
    squares = sum(np.square(x[i : i + 1024] - mean).sum(axis=axes) for i in range(0, len(x), 1024))
    std = np.sqrt(squares / (x.size // x.shape[-1]))
    # A constant channel's mean is exact only to rounding, and so is its std of zero.
    std[std <= 1e-12 * np.abs(mean)] = 1.0
    return mean.astype(np.float32), std.astype(np.float32)


def stratified_indices(labels, count, rng):
    """The indices of `count` samples whose classes are in the proportions of `labels`.

    Arguments:
        labels: int array (n,).
        count: how many to choose, 0 to n.
        rng: `numpy.random.Generator` that chooses within each class.

    Returns: sorted int64 array (count,). Each class gives its share rounded down or up (largest remainder;
        in a tie the lower label gives one more).
    """
    classes, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    # Integers, so that no rounding of floats decides which class gives the odd sample.
    take, remainder = np.divmod(sizes * count, len(labels))
    take[np.argsort(-remainder, kind="stable")[: count - take.sum()]] += 1
    chosen = [rng.permutation(np.flatnonzero(inverse == c))[: take[c]] for c in range(len(classes))]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def complement(indices, n):
    """The sorted indices below `n` that are not in `indices`."""
    left = np.ones(n, dtype=bool)
    left[indices] = False
    return np.flatnonzero(left)
