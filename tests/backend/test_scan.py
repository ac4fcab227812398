"""`scan` against a loop in float64 with its backward pass written out, eager and compiled, alone and inside `fit`."""

import time

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend
from kzoo.backend import loops

NAME = keras.backend.backend()
# "eager" is one call after another; "compiled" is what `fit` does; "xla" is TensorFlow's jit_compile=True.
WAYS = {"jax": ["eager", "compiled"], "torch": ["eager"], "tensorflow": ["eager", "compiled", "xla"]}[NAME]
# What jit_compile may be in `fit`; without it JAX runs op by op, which says nothing new and takes minutes.
COMPILED = {"jax": [True], "torch": [False], "tensorflow": [False, True]}[NAME]
BATCH, WIDTH, UNITS = 3, 4, 5


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
    return keras.tree.map_structure(lambda leaf: None if leaf is None else ops.convert_to_numpy(leaf), nest)


def problem(length, masked=False, seed=0):
    """Inputs, weights and cotangents of the cell below; a mask with a hole, a late start and an empty sample."""
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(size=shape).astype("float32")

    mask = None
    if masked:
        mask = generator.random((length, BATCH)) > 0.4
        mask[: length // 2, 0] = False
        mask[:, 1] = False
        mask[-1, 2] = True
    given = {"x": draw(length, BATCH, WIDTH), "h": draw(BATCH, UNITS), "k": draw(WIDTH, UNITS), "r": draw(UNITS, UNITS)}
    given["r"] /= UNITS  # a contraction: rounding dies out over 4,096 steps
    weights = {"y": draw(length, BATCH, UNITS), "q": draw(length, BATCH), "h": draw(BATCH, UNITS)}
    return given, weights, mask


def reference(given, weights, mask, reverse):
    """Values and gradients of the cell h' = tanh(x k + h r), y = 2 h', q = sum h'^2, step by step in float64.

    The loss is sum(weights y * y) + sum(weights q * q) + sum(weights h * last h).
    """
    x, h, k, r = (given[name].astype("float64") for name in "xhkr")
    length = len(x)
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    order = list(range(length))[:: -1 if reverse else 1]
    y, q = np.zeros((length, BATCH, UNITS)), np.zeros((length, BATCH))
    y_last, q_last = np.zeros((BATCH, UNITS)), np.zeros(BATCH)
    before, after = {}, {}
    for t in order:
        valid = mask[t][:, None]
        before[t], after[t] = h, np.tanh(x[t] @ k + h @ r)
        y_last = y[t] = np.where(valid, 2 * after[t], y_last)
        q_last = q[t] = np.where(mask[t], (after[t] ** 2).sum(-1), q_last)
        h = np.where(valid, after[t], h)
    dx, dk, dr = np.zeros_like(x), np.zeros_like(k), np.zeros_like(r)
    dh, dy, dq = weights["h"].astype("float64"), np.zeros((BATCH, UNITS)), np.zeros(BATCH)
    for t in reversed(order):
        valid = mask[t][:, None]
        # What a masked step shows is the last valid y: its share of the loss goes there.
        dy, dq = dy + weights["y"][t], dq + weights["q"][t]
        d_after = dh + 2 * dy + 2 * dq[:, None] * after[t]
        dz = np.where(valid, d_after * (1 - after[t] ** 2), 0)
        dy, dq = np.where(valid, 0, dy), np.where(mask[t], 0, dq)
        dx[t], dk, dr = dz @ k.T, dk + x[t].T @ dz, dr + before[t].T @ dz
        dh = np.where(valid, 0, dh) + dz @ r.T
    return {"y": y, "q": q, "h": h}, {"x": dx, "h": dh, "k": dk, "r": dr}


def found(given, weights, way, **options):
    """The same by `scan`, with nests for carry, inputs and outputs, and an integer in the carry."""
    # The recurrent matrix is not trainable: a gradient is to reach it nevertheless.
    variables = {name: keras.Variable(value, trainable=name != "r") for name, value in given.items()}

    def step(carry, inputs):
        h, count = carry["h"], carry["counts"][0]
        h = ops.tanh(ops.matmul(inputs["x"], variables["k"]) + ops.matmul(h, variables["r"]))
        return {"h": h, "counts": [count + 1]}, (2 * h, None, {"q": ops.sum(h**2, axis=-1)})

    def scan():
        carry = {"h": ops.convert_to_tensor(variables["h"]), "counts": [ops.zeros((BATCH,), "int32")]}
        carry, (y, none, rest) = backend.scan(step, carry, {"x": ops.convert_to_tensor(variables["x"])}, **options)
        assert none is None
        return {"y": y, "q": rest["q"], "h": carry["h"]}, carry["counts"][0]

    def loss():
        values, _ = scan()
        return sum(ops.sum(ops.convert_to_tensor(weights[name]) * value) for name, value in values.items())

    def both():
        return scan(), backend.value_and_grad(loss, list(variables.values()))[1]

    (values, counts), gradients = numpy(run(both, way))
    return values, dict(zip(variables, gradients, strict=True)), counts


CASES = [
    *[(length, {}) for length in (1, 2, 9, 13)],
    (13, {"reverse": True}),
    (13, {"mask": True}),
    (13, {"mask": True, "reverse": True}),
    *[(13, {"checkpoint": chunk}) for chunk in (1, 5, 13, 100)],
    (12, {"checkpoint": 4, "reverse": True}),
    (13, {"checkpoint": 4, "reverse": True, "mask": True}),
    (1, {"checkpoint": 4, "mask": True}),
    (4096, {}),
    (4099, {"checkpoint": 64}),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("length", "options"), CASES, ids=[f"{n} {' '.join(f'{k}={v}' for k, v in o.items())}".strip() for n, o in CASES]
)
def test_values_and_gradients_match_the_loop_in_float64(length, options, way):
    everything = len(options) == 3 or (way == "xla" and length == 4099)
    if way != "compiled" and NAME != "torch" and not everything:
        pytest.skip("slow where each call compiles anew or walks in Python; one case with all options is enough")
    given, weights, mask = problem(length, masked="mask" in options)
    options = {**options, "mask": mask}
    expected, expected_gradients = reference(given, weights, mask, options.get("reverse", False))
    values, gradients, counts = found(given, weights, way, **options)
    np.testing.assert_array_equal(counts, np.full(BATCH, length) if mask is None else mask.sum(0))
    for name, value in expected.items():
        # Sums of some ten terms of order 1 in float32.
        np.testing.assert_allclose(values[name], value, atol=5e-6, err_msg=name)
    for name, gradient in expected_gradients.items():
        # The gradients of the weights are sums over time and batch.
        np.testing.assert_allclose(gradients[name], gradient, atol=2e-5 * np.sqrt(length), rtol=1e-5, err_msg=name)


def test_the_backward_pass_written_out_matches_finite_differences():
    given, weights, mask = problem(5, masked=True)
    _, gradients = reference(given, weights, mask, reverse=False)

    def loss(**changed):
        values, _ = reference({**given, **changed}, weights, mask, reverse=False)
        return sum((weights[name] * value).sum() for name, value in values.items())

    for name, gradient in gradients.items():
        bump = np.random.default_rng(1).normal(size=gradient.shape)
        base = given[name].astype("float64")
        slope = (loss(**{name: base + 1e-6 * bump}) - loss(**{name: base - 1e-6 * bump})) / 2e-6
        np.testing.assert_allclose((gradient * bump).sum(), slope, rtol=1e-7)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("checkpoint", [None, 3])
def test_a_gradient_reaches_a_tensor_made_outside_of_the_step(way, checkpoint):
    # sum over t of t * a^2 * x_t, with a^2 computed before the loop.
    a = keras.Variable(3.0)
    x = np.arange(1.0, 8.0, dtype="float32")

    def loss():
        square = ops.convert_to_tensor(a) ** 2
        total, _ = backend.scan(lambda c, x: (c + square * x, None), ops.zeros(()), x, checkpoint=checkpoint)
        return total

    value, (gradient,) = numpy(run(lambda: backend.value_and_grad(loss, [a]), way))
    np.testing.assert_allclose(value, 9 * 28)
    np.testing.assert_allclose(gradient, 6 * 28)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_leaks_out_of_masked_steps(way):
    given, weights, mask = problem(13, masked=True)
    clean = found(given, weights, way, mask=mask)
    # All three kinds in one array: most of the time goes into compiling.
    poison = np.resize(np.array([np.nan, np.inf, 1e30], "float32"), given["x"].shape)
    given["x"] = np.where(mask[..., None], given["x"], poison)
    values, gradients, _ = found(given, weights, way, mask=mask)
    for name in values:
        np.testing.assert_array_equal(values[name], clean[0][name])
    for name in gradients:
        np.testing.assert_array_equal(gradients[name], clean[1][name])
    assert (gradients["x"][~mask] == 0).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_step_that_has_no_value_at_zero_may_be_masked(way):
    x = np.array([[0, 0], [2, 0], [0, 0], [8, 0]], "float32")
    variable = keras.Variable(x)

    def loss():
        step = lambda c, x: (c + ops.log(x), None)  # noqa: E731
        total, _ = backend.scan(step, ops.zeros((2,)), ops.convert_to_tensor(variable), mask=x > 0)
        return ops.sum(total)

    value, (gradient,) = numpy(run(lambda: backend.value_and_grad(loss, [variable]), way))
    np.testing.assert_allclose(value, np.log(16), rtol=1e-6)
    np.testing.assert_allclose(gradient, np.divide(1, x, out=np.zeros_like(x), where=x > 0))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_mask_means_what_it_means_to_keras(reverse):
    given, _, mask = problem(9, masked=True)
    mask[0], mask[4] = True, [True, False, True]
    layer = keras.layers.SimpleRNN(UNITS, return_sequences=True, return_state=True, go_backwards=reverse)
    layer.build((BATCH, 9, WIDTH))
    x = np.swapaxes(given["x"], 0, 1)
    outputs, state = numpy(layer(x, mask=np.swapaxes(mask, 0, 1)))
    kernel, recurrent, _ = layer.get_weights()

    def step(h, x):
        h = ops.tanh(ops.matmul(x, kernel) + ops.matmul(h, recurrent))
        return h, h

    last, y = numpy(backend.scan(step, ops.zeros((BATCH, UNITS)), given["x"], mask=mask, reverse=reverse))
    np.testing.assert_allclose(last, state, atol=1e-5)
    # Keras returns what it ran backwards in the order of running.
    np.testing.assert_allclose(np.swapaxes(y[::-1] if reverse else y, 0, 1), outputs, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("checkpoint", [None, 2])
def test_a_length_takes_the_place_of_inputs(way, checkpoint):
    def scan():
        return backend.scan(
            lambda c, x: ((c[0] + c[1], c[0]), c[1]), (1, 0), length=10, reverse=True, checkpoint=checkpoint
        )

    carry, y = numpy(run(scan, way))
    np.testing.assert_array_equal(carry, [89, 55])
    np.testing.assert_array_equal(y, [34, 21, 13, 8, 5, 3, 2, 1, 1, 0])


@pytest.mark.parametrize("way", WAYS)
def test_a_scan_without_a_carry_is_a_map(way):
    x = np.arange(6, dtype="float32")
    for empty in ((), None, {}):
        carry, y = run(lambda empty=empty: backend.scan(lambda c, x: (c, {"square": x**2}), empty, x), way)
        assert carry == empty
        np.testing.assert_array_equal(numpy(y["square"]), x**2)


def test_lists_and_tuples_of_the_carry_stay_what_they_were():
    carry, _ = backend.scan(lambda c, x: ((c[0] + x, [c[1]["a"]]) and [c[0] + x, {"a": c[1]["a"]}], None),
                            (ops.zeros(()), {"a": ops.ones(())}), np.ones(3, "float32"))  # fmt: skip
    assert isinstance(carry, tuple)
    assert float(carry[0]) == 3


class Leaky(keras.layers.Layer):
    """h' = tanh(x k + h / 2) over (b, t, d), by `scan` or by a loop written out; returns all h."""

    def __init__(self, units, by_scan=True, checkpoint=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.by_scan, self.checkpoint = units, by_scan, checkpoint
        self.supports_masking = True
        self.calls = 0

    def build(self, shape):
        self.k = self.add_weight(shape=(shape[-1], self.units), initializer=keras.initializers.GlorotUniform(1))

    def call(self, inputs, mask=None):
        def step(h, x):
            self.calls += 1
            h = ops.tanh(ops.matmul(x, self.k) + h / 2)
            return h, h

        h = ops.zeros((ops.shape(inputs)[0], self.units), dtype=self.compute_dtype)
        if self.by_scan:
            options = {} if mask is None else {"mask": ops.transpose(mask)}
            _, y = backend.scan(step, h, ops.swapaxes(inputs, 0, 1), checkpoint=self.checkpoint, **options)
            return ops.swapaxes(y, 0, 1)
        collected = []
        for t in range(inputs.shape[1]):
            h, y = step(h, inputs[:, t])
            collected.append(y)
        return ops.stack(collected, axis=1)


def fitted(layer, length, jit, dtype=None):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((length, WIDTH))
    model = keras.Model(
        inputs, keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(2))(layer(inputs))
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit)
    generator = np.random.default_rng(0)
    # Seven samples in batches of four: the compiled step sees two sizes.
    x, y = generator.normal(size=(7, 6, WIDTH)), generator.normal(size=(7, 6, 1))
    model.fit(x.astype("float32"), y.astype("float32"), batch_size=4, epochs=2, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("jit", COMPILED)
@pytest.mark.parametrize("checkpoint", [None, 4])
def test_fit_with_an_unknown_batch_learns_what_a_loop_written_out_learns(jit, checkpoint):
    model = fitted(Leaky(UNITS, checkpoint=checkpoint), 6, jit)
    expected = fitted(Leaky(UNITS, by_scan=False), 6, jit)
    for weight, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)
    start = keras.initializers.GlorotUniform(1)((WIDTH, UNITS))
    assert np.abs(model.get_weights()[0] - numpy(start)).max() > 0.01


@pytest.mark.parametrize("jit", COMPILED)
def test_fit_takes_a_length_that_is_unknown_before_it_runs(jit):
    model = fitted(Leaky(UNITS), None, jit)
    expected = fitted(Leaky(UNITS), 6, jit)
    for weight, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)
    assert model.predict(np.ones((2, 11, WIDTH), "float32"), verbose=0).shape == (2, 11, 1)


def test_fit_takes_a_mask():
    inputs = keras.Input((6, WIDTH))
    model = keras.Model(inputs, Leaky(2)(keras.layers.Masking()(inputs)))
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(5, 6, WIDTH)).astype("float32")
    x[:, 3:] = 0
    model.fit(x, np.zeros((5, 6, 2), "float32"), batch_size=2, verbose=0)
    y = model.predict(x, verbose=0)
    np.testing.assert_allclose(y[:, 3:], np.repeat(y[:, 2:3], 3, axis=1))
    assert np.isfinite(y).all()


