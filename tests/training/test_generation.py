"""Models that make images, through a whole run: its folder, its resume, what it refuses, and the commands."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

import kzoo
from kzoo.cli import main
from kzoo.errors import KzooError, RecipeError
from kzoo.recipe import DataSpec, ModelSpec, Recipe
from kzoo.training import measure as measuring
from kzoo.training import run, tasks
from kzoo.training.batches import FollowEpoch
from kzoo.training.build import build
from kzoo.training.evaluation import load_for
from kzoo.training.image_quality import ImageQuality
from kzoo.training.publish import publish
from kzoo.training.tasks import better, check_fit, in_words

TINY = Recipe(
    model=ModelSpec("vae", {"latent_dim": 2, "hidden_dims": [8], "beta": 0.9, "warmup_steps": 12}),
    data=DataSpec("digits", labels=True),
    epochs=3,
    batch_size=50,
    seed=3,
    smoke=True,
).override(schedule={"name": "cosine"})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three epochs; its folder is to be read only."""
    return run(TINY, out=tmp_path_factory.mktemp("runs") / "vae", verbose=0)


def _rows(folder):
    with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def _state(model):
    return [keras.ops.convert_to_numpy(v) for v in (*model.weights, *model.optimizer.variables)]


def test_a_run_folder_holds_a_grid_of_samples_for_each_epoch_and_the_bound_of_the_test_images(finished):
    names = sorted(path.name for path in (finished.folder / "samples").iterdir())
    assert names == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png"]
    assert (finished.folder / "samples.png").is_file()
    rows = _rows(finished.folder)
    assert {"loss", "val_loss", "nelbo", "val_nelbo", "kl", "val_reconstruction"} <= rows[0].keys()
    data = load_for(TINY)
    expected = kzoo.load_model(finished.folder).measure(data.x_test, data.y_test)
    for key, value in expected.items():
        assert finished.metrics[f"test_{key}"] == pytest.approx(value, rel=1e-6), key
    assert finished.model.num_classes == 10


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(finished, tmp_path, monkeypatch):
    def die(self, epoch, logs=None):
        self.batches.epoch = epoch
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FollowEpoch, "on_epoch_begin", die)
        with pytest.raises(KeyboardInterrupt):
            run(TINY, out=tmp_path / "cut", verbose=0)
    # In the midst of the warm-up, whose count has to come along.
    assert 0 < int(kzoo.load_model(tmp_path / "cut").steps.numpy()) < 12
    run(resume=tmp_path / "cut", verbose=0)
    whole, resumed = (kzoo.load_model(folder / "last.keras") for folder in (finished.folder, tmp_path / "cut"))
    for a, b in zip(_state(whole), _state(resumed), strict=True):
        assert np.array_equal(a, b)
    for row, same in zip(_rows(tmp_path / "cut"), _rows(finished.folder), strict=True):
        # TensorFlow adds up a mean in an order of its own each time, two runs of one process included.
        assert row == pytest.approx(same, rel=1e-6)
    with open(finished.folder / "samples" / "epoch_0003.png", "rb") as a:
        assert a.read() == (tmp_path / "cut" / "samples" / "epoch_0003.png").read_bytes()


def test_samples_in_between_move_nothing(finished, tmp_path, monkeypatch):
    task = check_fit(TINY)
    monkeypatch.setattr(type(task), "samples", lambda self, model: (np.zeros((4, 8, 8, 1), "float32"), None))
    again = run(TINY, out=tmp_path / "again", verbose=0)
    for a, b in zip(_state(finished.model), _state(again.model), strict=True):
        assert np.array_equal(a, b)


def test_classes_are_told_only_where_the_recipe_says_so():
    recipe = TINY.override(data={"labels": False})
    assert build(recipe, load_for(recipe), 5).num_classes is None


def test_the_last_epoch_is_kept_where_no_loss_tells_the_best():
    recipe = TINY.override(monitor="epoch")
    task = check_fit(recipe)
    assert better(task, recipe, {"epoch": 2, "val_loss": 9.0}, {"epoch": 1, "val_loss": 1.0})
    assert not better(check_fit(TINY), TINY, {"epoch": 2, "val_loss": 9.0}, {"epoch": 1, "val_loss": 1.0})


def test_a_phase_has_its_share_of_the_learning_rate():
    recipe = TINY.override(optimizer={"learning_rate": 0.02, "phases": {"bound": 0.25}}, schedule={"name": "constant"})
    model = build(recipe, load_for(recipe), 5)
    assert float(keras.ops.convert_to_numpy(model.optimizer["bound"].learning_rate)) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": {"name": "plateau"}}, "Use constant, step or cosine"),
        ({"regularisation": {"l2": 0.1}}, "regularisation.l2: got 0.1"),
        ({"regularisation": {"label_smoothing": 0.1}}, "regularisation.label_smoothing: got 0.1"),
        ({"optimizer": {"phases": {"generator": 0.5}}}, "the phases of vae are bound"),
        ({"optimizer": {"phases": {"bound": 0}}}, "optimizer.phases.bound: got 0"),
        ({"precision": "mixed_float16"}, "use mixed_bfloat16"),
        ({"data": {"normalise": "standard"}}, "Set it to unit"),
        ({"data": {"name": "moons"}}, "It takes: digits"),
        ({"monitor": "val_accuracy"}, "allows val_loss, epoch"),
        ({"monitor": "epoch", "early_stopping": {"patience": 2}}, "set early_stopping.patience to null"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_remedy(changes, words, tmp_path):
    with pytest.raises(RecipeError, match=words):
        run(TINY.override(**changes), out=tmp_path / "refused", verbose=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": {"phases": {"bound": 0.5}}}, "mlp has one optimizer and no phases"),
        ({"data": {"labels": True}}, "mlp makes no images"),
        ({"monitor": "epoch"}, "allows val_accuracy, val_loss"),
    ],
)
def test_what_is_for_models_of_images_is_refused_to_others(changes, words, tmp_path):
    with pytest.raises(RecipeError, match=words):
        run(kzoo.recipe_for("mlp", "digits").override(**changes, smoke=True), out=tmp_path / "refused", verbose=0)


