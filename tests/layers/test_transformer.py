"""The transformer's layers: the block against NumPy in float64, what it sees, its initial weights, and pieces."""

import keras
import numpy as np
import pytest
from checks import check_layer
from keras import ops
from references_transformer import transformer_block

from kzoo.layers.transformer import Attention, LearnedPositions, TransformerBlock
from kzoo.seeds import seeded

BATCH, TIME, WIDTH, HEADS = 2, 5, 12, 3


def numpy(x):
    return ops.convert_to_numpy(x)


def inputs(seed=0, time=TIME):
    return np.random.default_rng(seed).normal(size=(BATCH, time, WIDTH)).astype("float32")


def block(**arguments):
    """A built block whose weights are all off what they began as."""
    layer = TransformerBlock(HEADS, **arguments)
    layer.build((None, None, WIDTH))
    rng = np.random.default_rng(1)
    for weight in layer.trainable_variables:
        weight.assign(weight.numpy() + rng.normal(0, 0.3, weight.shape))
    return layer


@pytest.mark.parametrize(
    "arguments",
    [{}, {"causal": False}, {"use_bias": False}, {"rotary": True}],
    ids=["causal", "encoder", "no bias", "rotary"],
)
def test_a_block_is_its_equations_in_numpy(arguments):
    layer = block(**arguments)
    weights = {weight.path.split("/", 1)[-1]: numpy(weight).astype("float64") for weight in layer.weights}
    expected, maps = transformer_block(inputs().astype("float64"), weights, HEADS, **arguments)
    np.testing.assert_allclose(numpy(layer(inputs())), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.attention_weights(inputs())), maps, rtol=0, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_a_step_sees_later_ones_only_where_it_may(causal):
    layer, x = block(causal=causal), inputs()
    other = x.copy()
    other[:, 3:] *= -1  # not += 1, which the norms take out again
    moved = np.abs(numpy(layer(x)) - numpy(layer(other))).max(axis=(0, 2))
    assert np.all(moved[3:] > 1e-3)
    assert np.all((moved[:3] < 1e-6) == causal)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("pieces", [[5], [1, 1, 1, 1, 1], [2, 3], [4, 1]])
def test_a_sequence_read_in_pieces_gives_the_outputs_of_the_whole(rotary, pieces):
    layer, x = block(rotary=rotary), inputs()
    cache, start, found = layer.attention.empty_cache(BATCH, TIME + 2, WIDTH), 0, []
    for length in pieces:
        y, cache = layer.stream(ops.convert_to_tensor(x[:, start : start + length]), cache, start)
        found.append(numpy(y))
        start += length
    np.testing.assert_allclose(np.concatenate(found, axis=1), numpy(layer(x)), rtol=0, atol=1e-5)


def test_what_an_empty_place_holds_is_not_read():
    layer, x = block(), ops.convert_to_tensor(inputs())
    zeros = layer.attention.empty_cache(BATCH, TIME + 2, WIDTH)
    full = tuple(part + 100.0 for part in zeros)
    expected, _ = layer.stream(x, zeros, 0)
    found, _ = layer.stream(x, full, 0)
    np.testing.assert_allclose(numpy(found), numpy(expected), rtol=0, atol=1e-6)


def test_positions_are_added_from_the_start_of_a_piece_on():
    layer = LearnedPositions(7)
    x = inputs()
    table = (numpy(layer(x)) - x)[0]
    np.testing.assert_allclose(table, numpy(layer.table)[:TIME], rtol=0, atol=1e-6)
    for start in (2, ops.convert_to_tensor(2, dtype="int32")):
        found = numpy(layer.stream(ops.convert_to_tensor(x), start))
        np.testing.assert_allclose(found - x, np.broadcast_to(numpy(layer.table)[2:], x.shape), rtol=0, atol=1e-6)


def test_initial_weights_are_those_of_gpt2():
    with seeded(0):
        layer = TransformerBlock(4, num_blocks=8)
    layer.build((None, None, 64))
    for name, stddev in (("qkv", 0.02), ("project", 0.005), ("expand", 0.02), ("contract", 0.005)):
        owner = layer.attention if name in ("qkv", "project") else layer
        dense = getattr(owner, name)
        # A deviation of n numbers is known to one part in sqrt(2 n): of 64 * 64 to 1.1 %.
        np.testing.assert_allclose(numpy(dense.kernel).std(), stddev, rtol=0.05)
        assert abs(numpy(dense.kernel).mean()) < 4 * stddev / 64
        assert not numpy(dense.bias).any()


@pytest.mark.parametrize("silent", [["project"], ["contract"], ["project", "contract"]])
def test_dropout_drops_what_each_half_adds(silent):
    layer, x = block(dropout=0.5), inputs()
    for dense in (layer.attention.project, layer.contract):
        if dense.name in silent:
            for weight in dense.weights:
                weight.assign(np.zeros(weight.shape))
    dropped = np.abs(numpy(layer(x, training=True)) - numpy(layer(x))).max() > 1e-3
    assert dropped == (len(silent) == 1)  # nothing is left to drop where both add nothing


def test_mixed_precision_stays_near_float32():
    full = block()
    half = TransformerBlock(HEADS, dtype="mixed_bfloat16")
    half.build((None, None, WIDTH))
    half.set_weights(full.get_weights())
    found = half(inputs())
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    # Eight bits of mantissa, in sums of 48.
    np.testing.assert_allclose(numpy(ops.cast(found, "float32")), numpy(full(inputs())), atol=0.2)
    assert all(part.dtype == found.dtype for part in half.attention.empty_cache(1, 2, WIDTH))


@pytest.mark.parametrize(
    ("cls", "arguments", "training_changes"),
    [
        (Attention, {"num_heads": 3, "causal": False, "rotary": True, "output_stddev": 0.1}, False),
        (Attention, {"num_heads": 4, "use_bias": False}, False),
        (TransformerBlock, {"num_heads": 3, "causal": False, "rotary": True, "use_bias": False}, False),
        (TransformerBlock, {"num_heads": 2, "dropout": 0.25, "num_blocks": 3, "portable_dropout": False}, True),
        (LearnedPositions, {"length": 5}, False),
    ],
)
def test_layer_keeps_the_contract(cls, arguments, training_changes, tmp_path):
    check_layer(cls, arguments, (TIME, WIDTH), tmp_path, training_changes=training_changes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Attention(0), ["Attention needs", "num_heads=0", "at least 1"]),
        (lambda: TransformerBlock(2.5), ["num_heads", "num_heads=2.5"]),
        (lambda: TransformerBlock(2, num_blocks=0), ["TransformerBlock needs", "num_blocks=0"]),
        (lambda: Attention(5)(inputs()), ["got 5", "does not divide the width 12", "divisor of 12"]),
        (lambda: Attention(4, rotary=True)(inputs()), ["even width", "12 / 4 = 3", "learned"]),
        (lambda: LearnedPositions(0), ["LearnedPositions needs", "length=0"]),
        (lambda: LearnedPositions(4)(inputs()), ["4 steps", "sequence of 5"]),
        (
            lambda: block(causal=False).stream(inputs(), Attention(HEADS).empty_cache(BATCH, TIME, WIDTH), 0),
            ["not causal", "causal=True"],
        ),
    ],
)
def test_bad_input_is_refused_with_what_was_received_and_the_remedy(make, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make()
    for word in words:
        assert word in str(caught.value)
