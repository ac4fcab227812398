"""Spiking simulation: C++ programs beside NEST, theory and NumPy, in named parts.

    python benchmarks/bio.py neuron cuba brunel memory scale [--turns 7] [--regimes ABCD] [--smoke] [--out FILE]

neuron: a built program for a single neuron, run again with other parameters: seconds of one run, and 100 runs from 8
    threads beside the same runs one after the other.
cuba: the network of Vogels and Abbott, 4,000 neurons, 1 s of biological time: processor seconds of the C++ program,
    connections read and process started included, beside those of NEST's Simulate alone and of NumPy.
brunel: rate, coefficient of variation and rhythm of Brunel's four regimes at full size, beside theory and NEST. In
    D no simulation is within 10 % of the theory, which is of an asynchronous state: the network is not. In A a spike
    takes one step longer to set off the next than in NEST, which tests the threshold after the synapses and not
    before, as Brian2 does; 32 steps make an interval there instead of 30.
memory: the peak memory of the program that runs Brunel's network in full, 12,500 neurons and 15.6 million synapses.
scale: what smaller networks keep of the four regimes; the slow rhythm of D does not stand out in them.

NEST is optional: pip install nest-simulator. It runs in a process of its own, with one thread.
"""

import concurrent.futures
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timing

from kzoo.bio import LIF, analysis, networks, theory
from kzoo.bio.engines import building, numpy_network, programs, standalone

# The targets.
RERUN_MS, FASTER_THAN_NEST, WITHIN, PEAK_MIB = 20, 8, 0.1, 2048
CUBA_HZ = (5.0, 6.5)
# Seconds of biological time of each regime, and those at the beginning that are not counted.
TIMES = {"A": (0.6, 0.1), "B": (1.2, 0.2), "C": (1.2, 0.2), "D": (4.2, 0.2)}


def main(arguments=None) -> None:
    """Measures the parts asked for, prints tables, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "nest"], help="what to measure")
    parser.add_argument("--turns", type=int, default=7, help="timed calls of each way (default 7)")
    parser.add_argument("--regimes", default="ABCD", help="of Brunel's network (default ABCD)")
    parser.add_argument("--asked", help="JSON: what NEST is to run, for the part nest alone")
    given = parser.parse_args(arguments)
    if given.parts == ["nest"]:
        print("NEST", json.dumps(nest(json.loads(given.asked))))
        return
    report = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "smoke": given.smoke,
        "brian2": building.brian_version(),
        "compiler": building.compiler_version(),
        "figures": {part: PARTS[part](given) for part in given.parts},
    }
    if given.out:
        given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def of_children() -> float:
    """Processor seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def neuron(given) -> dict:
    """A built single neuron with other parameters, one after the other and in threads."""
    runs = 8 if given.smoke else 100
    steps = np.arange(5000)

    def one(k):
        start = time.perf_counter()
        current = np.where((steps > 500) & (steps < 4500), (0.15 + 0.02 * (k % 20)) * 1e-9, 0.0)[:, None]
        parameters = LIF(tau=(10 + k % 20) * 1e-3, t_ref=(1 + 0.1 * (k % 20)) * 1e-3)
        made = standalone.simulate(parameters, current, 1e-4, np.array([parameters.v_rest]))
        return time.perf_counter() - start, made

    one(0)
    used = of_children()
    serial = [one(k) for k in range(runs)]
    used = (of_children() - used) / runs
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(one, range(runs)))
    together = time.perf_counter() - start
    same = all(
        np.array_equal(a.voltage, b.voltage) and np.array_equal(a.spikes, b.spikes)
        for (_, a), (_, b) in zip(serial, threads, strict=True)
    )
    median = 1e3 * statistics.median(seconds for seconds, _ in serial)
    print(f"neuron: 0.5 s at 0.1 ms again: {median:.1f} ms, {1e3 * used:.1f} of processor; the limit is {RERUN_MS}")
    print(f"  {runs} runs from 8 threads: {together:.2f} s; identical to the serial ones: {same}")
    return {
        "rerun_ms": round(median, 2),
        "cpu_ms": round(1e3 * used, 2),
        "threads_s": round(together, 3),
        "identical": same,
        "within_limit": median < RERUN_MS and same,
    }


