"""Diffusion: how fast an image drowns in noise, and what a network may predict of it.

Ho et al., "Denoising Diffusion Probabilistic Models" (DDPM), 2020 (arXiv:2006.11239). The cosine schedule: Nichol and
Dhariwal 2021 (arXiv:2102.09672). v: Salimans and Ho 2022 (arXiv:2202.00512). Flow matching: Lipman et al. 2022
(arXiv:2210.02747), with the straight paths of Liu et al. 2022 (arXiv:2209.03003). Min-SNR: Hang et al. 2023
(arXiv:2303.09556).

Axis letters: b batch, h w c image, n timesteps.

    x_t = alpha_t x_0 + sigma_t epsilon,   epsilon ~ N(0, 1),   t = 0 (little noise) to n - 1 (little else)

alpha and sigma are the letters of DPM-Solver: DDPM's product of 1 - beta is alpha^2 here. Whatever a network predicts
is a sum of the image and the noise, p x_0 + q epsilon, and with x_t it tells both:

    epsilon: p = 0, q = 1    x0: p = 1, q = 0    v: p = -sigma_t, q = alpha_t    flow: p = -1, q = 1

    x_0 = (q x_t - sigma_t y) / (alpha_t q - sigma_t p),   epsilon = (alpha_t y - p x_t) / (alpha_t q - sigma_t p)

The schedules are NumPy in float64; what takes images takes tensors or arrays.
"""

import math
from typing import NamedTuple

import numpy as np
from keras import ops

__all__ = [
    "NOISE_SCHEDULES",
    "PREDICTIONS",
    "NoiseSchedule",
    "at",
    "loss_weights",
    "noise_schedule",
    "q_sample",
    "target",
    "to_noise",
    "to_x0",
]

NOISE_SCHEDULES = ("linear", "cosine", "flow")
PREDICTIONS = ("epsilon", "x0", "v", "flow")


class NoiseSchedule(NamedTuple):
    """How much of an image and how much noise there is at each timestep.

    Attributes:
        alpha: What is left of the image, (n,) float64, falling from nearly 1.
        sigma: The noise's deviation, (n,) float64, above 0, rising to nearly 1.
    """

    alpha: np.ndarray
    sigma: np.ndarray

    @property
    def length(self) -> int:
        """n."""
        return len(self.alpha)

    @property
    def snr(self) -> np.ndarray:
        """The ratio of signal to noise alpha^2 / sigma^2, (n,), which falls."""
        return (self.alpha / self.sigma) ** 2


def noise_schedule(kind: str, length: int = 1000) -> NoiseSchedule:
    """One of the noise schedules.

        linear: beta_t from 1e-4 to 0.02 in equal steps (DDPM), times 1000 / n; alpha_t^2 = product of 1 - beta
        cosine: beta_t = 1 - f(t + 1) / f(t), f(t) = cos^2(pi / 2 (t / n + 0.008) / 1.008); alpha_t^2 as above
        flow:   sigma_t = (t + 1) / n, alpha_t = 1 - sigma_t: straight paths, at the end of which nothing is left

    No beta is above 0.999, so that a trace of the image stays.

    Differs from the papers: DDPM's betas grow where there are fewer steps than its 1,000, so that the end is noise at
    any length.

    Args:
        kind: One of `NOISE_SCHEDULES`.
        length: n.

    Raises:
        ValueError: for another kind, or a length below 2.
    """
    if kind not in NOISE_SCHEDULES:
        raise ValueError(f"noise_schedule: got {kind!r}; allowed: {', '.join(NOISE_SCHEDULES)}.")
    if type(length) is not int or length < 2:
        raise ValueError(f"timesteps: got {length!r}; expected a whole number of at least 2, such as 1000.")
    if kind == "flow":
        sigma = np.arange(1, length + 1) / length
        return NoiseSchedule(1 - sigma, sigma)
    if kind == "linear":
        betas = np.linspace(1e-4, 0.02, length) * (1000 / length)
    else:
        left = np.cos(math.pi / 2 * (np.arange(length + 1) / length + 0.008) / 1.008) ** 2
        betas = 1 - left[1:] / left[:-1]
    squared = np.cumprod(1 - np.minimum(betas, 0.999))
    return NoiseSchedule(np.sqrt(squared), np.sqrt(1 - squared))


