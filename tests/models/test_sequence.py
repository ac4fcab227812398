"""What every model of sequences does with tokens: gradients, short texts, and what cannot be read in pieces."""

import importlib

import numpy as np
import pytest
from keras import ops

from kzoo import backend, create_model, registry

# Every small variant of the models' pages, by whether it goes from tokens to tokens.
_VARIANTS = {True: [], False: []}
for _name in registry.list_models():
    if "tokens" in registry.model_info(_name).tasks:
        _page = importlib.import_module(registry.model_info(_name).target.partition(":")[0])
        for _variant, _given in _page.PRESETS.items():
            if _variant.startswith("mu"):
                _defaults = registry.model_arguments(_name)
                _task, _vocabulary = (_given.get(key, _defaults[key].default) for key in ("task", "vocabulary"))
                _VARIANTS[_task == "tokens" and _vocabulary is not None].append(f"{_name}:{_variant}")


@pytest.mark.parametrize("name", _VARIANTS[True])
def test_gradient_norms_of_tokens_are_those_of_finite_differences(name):
    model = create_model(name, seed=0)
    table = model.get_layer("embedding").embeddings
    table.assign(np.random.default_rng(1).normal(0, 0.5, table.shape))
    x = model.sample_inputs(1)
    found = model.gradient_norms(x, output=1)
    vectors = ops.convert_to_numpy(table)[x][0]  # (t, d)
    # Each number of them moved by itself, up and down, all in one batch.
    moves = 1e-2 * np.eye(vectors.size, dtype="float32").reshape(-1, *vectors.shape)
    above, below = np.split(_from_vectors(model, vectors + np.concatenate([moves, -moves]))[:, 1], 2)
    expected = np.linalg.norm((above - below).reshape(vectors.shape) / 2e-2, axis=-1)[None]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=1e-3 * expected.max())


def _from_vectors(model, vectors):
    """The last logits (b, v) of vectors (b, t, d), by the model's own layers in their order."""
    layers = model.layers[[layer.name for layer in model.layers].index("vectors") + 1 :]

    def run(x):
        for layer in layers:
            x = x if layer.name == "embedding" else layer(x)
        tied = "logits" not in [layer.name for layer in layers]
        return model.get_layer("embedding")(x, reverse=True) if tied else x

    return ops.convert_to_numpy(backend.compiled(run, model.variables)(vectors))[:, -1]


@pytest.mark.parametrize("name", _VARIANTS[False])
def test_what_does_not_go_from_tokens_to_tokens_says_so(name):
    model = create_model(name, seed=0)
    with pytest.raises(ValueError, match="reads whole sequences: call it"):
        model.initial_state(1)


@pytest.mark.parametrize("name", ["lstm", "transformer:mu-numbers", "mamba:mu-classes"])
def test_numbers_are_not_read_in_pieces(name):
    # A number that is read alone would go past its standardisation.
    model = create_model(name, input_shape=(5, 2), vocabulary=None, task="tokens", seed=0)
    with pytest.raises(ValueError, match="vocabulary=None reads whole sequences"):
        model.initial_state(2)


@pytest.mark.parametrize("name", ["lstm:mu-tokens", "transformer:mu-tied", "mamba:mu-2"])
def test_a_batch_size_is_a_positive_whole_number(name):
    model = create_model(name, seed=0)
    for size in (0, -1, 2.5):
        with pytest.raises(ValueError, match="batch_size"):
            model.initial_state(size)


@pytest.mark.parametrize("name", ["transformer:mu", "transformer:mu-tied"])
def test_a_short_text_is_looked_into_as_the_beginning_of_a_long_one(name):
    model = create_model(name, seed=0)
    x = model.sample_inputs(2)
    short = x[:, :3]
    np.testing.assert_allclose(model.attention(short), model.attention(x)[..., :3, :3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.logits_by_layer(short), model.logits_by_layer(x)[:, :, :3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", _VARIANTS[True])
def test_a_piece_that_does_not_go_with_its_state_is_refused_before_one_is_broadcast_to_the_other(name):
    model = create_model(name, seed=0)
    tokens = model.sample_inputs(2)
    state = model.initial_state(1)
    with pytest.raises(ValueError, match=r"of a batch of 1; received tokens of a batch of 2[\s\S]*initial_state\(2\)"):
        model.stream(tokens, state)
    with pytest.raises(ValueError, match=r"of a batch of 1; received tokens of a batch of 2"):
        model.step(tokens[:, 0], state)
    for piece in (tokens[:, :0], tokens[0]):
        with pytest.raises(ValueError, match=r"Expected tokens, whole numbers of the shape \(b, t\)"):
            model.stream(piece, state)
    short = state[:-1] if isinstance(state, list) else (state[0], state[1][:-1])
    with pytest.raises(ValueError, match="Begin with this model's own"):
        model.stream(tokens[:1], short)


@pytest.mark.parametrize("name", _VARIANTS[True])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda model: "abc", "received str. kzoo.sampling.codec"),
        (lambda model: [1, 2], "received list"),
        (lambda model: 3, "received int"),
        (lambda model: np.array([[0.5]]), "received float64"),
        (lambda model: np.array([[-1]]), r"go from 0 to \d+; received -1"),
        (lambda model: np.array([[1, model.num_outputs]]), r"go from 0 to \d+; received \d+"),
    ],
)
def test_what_is_no_token_is_refused(name, wrong, words):
    model = create_model(name, seed=0)
    tokens = wrong(model)
    with pytest.raises(ValueError, match=words):
        model.stream(tokens, model.initial_state(1))
    with pytest.raises(ValueError, match=words):
        model.step(tokens[:, -1] if hasattr(tokens, "shape") else tokens, model.initial_state(1))
    with pytest.raises(ValueError, match="The state is of 0 layers"):
        model.stream(np.array([[0]]), None)
    with pytest.raises(ValueError, match="batch_size: got 0; expected how many texts"):
        model.initial_state(0)
