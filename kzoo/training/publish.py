"""From a finished run to a preset folder: weights in half precision, measured again, with a model card."""

import re
import shlex
from pathlib import Path

from kzoo import registry
from kzoo.data import list_datasets
from kzoo.errors import KzooError
from kzoo.files import read_json, replacing_folder, write_json, write_text
from kzoo.models import preset
from kzoo.recipe import Recipe
from kzoo.training.measure import measure, read_recipe
from kzoo.training.tasks import check_fit, in_words

_CARD = """\
# {name}

{summary}, trained on {data}.

| figure | value |
| --- | --- |
{figures}
| parameters | {parameters:,} |

Trained with seed {seed} in {seconds:,.0f} s on {machine} ({backend}), {epochs} epochs, by

    {command}

The figures are those of the weights in this folder, stored in half precision.{measured} `probe.json` holds
{probe}, so that each backend can be checked against the others.

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
    "shakespeare": "one writer of about 1600, a character at a time",
    "pydoc": "the manual of one programming language, a character at a time",
    "sunspots": "one star, one number a year",
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
    recipe = read_recipe(folder / "recipe.json")
    chose, _ = check_fit(recipe).monitor(recipe)
    return (
        recipe,
        read_json(folder / "env.json", again, ("backend", "command", "machine", "versions")),
        read_json(folder / "metrics.json", measured, ((chose,) if chose.startswith("val_") else ()) + _TRAINED),
    )


# What only the run knows; the rest is measured on the weights in half precision.
_TRAINED = ("val_loss", "best_epoch", "epochs", "parameters", "seconds")


def _complete(folder: Path, name: str, recipe: Recipe, env: dict, trained: dict) -> dict:
    """Measures the weights in a preset folder, and writes the recipe, the figures, the probe and the card beside."""
    write_text(folder / "recipe.json", recipe.to_json())
    measured = measure(str(folder), thorough=True)
    task = check_fit(recipe)
    chose, _ = task.monitor(recipe)
    figures = task.figures or tuple(key for key in measured if key not in ("data", "samples"))
    metrics = {
        **{f"test_{key}": measured[key] for key in figures},
        "test_samples": measured["samples"],
        **({chose: trained[chose]} if chose in trained else {}),
        **{key: trained[key] for key in _TRAINED},
        "seed": recipe.seed,
        "command": f"KERAS_BACKEND={env['backend']} {env['command']}",
        "backend": env["backend"],
        "machine": env["machine"],
        "versions": env["versions"],
    }
    write_json(folder / "metrics.json", metrics)

    model = preset.from_preset(str(folder))
    write_json(folder / "probe.json", {"outputs": model.probe().tolist()})
    info = registry.model_info(recipe.model.name)
    data = list_datasets()[recipe.data.name]
    card = _CARD.format(
        name=name,
        summary=info.summary,
        data=recipe.data.name,
        figures=_rows(metrics, chose),
        measured=f" {model.measured}" if getattr(model, "measured", "") else "",
        probe="what the model gives for one seed"
        if task.name == "generation"
        else "the outputs for a few fixed inputs",
        description=data.description,
        license=data.license,
        limits=_LIMITS.get(
            re.sub("_(rows|pixels|permuted)$", "", recipe.data.name), "samples made by a formula, to be looked at"
        ),
        **{k: metrics[k] for k in ("parameters", "seed", "seconds", "machine", "backend", "epochs", "command")},
    )
    write_text(folder / "README.md", card)
    return metrics


def _rows(metrics: dict, chose: str) -> str:
    """The figures of a model card, a line of a table each."""
    tests = [in_words(key, metrics[key]) for key in metrics if key.startswith("test_") and key != "test_samples"]
    of = f"{metrics['test_samples']:,} samples"
    rows = [(name, f"{value} of {of}" if "accuracy" in name else f"{value}, {of}") for name, value in tests]
    if chose in metrics:
        name, value = in_words(chose, metrics[chose])
        rows.append((f"{name.replace('val ', 'validation ')} (chose the epoch)", value))
    return "\n".join(f"| {name} | {value} |" for name, value in rows)
