"""The selective scan on PyTorch.

An autograd.Function whose work inside of a chunk is done in place, in buffers that all chunks share.

Axis letters: b batch, t time, d width, n state, c chunks, q steps of a chunk. Inside the state is (b, n, d): the many
channels lie side by side in memory, where the processor adds and multiplies several at once.
"""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

import torch

from kzoo.backend import selective

# How many numbers the states of a chunk are to have, so that the few buffers of that size stay in the cache, and the
# bounds of a chunk: below 16 steps the states kept at the starts of chunks take memory; above 128 was not tried.
_CHUNK_NUMBERS, _CHUNK_BOUNDS = 2**18, (16, 128)


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):
    """See `kzoo.backend.selective_scan`."""
    return selective.around(_selective_loop, u, delta, A, B, C, D, z, initial_state, return_state)


def _selective_loop(u, delta, A, B, C, state):
    """y (b, t, d) and the last state (b, d, n): the loop of `selective_scan`, all of it in one dtype."""
    if any(tensor.is_meta for tensor in (u, delta, A, B, C, state)):
        # Keras infers shapes on this device, where nothing is computed.
        return torch.empty_like(u, device="meta"), torch.empty_like(state, device="meta")
    return _Scan.apply(u, delta, A, B, C, state, torch.is_grad_enabled())


class _Scan(torch.autograd.Function):
    """y (b, t, d) and the last state (b, d, n); the work goes on in views with time first and states (b, n, d)."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C, state, keep):
        (batch, steps, width), n = u.shape, A.shape[1]
        least, most = _CHUNK_BOUNDS
        chunk = min(steps, max(least, min(most, _CHUNK_NUMBERS // (batch * width * n))))
        keep = keep and any(ctx.needs_input_grad)
        starts = u.new_empty((-(-steps // chunk) if keep else 0, batch, n, width))
        y = torch.empty_like(u, memory_format=torch.contiguous_format)
        rates = A.t().contiguous()
        h = state.transpose(1, 2).contiguous()
        us, deltas, Bs, Cs, ys = (x.transpose(0, 1) for x in (u, delta, B, C, y))
        decays, states = (u.new_empty((chunk, batch, n, width)) for _ in range(2))
        for k, first in enumerate(range(0, steps, chunk)):
            part = slice(first, min(first + chunk, steps))
            if keep:
                starts[k] = h
            _, after = _advance(rates, h, us[part], deltas[part], Bs[part], decays, states)
            ys[part] = torch.matmul(Cs[part, :, None], after)[:, :, 0]
            # Not a view of the buffer, which the next chunk overwrites.
            h = after[-1].clone()
        if keep:
            ctx.save_for_backward(u, delta, A, B, C, state, starts)
            ctx.chunk = chunk
        return y, h.transpose(1, 2)

    @staticmethod
    def backward(ctx, d_y, d_state):
        *given, starts = ctx.saved_tensors
        with torch.no_grad():
            gradients = _gradients(*given[:5], starts, ctx.chunk, d_y, d_state)
        return *_Once.apply(*gradients, *given, d_y, d_state), None


def _gradients(u, delta, A, B, C, starts, chunk, d_y, d_state):
    """The gradients of u, delta, A, B, C and the initial state."""
    rates, d_rates = A.t().contiguous(), A.new_zeros(A.shape[::-1])
    d_u, d_delta, d_B, d_C = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (u, delta, B, C))
    d_h = d_state.transpose(1, 2).contiguous()
    us, deltas, Bs, Cs, d_ys = (x.transpose(0, 1) for x in (u, delta, B, C, d_y))
    d_us, d_deltas, d_Bs, d_Cs = (x.transpose(0, 1) for x in (d_u, d_delta, d_B, d_C))
    decays, states, gradients = (u.new_empty((chunk, *starts.shape[1:])) for _ in range(3))
    for k in reversed(range(len(starts))):
        part = slice(k * chunk, min((k + 1) * chunk, len(us)))
        u, delta, d_y = us[part].contiguous(), deltas[part].contiguous(), d_ys[part].contiguous()  # (q, b, d)
        decay, after = _advance(rates, starts[k], u, delta, Bs[part], decays, states)  # (q, b, n, d)

        d_after = torch.mul(d_y[:, :, None], Cs[part, ..., None], out=gradients[: len(u)])
        rows, factors = d_after.unbind(), decay.unbind()
        rows[-1].add_(d_h)
        for i in reversed(range(len(rows) - 1)):
            rows[i].addcmul_(factors[i + 1], rows[i + 1])
        d_h = factors[0] * rows[0]

        d_Cs[part] = torch.matmul(after, d_y[..., None])[..., 0]
        d_Bs[part] = torch.matmul(d_after, (delta * u)[..., None])[..., 0]
        d_input = torch.matmul(Bs[part, :, None], d_after)[:, :, 0]  # to delta u
        d_us[part] = delta * d_input
        # To delta A: the gradient of the state, the decay, and the state before the step.
        d_exponent = decay.mul_(d_after)
        d_exponent[1:].mul_(after[:-1])
        d_exponent[0].mul_(starts[k])
        d_rates += torch.mul(d_exponent, delta[:, :, None], out=d_after).sum((0, 1))
        d_deltas[part] = u * d_input + d_exponent.mul_(rates).sum(2)
    return d_u, d_delta, d_rates.t(), d_B, d_C, d_h.transpose(1, 2)


class _Once(torch.autograd.Function):
    """The six gradients, which depend on all that comes after them in a way that is not differentiated: it raises."""

    @staticmethod
    def forward(ctx, *tensors):
        return tuple(gradient.view_as(gradient) for gradient in tensors[:6])

    @staticmethod
    def backward(ctx, *_):
        raise NotImplementedError(selective.NO_SECOND_DERIVATIVE)


def _advance(rates, h, u, delta, B, decays, states):
    """The decays exp(delta A) and the states after each step of a chunk, (q, b, n, d), written into the buffers."""
    decays = torch.mul(delta[:, :, None], rates, out=decays[: len(u)]).exp_()
    states = torch.mul((delta * u)[:, :, None], B[..., None], out=states[: len(u)])
    for decay, state in zip(decays.unbind(), states.unbind(), strict=True):
        h = state.addcmul_(decay, h)
    return decays, states
