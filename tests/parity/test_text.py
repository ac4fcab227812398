"""One seed writes one text on all three backends, each in a process of its own."""

import json

import kzoo


def test_a_hundred_tokens_are_the_same_on_every_backend(work):
    reference = json.loads(work("text_worker.py", backend="jax"))
    assert {key.partition(":")[0] for key in reference} == {"rnn", "lstm", "gru", "transformer", "mamba"}
    for key, rows in reference.items():
        for row in rows:
            assert len(row) == 100
            assert len(set(row)) > 2, key
        assert rows[0] != rows[1]
    for backend in kzoo.backend.NAMES[1:]:
        assert json.loads(work("text_worker.py", backend=backend)) == reference, backend
