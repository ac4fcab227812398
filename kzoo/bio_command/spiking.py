"""`kzoo bio network` of neurons that spike: raster, rates, intervals, spectrum, voltages, and a film."""

import inspect
import os

import numpy as np

from kzoo.bio_command.flags import check_kept, choice, too_long
from kzoo.bio_command.output import folder_for, say_engine, waiting, write
from kzoo.errors import KzooError

BRUNEL_SCALE = 0.4  # 5,000 neurons: seconds on any engine
MOST_NEURON_SECONDS = 10**6  # at 300 Hz their spikes are some GB


def spiking(parser, given, takes) -> int:
    """Runs a network that spikes; `takes` is what `NETWORKS` has for it."""
    from kzoo import plots
    from kzoo.bio import networks
    from kzoo.plots.activity_film import check_film

    words, regime = _place(given, networks) if given.name == "brunel" else (given.name, None)
    if given.animate:
        try:
            check_film(given.animate)
        except ValueError as error:
            raise KzooError(f"--animate: {error}") from None
    built = _built(given, getattr(networks, given.name), takes)
    if given.trace > built.size:
        raise KzooError(f"--trace: got {given.trace}; expected at most {built.size}, the neurons of the network.")
    check_kept(given.duration * 1e-3, given.dt * 1e-3, given.trace)
    if (neuron_seconds := built.size * given.duration * 1e-3) > MOST_NEURON_SECONDS:
        too_long(
            given.duration * 1e-3,
            f"{neuron_seconds:,.0f} seconds of all neurons together",
            f"{MOST_NEURON_SECONDS:,}, whose spikes fit into memory",
        )
    folder = folder_for(given.out, given.name, "network")
    # A bare name belongs to the run; a path that names a folder is meant as it stands.
    inside = bool(given.animate and given.out) and not os.path.dirname(given.animate)
    film = folder / given.animate if inside else given.animate
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
    known = f" (in the paper {regime})" if regime else ""
    print(f"{words}{known}: {built.size:,} neurons, {given.duration:g} ms in steps of {given.dt:g} ms")
    results, rates, cvs = _results(given, raster)
    took = [f"{value:.3g} s to {name}" for name, value in raster.seconds.items() if value >= 5e-3 or name == "run"]
    print(f"took {', '.join(took)}")
    title = f"{words}, {built.size:,} neurons" + (f"\nin the paper {regime}" if regime else "")
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
        later=[given.animate] if inside else [],
    )
    if film:
        data = plots.activity_data(raster.times, raster.neurons, raster.size, raster.duration, groups=raster.groups)
        with waiting("Drawing the film ...") as tell:
            plots.save_activity(
                data,
                film,
                title=f"{title}\n{_said(results)}",
                progress=lambda done: tell(f"Drawing the film: picture {done} ..."),
            )
        print(f"Wrote {film}.")
    return 0


def _built(given, make, takes):
    """The network that the flags ask for. What they leave open is filled in, so that run.json says it."""
    defaults = inspect.signature(make).parameters
    options = {}
    for flag, (argument, size) in takes.items():
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
    mean, known = analysis.mean_cv(raster, start=skip)
    results |= {"cv": float(mean) if np.isfinite(mean) else None, "cv_neurons": known}
    together = analysis.synchrony(raster, bin=1e-3, start=skip) if raster.duration - skip >= 20e-3 else np.nan
    results["synchrony"] = float(together) if np.isfinite(together) else None
    if results["cv"] is None:
        said = "unknown (half of the neurons or more have fewer than the 10 that it takes: simulate longer)"
    else:
        said = f"{mean:.3f}, the mean of {known:,} neurons"
    beside = (
        "" if results["synchrony"] is None else f"; synchrony in bins of 1 ms {together:.3f} (0: none, 1: all alike)"
    )
    print(f"CV of the intervals {said}{beside}")
    wave, width, segment = _wave(raster, skip)
    if segment >= 32e-3:
        found = analysis.rhythm(wave, width, segment)
        results["rhythm_hz"] = float(found) if np.isfinite(found) else None
        if np.isfinite(found):
            print(f"rhythm of {found:.0f} Hz{_turns(found, results, 1.5 / segment)}")
        else:
            # Of narrow volleys four periods must fit into a segment, and of uneven ones many.
            short = f"; {given.duration:g} ms are too short to tell one below {4 / segment:.0f} Hz"
            print(f"no rhythm stands out of the rate's noise{short if raster.duration - skip < 2 else ''}")
    if given.name == "brunel":
        found = theory.brunel_rates(given.g, given.eta, weight=given.weight * 1e-3)
        results["rates_theory_hz"] = found.tolist()
        print(f"theory: {' or '.join(f'{rate:.4g}' for rate in found)} Hz if it fires asynchronously (Brunel 2000)")
        if given.scale < 1:
            print(f"At scale {given.scale:g} neurons share more of their sources, and fire more in step, than at 1.")
    results["seconds"] = {name: float(value) for name, value in raster.seconds.items()}
    return results, rates, cvs


