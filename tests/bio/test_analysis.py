import numpy as np
import pytest
from scipy import signal

from kzoo.bio import LIF, Raster, analysis, simulate
from kzoo.errors import ParameterError

DT = 1e-4


def raster(spikes, size=None, duration=None):
    """A raster from (step, neuron) pairs."""
    steps, neurons = np.array(sorted(spikes), int).reshape(-1, 2).T
    size = size or neurons.max() + 1
    return Raster(steps * DT, neurons, size, {}, duration or (steps.max() + 1) * DT, DT, "numpy")


def dense(counts):
    """A raster from a (t, n) array of 0 and 1."""
    steps, neurons = np.nonzero(counts)
    return Raster(steps * DT, neurons, counts.shape[1], {}, len(counts) * DT, DT, "numpy")


def poisson(rate, seconds, neurons, seed=0):
    return dense(np.random.default_rng(seed).random((round(seconds / DT), neurons)) < rate * DT)


def test_rates_count_the_spikes_of_each_neuron_in_a_window():
    spikes = raster([(0, 0), (100, 0), (5000, 0), (9999, 2)], size=4, duration=1.0)
    assert analysis.rates(spikes).tolist() == [3, 0, 1, 0]
    assert analysis.rates(spikes, start=0.01).tolist() == pytest.approx([2 / 0.99, 0, 1 / 0.99, 0])
    assert analysis.rates(spikes, start=0.01, stop=0.5).tolist() == pytest.approx([1 / 0.49, 0, 0, 0])


def test_intervals_are_those_of_each_neuron_and_never_between_two():
    gaps, owners = analysis.intervals(raster([(0, 1), (10, 0), (30, 1), (40, 0), (45, 1), (50, 2)]))
    np.testing.assert_allclose(gaps, [30 * DT, 30 * DT, 15 * DT])
    assert owners.tolist() == [0, 1, 1]
    gaps, _ = analysis.intervals(raster([(0, 1), (30, 1), (45, 1)]), start=10 * DT)
    np.testing.assert_allclose(gaps, [15 * DT])


def test_the_variation_of_a_clock_is_zero_and_that_of_two_intervals_is_by_hand():
    spikes = raster(
        [(k * 100, 0) for k in range(10)] + [(0, 1), (100, 1), (400, 1), (500, 1), (0, 2), (900, 2)], size=4
    )
    clock, uneven, few, silent = analysis.cv(spikes)
    assert clock == pytest.approx(0, abs=1e-12)
    assert uneven == pytest.approx(np.std([100, 300, 100]) / np.mean([100, 300, 100]))
    assert np.isnan([few, silent]).all()


def test_the_variation_of_a_poisson_process_is_one():
    # A rate of 50 Hz in steps of 0.1 ms: intervals are geometric, with the variation √(1 - rate dt).
    found = analysis.cv(poisson(50, 20, 50))
    assert found.mean() == pytest.approx(np.sqrt(1 - 50 * DT), abs=5 * found.std() / np.sqrt(50) + 1 / 1000)
    assert found.std() < 0.06


def test_a_mean_variation_says_of_how_many_neurons_and_is_unknown_of_few_intervals():
    clocks = [(k * 100, n) for n in range(3) for k in range(11)]
    assert analysis.mean_cv(raster([*clocks, (0, 3)], size=6)) == (pytest.approx(0, abs=1e-12), 3)
    late = analysis.mean_cv(raster(clocks), start=100 * DT)  # 9 intervals
    assert np.isnan(late[0])
    assert late[1] == 3
    found, neurons = analysis.mean_cv(raster(clocks), start=100 * DT, enough=9)
    assert (found, neurons) == (pytest.approx(0, abs=1e-12), 3)
    # Five fire once: most of those that fire have no intervals, and the three quick ones are no sample.
    assert np.isnan(analysis.mean_cv(raster([*clocks, *((0, n) for n in range(3, 8))]))[0])
    assert np.isnan(analysis.mean_cv(poisson(50, 0.1, 500))[0])
    assert analysis.mean_cv(poisson(50, 0.6, 500))[0] == pytest.approx(0.95, abs=0.02)


def test_the_rate_of_a_population_is_a_neurons_in_each_bin():
    spikes = raster([(0, 0), (9, 1), (10, 0), (29, 0), (30, 1), (31, 1), (34, 0)], size=2, duration=35 * DT)
    middles, rate = analysis.population_rate(spikes, bin=1e-3)
    np.testing.assert_allclose(middles, [0.5e-3, 1.5e-3, 2.5e-3])
    np.testing.assert_allclose(rate, [1000, 500, 500])  # the last half bin is dropped
    _, fine = analysis.population_rate(spikes, bin=1e-9)  # one step at least
    assert len(fine) == 35


