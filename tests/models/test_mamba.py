"""Mamba: logits beside NumPy in float64 and beside Hugging Face's models; texts in pieces, heads, and looks inside."""

import keras
import numpy as np
import pytest
import references
from keras import ops

from kzoo import create_model
from kzoo.backend import compiled
from kzoo.errors import RecipeError
from kzoo.training.optimizers import decay_kernels_alone

SMALL = {"input_shape": (None,), "num_outputs": 11, "vocabulary": 11, "hidden_dim": 12, "num_layers": 2}
VERSIONS = {
    "mamba": {"state_dim": 5},
    "mamba2": {"state_dim": 5, "version": 2, "head_dim": 6, "groups": 2},
    "constant": {"state_dim": 5, "selective": False},
}


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def perturbed(seed=0, **arguments):
    """A model with every weight moved off what it starts at."""
    model = create_model("mamba", seed=seed, **arguments)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(numpy_of(weight) + rng.normal(0, 0.3, weight.shape))
    return model


def weights_of(model):
    """Float64 arrays by path, as "block_1/mixer/in_proj/kernel"."""
    return {weight.path: numpy_of(weight).astype("float64") for weight in model.weights}


def blocks_in_numpy(model, x):
    """From what the first block reads to the final norm."""
    weights = weights_of(model)
    for i in range(1, model.num_layers + 1):
        own = {
            path.removeprefix(f"block_{i}/mixer/").removesuffix("/kernel").removesuffix("/scale"): value
            for path, value in weights.items()
            if path.startswith(f"block_{i}/mixer/")
        }
        normed = references.rms_norm(x, weights[f"block_{i}/norm/scale"])
        mix = references.mamba1 if model.version == 1 else lambda x, w: references.mamba2(x, w, model.groups)
        x = x + mix(normed, own)
    return references.rms_norm(x, weights["norm/scale"])


