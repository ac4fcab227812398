"""What the recipes of rnn, lstm and gru share, so that the three are compared on equal terms."""

from kzoo.recipe import ClippingSpec, DataSpec, ModelSpec, OptimizerSpec, Recipe, RegularisationSpec, ScheduleSpec


def recipes(model: str, **own) -> dict[str, Recipe]:
    """A recipe for each data set.

    Args:
        model: "rnn", "lstm" or "gru".
        **own: Data set -> what the model changes in its recipe, as for `Recipe.override`.
    """
    common = {
        # A gradient through many steps explodes now and then: one bad batch must not undo an epoch.
        "clipping": ClippingSpec(global_norm=1.0),
        "schedule": ScheduleSpec("cosine"),
    }
    found = {
        "digits_rows": Recipe(
            model=ModelSpec(model, {"hidden_dims": [64], "dropout": 0.2}),
            data=DataSpec("digits_rows"),
            optimizer=OptimizerSpec("adam", learning_rate=5e-3),
            regularisation=RegularisationSpec(label_smoothing=0.1),
            epochs=50,
            batch_size=32,
            **common,
        ),
        "mnist_rows": Recipe(
            model=ModelSpec(model, {"hidden_dims": [128], "dropout": 0.3}),
            # 3,000 images choose the best epoch; the rest is worth more in training.
            data=DataSpec("mnist_rows", validation_fraction=0.05),
            optimizer=OptimizerSpec("adam", learning_rate=3e-3),
            regularisation=RegularisationSpec(label_smoothing=0.1),
            epochs=12,
            batch_size=128,
            **common,
        ),
        "adding": Recipe(
            model=ModelSpec(model, {"hidden_dims": [32]}),
            # Every sequence is seen two or three times, so that nothing can be learned by heart.
            data=DataSpec("adding", validation_fraction=0.05, arguments={"length": 600, "samples": 20_000}),
            optimizer=OptimizerSpec("adam", learning_rate=1e-2),
            epochs=3,
            batch_size=20,
            **common,
        ),
        "copying": Recipe(
            model=ModelSpec(model, {"hidden_dims": [128]}),
            data=DataSpec("copying"),
            optimizer=OptimizerSpec("adam", learning_rate=2e-3),
            epochs=20,
            batch_size=50,
            **common,
        ),
        "mackey_glass": Recipe(
            model=ModelSpec(model, {"hidden_dims": [32]}),
            data=DataSpec("mackey_glass"),
            optimizer=OptimizerSpec("adam", learning_rate=1e-2),
            epochs=40,
            batch_size=32,
            **common,
        ),
        "sunspots": Recipe(
            model=ModelSpec(model, {"hidden_dims": [16]}),
            data=DataSpec("sunspots", validation_fraction=0.15),
            optimizer=OptimizerSpec("adam", learning_rate=3e-3),
            epochs=60,
            batch_size=16,
            **common,
        ),
    }
    return {name: recipe.override(**own.get(name, {})) for name, recipe in found.items()}