def test_a_spectrum_is_that_of_welch_and_its_sum_the_variance():
    rng = np.random.default_rng(0)
    for length in (4000, 4001):
        t = np.arange(length) * 1e-3
        rate = 30 + 10 * np.sin(2 * np.pi * 80 * t) + 5 * rng.standard_normal(length)
        for segment in (1000, 501):
            frequencies, power = analysis.spectrum(rate, 1e-3, segment * 1e-3)
            options = {"window": "hann", "nperseg": segment, "noverlap": segment - segment // 2, "detrend": False}
            expected = signal.welch(rate - rate.mean(), 1e3, **options)
            np.testing.assert_allclose(frequencies, expected[0])
            np.testing.assert_allclose(power, expected[1], rtol=1e-10, atol=1e-15)
            assert power.sum() * frequencies[1] == pytest.approx(rate.var(), rel=0.03)
            assert frequencies[power.argmax()] == pytest.approx(80, abs=frequencies[1] / 2)


def test_the_spectrum_of_poisson_spikes_is_flat_at_twice_their_rate():
    spikes = poisson(40, 20, 50)
    _, rate = analysis.population_rate(spikes, 1e-3)
    _, power = analysis.spectrum(rate, 1e-3, 0.25)
    assert power[2:].mean() == pytest.approx(2 * 40 / 50, rel=0.05)


def modulated(rng, depth, frequency, seconds=0.4, bin=5e-4):
    """The rate of 1,000 Poisson neurons of 20 Hz with a rhythm: ten spikes a bin."""
    t = np.arange(round(seconds / bin)) * bin
    return rng.poisson(10 * (1 + depth * np.sin(2 * np.pi * (frequency * t + rng.random()))))


@pytest.mark.parametrize("frequency", [20, 40, 150])
def test_a_rhythm_is_found_where_it_is(frequency):
    rng = np.random.default_rng(3)
    found = np.array([analysis.rhythm(modulated(rng, 0.2, frequency), 5e-4, 0.2) for _ in range(50)])
    assert (np.abs(found - frequency) < 6).sum() >= 48  # segments of 0.2 s tell 5 Hz apart


@pytest.mark.parametrize(("segment", "bin"), [(0.2, 1e-4), (0.1, 5e-4), (0.4, 1e-3)])
def test_poisson_spikes_have_a_rhythm_as_rarely_as_promised(segment, bin):
    rng = np.random.default_rng(4)
    found = [analysis.rhythm(rng.poisson(5.0, round(0.4 / bin)), bin, segment) for _ in range(400)]
    assert np.isfinite(found).mean() <= 0.045


def test_neither_a_slope_nor_a_drift_nor_silence_is_a_rhythm():
    rng = np.random.default_rng(5)
    walks = signal.lfilter([1], [1, -0.98], rng.standard_normal((100, 2000)))  # falls with the square of f from 3 Hz on
    assert np.isfinite([analysis.rhythm(walk, 1e-3, 0.5) for walk in walks]).mean() <= 0.04
    slow = modulated(rng, 0.5, 10, seconds=2.0)  # two periods a segment
    assert np.isnan(analysis.rhythm(slow, 5e-4, 0.2))
    assert analysis.rhythm(slow, 5e-4, 0.5) == 10
    assert np.isnan(analysis.rhythm(np.zeros(800)))
    assert np.isnan(analysis.rhythm([1.0, 2, 3, 4, 4, 3, 2, 1]))


def volleys(rng, frequency, width, seconds=0.4, bin=1e-4):
    """The count of 1,000 neurons that fire in narrow volleys, and of few spikes between."""
    centers = np.arange(rng.random() / frequency, seconds, 1 / frequency)
    times = centers[:, None] + width * rng.standard_normal((len(centers), 1000))
    count = round(seconds / bin)
    return np.histogram(times, np.arange(count + 1) * bin)[0] + rng.poisson(0.2, count)


@pytest.mark.parametrize("frequency", [20, 30, 60])
@pytest.mark.parametrize("width", [3e-4, 1e-3, 3e-3])
def test_volleys_have_their_own_rhythm_and_not_none_or_that_of_a_harmonic(frequency, width):
    rng = np.random.default_rng(7)
    found = np.array([analysis.rhythm(volleys(rng, frequency, width), 1e-4, 0.2) for _ in range(10)])
    assert (np.abs(found - frequency) < 6).all()


def test_of_two_groups_by_turns_the_rhythm_is_that_of_all_volleys_and_lies_beyond_500_hz():
    steps = np.arange(4000)
    rate = 2720 * (steps % 32 == 0) + 2277 * (steps % 32 == 16)  # as in Brunel's regime A, every 1.6 ms one of the two
    assert analysis.rhythm(rate, 1e-4, 0.2) == 625
    assert analysis.rhythm(rate, 1e-4, 0.2, highest=500) == pytest.approx(312.5, abs=2.5)


def test_what_carries_no_fiftieth_of_the_power_is_no_rhythm():
    t = np.arange(4000) * 1e-4
    drift = signal.lfilter([1], [1, -0.999], np.random.default_rng(9).standard_normal(4000))
    assert np.isnan(analysis.rhythm(drift, 1e-4, 0.2))
    assert np.isnan(analysis.rhythm(drift + 0.5 * np.sin(2 * np.pi * 700 * t), 1e-4, 0.2))
    assert analysis.rhythm(drift + 10 * np.sin(2 * np.pi * 700 * t), 1e-4, 0.2) == 700


def test_of_several_rhythms_the_strongest_up_to_the_limit_is_told():
    t = np.arange(2000) * 5e-4
    rate = 50 + 30 * np.sin(2 * np.pi * 300 * t) + 10 * np.sin(2 * np.pi * 50 * t)
    rate += np.random.default_rng(6).standard_normal(2000)
    assert analysis.rhythm(rate, 5e-4, 0.2) == 300
    assert analysis.rhythm(rate, 5e-4, 0.2, highest=200) == 50


def test_synchrony_runs_from_one_over_the_root_of_the_size_to_one():
    once = np.random.default_rng(1).random((20_000, 1)) < 0.01
    assert analysis.synchrony(dense(np.repeat(once, 40, 1))) == pytest.approx(1)
    assert analysis.synchrony(poisson(60, 5, 100)) == pytest.approx(0.1, abs=0.01)
    assert np.isnan(analysis.synchrony(raster([], size=3, duration=0.1)))


def test_synchrony_is_that_of_the_whole_table_of_counts():
    rng = np.random.default_rng(2)
    common = rng.random((3007, 1)) < 0.02
    spikes = (rng.random((3007, 30)) < 0.01) | (common & (rng.random((3007, 30)) < 0.5))
    counts = spikes[107:3007].reshape(58, 50, 30).sum(1)
    expected = np.sqrt(counts.mean(1).var() / counts.var(0).mean())
    assert analysis.synchrony(dense(spikes), bin=5e-3, start=107 * DT) == pytest.approx(expected, rel=1e-12)


def test_a_silent_network_has_rates_and_no_intervals():
    silent = raster([], size=3, duration=0.1)
    assert analysis.rates(silent).tolist() == [0, 0, 0]
    assert [len(part) for part in analysis.intervals(silent)] == [0, 0]
    assert np.isnan(analysis.cv(silent)).all()
    assert not analysis.population_rate(silent)[1].any()


def test_a_recording_serves_as_well_as_its_raster():
    recording = simulate(LIF(), np.full((5000, 3), [0.1e-9, 0.3e-9, 0.5e-9]), DT)
    assert analysis.rates(recording).tolist() == (recording.spikes.sum(0) / 0.5).tolist()
    np.testing.assert_array_equal(analysis.cv(recording), analysis.cv(recording.raster))
    assert np.nanmax(analysis.cv(recording)) < 1e-9
    np.testing.assert_array_equal(analysis.intervals(recording)[0], analysis.intervals(recording.raster)[0])
    assert analysis.population_rate(recording)[1].mean() == pytest.approx(recording.spikes.sum() / 1.5)
    assert 0 < analysis.synchrony(recording) < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: analysis.rates(r.times), "raster: got array.*; expected a Raster or a Recording"),
        (lambda r: analysis.rates(r, start=0.1), "start: got 100 ms; expected .* below 100 ms"),
        (lambda r: analysis.rates(r, start=0.05, stop=0.05), "stop: got 50 ms; expected .* above 50 ms"),
        (lambda r: analysis.rates(r, stop=0.2), "stop: got 200 ms"),
        (lambda r: analysis.mean_cv(r, enough=0), "enough: got 0; expected an integer of 1 or more"),
        (lambda r: analysis.cv(r, least=1), "least: got 1; expected an integer of 2 or more"),
        (lambda r: analysis.population_rate(r, 0), "bin: got 0 ms; expected .* above 0 ms and at most 100 ms"),
        (lambda r: analysis.spectrum([1.0] * 7), "the number of bins: got 7; expected an integer of 8 or more"),
        (lambda r: analysis.spectrum([float("nan")] * 9), "rate: got nan Hz"),
        (lambda r: analysis.rhythm([1.0] * 9, highest=0), "highest: got 0 Hz; expected .* above 0"),
        (lambda r: analysis.spectrum([1.0] * 9, 1e-3, 1.0), "segment: got 1000 ms; expected .* at most 9 ms"),
        (lambda r: analysis.synchrony(r, bin=0.06), "the number of bins: got 1"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ParameterError, match=message):
        call(raster([], size=3, duration=0.1))
