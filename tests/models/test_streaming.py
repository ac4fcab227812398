"""A text read in pieces, or a token at a time, gives the logits of the whole text: every model of tokens."""

import importlib

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend, create_model, registry


def _writes_text(name, given):
    """Whether a variant goes from tokens to tokens."""
    task, vocabulary = (given.get(key, registry.model_arguments(name)[key].default) for key in ("task", "vocabulary"))
    return task == "tokens" and vocabulary is not None


# Every small variant of the models' pages that goes from tokens to tokens.
MODELS = [
    f"{name}:{variant}"
    for name in registry.list_models()
    if "tokens" in registry.model_info(name).tasks
    for variant, given in importlib.import_module(registry.model_info(name).target.partition(":")[0]).PRESETS.items()
    if variant.startswith("mu") and _writes_text(name, given)
]


def numpy(nest):
    return keras.tree.map_structure(ops.convert_to_numpy, nest)


@pytest.fixture(params=MODELS)
def model(request):
    made = create_model(request.param, seed=0)
    rng = np.random.default_rng(3)
    for weight in made.weights:  # off what it started at, so that each one counts
        weight.assign(numpy(weight) + rng.normal(0, 0.3, weight.shape))
    return made


def test_pieces_give_the_logits_of_the_whole_text(model):
    length = model.sample_inputs(1).shape[1]
    call = backend.compiled(lambda x: model(x, training=False), model.variables)
    stream = backend.compiled(model.stream, model.variables)
    for batch, cuts in ((1, [length]), (3, [2, 1, length - 3])):
        tokens = model.sample_inputs(batch)
        expected = numpy(call(tokens))
        state, found, start = model.initial_state(batch), [], 0
        for size in filter(None, cuts):
            logits, state = stream(tokens[:, start : start + size], state)
            assert tuple(logits.shape) == (batch, size, expected.shape[-1])
            found.append(numpy(logits))
            start += size
        np.testing.assert_allclose(np.concatenate(found, axis=1), expected, rtol=0, atol=1e-5, err_msg=str(cuts))


def test_a_step_is_a_piece_of_one_token_and_leaves_the_state_in_its_shape(model):
    tokens = model.sample_inputs(2)
    expected = numpy(model(tokens, training=False))
    state = model.initial_state(2)
    described = [(tuple(leaf.shape), leaf.dtype) for leaf in keras.tree.flatten(state)]
    step = backend.compiled(model.step, model.variables)
    for t in range(tokens.shape[1]):
        logits, state = step(tokens[:, t], state)
        np.testing.assert_allclose(numpy(logits), expected[:, t], rtol=0, atol=1e-5, err_msg=f"step {t}")
        assert [(tuple(leaf.shape), leaf.dtype) for leaf in keras.tree.flatten(state)] == described


def test_a_state_depends_on_all_that_was_read_and_a_sample_on_no_other(model):
    tokens = model.sample_inputs(2)
    other = tokens.copy()
    other[0, 0] = (other[0, 0] + 1) % model.num_outputs
    (first, _), (second, _) = (
        model.stream(ops.convert_to_tensor(given), model.initial_state(2)) for given in (tokens, other)
    )
    assert np.abs(numpy(first)[0, -1] - numpy(second)[0, -1]).max() > 1e-4
    np.testing.assert_allclose(numpy(first)[1], numpy(second)[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "transformer"])
def test_a_model_of_no_text_says_that_it_cannot_read_one(name):
    with pytest.raises(ValueError, match="tokens"):
        create_model(name, input_shape=(5, 2), num_outputs=3, task="classification", vocabulary=None).initial_state(1)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_states_keep_their_type_under_mixed_precision(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = create_model(f"{name}:mu-tokens", seed=0)
    finally:
        keras.config.set_dtype_policy(before)
    state = model.initial_state(2)
    logits, after = model.stream(ops.convert_to_tensor(model.sample_inputs(2)), state)
    for old, new in zip(keras.tree.flatten(state), keras.tree.flatten(after), strict=True):
        assert old.dtype == new.dtype
    expected = numpy(ops.cast(model(model.sample_inputs(2), training=False), "float32"))
    np.testing.assert_allclose(numpy(ops.cast(logits, "float32")), expected, rtol=0, atol=0.03)
