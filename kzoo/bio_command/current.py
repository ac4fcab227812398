"""The current into one neuron, out of the flags of `kzoo bio lif`: a waveform, or numbers in a file."""

import inspect
import sys
from pathlib import Path

import numpy as np

from kzoo.bio_command.flags import read_numbers, spellings, within_current
from kzoo.errors import KzooError, did_you_mean

# What a waveform may be told beside its amplitude: flag -> (name in kzoo.bio.currents, unit, its size, help).
SHAPES = {
    "baseline": ("baseline", "nA", 1e-9, "current outside of the step, ramp or pulses, or that a sine goes about"),
    "start": ("start", "ms", 1e-3, "where a step, ramp or the first pulse begins"),
    "stop": ("stop", "ms", 1e-3, "where a step or ramp ends"),
    "frequency": ("frequency", "Hz", 1.0, "of a sine or of pulses"),
    "width": ("width", "ms", 1e-3, "of each pulse"),
    "current_sigma": (
        "sigma",
        "nA",
        1e-9,
        "of ou: standard deviation; of noise: density in nA √s, where 0.005 is weak and 0.05 strong",
    ),
    "correlation": ("tau", "ms", 1e-3, "of ou: how long it remembers"),
}
ALIASES = {"ou": "ornstein_uhlenbeck"}
AMPLITUDE = 0.3  # nA
# Where a step and a ramp begin and end unless told otherwise: shares of the duration, and the same in words.
WINDOWS = {"step": {"start": 1 / 5, "stop": 4 / 5}, "ramp": {"start": 0.0, "stop": 1.0}}
WINDOWS_IN_WORDS = {
    "start": "of a step a fifth of --duration, else 0",
    "stop": "of a step four fifths of --duration, of a ramp its end",
}
# A waveform in words, its flags filled in.
WORDS = {
    "constant": "a constant current of {amplitude:g} nA",
    "step": "step of {amplitude:g} nA from {start:g} to {stop:g} ms",
    "ramp": "ramp to {amplitude:g} nA from {start:g} to {stop:g} ms",
    "sine": "sine of {amplitude:g} nA, {frequency:g} Hz",
    "pulses": "pulses of {amplitude:g} nA, {width:g} ms wide, {frequency:g} Hz",
    "noise": "noise of {current_sigma:g} nA √s about {amplitude:g} nA",
    "ornstein_uhlenbeck": "noise of {current_sigma:g} nA about {amplitude:g} nA, with a memory of {correlation:g} ms",
}


def add_current(parser):
    """The current into a neuron, as flags."""
    group = parser.add_argument_group("the current")
    group.add_argument(
        "--current",
        default="step",
        metavar="NAME",
        help="constant, step, ramp, sine, pulses, noise, ou (noise with memory), or a FILE: numbers in nA, one a line "
        "(.txt, .csv) or as an array (.npy) (default: step)",
    )
    group.add_argument(
        "--amplitude",
        type=float,
        metavar="nA",
        help=f"of a waveform; of noise and ou the mean (default: {AMPLITUDE:g})",
    )
    for flag, (_, unit, _, text) in SHAPES.items():
        group.add_argument(*spellings(flag), type=float, metavar=unit, help=f"{text} (default: {_default(flag)})")
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


def _default(flag) -> str:
    """The default of a flag of the waveforms, in words, for the help."""
    from kzoo.bio import currents

    if flag in WINDOWS_IN_WORDS:
        return WINDOWS_IN_WORDS[flag]
    key, _, size, _ = SHAPES[flag]
    short = {name: alias for alias, name in ALIASES.items()}
    found = {}
    for name, make in currents.CURRENTS.items():
        takes = inspect.signature(make).parameters
        if key in takes:
            found.setdefault(f"{takes[key].default / size:g}", []).append(short.get(name, name))
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{value} for {' and '.join(names)}" for value, names in found.items())


