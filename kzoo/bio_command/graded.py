"""`kzoo bio network graded`: voltages that pull on each other, beside the exact solution."""

import dataclasses

import numpy as np

from kzoo.bio_command.flags import check_kept, read_numbers, within, within_current
from kzoo.bio_command.output import folder_for, say_engine, waiting, write
from kzoo.errors import KzooError

MOST_GRADED = 2000  # neurons of a matrix that is drawn: its eigenvalues take seconds


def graded(parser, given) -> int:
    """Runs a graded network."""
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
    amplitude = 0.1 if given.amplitude is None else given.amplitude
    within_current("amplitude", amplitude, built.neuron)
    amplitude *= 1e-9
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
    return read_numbers(given, "matrix", "rows of numbers", ndmin=2)
