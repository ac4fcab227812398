"""Recipes of the MTRNN: `kzoo train mtrnn --data NAME`. Its losses of validation are those of the closed loop.

Both take 3,000 steps. In the first half the network's input goes over from the teacher to its own output.
"""

from kzoo.recipe import ClippingSpec, DataSpec, ModelSpec, OptimizerSpec, Recipe, ScheduleSpec

_common = {
    "model": ModelSpec("mtrnn", {"blend_steps": 1500}),
    "optimizer": OptimizerSpec("adam", learning_rate=1e-2),
    "schedule": ScheduleSpec("cosine"),
    "epochs": 60,
}

RECIPES = {
    "lissajous": Recipe(data=DataSpec("lissajous"), clipping=ClippingSpec(global_norm=1.0), batch_size=5, **_common),
    # The longer the sequence, the more its gradient explodes.
    "compositions": Recipe(
        data=DataSpec("compositions"), clipping=ClippingSpec(global_norm=0.1), batch_size=3, **_common
    ),
}
