"""The flags of `kzoo bio`, and what they make: a neuron, numbers out of a file."""

import argparse
import dataclasses
import hashlib
import io
import re
from pathlib import Path

import numpy as np

from kzoo.errors import KzooError, did_you_mean

HELP = {
    "tau": "time constant of the membrane",
    "resistance": "of the membrane",
    "v_rest": "voltage at rest",
    "v_threshold": "a voltage above it is a spike",
    "v_reset": "voltage after a spike",
    "t_ref": "refractory period: how long the voltage is held after a spike",
}
MOST_VALUES = 10**8  # of voltages that are kept: 0.8 GB, and several arrays are as large
MOST_STEPS = 2 * 10**6  # of a single neuron, stepped in Python, drawn and written in full: some ten seconds


def new_parser(name, description):
    """A parser of `kzoo bio NAME`."""
    return argparse.ArgumentParser(
        prog=f"kzoo bio {name}", description=f"{description} Writes figures (PNG), numbers (NPZ, CSV) and run.json."
    )


def add_neuron(parser):
    """The parameters of a neuron, as flags."""
    from kzoo.bio.parameters import LIF, UNITS

    group = parser.add_argument_group("the neuron")
    for field in dataclasses.fields(LIF):
        unit, size = UNITS[field.name]
        default = field.default / size
        group.add_argument(
            *spellings(field.name),
            type=float,
            default=default,
            metavar=unit,
            help=f"{HELP[field.name]} (default: {default:g})",
        )


def add_run(parser, duration, said=None):
    """What every run has: duration, dt, seed and folder, in ms. The default duration is `said` in other words."""
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--duration",
        type=float,
        default=duration,
        metavar="ms",
        help=f"of the neuron's time (default: {said or format(duration, 'g')})",
    )
    group.add_argument("--dt", type=float, default=0.1, metavar="ms", help="a step (default: 0.1)")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="of all that is random (default: 0)")
    group.add_argument("--out", metavar="FOLDER", help="what to write into (default: the next free bio/NAME-N)")


def add_engine(parser):
    """The engine, as a flag."""
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="numpy; brian-numpy, brian-cython, brian-cpp (Brian2); auto (default): the quicker of numpy and brian-cpp",
    )


def spellings(name):
    """--v-rest, and --v_rest as Python spells it."""
    return tuple(dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")))


def neuron_of(given):
    """The neuron that the flags ask for."""
    from kzoo.bio.parameters import LIF, UNITS

    return LIF(**{name: getattr(given, name) * size for name, (_, size) in UNITS.items()})


def read_numbers(given, flag, what, ndmin=1):
    """The numbers in a flag's text or .npy file as float64: of a text (m,), one a line or all in one; rows if ndmin=2.

    The file's sha256 is noted in `given.sha256`, for run.json.
    """
    path = Path(getattr(given, flag))
    try:
        content = path.read_bytes()
        given.sha256 = getattr(given, "sha256", {}) | {flag: hashlib.sha256(content).hexdigest()}
        if path.suffix == ".npy":
            return np.asarray(np.load(io.BytesIO(content), allow_pickle=False)).astype(float)
        rows = _rows(content.decode("utf-8-sig"))
    except OSError as error:
        raise KzooError(f"--{flag}: {path} cannot be read: {error.strerror or error}.") from None
    except (TypeError, ValueError, EOFError) as error:
        raise KzooError(f"--{flag}: {path} holds no {what}: {error}.") from None
    first = rows[0][1] if rows else []
    if ndmin == 1 and len(rows) == 1:
        return np.array(first)
    for line, row in rows:
        if ndmin == 1 and len(row) > 1:
            raise KzooError(
                f"--{flag}: {path} has {len(row)} columns in line {line}; expected {what}. Keep the column of these "
                "numbers only; and where a comma stands for the decimal point, write a dot."
            )
        if len(row) != len(first):
            raise KzooError(
                f"--{flag}: {path} has rows of unequal length, {len(first)} and then, in line {line}, {len(row)}; "
                f"expected {what}."
            )
    found = np.array([row for _, row in rows])
    return found if ndmin == 2 else found.ravel()


def _rows(text):
    """[(line's number, its numbers)] of a text; commas, semicolons and white space part them, # begins a remark."""
    rows = []
    for line, words in enumerate(text.splitlines(), 1):
        words = words.split("#")[0].strip()
        # Beside a semicolon a comma is the decimal point, and is refused.
        found = [word for word in re.split(r"[;\s]+" if ";" in words else r"[,\s]+", words) if word]
        row = []
        for word in found:
            try:
                row.append(float(word))
            except ValueError:
                comma = re.fullmatch(r"[-+]?\d*,\d+", word)
                remedy = "write the decimal point as a dot" if comma else "leave out what is no number, as a header"
                raise ValueError(f"line {line} has {word!r:.40}; {remedy}") from None
        if row:
            rows.append((line, row))
    return rows


def choice(flag, value, allowed):
    """Refuses a value that is none of those allowed."""
    if value not in allowed:
        raise KzooError(f"--{flag}: got {value!r}; expected one of {', '.join(allowed)}.{did_you_mean(value, allowed)}")


def within(flag, value, least, most=None):
    """Refuses a number below the least or above the most allowed."""
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise KzooError(f"--{flag}: got {value}; expected {limits}.")


def within_current(flag, value, parameters, words=None):
    """Refuses a current in nA that the neuron does not accept; `words` say what was given, where it is not that."""
    most = parameters.most_current * 1e9
    if not abs(value) <= most:
        said = f"{'' if words is None else f'{words} '}{value:g} nA"
        far = f"{parameters.most_current * parameters.resistance:g} V"
        raise KzooError(
            f"--{flag}: got {said}; expected from {-most:g} to {most:g} nA, which in {parameters.resistance * 1e-6:g} "
            f"MΩ are {far}."
        )


def check_kept(duration, dt, neurons=1):
    """Refuses a run of which more voltages would be kept than fit into memory; times in seconds."""
    from kzoo.bio import checks

    steps = checks.num_steps(duration, dt)
    if steps * neurons > MOST_VALUES:
        much = f"{steps:,} steps for each of {neurons:,} voltages that are kept"
        too_long(duration, much, f"{MOST_VALUES:,} numbers together")


def too_long(duration, much, most):
    """Refuses a run of so much, where at most so much is taken; the duration in seconds."""
    raise KzooError(
        f"--duration: got {duration * 1e3:g} ms, {much}; expected at most {most}. Simulate a shorter time, or take "
        "longer steps (--dt)."
    )
