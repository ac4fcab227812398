"""Networks of LIF neurons: descriptions that are checked when they are made, and `run` on any engine.

`Spiking` is a network of populations whose spikes reach each other through weighted synapses with delays. A spike moves
the voltage of its target at once by the synapse's weight, or adds it to a current or a conductance that decays.
`Graded` is a network without spikes, in which voltages act on each other.

Ready ones: `balanced`, `cuba`, `coba`, `brunel` with its `REGIMES`.

All that is random (connections, starting voltages, spikes from outside) is drawn from the seed before an engine starts,
so that one seed is one network on every engine.
"""

import dataclasses
import math

import numpy as np

from kzoo.bio import checks, engines, theory
from kzoo.bio.engines import plan
from kzoo.bio.parameters import LIF
from kzoo.bio.records import Raster
from kzoo.errors import ParameterError

# Brunel 2000, figure 8: inhibition over excitation g, and the external rate over that which takes the mean to the
# threshold, eta.
REGIMES = {"A": (3.0, 2.0), "B": (6.0, 4.0), "C": (5.0, 2.0), "D": (4.5, 0.9)}
REGIME_NAMES = {
    "A": "synchronous regular",
    "B": "synchronous irregular, fast oscillation",
    "C": "asynchronous irregular",
    "D": "synchronous irregular, slow oscillation",
}
_ALL = "all"


@dataclasses.dataclass(frozen=True)
class Poisson:
    """Spikes from outside, at random times and independent for each neuron, that move the voltage at once.

    Arguments:
        rate: of all spikes that reach a neuron together [Hz], 0 or more.
        weight: by which each moves the voltage [V].
    """

    rate: float
    weight: float

    def __post_init__(self):
        object.__setattr__(self, "rate", checks.quantity("rate", self.rate, "Hz", least=0.0, most=1e7))
        object.__setattr__(self, "weight", checks.quantity("weight", self.weight, "mV"))


@dataclasses.dataclass(frozen=True)
class Population:
    """Neurons with the same parameters.

    Arguments:
        name: by which synapses, rasters and plots know them.
        size: how many, 1 or more.
        neuron: `LIF`.
        current: a constant current into each [A].
        v_start: the voltage at the start [V]: a number, or (low, high) between which each is drawn; v_rest by default.
        drive: `Poisson`, or None.

    Raises: ParameterError if an argument is out of its bounds.
    """

    name: str
    size: int
    neuron: LIF = dataclasses.field(default_factory=LIF)
    current: float = 0.0
    v_start: float | tuple[float, float] | None = None
    drive: Poisson | None = None

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name or self.name == _ALL:
            raise ParameterError(f"name: got {self.name!r}; expected a text, and not {_ALL!r}.")
        object.__setattr__(self, "size", checks.integer("size", self.size, 1, 10**7))
        _instance("neuron", self.neuron, LIF, "LIF(tau=20e-3)")
        if self.drive is not None:
            _instance("drive", self.drive, Poisson, "Poisson(rate=1000.0, weight=0.1e-3)")
        object.__setattr__(self, "current", checks.quantity("current", self.current, "nA"))
        start = self.neuron.v_rest if self.v_start is None else self.v_start
        pair = tuple(start) if isinstance(start, tuple | list | np.ndarray) else (start, start)
        if len(pair) != 2:
            raise ParameterError(f"v_start: got {self.v_start!r}; expected a number, or (low, high), in volts.")
        low = checks.quantity("v_start", pair[0], "mV")
        object.__setattr__(self, "v_start", (low, checks.quantity("v_start", pair[1], "mV", least=low)))


