"""Recipes: one file a model, one recipe a data set. `kzoo.recipe_for(model, data)` finds them.

Each file's docstring tells what was reached with seed 0 on two cores; `kzoo/presets/` keeps the runs that ship.
"""
