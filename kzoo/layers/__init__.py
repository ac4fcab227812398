"""Keras layers of the zoo, one file an idea."""

from kzoo import backend

# Before any file here imports Keras, whose own error for a missing backend does not say what to install.
backend.name()