@pytest.mark.parametrize(("version", "tied"), [("mamba", True), ("mamba2", False), ("constant", True)])
def test_logits_are_those_of_the_same_blocks_in_numpy(version, tied):
    model = perturbed(**SMALL, **VERSIONS[version], tied=tied)
    tokens = np.random.default_rng(1).integers(0, 11, (2, 9)).astype("int32")
    weights = weights_of(model)
    table = weights["embedding/embeddings"]
    expected = blocks_in_numpy(model, table[tokens]) @ (table.T if tied else weights["logits/kernel"])
    np.testing.assert_allclose(numpy_of(model(tokens)), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert ("logits/kernel" in weights) != tied


@pytest.mark.parametrize(("tied", "deviation"), [(True, 0.02), (False, 1.0)])
def test_an_embedding_starts_wide_where_it_is_no_head(tied, deviation):
    model = create_model("mamba", seed=0, **{**SMALL, "num_outputs": 90, "vocabulary": 90}, tied=tied)
    table = numpy_of(model.get_layer("embedding").embeddings)
    np.testing.assert_allclose(table.std(), deviation, rtol=0.1)  # more than four standard errors of 1,080 numbers


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_classes_and_numbers_come_from_the_mean_over_time(task):
    model = perturbed(
        input_shape=(6, 2), num_outputs=3, task=task, vocabulary=None, hidden_dim=12, num_layers=1, state_dim=5
    )
    x, weights = model.sample_inputs(2), weights_of(model)
    inside = blocks_in_numpy(model, x @ weights["embedding/kernel"] + weights["embedding/bias"])
    head = "forecast" if task == "regression" else "logits"
    expected = inside.mean(axis=1) @ weights[f"{head}/kernel"] + weights[f"{head}/bias"]
    np.testing.assert_allclose(numpy_of(model(x)), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("version", ["mamba", "mamba2"])
@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_those_of_hugging_face(version, tied, backend):
    if backend != "torch":
        pytest.skip("Hugging Face's models run on torch, beside which no other backend is loaded")
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    common = {"vocab_size": 11, "hidden_size": 12, "num_hidden_layers": 2, "state_size": 5, "tie_word_embeddings": tied}
    torch.manual_seed(0)
    if version == "mamba":
        theirs = transformers.MambaForCausalLM(transformers.MambaConfig(**common))
    else:
        config = transformers.Mamba2Config(**common, num_heads=4, head_dim=6, n_groups=2, chunk_size=8)
        theirs = transformers.Mamba2ForCausalLM(config)
    theirs.eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    given = {name: weight.numpy() for name, weight in theirs.state_dict().items()}
    model = create_model("mamba", **SMALL, **VERSIONS[version], tied=tied)
    for weight in model.weights:
        weight.assign(by_their_name(weight.path, given))
    tokens = np.random.default_rng(1).integers(0, 11, (2, 20))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(tokens), use_cache=False).logits.numpy()
    found = numpy_of(model(tokens.astype("int32")))
    # Relative to logits of a unit's size.
    np.testing.assert_allclose(found / expected.std(), expected / expected.std(), rtol=0, atol=1e-4)


def by_their_name(path, given):
    """The tensor of Hugging Face that belongs at one of kzoo's paths, laid out as there."""
    if path in ("embedding/embeddings", "norm/scale", "logits/kernel"):
        name = {"embedding/embeddings": "backbone.embeddings", "norm/scale": "backbone.norm_f"}.get(path, "lm_head")
        return given[f"{name}.weight"].T if name == "lm_head" else given[f"{name}.weight"]
    block, _, own = path.removeprefix("block_").partition("/")
    prefix = f"backbone.layers.{int(block) - 1}."
    if own.endswith("/kernel"):
        return given[prefix + own.removesuffix("/kernel").replace("/", ".") + ".weight"].T
    if own.endswith("/scale"):
        return given[prefix + own.removesuffix("/scale").replace("/", ".") + ".weight"]
    name = own.removeprefix("mixer/")
    if name == "conv_kernel":
        return given[prefix + "mixer.conv1d.weight"][:, 0].T
    other = {"conv_bias": "conv1d.bias"}.get(name, name)
    if name == "dt_bias" and f"{prefix}mixer.dt_bias" not in given:
        other = "dt_proj.bias"
    return given[f"{prefix}mixer.{other}"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_text_in_pieces_and_in_steps_has_the_logits_of_the_whole(version):
    model = perturbed(**SMALL, **VERSIONS[version])
    tokens = np.random.default_rng(1).integers(0, 11, (2, 9)).astype("int32")
    whole = numpy_of(model(tokens))
    bound = 1e-5 * np.abs(whole).max()
    stream, step = (compiled(part, model.variables) for part in (model.stream, model.step))
    state, found = model.initial_state(2), []
    shapes = [(tuple(leaf.shape), leaf.dtype) for leaf in keras.tree.flatten(state)]
    for piece in (tokens[:, :4], tokens[:, 4:5]):
        logits, state = stream(piece, state)
        found.append(numpy_of(logits))
    for t in range(5, 9):
        logits, state = step(tokens[:, t], state)
        found.append(numpy_of(logits)[:, None])
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=0, atol=bound)
    assert [(tuple(leaf.shape), leaf.dtype) for leaf in keras.tree.flatten(state)] == shapes


@pytest.mark.parametrize("version", VERSIONS)
def test_a_later_token_moves_no_earlier_logit(version):
    model = perturbed(**SMALL, **VERSIONS[version])
    tokens = np.random.default_rng(1).integers(0, 10, (2, 9)).astype("int32")
    other = tokens.copy()
    other[:, 5] += 1
    before, after = numpy_of(model(tokens)), numpy_of(model(other))
    moved = np.abs(after - before).max(axis=(0, 2)) / np.abs(before).max()
    assert moved[:5].max() < 1e-5
    assert moved[5:].min() > 1e-3


def test_every_block_shows_its_steps_of_time_and_its_states():
    model = perturbed(**{**SMALL, "input_shape": (6,)}, **VERSIONS["mamba"])  # a text may be longer than in training
    tokens = np.random.default_rng(1).integers(0, 11, (2, 9)).astype("int32")
    found = model.trace(tokens, 3)
    assert list(found) == ["block_1", "block_2"]
    shapes = {key: value.shape for key, value in found["block_2"].items()}
    assert shapes == {
        "inputs": (2, 9, 24),
        "delta": (2, 9, 24),
        "A": (24, 5),
        "B": (2, 9, 5),
        "C": (2, 9, 5),
        "state": (2, 9, 5),
    }
    # The second block reads what the first one wrote.
    weights = weights_of(model)
    x = weights["embedding/embeddings"][tokens]
    first = {key.split("/")[2]: value for key, value in weights.items() if key.startswith("block_1/mixer/")}
    x = x + references.mamba1(references.rms_norm(x, weights["block_1/norm/scale"]), first)
    u = references.rms_norm(x, weights["block_2/norm/scale"]) @ weights["block_2/mixer/in_proj/kernel"][:, :24]
    taps, bias = weights["block_2/mixer/conv_kernel"], weights["block_2/mixer/conv_bias"]
    last = sum(taps[k] * u[:, 8 - 3 + k] for k in range(4)) + bias
    np.testing.assert_allclose(found["block_2"]["inputs"][:, 8], last * references.sigmoid(last), rtol=0, atol=1e-5)
    matrix = model.implied_attention(tokens, 2, 3)
    read = np.einsum("bts,bs->bt", matrix, found["block_2"]["inputs"][..., 3])
    expected = (found["block_2"]["C"] * found["block_2"]["state"]).sum(axis=-1)
    np.testing.assert_allclose(read, expected, rtol=0, atol=1e-5)


def test_weight_decay_pulls_at_matrices_alone():
    for arguments in ({}, {"version": 2, "head_dim": 6}):
        model = create_model("mamba", **SMALL, tied=False, **arguments)
        model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1))
        decay_kernels_alone(model.optimizer, model)
        model.optimizer.build(model.trainable_variables)
        decayed = {v.path.split("/")[-2] for v in model.trainable_variables if model.optimizer._use_weight_decay(v)}
        projections = {"in_proj", "out_proj", "logits"}
        assert decayed == (projections if arguments else projections | {"x_proj", "dt_proj"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_outputs": 12}, "num_outputs: got 12 for a vocabulary of 11.* tied=False"),
        ({"version": 3}, "version: got 3; allowed: 1, 2"),
        ({"hidden_dim": 0}, "hidden_dim: got 0"),
        ({"num_layers": -1}, "num_layers: got -1"),
        ({"state_dim": 2.5}, r"state_dim: got 2\.5"),
        ({"expand": 0}, "expand: got 0"),
        ({"conv_width": None}, "conv_width: got None"),
        ({"head_dim": 8}, "head_dim, model.groups: got 8, 1; .* take version=2"),
        ({"groups": 2}, "take version=2"),
        ({"version": 2, "head_dim": 5}, "got 5, 1; .* Take a head_dim that divides 24"),
        ({"version": 2, "head_dim": 8, "groups": 2}, "got 8, 2"),
        ({"version": 2, "head_dim": 6, "selective": False}, "selective: got False; .* version=1"),
        ({"selective": "yes"}, "selective: got 'yes'; allowed: True, False"),
        ({"tied": None}, "tied: got None; allowed: True, False"),
        ({"task": "words"}, "task: got 'words'; allowed"),
        ({"vocabulary": "aa"}, "vocabulary: got 'aa'"),
        ({"statistics": [[0.0], [1.0]]}, "statistics: tokens are no numbers"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(RecipeError, match=words):
        create_model("mamba", **{**SMALL, **arguments})


def test_what_cannot_be_looked_at_or_read_on_is_refused():
    model = create_model("mamba", **SMALL)
    tokens = np.zeros((1, 4), "int32")
    for layer in (0, 3, True):
        with pytest.raises(ValueError, match="`layer` must be from 1 to 2"):
            model.implied_attention(tokens, layer, 0)
    with pytest.raises(ValueError, match="channels 0 to 23; received 24"):
        model.implied_attention(tokens, 1, 24)
    of_classes = create_model("mamba", **{**SMALL, "task": "classification"})
    with pytest.raises(ValueError, match="reads whole sequences: call it"):
        of_classes.step(tokens[:, 0], of_classes.initial_state(1))
