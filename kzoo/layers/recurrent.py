"""`SimpleRNN`, `LSTM` and `GRU` on the scan of `kzoo.backend`, or on the backend's own kernel where it has one.

Weights have the names, shapes and order of `keras.layers`: `layer.set_weights(keras_layer.get_weights())` works both
ways. Keras's own layers take time quadratic in the length on torch on a CPU; these take it linear everywhere.

Axis letters: b batch, t time, d input width, u units. The equations stand in `kzoo.ops.recurrent`. In saved files the
classes are "kzoo.layers>LSTM" and so on, since "kzoo>LSTM" is the model.
"""

import math
import random

import keras
import numpy as np
from keras import ops

from kzoo import backend, seeds
from kzoo.layers import initializers
from kzoo.ops import recurrent

__all__ = ["GRU", "LSTM", "SimpleRNN"]


def _differ(size, other):
    return size is not None and other is not None and size != other


class _Recurrent(keras.layers.Layer):
    """What the three share: (b, t, d) to (b, u), or to (b, t, u) with `return_sequences`.

    A class below says `columns`, how many units wide its kernels are; `states`, the names of what runs on, the output
    first; `step`; and `native_kind`, its name in `backend.recurrence`.
    """

    columns = 1
    states = ("h",)
    native_kind = None
    # keras.layers.Bidirectional asks for it.
    stateful = False

    def __init__(self, units, return_sequences=False, return_state=False, go_backwards=False, native=True, **kwargs):
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise ValueError(
                f"{type(self).__name__} needs a positive number of units; received units={units!r}. "
                "Pass an int, for example 64."
            )
        self.units = int(units)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.native = native
        # keras.layers.Bidirectional sets it, so that what a mask hides adds nothing to the sum of both directions.
        self.zero_output_for_mask = False
        self.supports_masking = True
        self.input_spec = keras.InputSpec(ndim=3)
        # Made here and not in build, so that the seeds are drawn in the order of construction.
        self._kernel_initializer = initializers.GlorotUniform()
        self._recurrent_initializer = initializers.Orthogonal()

    def build(self, sequences_shape, initial_state_shape=None):
        width = self.columns * self.units
        self.input_spec = keras.InputSpec(ndim=3, axes={-1: sequences_shape[-1]})
        self.kernel = self.add_weight(
            shape=(sequences_shape[-1], width), initializer=self._kernel_initializer, name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer=self._recurrent_initializer, name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=self._bias_shape(), initializer=self._bias_initializer(), name="bias")

    def _bias_shape(self):
        return (self.columns * self.units,)

    def _bias_initializer(self):
        return "zeros"

    def _set_memory(self, name, value, max_time):
        """Checks the bias of the gate that keeps the old state, and draws what "chrono" needs."""
        cls = type(self).__name__
        chrono = isinstance(value, str) and value == "chrono"
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number and not chrono:
            raise ValueError(f'The {name} of {cls} is a number or "chrono"; received {name}={value!r}.')
        whole = isinstance(max_time, int) and not isinstance(max_time, bool) and max_time >= 2
        if chrono != whole or (max_time is not None and not whole):
            raise ValueError(
                f'{name}="chrono" goes with max_time, the longest dependence to expect, in steps, at least 2; '
                f"received {name}={value!r}, max_time={max_time!r}."
            )
        self.max_time = max_time
        if chrono:
            drawn = seeds.default()
            self._bias_seed = random.randint(1, 10**9) if drawn is None else drawn

    def _memory_bias(self, value):
        """The bias of that gate for each unit: a gate of bias b keeps its state for about exp(b) steps."""
        if value != "chrono":
            return value
        drawn = np.random.Generator(np.random.PCG64(self._bias_seed))
        return np.log(drawn.uniform(1, self.max_time - 1, self.units))

    def step(self, projected, *state):
        """All that one step computes, a named tuple of (b, u)."""
        raise NotImplementedError

    def _input_bias(self):
        return self.bias

    def call(self, sequences, initial_state=None, mask=None):
        """
        Args:
            sequences: (b, t, d).
            initial_state: a list of (b, u), one for each of `states`; None for zeros.
            mask: (b, t), True where a sample has a step. Elsewhere the state stays, and the output repeats the last.

        Returns:
            The outputs, (b, u) or (b, t, u), in the order of running: with `go_backwards` the last step comes first.
            With `return_state` a tuple of these and the last states.

        Raises:
            ValueError: for an empty sequence, a mask of another shape, and a number of states that the layer lacks.
        """
        sequences = ops.cast(sequences, self.compute_dtype)
        state = self._checked(sequences, initial_state, mask)
        x = ops.swapaxes(sequences, 0, 1)  # (t, b, d)
        outputs = None
        if self.native and self.native_kind is not None and mask is None:
            found = backend.recurrence(
                self.native_kind,
                ops.flip(x, axis=0) if self.go_backwards else x,
                state,
                ops.convert_to_tensor(self.kernel),
                ops.convert_to_tensor(self.recurrent_kernel),
                ops.convert_to_tensor(self.bias),
            )
            if found is not None:
                outputs, state = found
        if outputs is None:
            # With a mask the last output of a sample without any step is zero, which its state need not be.
            collect = self.return_sequences or mask is not None
            state, outputs = self._scan(x, state, mask, lambda done: done.h if collect else None)
            if collect and self.go_backwards:
                outputs = ops.flip(outputs, axis=0)
        if not self.return_sequences:
            output = state[0] if mask is None else outputs[-1]
        else:
            output = ops.swapaxes(outputs, 0, 1)
            if mask is not None and self.zero_output_for_mask:
                shown = ops.flip(mask, axis=1) if self.go_backwards else mask
                output = ops.where(ops.expand_dims(shown, -1), output, ops.zeros_like(output))
        return (output, *state) if self.return_state else output

    def advance(self, x, state):
        """One step of time alone, for a sequence that comes in bit by bit.

        Args:
            x: (b, d).
            state: a sequence of (b, u), one for each of `states`.

        Returns:
            The output (b, u), and the tuple of the states to go on with.
        """
        kernel, recurrent_kernel, bias = (
            ops.cast(weight, self.compute_dtype) for weight in (self.kernel, self.recurrent_kernel, self._input_bias())
        )
        projected = ops.matmul(ops.cast(x, self.compute_dtype), kernel) + bias
        done = self.step(projected, *state, recurrent_kernel)
        return done.h, tuple(ops.cast(getattr(done, name), self.compute_dtype) for name in self.states)

    def trace(self, sequences, initial_state=None, mask=None) -> dict:
        """Every gate and state over time, for plots: name -> (b, t, u), named as in `kzoo.ops.recurrent`.

        At index t stands what belongs to step t of the input, also with `go_backwards`. The arguments are those of a
        call.
        """
        sequences = ops.convert_to_tensor(sequences, dtype=self.compute_dtype)
        if not self.built:
            self.build(sequences.shape)
            self.built = True
        state = self._checked(sequences, initial_state, mask)
        _, found = self._scan(ops.swapaxes(sequences, 0, 1), state, mask, lambda done: done._asdict())
        return {name: ops.swapaxes(value, 0, 1) for name, value in found.items()}

    def _scan(self, x, state, mask, collect):
        """The last state, and what `collect` takes of each step, (t, b, u) at the index of its input."""
        kernel, recurrent_kernel = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.recurrent_kernel)
        if mask is not None:
            # What is hidden may be nan, and the gradient of the product below would carry it into the kernel.
            x = ops.where(ops.expand_dims(ops.transpose(mask), -1), x, ops.zeros_like(x))
        inputs, project = backend.projection(x, kernel, ops.convert_to_tensor(self._input_bias()))

        def step(state, x):
            done = self.step(project(x), *state, recurrent_kernel)
            return tuple(getattr(done, name) for name in self.states), collect(done)

        options = {} if mask is None else {"mask": ops.transpose(mask)}
        return backend.scan(step, tuple(state), inputs, reverse=self.go_backwards, **options)

    def _checked(self, sequences, initial_state, mask):
        """The initial state as a list of tensors, after a look at all three."""
        name, shape = type(self).__name__, tuple(sequences.shape)
        if shape[1] == 0:
            raise ValueError(f"{name} needs at least one step of time; received inputs (b, t, d) of shape {shape}.")
        if mask is not None:
            given = np.shape(mask) if isinstance(mask, (list, tuple)) else tuple(mask.shape)
            if len(given) != 2 or any(
                a is not None and b is not None and a != b for a, b in zip(given, shape[:2], strict=True)
            ):
                raise ValueError(
                    f"The mask of {name} has the shape (b, t) of its inputs, {shape[:2]}; received {given}."
                )
        if initial_state is None:
            zeros = ops.zeros((ops.shape(sequences)[0], self.units), dtype=sequences.dtype)
            return [zeros for _ in self.states]
        given = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        if len(given) != len(self.states) or any(
            # The batch, too: torch's own kernel reads on past the end of a smaller one.
            len(state.shape) != 2 or state.shape[1] != self.units or _differ(state.shape[0], shape[0])
            for state in given
        ):
            raise ValueError(
                f"The initial state of {name} is a list of {len(self.states)}: {', '.join(self.states)}, each "
                f"(b, {self.units}); received {[tuple(state.shape) for state in given]} for inputs of shape {shape}."
            )
        return [ops.cast(ops.convert_to_tensor(state), sequences.dtype) for state in given]

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, time, _ = sequences_shape
        output = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        return (output, *[(batch, self.units)] * len(self.states)) if self.return_state else output

    def compute_mask(self, sequences, previous_mask=None):
        mask = previous_mask if self.return_sequences else None
        return [mask] + [None] * len(self.states) if self.return_state else mask

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "native": self.native,
        }


