"""`kzoo bio lif`: one neuron under a current, its voltage and spikes, beside theory."""

import dataclasses
import math

import numpy as np

from kzoo.bio_command.current import add_current, current_of
from kzoo.bio_command.flags import (
    MOST_STEPS,
    add_engine,
    add_neuron,
    add_run,
    choice,
    neuron_of,
    new_parser,
    too_long,
)
from kzoo.bio_command.output import folder_for, say_engine, waiting, write


def lif(argv) -> int:
    """Runs `kzoo bio lif` and returns its exit code.

    Raises:
        KzooError: for a parameter out of its bounds, or a flag of another waveform.
    """
    parser = new_parser("lif", "One leaky integrate-and-fire neuron under a current.")
    add_neuron(parser)
    add_current(parser)
    add_run(parser, duration=500.0)
    add_engine(parser)
    given = parser.parse_args(argv)

    from kzoo import plots
    from kzoo.bio import analysis, checks, neuron, theory

    parameters, dt, duration = neuron_of(given), given.dt * 1e-3, given.duration * 1e-3
    if (steps := checks.num_steps(duration, dt)) > MOST_STEPS:
        too_long(duration, f"{steps:,} steps", f"{MOST_STEPS:,} of one neuron")
    current, words = current_of(given, parameters, duration, dt)
    words += f", noise of the membrane {given.sigma:g} mV" if given.sigma else ""
    choice("engine", given.engine, neuron.ENGINES)
    folder = folder_for(given.out, "lif")
    with waiting(f"Simulating with {given.engine}; what is compiled takes some seconds the first time ...") as tell:
        recording = neuron.simulate(
            parameters, current, dt, engine=given.engine, sigma=given.sigma * 1e-3, seed=given.seed, progress=tell
        )
    times = recording.spike_times()
    gaps, _ = analysis.intervals(recording.raster)
    results = {
        "spikes": len(times),
        # Not spikes over duration: a step fills only a part of it, and theory's rate is that of the intervals.
        "rate_hz": float(1 / gaps.mean()) if gaps.size else None,
        "mean_interval_s": float(gaps.mean()) if gaps.size else None,
        "cv": float(analysis.cv(recording.raster, least=2)[0]) if gaps.size > 1 else None,
        "rheobase_a": theory.rheobase(parameters),
    }
    say_engine(recording)
    print(f"{words}, {given.duration:g} ms in steps of {given.dt:g} ms")
    print(f"{len(times)} spikes{_regularity(results)}")
    print(f"theory: rheobase {results['rheobase_a'] * 1e9:.4g} nA", end="")
    told = {}
    if given.current in ("constant", "step"):
        amplitude = given.amplitude * 1e-9
        told = {"rate_theory_hz": float(theory.rate(parameters, amplitude))}
        print(f"; {given.amplitude:g} nA give {told['rate_theory_hz']:.4g} Hz", end="")
        if given.sigma:
            told["rate_siegert_hz"] = float(theory.rate_under_noise(parameters, amplitude, given.sigma * 1e-3, dt))
            told["cv_siegert"] = float(theory.cv_under_noise(parameters, amplitude, given.sigma * 1e-3, dt))
            print(
                f" without noise, {told['rate_siegert_hz']:.4g} Hz and CV {told['cv_siegert']:.3f} with it (Siegert)",
                end="",
            )
        else:
            told["rate_on_grid_hz"] = float(theory.rate_on_grid(parameters, amplitude, dt))
            print(f", in such steps {told['rate_on_grid_hz']:.4g} Hz", end="")
    elif given.current == "noise":
        told = _noise(given, parameters, dt)
        print(
            f"; the noise alone moves the voltage by {told['deviation_theory_v'] * 1e3:.4g} mV (one standard "
            f"deviation), and the threshold is {(parameters.v_threshold - parameters.v_rest) * 1e3:g} mV above rest",
            end="",
        )
    elif given.current == "sine" and given.frequency and not len(times):
        told = _sine(given, parameters, recording)
        found = told["amplitude_v"]
        seen = "less than one period to compare" if found is None else f"simulated {found * 1e3:.4g}"
        print(
            f"; a sine of {given.frequency:g} Hz moves the voltage by {told['amplitude_theory_v'] * 1e3:.4g} mV "
            f"({seen})",
            end="",
        )
    print()
    figures = {
        "neuron.png": plots.membrane(
            recording.current,
            recording.voltage,
            recording.spikes,
            dt,
            title=f"LIF neuron: {words}",
            v_threshold=parameters.v_threshold,
            v_rest=parameters.v_rest,
            rheobase=theory.rheobase(parameters),
        )
    }
    if gaps.size > 20 and results["cv"] > 0.01:
        figures["intervals.png"] = plots.intervals(gaps, title=f"Intervals: {words}, CV {results['cv']:.2f}")
    arrays = {
        "time_s": recording.times,
        "current_a": recording.current[:, 0],
        "voltage_v": recording.voltage[:, 0],
        "spike_times_s": times,
    }
    write(
        folder,
        "lif",
        parser,
        given,
        figures=figures,
        arrays={"recording.npz": arrays},
        tables={"spikes.csv": (("time_s",), times[:, None])},
        run={
            "engine": recording.engine,
            "note": recording.note,
            "neuron": dataclasses.asdict(parameters),
            "results": results | told,
        },
    )
    return 0


def _regularity(results):
    parts = []
    if results["rate_hz"] is not None:
        parts.append(f"mean interval {results['mean_interval_s'] * 1e3:.4g} ms, {results['rate_hz']:.4g} Hz")
    if results["cv"] is not None:
        parts.append(f"CV {results['cv']:.3f}")
    return "".join(f"; {part}" for part in parts)


def _noise(given, parameters, dt) -> dict:
    """How far white noise of the current moves the voltage of a neuron without a threshold."""
    from kzoo.bio import neuron

    drawn = given.current_sigma * 1e-9 / math.sqrt(dt)  # the deviation of the current in each step
    return {"deviation_theory_v": drawn / neuron.noise_deviation(parameters, 1.0, dt) / math.sqrt(2)}


def _sine(given, parameters, recording) -> dict:
    """Amplitude of the voltage under a sine below threshold, in theory and in the last whole periods of the run.

    Measured in the second half; None where that is shorter than one period.
    """
    from kzoo.bio import theory

    gain, _ = theory.sine_response(parameters, given.frequency)
    late = recording.voltage[len(recording.voltage) // 2 :, 0]
    cycle = given.frequency * recording.dt  # what a step is of a period
    periods = int(len(late) * cycle + 1e-9)
    found = None
    if periods:
        whole = late[len(late) - round(periods / cycle) :]
        turns = np.exp(-2j * np.pi * cycle * np.arange(len(whole)))
        found = float(2 * abs(np.mean((whole - whole.mean()) * turns)))
    return {"amplitude_theory_v": abs(float(gain) * given.amplitude * 1e-9), "amplitude_v": found}