def cuba(given) -> dict:
    """CUBA in C++ beside NEST and NumPy, in turns."""
    turns, seconds = (1, 0.05) if given.smoke else (given.turns, 1.0)
    network = networks.cuba()
    standalone.run(network.plan(0.01))
    rows = {"kzoo C++": [], "kzoo NumPy": []}
    rates = {name: [] for name in rows}
    if has_nest():
        rows["NEST"], rates["NEST"] = [], []
    for turn in range(turns):
        plan = network.plan(seconds, seed=turn)
        used, own = of_children(), time.process_time()
        made = standalone.run(plan)
        rows["kzoo C++"].append(of_children() - used + time.process_time() - own)
        rates["kzoo C++"].append(len(made.steps) / plan.size / seconds)
        own = time.process_time()
        made = numpy_network.run(plan)
        rows["kzoo NumPy"].append(time.process_time() - own)
        rates["kzoo NumPy"].append(len(made.steps) / plan.size / seconds)
        if "NEST" in rows:
            answer = ask_nest({"network": "cuba", "seconds": seconds, "seed": turn + 1})
            rows["NEST"].append(answer["simulate_cpu_s"])
            rates["NEST"].append(answer["rate"])
    figures = {}
    print(f"cuba, {seconds:g} s of biological time: processor seconds, median of {turns}")
    for name, used in rows.items():
        figures[name] = {"cpu_s": round(statistics.median(used), 4), "rate_hz": round(statistics.mean(rates[name]), 2)}
        print(f"  {name:12}{figures[name]['cpu_s']:9.3f} s {figures[name]['rate_hz']:8.2f} Hz")
    inside = all(CUBA_HZ[0] <= figures[name]["rate_hz"] <= CUBA_HZ[1] for name in rows)
    print(f"  rates between {CUBA_HZ[0]} and {CUBA_HZ[1]} Hz: {inside}")
    if "NEST" in rows:
        ratios = [a / b for a, b in zip(rows["NEST"], rows["kzoo C++"], strict=True)]
        figures["faster_than_nest"] = round(statistics.median(ratios), 2)
        figures["within_limit"] = figures["faster_than_nest"] >= FASTER_THAN_NEST
        print(f"  C++ is {figures['faster_than_nest']} times as fast as NEST; at least {FASTER_THAN_NEST} is wanted")
    return figures


def seen(raster, skip) -> dict:
    """Rate, CV, synchrony, and the rhythm of the population rate, None where none stands out of the noise."""
    # Fine bins: in regime A two groups of neurons take turns, at more than 600 Hz.
    bins, rate = analysis.population_rate(raster, 2e-4)
    rhythm = analysis.rhythm(rate[bins >= skip], 2e-4, highest=1000)
    cv = analysis.cv(raster, skip)
    duration = raster.duration - skip
    return {
        "rate_hz": round(float(np.sum(raster.times >= skip) / raster.size / duration), 2),
        "cv": round(float(np.nanmean(cv)), 3) if np.isfinite(cv).any() else None,  # in a few ms nobody fires often
        "chi": round(float(analysis.synchrony(raster, start=skip)), 3),
        "rhythm_hz": round(rhythm, 1) if np.isfinite(rhythm) else None,
    }


def brunel(given) -> dict:
    """Brunel's regimes in full beside theory and NEST."""
    scale = 0.2 if given.smoke else 1.0
    return {name: regime(name, scale, given.smoke, has_nest()) for name in given.regimes}


def scale(given) -> dict:
    """Brunel's regimes in smaller networks."""
    return {
        f"{size:g}": {name: regime(name, size, given.smoke, False) for name in given.regimes}
        for size in ((0.2,) if given.smoke else (0.2, 0.4))
    }


