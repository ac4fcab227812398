"""The demo of spiking neurons: its functions beside theory, the code that it shows, and its page in a browser."""

import base64
import dataclasses
import html
import io
import json
import os
import re
import sys
import time
import xml.etree.ElementTree as ElementTree

import digits
import gradio as gr
import lif_charts
import lif_digits
import lif_digits_markup
import lif_digits_tab
import lif_engines
import lif_network
import lif_network_markup
import lif_network_tab
import lif_neuron
import lif_neuron_tab
import lif_settings
import numpy as np
import pad
import PIL.Image
import pytest
from lif_settings import Settings

from kzoo.bio import LIF, theory
from kzoo.bio.networks import REGIMES
from kzoo.errors import KzooError

from .conftest import DEMOS, execute, free_port

# --- one neuron ----------------------------------------------------------------------------------------------------


def values(settings):
    return dataclasses.astuple(settings)


def test_what_is_measured_is_what_the_formula_says():
    for amplitude in (0.21, 0.25, 0.4):
        for wave in ("constant", "step"):
            settings = Settings(amplitude=amplitude, wave=wave, duration=1000)
            found = lif_neuron.figures(settings, lif_neuron.record(settings))
            assert found.measured == pytest.approx(found.predicted, rel=1e-9)
            assert found.predicted > 5
    quiet = Settings(amplitude=0.199)
    assert lif_neuron.figures(quiet, lif_neuron.record(quiet))[:2] == (0, 0.0)
    assert "at most; it fires above 0.2 nA" in lif_neuron.figures(quiet, lif_neuron.record(quiet)).note


@pytest.mark.parametrize("frequency", [2.0, 10.0, 40.0])
def test_a_sine_below_threshold_is_followed_as_the_formula_says(frequency):
    settings = Settings(wave="sine", amplitude=-0.1, frequency=frequency, duration=1000, dt=0.05)
    note = lif_neuron.figures(settings, lif_neuron.record(settings)).note
    size, late, wanted, phase = (float(number) for number in re.findall(r"(-?[\d.]+)(?: mV|\u00b0)", note))
    assert size == pytest.approx(wanted, abs=0.02)
    # A current that is held for each step comes half a step late.
    assert late - 360 * frequency * 0.025e-3 == pytest.approx(phase, abs=0.1)


def test_the_measured_curve_lies_on_the_formula():
    for dt in (0.1, 1.0):
        drives, measured = lif_neuron.measured_rates(LIF(), dt * 1e-3, 0.0, 0)
        wanted = theory.rate_on_grid(LIF(), drives * 1e-9, dt * 1e-3)
        assert np.abs(measured - wanted).max() < 1e-6
        assert (measured > 0).sum() > 20
    drives, measured = lif_neuron.measured_rates(LIF(), 1e-4, 4e-3, 0)
    wanted = theory.rate_under_noise(LIF(), drives * 1e-9, 4e-3, 1e-4)
    assert np.abs(measured - wanted).max() < 4, "16 neurons a current for 0.4 s"


SETTINGS = [
    Settings(),
    Settings(wave="constant", amplitude=0.16, sigma=4.0, seed=3),
    Settings(wave="ramp", amplitude=0.5, baseline=-0.1, v_reset=-60.0),
    Settings(wave="pulses", amplitude=0.8, frequency=90.0, width=30.0),
    Settings(wave="sine", amplitude=0.3, frequency=7.0, dt=0.5),
    Settings(wave="ornstein_uhlenbeck", amplitude=0.2, spread=0.2, memory=20.0, seed=9, t_ref=0.0),
    Settings(wave="own", values="0, 0.5, -0.2, 0.35"),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.wave)
