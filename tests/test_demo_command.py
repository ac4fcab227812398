"""`kzoo demo`: the list, what it refuses, how it starts an app, and the folder that it writes for a Space.

No Gradio is needed here; tests/demos/test_space.py installs and runs such a folder.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kzoo import demo, registry
from kzoo.cli import main
from kzoo.errors import install_command

ROOT = Path(__file__).resolve().parents[1]
NAMES = list(demo.demos())


def _refused(capsys, *argv) -> str:
    """The message of a command that must fail as a user's mistake does."""
    assert main(["demo", *argv]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("kzoo: ")
    assert "Traceback" not in shown.err
    return shown.err


@pytest.fixture
def gradio(monkeypatch):
    """As if this Gradio were installed, whatever is."""
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(demo.importlib.metadata, "version", lambda name: "6.31.0")


def test_the_list_names_every_demo_and_imports_neither_keras_nor_gradio():
    code = (
        "import sys, kzoo.cli as cli\n"
        "cli.main(['demo'])\n"
        "assert not {'keras', 'gradio', 'numpy', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, one in demo.demos().items():
        assert f"{name} " in done.stdout
        assert one.summary in done.stdout


def test_every_app_of_the_folder_is_a_demo_and_the_hub_comes_last():
    files = {path.stem.removesuffix("_app") for path in (ROOT / "demos").glob("*_app.py")}
    assert set(NAMES) == {*files, demo.HUB}
    assert NAMES[-1] == demo.HUB


@pytest.mark.parametrize("name", NAMES)
def test_a_demo_says_what_it_is_and_its_presets_ship(name):
    one = demo.find(name)
    assert one.title != name
    assert one.summary
    assert "\n" not in one.summary
    assert set(one.presets) <= set(registry.list_presets())
    assert one.file.parent / "kit.py" in one.modules


def test_the_hub_has_every_apps_page_and_presets():
    hub = demo.find(demo.HUB)
    for name in NAMES[:-1]:
        one = demo.find(name)
        assert {one.file, *one.modules} <= set(hub.modules)
        assert set(one.presets) <= set(hub.presets)


def test_a_typo_gets_a_suggestion(capsys):
    assert "Did you mean 'all'?" in _refused(capsys, "al")
    assert "Demos: " in _refused(capsys, "../../etc/passwd")


def test_without_gradio_it_says_what_to_install(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    for flags in ([], ["--space", str(tmp_path / "new")]):
        assert install_command("demos") in _refused(capsys, "all", *flags)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("version", ["4.44.1", "5.49.0", "6.16.2", "7.0.0"])
def test_another_gradio_is_refused_with_both_versions(version, capsys, monkeypatch, gradio):
    monkeypatch.setattr(demo.importlib.metadata, "version", lambda name: version)
    message = _refused(capsys, "all")
    assert version in message
    assert "6.17 or a later 6.x" in message


def test_flags_without_a_demo_ask_which(capsys):
    assert "Which demo?" in _refused(capsys, "--port", "7000")
    assert "Which demo?" in _refused(capsys, "--space", "somewhere")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "7e3", ""])
def test_a_wrong_port_is_named_with_what_is_allowed(port, capsys):
    with pytest.raises(SystemExit) as left:
        main(["demo", "all", f"--port={port}"])
    assert left.value.code == 2
    message = capsys.readouterr().err
    assert repr(port) in message
    assert "from 1 to 65535" in message


def test_an_app_is_run_as_its_file_with_the_flags(monkeypatch, gradio):
    ran = []
    monkeypatch.setattr(demo.runpy, "run_path", lambda path, run_name: ran.append((path, run_name, sys.argv[1:])))
    monkeypatch.setattr(demo.backend, "name", lambda: "any")
    monkeypatch.setattr(sys, "argv", ["kzoo"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["demo", "all", "--port", "7000", "--host", "0.0.0.0", "--open"]) == 0
    assert main(["demo", "all"]) == 0
    file = str(demo.folder() / "app.py")
    assert ran == [(file, "__main__", ["--port", "7000", "--host", "0.0.0.0", "--open"]), (file, "__main__", [])]
    assert sys.path[0] == str(demo.folder()), "its helpers are imported from beside it"


def test_a_folder_with_something_in_it_is_refused_and_kept(capsys, tmp_path, gradio):
    (tmp_path / "mine.txt").write_text("precious")
    assert "is not empty" in _refused(capsys, "all", "--space", str(tmp_path))
    assert "is a file" in _refused(capsys, "all", "--space", str(tmp_path / "mine.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_space_is_not_started(capsys, tmp_path, gradio):
    assert "leave out --port" in _refused(capsys, "all", "--space", str(tmp_path / "new"), "--port", "7000")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_space_holds_what_it_needs_and_nothing_else(name, tmp_path, capsys, gradio):
    one = demo.find(name)
    target = tmp_path / "space"
    assert main(["demo", name, "--space", str(target)]) == 0
    shown = capsys.readouterr().out
    assert f"hf upload YOUR-NAME/kzoo-{name} {target} . --repo-type space" in shown

    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    beside = {file for file in found if not file.startswith("kzoo/")}
    extra = {path.relative_to(one.file.parent).as_posix() for path in one.data}
    assert beside == {"README.md", "app.py", "requirements.txt", *(path.name for path in one.modules), *extra}
    assert {file.split("/")[2] for file in found if file.startswith("kzoo/presets/")} == set(one.presets)
    assert "kzoo/__init__.py" in found
    assert not [file for file in found if "__pycache__" in file or "_demos" in file]


@pytest.mark.parametrize("name", NAMES)
def test_a_space_has_every_module_that_its_files_import(name, tmp_path, gradio):
    demo.write_space(demo.find(name), tmp_path)
    for file in tmp_path.glob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            module = re.match(r"\s*(?:import|from) (\w+)", line)
            if module and (ROOT / "demos" / f"{module[1]}.py").is_file():
                assert (tmp_path / f"{module[1]}.py").is_file(), f"{file.name}: {line}"


@pytest.mark.parametrize("name", NAMES)
def test_a_spaces_front_matter_is_whole(name, tmp_path, gradio):
    demo.write_space(demo.find(name), tmp_path)
    _, matter, text = (tmp_path / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    values = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in matter.splitlines())}
    assert set(values) == {
        *("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file"),
        *("short_description", "tags", "license"),
    }
    assert values["sdk"] == "gradio"
    assert values["sdk_version"] == "6.31.0"
    assert values["python_version"] == "3.12"
    assert (tmp_path / values["app_file"]).is_file()
    assert values["short_description"] == demo.find(name).summary, "Hugging Face shows 60 characters; none is cut off"
    assert 10 < len(values["short_description"]) <= 60
    assert values["license"] == "apache-2.0"
    assert demo.find(name).title in text


def test_a_spaces_pins_are_those_that_the_tests_run_with():
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.partition(";")[0].strip().split("==") for line in constraints if line and not line.startswith("#")]
    lines = (ROOT / "demos/space/requirements.txt").read_text().splitlines()
    wanted = dict(line.split("==") for line in lines if "==" in line)
    for package, version in wanted.items():
        assert [package.partition("[")[0], version] in pins, package
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for line in project["project"]["dependencies"]:
        assert line.partition(">=")[0] in wanted, "all that kzoo itself depends on"


def test_the_wheel_carries_the_demos():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"demos": "kzoo/_demos"}


def test_a_preset_that_does_not_ship_is_named_before_anything_is_written(tmp_path, gradio):
    one = demo.find(demo.HUB)
    broken = demo.Demo(one.name, one.file, one.title, one.summary, ("cnn_nothing",), one.modules, one.data)
    with pytest.raises(demo.UnknownName, match="cnn_nothing"):
        demo.write_space(broken, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_space_inside_the_package_is_refused(capsys, gradio):
    inside = demo.PACKAGE / "space"
    assert "inside the package" in _refused(capsys, "mlp", "--space", str(inside))
    assert not inside.exists()
