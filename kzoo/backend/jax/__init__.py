"""The backend functions on JAX, in files of the same names for each backend."""
