"""`load_data`: the split, the parts, the statistics and the messages."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from kzoo.data import images, list_datasets, load_data, sequences, standard_stats, text
from kzoo.data.dataset import stratified_indices
from kzoo.errors import UnknownName


@pytest.fixture(scope="module")
def digits():
    return load_data()


def test_digits_are_scikit_learns_own_and_each_is_in_one_part(digits):
    from sklearn.datasets import load_digits

    stored = load_digits()
    x = np.concatenate([digits.x_train, digits.x_val, digits.x_test])
    y = np.concatenate([digits.y_train, digits.y_val, digits.y_test])
    assert x.shape == (1797, 8, 8, 1)

    def rows(images, labels):
        return sorted(map(tuple, np.column_stack([images.reshape(1797, 64), labels]).tolist()))

    assert rows(x * 16, y) == rows(stored.images, stored.target)


def test_a_data_set_states_its_shapes_and_types(digits):
    assert digits.x_train.shape == (1294, 8, 8, 1)
    assert digits.x_val.shape == (144, 8, 8, 1)
    assert digits.x_test.shape == (359, 8, 8, 1)
    assert digits.x_train.dtype == np.float32
    assert digits.y_train.dtype == np.int32
    assert (digits.x_train.min(), digits.x_train.max()) == (0.0, 1.0)
    assert digits.input_shape == (8, 8, 1)
    assert digits.num_classes == 10
    assert repr(digits) == "Dataset('digits', image (8, 8, 1), 10 classes, train 1294, val 144, test 359)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        digits.name = "other"


def test_each_part_holds_the_classes_in_the_proportions_of_the_whole(digits):
    whole = np.bincount(np.concatenate([digits.y_train, digits.y_val, digits.y_test])) / 1797
    for y in (digits.y_train, digits.y_val, digits.y_test):
        # Rounding twice moves a class by less than two samples from its share.
        np.testing.assert_allclose(np.bincount(y), whole * len(y), atol=2)


def test_the_seed_moves_the_validation_part_and_never_the_test_part(digits):
    same, other = load_data(seed=0), load_data(seed=1)
    np.testing.assert_array_equal(same.x_val, digits.x_val)
    assert not np.array_equal(other.x_val, digits.x_val)
    np.testing.assert_array_equal(other.x_test, digits.x_test)


def test_the_split_is_the_one_that_earlier_runs_had(digits):
    # A pin: if NumPy or the code changes these, results no longer compare with earlier ones.
    assert digits.y_val[:12].tolist() == [1, 6, 4, 8, 2, 8, 2, 9, 9, 7, 1, 6]
    assert digits.y_test[:12].tolist() == [7, 1, 5, 3, 6, 9, 7, 2, 8, 0, 9, 1]


def test_the_split_does_not_depend_on_numpys_global_state(digits):
    np.random.seed(123)
    again = load_data()
    np.testing.assert_array_equal(again.x_val, digits.x_val)
    np.testing.assert_array_equal(again.y_train, digits.y_train)


def test_without_a_validation_part_the_training_part_is_whole():
    data = load_data(validation_fraction=0)
    assert (len(data.x_train), len(data.x_val)) == (1438, 0)
    assert data.x_val.shape == (0, 8, 8, 1)


def test_both_parts_keep_the_order_of_the_source(digits):
    whole = load_data(validation_fraction=0).x_train.reshape(1438, 64).tolist()
    for part in (digits.x_train, digits.x_val):
        places = [whole.index(row) for row in part.reshape(-1, 64).tolist()]
        assert places == sorted(places)


def test_smoke_takes_a_few_hundred_images_of_every_class():
    data = load_data(smoke=True)
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (230, 26, 128)
    assert set(data.y_train) == set(data.y_test) == set(range(10))
    np.testing.assert_array_equal(data.x_test, load_data(smoke=True, seed=9).x_test)


@pytest.mark.parametrize("count", [0, 1, 7, 10])
def test_stratified_indices_give_each_class_its_share_to_within_one(count):
    labels = np.array([0, 2, 2, 2, 2, 2, 1, 1, 1, 0])
    chosen = stratified_indices(labels, count, np.random.default_rng(0))
    assert len(set(chosen)) == len(chosen) == count
    assert chosen.tolist() == sorted(chosen)
    shares = np.bincount(labels[chosen], minlength=3) - np.array([2, 3, 5]) * count / 10
    assert np.abs(shares).max() < 1


def test_stratified_indices_reach_every_sample():
    labels = np.repeat([0, 1], 5)
    seen = {i for seed in range(40) for i in stratified_indices(labels, 2, np.random.default_rng(seed))}
    assert seen == set(range(10))


def test_standard_stats_are_those_of_numpy_in_float64():
    x = np.random.default_rng(0).normal(100.0, [1.0, 0.1, 5.0], (2500, 3, 2, 3)).astype(np.float32)
    mean, std = standard_stats(x)
    assert mean.dtype == std.dtype == np.float32
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, x.astype(np.float64).std(axis=(0, 1, 2)), rtol=1e-6)


def test_the_std_of_a_constant_channel_is_one():
    # In float64 the mean of 2,999 times 0.7 misses 0.7 by rounding.
    x = np.stack([np.full(2999, 0.7), np.zeros(2999), np.arange(2999)], axis=1)
    for dtype in (np.float32, np.float64):
        np.testing.assert_allclose(standard_stats(x.astype(dtype))[1], [1.0, 1.0, np.arange(2999).std()], rtol=1e-6)


@pytest.mark.parametrize("x", [np.zeros((0, 2)), np.zeros(4)])
def test_standard_stats_of_no_sample_are_refused(x):
    with pytest.raises(ValueError, match=r"at least one sample. Received: shape .*standard_stats\(data.x_train\)"):
        standard_stats(x)


def test_a_misspelt_name_is_answered_with_the_nearest_and_the_list():
    with pytest.raises(UnknownName) as caught:
        load_data("fashion-mnits")
    assert str(caught.value) == (
        "No data set is called 'fashion-mnits'. Did you mean 'fashion_mnist'? "
        "There are: digits, mnist, fashion_mnist, cifar10, spirals, moons, xor, ring, digits_rows, mnist_rows, "
        "mnist_pixels, mnist_permuted, adding, copying, selective_copying, induction_heads, mackey_glass, sunspots, "
        "shakespeare, pydoc, lissajous, compositions."
    )
    with pytest.raises(UnknownName, match=r"No data set is called 3. There are: digits"):
        load_data(3)


@pytest.mark.parametrize("fraction", [1.0, -0.1, float("nan"), "0.1", True, None])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"from 0 to below 1, such as 0\.1\. Received: validation_fraction="):
        load_data("xor", validation_fraction=fraction)


@pytest.mark.parametrize(("fraction", "part"), [(0.95, "training"), (0.01, "validation")])
def test_a_fraction_that_empties_a_part_is_refused(fraction, part):
    with pytest.raises(ValueError, match=f"of 8 samples leaves none for {part}. Take another, or 0"):
        load_data("xor", samples=8, validation_fraction=fraction)


def test_a_seed_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"`seed` must be an integer from 0 to 4294967295. Received: seed=-1"):
        load_data("xor", seed=-1)


def test_the_table_describes_every_set_that_loads():
    table = list_datasets()
    for name, info in table.items():
        assert info.kind in ("image", "points", "sequence", "text", "movements")
        assert info.task in ("classification", "regression", "tokens")
        assert info.description
        assert "\n" not in info.description
        assert info.size
        assert info.license
        if not info.needs_network:
            data = load_data(name, smoke=True)
            assert (data.name, data.kind, data.task) == (name, info.kind, info.task)
        else:
            loaders = {"image": images, "sequence": sequences, "text": text}
            assert callable(getattr(loaders[info.kind], name))
    assert next(iter(table)) == "digits"
    table.clear()
    assert list_datasets()


def test_importing_the_data_loads_no_heavy_library():
    heavy = {"keras", "tensorflow", "jax", "torch", "sklearn", "scipy", "pooch", "requests"}
    code = f"import sys, kzoo.data; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(
    not os.environ.get("KZOO_DATA_DIR"), reason="KZOO_DATA_DIR is not set: no folder with the real MNIST"
)
def test_the_real_mnist_has_its_well_known_statistics():
    data = load_data("mnist", validation_fraction=0)
    assert data.x_train.shape == (60000, 28, 28, 1)
    assert data.x_test.shape == (10000, 28, 28, 1)
    assert data.y_train[:6].tolist() == [5, 0, 4, 1, 9, 2]
    mean, std = standard_stats(data.x_train)
    np.testing.assert_allclose(mean, [0.1307], atol=5e-5)  # the figures that every tutorial quotes
    np.testing.assert_allclose(std, [0.3081], atol=5e-5)


def test_movements_are_learned_by_heart_and_an_epoch_shows_each_of_them_often():
    data = load_data("compositions", cycles=2, rest=3, repeats=4, seed=1)
    assert data.task == "regression"
    assert data.input_shape == data.y_test.shape[1:] == (3 + 2 * 2 * 20, 2)
    assert len(data.y_train) == len(data.x_train["index"]) == 12
    np.testing.assert_array_equal(data.x_train["index"][3:6, 0], [0, 1, 2])
    np.testing.assert_array_equal(data.x_train["teacher"][3:6], data.x_test["teacher"])
    np.testing.assert_array_equal(data.x_val["teacher"], data.x_test["teacher"])
    # What is asked for at a step is what the teacher says at the next one.
    np.testing.assert_array_equal(data.y_test[:, :-1], data.x_test["teacher"][:, 1:])
    again = load_data("compositions", cycles=2, rest=3, repeats=4, seed=1)
    np.testing.assert_array_equal(data.y_test, again.y_test)
    with pytest.raises(ValueError, match="repeats"):
        load_data("lissajous", repeats=0)
