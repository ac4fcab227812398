"""Maps of attention show the weights that they were given beside the right tokens, and refuse the rest."""

import numpy as np
import pytest

from kzoo import plots

from .conftest import drawn, words


def shares(*shape):
    weights = np.tril(np.random.default_rng(0).random(shape) + 0.1)
    return weights / weights.sum(axis=-1, keepdims=True)


def test_each_head_has_its_map_and_the_tokens_stand_beside_it():
    maps = shares(2, 3, 4, 4)
    figure = drawn(plots.attention_grid(maps, "a $\n", title="transformer"))
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [f"layer {k}, head {h}" for k in (1, 2) for h in (1, 2, 3)]
    for axes, one in zip(panels, maps.reshape(-1, 4, 4), strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), np.sqrt(one))
    assert words(panels[-1].get_xticklabels()) == ["a", "␣", "$", "↵"]


def test_the_bar_of_the_attention_says_which_share_a_colour_is():
    figure = drawn(plots.attention_grid(shares(1, 1, 3, 3), title="t"))
    bar = figure.axes[-1]
    for place, text in zip(bar.get_yticks(), words(bar.get_yticklabels()), strict=True):
        assert place**2 == pytest.approx(float(text.rstrip(" %")) / 100)


@pytest.mark.parametrize("maps", [np.ones((2, 3, 3)), np.ones((1, 1, 3, 4)), np.zeros((0, 1, 3, 3))])
def test_attention_of_another_shape_is_refused(maps):
    with pytest.raises(ValueError, match=r"\(layers, heads, t, t\)"):
        plots.attention_grid(maps, title="t")


def test_attention_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match="Scores go through a softmax"):
        plots.attention_grid(2 * shares(1, 1, 3, 3), title="t")
    with pytest.raises(ValueError, match="received 2 tokens"):
        plots.attention_grid(shares(1, 1, 3, 3), "ab", title="t")


def test_an_implied_attention_has_its_zero_in_the_middle_of_the_colours():
    matrix = np.tril(np.random.default_rng(0).normal(size=(6, 6)))
    figure = drawn(plots.implied_attention(matrix, "abcdef", title="mamba"))
    (image,) = figure.axes[0].images
    np.testing.assert_array_equal(image.get_array(), matrix)
    low, high = image.get_clim()
    assert low == -high < 0
    assert words(figure.axes[0].get_yticklabels()) == list("abcdef")
    with pytest.raises(ValueError, match="outputs by inputs"):
        plots.implied_attention(np.ones((2, 3)), title="t")
