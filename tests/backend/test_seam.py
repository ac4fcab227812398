"""Each backend defines what `kzoo/backend/seam.py` documents; read as text, so that all three need not be installed."""

import ast
from pathlib import Path

import pytest

from kzoo import backend
from kzoo.backend import seam

FOLDER = Path(seam.__file__).parent


def arguments(path):
    """Function -> its arguments as they are written, with their defaults."""
    tree = ast.parse((FOLDER / path).read_text(encoding="utf-8"))
    return {node.name: ast.unparse(node.args) for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_seam_documents_what_is_handed_out():
    assert list(arguments("seam.py")) == list(backend.FUNCTIONS)


@pytest.mark.parametrize("name", backend.NAMES)
def test_each_backend_takes_the_arguments_of_the_seam(name):
    found = {key: arguments(f"{name}/{file}.py").get(key) for key, file in backend.FUNCTIONS.items()}
    assert found == arguments("seam.py")


def test_what_is_handed_out_has_the_docstring_of_the_seam():
    for name in backend.FUNCTIONS:
        assert getattr(backend, name).__doc__ == getattr(seam, name).__doc__