@dataclasses.dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses between populations, which share how they act.

    Exactly one of `probability`, `in_degree` and `pairs` says which neurons are connected; with the first two no
    neuron is connected to itself, and no pair twice.

    Arguments:
        source, target: names of populations, tuples of such, or "all".
        weight: what a spike adds: to the voltage [V] if there is no `tau`; to the current, in volts after the
            resistance [V]; to the conductance, in units of the leak's [no unit]. With `pairs` also one for each.
        delay: from a spike to its effect [s], 0 to 1; to the nearest step. With `pairs` also one for each.
        probability: of each pair, independently.
        in_degree: how many sources, drawn at random, each target has.
        pairs: (sources, targets), int arrays that count neurons within `source` and within `target`.
        tau: time constant [s] with which current or conductance decay; None for a voltage that is moved at once.
        reversal: the reversal potential of a conductance [V]; None for a current.
        start: the conductance (or current) at time 0, (mean, standard deviation) of a normal distribution that is cut
            off at 0; None for 0.

    Synapses with the same tau, reversal and start add to one current or conductance of a neuron.

    Raises: ParameterError if an argument is out of its bounds.
    """

    source: str | tuple[str, ...]
    target: str | tuple[str, ...]
    weight: float | np.ndarray
    delay: float | np.ndarray = 0.0
    probability: float | None = None
    in_degree: int | None = None
    pairs: tuple | None = None
    tau: float | None = None
    reversal: float | None = None
    start: tuple[float, float] | None = None

    def __post_init__(self):
        given = [name for name in ("probability", "in_degree", "pairs") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ParameterError(
                f"probability, in_degree, pairs: got {' and '.join(given) or 'none of them'}; expected exactly one, "
                "such as probability=0.1."
            )
        keep = object.__setattr__
        if self.pairs is not None:
            keep(self, "pairs", _pairs(self.pairs))
        keep(self, "weight", self._numbers("weight", "" if self.reversal is not None else "mV"))
        keep(self, "delay", self._numbers("delay", "ms", least=0.0, most=1.0))
        if self.probability is not None:
            keep(self, "probability", checks.quantity("probability", self.probability, least=0.0, most=1.0))
        if self.in_degree is not None:
            keep(self, "in_degree", checks.integer("in_degree", self.in_degree, 0))
        if self.tau is not None:
            keep(self, "tau", checks.quantity("tau", self.tau, "ms", above=0.0))
        if self.reversal is not None:
            keep(self, "reversal", checks.quantity("reversal", self.reversal, "mV"))
            if self.tau is None:
                raise ParameterError("tau: got None; expected the time constant of the conductance, such as tau=5e-3.")
        if self.start is not None:
            if self.tau is None or not isinstance(self.start, tuple | list) or len(self.start) != 2:
                raise ParameterError(f"start: got {self.start!r}; expected (mean, deviation), and a tau.")
            mean, deviation = self.start
            keep(self, "start", (checks.quantity("start", mean), checks.quantity("start", deviation, least=0.0)))

    def _numbers(self, name, unit, **bounds):
        """A number as a float; with `pairs`, also one for each as an array."""
        value = getattr(self, name)
        if np.ndim(value) == 0:
            return checks.quantity(name, value, unit, **bounds)
        if self.pairs is None or np.shape(value) != self.pairs[0].shape:
            count = "one number" if self.pairs is None else f"one for each of {len(self.pairs[0])} pairs"
            raise ParameterError(f"{name}: got numbers of shape {np.shape(value)}; expected {count}.")
        if not len(value):
            return 0.0
        value = checks.array(name, value, unit)
        for number in (value.min(), value.max()):
            checks.quantity(name, number, unit, **bounds)
        return value


@dataclasses.dataclass(frozen=True, eq=False)
class Stimulus:
    """A current into some neurons.

    Arguments:
        current: (t,) [A], what acts in each step; nothing acts after its end.
        neurons: int array, or the name of a population; all neurons by default.
    """

    current: np.ndarray
    neurons: np.ndarray | str = _ALL

    def __post_init__(self):
        object.__setattr__(self, "current", checks.array("current", self.current, "A"))


@dataclasses.dataclass(frozen=True, eq=False)
class Spiking:
    """A network of LIF neurons that send spikes.

    Arguments:
        populations: of `Population`; their neurons are counted through, in this order.
        synapses: of `Synapses`.

    Raises: ParameterError if a population is unknown or named twice, or synapses do not fit the populations.
    """

    populations: tuple[Population, ...]
    synapses: tuple[Synapses, ...] = ()

    def __post_init__(self):
        for name, kind, example in (("populations", Population, "Population"), ("synapses", Synapses, "Synapses")):
            values = getattr(self, name)
            values = (values,) if isinstance(values, kind) else tuple(values)
            for value in values:
                _instance(name, value, kind, f"{example}(...)")
            object.__setattr__(self, name, values)
        names = [population.name for population in self.populations]
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"populations: got the names {names}; expected one or more, each once.")
        if self.size > 10**7:
            raise ParameterError(f"populations: got {self.size} neurons; expected at most 10 million.")
        for synapses in self.synapses:
            sources, targets = (len(self.neurons(end)) for end in (synapses.source, synapses.target))
            if synapses.pairs is not None:
                for end, numbers, count in zip(("source", "target"), synapses.pairs, (sources, targets), strict=True):
                    if len(numbers) and numbers.max() >= count:
                        raise ParameterError(
                            f"pairs: got the {end} {numbers.max()}; expected 0 to {count - 1}, the neurons of "
                            f"{getattr(synapses, end)!r}."
                        )
            if synapses.in_degree is not None and synapses.in_degree > sources - 1:
                raise ParameterError(
                    f"in_degree: got {synapses.in_degree}; expected at most {sources - 1}, the other neurons of "
                    f"{synapses.source!r}. Take fewer, or a larger population."
                )

    @property
    def size(self) -> int:
        """The number of neurons."""
        return sum(population.size for population in self.populations)

    @property
    def groups(self) -> dict[str, tuple[int, int]]:
        """Name to (start, stop), as in `Raster.groups`."""
        stops = np.cumsum([population.size for population in self.populations]).tolist()
        starts = [0, *stops[:-1]]
        return {p.name: (start, stop) for p, start, stop in zip(self.populations, starts, stops, strict=True)}

    def neurons(self, names) -> np.ndarray:
        """The neurons of a population, of several, or of all, int32, ascending.

        Raises: ParameterError for an unknown name.
        """
        if isinstance(names, str) and names == _ALL:
            return np.arange(self.size, dtype=np.int32)
        groups = self.groups
        names = (names,) if isinstance(names, str) else names
        spans = [groups[checks.choice("population", name, tuple(groups))] for name in names]
        return np.unique(np.concatenate([np.arange(*span, dtype=np.int32) for span in spans]))

    def plan(self, duration, dt=1e-4, seed=0, trace=(), stimulus=None) -> plan.Plan:
        """What an engine is handed: connections, starting voltages and drive drawn from the seed.

        Arguments and errors: those of `run`.
        """
        dt, steps = _steps([population.neuron for population in self.populations], duration, dt)
        seeds = np.random.SeedSequence(checks.integer("seed", seed, 0)).spawn(2 + len(self.synapses))
        current, column = _columns(stimulus, steps, self.size, self.neurons)
        channels, wires = self._wires(dt, seeds[2:])
        rng = np.random.default_rng(seeds[0])
        start = [rng.uniform(*population.v_start, population.size) for population in self.populations]
        channels = [_started(channel, self.size, rng) for channel in channels]
        return plan.Plan(
            size=self.size,
            dt=dt,
            steps=steps,
            parameters=self._parameters(),
            v_start=np.concatenate(start),
            channels=tuple(channels),
            wires=tuple(wires),
            current=current,
            column=column,
            drive=self._drive(dt, seeds[1]),
            trace=_trace(trace, self.size),
        )

    def _parameters(self):
        """Each of `LIF` as (1,) or (n,). A constant current is a shift of v_rest."""
        rows = []
        for population in self.populations:
            row = {name: getattr(population.neuron, name) for name in plan.PARAMETERS}
            row["v_rest"] += row["resistance"] * population.current
            rows.append(row)
        if all(row == rows[0] for row in rows):
            return {name: np.array([value]) for name, value in rows[0].items()}
        sizes = [population.size for population in self.populations]
        return {name: np.repeat([row[name] for row in rows], sizes) for name in plan.PARAMETERS}

    def _wires(self, dt, seeds):
        """The channels, and the synapses with their connections drawn."""
        found, wires = [], []
        taus = {population.neuron.tau for population in self.populations}
        for synapses, seed in zip(self.synapses, seeds, strict=True):
            channel = None
            if synapses.tau is not None:
                kind = (_apart(synapses.tau, taus), synapses.reversal, synapses.start)
                if kind not in found:
                    found.append(kind)
                channel = found.index(kind)
            sources, targets = self.neurons(synapses.source), self.neurons(synapses.target)
            first, reached, order = _connect(synapses, sources, targets, self.size, np.random.default_rng(seed))
            weights, delays = (
                value[order] if np.ndim(value) else np.full(1, value) for value in (synapses.weight, synapses.delay)
            )
            # To the nearest step, a half upwards, as Brian2 does.
            wires.append(plan.Wires(channel, first, reached, weights, np.floor(delays / dt + 0.5).astype(np.int64)))
        return found, wires

    def _drive(self, dt, seed):
        if all(population.drive is None or not population.drive.rate for population in self.populations):
            return None
        means, kinds, weights = [], [], []
        for population in self.populations:
            drive = population.drive or Poisson(0.0, 0.0)
            mean = drive.rate * dt
            if mean and mean not in means:
                means.append(mean)
            kinds.append(means.index(mean) if mean else -1)
            weights.append(drive.weight)
        sizes = [population.size for population in self.populations]
        (key,) = seed.generate_state(1, np.uint64).tolist()
        return plan.Drive(tuple(means), np.repeat(kinds, sizes).astype(np.int32), np.repeat(weights, sizes), key)


@dataclasses.dataclass(frozen=True, eq=False)
class Graded:
    """A network without spikes, in which each voltage acts on the others in proportion to its distance from rest:

        tau dV_i/dt = -(V_i - v_rest) + resistance I_i + Σ_j W_ij (V_j - v_rest)

    Teaching texts write Σ_j W_ij V_j; then a neuron at rest would act on all others with its -70 mV, so that voltages
    are taken relative to rest here.

    It comes to rest only if the largest real part of an eigenvalue of W is below 1: what one voltage gives the others
    and gets back must be less than what leaks. Other matrices are refused.

    Arguments:
        weights: W (n, n), without a unit; W[i, j] acts from j on i.
        neuron: `LIF`, of which tau, resistance and v_rest are used.
        v_start: voltages at the start [V], a number or (n,); v_rest by default.

    Raises: ParameterError if an argument is out of its bounds, and for an unstable W.
    """

    weights: np.ndarray
    neuron: LIF = dataclasses.field(default_factory=LIF)
    v_start: np.ndarray | float | None = None

    def __post_init__(self):
        _instance("neuron", self.neuron, LIF, "LIF(tau=20e-3)")
        weights = checks.array("weights", self.weights, dims=(2,))
        if weights.shape[0] != weights.shape[1]:
            raise ParameterError(f"weights: got shape {weights.shape}; expected (n, n), one row for each neuron.")
        largest, stable = theory.graded_stability(weights)
        if not stable:
            raise ParameterError(
                f"weights: got a matrix whose eigenvalues have a largest real part of {largest:.6g}; expected below 1. "
                "In that direction each voltage gets back from the others at least as much as leaks away, so that the "
                f"voltages would grow without end. Scale it: {0.99 / largest:.4g} * weights has 0.99."
            )
        object.__setattr__(self, "weights", weights.copy())
        start = self.neuron.v_rest if self.v_start is None else self.v_start
        start = checks.array("v_start", start, "V", dims=(0, 1))
        if start.ndim and len(start) != self.size:
            raise ParameterError(f"v_start: got {len(start)} numbers; expected one, or one for each of {self.size}.")
        object.__setattr__(self, "v_start", np.broadcast_to(start, self.size).copy())

    @property
    def size(self) -> int:
        """The number of neurons."""
        return len(self.weights)

    def plan(self, duration, dt=1e-4, seed=0, trace=None, stimulus=None) -> plan.Plan:
        """What an engine is handed. Nothing is random. Arguments and errors: those of `run`."""
        dt, steps = _steps([self.neuron], duration, dt)
        current, column = _columns(stimulus, steps, self.size, None)
        sources, targets = np.nonzero(self.weights.T)
        first = np.searchsorted(sources, np.arange(self.size + 1)).astype(np.int64)
        values = self.weights.T[sources, targets]
        values = values if len(values) else np.zeros(1)
        wires = plan.Wires(None, first, targets.astype(np.int32), values, np.zeros(1, np.int64))
        return plan.Plan(
            size=self.size,
            dt=dt,
            steps=steps,
            parameters={name: np.array([getattr(self.neuron, name)]) for name in plan.PARAMETERS},
            v_start=self.v_start,
            wires=(wires,),
            current=current,
            column=column,
            trace=np.arange(self.size, dtype=np.int32),
            graded=True,
        )


@dataclasses.dataclass(frozen=True)
class GradedRecording:
    """The voltages of a graded network; `voltage[k]` is V at time k dt.

    Arguments:
        dt: [s].
        current: (t, n) [A].
        voltage: (t, n) [V].
        engine: what ran.
        note: why not the engine that was asked for, else "".
        seconds: what it cost [s of wall time].
    """

    dt: float
    current: np.ndarray
    voltage: np.ndarray
    engine: str
    note: str = ""
    seconds: dict = dataclasses.field(default_factory=dict)

    @property
    def times(self) -> np.ndarray:
        """The starts of the steps, (t,) [s]."""
        return np.arange(len(self.voltage)) * self.dt

    @property
    def duration(self) -> float:
        """[s]."""
        return len(self.voltage) * self.dt


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
        engine: "auto", or one of `engines.ENGINES`. "auto" is C++ where that can run, else NumPy; a graded network runs
            in NumPy, where it is exact.
        trace: neurons whose voltages are kept; of a graded network all are.
        stimulus: currents from outside [A]: (t,) into all neurons, (t, n) one column for each, a `Stimulus`, or
            several, which add up. t is at most the number of steps; nothing acts afterwards.
        timeout: seconds of wall time for the simulation, or None.
        progress: a function of a sentence, called while the engine works; a program's first use builds it in some ten
            seconds.

    Returns: `Raster` of a spiking network, `GradedRecording` of a graded one.
    Raises: ParameterError if an argument is out of its bounds; KzooError if the engine fails or runs out of time.
    """
    if not isinstance(network, Spiking | Graded):
        raise ParameterError(f"network: got {network!r:.60}; expected Spiking, Graded, or a ready one such as cuba().")
    if timeout is not None:
        timeout = checks.quantity("timeout", timeout, "s", above=0.0)
    given = network.plan(duration, dt, seed, trace, stimulus)
    if isinstance(network, Graded) and engine == "auto":
        engine = "numpy"
    engine, note = engines.pick(engine, given.structure)
    if engine == "numpy":
        from kzoo.bio.engines import numpy_network

        made = numpy_network.run(given, timeout, progress)
    elif engine == "brian-cpp":
        made = engines.standalone.run(given, timeout, progress)
    else:
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


