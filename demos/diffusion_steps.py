"""What diffusion's page computes: the way from noise to images, moment by moment, and a drawing that drowns in noise.

`kzoo.sampling.diffusion` compiles the whole way, anew for each number of steps. Here the network alone is compiled,
once for all that a visitor may choose, and the sums between its answers are NumPy's: the numbers are the same.

Axis letters: h w c image, s moments.
"""

import functools
import time
import weakref
from typing import NamedTuple

import kit
import numpy as np

import kzoo

CLASSIFIER = "cnn_mnist"
ROWS = 3  # images that go through the network together: the only number of them that is compiled
TIMESTEPS = 1000  # of the preset's noise schedule
NOISED = tuple(np.rint(np.linspace(0, TIMESTEPS - 1, 12)).astype(int).tolist())

_NETWORKS, _NOISES = weakref.WeakKeyDictionary(), {}


def both(model, x, timesteps, labels) -> tuple[np.ndarray, np.ndarray]:
    """What the network says of ROWS images when it is told their classes, and when it is told none.

    Args:
        x: (ROWS, h, w, c).
        timesteps: (ROWS,) integers.
        labels: (ROWS,) integers.
    """
    from keras import ops

    if model not in _NETWORKS:
        held = weakref.ref(model)

        def answers(x, timesteps, labels):
            model = held()
            labels = ops.concatenate([labels, model.no_class(ROWS)], axis=0)
            twice = (ops.concatenate([part, part], axis=0) for part in (x, timesteps))
            return tuple(ops.split(model.says(*twice, labels), 2, axis=0))

        _NETWORKS[model] = kzoo.backend.compiled(answers, model.average.variables)
    asked = np.asarray(x, "float32"), np.asarray(timesteps, "int32"), np.asarray(labels, "int32")
    with kit.alone(model):
        return tuple(map(ops.convert_to_numpy, _NETWORKS[model](*asked)))


def step_noise(shape: tuple, seed: int, step: int) -> np.ndarray:
    """The noise that `kzoo.sampling.diffusion` adds in a step, from 1, of `shape`."""
    from keras import ops

    from kzoo.ops import random

    if shape not in _NOISES:
        _NOISES[shape] = kzoo.backend.compiled(lambda key: random.normal(shape, key, dtype="float32"), [])
    return ops.convert_to_numpy(_NOISES[shape](np.array([seed, step], "int32")))


class Moment(NamedTuple):
    """A moment of the way from noise to images.

    Attributes:
        timestep: (ROWS,) at which the network is asked.
        x: (ROWS, h, w, c) what it is asked about, images in [-1, 1] and noise.
        guess: Likewise, the images that it sees in it.
        image: Likewise, x after the step.
        seconds: The step took.
    """

    timestep: np.ndarray
    x: np.ndarray
    guess: np.ndarray
    image: np.ndarray
    seconds: float


def walk(model, noise, labels, guidance, samplers, steps: int, seed: int, apart: bool = False):
    """The way from noise to ROWS images, moment by moment: the numbers of `kzoo.sampling.diffusion.denoising`.

    Args:
        model: A `kzoo.models.diffusion.Diffusion` that is told classes.
        noise: (ROWS, h, w, c).
        labels: (ROWS,) integers.
        guidance: (ROWS,) the guidance of each image.
        samplers: ROWS values of SAMPLERS.
        steps: How often the network is asked.
        seed: Of the noise that "ddpm" adds.
        apart: Whether each image gets the noise that it would get by itself, so that those of one class and one noise
            differ by guidance and sampler alone.
    """
    from kzoo.ops import denoising
    from kzoo.ops.diffusion import to_x0

    asked = denoising.timesteps(model.timesteps, steps)
    # In float32, as the sampler's graph has them: (s, ROWS, 1, 1, 1).
    plans = [denoising.plan(sampler, model.schedule, asked).rounded() for sampler in samplers]
    table = [np.stack(part, axis=1)[..., None, None, None] for part in zip(*plans, strict=True)]
    x, before = np.asarray(noise, "float32"), np.zeros_like(noise)
    scale = np.asarray(guidance, "float32")[:, None, None, None]
    for i, t in enumerate(asked):
        began = time.perf_counter()
        now = denoising.Plan(*(part[i] for part in table))
        told, untold = both(model, x, np.full(ROWS, t), labels)
        output = untold + scale * (told - untold)
        guess = np.clip(to_x0(model.prediction, output, x, now.alpha, now.sigma), -1, 1)
        new = now.of_x * x + now.of_x0 * guess + now.of_before * before
        if now.of_noise.any():
            new = new + now.of_noise * step_noise((1, *x.shape[1:]) if apart else x.shape, seed, i + 1)
        yield Moment(now.timestep.ravel(), x, guess, new.astype("float32"), time.perf_counter() - began)
        x, before = new.astype("float32"), guess


