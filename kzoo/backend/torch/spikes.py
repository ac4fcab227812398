"""The loop of `integrate_and_fire` on torch, forward and backward in closed form: a few operations in place a step.

Autograd's own backward pass would keep all of a step's intermediate results and visit each of its operations; this one
keeps the voltages alone and writes into one buffer. What both compute stands in `kzoo.ops.spikes`. Masks are numbers, 0
or 1: on a CPU torch fills and chooses by booleans twenty times more slowly than it multiplies.
"""

import math

import torch
from torch.autograd.function import once_differentiable

_SURROGATES = ("straight_through", "fast_sigmoid", "arctan")


def integrate_and_fire(current, v, wait, neuron, steps, voltages):
    """See `kzoo.backend.integrate_and_fire`."""
    kinds = (torch.float32, torch.float64)
    if v.is_meta or v.dtype not in kinds or neuron.surrogate not in _SURROGATES:
        return None
    found = _IntegrateAndFire.apply(current, v, wait, neuron, steps, voltages)
    # A voltage that is nan stays so: the last ones tell. No comparison does, and so the scan is to say when.
    return None if found[2].isnan().any() else found


class _IntegrateAndFire(torch.autograd.Function):
    """(current, v, wait, neuron, steps, voltages) to (spikes, voltages, v, wait), for currents without nan."""

    @staticmethod
    def forward(ctx, current, v, wait, neuron, steps, voltages):
        length = steps or len(current)
        above, spikes = _rows(length, v), _rows(length, v)  # `above`: U of each step
        seen = _rows(length, v) if voltages else None
        free = _rows(length, v) if neuron.wait else None
        v, wait = v.clone(), wait.clone()
        for k in range(length):
            u, spiked = above[k], spikes[k]
            if voltages:
                seen[k] = v
            torch.mul(v, neuron.decay, out=u).add_(current if steps else current[k], alpha=neuron.gain)
            if neuron.offset:
                u.add_(neuron.offset)
            if neuron.wait:
                torch.le(wait, 0, out=free[k])
                u.copy_(torch.lerp(v, u, free[k]))
            torch.gt(u, neuron.v_threshold, out=spiked)
            if neuron.wait:
                spiked.mul_(free[k])
                wait.sub_(1).clamp_(min=0).add_(spiked, alpha=neuron.wait)
            torch.addcmul(u, u, spiked, value=-1, out=v)  # 0 to the last bit where there is a spike
            if neuron.v_reset:
                v.add_(spiked, alpha=neuron.v_reset)
        ctx.save_for_backward(above, spikes, free)
        ctx.neuron, ctx.constant = neuron, bool(steps)
        ctx.mark_non_differentiable(wait)
        ctx.set_materialize_grads(False)
        return spikes, seen, v, wait

    @staticmethod
    @once_differentiable
    def backward(ctx, d_spikes, d_seen, d_v, d_wait):
        (above, spikes, free), neuron = ctx.saved_tensors, ctx.neuron
        scale, gain = neuron.v_threshold - neuron.v_reset, neuron.gain
        zeros, ones = torch.zeros_like(above[0]), torch.ones_like(above[0])
        x, d_u = torch.empty_like(zeros), torch.empty_like(zeros)
        d_current = torch.zeros_like(zeros) if ctx.constant else _rows(len(above), zeros)
        # All d_u and d_v here are multiplied by the gain: a d_u is then the gradient of its current.
        d_v = torch.zeros_like(zeros) if d_v is None else d_v * gain
        for k in reversed(range(len(above))):
            u, spiked = above[k], spikes[k]
            d_s = zeros if d_spikes is None else d_spikes[k]
            if not neuron.detach_reset:
                d_s = torch.addcmul(d_s, d_v, neuron.v_reset - u, value=1 / gain)
            if free is not None:
                d_s = d_s * free[k]
            if not ctx.constant:
                d_u = d_current[k]
            torch.addcmul(d_v, d_v, spiked, value=-1, out=d_u)
            # d_u += gain d_s surrogate(x) / scale, with x in volts
            if neuron.surrogate == "arctan":
                torch.sub(u, neuron.v_threshold, out=x)
                torch.addcmul(ones, x, x, value=(math.pi / 2 * neuron.slope / scale) ** 2, out=x)
                d_u.addcdiv_(d_s, x, value=gain * neuron.slope / 2 / scale)
            elif neuron.surrogate == "fast_sigmoid":
                torch.sub(u, neuron.v_threshold, out=x).abs_()
                torch.add(ones, x, alpha=neuron.slope / scale, out=x).square_()
                d_u.addcdiv_(d_s, x, value=gain / scale)
            else:
                d_u.add_(d_s, alpha=gain / scale)
            if free is None:
                torch.mul(d_u, neuron.decay, out=d_v)
            else:
                torch.addcmul(d_u, d_u, free[k], value=neuron.decay - 1, out=d_v)
                d_u.mul_(free[k])
            if d_seen is not None:
                d_v.add_(d_seen[k], alpha=gain)
            if ctx.constant:
                d_current += d_u
        return d_current, d_v / gain, None, None, None, None


def _rows(length, like):
    """Room for (t, b, u), laid out as (b, t, u): the layer's own order, so that no neighbour copies it."""
    batch, units = like.shape
    return like.new_empty((batch, length, units)).transpose(0, 1)
