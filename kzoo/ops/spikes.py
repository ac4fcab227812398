"""The leaky integrate-and-fire neuron in steps of dt, the surrogate gradients of its spikes, and codes made of spikes.

Axis letters: b batch, t time, u units. The neuron, in any system of units:

    tau dV/dt = -(V - v_rest) + resistance I;   a spike where V > v_threshold, then V = v_reset for t_ref

With a current I_k that is constant during step k, V_k the voltage at its start:

    U = V_inf + (V_k - V_inf) decay,  V_inf = v_rest + resistance I_k;   U = V_k where the neuron is refractory
    S_k = 1 where U > v_threshold and the neuron is not refractory, else 0
    V_{k+1} = v_reset where S_k = 1, else U

decay = exp(-dt / tau) is the exact solution, 1 - dt / tau the forward Euler step. After a spike in step k the neuron is
refractory in the steps before k + t_ref / dt. This is Brian2's order of things: with the same currents both give the
same spikes.

A step function has no gradient to learn from. In its place dS/dU = surrogate(x) / (v_threshold - v_reset) is used, x =
(U - v_threshold) / (v_threshold - v_reset), one of `SURROGATES` (Neftci, Mostafa and Zenke 2019, arXiv:1901.09948).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from kzoo import backend
from kzoo.ops import random

__all__ = [
    "SURROGATES",
    "Neuron",
    "latency_spikes",
    "lif",
    "lif_step",
    "rate_spikes",
    "refractory_steps",
    "spike",
]


def _straight_through(x, slope):
    return ops.ones_like(x)


def _fast_sigmoid(x, slope):
    return 1 / ops.square(slope * ops.abs(x) + 1)


def _arctan(x, slope):
    return (slope / 2) / (ops.square(math.pi / 2 * slope * x) + 1)


# Name -> (derivative, its default slope).
#   straight_through  1: the spike passes for x itself (Bengio et al. 2013, arXiv:1308.3432); has no slope
#   fast_sigmoid      1 / (1 + slope |x|)^2 (Zenke and Ganguli 2018, SuperSpike, arXiv:1705.11146, their beta)
#   arctan            slope / 2 / (1 + (pi / 2 slope x)^2), the derivative of arctan(pi / 2 slope x) / pi + 1 / 2
#                     (Fang et al. 2021, arXiv:2007.05785, who take a slope of 2)
SURROGATES = {
    "straight_through": (_straight_through, 1.0),
    "fast_sigmoid": (_fast_sigmoid, 25.0),
    "arctan": (_arctan, 2.0),
}


class Neuron(NamedTuple):
    """What a step of the neuron needs to know, in one system of units.

    Attributes:
        decay: By what V - V_inf shrinks in a step.
        resistance, v_rest, v_threshold, v_reset: As in the equation.
        wait: For how many steps after that of a spike the neuron is refractory.
        surrogate: One of `SURROGATES`.
        slope: The surrogate's.
        detach_reset: Whether the gradient passes the reset by, as if it were no consequence of V.
    """

    decay: float
    resistance: float
    v_rest: float
    v_threshold: float
    v_reset: float
    wait: int
    surrogate: str
    slope: float
    detach_reset: bool

    @property
    def gain(self) -> float:
        """By what a current of 1 raises the voltage in a step: U = decay V + gain I + offset."""
        return (1 - self.decay) * self.resistance

    @property
    def offset(self) -> float:
        """By what the way back to rest raises the voltage 0 in a step."""
        return (1 - self.decay) * self.v_rest


def refractory_steps(t_ref: float, dt: float) -> int:
    """t_ref in steps of dt, rounded as Brian2 rounds: down, but for a thousandth of a step."""
    return int((t_ref + 1e-3 * dt) / dt)


def spike(x, surrogate: str, slope: float):
    """1 where x > 0, else 0; its derivative is the surrogate's, and where x is nan so is the spike.

    Args:
        x: How far above the threshold a voltage is.
        surrogate: One of `SURROGATES`.
        slope: The surrogate's.
    """
    hard = ops.cast(x > 0, x.dtype)
    derivative, _ = SURROGATES[surrogate]
    # x - x is 0, so that the value is the step's to the last bit.
    return hard + (x - ops.stop_gradient(x)) * ops.stop_gradient(derivative(x, slope))


class LIFStep(NamedTuple):
    """What a step of the neuron computed, each (b, u): its spikes, and the state after it."""

    spikes: Any
    v: Any
    wait: Any


def lif_step(drive, v, wait, neuron: Neuron) -> LIFStep:
    """One step of the neuron.

    Args:
        drive: gain I + offset, (b, u): what no loop is needed for.
        v: Voltage at the start of the step, (b, u).
        wait: For how many steps more the neuron is refractory, a whole number in the dtype of `v`, (b, u); None where a
            neuron never is.
        neuron: The constants.
    """
    u = neuron.decay * v + drive
    if wait is not None:
        free = wait <= 0
        u = ops.where(free, u, v)
    x = (u - neuron.v_threshold) / (neuron.v_threshold - neuron.v_reset)
    spikes = spike(x, neuron.surrogate, neuron.slope)
    if wait is not None:
        spikes = ops.where(free, spikes, ops.zeros_like(spikes))
    spiked = ops.stop_gradient(spikes) > 0
    reset = ops.where(spiked, ops.full_like(u, neuron.v_reset), u)
    v = reset if neuron.detach_reset else u * (1 - spikes) + neuron.v_reset * spikes
    if wait is not None:
        wait = ops.where(spiked, ops.full_like(wait, neuron.wait), ops.maximum(wait - 1, 0))
    return LIFStep(spikes, v, wait)


def lif(current, v, wait, neuron: Neuron, *, steps: int | None = None, voltages: bool = False, mask=None):
    """All steps of the neuron.

    Args:
        current: I, (t, b, u), of at least one step; or with `steps` (b, u), the same at each of them.
        v: Voltage at the start of the first step, (b, u).
        wait: As in `lif_step`, (b, u); of no effect where `neuron.wait` is 0.
        neuron: The constants.
        steps: t, where the current is constant.
        voltages: Whether to give V at the start of each step.
        mask: (t, b) beside a current (t, b, u), True where a sample has a step. Elsewhere nothing happens to it,
            whatever its current is.

    Returns:
        Spikes (t, b, u); voltages (t, b, u) or None; the voltage after the last step, and `wait` then, (b, u).
    """
    if mask is None:
        found = backend.integrate_and_fire(current, v, wait, neuron, steps, voltages)
        if found is not None:
            return found
    drive = neuron.gain * current + neuron.offset
    if mask is not None:
        mask = ops.expand_dims(mask, -1)
        drive = ops.where(mask, drive, ops.zeros_like(drive))

    def step(state, given):
        # What is constant is closed over: its gradient is summed on the way back, not gathered and summed then.
        driven, valid = (drive, None) if steps else given
        done = lif_step(driven, *state, neuron)
        v, wait, spikes = done.v, done.wait, done.spikes
        if valid is not None:
            spikes = ops.where(valid, spikes, ops.zeros_like(spikes))
            v = ops.where(valid, v, state[0])
            wait = None if wait is None else ops.where(valid, wait, state[1])
        return (v, wait), (spikes, state[0] if voltages else None)

    state, inputs = (v, wait if neuron.wait else None), None if steps else (drive, mask)
    (v, after), (spikes, seen) = backend.scan(step, state, inputs, length=steps)
    return spikes, seen, v, wait if after is None else after


def rate_spikes(x, steps: int, seed, *, shared: bool = False):
    """Spikes at random: at each step one with probability x, the same on every backend for the same seed.

    Probabilities are exact to 2**-16. A value of 1 or more spikes at every step, one of 0 or less at none.

    Args:
        x: (b, ...).
        steps: t.
        seed: As everywhere in `kzoo.ops.random`.
        shared: Whether all samples of the batch share one draw, so that each is coded as it would be alone.

    Returns:
        (b, t, ...) of 0 and 1, in the dtype of `x`.
    """
    batch, *rest = ops.shape(x)
    lanes = random.lanes((1 if shared else batch, steps, *rest), seed)
    # In [-2**15, 2**15); in float32 both sides are exact, so that no backend rounds otherwise.
    least = ops.cast(ops.expand_dims(x, 1), "float32") * 2.0**16 - 2.0**15
    return ops.cast(ops.cast(lanes, "float32") < least, x.dtype)


def latency_spikes(x, steps: int):
    """One spike a value, the earlier the larger it is: at step j where 1 - (j + 1) / t < x <= 1 - j / t.

    A value above 1 spikes at the first step, one of 0 or less never.

    Args:
        x: (b, ...).
        steps: t.

    Returns:
        (b, t, ...) of 0 and 1, in the dtype of `x`.
    """
    shape = (steps,) + (1,) * (len(x.shape) - 1)
    bounds = (np.arange(steps, -1, -1) / steps).astype("float32")  # compared, not computed: no backend rounds otherwise
    upper, lower = bounds[:-1].copy(), bounds[1:]
    upper[0] = np.inf
    x32 = ops.cast(ops.expand_dims(x, 1), "float32")
    found = ops.logical_and(ops.greater(x32, lower.reshape(shape)), ops.less_equal(x32, upper.reshape(shape)))
    return ops.cast(found, x.dtype)
