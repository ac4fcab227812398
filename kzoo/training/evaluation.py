"""Measuring a model on a data set."""

import numpy as np

from kzoo.data import Dataset, load_data
from kzoo.errors import RecipeError
from kzoo.recipe import Recipe
from kzoo.training.tasks import TASKS, Told


def load_for(recipe: Recipe) -> Dataset:
    """The data set of a recipe, split by the recipe's seed.

    Raises:
        RecipeError: if the data set refuses one of its arguments.
        DatasetUnavailable: if the data set is not here and cannot be downloaded.
    """
    try:
        return load_data(
            recipe.data.name,
            validation_fraction=recipe.data.validation_fraction,
            seed=recipe.seed,
            smoke=recipe.smoke,
            **recipe.data.arguments,
        )
    except (ValueError, TypeError) as error:
        raise RecipeError(f"data: {error}") from error


def evaluate(model, x, y, batch_size: int = 256) -> tuple[dict[str, float], np.ndarray | Told]:
    """The figures of a model on samples, by its task, computed in float64 from the outputs of the whole set.

    Args:
        model: A model of the zoo; any other Keras model is taken for a classifier with logits.
        x: Inputs (n, ...).
        y: Targets: labels (n,), tokens (n, t), -1 where none is asked for, or numbers of the shape of the outputs. Of
            a model that makes images the labels (n,), which one without classes does not read.
        batch_size: Samples a step.

    Returns:
        For labels and tokens {"loss": mean cross-entropy in nats, "accuracy": share of right predictions}, and for
        labels the probabilities (n, k), for tokens the loss and the answer to each, a `kzoo.training.tasks.Told`; for
        numbers {"mse": mean squared error, "mae": mean absolute error} and the outputs; for a model that makes images
        its own figures, and images that it makes with the classes that were asked for.
    """
    return TASKS[getattr(model, "task", "classification")].evaluate(model, x, y, batch_size)


def parameter_count(model) -> int:
    """Trainable numbers in a model."""
    return int(sum(np.prod(v.shape) for v in model.trainable_variables))
