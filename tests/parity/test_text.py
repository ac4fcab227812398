"""One seed writes one text on all three backends, each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

import kzoo

pytestmark = pytest.mark.skipif(
    set(kzoo.backend.installed()) != set(kzoo.backend.NAMES),
    reason="needs all three backends in one environment: nox -s parity",
)

# 100 tokens of every model of tokens, its weights moved so far that texts are no runs of one letter: more than one
# block. One of them in another manner, too: what chooses a token knows nothing of the model.
WRITE = """
import importlib, json, sys
import kzoo
import numpy as np
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
"""


def _written(backend):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", WRITE], env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, f"{backend}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout)


def test_a_hundred_tokens_are_the_same_on_every_backend():
    reference = _written("jax")
    assert {key.partition(":")[0] for key in reference} == {"rnn", "lstm", "gru", "transformer", "mamba"}
    for key, rows in reference.items():
        for row in rows:
            assert len(row) == 100
            assert len(set(row)) > 2, key
        assert rows[0] != rows[1]
    for backend in kzoo.backend.NAMES[1:]:
        assert _written(backend) == reference, backend
