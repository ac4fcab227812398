"""What the mixers of Mamba and Mamba-2 share: a convolution, then a state space, and a look inside both.

Axis letters: b batch, t time, m width of the model, d inner width, n state, h heads, p width of a head, g groups, w
width of the convolution, c channels that it reads.
"""

# ruff: noqa: N806 (A, B and C are the matrices of the equations)

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.layers.checks import positive
from kzoo.layers.initializers import VarianceScaling
from kzoo.layers.state_space import StepBias
from kzoo.ops import state_space

__all__ = ["Mixer"]


class Mixer(keras.layers.Layer):
    """A mixer but for its state space: the arguments, the convolution, the state, and a look inside.

    A subclass says in `_convolved`, `_selection` and `_scan` what it computes; the layer's weights of its own are
    `conv_kernel` (w, c) and `conv_bias` (c,) over the c channels that the convolution reads, `A_log`, `D`, `dt_bias`.
    """

    def __init__(self, state_dim=16, expand=2, conv_width=4, depth=1, **kwargs):
        # Keras would cast the state, too, and a state of half precision forgets what it adds up.
        super().__init__(autocast=False, **kwargs)
        for key, value in (
            ("state_dim", state_dim),
            ("expand", expand),
            ("conv_width", conv_width),
            ("depth", depth),
        ):
            positive(type(self).__name__, key, value)
        self.state_dim = state_dim
        self.expand = expand
        self.conv_width = conv_width
        self.depth = depth
        # Made here and not in build, so that the seeds are drawn in the order of construction.
        self._conv_initializer = VarianceScaling(1 / 3, "fan_in", "uniform")
        self._step_initializer = StepBias(1e-3, 0.1)

    def _build_convolution(self, channels):
        self.conv_kernel = self.add_weight(
            name="conv_kernel", shape=(self.conv_width, channels), initializer=self._conv_initializer
        )
        self.conv_bias = self.add_weight(name="conv_bias", shape=(channels,), initializer="zeros")

    def _linear(self, inputs, units, name, scale=1.0):
        """A built Dense layer without bias, w ~ scale * U[-a, a), a = 1 / sqrt(inputs)."""
        initializer = VarianceScaling(scale**2 / 3, "fan_in", "uniform")
        layer = keras.layers.Dense(
            units, use_bias=False, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
        )
        layer.build((None, inputs))
        return layer

    def _taps(self):
        return [ops.cast(weight, self.compute_dtype) for weight in (self.conv_kernel, self.conv_bias)]

    def _add_single(self, name, shape, initializer):
        """A weight that mixed precision leaves in single: a step of time below 0.1 has no digits to lose."""
        return self.add_weight(name=name, shape=shape, initializer=initializer, autocast=False)

    def call(self, x, initial_state=None, return_state=False):
        """
        Args:
            x: (b, t, m), t at least 1.
            initial_state: As `initial_state` gives it, or the state of the piece before; None for a beginning.
            return_state: Whether to give the last state, too.

        Returns:
            (b, t, m), with `return_state` a pair of it and the state.
        """
        if x.shape[1] == 0:
            raise ValueError(
                f"{type(self).__name__} needs at least one step of time; received inputs (b, t, m) of shape "
                f"{tuple(x.shape)}."
            )
        before, state = (None, None) if initial_state is None else initial_state
        convolve, rest = self._projected(ops.cast(x, self.compute_dtype))
        read = state_space.causal_convolution(convolve, *self._taps(), before, return_state=return_state)
        read, before = read if return_state else (read, None)
        y = self._scan(ops.silu(read), rest, state, return_state)
        y, state = y if return_state else (y, None)
        y = self._mixed(y, rest)
        return (y, (before, state)) if return_state else y

    def step(self, x, state):
        """One step of the sequence: (b, m) and a state to (b, m) and the next state."""
        before, state = state
        convolve, rest = self._projected(ops.cast(x, self.compute_dtype))
        read, before = state_space.causal_convolution_step(convolve, *self._taps(), before)
        y, state = self._step(ops.silu(read), rest, state)
        return self._mixed(y, rest), (before, state)

    def initial_state(self, batch_size):
        """The state of a mixer that has read nothing: zeros (b, w - 1, c), and zeros (b, d, n) or (b, h, p, n)."""
        before = ops.zeros((batch_size, self.conv_width - 1, self.conv_kernel.shape[1]), dtype=self.compute_dtype)
        wide = keras.backend.result_type(self.compute_dtype, "float32")
        return before, ops.zeros((batch_size, *self._state_shape()), dtype=wide)

    def trace(self, x, state=None) -> dict:
        """What the scan is made of while the mixer reads `x` (b, t, m).

        Args:
            x: (b, t, m).
            state: A channel of the d, or "mean" over them, whose state is wanted, too.

        Returns:
            "inputs" u (b, t, d) as the scan takes them; "delta" (b, t, d), of Mamba-2 (b, t, h); "A" (d, n) or (h,);
            "B" and "C" (b, t, n), of Mamba-2 (b, t, g, n), of a mixer that selects nothing (d, n); with `state`
            "state" (b, t, n).

        Raises:
            ValueError: if there is no such channel.
        """
        convolve, rest = self._projected(ops.cast(ops.convert_to_tensor(x), self.compute_dtype))
        found = self._selection(ops.silu(state_space.causal_convolution(convolve, *self._taps())), rest)
        if state is not None:
            found["state"] = self._states(found, state)
        return found

    def implied_attention(self, x, channel):
        """The matrix that the scan multiplies a channel of its inputs with: see `ops.state_space.implied_attention`.

        Args:
            x: (b, t, m).
            channel: One of the d; those of one head of Mamba-2 have the same matrix.

        Returns:
            (b, t, t), lower triangular.

        Raises:
            ValueError: if there is no such channel.
        """
        _, delta, A, B, C = self._of_channel(self.trace(x), self._channel(channel))
        return state_space.implied_attention(delta, A, B[:, :, 0], C[:, :, 0], 0)

    def _states(self, found, channel):
        """The states (b, t, n) of one channel, or their mean over all."""
        chosen = slice(None) if channel == "mean" else self._channel(channel)
        u, delta, A, B, _ = self._of_channel(found, chosen)

        def step(state, x):
            u, delta, B = x
            state = ops.exp(delta[..., None] * A) * state + (delta * u)[..., None] * B
            return state, ops.mean(state, axis=1)

        inputs = tuple(ops.swapaxes(part, 0, 1) for part in (u, delta, B))
        _, states = backend.scan(step, ops.zeros_like(inputs[2][0]), inputs)
        return ops.swapaxes(states, 0, 1)

    def _channel(self, channel):
        d = self.out_proj.kernel.shape[0]
        whole = isinstance(channel, (int, np.integer)) and not isinstance(channel, bool)
        if not whole or not 0 <= channel < d:
            raise ValueError(f"{type(self).__name__} has the channels 0 to {d - 1}; received {channel!r}.")
        return slice(channel, channel + 1)

    def _of_channel(self, found, chosen):
        """Of some channels u and delta (b, t, d), A (d, n), B and C (b, t, d, n), in the dtype of delta."""
        raise NotImplementedError

    def _projected(self, x):
        """What the convolution reads, and a tuple of all else that the input is projected to."""
        raise NotImplementedError

    def _selection(self, read, rest) -> dict:
        """What the scan takes: inputs, delta, A, B, C; of a step without the axis of time."""
        raise NotImplementedError

    def _scan(self, read, rest, state, return_state):
        raise NotImplementedError

    def _step(self, read, rest, state):
        raise NotImplementedError

    def _mixed(self, y, rest):
        """From the scan's outputs to the mixer's."""
        raise NotImplementedError

    def compute_output_spec(self, x, initial_state=None, return_state=False):
        return keras.KerasTensor(x.shape, self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "state_dim": self.state_dim,
            "expand": self.expand,
            "conv_width": self.conv_width,
            "depth": self.depth,
        }
