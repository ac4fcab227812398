"""Recipes of the VAE: `kzoo train vae --data NAME`.

One that can be asked for a digit:  kzoo train vae --data mnist --data.labels true
"""

from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe, ScheduleSpec

RECIPES = {
    "digits": Recipe(
        model=ModelSpec("vae", {"latent_dim": 10, "hidden_dims": [128, 64], "activation": "gelu"}),
        data=DataSpec("digits"),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine"),
        epochs=100,
        batch_size=50,
    ),
    "mnist": Recipe(
        model=ModelSpec("vae", {"latent_dim": 50, "hidden_dims": [400, 400], "activation": "gelu"}),
        data=DataSpec("mnist", validation_fraction=0.02),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        schedule=ScheduleSpec("cosine"),
        epochs=250,
        batch_size=100,
    ),
}
