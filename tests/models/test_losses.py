"""Loss and accuracy of tokens, of which some are not asked for, against sums written out."""

import keras
import numpy as np
import pytest

from kzoo.models.base import ZooModel
from kzoo.models.losses import SmoothedCrossEntropy, TokenAccuracy


class Answers(ZooModel):
    """A model whose logits are its weights, so that the gradient of a loss is that of the logits."""

    task = "tokens"

    def __init__(self):
        inputs = keras.Input((5,), dtype="int32")
        super().__init__(inputs, keras.layers.Embedding(6, 4, name="logits")(inputs))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    tokens = np.array([[0, 3, -1, 1, 2], [-1, -1, -1, -1, 2], [1, 1, 0, 2, -1]], "int32")
    return tokens, rng.normal(size=(3, 5, 4)).astype("float32")


def by_hand(tokens, logits, smoothing=0.0):
    """Mean over the tokens that are asked for, one after the other."""
    losses = []
    for wanted, row in zip(tokens.ravel(), logits.reshape(-1, logits.shape[-1]).astype("float64"), strict=True):
        if wanted >= 0:
            target = (1 - smoothing) * np.eye(len(row))[wanted] + smoothing / len(row)
            losses.append(-(target * (row - np.log(np.exp(row).sum()))).sum())
    return np.mean(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_token_that_is_not_asked_for_costs_nothing_and_does_not_thin_the_mean(batch, smoothing):
    tokens, logits = batch
    loss = Answers().training_loss(smoothing)
    assert float(loss(tokens, logits)) == pytest.approx(by_hand(tokens, logits, smoothing), abs=1e-6)
    assert float(loss(np.maximum(tokens, 0), logits)) == pytest.approx(
        by_hand(np.maximum(tokens, 0), logits, smoothing), abs=1e-6
    )
    assert float(loss(np.full_like(tokens, -1), logits)) == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_compiled_step_moves_no_logits_that_are_not_asked_for(smoothing):
    model = Answers()
    x = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]], "int32")
    tokens = np.array([[2, -1, -1, 0, -1], [1, -1, 3, -1, -1]], "int32")
    before = model.get_weights()[0].copy()
    model.compile(keras.optimizers.SGD(1.0), model.training_loss(smoothing), metrics=[TokenAccuracy()])
    logits = before[x]
    found = model.train_on_batch(x, tokens, return_dict=True)
    assert float(found["loss"]) == pytest.approx(by_hand(tokens, logits, smoothing), abs=1e-6)
    right = (logits.argmax(axis=-1) == tokens)[tokens >= 0]
    assert float(found["accuracy"]) == pytest.approx(right.mean(), abs=1e-6)
    step = before - model.get_weights()[0]
    gradient = np.zeros((6, 4))
    for place, wanted in ((0, 2), (3, 0), (0, 1), (2, 3)):  # a quarter of the mean each
        p = np.exp(before[place]) / np.exp(before[place]).sum()
        gradient[place] += (p - (1 - smoothing) * np.eye(4)[wanted] - smoothing / 4) / 4
    np.testing.assert_allclose(step, gradient, rtol=0, atol=1e-6)
    assert not step[[1, 4, 5]].any()


def test_accuracy_is_a_share_of_what_is_asked_for_over_all_batches(batch):
    tokens, logits = batch
    metric = TokenAccuracy()
    assert metric.name == "accuracy"
    for part in (slice(0, 1), slice(1, 3)):  # 4 and 5 tokens: a mean of means would be another number
        metric.update_state(tokens[part], logits[part])
    right = (logits.argmax(axis=-1) == tokens)[tokens >= 0]
    assert 0 < right.mean() < 1
    assert float(metric.result()) == pytest.approx(right.mean(), abs=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert isinstance(again, TokenAccuracy)


def test_accuracy_counts_a_sample_as_often_as_its_weight_says(batch):
    tokens, logits = batch
    weight = np.array([0.0, 3.0, 1.0], "float32")
    right, asked = logits.argmax(axis=-1) == tokens, tokens >= 0
    expected = (right * weight[:, None])[asked].sum() / (asked * weight[:, None]).sum()
    for given in (weight, weight[:, None], np.repeat(weight[:, None], 5, axis=1)):
        metric = TokenAccuracy()
        metric.update_state(tokens, logits, given)
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_the_smoothed_loss_of_a_loaded_model_is_the_same():
    loss = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(SmoothedCrossEntropy(0.2)))
    assert (type(loss), loss.label_smoothing) == (SmoothedCrossEntropy, 0.2)
