"""kzoo's models of sequences beside their peers, in named parts.

    KERAS_BACKEND=torch python benchmarks/sequence.py scan [--length 1024] [--turns 5] [--smoke] [--out FILE]

scan: the selective scan of Mamba, forward and backward to u, delta, A, B, C and D, batch 8, width 256, 16 states,
    float32. On torch and JAX kzoo stands beside mambapy's parallel scan in torch, on torch also beside transformers'
    default CPU path at 512 steps, where these are installed; on TensorFlow beside `keras.ops.scan`. Then peak memory
    of each way in a process of its own, and the error of values and gradients against a loop in float64.
growth: the same from 1,024 to 65,536 steps, batch 1, width 64: seconds for each step of time, and peak memory.

Ratios are the peer's time / kzoo's time, so above 1 means that kzoo is faster.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip  # noqa: F401

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import timing
from keras import ops

from kzoo import backend

NAME = keras.backend.backend()
BATCH, WIDTH, STATES = 8, 256, 16
LENGTHS = (1024, 4096, 16384, 65536)
# The targets: how many times as fast as mambapy and as transformers; the most of mambapy's memory; the
# largest error; and how much a step of a long sequence may cost beside one of a short.
FASTER = {"torch": 6, "jax": 5}
FASTER_THAN_TRANSFORMERS, MEMORY, ERROR, GROWTH = 50, 0.37, 1e-6, 1.3


def problem(length, batch=BATCH, width=WIDTH, states=STATES):
    """The arguments u, delta, A, B, C and D of a scan, and the weights of the sum over y that is differentiated.

    The step sizes run evenly in their logarithm from 1e-3 to 1e-1 and A from -1 to -16, as Mamba begins.
    """
    generator = np.random.default_rng(0)

    def draw(*shape):
        return generator.normal(size=shape).astype("float32")

    delta = np.exp(generator.uniform(np.log(1e-3), np.log(1e-1), (batch, length, width))).astype("float32")
    rates = -np.tile(np.arange(1, states + 1, dtype="float32"), (width, 1))
    given = [draw(batch, length, width), delta, rates, draw(batch, length, states), draw(batch, length, states)]
    return [*given, draw(width)], draw(batch, length, width)


def own(length, **sizes):
    """A function of no arguments that runs kzoo's scan, compiled where the backend compiles: y and the gradients."""
    return differentiated(backend.selective_scan, *problem(length, **sizes))


