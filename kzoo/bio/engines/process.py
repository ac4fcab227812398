"""Starting a process that leaves nothing behind: no orphan after Ctrl-C, no child of a child after a timeout."""

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from kzoo.errors import KzooError

# The folder that holds the package: a child must find kzoo as its parent did.
_ROOT = Path(__file__).resolve().parents[3]

# How a program says how far it is, and after how many seconds one looks [s].
_AT, _PATIENCE = "kzoo: at ", 0.5


class Failed(KzooError):
    """A process of an engine ended with an error, or took longer than it was given."""


def call(command, given: bytes, what: str, timeout=None, environment=None, folder=None, progress=None) -> bytes:
    """What a command writes to stdout when it reads `given` from stdin.

    It runs in a session of its own, so that Ctrl-C reaches this process alone, which then ends all of that session.

    Arguments:
        command: list of str.
        given: what it reads.
        what: its name in messages, such as "Brian2".
        timeout: [s], or None.
        environment: variables beside those of this process.
        folder: where it runs.
        progress: a function of a sentence, called with what follows "kzoo: at " in the latest such line of its stderr.

    Raises: Failed with the last lines of its stderr.
    """
    try:
        # A file, not a pipe: `communicate` sends nothing more once it has been interrupted by its timeout.
        with tempfile.TemporaryFile() as file:
            file.write(given)
            file.seek(0)
            process = start(command, environment, folder, stdin=file)
    except OSError as error:
        raise Failed(f"{command[0]} cannot be started: {error.strerror}.") from None
    stop = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            wait = _PATIENCE if stop is None else min(_PATIENCE, max(0.0, stop - time.monotonic()))
            try:
                answer, errors = process.communicate(timeout=wait)
                break
            except subprocess.TimeoutExpired as expired:
                if stop is not None and time.monotonic() >= stop:
                    raise Failed(
                        f"{what} took longer than the {timeout:g} s that it was given, and was ended. Simulate a "
                        "shorter time or a smaller network, or pass a longer timeout."
                    ) from None
                said = [line for line in _lines(expired.stderr or b"") if line.startswith(_AT)]
                if progress and said:
                    progress(f"{what} is at {said[-1].removeprefix(_AT)}")
    finally:
        end(process)
    if process.returncode:
        raise Failed(f"{what} ended with code {process.returncode}:\n{last_lines(errors)}")
    return answer


def start(command, environment=None, folder=None, **streams) -> subprocess.Popen:
    """A process in a session of its own; whoever starts it calls `end`.

    It is told who that is by $KZOO_PARENT, so that it can see whether that one was gone before it looked.
    """
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "KZOO_PARENT": str(os.getpid()), **(environment or {})},
        cwd=folder,
        start_new_session=True,
        **{"stdin": subprocess.DEVNULL, **streams},
    )


def end(process) -> None:
    """Ends a process of `start` with all that it has started, and waits until it is gone."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def brian(arguments, given: bytes, timeout=None, environment=None) -> bytes:
    """The answer of brian_worker."""
    environment = dict(environment or {})
    if str(_ROOT) not in sysconfig.get_paths().values():  # an installed kzoo is found without
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    # -P: a file of the current folder must not pass for a module. Brian2 logs to the temporary folder.
    with tempfile.TemporaryDirectory(prefix="kzoo-") as folder:
        environment |= {"TMPDIR": folder, "TEMP": folder}
        command = [sys.executable, "-P", "-m", "kzoo.bio.engines.brian_worker", *arguments]
        return call(command, given, "Brian2", timeout, environment)


def last_lines(text: bytes, count=12) -> str:
    """The end of what a process said."""
    lines = [line for line in _lines(text.strip()) if not line.startswith(_AT)]
    return "\n".join(lines[-count:]) or "(it said nothing)"


def _lines(text: bytes) -> list[str]:
    return text.decode(errors="replace").splitlines()
