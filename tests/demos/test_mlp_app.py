"""The demo of the MLP: its functions, the code that it shows, and its page in a browser."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import drawing
import gradio as gr
import mlp_app
import numpy as np
import pytest

import kzoo

from .conftest import click_plane, copied_link, execute, points_shown, told

QUICK = mlp_app.Settings(data="moons", noise=0.1, depth=2, width=5, rate="0.03")
OTHERS = [
    mlp_app.Settings(data="xor", noise=0.25, depth=1, width=3, activation="relu", optimizer="SGD", decay="0.1"),
    mlp_app.Settings(data="own", depth=2, width=4, dropout=0.2, batch="8", seed=3),
    mlp_app.Settings(data="spirals", depth=0, share=30),
]


def trained(settings, epochs):
    run = mlp_app.PLAYER.trained(settings, epochs)
    assert run.count == epochs
    return run


@pytest.mark.parametrize("settings", [QUICK, *OTHERS], ids=lambda settings: settings.data)
def test_the_shown_code_gives_what_is_on_screen(settings):
    run = trained(settings, 3)
    seen = mlp_app.look(run)
    names = execute(mlp_app.code(settings, 3))
    plane = drawing.grid(run.low, run.high)
    # The same steps on the same backend; a batch of another size may round differently.
    np.testing.assert_allclose(names["score"](plane), seen.score.ravel(), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(names["x_train"], run.parts[0])
    assert np.mean((names["score"](names["x_train"]) > 0) == names["y_train"]) == pytest.approx(seen.accuracy[0])


@pytest.mark.parametrize("name", mlp_app.PRESETS)
def test_the_code_of_a_shipped_preset_gives_what_is_on_screen(name):
    run = mlp_app.from_preset(name)
    if run is None:
        pytest.skip(f"{name} does not ship yet")
    seen = mlp_app.look(run)
    names = execute(mlp_app.code(run.settings, 0, name))
    np.testing.assert_allclose(
        names["score"](drawing.grid(run.low, run.high)), seen.score.ravel(), rtol=1e-3, atol=1e-4
    )
    assert seen.accuracy[1] > 0.9


def test_it_learns_the_moons_and_the_drawn_losses_are_keras_own():
    run = trained(QUICK, 40)
    seen = mlp_app.look(run)
    assert seen.accuracy[1] > 0.9
    for part, (x, y) in enumerate((run.parts[:2], run.parts[2:])):
        assert seen.loss[part] == pytest.approx(run.model.evaluate(x, y, batch_size=len(x), verbose=0), rel=1e-4)


def test_one_seed_is_one_run_and_another_is_another():
    first, again = trained(QUICK, 2), trained(QUICK, 2)
    for a, b in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = trained(mlp_app.Settings(**{**vars(QUICK), "seed": 1}), 2)
    assert not np.array_equal(first.model.get_weights()[-2], other.model.get_weights()[-2])


def test_the_drawn_network_is_the_models_own():
    """The output's weights are differences of two logits: from the drawn parts, the drawn answer follows."""
    run = trained(QUICK, 1)
    seen = mlp_app.look(run)
    plane = drawing.grid(run.low, run.high)
    mean, deviation = (np.asarray(part) for part in run.model.statistics)
    values = (plane - mean) / deviation
    for weights, bias in zip(seen.weights[:-1], seen.biases[:-1], strict=True):
        values = np.tanh(values @ weights + bias)
    score = values @ seen.weights[-1] + seen.biases[-1]
    np.testing.assert_allclose(score.ravel(), seen.score.ravel(), rtol=1e-3, atol=1e-4)
    assert seen.total == [2, 5, 5, 1]
    assert [layer.shape for layer in seen.layers] == [(16, 16, n) for n in seen.total]


def test_a_wide_layer_shows_its_loudest_units_alone():
    seen = mlp_app.look(mlp_app.start(mlp_app.Settings(depth=2, width=20)))
    assert seen.total == [2, 20, 20, 1]
    assert [w.shape for w in seen.weights] == [(2, 8), (8, 8), (8, 1)]


@pytest.mark.parametrize("settings", [QUICK, *OTHERS], ids=lambda settings: settings.data)
def test_pictures_are_well_formed_and_say_what_they_show(settings):
    run = trained(settings, 1)
    status, network, plane, curves = mlp_app.frame(run)
    for text in (network, plane, curves):
        assert ElementTree.fromstring(text).get("aria-label")
    marks = len(re.findall(r'class="c[01]', plane))
    assert marks == len(run.parts[0]) + len(run.parts[2])
    assert "<b>1</b> epochs" in status
    assert ("test points" in status) == (len(run.parts[3]) > 0)


def test_a_chart_without_a_curve_says_why():
    untrained = mlp_app.start(QUICK)
    preset = dataclasses.replace(untrained, preset="mlp_moons", epochs=[], train=[], test=[])
    assert "Press Play to fill this chart." in mlp_app.curves_svg(untrained)
    assert "A trained preset brings no curve." in mlp_app.curves_svg(preset)
    assert "Press Play" not in mlp_app.frame(untrained)[3], "its first loss is there"
    assert "A trained preset brings no curve." in mlp_app.frame(preset)[3]


@pytest.mark.parametrize(
    ("value", "says"), [(1e-5, "train &lt;0.001"), (0.43456, "train 0.435"), (2.0, "train 2.000"), (1e5, "train 1e+05")]
)
def test_a_curve_s_value_fits_beside_it(value, says):
    assert says in drawing.curves([0, 1], [1.0, value], None, name="loss", label="")


