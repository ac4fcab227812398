# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 16 · Networks of spiking neurons
#
# **How can thousands of neurons fire like dice when there are no dice in them?**
#
# After this chapter you can
#
# - couple neurons by spikes with delays, in ten lines that give kzoo's spikes;
# - say when a network with graded coupling comes to rest, and where;
# - make irregular firing out of nothing but balance, and show that it is chaos and not noise;
# - foretell the rate of Brunel's network, and name the four ways in which it can fire;
# - simulate the same network on several engines, and play its activity as a film.
#
# It needs chapter 15. Nothing here is trained. On one core about half a minute.

# %%
# %matplotlib inline
import html
import time

import kzoo

print(f"kzoo {kzoo.__version__}")

# %%
import numpy as np
from IPython.display import HTML

from kzoo import plots
from kzoo.bio import LIF, analysis, engines, networks, theory
from kzoo.errors import ParameterError
from kzoo.plots.activity_page import activity_page
from kzoo.plots.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, color, label, new_figure

MS, MV, NA = 1e-3, 1e-3, 1e-9
dt = 0.1 * MS
neuron = LIF()

# %% [markdown]
# ## Two neurons
#
# A spike travels along an axon, which takes a **delay** $d$, and at a **synapse** it moves the voltage of the next
# neuron by a **weight** $w$: upwards if the synapse is excitatory, downwards if it is inhibitory. Between spikes each
# neuron goes its own way, as in chapter 15:
#
# $$ \tau \frac{dV_i}{dt} = -(V_i - V_\mathrm{rest}) + R I_i + \tau \sum_j w_{ij} \sum_k \delta(t - t_j^k - d). $$
#
# The order of events within a step has to be settled, or two simulations of one network part: first all voltages move,
# then spikes are noted, then spikes of $d$ ago arrive, then whoever fired is reset. A refractory neuron is deaf.


# %%
def coupled(weights, delay, start, steps):
    """Spikes (steps, n) of neurons under 0.3 nA; weights[i, j] is by how much a spike of j moves i."""
    v, last, late = np.array(start, float), np.full(len(start), -np.inf), round(delay / dt)
    kept, goal = np.exp(-dt / neuron.tau), neuron.v_rest + neuron.resistance * 0.3 * NA
    spikes = np.zeros((steps, len(v)), bool)
    for k in range(steps):
        free = k - last >= round(neuron.t_ref / dt)
        v = np.where(free, goal + (v - goal) * kept, v)
        spikes[k] = v > neuron.v_threshold
        last[spikes[k]] = k
        if k >= late:
            v += free * ~spikes[k] * (weights @ spikes[k - late])
        v[spikes[k]] = neuron.v_reset
    return spikes


def pair(weight, delay, start=-63 * MV):
    """The same as a network of kzoo; b begins at `start`."""
    a = networks.Population("a", 1, neuron, current=0.3 * NA)
    b = networks.Population("b", 1, neuron, current=0.3 * NA, v_start=start)
    there, back = (networks.Synapses(*ends, weight, delay, pairs=([0], [0])) for ends in (("a", "b"), ("b", "a")))
    return networks.Spiking((a, b), (there, back))


def phases(raster):
    """When b fires, as a part of the interval of a that it falls into; of every spike of b."""
    a, b = raster.spike_times(0), raster.spike_times(1)
    b = b[(b >= a[0]) & (b < a[-1])]
    place = np.searchsorted(a, b, side="right") - 1
    return (b - a[place]) / np.diff(a)[place]


