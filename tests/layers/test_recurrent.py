"""`SimpleRNN`, `LSTM` and `GRU` beside the layers of Keras with the same weights, and beside torch's own."""

import keras
import numpy as np
import pytest
from checks import check_layer
from keras import ops

from kzoo import backend, registry, seeds
from kzoo.layers import recurrent

BATCH, TIME, WIDTH, UNITS = 3, 7, 4, 5
NAMES = ["SimpleRNN", "LSTM", "GRU"]
# What jit_compile may be; without it JAX runs op by op, which says nothing new and takes minutes.
COMPILED = {"jax": [True], "torch": [False], "tensorflow": [False, True]}[keras.backend.backend()]
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}


def numpy(nest):
    return keras.tree.map_structure(ops.convert_to_numpy, nest)


def inputs(seed=0):
    return np.random.default_rng(seed).normal(size=(BATCH, TIME, WIDTH)).astype("float32")


def some_mask():
    mask = np.ones((BATCH, TIME), bool)
    mask[0, 4:] = False  # padded at the end
    mask[1, :3] = False  # at the start
    mask[2, [1, 2, 5]] = False
    return mask


def pair(name, **options):
    """kzoo's layer and Keras's, built, with the same random weights."""
    native = options.pop("native", True)
    own = getattr(recurrent, name)(UNITS, native=native, **options)
    keras_layer = getattr(keras.layers, name)(UNITS, **options)
    generator = np.random.default_rng(1)
    for layer in (own, keras_layer):
        layer.build((BATCH, TIME, WIDTH))
    weights = [generator.normal(size=weight.shape).astype("float32") / 2 for weight in keras_layer.get_weights()]
    own.set_weights(weights)
    keras_layer.set_weights(own.get_weights())
    return own, keras_layer


def outputs_and_gradients(layer, x, **call):
    """Outputs and states, and the gradients of their weighted sum with respect to inputs, states and weights."""
    variables = {"x": keras.Variable(x)}
    for i, state in enumerate(call.pop("initial_state", [])):
        variables[f"state {i}"] = keras.Variable(state)
    names = list(variables)

    def run():
        state = [ops.convert_to_tensor(variables[name]) for name in names[1:]]
        found = layer(ops.convert_to_tensor(variables["x"]), **call, **({"initial_state": state} if state else {}))
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def loss():
        # A cotangent without symmetry, so that an exchange of two steps or units shows.
        return sum(
            ops.sum(value * ops.convert_to_tensor(np.cos(1.7 * np.arange(size)).reshape(shape).astype("float32")))
            for value in run()
            for shape in [tuple(value.shape)]
            for size in [int(np.prod(shape))]
        )

    sources = [*variables.values(), *layer.trainable_variables]

    def both():
        return run(), backend.value_and_grad(loss, sources)[1]

    if keras.backend.backend() == "jax":
        import jax

        both = jax.jit(both)  # op by op it takes ten times as long
    return numpy(both())


def assert_equal(own, other, x, **call):
    found, gradients = outputs_and_gradients(own, x, **call)
    expected, expected_gradients = outputs_and_gradients(other, x, **call)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(gradients, expected_gradients, strict=True):
        # Sums over batch and time of terms of order 1.
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True},
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "return_state": True, "go_backwards": True},
        {"return_state": True, "go_backwards": True},
    ],
    ids=lambda options: " ".join(options) or "last output",
)
def test_outputs_states_and_gradients_equal_those_of_keras(name, native, options):
    own, other = pair(name, native=native, **options)
    assert_equal(own, other, inputs())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("native", [True, False])