def test_the_shown_code_gives_what_is_on_screen(settings, capsys):
    names = execute(lif_neuron.code(settings))
    recording = lif_neuron.record(settings)
    np.testing.assert_allclose(names["recording"].voltage, recording.voltage, rtol=0, atol=1e-12)
    assert (names["recording"].spikes == recording.spikes).all()
    drives, measured = lif_neuron.measured_rates(
        settings.parameters, settings.dt * 1e-3, settings.sigma * 1e-3, settings.seed
    )
    np.testing.assert_allclose(names["measured"], measured, rtol=1e-9)
    np.testing.assert_allclose(names["drives"], drives * 1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", lif_settings.SCENES)
def test_each_scene_is_allowed_and_shows_what_it_promises(name):
    settings = lif_settings.scene(name)
    assert lif_settings.check(*values(settings)) == settings
    fired = lif_neuron.record(settings).spikes.any()
    assert fired == (name not in ("Just below threshold", "A sine that it follows"))
    for picture in lif_neuron.look(settings)[1:]:
        assert ElementTree.fromstring(picture).get("aria-label")
        assert "nan" not in picture


def test_each_spike_is_one_stroke_and_the_curve_is_as_long_as_the_recording():
    settings = Settings(duration=1000)
    recording = lif_neuron.record(settings)
    _, traces, _ = lif_neuron.look(settings)
    (strokes,) = re.findall(r'class="spike" d="([^"]+)"', traces)
    assert strokes.count("M") == recording.spikes.sum() > 10
    (volt,) = re.findall(r'class="volt" points="([^"]+)"', traces)
    places = [float(place.split(",")[0]) for place in volt.split()]
    assert places == sorted(places)
    assert len(places) < 1000
    assert places[-1] - places[0] > 600


def test_thinning_keeps_the_ends_and_the_extremes():
    rng = np.random.default_rng(0)
    wave = rng.normal(size=10_007)
    wave[[123, 9000]] = 50, -50
    kept = lif_charts.thinned(wave)
    assert {0, 123, 9000, 10_006} <= set(kept.tolist())
    assert len(kept) <= 903
    assert (lif_charts.thinned(wave[:10]) == np.arange(10)).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tau": 0}, "Time constant \u03c4 (ms): got 0; expected a number from 2 to 100"),
        ({"amplitude": float("nan")}, "Amplitude (nA): got nan"),
        ({"wave": "square"}, "Current: got 'square'"),
        ({"t_ref": -1}, "Refractory period (ms): got -1; expected a number from 0 to 20"),
        ({"dt": 0}, "Time step: got 0"),
        ({"seed": 1.5}, "Seed of the noise: got 1.5"),
        ({"values": "0.1, x"}, "Drawn current, value 2: got 'x'; expected a number from -1 to 1 (nA)"),
        ({"values": "2"}, "Drawn current, value 1: got '2'"),
        ({"values": ",".join(["0"] * 90)}, "Drawn current: got 90 values"),
        ({"duration": 10_000}, "Duration"),
    ],
)
def test_settings_that_are_not_allowed_get_one_clear_line(change, says):
    given = dataclasses.asdict(Settings()) | change
    with pytest.raises(gr.Error) as error:
        lif_settings.check(*given.values())
    assert says in error.value.message


def test_parameters_that_do_not_go_together_keep_the_picture_and_say_why():
    status, *rest = lif_neuron_tab.neuron(*values(Settings(v_reset=-45.0)))
    assert "v_reset: got -45 mV; expected below v_threshold = -50 mV" in status
    assert all(part == gr.skip() for part in rest)


def test_a_client_gets_spikes_rates_and_code():
    answer = lif_neuron_tab.neuron_client(amplitude=0.3)
    assert answer["rate"] == pytest.approx(answer["formula"])
    assert np.diff(answer["spikes"]) == pytest.approx(1e3 / answer["rate"])
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(KzooError, match="v_reset"):
        lif_neuron_tab.neuron_client(v_reset=-40.0)
    with pytest.raises(gr.Error, match="Amplitude"):
        lif_neuron_tab.neuron_client(amplitude="much")


# --- three engines -------------------------------------------------------------------------------------------------

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


# --- a network -----------------------------------------------------------------------------------------------------

QUIET = lif_network.Place(5.0, 0.6, 0, lif_network.NOBODY, 0.3)


