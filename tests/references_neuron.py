"""What the tests of single neurons share."""

import numpy as np


def noisy(neurons=50, steps=5000, seed=1):
    """Currents, (steps, neurons) in amperes, that make neurons fire irregularly."""
    return 0.25e-9 + 3e-9 * np.random.default_rng(seed).standard_normal((steps, neurons))
