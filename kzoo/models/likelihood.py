"""How likely images are to a model with an encoder and a decoder: the bound, and many codes for each image.

The bound of `log_likelihood`: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2015,
arXiv:1509.00519.

Axis letters: n images, b batch, h w c image, k latent, s samples of importance.
"""

import math

import numpy as np
from keras import ops

from kzoo.models.base import count
from kzoo.models.generative import LatentModel, normal

# How many images, and of each how many codes, are decoded at a time: few enough for a processor's cache.
_IMAGES, _CODES = 20, 100


class LatentLikelihood(LatentModel):
    """A model of images whose code is a distribution, q(z|x) = N(mean, exp(logvar)), and their likelihood.

    A page gives `encoder`, from images (b, h, w, c) and perhaps one-hot labels to mean and logvar (b, k); `likelihood`,
    "bernoulli" or "gaussian"; and `cost`.
    """

    def cost(self, x, z, label):
        """-log p(x|z) of each image, (b,), for codes (b, k) and [one-hot labels] or []."""
        raise NotImplementedError

    def _told(self, y):
        """What both halves are given beside their input: the class, or nothing."""
        return [] if self.num_classes is None else [self.one_hot(y)]

    def encode(self, x, labels=None) -> tuple[np.ndarray, np.ndarray]:
        """The distribution of the code of images (n, h, w, c), grey or black and white.

        Returns:
            mean and logvar, (n, k) each.

        Raises:
            ValueError: for images of another shape, or labels that are missing or not asked for.
        """
        x, labels = self._checked(x, labels)
        mean, logvar = self.in_batches("encode", lambda x, y: self.encoder([x, *self._told(y)]), [x, labels], 256)
        return mean, logvar

    def reconstruct(self, x, labels=None) -> np.ndarray:
        """What becomes of images (n, h, w, c) through the mean of their code: (n, h, w, c) in [0, 1]."""
        return self.decode(self.encode(x, labels)[0], labels)

    @property
    def measured(self):
        """How the likelihood of `measure` is meant."""
        if self.likelihood == "gaussian":
            return "The likelihood is a density of grey values in [0, 1]."
        return (
            "The likelihood is that of black and white pixels: each grey value was the probability of white, drawn "
            "anew at each step of training, and once, with seed 0, for each test image."
        )

    def binarised(self, x, seed: int = 0) -> np.ndarray:
        """Images of black and white pixels: each grey value of (n, h, w, c) is the probability of white.

        A pure function of the image's number, its shape and the seed; a Gaussian model gets the grey values back.
        """
        x = np.asarray(x, "float32")
        if self.likelihood == "gaussian":
            return x
        return (np.random.default_rng([seed, 0]).random(x.shape, dtype="float32") < x).astype("float32")

    def measure(self, x, y=None, *, seed: int = 0, thorough: bool = False):
        """The negative bound in nats an image, and its two parts, of images binarised once by the seed.

        One code is drawn for each image. Thorough: also "nll", the negative of `log_likelihood` with 5,000 codes.
        """
        x, labels = self._checked(self.binarised(x, seed), y if self.num_classes is not None else None)
        noise = normal((len(x), self.latent_dim), seed)
        cost, kl = (
            part.mean(dtype="float64") for part in self.in_batches("parts", self._parts, [x, labels, noise], 256)
        )
        found = {"nelbo": float(cost + kl), "reconstruction": float(cost), "kl": float(kl)}
        if thorough:
            found["nll"] = float(-self.log_likelihood(x, labels, seed=seed).mean())
        return found

    def _parts(self, x, y, noise):
        label = self._told(y)
        mean, logvar = self.encoder([x, *label])
        return self.cost(x, mean + ops.exp(logvar / 2) * noise, label), divergence(mean, logvar)

    def log_likelihood(self, x, labels=None, *, samples: int = 5000, seed: int = 0) -> np.ndarray:
        """A lower bound of log p(x) in nats that grows with the samples, and is exact with infinitely many.

            log 1/s sum_i p(x|z_i) p(z_i) / q(z_i|x),   z_i ~ q(z|x)

        Args:
            x: Images (n, h, w, c), as the likelihood takes them: `binarised` for a Bernoulli model.
            labels: Classes (n,) for a conditional model.
            samples: s.
            seed: Decides the codes; those of an image depend on its place among the n alone.

        Returns:
            (n,) float64.

        Raises:
            ValueError: for images of another shape, grey ones for a Bernoulli model, or labels as in `encode`.
        """
        x, labels = self._checked(x, labels)
        if self.likelihood == "bernoulli" and np.any((x != 0) & (x != 1)):
            raise ValueError("x: got grey values; the likelihood is that of black and white: give binarised(x, seed).")
        count("samples", samples)
        found = []
        for start in range(0, len(x), _IMAGES):
            group = slice(start, start + _IMAGES)
            noise = [
                np.random.default_rng([seed, 1, i]).standard_normal((samples, self.latent_dim), dtype="float32")
                for i in range(*group.indices(len(x)))
            ]
            told = [x[group], None if labels is None else labels[group]]
            weights = [
                self.in_batches("weights", self._weights, [*told, piece], _IMAGES)
                for piece in np.split(np.stack(noise), range(_CODES, samples, _CODES), axis=1)
            ]
            found.append(np.logaddexp.reduce(np.concatenate(weights, axis=1), axis=1, dtype="float64"))
        return np.concatenate(found) - math.log(samples)

    def _weights(self, x, y, noise):
        """log p(x|z) p(z) / q(z|x) of codes made of noise (b, s, k): (b, s)."""
        label = self._told(y)
        mean, logvar = (part[:, None] for part in self.encoder([x, *label]))
        z = mean + ops.exp(logvar / 2) * noise
        codes = noise.shape[1]
        repeated = [ops.repeat(part, codes, axis=0) for part in (x, *label)]
        cost = self.cost(repeated[0], ops.reshape(z, (-1, self.latent_dim)), repeated[1:])
        # The constants of p(z) and q(z|x) cancel.
        ratio = ops.sum(ops.square(noise) - ops.square(z) + logvar, axis=-1) / 2
        return ratio - ops.reshape(cost, (-1, codes))

    def _checked(self, x, labels):
        """Images (n, h, w, c) float32 and their labels, for what is asked of a model from outside."""
        x = np.asarray(x, "float32")
        if x.ndim != 4 or x.shape[1:] != self.image_shape or not len(x):
            raise ValueError(f"x: got the shape {x.shape}; expected {('n', *self.image_shape)}, at least one image.")
        return x, self.checked_labels(len(x), labels)


def divergence(mean, logvar):
    """KL(N(mean, exp(logvar)) || N(0, 1)) of codes (b, k), in nats: (b,)."""
    return ops.sum(ops.exp(logvar) + ops.square(mean) - 1.0 - logvar, axis=-1) / 2
