"""100 tokens of every model of tokens on the backend of KERAS_BACKEND, as JSON on standard output.

Their weights are moved so far that texts are no runs of one letter: more than one block. One of them in another manner,
too: what chooses a token knows nothing of the model.
"""

import importlib
import json
import sys

import numpy as np

import kzoo
from kzoo.sampling import generate

found = {}
for name in kzoo.list_models():
    info = kzoo.registry.model_info(name)
    if "tokens" not in info.tasks:
        continue
    page = importlib.import_module(info.target.partition(":")[0])
    defaults = {key: value.default for key, value in kzoo.registry.model_arguments(name).items()}
    for variant, given in page.PRESETS.items():
        given = {**defaults, **given}
        if not variant.startswith("mu") or given["task"] != "tokens" or given["vocabulary"] is None:
            continue
        model = kzoo.create_model(f"{name}:{variant}", seed=0)
        rng = np.random.default_rng(5)
        model.set_weights([w + rng.normal(0, 0.5, w.shape).astype(w.dtype) for w in model.get_weights()])
        manners = [{}, {"temperature": 0.7, "top_k": 5, "top_p": 0.8}]
        for knobs in manners[: 1 + (name == "lstm")]:
            tokens = generate(model, model.sample_inputs(2, seed=1)[:, :3], 100, seed=9, **knobs)
            found[f"{name}:{variant} {knobs}"] = tokens.tolist()
json.dump(found, sys.stdout)
