"""From a recipe's optimizer, schedule, clipping and decay to a Keras optimizer."""

import inspect

import keras
from keras import ops

from kzoo.errors import RecipeError
from kzoo.recipe import Recipe

_CLASSES = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "lion": keras.optimizers.Lion,
}


@keras.saving.register_keras_serializable("kzoo")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from 0 over the first steps, times another schedule.

    Args:
        rate: A number, or the schedule that is multiplied.
        warmup_steps: Steps until the factor reaches 1.
    """

    def __init__(self, rate, warmup_steps: int):
        super().__init__()
        self.rate = rate
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        """The learning rate at an optimizer's step, counted from 0."""
        step = ops.cast(step, "float32")
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * ops.minimum(1.0, (step + 1.0) / self.warmup_steps)

    def get_config(self):
        """The arguments."""
        rate = keras.saving.serialize_keras_object(self.rate) if callable(self.rate) else self.rate
        return {"rate": rate, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config):
        """The schedule of `get_config`."""
        rate = config["rate"]
        if isinstance(rate, dict):
            rate = keras.saving.deserialize_keras_object(rate)
        return cls(rate, config["warmup_steps"])


def learning_rate(recipe: Recipe, steps_per_epoch: int):
    """The recipe's learning rate: a number, or a schedule over the optimizer's steps.

    Raises:
        RecipeError: for a warm-up that the schedule does not know, or one longer than the run.
    """
    spec, rate = recipe.schedule, recipe.optimizer.learning_rate
    warmup_steps = round(spec.warmup_epochs * steps_per_epoch)
    steps = recipe.epochs * steps_per_epoch
    if warmup_steps and spec.name == "plateau":
        raise RecipeError("schedule.warmup_epochs: the plateau schedule has no warm-up; set it to 0.")
    if spec.name == "cosine":
        if warmup_steps >= steps:
            raise RecipeError(
                f"schedule.warmup_epochs: got {spec.warmup_epochs}; expected less than the run's {recipe.epochs} "
                "epochs. To do without it:  --schedule.warmup_epochs 0"
            )
        start = {"warmup_target": rate, "warmup_steps": warmup_steps} if warmup_steps else {}
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup_steps else rate, steps - warmup_steps, alpha=spec.floor, **start
        )
    if spec.name == "step":
        rate = keras.optimizers.schedules.ExponentialDecay(
            rate, spec.step_epochs * steps_per_epoch, spec.factor, staircase=True
        )
    return WarmUp(rate, warmup_steps) if warmup_steps else rate


def decay_kernels_alone(optimizer, model) -> None:
    """Excludes all but the kernels from an optimizer's weight decay.

    Biases and normalisation scales have nothing to gain from a pull towards zero. Keras does not save the exclusion,
    so it is made anew at each start of a run.
    """
    others = [variable for variable in model.trainable_variables if variable.name != "kernel"]
    if optimizer.weight_decay and others:
        optimizer.exclude_from_weight_decay(var_list=others)


def make_optimizer(recipe: Recipe, steps_per_epoch: int):
    """The optimizer of a recipe.

    Raises:
        RecipeError: if an argument is set that the named optimizer does not take.
    """
    cls = _CLASSES[recipe.optimizer.name]
    takes = inspect.signature(cls.__init__).parameters
    arguments = {}
    for key in ("momentum", "nesterov", "beta_1", "beta_2", "rho", "epsilon"):
        value = getattr(recipe.optimizer, key)
        if value is None:
            continue
        if key not in takes:
            usable = sorted(set(takes) & {"momentum", "nesterov", "beta_1", "beta_2", "rho", "epsilon"})
            raise RecipeError(
                f"optimizer.{key}: got {value!r}, and {recipe.optimizer.name} has no such argument. "
                f"It allows: {', '.join(usable) or 'none of these'}."
            )
        arguments[key] = value
    return cls(
        learning_rate(recipe, steps_per_epoch),
        clipnorm=recipe.clipping.norm,
        global_clipnorm=recipe.clipping.global_norm,
        clipvalue=recipe.clipping.value,
        # AdamW alone refuses None, and its own default would decay where the recipe says 0.
        weight_decay=recipe.regularisation.weight_decay or (0.0 if cls is keras.optimizers.AdamW else None),
        **arguments,
    )
