"""Presets: those that ship, and how damaged ones are refused."""

import json

import numpy as np
import pytest

import kzoo
from kzoo import registry
from kzoo.errors import KzooError, UnknownName
from kzoo.recipe import Recipe
from kzoo.training.tasks import check_fit, in_words


@pytest.mark.parametrize("name", kzoo.list_presets())
def test_a_shipped_preset_gives_the_same_logits_on_every_backend(name):
    """probe.json was written under one backend; the tests of every backend read it."""
    folder = registry.preset_folder(name)
    probe = json.loads((folder / "probe.json").read_text())
    model = kzoo.from_preset(name)
    outputs = model.probe()
    # Logits of images reach 38, whose ulp is 4e-6. A sequence of tokens rounds at each of some hundred steps: a backend
    # is 2e-6 of the largest logit from float64, and two of them may lie on both sides of it.
    atol = 5e-6 * np.abs(probe["outputs"]).max() if model.task == "tokens" else 1e-5
    np.testing.assert_allclose(outputs, probe["outputs"], rtol=1e-6, atol=atol)


@pytest.mark.parametrize("name", kzoo.list_presets())
def test_a_shipped_preset_says_how_it_was_made(name):
    folder = registry.preset_folder(name)
    recipe = Recipe.from_json((folder / "recipe.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert name.startswith(f"{recipe.model.name}_{recipe.data.name}")
    assert metrics["seed"] == recipe.seed
    assert "train" in metrics["command"]
    assert not recipe.smoke
    card = (folder / "README.md").read_text()
    figures = [key for key in metrics if key.startswith("test_") and key != "test_samples"]
    assert {f"test_{key}" for key in check_fit(recipe).figures} <= set(figures)
    for key in figures:
        assert in_words(key, metrics[key])[1] in card
    assert recipe.model.name == json.loads((folder / "config.json").read_text())["model"]


def test_all_presets_together_are_small():
    folder = registry.preset_folder(kzoo.list_presets()[0]).parent
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 40e6


def test_a_preset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'cnn_mnist'"):
        kzoo.from_preset("cnn_minst")
    with pytest.raises(UnknownName, match=r"holds no config\.json"):
        kzoo.from_preset(str(tmp_path))


def test_a_damaged_preset_is_refused(tmp_path):
    kzoo.create_model("mlp:mu").save_to_preset(tmp_path)
    weights = (tmp_path / "model.weights.h5").read_bytes()
    (tmp_path / "model.weights.h5").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(KzooError, match="damaged"):
        kzoo.from_preset(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model": "os:system", "arguments": {}}')
    with pytest.raises(KzooError):
        kzoo.from_preset(str(tmp_path))


def test_a_saved_preset_is_replaced_only_on_request(tmp_path):
    model, other = kzoo.create_model("mlp:mu"), kzoo.create_model("mlp:mu", hidden_dims=[3])
    model.save_to_preset(tmp_path / "mine")
    with pytest.raises(KzooError, match="overwrite=True"):
        other.save_to_preset(tmp_path / "mine")
    assert kzoo.from_preset(str(tmp_path / "mine")).count_params() == model.count_params()
    other.save_to_preset(tmp_path / "mine", overwrite=True)
    assert kzoo.from_preset(str(tmp_path / "mine")).count_params() == other.count_params()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_presets_of_a_model_are_those_that_name_it_and_not_those_that_begin_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_PRESETS", tmp_path)
    for name, model in (("vae_mnist", "vae"), ("vae_x_mnist", "vae_x")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model": model}))
    assert kzoo.list_presets(model="vae") == ["vae_mnist"]
    assert kzoo.list_presets(model="vae_x") == ["vae_x_mnist"]
    assert kzoo.list_presets("vae_*") == ["vae_mnist", "vae_x_mnist"]


def test_a_path_without_a_model_is_told_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "recipe.json").write_text("{}")
    with pytest.raises(UnknownName, match=r"There is no runs/nope\. Runs here: runs/mine\."):
        kzoo.load_model("runs/nope")
    with pytest.raises(UnknownName, match="neither a folder nor"):
        kzoo.load_model("runs/mine/recipe.json")


def test_a_weight_beyond_half_precision_is_refused_and_whole_precision_takes_it(tmp_path):
    model = kzoo.create_model("mlp:mu")
    model.trainable_variables[0].assign(np.full(model.trainable_variables[0].shape, 1e6))
    with pytest.raises(KzooError, match="half=False"):
        model.save_to_preset(tmp_path)
    model.save_to_preset(tmp_path, half=False)
    assert kzoo.from_preset(str(tmp_path)).trainable_variables[0].numpy().max() == 1e6
