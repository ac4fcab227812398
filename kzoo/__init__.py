"""kzoo: a Keras 3 model zoo that runs unchanged on JAX, PyTorch and TensorFlow.

    import kzoo

    model = kzoo.from_preset("cnn_mnist")
    data = kzoo.load_data("mnist")
    print(model.predict(data.x_test[:5]).argmax(axis=-1), data.y_test[:5])

Importing kzoo decides which backend Keras will run on and imports no Keras; see `kzoo.backend.choose`.
"""

import importlib

from kzoo import backend

__version__ = "0.1.0"

# Where each name of the façade lives. They load at first use, so that `import kzoo` stays light (PEP 562).
_LAZY = {
    "create_model": "kzoo.registry",
    "list_models": "kzoo.registry",
    "model_info": "kzoo.registry",
    "recipe_for": "kzoo.registry",
    "list_presets": "kzoo.registry",
    "from_preset": "kzoo.models.preset",
    "load_model": "kzoo.models.preset",
    "load_data": "kzoo.data",
    "list_datasets": "kzoo.data",
    "Recipe": "kzoo.recipe",
    "KzooError": "kzoo.errors",
}

__all__ = ["__version__", "backend", *_LAZY]

backend.prepare()


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'kzoo' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
