"""Recipes of the SNN: `kzoo train snn --data NAME`.

| data | test accuracy, seed 0: JAX, PyTorch, TensorFlow | seconds a run on one busy core |
| --- | --- | --- |
| digits | 98.61 % (JAX) | 10 |
| mnist | 98.93 %, 98.84 %, 98.74 % | 113, 198, 203 |

Once more on JAX, with a loop that rounds otherwise: 98.82 %.
"""

from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe, ScheduleSpec

RECIPES = {
    "digits": Recipe(
        model=ModelSpec("snn", {"hidden_dims": [128], "steps": 10, "tau": 5.0}),
        data=DataSpec("digits", shift=0.5, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=5e-3),
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        epochs=40,
        batch_size=32,
    ),
    "mnist": Recipe(
        # Ten steps are enough to tell digits apart, and five times as many take five times as long.
        model=ModelSpec("snn", {"hidden_dims": [512], "steps": 10, "tau": 5.0}),
        # Moved digits are what a network without convolutions cannot guess by itself.
        data=DataSpec("mnist", validation_fraction=0.05, shift=1.0, rotate=10.0, scale=0.1),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine", warmup_epochs=1),
        epochs=20,
        batch_size=128,
    ),
}
