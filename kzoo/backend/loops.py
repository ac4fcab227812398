"""What the three `scan`s share: how they read their arguments, what they refuse, and what a mask means.

Nothing here names a backend: nests are `keras.tree`'s, arithmetic is `keras.ops`'s. None is a leaf that stays None.
"""

import keras
import numpy as np
from keras import ops, tree


def prepare(carry, inputs, length, mask, checkpoint):
    """The arguments of `scan`, checked: every leaf a tensor, the mask boolean.

    Returns:
        carry, inputs, mask, and the length: an int, or None where TensorFlow learns it when the graph runs.

    Raises:
        ValueError: for an argument that `scan` refuses.
    """
    for leaf in tree.flatten((carry, inputs, mask)):
        if isinstance(leaf, keras.KerasTensor):
            raise ValueError(
                f"scan computes with tensors and received a placeholder of the functional API: {leaf}.\n"
                "Call it in the call() of a layer, and call the layer on the placeholder."
            )
    carry, inputs = tree.map_structure(_tensor, carry), tree.map_structure(_tensor, inputs)
    sizes = {}
    for path, leaf in _named(inputs, "inputs"):
        if len(leaf.shape) == 0:
            raise ValueError(
                f"scan walks the first axis of its inputs; {path} is a scalar. Its shape is to be (t, ...)."
            )
        sizes[path] = leaf.shape[0]
    if length is not None:
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)):
            raise ValueError(f"length is the number of steps, an int; received length={length!r}.")
        sizes["length"] = int(length)
    if not sizes:
        raise ValueError(
            "scan received neither inputs nor a length, and so does not know how many steps to take.\n"
            "Pass inputs of shape (t, ...), or a number of steps: length=100"
        )
    known = {path: size for path, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        raise ValueError(
            f"All inputs of scan have one length, that of their first axis; received {_listed(known)}.\n"
            "Cut them to one length, or pad them and pass a mask (t, b). Where the batch stands first, swap the two "
            "axes."
        )
    steps = next(iter(known.values()), None)
    if steps is not None and steps < 1:
        raise ValueError(f"scan takes at least one step; received {_listed(known)}. Leave empty sequences out.")
    if checkpoint is not None and (
        isinstance(checkpoint, bool) or not isinstance(checkpoint, (int, np.integer)) or checkpoint < 1
    ):
        raise ValueError(
            f"checkpoint is how many steps are recomputed at a time, an int of at least 1, or None for no "
            f"recomputation; received checkpoint={checkpoint!r}. The square root of the length needs the least memory."
        )
    if mask is not None:
        mask = ops.cast(_tensor(mask), "bool")
        _check_mask(mask, carry, inputs, steps)
    return carry, inputs, mask, steps


def _tensor(leaf):
    return None if leaf is None else ops.convert_to_tensor(leaf)


def _named(structure, name):
    """(name of the leaf as Python would write it, leaf) of every leaf but None."""
    for path, leaf in tree.flatten_with_path(structure):
        if leaf is not None:
            yield name + "".join(f"[{step!r}]" for step in path), leaf


def _listed(sizes):
    return ", ".join(f"{size} ({path})" for path, size in sizes.items())


def _check_mask(mask, carry, inputs, steps):
    if len(mask.shape) != 2:
        raise ValueError(f"The mask of scan has the shape (t, b), time first; received {_shape(mask)}.")
    if steps is not None and mask.shape[0] is not None and mask.shape[0] != steps:
        raise ValueError(
            f"The mask of scan has one row a step, shape (t, b); received {_shape(mask)} for {steps} steps.\n"
            "Where the batch stands first, transpose it."
        )
    for name, structure, axis in (("carry", carry, 0), ("inputs", inputs, 1)):
        for path, leaf in _named(structure, name):
            if len(leaf.shape) <= axis or _differ(leaf.shape[axis], mask.shape[1]):
                raise ValueError(
                    f"With a mask every leaf has a sample for each column of it: carry (b, ...), inputs (t, b, ...); "
                    f"received the mask {_shape(mask)} and {path} {_shape(leaf)}."
                )


def _shape(tensor):
    return tuple(tensor.shape)


def _differ(size, other):
    return size is not None and other is not None and size != other


def leaves(structure):
    """The tensors of a nest, without its Nones."""
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def pack(like, tensors):
    """The nest `like` with these tensors for its own; the inverse of `leaves`."""
    tensors = iter(tensors)
    return tree.pack_sequence_as(like, [None if leaf is None else next(tensors) for leaf in tree.flatten(like)])


def checked(step, every=True):
    """`step`, whose result is looked at: a pair, with a carry like the one that went in, and all leaves tensors.

    `every=False` looks at the first result alone, for loops in Python, where a look costs time at each step.
    """
    done = False

    def look(carry, x):
        nonlocal done
        result = step(carry, x)
        if done and not every:
            return result
        done = True
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ValueError(
                f"The step of scan returns a pair, (carry, y); received {_described(result)}.\n"
                "Where there is nothing to collect, return (carry, None)."
            )
        return check_carry(result[0], carry), tree.map_structure(_tensor, result[1])

    return look


def check_carry(new, old):
    """The new carry in the nest of the old one, or a ValueError that says where the two differ."""
    new = tree.map_structure(_tensor, new)
    if _paths(new) != _paths(old):
        raise ValueError(
            "The step of scan returns a carry of the structure that it was given: "
            f"it was given {_described(old)} and returned {_described(new)}."
        )
    for (path, leaf), before in zip(_named(new, "carry"), leaves(old), strict=True):
        dtype, dtype_before = (keras.backend.standardize_dtype(tensor.dtype) for tensor in (leaf, before))
        same = len(leaf.shape) == len(before.shape) and not any(map(_differ, leaf.shape, before.shape))
        if not same or dtype != dtype_before:
            raise ValueError(
                f"The step of scan returns a carry of the shapes and dtypes that it was given: {path} was "
                f"{dtype_before}{list(before.shape)} and came back as {dtype}{list(leaf.shape)}.\n"
                "Start from a carry of the final shape and dtype, or cast in the step: keras.ops.cast(h, before.dtype)"
            )
    return pack(old, leaves(new))


def _paths(structure):
    return [(path, leaf is None) for path, leaf in tree.flatten_with_path(structure)]


def _described(structure):
    """A nest with shapes for its tensors, short enough for a message."""

    def short(leaf):
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            return leaf
        return f"{keras.backend.standardize_dtype(leaf.dtype)}{list(leaf.shape)}"

    text = str(tree.map_structure(short, structure))
    return text if len(text) < 300 else text[:300] + "..."


def hold(step, where):
    """`step` with the mask as part of its inputs: the carry of a masked sample stays, and so does its last y.

    The carry becomes (carry, last y) and the inputs (x, valid); a last y of None stands for zeros. `where` is the
    backend's own.
    """

    def held(state, inputs):
        (carry, last), (x, valid) = state, inputs
        new, y = step(carry, x)
        if last is None:
            last = tree.map_structure(lambda leaf: None if leaf is None else ops.zeros_like(leaf), y)

        def choose(leaf, before):
            if leaf is None:
                return None
            if len(leaf.shape) == 0 or _differ(leaf.shape[0], valid.shape[0]):
                raise ValueError(
                    f"With a mask every leaf of y has a sample for each column of it, (b, ...): received "
                    f"{_shape(leaf)} with {valid.shape[0]} samples."
                )
            return where(ops.reshape(valid, (-1,) + (1,) * (len(leaf.shape) - 1)), leaf, before)

        carry, y = tree.map_structure(choose, new, carry), tree.map_structure(choose, y, last)
        return (carry, y), y

    return held


def fill(inputs, mask):
    """The inputs with those of masked steps replaced by a valid step of the same sample, cut from the graph.

    What a mask hides may be anything, nan included. Its outputs are thrown away, yet in the backward pass they
    would still count: 0 * nan is nan. Zeros in its place would do the same to a step that divides by its input.
    A sample without a valid step borrows one from another.
    """
    valid = ops.cast(mask, "int32")
    some = ops.max(valid, axis=0)  # (b,)
    batch = ops.shape(mask)[1]
    sample = ops.where(some > 0, ops.arange(batch, dtype="int32"), ops.cast(ops.argmax(some), "int32"))
    first = ops.take(ops.cast(ops.argmax(valid, axis=0), "int32"), sample)

    def replace(leaf):
        if leaf is None:
            return None
        rows = ops.reshape(leaf, (-1, *leaf.shape[2:]))  # (t * b, ...)
        row = ops.stop_gradient(ops.take(rows, first * batch + sample, axis=0))  # (b, ...)
        # With nothing valid at all there is nothing to borrow.
        row = ops.where(ops.max(some) > 0, row, ops.zeros_like(row))
        return ops.where(ops.reshape(mask, (*ops.shape(mask), *(1,) * (len(leaf.shape) - 2))), leaf, row)

    return tree.map_structure(replace, inputs)


def slices(inputs, length, unstack):
    """The list of nests x that a loop in Python walks, for backends that run one."""
    columns = [unstack(leaf) for leaf in leaves(inputs)]
    if not columns:
        return [inputs] * length
    if not tree.is_nested(inputs):
        return list(columns[0])
    return [pack(inputs, row) for row in zip(*columns, strict=True)]


def walk(step, carry, xs):
    """The loop itself: the last carry and the list of the y's."""
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, ys


def stacked(ys, stack):
    """One nest of stacked leaves from a list of nests."""
    if not tree.is_nested(ys[0]):
        return None if ys[0] is None else stack([_tensor(y) for y in ys])
    columns = zip(*(tree.flatten(y) for y in ys), strict=True)
    return tree.pack_sequence_as(
        ys[0], [None if column[0] is None else stack([_tensor(leaf) for leaf in column]) for column in columns]
    )
