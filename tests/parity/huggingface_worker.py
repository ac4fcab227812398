"""Tasks of test_huggingface.py, each in a process of its own: python huggingface_worker.py TASK FOLDER

make     transformers writes each model of MODELS, its tokens and its logits
read     kzoo on the backend of KERAS_BACKEND converts each: logits, those of pieces, and the folder that goes back
check    transformers reads what each backend wrote: logits once more
"""

import sys
from pathlib import Path

import numpy as np

# As the published ones, but small; a length that is no multiple of the chunks.
SMALL = {"vocab_size": 41, "num_hidden_layers": 2, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
STEPS = 27
MODELS = {
    "gpt2": ("GPT2", {**SMALL, "n_positions": STEPS, "n_embd": 24, "n_head": 3}),
    "mamba": ("Mamba", {**SMALL, "hidden_size": 24, "state_size": 5, "tie_word_embeddings": False}),
    "mamba2": (
        "Mamba2",
        {**SMALL, "hidden_size": 16, "state_size": 6, "num_heads": 4, "head_dim": 8, "n_groups": 2, "chunk_size": 8},
    ),
}


def _make(root: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    for name, (prefix, arguments) in MODELS.items():
        model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, f"{prefix}Config")(**arguments))
        with torch.no_grad():
            for parameter in model.parameters():  # so that norms and biases count, too
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(root / name / "theirs")
        tokens = torch.randint(0, SMALL["vocab_size"], (2, STEPS))
        np.savez(root / name / "theirs.npz", tokens=tokens.numpy(), logits=_logits(model, tokens))


def _logits(model, tokens):
    import torch

    with torch.no_grad():
        return model.eval()(tokens).logits.numpy()


def _read(root: Path) -> None:
    import kzoo  # isort: skip
    from keras import ops

    from kzoo.convert import huggingface

    backend = kzoo.backend.name()
    for name in MODELS:
        folder = root / name
        model = huggingface.from_huggingface(folder / "theirs")
        tokens = np.load(folder / "theirs.npz")["tokens"].astype("int32")
        found = {"logits": ops.convert_to_numpy(model(tokens))}
        for piece in (1, 3, 7):
            state, parts = model.initial_state(len(tokens)), []
            for start in range(0, STEPS, piece):
                logits, state = model.stream(ops.convert_to_tensor(tokens[:, start : start + piece]), state)
                parts.append(ops.convert_to_numpy(logits))
            found[f"pieces_{piece}"] = np.concatenate(parts, axis=1)
        np.savez(folder / f"{backend}.npz", **found)
        huggingface.to_huggingface(model, folder / f"{backend}-back")


def _check(root: Path) -> None:
    import torch
    import transformers

    for name in MODELS:
        tokens = torch.from_numpy(np.load(root / name / "theirs.npz")["tokens"])
        found = {}
        for folder in (root / name).glob("*-back"):
            model, report = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
            assert not any(report.values()), (folder, report)
            found[folder.name.removesuffix("-back")] = _logits(model, tokens)
        np.savez(root / name / "check.npz", **found)


TASKS = {"make": _make, "read": _read, "check": _check}
if __name__ == "__main__":
    TASKS[sys.argv[1]](Path(sys.argv[2]))
