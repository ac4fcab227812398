"""Gradients on TensorFlow."""

import tensorflow as tf


def value_and_grad(fn, variables):
    """See `kzoo.backend.value_and_grad`."""
    values = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss = fn()
    gradients = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # An embedding's gradient is an IndexedSlices, which plain arithmetic does not take.
    return tf.stop_gradient(loss), [tf.stop_gradient(tf.convert_to_tensor(gradient)) for gradient in gradients]


def input_grad(fn, x):
    """See `kzoo.backend.input_grad`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