def balanced(size=1000, in_degree=100, weight=1e-3, g=6.0, current=0.3e-9, delay=1.5e-3) -> Spiking:
    """A random balanced network: a constant current above rheobase, held back by inhibition. Nothing in it is noise.

    Four fifths are excitatory. Each neuron has `in_degree` excitatory sources and a quarter as many inhibitory ones.
    Spikes move voltages at once. Excitation and inhibition nearly cancel in the mean, and what is left fluctuates, so
    that neurons fire at irregular times: van Vreeswijk and Sompolinsky 1996, doi:10.1126/science.274.5293.1724.

    Arguments:
        size: of the network, 10 or more.
        in_degree: excitatory synapses of a neuron.
        weight: of an excitatory spike [V].
        g: inhibition over excitation of a synapse, 0 or more.
        current: into each neuron [A].
        delay: [s].
    """
    size = checks.integer("size", size, 10, 10**6)
    neuron = LIF()
    start = (neuron.v_rest, neuron.v_threshold)
    excitatory = size - size // 5
    in_degree = checks.integer("in_degree", in_degree, 1, excitatory - 1)
    g = checks.quantity("g", g, least=0.0)
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, current, start),
            Population("inhibitory", size // 5, neuron, current, start),
        ),
        (
            Synapses("excitatory", _ALL, weight, delay, in_degree=in_degree),
            Synapses("inhibitory", _ALL, -g * weight, delay, in_degree=min(round(in_degree / 4), size // 5 - 1)),
        ),
    )


def cuba(size=4000) -> Spiking:
    """The network with currents of Vogels and Abbott 2005 (doi:10.1523/JNEUROSCI.3508-05.2005).

    The parameters are those of the benchmark 2 of Brette et al. 2007 (arXiv:q-bio/0611089): they fire without any
    input, since they rest above the threshold. In a smaller network the probability of a connection grows, so that a
    neuron keeps 80 synapses.

    Differs from the source: no neuron is connected to itself.

    Arguments:
        size: from 200 on; 4,000 in the source.
    """
    size = checks.integer("size", size, 200, 10**6)
    neuron = LIF(tau=20e-3, v_rest=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, t_ref=5e-3)
    return _vogels_abbott(
        size,
        neuron,
        (neuron.v_reset, neuron.v_threshold),
        {"weight": 1.62e-3, "tau": 5e-3},
        {"weight": -9e-3, "tau": 10e-3},
    )


def coba(size=4000) -> Spiking:
    """The network with conductances of Vogels and Abbott 2005 (doi:10.1523/JNEUROSCI.3508-05.2005).

    The parameters are those of the benchmark 1 of Brette et al. 2007 (arXiv:q-bio/0611089). Nothing drives it but its
    own activity, which voltages and conductances at the start set off. It can die out: of 60 seeds, 2 fell silent, in
    the first 40 ms; and a smaller one does so more often. In a smaller network the probability of a connection grows,
    so that a neuron keeps 80 synapses.

    Differs from the source: no neuron is connected to itself; voltages at the start are uniform between -85 and -55 mV,
    and conductances normal with 4 ± 1.5 and 15 ± 12 times the leak, cut off at 0.

    Arguments:
        size: from 200 on; 4,000 in the source.
    """
    size = checks.integer("size", size, 200, 10**6)
    neuron = LIF(tau=20e-3, v_rest=-60e-3, v_threshold=-50e-3, v_reset=-60e-3, t_ref=5e-3)
    return _vogels_abbott(
        size,
        neuron,
        (-85e-3, -55e-3),
        {"weight": 0.6, "tau": 5e-3, "reversal": 0.0, "start": (4.0, 1.5)},
        {"weight": 6.7, "tau": 10e-3, "reversal": -80e-3, "start": (15.0, 12.0)},
    )


def _vogels_abbott(size, neuron, start, excitation, inhibition):
    probability = min(1.0, 80 / size)
    excitatory = size - size // 5
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, v_start=start),
            Population("inhibitory", size - excitatory, neuron, v_start=start),
        ),
        (
            Synapses("excitatory", _ALL, probability=probability, **excitation),
            Synapses("inhibitory", _ALL, probability=probability, **inhibition),
        ),
    )


