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
# # 15 · The LIF neuron
#
# **When does a leaky cell fire, how often, and what does noise change?**
#
# After this chapter you can
#
# - write the leaky integrate-and-fire neuron in ten lines that give kzoo's voltages to the last digits;
# - say how far its voltage gets, how fast, and which current it needs to fire at all;
# - foretell its rate for any current, and the error that a simulation in steps adds to it;
# - foretell its rate under noise, by a formula of 1951, and say when it fires like a clock and when like dice;
# - say which rhythms a membrane hears.
#
# It needs chapter 1, and a differential equation of the first order. Nothing here is trained, so no Keras is loaded:
# `kzoo.bio` is NumPy. On one core a few seconds.

# %%
# %matplotlib inline
import kzoo

print(f"kzoo {kzoo.__version__}")

# %%
import numpy as np

from kzoo import plots
from kzoo.bio import LIF, analysis, currents, engines, rates, simulate, theory
from kzoo.errors import ParameterError
from kzoo.plots.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, color, label, new_figure

MS, MV, NA = 1e-3, 1e-3, 1e-9  # kzoo.bio counts in seconds, volts and amperes; figures in these
dt = 0.1 * MS
neuron = LIF()
print(neuron)

# %% [markdown]
# ## The idea: a leaky bucket with a limit
#
# A neuron's membrane keeps charge like a capacitor and leaks like a resistor. A current $I$ drives its voltage $V$ away
# from the resting voltage, and the leak pulls it back:
#
# $$ \tau \frac{dV}{dt} = -(V - V_\mathrm{rest}) + R I. $$
#
# A real neuron answers with a pulse of a millisecond, the **spike**, once $V$ gets high enough. All spikes of a neuron
# look alike, so the model leaves their shape out: *when $V$ exceeds the threshold $V_\mathrm{th}$, note the time, set
# $V$ to $V_\mathrm{reset}$, and hold it there for the refractory period $t_\mathrm{ref}$*. That is the whole **leaky
# integrate-and-fire neuron**. Lapicque had its first half in 1907, when nobody knew what a spike is.
#
# During a step of length $dt$ the current is constant, and then the equation can be solved without any error: the
# voltage goes a fixed part of the way towards $V_\infty = V_\mathrm{rest} + R I$,
#
# $$ V \leftarrow V_\infty + (V - V_\infty)\, e^{-dt/\tau}. $$


# %%
def lif(current, neuron, dt):
    """Voltages (t,) at the start of each step, and spikes (t,), under a current (t,)."""
    v, last, kept = neuron.v_rest, -np.inf, np.exp(-dt / neuron.tau)
    voltage, spikes = np.empty(len(current)), np.zeros(len(current), bool)
    for k, i in enumerate(current):
        voltage[k] = v
        if k - last >= round(neuron.t_ref / dt):  # else it is held at the reset
            goal = neuron.v_rest + neuron.resistance * i
            v = goal + (v - goal) * kept
            if v > neuron.v_threshold:
                spikes[k], v, last = True, neuron.v_reset, k
    return voltage, spikes


pushed = currents.step(0.5, dt, amplitude=0.3 * NA)  # half a second: nothing, a step, nothing
ours, spikes = lif(pushed, neuron, dt)
theirs = simulate(neuron, pushed, dt)
np.testing.assert_allclose(ours, theirs.voltage[:, 0], rtol=0, atol=1e-15)
np.testing.assert_array_equal(spikes, theirs.spikes[:, 0])
print(f"{spikes.sum()} spikes; voltages differ by {np.abs(ours - theirs.voltage[:, 0]).max():.0e} V at most")
plots.membrane(
    pushed,
    ours,
    spikes,
    dt,
    title="A LIF neuron under a step of current",
    v_threshold=neuron.v_threshold,
    v_rest=neuron.v_rest,
    rheobase=theory.rheobase(neuron),
)

