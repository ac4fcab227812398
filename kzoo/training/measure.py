"""Measuring a saved model on a test set."""

from pathlib import Path

import keras

from kzoo import registry
from kzoo.data import Dataset, list_datasets
from kzoo.errors import KzooError, RecipeError
from kzoo.models.preset import load_model
from kzoo.recipe import DataSpec, ModelSpec, Recipe
from kzoo.training.evaluation import evaluate, load_for
from kzoo.training.tasks import check_fit, with_bits


def recipe_of(path) -> Recipe | None:
    """The recipe beside a run, preset or `.keras` file; None where there is none."""
    found = Path(path)
    if str(path) in registry.list_presets():
        found = registry.preset_folder(str(path))
    folder = found.parent if found.suffix == ".keras" else found
    file = folder / "recipe.json"
    return read_recipe(file) if file.is_file() else None


def read_recipe(file: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: if it is damaged; the message names the file and the key.
    """
    try:
        return Recipe.from_json(file.read_text(encoding="utf-8"))
    except RecipeError as error:
        raise RecipeError(
            f"{file}: {error}\nIt was changed after the run; mend that, or take it from a copy of the run."
        ) from None


def measure(path, data_name: str | None = None, *, thorough: bool = False) -> dict:
    """The figures of a saved model on the test part of a data set.

    Args:
        path: A run folder, a preset's name or folder, or a `.keras` file.
        data_name: The data set; by default the one of the recipe beside the model.
        thorough: Whether to measure also what takes long, as the figures of images that a model makes.

    Returns:
        {"data": its name, "samples": how many, and the figures of `evaluate`, for a text also "bits": bits a
        character}.

    Raises:
        KzooError: if there is no model, no recipe to take the data from, or the data do not fit the model.
    """
    model = load_model(path)
    recipe = recipe_of(path)
    if data_name is None and recipe is None:
        raise KzooError(f"There is no recipe beside {path} to take the data set from; add --data NAME.")
    name = data_name or recipe.data.name
    if recipe is not None and recipe.data.name != name and list_datasets()[recipe.data.name].kind == "movements":
        raise KzooError(
            f"{path} has learned the movements of {recipe.data.name} by heart, each by its number, and knows no "
            "others. Leave --data out."
        )
    if recipe is None or recipe.data.name != name:
        recipe = Recipe(ModelSpec(model.name), DataSpec(name))
    task = check_fit(recipe)
    data = load_for(recipe)
    _check_images(path, model, data) if task.name == "generation" else _check_shapes(path, model, data)
    figures = task.thorough(model, data) if thorough else evaluate(model, data.x_test, data.y_test)[0]
    figures = with_bits(figures) if data.kind == "text" else figures
    return {"data": name, "samples": len(data.y_test), **figures}


def _check_images(path, model, data: Dataset) -> None:
    """Refuses images of another shape than those that the model makes, or of other classes."""
    classes = model.num_classes in (None, data.num_classes)
    if model.image_shape != data.input_shape or not classes:
        told = f" of {model.num_classes} classes" if model.num_classes is not None else ""
        raise KzooError(
            f"{data.name} has images of shape {data.input_shape} of {data.num_classes} classes; {path} makes images of "
            f"shape {model.image_shape}{told}."
        )


def _check_shapes(path, model, data: Dataset) -> None:
    """Refuses data of another shape than those that the model was made for."""
    expected, given = keras.tree.map_structure(lambda x: tuple(x.shape[1:]), (model.input, data.x_test))
    shapes = zip(keras.tree.flatten(expected), keras.tree.flatten(given), strict=False)
    fit = len(keras.tree.flatten(expected)) == len(keras.tree.flatten(given)) and all(a in (None, b) for a, b in shapes)
    outputs = data.num_outputs, model.output_shape[-1]
    if data.task != model.task or not fit or outputs[0] != outputs[1]:
        raise KzooError(
            f"{data.name} is a task of {data.task} with inputs of shape {given} and {outputs[0]} outputs; {path} is "
            f"for {model.task}, takes {expected} and gives {outputs[1]}."
        )
    characters = "".join(data.class_names)
    if data.kind == "text" and model.vocabulary != characters:
        raise KzooError(
            f"{data.name} is written in the characters {characters!r}; {path} knows {model.vocabulary!r}, and would "
            "take one for another."
        )
