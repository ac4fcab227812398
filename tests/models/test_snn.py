"""The SNN against a loop over its neurons in float64 NumPy, and what is the same on every backend."""

import json

import keras
import numpy as np
import pytest

import kzoo
from kzoo import registry
from kzoo.errors import RecipeError
from kzoo.models.snn import ENCODERS, READOUTS


def by_hand(model, code):
    """Spikes of each layer and the logits: the definitions, a step at a time.

    Args:
        model: An SNN of small voltages far from its threshold, so that float32 and float64 agree on each spike.
        code: What goes into the first product, (b, t, d).
    """
    weights = [weight.astype("float64") for weight in model.get_weights()]
    decay = np.exp(-1 / model.tau) if model.integration == "exact" else 1 - 1 / model.tau
    x, trains = code.astype("float64"), []
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for i, (kernel, bias) in enumerate(layers):
        v, last = np.zeros((len(x), kernel.shape[1])), np.full((len(x), kernel.shape[1]), -np.inf)
        spiking = i < len(layers) - 1 or model.readout == "spikes"
        out = []
        for t in range(x.shape[1]):
            free = t - last >= model.t_ref
            v = np.where(free, decay * v + x[:, t] @ kernel + bias, v)
            if spiking:
                s = free & (v > 1)
                v, last = np.where(s, 0, v), np.where(s, t, last)
            out.append(s if spiking else v)
        x = np.stack(out, axis=1).astype("float64")
        if spiking:
            trains.append(x)
    return trains, x.sum(axis=1) if model.readout == "spikes" else x.mean(axis=1)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("given", [{}, {"t_ref": 3.0, "integration": "euler", "tau": 4.0}])
def test_spikes_and_logits_are_those_of_the_definitions(encoder, readout, given):
    model = kzoo.create_model(
        "snn",
        seed=2,
        input_shape=(3, 2, 1),
        num_classes=3,
        hidden_dims=(7, 5),
        steps=12,
        encoder=encoder,
        readout=readout,
        **given,
    )
    rng = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0.15, 0.5, weight.shape))
    x = model.sample_inputs(4)
    found = model.spike_trains(x)
    if encoder == "current":
        code = np.repeat(x.reshape(4, 1, 6), 12, axis=1)
    else:
        code = found.pop(encoder)
        assert code.shape == (4, 12, 6)
    trains, logits = by_hand(model, code)
    assert list(found) == ["lif_1", "lif_2", "lif_out"][: len(trains)]
    for own, exact in zip(found.values(), trains, strict=True):
        assert own.dtype == bool
        assert 5 < exact.sum() < exact.size - 5
        np.testing.assert_array_equal(own, exact)
    np.testing.assert_allclose(model.activations(x)["logits"], logits, rtol=0, atol=1e-5)


def test_an_answer_in_rate_code_is_the_same_each_time_and_training_draws_anew():
    model = kzoo.create_model("snn:mu-rate", seed=0)
    x = model.sample_inputs(3)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))
    first, second = (keras.ops.convert_to_numpy(model.get_layer("rate")(x, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    again = kzoo.create_model("snn:mu-rate", seed=0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again.get_layer("rate")(x, training=True)), first)


def test_the_shipped_network_reads_digits_and_most_of_its_neurons_are_silent_most_of_the_time():
    model = kzoo.from_preset("snn_digits")
    data = kzoo.load_data("digits", seed=0)
    right = model.predict(data.x_test, verbose=0).argmax(axis=1) == data.y_test
    assert right.mean() > 0.97
    assert 0.02 < model.spike_trains(data.x_test[:50])["lif_1"].mean() < 0.4


def test_a_configuration_holds_the_numbers_of_numpy_as_numbers():
    given = {"tau": np.float32(3), "t_ref": np.int64(2), "slope": np.float64(4)}
    config = registry.create_model("snn", input_shape=(4,), hidden_dims=(3,), **given).get_config()
    kept = json.loads(json.dumps(config))
    assert {key: kept[key] for key in given} == given


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hidden_dims": ()}, r"model\.hidden_dims: got \(\)"),
        ({"steps": 0}, r"model\.steps: got 0"),
        ({"encoder": "morse"}, r"model\.encoder: got 'morse'; allowed: current, rate, latency"),
        ({"readout": "max"}, r"model\.readout: got 'max'; allowed: voltage, spikes"),
        ({"surrogate": "relu"}, r"model\.surrogate: got 'relu'; allowed: straight_through, fast_sigmoid, arctan"),
        ({"integration": "rk4"}, r"model\.integration: got 'rk4'; allowed: exact, euler"),
        ({"tau": 0.0}, r"tau=0\.0; expected a finite number above 0"),
        ({"tau": 0.5, "integration": "euler"}, r"dt=1\.0, longer than tau=0\.5"),
        ({"tau": 1e17}, r"tau=1e\+17, with which nothing decays in a step"),
        ({"t_ref": -1.0}, r"t_ref=-1\.0; expected a finite number of at least 0"),
        ({"slope": -1.0}, r"slope=-1\.0; expected a finite number above 0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(arguments, words):
    with pytest.raises(RecipeError, match=words):
        registry.create_model("snn", **{"input_shape": (4,), "hidden_dims": (3,), **arguments})
