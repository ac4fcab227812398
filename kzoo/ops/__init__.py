"""Pure functions of tensors: no weights, no layers, no state."""
