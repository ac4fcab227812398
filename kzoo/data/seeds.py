"""One random stream for each purpose, so that no two purposes ever share their numbers."""

import numpy as np

from kzoo.data.checks import check_integer

# The number is part of every stream's key: to change one is to change every split and every run made with it.
_DOMAINS = {
    "test part": 1,
    "smoke": 2,
    "validation": 3,
    "points": 4,
    "order": 5,
    "augmentation": 6,
    "sequences": 7,
    "permutation": 8,
    "movements": 9,
    "fresh": 10,
}


def generator(domain, *keys):
    """A NumPy generator that is a pure function of its arguments.

    Arguments:
        domain: the purpose, one of the names in `_DOMAINS`.
        keys: integers from 0 to 2**32 - 1, such as a seed, an epoch and the index of a batch.

    Returns: a `numpy.random.Generator` (PCG64).
    """
    return np.random.default_rng([_DOMAINS[domain], *keys])


def check_key(name, value):
    """`value` as an int, or a ValueError when it is no integer from 0 to 2**32 - 1.

    NumPy cuts a longer integer into 32-bit words, so that seed 2**32 at epoch 0 would be seed 0 at epoch 1.
    """
    return check_integer(name, value, 0, 2**32 - 1)
