"""From noise to an image in a few steps: DDPM, DDIM and DPM-Solver++ as one loop over a table.

DDPM: Ho et al. 2020 (arXiv:2006.11239). DDIM: Song et al. 2020 (arXiv:2010.02502). DPM-Solver++ (2M): Lu et al. 2022
(arXiv:2211.01095). The spacings: Lin et al. 2023 (arXiv:2305.08891, table 2). Guidance: Ho and Salimans 2022
(arXiv:2207.12598).

Axis letters: b batch, h w c image, s steps, n timesteps of the noise schedule.

From timestep t to the next one u the network says what the image is, x_0, and the rest is a sum:

    x_u = a x_t + b x_0 + c (x_0 of the step before) + d z,   z ~ N(0, 1)

    DDIM          k = sigma_u sqrt(1 - eta^2 (1 - rho^2)),   rho = alpha_t sigma_u / (alpha_u sigma_t)
                  a = k / sigma_t,   b = alpha_u - k alpha_t / sigma_t,   c = 0,   d = eta sigma_u sqrt(1 - rho^2)
    DDPM          DDIM with eta = 1: the posterior of the paper, whose variance is d^2
    DPM-Solver++  e = alpha_u - alpha_t sigma_u / sigma_t,   g = h / (2 h of the step before)
                  h = lambda_u - lambda_t,   lambda = log(alpha / sigma)
                  a = sigma_u / sigma_t,   b = e (1 + g),   c = -e g,   d = 0

The last step goes to the image itself, alpha = 1 and sigma = 0. There, and in its first step, where there is none
before, DPM-Solver++ is DDIM without noise, g = 0. Nothing else is asked of a schedule than alpha and sigma: along
straight paths DDIM is Euler's method. The table is made in float64, so that differences of nearly equal numbers cost
nothing.

Differs from DDIM's code: where x_0 is clipped, the noise that goes with it is that of the clipped one.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from kzoo import backend
from kzoo.ops import random
from kzoo.ops.diffusion import NoiseSchedule, to_x0

__all__ = ["SAMPLERS", "SPACINGS", "Plan", "check_guidance", "denoise", "guided", "plan", "timesteps"]

SAMPLERS = ("ddpm", "ddim", "dpm_solver")
SPACINGS = ("leading", "trailing", "linspace")


class Plan(NamedTuple):
    """What each step does, from the noisiest on: every field is (s,), in float64 but for the timesteps.

    Attributes:
        timestep: t, int32.
        alpha, sigma: Those of t.
        of_x, of_x0, of_before, of_noise: a, b, c, d.
    """

    timestep: np.ndarray
    alpha: np.ndarray
    sigma: np.ndarray
    of_x: np.ndarray
    of_x0: np.ndarray
    of_before: np.ndarray
    of_noise: np.ndarray

    def rounded(self) -> "Plan":
        """The same in float32, for a graph."""
        return Plan(self.timestep, *(part.astype("float32") for part in self[1:]))


def timesteps(length: int, steps: int, spacing: str = "trailing") -> np.ndarray:
    """At which timesteps the network is asked.

        leading:  0, r, 2 r, ..., with r = n // s
        trailing: n - 1, n - 1 - n / s, n - 1 - 2 n / s, ...
        linspace: from 0 to n - 1 in equal steps, as nearly as whole numbers are

    Only "trailing" and "linspace" begin at the last timestep, where an image that is all noise belongs.

    Args:
        length: n.
        steps: s, from 1 to n.
        spacing: One of `SPACINGS`.

    Returns:
        (s,) int32, falling.

    Raises:
        ValueError: for another spacing, or a number of steps that is not from 1 to n.
    """
    if spacing not in SPACINGS:
        raise ValueError(f"spacing: got {spacing!r}; allowed: {', '.join(SPACINGS)}.")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or not 1 <= steps <= length:
        raise ValueError(
            f"steps: got {steps!r}; expected a whole number from 1 to {length}, since the noise schedule has {length} "
            "timesteps. Take fewer steps, or train with a longer schedule."
        )
    if spacing == "leading":
        found = np.arange(steps) * (length // steps)
    elif spacing == "trailing":
        found = np.round(length - np.arange(steps) * (length / steps))[::-1] - 1
    else:
        found = np.round(np.linspace(0, length - 1, steps)) if steps > 1 else np.array([length - 1])
    return found[::-1].astype("int32")


def plan(sampler: str, schedule: NoiseSchedule, asked: np.ndarray, eta: float = 0.0) -> Plan:
    """The steps of a sampler.

    Args:
        sampler: One of `SAMPLERS`.
        schedule: The noise schedule that the network was trained with.
        asked: The timesteps, (s,), falling.
        eta: For "ddim": how much of DDPM's noise each step adds, from 0 (none) to 1 (all).

    Raises:
        ValueError: for another sampler, an eta outside of 0 to 1 or beside another sampler than "ddim", or timesteps
            that do not fall or are none of the schedule's.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler: got {sampler!r}; allowed: {', '.join(SAMPLERS)}.")
    if isinstance(eta, bool) or not isinstance(eta, (int, float)) or not 0 <= eta <= 1:
        raise ValueError(f"eta: got {eta!r}; expected a number from 0 (no noise in the steps) to 1 (that of DDPM).")
    if eta and sampler != "ddim":
        raise ValueError(f'eta: got {eta!r} for the sampler {sampler!r}; it belongs to "ddim": leave it out.')
    asked = np.asarray(asked, "int32")
    if len(asked) < 1 or asked.min() < 0 or asked.max() >= schedule.length or (np.diff(asked) >= 0).any():
        raise ValueError(
            f"timesteps: got {asked.tolist()}; expected falling numbers from {schedule.length - 1} to 0, such as "
            "kzoo.ops.denoising.timesteps gives."
        )
    alpha, sigma = schedule.alpha[asked], schedule.sigma[asked]
    next_alpha, next_sigma = np.append(alpha[1:], 1.0), np.append(sigma[1:], 0.0)
    if sampler == "dpm_solver":
        ratio = next_sigma / sigma
        weight = next_alpha - alpha * ratio
        ahead = _ahead(alpha, sigma)
        return Plan(asked, alpha, sigma, ratio, weight * (1 + ahead), -weight * ahead, np.zeros_like(ratio))
    eta = 1.0 if sampler == "ddpm" else eta
    apart = np.clip(1 - (alpha * next_sigma / (next_alpha * sigma)) ** 2, 0, 1)
    kept = next_sigma * np.sqrt(1 - eta**2 * apart)
    noise = eta * next_sigma * np.sqrt(apart)
    return Plan(asked, alpha, sigma, kept / sigma, next_alpha - kept * alpha / sigma, np.zeros_like(kept), noise)