figure = new_figure(10, 3.8)
axes = figure.subplots(1, 2)
for k, (name, weight) in enumerate((("excitation, +1 mV", 1 * MV), ("inhibition, -1 mV", -1 * MV))):
    raster = networks.run(pair(weight, 1.5 * MS), 1.5, dt, engine="numpy")
    ours = coupled(weight * np.array([[0, 1], [1, 0]]), 1.5 * MS, (neuron.v_rest, -63 * MV), 15_000)
    steps, who = np.nonzero(ours)
    np.testing.assert_array_equal(steps, np.rint(raster.times / dt))
    np.testing.assert_array_equal(who, raster.neurons)
    print(
        f"{name}: {len(steps)} spikes, those of our loop; at last b fires at {phases(raster)[-1]:.2f} of a's interval"
    )
    axes[0].plot(phases(raster), ".-", color=color(k), label=name)
    for number in range(2):
        times = raster.spike_times(number)
        axes[1].eventplot(times[times > 1.4] / MS, lineoffsets=3 * k + number, color=color(k), linelengths=0.8)
label(axes[0], x="spike of b", y="its place in a's interval", title="They find each other")
label(axes[1], x="time (ms)", title="The last 100 ms")
axes[0].set_ylim(0, 1)
axes[1].set_yticks((0, 1, 3, 4), ("a", "b", "a", "b"))
axes[0].legend()
figure

# %% [markdown]
# **Figure 1.** Two equal neurons that begin 7 mV apart. With excitation b ends up a delay before a's next spike, nearly
# together. With inhibition they take turns, half an interval apart. Neither was put in: it is where the two come to
# rest. (A longer delay may turn it round: exercise 1.)

# %% [markdown]
# ## Graded coupling, and when it is stable
#
# Neurons without axons, as in the retina, send no spikes: voltages act on each other directly. Relative to rest,
# $x_i = V_i - V_\mathrm{rest}$,
#
# $$ \tau \frac{dx_i}{dt} = -x_i + R I_i + \sum_j W_{ij} x_j. $$
#
# (Many texts write $W_{ij} V_j$. Then every neuron *at rest* would act on all others with its -70 mV.) This is linear,
# so everything can be said about it. It stands still where $x = (1 - W)^{-1} R I$. It gets there if every eigenvalue of
# $W$ has a real part below 1: along each eigenvector a voltage leaks with strength 1 and gives itself back
# $\operatorname{Re} \lambda$. Complex eigenvalues swing.

# %%
W = np.array([[0.3, -0.9, 0.0], [0.9, 0.3, 0.0], [0.4, 0.4, 0.5]])
pushed = np.array([0.1 * NA, 0, 0])
network = networks.Graded(W)
steps = 2000
record = networks.run(network, steps * dt, dt, stimulus=np.tile(pushed, (steps, 1)))

x, path = np.zeros(3), []  # Euler's step, by hand
for _ in range(steps):
    path.append(neuron.v_rest + x)
    x = x + dt / neuron.tau * (-x + neuron.resistance * pushed + W @ x)
np.testing.assert_allclose(path, record.voltage, atol=0.1 * MV)  # Euler's error, of first order in dt
exact = theory.graded_response(neuron, W, pushed, record.times)
np.testing.assert_allclose(record.voltage, exact, atol=1e-12)
print(f"kzoo's voltages are {np.abs(record.voltage - exact).max():.0e} V from the exact ones,")
print(f"Euler's step {np.abs(path - exact).max() / MV:.3f} mV")
try:
    networks.Graded(1.0 / 0.45 * W)
except ParameterError as error:
    print(error)
plots.graded(
    record.times,
    record.voltage,
    title="Three neurons, a current into the first",
    fixed_point=theory.graded_fixed_point(neuron, W, pushed),
    eigenvalues=np.linalg.eigvals(W),
)

# %% [markdown]
# **Figure 2.** Left: three voltages swing to where they rest (dashed). Right: the eigenvalues of $W$. The pair off the
# axis is what swings; all lie left of the line at 1. With $W$ made larger one crosses it, and kzoo refuses such a
# network, with the factor that would mend it.

