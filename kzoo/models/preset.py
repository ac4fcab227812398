"""Presets: a folder with a model's configuration and its trained weights, small enough to ship.

config.json         {"model": "cnn", "arguments": {...}}: a name of the registry, never code
model.weights.h5    Keras's own layout, in half precision and compressed
recipe.json         the recipe that trained it
metrics.json        its figures, with the seed, the command, the wall time and the kind of machine
tokenizer.json      of a text's model that reads other tokens than characters, in the format of the library tokenizers
README.md           the model card
"""

import json
import shlex
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from kzoo import registry
from kzoo.errors import KzooError, UnknownName
from kzoo.files import copy, replacing, replacing_folder, runs_in, write_json

TOKENIZER = "tokenizer.json"
FILES = {"config.json", "model.weights.h5", "recipe.json", "metrics.json", "probe.json", "README.md"}


def check_free(folder: Path, overwrite: bool, remedy: str) -> None:
    """Refuses a folder that a new preset would destroy.

    Raises:
        KzooError: if it holds a preset and `overwrite` is off, or other files; the message ends with the remedy.
    """
    if folder.exists() and not folder.is_dir():
        raise KzooError(f"{folder} is a file; name a new folder, such as ./my_preset.")
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not found:
        return
    if other := sorted(found - FILES - {TOKENIZER} if "config.json" in found else found):
        named = ", ".join(other[:5]) + (" ..." if len(other) > 5 else "")
        raise KzooError(f"{folder} holds other files than a preset's: {named}. Name a new folder, such as ./my_preset.")
    if not overwrite:
        raise KzooError(f"{folder} already holds a preset, and nothing in it was touched. {remedy}")


def save(model, path, *, half: bool = True, overwrite: bool = False) -> None:
    """Writes a model's configuration and weights as a preset folder.

    Args:
        model: A model of the zoo.
        path: The folder; it is made where it is missing.
        half: Whether to store weights as float16, a half of the size. The largest relative rounding is 2^-11;
            a weight too large for float16 raises.
        overwrite: Whether to replace a preset that the folder holds, with its recipe, figures and card.

    Raises:
        KzooError: if the folder is not free, a weight does not fit into half precision, or the model's class is
            not in the registry.
    """
    folder = Path(path)
    registered(model)
    check_free(folder, overwrite, "To replace it, pass overwrite=True; or name another folder.")
    with replacing_folder(folder) as temporary:
        write(model, temporary, half=half)


def write(model, folder: Path, *, half: bool = True) -> None:
    """Writes config.json, the weights and the tokenizer, if any, of a registered model into an existing folder."""
    with replacing(folder / "model.weights.h5") as temporary:
        temporary.unlink()
        _uncompiled(model).save_weights(temporary)
        if half:
            _halve(temporary)
    if getattr(model, "tokenizer_file", None) is not None:
        copy(model.tokenizer_file, folder / TOKENIZER)
    write_json(folder / "config.json", {"model": registered(model), "arguments": model.get_config()})


def _uncompiled(model):
    """A model that has no optimizer, whose moments would treble the file and mean nothing in a preset."""
    if getattr(model, "optimizer", None) is None:
        return model
    twin = type(model).from_config(model.get_config())
    twin.set_weights(model.get_weights())
    return twin


def registered(model) -> str:
    """The model's name in the registry.

    Raises:
        KzooError: if its class is not there.
    """
    for name in registry.list_models():
        if registry.model_info(name).load() is type(model):
            return name
    raise KzooError(f"{type(model).__name__} is not in the registry; a preset keeps a registered model.")


def _halve(path: Path) -> None:
    """Rewrites a weights file in float16 with compression, the layout and the attributes unchanged."""
    whole = path.with_suffix(".whole")
    path.rename(whole)
    try:
        with h5py.File(whole, "r") as old, h5py.File(path, "w") as new:
            new.attrs.update(old.attrs)

            def halved(name, item):
                if isinstance(item, h5py.Group):
                    new.require_group(name).attrs.update(item.attrs)
                    return
                value = item[()]
                if value.dtype.kind == "f":
                    if not np.all(np.abs(value) <= np.finfo("float16").max):
                        raise KzooError(f"The weight {name} does not fit into half precision; use half=False.")
                    value = value.astype("float16")
                options = {"compression": "gzip", "shuffle": True} if value.size > 64 else {}
                new.create_dataset(name, data=value, **options).attrs.update(item.attrs)

            old.visititems(halved)
    finally:
        whole.unlink(missing_ok=True)