def brunel(g=5.0, eta=2.0, scale=1.0, *, weight=0.1e-3, delay=1.5e-3) -> Spiking:
    """The sparse network of Brunel 2000 (doi:10.1023/A:1008925309027), model A.

    10,000 excitatory and 2,500 inhibitory neurons; each has 1,000 excitatory and 250 inhibitory sources within, and
    1,000 Poisson sources outside. Voltages count from rest: threshold 20 mV, reset 10 mV.

    A smaller network keeps the sources of a neuron, 1,000 and 250, and their weight, and has fewer neurons: scale
    10,000 and scale 2,500 of them. So mean and variance of what a neuron receives, and the theory's rates, stay as they
    are; what grows is the share of sources that two neurons have in common, 10 % / scale, and with it the synchrony. At
    scale 0.2 the rates are within 10 % of the full network's in all four regimes and oscillations are of the same
    frequencies, but C is less asynchronous: `analysis.synchrony` is 0.30 instead of 0.14 there.

    Differs from the source: voltages at the start are uniform between rest and threshold.

    Arguments:
        g: weight of inhibition over excitation, 0 or more.
        eta: external rate over that which takes the mean to the threshold, 0 or more.
        scale: of the number of neurons, from 0.2 to 1.
        weight: J, by which an excitatory spike moves the voltage [V], above 0.
        delay: D [s].
    """
    g, eta = checks.quantity("g", g, least=0.0), checks.quantity("eta", eta, least=0.0)
    hint = "Two neurons of a smaller network would have more than half of their sources in common."
    scale = checks.quantity("scale", scale, least=0.2, most=1.0, hint=hint)
    weight = checks.quantity("weight", weight, "mV", above=0.0)
    neuron = LIF(tau=20e-3, v_rest=0.0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3)
    excitatory = round(10_000 * scale)
    outside = eta * neuron.v_threshold / (weight * neuron.tau)  # of all 1,000 sources together
    drive = Poisson(outside, weight)
    start = (neuron.v_rest, neuron.v_threshold)
    return Spiking(
        (
            Population("excitatory", excitatory, neuron, v_start=start, drive=drive),
            Population("inhibitory", round(excitatory / 4), neuron, v_start=start, drive=drive),
        ),
        (
            Synapses("excitatory", _ALL, weight, delay, in_degree=1000),
            Synapses("inhibitory", _ALL, -g * weight, delay, in_degree=250),
        ),
    )