# %% [markdown]
# ## Dice out of balance
#
# Neurons of the cortex fire irregularly, with a CV near 1. Chapter 15 made that with noise. But a neuron in a dish,
# held by a steady current, fires like a clock. So the noise has to come from the other neurons, and each of *those*
# gets its own from the others. Can that hold itself up?
#
# Let each neuron have $K$ excitatory inputs of weight $w$ and $K/4$ inhibitory ones of $-gw$, each at the rate $\nu$.
# In a time $\tau$ the mean of what comes in grows like $K$, the fluctuation only like $\sqrt K$:
#
# $$ \text{mean} = \tau w K \nu \left(1 - \tfrac{g}{4}\right), \qquad
#    \text{variance} = \tau w^2 K \nu \left(1 + \tfrac{g^2}{4}\right). $$
#
# With $g$ above 4 inhibition wins in the mean, and the variances add up. A steady current from outside then drives
# every neuron, inhibition rises until it nearly cancels that, and what is left is below threshold: fluctuations alone
# make spikes. Nothing in this network is random once it has begun.

# %%
balanced = networks.balanced(size=1000, in_degree=100, weight=0.8 * MV, g=8, current=0.3 * NA)
alone = networks.balanced(size=1000, in_degree=100, weight=0, g=8, current=0.3 * NA)
onset = 0.2
runs = {name: networks.run(made, 1.2, dt, engine="numpy") for name, made in (("alone", alone), ("coupled", balanced))}
for name, raster in runs.items():
    cv = np.nanmean(analysis.cv(raster, start=onset))
    print(f"{name:>7}: {analysis.rates(raster, start=onset).mean():4.1f} Hz, CV {cv:.2f}")
raster = runs["coupled"]
plots.raster(
    raster.times,
    raster.neurons,
    raster.size,
    raster.duration,
    title="A balanced network: a steady current, and no noise",
    groups=raster.groups,
    bin_width=2 * MS,
    start=onset,
)

# %% [markdown]
# **Figure 3.** Each stroke is a spike, each row a neuron, of which every third is drawn; below, the rate of both groups.
# The same neurons under the same current, but without synapses, are clocks: their CV is printed above. Coupled, they
# fire at a third of that rate and like dice.

# %%
strengths = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0])
rate, irregular = [], []
for strength in strengths:
    made = networks.balanced(size=1000, in_degree=100, weight=strength * MV, g=8, current=0.3 * NA)
    raster = networks.run(made, 1.0, dt, engine="numpy")
    rate.append(analysis.rates(raster, start=onset).mean())
    irregular.append(np.nanmean(analysis.cv(raster, start=onset)))
assert irregular[0] < 0.01
assert irregular[-1] > 0.8
figure = new_figure(10, 3.4)
axes = figure.subplots(1, 2)
axes[0].plot(strengths, rate, "o-", color=BLUE)
axes[0].axhline(theory.rate(neuron, 0.3 * NA), color=GREY, linestyle="--", label="a neuron alone")
axes[1].plot(strengths, irregular, "o-", color=ORANGE)
axes[1].axhline(1, color=GREY, linestyle=":", label="Poisson")
label(axes[0], x="weight of an excitatory synapse (mV)", y="rate (Hz)", title="Inhibition holds it back")
label(axes[1], x="weight of an excitatory synapse (mV)", y="CV of the intervals", title="A clock becomes dice")
for panel in axes:
    panel.grid(alpha=0.25)
    panel.legend()
figure

# %% [markdown]
# **Figure 4.** The same network with weaker and stronger synapses, $g$ = 8. Weak ones leave the clocks as they are. It
# takes some tenths of a millivolt until the fluctuations decide.

# %% [markdown]
# ## Chaos, not noise
#
# Run the network twice, and it does the same to the last spike. Run it again, but give *one* neuron of the thousand a
# short push of current, enough for one more spike.

# %%
push = np.zeros((round(0.6 / dt), 1000))
push[round(0.3 / dt) : round(0.302 / dt), 7] = 3 * NA  # 2 ms into neuron 7, from 300 ms on
plain, same = (networks.run(balanced, 0.6, dt, engine="numpy") for _ in range(2))
nudged = networks.run(balanced, 0.6, dt, engine="numpy", stimulus=push)
np.testing.assert_array_equal(plain.times, same.times)
np.testing.assert_array_equal(plain.neurons, same.neurons)


