"""Mamba's mixers against their equations in float64 NumPy: whole, in pieces, a step at a time, and looked into."""

import keras
import numpy as np
import pytest
import references
from checks import check_layer, compiled_gradients
from keras import ops

from kzoo.backend import compiled
from kzoo.layers.mamba import Mamba1, Mamba2, MambaBlock
from kzoo.layers.state_space import LogUniform, RealS4D, StepBias

M = 6

MIXERS = {
    "mamba": lambda **given: Mamba1(state_dim=5, conv_width=3, **given),
    "constant": lambda **given: Mamba1(state_dim=5, conv_width=3, selective=False, **given),
    "mamba2": lambda **given: Mamba2(state_dim=5, conv_width=3, head_dim=3, groups=2, **given),
}


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def mixer_of(kind, seed=0, **given):
    """A built mixer with every weight moved off what it starts at."""
    layer = MIXERS[kind](**given)
    layer.build((None, None, M))
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        weight.assign(numpy_of(weight) + rng.normal(0, 0.4, weight.shape))
    return layer


def run(layer, x, state=None):
    """Outputs and last state of a call, compiled whole; without a state from a beginning."""
    call = compiled(lambda x, state=None: layer(x, initial_state=state, return_state=True), layer.variables)
    return call(x) if state is None else call(x, state)


def weights_of(layer):
    """Float64 arrays by the layer's names: a kernel by that of its projection, a scale by that of its norm."""
    found = {}
    for variable in layer.trainable_variables:
        *_, parent, name = variable.path.split("/")
        found[parent if name in ("kernel", "scale") else name] = numpy_of(variable).astype("float64")
    return found


def by_the_paper(kind, x, weights):
    return references.mamba2(x, weights, groups=2) if kind == "mamba2" else references.mamba1(x, weights)