def _ahead(alpha, sigma):
    """g: how far a line through the last two images is followed beyond the later one."""
    with np.errstate(divide="ignore"):  # where nothing is left of the image, lambda is -inf, and g is 0
        half_log_snr = np.log(alpha) - np.log(sigma)
    found = np.zeros(len(alpha))
    if len(alpha) > 2:
        gaps = np.diff(half_log_snr)
        found[1:-1] = gaps[1:] / (2 * gaps[:-1])
    return found


def check_guidance(key: str, scale) -> None:
    """Refuses what is no guidance.

    Raises:
        ValueError: unless it is a finite number of at least 0.
    """
    number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not number or not 0 <= scale < float("inf"):
        raise ValueError(
            f"{key}: got {scale!r}; expected a number of at least 0: 1 for no guidance, 2 or 3 for images that show "
            "their class more plainly."
        )


def guided(predict, labels, no_class, scale):
    """A network that is led away from what it would say of no class in particular.

        y = y(no class) + w (y(class) - y(no class))

    Both are asked for at once, as one batch of twice the size. The paper's w is smaller by 1.

    Args:
        predict: A function (x, timestep, labels) to outputs, (b, h, w, c).
        labels: (b,) int32.
        no_class: The label that stands for none.
        scale: w, a number or a scalar tensor: 1 for none, 0 for no class at all.

    Returns:
        A function (x, timestep) to outputs.
    """
    both = ops.concatenate([labels, ops.full_like(labels, no_class)], axis=0)

    def call(x, timestep):
        told, untold = ops.split(predict(ops.concatenate([x, x], axis=0), timestep, both), 2, axis=0)
        return untold + scale * (told - untold)

    return call


def denoise(predict, noise, steps: Plan, prediction: str, *, clip: bool = True, key=None, keep: bool = False):
    """Walks from noise to images.

    Args:
        predict: A function (x, timestep) to what the network says, float32 (b, h, w, c); timestep is a scalar int32.
        noise: (b, h, w, c) float32.
        steps: Of `plan`, rounded; its fields may be tensors.
        prediction: What the network says, one of `kzoo.ops.diffusion.PREDICTIONS`.
        clip: Whether x_0 is kept within [-1, 1] at each step.
        key: The key of the noise z, (2,) int32: step i draws with key + (0, 1 + i). None where there is none to add.
        keep: Whether to return what each step made.

    Returns:
        The images (b, h, w, c); with `keep` a triple of these, of x after each step, (s, b, h, w, c), and of the x_0
        that the network saw in it, (s, b, h, w, c).
    """
    noise = ops.convert_to_tensor(noise)
    count = steps.timestep.shape[0]
    draws = None
    if key is not None:
        numbers = ops.expand_dims(ops.arange(1, count + 1, dtype="int32"), 1)
        draws = ops.cast(key, "int32") + numbers * ops.convert_to_tensor([[0, 1]], "int32")  # (s, 2)

    def step(carry, inputs):
        (x, before), (now, draw) = carry, inputs
        x0 = to_x0(prediction, predict(x, now.timestep), x, now.alpha, now.sigma)
        if clip:
            # Not ops.clip, in which a compiler may let a bound take the place of nan: bad weights are to show.
            x0 = ops.where(ops.abs(x0) > 1, ops.sign(x0), x0)
        new = now.of_x * x + now.of_x0 * x0 + now.of_before * before
        if draw is not None:
            new = new + now.of_noise * random.normal(ops.shape(x), draw)
        return (new, x0), ((new, x0) if keep else None)

    (images, _), made = backend.scan(step, (noise, ops.zeros_like(noise)), (steps, draws))
    return (images, *made) if keep else images
