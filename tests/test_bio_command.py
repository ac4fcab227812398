"""`kzoo bio`: what it writes and prints, what it refuses, and that a run can be repeated."""

import argparse
import csv
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kzoo import plots
from kzoo.bio import LIF, Raster, analysis, currents, networks, simulate, theory
from kzoo.bio_command import output
from kzoo.bio_command.flags import read_numbers
from kzoo.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bio(*words):
    return main(["bio", *map(str, words)])


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# lif


def test_a_neuron_is_simulated_as_kzoo_does_and_its_numbers_are_written(folder, capsys):
    assert bio("lif", "--tau", 10, "--v-rest", -65, "--amplitude", 0.4, "--duration", 200, "--out", "a") == 0
    expected = simulate(LIF(tau=10e-3, v_rest=-65e-3), currents.step(0.2, 1e-4, 0.4e-9))
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["voltage_v"], expected.voltage[:, 0], rtol=0, atol=1e-15)
        np.testing.assert_allclose(found["current_a"], expected.current[:, 0], rtol=1e-12)
        np.testing.assert_allclose(found["time_s"], np.arange(2000) * 1e-4)
        np.testing.assert_allclose(found["spike_times_s"], expected.spike_times())
    written = [float(row["time_s"]) for row in table(folder / "a" / "spikes.csv")]
    np.testing.assert_allclose(written, expected.spike_times(), atol=1e-9)
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert run["engine"] == "numpy"
    assert run["neuron"] == pytest.approx({**vars(LIF()), "tau": 10e-3, "v_rest": -65e-3})
    assert run["results"]["spikes"] == len(written) > 5
    assert run["results"]["rate_hz"] == pytest.approx(run["results"]["rate_on_grid_hz"], rel=1e-9)
    assert (folder / "a" / "neuron.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr()
    assert "engine numpy" in shown.out
    assert f"{len(written)} spikes; mean interval" in shown.out
    on_grid = theory.rate_on_grid(LIF(tau=10e-3, v_rest=-65e-3), 0.4e-9, 1e-4)
    assert f"in such steps {float(on_grid):.4g} Hz" in shown.out
    assert "Wrote a: neuron.png, recording.npz, spikes.csv, run.json." in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["constant"], currents.constant(0.1, 1e-4, 0.3e-9)),
        (["step", "--start", 10, "--stop", 50, "--baseline", 0.1], currents.step(0.1, 1e-4, 0.3e-9, 0.01, 0.05, 1e-10)),
        (["ramp"], currents.ramp(0.1, 1e-4, 0.3e-9)),
        (["sine", "--frequency", 40], currents.sine(0.1, 1e-4, 0.3e-9, frequency=40)),
        (["pulses", "--frequency", 50, "--width", 2], currents.pulses(0.1, 1e-4, 0.3e-9, frequency=50, width=2e-3)),
        (["noise", "--current-sigma", 0.01, "--seed", 3], currents.noise(0.1, 1e-4, 0.3e-9, sigma=1e-11, seed=3)),
        (
            ["ou", "--current-sigma", 0.2, "--correlation", 8],
            currents.ornstein_uhlenbeck(0.1, 1e-4, 0.3e-9, sigma=2e-10, tau=8e-3, seed=0),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_waveform_and_its_flags_reach_the_neuron(flags, expected, folder):
    assert bio("lif", "--duration", 100, "--out", "a", "--current", *flags) == 0
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["current_a"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("flags", "used", "said"),
    [
        (["step"], ["--amplitude=0.3", "--start=100.0", "--stop=400.0", "--baseline=0.0"], "from 100 to 400 ms"),
        (["step", "--start", 450], ["--start=450.0", "--stop=500.0"], "from 450 to 500 ms"),
        (["ramp"], ["--start=0.0", "--stop=500.0"], "ramp to 0.3 nA from 0 to 500 ms"),
        (["sine", "--baseline", 0.1], ["--frequency=10.0", "--baseline=0.1"], "sine of 0.3 nA, 10 Hz, baseline 0.1 nA"),
        (["pulses"], ["--frequency=20.0", "--width=5.0", "--start=0.0"], "5 ms wide, 20 Hz"),
        (["noise"], ["--current-sigma=0.02"], "moves the voltage by 10 mV"),  # 100 MΩ 0.02 nA √s / √(2 20 ms)
        (["ou"], ["--current-sigma=0.1", "--correlation=5.0"], "noise of 0.1 nA about 0.3 nA, with a memory of 5 ms"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_the_flags_leave_open_is_written_down_and_said(flags, used, said, folder, capsys):
    assert bio("lif", "--out", "a", "--current", *flags) == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert set(used) <= set(run["flags"])
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mine.txt", "mine.csv", "mine.npy"])
def test_a_current_comes_from_a_file_of_nanoamperes(name, folder):
    if name.endswith(".npy"):
        np.save(folder / name, np.array([0.0, 0.5]))
    else:
        (folder / name).write_text("0\n0.5\n" if name.endswith(".txt") else "0, 0.5", encoding="utf-8")
    assert bio("lif", "--current", name, "--duration", 100, "--out", "a") == 0
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["current_a"], np.repeat([0, 0.5e-9], 500))
    assert bio("lif", "--current", name, "--duration", 100, "--interval", 20, "--out", "a") == 0
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["current_a"], np.repeat([0, 0.5e-9], [200, 800]))


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (None, ""),
        (50, ""),
        (20, "a.txt lasts 40 ms (2 numbers for 20 ms each), the run 100 ms: the last, 0.5 nA, is held to the end.\n"),
        (80, "a.txt lasts 160 ms (2 numbers for 80 ms each), the run 100 ms: what is later is cut off.\n"),
        (0.05, "each of its numbers holds for 0.05 ms, less than a step of 0.1 ms: some are passed over.\n"),
    ],
)
def test_a_file_shorter_or_longer_than_the_run_is_told(interval, said, folder, capsys):
    (folder / "a.txt").write_text("0\n0.5\n", encoding="utf-8")
    flags = [] if interval is None else ["--interval", interval]
    assert bio("lif", "--current", "a.txt", "--duration", 100, *flags, "--out", "a") == 0
    told = capsys.readouterr().err
    assert said in told if said else told == ""


