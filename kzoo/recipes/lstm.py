"""Recipes of the LSTM: `kzoo train lstm --data NAME`."""

from kzoo.recipes.recurrent import recipes

# Gates that remember as long as the sequence is: without them the LSTM needs many times the steps.
RECIPES = recipes("lstm", adding={"model": {"memory": 600}})