def regime(name, scale, smoke, with_nest) -> dict:
    """One regime at one scale."""
    seconds, skip = (0.06, 0.01) if smoke else TIMES[name]
    g, eta = networks.REGIMES[name]
    network = networks.brunel(g, eta, scale)
    used = of_children()
    raster = networks.run(network, seconds, engine="brian-cpp")
    used = of_children() - used
    expected = float(theory.brunel_rates(g, eta)[0])
    figures = {
        "kzoo C++": {**seen(raster, skip), "cpu_s_per_s": round(used / seconds, 2)},
        "theory_hz": round(expected, 2),
        "theory_on_grid_hz": round(float(theory.brunel_rates(g, eta, dt=1e-4)[0]), 2),
    }
    if with_nest:
        asked = {"network": "brunel", "g": g, "eta": eta, "scale": scale, "seconds": seconds, "seed": 1}
        with tempfile.TemporaryDirectory() as folder:
            asked["save"] = str(Path(folder) / "spikes.npz")
            answer = ask_nest(asked)
            with np.load(asked["save"], allow_pickle=False) as file:
                spikes = dict(file)
        other = type(raster)(spikes["times"], spikes["neurons"], raster.size, {}, raster.duration, raster.dt, "NEST")
        figures["NEST"] = {**seen(other, skip), "cpu_s_per_s": round(answer["simulate_cpu_s"] / seconds, 2)}
        apart = abs(figures["kzoo C++"]["rate_hz"] / figures["NEST"]["rate_hz"] - 1)
        figures["of_nest"] = round(apart, 4)
        figures["nest_within_limit"] = apart <= WITHIN
    figures["of_theory"] = round(abs(figures["kzoo C++"]["rate_hz"] / expected - 1), 4)
    figures["theory_within_limit"] = figures["of_theory"] <= WITHIN
    print(f"brunel {name} ({networks.REGIME_NAMES[name]}), scale {scale:g}: theory {figures['theory_hz']} Hz")
    for row in ("kzoo C++", "NEST"):
        if row in figures:
            values = figures[row]
            rhythm = "no rhythm" if values["rhythm_hz"] is None else f"rhythm of {values['rhythm_hz']:.0f} Hz"
            print(
                f"  {row:10}{values['rate_hz']:8.2f} Hz  CV {values['cv']}  chi {values['chi']:.3f}  "
                f"{rhythm}  {values['cpu_s_per_s']:.2f} processor s for 1 s"
            )
    beside = [("theory", "of_theory"), ("NEST", "of_nest")]
    words = [f"{100 * figures[key]:.1f} % from {name}" for name, key in beside if key in figures]
    print(f"  the rate is {', '.join(words)}; the limit is {100 * WITHIN:g} %")
    return figures


def memory(given) -> dict:
    """The peak memory of the program with Brunel's network in full, and of the process that makes the network."""
    plan = networks.brunel(scale=0.2 if given.smoke else 1.0).plan(0.02 if given.smoke else 0.2)
    binary = programs.program(plan.structure)
    # Started by a process of its own with little memory, as Linux counts a parent's in.
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1], stdin=open(sys.argv[2], 'rb'), stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "input"
        file.write_bytes(standalone.encoded(plan))
        done = subprocess.run(
            [sys.executable, "-c", script, binary, file],
            env={**os.environ, "KZOO_SIZE": str(plan.size)},
            capture_output=True,
            text=True,
            check=True,
        )
    peak = int(done.stdout) / 1024
    synapses = sum(len(wires.targets) for wires in plan.wires)
    print(
        f"memory: {plan.size} neurons, {synapses / 1e6:.1f} million synapses: {peak:.0f} MiB; the limit is {PEAK_MIB}"
    )
    print(f"  the process that made the network: {timing.peak_mib():.0f} MiB")
    return {
        "neurons": plan.size,
        "synapses": synapses,
        "peak_mib": round(peak, 1),
        "parent_mib": timing.peak_mib(),
        "within_limit": peak < PEAK_MIB,
    }


def has_nest() -> bool:
    """Whether NEST is installed; it prints a banner when it is imported, so it is not."""
    return importlib.util.find_spec("nest") is not None


