"""python -m kzoo.train MODEL: trains a model's recipe into a run folder. The same as `kzoo train MODEL`."""

import csv
import json
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

from kzoo import registry
from kzoo.errors import KzooError, RecipeError
from kzoo.flags import help_text, read_config, read_recipe
from kzoo.recipe import Recipe


def _pick_model() -> str:
    """Lets the person at the terminal choose."""
    from rich.console import Console
    from rich.prompt import Prompt

    console = Console()
    console.print("Which model shall be trained?")
    for name in registry.list_models():
        console.print(f"  [bold]{name:<12}[/] {registry.model_info(name).summary}")
    try:
        return Prompt.ask("Model", choices=registry.list_models(), default="cnn", console=console)
    except EOFError:
        raise RecipeError("No model was chosen. Name it in the command, such as:  kzoo train cnn") from None


def train(argv: list[str]) -> int:
    """The command: returns the exit code; raises KzooError for what the user can mend."""
    recipe, given = read_recipe(argv)
    if given.help:
        print(help_text(given.model, given.data), end="")
        return 0
    if recipe is None and not given.resume:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise RecipeError(f"Name the model to train.\n\n{help_text(None, None)}")
        recipe, given = read_recipe([_pick_model(), *argv])
    if given.print_config:
        shown = recipe or Recipe.from_dict(read_config(str(Path(given.resume) / "recipe.json"), "--resume"))
        print(shown.to_json(), end="")
        return 0

    from rich.console import Console

    from kzoo import backend
    from kzoo.training import run

    # Tables alone go through rich: it would break the lines that are to be copied.
    console = Console(highlight=False, markup=False, emoji=False)
    folder = Path(given.resume) if given.resume else None

    # Called once data and model stand: what they refuse is then said alone, not beneath a screen of settings.
    def announce(made: Path) -> None:
        nonlocal folder
        folder = made
        interrupt.held = True
        if recipe is not None:
            console.print(_recipe_table(recipe, backend.name()))
            print(f"Run folder: {folder}", flush=True)
        else:
            print(f"Continuing the run in {folder} on {backend.name()}.", flush=True)
            _warn_of_another_backend(folder, backend.name())

    try:
        with _Interrupt() as interrupt:
            result = run(
                recipe, out=given.out, resume=given.resume, announce=announce, callbacks=[interrupt.callback()]
            )
    except KeyboardInterrupt:
        if folder is None:
            raise
        print(
            f"\nkzoo: interrupted. {_kept(folder)} The run continues with:  {_resume_command(folder)}",
            file=sys.stderr,
        )
        return 130
    except OSError as error:
        raise KzooError(f"{os_error_in_words(error)}{_remedy(error, folder, given.out)}") from error
    if not interrupt.held:
        print(f"The run in {result.folder} has ended before; nothing was trained.")
    console.print(_metrics_table(result.metrics))
    print(f"Next, type:  kzoo evaluate {shlex.quote(str(result.folder))}")
    if getattr(result.model, "task", None) == "generation" or isinstance(
        getattr(result.model, "vocabulary", None), str
    ):
        print(f"Or:  kzoo generate {shlex.quote(str(result.folder))}")
    # Asked for after the last batch: the run is whole, and a script that goes on to the next one is to stop.
    return 130 if interrupt.asked else 0


class _Interrupt:
    """Ctrl-C during a run, held back until Keras stands between two batches.

    Python raises KeyboardInterrupt wherever the main thread happens to be: in a callback of compiled code or a
    destructor, where it is lost and the run goes on, or in the middle of a compilation, which then crashes.
    A second Ctrl-C leaves at once; every file is written whole or not at all, so that nothing is lost but time.
    """

    def __init__(self):
        self.asked = False
        self.held = False  # until a run has its folder, nothing is lost by leaving at once
        self._before = None

    def __enter__(self):
        # Python allows handlers in the main thread alone. A shell's background jobs ignore Ctrl-C, and go on doing so.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *error):
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number, frame):
        if not self.held:
            raise KeyboardInterrupt
        if self.asked:
            os._exit(130)
        self.asked = True
        # Not print: the signal may have come in the middle of one.
        os.write(2, b"\nkzoo: stopping after this batch. Ctrl-C again leaves at once.\n")

    def _stop(self, number=None, logs=None):
        if self.asked:
            raise KeyboardInterrupt

    def callback(self):
        """The Keras callback that stops the run: before or after a batch, or once an epoch is in its checkpoint."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=self._stop,
            on_train_batch_begin=self._stop,
            on_train_batch_end=self._stop,
            on_epoch_end=self._stop,
        )


def _kept(folder: Path) -> str:
    """How much of a run a resume will find."""
    try:
        with open(folder / "metrics.csv", encoding="utf-8", newline="") as file:
            epochs = sum(1 for _ in csv.DictReader(file))
    except OSError:
        epochs = 0
    if not epochs:
        return "No epoch was finished yet."
    return f"{epochs} epoch{' is' if epochs == 1 else 's are'} kept."


def os_error_in_words(error: OSError) -> str:
    """What the system refused, and where."""
    if error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return f"{error.strerror or str(error) or type(error).__name__}."


def _remedy(error: OSError, folder: Path | None, out: str | None) -> str:
    """What to type once the system refuses to write; nothing where that cannot be told."""
    if folder is not None:
        return f"\nWhen that is mended, the run continues with:  {_resume_command(folder)}"
    wanted, refused = str(out or "runs"), str(error.filename)
    if wanted.startswith(refused) or refused.startswith(wanted):
        return "\nName a folder that can be written:  --out FOLDER"
    return ""


def _resume_command(folder: Path) -> str:
    return f"kzoo train --resume {shlex.quote(str(folder))}"


def _warn_of_another_backend(folder: Path, here: str) -> None:
    """A run may change its backend, and should do so knowingly."""
    try:
        began = json.loads((folder / "env.json").read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # the run says what is missing, in its own words
    if began != here:
        print(
            f"It began on {began}: the weights will agree to rounding, not bit for bit. To continue there, type:\n"
            f"    KERAS_BACKEND={began} {_resume_command(folder)}",
            flush=True,
        )


def _recipe_table(recipe: Recipe, backend_name: str):
    from rich.table import Table

    table = Table(title=f"{recipe.model.name} on {recipe.data.name}, {backend_name}", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for key, value in recipe.to_dict().items():
        if isinstance(value, dict):
            shown = {k: v for k, v in value.items() if v not in (None, {}) and k != "name"}
            inner = ", ".join(f"{k} {v}" for k, v in shown.items())
            value = f"{value['name']}: {inner}" if "name" in value else inner
            value = value.removesuffix(": ") or "none"
        if value is None:  # the monitor
            value = "by the task: the accuracy where there are classes, else the loss"
        table.add_row(key, str(value))
    return table


def _metrics_table(metrics: dict):
    from rich.table import Table

    from kzoo.training.tasks import FIGURES, in_words

    table = Table(title="Result", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for key, value in metrics.items():
        name = key.replace("_", " ")
        if key.rpartition("_")[2] in FIGURES:
            name, value = in_words(key, value)
        else:
            value = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
        table.add_row(name, value)
    return table


if __name__ == "__main__":
    from kzoo.cli import main

    sys.exit(main(["train", *sys.argv[1:]]))
