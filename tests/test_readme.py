"""README's table is the registry's, and its Python runs."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_of_models_is_up_to_date():
    make = runpy.run_path(str(ROOT / "docs" / "make_readme.py"))
    assert make["made"]() == (ROOT / "README.md").read_text(encoding="utf-8"), "python docs/make_readme.py"


def test_the_python_of_the_readme_runs(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    exec(compile(code, "README.md", "exec"), {})
    assert "conv_1_1" in capsys.readouterr().out


def test_every_picture_of_the_readme_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for part in text.split("](docs/")[1:]:
        assert (ROOT / "docs" / part.partition(")")[0]).is_file()