def marks(raster):
    return set(zip(np.rint(raster.times / dt).astype(int).tolist(), raster.neurons.tolist(), strict=True))


shared = marks(plain) & marks(nudged)
figure = new_figure(10, 4.6)
above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
edges = np.arange(250, 451, 5)
total, common = (np.histogram([k * dt / MS for k, _ in found], edges)[0] for found in (marks(plain), shared))
for found, shade, name in (
    (shared, GREY, "in both runs"),
    (marks(plain) - shared, BLUE, "without the push"),
    (marks(nudged) - shared, VERMILLION, "with it"),
):
    dots = np.array([(k * dt / MS, n) for k, n in found if n < 100])
    above.plot(*dots.T, ".", markersize=3, color=shade, label=name)
below.stairs(100 * common / np.maximum(total, 1), edges, color=BLUE, linewidth=2)
above.set_xlim(250, 450)
above.legend(loc="upper left", ncols=3, framealpha=1)
label(above, y="neuron", title="One push into one neuron at 300 ms")
label(below, x="time (ms)", y="spikes in common (%)")
for name, part in (("before the push", slice(0, 10)), ("in the last 50 ms", slice(-10, None))):
    print(f"in common {name}: {100 * common[part].sum() / total[part].sum():.0f} %")
assert common[:10].sum() == total[:10].sum()
assert common[-10:].sum() < 0.3 * total[-10:].sum()
figure

# %% [markdown]
# **Figure 5.** A hundred of the thousand neurons. Grey: spikes that both runs have, at the same tenth of a millisecond.
# Twenty milliseconds after the push hardly a spike is where it was. The rate and the CV do not
# change; which neuron fires when does. That is deterministic chaos: dice without dice. (van Vreeswijk and Sompolinsky
# showed it for such networks in 1996.)

# %% [markdown]
# ## Brunel's four regimes
#
# Brunel (2000) took such a network, with Poisson noise from outside in place of the current, and asked what it can do.
# Two numbers decide: $g$, how strong an inhibitory synapse is beside an excitatory one, and $\eta$, the drive from
# outside, in units of the one that takes the mean just to threshold.
#
# If all neurons fire at the rate $\nu$, independently, then mean and variance of each one's input follow, as above; and
# from these Siegert's formula of chapter 15 gives its rate. It has to be $\nu$ again: **self-consistency**,
#
# $$ \nu = f_\mathrm{Siegert}\big(\mu(\nu), \sigma(\nu)\big). $$
#
# It holds exactly where neurons know nothing of each other. How far they are from that, a simulation says. Ours has
# 2,500 neurons instead of 12,500, each with as many inputs as in the paper. So two of them have half of their
# sources in common instead of a tenth, and are more alike than in the paper.
#
# A spectrum always has a largest value, that of dice, too. So `analysis.rhythm` names a frequency only where the power
# stands out of what lies around it, further than noise comes by chance.

# %%
seconds = {"A": 0.3, "B": 0.5, "C": 0.5, "D": 3.0}  # of few intervals a CV comes out too low
brunel, words, power, rhythms = {}, {}, {}, {}
for name, (g, eta) in networks.REGIMES.items():
    brunel[name] = raster = networks.run(networks.brunel(g, eta, scale=0.2), seconds[name], dt, engine="numpy")
    rate = analysis.rates(raster, start=0.1).mean()
    foretold = theory.brunel_rates(g, eta)[0]
    cv, _ = analysis.mean_cv(raster, start=0.1)
    _, wave = analysis.population_rate(raster, dt)
    wave = wave[round(0.1 / dt) :]
    frequencies, power[name] = analysis.spectrum(wave, dt, segment=0.2)
    rhythms[name] = found = analysis.rhythm(wave, dt, segment=0.2, highest=1000)
    heard = f"rhythm of {found:.0f} Hz" if np.isfinite(found) else "no rhythm stands out"
    words[name] = f"{rate:.0f} Hz, CV {cv:.2f}"
    print(f"{name}, {networks.REGIME_NAMES[name]}:")
    print(f"   {rate:5.1f} Hz (theory {foretold:5.1f}), CV {cv:.2f}, {heard}")
    assert abs(rate / foretold - 1) < 0.35
