"""How TensorFlow calls a function: compiled, and as a step of Keras's training."""

import keras
import tensorflow as tf

from kzoo.backend.read_only import ReadOnly


def compiled(fn, variables):
    """See `kzoo.backend.compiled`."""

    def traced(*arguments):
        with ReadOnly(variables):
            return keras.tree.map_structure(tf.stop_gradient, fn(*arguments))

    # Not autograph, which would rewrite Keras; a graph reads its variables when it runs.
    function = tf.function(traced, autograph=False, jit_compile=True)
    # What is no tensor would be a constant, and a new one a new trace.
    return lambda *arguments: function(*keras.tree.map_structure(tf.convert_to_tensor, arguments))


def run_step(step, args, groups):
    """See `kzoo.backend.run_step`."""
    return step(*args)
