"""The command `kzoo bio lif | fi | network | repeat`: simulated neurons, their figures and their data in a folder.

Flags are in the units of the field: ms, mV, MΩ, nA, Hz. What is written is in SI units where it is no picture, and each
name says its unit.
"""

import argparse
import contextlib
import csv
import dataclasses
import inspect
import io
import re
import shlex
import sys
import warnings
from pathlib import Path

import numpy as np

from kzoo import __version__
from kzoo.errors import KzooError, UnknownName, did_you_mean
from kzoo.files import read_json, replacing, write_json, write_text

COMMANDS = {
    "lif": "one leaky integrate-and-fire neuron under a current: its voltage, spikes and rate, with theory",
    "fi": "its rate over the current, with and without noise, beside the formulas",
    "network": "a network: cuba, coba, brunel, balanced or graded; raster, rate, spectrum, film",
    "repeat": "a run again, from the run.json that it wrote",
}
HELP = {
    "tau": "time constant of the membrane",
    "resistance": "of the membrane",
    "v_rest": "voltage at rest",
    "v_threshold": "a voltage above it is a spike",
    "v_reset": "voltage after a spike",
    "t_ref": "refractory period: how long the voltage is held after a spike",
}
# What a waveform may be told beside its amplitude: flag -> (name in kzoo.bio.currents, unit, its size, help).
SHAPES = {
    "baseline": ("baseline", "nA", 1e-9, "current outside of the step, ramp or pulses, or that a sine goes about"),
    "start": ("start", "ms", 1e-3, "where a step, ramp or the first pulse begins"),
    "stop": ("stop", "ms", 1e-3, "where a step or ramp ends"),
    "frequency": ("frequency", "Hz", 1.0, "of a sine or of pulses"),
    "width": ("width", "ms", 1e-3, "of each pulse"),
    "current_sigma": ("sigma", "nA", 1e-9, "of ou: standard deviation; of noise: density, in nA √s"),
    "correlation": ("tau", "ms", 1e-3, "of ou: how long it remembers"),
}
ALIASES = {"ou": "ornstein_uhlenbeck"}
# Parameters of kzoo.bio whose flag has another name.
FLAGS = {"current": "amplitude", "currents": "from, --to", "values": "current"}


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
            return globals()[f"_{name}"](argv[1:])
        except KzooError as error:
            raise type(error)(_in_flags(str(error))) from None


def _in_flags(message: str) -> str:
    """A message about a parameter in SI units as one about a flag."""
    found = re.match(r"([a-z]\w*): got ", message)
    if found is None:
        return message
    name = found[1]
    message = re.sub(r" (It|[a-z]\w*) is given in [a-z]+\b[^;]*$", "", message)
    return f"--{FLAGS.get(name, name).replace('_', '-')}{message[len(name) :]}"


# lif


