"""Recipes of the RNN: `kzoo train rnn --data NAME`. It does not learn `adding`: that is the lesson."""

from kzoo.recipes.recurrent import recipes

RECIPES = recipes(
    "rnn",
    # The state is read through one matrix again and again: steps as large as a gated network takes undo it.
    mnist_rows={
        "model": {"dropout": 0.2},
        "optimizer": {"learning_rate": 1e-3},
        "regularisation": {"label_smoothing": 0.0},
        "epochs": 15,
    },
)
