"""`kzoo demo`: lists the live demos, runs one, or writes it as a folder that is ready to be a Hugging Face Space.

The apps themselves are files of demos/: beside the package in a clone, inside it (`kzoo/_demos`) when kzoo was
installed from a wheel. What this file needs to know of them it reads from their source, so that listing the demos and
writing a Space import neither Gradio nor Keras.
"""

import argparse
import ast
import importlib.metadata
import importlib.util
import json
import re
import runpy
import shlex
import shutil
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from kzoo import backend, registry
from kzoo.errors import KzooError, UnknownName, did_you_mean, install_command

PACKAGE = Path(__file__).parent
HUB = "all"  # the name of demos/app.py, which has a page for each of the others
GRADIO = (6, 17)  # older ones fetch fonts and scripts from other machines


@dataclass(frozen=True)
class Demo:
    """One app.

    Attributes:
        name: What `kzoo demo` calls it.
        file: Its source.
        title: A few words.
        summary: One line.
        presets: Names of the presets that it opens with.
        modules: The files of demos/ that it imports, and those that these import.
        data: Other files of demos/ that these read, named by patterns in a module's FILES.
    """

    name: str
    file: Path
    title: str
    summary: str
    presets: tuple[str, ...]
    modules: tuple[Path, ...]
    data: tuple[Path, ...]


def folder() -> Path:
    """The folder of the apps.

    Raises:
        KzooError: if this installation has none.
    """
    for candidate in (PACKAGE / "_demos", PACKAGE.parent / "demos"):
        if (candidate / "app.py").is_file() and (candidate / "kit.py").is_file():
            return candidate
    raise KzooError(
        f"The demos are neither in {PACKAGE / '_demos'} nor in {PACKAGE.parent / 'demos'}; this copy of kzoo is "
        "incomplete.\nInstall kzoo anew, or run it from a clone of its repository."
    )


def demos() -> dict[str, Demo]:
    """Every demo by name, the one with all the pages last."""
    found = {file.stem.removesuffix("_app"): file for file in sorted(folder().glob("*_app.py"))}
    return {name: _read(name, file) for name, file in {**found, HUB: folder() / "app.py"}.items()}


def _read(name: str, file: Path) -> Demo:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = _siblings(file, {})
    sources = (file, *modules)
    presets = {preset for path in sources for preset in _literals(path).get("PRESETS", ())}
    patterns = {pattern for path in sources for pattern in _literals(path).get("FILES", ())}
    own = _literals(file, tree)
    return Demo(
        name,
        file,
        own.get("TITLE", name),
        own.get("SUMMARY", (ast.get_docstring(tree) or "").partition("\n")[0]),
        tuple(sorted(presets)),
        tuple(modules),
        tuple(sorted(found for pattern in patterns for found in file.parent.glob(pattern))),
    )