def current_of(given, parameters, duration, dt):
    """The current (t,) in amperes that the flags ask for into a neuron of `parameters`, and what it is in words.

    What the flags leave open is filled in, so that run.json says it.
    """
    from kzoo.bio import currents

    name = ALIASES.get(given.current, given.current)
    told = {flag: getattr(given, flag) for flag in SHAPES if getattr(given, flag) is not None}
    make = currents.CURRENTS.get(name)
    if make is None:
        for flag in [*told, *(["amplitude"] if given.amplitude is not None else [])]:
            raise KzooError(f"--{flag.replace('_', '-')} goes with a waveform, not with a file of numbers.")
        return _from_file(given, parameters, _numbers(given, currents.CURRENTS), duration, dt)
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
    given.amplitude = AMPLITUDE if given.amplitude is None else given.amplitude
    options = {}
    for flag, (key, _, size, _) in SHAPES.items():
        if key not in takes:
            continue
        if getattr(given, flag) is None:
            open_ = takes[key].default
            value = WINDOWS[name][key] * given.duration if open_ is None else open_ / size
            setattr(given, flag, float(f"{value:.12g}"))
        options[key] = getattr(given, flag) * size
    if "stop" not in told and options.get("stop", duration) < options.get("start", 0.0):
        given.stop, options["stop"] = given.duration, duration  # a step that begins late goes on to the end
    if "seed" in takes:
        options["seed"] = given.seed
    for flag in ("amplitude", "baseline"):
        if flag in takes:
            within_current(flag, getattr(given, flag), parameters)
    try:
        made = make(duration, dt, given.amplitude * 1e-9, **options)
    except KzooError as error:
        # Its sigma and tau are not those of the neuron.
        text = str(error)
        for flag, (key, *_) in SHAPES.items():
            if text.startswith(f"{key}: got "):
                text = f"{flag}{text[len(key) :]}"
        raise KzooError(text) from None
    if "sigma" in takes:
        drawn = made[np.abs(made).argmax()] * 1e9
        within_current("current-sigma", drawn, parameters, f"{given.current_sigma:g}, of which a step has")
    return made, WORDS[name].format(**vars(given)) + (f", baseline {given.baseline:g} nA" if given.baseline else "")


def _from_file(given, parameters, values, duration, dt):
    """The current (t,) in amperes out of a file's numbers (m,) in nA, and what it is in words."""
    from kzoo.bio import currents

    name, interval = Path(given.current).name, None if given.interval is None else given.interval * 1e-3
    within_current("current", values[np.abs(values).argmax()], parameters, f"{name}, which has")
    made = currents.from_array(values * 1e-9, duration, dt, interval=interval)
    each = given.duration / len(values) if interval is None else given.interval
    lasts = each * len(values)
    if each < given.dt * (1 - 1e-9):
        said = f"each of its numbers holds for {each:g} ms, less than a step of {given.dt:g} ms: some are passed over."
        print(f"kzoo: {name}: {said}", file=sys.stderr)
    if abs(lasts - given.duration) >= given.dt:
        said = (
            f"the last, {values[-1]:g} nA, is held to the end" if lasts < given.duration else "what is later is cut off"
        )
        print(
            f"kzoo: {name} lasts {lasts:g} ms ({len(values)} numbers for {each:g} ms each), the run "
            f"{given.duration:g} ms: {said}.",
            file=sys.stderr,
        )
    return made, f"{name}, {values.min():g} to {values.max():g} nA"


def _numbers(given, known):
    """The currents in a file, (m,) in nA."""
    path = Path(given.current)
    if not path.is_file():
        names = [*(name for name in known if name not in ALIASES.values()), *ALIASES]
        raise KzooError(
            f"--current: got {str(path)!r}; expected one of {', '.join(names)}, or a file of numbers in nA."
            f"{did_you_mean(str(path), names)}"
        )
    values = read_numbers(given, "current", "numbers in nA, one a line")
    if values.ndim != 1 or not values.size:
        raise KzooError(f"--current: {path} holds an array of shape {values.shape}; expected numbers in a row, (m,).")
    return values
