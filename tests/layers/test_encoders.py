"""The codes as layers: what is drawn when, and what is kept."""

import keras
import numpy as np
import pytest
from checks import check_layer
from keras import ops

from kzoo.layers.encoders import LatencyEncoder, RateEncoder
from kzoo.ops.spikes import latency_spikes, rate_spikes


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


X = np.random.default_rng(0).random((3, 6)).astype("float32")


def test_encoders_keep_the_contract(tmp_path):
    check_layer(RateEncoder, {"steps": 5, "seed": 3}, (6,), tmp_path, training_changes=True)
    check_layer(LatencyEncoder, {"steps": 5}, (6,), tmp_path)


def test_training_draws_anew_and_answers_draw_the_same_each_time():
    layer = RateEncoder(9, seed=3)
    answers = numpy_of(layer(X))
    first, second = (numpy_of(layer(X, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(numpy_of(layer(X)), answers)
    np.testing.assert_array_equal(numpy_of(layer(X[1:2])), answers[1:2])
    np.testing.assert_array_equal(answers, numpy_of(rate_spikes(ops.convert_to_tensor(X), 9, 3, shared=True)))
    again = RateEncoder(9, seed=3)
    np.testing.assert_array_equal(numpy_of(again(X, training=True)), first)
    # In training no two samples share a draw.
    same = numpy_of(layer(np.full((2, 6), 0.5, "float32"), training=True))
    assert not np.array_equal(same[0], same[1])


def test_without_a_seed_one_is_taken_and_kept():
    keras.utils.set_random_seed(1)
    first, second = RateEncoder(4), RateEncoder(4)
    assert first.seed != second.seed
    assert RateEncoder.from_config(first.get_config()).seed == first.seed
    keras.utils.set_random_seed(1)
    assert RateEncoder(4).seed == first.seed


@pytest.mark.parametrize("cls", [RateEncoder, LatencyEncoder])
def test_images_and_batches_of_unknown_size_are_coded(cls):
    inputs = keras.Input((2, 3, 1))
    model = keras.Model(inputs, keras.layers.Dense(1)(cls(4)(inputs)))
    assert model.output_shape == (None, 4, 2, 3, 1)
    x = X.reshape(3, 2, 3, 1)
    assert model.predict(x, batch_size=2, verbose=0).shape == (3, 4, 2, 3, 1)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((3, 4, 2, 3, 1), "float32"), batch_size=2, verbose=0)


def test_the_latency_layer_is_the_function():
    expected = latency_spikes(ops.convert_to_tensor(X), 7)
    np.testing.assert_array_equal(numpy_of(LatencyEncoder(7)(X)), numpy_of(expected))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_codes_in_zeros_and_ones(policy):
    for layer in (RateEncoder(6, seed=1, dtype=policy), LatencyEncoder(6, dtype=policy)):
        found = layer(X)
        assert keras.backend.standardize_dtype(found.dtype) == policy.removeprefix("mixed_")
        assert set(np.unique(numpy_of(ops.cast(found, "float32")))) == {0, 1}


def test_a_number_of_steps_that_is_none_is_refused():
    with pytest.raises(ValueError, match="RateEncoder needs a whole number of at least 1; received steps=0"):
        RateEncoder(0)


@pytest.mark.parametrize("seed", [2**31, 2**70, -1, 1.5, True, "a"])
def test_a_seed_that_some_backend_does_not_take_is_refused(seed):
    with pytest.raises(ValueError, match=r"RateEncoder: got seed=.*; expected a whole number from 0 to 2\*\*31 - 1"):
        RateEncoder(4, seed=seed)


def test_the_largest_seed_draws():
    layer = RateEncoder(4, seed=2**31 - 1)
    for training in (False, True):
        assert 0 < numpy_of(layer(X, training=training)).mean() < 1