# %% [markdown]
# **Figure 1.** Our ten lines under a current that is switched on and off. The voltage climbs from rest to threshold, is
# reset, and climbs again: the same interval every time, since nothing but the reset is remembered. The strokes above
# threshold are drawn by hand, as in every textbook: the model has no voltage there. When the current stops, the
# charge leaks away within some time constants.

# %% [markdown]
# ## Below threshold: how far, and how fast
#
# From rest, under a constant current, $V(t) = V_\infty + (V_\mathrm{rest} - V_\infty)\, e^{-t/\tau}$. The resistance
# says *how far* it gets: $R I$. The time constant says *how fast*: two thirds of the way after $\tau$.
#
# Could we not simply add $dt \cdot dV/dt$, as everybody does first? That is Euler's step. It replaces $e^{-dt/\tau}$ by
# $1 - dt/\tau$, and is wrong by a part that shrinks only in proportion to $dt$.

# %%
t = np.arange(1000) * dt
figure = new_figure(10, 3.8)
axes = figure.subplots(1, 2)
for k, tau in enumerate((5 * MS, 20 * MS, 50 * MS)):
    slow = LIF(tau=tau)
    constant = currents.constant(0.1, dt, 0.15 * NA)
    found = simulate(slow, constant, dt).voltage[:, 0]
    np.testing.assert_allclose(found, theory.membrane(slow, 0.15 * NA, t), rtol=0, atol=1e-14)
    axes[0].plot(t / MS, found / MV, color=color(k), linewidth=2, label=rf"$\tau$ = {tau / MS:.0f} ms")
    axes[0].plot(tau / MS, (slow.v_rest + 15 * MV * (1 - np.exp(-1))) / MV, "o", color=color(k))
axes[0].axhline(neuron.v_threshold / MV, color=VERMILLION, linestyle="--", linewidth=1, label="threshold")
label(axes[0], x="time (ms)", y="V (mV)", title="0.15 nA from time 0 on")
axes[0].legend()


def error(step, kept):
    """The largest error (V) under 0.15 nA if a step keeps this part of the way that is left."""
    v, goal, worst = neuron.v_rest, neuron.v_rest + neuron.resistance * 0.15 * NA, 0.0
    for k in range(round(0.1 / step)):
        worst = max(worst, abs(v - theory.membrane(neuron, 0.15 * NA, k * step)))
        v = goal + (v - goal) * kept
    return worst


steps = np.array([0.05, 0.1, 0.2, 0.5, 1, 2, 5]) * MS
euler = np.array([error(step, 1 - step / neuron.tau) for step in steps])
exact = np.array([error(step, np.exp(-step / neuron.tau)) for step in steps])
axes[1].loglog(steps / MS, euler / MV, "o-", color=VERMILLION, label="Euler")
axes[1].loglog(steps / MS, exact / MV, "s-", color=BLUE, label="exact step: rounding")
label(axes[1], x="dt (ms, log axis)", y="largest error (mV, log axis)", title="What a step costs")
axes[1].legend()
np.testing.assert_allclose(euler[1] / euler[0], 2, rtol=0.02)  # first order: half the step, half the error
assert exact.max() < 1e-14
print(f"Euler at dt = 0.1 ms: wrong by up to {euler[1] / MV:.3f} mV; at 1 ms by {euler[4] / MV:.2f} mV")
figure

# %% [markdown]
# **Figure 2.** Left: three membranes under the same current. All tend to 15 mV above rest; the dots stand at $t =
# \tau$, two thirds of the way. Right: the largest error of Euler's step, which halves with the step, beside that of the
# exact step, which is rounding at any $dt$. The exact step costs the same. It is exact for the voltage *between*
# spikes; what a step does to the times of spikes comes next.

