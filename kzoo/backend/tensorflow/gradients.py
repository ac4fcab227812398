"""Gradients on TensorFlow."""

import tensorflow as tf


def value_and_grad(fn, variables):
    """The scalar `fn()` and its gradients with respect to Keras variables.

    Every side effect of `fn` on any Keras variable (batch-normalisation statistics, seed generators,
    metrics) stands after the call, as if `fn()` had been called plainly. A variable that the loss does not
    depend on gets a gradient of zeros on every backend, and gradients are dense tensors. A variable is
    differentiated whether or not it is `trainable`: the caller lists what it wants. No gradient of any other
    variable is touched.

    Args:
        fn: a function of no arguments that returns a scalar tensor. The layers it calls must be built.
        variables: a list of Keras variables.

    Returns:
        The loss and a list of gradients, one for each of `variables`, all cut from the graph: they are numbers to an
        outer derivative, on every backend.
    """
    values = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss = fn()
    gradients = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # An embedding's gradient is an IndexedSlices, which plain arithmetic does not take.
    return tf.stop_gradient(loss), [tf.stop_gradient(tf.convert_to_tensor(gradient)) for gradient in gradients]


def input_grad(fn, x):
    """The gradient of `fn` with respect to its argument, sample by sample, which can be differentiated again.

    For a penalty on gradients, such as WGAN-GP's: the penalty is a part of a loss that `value_and_grad` differentiates.
    Every side effect of `fn` on Keras variables stands, as in `value_and_grad`.

    Args:
        fn: a function of a tensor (b, ...) to a tensor whose first axis is b; each output depends on its own sample.
        x: (b, ...).

    Returns:
        d sum(fn(x)) / dx, of the shape of `x`: for each sample the gradient of the sum of its own outputs.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        total = tf.reduce_sum(fn(x))
    return tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
