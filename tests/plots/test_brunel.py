"""Brunel's plane of networks."""

import numpy as np
import pytest

from kzoo import plots

from .conftest import drawn


def test_the_plane_of_regimes_marks_its_points_the_balance_and_the_threshold():
    points = {"A": (3, 2), "D": (4.5, 0.9)}
    rates = np.array([[np.nan, 5.0], [300.0, 40.0]])
    figure = plots.regimes(points, title="Brunel", rates=rates, g=[3, 6], eta=[1, 2], measured={"A": "307 Hz"})
    axes = drawn(figure).axes[0]
    assert axes.lines[0].get_xdata()[0] == 4
    assert axes.lines[1].get_ydata()[0] == 1
    np.testing.assert_allclose(axes.lines[2].get_xydata(), [[3, 2]])
    assert {"A", "D", "307 Hz"} <= {text.get_text() for text in axes.texts}
    np.testing.assert_allclose(axes.collections[0].get_array().compressed(), [5, 300, 40])
    drawn(plots.regimes(points, title="Brunel"))
    with pytest.raises(ValueError, match="rows of eta"):
        plots.regimes(points, title="x", rates=rates, g=[3], eta=[1, 2])
    with pytest.raises(ValueError, match="at least one"):
        plots.regimes({}, title="x")
