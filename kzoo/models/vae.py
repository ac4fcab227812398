"""VAE: an autoencoder whose code is a distribution, so that codes drawn at random decode to new images.

Kingma and Welling, "Auto-encoding variational Bayes", 2013, arXiv:1312.6114. The sizes of the fully connected form, and
the bound of `log_likelihood`: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2015,
arXiv:1509.00519. beta: Higgins et al., "beta-VAE", ICLR 2017. Warm-up: Sonderby et al. 2016, arXiv:1602.02282. The
class given to both halves: Sohn, Lee and Yan, NIPS 2015. One learned deviation of the Gaussian: Rybkin et al.,
arXiv:2006.13202.

Axis letters: b batch, h w c image, k latent, s samples of importance.

    encoder   x (b, h, w, c) -> mean, logvar (b, k)                   q(z|x) = N(mean, exp(logvar))
    latent    z = mean + exp(logvar / 2) eps,  eps ~ N(0, 1)
    decoder   z (b, k) -> logits or means (b, h, w, c)                p(x|z)
    loss      E[-log p(x|z)] + beta KL(q(z|x) || N(0, 1)),  in nats an image, a mean over the batch

    bernoulli  -log p = sum of softplus(logit) - x logit over the pixels
    gaussian   -log p = sum of ((x - mean)^2 / v + log(2 pi v)) / 2,  v learned, one for all pixels

**Binarisation.** A Bernoulli pixel is black or white. In training and in validation each grey value in [0, 1] is the
probability of white, drawn anew at each step (dynamic, or stochastic, binarisation, as in the IWAE paper); `measure`
draws each image once, by its seed. A likelihood of grey values themselves, or of images binarised at 0.5, is another
number. A Gaussian model sees the grey values; its likelihood is a density, whose logarithm may be positive.

Differs from the papers: the optimizer and the number of epochs are the recipe's; a form with convolutions; the means of
the Gaussian are in [0, 1].
"""

import math

import keras
import numpy as np
from keras import ops

from kzoo.layers.convolution import Conv2D
from kzoo.layers.initializers import GlorotUniform
from kzoo.models.base import choice, count, sizes
from kzoo.models.generative import GenerativeModel, normal
from kzoo.models.phased import Phase
from kzoo.ops import random

ACTIVATIONS = ("tanh", "relu", "elu", "gelu", "silu", "softplus")

PRESETS = {
    "mu": {
        "input_shape": (4, 4, 1),
        "num_classes": 3,
        "latent_dim": 2,
        "hidden_dims": (7, 5),
        "activation": "gelu",
        "beta": 0.5,
        "warmup_steps": 3,
    },
    "mu-conv": {"input_shape": (4, 8, 2), "latent_dim": 2, "hidden_dims": (6,), "filters": (3, 4)},
    "mu-gaussian": {"input_shape": (4, 4, 1), "latent_dim": 2, "hidden_dims": (5,), "likelihood": "gaussian"},
    "plane": {"latent_dim": 2, "hidden_dims": (256, 128)},
}


