"""The multiple-timescale recurrent layer of Yamashita and Tani 2008, and the initial states that it learns.

doi:10.1371/journal.pcbi.1000220. The equations stand in `kzoo.ops.mtrnn`.
"""

import math

import keras
from keras import ops

from kzoo.layers.initializers import RandomNormal
from kzoo.ops.mtrnn import activate, potentials

OUTPUTS = ("tanh", "softmax")

# Who is connected to whom. What is missing is the rule of the architecture: outputs and slow units meet only through
# the fast ones.
CONNECTIONS = (
    ("outputs", "outputs"),
    ("outputs", "fast"),
    ("fast", "outputs"),
    ("fast", "fast"),
    ("fast", "slow"),
    ("slow", "fast"),
    ("slow", "slow"),
)


@keras.saving.register_keras_serializable("kzoo")
class MTRNNLayer(keras.layers.Layer):
    """Three groups of leaky units, each with its own time constant: outputs, fast context, slow context.

        tau_i du_i/dt = -u_i + sum over j of x_j kernel_ji + b_i,   in steps of dt;   y = tanh u, or a softmax

    In training the network is told what its outputs should have been, blended with what they were; else it runs in a
    closed loop on its own outputs, and the teacher's length is all that it takes from it.

    Called as `layer(teacher, initial)`: teacher (b, t, d), initial (b, slow_units) potentials of the slow units before
    the first step, zeros where it is left out. All other potentials begin at 0. Gives y (b, t, d), or with
    `return_states` the triple of y and the activities of fast and slow units, (b, t, fast_units), (b, t, slow_units).
    The state is kept in float32 under mixed precision too: a slow unit moves by less than half precision resolves.

    Args:
        fast_units, slow_units: Context units of each group.
        time_constants: tau of outputs, fast and slow units, in the unit of `dt`, each at least `dt`.
        dt: How long one step of the sequence lasts, above 0; with 1 the time constants are in steps of the sequence.
        output_activation: "tanh", or "softmax" for outputs that are population codes.
        groups: Among how many softmaxes the outputs are shared out; of no effect with "tanh".
        blend: The share of its own output in the network's input in training, 0 (teacher forcing) to 1 (closed loop).
        blend_steps: Over how many calls in training the share grows from 0 to `blend`; 0 has it at once.
        return_states: Whether to give the context's activities too.

    Raises:
        ValueError: for an argument out of range, outputs that do not share out among the groups, or an empty sequence.
    """

    def __init__(
        self,
        fast_units: int = 40,
        slow_units: int = 10,
        time_constants: tuple[float, float, float] = (2.0, 5.0, 70.0),
        dt: float = 1.0,
        output_activation: str = "tanh",
        groups: int = 1,
        blend: float = 1.0,
        blend_steps: int = 0,
        return_states: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for key, value, least in (
            ("fast_units", fast_units, 1),
            ("slow_units", slow_units, 1),
            ("groups", groups, 1),
            ("blend_steps", blend_steps, 0),
        ):
            if type(value) is not int or value < least:
                raise ValueError(f"{key}: got {value!r}; expected a whole number of at least {least}.")
        if not _is_number(dt) or dt <= 0:
            raise ValueError(f"dt: got {dt!r}; expected how long a step of the sequence lasts, above 0, such as 1.")
        given = time_constants if isinstance(time_constants, (list, tuple)) else [time_constants]
        if len(given) != 3 or not all(_is_number(tau) and tau > 0 for tau in given):
            raise ValueError(
                f"time_constants: got {time_constants!r}; expected three times above 0, of outputs, fast and slow "
                "units, such as [2, 5, 70]."
            )
        if dt > min(given):
            raise ValueError(
                f"dt: got {dt!r}, longer than the time constant {min(given)!r}, with which a unit overshoots; take "
                f"a dt of at most {min(given)!r}, or longer time constants."
            )
        if output_activation not in OUTPUTS:
            raise ValueError(f"output_activation: got {output_activation!r}; allowed: {', '.join(OUTPUTS)}.")
        if not _is_number(blend) or not 0 <= blend <= 1:
            raise ValueError(f"blend: got {blend!r}; expected a share from 0 (teacher) to 1 (own output).")
        self.fast_units = fast_units
        self.slow_units = slow_units
        self.time_constants = tuple(given)
        self.dt = dt
        self.output_activation = output_activation
        self.groups = groups
        self.blend = blend
        self.blend_steps = blend_steps
        self.return_states = return_states

    def build(self, teacher_shape, initial_shape=None):
        sizes = {"outputs": teacher_shape[-1], "fast": self.fast_units, "slow": self.slow_units}
        if self.output_activation == "softmax" and sizes["outputs"] % self.groups:
            raise ValueError(
                f"groups: got {self.groups!r} for {sizes['outputs']} outputs, which do not share out evenly; take a "
                "divisor of the number of outputs."
            )
        reached = {name: sum(sizes[source] for source, to in CONNECTIONS if to == name) for name in sizes}
        self.kernels = {
            f"{source}_to_{to}": self.add_weight(
                name=f"{source}_to_{to}",
                shape=(sizes[source], sizes[to]),
                initializer=RandomNormal(stddev=math.sqrt(1 / reached[to])),
            )
            for source, to in CONNECTIONS
        }
        self.biases = {
            name: self.add_weight(name=f"{name}_bias", shape=(size,), initializer="zeros")
            for name, size in sizes.items()
        }
        self.blended = None
        if self.blend_steps:
            self.blended = self.add_weight(
                name="blended", shape=(), dtype="int32", initializer="zeros", trainable=False, autocast=False
            )
        self.num_outputs = sizes["outputs"]

    def call(self, teacher, initial=None, training=False):
        if teacher.shape[1] == 0:
            raise ValueError(f"The teacher is an empty sequence, of shape {tuple(teacher.shape)}; leave it out.")
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        teacher = ops.cast(teacher, dtype)
        rest = ops.zeros_like(teacher[:, 0, :1]) + ops.zeros((self.num_outputs + self.fast_units,), dtype)
        slow = rest[:, :1] * ops.zeros((self.slow_units,), dtype) if initial is None else ops.cast(initial, dtype)
        kernel, bias, leak = self._matrices(dtype)
        groups = self.groups if self.output_activation == "softmax" else None
        blend = self._share(dtype) if training else 1
        u = potentials(teacher, ops.concatenate([rest, slow], axis=-1), kernel, bias, leak, blend, groups)
        y = ops.cast(activate(u, self.num_outputs, groups), self.compute_dtype)
        last_fast = self.num_outputs + self.fast_units
        outputs, fast, slow = y[..., : self.num_outputs], y[..., self.num_outputs : last_fast], y[..., last_fast:]
        return (outputs, fast, slow) if self.return_states else outputs

    def _matrices(self, dtype):
        """Kernel (n, n) with zeros where nothing is connected, bias (n,) and leak (n,)."""
        sizes = {name: bias.shape[0] for name, bias in self.biases.items()}
        rows = []
        for source in sizes:
            row = [
                ops.cast(self.kernels[f"{source}_to_{to}"], dtype)
                if (source, to) in CONNECTIONS
                else ops.zeros((sizes[source], sizes[to]), dtype)
                for to in sizes
            ]
            rows.append(ops.concatenate(row, axis=1))
        bias = ops.concatenate([ops.cast(bias, dtype) for bias in self.biases.values()])
        leak = [
            self.dt / tau for tau, size in zip(self.time_constants, sizes.values(), strict=True) for _ in range(size)
        ]
        return ops.concatenate(rows), bias, ops.convert_to_tensor(leak, dtype)

    def _share(self, dtype):
        """The share of the network's own output in this call, counted."""
        if self.blended is None:
            return self.blend
        share = self.blend * ops.cast(self.blended, dtype) / self.blend_steps
        self.blended.assign(ops.minimum(self.blended + 1, self.blend_steps))
        return share

    def compute_output_spec(self, teacher, initial=None, training=False):
        b, t, d = teacher.shape
        widths = (d, self.fast_units, self.slow_units) if self.return_states else (d,)
        specs = tuple(keras.KerasTensor((b, t, width), self.compute_dtype) for width in widths)
        return specs if self.return_states else specs[0]

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "fast_units": self.fast_units,
            "slow_units": self.slow_units,
            "time_constants": list(self.time_constants),
            "dt": self.dt,
            "output_activation": self.output_activation,
            "groups": self.groups,
            "blend": self.blend,
            "blend_steps": self.blend_steps,
            "return_states": self.return_states,
        }


