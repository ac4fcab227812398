"""One training step of the SNN beside the same network in snnTorch, both on the CPU and in one process.

    OMP_NUM_THREADS=1 KERAS_BACKEND=jax python benchmarks/snn.py [--turns 9] [--smoke] [--out FILE]

784-1000-10 neurons, 25 steps of time, batch 128: the network of snnTorch's fifth tutorial. A step is forward,
cross-entropy of the output neurons' spike counts, backward and an update by Adam. Ratios are snnTorch's time / kzoo's
time, so above 1 means that kzoo is faster.

Two codes of the input. "current": the pixels are a constant current, so that the product with the first kernel is the
same at each step. kzoo makes it once; snnTorch's tutorial makes it 25 times, and "once" is its loop with that product
before it. "rate": spikes at random, drawn by each library within the step, with 25 products for both.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip

import keras
import numpy as np
import snntorch
import timing
import torch
from snntorch import spikegen

PIXELS, HIDDEN, CLASSES, STEPS, BATCH = 784, 1000, 10, 25, 128
BETA = 0.95
# The least that snnTorch's time is to be of kzoo's with the constant current, by backend.
LIMITS = {"jax": 3.0, "torch": 1.0, "tensorflow": 1.0}


def data():
    """Pixels in [0, 1], (b, 784), a fifth of them not black, and labels (b,)."""
    generator = np.random.default_rng(0)
    x = generator.random((BATCH, PIXELS)) * (generator.random((BATCH, PIXELS)) < 0.2)
    return x.astype("float32"), generator.integers(0, CLASSES, BATCH).astype("int32")


def kzoo_step(encoder, steps):
    """A function of no arguments that trains one step of kzoo's model."""
    model = kzoo.create_model(
        "snn",
        seed=0,
        input_shape=(PIXELS,),
        num_classes=CLASSES,
        hidden_dims=(HIDDEN,),
        steps=steps,
        encoder=encoder,
        readout="spikes",
        tau=-1 / np.log(BETA).item(),
    )
    model.compile(keras.optimizers.Adam(5e-4), model.training_loss())
    x, y = data()
    return lambda: model.train_on_batch(x, y)


def snntorch_step(encoder, steps, once=False):
    """The same of snnTorch's; `once` has the product with the first kernel before the loop."""
    torch.manual_seed(0)
    first, second = torch.nn.Linear(PIXELS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)
    neuron = {"beta": BETA, "reset_mechanism": "zero", "spike_grad": snntorch.surrogate.atan(alpha=2.0)}
    hidden, output = snntorch.Leaky(**neuron), snntorch.Leaky(**neuron)
    optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], 5e-4)
    x, y = (torch.from_numpy(part) for part in data())
    y = y.long()

    def step():
        v1, v2 = hidden.init_leaky(), output.init_leaky()
        counts = 0
        coded = spikegen.rate(x, steps) if encoder == "rate" else None
        current = first(x) if once else None
        for t in range(steps):
            spikes, v1 = hidden(current if once else first(x if coded is None else coded[t]), v1)
            spikes, v2 = output(second(spikes), v2)
            counts = counts + spikes
        loss = torch.nn.functional.cross_entropy(counts, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # As train_on_batch does: the loss is handed out as a number.
        return loss.item()

    return step


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=9, help="timed steps of each (default 9)")
    given = parser.parse_args(arguments)
    steps, turns = (3, 2) if given.smoke else (STEPS, given.turns)
    torch.set_num_threads(1)
    ways = {
        "snnTorch, current": snntorch_step("current", steps),
        "snnTorch, current, once": snntorch_step("current", steps, once=True),
        "kzoo, current": kzoo_step("current", steps),
        "snnTorch, rate": snntorch_step("rate", steps),
        "kzoo, rate": kzoo_step("rate", steps),
    }
    rows = timing.in_turns(ways, turns, base="snnTorch, current")
    timing.show(f"{PIXELS}-{HIDDEN}-{CLASSES}, {steps} steps, batch {BATCH}", rows)
    seconds = {name: row["cpu_ms"] for name, row in rows.items()}
    limit = LIMITS[keras.backend.backend()]
    ratios = {
        "current": seconds["snnTorch, current"] / seconds["kzoo, current"],
        "current, the product made once by both": seconds["snnTorch, current, once"] / seconds["kzoo, current"],
        "rate": seconds["snnTorch, rate"] / seconds["kzoo, rate"],
    }
    for name, ratio in ratios.items():
        print(f"  {name}: {ratio:.2f} times as fast as snnTorch in processor time")
    print(f"  the constant current's is to be at least {limit}")
    figures = {"rows": rows, "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()}}
    timing.conclude(given, {"steps": steps, "turns": turns, **figures, "within_limit": ratios["current"] >= limit})


if __name__ == "__main__":
    main()