@pytest.mark.parametrize("way", WAYS)
def test_mixed_precision_computes_the_backward_pass_in_the_dtype_of_the_forward(way):
    x = np.random.default_rng(0).normal(size=(2, 6, WIDTH)).astype("float32")
    gradients = {}
    for dtype in ("float32", "mixed_bfloat16"):
        layer = Leaky(UNITS, dtype=dtype)
        layer.build(x.shape)

        def both(layer=layer):
            return backend.value_and_grad(lambda: ops.sum(ops.cast(layer(x), "float32") ** 2), [layer.k])[1]

        (gradients[dtype],) = run(both, way)
    assert keras.backend.standardize_dtype(gradients["mixed_bfloat16"].dtype) == "float32"
    # Eight bits of mantissa in every step.
    full, half = numpy(gradients["float32"]), numpy(gradients["mixed_bfloat16"])
    np.testing.assert_allclose(half, full, atol=0.03 * np.abs(full).max())
    assert (half != full).any()


@pytest.mark.skipif(NAME != "torch", reason="Keras infers shapes by running the layer on torch alone")
def test_shapes_are_inferred_from_one_step():
    layer = Leaky(UNITS)
    assert layer(keras.Input((1000, WIDTH))).shape == (None, 1000, UNITS)
    assert layer.calls < 10


