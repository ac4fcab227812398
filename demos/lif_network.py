"""Brunel's network on the page: a small one of any g and eta, its theory over the plane, and a stimulus into its cells.

The network is that of Brunel 2000 (doi:10.1023/A:1008925309027) with a fifth of its neurons, as `kzoo bio network
brunel --scale 0.2` has it: 2,000 excitatory and 500 inhibitory ones, each with Brunel's own 1,000 and 250 sources of
0.1 mV. Two neurons share half of their sources here rather than a tenth, so that all regimes are more synchronous.
"""

import functools
import math
from typing import NamedTuple

import lif_network_markup as markup
import lif_player
import live
import numpy as np
import validate

from kzoo.bio import LIF, analysis, networks, theory
from kzoo.bio.networks import REGIME_NAMES, REGIMES, Stimulus
from kzoo.plots import activity_data

SCALE = 0.2  # of the number of neurons
EXCITATORY, SIZE = 2000, 2500
SOURCES, WEIGHT = 1000, 0.1e-3  # excitatory ones of a neuron; V
NEURON = LIF(tau=20e-3, v_rest=0.0, v_threshold=20e-3, v_reset=10e-3, t_ref=2e-3)  # voltages from rest
DT, ONSET = 1e-4, 0.08  # s; what comes before is not counted
G, ETA = (2.0, 8.0), (0.1, 4.5)
ACROSS, UP = 37, 23  # places of the plane where theory is asked
FAST = 120.0  # Hz above which a shorter time is simulated: so many spikes
SLOW = 25.0  # Hz below which a longer one is: so few intervals
COLUMNS = 50  # of the grid of cells, as the player draws it
REACH = 6.0  # cells about the one that was clicked
NOBODY = -1
STRONGEST = 0.5  # nA
FIRST = "C"


class Place(NamedTuple):
    """What a visitor has chosen, checked.

    Attributes:
        g: Inhibition over excitation of a synapse.
        eta: External rate over the one that takes the mean to the threshold.
        seed: Of connections, starting voltages and the spikes from outside.
        cell: The one about which the stimulus acts, or NOBODY.
        strength: Of the stimulus, nA.
    """

    g: float
    eta: float
    seed: int
    cell: int
    strength: float


def check(g, eta, seed, cell, strength) -> Place:
    """Raises gr.Error with one line for the first value that is not allowed."""
    return Place(
        round(validate.number("g", g, *G), 3),
        round(validate.number("eta", eta, *ETA), 3),
        validate.number("Seed", seed, 0, 9999, whole=True),
        validate.number("Cell", cell, NOBODY, SIZE - 1, whole=True),
        round(validate.number("Stimulus", strength, 0.0, STRONGEST), 3),
    )


def predicted(g: float, eta: float) -> float:
    """The rate in Hz to which theory lets a silent network come."""
    return float(theory.brunel_rates(g, eta)[0])


def duration(g: float, eta: float) -> float:
    """How long is simulated, in seconds."""
    rate = predicted(g, eta)
    return 0.2 if rate > FAST else 2.5 if rate < SLOW else 0.5


def window(length: float) -> tuple[float, float]:
    """When the stimulus acts, in seconds."""
    return 0.5 * length, 0.6 * length


def around(cell: int) -> np.ndarray:
    """The neurons within REACH of a cell in the grid, itself included."""
    numbers = np.arange(SIZE)
    # Each group begins in a row of its own.
    rows = np.where(
        numbers < EXCITATORY, numbers // COLUMNS, -(-EXCITATORY // COLUMNS) + (numbers - EXCITATORY) // COLUMNS
    )
    columns = np.where(numbers < EXCITATORY, numbers, numbers - EXCITATORY) % COLUMNS
    return numbers[np.hypot(rows - rows[cell], columns - columns[cell]) <= REACH]


