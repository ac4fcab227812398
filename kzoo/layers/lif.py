"""The leaky integrate-and-fire neuron as a Keras layer, trained by surrogate gradients, and its sum without spikes.

The equations stand in `kzoo.ops.spikes`. The arguments bear the names of `kzoo.bio`'s record, so that one set of
parameters serves both: `LIF(units, **dataclasses.asdict(parameters), dt=dt)` in volts, ohms and seconds gives the
spikes that Brian2 gives. The defaults are dimensionless: thresholds and currents of about 1, time in steps.

Axis letters: b batch, t time, u units.
"""

import math

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.layers.checks import positive
from kzoo.ops import spikes

__all__ = ["INTEGRATIONS", "LIF", "LeakyIntegrator"]

INTEGRATIONS = ("exact", "euler")


class _Leaky(keras.layers.Layer):
    """What both layers share: a voltage for each unit that decays towards v_rest + resistance I."""

    def __init__(self, units, tau, resistance, v_rest, dt, integration, **kwargs):
        super().__init__(**kwargs)
        self.units = positive(type(self).__name__, "units", units)
        self.tau = self._number("tau", tau, above=0)
        self.resistance = self._number("resistance", resistance, above=0)
        self.v_rest = self._number("v_rest", v_rest)
        self.dt = self._number("dt", dt, above=0)
        if integration not in INTEGRATIONS:
            raise ValueError(
                f"{type(self).__name__}: got integration={integration!r}; allowed: {', '.join(INTEGRATIONS)}."
            )
        if integration == "euler" and self.dt > self.tau:
            raise ValueError(
                f"{type(self).__name__}: got dt={self.dt!r}, longer than tau={self.tau!r}, with which Euler's "
                'step overshoots. Take a shorter dt, or integration="exact".'
            )
        self.integration = integration
        if self.decay == 1:
            raise ValueError(
                f"{type(self).__name__}: got dt={self.dt!r} and tau={self.tau!r}, with which nothing decays in a step. "
                "Take a shorter tau."
            )
        self.supports_masking = True
        self.input_spec = keras.InputSpec(ndim=3)

    def _number(self, key, value, above=None, least=None):
        """A finite number in its bounds, as one of Python's own, which a configuration keeps."""
        value = value.item() if isinstance(value, np.generic) else value
        number = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
        if not number or (above is not None and value <= above) or (least is not None and value < least):
            bound = f" above {above}" if above is not None else f" of at least {least}" if least is not None else ""
            raise ValueError(f"{type(self).__name__}: got {key}={value!r}; expected a finite number{bound}.")
        return value

    @property
    def decay(self) -> float:
        """By what V - (v_rest + resistance I) shrinks in a step."""
        return math.exp(-self.dt / self.tau) if self.integration == "exact" else 1 - self.dt / self.tau

    @property
    def _state_dtype(self):
        """float32 under mixed precision too: a voltage moves by less than half precision resolves."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape):
        if input_shape[-1] != self.units:
            raise ValueError(
                f"{type(self).__name__} has a current for each of its {self.units} units, the last axis; received "
                f"{tuple(input_shape)}. Set units={input_shape[-1]}, or put a Dense({self.units}) before it."
            )

    def _received(self, current, mask):
        """The current in the state's dtype, time first, and the mask."""
        if current.shape[1] == 0:
            raise ValueError(
                f"{type(self).__name__} received an empty sequence, of shape {tuple(current.shape)}; leave it out."
            )
        current = ops.swapaxes(ops.cast(current, self._state_dtype), 0, 1)
        return current, None if mask is None else ops.transpose(ops.cast(mask, "bool"))

    def get_config(self):
        """The constructor's arguments."""
        names = ("units", "tau", "resistance", "v_rest", "dt", "integration")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("kzoo.layers")
