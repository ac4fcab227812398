"""Training in phases beside a hand-written loop in NumPy, and what Keras's own machinery does with it."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo.layers.dropout import Dropout
from kzoo.layers.initializers import RandomNormal
from kzoo.models.optimizer_group import OptimizerGroup
from kzoo.models.phased import Average, Phase, PhasedModel
from kzoo.ops import random
from kzoo.registry import create_model
from kzoo.seeds import seeded
from kzoo.training import checkpoints

CRITIC_RATE, MAKER_RATE, REPEATS, MOMENTUM = 0.1, 0.05, 3, 0.9


def dense(name, units=1, **arguments):
    return keras.layers.Dense(units, use_bias=False, kernel_initializer=RandomNormal(seed=3), name=name, **arguments)


@keras.saving.register_keras_serializable("tests")
class Game(PhasedModel):
    """A maker of numbers w z and a critic c x, whose gradients anybody can write down.

    critic loss = mean(c w z) - mean(c x) + c^2 / 2,   maker loss = -mean(c w z)
    """

    reports = ("distance",)

    def __init__(self, repeats=REPEATS, critic_name="critic", noise=False, **kwargs):
        super().__init__(**kwargs)
        self.repeats = repeats
        self.critic_name = critic_name
        self.noise = noise
        self.maker, self.critic, self.follower = (
            keras.Sequential([keras.Input((1,)), dense(f"{name}_dense")], name=name)
            for name in ("maker", "critic_part", "follower")
        )
        self.drop = Dropout(0.5, seed=4, name="drop")
        self.seeds = random.Seeds.of(5)
        self.follower.trainable = False
        self.built = True

    def call(self, z):
        return self.follower(z)

    def phases(self):
        return [
            Phase(self.critic_name, self.critic_loss, self.critic.trainable_variables, self.repeats),
            Phase("maker", self.maker_loss, self.maker.trainable_variables),
        ]

    def averages(self):
        return [Average(self.follower, self.maker, MOMENTUM)]

    def _made(self, z, training):
        if self.noise:
            z = self.drop(z + random.normal(ops.shape(z), self.seeds.next(training)), training=training)
        return self.maker(z)

    def critic_loss(self, x, z, training):
        fake = ops.stop_gradient(self._made(z, training))
        x = ops.cast(x, fake.dtype)
        self.report("distance", ops.mean(fake) - ops.mean(x))
        weight = ops.sum(self.critic.trainable_variables[0])
        difference = ops.mean(self.critic(fake)) - ops.mean(self.critic(x))
        return ops.cast(difference, "float32") + 0.5 * weight**2

    def maker_loss(self, x, z, training):
        return -ops.mean(self.critic(self._made(z, training)))


def game(**arguments):
    with seeded(0):
        model = Game(**arguments)
    for part, value in ((model.maker, 0.5), (model.critic, -0.3), (model.follower, 0.1)):
        part.set_weights([np.array([[value]], "float32")])
    return model


def sgd():
    return {"critic": keras.optimizers.SGD(CRITIC_RATE), "maker": keras.optimizers.SGD(MAKER_RATE)}


def adam():
    return {"critic": keras.optimizers.Adam(0.01), "maker": keras.optimizers.Adam(0.02)}


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    return rng.normal(2, 1, (40, 1)).astype("float32"), rng.normal(1, 1, (40, 1)).astype("float32")


def weights(model):
    return [part.get_weights()[0].item() for part in (model.maker, model.critic, model.follower)]


def test_phases_run_in_turns_as_a_loop_by_hand_does(batch):
    x, z = (part.astype("float64") for part in batch)
    w, c, f, losses = 0.5, -0.3, 0.1, []
    for step in range(1, 9):
        a, b = ((step - 1) % 4) * 10, ((step - 1) % 4) * 10 + 10
        mean_x, mean_z = x[a:b].mean(), z[a:b].mean()
        for _ in range(REPEATS):
            loss = c * w * mean_z - c * mean_x + c**2 / 2
            c -= CRITIC_RATE * (w * mean_z - mean_x + c)
        losses.append((loss, -c * w * mean_z, w * mean_z - mean_x))
        w += MAKER_RATE * c * mean_z  # it sees the critic that has just moved
        kept = min(MOMENTUM, (1 + step) / (10 + step))
        f = kept * f + (1 - kept) * w
    model = game()
    model.compile(sgd())
    history = model.fit(*batch, batch_size=10, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(weights(model), (w, c, f), rtol=1e-5)
    second = np.mean(losses[4:], axis=0)
    found = [history[name][1] for name in ("critic_loss", "maker_loss")]
    np.testing.assert_allclose(found, second[:2], rtol=1e-5)
    np.testing.assert_allclose(history["loss"][1], second[:2].sum(), rtol=1e-5)
    np.testing.assert_allclose(history["distance"][1], second[2], rtol=1e-5)


def test_a_phase_moves_its_own_variables_and_leaves_no_gradient_elsewhere(batch):
    model = game()
    still = {"critic": keras.optimizers.SGD(0.0), "maker": keras.optimizers.SGD(MAKER_RATE)}
    model.compile(still)
    before = model.critic.get_weights()[0]
    model.fit(*batch, batch_size=10, verbose=0)
    assert np.array_equal(model.critic.get_weights()[0], before)
    assert weights(model)[0] != 0.5
    assert all(getattr(v.value, "grad", None) is None for v in model.trainable_variables)


def test_compiled_and_eager_steps_agree(batch):
    found = []
    for eager in (False, True):
        model = game(noise=True)
        model.compile(adam(), run_eagerly=eager)
        model.fit(*batch, batch_size=10, epochs=2, shuffle=False, verbose=0)
        found.append(weights(model))
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_validation_moves_nothing_and_draws_from_a_stream_of_its_own(batch):
    found = []
    for validation in (None, batch):
        model = game(noise=True)
        model.compile(adam())
        history = model.fit(
            *batch, batch_size=10, epochs=2, shuffle=False, verbose=0, validation_data=validation
        ).history
        found.append(weights(model))
    assert {"val_loss", "val_critic_loss", "val_maker_loss", "val_distance"} <= set(history)
    assert found[0] == found[1]


def test_a_run_that_resumes_from_a_checkpoint_ends_where_an_uninterrupted_one_does(batch, tmp_path):
    whole = game(noise=True)
    whole.compile(adam())
    whole.fit(*batch, batch_size=10, epochs=4, shuffle=False, verbose=0)

    first = game(noise=True)
    first.compile(adam())
    first.fit(*batch, batch_size=10, epochs=2, shuffle=False, verbose=0)
    checkpoints.save(tmp_path / "last.keras", first, {"epoch": 2})
    second = game(noise=True)
    second.compile(adam())
    checkpoints.load_into(tmp_path / "last.keras", second)
    second.fit(*batch, batch_size=10, epochs=2, shuffle=False, verbose=0)
    assert weights(second) == weights(whole)


def test_a_saved_model_comes_back_compiled_with_the_moments_of_every_optimizer(batch, tmp_path):
    model = game()
    model.compile(adam())
    model.fit(*batch, batch_size=10, verbose=0)
    model.save(tmp_path / "game.keras")
    loaded = keras.saving.load_model(tmp_path / "game.keras", safe_mode=True)
    assert weights(loaded) == weights(model)
    for ours, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy()), ours.path
    for one in (model, loaded):
        one.fit(*batch, batch_size=10, verbose=0, shuffle=False)
    assert weights(loaded) == weights(model)


def test_it_can_be_made_after_a_model_with_a_graph():
    create_model("mlp:mu")
    assert game().phases()


def test_one_optimizer_becomes_one_for_each_phase(batch):
    model = game()
    model.compile(keras.optimizers.Adam(0.03))
    rates = [float(ops.convert_to_numpy(model.optimizer[name].learning_rate)) for name in ("critic", "maker")]
    np.testing.assert_allclose(rates, 0.03)
    assert model.optimizer["critic"] is not model.optimizer["maker"]


@pytest.fixture
def precision():
    """Sets a dtype policy, and Keras's own again afterwards."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def test_mixed_precision_trains(batch, precision):
    found = []
    for policy in ("float32", "mixed_bfloat16"):
        precision(policy)
        model = game()
        model.compile(sgd())
        model.fit(*batch, batch_size=10, shuffle=False, verbose=0)
        assert all(variable.dtype == "float32" for variable in model.trainable_variables)
        found.append(weights(model))
    # Eight bits of a bfloat16's significand, over four steps.
    np.testing.assert_allclose(*found, rtol=0.02)
    assert found[0] != found[1]


