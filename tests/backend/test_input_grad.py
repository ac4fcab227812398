"""Gradients by an input, and gradients of those."""

import keras
import numpy as np
from keras import ops

from kzoo.backend import input_grad, value_and_grad

X = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 0.25]], "float32")


def test_each_sample_has_the_gradient_of_its_own_output():
    found = input_grad(lambda x: ops.sum(x**3, axis=-1), ops.convert_to_tensor(X))
    np.testing.assert_allclose(ops.convert_to_numpy(found), 3 * X**2, rtol=1e-6)


def test_what_does_not_depend_on_the_input_gives_zeros():
    found = input_grad(lambda x: ops.zeros((3,)) + 0.0 * x[:, 0], ops.convert_to_tensor(X))
    assert not ops.convert_to_numpy(found).any()


def test_a_penalty_on_the_gradient_is_differentiated_by_the_weights():
    weight = keras.Variable(np.array([0.5, -1.5], "float32"))

    def penalty():
        # d/dx of sum(w x^2) is 2 w x, so that the penalty is 4 sum(w^2 x^2)
        gradient = input_grad(lambda x: ops.sum(weight * x**2, axis=-1), ops.convert_to_tensor(X))
        return ops.sum(gradient**2)

    value, (gradient,) = value_and_grad(penalty, [weight])
    w = np.array([0.5, -1.5])
    np.testing.assert_allclose(float(ops.convert_to_numpy(value)), (4 * w**2 * X**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), 8 * w * (X**2).sum(axis=0), rtol=1e-6)


def test_side_effects_within_stand():
    seen = keras.Variable(0.0, trainable=False)

    def loss(x):
        seen.assign(seen + ops.sum(ops.stop_gradient(x)))
        return ops.sum(x, axis=-1)

    input_grad(loss, ops.convert_to_tensor(X))
    np.testing.assert_allclose(seen.numpy(), X.sum(), rtol=1e-6)


def test_a_layer_with_a_generator_advances_it_once():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dropout(0.5, seed=1)
    before = layer.seed_generator.state.numpy().copy()
    input_grad(lambda x: layer(x, training=True), ops.convert_to_tensor(X))
    after = layer.seed_generator.state.numpy()
    assert (after.astype("int64") - before.astype("int64")).sum() == 1
