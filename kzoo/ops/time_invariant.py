"""The scan of `kzoo.backend.selective_scan` where delta, B and C are the same at every step: a time-invariant system.

S4D with real decays: Gu et al. 2022, arXiv:2206.11893. Axis letters: b batch, t time, d width, n state.
"""

# ruff: noqa: N803 (A, B, C and D are the matrices of the equations)

from keras import ops

__all__ = ["scan", "step"]


def step(u, delta, A, B, C, D, z, state):
    """One step of `scan`: u, delta and z (b, d), state (b, d, n) to y (b, d) and the next state."""
    wide = ops.cast(u, state.dtype)
    state = ops.exp(ops.multiply(delta[..., None], A)) * state + (delta * wide)[..., None] * B
    y = ops.cast(ops.sum(state * C, axis=-1) + ops.multiply(wide, D), u.dtype)
    return y * ops.silu(z), state


def scan(u, delta, A, B, C, D, z, initial_state=None, return_state=False):
    """All steps as one long convolution, by a Fourier transform.

        y_t = (sum over s <= t of K_{t-s} u_s + D u_t) silu(z_t),   K_s = C exp(s delta A) delta B summed over n

    Args:
        u, delta, z: (b, t, d); of delta the first step counts.
        A, B, C: (d, n).
        D: (d,).
        initial_state: (b, d, n) or None.
        return_state: Whether to give the last state, too.
    """
    delta, wide = delta[0, 0], ops.swapaxes(ops.cast(u, delta.dtype), 1, 2)  # (d,), (b, d, t)
    steps = ops.cast(ops.arange(ops.shape(u)[1] + 1), delta.dtype)
    decay = ops.exp(ops.multiply((delta[:, None] * A)[..., None], steps))  # (d, n, t + 1)
    entering = (delta[:, None] * B)[..., None] * decay[..., :-1]
    kernel = ops.sum(C[..., None] * entering, axis=1)
    # Twice as long, since the convolution of a transform is a circle.
    real, imaginary = ops.rfft(ops.concatenate([wide, ops.zeros_like(wide)], axis=-1))
    k_real, k_imaginary = ops.rfft(ops.concatenate([kernel, ops.zeros_like(kernel)], axis=-1))
    product = real * k_real - imaginary * k_imaginary, real * k_imaginary + imaginary * k_real
    y = ops.irfft(product)[..., : u.shape[1]] + wide * ops.reshape(D, (-1, 1))
    if initial_state is not None:
        y = y + ops.einsum("bdn,dnt->bdt", initial_state * C, decay[..., 1:])
    y = ops.cast(ops.swapaxes(y, 1, 2), u.dtype) * ops.silu(z)
    if not return_state:
        return y
    state = ops.einsum("dnt,bdt->bdn", ops.flip(entering, axis=-1), wide)
    if initial_state is not None:
        state = state + decay[..., -1] * initial_state
    return y, state
