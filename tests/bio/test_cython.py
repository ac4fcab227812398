"""In a file of its own: Cython first compiles for half a minute of processor time, and tests are run file by file."""

import numpy as np
import pytest

from kzoo.bio import LIF, engines, simulate

if lacks := engines.available()["brian-cython"]:
    pytest.skip(lacks, allow_module_level=True)


def test_compiled_by_cython_single_neurons_have_the_same_spikes():
    p, current = LIF(), 0.25e-9 + 3e-9 * np.random.default_rng(1).standard_normal((2000, 5))
    ours, theirs = simulate(p, current), simulate(p, current, engine="brian-cython")
    assert (theirs.engine, theirs.note) == ("brian-cython", "")
    np.testing.assert_array_equal(ours.spikes, theirs.spikes)
    np.testing.assert_allclose(ours.voltage, theirs.voltage, rtol=0, atol=1e-12)
    assert ours.spikes.sum() > 20
