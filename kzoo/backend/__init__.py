"""The one seam between kzoo and the backends of Keras.

`kzoo/backend/jax/`, `torch/` and `tensorflow/` define the same functions in files of the same names; this package
hands out those of the backend that Keras runs on, with the docstrings of `seam.py`, which stand once for all three.
Importing it is cheap and imports no Keras: a file of the chosen backend loads at the first use of one of its functions.
"""

import importlib
import importlib.util
import json
import os
import sys

from kzoo.backend import seam
from kzoo.errors import BackendUnavailable, install_command
from kzoo.files import keras_home

# In the order of preference when nothing else decides.
NAMES = ("jax", "torch", "tensorflow")
# The seam: each function, and the file of each backend that defines it.
FUNCTIONS = {
    "value_and_grad": "gradients",
    "input_grad": "gradients",
    "run_step": "calls",
    "compiled": "calls",
    "conv2d": "images",
    "conv2d_transpose": "images",
    "max_pool2d": "images",
    "random_bits": "random",
    "scan": "loops",
    "selective_scan": "selective",
    "projection": "recurrent",
    "recurrence": "recurrent",
    "integrate_and_fire": "spikes",
    "devices": "machine",
    "thread_count": "machine",
}

__all__ = ["NAMES", "choose", "installed", "name", *FUNCTIONS]


def installed() -> list[str]:
    """The backends that are installed here, found without importing them."""
    return [candidate for candidate in NAMES if _is_installed(candidate)]


def _is_installed(candidate: str) -> bool:
    spec = importlib.util.find_spec(candidate)
    # Python takes any folder of that name, such as ./jax with somebody's notes, for a package without a file.
    return spec is not None and spec.origin is not None


def choose() -> str | None:
    """The backend that Keras is to run on, or None where none is installed.

    The first of: Keras where it is already imported; the variable `KERAS_BACKEND`; a user's own `keras.json`
    that names another backend than Keras's default and is installed; the first installed of `NAMES`.

    Keras writes `keras.json` with its default "tensorflow" on first import, so that value is no proof of intent.
    """
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "config"):
        return sys.modules["keras"].config.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    here = installed()
    try:
        wanted = json.loads((keras_home() / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        wanted = None
    if wanted != "tensorflow" and wanted in here:
        return wanted
    return here[0] if here else None


def prepare() -> None:
    """Tells Keras, before it is imported, which backend to run on; without it Keras takes tensorflow."""
    chosen = choose()
    if chosen:
        os.environ["KERAS_BACKEND"] = chosen
    # TensorFlow greets every process with lines on oneDNN and missing GPUs; warnings and errors still show.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def name() -> str:
    """The name of the backend in use.

    Raises:
        BackendUnavailable: if no backend is installed, or the chosen one is not, or kzoo does not know it.
    """
    chosen = choose()
    if chosen is None:
        raise BackendUnavailable(
            f"No backend of Keras is installed; kzoo needs one of {', '.join(NAMES)}.\n"
            f"To install one, type:  {install_command(NAMES[0])}"
        )
    if chosen not in NAMES:
        raise BackendUnavailable(
            f"Keras is set to the backend {chosen!r}; kzoo runs on {', '.join(NAMES)}.\n"
            f"Choose one, for example:  export KERAS_BACKEND={(installed() or NAMES)[0]}"
        )
    others = installed()
    if chosen not in others:
        remedy = f"\nor use what is here:  export KERAS_BACKEND={others[0]}" if others else ""
        raise BackendUnavailable(
            f"The backend {chosen!r} was chosen and is not installed.\n"
            f"To install it, type:  {install_command(chosen)}{remedy}"
        )
    return chosen


def __getattr__(attribute: str):
    if attribute not in FUNCTIONS:
        raise AttributeError(f"module 'kzoo.backend' has no attribute {attribute!r}")
    value = getattr(importlib.import_module(f"kzoo.backend.{name()}.{FUNCTIONS[attribute]}"), attribute)
    value.__doc__ = getattr(seam, attribute).__doc__
    globals()[attribute] = value
    return value