def test_an_initial_state_is_taken_and_gets_a_gradient_as_in_keras(name, native):
    own, other = pair(name, native=native, return_sequences=True, return_state=True)
    state = [np.random.default_rng(i).normal(size=(BATCH, UNITS)).astype("float32") for i in range(STATES[name])]
    assert_equal(own, other, inputs(), initial_state=state)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options", [{}, {"go_backwards": True}, {"return_sequences": True, "return_state": True}], ids=str
)
def test_a_mask_holds_state_and_output_as_in_keras(name, options):
    own, other = pair(name, **options)
    assert_equal(own, other, inputs(), mask=some_mask())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_mask_hides_may_be_nan(name):
    own, _ = pair(name, return_sequences=True)
    clean = outputs_and_gradients(own, inputs(), mask=some_mask())
    spoilt = outputs_and_gradients(own, np.where(some_mask()[..., None], inputs(), np.nan), mask=some_mask())
    for a, b in zip(clean[0] + clean[1], spoilt[0] + spoilt[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("native", [True, False])
def test_another_activation_of_the_simple_rnn_equals_that_of_keras(activation, native):
    assert_equal(*pair("SimpleRNN", native=native, activation=activation, return_sequences=True), inputs())


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="torch alone has kernels of its own")
@pytest.mark.parametrize("name", NAMES)
def test_the_native_kernel_runs_where_it_can_and_the_scan_elsewhere(name, monkeypatch):
    own, _ = pair(name)
    runs = []
    scan = backend.scan
    monkeypatch.setattr(backend, "scan", lambda *a, **k: runs.append(1) or scan(*a, **k))
    own(inputs())
    assert not runs
    own(inputs(), mask=some_mask())
    own.native = False
    own(inputs())
    assert len(runs) == 2


@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_have_the_shapes_and_laws_of_keras_and_depend_on_the_seed_alone(name):
    def made(seed):
        with seeds.seeded(seed):
            layer = getattr(recurrent, name)(64)
        layer.build((None, TIME, 32))
        return layer.get_weights()

    kernel, recurrent_kernel, bias = made(3)
    other = getattr(keras.layers, name)(64)
    other.build((None, TIME, 32))
    assert [w.shape for w in (kernel, recurrent_kernel, bias)] == [w.shape for w in other.get_weights()]
    np.testing.assert_array_equal(bias, other.get_weights()[2])
    limit = np.sqrt(6 / sum(kernel.shape))
    assert 0.98 * limit < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(recurrent_kernel @ recurrent_kernel.T, np.eye(64), atol=1e-5)
    for weight, same, different in zip((kernel, recurrent_kernel), made(3)[:2], made(4)[:2], strict=True):
        np.testing.assert_array_equal(weight, same)
        assert (weight != different).mean() > 0.9


def test_the_forget_bias_is_a_number_or_spread_over_the_times_up_to_max_time():
    def gates(**options):
        layer = recurrent.LSTM(400, **options)
        layer.build((None, TIME, 1))
        return layer.get_weights()[2].reshape(4, 400)

    np.testing.assert_array_equal(gates()[1], 1)
    np.testing.assert_array_equal(gates(forget_bias=-2.5), np.repeat([[0], [-2.5], [0], [0]], 400, axis=1))
    with seeds.seeded(1):
        chrono = gates(forget_bias="chrono", max_time=100)
    times = np.exp(chrono[1])
    assert 1 <= times.min() < 3
    assert 97 < times.max() <= 99
    # The mean of 400 uniform draws from (1, 99) scatters by 98 / sqrt(12 * 400) = 1.4; four of these.
    assert abs(times.mean() - 50) < 5.7
    np.testing.assert_array_equal(chrono[0], -chrono[1])
    np.testing.assert_array_equal(chrono[2:], 0)
    with seeds.seeded(1):
        np.testing.assert_array_equal(gates(forget_bias="chrono", max_time=100), chrono)


EXPECTED_TRACE = {"SimpleRNN": {"h"}, "LSTM": {"i", "f", "g", "o", "c", "h"}, "GRU": {"z", "r", "n", "h"}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("go_backwards", [False, True])
def test_a_trace_holds_every_gate_and_agrees_with_the_outputs(name, go_backwards):
    layer, _ = pair(name, return_sequences=True, go_backwards=go_backwards)
    x = inputs()
    trace = numpy(layer.trace(x))
    assert set(trace) == EXPECTED_TRACE[name]
    assert all(value.shape == (BATCH, TIME, UNITS) for value in trace.values())
    y = numpy(layer(x))
    np.testing.assert_allclose(trace["h"], y[:, ::-1] if go_backwards else y, atol=1e-6)
    before = -1 if go_backwards else 1

    def previous(value):
        shifted = np.roll(value, before, axis=1)
        shifted[:, -1 if go_backwards else 0] = 0
        return shifted

    if name == "LSTM":
        cell = trace["f"] * previous(trace["c"]) + trace["i"] * trace["g"]
        np.testing.assert_allclose(trace["c"], cell, atol=1e-5)
        np.testing.assert_allclose(trace["h"], trace["o"] * np.tanh(trace["c"]), atol=1e-5)
    if name == "GRU":
        mixed = trace["z"] * previous(trace["h"]) + (1 - trace["z"]) * trace["n"]
        np.testing.assert_allclose(trace["h"], mixed, atol=1e-5)


def test_a_trace_builds_the_layer_that_it_needs():
    assert recurrent.LSTM(UNITS).trace(inputs())["c"].shape == (BATCH, TIME, UNITS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mask", [None, some_mask()], ids=["plain", "masked"])
def test_bidirectional_of_keras_takes_the_layer(name, mask):
    own, other = (
        keras.layers.Bidirectional(getattr(module, name)(UNITS, return_sequences=True))
        for module in (recurrent, keras.layers)
    )
    x = inputs()
    own.build(x.shape)
    other.build(x.shape)
    weights = [np.random.default_rng(i).normal(size=w.shape) / 2 for i, w in enumerate(other.get_weights())]
    own.set_weights(weights)
    other.set_weights(weights)
    np.testing.assert_allclose(numpy(own(x, mask=mask)), numpy(other(x, mask=mask)), atol=1e-5)


@pytest.mark.parametrize("jit", COMPILED)
@pytest.mark.parametrize("name", NAMES)
def test_fit_learns_as_the_layer_of_keras_learns(name, jit):
    own, other = pair(name, return_sequences=True)
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(7, TIME, WIDTH)), generator.normal(size=(7, TIME, UNITS))
    x[5, 4:] = 0
    trained = []
    for layer in (own, other):
        model = keras.Sequential([keras.Input((TIME, WIDTH)), keras.layers.Masking(), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for a, b in zip(*trained, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a trap of XLA in TensorFlow")
def test_a_training_step_is_compiled_once():
    import time

    model = keras.Sequential([keras.Input((TIME, WIDTH)), recurrent.LSTM(UNITS)])
    model.compile("sgd", "mse", jit_compile=True)
    seconds = []
    for _ in range(4):
        start = time.process_time()
        model.train_on_batch(inputs(), np.zeros((BATCH, UNITS), "float32"))
        seconds.append(time.process_time() - start)
    # Compiling takes a second. XLA did it at each step, where it took the weights for constants.
    assert max(seconds[2:]) < 0.2 * seconds[0]


def test_mixed_precision_stays_near_float32():
    for name in NAMES:
        full, _ = pair(name, return_sequences=True)
        half = getattr(recurrent, name)(UNITS, return_sequences=True, dtype="mixed_bfloat16")
        half.build((BATCH, TIME, WIDTH))
        half.set_weights(full.get_weights())
        found = half(inputs())
        assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
        # Eight bits of mantissa, seven steps.
        np.testing.assert_allclose(numpy(ops.cast(found, "float32")), numpy(full(inputs())), atol=0.05)


def test_a_sequence_of_one_step_and_a_batch_of_one():
    for name in NAMES:
        own, other = pair(name, return_sequences=True)
        for shape in ((1, 1, WIDTH), (1, 5, WIDTH), (4, 1, WIDTH)):
            x = np.random.default_rng(0).normal(size=shape).astype("float32")
            np.testing.assert_allclose(numpy(own(x)), numpy(other(x)), atol=1e-5)


def test_symbolic_shapes_need_no_run_of_the_layer():
    x = keras.Input((None, WIDTH))
    for name in NAMES:
        layer = getattr(recurrent, name)(UNITS, return_sequences=True, return_state=True)
        y, *states = layer(x)
        assert y.shape == (None, None, UNITS)
        assert [state.shape for state in states] == [(None, UNITS)] * STATES[name]
        again = getattr(recurrent, name)(UNITS)(x, initial_state=states)
        model = keras.Model(x, again)
        assert model.predict(inputs(), verbose=0).shape == (BATCH, UNITS)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("SimpleRNN", {"units": 3, "activation": "relu", "return_sequences": True, "native": False}),
        ("SimpleRNN", {"units": 3, "go_backwards": True}),
        ("LSTM", {"units": 3, "return_sequences": True, "forget_bias": 2.0, "native": False}),
        ("LSTM", {"units": 3, "go_backwards": True, "forget_bias": "chrono", "max_time": 20}),
        ("GRU", {"units": 3, "return_sequences": True, "go_backwards": True, "native": False}),
        ("GRU", {"units": 3, "update_bias": "chrono", "max_time": 20}),
    ],
)
def test_layer_keeps_the_contract(name, arguments, tmp_path):
    check_layer(getattr(recurrent, name), arguments, (TIME, WIDTH), tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: recurrent.LSTM(0), ["units=0", "for example 64"]),
        (lambda: recurrent.GRU(2.5), ["units=2.5"]),
        (lambda: recurrent.LSTM(3, forget_bias="large"), ["forget_bias='large'", '"chrono"']),
        (lambda: recurrent.LSTM(3, forget_bias="chrono"), ["max_time=None", "longest dependence"]),
        (lambda: recurrent.LSTM(3, max_time=10), ["forget_bias=1.0", "max_time=10"]),
        (lambda: recurrent.LSTM(3, forget_bias="chrono", max_time=1), ["max_time=1", "at least 2"]),
        (lambda: recurrent.GRU(3)(np.zeros((2, 0, 4), "float32")), ["at least one step", "(2, 0, 4)"]),
        (lambda: recurrent.GRU(3)(np.zeros((2, 5, 4)), mask=np.ones((2, 4), bool)), ["(2, 5)", "(2, 4)"]),
        (lambda: recurrent.LSTM(3)(np.zeros((2, 5, 4)), initial_state=[np.zeros((2, 3))]), ["of 2: h, c", "(2, 3)"]),
        (lambda: recurrent.GRU(3)(np.zeros((2, 5, 4)), initial_state=[np.zeros((2, 4))]), ["(b, 3)", "(2, 4)"]),
        (lambda: recurrent.LSTM(3)(np.zeros((2, 5, 4)), initial_state=[np.zeros((1, 3))] * 2), ["(1, 3)", "(2, 5, 4)"]),
        (lambda: recurrent.LSTM(3)(np.zeros((2, 5, 4)), initial_state=[np.zeros((6, 3))] * 2), ["(6, 3)", "(2, 5, 4)"]),
        (lambda: recurrent.LSTM(3, forget_bias=float("nan")), ["forget_bias=nan"]),
        (lambda: recurrent.LSTM(3, forget_bias="chrono", max_time="20"), ["max_time='20'"]),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_what_was_received_and_the_remedy(make, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_a_layer_is_not_taken_for_the_model_of_its_name(name, tmp_path):
    registry.model_info(name.lower()).load()  # registers its class with Keras
    model = keras.Sequential([keras.Input((4, 2)), getattr(recurrent, name)(3)])
    model.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    assert type(loaded.layers[0]) is getattr(recurrent, name)
    x = np.ones((2, 4, 2), "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(x)), ops.convert_to_numpy(model(x)), rtol=0, atol=1e-6)
