"""One neuron on the page: the current that the settings make, what the neuron does, its theory, and the code.

Settings have the units that the page shows; what goes to kzoo.bio is in SI units.
"""

import functools
import math
from typing import NamedTuple

import lif_markup as markup
import live
import numpy as np
from lif_settings import ASKS, MS, NA, PLACES, Settings, drawn_values

from kzoo.bio import LIF, currents, rates, simulate, theory

# Currents of the measured f-I curve, without noise and with it; and then neurons a current.
DRIVES, NOISY_DRIVES, NOISY_COPIES = 40, 17, 16


def current(settings: Settings) -> np.ndarray:
    """The current (t,) in amperes, without the white noise."""
    s = settings
    time = s.duration * MS, s.dt * MS
    if s.wave == "own":
        return currents.from_array(np.array(drawn_values(s.values)) * NA, *time)
    more = {
        "baseline": s.baseline * NA, "frequency": s.frequency, "width": min(s.width * MS, 1 / s.frequency),
        "spread": s.spread * NA, "memory": s.memory * MS,
    }  # fmt: skip
    asked = {name: more[name] for name in ASKS[s.wave]}
    if s.wave == "ornstein_uhlenbeck":
        asked = {"sigma": asked["spread"], "tau": asked["memory"], "seed": s.seed}
    return currents.CURRENTS[s.wave](*time, s.amplitude * NA, **asked)


def record(settings: Settings):
    """The `Recording` of the neuron, by the NumPy engine."""
    p = settings.parameters
    return simulate(p, current(settings), settings.dt * 1e-3, sigma=settings.sigma * 1e-3, seed=settings.seed)


class Figures(NamedTuple):
    """What is said beside the picture.

    Attributes:
        spikes: Their number.
        measured: Hz while the current flows: the reciprocal of the mean interval where there are two spikes and
            neither noise nor a moving current, else spikes over time.
        regularity: CV of the intervals, or None for fewer than three.
        predicted: Hz by the formula, or None where there is none for this current.
        note: A sentence.
    """

    spikes: int
    measured: float
    regularity: float | None
    predicted: float | None
    note: str


def figures(settings: Settings, recording) -> Figures:
    """Measured and predicted, and what there is to say."""
    s, p = settings, settings.parameters
    times = recording.spike_times()
    gaps = np.diff(times)
    regularity = float(gaps.std() / gaps.mean()) if len(gaps) >= 3 else None
    steady = s.wave in ("constant", "step")
    flows = recording.duration * (0.6 if s.wave == "step" else 1)
    measured = len(times) / recording.duration
    if steady:
        # Spikes of a step alone: before and after it another current flows.
        during = times if s.wave == "constant" else times[(times >= flows / 3 - 1e-9) & (times < flows * 4 / 3)]
        measured = len(during) / flows
        if not s.sigma and len(during) > 1:
            measured = 1 / np.diff(during).mean()
        if s.sigma:
            predicted = float(theory.rate_under_noise(p, s.amplitude * 1e-9, s.sigma * 1e-3, s.dt * 1e-3))
        else:
            predicted = float(theory.rate_on_grid(p, s.amplitude * 1e-9, s.dt * 1e-3))
    else:
        predicted = None
    return Figures(len(times), float(measured), regularity, predicted, _note(s, p, recording, predicted))


