"""Perceptron: one layer of threshold units, and the rule that F. Rosenblatt taught them with.

Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain",
Psychological Review 65(6), 1958, doi:10.1037/h0042519; the rule for more than two classes as in Duda, Hart and
Stork, "Pattern Classification", 2nd edition, 2001, section 5.12 (Kesler's construction).

Axis letters: b batch, h w c image, d inputs, k classes.

    inputs (b, h, w, c) or (b, d) -> scores (b, k), the class with the highest score wins

For two classes there is a single unit, whose score stands against 0:

    z = w . x + b        predicted = 1 if z > 0 else 0        w <- w + rate * (y - predicted) * x

For k > 2 there are k units; on a mistake the right class's weights gain x and the predicted one's lose x. Both
are one step of SGD on the loss `PerceptronLoss`, whose gradient is that rule.

Converges if and only if a hyperplane separates the classes (Novikoff 1962). XOR has none, and Minsky and Papert
(1969) made that limit famous: train it on "xor" and see it fail.

Differs from the paper: inputs are real numbers, not a retina's random connections; a mini-batch averages the
corrections of its samples (batch size 1 is the classical rule).
"""

import math

import keras
from keras import ops

from kzoo.models.base import Classifier, count, standardise

PRESETS = {
    "mu": {"input_shape": (4, 4, 1), "num_classes": 3, "statistics": [[0.25], [0.5]]},
    "xor": {"input_shape": (2,), "num_classes": 2},
}


@keras.saving.register_keras_serializable("kzoo")
class PerceptronLoss(keras.losses.Loss):
    """Minus the correction that the perceptron rule makes: its gradient is the rule.

        loss = sum over k of (predicted_k - target_k) * score_k,   predicted = onehot(argmax score)

    The difference is held constant in differentiation. A right prediction costs 0 and changes nothing. A tie goes
    to the lower class, so that training can start from weights of zero.
    """

    def call(self, y_true, y_pred):
        """Labels (b,) or (b, 1) and scores (b, k) to a loss a sample, (b,)."""
        num_classes = y_pred.shape[-1]
        target = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), num_classes, dtype=y_pred.dtype)
        predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), num_classes, dtype=y_pred.dtype)
        return ops.sum(ops.stop_gradient(predicted - target) * y_pred, axis=-1)


@keras.saving.register_keras_serializable("kzoo")
class Perceptron(Classifier):
    """Scores of one linear layer that starts at zero.

    Args:
        input_shape: Shape of one sample, (h, w, c) or (d,).
        num_classes: k; two classes are told apart by a single unit.
        statistics: [mean, deviation] per channel to standardise with, or None.
    """

    def __init__(self, input_shape=(28, 28, 1), num_classes=10, *, statistics=None, **kwargs):
        count("num_classes", num_classes)
        if num_classes < 2:
            raise ValueError(f"model.num_classes: got {num_classes!r}; expected at least 2.")
        inputs = keras.Input(tuple(input_shape))
        x = standardise(inputs, statistics)
        if len(input_shape) > 1:
            x = keras.layers.Reshape((math.prod(input_shape),), name="flatten")(x)  # (b, d)
        units = 1 if num_classes == 2 else num_classes
        x = keras.layers.Dense(units, kernel_initializer="zeros", name="units")(x)
        if num_classes == 2:
            x = ops.pad(x, ((0, 0), (1, 0)))  # (b, 2): the other class scores 0
        super().__init__(inputs, x, **kwargs)
        self.num_classes = num_classes
        self.statistics = statistics

    def training_loss(self, label_smoothing: float = 0.0):
        """The perceptron's own loss; it knows no label smoothing.

        Raises:
            ValueError: if label smoothing is asked for.
        """
        if label_smoothing:
            raise ValueError(
                f"regularisation.label_smoothing: got {label_smoothing!r}; the perceptron rule allows only 0."
            )
        return PerceptronLoss()
