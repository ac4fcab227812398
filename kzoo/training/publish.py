"""From a finished run to a preset folder: weights in half precision, measured again, with a model card."""

import json
from pathlib import Path

import numpy as np

from kzoo import registry
from kzoo.data import list_datasets
from kzoo.errors import KzooError
from kzoo.files import write_json, write_text
from kzoo.models import preset
from kzoo.recipe import Recipe
from kzoo.training.measure import measure

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


def publish(run_folder, folder) -> dict:
    """Writes a preset from a finished run.

    Args:
        run_folder: A run folder with metrics.json.
        folder: The preset folder; its name becomes the preset's.

    Returns:
        The content of the preset's metrics.json.

    Raises:
        KzooError: if the run has not ended, or the folder holds something else than a preset.
    """
    run_folder, folder = Path(run_folder), Path(folder)
    if not (run_folder / "metrics.json").is_file():
        raise KzooError(
            f"{run_folder} has no metrics.json: the run has not ended. Type:  kzoo train --resume {run_folder}"
        )
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise KzooError(f"{folder} holds other files and is no preset; name a new folder, such as ./my_preset.")
    recipe = Recipe.from_json((run_folder / "recipe.json").read_text(encoding="utf-8"))
    env = json.loads((run_folder / "env.json").read_text(encoding="utf-8"))
    trained = json.loads((run_folder / "metrics.json").read_text(encoding="utf-8"))

    preset.save(preset.load_model(run_folder), folder)
    write_text(folder / "recipe.json", recipe.to_json())
    measured = measure(_as_path(folder))
    metrics = {
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "test_samples": measured["samples"],
        **{k: trained[k] for k in ("val_accuracy", "best_epoch", "epochs", "parameters", "seconds")},
        "seed": recipe.seed,
        "command": f"KERAS_BACKEND={env['backend']} {env['command']}",
        "backend": env["backend"],
        "machine": env["machine"],
        "versions": env["versions"],
    }
    write_json(folder / "metrics.json", metrics)

    model = preset.from_preset(_as_path(folder))
    write_json(folder / "probe.json", {"logits": model.predict(probe_inputs(model), verbose=0).tolist()})
    info = registry.model_info(recipe.model.name)
    data = list_datasets()[recipe.data.name]
    card = _CARD.format(
        name=folder.name,
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


def _as_path(folder: Path) -> str:
    """A path that `from_preset` does not take for the name of a shipped preset."""
    return str(folder.resolve())
