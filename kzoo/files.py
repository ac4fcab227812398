"""Writing a file so that a kill at any moment leaves either the old one or the new one, never half of one."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path


def keras_home() -> Path:
    """The folder of Keras's settings and caches: $KERAS_HOME, else ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


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