def _lif(argv) -> int:
    parser = _parser("lif", "One leaky integrate-and-fire neuron under a current.")
    _neuron_flags(parser)
    _current_flags(parser)
    _run_flags(parser, duration=500.0)
    _engine_flag(parser)
    given = parser.parse_args(argv)

    from kzoo import plots
    from kzoo.bio import analysis, neuron, theory

    parameters, dt, duration = _neuron(given), given.dt * 1e-3, given.duration * 1e-3
    current, words = _current(given, duration, dt)
    _choice("engine", given.engine, neuron.ENGINES)
    folder = _folder(given.out, "lif")
    with _waiting(f"Simulating with {given.engine}; what is compiled takes some seconds the first time ..."):
        recording = neuron.simulate(
            parameters, current, dt, engine=given.engine, sigma=given.sigma * 1e-3, seed=given.seed
        )
    times = recording.spike_times()
    gaps, _ = analysis.intervals(recording.raster)
    results = {
        "spikes": len(times),
        "rate_hz": len(times) / recording.duration,
        "mean_interval_s": float(gaps.mean()) if gaps.size else None,
        "cv": float(analysis.cv(recording.raster, least=2)[0]) if gaps.size > 1 else None,
        "rheobase_a": theory.rheobase(parameters),
    }
    _say_engine(recording)
    print(f"{words}, {given.duration:g} ms in steps of {given.dt:g} ms")
    print(f"{len(times)} spikes, {results['rate_hz']:.4g} Hz{_regularity(results)}")
    print(f"theory: rheobase {results['rheobase_a'] * 1e9:.4g} nA", end="")
    told = {}
    if given.current in ("constant", "step"):
        amplitude = given.amplitude * 1e-9
        told = {"rate_theory_hz": float(theory.rate(parameters, amplitude))}
        print(f"; {given.amplitude:g} nA give {told['rate_theory_hz']:.4g} Hz", end="")
        if given.sigma:
            told["rate_siegert_hz"] = float(theory.rate_under_noise(parameters, amplitude, given.sigma * 1e-3, dt))
            print(f" without noise, {told['rate_siegert_hz']:.4g} Hz with it (Siegert)", end="")
        else:
            told["rate_on_grid_hz"] = float(theory.rate_on_grid(parameters, amplitude, dt))
            print(f", in such steps {told['rate_on_grid_hz']:.4g} Hz", end="")
    elif given.current == "sine" and not len(times):
        told = _sine(given, parameters, recording)
        print(
            f"; a sine of {given.frequency:g} Hz moves the voltage by {told['amplitude_theory_v'] * 1e3:.4g} mV "
            f"(simulated {told['amplitude_v'] * 1e3:.4g})",
            end="",
        )
    print()
    figures = {
        "neuron.png": plots.membrane(
            recording.current,
            recording.voltage,
            recording.spikes,
            dt,
            title=f"LIF neuron: {words}",
            v_threshold=parameters.v_threshold,
            v_rest=parameters.v_rest,
            rheobase=theory.rheobase(parameters),
        )
    }
    if gaps.size > 20 and results["cv"] > 0.01:
        figures["intervals.png"] = plots.intervals(gaps, title=f"Intervals: {words}, CV {results['cv']:.2f}")
    arrays = {
        "time_s": recording.times,
        "current_a": recording.current[:, 0],
        "voltage_v": recording.voltage[:, 0],
        "spike_times_s": times,
    }
    _write(
        folder,
        "lif",
        parser,
        given,
        figures=figures,
        arrays={"recording.npz": arrays},
        tables={"spikes.csv": (("time_s",), times[:, None])},
        run=_about(recording, parameters) | {"results": results | told},
    )
    return 0


