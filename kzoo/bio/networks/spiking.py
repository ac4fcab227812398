"""Populations of LIF neurons whose spikes reach each other through weighted synapses with delays.

A spike moves the voltage of its target at once by the synapse's weight, or adds it to a current or a conductance that
decays.
"""

import dataclasses

import numpy as np

from kzoo.bio import checks
from kzoo.bio.engines import plan
from kzoo.bio.networks import inputs
from kzoo.bio.networks.connections import connect
from kzoo.bio.networks.inputs import ALL
from kzoo.bio.parameters import LIF
from kzoo.errors import ParameterError


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
        if not isinstance(self.name, str) or not self.name or self.name == ALL:
            raise ParameterError(f"name: got {self.name!r}; expected a text, and not {ALL!r}.")
        object.__setattr__(self, "size", checks.integer("size", self.size, 1, 10**7))
        inputs.instance("neuron", self.neuron, LIF, "LIF(tau=20e-3)")
        if self.drive is not None:
            inputs.instance("drive", self.drive, Poisson, "Poisson(rate=1000.0, weight=0.1e-3)")
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
            resistance [V]; to the conductance, in units of the leak's [no unit], 0 or more. With `pairs` also one each.
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
        if self.reversal is None:
            keep(self, "weight", self._numbers("weight", "mV"))
        else:  # a conductance below 0 would drive the voltage away from its reversal potential
            keep(self, "weight", self._numbers("weight", "", least=0.0))
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
            values = tuple(values) if isinstance(values, tuple | list) else (values,)
            for value in values:
                inputs.instance(name, value, kind, f"{example}(...)")
            object.__setattr__(self, name, values)
        names = [population.name for population in self.populations]
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"populations: got the names {names}; expected one or more, each once.")
        if self.size > 10**7:
            raise ParameterError(f"populations: got {self.size} neurons; expected at most 10 million.")
        for synapses in self.synapses:
            both = self.neurons(synapses.source), self.neurons(synapses.target)
            if synapses.pairs is not None:
                for end, numbers, count in zip(("source", "target"), synapses.pairs, map(len, both), strict=True):
                    if len(numbers) and numbers.max() >= count:
                        raise ParameterError(
                            f"pairs: got the {end} {numbers.max()}; expected 0 to {count - 1}, the neurons of "
                            f"{getattr(synapses, end)!r}."
                        )
            if synapses.in_degree is not None:
                shared = np.intersect1d(*both, assume_unique=True).size > 0  # one of which is not its own source
                if synapses.in_degree > (most := len(both[0]) - shared):
                    raise ParameterError(
                        f"in_degree: got {synapses.in_degree}; expected at most {most}, the {'other ' * shared}neurons "
                        f"of {synapses.source!r}. Take fewer, or a larger population."
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
        if isinstance(names, str) and names == ALL:
            return np.arange(self.size, dtype=np.int32)
        groups = self.groups
        names = names if isinstance(names, tuple | list) else (names,)
        if not names:
            raise ParameterError(f"population: got no name; expected one or more of {', '.join(groups)}, or {ALL!r}.")
        spans = [groups[checks.choice("population", name, tuple(groups))] for name in names]
        return np.unique(np.concatenate([np.arange(*span, dtype=np.int32) for span in spans]))

    def plan(self, duration, dt=1e-4, seed=0, trace=(), stimulus=None) -> plan.Plan:
        """What an engine is handed: connections, starting voltages and drive drawn from the seed.

        Arguments and errors: those of `run`.
        """
        dt, steps = inputs.steps([population.neuron for population in self.populations], duration, dt)
        seeds = np.random.SeedSequence(checks.integer("seed", seed, 0)).spawn(2 + len(self.synapses))
        current, column = inputs.columns(stimulus, steps, self.size, self.neurons)
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
            trace=inputs.trace(trace, self.size),
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
            first, reached, order = connect(synapses, sources, targets, self.size, np.random.default_rng(seed))
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
