"""The recipe: types, ranges, JSON."""

import dataclasses
import json

import pytest

from kzoo import registry
from kzoo.errors import RecipeError
from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe

CNN = ModelSpec("cnn", {"dropout": 0.3, "filters": [8, 16]})


def test_a_recipe_comes_back_from_its_json():
    recipe = Recipe(CNN, DataSpec("mnist", shift=2.0, arguments={}), OptimizerSpec("sgd", momentum=0.9), epochs=3)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert json.loads(recipe.to_json())["model"] == {"name": "cnn", "dropout": 0.3, "filters": [8, 16]}


@pytest.mark.parametrize("model", registry.list_models())
def test_every_recipe_of_the_zoo_comes_back_from_its_json(model):
    for data in registry.model_info(model).recipes:
        recipe = registry.recipe_for(model, data)
        assert recipe.data.name == data
        assert recipe.model.name == model
        assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe(CNN).epochs = 3


def test_override_changes_only_what_it_names():
    recipe = Recipe(CNN).override(model={"dropout": 0.1}, data={"shift": 1.0}, epochs=7)
    assert recipe.model.arguments == {"dropout": 0.1, "filters": [8, 16]}
    assert recipe.data == DataSpec("digits", shift=1.0)
    assert recipe.epochs == 7
    assert recipe.optimizer == OptimizerSpec()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, ["epochs", "got 0", "at least 1"]),
        ({"epochs": 2.5}, ["epochs", "2.5", "whole number"]),
        ({"epochs": True}, ["epochs", "True", "whole number"]),
        ({"epochs": "many"}, ["epochs", "'many'", "whole number"]),
        ({"optimizer": {"learning_rate": -1.0}}, ["optimizer.learning_rate", "-1.0", "above 0"]),
        ({"optimizer": {"learning_rate": float("nan")}}, ["optimizer.learning_rate", "nan", "above 0"]),
        ({"optimizer": {"name": "adamm"}}, ["optimizer.name", "'adamm'", "adam, adamw"]),
        ({"optimizer": {"lr": 0.1}}, ["optimizer.lr", "no such key", "learning_rate"]),
        ({"optimizer": "adam"}, ["optimizer", "'adam'", "object"]),
        ({"data": {"flip": "yes"}}, ["data.flip", "'yes'", "true or false"]),
        ({"data": {"validation_fraction": 1.0}}, ["data.validation_fraction", "1.0", "below 1"]),
        ({"clipping": {"norm": 1.0, "value": 1.0}}, ["clipping.norm and clipping.value", "one of them"]),
        ({"precision": "float16"}, ["precision", "'float16'", "mixed_bfloat16"]),
        ({"epoch": 3}, ["epoch: no such key", "Did you mean 'epochs'", "batch_size"]),
        ({"early_stopping": {"patience": 0}}, ["early_stopping.patience", "at least 1", "or null"]),
    ],
)
def test_a_wrong_value_is_named_with_what_it_got_and_what_is_allowed(change, words):
    with pytest.raises(RecipeError) as caught:
        Recipe(CNN).override(**change)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"epochs": 3}', '{"model": "cnn"}'])
def test_json_that_is_no_recipe_is_refused(text):
    with pytest.raises(RecipeError):
        Recipe.from_json(text)
