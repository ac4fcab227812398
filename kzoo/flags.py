"""A recipe out of words: the flags of `kzoo train`, their help, and what is said of a wrong one.

Flags win over --config, --config over the recipe, the recipe over the defaults.
"""

import argparse
import json
import shlex
import textwrap
import types
import typing
from pathlib import Path

from kzoo import registry
from kzoo.errors import KzooError, RecipeError, did_you_mean
from kzoo.files import read_json
from kzoo.recipe import DECIDED, Recipe

# What follows each flag that is no key of the recipe.
_EXPECTED = {
    "--data": "the name of a data set, such as --data mnist",
    "--data.name": "the name of a data set, such as --data.name mnist",
    "--model.name": "the name of a model, such as --model.name cnn",
    "--config": "a recipe in JSON, such as --config my_recipe.json",
    "--out": "the folder to make, such as --out runs/mine",
    "--resume": "the folder of an interrupted run, such as --resume runs/cnn-digits-jax-1",
}


class _ChoicesParser(argparse.ArgumentParser):
    """The flags that decide which recipe is meant, and what is done with it; the rest are the recipe's keys."""

    def __init__(self):
        super().__init__(prog="kzoo train", add_help=False, allow_abbrev=False)
        for flag in _EXPECTED:
            self.add_argument(flag, dest=flag.lstrip("-").replace(".", "_"))
        self.add_argument("--smoke", action="store_true")
        self.add_argument("--print-config", "--print_config", action="store_true")
        self.add_argument("-h", "--help", action="store_true")

    def error(self, message):
        """In place of argparse's exit: the same error that every other mistake raises."""
        flag = message.removeprefix("argument ").partition(":")[0]
        if flag in _EXPECTED:
            message = f"{flag}: no value follows it; expected {_EXPECTED[flag]}."
        raise RecipeError(message)


_USAGE = """\
usage: kzoo train MODEL [--data NAME] [flags]        (or: python -m kzoo.train MODEL ...)
       kzoo train --resume RUN_FOLDER

  MODEL               {models}
  --data NAME         the data set; picks the model's recipe for it
  --epochs N          passes over the training part
  --seed N            decides initial weights, split, order, dropout and augmentation
  --out FOLDER        the run folder (default: the next free runs/MODEL-DATA-BACKEND-N)
  --resume FOLDER     continue an interrupted run after its last finished epoch
  --smoke             a run of seconds, to see that everything works
  --config FILE       a recipe in JSON; flags win over it
  --print-config      print the recipe that would be run, and stop
  --help              print this, and stop
"""

_USAGE_OF_KEYS = """
Every key of the recipe is a flag, such as --model.dropout 0.3 or --optimizer.name sgd;
to see all of a model's, type:  kzoo train MODEL --help
"""

# Keys that have their own flags in the usage above, or that only a file can set.
_NOT_IN_HELP = {"data.name", "model.name", "smoke"}


def _usage() -> str:
    models = textwrap.wrap(f"one of: {', '.join(registry.list_models())}", 66)
    return _USAGE.format(models=f"\n{'':22}".join(models))


def help_text(model: str | None, data: str | None) -> str:
    """The usage and, for a model, every key of its recipe with its default there."""
    if model is None:
        return _usage() + _USAGE_OF_KEYS
    base = registry.recipe_for(model, data)
    parser = recipe_parser(base)
    defaults = parser.get_defaults()
    lines = [
        _usage(),
        f"The keys of the recipe, with their defaults for {model} on {base.data.name}.",
        "X stands for a number, N for a whole one.",
    ]
    titles = {"Recipe": "The run", "model": f"The model {model}: {parser.groups['model'].title}"}
    for name in dict.fromkeys([*titles, *parser.groups]):
        group = parser.groups[name]
        lines += ["", f"{titles.get(name, group.title)}:"]
        for action in group._group_actions:
            if action.dest in _NOT_IN_HELP or not hasattr(action, "_typehint"):
                continue  # no key: jsonargparse's flag for the file of a whole section
            head = f"  --{action.dest} {_kind(action._typehint)[0]}"
            default = _as_argument(defaults[action.dest])
            text = textwrap.wrap(" ".join(f"{action.help} (default: {default})".split()), 66)
            if len(head) > 33:
                lines.append(head)
                head = ""
            lines.append(f"{head:<34}{text[0]}")
            lines += [f"{'':34}{line}" for line in text[1:]]
    return "\n".join(lines) + "\n"


def _kind(hint) -> tuple[str, str]:
    """A type as it stands behind a flag in the help, and in words."""
    if typing.get_origin(hint) is typing.Literal:
        options = [str(option) for option in typing.get_args(hint)]
        return "|".join(options), f"one of {', '.join(options)}"
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [_kind(option) for option in typing.get_args(hint) if option is not type(None)]
        kinds += [("null", "null")] * (type(None) in typing.get_args(hint))
        return "|".join(short for short, _ in kinds), " or ".join(words for _, words in kinds)
    if typing.get_origin(hint) in (tuple, list):
        short, _ = _kind(typing.get_args(hint)[0])
        return f"[{short},...]", f"a list [{short},...]"
    if typing.get_origin(hint) is dict:
        return "JSON", "an object in JSON"
    named = {bool: ("true|false", "true or false"), int: ("N", "a whole number"), float: ("X", "a number")}
    return named.get(hint, ("TEXT", "text"))


