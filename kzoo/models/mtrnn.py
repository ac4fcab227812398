"""MTRNN: a recurrent network whose slow units choose among the movements that its fast units know.

Yamashita and Tani, "Emergence of functional hierarchy in a multiple timescale neural network model: a humanoid robot
experiment", PLoS Computational Biology 4(11), 2008, doi:10.1371/journal.pcbi.1000220.

Axis letters: b batch, t time, d outputs, n units of a group.

    {"teacher": (b, t, d), "index": (b, 1)} -> (b, t, d), the step after each of the teacher's

The equations stand in `kzoo/ops/mtrnn.py`. A sequence is its number, `index`: the potentials that the slow units begin
with are learned for each sequence, with the weights, and all that tells one from another. In training the network is
given the teacher blended with its own outputs; outside of it the closed loop runs from the initial state alone, so
that a validation loss is the error of a whole regenerated sequence.

Differs from the paper: tanh for the context in place of the logistic function; tanh outputs and mean squared error
unless `output_activation="softmax"`, which is the paper's with its Kullback-Leibler divergence; the bias inside the
leaky sum, the same but for the state that a unit begins with; the optimizer is the recipe's; the blend grows over the
first `blend_steps` steps of training.
"""

import weakref

import keras
import numpy as np
from keras import ops

from kzoo.layers.mtrnn import InitialStates, MTRNNLayer
from kzoo.models.base import ZooModel, count

PRESETS = {
    "mu": {
        "num_outputs": 3,
        "num_sequences": 8,
        "fast_units": 12,
        "slow_units": 4,
        "time_constants": (1.0, 2.0, 8.0),
        "dt": 0.5,
        "blend": 0.5,
        "blend_steps": 4,
    },
    "mu-softmax": {
        "num_outputs": 6,
        "num_sequences": 8,
        "fast_units": 7,
        "slow_units": 3,
        "output_activation": "softmax",
        "groups": 2,
    },
    # Two coordinates, each a population code of ten units, as `kzoo.data.primitives.population_code` makes it.
    "population": {"num_outputs": 20, "output_activation": "softmax", "groups": 2},
}