class LIF(_Leaky):
    """Leaky integrate-and-fire neurons: currents (b, t, u) to spikes (b, t, u), each 0 or 1.

        tau dV/dt = -(V - v_rest) + resistance I;   a spike where V > v_threshold, then V = v_reset for t_ref

    Called as `layer(current, initial_state=None, mask=None)`. With `steps` the current is (b, u), the same at each of
    so many steps, and what makes it is computed once. A state is (v, wait), each (b, u): the voltage, and for how many
    steps more a neuron is refractory. Where `mask` (b, t) is False nothing happens to a sample. The state is kept in
    float32 under mixed precision too. A current of nan gives spikes of nan from then on.

    Returns spikes, or a tuple that begins with them: with `return_voltages` V at the start of each step (b, t, u), as
    `kzoo.bio` records it; with `return_state` v and wait after the last step.

    Args:
        units: u.
        tau: Membrane time constant, above 0, in the unit of `dt`.
        resistance: In volts for each unit of current, above 0.
        v_rest, v_threshold, v_reset: Voltages; v_reset lies below v_threshold. A v_rest above v_threshold is a neuron
            that fires without a current.
        t_ref: Refractory period, at least 0, in the unit of `dt`; below two steps of dt it holds nothing up.
        dt: How long one step of the sequence lasts, above 0.
        integration: "exact", or "euler", which other libraries and NIR's readers take.
        surrogate: One of `kzoo.ops.spikes.SURROGATES`.
        slope: The surrogate's, above 0; None for its default there.
        detach_reset: Whether the gradient passes the reset by.
        steps: t, for a constant current; None for one that comes as a sequence.
        return_voltages: Whether to give the voltages too.
        return_state: Whether to give the last state too.

    Raises:
        ValueError: for an argument out of range, a current that is not (b, t, u), an empty sequence, or a state of
            another shape.
    """

    def __init__(
        self,
        units: int,
        tau: float = 20.0,
        resistance: float = 1.0,
        v_rest: float = 0.0,
        v_threshold: float = 1.0,
        v_reset: float = 0.0,
        t_ref: float = 0.0,
        dt: float = 1.0,
        *,
        integration: str = "exact",
        surrogate: str = "arctan",
        slope: float | None = None,
        detach_reset: bool = True,
        steps: int | None = None,
        return_voltages: bool = False,
        return_state: bool = False,
        **kwargs,
    ):
        super().__init__(units, tau, resistance, v_rest, dt, integration, **kwargs)
        self.v_threshold = self._number("v_threshold", v_threshold)
        self.v_reset = self._number("v_reset", v_reset)
        self.t_ref = self._number("t_ref", t_ref, least=0)
        if self.v_reset >= self.v_threshold:
            raise ValueError(
                f"LIF: got v_reset={self.v_reset!r}; expected less than v_threshold={self.v_threshold!r}, so that a "
                "reset ends a spike."
            )
        if surrogate not in spikes.SURROGATES:
            raise ValueError(f"LIF: got surrogate={surrogate!r}; allowed: {', '.join(spikes.SURROGATES)}.")
        self.surrogate = surrogate
        self.slope = None if slope is None else self._number("slope", slope, above=0)
        self.detach_reset = detach_reset
        self.steps = None if steps is None else positive("LIF", "steps", steps)
        self.input_spec = keras.InputSpec(ndim=3 if steps is None else 2)
        self.return_voltages = return_voltages
        self.return_state = return_state

    @property
    def neuron(self) -> spikes.Neuron:
        """The constants of a step."""
        return spikes.Neuron(
            self.decay,
            self.resistance,
            self.v_rest,
            self.v_threshold,
            self.v_reset,
            max(0, spikes.refractory_steps(self.t_ref, self.dt) - 1),
            self.surrogate,
            self.slope or spikes.SURROGATES[self.surrogate][1],
            self.detach_reset,
        )

    def initial_state(self, batch_size):
        """Neurons at rest: v and wait, each (b, u)."""
        shape, dtype = (batch_size, self.units), self._state_dtype
        return ops.full(shape, self.v_rest, dtype=dtype), ops.zeros(shape, dtype=dtype)

    def call(self, current, initial_state=None, mask=None):
        if self.steps is None:
            current, mask = self._received(current, mask)
        elif mask is not None:
            raise ValueError(f"LIF: a current that is constant for {self.steps} steps takes no mask; leave it out.")
        else:
            current = ops.cast(current, self._state_dtype)
        v, wait = self._checked(initial_state, ops.shape(current)[-2])
        found, voltages, v, wait = spikes.lif(
            current, v, wait, self.neuron, steps=self.steps, voltages=self.return_voltages, mask=mask
        )
        found = ops.cast(ops.swapaxes(found, 0, 1), self.compute_dtype)
        voltages = (ops.swapaxes(voltages, 0, 1),) if self.return_voltages else ()
        state = (v, wait) if self.return_state else ()
        return (found, *voltages, *state) if voltages or state else found

    def advance(self, current, state):
        """One step alone: a current (b, u) and a state to spikes (b, u) and the next state."""
        v, wait = self._checked(state, current.shape[0])
        neuron = self.neuron
        current = ops.cast(current, self._state_dtype)
        drive = neuron.gain * current + neuron.offset
        done = spikes.lif_step(drive, v, wait if neuron.wait else None, neuron)
        return ops.cast(done.spikes, self.compute_dtype), (done.v, wait if done.wait is None else done.wait)

    def _checked(self, state, batch_size):
        """The state as a pair of tensors."""
        if state is None:
            return self.initial_state(batch_size)
        given = list(state) if isinstance(state, (list, tuple)) else [state]
        if len(given) != 2 or any(len(part.shape) != 2 or part.shape[1] != self.units for part in given):
            raise ValueError(
                f"LIF: a state is a pair (v, wait), each (b, {self.units}); received "
                f"{[tuple(part.shape) for part in given]}. initial_state(b) makes one."
            )
        return [ops.cast(ops.convert_to_tensor(part), self._state_dtype) for part in given]

    def compute_output_spec(self, current, initial_state=None, mask=None):
        b, t = (current.shape[0], self.steps) if self.steps else current.shape[:2]
        found = keras.KerasTensor((b, t, self.units), self.compute_dtype)
        voltages = (keras.KerasTensor((b, t, self.units), self._state_dtype),) if self.return_voltages else ()
        state = (keras.KerasTensor((b, self.units), self._state_dtype),) * 2 if self.return_state else ()
        return (found, *voltages, *state) if voltages or state else found

    def compute_mask(self, current, previous_mask=None):
        if not (self.return_voltages or self.return_state):
            return previous_mask
        return [previous_mask] * (1 + self.return_voltages) + [None] * (2 * self.return_state)

    def get_config(self):
        """The constructor's arguments."""
        names = (
            "v_threshold",
            "v_reset",
            "t_ref",
            "surrogate",
            "slope",
            "detach_reset",
            "steps",
            "return_voltages",
            "return_state",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("kzoo.layers")
class LeakyIntegrator(_Leaky):
    """A membrane that never spikes: currents (b, t, u) to the voltages after each step (b, t, u), from rest on.

        tau dV/dt = -(V - v_rest) + resistance I

    It reads the spikes of others out as numbers. Where `mask` (b, t) is False the voltage stays.

    Args:
        units, tau, resistance, v_rest, dt, integration: As in `LIF`.

    Raises:
        ValueError: for an argument out of range, a current that is not (b, t, u), or an empty sequence.
    """

    def __init__(
        self,
        units: int,
        tau: float = 20.0,
        resistance: float = 1.0,
        v_rest: float = 0.0,
        dt: float = 1.0,
        *,
        integration: str = "exact",
        **kwargs,
    ):
        super().__init__(units, tau, resistance, v_rest, dt, integration, **kwargs)

    def call(self, current, mask=None):
        current, mask = self._received(current, mask)
        decay = self.decay

        def step(above, driven):
            above = decay * above + driven
            return above, above

        # V - v_rest, since the scan gives zeros where a mask lets nothing happen before the first step.
        zeros = ops.zeros((ops.shape(current)[1], self.units), dtype=current.dtype)
        options = {} if mask is None else {"mask": mask}
        _, above = backend.scan(step, zeros, (1 - decay) * self.resistance * current, **options)
        return ops.cast(ops.swapaxes(above + self.v_rest, 0, 1), self.compute_dtype)

    def compute_output_shape(self, current_shape):
        return (*current_shape[:2], self.units)
