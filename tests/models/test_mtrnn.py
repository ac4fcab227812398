"""The MTRNN: closed loops, learned initial states, additional training, saving, and one seed on three backends."""

import inspect
import json

import keras
import numpy as np
import pytest

from kzoo.data import primitives as data
from kzoo.models.mtrnn import MTRNN, PRESETS
from kzoo.seeds import seeded

SMALL = {"num_sequences": 3, "fast_units": 6, "slow_units": 4}


def model_of(seed=0, **arguments):
    """A model whose initial states are far enough apart to show."""
    with seeded(seed):
        model = MTRNN(**{**SMALL, **arguments})
    model.get_layer("initial_states").states.assign(np.random.default_rng(seed).normal(size=(3, 4)))
    return model


def lesson(cycles=1, period=10):
    """Circle, eight and three loops."""
    return data.lessons(data.primitives(np.random.default_rng(0), 3, cycles, period, rest=4))


def test_a_prediction_is_the_closed_loop_from_the_state_of_its_index():
    model = model_of()
    x, _ = lesson()
    found = model.predict(x, verbose=0)
    steps = found.shape[1]
    generated = model.generate([0, 1, 2], steps)
    assert {name: value.shape for name, value in generated.items()} == {
        "outputs": (3, steps, 2),
        "fast": (3, steps, 6),
        "slow": (3, steps, 4),
    }
    np.testing.assert_allclose(generated["outputs"], found, rtol=0, atol=1e-6)
    # The index alone decides: neither the teacher nor the place in the batch does.
    turned = model.predict({"teacher": -5 * x["teacher"], "index": np.array([[2], [2], [0]])}, verbose=0)
    np.testing.assert_allclose(turned, found[[2, 2, 0]], rtol=0, atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_a_shorter_sequence_is_the_beginning_of_a_longer_one_and_a_state_stands_for_its_index():
    model = model_of()
    long = model.generate(1, 30)
    short = model.generate(state=model.initial_states()[1], steps=9)
    for name, value in short.items():
        np.testing.assert_allclose(value, long[name][:, :9], rtol=0, atol=1e-6)


def test_activations_are_those_of_the_closed_loop():
    model = model_of()
    x, _ = lesson()
    found, generated = model.activations(x), model.generate([0, 1, 2], x["teacher"].shape[1])
    assert list(found) == ["initial_states", "slow", "fast", "outputs"]
    np.testing.assert_array_equal(found["initial_states"], model.initial_states())
    for name in ("slow", "fast", "outputs"):
        np.testing.assert_allclose(found[name], generated[name], rtol=0, atol=1e-6)


def test_validation_measures_the_closed_loop_and_training_the_blend():
    model = model_of(blend=0.0)
    x, y = lesson()
    model.compile(keras.optimizers.SGD(0.0), model.training_loss())
    history = model.fit(x, y, batch_size=3, validation_data=(x, y), verbose=0).history
    closed = np.square(model.generate([0, 1, 2], y.shape[1])["outputs"] - y).mean()
    dynamics = model.get_layer("dynamics")
    told = keras.ops.convert_to_numpy(dynamics(x["teacher"], model.initial_states(), training=True)[0])
    assert history["val_loss"][0] == pytest.approx(closed, abs=1e-6)
    assert history["loss"][0] == pytest.approx(np.square(told - y).mean(), abs=1e-6)
    assert abs(closed - np.square(told - y).mean()) > 1e-3


def test_it_learns_three_movements_and_walks_them_from_its_initial_states_alone():
    x, y = lesson()
    with seeded(1):
        model = MTRNN(num_sequences=3, fast_units=24, slow_units=4, time_constants=(2, 4, 20), blend_steps=150)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 300), global_clipnorm=1.0),
        model.training_loss(),
    )
    before = model.initial_states()
    repeated = keras.tree.map_structure(lambda part: np.concatenate([part] * 300), (x, y))
    model.fit(*repeated, batch_size=3, shuffle=False, verbose=0)
    error = np.sqrt(np.square(model.generate([0, 1, 2], y.shape[1])["outputs"] - y).mean(axis=(1, 2)))
    # Silence is wrong by 0.57 (root mean square), a primitive for another by 0.6 and more.
    assert error.max() < 0.2
    assert (np.abs(model.initial_states() - before).max(axis=1) > 0.05).all()


