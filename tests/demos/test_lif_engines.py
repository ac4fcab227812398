"""The second tab of the page of spiking neurons: the same neuron on three engines, and without Brian2."""

import dataclasses
import time
import xml.etree.ElementTree as ElementTree

import lif_engines
import numpy as np
import pytest
from lif_settings import Settings

from kzoo.errors import KzooError

from .conftest import execute

BRIEF = Settings(duration=100, wave="constant", amplitude=0.3)


def test_numpy_and_keras_agree_and_a_difference_would_be_seen():
    reference, given = lif_engines.by_numpy(BRIEF)
    layer = lif_engines.by_keras(BRIEF, given)
    _, largest, moved = lif_engines.difference(layer, reference)
    assert largest < (1e-14 if layer.voltage.dtype == np.float64 and "float64" in layer.what else 2e-6)
    assert moved == 0
    assert reference.spikes.sum() >= 2
    other = lif_engines.by_keras(dataclasses.replace(BRIEF, tau=20.5), given)
    _, largest, moved = lif_engines.difference(other, reference)
    assert largest > 1e-3
    assert moved > 0


def test_the_table_tells_differences_in_the_units_of_the_picture():
    reference, _ = lif_engines.by_numpy(BRIEF)
    other = dataclasses.replace(reference, name="Keras", voltage=reference.voltage + 2e-6)
    assert "<td>2.0e\u221203 mV</td>" in lif_engines.look(BRIEF, [reference, other])[1]


def test_a_long_neuron_is_cut_for_all_engines():
    reference, given = lif_engines.by_numpy(Settings(duration=1000))
    assert len(given) == len(reference.voltage) == lif_engines.MOST


def test_brian_gives_numpys_spikes():
    engine, _ = lif_engines.brian()
    if engine is None:
        pytest.skip("Brian2 is not installed")
    # In a process of its own, where nothing has to be built.
    reference, given = lif_engines.by_numpy(BRIEF)
    run = lif_engines.by_brian(BRIEF, given, "brian-numpy")
    _, largest, moved = lif_engines.difference(run, reference)
    assert (run.what, moved) == ("Brian2, generated Python", 0)
    assert largest < 1e-12


@pytest.mark.parametrize(
    ("lacks", "engine", "says"),
    [
        ({"brian-cpp": "", "brian-numpy": ""}, "brian-cpp", ""),
        ({"brian-cpp": "no compiler", "brian-numpy": ""}, "brian-numpy", "Not as a C++ program: no compiler."),
        ({"brian-cpp": "none", "brian-numpy": "none"}, None, "Not here: none. The other two need nothing of it."),
    ],
)
def test_the_quickest_brian_that_is_here_is_taken(lacks, engine, says, monkeypatch):
    monkeypatch.setattr(lif_engines.engines, "available", lambda: lacks)
    assert lif_engines.brian() == (engine, says)


def test_without_brian_the_other_two_are_shown_and_a_sentence_says_why(monkeypatch):
    monkeypatch.setattr(lif_engines, "brian", lambda: (None, "Not here: it is not installed."))
    *_, found = lif_engines.runs(BRIEF)
    assert [run.voltage is None for run in found] == [False, True, False]
    picture, table = lif_engines.look(BRIEF, found)
    assert "Not here: it is not installed." in table
    assert table.count("<tr>") == 4
    assert ElementTree.fromstring(picture).get("aria-label").startswith("The neuron's voltage by NumPy, Keras")
    assert "engine=" not in lif_engines.code(BRIEF, None)


def test_while_brian_is_built_the_page_hears_of_it_and_a_failure_is_one_sentence(monkeypatch):
    def slow(settings, current, engine, progress):
        progress("the program is compiled")
        time.sleep(0.8)
        raise KzooError("The compiler gave up.\nline 1\nline 2")

    monkeypatch.setattr(lif_engines, "brian", lambda: ("brian-cpp", ""))
    monkeypatch.setattr(lif_engines, "by_brian", slow)
    monkeypatch.setattr(lif_engines, "by_keras", lambda settings, given: lif_engines.Run("Keras", "", note="none"))
    notes = [found[1].note for found in lif_engines.runs(BRIEF)]
    assert notes[0] == "starting ..."
    assert any(note.startswith("the program is compiled (") for note in notes)
    assert notes[-1] == "It failed: The compiler gave up."


def test_the_code_of_the_engines_gives_the_same(capsys):
    names = execute(lif_engines.code(BRIEF, None))
    reference, given = lif_engines.by_numpy(BRIEF)
    np.testing.assert_allclose(names["numpy"].voltage[:, 0], reference.voltage, rtol=0, atol=1e-12)
    layer = lif_engines.by_keras(BRIEF, given)
    np.testing.assert_array_equal(names["voltage"], layer.voltage)
    assert names["moved"] == 0
    compile(lif_engines.code(BRIEF, "brian-cpp"), "pasted", "exec")