# %% [markdown]
# ## How often it fires
#
# The voltage never reaches threshold if $V_\infty$ lies below it. The least current that will do is the **rheobase**,
#
# $$ I_\mathrm{rh} = \frac{V_\mathrm{th} - V_\mathrm{rest}}{R}. $$
#
# Above it, put $V(t) = V_\mathrm{th}$ into the solution that starts at the reset, and solve for $t$. With the
# refractory period added, that is the interval between two spikes, and one over it is the rate:
#
# $$ f(I) = \left[ t_\mathrm{ref} +
#    \tau \ln \frac{V_\infty - V_\mathrm{reset}}{V_\infty - V_\mathrm{th}} \right]^{-1}. $$
#
# Near the rheobase the logarithm grows without bound: the rate starts at 0, but steeply. For large currents it is
# small, and the rate tends to $1 / t_\mathrm{ref}$.
#
# In a simulation a spike falls on a step. The time from reset to threshold is then cut down to whole steps,
# $\lfloor \cdot / dt \rfloor\, dt$, and so the simulated rate is a staircase close to the curve. This, too, can be
# foretold: exactly.


# %%
def by_hand(current):
    """The rate (Hz) under a constant current, from the formula."""
    end = neuron.v_rest + neuron.resistance * current
    if end <= neuron.v_threshold:
        return 0.0
    climb = neuron.tau * np.log((end - neuron.v_reset) / (end - neuron.v_threshold))
    return 1 / (neuron.t_ref + climb)


pushes = np.linspace(0, 1 * NA, 41)
formula = np.array([by_hand(push) for push in pushes])
np.testing.assert_allclose(formula, theory.rate(neuron, pushes), rtol=1e-12)
simulated = rates(neuron, pushes, duration=3.0, dt=dt)  # 41 neurons in one run
np.testing.assert_allclose(simulated, theory.rate_on_grid(neuron, pushes, dt), rtol=1e-9)
fires = formula > 0
print(f"rheobase {theory.rheobase(neuron) / NA:.2f} nA; simulated rates differ")
for name, guess in (("the formula", formula), ("the formula on the grid", theory.rate_on_grid(neuron, pushes, dt))):
    print(f"by up to {100 * np.abs(simulated[fires] / guess[fires] - 1).max():.2g} % from {name}")
plots.frequency_current(
    pushes,
    simulated,
    title="Rate over current: the f-I curve",
    theory={"formula": formula},
    rheobase=theory.rheobase(neuron),
)

# %% [markdown]
# **Figure 3.** The f-I curve: 41 neurons, each under a constant current of its own, simulated in one run (dots), and
# the formula (line). Below the rheobase there is silence, and just above it the steepest rise of the whole curve.

# %%
figure = new_figure(10, 3.8)
axes = figure.subplots(1, 2)
fine = np.linspace(0.6 * NA, 0.7 * NA, 400)
axes[0].plot(fine / NA, theory.rate(neuron, fine), color=BLACK, linewidth=1, label="formula")
for k, step in enumerate((0.1 * MS, 0.5 * MS)):
    stairs = theory.rate_on_grid(neuron, fine, step)
    axes[0].plot(fine / NA, stairs, color=color(k), linewidth=2, label=f"in steps of {step / MS:g} ms")
    wide = np.linspace(0.21 * NA, 1 * NA, 2000)
    apart = 100 * (theory.rate_on_grid(neuron, wide, step) / theory.rate(neuron, wide) - 1)
    axes[1].plot(wide / NA, apart, color=color(k), linewidth=1, label=f"in steps of {step / MS:g} ms")
label(axes[0], x="current (nA)", y="rate (Hz)", title="A part of figure 3 under the lens")
label(axes[1], x="current (nA)", y="rate too high by (%)", title="What steps do to the rate")
for panel in axes:
    panel.legend()
    panel.grid(alpha=0.25)
figure

# %% [markdown]
# **Figure 4.** Simulated rates are staircases: many currents share one interval, a whole number of steps. They are
# never too low, as a spike is stamped with the start of its step and the part of a step that is left over is lost; and
# the more the higher the rate, since a lost part weighs more in a short interval. Whoever compares a simulation with
# the formula finds this error, and may look for it in his code. It is in neither: it is in $dt$.

