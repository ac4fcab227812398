"""Models of Hugging Face's transformers as models of kzoo, and back: GPT-2, Mamba and Mamba-2.

A folder there is config.json, weights as safetensors and, for a text's model, tokenizer.json. Every key of the
configuration is looked at and every tensor has its place: what kzoo cannot express is refused by its name, and a tensor
that is missing or left over is, too. Numbers stay what they are, in float32: a folder that goes there and back has the
same bits.

What is not taken along: the tokens for begin, end and padding, since kzoo's texts do not stop at one, how initial
weights were drawn, and the share of dropout, which changes no output.
"""

import json
from pathlib import Path

import numpy as np

from kzoo import registry
from kzoo.convert import gpt2, mamba
from kzoo.convert.settings import Settings
from kzoo.convert.tensors import WEIGHTS, Tensors, write
from kzoo.errors import KzooError, RecipeError
from kzoo.files import copy, read_json, replacing_folder, write_json, write_text
from kzoo.models import preset
from kzoo.models.sequence import vocabulary_size

_FAMILIES = {model_type: family for family in (gpt2, mamba) for model_type in family.TYPES}
_AGAIN = "Copy it anew from where it came from."
# From a tensor to a weight, and from a weight to a tensor.
_TURNS = {
    "same": (lambda x: x, lambda x: x),
    "transposed": (np.transpose, np.transpose),
    "convolution": (lambda x: x[:, 0].T, lambda x: x.T[:, None]),  # (channels, 1, width), (width, channels)
}
# What `to_huggingface` writes, and so may replace.
_WRITTEN = {"config.json", WEIGHTS, preset.TOKENIZER, "README.md"}

_CARD = """\
# {name}

A {model} with {parameters:,} parameters, its weights those of {source} (`model_type: {model_type}`), converted by

    {command}

Outputs are those of transformers but for rounding. Not taken along: the tokens for begin, end and padding.
The license of the weights is that of their source.

```python
import kzoo

model = kzoo.from_preset("{name}")
```
"""


def is_huggingface(folder) -> bool:
    """Whether a folder holds a model of transformers rather than a preset: a config.json that names no kzoo model."""
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model" not in config


def from_huggingface(folder, *, ignore=()):
    """The model of kzoo that a folder of Hugging Face's describes, with its weights.

    Args:
        folder: config.json with model.safetensors, or with its parts and their index.
        ignore: Keys of config.json that kzoo does not know and that are to be passed over.

    Returns:
        A `kzoo.models.transformer.Transformer` for gpt2, a `kzoo.models.mamba.Mamba` for mamba and mamba2, of the task
        "tokens"; its `tokenizer_file` is the folder's tokenizer.json or None.

    Raises:
        KzooError: if kzoo has no such model, or not with that configuration; if a tensor is missing, left over or of
            another shape, or holds nan; if the weights are pickles, which are never opened.
    """
    folder = Path(folder)
    family, given = _described(folder, ignore)
    tensors = Tensors(folder)
    if given["num_layers"] > len(tensors):  # before there is a list of what so many have
        raise KzooError(
            f"{folder} has {len(tensors)} tensors; its config.json asks for {given['num_layers']} layers. They do not "
            "belong together."
        )
    expected = family.tensors(given)
    names = _named(tensors, family, expected)
    try:
        model = registry.create_model(family.MODEL, seed=0, **given)
    except (RecipeError, MemoryError) as error:
        raise KzooError(f"{folder / 'config.json'} describes no model that kzoo can build: {error}") from error
    weights = _weights(model)
    for name, (path, turn) in expected.items():
        weight = weights.pop(path)
        there, back = _TURNS[turn]
        shape = back(np.broadcast_to(np.float32(0), weight.shape)).shape
        if tensors.shape(names[name]) != shape:
            raise KzooError(
                f"{names[name]} in {folder} has the shape {tensors.shape(names[name])}; its config.json asks for "
                f"{shape}. They do not belong together."
            )
        value = tensors[names[name]]
        if not np.isfinite(value).all():
            raise KzooError(f"{names[name]} in {folder} holds nan or infinite numbers. {_AGAIN}")
        weight.assign(there(value))
    if weights:
        raise KzooError(f"Hugging Face's {family.TYPES[0]} has nothing for {', '.join(weights)} of kzoo's model.")
    tokenizer = folder / preset.TOKENIZER
    model.tokenizer_file = tokenizer.resolve() if tokenizer.is_file() else None
    return model


def to_preset(folder, to, *, source: str, command: str, half: bool = False, overwrite: bool = False, ignore=()) -> None:
    """Converts a folder of Hugging Face's into a preset's.

    Args:
        folder: As for `from_huggingface`.
        to: The preset folder; it is made where it is missing.
        source, command: Where the model comes from, and how it was converted: for the model card.
        half: Whether to store weights as float16, which rounds them; float32 keeps every bit.
        overwrite: Whether to replace a preset that the folder holds.
        ignore: As for `from_huggingface`.

    Raises:
        KzooError: as `from_huggingface`, or if the folder is not free.
    """
    to = Path(to)
    preset.check_free(to, overwrite, "To replace it, add --force (in Python: overwrite=True); or name another folder.")
    model = from_huggingface(folder, ignore=ignore)
    with replacing_folder(to) as temporary:
        preset.write(model, temporary, half=half)
        config = read_json(Path(folder) / "config.json", _AGAIN)
        card = _CARD.format(
            name=to.resolve().name,
            model=preset.registered(model),
            parameters=model.count_params(),
            model_type=config["model_type"],
            source=source,
            command=command,
        )
        write_text(temporary / "README.md", card)