def _sine(given, parameters, recording) -> dict:
    """Amplitude of the voltage under a sine below threshold, measured in the last whole periods, and in theory."""
    from kzoo.bio import theory

    gain, _ = theory.sine_response(parameters, given.frequency)
    period = max(1, round(1 / given.frequency / recording.dt))
    late = recording.voltage[len(recording.voltage) // 2 :, 0]
    whole = late[len(late) % period :] if len(late) >= period else late
    turns = np.exp(-2j * np.pi * given.frequency * np.arange(len(whole)) * recording.dt)
    return {
        "amplitude_theory_v": float(gain) * given.amplitude * 1e-9,
        "amplitude_v": float(2 * abs(np.mean((whole - whole.mean()) * turns))),
    }


# fi


def _fi(argv) -> int:
    parser = _parser("fi", "The rate of a neuron over a constant current, beside the formulas.")
    _neuron_flags(parser)
    group = parser.add_argument_group("the currents")
    group.add_argument("--from", dest="low", type=float, default=0.0, metavar="nA", help="(default: 0)")
    group.add_argument("--to", dest="high", type=float, default=0.5, metavar="nA", help="(default: 0.5)")
    group.add_argument("--count", type=int, default=40, metavar="N", help="how many (default: 40)")
    group.add_argument(
        "--sigma",
        type=float,
        nargs="+",
        default=[0.0],
        metavar="mV",
        help="noise of the membrane, one curve for each level (default: 0)",
    )
    _run_flags(parser, duration=2000.0)
    given = parser.parse_args(argv)

    from kzoo import plots
    from kzoo.bio import neuron, theory

    if not given.low < given.high:
        raise KzooError(f"--from: got {given.low:g} nA; expected below --to, which is {given.high:g} nA.")
    _at_least("count", given.count, 2)
    parameters, dt, duration = _neuron(given), given.dt * 1e-3, given.duration * 1e-3
    currents = np.linspace(given.low, given.high, given.count) * 1e-9
    fine = np.linspace(given.low, given.high, 400) * 1e-9
    folder = _folder(given.out, "fi")
    measured, lines, columns = {}, {}, {"current_a": currents}
    levels = list(dict.fromkeys(given.sigma))
    with _waiting("Simulating ..."):
        for level in levels:
            name = f"noise of {level:g} mV" if level else "no noise"
            measured[name] = neuron.rates(parameters, currents, duration, dt, sigma=level * 1e-3, seed=given.seed)
            curve, column = (theory.rate_on_grid, "rate_on_grid_hz") if not level else (_siegert(level), "siegert_hz")
            lines[name] = fine, curve(parameters, fine, dt)
            columns[f"rate_hz, {name}"] = measured[name]
            columns[f"{column}, {name}"] = curve(parameters, currents, dt)
    columns["rate_continuous_hz"] = theory.rate(parameters, currents)
    if levels == [0.0]:
        lines["formula, continuous time"] = fine, theory.rate(parameters, fine)
    print(
        f"rates of {given.count} currents from {given.low:g} to {given.high:g} nA, {given.duration:g} ms each in steps "
        f"of {given.dt:g} ms, engine numpy"
    )
    print(f"rheobase {theory.rheobase(parameters) * 1e9:.4g} nA")
    results = {"rheobase_a": theory.rheobase(parameters)}
    for name, rates in measured.items():
        apart = float(np.abs(rates - _theory_at(columns, name)).max())
        results[f"largest_difference_hz, {name}"] = apart
        print(f"{name}: up to {rates.max():.4g} Hz, at most {apart:.3g} Hz from theory")
    title = f"LIF neuron: tau {given.tau:g} ms, refractory for {given.t_ref:g} ms"
    figure = plots.frequency_current(
        currents,
        measured,
        title=title,
        theory=lines,
        rheobase=theory.rheobase(parameters),
        limit=1 / parameters.t_ref if parameters.t_ref else None,
    )
    _write(
        folder,
        "fi",
        parser,
        given,
        figures={"fi.png": figure},
        tables={"fi.csv": (tuple(columns), np.stack(list(columns.values()), axis=1))},
        run={"engine": "numpy", "note": "", "neuron": dataclasses.asdict(parameters), "results": results},
    )
    return 0


def _siegert(level):
    from kzoo.bio import theory

    return lambda parameters, currents, dt: theory.rate_under_noise(parameters, currents, level * 1e-3, dt)


def _theory_at(columns, name):
    """The theory's rates at the simulated currents."""
    return next(
        values for key, values in columns.items() if key.endswith(f", {name}") and not key.startswith("rate_hz")
    )


# repeat


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
    out = ["--out", given.out] if given.out else []
    return globals()[f"_{name}"]([*map(str, flags), *out])


# What the commands share


def _parser(name, description):
    return argparse.ArgumentParser(
        prog=f"kzoo bio {name}", description=f"{description} Writes figures (PNG), numbers (NPZ, CSV) and run.json."
    )


def _neuron_flags(parser):
    from kzoo.bio.parameters import LIF, UNITS

    group = parser.add_argument_group("the neuron")
    for field in dataclasses.fields(LIF):
        unit, size = UNITS[field.name]
        default = field.default / size
        group.add_argument(
            *_spellings(field.name),
            type=float,
            default=default,
            metavar=unit,
            help=f"{HELP[field.name]} (default: {default:g})",
        )


def _current_flags(parser):
    group = parser.add_argument_group("the current")
    group.add_argument(
        "--current",
        default="step",
        metavar="NAME",
        help="constant, step, ramp, sine, pulses, noise, ou (noise with memory), or a FILE: numbers in nA, one a line "
        "(.txt, .csv) or as an array (.npy) (default: step)",
    )
    group.add_argument("--amplitude", type=float, default=0.3, metavar="nA", help="(default: 0.3)")
    for flag, (_, unit, _, text) in SHAPES.items():
        group.add_argument(*_spellings(flag), type=float, metavar=unit, help=text)
    group.add_argument(
        "--interval", type=float, metavar="ms", help="of a FILE: how long each number holds (default: they share all)"
    )
    group.add_argument(
        "--sigma",
        type=float,
        default=0.0,
        metavar="mV",
        help="white noise of the membrane; without a threshold the voltage has the deviation sigma / √2 (default: 0)",
    )


def _run_flags(parser, duration):
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--duration", type=float, default=duration, metavar="ms", help=f"of the neuron's time (default: {duration:g})"
    )
    group.add_argument("--dt", type=float, default=0.1, metavar="ms", help="a step (default: 0.1)")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="of all that is random (default: 0)")
    group.add_argument("--out", metavar="FOLDER", help="what to write into (default: the next free bio/NAME-N)")


