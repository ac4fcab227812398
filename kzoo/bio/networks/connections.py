"""Who is connected to whom: drawn by a seed, or told."""

import math

import numpy as np

from kzoo.errors import ParameterError


def connect(synapses, sources, targets, size, rng):
    """Who is connected: where each neuron's synapses begin, int64 (n + 1,); whom they reach, int32 (s,); and for
    synapses that are given one by one, the order into which they were sorted."""
    order = None
    if synapses.pairs is not None:
        by, to = sources[synapses.pairs[0]], targets[synapses.pairs[1]]
        order = np.argsort(by, kind="stable")
        counts, reached = np.bincount(by, minlength=size), to[order]
    elif synapses.in_degree is not None:
        counts, reached = _with_in_degree(sources, targets, synapses.in_degree, size, rng)
    else:
        counts, reached = _with_probability(sources, targets, synapses.probability, size, rng)
    if len(reached) >= 2**31:
        raise ParameterError(f"synapses: got {len(reached)}; expected less than 2**31 from one `Synapses`.")
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), reached.astype(np.int32, copy=False), order


def _with_probability(sources, targets, probability, size, rng):
    """Each pair independently: the gaps between connected pairs, counted row by row, are geometric."""
    total = len(sources) * len(targets)
    if not probability:
        return np.zeros(size, np.int64), np.zeros(0, np.int32)
    places, last = [], -1
    while last < total:
        expected = (total - last) * probability
        gaps = rng.geometric(probability, int(expected + 4 * math.sqrt(expected) + 16))
        places.append(last + np.cumsum(gaps))
        last = places[-1][-1]
    places = np.concatenate(places)
    rows, columns = np.divmod(places[places < total], len(targets))
    by, to = sources[rows], targets[columns]
    other = by != to
    return np.bincount(by[other], minlength=size), to[other]


def _with_in_degree(sources, targets, in_degree, size, rng):
    """`in_degree` different sources for each target: drawn, and drawn again where one came twice."""
    from scipy.sparse import csr_matrix

    chosen = np.empty((len(targets), in_degree), np.int32)
    position = np.searchsorted(sources, targets)
    position[(position == len(sources)) | (sources[position % len(sources)] != targets)] = len(sources)
    for i in range(0, len(targets), 512):
        own = position[i : i + 512, None]
        # Among all but the target itself; who stands behind it moves up by one.
        choices = len(sources) - (own < len(sources))
        drawn = np.sort(_distinct(rng, len(own), in_degree, choices), axis=1)
        chosen[i : i + 512] = sources[drawn + (drawn >= own)]
    starts = np.arange(0, chosen.size + 1, in_degree) if in_degree else np.zeros(len(targets) + 1, np.int64)
    table = csr_matrix((np.ones(chosen.size, np.int8), chosen.reshape(-1), starts), shape=(len(targets), size)).tocsc()
    return np.diff(table.indptr), targets[table.indices]


def _distinct(rng, rows, count, choices):
    """(rows, count) integers below `choices` (rows, 1), those of a row all different, every set equally likely."""
    if count * 3 > choices.min():
        # Too many would come twice: a random order of all, and its beginning.
        keys = rng.random((rows, int(choices.max())), dtype=np.float32)
        keys[np.arange(keys.shape[1]) >= choices] = 2.0
        return np.argpartition(keys, min(count, keys.shape[1] - 1), axis=1)[:, :count]
    drawn = np.sort(rng.integers(0, choices, (rows, count)), axis=1)
    while True:
        twice = np.zeros(drawn.shape, bool)
        np.equal(drawn[:, 1:], drawn[:, :-1], out=twice[:, 1:])
        where = np.nonzero(twice)
        if not where[0].size:
            return drawn
        drawn[where] = rng.integers(0, choices[where[0], 0])
        drawn = np.sort(drawn, axis=1)
