"""Sampling of a diffusion model: 50 steps of DDIM as one graph, beside a loop in Python over the same network.

    KERAS_BACKEND=jax OMP_NUM_THREADS=1 python benchmarks/diffusion.py [--size digits|mnist] [--smoke]

64 images of 8 x 8 or 28 x 28, the networks of the two recipes, their weights random. The loops do what tutorials do:
ask the network, and put its answer into DDIM's equation, one operation after the other. One asks the Keras layer as it
is, the other a compiled one, which leaves to the graph only what lies between the steps. Ratios are the time of a loop
/ kzoo's time, so above 1 means that one graph is faster.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip

import numpy as np
import timing
from keras import ops

from kzoo.models.diffusion import Diffusion
from kzoo.ops import denoising
from kzoo.recipes.diffusion import RECIPES
from kzoo.sampling.diffusion import sample
from kzoo.seeds import seeded

SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1)}
COUNT, STEPS = 64, 50


def ways(size: str, count: int, steps: int) -> dict:
    """Name -> a function that makes the images, (count, h, w, c)."""
    arguments = {"filters": [8], "timesteps": 10} if size == "smoke" else RECIPES[size].model.arguments
    with seeded(0):
        model = Diffusion(SHAPES.get(size, (4, 4, 1)), 10, **arguments)
    labels = (np.arange(count) % 10).astype("int32")
    compiled = kzoo.backend.compiled(model.says, model.average.variables)
    schedule = model.schedule
    asked = denoising.timesteps(model.timesteps, steps)
    after = [*asked[1:], None]

    def loop(says):
        x = ops.convert_to_tensor(model.noise(count, 0))
        for t, u in zip(asked, after, strict=True):
            alpha, sigma = (float(table[t]) for table in schedule)
            next_alpha, next_sigma = (1.0, 0.0) if u is None else (float(table[u]) for table in schedule)
            v = says(x, np.int32(t), labels)
            x0 = ops.clip(alpha * x - sigma * v, -1.0, 1.0)
            x = next_alpha * x0 + next_sigma * (x - alpha * x0) / sigma
        return np.clip((ops.convert_to_numpy(x) + 1) / 2, 0, 1)

    return {
        "loop, Keras layer": lambda: loop(model.says),
        "loop, compiled network": lambda: loop(compiled),
        "one graph": lambda: sample(model, count, labels, steps=steps),
    }


def main():
    """Prints a table for each of the two loops."""
    parser = timing.parser(__doc__)
    parser.add_argument("--size", choices=tuple(SHAPES), default="digits")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    count, steps = (4, 3) if options.smoke else (COUNT, STEPS)
    made = ways("smoke" if options.smoke else options.size, count, steps)
    images = [make() for make in made.values()]
    apart = max(float(np.abs(other - images[-1]).max()) for other in images[:-1])
    figures = {"size": options.size, "largest_difference": apart}
    for base in list(made)[:-1]:
        pair = {name: made[name] for name in (base, "one graph")}
        figures[base] = timing.in_turns(pair, 2 if options.smoke else options.turns, base)
        timing.show(f"{count} images, {steps} steps", figures[base])
    print(f"largest difference of a pixel: {apart:.1e}")
    timing.conclude(options, figures)


if __name__ == "__main__":
    main()
