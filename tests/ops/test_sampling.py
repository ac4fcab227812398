"""The choice of a token beside the same in plain Python and float64."""

import numpy as np
import pytest
from keras import ops

from kzoo import backend
from kzoo.ops import sampling
from kzoo.ops.sampling import choose_token


def reference(logits, uniform, temperature, top_k=None, top_p=None):
    """The tokens, and how near `uniform` comes to the border between two of them."""
    chosen, margin = [], []
    for row, u in zip(np.asarray(logits, "float64"), np.asarray(uniform, "float64"), strict=True):
        p = np.exp((row - row.max()) / temperature)
        ranked = sorted(range(len(p)), key=lambda i: -p[i])[: top_k or len(p)]
        total, mass, kept = sum(p[i] for i in ranked), 0.0, []
        for i in ranked:
            if top_p is not None and mass >= top_p * total:
                break
            kept.append(i)
            mass += p[i]
        total, running = sum(p[i] for i in kept), 0.0
        borders = []
        for i in sorted(kept):
            running += p[i] / total
            borders.append(running)
        at = next(n for n, border in enumerate(borders) if border > u or n == len(borders) - 1)
        chosen.append(sorted(kept)[at])
        margin.append(min(abs(border - u) for border in borders))
    return np.array(chosen), np.array(margin)


@pytest.mark.parametrize("size", [7, 3000])
@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0], ids=lambda spread: f"logits within {spread}")
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, None, None), (0.5, None, None), (2.0, 3, None), (1.0, None, 0.6), (0.8, 5, 0.7), (1.0, None, 0.999)],
)
def test_tokens_are_those_of_plain_python(size, spread, temperature, top_k, top_p):
    rng = np.random.default_rng(0)
    logits = (spread * rng.normal(size=(40, size))).astype("float32")
    uniform = rng.random(40, dtype="float32")
    expected, margin = reference(logits, uniform, temperature, top_k, top_p)
    most = None if top_k is None else 6
    choose = backend.compiled(lambda *given: choose_token(*given, most=most), [])
    knobs = [None if top_k is None else np.int32(top_k), None if top_p is None else np.float32(top_p)]
    if knobs == [None, None]:
        found = choose(logits, uniform, np.float32(temperature))
    else:
        choose = backend.compiled(
            lambda logits, uniform, temperature, given: choose_token(
                logits, uniform, temperature, given.get("k"), given.get("p"), most
            ),
            [],
        )
        given = {key: knob for key, knob in zip("kp", knobs, strict=True) if knob is not None}
        found = choose(logits, uniform, np.float32(temperature), given)
    found = ops.convert_to_numpy(found)
    assert found.dtype == np.int32
    # Within rounding of a border between two tokens both are right.
    clear = margin > 1e-5
    assert clear.sum() > 30
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_over_all_uniform_numbers_tokens_come_as_often_as_is_probable():
    logits = np.random.default_rng(1).normal(size=6).astype("float32")
    uniform = ((np.arange(6000) + 0.5) / 6000).astype("float32")
    rows = np.tile(logits, (6000, 1))
    found = ops.convert_to_numpy(choose_token(ops.convert_to_tensor(rows), ops.convert_to_tensor(uniform), 0.7))
    p = np.exp(logits.astype("float64") / 0.7)
    np.testing.assert_allclose(np.bincount(found, minlength=6) / 6000, p / p.sum(), rtol=0, atol=1 / 6000)


def test_a_nucleus_beyond_the_most_probable_thousand_is_found(monkeypatch):
    # Nearly even, so that 0.9 of the probability is 0.9 of the tokens.
    logits = np.random.default_rng(2).normal(size=(5, 300)).astype("float32") / 100
    uniform = np.array([0.0, 0.3, 0.5, 0.7, 0.999], "float32")
    expected, _ = reference(logits, uniform, 1.0, None, 0.9)
    for limit in (8, 4096):
        monkeypatch.setattr(sampling, "_NUCLEUS", limit)
        found = choose_token(ops.convert_to_tensor(logits), ops.convert_to_tensor(uniform), 1.0, None, 0.9)
        np.testing.assert_array_equal(ops.convert_to_numpy(found), expected, err_msg=str(limit))


def test_the_largest_uniform_number_and_zero_choose_among_the_possible_alone():
    last = np.nextafter(np.float32(1), np.float32(0))
    logits = np.array([[-np.inf, 0.0, -np.inf, 1.0, -np.inf]] * 2, "float32")
    uniform = np.array([0.0, last], "float32")
    for top_k, top_p in ((None, None), (2, None), (None, 1.0), (4, 0.99)):
        found = choose_token(ops.convert_to_tensor(logits), ops.convert_to_tensor(uniform), 1.0, top_k, top_p)
        np.testing.assert_array_equal(ops.convert_to_numpy(found), [1, 3])
    large = np.random.default_rng(3).normal(size=(1, 50000)).astype("float32")
    large[0, -1000:] = -np.inf
    found = choose_token(ops.convert_to_tensor(large), ops.convert_to_tensor(uniform[1:]), 1.0)
    assert int(ops.convert_to_numpy(found)[0]) < 49000


def test_equals_of_the_last_one_kept_are_kept():
    logits = np.array([[1.0, 0.0, 1.0, 1.0, -1.0]] * 3, "float32")
    uniform = np.array([0.1, 0.5, 0.9], "float32")
    found = choose_token(ops.convert_to_tensor(logits), ops.convert_to_tensor(uniform), 1.0, 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), [0, 2, 3])
