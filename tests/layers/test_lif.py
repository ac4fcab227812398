"""The LIF layer beside Brian2 and `kzoo.bio`, in float64; its states, masks and dtypes; the membrane without spikes."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from checks import check_layer
from keras import ops

from kzoo.backend import value_and_grad
from kzoo.bio import neuron as bio
from kzoo.bio import parameters
from kzoo.layers.lif import LIF, LeakyIntegrator

# 50 neurons and 5,000 steps of noise around the current that just makes a neuron fire.
NEURONS, STEPS, DT = 50, 5000, 1e-4
T_REFS = (0.0, 2e-3)

# float64 needs a process of its own: one backend of the three decides on it before its first number.
FLOAT64 = """
import dataclasses, sys
import kzoo
import keras, numpy as np
from kzoo.bio.parameters import LIF as Parameters
from kzoo.backend import compiled
from kzoo.layers.lif import LIF

keras.config.set_floatx("float64")
current, found = np.load(sys.argv[1])["current"], {}
for t_ref in map(float, sys.argv[3:]):
    parameters = Parameters(t_ref=t_ref)
    layer = LIF(current.shape[1], **dataclasses.asdict(parameters), dt=1e-4, return_voltages=True, dtype="float64")
    layer.build(current[None].shape)
    spikes, voltages = map(keras.ops.convert_to_numpy, compiled(layer, [])(current[None]))
    assert spikes.dtype == voltages.dtype == "float64"
    found[f"spikes {t_ref}"], found[f"voltages {t_ref}"] = spikes[0], voltages[0]