# %% [markdown]
# ## Noise
#
# A neuron in the brain has thousands of inputs, and their sum fluctuates. Write that as white noise of the membrane:
#
# $$ \tau\, dV = (V_\infty - V)\, dt + \sigma \sqrt{\tau}\, dW. $$
#
# Without a threshold $V$ would wander about $V_\infty$ with the standard deviation $\sigma / \sqrt 2$. With one, it
# fires now and then even if $V_\infty$ lies *below* it, whenever chance carries it up. The mean time until chance does
# so is known: Siegert solved it in 1951.
#
# $$ \frac{1}{f} = t_\mathrm{ref} + \tau \sqrt{\pi} \int_{(V_\mathrm{reset} - V_\infty)/\sigma}^{(V_\mathrm{th} -
#    V_\infty)/\sigma} e^{x^2} (1 + \operatorname{erf} x)\, dx $$
#
# A simulation in steps sees the voltage only at their ends. It misses the excursions that come back in between, and
# fires less: as if the threshold were higher by $0.5826\, \sigma \sqrt{dt/\tau}$, and by somewhat more where the mean
# alone would carry it across.

# %%
copies, seconds = 40, 3.0
levels = {"no noise": 0.0, "noise of 2 mV": 2 * MV, "noise of 5 mV": 5 * MV}
some = np.linspace(0.1 * NA, 0.35 * NA, 11)
measured, lines = {}, {}
for name, sigma in levels.items():
    many = rates(neuron, np.repeat(some, copies), duration=seconds, dt=dt, sigma=sigma)
    measured[name] = many.reshape(-1, copies).mean(axis=1)
    smooth = np.linspace(some[0], some[-1], 300)
    lines[name] = smooth, theory.rate_under_noise(neuron, smooth, sigma, dt if sigma else None)
foretold = theory.rate_under_noise(neuron, some, 5 * MV, dt)
plain = theory.rate_under_noise(neuron, some, 5 * MV)
often = foretold > 5
np.testing.assert_allclose(measured["noise of 5 mV"][often], foretold[often], rtol=0.03)
for name, guess in (("corrected", foretold), ("for continuous time", plain)):
    apart = 100 * np.mean(guess[often] / measured["noise of 5 mV"][often] - 1)
    print(f"Siegert's rate, {name}: off by {apart:+.1f} % in the mean")
plots.frequency_current(
    some, measured, title="The f-I curve under noise", theory=lines, rheobase=theory.rheobase(neuron)
)

# %% [markdown]
# **Figure 5.** Noise rounds off the corner at the rheobase: the neuron fires below it, rarely, and the sharp rise
# becomes gentle. Far above the rheobase noise hardly matters. Lines are Siegert's formula, with the threshold corrected
# for the steps; without the correction it foretells too much, by the percentage printed above.

# %% [markdown]
# ## A clock or dice?
#
# Two neurons of the same rate need not fire alike. The **coefficient of variation** of the intervals, their standard
# deviation over their mean, is 0 for a clock and 1 where each moment is as likely as any other (a Poisson process).
# Push a neuron over threshold with the mean, and the noise only jitters its clock. Leave the mean below, and each spike
# is an accident that noise has to bring about.

