"""The demo of rnn, lstm and gru: its functions, the code that it shows, and its page in a browser."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import gradio as gr
import numpy as np
import player
import pytest
import rnn_app
import rnn_markup
import rnn_series

import kzoo

from .conftest import copied_link, execute, told

QUICK = rnn_app.Settings(units=6, window=20, rate="0.01")
OTHERS = [
    rnn_app.Settings(data="sine", units=4, window=24, seed=3),
    rnn_app.Settings(data="own", units=5, window=21, curve="0, 0.5 1\n-1, 0.25, 0.1, 0, -0.5"),
]


def trained(settings, steps):
    run = rnn_app.PLAYER.trained(settings, steps)
    assert run.count == steps
    return run


@pytest.fixture(scope="module")
def run():
    """Three small models after 3 steps, drawn once."""
    run = trained(QUICK, 3)
    run.view = ("gru", 40, "series")
    rnn_app.PLAYER.draw(run)
    return run


@pytest.mark.parametrize("settings", [QUICK, *OTHERS], ids=lambda settings: settings.data)
def test_the_shown_code_makes_the_same_windows(settings):
    text = rnn_series.as_code(settings.data, settings.window, settings.seed, settings.curve)
    names = execute("import kzoo\nimport numpy as np\n" + text)
    for part, name in zip(rnn_app.dataset(settings), ("x_train", "y_train", "x_test", "y_test"), strict=True):
        np.testing.assert_array_equal(names[name], part)


@pytest.fixture(scope="module")
def pasted(run):
    """What the code of that picture leaves behind."""
    return execute(rnn_app.code(run))


def test_the_shown_code_gives_what_is_on_screen(run, pasted):
    names = pasted
    errors, _ = rnn_app.measure(run)
    for name in rnn_app.NAMES:
        # The same steps on the same backend; a batch of another size may round differently.
        assert names["errors"][name] == pytest.approx(errors[name], rel=1e-3)
        row = rnn_app.foretell(run)[rnn_app.NAMES.index(name)]
        np.testing.assert_allclose(names["foretold"][name], row, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(names["reach"][name], run.reach[1][name], rtol=1e-2, atol=1e-6)
    assert set(names["states"]) == set(run.states[1])
    for name, values in names["states"].items():
        np.testing.assert_allclose(values[0], run.states[1][name], rtol=1e-3, atol=1e-5)


def test_the_code_of_the_shipped_presets_gives_what_is_on_screen():
    run = rnn_app.from_preset()
    if run is None:
        pytest.skip("the presets do not ship yet")
    rnn_app.PLAYER.draw(run)
    names = execute(rnn_app.code(run))
    errors, repeat = rnn_app.measure(run)
    for name in rnn_app.NAMES:
        assert names["errors"][name] == pytest.approx(errors[name], rel=1e-3)
        assert errors[name] < 0.1 * repeat, "it has learned more than to repeat the last value"
    assert rnn_app.opening().preset, "they are what a visitor sees first"


def test_a_window_and_its_answer_are_parts_of_one_series():
    """On a curve whose values are all different, each value tells its place."""
    count = 160
    curve = ", ".join(str(value) for value in np.round(np.linspace(-0.8, 0.79, count), 4))
    x_train, y_train, x_test, y_test = rnn_series.windows("own", 30, 0, curve)
    places = {round(float(value), 4): place for place, value in enumerate(np.linspace(-0.8, 0.79, count))}
    for x, y, first in ((x_train, y_train, 0), (x_test, y_test, rnn_series.TRAIN)):
        for i in (0, 1, len(x) - 1):
            found = [places[round(float(value), 4)] for value in (*x[i, :, 0], y[i, 0])]
            wanted = [(first + i + k) % count for k in (*range(30), 30 - 1 + rnn_series.AHEAD)]
            assert found == wanted


def test_what_follows_a_place_is_what_the_windows_there_ask_for(run):
    known, truth = rnn_app.values_at(run, 40)
    x, y = run.parts[2:]
    # The last AHEAD windows of what is known ask for the first AHEAD values that follow.
    windows = np.lib.stride_tricks.sliding_window_view(known, QUICK.window)
    np.testing.assert_array_equal(windows, x[40 : 40 + rnn_app.AHEAD, :, 0])
    np.testing.assert_array_equal(truth[: rnn_app.AHEAD], y[40 : 40 + rnn_app.AHEAD, 0])
    assert len(rnn_app.values_at(run, rnn_app.LAST_PLACE)[1]) == rnn_app.HORIZON


def test_a_forecast_goes_on_from_its_own_values(run):
    """Step by step, one window at a time, by Keras's own predict."""
    known, _ = rnn_app.values_at(run, 40)
    found = rnn_app.foretell(dataclasses.replace(run, view=("gru", 40, "own")))
    for row, name in enumerate(rnn_app.NAMES):
        values = known.tolist()
        for step in range(rnn_app.HORIZON):
            window = np.array(values[step : step + QUICK.window], "float32")
            values.append(float(run.models[name].predict_on_batch(window[None, :, None])[0, 0]))
        np.testing.assert_allclose(found[row], values[len(known) :], rtol=1e-3, atol=1e-4)
    own = rnn_app.code(dataclasses.replace(run, view=("gru", 40, "own")))
    lines = own[own.index("known = ") : own.index("errors, reach")]
    names = {"np": np, "x_test": run.parts[2], "models": run.models}
    exec(compile(lines, "pasted", "exec"), names)
    for row, name in enumerate(rnn_app.NAMES):
        np.testing.assert_allclose(names["foretold"][name], found[row], rtol=1e-3, atol=1e-4)


