"""Gradients on JAX."""

import jax
import jax.numpy as jnp
import keras
from jax import lax


class _RecordingScope(keras.StatelessScope):
    """A stateless scope that starts from the scope around it and remembers the variables that are written."""

    def __init__(self, state_mapping):
        # Losses are collected here, so that add_loss() leaves no tracer behind on a layer.
        super().__init__(state_mapping, collect_losses=True)
        self.written = {}

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = {**self.original_scope.state_mapping, **self.state_mapping}
        return self

    def add_update(self, update):
        super().add_update(update)
        self.written[id(update[0])] = update[0]


def value_and_grad(fn, variables):
    """See `kzoo.backend.value_and_grad`."""
    written = {}

    def pure(values):
        with _RecordingScope(list(zip(variables, values, strict=True))) as scope:
            loss = fn()
        written.update(scope.written)
        # Every write leaves through the auxiliary output: a tracer kept by other means would leak.
        return loss, {key: scope.state_mapping[key] for key in scope.written}

    values = [variable.value for variable in variables]
    (loss, updates), gradients = jax.value_and_grad(pure, has_aux=True)(values)
    for key, value in updates.items():
        # In an ambient stateless scope this writes to that scope, else to the variable itself.
        written[key].assign(value)
    # Cut like the loss: autograd of torch would give zeros here without a word.
    return lax.stop_gradient((loss, gradients))


def input_grad(fn, x):
    """See `kzoo.backend.input_grad`."""
    written = {}

    def pure(x):
        with _RecordingScope([]) as scope:
            total = jnp.sum(fn(x))
        written.update(scope.written)
        return total, {key: scope.state_mapping[key] for key in scope.written}

    gradient, updates = jax.grad(pure, has_aux=True)(x)
    for key, value in updates.items():
        written[key].assign(value)
    return gradient