# %%
runs = {"driven by the mean": (0.215 * NA, 1 * MV), "driven by noise": (0.15 * NA, 10 * MV)}
length = 40.0
figure = new_figure(10, 4.6)
grid = figure.subplots(2, 2, width_ratios=(2.2, 1), sharex="col")
found = {}
for row, (name, (mean, sigma)) in zip(grid, runs.items(), strict=True):
    record = simulate(neuron, currents.constant(length, dt, mean), dt, sigma=sigma, seed=1)
    gaps, _ = analysis.intervals(record.raster)
    found[name] = analysis.cv(record.raster)[0]
    foretold = theory.cv_under_noise(neuron, mean, sigma, dt)
    end = neuron.v_rest + neuron.resistance * mean
    print(
        f"{name:>18}: mean {end / MV:.0f} mV, {len(gaps) / length:.1f} Hz, CV {found[name]:.2f} (theory {foretold:.2f})"
    )
    np.testing.assert_allclose(found[name], foretold, rtol=0.1)
    first = slice(0, round(0.6 / dt))
    times = record.times[first] / MS
    row[0].plot(times, record.voltage[first, 0] / MV, color=BLUE, linewidth=0.8)
    row[0].vlines(times[record.spikes[first, 0]], neuron.v_threshold / MV, -30, color=BLUE)
    row[0].axhline(neuron.v_threshold / MV, color=VERMILLION, linestyle="--", linewidth=1)
    row[0].axhline(end / MV, color=GREY, linestyle=":", linewidth=1.5)
    row[1].hist(gaps / MS, bins=np.arange(0, 201, 8), color=ORANGE)
    label(row[0], y="V (mV)", title=name)
    label(row[1], y="intervals", title=f"CV {found[name]:.2f}")
assert found["driven by the mean"] < 0.4 < 0.6 < found["driven by noise"]
label(grid[1, 0], x="time (ms)")
label(grid[1, 1], x="interval (ms)")
figure

# %% [markdown]
# **Figure 6.** Two neurons that fire about 20 times a second. Above, the mean (dotted) lies over threshold (dashed):
# the voltage climbs there by itself, and the intervals are alike. Below, the mean lies under it, and the neuron fires
# at the peaks of the noise: short and long intervals come in no order. Neurons of the cortex fire like the second one,
# with a CV near 1. Where their noise comes from is the question of the next chapter.

# %% [markdown]
# ## Which rhythms does it hear?
#
# A current $I_0 \sin 2 \pi f t$ below threshold moves the voltage by a sine of the same frequency. Put a sine into the
# equation, and out come its amplitude and its lag:
#
# $$ \frac{R I_0}{\sqrt{1 + (2 \pi f \tau)^2}}, \qquad -\arctan 2 \pi f \tau. $$

# %%
frequencies = np.array([0.5, 1, 2, 5, 10, 20, 50, 100])
size, lag = [], []
for f in frequencies:
    rounds = 2 if f < 1 else 4
    length = rounds / f + 0.2  # after ten time constants the start is forgotten
    record = simulate(neuron, currents.sine(length, dt, 0.1 * NA, frequency=f), dt)
    last = slice(-round(1 / f / dt), None)
    # The part of one whole round along e^{2πift}. A current acts from its step on: voltages belong to the step's start.
    turn = 2 * np.mean(record.voltage[last, 0] * np.exp(-2j * np.pi * f * (record.times[last] - dt / 2)))
    size.append(abs(turn))
    lag.append(np.angle(turn) + np.pi / 2)
gain, phase = theory.sine_response(neuron, frequencies)
np.testing.assert_allclose(size, gain * 0.1 * NA, rtol=1e-3)
np.testing.assert_allclose(lag, phase, atol=2e-3)
curve = np.geomspace(0.4, 120, 200)
gain, phase = theory.sine_response(neuron, curve)
figure = new_figure(10, 3.6)
axes = figure.subplots(1, 2)
for panel, line, dots in zip(
    axes, (gain * 0.1 * NA / MV, np.degrees(phase)), (np.array(size) / MV, np.degrees(lag)), strict=True
):
    panel.semilogx(curve, line, color=VERMILLION, label="theory")
    panel.semilogx(frequencies, dots, "o", color=BLUE, label="simulated")
    panel.axvline(1 / (2 * np.pi * neuron.tau), color=GREY, linestyle=":", linewidth=1.5)
    panel.grid(alpha=0.25)
axes[0].legend()
label(axes[0], x="frequency (Hz, log axis)", y="amplitude (mV)", title="How much of it is heard")
label(axes[1], x="frequency (Hz, log axis)", y="phase (degrees)", title="How late")
figure

# %% [markdown]
# **Figure 7.** The membrane is a low-pass filter. The dotted line is $1 / 2 \pi \tau$, 8 Hz here: up to there a rhythm
# comes through almost whole, beyond it shrinks in proportion to its frequency, and comes a quarter of a round late.