def differentiated(scan, given, weights):
    """y of a scan on the backend of Keras, and the gradients of sum(weights * y) with respect to `given`."""
    if NAME == "jax":
        import jax

        def weighted(given):
            y = scan(*given)
            return (y * weights).sum(), y

        function = jax.jit(jax.value_and_grad(weighted, has_aux=True))
        given = [jax.numpy.asarray(array) for array in given]

        def run():
            (_, y), gradients = jax.block_until_ready(function(given))
            return [y, *gradients]

        return run
    if NAME == "torch":
        return in_torch(scan, given, weights)
    import tensorflow as tf

    given = [tf.constant(array) for array in given]

    @tf.function(autograph=False)
    def function(*given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = scan(*given)
            loss = tf.reduce_sum(y * weights)
        return [y, *tape.gradient(loss, given)]

    def run():
        outputs = function(*given)
        # A function of TensorFlow returns before it is done.
        return [output.numpy() for output in outputs]

    return run


def in_torch(scan, given, weights):
    """The same of a scan in torch, whatever the backend of Keras."""
    import torch

    given = [torch.from_numpy(array).requires_grad_() for array in given]
    weights = torch.from_numpy(weights)

    def run():
        y = scan(*given)
        return [y, *torch.autograd.grad((y * weights).sum(), given)]

    return run


def keras_scan(u, delta, rates, B, C, D):  # noqa: N803
    """The scan as one writes it with `keras.ops.scan`: all states, then their products with C."""

    def step(h, x):
        u, delta, B = x  # noqa: N806
        h = ops.exp(delta[..., None] * rates) * h + (delta * u)[..., None] * B[:, None]
        return h, h

    xs = tuple(ops.swapaxes(tensor, 0, 1) for tensor in (u, delta, B))
    _, states = ops.scan(step, ops.zeros((u.shape[0], *rates.shape)), xs)
    return ops.einsum("tbdn,btn->btd", states, C) + D * u


def mambapy(length):
    """mambapy's parallel scan, as its MambaBlock calls it without a gate."""
    from mambapy.pscan import pscan

    def scan(u, delta, rates, B, C, D):  # noqa: N803
        decay = (delta.unsqueeze(-1) * rates).exp()
        written = delta.unsqueeze(-1) * B.unsqueeze(2) * u.unsqueeze(-1)
        return (pscan(decay, written) @ C.unsqueeze(-1)).squeeze(3) + D * u

    return in_torch(scan, *problem(length))


def transformers(length):
    """The scan of transformers' Mamba, by the path that it takes where its CUDA kernels are not."""
    from transformers.models.mamba.modeling_mamba import mamba_selective_scan

    def scan(u, delta, rates, B, C, D):  # noqa: N803
        u, delta, B, C = (tensor.transpose(1, 2) for tensor in (u, delta, B, C))  # noqa: N806
        y = mamba_selective_scan(u, delta, rates, B, C, D)
        return (y[0] if isinstance(y, tuple) else y).transpose(1, 2)

    return in_torch(scan, *problem(length))


def keras_way(length):
    """`keras_scan`, differentiated."""
    return differentiated(keras_scan, *problem(length))


WAYS = {"kzoo": own, "mambapy": mambapy, "keras.ops.scan": keras_way}


def has(package):
    return importlib.util.find_spec(package) is not None


def in_float64(given, weights):
    """y and the gradients by a loop in NumPy, with the backward pass written out."""
    u, delta, rates, b, c, skip = (array.astype("float64") for array in given)
    after = [np.zeros((len(u), *rates.shape))]
    y = skip * u
    for t in range(u.shape[1]):
        after.append(np.exp(delta[:, t, :, None] * rates) * after[-1] + (delta * u)[:, t, :, None] * b[:, t, None])
        y[:, t] += np.einsum("bdn,bn->bd", after[-1], c[:, t])
    d_u, d_delta, d_rates, d_b, d_c = weights * skip, *map(np.zeros_like, (delta, rates, b, c))
    d_h = np.zeros_like(after[0])
    for t in reversed(range(u.shape[1])):
        d_h = d_h + weights[:, t, :, None] * c[:, t, None]
        d_c[:, t] = np.einsum("bdn,bd->bn", after[t + 1], weights[:, t])
        d_b[:, t] = np.einsum("bdn,bd->bn", d_h, (delta * u)[:, t])
        d_input = np.einsum("bdn,bn->bd", d_h, b[:, t])
        d_h = d_h * np.exp(delta[:, t, :, None] * rates)
        d_exponent = d_h * after[t]
        d_u[:, t] += delta[:, t] * d_input
        d_delta[:, t] = u[:, t] * d_input + np.einsum("bdn,dn->bd", d_exponent, rates)
        d_rates += np.einsum("bdn,bd->dn", d_exponent, delta[:, t])
    return [y, d_u, d_delta, d_rates, d_b, d_c, (weights * u).sum((0, 1))]


def peak(way, length, **sizes):
    """The most memory in MiB of a process that runs this way twice, and what its imports need."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import sequence\n"
        "way, length, sizes = json.loads(sys.argv[2])\n"
        "if way == 'mambapy': import torch, mambapy.pscan\n"
        "before = sequence.own_peak_mib()\n"
        "if length:\n"
        "    call = sequence.WAYS[way](length, **sizes); call(); call()\n"
        "print('MiB', before, sequence.own_peak_mib())"
    )
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, folder, json.dumps([way, length, sizes])],
        capture_output=True,
        text=True,
        check=True,
    )
    before, most = done.stdout.split("MiB")[1].split()
    return {"peak_mib": float(most), "imports_mib": float(before)}


def own_peak_mib():
    """`timing.peak_mib` of a process that another has started: on Linux that counts the parent's memory in."""
    status = Path("/proc/self/status")
    if not status.exists():
        return timing.peak_mib()
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)


