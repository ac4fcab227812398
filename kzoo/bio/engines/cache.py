"""Where compiled programs are kept between runs."""

import contextlib
import os
import time
from pathlib import Path

from kzoo.errors import KzooError
from kzoo.files import keras_home

# How often who waits for another looks, and says that it waits [s].
LOOK = 1.0


def path() -> Path:
    """$KZOO_CACHE_DIR/bio, else kzoo/bio beside Keras's own caches, whether it is there or not."""
    named = os.environ.get("KZOO_CACHE_DIR")
    # Absolute, as programs run in folders of their own.
    return (Path(named).expanduser() if named else keras_home() / "kzoo").absolute() / "bio"


def folder() -> Path:
    """`path()`, made if need be.

    Raises: KzooError if it cannot be made, or not be written to.
    """
    found, why = path(), None
    try:
        found.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror
    if why or not os.access(found, os.W_OK | os.X_OK):
        raise KzooError(
            f"{found}, the folder for compiled programs, cannot be {'made' if why else 'written to'}"
            f"{f' ({why})' * bool(why)}. Name one that can: export KZOO_CACHE_DIR=FOLDER."
        )
    return found


@contextlib.contextmanager
def lock(name, waits=lambda: None):
    """Lets one process at a time into the block. It ends with the process, however that ends.

    `waits` is called every second or so for as long as another process is in there.
    """
    try:
        import fcntl
    except ImportError:  # Windows: two processes may do the same work, and the later takes the place of the earlier
        yield
        return
    with open(name, "w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waits()
                time.sleep(LOOK)
        yield
