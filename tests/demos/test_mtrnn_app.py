"""The demo of the MTRNN: its closed loop, the code that it shows, and its page in a browser."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import gradio as gr
import mtrnn_app
import mtrnn_loop
import mtrnn_markup
import numpy as np
import pytest

from .conftest import copied_link, execute, told

OWN = mtrnn_app.Settings(data="own", rate="0.02")
MIXED = mtrnn_app.View("circle", "wave", 40, 2, 3.5, 5.0, 40.0)


def trained(settings, steps):
    run = mtrnn_app.PLAYER.trained(settings, steps)
    assert run.count == steps
    return run


@pytest.fixture(scope="module")
def young():
    """A network that has had one step on the five movements."""
    return trained(mtrnn_app.Settings(), 1)


@pytest.fixture(scope="module")
def shipped():
    """The shipped preset's run."""
    run = mtrnn_app.from_preset()
    if run is None:
        pytest.skip(f"{mtrnn_app.PRESETS[0]} does not ship yet")
    return run


@pytest.mark.parametrize("times", [mtrnn_app.TIME_CONSTANTS, (3.5, 2.0, 20.0)], ids=["own times", "other times"])
def test_the_loop_of_the_page_is_the_models_own_at_any_time_constants(times, young):
    model = young.model
    rebuilt = type(model).from_config({**model.get_config(), "time_constants": list(times)})
    rebuilt.set_weights(model.get_weights())
    states = 3 * model.initial_states()  # large enough that a loop which forgot them would be seen
    found = mtrnn_loop.closed_loop(model, states, times, mtrnn_app.LENGTH)
    wanted = rebuilt.generate(state=states, steps=mtrnn_app.LENGTH)
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert np.abs(found["slow"]).max() > 0.1


