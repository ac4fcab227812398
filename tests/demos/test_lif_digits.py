"""The fourth tab of the page of spiking neurons: what a trained network does with a drawing, and its code."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import digits
import gradio as gr
import lif_digits
import lif_digits_markup
import lif_digits_tab
import numpy as np
import pad
import PIL.Image
import pytest

from .conftest import execute


@pytest.fixture(scope="module")
def drawn():
    """An example as the network gets it."""
    return digits.prepare(pad.decode(digits.example("3"))).image


@pytest.mark.parametrize("name", digits.CLASSES)
def test_the_examples_are_read_with_the_current_and_with_random_spikes(name):
    image = digits.prepare(pad.decode(digits.example(name))).image
    for encoder in ("current", "rate"):
        seen = lif_digits.read(lif_digits.model(encoder, 10), image)
        assert int(seen.logits.argmax()) == int(name)
        assert lif_digits.answers(seen.voltages)[-1] == int(name), "the last mean is the answer"


@pytest.mark.parametrize(("encoder", "steps"), [("current", 10), ("rate", 7), ("latency", 12)])
def test_what_is_seen_of_the_network_is_the_models_own(encoder, steps, drawn):
    network = lif_digits.model(encoder, steps)
    seen = lif_digits.read(network, drawn)
    x = drawn[None, ..., None]
    trains = network.spike_trains(x)
    np.testing.assert_array_equal(seen.spikes["lif_1"], trains["lif_1"][0])
    assert seen.spikes["lif_1"].any()
    np.testing.assert_allclose(seen.logits, seen.voltages.mean(axis=0), rtol=1e-4, atol=1e-5)
    assert seen.given.shape == (steps, 28, 28)
    if encoder == "current":
        assert (seen.given == drawn).all()
    else:
        np.testing.assert_array_equal(seen.given.reshape(steps, -1) > 0.5, trains[encoder][0])
        assert not seen.given[:, drawn == 0].any()
    if encoder == "latency":
        assert (seen.given.sum(axis=0)[drawn > 0] == 1).all()


def test_another_code_has_the_same_weights(drawn):
    shipped, other = lif_digits.model("current", 10), lif_digits.model("rate", 7)
    for name in ("dense_1", "readout"):
        for a, b in zip(shipped.get_layer(name).get_weights(), other.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert (other.encoder, other.steps, other.tau) == ("rate", 7, shipped.tau)


@pytest.mark.parametrize(("encoder", "steps"), [("current", 10), ("rate", 7)])
def test_the_code_of_the_trained_network_gives_what_is_on_screen(encoder, steps, drawn, capsys):
    names = execute(lif_digits.code(drawn, encoder, steps))
    seen = lif_digits.read(lif_digits.model(encoder, steps), drawn)
    np.testing.assert_array_equal(names["spikes"]["lif_1"], seen.spikes["lif_1"])
    np.testing.assert_allclose(names["voltages"], seen.voltages, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(names["image"], drawn)


def test_the_raster_has_a_mark_a_spike_and_the_busiest_on_top(drawn):
    seen = lif_digits.read(lif_digits.model("current", 10), drawn)
    spikes = seen.spikes["lif_1"]
    picture = lif_digits_markup.layer_svg(spikes, "lif_1", 1)
    assert f"{spikes.any(axis=0).sum()} of 512 neurons fired, {spikes.sum():,} spikes" in picture
    pixels = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", picture).group(1)))))
    rows = (pixels[..., 3] > 0).sum(axis=1)
    assert rows.sum() == spikes.sum()
    assert (np.diff(rows) <= 0).all()


def test_an_empty_pad_and_what_is_no_digit_are_answered_with_well_formed_markup():
    for drawing in ("", digits.example("a heart")):
        for encoder in lif_digits.CODES.values():
            status, given, layers, readout, text = lif_digits_tab.think(drawing, encoder, 3)
            assert ("Draw a digit." in status) == (not drawing)
            assert ("answer" in readout, "winner" in readout) == (bool(drawing), bool(drawing))
            for picture in (given.partition("</p>")[2], layers, readout):
                ElementTree.fromstring(picture.replace("&nbsp;", " "))
                assert "nan" not in picture.replace("data-", "")
            compile(text, "pasted", "exec")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (("no drawing!", "current", 10), "The drawing cannot be read"),
        ((5, "current", 10), "The drawing is of type int"),
        (("", "morse", 10), "Code: got 'morse'"),
        (("", "current", 1), "Steps: got 1; expected a whole number from 2 to 30"),
        (("", "current", 10.5), "Steps: got 10.5"),
    ],
)
def test_what_the_trained_network_cannot_take_gets_one_clear_line(sent, says):
    with pytest.raises(gr.Error) as error:
        lif_digits_tab.think(*sent)
    assert says in error.value.message
