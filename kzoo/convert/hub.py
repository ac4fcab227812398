"""Models from the Hugging Face hub: `kzoo.from_preset("hf://owner/name")`. Pickles are not even downloaded."""

import os
import re
from pathlib import Path

from kzoo.convert.huggingface import from_huggingface
from kzoo.convert.tensors import INDEX, WEIGHTS
from kzoo.errors import KzooError, install_command

SCHEME = "hf://"
_PATTERNS = ("config.json", "tokenizer.json", WEIGHTS, "model-*.safetensors", INDEX)
_NAME = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def load(name: str):
    """The model of a repository, downloaded once and kept in the cache of huggingface_hub.

    Args:
        name: "hf://owner/name", or "hf://owner/name@revision" with a branch, a tag or a commit.

    Raises:
        KzooError: if it cannot be had, or is no model that kzoo reads: see `from_huggingface`.
    """
    return from_huggingface(download(name))


def download(name: str) -> Path:
    """A repository's configuration, safetensors and tokenizer as a folder; no other file is fetched.

    With the variable KZOO_OFFLINE or HF_HUB_OFFLINE only the cache is looked into.

    Raises:
        KzooError: if the name is none of a repository, huggingface_hub is not installed, or nothing can be fetched.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise KzooError(f"{name!r} names no repository; expected hf://owner/name, such as hf://openai-community/gpt2.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise KzooError(
            f"{name} is on the Hugging Face hub, and the package for it cannot be imported ({error}). To install it, "
            f"type:  {install_command('hub')}"
        ) from error
    offline = any(os.environ.get(key, "0") not in ("", "0") for key in ("KZOO_OFFLINE", "HF_HUB_OFFLINE"))
    try:
        folder = snapshot_download(
            found["repository"], revision=found["revision"], allow_patterns=list(_PATTERNS), local_files_only=offline
        )
    except (OSError, ValueError) as error:  # the hub's own errors are of these
        why = str(error).strip().partition("\n")[0][:200]
        remedy = (
            "KZOO_OFFLINE or HF_HUB_OFFLINE is set and the model is not in the cache; unset it"
            if offline
            else "Look at the name and the network"
        )
        raise KzooError(
            f"{name} cannot be downloaded ({type(error).__name__}: {why}). {remedy}, or copy the folder from another "
            "machine and type:  kzoo convert FOLDER --to PRESET_FOLDER"
        ) from error
    return Path(folder)