def test_other_time_constants_are_another_movement(young):
    states = young.model.initial_states()
    one, other = (mtrnn_loop.closed_loop(young.model, states, (2, 5, slow), 100)["outputs"] for slow in (70, 20))
    assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize(
    ("settings", "view"),
    [(mtrnn_app.Settings(seed=3), MIXED), (OWN, None), (OWN, mtrnn_app.View(cycles=1, slow=30.0))],
    ids=["movements, mixed, other times", "own", "own, other times"],
)
def test_the_shown_code_gives_what_is_on_screen(settings, view):
    run = trained(settings, 2)
    run.view = view
    seen = mtrnn_app.look(run)
    found = execute(mtrnn_app.code(run))["found"]
    for name in ("outputs", "fast", "slow"):
        np.testing.assert_allclose(found[name][0], getattr(seen, name), rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_code_of_the_shipped_preset_gives_what_is_on_screen(shipped, capsys):
    run = dataclasses.replace(shipped, view=mtrnn_app.View("wave"))
    seen = mtrnn_app.look(run)
    names = execute(mtrnn_app.code(run))
    np.testing.assert_allclose(names["found"]["outputs"][0], seen.outputs, atol=1e-3)
    np.testing.assert_array_equal(names["target"], seen.taught)
    said = float(capsys.readouterr().out.split()[-1])
    assert said == pytest.approx(seen.error, abs=1e-3)


def test_the_shipped_preset_regenerates_each_movement(shipped):
    assert shipped.model.time_constants == mtrnn_app.TIME_CONSTANTS, "the sliders say so"
    for name in mtrnn_app.MOVEMENTS:
        seen = mtrnn_app.look(dataclasses.replace(shipped, view=mtrnn_app.View(name)))
        assert seen.error < 0.1, name


def test_it_learns_a_drawn_curve_and_the_noted_error_is_keras_own():
    run = mtrnn_app.start(OWN)
    before = mtrnn_app.look(run).error
    for _ in range(60):
        mtrnn_app.PLAYER.step(run)
    seen = mtrnn_app.look(run)
    assert before > 0.3
    assert seen.error < 0.2
    x, y = run.lesson
    # Outside of training the model runs the closed loop, so that Keras's loss is its square.
    assert run.errors[-1] == pytest.approx(
        np.sqrt(np.mean((run.model.predict(x, verbose=0)[:, :-1] - y[:, :-1]) ** 2)), rel=1e-3
    )
    assert run.counts == [0, 60]


def test_the_noted_error_does_not_follow_the_sliders():
    plain, turned = mtrnn_app.start(OWN), mtrnn_app.start(OWN)
    turned.view = mtrnn_app.View(cycles=7, outputs=9.0, fast=2.0, slow=9.0)
    assert mtrnn_app.look(plain).error != pytest.approx(mtrnn_app.look(turned).error, rel=1e-3)
    assert plain.errors == pytest.approx(turned.errors)


def test_training_ends_where_the_learning_rate_does():
    run = mtrnn_app.start(OWN)
    run.count = mtrnn_app.STEPS["own"]
    assert "600 steps" in mtrnn_app.PLAYER.over(run)
    run.count, run.errors = 3, [float("nan")]
    assert "no numbers" in mtrnn_app.PLAYER.over(run)


def test_a_curve_is_walked_at_an_even_pace_and_closes():
    square = mtrnn_app.walked("0.6, 0.6\n-0.6, 0.6\n-0.6, -0.6\n0.6, -0.6")
    assert square.shape == (24, 2)
    paces = np.hypot(*np.diff(np.concatenate([square, square[:1]]), axis=0).T)
    np.testing.assert_allclose(paces, 4 * 1.2 / 24, atol=2e-4)  # the points have four digits
    np.testing.assert_allclose(square[6], (-0.6, 0.6), atol=1e-4)
    taught = mtrnn_app.sequences(mtrnn_app.Settings(data="own"), 2)
    assert taught.shape == (1, 8 + 2 * 24 + 1, 2)
    np.testing.assert_array_equal(taught[0, 8], taught[0, -1])


def test_a_mixture_is_one_of_initial_states(young):
    run = dataclasses.replace(young, view=mtrnn_app.View("circle", "wave", 100), counts=[], errors=[])
    pure = dataclasses.replace(young, view=mtrnn_app.View("wave"), counts=[], errors=[])
    np.testing.assert_allclose(mtrnn_app.look(run).outputs, mtrnn_app.look(pure).outputs, atol=1e-6)
    assert mtrnn_app.look(run).error is None
    assert mtrnn_app.look(run).second is not None


def test_the_two_main_directions_are_those_of_the_covariance():
    values = np.random.default_rng(0).normal(size=(80, 6)) * (5, 3, 1, 1, 1, 1)
    path, share = mtrnn_markup.principal(values)
    wanted = np.sort(np.linalg.eigvalsh(np.cov(values.T)))[::-1]
    np.testing.assert_allclose(path.var(axis=0, ddof=1), wanted[:2])
    np.testing.assert_allclose(share, wanted[:2] / wanted.sum())


@pytest.mark.parametrize(
    "view", [None, MIXED, mtrnn_app.View(cycles=1), mtrnn_app.View(cycles=9)], ids=["plain", "mixed", "one", "nine"]
)
def test_every_picture_is_well_formed(view, young):
    status, *pictures = mtrnn_app.frame(dataclasses.replace(young, view=view))
    for picture in pictures:
        assert "nan" not in picture
        ElementTree.fromstring(picture)
    assert "steps" in status


def test_a_network_of_nan_is_drawn_without_one(young):
    run = mtrnn_app.start(OWN)
    run.model.set_weights([np.full_like(weight, np.nan) for weight in run.model.get_weights()[:-1]] + [np.int32(0)])
    for picture in mtrnn_app.frame(run)[1:]:
        assert 'points="nan' not in picture
        ElementTree.fromstring(picture)
    assert "no numbers" in mtrnn_app.PLAYER.over(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "cat"}, "expected one of movements, own"),
        ({"rate": 0.01}, "expected one of 0.001"),
        ({"seed": 1.5}, "expected a whole number"),
        ({"data": "own", "curve": "1, 2, 3"}, "line 1: got '1, 2, 3'"),
        ({"data": "own", "curve": "0, 0\n0, 0.95"}, "line 2"),
        ({"data": "own", "curve": "0, 0\nnan, 0"}, "line 2"),
        ({"data": "own", "curve": "0, 0\n0, 0.5"}, "got 2 points"),
        ({"data": "own", "curve": "0, 0\n0, 0\n0, 0"}, "it is 0 long"),
        ({"data": "own", "curve": "0, 0\n" * 201}, "got 201 points"),
        ({"curve": "x" * 9000}, "at most 8000"),
    ],
)
def test_bad_settings_are_refused_by_name(change, said):
    values = {**vars(mtrnn_app.Settings()), **change}
    with pytest.raises(gr.Error, match=re.escape(said)):
        mtrnn_app.check(values.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"movement": "spiral"}, "expected one of circle"),
        ({"other": None}, "other: got None"),
        ({"share": 101}, "from 0 to 100"),
        ({"cycles": 0}, "from 1 to 9"),
        ({"outputs": 0.5}, "from 1 to 20"),
        ({"slow": float("inf")}, "from 1 to 200"),
    ],
)
def test_a_bad_question_is_refused_by_name(change, said):
    with pytest.raises(gr.Error, match=re.escape(said)):
        mtrnn_app.check_view({**vars(mtrnn_app.View()), **change}.values())


def test_the_api_gives_figures_and_code_and_refuses_what_is_not_allowed():
    answer = mtrnn_app.train_client(steps=2)
    assert answer["steps"] == 2
    assert 0 < answer["rms_error"] < 2
    assert "for step in range(2)" in answer["code"]
    for bad in ({"steps": 601}, {"steps": "many"}, {"data": 5}, {"curve": "0, 0"}):
        with pytest.raises(gr.Error):
            mtrnn_app.train_client(**bad)