def test_float16_is_refused_with_the_precision_to_use(precision):
    precision("mixed_float16")
    with pytest.raises(ValueError, match="use mixed_bfloat16"):
        game().compile(sgd())


@pytest.mark.parametrize(
    ("make", "compile_with", "says"),
    [
        ({}, {"optimizer": {"critic": "adam"}}, "expected one for each of critic, maker"),
        ({}, {"optimizer": {"critic": "adam", "maker": "adam", "judge": "adam"}}, "judge"),
        ({}, {"optimizer": "adam", "loss": "mse"}, "leave loss out"),
        ({"critic_name": "the critic"}, {}, "'the critic'"),
        ({"critic_name": "maker"}, {}, "'maker'"),
        ({"repeats": 0}, {}, "at least 1"),
    ],
)
def test_what_cannot_be_compiled_is_named(make, compile_with, says):
    model = game(**make)
    with pytest.raises(ValueError, match=says):
        model.compile(**compile_with)


def test_one_optimizer_for_two_phases_is_refused():
    one = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="each its own object"):
        OptimizerGroup({"critic": one, "maker": one})


def test_sample_weights_are_refused(batch):
    model = game()
    model.compile(sgd(), run_eagerly=True)
    with pytest.raises(ValueError, match="leave sample_weight out"):
        model.fit(*batch, sample_weight=np.ones(40), verbose=0)


def test_reports_and_averages_are_checked(batch):
    model = game()
    with pytest.raises(ValueError, match=r"report: got 'distanse'; Game.reports has distance"):
        model.report("distanse", 1.0)
    model.averages = lambda: [Average(model.follower, model.maker, 1.0)]
    with pytest.raises(ValueError, match=r"momentum 1.0 for follower; expected at least 0 and below 1"):
        model.compile(sgd())
    model = game()
    model.reports = ("loss",)
    with pytest.raises(ValueError, match=r"reports: got loss, which a loss of the phases is called"):
        model.compile(sgd())
