"""`selective_scan` against a loop in float64 with its backward pass written out, eager, compiled, in `fit`."""

# ruff: noqa: N806 (A, B, C and D are the matrices of the equations)

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

NAME = keras.backend.backend()
# "eager" is one call after another; "compiled" is what `fit` does; "xla" is TensorFlow's jit_compile=True.
WAYS = {"jax": ["eager", "compiled"], "torch": ["eager"], "tensorflow": ["eager", "compiled", "xla"]}[NAME]
# What jit_compile may be in `fit`; without it JAX runs op by op, which says nothing new and takes minutes.
COMPILED = {"jax": [True], "torch": [False], "tensorflow": [False, True]}[NAME]
WIDTH, STATES = 5, 3
NAMES = ("u", "delta", "A", "B", "C", "D", "z", "initial_state")


def run(fn, way):
    """The nest of tensors that `fn()` returns, computed in one of `WAYS`."""
    if way == "eager":
        return fn()
    if NAME == "jax":
        import jax

        return jax.jit(fn)()
    import tensorflow as tf

    return tf.function(fn, jit_compile=way == "xla", autograph=False)()


def numpy(nest):
    return keras.tree.map_structure(ops.convert_to_numpy, nest)


def problem(length, batch=2, width=WIDTH, states=STATES, largest=1.0, seed=0):
    """Arguments of the scan, and the cotangents of what it returns, all float32."""
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(size=shape).astype("float32")

    given = {
        "u": draw(batch, length, width),
        "delta": np.exp(generator.uniform(np.log(1e-3), np.log(largest), (batch, length, width))).astype("float32"),
        "A": -np.tile(np.arange(1, states + 1, dtype="float32"), (width, 1)) * (1 + 0.1 * np.abs(draw(width, states))),
        "B": draw(batch, length, states),
        "C": draw(batch, length, states),
        "D": draw(width),
        "z": draw(batch, length, width),
        "initial_state": draw(batch, width, states),
    }
    return given, {"y": draw(batch, length, width), "state": draw(batch, width, states)}


def reference(given, weights):
    """Values, and the gradients of sum(weights y * y) + sum(weights state * last state), step by step in float64."""
    given = {name: np.asarray(value, "float64") for name, value in given.items()}
    u, delta, A, B, C = (given[name] for name in NAMES[:5])
    D, z = given.get("D", np.zeros(u.shape[2])), given.get("z")
    h = given.get("initial_state", np.zeros((len(u), *A.shape)))
    before, after, plain = [], [], np.zeros_like(u)
    for t in range(u.shape[1]):
        before.append(h)
        h = np.exp(delta[:, t, :, None] * A) * h + (delta[:, t] * u[:, t])[..., None] * B[:, t, None]
        after.append(h)
        plain[:, t] = np.einsum("bdn,bn->bd", h, C[:, t]) + D * u[:, t]
    gate = np.ones_like(u) if z is None else z / (1 + np.exp(-z))
    values = {"y": plain * gate, "state": h}

    d = {name: np.zeros_like(value) for name, value in given.items()}
    d_plain = weights["y"] * gate
    if z is not None:
        chance = 1 / (1 + np.exp(-z))
        d["z"] = weights["y"] * plain * (chance + z * chance * (1 - chance))
    if "D" in d:
        d["D"] = (d_plain * u).sum((0, 1))
    d["u"] = d_plain * D
    dh = weights["state"].astype("float64")
    for t in reversed(range(u.shape[1])):
        dh = dh + d_plain[:, t, :, None] * C[:, t, None]
        d["C"][:, t] = np.einsum("bdn,bd->bn", after[t], d_plain[:, t])
        through_b = np.einsum("bdn,bn->bd", dh, B[:, t])
        d["u"][:, t] += delta[:, t] * through_b
        d["B"][:, t] = np.einsum("bdn,bd->bn", dh, delta[:, t] * u[:, t])
        dh = dh * np.exp(delta[:, t, :, None] * A)
        d["delta"][:, t] = u[:, t] * through_b + np.einsum("bdn,dn->bd", dh * before[t], A)
        d["A"] += np.einsum("bdn,bd->dn", dh * before[t], delta[:, t])
    if "initial_state" in d:
        d["initial_state"] = dh
    return values, d


def found(given, weights, way, dtype="float32"):
    """The same by `selective_scan`."""
    variables = {name: keras.Variable(value, dtype=dtype) for name, value in given.items()}
    weights = {name: ops.convert_to_tensor(value, dtype) for name, value in weights.items()}

    def scan():
        tensors = {name: ops.convert_to_tensor(variable) for name, variable in variables.items()}
        return dict(zip(("y", "state"), backend.selective_scan(**tensors, return_state=True), strict=True))

    def loss():
        return sum(ops.sum(weights[name] * value) for name, value in scan().items())

    def both():
        return scan(), backend.value_and_grad(loss, list(variables.values()))[1]

    values, gradients = numpy(run(both, way))
    return values, dict(zip(variables, gradients, strict=True))


