"""What a model is asked to do with its data: the figures that measure it, which of them chooses the best epoch, and the
pictures that a run leaves.

A data set states its task by name (`Dataset.task`), and so does a model (`ZooModel.task`); `TASKS` has an object for
each name. A new task is one class here.
"""

import math
from typing import NamedTuple

import numpy as np

from kzoo import plots, registry
from kzoo.data import Dataset, list_datasets
from kzoo.errors import RecipeError
from kzoo.models.losses import TokenAccuracy
from kzoo.recipe import Recipe
from kzoo.training.image_quality import COUNT, image_quality


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


# The most logits that are in memory at a time: 256 MB of them in float64.
LOGITS = 2**25

# A figure's key -> what a reader calls it, and how it is written.
FIGURES = {
    "accuracy": ("accuracy", _percent),
    "loss": ("loss", "{:.4f}".format),
    "bits": ("bits a character", "{:.4f}".format),
    "mse": ("mean squared error", "{:.3g}".format),
    "mae": ("mean absolute error", "{:.3g}".format),
    "nelbo": ("negative bound of the log-likelihood", "{:.2f} nats".format),
    "reconstruction": ("cost of the reconstruction", "{:.2f} nats".format),
    "kl": ("divergence of the code", "{:.2f} nats".format),
    "nll": ("negative log-likelihood", "{:.2f} nats".format),
    "nfcd": ("Fréchet distance of made images (nFCD)", "{:.4f}".format),
    "precision": ("precision of made images", _percent),
    "recall": ("recall of made images", _percent),
    "density": ("density of made images", "{:.3f}".format),
    "coverage": ("coverage of made images", _percent),
    "rarest": ("share of the rarest class", _percent),
    "commonest": ("share of the commonest class", _percent),
    "recognised": ("made images read as their class", _percent),
}


def in_words(key: str, value: float) -> tuple[str, str]:
    """A figure's name and its value as a reader finds them: `("test accuracy", "99.53 %")` for "test_accuracy".

    Args:
        key: One of `FIGURES`, with or without the part's name before it, as in "val_loss".
        value: The figure.
    """
    part, _, figure = key.rpartition("_")
    name, write = FIGURES[figure]
    return f"{part} {name}".strip(), write(value)


def sentence(figures: dict[str, float]) -> str:
    """The figures of `evaluate` in a line: "accuracy 99.53 %, loss 0.0213 nats"."""
    units = {"loss": " nats"}
    return ", ".join(" ".join(in_words(key, value)) + units.get(key, "") for key, value in figures.items())


def with_bits(figures: dict[str, float]) -> dict[str, float]:
    """The figures of a model of text, with the loss also in bits a character, as compression counts it."""
    return {**figures, "bits": figures["loss"] / math.log(2)}


class Task:
    """What training needs to know of a task.

    Attributes:
        name: As data sets and models state it.
        monitors: The validation figures that may choose the best epoch, each with "max" or "min"; the first one does
            unless a recipe names another.
        figures: The keys of `evaluate`'s figures; none where each model has its own.
    """

    name: str
    monitors: dict[str, str]
    figures: tuple[str, ...]

    def monitor(self, recipe: Recipe) -> tuple[str, str]:
        """The figure that chooses the best epoch of a recipe, and "max" or "min".

        Raises:
            RecipeError: if the recipe names one that the task does not have.
        """
        name = recipe.monitor or next(iter(self.monitors))
        if name not in self.monitors:
            raise RecipeError(
                f"monitor: got {name!r}; {recipe.data.name} is a task of {self.name}, which allows "
                f"{', '.join(self.monitors)}."
            )
        return name, self.monitors[name]

    def metrics(self) -> list:
        """What Keras measures beside the loss in each epoch, made anew: a metric belongs to one model."""
        raise NotImplementedError

    def evaluate(self, model, x, y, batch_size: int) -> tuple[dict[str, float], "np.ndarray | Told"]:
        """The figures of a model on samples, computed in float64 from the outputs of the whole set; and what
        `pictures` draws."""
        raise NotImplementedError

    def thorough(self, model, data: Dataset) -> dict[str, float]:
        """All figures of a model on the test part, those that take long too: what a preset states."""
        return self.evaluate(model, data.x_test, data.y_test, 256)[0]

    def pictures(self, model, data: Dataset, outputs, title: str) -> dict:
        """Pictures of what `evaluate` gave on the test part: file stem -> matplotlib Figure."""
        raise NotImplementedError


