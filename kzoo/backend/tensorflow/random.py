"""Random bits on TensorFlow."""

import tensorflow as tf


def random_bits(key, count):
    """See `kzoo.backend.random_bits`."""
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
