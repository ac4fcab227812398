"""The command `kzoo generate`: a text, written as it comes, or a picture of images, by a trained model."""

import argparse
import contextlib
import sys
from pathlib import Path

from kzoo.errors import KzooError
from kzoo.registry import refuse_folder_of_runs


def _parser():
    parser = argparse.ArgumentParser(
        prog="kzoo generate",
        description="Continue a text, which is printed as it comes, the prompt first; or make images, in one picture.",
    )
    parser.add_argument("model", help="a run folder, a preset's name or folder, or a .keras file")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="decides what is made (default: 0)")
    text = parser.add_argument_group("of a model of texts")
    text.add_argument("--prompt", help='the beginning; "-" reads it from standard input')
    text.add_argument("--length", type=int, metavar="N", help="tokens to write (default: 500)")
    text.add_argument("--temperature", type=float, metavar="T", help="0 for the most probable token (default: 1)")
    text.add_argument("--top_k", "--top-k", type=int, metavar="K", help="choose among the K most probable tokens")
    text.add_argument(
        "--top_p",
        "--top-p",
        type=float,
        metavar="P",
        help="choose among the fewest tokens that together are that probable",
    )
    images = parser.add_argument_group("of a model of images")
    images.add_argument("--out", metavar="FILE", help="the picture to write (default: samples.png)")
    images.add_argument(
        "--show",
        metavar="KIND",
        help='"grid" of images (default); of a vae or gan "ways" from code to code, and the "plane" of all codes where '
        'there are two numbers to one; of a diffusion model the "strip" from noise to image',
    )
    images.add_argument("--count", type=int, metavar="N", help="how many images, ways or strips (default: 100, 10, 5)")
    images.add_argument(
        "--class", dest="label", type=int, metavar="K", help="of which class (default: of each in turn)"
    )
    diffusion = parser.add_argument_group("of a diffusion model")
    diffusion.add_argument("--sampler", metavar="NAME", help='"ddpm", "ddim" or "dpm_solver" (default: ddim)')
    diffusion.add_argument("--steps", type=int, metavar="N", help="answers of the network an image (default: 50)")
    diffusion.add_argument(
        "--guidance",
        dest="guidance_scale",
        type=float,
        metavar="G",
        help="0 for no class, 1 for the class alone, above 1 led to it (default: the model's)",
    )
    return parser, text, images, diffusion


def generate(argv: list[str]) -> int:
    """Runs the command and returns its exit code.

    Raises:
        KzooError: for a model that there is none of, a flag of another kind of model, or a value out of range.
    """
    parser, text, images, diffusion = _parser()
    given = parser.parse_args(argv)
    refuse_folder_of_runs(given.model)
    prompt = _from_standard_input() if given.prompt == "-" else given.prompt
    out = Path(given.out or "samples.png")
    if out.suffix != ".png":
        raise KzooError(f"--out: got {str(out)!r}; expected a file that ends in .png, such as samples.png.")

    with _waiting(f"Loading {given.model} ..."):
        from kzoo.models.preset import load_model

        model = load_model(given.model)
    makes_images = getattr(model, "task", None) == "generation"
    for group in (text,) if makes_images else (images, diffusion):
        for action in group._group_actions:
            if getattr(given, action.dest) is not None:
                kind = "images" if makes_images else "texts"
                raise KzooError(f"{action.option_strings[0]} is {group.title}, and {given.model} is one of {kind}.")
    return _picture(model, given, out, diffusion) if makes_images else _text(model, given, prompt or "")


def _text(model, given, prompt) -> int:
    from kzoo.sampling import stream_text

    pieces = stream_text(
        model,
        prompt,
        500 if given.length is None else given.length,
        temperature=1.0 if given.temperature is None else given.temperature,
        top_k=given.top_k,
        top_p=given.top_p,
        seed=given.seed,
    )
    with _waiting("Compiling the first step ..."):
        first = next(pieces)  # what is refused is refused before anything is printed
    print(prompt, end=first, flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    return 0


def _picture(model, given, out, diffusion) -> int:
    from kzoo import plots
    from kzoo.sampling.pictures import picture

    options = {action.dest: getattr(given, action.dest) for action in diffusion._group_actions}
    options = {key: value for key, value in options.items() if value is not None}
    title = ", ".join(
        [given.model, *(f"{key.split('_')[0]} {value}" for key, value in options.items()), f"seed {given.seed}"]
    )
    with _waiting("Making images; the first ones of a model are compiled for ..."):
        try:
            figure = picture(
                model,
                given.show or "grid",
                title=title,
                count=given.count,
                label=given.label,
                seed=given.seed,
                **options,
            )
        except KzooError as error:
            # The name of the argument is that of the flag, but for these.
            key, colon, rest = str(error).partition(":")
            flag = {"kind": "show", "labels": "class", "guidance_scale": "guidance"}.get(key, key)
            raise KzooError(f"--{flag}{colon}{rest}" if colon and key.isidentifier() else str(error)) from None
    plots.save_png(figure, out)
    print(f"Wrote {out}: {given.show or 'grid'} of {title}.")
    return 0


def _waiting(words):
    """Tells, on a terminal, what the silence is for."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(words)


def _from_standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise KzooError(
            f"The text on standard input is not {error.encoding}: byte {error.start} is "
            f"{error.object[error.start]:#04x}. Save it as UTF-8, or convert it on the way:  iconv -t utf-8 FILE"
        ) from None
