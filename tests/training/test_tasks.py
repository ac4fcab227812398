"""Each task measures outputs by its own figures; a recipe whose model and data do not go together is refused early."""

import dataclasses
import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from kzoo import recipe_for, registry
from kzoo.data import list_datasets, load_data
from kzoo.errors import KzooError, RecipeError
from kzoo.recipe import DataSpec, ModelSpec, Recipe
from kzoo.training import run, tasks
from kzoo.training.measure import measure
from kzoo.training.tasks import TASKS, better, check_fit, in_words, sentence


class Fixed:
    """A model that answers the sample of a number with the output of that place."""

    def __init__(self, outputs):
        self.outputs = np.asarray(outputs, "float32")
        self.output_shape = self.outputs.shape
        self.asked = []

    def predict(self, x, batch_size, verbose):
        self.asked.append((len(x), batch_size))
        return self.outputs[x]


def test_every_task_of_a_data_set_and_of_a_model_is_known():
    assert {info.task for info in list_datasets().values()} <= set(TASKS)
    assert all(set(registry.model_info(name).tasks) <= set(TASKS) for name in registry.list_models())


def test_cross_entropy_is_that_of_the_label_at_each_step():
    logits = np.log([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]])
    labels = np.array([[0, 1], [1, 0]])
    figures, told = TASKS["tokens"].evaluate(Fixed(logits + 3), np.arange(2), labels, 8)
    assert figures["loss"] == pytest.approx(-np.log([0.5, 0.8, 0.2, 0.3]).mean(), abs=1e-6)
    assert figures["accuracy"] == 0.5
    np.testing.assert_allclose(told.losses, -np.log([[0.5, 0.8], [0.2, 0.3]]), rtol=1e-6)
    np.testing.assert_array_equal(told.right, [[True, True], [False, False]])
    figures, _ = TASKS["classification"].evaluate(Fixed(logits[:, 0]), np.arange(2), labels[:, 0], 8)
    assert figures["loss"] == pytest.approx(-np.log([0.5, 0.2]).mean(), abs=1e-6)


def test_a_token_that_is_not_asked_for_is_in_no_figure_and_no_picture():
    logits = np.log([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]])
    labels = np.array([[0, -1], [-1, 0]])
    figures, told = TASKS["tokens"].evaluate(Fixed(logits), np.arange(2), labels, 8)
    assert figures == {"loss": pytest.approx(-np.log([0.5, 0.3]).mean(), abs=1e-6), "accuracy": 0.5}
    np.testing.assert_allclose(told.losses, [[-np.log(0.5), np.nan], [np.nan, -np.log(0.3)]], rtol=1e-6)
    data = SimpleNamespace(kind="sequence", y_test=labels)
    (figure,) = TASKS["tokens"].pictures(None, data, told, "a title").values()
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [100, 0])


@pytest.mark.parametrize(
    ("logits", "asked"), [(10**9, [(7, 3)]), (2 * 4 * 5, [(2, 2)] * 3 + [(1, 2)]), (1, [(1, 1)] * 7)]
)
def test_no_more_logits_are_in_memory_than_fit_and_the_figures_are_those_of_the_whole(logits, asked, monkeypatch):
    rng = np.random.default_rng(0)
    model, labels = Fixed(rng.normal(size=(7, 4, 5))), rng.integers(-1, 5, (7, 4))
    whole, told = TASKS["tokens"].evaluate(Fixed(model.outputs), np.arange(7), labels, 8)
    monkeypatch.setattr(tasks, "LOGITS", logits)
    figures, again = TASKS["tokens"].evaluate(model, np.arange(7), labels, 3)
    assert model.asked == asked
    assert figures == whole
    for one, other in zip(told, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_regression_measures_squares_and_absolute_values():
    figures, outputs = TASKS["regression"].evaluate(Fixed([[1.0], [2.0]]), [0, 1], np.array([[1.5], [0.0]]), 8)
    assert figures == {"mse": pytest.approx((0.25 + 4) / 2), "mae": pytest.approx((0.5 + 2) / 2)}
    np.testing.assert_array_equal(outputs, [[1], [2]])


def test_targets_that_would_be_broadcast_against_the_outputs_are_refused():
    with pytest.raises(ValueError, match=r"shape of the outputs, \(2, 1\)\. Received: \(2,\)"):
        TASKS["regression"].evaluate(Fixed([[1.0], [2.0]]), [0, 1], np.zeros(2), 8)


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("cnn", "spirals", ["spirals holds points for classification", "cnn does not take", "digits, mnist"]),
        ("mlp", "adding", ["adding holds sequences for regression", "mlp does not take"]),
    ],
)
def test_a_model_and_data_that_do_not_go_together_are_refused_with_what_does(model, data, words):
    with pytest.raises(RecipeError) as refused:
        check_fit(Recipe(ModelSpec(model), DataSpec(data)))
    for word in words:
        assert word in str(refused.value)


