"""Where compiled programs are kept between runs."""

import contextlib
import os
from pathlib import Path

from kzoo.errors import KzooError
from kzoo.files import keras_home


def folder() -> Path:
    """$KZOO_CACHE_DIR, else the folder kzoo beside Keras's own caches; made if need be.

    Raises: KzooError if it cannot be made.
    """
    named = os.environ.get("KZOO_CACHE_DIR")
    path = (Path(named).expanduser() if named else keras_home() / "kzoo") / "bio"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KzooError(
            f"{path}, the folder for compiled programs, cannot be made ({error.strerror}). "
            "Name one that can be written: export KZOO_CACHE_DIR=FOLDER."
        ) from None
    return path


@contextlib.contextmanager
def lock(path):
    """Lets one process at a time into the block. It ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes may do the same work, and the later takes the place of the earlier
        yield
        return
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
