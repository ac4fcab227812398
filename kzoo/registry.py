"""The table of models: name -> family, class, summary, data sets with a recipe.

A literal table and nothing else: importing it imports no model, no Keras and has no side effect. A model is added
by one line here, one page in `kzoo/models/` and one in `kzoo/recipes/`.
"""

import contextlib
import fnmatch
import importlib
import inspect
import json
import operator
from dataclasses import dataclass
from pathlib import Path

from kzoo.errors import RecipeError, UnknownName, did_you_mean
from kzoo.files import runs_in
from kzoo.seeds import seeded


@dataclass(frozen=True)
class ModelInfo:
    """One line of the registry.

    Attributes:
        name: The stem of the model's files.
        family: Group of related models.
        target: "module:Class".
        summary: One line for tables.
        recipes: Data sets that the model has a recipe for; the first is the default of `kzoo train`.
        kinds: The kinds of data that it takes: "image", "points", "sequence", "text", "movements".
        tasks: What it can be asked to do: "classification", "tokens", "regression", "generation".
        demo: The demo that shows it, by its name.
    """

    name: str
    family: str
    target: str
    summary: str
    recipes: tuple[str, ...]
    kinds: tuple[str, ...] = ("image", "points")
    tasks: tuple[str, ...] = ("classification",)
    demo: str = ""

    def __post_init__(self):
        object.__setattr__(self, "demo", self.demo or self.name)

    def load(self) -> type:
        """Imports the model's page and returns its class; this imports Keras."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


_MODELS = {
    info.name: info
    for info in (
        ModelInfo(
            "perceptron",
            "feedforward",
            "kzoo.models.perceptron:Perceptron",
            "Rosenblatt's single layer and its learning rule",
            ("digits", "mnist", "moons", "xor"),
        ),
        ModelInfo(
            "mlp",
            "feedforward",
            "kzoo.models.mlp:MLP",
            "Fully connected layers, from the classical 784-128-10 up",
            ("digits", "mnist", "spirals", "moons", "xor"),
        ),
        ModelInfo(
            "cnn",
            "vision",
            "kzoo.models.cnn:CNN",
            "3 x 3 convolutions with batch normalisation and max-pooling",
            ("digits", "mnist"),
            kinds=("image",),
        ),
        ModelInfo(
            "rnn",
            "recurrent",
            "kzoo.models.rnn:RNN",
            "Elman's simple recurrent network, whose gradient vanishes with the distance",
            ("digits_rows", "mnist_rows", "adding", "copying", "mackey_glass", "sunspots"),
            kinds=("sequence", "text"),
            tasks=("classification", "tokens", "regression"),
            demo="rnn",
        ),
        ModelInfo(
            "lstm",
            "recurrent",
            "kzoo.models.lstm:LSTM",
            "Long short-term memory: a cell whose gates decide what enters, stays and leaves",
            ("digits_rows", "mnist_rows", "adding", "copying", "mackey_glass", "sunspots"),
            kinds=("sequence", "text"),
            tasks=("classification", "tokens", "regression"),
            demo="rnn",
        ),
        ModelInfo(
            "gru",
            "recurrent",
            "kzoo.models.gru:GRU",
            "Gated recurrent unit: the state is a gated mean of old and new",
            ("digits_rows", "mnist_rows", "adding", "copying", "mackey_glass", "sunspots"),
            kinds=("sequence", "text"),
            tasks=("classification", "tokens", "regression"),
            demo="rnn",
        ),
        ModelInfo(
            "mtrnn",
            "recurrent",
            "kzoo.models.mtrnn:MTRNN",
            "Multiple-timescale RNN: slow units choose among the movements that fast units know",
            ("lissajous", "compositions"),
            kinds=("movements",),
            tasks=("regression",),
        ),
        ModelInfo(
            "transformer",
            "sequence",
            "kzoo.models.transformer:Transformer",
            "Attention in pre-norm blocks: GPT-2's decoder, or an encoder",
            ("pydoc", "shakespeare", "mnist_rows", "selective_copying", "induction_heads"),
            kinds=("text", "sequence"),
            tasks=("tokens", "classification", "regression"),
        ),
        ModelInfo(
            "mamba",
            "sequence",
            "kzoo.models.mamba:Mamba",
            "State spaces whose input decides what they keep: the same cost a token at any length",
            ("pydoc", "shakespeare", "mnist_rows", "selective_copying", "induction_heads"),
            kinds=("text", "sequence"),
            tasks=("tokens", "classification", "regression"),
        ),
        ModelInfo(
            "vae",
            "generative",
            "kzoo.models.vae:VAE",
            "Variational autoencoder: images from a code that is a distribution, with a bound of their likelihood",
            ("digits", "mnist"),
            kinds=("image",),
            tasks=("generation",),
        ),
        ModelInfo(
            "gan",
            "generative",
            "kzoo.models.gan:GAN",
            "Generative adversarial network: a generator learns from a discriminator that learns to catch it",
            ("digits", "mnist"),
            kinds=("image",),
            tasks=("generation",),
        ),
        ModelInfo(
            "diffusion",
            "generative",
            "kzoo.models.diffusion:Diffusion",
            "Diffusion: a U-Net takes noise out of noise until an image is left; flow matching as an option",
            ("digits", "mnist"),
            kinds=("image",),
            tasks=("generation",),
        ),
        ModelInfo(
            "snn",
            "spiking",
            "kzoo.models.snn:SNN",
            "Spiking network: leaky integrate-and-fire neurons trained by surrogate gradients",
            ("digits", "mnist"),
            kinds=("image",),
            demo="lif",
        ),
    )
}

# Whose settings a data set takes where a model has no recipe of its own for it.
_NEAREST = {
    "fashion_mnist": ("mnist",),
    "cifar10": ("mnist",),
    "spirals": ("moons",),
    "moons": ("xor",),
    "mnist_pixels": ("mnist_rows",),
    "mnist_permuted": ("mnist_rows",),
    "pydoc": ("shakespeare", "copying"),
    "shakespeare": ("pydoc", "copying"),
    "selective_copying": ("induction_heads", "copying"),
    "induction_heads": ("selective_copying", "copying"),
}

_PRESETS = Path(__file__).parent / "presets"

# Whence a model comes whose name begins so, instead of a preset's: "module:function", which takes the whole name.
_SOURCES = {"hf://": "kzoo.convert.hub:load"}


def list_models(pattern: str = "*", *, family: str | None = None) -> list[str]:
    """Names of the models that match a shell pattern, such as `"c*"`.

    Args:
        pattern: Shell-style wildcards.
        family: Only this family's models.

    Raises:
        UnknownName: if no model has that family.
    """
    families = {info.family for info in _MODELS.values()}
    if family is not None and family not in families:
        raise UnknownName(
            f"No family {family!r}.{did_you_mean(family, families)} Families: {', '.join(sorted(families))}."
        )
    return sorted(
        name for name, info in _MODELS.items() if fnmatch.fnmatchcase(name, pattern) and family in (None, info.family)
    )


def model_info(name: str) -> ModelInfo:
    """The registry's line of one model.

    Raises:
        UnknownName: if there is none of that name.
    """
    if name not in _MODELS:
        raise UnknownName(f"No model {name!r}.{did_you_mean(name, _MODELS)} Models: {', '.join(sorted(_MODELS))}.")
    return _MODELS[name]


def model_arguments(name: str) -> dict[str, inspect.Parameter]:
    """The arguments of a model's constructor, by name; `**kwargs` (Keras's `name`) left out. Imports Keras."""
    parameters = inspect.signature(model_info(name).load().__init__).parameters.values()
    return {p.name: p for p in parameters if p.name != "self" and p.kind is not inspect.Parameter.VAR_KEYWORD}


def create_model(name: str, /, *, seed: int | None = None, **arguments):
    """A new, untrained model: `create_model("cnn", input_shape=(28, 28, 1), num_classes=10, dropout=0.3)`.

    Initial weights are drawn in NumPy: the same on every backend for the same seed.

    Args:
        name: One of `list_models()`, or `"model:variant"` with a variant of the model page's `PRESETS`, such as
            `"cnn:mu"`.
        seed: Decides the initial weights, and what dropout and noise will draw; None takes the state of Python's
            `random`, as Keras does, which `keras.utils.set_random_seed` fixes.
        **arguments: Arguments of the model's constructor; they win over the variant's.

    Raises:
        UnknownName: if the model or the variant does not exist.
        RecipeError: if the model has no such argument, or refuses its value.
    """
    name, _, variant = name.partition(":")
    cls = model_info(name).load()
    if variant:
        variants = importlib.import_module(cls.__module__).PRESETS
        if variant not in variants:
            raise UnknownName(
                f"Model {name!r} has no variant {variant!r}.{did_you_mean(variant, variants)} "
                f"Variants: {', '.join(variants)}."
            )
        arguments = {**variants[variant], **arguments}
    allowed = model_arguments(name)
    for key in arguments:
        if key not in allowed and key != "name":
            raise RecipeError(
                f"model.{key}: {name} has no such argument.{did_you_mean(key, allowed)} Allowed: {', '.join(allowed)}."
            )
    # The rule of a recipe's seed. Python's generator would take -1 for 1, and text or NaN for something else.
    if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed < 2**31):
        raise RecipeError(f"seed: got {seed!r}; expected a whole number, at least 0 and below {2**31}, or None.")
    try:
        with contextlib.nullcontext() if seed is None else seeded(operator.index(seed)):
            return cls(**arguments)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def recipe_for(model: str, data: str | None = None):
    """The recipe of a model on a data set; without `data`, the model's default recipe.

    A data set that the model has no recipe for takes the settings of the nearest one that it has.

    Raises:
        UnknownName: if there is no such model.
    """
    info = model_info(model)
    recipes = importlib.import_module(f"kzoo.recipes.{model}").RECIPES
    if data is None:
        return recipes[info.recipes[0]].override()  # a copy: the zoo's own table cannot be changed through it
    if data in recipes:
        return recipes[data].override()
    nearest = next((near for near in _NEAREST.get(data, ()) if near in recipes), info.recipes[0])
    return recipes[nearest].override(data={"name": data})


def source(name):
    """The function that gets a model whose name begins with a scheme, such as "hf://"; None for all other names."""
    target = next((target for scheme, target in _SOURCES.items() if str(name).startswith(scheme)), None)
    if target is None:
        return None
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def list_presets(pattern: str = "*", *, model: str | None = None) -> list[str]:
    """Names of the trained presets that ship with kzoo, such as `"cnn_mnist"`.

    Args:
        pattern: Shell-style wildcards.
        model: Only presets of this model, by what they say themselves: names may begin alike.
    """
    return sorted(
        file.parent.name
        for file in _PRESETS.glob("*/config.json")
        if not file.parent.name.startswith(".")  # one that is being written
        and fnmatch.fnmatchcase(file.parent.name, pattern)
        and model in (None, json.loads(file.read_text(encoding="utf-8"))["model"])
    )


def preset_folder(name: str) -> Path:
    """The folder of a shipped preset.

    Raises:
        UnknownName: if there is none of that name.
    """
    presets = list_presets()
    if name not in presets:
        raise UnknownName(
            f"No preset {name!r}.{did_you_mean(name, presets)} Presets: {', '.join(presets) or 'none yet'}. "
            "There is no folder of that name here either."
        )
    return _PRESETS / name


def refuse_folder_of_runs(path: str) -> None:
    """Says which runs lie in a folder that is none itself; before Keras loads, which takes seconds.

    Args:
        path: What was given for a run, a preset or a model.

    Raises:
        UnknownName: if it is a folder of runs.
    """
    folder = Path(path)
    own = any((folder / name).exists() for name in ("recipe.json", "config.json", "best.keras"))
    if path in list_presets() or own or not (runs := runs_in(folder)):
        return
    shown = ", ".join(map(str, runs[:20])) + (" ..." if len(runs) > 20 else "")
    raise UnknownName(f"{folder} holds runs and is none itself; name one of them. Runs here: {shown}.")