@pytest.mark.skipif(NAME == "tensorflow", reason="TensorFlow tells nobody what it keeps")
def test_checkpoints_keep_a_part_of_what_the_plain_backward_pass_keeps():
    length, x = 400, np.ones((400, 8, 16), "float32")

    def step(h, x):
        h = ops.tanh(x + ops.sin(h) * ops.cos(h))
        return h, None

    def last(x, checkpoint):
        return backend.scan(step, ops.zeros((8, 16)), x, checkpoint=checkpoint)[0]

    def kept(checkpoint):
        if NAME == "jax":
            import jax

            _, pull = jax.vjp(lambda x: last(x, checkpoint), x)
            return sum(leaf.nbytes for leaf in jax.tree.leaves(pull)) - x.nbytes
        import torch

        total = 0

        def pack(tensor):
            nonlocal total
            total += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            last(torch.tensor(x, requires_grad=True), checkpoint)
        return total

    state = 8 * 16 * 4
    assert kept(None) > 2 * length * state
    assert kept(20) <= (length // 20 + 2) * state


def test_the_backward_pass_takes_time_in_proportion_to_the_length():
    w = keras.Variable(np.eye(8, dtype="float32"))

    def seconds(length):
        x = ops.convert_to_tensor(np.ones((length, 64, 8), "float32"))
        variable = keras.Variable(x)

        def step(h, x):
            h = ops.tanh(ops.matmul(h, w) + x)
            return h, h

        def loss():
            return ops.sum(backend.scan(step, ops.zeros((64, 8)), ops.convert_to_tensor(variable))[1])

        def both():
            return backend.value_and_grad(loss, [w, variable])[1][0]

        if NAME == "jax":
            import jax

            both = jax.jit(both)
        if NAME == "tensorflow":
            import tensorflow as tf

            both = tf.function(both, jit_compile=True, autograph=False)
        numpy(both())
        times = []
        for _ in range(3):
            start = time.process_time()
            numpy(both())
            times.append(time.process_time() - start)
        return min(times)

    # Sixteen times the length: a quadratic part of any weight would show.
    assert seconds(4096) < 40 * seconds(256)


def plain(c, x):
    return c, None


X = np.zeros((5, 3, 2), "float32")
H = np.zeros((3, 2), "float32")


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((plain, H), {}, ["neither inputs nor a length", "length=100"]),
        ((plain, H, X[:0]), {}, ["at least one step", "0"]),
        ((plain, H), {"length": 0}, ["at least one step", "0 (length)"]),
        ((plain, H), {"length": 2.5}, ["an int", "length=2.5"]),
        ((plain, H, X), {"length": 4}, ["one length", "5", "4 (length)"]),
        ((plain, H, {"a": X, "b": X[:4]}), {}, ["inputs['a']", "4 (inputs['b'])", "mask"]),
        ((plain, H, np.float32(3)), {}, ["inputs is a scalar"]),
        ((plain, H, X), {"mask": np.ones((4, 3), bool)}, ["(4, 3) for 5 steps"]),
        ((plain, H, X), {"mask": np.ones(5, bool)}, ["(t, b)", "(5,)"]),
        ((plain, H, X), {"mask": np.ones((5, 4), bool)}, ["(5, 4)", "carry (3, 2)"]),
        ((plain, (), X), {"mask": np.ones((5, 4), bool)}, ["(5, 4)", "inputs (5, 3, 2)"]),
        ((lambda c, x: (c, ops.ones(2)), H, X), {"mask": np.ones((5, 3), bool)}, ["every leaf of y", "(2,)"]),
        ((plain, H, X), {"checkpoint": 0}, ["at least 1", "checkpoint=0"]),
        ((plain, H, X), {"checkpoint": True}, ["checkpoint=True"]),
        ((lambda c, x: c, H, X), {}, ["a pair, (carry, y)", "(carry, None)"]),
        ((lambda c, x: ({"h": c}, None), H, X), {}, ["structure", "{'h': 'float32[3, 2]'}"]),
        ((lambda c, x: (c[:, :1], None), H, X), {}, ["carry was float32[3, 2]", "float32[3, 1]"]),
        ((lambda c, x: ([ops.sum(c[0])], None), [H], X), {}, ["carry[0] was", "float32[]"]),
        ((lambda c, x: (ops.cast(c, "float16"), None), H, X), {}, ["came back as float16", "cast"]),
        ((plain, keras.KerasTensor((3, 2)), X), {}, ["placeholder", "call() of a layer"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", WAYS)
def test_bad_input_is_refused_with_what_was_received_and_the_remedy(arguments, options, words, way):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        run(lambda: backend.scan(*arguments, **options)[1] or 0, way)
    for word in words:
        assert word in str(caught.value)


def test_a_carry_that_changes_late_is_refused():
    grown = []

    def step(h, x):
        grown.append(1)
        return (ops.concatenate([h, h]) if len(grown) > 3 else h), None

    with pytest.raises(ValueError, match="came back as") if NAME != "jax" else pytest.raises(AssertionError):
        backend.scan(step, H, X)
        # JAX runs the step once and never sees it grow.
        assert NAME != "jax"


def test_what_was_taken_apart_is_put_together_again():
    nest = {"b": [1, None], "a": (2, ())}
    assert loops.leaves(nest) == [2, 1]
    assert loops.pack(nest, [5, 6]) == {"b": [6, None], "a": (5, ())}
