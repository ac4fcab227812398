"""Recipes of Mamba: `kzoo train mamba --data NAME`.

"shakespeare" is what the preset was trained with; `benchmarks/language.py` compares the models on equal terms. The
tasks of memory have the paper's two layers of width 64; it trains 400,000 and 204,800 steps on them.
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


def _text(name: str, *, window: int, batch_size: int, epochs: int) -> Recipe:
    return Recipe(
        model=ModelSpec("mamba"),
        # 200 steps an epoch, each of windows that were not seen before; the warm-up takes 100.
        data=DataSpec(name, validation_fraction=0.05, arguments={"window": window, "samples": 200 * batch_size}),
        optimizer=OptimizerSpec("adamw", learning_rate=2e-3, beta_2=0.99),
        regularisation=RegularisationSpec(weight_decay=0.1),
        epochs=epochs,
        batch_size=batch_size,
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
    "pydoc": _text("pydoc", window=64, batch_size=12, epochs=5),
    "shakespeare": _text("shakespeare", window=128, batch_size=16, epochs=12),
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
