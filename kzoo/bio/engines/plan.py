"""What an engine is handed: a network in plain arrays, with every random choice already made.

Connections, starting voltages and the table of the Poisson drive are drawn in NumPy from the seed before any engine
starts. So all engines run one network, and engines that round alike give the same spikes. SI units throughout.
"""

import dataclasses
import json

import numpy as np

from kzoo.bio import checks

# The parameters of `LIF`, in the order in which they are handed over.
PARAMETERS = ("tau", "resistance", "v_rest", "v_threshold", "v_reset", "t_ref")


@dataclasses.dataclass(frozen=True)
class Channel:
    """What synapses of one kind have in common. It decays exponentially between spikes.

    Arguments:
        tau: time constant [s].
        reversal: reversal potential [V] of a conductance, counted in units of the leak; None for a current,
            counted in volts (times the resistance).
        start: (n,) at time 0, or None for 0.
    """

    tau: float
    reversal: float | None = None
    start: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Wires:
    """Synapses, sorted by the neuron they come from.

    Arguments:
        channel: index of the channel that they add to; None where a spike moves the voltage itself.
        first: int64 (n + 1,); neuron i's synapses are those from first[i] to first[i + 1].
        targets: int32 (s,).
        weights: (1,) or (s,), volts; without a unit for a conductance.
        delays: int64 (1,) or (s,), steps.
    """

    channel: int | None
    first: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray

    @property
    def sources(self) -> np.ndarray:
        """int32 (s,)."""
        return np.repeat(np.arange(len(self.first) - 1, dtype=np.int32), np.diff(self.first))


@dataclasses.dataclass(frozen=True)
class Drive:
    """Poisson spikes from outside, that move the voltage.

    How many reach neuron i in step k is a pure function of (key, k, i): the number at place k n + i + 1 of the
    splitmix64 sequence (doi:10.1145/2660193.2660195) that starts at `key`, put through the inverse of the Poisson
    distribution.

    Arguments:
        means: spikes in one step, one for each kind of neuron.
        kind: int32 (n,) index into `means`; -1 for a neuron without a drive.
        weight: (n,) [V] for each spike.
        key: an integer below 2**64.
    """

    means: tuple
    kind: np.ndarray
    weight: np.ndarray
    key: int

    @property
    def tables(self) -> list[np.ndarray]:
        """For each mean, P(count <= k) 2**53, rounded up, for k = 0, 1, ...; the last is 2**53."""
        return [_table(mean) for mean in self.means]

    def counter(self):
        """A function of the step: how many spikes reach each neuron, float64 (n,)."""
        place = np.arange(1, len(self.kind) + 1, dtype=np.uint64)
        groups = [(table, np.flatnonzero(self.kind == j)) for j, table in enumerate(self.tables)]
        groups = [(table, where if len(where) < len(place) else slice(None)) for table, where in groups]

        def counts(step):
            uniform = splitmix64(place + np.uint64(step * len(place)), self.key) >> np.uint64(11)
            found = np.zeros(len(place))
            for table, where in groups:
                found[where] = np.searchsorted(table, uniform[where].astype(np.float64), side="right")
            return found

        return counts


def splitmix64(place, key):
    """The numbers at the places (n,) of the sequence that starts at `key`, uint64."""
    # The constants of Steele, Lea and Flood 2014.
    x = place * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(key)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _table(mean):
    from scipy.stats import poisson

    # As far as the last count that a number of 53 bits can tell from certainty.
    cumulative = poisson.cdf(np.arange(int(mean + 12 * np.sqrt(mean) + 40)), mean)
    table = np.ceil(np.ldexp(cumulative, 53))
    table = table[: np.searchsorted(table, 2.0**53) + 1]
    table[-1] = 2.0**53
    return table


@dataclasses.dataclass(frozen=True)
class Plan:
    """A network and how long it runs.

    Arguments:
        size: n, the number of neurons.
        dt: [s].
        steps: how many.
        parameters: each of `PARAMETERS` as (1,) where all neurons share it, else (n,).
        v_start: (n,) [V].
        channels, wires: tuples of the above.
        current: (t, k) [A] with t = steps, or None.
        column: int32 (n,): which of the k currents each neuron receives.
        drive: or None.
        trace: int (m,): the neurons whose voltages are kept.
        graded: whether there are no spikes at all, and the one element of `wires` couples voltages.
    """

    size: int
    dt: float
    steps: int
    parameters: dict
    v_start: np.ndarray
    channels: tuple = ()
    wires: tuple = ()
    current: np.ndarray | None = None
    column: np.ndarray | None = None
    drive: Drive | None = None
    trace: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    graded: bool = False

    @property
    def hold(self) -> np.ndarray:
        """For how many steps a spike holds the voltage, (1,) or (n,): as `LIF.refractory_steps`, and 1 for 0."""
        steps = np.floor((self.parameters["t_ref"] + 1e-3 * self.dt) / self.dt)
        return np.clip(steps, 1, checks.MOST_STEPS).astype(np.int64)

    @property
    def own(self) -> bool:
        """Whether neurons have parameters of their own."""
        return max(map(len, self.parameters.values())) > 1

    @property
    def structure(self) -> str:
        """What decides the code of a program that runs the plan, as JSON: no sizes and no numbers."""
        return json.dumps(
            {
                "graded": self.graded,
                "own": self.own,
                "channels": ["current" if channel.reversal is None else "conductance" for channel in self.channels],
                "wires": [
                    [wires.channel, self.graded or len(wires.weights) > 1, len(wires.delays) > 1]
                    for wires in self.wires
                ],
                "current": self.current is not None,
                "drive": self.drive is not None,
            },
            separators=(",", ":"),
        )


