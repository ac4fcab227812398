"""The order of an epoch and the randomness of a batch are pure functions of their arguments."""

import numpy as np
import pytest

from kzoo.data import batch_rng, epoch_order


def test_an_epoch_visits_every_sample_once():
    order = epoch_order(101, seed=3, epoch=2)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(101))


def test_the_order_is_the_one_that_earlier_runs_had():
    # A pin: if NumPy or the code changes these numbers, a resumed run no longer sees its own batches.
    assert epoch_order(8, seed=0, epoch=0).tolist() == [1, 4, 2, 3, 7, 5, 6, 0]
    assert batch_rng(0, 0, 0).integers(1000, size=4).tolist() == [445, 538, 517, 343]


def test_an_epoch_needs_no_epoch_before_it():
    later = epoch_order(50, seed=1, epoch=7)
    for epoch in range(7):
        epoch_order(50, seed=1, epoch=epoch)
        np.random.default_rng(1).random(3)
    np.testing.assert_array_equal(epoch_order(50, seed=1, epoch=7), later)


def test_every_epoch_and_every_seed_has_its_own_order():
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_every_batch_has_its_own_stream():
    draws = {batch_rng(s, e, b).random() for s in range(3) for e in range(3) for b in range(3)}
    assert len(draws) == 27
    assert batch_rng(1, 2, 0).random() == batch_rng(1, 2, 0).random()


def test_the_order_and_the_batches_draw_from_disjoint_streams():
    # NumPy pads a short key with zeros, so [seed, epoch] alone would equal [seed, epoch, 0].
    order = epoch_order(50, seed=1, epoch=2)
    assert not np.array_equal(order, batch_rng(1, 2, 0).permutation(50))


@pytest.mark.parametrize("epoch", [0, 5])
def test_no_sample_and_one_sample_have_an_order(epoch):
    assert epoch_order(0, 0, epoch).tolist() == []
    assert epoch_order(1, 0, epoch).tolist() == [0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0, 0), "`n` must be an integer of 0 or more. Received: n=-1"),
        ((5, 2**32, 0), "`seed` must be an integer from 0 to 4294967295. Received: seed=4294967296"),
        ((5, 0, 1.5), r"`epoch` must be an integer .* Received: epoch=1\.5"),
        ((5, True, 0), "`seed` must be an integer .* Received: seed=True"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        epoch_order(*arguments)


def test_a_numpy_integer_is_a_seed():
    np.testing.assert_array_equal(epoch_order(9, np.int32(4), np.uint8(1)), epoch_order(9, 4, 1))
