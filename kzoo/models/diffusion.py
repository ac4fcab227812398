"""Diffusion: noise is taken out of noise, a little at a time, until an image is left.

Ho et al. 2020 (DDPM, arXiv:2006.11239). The cosine schedule: arXiv:2102.09672. v: arXiv:2202.00512. Min-SNR weights:
arXiv:2303.09556. Guidance without a classifier: arXiv:2207.12598. Flow matching: arXiv:2210.02747.

Axis letters: b batch, h w c image, n timesteps, k classes.

    x_t = alpha_t x_0 + sigma_t epsilon,   x_0 = 2 image - 1,   t uniform,   epsilon ~ N(0, 1)
    loss = mean over b of  weight_t mean over h w c of (network(x_t, t, label) - target_t)^2

    target: "epsilon" epsilon    "x0" x_0    "v" alpha_t epsilon - sigma_t x_0    "flow" epsilon - x_0

The formulas are in `kzoo.ops.diffusion`, the network in `kzoo.layers.unet`, the way back in `kzoo.ops.denoising`;
`kzoo.sampling.diffusion` chooses sampler, steps and guidance. Flow matching is `prediction="flow"` with
`noise_schedule="flow"`: nothing else changes, and Euler's method is DDIM.

Differs from the papers: the timesteps of a batch are one from each of b equal parts of the schedule (Kingma et al.
2021, arXiv:2107.00630), which makes the loss less noisy and is uniform all the same; the average of the weights forgets
its beginning (`kzoo.models.phased.Average`).
"""

import keras
import numpy as np
from keras import ops

from kzoo.layers.unet import UNet
from kzoo.models.base import choice, count, fraction, sizes
from kzoo.models.generative import GenerativeModel, normal
from kzoo.models.phased import Average, Phase
from kzoo.ops import denoising, diffusion, random

PRESETS = {
    "mu": {
        "input_shape": (8, 4, 2),
        "num_classes": 3,
        "filters": (8, 16),
        "num_heads": 2,
        "dropout": 0.25,
        "portable_dropout": False,
        "timesteps": 20,
        "min_snr": 3.0,
        # So far off the defaults that three small batches tell.
        "label_dropout": 0.9,
        "guidance_scale": 1.5,
        "momentum": 0.05,
    },
    "mu-flow": {
        "input_shape": (4, 4, 1),
        "filters": (8,),
        "depth": 2,
        "num_heads": 1,
        "patch": 2,
        "prediction": "flow",
        "noise_schedule": "flow",
    },
}
# Of `sample` without another word; `kzoo.sampling.diffusion` has the rest.
_STEPS = 50


