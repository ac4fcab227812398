"""The loop over time on JAX."""

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kzoo.backend import loops


def scan(step, carry, inputs=None, *, length=None, reverse=False, mask=None, checkpoint=None):
    """See `kzoo.backend.scan`."""
    carry, inputs, mask, length = loops.prepare(carry, inputs, length, mask, checkpoint)
    body = loops.checked(step)
    # Weak types, as those of Python's numbers, would change between one step and the next.
    carry = keras.tree.map_structure(strong, carry)
    if not isinstance(length, int):
        # Keras infers shapes with a symbol for an unknown size: one step tells the shapes of all.
        carry, y = body(carry, jax.tree.map(lambda leaf: leaf[0], inputs))
        return carry, jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (length, *leaf.shape)), y)
    if mask is not None:
        inputs = loops.fill(inputs, mask)
        x = keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[0], inputs)
        _, y = jax.eval_shape(body, carry, x)
        last = keras.tree.map_structure(lambda leaf: None if leaf is None else jnp.zeros(leaf.shape, leaf.dtype), y)
        body, carry, inputs = loops.hold(body, jnp.where), (carry, last), (inputs, mask)

    def strong_body(carry, x):
        carry, y = body(carry, x)
        return keras.tree.map_structure(strong, carry), y

    carry, y = _scan_in_chunks(strong_body, carry, inputs, length, reverse, checkpoint)
    return (carry[0] if mask is not None else carry), y


def strong(leaf):
    return None if leaf is None else lax.convert_element_type(leaf, leaf.dtype)


def _scan_in_chunks(body, carry, inputs, length, reverse, chunk):
    """`lax.scan`, of which the backward pass keeps one carry a chunk and recomputes the rest; None for plain."""
    if chunk is None:
        return lax.scan(body, carry, inputs, length, reverse)

    def stretch(carry, xs, count):
        return lax.scan(body, carry, xs, count, reverse)

    def rematerialised(count):
        # Inside a loop XLA cannot merge the recomputation with the first pass: no barrier against it is needed.
        return jax.checkpoint(lambda carry, xs: stretch(carry, xs, count), prevent_cse=False)

    chunk = min(chunk, length)
    whole = length - length % chunk
    many = jax.tree.map(lambda x: x[:whole].reshape(-1, chunk, *x.shape[1:]), inputs)
    rest = jax.tree.map(lambda x: x[whole:], inputs)
    # The rest, fewer steps than a chunk, stands at the end of time.
    if reverse and whole < length:
        carry, y_rest = rematerialised(length - whole)(carry, rest)
    carry, y = lax.scan(rematerialised(chunk), carry, many, whole // chunk, reverse)
    y = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), y)
    if whole == length:
        return carry, y
    if not reverse:
        carry, y_rest = rematerialised(length - whole)(carry, rest)
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), y, y_rest)
