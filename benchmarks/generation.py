"""Tokens a second of `kzoo.sampling.generate`, one text at a time, beside `generate` of transformers with its cache.

    KERAS_BACKEND=jax python benchmarks/generation.py [--size small|large] [--models gpt2 mamba mamba2 lstm] [--smoke]

Small is 4 layers of width 128 over 65 characters, 256 tokens; large has the shapes of GPT-2's and Mamba's smallest
published weights, 64 tokens. Weights are random and in float32, a token is drawn at temperature 1. transformers runs on
torch, whatever kzoo runs on, and each model in the implementation that it takes on a CPU. Ratios are transformers' time
/ kzoo's time, so above 1 means that kzoo is faster. For one thread start it with OMP_NUM_THREADS=1 under
`taskset -c 0`.
"""

# Before keras, so that kzoo's choice of the backend holds.
import kzoo  # isort: skip

import numpy as np
import timing

from kzoo.sampling import generate

PROMPT = 17
SHAPES = {
    "small": {"vocabulary": 65, "width": 128, "layers": 4, "heads": 4, "context": 512, "length": 256},
    "large": {"vocabulary": 50257, "width": 768, "layers": 12, "heads": 12, "context": 1024, "length": 64},
    "smoke": {"vocabulary": 11, "width": 16, "layers": 1, "heads": 2, "context": 64, "length": 8},
}


def own(name, shape):
    """kzoo's model of that name and shape."""
    vocabulary, width, layers = shape["vocabulary"], shape["width"], shape["layers"]
    given = {"num_outputs": vocabulary, "vocabulary": vocabulary, "task": "tokens", "seed": 0}
    if name == "gpt2":
        given |= {"hidden_dim": width, "num_layers": layers, "num_heads": shape["heads"]}
        return kzoo.create_model("transformer", input_shape=(shape["context"],), **given)
    if name == "lstm":
        given |= {"hidden_dims": [width] * layers, "embedding_dim": width}
        return kzoo.create_model("lstm", input_shape=(None,), **given)
    layers *= 2 if width > 128 else 1  # Mamba's published smallest has 24 blocks to GPT-2's 12
    given |= {"hidden_dim": width, "num_layers": layers, "version": 2 if name == "mamba2" else 1}
    if name == "mamba2":
        given["head_dim"] = min(64, width)
    return kzoo.create_model("mamba", input_shape=(None,), **given)


def peer(name, shape):
    """The same of transformers, or None."""
    import transformers

    vocabulary, width, layers = shape["vocabulary"], shape["width"], shape["layers"]
    blocks = layers * (2 if width > 128 else 1)
    if name == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=vocabulary, n_embd=width, n_layer=layers, n_head=shape["heads"], n_positions=shape["context"]
        )
        return transformers.GPT2LMHeadModel(config).eval()
    if name == "mamba":
        config = transformers.MambaConfig(vocab_size=vocabulary, hidden_size=width, num_hidden_layers=blocks)
        return transformers.MambaForCausalLM(config).eval()
    if name == "mamba2":
        head_dim = min(64, width)
        config = transformers.Mamba2Config(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=blocks,
            head_dim=head_dim,
            num_heads=2 * width // head_dim,
            n_groups=1,
            state_size=16,
            tie_word_embeddings=True,
        )
        return transformers.Mamba2ForCausalLM(config).eval()
    return None


def peer_way(model, prompt, length):
    """A function of no arguments that continues the prompt with transformers."""
    import torch

    tokens = torch.from_numpy(prompt.astype("int64"))
    model.generation_config.eos_token_id = None
    given = {"do_sample": True, "temperature": 1.0, "top_k": 0, "use_cache": True, "pad_token_id": 0}

    def way():
        found = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), min_new_tokens=length, max_new_tokens=length, **given
        )
        assert found.shape[1] == prompt.shape[1] + length

    return way


def main(arguments=None) -> None:
    """Measures, prints a table, and writes JSON where --out says."""
    parser = timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["small", "large"], default="small")
    parser.add_argument("--models", nargs="+", default=["gpt2", "mamba"], choices=["gpt2", "mamba", "mamba2", "lstm"])
    parser.add_argument("--length", type=int, help="tokens of a text (default: 256 of the small, 64 of the large)")
    parser.add_argument("--turns", type=int, default=7, help="timed texts of each (default 7)")
    given = parser.parse_args(arguments)
    size, turns = ("smoke", 2) if given.smoke else (given.size, given.turns)
    shape = SHAPES[size]
    length = given.length or shape["length"]
    prompt = np.random.default_rng(0).integers(0, shape["vocabulary"], (1, PROMPT)).astype("int32")
    figures = {}
    for name in given.models:
        model, other = own(name, shape), peer(name, shape)
        ways = {}
        if other is not None:
            ways["transformers"] = peer_way(other, prompt, length)
        ways["kzoo"] = lambda model=model: generate(model, prompt, length)
        rows = figures[name] = timing.in_turns(ways, turns, base=next(iter(ways)), steps=length)
        timing.show(f"{name}, {size}, {model.count_params():,} weights, a token", rows)
        for way, row in rows.items():
            row["tokens_per_second"] = round(1e3 / row["wall_ms"], 1)
            print(f"  {way}: {row['tokens_per_second']:,} tokens a second")
    timing.conclude(given, {"size": size, "shape": shape, "length": length, "turns": turns, "figures": figures})


if __name__ == "__main__":
    main()