def test_all_three_learn_a_sine_and_each_of_them_alone_would_do_the_same():
    settings = rnn_app.Settings(data="sine", units=8, window=20, rate="0.01")
    run = trained(settings, 60)
    errors, repeat = rnn_app.measure(run)
    assert max(errors.values()) < 0.05 * repeat
    x, y = run.parts[2][::10], run.parts[3][::10]
    for name, model in run.models.items():
        assert errors[name] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-3)


def test_one_seed_is_one_run_and_another_is_another(run):
    again, other = trained(QUICK, 3), rnn_app.start(dataclasses.replace(QUICK, seed=1))
    for a, b in zip(run.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    first, second = (one.models["rnn"].get_layer("layer_1").get_weights()[0] for one in (rnn_app.start(QUICK), other))
    assert not np.array_equal(first, second)
    assert not np.array_equal(run.parts[0], other.parts[0]), "another beginning of the series"


def test_the_file_to_take_home_has_all_three_in_it(run, tmp_path):
    run.model.save(tmp_path / "rnn.keras")
    loaded = kzoo.load_model(tmp_path / "rnn.keras")
    x = run.parts[2][:3]
    for name, model in run.models.items():
        part = loaded.get_layer(name)
        assert type(part) is type(model)
        np.testing.assert_allclose(part.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_before_training_the_gates_stand_half_open_and_the_gradient_falls_the_faster():
    """As the page's caption says: a GRU's first update gates pass on a half, an LSTM's forget gates 73 %."""
    for seed in range(3):
        left = {
            name: values[-1]
            for name, values in rnn_app.gradient_reach(rnn_app.start(rnn_app.Settings(seed=seed))).items()
        }
        assert left["gru"] < 1e-6 < left["lstm"] < left["rnn"]


def test_pictures_are_well_formed_and_say_what_they_show(run):
    status, *pictures = rnn_app.PLAYER.draw(run)
    for text in pictures:
        found = ElementTree.fromstring(text).iter("svg")
        assert all(svg.get("aria-label") for svg in found)
    series, states, reach, errors, pad = pictures
    assert series.count("<svg") == len(rnn_app.NAMES)
    for name in rnn_app.NAMES:
        assert f">{name}</text>" in series
        assert f">{name} " in reach
        assert f">{name} " in errors
    for name in ("update gate", "reset gate", "candidate", "hidden state"):
        assert f">{name}, 6 units</text>" in states
    assert "<b>3</b> steps" in status
    assert "data-values=" in pad


def test_the_heat_maps_are_those_of_the_model_that_is_chosen(run):
    found = {}
    for shown in rnn_app.NAMES:
        run.view = (shown, 0, "own")
        rnn_app.PLAYER.draw(run)
        found[shown] = run.states[1]
    assert list(found["rnn"]) == ["hidden state"]
    assert len(found["lstm"]) == 6
    window = run.parts[2][rnn_app.AHEAD - 1 :][:1]
    for shown, states in found.items():
        model = run.models[shown]
        kernel, bias = model.get_layer("forecast").get_weights()
        np.testing.assert_allclose(
            states["hidden state"][-1] @ kernel + bias, model.predict(window, verbose=0)[0], rtol=1e-4, atol=1e-5
        )


def test_while_it_learns_a_look_inside_takes_a_fifth_of_the_time_at_most(run, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(rnn_app.time, "monotonic", lambda: clock[0])

    def slow(run):
        clock[0] += 2.0
        return {name: np.ones(QUICK.window) for name in rnn_app.NAMES}

    monkeypatch.setattr(rnn_app, "gradient_reach", slow)
    moving = dataclasses.replace(run, count=4, looked=(0.0, 0.0))
    rnn_app.frame(moving, player.LEARNING)
    assert moving.reach[0] == 4
    moving.count = 5
    clock[0] += 7.9
    rnn_app.frame(moving, player.LEARNING)
    assert moving.reach[0] == 4, "too early"
    clock[0] += 0.2
    rnn_app.frame(moving, player.LEARNING)
    assert moving.reach[0] == 5
    moving.count = 6
    rnn_app.frame(moving, "Paused.")
    assert moving.reach[0] == 6, "what stands still is always up to date"


def test_an_error_that_is_no_number_ends_the_training_and_says_so(run):
    lost = rnn_app.start(QUICK)
    lost.models["rnn"].set_weights([np.full_like(weight, np.nan) for weight in lost.models["rnn"].get_weights()])
    status, *pictures = rnn_app.PLAYER.draw(lost)
    assert "The error of rnn is no number any more" in status
    assert rnn_app.PLAYER.over(lost).startswith("The error of rnn")
    for text in pictures:
        ElementTree.fromstring(text)
        assert "nan" not in text


def test_a_flat_curve_is_not_learned():
    flat = rnn_app.start(dataclasses.replace(OTHERS[1], curve="0.5 " * 10))
    assert "flat" in rnn_app.PLAYER.obstacle(flat)
    assert rnn_app.PLAYER.obstacle(rnn_app.start(OTHERS[1])) is None
    rnn_app.PLAYER.draw(flat)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("data", "sunspots", "data: got 'sunspots'; expected one of"),
        ("units", 2.5, "units: got 2.5; expected a whole number from 2 to 64"),
        ("window", 10**400, "window: got 1000"),
        ("seed", True, "seed: got True"),
        ("rate", ["0.01"], "rate: got"),
        ("curve", "0.5, x", "curve: got 'x'; expected numbers from -1 to 1"),
        ("curve", "0 nan", "curve: got 'nan'"),
        ("curve", "0.5", "curve: got 1 numbers; expected 8 to 200"),
        ("curve", "9" * 5000, "curve: got 5000 characters"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_clear_line(key, value, says):
    values = {**vars(OTHERS[1]), key: value}
    with pytest.raises(gr.Error) as error:
        rnn_app.check([values[name] for name in rnn_app.FIELDS])
    assert says in error.value.message.replace("&#x27;", "'")
    assert len(error.value.message) < 250


@pytest.mark.parametrize(
    "view", [("cnn", 0, "own"), ("lstm", 901, "own"), ("lstm", None, "own"), (["lstm"], 0, "own"), ("rnn", 0, "x")]
)
def test_a_view_that_is_not_allowed_is_refused(view):
    with pytest.raises(gr.Error, match=r"(model|place|reads): got"):
        rnn_app.check_view(view)


def test_a_client_gets_figures_and_the_code_that_gives_the_same():
    answer = rnn_app.train_client(data="sine", units=4, window=20, steps=2)
    assert answer["steps"] == 2
    assert set(answer["test_error"]) == set(answer["gradient_left"]) == set(rnn_app.NAMES)
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="steps: got 1000000"):
        rnn_app.train_client(steps=1_000_000)


def test_a_line_ends_at_its_last_value_on_a_logarithmic_axis():
    text = rnn_markup.log_chart(
        [0, 1, 2],
        {"rnn": [1, 0.1, 0.01], "gru": [1, 0, float("nan")]},
        label="",
        title="",
        across="",
        said={"rnn": "1 %", "gru": "none"},
        floor=1e-4,
    )
    lines = {kind: places.split() for kind, places in re.findall(r'<polyline class="(\w+)" points="([^"]+)"', text)}
    assert len(lines["rnn"]) == 3
    assert len(lines["gru"]) == 2, "what is no number is left out"
    (_, top), (_, middle), (_, end) = (map(float, place.split(",")) for place in lines["rnn"])
    assert top < middle < end, "less is lower"
    assert middle - top == pytest.approx(end - middle, abs=0.2), "each tenth is as far down as the one before"
    assert float(lines["gru"][1].split(",")[1]) == pytest.approx(top + 4 * (middle - top), abs=0.2), "zero: the floor"


# --- in a browser --------------------------------------------------------------------------------------------------


def steps(tab) -> int:
    return int(float(tab.locator(".kz-status b").first.inner_text()))


def test_the_page_learns_pauses_steps_and_starts_anew(served, page, screenshot):
    tab = page(served("rnn_app"))
    tab.locator("#rnn-forecasts svg").nth(2).wait_for()
    screenshot("rnn_open")
    tab.get_by_label("sine").check()
    told(tab, "Press Play.")
    assert steps(tab) == 0
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("parseFloat(document.querySelector('.kz-status b').innerText) >= 20", timeout=60_000)
    screenshot("rnn_playing")
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    stopped = steps(tab)
    tab.get_by_role("button", name="Step").click()
    told(tab, "One step more.")
    assert steps(tab) == stopped + 1
    tab.get_by_label("gru", exact=True).check()
    tab.locator("#rnn-states text", has_text="update gate").wait_for()
    assert tab.locator("#rnn-states image").count() == 8, "a heat map and its scale for each of four"
    before = tab.locator("#rnn-forecasts .gru").get_attribute("points")
    tab.get_by_label("its own forecasts").check()
    tab.wait_for_function(
        "(before) => document.querySelector('#rnn-forecasts .gru').getAttribute('points') !== before", arg=before
    )
    tab.get_by_text("Show the code").click()
    assert "kzoo.create_model" in tab.locator(".cm-content").inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "rnn.keras"
    tab.get_by_role("button", name="Reset", exact=True).click()
    told(tab, "Press Play.")
    assert steps(tab) == 0


def test_a_curve_is_drawn_and_a_link_brings_it_back(served, page, screenshot):
    tab = page(served("rnn_app"))
    tab.get_by_label("own curve").check()
    box = tab.get_by_label("The same as 8 to 200 numbers")
    box.wait_for()
    told(tab, "Press Play.")
    area = tab.locator("#rnn-pad .area")
    area.scroll_into_view_if_needed()
    place = area.bounding_box()
    tab.mouse.move(place["x"] + 0.25 * place["width"], place["y"] + 0.25 * place["height"])
    tab.mouse.down()
    tab.mouse.move(place["x"] + 0.75 * place["width"], place["y"] + 0.75 * place["height"])
    tab.mouse.up()
    tab.wait_for_function(
        "(before) => document.querySelector('#rnn-curve textarea').value !== before", arg=rnn_app.OWN_CURVE
    )
    values = rnn_app.read_curve(box.input_value())
    assert len(values) == 60
    np.testing.assert_allclose(values[16:44], np.interp(range(16, 44), (14.75, 44.25), (0.5, -0.5)), atol=0.04)
    np.testing.assert_allclose(values[[0, 59]], rnn_app.read_curve(rnn_app.OWN_CURVE)[[0, 59]])
    tab.get_by_role("button", name="Step").click()
    told(tab, "One step more.")
    tab.wait_for_timeout(300)
    other = page(copied_link(tab, "own"), width=390, dark=True)
    told(other, "Restored from the link.")
    assert other.get_by_label("The same as 8 to 200 numbers").input_value() == box.input_value()
    assert steps(other) == 1
    assert other.locator("#rnn-errors text").all_inner_texts() == tab.locator("#rnn-errors text").all_inner_texts()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("rnn_phone_dark")


def test_the_main_path_works_by_keyboard_alone(served, page):
    tab = page(served("rnn_app"))
    tab.locator("#rnn-forecasts svg").first.wait_for()
    tab.get_by_label("own curve").focus()
    tab.keyboard.press("Space")
    box = tab.get_by_label("The same as 8 to 200 numbers")
    box.wait_for()
    told(tab, "Press Play.")
    box.fill("0, 0.5, 1, 0.5, 0, -0.5, -1, -0.5")
    tab.get_by_role("button", name="Use the numbers above").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('#rnn-pad svg.pad').dataset.values.split(',').length === 8")
    tab.get_by_role("button", name="Step").focus()
    tab.keyboard.press("Enter")
    told(tab, "One step more.")