@keras.saving.register_keras_serializable("kzoo")
class MTRNN(ZooModel):
    """Outputs, fast and slow context units, each group with its own time constant, and a state for each sequence.

    Args:
        num_outputs: d.
        num_sequences: How many sequences are learned; `index` runs from 0 to below it.
        fast_units, slow_units, time_constants, dt, output_activation, groups, blend, blend_steps: As in
            `kzoo.layers.mtrnn.MTRNNLayer`.
    """

    task = "regression"

    def __init__(
        self,
        num_outputs=2,
        num_sequences=5,
        *,
        fast_units: int = 40,
        slow_units: int = 10,
        time_constants: tuple[float, float, float] = (2.0, 5.0, 70.0),
        dt: float = 1.0,
        output_activation: str = "tanh",
        groups: int = 1,
        blend: float = 1.0,
        blend_steps: int = 0,
        **kwargs,
    ):
        count("num_outputs", num_outputs)
        count("num_sequences", num_sequences)
        states = InitialStates(num_sequences, count("slow_units", slow_units), name="initial_states")
        dynamics = MTRNNLayer(
            fast_units,
            slow_units,
            time_constants,
            dt,
            output_activation,
            groups,
            blend,
            blend_steps,
            return_states=True,
            name="dynamics",
        )
        teacher = keras.Input((None, num_outputs), name="teacher")
        index = keras.Input((1,), dtype="int32", name="index")
        outputs, _, _ = dynamics(teacher, states(index))
        super().__init__({"teacher": teacher, "index": index}, outputs, **kwargs)
        self.num_outputs = num_outputs
        self.num_sequences = num_sequences
        self.fast_units = fast_units
        self.slow_units = slow_units
        self.time_constants = dynamics.time_constants
        self.dt = dt
        self.output_activation = output_activation
        self.groups = groups
        self.blend = blend
        self.blend_steps = blend_steps

    def training_loss(self, label_smoothing: float = 0.0):
        """Mean squared error; with softmax outputs the divergence of Kullback and Leibler, summed over the groups."""
        loss = super().training_loss(label_smoothing)  # refuses label smoothing
        return keras.losses.KLDivergence() if self.output_activation == "softmax" else loss

    def sample_inputs(self, count: int, seed: int = 0):
        """Random inputs that fit the model, for probes and tests: seven steps of `count` sequences."""
        teacher = np.random.default_rng(seed).random((count, 7, self.num_outputs), dtype="float32")
        return {"teacher": teacher, "index": np.arange(count, dtype="int32")[:, None] % self.num_sequences}

    def initial_states(self) -> np.ndarray:
        """The learned potentials that the slow units begin with, (num_sequences, slow_units)."""
        return ops.convert_to_numpy(self.get_layer("initial_states").states)

    def generate(self, index=None, steps: int = 100, *, state=None) -> dict[str, np.ndarray]:
        """Runs the closed loop from an initial state alone.

        Args:
            index: Which learned sequences, a whole number or b of them.
            steps: t.
            state: In place of `index`, potentials that the slow units begin with, (slow_units,) or (b, slow_units):
                learned ones, or any mixture of them.

        Returns:
            {"outputs": (b, t, d), "fast": (b, t, fast_units), "slow": (b, t, slow_units)}: activities at each step.

        Raises:
            ValueError: for an index out of range, a state of another shape, both or neither of them, or no step.
        """
        if (index is None) == (state is None):
            raise ValueError("generate takes the index of a learned sequence, or state=POTENTIALS, and not both.")
        if index is not None:
            state = self.initial_states()[self._checked(index)]
        state = np.atleast_2d(np.asarray(state, "float32"))
        if state.ndim != 2 or state.shape[1] != self.slow_units or not len(state):
            raise ValueError(
                f"state: got the shape {state.shape}; expected (b, {self.slow_units}), a potential for each slow unit."
            )
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
            raise ValueError(f"steps: got {steps!r}; expected a whole number of at least 1, such as 100.")
        return self._run(np.zeros((len(state), steps, self.num_outputs), "float32"), state)

    def activations(self, x) -> dict[str, np.ndarray]:
        """What the closed loop does for inputs `x`, in the order of computation.

        Returns:
            "initial_states" (b, slow_units), "slow" (b, t, slow_units), "fast" (b, t, fast_units), "outputs" (b, t, d).
        """
        state = self.initial_states()[self._checked(x["index"])]
        found = self._run(np.asarray(x["teacher"], "float32"), state)
        return {"initial_states": state, "slow": found["slow"], "fast": found["fast"], "outputs": found["outputs"]}

    def train_slow_alone(self) -> None:
        """Leaves the slow units' connections, both ways, and the initial states to train, and fixes all the rest.

        It is how the paper teaches new orders of movements that the fast units know, its additional training; that both
        the connections to the slow units and those from them are trained is the reading of it here. Call it before
        `compile`.
        """
        dynamics = self.get_layer("dynamics")
        for name, weight in {**dynamics.kernels, **dynamics.biases}.items():
            weight.trainable = "slow" in name

    def _checked(self, index):
        """The indices as (b,), all of them of learned sequences."""
        found = np.asarray(index).reshape(-1)
        whole = found.dtype.kind in "iu" and found.size > 0
        if not whole or found.min() < 0 or found.max() >= self.num_sequences:
            raise ValueError(
                f"index: got {index!r}; expected whole numbers from 0 to {self.num_sequences - 1}, since the model has "
                f"learned {self.num_sequences} sequences."
            )
        return found

    def _run(self, teacher, state):
        if self not in _PROBES:
            inputs = [keras.Input((None, self.num_outputs)), keras.Input((self.slow_units,))]
            _PROBES[self] = keras.Model(inputs, list(self.get_layer("dynamics")(*inputs)))
        found = _PROBES[self].predict_on_batch([teacher, state])
        return dict(zip(("outputs", "fast", "slow"), found, strict=True))


# Kept beside the models: as an attribute of one, Keras would save the probe as a part of it.
_PROBES = weakref.WeakKeyDictionary()
