"""`selective_scan` against a loop in float64 with its backward pass written out, eager, compiled, in `fit`."""

# ruff: noqa: N806 (A, B, C and D are the matrices of the equations)

import time

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend

NAME = keras.backend.backend()
# "eager" is one call after another; "compiled" is what `fit` does; "xla" is TensorFlow's jit_compile=True.
WAYS = {"jax": ["eager", "compiled"], "torch": ["eager"], "tensorflow": ["eager", "compiled", "xla"]}[NAME]
# The shapes at the borders of the chunks in the way that needs the most; in the others one of them.
CASES = [(length, batch, WAYS[-1]) for length, batch in ((1, 1), (32, 2), (33, 1), (260, 1))]
CASES += [(31, 3, way) for way in WAYS]
# Lengths and jit_compile of `fit`; without it JAX runs op by op, which says nothing new and takes minutes.
FITS = {
    "jax": [(20, True), (None, True)],
    "torch": [(20, False), (None, False)],
    "tensorflow": [(20, False), (None, True)],
}[NAME]
WIDTH, STATES = 5, 3
# Of the largest number. The gradient of D is a sum of three hundred products; added up one after another in float32,
# with no scan around them, such sums are off by 3e-7 in the middle and by 1e-6 at most, of forty that were tried.
ROUNDING = 2e-6
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


@pytest.mark.parametrize(("length", "batch", "way"), CASES)
def test_values_and_gradients_match_the_loop_in_float64(length, batch, way):
    given, weights = problem(length, batch)
    for value, expected in zip(found(given, weights, way), reference(given, weights), strict=True):
        compare(value, expected, ROUNDING)


@pytest.mark.parametrize("left_out", [("z",), ("D", "initial_state")])
def test_what_is_left_out_counts_as_absent(left_out):
    given, weights = problem(20)
    given = without(given, *left_out)
    for value, expected in zip(found(given, weights, WAYS[-1]), reference(given, weights), strict=True):
        compare(value, expected, ROUNDING)


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


def test_large_steps_overflow_nowhere():
    # exp(delta A) runs from 1 to 0: what a scan in logarithms or with quotients turns into infinities.
    given, weights = problem(100, largest=100.0)
    given["A"] *= 16
    for value, expected in zip(found(given, weights, WAYS[-1]), reference(given, weights), strict=True):
        assert all(np.isfinite(each).all() for each in value.values())
        compare(value, expected, ROUNDING)


def test_two_pieces_with_the_state_handed_on_are_the_whole():
    given, _ = problem(33)
    tensors = {name: ops.convert_to_tensor(value) for name, value in given.items()}
    whole, last = backend.selective_scan(**tensors, return_state=True)
    parts, state = [], tensors["initial_state"]
    for start, end in ((0, 1), (1, 17), (17, 33)):
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
    # The decay of float32, rounded, fifteen hundred times: a loop in NumPy's float32 is off by 4.4e-5, a state of half
    # precision by more than half.
    np.testing.assert_allclose(numpy(state), expected["state"], rtol=1e-4)


def drawn(seed):
    """An initializer that draws the same numbers on every backend."""
    return lambda shape, dtype: ops.convert_to_tensor(0.3 * np.random.default_rng(seed).normal(size=shape), dtype)


class Selective(keras.layers.Layer):
    """A small selective state space over (b, t, d), by `selective_scan` or step by step."""

    def __init__(self, by_scan=True, **kwargs):
        super().__init__(**kwargs)
        self.by_scan = by_scan

    def build(self, shape):
        self.size = self.add_weight(shape=(shape[-1], shape[-1]), initializer=drawn(0), name="size")
        self.into = self.add_weight(shape=(shape[-1], STATES), initializer=drawn(1), name="into")
        self.out = self.add_weight(shape=(shape[-1], STATES), initializer=drawn(2), name="out")
        self.log = self.add_weight(shape=(shape[-1], STATES), initializer=drawn(3), name="log")
        self.skip = self.add_weight(shape=(shape[-1],), initializer="ones", name="skip")

    def call(self, x):
        delta = ops.softplus(ops.matmul(x, self.size))
        A, B, C = -ops.exp(self.log), ops.matmul(x, self.into), ops.matmul(x, self.out)
        if self.by_scan:
            return backend.selective_scan(x, delta, A, B, C, self.skip, z=x)

        def step(h, x):
            x, delta, B, C = x
            h = ops.exp(delta[..., None] * A) * h + (delta * x)[..., None] * B[:, None]
            return h, (ops.sum(h * C[:, None], axis=-1) + self.skip * x) * ops.silu(x)

        xs = tuple(ops.swapaxes(tensor, 0, 1) for tensor in (x, delta, B, C))
        return ops.swapaxes(backend.scan(step, ops.zeros((ops.shape(x)[0], *A.shape)), xs)[1], 0, 1)


def fitted(layer, length, jit):
    inputs = keras.Input((length, WIDTH))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.02), "mse", jit_compile=jit)
    generator = np.random.default_rng(0)
    # Seven samples in batches of four: the compiled step sees two sizes.
    x, y = (generator.normal(size=(7, 20, WIDTH)).astype("float32") for _ in range(2))
    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="module")
def fitted_by_steps():
    """The weights that a layer learns whose scan is a loop of single steps."""
    return fitted(Selective(by_scan=False), *FITS[0]).get_weights()


@pytest.mark.parametrize(("length", "jit"), FITS)
def test_fit_with_an_unknown_batch_and_length_learns_what_a_loop_of_steps_learns(length, jit, fitted_by_steps):
    model = fitted(Selective(), length, jit)
    for weight, other in zip(model.get_weights(), fitted_by_steps, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)
    assert np.abs(model.get_weights()[0] - numpy(drawn(0)((WIDTH, WIDTH), "float32"))).max() > 1e-3
    if length is None:
        assert model.predict(np.ones((2, 33, WIDTH), "float32"), verbose=0).shape == (2, 33, WIDTH)


