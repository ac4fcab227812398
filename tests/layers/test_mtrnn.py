"""The MTRNN layer against its equations, written out unit by unit in float64 NumPy."""

import keras
import numpy as np
import pytest
from checks import check_layer
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.layers.mtrnn import CONNECTIONS, InitialStates, MTRNNLayer

D, FAST, SLOW = 4, 5, 3
SIZES = {"outputs": D, "fast": FAST, "slow": SLOW}
NAMES = list(SIZES)


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def layer_of(seed=0, **arguments):
    """A built layer, every weight a random number that is not small."""
    layer = MTRNNLayer(
        **{"fast_units": FAST, "slow_units": SLOW, "time_constants": (1.5, 4.0, 30.0), "dt": 0.5, **arguments}
    )
    layer.build((None, None, D), (None, SLOW))
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return layer


def problem(b=3, t=6, seed=1):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (b, t, D)).astype("float32"), rng.normal(0, 1, (b, SLOW)).astype("float32")


def weights_of(layer):
    """Name -> float64 array, of all that is trained."""
    return {weight.name: numpy_of(weight).astype("float64") for weight in layer.trainable_variables}


def by_the_paper(layer, weights, teacher, initial, blend):
    """Activities of the three groups, (b, t, n) each: the sums of the paper, a unit and a step at a time."""
    softmax = layer.output_activation == "softmax"

    def activity(name, potentials):
        if name != "outputs" or not softmax:
            return np.tanh(potentials)
        groups = np.exp(potentials).reshape(layer.groups, -1)
        return (groups / groups.sum(axis=1, keepdims=True)).reshape(-1)

    found = {name: np.zeros((*teacher.shape[:2], size)) for name, size in SIZES.items()}
    for sample in range(len(teacher)):
        u = {"outputs": np.zeros(D), "fast": np.zeros(FAST), "slow": initial[sample].astype("float64")}
        for t in range(teacher.shape[1]):
            x = {name: activity(name, u[name]) for name in NAMES}
            x["outputs"] = (1 - blend) * teacher[sample, t] + blend * x["outputs"]
            new = {}
            for (name, size), tau in zip(SIZES.items(), layer.time_constants, strict=True):
                new[name] = np.zeros(size)
                for i in range(size):
                    total = weights[f"{name}_bias"][i]
                    for source, to in CONNECTIONS:
                        if to == name:
                            total += sum(
                                x[source][j] * weights[f"{source}_to_{to}"][j, i] for j in range(SIZES[source])
                            )
                    new[name][i] = (1 - layer.dt / tau) * u[name][i] + layer.dt / tau * total
            u = new
            for name in NAMES:
                found[name][sample, t] = activity(name, u[name])
    return found


@pytest.mark.parametrize(
    "arguments", [{}, {"output_activation": "softmax", "groups": 2, "time_constants": (0.5, 4.0, 30.0)}]
)
@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("blend", [0.0, 0.3, 1.0])
def test_every_unit_follows_the_equations_of_the_paper(arguments, length, blend):
    layer = layer_of(blend=blend, return_states=True, **arguments)
    teacher, initial = problem(t=length)
    expected = by_the_paper(layer, weights_of(layer), teacher, initial, blend)
    for name, group in zip(NAMES, layer(teacher, initial, training=True), strict=True):
        np.testing.assert_allclose(numpy_of(group), expected[name], rtol=0, atol=2e-6)
    expected = by_the_paper(layer, weights_of(layer), teacher, initial, 1.0)
    for name, group in zip(NAMES, layer(teacher, initial), strict=True):
        np.testing.assert_allclose(numpy_of(group), expected[name], rtol=0, atol=2e-6)


@pytest.mark.parametrize("blend", [0.0, 0.6, 1.0])
def test_gradients_are_those_of_the_equations(blend):
    layer = layer_of(blend=blend)
    teacher, initial = problem()
    states = keras.Variable(initial)
    wanted = np.random.default_rng(2).uniform(-1, 1, teacher.shape)
    variables = [*layer.trainable_variables, states]

    def squares():
        return ops.sum(ops.square(ops.subtract(layer(teacher, states.value, training=True), wanted.astype("float32"))))

    _, gradients = value_and_grad(squares, variables)
    weights = {**weights_of(layer), "initial": initial.astype("float64")}

    def loss():
        dynamic = {name: value for name, value in weights.items() if name != "initial"}
        return np.square(by_the_paper(layer, dynamic, teacher, weights["initial"], blend)["outputs"] - wanted).sum()

    names = [variable.name for variable in layer.trainable_variables]
    for name, gradient in zip([*names, "initial"], gradients, strict=True):
        # One direction at random tells a wrong gradient from a right one; central differences err by about 1e-9 here.
        direction = np.random.default_rng(3).normal(size=weights[name].shape)
        before, step = weights[name], 1e-4
        weights[name] = before + step * direction
        above = loss()
        weights[name] = before - step * direction
        slope = (above - loss()) / (2 * step)
        weights[name] = before
        assert float((numpy_of(gradient) * direction).sum()) == pytest.approx(slope, rel=2e-5, abs=2e-5), name


