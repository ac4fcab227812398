"""Diffusion and flow matching on the backend of KERAS_BACKEND, in a process of its own: diffusion_worker.py FOLDER.

Leaves FOLDER/BACKEND.npz: of each the initial weights, the loss at each of 100 steps, and images made afterwards.
"""

import sys
from pathlib import Path

import kzoo  # isort: skip

import keras
import numpy as np

from kzoo.data import load_data
from kzoo.data.batches import epoch_order
from kzoo.models.diffusion import Diffusion
from kzoo.sampling.diffusion import sample
from kzoo.seeds import seeded

STEPS, BATCH = 100, 16
# All that a step can draw is on: timesteps, noise, dropout, hidden classes.
MODELS = {
    "v": {"min_snr": 5.0, "label_dropout": 0.2},
    "flow": {"prediction": "flow", "noise_schedule": "flow"},
}

data = load_data("digits", seed=1)
orders = [epoch_order(len(data.x_train), 1, epoch) for epoch in range(2)]
rows = np.concatenate(orders)[: STEPS * BATCH].reshape(STEPS, BATCH)
found = {}
for name, arguments in MODELS.items():
    with seeded(11):
        model = Diffusion((8, 8, 1), 10, filters=(8, 8), num_heads=2, dropout=0.1, momentum=0.9, **arguments)
    model.compile(keras.optimizers.Adam(3e-3))
    for i, weight in enumerate(model.weights):
        found[f"{name}-w{i:02d}"] = keras.ops.convert_to_numpy(weight)
    losses = []
    for chosen in rows:
        model.reset_metrics()
        losses.append(float(model.train_on_batch(data.x_train[chosen], data.y_train[chosen], return_dict=True)["loss"]))
    found[f"{name}-losses"] = losses
    labels = np.arange(10)
    found[f"{name}-ddim"] = model.sample(10, labels)
    found[f"{name}-ddpm"] = sample(model, 10, labels, sampler="ddpm", steps=100)
    found[f"{name}-guided"] = sample(model, 10, labels, sampler="dpm_solver", steps=20, guidance_scale=2)
np.savez(Path(sys.argv[1]) / f"{kzoo.backend.name()}.npz", **found)
