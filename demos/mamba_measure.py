"""What reading costs, measured where the page runs: a text at once and step by step, and one character more after N.

Axis letters: t time, v vocabulary.
"""

import functools
import time
from typing import NamedTuple

import kit
import numpy as np

import kzoo

CHECKED = 128  # characters of a text that are read both ways; shorter texts are filled up, so that one size is compiled
LENGTHS = (64, 256, 1024, 4096, 16384)  # characters read before the one that is timed
STEPS = 8  # characters in one timing
BOUND = 12.0  # seconds after which no further length is begun


class BothWays(NamedTuple):
    """A text read by the scan, all of it at once, and step by step.

    Attributes:
        count: How many characters.
        difference: The largest difference between two logits of the same character.
        reach: The largest logit, to see the difference beside.
        scan, step: Seconds that the whole took.
    """

    count: int
    difference: float
    reach: float
    scan: float
    step: float


def read_both_ways(model, tokens) -> BothWays:
    """Reads the first `CHECKED` of the tokens (t,) by `stream` and by `step`; each twice, and the second is timed."""
    tokens = np.asarray(tokens, "int32")[:CHECKED]
    filled = np.zeros((1, CHECKED), "int32")
    filled[0, : len(tokens)] = tokens
    scan, step = _readers(model)
    at_once, seconds = _timed(lambda: scan(filled))
    one_by_one, slow = _timed(lambda: step(filled, np.int32(len(tokens))))
    a, b = (np.asarray(logits[: len(tokens)], float) for logits in (at_once, one_by_one))
    return BothWays(len(tokens), float(np.abs(a - b).max()), float(np.abs(a).max()), seconds, slow)


def _timed(read):
    """The answer as an array, and the seconds of the second of two times: the first may compile."""
    from keras import ops

    for _ in range(2):
        began = time.perf_counter()
        answer = ops.convert_to_numpy(read())
        seconds = time.perf_counter() - began
    return answer, seconds


@functools.lru_cache(maxsize=2)
def _readers(model):
    """Two compiled functions: tokens (1, t) to logits (t, v) at once, and the first so many of them step by step."""
    import keras
    from keras import ops

    def scan(tokens):
        return model.stream(tokens, model.initial_state(1))[0][0]

    def step(tokens, count):
        state = model.initial_state(1)
        logits = ops.zeros((CHECKED, model.num_outputs))

        def advance(i, logits, *leaves):
            said, after = model.step(ops.take(tokens, i, axis=1), keras.tree.pack_sequence_as(state, leaves))
            logits = ops.where(ops.arange(CHECKED, dtype="int32")[:, None] == i, said, logits)
            return i + 1, logits, *keras.tree.flatten(after)

        start = (ops.zeros((), "int32"), logits, *keras.tree.flatten(state))
        return ops.while_loop(lambda i, *_: i < count, advance, start)[1]

    return kzoo.backend.compiled(scan, model.variables), kzoo.backend.compiled(step, model.variables)


# --- one character more --------------------------------------------------------------------------------------------


@functools.cache
def transformer():
    """An untrained transformer as wide as the page's model and with about as many weights: it learns nothing here."""
    return kzoo.create_model(
        "transformer", seed=0, input_shape=(None,), num_outputs=65, vocabulary=65, positions="rotary", name="beside"
    )


def kilobytes(model, length: int) -> float:
    """What a model keeps of one text of `length` characters: the state of Mamba, the cache of a transformer."""
    import keras

    def size(parts):
        return sum(int(np.prod(part.shape)) * 4 for part in keras.tree.flatten(parts))

    # The least cache twice: what grows grows evenly, and no large one is made to be measured.
    one, two = (size(model.initial_state(1, places)) for places in (1, 2))
    return (one + (two - one) * (length - 1)) / 1000


def seconds_a_character(model, length: int) -> float:
    """Seconds for one character more after `length` characters, in the loop that writes texts.

    Of six times STEPS characters the fastest counts; before them the function is compiled, where the backend does so.
    """
    from keras import ops

    advance = _advance(model)
    state = model.initial_state(1, length)
    if isinstance(state, tuple):  # a transformer's: where it stands, and its cache
        state = (ops.convert_to_tensor(max(length - STEPS, 0), "int32"), state[1])
    token, times = np.zeros(1, "int32"), []
    for _ in range(7):
        began = time.perf_counter()
        ops.convert_to_numpy(advance(token, state))
        times.append((time.perf_counter() - began) / STEPS)
    return min(times[1:])


@functools.lru_cache(maxsize=4)
def _advance(model):
    """A compiled function that goes on for STEPS characters and gives the last of them."""
    import keras
    from keras import ops

    def advance(token, state):
        def step(i, token, *leaves):
            logits, after = model.step(token, keras.tree.pack_sequence_as(state, leaves))
            return i + 1, ops.cast(ops.argmax(logits, axis=-1), "int32"), *keras.tree.flatten(after)

        start = (ops.zeros((), "int32"), token, *keras.tree.flatten(state))
        return ops.while_loop(lambda i, *_: i < STEPS, step, start)[1]

    return kzoo.backend.compiled(advance, model.variables)


def race(model, bound: float = BOUND):
    """Times a character of both models after more and more characters, until all LENGTHS are done or `bound` is over.

    Yields:
        The lengths so far, and {"mamba": [...], "transformer": [...]}, milliseconds a character.
    """
    found = {"mamba": [], "transformer": []}
    began = time.monotonic()
    for count, length in enumerate(LENGTHS, 1):
        if time.monotonic() - began > bound:
            return
        with kit.alone(model):
            found["mamba"].append(1000 * seconds_a_character(model, length))
        other = transformer()
        with kit.alone(other):
            found["transformer"].append(1000 * seconds_a_character(other, length))
        yield LENGTHS[:count], {name: list(values) for name, values in found.items()}
