"""What the three `selective_scan`s share: what they refuse, the dtype of the state, and what stands around the loop.

Nothing here names a backend. Axis letters: b batch, t time, d width, n state.
"""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

import keras
import numpy as np
from keras import ops


def around(loop, u, delta, A, B, C, D, z, initial_state, return_state):
    """`selective_scan` for a backend's loop: checks, casts, the loop, and what needs none.

    Args:
        loop: a function (u, delta, A, B, C, state) -> (y, last state) of tensors in one dtype.
        u, delta, A, B, C, D, z, initial_state, return_state: the arguments of `selective_scan`.
    """
    given = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "initial_state": initial_state}
    for name, value in given.items():
        if isinstance(value, keras.KerasTensor):
            raise ValueError(
                f"selective_scan computes with tensors and received a placeholder of the functional API: "
                f"{name} = {value}.\nCall it in the call() of a layer, and call the layer on the placeholder."
            )
        given[name] = None if value is None else ops.convert_to_tensor(value)
    check(given)
    dtype = state_dtype(given.values())
    out = given["u"].dtype
    u, delta, A, B, C, D, z, state = (None if value is None else ops.cast(value, dtype) for value in given.values())
    if state is None:
        state = ops.zeros((ops.shape(u)[0], *A.shape), dtype)
    y, state = loop(u, delta, A, B, C, state)
    if D is not None:
        y = y + D * u
    if z is not None:
        y = y * ops.silu(z)
    y = ops.cast(y, out)
    return (y, state) if return_state else y


def state_dtype(tensors):
    """float32, or float64 where one of the tensors is: a state of half precision forgets what it adds up.

    Raises:
        ValueError: for a tensor of whole numbers, into which the outputs would be cut.
    """
    names = [keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors if tensor is not None]
    if whole := [name for name in names if not keras.backend.is_float_dtype(name)]:
        raise ValueError(
            f"A scan computes with floating-point numbers, and its outputs have the dtype of its input; received "
            f"{whole[0]}.\nCast it: ops.cast(u, 'float32')"
        )
    return "float64" if "float64" in names else "float32"


def check(given):
    """Raises ValueError for shapes that do not go together; a size that is unknown goes with any."""
    for name, axes in (("u", "b t d"), ("A", "d n")):
        if len(given[name].shape) != len(axes.split()):
            raise ValueError(
                f"selective_scan takes {name} of shape ({axes.replace(' ', ', ')}); received "
                f"{tuple(given[name].shape)}.{_REMEDIES[name]}"
            )
    sizes = dict(zip("btd", given["u"].shape, strict=True)) | {"n": given["A"].shape[1]}
    if sizes["t"] is not None and _is_known(sizes["t"]) and sizes["t"] < 1:
        raise ValueError(
            f"selective_scan takes at least one step of time; received u of shape {tuple(given['u'].shape)}.\n"
            "Leave empty sequences out."
        )
    expected = {"delta": "btd", "A": "dn", "B": "btn", "C": "btn", "D": "d", "z": "btd", "initial_state": "bdn"}
    for name, axes in expected.items():
        if given[name] is None:
            continue
        shape, wanted = tuple(given[name].shape), tuple(sizes[axis] for axis in axes)
        if len(shape) != len(wanted) or any(map(differ, shape, wanted)):
            raise ValueError(
                f"selective_scan takes {name} of shape ({', '.join(axes)}) = {wanted}, where u has (b, t, d) = "
                f"{tuple(given['u'].shape)} and A has (d, n) = {tuple(given['A'].shape)}; received "
                f"{shape}.{_REMEDIES[name]}"
            )


NO_SECOND_DERIVATIVE = (
    "The gradient of selective_scan has no gradient of its own on torch and TensorFlow.\n"
    "Where a second derivative is wanted, use JAX: export KERAS_BACKEND=jax"
)

# What to do where an argument has another shape.
_REMEDIES = {
    "u": "\nGive a single sequence a batch of one: u[None]",
    "delta": "\nEach channel of u has a step size of its own; one for all is ops.broadcast_to(delta, ops.shape(u)).",
    "A": "\nA is the diagonal of each channel's matrix, one row a channel.",
    "B": "\nB and C are shared by the channels, and have one row of n numbers for each step of each sequence.",
    "C": "\nB and C are shared by the channels, and have one row of n numbers for each step of each sequence.",
    "D": "\nD is one number a channel; leave it out for a scan without skip connection.",
    "z": "\nThe gate z has the shape of u; leave it out for a scan without a gate.",
    "initial_state": "\nHand on the state that return_state=True returned, or leave it out to start from zeros.",
}


def _is_known(size):
    return isinstance(size, (int, np.integer))


def differ(size, other):
    """Whether two sizes of axes are known and not the same."""
    # JAX has a symbol for an unknown size, TensorFlow None: neither is a number to compare with.
    return _is_known(size) and _is_known(other) and size != other
