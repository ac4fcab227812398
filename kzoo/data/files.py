"""Finds the file of a data set on this machine, or downloads it, and refuses it if its checksum is wrong.

Searched in this order: `$KZOO_DATA_DIR`, Keras's cache (`$KERAS_HOME/datasets`, by default
`~/.keras/datasets`), then the network. A download goes to Keras's cache under Keras's own name for it, so
that both programs share one copy. Nothing that is found is ever overwritten or deleted.
"""

import hashlib
import os
import shlex
from pathlib import Path
from typing import NamedTuple

from kzoo.errors import DatasetUnavailable
from kzoo.files import keras_home

# Seconds of silence, on connecting or amid the file, after which the network counts as absent.
TIMEOUT = 10


class RemoteFile(NamedTuple):
    """A file that can be downloaded.

    Attributes:
        path: relative to a folder of data sets.
        instead: the data set of the same kind that needs no network.
    """

    path: str
    url: str
    sha256: str
    instead: str = "digits"


def obtain(file):
    """The path of `file` on this machine, after its sha256 was found right; it is downloaded if need be.

    Raises: DatasetUnavailable if it cannot be had, or if the copy on this machine has another checksum.
    """
    path = find(file)
    if path is None:
        return download(file)  # pooch has compared the checksum
    found = sha256_of(path)
    if found != file.sha256:
        raise refusal(path, file, f"its sha256 is {found}, expected {file.sha256}")
    return path


def find(file):
    """The path of `file` in the first folder that has it, unchecked, or None."""
    # os.path.exists, not Path.exists: a folder that may not be entered is passed over, not an error.
    return next((folder / file.path for folder in _folders() if os.path.exists(folder / file.path)), None)


def download(file):
    """Downloads `file` into Keras's cache and returns its path. Only for a file that `find` did not find.

    Raises: DatasetUnavailable on any failure, and when KZOO_OFFLINE is set.
    """
    if os.environ.get("KZOO_OFFLINE", "0") not in ("", "0"):
        raise _unavailable(file, "KZOO_OFFLINE is set, so no download is tried")
    import pooch

    target = _cache() / file.path
    # "identity": an archive must arrive as it is stored, and its checksum is that of the stored bytes.
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT, chunk_size=2**16, headers={"Accept-Encoding": "identity"})
    try:
        # pooch writes to a temporary name beside the target, compares the checksum, and only then renames.
        pooch.retrieve(file.url, f"sha256:{file.sha256}", target.name, target.parent, downloader=downloader)
    except Exception as error:  # requests, urllib3, sockets and disks fail in too many types to name
        if (response := getattr(error, "response", None)) is not None:
            response.close()  # pooch leaves the connection of a refused request open
        raise _unavailable(file, f"{type(error).__name__}: {error}") from error
    return target


def sha256_of(path):
    """The sha256 of a file, as hexadecimal digits. Raises DatasetUnavailable if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DatasetUnavailable(
            f"Cannot read {path} ({error}). Make it readable, or move it away and run this again."
        ) from error


def refusal(path, file, reason):
    """The error for a file on this machine that is not what it should be."""
    return DatasetUnavailable(
        f"{path} is refused: {reason}. It is truncated, altered or another file. "
        f"Delete it with `rm {shlex.quote(str(path))}` and run this again to download it, or replace it with "
        f"{file.url} (sha256 {file.sha256})."
    )


def _unavailable(file, reason):
    return DatasetUnavailable(
        f"{file.path} is not on this machine and cannot be downloaded ({reason}).\n"
        f"  URL:      {file.url}\n"
        f"  checksum: sha256 {file.sha256}\n"
        f"Put the file by hand at {_cache() / file.path}, or at {file.path} in a folder that the environment "
        f"variable KZOO_DATA_DIR names. Or use the data set that needs no network: --data {file.instead}."
    )


def _folders():
    named = os.environ.get("KZOO_DATA_DIR")
    return ([Path(named).expanduser()] if named else []) + [_cache()]


def _cache():
    # Keras's own rule, read anew on each call; importing Keras for it would load a backend.
    return keras_home() / "datasets"