@pytest.mark.parametrize("output", [{}, {"output_activation": "softmax", "groups": 2}])
def test_the_closed_loop_is_teacher_forcing_by_its_own_outputs(output):
    layer = layer_of(blend=0.0, **output)
    _, initial = problem()
    steps = 9
    own = numpy_of(layer(np.zeros((3, steps, D), "float32"), initial))
    # Before the first step every output's potential is 0: its activity is tanh 0, or an even share of its group.
    first = np.full((3, 1, D), 0.5 if output else 0.0, "float32")
    told = numpy_of(layer(np.concatenate([first, own[:, :-1]], axis=1), initial, training=True))
    np.testing.assert_allclose(told, own, rtol=0, atol=2e-6)


def test_the_closed_loop_takes_nothing_but_its_length_from_the_teacher():
    layer = layer_of()
    teacher, initial = problem()
    expected = numpy_of(layer(teacher, initial))
    np.testing.assert_array_equal(numpy_of(layer(np.full_like(teacher, np.nan), initial)), expected)
    np.testing.assert_array_equal(numpy_of(layer(teacher, initial, training=True)), expected)  # blend is 1
    assert np.abs(numpy_of(layer(teacher, -initial)) - expected).max() > 1e-3


def test_outputs_and_slow_units_meet_only_through_the_fast_ones():
    layer = layer_of(blend=0.0, return_states=True)
    teacher, initial = problem(t=4)
    other = teacher.copy()
    other[:, 0] += 0.5
    changed = [
        np.abs(numpy_of(a) - numpy_of(b)).max(axis=(0, 2)) > 0
        for a, b in zip(layer(teacher, initial, training=True), layer(other, initial, training=True), strict=True)
    ]
    # What goes in at one step is in the fast units at that step, in the slow ones a step later.
    outputs, fast, slow = (group.tolist() for group in changed)
    assert (outputs[0], fast[0], slow[0], slow[1]) == (True, True, False, True)

    moved = layer(teacher, initial + 0.5, training=True)
    changed = [
        np.abs(numpy_of(a) - numpy_of(b)).max(axis=(0, 2)) > 0
        for a, b in zip(layer(teacher, initial, training=True), moved, strict=True)
    ]
    outputs, fast, slow = (group.tolist() for group in changed)
    assert (outputs[0], outputs[1], fast[0], slow[0]) == (False, True, True, True)


def test_without_input_a_potential_decays_with_its_time_constant():
    layer = layer_of(time_constants=(2.0, 5.0, 70.0), dt=1.0, return_states=True)
    for weight in layer.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    _, initial = problem()
    _, _, slow = layer(np.zeros((3, 50, D), "float32"), initial)
    np.testing.assert_allclose(numpy_of(slow)[:, -1], np.tanh(initial * (1 - 1 / 70) ** 50), atol=1e-6)


def test_the_share_of_its_own_output_grows_with_the_steps_of_training_alone():
    layer, twin = layer_of(blend=0.8, blend_steps=2), layer_of(blend=0.0)
    teacher, initial = problem()
    for step in range(4):
        twin.blend = 0.8 * min(step / 2, 1)
        np.testing.assert_allclose(
            numpy_of(layer(teacher, initial, training=True)),
            numpy_of(twin(teacher, initial, training=True)),
            rtol=0,
            atol=1e-6,
        )
        if step == 0:
            layer(teacher, initial)
    assert int(numpy_of(layer.blended)) == 2


def test_half_precision_keeps_the_state_in_single():
    teacher, initial = problem(t=40)
    single, half = layer_of(), layer_of(dtype="mixed_bfloat16")
    expected, found = single(teacher, initial), half(teacher, initial)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    # The weights are rounded by 2^-9 of themselves; a state rounded at each of 40 steps is off by ten times this.
    np.testing.assert_allclose(numpy_of(ops.cast(found, "float32")), numpy_of(expected), rtol=0, atol=0.03)


def test_weights_are_drawn_for_the_number_of_units_that_reach_one():
    keras.utils.set_random_seed(0)
    layer = MTRNNLayer(fast_units=60, slow_units=30)
    layer.build((None, None, 20), (None, 30))
    found = {weight.name: numpy_of(weight) for weight in layer.trainable_variables}
    for to, reached in (("outputs", 80), ("fast", 110), ("slow", 90)):
        drawn = np.concatenate([found[f"{a}_to_{b}"].reshape(-1) for a, b in CONNECTIONS if b == to])
        assert drawn.std() == pytest.approx(reached**-0.5, rel=0.05)
        assert not found[f"{to}_bias"].any()


