"""Portable random numbers: known answers, JAX's own, an independent NumPy reference, and statistics."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from kzoo import backend
from kzoo.ops import random

# Random123, tests/kat_vectors, threefry2x32 with 20 rounds: counter, key, words.
KNOWN_ANSWERS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def threefry(key, counter):
    """Threefry2x32-20 in Python integers, after the paper: other arithmetic than that of any backend."""
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    words = [(counter[i] + keys[i]) % 2**32 for i in range(2)]
    for turn in range(20):
        left = (13, 15, 26, 6, 17, 29, 16, 24)[turn % 8]
        words[0] = (words[0] + words[1]) % 2**32
        words[1] = (words[1] * 2**left % 2**32 + words[1] // 2 ** (32 - left)) ^ words[0]
        if turn % 4 == 3:
            group = turn // 4 + 1
            words[0] = (words[0] + keys[group % 3]) % 2**32
            words[1] = (words[1] + keys[(group + 1) % 3] + group) % 2**32
    return tuple(words)


def key_of(seed, draw=0):
    """The key as the backend's SeedGenerator would give it."""
    generator = keras.random.SeedGenerator(seed)
    for _ in range(draw):
        generator.next()
    return generator.next()


def words_of(key, count):
    return [ops.convert_to_numpy(word).view("uint32") for word in backend.random_bits(key, count)]


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_the_reference_gives_the_known_answers_of_random123(counter, key, words):
    assert threefry(key, counter) == words


def test_the_backend_gives_the_known_answer_of_random123():
    assert [int(word[0]) for word in words_of(random._key(0), 1)] == [0x6B200159, 0x99BA4EFE]


# The last count spans two blocks of the NumPy form, the one before has an odd length.
@pytest.mark.parametrize(("seed", "draw", "count"), [(7, 0, 5), (1_000_000_000, 3, 1), (2**31 - 1, 1, 333)])
def test_the_words_equal_the_reference(seed, draw, count):
    expected = [threefry((seed, draw), (0, i)) for i in range(count)]
    assert list(zip(*words_of(key_of(seed, draw), count), strict=True)) == expected


def test_a_long_draw_continues_a_short_one():
    for long, short in zip(words_of(key_of(3), 40_000), words_of(key_of(3), 100), strict=True):
        np.testing.assert_array_equal(long[:100], short)
    last = [int(word[-1]) for word in words_of(key_of(3), 40_000)]
    assert tuple(last) == threefry((3, 0), (0, 39_999))


def test_an_integer_seed_is_the_first_key_of_its_generator():
    np.testing.assert_array_equal(numpy_of(random.bits((7,), 42)), numpy_of(random.bits((7,), key_of(42))))


@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 3_000_000_000])
def test_an_integer_seed_beyond_31_bits_is_read_as_32(seed):
    expected = [threefry((seed % 2**32, 0), (0, i)) for i in range(3)]
    words = numpy_of(random.bits((3,), seed)).view("uint32")
    assert words.tolist() == [first ^ second for first, second in expected]


def test_every_backend_draws_these_numbers():
    # Literal, so that the session of each backend proves the same.
    assert numpy_of(random.bits((4,), 42)).tolist() == [-1860881759, 281529784, 1639270791, -1237107199]
    assert numpy_of(random.randint((6,), 42, -3, 8)).tolist() == [4, 1, 4, 5, 1, 2]
    assert numpy_of(random.uniform((3,), 42)).tolist() == [
        0.5667296648025513,
        0.06554865837097168,
        0.38167238235473633,
    ]
    assert numpy_of(random.keep_mask((3, 7), 0.4, 42)).astype(int).tolist() == [
        [1, 0, 0, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 0, 1],
        [1, 1, 0, 1, 1, 0, 0],
    ]
    np.testing.assert_allclose(numpy_of(random.normal((3,), 42)), [0.168054238, -1.50978875, -0.301091403], atol=5e-7)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="compares with jax.random")
