"""The arithmetic of Mamba and Mamba-2 around the selective scan: chunks, single steps, convolution, attention.

Mamba: Gu and Dao 2023, arXiv:2312.00752. Mamba-2: Dao and Gu 2024, arXiv:2405.21060. Axis letters: b batch, t time,
d width, n state, h heads, p width of a head, g groups of heads that share B and C.

The scan of Mamba itself is `kzoo.backend.selective_scan`. States are float32 whatever the dtype of the inputs, but
float64 where one of the inputs is.
"""

# ruff: noqa: N803, N806 (A, B, C and D are the matrices of the equations)

from keras import ops

from kzoo import backend
from kzoo.backend import selective

__all__ = [
    "causal_convolution",
    "causal_convolution_step",
    "implied_attention",
    "selective_step",
    "ssd",
    "ssd_step",
]


def selective_step(u, delta, A, B, C, D=None, z=None, state=None):
    """One step of `kzoo.backend.selective_scan`.

        h = exp(delta A) h' + delta B u
        y = C h + D u,   and y silu(z) where there is a gate z

    Args:
        u: The input, (b, d).
        delta: The step size, after the softplus, (b, d).
        A: The decays, below 0, (d, n).
        B: (b, n).
        C: (b, n).
        D: (d,), or None for no skip connection.
        z: (b, d), or None for no gate.
        state: h', (b, d, n), or None for zeros.

    Returns:
        y, (b, d), in the dtype of u, and h, (b, d, n).

    Raises:
        ValueError: For shapes that do not go together.
    """
    out = ops.convert_to_tensor(u).dtype
    u, delta, A, B, C, D, z, state = _in_state_dtype(u, delta, A, B, C, D, z, state)
    _check_shapes(
        f"selective_step, where u is {tuple(u.shape)} and A is {tuple(A.shape)},",
        _sizes("u", u, "bd") | _sizes("A", A, "dn"),
        {
            "u": (u, "bd"),
            "delta": (delta, "bd"),
            "B": (B, "bn"),
            "C": (C, "bn"),
            "D": (D, "d"),
            "z": (z, "bd"),
            "state": (state, "bdn"),
        },
    )
    h = (delta * u)[..., None] * B[:, None]  # (b, d, n)
    if state is not None:
        h = ops.exp(delta[..., None] * A) * state + h
    y = ops.sum(h * C[:, None], axis=-1)
    if D is not None:
        y = y + D * u
    if z is not None:
        y = y * ops.silu(z)
    return ops.cast(y, out), h


