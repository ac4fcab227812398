"""`kzoo bio network`: a ready network, its raster, rates, spectrum, voltages, and a film of it."""

import dataclasses
import inspect
from pathlib import Path

import numpy as np

from kzoo.bio_command.flags import (
    add_engine,
    add_run,
    check_kept,
    choice,
    new_parser,
    read_numbers,
    spellings,
    within,
)
from kzoo.bio_command.output import folder_for, say_engine, waiting, write
from kzoo.errors import KzooError, UnknownName, did_you_mean

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
BRUNEL_SCALE = 0.4  # 5,000 neurons: seconds on any engine
MOST_GRADED = 2000  # neurons of a matrix that is drawn: its eigenvalues take seconds


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
    add_run(parser, duration=500.0)
    parser.add_argument(
        "--skip", type=float, default=100.0, metavar="ms", help="onset that no figure counts (default: 100)"
    )
    parser.add_argument("--trace", type=int, default=0, metavar="N", help="draw the voltages of the first N neurons")
    parser.add_argument(
        "--animate", metavar="FILE", help="a film: .gif, .mp4 (needs ffmpeg), or .html, which a browser plays by itself"
    )
    add_engine(parser)
    given = parser.parse_args(argv)

    from kzoo.bio import engines

    if given.name not in NETWORKS:
        near = did_you_mean(given.name, NETWORKS)
        raise UnknownName(f"No network {given.name!r}.{near} There are: {', '.join(NETWORKS)}.")
    given_flags = {flag for takes in NETWORKS.values() for flag in takes} | {"regime"}
    for flag in sorted(given_flags):
        able = [name for name, takes in NETWORKS.items() if flag in takes or (flag == "regime" and name == "brunel")]
        if getattr(given, flag) is not None and given.name not in able:
            raise KzooError(f"--{flag.replace('_', '-')} goes with {', '.join(able)}; the network is {given.name}.")
    choice("engine", given.engine, ("auto", *engines.ENGINES))
    if not 0 <= given.skip < given.duration:
        raise KzooError(f"--skip: got {given.skip:g} ms; expected from 0 to below --duration, {given.duration:g} ms.")
    within("trace", given.trace, 0)
    if given.name == "graded":
        return _graded(parser, given)
    return _spiking(parser, given)


def _spiking(parser, given) -> int:
    from kzoo import plots
    from kzoo.bio import networks
    from kzoo.plots.activity import check_film

    words = _place(given, networks) if given.name == "brunel" else given.name
    if given.animate:
        try:
            check_film(given.animate)
        except ValueError as error:
            raise KzooError(f"--animate: {error}") from None
    built = _built(given, getattr(networks, given.name))
    if given.trace > built.size:
        raise KzooError(f"--trace: got {given.trace}; expected at most {built.size}, the neurons of the network.")
    check_kept(given.duration * 1e-3, given.dt * 1e-3, max(1, given.trace))
    folder = folder_for(given.out, given.name, "network")
    with waiting(f"Simulating {built.size:,} neurons ...") as tell:
        raster = networks.run(
            built,
            given.duration * 1e-3,
            given.dt * 1e-3,
            given.seed,
            given.engine,
            trace=range(given.trace),
            progress=tell,
        )
    say_engine(raster)
    print(f"{words}: {built.size:,} neurons, {given.duration:g} ms in steps of {given.dt:g} ms")
    results, rates, cvs = _results(given, raster)
    print("took " + ", ".join(f"{value:.3g} s to {name}" for name, value in raster.seconds.items()))
    title = f"{words}, {built.size:,} neurons"
    figures = _figures(given, raster, built, title, results, cvs)
    arrays = {"times_s": raster.times, "neurons": raster.neurons}
    if given.trace:
        arrays |= {"voltage_v": raster.voltage, "traced": raster.traced}
    groups = {name: list(span) for name, span in raster.groups.items()}
    owners = [name for name, (start, stop) in groups.items() for _ in range(start, stop)]
    write(
        folder,
        "network",
        parser,
        given,
        figures=figures,
        arrays={"spikes.npz": arrays},
        tables={
            "neurons.csv": (
                ("neuron", "group", "rate_hz", "cv"),
                zip(range(raster.size), owners, rates, cvs, strict=True),
            )
        },
        run={"engine": raster.engine, "note": raster.note, "groups": groups, "results": results},
    )
    if given.animate:
        data = plots.activity_data(raster.times, raster.neurons, raster.size, raster.duration, groups=raster.groups)
        with waiting("Drawing the film ...") as tell:
            count = None if tell is None else lambda done: tell(f"Drawing the film: picture {done} ...")
            plots.save_activity(data, given.animate, title=title, progress=count)
        print(f"Wrote {given.animate}.")
    return 0