def compare(found, expected, tolerance):
    """The largest error of each tensor, relative to its largest number."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        error = np.abs(found[name] - value).max() / np.abs(value).max()
        assert error < tolerance, f"{name}: {error:.2e}"


def without(given, *names):
    return {name: value for name, value in given.items() if name not in names}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("length", "batch"), [(1, 1), (2, 3), (31, 1), (32, 2), (33, 2), (150, 2)])
def test_values_and_gradients_match_the_loop_in_float64(length, batch, way):
    given, weights = problem(length, batch)
    for value, expected in zip(found(given, weights, way), reference(given, weights), strict=True):
        compare(value, expected, 1e-6)


@pytest.mark.parametrize("left_out", [("D",), ("z",), ("initial_state",), ("D", "z", "initial_state")])
def test_what_is_left_out_counts_as_absent(left_out):
    given, weights = problem(40)
    given = without(given, *left_out)
    for value, expected in zip(found(given, weights, WAYS[-1]), reference(given, weights), strict=True):
        compare(value, expected, 1e-6)


def test_the_backward_pass_written_out_matches_finite_differences():
    given, weights = problem(7)
    _, gradients = reference(given, weights)

    def loss(**changed):
        values, _ = reference({**given, **changed}, weights)
        return sum((weights[name] * value).sum() for name, value in values.items())

    for name, gradient in gradients.items():
        bump = np.random.default_rng(1).normal(size=gradient.shape)
        base = given[name].astype("float64")
        slope = (loss(**{name: base + 1e-6 * bump}) - loss(**{name: base - 1e-6 * bump})) / 2e-6
        np.testing.assert_allclose((gradient * bump).sum(), slope, rtol=1e-6, err_msg=name)


@pytest.mark.skipif(NAME == "jax", reason="JAX computes in float64 only where the whole process does")
def test_float64_stays_float64():
    given, weights = problem(70)
    for value, expected in zip(found(given, weights, WAYS[-1], "float64"), reference(given, weights), strict=True):
        compare(value, expected, 1e-13)


@pytest.mark.parametrize("way", WAYS)
def test_large_steps_overflow_nowhere(way):
    # exp(delta A) runs from 1 to 0: what a scan in logarithms or with quotients turns into infinities.
    given, weights = problem(100, largest=100.0)
    given["A"] *= 16
    for value, expected in zip(found(given, weights, way), reference(given, weights), strict=True):
        assert all(np.isfinite(each).all() for each in value.values())
        compare(value, expected, 1e-6)


def test_two_pieces_with_the_state_handed_on_are_the_whole():
    given, _ = problem(90)
    tensors = {name: ops.convert_to_tensor(value) for name, value in given.items()}
    whole, last = backend.selective_scan(**tensors, return_state=True)
    parts, state = [], tensors["initial_state"]
    for start, end in ((0, 37), (37, 38), (38, 90)):
        piece = {name: tensors[name][:, start:end] for name in ("u", "delta", "B", "C", "z")}
        y, state = backend.selective_scan(
            **piece, A=tensors["A"], D=tensors["D"], initial_state=state, return_state=True
        )
        parts.append(numpy(y))
    np.testing.assert_allclose(np.concatenate(parts, axis=1), numpy(whole), atol=1e-6)
    np.testing.assert_allclose(numpy(state), numpy(last), atol=1e-6)


def test_without_return_state_y_comes_alone():
    given, _ = problem(5)
    y = backend.selective_scan(**{name: ops.convert_to_tensor(value) for name, value in given.items()})
    assert tuple(y.shape) == (2, 5, WIDTH)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_the_state_is_float32_where_the_input_is_half(half):
    # One and a half thousand small steps into one sum: a state of half precision would stop growing at a tenth of it.
    length = 1500
    ones = np.ones((1, length, 1))
    given = {"u": ones, "delta": 1e-3 * ones, "A": -1e-3 * np.ones((1, 1)), "B": ones, "C": ones}
    tensors = {name: ops.convert_to_tensor(value, half) for name, value in given.items()}
    y, state = backend.selective_scan(**tensors, return_state=True)
    assert keras.backend.standardize_dtype(y.dtype) == half
    assert keras.backend.standardize_dtype(state.dtype) == "float32"
    rounded = {name: numpy(ops.cast(tensor, "float32")) for name, tensor in tensors.items()}
    expected, _ = reference(rounded, {"y": ones, "state": np.zeros((1, 1, 1))})
    # Fifteen hundred roundings of float32; a state of half precision is off by more than half.
    np.testing.assert_allclose(numpy(state), expected["state"], rtol=1e-4)


BAD = [
    ("u", (5, WIDTH), r"u of shape \(b, t, d\); received \(5, 5\)"),
    ("u", (2, 0, WIDTH), "at least one step"),
    ("delta", (2, 5, 1), r"delta of shape \(b, t, d\) = \(2, 5, 5\)[\s\S]*received \(2, 5, 1\)"),
    ("A", (STATES,), r"A of shape \(d, n\); received \(3,\)"),
    ("A", (WIDTH + 1, STATES), r"A of shape \(d, n\) = \(5, 3\)[\s\S]*received \(6, 3\)"),
    ("B", (2, 4, STATES), r"B of shape \(b, t, n\) = \(2, 5, 3\)[\s\S]*received \(2, 4, 3\)"),
    ("C", (2, 5, WIDTH), r"C of shape \(b, t, n\) = \(2, 5, 3\)[\s\S]*shared by the channels"),
    ("D", (1, WIDTH), r"D of shape \(d\) = \(5,\)[\s\S]*leave it out"),
    ("z", (2, 5), r"z of shape \(b, t, d\) = \(2, 5, 5\)[\s\S]*leave it out"),
    ("initial_state", (1, WIDTH, STATES), r"initial_state of shape \(b, d, n\) = \(2, 5, 3\)[\s\S]*return_state=True"),
]


@pytest.mark.parametrize(("name", "shape", "message"), BAD, ids=[f"{name} {shape}" for name, shape, _ in BAD])
def test_shapes_that_do_not_go_together_are_named(name, shape, message):
    given, _ = problem(5)
    given[name] = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=message):
        backend.selective_scan(**given)


def test_a_placeholder_of_the_functional_api_is_refused():
    given, _ = problem(5)
    given["u"] = keras.Input((5, WIDTH))
    with pytest.raises(ValueError, match=r"u = <KerasTensor[\s\S]*Call it in the call"):
        backend.selective_scan(**given)