@pytest.mark.parametrize("flag", ["amplitude", "start"])
def test_a_file_takes_no_flag_of_a_waveform(flag, folder, capsys):
    (folder / "a.txt").write_text("0.5\n", encoding="utf-8")
    assert bio("lif", "--current", "a.txt", f"--{flag}", 0.5) == 2
    assert f"--{flag} goes with a waveform, not with a file of numbers." in capsys.readouterr().err


def test_noise_is_that_of_its_seed_and_siegert_stands_beside_it(folder, capsys):
    assert bio("lif", "--current", "constant", "--sigma", 5, "--seed", 4, "--out", "a") == 0
    expected = simulate(LIF(), currents.constant(0.5, 1e-4, 0.3e-9), sigma=5e-3, seed=4)
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["spike_times_s"], expected.spike_times())
    siegert = float(theory.rate_under_noise(LIF(), 0.3e-9, 5e-3, 1e-4))
    cv = float(theory.cv_under_noise(LIF(), 0.3e-9, 5e-3, 1e-4))
    shown = capsys.readouterr().out
    assert "a constant current of 0.3 nA, noise of the membrane 5 mV, 500 ms" in shown
    assert f"{siegert:.4g} Hz and CV {cv:.3f} with it (Siegert)" in shown


def test_below_threshold_a_sine_is_compared_with_its_gain(capsys, folder):
    assert bio("lif", "--current", "sine", "--amplitude", 0.1, "--frequency", 20, "--out", "a") == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["results"]
    assert run["amplitude_v"] == pytest.approx(run["amplitude_theory_v"], rel=0.01)
    assert "moves the voltage by 3.697 mV" in capsys.readouterr().out  # 10 mV / √(1 + (2π 20 Hz 20 ms)²)


@pytest.mark.parametrize("frequency", [7, 33.3, 4])  # the second half of the run holds 1.75, 8.3 and 1 of its periods
def test_a_sine_is_compared_over_whole_periods(frequency, folder):
    assert bio("lif", "--current", "sine", "--amplitude", -0.1, "--frequency", frequency, "--out", "a") == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["results"]
    assert run["amplitude_v"] == pytest.approx(run["amplitude_theory_v"], rel=0.01)


def test_less_than_a_period_of_a_sine_is_not_compared(folder, capsys):
    flags = ["--current", "sine", "--amplitude", 0.1, "--duration", 100]
    assert bio("lif", *flags, "--frequency", 1, "--out", "a") == 0
    assert "moves the voltage by 9.922 mV (less than one period to compare)" in capsys.readouterr().out
    assert json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["results"]["amplitude_v"] is None
    assert bio("lif", *flags, "--frequency", 0, "--out", "b") == 0
    assert "a sine of" not in capsys.readouterr().out


# fi


def test_a_curve_is_beside_its_formulas(folder, capsys):
    flags = ["--to", 0.6, "--count", 7, "--sigma", 0, 5, "--duration", 3000, "--out", "a"]
    assert bio("fi", *flags) == 0
    rows = table(folder / "a" / "fi.csv")
    amperes = np.array([float(row["current_a"]) for row in rows])
    np.testing.assert_allclose(amperes, np.linspace(0, 0.6e-9, 7))
    quiet = np.array([float(row["rate_hz, no noise"]) for row in rows])
    np.testing.assert_allclose(quiet, theory.rate_on_grid(LIF(), amperes, 1e-4), rtol=1e-9)
    np.testing.assert_allclose([float(row["rate_continuous_hz"]) for row in rows], theory.rate(LIF(), amperes))
    noisy = np.array([float(row["rate_hz, noise of 5 mV"]) for row in rows])
    siegert = np.array([float(row["siegert_hz, noise of 5 mV"]) for row in rows])
    np.testing.assert_allclose(siegert, theory.rate_under_noise(LIF(), amperes, 5e-3, 1e-4), rtol=1e-8)
    np.testing.assert_allclose(noisy, siegert, atol=8)  # 3 s hold 300 spikes: at CV 0.3 that is 1.7 Hz in one deviation
    assert (folder / "a" / "fi.png").is_file()
    shown = capsys.readouterr().out
    assert "rheobase 0.2 nA" in shown
    largest = np.max(theory.cv_under_noise(LIF(), amperes, 5e-3, 1e-4) * np.sqrt(siegert / 3))
    assert f"by chance a count over 3000 ms is off by some {largest:.2g} Hz" in shown


