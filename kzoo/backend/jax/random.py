"""Random bits on JAX."""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import threefry_2x32


def random_bits(key, count):
    """See `kzoo.backend.random_bits`."""
    return _random_bits(jnp.asarray(key), count)


@functools.partial(jax.jit, static_argnums=1)
def _random_bits(key, count):
    # JAX's own primitive, not the rounds written out: XLA would fuse those into each of their readers and
    # compute them again there, which takes three times as long on a CPU.
    counter = lax.iota(jnp.uint32, count)
    words = threefry_2x32(key.astype(jnp.uint32), jnp.concatenate([jnp.zeros_like(counter), counter]))
    return lax.bitcast_convert_type(words, jnp.int32).reshape(2, count)
