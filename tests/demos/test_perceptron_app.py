"""The demo of the perceptron: its functions, the code that it shows, and its page in a browser."""

import re
import xml.etree.ElementTree as ElementTree

import drawing
import gradio as gr
import numpy as np
import perceptron_app as app
import pytest

from .conftest import click_plane, copied_link, execute, points_shown, told

CLOUDS = app.Settings()
XOR = app.Settings(data="xor", noise=0.25)


def trained(settings, steps):
    return app.PLAYER.trained(settings, steps)


def rosenblatt(x, y, order):
    """The rule of 1958 in float64, by hand: the weights after showing the points in this order, and the mistakes."""
    w, b, mistakes = np.zeros(2), 0.0, 0
    for i in order:
        answer = int(w @ x[i] + b > 0)
        w, b = w + (y[i] - answer) * x[i], b + (y[i] - answer)
        mistakes += answer != y[i]
    return w, b, mistakes


@pytest.mark.parametrize("settings", [CLOUDS, XOR, app.Settings(data="moons", noise=0.1)], ids=lambda s: s.data)
def test_the_line_moves_as_rosenblatt_s_rule_says(settings):
    run = trained(settings, 90)
    orders = [app.epoch_order(len(run.x), settings.seed, epoch) for epoch in range(2)]
    w, b, mistakes = rosenblatt(run.x.astype(np.float64), run.y, np.concatenate(orders)[: run.count])
    np.testing.assert_allclose(app.weights_of(run.model), [*w, b], rtol=1e-5, atol=1e-5)
    assert sum(run.mistakes) + run.current == mistakes


@pytest.mark.parametrize("data", ["clouds", "xor", "own"])
def test_the_shown_code_gives_what_is_on_screen(data):
    run = trained(app.Settings(data=data, noise=0.2, seed=4), 30)
    names = execute(app.code(run.settings, run.count))
    np.testing.assert_array_equal([*names["w"], names["b"]], app.weights_of(run.model))
    np.testing.assert_array_equal(names["wrong"], app.wrong(run))
    np.testing.assert_array_equal(names["x"], run.x)


@pytest.mark.parametrize("name", ["perceptron_moons", "perceptron_xor"])
def test_the_code_of_a_shipped_preset_gives_what_is_on_screen(name):
    run = app.from_preset(name)
    if run is None:
        pytest.skip(f"{name} does not ship yet")
    names = execute(app.code(run.settings, 0, name))
    np.testing.assert_array_equal(names["wrong"], app.wrong(run))


def test_clouds_that_a_line_parts_are_learnt_and_the_end_is_noticed():
    run = trained(CLOUDS, 2000)
    assert run.done
    assert not app.wrong(run).any()
    assert "Novikoff" in app.verdict(run)
    assert run.count < 2000


def test_xor_never_ends_and_the_page_says_why():
    run = trained(XOR, 80 * 10)
    assert len(run.mistakes) == 10
    assert min(run.mistakes) > 0
    assert "no straight line" in app.verdict(run)


def test_a_step_is_shown_with_its_own_numbers():
    run = trained(CLOUDS, 1)
    while not run.last.mistake:
        app.PLAYER.step(run)
    text = app.rule_html(run)
    assert "wrong" in text
    x = run.x[run.last.index]
    assert f"({x[0]:.2f}, {x[1]:.2f})" in text
    moved = np.subtract(run.last.after, run.last.before)
    np.testing.assert_allclose(np.abs(moved), [*np.abs(x), 1], rtol=1e-4, atol=1e-6)


def test_a_standardising_layer_is_reckoned_into_the_line():
    import kzoo

    model = kzoo.create_model("perceptron", input_shape=(2,), num_classes=2, statistics=[[1.0, 2.0], [0.5, 4.0]])
    model.get_layer("units").set_weights([np.array([[2.0], [-3.0]], "float32"), np.array([0.7], "float32")])
    x = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    expected = np.asarray(model.predict(x, verbose=0))[:, 1]
    np.testing.assert_allclose(app.scores(app.weights_of(model), x), expected, rtol=1e-4, atol=1e-5)


