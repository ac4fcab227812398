"""Writes README's table of models and presets from the registry and the presets' metrics: python docs/make_readme.py"""

import json
import sys
from pathlib import Path

from kzoo import registry
from kzoo.data import list_datasets

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- models: made by docs/make_readme.py -->", "<!-- end of models -->"


def table() -> str:
    """The table in Markdown."""
    rows = ["| model | what it is | preset | on the test part | parameters |", "| --- | --- | --- | --- | --- |"]
    for name in registry.list_models():
        first = f"`{name}` | {registry.model_info(name).summary}"
        for preset in registry.list_presets(model=name) or [None]:
            if preset is None:
                rows.append(f"| {first} | | | |")
                continue
            metrics, recipe = (
                json.loads((registry.preset_folder(preset) / file).read_text(encoding="utf-8"))
                for file in ("metrics.json", "recipe.json")
            )
            of = list_datasets()[recipe["data"]["name"]]
            rows.append(f"| {first} | `{preset}` | {figure(metrics, of.kind)} | {metrics['parameters']:,} |")
            first = " | "
    return "\n".join(rows)


def figure(metrics: dict, kind: str) -> str:
    """The figure that tells how good a preset is, on data of that kind."""
    if kind == "text":
        return f"{metrics['test_loss']:.3f} nats a character"
    if "test_accuracy" in metrics:
        return f"{100 * metrics['test_accuracy']:.2f} % right"
    if "test_nll" in metrics:
        return f"log-likelihood of an image -{metrics['test_nll']:.2f} nats"
    if "test_nfcd" in metrics:
        return f"nFCD {metrics['test_nfcd']:.4f}"
    return f"mean squared error {metrics['test_mse']:.2g}"


def made() -> str:
    """README with the table written anew."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(made() != README.read_text(encoding="utf-8"))
    README.write_text(made(), encoding="utf-8")
