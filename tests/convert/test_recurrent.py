"""Weights between torch's layout and Keras's: there and back anywhere, the same outputs where torch is."""

import importlib.util

import numpy as np
import pytest

from kzoo.convert.recurrent import from_torch_weights, to_torch_weights

UNITS, WIDTH = 5, 3
COUNTS = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def weights_of(name, seed=0):
    generator, columns = np.random.default_rng(seed), COUNTS[name] * UNITS
    bias = (2, columns) if name == "GRU" else (columns,)
    return [generator.normal(size=shape).astype("float32") for shape in ((WIDTH, columns), (UNITS, columns), bias)]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(("layer", "reverse"), [(0, False), (2, True)])
def test_there_and_back_gives_the_same_weights(name, layer, reverse):
    weights = weights_of(name)
    state = to_torch_weights(weights, layer, reverse)
    assert f"weight_ih_l{layer}" + ("_reverse" if reverse else "") in state
    for weight, again in zip(weights, from_torch_weights(state, layer, reverse), strict=True):
        np.testing.assert_array_equal(weight, again)


def test_the_columns_of_a_gru_change_places_and_those_of_an_lstm_do_not():
    def blocks(count):
        return [np.repeat(np.arange(count), UNITS)[None].repeat(n, 0) for n in (WIDTH, UNITS)]

    state = to_torch_weights([*blocks(3), np.zeros((2, 15))])
    np.testing.assert_array_equal(state["weight_ih_l0"][::UNITS, 0], [1, 0, 2])
    state = to_torch_weights([*blocks(4), np.zeros(20)])
    np.testing.assert_array_equal(state["weight_ih_l0"][::UNITS, 0], [0, 1, 2, 3])


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("name", COUNTS)
def test_a_layer_with_the_weights_of_torch_gives_the_outputs_of_torch(name):
    import torch
    from keras import ops

    from kzoo.layers import recurrent

    torch.manual_seed(0)
    theirs = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(name, name))(WIDTH, UNITS, num_layers=2, batch_first=True)
    x = np.random.default_rng(0).normal(size=(2, 7, WIDTH)).astype("float32")
    with torch.no_grad():
        expected, states = theirs(torch.from_numpy(x))
    y = x
    for i in (0, 1):
        layer = getattr(recurrent, name)(UNITS, return_sequences=True, return_state=True)
        layer.build(y.shape)
        layer.set_weights(from_torch_weights(theirs.state_dict(), layer=i))
        y, *last = (ops.convert_to_numpy(value) for value in layer(y))
        for state, other in zip(last, states if name == "LSTM" else [states], strict=True):
            np.testing.assert_allclose(state, other[i].numpy(), atol=1e-5)
    np.testing.assert_allclose(y, expected.numpy(), atol=1e-5)

    one = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(name, name))(UNITS, UNITS, batch_first=True)
    one.load_state_dict({key: torch.from_numpy(value) for key, value in to_torch_weights(layer.get_weights()).items()})
    x = np.random.default_rng(1).normal(size=(2, 7, UNITS)).astype("float32")
    with torch.no_grad():
        expected, _ = one(torch.from_numpy(x))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)[0]), expected.numpy(), atol=1e-5)


def test_a_layer_of_torch_without_bias_becomes_one_with_zeros():
    state = {key: value for key, value in to_torch_weights(weights_of("GRU")).items() if "bias" not in key}
    np.testing.assert_array_equal(from_torch_weights(state)[2], np.zeros((2, 3 * UNITS)))


def test_what_is_not_a_recurrent_layer_is_refused():
    with pytest.raises(ValueError, match=r"weight_ih_l1 and weight_hh_l1; received bias_hh_l0"):
        from_torch_weights(to_torch_weights(weights_of("LSTM")), layer=1)
    with pytest.raises(ValueError, match=r"\(3, 10\) and \(5, 10\)"):
        to_torch_weights([np.zeros((3, 10)), np.zeros((5, 10)), np.zeros(10)])
    with pytest.raises(ValueError, match="received 2"):
        to_torch_weights([np.zeros((3, 5)), np.zeros((5, 5))])
    with pytest.raises(ValueError, match=r"shape \(2, 15\); received \(15,\)"):
        to_torch_weights([np.zeros((3, 15)), np.zeros((5, 15)), np.zeros(15)])
