"""Transformer: outputs, maps and layers against NumPy in float64; what it sees; texts read in pieces."""

import numpy as np
import pytest
from keras import ops
from references_transformer import norm, transformer_block

from kzoo import create_model
from kzoo.backend import compiled
from kzoo.errors import RecipeError
from kzoo.models.transformer import Transformer

SMALL = {"input_shape": (9,), "num_outputs": 7, "vocabulary": 7, "hidden_dim": 12, "num_layers": 2, "num_heads": 3}
NUMBERS = {**SMALL, "input_shape": (9, 2), "vocabulary": None, "num_outputs": 4}
OTHER = {"positions": "rotary", "use_bias": False, "tied": False}


def model_of(**arguments):
    """A model whose weights are all off what they began as."""
    model = create_model("transformer", seed=0, **{**SMALL, **arguments})
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(ops.convert_to_numpy(weight) + rng.normal(0, 0.3, weight.shape))
    return model


def numpy(x):
    return ops.convert_to_numpy(x)


def outputs(model, x):
    return numpy(model(x, training=False))


def oracle(model, x, statistics=None):
    """Outputs by layer, (l + 1, b, ...), and maps (l, b, h, t, t)."""
    weights = {weight.path: numpy(weight).astype("float64") for weight in model.trainable_variables}
    if model.vocabulary is None:
        mean, deviation = statistics or (0, 1)
        x = (x.astype("float64") - mean) / deviation
        x = x @ weights["embedding/kernel"] + weights["embedding/bias"]
    else:
        x = weights["embedding/embeddings"][x]
    if model.positions == "learned":
        x = x + weights["positions/embeddings"][: x.shape[1]]
    vectors, maps = [x], []
    for i in range(1, model.num_layers + 1):
        own = {path.removeprefix(f"block_{i}/"): w for path, w in weights.items() if path.startswith(f"block_{i}/")}
        causal, rotary = model.task == "tokens", model.positions == "rotary"
        x, found = transformer_block(x, own, model.num_heads, causal, rotary, model.use_bias)
        vectors.append(x)
        maps.append(found)
    read_out = [norm(x, weights, "norm") for x in vectors]
    if model.task != "tokens":
        name = "forecast" if model.task == "regression" else "logits"
        read_out = [x.mean(axis=1) @ weights[f"{name}/kernel"] + weights[f"{name}/bias"] for x in read_out]
    else:
        kernel = weights["embedding/embeddings"].T if model.tied else weights["logits/kernel"]
        read_out = [x @ kernel for x in read_out]
    return np.stack(read_out), np.stack(maps)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        OTHER,
        {**NUMBERS, "task": "classification", "statistics": [[0.5, 0.2], [2.0, 0.5]]},
        {"task": "regression", "num_outputs": 2, "positions": "rotary"},
    ],
    ids=["as GPT-2", "rotary, no bias, untied", "classes of numbers", "numbers of tokens"],
)
def test_outputs_maps_and_layers_are_those_of_numpy(arguments):
    model = model_of(**arguments)
    x = model.sample_inputs(2)
    by_layer, maps = oracle(model, x, arguments.get("statistics"))
    np.testing.assert_allclose(outputs(model, x), by_layer[-1], rtol=0, atol=2e-5)
    np.testing.assert_allclose(model.logits_by_layer(x), by_layer, rtol=0, atol=2e-5)
    found = model.attention(x)
    np.testing.assert_allclose(found, maps, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_logits_of_a_token_do_not_depend_on_later_tokens(positions):
    model = model_of(positions=positions)
    x = model.sample_inputs(2)
    for time in range(1, 9):
        other = x.copy()
        other[:, time] = (other[:, time] + 1) % 7
        moved = np.abs(outputs(model, x) - outputs(model, other)).max(axis=(0, 2))
        assert np.all(moved[:time] < 1e-6)
        assert np.all(moved[time:] > 1e-4)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_encoder_sees_the_whole_sequence(task):
    maps = model_of(**NUMBERS, task=task).attention(np.random.default_rng(0).random((2, 9, 2), dtype="float32"))
    assert np.all(maps > 0)


def test_rotary_positions_know_no_first_time():
    model = model_of(positions="rotary", input_shape=(None,))
    x = model.sample_inputs(2)
    repeated = np.concatenate([x[:, :1]] * 6, axis=1)
    # Of a token again and again every place but for what it sees is the same: learned positions would tell them apart.
    found = outputs(model, repeated)
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1], found.shape), rtol=0, atol=1e-5)
    model = model_of()
    found = outputs(model, np.concatenate([x[:, :1]] * 9, axis=1))
    assert np.abs(found - found[:, :1]).max() > 0.1


def run(stream, model, x, pieces, max_length=None):
    state, start, found = model.initial_state(len(x), max_length), 0, []
    shapes = [(leaf.shape, leaf.dtype) for leaf in leaves(state)]
    for length in pieces:
        logits, state = stream(ops.convert_to_tensor(x[:, start : start + length]), state)
        assert [(leaf.shape, leaf.dtype) for leaf in leaves(state)] == shapes
        found.append(numpy(logits))
        start += length
    return np.concatenate(found, axis=1), state


def leaves(state):
    position, caches = state
    return [position, *(part for cache in caches for part in cache)]


