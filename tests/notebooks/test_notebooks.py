"""The chapters in notebooks/ as files: their pairing, their shape, and what they must not contain.

That they run is another test, `nox -s notebooks`: it executes each of them, and each solution, on every backend.
"""

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

from kzoo.backend import NAMES

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load_build():
    spec = importlib.util.spec_from_file_location("notebooks_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()


def cells(path, kind=None):
    """The sources of a notebook's cells, of all kinds or of one."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if kind in (None, cell["cell_type"])]


def exercises(path):
    return [cell for cell in cells(path, "markdown") if cell.startswith("**Exercise ")]


def without_magics(code):
    """The code of a cell as Python that `ast` reads."""
    return re.sub(r"^%", "# %", code, flags=re.MULTILINE)


def test_every_source_has_its_notebook():
    assert SOURCES
    assert [path.stem for path in SOURCES] == [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_notebook_is_what_its_source_makes(source):
    pytest.importorskip("jupytext", reason='the notebooks are made by jupytext: pip install "kzoo[notebooks]"')
    made = build.text(build.read(source))
    assert source.with_suffix(".ipynb").read_text(encoding="utf-8") == made, (
        f"{source.stem}.ipynb is not what {source.name} makes. Edit the .py, then type: python notebooks/build.py"
    )


@each_notebook
def test_a_source_comes_back_from_its_notebook(path):
    pytest.importorskip("jupytext")
    assert build.source_of(path) == path.with_suffix(".py").read_text(encoding="utf-8")


@each_notebook
def test_a_notebook_holds_no_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@each_notebook
def test_a_notebook_is_of_a_length_that_one_sitting_allows(path):
    body = [cell for cell in cells(path) if not re.match(r"\*\*(Figure|Exercise) ", cell)]
    assert 18 <= len(body) <= 30


@each_notebook
def test_a_notebook_opens_with_its_title_and_ends_with_a_summary(path):
    first, *_, last = cells(path)
    assert re.match(r"# \d+ · .+", first)
    assert int(first.split()[1]) == int(path.stem[:2])
    assert last.startswith("## In short")


@each_notebook
def test_no_backend_is_set_or_imported(path):
    code = [without_magics(cell) for cell in cells(path, "code")]
    for tree in map(ast.parse, code):
        for node in ast.walk(tree):
            found = []
            if isinstance(node, ast.Import):
                found = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [node.module or ""]
            assert not {name.split(".")[0] for name in found} & set(NAMES)
    together = "\n".join(code)
    assert not re.search(r"environ\[.KERAS_BACKEND.\]\s*=|set_backend", together)
    # Keras reads its backend when it is imported: kzoo, which chooses one that is installed, has to come before.
    assert re.search(r"^import kzoo\b", code[0], re.MULTILINE)
    assert not re.search(r"^(import|from) keras", code[0], re.MULTILINE)


@each_notebook
def test_nothing_comes_from_the_network(path):
    markdown, code = "\n".join(cells(path, "markdown")), "\n".join(cells(path, "code"))
    assert not re.search(r"!\[|<img|<iframe|<script", markdown)  # figures are made by the notebook itself
    assert not re.search(r"^\s*[!]|https?://|urllib|requests|%pip|load_data\(\s*.(mnist|fashion|cifar)", code, re.M)


@each_notebook
def test_figures_are_numbered_in_order_and_captioned(path):
    captions = [re.match(r"\*\*Figure (\d+)\.\*\* .{40,}", cell) for cell in cells(path, "markdown")]
    numbers = [int(match[1]) for match in captions if match]
    assert numbers
    assert numbers == list(range(1, len(numbers) + 1))


@each_notebook
def test_figures_leave_no_state_behind(path):
    assert "pyplot" not in "\n".join(cells(path, "code"))


@each_notebook
def test_exercises_are_numbered_and_their_solutions_folded(path):
    found = exercises(path)
    assert 3 <= len(found) <= 6
    for number, exercise in enumerate(found, start=1):
        assert exercise.startswith(f"**Exercise {number}.**")
        # GitHub and Jupyter render the markdown inside only where these empty lines are.
        assert len(re.findall(r"^<details>\n<summary>Solution</summary>\n\n", exercise, re.M)) == 1
        assert exercise.endswith("\n\n</details>")


@each_notebook
def test_every_solution_has_code_that_can_fail(path):
    for exercise in exercises(path):
        code = build.solutions(exercise)
        assert code
        for piece in code:
            compile(without_magics(piece), f"{path.name}, {exercise[:15]}", "exec")
        assert re.search(r"\bassert|assert_allclose|assert_array", "\n".join(code)), exercise[:80]


@each_notebook
def test_code_outside_solutions_is_in_code_cells(path):
    for cell in cells(path, "markdown"):
        assert "```python" not in cell or cell in exercises(path)


@each_notebook
def test_a_chapter_compares_its_own_arithmetic_with_the_zoo(path):
    assert re.search(r"assert_allclose|assert_array_equal", "\n".join(cells(path, "code")))


def test_the_index_names_every_chapter():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        assert f"]({path.name})" in index


def test_solutions_are_found_only_in_folds():
    folded = "**Exercise 1.** Do.\n\n<details>\n<summary>Solution</summary>\n\n```python\na = 1\n```\n\n</details>"
    assert build.solutions(folded) == ["a = 1\n"]
    assert build.solutions("```python\na = 1\n```") == []


def test_a_wrong_chapter_is_answered_with_a_remedy(capsys):
    pytest.importorskip("jupytext")
    assert build.main(["99"]) == 2
    assert "Try:  01" in capsys.readouterr().err
