"""What a spiking and a graded network are told alike: how long, what comes from outside, and whom to trace."""

import dataclasses

import numpy as np

from kzoo.bio import checks
from kzoo.bio.parameters import AMPERES
from kzoo.errors import ParameterError

# The name of all neurons together.
ALL = "all"


@dataclasses.dataclass(frozen=True, eq=False)
class Stimulus:
    """A current into some neurons.

    Arguments:
        current: (t,) [A], what acts in each step; nothing acts after its end.
        neurons: int array, or the name of a population; all neurons by default.
    """

    current: np.ndarray
    neurons: np.ndarray | str = ALL

    def __post_init__(self):
        object.__setattr__(self, "current", checks.array("current", self.current, "A"))


def instance(name, value, kind, example):
    if not isinstance(value, kind):
        raise ParameterError(f"{name}: got {value!r:.60}; expected a {kind.__name__}, such as {example}.")


def steps(neurons, duration, dt):
    """dt, checked against each neuron's tau, and how many make the duration."""
    for neuron in neurons:
        dt = neuron.check_dt(dt)
    return dt, checks.num_steps(duration, dt)


def trace(trace, size):
    """int32 (m,)."""
    trace = np.asarray(trace if np.size(trace) else np.zeros(0, np.int32))
    if trace.ndim != 1 or trace.dtype.kind not in "iu" or (trace.size and not 0 <= trace.min() <= trace.max() < size):
        raise ParameterError(f"trace: got {trace!r:.60}; expected numbers of neurons from 0 to {size - 1}.")
    return trace.astype(np.int32)


def columns(stimulus, steps, size, named, neurons):
    """The currents (steps, k) of a stimulus, and for each neuron which column it receives.

    Raises: ParameterError, also where one of `neurons` (`LIF`) does not accept a current as large.
    """
    current, column = _columns(stimulus, steps, size, named)
    if current is not None:
        most = min(neuron.most_current for neuron in neurons)
        checks.array("stimulus", current, "A", (2,), most, AMPERES)
    return current, column


def _columns(stimulus, steps, size, named):
    if stimulus is None or (isinstance(stimulus, tuple | list) and not len(stimulus)):
        return None, None
    many = isinstance(stimulus, tuple | list) and isinstance(stimulus[0], Stimulus)
    if not many and not isinstance(stimulus, Stimulus):
        current = checks.array("stimulus", stimulus, "A", dims=(1, 2))
        if current.ndim == 2:
            if current.shape[1] != size:
                raise ParameterError(f"stimulus: got shape {current.shape}; expected (t,) or (t, {size}).")
            return _padded(current, steps), np.arange(size, dtype=np.int32)
        stimulus = Stimulus(current)
    stimuli = stimulus if many else (stimulus,)
    currents, members = np.zeros((steps, len(stimuli))), np.zeros((size, len(stimuli)))
    for k, each in enumerate(stimuli):
        instance("stimulus", each, Stimulus, "Stimulus(current)")
        currents[:, k] = _padded(each.current[:, None], steps)[:, 0]
        members[_members(each.neurons, size, named), k] = 1.0
    # Neurons that receive the same stimuli share a column.
    kinds, column = np.unique(members, axis=0, return_inverse=True)
    return currents @ kinds.T, column.reshape(-1).astype(np.int32)


def _members(neurons, size, named):
    if isinstance(neurons, str):
        return slice(None) if neurons == ALL or named is None else named(neurons)
    return trace(neurons, size)


def _padded(current, steps):
    if len(current) > steps:
        raise ParameterError(
            f"stimulus: got {len(current)} steps; expected at most {steps}, the duration over dt. Cut it: "
            f"stimulus[:{steps}]."
        )
    return np.concatenate([current, np.zeros((steps - len(current), current.shape[1]))])
