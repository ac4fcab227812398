"""How PyTorch calls a function: compiled, and as a step of Keras's training."""

import keras
import torch

from kzoo.backend.read_only import ReadOnly


def compiled(fn, variables):
    """See `kzoo.backend.compiled`."""

    def call(*arguments):
        with torch.inference_mode(), ReadOnly(variables):
            return fn(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))

    return call


def run_step(step, args, groups):
    """See `kzoo.backend.run_step`."""
    # Optimizers and averages assign to leaves of the graph; `value_and_grad` turns gradients on for itself.
    with torch.no_grad():
        return step(*args)