def from_preset(name):
    """A trained model: the name of a shipped preset, the path of a preset folder, or a model of the Hugging Face hub.

    Args:
        name: One of `kzoo.list_presets()`, which wins over a folder of the same name; else a path, or "hf://owner/name".

    Raises:
        UnknownName: if there is no such preset.
        KzooError: if the folder's files are missing or damaged, or the model cannot be had from the hub.
    """
    if (load := registry.source(name)) is not None:
        return load(name)
    folder = Path(name)
    if str(name) in registry.list_presets() or (len(folder.parts) == 1 and not folder.exists()):
        folder = registry.preset_folder(str(name))
    presets = f"Presets: {', '.join(registry.list_presets()) or 'none yet'}."
    if not folder.exists():
        raise UnknownName(f"There is no {folder}.{_runs()} {presets}")
    if not folder.is_dir():
        raise UnknownName(f"{folder} is neither a folder nor a .keras file.{_runs()} {presets}")
    if not (folder / "config.json").is_file():
        raise UnknownName(f"No preset in {folder}: it holds no config.json. {presets}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if "model_type" in config and "model" not in config:
            command = f"kzoo convert {shlex.quote(str(folder))} --to PRESET_FOLDER"
            raise KzooError(
                f"{folder} holds a model of Hugging Face's and no preset. To make one of it, type:  {command}"
            )
        cls = registry.model_info(config["model"]).load()
        model = cls.from_config(config["arguments"])
        model.load_weights(folder / "model.weights.h5")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise KzooError(f"The preset in {folder} is damaged or of another version: {error}") from error
    if (folder / TOKENIZER).is_file():
        model.tokenizer_file = (folder / TOKENIZER).resolve()
    return model


def _runs() -> str:
    """The runs of the working directory, for a message."""
    runs = [str(run) for run in runs_in("runs")]
    return f" Runs here: {', '.join(runs[:20])}{' ...' if len(runs) > 20 else ''}." if runs else ""


def load_model(path):
    """A model from a run folder (its best weights), a `.keras` file, a preset, or whatever else `from_preset` takes.

    `.keras` files are read in Keras's safe mode: no code in them is run.

    Raises:
        KzooError: if there is nothing to load at that path.
    """
    if registry.source(path) is not None:
        return from_preset(path)
    found = Path(path)
    if found.is_dir() and (found / "best.keras").is_file():
        found = found / "best.keras"
    if found.suffix == ".keras":
        if not found.is_file():
            raise KzooError(f"No file {found}. A run folder holds best.keras once its first epoch is done.{_runs()}")
        if not zipfile.is_zipfile(found):
            raise KzooError(f"{found} is damaged: no whole .keras file, which is a zip archive. {_remedy(found)}")
        for name in registry.list_models():  # Keras finds registered classes only once they are imported
            registry.model_info(name).load()
        try:
            return keras.saving.load_model(found, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = str(error).partition("\n")[0][:200]
            raise KzooError(f"{found} is damaged, or no model of kzoo: {why} {_remedy(found)}") from error
    if found.is_dir() and (found / "recipe.json").is_file() and not (found / "config.json").is_file():
        if (found / "last.keras").is_file():
            raise KzooError(f"{found / 'best.keras'} is missing. {_remedy(found / 'best.keras')}")
        command = f"kzoo train --resume {shlex.quote(str(found))}"
        raise KzooError(f"The run in {found} has not finished an epoch; type:  {command}")
    return from_preset(path)


def _remedy(damaged: Path) -> str:
    """What to type where a run's checkpoint cannot be read."""
    folder = damaged.parent
    last = folder / "last.keras"
    if damaged.name == "best.keras" and zipfile.is_zipfile(last):
        return f"The weights of the last epoch are whole:  kzoo evaluate {shlex.quote(str(last))}"
    if (folder / "recipe.json").is_file():
        return f"To train it again, type:  kzoo train --config {shlex.quote(str(folder / 'recipe.json'))}"
    return "Copy the file anew from where it came from."