def _instance(name, value, kind, example):
    if not isinstance(value, kind):
        raise ParameterError(f"{name}: got {value!r:.60}; expected a {kind.__name__}, such as {example}.")


def _pairs(pairs):
    """(sources, targets) as int64 arrays of one length."""
    made = []
    for values in pairs if isinstance(pairs, tuple | list) and len(pairs) == 2 else ((), None):
        values = np.asarray(values if values is not None else [[]])
        if values.ndim != 1 or (values.size and (values.dtype.kind not in "iu" or values.min() < 0)):
            raise ParameterError(
                f"pairs: got {pairs!r:.60}; expected (sources, targets), two arrays of integers of 0 or more."
            )
        made.append(values.astype(np.int64))
    if len(made[0]) != len(made[1]):
        raise ParameterError(f"pairs: got {len(made[0])} sources and {len(made[1])} targets; expected as many of each.")
    return tuple(made)


def _steps(neurons, duration, dt):
    """dt, checked against each neuron's tau, and how many make the duration."""
    for neuron in neurons:
        dt = neuron.check_dt(dt)
    steps = checks.num_steps(duration, dt)
    if steps > plan.MOST_STEPS:
        raise ParameterError(
            f"duration: got {steps} steps of dt; expected at most {plan.MOST_STEPS}. Simulate in parts."
        )
    return dt, steps