def scan_of(layer, kind, x):
    """The scan's inputs (b, t, d), what reads each channel's state (d of (b, t, n)), and the states (b, t, d, n)."""
    found = {key: numpy_of(value).astype("float64") for key, value in layer.trace(x).items()}
    width = layer.head_dim if kind == "mamba2" else 1
    states, reads = np.zeros((*x.shape[:2], 2 * M, 5)), []
    for channel in range(2 * M):
        head = channel // width
        vectors = found["B"], found["C"]
        if kind == "constant":
            vectors = [np.broadcast_to(part[channel], (*x.shape[:2], 5)) for part in vectors]
        elif kind == "mamba2":
            vectors = [part[:, :, head // 2] for part in vectors]
        h = np.zeros((len(x), 5))
        for t in range(x.shape[1]):
            step = found["delta"][:, t, head, None]
            h = np.exp(step * found["A"][head]) * h + step * vectors[0][:, t] * found["inputs"][:, t, channel, None]
            states[:, t, channel] = h
        reads.append(vectors[1])
    return {"inputs": found["inputs"], "reads": reads, "states": states}


def problem(b=3, t=7, seed=1):
    return np.random.default_rng(seed).normal(0, 1, (b, t, M)).astype("float32")


@pytest.mark.parametrize("kind", MIXERS)
@pytest.mark.parametrize("length", [1, 70])
def test_a_mixer_follows_the_equations_of_the_paper(kind, length):
    layer, x = mixer_of(kind), problem(t=length)
    expected = by_the_paper(kind, x.astype("float64"), weights_of(layer))
    np.testing.assert_allclose(numpy_of(run(layer, x)[0]), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("kind", MIXERS)
def test_gradients_are_those_of_the_equations(kind):
    layer, x = mixer_of(kind), problem()
    wanted = np.random.default_rng(2).normal(0, 1, x.shape)
    given = keras.Variable(x)
    variables = [*layer.trainable_variables, given]
    _, gradients = compiled_gradients(
        lambda: ops.sum(ops.square(ops.subtract(layer(given.value), wanted.astype("float32")))), variables
    )
    weights = {**weights_of(layer), "inputs": x.astype("float64")}
    names = [*weights]
    assert len(names) == len(gradients)

    def loss():
        of_layer = {name: value for name, value in weights.items() if name != "inputs"}
        return np.square(by_the_paper(kind, weights["inputs"], of_layer) - wanted).sum()

    for name, gradient in zip(names, gradients, strict=True):
        # One direction at random tells a wrong gradient from a right one; central differences err by about 1e-8 here.
        direction = np.random.default_rng(3).normal(size=weights[name].shape)
        before, size = weights[name], 1e-4
        weights[name] = before + size * direction
        above = loss()
        weights[name] = before - size * direction
        slope = (above - loss()) / (2 * size)
        weights[name] = before
        found = float((numpy_of(gradient).astype("float64") * direction).sum())
        assert found == pytest.approx(slope, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize("kind", MIXERS)
def test_pieces_with_the_state_handed_on_are_the_whole(kind):
    layer, x = mixer_of(kind), problem()
    whole, last = run(layer, x)
    state, found = layer.initial_state(3), []
    # Of a width 3 the convolution keeps two steps: a piece shorter than that, and one longer.
    for piece in np.split(x, (1, 4), axis=1):
        y, state = run(layer, piece, state)
        found.append(numpy_of(y))
    np.testing.assert_allclose(np.concatenate(found, axis=1), numpy_of(whole), rtol=0, atol=1e-5)
    for a, b in zip(state, last, strict=True):
        np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MIXERS)
def test_steps_are_the_whole_and_keep_the_shapes_of_the_state(kind):
    layer, x = mixer_of(kind), problem()
    whole, last = run(layer, x)
    state = first = layer.initial_state(3)
    step = compiled(layer.step, layer.variables)
    for t in range(7):
        y, state = step(x[:, t], state)
        np.testing.assert_allclose(numpy_of(y), numpy_of(whole)[:, t], rtol=0, atol=1e-5)
    for a, b, c in zip(state, last, first, strict=True):
        np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=0, atol=1e-5)
        assert (tuple(a.shape), a.dtype) == (tuple(c.shape), c.dtype)


@pytest.mark.parametrize("kind", MIXERS)
def test_the_state_has_its_share_in_the_gradient(kind):
    layer, x = mixer_of(kind), problem()
    rng = np.random.default_rng(4)
    state = [keras.Variable(rng.normal(0, 1, part.shape).astype("float32")) for part in layer.initial_state(3)]

    def loss():
        y, after = layer(x, initial_state=[part.value for part in state], return_state=True)
        return ops.sum(ops.square(y)) + sum(ops.sum(ops.square(part)) for part in after)

    _, gradients = compiled_gradients(loss, state)
    loss = compiled(loss, [*layer.variables, *state])
    for part, gradient in zip(state, gradients, strict=True):
        direction, value, size = rng.normal(0, 1, part.shape), numpy_of(part), 1e-2
        part.assign(value + size * direction)
        above = float(numpy_of(loss()))
        part.assign(value - size * direction)
        slope = (above - float(numpy_of(loss()))) / (2 * size)
        part.assign(value)
        # The loss is of single precision, in which such a difference has three to four digits.
        assert float((numpy_of(gradient) * direction).sum()) == pytest.approx(slope, rel=5e-3)


@pytest.mark.parametrize("kind", MIXERS)
def test_a_later_step_moves_no_earlier_output(kind):
    layer, x = mixer_of(kind), problem()
    other = x.copy()
    other[:, 5] += 1
    moved = np.abs(numpy_of(run(layer, other)[0]) - numpy_of(run(layer, x)[0])).max(axis=(0, 2))
    # A Fourier transform sums what cancels, so that the form without selection rounds by an ulp of its outputs.
    assert moved[:5].max() < 1e-5
    assert moved[5:].min() > 1e-3


@pytest.mark.parametrize("kind", MIXERS)
def test_the_trace_is_what_the_scan_is_made_of(kind):
    layer, x = mixer_of(kind), problem()
    found = scan_of(layer, kind, x)
    state = numpy_of(layer.trace(x, 7)["state"])
    np.testing.assert_allclose(state, found["states"][:, :, 7], rtol=0, atol=1e-5)
    mean = numpy_of(layer.trace(x, "mean")["state"])
    np.testing.assert_allclose(mean, found["states"].mean(axis=2), rtol=0, atol=1e-5)
    assert "state" not in layer.trace(x)
    # The last state of the call is the trace's.
    _, (_, last) = run(layer, x)
    np.testing.assert_allclose(numpy_of(last).reshape(3, -1, 5), found["states"][:, -1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MIXERS)
def test_the_implied_attention_times_the_inputs_is_the_output_of_the_scan(kind):
    layer, x = mixer_of(kind), problem()
    found = scan_of(layer, kind, x)
    matrix = numpy_of(layer.implied_attention(x, 8))
    assert matrix.shape == (3, 7, 7)
    assert not np.triu(matrix, 1).any()
    expected = (found["states"][:, :, 8] * found["reads"][8]).sum(axis=-1)
    np.testing.assert_allclose((matrix @ found["inputs"][..., 8, None])[..., 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", MIXERS)
def test_half_precision_keeps_the_state_in_single(kind):
    x, single, half = problem(), mixer_of(kind), mixer_of(kind, dtype="mixed_bfloat16")
    half.set_weights(single.get_weights())
    expected, (found, (before, state)) = numpy_of(run(single, x)[0]), run(half, x)
    dtypes = [keras.backend.standardize_dtype(part.dtype) for part in (found, before, state)]
    assert dtypes == ["bfloat16", "bfloat16", "float32"]
    # Inputs and weights are rounded by 2^-9 of themselves, at each of four layers.
    np.testing.assert_allclose(
        numpy_of(ops.cast(found, "float32")), expected, rtol=0, atol=0.03 * np.abs(expected).max()
    )
    y, after = compiled(half.step, half.variables)(x[:, 0], half.initial_state(3))
    dtypes = [keras.backend.standardize_dtype(part.dtype) for part in (y, *after)]
    assert dtypes == ["bfloat16", "bfloat16", "float32"]


@pytest.mark.parametrize("version", [1, 2])
def test_the_first_steps_of_time_are_spread_from_a_thousandth_to_a_tenth_in_a_compiled_fit(version):
    inputs = keras.Input((None, 24))
    block = MambaBlock(version, **({"head_dim": 1} if version == 2 else {}))
    model = keras.Model(inputs, block(inputs))
    # A fit at a rate of zero: what is looked at is what a training begins with, after all that Keras does to a weight.
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.random.default_rng(0).normal(size=(4, 6, 24)).astype("float32")
    model.fit(x, x, batch_size=3, epochs=1, verbose=0)
    step = np.log1p(np.exp(numpy_of(block.mixer.dt_bias).astype("float64")))
    assert step.shape == (48,)
    assert 0.000999 < step.min() < 0.003
    assert 0.03 < step.max() < 0.1001
    assert np.median(step) == pytest.approx(0.01, rel=0.6)
    decay = np.exp(numpy_of(block.mixer.A_log))
    if version == 1:
        np.testing.assert_allclose(decay, np.broadcast_to(np.arange(1, 17), (48, 16)), rtol=1e-6)
    else:
        assert 1 < decay.min() < 5
        assert 10 < decay.max() < 16


def test_initialisers_are_read_back_from_their_configuration():
    for initialiser in (StepBias(0.01, 0.2, seed=3), LogUniform(1.0, 16.0, seed=4), RealS4D()):
        again = keras.initializers.deserialize(keras.initializers.serialize(initialiser))
        np.testing.assert_array_equal(numpy_of(again((3, 4), "float32")), numpy_of(initialiser((3, 4), "float32")))


def test_a_mixer_of_a_deep_model_adds_less_to_the_residual_stream():
    keras.utils.set_random_seed(0)
    for cls in (Mamba1, Mamba2):
        alone, one_of_nine = (
            cls(head_dim=4) if cls is Mamba2 else cls(),
            cls(depth=9, **({"head_dim": 4} if cls is Mamba2 else {})),
        )
        for layer in (alone, one_of_nine):
            layer.build((None, None, 64))
        ratio = numpy_of(alone.out_proj.kernel).std() / numpy_of(one_of_nine.out_proj.kernel).std()
        assert ratio == pytest.approx(3, rel=0.05)
        assert np.abs(numpy_of(alone.out_proj.kernel)).max() == pytest.approx(128**-0.5, rel=0.01)


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (Mamba1, {"state_dim": 3, "expand": 3, "conv_width": 2, "depth": 2}),
        (Mamba1, {"selective": False}),
        (Mamba2, {"state_dim": 3, "expand": 3, "conv_width": 2, "depth": 2, "head_dim": 2, "groups": 3}),
    ],
)
def test_layer_keeps_the_contract(cls, arguments, tmp_path):
    check_layer(cls, arguments, (5, 4), tmp_path)


def test_a_block_is_its_input_and_its_mixer_on_the_norm_of_it():
    block = MambaBlock.from_config(MambaBlock(2, state_dim=5, conv_width=3, head_dim=3, groups=2).get_config())
    block.build((None, None, M))
    assert block.mixer.head_dim == 3
    x, rng = problem(), np.random.default_rng(0)
    for weight in block.trainable_variables:
        weight.assign(numpy_of(weight) + rng.normal(0, 0.4, weight.shape))
    normed = references.rms_norm(x.astype("float64"), numpy_of(block.norm.scale))
    expected = x + references.mamba2(normed, weights_of(block.mixer), groups=2)
    np.testing.assert_allclose(numpy_of(compiled(block, block.variables)(x)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Mamba1(state_dim=0), "Mamba1 needs a whole number of at least 1; received state_dim=0"),
        (lambda: Mamba1(expand=2.0), r"received expand=2\.0"),
        (lambda: Mamba2(conv_width=True), "Mamba2 needs .* received conv_width=True"),
        (lambda: Mamba2(head_dim=0), "received head_dim=0"),
        (lambda: Mamba2(groups=-1), "received groups=-1"),
        (lambda: Mamba1(depth=None), "received depth=None"),
        (lambda: Mamba1(selective="no"), "takes selective=True or False; received selective='no'"),
        (lambda: MambaBlock(3), "has the versions 1 and 2; received version=3"),
        (lambda: Mamba2(head_dim=5)(problem()), "heads of head_dim=5.* Take a divisor of 12"),
        (lambda: Mamba2(head_dim=6, groups=3)(problem()), "groups=3"),
        (lambda: Mamba1()(problem()[:, :0]), r"at least one step of time; received .* \(3, 0, 6\)"),
        (lambda: mixer_of("mamba").trace(problem(), 12), "has the channels 0 to 11; received 12"),
        (lambda: mixer_of("mamba2").implied_attention(problem(), -1), "has the channels 0 to 11; received -1"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(make, words):
    with pytest.raises(ValueError, match=words):
        make()
