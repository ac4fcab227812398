"""How PyTorch calls a function: compiled, and as a step of Keras's training."""

import keras
import torch

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

    def call(*arguments):
        with torch.inference_mode(), ReadOnly(variables):
            return fn(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

    return call


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
    # Optimizers and averages assign to leaves of the graph; `value_and_grad` turns gradients on for itself.
    with torch.no_grad():
        return step(*args)
