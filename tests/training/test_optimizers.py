"""Learning-rate schedules against their formulas, and the optimizer's arguments."""

import math

import keras
import pytest

from kzoo.errors import RecipeError
from kzoo.recipe import ModelSpec, Recipe
from kzoo.training.optimizers import WarmUp, learning_rate, make_optimizer

BASE = Recipe(ModelSpec("mlp"), epochs=10).override(optimizer={"learning_rate": 0.5})
STEPS = 20  # an epoch


def _rate(recipe, step):
    schedule = learning_rate(recipe, STEPS)
    return float(keras.ops.convert_to_numpy(schedule(step))) if callable(schedule) else schedule


def test_a_constant_rate_is_a_number():
    assert learning_rate(BASE, STEPS) == 0.5


def test_warm_up_rises_linearly_and_then_stays():
    recipe = BASE.override(schedule={"warmup_epochs": 2.0})
    for step, expected in [(0, 0.5 / 40), (19, 0.25), (39, 0.5), (100, 0.5)]:
        assert _rate(recipe, step) == pytest.approx(expected, rel=1e-6)


def test_steps_multiply_by_the_factor():
    recipe = BASE.override(schedule={"name": "step", "step_epochs": 3, "factor": 0.1})
    for step, expected in [(0, 0.5), (59, 0.5), (60, 0.05), (119, 0.05), (120, 0.005)]:
        assert _rate(recipe, step) == pytest.approx(expected, rel=1e-5)


def test_the_cosine_falls_from_the_rate_to_the_floor():
    recipe = BASE.override(schedule={"name": "cosine", "floor": 0.1})
    for step in (0, 50, 100, 150, 200):
        share = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / 200))
        assert _rate(recipe, step) == pytest.approx(0.5 * share, rel=1e-5)


def test_the_cosine_warms_up_within_the_run():
    recipe = BASE.override(schedule={"name": "cosine", "warmup_epochs": 1.0})
    assert _rate(recipe, 10) == pytest.approx(0.25, rel=1e-5)
    assert _rate(recipe, 20) == pytest.approx(0.5, rel=1e-5)
    assert _rate(recipe, 110) == pytest.approx(0.25, rel=1e-5)
    assert _rate(recipe, 200) == pytest.approx(0.0, abs=1e-7)


def test_a_warm_up_comes_back_from_its_config():
    inner = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.1)
    again = WarmUp.from_config(WarmUp(inner, 4).get_config())
    for step in (0, 3, 17):
        assert float(again(step)) == float(WarmUp(inner, 4)(step))


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(RecipeError, match=r"warmup_epochs: got 10.0; expected less than the run's 10"):
        learning_rate(BASE.override(schedule={"name": "cosine", "warmup_epochs": 10.0}), STEPS)
    with pytest.raises(RecipeError, match="plateau"):
        learning_rate(BASE.override(schedule={"name": "plateau", "warmup_epochs": 1.0}), STEPS)


def test_the_optimizer_gets_what_the_recipe_says():
    recipe = BASE.override(
        optimizer={"name": "adamw", "beta_1": 0.8, "epsilon": 1e-5},
        regularisation={"weight_decay": 0.02},
        clipping={"value": 0.3},
    )
    optimizer = make_optimizer(recipe, STEPS)
    assert type(optimizer).__name__ == "AdamW"  # torch has a class of its own
    config = optimizer.get_config()
    assert config["beta_1"] == 0.8
    assert config["epsilon"] == 1e-5
    assert config["weight_decay"] == 0.02
    assert config["clipvalue"] == 0.3


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "adadelta", "lion"])
def test_the_name_is_that_of_the_class_in_keras(name):
    assert type(make_optimizer(BASE.override(optimizer={"name": name}), STEPS)).__name__.lower() == name


@pytest.mark.parametrize(
    ("option", "attribute"), [("norm", "clipnorm"), ("global_norm", "global_clipnorm"), ("value", "clipvalue")]
)
def test_each_clipping_is_the_one_that_the_recipe_names(option, attribute):
    optimizer = make_optimizer(BASE.override(clipping={option: 0.3}), STEPS)
    found = {name: getattr(optimizer, name) for name in ("clipnorm", "global_clipnorm", "clipvalue")}
    assert found == {"clipnorm": None, "global_clipnorm": None, "clipvalue": None, attribute: 0.3}


def test_adamw_without_decay_in_the_recipe_does_not_decay():
    assert not make_optimizer(BASE.override(optimizer={"name": "adamw"}), STEPS).weight_decay


def test_an_argument_that_the_optimizer_does_not_take_is_refused():
    with pytest.raises(RecipeError, match=r"optimizer.momentum: got 0.9, and adam has no such argument.*beta_1"):
        make_optimizer(BASE.override(optimizer={"momentum": 0.9}), STEPS)