@keras.saving.register_keras_serializable("kzoo.layers")
class SimpleRNN(_Recurrent):
    """h = activation(x W + b + h' R) (Elman 1990); weights kernel (d, u), recurrent_kernel (u, u), bias (u,).

    Args:
        units: u.
        activation: a name or a function, as in Keras.
        return_sequences: whether to return the outputs of all steps.
        return_state: whether to return the last state beside the outputs.
        go_backwards: whether to run from the last step to the first.
        native: whether to take the backend's own kernel where it has one for this activation (torch: tanh and relu).
    """

    def __init__(
        self,
        units,
        activation="tanh",
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        native=True,
        **kwargs,
    ):
        super().__init__(units, return_sequences, return_state, go_backwards, native, **kwargs)
        self.activation = keras.activations.get(activation)
        self.native_kind = {
            keras.activations.tanh: "rnn_tanh",
            keras.activations.relu: "rnn_relu",
        }.get(self.activation)

    def step(self, projected, h, recurrent_kernel):
        return recurrent.simple_rnn_step(projected, h, recurrent_kernel, self.activation)

    def get_config(self):
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}


@keras.saving.register_keras_serializable("kzoo.layers")
class LSTM(_Recurrent):
    """The LSTM of `kzoo.ops.recurrent.lstm_step`; weights kernel (d, 4u), recurrent_kernel (u, 4u), bias (4u,).

    Gates stand in the order i f g o, as in Keras and torch.

    Args:
        units: u.
        return_sequences: whether to return the outputs of all steps.
        return_state: whether to return the last h and c beside the outputs.
        go_backwards: whether to run from the last step to the first.
        native: whether to take the backend's own kernel where it has one.
        forget_bias: what the bias of the forget gate starts from, a number; or "chrono", which spreads the memories of
            the units over times up to `max_time`: b_f = log(U(1, max_time - 1)), b_i = -b_f (Tallec and Ollivier 2018,
            arXiv:1804.11188).
        max_time: for "chrono", the longest dependence to expect, in steps, at least 2.
    """

    columns = 4
    states = ("h", "c")
    native_kind = "lstm"

    def __init__(
        self,
        units,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        native=True,
        forget_bias=1.0,
        max_time=None,
        **kwargs,
    ):
        super().__init__(units, return_sequences, return_state, go_backwards, native, **kwargs)
        self.forget_bias = forget_bias
        self._set_memory("forget_bias", forget_bias, max_time)

    def _bias_initializer(self):
        def initial(shape, dtype=None):
            bias = np.zeros((4, self.units))
            bias[1] = self._memory_bias(self.forget_bias)
            if self.forget_bias == "chrono":
                bias[0] = -bias[1]
            return ops.cast(bias.reshape(shape).astype("float32"), dtype)

        return initial

    def step(self, projected, h, c, recurrent_kernel):
        return recurrent.lstm_step(projected, h, c, recurrent_kernel)

    def get_config(self):
        return {**super().get_config(), "forget_bias": self.forget_bias, "max_time": self.max_time}


