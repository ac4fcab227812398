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
        # The end of the training text chooses the epoch. It is no more than that: the test part goes on in its midst.
        data=DataSpec(name, validation_fraction=0.01, arguments={"window": window, "samples": 200 * batch_size}),
        optimizer=OptimizerSpec("adamw", learning_rate=1e-3, beta_2=0.99),
        regularisation=RegularisationSpec(weight_decay=0.1),
        epochs=epochs,
        batch_size=batch_size,
        **_common,
    )


def _memory(name: str, arguments: dict, **given) -> Recipe:
    return Recipe(
        # A tied head pulls the vectors of all letters to one before any is told from the other.
        model=ModelSpec("mamba", {"hidden_dim": 64, "num_layers": 2, "tied": False}),
        # Each epoch has new samples: so few of them that the course of the training can be seen.
        data=DataSpec(name, validation_fraction=0.1, arguments={"samples": 4000, **arguments}),
        optimizer=OptimizerSpec("adam", learning_rate=2e-3),
        **given,
        **_common,
    )


RECIPES = {
    "pydoc": _text("pydoc", window=64, batch_size=12, epochs=5),
    "shakespeare": _text("shakespeare", window=64, batch_size=12, epochs=10),
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
    "selective_copying": _memory("selective_copying", {"length": 128, "tokens": 8}, epochs=32, batch_size=16),
    # 4,500 steps, of the paper's 204,800: of two seeds, 0 finds the task in them and 1 does not.
    "induction_heads": _memory("induction_heads", {}, epochs=10, batch_size=8),
}
