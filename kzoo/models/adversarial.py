"""A generator and a discriminator in turns: three objectives, a penalty on gradients, an average of the generator.

Non-saturating: Goodfellow et al., 2014, arXiv:1406.2661. Hinge: Lim and Ye, 2017, arXiv:1705.02894. Wasserstein:
Gulrajani et al. (WGAN-GP), 2017, arXiv:1704.00028. The penalty of the others: Mescheder et al. (R1), 2018,
arXiv:1801.04406.

Axis letters: b batch, k latent, v classes. s is a score, x a real sample, g a made one.

    objective        discriminator                                  generator
    non_saturating   mean softplus(-s(x)) + mean softplus(s(g))     mean softplus(-s(g))
    hinge            mean relu(1 - s(x)) + mean relu(1 + s(g))      -mean s(g)
    wasserstein      mean s(g) - mean s(x)                          -mean s(g)

    penalty          wasserstein: weight mean (|ds/dx| - 1)^2 between a real and a made sample; else weight / 2 mean
                     |ds/dx|^2 at the real ones; per image, its pixels from -1 to 1
"""

import math

from keras import ops

from kzoo import backend
from kzoo.models.base import choice, count, fraction
from kzoo.models.phased import Average, Phase, PhasedModel
from kzoo.ops import random

OBJECTIVES = ("non_saturating", "hinge", "wasserstein")


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
