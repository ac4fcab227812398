"""README's table is the registry's, and its Python runs."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_table_of_models_is_up_to_date():
    make = runpy.run_path(str(ROOT / "docs" / "make_readme.py"))
    assert make["made"]() == (ROOT / "README.md").read_text(encoding="utf-8"), "python docs/make_readme.py"


@pytest.mark.parametrize(("place", "shown"), [(0, "\n"), (1, "(3, 28, 28, 1)"), (2, "lif_1"), (3, "conv_1_1")])
def test_the_python_of_the_readme_runs(place, shown, capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pieces = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    assert len(pieces) == 4
    exec(compile(pieces[place], "README.md", "exec"), {})
    assert shown in capsys.readouterr().out


def test_every_picture_of_the_readme_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for part in text.split("](docs/")[1:]:
        assert (ROOT / "docs" / part.partition(")")[0]).is_file()