def ssd(x, delta, A, B, C, D=None, initial_state=None, return_state=False, chunk=64):
    """The scan of Mamba-2 as products of matrices, chunk by chunk: its "state space duality", sections 6 and 7.

        h_t = exp(delta_t A) h_{t-1} + delta_t x_t B_t^T
        y_t = h_t C_t + D x_t

    A head has one decay for all its numbers, so that within a chunk y is a masked attention, L * (C B^T) times
    delta x, with L_ts = exp(sum over s < r <= t of delta_r A). Between chunks only the states run on, by a scan.
    The cost is linear in t. Each exponent is a sum of its own, of terms below 0, and no difference of two running
    sums: behind a step that forgets all, such a difference would keep no digit of what follows.

    Args:
        x: The input, (b, t, h, p).
        delta: The step size, after the softplus, (b, t, h).
        A: The decay of each head, below 0, (h,).
        B: How the input enters the state, (b, t, g, n); h is a multiple of g, and head i belongs to group i // (h / g).
        C: How the state is read, (b, t, g, n).
        D: The skip connection of each head, (h,), or None for none.
        initial_state: h_0, (b, h, p, n), or None for zeros.
        return_state: Whether to return the last state too.
        chunk: Steps of a chunk; t need not be a multiple. It decides the cost, not the result.

    Returns:
        y, (b, t, h, p), in the dtype of x; with `return_state` also the last state, (b, h, p, n).

    Raises:
        ValueError: If the shapes do not go together, the sequence is empty, or `chunk` is below 1.
    """
    _check_ssd(x, delta, A, B, C, D, initial_state, chunk)
    x = ops.convert_to_tensor(x)
    out, (batch, steps) = x.dtype, ops.shape(x)[:2]
    x, delta, A, B, C, D, state = _in_state_dtype(x, delta, A, B, C, D, initial_state)
    heads, width, (groups, n) = x.shape[2], x.shape[3], B.shape[2:]
    each = heads // groups
    if isinstance(steps, int):
        chunk = min(chunk, steps)
    # A step of size 0 changes no state: with such steps the last chunk is made whole.
    count = (steps + chunk - 1) // chunk
    pad = count * chunk - steps

    def chunked(tensor, *shape):
        """(b, t, ...) -> (b, c, q, g, *shape): c chunks of q steps, heads sorted by their groups."""
        tensor = ops.pad(tensor, [[0, 0], [0, pad], *[[0, 0]] * (len(tensor.shape) - 2)])
        return ops.reshape(tensor, (batch, count, chunk, groups, *shape))

    scaled = ops.transpose(chunked(delta[..., None] * x, each, width), (1, 0, 3, 4, 2, 5))  # (c, b, g, e, q, p)
    decay = ops.transpose(chunked(delta * A, each), (1, 0, 3, 4, 2))  # (c, b, g, e, q)
    B = ops.transpose(chunked(B, n), (1, 0, 3, 2, 4))  # (c, b, g, q, n)
    C = ops.transpose(chunked(C, n), (1, 0, 3, 2, 4))

    kept = ops.exp(_segment_sums(decay))  # (c, b, g, e, q, q): what is left in step i of what step j wrote
    scores = ops.matmul(C, ops.swapaxes(B, -1, -2))  # (c, b, g, q, q)
    y = ops.matmul(kept * scores[..., None, :, :], scaled)  # (c, b, g, e, q, p)

    # What each chunk writes to the state, and what it leaves of the state before it.
    written = ops.matmul(
        ops.swapaxes(scaled * kept[..., -1, :, None], -1, -2), B[..., None, :, :]
    )  # (c, b, g, e, p, n)
    since = ops.exp(ops.cumsum(decay, axis=-1))  # (c, b, g, e, q)

    def step(state, chunk):
        written, left = chunk
        return left[..., None, None] * state + written, state

    state = ops.zeros_like(written[0]) if state is None else ops.reshape(state, (batch, groups, each, width, n))
    state, before = backend.scan(step, state, (written, since[..., -1]))  # (c, b, g, e, p, n)
    read = ops.matmul(C[..., None, :, :], ops.swapaxes(before, -1, -2))  # (c, b, g, e, q, p)
    y = y + since[..., None] * read
    y = ops.reshape(ops.transpose(y, (1, 0, 4, 2, 3, 5)), (batch, count * chunk, heads, width))[:, :steps]
    if D is not None:
        y = y + D[:, None] * x
    y = ops.cast(y, out)
    return (y, ops.reshape(state, (batch, heads, width, n))) if return_state else y


def ssd_step(x, delta, A, B, C, D=None, state=None):
    """One step of `ssd`.

        h = exp(delta A) h' + delta x B^T
        y = h C + D x

    Args:
        x: The input, (b, h, p).
        delta: The step size, after the softplus, (b, h).
        A: The decay of each head, below 0, (h,).
        B: (b, g, n).
        C: (b, g, n).
        D: (h,), or None for no skip connection.
        state: h', (b, h, p, n), or None for zeros.

    Returns:
        y, (b, h, p), in the dtype of x, and h, (b, h, p, n).

    Raises:
        ValueError: For shapes that do not go together.
    """
    out = ops.convert_to_tensor(x).dtype
    x, delta, A, B, C, D, state = _in_state_dtype(x, delta, A, B, C, D, state)
    sizes = _sizes("x", x, "bhp") | _sizes("B", B, "bgn")
    if sizes["h"] % sizes["g"]:
        raise ValueError(f"ssd_step has heads that its groups share evenly; received {sizes['h']} and {sizes['g']}.")
    _check_shapes(
        f"ssd_step, where x is {tuple(x.shape)} and B is {tuple(B.shape)},",
        sizes | {"b": x.shape[0]},
        {
            "delta": (delta, "bh"),
            "A": (A, "h"),
            "B": (B, "bgn"),
            "C": (C, "bgn"),
            "D": (D, "h"),
            "state": (state, "bhpn"),
        },
    )
    each = sizes["h"] // sizes["g"]
    B, C = (ops.repeat(tensor, each, axis=1)[:, :, None] for tensor in (B, C))  # (b, h, 1, n)
    h = (delta[..., None] * x)[..., None] * B  # (b, h, p, n)
    if state is not None:
        h = ops.exp(delta * A)[..., None, None] * state + h
    y = ops.sum(h * C, axis=-1)
    if D is not None:
        y = y + D[:, None] * x
    return ops.cast(y, out), h


