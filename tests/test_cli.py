"""The command line: what it prints, what it refuses, and how it leaves."""

import errno
import io
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time

import pytest

import kzoo
from kzoo.cli import main
from kzoo.errors import did_you_mean
from kzoo.flags import read_recipe
from kzoo.recipe import Recipe
from kzoo.training import RunResult
from kzoo.training.checkpoints import read_state


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


@pytest.mark.parametrize("command", ["train", "demo", "info", "list"])
@pytest.mark.parametrize("typed", ["cmm", "CNN", "cn"])
def test_a_slip_of_the_finger_gets_the_nearest_name_wherever_a_model_is_named(command, typed, capsys):
    assert "Did you mean 'cnn'?" in _refused(capsys, command, typed)


def test_a_name_that_is_near_nothing_gets_no_suggestion():
    for typed in ("foo", "", "x" * 40, "../../etc/passwd"):
        assert did_you_mean(typed, ["cnn", "mlp", "perceptron"]) == ""
    assert did_you_mean("cnn", []) == ""
    assert did_you_mean("acb", {"abc", "cab", "bca"}) == " Did you mean 'abc'?", "of equals the first"


def test_a_list_that_would_be_empty_says_what_was_sought_and_what_there_is(capsys):
    message = _refused(capsys, "list", "foo")
    assert message == f"kzoo: No model matches 'foo'. Models: {', '.join(kzoo.list_models())}.\n"
    assert capsys.readouterr().out == ""
    message = _refused(capsys, "list", "cn*", "--family", "feedforward")
    assert "No model of the family 'feedforward' matches 'cn*'" in message
    assert f"Models of the family 'feedforward': {', '.join(kzoo.list_models(family='feedforward'))}." in message


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["cnn", "--data", "mnis"], "No data set is called 'mnis'. Did you mean 'mnist'?"),
        (["cnn", "--model.dropout", "1.5"], "model.dropout: got 1.5"),
        (["--resume", "absent"], "absent is no run folder"),
    ],
    ids=["data", "model", "resume"],
)
def test_what_a_run_refuses_is_said_alone(argv, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *argv]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""


def test_the_settings_of_a_run_are_shown_before_it_begins(capsys, monkeypatch, tmp_path):
    def run(recipe, *, announce, **_):
        assert capsys.readouterr().out == ""
        announce(tmp_path)
        shown = capsys.readouterr().out
        assert "mlp on moons" in shown
        assert "label_smoothing" in shown
        assert shown.splitlines()[-1] == f"Run folder: {tmp_path}"
        return RunResult(tmp_path, {"test_accuracy": 0.5}, None)

    monkeypatch.setattr("kzoo.training.run", run)
    assert main(["train", "mlp", "--data", "moons"]) == 0
    assert "Result" in capsys.readouterr().out