@pytest.fixture(scope="module")
def preset(finished, tmp_path_factory):
    """The run as a preset folder, with a hundredth of the codes of a real one."""
    folder = tmp_path_factory.mktemp("presets") / "vae_digits"
    plain = type(finished.model).log_likelihood
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(finished.model), "log_likelihood", lambda *a, **k: plain(*a, **{**k, "samples": 50}))
        publish(finished.folder, folder)
    return folder


def test_a_preset_states_the_likelihood_and_how_the_pixels_were_made_black_and_white(preset):
    metrics = json.loads((preset / "metrics.json").read_text())
    card = (preset / "README.md").read_text()
    assert metrics["test_nll"] < metrics["test_nelbo"]  # the more codes, the tighter
    assert f"{metrics['test_nll']:.2f} nats" in card
    assert "each grey value was the probability of white" in card
    probe = np.array(json.loads((preset / "probe.json").read_text())["outputs"])
    np.testing.assert_allclose(kzoo.from_preset(str(preset)).probe(), probe, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_what_a_model_of_mnist_makes_is_judged_where_it_may_take_long(name, finished, monkeypatch):
    asked = []

    def judge(images, labels):
        asked.append((images.shape, np.bincount(labels).tolist()))
        return ImageQuality(20, 0.25, 0.5, 0.75, 1.5, 0.125, (0.1, 0.2, 0.7), recognised=0.9)

    monkeypatch.setattr(tasks, "COUNT", 20)
    monkeypatch.setattr(tasks, "image_quality", judge)
    monkeypatch.setattr(type(finished.model), "measure", lambda *a, thorough: {"nll": 1.0})
    data = dataclasses.replace(load_for(TINY), name=name)
    found = check_fit(TINY).thorough(finished.model, data)
    if name == "digits":
        assert found == {"nll": 1.0}
        return
    assert asked == [((20, 8, 8, 1), [2] * 10)]
    assert found == {
        "nll": 1.0, "nfcd": 0.25, "precision": 0.5, "recall": 0.75, "density": 1.5, "coverage": 0.125,
        "recognised": 0.9, "rarest": 0.1, "commonest": 0.7,
    }  # fmt: skip
    assert in_words("test_rarest", 0.1) == ("test share of the rarest class", "10.00 %")


def test_images_are_made_and_measured_from_the_command_line(preset, tmp_path, capsys):
    out = tmp_path / "grid.png"
    assert main(["generate", str(preset), "--out", str(out)]) == 0
    assert f"grid of {preset}, seed 0" in capsys.readouterr().out
    first = out.read_bytes()
    for flags in (["--seed", "1"], ["--class", "7"], ["--count", "7"]):
        assert main(["generate", str(preset), "--out", str(out), *flags]) == 0
        assert out.read_bytes() != first, flags
    capsys.readouterr()
    assert main(["evaluate", str(preset)]) == 0
    assert "negative bound of the log-likelihood" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--prompt", "a"], "--prompt is of a model of texts"),
        (["--length", "3"], "--length is of a model of texts"),
        (["--count", "0"], "count: got 0"),
        (["--class", "10"], "a class from 0 to 9"),
        (["--seed", "-1"], "seed: got -1"),
        (["--out", "grid.txt"], "expected a file that ends in .png"),
    ],
)
def test_what_an_image_model_is_not_asked_is_refused(preset, flags, words, capsys):
    assert main(["generate", str(preset), *flags]) == 2
    assert words in capsys.readouterr().err


def test_a_picture_of_a_text_is_refused(tmp_path, capsys):
    kzoo.create_model("lstm:mu-tokens", seed=0, vocabulary="\nab").save_to_preset(tmp_path / "letters")
    assert main(["generate", str(tmp_path / "letters"), "--out", "grid.png"]) == 2
    assert "--out is of a model of images" in capsys.readouterr().err


def test_images_of_another_shape_are_not_measured(preset, monkeypatch):
    small = kzoo.load_data("digits", smoke=True)
    cut = dataclasses.replace(small, x_train=small.x_train[:, :4], x_test=small.x_test[:, :4])
    monkeypatch.setattr(measuring, "load_for", lambda recipe: cut)
    with pytest.raises(KzooError, match=r"has images of shape \(4, 8, 1\)"):
        measuring.measure(str(preset))
