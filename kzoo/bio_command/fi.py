"""`kzoo bio fi`: the rate of a neuron over its current, without noise and with it, beside the formulas."""

import dataclasses
import math

import numpy as np

from kzoo.bio_command.flags import add_neuron, add_run, neuron_of, new_parser, too_long, within, within_current
from kzoo.bio_command.output import QUIET, folder_for, waiting, write
from kzoo.errors import KzooError

MOST_CURRENTS = 10_000  # of one curve
MOST_SECONDS = 600.0
# What the engine takes for a step, and for one current in it, in processor seconds, as measured on one core.
STEP, CURRENT = 6e-6, 2e-8


def fi(argv) -> int:
    """Runs `kzoo bio fi` and returns its exit code.

    Raises:
        KzooError: for a parameter out of its bounds.
    """
    parser = new_parser("fi", "The rate of a neuron over a constant current, beside the formulas.")
    add_neuron(parser)
    group = parser.add_argument_group("the currents")
    group.add_argument("--from", dest="low", type=float, default=0.0, metavar="nA", help="(default: 0)")
    group.add_argument("--to", dest="high", type=float, default=0.5, metavar="nA", help="(default: 0.5)")
    group.add_argument("--count", type=int, default=40, metavar="N", help="how many (default: 40)")
    group.add_argument(
        "--sigma",
        type=float,
        nargs="+",
        default=[0.0],
        metavar="mV",
        help="noise of the membrane, one curve for each level (default: 0)",
    )
    add_run(parser, duration=2000.0)
    given = parser.parse_args(argv)

    from kzoo import plots
    from kzoo.bio import neuron, theory

    if not given.low < given.high:
        raise KzooError(f"--from: got {given.low:g} nA; expected below --to, which is {given.high:g} nA.")
    within("count", given.count, 2, MOST_CURRENTS)
    parameters, dt, duration = neuron_of(given), given.dt * 1e-3, given.duration * 1e-3
    within_current("from", given.low, parameters)
    within_current("to", given.high, parameters)
    currents = np.linspace(given.low, given.high, given.count) * 1e-9
    fine = np.linspace(given.low, given.high, 400) * 1e-9
    levels = list(dict.fromkeys(given.sigma))
    steps = sum(_steps(parameters, currents, duration, dt, level) for level in levels)
    seconds = steps * (STEP + len(currents) * CURRENT)
    if seconds > MOST_SECONDS:
        too_long(duration, f"some {seconds / 60:.0f} minutes of work by estimate", f"{MOST_SECONDS / 60:g}")
    folder = folder_for(given.out, "fi")
    measured, lines, columns, chance = {}, {}, {"current_a": currents}, {}
    with waiting(f"Simulating, which takes some {seconds:.2g} s ...", long=seconds > QUIET):
        for level in levels:
            name = f"noise of {level:g} mV" if level else "no noise"
            measured[name] = neuron.rates(parameters, currents, duration, dt, sigma=level * 1e-3, seed=given.seed)
            curve, column = (theory.rate_on_grid, "rate_on_grid_hz") if not level else (_siegert(level), "siegert_hz")
            lines[name] = fine, curve(parameters, fine, dt)
            columns[f"rate_hz, {name}"] = measured[name]
            columns[f"{column}, {name}"] = curve(parameters, currents, dt)
            if level:
                # Of a count over T whose intervals have the variation CV: CV √(rate / T), and a spike more or less.
                varied = theory.cv_under_noise(parameters, currents, level * 1e-3, dt)
                far = max(1 / duration, np.nanmax(varied * np.sqrt(columns[f"{column}, {name}"] / duration)))
                chance[name] = f"; by chance a count over {given.duration:g} ms is off by some {far:.2g} Hz"
    columns["rate_continuous_hz"] = theory.rate(parameters, currents)
    if levels == [0.0]:
        lines["formula, continuous time"] = fine, theory.rate(parameters, fine)
    print(
        f"rates of {given.count} currents from {given.low:g} to {given.high:g} nA, {given.duration:g} ms each in steps "
        f"of {given.dt:g} ms, engine numpy"
    )
    print(f"rheobase {theory.rheobase(parameters) * 1e9:.4g} nA")
    results = {"rheobase_a": theory.rheobase(parameters)}
    for name, rates in measured.items():
        apart = float(np.abs(rates - _theory_at(columns, name)).max())
        results[f"largest_difference_hz, {name}"] = apart
        print(f"{name}: up to {rates.max():.4g} Hz, at most {apart:.3g} Hz from theory{chance.get(name, '')}")
    title = f"LIF neuron: tau {given.tau:g} ms, refractory for {given.t_ref:g} ms"
    figure = plots.frequency_current(
        currents,
        measured,
        title=title,
        theory=lines,
        rheobase=theory.rheobase(parameters),
        limit=1 / parameters.t_ref if parameters.t_ref else None,
    )
    write(
        folder,
        "fi",
        parser,
        given,
        figures={"fi.png": figure},
        tables={"fi.csv": (tuple(columns), np.stack(list(columns.values()), axis=1))},
        run={"engine": "numpy", "note": "", "neuron": dataclasses.asdict(parameters), "results": results},
    )
    return 0


def _steps(parameters, currents, duration, dt, level) -> int:
    """How many steps are simulated at most: without noise no more than the slowest neuron takes for three spikes."""
    from kzoo.bio import checks, theory

    steps = checks.num_steps(duration, dt)
    rates = theory.rate_on_grid(parameters, currents, dt)
    if level or not rates.any():
        return steps
    return min(steps, math.ceil(3 / rates[rates > 0].min() / dt))


def _siegert(level):
    from kzoo.bio import theory

    return lambda parameters, currents, dt: theory.rate_under_noise(parameters, currents, level * 1e-3, dt)


def _theory_at(columns, name):
    """The theory's rates at the simulated currents."""
    return next(
        values for key, values in columns.items() if key.endswith(f", {name}") and not key.startswith("rate_hz")
    )