def test_a_stroke_becomes_the_curve_and_a_bad_one_is_refused():
    stroke = [[0.1, 0.2], [0.5, -0.001], [-0.333, 0.9]]
    event = gr.EventData(None, {"points": stroke})
    settings = mtrnn_app._drawn(mtrnn_app.Settings(), event)
    assert (settings.data, settings.rate) == ("own", "0.02")
    assert settings.curve.splitlines() == ["0.1, 0.2", "0.5, 0", "-0.33, 0.9"]
    for bad in (None, {"points": [[0, 0]] * 2}, {"points": [[0, 2]] * 5}, {"points": "0,0"}):
        with pytest.raises(gr.Error, match="curve: got"):
            mtrnn_app._drawn(mtrnn_app.Settings(), gr.EventData(None, bad))


# --- in a browser --------------------------------------------------------------------------------------------------


def steps(tab):
    return int(tab.locator(".kz-status b").first.inner_text())


def test_a_visitor_chooses_mixes_draws_and_sees_it_learned(served, page, screenshot):
    tab = page(served("mtrnn_app"))
    tab.locator("#mtrnn-plane svg").wait_for()
    screenshot("mtrnn_open")

    def asked(act):
        """The label of the plane after `act` has changed it."""
        before = tab.locator("#mtrnn-plane svg").get_attribute("aria-label")
        act()
        tab.wait_for_function(
            "(before) => document.querySelector('#mtrnn-plane svg').getAttribute('aria-label') !== before", arg=before
        )
        return tab.locator("#mtrnn-plane svg").get_attribute("aria-label")

    assert "three loops" in asked(lambda: tab.get_by_label("three loops").check())
    number = tab.get_by_label("number input for Share of the second state")
    assert "40 % circle" in asked(lambda: (number.fill("40"), number.press("Tab")))
    made = tab.locator("#mtrnn-time .made").first.get_attribute("points")
    slow = tab.get_by_label("number input for Time constant, slow units")
    slow.fill("20")
    slow.press("Tab")
    tab.wait_for_function("(a) => document.querySelector('#mtrnn-time .made').getAttribute('points') !== a", arg=made)

    pad = tab.locator("#mtrnn-pad .area")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.3)]
    places = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=6)
    assert "own curve" in asked(tab.mouse.up)
    x, y = (float(part) for part in tab.get_by_label("The same as lines").input_value().splitlines()[0].split(","))
    assert (x, y) == pytest.approx((-0.54, 0.54), abs=0.03)
    tab.get_by_label("three loops").wait_for(state="hidden")  # an own curve has one initial state
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("parseInt(document.querySelector('.kz-status b').innerText) >= 20", timeout=60_000)
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    screenshot("mtrnn_learned")
    stopped = steps(tab)
    tab.get_by_role("button", name="Step").click()
    told(tab, "One step more.")
    assert steps(tab) == stopped + 1
    tab.get_by_text("Show the code").click()
    assert "curve = np.array" in tab.locator(".cm-content").inner_text()  # the editor draws what is in sight alone
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "mtrnn.keras"

    other = page(copied_link(tab, "own"), width=390, dark=True)
    told(other, "Restored from the link.")
    assert steps(other) == stopped + 1
    label = "The same as lines"
    assert other.get_by_label(label).input_value() == tab.get_by_label(label).input_value()
    assert other.get_by_label("number input for Time constant, slow units").input_value() == "20"
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("mtrnn_phone_dark")
    tab.get_by_role("button", name="Reset", exact=True).click()
    told(tab, "Press Play.")
    assert steps(tab) == 0


def test_the_main_path_works_by_keyboard_alone(served, page, screenshot):
    tab = page(served("mtrnn_app"), dark=True)
    tab.locator("#mtrnn-plane svg").wait_for()
    screenshot("mtrnn_open_dark")
    box = tab.get_by_label("The same as lines")
    box.fill("0.5, 0\n0, 0.5\n-0.5, 0")
    tab.get_by_role("button", name="Use the points").focus()
    tab.keyboard.press("Enter")
    told(tab, "Press Play.")
    tab.get_by_role("button", name="Step").focus()
    tab.keyboard.press("Enter")
    told(tab, "One step more.")
    assert steps(tab) == 1


def test_a_bad_link_is_said_to_be_one_and_does_no_harm(served, page, screenshot):
    tab = page(served("mtrnn_app") + "/?cycles=99&fast=abc&slow=30", width=390, dark=False)
    tab.get_by_text("'cycles' is not allowed").wait_for()
    tab.get_by_text("'fast' is not allowed").wait_for()
    told(tab, "Restored from the link.")
    assert tab.get_by_label("number input for Time constant, slow units").input_value() == "30"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("mtrnn_phone")
