"""What every model of the zoo shares: its configuration, its loss and its named activations."""

import inspect
import weakref

import keras
import numpy as np

from kzoo.models.losses import SmoothedCrossEntropy


def config_of(model) -> dict:
    """The constructor's arguments, read back from the model's attributes of the same names.

    Raises:
        TypeError: if an argument is not kept as an attribute, so that no option is ever lost in saving.
    """
    config = {}
    for name, parameter in inspect.signature(type(model).__init__).parameters.items():
        if name == "self" or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if name == "input_shape":  # Keras's own property, with the batch axis
            config[name] = tuple(model.input_shape[1:])
            continue
        # A class's own attribute counts: TensorFlow does not set one again to the value that it has.
        own = (vars(cls) for cls in type(model).__mro__ if issubclass(cls, ZooModel))
        if name not in vars(model) and not any(name in attributes for attributes in own):
            raise TypeError(f"{type(model).__name__}.__init__ takes {name!r} and keeps no attribute self.{name}.")
        value = getattr(model, name)
        config[name] = list(value) if isinstance(value, (list, tuple)) else value
    return config


def choice(key: str, value, allowed) -> None:
    """Refuses a value that is none of the allowed ones.

    Raises:
        ValueError: names the argument, what it got and what it allows.
    """
    if value not in allowed:
        raise ValueError(f"model.{key}: got {value!r}; allowed: {', '.join(map(str, allowed))}.")


def fraction(key: str, value) -> None:
    """Refuses a value outside 0 <= value < 1.

    Raises:
        ValueError: names the argument, what it got and what it allows.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"model.{key}: got {value!r}; expected a number, at least 0 and below 1.")


def count(key: str, value) -> int:
    """Refuses what is no positive whole number.

    Raises:
        ValueError: names the argument, what it got and what it allows.
    """
    if type(value) is not int or value < 1:
        raise ValueError(f"model.{key}: got {value!r}; expected a whole number of at least 1, such as 10.")
    return value


def sizes(key: str, values, *, empty: bool = False) -> tuple[int, ...]:
    """A tuple of positive whole numbers.

    Raises:
        ValueError: names the argument, what it got and what it allows.
    """
    given = [values] if isinstance(values, int) else values
    valid = isinstance(given, (list, tuple)) and all(type(n) is int and n >= 1 for n in given)
    if not valid or not (given or empty):
        raise ValueError(f"model.{key}: got {values!r}; expected whole numbers of at least 1, such as [32, 64].")
    return tuple(given)


def standardise(x, statistics):
    """Subtracts a mean and divides by a deviation per channel; nothing where `statistics` is None.

    Args:
        x: The model's input tensor, (b, ..., c).
        statistics: A pair (mean, deviation), each a list of c numbers.

    Raises:
        ValueError: if the pair does not fit the channels.
    """
    if statistics is None:
        return x
    mean, deviation = (np.atleast_1d(np.asarray(part, "float64")) for part in statistics)
    if not mean.shape == deviation.shape == (x.shape[-1],) or np.any(deviation <= 0):
        raise ValueError(
            f"model.statistics: got {statistics!r}; expected [mean, deviation], each with {x.shape[-1]} numbers "
            "and every deviation above 0."
        )
    return keras.layers.Normalization(mean=mean, variance=deviation**2, name="standardise")(x)


# Kept beside the models: as an attribute of one, Keras would save the probe as a part of it.
_PROBES = weakref.WeakKeyDictionary()


class ZooModel(keras.Model):
    """A functional Keras model of the zoo, which can be saved, measured and looked into.

    A subclass builds its graph, calls `super().__init__(inputs, outputs)`, and keeps every argument of its
    constructor as an attribute of the same name.

    Attributes:
        task: What its outputs are: "classification" (logits (b, k) of one label), "tokens" (logits (b, t, v) of a
            token at each step) or "regression" (numbers).
    """

    task = "classification"

    def get_config(self):
        """The constructor's arguments, complete, with the dtype policy's name."""
        return {**config_of(self), "name": self.name, "dtype": self.dtype_policy.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model of `get_config`, its layers under the recorded dtype policy."""
        config = dict(config)
        policy = config.pop("dtype", None)
        before = keras.config.dtype_policy()
        if policy is not None:
            keras.config.set_dtype_policy(policy)
        try:
            return cls(**config)
        finally:
            keras.config.set_dtype_policy(before)

    def training_loss(self, label_smoothing: float = 0.0):
        """The loss that the model is trained on, a Keras loss of targets and outputs.

        Classification and tokens: the cross-entropy of integer labels (b,) or (b, t) against logits, in nats, a mean
        over all tokens but those of -1, which are not asked for. Regression: the mean squared error.

        Raises:
            ValueError: if label smoothing is asked for where there are no labels.
        """
        if self.task == "regression":
            if label_smoothing:
                raise ValueError(
                    f"regularisation.label_smoothing: got {label_smoothing!r}; the model gives numbers and no classes, "
                    "which allows only 0."
                )
            return keras.losses.MeanSquaredError()
        if label_smoothing:
            return SmoothedCrossEntropy(label_smoothing)
        unasked = -1 if self.task == "tokens" else None
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=unasked)

    def sample_inputs(self, count: int, seed: int = 0):
        """Random inputs that fit the model, for probes and tests: numbers in [0, 1), (count, ...)."""
        return np.random.default_rng(seed).random((count, *self.input_shape[1:]), dtype="float32")

    def probe(self) -> np.ndarray:
        """The outputs for four inputs that are the same each time, by which backends are compared: (4, ...)."""
        return self.predict(self.sample_inputs(4), verbose=0)

    def activations(self, x) -> dict[str, np.ndarray]:
        """The output of every named layer for inputs `x` (b, ...), in the order of computation.

        Returns:
            Layer name -> array (b, ...); the last one, "logits" or "outputs", is the model's own.
        """
        last = "outputs" if self.task == "regression" else "logits"
        names = [*(layer.name for layer in self.layers[1:]), last]
        if self not in _PROBES:
            outputs = [*(layer.output for layer in self.layers[1:]), self.output]
            _PROBES[self] = keras.Model(self.input, outputs)
        # A list, since Keras on torch gives a dictionary back in the order of the alphabet.
        found = _PROBES[self](np.asarray(x), training=False)
        return {name: keras.ops.convert_to_numpy(value) for name, value in zip(names, found, strict=True)}

    def save_to_preset(self, path, **details):
        """Writes config.json and half-precision weights into a folder that `kzoo.from_preset(path)` reads.

        See `kzoo.models.preset.save`.
        """
        from kzoo.models import preset

        preset.save(self, path, **details)


class Classifier(ZooModel):
    """A functional Keras model from inputs (b, ...) to logits (b, classes)."""