# network


def test_a_network_is_run_as_kzoo_does_and_its_spikes_rates_and_voltages_are_written(folder, capsys):
    flags = ["--size", 200, "--in-degree", 40, "--amplitude", 0.25, "--seed", 3, "--engine", "numpy", "--trace", 2]
    assert bio("network", "balanced", *flags, "--duration", 600, "--skip", 50, "--out", "a") == 0
    built = networks.balanced(size=200, in_degree=40, current=0.25e-9)
    expected = networks.run(built, 0.6, seed=3, engine="numpy", trace=range(2))
    with np.load(folder / "a" / "spikes.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["times_s"], expected.times)
        np.testing.assert_array_equal(found["neurons"], expected.neurons)
        np.testing.assert_array_equal(found["voltage_v"], expected.voltage)
    rows = table(folder / "a" / "neurons.csv")
    assert [row["group"] for row in rows] == ["excitatory"] * 160 + ["inhibitory"] * 40
    rates, cvs = analysis.rates(expected, start=0.05), analysis.cv(expected, start=0.05)
    np.testing.assert_allclose([float(row["rate_hz"]) for row in rows], rates, rtol=1e-9)
    np.testing.assert_allclose([float(row["cv"]) for row in rows], cvs, rtol=1e-9)
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert run["groups"] == {"excitatory": [0, 160], "inhibitory": [160, 200]}
    assert run["results"]["rate_inhibitory_hz"] == pytest.approx(rates[160:].mean())
    assert (run["results"]["cv"], run["results"]["cv_neurons"]) == (pytest.approx(np.nanmean(cvs)), 200)
    assert run["engine"] == "numpy"
    default = inspect.signature(networks.balanced).parameters["g"].default
    assert f"--g={default}" in run["flags"]  # written down, for a day when it is another one
    shown = capsys.readouterr().out
    assert f"excitatory: 160 neurons, {rates[:160].mean():.4g} Hz" in shown
    for name in ("raster", "intervals", "spectrum", "voltages"):
        assert (folder / "a" / f"{name}.png").is_file()
    assert bio("repeat", "a", "--out", "b") == 0
    assert (folder / "a" / "neurons.csv").read_bytes() == (folder / "b" / "neurons.csv").read_bytes()


def test_of_neurons_that_fire_fast_the_last_stretch_is_drawn(folder, monkeypatch):
    drawn = []
    real = plots.raster
    monkeypatch.setattr(plots, "raster", lambda *given, **options: (drawn.append(options), real(*given, **options))[1])
    flags = ["balanced", "--size", 100, "--in-degree", 1, "--weight", 0, "--duration", 400, "--engine", "numpy"]
    for amplitude, start in ((0.22, 0.1), (1.0, 0.4 - 30 * 5.4e-3)):  # intervals of 44 and of 5.4 ms
        assert bio("network", *flags, "--amplitude", amplitude) == 0
        assert drawn[-1]["start"] == pytest.approx(start, abs=2e-3)
    assert [options["bin_width"] for options in drawn] == [1e-3, 5e-4]


def test_the_pictures_say_what_was_measured_beside_the_papers_name(folder, monkeypatch, capsys):
    drawn = {}

    def noted(name):
        real = getattr(plots, name)
        monkeypatch.setattr(
            plots, name, lambda *given, **options: (drawn.update({name: options}), real(*given, **options))[1]
        )

    for name in ("raster", "spectrum", "save_activity"):
        noted(name)
    rng = np.random.default_rng(0)
    together = 1 + np.sin(2 * np.pi * 150 * np.arange(2000) * 1e-4)
    steps, neurons = np.nonzero(rng.random((2000, 2500)) < 16e-3 * together[:, None])
    groups = {"excitatory": (0, 2000), "inhibitory": (2000, 2500)}
    raster = Raster(steps * 1e-4, neurons, 2500, groups, 0.2, 1e-4, "numpy")
    monkeypatch.setattr(networks, "run", lambda *given, **options: raster)
    flags = ["--regime", "B", "--scale", 0.2, "--duration", 200, "--engine", "numpy", "--out", "a"]
    assert bio("network", "brunel", *flags, "--animate", "a.html") == 0
    found = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["results"]
    assert found["rhythm_hz"] == pytest.approx(150, abs=20)  # segments of 50 ms
    title = "Brunel's network, g = 6, eta = 4, 2,500 neurons\nin the paper B: synchronous irregular, fast oscillation"
    said = (
        f"here {found['rate_hz']:.3g} Hz, CV {found['cv']:.2f}, synchrony {found['synchrony']:.2f} in bins of 1 ms, "
        f"rhythm of {found['rhythm_hz']:.0f} Hz"
    )
    assert (drawn["raster"]["title"], drawn["raster"]["measured"]) == (title, said)
    assert drawn["save_activity"]["title"] == f"{title}\n{said}"
    assert (drawn["spectrum"]["title"], drawn["spectrum"]["rhythm"]) == (title, found["rhythm_hz"])
    assert f"rhythm of {found['rhythm_hz']:.0f} Hz\n" in capsys.readouterr().out


def test_a_network_without_a_rhythm_has_none(folder, capsys):
    flags = ["--size", 200, "--in-degree", 1, "--weight", 0, "--duration", 300, "--engine", "numpy", "--out", "a"]
    assert bio("network", "balanced", *flags, "--amplitude", 0) == 0
    assert json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["results"]["rhythm_hz"] is None
    shown = capsys.readouterr().out
    assert "no rhythm stands out of the rate's noise; 300 ms are too short to tell one below 40 Hz\n" in shown
    assert "CV of the intervals unknown (half of the neurons or more have fewer than the 10 that it takes: " in shown


def test_groups_that_take_turns_are_told_and_drawn_though_their_rhythm_is_beyond_500_hz(folder, monkeypatch, capsys):
    drawn = {}
    real = plots.spectrum
    monkeypatch.setattr(
        plots, "spectrum", lambda *given, **options: (drawn.update(options), real(*given, **options))[1]
    )
    steps, neurons = np.meshgrid(np.arange(0, 5000, 32), np.arange(100), indexing="ij")
    steps = steps + 16 * (neurons < 45)
    order = np.argsort(steps.ravel(), kind="stable")
    steps, neurons = steps.ravel()[order], neurons.ravel()[order]
    inside = steps < 5000
    raster = Raster(steps[inside] * 1e-4, neurons[inside], 100, {"excitatory": (0, 100)}, 0.5, 1e-4, "numpy")
    monkeypatch.setattr(networks, "run", lambda *given, **options: raster)
    assert bio("network", "balanced", "--size", 100, "--in-degree", 20, "--engine", "numpy", "--out", "a") == 0
    shown = capsys.readouterr().out
    assert "rhythm of 625 Hz, 2 times the rate of a neuron: in 2 groups that take turns\n" in shown
    assert "CV of the intervals 0.000, the mean of 100 neurons;" in shown
    assert (drawn["rhythm"], drawn["highest"]) == (625, 1000)


@pytest.mark.parametrize(
    ("flags", "ms"),
    [
        (["brunel", "--regime", "d"], 3000),
        (["brunel", "--g", 4.5, "--eta", 0.9], 3000),
        (["brunel"], 500),
        (["brunel", "--regime", "D", "--duration", 200], 200),
        (["cuba"], 500),
    ],
)
def test_a_slow_rhythm_has_a_longer_default(flags, ms, folder, monkeypatch):
    asked = []

    def run(built, duration, *given, **options):
        asked.append(duration)
        return Raster(np.zeros(0), np.zeros(0, int), built.size, {"all": (0, built.size)}, duration, 1e-4, "numpy")

    monkeypatch.setattr(networks, "run", run)
    size = ["--scale", 0.2] if flags[0] == "brunel" else ["--size", 200]
    assert bio("network", *flags, *size, "--engine", "numpy", "--out", "a") == 0
    assert asked == [pytest.approx(ms * 1e-3)]


def test_brunels_network_stands_beside_its_theory(folder, capsys):
    flags = ["--duration", 60, "--skip", 20, "--engine", "numpy", "--out", "a"]
    assert bio("network", "brunel", "--regime", "d", "--scale", 0.2, *flags) == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert run["results"]["rates_theory_hz"] == pytest.approx(theory.brunel_rates(4.5, 0.9).tolist())
    assert {"--g=4.5", "--eta=0.9", "--scale=0.2", "--weight=0.1", "--delay=1.5"} <= set(run["flags"])
    assert not any(flag.startswith("--regime") for flag in run["flags"])
    shown = capsys.readouterr().out
    assert "(in the paper D: synchronous irregular, slow oscillation): 2,500 neurons" in shown
    assert f"{theory.brunel_rates(4.5, 0.9)[0]:.4g}" in shown
    assert "share more of their sources" in shown
    assert bio("repeat", "a", "--out", "b") == 0
    assert "in the paper D: " in capsys.readouterr().out  # though run.json says g and eta


@pytest.mark.parametrize("name", ["cuba", "coba"])
def test_the_ready_networks_run_and_a_silent_start_is_no_error(name, folder):
    assert bio("network", name, "--size", 200, "--duration", 5, "--skip", 0, "--engine", "numpy", "--out", "a") == 0
    assert (folder / "a" / "raster.png").is_file()


def test_a_film_without_a_folder_of_its_own_is_written_into_that_of_the_run(folder, capsys):
    flags = ["balanced", "--size", 100, "--in-degree", 20, "--duration", 50, "--skip", 0, "--engine", "numpy"]
    assert bio("network", *flags, "--out", "a", "--animate", "film.html") == 0
    assert "kzooActivity(" in (folder / "a" / "film.html").read_text(encoding="utf-8")
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert "film.html" in run["files"]
    assert run["film"] == "film.html"
    assert f"Wrote {Path('a', 'film.html')}." in capsys.readouterr().out
    for out, film in ((["--out", "a"], "films/film.html"), (["--out", "a"], "./film.html"), ([], "here.html")):
        assert bio("network", *flags, *out, "--animate", film) == 0
        assert (folder / film).is_file()
    assert not (folder / "a" / "film.html").exists()  # as all that the run before left there


def test_a_graded_network_comes_to_rest_where_theory_says(folder, capsys):
    weights = np.array([[0.0, 0.5], [-0.5, 0.2]])
    np.savetxt(folder / "w.csv", weights, delimiter=",")
    assert bio("network", "graded", "--matrix", "w.csv", "--amplitude", 0.05, "--engine", "numpy", "--out", "a") == 0
    with np.load(folder / "a" / "recording.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["weights"], weights)
        rest = theory.graded_fixed_point(LIF(), weights, [0.05e-9, 0])
        np.testing.assert_allclose(found["voltage_v"][-1], rest, atol=1e-6)
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert run["results"]["largest_difference_v"] < 1e-12
    assert "it comes to rest" in capsys.readouterr().out
    assert bio("network", "graded", "--size", 3, "--largest", 0.5, "--out", "b") == 0
    run = json.loads((folder / "b" / "run.json").read_text(encoding="utf-8"))
    assert run["results"]["largest_real_part"] == pytest.approx(0.5)


def test_where_an_engine_cannot_run_the_other_one_does_and_it_is_said_once(folder, capsys, monkeypatch):
    monkeypatch.setattr("kzoo.bio.engines._brian_lacks", lambda: "Brian2 is not installed: pip install it")
    assert bio("lif", "--duration", 20, "--engine", "brian-numpy", "--out", "a") == 0
    shown = capsys.readouterr()
    assert "engine numpy" in shown.out
    assert shown.err == "kzoo: brian-numpy cannot run here, so numpy ran: Brian2 is not installed: pip install it\n"
    assert json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))["note"] in shown.err


