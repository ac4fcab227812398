"""The figures of spiking neurons show the numbers that they were given, in the field's units, and refuse the rest."""

import numpy as np
import pytest

from kzoo import plots
from kzoo.plots import spiking_networks
from kzoo.plots.style import BLUE, VERMILLION


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def draw(figure):
    """Runs the whole layout; a warning of it fails a test."""
    figure.draw_without_rendering()
    return figure


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
    above, below = draw(membrane(current, voltage, spikes, v_rest=-70e-3)).axes
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
    figure = draw(membrane(current[:, 0], voltage, spikes))
    assert len(figure.axes) == 4
    assert figure.axes[1].get_title(loc="left") == "neuron 2: 0 spikes in 40 ms"
    assert len(figure.axes[-1].lines) == 1
    assert len(draw(membrane(current, voltage, spikes)).axes[-1].lines) == 3
    many = draw(membrane(*record(n=9)))
    assert len(many.axes) == 7
    assert "the first 6 of 9 neurons" in many.get_supxlabel()


def test_without_a_current_its_panel_is_left_out():
    (axes,) = draw(membrane(None, *record()[1:])).axes
    assert axes.get_xlabel() == "time (ms)"


def test_a_prediction_and_the_rheobase_are_drawn():
    current, voltage, spikes = record()
    above, below = draw(membrane(current, voltage, spikes, prediction=voltage + 1e-3, rheobase=0.2e-9)).axes
    np.testing.assert_allclose(lines(above)["theory"].get_ydata(), voltage[:, 0] * 1e3 + 1)
    assert below.lines[1].get_ydata()[0] == pytest.approx(0.2)


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
    axes = draw(figure).axes[0]
    np.testing.assert_allclose(lines(axes)["simulated"].get_xydata(), [[0, 0], [0.5, 20], [1, 80]])
    assert lines(axes)["simulated"].get_linestyle() == "None"
    np.testing.assert_allclose(lines(axes)["formula"].get_xydata(), [[0, 0], [1, 81]])
    assert lines(axes)["rheobase"].get_xdata()[0] == pytest.approx(0.2)
    assert lines(axes)["1 / refractory period"].get_ydata()[0] == 100


def test_a_level_of_noise_has_one_colour_for_simulation_and_theory():
    rates = {"no noise": [0, 1], "noise": [2, 3]}
    axes = draw(plots.frequency_current([0, 1e-9], rates, title="f-I", theory=rates)).axes[0]
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


# raster

GROUPS = {"excitatory": (0, 80), "inhibitory": slice(80, 100)}


def test_a_raster_has_a_dot_for_each_spike_and_the_rate_of_each_group():
    times = [0.0105, 0.0105, 0.0205, 0.0205]
    figure = plots.raster(times, [3, 4, 5, 99], 100, 0.04, title="net", groups=GROUPS, bin_width=0.01, theory=2.0)
    dots, below = draw(figure).axes
    excitatory, inhibitory = dots.lines
    np.testing.assert_allclose(excitatory.get_xydata(), [[10.5, 3], [10.5, 4], [20.5, 5]])
    np.testing.assert_allclose(inhibitory.get_xydata(), [[20.5, 99]])
    assert (excitatory.get_color(), inhibitory.get_color()) == (BLUE, VERMILLION)
    np.testing.assert_allclose(below.patches[0].get_data().values, [0, 2.5, 1.25, 0])  # 2 spikes / 80 / 10 ms
    np.testing.assert_allclose(below.patches[1].get_data().values, [0, 0, 5, 0])
    assert "mean rate 1 Hz" in figure.get_suptitle()  # 4 / 100 / 40 ms
    assert dots.get_ylabel() == "neuron"


def test_a_crowded_raster_leaves_out_whole_neurons_evenly_says_so_and_counts_all():
    rng = np.random.default_rng(0)
    times, neurons = rng.random(30_000), rng.integers(0, 1000, 30_000)
    groups = {"excitatory": (0, 800), "inhibitory": (800, 1000)}
    figure = plots.raster(times, neurons, 1000, 1.0, title="net", groups=groups, max_dots=5000)
    dots, below = draw(figure).axes
    drawn = np.concatenate([line.get_ydata() for line in dots.lines])
    assert 3000 < len(drawn) <= 5000
    kept, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(counts, np.bincount(neurons, minlength=1000)[kept])  # whole trains
    every = kept[1] - kept[0]
    assert dots.get_ylabel() == f"neuron (every {every}th drawn)"
    assert {int(kept[kept < 800][-1] - kept[kept < 800][-2]), int(kept[-1] - kept[-2])} == {every}
    total = sum((patch.get_data().values * size).sum() for patch, size in zip(below.patches, (800, 200), strict=True))
    assert total * 1e-3 == pytest.approx(30_000)


