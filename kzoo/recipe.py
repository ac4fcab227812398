"""Recipe: a frozen, typed record of everything that a training run depends on.

A recipe is read from JSON and written to JSON, and is the one thing that a run folder needs in order to be run
again. The model's own arguments (`dropout`, `filters`, ...) stand in `recipe.model.arguments`; in JSON and on the
command line they are flat: `{"model": {"name": "cnn", "dropout": 0.3}}`, `--model.dropout 0.3`.
"""

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal

from kzoo.errors import RecipeError, did_you_mean


def _number(default, *, low=None, high=None, above=None, below=None):
    """A field whose number lies in `low <= value <= high` and `above < value < below` (each bound optional)."""
    return field(default=default, metadata={"bounds": (low, high, above, below)})


def _bounds_in_words(bounds) -> str:
    low, high, above, below = bounds
    words = []
    if low is not None:
        words.append(f"at least {low}")
    if above is not None:
        words.append(f"above {above}")
    if high is not None:
        words.append(f"at most {high}")
    if below is not None:
        words.append(f"below {below}")
    return " and ".join(words) or "any"


@dataclass(frozen=True)  # jsonargparse makes nested flags only where every base is a dataclass
class _Checked:
    """Checks each field of a dataclass against its type and bounds as soon as it is made."""

    def __post_init__(self):
        hints = typing.get_type_hints(type(self))
        for spec in dataclasses.fields(self):
            _check(f"{self._section}{spec.name}", getattr(self, spec.name), hints[spec.name], spec.metadata)

    @property
    def _section(self) -> str:
        return _SECTIONS.get(type(self).__name__, "")


def _check(key: str, value, hint, metadata) -> None:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return
    hint = next(option for option in options if option is not type(None))
    optional = " or null" if len(options) > 1 else ""
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise RecipeError(f"{key}: got {value!r}; allowed: {', '.join(map(str, allowed))}{optional}.")
    elif hint is bool:
        if not isinstance(value, bool):
            raise RecipeError(f"{key}: got {value!r}; expected true or false.")
    elif hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        noun = "whole number" if hint is int else "number"
        bounds = metadata.get("bounds", (None,) * 4)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise RecipeError(f"{key}: got {value!r}; expected a {noun}, {_bounds_in_words(bounds)}{optional}.")
        low, high, above, below = bounds
        # Written so that NaN, which is neither above nor below anything, fails too.
        inside = (
            value == value
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
        )
        if not inside:
            raise RecipeError(f"{key}: got {value!r}; expected a {noun}, {_bounds_in_words(bounds)}{optional}.")
    elif hint is str and not isinstance(value, str):
        raise RecipeError(f"{key}: got {value!r}; expected text.")
    elif dataclasses.is_dataclass(hint) and not isinstance(value, hint):
        raise RecipeError(f"{key}: got {value!r}; expected a {hint.__name__}.")


# Arguments of models that follow from the data and from the rest of the recipe.
DECIDED = (
    "input_shape",
    "num_classes",
    "num_outputs",
    "num_sequences",
    "portable_dropout",
    "statistics",
    "task",
    "vocabulary",
)


