"""The mixers of Mamba and Mamba-2: what stands in a block where a transformer has its attention.

Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023, arXiv:2312.00752; Dao and Gu,
"Transformers are SSMs", 2024, arXiv:2405.21060.

Axis letters: b batch, t time, m width of the model, d inner width (expand * m), n state, h heads, p width of a head
(d = h p), g groups, r rank of delta's projection (m / 16, rounded up), w width of the convolution.

A mixer reads (b, t, m) and gives (b, t, m). Its state is a pair: the last w - 1 inputs of the convolution, and what the
state space holds. A text that is read in pieces, each with the state of the piece before, gives the outputs of the
whole; `step` reads one token at a cost that does not depend on how much was read before.

Differs from the papers: all biases but delta's start at zero, and the kernels of the convolution are no kernels to a
recipe's weight decay.
"""

# ruff: noqa: N806 (A, B, C and D are the matrices of the equations)

import math

import keras
from keras import ops

from kzoo import backend
from kzoo.layers.checks import positive
from kzoo.layers.initializers import RandomNormal
from kzoo.layers.mixer import Mixer
from kzoo.layers.state_space import LogUniform, RealS4D
from kzoo.ops import state_space, time_invariant

__all__ = ["Mamba1", "Mamba2", "MambaBlock"]

EPSILON = 1e-5


@keras.saving.register_keras_serializable("kzoo.layers")
class Mamba1(Mixer):
    """The mixer of Mamba: a state space for each channel, whose step and whose input and output the input decides.

        u, z = x W_in                         u' = silu(conv(u) + b_conv)
        dt, B, C = u' W_x                     delta = softplus(dt W_dt + b_dt),   A = -exp(A_log)
        h_t = exp(delta_t A) h_{t-1} + delta_t B_t u'_t
        y_t = (C_t h_t + D u'_t) silu(z_t)    out = y W_out

    Without selection delta, B and C are numbers that are learned and that no input changes: delta (d,), and B and C
    (d, n) for each channel its own, a time-invariant state space as S4D-real is.

    Weights: in_proj (m, 2d), columns u before z; conv_kernel (w, d), conv_bias (d,); x_proj (d, r + 2n), columns dt, B,
    C; dt_proj (r, d); dt_bias (d,); A_log (d, n); D (d,); out_proj (d, m). They are those of Hugging Face's Mamba,
    matrices transposed.

    Args:
        state_dim: n.
        expand: d / m.
        conv_width: w, how many steps the convolution sees.
        selective: Whether the input decides delta, B and C.
        depth: How many mixers add to one residual stream: out_proj starts smaller by the square root of it.

    Raises:
        ValueError: for an argument out of range, or an empty sequence.
    """

    def __init__(self, state_dim=16, expand=2, conv_width=4, selective=True, depth=1, **kwargs):
        super().__init__(state_dim, expand, conv_width, depth, **kwargs)
        if not isinstance(selective, bool):
            raise ValueError(f"Mamba1 takes selective=True or False; received selective={selective!r}.")
        self.selective = selective

    def build(self, x_shape, initial_state_shape=None):
        m = x_shape[-1]
        d, n, r = self.expand * m, self.state_dim, math.ceil(m / 16)
        self.in_proj = self._linear(m, 2 * d, "in_proj")
        self._build_convolution(d)
        self.dt_bias = self._add_single("dt_bias", (d,), self._step_initializer)
        if self.selective:
            self.x_proj = self._linear(d, r + 2 * n, "x_proj")
            self.dt_proj = self._linear(r, d, "dt_proj")
        else:
            self.B = self._add_single("B", (d, n), "ones")
            self.C = self._add_single("C", (d, n), RandomNormal(stddev=1.0))
        self.A_log = self._add_single("A_log", (d, n), RealS4D())
        self.D = self._add_single("D", (d,), "ones")
        self.out_proj = self._linear(d, m, "out_proj", scale=1 / math.sqrt(self.depth))

    def _projected(self, x):
        u, z = ops.split(self.in_proj(x), 2, axis=-1)
        return u, (z,)

    def _state_shape(self):
        return tuple(self.A_log.shape)

    def _selection(self, read, rest):
        A = -ops.exp(ops.convert_to_tensor(self.A_log))
        if not self.selective:
            delta = ops.softplus(ops.convert_to_tensor(self.dt_bias))
            B, C = ops.convert_to_tensor(self.B), ops.convert_to_tensor(self.C)
            return {"inputs": read, "delta": ops.broadcast_to(delta, ops.shape(read)), "A": A, "B": B, "C": C}
        r, n = self.dt_proj.kernel.shape[0], self.state_dim
        projected = self.x_proj(read)
        delta = self.dt_proj(projected[..., :r])
        delta = ops.softplus(ops.add(ops.cast(delta, self.dt_bias.dtype), self.dt_bias))
        return {
            "inputs": read,
            "delta": delta,
            "A": A,
            "B": projected[..., r : r + n],
            "C": projected[..., r + n :],
        }

    def _scan(self, read, rest, state, return_state):
        scan = backend.selective_scan if self.selective else time_invariant.scan
        found = self._selection(read, rest).values()
        return scan(*found, self.D, *rest, initial_state=state, return_state=return_state)

    def _step(self, read, rest, state):
        u, delta, A, B, C = self._selection(read, rest).values()
        if self.selective:
            return state_space.selective_step(u, delta, A, B, C, self.D, *rest, state=state)
        return time_invariant.step(u, delta, A, B, C, self.D, *rest, state=state)

    def _mixed(self, y, rest):
        return self.out_proj(y)

    def _of_channel(self, found, chosen):
        u, delta, A, *vectors = (ops.cast(part, found["delta"].dtype) for part in found.values())
        u, delta, A = u[..., chosen], delta[..., chosen], A[chosen]
        shape = (*delta.shape, self.state_dim)
        return u, delta, A, *(ops.broadcast_to(v[:, :, None] if self.selective else v[chosen], shape) for v in vectors)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "selective": self.selective}