def test_additional_training_changes_the_connections_of_the_slow_units_and_the_initial_states_alone():
    model = model_of(blend=0.5)
    model.train_slow_alone()
    x, y = lesson()
    model.compile(keras.optimizers.Adam(0.01), model.training_loss())
    before = {weight.path: weight.numpy().copy() for weight in model.weights}
    model.fit(x, y, batch_size=3, epochs=2, verbose=0)
    changed = {weight.path for weight in model.weights if not np.array_equal(weight.numpy(), before[weight.path])}
    assert changed == {
        "initial_states/states",
        *(f"dynamics/{name}" for name in ("fast_to_slow", "slow_to_fast", "slow_to_slow", "slow_bias")),
    }


def test_one_seed_gives_one_course_of_the_loss_on_every_backend():
    with seeded(11):
        model = MTRNN(**SMALL, blend=0.9, blend_steps=3)
    x, y = lesson()
    model.compile(keras.optimizers.Adam(0.01), model.training_loss())
    losses = model.fit(x, y, batch_size=3, epochs=5, shuffle=False, verbose=0).history["loss"]
    # Literal, so that the session of each backend proves the same.
    np.testing.assert_allclose(losses, COURSE, rtol=0, atol=1e-6)


COURSE = [0.3388509, 0.3148528, 0.3017899, 0.3056781, 0.3024743]


@pytest.mark.parametrize("variant", PRESETS)
def test_the_configuration_is_complete_and_a_saved_model_is_the_same_model(variant, tmp_path):
    given = PRESETS[variant]
    model = MTRNN(**given)
    config = model.get_config()
    json.dumps(config)
    for key, parameter in inspect.signature(MTRNN.__init__).parameters.items():
        if key not in ("self", "kwargs"):
            expected = given.get(key, parameter.default)
            assert config[key] == (list(expected) if isinstance(expected, tuple) else expected), key
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape) if weight.trainable else 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.get_config() == config
    for weight, again in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(again.numpy(), weight.numpy())
    x = model.sample_inputs(3)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=0, atol=1e-6)


def test_the_loss_of_a_population_code_is_the_divergence_summed_over_its_groups():
    model = MTRNN(20, 3, fast_units=6, slow_units=3, output_activation="softmax", groups=2)
    x, y = lesson()
    x["teacher"], y = data.population_code(x["teacher"]), data.population_code(y)
    model.compile(keras.optimizers.SGD(0.0), model.training_loss())
    p, q = y.astype("float64"), model.predict(x, verbose=0).astype("float64")
    np.testing.assert_allclose(q.reshape(3, -1, 2, 10).sum(axis=-1), 1, atol=1e-5)
    p, q = np.maximum(p, 1e-7), np.maximum(q, 1e-7)  # as Keras does, against the logarithm of 0
    expected = (p * np.log(p / q)).sum(axis=-1).mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_outputs": 0}, "num_outputs: got 0; expected a whole number of at least 1"),
        ({"num_sequences": 2.5}, r"num_sequences: got 2\.5"),
        ({"slow_units": 0}, "slow_units: got 0"),
        ({"time_constants": [2, -5, 70]}, r"time_constants: got \[2, -5, 70\]; expected three times above 0"),
        ({"dt": 4}, r"dt: got 4, longer than the time constant 2\.0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        MTRNN(**arguments)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.generate(3, 5), "index: got 3; expected whole numbers from 0 to 2"),
        (lambda m: m.generate([0, -1], 5), r"index: got \[0, -1\]"),
        (lambda m: m.generate(0.5, 5), r"index: got 0\.5"),
        (lambda m: m.generate([], 5), r"index: got \[\]"),
        (lambda m: m.generate(0, 0), "steps: got 0; expected a whole number of at least 1"),
        (lambda m: m.generate(0, 2.0), r"steps: got 2\.0"),
        (lambda m: m.generate(state=np.zeros((2, 3)), steps=5), r"state: got the shape \(2, 3\); expected \(b, 4\)"),
        (lambda m: m.generate(steps=5), "and not both"),
        (lambda m: m.generate(0, 5, state=np.zeros(4)), "and not both"),
        (lambda m: m.activations({"teacher": np.zeros((1, 5, 2)), "index": [[7]]}), r"index: got \[\[7\]\]"),
        (lambda m: m.training_loss(0.1), "label_smoothing"),
    ],
)
def test_a_wrong_call_is_refused_with_what_is_allowed(call, words):
    with pytest.raises(ValueError, match=words):
        call(model_of())


def test_an_empty_sequence_is_refused():
    with pytest.raises(ValueError, match="empty sequence"):
        model_of()({"teacher": np.zeros((1, 0, 2), "float32"), "index": np.zeros((1, 1), "int32")})
