"""The order of an epoch and the randomness of a batch, as pure functions of the seed.

Nothing is carried from one epoch to the next: a run that resumes at epoch k sees the same batches, and the
same augmentation of them, as one that was never interrupted.
"""

import numpy as np

from kzoo.data.checks import check_integer
from kzoo.data.seeds import check_key, generator


def epoch_order(n, seed, epoch):
    """The order in which epoch `epoch` visits `n` samples.

    Arguments:
        n: number of samples, 0 or more.
        seed: the seed of the run, an integer from 0 to 2**32 - 1.
        epoch: index of the epoch, from 0.

    Returns: an int64 permutation of 0 ... n - 1, shape (n,).
    Raises: ValueError if an argument is no integer in its range.
    """
    n = check_integer("n", n, 0)
    rng = generator("order", check_key("seed", seed), check_key("epoch", epoch))
    return rng.permutation(np.arange(n, dtype=np.int64))


def batch_rng(seed, epoch, batch):
    """The generator for all that is random about one batch, such as `augment`.

    Arguments:
        seed: the seed of the run, an integer from 0 to 2**32 - 1.
        epoch: index of the epoch, from 0.
        batch: index of the batch within the epoch, from 0.

    Returns: a fresh `numpy.random.Generator`, independent of every other batch's and of `epoch_order`.
    Raises: ValueError if an argument is no integer in its range.
    """
    return generator("augmentation", check_key("seed", seed), check_key("epoch", epoch), check_key("batch", batch))
