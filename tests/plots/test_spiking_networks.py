"""The figures of spiking networks: rasters, rates and their spectrum."""

import numpy as np
import pytest

from kzoo import plots
from kzoo.plots import spiking_networks
from kzoo.plots.style import BLUE, VERMILLION

from .conftest import drawn, lines

GROUPS = {"excitatory": (0, 80), "inhibitory": slice(80, 100)}


# raster


def test_a_raster_has_a_dot_for_each_spike_and_the_rate_of_each_group():
    times = [0.0105, 0.0105, 0.0205, 0.0205]
    figure = plots.raster(times, [3, 4, 5, 99], 100, 0.04, title="net", groups=GROUPS, bin_width=0.01, theory=2.0)
    dots, below = drawn(figure).axes
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
    dots, below = drawn(figure).axes
    shown = np.concatenate([line.get_ydata() for line in dots.lines])
    assert 3000 < len(shown) <= 5000
    kept, counts = np.unique(shown, return_counts=True)
    np.testing.assert_array_equal(counts, np.bincount(neurons, minlength=1000)[kept])  # whole trains
    every = kept[1] - kept[0]
    assert dots.get_ylabel() == f"neuron (every {every}th drawn)"
    assert {int(kept[kept < 800][-1] - kept[kept < 800][-2]), int(kept[-1] - kept[-2])} == {every}
    total = sum((patch.get_data().values * size).sum() for patch, size in zip(below.patches, (800, 200), strict=True))
    assert total * 1e-3 == pytest.approx(30_000)


def test_one_neuron_that_fires_more_than_all_dots_is_still_drawn():
    figure = plots.raster(np.linspace(0, 1, 500), np.zeros(500, int), 3, 1.0, title="net", max_dots=100)
    assert len(drawn(figure).axes[0].lines[0].get_xdata()) == 500


def test_a_raster_may_begin_after_the_onset():
    figure = plots.raster([0.01, 0.3, 0.4], [0, 1, 1], 2, 0.5, title="net", start=0.25)
    assert len(figure.axes[0].lines[0].get_xdata()) == 2
    assert "mean rate 4 Hz" in figure.get_suptitle()  # 2 spikes / 2 neurons / 0.25 s


def test_a_silent_network_is_drawn():
    drawn(plots.raster([], [], 10, 0.5, title="silent", groups={"inhibitory": (0, 10)}))


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


# spectrum


def test_the_peak_of_a_spectrum_is_named_and_the_mean_is_no_peak():
    frequencies = np.arange(0, 600, 10.0)
    power = np.ones(60)
    power[0], power[18], power[55] = 1e6, 50.0, 1e3  # the mean, 180 Hz, 550 Hz
    axes = drawn(plots.spectrum(frequencies, power, title="net")).axes[0]
    assert "peak at 180 Hz" in lines(axes)
    assert axes.get_yscale() == "log"
    assert "peak at 550 Hz" in lines(plots.spectrum(frequencies, power, title="net", highest=600).axes[0])
    two = plots.spectrum(frequencies, {"excitatory": power, "inhibitory": power}, title="net")
    assert lines(two.axes[0])["inhibitory, peak at 180 Hz"].get_color() == VERMILLION
    with pytest.raises(ValueError, match="no frequency"):
        plots.spectrum(frequencies, power, title="x", highest=5)


def test_ordinals_are_spelled_as_they_are_spoken():
    assert [spiking_networks._ordinal(n) for n in (2, 3, 11, 21, 17)] == ["2nd", "3rd", "11th", "21st", "17th"]
