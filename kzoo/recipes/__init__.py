"""Recipes: one file a model, one recipe a data set. `kzoo.recipe_for(model, data)` finds them.

Each file's docstring gives the command, the figure that was reached, the seed and the time.
"""