def _trace(trace, size):
    """int32 (m,)."""
    trace = np.asarray(trace if np.size(trace) else np.zeros(0, np.int32))
    if trace.ndim != 1 or trace.dtype.kind not in "iu" or (trace.size and not 0 <= trace.min() <= trace.max() < size):
        raise ParameterError(f"trace: got {trace!r:.60}; expected numbers of neurons from 0 to {size - 1}.")
    return trace.astype(np.int32)


def _columns(stimulus, steps, size, named):
    """The currents (steps, k) of a stimulus, and for each neuron which column it receives."""
    if stimulus is None or (isinstance(stimulus, tuple | list) and not len(stimulus)):
        return None, None
    many = isinstance(stimulus, tuple | list) and isinstance(stimulus[0], Stimulus)
    if not many and not isinstance(stimulus, Stimulus):
        current = checks.array("stimulus", stimulus, "A", dims=(1, 2))
        if current.ndim == 2:
            if current.shape[1] != size:
                raise ParameterError(f"stimulus: got shape {current.shape}; expected (t,) or (t, {size}).")
            return _padded(current, steps), np.arange(size, dtype=np.int32)
        stimulus = Stimulus(current)
    stimuli = stimulus if many else (stimulus,)
    currents, members = np.zeros((steps, len(stimuli))), np.zeros((size, len(stimuli)))
    for k, each in enumerate(stimuli):
        _instance("stimulus", each, Stimulus, "Stimulus(current)")
        currents[:, k] = _padded(each.current[:, None], steps)[:, 0]
        members[_members(each.neurons, size, named), k] = 1.0
    # Neurons that receive the same stimuli share a column.
    kinds, column = np.unique(members, axis=0, return_inverse=True)
    return currents @ kinds.T, column.reshape(-1).astype(np.int32)