@functools.lru_cache(maxsize=12)
def run(place: Place):
    """The `Raster` of a place, by the NumPy engine: no compiler is needed, and nobody waits for one."""
    length = duration(place.g, place.eta)
    stimulus = None
    if place.cell != NOBODY and place.strength:
        first, last = (round(time / DT) for time in window(length))
        current = np.zeros(round(length / DT))
        current[first:last] = place.strength * 1e-9
        stimulus = Stimulus(current, around(place.cell))
    return networks.run(
        networks.brunel(place.g, place.eta, SCALE),
        length,
        DT,
        place.seed,
        engine="numpy",
        stimulus=stimulus,
        timeout=60.0,
    )


@functools.cache
def plane() -> np.ndarray:
    """Theory's rates in Hz over the plane, (UP, ACROSS), eta from the least up: of each place the lowest rate.

    The equations are those of `theory.brunel_rates`, here for all places at once, with the NEURON of `networks.brunel`.
    """
    g, eta = np.meshgrid(np.linspace(*G, ACROSS), np.linspace(*ETA, UP))
    p = NEURON
    outside = eta * p.v_threshold / (WEIGHT * SOURCES * p.tau)

    def excess(nu):
        mu = p.tau * WEIGHT * SOURCES * (outside + (1 - g / 4) * nu)
        sigma = np.sqrt(p.tau * SOURCES * (outside + (1 + g**2 / 4) * nu)) * WEIGHT
        return theory.siegert(mu, sigma, p.tau, p.v_threshold, p.v_reset, p.t_ref) - nu

    low, high = np.zeros(g.shape), np.full(g.shape, np.nan)
    for nu in np.geomspace(1e-6, 1 / p.t_ref, 70):
        below = excess(np.full(g.shape, nu)) <= 0
        high = np.where(np.isnan(high) & below, nu, high)
        low = np.where(np.isnan(high), nu, low)
    high = np.where(np.isnan(high), 1 / p.t_ref, high)
    for _ in range(30):
        middle = (low + high) / 2
        above = excess(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


class Figures(NamedTuple):
    """Of a raster, after the onset.

    Attributes:
        rate: Hz of a neuron.
        regularity: CV of each neuron's intervals, (n,) with NaN for those that fire too seldom.
        cv: Their mean; None where the intervals are too few, as `analysis.mean_cv` has it.
        synchrony: chi of Golomb and Rinzel, in bins of 1 ms, as the command counts it.
        frequencies, power: The spectrum of the population's rate, Hz and Hz^2 / Hz.
        rhythm: Hz of the strongest one, None where none stands out of the noise.
    """

    rate: float
    regularity: np.ndarray
    cv: float | None
    synchrony: float
    frequencies: np.ndarray
    power: np.ndarray
    rhythm: float | None


def figures(raster) -> Figures:
    # In wider bins what is faster than half their rate would show as something slow.
    middles, rate = analysis.population_rate(raster, DT)
    rate = rate[middles > ONSET]
    # Three periods fit into a segment: from 30 Hz on, or from 15 in a long record.
    segment = 0.1 if raster.duration < 1 else 0.2
    mean = float(analysis.rates(raster, ONSET).mean())
    # Two groups that take turns have twice the rate of their neurons.
    highest = 1000.0 if mean > FAST else 500.0
    frequencies, power = analysis.spectrum(rate, DT, segment)
    rhythm = analysis.rhythm(rate, DT, segment, highest)
    shown = (frequencies > 0) & (frequencies <= highest)
    frequencies, power = frequencies[shown], power[shown]
    regularity = analysis.cv(raster, ONSET)
    cv, _ = analysis.mean_cv(raster, ONSET)
    return Figures(
        mean,
        regularity,
        None if math.isnan(cv) else cv,
        analysis.synchrony(raster, 1e-3, ONSET),
        frequencies,
        power,
        None if math.isnan(rhythm) else rhythm,
    )


def regime(g: float, eta: float) -> str | None:
    """The letter of Brunel's regime whose place this is."""
    return next((letter for letter, place in REGIMES.items() if place == (g, eta)), None)


def look(place: Place) -> tuple[str, ...]:
    """The status line, the plane, the film, the spectrum and the histogram, as markup."""
    raster = run(place)
    found = figures(raster)
    cells = [
        ("Hz a neuron", f"{found.rate:.1f}"),
        ("Hz by theory", f"{predicted(place.g, place.eta):.1f}"),
        ("CV of the intervals", "unknown" if found.cv is None else f"{found.cv:.2f}"),
        ("synchrony \u03c7", "unknown" if math.isnan(found.synchrony) else f"{found.synchrony:.2f}"),
        ("rhythm stands out", "no") if found.rhythm is None else ("Hz strongest rhythm", f"{found.rhythm:.0f}"),
    ]
    film = activity_data(
        raster.times, raster.neurons, raster.size, raster.duration, groups=raster.groups, tick=raster.dt
    )
    return (
        live.status(cells, _note(place, raster, found)),
        markup.plane_svg(plane(), G, ETA, (place.g, place.eta), REGIMES),
        lif_player.film_html(film),
        markup.spectrum_svg(found.frequencies, found.power, found.rhythm),
        markup.histogram_svg(found.regularity[np.isfinite(found.regularity)]),
    )


def _manner(letter: str | None, found: Figures) -> str:
    """A sentence on what the regime's name leaves open, or ""."""
    clocks = found.cv is not None and found.cv < 0.1
    if clocks and found.rhythm is not None and abs(found.rhythm / found.rate - 2) < 0.1:
        return "Two groups fire by turns, each neuron at every second volley. "
    if letter == "D" and found.rhythm is None:
        return "In so small a network its slow waves come at no steady interval. "
    return ""


def _note(place: Place, raster, found: Figures) -> str:
    letter = regime(place.g, place.eta)
    name = f"Regime {letter}: {REGIME_NAMES[letter]}. " if letter else ""
    name += _manner(letter, found)
    if place.cell == NOBODY or not place.strength:
        seconds = raster.seconds.get("run", 0.0)
        return (
            f"{name}{1e3 * raster.duration:.0f} ms of {raster.size:,} neurons, a fifth of Brunel's and so more in "
            f"step; simulated in {seconds:.1f} s by NumPy."
        )
    first, last = window(raster.duration)
    chosen = around(place.cell)
    inside = np.isin(raster.neurons, chosen)
    during = (raster.times >= first) & (raster.times < last)
    before = (raster.times >= ONSET) & (raster.times < first)
    rates = [
        (inside & when).sum() / len(chosen) / length
        for when, length in ((during, last - first), (before, first - ONSET))
    ]
    return (
        f"{name}{len(chosen)} cells got {place.strength:g} nA from {1e3 * first:.0f} to {1e3 * last:.0f} ms: "
        f"{rates[0]:.0f} Hz, before it {rates[1]:.0f} Hz."
    )


def code(place: Place) -> str:
    """The lines that give what is on screen; they run as pasted."""
    length = duration(place.g, place.eta)
    stimulus, given = "", ""
    if place.cell != NOBODY and place.strength:
        first, last = window(length)
        # The list is that of the grid's circle.
        numbers = np.array2string(around(place.cell), separator=", ", max_line_width=110, threshold=10**6)
        stimulus = f"""
# The cells around the one that was clicked
cells = np.array({numbers})
current = np.zeros({round(length / DT)})
current[{round(first / DT)}:{round(last / DT)}] = {place.strength:g}e-9
stimulus = networks.Stimulus(current, cells)
"""
        given = ", stimulus=stimulus"
    return f"""import numpy as np

from kzoo import plots
from kzoo.bio import analysis, networks, theory

g, eta = {place.g:g}, {place.eta:g}
# Brunel's network with a fifth of its neurons
network = networks.brunel(g, eta, scale={SCALE:g})
{stimulus}
raster = networks.run(network, {length:g}, {DT:g}, seed={place.seed}, engine="numpy"{given})
rate = analysis.rates(raster, {ONSET:g}).mean()
print("Hz a neuron:", rate, "by theory:", theory.brunel_rates(g, eta))
cv, known = analysis.mean_cv(raster, {ONSET:g})
print("CV of the intervals:", cv, "of", known, "neurons")
print("synchrony:", analysis.synchrony(raster, 1e-3, {ONSET:g}))

# A film of it: .gif, .mp4, or .html that plays by itself
film = plots.activity_data(raster.times, raster.neurons, raster.size, raster.duration, groups=raster.groups)
# plots.save_activity(film, "network.html")
"""
