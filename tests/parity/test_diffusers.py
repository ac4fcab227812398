"""Noise schedules and samplers beside those of diffusers: two schedules, three predictions, three spacings.

Needs the three backends and diffusers in one environment; `nox -s parity` makes it. All figures are the largest
difference over the largest number.
"""

import importlib.util

import numpy as np
import pytest

import kzoo

pytestmark = pytest.mark.skipif(importlib.util.find_spec("diffusers") is None, reason="needs diffusers: nox -s parity")
SCHEDULES, SAMPLERS = ("linear", "cosine"), ("ddpm", "ddim", "dpm_solver")
CASES = len(SCHEDULES) * 3 * 3  # of a sampler: with each prediction and spacing


@pytest.fixture(scope="module")
def found(tmp_path_factory, work, work_on_each):
    """What diffusers found, and each backend."""
    root = tmp_path_factory.mktemp("diffusers")
    work("diffusers_worker.py", "make", root)
    work_on_each("diffusers_worker.py", "walk", root)
    return {name: dict(np.load(root / f"{name}.npz")) for name in ("theirs", *kzoo.backend.NAMES)}


def apart(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("backend", kzoo.backend.NAMES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_noise_schedule_and_what_it_does_to_images_is_theirs(schedule, backend, found):
    ours, theirs = found[backend], found["theirs"]
    for what in ("squared", "q_sample", "v"):
        figure = apart(ours[f"{schedule}-{what}"], theirs[f"{schedule}-{what}"])
        print(f"{schedule} {what} on {backend}: {figure:.1e}")
        assert figure < 1e-5


@pytest.mark.parametrize("backend", kzoo.backend.NAMES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_takes_their_steps(sampler, backend, found):
    ours, theirs, worst = found[backend], found["theirs"], {}
    names = sorted(key.removesuffix("-states") for key in theirs if key.startswith(sampler) and key.endswith("-states"))
    assert len(names) == CASES
    for name in names:
        np.testing.assert_array_equal(ours[f"{name}-timesteps"], theirs[f"{name}-timesteps"])
        expected = theirs[f"{name}-states"][1:]
        assert expected[-1].std() > 0.1  # so that a figure means something
        worst[f"{name}: a step"] = max(apart(*pair) for pair in zip(ours[f"{name}-steps"], expected, strict=True))
        if f"{name}-whole" in ours:
            worst[f"{name}: the whole way"] = apart(ours[f"{name}-whole"], theirs[f"{name}-whole"][1:])
        if f"{name}-noisy" in ours:
            worst[f"{name}: with noise"] = apart(ours[f"{name}-noisy"], theirs[f"{name}-noisy"])
    assert ("the whole way" in " ".join(worst)) == (sampler != "ddpm")
    for name, figure in worst.items():
        print(f"{name} on {backend}: {figure:.1e}")
    # Their posterior is made in float32, of differences of nearly equal numbers.
    allowed = 2e-4 if sampler == "ddpm" else 1e-5
    beyond = {name: figure for name, figure in worst.items() if not figure < allowed}
    assert not beyond