def scan(given) -> dict:
    """The selective scan beside its peers: time, memory, error."""
    length, turns = (16, 2) if given.smoke else (given.length, given.turns)
    figures = {"length": length, "faster": {}}
    ways = {"kzoo": own(length)}
    # Not on TensorFlow, which shares a process with torch badly: torch's backward pass did not end when it was tried.
    if has("mambapy") and NAME != "tensorflow":
        ways["mambapy"] = mambapy(length)
    if NAME == "tensorflow":
        ways["keras.ops.scan"] = keras_way(length)
    rows = figures["time"] = timing.in_turns(ways, turns, base="kzoo")
    timing.show(f"scan, {BATCH} x {length} x {WIDTH} x {STATES}", rows)
    for way in list(ways)[1:]:
        figures["faster"][way] = compared(rows[way], way, FASTER.get(NAME, 1))
    if NAME == "torch" and has("transformers"):
        short = 8 if given.smoke else 512
        # A call takes the better part of a minute: two turns, after one to warm up.
        rows = figures["time_transformers"] = timing.in_turns(
            {"kzoo": own(short), "transformers": transformers(short)}, 2, base="kzoo"
        )
        timing.show(f"scan, {BATCH} x {short} x {WIDTH} x {STATES}", rows)
        figures["faster"]["transformers"] = compared(rows["transformers"], "transformers", FASTER_THAN_TRANSFORMERS)
    memory = figures["memory"] = {way: peak(way, length) for way in ways}
    for way, row in memory.items():
        print(f"  {way} needs {row['peak_mib']:.0f} MiB, {row['imports_mib']:.0f} of them for its imports")
    if "mambapy" in memory:
        share = memory["kzoo"]["peak_mib"] / memory["mambapy"]["peak_mib"]
        print(f"  that is {share:.2f} of mambapy's; the limit is {MEMORY}")
        figures["memory_share"] = {"of_mambapy": round(share, 3), "within_limit": share <= MEMORY}
    arguments, weights = problem(length)
    expected = in_float64(arguments, weights)
    found = [ops.convert_to_numpy(output) for output in ways["kzoo"]()]
    names = ("y", "u", "delta", "A", "B", "C", "D")
    errors = {
        name: float(np.abs(a - b).max() / np.abs(b).max()) for name, a, b in zip(names, found, expected, strict=True)
    }
    print(
        "  errors: " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()) + f"; the limit is {ERROR:g}"
    )
    figures["errors"] = {**errors, "within_limit": max(errors.values()) < ERROR}
    return figures


def compared(row, way, wanted):
    """How many times as fast as `way` kzoo is, printed beside what is wanted."""
    times = {clock: round(1 / row[f"{clock}_ratio"], 2) for clock in timing.CLOCKS}
    print(f"  kzoo is {times['wall']} times as fast as {way} by the clock, {times['cpu']} in processor time; ", end="")
    print(f"at least {wanted} is wanted")
    return {**times, "wanted": wanted, "within_limit": times["cpu"] >= wanted}


def growth(given) -> dict:
    """Time and memory of the selective scan against the length."""
    lengths, turns = ((16, 32), 2) if given.smoke else (LENGTHS, given.turns)
    sizes = {"batch": 1, "width": 64}
    rows = timing.in_turns({f"T = {size}": own(size, **sizes) for size in lengths}, turns, base=f"T = {lengths[0]}")
    cost = {size: 1e3 * rows[f"T = {size}"]["cpu_ms"] / size for size in lengths}
    memory = {size: peak("kzoo", size, **sizes) for size in lengths}
    print(f"the scan, 1 x T x 64 x {STATES}: processor microseconds for each step of time, and KiB")
    table = {}
    for size in lengths:
        grown = 1024 * (memory[size]["peak_mib"] - memory[size]["imports_mib"]) / size
        table[size] = {"cpu_us_per_step": round(cost[size], 3), "kib_per_step": round(grown, 2), **memory[size]}
        print(f"  T = {size:6}{cost[size]:10.2f}{grown:10.1f}")
    most = cost[lengths[-1]] / cost[lengths[0]]
    print(f"  a step of the longest costs {most:.2f} times one of the shortest; the limit is {GROWTH}")
    return {"lengths": table, "growth": round(most, 3), "within_limit": most <= GROWTH}


PARTS = {"scan": scan, "growth": growth}


def main(arguments=None) -> None:
    """Measures the parts asked for, prints tables, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS, help="what to measure")
    parser.add_argument("--length", type=int, default=1024, help="steps of time of the scan (default 1024)")
    parser.add_argument("--turns", type=int, default=5, help="timed calls of each way (default 5)")
    given = parser.parse_args(arguments)
    timing.conclude(given, {"turns": given.turns, "figures": {part: PARTS[part](given) for part in given.parts}})


if __name__ == "__main__":
    main()
