"""GAN: a generator that learns to make images which a discriminator cannot tell from real ones.

Goodfellow et al., "Generative adversarial networks", 2014, arXiv:1406.2661; with convolutions: Radford, Metz and
Chintala (DCGAN), 2015, arXiv:1511.06434. Hinge: Lim and Ye, "Geometric GAN", 2017, arXiv:1705.02894. Wasserstein with a
penalty on gradients: Gulrajani et al. (WGAN-GP), 2017, arXiv:1704.00028; the penalty at real samples of the other
objectives: Mescheder et al. (R1), 2018, arXiv:1801.04406. The class by projection: Miyato and Koyama, 2018,
arXiv:1802.05637.

Axis letters: b batch, h w c image, k latent, d features, v classes.

    generator      z (b, k), one-hot label (b, v) -> g (b, h, w, c) in (-1, 1)
    discriminator  x (b, h, w, c), one-hot label (b, v) -> score s (b, 1) = f(x) . w + bias + f(x) . V[label]

The objectives and the penalty stand in `kzoo/models/adversarial.py`.

The class reaches the discriminator by projection: an inner product with the features, which is the form that a
log-ratio of class-conditional densities takes, and costs d numbers a class; a label beside the pixels would have to
come through all convolutions.

Differs from the papers: no normalisation in the discriminator, whose gradient penalty wants samples that do not see
each other, and which the generator's turn then leaves untouched; no hidden dense layer; He's initial weights; images
are drawn from a moving average of the generator.
"""

import math

import keras
from keras import ops

from kzoo.layers.convolution import Conv2D, Conv2DTranspose
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, HeNormal, VarianceScaling
from kzoo.models.adversarial import Adversarial
from kzoo.models.base import count, fraction, sizes
from kzoo.models.generative import LatentModel

PRESETS = {
    "mu": {
        "input_shape": (4, 6, 2),
        "num_classes": 3,
        "latent_dim": 3,
        "filters": (5,),
        "objective": "wasserstein",
        "discriminator_steps": 2,
        "penalty": 10.0,
        "dropout": 0.25,
        "momentum": 0.05,  # so far off the default that three steps tell
    },
    "mu-plain": {"input_shape": (4, 8, 1), "latent_dim": 3, "filters": (3, 4)},
}


