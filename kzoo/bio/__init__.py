"""Simulated biology: leaky integrate-and-fire neurons and their networks. No Keras here, and SI units throughout.

    from kzoo.bio import LIF, currents, simulate
    recording = simulate(LIF(tau=20e-3), currents.step(0.5, 1e-4, amplitude=0.3e-9))
    recording.spike_times()

Beside it stand `theory`, which simulations are compared with; `analysis`, what spikes say; and `networks`.
"""

from kzoo.bio import currents
from kzoo.bio.neuron import rates, simulate
from kzoo.bio.parameters import LIF
from kzoo.bio.records import Raster, Recording

__all__ = ["LIF", "Raster", "Recording", "currents", "rates", "simulate"]
