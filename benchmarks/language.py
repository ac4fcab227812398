"""Characters of Shakespeare: kzoo's Transformer beside a plain loop in torch, and Mamba, LSTM and GRU beside it.

    KERAS_BACKEND=jax python benchmarks/language.py speed [--smoke] [--out FILE]
    KERAS_BACKEND=jax python benchmarks/language.py models [--seeds 3] [--smoke] [--out FILE]

Both take the setting that nanoGPT's README gives for a CPU: 4 layers, 4 heads, width 128, blocks of 64 characters,
batches of 12, 2,000 steps of AdamW, no dropout, no biases. One thing differs: the highest learning rate is 3e-3, of
which the Transformer makes more than of nanoGPT's 1e-3 (1.87 in place of 1.94 nats, seed 0). The loss is that of the
whole last tenth of the text, in nats a character.

"speed" trains the Transformer once through kzoo, checkpoints and all, and once by a loop written by hand in torch, and
gives the wall time of both, the loop's without any evaluation. "models" trains networks of about as many
parameters with the same batches, schedule and seeds, and gives the loss of each seed; "rotary" is the Transformer with
rotary positions.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip  # noqa: F401

import math
import statistics
import tempfile
import time

import numpy as np
import timing

from kzoo.data import load_data
from kzoo.recipe import ClippingSpec, DataSpec, ModelSpec, OptimizerSpec, Recipe, RegularisationSpec, ScheduleSpec
from kzoo.training import run
from kzoo.training.evaluation import load_for

WINDOW, BATCH, STEPS, WARMUP = 64, 12, 2000, 100
RATE, FLOOR, BETA_2, DECAY = 3e-3, 0.1, 0.99, 0.1
LAYERS, HEADS, WIDTH = 4, 4, 128
# The validation loss that nanoGPT's README states for this setting.
LIMIT = 1.88
# About 0.8 million parameters each.
MODELS = {
    "transformer": {"hidden_dim": WIDTH, "num_layers": LAYERS, "num_heads": HEADS, "use_bias": False},
    "rotary": {"hidden_dim": WIDTH, "num_layers": LAYERS, "num_heads": HEADS, "use_bias": False, "positions": "rotary"},
    "mamba": {"hidden_dim": WIDTH, "num_layers": 7},
    "lstm": {"hidden_dims": [256, 256], "embedding_dim": 32},
    "gru": {"hidden_dims": [296, 296], "embedding_dim": 32},
}


def recipe(name: str, seed: int, steps: int) -> Recipe:
    """The same batches, schedule and optimizer for each model."""
    return Recipe(
        model=ModelSpec("transformer" if name == "rotary" else name, MODELS[name]),
        # A share of the training text has to choose the best epoch; there is but one.
        data=DataSpec("shakespeare", validation_fraction=0.02, arguments={"window": WINDOW, "samples": BATCH * steps}),
        optimizer=OptimizerSpec("adamw", learning_rate=RATE, beta_2=BETA_2),
        schedule=ScheduleSpec("cosine", warmup_epochs=WARMUP / STEPS, floor=FLOOR),
        clipping=ClippingSpec(global_norm=1.0),
        regularisation=RegularisationSpec(weight_decay=DECAY),
        epochs=1,
        batch_size=BATCH,
        seed=seed,
    )


def train(name: str, seed: int, steps: int) -> dict:
    """One run of a model: its figures, and the wall and processor seconds of all of it, compiling included."""
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        metrics = run(recipe(name, seed, steps), out=f"{folder}/run", verbose=0).metrics
    return {
        "test_loss": round(metrics["test_loss"], 4),
        "parameters": metrics["parameters"],
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "fit_s": metrics["seconds"],
    }


def torch_loop(seed: int, steps: int) -> dict:
    """The same network and schedule in torch alone, without evaluations on the way."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm_1, self.norm_2 = (nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
            self.out = nn.Linear(WIDTH, WIDTH, bias=False)
            self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
            self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

        def forward(self, x):
            b, t, d = x.shape
            parts = self.qkv(self.norm_1(x)).view(b, t, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(b, t, d))
            return x + self.down(functional.gelu(self.up(self.norm_2(x))))

    class Network(nn.Module):
        def __init__(self, vocabulary):
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(WINDOW, WIDTH)
            self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
            self.norm = nn.LayerNorm(WIDTH, bias=False)
            for name, weight in self.named_parameters():
                if weight.ndim == 2:
                    last = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if last else 0.02)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
            return self.norm(self.blocks(x)) @ self.tokens.weight.T

    wall, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    data = load_for(recipe("transformer", seed, steps))
    order = np.random.default_rng(seed).permutation(len(data.x_train))
    network = Network(data.num_classes)
    matrices = [p for p in network.parameters() if p.ndim == 2]
    others = [p for p in network.parameters() if p.ndim != 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, RATE, betas=(0.9, BETA_2))
    began = time.perf_counter()
    for i in range(steps):
        share = max(0.0, (i - WARMUP) / max(1, steps - WARMUP))
        rate = RATE * min((i + 1) / WARMUP, FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = order[i * BATCH : (i + 1) * BATCH]
        x, y = (torch.from_numpy(part[chosen]).long() for part in (data.x_train, data.y_train))
        loss = functional.cross_entropy(network(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    fit = time.perf_counter() - began
    with torch.no_grad():
        x, y = (torch.from_numpy(part).long() for part in (data.x_test, data.y_test))
        losses = [
            functional.cross_entropy(network(a).flatten(0, 1), b.flatten(), reduction="sum")
            for a, b in zip(x.split(256), y.split(256), strict=True)
        ]
    return {
        "test_loss": round(float(sum(losses)) / y.numel(), 4),
        "parameters": sum(p.numel() for p in network.parameters()),
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "fit_s": round(fit, 1),
    }


def speed(given, steps: int) -> dict:
    """kzoo's Transformer and the loop of torch, one after the other, `given.turns` times."""
    rows = {"kzoo": [], "torch": []}
    for turn in range(given.turns):
        for way in list(rows)[:: -1 if turn % 2 else 1]:
            made = train("transformer", turn, steps) if way == "kzoo" else torch_loop(turn, steps)
            rows[way].append(made)
            print(
                f"{way:6} seed {turn}: loss {made['test_loss']:.4f}, {made['wall_s']:.1f} s wall, "
                f"{made['cpu_s']:.1f} s of processor, training alone {made['fit_s']:.1f} s",
                flush=True,
            )
    ratio = statistics.median(b["wall_s"] / a["wall_s"] for a, b in zip(rows["kzoo"], rows["torch"], strict=True))
    print(
        f"the loop's wall time is {ratio:.2f} of kzoo's; kzoo's worst loss "
        f"{max(row['test_loss'] for row in rows['kzoo']):.4f}, the limit {LIMIT}"
    )
    return {"rows": rows, "wall_ratio": round(ratio, 3)}


def models(given, steps: int) -> dict:
    """The loss of each model and seed."""
    rows = {name: [] for name in given.only.split(",")}
    for seed in range(given.seeds):
        for name in rows:
            rows[name].append(train(name, seed, steps))
            print(f"{name:12} seed {seed}: {rows[name][-1]}", flush=True)
    for name, made in rows.items():
        losses = [row["test_loss"] for row in made]
        print(
            f"{name:12} {made[0]['parameters']:9,} parameters: {statistics.mean(losses):.4f} "
            f"({min(losses):.4f} to {max(losses):.4f})"
        )
    return {"rows": rows}


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("part", choices=("speed", "models"))
    parser.add_argument("--turns", type=int, default=1, help="runs of each way of speed (default 1)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of models (default 3)")
    parser.add_argument("--only", default=",".join(MODELS), help="some of the models, such as mamba,gru")
    given = parser.parse_args(arguments)
    if given.smoke:
        given.seeds = 1
    steps = 120 if given.smoke else STEPS
    load_data("shakespeare")  # a download counts for nobody
    figures = {"speed": speed, "models": models}[given.part](given, steps)
    timing.conclude(given, {"part": given.part, "steps": steps, **figures})


if __name__ == "__main__":
    main()