@keras.saving.register_keras_serializable("kzoo")
class VAE(GenerativeModel):
    """Two mirrored halves: convolutions, if any, of stride 2, then fully connected layers, then the code.

    Args:
        input_shape: Shape of an image, (h, w, c).
        num_classes: How many classes both halves are told of; None for none.
        latent_dim: k.
        hidden_dims: Widths of the encoder's layers; the decoder has them in reverse.
        filters: Of each convolution before them; each halves height and width.
        activation: Of the hidden layers, by Keras's name.
        likelihood: "bernoulli" or "gaussian".
        beta: Weight of the divergence; 1 is the bound of the likelihood.
        warmup_steps: Over how many steps of training that weight grows from 0 to beta; 0 has it at once.
    """

    reports = ("nelbo", "reconstruction", "kl")

    def __init__(
        self,
        input_shape=(28, 28, 1),
        *,
        num_classes: int | None = None,
        latent_dim: int = 50,
        hidden_dims: tuple[int, ...] = (200, 200),
        filters: tuple[int, ...] = (),
        activation: str = "tanh",
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        warmup_steps: int = 0,
        **kwargs,
    ):
        super().__init__(input_shape, num_classes, **kwargs)
        self.latent_dim = count("latent_dim", latent_dim)
        self.hidden_dims = sizes("hidden_dims", hidden_dims)
        self.filters = sizes("filters", filters, empty=True)
        self.activation = activation
        self.likelihood = likelihood
        self.beta = beta
        self.warmup_steps = warmup_steps
        choice("activation", activation, ACTIVATIONS)
        choice("likelihood", likelihood, ("bernoulli", "gaussian"))
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < math.inf:
            raise ValueError(f"model.beta: got {beta!r}; expected a number of at least 0, such as 1.")
        if type(warmup_steps) is not int or warmup_steps < 0:
            raise ValueError(f"model.warmup_steps: got {warmup_steps!r}; expected a whole number of steps, 0 for none.")
        halved = 2 ** len(self.filters)
        if any(size % halved for size in self.image_shape[:2]):
            raise ValueError(
                f"model.filters: got {filters!r}; images of {self.image_shape[0]} x {self.image_shape[1]} cannot be "
                f"halved {len(self.filters)} times; give fewer filters."
            )
        self.encoder, self.decoder = self._encoder(), self._decoder(halved)
        if likelihood == "gaussian":
            self.pixel_logvar = self.add_weight(name="pixel_logvar", initializer="zeros")
        # How many steps the warm-up has seen; a weight, so that a resumed run goes on with it.
        self.steps = self.add_weight(name="steps", dtype="int32", initializer="zeros", trainable=False)
        self.built = True

    def _encoder(self):
        image, label = keras.Input(self.image_shape, name="encoder_image"), self._label("encoder")
        x = image
        for i, width in enumerate(self.filters, start=1):
            x = self._layer(Conv2D, width, 3, strides=2, padding="same", name=f"encoder_conv_{i}")(x)
        x = _joined("encoder", keras.layers.Flatten(name="encoder_flatten")(x), label)
        for i, width in enumerate(self.hidden_dims, start=1):
            x = self._layer(keras.layers.Dense, width, name=f"encoder_dense_{i}")(x)
        code = [_linear(self.latent_dim, name=f"encoder_{part}")(x) for part in ("mean", "logvar")]
        return keras.Model([image, *label], code, name="encoder")

    def _decoder(self, halved):
        code, label = keras.Input((self.latent_dim,), name="decoder_code"), self._label("decoder")
        x = _joined("decoder", code, label)
        for i, width in enumerate(reversed(self.hidden_dims), start=1):
            x = self._layer(keras.layers.Dense, width, name=f"decoder_dense_{i}")(x)
        h, w, c = self.image_shape
        if not self.filters:
            x = keras.layers.Reshape(self.image_shape, name="decoder_image")(_linear(h * w * c, name="decoder_out")(x))
            return keras.Model([code, *label], x, name="decoder")
        small = (h // halved, w // halved, self.filters[-1])
        x = self._layer(keras.layers.Dense, math.prod(small), name="decoder_small")(x)
        x = keras.layers.Reshape(small, name="decoder_maps")(x)
        for i, width in enumerate(reversed(self.filters[:-1]), start=1):
            x = keras.layers.UpSampling2D(name=f"decoder_double_{i}")(x)
            x = self._layer(Conv2D, width, 3, padding="same", name=f"decoder_conv_{i}")(x)
        x = keras.layers.UpSampling2D(name="decoder_double")(x)
        x = Conv2D(c, 3, padding="same", kernel_initializer=GlorotUniform(), name="decoder_out")(x)
        return keras.Model([code, *label], x, name="decoder")

    def _label(self, part):
        return [] if self.num_classes is None else [keras.Input((self.num_classes,), name=f"{part}_class")]

    def _layer(self, kind, *args, **kwargs):
        return kind(*args, activation=self.activation, kernel_initializer=GlorotUniform(), **kwargs)

    def phases(self):
        """One: both halves on one bound."""
        return [Phase("bound", self.negative_bound, self.trainable_variables)]

    def call(self, x, y=None):
        """Reconstructions through the mean of the code, (b, h, w, c) in [0, 1]."""
        label = self._told(y)
        return self._image(self.decoder([self.encoder([x, *label])[0], *label]))

    def negative_bound(self, x, y, training):
        """The negative bound with its weight of the divergence: that of the warm-up in training, else beta."""
        x = ops.convert_to_tensor(x, "float32")  # Keras on torch hands NumPy's on in `train_on_batch`
        if self.likelihood == "bernoulli":
            white = random.uniform(ops.shape(x), self.seeds.next(training))
            x = ops.cast(white < x, "float32")
        label = self._told(y)
        mean, logvar = (ops.cast(part, "float32") for part in self.encoder([x, *label]))
        noise = random.normal(ops.shape(mean), self.seeds.next(training), dtype="float32")
        reconstruction = ops.mean(self._cost(x, mean + ops.exp(logvar / 2) * noise, label))
        kl = ops.mean(_divergence(mean, logvar))
        for name, value in (("nelbo", reconstruction + kl), ("reconstruction", reconstruction), ("kl", kl)):
            self.report(name, value)
        weight = self.beta
        if training and self.warmup_steps:
            self.steps.assign(ops.minimum(self.steps + 1, self.warmup_steps))
            weight = self.beta * ops.cast(self.steps, "float32") / self.warmup_steps
        return reconstruction + weight * kl

    def _told(self, y):
        """What both halves are given beside their input: the class, or nothing."""
        return [] if self.num_classes is None else [self.one_hot(y)]

    def _cost(self, x, z, label):
        """-log p(x|z) of each image, (b,)."""
        outputs = ops.cast(self.decoder([z, *label]), "float32")
        if self.likelihood == "bernoulli":
            cost = ops.softplus(outputs) - x * outputs
        else:
            logvar = ops.convert_to_tensor(self.pixel_logvar)
            cost = (ops.square(x - ops.sigmoid(outputs)) * ops.exp(-logvar) + logvar + math.log(2 * math.pi)) / 2
        return ops.sum(cost, axis=(1, 2, 3))

    def _image(self, outputs):
        return ops.sigmoid(ops.cast(outputs, "float32"))

    def draw(self, noise, labels):
        """Images of codes: the probability of white, or the mean of the Gaussian."""
        return self._image(self.decoder([noise, *self._told(labels)]))

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

    def decode(self, z, labels=None) -> np.ndarray:
        """Images (n, h, w, c) in [0, 1] of codes (n, k).

        Raises:
            ValueError: for codes of another length, or labels that are missing or not asked for.
        """
        z = np.asarray(z, "float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z: got the shape {z.shape}; expected (n, {self.latent_dim}), a code for each image.")
        return self.in_batches("draw", self.draw, [z, self.checked_labels(len(z), labels)], 100)

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
        return self._cost(x, mean + ops.exp(logvar / 2) * noise, label), _divergence(mean, logvar)

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
        cost = self._cost(repeated[0], ops.reshape(z, (-1, self.latent_dim)), repeated[1:])
        # The constants of p(z) and q(z|x) cancel.
        ratio = ops.sum(ops.square(noise) - ops.square(z) + logvar, axis=-1) / 2
        return ratio - ops.reshape(cost, (-1, codes))

    def _checked(self, x, labels):
        """Images (n, h, w, c) float32 and their labels, for what is asked of a model from outside."""
        x = np.asarray(x, "float32")
        if x.ndim != 4 or x.shape[1:] != self.image_shape or not len(x):
            raise ValueError(f"x: got the shape {x.shape}; expected {('n', *self.image_shape)}, at least one image.")
        return x, self.checked_labels(len(x), labels)


# How many images, and of each how many codes, are decoded at a time: few enough for a processor's cache.
_IMAGES, _CODES = 20, 100


def _linear(width, **kwargs):
    return keras.layers.Dense(width, kernel_initializer=GlorotUniform(), **kwargs)


def _joined(part, x, label):
    return keras.layers.Concatenate(name=f"{part}_joined")([x, *label]) if label else x


def _divergence(mean, logvar):
    """KL(N(mean, exp(logvar)) || N(0, 1)) of codes (b, k), in nats: (b,)."""
    return ops.sum(ops.exp(logvar) + ops.square(mean) - 1.0 - logvar, axis=-1) / 2
