"""What a simulation gives back: `Recording` of single neurons, `Raster` of a network. SI units throughout."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Recording:
    """Neurons that do not know of one another, each with a current of its own.

    Step k lasts from k dt to (k + 1) dt. `voltage[k]` is V at its start, `current[k]` acts during it, and
    `spikes[k]` says that V passed the threshold in it; `voltage[k + 1]` is then the reset. A spike's time is k dt.

    Arguments:
        dt: [s].
        current: (t, n) [A].
        voltage: (t, n) [V].
        spikes: (t, n) bool.
        engine: what ran, such as "numpy" or "brian-cpp".
        note: why not the engine that was asked for, else "".
    """

    dt: float
    current: np.ndarray
    voltage: np.ndarray
    spikes: np.ndarray
    engine: str
    note: str = ""

    @property
    def num_steps(self) -> int:
        return len(self.spikes)

    @property
    def num_neurons(self) -> int:
        return self.spikes.shape[1]

    @property
    def duration(self) -> float:
        """[s]."""
        return self.num_steps * self.dt

    @property
    def times(self) -> np.ndarray:
        """The starts of the steps, (t,) [s]."""
        return np.arange(self.num_steps) * self.dt

    def spike_times(self, neuron: int = 0) -> np.ndarray:
        """The times of one neuron's spikes [s], ascending."""
        return np.flatnonzero(self.spikes[:, neuron]) * self.dt

    @property
    def raster(self) -> "Raster":
        """The spikes alone, as those of a network without groups."""
        steps, neurons = np.nonzero(self.spikes)
        times = steps * self.dt
        return Raster(times, neurons, self.num_neurons, {}, self.duration, self.dt, self.engine, self.note)


@dataclasses.dataclass(frozen=True)
class Raster:
    """The spikes of a network.

    Arguments:
        times: (s,) of the spikes [s], ascending.
        neurons: (s,) int: who fired.
        size: how many neurons there are.
        groups: name to (start, stop), such as {"excitatory": (0, 800), "inhibitory": (800, 1000)}.
        duration: how long was simulated [s].
        dt: [s].
        engine: what ran.
        note: why that one, where "auto" chose it or another was asked for; else "".
        voltage: (t, k) [V] of the neurons in `traced`, or None.
        traced: (k,) int, or None.
        seconds: what it cost [s of wall time], such as {"build": 10.2, "run": 0.3}.
    """

    times: np.ndarray
    neurons: np.ndarray
    size: int
    groups: dict
    duration: float
    dt: float
    engine: str
    note: str = ""
    voltage: np.ndarray | None = None
    traced: np.ndarray | None = None
    seconds: dict = dataclasses.field(default_factory=dict)

    def spike_times(self, neuron: int) -> np.ndarray:
        """The times of one neuron's spikes [s], ascending."""
        return self.times[self.neurons == neuron]

    def group(self, name: str) -> "Raster":
        """The spikes of one group alone, its neurons counted from 0; without voltages."""
        start, stop = self.groups[name]
        inside = (self.neurons >= start) & (self.neurons < stop)
        return dataclasses.replace(
            self,
            times=self.times[inside],
            neurons=self.neurons[inside] - start,
            size=stop - start,
            groups={name: (0, stop - start)},
            voltage=None,
            traced=None,
        )
