"""The selective scan on PyTorch."""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

from keras import ops

from kzoo.backend import selective


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):
    """The selective state space of Mamba (Gu and Dao 2023, arXiv:2312.00752, equation 2), at cost linear in time.

        h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t
        y_t = C_t h_t + D u_t,   and y_t silu(z_t) where there is a gate z

    A differs from channel to channel, B and C are shared by the channels. Axis letters: b batch, t time, d width,
    n state. Differentiable once, with respect to every tensor, the initial state included, and from the last state
    too.

    Args:
        u: the input, (b, t, d).
        delta: the step size, after the softplus, above 0, (b, t, d).
        A: the decay of each state, below 0, (d, n).
        B: how the input enters the state, (b, t, n).
        C: how the state is read, (b, t, n).
        D: the skip connection, (d,), or None for none.
        z: the gate before its silu, (b, t, d), or None for none.
        initial_state: h_0, (b, d, n), or None for zeros.
        return_state: whether to return the last state too.

    Returns:
        y, (b, t, d), in the dtype of u; with `return_state` also h_t of the last step, (b, d, n). The state is
        float32 whatever the dtype of u, but float64 where one of the tensors is.

    Raises:
        ValueError: for shapes that do not go together, an empty sequence, and placeholders of the functional API.
    """
    return selective.around(_loop, u, delta, A, B, C, D, z, initial_state, return_state)


def _loop(u, delta, A, B, C, state):
    from kzoo.backend import scan

    def step(h, x):
        u, delta, B, C = x
        h = ops.exp(delta[..., None] * A) * h + (delta * u)[..., None] * B[:, None]
        return h, ops.sum(h * C[:, None], axis=-1)

    inputs = tuple(ops.swapaxes(x, 0, 1) for x in (u, delta, B, C))
    state, y = scan(step, state, inputs, checkpoint=32)
    return ops.swapaxes(y, 0, 1), state
