"""The selective scan on TensorFlow.

Loops of `tf.while_loop` with a gradient written out, compiled by XLA, which makes one pass over the cache of what
TensorFlow would compute operation by operation.

Axis letters: b batch, t time, d width, n state, c chunks, q steps of a chunk. Inside the state is (b, n, d): the many
channels lie side by side in memory, where the processor adds and multiplies several at once.
"""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

import functools

import tensorflow as tf

from kzoo.backend import selective

# Longer chunks fill the cache with states, shorter ones keep more of them.
_CHUNK = 16


def selective_scan(u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False):
    """See `kzoo.backend.selective_scan`."""
    return selective.around(_selective_loop, u, delta, A, B, C, D, z, initial_state, return_state)


def _selective_loop(u, delta, A, B, C, state):
    """y (b, t, d) and the last state (b, d, n): the loop of `selective_scan`, all of it in one dtype."""

    @tf.custom_gradient
    def scan(u, delta, A, B, C, state):
        forward, backward = _compiled(u.dtype)
        # Cut from the tape, for which TensorFlow would else prepare a gradient of the loop, in a way that XLA refuses.
        given = [tf.stop_gradient(tensor) for tensor in (u, delta, A, B, C)]
        y, last, starts = forward(*given, tf.stop_gradient(state))

        def pull(d_y, d_last):
            d_y = tf.zeros_like(y) if d_y is None else d_y
            d_last = tf.zeros_like(last) if d_last is None else d_last
            gradients = backward(*given, starts, tf.stop_gradient(d_y), tf.stop_gradient(d_last))
            return _once(*gradients, u, delta, A, B, C, state, d_y, d_last)

        return (tf.ensure_shape(y, u.shape), tf.ensure_shape(last, state.shape)), pull

    return scan(*map(tf.identity, (u, delta, A, B, C, state)))


@tf.custom_gradient
def _once(*tensors):
    """The six gradients, which depend on all that comes after them in a way that is not differentiated: it raises."""

    def refuse(*_):
        raise NotImplementedError(selective.NO_SECOND_DERIVATIVE)

    return [tf.identity(gradient) for gradient in tensors[:6]], refuse


@functools.cache
def _compiled(dtype):
    """The scan and its backward pass for one dtype, of any shape."""
    sequence, matrix = tf.TensorSpec([None] * 3, dtype), tf.TensorSpec([None] * 2, dtype)
    given = [sequence, sequence, matrix, sequence, sequence]
    return (
        tf.function(_forward, [*given, sequence], autograph=False, jit_compile=True),
        tf.function(
            _backward, [*given, tf.TensorSpec([None] * 4, dtype), sequence, sequence], autograph=False, jit_compile=True
        ),
    )


def _while(count, body, state):
    # Without a gradient of its own: _backward is the gradient.
    return tf.while_loop(lambda i, *_: i < count, lambda i, *state: [i + 1, *body(i, *state)], [0, *state])[1:]


def _time_first(*tensors):
    """(b, t, d) <-> (t, b, d)"""
    return [tf.transpose(tensor, (1, 0, 2)) for tensor in tensors]


def _at(t, *tensors):
    return [tf.gather(tensor, t) for tensor in tensors]


def _write(t, targets, values):
    return [target.write(t, value) for target, value in zip(targets, values, strict=True)]


def _empty(like, size):
    """A list of `size` tensors like the slices of `like`."""
    return tf.TensorArray(like.dtype, size, element_shape=like.shape[1:])


def _advance(A, h, u, delta, B):
    """One step of the state, (b, n, d)."""
    return tf.exp(delta[:, None] * A) * h + (delta * u)[:, None] * B[..., None]


def _forward(u, delta, A, B, C, state):
    """y (b, t, d), the last state (b, d, n), and the states at the starts of chunks, (c, b, n, d)."""
    A, state = tf.transpose(A), tf.transpose(state, (0, 2, 1))
    u, delta, B, C = _time_first(u, delta, B, C)
    steps = tf.shape(u)[0]

    def step(t, h, starts, y):
        # Slot k is overwritten until step 16 k, and keeps the state that this chunk starts from.
        starts = starts.write((t + _CHUNK - 1) // _CHUNK, h)
        u_t, delta_t, B_t, C_t = _at(t, u, delta, B, C)
        h = _advance(A, h, u_t, delta_t, B_t)
        return h, starts, y.write(t, tf.reduce_sum(h * C_t[..., None], axis=1))

    starts = _empty(state[None], (steps + _CHUNK - 2) // _CHUNK + 1)
    state, starts, y = _while(steps, step, [state, starts, _empty(u, steps)])
    return *_time_first(y.stack()), tf.transpose(state, (0, 2, 1)), starts.stack()


def _backward(u, delta, A, B, C, starts, d_y, d_state):
    """The gradients of u, delta, A, B, C and the initial state."""
    A, d_state = tf.transpose(A), tf.transpose(d_state, (0, 2, 1))
    u, delta, B, C, d_y = _time_first(u, delta, B, C, d_y)
    steps = tf.shape(u)[0]
    chunks = (steps + _CHUNK - 1) // _CHUNK

    def chunk(back, d_h, d_A, d_C, *gradients):
        k = chunks - 1 - back
        first = k * _CHUNK
        count = tf.minimum(_CHUNK, steps - first)

        def again(i, h, before, d_C):
            u_t, delta_t, B_t, d_y_t = _at(first + i, u, delta, B, d_y)
            before = before.write(i, h)
            h = _advance(A, h, u_t, delta_t, B_t)
            return h, before, d_C.write(first + i, tf.reduce_sum(h * d_y_t[:, None], axis=-1))

        _, before, d_C = _while(count, again, [tf.gather(starts, k), _empty(starts, _CHUNK), d_C])
        before = before.stack()

        def retreat(back, d_h, d_A, *gradients):
            i = count - 1 - back
            u_t, delta_t, B_t, C_t, d_y_t = _at(first + i, u, delta, B, C, d_y)
            d_h += d_y_t[:, None] * C_t[..., None]
            d_B = tf.reduce_sum(d_h * (delta_t * u_t)[:, None], axis=-1)
            d_input = tf.reduce_sum(d_h * B_t[..., None], axis=1)  # to delta u
            d_h *= tf.exp(delta_t[:, None] * A)
            d_exponent = d_h * tf.gather(before, i)  # to delta A
            d_delta = u_t * d_input + tf.reduce_sum(d_exponent * A, axis=1)
            d_A += tf.reduce_sum(d_exponent * delta_t[:, None], axis=0)
            return d_h, d_A, *_write(first + i, gradients, [delta_t * d_input, d_delta, d_B])

        # A sum of its own for each chunk: one over all steps would round more.
        d_h, d_A_here, *gradients = _while(count, retreat, [d_h, tf.zeros_like(A), *gradients])
        return d_h, d_A + d_A_here, d_C, *gradients

    state = [d_state, tf.zeros_like(A), *(_empty(like, steps) for like in (C, u, delta, B))]
    d_h, d_A, *gradients = _while(chunks, chunk, state)
    d_C, d_u, d_delta, d_B = _time_first(*(gradient.stack() for gradient in gradients))
    return d_u, d_delta, tf.transpose(d_A), d_B, d_C, tf.transpose(d_h, (0, 2, 1))
