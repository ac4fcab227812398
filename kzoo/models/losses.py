"""What training minimises and counts where the targets are labels or tokens.

A target of -1 is not asked for: neither loss nor accuracy counts it.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kzoo")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of integer labels, a share of each target spread evenly over all classes (arXiv:1512.00567).

        loss = -sum over k of q_k log softmax(logits)_k,   q_k = (1 - label_smoothing) [k = y] + label_smoothing / K

    and its mean is that over the labels which are not -1. Keras has smoothing only for one-hot labels.
    """

    def __init__(self, label_smoothing: float, name="smoothed_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Labels (b,) or (b, 1) and logits (b, k) to a loss a sample in nats, (b,); (b, t) and (b, t, k) to (b, t).

        Where there are labels of -1, their losses are 0, and the others so much larger that the mean stays theirs.
        """
        labels = ops.reshape(ops.cast(y_true, "int32"), ops.shape(y_pred)[:-1])
        asked = ops.cast(labels >= 0, y_pred.dtype)
        target = ops.one_hot(ops.maximum(labels, 0), y_pred.shape[-1], dtype=y_pred.dtype)
        losses = keras.losses.categorical_crossentropy(
            target, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )
        return losses * ops.divide_no_nan(asked, ops.mean(asked))

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable("kzoo")
class TokenAccuracy(keras.metrics.Mean):
    """The share of tokens that are foretold, of those that are asked for."""

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: Tokens (b, t), -1 where none is asked for.
            y_pred: Logits (b, t, v).
            sample_weight: How often each counts, (b,), (b, 1) or (b, t); None counts each once.
        """
        tokens = ops.cast(y_true, "int32")
        right = ops.cast(ops.argmax(y_pred, axis=-1), "int32") == tokens
        weight = ops.cast(tokens >= 0, self.dtype)
        if sample_weight is not None:
            given = ops.cast(sample_weight, self.dtype)
            weight = weight * (given if len(given.shape) > 1 else given[:, None])
        return super().update_state(ops.cast(right, self.dtype), weight)