@dataclass(frozen=True)
class ModelSpec(_Checked):
    """The model and the arguments of its constructor; the input shape and the classes come from the data.

    Attributes:
        name: A name of `kzoo.list_models()`.
        arguments: Keyword arguments of that model, such as `{"dropout": 0.3}`.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        for key in DECIDED:
            if key in self.arguments:
                raise RecipeError(f"model.{key}: decided by the data and the recipe; leave it out.")
        try:
            # A copy in JSON's own types: a recipe and what is read back from its file are equal.
            plain = json.loads(json.dumps(self.arguments))
        except TypeError as error:
            raise RecipeError(f"model: an argument cannot be written as JSON: {error}.") from None
        object.__setattr__(self, "arguments", plain)


@dataclass(frozen=True)
class DataSpec(_Checked):
    """The data set, its split, and how inputs are prepared.

    Attributes:
        name: A name of `kzoo.list_datasets()`.
        validation_fraction: Share of the training part that is set aside for validation.
        normalise: "unit" leaves inputs as the data set gives them (images in [0, 1]); "standard" gives the model
            a first layer that subtracts the mean and divides by the deviation of the training part.
        shift: Augmentation: largest random translation, in pixels.
        rotate: Augmentation: largest random rotation, in degrees.
        scale: Augmentation: zoom within 1 - scale and 1 + scale.
        flip: Augmentation: mirror half of the images left to right.
        labels: Whether a model that makes images is told the class of each, and can then be asked for a class.
        arguments: Arguments of a synthetic set, such as `{"noise": 0.2}`.
    """

    name: str = "digits"
    validation_fraction: float = _number(0.1, above=0, below=1)
    normalise: Literal["unit", "standard"] = "unit"
    shift: float = _number(0.0, low=0)
    rotate: float = _number(0.0, low=0, high=180)
    scale: float = _number(0.0, low=0, below=1)
    flip: bool = False
    labels: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def augment(self) -> dict[str, Any]:
        """The arguments of `kzoo.data.augment`."""
        return {"shift": self.shift, "rotate": self.rotate, "scale": self.scale, "flip": self.flip}


@dataclass(frozen=True)
class OptimizerSpec(_Checked):
    """The optimizer; an argument left at null keeps Keras's default.

    Attributes:
        name: "sgd" with `momentum` is SGD with momentum.
        learning_rate: The highest rate of the run; the schedule moves below it.
        momentum: For sgd and rmsprop.
        nesterov: For sgd.
        beta_1: For the Adam family and lion: decay of the first moment.
        beta_2: For the Adam family and lion: decay of the second moment.
        rho: For rmsprop and adadelta: decay of the squared gradient.
        epsilon: For all but sgd and lion: keeps the division finite.
        phases: Where a model trains in phases, each with an optimizer of its own, such as a GAN: phase -> factor on the
            learning rate, as in `{"generator": 0.5}`; 1 for those that are not named.
    """

    name: Literal["sgd", "adam", "adamw", "nadam", "rmsprop", "adagrad", "adadelta", "lion"] = "adam"
    learning_rate: float = _number(1e-3, above=0)
    momentum: float | None = _number(None, low=0, below=1)
    nesterov: bool | None = None
    beta_1: float | None = _number(None, low=0, below=1)
    beta_2: float | None = _number(None, low=0, below=1)
    rho: float | None = _number(None, low=0, below=1)
    epsilon: float | None = _number(None, above=0)
    phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        for phase, factor in self.phases.items():
            _check(f"optimizer.phases.{phase}", factor, float, {"bounds": (None, None, 0, None)})


@dataclass(frozen=True)
class ScheduleSpec(_Checked):
    """The learning-rate schedule.

    Attributes:
        name: "constant"; "step" multiplies by `factor` every `step_epochs`; "cosine" falls to `floor` times the
            learning rate over the run; "plateau" multiplies by `factor` after `patience` epochs without progress
            in the recipe's `monitor`.
        warmup_epochs: Epochs over which the rate rises linearly from zero ("constant", "step" and "cosine").
        step_epochs: For "step", in epochs.
        factor: For "step" and "plateau".
        patience: For "plateau", in epochs.
        floor: For "cosine" and "plateau": the lowest rate, as a share of the learning rate.
    """

    name: Literal["constant", "step", "cosine", "plateau"] = "constant"
    warmup_epochs: float = _number(0.0, low=0)
    step_epochs: int = _number(10, low=1)
    factor: float = _number(0.1, above=0, below=1)
    patience: int = _number(5, low=1)
    floor: float = _number(0.0, low=0, below=1)


@dataclass(frozen=True)
class RegularisationSpec(_Checked):
    """Penalties and smoothing. Dropout and batch normalisation are arguments of the models.

    Attributes:
        l1: Weight of the sum of absolute kernel values in the loss.
        l2: Weight of the sum of squared kernel values in the loss.
        weight_decay: Decoupled decay per step, on kernels alone (Loshchilov and Hutter, arXiv:1711.05101).
        label_smoothing: Share of the target that is spread over all classes (Szegedy et al., arXiv:1512.00567).
    """

    l1: float = _number(0.0, low=0)
    l2: float = _number(0.0, low=0)
    weight_decay: float = _number(0.0, low=0)
    label_smoothing: float = _number(0.0, low=0, below=1)


@dataclass(frozen=True)
class ClippingSpec(_Checked):
    """Gradient clipping; at most one of the three.

    Attributes:
        norm: Largest L2 norm of each variable's gradient.
        global_norm: Largest L2 norm of all gradients together.
        value: Largest absolute entry.
    """

    norm: float | None = _number(None, above=0)
    global_norm: float | None = _number(None, above=0)
    value: float | None = _number(None, above=0)

    def __post_init__(self):
        super().__post_init__()
        given = [f"clipping.{key}" for key, value in dataclasses.asdict(self).items() if value is not None]
        if len(given) > 1:
            raise RecipeError(f"{' and '.join(given)}: got both; set one of them and leave the others null.")


@dataclass(frozen=True)
class EarlyStoppingSpec(_Checked):
    """When to stop before the last epoch.

    Attributes:
        patience: Epochs without progress in `monitor` before the run stops; null never stops early.
        min_delta: What counts as progress.
    """

    patience: int | None = _number(None, low=1)
    min_delta: float = _number(0.0, low=0)


@dataclass(frozen=True)
class Recipe(_Checked):
    """Everything that a run depends on.

    Attributes:
        model: The model and its arguments.
        data: The data set and its preparation.
        optimizer: The optimizer and its arguments.
        schedule: The learning-rate schedule.
        regularisation: Penalties and label smoothing.
        clipping: Gradient clipping.
        early_stopping: When to stop early.
        epochs: Passes over the training part.
        batch_size: Samples per step; the last batch of an epoch may be smaller.
        monitor: The validation figure that chooses the best weights, stops early and detects a plateau: "val_loss"
            or "val_accuracy"; null takes the accuracy for classification, else the loss. "epoch" keeps the last epoch
            of a model that makes images, where no loss tells which is the best.
        precision: Keras's dtype policy.
        random: "portable" draws dropout and noise with the same bits on every backend; "native" takes the
            backend's own generator.
        seed: Decides initial weights, split, order, dropout, noise and augmentation.
        smoke: A run of seconds on a few hundred samples; `--smoke` also caps the epochs at two.

    Raises:
        RecipeError: where a value has the wrong type or is out of range; the message names the key.
    """

    model: ModelSpec
    data: DataSpec = field(default_factory=DataSpec)
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    regularisation: RegularisationSpec = field(default_factory=RegularisationSpec)
    clipping: ClippingSpec = field(default_factory=ClippingSpec)
    early_stopping: EarlyStoppingSpec = field(default_factory=EarlyStoppingSpec)
    epochs: int = _number(10, low=1)
    batch_size: int = _number(128, low=1)
    monitor: Literal["val_accuracy", "val_loss", "epoch"] | None = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    random: Literal["portable", "native"] = "portable"
    seed: int = _number(0, low=0, below=2**31)
    smoke: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON's types, the model's arguments flat beside its name."""
        plain = dataclasses.asdict(self)
        plain["model"] = {"name": self.model.name, **plain["model"]["arguments"]}
        return plain

    def to_json(self) -> str:
        """The recipe as indented JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Recipe":
        """The recipe that `to_dict` wrote; keys may be missing, and then take their default.

        Raises:
            RecipeError: for an unknown key or a wrong value.
        """
        if not isinstance(plain, dict) or not isinstance(plain.get("model"), dict) or "name" not in plain["model"]:
            raise RecipeError('A recipe needs its model: {"model": {"name": "cnn"}, ...}.')
        arguments = dict(plain["model"])
        sections = {"model": ModelSpec(arguments.pop("name"), arguments)}
        hints = typing.get_type_hints(cls)
        _refuse_unknown("", plain, hints)
        for key, value in plain.items():
            if key == "model":
                continue
            if dataclasses.is_dataclass(hints[key]):
                if not isinstance(value, dict):
                    raise RecipeError(f"{key}: got {value!r}; expected an object with keys.")
                _refuse_unknown(f"{key}.", value, typing.get_type_hints(hints[key]))
                value = hints[key](**value)
            sections[key] = value
        return cls(**sections)

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe that `to_json` wrote.

        Raises:
            RecipeError: where the text is no JSON, or for an unknown key or a wrong value.
        """
        try:
            plain = json.loads(text)
        except ValueError as error:
            raise RecipeError(f"The recipe is not valid JSON: {error}.") from None
        return cls.from_dict(plain)

    def override(self, **changes) -> "Recipe":
        """A copy with other values; a section takes a dict of the keys that change: `data={"shift": 2}`."""
        plain = self.to_dict()
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(plain.get(key), dict):
                plain[key] = {**plain[key], **value}
            else:
                plain[key] = value
        return type(self).from_dict(plain)


_SECTIONS = {
    "ModelSpec": "model.",
    "DataSpec": "data.",
    "OptimizerSpec": "optimizer.",
    "ScheduleSpec": "schedule.",
    "RegularisationSpec": "regularisation.",
    "ClippingSpec": "clipping.",
    "EarlyStoppingSpec": "early_stopping.",
}


def _refuse_unknown(prefix: str, given: dict, known) -> None:
    for key in given:
        if key not in known:
            raise RecipeError(
                f"{prefix}{key}: no such key.{did_you_mean(key, known)} Allowed: {', '.join(sorted(known))}."
            )