def test_what_a_model_knows_by_heart_is_not_measured_on_other_movements():
    with pytest.raises(KzooError, match="by heart"):
        measure("mtrnn_lissajous", "compositions")


@pytest.fixture(scope="module")
def of_text(tmp_path_factory):
    """A finished run on a text, to be read only."""
    recipe = recipe_for("rnn", "pydoc").override(
        model={"hidden_dims": [4]}, data={"arguments": {"window": 3}}, smoke=True, epochs=1
    )
    return run(recipe, out=tmp_path_factory.mktemp("text") / "run", verbose=0)


def test_a_model_of_text_knows_its_characters_and_is_measured_in_bits(of_text):
    assert of_text.model.vocabulary == "\n" + "".join(map(chr, range(32, 127)))
    assert (of_text.folder / "loss_by_position.png").is_file()
    assert "test_bits" not in of_text.metrics
    figures = measure(of_text.folder)
    assert figures["loss"] == of_text.metrics["test_loss"]
    assert figures["bits"] == pytest.approx(figures["loss"] / np.log(2))
    assert f"bits a character {figures['bits']:.4f}" in sentence({key: figures[key] for key in ("loss", "bits")})


def test_a_model_of_tokens_that_are_no_text_knows_how_many_there_are():
    decided = importlib.import_module("kzoo.training.build")._decided_by
    facts = decided(load_data("induction_heads", samples=40, length=5))
    assert (facts["vocabulary"], facts["num_outputs"], facts["input_shape"]) == (16, 16, (5,))
    assert decided(load_data("adding", samples=40))["vocabulary"] is None


def test_a_text_in_other_characters_is_refused(of_text, monkeypatch):
    data = load_data("pydoc", window=3, smoke=True)
    other = dataclasses.replace(data, class_names=data.class_names[::-1])
    monkeypatch.setattr(importlib.import_module("kzoo.training.measure"), "load_for", lambda recipe: other)
    with pytest.raises(KzooError, match="take one for another"):
        measure(of_text.folder)


def test_inputs_that_cannot_be_standardised_are_refused(tmp_path):
    recipe = recipe_for("mtrnn").override(data={"normalise": "standard"}, smoke=True)
    with pytest.raises(RecipeError, match="Set it to unit"):
        run(recipe, out=tmp_path / "run", verbose=0)


def test_every_recipe_of_the_zoo_fits():
    for name in registry.list_models():
        for data in registry.model_info(name).recipes:
            task = check_fit(recipe_for(name, data))
            assert task.name in registry.model_info(name).tasks


def test_the_task_chooses_what_chooses_the_epoch_unless_the_recipe_does():
    recipe = recipe_for("cnn")
    assert recipe.monitor is None
    assert TASKS["classification"].monitor(recipe) == ("val_accuracy", "max")
    assert TASKS["tokens"].monitor(recipe) == ("val_loss", "min")
    assert TASKS["classification"].monitor(recipe.override(monitor="val_loss")) == ("val_loss", "min")
    with pytest.raises(RecipeError, match="got 'val_accuracy'; digits is a task of regression, which allows val_loss"):
        TASKS["regression"].monitor(recipe.override(monitor="val_accuracy"))


def test_the_better_epoch_has_the_higher_accuracy_and_among_equals_the_lower_loss():
    task, recipe = TASKS["classification"], recipe_for("cnn")
    old = {"val_accuracy": 0.9, "val_loss": 0.3}
    assert better(task, recipe, old, None)
    assert better(task, recipe, {"val_accuracy": 0.91, "val_loss": 0.9}, old)
    assert not better(task, recipe, {"val_accuracy": 0.89, "val_loss": 0.1}, old)
    assert better(task, recipe, {"val_accuracy": 0.9, "val_loss": 0.2}, old)
    assert not better(task, recipe, dict(old), old)
    by_loss = recipe.override(monitor="val_loss")
    assert better(task, by_loss, {"val_accuracy": 0.1, "val_loss": 0.2}, old)


def test_figures_are_written_with_their_units():
    assert sentence({"accuracy": 0.9953, "loss": 0.0213}) == "accuracy 99.53 %, loss 0.0213 nats"
    assert sentence({"mse": 0.00042, "mae": 0.012}) == "mean squared error 0.00042, mean absolute error 0.012"
    assert in_words("test_accuracy", 0.5) == ("test accuracy", "50.00 %")
    assert in_words("val_loss", 0.25) == ("val loss", "0.2500")
