"""The figure of a network of graded coupling."""

import numpy as np
import pytest

from kzoo import plots

from .conftest import drawn


def test_a_graded_network_shows_its_voltages_where_they_rest_and_which_eigenvalues_run_away():
    voltages = np.array([[-70e-3, -60e-3], [-65e-3, -62e-3]])
    figure = plots.graded(
        [0, 1e-3], voltages, title="graded", fixed_point=[-64e-3, -63e-3], exact=voltages, eigenvalues=[0.5, 1.2]
    )
    axes, plane = drawn(figure).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0, -70], [1, -65]])
    dashed = [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"]
    assert [y[0] for y in dashed if len(y)] == pytest.approx([-64, -63])
    assert plane.get_title() == "Eigenvalues of W: runs away"
    np.testing.assert_allclose(lines_with(plane, "X"), [[1.2, 0]])
    np.testing.assert_allclose(lines_with(plane, "o"), [[0.5, 0]])
    assert plots.graded([0.0], voltages[:1], title="x", eigenvalues=[0.9j]).axes[1].get_title().endswith("stable")


def lines_with(axes, shape):
    return next(line.get_xydata() for line in axes.lines if line.get_marker() == shape)


@pytest.mark.parametrize(
    "broken", [{"times": [0.0]}, {"fixed_point": [0.0]}, {"exact": np.zeros((3, 2))}, {"voltages": np.zeros((2, 0))}]
)
def test_a_graded_record_that_does_not_fit_is_refused(broken):
    given = {"times": [0.0, 1.0], "voltages": np.zeros((2, 2))} | broken
    with pytest.raises(ValueError, match="received"):
        plots.graded(**given, title="x")