def _members(neurons, size, named):
    if isinstance(neurons, str):
        return slice(None) if neurons == _ALL or named is None else named(neurons)
    return _trace(neurons, size)


def _padded(current, steps):
    if len(current) > steps:
        raise ParameterError(
            f"stimulus: got {len(current)} steps; expected at most {steps}, the duration over dt. Cut it: "
            f"stimulus[:{steps}]."
        )
    return np.concatenate([current, np.zeros((steps - len(current), current.shape[1]))])


def _apart(tau, others):
    """A synapse's time constant, moved by a hundred-thousandth where it is that of a membrane.

    The formula of the exact step divides by their difference.
    """
    near = any(abs(tau - other) < 1e-5 * other for other in others)
    return tau * (1 + 1e-5) if near else tau


def _started(kind, size, rng):
    tau, reversal, start = kind
    if start is None:
        return plan.Channel(tau, reversal)
    return plan.Channel(tau, reversal, np.maximum(0.0, rng.normal(*start, size)))


def _connect(synapses, sources, targets, size, rng):
    """Who is connected: where each neuron's synapses begin, int64 (n + 1,); whom they reach, int32 (s,); and for
    synapses that are given one by one, the order into which they were sorted."""
    order = None
    if synapses.pairs is not None:
        by, to = sources[synapses.pairs[0]], targets[synapses.pairs[1]]
        order = np.argsort(by, kind="stable")
        counts, reached = np.bincount(by, minlength=size), to[order]
    elif synapses.in_degree is not None:
        counts, reached = _with_in_degree(sources, targets, synapses.in_degree, size, rng)
    else:
        counts, reached = _with_probability(sources, targets, synapses.probability, size, rng)
    if len(reached) >= 2**31:
        raise ParameterError(f"synapses: got {len(reached)}; expected less than 2**31 from one `Synapses`.")
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), reached.astype(np.int32, copy=False), order


