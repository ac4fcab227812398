"""`Dropout` and `GaussianNoise`: Keras's own layers with noise that depends on the seed, not on the backend.

Each takes one option beyond Keras's: `portable`. True draws from `kzoo.ops.random`, so that one seed gives
the same noise on every backend. False draws from `keras.random`, the backend's own generator, for a recipe in
which portable noise costs more than it can spare. Either way the layer draws nothing outside training.
"""

import keras
from keras import ops

from kzoo import seeds
from kzoo.ops import random


@keras.saving.register_keras_serializable("kzoo")
class Dropout(keras.layers.Dropout):
    """Zeroes a fraction of the inputs in training: y = x * kept / kept_fraction(rate).

    kept is 1 with probability kept_fraction(rate) = 1 - round(rate * 65536) / 65536, else 0.

    Args:
        rate: the fraction to drop, 0 to 1.
        noise_shape: the shape of the mask, None for a size of the inputs: `(None, 1, None)` drops whole
            channels of (b, t, d), `(None, 1, 1, None)` of (b, h, w, c).
        seed: an int; None takes one from `kzoo.seeds`, else from Python's `random`, as in Keras.
        portable: whether the mask is the same on every backend.
    """

    def __init__(self, rate, noise_shape=None, seed=None, portable=True, **kwargs):
        if seed is None and rate > 0:  # Keras draws a seed only where one is used
            seed = seeds.default()
        super().__init__(rate, noise_shape=noise_shape, seed=seed, **kwargs)
        self.portable = portable

    def call(self, inputs, training=False):
        if not self.portable or not training or self.rate == 0:
            return super().call(inputs, training=training)
        return random.dropout(inputs, self.rate, self.seed_generator, self.noise_shape)

    def get_config(self):
        return {**super().get_config(), "portable": self.portable}


@keras.saving.register_keras_serializable("kzoo")
class GaussianNoise(keras.layers.GaussianNoise):
    """Adds normal noise in training: y = x + stddev * n, n ~ N(0, 1).

    Args:
        stddev: the standard deviation of the noise, 0 to 1, in the unit of the inputs.
        seed: an int; None takes one from `kzoo.seeds`, else from Python's `random`, as in Keras.
        portable: whether the noise is the same on every backend, to within 5e-7 * stddev.
    """

    def __init__(self, stddev, seed=None, portable=True, **kwargs):
        if seed is None and stddev > 0:
            seed = seeds.default()
        super().__init__(stddev, seed=seed, **kwargs)
        self.portable = portable

    def call(self, inputs, training=False):
        if not self.portable or not training or self.stddev == 0:
            return super().call(inputs, training=training)
        shape = ops.shape(inputs)
        return inputs + random.normal(shape, self.seed_generator, stddev=self.stddev, dtype=inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "portable": self.portable}
