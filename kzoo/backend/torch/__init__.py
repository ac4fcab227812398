"""The backend functions on PyTorch, in files of the same names for each backend."""