def test_one_neuron_that_fires_more_than_all_dots_is_still_drawn():
    figure = plots.raster(np.linspace(0, 1, 500), np.zeros(500, int), 3, 1.0, title="net", max_dots=100)
    assert len(draw(figure).axes[0].lines[0].get_xdata()) == 500


def test_a_raster_may_begin_after_the_onset():
    figure = plots.raster([0.01, 0.3, 0.4], [0, 1, 1], 2, 0.5, title="net", start=0.25)
    assert len(figure.axes[0].lines[0].get_xdata()) == 2
    assert "mean rate 4 Hz" in figure.get_suptitle()  # 2 spikes / 2 neurons / 0.25 s


def test_a_silent_network_is_drawn():
    draw(plots.raster([], [], 10, 0.5, title="silent", groups={"inhibitory": (0, 10)}))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"neurons": [10]}, "neurons must be 0 to 9; received 10"),
        ({"times": [0.6]}, "from 0 to 0.5 s"),
        ({"times": [0.1, 0.2]}, "one each a spike"),
        ({"duration": np.nan}, "duration must be above 0"),
        ({"size": 0}, "at least 1"),
        ({"bin_width": 0}, "bin_width"),
        ({"start": 0.5}, "start must lie"),
        ({"groups": {"excitatory": (0, 11)}}, "within 0 to 10"),
    ],
)
def test_spikes_that_do_not_fit_are_refused(broken, words):
    given = {"times": [0.1], "neurons": [0], "size": 10, "duration": 0.5} | broken
    with pytest.raises(ValueError, match=words):
        plots.raster(**given, title="x")


# intervals and spectrum


def test_intervals_and_cvs_are_counted_and_their_means_written():
    figure = draw(plots.intervals([0.01, 0.02, 0.03], [0.5, 0.7, np.nan], title="net"))
    assert figure.axes[0].get_title() == "mean 20 ms"
    assert figure.axes[1].get_title() == "mean CV 0.60"
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 2
    draw(plots.intervals([0.01, 0.01], [0.0, 0.0], title="a clock"))  # a histogram of no width


def test_intervals_that_are_none_are_refused():
    for values in ([], [0.1, 0.0], [np.nan]):
        with pytest.raises(ValueError, match="interval"):
            plots.intervals(values, title="x")
    with pytest.raises(ValueError, match="three spikes"):
        plots.intervals([0.1], [np.nan], title="x")


def test_the_peak_of_a_spectrum_is_named_and_the_mean_is_no_peak():
    frequencies = np.arange(0, 600, 10.0)
    power = np.ones(60)
    power[0], power[18], power[55] = 1e6, 50.0, 1e3  # the mean, 180 Hz, 550 Hz
    axes = draw(plots.spectrum(frequencies, power, title="net")).axes[0]
    assert "peak at 180 Hz" in lines(axes)
    assert axes.get_yscale() == "log"
    assert "peak at 550 Hz" in lines(plots.spectrum(frequencies, power, title="net", highest=600).axes[0])
    two = plots.spectrum(frequencies, {"excitatory": power, "inhibitory": power}, title="net")
    assert lines(two.axes[0])["inhibitory, peak at 180 Hz"].get_color() == VERMILLION
    with pytest.raises(ValueError, match="no frequency"):
        plots.spectrum(frequencies, power, title="x", highest=5)


# graded and regimes


def test_a_graded_network_shows_its_voltages_where_they_rest_and_which_eigenvalues_run_away():
    voltages = np.array([[-70e-3, -60e-3], [-65e-3, -62e-3]])
    figure = plots.graded(
        [0, 1e-3], voltages, title="graded", fixed_point=[-64e-3, -63e-3], exact=voltages, eigenvalues=[0.5, 1.2]
    )
    axes, plane = draw(figure).axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[0, -70], [1, -65]])
    dashed = [line.get_ydata() for line in axes.lines if line.get_linestyle() == "--"]
    assert [y[0] for y in dashed if len(y)] == pytest.approx([-64, -63])
    assert plane.get_title() == "Eigenvalues of W: runs away"
    np.testing.assert_allclose(lines_with(plane, "X"), [[1.2, 0]])
    np.testing.assert_allclose(lines_with(plane, "o"), [[0.5, 0]])
    assert plots.graded([0.0], voltages[:1], title="x", eigenvalues=[0.9j]).axes[1].get_title().endswith("stable")


def lines_with(axes, shape):
    return next(line.get_xydata() for line in axes.lines if line.get_marker() == shape)


