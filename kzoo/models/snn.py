"""SNN: a classifier of leaky integrate-and-fire neurons, trained by surrogate gradients.

Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural networks", IEEE Signal Processing Magazine
36(6), 2019, arXiv:1901.09948. The equations stand in `kzoo/ops/spikes.py`.

Axis letters: b batch, h w c image, d width, t time, u units, k classes.

    inputs (b, h, w, c) or (b, d) in [0, 1] -> code (b, t, d) -> [Dense - LIF] for each hidden layer, spikes (b, t, u)
    -> Dense, (b, t, k) -> logits (b, k)

The code is a constant current, spikes at random whose probability is the input, or one spike whose time is. Logits are
the mean over time of the voltages of k membranes that never spike, or the numbers of spikes of k neurons that do.

A step lasts 1, so that time constants are in steps; thresholds are 1 and resting voltages 0. The resistance is 1 / (1 -
decay): a current of 1 lifts a voltage by 1 in a step, whatever the time constant.

Differs from the paper: no recurrent connections; the reset is to 0, where the paper subtracts the threshold; synapses
without a time constant of their own.
"""

import math

import keras
import numpy as np
from keras import ops

from kzoo.layers.encoders import LatencyEncoder, RateEncoder
from kzoo.layers.initializers import GlorotUniform, HeUniform
from kzoo.layers.lif import INTEGRATIONS, LIF, LeakyIntegrator
from kzoo.models.base import Classifier, choice, count, sizes
from kzoo.ops.spikes import SURROGATES

ENCODERS = ("current", "rate", "latency")
READOUTS = ("voltage", "spikes")

PRESETS = {
    "mu": {
        "input_shape": (4, 4, 1),
        "num_classes": 3,
        "hidden_dims": (16, 9),
        "steps": 8,
        "encoder": "latency",
        "tau": 4.0,
        "t_ref": 2.0,
        "surrogate": "fast_sigmoid",
        "slope": 3.0,
        "integration": "euler",
    },
    "mu-rate": {
        "input_shape": (6,),
        "num_classes": 3,
        "hidden_dims": (12,),
        "steps": 7,
        "encoder": "rate",
        "readout": "spikes",
    },
    "mu-current": {"input_shape": (4,), "num_classes": 3, "hidden_dims": (8,), "steps": 5},
}


@keras.saving.register_keras_serializable("kzoo")
class SNN(Classifier):
    """Hidden layers of spiking neurons, then a readout.

    Args:
        input_shape: Shape of one sample, (h, w, c) or (d,), its values in [0, 1] for the codes made of spikes.
        num_classes: k.
        hidden_dims: Neurons of each hidden layer, at least one layer.
        steps: How many steps an input is shown for, t.
        encoder: "current", "rate" or "latency".
        readout: "voltage" or "spikes".
        tau: Membrane time constant, in steps.
        t_ref: Refractory period, in steps; below 2 it holds nothing up.
        surrogate: What stands in for the slope of a step: "arctan", "fast_sigmoid" or "straight_through".
        slope: The surrogate's, above 0; without one 2, 25 or 1, in that order.
        integration: "exact", or "euler", which NIR's readers take.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        num_classes=10,
        *,
        hidden_dims: tuple[int, ...] = (1000,),
        steps: int = 25,
        encoder: str = "current",
        readout: str = "voltage",
        tau: float = 20.0,
        t_ref: float = 0.0,
        surrogate: str = "arctan",
        slope: float | None = None,
        integration: str = "exact",
        **kwargs,
    ):
        count("num_classes", num_classes)
        hidden_dims = sizes("hidden_dims", hidden_dims)
        count("steps", steps)
        choice("encoder", encoder, ENCODERS)
        choice("readout", readout, READOUTS)
        choice("surrogate", surrogate, SURROGATES)
        choice("integration", integration, INTEGRATIONS)
        # Any resistance tells the decay; the one that the layers get follows from it.
        neuron = LIF(1, tau, t_ref=t_ref, surrogate=surrogate, slope=slope, integration=integration)
        tau, t_ref, slope = neuron.tau, neuron.t_ref, neuron.slope  # numbers of Python, for the configuration
        membrane = {"tau": tau, "resistance": 1 / (1 - neuron.decay), "integration": integration}
        spiking = {**membrane, "t_ref": t_ref, "surrogate": surrogate, "slope": slope}

        inputs = keras.Input(tuple(input_shape))
        x = inputs
        if len(input_shape) > 1:
            x = keras.layers.Reshape((math.prod(input_shape),), name="flatten")(x)  # (b, d)
        if encoder != "current":
            x = (RateEncoder if encoder == "rate" else LatencyEncoder)(steps, name=encoder)(x)  # (b, t, d)
        for i, units in enumerate(hidden_dims, start=1):
            x = keras.layers.Dense(units, kernel_initializer=HeUniform(), name=f"dense_{i}")(x)
            # What is the same at each step goes through the first product once.
            constant = steps if i == 1 and encoder == "current" else None
            x = LIF(units, **spiking, steps=constant, name=f"lif_{i}")(x)  # (b, t, u)
        x = keras.layers.Dense(num_classes, kernel_initializer=GlorotUniform(), name="readout")(x)
        if readout == "voltage":
            voltages = LeakyIntegrator(num_classes, **membrane, name="voltages")(x)  # (b, t, k)
            logits = ops.mean(voltages, axis=1)
        else:
            logits = ops.sum(LIF(num_classes, **spiking, name="lif_out")(x), axis=1)
        super().__init__(inputs, logits, **kwargs)
        self.num_classes = num_classes
        self.hidden_dims = hidden_dims
        self.steps = steps
        self.encoder = encoder
        self.readout = readout
        self.tau = tau
        self.t_ref = t_ref
        self.surrogate = surrogate
        self.slope = slope
        self.integration = integration

    def spike_trains(self, x) -> dict[str, np.ndarray]:
        """The spikes of every layer for inputs `x` (b, ...), in the order of computation.

        Returns:
            "rate" or "latency" (b, t, d) where the input is coded in spikes, "lif_1" ... (b, t, u), and with the
            readout "spikes" "lif_out" (b, t, k); each of booleans.
        """
        spiking = ("rate", "latency")
        found = self.activations(x)
        return {name: value > 0.5 for name, value in found.items() if name in spiking or name.startswith("lif_")}
