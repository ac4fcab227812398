"""How TensorFlow calls a function: compiled, and as a step of Keras's training."""

import keras
import tensorflow as tf

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

    def traced(*arguments):
        with ReadOnly(variables):
            return keras.tree.map_structure(tf.stop_gradient, fn(*arguments))

    # Not autograph, which would rewrite Keras; a graph reads its variables when it runs.
    function = tf.function(traced, autograph=False, jit_compile=True)
    # What is no tensor would be a constant, and a new one a new trace.
    return lambda *arguments: function(*keras.tree.map_structure(tf.convert_to_tensor, arguments))


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
    return step(*args)
