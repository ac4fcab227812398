"""The backend functions on TensorFlow, in files of the same names for each backend."""
