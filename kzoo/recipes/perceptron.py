"""Recipes of the perceptron. Batch size 1 and rate 1 are the classical rule; the rate only scales the weights."""

from kzoo.recipe import DataSpec, ModelSpec, OptimizerSpec, Recipe

_rule = {"model": ModelSpec("perceptron"), "optimizer": OptimizerSpec("sgd", learning_rate=1.0)}

RECIPES = {
    "digits": Recipe(data=DataSpec("digits"), epochs=10, batch_size=1, **_rule),
    # 54,000 single steps an epoch would take minutes; the mean correction of 16 samples is near the rule.
    "mnist": Recipe(data=DataSpec("mnist"), epochs=10, batch_size=16, **_rule),
    "moons": Recipe(data=DataSpec("moons"), epochs=10, batch_size=1, **_rule),
    # No line separates xor: one that is right on three of the four clouds is the best there is, and that is the lesson.
    "xor": Recipe(data=DataSpec("xor"), epochs=10, batch_size=1, **_rule),
}
