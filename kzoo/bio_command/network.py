"""`kzoo bio network`: the flags of a ready network, and which of them goes with which."""

from kzoo.bio_command.flags import add_engine, add_run, choice, new_parser, spellings, within
from kzoo.bio_command.graded import graded
from kzoo.bio_command.spiking import BRUNEL_SCALE, spiking
from kzoo.errors import KzooError, UnknownName, did_you_mean

SLOW = 3000.0  # ms; in fewer, neurons of 5 Hz have too few intervals, and uneven volleys no rhythm that stands out

# The networks, and which flags each takes: flag -> (argument of its maker, size of the flag's unit).
NETWORKS = {
    "cuba": {"size": ("size", 1)},
    "coba": {"size": ("size", 1)},
    "brunel": {
        "g": ("g", 1),
        "eta": ("eta", 1),
        "scale": ("scale", 1),
        "weight": ("weight", 1e-3),
        "delay": ("delay", 1e-3),
    },
    "balanced": {
        "size": ("size", 1),
        "in_degree": ("in_degree", 1),
        "g": ("g", 1),
        "weight": ("weight", 1e-3),
        "amplitude": ("current", 1e-9),
        "delay": ("delay", 1e-3),
    },
    "graded": {"size": (None, 1), "amplitude": (None, 1e-9), "matrix": (None, 1), "largest": (None, 1)},
}


def network(argv) -> int:
    """Runs the command and returns its exit code.

    Raises:
        KzooError: for a network that there is none of, a flag of another one, or a value out of range.
    """
    parser = new_parser("network", "A network of leaky integrate-and-fire neurons, or a graded one.")
    parser.add_argument("name", metavar="NAME", help="cuba, coba, brunel, balanced or graded")
    group = parser.add_argument_group("the network")
    group.add_argument(
        "--regime", metavar="A|B|C|D", help="of brunel: g and eta of one of the paper's four (default: C)"
    )
    group.add_argument("--g", type=float, metavar="G", help="of brunel, balanced: inhibition over excitation")
    group.add_argument("--eta", type=float, metavar="E", help="of brunel: drive from outside, 1 reaches threshold")
    group.add_argument(
        "--scale", type=float, metavar="S", help=f"of brunel: share of its 12,500 neurons (default: {BRUNEL_SCALE})"
    )
    group.add_argument(
        "--size", type=int, metavar="N", help="neurons (default: cuba, coba 4000; balanced 1000; graded 5)"
    )
    group.add_argument(
        *spellings("in_degree"), type=int, metavar="N", help="of balanced: excitatory synapses of a neuron"
    )
    group.add_argument("--weight", type=float, metavar="mV", help="of brunel, balanced: of an excitatory spike")
    group.add_argument("--delay", type=float, metavar="ms", help="of brunel, balanced: from a spike to its effect")
    group.add_argument(
        "--amplitude", type=float, metavar="nA", help="of balanced: into every neuron; of graded: a step into the first"
    )
    group.add_argument(
        "--matrix", metavar="FILE", help="of graded: W as rows of numbers (.csv, .txt) or an array (.npy)"
    )
    group.add_argument(
        "--largest", type=float, metavar="R", help="of graded, drawn at random: largest real part of W (default: 0.8)"
    )
    add_run(parser, duration=500.0, said=f"500; of brunel in regime D {SLOW:g}")
    parser.set_defaults(duration=None)
    parser.add_argument(
        "--skip", type=float, default=100.0, metavar="ms", help="onset that no figure counts (default: 100)"
    )
    parser.add_argument("--trace", type=int, default=0, metavar="N", help="draw the voltages of the first N neurons")
    parser.add_argument(
        "--animate",
        metavar="FILE",
        help="a film: .gif, .mp4 (needs ffmpeg), or .html, which a browser plays by itself; a name without a folder "
        "goes into the one of --out, where that is given",
    )
    add_engine(parser)
    given = parser.parse_args(argv)

    from kzoo.bio import engines
    from kzoo.bio.networks import REGIMES

    if given.name not in NETWORKS:
        near = did_you_mean(given.name, NETWORKS)
        raise UnknownName(f"No network {given.name!r}.{near} There are: {', '.join(NETWORKS)}.")
    given_flags = {flag for takes in NETWORKS.values() for flag in takes} | {"regime"}
    for flag in sorted(given_flags):
        able = [name for name, takes in NETWORKS.items() if flag in takes or (flag == "regime" and name == "brunel")]
        if getattr(given, flag) is not None and given.name not in able:
            raise KzooError(f"--{flag.replace('_', '-')} goes with {', '.join(able)}; the network is {given.name}.")
    choice("engine", given.engine, ("auto", *engines.ENGINES))
    if given.duration is None:
        slow = (given.regime or "").upper() == "D" or (given.g, given.eta) == REGIMES["D"]
        given.duration = SLOW if slow else 500.0
    if not 0 <= given.skip < given.duration:
        raise KzooError(f"--skip: got {given.skip:g} ms; expected from 0 to below --duration, {given.duration:g} ms.")
    within("trace", given.trace, 0)
    if given.name == "graded":
        return graded(parser, given)
    return spiking(parser, given, NETWORKS[given.name])
