"""Attention, its masks, rotary positions and the cache, against loops and complex numbers in NumPy float64."""

import math

import numpy as np
import pytest
from keras import ops

from kzoo.ops import attention

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 3, 4, 6, 8


def draw(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def drawn():
    return (draw(BATCH, HEADS, length, WIDTH, seed=i) for i, length in enumerate((QUERIES, KEYS, KEYS)))


def seen(t, s, start):
    return s <= start + t


@pytest.mark.parametrize("start", [0, 2, None])
def test_weights_and_means_are_those_of_loops_over_queries_and_keys(start):
    q, k, v = drawn()
    weights, means = np.zeros((BATCH, HEADS, QUERIES, KEYS)), np.zeros((BATCH, HEADS, QUERIES, WIDTH))
    for b, h, t in np.ndindex(BATCH, HEADS, QUERIES):
        scores = {
            s: math.exp(float(q[b, h, t].astype("float64") @ k[b, h, s].astype("float64")) / math.sqrt(WIDTH))
            for s in range(KEYS)
            if start is None or seen(t, s, start)
        }
        for s, score in scores.items():
            weights[b, h, t, s] = score / sum(scores.values())
            means[b, h, t] += weights[b, h, t, s] * v[b, h, s]
    mask = None if start is None else attention.causal_mask(QUERIES, KEYS, start)
    found = numpy(attention.attention_weights(q, k, mask))
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=0, atol=1e-6)
    assert np.all(found[weights == 0] == 0)  # what is hidden has no weight at all
    np.testing.assert_allclose(numpy(attention.attend(q, k, v, mask)), means, rtol=0, atol=1e-5)


@pytest.mark.parametrize("start", [0, 3])
def test_a_query_sees_its_own_time_and_what_was_before(start):
    expected = [[seen(t, s, start) for s in range(KEYS)] for t in range(QUERIES)]
    np.testing.assert_array_equal(numpy(attention.causal_mask(QUERIES, KEYS, start)), expected)
    position = ops.convert_to_tensor(start, dtype="int32")
    np.testing.assert_array_equal(numpy(attention.causal_mask(QUERIES, KEYS, position)), expected)


def test_rotary_positions_turn_complex_numbers():
    x = draw(BATCH, HEADS, QUERIES, WIDTH, seed=1)
    pairs = x[..., : WIDTH // 2].astype("float64") + 1j * x[..., WIDTH // 2 :]
    angles = np.outer(5 + np.arange(QUERIES), 100.0 ** (-np.arange(WIDTH // 2) * 2 / WIDTH))
    turned = pairs * np.exp(1j * angles)
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(numpy(attention.rotary(x, 5, base=100.0)), expected, rtol=0, atol=1e-5)
    position = ops.convert_to_tensor(5, dtype="int32")
    np.testing.assert_allclose(numpy(attention.rotary(x, position, base=100.0)), expected, rtol=0, atol=1e-5)


def test_rotary_scores_depend_on_differences_of_time_alone():
    q, k = (np.repeat(draw(1, 1, 1, WIDTH, seed=i), 30, axis=2) for i in range(2))
    turned = [numpy(attention.rotary(part)) for part in (q, k)]
    scores = (turned[0] @ turned[1].swapaxes(-2, -1))[0, 0]
    for difference in (-20, -1, 0, 1, 20):
        along = np.diagonal(scores, difference)
        np.testing.assert_allclose(along, along[0], rtol=0, atol=1e-5)
    assert abs(scores[0, 0] - scores[0, 20]) > 0.01
    for part, original in zip(turned, (q, k), strict=True):
        np.testing.assert_allclose(np.linalg.norm(part, axis=-1), np.linalg.norm(original, axis=-1), rtol=1e-5)


def test_rotary_positions_need_pairs():
    with pytest.raises(ValueError, match=r"even width; received 7. Take another number of heads, or learned"):
        attention.rotary(draw(1, 1, 2, 7, seed=0))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_cache_holds_what_is_written_where_it_is_written(as_tensor):
    cache, pieces = draw(BATCH, HEADS, KEYS, WIDTH, seed=0), draw(BATCH, HEADS, 2, WIDTH, seed=1)
    start = ops.convert_to_tensor(3, dtype="int32") if as_tensor else 3
    expected = cache.copy()
    expected[:, :, 3:5] = pieces
    found = attention.write(ops.convert_to_tensor(cache), ops.convert_to_tensor(pieces), start)
    np.testing.assert_array_equal(numpy(found), expected)


def test_heads_stand_side_by_side():
    x = draw(BATCH, QUERIES, HEADS * WIDTH, seed=0)
    heads = numpy(attention.split_heads(x, HEADS))
    for h in range(HEADS):
        np.testing.assert_array_equal(heads[:, h], x[:, :, h * WIDTH : (h + 1) * WIDTH])
    np.testing.assert_array_equal(numpy(attention.merge_heads(heads)), x)


def test_weights_are_summed_in_float32_under_mixed_precision():
    q, k, v = (ops.cast(part, "bfloat16") for part in drawn())
    weights = attention.attention_weights(q, k)
    assert weights.dtype == ops.zeros((), "float32").dtype
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1, rtol=0, atol=1e-6)
    assert attention.attend(q, k, v).dtype == v.dtype
