"""Training: `run(recipe)` makes a run folder, and `evaluate(model, data)` measures a model."""

from kzoo.training.evaluation import evaluate
from kzoo.training.run import RunResult, run

__all__ = ["RunResult", "evaluate", "run"]
