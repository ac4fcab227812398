"""The GAN beside NumPy in float64: objectives, penalties, gradients; and its training."""

import keras
import numpy as np
import pytest
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.layers.initializers import RandomNormal
from kzoo.models.adversarial import OBJECTIVES, Adversarial
from kzoo.models.gan import GAN, PRESETS
from kzoo.models.points_gan import PointsGAN
from kzoo.ops import random
from kzoo.seeds import seeded
from kzoo.training import checkpoints

COUNT = 6


class Linear(Adversarial):
    """A generator z W and a discriminator c x (or a x^2), whose gradients anybody can write down."""

    latent_dim = 3

    def __init__(self, squares=False, **kwargs):
        super().__init__(discriminator_steps=1, momentum=0.9, **kwargs)
        noise, x = keras.Input((3,)), keras.Input((2,))
        self.generator = keras.Model([noise], _matrix("made", 2)(noise))
        self.average = keras.Model([noise], _matrix("followed", 2)(noise))
        self.discriminator = keras.Model([x], _matrix("score", 1)(x * x if squares else x))
        self.seeds = random.Seeds.of(5)
        self.built = True


def _matrix(name, width):
    return keras.layers.Dense(width, use_bias=False, kernel_initializer=RandomNormal(0.3, 0.4, seed=3), name=name)


def _numbers(model):
    """The weights W and c, and what a step draws, (noise, share): with a stream that is the model's twin."""
    twin = random.Seeds.of(5)
    noise = ops.convert_to_numpy(random.normal((COUNT, 3), twin.next(True))).astype("float64")
    share = ops.convert_to_numpy(random.uniform((COUNT, 1), twin.next(True))).astype("float64")
    made, score = (part.get_weights()[0].astype("float64") for part in (model.generator, model.discriminator))
    return made, score[:, 0], noise, share


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


