"""A Space, as Hugging Face would build it: written by the command, installed into an empty environment, and used."""

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest

import kzoo
from kzoo.cli import main

from .conftest import free_port

pytestmark = pytest.mark.skipif(
    not os.environ.get("KZOO_SLOW"),
    reason="installs PyTorch and Gradio into an empty environment, which takes minutes; KZOO_SLOW=1 runs it",
)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The folder that `kzoo demo cnn --space` writes."""
    folder = tmp_path_factory.mktemp("space") / "cnn"
    assert main(["demo", "cnn", "--space", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def python(space, tmp_path_factory):
    """The interpreter of an environment with what the Space asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    matter = (space / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    version = json.loads(dict(line.split(": ", 1) for line in matter.splitlines())["sdk_version"])
    # As Hugging Face does it: requirements.txt alone, before any other file of the folder is there.
    command = [python, "-m", "pip", "install", "-q", "-r", space / "requirements.txt", f"gradio=={version}"]
    # One try an index: where the one of PyTorch is out of reach, pip would wait for it at each package.
    environment = {"PIP_RETRIES": "0", **os.environ}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return python


def test_the_environment_has_one_backend_and_no_kzoo(python, tmp_path):
    code = (
        "import importlib.util as u\n"
        "print(*[name for name in ('jax', 'tensorflow', 'torch', 'kzoo') if u.find_spec(name)])"
    )
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["torch"]


def test_the_space_starts_and_predicts(space, python, start_app, tmp_path_factory):
    folder = tmp_path_factory.mktemp("running")
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KERAS", "KZOO", "PYTHON"))}
    # As on a Space's machine, but for the address: this one listens to itself alone.
    environment |= {"SPACE_ID": "someone/kzoo-cnn", "HOME": str(folder)}
    environment |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    app = start_app([str(python), "app.py"], port, folder, "space", cwd=space, environment=environment)
    assert "on the backend torch" in app.output()

    from gradio_client import Client

    client = Client(app.url, verbose=False, download_files=str(folder))
    answer, _ = client.predict(api_name="/classify")
    assert "%" in answer
    *_, code = client.predict(api_name="/explain")
    assert 'kzoo.from_preset("cnn_mnist")' in code

    source = str(Path(kzoo.__file__).parent)
    opened = {path for what, path in app.events() if what == "open"}
    assert str(space / "kzoo" / "presets" / "cnn_mnist" / "config.json") in opened
    assert not {path for path in opened if path.startswith(source)}, "it stands on its own copy of kzoo"
    assert {address for what, address in app.events() if what == "connect"} <= {"127.0.0.1", "localhost"}
