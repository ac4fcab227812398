"""Presets: a folder with a model's configuration and its trained weights, small enough to ship.

config.json         {"model": "cnn", "arguments": {...}}: a name of the registry, never code
model.weights.h5    Keras's own layout, in half precision and compressed
recipe.json         the recipe that trained it
metrics.json        its figures, with the seed, the command, the wall time and the kind of machine
README.md           the model card
"""

import json
from pathlib import Path

import h5py
import keras
import numpy as np

from kzoo import registry
from kzoo.errors import KzooError, UnknownName
from kzoo.files import replacing, write_json


def save(model, path, *, half: bool = True) -> None:
    """Writes a model's configuration and weights as a preset folder.

    Args:
        model: A model of the zoo.
        path: The folder; it is made where it is missing, and files of the same names are replaced.
        half: Whether to store weights as float16, a half of the size. The largest relative rounding is 2^-11;
            a weight too large for float16 raises.

    Raises:
        KzooError: if a weight does not fit into half precision, or the model's class is not in the registry.
    """
    folder = Path(path)
    names = [name for name in registry.list_models() if registry.model_info(name).load() is type(model)]
    if not names:
        raise KzooError(f"{type(model).__name__} is not in the registry; a preset keeps a registered model.")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "model.weights.h5") as temporary:
        temporary.unlink()
        # A copy was never compiled: the optimizer's moments would treble the file and mean nothing here.
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        copy.save_weights(temporary)
        if half:
            _halve(temporary)
    write_json(folder / "config.json", {"model": names[0], "arguments": model.get_config()})


def _halve(path: Path) -> None:
    """Rewrites a weights file in float16 with compression, the layout and the attributes unchanged."""
    whole = path.with_suffix(".whole")
    path.rename(whole)
    try:
        with h5py.File(whole, "r") as old, h5py.File(path, "w") as new:
            new.attrs.update(old.attrs)

            def copy(name, item):
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

            old.visititems(copy)
    finally:
        whole.unlink(missing_ok=True)


def from_preset(name):
    """A trained model: the name of a shipped preset, or the path of a preset folder.

    Args:
        name: One of `kzoo.list_presets()`, which wins over a folder of the same name; else a path.

    Raises:
        UnknownName: if there is no such preset.
        KzooError: if the folder's files are missing or damaged.
    """
    folder = Path(name)
    if str(name) in registry.list_presets() or (len(folder.parts) == 1 and not folder.exists()):
        folder = registry.preset_folder(str(name))
    if not (folder / "config.json").is_file():
        presets = ", ".join(registry.list_presets())
        raise UnknownName(f"No preset in {folder}: it holds no config.json. Presets: {presets or 'none yet'}.")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        cls = registry.model_info(config["model"]).load()
        model = cls.from_config(config["arguments"])
        model.load_weights(folder / "model.weights.h5")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise KzooError(f"The preset in {folder} is damaged or of another version: {error}") from error
    return model


def load_model(path):
    """A model from a run folder (its best weights), a `.keras` file, a preset folder, or a preset's name.

    `.keras` files are read in Keras's safe mode: no code in them is run.

    Raises:
        KzooError: if there is nothing to load at that path.
    """
    found = Path(path)
    if found.is_dir() and (found / "best.keras").is_file():
        found = found / "best.keras"
    if found.suffix == ".keras":
        if not found.is_file():
            raise KzooError(f"No file {found}. A run folder holds best.keras once its first epoch is done.")
        for name in registry.list_models():  # Keras finds registered classes only once they are imported
            registry.model_info(name).load()
        try:
            return keras.saving.load_model(found, safe_mode=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise KzooError(f"{found} is damaged, or no model of kzoo: {error}") from error
    if found.is_dir() and (found / "recipe.json").is_file() and not (found / "config.json").is_file():
        raise KzooError(f"The run in {found} has not finished an epoch; type:  kzoo train --resume {found}")
    return from_preset(path)
