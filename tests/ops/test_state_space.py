"""The chunked scan of Mamba-2, the single steps, the convolution and the attention, against loops in float64."""

# ruff: noqa: N806 (A, B, C and D are the matrices of the equations)

import keras
import numpy as np
import pytest
from keras import ops

from kzoo import backend
from kzoo.ops import state_space

BATCH, HEADS, WIDTH, STATES = 2, 4, 3, 5


def draw(*shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def steps_of(*shape, largest=1.0, seed=9):
    """Step sizes between 1e-3 and `largest`, evenly in their logarithm."""
    generator = np.random.default_rng(seed)
    return np.exp(generator.uniform(np.log(1e-3), np.log(largest), shape)).astype("float32")


def tensors(given):
    return {name: ops.convert_to_tensor(value) for name, value in given.items()}


def compare(value, expected, tolerance):
    """The largest error, relative to the largest number."""
    value = ops.convert_to_numpy(value)
    assert value.shape == expected.shape
    error = np.abs(value - expected).max() / np.abs(expected).max()
    assert error < tolerance, f"{error:.2e}"


def heads(length, groups=2, batch=BATCH, largest=1.0):
    """Arguments of `ssd`."""
    return {
        "x": draw(batch, length, HEADS, WIDTH, seed=0),
        "delta": steps_of(batch, length, HEADS, largest=largest),
        "A": -np.exp(draw(HEADS, seed=1)),
        "B": draw(batch, length, groups, STATES, seed=2),
        "C": draw(batch, length, groups, STATES, seed=3),
        "D": draw(HEADS, seed=4),
        "initial_state": draw(batch, HEADS, WIDTH, STATES, seed=5),
    }


def reference(given, weights=None):
    """The scan of Mamba-2 step by step in float64: y, the last state, and the gradients of sum(weights * y)."""
    given = {name: np.asarray(value, "float64") for name, value in given.items()}
    x, delta, A = given["x"], given["delta"], given["A"]
    D = given.get("D", np.zeros(HEADS))
    each = HEADS // given["B"].shape[2]
    B, C = (np.repeat(given[name], each, axis=2) for name in "BC")
    h = given.get("initial_state", np.zeros((len(x), HEADS, WIDTH, STATES)))
    y, states = np.zeros_like(x), [h]
    for t in range(x.shape[1]):
        decay = np.exp(delta[:, t] * A)
        h = decay[..., None, None] * h + np.einsum("bh,bhp,bhn->bhpn", delta[:, t], x[:, t], B[:, t])
        states.append(h)
        y[:, t] = np.einsum("bhpn,bhn->bhp", h, C[:, t]) + D[:, None] * x[:, t]
    if weights is None:
        return y, h
    d = {name: np.zeros_like(value) for name, value in given.items()}
    d["x"] = weights * D[:, None]
    d["D"] = (weights * x).sum((0, 1, 3))
    dB, dC, dh = np.zeros_like(B), np.zeros_like(C), np.zeros_like(h)
    for t in reversed(range(x.shape[1])):
        dh = dh + np.einsum("bhp,bhn->bhpn", weights[:, t], C[:, t])
        dC[:, t] = np.einsum("bhpn,bhp->bhn", states[t + 1], weights[:, t])
        dB[:, t] = np.einsum("bhpn,bh,bhp->bhn", dh, delta[:, t], x[:, t])
        through = np.einsum("bhpn,bhn->bhp", dh, B[:, t])
        d["x"][:, t] += delta[:, t, :, None] * through
        dh = np.exp(delta[:, t] * A)[..., None, None] * dh
        kept = (dh * states[t]).sum((2, 3))
        d["delta"][:, t] = (through * x[:, t]).sum(-1) + kept * A
        d["A"] += (kept * delta[:, t]).sum(0)
    for name, gradient in (("B", dB), ("C", dC)):
        d[name] = gradient.reshape(*gradient.shape[:2], -1, each, STATES).sum(3)
    d["initial_state"] = dh
    return y, h, d


@pytest.mark.parametrize(
    ("length", "chunk", "groups"), [(1, 8, 2), (7, 8, 4), (8, 8, 1), (37, 8, 2), (20, 1, 2), (130, 64, 1)]
)
def test_the_chunked_scan_is_the_sequential_one(length, chunk, groups):
    given = heads(length, groups)
    y, state = state_space.ssd(**tensors(given), return_state=True, chunk=chunk)
    expected_y, expected_state = reference(given)
    compare(y, expected_y, 1e-6)
    compare(state, expected_state, 1e-6)


@pytest.mark.parametrize("largest", [1.0, 100.0])
def test_the_gradients_of_the_chunked_scan_are_those_of_the_sequential_one(largest):
    given = heads(37, largest=largest)
    weights = draw(BATCH, 37, HEADS, WIDTH, seed=6)
    variables = {name: keras.Variable(value) for name, value in given.items()}

    def loss():
        y = state_space.ssd(**{name: ops.convert_to_tensor(value) for name, value in variables.items()}, chunk=8)
        return ops.sum(y * ops.convert_to_tensor(weights))

    _, gradients = backend.value_and_grad(loss, list(variables.values()))
    *_, expected = reference(given, weights)
    for name, gradient in zip(variables, gradients, strict=True):
        assert np.isfinite(ops.convert_to_numpy(gradient)).all(), name
        compare(gradient, expected[name], 5e-6)


def test_a_step_that_forgets_all_costs_the_steps_behind_it_no_digit():
    # Behind an exponent of -1e6 a difference of running sums would be good to a tenth.
    given = heads(40)
    given["delta"][:, 3] = 1e6
    given["x"][:, 3] = 1e-6
    y = state_space.ssd(**tensors(given), chunk=40)
    compare(y, reference(given)[0], 1e-6)


def test_the_chunked_scan_goes_without_skip_and_initial_state():
    given = heads(20)
    del given["D"], given["initial_state"]
    compare(state_space.ssd(**tensors(given), chunk=8), reference(given)[0], 1e-6)


def test_two_pieces_of_the_chunked_scan_are_the_whole():
    given = tensors(heads(30))
    state, parts = given.pop("initial_state"), []
    whole = state_space.ssd(**given, initial_state=state, chunk=8)
    for start, end in ((0, 11), (11, 12), (12, 30)):
        piece = {name: given[name][:, start:end] for name in ("x", "delta", "B", "C")}
        y, state = state_space.ssd(**piece, A=given["A"], D=given["D"], initial_state=state, return_state=True, chunk=8)
        parts.append(ops.convert_to_numpy(y))
    compare(np.concatenate(parts, axis=1), ops.convert_to_numpy(whole), 1e-6)


def test_one_head_of_width_one_is_a_selective_scan():
    # With one decay for all states the two models are the same.
    length, d = 50, 4
    u, delta, a = draw(1, length, d, seed=1), steps_of(1, length, d), -np.exp(draw(d, seed=2))
    b, c = draw(1, length, STATES, seed=3), draw(1, length, STATES, seed=4)
    expected = backend.selective_scan(u, delta, np.repeat(a[:, None], STATES, 1), b, c)
    y = state_space.ssd(u[..., None], delta, a, b[:, :, None], c[:, :, None], chunk=16)
    compare(y[..., 0], ops.convert_to_numpy(expected), 1e-6)


def test_steps_of_the_chunked_scan_are_the_sequence():
    given = heads(9)
    expected, last = reference(given)
    given = tensors(given)
    state = given["initial_state"]
    for t in range(9):
        y, state = state_space.ssd_step(
            *(given[name][:, t] if name != "A" else given["A"] for name in ("x", "delta", "A", "B", "C")),
            given["D"],
            state,
        )
        compare(y, expected[:, t], 1e-6)
    compare(state, last, 1e-6)


@pytest.mark.parametrize("gated", [True, False])
def test_selective_steps_are_the_selective_scan(gated):
    length, d = 9, 4
    sequence = {
        "u": draw(BATCH, length, d, seed=0),
        "delta": steps_of(BATCH, length, d),
        "B": draw(BATCH, length, STATES, seed=2),
        "C": draw(BATCH, length, STATES, seed=3),
    }
    fixed = {"A": -np.exp(draw(d, STATES, seed=1))}
    if gated:
        sequence["z"], fixed["D"] = draw(BATCH, length, d, seed=4), draw(d, seed=5)
    sequence, fixed = tensors(sequence), tensors(fixed)
    whole, last = backend.selective_scan(**sequence, **fixed, return_state=True)
    state = None
    for t in range(length):
        y, state = state_space.selective_step(
            **{name: value[:, t] for name, value in sequence.items()}, **fixed, state=state
        )
        compare(y, ops.convert_to_numpy(whole)[:, t], 1e-6)
    compare(state, ops.convert_to_numpy(last), 1e-6)


def test_steps_of_half_precision_keep_a_state_of_float32():
    u = ops.ones((1, 2), "bfloat16")
    y, state = state_space.selective_step(u, u, -ops.ones((2, 3)), ops.ones((1, 3)), ops.ones((1, 3)))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(state.dtype) == "float32"
    x = ops.ones((1, 2, 3), "bfloat16")
    y, state = state_space.ssd_step(x, u, -ops.ones((2,)), ops.ones((1, 1, 4)), ops.ones((1, 1, 4)))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(state.dtype) == "float32"


def test_the_implied_attention_times_the_input_is_the_scan():
    length, d = 12, 4
    u, delta, a = draw(BATCH, length, d, seed=0), steps_of(BATCH, length, d), -np.exp(draw(d, STATES, seed=1))
    b, c = draw(BATCH, length, STATES, seed=2), draw(BATCH, length, STATES, seed=3)
    y = ops.convert_to_numpy(backend.selective_scan(u, delta, a, b, c))
    for channel in range(d):
        matrix = ops.convert_to_numpy(state_space.implied_attention(delta, a, b, c, channel))
        assert (np.triu(matrix, 1) == 0).all()
        compare(np.einsum("bts,bs->bt", matrix, u[..., channel]), y[..., channel], 1e-6)
    with pytest.raises(ValueError, match="one of the 4 channels, 0 to 3; received channel=4"):
        state_space.implied_attention(delta, a, b, c, 4)


def convolved(x, kernel, bias, state):
    """The causal convolution, a loop over steps and taps in float64."""
    width = len(kernel)
    padded = np.concatenate([state, x], axis=1).astype("float64")
    y = np.zeros(x.shape)
    for t in range(x.shape[1]):
        for k in range(width):
            y[:, t] += kernel[k] * padded[:, t + k]
    return y + bias, padded[:, x.shape[1] :]


@pytest.mark.parametrize("length", [1, 2, 9])
@pytest.mark.parametrize("width", [1, 4])
def test_the_causal_convolution_is_a_loop_over_steps_and_taps(length, width):
    x, kernel, bias = draw(BATCH, length, 3, seed=0), draw(width, 3, seed=1), draw(3, seed=2)
    state = draw(BATCH, width - 1, 3, seed=3)
    y, last = state_space.causal_convolution(*map(ops.convert_to_tensor, (x, kernel, bias, state)), return_state=True)
    expected, expected_last = convolved(x, kernel, bias, state)
    compare(y, expected, 1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(last), expected_last, atol=1e-7)
    plain = state_space.causal_convolution(x, kernel)
    compare(plain, convolved(x, kernel, 0, np.zeros_like(state))[0], 1e-6)


def test_steps_of_the_convolution_are_the_sequence():
    x, kernel, bias = draw(BATCH, 7, 3, seed=0), draw(4, 3, seed=1), draw(3, seed=2)
    expected, _ = convolved(x, kernel, bias, np.zeros((BATCH, 3, 3)))
    state = None
    for t in range(7):
        y, state = state_space.causal_convolution_step(x[:, t], kernel, bias, state)
        compare(y, expected[:, t], 1e-6)


BAD = [
    ("x", (2, 5, 12), r"x of shape \(b, t, h, p\)[\s\S]*received x \(2, 5, 12\)"),
    ("B", (2, 5, 5), r"single group is B\[:, :, None\]"),
    ("B", (2, 5, 3, STATES), "4 heads .* and 3 groups"),
    ("C", (2, 5, 2, 4), r"C of shape \(b, t, g, n\) = \(2, 5, 2, 5\)[\s\S]*received \(2, 5, 2, 4\)"),
    ("delta", (2, 5), r"delta of shape \(b, t, h\) = \(2, 5, 4\)[\s\S]*received \(2, 5\)"),
    ("A", (HEADS, STATES), r"A of shape \(h\) = \(4,\)[\s\S]*received \(4, 5\)"),
    ("D", (1,), r"D of shape \(h\) = \(4,\)[\s\S]*received \(1,\)"),
    ("initial_state", (2, HEADS, STATES, WIDTH), r"initial_state of shape \(b, h, p, n\) = \(2, 4, 3, 5\)"),
]


@pytest.mark.parametrize(("name", "shape", "message"), BAD, ids=[f"{name} {shape}" for name, shape, _ in BAD])
def test_shapes_that_do_not_go_together_are_named(name, shape, message):
    given = heads(5)
    given[name] = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=message):
        state_space.ssd(**given)


