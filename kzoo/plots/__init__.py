"""Figures: arrays in, a `matplotlib.figure.Figure` out.

    from kzoo import plots

    figure = plots.learning_curves(history, title="CNN on MNIST")
    plots.save_png(figure, "curves.png")

No function shows a window, touches pyplot's state or writes a file, but for `save_png`.
"""

from kzoo.plots.classification import confusion_matrix, predictions
from kzoo.plots.curves import learning_curves
from kzoo.plots.features import feature_maps, kernels
from kzoo.plots.sequences import accuracy_by_step, forecast, gradient_reach, phase, states_over_time
from kzoo.plots.style import save_png
from kzoo.plots.surface import decision_surface

__all__ = [
    "accuracy_by_step",
    "confusion_matrix",
    "decision_surface",
    "feature_maps",
    "forecast",
    "gradient_reach",
    "kernels",
    "learning_curves",
    "phase",
    "predictions",
    "save_png",
    "states_over_time",
]
