"""Batches for `fit`, whose order and augmentation are pure functions of (seed, epoch, batch).

So a run that resumes at epoch k sees what an uninterrupted run sees, and every backend sees the same.
"""

import keras
import numpy as np

from kzoo.data.augment import augment
from kzoo.data.batches import batch_rng, epoch_order


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented training batches in memory.

    Args:
        x: Inputs, (n, ...), or a dictionary of them.
        y: Targets, (n, ...).
        batch_size: Samples a batch; the last one may be smaller.
        seed: Decides order and augmentation.
        augmentation: Arguments of `kzoo.data.augment`; None or all zero means none.
        shuffle: Whether each epoch has an order of its own; validation keeps the order of the data.
        renew: Where each epoch has samples of its own: see `kzoo.data.Dataset`. `x` and `y` are then those of epoch 0.

    `epoch` names the pass that the batches belong to; `FollowEpoch` sets it.
    """

    def __init__(self, x, y, batch_size: int, seed: int, augmentation=None, *, shuffle: bool = True, renew=None):
        super().__init__()  # one worker: threads would gain nothing here and cost a queue
        self.x, self.y = x, y
        self.batch_size = batch_size
        self.seed = seed
        self.augmentation = {k: v for k, v in (augmentation or {}).items() if v}
        self.shuffle = shuffle
        self.renew = renew
        self.epoch = self._renewed = 0
        self._order = (None, None)

    @property
    def num_batches(self):
        """Batches an epoch."""
        return -(-len(self.y) // self.batch_size)

    def __getitem__(self, index):
        epoch = self.epoch
        if self.renew is not None and self._renewed != epoch:
            self.x, self.y = self.renew(epoch)
            self._renewed = epoch
        chosen = slice(index * self.batch_size, (index + 1) * self.batch_size)
        if self.shuffle:
            if self._order[0] != epoch:
                self._order = (epoch, epoch_order(len(self.y), self.seed, epoch))
            chosen = self._order[1][chosen]
        x, y = keras.tree.map_structure(lambda part: part[chosen], (self.x, self.y))
        if self.augmentation:
            x = augment(x, batch_rng(self.seed, epoch, index), **self.augmentation)
        return keras.tree.map_structure(np.ascontiguousarray, x), y


class FollowEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch `fit` has reached."""

    def __init__(self, batches: Batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        """Keras calls this before it asks for the epoch's first batch."""
        self.batches.epoch = epoch
