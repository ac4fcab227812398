"""The selective scan on JAX.

Two loops of `lax.scan` with a gradient written out: what XLA makes of the plain loop and jax.checkpoint takes two to
three times as long.

Axis letters: b batch, t time, d width, n state, c chunks, q steps of a chunk. Inside the state is (b, n, d): the many
channels lie side by side in memory, where the processor adds and multiplies several at once.
"""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

import jax
import jax.numpy as jnp
from jax import lax

from kzoo.backend import selective

# Longer chunks fill the cache with states, shorter ones keep more of them. Measured on one core: forward and backward
# take a tenth longer with 32, and four tenths longer with 64. Shorter ones were not tried.
_CHUNK = 16


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):
    """See `kzoo.backend.selective_scan`."""
    return selective.around(_selective_loop, u, delta, A, B, C, D, z, initial_state, return_state)


def _selective_loop(u, delta, A, B, C, state):
    """y (b, t, d) and the last state (b, d, n): the loop of `selective_scan`, all of it in one dtype."""
    batch, steps, width = u.shape
    if not isinstance(steps, int):
        # Keras infers shapes with a symbol for an unknown size, and no number of chunks follows from that.
        return jnp.zeros((batch, steps, width), u.dtype), state
    count = -(-steps // _CHUNK)
    chunk = -(-steps // count)
    # A step of size 0 changes no state: with such steps the last chunk is made whole.
    pad = ((0, 0), (0, count * chunk - steps), (0, 0))

    def chunked(x):
        x = jnp.swapaxes(jnp.pad(x, pad), 0, 1)
        return x.reshape(count, chunk, *x.shape[1:])

    y, state = _scan(*map(chunked, (u, delta, B, C)), A.T, jnp.swapaxes(state, 1, 2))
    y = jnp.swapaxes(y.reshape(count * chunk, batch, width), 0, 1)
    return y[:, :steps], jnp.swapaxes(state, 1, 2)


@jax.custom_vjp
def _scan(u, delta, B, C, A, state):
    """y (c, q, b, d) and the last state, of u and delta (c, q, b, d), B and C (c, q, b, n), A (n, d)."""
    (y, state), _ = _forward(u, delta, B, C, A, state)
    return y, state


def _advance(A, h, u, delta, B):
    """One step of the state, (b, n, d)."""
    return jnp.exp(delta[:, None] * A) * h + (delta * u)[:, None] * B[..., None]


# Compiled here for the sake of calls that nothing around them compiles: a loop by itself compiles anew at each.
@jax.jit
def _forward(u, delta, B, C, A, state):
    def step(h, x):
        u, delta, B, C = x
        h = _advance(A, h, u, delta, B)
        return h, jnp.sum(h * C[..., None], axis=1)

    def chunk(h, xs):
        after, y = lax.scan(step, h, xs)
        return after, (h, y)

    state, (starts, y) = lax.scan(chunk, state, (u, delta, B, C))
    return (y, state), (u, delta, B, C, A, starts)


@jax.jit
def _backward(kept, cotangents):
    u, delta, B, C, A, starts = kept
    d_y, d_state = cotangents

    def again(h, x):
        u, delta, B, d_y = x
        after = _advance(A, h, u, delta, B)
        return after, (h, jnp.sum(after * d_y[:, None], axis=-1))

    def retreat(carry, x):
        d_h, d_A = carry
        u, delta, B, C, d_y, before = x
        d_h = d_h + d_y[:, None] * C[..., None]
        d_B = jnp.sum(d_h * (delta * u)[:, None], axis=-1)
        d_input = jnp.sum(d_h * B[..., None], axis=1)  # to delta u
        d_h = d_h * jnp.exp(delta[:, None] * A)
        d_exponent = d_h * before  # to delta A
        d_delta = u * d_input + jnp.sum(d_exponent * A, axis=1)
        return (d_h, d_A + jnp.sum(d_exponent * delta[:, None], axis=0)), (delta * d_input, d_delta, d_B)

    def chunk(carry, x):
        d_h, d_A = carry
        start, (u, delta, B, C, d_y) = x
        _, (before, d_C) = lax.scan(again, start, (u, delta, B, d_y))
        # A sum of its own for each chunk: one over all steps would round more.
        carry, gradients = lax.scan(retreat, (d_h, jnp.zeros_like(A)), (u, delta, B, C, d_y, before), reverse=True)
        return (carry[0], d_A + carry[1]), (*gradients, d_C)

    (d_h, d_A), (d_u, d_delta, d_B, d_C) = lax.scan(
        chunk, (d_state, jnp.zeros_like(A)), (starts, (u, delta, B, C, d_y)), reverse=True
    )
    return d_u, d_delta, d_B, d_C, d_A, d_h


_scan.defvjp(_forward, _backward)
