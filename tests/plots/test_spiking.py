"""The figures of spiking neurons show the numbers that they were given, in the field's units, and refuse the rest."""

import numpy as np
import pytest
from scipy.signal import lfilter

from kzoo import plots

from .conftest import drawn, lines


def record(n=1, t=40):
    rng = np.random.default_rng(0)
    spikes = np.zeros((t, n), bool)
    spikes[[5, 25], 0] = True
    return rng.normal(size=(t, n)) * 1e-9, rng.normal(-60, 3, (t, n)) * 1e-3, spikes


def membrane(current, voltage, spikes, **options):
    return plots.membrane(current, voltage, spikes, 1e-3, title="LIF", v_threshold=-50e-3, **options)


# membrane


def test_voltage_and_current_are_drawn_in_millivolts_and_nanoamperes_over_milliseconds():
    current, voltage, spikes = record()
    above, below = drawn(membrane(current, voltage, spikes, v_rest=-70e-3)).axes
    trace = above.lines[0]
    np.testing.assert_allclose(trace.get_xdata(), np.arange(40))
    np.testing.assert_allclose(trace.get_ydata(), voltage[:, 0] * 1e3)
    np.testing.assert_allclose(below.lines[0].get_ydata(), current[:, 0] * 1e9)
    assert lines(above)["threshold"].get_ydata()[0] == -50
    assert lines(above)["rest"].get_ydata()[0] == -70
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("V (mV)", "I (nA)", "time (ms)")


def test_each_spike_is_a_stroke_from_threshold_to_twenty_millivolts_above_it():
    above = membrane(*record()).axes[0]
    (strokes,) = above.collections
    np.testing.assert_allclose(strokes.get_segments(), [[[5, -50], [5, -30]], [[25, -50], [25, -30]]])
    assert above.get_title(loc="left") == "2 spikes in 40 ms"


def test_several_neurons_have_a_panel_each_and_a_shared_current_is_drawn_once():
    current, voltage, spikes = record(n=3)
    figure = drawn(membrane(current[:, 0], voltage, spikes))
    assert len(figure.axes) == 4
    assert figure.axes[1].get_title(loc="left") == "neuron 2: 0 spikes in 40 ms"
    assert len(figure.axes[-1].lines) == 1
    assert len(drawn(membrane(current, voltage, spikes)).axes[-1].lines) == 3
    many = drawn(membrane(*record(n=9)))
    assert len(many.axes) == 7
    assert "the first 6 of 9 neurons" in many.get_supxlabel()


def test_without_a_current_its_panel_is_left_out():
    (axes,) = drawn(membrane(None, *record()[1:])).axes
    assert axes.get_xlabel() == "time (ms)"


def test_a_prediction_and_the_rheobase_are_drawn():
    current, voltage, spikes = record()
    above, below = drawn(membrane(current, voltage, spikes, prediction=voltage + 1e-3, rheobase=0.2e-9)).axes
    np.testing.assert_allclose(lines(above)["theory"].get_ydata(), voltage[:, 0] * 1e3 + 1)
    assert below.lines[1].get_ydata()[0] == pytest.approx(0.2)


def test_of_a_noisy_current_the_mean_is_drawn_over_its_steps_and_sets_the_scale():
    rng = np.random.default_rng(0)
    clean = np.where(np.arange(5000) < 2500, 0.0, 0.3e-9)
    current = clean + rng.normal(0, 1e-9, 5000)
    rest = np.zeros(5000)
    options = {"title": "LIF", "v_threshold": -50e-3, "rheobase": 0.2e-9}
    below = drawn(plots.membrane(current, rest, rest, 1e-4, **options)).axes[-1]
    steps, mean, rheobase = below.lines
    assert mean.get_label() == "mean over 5 ms"
    assert steps.get_label() == f"in each step, up to {np.abs(current * 1e9 - mean.get_ydata()).max():.1f} nA off"
    assert steps.get_alpha() < 0.5
    np.testing.assert_allclose(mean.get_ydata()[200], current[175:225].mean() * 1e9, rtol=1e-6)
    np.testing.assert_allclose(mean.get_ydata()[0], current[:25].mean() * 1e9, rtol=1e-6)  # half of one at the ends
    (low, high), found = below.get_ylim(), mean.get_ydata()
    assert low < min(found.min(), 0.2)
    assert max(found.max(), 0.2) < high < current.max() * 1e9 / 2
    assert rheobase.get_zorder() > mean.get_zorder()
    two = drawn(
        plots.membrane(np.stack([clean, current], 1), np.zeros((5000, 2)), np.zeros((5000, 2)), 1e-4, **options)
    )
    assert list(two.axes[-1].get_legend_handles_labels()[1]) == ["neuron 1", "neuron 2, mean over 5 ms"]


@pytest.mark.parametrize(
    "kind",
    [
        "step",
        "ramp",
        "rounded ramp",
        "pulses",
        "pulses of a step",
        "sine",
        "slow sine",
        "ornstein-uhlenbeck",
        "nothing",
        "short noise",
    ],
)
def test_a_current_that_is_no_noise_is_drawn_as_it_is(kind):
    k, rng = np.arange(5000), np.random.default_rng(0)
    current = {
        "step": np.where(k < 2500, 0.0, 1.0),
        "ramp": k / 5000,
        "rounded ramp": np.round(k / 7000, 3),
        "pulses": np.where(k % 500 < 20, 1.0, 0.0),
        "pulses of a step": np.where(k % 500 == 0, 1.0, 0.0),
        "sine": np.sin(k / 100),
        "slow sine": np.sin(k / 1000),
        "ornstein-uhlenbeck": lfilter([1], [1, -np.exp(-0.02)], rng.standard_normal(5000)),
        "nothing": np.zeros(5000),
        "short noise": rng.standard_normal(150),
    }[kind]
    current = current * 1e-9
    figure = plots.membrane(current, 0 * current, 0 * current, 1e-4, title="LIF", v_threshold=-50e-3)
    (trace,) = drawn(figure).axes[-1].lines
    np.testing.assert_allclose(trace.get_ydata(), current * 1e9)
    assert figure.axes[-1].get_legend() is None


