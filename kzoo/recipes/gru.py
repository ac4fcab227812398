"""Recipes of the GRU: `kzoo train gru --data NAME`."""

from kzoo.recipes.recurrent import recipes

# Gates that remember as long as the sequence is: without them the GRU needs many times the steps.
RECIPES = recipes("gru", adding={"model": {"memory": 600}, "epochs": 2})
