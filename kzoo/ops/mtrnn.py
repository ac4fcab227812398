"""The arithmetic of the multiple-timescale recurrent network of Yamashita and Tani 2008.

doi:10.1371/journal.pcbi.1000220. Axis letters: b batch, t time, d outputs, n units: the d outputs first, then the
context units. One step of the sequence lasts dt.

    u_{i,t} = (1 - leak_i) u_{i,t-1} + leak_i (sum over j of x_{j,t} kernel_{ji} + bias_i),   leak_i = dt / tau_i
    x_{j,t} = (1 - blend) teacher_{j,t} + blend y_{j,t-1}   for an output j;   y_{j,t-1}   for a context unit j
    y_{i,t} = activate(u_t)_i
"""

from keras import ops

from kzoo import backend

__all__ = ["activate", "potentials"]


def activate(u, num_outputs: int, groups: int | None = None):
    """Activities of potentials `u` (..., n): the hyperbolic tangent, but for outputs that are populations.

    Args:
        u: Potentials, (..., n).
        num_outputs: d.
        groups: Among how many groups the outputs are shared out, in each of which they are a softmax; None for tanh.

    Returns:
        (..., n), in [-1, 1]; a group of a softmax sums to 1.
    """
    if groups is None:
        return ops.tanh(u)
    shape = ops.shape(u)[:-1]
    outputs = ops.reshape(u[..., :num_outputs], (*shape, groups, num_outputs // groups))
    outputs = ops.reshape(ops.softmax(outputs, axis=-1), (*shape, num_outputs))
    return ops.concatenate([outputs, ops.tanh(u[..., num_outputs:])], axis=-1)


def potentials(teacher, initial, kernel, bias, leak, blend=0.0, groups: int | None = None):
    """The potentials of all units at all steps.

    Args:
        teacher: What the outputs are told to have been at the step before, (b, t, d); its length alone counts where
            `blend` is the number 1.
        initial: Potentials before the first step, u_0, (b, n).
        kernel: Connections from row j to column i, (n, n).
        bias: (n,).
        leak: dt / tau of each unit, (n,), above 0 and at most 1.
        blend: The share of the network's own output in its input, 0 (teacher forcing) to 1 (closed loop): a number,
            or a scalar tensor.
        groups: As in `activate`.

    Returns:
        u_1 ... u_t, (b, t, n).
    """
    d = teacher.shape[-1]
    # Blend and leak are the same at all steps, and so go into the matrices: what is left in the loop is one product.
    share = ops.concatenate([ops.ones((d,), kernel.dtype) * blend, ops.ones((kernel.shape[0] - d,), kernel.dtype)])
    recurrent = share[:, None] * kernel * leak
    teacher = ops.transpose(teacher, (1, 0, 2))  # (t, b, d)
    if isinstance(blend, (int, float)) and blend == 1:
        # Not 0 * teacher: what the closed loop does not see may be nan.
        drive = ops.zeros_like(teacher[..., :1]) + leak * bias  # (t, b, n)
    else:
        drive = ops.matmul((1 - blend) * teacher, kernel[:d] * leak) + leak * bias

    def step(u, driven):
        u = (1 - leak) * u + ops.matmul(activate(u, d, groups), recurrent) + driven
        return u, u

    _, u = backend.scan(step, initial, drive)
    return ops.transpose(u, (1, 0, 2))