# %% [markdown]
# ## The same neuron elsewhere
#
# [Brian2](https://brian2.readthedocs.io) is the simulator that many laboratories use: one writes the equation as text,
# and it makes code of it. kzoo runs it where it is installed (`pip install -e ".[bio]"`), in a process of its own.
# With the same equation, the same steps and the same order of events it has to give the same spikes. Does it?

# %%
lacking = engines.available()
for name, why in lacking.items():
    print(f"{name:>13}: {why or 'here'}")
noisy = currents.constant(0.5, dt, 0.2 * NA)[:, None] + np.random.default_rng(0).normal(0, 2 * NA, (5000, 10))
here = simulate(neuron, noisy, dt)
if lacking["brian-numpy"]:
    print("Without Brian2 there is nothing to compare with; the rest of the chapter does without it.")
else:
    there = simulate(neuron, noisy, dt, engine="brian-numpy")
    print(f"10 neurons under noise, {here.spikes.sum()} spikes: {(here.spikes != there.spikes).sum()} of them differ,")
    print(f"and voltages by {np.abs(here.voltage - there.voltage).max():.0e} V at most")
    np.testing.assert_array_equal(here.spikes, there.spikes)
    np.testing.assert_allclose(here.voltage, there.voltage, rtol=0, atol=1e-12)

# %% [markdown]
# ## What breaks it
#
# Some parameters make no neuron: a reset above the threshold would follow its own spike by another one at once, for
# ever. kzoo refuses them, and says why. Others make a neuron, but a poor simulation of it: the shorter the interval
# between two spikes, the more a step matters, and closer than a step no two of them can come.

# %%
for wrong in ({"v_reset": -40 * MV}, {"tau": 0.0}, {"t_ref": -1 * MS}):
    try:
        LIF(**wrong)
    except ParameterError as error:
        print(error)
strong = 1.0 * NA
for step in (0.01, 0.1, 1.0, 5.0):
    rate = rates(neuron, [strong], duration=2.0, dt=step * MS)[0]
    print(
        f"dt = {step:>4} ms: {rate:6.1f} Hz, {100 * (rate / theory.rate(neuron, strong) - 1):+6.1f} % off the formula"
    )

# %% [markdown]
# ## Exercises

# %% [markdown]
# **Exercise 1.** A neuron with $\tau$ = 20 ms fires under 0.3 nA. How long does the *first* spike take after the
# current is switched on, from rest? Find the formula, and check it.
#
# <details>
# <summary>Solution</summary>
#
# The climb begins at rest, not at the reset, and no refractory period comes before it:
# $\tau \ln \frac{V_\infty - V_\mathrm{rest}}{V_\infty - V_\mathrm{th}}$. The simulated spike has the start of its step.
#
# ```python
# end = neuron.v_rest + neuron.resistance * 0.3 * NA
# climb = neuron.tau * np.log((end - neuron.v_rest) / (end - neuron.v_threshold))
# first = simulate(neuron, currents.constant(0.1, dt, 0.3 * NA), dt).spike_times()[0]
# print(f"{climb / MS:.2f} ms by formula, {first / MS:.2f} ms simulated")
# assert 0 <= climb - first < dt
# ```
#
# </details>

# %% [markdown]
# **Exercise 2.** Somebody measured rates of 30, 60 and 80 Hz under 0.25, 0.35 and 0.45 nA. Which refractory period and
# which resistance does a LIF neuron with the other parameters as above need to come closest?
#
# <details>
# <summary>Solution</summary>
#
# Two unknowns, and a formula: try all on a grid. That three numbers are met by two knobs is no proof that the neuron is
# one of this kind.
#
# ```python
# told, seen = np.array([0.25, 0.35, 0.45]) * NA, np.array([30.0, 60.0, 80.0])
# best = min(
#     (np.abs(theory.rate(LIF(resistance=r, t_ref=t), told) - seen).max(), r, t)
#     for r in np.linspace(80e6, 140e6, 61)
#     for t in np.linspace(0, 10 * MS, 51)
# )
# print(f"R = {best[1] / 1e6:.0f} MΩ, t_ref = {best[2] / MS:.1f} ms: at most {best[0]:.1f} Hz off")
# assert best[0] < 3
# ```
#
# </details>

