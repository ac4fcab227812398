"""How far apart two sets of samples are: the Fréchet distance, and what their nearest neighbours say.

Axis letters: n generated samples, m real ones, d features.
"""

from typing import NamedTuple

import numpy as np

# How many neighbours a neighbourhood reaches.
NEIGHBOURS = 5
# Rows of a matrix of distances that are computed at a time: 40 MB of it at 10,000 columns.
ROWS = 500
# A square of a distance below this share of the squares of the lengths is rounding of float32 features: no distance.
ROUNDING = 1e-12


class Neighbours(NamedTuple):
    """What the nearest neighbours say of generated samples: see `neighbourhoods`."""

    precision: float
    recall: float
    density: float
    coverage: float


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
