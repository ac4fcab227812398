"""Curves of how far a model reaches."""

import numpy as np
import pytest

from kzoo import plots

from .conftest import drawn, lines, words


def test_losses_stand_over_the_tokens_that_were_read():
    figure = drawn(plots.loss_by_context({"transformer": [3.0, 2.0, 1.0], "mamba": ([1, 3], [2.5, 1.5])}, title="t"))
    found = lines(figure.axes[0])
    np.testing.assert_array_equal(found["transformer"].get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(found["mamba"].get_xydata(), [[1, 2.5], [3, 1.5]])
    assert figure.axes[0].get_xscale() == "linear"


def test_a_long_context_is_told_in_powers_of_two():
    axes = drawn(plots.loss_by_context({"mamba": np.ones(200)}, title="t")).axes[0]
    assert words(axes.get_xticklabels()) == ["1", "2", "4", "8", "16", "32", "64", "128"]


def test_accuracy_is_drawn_in_percent_against_the_length_and_the_training_is_marked():
    lengths = [64, 128, 256]
    figure = drawn(plots.extrapolation({"mamba": (lengths, [1, 1, 0.5])}, title="t", trained=128, chance=0.25))
    axes = figure.axes[0]
    found = lines(axes)
    np.testing.assert_array_equal(found["mamba"].get_xydata(), [[64, 100], [128, 100], [256, 50]])
    np.testing.assert_array_equal(found["length in training, 128"].get_xdata(), [128, 128])
    np.testing.assert_array_equal(found["guessing"].get_ydata(), [25, 25])
    assert words(axes.get_xticklabels()) == ["64", "128", "256"]
    assert axes.get_xscale() == "log"


@pytest.mark.parametrize("curve", [([64], [50.0]), ([64], [-0.1]), ([64], [np.nan])])
def test_accuracies_that_are_no_shares_are_refused(curve):
    with pytest.raises(ValueError, match="shares from 0 to 1"):
        plots.extrapolation({"mamba": curve}, title="t")


@pytest.mark.parametrize("draw", [plots.loss_by_context, plots.extrapolation])
def test_curves_of_nothing_or_of_two_lengths_are_refused(draw):
    with pytest.raises(ValueError, match="at least one model"):
        draw({}, title="t")
    with pytest.raises(ValueError, match="of one length"):
        draw({"mamba": ([1, 2], [0.5])}, title="t")
    with pytest.raises(ValueError, match="at least 1"):
        draw({"mamba": ([0, 2], [0.5, 0.5])}, title="t")
