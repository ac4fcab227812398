"""Primitives and their compositions against the curves that they walk, and the population code against its formula."""

from itertools import pairwise

import numpy as np
import pytest

from kzoo.data import primitives as p


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_lissajous_curve_is_two_sines():
    found = p.lissajous(3, -2, 50, 24, amplitude=0.5, phase=0.3)
    for k in (0, 1, 7, 49):
        angle = 2 * np.pi * k / 24
        np.testing.assert_allclose(found[k], [0.5 * np.sin(3 * angle + 0.3), -0.5 * np.sin(2 * angle)], atol=1e-14)


def test_every_primitive_begins_at_home_comes_back_and_differs_from_the_others():
    curves = {name: p.lissajous(*turns, 25, 24) for name, turns in p.PRIMITIVES.items()}
    for name, curve in curves.items():
        np.testing.assert_allclose(curve[[0, -1]], [[0.8, 0], [0.8, 0]], atol=1e-14)
        # No point but home is walked twice in the same direction: a cycle is not two shorter ones.
        assert len(np.unique(np.hstack([curve[:-1], np.diff(curve, axis=0)]).round(9), axis=0)) == 24, name
    for first in curves:
        for second in curves:
            if first != second:
                assert np.abs(curves[first] - curves[second]).max() > 0.5


def test_a_sequence_rests_walks_each_primitive_and_comes_home():
    found = p.sequence(("eight", "circle"), cycles=3, period=20, rest=5)
    assert found.shape == (5 + 2 * 3 * 20 + 1, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:6], np.full((6, 2), [0.8, 0]), atol=1e-7)
    eight, circle = found[5:65], found[65:125]
    np.testing.assert_allclose(eight[:20], eight[40:], atol=1e-6)
    np.testing.assert_allclose(np.hypot(*circle.T), 0.8, atol=1e-6)
    assert circle[1, 1] > 0  # upward, so against the clock
    np.testing.assert_allclose(found[-1], [0.8, 0], atol=1e-7)


def test_sequences_stay_where_tanh_can_follow():
    both = [p.primitives(rng()), p.compositions(rng(), samples=6)[0]]
    assert [x.shape for x in both] == [(5, 8 + 6 * 24 + 1, 2), (6, 8 + 2 * 8 * 20 + 1, 2)]
    assert all(0.79 < np.abs(x).max() <= np.float32(0.8) for x in both)


def test_compositions_are_distinct_orders_of_their_primitives_and_the_rng_chooses_them():
    x, orders = p.compositions(rng(), samples=12, parts=3)
    assert len(set(orders)) == 12
    assert all(first != second for order in orders for first, second in pairwise(order))
    for one, order in zip(x, orders, strict=True):
        np.testing.assert_array_equal(one, p.sequence(order))
    assert p.compositions(rng(), samples=3)[1] == p.compositions(rng(), samples=3)[1]
    assert p.compositions(rng(0), samples=3)[1] != p.compositions(rng(1), samples=3)[1]


@pytest.mark.parametrize("make", [p.primitives, lambda rng, **given: p.compositions(rng, **given)[0]])
def test_noise_is_a_standard_deviation_added_to_the_same_sequences(make):
    difference = make(rng(3), noise=0.3) - make(rng(3))
    np.testing.assert_allclose(difference.std(), 0.3, rtol=0.08)  # over four standard errors
    np.testing.assert_allclose(difference.mean(), 0.0, atol=0.04)


def test_a_lesson_asks_for_the_next_step():
    sequences = rng().normal(size=(3, 7, 2))
    x, y = p.lessons(sequences)
    np.testing.assert_array_equal(x["teacher"][:, 1:], y[:, :-1])
    np.testing.assert_array_equal(y[:, -1], sequences[:, -1].astype("float32"))
    np.testing.assert_array_equal(x["index"], [[0], [1], [2]])
    assert (x["teacher"].dtype, x["index"].dtype, y.dtype) == (np.float32, np.int32, np.float32)


def test_copies_of_a_lesson_follow_each_other():
    sequences = rng().normal(size=(3, 7, 2))
    (x, y), (x_once, y_once) = p.lessons(sequences, copies=2), p.lessons(sequences)
    np.testing.assert_array_equal(x["index"][:, 0], [0, 1, 2, 0, 1, 2])
    for part in (slice(3), slice(3, 6)):
        np.testing.assert_array_equal(x["teacher"][part], x_once["teacher"])
        np.testing.assert_array_equal(y[part], y_once)


def test_a_population_code_is_the_gaussian_of_each_favourite_value():
    code = p.population_code([[0.3, -0.9]], units=5, width=0.4)
    assert code.shape == (1, 10)
    for d, value in enumerate((0.3, -0.9)):
        activity = [np.exp(-((value - c) ** 2) / (2 * 0.4**2)) for c in (-1, -0.5, 0, 0.5, 1)]
        np.testing.assert_allclose(code[0, 5 * d : 5 * d + 5], np.array(activity) / sum(activity), atol=1e-7)


def test_a_population_code_is_read_back_up_to_both_ends():
    values = np.linspace(-1, 1, 101).reshape(-1, 1).repeat(2, axis=1)
    values[:, 1] *= -1
    np.testing.assert_allclose(p.from_population_code(p.population_code(values)), values, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: p.sequence(("circle", "square")),
            "`order` must hold one or more of: circle, .* Received: \\['circle', 'square'\\]",
        ),
        (lambda: p.sequence(()), r"Received: \[\]"),
        (lambda: p.sequence("circle", cycles=0), "`cycles` must be an integer of 1 or more. Received: cycles=0"),
        (lambda: p.sequence("circle", period=1), "`period` must be an integer of 2 or more"),
        (lambda: p.sequence("circle", rest=-1), "`rest` must be an integer of 0 or more"),
        (lambda: p.lissajous(1, 1, 0, 24), "`steps` must be an integer of 1 or more"),
        (lambda: p.lissajous(1, 1, 9, 24, amplitude=0), "`amplitude` must be a length, above 0"),
        (lambda: p.primitives(rng(), samples=6), "`samples` must be an integer from 1 to 5"),
        (lambda: p.primitives(rng(), noise=-1), "`noise` must be a standard deviation, 0 or more"),
        (lambda: p.compositions(rng(), samples=7), "`samples` must be an integer from 1 to 6"),
        (lambda: p.compositions(rng(), kinds=1), "`kinds` must be an integer from 2 to 5"),
        (lambda: p.lessons(np.zeros((3, 1, 2))), r"two steps or more. Received: shape \(3, 1, 2\)"),
        (lambda: p.lessons(np.zeros((0, 5, 2))), r"Received: shape \(0, 5, 2\)"),
        (lambda: p.lessons(np.zeros((3, 5, 2)), copies=0), "`copies` must be an integer of 1 or more"),
        (lambda: p.lessons(np.zeros((5, 2))), r"A single sequence is sequences\[None\]"),
        (lambda: p.population_code([1.5]), "every number from -1 to 1"),
        (lambda: p.population_code([0.5], width=0), "`width` must be a width, above 0"),
        (lambda: p.from_population_code(np.zeros((4, 7)), units=5), r"groups of 5 units. Received: shape \(4, 7\)"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