class Classification(Task):
    """One label a sample: logits (n, k) against labels (n,)."""

    name = "classification"
    monitors = {"val_accuracy": "max", "val_loss": "min"}  # noqa: RUF012
    figures = ("accuracy", "loss")

    def metrics(self):
        """The share of right predictions."""
        return ["accuracy"]

    def evaluate(self, model, x, y, batch_size):
        """Mean cross-entropy in nats and share of right predictions; and the probabilities (n, k)."""
        return _of_logits(_predict(model, x, batch_size), y)

    def pictures(self, model, data, outputs, title):
        """The confusion matrix; for images some predictions, for points the surface of the decision."""
        predicted = outputs.argmax(axis=-1)
        found = {"confusion_matrix": plots.confusion_matrix(data.y_test, predicted, data.class_names, title=title)}
        if data.kind == "image":
            right = predicted == data.y_test
            # The wrong ones teach more than one right answer after the other, and a title says that they come first.
            shown = right.argsort(kind="stable")[:24]
            found["predictions"] = plots.predictions(
                data.x_test[shown],
                data.y_test[shown],
                outputs[shown],
                data.class_names,
                title=f"{(~right).sum():,} of {len(right):,} test images are wrong, shown first",
            )
        elif data.kind == "points":

            def predict(points):
                return self.evaluate(model, points, [0] * len(points), 256)[1]

            found["decision_surface"] = plots.decision_surface(
                predict,
                data.x_train,
                data.y_train,
                x_test=data.x_test,
                y_test=data.y_test,
                class_names=data.class_names,
                title=title,
            )
        return found


class Told(NamedTuple):
    """How well each token of a set was foretold.

    Attributes:
        losses: Cross-entropy of each target in nats, float64 (n, t); NaN where none is asked for.
        right: Whether the likeliest token was the target, (n, t); False where none is asked for.
    """

    losses: np.ndarray
    right: np.ndarray


