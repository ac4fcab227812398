"""PointsGAN: a GAN of points in the plane, small enough to watch while the two networks chase each other.

Goodfellow et al., "Generative adversarial networks", 2014, arXiv:1406.2661. Clouds on a ring show what can go wrong,
generators that visit some clouds and forget the others: Metz et al., "Unrolled GAN", 2016, arXiv:1611.02163. The
objectives and the penalty are those of `kzoo/models/adversarial.py`.

Axis letters: b batch, k latent.

    generator      z (b, k) -> points (b, 2)
    discriminator  points (b, 2) -> score (b, 1)

Differs from the papers: the networks are fully connected with a leaky relu, without normalisation.
"""

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.layers.initializers import GlorotUniform, HeUniform
from kzoo.models.adversarial import Adversarial
from kzoo.models.base import count, sizes
from kzoo.models.generative import normal
from kzoo.ops import random


@keras.saving.register_keras_serializable("kzoo")
class PointsGAN(Adversarial):
    """Two mirrored networks of dense layers.

    Args:
        latent_dim: k.
        hidden_dims: Widths of the discriminator's hidden layers; the generator has them in reverse.
        objective, discriminator_steps, penalty, momentum: As in `kzoo.models.adversarial.Adversarial`.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        *,
        latent_dim: int = 8,
        hidden_dims: tuple[int, ...] = (64, 64),
        objective: str = "non_saturating",
        discriminator_steps: int = 1,
        penalty: float = 0.0,
        momentum: float = 0.9,
        **kwargs,
    ):
        super().__init__(
            objective=objective,
            discriminator_steps=discriminator_steps,
            penalty=penalty,
            momentum=momentum,
            **kwargs,
        )
        self.latent_dim = count("latent_dim", latent_dim)
        self.hidden_dims = sizes("hidden_dims", hidden_dims)
        self.seeds = random.Seeds.of()
        widths = (*reversed(self.hidden_dims), 2)
        self.generator, self.average = (_dense(part, self.latent_dim, widths) for part in ("generator", "average"))
        # What is added to every score leaves wasserstein's difference of two as it is.
        self.discriminator = _dense("discriminator", 2, (*self.hidden_dims, 1), objective != "wasserstein")
        self.average.set_weights(self.generator.get_weights())
        self.average.trainable = False
        self.built = True

    def call(self, points):
        """The scores (b,) of points (b, 2)."""
        return self._score(points, [], False)

    def sample_inputs(self, count: int, seed: int = 0):
        """Random points, (count, 2) float32, for probes and tests."""
        return normal((count, 2), seed)

    def sample(self, count: int, *, seed: int = 0, average: bool = True) -> np.ndarray:
        """Points (count, 2) float32: one seed gives the same ones on every backend, up to rounding.

        Args:
            count: How many.
            seed: Decides the noise, a whole number of at least 0.
            average: Whether the average of the generator makes them, or the generator as it stands.
        """
        part = self.average if average else self.generator
        return ops.convert_to_numpy(part([normal((count, self.latent_dim), seed)]))

    def scores(self, points) -> np.ndarray:
        """The discriminator's scores (n,) of points (n, 2), such as those of a grid over the plane."""
        return ops.convert_to_numpy(self(np.asarray(points, "float32")))

    def pulls(self, points) -> np.ndarray:
        """Where the discriminator sends points that the generator might make, (n, 2): downhill its loss of each."""
        points = ops.convert_to_tensor(np.asarray(points, "float32"))
        uphill = backend.input_grad(lambda at: self.deceit(self._score(at, [], False)), points)
        return -ops.convert_to_numpy(ops.stop_gradient(uphill))


def _dense(part, inputs, widths, bias=True):
    x = given = keras.Input((inputs,), name=f"{part}_in")
    for i, width in enumerate(widths[:-1], start=1):
        x = keras.layers.Dense(width, kernel_initializer=HeUniform(), name=f"{part}_dense_{i}")(x)
        x = keras.layers.LeakyReLU(0.2, name=f"{part}_leaky_{i}")(x)
    x = keras.layers.Dense(widths[-1], use_bias=bias, kernel_initializer=GlorotUniform(), name=f"{part}_out")(x)
    return keras.Model([given], x, name=part)
