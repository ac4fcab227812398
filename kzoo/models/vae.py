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
from keras import ops

from kzoo.layers.convolution import Conv2D
from kzoo.layers.initializers import GlorotUniform
from kzoo.models.base import choice, count, sizes
from kzoo.models.likelihood import LatentLikelihood, divergence
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
class VAE(LatentLikelihood):
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
        reconstruction = ops.mean(self.cost(x, mean + ops.exp(logvar / 2) * noise, label))
        kl = ops.mean(divergence(mean, logvar))
        for name, value in (("nelbo", reconstruction + kl), ("reconstruction", reconstruction), ("kl", kl)):
            self.report(name, value)
        weight = self.beta
        if training and self.warmup_steps:
            self.steps.assign(ops.minimum(self.steps + 1, self.warmup_steps))
            weight = self.beta * ops.cast(self.steps, "float32") / self.warmup_steps
        return reconstruction + weight * kl

    def cost(self, x, z, label):
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


def _linear(width, **kwargs):
    return keras.layers.Dense(width, kernel_initializer=GlorotUniform(), **kwargs)


def _joined(part, x, label):
    return keras.layers.Concatenate(name=f"{part}_joined")([x, *label]) if label else x