def _turns(rhythm, results, error) -> str:
    """Of clocks that fire at every so many-th beat of a rhythm, that they do; `error` of the rhythm [Hz]."""
    rate = results["rate_hz"]
    beats = round(rhythm / rate)
    if beats < 2 or results["cv"] is None or results["cv"] > 0.1 or abs(rhythm - beats * rate) > error:
        return ""
    return f", {beats} times the rate of a neuron: in {beats} groups that take turns"


def _wave(raster, skip):
    """The population's rate after the onset (b,) [Hz], the width of its bins and a segment for its spectrum [s]."""
    from kzoo.bio import analysis

    width = raster.dt  # with wider bins what is faster than half their rate would show as something slow
    middles, rate = analysis.population_rate(raster, width)
    rate = rate[middles >= skip]
    # From 15 Hz on a rhythm has three periods in 0.2 s. The more segments, the less of it need stand out.
    return rate, width, min(len(rate) * width / 2, 0.2)


def _said(results) -> str:
    """What was counted, in the words that stand above a picture."""
    parts = [f"{results['rate_hz']:.3g} Hz"]
    if results["cv"] is not None:
        parts.append(f"CV {results['cv']:.2f}")
    if results["synchrony"] is not None:
        parts.append(f"synchrony {results['synchrony']:.2f} in bins of 1 ms")
    if "rhythm_hz" in results:
        found = results["rhythm_hz"]
        parts.append("no rhythm stands out" if found is None else f"rhythm of {found:.0f} Hz")
    return "here " + ", ".join(parts)


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
            measured=_said(results),
            groups=raster.groups,
            start=start,
            bin_width=max(raster.dt, 1e-3 if raster.duration - start > 0.2 else 5e-4),
            theory=results.get("rates_theory_hz", [None])[0],
        )
    }
    gaps, _ = analysis.intervals(raster, start=skip)
    if gaps.size:
        figures["intervals.png"] = plots.intervals(gaps, None if results["cv"] is None else cvs, title=title)
    wave, width, segment = _wave(raster, skip)
    if "rhythm_hz" in results and wave.any():
        frequencies, power = analysis.spectrum(wave, width, segment)
        found = np.nan if results["rhythm_hz"] is None else results["rhythm_hz"]
        figures["spectrum.png"] = plots.spectrum(
            frequencies, power, title=title, rhythm=found, highest=1000.0 if found > 450 else 500.0
        )
    if given.trace:
        spikes = np.zeros(raster.voltage.shape, bool)
        known = raster.neurons < given.trace
        spikes[np.rint(raster.times[known] / raster.dt).astype(int), raster.neurons[known]] = True
        first = built.populations[0].neuron
        figures["voltages.png"] = plots.membrane(
            None, raster.voltage, spikes, raster.dt, title=title, v_threshold=first.v_threshold, v_rest=first.v_rest
        )
    return figures


def _place(given, networks) -> tuple[str, str | None]:
    """Fills in Brunel's g and eta; the network in words, and what the paper calls a place of its figure 8."""
    if given.regime is not None and (given.g is not None or given.eta is not None):
        raise KzooError("--regime is a g and an eta: give either --regime, or --g and --eta.")
    if given.g is None and given.eta is None:
        name = (given.regime or "C").upper()
        choice("regime", name, networks.REGIMES)
        given.g, given.eta = networks.REGIMES[name]
    given.regime = None  # in run.json stand the two numbers
    given.g = networks.REGIMES["C"][0] if given.g is None else given.g
    given.eta = networks.REGIMES["C"][1] if given.eta is None else given.eta
    given.scale = BRUNEL_SCALE if given.scale is None else given.scale
    name = next((name for name, place in networks.REGIMES.items() if place == (given.g, given.eta)), None)
    words = f"Brunel's network, g = {given.g:g}, eta = {given.eta:g}"
    return words, None if name is None else f"{name}: {networks.REGIME_NAMES[name]}"
