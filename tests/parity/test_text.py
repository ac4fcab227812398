"""One seed writes one text on all three backends, each in a process of its own."""

import json


def test_a_hundred_tokens_are_the_same_on_every_backend(work_on_each):
    found = {backend: json.loads(said) for backend, said in work_on_each("text_worker.py").items()}
    reference = found["jax"]
    assert {key.partition(":")[0] for key in reference} == {"rnn", "lstm", "gru", "transformer", "mamba"}
    for key, rows in reference.items():
        for row in rows:
            assert len(row) == 100
            assert len(set(row)) > 2, key
        assert rows[0] != rows[1]
    for backend, rows in found.items():
        assert rows == reference, backend
