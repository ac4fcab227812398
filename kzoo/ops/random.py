"""Random numbers that depend on the seed and not on the backend.

`keras.random` hands the seed to the generator of the backend, so that one seed gives three different runs.
Here the seed is the key of one counter-based generator, threefry2x32 with 20 rounds (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"), and word i is the encryption of the counter i:

    word0[i], word1[i] = threefry2x32(key=(seed, draw), counter=(0, i))

`bits`, and so `uniform` and `normal`, join the two words by XOR, as JAX does: on every backend they are the
numbers of `jax.random`. `keep_mask` needs only 16 bits an element, so each counter serves four elements.

`seed` is everywhere an int, a `keras.random.SeedGenerator`, or the key itself: a tensor (2,) as its `next()`
returns. A shape may hold scalar tensors where TensorFlow does not know a size before it runs.

Equal on all backends: `bits`, `lanes`, `randint`, `keep_mask`, `uniform` exactly; `normal` to within 5e-7.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kzoo import backend, seeds

__all__ = ["Seeds", "bits", "dropout", "erfinv", "keep_mask", "kept_fraction", "lanes", "normal", "randint", "uniform"]

# Draws in validation count from here, those in training from 0, so that the two never share a key.
_VALIDATION_START = 2**30


class _ValidationSeedGenerator(keras.random.SeedGenerator):
    """The same seed as in training, with the draws counted from 2**30."""

    def next(self, ordered=True):
        key = super().next(ordered)
        return key + ops.cast(np.array([0, _VALIDATION_START]), key.dtype)


class Seeds(NamedTuple):
    """Two streams of one seed: what validation draws never moves the stream of training.

    Make it with `Seeds.of(seed)` and store it as an attribute of a layer or a model. A named tuple because
    Keras looks into one for what it tracks: both states then are among `model.variables`, and compiled steps
    carry them.
    """

    training: keras.random.SeedGenerator
    validation: keras.random.SeedGenerator

    @classmethod
    def of(cls, seed: int | None = None) -> "Seeds":
        """Both streams of `seed`; None takes one from `kzoo.seeds`, else from Python's `random`."""
        seed = seeds.default() if seed is None else seed
        training = keras.random.SeedGenerator(seed)
        # The default seed is drawn once: a second generator with None would draw another one.
        drawn = int(ops.convert_to_numpy(training.state.value)[0]) if seed is None else seed
        return cls(training, _ValidationSeedGenerator(drawn))

    def next(self, training: bool):
        """The key of the next draw, (2,)."""
        return (self.training if training else self.validation).next()


def bits(shape, seed):
    """Uniform 32-bit words as int32: the numbers of `jax.random.bits(key, shape)`."""
    words = backend.random_bits(_key(seed), _size(shape))
    return ops.reshape(ops.bitwise_xor(words[0], words[1]), shape)


def uniform(shape, seed, minval=0.0, maxval=1.0, dtype=None):
    """Uniform numbers in [minval, maxval), in steps of 2**-23 of the range.

    Rounding to a narrow dtype, or to a range far from 0, may reach maxval itself: bfloat16 does so once in 500 draws.
    """
    unit = _unit(shape, seed)
    span = np.float32(maxval) - np.float32(minval)
    return ops.cast(unit * span + np.float32(minval), dtype or keras.config.floatx())


def normal(shape, seed, mean=0.0, stddev=1.0, dtype=None):
    """Normal numbers, sqrt(2) erfinv(u) with u uniform in (-1, 1)."""
    lowest = np.nextafter(np.float32(-1), np.float32(0))
    # The outer maximum: the rounding of the sum may give -1 itself, whose erfinv is -inf.
    u = ops.maximum(_unit(shape, seed) * (np.float32(1) - lowest) + lowest, lowest)
    standard = np.float32(math.sqrt(2)) * erfinv(u)
    return ops.cast(standard * stddev + mean, dtype or keras.config.floatx())


def randint(shape, seed, minval, maxval):
    """Integers in [minval, maxval) as int32, from 31 bits: no value is likelier by more than span / 2**31."""
    span = maxval - minval
    if not 0 < span < 2**31:
        raise ValueError(f"randint needs minval < maxval < minval + 2**31; received minval={minval}, maxval={maxval}.")
    return minval + ops.mod(_shift_right(bits(shape, seed), 1), span)