def sampled(model, settings):
    """The `Moment`s of the ROWS images that the app's `Settings` ask for."""
    return walk(
        model,
        model.noise(ROWS, settings.seed),
        np.full(ROWS, int(settings.label)),
        np.full(ROWS, settings.guidance),
        ROWS * [settings.sampler],
        settings.steps,
        settings.seed,
    )


def alike(model, settings, guidance, samplers, steps: int) -> tuple[np.ndarray, float]:
    """ROWS images of one noise that differ by guidance or sampler, (ROWS, h, w) in [0, 1], and the seconds a step."""
    noise = np.repeat(model.noise(1, settings.seed), ROWS, axis=0)
    labels = np.full(ROWS, int(settings.label))
    moments = list(walk(model, noise, labels, guidance, samplers, steps, settings.seed, apart=True))
    return seen(moments[-1].image), float(np.median([moment.seconds for moment in moments]))


def drowned(model, image, label: int, seed: int) -> tuple[np.ndarray, ...]:
    """An image with more and more of one noise in it, and what the network takes it to be.

    Args:
        image: (h, w) in [0, 1].
        label: The class that the network is told.
        seed: Of the noise.

    Returns:
        Three times (s, h, w) in [0, 1], one for each of NOISED: the image with the noise, what the network sees in it
        when it is told nothing, and when it is told the class.
    """
    from kzoo.ops.diffusion import q_sample, to_x0

    clean, noise = 2 * np.asarray(image, "float32")[None, :, :, None] - 1, model.noise(1, seed)
    noisy, told, untold = [], [], []
    for first in range(0, len(NOISED), ROWS):
        times = np.array(NOISED[first : first + ROWS])
        alpha, sigma = (part[times, None, None, None].astype("float32") for part in model.schedule)
        x = q_sample(clean, noise, alpha, sigma)
        guesses = (
            to_x0(model.prediction, said, x, alpha, sigma) for said in both(model, x, times, np.full(ROWS, label))
        )
        for made, part in zip((noisy, told, untold), (x, *guesses), strict=True):
            made.append(seen(part))
    return tuple(np.concatenate(made) for made in (noisy, untold, told))


def seen(x) -> np.ndarray:
    """Images (..., h, w, 1) in [-1, 1] and noise as (..., h, w) in [0, 1]."""
    return np.clip((np.asarray(x)[..., 0] + 1) / 2, 0, 1)


@functools.cache
def _classifier():
    model = kit.preset(CLASSIFIER, "diffusion")
    if model is None:
        return None
    return model, kzoo.backend.compiled(lambda x: model(x, training=False), model.variables)


def read_images(images) -> list[str]:
    """What the shipped classifier of digits reads in (ROWS, h, w) images, such as "reads 3"; nothing where it is not.

    It reads ROWS at a time, so that one size is compiled.
    """
    from keras import ops

    found = _classifier()
    if found is None:
        return [""] * len(images)
    model, answer = found
    with kit.alone(model):
        logits = ops.convert_to_numpy(answer(np.asarray(images, "float32")[..., None]))
    return [f"reads {digit}" for digit in logits.argmax(axis=1)]
