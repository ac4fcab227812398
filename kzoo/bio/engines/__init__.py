"""The engines that integrate a neuron or a network, and which of them are here.

    numpy           exact, in plain NumPy: always here, and the quickest for single neurons
    brian-numpy     Brian2's runtime with code for NumPy, in a process of its own
    brian-cython    the same, compiled by Cython
    brian-cpp       Brian2's C++ standalone: a program that is built once and then runs with any numbers

All integrate the same equations in the same steps, and give the same spikes.
"""

import importlib.metadata
import importlib.util
import threading
import warnings

from kzoo.bio import checks
from kzoo.bio.engines import building, cache, estimate, plan, programs
from kzoo.errors import KzooError, install_command

ENGINES = ("numpy", "brian-numpy", "brian-cython", "brian-cpp")
_SAID: set[str] = set()
_SAYING = threading.Lock()


class EngineWarning(UserWarning):
    """Another engine ran than the one that was asked for."""


def available(structure=plan.SINGLE) -> dict[str, str]:
    """Why each engine cannot run here; "" for one that can.

    Arguments:
        structure: `Plan.structure` of what is to run: a program that has been built needs neither Brian2 nor a
            compiler. By default that of single neurons.
    """
    brian = _brian_lacks()
    cython = "" if importlib.util.find_spec("Cython") else "Cython is not installed: pip install cython"
    compiler = "" if building.compiler() else "there is no C++ compiler: install one, such as with `apt install g++`"
    return {
        "numpy": "",
        "brian-numpy": brian,
        "brian-cython": brian or cython or compiler or _no_folder(),
        "brian-cpp": "" if programs.is_built(structure) else brian or compiler or _no_folder(),
    }


def pick(engine="auto", given=None) -> tuple[str, str]:
    """The engine that will run, and why that one; "" where it was asked for by name.

    "auto" is "brian-cpp" where "numpy" would take longer, by `estimate.seconds`, than what makes a program worth its
    start, or its build if that has not been done (`estimate.worth`). Where an engine cannot run, "numpy" takes its
    place; that is said once by an `EngineWarning`, and in every note.

    Arguments:
        engine: "auto", or one of `ENGINES`.
        given: `Plan` of what is to run; None for single neurons, which with a graded network are "numpy" by "auto".

    Raises: ParameterError for a name that is no engine's.
    """
    checks.choice("engine", engine, ("auto", *ENGINES))
    structure, note = plan.SINGLE if given is None else given.structure, ""
    if engine == "auto":
        engine, note = "numpy", ""
        if given is not None and not given.graded:
            engine, note = _quicker(given, structure)
    lacks = "" if engine == "numpy" else available(structure)[engine]
    if not lacks:
        return engine, note
    return "numpy", numpy_instead(engine, lacks, stacklevel=4)


def _quicker(given, structure) -> tuple[str, str]:
    """ "numpy" or "brian-cpp", and why."""
    rate, built = estimate.rate(given), programs.is_built(structure)
    seconds = estimate.seconds(given, rate)
    # Two digits, and 340 where they alone would be 3.4e+02.
    took = "{:g} s if neurons fire at {:g} Hz".format(*(float(f"{number:.2g}") for number in (seconds, rate)))
    if seconds > estimate.worth(given, built):
        return "brian-cpp", f"auto took brian-cpp: by estimate, numpy would take {took}"
    first = "" if built else f"; brian-cpp would first build a program, once, in some {estimate.BUILD:g} s"
    return "numpy", f"auto took numpy: by estimate, it takes {took}{first}"


def numpy_instead(wanted, why, stacklevel=3) -> str:
    """The note that "numpy" took the place of another engine; new ones are said by an `EngineWarning`."""
    note = f"{wanted} cannot run here, so numpy ran: {why}"
    with _SAYING:
        new = note not in _SAID
        _SAID.add(note)
    if new:
        warnings.warn(note, EngineWarning, stacklevel=stacklevel)
    return note


def _brian_lacks() -> str:
    """Why Brian2 cannot be imported, else ""; without importing it."""
    version = building.brian_version()
    if version is None:
        return f"Brian2 is not installed: {install_command('bio')}"
    numpy = importlib.metadata.version("numpy")
    if _number(version) < (2, 10) and _number(numpy) >= (2, 4):
        return f"Brian2 {version} does not work with NumPy {numpy}: pip install 'numpy<2.4'"
    return ""


def _no_folder() -> str:
    """Why nothing that is compiled can be kept, else ""."""
    try:
        cache.folder()
    except KzooError as error:
        return str(error)
    return ""


def _number(version) -> tuple[int, int]:
    """The first two numbers of a version."""
    first, second = version.split(".")[:2]
    return int(first), int("".join(filter(str.isdigit, second)) or 0)
