"""The parameters of a leaky integrate-and-fire neuron, in SI units, shared by all engines.

    tau dV/dt = -(V - v_rest) + resistance * I

A spike where V > v_threshold; then V = v_reset, where it is held for t_ref. Source: Gerstner, Kistler, Naud and
Paninski 2014, Neuronal Dynamics, doi:10.1017/CBO9781107447615, section 1.3.
"""

import dataclasses
import math

import numpy as np

from kzoo.bio import checks
from kzoo.errors import ParameterError

# The unit that pages, commands and plots show for each field of `LIF`, and its size in SI units.
UNITS = {
    "tau": ("ms", 1e-3),
    "resistance": ("MΩ", 1e6),
    "v_rest": ("mV", 1e-3),
    "v_threshold": ("mV", 1e-3),
    "v_reset": ("mV", 1e-3),
    "t_ref": ("ms", 1e-3),
}


# A membrane breaks at about a volt; noise in very short steps drives it by a hundred times that [V]. A current that
# would move it further was meant in nanoamperes.
FURTHEST = 1e3
# Of a membrane [ohm], unless it is 1: 100 was meant in megaohms.
LEAST_OHMS = 1e3
AMPERES = "Currents are given in amperes: 0.6e-9 is 0.6 nA."


@dataclasses.dataclass(frozen=True)
class LIF:
    """A leaky integrate-and-fire neuron.

    Arguments:
        tau: time constant of the membrane [s], above 0 and at most 1.
        resistance: of the membrane [ohm], above 0; where v_rest is a membrane's, 1 or from `LEAST_OHMS` on.
        v_rest: where the voltage rests without a current [V], from -10 to 10 as the next two. At or above
            v_threshold the neuron fires by itself.
        v_threshold: a voltage above it is a spike [V].
        v_reset: the voltage after a spike [V], below v_threshold.
        t_ref: for how long the voltage is held after a spike [s], from 0 to 1.

    Raises: ParameterError naming the parameter, what was received, its unit and bounds.
    """

    tau: float = 20e-3
    resistance: float = 100e6
    v_rest: float = -70e-3
    v_threshold: float = -50e-3
    v_reset: float = -65e-3
    t_ref: float = 2e-3

    def __post_init__(self):
        bounds = {
            "v_rest": checks.VOLTAGE,
            "v_threshold": checks.VOLTAGE,
            "v_reset": checks.VOLTAGE,
            "tau": checks.TIME_CONSTANT,
            "resistance": {"above": 0.0},
            "t_ref": {"least": 0.0, "most": checks.TIME_CONSTANT["most"]},
        }
        for name, (unit, _) in UNITS.items():
            value = checks.quantity(name, getattr(self, name), unit, **bounds.get(name, {}))
            object.__setattr__(self, name, value)
        # A membrane's potential at rest; models without units rest at 0, and those whose currents are volts have 1 ohm.
        if -0.2 < self.v_rest < -0.02 and 1 < self.resistance < LEAST_OHMS:
            raise ParameterError(
                f"resistance: got {checks.shown(self.resistance, 'MΩ')}; expected at least "
                f"{checks.shown(LEAST_OHMS, 'MΩ')} where v_rest is {checks.shown(self.v_rest, 'mV')}. It is given in "
                "ohms: resistance=1e+08 is 100 MΩ."
            )
        if not self.v_reset < self.v_threshold:
            raise ParameterError(
                f"v_reset: got {checks.shown(self.v_reset, 'mV')}; expected below v_threshold = "
                f"{checks.shown(self.v_threshold, 'mV')}. Else a spike would follow its own reset: lower v_reset or "
                "raise v_threshold."
            )

    def decay(self, dt: float) -> float:
        """What is left of V - V∞ after a step of dt seconds: exp(-dt / tau)."""
        return math.exp(-self.check_dt(dt) / self.tau)

    def refractory_steps(self, dt: float) -> int:
        """Steps of dt seconds from a spike to the first step that moves the voltage again.

        floor(t_ref / dt + 0.001), as Brian2 counts: a t_ref that is no multiple of dt is shortened to one. 0 and 1
        mean the same: the voltage moves in the step after the spike.
        """
        return min(math.floor((self.t_ref + 1e-3 * self.check_dt(dt)) / dt), checks.MOST_STEPS)

    def check_dt(self, dt: float) -> float:
        """`dt` as a float in seconds; a ParameterError unless 1 ps <= dt <= tau."""
        hint = f"dt is given in seconds and no longer than tau: dt={min(self.tau / 20, 1e-4):g}."
        return checks.quantity("dt", dt, "ms", least=min(1e-12, self.tau), most=self.tau, hint=hint)

    @property
    def most_current(self) -> float:
        """The largest current that is accepted [A]: it would move the voltage by `FURTHEST`."""
        return min(FURTHEST / self.resistance, checks.HUGE)

    def check_current(self, current, name="current", dims=(1, 2)) -> np.ndarray:
        """`current`, (t,) or (t, n) in amperes, as float64 (t, n).

        Raises: ParameterError for anything else, and for numbers that are not finite or beyond `most_current`.
        """
        current = checks.array(name, current, "A", dims, self.most_current, AMPERES)
        return current[:, None] if current.ndim == 1 else current
