"""Samples that are drawn anew each epoch are a pure function of the epoch, also for a run that is cut and resumed."""

import dataclasses
import importlib

import numpy as np
import pytest

import kzoo
from kzoo.data import load_data
from kzoo.training import run
from kzoo.training.batches import Batches, FollowEpoch


def epoch_of(batches, epoch):
    batches.epoch = epoch
    found = [batches[i] for i in range(batches.num_batches)]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def rows(x):
    return sorted(x.tolist())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("induction_heads", {"length": 12, "samples": 50}),
        ("selective_copying", {"length": 12, "tokens": 3, "samples": 50}),
        ("pydoc", {"window": 9, "samples": 45}),
    ],
)
def test_an_epoch_serves_its_own_samples_whatever_was_served_before(name, arguments):
    data = load_data(name, **arguments)
    batches = Batches(data.x_train, data.y_train, 20, 0, renew=data.renew)
    first, second = epoch_of(batches, 0), epoch_of(batches, 1)
    assert rows(first[0]) == rows(data.x_train)
    assert rows(second[0]) == rows(data.renew(1)[0])
    assert rows(first[0]) != rows(second[0])
    for before, again in zip(first + second, epoch_of(batches, 0) + epoch_of(batches, 1), strict=True):
        np.testing.assert_array_equal(before, again)
    # Each target stays with its input.
    pairs = dict(zip(map(tuple, data.renew(1)[0].tolist()), data.renew(1)[1].tolist(), strict=True))
    assert all(pairs[tuple(x)] == y for x, y in zip(second[0].tolist(), second[1].tolist(), strict=True))


def test_without_a_renewal_every_epoch_holds_the_same_samples():
    data = load_data("copying", samples=50)
    assert data.renew is None
    batches = Batches(data.x_train, data.y_train, 20, 0)
    assert rows(epoch_of(batches, 0)[0]) == rows(epoch_of(batches, 1)[0]) == rows(data.x_train)


def points_drawn_anew():
    """A set that trains in no time, with points of its own in each epoch."""
    data = load_data("xor", samples=90)

    def renew(epoch):
        fresh = load_data("xor", samples=90, seed=100 + epoch)
        return fresh.x_train, fresh.y_train

    return dataclasses.replace(data, x_train=renew(0)[0], y_train=renew(0)[1], renew=renew)


def lines(folder):
    """metrics.csv without the seconds, its last column."""
    return [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]


def test_a_cut_run_goes_on_with_the_samples_of_its_epoch(tmp_path, monkeypatch):
    recipe = kzoo.recipe_for("mlp", "xor").override(epochs=3, batch_size=30, model={"hidden_dims": [4]})
    # By its name: the package's attribute `run` is the function, not the module.
    module, data = importlib.import_module("kzoo.training.run"), points_drawn_anew()
    monkeypatch.setattr(module, "load_for", lambda recipe: data)
    whole = run(recipe, out=tmp_path / "whole", verbose=0)
    set_epoch = FollowEpoch.on_epoch_begin

    def die(self, epoch, logs=None):
        set_epoch(self, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FollowEpoch, "on_epoch_begin", die)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, out=tmp_path / "cut", verbose=0)
    resumed = run(resume=tmp_path / "cut", verbose=0)
    assert lines(resumed.folder) == lines(whole.folder)
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    monkeypatch.setattr(module, "load_for", lambda recipe: dataclasses.replace(data, renew=None))
    same = run(recipe, out=tmp_path / "same", verbose=0)
    assert lines(same.folder)[0] == lines(whole.folder)[0], "the first epoch is that of x_train"
    assert lines(same.folder)[1:] != lines(whole.folder)[1:], "the others are not"