def recipe_parser(base: Recipe):
    """A jsonargparse parser with a flag for every key of the recipe and every argument of its model."""
    # 0.2 s to import; `kzoo --help` and `kzoo list` do without it.
    import jsonargparse

    class Parser(jsonargparse.ArgumentParser):
        def error(self, message, ex=None):
            raise RecipeError(_explain(str(message), self))

    # Help and --print-config are answered before this parser is asked.
    parser = Parser(prog=f"kzoo train {base.model.name}", add_help=False, print_config=None, allow_abbrev=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Recipe, None, skip={"model"})
    parser.add_argument("--model.name", type=str)
    parser.add_class_arguments(
        registry.model_info(base.model.name).load(), "model", skip=set(DECIDED) | {"name", "kwargs"}
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
    if message.startswith("argument --") and "expected one argument" in message:
        key = message.removeprefix("argument --").partition(":")[0]
        return f"--{key}: no value follows it; expected {_expected(key, parser)}."
    if message.startswith('Parser key "') and "alue: " in message:
        key = message.partition('"')[2].partition('"')[0]
        got = message.rpartition("alue: ")[2].strip()  # "Got value: many", or for a choice of types "Given value: many"
        return f"{key}: got {got if _is_json(got) else repr(got)}; expected {_expected(key, parser)}."
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


def _expected(key: str, parser) -> str:
    """What a key takes, in words, with its default as the example."""
    hint = next((getattr(a, "_typehint", str) for a in parser._actions if a.dest == key), str)
    default = parser.get_defaults().get(key)
    example = "" if default is None else f", such as --{key} {shlex.quote(_as_argument(default))}"
    return f"{_kind(hint)[1]}{example}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _as_argument(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def read_recipe(argv: list[str]) -> tuple[Recipe | None, argparse.Namespace]:
    """The recipe that a command line asks for, and the flags that are not part of it.

    There is no recipe where help is asked for, where a run is resumed and where no model is named.

    Raises:
        KzooError: for an unknown name, a wrong key, type or value.
    """
    given, rest = _ChoicesParser().parse_known_args(argv)
    word, rest = _split_off_model(rest)
    given.model = _one_name("MODEL", word, "--model.name", given.model_name)
    given.data = _one_name("--data", given.data, "--data.name", given.data_name)
    if given.help:
        return None, given
    if given.resume:
        # A resume that changed the recipe would not be the same run.
        refused = [*([given.model] if given.model else []), *rest]
        for flag in ("data", "config", "out", "smoke"):
            refused += [f"--{flag}"] if getattr(given, flag) else []
        if refused:
            raise RecipeError(
                f"--resume continues the recipe of its folder unchanged; leave out: {' '.join(refused)}.\n"
                "To run a changed recipe from the start, type:\n"
                f"    kzoo train --config {shlex.quote(str(Path(given.resume) / 'recipe.json'))} [flags]"
            )
        return None, given
    file = read_config(given.config) if given.config else {}
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
    named = {word.partition("=")[0].removeprefix("--") for word in rest if word.startswith("--")}
    if given.smoke:
        recipe = recipe.override(smoke=True, epochs=recipe.epochs if "epochs" in named else min(recipe.epochs, 2))
    # The recipe's warm-up is meant for the recipe's epochs; a run made shorter spends at most a quarter on it.
    warmup_named = "schedule.warmup_epochs" in named or "warmup_epochs" in (file.get("schedule") or {})
    if recipe.epochs < base.epochs and recipe.schedule.warmup_epochs > recipe.epochs / 4 and not warmup_named:
        recipe = recipe.override(schedule={"warmup_epochs": recipe.epochs / 4})
    if recipe.schedule.name == "plateau" and not warmup_named:
        recipe = recipe.override(schedule={"warmup_epochs": 0.0})  # the recipe's was meant for another schedule
    return recipe, given


def _one_name(flag: str, name: str | None, other_flag: str, other: str | None) -> str | None:
    """The name that either of two ways gives."""
    if name is not None and other is not None and name != other:
        raise RecipeError(f"{flag} is {name!r} and {other_flag} is {other!r}; leave one of them out.")
    return other if name is None else name


def _split_off_model(rest: list[str]) -> tuple[str | None, list[str]]:
    """The one word that is neither a flag nor a flag's value, and the other words; every key takes a value."""
    flags, words = [], []
    takes_value = False
    for word in rest:
        if word.startswith("--"):  # never a value: the flag before it then lacks its own
            flags.append(word)
            takes_value = "=" not in word
        elif takes_value or word.startswith("-"):
            flags.append(word)
            takes_value = False
        else:
            words.append(word)
    return (words[0] if words else None), flags + words[1:]


def read_config(path: str, flag: str = "--config") -> dict:
    """The object of a recipe's file, in which the model and the data set are named, if at all, in text.

    Args:
        path: The file.
        flag: The flag that named it, for the message.

    Raises:
        RecipeError: if the file is missing or holds anything else.
    """
    try:
        plain = read_json(path, "To see what a recipe looks like, type:  kzoo train cnn --print-config")
    except KzooError as error:
        raise RecipeError(f"{flag}: {error}") from None
    for key in ("model", "data"):
        if not isinstance(plain.get(key, {}), dict):
            raise RecipeError(f'{flag}: {path}: expected {{"model": {{"name": ...}}, ...}}; see --print-config.')
        name = plain.get(key, {}).get("name", "")
        if not isinstance(name, str):
            raise RecipeError(f"{flag}: {path}: {key}.name: got {name!r}; expected text.")
    return plain