def _engine_flag(parser):
    parser.add_argument(
        "--engine",
        default="auto",
        metavar="NAME",
        help="numpy; brian-numpy, brian-cython, brian-cpp (Brian2); auto (default) takes the quickest that is here",
    )


def _spellings(name):
    """--v-rest, and --v_rest as Python spells it."""
    return tuple(dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")))


def _neuron(given):
    from kzoo.bio.parameters import LIF, UNITS

    return LIF(**{name: getattr(given, name) * size for name, (_, size) in UNITS.items()})


def _current(given, duration, dt):
    """The current (t,) in amperes that the flags ask for, and what it is in words."""
    from kzoo.bio import currents

    name = ALIASES.get(given.current, given.current)
    told = {flag: getattr(given, flag) for flag in SHAPES if getattr(given, flag) is not None}
    make = currents.CURRENTS.get(name)
    if make is None:
        for flag in told:
            raise KzooError(f"--{flag.replace('_', '-')} goes with a waveform, not with a file of numbers.")
        values = _numbers(given.current, currents.CURRENTS)
        interval = None if given.interval is None else given.interval * 1e-3
        made = currents.from_array(values * 1e-9, duration, dt, interval=interval)
        return made, f"{Path(given.current).name}, {values.min():g} to {values.max():g} nA"
    takes = inspect.signature(make).parameters
    for flag in told:
        if SHAPES[flag][0] not in takes:
            able = [
                other
                for other, made in currents.CURRENTS.items()
                if SHAPES[flag][0] in inspect.signature(made).parameters
            ]
            raise KzooError(f"--{flag.replace('_', '-')} goes with {', '.join(able)}; the current is {given.current}.")
    if given.interval is not None:
        raise KzooError("--interval goes with a file of numbers; the current is a waveform.")
    options = {SHAPES[flag][0]: value * SHAPES[flag][2] for flag, value in told.items()}
    if "seed" in takes:
        options["seed"] = given.seed
    if name == "sine" and given.frequency is None:
        given.frequency = takes["frequency"].default
    try:
        made = make(duration, dt, given.amplitude * 1e-9, **options)
    except KzooError as error:
        # Its sigma and tau are not those of the neuron.
        text = str(error)
        for flag, (key, *_) in SHAPES.items():
            if text.startswith(f"{key}: got "):
                text = f"{flag}{text[len(key) :]}"
        raise KzooError(text) from None
    words = {"constant": "a constant current", "ornstein_uhlenbeck": "noise with memory about"}.get(name, f"{name} of")
    return made, f"{words} {'of ' if name == 'constant' else ''}{given.amplitude:g} nA"


def _numbers(path, known):
    """The numbers in a file, (m,)."""
    path = Path(path)
    if not path.is_file():
        names = [*(name for name in known if name not in ALIASES.values()), *ALIASES]
        raise KzooError(
            f"--current: got {str(path)!r}; expected one of {', '.join(names)}, or a file of numbers in nA."
            f"{did_you_mean(str(path), names)}"
        )
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is refused below
                values = np.loadtxt(io.StringIO(path.read_text(encoding="utf-8").replace(",", "\n")), ndmin=1)
    except (ValueError, UnicodeDecodeError, EOFError) as error:
        raise KzooError(f"--current: {path} holds no numbers in nA, one a line: {error}.") from None
    values = np.asarray(values)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf":
        raise KzooError(
            f"--current: {path} holds an array of shape {values.shape} and type {values.dtype}; expected numbers in a "
            "row, (m,), in nA."
        )
    return values.astype(float)


def _choice(flag, value, allowed):
    if value not in allowed:
        raise KzooError(f"--{flag}: got {value!r}; expected one of {', '.join(allowed)}.{did_you_mean(value, allowed)}")


def _at_least(flag, value, least):
    if value < least:
        raise KzooError(f"--{flag}: got {value}; expected at least {least}.")


def _folder(out, name) -> Path:
    """The folder to write into: one that is free, or holds a run of this kind that is replaced."""
    if out is None:
        number = 1
        while (Path("bio") / f"{name}-{number}").exists():
            number += 1
        return Path("bio") / f"{name}-{number}"
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise KzooError(f"--out: {folder} is a file; expected a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "run.json").is_file():
        raise KzooError(f"--out: {folder} holds other files; expected a new folder, or one that kzoo bio wrote.")
    return folder


def _say_engine(record):
    print(f"engine {record.engine}")
    if record.note:
        print(f"kzoo: {record.note}", file=sys.stderr)


def _about(record, parameters):
    neuron = {} if parameters is None else {"neuron": dataclasses.asdict(parameters)}
    return {"engine": record.engine, "note": record.note, **neuron}


def _regularity(results):
    parts = []
    if results["mean_interval_s"] is not None:
        parts.append(f"mean interval {results['mean_interval_s'] * 1e3:.4g} ms")
    if results["cv"] is not None:
        parts.append(f"CV {results['cv']:.3f}")
    return "".join(f"; {part}" for part in parts)


def _write(folder, command, parser, given, *, figures, run, arrays=None, tables=None, others=()):
    """Writes figures, numbers and run.json, the last of all, and says so."""
    from kzoo import plots

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        plots.save_png(figure, folder / name)
    for name, values in (arrays or {}).items():
        with replacing(folder / name) as temporary:
            np.savez_compressed(temporary, **values)
    for name, (head, rows) in (tables or {}).items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([[f"{value:.10g}" for value in row] for row in rows])
        write_text(folder / name, text.getvalue())
    flags = _flags(parser, given)
    about = {"command": command, "flags": flags, "type": shlex.join(["kzoo", "bio", command, *flags])}
    write_json(folder / "run.json", about | {"kzoo": __version__} | run)
    names = [*figures, *(arrays or {}), *(tables or {}), *others, "run.json"]
    print(f"Wrote {folder}: {', '.join(names)}.")
    print(f"Again:  kzoo bio repeat {shlex.quote(str(folder))}")


def _flags(parser, given) -> list[str]:
    """Every flag of a run with its value, so that another default of another day changes nothing."""
    flags = []
    for action in parser._actions:
        value = getattr(given, action.dest, None)
        if action.dest in ("help", "out", "animate") or value is None or value is False:
            continue
        if action.dest == "current" and Path(value).is_file():
            value = str(Path(value).resolve())
        values = [] if value is True else value if isinstance(value, list) else [value]
        words = [str(item) for item in values]
        if not action.option_strings:
            flags = [*words, *flags]
        elif len(words) == 1:
            flags.append(f"{action.option_strings[0]}={words[0]}")  # a "=" keeps -7e-05 from being taken for a flag
        else:
            flags += [action.option_strings[0], *words]
    return flags


def _waiting(words):
    """Tells, on a terminal, what the silence is for."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(words)
