"""Data sets as seeded NumPy arrays in memory, and what a training loop needs to serve them.

`load_data` gives a `Dataset`; `list_datasets` describes what there is; `epoch_order` and `batch_rng` make
the order and the randomness of an epoch pure functions of the seed; `augment` moves images a little.
Nothing here imports Keras or a backend, so that every backend is fed the same bytes.
"""

from kzoo.data.augment import augment, warp
from kzoo.data.batches import batch_rng, epoch_order
from kzoo.data.catalogue import DatasetInfo, list_datasets
from kzoo.data.dataset import Dataset, standard_stats
from kzoo.data.load import load_data

__all__ = [
    "Dataset",
    "DatasetInfo",
    "augment",
    "batch_rng",
    "epoch_order",
    "list_datasets",
    "load_data",
    "standard_stats",
    "warp",
]