def to_huggingface(model, to, *, overwrite: bool = False) -> None:
    """Writes a model of kzoo as a folder that transformers reads: config.json, model.safetensors, tokenizer.json.

    Args:
        model: A transformer or a mamba of the task "tokens", as transformers knows them too.
        to: The folder; it is made where it is missing.
        overwrite: Whether to replace what this function wrote into the folder before.

    Raises:
        KzooError: if Hugging Face has no such model, or the folder is not free.
    """
    to = Path(to)
    _check_free(to, overwrite)
    name = preset.registered(model)
    family = next((family for family in _FAMILIES.values() if name == family.MODEL), None)
    if family is None:
        models = sorted({family.MODEL for family in _FAMILIES.values()})
        raise KzooError(f"transformers has models for kzoo's {' and '.join(models)}; received a {name}.")
    config = family.config(model)
    if model.vocabulary is None or vocabulary_size(model.vocabulary) != model.num_outputs:
        raise KzooError(
            f"A model of transformers reads the tokens that it writes; this one reads {model.vocabulary!r} and gives "
            f"{model.num_outputs} logits. It cannot be converted."
        )
    weights = _weights(model)
    expected = family.tensors(model.get_config())
    tensors = {
        name: _TURNS[turn][1](np.asarray(weights[path].numpy(), "float32")) for name, (path, turn) in expected.items()
    }
    with replacing_folder(to) as temporary:
        write(temporary / WEIGHTS, tensors)
        special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
        architecture = family.ARCHITECTURES[config["model_type"]][0]
        write_json(
            temporary / "config.json", {"architectures": [architecture], **config, "dtype": "float32", **special}
        )
        if model.tokenizer_file is not None:
            copy(model.tokenizer_file, temporary / preset.TOKENIZER)


def _described(folder: Path, ignore):
    """The family of a folder's model, and the arguments of kzoo's."""
    file = folder / "config.json"
    config = read_json(file, "A folder of Hugging Face's has one.")
    known = ", ".join(_FAMILIES)
    if "model_type" not in config:
        hint = (
            " A folder of the papers' own format has no such key: take the model's copy for transformers, whose name "
            "ends in -hf."
            if "ssm_cfg" in config
            else ""
        )
        raise KzooError(f"{file} says no model_type; kzoo reads {known}.{hint}")
    if config["model_type"] not in list(_FAMILIES):  # a list, since what stands there may be anything
        raise KzooError(f"{file}: got model_type: {config['model_type']!r}; kzoo reads {known}.")
    family = _FAMILIES[config["model_type"]]
    allowed = family.ARCHITECTURES[config["model_type"]]
    named = config.get("architectures") or []
    if other := [name for name in (named if isinstance(named, list) else [named]) if name not in allowed]:
        raise KzooError(f"{file}: got architectures: {other}; kzoo reads {' and '.join(allowed)}, models of texts.")
    settings = Settings(config, file, ignore)
    given = family.arguments(settings)
    settings.finish()
    return family, given


def _named(tensors: Tensors, family, expected) -> dict[str, str]:
    """Today's name of each tensor -> its name in the file; refuses what is missing or left over."""
    names = {}
    for name in tensors:
        if (now := family.canonical(name)) is None:
            continue
        if now in names:
            raise KzooError(f"{tensors.folder} has {now} twice: as {names[now]} and as {name}.")
        names[now] = name
    if lacking := [name for name in expected if name not in names]:
        raise KzooError(f"{tensors.folder} lacks {_some(lacking)}, which its config.json asks for.")
    left = set(names) - set(expected)
    if "lm_head.weight" in left:
        # A tied head may be stored once more. transformers does not look at it; a difference would be lost there too.
        table = next(name for name, (path, _) in expected.items() if path == "embedding/embeddings")
        if not np.array_equal(tensors[names["lm_head.weight"]], tensors[names[table]]):
            raise KzooError(
                f"{tensors.folder} has a head, {names['lm_head.weight']}, that differs from its embedding, and a "
                "config.json that says tie_word_embeddings: true. One of the two is wrong; set it to false to use both."
            )
        left.remove("lm_head.weight")
    if left:
        raise KzooError(
            f"{tensors.folder} has {_some(sorted(names[name] for name in left))}: kzoo's model has no place."
        )
    return names


def _some(names) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _weights(model) -> dict:
    """Path of each weight -> the weight; without the states of dropout's seeds, which are no weights."""
    return {weight.path: weight for weight in model.weights}


def _check_free(folder: Path, overwrite: bool) -> None:
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if other := sorted(found - _WRITTEN):
        raise KzooError(f"{folder} holds other files: {_some(other)}. Name a new folder, such as ./for_transformers.")
    if found and not overwrite:
        raise KzooError(f"{folder} is not empty, and nothing in it was touched. To replace it, add --force.")