def test_the_numbers_are_those_of_jax():
    import jax

    key = key_of(42, 3)
    shape = (33, 5)
    np.testing.assert_array_equal(numpy_of(random.bits(shape, key)).view("uint32"), jax.random.bits(key, shape))
    np.testing.assert_array_equal(numpy_of(random.uniform(shape, key)), jax.random.uniform(key, shape))
    np.testing.assert_allclose(numpy_of(random.normal(shape, key)), jax.random.normal(key, shape), atol=5e-7)


def test_draw_two_of_a_seed_is_not_draw_one_of_its_neighbour():
    generator = keras.random.SeedGenerator(42)
    generator.next()
    second_of_42 = numpy_of(random.bits((1000,), generator))
    first_of_43 = numpy_of(random.bits((1000,), keras.random.SeedGenerator(43)))
    # Two of 2**32 values agree by chance about once in four million such pairs.
    assert (second_of_42 != first_of_43).all()


def test_validation_never_moves_the_training_stream():
    plain, disturbed = random.Seeds.of(42), random.Seeds.of(42)
    for _ in range(3):
        disturbed.next(training=False)
        np.testing.assert_array_equal(numpy_of(plain.next(training=True)), numpy_of(disturbed.next(training=True)))


def test_the_streams_of_neighbouring_seeds_share_no_key():
    keys = set()
    for seed in (41, 42, 43):
        seeds = random.Seeds.of(seed)
        keys |= {tuple(numpy_of(seeds.next(training)).tolist()) for training in (True, False) for _ in range(50)}
    assert len(keys) == 300


def test_both_streams_of_a_default_seed_have_the_same_seed():
    keras.utils.set_random_seed(3)
    seeds = random.Seeds.of()
    again = (keras.utils.set_random_seed(3), random.Seeds.of())[1]
    training, validation = numpy_of(seeds.next(True)), numpy_of(seeds.next(False))
    assert training[0] == validation[0] == numpy_of(again.next(True))[0]


def test_the_states_of_seeds_are_variables_of_the_model_that_holds_them():
    class Noisy(keras.Model):
        def __init__(self):
            super().__init__()
            self.seeds = random.Seeds.of(1)
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, x, training=False):
            return self.scale * x + random.normal(ops.shape(x), self.seeds.next(training))

    model = Noisy()
    model.compile("sgd", "mse")
    x = np.zeros((6, 3), "float32")
    model.fit(x, x, batch_size=2, epochs=2, validation_data=(x, x), validation_batch_size=3, verbose=0)
    assert isinstance(model.seeds, random.Seeds)
    for generator in model.seeds:
        assert any(variable is generator.state for variable in model.variables)
    assert len(model.weights) == 1
    # Six steps of training; two of validation in each of two epochs.
    assert int(numpy_of(model.seeds.training.state.value)[1]) == 6
    assert int(numpy_of(model.seeds.validation.state.value)[1]) == 4


def test_each_bit_is_set_half_of_the_time():
    words = numpy_of(random.bits((20_000,), 5)).view("uint32")
    ones = np.array([np.count_nonzero(words & 2**bit) for bit in range(32)])
    # The standard deviation of a count is sqrt(20000) / 2 = 71.
    assert np.abs(ones - 10_000).max() < 4 * 71


def test_uniform_numbers_are_uniform():
    values = numpy_of(random.uniform((20_000,), 5, -2.0, 3.0))
    assert stats.kstest(values, stats.uniform(-2, 5).cdf).pvalue > 0.01
    assert values.min() >= -2
    assert values.max() < 3


def test_normal_numbers_are_normal():
    values = numpy_of(random.normal((200, 100), 6, mean=1.0, stddev=2.0)).ravel()
    assert stats.kstest(values, stats.norm(1, 2).cdf).pvalue > 0.01
    assert abs(values.mean() - 1) < 4 * 2 / np.sqrt(20_000)
    np.testing.assert_allclose(values.std(), 2, rtol=4 / np.sqrt(2 * 20_000))


def test_integers_are_equally_likely():
    values = numpy_of(random.randint((20_000,), 7, -3, 8))
    assert stats.chisquare(np.bincount(values + 3, minlength=11)).pvalue > 0.01
    assert values.dtype == np.int32