@pytest.mark.parametrize("arguments", [{}, OTHER], ids=["learned", "rotary"])
def test_a_text_read_in_pieces_has_the_logits_of_the_whole(arguments):
    model = model_of(**arguments)
    x = model.sample_inputs(2)
    expected = outputs(model, x)
    stream = compiled(model.stream, model.variables)
    for pieces in ([9], [1] * 9, [4, 1, 1, 3]):
        found, _ = run(stream, model, x, pieces)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    found, _ = run(stream, model, x[:1, :4], [3, 1], max_length=5)
    np.testing.assert_allclose(found, expected[:1, :4], rtol=0, atol=1e-5)


def test_a_step_is_a_piece_of_one_token():
    model = model_of()
    x = model.sample_inputs(2)
    state, expected = model.initial_state(2), outputs(model, x)
    step = compiled(model.step, model.variables)
    for t in range(9):
        logits, state = step(ops.convert_to_tensor(x[:, t]), state)
        np.testing.assert_allclose(numpy(logits), expected[:, t], rtol=0, atol=1e-5)


def test_a_rotary_model_reads_on_beyond_the_length_it_was_made_for():
    model = model_of(**OTHER)
    longer = Transformer(**{**SMALL, **OTHER, "input_shape": (14,)})
    longer.set_weights(model.get_weights())
    x = longer.sample_inputs(2)
    found, _ = run(model.stream, model, x, [9, 5], max_length=14)
    np.testing.assert_allclose(found, outputs(longer, x), rtol=0, atol=1e-5)


def test_a_full_state_says_what_to_do():
    model = model_of()
    x = model.sample_inputs(2)
    for pieces, more in (([6], 4), ([9], 1), ([], 10)):
        _, state = run(model.stream, model, x, pieces) if pieces else (None, model.initial_state(2))
        with pytest.raises(ValueError, match=rf"holds 9 tokens, {sum(pieces)} of them read; received {more} more") as e:
            model.stream(ops.zeros((2, more), "int32"), state)
        assert "Begin a new one" in str(e.value)


def test_a_full_state_says_what_to_do_where_nothing_is_compiled_and_gives_nan_where_it_is(backend):
    model = model_of()
    x = model.sample_inputs(2)
    stream = compiled(model.stream, model.variables)
    found, state = run(stream, model, x, [7, 1, 1])
    assert np.isfinite(found).all()
    token = ops.convert_to_tensor(x[:, :1])
    if backend == "torch":
        with pytest.raises(ValueError, match="Begin a new one"):
            stream(token, state)
    else:
        assert np.isnan(numpy(stream(token, state)[0])).all()


def test_dropout_draws_the_same_bits_on_every_backend_unless_told_otherwise():
    model = model_of(dropout=0.5)
    x = model.sample_inputs(2)
    names = [layer.name for layer in model.layers if layer.name.startswith("dropout")]
    assert names == ["dropout"]
    assert model.get_layer("dropout").portable
    assert all(model.get_layer(f"block_{i}").dropout == 0.5 for i in (1, 2))
    assert np.abs(numpy(model(x, training=True)) - outputs(model, x)).max() > 0.01


def test_gradients_reach_back_over_the_whole_text():
    model = model_of()
    norms = model.gradient_norms(model.sample_inputs(2), output=3)
    assert norms.shape == (2, 9)
    assert np.all(norms > 1e-4)


def test_gpt2_has_as_many_weights_as_it_should():
    model = create_model("transformer:gpt2", input_shape=(16,), num_layers=1)
    d, v = 768, 50257
    block = 12 * d * d + 13 * d
    assert model.count_params() == v * d + 16 * d + block + 2 * d
    # With all twelve blocks and 1,024 positions that is the number of the model that was published.
    assert v * d + 1024 * d + 12 * block + 2 * d == 124_439_808


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hidden_dim": 12, "num_heads": 5}, "expected a divisor of hidden_dim, 12"),
        ({"num_heads": 4, "positions": "rotary"}, "rotary positions need an even width"),
        ({"positions": "sinusoidal"}, "allowed: learned, rotary"),
        ({"input_shape": (None,)}, "take positions=rotary"),
        ({"num_outputs": 3}, "For another number:  tied=False"),
        ({"num_layers": 0}, "model.num_layers"),
        ({"task": "translation"}, "allowed: classification, regression, tokens"),
        ({"dropout": 1}, "model.dropout"),
        ({"use_bias": 1}, "model.use_bias"),
        ({"tied": "yes"}, "model.tied"),
        ({"input_shape": (9, 2)}, "expected (t,) for tokens"),
        ({"vocabulary": "aa"}, "more than once"),
    ],
)
def test_arguments_out_of_range_are_named_with_what_is_allowed(arguments, words):
    with pytest.raises(RecipeError) as refused:
        create_model("transformer", **{**SMALL, **arguments})
    assert words in str(refused.value)


def test_what_cannot_be_read_in_pieces_says_so():
    with pytest.raises(ValueError, match="reads whole sequences: call it"):
        model_of(**NUMBERS, task="classification").initial_state(1)
    for length in (0, 10, 2.5):
        with pytest.raises(ValueError, match="at most 9, the learned positions"):
            model_of().initial_state(1, length)
    with pytest.raises(ValueError, match="expected a whole number of at least 1, such as 64"):
        model_of(positions="rotary", input_shape=(None,)).initial_state(1)
    with pytest.raises(ValueError, match="batch_size"):
        model_of().initial_state(0)
