"""Sampling: what a trained model makes up. `generate(model, prompt, length)` continues a text."""

from kzoo import backend

# Before any file here imports Keras, whose own error for a missing backend does not say what to install.
backend.name()

from kzoo.sampling.codec import codec  # noqa: E402
from kzoo.sampling.text import generate, stream_text  # noqa: E402

__all__ = ["codec", "generate", "stream_text"]
