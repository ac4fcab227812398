"""python -m kzoo.train MODEL: trains a model's recipe into a run folder. The same as `kzoo train MODEL`.

Flags win over --config, --config over the recipe, the recipe over the defaults.
"""

import argparse
import json
import sys
from pathlib import Path

from kzoo import registry
from kzoo.errors import RecipeError, did_you_mean
from kzoo.recipe import Recipe

# Given by the data set, or decided by another key of the recipe.
_NOT_FLAGS = {"input_shape", "num_classes", "statistics", "portable_dropout"}


def _choices_parser() -> argparse.ArgumentParser:
    """The flags that decide which recipe is meant, and what is done with it; the rest are the recipe's keys."""
    parser = argparse.ArgumentParser(prog="kzoo train", add_help=False, allow_abbrev=False)
    parser.add_argument("--data")
    parser.add_argument("--config")
    parser.add_argument("--out")
    parser.add_argument("--resume")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--print-config", "--print_config", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    return parser


_USAGE = """\
usage: kzoo train MODEL [--data NAME] [flags]        (or: python -m kzoo.train MODEL ...)
       kzoo train --resume RUN_FOLDER

  MODEL               one of: {models}
  --data NAME         the data set; picks the model's recipe for it
  --epochs N          passes over the training part
  --seed N            decides initial weights, split, order, dropout and augmentation
  --out FOLDER        the run folder (default: the next free runs/MODEL-DATA-BACKEND-N)
  --resume FOLDER     continue an interrupted run after its last finished epoch
  --smoke             a run of seconds, to see that everything works
  --config FILE       a recipe in JSON; flags win over it
  --print-config      print the recipe that would be run, and stop

Every key of the recipe is a flag, such as --model.dropout 0.3 or --optimizer.name sgd;
to see all of a model's, type:  kzoo train MODEL --help
"""


def recipe_parser(base: Recipe):
    """A jsonargparse parser with a flag for every key of the recipe and every argument of its model."""
    # 0.2 s to import; `kzoo --help` and `kzoo list` do without it.
    import jsonargparse

    class Parser(jsonargparse.ArgumentParser):
        def error(self, message, ex=None):
            raise RecipeError(_explain(str(message), self))

    parser = Parser(prog=f"kzoo train {base.model.name}", add_help=True, allow_abbrev=False)
    parser.add_argument("--config", action="config", help="A recipe in JSON; flags win over it.")
    parser.add_class_arguments(Recipe, None, skip={"model"})
    parser.add_argument("--model.name", type=str, help="The model of the recipe.")
    parser.add_class_arguments(
        registry.model_info(base.model.name).load(), "model", skip=_NOT_FLAGS | {"name", "kwargs"}
    )
    defaults = base.to_dict()
    flat = {}
    for key, value in defaults.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    parser.set_defaults(flat)
    return parser


def _keys(parser) -> list[str]:
    """The recipe's keys that a parser knows, such as "optimizer.learning_rate"."""
    keys = list(parser.get_defaults().keys())
    sections = {key.partition(".")[0] for key in keys if "." in key}
    return sorted(set(keys) - sections - {"config"})


def _explain(message: str, parser) -> str:
    """jsonargparse's message as ours: which key, what it got, what is allowed."""
    keys = _keys(parser)
    wrong = None
    if "nrecognized arguments:" in message:
        wrong = message.partition("arguments:")[2].split()[0].lstrip("-").partition("=")[0]
    elif "ption '" in message and "is not accepted" in message:
        wrong = message.partition("ption '")[2].partition("'")[0]
    elif "does not accept option" in message:
        group = message.partition("roup '")[2].partition("'")[0]
        option = message.partition("option '")[2].partition("'")[0]
        wrong = f"{group}.{option}" if group and not option.startswith(f"{group}.") else option
    if wrong is None:
        return message
    section = wrong.rpartition(".")[0]
    allowed = [key for key in keys if key.rpartition(".")[0] == section] or keys
    return f"{wrong}: no such key.{did_you_mean(wrong, keys)}\nAllowed: {', '.join(allowed)}."


def read_recipe(argv: list[str]) -> tuple[Recipe | None, argparse.Namespace]:
    """The recipe that a command line asks for, and the flags that are not part of it.

    Raises:
        KzooError: for an unknown name, a wrong key, type or value.
    """
    given, rest = _choices_parser().parse_known_args(argv)
    given.model, rest = _split_off_model(rest)
    if given.resume:
        # A resume that changed the recipe would not be the same run.
        refused = [*([given.model] if given.model else []), *rest]
        for flag in ("data", "config", "out", "smoke"):
            refused += [f"--{flag}"] if getattr(given, flag) else []
        if refused:
            raise RecipeError(
                f"--resume continues the recipe of its folder unchanged; leave out: {' '.join(refused)}.\n"
                "To run a changed recipe from the start, type:\n"
                f"    kzoo train --config {Path(given.resume) / 'recipe.json'} [flags]"
            )
        return None, given
    file = _read_config(given.config) if given.config else {}
    model = given.model or file.get("model", {}).get("name")
    if model is None:
        return None, given
    if given.model and file.get("model", {}).get("name", model) != model:
        raise RecipeError(
            f"model.name: {given.config} holds {file['model']['name']!r}, and the command line {model!r}. "
            "Leave one of them out."
        )
    data = given.data or file.get("data", {}).get("name")
    base = registry.recipe_for(model, data)
    parser = recipe_parser(base)
    if given.help:
        parser.print_help()
        raise SystemExit(0)
    # --config stands first: what comes later wins, and flags are to win over the file.
    order = (["--config", given.config] if given.config else []) + rest
    if given.data:
        order += ["--data.name", given.data]
    plain = parser.parse_args(order).as_dict()
    plain.pop("config", None)
    plain = json.loads(json.dumps(plain, default=str))  # tuples to lists, paths to text
    known = registry.model_arguments(model)
    plain["model"] = {k: v for k, v in plain["model"].items() if k == "name" or k in known}
    recipe = Recipe.from_dict(plain)
    if given.smoke:
        named = any(word.partition("=")[0] == "--epochs" for word in rest)
        recipe = recipe.override(smoke=True, epochs=recipe.epochs if named else min(recipe.epochs, 2))
    return recipe, given


