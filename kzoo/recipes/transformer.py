"""Recipes of the Transformer: `kzoo train transformer --data NAME`.

"shakespeare" is what the preset was trained with. nanoGPT's own setting for a CPU, with its positions, window, batch
and number of steps, stands in `benchmarks/language.py`, beside a plain loop of torch.
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
    "regularisation": RegularisationSpec(weight_decay=0.1),
    "schedule": ScheduleSpec("cosine", warmup_epochs=0.5, floor=0.1),
}


def _text(name: str, *, window: int, batch_size: int, epochs: int) -> Recipe:
    return Recipe(
        # Rotary positions: with as many steps they read better than learned ones, 1.81 in place of 1.87 nats.
        model=ModelSpec("transformer", {"use_bias": False, "positions": "rotary"}),
        # 200 steps an epoch, each of windows that were not seen before; the warm-up takes 100.
        # The end of the training text chooses the epoch. It is no more than that: the test part goes on in its midst.
        data=DataSpec(name, validation_fraction=0.01, arguments={"window": window, "samples": 200 * batch_size}),
        optimizer=OptimizerSpec("adamw", learning_rate=3e-3, beta_2=0.99),
        epochs=epochs,
        batch_size=batch_size,
        **_common,
    )


RECIPES = {
    "pydoc": _text("pydoc", window=64, batch_size=12, epochs=10),
    "shakespeare": _text("shakespeare", window=128, batch_size=32, epochs=12),
    "mnist_rows": Recipe(
        # 28 rows of an image, which see each other all at once.
        model=ModelSpec("transformer", {"hidden_dim": 64, "num_layers": 2, "dropout": 0.1}),
        # 3,000 images choose the best epoch; the rest is worth more in training.
        data=DataSpec("mnist_rows", validation_fraction=0.05),
        optimizer=OptimizerSpec("adamw", learning_rate=2e-3),
        epochs=12,
        batch_size=128,
        **_common,
    ),
    "selective_copying": Recipe(
        model=ModelSpec("transformer", {"hidden_dim": 64, "num_layers": 2}),
        data=DataSpec("selective_copying", validation_fraction=0.05),
        optimizer=OptimizerSpec("adamw", learning_rate=1e-3),
        epochs=20,
        batch_size=64,
        **_common,
    ),
    "induction_heads": Recipe(
        # Rotary positions, so that the trained model can be asked about longer sequences than it was trained on.
        model=ModelSpec("transformer", {"hidden_dim": 64, "num_layers": 2, "positions": "rotary"}),
        data=DataSpec("induction_heads", validation_fraction=0.05),
        optimizer=OptimizerSpec("adamw", learning_rate=1e-3),
        epochs=20,
        batch_size=32,
        **_common,
    ),
}
