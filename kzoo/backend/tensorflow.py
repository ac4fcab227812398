"""The backend functions on TensorFlow; the files beside this one define the same names, documented alike."""

import os

import keras
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


def conv2d(x, kernel, strides=1, padding="valid", data_format=None, dilation=1, groups=1):
    """2D convolution (cross-correlation, as in Keras): the same numbers as `keras.ops.conv`, up to rounding.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        kernel: weights, (kernel h, kernel w, c / groups, filters).
        strides: an int or a pair.
        padding: "valid" or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        dilation: an int or a pair, the step between the taps of the kernel.
        groups: the number of groups of channels, each convolved with its own share of the filters.

    Returns:
        (b, h', w', filters), or (b, filters, h', w') if `data_format` is "channels_first".
    """
    return keras.ops.conv(x, kernel, strides, padding, data_format, dilation)


def max_pool2d(x, pool_size=2, strides=None, padding="valid", data_format=None):
    """2D max-pooling: the same numbers as `keras.ops.max_pool`.

    Args:
        x: images, (b, h, w, c), or (b, c, h, w) if `data_format` is "channels_first".
        pool_size: an int or a pair, the window.
        strides: an int or a pair; None for the window itself.
        padding: "valid" (a last row or column that fills no window is dropped) or "same".
        data_format: "channels_last", "channels_first", or None for Keras's own setting.

    Returns:
        The maximum of each window, in the layout of `x`.
    """
    return keras.ops.max_pool(x, pool_size, strides, padding, data_format)


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
    words = _random_bits(tf.cast(key, tf.int32), count)
    if isinstance(count, int):
        words.set_shape([2, count])
    return words


# Threefry2x32: by how many bits the four rounds of a group rotate, in turn.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


# Compiled on its own, so that it is one loop over the cache also where the step around it is not compiled.
@tf.function(
    jit_compile=True,
    input_signature=[tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)],
    autograph=False,
)
def _random_bits(key, count):
    key = tf.bitcast(key, tf.uint32)
    key0, key1 = key[0], key[1]
    key2 = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(key0, key1), tf.constant(0x1BD11BDA, tf.uint32))
    word1 = tf.cast(tf.range(count), tf.uint32) + key1
    word0 = tf.zeros_like(word1) + key0

    def four_rounds(group, word0, word1, next0, next1, last, lefts, other_lefts):
        for i in range(4):
            word0 += word1
            left = tf.bitwise.left_shift(word1, lefts[i])
            word1 = tf.bitwise.bitwise_or(left, tf.bitwise.right_shift(word1, 32 - lefts[i]))
            word1 = tf.bitwise.bitwise_xor(word1, word0)
        word0 += next0
        word1 += next1 + tf.cast(group, tf.uint32)
        return group + 1, word0, word1, next1, last, next0, other_lefts, lefts

    # A loop, not twenty rounds written out: XLA would fuse those into each reader of the words and compute
    # them again there, which takes twice as long on a CPU.
    lefts = [tf.constant(group, tf.uint32) for group in _ROTATIONS]
    _, word0, word1, *_ = tf.while_loop(
        lambda group, *_: group <= 5, four_rounds, [1, word0, word1, key1, key2, key0, *lefts]
    )
    return tf.bitcast(tf.stack([word0, word1]), tf.int32)


def devices() -> list[str]:
    """The devices that the backend found, for a reader: `["cpu:0"]`, `["cuda:0 (NVIDIA H200)"]`."""
    found = []
    for device in tf.config.list_physical_devices():
        kind, index = device.name.lower().split(":")[-2:]
        if kind == "xla_cpu" or kind == "xla_gpu":
            continue
        model = tf.config.experimental.get_device_details(device).get("device_name") if kind == "gpu" else None
        found.append(f"{kind}:{index}" + (f" ({model})" if model else ""))
    return found


def thread_count() -> int:
    """The number of CPU threads that one operation of the backend may use."""
    # 0 is TensorFlow's word for "as many as there are cores".
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return tf.config.threading.get_intra_op_parallelism_threads() or cores or 1
