"""The errors that kzoo raises for a mistake its user can mend.

Each message says what happened, what was expected, and what to type next. The command line prints the
message alone, without a traceback, and leaves with exit code 2.
"""

import difflib


class KzooError(Exception):
    """The base of every error that a user can mend."""


class DatasetUnavailable(KzooError):
    """A data set is neither on this machine nor to be downloaded, or its file fails its checksum."""


class BackendUnavailable(KzooError):
    """No backend of Keras is installed, or the one that was asked for is not."""


class RecipeError(KzooError):
    """A recipe holds a wrong key, a wrong type or a value out of range."""


class UnknownName(KzooError, KeyError):
    """A model, recipe, preset or data set of that name does not exist."""

    # KeyError would print the repr of the message, quotes and escapes included.
    __str__ = Exception.__str__


def did_you_mean(name: str, known) -> str:
    """A sentence " Did you mean 'x'?" where a known name is near, else nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