def test_a_resume_of_a_run_that_has_ended_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("kzoo.training.run", lambda *_, **__: RunResult(tmp_path, {"test_accuracy": 0.5}, None))
    assert main(["train", "--resume", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"The run in {tmp_path} has ended before; nothing was trained." in shown.splitlines()
    assert "50.00 %" in shown
    assert "Continuing" not in shown


def test_a_resume_on_another_backend_says_so_before_it_begins(capsys, monkeypatch, tmp_path):
    (tmp_path / "env.json").write_text('{"backend": "abacus"}')

    def run(recipe, *, announce, **_):
        announce(tmp_path)
        assert f"KERAS_BACKEND=abacus kzoo train --resume {tmp_path}" in capsys.readouterr().out
        return RunResult(tmp_path, {"test_accuracy": 0.5}, None)

    monkeypatch.setattr("kzoo.training.run", run)
    assert main(["train", "--resume", str(tmp_path)]) == 0


def test_train_without_a_model_and_without_a_terminal_lists_the_choices(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    message = _refused(capsys, "train")
    for name in kzoo.list_models():
        assert name in message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--epochs", "0"], ["epochs", "0", "at least 1"]),
        (["--epochs", "many"], ["epochs: got 'many'; expected a whole number, such as --epochs "]),
        (["--epochs", "1.5"], ["epochs: got 1.5; expected a whole number"]),
        (["--model.filters", "[32,x]"], ["model.filters: got 'x'; expected a list [N,...], such as"]),
        (["--model.filters", "3.5"], ["model.filters: got 3.5; expected a list [N,...]"]),
        (["--clipping.norm", "big"], ["clipping.norm: got 'big'; expected a number or null."]),
        (["--data.flip", "maybe"], ["data.flip: got 'maybe'; expected true or false"]),
        (["--data.arguments", "3"], ["data.arguments: got 3; expected an object in JSON"]),
        (["--epoch", "3"], ["epoch", "Did you mean 'epochs'"]),
        (["--model.dropuot", "0.3"], ["model.dropuot", "Did you mean 'model.dropout'", "model.filters"]),
        (["--model.dropout", "1.5"], ["model.dropout", "1.5", "below 1"]),
        (["--model.filters", "[32,0]"], ["model.filters", "0", "at least 1"]),
        (["--model.padding", "full"], ["model.padding", "full", "same, valid"]),
        (["--optimizer.name", "adamm"], ["optimizer.name", "adamm", "adam"]),
        (["--optimizer.lr", "0.1"], ["optimizer.lr", "Allowed", "optimizer.learning_rate"]),
        (["--optimizer.learning_rate", "-1"], ["optimizer.learning_rate", "-1", "above 0"]),
        (["--optimizer.momentum", "0.9"], ["optimizer.momentum", "adam has no such argument"]),
        (["--data.shift", "far"], ["data.shift: got 'far'; expected a number"]),
        (["--config", "absent.json"], ["absent.json", "cannot be read"]),
        (["--epochs"], ["--epochs", "whole number", "--epochs 25"]),
        (["--epochs", "--seed", "3"], ["--epochs", "no value", "whole number"]),
        (["--optimizer.name"], ["--optimizer.name", "one of sgd, adam", "--optimizer.name adam"]),
        (["--model.filters"], ["--model.filters", "[N,...]", "'[32, 64]'"]),
        (["--clipping.norm"], ["--clipping.norm", "a number or null"]),
        (["--out"], ["--out", "no value", "--out runs/mine"]),
        (["--smoke=yes"], ["--smoke", "'yes'"]),
        (["--model.name", "mlp"], ["MODEL is 'cnn'", "--model.name is 'mlp'", "leave one"]),
        (["--data", "mnist", "--data.name", "digits"], ["'mnist'", "--data.name is 'digits'", "leave one"]),
        (["--data", "moons"], ["data.name: moons", "cnn does not take", "It takes: digits"]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) and value[0].startswith("--") else "",
)
def test_a_wrong_flag_is_named_with_what_it_got_and_what_is_allowed(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = _refused(capsys, "train", "cnn", *flags)
    for word in words:
        assert word in message
    for python in ("<class", "typing", "NoneType", "tuple", "Parser key"):
        assert python not in message
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
        ('{"model": {"name": ["cnn"]}}', ["model.name", "['cnn']", "expected text"]),
        ('{"model": {"name": "cnn"}, "data": {"name": {"a": 1}}}', ["data.name", "{'a': 1}", "expected text"]),
        ("{", ["--config: ", "c.json", "no valid JSON", "--print-config"]),
        ("[]", ["--config: ", "c.json", "no JSON object", "--print-config"]),
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
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == 'Load it with:  kzoo.from_preset("mine")'
    assert main(["evaluate", "./mine"]) == 0
    model = eval(line.partition(":  ")[2])
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


@pytest.mark.parametrize("command", [["evaluate", "runs"], ["publish", "runs", "mine"]], ids=" ".join)
def test_a_folder_of_runs_lists_them(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b-2", "a-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "recipe.json").write_text("{}")
    (tmp_path / "runs" / "notes").mkdir()
    message = _refused(capsys, *command)
    assert message == (
        "kzoo: runs holds runs and is none itself; name one of them. "
        f"Runs here: {os.path.join('runs', 'a-1')}, {os.path.join('runs', 'b-2')}.\n"
    )
    # What is itself a run, or holds presets and no run, is answered as before.
    (tmp_path / "runs" / "recipe.json").write_text("{}")
    assert "holds runs" not in _refused(capsys, *command)
    (tmp_path / "runs" / "recipe.json").unlink()
    for name in ("b-2", "a-1"):
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    assert "holds runs" not in _refused(capsys, *command)


def test_a_run_made_shorter_shortens_the_recipes_warm_up_and_no_other(tmp_path):
    base = kzoo.recipe_for("cnn")
    assert base.schedule.warmup_epochs == 1
    assert read_recipe(["cnn", "--epochs", "1"])[0].schedule.warmup_epochs == 0.25
    assert read_recipe(["cnn", "--smoke"])[0].schedule.warmup_epochs == 0.5
    assert read_recipe(["cnn", "--epochs", "4"])[0].schedule == base.schedule
    assert read_recipe(["cnn"])[0].schedule == base.schedule
    # A warm-up that was asked for stays, and the run refuses it where it is too long.
    named, _ = read_recipe(["cnn", "--epochs", "1", "--schedule.warmup_epochs=1"])
    assert named.schedule.warmup_epochs == 1
    (tmp_path / "c.json").write_text('{"model": {"name": "cnn"}, "schedule": {"warmup_epochs": 1}}')
    named, _ = read_recipe(["--config", str(tmp_path / "c.json"), "--epochs", "2"])
    assert named.schedule.warmup_epochs == 1


def test_model_name_and_data_name_choose_as_model_and_data_do():
    assert read_recipe(["--model.name", "cnn"])[0] == read_recipe(["cnn"])[0]
    assert read_recipe(["cnn", "--model.name=cnn"])[0] == read_recipe(["cnn"])[0]
    assert read_recipe(["cnn", "--data.name", "mnist"])[0] == read_recipe(["cnn", "--data", "mnist"])[0]
    assert read_recipe(["cnn", "--data.name", "mnist"])[0].epochs == kzoo.recipe_for("cnn", "mnist").epochs


def test_the_model_is_found_before_and_after_the_flags():
    expected, _ = read_recipe(["cnn", "--seed", "3"])
    assert read_recipe(["--seed", "3", "cnn"])[0] == expected
    assert read_recipe(["--seed=3", "cnn"])[0] == expected


def _no_run(*args, **kwargs):
    raise AssertionError("this command must not train")


def test_help_comes_before_everything_else(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("kzoo.training.run", _no_run)
    for argv in (["--help"], ["--resume", str(tmp_path), "--help"], ["--config", "absent.json", "-h"]):
        assert main(["train", *argv]) == 0
        shown = capsys.readouterr().out
        assert "--resume FOLDER" in shown
        assert shown.count("one of: ") == 1


def test_help_of_a_model_describes_each_flag_and_each_key_once(capsys):
    assert main(["train", "cnn", "--data", "mnist", "--help"]) == 0
    shown = capsys.readouterr().out
    for flag in ("--data NAME", "--out FOLDER", "--resume FOLDER", "--smoke", "--config FILE", "--print-config"):
        assert shown.count(f"\n  {flag} ") == 1, flag
    recipe = kzoo.recipe_for("cnn", "mnist").to_dict()
    keys = [k for k, v in recipe.items() if not isinstance(v, dict)]
    keys += [f"{k}.{inner}" for k, v in recipe.items() if isinstance(v, dict) for inner in v]
    for key in set(keys) - {"smoke", "model.name", "data.name"}:
        assert f"\n  --{key} " in shown, key
    assert "Passes over the training part. (default: 15)" in shown
    assert "The model cnn: Convolutions and max-pooling" in shown
    for clutter in ("<class", "CONFIG", "print_config", "Literal", "None"):
        assert clutter not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_resume_with_print_config_prints_the_recipe_of_the_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("kzoo.training.run", _no_run)
    recipe = kzoo.recipe_for("mlp").override(seed=7)
    (tmp_path / "recipe.json").write_text(recipe.to_json())
    assert main(["train", "--resume", str(tmp_path), "--print-config"]) == 0
    assert Recipe.from_json(capsys.readouterr().out) == recipe
    absent = str(tmp_path / "absent")
    assert "cannot be read" in _refused(capsys, "train", "--resume", absent, "--print-config")


def test_an_unwritable_run_folder_is_refused_with_a_remedy(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "run")

    def run(recipe, *, announce, out=None, **_):
        os.mkdir(out)

    monkeypatch.setattr("kzoo.training.run", run)
    message = _refused(capsys, "train", "mlp", "--out", out)
    assert f"{out}: {os.strerror(errno.ENOTDIR)}" in message
    assert "--out FOLDER" in message


def test_a_full_disk_in_a_run_names_the_command_that_continues_it(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "my run"

    def run(recipe, *, announce, out=None, **_):
        announce(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "last.keras"))

    monkeypatch.setattr("kzoo.training.run", run)
    message = _refused(capsys, "train", "mlp")
    assert f"last.keras: {os.strerror(errno.ENOSPC)}" in message
    assert f"kzoo train --resume '{folder}'" in message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/somewhere"), "kzoo: /somewhere: Permission denied."),
        (OSError("h5 has no errno"), "kzoo: h5 has no errno."),
        (EOFError(), "kzoo: the input ended before an answer."),
    ],
    ids=["with a path", "without a path", "end of input"],
)
def test_what_the_system_refuses_is_one_line_in_every_command(error, words, capsys, monkeypatch):
    def fails(argv):
        raise error

    monkeypatch.setattr("kzoo.cli._list", fails)
    assert _refused(capsys, "list") == f"{words}\n"


def test_no_answer_at_the_prompt_is_refused_with_a_remedy(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "kzoo train cnn" in _refused(capsys, "train")


def test_an_interrupted_run_names_its_folder_and_other_commands_none(capsys, monkeypatch, tmp_path):
    folder = tmp_path / "a [b] run; it's mine"

    def run(recipe, *, announce, out=None, **_):
        announce(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("kzoo.training.run", run)
    assert main(["train", "mlp"]) == 130
    shown = capsys.readouterr()
    assert f"Run folder: {folder}\n" in shown.out
    assert shown.err.strip() == (
        "kzoo: interrupted. No epoch was finished yet. "
        f"The run continues with:  kzoo train --resume {shlex.quote(str(folder))}"
    )

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("kzoo.training.run", interrupted)
    assert main(["train", "mlp"]) == 130
    assert capsys.readouterr().err.strip() == "kzoo: interrupted."
    monkeypatch.setattr("kzoo.cli._list", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err.strip() == "kzoo: interrupted."


def _start_a_long_run(folder, until):
    """A run of 500 epochs, once it has written a file."""
    command = [sys.executable, "-m", "kzoo", "train", "mlp", "--data", "moons", "--smoke", "--epochs", "500"]
    process = subprocess.Popen(
        [*command, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not (folder / until).exists():
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("file", ["env.json", "metrics.csv"], ids=["in its first compilation", "in its epochs"])
def test_ctrl_c_stops_a_run_between_two_batches_and_keeps_the_finished_epochs(file, tmp_path):
    folder = tmp_path / "run"
    process = _start_a_long_run(folder, file)
    time.sleep(random.SystemRandom().random())  # every run of this test tries another moment
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "stopping after this batch" in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert f"kzoo train --resume {folder}" in said
    if (folder / "last.keras").exists():
        epochs = read_state(folder / "last.keras")["epoch"]
        assert f"{epochs} epoch{'s are' if epochs > 1 else ' is'} kept." in said
        assert len((folder / "metrics.csv").read_text().splitlines()) == epochs + 1
    else:
        assert "No epoch was finished yet." in said


def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    code = (
        "import os, signal, time; from kzoo.train import _Interrupt\n"
        "with _Interrupt() as interrupt:\n"
        "    interrupt.held = True\n"
        "    os.kill(os.getpid(), signal.SIGINT); print('held back', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT); print('never reached', flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (130, "held back\n")


def test_ctrl_c_in_the_last_figures_of_a_run_leaves_it_whole(capsys, monkeypatch, tmp_path):
    def run(recipe, announce, **_):
        announce(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)
        return RunResult(tmp_path, {"test_accuracy": 0.5}, None)

    monkeypatch.setattr("kzoo.training.run", run)
    before = signal.getsignal(signal.SIGINT)
    assert main(["train", "mlp"]) == 130
    assert "Next, type" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


def test_commands_that_are_to_be_copied_stand_on_one_line_and_are_quoted(capsys, monkeypatch, tmp_path):
    folder = tmp_path / f"a [bold] run {'x' * 100}"

    def run(recipe, *, announce, out=None, **_):
        announce(folder)
        return RunResult(folder, {"test_accuracy": 0.5}, None)

    def measure(model, data, **_):
        return {"data": "mnist", "samples": 10_000, "accuracy": 0.987, "loss": 0.05}

    monkeypatch.setattr("kzoo.training.run", run)
    monkeypatch.setattr("kzoo.training.measure.measure", measure)
    assert main(["train", "mlp"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert f"Run folder: {folder}" in shown
    assert shown[-1] == f"Next, type:  kzoo evaluate {shlex.quote(str(folder))}"
    assert main(["train", "--resume", str(folder)]) == 0
    assert f"Continuing the run in {folder} on {kzoo.backend.name()}." in capsys.readouterr().out.splitlines()
    assert main(["evaluate", str(folder)]) == 0
    assert capsys.readouterr().out == (
        f"{folder} on the 10,000 test samples of mnist: accuracy 98.70 %, loss 0.0500 nats\n"
    )


def test_a_reader_that_stops_reading_is_no_mistake():
    code = "import sys; from kzoo.cli import main; sys.stdin.read(1); sys.exit(main(['list']))"
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started.stdout.close()
    started.stdin.write(b"!")
    started.stdin.close()
    said = started.stderr.read()
    started.stderr.close()
    assert started.wait() == 0
    assert said == b""


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["evaluate"], "required: model"),
        (["info"], "required: name"),
        (["publish", "runs/a"], "required: folder"),
        (["list", "--famly", "vision"], "--famly"),
        (["doctor", "now"], "unrecognized arguments: now"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_missing_and_unknown_arguments_are_named_with_the_usage(argv, words, capsys):
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert f"usage: kzoo {argv[0]}" in shown


def test_the_plateau_schedule_drops_the_warm_up_of_the_recipe_that_it_replaces():
    recipe, _ = read_recipe(["cnn", "--schedule.name", "plateau"])
    assert recipe.schedule.warmup_epochs == 0
    recipe, _ = read_recipe(["cnn", "--schedule.name", "plateau", "--schedule.warmup_epochs", "2"])
    assert recipe.schedule.warmup_epochs == 2  # named, so refused by the training rather than changed


def test_ctrl_c_before_a_run_has_its_folder_leaves_at_once(capsys, monkeypatch):
    def run(recipe, **_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the download went on")

    monkeypatch.setattr("kzoo.training.run", run)
    assert main(["train", "mlp"]) == 130
    assert capsys.readouterr().err.strip() == "kzoo: interrupted."
