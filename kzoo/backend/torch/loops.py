"""The loop over time on PyTorch."""

import keras
import torch
import torch.utils.checkpoint

from kzoo.backend import loops


def scan(step, carry, inputs=None, *, length=None, reverse=False, mask=None, checkpoint=None):
    """A loop over time, `carry, y = step(carry, x)` for each x: the same on every backend, backward at linear cost.

    Differentiable with respect to carry, inputs and whatever the step closes over, Keras variables included.
    Nests of any kind (tuples, lists, dicts, a bare tensor) stand for carry, inputs and y; None is a leaf that
    stays None.

    Args:
        step: a function (carry, x) -> (carry, y). The new carry has the structure, shapes and dtypes of the old
            one; y is free, and may be None. The step may be run more than once for one step of time, so it has no
            side effects: it assigns no variable, and noise comes in with the inputs.
        carry: the initial state, as a rule (b, ...).
        inputs: (t, b, ...) in every leaf, time first. None where the step needs none; then x is None.
        length: the number of steps; needed without inputs.
        reverse: whether to start at the last step. y at index i always belongs to x at index i.
        mask: (t, b), True where a sample has a step. Elsewhere its carry stays and its y is that of its last step
            before (zeros where there was none), as in Keras's recurrent layers. What the inputs hold there, nan
            included, reaches neither outputs nor gradients.
        checkpoint: how many steps the backward pass recomputes at a time. It then keeps the carry of every so
            many steps and the steps of one chunk, O(t / checkpoint + checkpoint), for the time of a second forward
            pass. None keeps what the backend keeps.

    Returns:
        The last carry, and y stacked: (t, ...) in every leaf.

    Raises:
        ValueError: for an empty sequence, lengths that disagree, a mask of another length, neither inputs nor
            length, a checkpoint below 1, and a step whose carry changes in structure, shape or dtype.
    """
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