def _split_off_model(rest: list[str]) -> tuple[str | None, list[str]]:
    """The one word that is neither a flag nor a flag's value, and the other words; every key takes a value."""
    flags, words = [], []
    takes_value = False
    for word in rest:
        if takes_value or word.startswith("-"):
            flags.append(word)
            takes_value = not takes_value and "=" not in word
        else:
            words.append(word)
    return (words[0] if words else None), flags + words[1:]


def _read_config(path: str, flag: str = "--config") -> dict:
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{flag}: {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise RecipeError(f"{flag}: {path} is not valid JSON: {error}.") from None
    for key in ("model", "data"):
        if not isinstance(plain, dict) or not isinstance(plain.get(key, {}), dict):
            raise RecipeError(f'{flag}: {path}: expected {{"model": {{"name": ...}}, ...}}; see --print-config.')
    return plain


def _pick_model() -> str:
    """Lets the person at the terminal choose."""
    from rich.console import Console
    from rich.prompt import Prompt

    console = Console()
    console.print("Which model shall be trained?")
    for name in registry.list_models():
        console.print(f"  [bold]{name:<12}[/] {registry.model_info(name).summary}")
    return Prompt.ask("Model", choices=registry.list_models(), default="cnn", console=console)


def train(argv: list[str]) -> int:
    """The command: returns the exit code; raises KzooError for what the user can mend."""
    recipe, given = read_recipe(argv)
    if recipe is None and not given.resume:
        usage = _USAGE.format(models=", ".join(registry.list_models()))
        if given.help:
            print(usage, end="")
            return 0
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise RecipeError(f"Name the model to train.\n\n{usage}")
        recipe, given = read_recipe([_pick_model(), *argv])
    if given.print_config:
        shown = recipe or Recipe.from_dict(_read_config(str(Path(given.resume) / "recipe.json"), "--resume"))
        print(shown.to_json(), end="")
        return 0

    from rich.console import Console

    from kzoo import backend
    from kzoo.training import run

    console = Console(highlight=False)
    if recipe is not None:
        console.print(_recipe_table(recipe, backend.name()))
    else:
        console.print(f"Continuing the run in {given.resume} on {backend.name()}.")
        _warn_of_another_backend(Path(given.resume), backend.name(), console)
    result = run(recipe, out=given.out, resume=given.resume)
    console.print(_metrics_table(result.metrics))
    console.print(f"Run folder: {result.folder}")
    console.print(f"Next, type:  kzoo evaluate {result.folder}")
    return 0


def _warn_of_another_backend(folder: Path, here: str, console) -> None:
    """A run may change its backend, and should do so knowingly."""
    try:
        began = json.loads((folder / "env.json").read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError):
        return  # the run says what is missing, in its own words
    if began != here:
        console.print(
            f"It began on {began}: the weights will agree to rounding, not bit for bit. To continue there, type:\n"
            f"    KERAS_BACKEND={began} kzoo train --resume {folder}"
        )


def _recipe_table(recipe: Recipe, backend_name: str):
    from rich.table import Table

    table = Table(title=f"{recipe.model.name} on {recipe.data.name}, {backend_name}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for key, value in recipe.to_dict().items():
        if isinstance(value, dict):
            shown = {k: v for k, v in value.items() if v not in (None, {}) and k != "name"}
            inner = ", ".join(f"{k} {v}" for k, v in shown.items())
            value = f"{value['name']}: {inner}" if "name" in value else inner
            value = value.removesuffix(": ") or "none"
        table.add_row(key, str(value))
    return table


def _metrics_table(metrics: dict):
    from rich.table import Table

    table = Table(title="Result", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for key, value in metrics.items():
        if key.endswith("accuracy"):
            value = f"{100 * value:.2f} %"
        elif isinstance(value, float):
            value = f"{value:.4f}" if key.endswith("loss") else f"{value:,.1f}"
        else:
            value = f"{value:,}"
        table.add_row(key.replace("_", " "), value)
    return table


if __name__ == "__main__":
    from kzoo.cli import main

    sys.exit(main(["train", *sys.argv[1:]]))
