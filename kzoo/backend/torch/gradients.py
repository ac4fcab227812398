"""Gradients on PyTorch."""

import torch


def value_and_grad(fn, variables):
    """See `kzoo.backend.value_and_grad`."""
    tensors = [variable.value for variable in variables]
    frozen = [tensor for tensor in tensors if tensor.is_leaf and not tensor.requires_grad]
    for tensor in frozen:
        tensor.requires_grad_(True)
    try:
        # Keras evaluates under no_grad.
        with torch.enable_grad():
            loss = fn()
        if not loss.requires_grad:
            return loss, [torch.zeros_like(tensor) for tensor in tensors]
        # Not loss.backward(): it would add to the .grad of every network that the loss runs through.
        gradients = torch.autograd.grad(loss, tensors, materialize_grads=True)
    finally:
        for tensor in frozen:
            tensor.requires_grad_(False)
    return loss.detach(), list(gradients)


def input_grad(fn, x):
    """See `kzoo.backend.input_grad`."""
    # Keras evaluates under no_grad.
    with torch.enable_grad():
        given = x if x.requires_grad else x.detach().requires_grad_(True)
        return torch.autograd.grad(fn(given).sum(), given, create_graph=True, materialize_grads=True)[0]
