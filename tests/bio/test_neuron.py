import dataclasses
import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from references_neuron import noisy

from kzoo.bio import LIF, Recording, checks, engines, rates, simulate, theory
from kzoo.bio.engines import brian
from kzoo.bio.engines import numpy as numpy_engine
from kzoo.bio.neuron import noise_current, noise_deviation
from kzoo.errors import ParameterError

DT = 1e-4


def by_hand(p, current, dt, v):
    """One neuron, by the definition: V is moved unless fewer than t_ref / dt steps have passed since the last spike."""
    voltage, spikes, last = [], [], None
    for k, i in enumerate(current):
        voltage.append(v)
        if last is None or k - last >= int(p.t_ref / dt + 1e-3):
            v = v * np.exp(-dt / p.tau) + (p.v_rest + p.resistance * i) * (1 - np.exp(-dt / p.tau))
        spikes.append(v > p.v_threshold)
        if spikes[-1]:
            v, last = p.v_reset, k
    return np.array(voltage), np.array(spikes)


@pytest.mark.parametrize("t_ref", [0, 0.5e-4, 1e-4, 2e-3, 2.05e-3])
def test_both_loops_do_what_the_definition_says(t_ref):
    p, current = LIF(t_ref=t_ref), noisy()
    many, few = simulate(p, current, DT), simulate(p, current[:, :3], DT)
    assert few.num_neurons < numpy_engine.FEW < many.num_neurons
    for i in range(50):
        voltage, spikes = by_hand(p, current[:, i], DT, p.v_rest)
        np.testing.assert_array_equal(many.spikes[:, i], spikes)
        np.testing.assert_allclose(many.voltage[:, i], voltage, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(many.voltage[:, :3], few.voltage)  # to the last bit
    np.testing.assert_array_equal(many.spikes[:, :3], few.spikes)
    assert 1000 < many.spikes.sum() < 2000


@pytest.mark.skipif(importlib.util.find_spec("brian2") is None, reason="Brian2 is not installed")
def test_brian_gives_the_same_voltages_and_moves_no_spike(tmp_path):
    neurons, current = [LIF(t_ref=t_ref) for t_ref in (0, 2e-3, 2.05e-3)], noisy()
    start = np.linspace(-80e-3, -45e-3, 50)  # some of them above the threshold
    for i, p in enumerate(neurons):
        np.savez(tmp_path / f"{i}.npz", current=current, dt=DT, v_start=start, **dataclasses.asdict(p))
    script = Path(__file__).with_name("brian_single.py")
    subprocess.run([sys.executable, "-W", "ignore", script, "0", "1", "2"], cwd=tmp_path, check=True, timeout=300)
    for i, p in enumerate(neurons):
        brian, own = np.load(tmp_path / f"{i}_brian.npz"), simulate(p, current, DT, start)
        np.testing.assert_array_equal(own.spikes, brian["spikes"])
        np.testing.assert_allclose(own.voltage, brian["voltage"], rtol=0, atol=1e-12)
        assert own.spikes.sum() > 1000


def test_a_recording_says_when_what_happened():
    p = LIF(tau=10e-3, v_rest=0, v_threshold=1, v_reset=0, resistance=1, t_ref=2e-3)
    recording = simulate(p, np.full(40, 2.0), 1e-3)
    # 2 (1 - exp(-m / 10)) passes 1 with the 7th step.
    assert np.flatnonzero(recording.spikes[:, 0]).tolist() == [6, 14, 22, 30, 38]
    np.testing.assert_allclose(recording.spike_times(), [6e-3, 14e-3, 22e-3, 30e-3, 38e-3])
    np.testing.assert_allclose(recording.voltage[:9, 0], [*2 * (1 - np.exp(-np.arange(7) / 10)), 0, 0])
    assert recording.voltage[9, 0] > 0
    assert (recording.num_steps, recording.num_neurons, recording.duration) == (40, 1, pytest.approx(0.04))
    np.testing.assert_allclose(recording.times, np.arange(40) * 1e-3)
    assert (recording.engine, recording.note, recording.current.shape) == ("numpy", "", (40, 1))
    raster = recording.raster
    assert (raster.size, raster.duration, raster.engine) == (1, pytest.approx(0.04), "numpy")
    np.testing.assert_array_equal(raster.spike_times(0), recording.spike_times())


def test_a_raster_can_be_narrowed_to_a_group():
    spikes = np.zeros((5, 4), bool)
    spikes[[0, 1, 2, 4], [3, 0, 2, 3]] = True
    raster = Recording(DT, np.zeros((5, 4)), np.zeros((5, 4)), spikes, "numpy").raster
    raster = dataclasses.replace(raster, groups={"a": (0, 2), "b": (2, 4)})
    assert raster.group("a").times.tolist() == [1e-4]
    group = raster.group("b")
    np.testing.assert_allclose(group.times, [0, 2e-4, 4e-4])
    assert (group.neurons.tolist(), group.size, group.groups) == ([1, 0, 1], 2, {"b": (0, 2)})


def test_a_start_above_the_threshold_is_a_spike_at_once_unless_the_leak_is_quicker():
    p = LIF(tau=1e-3)
    assert simulate(p, np.zeros(3), DT, -45e-3).spikes[:, 0].tolist() == [True, False, False]
    assert not simulate(p, np.zeros(3), DT, -49.9e-3).spikes.any()


@pytest.mark.parametrize("t_ref", [0, 0.5e-4, 1e-4, 2e-3, 2.05e-3])
@pytest.mark.parametrize("dt", [1e-4, 5e-4])
def test_intervals_are_those_of_the_formula_on_the_grid(t_ref, dt):
    p = LIF(t_ref=t_ref)
    steps, found = round(2.0 / dt), []
    currents_ = theory.rheobase(p) + np.geomspace(1e-13, 3e-9, 40)
    recording = simulate(p, np.tile(currents_, (steps, 1)), dt)
    for i in range(40):
        gaps = np.diff(np.flatnonzero(recording.spikes[:, i]))
        assert len(gaps) > 4
        assert len(set(gaps)) == 1
        found.append(gaps[0] * dt)
    formula = theory.interval_on_grid(p, currents_, dt)
    np.testing.assert_allclose(found, formula, rtol=0, atol=1e-15)  # 1e-12 ms
    np.testing.assert_allclose(1 / rates(p, currents_, 2.0, dt), formula, rtol=0, atol=1e-15)
    # The grid shortens an interval by less than a step, and by as much again where t_ref is no multiple of dt.
    shorter = theory.interval(p, currents_) - formula
    whole = t_ref in (1e-4, 2e-3) and dt == 1e-4
    assert shorter.min() > (-1e-15 if whole else -dt)
    assert shorter.max() < (dt if whole else 2 * dt)


def test_a_neuron_fires_just_above_its_rheobase_and_not_below():
    p = LIF()
    edge = theory.rheobase(p)
    assert edge == pytest.approx(0.2e-9)
    recording = simulate(p, np.tile([edge * (1 - 1e-6), edge * (1 + 1e-6)], (10000, 1)), DT)
    assert recording.spikes.any(0).tolist() == [False, True]


# Enough spikes that the standard error of the rate, CV / √spikes, is at most 0.2 %: a fifth of what is allowed.
@pytest.mark.parametrize(("mu", "seconds"), [(15e-3, 11), (18e-3, 4), (22e-3, 1.5)])
def test_the_rate_under_noise_is_siegerts(mu, seconds):
    p = LIF(tau=20e-3, resistance=1.0, v_rest=0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3)
    found = rates(p, np.full(2000, mu), 0.3 + seconds, DT, sigma=5e-3, skip=0.3)
    error = found.std() / np.sqrt(2000) / found.mean()
    assert error < 0.002
    assert found.mean() == pytest.approx(theory.rate_under_noise(p, mu, 5e-3, DT), rel=0.01)


def test_noise_has_the_deviation_it_says_and_none_below_the_threshold_is_lost():
    p, sigma = LIF(v_threshold=1.0), 4e-3
    for dt in (DT, 5e-3):
        voltage = simulate(p, np.full((2000, 400), 0.1e-9), dt, -60e-3, sigma=sigma).voltage[1000:]
        independent = 400 * 1000 * dt / p.tau / 2
        assert voltage.std() == pytest.approx(sigma / np.sqrt(2), rel=5 / np.sqrt(2 * min(independent, 400 * 1000)))
        assert voltage.mean() == pytest.approx(-60e-3, abs=5 * sigma / np.sqrt(2 * independent))
        lagged = (voltage[1:] * voltage[:-1]).mean() - voltage.mean() ** 2
        assert lagged / voltage.var() == pytest.approx(np.exp(-dt / p.tau), abs=5 / np.sqrt(independent))


def test_noise_is_the_current_that_is_recorded():
    p, mean = LIF(), np.full((500, 3), 0.2e-9)
    recording = simulate(p, mean, DT, sigma=3e-3, seed=5)
    np.testing.assert_array_equal(recording.current, mean + noise_current(p, 3e-3, 500, 3, DT, seed=5))
    np.testing.assert_array_equal(simulate(p, recording.current, DT).voltage, recording.voltage)
    assert noise_deviation(p, 3e-3, 1e-7) == pytest.approx(3e-3 / 100e6 * np.sqrt(20e-3 / 1e-7), rel=1e-9)


def test_rates_with_noise_are_those_of_a_recording_with_the_same_noise():
    p = LIF()
    mean = np.linspace(0.1e-9, 0.4e-9, 60)
    recording = simulate(p, np.tile(mean, (4000, 1)), DT, sigma=5e-3, seed=3)
    found = rates(p, mean, 0.4, DT, sigma=5e-3, seed=3, skip=0.1)
    np.testing.assert_allclose(found, recording.spikes[1000:].sum(0) / 0.3)


def test_rates_draw_the_same_noise_in_chunks(monkeypatch):
    whole = rates(LIF(), np.full(7, 0.2e-9), 0.2, DT, sigma=5e-3)
    monkeypatch.setattr(numpy_engine, "_CHUNK", 7 * 13)
    np.testing.assert_array_equal(rates(LIF(), np.full(7, 0.2e-9), 0.2, DT, sigma=5e-3), whole)


def test_a_neuron_that_fires_once_or_never_has_the_number_over_the_duration():
    p = LIF()
    one = theory.rheobase(p) + 1e-13  # the first spike after 0.15 s, the second after 0.3 s
    assert rates(p, [0.0, one], 0.25, DT).tolist() == [0.0, 1 / 0.25]


def test_rates_without_noise_are_those_of_whole_recordings():
    p = LIF(v_rest=-45e-3, t_ref=1e-3)  # fires without a current, and once where the current holds it below
    mean = np.append(np.linspace(-0.3e-9, 0.5e-9, 50), -12e-9)  # the last one pulls it below before it can fire
    recording = simulate(p, np.tile(mean, (3000, 1)), DT)
    counts = recording.spikes.sum(0)
    assert {0, 1} < set(counts)
    once = np.flatnonzero(counts < 2)
    found = rates(p, mean, 0.3, DT)
    np.testing.assert_allclose(found[once], counts[once] / 0.3)
    for i in np.flatnonzero(counts > 1):
        gaps = np.diff(recording.spike_times(i))
        np.testing.assert_allclose(gaps, 1 / found[i], rtol=1e-9)


def test_the_threshold_itself_is_no_spike():
    p = LIF(v_rest=1.0, v_threshold=1.0, v_reset=0.0)
    for neurons in (1, 50):
        assert not simulate(p, np.zeros((100, neurons)), DT).spikes.any()


def test_a_neuron_that_rests_above_its_threshold_fires_without_a_current():
    p = LIF(v_rest=-49e-3, v_threshold=-50e-3, v_reset=-60e-3, t_ref=5e-3)
    assert rates(p, [0.0], 2.0, DT)[0] == pytest.approx(theory.rate_on_grid(p, 0.0, DT))
    assert theory.rheobase(p) < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate(LIF(), [0.0, float("nan")]), "current: got nan A at index 1"),
        (lambda: simulate(LIF(), np.zeros((0, 3))), r"current: got an array of shape \(0, 3\)"),
        (lambda: simulate({"tau": 1}, [0.0]), r"parameters: got \{'tau': 1\}; expected a kzoo.bio.LIF"),
        (lambda: simulate(LIF, [0.0]), "parameters: got <class"),
        (lambda: simulate(LIF(), [0.0], dt=0), "dt: got 0 ms"),
        (
            lambda: simulate(LIF(), [0.0], dt=0.1),
            "dt: got 100 ms; expected a finite number at least 1e-09 ms and at most 20 ms",
        ),
        (lambda: simulate(LIF(), np.zeros((5, 2)), v_start=np.zeros(3)), r"v_start: got an array of shape \(3,\)"),
        (lambda: simulate(LIF(), [0.0], v_start=float("nan")), "v_start: got nan V"),
        (lambda: simulate(LIF(), [0.0], engine="brain-cpp"), "engine: got 'brain-cpp'; .* Did you mean 'brian-cpp'"),
        (lambda: simulate(LIF(), [0.0], sigma=-1e-3), "sigma: got -1 mV"),
        (lambda: simulate(LIF(), [0.0], sigma=1e-3, seed=-1), "seed: got -1"),
        (lambda: rates(LIF(), 0.3e-9), r"currents: got an array of shape \(\)"),
        (lambda: rates(LIF(), [float("inf")]), "currents: got inf A at index 0"),
        (lambda: rates(LIF(), [0.0], duration=0), "duration: got 0 ms; expected .* at least 0.1 ms"),
        (lambda: rates(LIF(), [0.0], skip=1.0), "skip: got 1000 ms; expected .* below 1000 ms"),
        (lambda: noise_current(LIF(), 1e-3, 0), "steps: got 0"),
        (lambda: simulate(LIF(), [0.0], timeout=0), "timeout: got 0 s; expected a finite number above 0 s"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


def test_importing_the_wing_imports_neither_keras_nor_brian_nor_scipy():
    code = "import sys, kzoo.bio; sys.exit(' '.join({'keras', 'matplotlib', 'brian2', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""


def test_an_engine_that_cannot_run_is_replaced_and_the_recording_says_why(monkeypatch):
    monkeypatch.setattr(engines, "pick", lambda engine: ("numpy", f"no {engine} here"))
    recording = simulate(LIF(), np.full(2000, 0.3e-9), DT, engine="brian-cython")
    assert (recording.engine, recording.note) == ("numpy", "no brian-cython here")
    np.testing.assert_array_equal(recording.voltage, simulate(LIF(), np.full(2000, 0.3e-9), DT).voltage)


@pytest.mark.parametrize("engine", engines.ENGINES[1:])
def test_an_engine_is_handed_the_checked_arguments_the_noise_included(engine, monkeypatch):
    taken = []

    def ran(*arguments):
        taken.append(arguments)
        return Recording(DT, arguments[1], arguments[1], arguments[1] > 0, engine)

    monkeypatch.setattr(engines, "pick", lambda engine: (engine, ""))
    monkeypatch.setattr(engines.standalone if engine == "brian-cpp" else brian, "simulate", ran)
    said, mean = [], [0.1e-9] * 5
    found = simulate(LIF(), mean, DT, -60e-3, engine, sigma=2e-3, seed=4, timeout=9, progress=said.append)
    (parameters, current, dt, v_start, *rest) = taken[0]
    assert (parameters, dt, v_start.tolist(), found.engine) == (LIF(), DT, [-60e-3], engine)
    np.testing.assert_array_equal(current, 0.1e-9 + noise_current(LIF(), 2e-3, 5, 1, DT, seed=4))
    assert rest == ([9.0, said.append] if engine == "brian-cpp" else [engine.removeprefix("brian-"), 9.0])


def test_numbers_beyond_any_neuron_are_refused_by_name():
    current = np.zeros(5)
    with pytest.raises(ParameterError, match=r"v_rest: got 1e\+303 mV; expected a finite number .*at most 10000 mV"):
        LIF(v_rest=1e300)
    with pytest.raises(ParameterError, match=r"v_start: got nan V; expected"):
        simulate(LIF(), current, v_start=float("nan"))
    with pytest.raises(ParameterError, match=r"sigma: got 1e\+303 mV"):
        simulate(LIF(), current, sigma=1e300)
    with pytest.raises(ParameterError, match=r"duration: got .* steps of dt = 0.1 ms; expected at most 1,073,741,824"):
        rates(LIF(), [0.0], duration=1e6)
    with pytest.raises(
        ParameterError, match=r"dt: got 1e-305 ms; expected at least 1.86265e-06 ms, .* in seconds: dt="
    ):
        checks.num_steps(2.0, 1e-308)
    with pytest.raises(ParameterError, match=r"v_start: got -60 V; expected finite numbers of at most 10 volts"):
        simulate(LIF(), current, v_start=-60)
    for use in (lambda: simulate(LIF(), current, 1e-320), lambda: theory.rate_on_grid(LIF(), 1e-9, 1e-320)):
        with pytest.raises(ParameterError, match=r"dt: got .* at least 1e-09 ms"):
            use()


def test_a_current_in_nanoamperes_is_refused_with_its_unit():
    message = "{}: got 0.6 A at index 1.*; expected finite numbers of at most 1e-05 amperes. .*: 0.6e-9 is 0.6 nA"
    with pytest.raises(ParameterError, match=message.format("current")):
        simulate(LIF(), [0.0, 0.6])
    with pytest.raises(ParameterError, match=message.format("currents")):
        rates(LIF(), [0.0, 0.6])
    simulate(LIF(), [0.0, -1e-5])
    simulate(LIF(resistance=1.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0), [1.2])  # as without units


def test_a_refractory_period_beyond_all_steps_holds_to_the_end():
    current = np.full((50, 41), 1.0e-6)
    recording = simulate(LIF(t_ref=1.0), current, dt=1e-10, v_start=-50e-3)  # 1e10 steps
    assert recording.spikes.sum(axis=0).tolist() == [1] * 41


def test_noise_of_a_membrane_that_hardly_leaks_is_that_of_a_short_step():
    slow = LIF(tau=1.0)
    expected = 5e-3 / slow.resistance * math.sqrt(slow.tau / 1e-13)
    assert noise_deviation(slow, 5e-3, 1e-13) == pytest.approx(expected, rel=1e-12)