@keras.saving.register_keras_serializable("kzoo")
class InitialStates(keras.layers.Layer):
    """One learned state for each sequence: index (b, 1) to state (b, units).

    An index out of range gives nan, on every backend: no number that a run could go on with.

    Args:
        num_sequences: How many sequences there are.
        units: Numbers in a state.
        stddev: Of the normal numbers that the states begin as; what is equal would learn to stay equal.
    """

    def __init__(self, num_sequences: int, units: int, stddev: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        for key, value in (("num_sequences", num_sequences), ("units", units)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{key}: got {value!r}; expected a whole number of at least 1.")
        self.num_sequences = num_sequences
        self.units = units
        self.stddev = stddev

    def build(self, input_shape):
        self.states = self.add_weight(
            name="states", shape=(self.num_sequences, self.units), initializer=RandomNormal(stddev=self.stddev)
        )

    def call(self, index):
        index = ops.reshape(ops.cast(index, "int32"), (-1,))
        known = ops.logical_and(index >= 0, index < self.num_sequences)
        found = ops.take(self.states, ops.clip(index, 0, self.num_sequences - 1), axis=0)
        return ops.where(known[:, None], found, ops.full_like(found, math.nan))

    def compute_output_spec(self, index):
        return keras.KerasTensor((index.shape[0], self.units), self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_sequences": self.num_sequences,
            "units": self.units,
            "stddev": self.stddev,
        }


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
