"""How JAX calls a function: compiled, and as a step of Keras's training."""

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kzoo.backend.jax.loops import strong
from kzoo.backend.read_only import ReadOnly


def compiled(fn, variables):
    """See `kzoo.backend.compiled`."""

    def pure(values, *arguments):
        with ReadOnly(variables, values):
            # Weak types would compile once more where a result comes back as an argument.
            return jax.tree.map(lambda leaf: strong(lax.stop_gradient(jnp.asarray(leaf))), fn(*arguments))

    # As an argument a weight stays where it is; a constant would be copied into the code, and go stale.
    jitted = jax.jit(pure)
    return lambda *arguments: jitted([variable.value for variable in variables], *arguments)


def run_step(step, args, groups):
    """See `kzoo.backend.run_step`."""
    state, data = args
    pairs = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
    with keras.StatelessScope(pairs) as scope:
        logs = step(data)
    return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)
