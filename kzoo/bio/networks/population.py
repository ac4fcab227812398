"""Populations of LIF neurons, and Poisson spikes into them from outside."""

import dataclasses

import numpy as np

from kzoo.bio import checks
from kzoo.bio.networks import inputs
from kzoo.bio.networks.inputs import ALL
from kzoo.bio.parameters import LIF
from kzoo.errors import ParameterError


@dataclasses.dataclass(frozen=True)
class Poisson:
    """Spikes from outside, at random times and independent for each neuron, that move the voltage at once.

    Arguments:
        rate: of all spikes that reach a neuron together [Hz], 0 or more.
        weight: by which each moves the voltage [V].
    """

    rate: float
    weight: float

    def __post_init__(self):
        object.__setattr__(self, "rate", checks.quantity("rate", self.rate, "Hz", least=0.0, most=1e7))
        object.__setattr__(self, "weight", checks.quantity("weight", self.weight, "mV", **checks.VOLTAGE))


@dataclasses.dataclass(frozen=True)
class Population:
    """Neurons with the same parameters.

    Arguments:
        name: by which synapses, rasters and plots know them.
        size: how many, 1 or more.
        neuron: `LIF`.
        current: a constant current into each [A].
        v_start: the voltage at the start [V]: a number, or (low, high) between which each is drawn; v_rest by default.
        drive: `Poisson`, or None.

    Raises: ParameterError if an argument is out of its bounds.
    """

    name: str
    size: int
    neuron: LIF = dataclasses.field(default_factory=LIF)
    current: float = 0.0
    v_start: float | tuple[float, float] | None = None
    drive: Poisson | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name or self.name == ALL:
            raise ParameterError(f"name: got {self.name!r}; expected a text, and not {ALL!r}.")
        object.__setattr__(self, "size", checks.integer("size", self.size, 1, 10**7))
        inputs.instance("neuron", self.neuron, LIF, "LIF(tau=20e-3)")
        if self.drive is not None:
            inputs.instance("drive", self.drive, Poisson, "Poisson(rate=1000.0, weight=0.1e-3)")
        most = self.neuron.most_current
        object.__setattr__(self, "current", checks.quantity("current", self.current, "nA", least=-most, most=most))
        start = self.neuron.v_rest if self.v_start is None else self.v_start
        pair = tuple(start) if isinstance(start, tuple | list | np.ndarray) else (start, start)
        if len(pair) != 2:
            raise ParameterError(f"v_start: got {self.v_start!r}; expected a number, or (low, high), in volts.")
        low = checks.quantity("v_start", pair[0], "mV", **checks.VOLTAGE)
        high = checks.quantity("v_start", pair[1], "mV", **{**checks.VOLTAGE, "least": low})
        object.__setattr__(self, "v_start", (low, high))
