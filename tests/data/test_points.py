"""The synthetic sets against the curves that they are drawn about."""

import numpy as np
import pytest

from kzoo.data import load_data


def everything(data):
    x = np.concatenate([data.x_train, data.x_val, data.x_test]).astype(np.float64)
    return x, np.concatenate([data.y_train, data.y_val, data.y_test])


def test_points_without_noise_lie_on_their_spiral_arm():
    x, y = everything(load_data("spirals", samples=300, noise=0.0, turns=2.0, classes=3))
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    assert radius.max() <= 1 + 1e-6
    expected = 2 * np.pi * (2.0 * radius + y / 3)
    # The difference of two angles is 0 up to whole turns; near the origin an angle means little.
    difference = np.angle(np.exp(1j * (angle - expected)))[radius > 0.05]
    np.testing.assert_allclose(difference, 0, atol=1e-5)


def test_points_without_noise_lie_on_their_half_circle():
    x, y = everything(load_data("moons", samples=300, noise=0.0))
    upper, lower = x[y == 0], x[y == 1] - [1.0, 0.5]
    for half, side in ((upper, 1), (lower, -1)):
        np.testing.assert_allclose(np.hypot(*half.T), 1, atol=1e-6)
        assert (side * half[:, 1]).min() >= -1e-6
        assert half[:, 0].min() < -0.9
        assert half[:, 0].max() > 0.9


def test_four_samples_of_xor_without_noise_are_its_truth_table():
    data = load_data("xor", samples=4, noise=0.0, validation_fraction=0)
    table = {tuple(x): y for x, y in zip(data.x_train.tolist(), data.y_train.tolist(), strict=True)}
    assert table == {(-1, -1): 0, (-1, 1): 1, (1, 1): 0, (1, -1): 1}


@pytest.mark.parametrize("clouds", [8, 5])
def test_the_clouds_of_a_ring_stand_at_equal_angles_on_the_circle_of_radius_2(clouds):
    x, y = everything(load_data("ring", samples=400, noise=0.0, clouds=clouds))
    turns = (np.arctan2(x[:, 1], x[:, 0]) / (2 * np.pi)) % 1
    np.testing.assert_allclose(np.hypot(*x.T), 2, atol=1e-6)
    np.testing.assert_array_equal(np.rint(clouds * turns) % clouds, y)
    np.testing.assert_allclose(np.abs(clouds * turns - np.rint(clouds * turns)), 0, atol=1e-5)
    assert set(y) == set(range(clouds))


@pytest.mark.parametrize("name", ["spirals", "moons", "xor", "ring"])
def test_noise_is_a_standard_deviation_added_to_the_same_points(name):
    clean = load_data(name, samples=4000, noise=0.0, seed=5)
    noisy = load_data(name, samples=4000, noise=0.3, seed=5)
    difference = noisy.x_train - clean.x_train
    np.testing.assert_allclose(difference.std(axis=0), 0.3, rtol=0.05)  # over four standard errors
    np.testing.assert_allclose(difference.mean(axis=0), 0.0, atol=0.02)


@pytest.mark.parametrize(("name", "classes"), [("spirals", 2), ("moons", 2), ("xor", 2), ("ring", 8)])
def test_each_part_is_balanced_seeded_and_typed(name, classes):
    data = load_data(name, samples=400, seed=1)
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (360, 40, 400)
    assert data.input_shape == (2,)
    assert data.num_classes == classes
    assert data.x_train.dtype == data.x_val.dtype == data.x_test.dtype == np.float32
    assert data.y_train.dtype == data.y_val.dtype == data.y_test.dtype == np.int32
    for y in (data.y_train, data.y_val, data.y_test):
        assert np.ptp(np.bincount(y)) == 0

    again, other = load_data(name, samples=400, seed=1), load_data(name, samples=400, seed=2)
    np.testing.assert_array_equal(data.x_train, again.x_train)
    assert not np.isin(data.x_train[:, 0], other.x_train[:, 0]).any()
    assert not np.isin(data.x_train[:, 0], data.x_test[:, 0]).any()


def test_the_number_of_arms_is_the_number_of_classes():
    data = load_data("spirals", samples=50, classes=5)
    assert data.num_classes == 5
    assert set(data.y_test) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("name", ["spirals", "moons", "xor", "ring"])
def test_smoke_keeps_to_a_few_hundred_points(name):
    for arguments in ({}, {"samples": 100_000}):
        data = load_data(name, smoke=True, **arguments)
        assert (len(data.x_train) + len(data.x_val), len(data.x_test)) == (256, 128)
    assert len(load_data(name, smoke=True, samples=40).x_test) == 40


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("xor", {"noise": -0.1}, r"`noise` must be a standard deviation, 0 or more. Received: noise=-0\.1"),
        ("moons", {"samples": 1}, "`samples` must be an integer of 2 or more. Received: samples=1"),
        ("moons", {"samples": 10.5}, r"Received: samples=10\.5"),
        ("spirals", {"classes": 1}, "`classes` must be an integer of 2 or more. Received: classes=1"),
        ("ring", {"clouds": 1}, "`clouds` must be an integer of 2 or more. Received: clouds=1"),
        ("spirals", {"samples": 3, "classes": 4}, "`samples` must be an integer of 4 or more"),
        ("spirals", {"turns": 0}, "`turns` must be a number of turns, above 0. Received: turns=0"),
        ("xor", {"turns": 2}, "'xor' takes no argument `turns`. It takes: samples, noise. Leave it out"),
        (
            "digits",
            {"noise": 0.1},
            "'digits' takes no argument `noise`. It takes none of its own. Leave it out",
        ),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data(name, **arguments)