def ask_nest(asked) -> dict:
    """What `nest` answers in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "nest", "--asked", json.dumps(asked)], capture_output=True, text=True, check=True
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("NEST {"))
    return json.loads(line.removeprefix("NEST "))


def nest(asked) -> dict:
    """Runs a network in NEST with one thread; rate, and processor seconds of Simulate."""
    import nest

    nest.set_verbosity("M_ERROR")
    nest.ResetKernel()
    nest.resolution, nest.local_num_threads, nest.rng_seed = 0.1, 1, asked["seed"]
    neurons = {"cuba": nest_cuba, "brunel": nest_brunel}[asked["network"]](nest, asked)
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    start = time.process_time()
    nest.Simulate(1e3 * asked["seconds"])
    used = time.process_time() - start
    if "save" in asked:
        events = recorder.events
        order = np.argsort(events["times"], kind="stable")
        np.savez(asked["save"], times=events["times"][order] * 1e-3, neurons=events["senders"][order] - 1)
    return {"rate": recorder.n_events / len(neurons) / asked["seconds"], "simulate_cpu_s": used}


def nest_cuba(nest, asked):
    """CUBA as kzoo has it, but for the delay: NEST's least is one step, and no delay at all is not to be had."""
    network = networks.cuba()
    p = network.populations[0].neuron
    synapses = network.synapses
    neurons = nest.Create("iaf_psc_exp", network.size, params={**nest_neuron(p, synapses[0].tau, synapses[1].tau)})
    neurons.V_m = nest.random.uniform(1e3 * p.v_reset, 1e3 * p.v_threshold)
    stop = network.groups["excitatory"][1]
    for sources, each in ((neurons[:stop], synapses[0]), (neurons[stop:], synapses[1])):
        # A current of one pA moves the voltage by tau / C mV: C = 200 pF stands for nothing here.
        weight = 1e3 * each.weight * 200 / (1e3 * p.tau)
        rule = {"rule": "pairwise_bernoulli", "p": each.probability, "allow_autapses": False}
        nest.Connect(sources, neurons, rule, {"weight": weight, "delay": 0.1})
    return neurons


def nest_brunel(nest, asked):
    """Brunel's network; each neuron has a Poisson train of its own."""
    network = networks.brunel(asked["g"], asked["eta"], asked["scale"])
    p, drive = network.populations[0].neuron, network.populations[0].drive
    neurons = nest.Create("iaf_psc_delta", network.size, params=nest_neuron(p))
    neurons.V_m = nest.random.uniform(1e3 * p.v_rest, 1e3 * p.v_threshold)
    source = nest.Create("poisson_generator", params={"rate": drive.rate})
    nest.Connect(source, neurons, "all_to_all", {"weight": 1e3 * drive.weight, "delay": 0.1})
    stop = network.groups["excitatory"][1]
    for sources, each in zip((neurons[:stop], neurons[stop:]), network.synapses, strict=True):
        rule = {
            "rule": "fixed_indegree",
            "indegree": each.in_degree,
            "allow_autapses": False,
            "allow_multapses": False,
        }
        nest.Connect(sources, neurons, rule, {"weight": 1e3 * each.weight, "delay": 1e3 * each.delay})
    return neurons


def nest_neuron(p, tau_ex=None, tau_in=None) -> dict:
    """The parameters of a `LIF` in NEST's units: mV, ms, pF."""
    made = {
        "C_m": 200.0,
        "tau_m": 1e3 * p.tau,
        "E_L": 1e3 * p.v_rest,
        "V_th": 1e3 * p.v_threshold,
        "V_reset": 1e3 * p.v_reset,
        "t_ref": 1e3 * p.t_ref,
        "I_e": 0.0,
    }
    return made if tau_ex is None else {**made, "tau_syn_ex": 1e3 * tau_ex, "tau_syn_in": 1e3 * tau_in}


PARTS = {"neuron": neuron, "cuba": cuba, "brunel": brunel, "memory": memory, "scale": scale}


if __name__ == "__main__":
    main()
