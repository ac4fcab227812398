"""Checkpoints: one `.keras` file that also carries what Keras leaves out.

Keras saves weights and the optimizer. A run that is to continue as if nothing had happened needs more: the state
of the seed generators, the callbacks' counters and the history. They travel as one more member of the same zip
archive, so that weights and state are always of the same epoch; Keras ignores the extra member.
"""

import json
import math
import shlex
import warnings
import zipfile
from pathlib import Path

import keras

from kzoo.errors import KzooError
from kzoo.files import replacing

_MEMBER = "kzoo_state.json"

# What the callbacks of a run count; each is restored after `on_train_begin` has reset it.
_COUNTERS = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")


def _seed_states(model) -> list:
    """The variables of the seed generators, which are no weights and which Keras therefore does not save."""
    weights = {id(variable) for variable in model.weights}
    return [
        variable
        for variable in model.variables
        if id(variable) not in weights and variable.path.endswith("seed_generator_state")
    ]


def save(path, model, state: dict) -> None:
    """Writes model, optimizer, seed generators and `state`, whole or not at all.

    Args:
        path: A file ending in ".keras".
        model: A built and compiled model.
        state: What JSON can hold.
    """
    seeds = [variable.numpy().tolist() for variable in _seed_states(model)]
    with replacing(path) as temporary:
        temporary.unlink()
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, json.dumps({**state, "seeds": seeds}))


def read_state(path) -> dict:
    """The state that `save` wrote, without the model.

    Raises:
        KzooError: if the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_MEMBER))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        again = f"kzoo train --config {shlex.quote(str(Path(path).parent / 'recipe.json'))}"
        raise KzooError(f"The checkpoint {path} is damaged: {error}. To train it again, type:\n    {again}") from error


def load_into(path, model) -> dict:
    """Restores what `save` wrote into a built and compiled model of the same recipe, and returns the state.

    Raises:
        KzooError: if the file is damaged or belongs to another model.
    """
    state = read_state(path)
    try:
        model.optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            # Keras goes on with what does not fit left as it was; here that is another model's checkpoint.
            warnings.filterwarnings("error", message="Skipping", category=UserWarning)
            model.load_weights(Path(path))
        seeds = _seed_states(model)
        if len(seeds) != len(state["seeds"]):
            raise ValueError(f"{len(state['seeds'])} seed generators saved, {len(seeds)} in the model")
        for variable, value in zip(seeds, state.pop("seeds"), strict=True):
            variable.assign(value)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        why = str(error).strip().partition("\n")[0].partition(". ")[0][:200]
        raise KzooError(
            f"The checkpoint {path} is damaged, or recipe.json beside it was changed to another model: {why}\n"
            "Put the recipe of the run back; or train the changed one from the start:\n"
            f"    kzoo train --config {shlex.quote(str(Path(path).parent / 'recipe.json'))}"
        ) from error
    return state


def callback_state(callbacks) -> list[dict]:
    """The counters of each callback, as JSON can hold them."""
    states = []
    for callback in callbacks:
        found = {key: getattr(callback, key) for key in _COUNTERS if hasattr(callback, key)}
        # Infinity, where a callback's best starts, is not JSON.
        states.append({k: float(v) for k, v in found.items() if v is not None and math.isfinite(v)})
    return states


class RestoreCallbacks(keras.callbacks.Callback):
    """Puts saved counters back once the other callbacks have reset theirs. Stands last in the list."""

    def __init__(self, callbacks, states):
        super().__init__()
        self.callbacks = callbacks
        self.states = states

    def on_train_begin(self, logs=None):
        """Runs after the other callbacks' `on_train_begin`, which sets their counters to zero."""
        for callback, state in zip(self.callbacks, self.states, strict=True):
            for key, value in state.items():
                setattr(callback, key, value)
