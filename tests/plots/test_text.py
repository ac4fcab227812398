"""A text, token by token: each number stands at its token."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from kzoo import plots
from kzoo.plots import style

from .conftest import drawn, words


def test_the_token_with_the_largest_delta_is_the_darkest():
    text = "to be\nor not"
    delta = np.linspace(0.1, 0.2, len(text))
    delta[3] = 0.9
    (axes, _) = drawn(plots.delta_over_text(delta, text, title="mamba")).axes
    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    light = [sum(cell.get_facecolor()[:3]) for cell in cells]
    assert int(np.argmin(light)) == 3
    assert int(np.argmax(light)) == 0
    assert [cell.get_xy() for cell in cells[4:8]] == [(4, 0), (5, 0), (0, 1), (1, 1)]  # the newline ends its line
    assert "".join(words(axes.texts)) == "tobe↵ornot"


def test_a_long_text_goes_on_in_the_next_line_and_whole_tokens_stay_whole():
    tokens = ["Once", " upon", " a", " time"]
    (axes, _) = drawn(plots.delta_over_text([1.0, 2, 3, 4], tokens, title="mamba", columns=10)).axes
    assert [patch.get_xy() for patch in axes.patches] == [(0, 0), (4, 0), (0, 1), (2, 1)]
    assert [patch.get_width() for patch in axes.patches] == [4, 5, 2, 5]


def test_each_layer_has_a_text_and_a_scale_of_its_own():
    figure = drawn(plots.delta_over_text([[0.0, 1.0, 2.0], [5.0, 5.5, 6.0]], "abc", title="mamba"))
    first, second = (axes for axes in figure.axes if axes.patches and axes.texts)
    assert first.get_title(loc="left") == "layer 1"
    np.testing.assert_allclose(
        [cell.get_facecolor() for cell in first.patches], [cell.get_facecolor() for cell in second.patches]
    )


def test_a_delta_that_is_the_same_everywhere_is_drawn():
    drawn(plots.delta_over_text([0.0, 0.0], "ab", title="mamba"))


def test_deltas_that_do_not_fit_the_text_are_refused():
    with pytest.raises(ValueError, match="take the mean over d"):
        plots.delta_over_text(np.ones((3, 8)), "abc", title="t")
    with pytest.raises(ValueError, match="at least 0"):
        plots.delta_over_text([0.1, -0.1, 0.2], "abc", title="t")
    with pytest.raises(ValueError, match="columns must be at least 1"):
        plots.delta_over_text([0.1], "a", title="t", columns=0)


def test_states_stand_under_their_tokens_row_by_row():
    text = "a\nlong text"
    states = np.random.default_rng(0).normal(size=(len(text), 5))
    figure = drawn(plots.state_over_text(states, text, title="mamba", columns=6, max_units=3))
    top, below = (axes for axes in figure.axes if axes.get_ylabel().startswith("number"))
    np.testing.assert_array_equal(top.images[0].get_array(), states[:6, :3].T)
    np.testing.assert_array_equal(below.images[0].get_array(), states[6:, :3].T)
    assert "".join(words(top.get_xticklabels())) == "a↵long"
    assert "".join(words(below.get_xticklabels())) == "␣text"
    assert top.images[0].get_clim() == below.images[0].get_clim()
    low, high = top.images[0].get_clim()
    assert low == -high == -np.abs(states[:, :3]).max()


def test_states_of_another_length_are_refused():
    with pytest.raises(ValueError, match="each of the 3 tokens"):
        plots.state_over_text(np.ones((2, 4)), "abc", title="t")


def test_the_logit_lens_writes_each_layers_guess_and_frames_the_right_ones():
    logits = np.zeros((2, 3, 4))
    guesses = np.array([[0, 1, 2], [3, 1, 0]])  # of the embedding and of layer 1
    np.put_along_axis(logits, guesses[..., None], np.log([[[3.0], [9], [1.5]], [[3], [9], [1.5]]]), axis=-1)
    figure = drawn(plots.logit_lens(logits, "abc", "wx z", title="lens", targets="zxw"))
    axes = figure.axes[0]
    places = {text.get_position(): text.get_text() for text in axes.texts}
    assert places == {(0, 0): "w", (1, 0): "x", (2, 0): "␣", (0, 1): "z", (1, 1): "x", (2, 1): "w"}
    np.testing.assert_allclose(axes.images[0].get_array(), [[1 / 2, 3 / 4, 1 / 3]] * 2)
    frames = [patch for patch in axes.patches if patch.get_edgecolor() == to_rgba(style.VERMILLION)]
    assert sorted((round(patch.get_x()), round(patch.get_y())) for patch in frames) == [(0, 1), (1, 0), (1, 1), (2, 1)]
    assert words(axes.get_yticklabels()) == ["embedding", "layer 1"]
    assert words(axes.get_xticklabels()) == ["a", "b", "c"]


def test_logits_of_another_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"\(layers \+ 1, 3, 4\)"):
        plots.logit_lens(np.zeros((2, 3, 5)), "abc", "wxyz", title="t")
    with pytest.raises(ValueError, match="received 2 tokens"):
        plots.logit_lens(np.zeros((2, 3, 4)), "abc", "wxyz", title="t", targets="ab")
