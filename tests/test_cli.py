"""The command line: what it prints, what it refuses, and how it leaves."""

import io
import json
import subprocess
import sys

import pytest

import kzoo
from kzoo.cli import main
from kzoo.recipe import Recipe
from kzoo.train import read_recipe


def _refused(capsys, *argv) -> str:
    """The message of a command that must fail as a user's mistake does: code 2, one screen, no traceback."""
    assert main(list(argv)) == 2
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert 0 < len(shown.err.splitlines()) <= 24
    return shown.err


def test_help_and_list_import_no_keras():
    code = (
        "import sys, kzoo.cli as cli\n"
        "cli.main(['list'])\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'keras', 'jsonargparse', 'sklearn', 'matplotlib', 'numpy'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in kzoo.list_models():
        assert name in done.stdout


def test_list_shows_each_model_with_its_family(capsys):
    assert main(["list", "c*"]) == 0
    shown = capsys.readouterr().out
    assert "cnn" in shown
    assert "vision" in shown
    assert "perceptron" not in shown


def test_info_shows_the_page_and_the_arguments(capsys):
    assert main(["info", "mlp"]) == 0
    shown = capsys.readouterr().out
    assert "doi:10.1038/323533a0" in shown
    assert "hidden_dims = (128,)" in shown


def test_a_typo_in_a_command_or_a_model_gets_a_suggestion(capsys):
    assert "Did you mean 'train'" in _refused(capsys, "trian", "cnn")
    assert "Did you mean 'cnn'" in _refused(capsys, "train", "cn")
    assert "Did you mean 'cnn'" in _refused(capsys, "info", "cmn")
    assert "Did you mean 'mnist'" in _refused(capsys, "train", "cnn", "--data", "mnsit", "--smoke")


def test_train_without_a_model_and_without_a_terminal_lists_the_choices(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    message = _refused(capsys, "train")
    for name in kzoo.list_models():
        assert name in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "0"], ["epochs", "0", "at least 1"]),
        (["--epochs", "many"], ["epochs", "many", "int"]),
        (["--epoch", "3"], ["epoch", "Did you mean 'epochs'"]),
        (["--model.dropuot", "0.3"], ["model.dropuot", "Did you mean 'model.dropout'", "model.filters"]),
        (["--model.dropout", "1.5"], ["model.dropout", "1.5", "below 1"]),
        (["--model.filters", "[32,0]"], ["model.filters", "0", "at least 1"]),
        (["--model.padding", "full"], ["model.padding", "full", "same, valid"]),
        (["--optimizer.name", "adamm"], ["optimizer.name", "adamm", "adam"]),
        (["--optimizer.lr", "0.1"], ["optimizer.lr", "Allowed", "optimizer.learning_rate"]),
        (["--optimizer.learning_rate", "-1"], ["optimizer.learning_rate", "-1", "above 0"]),
        (["--optimizer.momentum", "0.9"], ["optimizer.momentum", "adam has no such argument"]),
        (["--data.shift", "far"], ["data.shift", "far", "float"]),
        (["--config", "absent.json"], ["absent.json", "cannot be read"]),
        (["--data", "moons"], ["model.input_shape", "images"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) and value[0].startswith("--") else "",
)
def test_a_wrong_flag_is_named_with_what_it_got_and_what_is_allowed(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = _refused(capsys, "train", "cnn", *flags)
    for word in words:
        assert word in message
    assert not (tmp_path / "runs").exists(), "a refused command leaves nothing behind"


def test_flags_win_over_the_file_and_the_file_over_the_recipe(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model": {"name": "cnn", "dropout": 0.1}, "epochs": 7, "optimizer": {"name": "sgd"}}))
    recipe, _ = read_recipe(["--epochs", "3", "--config", str(file), "--model.hidden_dim", "16"])
    assert recipe.epochs == 3
    assert recipe.model.arguments["dropout"] == 0.1
    assert recipe.model.arguments["hidden_dim"] == 16
    assert recipe.optimizer.name == "sgd"
    base = kzoo.recipe_for("cnn")
    assert recipe.optimizer.learning_rate == base.optimizer.learning_rate
    assert recipe.data == base.data


def test_the_printed_config_is_the_recipe_that_runs(capsys, tmp_path):
    assert main(["train", "mlp", "--data", "mnist", "--seed", "5", "--print-config"]) == 0
    text = capsys.readouterr().out
    recipe = Recipe.from_json(text)
    assert recipe.data.name == "mnist"
    assert recipe.seed == 5
    (tmp_path / "c.json").write_text(text)
    again, _ = read_recipe(["--config", str(tmp_path / "c.json")])
    assert again == recipe


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"model": {"name": "cnn"}, "optimizer": {"nam": "sgd"}}', ["optimizer.nam", "optimizer.name"]),
        ('{"model": {"name": "cnn"}, "epoch": 3}', ["epoch", "epochs"]),
        ('{"model": {"name": "cnn", "filter": [3]}}', ["model.filter", "model.filters"]),
        ('{"model": {"name": "cnn"}, "epochs": "x"}', ["epochs", "x"]),
        ('{"model": "cnn"}', ["expected", "name"]),
        ("{", ["not valid JSON"]),
        ('{"model": {"name": "mlp"}}', ["mlp", "cnn"]),
    ],
)
def test_a_wrong_file_is_refused_like_a_wrong_flag(content, words, tmp_path, capsys):
    (tmp_path / "c.json").write_text(content)
    message = _refused(capsys, "train", "cnn", "--config", str(tmp_path / "c.json"))
    for word in words:
        assert word in message


def test_train_evaluate_and_publish_work_in_a_row(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "mlp", "--data", "moons", "--smoke"]) == 0
    shown = capsys.readouterr().out
    folder = f"runs/mlp-moons-{kzoo.backend.name()}-1"
    assert f"kzoo evaluate {folder}" in shown
    assert (tmp_path / folder / "decision_surface.png").exists()
    assert main(["evaluate", folder]) == 0
    accuracy = json.loads((tmp_path / folder / "metrics.json").read_text())["test_accuracy"]
    assert f"accuracy {100 * accuracy:.2f} %" in capsys.readouterr().out
    assert main(["publish", folder, "mine"]) == 0
    assert "kzoo.from_preset" in capsys.readouterr().out
    assert main(["evaluate", "./mine"]) == 0
    model = kzoo.from_preset("./mine")
    assert model.output_shape == (None, 2)


def test_resume_refuses_flags_that_would_change_the_recipe(tmp_path, capsys):
    message = _refused(capsys, "train", "--resume", str(tmp_path), "--epochs", "3")
    assert "--epochs 3" in message
    assert "--config" in message
    assert "no run folder" in _refused(capsys, "train", "--resume", str(tmp_path))


def test_evaluate_says_what_it_cannot_find(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "No preset 'nothing'" in _refused(capsys, "evaluate", "nothing")
    assert "no.keras" in _refused(capsys, "evaluate", "no.keras")
