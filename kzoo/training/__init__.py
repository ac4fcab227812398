"""Training: `run(recipe)` makes a run folder, and `evaluate(model, data)` measures a model."""

from kzoo import backend

# Before any file here imports Keras, whose own error for a missing backend does not say what to install.
backend.name()

from kzoo.training.evaluation import evaluate  # noqa: E402
from kzoo.training.run import RunResult, run  # noqa: E402

__all__ = ["RunResult", "evaluate", "run"]
