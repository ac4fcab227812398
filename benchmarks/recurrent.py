"""One training step of kzoo's LSTM and GRU beside the backend's best known, and the scan's time against the length.

    KERAS_BACKEND=torch python benchmarks/recurrent.py [--length 1024] [--smoke] [--out FILE]

A step is forward, mean squared error, backward and an update by SGD, batch 32, 64 inputs to 64 units, all outputs
returned. On torch kzoo stands beside torch.nn in a plain loop of torch; on JAX and TensorFlow beside the layer of
Keras, both through `train_on_batch` and compiled. "scan" is the same layer without the backend's own kernel. Ratios
are the peer's time / kzoo's time, so above 1 means that kzoo is faster. Then the same step of the LSTM on the scan, for
lengths from 256 to 4,096: its processor time divided by the length.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip  # noqa: F401

import keras
import numpy as np
import timing

from kzoo.layers import recurrent

BATCH, WIDTH, UNITS = 32, 64, 64
LENGTHS = (256, 512, 1024, 2048, 4096)
# The most that kzoo's time may be of the peer's: with the backend's kernel, and on the scan on torch.
LIMIT, SCAN_LIMIT, GROWTH_LIMIT = 1.1, 3.0, 1.5


def data(length):
    """Inputs and targets, (b, t, d) and (b, t, u)."""
    generator = np.random.default_rng(0)
    return (generator.normal(size=(BATCH, length, width)).astype("float32") for width in (WIDTH, UNITS))


def keras_step(layer, length, jit_compile="auto"):
    """A function of no arguments that trains one step of a layer of Keras or kzoo."""
    x, y = data(length)
    model = keras.Sequential([keras.Input((length, WIDTH)), layer])
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=jit_compile)
    return lambda: model.train_on_batch(x, y)


def torch_step(name, length):
    """The same in torch alone, of the layer of that name in torch.nn."""
    import torch

    layer = getattr(torch.nn, name)(WIDTH, UNITS, batch_first=True)
    optimizer = torch.optim.SGD(layer.parameters(), 0.01)
    x, y = (torch.from_numpy(array) for array in data(length))

    def step():
        optimizer.zero_grad()
        loss = ((layer(x)[0] - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        # As train_on_batch does: the loss is handed out as a number.
        return loss.item()

    return step


def peers(name, length):
    """The ways to train the layer of that name, the peer first."""
    own = getattr(recurrent, name)
    if keras.backend.backend() == "torch":
        return {
            f"torch.nn.{name}": torch_step(name, length),
            f"kzoo {name}": keras_step(own(UNITS, return_sequences=True), length),
            f"kzoo {name}, scan": keras_step(own(UNITS, return_sequences=True, native=False), length),
        }
    ways = {}
    # Keras's own choice for its LSTM on TensorFlow is a graph without XLA; both are measured.
    compilers = {"": True} if keras.backend.backend() == "jax" else {", graph": False, ", XLA": True}
    for label, jit in compilers.items():
        ways[f"keras {name}{label}"] = keras_step(
            getattr(keras.layers, name)(UNITS, return_sequences=True), length, jit
        )
        ways[f"kzoo {name}{label}"] = keras_step(own(UNITS, return_sequences=True), length, jit)
    return ways


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=1024, help="steps of time (default 1024)")
    parser.add_argument("--turns", type=int, default=7, help="timed steps of each (default 7)")
    given = parser.parse_args(arguments)
    length, turns = (8, 2) if given.smoke else (given.length, given.turns)
    figures = {}
    for name in ("LSTM", "GRU"):
        ways = peers(name, length)
        base = next(iter(ways))
        rows = figures[name] = timing.in_turns(ways, turns, base=base)
        timing.show(f"{name}, {BATCH} x {length}, {WIDTH} to {UNITS}", rows)
        for way, row in rows.items():
            if way.startswith("kzoo"):
                cost, limit = 1 / row["cpu_ratio"], SCAN_LIMIT if way.endswith("scan") else LIMIT
                row |= {"cpu_cost": round(cost, 4), "within_limit": cost <= limit}
                print(f"  {way} takes {cost:.3f} of {base} in processor time; the limit is {limit}")

    lengths = [length // 2, length] if given.smoke else LENGTHS
    layer = {size: recurrent.LSTM(UNITS, return_sequences=True, native=False) for size in lengths}
    ways = {f"T = {size}": keras_step(layer[size], size) for size in lengths}
    rows = timing.in_turns(ways, turns, base=f"T = {lengths[0]}")
    per_step = {size: rows[f"T = {size}"]["cpu_ms"] / size for size in lengths}
    growth = max(per_step.values()) / min(per_step.values())
    print("the LSTM on the scan, processor microseconds for each step of time:")
    for size, value in per_step.items():
        print(f"  T = {size:5}{1e3 * value:10.1f}")
    print(f"  the most is {growth:.2f} times the least; the limit is {GROWTH_LIMIT}")
    figures["scan"] = {
        "cpu_us_per_step": {size: round(1e3 * value, 2) for size, value in per_step.items()},
        "growth": round(growth, 3),
        "within_limit": growth <= GROWTH_LIMIT,
    }
    timing.conclude(given, {"batch": BATCH, "length": length, "turns": turns, "figures": figures})


if __name__ == "__main__":
    main()
