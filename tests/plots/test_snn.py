"""The figure of a spiking classifier, layer by layer."""

import numpy as np
import pytest

from kzoo import plots

from .conftest import drawn


def test_a_classifier_is_shown_layer_by_layer_and_its_answer_named():
    hidden = np.zeros((5, 20))
    hidden[[1, 3], [4, 7]] = 1
    readout = np.zeros((5, 3))
    readout[-1] = [0.1, 0.9, 0.3]
    layers = {"encoder": np.ones((5, 8), bool), "hidden": hidden}
    figure = plots.spiking_layers(
        layers, readout, title="snn", image=np.zeros((8, 8, 1)), class_names=["a", "b", "c"], target=2
    )
    first, second, last, picture = drawn(figure).axes
    np.testing.assert_allclose(second.lines[0].get_xydata(), [[1, 4], [3, 7]])
    assert len(first.lines[0].get_xdata()) == 40
    assert last.get_title(loc="left") == "answer b, wrong: it is c"
    assert second.get_title(loc="right") == "2.0 % of units a step"
    assert picture.get_xlabel() == "class c"
    right = plots.spiking_layers(layers, readout, title="snn", target=1)
    assert right.axes[-1].get_title(loc="left") == "answer 1, right"


@pytest.mark.parametrize("apart", [0, 0.01, 0.1, 0.2, 0.35, 0.4, 0.9])
@pytest.mark.parametrize("target", [0, 2])
def test_answer_and_target_are_named_beside_each_other(apart, target):
    readout = np.zeros((5, 3))
    readout[-1] = [1 - apart, -0.1, 1 - apart]
    readout[-1, 2 - target] = 1 + 1e-9
    layers = {name: np.ones((5, 8)) for name in ("encoder", "hidden")}
    figure = drawn(plots.spiking_layers(layers, readout, title="snn", image=np.zeros((8, 8)), target=target))
    answer, right = figure.axes[2].texts
    assert (answer.get_text(), right.get_text()) == (f" {2 - target}", f" {target}")
    boxes = [text.get_window_extent() for text in (answer, right)]
    assert boxes[0].y0 >= boxes[1].y1
    assert (answer.get_va() == "center") == (apart > 0.36)  # of a panel 1.21 high, 0.3


def test_of_a_wide_layer_some_units_are_drawn_and_it_says_so():
    figure = plots.spiking_layers({"input": np.ones((2, 1000))}, title="snn", max_units=100)
    assert figure.axes[0].get_ylabel() == "input\n(100 of 1,000)"
    assert len(figure.axes[0].lines[0].get_xdata()) == 200


@pytest.mark.parametrize(
    "broken", [{"layers": {}}, {"layers": {"a": np.zeros(3)}}, {"readout": np.zeros((4, 2))}, {"class_names": ["a"]}]
)
def test_layers_that_do_not_fit_are_refused(broken):
    given = {"layers": {"a": np.zeros((3, 2))}, "readout": np.zeros((3, 2))} | broken
    with pytest.raises(ValueError, match="received"):
        plots.spiking_layers(**given, title="x")