across, up = np.linspace(0, 8, 21), np.linspace(0.5, 4.5, 11)
field = np.array([[theory.brunel_rates(g, eta)[0] for g in across] for eta in up])
plots.regimes(
    networks.REGIMES,
    title="Brunel's plane",
    rates=np.where(field > 0.1, field, np.nan),
    g=across,
    eta=up,
    measured=words,
)

# %% [markdown]
# **Figure 6.** The rate that self-consistency foretells (colour; white: below 0.1 Hz), and what the small network did
# at the paper's four points. Left of $g$ = 4 excitation wins, and neurons fire as often as they can. Right of it
# inhibition holds them near where the drive puts them.

# %%
figure = new_figure(11, 5.4)
grid = figure.subplots(2, 4, height_ratios=(2.2, 1), sharex="col")
for k, (name, raster) in enumerate(brunel.items()):
    first, last = 0.15, 0.2 if name == "A" else 0.25 if name != "D" else 0.45
    inside = (raster.times > first) & (raster.times < last) & (raster.neurons % 25 == 0)
    grid[0, k].plot(raster.times[inside] / MS, raster.neurons[inside] / 25, ".", color=BLACK, markersize=2)
    middles, wave = analysis.population_rate(raster, 0.5 * MS)
    shown = (middles > first) & (middles < last)
    grid[1, k].plot(middles[shown] / MS, wave[shown], color=BLACK, linewidth=1)
    grid[1, k].set_ylim(bottom=0)
    mode = networks.REGIME_NAMES[name].replace(", ", "\n")
    label(grid[0, k], title=f"{name}: {mode}", y="neuron (of 100)" if k == 0 else None)
    grid[0, k].title.set_fontsize(10)
    label(grid[1, k], x="time (ms)", y="rate (Hz)" if k == 0 else None)
figure

# %% [markdown]
# **Figure 7.** The four regimes (mind the different stretches of time). A: every neuron is a clock; one half of them
# fires together, then the other half. B: each neuron fires irregularly, and yet the whole has a fast rhythm that no
# single neuron has. C: in an endless network none would be in step; ours, whose neurons share so many inputs, has
# waves. D: volleys with long silences between.

# %%
plots.spectrum(frequencies, power, title="The population's rate in the four regimes", rhythm=rhythms, highest=1000)

# %% [markdown]
# **Figure 8.** Their spectra, and what stands out of them (triangles). A: two halves make twice the rate of a neuron.
# B: more than twice that rate. C: waves of about 100 Hz. D: nothing stands out. Its volleys come at no one interval,
# which spreads their power over many frequencies; a longer run does not mend that, but more neurons do: the paper's
# full network has a rhythm of 20 Hz in kzoo.

# %% [markdown]
# ## Engines
#
# A network of Vogels and Abbott (2005), known as CUBA: 4,000 neurons, synapses whose current decays within 5 ms
# (excitatory) and 10 ms (inhibitory), and no noise. kzoo draws connections and starting voltages from the seed *before*
# an engine begins, so that all engines get one and the same network. Brian2's C++ code is compiled once, which takes
# ten seconds or more, and then kept.

# %%
cuba = networks.cuba()
lacking = engines.available()
results = {}
for engine in ("numpy", "brian-cpp"):
    if lacking[engine]:
        print(f"{engine:>10}: not here, {lacking[engine]}")
        continue
    networks.run(cuba, 0.01, dt, engine=engine)  # what is built is built now
    began = time.perf_counter()
    results[engine] = raster = networks.run(cuba, 0.5, dt, engine=engine)
    took = time.perf_counter() - began
    rate = analysis.rates(raster, start=0.1).mean()
    print(f"{engine:>10}: {rate:.2f} Hz, {took:.2f} s for half a second")
    assert 4.5 < rate < 7
    np.testing.assert_array_equal(raster.neurons, results["numpy"].neurons)