# Repeating


def test_a_run_is_repeated_from_what_it_wrote(folder, capsys, monkeypatch):
    (folder / "mine.txt").write_text("0.3\n", encoding="utf-8")
    assert bio("lif", "--current", "mine.txt", "--sigma", 2.5, "--dt", 0.05, "--v_rest=-7e1", "--out", "a") == 0
    capsys.readouterr()
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert bio("repeat", "../a", "--out", "../b") == 0
    assert "Its results are those of the run, in every digit.\n" in capsys.readouterr().out
    assert bio("repeat", "../a/run.json", "--out", "../c") == 0
    one = (folder / "a" / "spikes.csv").read_text(encoding="utf-8")
    assert one == (folder / "b" / "spikes.csv").read_text(encoding="utf-8")
    assert one.count("\n") > 10
    runs = [json.loads((folder / name / "run.json").read_text(encoding="utf-8")) for name in "abc"]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0]["flags"].count("--dt=0.05") == 1


@pytest.mark.parametrize(
    ("words", "name", "kept"),
    [
        (["lif", "--current"], "mine.txt", "current_a, amperes in each step"),
        (["network", "graded", "--engine", "numpy", "--matrix"], "w.csv", "weights"),
    ],
    ids=["current", "matrix"],
)
def test_a_run_is_not_repeated_with_other_numbers_than_it_read(words, name, kept, folder, capsys):
    file = folder / name
    file.write_text("0.3\n", encoding="utf-8")
    assert bio(*words, name, "--duration", 150, "--out", "a") == 0
    file.write_text("0.5\n", encoding="utf-8")
    assert bio("repeat", "a", "--out", "b") == 2
    said = capsys.readouterr().err
    assert f"{words[-1]}: {file} has changed since the run read it. Put the old one back; what it gave is in" in said
    assert f"{Path('a', 'recording.npz')} ({kept}). To run what it holds now, type:  kzoo bio {words[0]} " in said
    file.unlink()
    assert bio("repeat", "a", "--out", "b") == 2
    assert f"{words[-1]}: {file}, which the run read, is gone. Put the old one back;" in capsys.readouterr().err
    assert not (folder / "b").exists()
    file.write_text("0.3\n", encoding="utf-8")
    assert bio("repeat", "a", "--out", "b") == 0
    file.write_text("0.5\n", encoding="utf-8")
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    del run["sha256"]  # as an earlier version wrote it
    (folder / "a" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    assert bio("repeat", "a", "--out", "b") == 0


def test_who_repeats_a_run_hears_which_results_are_others(folder, capsys):
    assert bio("lif", "--duration", 20, "--out", "a") == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    run["results"] |= {"spikes": 7, "seconds": {"run": 1}}
    (folder / "a" / "run.json").write_text(json.dumps(run | {"kzoo": "0.1", "engine": "other"}), encoding="utf-8")
    assert bio("repeat", "a", "--out", "b") == 0
    said = "Its results are not those of the run: spikes is 0, was 7. They are of numpy of kzoo "
    assert said in (shown := capsys.readouterr().out)
    assert " and other of kzoo 0.1.\n" in shown


def test_a_file_called_as_a_waveform_is_no_current(folder):
    (folder / "step").write_text("0.3\n", encoding="utf-8")
    assert bio("lif", "--current", "step", "--duration", 20, "--out", "a") == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert "--current=step" in run["flags"]
    assert run["sha256"] == {}


def test_who_repeats_a_run_hears_that_its_film_is_not_made_again(folder, capsys):
    assert bio("lif", "--duration", 20, "--out", "a") == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    (folder / "a" / "run.json").write_text(json.dumps(run | {"film": "film.html"}), encoding="utf-8")
    capsys.readouterr()
    assert bio("repeat", "a") == 0
    assert (folder / "bio" / "lif-1" / "run.json").is_file()
    said = capsys.readouterr().out
    assert "The film film.html is not made again. For one, type:  kzoo bio lif --tau=20.0 " in said
    assert said.endswith(" --animate film.html\n")


def test_without_out_the_next_free_folder_is_taken_and_a_folder_of_other_files_is_left_alone(folder, capsys):
    for number in (1, 2):
        assert bio("lif", "--duration", 20) == 0
        assert (folder / "bio" / f"lif-{number}" / "run.json").is_file()
    (folder / "mine").mkdir()
    (folder / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    assert bio("lif", "--duration", 20, "--out", "mine") == 2
    assert "mine holds other files" in capsys.readouterr().err
    assert [path.name for path in (folder / "mine").iterdir()] == ["letter.txt"]
    assert bio("lif", "--duration", 20, "--out", "bio/lif-1") == 0


def test_a_run_replaces_the_files_of_the_one_before_and_no_others(folder, capsys):
    (folder / "letter.txt").write_text("dear", encoding="utf-8")
    flags = ["--size", 100, "--in-degree", 20, "--duration", 150, "--engine", "numpy", "--out", "a"]
    assert bio("network", "balanced", *flags) == 0
    assert "in place of" not in capsys.readouterr().out
    assert (folder / "a" / "raster.png").is_file()
    (folder / "a" / "mine.txt").write_text("dear", encoding="utf-8")
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert {"raster.png", "spikes.npz", "neurons.csv", "run.json"} <= set(run["files"])
    run["files"] += ["../letter.txt", 3]
    (folder / "a" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    assert bio("network", "graded", "--duration", 150, "--engine", "numpy", "--out", "a") == 0
    assert "Wrote a, in place of the run that it held: graded.png" in capsys.readouterr().out
    expected = ["graded.png", "mine.txt", "recording.npz", "run.json"]
    assert sorted(path.name for path in (folder / "a").iterdir()) == expected
    assert (folder / "letter.txt").is_file()


def test_the_folder_of_another_command_is_left_alone(folder, capsys):
    assert bio("lif", "--duration", 20, "--out", "a") == 0
    before = sorted(path.name for path in (folder / "a").iterdir())
    assert bio("network", "graded", "--out", "a") == 2
    assert (
        "--out: a holds a run of 'lif'; expected a new folder, or one of kzoo bio network." in capsys.readouterr().err
    )
    (folder / "b").mkdir()
    (folder / "b" / "run.json").write_text("{", encoding="utf-8")
    assert bio("lif", "--duration", 20, "--out", "b") == 2
    assert "Give --out a new folder." in capsys.readouterr().err
    assert sorted(path.name for path in (folder / "a").iterdir()) == before


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lif", "--tau", 0], "--tau: got 0 ms; expected a finite number above 0 ms and at most 1000 ms.\n"),
        (["lif", "--v-reset", -40], "--v-reset: got -40 mV; expected below v_threshold = -50 mV"),
        (["lif", "--t-ref", -1], "--t-ref: got -1 ms; expected a finite number at least 0 ms"),
        (["lif", "--amplitude", "nan"], "--amplitude: got nan nA"),
        (["lif", "--dt", 30], "--dt: got 30 ms; expected a finite number "),
        (["lif", "--duration", 0], "--duration: got 0 ms"),
        (["lif", "--sigma", -1], "--sigma: got -1 mV"),
        (["lif", "--seed", -1, "--sigma", 1], "--seed: got -1"),
        (["lif", "--current", "stp"], "expected one of constant, step, ramp, sine, pulses, noise, ou, or a file"),
        (["lif", "--current", "sine", "--width", 3], "--width goes with pulses; the current is sine"),
        (["lif", "--current", "ou", "--correlation", 0], "--correlation: got 0 ms"),
        (["lif", "--interval", 3], "--interval goes with a file"),
        (["lif", "--engine", "brain-cpp"], "Did you mean 'brian-cpp'?"),
        (["fi", "--from", 1, "--to", 0.5], "--from: got 1 nA; expected below --to"),
        (["fi", "--count", 1], "--count: got 1; expected from 2 to 10000"),
        (["fi", "--sigma", 0, -2], "--sigma: got -2 mV"),
        (["liff"], "No command 'bio liff'. Did you mean 'lif'?"),
        (["repeat", "nowhere"], "cannot be read"),
        (["network", "cubo"], "No network 'cubo'. Did you mean 'cuba'?"),
        (["network", "cuba", "--g", 4], "--g goes with brunel, balanced; the network is cuba"),
        (["network", "cuba", "--regime", "A"], "--regime goes with brunel"),
        (["network", "brunel", "--regime", "E"], "--regime: got 'E'; expected one of A, B, C, D"),
        (["network", "brunel", "--regime", "A", "--g", 3], "--regime is a g and an eta"),
        (["network", "brunel", "--scale", 0.01], "--scale: got 0.01"),
        (["network", "balanced", "--g", -1], "--g: got -1"),
        (["network", "balanced", "--size", 2], "--size: got 2"),
        (["network", "cuba", "--skip", 500], "--skip: got 500 ms; expected from 0 to below --duration, 500 ms"),
        (["network", "cuba", "--trace", 5000], "--trace: got 5000; expected at most 4000"),
        (["network", "cuba", "--animate", "a.avi"], "--animate: a film ends in .gif, .mp4, .html"),
        (["network", "cuba", "--engine", "neuron"], "--engine: got 'neuron'"),
        (["network", "cuba", "--seed", -1], "--seed: got -1"),
        (["network", "graded", "--largest", 1.5], "--largest: got 1.5; expected above 0 and below 1"),
        (["network", "graded", "--largest", -1], "--largest: got -1; expected above 0 and below 1"),
        (["network", "graded", "--largest", "nan"], "--largest: got nan"),
        (["network", "graded", "--size", 100_000], "--size: got 100000; expected from 1 to 2000"),
        (
            ["network", "graded", "--duration", 1e7],
            "--duration: got 1e+07 ms, 100,000,000 steps for each of 5 voltages",
        ),
        (["network", "cuba", "--trace", 3000, "--duration", 1e4], "--duration: got 10000 ms, 100,000 steps for each"),
        (["network", "brunel", "--eta", 1e300], "--eta: got 1e+300; expected a finite number"),
        (["network", "brunel", "--eta", 1e6], "--eta: got 1e+06, which with a weight of 0.1 mV is a rate from outside"),
        (["lif", "--duration", 1e12], "--duration: got 1e+12 ms"),
        (["lif", "--duration", 1e8], "--duration: got 1e+08 ms, 1,000,000,000 steps"),
        (
            ["lif", "--dt", 1e-5, "--duration", 200],
            "--duration: got 200 ms, 20,000,000 steps; expected at most 2,000,000 of",
        ),
        (
            ["fi", "--sigma", 5, "--duration", 1e7],
            "--duration: got 1e+07 ms, some 11 minutes of work by estimate; expected at most 10.",
        ),
        (
            ["network", "cuba", "--duration", 1e6],
            "--duration: got 1e+06 ms, 4,000,000 seconds of all neurons together; expected at most 1,000,000",
        ),
        (["lif", "--dt", 1e-300], "got 500 ms, which is 5e+302 steps of dt = 1e-300 ms"),
        (["lif", "--amplitude", 1e308], "--amplitude: got 1e+308 nA"),
        (
            ["lif", "--amplitude", 1e9],
            "--amplitude: got 1e+09 nA; expected from -10000 to 10000 nA, which in 100 MΩ are 1000 V.\n",
        ),
        (["lif", "--baseline", -1e9], "--baseline: got -1e+09 nA; expected from -10000 to 10000 nA"),
        (
            ["lif", "--resistance", 50, "--current", "ou", "--current-sigma", 1e6],
            "--current-sigma: got 1e+06, of which a step has 3.61101e+06 nA; expected from -20000 to 20000 nA",
        ),
        (["fi", "--to", 1e9], "--to: got 1e+09 nA; expected from -10000 to 10000 nA"),
        (["fi", "--from", -1e9], "--from: got -1e+09 nA; expected from -10000 to 10000 nA"),
        (["network", "graded", "--amplitude", 1e9], "--amplitude: got 1e+09 nA; expected from -10000 to 10000 nA"),
        (["network", "balanced", "--amplitude", 1e9], "--amplitude: got 1e+09 nA; expected a finite number at least"),
        (["fi", "--count", 100_000_000_000], "--count: got 100000000000; expected from 2 to 10000"),
        (["fi", "--tau", 1e300, "--sigma", 1], "--tau: got 1e+300 ms"),
        (["network", "graded", "--animate", "a.gif"], "--animate goes with networks that spike"),
        (["network", "graded", "--matrix", "w.csv"], "w.csv cannot be read"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_is_refused_is_said_with_its_flag_and_nothing_is_written(words, said, folder, capsys):
    assert bio(*words) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert " given in" not in shown.err
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError, "This run needs more memory than there is. Make it smaller"),
        (OverflowError("too large"), "A number grew beyond what a computer holds (too large)."),
    ],
)
def test_what_no_machine_holds_is_said_without_a_traceback(error, said, folder, capsys, monkeypatch):
    def run(*given, **options):
        raise error

    monkeypatch.setattr(networks, "run", run)
    assert bio("network", "graded") == 2
    assert said in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_curve_without_noise_ends_where_it_is_known_so_any_duration_is_taken(folder):
    assert bio("fi", "--duration", 1e7, "--count", 3, "--out", "a") == 0


def test_in_a_pipe_what_takes_long_says_a_word_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(output.time, "perf_counter", lambda: now[0])
    with output.waiting("Simulating") as tell:
        for second in range(100):
            now[0] = second
            tell(f"at {second}")
    assert capsys.readouterr().err == "kzoo: at 10\nkzoo: at 20\nkzoo: at 40\nkzoo: at 80\n"
    with output.waiting("Simulating for 30 s", long=True):
        pass
    assert capsys.readouterr().err == "kzoo: Simulating for 30 s\n"


@pytest.mark.parametrize("seed", [3, 4])
def test_a_drawn_matrix_has_the_largest_real_part_that_was_asked_for(seed, folder):
    # Of one neuron, seed 3 draws a positive number and seed 4 a negative one.
    flags = ["--size", 1, "--largest", 0.6, "--seed", seed, "--duration", 150, "--engine", "numpy", "--out", "a"]
    assert bio("network", "graded", *flags) == 0
    run = json.loads((folder / "a" / "run.json").read_text(encoding="utf-8"))
    assert run["results"]["largest_real_part"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "one\n", "no numbers"),
        ("a.txt", "", "shape (0,)"),
        ("a.csv", "1,nan", "--current: got a.csv, which has nan nA; expected from -10000 to 10000 nA"),
        ("a.csv", "1\n-1e9\n", "--current: got a.csv, which has -1e+09 nA; expected from -10000 to 10000 nA"),
        ("a.csv", "0,3\n" * 5, "a.csv has 2 columns in line 1; expected numbers in nA, one a line. Keep the column of"),
        ("a.txt", "0\n1 2\n", "a.txt has 2 columns in line 2"),
        ("a.csv", "1,2,3\n4,5,6\n", "where a comma stands for the decimal point, write a dot."),
        ("a.csv", "time,current\n0,3\n", "line 1 has 'time'; leave out what is no number, as a header."),
        ("a.csv", "0;0,3\n", "line 1 has '0,3'; write the decimal point as a dot."),
    ],
)
def test_a_file_of_no_numbers_or_of_several_columns_is_refused(name, content, said, folder, capsys):
    (folder / name).write_text(content, encoding="utf-8")
    assert bio("lif", "--current", name) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("content", ["0\n\n0.5\n", "\ufeff0,\n0.5,\n", "# nA\n 0 \n.5e0 # more\n", "0 0.5\n", "0; 0.5"])