@pytest.mark.parametrize("chunk", [0, -1, 2.5, True])
def test_a_chunk_is_a_number_of_steps(chunk):
    with pytest.raises(ValueError, match=f"at least 1; received chunk={chunk!r}"):
        state_space.ssd(**heads(5), chunk=chunk)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 3, 2), (1, 3, 3), (2, 3)])
def test_the_state_of_another_convolution_is_refused(shape):
    # A longer one would shift every output, one of another batch be repeated.
    with pytest.raises(ValueError, match=r"= \(2, 3, 3\)[\s\S]*Hand on the state of the piece before"):
        state_space.causal_convolution(draw(2, 5, 3, seed=0), draw(4, 3, seed=1), state=np.zeros(shape, "float32"))


def test_whole_numbers_and_empty_sequences_are_refused():
    given = heads(5)
    with pytest.raises(ValueError, match=r"floating-point numbers[\s\S]*int32[\s\S]*ops\.cast"):
        state_space.ssd(**given | {"x": np.ones(given["x"].shape, "int32")})
    with pytest.raises(ValueError, match="floating-point numbers"):
        backend.selective_scan(
            np.ones((1, 4, 2), "int32"),
            steps_of(1, 4, 2),
            -np.ones((2, 3), "float32"),
            *np.ones((2, 1, 4, 3), "float32"),
        )
    with pytest.raises(ValueError, match="at least one step"):
        state_space.ssd(**given | {key: given[key][:, :0] for key in ("x", "delta", "B", "C")})