@pytest.mark.parametrize(("row", "column"), [(3, 0), (3, 5), (8, 16), (20, 30), (22, 0), (5, 36)])
def test_the_plane_is_theorys_own(row, column):
    g = np.linspace(*lif_network.G, lif_network.ACROSS)[column]
    eta = np.linspace(*lif_network.ETA, lif_network.UP)[row]
    assert lif_network.plane()[row, column] == pytest.approx(lif_network.predicted(g, eta), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("letter", "BCD")
def test_the_small_network_is_in_brunels_regimes(letter):
    place = lif_network.Place(*REGIMES[letter], 0, lif_network.NOBODY, 0.3)
    found = lif_network.figures(lif_network.run(place))
    # Theory takes the neurons for independent: where many fire in step they fire more often, D's slow waves less.
    more = found.rate / lif_network.predicted(place.g, place.eta)
    least, most = {"B": (1.1, 1.3), "C": (1.0, 1.15), "D": (0.6, 1.0)}[letter]
    assert least < more < most
    slow, regular = {"B": (120, 0.8), "C": (60, 0.35), "D": (None, 0.3)}[letter]
    if letter == "D":  # its waves come at no one interval; a longer record of a larger network has 20 Hz
        assert found.rhythm is None or found.rhythm < 60
    else:
        assert slow < found.rhythm < 300
    assert np.nanmean(found.regularity) > regular


def test_a_spectrum_names_its_rhythm_beside_the_peak_or_says_that_there_is_none():
    frequencies, power = np.arange(10.0, 501, 10), np.ones(50)
    power[0], power[16] = 100.0, 40.0  # a drift, and 170 Hz
    marked = lif_network_markup.spectrum_svg(frequencies, power, 170.0)
    ElementTree.fromstring(marked)
    assert "the strongest rhythm has 170 Hz" in marked
    assert ">170 Hz</text>" in marked
    none = lif_network_markup.spectrum_svg(frequencies, power, None)
    assert "no rhythm stands out" in none
    assert " Hz</text>" not in none


def test_a_stimulus_acts_on_the_cells_around_and_then():
    place = QUIET._replace(cell=1020, strength=0.4)
    chosen = lif_network.around(1020)
    assert 1020 in chosen
    assert len(chosen) == 113, "a circle of radius 6 cells"
    assert {1020 - 50, 1020 + 50, 1019, 1021} <= set(chosen.tolist())
    still, raster = lif_network.run(QUIET), lif_network.run(place)
    first, last = lif_network.window(raster.duration)
    inside = np.isin(raster.neurons, chosen) & (raster.times >= first) & (raster.times < last)
    assert inside.sum() > 113
    before = raster.times < first
    assert (raster.times[before] == still.times[still.times < first]).all()
    assert "113 cells got 0.4 nA" in lif_network.look(place)[0]


def test_cells_beside_each_other_in_the_grid_of_the_player_are_neighbours():
    film = json.loads(html.unescape(re.search(r'data-film="([^"]+)"', lif_network.look(QUIET)[2]).group(1)))
    assert film["columns"] == lif_network.COLUMNS
    assert film["every"] == 1
    assert [group["row"] for group in film["groups"]] == [0, 40]
    assert {1950, 2000, 2050} <= set(lif_network.around(2000).tolist()), "the last row above, and the one below"


def test_the_code_of_a_network_gives_its_spikes(capsys):
    place = QUIET._replace(cell=7, strength=0.4)
    names = execute(lif_network.code(place))
    raster = lif_network.run(place)
    np.testing.assert_array_equal(names["raster"].neurons, raster.neurons)
    np.testing.assert_array_equal(names["raster"].times, raster.times)
    assert names["rate"] == lif_network.figures(raster).rate


def test_the_pictures_of_a_network_are_well_formed_even_where_nothing_fires():
    for place in (QUIET, lif_network.Place(8.0, 0.1, 0, lif_network.NOBODY, 0.0)):
        status, plane, _, *charts = lif_network.look(place)
        assert "nan" not in status
        for picture in (plane, *charts):
            assert ElementTree.fromstring(picture).get("aria-label")
            assert "nan" not in picture.replace("nance", "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"g": 1}, "g: got 1; expected a number from 2 to 8"),
        ({"eta": None}, "eta: got None"),
        ({"cell": 2500}, "Cell: got 2500; expected a whole number from -1 to 2499"),
        ({"strength": "0.1"}, "Stimulus: got '0.1'"),
        ({"seed": -1}, "Seed: got -1"),
    ],
)
def test_a_place_that_is_not_allowed_gets_one_clear_line(change, says):
    with pytest.raises(gr.Error) as error:
        lif_network_tab.network_client(**change)
    assert says in error.value.message


