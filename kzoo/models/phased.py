"""Training in phases: networks that are trained in turns, each on its own loss, by its own optimizer.

A GAN's discriminator and generator want opposite things, so one loss and one optimizer cannot train both. A model here
lists its phases; `fit` runs them one after the other in each step, compiled where the backend compiles, with
callbacks, validation, metrics, mixed precision and checkpoints as for any other model. The losses are written once, in
`keras.ops`.

    class GAN(PhasedModel):
        def phases(self):
            return [
                Phase("discriminator", self.discriminator_loss, self.discriminator.trainable_variables, repeats=5),
                Phase("generator", self.generator_loss, self.generator.trainable_variables),
            ]

        def generator_loss(self, x, y, training):
            fake = self.generator(self.noise(ops.shape(x)[0], training), training=training)
            return -ops.mean(self.discriminator(fake, training=training))

    model.compile({"discriminator": keras.optimizers.Adam(2e-4), "generator": keras.optimizers.Adam(2e-4)})
    model.fit(images, epochs=10)

A phase sees what the phases before it have changed. Its gradients are those of its own variables alone: whatever else
the loss runs through is neither moved nor marked. Side effects of a loss on Keras variables stand, such as the
statistics of a batch normalisation and the state of a seed generator.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from kzoo import backend
from kzoo.models.base import ZooModel
from kzoo.models.optimizer_group import OptimizerGroup


class Phase(NamedTuple):
    """One kind of update.

    Attributes:
        name: An identifier; the phase's optimizer and its metric, `<name>_loss`, are called by it.
        loss: A function (x, y, training) to a scalar; y is None where `fit` was given none.
        variables: The Keras variables that it moves.
        repeats: How often it runs in a step, each time on the same batch and with noise of its own.
    """

    name: str
    loss: Callable
    variables: list
    repeats: int = 1


class Average(NamedTuple):
    """A part whose weights follow those of another as an exponential moving average.

    Attributes:
        part: The average: of the same architecture, its weights never trained.
        of: The part that it follows.
        momentum: What is kept of the average in a step, at least 0 and below 1. In step n it is at most
            (1 + n) / (10 + n), so that the beginning is soon forgotten.
    """

    part: keras.layers.Layer
    of: keras.layers.Layer
    momentum: float


# Not a ZooModel: once an instance of a class has a graph, Keras turns the bases of the class, for good, into those of
# models with graphs, and then none without one can be made.
class PhasedModel(keras.Model):
    """A model that trains in phases.

    A subclass makes its parts as attributes, each part and each of its layers with a name of its own (Keras on torch
    tells variables apart by their paths), calls `super().__init__()`, without a graph of its own, and gives `phases`
    and `call`. It may give `averages`, and report further numbers with `report`, whose
    names stand in `reports`.

    Metrics: the mean of each phase's loss as `<phase>_loss`, where there are several; their sum as `loss`; and what is
    reported.
    """

    reports: tuple[str, ...] = ()
    get_config = ZooModel.get_config
    from_config = classmethod(ZooModel.from_config.__func__)

    def phases(self) -> list[Phase]:
        """What a step does, in this order.

        The list is asked for anew while a step is traced: it must be the same each time.
        """
        raise NotImplementedError

    def averages(self) -> list[Average]:
        """The parts that follow others, moved once at the end of each step."""
        return []

    def report(self, name: str, value) -> None:
        """Counts a number into the mean that `fit` and `evaluate` show.

        Args:
            name: One of `reports`.
            value: A scalar.

        Raises:
            ValueError: if it is none of them.
        """
        if name not in self.reports:
            raise ValueError(
                f"report: got {name!r}; {type(self).__name__}.reports has {', '.join(self.reports) or 'none'}."
            )
        self._note(name, value)

    def _note(self, name, value) -> None:
        self._means()[name].update_state(ops.stop_gradient(value))

    def _means(self) -> dict[str, keras.metrics.Mean]:
        if not hasattr(self, "_mean_names"):
            names = [phase.name for phase in self.phases()]
            names = [f"{name}_loss" for name in names] if len(names) > 1 else ["loss"]
            if taken := sorted({"loss", *names} & set(self.reports)):
                raise ValueError(f"reports: got {', '.join(taken)}, which a loss of the phases is called.")
            self._mean_names = [*names, *self.reports]
            for name in self._mean_names:
                setattr(self, f"_mean_{name}", keras.metrics.Mean(name=name))
        return {name: getattr(self, f"_mean_{name}") for name in self._mean_names}

    @property
    def metrics(self):
        """The means of each phase's loss and of the reports."""
        return list(self._means().values()) if self.compiled else []

    def compile(self, optimizer="adam", **kwargs):
        """As `keras.Model.compile`, but that the losses are those of the phases.

        Args:
            optimizer: A dictionary from each phase's name to its optimizer; or one optimizer, of which each phase gets
                a copy.
            **kwargs: `run_eagerly`, `steps_per_execution`, `jit_compile`.

        Raises:
            ValueError: if an optimizer is missing or left over, a loss or metrics are given, or the precision is
                float16.
        """
        for key in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.pop(key, None) is not None:
                raise ValueError(f"{type(self).__name__}.compile: its phases bring their losses; leave {key} out.")
        if self.dtype_policy.name == "mixed_float16":
            # Its small gradients need a scaled loss, and Keras scales one loss for one optimizer.
            raise ValueError(f"{type(self).__name__}.compile: got the precision mixed_float16; use mixed_bfloat16.")
        phases = self._checked_phases()
        group = optimizer
        if not isinstance(group, OptimizerGroup):
            if not isinstance(optimizer, dict):
                one = keras.optimizers.get(optimizer)
                copies = {phase.name: type(one).from_config(one.get_config()) for phase in phases}
                optimizer = copies
            group = OptimizerGroup(optimizer)
        if set(group.phases) != {phase.name for phase in phases}:
            raise ValueError(
                f"{type(self).__name__}.compile: got optimizers for {', '.join(group.phases)}; expected one for each "
                f"of {', '.join(phase.name for phase in phases)}."
            )
        for phase in phases:
            if not group[phase.name].built:
                group[phase.name].build(phase.variables)
        group.build([])
        self._means()
        super().compile(optimizer=group, **kwargs)

    def _checked_phases(self) -> list[Phase]:
        for average in self.averages():
            if not 0 <= average.momentum < 1:
                raise ValueError(
                    f"averages: got the momentum {average.momentum!r} for {average.part.name}; expected at least 0 and "
                    "below 1, such as 0.999."
                )
        phases, names = self.phases(), set()
        for phase in phases:
            if not phase.name.isidentifier() or phase.name in names:
                raise ValueError(
                    f"phases: got the name {phase.name!r}; expected an identifier that no other phase has."
                )
            if not phase.variables:
                raise ValueError(f"phases: {phase.name} has no variables to move; build its parts before `compile`.")
            if type(phase.repeats) is not int or phase.repeats < 1:
                raise ValueError(f"phases: {phase.name}.repeats: got {phase.repeats!r}; expected at least 1.")
            names.add(phase.name)
        return phases

    # Keras leaves these to whoever overrides `compile`.
    def get_compile_config(self):
        """What `compile` was called with."""
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer)} if self.compiled else {}

    def compile_from_config(self, config):
        """Compiles as in `get_compile_config`."""
        self.compile(keras.saving.deserialize_keras_object(config["optimizer"]))

    def train_step(self, *args):
        """All phases once, in order, and the averages after them."""
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        return backend.run_step(self._train, args, groups)

    def test_step(self, *args):
        """The losses of all phases, nothing moved."""
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        return backend.run_step(self._test, args, groups)

    def _train(self, data):
        x, y = _unpack(data)
        for phase in self.phases():
            optimizer = self.optimizer[phase.name]
            for repeat in range(phase.repeats):
                last = repeat == phase.repeats - 1

                def loss(phase=phase, last=last):
                    value = phase.loss(x, y, True)
                    if last:
                        self._count(phase.name, value)
                    return value

                _, gradients = backend.value_and_grad(loss, phase.variables)
                optimizer.apply(gradients, phase.variables)
        self.optimizer.iterations.assign_add(1)
        steps = ops.cast(self.optimizer.iterations, "float32")
        for average, part, momentum in self.averages():
            kept = ops.minimum(momentum, (1.0 + steps) / (10.0 + steps))
            for follower, leader in zip(average.weights, part.weights, strict=True):
                if "float" in follower.dtype:
                    share = ops.cast(kept, follower.dtype)
                    follower.assign(share * follower + (1 - share) * ops.convert_to_tensor(leader))
        return self.get_metrics_result()

    def _test(self, data):
        x, y = _unpack(data)
        for phase in self.phases():
            self._count(phase.name, phase.loss(x, y, False))
        return self.get_metrics_result()

    def _count(self, phase: str, loss) -> None:
        means = self._means()
        if f"{phase}_loss" in means:
            self._note(f"{phase}_loss", loss)
        else:
            self._note("loss", loss)

    def get_metrics_result(self):
        """The means so far, and the sum of the phases' losses as "loss": Keras asks after each step and epoch."""
        found = {name: mean.result() for name, mean in self._means().items()}
        losses = [value for name, value in found.items() if name not in self.reports]
        return {"loss": sum(losses), **found}


def _unpack(data):
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError("fit: got sample weights, which the losses of phases do not read; leave sample_weight out.")
    return x, y