def _built(given, make):
    """The network that the flags ask for. What they leave open is filled in, so that run.json says it."""
    defaults = inspect.signature(make).parameters
    options = {}
    for flag, (argument, size) in NETWORKS[given.name].items():
        if getattr(given, flag) is None:
            default = defaults[argument].default
            setattr(given, flag, default if size == 1 else float(f"{default / size:.12g}"))
        options[argument] = getattr(given, flag) * size
    try:
        return make(**options)
    except KzooError as error:
        if not str(error).startswith("rate: got "):
            raise
        # Of the spikes from outside, which no flag gives.
        said = str(error).removeprefix("rate: got ")
        raise KzooError(
            f"eta: got {given.eta:g}, which with a weight of {given.weight:g} mV is a rate from outside of {said}"
        ) from None


def _results(given, raster):
    """What is counted after the onset, printed beside the theory: figures by name, rates (n,), CVs (n,)."""
    from kzoo.bio import analysis, theory

    skip = given.skip * 1e-3
    rates, cvs = analysis.rates(raster, start=skip), analysis.cv(raster, start=skip)
    results = {"rate_hz": float(rates.mean())}
    for name, (start, stop) in raster.groups.items():
        results[f"rate_{name}_hz"] = float(rates[start:stop].mean())
        print(f"{name}: {stop - start:,} neurons, {rates[start:stop].mean():.4g} Hz")
    results["cv"] = float(np.nanmean(cvs)) if np.isfinite(cvs).any() else None
    together = analysis.synchrony(raster, bin=1e-3, start=skip) if raster.duration - skip >= 20e-3 else np.nan
    results["synchrony"] = float(together) if np.isfinite(together) else None
    said = "unknown, too few spikes" if results["cv"] is None else f"{results['cv']:.3f}"
    beside = (
        "" if results["synchrony"] is None else f"; synchrony in bins of 1 ms {together:.3f} (0: none, 1: all alike)"
    )
    print(f"CV of the intervals {said}{beside}")
    if given.name == "brunel":
        found = theory.brunel_rates(given.g, given.eta, weight=given.weight * 1e-3)
        results["rates_theory_hz"] = found.tolist()
        print(f"theory: {' or '.join(f'{rate:.4g}' for rate in found)} Hz if it fires asynchronously (Brunel 2000)")
        if given.scale < 1:
            print(f"At scale {given.scale:g} neurons share more of their sources, and fire more in step, than at 1.")
    results["seconds"] = {name: float(value) for name, value in raster.seconds.items()}
    return results, rates, cvs


def _figures(given, raster, built, title, results, cvs) -> dict:
    """The pictures of a run by their file's name."""
    from kzoo import plots
    from kzoo.bio import analysis

    skip = given.skip * 1e-3
    # Of what fires fast the last 30 intervals or so: more would be a grey of lines.
    shown = max(50e-3, 30 / max(results["rate_hz"], 1e-3))
    start = max(skip, raster.duration - shown)
    figures = {
        "raster.png": plots.raster(
            raster.times,
            raster.neurons,
            raster.size,
            raster.duration,
            title=title,
            groups=raster.groups,
            start=start,
            bin_width=max(raster.dt, 1e-3 if raster.duration - start > 0.2 else 5e-4),
            theory=results.get("rates_theory_hz", [None])[0],
        )
    }
    gaps, _ = analysis.intervals(raster, start=skip)
    if gaps.size:
        figures["intervals.png"] = plots.intervals(gaps, None if results["cv"] is None else cvs, title=title)
    width = raster.dt  # with wider bins what is faster than half their rate would show as something slow
    middles, rate = analysis.population_rate(raster, width)
    rate = rate[middles >= skip]
    if len(rate) * width >= 64e-3 and rate.any():
        frequencies, power = analysis.spectrum(rate, width, segment=len(rate) * width / 2)
        inside = (frequencies > 0) & (frequencies <= 500)
        results["peak_hz"] = float(frequencies[inside][power[inside].argmax()])
        figures["spectrum.png"] = plots.spectrum(frequencies, power, title=title)
    if given.trace:
        spikes = np.zeros(raster.voltage.shape, bool)
        known = raster.neurons < given.trace
        spikes[np.rint(raster.times[known] / raster.dt).astype(int), raster.neurons[known]] = True
        first = built.populations[0].neuron
        figures["voltages.png"] = plots.membrane(
            None, raster.voltage, spikes, raster.dt, title=title, v_threshold=first.v_threshold, v_rest=first.v_rest
        )
    return figures