class Tokens(Task):
    """A token at each step: logits (n, t, v) against tokens (n, t), of which those of -1 are not asked for."""

    name = "tokens"
    monitors = {"val_loss": "min", "val_accuracy": "max"}  # noqa: RUF012
    figures = ("accuracy", "loss")

    def metrics(self):
        """The share of right tokens among those that are asked for."""
        return [TokenAccuracy()]

    def evaluate(self, model, x, y, batch_size):
        """Mean cross-entropy in nats a token and share of right tokens; and a `Told`.

        The logits of the whole set would not fit: they come in pieces of `LOGITS` at most, or of one sample.
        """
        y = np.asarray(y)
        piece = max(1, LOGITS // (y.shape[1] * model.output_shape[-1]))
        found = [
            _told(_predict(model, x[i : i + piece], min(batch_size, piece)), y[i : i + piece])
            for i in range(0, len(y), piece)
        ]
        told = Told(*map(np.concatenate, zip(*found, strict=True)))
        asked = y >= 0
        return {"loss": float(told.losses[asked].mean()), "accuracy": float(told.right[asked].mean())}, told

    def pictures(self, model, data, outputs, title):
        """Of a text the loss at each place of a window, for what a longer past is worth; else the share of right
        tokens at each step."""
        if data.kind == "text":
            return {"loss_by_position": plots.loss_by_position(outputs.losses, title=title)}
        right = np.where(data.y_test >= 0, outputs.right, np.nan)
        return {"accuracy_by_step": plots.accuracy_by_step(right, title=title)}


class Regression(Task):
    """Numbers: outputs (n, d) or (n, t, d) against targets of the same shape."""

    name = "regression"
    monitors = {"val_loss": "min"}  # noqa: RUF012
    figures = ("mse", "mae")

    def metrics(self):
        """The mean absolute error."""
        return ["mae"]

    def evaluate(self, model, x, y, batch_size):
        """Mean squared and mean absolute error; and the outputs, shaped as the targets."""
        outputs = _predict(model, x, batch_size)
        if outputs.shape != np.shape(y):
            raise ValueError(f"`y` must have the shape of the outputs, {outputs.shape}. Received: {np.shape(y)}.")
        error = outputs - np.asarray(y, "float64")
        return {"mse": float(np.square(error).mean()), "mae": float(np.abs(error).mean())}, outputs

    def pictures(self, model, data, outputs, title):
        """What was foretold against what came."""
        return {"predictions": plots.forecast(data.y_test, outputs, title=title)}


# Of how many images an unconditional model's grid is, and a class's row in a conditional one's.
SHOWN, IN_A_ROW = 100, 10


class Generation(Task):
    """Images made up: the targets are labels, for a model that is told them."""

    name = "generation"
    monitors = {"val_loss": "min", "epoch": "max"}  # noqa: RUF012
    figures = ()

    def evaluate(self, model, x, y, batch_size):
        """What the model measures of itself on images; and `samples`."""
        return model.measure(x, y), self.samples(model)

    def thorough(self, model, data):
        """All that the model measures of itself; on the whole of MNIST also the quality of the images that it makes,
        the classes in turn where it is told them: see `kzoo.training.image_quality`."""
        found = model.measure(data.x_test, data.y_test, thorough=True)
        if data.name != "mnist" or len(data.x_test) < COUNT:
            return found
        labels = None if model.num_classes is None else np.arange(COUNT) % model.num_classes
        quality = image_quality(model.sample(COUNT, labels), labels=labels)
        keys = ("nfcd", "precision", "recall", "density", "coverage", "recognised")
        judged = {key: getattr(quality, key) for key in keys if getattr(quality, key) is not None}
        return {**found, **judged, "rarest": min(quality.class_shares), "commonest": max(quality.class_shares)}

    def samples(self, model):
        """Images of seed 0, the same noise at each time, and the classes that they were asked to be, if any."""
        if model.num_classes is None:
            return model.sample(SHOWN), None
        labels = np.repeat(np.arange(model.num_classes), IN_A_ROW)
        return model.sample(len(labels), labels), labels

    def pictures(self, model, data, outputs, title):
        """The images that the model makes, those of a class in a row of their own."""
        images, labels = outputs
        names = None if labels is None else data.class_names
        return {"samples": plots.sample_grid(images, title=title, labels=labels, class_names=names)}


TASKS = {task.name: task for task in (Classification(), Tokens(), Regression(), Generation())}


def _predict(model, x, batch_size: int) -> np.ndarray:
    return np.asarray(model.predict(x, batch_size=batch_size, verbose=0)).astype("float64")


def _of_logits(logits, y) -> tuple[dict[str, float], np.ndarray]:
    log_probabilities = _log_softmax(logits)
    loss = -np.take_along_axis(log_probabilities, np.asarray(y)[..., None], axis=-1).mean()
    accuracy = (logits.argmax(axis=-1) == y).mean()
    return {"loss": float(loss), "accuracy": float(accuracy)}, np.exp(log_probabilities)


def _told(logits, y) -> Told:
    """Of logits (n, t, v) and tokens (n, t), -1 where none is asked for."""
    losses = -np.take_along_axis(_log_softmax(logits), np.maximum(y, 0)[..., None], axis=-1)[..., 0]
    return Told(np.where(y >= 0, losses, np.nan), logits.argmax(axis=-1) == y)


def _log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def check_fit(recipe: Recipe) -> Task:
    """The task of a recipe, once its model and its data are known to go together; loads neither.

    Raises:
        UnknownName: if there is no such model.
        RecipeError: if the data set is of a kind or a task that the model does not take, or unknown.
    """
    info, sets = registry.model_info(recipe.model.name), list_datasets()
    data = sets.get(recipe.data.name)
    if data is None:
        return TASKS["classification"]  # `load_data` refuses it, and says what there is
    fitting = {name: task for name, other in sets.items() if (task := _purpose(info, other)) is not None}
    if recipe.data.name not in fitting:
        wrong = f"{_KINDS[data.kind]} for {data.task}"
        raise RecipeError(
            f"data.name: {recipe.data.name} holds {wrong}, which {info.name} does not take. It takes: "
            f"{', '.join(fitting)}."
        )
    task = TASKS[fitting[recipe.data.name]]
    task.monitor(recipe)
    if recipe.data.labels and task.name != "generation":
        raise RecipeError(
            f"data.labels: got True; {info.name} makes no images, and has labels where its task wants them. Set it to "
            "false."
        )
    return task


def _purpose(info, data) -> str | None:
    """What a model is to do with a data set: what the set asks for, or make more of its kind; None if neither."""
    if data.kind not in info.kinds:
        return None
    return data.task if data.task in info.tasks else "generation" if "generation" in info.tasks else None


_KINDS = {"image": "images", "points": "points", "sequence": "sequences", "text": "text", "movements": "movements"}


def better(task: Task, recipe: Recipe, new: dict, old: dict | None) -> bool:
    """Whether an epoch's figures beat the best so far; among equal ones the lower validation loss is the better."""
    name, mode = task.monitor(recipe)

    def rank(figures):
        return (-figures[name] if mode == "max" else figures[name], figures["val_loss"])

    return old is None or rank(new) < rank(old)