def test_the_drawn_line_is_where_the_score_is_zero():
    line = (0.8, -0.3, 0.25)
    for point in (drawing.line_foot(line, (-1, -1), (1, 1)), *drawing.line_ends(line, (-1, -1), (1, 1))):
        assert app.scores(line, [point])[0] == pytest.approx(0, abs=1e-9)
    assert drawing.line_ends((0, 0, 1), (-1, -1), (1, 1)) is None


@pytest.mark.parametrize("steps", [0, 1, 90])
def test_pictures_are_well_formed_and_say_what_they_show(steps):
    run = trained(XOR, steps)
    status, plane, _, curve, _ = app.frame(run)
    for text in (plane, curve):
        assert ElementTree.fromstring(text).get("aria-label")
    assert len(re.findall(r'class="wrong"', plane)) == app.wrong(run).sum()
    assert f"<b>{steps}</b> points shown" in status


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("data", None, "data: got None; expected one of"),
        ("noise", 3, "noise: got 3; expected a number from 0 to 0.6"),
        ("samples", [80], "samples: got [80]"),
        ("seed", float("inf"), "seed: got inf"),
        ("points", {"a": 1}, "points: got"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_clear_line(key, value, says):
    values = {**vars(CLOUDS), key: value}
    with pytest.raises(gr.Error) as error:
        app.check([values[name] for name in app.FIELDS])
    assert says in error.value.message


def test_a_client_gets_weights_and_the_code_that_gives_the_same():
    answer = app.train_client(data="xor", noise=0.25, steps=20)
    assert answer["steps"] == 20
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="steps: got"):
        app.train_client(steps=1e9)


# --- in a browser --------------------------------------------------------------------------------------------------


def numbers(tab):
    """The numbers of the status line by their names."""
    text = tab.locator(".kz-status").inner_text().replace("\n", " ")
    return {
        name: int(value) for value, name in re.findall(r"(\d+) (full epochs|points shown|of \d+ points wrong)", text)
    }


def test_the_page_steps_plays_and_pauses(served, page, screenshot):
    tab = page(served("perceptron_app"))
    tab.locator("#perceptron-plane svg").wait_for()
    screenshot("perceptron_open")
    tab.get_by_label("two clouds").check()
    told(tab, "Press Play or Step.")
    tab.get_by_role("button", name="Step").click()
    told(tab, "One point more.")
    assert numbers(tab)["points shown"] == 1
    screenshot("perceptron_step")
    tab.get_by_role("button", name="Play").click()
    told(tab, "Done.")
    assert numbers(tab)["of 80 points wrong"] == 0
    tab.get_by_text("Novikoff 1962").wait_for()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "perceptron.keras"


def test_on_xor_it_goes_on_until_it_is_paused_and_a_link_brings_it_back(served, page, screenshot):
    tab = page(served("perceptron_app"))
    tab.get_by_label("XOR").check()
    told(tab, "Press Play or Step.")
    tab.get_by_label("range slider for Speed").fill("50")
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text("no straight line parts them").wait_for(timeout=60_000)
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    screenshot("perceptron_xor")
    shown = tab.locator("#perceptron-rule").inner_text()
    other = page(copied_link(tab, "xor"), width=390, dark=True)
    told(other, "Restored from the link.")
    assert other.locator("#perceptron-rule").inner_text().split() == shown.split()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("perceptron_phone_dark")


def test_points_come_by_click_and_by_keyboard(served, page):
    tab = page(served("perceptron_app"))
    tab.get_by_label("own points").focus()
    tab.keyboard.press("Space")
    box = tab.get_by_label("Points, one a line")
    box.wait_for()
    box.fill("-0.5, 0, 0\n0.5, 0, 1")
    tab.get_by_role("button", name="Use the points").focus()
    tab.keyboard.press("Enter")
    points_shown(tab, "perceptron-plane", 2)
    click_plane(tab, "perceptron-plane", 0.25, 0.25)
    points_shown(tab, "perceptron-plane", 3)
    across, up, kind = (float(part) for part in box.input_value().splitlines()[-1].split(","))
    assert (across, up) == pytest.approx((-0.5, -0.5), abs=0.02)
    assert kind == 1
