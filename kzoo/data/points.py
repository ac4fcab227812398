"""Four sets of labelled points in the plane, for networks small enough to draw.

Each generator is `f(rng, samples, noise, ...) -> (x, y)`: x float32 (samples, 2), y int32 (samples,). The
labels cycle 0, 1, ..., so the classes are balanced and any prefix is a fair sample; `noise` is the standard
deviation of the Gaussian added to both coordinates, in the units of the plane.
"""

import math

import numpy as np

from kzoo.data.checks import check_integer, check_number


def spirals(rng, samples=1000, noise=0.05, turns=1.5, classes=2):
    """`classes` interleaved spiral arms that start at the origin and end on the unit circle.

    Arm k is r = s, angle = 2 pi (turns s + k / classes) for s in [0, 1]. The density along an arm grows with
    s (s is the root of a uniform number), which spreads the points about evenly along its length.
    """
    _check(samples, noise, check_integer("classes", classes, 2))
    check_number("turns", turns, lambda v: 0 < v < math.inf, "a number of turns, above 0")
    y = np.arange(samples) % classes
    s = np.sqrt(rng.random(samples))
    angle = 2 * math.pi * (turns * s + y / classes)
    return _with_noise(rng, s * np.cos(angle), s * np.sin(angle), noise), y.astype(np.int32)


def moons(rng, samples=1000, noise=0.1):
    """Two half circles of radius 1: class 0 arches over (0, 0), class 1 hangs under (1, 0.5)."""
    _check(samples, noise, 2)
    y = np.arange(samples) % 2
    angle = math.pi * rng.random(samples)
    x0 = np.where(y == 0, np.cos(angle), 1 - np.cos(angle))
    x1 = np.where(y == 0, np.sin(angle), 0.5 - np.sin(angle))
    return _with_noise(rng, x0, x1, noise), y.astype(np.int32)


def xor(rng, samples=1000, noise=0.25):
    """Gaussian clouds about the corners (±1, ±1), each in turn: class 1 where the signs differ.

    Four samples without noise are the truth table of exclusive or.
    """
    _check(samples, noise, 4)
    y = np.arange(samples) % 2
    first = np.where(np.arange(samples) % 4 < 2, -1.0, 1.0)
    return _with_noise(rng, first, np.where(y == 0, first, -first), noise), y.astype(np.int32)


def ring(rng, samples=1000, noise=0.1, clouds=8):
    """`clouds` Gaussian clouds on the circle of radius 2, cloud 0 about (2, 0) and on against the clock; a class each.

    With 8 clouds and noise=0.02 it is the set on which Metz et al. 2016, arXiv:1611.02163, show how a generator
    visits some clouds and forgets the others.
    """
    _check(samples, noise, check_integer("clouds", clouds, 2))
    y = np.arange(samples) % clouds
    angle = 2 * math.pi * y / clouds
    return _with_noise(rng, 2 * np.cos(angle), 2 * np.sin(angle), noise), y.astype(np.int32)


def _with_noise(rng, x0, x1, noise):
    clean = np.stack([x0, x1], axis=1)
    # Drawn at noise=0 too, so that the noise alone changes from one level to the next.
    return (clean + noise * rng.standard_normal(clean.shape)).astype(np.float32)


def _check(samples, noise, fewest):
    check_integer("samples", samples, fewest)
    check_number("noise", noise, lambda v: 0 <= v < math.inf, "a standard deviation, 0 or more")