np.savez(sys.argv[2], **found)
"""


def noise():
    rng = np.random.default_rng(0)
    return rng.normal(0.25e-9, 0.5e-9, (STEPS, NEURONS))


@pytest.fixture(scope="module")
def in_float64(tmp_path_factory):
    folder = tmp_path_factory.mktemp("float64")
    np.savez(folder / "given.npz", current=noise())
    command = [sys.executable, "-c", FLOAT64, folder / "given.npz", folder / "found.npz", *map(str, T_REFS)]
    environment = os.environ | {"JAX_ENABLE_X64": "1"}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "found.npz"))


@pytest.mark.parametrize("t_ref", T_REFS)
@pytest.mark.parametrize("engine", ["numpy", "brian-numpy"])
def test_in_float64_every_spike_is_brian2s(engine, t_ref, in_float64):
    if engine != "numpy" and importlib.util.find_spec("brian2") is None:
        pytest.skip("needs Brian2")
    recording = bio.simulate(parameters.LIF(t_ref=t_ref), noise(), DT, engine=engine)
    assert recording.engine == engine
    assert 500 < recording.spikes.sum() < 5000
    np.testing.assert_array_equal(in_float64[f"spikes {t_ref}"], recording.spikes)
    np.testing.assert_allclose(in_float64[f"voltages {t_ref}"], recording.voltage, rtol=0, atol=1e-12)


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def currents(b=3, t=20, u=4, seed=0):
    return np.random.default_rng(seed).normal(1.2, 1.5, (b, t, u)).astype("float32")


DYNAMICS = {"units": 4, "tau": 3.0, "resistance": 2.0, "v_rest": 0.1, "v_threshold": 0.9, "v_reset": -0.2, "t_ref": 3.0}


def test_an_euler_step_is_forward_euler_and_the_exact_one_solves_the_equation():
    x = np.full((1, 6, 1), 0.9, "float32")
    given = {"tau": 4.0, "v_rest": 0.1, "return_voltages": True}
    euler, exact = (numpy_of(LIF(1, integration=kind, **given)(x)[1])[0, :, 0] for kind in ("euler", "exact"))
    v = [0.1]
    for _ in range(5):
        v.append(v[-1] + 1 / 4 * (-(v[-1] - 0.1) + 0.9))
    np.testing.assert_allclose(euler, v, rtol=0, atol=1e-6)
    np.testing.assert_allclose(exact, 1.0 - 0.9 * np.exp(-np.arange(6) / 4), rtol=0, atol=1e-6)


@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_step_by_step_piece_by_piece_and_all_at_once_are_one(t_ref):
    layer = LIF(**{**DYNAMICS, "t_ref": t_ref}, return_voltages=True, return_state=True)
    x = currents()
    whole, voltages, v, wait = map(numpy_of, layer(x))
    assert 10 < whole.sum() < 100
    first, seen, *state = layer(x[:, :7])
    second, seen_then, *state = layer(x[:, 7:], initial_state=state)
    np.testing.assert_array_equal(np.concatenate([numpy_of(first), numpy_of(second)], axis=1), whole)
    np.testing.assert_allclose(np.concatenate([numpy_of(seen), numpy_of(seen_then)], axis=1), voltages, atol=1e-6)
    np.testing.assert_allclose(numpy_of(state[0]), v, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(numpy_of(state[1]), wait)
    state, steps = layer.initial_state(3), []
    for t in range(x.shape[1]):
        spikes, state = layer.advance(ops.convert_to_tensor(x[:, t]), state)
        steps.append(numpy_of(spikes))
    np.testing.assert_array_equal(np.stack(steps, axis=1), whole)
    np.testing.assert_array_equal(numpy_of(state[1]), wait)


def test_a_constant_current_is_a_sequence_of_equal_ones():
    x = currents(t=1)[:, 0]
    constant, sequence = LIF(**DYNAMICS, steps=15), LIF(**DYNAMICS)
    found = numpy_of(constant(x))
    assert found.shape == (3, 15, 4)
    assert found.sum() > 5
    np.testing.assert_array_equal(found, numpy_of(sequence(np.repeat(x[:, None], 15, axis=1))))


@pytest.mark.parametrize(("t_ref", "interval"), [(0, 1), (0.4, 1), (1.0, 1), (2.0, 2), (3.9, 3), (4.0, 4)])
def test_a_refractory_period_shorter_than_two_steps_holds_nothing_up(t_ref, interval):
    found = numpy_of(LIF(1, tau=1.0, t_ref=t_ref)(np.full((1, 24, 1), 50, "float32")))[0, :, 0]
    assert (np.diff(np.flatnonzero(found)) == interval).all()
    assert found[0] == 1


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 9, 4), (3, 1, 4)])
def test_one_sample_and_one_step_are_enough(shape):
    assert numpy_of(LIF(4)(np.ones(shape, "float32") * 50)).shape == shape
    assert numpy_of(LeakyIntegrator(4)(np.ones(shape, "float32"))).shape == shape


def test_a_masked_sample_is_the_shorter_one():
    layer = LIF(**DYNAMICS, return_voltages=True, return_state=True)
    x = currents(b=2, t=12)
    mask = np.ones((2, 12), bool)
    mask[1, 5:] = False
    spikes, voltages, v, wait = map(numpy_of, layer(x, mask=ops.convert_to_tensor(mask)))
    short = [numpy_of(part) for part in layer(x[1:, :5])]
    whole = [numpy_of(part) for part in layer(x[:1])]
    np.testing.assert_array_equal(spikes[:1], whole[0])
    np.testing.assert_array_equal(spikes[1:, :5], short[0])
    assert not spikes[1, 5:].any()
    np.testing.assert_allclose(voltages[1, 5:], np.repeat(short[2], 7, axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(v, np.concatenate([whole[2], short[2]]), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(wait, np.concatenate([whole[3], short[3]]))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_keeps_the_state_in_single(policy):
    # A slow membrane: near the threshold it moves by 0.0017 a step, and bfloat16 there resolves 0.004.
    x = np.full((2, 700, 1), 1.5, "float32")
    half, single = LIF(1, tau=300.0, dtype=policy, return_state=True), LIF(1, tau=300.0)
    found, v, _ = half(x)
    assert keras.backend.standardize_dtype(found.dtype) == policy.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(v.dtype) == "float32"
    expected = numpy_of(single(x))
    assert expected.sum() == 4  # two in each sample
    np.testing.assert_array_equal(numpy_of(ops.cast(found, "float32")), expected)


@pytest.mark.parametrize("constant", [False, True])
def test_sequences_of_unknown_length_and_batch_go_through_fit(constant):
    inputs = keras.Input((4,) if constant else (None, 4))
    x = LIF(5, steps=6 if constant else None, t_ref=2.0)(keras.layers.Dense(5)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile("sgd", "mse")
    for length in (6,) if constant else (4, 7):
        given = currents(b=5, t=length)[:, 0] if constant else currents(b=5, t=length)
        model.fit(given, np.zeros((5, length, 2), "float32"), batch_size=2, verbose=0)
        assert model.predict(given, verbose=0).shape == (5, length, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        {**DYNAMICS, "dt": 0.5, "integration": "euler", "surrogate": "fast_sigmoid", "slope": 3.0},
        {"units": 4, "surrogate": "straight_through", "detach_reset": False},
    ],
)
def test_lif_keeps_the_contract(arguments, tmp_path):
    check_layer(LIF, arguments, (5, 4), tmp_path)
    check_layer(LIF, {**arguments, "steps": 6}, (4,), tmp_path)


@pytest.mark.parametrize(("surrogate", "default"), [("fast_sigmoid", 25.0), ("arctan", 2.0)])
def test_the_gradient_has_the_slope_that_was_asked_for(surrogate, default):
    dense = keras.layers.Dense(4, use_bias=False)
    x = currents()
    dense.build(x.shape)

    def gradient(slope):
        layer = LIF(4, tau=3.0, resistance=2.0, surrogate=surrogate, slope=slope)
        late = ops.arange(20, dtype="float32")[:, None]  # each step counts differently
        found = value_and_grad(lambda: ops.sum(layer(dense(x)) * late), dense.trainable_variables)
        return numpy_of(found[1][0])

    np.testing.assert_array_equal(gradient(None), gradient(default))
    assert np.abs(gradient(7.0) - gradient(None)).max() > 0.1 * np.abs(gradient(None)).max()


@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_the_voltages_alone_have_the_gradient_that_they_have_beside_unused_spikes(t_ref):
    dense, layer = keras.layers.Dense(4, use_bias=False), LIF(**{**DYNAMICS, "t_ref": t_ref}, return_voltages=True)
    x = currents()
    dense.build(x.shape)

    def gradient(share):
        def loss():
            spikes, voltages = layer(dense(x))
            return ops.sum(voltages * voltages) + (0 if share is None else share * ops.sum(spikes))

        return numpy_of(value_and_grad(loss, dense.trainable_variables)[1][0])

    alone = gradient(None)
    assert np.abs(alone).max() > 0.1
    np.testing.assert_allclose(alone, gradient(0.0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "masks"),
    [
        ({}, "m"),
        ({"return_voltages": True}, ["m", "m"]),
        ({"return_state": True}, ["m", None, None]),
        ({"return_voltages": True, "return_state": True}, ["m", "m", None, None]),
    ],
)
def test_spikes_and_voltages_keep_the_mask_and_a_state_has_none(flags, masks):
    assert LIF(4, **flags).compute_mask(None, "m") == masks


def test_a_neuron_that_is_never_refractory_leaves_the_wait_of_its_state_alone():
    layer, v = LIF(4, tau=1.0), np.zeros((1, 4), "float32")
    for wait in (0.0, 3.0):
        given = [ops.convert_to_tensor(v), ops.full((1, 4), wait)]
        spikes, (_, after) = layer.advance(ops.full((1, 4), 50.0), given)
        assert numpy_of(spikes).all()
        np.testing.assert_array_equal(numpy_of(after), np.full((1, 4), wait))


def test_leaky_integrator_keeps_the_contract(tmp_path):
    given = {"units": 4, "tau": 3.0, "resistance": 2.0, "v_rest": 0.1, "dt": 0.5, "integration": "euler"}
    check_layer(LeakyIntegrator, given, (5, 4), tmp_path)


@pytest.mark.parametrize("flags", [{"return_voltages": True}, {"return_state": True}, {"t_ref": 3.0, "steps": 3}])
def test_what_is_returned_has_the_shapes_that_were_announced(flags):
    layer = LIF(4, **flags)
    x = currents(b=2, t=3)
    x = x[:, 0] if "steps" in flags else x
    announced, found = layer(keras.KerasTensor(x.shape)), layer(x)
    assert keras.tree.map_structure(lambda part: tuple(part.shape), announced) == keras.tree.map_structure(
        lambda part: tuple(part.shape), found
    )
    config = {key: layer.get_config()[key] for key in flags}
    assert config == flags


def test_the_membrane_without_spikes_follows_its_equation_from_rest_on():
    x = currents(u=2)
    given = {"tau": 5.0, "resistance": 2.0, "v_rest": -0.4, "dt": 0.5}
    for integration, decay in (("exact", np.exp(-0.1)), ("euler", 0.9)):
        v, expected = np.full((3, 2), -0.4), []
        for t in range(x.shape[1]):
            end = -0.4 + 2 * x[:, t]
            v = end + (v - end) * decay
            expected.append(v)
        found = LeakyIntegrator(2, **given, integration=integration)(x)
        np.testing.assert_allclose(numpy_of(found), np.stack(expected, axis=1), rtol=0, atol=2e-6)
    mask = np.ones((3, 20), bool)
    mask[0, :5], mask[1, 8:] = False, False
    found = numpy_of(LeakyIntegrator(2, **given)(x, mask=ops.convert_to_tensor(mask)))
    np.testing.assert_allclose(found[0, :5], -0.4, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[1, 8:], np.repeat(found[1, 7:8], 12, axis=0), rtol=0, atol=1e-6)


def test_the_parameters_of_kzoo_bio_are_the_layers_arguments():
    layer = LIF(3, **dataclasses.asdict(parameters.LIF()), dt=DT)
    assert layer.decay == parameters.LIF().decay(DT)
    assert layer.neuron.wait == parameters.LIF().refractory_steps(DT) - 1


def test_the_numbers_of_numpy_are_numbers():
    layer = LIF(4, tau=np.float32(3), t_ref=np.int64(2), v_reset=np.float64(-1), slope=np.float16(2))
    assert layer.tau == 3
    json.dumps(layer.get_config())
    with pytest.raises(ValueError, match="got tau=True"):
        LIF(4, tau=np.True_)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"units": 0}, "LIF needs a whole number of at least 1; received units=0"),
        ({"tau": 0}, r"LIF: got tau=0; expected a finite number above 0"),
        ({"tau": float("nan")}, "LIF: got tau=nan"),
        ({"resistance": -1.0}, r"resistance=-1\.0; expected a finite number above 0"),
        ({"v_rest": float("inf")}, "v_rest=inf; expected a finite number"),
        ({"v_reset": 1.0}, r"v_reset=1\.0; expected less than v_threshold=1\.0"),
        ({"t_ref": -1}, "t_ref=-1; expected a finite number of at least 0"),
        ({"dt": 0}, "dt=0; expected a finite number above 0"),
        ({"dt": 30.0, "integration": "euler"}, r"dt=30\.0, longer than tau=20\.0, with which Euler's step overshoots"),
        ({"tau": 1e17}, r"dt=1\.0 and tau=1e\+17, with which nothing decays in a step. Take a shorter tau"),
        ({"dt": 1e-17, "integration": "euler"}, r"dt=1e-17 and tau=20\.0, with which nothing decays"),
        ({"integration": "rk4"}, "integration='rk4'; allowed: exact, euler"),
        ({"surrogate": "relu"}, "surrogate='relu'; allowed: straight_through, fast_sigmoid, arctan"),
        ({"slope": 0}, "slope=0; expected a finite number above 0"),
        ({"steps": 2.5}, r"received steps=2\.5"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(ValueError, match=words):
        LIF(**{"units": 4, **arguments})


def test_wrong_currents_and_states_are_refused():
    layer = LIF(4)
    with pytest.raises(ValueError, match=r"4 units, the last axis; received \(2, 3, 5\). Set units=5"):
        layer(np.zeros((2, 3, 5), "float32"))
    with pytest.raises(ValueError, match=r"an empty sequence, of shape \(2, 0, 4\)"):
        LIF(4)(np.zeros((2, 0, 4), "float32"))
    with pytest.raises(ValueError, match=r"a pair \(v, wait\), each \(b, 4\); received \[\(2, 4\)\]"):
        LIF(4)(np.zeros((2, 3, 4), "float32"), initial_state=[np.zeros((2, 4))])
    with pytest.raises(ValueError, match=r"constant for 3 steps takes no mask"):
        LIF(4, steps=3)(np.zeros((2, 4), "float32"), mask=np.ones((2, 3), bool))
