"""GAN: a generator that learns to make images which a discriminator cannot tell from real ones.

Goodfellow et al., "Generative adversarial networks", 2014, arXiv:1406.2661; with convolutions: Radford, Metz and
Chintala (DCGAN), 2015, arXiv:1511.06434. Hinge: Lim and Ye, "Geometric GAN", 2017, arXiv:1705.02894. Wasserstein with a
penalty on gradients: Gulrajani et al. (WGAN-GP), 2017, arXiv:1704.00028; the penalty at real samples of the other
objectives: Mescheder et al. (R1), 2018, arXiv:1801.04406. The class by projection: Miyato and Koyama, 2018,
arXiv:1802.05637.

Axis letters: b batch, h w c image, k latent, d features, v classes.

    generator      z (b, k), one-hot label (b, v) -> g (b, h, w, c) in (-1, 1)
    discriminator  x (b, h, w, c), one-hot label (b, v) -> score s (b, 1) = f(x) . w + bias + f(x) . V[label]

    objective        discriminator                                  generator
    non_saturating   mean softplus(-s(x)) + mean softplus(s(g))     mean softplus(-s(g))
    hinge            mean relu(1 - s(x)) + mean relu(1 + s(g))      -mean s(g)
    wasserstein      mean s(g) - mean s(x)                          -mean s(g)

    penalty          wasserstein: weight mean (|ds/dx| - 1)^2 between a real and a made sample; else weight / 2 mean
                     |ds/dx|^2 at the real ones; per image, its pixels from -1 to 1

The class reaches the discriminator by projection: an inner product with the features, which is the form that a
log-ratio of class-conditional densities takes, and costs d numbers a class; a label beside the pixels would have to
come through all convolutions.

Differs from the papers: no normalisation in the discriminator, whose gradient penalty wants samples that do not see
each other, and which the generator's turn then leaves untouched; no hidden dense layer; He's initial weights; images
are drawn from a moving average of the generator; a transposed convolution is written as the convolution over the
corners between pixels that it is.
"""

import math

import keras
import numpy as np
from keras import ops

from kzoo import backend
from kzoo.layers.convolution import Conv2D
from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import GlorotUniform, HeNormal
from kzoo.models.base import choice, count, fraction, sizes
from kzoo.models.generative import GenerativeModel
from kzoo.models.phased import Average, Phase, PhasedModel
from kzoo.ops import random

OBJECTIVES = ("non_saturating", "hinge", "wasserstein")

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
        "momentum": 0.5,
    },
    "mu-plain": {"input_shape": (4, 8, 1), "latent_dim": 3, "filters": (3, 4)},
}


