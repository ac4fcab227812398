"""Numbers in [0, 1] as spikes: at random, as often as they are large, or once, as early as they are large.

The codes stand in `kzoo.ops.spikes`; their spikes are the same on every backend. A constant current needs no code: see
`steps` of `kzoo.layers.lif.LIF`. Axis letters: b batch, t time.
"""

import random

import keras

from kzoo import seeds
from kzoo.layers.checks import positive
from kzoo.ops.spikes import latency_spikes, rate_spikes

__all__ = ["LatencyEncoder", "RateEncoder"]


class _Encoder(keras.layers.Layer):
    """(b, ...) to (b, t, ...)."""

    def __init__(self, steps: int, **kwargs):
        super().__init__(**kwargs)
        self.steps = positive(type(self).__name__, "steps", steps)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.steps, *input_shape[1:])

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable("kzoo.layers")
class RateEncoder(_Encoder):
    """Spikes at random: at each step one with probability x.

    In training each call draws anew, for each sample. Outside of it the draw is always that of `seed` and shared by
    the samples of a batch: the same input has the same spikes each time, whatever stands beside it.

    Args:
        steps: t.
        seed: An int from 0 to 2**31 - 1; None takes one from `kzoo.seeds`, else from Python's `random`, as Keras does.
    """

    def __init__(self, steps: int, seed: int | None = None, **kwargs):
        super().__init__(steps, **kwargs)
        if seed is None:
            drawn = seeds.default()
            seed = random.randint(1, 10**9) if drawn is None else drawn  # the range that Keras draws from
        if type(seed) is not int or not 0 <= seed < 2**31:  # what every backend's generator takes
            raise ValueError(f"RateEncoder: got seed={seed!r}; expected a whole number from 0 to 2**31 - 1.")
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if training:
            return rate_spikes(x, self.steps, self.seed_generator)
        return rate_spikes(x, self.steps, self.seed, shared=True)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("kzoo.layers")
class LatencyEncoder(_Encoder):
    """One spike a value, the earlier the larger it is; none for a value of 0.

    Args:
        steps: t.
    """

    def call(self, x):
        return latency_spikes(x, self.steps)
