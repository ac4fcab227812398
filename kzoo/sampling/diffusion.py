"""Images from a diffusion model: DDPM, DDIM or DPM-Solver++, in any number of steps, of a class and led to it.

Axis letters: b batch, h w c image, s steps.

    noise (b, h, w, c) -> s steps, each an answer of the network and a sum -> images (b, h, w, c)

What a step does is a table of `kzoo.ops.denoising`; the loop over it is one compiled function where the backend
compiles, with the weights and the table as its arguments: another guidance, spacing or seed compiles nothing, another
number of steps or images does. The first noise is drawn in NumPy, that of the steps from the portable generator: one
seed gives the same images on every backend, up to rounding. An image has the same first noise whatever `count` and
`batch_size`; what the steps of "ddpm" add depends on its place in its batch.
"""

import weakref
from typing import NamedTuple

import numpy as np
from keras import ops

from kzoo import backend
from kzoo.errors import KzooError
from kzoo.ops import denoising as walk

__all__ = ["SAMPLERS", "SPACINGS", "Denoising", "denoising", "sample"]

SAMPLERS, SPACINGS = walk.SAMPLERS, walk.SPACINGS


class Denoising(NamedTuple):
    """The way from noise to images.

    Attributes:
        images: (count, h, w, c) float32 in [0, 1].
        states: x after some of the steps, the last one among them, (s, count, h, w, c) float32; noise and images in
            [-1, 1], so that (x + 1) / 2 is what to show.
        guesses: The x_0 that the network saw in the x before that step, likewise.
        timesteps: The timestep at which it was asked, (s,) int32.
    """

    images: np.ndarray
    states: np.ndarray
    guesses: np.ndarray
    timesteps: np.ndarray


def sample(model, count: int, labels=None, *, batch_size: int = 100, **options) -> np.ndarray:
    """Makes images.

    Args:
        model: A `kzoo.models.diffusion.Diffusion`.
        count: How many.
        labels: For a conditional model a class for all, or `count` of them.
        batch_size: How many at a time.
        **options: Those of `denoising`, but for `every`.

    Returns:
        (count, h, w, c) float32 in [0, 1].

    Raises:
        KzooError: as `denoising`.
    """
    steps, run = _prepare(model, count, labels, **options)
    size, found = min(_whole("batch_size", batch_size), count), []
    for start in range(0, count, size):
        # The last batch is filled up, so that there is one shape.
        found.append(run(np.arange(start, start + size) % count, start // size, steps))
    return _shown(np.concatenate(found)[:count])


def denoising(model, count: int, labels=None, *, every: int = 1, **options) -> Denoising:
    """Makes images and tells the way.

    Args:
        model: A `kzoo.models.diffusion.Diffusion`.
        count: How many; all at once, since all states are kept.
        labels: For a conditional model a class for all, or `count` of them.
        every: Of how many steps one is kept, counted back from the last.
        **options:
            seed: Decides all noise, a whole number of at least 0; 0.
            sampler: One of `SAMPLERS`; "ddim".
            steps: From 1 to the model's timesteps; 50, or as many as there are.
            eta: Of "ddim", the share of DDPM's noise in each step, from 0 to 1; 0.
            guidance_scale: How far to lead away from what the network says of no class: 1 for not at all (the paper's
                w is smaller by 1), 0 for no class; None for the model's own.
            spacing: One of `SPACINGS`; "trailing".
            clip: Whether the network's image is kept within [0, 1] at each step; True.

    Returns:
        A `Denoising`.

    Raises:
        KzooError: for an option out of range, labels that do not suit the model, or guidance without labels.
    """
    every = _whole("every", every)
    steps, run = _prepare(model, count, labels, **options)
    images, states, guesses = run(np.arange(count), 0, steps, every)
    return Denoising(_shown(images), states, guesses, steps.timestep[(len(steps.timestep) - 1) % every :: every])


def _prepare(
    model,
    count,
    labels,
    *,
    seed=0,
    sampler="ddim",
    steps=None,
    eta=0.0,
    guidance_scale=None,
    spacing="trailing",
    clip=True,
):
    """The checked plan, and a function of rows, batch number, plan and `every` to arrays."""
    if guidance_scale is None:
        guidance_scale = 1.0 if labels is None else model.guidance_scale
    try:
        walk.check_guidance("guidance_scale", guidance_scale)
    except ValueError as error:
        raise KzooError(str(error)) from None
    if guidance_scale != 1 and (model.num_classes is None or labels is None):
        why = "the model was trained without classes" if model.num_classes is None else "no labels are given"
        remedy = "leave guidance_scale out" if model.num_classes is None else "give labels"
        raise KzooError(
            f"guidance_scale: got {guidance_scale!r}, and {why}, so that there is none to lead to; {remedy}."
        )
    try:
        told = model.checked_labels(count, labels)
        noise = model.noise(count, seed)
        steps = min(50, model.timesteps) if steps is None else steps
        plan = walk.plan(sampler, model.schedule, walk.timesteps(model.timesteps, steps, spacing), eta)
    except ValueError as error:
        raise KzooError(str(error)) from error
    told = np.zeros(count, "int32") if told is None else told
    noisy = bool(plan.of_noise.any())

    def run(rows, batch, plan, every=0):
        function = _compiled(model, guidance_scale != 1, noisy, bool(clip), every)
        # Each batch counts on from where the one before has ended.
        key = np.array([seed & 0xFFFFFFFF, batch * (model.timesteps + 1)], "uint32").view("int32")
        made = function(noise[rows], told[rows], plan.rounded(), np.float32(guidance_scale), key)
        return tuple(map(ops.convert_to_numpy, made)) if every else ops.convert_to_numpy(made)

    return plan, run


# Kept beside the models, as those of kzoo.sampling.text are.
_FUNCTIONS = weakref.WeakKeyDictionary()


def _compiled(model, led: bool, noisy: bool, clip: bool, every: int):
    """The loop of one model, compiled once for each kind of loop."""
    functions, kind = _FUNCTIONS.setdefault(model, {}), (led, noisy, clip, every)
    held = weakref.ref(model)

    def walked(noise, labels, plan, scale, key):
        model = held()

        def predict(x, timestep, labels):
            return model.says(x, timestep, None if model.num_classes is None else labels)

        if led:
            asked = walk.guided(predict, labels, model.num_classes, scale)
        else:

            def asked(x, timestep):
                return predict(x, timestep, labels)

        found = walk.denoise(
            asked, noise, plan, model.prediction, clip=clip, key=key if noisy else None, keep=bool(every)
        )
        if not every:
            return found
        images, *made = found
        first = (plan.timestep.shape[0] - 1) % every
        return images, *(part[first::every] for part in made)

    if kind not in functions:
        functions[kind] = backend.compiled(walked, model.average.variables)
    return functions[kind]


def _shown(images):
    """[-1, 1] to [0, 1]."""
    if not np.isfinite(images).all():
        raise KzooError(
            "The images hold numbers that are none: the model's weights have grown without bound, or hold nan. Take "
            "those of an earlier epoch, or train anew with a smaller learning rate."
        )
    return np.clip((images + 1) / 2, 0, 1)


def _whole(key, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise KzooError(f"{key}: got {value!r}; expected a whole number of at least 1.")
    return int(value)
