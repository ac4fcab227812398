"""Synapses between populations: who is connected, how strongly, how late, and how a spike acts."""

import dataclasses

import numpy as np

from kzoo.bio import checks
from kzoo.errors import ParameterError


@dataclasses.dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses between populations, which share how they act.

    Exactly one of `probability`, `in_degree` and `pairs` says which neurons are connected; with the first two no
    neuron is connected to itself, and no pair twice.

    Arguments:
        source, target: names of populations, tuples of such, or "all".
        weight: what a spike adds: to the voltage [V] if there is no `tau`; to the current, in volts after the
            resistance [V]; to the conductance, in units of the leak's [no unit], 0 or more. With `pairs` also one each.
        delay: from a spike to its effect [s], 0 to 1; to the nearest step. With `pairs` also one for each.
        probability: of each pair, independently.
        in_degree: how many sources, drawn at random, each target has.
        pairs: (sources, targets), int arrays that count neurons within `source` and within `target`.
        tau: time constant [s] with which current or conductance decay; None for a voltage that is moved at once.
        reversal: the reversal potential of a conductance [V]; None for a current.
        start: the conductance (or current) at time 0, (mean, standard deviation) of a normal distribution that is cut
            off at 0; None for 0.

    Synapses with the same tau, reversal and start add to one current or conductance of a neuron.

    Raises: ParameterError if an argument is out of its bounds.
    """

    source: str | tuple[str, ...]
    target: str | tuple[str, ...]
    weight: float | np.ndarray
    delay: float | np.ndarray = 0.0
    probability: float | None = None
    in_degree: int | None = None
    pairs: tuple | None = None
    tau: float | None = None
    reversal: float | None = None
    start: tuple[float, float] | None = None

    def __post_init__(self):
        given = [name for name in ("probability", "in_degree", "pairs") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ParameterError(
                f"probability, in_degree, pairs: got {' and '.join(given) or 'none of them'}; expected exactly one, "
                "such as probability=0.1."
            )
        keep = object.__setattr__
        if self.pairs is not None:
            keep(self, "pairs", _pairs(self.pairs))
        if self.reversal is None:
            keep(self, "weight", self._numbers("weight", "mV", **checks.VOLTAGE))
        else:  # a conductance below 0 would drive the voltage away from its reversal potential
            keep(self, "weight", self._numbers("weight", "", least=0.0))
        keep(self, "delay", self._numbers("delay", "ms", least=0.0, most=1.0))
        if self.probability is not None:
            keep(self, "probability", checks.quantity("probability", self.probability, least=0.0, most=1.0))
        if self.in_degree is not None:
            keep(self, "in_degree", checks.integer("in_degree", self.in_degree, 0))
        if self.tau is not None:
            keep(self, "tau", checks.quantity("tau", self.tau, "ms", **checks.TIME_CONSTANT))
        if self.reversal is not None:
            keep(self, "reversal", checks.quantity("reversal", self.reversal, "mV", **checks.VOLTAGE))
            if self.tau is None:
                raise ParameterError("tau: got None; expected the time constant of the conductance, such as tau=5e-3.")
        if self.start is not None:
            if self.tau is None or not isinstance(self.start, tuple | list) or len(self.start) != 2:
                raise ParameterError(f"start: got {self.start!r}; expected (mean, deviation), and a tau.")
            mean, deviation = self.start
            keep(self, "start", (checks.quantity("start", mean), checks.quantity("start", deviation, least=0.0)))

    def _numbers(self, name, unit, **bounds):
        """A number as a float; with `pairs`, also one for each as an array."""
        value = getattr(self, name)
        if np.ndim(value) == 0:
            return checks.quantity(name, value, unit, **bounds)
        if self.pairs is None or np.shape(value) != self.pairs[0].shape:
            count = "one number" if self.pairs is None else f"one for each of {len(self.pairs[0])} pairs"
            raise ParameterError(f"{name}: got numbers of shape {np.shape(value)}; expected {count}.")
        if not len(value):
            return 0.0
        value = checks.array(name, value, unit)
        for number in (value.min(), value.max()):
            checks.quantity(name, number, unit, **bounds)
        return value


def _pairs(pairs):
    """(sources, targets) as int64 arrays of one length."""
    made = []
    for values in pairs if isinstance(pairs, tuple | list) and len(pairs) == 2 else ((), None):
        values = np.asarray(values if values is not None else [[]])
        if values.ndim != 1 or (values.size and (values.dtype.kind not in "iu" or values.min() < 0)):
            raise ParameterError(
                f"pairs: got {pairs!r:.60}; expected (sources, targets), two arrays of integers of 0 or more."
            )
        made.append(values.astype(np.int64))
    if len(made[0]) != len(made[1]):
        raise ParameterError(f"pairs: got {len(made[0])} sources and {len(made[1])} targets; expected as many of each.")
    return tuple(made)
