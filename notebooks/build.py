"""Makes the notebooks from their sources: `python notebooks/build.py` writes NN_stem.ipynb beside each NN_stem.py.

The .py is the source of truth: a script in jupytext's percent form, which is easy to read in a diff. The .ipynb is
what Jupyter opens. It holds no outputs, and the same source gives the same bytes, so that a test can compare the two.

    python notebooks/build.py                   every chapter
    python notebooks/build.py 03                the chapters whose file name starts with 03
    python notebooks/build.py --back 03         the other way: after work on 03_*.ipynb in Jupyter, its .py anew
    python notebooks/build.py --solutions DIR   copies into DIR that also run the solutions of the exercises
"""

import argparse
import importlib.util
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CHAPTER = re.compile(r"\d\d_\w+")
# The code inside an exercise's folded solution.
SOLUTION = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def chapters(suffix: str = ".py", start: str = "") -> list[Path]:
    """The chapters' files with this suffix whose names begin with `start`, in order."""
    return [
        path
        for path in sorted(FOLDER.glob(f"{start}*{suffix}"))
        if path.suffix == suffix and CHAPTER.fullmatch(path.stem)
    ]


def read(source: Path):
    """The notebook of a percent script, without outputs, its cells named by their place."""
    import jupytext

    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = {
        # JupyterLab with jupytext installed keeps the .py up to date when the .ipynb is saved.
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return name_cells(notebook, source.stem)


def name_cells(notebook, stem: str):
    """The notebook with the ids that the format asks for, which would otherwise be random."""
    for place, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"{stem.replace('_', '-')}-{place:02d}"
    return notebook


def solutions(markdown: str) -> list[str]:
    """The pieces of Python in a markdown cell's folded solution."""
    return SOLUTION.findall(markdown) if "<details>" in markdown else []


def with_solutions(notebook, stem: str):
    """A notebook in which the code of each solution is a cell behind its exercise."""
    from nbformat import v4

    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cells += [v4.new_code_cell(code.strip()) for code in solutions(cell.source)]
    notebook.cells = cells
    return name_cells(notebook, stem)


def source_of(path: Path) -> str:
    """The percent script of an .ipynb file; outputs and what Jupyter noted about itself are left behind."""
    import jupytext

    notebook = jupytext.read(path)
    notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL}
    script = jupytext.writes(notebook, fmt="py:percent")
    # The version of jupytext would change the header with every reader's machine.
    return re.sub(r"^#     text_representation:\n(#       .*\n)+", "", script, flags=re.MULTILINE)


def text(notebook) -> str:
    """The notebook as the text of an .ipynb file."""
    import nbformat

    return nbformat.writes(notebook).rstrip("\n") + "\n"


def main(arguments=None) -> int:
    """Writes the files that the command line asks for; 2 if there is nothing to write or no jupytext."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", nargs="?", default="", help="the beginning of a chapter's file name, such as 03")
    parser.add_argument("--back", action="store_true", help="from the .ipynb to the .py")
    parser.add_argument("--solutions", metavar="DIR", type=Path, help="write copies that run the solutions into DIR")
    options = parser.parse_args(arguments)
    if options.back and options.solutions:
        parser.error("--back and --solutions exclude each other: choose one")
    if importlib.util.find_spec("jupytext") is None:
        print('This needs jupytext, which is not installed. Type:  pip install "kzoo[notebooks]"', file=sys.stderr)
        return 2
    found = chapters(".ipynb" if options.back else ".py", options.start)
    if not found:
        print(f"No chapter in {FOLDER.name}/ begins with {options.start!r}. Try:  01", file=sys.stderr)
        return 2
    for path in found:
        if options.back:
            target, written = path.with_suffix(".py"), source_of(path)
        elif options.solutions:
            options.solutions.mkdir(parents=True, exist_ok=True)
            target = options.solutions / f"{path.stem}_solutions.ipynb"
            written = text(with_solutions(read(path), path.stem))
        else:
            target = path.with_suffix(".ipynb")
            written = text(read(path))
        target.write_text(written, encoding="utf-8")
        print(f"wrote {target.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