if len(results) > 1:
    print(f"the same {len(raster.times):,} spikes on {' and '.join(results)}")

# %% [markdown]
# ## A film
#
# A raster shows everything at once, and so one sees no movement in it. Here is the network as a grid of lamps that
# light up with each spike and fade, and the raster beside it. (Drag the raster's cursor; slow it down. Regime D is the
# one to watch.) `plots.save_activity` writes the same as a GIF, an MP4 or a page of its own.

# %%
raster = brunel["D"]
data = plots.activity_data(raster.times, raster.neurons, raster.size, raster.duration, groups=raster.groups)
page = activity_page(data, title="Brunel's network, regime D", seconds=12)
print(f"{data['count']:,} spikes in {len(page) / 1024:.0f} kB of a page that asks nobody for anything")
HTML(f'<div><iframe srcdoc="{html.escape(page)}" width="100%" height="620" style="border: 0"></iframe></div>')

# %% [markdown]
# **Figure 9.** Regime D as a film: volleys through the whole network, and silence between them. Excitatory neurons
# above, inhibitory ones below.

# %% [markdown]
# ## What breaks it
#
# A small network is not a large one seen from afar. Theory takes neurons for independent; in a small network any two
# have sources in common, and what they have in common pushes them at the same time. One measure of it is $\chi$, the
# swing of the whole over that of a single neuron: 0 for a large network of independent neurons, 1 where all do the
# same.

