"""The command `kzoo`: list | info | train | evaluate | generate | bio | publish | convert | demo | doctor.

A mistake that the user can mend is printed as one message without a traceback, with exit code 2. Keras loads only
for the commands that need a model.
"""

import argparse
import json
import os
import sys

from kzoo import __version__, registry
from kzoo.errors import KzooError, UnknownName, did_you_mean

_COMMANDS = {
    "list": "models, their recipes and presets",
    "info": "one model or preset: its arguments, recipes and figures",
    "train": "train a model into a run folder",
    "evaluate": "measure a run, a preset or a .keras file on a test set",
    "generate": "continue a text, or make images, with a trained model",
    "bio": "simulated spiking neurons and networks: figures, numbers, theory, films",
    "publish": "turn a finished run into a preset folder",
    "convert": "a model of Hugging Face's transformers, or a graph of NIR, to a preset, and back",
    "demo": "live demos in the browser: list them, run one, write one as a Hugging Face Space",
    "doctor": "versions, backends, devices, caches, and what is missing",
}


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, _COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, text in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="kzoo",
        description="A Keras 3 model zoo that runs unchanged on JAX, PyTorch and TensorFlow.",
        epilog=f"commands:\n{listing}\n\nFor one command's flags, type:  kzoo COMMAND --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="kzoo COMMAND [...]",
        add_help=True,
    )
    parser.add_argument("--version", action="version", version=f"kzoo {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _list(argv) -> int:
    parser = argparse.ArgumentParser(prog="kzoo list", description="Models, their recipes and presets.")
    parser.add_argument("pattern", nargs="?", default="*", help='shell-style, such as "c*"')
    parser.add_argument("--family", help="only this family's models")
    given = parser.parse_args(argv)
    names = registry.list_models(given.pattern, family=given.family)
    if not names:
        known = registry.list_models(family=given.family)
        of = f" of the family {given.family!r}" if given.family else ""
        near = did_you_mean(given.pattern, known)
        raise UnknownName(f"No model{of} matches {given.pattern!r}.{near} Models{of}: {', '.join(known)}.")
    rows = [("model", "family", "recipes", "presets", "what it is")]
    for name in names:
        info = registry.model_info(name)
        presets = ", ".join(registry.list_presets(model=name)) or "-"
        rows.append((name, info.family, ", ".join(info.recipes), presets, info.summary))
    # Plain columns: they can be piped, and need no import.
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip())
    return 0


def _info(argv) -> int:
    parser = argparse.ArgumentParser(prog="kzoo info", description="One model or preset.")
    parser.add_argument("name", help="a model or a preset of kzoo list")
    name = parser.parse_args(argv).name
    if name in registry.list_presets():
        folder = registry.preset_folder(name)
        print((folder / "README.md").read_text(encoding="utf-8"), end="")
        return 0
    known = [*registry.list_models(), *registry.list_presets()]
    if name not in known:
        raise UnknownName(f"No model or preset {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}.")
    info = registry.model_info(name)
    import inspect

    page = inspect.getmodule(info.load())
    print(f"{name} ({info.family}): {info.summary}\n")
    print(page.__doc__.strip() + "\n")
    print("Arguments:")
    for key, parameter in registry.model_arguments(name).items():
        print(f"  {key} = {parameter.default!r}")
    print(f"\nRecipes: {', '.join(info.recipes)}        kzoo train {name} --data NAME")
    presets = registry.list_presets(model=name)
    print(f"Presets: {', '.join(presets) or 'none yet'}")
    print(f"Source:  {page.__file__}")
    return 0


def _evaluate(argv) -> int:
    parser = argparse.ArgumentParser(prog="kzoo evaluate", description="Measure a model on a test set.")
    parser.add_argument("model", help="a run folder, a preset's name or folder, or a .keras file")
    parser.add_argument("--data", help="the data set (default: the one of its recipe)")
    parser.add_argument(
        "--thorough", action="store_true", help="measure also what takes long, of a model that makes images"
    )
    given = parser.parse_args(argv)
    registry.refuse_folder_of_runs(given.model)

    from kzoo.training.measure import measure
    from kzoo.training.tasks import sentence

    result = measure(given.model, given.data, thorough=given.thorough)
    name, samples = result.pop("data"), result.pop("samples")
    if not result:
        why = "its figures are those of the images it makes, of which 10,000 take minutes: add --thorough"
        if given.thorough:
            why = "the images that a model makes are measured by a classifier of mnist: train it on that"
        print(f"{given.model} has no figure on {name}; {why}.")
        return 0
    print(f"{given.model} on the {samples:,} test samples of {name}: {sentence(result)}")
    return 0


def _generate(argv) -> int:
    from kzoo.generate import generate

    return generate(argv)


def _bio(argv) -> int:
    from kzoo import bio_command

    return bio_command.main(argv)


def _publish(argv) -> int:
    parser = argparse.ArgumentParser(prog="kzoo publish", description="Turn a finished run into a preset folder.")
    parser.add_argument("run", help="a finished run folder")
    parser.add_argument("folder", help="the preset folder to write; its name is the preset's name")
    parser.add_argument("--force", action="store_true", help="replace the preset that the folder holds")
    given = parser.parse_args(argv)
    registry.refuse_folder_of_runs(given.run)

    from kzoo.training.publish import publish
    from kzoo.training.tasks import in_words

    metrics = publish(given.run, given.folder, overwrite=given.force)
    figure = next(key for key in metrics if key.startswith("test_"))
    print(f"Wrote {given.folder}: {' '.join(in_words(figure, metrics[figure]))} in half precision.")
    print(f"Load it with:  kzoo.from_preset({json.dumps(given.folder, ensure_ascii=False)})")
    return 0


def _convert(argv) -> int:
    from kzoo.convert_command import convert

    return convert(argv)


def _doctor(argv) -> int:
    argparse.ArgumentParser(prog="kzoo doctor", description=_COMMANDS["doctor"]).parse_args(argv)

    from rich.console import Console

    from kzoo import doctor

    findings = doctor.report()
    doctor.render(findings, Console())
    if doctor.works(findings):
        return 0
    print("Nothing can be trained here: see Keras, backend and the chosen backend above.")
    return 1


def _train(argv) -> int:
    from kzoo.train import train

    return train(argv)


def _demo(argv) -> int:
    from kzoo import demo

    return demo.main(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 2 for a mistake, 1 from a doctor who finds one, 130 when
    interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser()
    # Only the first word is ours: argparse would take a command's own --help for the parser's.
    given = parser.parse_args(argv[:1])
    if given.command is None:
        parser.print_help()
        return 2
    try:
        if given.command not in _COMMANDS:
            raise UnknownName(
                f"No command {given.command!r}.{did_you_mean(given.command, _COMMANDS)} "
                f"Commands: {', '.join(_COMMANDS)}."
            )
        code = globals()[f"_{given.command}"](argv[1:])
        sys.stdout.flush()  # here, where a full disk or a closed pipe is still answered
        return code
    except KzooError as error:
        print(f"kzoo: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        from kzoo.train import os_error_in_words

        print(f"kzoo: {os_error_in_words(error)}", file=sys.stderr)
        return 2
    except EOFError:
        print("kzoo: the input ended before an answer.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nkzoo: interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
