"""The models, one page each. `kzoo.registry` finds them; nothing needs importing here."""

from kzoo import backend

# Before any page imports Keras, whose own error for a missing backend does not say what to install.
backend.name()
