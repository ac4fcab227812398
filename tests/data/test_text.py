"""The texts: their characters, windows and split, and that an epoch draws from the training part alone."""

import os
import sys

import numpy as np
import pytest

from kzoo.data import load_data, text
from kzoo.errors import DatasetUnavailable

PARTS = ("train", "val", "test")


@pytest.fixture
def letters(monkeypatch):
    """A text of 1,000 tokens, each its own place, as shakespeare, so that every window says where it lies."""
    monkeypatch.setattr(text, "shakespeare", lambda: (np.arange(1000, dtype=np.int32), tuple("abc")))


def windows_of(data, part):
    return getattr(data, f"x_{part}"), getattr(data, f"y_{part}")


@pytest.mark.parametrize("window", [1, 7, 64])
def test_windows_lie_side_by_side_and_ask_for_the_token_after_each(letters, window):
    data = load_data("shakespeare", window=window, validation_fraction=0.25)
    train, first = (900 - 1) // window, 0
    counts = [train - round(train / 4), round(train / 4), (100 - 1) // window]
    for part, count in zip(PARTS, counts, strict=True):
        x, y = windows_of(data, part)
        assert x.shape == y.shape == (count, window)
        assert x.dtype == y.dtype == np.int32
        first = 900 if part == "test" else first
        np.testing.assert_array_equal(x, first + np.arange(count * window).reshape(count, window))
        np.testing.assert_array_equal(y, x + 1)
        first += count * window
    assert (data.kind, data.task, data.input_shape, data.renew) == ("text", "tokens", (window,), None)
    assert (data.num_outputs, data.class_names) == (3, ("a", "b", "c"))


def test_the_last_windows_of_the_training_text_choose_the_epoch_whatever_the_seed(letters):
    data, other = load_data("shakespeare"), load_data("shakespeare", seed=5)
    assert data.x_train.max() < data.x_val.min()
    for part in PARTS:
        for ours, theirs in zip(windows_of(data, part), windows_of(other, part), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_no_token_that_is_asked_for_is_asked_for_or_read_in_an_earlier_part(letters):
    data, known = load_data("shakespeare", window=10, samples=500), set()
    for part in PARTS:
        x, y = windows_of(data, part)
        assert not known & set(y.ravel().tolist())
        known |= set(x.ravel().tolist()) | set(y.ravel().tolist())


def test_drawn_windows_begin_anywhere_in_the_training_part_alone(letters):
    data = load_data("shakespeare", window=10, samples=5000, seed=2)
    whole = load_data("shakespeare", window=10, seed=2)
    assert data.x_train.shape == data.y_train.shape == (5000, 10)
    for x, y in ((data.x_train, data.y_train), data.renew(7)):
        np.testing.assert_array_equal(x, x[:, :1] + np.arange(10))
        np.testing.assert_array_equal(y, x + 1)
        # Each place 5,000 / 791 = 6 times: that one is left out has a chance of 1 in 500.
        assert len(set(x[:, 0].tolist())) > 780
        assert (x.min(), y.max()) == (0, whole.y_train.max())
    for part in ("val", "test"):
        np.testing.assert_array_equal(windows_of(data, part)[0], windows_of(whole, part)[0])


def test_every_epoch_draws_other_windows_and_the_same_ones_for_the_same_seed(letters):
    data, again, other = (load_data("shakespeare", samples=50, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(data.x_train, data.renew(0)[0])
    np.testing.assert_array_equal(data.renew(3)[0], again.renew(3)[0])
    firsts = [x[:, 0].tolist() for x in (data.x_train, data.renew(1)[0], data.renew(2)[0], other.x_train)]
    assert all(firsts[i] != firsts[k] for i in range(4) for k in range(i))
    # A pin: if NumPy or the code changes these, results no longer compare with earlier ones.
    assert firsts[0][:6] == [597, 735, 203, 159, 609, 637]


def test_many_long_windows_take_little_more_than_one_array(letters):
    data = load_data("shakespeare", window=80, samples=20_000)
    assert np.shares_memory(data.x_train, data.y_train)
    assert data.x_train.base.nbytes == 20_000 * 81 * 4


def test_smoke_keeps_the_vocabulary_and_the_beginning_of_each_part(letters):
    data = load_data("shakespeare", window=2, smoke=True, seed=4)
    assert [len(windows_of(data, part)[0]) for part in PARTS] == [230, 26, 49]
    assert (data.x_train[0, 0], data.x_test[0, 0]) == (0, 900)
    assert len(load_data("shakespeare", window=2, smoke=True, samples=10**9).x_train) == 256
    assert len(load_data("shakespeare", window=2, smoke=True, samples=40).x_train) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "`window` must be an integer from 1 to 99. Received: window=0"),
        ({"window": 100}, "`window` must be an integer from 1 to 99. Received: window=100"),
        ({"samples": 0}, "`samples` must be an integer of 1 or more. Received: samples=0"),
        ({"length": 9}, "takes no argument `length`. It takes: window, samples. Leave it out"),
        ({"window": 99, "validation_fraction": 0.01}, "of 9 samples leaves none for validation"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(letters, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data("shakespeare", **arguments)


def test_a_text_comes_back_from_its_tokens():
    tokens, characters = text.encode("so said, so done", tuple(" ,adeinos"))
    assert "".join(characters[token] for token in tokens) == "so said, so done"
    assert tokens.dtype == np.int32


def test_pydoc_is_the_help_of_python_with_each_paragraph_once():
    from pydoc_data.topics import topics

    tokens, characters = text.pydoc()
    assert characters == ("\n", *map(chr, range(32, 127)))
    whole = "".join(characters[token] for token in tokens)
    assert 'The "assert" statement\n***' in whole
    paragraphs = whole.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    # In the order of the topics' names, but for what was said before.
    assert whole.index("Assert statements are a convenient way") < whole.index('The "while" statement')
    # Nothing but repetitions, blank lines and what ASCII does not print is left out.
    given = {line.strip() for topic in topics.values() for line in topic.splitlines() if line.isascii()}
    assert given <= {line.strip() for line in whole.splitlines()}


def test_without_pythons_help_pydoc_is_answered_with_another_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DatasetUnavailable, match="--data shakespeare"):
        load_data("pydoc")


def test_a_shakespeare_that_cannot_be_had_is_answered_with_the_text_that_can(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KZOO_DATA_DIR", raising=False)
    with pytest.raises(DatasetUnavailable, match=r"tinyshakespeare\.txt is not on this machine(.|\n)*--data pydoc"):
        load_data("shakespeare")


@pytest.mark.skipif(
    not os.environ.get("KZOO_DATA_DIR"), reason="KZOO_DATA_DIR is not set: no folder with the real Shakespeare"
)
def test_the_real_shakespeare_is_split_as_in_nanogpt():
    tokens, characters = text.shakespeare()
    train, test = text.split(tokens)
    assert (len(train), len(test), len(characters)) == (1_003_854, 111_540, 65)
    data = load_data("shakespeare")
    assert "".join(data.class_names) == "".join(sorted(data.class_names))
    assert "".join(characters[token] for token in data.x_train[0]).startswith("First Citizen:\nBefore we proceed")
    # 111,540 tokens, all but the first asked for once, in 1,742 windows of 64.
    assert data.x_test.shape == (1742, 64)
    assert "".join(characters[token] for token in data.x_test[0]).startswith("?\n\nGREMIO:\nGood morrow")