# The structure of single neurons: a current for each, nothing else.
SINGLE = Plan(1, 1e-4, 1, {name: np.zeros(1) for name in PARAMETERS}, np.zeros(1), current=np.zeros((1, 1))).structure


def single(parameters, current, dt, v_start) -> Plan:
    """The plan of n neurons that do not know of one another, current (t, n), all voltages kept."""
    steps, count = current.shape
    every = np.arange(count, dtype=np.int32)
    shared = {name: np.array([getattr(parameters, name)]) for name in PARAMETERS}
    return Plan(count, dt, steps, shared, v_start, current=current, column=every, trace=every)


def to_arrays(plan) -> dict[str, np.ndarray]:
    """A plan as named arrays, for a file without pickles."""
    arrays = {f"parameters.{name}": value for name, value in plan.parameters.items()}
    arrays["numbers"] = np.array([plan.size, plan.dt, plan.steps, plan.graded])
    arrays |= {"v_start": plan.v_start, "trace": plan.trace}
    if plan.current is not None:
        arrays |= {"current": plan.current, "column": plan.column}
    if plan.drive is not None:
        arrays |= {f"drive.{name}": np.asarray(getattr(plan.drive, name)) for name in ("means", "kind", "weight")}
        arrays["drive.key"] = np.uint64(plan.drive.key)
    for k, channel in enumerate(plan.channels):
        arrays[f"channels.{k}.tau"] = np.float64(channel.tau)
        if channel.reversal is not None:
            arrays[f"channels.{k}.reversal"] = np.float64(channel.reversal)
        if channel.start is not None:
            arrays[f"channels.{k}.start"] = channel.start
    for k, wires in enumerate(plan.wires):
        arrays |= {f"wires.{k}.{name}": getattr(wires, name) for name in ("first", "targets", "weights", "delays")}
        arrays[f"wires.{k}.channel"] = np.int64(-1 if wires.channel is None else wires.channel)
    return arrays


def from_arrays(arrays) -> Plan:
    """The plan that `to_arrays` was given."""

    def parts(kind):
        """The arrays of each "kind.0.name", "kind.1.name", ... as dicts."""
        count = len({name.split(".")[1] for name in arrays if name.startswith(f"{kind}.")})
        prefixes = [f"{kind}.{k}." for k in range(count)]
        return [{n.removeprefix(p): arrays[n] for n in arrays if n.startswith(p)} for p in prefixes]

    size, dt, steps, graded = arrays["numbers"].tolist()
    channels = [Channel(**{n: a if n == "start" else float(a) for n, a in part.items()}) for part in parts("channels")]
    wires = [Wires(**part | {"channel": int(c) if (c := part["channel"]) >= 0 else None}) for part in parts("wires")]
    drive = None
    if "drive.key" in arrays:
        means = tuple(arrays["drive.means"].tolist())
        drive = Drive(means, arrays["drive.kind"], arrays["drive.weight"], int(arrays["drive.key"]))
    return Plan(
        size=int(size),
        dt=dt,
        steps=int(steps),
        parameters={name: arrays[f"parameters.{name}"] for name in PARAMETERS},
        v_start=arrays["v_start"],
        channels=tuple(channels),
        wires=tuple(wires),
        current=arrays.get("current"),
        column=arrays.get("column"),
        drive=drive,
        trace=arrays["trace"],
        graded=bool(graded),
    )


@dataclasses.dataclass(frozen=True)
class Run:
    """What an engine hands back.

    Arguments:
        steps: int64 (s,) of the spikes, ascending; those of one step by neuron.
        neurons: int64 (s,).
        voltage: (t, m) [V] at the starts of the steps, of the neurons in `Plan.trace`.
        seconds: what it cost [s of wall time], such as {"build": 10.2, "run": 0.3}.
    """

    steps: np.ndarray
    neurons: np.ndarray
    voltage: np.ndarray
    seconds: dict = dataclasses.field(default_factory=dict)

    def spikes(self, steps: int, size: int) -> np.ndarray:
        """bool (t, n)."""
        made = np.zeros((steps, size), bool)
        made[self.steps, self.neurons] = True
        return made
