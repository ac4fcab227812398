"""The loop over time on PyTorch."""

import keras
import torch
import torch.utils.checkpoint

from kzoo.backend import loops


def scan(step, carry, inputs=None, *, length=None, reverse=False, mask=None, checkpoint=None):
    """See `kzoo.backend.scan`."""
    initial, inputs, mask, length = loops.prepare(carry, inputs, length, mask, checkpoint)
    body, carry = loops.checked(step, every=False), initial
    if mask is not None:
        inputs = loops.fill(inputs, mask)
        body, carry, inputs = loops.hold(body, torch.where), (carry, None), (inputs, mask)
    given = loops.leaves(inputs)
    if any(leaf.is_meta for leaf in [*loops.leaves(initial), *given]):
        # Keras infers shapes on this device, where nothing is computed: one step tells the shapes of all.
        carry, y = body(carry, loops.pack(inputs, [leaf[0] for leaf in given]))
        y = keras.tree.map_structure(lambda leaf: None if leaf is None else leaf.new_empty((length, *leaf.shape)), y)
        return (carry[0] if mask is not None else carry), y

    # Not leaf[t]: the backward pass of an index fills the whole tensor with zeros, that of unbind stacks once.
    xs = loops.slices(inputs, length, torch.unbind)
    if reverse:
        xs.reverse()
    if checkpoint is None or not torch.is_grad_enabled():
        carry, ys = loops.walk(body, carry, xs)
    else:
        ys = []
        for start in range(0, length, checkpoint):
            carry, part = torch.utils.checkpoint.checkpoint(
                loops.walk, body, carry, xs[start : start + checkpoint], use_reentrant=False
            )
            ys += part
    if reverse:
        ys.reverse()
    carry = loops.check_carry(carry[0] if mask is not None else carry, initial)
    return carry, loops.stacked(ys, torch.stack)
