"""Reads the imports of kzoo/ with ast and fails on one that breaks a rule of ARCHITECTURE.md.

`violations` is the checker; the tests prove it on made-up sources before they trust it with the real ones.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from kzoo.backend import NAMES

ROOT = Path(__file__).resolve().parents[1]

# The chain: an import may go to the same level or to a lower one.
LEVELS = {
    "backend": 0,
    "ops": 1,
    "layers": 2,
    "models": 3,
    "sampling": 4,
    "training": 4,
    "convert": 4,
    "cli": 5,
    "train": 5,
    "generate": 5,
    "flags": 5,
    "doctor": 5,
    "demo": 5,
    "bio_command": 5,
    "convert_command": 5,
    "__main__": 5,
}
# Leaves import nothing of the chain; a set names all that a leaf may import of kzoo beside itself.
LEAVES = {
    "errors": set(),
    "files": {"errors"},
    "data": {"errors", "files"},
    "plots": {"errors", "files"},
    "recipe": {"errors"},
    "recipes": {"errors", "recipe"},
    "registry": {"errors", "files", "recipe", "recipes", "seeds"},
    "seeds": set(),
    "presets": set(),
    "bio": {"errors", "files"},
}
FACADE = "__init__"  # `from kzoo import create_model`: reaches everything, so only the top may
MAY_PRINT = {"cli", "train", "generate", "doctor", "demo", "bio_command", "convert_command", "__main__"}
MAY_IMPORT_BIO = {"bio_command", "doctor", "bio"}
PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def violations(root: Path) -> list[str]:
    """Every rule that the sources under root/kzoo and root/demos break, as "path:line: what"."""
    found = []
    for path in sorted([*(root / "kzoo").rglob("*.py"), *(root / "demos").rglob("*.py")]):
        relative = path.relative_to(root)
        unit = "demos" if relative.parts[0] == "demos" else Path(relative.parts[1]).stem
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, complaint in _complaints(tree, unit, relative):
            found.append(f"{relative.as_posix()}:{line}: {complaint}")
    return found


def _complaints(tree, unit, relative):
    if unit not in {*LEVELS, *LEAVES, FACADE, "demos"}:
        yield 1, f"kzoo.{unit} has no place in LEVELS or LEAVES"
        return
    for line, module in _imports(tree, relative):
        top, *rest = module.split(".")
        if top in NAMES and unit != "backend":
            yield line, f"{top} is imported outside kzoo/backend"
        if top in PICKLES:
            yield line, f"{top} runs code from the files that it reads"
        if module.startswith("matplotlib.pyplot") and unit not in {*MAY_PRINT, "demos"}:
            yield line, "pyplot keeps global state; use matplotlib.figure.Figure"
        if top == "keras" and unit == "bio":
            yield line, "kzoo.bio imports keras"
        if top == "kzoo" and rest:
            yield from ((line, text) for text in _arrow(unit, rest[0]))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "print" and unit not in {*MAY_PRINT, "demos"}:
            yield node.lineno, "print outside the command line and the demos"
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True) is not False:
                yield node.lineno, "allow_pickle runs code from the files that it reads"


def _arrow(unit, target):
    """What is wrong with an import of kzoo.target in kzoo.unit: nothing or one text."""
    if unit in (target, "demos", FACADE):
        return
    if target == "bio" and unit not in MAY_IMPORT_BIO:
        yield f"kzoo.{unit} imports kzoo.bio"
    elif unit in LEAVES:
        if target not in LEAVES[unit]:
            yield f"the leaf kzoo.{unit} imports kzoo.{target}"
    elif LEVELS.get(target, 5 if target == FACADE else -1) > LEVELS[unit]:
        yield f"kzoo.{unit} imports kzoo.{target}, which lies above it"


def _imports(tree, relative):
    """(line, absolute module) of every import; a name of the façade counts as kzoo.__init__."""
    package = relative.with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *filter(None, [node.module])])
            for name in node.names:
                if module != "kzoo":
                    yield node.lineno, f"{module}.{name.name}"
                elif name.name in {*LEVELS, *LEAVES}:
                    yield node.lineno, f"kzoo.{name.name}"
                elif name.name != "__version__":
                    yield node.lineno, f"kzoo.{FACADE}"
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def write(root, path, source):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source, encoding="utf-8")


BROKEN = [
    *[("layers/a.py", f"import {name}.nn", f"{name} is imported outside") for name in NAMES],
    ("models/a.py", f"def f():\n    from {NAMES[0]} import numpy", "outside kzoo/backend"),
    ("ops/a.py", f"import importlib\nimportlib.import_module('{NAMES[1]}')", "outside kzoo/backend"),
    ("backend/a.py", "from kzoo import ops", "kzoo.backend imports kzoo.ops, which lies above it"),
    ("ops/a.py", "import kzoo.layers.lif", "kzoo.ops imports kzoo.layers"),
    ("layers/a.py", "from ..models.cnn import CNN", "kzoo.layers imports kzoo.models"),
    ("layers/sub/a.py", "from ...models import cnn", "kzoo.layers imports kzoo.models"),
    ("models/a.py", "def f():\n    from kzoo.training import run", "kzoo.models imports kzoo.training"),
    ("training/a.py", "from kzoo.cli import main", "kzoo.training imports kzoo.cli"),
    ("models/a.py", "from kzoo import create_model", "kzoo.models imports kzoo.__init__"),
    ("data/a.py", "from kzoo import backend", "the leaf kzoo.data imports kzoo.backend"),
    ("data/a.py", "from . import b\nfrom ..recipe import Recipe", "the leaf kzoo.data imports kzoo.recipe"),
    ("plots/a.py", "import kzoo.models.cnn", "the leaf kzoo.plots imports kzoo.models"),
    ("plots/__init__.py", "from ..data import load", "the leaf kzoo.plots imports kzoo.data"),
    ("registry.py", "from kzoo.models.cnn import CNN", "the leaf kzoo.registry imports kzoo.models"),
    ("recipe.py", "from kzoo import recipes", "the leaf kzoo.recipe imports kzoo.recipes"),
    ("bio/a.py", "import keras", "kzoo.bio imports keras"),
    ("models/a.py", "from kzoo.bio import lif", "kzoo.models imports kzoo.bio"),
    ("data/a.py", "import pickle", "pickle runs code"),
    ("data/a.py", "import numpy as np\nnp.load('a', allow_pickle=True)", ":2: allow_pickle runs code"),
    ("ops/a.py", "print('here')", "print outside"),
    ("plots/a.py", "from matplotlib import pyplot as plt", "pyplot keeps global state"),
    ("plots/a.py", "import matplotlib.pyplot as plt", "pyplot keeps global state"),
    ("helpers/a.py", "", "kzoo.helpers has no place"),
]


@pytest.mark.parametrize(("path", "source", "complaint"), BROKEN)
def test_the_checker_finds_a_broken_rule(tmp_path, path, source, complaint):
    write(tmp_path, f"kzoo/{path}", source)
    found = violations(tmp_path)
    assert len(found) == 1, found
    assert complaint in found[0]
    assert found[0].startswith(f"kzoo/{path}:")


def test_the_checker_finds_a_backend_in_a_demo(tmp_path):
    write(tmp_path, "demos/cnn_app.py", f"import {NAMES[0]}\nprint('fine here')\nfrom kzoo import create_model")
    assert violations(tmp_path) == [f"demos/cnn_app.py:1: {NAMES[0]} is imported outside kzoo/backend"]


def test_the_checker_lets_pass_what_the_rules_allow(tmp_path):
    write(tmp_path, "kzoo/__init__.py", "from kzoo import backend")
    write(tmp_path, "kzoo/backend/a.py", f"import {NAMES[0]}, keras\nfrom kzoo.errors import KzooError")
    write(
        tmp_path,
        "kzoo/models/a.py",
        "from kzoo import __version__, backend, registry\nfrom .b import c\nimport keras",
    )
    write(tmp_path, "kzoo/training/a.py", "from kzoo import data, plots\nfrom kzoo.models.cnn import CNN")
    write(tmp_path, "kzoo/recipes/a.py", "from kzoo.recipe import Recipe")
    write(
        tmp_path,
        "kzoo/data/a.py",
        "from kzoo.errors import E\nimport numpy as np\nnp.load('a', allow_pickle=False)",
    )
    write(tmp_path, "kzoo/plots/a.py", "from matplotlib.figure import Figure\nfrom kzoo.plots.b import c")
    write(tmp_path, "kzoo/bio_command.py", "from kzoo import bio, create_model\nprint('fine here')")
    write(tmp_path, "kzoo/ops/a.py", '"""A docstring may show print(x) and import pickle."""')
    assert violations(tmp_path) == []


def test_kzoo_breaks_no_rule():
    assert (ROOT / "kzoo" / "backend").is_dir()
    assert violations(ROOT) == []


def test_importing_kzoo_imports_neither_keras_nor_a_backend():
    code = (
        "import sys, kzoo; from kzoo import backend\n"
        "sys.exit(' '.join({'keras', 'matplotlib', 'sklearn', *backend.NAMES} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""