@pytest.mark.parametrize("states", [False, True])
def test_a_sequence_of_unknown_length_and_batch_goes_through_fit(states):
    teacher, given = keras.Input((None, D)), keras.Input((SLOW,))
    layer = MTRNNLayer(FAST, SLOW, blend=0.5, blend_steps=2, return_states=states)
    found = layer(teacher, given)
    model = keras.Model([teacher, given], found[0] if states else found)
    assert model.output_shape == (None, None, D)
    model.compile("sgd", "mse")
    for length in (5, 8):
        x, initial = problem(b=5, t=length)
        model.fit([x, initial], x, batch_size=2, verbose=0)
        assert model.predict([x, initial], verbose=0).shape == (5, length, D)
    assert int(numpy_of(layer.blended)) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"fast_units": 2, "slow_units": 1, "time_constants": (1.0, 3.0, 20.0), "dt": 0.5},
        {"fast_units": 2, "slow_units": 1, "output_activation": "softmax", "groups": 2},
        {"fast_units": 2, "slow_units": 1, "blend": 0.25, "blend_steps": 3},
    ],
)
def test_layer_keeps_the_contract(arguments, tmp_path):
    check_layer(MTRNNLayer, arguments, (5, 4), tmp_path, training_changes="blend" in arguments)


def test_initial_states_are_the_rows_of_their_indices():
    keras.utils.set_random_seed(0)
    layer = InitialStates(4, 3, stddev=0.5, name="states")
    found = numpy_of(layer(np.array([[2], [0], [2]], "int32")))
    table = numpy_of(layer.states)
    np.testing.assert_array_equal(found, table[[2, 0, 2]])
    assert 0.2 < table.std() < 0.9
    again = InitialStates.from_config(layer.get_config())
    assert (again.num_sequences, again.units, again.stddev, again.name) == (4, 3, 0.5, "states")
    assert layer(keras.KerasTensor((None, 1), "int32")).shape == (None, 3)


def test_each_initial_state_gets_the_gradient_of_its_own_sequence():
    layer = InitialStates(4, 2)
    index = np.array([[2], [0], [2]], "int32")
    layer.build((None, 1))
    scale = np.array([[1.0], [10.0], [100.0]], "float32")
    _, (gradient,) = value_and_grad(lambda: ops.sum(ops.multiply(layer(index), scale)), [layer.states])
    np.testing.assert_allclose(numpy_of(gradient), [[10, 10], [0, 0], [101, 101], [0, 0]])


@pytest.mark.parametrize("index", [-1, 4, 2**31 - 1])
def test_an_index_out_of_range_gives_nan_and_touches_no_other(index):
    found = numpy_of(InitialStates(4, 2)(np.array([[index], [1]])))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"time_constants": (2, -5, 70)}, r"time_constants: got \(2, -5, 70\); expected three times above 0"),
        ({"time_constants": (2, 0, 70)}, r"time_constants: got \(2, 0, 70\)"),
        ({"time_constants": (2, 70)}, r"such as \[2, 5, 70\]"),
        ({"time_constants": 5}, "time_constants: got 5"),
        ({"time_constants": (2, float("nan"), 70)}, "time_constants: got"),
        ({"dt": 3.0}, "dt: got 3.0, longer than the time constant 2.0.* take a dt of at most 2.0"),
        ({"dt": 0}, "dt: got 0; expected how long a step"),
        ({"output_activation": "relu"}, "output_activation: got 'relu'; allowed: tanh, softmax"),
        ({"blend": 1.5}, "blend: got 1.5; expected a share from 0"),
        ({"blend": True}, "blend: got True"),
        ({"blend_steps": -1}, "blend_steps: got -1; expected a whole number of at least 0"),
        ({"fast_units": 0}, "fast_units: got 0"),
        ({"slow_units": 2.0}, r"slow_units: got 2\.0"),
        ({"groups": 0}, "groups: got 0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        MTRNNLayer(**arguments)


def test_outputs_that_do_not_share_out_and_empty_sequences_are_refused():
    with pytest.raises(ValueError, match=r"groups: got 3 for 4 outputs, .* take a divisor"):
        MTRNNLayer(output_activation="softmax", groups=3)(np.zeros((1, 2, 4), "float32"))
    with pytest.raises(ValueError, match=r"empty sequence, of shape \(2, 0, 4\); leave it out"):
        MTRNNLayer()(np.zeros((2, 0, 4), "float32"))
    with pytest.raises(ValueError, match="num_sequences: got 0"):
        InitialStates(0, 3)
