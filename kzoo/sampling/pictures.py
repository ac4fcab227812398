"""Pictures of what a model makes: a grid, ways between images, the plane of its codes, a strip out of the noise.

Each is a Figure of `kzoo.plots`, of images that one seed decides.
"""

import numpy as np

from kzoo import plots
from kzoo.errors import KzooError

__all__ = ["KINDS", "picture"]

# kind -> how many images, ways or strips where no number is given; the plane is a whole
KINDS = {"grid": 100, "ways": 10, "plane": 1, "strip": 5}
_STEPS = 11  # of a way or a strip
_REACH = 2.5  # of the plane: 98.8 % of a normal distribution's numbers lie within


def picture(model, kind: str = "grid", *, title: str, count=None, label=None, seed: int = 0, **options):
    """Images of a model as a Figure.

    Args:
        model: One that makes images, a `kzoo.models.generative.GenerativeModel`.
        kind: "grid" for images, of each class in turn; "ways" for ways from code to code; "plane" for the images of
            all codes of a model that has two numbers for one; "strip" for images on their way out of the noise.
        title: Above the picture.
        count: How many images, ways or strips; None for `KINDS`.
        label: The class of all of them; None for each class in turn, and for class 0 on the plane.
        seed: Decides the noise.
        **options: Of a diffusion model, sampler, steps, guidance_scale and eta, as in `kzoo.sampling.diffusion`.

    Raises:
        KzooError: for a kind that the model has none of, options of another one, or what its `sample` refuses.
    """
    if kind not in KINDS:
        raise KzooError(f"kind: got {kind!r}; expected one of {', '.join(KINDS)}.")
    has_codes, has_steps = hasattr(model, "decode"), hasattr(model, "schedule")
    missing = {
        "ways": None if has_codes else "has no codes to walk between; a vae or a gan has",
        "plane": None if has_codes and model.latent_dim == 2 else "has no plane of codes; one with latent_dim 2 has",
        "strip": None if has_steps else "makes an image at one stroke; a diffusion model has a way out of the noise",
    }
    if missing.get(kind):
        raise KzooError(f"kind: got {kind!r}, and this {type(model).__name__} {missing[kind]}.")
    if options and not has_steps:
        raise KzooError(
            f"{', '.join(options)}: this {type(model).__name__} has no such options; a diffusion model has."
        )
    count = KINDS[kind] if count is None else count
    try:
        if label is not None:
            model.checked_labels(count, label)  # one class: the message shows one, too
        return _MAKERS[kind](model, count, label, seed, title, options)
    except ValueError as error:
        raise KzooError(str(error)) from None


def _labels(model, count, label):
    if label is not None:
        return np.full(max(count, 1), label)
    return None if model.num_classes is None else np.arange(count) % model.num_classes


def _grid(model, count, label, seed, title, options):
    labels = _labels(model, count, label)
    if options:
        from kzoo.sampling import diffusion

        images = diffusion.sample(model, count, labels, seed=seed, **options)
    else:
        images = model.sample(count, labels, seed=seed)
    return plots.sample_grid(images, title=title, labels=labels)


def _ways(model, count, label, seed, title, _):
    labels = model.checked_labels(count, _labels(model, count, label))
    first, last = model.noise(2 * count, seed).reshape(2, count, 1, -1)
    share = np.linspace(0, np.pi / 2, _STEPS).reshape(-1, 1)
    # An arc between independent normal codes is normal at each of its points; halfway on a straight line it is not.
    codes = np.cos(share) * first + np.sin(share) * last
    each = None if labels is None else np.repeat(labels, _STEPS)
    images = model.decode(codes.reshape(count * _STEPS, -1).astype("float32"), each)
    return plots.interpolation(images.reshape(count, _STEPS, *images.shape[1:]), title=title, ends="a random code")


def _plane(model, count, label, seed, title, _):
    across = np.linspace(-_REACH, _REACH, 21)
    codes = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2).astype("float32")
    images = model.decode(codes, None if model.num_classes is None else [label or 0] * len(codes))
    return plots.latent_plane(images.reshape(21, 21, *images.shape[1:]), across, across, title=title)


def _strip(model, count, label, seed, title, options):
    from kzoo.sampling import diffusion

    way = diffusion.denoising(model, count, _labels(model, count, label), seed=seed, **options)
    # Each moment before its step, beside what the network takes it to be; then the image.
    before = np.concatenate([model.noise(count, seed)[None], way.states])
    guesses = np.concatenate([way.guesses, way.states[-1:]])
    timesteps = np.append(way.timesteps, 0)
    shown = np.unique(np.linspace(0, len(way.timesteps), _STEPS).round().astype(int))
    before, guesses = (np.clip((part[shown] + 1) / 2, 0, 1).swapaxes(0, 1) for part in (before, guesses))
    return plots.denoising_strip(before, timesteps[shown], title=title, guesses=guesses)


_MAKERS = {"grid": _grid, "ways": _ways, "plane": _plane, "strip": _strip}
