"""The command `kzoo bio lif | fi | network | repeat`: simulated neurons, their figures and their data in a folder.

Flags are in the units of the field: ms, mV, MΩ, nA, Hz. What is written is in SI units where it is no picture, and each
name says its unit.
"""

import argparse
import contextlib
import hashlib
import importlib
import re
import shlex
import warnings
from pathlib import Path

from kzoo.bio_command.output import folder_for
from kzoo.errors import KzooError, UnknownName, did_you_mean
from kzoo.files import read_json

COMMANDS = {
    "lif": "one leaky integrate-and-fire neuron under a current: its voltage, spikes and rate, with theory",
    "fi": "its rate over the current, with and without noise, beside the formulas",
    "network": "a network: cuba, coba, brunel, balanced or graded; raster, rate, spectrum, film",
    "repeat": "a run again, from the run.json that it wrote",
}
# Parameters of kzoo.bio whose flag has another name.
FLAGS = {"current": "amplitude", "values": "current", "weights": "matrix"}
# Flags of files of numbers, and the arrays of recording.npz that hold what came of them.
READ = {"current": "current_a, amperes in each step", "matrix": "weights"}


def main(argv: list[str]) -> int:
    """Runs one of `COMMANDS` and returns its exit code.

    Raises:
        KzooError: for a command or network that there is none of, or a parameter out of its bounds.
    """
    listing = "\n".join(f"  {name:<8}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="kzoo bio",
        usage="kzoo bio lif|fi|network|repeat [...]",
        description="Simulated spiking neurons: pictures, numbers and theory, written into a folder.",
        epilog=f"commands:\n{listing}\n\nFor one command's flags, type:  kzoo bio COMMAND --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    name = parser.parse_args(argv[:1]).command
    if name is None:
        parser.print_help()
        return 2
    if name not in COMMANDS:
        raise UnknownName(
            f"No command 'bio {name}'.{did_you_mean(name, COMMANDS)} There are: {', '.join(COMMANDS)}. "
            "For one neuron, type:  kzoo bio lif"
        )
    from kzoo.bio.engines import EngineWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EngineWarning)  # the note is printed with the engine
        try:
            return _run(name, argv[1:])
        except KzooError as error:
            raise type(error)(_in_flags(str(error))) from None
        except MemoryError:
            raise KzooError(
                "This run needs more memory than there is. Make it smaller: a shorter --duration, a longer --dt, a "
                "smaller --size or --count."
            ) from None
        except OverflowError as error:
            raise KzooError(
                f"A number grew beyond what a computer holds ({error}). Give values that a neuron may have."
            ) from None


def _run(name, argv) -> int:
    if name == "repeat":
        return _repeat(argv)
    return getattr(importlib.import_module(f"kzoo.bio_command.{name}"), name)(argv)


def _in_flags(message: str) -> str:
    """A message about a parameter in SI units as one about a flag."""
    found = re.match(r"([a-z]\w*): got ", message)
    if found is None:
        return message
    name = found[1]
    message = re.sub(r" (It is|Currents are|[a-z]\w* is) given in [a-z]+\b[^;]*$", "", message)
    return f"--{FLAGS.get(name, name).replace('_', '-')}{message[len(name) :]}"


def _repeat(argv) -> int:
    parser = argparse.ArgumentParser(prog="kzoo bio repeat", description="A run again, from the run.json it wrote.")
    parser.add_argument("run", help="a folder that kzoo bio wrote, or its run.json")
    parser.add_argument("--out", metavar="FOLDER", help="(default: the next free one)")
    given = parser.parse_args(argv)
    path = Path(given.run)
    path = path / "run.json" if path.is_dir() else path
    known = read_json(path, "Give a folder that kzoo bio wrote.", keys=("command", "flags"))
    name, flags = known["command"], known["flags"]
    if name not in COMMANDS or name == "repeat" or not isinstance(flags, list):
        raise KzooError(f"{path}: its command is {name!r:.40}, which kzoo bio cannot repeat.")
    flags = [str(flag) for flag in flags]
    again = shlex.join(["kzoo", "bio", name, *flags])
    _check_read(path.parent, known, flags, again)
    out = folder_for(given.out, flags[0] if name == "network" and flags else name, name)
    done = _run(name, [*flags, "--out", str(out)])
    print(_compared(known, read_json(out / "run.json", "Repeat it.")))
    if known.get("film"):
        print(f"The film {known['film']} is not made again. For one, type:  {again} --animate film.html")
    return done


def _compared(before, after) -> str:
    """Whether a run repeated has the results that it had, in words."""
    old, new = ({**(run.get("results") or {}), "seconds": None} for run in (before, after))
    others = [f"{key} is {value}, was {old.get(key)}" for key, value in new.items() if value != old.get(key)]
    if not others:
        return "Its results are those of the run, in every digit."
    ran = " and ".join(f"{run.get('engine')} of kzoo {run.get('kzoo')}" for run in (after, before))
    return f"Its results are not those of the run: {'; '.join(others[:3])}. They are of {ran}."


def _check_read(folder, known, flags, again) -> None:
    """Refuses to repeat a run whose file of numbers is gone or holds others.

    Raises:
        KzooError: with where the numbers still are, and what to type.
    """
    hashes = known.get("sha256")
    hashes = hashes if isinstance(hashes, dict) else {}  # runs of earlier versions have none
    for flag, kept in READ.items():
        file = next((Path(word.split("=", 1)[1]) for word in flags if word.startswith(f"--{flag}=")), None)
        if file is None or not file.is_absolute():  # the name of a waveform
            continue
        remedy = "Put the old one back"
        if (folder / "recording.npz").is_file():
            remedy += f"; what it gave is in {folder / 'recording.npz'} ({kept})"
        if not file.is_file():
            raise KzooError(f"--{flag}: {file}, which the run read, is gone. {remedy}.")
        with contextlib.suppress(OSError):  # what cannot be read is said by the run
            if flag in hashes and hashlib.sha256(file.read_bytes()).hexdigest() != hashes[flag]:
                raise KzooError(
                    f"--{flag}: {file} has changed since the run read it. {remedy}. To run what it holds now, type:  "
                    f"{again}"
                )
