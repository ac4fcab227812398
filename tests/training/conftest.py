"""One finished run, shared by the tests that only look at it."""

import pytest

import kzoo
from kzoo.training import run

# Two seconds of training that use all that a recipe can: dropout, normalisation, augmentation, a schedule.
TINY = kzoo.recipe_for("cnn", "digits").override(
    model={"filters": [4], "depth": 1, "hidden_dim": 8},
    schedule={"name": "cosine", "warmup_epochs": 0.5},
    smoke=True,
    epochs=2,
    seed=3,
)


@pytest.fixture(scope="session")
def tiny():
    """The recipe of the shared run."""
    return TINY


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The shared run's result; its folder is to be read only."""
    return run(TINY, out=tmp_path_factory.mktemp("run") / "tiny", verbose=0)
