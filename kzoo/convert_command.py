"""The command `kzoo convert`: a model of another library, or a graph of NIR, to a preset, and back."""

import argparse
import json
import shlex
from pathlib import Path

from kzoo import registry
from kzoo.errors import KzooError


def convert(argv: list[str]) -> int:
    """Runs the command and returns its exit code; raises KzooError for what the user can mend."""
    parser = argparse.ArgumentParser(
        prog="kzoo convert",
        description="A GPT-2, Mamba or Mamba-2 of Hugging Face's transformers becomes a preset; a transformer or mamba "
        "of kzoo becomes a folder for transformers. A graph of NIR, a file that ends with .nir, becomes a preset; an "
        "snn of kzoo becomes one. The source and --to decide which way.",
    )
    parser.add_argument(
        "source",
        help="a folder with config.json and model.safetensors, hf://owner/name, or a .nir; or a preset, run or .keras",
    )
    parser.add_argument("--to", required=True, metavar="FOLDER", help="the folder to write, or a file that ends .nir")
    parser.add_argument("--half", action="store_true", help="store a preset's weights as float16, which rounds them")
    parser.add_argument("--force", action="store_true", help="replace what an earlier conversion wrote into the folder")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="KEY",
        help="pass over a setting of config.json that kzoo does not know; may be given several times",
    )
    parser.add_argument("--dt", type=float, metavar="SECONDS", help="of one step in a .nir (written: 0.0001)")
    given = parser.parse_args(argv)
    registry.refuse_folder_of_runs(given.source)
    if given.source.endswith(".nir") or given.to.endswith(".nir"):
        return _nir(given, shlex.join(["kzoo", "convert", *argv]))
    if given.dt is not None:
        raise KzooError("--dt is for a source or --to that ends with .nir; neither does.")

    from kzoo.convert import hub, huggingface
    from kzoo.models.preset import load_model

    if not given.source.startswith(hub.SCHEME) and not huggingface.is_huggingface(given.source):
        if given.half or given.ignore:
            flag = "--half" if given.half else "--ignore"
            raise KzooError(f"{flag} is for a model of transformers that becomes a preset; {given.source} is none.")
        huggingface.to_huggingface(load_model(given.source), given.to, overwrite=given.force)
        print(f"Wrote {given.to} for transformers, in float32.")
        if not (Path(given.to) / "tokenizer.json").is_file():
            print("It holds no tokenizer: which text each token stands for is not in it.")
        print(f"Load it with:  transformers.AutoModelForCausalLM.from_pretrained({_quoted(given.to)})")
        return 0
    folder = hub.download(given.source) if given.source.startswith(hub.SCHEME) else given.source
    huggingface.to_preset(
        folder,
        given.to,
        source=given.source,
        command=shlex.join(["kzoo", "convert", *argv]),
        half=given.half,
        overwrite=given.force,
        ignore=given.ignore,
    )
    print(f"Wrote {given.to} in {'half precision' if given.half else 'float32'}.")
    if not (Path(given.to) / "tokenizer.json").is_file():
        print(
            f"No tokenizer.json lay beside the weights: it reads and writes tokens, no text. To change that, put the "
            f"tokenizer.json of the weights into {given.to}."
        )
    print(f"Load it with:  kzoo.from_preset({_quoted(given.to)})")
    return 0


def _nir(given, command: str) -> int:
    if given.ignore or (given.half and given.to.endswith(".nir")):
        raise KzooError(f"{'--ignore' if given.ignore else '--half'} does not go with a graph of NIR; leave it out.")

    from kzoo.convert import nir
    from kzoo.models.preset import load_model

    if not given.to.endswith(".nir"):
        nir.to_preset(given.source, given.to, command=command, dt=given.dt, half=given.half, overwrite=given.force)
        print(f"Wrote {given.to}. Load it with:  kzoo.from_preset({_quoted(given.to)})")
        return 0
    if given.source.endswith(".nir"):
        raise KzooError("The source and --to both end with .nir; a graph becomes a preset, in a folder.")
    nir.write(load_model(given.source), given.to, nir.DT if given.dt is None else given.dt, overwrite=given.force)
    print(f"Wrote {given.to}, a graph of NIR. Load it with:  nir.read({_quoted(given.to)})")
    return 0


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