def implied_attention(delta, A, B, C, channel: int):
    """The matrix that a selective scan multiplies one channel of its input with: y = M u, D and z aside.

        M_ts = C_t (product over s < r <= t of exp(delta_r A)) delta_s B_s for s <= t, else 0

    It takes t x t x n numbers on the way, and is meant for short sequences and pictures of them.

    Args:
        delta: The step size, after the softplus, (b, t, d).
        A: The decays, below 0, (d, n).
        B: (b, t, n).
        C: (b, t, n).
        channel: Which of the d channels.

    Returns:
        M, (b, t, t), lower triangular, in the dtype of the state.

    Raises:
        ValueError: If there is no such channel.
    """
    width = delta.shape[-1]
    if not 0 <= channel < width:
        raise ValueError(f"channel is one of the {width} channels, 0 to {width - 1}; received channel={channel}.")
    delta, A, B, C = _in_state_dtype(delta, A, B, C)
    delta, A = delta[..., channel], A[channel]
    sums = _segment_sums(delta, above=0.0)  # (b, t, t)
    lower = ops.tril(ops.ones_like(sums))
    kept = ops.exp(sums[..., None] * A) * lower[..., None]  # (b, t, t, n)
    return ops.einsum("btn,btsn,bsn->bts", C, kept, delta[..., None] * B)


def causal_convolution(x, kernel, bias=None, state=None, return_state=False):
    """Each channel convolved with a kernel of its own, over the present and the steps just before it.

        y_t = bias + sum over k of kernel_k x_{t - (width - 1) + k}

    Args:
        x: (b, t, d).
        kernel: (width, d), the present step last.
        bias: (d,), or None.
        state: The inputs of the width - 1 steps before, (b, width - 1, d), or None for zeros.
        return_state: Whether to return the last width - 1 inputs too.

    Returns:
        y, (b, t, d); with `return_state` also the state for the steps that follow.

    Raises:
        ValueError: If the kernel has another number of channels than x, or the state another shape.
    """
    x, kernel = ops.convert_to_tensor(x), ops.convert_to_tensor(kernel)
    width = _check_kernel(x, kernel)
    if state is None:
        padded = ops.pad(x, [[0, 0], [width - 1, 0], [0, 0]])
    else:
        state = ops.convert_to_tensor(state)
        wanted = (x.shape[0], width - 1, x.shape[2])
        if len(state.shape) != 3 or any(map(selective.differ, state.shape, wanted)):
            raise ValueError(
                f"The state of a causal convolution has the shape (b, width - 1, d) = {wanted}, where x is "
                f"{tuple(x.shape)} and the kernel {tuple(kernel.shape)}; received {tuple(state.shape)}.\nHand on the "
                "state of the piece before, of the same batch and the same layer, or None for zeros."
            )
        padded = ops.concatenate([ops.cast(state, x.dtype), x], axis=1)
    steps = ops.shape(x)[1]
    y = sum(padded[:, k : k + steps] * kernel[k] for k in range(width))
    if bias is not None:
        y = y + ops.convert_to_tensor(bias)
    return (y, padded[:, steps:]) if return_state else y


