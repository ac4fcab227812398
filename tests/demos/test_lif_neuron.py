"""The first tab of the page of spiking neurons: one neuron beside theory, its settings and its code."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import gradio as gr
import lif_charts
import lif_neuron
import lif_neuron_tab
import lif_settings
import numpy as np
import pytest
from lif_settings import Settings

from kzoo.bio import LIF, theory
from kzoo.errors import KzooError

from .conftest import execute


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
