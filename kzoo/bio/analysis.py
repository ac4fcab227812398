"""What spikes say: rates, intervals and their regularity, the population's rate and its spectrum, synchrony.

Each takes a `Raster`, or a `Recording` of single neurons, with times in seconds, and gives hertz. Each raises
ParameterError for an argument out of its bounds.
"""

import numpy as np
from scipy import special

from kzoo.bio import checks
from kzoo.bio.records import Raster, Recording
from kzoo.errors import ParameterError


def rates(raster, start=0.0, stop=None) -> np.ndarray:
    """Spikes of each neuron from `start` until before `stop` (the end) over that time, (size,) [Hz]."""
    raster = _raster(raster)
    start, stop = _window(raster, start, stop)
    inside = (raster.times >= start) & (raster.times < stop)
    return np.bincount(raster.neurons[inside], minlength=raster.size) / (stop - start)


def intervals(raster, start=0.0):
    """The times between a neuron's spikes, of all neurons.

    Returns: intervals (m,) [s] and whose they are (m,) int, sorted by neuron and then by time. A spike before `start`
    is not counted.
    """
    raster = _raster(raster)
    start, _ = _window(raster, start, None)
    late = raster.times >= start
    neurons = raster.neurons[late]
    order = np.argsort(neurons, kind="stable")
    times, neurons = raster.times[late][order], neurons[order]
    same = neurons[1:] == neurons[:-1]
    return np.diff(times)[same], neurons[1:][same]


