"""What a visitor may set of the neuron on the page: names, bounds, starting points, and the check of what is sent.

Settings have the units that the page shows; `Settings.parameters` are in SI units.
"""

import dataclasses
import math

import validate

from kzoo.bio import LIF

MS, MV, NA = 1e-3, 1e-3, 1e-9  # in SI units

# Field -> label with its unit, least, greatest, step. The order is that of the page and of `Settings`.
MEMBRANE = {
    "tau": ("Time constant \u03c4 (ms)", 2.0, 100.0, 1.0),
    "resistance": ("Resistance R (M\u03a9)", 10.0, 500.0, 5.0),
    "v_rest": ("Rest (mV)", -90.0, -40.0, 1.0),
    "v_threshold": ("Threshold (mV)", -65.0, -30.0, 1.0),
    "v_reset": ("Reset (mV)", -90.0, -35.0, 1.0),
    "t_ref": ("Refractory period (ms)", 0.0, 20.0, 0.5),
}
DRIVE = {
    "amplitude": ("Amplitude (nA)", -1.0, 1.0, 0.01),
    "baseline": ("Baseline (nA)", -0.5, 0.5, 0.01),
    "frequency": ("Frequency (Hz)", 1.0, 100.0, 1.0),
    "width": ("Width of a pulse (ms)", 1.0, 50.0, 1.0),
    "spread": ("Spread of the coloured noise (nA)", 0.0, 0.5, 0.01),
    "memory": ("Memory of the coloured noise (ms)", 1.0, 100.0, 1.0),
    "sigma": ("White noise of the membrane \u03c3 (mV)", 0.0, 10.0, 0.1),
}
WAVES = {
    "constant": "constant", "step": "step", "ramp": "ramp", "sine": "sine", "pulses": "pulses",
    "coloured noise": "ornstein_uhlenbeck", "drawn": "own",
}  # fmt: skip
# Which of the DRIVE a current has beside amplitude and sigma.
ASKS = {
    "constant": (), "step": ("baseline",), "ramp": ("baseline",), "sine": ("baseline", "frequency"),
    "pulses": ("baseline", "frequency", "width"), "ornstein_uhlenbeck": ("spread", "memory"), "own": (),
}  # fmt: skip
STEPS = [0.05, 0.1, 0.2, 0.5, 1.0]  # ms
DURATIONS = (100, 1000)  # ms
PLACES = 40  # of a drawn current
OWN = ", ".join(f"{0.3 + 0.25 * math.sin(k / 3) if k > 5 else 0:.2f}" for k in range(PLACES))
LONGEST = 600  # characters of a drawn current


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a visitor has set, checked, in the units of the page."""

    tau: float = 20.0
    resistance: float = 100.0
    v_rest: float = -70.0
    v_threshold: float = -50.0
    v_reset: float = -65.0
    t_ref: float = 2.0
    wave: str = "step"
    amplitude: float = 0.25
    baseline: float = 0.0
    frequency: float = 10.0
    width: float = 5.0
    spread: float = 0.1
    memory: float = 5.0
    sigma: float = 0.0
    values: str = OWN
    duration: int = 300
    dt: float = 0.1
    seed: int = 0

    @property
    def parameters(self) -> LIF:
        """Raises ParameterError where they do not go together."""
        return LIF(
            self.tau * MS, self.resistance * 1e6, self.v_rest * MV, self.v_threshold * MV, self.v_reset * MV,
            self.t_ref * MS,
        )  # fmt: skip


FIELDS = tuple(field.name for field in dataclasses.fields(Settings))
# Starting points: what each changes of the settings that the page opens with.
SCENES = {
    "A step": {},
    "Just below threshold": {"amplitude": 0.195},
    "Noise makes it fire": {"wave": "constant", "amplitude": 0.16, "sigma": 4.0, "duration": 1000},
    "A sine that it follows": {"wave": "sine", "amplitude": 0.1, "frequency": 10.0},
    "Pulses that add up": {"wave": "pulses", "amplitude": 0.8, "frequency": 90.0, "width": 3.0, "tau": 30.0},
    "Fires by itself": {"wave": "constant", "amplitude": 0.0, "v_rest": -48.0, "v_reset": -60.0, "t_ref": 5.0},
}


def scene(name: str) -> Settings:
    return Settings(**SCENES[name])


def check(*sent) -> Settings:
    """The settings that a page or a client sent, in the order of FIELDS.

    Raises:
        gr.Error: one line, for the first that is not allowed.
    """
    given = dict(zip(FIELDS, sent, strict=True))
    for name, (label, low, high, _) in (MEMBRANE | DRIVE).items():
        given[name] = validate.number(label, given[name], low, high)
    given["wave"] = validate.choice("Current", given["wave"], WAVES.values())
    given["values"] = validate.text("Drawn current", given["values"], LONGEST)
    drawn_values(given["values"])
    given["duration"] = validate.number("Duration", given["duration"], *DURATIONS, whole=True)
    given["dt"] = validate.number("Time step", given["dt"], STEPS[0], STEPS[-1])
    given["seed"] = validate.number("Seed of the noise", given["seed"], 0, 9999, whole=True)
    return Settings(**given)


def drawn_values(text: str) -> list[float]:
    """The values of a drawn current in nA, from numbers with commas between them.

    Raises:
        gr.Error: names the first one that is no number from -1 to 1.
    """
    parts = [part.strip() for part in text.split(",")]
    if not 1 <= len(parts) <= 2 * PLACES:
        raise validate.refuse(f"Drawn current: got {len(parts)} values; expected 1 to {2 * PLACES}.")
    values = []
    for number, part in enumerate(parts, start=1):
        try:
            value = float(part)
        except ValueError:
            value = math.nan
        if not abs(value) <= 1:
            raise validate.refuse(
                f"Drawn current, value {number}: got {validate.shown(part)}; expected a number from -1 to 1 (nA), "
                "such as 0.3"
            )
        values.append(value)
    return values
