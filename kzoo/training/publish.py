"""From a finished run to a preset folder: weights in half precision, measured again, with a model card."""

import shlex
from pathlib import Path

import numpy as np

from kzoo import registry
from kzoo.data import list_datasets
from kzoo.errors import KzooError
from kzoo.files import read_json, replacing_folder, write_json, write_text
from kzoo.models import preset
from kzoo.recipe import Recipe
from kzoo.training.measure import measure, read_recipe

_CARD = """\
# {name}

{summary}, trained on {data}.

| figure | value |
| --- | --- |
| test accuracy | {accuracy:.2f} % of {samples:,} samples |
| test loss | {loss:.4f} nats |
| validation accuracy (chose the epoch) | {val_accuracy:.2f} % |
| parameters | {parameters:,} |

Trained with seed {seed} in {seconds:,.0f} s on {machine} ({backend}), {epochs} epochs, by

    {command}

The figures are those of the weights in this folder, stored in half precision. `probe.json` holds
the logits of a few fixed inputs, so that each backend can be checked against the others.

```python
import kzoo

model = kzoo.from_preset("{name}")
```

Data: {description}. License of the data: {license}.

Use: teaching and research. The model knows no more than its data: {limits}.
"""

_LIMITS = {
    "digits": "43 writers, 8 x 8 pixels, centred",
    "mnist": "American census workers and students, 28 x 28 pixels, centred, white on black",
    "fashion_mnist": "pictures of one shop, 28 x 28 pixels, centred, white on black",
    "cifar10": "32 x 32 pixels, one object a picture, from a web search of 2008",
}


def publish(run_folder, folder, *, overwrite: bool = False) -> dict:
    """Writes a preset from a finished run.

    Args:
        run_folder: A run folder with metrics.json.
        folder: The preset folder; its name becomes the preset's.
        overwrite: Whether to replace a preset that the folder holds; it stays whole until the new one is.

    Returns:
        The content of the preset's metrics.json.

    Raises:
        KzooError: if the run has not ended or is damaged, or the folder is not free.
    """
    run_folder, folder = Path(run_folder), Path(folder)
    command = f"kzoo publish {shlex.quote(str(run_folder))} {shlex.quote(str(folder))} --force"
    preset.check_free(
        folder, overwrite, f"To replace it, type:\n    {command}\n(in Python: overwrite=True), or name another folder."
    )
    recipe, env, trained = _read_run(run_folder)
    with replacing_folder(folder) as temporary:
        preset.write(preset.load_model(run_folder), temporary)
        return _complete(temporary, folder.resolve().name, recipe, env, trained)


def _read_run(folder: Path) -> tuple[Recipe, dict, dict]:
    """Recipe, env.json and metrics.json of a finished run."""
    if not (folder / "recipe.json").is_file():
        runs = sorted(str(found.parent) for found in Path("runs").glob("*/metrics.json"))
        here = f" Finished runs here: {', '.join(runs[:20])}." if runs else " There are no finished runs in ./runs."
        raise KzooError(f"{folder} is no run folder: it holds no recipe.json.{here}")
    quoted = shlex.quote(str(folder))
    if not (folder / "metrics.json").is_file():
        raise KzooError(f"{folder} has no metrics.json: the run has not ended. Type:  kzoo train --resume {quoted}")
    again = f"To train it again, type:  kzoo train --config {shlex.quote(str(folder / 'recipe.json'))}"
    measured = f"Delete it and let the run measure its weights again:  kzoo train --resume {quoted}"
    return (
        read_recipe(folder / "recipe.json"),
        read_json(folder / "env.json", again, ("backend", "command", "machine", "versions")),
        read_json(folder / "metrics.json", measured, _TRAINED),
    )


# What only the run knows; the rest is measured on the weights in half precision.
_TRAINED = ("val_accuracy", "best_epoch", "epochs", "parameters", "seconds")


def _complete(folder: Path, name: str, recipe: Recipe, env: dict, trained: dict) -> dict:
    """Measures the weights in a preset folder, and writes the recipe, the figures, the probe and the card beside."""
    write_text(folder / "recipe.json", recipe.to_json())
    measured = measure(str(folder))
    metrics = {
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "test_samples": measured["samples"],
        **{key: trained[key] for key in _TRAINED},
        "seed": recipe.seed,
        "command": f"KERAS_BACKEND={env['backend']} {env['command']}",
        "backend": env["backend"],
        "machine": env["machine"],
        "versions": env["versions"],
    }
    write_json(folder / "metrics.json", metrics)

    model = preset.from_preset(str(folder))
    write_json(folder / "probe.json", {"logits": model.predict(probe_inputs(model), verbose=0).tolist()})
    info = registry.model_info(recipe.model.name)
    data = list_datasets()[recipe.data.name]
    card = _CARD.format(
        name=name,
        summary=info.summary,
        data=recipe.data.name,
        accuracy=100 * metrics["test_accuracy"],
        loss=metrics["test_loss"],
        samples=metrics["test_samples"],
        description=data.description,
        license=data.license,
        limits=_LIMITS[recipe.data.name] if data.kind == "image" else "points in a plane, made to be looked at",
        **{k: metrics[k] for k in ("parameters", "seed", "seconds", "machine", "backend", "epochs", "command")},
        val_accuracy=100 * metrics["val_accuracy"],
    )
    write_text(folder / "README.md", card)
    return metrics


def probe_inputs(model) -> np.ndarray:
    """Four fixed inputs of a model's shape, (4, ...), in [0, 1): their logits are the same on every backend."""
    return np.random.default_rng(0).random((4, *model.input_shape[1:]), dtype="float32")
