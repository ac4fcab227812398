"""The registry, and the choice of a backend."""

import random
import re
import subprocess
import sys
import threading

import kzoo  # isort: skip

import keras
import numpy as np
import pytest

from kzoo import backend, registry
from kzoo.errors import BackendUnavailable, RecipeError, UnknownName, install_command


def test_models_are_listed_by_pattern_and_family():
    assert kzoo.list_models("c*", family="vision") == ["cnn"]
    assert kzoo.list_models("c*", family="feedforward") == []
    assert {"perceptron", "mlp", "cnn"} <= set(kzoo.list_models())


def test_a_typo_gets_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'perceptron'"):
        kzoo.create_model("perceptrn")
    with pytest.raises(UnknownName, match="Did you mean 'vision'"):
        kzoo.list_models(family="visoin")
    with pytest.raises(UnknownName, match="Variants: mu"):
        kzoo.create_model("cnn:nano")
    with pytest.raises(RecipeError, match=r"model.filter: cnn has no such argument. Did you mean 'filters'"):
        kzoo.create_model("cnn", filter=3)


def test_arguments_win_over_the_variant():
    model = kzoo.create_model("mlp:mu", hidden_dims=(3,), name="mine")
    assert model.hidden_dims == (3,)
    assert model.num_classes == 3
    assert model.name == "mine"


@pytest.mark.parametrize("name", registry.list_models())
def test_every_line_of_the_table_points_to_a_class_and_its_recipes(name):
    info = registry.model_info(name)
    assert info.load().__module__ == f"kzoo.models.{name}"
    import importlib

    recipes = importlib.import_module(f"kzoo.recipes.{name}").RECIPES
    assert tuple(recipes) == info.recipes
    for recipe in recipes.values():
        unknown = set(recipe.model.arguments) - set(registry.model_arguments(name))
        assert not unknown


def test_a_data_set_without_a_recipe_takes_the_default_settings():
    recipe = kzoo.recipe_for("cnn", "fashion_mnist")
    assert recipe == kzoo.recipe_for("cnn", "mnist").override(data={"name": "fashion_mnist"})


def test_the_facade_offers_what_it_names():
    for name in kzoo.__all__:
        assert getattr(kzoo, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = kzoo.nothing


def _chosen(environment, code="import kzoo, os; print(kzoo.backend.choose(), os.environ.get('KERAS_BACKEND'))"):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """An environment that says nothing of a backend."""
    import os

    environment = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "KERAS_HOME")}
    return {**environment, "KERAS_HOME": str(tmp_path)}


def test_the_variable_decides_first(clean):
    assert _chosen({**clean, "KERAS_BACKEND": "torch"}) == ["torch", "torch"]


def test_without_a_word_the_first_installed_backend_is_taken(clean):
    first = next(name for name in backend.NAMES if name in backend.installed())
    assert _chosen(clean) == [first, first]


def test_a_users_own_keras_json_counts_and_kerass_default_does_not(clean, tmp_path):
    first, *_, last = [name for name in backend.NAMES if name in backend.installed()] * 2
    (tmp_path / "keras.json").write_text(f'{{"backend": "{last}"}}')
    assert _chosen(clean)[0] == (first if last == "tensorflow" else last)
    for content in ('{"backend": "tensorflow"}', '{"backend": "mxnet"}', "{", "[]"):
        (tmp_path / "keras.json").write_text(content)
        assert _chosen(clean)[0] == first


def test_without_any_backend_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(backend, "choose", lambda: None)
    with pytest.raises(BackendUnavailable, match=re.escape(install_command("jax"))):
        backend.name()


def test_a_chosen_backend_that_is_absent_is_named(monkeypatch):
    monkeypatch.setattr(backend, "choose", lambda: "torch")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=re.escape(install_command("torch"))):
        backend.name()
    monkeypatch.setattr(backend, "choose", lambda: "mxnet")
    with pytest.raises(BackendUnavailable, match="'mxnet'; kzoo runs on jax, torch, tensorflow"):
        backend.name()


def test_a_seed_decides_the_weights_and_leaves_the_callers_generator_alone():
    def weights(**given):
        return [weight.numpy() for weight in kzoo.create_model("cnn:mu", **given).weights]

    random.seed(7)
    state = random.getstate()
    first, again, other = weights(seed=3), weights(seed=3), weights(seed=4)
    assert random.getstate() == state
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    keras.utils.set_random_seed(3)
    assert all(np.array_equal(a, b) for a, b in zip(first, weights(), strict=True))


def test_other_threads_do_not_disturb_a_seed():
    alone = [weight.numpy() for weight in kzoo.create_model("cnn:mu", seed=5).weights]
    busy = threading.Event()

    def draw():
        while not busy.is_set():
            random.random()

    others = [threading.Thread(target=draw) for _ in range(2)]
    for thread in others:
        thread.start()
    try:
        found = [[weight.numpy() for weight in kzoo.create_model("cnn:mu", seed=5).weights] for _ in range(3)]
    finally:
        busy.set()
        for thread in others:
            thread.join()
    for weights in found:
        assert all(np.array_equal(a, b) for a, b in zip(alone, weights, strict=True))


@pytest.mark.parametrize("seed", [-1, 1.5, "three", True, 2**31, float("nan")])
def test_a_seed_that_is_no_whole_number_in_its_range_is_refused(seed):
    with pytest.raises(RecipeError, match=r"seed: got .*; expected a whole number"):
        kzoo.create_model("perceptron", seed=seed)


def test_numpys_whole_numbers_are_seeds():
    first, second = (kzoo.create_model("cnn:mu", seed=seed).get_weights() for seed in (3, np.int64(3)))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_preset_that_is_being_written_is_not_listed(tmp_path, monkeypatch):
    for name in ("cnn_own", ".writing-cnn_own"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"model": "cnn"}')
    monkeypatch.setattr(registry, "_PRESETS", tmp_path)
    assert registry.list_presets() == ["cnn_own"]
