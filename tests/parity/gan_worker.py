"""A GAN and a WGAN-GP on the backend of KERAS_BACKEND, in a process of its own: python gan_worker.py FOLDER.

Leaves FOLDER/BACKEND.npz: of each the initial weights, the losses of both phases at each of 100 steps, and images made
afterwards.
"""

import sys
from pathlib import Path

import kzoo  # isort: skip

import keras
import numpy as np

from kzoo.data import load_data
from kzoo.data.batches import epoch_order
from kzoo.models.gan import GAN
from kzoo.seeds import seeded

STEPS, BATCH = 100, 16
# All that a step can draw is on: noise, dropout, the places of the penalty.
MODELS = {
    "gan": {"objective": "non_saturating", "dropout": 0.2},
    "wgan": {"objective": "wasserstein", "penalty": 10.0, "discriminator_steps": 2, "dropout": 0.1},
}

data = load_data("digits", seed=1)
orders = [epoch_order(len(data.x_train), 1, epoch) for epoch in range(2)]
found = {}
for name, arguments in MODELS.items():
    with seeded(11):
        model = GAN((8, 8, 1), num_classes=10, latent_dim=8, filters=(4, 8), momentum=0.9, **arguments)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    for i, weight in enumerate(model.weights):
        found[f"{name}-w{i:02d}"] = keras.ops.convert_to_numpy(weight)
    rows = np.concatenate(orders)[: STEPS * BATCH].reshape(STEPS, BATCH)
    losses = []
    for chosen in rows:
        model.reset_metrics()
        logs = model.train_on_batch(data.x_train[chosen], data.y_train[chosen], return_dict=True)
        losses.append([float(logs["discriminator_loss"]), float(logs["generator_loss"])])
    found[f"{name}-losses"] = losses
    found[f"{name}-images"] = model.sample(20, np.arange(20) % 10)
np.savez(Path(sys.argv[1]) / f"{kzoo.backend.name()}.npz", **found)