def cv(raster, start=0.0, least=3) -> np.ndarray:
    """The coefficient of variation of each neuron's intervals, (size,): standard deviation over mean.

    0 for a clock, 1 for a Poisson process. NaN for a neuron with fewer than `least` intervals (2 or more): use
    numpy.nanmean, and mind that a short recording misses the long intervals, which lowers the value: `mean_cv` does.
    """
    raster, least = _raster(raster), checks.integer("least", least, 2)
    gaps, owners = intervals(raster, start)
    count = np.bincount(owners, minlength=raster.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(owners, gaps, raster.size) / count
        variance = np.bincount(owners, (gaps - mean[owners]) ** 2, raster.size) / count
        return np.where(count >= least, np.sqrt(variance) / mean, np.nan)


def mean_cv(raster, start=0.0, enough=10) -> tuple[float, int]:
    """The mean of `cv`, and of how many neurons it is the mean.

    NaN where the record is too short: where half of the neurons that fire have fewer than `enough` intervals. Of few
    intervals the CV comes out low, and it is that of the neurons which happened to fire quickly: Poisson processes seen
    for a time of 3, 10 or 30 mean intervals have, with those that have a CV at all, 0.71, 0.86 and 0.95 instead of 1.
    """
    raster, enough = _raster(raster), checks.integer("enough", enough, 1)
    _, owners = intervals(raster, start)
    fired = np.bincount(raster.neurons[raster.times >= start], minlength=raster.size) > 0
    values = cv(raster, start)
    values = values[np.isfinite(values)]
    if not values.size or np.median(np.bincount(owners, minlength=raster.size)[fired]) < enough:
        return float("nan"), len(values)
    return float(values.mean()), len(values)


def population_rate(raster, bin=1e-3):
    """How many spikes a neuron makes in a second, over time.

    `bin` [s] is rounded to whole steps of dt, at least one; what is left at the end without filling a bin is dropped.

    Returns: the middles of the bins (b,) [s] and the rate (b,) [Hz].
    """
    raster = _raster(raster)
    width = _bin_steps(raster, bin)
    count = _num_steps(raster) // width
    counts = np.bincount(_steps(raster) // width, minlength=count)[:count]
    return (np.arange(count) + 0.5) * width * raster.dt, counts / (raster.size * width * raster.dt)


def spectrum(rate, bin=1e-3, segment=None):
    """The power of a rate's fluctuations at each frequency, one-sided.

    Welch's method: segments of `segment` seconds (by default a quarter of the whole) that overlap by half, the mean
    over the whole time taken off, a Hann window, and the mean of their periodograms. The sum of the power times the
    spacing of the frequencies is the variance of the rate, but for the window. Source: Welch 1967,
    doi:10.1109/TAU.1967.1161901.

    Arguments:
        rate: (b,) [Hz], as `population_rate` gives it, 8 bins or more.
        bin: their width [s].
        segment: [s], from 4 bins to all.

    Returns: frequencies (f,) [Hz] from 0 to 1 / (2 bin), and power (f,) [Hz² / Hz].
    """
    rate = checks.array("rate", rate, "Hz")
    checks.integer("the number of bins", len(rate), 8)
    bin = checks.quantity("bin", bin, "ms", above=0.0)
    whole = len(rate) * bin
    segment = checks.quantity(
        "segment", max(whole / 4, 4 * bin) if segment is None else segment, "ms", least=4 * bin, most=whole * (1 + 1e-9)
    )
    length = min(round(segment / bin), len(rate))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    starts = _starts(len(rate), length)
    pieces = np.stack([rate[s : s + length] for s in starts]) - rate.mean()
    power = (np.abs(np.fft.rfft(pieces * window)) ** 2).mean(0) * bin / (window**2).sum()
    power[1 : (length + 1) // 2] *= 2  # the negative frequencies; 0 and, of an even length, the last have none
    return np.fft.rfftfreq(length, bin), power


def rhythm(rate, bin=1e-3, segment=None, highest=1000.0) -> float:
    """The frequency of the strongest rhythm of a rate [Hz], up to `highest`; NaN where none stands out of the noise.

    The power of `spectrum(rate, bin, segment)` at a frequency f is taken as the mean of it and of its two neighbours,
    over which a Hann window spreads a pure tone. Where that has a peak, it is a rhythm if

    - three of its periods or more fit into a segment: what is slower is drift, or the mean that the window spreads;
    - it stands out on both sides: from the median of the power between f/3 and 2f/3, and from that between 3f/2 and
      3f, by a factor that noise of that level reaches by chance. The power of noise is a mean of as many exponential
      numbers as segments and neighbours are independent (Welch 1967), and the factor its quantile by which one spectrum
      in a hundred would have a peak: 3.5 for three segments, 2.3 for seven. Since the level is itself measured, of
      rates of Poisson spikes one to four in a hundred have one;
    - it carries a fiftieth or more of the power up to `highest`.

    Narrow volleys have harmonics 2f, 3f, ..., as strong as f, which hide what lies between them. So on the upper side
    it is enough that f stands out of the valleys up to 4f, and 2f by the root of that factor. Volleys have these
    valleys where four periods fit into a segment.
    If the strongest rhythm is a harmonic of one that has a quarter of its power or more, that one is told.
    """
    frequencies, power = spectrum(rate, bin, segment)
    highest = checks.quantity("highest", highest, "Hz", above=0.0)
    length = round(1 / (frequencies[1] * bin))
    count = len(_starts(len(rate), length))
    independent = count / (1 + (1 - 1 / count) / 18)  # segments that overlap by half share 1/36 of their variance
    smooth = np.convolve(power, np.ones(3) / 3, "same")
    sought = np.arange(3, min(len(power) - 5, np.searchsorted(frequencies, highest, "right")))
    peaks = sought[(smooth[sought] >= smooth[sought - 1]) & (smooth[sought] >= smooth[sought + 1])]
    if not peaks.size:
        return float("nan")
    # Three neighbours under a Hann window are as good as 1.86 that are independent.
    shape = 1.86 * independent
    factor = special.gammaincinv(shape, 1 - 0.01 / len(sought)) / shape
    factor /= special.gammaincinv(independent, 0.5) / independent  # of a median, which lies below the mean
    least = power[3 : sought[-1] + 1].sum() / 50 / 3
    found = [
        peak
        for peak in peaks
        if smooth[peak] > least
        # The larger side of the two: on a slope one lies lower everywhere.
        and smooth[peak] > factor * _below(power, peak)
        and (smooth[peak] > factor * _above(power, peak) or _comb(power, smooth, peak, factor))
    ]
    if not found:
        return float("nan")
    strongest = max(found, key=lambda peak: smooth[peak])
    peak = next(
        peak
        for peak in found
        if peak == strongest or (smooth[peak] > smooth[strongest] / 4 and _divides(power, peak, strongest))
    )
    return float(frequencies[peak - 1 + power[peak - 1 : peak + 2].argmax()])


def _below(power, peak):
    """The median from a third to two thirds of a peak's frequency."""
    return np.median(power[peak // 3 : min(peak * 2 // 3, peak - 2) + 1])


def _above(power, peak):
    """The median from one and a half to three times a peak's frequency."""
    return np.median(power[min(peak * 3 // 2 + 1, len(power) - 3) : max(peak * 3, peak + 12) + 1])


def _comb(power, smooth, peak, factor):
    """Whether a peak and its double stand out of the valleys halfway between its multiples."""
    bins = np.arange(peak + 2, min(max(4 * peak, peak + 12) + 1, len(power)))
    period = _center(power, peak)
    away = np.abs((bins + period / 2) % period - period / 2)
    valleys = bins[away > 0.3 * period]
    double = round(2 * period)
    if len(valleys) < 3 or double >= len(power) - 1:
        return False
    level = np.median(power[valleys])
    # The double of a blurred peak is broad: half of the way, in decibels, will do.
    return smooth[peak] > factor * level and smooth[double - 1 : double + 2].max() > np.sqrt(factor) * level


def _center(power, peak):
    """Where a peak lies between the bins."""
    near = power[peak - 1 : peak + 2]
    return peak + (near[2] - near[0]) / near.sum()


def _divides(power, peak, other):
    """Whether a peak is a multiple of another one, as well as bins tell."""
    period = _center(power, peak)
    times = round(other / period)
    return times >= 2 and abs(other - times * period) <= min(1 + 0.2 * times, period / 4)


def synchrony(raster, bin=5e-3, start=0.0) -> float:
    """χ, from about 1 / √size for neurons that do not know of one another to 1 for neurons that do all the same.

        χ² = variance over time of the mean over neurons / mean over neurons of the variance over time

    of the number of spikes in bins of `bin` seconds, from `start` on. NaN without spikes.

    Source: Golomb and Rinzel 1994, doi:10.1016/0167-2789(94)90214-3, who take voltages; spike counts here, so that any
    raster has it. It depends on the bin: give the bin with the value.
    """
    raster = _raster(raster)
    start, _ = _window(raster, start, None)
    width, first = _bin_steps(raster, bin), round(start / raster.dt)
    count = (_num_steps(raster) - first) // width
    checks.integer("the number of bins", count, 2)
    steps = _steps(raster) - first
    inside = (steps >= 0) & (steps < count * width)
    bins, neurons = steps[inside] // width, raster.neurons[inside]
    together = np.bincount(bins, minlength=count) / raster.size
    _, each = np.unique(neurons * count + bins, return_counts=True)
    mean = np.bincount(neurons, minlength=raster.size) / count
    alone = (each.astype(float) ** 2).sum() / (count * raster.size) - (mean**2).mean()
    return float(np.sqrt(together.var() / alone)) if alone > 0 else float("nan")


def _starts(bins, length):
    """Where segments that overlap by half begin."""
    return range(0, bins - length + 1, max(1, length // 2))


def _raster(spikes) -> Raster:
    if isinstance(spikes, Recording):
        return spikes.raster
    if isinstance(spikes, Raster):
        return spikes
    raise ParameterError(f"raster: got {spikes!r:.60}; expected a Raster or a Recording, as simulations give them.")


def _window(raster, start, stop):
    start = checks.quantity("start", start, "ms", least=0.0, below=raster.duration)
    stop = raster.duration if stop is None else stop
    return start, checks.quantity("stop", stop, "ms", above=start, most=raster.duration)


def _steps(raster):
    return np.rint(raster.times / raster.dt).astype(np.int64)


def _num_steps(raster):
    return round(raster.duration / raster.dt)


def _bin_steps(raster, bin):
    bin = checks.quantity("bin", bin, "ms", above=0.0, most=raster.duration)
    return max(1, round(bin / raster.dt))
