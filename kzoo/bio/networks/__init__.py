"""Networks of LIF neurons: descriptions that are checked when they are made, and `run` on any engine.

`Spiking` is a network of populations whose spikes reach each other through weighted synapses with delays. A spike moves
the voltage of its target at once by the synapse's weight, or adds it to a current or a conductance that decays.
`Graded` is a network without spikes, in which voltages act on each other.

Ready ones: `balanced`, `cuba`, `coba`, `brunel` with its `REGIMES`.

All that is random (connections, starting voltages, spikes from outside) is drawn from the seed before an engine starts,
so that one seed is one network on every engine.
"""

import numpy as np

from kzoo.bio import checks, engines
from kzoo.bio.engines import building, standalone
from kzoo.bio.networks.graded import Graded, GradedRecording
from kzoo.bio.networks.inputs import Stimulus
from kzoo.bio.networks.population import Poisson, Population
from kzoo.bio.networks.ready import REGIME_NAMES, REGIMES, balanced, brunel, coba, cuba
from kzoo.bio.networks.spiking import Spiking
from kzoo.bio.networks.synapses import Synapses
from kzoo.bio.records import Raster
from kzoo.errors import ParameterError

__all__ = [
    "REGIMES",
    "REGIME_NAMES",
    "Graded",
    "GradedRecording",
    "Poisson",
    "Population",
    "Spiking",
    "Stimulus",
    "Synapses",
    "balanced",
    "brunel",
    "coba",
    "cuba",
    "run",
]


def run(
    network,
    duration,
    dt=1e-4,
    seed=0,
    engine="auto",
    trace=(),
    stimulus=None,
    *,
    timeout=None,
    progress=None,
) -> Raster | GradedRecording:
    """Simulates a network.

    Arguments:
        network: `Spiking` or `Graded`.
        duration: [s].
        dt: [s], above 0 and at most tau.
        seed: of connections, starting voltages and drive: an integer of 0 or more.
        engine: "auto", or one of `engines.ENGINES`. "auto" is NumPy, or C++ where that can run and is worth its build:
            where NumPy would take longer by estimate, see `engines.pick`; a graded network runs in NumPy, where it is
            exact. The result's `note` says why.
        trace: neurons whose voltages are kept; of a graded network all are.
        stimulus: currents from outside [A]: (t,) into all neurons, (t, n) one column for each, a `Stimulus`, or
            several, which add up. t is at most the number of steps; nothing acts afterwards.
        timeout: seconds of wall time for the simulation, or None.
        progress: a function of a sentence, called while the engine works; a program's first use builds it in some
            twenty seconds.

    Returns: `Raster` of a spiking network, `GradedRecording` of a graded one.
    Raises: ParameterError if an argument is out of its bounds; KzooError if the engine fails or runs out of time.
    """
    if not isinstance(network, Spiking | Graded):
        raise ParameterError(f"network: got {network!r:.60}; expected Spiking, Graded, or a ready one such as cuba().")
    if timeout is not None:
        timeout = checks.quantity("timeout", timeout, "s", above=0.0)
    given = network.plan(duration, dt, seed, trace, stimulus)
    wanted = engine
    engine, note = engines.pick(engine, given)
    if engine == "brian-cpp":
        try:
            made = standalone.run(given, timeout, progress)
        except building.BuildFailed as failed:
            if wanted != "auto":
                raise
            engine, note = "numpy", engines.numpy_instead("brian-cpp", failed)
    if engine == "numpy":
        from kzoo.bio.engines import numpy_network

        made = numpy_network.run(given, timeout, progress)
    elif engine != "brian-cpp":
        from kzoo.bio.engines import brian

        made = brian.run(given, engine.removeprefix("brian-"), timeout, progress)
    if isinstance(network, Graded):
        current = np.zeros((given.steps, given.size))
        if given.current is not None:
            current = given.current[:, given.column]
        return GradedRecording(given.dt, current, made.voltage, engine, note, made.seconds)
    traced = len(given.trace) > 0
    return Raster(
        times=made.steps * given.dt,
        neurons=made.neurons,
        size=given.size,
        groups=network.groups,
        duration=given.steps * given.dt,
        dt=given.dt,
        engine=engine,
        note=note,
        voltage=made.voltage if traced else None,
        traced=given.trace if traced else None,
        seconds=made.seconds,
    )