@pytest.mark.parametrize(
    "broken", [{"times": [0.0]}, {"fixed_point": [0.0]}, {"exact": np.zeros((3, 2))}, {"voltages": np.zeros((2, 0))}]
)
def test_a_graded_record_that_does_not_fit_is_refused(broken):
    given = {"times": [0.0, 1.0], "voltages": np.zeros((2, 2))} | broken
    with pytest.raises(ValueError, match="received"):
        plots.graded(**given, title="x")


def test_the_plane_of_regimes_marks_its_points_the_balance_and_the_threshold():
    points = {"A": (3, 2), "D": (4.5, 0.9)}
    rates = np.array([[np.nan, 5.0], [300.0, 40.0]])
    figure = plots.regimes(points, title="Brunel", rates=rates, g=[3, 6], eta=[1, 2], measured={"A": "307 Hz"})
    axes = draw(figure).axes[0]
    assert axes.lines[0].get_xdata()[0] == 4
    assert axes.lines[1].get_ydata()[0] == 1
    np.testing.assert_allclose(axes.lines[2].get_xydata(), [[3, 2]])
    assert {"A", "D", "307 Hz"} <= {text.get_text() for text in axes.texts}
    np.testing.assert_allclose(axes.collections[0].get_array().compressed(), [5, 300, 40])
    draw(plots.regimes(points, title="Brunel"))
    with pytest.raises(ValueError, match="rows of eta"):
        plots.regimes(points, title="x", rates=rates, g=[3], eta=[1, 2])
    with pytest.raises(ValueError, match="at least one"):
        plots.regimes({}, title="x")


# spiking_layers


def test_a_classifier_is_shown_layer_by_layer_and_its_answer_named():
    hidden = np.zeros((5, 20))
    hidden[[1, 3], [4, 7]] = 1
    readout = np.zeros((5, 3))
    readout[-1] = [0.1, 0.9, 0.3]
    layers = {"encoder": np.ones((5, 8), bool), "hidden": hidden}
    figure = plots.spiking_layers(
        layers, readout, title="snn", image=np.zeros((8, 8, 1)), class_names=["a", "b", "c"], target=2
    )
    first, second, last, picture = draw(figure).axes
    np.testing.assert_allclose(second.lines[0].get_xydata(), [[1, 4], [3, 7]])
    assert len(first.lines[0].get_xdata()) == 40
    assert last.get_title(loc="left") == "answer b, wrong: it is c"
    assert second.get_title(loc="right") == "2.0 % of units a step"
    assert picture.get_xlabel() == "class c"
    right = plots.spiking_layers(layers, readout, title="snn", target=1)
    assert right.axes[-1].get_title(loc="left") == "answer 1, right"


@pytest.mark.parametrize("apart", [0, 0.01, 0.1, 0.2, 0.35, 0.4, 0.9])
@pytest.mark.parametrize("target", [0, 2])
def test_answer_and_target_are_named_beside_each_other(apart, target):
    readout = np.zeros((5, 3))
    readout[-1] = [1 - apart, -0.1, 1 - apart]
    readout[-1, 2 - target] = 1 + 1e-9
    layers = {name: np.ones((5, 8)) for name in ("encoder", "hidden")}
    figure = draw(plots.spiking_layers(layers, readout, title="snn", image=np.zeros((8, 8)), target=target))
    answer, right = figure.axes[2].texts
    assert (answer.get_text(), right.get_text()) == (f" {2 - target}", f" {target}")
    boxes = [text.get_window_extent() for text in (answer, right)]
    assert boxes[0].y0 >= boxes[1].y1
    assert (answer.get_va() == "center") == (apart > 0.36)  # of a panel 1.21 high, 0.3


def test_of_a_wide_layer_some_units_are_drawn_and_it_says_so():
    figure = plots.spiking_layers({"input": np.ones((2, 1000))}, title="snn", max_units=100)
    assert figure.axes[0].get_ylabel() == "input\n(100 of 1,000)"
    assert len(figure.axes[0].lines[0].get_xdata()) == 200


@pytest.mark.parametrize(
    "broken", [{"layers": {}}, {"layers": {"a": np.zeros(3)}}, {"readout": np.zeros((4, 2))}, {"class_names": ["a"]}]
)
def test_layers_that_do_not_fit_are_refused(broken):
    given = {"layers": {"a": np.zeros((3, 2))}, "readout": np.zeros((3, 2))} | broken
    with pytest.raises(ValueError, match="received"):
        plots.spiking_layers(**given, title="x")


def test_ordinals_are_spelled_as_they_are_spoken():
    assert [spiking_networks._ordinal(n) for n in (2, 3, 11, 21, 17)] == ["2nd", "3rd", "11th", "21st", "17th"]
