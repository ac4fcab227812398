"""`value_and_grad`: numbers against closed forms, and the side effects that must survive it."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

ON_JAX = keras.backend.backend() == "jax"
ON_TORCH = keras.backend.backend() == "torch"


def numpy(value):
    return ops.convert_to_numpy(value)


def built_dense(units, width, seed=0):
    layer = keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed))
    layer.build((None, width))
    return layer


def test_value_and_gradients_of_a_least_squares_loss_match_the_closed_form():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 3)), generator.normal(size=(5, 2))
    layer = built_dense(2, 3)
    kernel = numpy(layer.kernel).astype("float64")

    def loss():
        return ops.mean((layer(x.astype("float32")) - ops.convert_to_tensor(y, dtype="float32")) ** 2)

    value, (dkernel, dbias) = backend.value_and_grad(loss, layer.trainable_variables)
    residual = x @ kernel - y
    np.testing.assert_allclose(numpy(value), np.mean(residual**2), rtol=1e-5)
    np.testing.assert_allclose(numpy(dkernel), 2 * x.T @ residual / residual.size, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(numpy(dbias), 2 * residual.sum(0) / residual.size, rtol=1e-4, atol=1e-6)


def test_gradients_match_finite_differences_through_a_deep_nonlinear_model():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)])
    x = np.random.default_rng(1).normal(size=(6, 4)).astype("float32")
    _, gradients = backend.value_and_grad(lambda: ops.sum(model(x) ** 2), model.trainable_variables)
    weights = [weight.astype("float64") for weight in model.get_weights()]

    def loss_in_float64(weights):
        first, bias, second, offset = weights
        return np.sum((np.tanh(x.astype("float64") @ first + bias) @ second + offset) ** 2)

    for i, gradient in enumerate(gradients):
        slopes = np.zeros_like(weights[i])
        for at in np.ndindex(slopes.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [weight.copy() for weight in weights]
                moved[i][at] += step
                sides.append(loss_in_float64(moved))
            slopes[at] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(numpy(gradient), slopes, rtol=1e-3, atol=1e-4)


def test_batch_normalisation_statistics_move_as_in_a_plain_call():
    x = np.random.default_rng(2).normal(3.0, 2.0, size=(64, 4)).astype("float32")
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build((None, 4))
    backend.value_and_grad(lambda: ops.sum(layer(x, training=True)), layer.trainable_variables)
    np.testing.assert_allclose(numpy(layer.moving_mean), 0.1 * x.astype("float64").mean(0), rtol=1e-4)
    np.testing.assert_allclose(numpy(layer.moving_variance), 0.9 + 0.1 * x.astype("float64").var(0), rtol=1e-4)


def test_a_seed_generator_moves_on_and_each_call_draws_anew():
    seeds = keras.random.SeedGenerator(7)
    twin = keras.random.SeedGenerator(7)
    variable = keras.Variable(np.ones(8, "float32"))

    def loss():
        return ops.sum(variable * keras.random.normal((8,), seed=seeds))

    for _ in range(2):
        _, (gradient,) = backend.value_and_grad(loss, [variable])
        np.testing.assert_allclose(numpy(gradient), numpy(keras.random.normal((8,), seed=twin)), rtol=1e-5)
    np.testing.assert_array_equal(numpy(seeds.state), numpy(twin.state))


def test_a_metric_is_updated():
    metric = keras.metrics.Mean()
    variable = keras.Variable(2.0)

    def loss():
        value = variable * 3.0
        metric.update_state(ops.stop_gradient(value))
        return value

    backend.value_and_grad(loss, [variable])
    backend.value_and_grad(loss, [variable])
    np.testing.assert_allclose(numpy(metric.result()), 6.0)
    np.testing.assert_allclose(numpy(metric.count), 2.0)


def test_an_unused_variable_gets_zeros():
    used, unused = keras.Variable(2.0), keras.Variable(np.ones((2, 3), "float32"))
    _, gradients = backend.value_and_grad(lambda: used**2, [used, unused])
    np.testing.assert_allclose(numpy(gradients[0]), 4.0)
    np.testing.assert_array_equal(numpy(gradients[1]), np.zeros((2, 3)))


def test_a_loss_that_depends_on_no_variable_gets_zeros():
    variable = keras.Variable(np.ones(3, "float32"))
    value, (gradient,) = backend.value_and_grad(lambda: ops.sum(ops.ones(3)), [variable])
    np.testing.assert_allclose(numpy(value), 3.0)
    np.testing.assert_array_equal(numpy(gradient), np.zeros(3))


def test_a_frozen_variable_is_differentiated_and_stays_frozen():
    variable = keras.Variable(3.0, trainable=False)
    _, (gradient,) = backend.value_and_grad(lambda: variable**2, [variable])
    np.testing.assert_allclose(numpy(gradient), 6.0)
    assert not variable.trainable
    if ON_TORCH:
        assert not variable.value.requires_grad


def test_an_embedding_gets_a_dense_gradient():
    layer = keras.layers.Embedding(6, 2)
    layer.build((None,))
    tokens = np.array([1, 4, 1])
    _, (gradient,) = backend.value_and_grad(lambda: ops.sum(layer(tokens)), layer.trainable_variables)
    expected = np.zeros((6, 2))
    np.add.at(expected, tokens, 1.0)
    np.testing.assert_array_equal(numpy(gradient + 0.0), expected)


def test_the_variables_of_another_network_are_left_alone():
    generator, critic = built_dense(3, 2), built_dense(1, 3, seed=1)
    x = np.random.default_rng(3).normal(size=(4, 2)).astype("float32")
    before = [numpy(variable) for variable in critic.variables]
    backend.value_and_grad(lambda: ops.mean(critic(generator(x))), generator.trainable_variables)
    for variable, value in zip(critic.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)
    if ON_TORCH:
        assert all(variable.value.grad is None for variable in critic.variables + generator.variables)


def test_a_loss_added_by_a_layer_counts_and_leaves_nothing_behind():
    layer = keras.layers.Dense(2, activity_regularizer=keras.regularizers.L2(0.5), use_bias=False)
    layer.build((None, 2))
    layer.set_weights([np.eye(2)])
    x = np.array([[1.0, 2.0]], "float32")

    def loss():
        layer(x)
        return ops.sum(ops.stack(layer.losses))

    for _ in range(2):
        value, (gradient,) = backend.value_and_grad(loss, layer.trainable_variables)
        np.testing.assert_allclose(numpy(value), 2.5, rtol=1e-6)
        np.testing.assert_allclose(numpy(gradient), np.outer(x, x), rtol=1e-6)
        if ON_JAX:
            assert layer._losses == []


def test_it_can_be_called_inside_itself():
    outer, inner = keras.Variable(2.0), keras.Variable(5.0)
    count = keras.Variable(0.0, trainable=False)

    def inner_loss():
        count.assign(count + 1.0)
        return outer * inner**2

    def loss():
        value, (slope,) = backend.value_and_grad(inner_loss, [inner])
        value = value + slope  # both depend on `outer`, and are cut from it
        return outer**3 + value

    value, (gradient,) = backend.value_and_grad(loss, [outer])
    np.testing.assert_allclose(numpy(value), 2.0**3 + 2.0 * 5.0**2 + 2.0 * 2.0 * 5.0)
    np.testing.assert_allclose(numpy(gradient), 3 * 2.0**2)
    np.testing.assert_allclose(numpy(count), 1.0)


@pytest.mark.skipif(not ON_TORCH, reason="only torch has no_grad")
def test_it_works_under_no_grad():
    import torch

    variable = keras.Variable(3.0)
    with torch.no_grad():
        value, (gradient,) = backend.value_and_grad(lambda: variable**2, [variable])
    assert not value.requires_grad
    np.testing.assert_allclose(numpy(gradient), 6.0)


@pytest.mark.skipif(not ON_JAX, reason="an ambient scope is how JAX trains")
def test_inside_a_jitted_stateless_scope_the_updates_leave_with_that_scope():
    import jax

    layer = keras.layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    seeds = keras.random.SeedGenerator(1)
    references = [*layer.variables, seeds.state]
    x = np.random.default_rng(4).normal(1.0, 1.0, size=(16, 2)).astype("float32")

    def loss():
        noise = keras.random.normal((16, 2), seed=seeds)
        return ops.sum(layer(x, training=True) * noise)

    @jax.jit
    def step(values):
        with keras.StatelessScope(list(zip(references, values, strict=True))) as scope:
            value, gradients = backend.value_and_grad(loss, layer.trainable_variables)
        return value, gradients, [scope.get_current_value(reference) for reference in references]

    before = [variable.value for variable in references]
    value, gradients, after = step(before)
    for variable, kept in zip(references, before, strict=True):
        np.testing.assert_array_equal(variable.value, kept)
    plain_value, plain_gradients = backend.value_and_grad(loss, layer.trainable_variables)
    np.testing.assert_allclose(value, plain_value, rtol=1e-5)
    for found, expected in zip(gradients, plain_gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for found, variable in zip(after, references, strict=True):
        np.testing.assert_allclose(found, variable.value, rtol=1e-5)
    assert not np.allclose(after[2], before[2])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the graphs of TensorFlow")
def test_inside_a_tf_function_values_and_updates_are_those_of_the_eager_call():
    import tensorflow as tf

    variable, count = keras.Variable(3.0), keras.Variable(0.0, trainable=False)

    def loss():
        count.assign_add(1.0)
        return variable**2

    value, (gradient,) = tf.function(lambda: backend.value_and_grad(loss, [variable]))()
    np.testing.assert_allclose([numpy(value), numpy(gradient), numpy(count)], [9.0, 6.0, 1.0])
