"""Recipes of Mamba: `kzoo train mamba --data NAME`.

Texts are read as the transformer's recipes read them, so that the two compare: 2,000 steps of 12 windows of 64
characters. The tasks of memory have the paper's two layers of width 64; it trains 400,000 and 204,800 steps on them.
"""

from kzoo.recipe import (
    ClippingSpec,
    DataSpec,
    ModelSpec,
    OptimizerSpec,
    Recipe,
    RegularisationSpec,
    ScheduleSpec,
)

_common = {
    "clipping": ClippingSpec(global_norm=1.0),
    "schedule": ScheduleSpec("cosine", warmup_epochs=0.5, floor=0.1),
}


def _text(name: str) -> Recipe:
    return Recipe(
        model=ModelSpec("mamba"),
        data=DataSpec(name, validation_fraction=0.05, arguments={"window": 64, "samples": 2400}),
        optimizer=OptimizerSpec("adamw", learning_rate=2e-3, beta_2=0.99),
        regularisation=RegularisationSpec(weight_decay=0.1),
        epochs=10,
        batch_size=12,
        **_common,
    )


def _memory(name: str, **given) -> Recipe:
    return Recipe(
        model=ModelSpec("mamba", {"hidden_dim": 64, "num_layers": 2}),
        data=DataSpec(name, validation_fraction=0.05),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        **{"epochs": 20, "batch_size": 64, **given},
        **_common,
    )


RECIPES = {
    "pydoc": _text("pydoc"),
    "shakespeare": _text("shakespeare"),
    "mnist_rows": Recipe(
        model=ModelSpec("mamba", {"hidden_dim": 64, "num_layers": 2}),
        # 3,000 images choose the best epoch; the rest is worth more in training.
        data=DataSpec("mnist_rows", validation_fraction=0.05),
        optimizer=OptimizerSpec("adamw", learning_rate=2e-3),
        regularisation=RegularisationSpec(weight_decay=0.1),
        epochs=12,
        batch_size=128,
        **_common,
    ),
    "selective_copying": _memory("selective_copying"),
    "induction_heads": _memory("induction_heads", batch_size=32),
}
