"""A network without spikes, in which voltages act on each other."""

import dataclasses

import numpy as np

from kzoo.bio import checks, theory
from kzoo.bio.engines import plan
from kzoo.bio.networks import inputs
from kzoo.bio.parameters import LIF
from kzoo.errors import ParameterError


@dataclasses.dataclass(frozen=True, eq=False)
class Graded:
    """A network without spikes, in which each voltage acts on the others in proportion to its distance from rest:

        tau dV_i/dt = -(V_i - v_rest) + resistance I_i + Σ_j W_ij (V_j - v_rest)

    Teaching texts write Σ_j W_ij V_j; then a neuron at rest would act on all others with its -70 mV, so that voltages
    are taken relative to rest here.

    It comes to rest only if the largest real part of an eigenvalue of W is below 1: what one voltage gives the others
    and gets back must be less than what leaks. Other matrices are refused.

    Arguments:
        weights: W (n, n), without a unit; W[i, j] acts from j on i.
        neuron: `LIF`, of which tau, resistance and v_rest are used.
        v_start: voltages at the start [V], a number or (n,); v_rest by default.

    Raises: ParameterError if an argument is out of its bounds, and for an unstable W.
    """

    weights: np.ndarray
    neuron: LIF = dataclasses.field(default_factory=LIF)
    v_start: np.ndarray | float | None = None

    def __post_init__(self):
        inputs.instance("neuron", self.neuron, LIF, "LIF(tau=20e-3)")
        weights = checks.array("weights", self.weights, dims=(2,))
        if weights.shape[0] != weights.shape[1]:
            raise ParameterError(f"weights: got shape {weights.shape}; expected (n, n), one row for each neuron.")
        largest, stable = theory.graded_stability(weights)
        if not stable:
            raise ParameterError(
                f"weights: got a matrix whose eigenvalues have a largest real part of {largest:.6g}; expected below 1. "
                "In that direction each voltage gets back from the others at least as much as leaks away, so that the "
                f"voltages would grow without end. Scale it: {0.99 / largest:.4g} * weights has 0.99."
            )
        object.__setattr__(self, "weights", weights.copy())
        start = self.neuron.v_rest if self.v_start is None else self.v_start
        start = checks.array("v_start", start, "V", dims=(0, 1))
        if start.ndim and len(start) != self.size:
            raise ParameterError(f"v_start: got {len(start)} numbers; expected one, or one for each of {self.size}.")
        object.__setattr__(self, "v_start", np.broadcast_to(start, self.size).copy())

    @property
    def size(self) -> int:
        """The number of neurons."""
        return len(self.weights)

    def plan(self, duration, dt=1e-4, seed=0, trace=None, stimulus=None) -> plan.Plan:
        """What an engine is handed. Nothing is random. Arguments and errors: those of `run`."""
        dt, steps = inputs.steps([self.neuron], duration, dt)
        current, column = inputs.columns(stimulus, steps, self.size, None, [self.neuron])
        sources, targets = np.nonzero(self.weights.T)
        first = np.searchsorted(sources, np.arange(self.size + 1)).astype(np.int64)
        values = self.weights.T[sources, targets]
        values = values if len(values) else np.zeros(1)
        wires = plan.Wires(None, first, targets.astype(np.int32), values, np.zeros(1, np.int64))
        return plan.Plan(
            size=self.size,
            dt=dt,
            steps=steps,
            parameters={name: np.array([getattr(self.neuron, name)]) for name in plan.PARAMETERS},
            v_start=self.v_start,
            wires=(wires,),
            current=current,
            column=column,
            trace=np.arange(self.size, dtype=np.int32),
            graded=True,
        )


@dataclasses.dataclass(frozen=True)
class GradedRecording:
    """The voltages of a graded network; `voltage[k]` is V at time k dt.

    Arguments:
        dt: [s].
        current: (t, n) [A].
        voltage: (t, n) [V].
        engine: what ran.
        note: why not the engine that was asked for, else "".
        seconds: what it cost [s of wall time].
    """

    dt: float
    current: np.ndarray
    voltage: np.ndarray
    engine: str
    note: str = ""
    seconds: dict = dataclasses.field(default_factory=dict)

    @property
    def times(self) -> np.ndarray:
        """The starts of the steps, (t,) [s]."""
        return np.arange(len(self.voltage)) * self.dt

    @property
    def duration(self) -> float:
        """[s]."""
        return len(self.voltage) * self.dt
