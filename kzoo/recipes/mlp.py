"""Recipes of the MLP: `kzoo train mlp --data NAME`.

On mnist with seed 0 it reached 99.21 % (JAX), 99.15 % (PyTorch) and 99.13 % (TensorFlow) of the test images. The
classical 784-128-10 without dropout, normalisation and augmentation is

    kzoo train mlp --data mnist --model.hidden_dims "[128]" --model.dropout 0 --model.batch_norm false \\
        --data.shift 0 --data.rotate 0 --data.scale 0
"""

from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe, ScheduleSpec

_points = {
    "optimizer": OptimizerSpec("adam", learning_rate=1e-2),
    "schedule": ScheduleSpec("cosine"),
    "batch_size": 32,
}

RECIPES = {
    "digits": Recipe(
        model=ModelSpec("mlp", {"hidden_dims": [128, 128], "dropout": 0.2, "batch_norm": True}),
        data=DataSpec("digits", shift=0.5, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        epochs=40,
        batch_size=32,
    ),
    "mnist": Recipe(
        model=ModelSpec("mlp", {"hidden_dims": [512, 512], "dropout": 0.2, "batch_norm": True}),
        # Moved digits are what a network without convolutions cannot guess by itself.
        data=DataSpec("mnist", validation_fraction=0.05, shift=1.0, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        epochs=20,
        batch_size=128,
    ),
    "spirals": Recipe(
        # Units few enough to be drawn one by one. Tanh stays near its linear part here and ends at 68 %.
        model=ModelSpec("mlp", {"hidden_dims": [8, 8, 8], "activation": "relu"}),
        data=DataSpec("spirals"),
        epochs=150,
        **_points,
    ),
    "moons": Recipe(
        model=ModelSpec("mlp", {"hidden_dims": [16, 16], "activation": "tanh"}),
        data=DataSpec("moons"),
        epochs=40,
        **_points,
    ),
    "xor": Recipe(
        model=ModelSpec("mlp", {"hidden_dims": [8], "activation": "tanh"}),
        data=DataSpec("xor"),
        epochs=40,
        **_points,
    ),
}
