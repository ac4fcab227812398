"""Publishing: what a preset folder holds, what is never overwritten, and what is said of a damaged run."""

import json
import shutil

import numpy as np
import pytest

import kzoo
from kzoo.errors import KzooError
from kzoo.models import preset
from kzoo.training import publish as publishing
from kzoo.training import run
from kzoo.training.measure import measure
from kzoo.training.publish import publish


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A finished run of a second; its folder is to be read only."""
    recipe = kzoo.recipe_for("mlp", "moons").override(smoke=True, epochs=1, model={"hidden_dims": [4]})
    return run(recipe, out=tmp_path_factory.mktemp("publish") / "run", verbose=0).folder


@pytest.fixture
def copied(ended, tmp_path):
    """A copy of that run, to be damaged."""
    return shutil.copytree(ended, tmp_path / "run")


def _half(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_published_run_is_a_whole_preset_and_leaves_nothing_else(ended, tmp_path):
    metrics = publish(ended, tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == preset.FILES
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert metrics == json.loads((tmp_path / "mine" / "metrics.json").read_text())
    assert metrics["test_accuracy"] == measure(str(tmp_path / "mine"))["accuracy"]
    assert "# mine\n" in (tmp_path / "mine" / "README.md").read_text()
    # A weight in half precision is within 2^-11 of the run's.
    for half, whole in zip(
        kzoo.from_preset(str(tmp_path / "mine")).get_weights(), kzoo.load_model(ended).get_weights(), strict=True
    ):
        np.testing.assert_allclose(half, whole, rtol=2**-11, atol=1e-7)


def test_a_preset_is_replaced_only_on_request(ended, tmp_path):
    publish(ended, tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("my own words")
    before = _content(tmp_path / "mine")
    with pytest.raises(KzooError, match=r"already holds a preset, and nothing .*\n    kzoo publish .*mine --force"):
        publish(ended, tmp_path / "mine")
    assert _content(tmp_path / "mine") == before
    publish(ended, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "README.md").read_text() != "my own words"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_publishing_that_fails_leaves_the_old_preset_as_it_was(ended, tmp_path, monkeypatch):
    publish(ended, tmp_path / "mine")
    before = _content(tmp_path / "mine")

    def full(*args, **how):
        raise OSError("disk full")

    monkeypatch.setattr(publishing, "measure", full)
    with pytest.raises(OSError, match="disk full"):
        publish(ended, tmp_path / "mine", overwrite=True)
    with pytest.raises(OSError, match="disk full"):
        publish(ended, tmp_path / "other")
    assert _content(tmp_path / "mine") == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_of_other_files_is_refused_even_on_request(ended, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(KzooError, match=r"other files than a preset's: thesis\.tex"):
        publish(ended, tmp_path, overwrite=True)
    with pytest.raises(KzooError, match="is a file"):
        publish(ended, tmp_path / "thesis.tex", overwrite=True)
    assert _content(tmp_path) == {"thesis.tex": b"years of work"}


def test_what_is_no_finished_run_is_told_the_right_next_step(copied, tmp_path):
    with pytest.raises(KzooError, match="no run folder: it holds no recipe"):
        publish(tmp_path / "nope", tmp_path / "mine")
    (copied / "metrics.json").unlink()
    with pytest.raises(KzooError, match=r"has not ended\. Type:  kzoo train --resume"):
        publish(copied, tmp_path / "mine")


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("metrics.json", "{}", ["lacks val_accuracy", "Delete it", "kzoo train --resume"]),
        ("metrics.json", "{", ["no valid JSON", "Delete it"]),
        ("metrics.json", "[]", ["no JSON object"]),
        ("env.json", "{}", ["lacks backend", "kzoo train --config"]),
        ("recipe.json", "{", ["not valid JSON"]),
        ("recipe.json", '{"model": {"name": "mlp"}, "epochs": "x"}', ["epochs: got 'x'"]),
    ],
)
def test_a_damaged_file_of_a_run_is_named_with_a_remedy(file, content, words, copied, tmp_path):
    (copied / file).write_text(content)
    with pytest.raises(KzooError) as refused:
        publish(copied, tmp_path / "mine")
    for word in [str(copied / file), *words]:
        assert word in str(refused.value)
    assert not (tmp_path / "mine").exists()


def test_a_run_whose_metrics_are_damaged_measures_them_again_once_they_are_deleted(copied):
    (copied / "metrics.json").write_text("{}")
    with pytest.raises(KzooError, match=r"metrics\.json is damaged: it lacks test_accuracy"):
        run(resume=copied, verbose=0)
    (copied / "metrics.json").unlink()
    assert "val_accuracy" in run(resume=copied, verbose=0).metrics


def test_half_a_checkpoint_is_called_damaged_and_the_whole_one_is_named(copied):
    _half(copied / "best.keras")
    with pytest.raises(KzooError, match=r"best\.keras is damaged: no whole .keras .* kzoo evaluate .*last\.keras"):
        measure(copied)
    (copied / "best.keras").unlink()
    with pytest.raises(KzooError, match=r"best\.keras is missing.* kzoo evaluate .*last\.keras"):
        measure(copied)
    _half(copied / "last.keras")
    with pytest.raises(KzooError, match=r"last\.keras is damaged.*kzoo train --config"):
        measure(copied / "last.keras")


def test_a_recipe_that_was_changed_to_another_model_is_told_apart_in_a_few_words(copied):
    (copied / "metrics.json").unlink()
    recipe = json.loads((copied / "recipe.json").read_text())
    recipe["model"]["hidden_dims"] = [5, 5]
    (copied / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(
        KzooError, match=r"recipe\.json beside it was changed(.*\n){2}    kzoo train --config"
    ) as refused:
        run(resume=copied, verbose=0)
    assert len(str(refused.value)) < 700