def _with_probability(sources, targets, probability, size, rng):
    """Each pair independently: the gaps between connected pairs, counted row by row, are geometric."""
    total = len(sources) * len(targets)
    if not probability:
        return np.zeros(size, np.int64), np.zeros(0, np.int32)
    places, last = [], -1
    while last < total:
        expected = (total - last) * probability
        gaps = rng.geometric(probability, int(expected + 4 * math.sqrt(expected) + 16))
        places.append(last + np.cumsum(gaps))
        last = places[-1][-1]
    places = np.concatenate(places)
    rows, columns = np.divmod(places[places < total], len(targets))
    by, to = sources[rows], targets[columns]
    other = by != to
    return np.bincount(by[other], minlength=size), to[other]


def _with_in_degree(sources, targets, in_degree, size, rng):
    """`in_degree` different sources for each target: drawn, and drawn again where one came twice."""
    from scipy.sparse import csr_matrix

    chosen = np.empty((len(targets), in_degree), np.int32)
    position = np.searchsorted(sources, targets)
    position[(position == len(sources)) | (sources[position % len(sources)] != targets)] = len(sources)
    for i in range(0, len(targets), 512):
        own = position[i : i + 512, None]
        # Among all but the target itself; who stands behind it moves up by one.
        choices = len(sources) - (own < len(sources))
        drawn = np.sort(_distinct(rng, len(own), in_degree, choices), axis=1)
        chosen[i : i + 512] = sources[drawn + (drawn >= own)]
    starts = np.arange(0, chosen.size + 1, in_degree) if in_degree else np.zeros(len(targets) + 1, np.int64)
    table = csr_matrix((np.ones(chosen.size, np.int8), chosen.reshape(-1), starts), shape=(len(targets), size)).tocsc()
    return np.diff(table.indptr), targets[table.indices]


def _distinct(rng, rows, count, choices):
    """(rows, count) integers below `choices` (rows, 1), those of a row all different, every set equally likely."""
    if count * 3 > choices.min():
        # Too many would come twice: a random order of all, and its beginning.
        keys = rng.random((rows, int(choices.max())), dtype=np.float32)
        keys[np.arange(keys.shape[1]) >= choices] = 2.0
        return np.argpartition(keys, min(count, keys.shape[1] - 1), axis=1)[:, :count]
    drawn = np.sort(rng.integers(0, choices, (rows, count)), axis=1)
    while True:
        twice = np.zeros(drawn.shape, bool)
        np.equal(drawn[:, 1:], drawn[:, :-1], out=twice[:, 1:])
        where = np.nonzero(twice)
        if not where[0].size:
            return drawn
        drawn[where] = rng.integers(0, choices[where[0], 0])
        drawn = np.sort(drawn, axis=1)
