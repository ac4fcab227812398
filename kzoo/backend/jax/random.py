"""Random bits on JAX."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import threefry_2x32


def random_bits(key, count):
    """`count` draws of two random 32-bit words: threefry2x32 with 20 rounds, the same bits on every backend.

    Draw i is the encryption of the counter (0, i) by the key (Salmon et al. 2011, as in Random123 and JAX).

    Args:
        key: two integers, a tensor (2,) such as `keras.random.SeedGenerator.next()` returns; only the lower
            32 bits of each count.
        count: the number of draws, an int, or a scalar int32 tensor on TensorFlow.

    Returns:
        The first words and the second words, an int32 tensor (2, count).
    """
    return _random_bits(jnp.asarray(key), count)


@functools.partial(jax.jit, static_argnums=1)
def _random_bits(key, count):
    # JAX's own primitive, not the rounds written out: XLA would fuse those into each of their readers and
    # compute them again there, which takes three times as long on a CPU.
    counter = lax.iota(jnp.uint32, count)
    words = threefry_2x32(key.astype(jnp.uint32), jnp.concatenate([jnp.zeros_like(counter), counter]))
    return lax.bitcast_convert_type(words, jnp.int32).reshape(2, count)
