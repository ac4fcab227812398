"""The errors that kzoo raises for a mistake its user can mend.

Each message says what happened, what was expected, and what to type next. The command line prints the
message alone, without a traceback, and leaves with exit code 2.
"""

import difflib
import re
from pathlib import Path

_DOUBLED = re.compile(r"(.)\1+")


class KzooError(Exception):
    """The base of every error that a user can mend."""


class DatasetUnavailable(KzooError):
    """A data set is neither on this machine nor to be downloaded, or its file fails its checksum."""


class BackendUnavailable(KzooError):
    """No backend of Keras is installed, or the one that was asked for is not."""


class RecipeError(KzooError):
    """A recipe holds a wrong key, a wrong type or a value out of range."""


class ParameterError(KzooError, ValueError):
    """A parameter of a simulation is out of its bounds; the message names it, its unit and the bounds."""


class UnknownName(KzooError, KeyError):
    """A model, recipe, preset or data set of that name does not exist."""

    # KeyError would print the repr of the message, quotes and escapes included.
    __str__ = Exception.__str__


def install_command(extra: str) -> str:
    """What to type to install kzoo with an extra, such as a backend: in a clone, from the clone."""
    clone = Path(__file__).resolve().parents[1]
    if not (clone / "pyproject.toml").is_file():
        return f'pip install "kzoo[{extra}]"'
    return f'pip install -e "{"." if Path.cwd() == clone else clone}[{extra}]"'


def did_you_mean(name: str, known) -> str:
    """A sentence " Did you mean 'x'?" where a known name is near, else nothing."""
    nearness = {candidate: _nearness(str(name).lower(), candidate.lower()) for candidate in sorted(known)}
    near = max(nearness, key=nearness.get, default=None)
    return f" Did you mean {near!r}?" if near is not None and nearness[near] >= 0.5 else ""


def _nearness(name: str, other: str) -> float:
    """0 for nothing in common, 1 for equal names. One slip on a doubled letter counts once: cmm is near cnn."""
    pairs = ((name, other), (_DOUBLED.sub(r"\1", name), _DOUBLED.sub(r"\1", other)))
    return max(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)
