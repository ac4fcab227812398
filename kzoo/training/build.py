"""build(recipe, data): the recipe's model, with what follows from the data and from the recipe's seed, compiled."""

import keras

from kzoo import registry
from kzoo.data import Dataset, standard_stats
from kzoo.errors import RecipeError
from kzoo.models.phased import PhasedModel
from kzoo.recipe import Recipe
from kzoo.training.optimizers import decay_kernels_alone, make_optimizer
from kzoo.training.tasks import check_fit


def build(recipe: Recipe, data: Dataset, steps_per_epoch: int) -> keras.Model:
    """The recipe's model for a data set, compiled, its initial weights decided by the recipe's seed."""
    arguments = dict(recipe.model.arguments)
    if "portable_dropout" in registry.model_arguments(recipe.model.name):
        arguments["portable_dropout"] = recipe.random == "portable"
    if recipe.data.normalise == "standard":
        if "statistics" not in registry.model_arguments(recipe.model.name) or data.task == "tokens":
            raise RecipeError(
                f"data.normalise: got 'standard', and {recipe.model.name} on {data.name} takes its inputs as they are. "
                "Set it to unit."
            )
        arguments["statistics"] = [part.tolist() for part in standard_stats(data.x_train)]
    takes = registry.model_arguments(recipe.model.name)
    facts = _decided_by(data)
    if check_fit(recipe).name == "generation" and not recipe.data.labels:
        facts.pop("num_classes", None)
    arguments.update({key: value for key, value in facts.items() if key in takes})
    model = registry.create_model(recipe.model.name, seed=recipe.seed, **arguments)
    if isinstance(model, PhasedModel):
        return _compile_phases(recipe, model, steps_per_epoch)
    if recipe.optimizer.phases:
        raise RecipeError(
            f"optimizer.phases: got {recipe.optimizer.phases!r}; {recipe.model.name} has one optimizer and no phases. "
            "Leave it out."
        )
    penalty = recipe.regularisation
    if penalty.l1 or penalty.l2:
        for variable in model.trainable_variables:
            if variable.name == "kernel":
                variable.regularizer = keras.regularizers.L1L2(penalty.l1, penalty.l2)
    try:
        loss = model.training_loss(penalty.label_smoothing)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    optimizer = make_optimizer(recipe, steps_per_epoch)
    decay_kernels_alone(optimizer, model)
    model.compile(optimizer, loss, metrics=check_fit(recipe).metrics())
    return model


def _compile_phases(recipe: Recipe, model, steps_per_epoch: int):
    """A model that trains in phases, with an optimizer of the recipe's for each."""
    unread = {f"regularisation.{key}": getattr(recipe.regularisation, key) for key in ("l1", "l2", "label_smoothing")}
    for key, value in unread.items():
        if value:
            raise RecipeError(f"{key}: got {value!r}; the losses of {recipe.model.name} do not read it. Set it to 0.")
    if recipe.schedule.name == "plateau":
        raise RecipeError(
            f"schedule.name: got 'plateau', which moves one optimizer's rate; {recipe.model.name} has one for each "
            "phase. Use constant, step or cosine."
        )
    phases = {phase.name: phase for phase in model.phases()}
    if unknown := sorted(set(recipe.optimizer.phases) - set(phases)):
        raise RecipeError(
            f"optimizer.phases: got {', '.join(unknown)}; the phases of {recipe.model.name} are {', '.join(phases)}."
        )
    optimizers = {}
    for name, phase in phases.items():
        rate = recipe.optimizer.learning_rate * recipe.optimizer.phases.get(name, 1.0)
        # A phase that runs several times in a step has so many steps the more.
        optimizers[name] = make_optimizer(
            recipe.override(optimizer={"learning_rate": rate}), steps_per_epoch * phase.repeats
        )
        decay_kernels_alone(optimizers[name], model)
    try:
        model.compile(optimizers)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    return model


def _decided_by(data: Dataset) -> dict:
    """Arguments of a model that follow from its data."""
    vocabulary = None
    if data.task == "tokens":  # of a text the characters, so that a model can read and write without its data
        vocabulary = "".join(data.class_names) if data.kind == "text" else data.num_classes
    facts = {
        "input_shape": data.input_shape,
        "num_outputs": data.num_outputs,
        "num_sequences": len(data.y_test),
        "task": data.task,
        "vocabulary": vocabulary,
    }
    return facts | ({"num_classes": data.num_classes} if data.task == "classification" else {})
