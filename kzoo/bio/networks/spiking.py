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
from kzoo.bio.networks.population import Poisson, Population
from kzoo.bio.networks.synapses import Synapses
from kzoo.errors import ParameterError


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
        neurons = [population.neuron for population in self.populations]
        dt, steps = inputs.steps(neurons, duration, dt)
        seeds = np.random.SeedSequence(checks.integer("seed", seed, 0)).spawn(2 + len(self.synapses))
        current, column = inputs.columns(stimulus, steps, self.size, self.neurons, neurons)
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
