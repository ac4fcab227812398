"""Weights of other libraries and back, as NumPy arrays: nothing here imports the other library."""