@keras.saving.register_keras_serializable("kzoo")
class Diffusion(GenerativeModel):
    """A U-Net that tells the noise in an image, and its average, which makes images.

    Args:
        input_shape: (h, w, c); h and w must be multiples of patch 2^(len(filters) - 1).
        num_classes: k, for a model that is told the class of each image; None for one that is not.
        filters: Width of each level of the U-Net, the finest first.
        depth: Residual blocks of a level, on the way down and on the way up.
        num_heads: Heads of the attention at the coarsest level.
        patch: Side of the squares of pixels that the U-Net has for one place.
        dropout: Share of the numbers within each residual block that is dropped in training.
        portable_dropout: Whether dropout draws the same bits on every backend.
        prediction: What the network says, one of `kzoo.ops.diffusion.PREDICTIONS`.
        noise_schedule: One of `kzoo.ops.diffusion.NOISE_SCHEDULES`.
        timesteps: n.
        min_snr: gamma of the loss's weights, such as 5; None for a weight of 1 everywhere.
        label_dropout: The share of images whose class is kept from the network in training, for guidance.
        guidance_scale: How far images of a class are led to it where nobody says otherwise; 1 for not at all, as in
            `kzoo.sampling.diffusion.denoising`.
        momentum: What the average keeps of itself in a step.

    Raises:
        ValueError: for an argument out of range, an image that cannot be halved as often, or a network that is to tell
            the noise of a schedule whose end is all noise.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        num_classes: int | None = None,
        *,
        filters: tuple[int, ...] = (32, 64, 64),
        depth: int = 1,
        num_heads: int = 4,
        patch: int = 1,
        dropout: float = 0.0,
        portable_dropout: bool = True,
        prediction: str = "v",
        noise_schedule: str = "cosine",
        timesteps: int = 1000,
        min_snr: float | None = None,
        label_dropout: float = 0.1,
        guidance_scale: float = 1.0,
        momentum: float = 0.999,
        **kwargs,
    ):
        super().__init__(input_shape, num_classes, **kwargs)
        for key, value in (("dropout", dropout), ("label_dropout", label_dropout), ("momentum", momentum)):
            fraction(key, value)
        choice("prediction", prediction, diffusion.PREDICTIONS)
        choice("noise_schedule", noise_schedule, diffusion.NOISE_SCHEDULES)
        if prediction == "epsilon" and noise_schedule == "flow":
            raise ValueError(
                "model.prediction: got 'epsilon' with noise_schedule='flow', whose last timestep is noise alone: to "
                "name that noise says nothing of an image. Take 'flow', 'v' or 'x0'."
            )
        if min_snr is not None and (
            isinstance(min_snr, bool) or not isinstance(min_snr, (int, float)) or not min_snr > 0
        ):
            raise ValueError(f"model.min_snr: got {min_snr!r}; expected a number above 0, such as 5, or None.")
        denoising.check_guidance("model.guidance_scale", guidance_scale)
        if guidance_scale != 1 and num_classes is None:
            raise ValueError(
                f"model.guidance_scale: got {guidance_scale!r} with num_classes=None, so that there is no class "
                "to lead to; leave it at 1, or give num_classes."
            )
        if guidance_scale != 1 and label_dropout == 0:
            raise ValueError(
                f"model.guidance_scale: got {guidance_scale!r} with label_dropout=0, so that the network never learns "
                "what to say of no class; give a share above 0, such as 0.1."
            )
        self.filters = sizes("filters", filters)
        self.depth = count("depth", depth)
        self.num_heads = count("num_heads", num_heads)
        self.patch = count("patch", patch)
        self.dropout = dropout
        self.portable_dropout = portable_dropout
        self.prediction = prediction
        self.noise_schedule = noise_schedule
        self.timesteps = count("timesteps", timesteps)
        self.min_snr = min_snr
        self.label_dropout = label_dropout
        self.guidance_scale = guidance_scale
        self.momentum = momentum
        diffusion.noise_schedule(noise_schedule, timesteps)  # which refuses too short a one

        def network(name):
            made = UNet(self.filters, depth, num_heads, patch, num_classes, dropout, portable_dropout, name=name)
            made.build((None, *self.image_shape))
            return made

        self.network, self.average = network("network"), network("average")
        self.average.trainable = False
        self.average.set_weights(self.network.get_weights())
        self.built = True

    @property
    def schedule(self) -> diffusion.NoiseSchedule:
        """The noise schedule, in float64."""
        return diffusion.noise_schedule(self.noise_schedule, self.timesteps)

    @property
    def measured(self):
        """How the images come about whose figures `measure` tells."""
        led = f", each led to its class by guidance of {self.guidance_scale:g}" if self.guidance_scale != 1 else ""
        return f"The images are made by {min(_STEPS, self.timesteps)} steps of DDIM{led}."

    def phases(self):
        """The only one: `diffusion_loss`."""
        return [Phase("diffusion", self.diffusion_loss, self.network.trainable_variables)]

    def averages(self):
        """The network that makes images follows the one that learns."""
        return [Average(self.average, self.network, self.momentum)]

    def call(self, x):
        """The images (b, h, w, c) that the average sees in images as full of noise as at the first timestep."""
        return self._sees(2 * ops.cast(x, "float32") - 1, 0)

    def probe(self):
        """What the average sees halfway in four images of faint noise, (4, h, w, c): one answer shows all weights."""
        faint = ops.convert_to_tensor(self.sample_inputs(4) - 0.5)
        return ops.convert_to_numpy(self._sees(faint, self.timesteps // 2))

    def _sees(self, x, timestep):
        labels = None if self.num_classes is None else self.no_class(ops.shape(x)[0])
        alpha, sigma = (float(table[timestep]) for table in self.schedule)
        return _seen(diffusion.to_x0(self.prediction, self.says(x, timestep, labels), x, alpha, sigma))

    def no_class(self, count):
        """The label that stands for no class in particular, (count,) int32."""
        return ops.full((count,), self.num_classes, "int32")

    def says(self, x, timesteps, labels, network=None, training=False):
        """What a network says of images with noise in them.

        Args:
            x: (b, h, w, c) float32, images in [-1, 1] and noise.
            timesteps: t, a number, a scalar or (b,) int32.
            labels: (b,) int32 from 0 to k, where k is no class; None where the model is told none.
            network: The average, or `network`.

        Returns:
            (b, h, w, c) float32.
        """
        # In thousandths of the schedule, whatever its length: what the embedding's waves are made for.
        times = (ops.cast(timesteps, "float32") + 1) * np.float32(1000 / self.timesteps)
        times = ops.broadcast_to(times, (ops.shape(x)[0],))
        network = self.average if network is None else network
        return ops.cast(network(x, times, labels, training=training), "float32")

    def diffusion_loss(self, x, y, training):
        """The weighted squared error of a batch, each image at a timestep of its own."""
        labels = self._told(y, training)
        x0 = 2 * ops.cast(x, "float32") - 1
        size, schedule = ops.shape(x0)[0], self.schedule
        place = ops.cast(ops.arange(size), "float32") + random.uniform((size,), self.seeds.next(training))
        timesteps = ops.cast(place * (self.timesteps / ops.cast(size, "float32")), "int32")
        timesteps = ops.minimum(timesteps, self.timesteps - 1)  # rounding may reach n
        noise = random.normal(ops.shape(x0), self.seeds.next(training), dtype="float32")
        alpha, sigma = (diffusion.at(table, timesteps) for table in schedule)
        output = self.says(
            diffusion.q_sample(x0, noise, alpha, sigma), timesteps, labels, self.network, training=training
        )
        error = ops.square(output - diffusion.target(self.prediction, x0, noise, alpha, sigma))
        weights = diffusion.loss_weights(schedule, self.prediction, self.min_snr)
        return ops.mean(diffusion.at(weights, timesteps) * error)

    def _told(self, y, training):
        """Labels for the network, (b,) int32 or None: in training, some of them no class."""
        if self.num_classes is None or y is None:
            return self.one_hot(y)  # None, or an error that says what is missing
        labels = ops.cast(ops.reshape(y, (-1,)), "int32")
        if not training:
            return labels
        hidden = random.uniform(ops.shape(labels), self.seeds.next(training)) < self.label_dropout
        return ops.where(hidden, self.no_class(ops.shape(labels)[0]), labels)

    def noise(self, count: int, seed: int):
        """What images are made of, (count, h, w, c): drawn in NumPy, the same on every backend."""
        return normal((count, *self.image_shape), seed)

    def draw(self, noise, labels):
        """Images of noise (b, h, w, c) and labels (b,) or None: 50 steps of DDIM, or as many as there are timesteps."""
        asked = denoising.timesteps(self.timesteps, min(_STEPS, self.timesteps))
        steps = denoising.plan("ddim", self.schedule, asked).rounded()

        def predict(x, timestep, labels=labels):
            return self.says(x, timestep, labels)

        led = predict
        if self.guidance_scale != 1:
            led = denoising.guided(predict, labels, self.num_classes, self.guidance_scale)
        return _seen(denoising.denoise(led, noise, steps, self.prediction))


def _seen(x):
    """Images in [0, 1] of what is in [-1, 1]."""
    return ops.clip((x + 1) / 2, 0.0, 1.0)