def test_an_empty_range_of_integers_is_refused():
    with pytest.raises(ValueError, match="received minval=3, maxval=3"):
        random.randint((2,), 1, 3, 3)


def test_erfinv_inverts_the_error_function_also_in_the_tails():
    from scipy import special

    x = np.concatenate([np.linspace(-0.999, 0.999, 1001), 1 - 2.0 ** -np.arange(10, 24)]).astype("float32")
    # The worst is the rounding of x * x near 1: 2**-26 in 1 - x * x = 2**-12, through 1 / (2 log), is 4e-6.
    # XLA, and so jax.random, rounds alike.
    np.testing.assert_allclose(numpy_of(random.erfinv(ops.convert_to_tensor(x))), special.erfinv(x), rtol=5e-6)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (16, 8, 2)])
def test_the_mask_takes_the_documented_lane_of_the_reference(rate, shape):
    size = int(np.prod(shape))
    quarter = -(-size // 4)
    words = np.array([threefry((9, 0), (0, i)) for i in range(quarter)], dtype="uint32").T
    lanes = np.stack([words & 0xFFFF, words >> 16], axis=-1).ravel()[:size]
    signed = lanes.astype("uint16").view("int16").astype(int)
    expected = (signed >= round(rate * 65536) - 32768).reshape(shape)
    np.testing.assert_array_equal(numpy_of(random.keep_mask(shape, rate, 9)), expected)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5])
def test_the_mask_keeps_the_fraction_that_scaling_assumes(rate):
    kept = numpy_of(random.keep_mask((400, 250), rate, 4))
    fraction = random.kept_fraction(rate)
    assert abs(fraction - (1 - rate)) <= 2**-17
    assert abs(kept.mean() - fraction) < 4 * np.sqrt(fraction * (1 - fraction) / kept.size)
    # No lane may lean on its neighbour: pairs along either axis are independent.
    for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1]), (kept[100:], kept[:-100])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_extreme_rates_stay_a_matter_of_chance_and_finite(rate):
    values = numpy_of(random.dropout(ops.ones((50, 40)), rate, 4))
    assert np.isfinite(values).all()


def test_a_seed_that_is_none_says_what_to_do():
    with pytest.raises(ValueError, match=r"self\.seeds = keras\.random\.SeedGenerator"):
        random.bits((2,), None)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has unknown sizes")
def test_a_size_that_is_unknown_until_it_runs_gives_the_same_numbers(compiled):
    import tensorflow as tf

    signature = [tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([2], tf.int64)]

    @tf.function(input_signature=signature, jit_compile=compiled)
    def draw(x, key):
        kept = random.keep_mask(ops.shape(x), 0.5, key)
        assert kept.shape.as_list() == [None, 3]
        return kept, random.bits(ops.shape(x), key), random.normal(ops.shape(x), key)

    for size in (1, 5):
        kept, words, values = draw(tf.zeros((size, 3)), key_of(42))
        np.testing.assert_array_equal(numpy_of(kept), numpy_of(random.keep_mask((size, 3), 0.5, 42)))
        np.testing.assert_array_equal(numpy_of(words), numpy_of(random.bits((size, 3), 42)))
        np.testing.assert_allclose(numpy_of(values), numpy_of(random.normal((size, 3), 42)), atol=5e-7)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="compares jax.jit with eager JAX")
def test_compiled_and_eager_jax_draw_the_same():
    import jax

    compiled = jax.jit(lambda key: (random.bits((5, 3), key), random.keep_mask((5, 3), 0.5, key)))(key_of(42))
    np.testing.assert_array_equal(compiled[0], random.bits((5, 3), 42))
    np.testing.assert_array_equal(compiled[1], random.keep_mask((5, 3), 0.5, 42))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the torch file has two forms")
def test_the_form_for_an_accelerator_gives_the_words_of_the_form_for_a_cpu(monkeypatch):
    import torch

    expected = words_of(key_of(2**31 - 1, 1), 1001)
    # Where torch compiles, and on a GPU, the words are made of torch's own operations.
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for word, wanted in zip(words_of(key_of(2**31 - 1, 1), 1001), expected, strict=True):
        np.testing.assert_array_equal(word, wanted)
