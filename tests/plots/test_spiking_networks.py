"""The figures of spiking networks: rasters, rates and their spectrum."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from kzoo import plots
from kzoo.plots import spiking_networks
from kzoo.plots.style import BLUE, VERMILLION

from .conftest import drawn, lines

GROUPS = {"excitatory": (0, 80), "inhibitory": slice(80, 100)}


def spikes(strokes):
    """(s, 2) times in ms and neurons of the strokes of a group."""
    return np.array(strokes.get_segments()).mean(axis=1)


def height(strokes):
    (low, high) = strokes.get_segments()[0][:, 1]
    return high - low


def shade(strokes):
    return to_hex(strokes.get_color()[0]).upper()


# raster


def test_a_raster_has_a_dot_for_each_spike_and_the_rate_of_each_group():
    times = [0.0105, 0.0105, 0.0205, 0.0205]
    figure = plots.raster(times, [3, 4, 5, 99], 100, 0.04, title="net", groups=GROUPS, bin_width=0.01, theory=2.0)
    dots, below = drawn(figure).axes
    excitatory, inhibitory = dots.collections
    np.testing.assert_allclose(spikes(excitatory), [[10.5, 3], [10.5, 4], [20.5, 5]])
    np.testing.assert_allclose(spikes(inhibitory), [[20.5, 99]])
    assert (shade(excitatory), shade(inhibitory)) == (BLUE, VERMILLION)
    np.testing.assert_allclose(below.patches[0].get_data().values, [0, 2.5, 1.25, 0])  # 2 spikes / 80 / 10 ms
    np.testing.assert_allclose(below.patches[1].get_data().values, [0, 0, 5, 0])
    assert below.patches[0].get_zorder() > below.patches[1].get_zorder()  # the larger group is the smoother
    assert "mean rate 1 Hz" in figure.get_suptitle()  # 4 / 100 / 40 ms
    assert dots.get_ylabel() == "neuron"


def test_the_first_neuron_stands_on_top():
    """As in the film."""
    dots = plots.raster([0.01], [0], 1000, 0.1, title="net").axes[0]
    assert dots.yaxis_inverted()
    (bottom, top), tall = dots.get_ylim(), height(dots.collections[0])
    assert top <= -tall / 2
    assert bottom >= 999 + tall / 2
    assert tall == 1000 / 160  # however many neurons there are, a stroke can be seen


def test_what_was_measured_stands_below_the_title_in_place_of_the_rate():
    title = "a network with a long name, " * 5
    figure = drawn(plots.raster([0.01], [0], 10, 0.1, title=f"{title}\nC", measured="CV 0.39"))
    lines = figure.get_suptitle().split("\n")
    assert lines[-2:] == ["C", "CV 0.39"]
    assert " ".join(lines[:-2]) == title.strip()
    box = figure._suptitle.get_window_extent()
    assert 0 <= box.x0 <= box.x1 <= figure.bbox.width


def test_a_crowded_raster_leaves_out_whole_neurons_evenly_says_so_and_counts_all():
    rng = np.random.default_rng(0)
    times, neurons = rng.random(30_000), rng.integers(0, 1000, 30_000)
    groups = {"excitatory": (0, 800), "inhibitory": (800, 1000)}
    figure = plots.raster(times, neurons, 1000, 1.0, title="net", groups=groups, max_dots=3000)
    dots, below = drawn(figure).axes
    shown = np.concatenate([spikes(group)[:, 1] for group in dots.collections]).astype(int)
    assert 2000 < len(shown) <= 3000
    kept, counts = np.unique(shown, return_counts=True)
    np.testing.assert_array_equal(counts, np.bincount(neurons, minlength=1000)[kept])  # whole trains
    every = kept[1] - kept[0]
    assert dots.get_ylabel() == f"neuron (every {every}th drawn)"
    assert height(dots.collections[0]) == pytest.approx(every)  # what fires together stands as one line
    assert {int(kept[kept < 800][-1] - kept[kept < 800][-2]), int(kept[-1] - kept[-2])} == {every}
    total = sum((patch.get_data().values * size).sum() for patch, size in zip(below.patches, (800, 200), strict=True))
    assert total * 1e-3 == pytest.approx(30_000)


def test_one_neuron_that_fires_more_than_all_dots_is_still_drawn():
    figure = plots.raster(np.linspace(0, 1, 500), np.zeros(500, int), 3, 1.0, title="net", max_dots=100)
    assert len(drawn(figure).axes[0].collections[0].get_segments()) == 500


def test_a_raster_may_begin_after_the_onset():
    figure = plots.raster([0.01, 0.3, 0.4], [0, 1, 1], 2, 0.5, title="net", start=0.25)
    assert len(figure.axes[0].collections[0].get_segments()) == 2
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


def test_a_spectrum_marks_the_rhythm_that_it_was_told():
    frequencies = np.arange(0, 600, 10.0)
    power = np.ones(60)
    power[0], power[1], power[18] = 1e6, 1e3, 50.0  # the mean, a drift, 180 Hz
    axes = drawn(plots.spectrum(frequencies, power, title="net", rhythm=180.0)).axes[0]
    trace, mark = axes.lines
    np.testing.assert_allclose(mark.get_xydata(), [[180, 50]])
    assert axes.get_legend().texts[0].get_text() == "rhythm of 180 Hz"
    assert axes.get_yscale() == "log"
    np.testing.assert_allclose(trace.get_xdata(), np.arange(10, 501, 10))
    two = {"excitatory": power, "inhibitory": power}
    found = drawn(plots.spectrum(frequencies, two, title="net", rhythm={"inhibitory": 180.0})).axes[0]
    assert lines(found)["inhibitory, rhythm of 180 Hz"].get_color() == VERMILLION
    assert lines(found)["excitatory"].get_color() == BLUE
    assert len(found.lines) == 3


def test_a_spectrum_without_a_rhythm_says_so_and_marks_none():
    frequencies, power = np.arange(10.0), np.ones(10)
    none = drawn(plots.spectrum(frequencies, power, title="net", rhythm=np.nan)).axes[0]
    assert none.get_legend().texts[0].get_text() == "no rhythm stands out"
    assert len(none.lines) == 1
    silent = drawn(plots.spectrum(frequencies, power, title="net")).axes[0]
    assert silent.get_legend() is None
    assert len(silent.lines) == 1


def test_a_spectrum_of_no_frequency_and_a_rhythm_outside_of_it_are_refused():
    with pytest.raises(ValueError, match="no frequency"):
        plots.spectrum([0.0, 10.0], [1.0, 1.0], title="x", highest=5)
    with pytest.raises(ValueError, match="rhythm must lie above 0 and up to highest, 5 Hz; received 8 Hz"):
        plots.spectrum(np.arange(10.0), np.ones(10), title="x", highest=5, rhythm=8.0)


def test_ordinals_are_spelled_as_they_are_spoken():
    assert [spiking_networks._ordinal(n) for n in (2, 3, 11, 21, 17)] == ["2nd", "3rd", "11th", "21st", "17th"]