# --- a trained network ---------------------------------------------------------------------------------------------


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


# --- in a browser --------------------------------------------------------------------------------------------------


def copied_link(tab, part: str) -> str:
    """The link of the tab that is open; it holds `part`."""
    tab.get_by_role("button", name="Copy link").click()
    shown = "[...document.querySelectorAll('.kz-link-box :is(textarea, input)')].map(box => box.value)"
    tab.wait_for_function(f"(part) => {shown}.some(value => value.includes(part))", arg=part)
    return next(value for value in tab.evaluate(shown) if part in value)


def spikes(tab) -> int:
    return int(tab.locator("#lif-status b").first.inner_text())


def spikes_become(tab, what: str) -> None:
    tab.wait_for_function(f"Number(document.querySelector('#lif-status b')?.innerText) {what}")


def test_the_page_answers_to_sliders_scenes_a_click_and_a_drawing(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.locator("#lif-traces svg").wait_for()
    screenshot("lif_open")
    assert spikes(tab) == 5
    tab.get_by_label("Amplitude (nA)").first.fill("0.4")
    spikes_become(tab, "> 10")
    tab.get_by_role("button", name="Just below threshold").click()
    spikes_become(tab, "=== 0")
    tab.locator("#lif-rates .area").click(position={"x": 300, "y": 40})
    spikes_become(tab, "> 10")
    tab.get_by_label("Reset (mV)").first.fill("-40")
    tab.locator("#lif-status", has_text="expected below v_threshold").wait_for()
    tab.get_by_role("button", name="A step").click()
    spikes_become(tab, "=== 5")
    tab.get_by_label("drawn", exact=True).check()
    area = tab.locator("#lif-traces .drawn")
    area.wait_for()
    box = area.bounding_box()
    tab.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 2, steps=8)
    tab.mouse.up()
    spikes_become(tab, "> 12")
    tab.get_by_text("Show the code").first.click()
    tab.locator(".cm-content", has_text="currents.from_array").first.wait_for()
    screenshot("lif_drawn")