@keras.saving.register_keras_serializable("kzoo.layers")
class GRU(_Recurrent):
    """The GRU of `kzoo.ops.recurrent.gru_step`; weights kernel (d, 3u), recurrent_kernel (u, 3u), bias (2, 3u).

    Gates stand in the order z r n, as in Keras with `reset_after=True`; torch has r z n. Row 0 of the bias belongs to
    the input, row 1 to the recurrent product.

    Args:
        units: u.
        return_sequences: whether to return the outputs of all steps.
        return_state: whether to return the last state beside the outputs.
        go_backwards: whether to run from the last step to the first.
        native: whether to take the backend's own kernel where it has one.
        update_bias: what the bias of the update gate starts from, a number; or "chrono", which spreads the memories of
            the units over times up to `max_time`: b_z = log(U(1, max_time - 1)) (Tallec and Ollivier 2018,
            arXiv:1804.11188).
        max_time: for "chrono", the longest dependence to expect, in steps, at least 2.
    """

    columns = 3
    native_kind = "gru"

    def __init__(
        self,
        units,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        native=True,
        update_bias=0.0,
        max_time=None,
        **kwargs,
    ):
        super().__init__(units, return_sequences, return_state, go_backwards, native, **kwargs)
        self.update_bias = update_bias
        self._set_memory("update_bias", update_bias, max_time)

    def _bias_shape(self):
        return (2, 3 * self.units)

    def _bias_initializer(self):
        def initial(shape, dtype=None):
            bias = np.zeros((2, 3, self.units))
            bias[0, 0] = self._memory_bias(self.update_bias)
            return ops.cast(bias.reshape(shape).astype("float32"), dtype)

        return initial

    def _input_bias(self):
        return self.bias[0]

    def step(self, projected, h, recurrent_kernel):
        return recurrent.gru_step(projected, h, recurrent_kernel, ops.cast(self.bias[1], h.dtype))

    def get_config(self):
        return {**super().get_config(), "update_bias": self.update_bias, "max_time": self.max_time}