def test_a_click_s_corners_are_those_of_the_plane():
    plane = mlp_app.frame(mlp_app.start(OTHERS[1]))[2]
    assert 'data-low="-1,-1"' in plane
    assert 'data-high="1,1"' in plane


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("data", "mnist", "data: got 'mnist'; expected one of"),
        ("noise", float("nan"), "noise: got nan; expected a number from 0 to 0.5"),
        ("noise", "0.1", "noise: got '0.1'"),
        ("depth", 2.5, "depth: got 2.5; expected a whole number from 0 to 4"),
        ("width", 10**400, "width: got 1000"),
        ("seed", True, "seed: got True"),
        ("rate", ["0.1"], "rate: got"),
        ("points", "x" * 9000, "points: got 9000 characters"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_clear_line(key, value, says):
    values = {**vars(QUICK), key: value}
    with pytest.raises(gr.Error) as error:
        mlp_app.check([values[name] for name in mlp_app.FIELDS])
    assert says in error.value.message.replace("&#x27;", "'")
    assert len(error.value.message) < 250


def test_a_client_gets_figures_and_the_code_that_gives_the_same():
    answer = mlp_app.train_client(data="moons", noise=0.1, depth=1, width=4, epochs=2)
    assert answer["epochs"] == 2
    assert answer["train_loss"] > 0
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="epochs: got 1000000"):
        mlp_app.train_client(epochs=1_000_000)


def test_every_preset_that_is_named_is_a_name_of_the_zoo_or_still_to_come():
    for name in mlp_app.PRESETS:
        assert name.startswith("mlp_")
    assert mlp_app.opening().model.num_classes == 2
    assert kzoo.backend.name() in kzoo.backend.NAMES


# --- in a browser --------------------------------------------------------------------------------------------------


def number(tab, name):
    """The number that stands before `name` in the status line."""
    text = tab.locator(".kz-status").inner_text().replace("\n", " ")
    found = re.search(rf"([\d.]+)(?: %)? {name}", text)
    assert found, text
    return float(found[1])


def test_the_page_learns_pauses_steps_and_starts_anew(served, page, screenshot):
    tab = page(served("mlp_app"))
    tab.locator("#mlp-network svg").wait_for()
    screenshot("mlp_open")
    tab.get_by_label("XOR").check()
    told(tab, "Press Play.")
    assert number(tab, "epoch") == 0
    tab.get_by_role("button", name="Play").click()
    # 200 points, 12 steps an epoch: the four clouds are told apart within a few epochs.
    tab.wait_for_function("parseFloat(document.querySelector('.kz-status b').innerText) >= 40", timeout=60_000)
    screenshot("mlp_playing")
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    stopped = number(tab, "epoch")
    assert number(tab, "test points right") > 85
    tab.get_by_role("button", name="Step").click()
    told(tab, "One epoch more.")
    assert number(tab, "epoch") == stopped + 1
    tab.get_by_text("Show the code").click()
    assert "kzoo.create_model" in tab.locator(".cm-content").inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "mlp.keras"
    tab.get_by_role("button", name="Reset", exact=True).click()
    told(tab, "Press Play.")
    assert number(tab, "epoch") == 0


def test_a_click_places_a_point_and_a_link_brings_it_back(served, page, screenshot):
    address = served("mlp_app")
    tab = page(address)
    tab.get_by_label("own points").check()
    box = tab.get_by_label("Points, one a line")
    box.wait_for()
    before = box.input_value()
    click_plane(tab, "mlp-plane", 0.75, 0.9)
    points_shown(tab, "mlp-plane", len(before.splitlines()) + 1)
    across, up, kind = (float(part) for part in box.input_value().splitlines()[-1].split(","))
    assert across == pytest.approx(0.5, abs=0.02)
    assert up == pytest.approx(0.8, abs=0.02)
    assert kind == 1
    for _ in range(2):
        tab.get_by_role("button", name="Step").click()
        told(tab, "One epoch more.")
        tab.wait_for_timeout(300)
    other = page(copied_link(tab, "own"), width=390, dark=True)
    told(other, "Restored from the link.")
    assert other.get_by_label("Points, one a line").input_value() == box.input_value()
    assert number(other, "epoch") == number(tab, "epoch")
    assert other.locator("#mlp-curves text").all_inner_texts() == tab.locator("#mlp-curves text").all_inner_texts()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("mlp_phone_dark")


def test_a_bad_link_is_said_to_be_one_and_does_no_harm(served, page):
    tab = page(served("mlp_app") + "/?depth=99&noise=abc&width=5")
    tab.get_by_text("'depth' is not allowed").wait_for()
    tab.get_by_text("'noise' is not allowed").wait_for()
    told(tab, "Restored from the link.")
    assert tab.get_by_label("number input for Units in each layer").input_value() == "5"


def test_the_main_path_works_by_keyboard_alone(served, page):
    tab = page(served("mlp_app"))
    tab.locator("#mlp-network svg").wait_for()
    tab.get_by_role("button", name="Step").focus()
    tab.keyboard.press("Enter")
    told(tab, "One epoch more.")
    tab.get_by_label("own points").focus()
    tab.keyboard.press("Space")
    box = tab.get_by_label("Points, one a line")
    box.wait_for()
    box.fill("0, 0, 1\n0.5, 0.5, 0")
    tab.get_by_role("button", name="Use the points").focus()
    tab.keyboard.press("Enter")
    points_shown(tab, "mlp-plane", 2)


def test_a_network_of_nan_is_right_nowhere_and_says_why():
    run = mlp_app.start(QUICK)
    run.model.set_weights([np.full_like(weight, np.nan) for weight in run.model.get_weights()])
    seen = mlp_app.look(run)
    assert list(seen.accuracy) == [0, 0]
    assert mlp_app.NAN_NOTE in mlp_app.frame(run)[0]
    assert mlp_app.PLAYER.over(run) == mlp_app.NAN_NOTE
