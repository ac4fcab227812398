"""What `kzoo bio` writes and says: a folder with figures, numbers and the flags to make them again."""

import contextlib
import csv
import io
import shlex
import sys
import time
from pathlib import Path

import numpy as np

from kzoo import __version__
from kzoo.errors import KzooError
from kzoo.files import read_json, replacing, write_json, write_text

QUIET = 10.0  # seconds without a word, where nobody sits at a terminal


def folder_for(out, name, command=None) -> Path:
    """The folder to write into: one that is free, or holds a run of the same command, which `write` replaces.

    Args:
        out: the folder that was asked for, or None for the next free one.
        name: what that is called.
        command: the word after `kzoo bio`, where it is not the name.

    Raises:
        KzooError: for a folder of other files, or of another command's run.
    """
    if out is None:
        number = 1
        while (Path("bio") / f"{name}-{number}").exists():
            number += 1
        return Path("bio") / f"{name}-{number}"
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise KzooError(f"--out: {folder} is a file; expected a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        command = command or name
        if not (folder / "run.json").is_file():
            raise KzooError(f"--out: {folder} holds other files; expected a new folder, or one that kzoo bio wrote.")
        known = read_json(folder / "run.json", "Give --out a new folder.", keys=("command",))["command"]
        if known != command:
            raise KzooError(
                f"--out: {folder} holds a run of {known!r:.40}; expected a new folder, or one of kzoo bio {command}."
            )
    return folder


def say_engine(record) -> None:
    """Which engine ran, and why not the one that was asked for."""
    chosen = record.note.startswith("auto took")
    print(f"engine {record.engine}" + (f" ({record.note})" if chosen else ""))
    if record.note and not chosen:
        print(f"kzoo: {record.note}", file=sys.stderr)


def write(folder, command, parser, given, *, figures, run, arrays=None, tables=None, later=()):
    """Writes figures, numbers and run.json, the last of all, and says so. What an older run left there is deleted.

    Args:
        folder: where to, as `folder_for` gives it.
        command: the word after `kzoo bio`.
        parser, given: the flags, which go into run.json.
        figures: file's name -> Figure.
        run: what else goes into run.json.
        arrays: file's name -> arrays by name, for an .npz.
        tables: file's name -> head and rows, for a .csv.
        later: names of files that the caller writes into the folder afterwards.
    """
    from kzoo import plots

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        plots.save_png(figure, folder / name)
    for name, values in (arrays or {}).items():
        with replacing(folder / name) as temporary:
            np.savez_compressed(temporary, **values)
    for name, (head, rows) in (tables or {}).items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([[f"{v:.10g}" if isinstance(v, float) else v for v in row] for row in rows])
        write_text(folder / name, text.getvalue())
    names = [*figures, *(arrays or {}), *(tables or {}), "run.json"]
    instead = ", in place of the run that it held" if (folder / "run.json").is_file() else ""
    for name in _left(folder, [*names, *later]):
        (folder / name).unlink(missing_ok=True)
    flags = _flags(parser, given)
    about = {"command": command, "flags": flags, "type": shlex.join(["kzoo", "bio", command, *flags])}
    about["sha256"] = getattr(given, "sha256", {})  # of the files that it read
    if film := getattr(given, "animate", None):
        about["film"] = film
    write_json(folder / "run.json", about | {"kzoo": __version__, "files": [*names, *later]} | run)
    print(f"Wrote {folder}{instead}: {', '.join(names)}.")
    print(f"Again:  kzoo bio repeat {shlex.quote(str(folder))}")


def _left(folder, names) -> list[str]:
    """The files in a folder that its run.json lists, and that are none of those just written."""
    if not (folder / "run.json").is_file():
        return []
    listed = read_json(folder / "run.json", "Give --out a new folder.").get("files")
    listed = listed if isinstance(listed, list) else []
    # A name alone: what points out of the folder was written by somebody else.
    return [name for name in listed if isinstance(name, str) and Path(name).name == name and name not in names]


def _flags(parser, given) -> list[str]:
    """Every flag of a run with its value, so that another default of another day changes nothing."""
    flags = []
    for action in parser._actions:
        value = getattr(given, action.dest, None)
        if action.dest in ("help", "out", "animate") or value is None or value is False:
            continue
        if action.dest in getattr(given, "sha256", {}):
            value = str(Path(value).resolve())
        values = [] if value is True else value if isinstance(value, list) else [value]
        words = [str(item) for item in values]
        if not action.option_strings:
            flags = [*words, *flags]
        elif len(words) == 1:
            flags.append(f"{action.option_strings[0]}={words[0]}")  # a "=" keeps -7e-05 from being taken for a flag
        else:
            flags += [action.option_strings[0], *words]
    return flags


@contextlib.contextmanager
def waiting(words, long=False):
    """Tells, on a terminal, what the silence is for; yields a function that tells something else.

    In a pipe or a script what that function is told is a line on stderr after 10 s, and then at ever longer times; what
    will take long without a word is told at once.
    """
    if not sys.stderr.isatty():
        if long:
            print(f"kzoo: {words}", file=sys.stderr, flush=True)
        yield _sparse()
        return
    from rich.console import Console

    with Console(stderr=True).status(words) as status:
        yield status.update


def _sparse():
    """A function that prints what it is told, 10, 20, 40 s and so on after the start."""
    start, wait = time.perf_counter(), QUIET

    def tell(words):
        nonlocal wait
        since = time.perf_counter() - start
        if since >= wait:
            wait = 2 * since
            print(f"kzoo: {words}", file=sys.stderr, flush=True)

    return tell