def test_fit_takes_mixed_precision(fitted_by_steps):
    model = fitted(Selective(dtype="mixed_bfloat16"), *FITS[0])
    start = numpy(drawn(0)((WIDTH, WIDTH), "float32"))
    learned, half = (weights[0] - start for weights in (fitted_by_steps, model.get_weights()))
    # Eight bits of mantissa in what goes in.
    assert 0 < np.abs(half - learned).max() < 0.05 * np.abs(learned).max()


@pytest.mark.skipif(NAME == "jax", reason="on JAX the backward pass is differentiable, see below")
def test_a_second_derivative_is_refused():
    tensors = {name: ops.convert_to_tensor(value) for name, value in problem(6)[0].items()}
    if NAME == "torch":
        import torch

        # What comes in has no graph, yet the gradient depends on u.
        u = tensors["u"].requires_grad_()
        (first,) = torch.autograd.grad(backend.selective_scan(**tensors).sum(), u, create_graph=True)
        with pytest.raises(NotImplementedError, match="no gradient of its own"):
            (first**2).sum().backward()
        return
    import tensorflow as tf

    def second(u):
        with tf.GradientTape() as outer:
            outer.watch(u)
            with tf.GradientTape() as inner:
                inner.watch(u)
                y = tf.reduce_sum(backend.selective_scan(**{**tensors, "u": u}))
            first = inner.gradient(y, u)
        return outer.gradient(first, u)

    for function in (second, tf.function(second, autograph=False)):
        with pytest.raises(NotImplementedError, match="no gradient of its own"):
            function(tensors["u"])


@pytest.mark.skipif(NAME != "jax", reason="the others refuse")
def test_a_second_derivative_on_jax_is_the_slope_of_the_first():
    import jax

    given, weights = problem(20)

    def first(delta):
        return jax.grad(lambda delta: (backend.selective_scan(**{**given, "delta": delta}) * weights["y"]).sum())(delta)

    bump = np.random.default_rng(1).normal(size=given["delta"].shape).astype("float32")
    own = jax.jit(jax.grad(lambda delta: (first(delta) * bump).sum()))(given["delta"])
    weights["state"][:] = 0
    exact = {name: value.astype("float64") for name, value in given.items()}

    def slope(direction, size=1e-6):
        ends = (
            reference({**exact, "delta": exact["delta"] + s * direction}, weights)[1]["delta"] for s in (size, -size)
        )
        high, low = ends
        return ((high - low) * bump).sum() / (2 * size)

    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=bump.shape)
        np.testing.assert_allclose((numpy(own) * direction).sum(), slope(direction), rtol=1e-4)


@pytest.mark.skipif(NAME != "torch", reason="Keras infers shapes on a device without numbers on torch alone")
def test_shapes_are_inferred_without_a_loop():
    start = time.process_time()
    assert Selective()(keras.Input((10**7, WIDTH))).shape == (None, 10**7, WIDTH)
    assert time.process_time() - start < 5


@pytest.mark.skipif(NAME == "tensorflow", reason="TensorFlow tells nobody what it keeps")
def test_of_the_states_only_those_at_the_starts_of_chunks_are_kept():
    length, batch, width, states = 640, 2, 128, 64
    given, _ = problem(length, batch, width, states)
    one = 4 * batch * width * states
    if NAME == "jax":
        import jax

        _, pull = jax.vjp(lambda u: backend.selective_scan(**{**given, "u": u}), given["u"])
        kept = sum(leaf.nbytes for leaf in jax.tree.leaves(pull))
    else:
        import torch

        kept, seen = 0, set()

        def pack(tensor):
            nonlocal kept
            kept += tensor.nbytes if tensor.data_ptr() not in seen else 0
            seen.add(tensor.data_ptr())
            return tensor

        tensors = {name: ops.convert_to_tensor(value) for name, value in given.items()}
        tensors["u"].requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            backend.selective_scan(**tensors)
    sequences = 8 * given["u"].nbytes + 3 * given["B"].nbytes
    assert kept < length // 16 * one + sequences
    assert length * one > 4 * (length // 16 * one + sequences)


def test_without_a_gradient_torch_keeps_no_states():
    given, _ = problem(50)
    tensors = {name: ops.convert_to_tensor(value) for name, value in given.items()}
    expected = numpy(backend.selective_scan(**tensors))
    if NAME == "torch":
        import torch

        tensors["u"].requires_grad_()
        with torch.inference_mode():
            y = backend.selective_scan(**tensors)
        np.testing.assert_array_equal(numpy(y), expected)
        with torch.no_grad():
            assert backend.selective_scan(**tensors).grad_fn is None


def test_forward_and_backward_take_time_in_proportion_to_the_length():
    def seconds(length):
        given, weights = problem(length, batch=4, width=16, states=8)
        variables = {name: keras.Variable(value) for name, value in given.items()}

        def loss():
            y = backend.selective_scan(**{name: ops.convert_to_tensor(value) for name, value in variables.items()})
            return ops.sum(y * ops.convert_to_tensor(weights["y"]))

        def both():
            return backend.value_and_grad(loss, list(variables.values()))[1][0]

        if NAME == "jax":
            import jax

            both = jax.jit(both)
        numpy(both())
        times = []
        for _ in range(2):
            start = time.process_time()
            numpy(both())
            times.append(time.process_time() - start)
        return min(times)

    # Eight times the length: a quadratic part of any weight would show.
    assert seconds(8192) < 20 * seconds(1024)


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
