"""Which token comes next: one of those that a model's logits favour, chosen by a number that is drawn elsewhere.

Axis letters: b batch, v vocabulary.
"""

from keras import ops

__all__ = ["choose_token"]

# Of a nucleus so many tokens are looked for first; to sort a whole vocabulary of words takes longer than to read them.
_NUCLEUS = 1024


def choose_token(logits, uniform, temperature, top_k=None, top_p=None, most=None):
    """The token at which the cumulative probability passes a uniform number.

        p = softmax(logits / temperature), 0 outside of the kept, scaled to sum to 1
        token = the first i with p_0 + ... + p_i > uniform

    Kept are the `top_k` most probable tokens, and of these the fewest that together have at least `top_p` of their
    probability: the nucleus of Holtzman et al. 2020, arXiv:1904.09751. Tokens as probable as the last one that is kept
    are kept, too. The tokens stand in the order of their numbers, so that rounding, which differs from backend to
    backend, decides only where `uniform` falls within an ulp of a sum.

    Args:
        logits: (b, v), finite or -inf.
        uniform: (b,), at least 0 and below 1.
        temperature: a scalar above 0: below 1 the probable becomes more probable.
        top_k: a scalar integer from 1 to v, or None for all.
        top_p: a scalar above 0, at most 1, or None for 1.
        most: an int from top_k to v, known when the graph is made; None for v. The smaller, the faster.

    Returns:
        (b,) int32.
    """
    # The largest becomes 0: no temperature makes it overflow.
    scaled = (logits - ops.max(logits, axis=-1, keepdims=True)) / temperature
    probability = ops.exp(scaled)  # times a constant
    if top_k is not None or top_p is not None:
        kept = scaled >= _lowest_kept(scaled, top_k, top_p, most)
        probability = ops.where(kept, probability, ops.zeros_like(probability))
    before = ops.cumsum(probability, axis=-1) - probability
    target = ops.expand_dims(uniform, -1) * ops.sum(probability, axis=-1, keepdims=True)
    # The last one before which no more than the target lies. A sum may be an ulp less than the one before it, so that
    # one looks for it among those of some probability alone.
    numbers = ops.arange(logits.shape[-1], dtype="int32")
    reached = (probability > 0) & (before <= target)
    return ops.max(ops.where(reached, numbers, ops.zeros_like(numbers)), axis=-1)


def _lowest_kept(scaled, top_k, top_p, most):
    """The logit of the least probable token that is kept, (b, 1)."""
    size = scaled.shape[-1]
    if most is None or top_k is None:
        most = min(size, _NUCLEUS) if top_k is None else size
    largest = ops.top_k(scaled, most)[0]  # (b, most), the largest first
    if top_p is None:
        return ops.expand_dims(ops.take(largest, top_k - 1, axis=-1), -1)

    def nucleus(largest, total=None):
        probability = ops.exp(largest)
        if top_k is not None:
            rank = ops.arange(largest.shape[-1], dtype="int32")
            probability = ops.where(rank < top_k, probability, ops.zeros_like(probability))
        sums = ops.cumsum(probability, axis=-1)
        enough = top_p * (sums[:, -1:] if total is None else total)
        inside = (probability > 0) & (sums - probability < enough)
        last = ops.sum(ops.cast(inside, "int32"), axis=-1, keepdims=True) - 1
        return ops.take_along_axis(largest, last, axis=-1), ops.all(sums[:, -1:] >= enough)

    if top_k is not None or most == size:
        return nucleus(largest)[0]
    lowest, found = nucleus(largest, ops.sum(ops.exp(scaled), axis=-1, keepdims=True))
    return ops.cond(found, lambda: lowest, lambda: nucleus(ops.top_k(scaled, size)[0])[0])