# %% [markdown]
# **Exercise 3.** Pulses of 2 ms: is it the charge of a pulse that counts, or its height? Compare pulses of 2 ms and of
# 4 ms with the same charge, for a neuron with $\tau$ = 20 ms and for one with $\tau$ = 2 ms.
#
# <details>
# <summary>Solution</summary>
#
# A membrane forgets within $\tau$. To a slow one both pulses are instants, and the charge is all that it sees; a fast
# one follows the height.
#
# ```python
# peaks = {}
# for tau in (20 * MS, 2 * MS):
#     cell = LIF(tau=tau, resistance=100e6, v_threshold=1.0)  # a threshold far away: it never fires
#     for width in (2 * MS, 4 * MS):
#         pulse = currents.step(0.05, dt, 0.4 * NA * 2 * MS / width, start=10 * MS, stop=10 * MS + width)
#         peaks[tau, width] = simulate(cell, pulse, dt).voltage.max() - cell.v_rest
#     print(f"tau {tau / MS:.0f} ms: {peaks[tau, 2 * MS] / MV:.2f} and {peaks[tau, 4 * MS] / MV:.2f} mV")
# slow, fast = (peaks[tau, 2 * MS] / peaks[tau, 4 * MS] for tau in (20 * MS, 2 * MS))
# assert slow < 1.1 < 1.3 < fast
# ```
#
# </details>

# %% [markdown]
# **Exercise 4.** Is there a best noise? Hold the mean below rheobase, at 0.15 nA, and measure the CV of the intervals
# for $\sigma$ of 3, 8 and 30 mV.
#
# <details>
# <summary>Solution</summary>
#
# Little noise: a spike is a rare accident, and rare accidents come like dice. Much noise: it throws the voltage over
# threshold again as soon as it is let go, or far down, and short and very long intervals alternate. In between, spikes
# come soon after the climb from the reset, and the climb takes its time. So the CV has a minimum: the neuron is most
# regular at a noise that is not the least. Pikovsky and Kurths called that coherence resonance (1997,
# doi:10.1103/PhysRevLett.78.775).
#
# ```python
# held = currents.constant(40.0, dt, 0.15 * NA)
# cvs = []
# for sigma in (3, 8, 30):
#     record = simulate(neuron, held, dt, sigma=sigma * MV, seed=2)
#     cvs.append(analysis.cv(record.raster)[0])
#     print(f"sigma {sigma:2d} mV: {record.spikes.sum() / record.duration:4.1f} Hz, CV {cvs[-1]:.2f}")
# assert cvs[1] < min(cvs[0], cvs[2])
# ```
#
# </details>

# %% [markdown]
# ## In short
#
# - A LIF neuron is a leaky membrane with a threshold and a reset. Between spikes it can be stepped without error.
# - It needs $I > (V_\mathrm{th} - V_\mathrm{rest}) / R$; its rate is one over a logarithm and the refractory period.
# - A simulation in steps fires at intervals of whole steps: this error, too, has a formula.
# - Noise lets it fire below rheobase, at a rate that Siegert's formula gives; driven by noise it fires like dice.
# - It hears rhythms up to about $1 / 2 \pi \tau$.
#
# To read on: Gerstner, Kistler, Naud and Paninski, *Neuronal Dynamics*, 2014, doi:10.1017/CBO9781107447615, chapters 1
# and 8. Siegert, *On the first passage time probability problem*, 1951, doi:10.1103/PhysRev.81.617. In kzoo:
# `kzoo/bio/neuron.py` and `kzoo/bio/theory.py`; from a shell, `kzoo bio lif --current noise` and `kzoo bio fi`.
