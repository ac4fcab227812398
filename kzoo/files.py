"""Writing a file so that a kill at any moment leaves either the old one or the new one, never half of one.

Reading JSON, and finding runs, for whoever has a path and no more.
"""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from kzoo.errors import KzooError


def keras_home() -> Path:
    """The folder of Keras's settings and caches: $KERAS_HOME, else ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def runs_in(folder) -> list[Path]:
    """The run folders that lie in a folder, such as ./runs, in the order of their names."""
    found = {file.parent for file in Path(folder).glob("*/recipe.json")}
    return sorted(run for run in found if not (run / "config.json").is_file())  # a preset keeps its recipe too


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path beside `path`, with its endings, and renames it to `path` when the block ends well.

    Args:
        path: The file to write. Its endings are kept, since Keras and matplotlib read the format from them.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix="".join(path.suffixes), dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # Without this, a power failure could keep the new name and lose the bytes behind it.
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes files for the owner alone; a run folder is for reading by others too.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path):
    """Yields a new temporary folder beside `path`, and lets it take the place of `path` when the block ends well.

    What stood in `path` stays whole until then, and is gone afterwards. No file system swaps two folders at once: a
    kill, or a power failure, between the two renames leaves the old one beside it under a name that begins .writing-
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    before = temporary.with_name(f"{temporary.name}.before")
    try:
        yield temporary
        os.chmod(temporary, 0o755)  # mkdtemp makes folders for the owner alone
        if path.is_dir() and not any(path.iterdir()):
            # Somebody's working directory, perhaps: filled rather than replaced.
            for found in temporary.iterdir():
                os.replace(found, path / found.name)
            return
        try:
            if path.exists():
                os.replace(path, before)
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C between the two, above all
            if before.exists() and not path.exists():
                os.replace(before, path)
            raise
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_json(path, remedy: str, keys=()) -> dict:
    """The object in a JSON file.

    Args:
        path: The file.
        remedy: A sentence that says what to type where the file is no such object.
        keys: What it must hold.

    Raises:
        KzooError: if the file is missing or damaged, or lacks a key; the message ends with the remedy.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KzooError(f"{path} cannot be read: {error.strerror}. {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise KzooError(f"{path} is damaged, no valid JSON: {error}. {remedy}") from None
    if not isinstance(value, dict):
        raise KzooError(f"{path} is damaged: it holds no JSON object. {remedy}")
    lacking = [key for key in keys if key not in value]
    if lacking:
        raise KzooError(f"{path} is damaged: it lacks {', '.join(lacking)}. {remedy}")
    return value


def write_text(path, text: str) -> None:
    """Writes text, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value) -> None:
    """Writes indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def copy(source, path) -> None:
    """Copies a file, whole or not at all."""
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
