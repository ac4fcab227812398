"""What `kzoo doctor` reports: versions, backends, devices, caches, and what is missing with its remedy.

`report()` looks and returns findings, `render()` shows them. Nothing here imports Keras or a backend, since a
broken installation is what this page is for. Each backend is asked for its devices in a process of its own.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import kzoo
from kzoo import backend
from kzoo.errors import install_command
from kzoo.files import keras_home

KERAS_NEEDED = (3, 15)
DEVICE_TIMEOUT = 60  # seconds; a first import of a backend from a cold disk takes tens
FILES_NAMED = 12  # so many files of a folder are named, the rest is counted

# (distribution, what it is for, what to type where it is missing: "" for the extra of kzoo that brings it)
OPTIONAL = (
    ("gradio", "the live demos", 'pip install "gradio>=6.17,<7"'),
    ("brian2", "simulating spiking networks with Brian2", ""),  # that extra knows which NumPy goes with it
    ("nir", "exchanging spiking networks with other simulators", "pip install nir"),
    ("nbmake", "running the notebooks as tests", "pip install nbmake ipykernel"),
    ("onnx", "exporting models", "pip install onnx"),
    ("onnxruntime", "checking an exported model's numbers", "pip install onnxruntime"),
    (
        "huggingface_hub",
        "loading models from the Hugging Face hub",
        "pip install huggingface_hub",
    ),
    ("safetensors", "converting models of Hugging Face's transformers", "pip install safetensors"),
    ("tokenizers", "texts of converted models", "pip install tokenizers"),
    ("tensorboard", "watching a run in TensorBoard", "pip install tensorboard"),
    ("pydot", "drawing a model's layers (needs graphviz, too)", "pip install pydot"),
)
COMPILERS = ("c++", "g++", "clang++", "clang")

_ASK_DEVICES = "import json; from kzoo import backend; print(json.dumps(backend.devices()))"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: What was looked at.
        status: "ok"; "note" for what may surprise; "missing" for what is not there.
        text: What was found.
        remedy: What to type or do, or "".
    """

    topic: str
    status: str
    text: str
    remedy: str = ""

    def __post_init__(self):
        if self.status not in ("ok", "note", "missing"):
            raise ValueError(f"status must be 'ok', 'note' or 'missing'; received {self.status!r}.")


def report() -> list[Finding]:
    """Everything that `kzoo doctor` knows of this machine. Takes seconds: every backend is started once."""
    return [*_machine(), *_keras(), *_backends(), *_optional(), *_tools(), *_folders()]


def works(findings) -> bool:
    """Whether a model can be trained here: Keras is new enough, a backend is chosen, and it starts."""
    first = {finding.topic: finding.status for finding in reversed(findings)}  # the first of each topic decides
    return all(first.get(topic) == "ok" for topic in ("Keras", "backend", backend.choose()))


