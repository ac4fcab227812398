"""Single neurons in Brian2 alone, as an oracle: `python brian_single.py NAME ...` reads NAME.npz, to NAME_brian.npz.

A process of its own, as Brian2 warns when it is imported and keeps global state. Written without kzoo.
"""

import sys

import brian2
import numpy as np

brian2.prefs.codegen.target = "numpy"


def main(name):
    given = np.load(f"{name}.npz")
    current, dt = given["current"], float(given["dt"]) * brian2.second
    names = ("tau", "resistance", "v_rest", "v_threshold", "v_reset", "t_ref")
    units = (brian2.second, brian2.ohm, brian2.volt, brian2.volt, brian2.volt, brian2.second)
    constants = {key: float(given[key]) * unit for key, unit in zip(names, units, strict=True)}
    neurons = brian2.NeuronGroup(
        current.shape[1],
        "dv/dt = (-(v - v_rest) + resistance * stimulus(t, i)) / tau : volt (unless refractory)",
        threshold="v > v_threshold",
        reset="v = v_reset",
        refractory=constants.pop("t_ref"),
        method="exact",
        dt=dt,
        namespace={**constants, "stimulus": brian2.TimedArray(current * brian2.amp, dt=dt)},
    )
    neurons.v = given["v_start"] * brian2.volt
    voltage, spikes = brian2.StateMonitor(neurons, "v", record=True, dt=dt), brian2.SpikeMonitor(neurons)
    brian2.Network(neurons, voltage, spikes).run(len(current) * dt)
    raster = np.zeros(current.shape, bool)
    raster[np.rint(spikes.t / dt).astype(int), spikes.i] = True
    np.savez(f"{name}_brian.npz", voltage=np.asarray(voltage.v).T, spikes=raster)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(argument)