@keras.saving.register_keras_serializable("kzoo")
class GAN(Adversarial, LatentModel):
    """Mirrored networks of 4 x 4 convolutions of stride 2 and of their transposes.

    Args:
        input_shape: Shape of an image, (h, w, c).
        num_classes: How many classes both networks are told of; None for none.
        latent_dim: k.
        filters: Maps of each convolution of the discriminator, which halves height and width; in reverse the
            generator's.
        objective, discriminator_steps, penalty, momentum: As in `Adversarial`.
        dropout: Share of the discriminator's activations that is dropped in training.

    Raises:
        ValueError: if an argument is out of range, or an image cannot be halved so often.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        *,
        num_classes: int | None = None,
        latent_dim: int = 64,
        filters: tuple[int, ...] = (32, 64),
        objective: str = "non_saturating",
        discriminator_steps: int = 1,
        penalty: float = 0.0,
        dropout: float = 0.0,
        momentum: float = 0.999,
        **kwargs,
    ):
        super().__init__(
            input_shape,
            num_classes,
            objective=objective,
            discriminator_steps=discriminator_steps,
            penalty=penalty,
            momentum=momentum,
            **kwargs,
        )
        self.latent_dim = count("latent_dim", latent_dim)
        self.filters = sizes("filters", filters)
        self.dropout = dropout
        fraction("dropout", dropout)
        if any(size % 2 ** len(self.filters) for size in self.image_shape[:2]):
            raise ValueError(
                f"model.filters: got {filters!r}; images of {self.image_shape[0]} x {self.image_shape[1]} cannot be "
                f"halved {len(self.filters)} times; give fewer filters."
            )
        self.generator, self.discriminator = self._generator("generator"), self._discriminator()
        self.average = self._generator("average")
        self.average.set_weights(self.generator.get_weights())
        self.average.trainable = False
        self.built = True

    def _generator(self, part):
        noise, label = keras.Input((self.latent_dim,), name=f"{part}_noise"), self._label(part)
        h, w, c = self.image_shape
        halved = 2 ** len(self.filters)
        x = keras.layers.Concatenate(name=f"{part}_label")([noise, *label]) if label else noise
        small = (h // halved, w // halved, self.filters[-1])
        # A bias before batch normalisation is subtracted again with the mean.
        x = keras.layers.Dense(math.prod(small), use_bias=False, kernel_initializer=HeNormal(), name=f"{part}_small")(x)
        x = keras.layers.Reshape(small, name=f"{part}_maps")(x)
        # A new pixel is a sum over a quarter of the taps, so that He's variance, 2 a term, is 8 a fan.
        for i, maps in enumerate((*self.filters[-2::-1], None), start=1):
            x = keras.layers.BatchNormalization(name=f"{part}_norm_{i}")(x)
            x = keras.layers.ReLU(name=f"{part}_relu_{i}")(x)
            last = maps is None
            initializer = VarianceScaling(4.0 if last else 8.0, "fan_out", "normal")
            x = Conv2DTranspose(
                maps or c,
                4,
                strides=2,
                padding="same",
                use_bias=last,
                kernel_initializer=initializer,
                name=f"{part}_double_{i}",
            )(x)
        # In float32 whatever the precision: a bfloat16 has 256 shades.
        x = keras.layers.Activation("tanh", dtype="float32", name=f"{part}_image")(x)
        return keras.Model([noise, *label], x, name=part)

    def _discriminator(self):
        image, label = keras.Input(self.image_shape, name="discriminator_image"), self._label("discriminator")
        x = image
        for i, maps in enumerate(self.filters, start=1):
            name = f"discriminator_conv_{i}"
            x = Conv2D(maps, 4, strides=2, padding="same", kernel_initializer=HeNormal(), name=name)(x)
            x = keras.layers.LeakyReLU(0.2, name=f"discriminator_leaky_{i}")(x)
            if self.dropout:
                x = Dropout(self.dropout, name=f"discriminator_dropout_{i}")(x)
        x = keras.layers.Flatten(name="discriminator_features")(x)  # (b, d)
        # What is added to every score leaves wasserstein's difference of two as it is.
        score = keras.layers.Dense(
            1,
            use_bias=self.objective != "wasserstein",
            kernel_initializer=GlorotUniform(),
            name="discriminator_score",
        )(x)
        if label:
            classes = keras.layers.Dense(
                x.shape[-1], use_bias=False, kernel_initializer=GlorotUniform(), name="discriminator_class"
            )
            projected = keras.layers.Dot(1, name="discriminator_projection")([x, classes(*label)])  # (b, 1)
            score = keras.layers.Add(name="discriminator_sum")([score, projected])
        return keras.Model([image, *label], score, name="discriminator")

    def _label(self, part):
        return [] if self.num_classes is None else [keras.Input((self.num_classes,), name=f"{part}_one_hot")]

    def told(self, y) -> list:
        """The classes of a batch (b,), one-hot, where the model is conditional."""
        return [] if self.num_classes is None else [self.one_hot(y)]

    def inward(self, x):
        """Pixels from -1 to 1 for pixels from 0 to 1."""
        return 2.0 * ops.cast(x, "float32") - 1.0

    def call(self, x, y=None):
        """The scores (b,) of images: above 0 the discriminator takes them for real, but for wasserstein's."""
        return self._score(self.inward(x), self.told(y), False)

    def draw(self, noise, labels):
        """Images of codes by the average of the generator, (b, h, w, c) in [0, 1]."""
        return (ops.cast(self.average([noise, *self.told(labels)], training=False), "float32") + 1.0) / 2.0