def render(findings, console) -> None:
    """Prints findings as a table on a rich console, with each remedy beneath its finding."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # Most of what is missing is optional: no alarm in red.
    styles = {"ok": "green", "note": "bold yellow", "missing": "cyan"}
    # No vertical lines: they would be copied along with a remedy.
    table = Table(box=SIMPLE_HEAD)
    table.add_column("topic", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("finding", overflow="fold")
    for finding in findings:
        # Text, not markup: rich would take the extra of `kzoo[jax]` for a style and swallow it.
        text = Text(finding.text)
        if finding.remedy:
            text.append(f"\n> {finding.remedy}", style="bold")
        table.add_row(finding.topic, Text(finding.status, style=styles[finding.status]), text)
    console.print(table)
    counts = [sum(finding.status == status for finding in findings) for status in styles]
    console.print("{} ok, {} to note, {} not there".format(*counts), highlight=False)


def _machine() -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB of memory"
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        memory = "memory unknown"
    return [
        Finding("kzoo", "ok", f"{kzoo.__version__} in {Path(kzoo.__file__).parent}"),
        Finding("Python", "ok", f"{python} at {sys.executable}"),
        Finding("machine", "ok", f"{platform.platform()}, {cores} CPU cores, {memory}"),
    ]


def _keras() -> list[Finding]:
    findings = []
    version = _version("keras")
    needed = ".".join(map(str, KERAS_NEEDED))
    if version is None:
        findings.append(Finding("Keras", "missing", "not installed", f'pip install "keras>={needed},<4"'))
    elif _numbers(version) < KERAS_NEEDED:
        text = f"{version} is too old: kzoo needs {needed} or newer"
        findings.append(Finding("Keras", "note", text, f'pip install "keras>={needed},<4"'))
    else:
        findings.append(Finding("Keras", "ok", version))
    return [*findings, *_choice()]


def _choice() -> list[Finding]:
    """Which backend Keras is to run on, why, and what speaks against it."""
    here, chosen, wanted = backend.installed(), backend.choose(), _keras_json()
    variable = os.environ.get("KERAS_BACKEND")
    # `import kzoo` sets the variable to its own choice. It is the user's where that choice would differ.
    theirs = bool(variable) and variable != _unasked()
    if not here:
        text = f"none of {', '.join(backend.NAMES)} is installed, so no model can run"
        return [Finding("backend", "missing", text, install_command(backend.NAMES[0]))]
    if chosen not in backend.NAMES:
        text = f"Keras is set to {_short(chosen)}; kzoo runs on {', '.join(backend.NAMES)}"
        return [Finding("backend", "note", text, f"export KERAS_BACKEND={here[0]}")]
    if chosen not in here:
        text = f"{chosen} was chosen by KERAS_BACKEND and is not installed; installed: {', '.join(here)}"
        remedy = f"export KERAS_BACKEND={here[0]}   or   {install_command(chosen)}"
        return [Finding("backend", "note", text, remedy)]

    if "keras" in sys.modules:
        why = "Keras is already imported with it"
    elif theirs:
        why = "the variable KERAS_BACKEND says so"
    elif chosen == here[0]:
        why = f"the first that is installed of {', '.join(backend.NAMES)}"
    else:
        why = "keras.json says so"
    findings = [Finding("backend", "ok", f"{chosen}: {why}")]
    if theirs and wanted and wanted != variable:
        text = f"{keras_home() / 'keras.json'} names {_short(wanted)}, KERAS_BACKEND {variable}: the variable wins"
        findings.append(Finding("backend", "note", text, "unset KERAS_BACKEND   to go by the file"))
    return findings


def _unasked() -> str | None:
    """The backend that kzoo would choose if KERAS_BACKEND were not set."""
    variable = os.environ.pop("KERAS_BACKEND", None)
    try:
        return backend.choose()
    finally:
        if variable is not None:
            os.environ["KERAS_BACKEND"] = variable


def _backends() -> list[Finding]:
    here = backend.installed()
    findings = []
    for name in backend.NAMES:
        if name in here:
            findings.append(_started(name))
        else:
            # One backend is enough: another one that is absent is nothing to mend.
            text = "not installed" + ("; one backend is enough" if here else "")
            findings.append(Finding(name, "missing", text, install_command(name)))
    return findings


def _started(name: str) -> Finding:
    """Starts a backend in a process of its own and asks it for its devices."""
    version = _module_version(name)
    # The same kzoo as this one, wherever it was imported from.
    path = os.pathsep.join(filter(None, [str(Path(kzoo.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": path}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _ASK_DEVICES],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEVICE_TIMEOUT,
        )
        # A backend may print before; our answer is the last line.
        devices = json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return Finding(name, "note", f"{version}, did not start within {DEVICE_TIMEOUT} s", _reinstall(name))
    except (IndexError, ValueError):
        devices = None
    if devices is None:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Finding(name, "note", f"{version}, does not start: {words[-1][:200]}", _reinstall(name))
    return Finding(name, "ok", f"{version}, devices: {', '.join(devices) or 'none'}")


def _reinstall(name: str) -> str:
    return install_command(name).replace("install", "install --force-reinstall", 1)


def _optional() -> list[Finding]:
    findings = []
    for name, purpose, remedy in OPTIONAL:
        version = _version(name)
        if version is None:
            findings.append(Finding(name, "missing", f"optional, for {purpose}", remedy or install_command("bio")))
        else:
            findings.append(Finding(name, "ok", f"{version}, for {purpose}"))
    numpy, brian2 = _version("numpy"), _version("brian2")
    if numpy and brian2 and _numbers(numpy) >= (2, 4) and sys.version_info[:2] == (3, 11):
        text = f"Brian2 {brian2} on Python 3.11 does not work with NumPy {numpy}"
        findings.append(Finding("brian2", "note", text, 'pip install "numpy<2.4"'))
    return findings


def _tools() -> list[Finding]:
    compiler, make = next(filter(None, map(shutil.which, COMPILERS)), None), shutil.which("make")
    dot = shutil.which("dot")
    purposes = ("Brian2 compiles its networks with it", "drawing a model's layers")
    return [
        Finding("C++ compiler", "ok", f"{compiler}; {purposes[0]}")
        if compiler
        else Finding("C++ compiler", "missing", f"optional; {purposes[0]}", "apt install g++   or your system's"),
        Finding("make", "ok", f"{make}; {purposes[0]}")
        if make
        else Finding("make", "missing", f"optional; {purposes[0]}", "apt install make   or your system's"),
        Finding("graphviz", "ok", f"{dot}, for {purposes[1]}")
        if dot
        else Finding("graphviz", "missing", f"optional, for {purposes[1]}", "apt install graphviz   or your system's"),
    ]


def _folders() -> list[Finding]:
    home = keras_home()
    findings = [Finding("Keras home", "ok", f"{home}{'' if home.is_dir() else ' (not made yet)'}")]
    findings.append(Finding("data cache", "ok", _listing(home / "datasets")))
    named = os.environ.get("KZOO_DATA_DIR")
    if not named:
        findings.append(Finding("KZOO_DATA_DIR", "ok", "not set; data sets come from the cache or a download"))
    elif Path(named).expanduser().is_dir():
        findings.append(Finding("KZOO_DATA_DIR", "ok", _listing(Path(named).expanduser())))
    else:
        remedy = "export KZOO_DATA_DIR=FOLDER   or unset it"
        findings.append(Finding("KZOO_DATA_DIR", "note", f"{named} is not a folder", remedy))
    existing = next((folder for folder in (home, *home.parents) if folder.is_dir()), None)
    with contextlib.suppress(OSError, TypeError):
        free = shutil.disk_usage(existing).free / 2**30
        low = free < 2
        findings.append(
            Finding(
                "free disk",
                "note" if low else "ok",
                f"{free:.1f} GiB where Keras keeps its files",
                "free some space, or set KERAS_HOME to another disk" if low else "",
            )
        )
    return findings


def _listing(folder: Path) -> str:
    """The folder and the names of its files, no content."""
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return f"{folder} (not made yet)"
    shown = ", ".join(names[:FILES_NAMED]) or "empty"
    rest = f" and {len(names) - FILES_NAMED} more" if len(names) > FILES_NAMED else ""
    return f"{folder}: {shown}{rest}"


def _keras_json() -> str | None:
    try:
        return json.loads((keras_home() / "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        return None


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _module_version(module: str) -> str:
    """The version of the distribution that holds `module`; it may be named otherwise, as `MODULE-cpu`."""
    if (version := _version(module)) is not None:
        return version
    names = importlib.metadata.packages_distributions().get(module, ())
    return next(filter(None, map(_version, names)), "version unknown")


def _numbers(version: str) -> tuple[int, ...]:
    """(3, 15) of "3.15.1": enough to compare two releases."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _short(value) -> str:
    """A value of the environment or a file, quoted and cut: nobody knows what stands there."""
    return repr(str(value)[:40])
