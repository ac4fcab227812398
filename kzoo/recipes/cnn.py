"""Recipes of the CNN: `kzoo train cnn --data NAME`.

| data | test accuracy, seed 0: JAX, PyTorch, TensorFlow | seconds a run, JAX on two idle cores |
| --- | --- | --- |
| digits | 99.72 % (JAX) | 30 |
| mnist | 99.53 %, 99.63 %, 99.55 % | 950 |
"""

from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe, RegularisationSpec, ScheduleSpec

RECIPES = {
    "digits": Recipe(
        # 8 x 8 pixels have no border to spare, so convolutions keep the size.
        model=ModelSpec("cnn", {"filters": [32, 64], "padding": "same", "dropout": 0.4}),
        data=DataSpec("digits", shift=0.7, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        epochs=25,
        batch_size=32,
    ),
    "mnist": Recipe(
        model=ModelSpec("cnn", {"filters": [32, 64], "padding": "valid", "dropout": 0.4}),
        # 3,000 images choose the best epoch; the rest is worth more in training.
        data=DataSpec("mnist", validation_fraction=0.05, shift=2.0, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        # The last epochs at a small rate are worth two tenths of a percent.
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        regularisation=RegularisationSpec(label_smoothing=0.05),
        epochs=15,
        batch_size=128,
    ),
}
