"""Where a layer, an initializer or a stream of noise takes its seed from when none is given.

Keras draws such seeds from Python's one global `random`, which any thread may draw from at the same time: then a seed
does not decide the weights. In a block of `seeded` they come from a generator that belongs to the block alone.
"""

import contextlib
import contextvars
import random

_SOURCE: contextvars.ContextVar[random.Random | None] = contextvars.ContextVar("kzoo_seeds", default=None)


@contextlib.contextmanager
def seeded(seed: int):
    """Lets `seed` decide the seeds of all that is made in the block, in order of construction.

    They are those that Keras would draw after `random.seed(seed)`, whatever other threads do. The caller's own
    generator is left as it was.
    """
    token = _SOURCE.set(random.Random(seed))
    try:
        yield
    finally:
        _SOURCE.reset(token)


def default() -> int | None:
    """The next seed of the block; None outside of one, where Keras is to draw its own."""
    source = _SOURCE.get()
    return None if source is None else source.randint(1, 10**9)  # the range that Keras draws from
