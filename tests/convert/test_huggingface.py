"""Folders of Hugging Face's to kzoo and back: every number, every bit, and what is refused.

The folders are written here, from tensors drawn at random under the names and in the shapes that transformers uses;
`references_huggingface` says what their logits are. `tests/parity` has folders that transformers wrote itself.
"""

import json
import math
import struct
import sys

import h5py
import numpy as np
import pytest
import references_huggingface as reference

import kzoo
from kzoo.cli import main
from kzoo.errors import KzooError

pytest.importorskip("safetensors")

from keras import ops
from safetensors.numpy import load_file, save_file

from kzoo.convert import hub, huggingface

VOCABULARY, STEPS = 23, 19
COMMON = {
    "vocab_size": VOCABULARY,
    "layer_norm_epsilon": 1e-5,
    "use_cache": True,
    "eos_token_id": 0,
    "dtype": "float32",
}
GPT2 = COMMON | {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_positions": STEPS,
    "n_embd": 12,
    "n_layer": 2,
    "n_head": 3,
    "n_inner": None,
    "activation_function": "gelu_new",
    "attn_pdrop": 0.1,
    "resid_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "scale_attn_weights": True,
    "reorder_and_upcast_attn": False,
    "summary_type": "cls_index",
}
MAMBA = COMMON | {
    "model_type": "mamba",
    "architectures": ["MambaForCausalLM"],
    "hidden_size": 24,  # more than 16, so that delta comes through two numbers
    "num_hidden_layers": 2,
    "state_size": 5,
    "conv_kernel": 3,
    "expand": 2,
    "hidden_act": "silu",
    "intermediate_size": 48,
    "time_step_rank": 2,
    "use_bias": False,
    "use_conv_bias": True,
    "residual_in_fp32": True,
    "time_step_min": 0.001,
    "rms_norm": True,
    "d_model": 24,
    "ssm_cfg": {},
}
MAMBA2 = COMMON | {
    "model_type": "mamba2",
    "architectures": ["Mamba2ForCausalLM"],
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "state_size": 3,
    "conv_kernel": 4,
    "expand": 2,
    "num_heads": 8,
    "head_dim": 4,
    "n_groups": 2,
    "chunk_size": 8,
    "hidden_act": "silu",
    "use_bias": False,
    "use_conv_bias": True,
    "time_step_limit": [0.0, {"__float__": "Infinity"}],
    "tie_word_embeddings": False,
}
CONFIGS = {
    "gpt2": GPT2,
    "gpt2 untied": GPT2 | {"tie_word_embeddings": False},
    "mamba": MAMBA,
    "mamba untied": MAMBA | {"tie_word_embeddings": False},
    "mamba2": MAMBA2,
    "mamba2 tied": MAMBA2 | {"tie_word_embeddings": True, "n_groups": 1},
}


def shapes_of(config):
    """Name -> shape of every tensor of such a model."""
    if config["model_type"] == "gpt2":
        d, head = config["n_embd"], "transformer.wte.weight"
        shapes = {"wte.weight": (VOCABULARY, d), "wpe.weight": (config["n_positions"], d)}
        for norm in ("ln_f", *(f"h.{i}.ln_{k}" for i in range(config["n_layer"]) for k in (1, 2))):
            shapes |= {f"{norm}.weight": (d,), f"{norm}.bias": (d,)}
        for i in range(config["n_layer"]):
            for part, rows, columns in (
                ("attn.c_attn", d, 3 * d),
                ("attn.c_proj", d, d),
                ("mlp.c_fc", d, 4 * d),
                ("mlp.c_proj", 4 * d, d),
            ):
                shapes |= {f"h.{i}.{part}.weight": (rows, columns), f"h.{i}.{part}.bias": (columns,)}
        shapes = {f"transformer.{name}": shape for name, shape in shapes.items()}
    else:
        m, n, w, d = (config[key] for key in ("hidden_size", "state_size", "conv_kernel", "hidden_size"))
        d, head = config["expand"] * m, "backbone.embeddings.weight"
        shapes = {head: (VOCABULARY, m), "backbone.norm_f.weight": (m,)}
        if config["model_type"] == "mamba":
            r = config["time_step_rank"]
            mixer = {"in_proj.weight": (2 * d, m), "conv1d.weight": (d, 1, w), "conv1d.bias": (d,)}
            mixer |= {"x_proj.weight": (r + 2 * n, d), "dt_proj.weight": (d, r), "dt_proj.bias": (d,)}
            mixer |= {"A_log": (d, n), "D": (d,)}
        else:
            h, c = config["num_heads"], d + 2 * config["n_groups"] * n
            mixer = {"in_proj.weight": (d + c + h, m), "conv1d.weight": (c, 1, w), "conv1d.bias": (c,)}
            mixer |= {"dt_bias": (h,), "A_log": (h,), "D": (h,), "norm.weight": (d,)}
        for i in range(config["num_hidden_layers"]):
            shapes[f"backbone.layers.{i}.norm.weight"] = (m,)
            for part, shape in (mixer | {"out_proj.weight": (m, d)}).items():
                shapes[f"backbone.layers.{i}.mixer.{part}"] = shape
    if not config.get("tie_word_embeddings", True):
        shapes["lm_head.weight"] = shapes[head]
    return shapes


