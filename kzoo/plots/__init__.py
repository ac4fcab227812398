"""Figures: arrays in, a `matplotlib.figure.Figure` out.

    from kzoo import plots

    figure = plots.learning_curves(history, title="CNN on MNIST")
    plots.save_png(figure, "curves.png")

No function shows a window, touches pyplot's state or writes a file, but for `save_png` and `save_activity`.
"""

from kzoo.plots.activity import activity_data
from kzoo.plots.activity_film import save_activity
from kzoo.plots.attention import attention_grid, implied_attention
from kzoo.plots.brunel import regimes
from kzoo.plots.classification import confusion_matrix, predictions
from kzoo.plots.context import extrapolation, loss_by_context
from kzoo.plots.curves import learning_curves
from kzoo.plots.features import feature_maps, kernels
from kzoo.plots.generative import (
    denoising_strip,
    interpolation,
    latent_plane,
    mosaic,
    sample_grid,
    training_frames,
    training_grids,
)
from kzoo.plots.graded_networks import graded
from kzoo.plots.sequences import (
    accuracy_by_step,
    forecast,
    gradient_reach,
    loss_by_position,
    phase,
    states_over_time,
)
from kzoo.plots.snn import spiking_layers
from kzoo.plots.spiking import frequency_current, intervals, membrane
from kzoo.plots.spiking_networks import raster, spectrum
from kzoo.plots.style import save_png
from kzoo.plots.surface import decision_surface
from kzoo.plots.text import delta_over_text, logit_lens, state_over_text

__all__ = [
    "accuracy_by_step",
    "activity_data",
    "attention_grid",
    "confusion_matrix",
    "decision_surface",
    "delta_over_text",
    "denoising_strip",
    "extrapolation",
    "feature_maps",
    "forecast",
    "frequency_current",
    "graded",
    "gradient_reach",
    "implied_attention",
    "interpolation",
    "intervals",
    "kernels",
    "latent_plane",
    "learning_curves",
    "logit_lens",
    "loss_by_context",
    "loss_by_position",
    "membrane",
    "mosaic",
    "phase",
    "predictions",
    "raster",
    "regimes",
    "sample_grid",
    "save_activity",
    "save_png",
    "spectrum",
    "spiking_layers",
    "state_over_text",
    "states_over_time",
    "training_frames",
    "training_grids",
]
