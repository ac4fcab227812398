"""Scaled dot-product attention, rotary positions, and a cache of keys and values for reading a text in pieces.

Vaswani et al., "Attention is all you need", 2017 (arXiv:1706.03762). Rotary positions: Su et al., "RoFormer", 2021
(arXiv:2104.09864).

Axis letters: b batch, h heads, t queries in the order of time, s keys in the order of time, p width of a head.

    weights_{ts} = softmax over s of (q_t . k_s / sqrt(p)), over those keys that t may see
    y_t          = sum over s of weights_{ts} v_s
"""

import math

from keras import ops

__all__ = ["attend", "attention_weights", "causal_mask", "merge_heads", "rotary", "split_heads", "write"]

# What a score becomes that is not to be seen: its weight underflows to 0, and no row turns to nan as with -inf.
_HIDDEN = -1e9


def causal_mask(num_queries, num_keys, start=0):
    """Which keys a query may see: those of its own time and before.

    Args:
        num_queries: t.
        num_keys: s; the first key stands at time 0.
        start: The time of the first query, a number or a scalar int32 tensor.

    Returns:
        bool (t, s), True where s <= start + t.
    """
    times = ops.arange(num_queries, dtype="int32") + start
    return ops.expand_dims(times, 1) >= ops.arange(num_keys, dtype="int32")


def attention_weights(queries, keys, mask=None):
    """How much each query takes of each key.

    Args:
        queries: (b, h, t, p).
        keys: (b, h, s, p).
        mask: bool, (t, s) or what broadcasts to (b, h, t, s), True where a key may be seen; None for everywhere. Each
            query must see one key at least.

    Returns:
        (b, h, t, s) in float32, also under mixed precision; at least 0, and each row sums to 1.
    """
    # The queries are scaled, not the scores, which are more numbers as soon as a text is longer than a head is wide.
    scores = ops.matmul(queries * (1 / math.sqrt(queries.shape[-1])), ops.swapaxes(keys, -2, -1))
    scores = ops.cast(scores, "float32")
    if mask is not None:
        scores = ops.where(mask, scores, _HIDDEN)
    return ops.softmax(scores, axis=-1)


def attend(queries, keys, values, mask=None):
    """Each query's mean of the values, weighed by `attention_weights`.

    Args:
        queries: (b, h, t, p).
        keys: (b, h, s, p).
        values: (b, h, s, p).
        mask: As in `attention_weights`.

    Returns:
        (b, h, t, p) in the dtype of the values.
    """
    return ops.matmul(ops.cast(attention_weights(queries, keys, mask), values.dtype), values)


def rotary(x, start=0, base: float = 10_000.0):
    """Turns pairs of a head's numbers by angles that grow with time, so that q_t . k_s depends on t - s alone.

        y_i       = x_i cos(a_i) - x_{i + p/2} sin(a_i)
        y_{i+p/2} = x_i sin(a_i) + x_{i + p/2} cos(a_i),      a_i = (start + t) base^(-2i / p),   i below p/2

    Differs from the paper: the two numbers of a pair stand half a head apart, as in GPT-NeoX and Llama; the paper's
    stand side by side, which is another order of the columns of queries and keys and nothing else.

    Args:
        x: Queries or keys, (b, h, t, p), p even.
        start: The time of the first of them, a number or a scalar int32 tensor.
        base: How slowly the slowest pair turns.

    Returns:
        (b, h, t, p), of the same length at each time as x.

    Raises:
        ValueError: if p is odd.
    """
    width = x.shape[-1]
    if width % 2:
        raise ValueError(
            f"Rotary positions turn pairs of numbers, so a head must have an even width; received {width}. "
            "Take another number of heads, or learned positions."
        )
    x = ops.convert_to_tensor(x)
    # Angles of some thousand steps need float32, whatever x is.
    times = ops.cast(ops.arange(ops.shape(x)[2], dtype="int32") + start, "float32")
    rates = ops.convert_to_tensor([base ** (-2 * i / width) for i in range(width // 2)], dtype="float32")
    angles = ops.expand_dims(times, 1) * rates  # (t, p / 2)
    cos, sin = ops.cast(ops.cos(angles), x.dtype), ops.cast(ops.sin(angles), x.dtype)
    first, second = x[..., : width // 2], x[..., width // 2 :]
    return ops.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def write(cache, pieces, start):
    """A cache with new keys or values in it.

    Args:
        cache: (b, h, s, p).
        pieces: (b, h, t, p), t at most s.
        start: The place of the first of them, a number or a scalar int32 tensor. Where start + t is beyond s the
            backends differ: see to it before.

    Returns:
        (b, h, s, p).
    """
    return ops.slice_update(cache, (0, 0, start, 0), ops.cast(pieces, cache.dtype))


def split_heads(x, num_heads: int):
    """(b, t, h p) to (b, h, t, p)."""
    length, width = ops.shape(x)[1], x.shape[-1]
    return ops.swapaxes(ops.reshape(x, (-1, length, num_heads, width // num_heads)), 1, 2)


def merge_heads(x):
    """(b, h, t, p) to (b, t, h p), the heads side by side."""
    _, heads, _, width = x.shape
    return ops.reshape(ops.swapaxes(x, 1, 2), (-1, ops.shape(x)[2], heads * width))