def _place(given, networks) -> str:
    """Brunel's g and eta out of the flags, filled in, and the network in words."""
    if given.regime is not None and (given.g is not None or given.eta is not None):
        raise KzooError("--regime is a g and an eta: give either --regime, or --g and --eta.")
    name = None
    if given.g is None and given.eta is None:
        name = (given.regime or "C").upper()
        choice("regime", name, networks.REGIMES)
        given.g, given.eta = networks.REGIMES[name]
    given.regime = None  # in run.json stand the two numbers
    given.g = networks.REGIMES["C"][0] if given.g is None else given.g
    given.eta = networks.REGIMES["C"][1] if given.eta is None else given.eta
    given.scale = BRUNEL_SCALE if given.scale is None else given.scale
    words = f"Brunel's network, g = {given.g:g}, eta = {given.eta:g}"
    return words if name is None else f"{words} ({name}: {networks.REGIME_NAMES[name]})"


def _graded(parser, given) -> int:
    from kzoo import plots
    from kzoo.bio import currents, networks, theory

    for flag in ("trace", "animate"):
        if getattr(given, flag):
            raise KzooError(
                f"--{flag} goes with networks that spike; a graded one has no spikes, and all its voltages drawn."
            )
    dt, duration = given.dt * 1e-3, given.duration * 1e-3
    weights = _matrix(given)
    built = networks.Graded(weights)
    check_kept(duration, dt, built.size)
    amplitude = (0.1 if given.amplitude is None else given.amplitude) * 1e-9
    stimulus = networks.Stimulus(currents.constant(duration, dt, amplitude), neurons=np.array([0]))
    folder = folder_for(given.out, given.name, "network")
    with waiting("Simulating ..."):
        recording = networks.run(built, duration, dt, given.seed, given.engine, stimulus=stimulus)
    pushed = np.zeros(built.size)
    pushed[0] = amplitude
    rest = theory.graded_fixed_point(built.neuron, weights, pushed)
    exact = theory.graded_response(built.neuron, weights, pushed, recording.times)
    largest, _ = theory.graded_stability(weights)
    apart = float(np.abs(recording.voltage - exact).max())
    left = float(np.abs(recording.voltage[-1] - rest).max())
    say_engine(recording)
    print(f"graded network of {built.size}, {amplitude * 1e9:g} nA into the first, {given.duration:g} ms")
    print(f"largest real part of an eigenvalue of W: {largest:.4g}, below 1: it comes to rest")
    print(f"at most {apart * 1e3:.3g} mV from the exact solution; at the end {left * 1e3:.3g} mV from where it rests")
    figure = plots.graded(
        recording.times,
        recording.voltage,
        title="Graded network",
        fixed_point=rest,
        exact=exact,
        eigenvalues=np.linalg.eigvals(weights),
    )
    write(
        folder,
        "network",
        parser,
        given,
        figures={"graded.png": figure},
        arrays={
            "recording.npz": {
                "time_s": recording.times,
                "voltage_v": recording.voltage,
                "weights": weights,
                "fixed_point_v": rest,
            }
        },
        run={
            "engine": recording.engine,
            "note": recording.note,
            "neuron": dataclasses.asdict(built.neuron),
            "results": {"largest_real_part": largest, "largest_difference_v": apart, "from_rest_at_the_end_v": left},
        },
    )
    return 0


def _matrix(given) -> np.ndarray:
    """W of a graded network: from a file, or drawn and scaled to a largest real part."""
    if given.matrix is None:
        size = 5 if given.size is None else given.size
        within("size", size, 1, MOST_GRADED)
        largest = 0.8 if given.largest is None else given.largest
        if not 0 < largest < 1:
            raise KzooError(
                f"--largest: got {largest:g}; expected above 0 and below 1: from 1 on the voltages grow without end."
            )
        weights = np.random.default_rng(given.seed).normal(size=(size, size))
        found = np.linalg.eigvals(weights).real
        # Where all are below 0, as half of those of one neuron are, the other sign has one above.
        return weights * (largest / found.max() if found.max() > 0 else largest / found.min())
    for flag in ("size", "largest"):
        if getattr(given, flag) is not None:
            raise KzooError(f"--{flag} goes with a matrix that is drawn, not with --matrix.")
    return read_numbers("matrix", Path(given.matrix), "rows of numbers", ndmin=2)