def test_a_link_brings_the_neuron_back_on_a_phone(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.locator("#lif-traces svg").wait_for()
    tab.get_by_role("button", name="Noise makes it fire").click()
    tab.locator("#lif-status", has_text="Siegert").wait_for()
    count = spikes(tab)
    other = page(copied_link(tab, "sigma=4"), width=390, dark=True)
    other.locator("#lif-status", has_text="Siegert").wait_for()
    assert spikes(other) == count
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_phone_dark")


@pytest.mark.parametrize("dark", [False, True])
def test_all_tabs_are_seen_on_a_narrow_page(served, page, screenshot, dark):
    tab = page(served("lif_app"), width=400, height=800, dark=dark)
    names = tab.locator(".tab-container[role=tablist] > button")
    names.first.wait_for()
    assert names.all_inner_texts() == ["Neuron", "Engines", "Network", "Trained"]
    edges = [box["x"] + box["width"] for box in (one.bounding_box() for one in names.all())]
    assert max(edges) <= 400
    names.last.click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    screenshot("lif_tabs_dark" if dark else "lif_tabs")


def test_the_engines_agree_on_the_page(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Engines").click()
    tab.get_by_role("button", name="Run on all three").click()
    tab.locator("#lif-engines", has_text="layer LIF on").wait_for()
    # Where Brian2 is, its program may have to be built first.
    tab.wait_for_function(
        "!/\\(\\d+ s\\)|[.]{3}/.test(document.querySelector('#lif-engines tbody').innerText)", timeout=170_000
    )
    rows = tab.locator("#lif-engines tbody tr")
    assert rows.count() == 3
    keras = rows.nth(2).locator("td").all_inner_texts()
    assert keras[0] == rows.nth(0).locator("td").first.inner_text() == "5"
    assert keras[2] == "0", "no spike moved"
    screenshot("lif_engines")


def test_a_network_that_was_left_does_not_come_back():
    first = lif_network_tab.newest("one", iter("abc"))
    other = lif_network_tab.newest("two", iter("xyz"))
    assert (next(first), next(other)) == ("a", "x")
    second = lif_network_tab.newest("one", iter("de"))
    assert next(second) == "d"
    assert list(first) == [], "the session asked for another since"
    assert (list(second), list(other)) == (["e"], ["y", "z"])
    assert lif_network_tab._LAST == {}


def test_the_network_answers_to_a_regime_a_place_and_a_cell(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Network").click()
    tab.locator("#lif-network", has_text="Regime C").wait_for()
    tab.locator("#lif-film canvas").first.wait_for()
    tab.wait_for_timeout(700)
    screenshot("lif_network")
    tab.get_by_role("button", name="D: synchronous").click()
    tab.locator("#lif-network", has_text="Regime D").wait_for()
    assert tab.get_by_label("Drive").first.input_value() == "0.9"
    plane = tab.locator("#lif-plane svg")
    plane.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowDown")
    tab.wait_for_function("document.querySelector('#lif-plane svg').dataset.at === '4.5,0.6'")
    assert tab.evaluate("document.activeElement.classList.contains('brunel')"), "the next key works, too"
    tab.locator("#lif-film canvas").first.click()
    tab.locator("#lif-network", has_text="cells got 0.3 nA").wait_for()
    tab.locator("#lif-film button", has_text="Pause").click()
    tab.locator("#lif-film button", has_text="Play").wait_for()
    other = page(copied_link(tab, "cell="), width=390, dark=True)
    other.locator("#lif-network", has_text="cells got 0.3 nA").wait_for()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_network_phone_dark")


def test_the_trained_network_reads_what_is_drawn(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Trained").click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
    assert tab.locator("#lif-answer b").first.inner_text() == "3"
    assert tab.locator("#pad .hint").is_hidden(), "the example is on the pad"
    tab.locator("#lif-examples button").nth(7).click()
    tab.wait_for_function("document.querySelector('#lif-answer b').innerText === '7'")
    tab.get_by_label("random spikes").check()
    tab.locator("#lif-given", has_text="Spikes into the network").wait_for()
    tab.wait_for_timeout(500)
    screenshot("lif_trained")
    other = page(copied_link(tab, "code=rate"), width=390, dark=True)
    other.locator("#lif-given", has_text="Spikes into the network").wait_for()
    assert other.locator("#lif-answer b").first.inner_text() == "7"
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_trained_phone_dark")


def test_without_brian2_and_without_a_compiler_all_tabs_work(start_app, page, tmp_path_factory):
    """As on a visitor's machine that has neither."""
    folder = tmp_path_factory.mktemp("bare")
    port = free_port()
    hidden = (
        "import importlib.metadata as known, importlib.util as found, runpy, sys\n"
        "version, spec = known.version, found.find_spec\n"
        "def without(name):\n"
        "    if name.lower() == 'brian2': raise known.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "known.version = without\n"
        "found.find_spec = lambda name, package=None: None if name == 'brian2' else spec(name, package)\n"
        "sys.modules['brian2'] = None\n"
        f"sys.path.insert(0, {str(DEMOS)!r})\n"
        f"sys.argv = ['lif_app.py', '--port', '{port}']\n"
        f"runpy.run_path({str(DEMOS / 'lif_app.py')!r}, run_name='__main__')\n"
    )
    environment = {**os.environ, "PATH": str(folder), "KZOO_CACHE_DIR": str(folder / "cache")}
    environment.pop("CXX", None)
    app = start_app([sys.executable, "-c", hidden], port, folder, "bare", environment=environment)
    tab = page(app.url)
    tab.locator("#lif-traces svg").wait_for()
    tab.get_by_role("tab", name="Engines").click()
    tab.get_by_role("button", name="Run on all three").click()
    table = tab.locator("#lif-engines")
    table.get_by_text("Not here: Brian2 is not installed").wait_for()
    table.get_by_text("layer LIF on").wait_for(timeout=60_000)
    tab.get_by_role("tab", name="Network").click()
    tab.locator("#lif-network", has_text="Regime C").wait_for(timeout=60_000)
    tab.get_by_role("tab", name="Trained").click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
