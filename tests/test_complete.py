"""Every model of the registry has all that a family owes its readers: nothing is left half done in silence.

What a model still owes stands in OWED, in the commit that adds the model, and is gone at the end of its issue.
"""

import json
import re
from pathlib import Path

import pytest

from kzoo import registry

ROOT = Path(__file__).parents[1]

# model -> names of the rows of `FOUND` that it still owes
OWED: dict[str, set[str]] = {}


def _recipe(model):
    return (ROOT / "kzoo" / "recipes" / f"{model}.py").is_file() and registry.recipe_for(model).model.name == model


def _preset(model):
    folders = [registry.preset_folder(name) for name in registry.list_presets(model=model)]
    # Trained, not only saved: with its seed, its command and its figure.
    figures = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in folders]
    return bool(figures) and all({"seed", "command", "test_samples"} <= found.keys() for found in figures)


def _demo(model):
    demo = registry.model_info(model).demo
    app, test = ROOT / "demos" / f"{demo}_app.py", ROOT / "tests" / "demos" / f"test_{demo}_app.py"
    return app.is_file() and test.is_file()


def _notebook(model):
    """A chapter in which the model is made or loaded by its name."""
    used = re.compile(rf"""(create_model|recipe_for|from_preset)\(\s*["']{model}[_:"']""")
    return any(used.search(path.read_text(encoding="utf-8")) for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py"))


def _benchmark(model):
    """A benchmark of its own or of its family, or the one that takes any classifier of the registry."""
    family = registry.model_info(model).family
    own = any((ROOT / "benchmarks" / f"{stem}.py").is_file() for stem in (model, family))
    fit = (ROOT / "benchmarks" / "fit.py").read_text(encoding="utf-8")
    return own or (family in ("feedforward", "vision") and "list_models()" in fit)


def _reference(model):
    return (ROOT / "tests" / "models" / f"test_{model}.py").is_file()


FOUND = {
    "recipe": _recipe,
    "preset": _preset,
    "demo": _demo,
    "notebook": _notebook,
    "benchmark": _benchmark,
    "reference": _reference,
}


@pytest.mark.parametrize("model", registry.list_models())
@pytest.mark.parametrize("what", FOUND)
def test_a_model_has_all_that_it_owes(model, what):
    owes = what in OWED.get(model, ())
    has = FOUND[what](model)
    assert has or owes, f"{model} has no {what}; CONTRIBUTING.md tells how to make one."
    assert not (has and owes), f"{model} has its {what} now: take it out of OWED."


def test_what_is_owed_is_owed_by_a_model_of_the_registry():
    assert set(OWED) <= set(registry.list_models())
    assert set().union(*OWED.values()) <= set(FOUND)