# %%
for scale in (0.2, 0.4):
    raster = networks.run(networks.brunel(*networks.REGIMES["C"], scale=scale), 0.4, dt, engine="numpy")
    rate, chi = analysis.rates(raster, start=0.1).mean(), analysis.synchrony(raster, bin=1 * MS, start=0.1)
    print(f"{raster.size:>6,} neurons, {100 * 0.1 / scale:2.0f} % of sources in common: {rate:.1f} Hz, "
          f"{100 * (rate / theory.brunel_rates(5, 2)[0] - 1):+.0f} % off theory; chi {chi:.2f}")  # fmt: skip

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** Two neurons that inhibit each other take turns (figure 1). Give the synapses a delay of 5 ms, and let b
# begin at -66 mV, close to a, and at -60 mV, far from it. What do they do now, and why?
#
# <details>
# <summary>Solution</summary>
#
# There are two places of rest now. Far from each other, they take turns as before. Close to each other, they end nearly
# together: the spike of each then reaches the other when both have fired and climb again, the one that is ahead is hit
# later in its climb, where it is flatter and a millivolt costs more time, and so it loses its lead. Inhibition with a
# delay is one of the ways to make a rhythm.
#
# ```python
# ends = {}
# for start in (-66 * MV, -60 * MV):
#     late = phases(networks.run(pair(-1 * MV, 5 * MS, start), 3.0, dt, engine="numpy"))
#     apart = np.minimum(late, 1 - late)
#     ends[start] = apart[-1]
#     print(f"from {start / MV:.0f} mV: at first {apart[0]:.2f}, at last {apart[-1]:.2f} of an interval apart")
# assert ends[-66 * MV] < 0.05
# assert ends[-60 * MV] > 0.45
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Draw matrices $W$ of 50 neurons with independent normal entries of variance $s^2 / 50$. From which $s$
# on does the network run away?
#
# <details>
# <summary>Solution</summary>
#
# The eigenvalues of such a matrix fill a disc of radius $s$ (the circular law), so that the largest real part is about
# $s$, and the limit is about 1.
#
# ```python
# draws = np.random.default_rng(0).normal(size=(40, 50, 50)) / np.sqrt(50)
# for s in (0.8, 1.0, 1.3):
#     share = np.mean([theory.graded_stability(s * draw).stable for draw in draws])
#     print(f"s = {s}: {100 * share:.0f} % are stable")
# assert np.mean([theory.graded_stability(0.8 * draw).stable for draw in draws]) > 0.9
# assert np.mean([theory.graded_stability(1.3 * draw).stable for draw in draws]) < 0.1
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** In the balanced network raise the current from 0.3 to 0.6 nA. A neuron alone more than doubles its
# rate. And in the network? What do mean and threshold say?
#
# <details>
# <summary>Solution</summary>
#
# Inhibition rises until the mean stays as far below threshold as before: $R I - \tau w K \nu (g/4 - 1)$ is constant, and
# so the rate grows by $R / \tau w K (g/4 - 1)$ for each ampere. That is a straight line without the corner and the bend
# of a single neuron's curve: a network in balance is a linear thing made of very unlinear ones.
#
# ```python
# found = []
# for current in (0.3, 0.45, 0.6):
#     made = networks.balanced(size=1000, in_degree=100, weight=0.8 * MV, g=8, current=current * NA)
#     found.append(analysis.rates(networks.run(made, 1.0, dt, engine="numpy"), start=onset).mean())
#     alone = theory.rate(neuron, current * NA)
#     print(f"{current} nA: {found[-1]:.1f} Hz in the network, {alone:.0f} Hz alone")
# slope = neuron.resistance / (neuron.tau * 0.8 * MV * 100 * (8 / 4 - 1))
# print(f"{(found[2] - found[0]) / 0.3:.1f} Hz for a nanoampere, {slope * NA:.1f} by the formula")
# np.testing.assert_allclose((found[2] - found[0]) / (0.3 * NA), slope, rtol=0.1)
# np.testing.assert_allclose(found[1], (found[0] + found[2]) / 2, rtol=0.05)
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** How far does a single extra spike carry? Repeat figure 5 with synapses of 0.02, 0.1 and 0.8 mV. Count a
# spike as kept if the same neuron has one within a millisecond in the other run.
#
# <details>
# <summary>Solution</summary>
#
# Weak synapses leave the neurons to their clocks: each is moved a little, and that is all. With strong ones each moved
# spike moves others by more, across the whole network within some tens of milliseconds. Between the two lies a network
# that forgets slowly.
#
# ```python
# def kept(one, two, start, stop):
#     """The share of a run's spikes that the other one has, too."""
#     shares = []
#     for number in range(one.size):
#         times, others = one.spike_times(number), two.spike_times(number)
#         times = times[(times > start) & (times < stop)]
#         shares += [len(others) > 0 and np.abs(others - t).min() < 1.01 * MS for t in times]
#     return np.mean(shares)
#
#
# left = []
# for strength in (0.02, 0.1, 0.8):
#     made = networks.balanced(size=1000, in_degree=100, weight=strength * MV, g=8, current=0.3 * NA)
#     one, two = (networks.run(made, 0.6, dt, engine="numpy", stimulus=given) for given in (None, push))
#     left.append(kept(one, two, 0.40, 0.45))
#     print(f"{strength:.2f} mV: {100 * left[-1]:.0f} % of the spikes from 400 to 450 ms are where they were")
# assert left[0] > 0.9 > left[1] > 0.15 > left[2]
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A synapse moves a voltage by a weight after a delay; two neurons already find a rhythm of their own.
# - Graded coupling is linear: it rests at $(1 - W)^{-1} R I$ if every eigenvalue of $W$ has a real part below 1.
# - In balance the means cancel and the fluctuations stay: irregular firing without noise, and chaos.
# - Self-consistency foretells a rate, Brunel's plane the four ways to fire; small networks are more in step.
# - Where the network is drawn before the engine begins, every engine gives the same spikes.
#
# To read on: van Vreeswijk and Sompolinsky, *Chaos in neuronal networks with balanced excitatory and inhibitory
# activity*, 1996, doi:10.1126/science.274.5293.1724. Brunel, *Dynamics of sparsely connected networks of excitatory and
# inhibitory spiking neurons*, 2000, doi:10.1023/A:1008925309027. Vogels and Abbott, *Signal propagation and logic
# gating in networks of integrate-and-fire neurons*, 2005, doi:10.1523/JNEUROSCI.3508-05.2005. In kzoo:
# `kzoo/bio/networks/ready.py`; from a shell, `kzoo bio network brunel --regime D --animate film.html`.
