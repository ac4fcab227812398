"""Folders of safetensors: tensors by name, each read when it is asked for. Pickles are refused and never opened."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kzoo.errors import KzooError, install_command
from kzoo.files import read_json, replacing

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# What becomes float32 without a loss.
_EXACT = ("F32", "F16", "BF16")


class Tensors(Mapping):
    """The tensors of a folder, by name, as float32: of model.safetensors, or of the parts that its index names.

    Float16 and bfloat16 are widened, which is exact. A tensor is read from the disk when it is asked for, and not kept.

    Args:
        folder: A folder of Hugging Face's.

    Raises:
        KzooError: if there are no safetensors, above all where there are pickles instead, or a file is damaged.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self._files = {}
        self._shapes = {}
        for file in self._parts():
            with _opened(file) as opened:
                for name in opened.keys():  # noqa: SIM118, no mapping
                    if name in self._files:
                        raise KzooError(f"{file} has {name} once more: it is in {self._files[name].name}, too.")
                    self._files[name] = file
                    self._shapes[name] = tuple(opened.get_slice(name).get_shape())

    def __len__(self):
        return len(self._files)

    def __iter__(self):
        return iter(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return self._shapes[name]

    def __getitem__(self, name: str) -> np.ndarray:
        """One tensor, float32.

        Raises:
            KzooError: if its numbers are of another kind than float32, float16 or bfloat16.
        """
        file = self._files[name]
        with _opened(file) as opened:
            kind = opened.get_slice(name).get_dtype()
            if kind not in _EXACT:
                raise KzooError(
                    f"{name} in {file} is {kind}; kzoo reads {', '.join(_EXACT)}, which become float32 without a loss. "
                    "Save the model in one of them."
                )
            if kind != "BF16":
                return opened.get_tensor(name).astype("float32", copy=False)
        return _bfloat16(file, name, self._shapes[name])

    def _parts(self) -> list[Path]:
        """The files that hold the weights."""
        if (self.folder / WEIGHTS).is_file():
            return [self.folder / WEIGHTS]
        if (self.folder / INDEX).is_file():
            index = self.folder / INDEX
            parts = read_json(index, "Copy it anew from where it came from.", ["weight_map"])["weight_map"]
            names = list(parts.values()) if isinstance(parts, dict) else []
            # A name with a folder in it could lead anywhere.
            if not names or any(not isinstance(name, str) or not name or Path(name).name != name for name in names):
                raise KzooError(f"{index} is damaged: its weight_map must give names of files beside it.")
            names = sorted(set(names))
            if lacking := [name for name in names if not (self.folder / name).is_file()]:
                raise KzooError(f"{self.folder} lacks {', '.join(lacking)}, which {INDEX} names. Copy it there.")
            return [self.folder / name for name in names]
        found = sorted(path.name for path in self.folder.iterdir() if path.suffix in _PICKLES)
        if found:
            raise KzooError(
                f"{self.folder} has its weights only in {', '.join(found[:5])}: pickles, which can run any program "
                f"while they are read, so kzoo reads none. It reads {WEIGHTS}. Take a copy of the model with that "
                "file; or, where you trust the pickle, load it in transformers and save it again with "
                "model.save_pretrained(FOLDER)."
            )
        raise KzooError(f"{self.folder} has no weights: expected {WEIGHTS}, or its parts with {INDEX}.")


def write(path, tensors: dict[str, np.ndarray]) -> None:
    """Writes tensors as a file of safetensors that transformers reads, whole or not at all."""
    _library()
    from safetensors.numpy import save_file

    with replacing(path) as temporary:
        # transformers wants to know for which framework a file was written, and takes no other answer than its own.
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary, {"format": "pt"})


def _library():
    try:
        import safetensors
    except ImportError as error:
        raise KzooError(
            f"Weights of Hugging Face are safetensors, and the package cannot be imported ({error}). "
            f"To install it, type:  {install_command('hub')}"
        ) from error
    return safetensors


def _opened(file: Path):
    """An open file of safetensors, a context.

    Raises:
        KzooError: if it is none, or not whole.
    """
    safetensors = _library()
    try:
        return safetensors.safe_open(file, framework="numpy")
    except (OSError, safetensors.SafetensorError) as error:
        raise KzooError(f"{file} is damaged: {error}. Copy it anew from where it came from.") from error


def _bfloat16(file: Path, name: str, shape) -> np.ndarray:
    """A tensor of bfloat16, which NumPy has not: its bits are the upper half of a float32's."""
    with open(file, "rb") as opened:
        # The format: the length of the header in 8 bytes, the header, the data. The library has checked all three.
        length = int.from_bytes(opened.read(8), "little")
        start, _ = json.loads(opened.read(length))[name]["data_offsets"]
        opened.seek(8 + length + start)
        bits = np.fromfile(opened, "<u2", math.prod(shape))
    return (bits.astype("uint32") << 16).view("float32").reshape(shape)
