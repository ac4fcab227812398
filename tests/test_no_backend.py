"""Without a usable backend every command that needs one says what to install, and leaves with code 2."""

import os
import re
import subprocess
import sys

import pytest

from kzoo.backend import NAMES


def _hiding(*names) -> str:
    """The first lines of a program that finds these backends as if they were not installed."""
    return f"""
import importlib.util, sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {names!r} else real(name, *rest)
"""


HIDE = _hiding(*NAMES) + "from kzoo.cli import main\nsys.exit(main(sys.argv[1:]))"


def _run(code, *arguments, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"} | variables
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("command", [("train", "cnn", "--smoke"), ("info", "cnn"), ("evaluate", "cnn_digits")])
def test_without_any_backend_the_command_says_what_to_install(command):
    done = _run(HIDE, *command)
    assert done.returncode == 2, done.stderr
    # From a clone or from an installation: the child may have found another copy than this process.
    assert re.search(r'pip install (-e ".*\[jax\]"|"kzoo\[jax\]")', done.stderr)
    assert "Traceback" not in done.stderr


# A user's program that imports Keras before kzoo, and lives on when that fails.
KERAS_FIRST = """
try:
    import keras
except ImportError as error:
    print("Keras:", error)
import kzoo
"""


CALLS = (
    "kzoo.create_model('mlp:mu')",
    "kzoo.from_preset('cnn_digits')",
    "kzoo.backend.devices()",
    "import kzoo.training",
)


def test_a_keras_that_failed_before_kzoo_was_imported_leaves_our_message_and_not_its_own(tmp_path):
    # Keras, asked first, takes tensorflow, and a failed import leaves some of its modules behind.
    attempts = "".join(
        f"try:\n    {call}\nexcept kzoo.KzooError as error:\n    print('kzoo:', type(error).__name__, error)\n"
        for call in CALLS
    )
    done = _run(_hiding(*NAMES) + KERAS_FIRST + attempts, KERAS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Keras: No module named 'tensorflow'") == 1
    assert done.stdout.count("kzoo: BackendUnavailable No backend of Keras is installed") == len(CALLS)


def test_a_keras_that_failed_for_want_of_tensorflow_runs_on_what_is_here(tmp_path, backend):
    if backend == "tensorflow":
        pytest.skip("this one hides tensorflow")
    hidden = [name for name in NAMES if name != backend]
    code = _hiding(*hidden) + KERAS_FIRST + "print(kzoo.create_model('mlp:mu').count_params() > 0, kzoo.backend.name())"
    done = _run(code, KERAS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Keras: No module named 'tensorflow'", f"True {backend}"]


def test_list_and_help_work_without_any_backend():
    done = _run(HIDE, "list")
    assert done.returncode == 0, done.stderr
    assert "cnn" in done.stdout


def test_an_unknown_backend_is_named():
    done = _run("from kzoo.cli import main; import sys; sys.exit(main(['info', 'cnn']))", KERAS_BACKEND="mxnet")
    assert done.returncode == 2, done.stderr
    assert "'mxnet'; kzoo runs on" in done.stderr
    assert "Traceback" not in done.stderr