def at(table, timesteps):
    """A table's numbers for each image of a batch, in a shape that multiplies images.

    Args:
        table: (n,), of a schedule or `loss_weights`.
        timesteps: (b,) integers from 0 to n - 1.

    Returns:
        (b, 1, 1, 1) float32.
    """
    found = ops.take(ops.convert_to_tensor(np.asarray(table, "float32")), timesteps, axis=0)
    return ops.reshape(found, (-1, 1, 1, 1))


def q_sample(x0, noise, alpha, sigma):
    """The image with noise in it, x_t = alpha x_0 + sigma epsilon, in the shape of `x0`.

    Args:
        x0, noise: (b, h, w, c).
        alpha, sigma: Numbers, or (b, 1, 1, 1) of `at`.
    """
    return alpha * x0 + sigma * noise


def target(prediction: str, x0, noise, alpha, sigma):
    """What the network is to say: p x_0 + q epsilon, in the shape of `x0`.

    Args:
        prediction: One of `PREDICTIONS`.
        x0, noise, alpha, sigma: As in `q_sample`.

    Raises:
        ValueError: for another prediction.
    """
    of_x0, of_noise = _shares(prediction, alpha, sigma)
    return of_x0 * x0 + of_noise * noise


def to_x0(prediction: str, output, x, alpha, sigma):
    """The image that an output of the network means.

    Args:
        prediction: One of `PREDICTIONS`.
        output: What the network says of `x`, in the shape of `x`.
        x: The image with noise, (b, h, w, c).
        alpha, sigma: As in `q_sample`. For "epsilon" alpha is above 0: from pure noise nobody can tell the image.

    Raises:
        ValueError: for another prediction.
    """
    of_x0, of_noise = _shares(prediction, alpha, sigma)
    return (of_noise * x - sigma * output) / (alpha * of_noise - sigma * of_x0)


def to_noise(prediction: str, output, x, alpha, sigma):
    """The noise that an output of the network means; arguments and errors as in `to_x0`."""
    of_x0, of_noise = _shares(prediction, alpha, sigma)
    return (alpha * output - of_x0 * x) / (alpha * of_noise - sigma * of_x0)


def loss_weights(schedule: NoiseSchedule, prediction: str, gamma: float | None = None) -> np.ndarray:
    """What the squared error of an output counts at each timestep.

        weight_t = min(snr_t, gamma) (d x_0 / d output)^2

    So an image's own error counts as much as there is of the image, and at most gamma: the many timesteps at which
    almost nothing is noise do not outvote the rest.

    Args:
        schedule: The noise schedule.
        prediction: One of `PREDICTIONS`.
        gamma: The largest weight of an image's error, above 0; 5 in the paper. None for a weight of 1 everywhere, the
            papers' own losses.

    Returns:
        (n,) float64.

    Raises:
        ValueError: for another prediction.
    """
    of_x0, of_noise = _shares(prediction, schedule.alpha, schedule.sigma)
    if gamma is None:
        return np.ones(schedule.length)
    per_output = schedule.sigma / (schedule.alpha * of_noise - schedule.sigma * of_x0)
    return np.minimum(schedule.snr, gamma) * per_output**2


def _shares(prediction, alpha, sigma):
    """p and q."""
    shares = {"epsilon": (0.0, 1.0), "x0": (1.0, 0.0), "v": (-sigma, alpha), "flow": (-1.0, 1.0)}
    if prediction not in shares:
        raise ValueError(f"prediction: got {prediction!r}; allowed: {', '.join(PREDICTIONS)}.")
    return shares[prediction]
