"""The sets of sequences against their definitions, written out step by step, and their split."""

import sys

import numpy as np
import pytest

from kzoo.data import images, load_data, sequences
from kzoo.data.dataset import RawData
from kzoo.errors import DatasetUnavailable

PARTS = ("train", "val", "test")


def part_of(data, part):
    return getattr(data, f"x_{part}"), getattr(data, f"y_{part}")


@pytest.fixture
def mnist(monkeypatch):
    """A small MNIST of random pixels, with as many images of every digit."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 28, 28, 1), dtype=np.uint8)
    y = (np.arange(50) % 10).astype(np.uint8)
    monkeypatch.setattr(images, "mnist", lambda: RawData(x[:30], y[:30], x[30:], y[30:], 255, tuple("0123456789")))
    return load_data("mnist", validation_fraction=1 / 3)


def test_rows_of_digits_are_the_images_of_digits_split_alike():
    rows, whole = load_data("digits_rows", seed=3), load_data("digits", seed=3)
    for part in PARTS:
        (x, y), (x_whole, y_whole) = part_of(rows, part), part_of(whole, part)
        assert x.shape == (len(y), 8, 8)
        np.testing.assert_array_equal(x, x_whole[..., 0])
        np.testing.assert_array_equal(y, y_whole)
    assert rows.class_names == whole.class_names
    assert repr(rows) == "Dataset('digits_rows', sequence (8, 8), 10 classes, train 1294, val 144, test 359)"


@pytest.mark.parametrize("name", ["mnist_rows", "mnist_pixels", "mnist_permuted"])
def test_mnist_as_a_sequence_shows_the_pixels_in_the_order_that_its_name_says(mnist, name):
    data = load_data(name, validation_fraction=1 / 3)
    order = sequences.pixel_permutation(784) if name == "mnist_permuted" else range(784)
    for part in PARTS:
        (x, y), (x_whole, y_whole) = part_of(data, part), part_of(mnist, part)
        np.testing.assert_array_equal(y, y_whole)
        seen = x.reshape(len(x), 784)
        for step, pixel in enumerate(order):
            np.testing.assert_array_equal(seen[:, step], x_whole[:, pixel // 28, pixel % 28, 0])
    assert data.input_shape == ((28, 28) if name == "mnist_rows" else (784, 1))
    assert data.x_train.dtype == np.float32
    assert (data.x_train.min(), data.x_train.max()) == (0.0, 1.0)
    assert (data.task, data.num_outputs, data.num_classes) == ("classification", 10, 10)


def test_the_permutation_is_fixed_and_reaches_every_pixel(mnist):
    order = sequences.pixel_permutation(784)
    assert sorted(order) == list(range(784))
    np.testing.assert_array_equal(order, np.random.default_rng([8]).permutation(784))
    # A pin: with another permutation results no longer compare with earlier ones.
    assert order[:8].tolist() == [572, 179, 385, 593, 366, 102, 607, 167]
    np.testing.assert_array_equal(load_data("mnist_permuted").x_test, load_data("mnist_permuted", seed=7).x_test)


@pytest.mark.parametrize("length", [2, 3, 8, 51])
def test_the_sum_wanted_is_that_of_the_two_marked_numbers_one_in_each_half(length):
    data = load_data("adding", samples=400, length=length)
    for part in PARTS:
        x, y = part_of(data, part)
        assert x.shape[1:] == (length, 2)
        assert y.shape == (len(x), 1)
        for sequence, wanted in zip(x.tolist(), y.tolist(), strict=True):
            marked = [(step, number) for step, (number, marker) in enumerate(sequence) if marker == 1]
            assert sum(marker for _, marker in sequence) == len(marked) == 2
            assert marked[0][0] < length // 2 <= marked[1][0]
            assert wanted == pytest.approx([marked[0][1] + marked[1][1]], abs=1e-6)
    assert set(np.flatnonzero(data.x_train[:, :, 1].sum(axis=0))) == set(range(length))  # no step is never marked


def test_to_answer_one_to_every_sum_costs_a_sixth():
    data = load_data("adding", length=10)
    # The squared error has a deviation of 0.2: four standard errors of 9,000 samples.
    assert np.square(data.y_train - 1).mean() == pytest.approx(1 / 6, abs=0.0085)
    numbers = data.x_train[:, :, 0]
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert numbers.mean() == pytest.approx(1 / 2, abs=0.004)  # four standard errors of 90,000 numbers


@pytest.mark.parametrize("delay", [1, 2, 37])
def test_what_is_to_be_recited_is_what_came_first(delay):
    data = load_data("copying", samples=200, delay=delay)
    names = data.class_names
    assert names == ("a", "b", "c", "d", "e", "f", "g", "h", "blank", "recite")
    for part in PARTS:
        x, y = part_of(data, part)
        assert x.dtype == y.dtype == np.int32
        for given, wanted in zip(x.tolist(), y.tolist(), strict=True):
            given, wanted = [names[token] for token in given], [names[token] for token in wanted]
            letters = given[:10]
            assert all(letter in "abcdefgh" for letter in letters)
            assert given[10:] == ["blank"] * (delay - 1) + ["recite"] + ["blank"] * 10
            assert wanted == ["blank"] * (delay + 10) + letters
    # Each letter 2,000 / 8 times, with a deviation of 15.
    np.testing.assert_allclose(np.bincount(data.x_test[:200, :10].ravel(), minlength=8), 250, atol=65)
    assert (data.task, data.input_shape, data.num_outputs) == ("tokens", (delay + 20,), 10)


@pytest.mark.parametrize(("length", "tokens"), [(1, 1), (5, 5), (40, 16), (256, 3)])
def test_scattered_letters_are_to_be_recited_in_their_order(length, tokens):
    data = load_data("selective_copying", samples=200, length=length, tokens=tokens)
    names = data.class_names
    assert names == (*"abcdefghijklmn", "blank", "recite")
    for x, y in (*(part_of(data, part) for part in PARTS), data.renew(4)):
        assert x.dtype == y.dtype == np.int32
        assert x.shape == y.shape == (len(y), length + tokens)
        for given, wanted in zip(x.tolist(), y.tolist(), strict=True):
            letters = [token for token in given[:length] if names[token] != "blank"]
            assert len(letters) == tokens
            assert all(token < 14 for token in letters)
            assert [names[token] for token in given[length:]] == ["recite"] * tokens
            assert wanted == [-1] * length + letters
    assert (data.task, data.input_shape, data.num_outputs) == ("tokens", (length + tokens,), 16)


def test_every_set_of_places_and_every_letter_is_as_likely():
    x, _ = sequences.selective_copying(np.random.default_rng(0), samples=12_000, length=4, tokens=2)
    sets, counts = np.unique(x[:, :4] < 14, axis=0, return_counts=True)
    assert len(sets) == 6
    np.testing.assert_allclose(counts, 2000, atol=4 * 41)  # four deviations of a count of 12,000 with a chance of 1/6
    letters = x[:, :4][x[:, :4] < 14]
    np.testing.assert_allclose(np.bincount(letters, minlength=14), 24_000 / 14, atol=4 * 40)


@pytest.mark.parametrize("length", [3, 4, 33])
def test_the_last_mark_asks_for_what_came_after_the_first_one(length):
    data = load_data("induction_heads", samples=600, length=length)
    names, places = data.class_names, set()
    assert names == (*"abcdefghijklmno", "mark")
    for x, y in (*(part_of(data, part) for part in PARTS), data.renew(4)):
        assert x.dtype == y.dtype == np.int32
        for given, wanted in zip(x.tolist(), y.tolist(), strict=True):
            first, last = [step for step, token in enumerate(given) if names[token] == "mark"]
            assert last == length - 1
            places.add(first)
            assert wanted == [-1] * (length - 1) + [given[first + 1]]
            assert names[wanted[-1]] != "mark"
    assert places == set(range(length - 2))
    # Each letter 1,000 / 15 times, with a deviation of 7.9.
    np.testing.assert_allclose(np.bincount(data.y_test[:, -1], minlength=15), 1000 / 15, atol=32)
    assert (data.task, data.input_shape, data.num_outputs) == ("tokens", (length,), 16)


@pytest.mark.parametrize("name", ["selective_copying", "induction_heads"])
def test_every_epoch_of_an_endless_set_sees_others_and_none_of_the_other_parts(name):
    data, again, other = (load_data(name, samples=200, length=30, seed=seed) for seed in (3, 3, 4))
    assert len(data.y_train) == 180
    epochs = [data.x_train, data.renew(1)[0], data.renew(2)[0], other.x_train, data.x_val, data.x_test]
    sets = [set(map(tuple, x.tolist())) for x in epochs]
    assert not any(sets[i] & sets[k] for i in range(len(sets)) for k in range(i))
    np.testing.assert_array_equal(data.x_train, data.renew(0)[0])
    np.testing.assert_array_equal(data.renew(2)[1], again.renew(2)[1])
    assert all(len(data.renew(epoch)[1]) == 180 for epoch in (0, 9))


def test_the_series_of_mackey_and_glass_agrees_with_scipy_interval_by_interval():
    ours, reference = sequences.mackey_glass_series(0.6, 301), mackey_glass_by_scipy(0.6, 301)
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-8)
    # A method of order 4: half the step, a sixteenth of the error.
    coarse, fine = (np.abs(sequences.mackey_glass_series(0.6, 301, steps) - reference).max() for steps in (5, 10))
    assert coarse / fine == pytest.approx(16, rel=0.05)


def mackey_glass_by_scipy(start, count):
    """The series by the method of steps: on each interval as long as the delay, an ordinary differential equation."""
    from scipy.integrate import solve_ivp

    def past(t):
        return np.full(np.shape(t), start)

    values, x = [np.array([start])], start
    for begin in range(0, count, 17):

        def slope(t, x, past=past):
            return 0.2 * past(t - 17) / (1 + past(t - 17) ** 10) - 0.1 * x

        solved = solve_ivp(
            slope, (begin, begin + 17), [x], "DOP853", dense_output=True, max_step=0.25, rtol=1e-12, atol=1e-13
        )
        values.append(solved.sol(np.arange(begin + 1, begin + 18))[0])
        x = solved.y[0, -1]

        def past(t, solved=solved):
            return solved.sol(t)[0]

    return np.concatenate(values)[:count]


def test_one_is_a_fixed_point_of_the_series():
    np.testing.assert_array_equal(sequences.mackey_glass_series(1.0, 40), np.ones(40))


@pytest.mark.parametrize(("window", "ahead"), [(50, 6), (1, 1), (7, 20)])
def test_windows_follow_one_another_and_ask_for_a_value_that_comes_later(window, ahead, monkeypatch):
    monkeypatch.setattr(sequences, "mackey_glass_series", lambda start, count: np.arange(count) - 1000.0)
    data = load_data("mackey_glass", samples=40, window=window, ahead=ahead, validation_fraction=0.25)
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (30, 10, 1000)
    first = 0
    for part in PARTS:
        x, y = part_of(data, part)
        starts = first + np.arange(len(x))
        np.testing.assert_array_equal(x[..., 0], starts[:, None] + np.arange(window))
        np.testing.assert_array_equal(y[:, 0], starts + window - 1 + ahead)
        first += len(x)


@pytest.mark.parametrize("ahead", [1, 6])
def test_no_value_that_is_asked_for_occurs_in_an_earlier_part(ahead, monkeypatch):
    monkeypatch.setattr(sequences, "mackey_glass_series", lambda start, count: np.arange(count, dtype=float))
    data = load_data("mackey_glass", samples=100, ahead=ahead)
    seen = set()
    for part in PARTS:
        x, y = part_of(data, part)
        asked = set(y.ravel().tolist())
        assert not asked & seen
        seen |= asked | set(x.ravel().tolist())


def test_the_series_is_chosen_by_the_seed_and_stays_in_its_bounds():
    data, same, other = (load_data("mackey_glass", samples=300, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(data.x_train, same.x_train)
    assert not np.isin(data.x_train[:, 0], other.x_train[:, 0]).any()
    assert 0.4 < data.x_test.min() < data.x_test.max() < 1.35
    assert (data.task, data.input_shape, data.num_outputs, data.class_names) == ("regression", (50, 1), 1, ())
    assert repr(data) == "Dataset('mackey_glass', sequence (50, 1), targets (1,), train 270, val 30, test 1000)"


def test_the_naive_forecasts_are_as_bad_as_their_docstrings_say():
    for name, error, variance in (("mackey_glass", 0.034, 0.050), ("sunspots", 0.112, 0.278)):
        data = load_data(name)
        assert np.square(data.x_test[:, -1] - data.y_test).mean() == pytest.approx(error, abs=6e-4)
        assert data.y_test.var() == pytest.approx(variance, abs=6e-4)


@pytest.mark.parametrize("window", [1, 30, 200])
def test_sunspots_are_the_yearly_numbers_and_the_test_begins_in_1956(window):
    data = load_data("sunspots", window=window)
    x = np.concatenate([part_of(data, part)[0] for part in PARTS])
    y = np.concatenate([part_of(data, part)[1] for part in PARTS])
    years = dict(enumerate(100 * np.concatenate([x[0, :, 0], y[:, 0]]).astype(float), start=1700))
    # Wolf's numbers, as they stand in every table: the first year, a deep minimum, the highest, the last.
    assert [round(years[year], 1) for year in (1700, 1810, 1957, 2008)] == [5.0, 0.0, 190.2, 2.9]
    assert len(years) == 309
    for i in range(len(x)):
        assert [years[1700 + i + k] for k in range(window)] == pytest.approx(100 * x[i, :, 0].astype(float))
    assert len(data.x_test) == 53
    assert round(100 * float(data.y_test[0, 0]), 1) == 141.7  # 1956
    np.testing.assert_array_equal(data.x_test, load_data("sunspots", window=window, seed=5, smoke=True).x_test)


def test_without_statsmodels_sunspots_are_answered_with_the_command_and_another_series(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    with pytest.raises(DatasetUnavailable, match=r'type:  pip install "statsmodels>=0.14"\nOr .* --data mackey_glass'):
        load_data("sunspots")


@pytest.mark.parametrize("name", ["adding", "copying"])
def test_samples_that_are_drawn_apart_are_split_at_random_by_the_seed(name):
    whole = load_data(name, samples=200, validation_fraction=0).x_train.tolist()
    data = load_data(name, samples=200)
    places = {part: [whole.index(row) for row in part_of(data, part)[0].tolist()] for part in ("train", "val")}
    assert sorted(places["train"] + places["val"]) == list(range(200))
    for part in places.values():
        assert part == sorted(part)
    # A pin: if NumPy or the code changes these, results no longer compare with earlier ones.
    assert places["val"][:6] == [6, 24, 34, 43, 62, 81]
    assert not any(row in whole for row in data.x_test.tolist())
    assert len(data.x_test) == 1000
    np.testing.assert_array_equal(load_data(name, samples=200).x_val, data.x_val)
    assert load_data(name, samples=200, seed=1).x_train[0].tolist() not in whole


@pytest.mark.parametrize("name", ["digits_rows", "adding", "copying", "mackey_glass", "mnist_permuted"])
def test_smoke_keeps_to_a_few_hundred_sequences(name, request):
    sizes = (230, 26, 128)
    if name == "mnist_permuted":
        request.getfixturevalue("mnist")
        sizes = (27, 3, 20)
    data = load_data(name, smoke=True)
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == sizes
    if name in ("adding", "copying", "mackey_glass"):
        assert len(load_data(name, smoke=True, samples=10**9).x_train) == 230
        assert len(load_data(name, smoke=True, samples=40).x_train) == 36


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("adding", {"length": 1}, "`length` must be an integer of 2 or more. Received: length=1"),
        ("adding", {"samples": 0}, "`samples` must be an integer of 1 or more. Received: samples=0"),
        ("copying", {"delay": 0}, "`delay` must be an integer of 1 or more. Received: delay=0"),
        ("copying", {"samples": 2.5}, r"Received: samples=2\.5"),
        ("selective_copying", {"length": 0}, "`length` must be an integer of 1 or more. Received: length=0"),
        ("selective_copying", {"length": 9}, "`tokens` must be an integer from 1 to 9. Received: tokens=16"),
        ("induction_heads", {"length": 2}, "`length` must be an integer of 3 or more. Received: length=2"),
        ("induction_heads", {"tokens": 2}, "takes no argument `tokens`. It takes: samples, length. Leave it out"),
        ("mackey_glass", {"window": 0}, "`window` must be an integer of 1 or more. Received: window=0"),
        ("mackey_glass", {"ahead": 0}, "`ahead` must be an integer of 1 or more. Received: ahead=0"),
        ("mackey_glass", {"test": 5}, "takes no argument `test`. It takes: samples, window, ahead. Leave it out"),
        ("sunspots", {"window": 201}, "`window` must be an integer from 1 to 200. Received: window=201"),
        ("digits_rows", {"samples": 9}, "'digits_rows' takes no argument `samples`. It takes none of its own"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data(name, **arguments)