def causal_convolution_step(x, kernel, bias=None, state=None):
    """One step of `causal_convolution`.

    Args:
        x: (b, d).
        kernel: (width, d), the present step last.
        bias: (d,), or None.
        state: The inputs of the width - 1 steps before, (b, width - 1, d), or None for zeros.

    Returns:
        y, (b, d), and the state for the next step, (b, width - 1, d).

    Raises:
        ValueError: If the kernel has another number of channels than x, or the state another shape.
    """
    y, state = causal_convolution(ops.convert_to_tensor(x)[:, None], kernel, bias, state, return_state=True)
    return y[:, 0], state


def _segment_sums(x, above=float("-inf")):
    """x (..., t) -> (..., t, t): the sum over s < r <= t of x_r at [t, s], 0 at [t, t], and `above` where s > t."""
    size = x.shape[-1]
    later = ops.arange(size)[:, None] > ops.arange(size)
    sums = ops.cumsum(ops.where(later, x[..., :, None], 0), axis=-2)
    return ops.where(ops.tril(ops.ones((size, size), "bool")), sums, above)


def _in_state_dtype(*tensors):
    """The tensors in the dtype of the state; None stays None."""
    tensors = [None if tensor is None else ops.convert_to_tensor(tensor) for tensor in tensors]
    dtype = selective.state_dtype(tensors)
    return [None if tensor is None else ops.cast(tensor, dtype) for tensor in tensors]


def _check_kernel(x, kernel):
    if len(kernel.shape) != 2 or kernel.shape[1] != x.shape[-1]:
        raise ValueError(
            f"The kernel of a causal convolution has the shape (width, d), with the d of x {tuple(x.shape)}; received "
            f"{tuple(kernel.shape)}.\nA kernel of torch, (d, 1, width), is to be transposed: kernel[:, 0].T"
        )
    return kernel.shape[0]


def _check_ssd(x, delta, A, B, C, D, state, chunk):
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise ValueError(f"chunk is a number of steps, an int of at least 1; received chunk={chunk!r}. 64 is usual.")
    if len(x.shape) != 4 or len(B.shape) != 4:
        raise ValueError(
            f"ssd takes x of shape (b, t, h, p) and B of shape (b, t, g, n); received x {tuple(x.shape)} and "
            f"B {tuple(B.shape)}.\nReshape a width d to heads (h, p); a single group is B[:, :, None]."
        )
    if x.shape[1] == 0:
        raise ValueError(f"ssd takes at least one step; received x {tuple(x.shape)}.\nLeave empty sequences out.")
    sizes = dict(zip("bthp", x.shape, strict=True)) | dict(zip("gn", B.shape[2:], strict=True))
    if sizes["h"] % sizes["g"]:
        raise ValueError(
            f"The heads of ssd are shared out evenly among the groups; received {sizes['h']} heads (x "
            f"{tuple(x.shape)}) and {sizes['g']} groups (B {tuple(B.shape)}). Take a number of groups that divides "
            f"{sizes['h']}, such as 1."
        )
    _check_shapes(
        f"ssd, where x has (b, t, h, p) = {tuple(x.shape)} and B has (b, t, g, n) = {tuple(B.shape)},",
        sizes,
        {
            "delta": (delta, "bth"),
            "A": (A, "h"),
            "B": (B, "btgn"),
            "C": (C, "btgn"),
            "D": (D, "h"),
            "initial_state": (state, "bhpn"),
        },
    )


def _sizes(name, tensor, axes):
    """Axis -> size."""
    if len(tensor.shape) != len(axes):
        raise ValueError(f"Expected {name} of shape ({', '.join(axes)}); received {tuple(tensor.shape)}.")
    return dict(zip(axes, tensor.shape, strict=True))


def _check_shapes(owner, sizes, given):
    """Refuses a tensor whose axes have not these sizes, which may otherwise be broadcast without a word."""
    for name, (tensor, axes) in given.items():
        if tensor is None:
            continue
        shape, wanted = tuple(tensor.shape), tuple(sizes[axis] for axis in axes)
        if len(shape) != len(wanted) or any(map(selective.differ, shape, wanted)):
            raise ValueError(f"{owner} takes {name} of shape ({', '.join(axes)}) = {wanted}; received {shape}.")
