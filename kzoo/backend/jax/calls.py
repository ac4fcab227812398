"""How JAX calls a function: compiled, and as a step of Keras's training."""

import jax
import jax.numpy as jnp
import keras
from jax import lax

from kzoo.backend.jax.loops import strong
from kzoo.backend.read_only import ReadOnly


def compiled(fn, variables):
    """`fn` compiled where the backend compiles: for answers, not for learning.

    JAX and TensorFlow trace `fn` once for each set of shapes and dtypes and compile it whole; torch runs it as it
    stands, in its inference mode. The variables are read anew at each call, so that what is loaded or learned
    meanwhile counts; none is a constant of the compiled code. No gradient goes through the results.

    Args:
        fn: a function of nests of tensors to a nest of tensors. It may read Keras variables and assigns none; the
            layers that it calls are built.
        variables: a list of all the Keras variables that it reads.

    Returns:
        A function of the same arguments, each a nest of tensors or NumPy arrays, to the same results.

    Raises:
        ValueError: when called, if `fn` assigns a variable, or reads one that is not listed.
    """

    def pure(values, *arguments):
        with ReadOnly(variables, values):
            # Weak types would compile once more where a result comes back as an argument.
            return jax.tree.map(lambda leaf: strong(lax.stop_gradient(jnp.asarray(leaf))), fn(*arguments))

    # As an argument a weight stays where it is; a constant would be copied into the code, and go stale.
    jitted = jax.jit(pure)
    return lambda *arguments: jitted([variable.value for variable in variables], *arguments)


def run_step(step, args, groups):
    """Runs the body of a training or test step as Keras calls it on this backend, and returns what Keras expects.

    Keras hands a step only the data on torch and TensorFlow; on JAX it hands over the values of all variables too, and
    wants the new ones back. Here the body is the same everywhere: a function of the data that reads and assigns Keras
    variables.

    Args:
        step: a function (data) -> logs.
        args: what Keras called `train_step` or `test_step` with.
        groups: lists of Keras variables, in the order in which JAX's trainer of Keras hands their values over.

    Returns:
        The logs; on JAX the logs and the new values, grouped as they came.
    """
    state, data = args
    pairs = [pair for group, values in zip(groups, state, strict=True) for pair in zip(group, values, strict=True)]
    with keras.StatelessScope(pairs) as scope:
        logs = step(data)
    return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)
