"""The neuron's steps, their gradients and the codes against loops in float64 NumPy."""

import keras
import numpy as np
import pytest
from checks import compiled_gradients
from keras import ops

from kzoo import backend
from kzoo.ops import random, spikes

B, T, U = 3, 12, 5


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def neuron_of(**changes):
    given = {
        "decay": 0.8,
        "resistance": 4.0,
        "v_rest": -0.2,
        "v_threshold": 1.1,
        "v_reset": -0.3,
        "wait": 0,
        "surrogate": "arctan",
        "slope": 1.7,
        "detach_reset": True,
    }
    return spikes.Neuron(**{**given, **changes})


def problem(seed=0, constant=False):
    """Currents, voltages and waits to begin with, float32."""
    rng = np.random.default_rng(seed)
    current = rng.normal(0.4, 0.6, (B, U) if constant else (T, B, U))
    return tuple(part.astype("float32") for part in (current, rng.normal(0, 0.7, (B, U)), rng.integers(0, 3, (B, U))))


def slope_of(neuron, x):
    """The surrogates as the papers write them."""
    if neuron.surrogate == "straight_through":
        return 1.0
    if neuron.surrogate == "fast_sigmoid":
        return (abs(neuron.slope * x) + 1) ** -2.0
    return neuron.slope / 2 / (1 + (np.pi / 2 * neuron.slope * x) ** 2)


def by_hand(neuron, current, v, wait, d_current, d_v, mask=None):
    """One neuron after the other, with the change of all in a direction beside them: forward, where autograd goes back.

    Returns:
        Spikes, voltages at the start of each step, the last v and wait, and the changes of the first three.
    """
    length, neurons = len(current), [(b, u) for b in range(B) for u in range(U)]
    found = [np.zeros((length, B, U)) for _ in range(4)]
    spiked, seen, d_spiked, d_seen = found
    v, d_v, wait = v.astype("float64"), d_v.astype("float64"), wait.astype("int64")
    for b, i in neurons:
        for t in range(length):
            seen[t, b, i], d_seen[t, b, i] = v[b, i], d_v[b, i]
            if mask is not None and not mask[t, b]:
                continue
            if neuron.wait and wait[b, i] > 0:
                wait[b, i] -= 1
                continue
            end = neuron.v_rest + neuron.resistance * current[t, b, i]
            u = end + (v[b, i] - end) * neuron.decay
            d_u = neuron.decay * d_v[b, i] + (1 - neuron.decay) * neuron.resistance * d_current[t, b, i]
            scale = neuron.v_threshold - neuron.v_reset
            d_s = slope_of(neuron, (u - neuron.v_threshold) / scale) * d_u / scale
            s = u > neuron.v_threshold
            spiked[t, b, i], d_spiked[t, b, i] = s, d_s
            v[b, i] = neuron.v_reset if s else u
            d_v[b, i] = (1 - s) * d_u + (0 if neuron.detach_reset else (neuron.v_reset - u) * d_s)
            if s:
                wait[b, i] = neuron.wait
    return spiked, seen, v, wait, d_spiked, d_seen, d_v


