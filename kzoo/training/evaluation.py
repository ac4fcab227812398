"""Measuring a classifier on a data set."""

import numpy as np

from kzoo.data import Dataset, load_data
from kzoo.errors import RecipeError
from kzoo.recipe import Recipe


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


def evaluate(model, x, y, batch_size: int = 256) -> tuple[dict[str, float], np.ndarray]:
    """Loss and accuracy, from the logits of the whole set in float64.

    Args:
        model: A classifier from (b, ...) to logits (b, k).
        x: Inputs (n, ...).
        y: Labels (n,).
        batch_size: Samples a step.

    Returns:
        {"loss": mean cross-entropy in nats, "accuracy": share of right predictions}, and probabilities (n, k).
    """
    logits = model.predict(x, batch_size=batch_size, verbose=0).astype("float64")
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    loss = -log_probabilities[np.arange(len(y)), y].mean()
    accuracy = (logits.argmax(axis=-1) == y).mean()
    return {"loss": float(loss), "accuracy": float(accuracy)}, np.exp(log_probabilities)


def parameter_count(model) -> int:
    """Trainable numbers in a model."""
    return int(sum(np.prod(v.shape) for v in model.trainable_variables))