# objective -> slopes of the discriminator's loss by the scores of real and made samples, and of the generator's
SLOPES = {
    "non_saturating": (lambda s: -_sigmoid(-s), _sigmoid, lambda s: -_sigmoid(-s)),
    "hinge": (lambda s: -1.0 * (s < 1), lambda s: 1.0 * (s > -1), lambda s: -np.ones_like(s)),
    "wasserstein": (lambda s: -np.ones_like(s), np.ones_like, lambda s: -np.ones_like(s)),
}
# objective -> the losses of scores
LOSSES = {
    "non_saturating": (
        lambda real, fake: np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean(),
        lambda fake: np.log1p(np.exp(-fake)).mean(),
    ),
    "hinge": (
        lambda real, fake: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


@pytest.fixture
def batch():
    return np.random.default_rng(1).normal(size=(COUNT, 2)).astype("float32")


@pytest.mark.parametrize(
    ("objective", "penalty"), [(o, p) for o in OBJECTIVES for p in (0.0, 2.5) if p or o != "wasserstein"]
)
def test_losses_and_gradients_of_both_phases_are_those_by_hand(objective, penalty, batch):
    model = Linear(objective=objective, penalty=penalty)
    made, c, noise, _ = _numbers(model)
    x, fake = batch.astype("float64"), noise @ made
    on_real, on_fake, on_generator = SLOPES[objective]
    length = np.linalg.norm(c)
    # The gradient of a linear score is c everywhere, whichever sample it is taken at.
    if objective == "wasserstein":
        extra, pull = penalty * (length - 1) ** 2, 2 * penalty * (length - 1) * c / length
    else:
        extra, pull = penalty / 2 * length**2, penalty * c
    by_score = (on_real(x @ c)[:, None] * x + on_fake(fake @ c)[:, None] * fake).mean(axis=0) + pull
    by_made = noise.T @ (on_generator(fake @ c)[:, None] * c) / COUNT

    loss, (gradient,) = _gradients(lambda: model.discriminator_loss(batch, None, True), model.discriminator)
    assert loss == pytest.approx(LOSSES[objective][0](x @ c, fake @ c) + extra, abs=1e-6)
    np.testing.assert_allclose(gradient[:, 0], by_score, rtol=0, atol=1e-6)

    model.seeds = random.Seeds.of(5)  # the same noise once more
    loss, (gradient,) = _gradients(lambda: model.generator_loss(batch, None, True), model.generator)
    assert loss == pytest.approx(LOSSES[objective][1](fake @ c), abs=1e-6)
    np.testing.assert_allclose(gradient, by_made, rtol=0, atol=1e-6)


@pytest.mark.parametrize("objective", ["non_saturating", "wasserstein"])
def test_the_penalty_is_taken_between_the_samples_or_at_the_real_ones(objective, batch):
    model = Linear(squares=True, objective=objective, penalty=2.5)
    made, a, noise, share = _numbers(model)
    x, fake = batch.astype("float64"), noise @ made
    # score = sum of a x^2, so that its gradient is 2 a x
    at = share * x + (1 - share) * fake if objective == "wasserstein" else x
    square = (4 * a**2 * at**2).sum(axis=1)
    if objective == "wasserstein":
        expected = 2.5 * ((np.sqrt(square) - 1) ** 2).mean()
        by_a = 2.5 * (2 * (1 - 1 / np.sqrt(square))[:, None] * 4 * a * at**2).mean(axis=0)
    else:
        expected = 1.25 * square.mean()
        by_a = 1.25 * (8 * a * at**2).mean(axis=0)
    model.seeds.next(True)  # the noise of the made samples, which are given here
    loss, (gradient,) = _gradients(
        lambda: model.gradient_penalty(ops.convert_to_tensor(batch), ops.convert_to_tensor(fake, "float32"), [], True),
        model.discriminator,
    )
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient[:, 0], by_a, rtol=2e-5)


def _gradients(loss, part):
    value, gradients = value_and_grad(loss, part.trainable_variables)
    return float(ops.convert_to_numpy(value)), [ops.convert_to_numpy(gradient) for gradient in gradients]


def _images(model, count=8):
    x = model.sample_inputs(count)
    return x, None if model.num_classes is None else np.arange(count, dtype="int32") % model.num_classes


def _gan(variant="mu", **arguments):
    with seeded(3):
        return GAN(**{**PRESETS[variant], **arguments})


def test_the_class_adds_the_inner_product_of_its_vector_with_the_features():
    model = _gan(objective="hinge")
    x, y = _images(model)
    features = keras.Model(model.discriminator.inputs, model.discriminator.get_layer("discriminator_features").output)
    f = ops.convert_to_numpy(features([2 * x - 1, np.eye(3, dtype="float32")[y]])).astype("float64")
    score = model.discriminator.get_layer("discriminator_score")
    score.bias.assign([0.7])
    w, bias = (part.astype("float64") for part in score.get_weights())
    vectors = model.discriminator.get_layer("discriminator_class").get_weights()[0].astype("float64")
    expected = (f @ w)[:, 0] + bias + (f * vectors[y]).sum(axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(model(x, y)), expected, rtol=0, atol=1e-5)


def _still(model, part):
    """SGD of rate 0, which leaves a weight as it is to the last bit, for all phases but that of `part`."""
    return {phase.name: keras.optimizers.SGD(0.1 * (phase.name == part)) for phase in model.phases()}


@pytest.mark.parametrize(("moved", "kept"), [("generator", "discriminator"), ("discriminator", "generator")])
def test_a_phase_leaves_the_other_network_untouched_to_the_last_bit(moved, kept):
    model = _gan(discriminator_steps=1)
    model.compile(_still(model, moved))
    before = {part: [v.numpy().copy() for v in getattr(model, part).trainable_variables] for part in (moved, kept)}
    statistics = [v.numpy().copy() for v in model.generator.non_trainable_variables]
    model.fit(*_images(model), verbose=0)
    after = {part: [v.numpy() for v in getattr(model, part).trainable_variables] for part in (moved, kept)}
    assert all(np.array_equal(a, b) for a, b in zip(before[kept], after[kept], strict=True))
    assert all(np.any(a != b) for a, b in zip(before[moved], after[moved], strict=True))
    assert not model.discriminator.non_trainable_variables or model.dropout
    # In both phases the generator normalises by its batch, and remembers it.
    for old, new in zip(statistics, model.generator.non_trainable_variables, strict=True):
        assert np.any(old != new.numpy()), new.path


def test_it_trains_validates_saves_and_resumes_where_an_uninterrupted_run_goes_on(tmp_path):
    def made():
        model = _gan()
        model.compile(keras.optimizers.Adam(0.01, beta_1=0.5))
        return model

    x, y = _images(whole := made(), 12)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    history = whole.fit(x, y, validation_data=(x, y), **options).history
    assert set(history) == {
        f"{part}{name}"
        for part in ("", "val_")
        for name in ("loss", "discriminator_loss", "generator_loss", "real_score", "fake_score")
    }
    assert all(np.isfinite(values).all() for values in history.values())
    checkpoints.save(tmp_path / "last.keras", whole, {})
    images = whole.sample(5, 1)
    whole.fit(x, y, **options)
    assert np.any(whole.sample(5, 1) != images)

    second = made()
    checkpoints.load_into(tmp_path / "last.keras", second)
    np.testing.assert_allclose(second.sample(5, 1), images, rtol=0, atol=1e-6)
    second.fit(x, y, **options)
    for ours, theirs in zip(whole.weights, second.weights, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy()), ours.path

    loaded = keras.saving.load_model(tmp_path / "last.keras", safe_mode=True)
    assert loaded.get_config() == whole.get_config()
    np.testing.assert_allclose(loaded.sample(5, 1), images, rtol=0, atol=1e-6)
    assert set(loaded.evaluate(x, y, verbose=0, return_dict=True)) == {k for k in history if "val" not in k}


def test_samples_are_images_of_the_average_by_seed_and_class():
    model = _gan()
    found = model.sample(7, 2, seed=4)
    assert found.shape == (7, 4, 6, 2)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(model.sample(3, 2, seed=4), found[:3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.sample(7, 2, seed=4, batch_size=2), found, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.decode(model.noise(7, 4), 2), found, rtol=0, atol=1e-6)
    for other in (model.sample(7, 2, seed=5), model.sample(7, 1, seed=4)):
        assert np.abs(other - found).max() > 1e-3
    model.generator.set_weights([0 * weight for weight in model.generator.get_weights()])
    np.testing.assert_array_equal(model.sample(7, 2, seed=4), found)
    model.average.set_weights(model.generator.get_weights())
    np.testing.assert_array_equal(model.sample(7, 2, seed=4), np.full_like(found, 0.5))


def test_mixed_precision_trains_and_makes_images_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = _gan(penalty=1.0)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.generator.get_layer("generator_small").compute_dtype == "bfloat16"
    model.compile(keras.optimizers.Adam(0.01))
    weights = [variable.numpy().copy() for variable in model.trainable_variables]
    history = model.fit(*_images(model), verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)
    assert all(np.any(old != v.numpy()) for old, v in zip(weights, model.trainable_variables, strict=True))
    assert model.sample(2, 0).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"objective": "wgan"}, "objective: got 'wgan'; allowed: non_saturating, hinge, wasserstein"),
        ({"objective": "wasserstein", "penalty": 0.0}, "grow without bound; give a weight above 0, such as 10"),
        ({"penalty": -1.0}, "penalty: got -1.0; expected a weight of at least 0"),
        ({"penalty": float("inf")}, "penalty: got inf"),
        ({"discriminator_steps": 0}, "discriminator_steps: got 0"),
        ({"momentum": 1.0}, "momentum: got 1.0; expected a number, at least 0 and below 1"),
        ({"latent_dim": 0}, "latent_dim: got 0"),
        ({"dropout": 1.0}, "dropout: got 1.0"),
        ({"filters": ()}, "filters: got \\(\\)"),
        ({"filters": (3, 4)}, "images of 4 x 6 cannot be halved 2 times; give fewer filters"),
        ({"input_shape": (4, 8)}, "input_shape: got \\(4, 8\\)"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        GAN(**{**PRESETS["mu"], **arguments})


def test_labels_are_demanded_by_a_conditional_model_and_refused_by_another():
    model, other = _gan(), _gan("mu-plain")
    x, y = _images(model)
    with pytest.raises(ValueError, match="num_classes=3; expected a label from 0 to 2"):
        model.generator_loss(x, None, True)
    with pytest.raises(ValueError, match="makes images of a class"):
        model.sample(4)
    with pytest.raises(ValueError, match="trained without classes"):
        other.sample(4, 1)
    with pytest.raises(ValueError, match="got the shape \\(2, 5\\); expected \\(n, 3\\)"):
        other.decode(np.zeros((2, 5)))
    # A data set may bring labels along.
    loss, _ = _gradients(lambda: other.discriminator_loss(other.sample_inputs(4), y[:4], False), other.discriminator)
    assert np.isfinite(loss)


def _points(**arguments):
    with seeded(1):
        return PointsGAN(**{"latent_dim": 2, "hidden_dims": (16,), **arguments})


def test_points_come_to_lie_where_the_real_ones_do(tmp_path):
    x = np.random.default_rng(0).normal((2.0, -1.0), (0.5, 0.2), (256, 2)).astype("float32")
    model = _points(penalty=0.1)
    before = model.sample(200)
    model.compile(keras.optimizers.Adam(0.01, beta_1=0.5))
    model.fit(x, batch_size=64, epochs=60, verbose=0)
    found = model.sample(200)
    assert np.abs(found.mean(axis=0) - x.mean(axis=0)).max() < 0.3
    assert np.abs(before.mean(axis=0) - x.mean(axis=0)).max() > 0.5
    assert np.any(model.sample(200, average=False) != found)
    model.save(tmp_path / "points.keras")
    loaded = keras.saving.load_model(tmp_path / "points.keras", safe_mode=True)
    assert loaded.get_config() == model.get_config()
    np.testing.assert_allclose(loaded.sample(200), found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("objective", ["non_saturating", "hinge"])
def test_points_are_pulled_downhill_the_loss_of_each(objective):
    model = _points(objective=objective)
    points = model.sample_inputs(5)
    scores = model.scores(points).astype("float64")
    assert scores.shape == (5,)
    step = 1e-2
    slopes = [
        (model.scores(points + step * e) - model.scores(points - step * e)) / (2 * step)
        for e in np.eye(2, dtype="float32")
    ]
    by_score = _sigmoid(-scores) if objective == "non_saturating" else np.ones(5)
    # Differences of float32 scores over 0.02; no point here lies within that of a kink.
    np.testing.assert_allclose(model.pulls(points), by_score[:, None] * np.stack(slopes, axis=1), rtol=0, atol=1e-3)