def tensors_of(config, seed=0):
    """All drawn at random, also what begins as zero or one, so that none can be left out unseen."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes_of(config).items():
        fan_in = 4 if len(shape) < 2 else shape[1] if "proj" in name and "backbone" in name else shape[0]
        value = rng.normal(size=shape) / math.sqrt(min(fan_in, 12))
        found[name] = (value + (len(shape) == 1 and name.endswith("weight"))).astype("float32")
    return found


def write(folder, config, tensors, tokenizer=False):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, folder / "model.safetensors")
    if tokenizer:
        (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    return folder


@pytest.fixture(params=CONFIGS)
def case(request, tmp_path):
    config = CONFIGS[request.param]
    tensors = tensors_of(config)
    return write(tmp_path / "theirs", config, tensors, tokenizer=True), config, tensors


def tokens(count=2, seed=0):
    return np.random.default_rng(seed).integers(0, VOCABULARY, (count, STEPS)).astype("int32")


def logits_of(model, x):
    return ops.convert_to_numpy(model(x, training=False))


def test_a_model_gives_the_logits_of_the_equations_on_its_tensors(case):
    folder, config, tensors = case
    expected = reference.logits(tensors, config, tokens())
    assert 0.3 < expected.std() < 10
    model = huggingface.from_huggingface(folder)
    np.testing.assert_allclose(logits_of(model, tokens()), expected, rtol=0, atol=1e-5 * max(1, expected.std()))
    assert model.count_params() == sum(tensor.size for tensor in tensors.values())


@pytest.mark.parametrize("name", ["gpt2", "mamba", "mamba2"])
def test_a_text_in_pieces_gives_the_logits_of_the_whole(name, tmp_path):
    model = huggingface.from_huggingface(write(tmp_path, CONFIGS[name], tensors_of(CONFIGS[name])))
    whole, state, found = logits_of(model, tokens()), model.initial_state(2), []
    for start in range(0, STEPS, 3):
        logits, state = model.stream(ops.convert_to_tensor(tokens()[:, start : start + 3]), state)
        found.append(ops.convert_to_numpy(logits))
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=0, atol=1e-5 * max(1, whole.std()))


def test_there_and_back_gives_the_same_bits(case, tmp_path, capsys):
    folder, config, tensors = case
    ours, again = str(tmp_path / "ours"), str(tmp_path / "again")
    assert main(["convert", str(folder), "--to", ours]) == 0
    assert f'Load it with:  kzoo.from_preset("{ours}")' in capsys.readouterr().out
    assert main(["convert", ours, "--to", again]) == 0
    assert f'AutoModelForCausalLM.from_pretrained("{again}")' in capsys.readouterr().out
    found = load_file(f"{again}/model.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
    written = json.loads((tmp_path / "again" / "config.json").read_text())
    for key in set(config) & set(written) - {"eos_token_id", "attn_pdrop", "resid_pdrop", "embd_pdrop"}:
        assert written[key] == config[key], key
    assert written["tie_word_embeddings"] == config.get("tie_word_embeddings", True)
    for where in (ours, again):
        assert (tmp_path / where / "tokenizer.json").read_text() == '{"version": "1.0"}'
    card = (tmp_path / "ours" / "README.md").read_text()
    assert f"kzoo convert {folder} --to {ours}" in card
    # A folder that kzoo wrote is read like any other.
    np.testing.assert_array_equal(
        logits_of(huggingface.from_huggingface(again), tokens()), logits_of(kzoo.from_preset(ours), tokens())
    )


def test_half_precision_is_for_who_asks_for_it(tmp_path):
    folder = write(tmp_path / "theirs", GPT2, tensors_of(GPT2))
    exact, rounded = tmp_path / "exact", tmp_path / "rounded"
    assert main(["convert", str(folder), "--to", str(exact)]) == 0
    assert main(["convert", str(folder), "--to", str(rounded), "--half"]) == 0
    for where, dtype in ((exact, "float32"), (rounded, "float16")):
        found = []
        with h5py.File(where / "model.weights.h5") as file:
            file.visititems(lambda _, item, found=found: found.append(item.dtype) if hasattr(item, "dtype") else None)
        assert set(found) == {np.dtype(dtype)}
    wanted = logits_of(huggingface.from_huggingface(folder), tokens())
    np.testing.assert_array_equal(logits_of(kzoo.from_preset(str(exact)), tokens()), wanted)
    apart = np.abs(logits_of(kzoo.from_preset(str(rounded)), tokens()) - wanted).max()
    assert 0 < apart < 0.05


def older(tensors, config):
    """The same model, as the names and leftovers of other versions have it."""
    if config["model_type"] == "gpt2":
        found = {name.removeprefix("transformer."): value for name, value in tensors.items()}
        for i in range(config["n_layer"]):
            found[f"h.{i}.attn.bias"] = np.tril(np.ones((1, 1, STEPS, STEPS), "uint8"))
            found[f"h.{i}.attn.masked_bias"] = np.float32([-1e4])
        return found
    found = {name.replace("embeddings", "embedding"): value for name, value in tensors.items()}
    if config.get("tie_word_embeddings", True):
        found["lm_head.weight"] = found["backbone.embedding.weight"]
    return found


def test_the_names_of_other_versions_are_read_too(case, tmp_path):
    folder, config, tensors = case
    other = write(tmp_path / "older", config, older(tensors, config))
    expected = logits_of(huggingface.from_huggingface(folder), tokens())
    np.testing.assert_array_equal(logits_of(huggingface.from_huggingface(other), tokens()), expected)
    if config.get("tie_word_embeddings", True):
        # A model that was saved without its head.
        bare = {name.split(".", 1)[1]: value for name, value in tensors.items()}
        base = [config["architectures"][0].replace("ForCausalLM", "Model").replace("LMHeadModel", "Model")]
        other = write(tmp_path / "bare", config | {"architectures": base}, bare)
        np.testing.assert_array_equal(logits_of(huggingface.from_huggingface(other), tokens()), expected)


def test_a_model_in_several_files_is_put_together(tmp_path):
    tensors = tensors_of(MAMBA)
    folder = write(tmp_path / "whole", MAMBA, tensors)
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "config.json").write_text(json.dumps(MAMBA))
    names, files = sorted(tensors), [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for file, some in zip(files, (names[::2], names[1::2]), strict=True):
        save_file({name: tensors[name] for name in some}, parts / file)
    weight_map = {name: files[i % 2] for i, name in enumerate(names)}
    (parts / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    np.testing.assert_array_equal(
        logits_of(huggingface.from_huggingface(parts), tokens()),
        logits_of(huggingface.from_huggingface(folder), tokens()),
    )
    (parts / files[1]).rename(parts / "elsewhere")
    with pytest.raises(KzooError, match=f"lacks {files[1]}, which model.safetensors.index.json names"):
        huggingface.from_huggingface(parts)
    for elsewhere in ("../whole/model.safetensors", "", 5, ["a"]):
        weight_map[names[0]] = elsewhere
        (parts / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(KzooError, match="names of files beside it"):
            huggingface.from_huggingface(parts)


def bfloat16_file(path, tensors):
    """A file of safetensors in bfloat16, which NumPy has not; the format in as many words."""
    header, data = {}, b""
    for name, value in tensors.items():
        bits = (np.ascontiguousarray(value).view("uint32") >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [len(data), len(data) + len(bits)]}
        data += bits
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_widened_without_a_loss(kind, tmp_path):
    tensors = tensors_of(GPT2)
    if kind == "float16":
        halves = {name: value.astype("float16") for name, value in tensors.items()}
        exact = {name: value.astype("float32") for name, value in halves.items()}
        folder = write(tmp_path / "half", GPT2, halves)
    else:
        exact = {name: (value.view("uint32") & 0xFFFF0000).view("float32") for name, value in tensors.items()}
        folder = write(tmp_path / "half", GPT2, {})
        bfloat16_file(folder / "model.safetensors", tensors)
    whole = write(tmp_path / "whole", GPT2, exact)
    for one, other in zip(
        huggingface.from_huggingface(folder).get_weights(),
        huggingface.from_huggingface(whole).get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_other_numbers_are_refused(tmp_path):
    tensors = tensors_of(GPT2)
    tensors["transformer.ln_f.bias"] = tensors["transformer.ln_f.bias"].astype("float64")
    with pytest.raises(KzooError, match=r"transformer.ln_f.bias in .* is F64; kzoo reads F32, F16, BF16"):
        huggingface.from_huggingface(write(tmp_path, GPT2, tensors))


REFUSED = [
    (GPT2, {"model_type": "llama"}, "got model_type: 'llama'; kzoo reads gpt2, mamba, mamba2"),
    (GPT2, {"model_type": ["gpt2"]}, r"got model_type: \['gpt2'\]; kzoo reads"),
    (GPT2, {"architectures": 5}, r"got architectures: \[5\]"),
    (GPT2, {"n_layer": 10**9}, "tensors; its config.json asks for 1000000000 layers"),
    (GPT2, {"n_positions": 10**13}, "describes no model that kzoo can build: Unable to allocate"),
    (GPT2, {"of; rm -rf .": 1}, "--ignore 'of; rm -rf .'$"),
    (GPT2, {"architectures": ["GPT2ForSequenceClassification"]}, r"got architectures: \['GPT2ForSequence"),
    (GPT2, {"activation_function": "relu"}, "got activation_function: 'relu'; kzoo's model has 'gelu_new' or"),
    (GPT2, {"layer_norm_epsilon": 1e-6}, "got layer_norm_epsilon: 1e-06; kzoo's model has 1e-05"),
    (GPT2, {"n_inner": 24}, "got n_inner: 24; kzoo's model has None or 48"),
    (GPT2, {"scale_attn_weights": False}, "got scale_attn_weights: False"),
    (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "got scale_attn_by_inverse_layer_idx: True"),
    (GPT2, {"add_cross_attention": True}, "got add_cross_attention: True"),
    (GPT2, {"n_head": 5}, "describes no model that kzoo can build: model.num_heads: got 5"),
    (GPT2, {"n_layer": "two"}, "got n_layer: 'two'; expected a whole number of at least 1"),
    (GPT2, {"n_layer": True}, "got n_layer: True"),
    (GPT2, {"n_ctx": 7}, "contradicts itself: n_positions: '19', n_ctx: '7' are one and the same"),
    (GPT2, {"n_embd": None}, "lacks n_embd"),
    (GPT2, {"tie_word_embeddings": "yes"}, "got tie_word_embeddings: 'yes'; expected true or false"),
    (GPT2, {"quantization_config": {"bits": 4}}, "does not know: quantization_config: .* --ignore quantization_config"),
    (MAMBA, {"hidden_act": "gelu"}, "got hidden_act: 'gelu'; kzoo's model has 'silu'"),
    (MAMBA, {"use_bias": True}, "got use_bias: True; kzoo's model has False"),
    (MAMBA, {"use_conv_bias": False}, "got use_conv_bias: False"),
    (MAMBA, {"time_step_rank": 3}, "got time_step_rank: 3; kzoo's model has 'auto' or 2"),
    (MAMBA, {"intermediate_size": 50}, "got intermediate_size: 50; kzoo's model has 48"),
    (MAMBA, {"rms_norm": False}, "got rms_norm: False"),
    (MAMBA, {"ssm_cfg": {"layer": "Mamba2"}}, "got ssm_cfg: {'layer': 'Mamba2'}"),
    (MAMBA, {"expand": 1.5}, "got expand: 1.5"),
    (MAMBA2, {"time_step_limit": [0.0, 0.1]}, r"got time_step_limit: \[0.0, 0.1\]"),
    (MAMBA2, {"num_heads": 4}, "got num_heads: 4; kzoo's model has 8"),
    (MAMBA2, {"norm_before_gate": True}, "got norm_before_gate: True"),
    (MAMBA2, {"n_groups": 3}, "describes no model that kzoo can build"),
]


@pytest.mark.parametrize(
    ("config", "change", "words"), REFUSED, ids=[f"{c['model_type']} {next(iter(k))}" for c, k, _ in REFUSED]
)
def test_what_kzoo_cannot_express_is_refused_by_name_with_its_value(config, change, words, tmp_path):
    with pytest.raises(KzooError, match=words):
        huggingface.from_huggingface(write(tmp_path, config | change, tensors_of(config)))


def test_a_setting_that_kzoo_does_not_know_is_passed_over_on_request(tmp_path, capsys):
    folder = write(tmp_path / "theirs", MAMBA | {"favourite_colour": "green"}, tensors_of(MAMBA))
    command = ["convert", str(folder), "--to", str(tmp_path / "ours")]
    assert main(command) == 2
    assert "favourite_colour: 'green'" in capsys.readouterr().err
    assert main([*command, "--ignore", "favourite_colour"]) == 0


def test_a_setting_that_kzoo_does_know_is_read_all_the_same(tmp_path):
    folder = write(tmp_path, MAMBA | {"hidden_act": "gelu"}, tensors_of(MAMBA))
    with pytest.raises(KzooError, match="got hidden_act: 'gelu'"):
        huggingface.from_huggingface(folder, ignore=["hidden_act"])


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    tensors = tensors_of(GPT2)
    tensors["transformer.ln_f.bias"][3] = np.nan
    with pytest.raises(KzooError, match=r"transformer.ln_f.bias in .* holds nan or infinite numbers"):
        huggingface.from_huggingface(write(tmp_path, GPT2, tensors))


@pytest.mark.parametrize("infinite", [math.inf, "inf"])
def test_no_limit_of_delta_has_several_spellings(infinite, tmp_path):
    config = MAMBA2 | {"time_step_limit": [0.0, infinite]}
    assert huggingface.from_huggingface(write(tmp_path, config, tensors_of(config))).version == 2


def test_a_tensor_that_is_missing_left_over_or_of_another_shape_is_named(tmp_path):
    tensors = tensors_of(MAMBA)
    bias = "backbone.layers.1.mixer.dt_proj.bias"
    for change, words in (
        ({bias: None}, f"lacks {bias}, which its config.json asks for"),
        ({"backbone.layers.0.mixer.extra": np.zeros(3, "float32")}, "has backbone.layers.0.mixer.extra: kzoo's model"),
        ({bias: np.zeros(3, "float32")}, rf"{bias} in .* has the shape \(3,\); its config.json asks for \(48,\)"),
        ({"backbone.embedding.weight": tensors["backbone.embeddings.weight"]}, "has backbone.embeddings.weight twice"),
        ({"lm_head.weight": tensors["backbone.embeddings.weight"] + 1}, "differs from its embedding"),
        (
            {"backbone.layers.0.mixer.conv1d.weight": np.zeros((48, 2, 3), "float32")},
            r"\(48, 2, 3\); its config.json asks for \(48, 1, 3\)",
        ),
    ):
        changed = {name: value for name, value in (tensors | change).items() if value is not None}
        with pytest.raises(KzooError, match=words):
            huggingface.from_huggingface(write(tmp_path, MAMBA, changed))
    with pytest.raises(KzooError, match=r"lacks lm_head.weight"):
        huggingface.from_huggingface(write(tmp_path, MAMBA | {"tie_word_embeddings": False}, tensors))


def test_a_pickle_is_refused_and_not_opened(tmp_path, capsys):
    (tmp_path / "config.json").write_text(json.dumps(GPT2))
    (tmp_path / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert main(["convert", str(tmp_path), "--to", str(tmp_path / "ours")]) == 2
    said = capsys.readouterr().err
    assert "has its weights only in pytorch_model.bin: pickles, which can run any program" in said
    assert "model.save_pretrained(FOLDER)" in said
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(KzooError, match=r"has no weights: expected model\.safetensors"):
        huggingface.from_huggingface(tmp_path)


def test_what_is_no_such_folder_says_so(tmp_path):
    with pytest.raises(KzooError, match="cannot be read"):
        huggingface.from_huggingface(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(KzooError, match="no valid JSON"):
        huggingface.from_huggingface(tmp_path)
    (tmp_path / "config.json").write_text('{"d_model": 768, "n_layer": 24, "ssm_cfg": {}}')
    with pytest.raises(KzooError, match=r"says no model_type; .* whose name ends in -hf"):
        huggingface.from_huggingface(tmp_path)
    whole = (write(tmp_path, GPT2, tensors_of(GPT2)) / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KzooError, match=r"model\.safetensors is damaged"):
        huggingface.from_huggingface(tmp_path)


def test_a_folder_is_replaced_only_on_request_and_other_files_never(tmp_path, capsys):
    folder = write(tmp_path / "theirs", GPT2, tensors_of(GPT2))
    other = write(tmp_path / "other", GPT2, tensors_of(GPT2, seed=1))
    ours, back = str(tmp_path / "ours"), str(tmp_path / "back")
    assert main(["convert", str(folder), "--to", ours]) == 0
    assert main(["convert", ours, "--to", back]) == 0
    before = load_file(f"{back}/model.safetensors")
    for source, to in ((str(other), ours), (ours, back)):
        assert main(["convert", source, "--to", to]) == 2
        assert "--force" in capsys.readouterr().err
        assert main(["convert", source, "--to", to, "--force"]) == 0
    after = load_file(f"{back}/model.safetensors")
    assert all(np.any(after[name] != before[name]) for name in before)
    (tmp_path / "back" / "thesis.txt").write_text("mine")
    assert main(["convert", ours, "--to", back, "--force"]) == 2
    assert "holds other files: thesis.txt" in capsys.readouterr().err
    assert (tmp_path / "back" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("variant", "arguments", "words"),
    [
        ("transformer:mu", {}, "positions='rotary' is no GPT-2, which has positions='learned'"),
        ("transformer:mu-tied", {"use_bias": False}, "use_bias=False is no GPT-2"),
        ("transformer:mu-numbers", {}, "task='classification' is no GPT-2"),
        ("mamba:mu", {"version": 1, "selective": False}, "selective=False"),
        (
            "mamba:mu",
            {"tied": False, "num_outputs": 3, "vocabulary": None, "input_shape": (5, 2)},
            "reads None and gives 3",
        ),
        ("mlp:mu", {}, "received a mlp"),
    ],
)
def test_what_transformers_does_not_have_is_not_written(variant, arguments, words, tmp_path):
    model = kzoo.create_model(variant, **arguments)
    with pytest.raises(KzooError, match=words):
        huggingface.to_huggingface(model, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_flags_of_one_way_are_refused_on_the_other(tmp_path, capsys):
    kzoo.create_model("transformer:mu-tied").save_to_preset(tmp_path / "ours")
    for flag in (["--half"], ["--ignore", "a"]):
        assert main(["convert", str(tmp_path / "ours"), "--to", str(tmp_path / "back"), *flag]) == 2
        assert f"{flag[0]} is for a model of transformers" in capsys.readouterr().err


def test_the_tokenizer_goes_along_into_other_presets(tmp_path):
    folder = write(tmp_path / "theirs", GPT2, tensors_of(GPT2), tokenizer=True)
    model = huggingface.from_huggingface(folder)
    assert model.tokenizer_file == (folder / "tokenizer.json").resolve()
    model.save_to_preset(tmp_path / "ours", half=False)
    again = kzoo.load_model(str(tmp_path / "ours"))
    assert again.tokenizer_file == (tmp_path / "ours" / "tokenizer.json").resolve()
    again.save_to_preset(tmp_path / "ours", overwrite=True)  # the file is read before its folder is replaced
    assert (tmp_path / "ours" / "tokenizer.json").read_text() == '{"version": "1.0"}'
    (folder / "tokenizer.json").unlink()
    assert huggingface.from_huggingface(folder).tokenizer_file is None


def test_a_folder_of_transformers_is_no_preset_and_the_message_has_the_command(tmp_path):
    folder = write(tmp_path / "their model", GPT2, tensors_of(GPT2))
    with pytest.raises(KzooError, match=f"kzoo convert '{folder}' --to PRESET_FOLDER"):
        kzoo.from_preset(str(folder))


def test_a_name_of_the_hub_is_loaded_like_a_preset(tmp_path, monkeypatch, capsys):
    pytest.importorskip("huggingface_hub")
    folder = write(tmp_path / "theirs", MAMBA, tensors_of(MAMBA), tokenizer=True)
    asked = {}

    def snapshot_download(repository, **arguments):
        asked.update(arguments, repository=repository)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    expected = logits_of(huggingface.from_huggingface(folder), tokens())
    for load in (kzoo.from_preset, kzoo.load_model):
        model = load("hf://state-spaces/mamba-130m-hf")
        np.testing.assert_array_equal(logits_of(model, tokens()), expected)
        assert model.tokenizer_file == (folder / "tokenizer.json").resolve()
    assert (asked["repository"], asked["revision"]) == ("state-spaces/mamba-130m-hf", None)
    assert asked["local_files_only"] is True  # KZOO_OFFLINE is set in the tests
    assert set(asked["allow_patterns"]) == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "model-*.safetensors",
        "model.safetensors.index.json",
    }
    monkeypatch.setenv("KZOO_OFFLINE", "0")
    assert main(["convert", "hf://a/b.c@v1/x", "--to", str(tmp_path / "ours")]) == 0
    assert (asked["repository"], asked["revision"], asked["local_files_only"]) == ("a/b.c", "v1/x", False)
    assert "those of hf://a/b.c@v1/x" in (tmp_path / "ours" / "README.md").read_text()


def test_what_the_hub_does_not_give_is_one_message(tmp_path, monkeypatch):
    with pytest.raises(KzooError, match="'hf://gpt2' names no repository; expected hf://owner/name"):
        kzoo.from_preset("hf://gpt2")
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(KzooError, match=r"cannot be imported .*pip install .*\[hub\]"):
            kzoo.from_preset("hf://owner/name")
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(KzooError, match="KZOO_OFFLINE or HF_HUB_OFFLINE is set and the model is not in the cache"):
        kzoo.from_preset("hf://owner/name")


def test_without_safetensors_the_message_says_what_to_install(tmp_path, monkeypatch):
    folder = write(tmp_path, GPT2, tensors_of(GPT2))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(KzooError, match=r"safetensors, and the package cannot be imported .*pip install .*\[hub\]"):
        huggingface.from_huggingface(folder)


def test_hub_patterns_leave_pickles_and_programs_out():
    from fnmatch import fnmatch

    for name in ("pytorch_model.bin", "model.py", "tf_model.h5", "modeling.py", "model-1.bin", "flax_model.msgpack"):
        assert not any(fnmatch(name, pattern) for pattern in hub._PATTERNS), name