class _GroupedNorm(keras.layers.RMSNormalization):
    """RMSNorm within each of `groups` groups of neighbouring channels; the part of a mixer, and never saved alone."""

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, x):
        shape = ops.shape(x)
        grouped = ops.reshape(x, (*shape[:-1], self.groups, x.shape[-1] // self.groups))
        return ops.reshape(ops.rms_normalization(grouped, epsilon=self.epsilon), shape) * self.scale


@keras.saving.register_keras_serializable("kzoo.layers")
class Mamba2(Mixer):
    """The mixer of Mamba-2: a state space for each head, whose one decay lets chunks of time be matrix products.

        z, x | B | C, dt = x W_in             x', B', C' = silu(conv(x | B | C) + b_conv)
        delta = softplus(dt + b_dt)           A = -exp(A_log), a number for each head
        h_t = exp(delta_t A) h_{t-1} + delta_t x'_t B'_t^T       (p, n) for each head
        y_t = h_t C'_t + D x'_t               out = RMSNorm(y silu(z)) W_out

    Weights: in_proj (m, 2d + 2gn + h), columns z, x, B, C, dt; conv_kernel (w, d + 2gn), conv_bias; dt_bias, A_log, D
    (h,); norm's scale (d,); out_proj (d, m). They are those of Hugging Face's Mamba-2, matrices transposed. As there,
    the norm takes its mean within each group of d / g channels, and delta has no limits but those of softplus.

    Args:
        state_dim: n.
        expand: d / m.
        conv_width: w, how many steps the convolution sees.
        head_dim: p, a divisor of d.
        groups: g, how many B and C there are, a divisor of h.
        depth: How many mixers add to one residual stream: out_proj starts smaller by the square root of it.

    Raises:
        ValueError: for an argument out of range, heads that do not share out, or an empty sequence.
    """

    def __init__(self, state_dim=16, expand=2, conv_width=4, head_dim=64, groups=1, depth=1, **kwargs):
        super().__init__(state_dim, expand, conv_width, depth, **kwargs)
        positive("Mamba2", "head_dim", head_dim)
        positive("Mamba2", "groups", groups)
        self.head_dim = head_dim
        self.groups = groups
        self._decay_initializer = LogUniform(1.0, 16.0)

    def build(self, x_shape, initial_state_shape=None):
        m = x_shape[-1]
        d, n, g = self.expand * m, self.state_dim, self.groups
        h = d // self.head_dim
        if d % self.head_dim or h % g:
            raise ValueError(
                f"Mamba2 shares its {d} inner channels out among heads of head_dim={self.head_dim}, and the heads "
                f"among groups={g}; received numbers that do not divide. Take a divisor of {d}, and one of the heads."
            )
        self.in_proj = self._linear(m, 2 * d + 2 * g * n + h, "in_proj")
        self._build_convolution(d + 2 * g * n)
        self.dt_bias = self._add_single("dt_bias", (h,), self._step_initializer)
        self.A_log = self._add_single("A_log", (h,), self._decay_initializer)
        self.D = self._add_single("D", (h,), "ones")
        self.norm = _GroupedNorm(g, epsilon=EPSILON, dtype=self.dtype_policy, name="norm")
        self.norm.build((None, d))
        self.out_proj = self._linear(d, m, "out_proj", scale=1 / math.sqrt(self.depth))

    def _projected(self, x):
        d, h = self.out_proj.kernel.shape[0], self.dt_bias.shape[0]
        projected = self.in_proj(x)
        return projected[..., d:-h], (projected[..., :d], projected[..., -h:])

    def _state_shape(self):
        return self.dt_bias.shape[0], self.head_dim, self.state_dim

    def _selection(self, read, rest):
        gn = self.groups * self.state_dim
        d = read.shape[-1] - 2 * gn
        dt = ops.cast(rest[1], self.dt_bias.dtype)
        by_group = (*ops.shape(read)[:-1], self.groups, self.state_dim)
        return {
            "inputs": read[..., :d],
            "delta": ops.softplus(ops.add(dt, self.dt_bias)),
            "A": -ops.exp(ops.convert_to_tensor(self.A_log)),
            "B": ops.reshape(read[..., d : d + gn], by_group),
            "C": ops.reshape(read[..., d + gn :], by_group),
        }

    def _by_head(self, u):
        return ops.reshape(u, (*ops.shape(u)[:-1], self.dt_bias.shape[0], self.head_dim))

    def _scan(self, read, rest, state, return_state):
        u, *found = self._selection(read, rest).values()
        return state_space.ssd(self._by_head(u), *found, self.D, initial_state=state, return_state=return_state)

    def _step(self, read, rest, state):
        u, *found = self._selection(read, rest).values()
        return state_space.ssd_step(self._by_head(u), *found, self.D, state=state)

    def _mixed(self, y, rest):
        gate = ops.silu(rest[0])
        return self.out_proj(self.norm(ops.reshape(y, ops.shape(gate)) * gate))

    def _of_channel(self, found, chosen):
        u, delta, A, *vectors = (ops.cast(part, found["delta"].dtype) for part in found.values())
        p, h = self.head_dim, self.dt_bias.shape[0]
        A = ops.broadcast_to(ops.repeat(A, p)[:, None], (h * p, self.state_dim))
        vectors = [ops.repeat(v, h * p // self.groups, axis=2)[:, :, chosen] for v in vectors]
        return u[..., chosen], ops.repeat(delta, p, axis=-1)[..., chosen], A[chosen], *vectors

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "head_dim": self.head_dim, "groups": self.groups}


@keras.saving.register_keras_serializable("kzoo.layers")
class MambaBlock(keras.layers.Layer):
    """x + mixer(RMSNorm(x)), the residual block of both papers; epsilon of the norm is 1e-5.

    Args:
        version: 1 for `Mamba1`, 2 for `Mamba2`.
        **arguments: Of the mixer.

    Raises:
        ValueError: if there is no such version.
    """

    def __init__(self, version=1, name=None, dtype=None, trainable=True, **arguments):
        super().__init__(name=name, dtype=dtype, trainable=trainable, autocast=False)
        if version not in (1, 2) or isinstance(version, bool):
            raise ValueError(f"MambaBlock has the versions 1 and 2; received version={version!r}.")
        self.version = version
        self.norm = keras.layers.RMSNormalization(epsilon=EPSILON, dtype=self.dtype_policy, name="norm")
        mixer = {1: Mamba1, 2: Mamba2}[version]
        self.mixer = mixer(**arguments, dtype=self.dtype_policy, name="mixer")
        self._arguments = arguments

    def build(self, x_shape, initial_state_shape=None):
        self.norm.build(x_shape)
        self.mixer.build(x_shape)

    def call(self, x, initial_state=None, return_state=False):
        """(b, t, m) to (b, t, m), with `return_state` a pair of it and the mixer's last state."""
        x = ops.cast(x, self.compute_dtype)
        y = self.mixer(self.norm(x), initial_state=initial_state, return_state=return_state)
        return (x + y[0], y[1]) if return_state else x + y

    def step(self, x, state):
        """(b, m) and the mixer's state to (b, m) and its next state."""
        y, state = self.mixer.step(self.norm(x), state)
        return x + y, state

    def compute_output_spec(self, x, initial_state=None, return_state=False):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "version": self.version, **self._arguments}