CASES = [
    {},
    {"wait": 2},
    {"detach_reset": False, "decay": 0.5},
    {"detach_reset": False, "wait": 1, "surrogate": "fast_sigmoid", "slope": 5.0},
    {"surrogate": "straight_through", "v_rest": 0.0, "v_reset": 0.0},
    {"v_rest": 1.5, "surrogate": "fast_sigmoid"},
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("form", ["own", "scan"])
def test_spikes_voltages_and_gradients_are_those_of_the_equations(case, constant, form, monkeypatch):
    if form == "scan":  # where the backend has a loop of its own
        monkeypatch.setattr(backend, "integrate_and_fire", lambda *arguments: None)
    neuron = neuron_of(**case)
    rng = np.random.default_rng(7)
    current, v, wait = problem(constant=constant)
    d_current, d_v = rng.normal(size=current.shape), rng.normal(size=v.shape)
    weights = [rng.normal(size=shape).astype("float32") for shape in ((T, B, U), (T, B, U), (B, U))]
    whole, d_whole = (np.broadcast_to(part, (T, B, U)) for part in (current, d_current))
    expected = by_hand(neuron, whole, v, wait, d_whole, d_v)
    assert 10 < expected[0].sum() < 160

    variables = [keras.Variable(current), keras.Variable(v)]
    found = []

    def loss():
        found[:] = spikes.lif(
            variables[0].value,
            variables[1].value,
            ops.convert_to_tensor(wait),
            neuron,
            steps=T if constant else None,
            voltages=True,
        )
        return sum(ops.sum(ops.multiply(part, weight)) for part, weight in zip(found[:3], weights, strict=True))

    _, gradients = compiled_gradients(loss, variables)
    outside = spikes.lif(*map(ops.convert_to_tensor, (current, v, wait)), neuron, steps=T if constant else None)
    assert outside[1] is None
    for part, exact in zip((outside[0], outside[2], outside[3]), (expected[0], expected[2], expected[3]), strict=True):
        if part is not outside[3] or neuron.wait:
            np.testing.assert_allclose(numpy_of(part), exact, rtol=0, atol=2e-6)
    if keras.backend.backend() != "jax":  # whose tensors inside of a gradient have no values
        np.testing.assert_array_equal(numpy_of(ops.stop_gradient(found[0])), expected[0])
        np.testing.assert_allclose(numpy_of(ops.stop_gradient(found[1])), expected[1], rtol=0, atol=2e-6)
    slope = sum((weight * part).sum() for weight, part in zip(weights, expected[4:], strict=True))
    along = sum((numpy_of(gradient) * part).sum() for gradient, part in zip(gradients, (d_current, d_v), strict=True))
    assert along == pytest.approx(slope, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", spikes.SURROGATES)
def test_a_surrogate_is_the_derivative_of_the_curve_that_it_is_named_after(name):
    curves = {
        "straight_through": lambda x, slope: x,
        "fast_sigmoid": lambda x, slope: x / (1 + slope * abs(x)),
        "arctan": lambda x, slope: np.arctan(np.pi / 2 * slope * x) / np.pi + 0.5,
    }
    derivative, default = spikes.SURROGATES[name]
    x = np.linspace(-2, 2, 42)
    for slope in (default, 0.7):
        found = numpy_of(derivative(ops.convert_to_tensor(x.astype("float32")), slope))
        exact = (curves[name](x + 1e-6, slope) - curves[name](x - 1e-6, slope)) / 2e-6
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", spikes.SURROGATES)
def test_a_spike_is_one_above_the_threshold_and_at_it_none(name):
    x = np.array([-3, -1e-7, 0, 1e-7, 0.3, 3, np.nan], "float32")
    found = numpy_of(spikes.spike(ops.convert_to_tensor(x), name, 25.0))
    np.testing.assert_array_equal(found, [0, 0, 0, 1, 1, 1, np.nan])


@pytest.mark.parametrize("wait", [0, 2])
def test_where_a_mask_is_false_nothing_happens_and_nothing_is_read(wait):
    neuron = neuron_of(wait=wait)
    current, v, waits = problem(seed=3)
    mask = np.random.default_rng(4).random((T, B)) < 0.6
    mask[:3, 0], mask[:, 1] = False, False
    zero = np.zeros_like(current)
    expected = by_hand(neuron, current, v, waits, zero, np.zeros_like(v), mask)
    assert expected[0].sum() > 3
    hidden = np.where(mask[..., None], current, np.nan).astype("float32")
    variable = keras.Variable(hidden)

    def loss():
        found = spikes.lif(variable.value, *map(ops.convert_to_tensor, (v, waits)), neuron, mask=mask)
        return ops.sum(found[0]) + ops.sum(found[2])

    found = spikes.lif(*map(ops.convert_to_tensor, (hidden, v, waits)), neuron, voltages=True, mask=mask)
    for part, exact in zip(found, expected, strict=False):
        if part is not found[3] or wait:
            np.testing.assert_allclose(numpy_of(part), exact, rtol=0, atol=2e-6)
    _, (gradient,) = compiled_gradients(loss, [variable])
    gradient = numpy_of(gradient)
    assert np.isfinite(gradient).all()
    assert not gradient[~mask].any()
    assert np.abs(gradient[mask]).max() > 0.01


@pytest.mark.parametrize("wait", [0, 2])
def test_a_current_of_nan_is_seen_in_the_spikes(wait):
    current, v, waits = problem()
    current[4, 1, 2] = np.nan
    waits[:] = 0
    quiet = np.full_like(current, -1.0)
    quiet[4] = current[4]
    found = numpy_of(spikes.lif(*map(ops.convert_to_tensor, (quiet, v * 0, waits)), neuron_of(wait=wait))[0])
    expected = np.zeros((T, B, U), bool)
    expected[4:, 1, 2] = True
    np.testing.assert_array_equal(np.isnan(found), expected)


@pytest.mark.parametrize(
    ("t_ref", "dt", "steps"), [(0, 1, 0), (0.9, 1, 0), (1, 1, 1), (2e-3, 1e-4, 20), (0.3, 0.1, 3), (2.5e-4, 1e-4, 2)]
)
def test_a_refractory_period_is_counted_in_steps_as_brian2_counts(t_ref, dt, steps):
    assert spikes.refractory_steps(t_ref, dt) == steps


def test_rate_spikes_come_with_the_probability_that_the_value_is():
    x = np.array([[-1, 0, 2**-16, 0.25, 0.5, 1 - 2**-16, 1, 7, np.nan]], "float32")
    steps = 4000
    found = numpy_of(spikes.rate_spikes(ops.convert_to_tensor(x), steps, 3))
    assert found.shape == (1, steps, x.shape[1])
    assert set(np.unique(found)) == {0, 1}
    rates = found.mean(axis=(0, 1))
    np.testing.assert_array_equal(rates[[0, 1, 6, 7, 8]], [0, 0, 1, 1, 0])
    assert rates[2] < 0.002
    assert rates[5] > 0.998
    # Five standard deviations of a mean of so many.
    np.testing.assert_allclose(rates[3:5], [0.25, 0.5], rtol=0, atol=5 * 0.5 / steps**0.5)
    assert len(np.unique(found[0, :, 4].reshape(-1, 20), axis=0)) == steps // 20


def test_rate_spikes_are_comparisons_of_the_lanes_and_so_the_same_on_every_backend():
    x = np.random.default_rng(0).random((4, 7)).astype("float32")
    lanes = numpy_of(random.lanes((4, 5, 7), 11)).astype("float64")
    found = numpy_of(spikes.rate_spikes(ops.convert_to_tensor(x), 5, 11))
    np.testing.assert_array_equal(found, (lanes + 2**15) / 2**16 < x[:, None].astype("float64"))
    # Written down once, on another backend than at least two of those that the test runs on.
    assert found.sum(axis=(0, 2)).tolist() == [12, 16, 12, 13, 15]
    shared = numpy_of(spikes.rate_spikes(ops.convert_to_tensor(x), 5, 11, shared=True))
    alone = [numpy_of(spikes.rate_spikes(ops.convert_to_tensor(x[i : i + 1]), 5, 11, shared=True)) for i in range(4)]
    np.testing.assert_array_equal(shared, np.concatenate(alone))


@pytest.mark.parametrize("steps", [1, 2, 7, 25])
def test_a_latency_spike_comes_the_earlier_the_larger_the_value(steps):
    x = np.array([0, 1e-9, 0.1, 0.5, 0.7, 1, 1.5, -1, np.nan] + [k / 255 for k in range(0, 256, 17)], "float32")
    found = numpy_of(spikes.latency_spikes(ops.convert_to_tensor(x[None]), steps))[0]
    assert found.shape == (steps, len(x))
    for i, value in enumerate(x):
        expected = np.zeros(steps)
        if value > 0:
            # The bounds themselves belong to the earlier step; float32 holds them as it can.
            later = [j for j in range(steps) if value > np.float32(1 - (j + 1) / steps)]
            expected[min(later)] = 1
        np.testing.assert_array_equal(found[:, i], expected, err_msg=str(value))