def _note(s, p, recording, predicted) -> str:
    rheobase = theory.rheobase(p) * 1e9
    if s.wave == "sine" and not s.sigma and not recording.spikes.any():
        return _followed(s, p, recording)
    if predicted is None:
        held = theory.rate_under_noise if s.sigma else theory.rate_on_grid
        given = current(s)[:: max(1, recording.num_steps // 400)]
        more = (s.sigma * 1e-3,) if s.sigma else ()
        slow = float(np.mean(held(p, given, *more, s.dt * 1e-3)))
        return f"If this current moved slowly, the f-I curve would give {slow:.1f} Hz in the mean."
    if s.sigma:
        side = "below" if s.amplitude <= rheobase else "above"
        few = " In so short a time the count is a matter of luck: try another seed." if recording.duration < 2 else ""
        return f"The mean is {side} the rheobase of {rheobase:.3g} nA; the formula is Siegert's.{few}"
    if predicted == 0:
        end = s.v_rest + s.resistance * s.amplitude
        return f"{s.amplitude:.3g} nA take it to {end:.1f} mV at most; it fires above {rheobase:.3g} nA, the rheobase."
    smooth = float(theory.rate(p, s.amplitude * 1e-9))
    return f"In continuous time the formula gives {smooth:.2f} Hz; steps of {s.dt:g} ms put each spike on a grid."


def _followed(s, p, recording) -> str:
    """How a membrane below threshold follows a sine, beside the formula: over the last whole periods."""
    period = 1 / s.frequency
    count = math.floor((recording.duration - min(5 * p.tau, recording.duration / 2)) / period)
    if count < 1:
        return "Less than a period of it lies behind the onset: choose a longer duration."
    steps = round(count * period / recording.dt)
    t, v = recording.times[-steps:], recording.voltage[-steps:, 0]
    # The voltage at the start of a step has seen the currents of those before it, each at its own start.
    turns = 2 * math.pi * s.frequency * t
    a, b = 2 * np.mean(v * np.sin(turns)), 2 * np.mean(v * np.cos(turns))
    gain, phase = theory.sine_response(p, s.frequency)
    size = abs(s.amplitude)
    late = -math.degrees(math.atan2(b * math.copysign(1, s.amplitude), a * math.copysign(1, s.amplitude)))
    return (
        f"It follows by {1e3 * math.hypot(a, b):.2f} mV, {late:.1f}\u00b0 late; the formula says "
        f"{1e3 * float(gain) * size * 1e-9:.2f} mV and {-math.degrees(float(phase)):.1f}\u00b0."
    )


@functools.lru_cache(maxsize=64)
def measured_rates(parameters: LIF, dt: float, sigma: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Currents (n,) in nA about the rheobase, and the rates (n,) in Hz of one run of them all."""
    low, high = span(parameters)
    duration = measuring(parameters, dt, sigma)
    if not sigma:
        drives = np.linspace(low, high, DRIVES)
        return drives, rates(parameters, drives * 1e-9, duration, dt)
    drives = np.linspace(low, high, NOISY_DRIVES)
    found = rates(parameters, np.repeat(drives, NOISY_COPIES) * 1e-9, duration, dt, sigma=sigma, seed=seed)
    return drives, found.reshape(len(drives), NOISY_COPIES).mean(axis=1)


def measuring(parameters: LIF, dt: float, sigma: float) -> float:
    """For how long the neurons of the f-I curve run, in seconds: two intervals of all but the slowest."""
    wanted = 20 * parameters.tau if sigma else 11 * parameters.tau + 3 * parameters.t_ref
    return dt * min(max(round(wanted / dt), 1000), 5000)


def span(parameters: LIF) -> tuple[float, float]:
    """The currents in nA between which the f-I curve is drawn."""
    rheobase = theory.rheobase(parameters) * 1e9
    deep = max(parameters.v_threshold - parameters.v_reset, parameters.v_threshold - parameters.v_rest)
    width = max(deep / parameters.resistance * 1e9, 0.01)
    return round(min(0.0, rheobase - width), 6), round(rheobase + 2.25 * width, 6)


# --- what is seen --------------------------------------------------------------------------------------------------


def look(settings: Settings) -> tuple[str, str, str]:
    """The status line, the traces and the f-I curve, as markup.

    Raises:
        ParameterError: where the parameters do not go together.
    """
    s, p = settings, settings.parameters
    recording = record(s)
    found = figures(s, recording)
    cells = [("spikes", found.spikes), ("Hz measured", f"{found.measured:.1f}")]
    if found.predicted is not None:
        cells.append(("Hz by the formula", f"{found.predicted:.1f}"))
    if found.regularity is not None:
        cells.append(("CV of the intervals", f"{found.regularity:.2f}"))
    rheobase = theory.rheobase(p) * 1e9
    traces = markup.trace_svg(
        s.dt, recording.current[:, 0] * 1e9, recording.voltage[:, 0] * 1e3, recording.spikes[:, 0],
        threshold=s.v_threshold, rest=s.v_rest, rheobase=rheobase, held=s.t_ref,
        label=f"Current and voltage of the neuron over {s.duration} ms: {found.spikes} spikes",
        clean=current(s) * 1e9 if s.sigma else None, drawn=_resampled(s.values) if s.wave == "own" else None,
    )  # fmt: skip
    return live.status(cells, found.note), traces, _curve(s, p, found)


def _curve(s, p, found) -> str:
    low, high = span(p)
    drives, measured = measured_rates(p, s.dt * 1e-3, s.sigma * 1e-3, s.seed)
    # Denser where the curve rises straight up.
    rise = theory.rheobase(p) * 1e9 + np.geomspace(1e-6, 1, 40) * (high - low) / 3
    smooth = np.union1d(np.linspace(low, high, 100), rise[rise < high])
    plain = theory.rate(p, smooth * 1e-9)
    line = theory.rate_under_noise(p, smooth * 1e-9, s.sigma * 1e-3, s.dt * 1e-3) if s.sigma else plain
    steady = s.wave in ("constant", "step")
    return markup.rates_svg(
        drives, measured, (smooth, line), (s.amplitude, found.measured if steady else None),
        rheobase=theory.rheobase(p) * 1e9, exact=plain if s.sigma else None, noisy=bool(s.sigma),
        label=f"Firing rate by current, from {low:.2f} to {high:.2f} nA; the neuron on screen fires at "
        f"{found.measured:.1f} Hz",
    )  # fmt: skip


def _resampled(text: str) -> np.ndarray:
    """A drawn current at PLACES places, as the script that draws it has them."""
    values = np.array(drawn_values(text))
    return values[np.arange(PLACES) * len(values) // PLACES]


def start_of_code(settings: Settings) -> str:
    """The lines that make `neuron`, `current` and `recording`; they run as pasted."""
    s = settings
    time = f"duration={s.duration * MS:g}, dt={s.dt * MS:g}"
    if s.wave == "own":
        made = f"currents.from_array(1e-9 * np.array([{', '.join(f'{v:g}' for v in drawn_values(s.values))}]), {time})"
    else:
        more = {
            "baseline": f"baseline={s.baseline:g}e-9", "frequency": f"frequency={s.frequency:g}",
            "width": f"width={min(s.width * MS, 1 / s.frequency)!r}", "spread": f"sigma={s.spread:g}e-9",
            "memory": f"tau={s.memory:g}e-3, seed={s.seed}",
        }  # fmt: skip
        asked = "".join(f", {more[name]}" for name in ASKS[s.wave])
        made = f"currents.{s.wave}({time}, amplitude={s.amplitude:g}e-9{asked})"
    return f"""import numpy as np

from kzoo.bio import LIF, currents, rates, simulate, theory

# In SI units: seconds, ohms, volts, amperes
neuron = LIF(tau={s.tau:g}e-3, resistance={s.resistance:g}e6, v_rest={s.v_rest:g}e-3, v_threshold={s.v_threshold:g}e-3,
             v_reset={s.v_reset:g}e-3, t_ref={s.t_ref:g}e-3)
current = {made}
recording = simulate(neuron, current, dt={s.dt * MS:g}{_noise(s)})
print("spikes at", recording.spike_times(), "s; rheobase", theory.rheobase(neuron), "A")
"""


def _noise(s) -> str:
    return f", sigma={s.sigma:g}e-3, seed={s.seed}" if s.sigma else ""


def code(settings: Settings) -> str:
    """The lines that give what is on screen; they run as pasted."""
    s, dt = settings, f"{settings.dt * MS:g}"
    low, high = span(s.parameters)
    time = f"{measuring(s.parameters, s.dt * MS, s.sigma):g}, {dt}"
    if s.sigma:
        curve = f"""drives = np.linspace({low!r}, {high!r}, {NOISY_DRIVES}) * 1e-9
copies = rates(neuron, np.repeat(drives, {NOISY_COPIES}), {time}{_noise(s)})
measured = copies.reshape({NOISY_DRIVES}, {NOISY_COPIES}).mean(axis=1)
predicted = theory.rate_under_noise(neuron, drives, sigma={s.sigma:g}e-3, dt={dt})  # Siegert"""
    else:
        curve = f"""drives = np.linspace({low!r}, {high!r}, {DRIVES}) * 1e-9
measured = rates(neuron, drives, {time})
predicted = theory.rate_on_grid(neuron, drives, {dt})"""
    return f"""{start_of_code(s)}
# The f-I curve: many currents in one run, and the formula
{curve}
print("largest difference", np.abs(measured - predicted).max(), "Hz")
"""