def test_numbers_stand_one_a_line_or_all_in_one(content, folder):
    (folder / "a.csv").write_text(content, encoding="utf-8")
    given = argparse.Namespace(current=folder / "a.csv")
    np.testing.assert_array_equal(read_numbers(given, "current", "numbers"), [0, 0.5])


def test_rows_of_unequal_length_are_no_matrix(folder, capsys):
    (folder / "w.csv").write_text("0,0.5\n-0.5\n", encoding="utf-8")
    assert bio("network", "graded", "--matrix", "w.csv") == 2
    assert (
        "w.csv has rows of unequal length, 2 and then, in line 2, 1; expected rows of numbers"
        in capsys.readouterr().err
    )


def test_a_file_that_would_run_code_is_refused(folder, capsys):
    np.save(folder / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert bio("lif", "--current", "a.npy") == 2
    assert "allow_pickle=False" in capsys.readouterr().err


def test_a_run_json_of_something_else_is_refused(folder, capsys):
    (folder / "run.json").write_text(json.dumps({"command": "repeat", "flags": ["run.json"]}), encoding="utf-8")
    assert bio("repeat", "run.json") == 2
    assert "cannot repeat" in capsys.readouterr().err


# Help


def test_help_of_a_network_names_units_defaults_and_networks(capsys):
    with pytest.raises(SystemExit):
        bio("network", "--help")
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for words in ("cuba, coba, brunel, balanced", "--weight mV", "--regime A|B|C|D", "default: 0.4", ".html"):
        assert words in text


@pytest.mark.parametrize("name", ["lif", "fi"])
def test_help_names_every_flag_with_its_unit_and_default(name, capsys):
    with pytest.raises(SystemExit) as left:
        bio(name, "--help")
    assert left.value.code == 0
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for words in (
        "--tau ms",
        "(default: 20)",
        "--resistance MΩ",
        "--v-rest mV",
        "(default: -70)",
        "--dt ms",
        "--seed S",
    ):
        assert words in text
    if name == "lif":
        for words in (
            "or the first pulse begins (default: of a step a fifth of --duration, else 0)",
            "of a ramp its end)",
            "10 for sine, 20 for pulses)",
            "0.02 for noise, 0.1 for ou)",
            "--width ms of each pulse (default: 5)",
            "goes about (default: 0)",
            "remembers (default: 5)",
        ):
            assert words in text
    assert main(["bio"]) == 2
    assert "kzoo bio lif|fi|network|repeat" in capsys.readouterr().out


def test_no_keras_and_no_brian_is_loaded():
    code = (
        "import sys; from kzoo.cli import main; assert main(['bio', 'lif', '--duration', '20']) == 0\n"
        "sys.exit(' '.join({'keras', 'brian2', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip() == ""
    assert (Path.cwd() / "bio" / "lif-1" / "run.json").is_file()