def keep_mask(shape, rate, seed):
    """Booleans, which elements a dropout keeps: each True with probability `kept_fraction(rate)`.

    An element is kept where its lane, see `lanes`, is at least round(rate * 65536) - 32768.
    """
    return lanes(shape, seed) >= np.int16(_threshold(rate) - 2**15)


def lanes(shape, seed):
    """Uniform integers in [-32768, 32768) as int16, four to a counter, for what needs no finer numbers.

    Element e takes the signed 16-bit lane e of the words: both halves, the lower first, of the first words of
    ceil(size / 4) counters, then of their second words.
    """
    size = _size(shape)
    words = backend.random_bits(_key(seed), (size + 3) // 4)
    # The last axis of one element, since TensorFlow does not split an axis of unknown size.
    halves = ops.view(ops.reshape(words, (2, -1, 1)), "int16")
    return ops.reshape(ops.reshape(halves, (-1,))[:size], shape)


def kept_fraction(rate: float) -> float:
    """The exact probability with which `keep_mask` keeps an element: 1 - rate to within 2**-17."""
    return 1 - _threshold(rate) / 2**16


def dropout(inputs, rate, seed, noise_shape=None):
    """Zeroes a fraction `rate` of the elements and divides the others by the kept fraction.

    `noise_shape` is the shape of the mask where it is to be broadcast, with None for a size of the inputs:
    `(None, 1, None)` drops whole channels of (b, t, d).
    """
    if rate == 0:
        return inputs
    if rate == 1:
        return ops.zeros_like(inputs)
    shape = ops.shape(inputs)
    if noise_shape is not None:
        shape = [own if size is None else size for size, own in zip(noise_shape, shape, strict=True)]
    # One product for autograd, where a choice between scaled inputs and zeros would take two steps.
    return inputs * (ops.cast(keep_mask(shape, rate, seed), inputs.dtype) * (1 / kept_fraction(rate)))


def erfinv(x):
    """Inverse error function in float32, Giles 2010 ("Approximating the erfinv function"), single precision.

    Written out because the backends' own differ by up to 3e-4 in the tails.
    """
    w = -ops.log1p(-x * x)
    central = w < 5.0
    # The maximum keeps the square root, and its gradient, finite in the branch that is not taken.
    w = ops.where(central, w - 2.5, ops.sqrt(ops.maximum(w, 1e-6)) - 3.0)
    value = ops.where(central, _CENTRAL[0], _TAIL[0])
    for near, far in zip(_CENTRAL[1:], _TAIL[1:], strict=True):
        value = ops.where(central, near, far) + value * w
    return value * x


def _coefficients(*values):
    return tuple(np.float32(value) for value in values)


_CENTRAL = _coefficients(
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = _coefficients(
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def _unit(shape, seed):
    """Uniform float32 in [0, 1): the upper 23 bits, which a float32 holds exactly."""
    return ops.cast(_shift_right(bits(shape, seed), 9), "float32") * np.float32(2.0**-23)


def _shift_right(words, count: int):
    """A logical shift of int32: the arithmetic shift of the backends copies the sign, the mask removes it."""
    return ops.bitwise_and(ops.right_shift(words, count), (1 << (32 - count)) - 1)


def _threshold(rate: float) -> int:
    """How many of the 65,536 values of a lane are dropped; never all, as rate 1 is no matter of chance."""
    return min(round(rate * 2**16), 2**16 - 1)


def _size(shape):
    """The number of elements: an int, or a scalar tensor where a size is known only at run time."""
    size = 1
    for dim in shape:
        size = size * dim
    return size


def _key(seed):
    """The key of one draw, a tensor of two integers."""
    if isinstance(seed, keras.random.SeedGenerator):
        return seed.next()
    if isinstance(seed, int):
        # Read as two's complement, since torch and TensorFlow have no arithmetic for uint32.
        return ops.convert_to_tensor(np.array([seed & 0xFFFFFFFF, 0], "uint32").view("int32"))
    if keras.ops.is_tensor(seed):
        return seed
    raise ValueError(
        f"A seed is an int, a keras.random.SeedGenerator, or a key from its next(); received {seed!r}.\n"
        "To draw anew at each call, keep a generator: self.seeds = keras.random.SeedGenerator(seed)"
    )
