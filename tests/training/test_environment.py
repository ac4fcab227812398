"""What env.json says of the process and the machine of a run."""

import json

import kzoo
from kzoo.training import environment


def test_the_environment_can_be_written_as_json_and_read_back():
    found = environment.describe(3)
    assert json.loads(json.dumps(found)) == found
    assert found["seed"] == 3


def test_the_cpu_threads_are_those_of_the_backend(monkeypatch, backend):
    # Wall times of two runs compare only where these are equal: the cores of the machine do not tell them.
    assert environment.describe(0)["threads"] == kzoo.backend.thread_count() >= 1
    monkeypatch.setattr(kzoo.backend, "thread_count", lambda: 7)
    assert environment.describe(0)["threads"] == 7


def test_a_finished_run_keeps_the_threads_it_ran_with(finished):
    assert json.loads((finished.folder / "env.json").read_text())["threads"] == kzoo.backend.thread_count()