def test_a_long_voltage_is_thinned_but_keeps_its_extremes():
    voltage = np.random.default_rng(0).normal(-60e-3, 1e-3, 200_001)
    voltage[123_457] = -55e-3
    figure = membrane(np.zeros(200_001), voltage, np.zeros(200_001))
    drawn = figure.axes[0].lines[0]
    assert len(drawn.get_xdata()) < 10_000
    assert drawn.get_ydata().max() == pytest.approx(-55)
    assert drawn.get_xdata()[drawn.get_ydata().argmax()] == 123_457
    assert (np.diff(drawn.get_xdata()) > 0).all()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"voltage": np.zeros((3, 1))}, r"spikes must be \(3, 1\)"),
        ({"current": np.zeros(7)}, "current must be"),
        ({"dt": 0.0}, "dt must be above 0 seconds; received 0.0"),
        ({"prediction": np.zeros(3)}, "prediction must be"),
        ({"names": ["a", "b"]}, "1 names"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(broken, words):
    current, voltage, spikes = record()
    given = {"current": current, "voltage": voltage, "spikes": spikes, "dt": 1e-3} | broken
    with pytest.raises(ValueError, match=words):
        plots.membrane(**given, title="x", v_threshold=-50e-3)


# frequency_current


def test_dots_are_the_simulation_and_lines_the_theory():
    currents = np.array([0.0, 0.5e-9, 1e-9])
    fine = np.array([0.0, 1e-9])
    figure = plots.frequency_current(
        currents, [0, 20, 80], title="f-I", theory={"formula": (fine, [0, 81])}, rheobase=0.2e-9, limit=100
    )
    axes = drawn(figure).axes[0]
    np.testing.assert_allclose(lines(axes)["simulated"].get_xydata(), [[0, 0], [0.5, 20], [1, 80]])
    assert lines(axes)["simulated"].get_linestyle() == "None"
    np.testing.assert_allclose(lines(axes)["formula"].get_xydata(), [[0, 0], [1, 81]])
    assert lines(axes)["rheobase"].get_xdata()[0] == pytest.approx(0.2)
    assert lines(axes)["1 / refractory period"].get_ydata()[0] == 100


def test_a_level_of_noise_has_one_colour_for_simulation_and_theory():
    rates = {"no noise": [0, 1], "noise": [2, 3]}
    axes = drawn(plots.frequency_current([0, 1e-9], rates, title="f-I", theory=rates)).axes[0]
    found = lines(axes)
    assert found["noise, simulated"].get_color() == found["noise, theory"].get_color()
    assert found["noise, simulated"].get_color() != found["no noise, simulated"].get_color()


def test_a_limit_that_the_curve_never_comes_near_is_not_drawn():
    axes = plots.frequency_current([0, 1e-9], [0, 10], title="f-I", limit=500).axes[0]
    assert "1 / refractory period" not in lines(axes)


@pytest.mark.parametrize("rates", [[1.0], [1.0, -2.0], [1.0, np.nan], {"a": [[1.0, 2.0]]}])
def test_rates_that_are_none_are_refused(rates):
    with pytest.raises(ValueError, match="rates"):
        plots.frequency_current([0, 1e-9], rates, title="x")


# intervals


def test_intervals_and_cvs_are_counted_and_their_means_written():
    figure = drawn(plots.intervals([0.01, 0.02, 0.03], [0.5, 0.7, np.nan], title="net"))
    assert figure.axes[0].get_title() == "mean 20 ms"
    assert figure.axes[1].get_title() == "mean CV 0.60"
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 2
    drawn(plots.intervals([0.01, 0.01], [0.0, 0.0], title="a clock"))  # a histogram of no width


def test_the_bar_of_clocks_can_be_seen():
    cvs = np.abs(np.random.default_rng(0).normal(0, 1e-4, 500))
    axes = drawn(plots.intervals([0.01, 0.02], cvs, title="net")).axes[1]
    first = axes.patches[0]
    assert (first.get_x(), first.get_height()) == pytest.approx((0, 500))
    low, high = axes.get_xlim()
    assert first.get_width() > 0.02 * (high - low)


def test_of_many_intervals_the_longest_are_left_out_and_it_says_so():
    few = drawn(plots.intervals([0.01, 0.02, 0.03], title="net")).axes[0]
    assert sum(bar.get_height() for bar in few.patches) == 3
    assert few.get_xlabel() == "interval (ms)"
    many = drawn(plots.intervals([*np.linspace(0.01, 0.02, 998), 5.0, 6.0], title="net")).axes[0]
    assert sum(bar.get_height() for bar in many.patches) == 996
    assert many.get_xlabel() == "interval (ms); 4 longer ones not drawn"
    assert many.get_xlim()[1] < 30


def test_intervals_that_are_none_are_refused():
    for values in ([], [0.1, 0.0], [np.nan]):
        with pytest.raises(ValueError, match="interval"):
            plots.intervals(values, title="x")
    with pytest.raises(ValueError, match="three spikes"):
        plots.intervals([0.1], [np.nan], title="x")
