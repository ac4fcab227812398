"""Without a usable backend every command that needs one says what to install, and leaves with code 2."""

import os
import re
import subprocess
import sys

import pytest

from kzoo.backend import NAMES

# Hides the installed backends from find_spec and import, as if none were there.
HIDE = f"""
import sys
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {NAMES!r} else real(name, *rest)
for name in {NAMES!r}:
    sys.modules[name] = None
from kzoo.cli import main
sys.exit(main(sys.argv[1:]))
"""


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


def test_list_and_help_work_without_any_backend():
    done = _run(HIDE, "list")
    assert done.returncode == 0, done.stderr
    assert "cnn" in done.stdout


def test_an_unknown_backend_is_named():
    done = _run("from kzoo.cli import main; import sys; sys.exit(main(['info', 'cnn']))", KERAS_BACKEND="mxnet")
    assert done.returncode == 2, done.stderr
    assert "'mxnet'; kzoo runs on" in done.stderr
    assert "Traceback" not in done.stderr