def test_a_kernel_of_torch_is_told_how_to_turn():
    with pytest.raises(ValueError, match=r"received \(3, 1, 4\)[\s\S]*kernel\[:, 0\]\.T"):
        state_space.causal_convolution(draw(1, 5, 3, seed=0), draw(3, 1, 4, seed=1))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("u", (2, 5, 3), r"Expected u of shape \(b, d\)"),
        ("delta", (1, 3), r"delta of shape \(b, d\) = \(2, 3\); received \(1, 3\)"),
        ("C", (2, 1), r"C of shape \(b, n\) = \(2, 4\)"),
        ("state", (1, 3, 4), r"state of shape \(b, d, n\) = \(2, 3, 4\)"),
    ],
)
def test_a_selective_step_refuses_what_it_would_broadcast(name, shape, message):
    shapes = {"u": (2, 3), "delta": (2, 3), "A": (3, 4), "B": (2, 4), "C": (2, 4), "state": (2, 3, 4)}
    with pytest.raises(ValueError, match=message):
        state_space.selective_step(**{key: np.ones(size, "float32") for key, size in (shapes | {name: shape}).items()})


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 4), r"Expected x of shape \(b, h, p\)"),
        ("delta", (2, 1), r"delta of shape \(b, h\) = \(2, 4\); received \(2, 1\)"),
        ("B", (2, 3, 5), "groups share evenly; received 4 and 3"),
        ("state", (1, 4, 3, 5), r"state of shape \(b, h, p, n\) = \(2, 4, 3, 5\)"),
    ],
)
def test_an_ssd_step_refuses_what_it_would_broadcast(name, shape, message):
    shapes = {"x": (2, 4, 3), "delta": (2, 4), "A": (4,), "B": (2, 2, 5), "C": (2, 2, 5), "state": (2, 4, 3, 5)}
    with pytest.raises(ValueError, match=message):
        state_space.ssd_step(**{key: np.ones(size, "float32") for key, size in (shapes | {name: shape}).items()})