def _literals(file: Path, tree=None) -> dict:
    """The module's capitalised names that are plain values, such as TITLE and PRESETS."""
    found = {}
    for node in (tree or ast.parse(file.read_text(encoding="utf-8"))).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def _siblings(file: Path, seen: dict) -> dict:
    """Files of the same folder that a file imports, or names in a table of its own, and what these import."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Constant) and str(node.value).endswith("_app"):
            names = [node.value]  # app.py imports its pages by their names
        else:
            continue
        for name in names:
            path = file.parent / f"{name}.py"
            if path.is_file() and path != file and path not in seen:
                seen[path] = None
                _siblings(path, seen)
    return seen


def find(name: str) -> Demo:
    """The demo of that name, or the one that shows the model of that name.

    Raises:
        UnknownName: if there is none.
    """
    known = demos()
    if name not in known and name in registry.list_models():
        name = registry.model_info(name).demo
    if name not in known:
        raise UnknownName(f"No demo {name!r}.{did_you_mean(name, known)} Demos: {', '.join(known)}.")
    return known[name]


def _install() -> str:
    return f"To install what the demos need, type:  {install_command('demos')}"


def gradio_version() -> str:
    """The version of the installed Gradio.

    Raises:
        KzooError: if it is missing, or of another major version, or too old to work without the internet.
    """
    if importlib.util.find_spec("gradio") is None:
        raise KzooError(f"The demos are made with Gradio, which is not installed.\n{_install()}")
    version = importlib.metadata.version("gradio")
    here = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if here[0] != GRADIO[0] or here < GRADIO:
        wanted = f"{GRADIO[0]}.{GRADIO[1]} or a later {GRADIO[0]}.x"
        raise KzooError(f"The demos need Gradio {wanted}; installed is {version}.\n{_install()}")
    return version


def run(demo: Demo, flags: list[str]) -> None:
    """Runs an app until it is interrupted, as `python demos/NAME_app.py FLAGS` does."""
    gradio_version()
    backend.name()  # says now, in one line, that no backend is installed
    sys.path.insert(0, str(demo.file.parent))
    sys.argv = [str(demo.file), *flags]
    runpy.run_path(str(demo.file), run_name="__main__")


def write_space(demo: Demo, target: Path) -> list[Path]:
    """Writes a folder that Hugging Face can run as a Space.

    kzoo's source is copied beside the app: a Space installs requirements.txt before it sees any other file, so that
    a wheel in the folder would not be found, and the copy works before kzoo is on PyPI.

    Args:
        demo: One of `demos()`.
        target: A folder that is empty or does not exist yet.

    Returns:
        The files written, relative to the folder.

    Raises:
        KzooError: if the folder has something in it, or a file is in its place.
    """
    version = gradio_version()
    if target.exists() and not target.is_dir():
        raise KzooError(f"{target} is a file. Name a folder that does not exist yet, or an empty one.")
    if target.is_dir() and any(target.iterdir()):
        raise KzooError(
            f"{target} is not empty, and nothing in it was touched. Name a folder that does not exist yet, or empty it."
        )
    for preset in demo.presets:
        registry.preset_folder(preset)  # refuses a name that does not exist before anything is written
    if target.resolve().is_relative_to(PACKAGE.resolve()):
        raise KzooError(f"{target} lies inside the package, of which a Space holds a copy; name a folder elsewhere.")
    target.mkdir(parents=True, exist_ok=True)

    def unneeded(path: str, names: list[str]) -> set[str]:
        skipped = {name for name in names if name in ("__pycache__", "_demos") or name.endswith(".pyc")}
        if Path(path) == PACKAGE / "presets":
            skipped |= {name for name in names if (Path(path) / name).is_dir() and name not in demo.presets}
        return skipped

    shutil.copytree(PACKAGE, target / "kzoo", ignore=unneeded)
    for module in demo.modules:
        shutil.copyfile(module, target / module.name)
    for path in demo.data:
        copy = target / path.relative_to(demo.file.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copyfile(demo.file, target / "app.py")
    shutil.copyfile(demo.file.parent / "space" / "requirements.txt", target / "requirements.txt")
    (target / "README.md").write_text(_readme(demo, version), encoding="utf-8")
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


def _readme(demo: Demo, version: str) -> str:
    matter = {
        "title": f"kzoo: {demo.title}",
        "emoji": "🦓",
        "colorFrom": "blue",
        "colorTo": "yellow",
        "sdk": "gradio",
        "sdk_version": version,
        "python_version": "3.12",
        "app_file": "app.py",
        "short_description": textwrap.shorten(demo.summary, 60, placeholder=" ..."),
        "tags": ["keras", "education", "neural-networks"],
        "license": "apache-2.0",
    }
    # JSON's strings and lists are YAML's, quotes and escapes included.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in matter.items()]
    return "\n".join(
        (
            *("---", *lines, "---", ""),
            *(f"# {demo.title}", "", textwrap.fill(demo.summary.rstrip(".") + ".", 100), ""),
            f"Written by `kzoo demo {demo.name} --space`. To run it on a machine of your own:",
            *("", f'    pip install -r requirements.txt "gradio=={version}"', "    python app.py", ""),
        )
    )


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a whole number from 1 to 65535")
    return int(text)


def main(argv: list[str]) -> int:
    """The command `kzoo demo`: lists, runs or writes; returns the exit code.

    Raises:
        KzooError: on a mistake that the user can mend.
    """
    parser = argparse.ArgumentParser(prog="kzoo demo", description="Live demos in the browser. Without NAME: a list.")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of the list")
    parser.add_argument("--port", type=_port, help="port to serve on (default: the first free one from 7860)")
    parser.add_argument("--host", help="address to serve on (default: 127.0.0.1, this machine alone)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--space", metavar="DIR", help="start nothing; write a folder that is ready to be a Hugging Face Space"
    )
    given = parser.parse_args(argv)
    flags = [
        *(["--port", str(given.port)] if given.port is not None else []),
        *(["--host", given.host] if given.host is not None else []),
        *(["--open"] if given.open else []),
    ]
    if given.name is None:
        if flags or given.space is not None:
            raise KzooError(f"Which demo? Put its name after `kzoo demo`: {', '.join(demos())}.")
        known = demos()
        width = max(map(len, known))
        for demo in known.values():
            print(f"{demo.name:<{width}}  {demo.summary}")
        print("\nTo run one, type:  kzoo demo NAME")
        return 0
    demo = find(given.name)
    if given.space is None:
        run(demo, flags)
        return 0
    if flags:
        raise KzooError(f"--space writes a folder and starts nothing; leave out {flags[0]}.")
    target = Path(given.space).expanduser()
    files = write_space(demo, target)
    size = sum((target / file).stat().st_size for file in files)
    print(f"Wrote {target}: {len(files)} files, {size / 1e6:.1f} MB.")
    print(f"Try it:      cd {shlex.quote(str(target))} && python app.py")
    print(f"Publish it:  hf upload YOUR-NAME/kzoo-{demo.name} {shlex.quote(str(target))} . --repo-type space")
    return 0