class Adversarial(PhasedModel):
    """What any pair of a generator and a discriminator does, whatever they are made of.

    A subclass gives three parts as attributes: `generator` and `average`, from [noise (b, k), *label] to samples, and
    `discriminator`, from [samples, *label] to scores (b, 1), where label is a list with a one-hot tensor, or none. It
    has `latent_dim` and `seeds`.

    Args:
        objective: One of `OBJECTIVES`.
        discriminator_steps: How often the discriminator is trained in a step.
        penalty: Weight of the penalty on the discriminator's gradients; 0 for none.
        momentum: Of the average that the generator's weights are followed by.
    """

    reports = ("real_score", "fake_score")

    def __init__(self, *args, objective, discriminator_steps, penalty, momentum, **kwargs):
        super().__init__(*args, **kwargs)
        choice("objective", objective, OBJECTIVES)
        count("discriminator_steps", discriminator_steps)
        if isinstance(penalty, bool) or not isinstance(penalty, (int, float)) or not 0 <= penalty < math.inf:
            raise ValueError(f"model.penalty: got {penalty!r}; expected a weight of at least 0, such as 10.")
        if objective == "wasserstein" and penalty == 0:
            raise ValueError(
                "model.penalty: got 0 with the objective wasserstein, whose scores then grow without bound; give a "
                "weight above 0, such as 10."
            )
        fraction("momentum", momentum)
        self.objective = objective
        self.discriminator_steps = discriminator_steps
        self.penalty = penalty
        self.momentum = momentum

    def phases(self):
        """The discriminator, `discriminator_steps` times, then the generator once."""
        return [
            Phase(
                "discriminator",
                self.discriminator_loss,
                self.discriminator.trainable_variables,
                self.discriminator_steps,
            ),
            Phase("generator", self.generator_loss, self.generator.trainable_variables),
        ]

    def averages(self):
        """The generator's, from which samples are drawn."""
        return [Average(self.average, self.generator, self.momentum)]

    def told(self, y) -> list:
        """What both parts are given beside their input, for labels (b,): nothing, unless a subclass is conditional."""
        return []

    def inward(self, x):
        """Samples as the parts have them, for samples as the data have them."""
        return ops.cast(x, "float32")

    def discriminator_loss(self, x, y, training):
        """How badly the discriminator tells a batch from as many samples made for the same labels, and its penalty."""
        label = self.told(y)
        real = self.inward(x)
        fake = ops.stop_gradient(self._made(real, label, training))
        # In one pass, which costs less than two: nothing in the discriminator sees its neighbours.
        both = self._score(ops.concatenate([real, fake]), [ops.concatenate([part, part]) for part in label], training)
        on_real, on_fake = both[: ops.shape(real)[0]], both[ops.shape(real)[0] :]
        self.report("real_score", ops.mean(on_real))
        self.report("fake_score", ops.mean(on_fake))
        if self.objective == "non_saturating":
            loss = ops.mean(ops.softplus(-on_real)) + ops.mean(ops.softplus(on_fake))
        elif self.objective == "hinge":
            loss = ops.mean(ops.relu(1.0 - on_real)) + ops.mean(ops.relu(1.0 + on_fake))
        else:
            loss = ops.mean(on_fake) - ops.mean(on_real)
        return loss + self.gradient_penalty(real, fake, label, training) if self.penalty else loss

    def generator_loss(self, x, y, training):
        """How badly the generator deceives: as many new samples as there are in x, for the same labels."""
        label = self.told(y)
        return ops.mean(self.deceit(self._score(self._made(x, label, training), label, training)))

    def deceit(self, score):
        """The generator's loss of each score, (b,): what its samples follow downhill."""
        return ops.softplus(-score) if self.objective == "non_saturating" else -score

    def gradient_penalty(self, real, fake, label, training):
        """The weighted penalty on the gradients of the scores: between the samples for wasserstein, else at real ones.

        Args:
            real, fake: (b, ...), as the discriminator takes them.
            label: [] or [one-hot labels (b, v)].
            training: Whether noise comes from the stream of training.
        """
        wasserstein = self.objective == "wasserstein"
        if wasserstein:
            share = random.uniform((ops.shape(real)[0], *[1] * (len(real.shape) - 1)), self.seeds.next(training))
            real = fake + ops.cast(share, fake.dtype) * (real - fake)
        gradient = backend.input_grad(lambda at: self._score(at, label, training), real)
        square = ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))  # (b,)
        if not wasserstein:
            return self.penalty / 2 * ops.mean(square)
        # The slope of a square root at 0 is infinite.
        return self.penalty * ops.mean(ops.square(ops.sqrt(square + 1e-12) - 1.0))

    def _made(self, like, label, training):
        """As many samples as there are in `like`, by the generator."""
        noise = random.normal((ops.shape(like)[0], self.latent_dim), self.seeds.next(training))
        return ops.cast(self.generator([noise, *label], training=training), "float32")

    def _score(self, x, label, training):
        return ops.cast(self.discriminator([x, *label], training=training), "float32")[:, 0]  # (b,)


@keras.saving.register_keras_serializable("kzoo")
class GAN(Adversarial, GenerativeModel):
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
        for i, maps in enumerate((*self.filters[-2::-1], None), start=1):
            x = keras.layers.BatchNormalization(name=f"{part}_norm_{i}")(x)
            x = keras.layers.ReLU(name=f"{part}_relu_{i}")(x)
            x = _doubled(x, maps or c, f"{part}_double_{i}", last=maps is None)
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

    def decode(self, z, labels=None) -> np.ndarray:
        """Images (n, h, w, c) in [0, 1] of codes (n, k), such as those on a way from one image to another.

        Raises:
            ValueError: for codes of another length, or labels that are missing or not asked for.
        """
        z = np.asarray(z, "float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim or not len(z):
            raise ValueError(f"z: got the shape {z.shape}; expected (n, {self.latent_dim}), a code for each image.")
        return self.in_batches("draw", self.draw, [z, self.checked_labels(len(z), labels)], 100)


def _doubled(x, maps, name, last):
    """A 4 x 4 transposed convolution of stride 2 of maps (b, h, w, c): (b, 2h, 2w, maps).

    Around the corner of four pixels lie four of the new pixels, each a sum over those four: a 2 x 2 convolution with
    4 maps for each new one, whose outputs are laid side by side. On JAX it takes a fifth of the time of XLA's own.
    """
    h, w, _ = x.shape[1:]
    x = keras.layers.ZeroPadding2D(1, data_format="channels_last", name=f"{name}_pad")(x)
    initializer = GlorotUniform() if last else HeNormal()
    x = Conv2D(4 * maps, 2, use_bias=last, kernel_initializer=initializer, data_format="channels_last", name=name)(x)
    x = keras.layers.Reshape((h + 1, w + 1, 2, 2, maps), name=f"{name}_corners")(x)
    x = keras.layers.Permute((1, 3, 2, 4, 5), name=f"{name}_rows")(x)
    x = keras.layers.Reshape((2 * h + 2, 2 * w + 2, maps), name=f"{name}_pixels")(x)
    return keras.layers.Cropping2D(1, data_format="channels_last", name=f"{name}_crop")(x)
