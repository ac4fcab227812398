"""Gradients on PyTorch."""

import torch


def value_and_grad(fn, variables):
    """The scalar `fn()` and its gradients with respect to Keras variables.

    Every side effect of `fn` on any Keras variable (batch-normalisation statistics, seed generators,
    metrics) stands after the call, as if `fn()` had been called plainly. A variable that the loss does not
    depend on gets a gradient of zeros on every backend, and gradients are dense tensors. A variable is
    differentiated whether or not it is `trainable`: the caller lists what it wants. No gradient of any other
    variable is touched.

    Args:
        fn: a function of no arguments that returns a scalar tensor. The layers it calls must be built.
        variables: a list of Keras variables.

    Returns:
        The loss and a list of gradients, one for each of `variables`, all cut from the graph: they are numbers to an
        outer derivative, on every backend.
    """
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
    """The gradient of `fn` with respect to its argument, sample by sample, which can be differentiated again.

    For a penalty on gradients, such as WGAN-GP's: the penalty is a part of a loss that `value_and_grad` differentiates.
    Every side effect of `fn` on Keras variables stands, as in `value_and_grad`.

    Args:
        fn: a function of a tensor (b, ...) to a tensor whose first axis is b; each output depends on its own sample.
        x: (b, ...).

    Returns:
        d sum(fn(x)) / dx, of the shape of `x`: for each sample the gradient of the sum of its own outputs.
    """
    # Keras evaluates under no_grad.
    with torch.enable_grad():
        given = x if x.requires_grad else x.detach().requires_grad_(True)
        return torch.autograd.grad(fn(given).sum(), given, create_graph=True, materialize_grads=True)[0]
