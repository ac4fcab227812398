"""The demo of the VAE: its plane, a drawing's way through it, the code that it shows, and its page in a browser."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import digit_pad
import digits
import gradio as gr
import numpy as np
import pad
import pytest
import vae_app
import vae_markup
import vae_plane

import kzoo

from .conftest import copied_link, execute, told


def event(**sent):
    return gr.EventData(None, sent or None)


def image_of(name):
    return digits.prepare(pad.decode(digits.example(name))).image


@pytest.fixture(scope="module")
def young():
    """A model after two epochs."""
    run = vae_plane.PLAYER.trained(vae_plane.Settings(seed=3), 2)
    vae_plane.look(run)
    return run


@pytest.fixture(scope="module")
def shipped():
    """The run of the shipped plane."""
    run = vae_plane.from_preset()
    if run is None:
        pytest.skip(f"{vae_plane.PRESET} does not ship")
    vae_plane.look(run)
    return run


@pytest.fixture(scope="module")
def mnist():
    """The model of fifty numbers."""
    return vae_app.kit.preset("vae_mnist")


# --- the plane -----------------------------------------------------------------------------------------------------


def test_what_is_seen_is_the_models_own_answer(young):
    data, seen = vae_plane.digits(), young.look
    np.testing.assert_allclose(seen.codes, young.model.encode(data.x_test)[0], atol=1e-5)
    np.testing.assert_allclose(seen.sheet, young.model.decode(vae_plane.plane_codes())[..., 0], atol=1e-5)
    assert seen.figures == pytest.approx(young.model.measure(data.x_test), rel=1e-5)
    view = vae_plane.View(1.5, -0.7)
    wanted = young.model.decode([[1.5, -0.7]])[0, ..., 0]
    np.testing.assert_allclose(vae_plane.decoded(seen, view), wanted, atol=1e-5)
    assert np.abs(wanted - seen.sheet[0]).max() > 1e-3, "else any code would do"


def test_the_cells_of_the_plane_stand_where_they_are_drawn():
    codes = vae_plane.plane_codes()
    np.testing.assert_allclose(codes[0], (-30 / 11, 30 / 11), atol=1e-6)
    np.testing.assert_allclose(codes[-1], (30 / 11, -30 / 11), atol=1e-6)
    np.testing.assert_allclose(codes[1] - codes[0], (6 / 11, 0), atol=1e-6)
    # In the drawing, the middle of the first cell.
    half = vae_markup.SIDE / vae_plane.CELLS / 2
    wanted = (vae_markup.LEFT + half, vae_markup.TOP + half)
    np.testing.assert_allclose(vae_markup._spots(codes[:1], vae_plane.REACH)[0], wanted, atol=1e-3)


def test_the_shown_code_gives_what_is_on_screen(young):
    run = dataclasses.replace(young, view=vae_plane.View(-0.35, 1.2))
    names = execute(vae_plane.code(run))
    np.testing.assert_allclose(names["codes"], run.look.codes, atol=5e-3)
    np.testing.assert_allclose(names["plane"], run.look.sheet, atol=5e-3)
    np.testing.assert_allclose(names["image"], vae_plane.decoded(run.look, run.view), atol=5e-3)
    assert names["figures"] == pytest.approx(run.look.figures, rel=1e-3)


def test_the_code_of_the_shipped_plane_gives_what_is_on_screen(shipped):
    names = execute(vae_plane.code(shipped))
    np.testing.assert_allclose(names["codes"], shipped.look.codes, atol=1e-4)
    np.testing.assert_allclose(names["plane"], shipped.look.sheet, atol=1e-4)


def test_the_shipped_plane_is_worth_looking_at(shipped):
    seen, data = shipped.look, vae_plane.digits()
    assert (np.abs(seen.codes) <= vae_plane.REACH).all(axis=1).mean() > 0.98
    distances = np.hypot(*(seen.codes[:, None] - seen.codes[None]).T)
    np.fill_diagonal(distances, np.inf)
    same = data.y_test[distances.argmin(axis=1)] == data.y_test
    assert same.mean() > 0.7, "a digit's nearest neighbour is mostly of its own class"
    assert seen.figures["nelbo"] < 25


def test_beta_four_collapses_and_beta_zero_leaves_the_plane():
    kl, reach = {}, {}
    for beta in ("0", "1", "4"):
        seen = vae_plane.look(vae_plane.PLAYER.trained(vae_plane.Settings(beta, "0.005"), 6))
        kl[beta], reach[beta] = seen.figures["kl"], np.abs(seen.codes).mean()
    assert kl["4"] < 0.3 < kl["1"] < 5 < kl["0"]
    assert reach["4"] < 0.3 < reach["1"] < 1.5 < reach["0"]


def test_the_nearest_digit_is_the_one_with_the_nearest_code():
    codes = np.array([[0, 0], [1, 1], [np.nan, 0], [-2, 0.5]])
    assert vae_plane.nearest(codes, vae_plane.View(1.3, 0.6)) == (1, pytest.approx(0.5))


def test_figures_are_noted_once_an_epoch():
    run = vae_plane.start(vae_plane.Settings())
    for _ in range(2):
        vae_plane.PLAYER.draw(run)
        vae_plane.PLAYER.draw(run)
        vae_plane.PLAYER.step(run)
    assert run.epochs == [0, 1]
    assert len(run.kl) == len(run.reconstruction) == 2


def test_every_picture_is_well_formed_also_of_nan(young):
    broken = vae_plane.start(vae_plane.Settings())
    broken.model.decoder.set_weights([np.full_like(w, np.nan) for w in broken.model.decoder.get_weights()])
    broken.model.encoder.set_weights([np.full_like(w, np.nan) for w in broken.model.encoder.get_weights()])
    for run in (young, broken):
        for picture in vae_plane.frame(run)[1:]:
            ElementTree.fromstring(picture)
            assert '="nan' not in picture
    assert "no number" in vae_plane.PLAYER.over(broken)


def test_codes_outside_of_the_plane_are_counted():
    codes = np.array([[0, 0], [3.5, 0], [-1, -9]])
    markup = vae_markup.planes_html(codes, [1, 2, 3], np.zeros((4, 8, 8)), 2, (0.5, -1), 3.0)
    root = ElementTree.fromstring(markup)
    assert "2 of 3 lie outside" in markup
    assert [one.text for one in root.iter("text") if "code" in one.get("class", "")] == ["1"]
    assert root[0].get("data-first") == "0.5"


def test_the_costs_are_drawn_one_on_the_other():
    root = ElementTree.fromstring(vae_markup.costs_svg([0, 1, 2], [30, 20, 8], [0, 5, 12]))
    low, high = root.iter("polygon")
    places = [[tuple(map(float, spot.split(","))) for spot in one.get("points").split()] for one in (low, high)]
    base, top = places[0][-1][1], places[1][0][1]
    scale = (base - top) / 30
    assert places[0][2][1] == pytest.approx(base - 12 * scale, abs=0.1), "the KL of the last epoch"
    assert places[1][2][1] == pytest.approx(base - 20 * scale, abs=0.1), "with the reconstruction on top"


@pytest.mark.parametrize(
    ("change", "said"),
    [({"beta": "3"}, "expected one of 0, 0.1"), ({"beta": 1}, "beta: got 1"), ({"rate": "2"}, "expected one of 0.0005"),
     ({"seed": -1}, "from 0 to 9999")],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(change, said):
    with pytest.raises(gr.Error, match=re.escape(said)):
        vae_plane.check({**vars(vae_plane.Settings()), **change}.values())


@pytest.mark.parametrize("sent", [{}, {"first": 4, "second": 0}, {"first": 0}, {"first": "0", "second": 0}])
def test_a_bad_place_is_refused(sent):
    with pytest.raises(gr.Error, match="expected a number from -3 to 3"):
        vae_app._place(event(**sent))


def test_the_api_trains_and_refuses_what_is_not_allowed():
    answer = vae_plane.train_client(beta="0.3", epochs=1)
    assert answer["epochs"] == 1
    assert answer["nelbo"] == pytest.approx(answer["reconstruction"] + answer["kl"])
    assert "beta=0.3" in answer["code"]
    for bad in ({"epochs": 101}, {"beta": 7}, {"rate": "fast"}):
        with pytest.raises(gr.Error):
            vae_plane.train_client(**bad)


# --- the model of fifty numbers ------------------------------------------------------------------------------------


def test_the_way_begins_with_the_drawing_and_ends_with_the_other(mnist):
    one, other = image_of("3"), image_of("8")
    seen, back = vae_app.passage(mnist, one, other), vae_app.passage(mnist, other, one)
    np.testing.assert_allclose(seen.decoded, back.decoded[::-1], atol=1e-4)
    np.testing.assert_allclose(seen.reconstruction, mnist.reconstruct(one[None, ..., None])[0, ..., 0], atol=1e-5)
    np.testing.assert_allclose(seen.mixed[[0, -1]], [one, other], atol=1e-6)
    np.testing.assert_allclose(seen.mixed[2], 0.75 * one + 0.25 * other, atol=1e-6)


def test_the_costs_are_the_bounds_two_terms(mnist):
    image = image_of("5")
    seen = vae_app.passage(mnist, image, image_of("1"))
    assert seen.each.sum() == pytest.approx(seen.kl, rel=0.05), "of the grey drawing; the other of black and white ones"
    # By hand: the mean of -log p(x|z) over other binarisations and codes than the page's.
    draw = np.random.default_rng(7)
    x = (draw.random((200, 28, 28)) < image).astype("float32")
    mean, logvar = mnist.encode(x[..., None])
    p = mnist.decode(mean + np.exp(logvar / 2) * draw.standard_normal(mean.shape))[..., 0].astype(float)
    p = p.clip(1e-7, 1 - 1e-7)
    cost = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2))
    assert seen.cost == pytest.approx(cost.mean(), abs=4 * cost.std() / np.sqrt(vae_app.COPIES))


def test_a_house_costs_more_than_a_digit(mnist):
    costs = {name: vae_app.passage(mnist, image_of(name), image_of("8")) for name in ("3", "7", "a house", "a heart")}
    total = {name: seen.cost + seen.kl for name, seen in costs.items()}
    assert min(total["a house"], total["a heart"]) > 1.3 * max(total["3"], total["7"])


def test_new_digits_are_those_of_the_seed_and_one_without_spread(mnist):
    np.testing.assert_allclose(vae_app.new_digits(mnist, 5, 1.0)[..., None], mnist.sample(36, seed=5), atol=1e-5)
    alike = vae_app.new_digits(mnist, 5, 0.0)
    np.testing.assert_allclose(alike, alike[:1].repeat(36, axis=0), atol=1e-6)


def test_the_usual_costs_are_those_of_the_presets_figures():
    reconstruction, kl = vae_app.usual()
    assert 60 < reconstruction < 70
    assert 20 < kl < 27


def test_the_shown_code_gives_the_drawings_way(mnist):
    text = vae_app.send(digits.example("4"), "9")[-1]
    names = execute(text)
    seen = vae_app.passage(mnist, image_of("4"), image_of("9"))
    np.testing.assert_allclose(names["reconstruction"], seen.reconstruction, atol=1e-4)
    np.testing.assert_allclose(names["decoded"], seen.decoded, atol=1e-4)
    np.testing.assert_allclose(names["each"], seen.each, rtol=1e-3, atol=1e-4)
    assert names["figures"]["kl"] == pytest.approx(seen.kl, rel=1e-4)


def test_the_shown_code_draws_the_new_digits(mnist):
    names = execute(vae_app.draw_new(4, 1.2)[-1])
    np.testing.assert_allclose(names["made"][..., 0], vae_app.new_digits(mnist, 4, 1.2), atol=1e-4)


def test_what_is_sent_is_answered_with_well_formed_markup_also_for_an_empty_pad():
    for drawing in ("", digits.example("a heart")):
        *pieces, text = vae_app.send(drawing, "0")
        for piece in pieces:
            ElementTree.fromstring(piece)
        assert 'kzoo.from_preset("vae_mnist")' in text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: vae_app.send("no drawing!", "1"), "The drawing cannot be read"),
        (lambda: vae_app.send("", "11"), "Digit: got '11'"),
        (lambda: vae_app.draw_new(0.5, 1), "Seed: got 0.5"),
        (lambda: vae_app.draw_new(0, 3), "Spread: got 3"),
        (lambda: digit_pad.choose(event(name="a dragon")), "Example: got 'a dragon'"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(call, said):
    with pytest.raises(gr.Error, match=re.escape(said)):
        call()


# --- in a browser --------------------------------------------------------------------------------------------------


def changed(tab, selector, attribute, act):
    """The attribute of the element after `act` has changed it."""
    before = tab.locator(selector).first.get_attribute(attribute)
    act()
    tab.wait_for_function(
        "([selector, name, before]) => document.querySelector(selector)?.getAttribute(name) !== before",
        arg=[selector, attribute, before],
    )
    return tab.locator(selector).first.get_attribute(attribute)


def test_a_visitor_drags_a_code_trains_and_shares_what_came_of_it(served, page, screenshot):
    tab = page(served("vae_app"))
    area = tab.locator("#vae-planes svg .area").first
    area.wait_for()
    screenshot("vae_open")
    box = area.bounding_box()

    def drag():
        tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        tab.mouse.down()
        tab.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.25 * box["height"], steps=8)

    changed(tab, "#vae-here img", "src", drag)
    rings = [one.get_attribute("transform") for one in tab.locator("#vae-planes .handle").all()]
    assert rings[0] == rings[1], "both planes show the place"
    tab.mouse.up()
    first = tab.get_by_label("number input for First number of the code")
    tab.wait_for_function("() => document.querySelector('#vae-planes svg').dataset.first > 1.3")
    assert float(first.input_value()) == pytest.approx(1.5, abs=0.06)
    tab.wait_for_timeout(500)
    tab.locator("#vae-here", has_text="the code (1.5").wait_for()  # no earlier place comes after the last one

    tab.get_by_label("4", exact=True).check()
    told(tab, "Press Play")
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("parseInt(document.querySelector('.kz-status b').innerText) >= 3", timeout=60_000)
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    screenshot("vae_collapsed")
    count = int(tab.locator(".kz-status b").first.inner_text())
    link = copied_link(tab, "beta=4")
    assert "first=1.5" in link

    other = page(link, width=390, dark=True)
    told(other, "Restored from the link.")
    assert int(other.locator(".kz-status b").first.inner_text()) == count
    assert float(other.get_by_label("number input for First number of the code").input_value()) == pytest.approx(1.5)
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("vae_phone_dark")


def test_the_ring_moves_by_keyboard(served, page):
    tab = page(served("vae_app"), dark=True)
    plane = tab.locator("#vae-planes svg").first
    plane.focus()

    def keys():
        for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
            tab.keyboard.press(key)

    changed(tab, "#vae-here img", "src", keys)
    tab.wait_for_function("() => document.querySelector('#vae-planes svg').dataset.second === '-0.5'")
    assert plane.get_attribute("data-first") == "1.2"
    assert tab.evaluate("document.activeElement.closest('#vae-planes') !== null"), "the focus stays"


def test_a_visitor_draws_a_digit_and_sees_its_way(served, page, screenshot):
    tab = page(served("vae_app"))
    tab.get_by_role("tab", name="Your digit").click()
    canvas = tab.locator("#pad canvas")
    canvas.wait_for()
    box = canvas.bounding_box()

    def stroke():
        tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
        tab.mouse.down()
        tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=6)
        tab.mouse.up()

    changed(tab, "#vae-through img", "src", stroke)
    before = tab.locator("#vae-way h3").first.inner_text()
    tab.locator("fieldset").filter(has_text="The way ends").get_by_label("5", exact=True).check()
    tab.wait_for_function("(a) => document.querySelector('#vae-way h3').innerText !== a", arg=before)
    changed(tab, "#vae-cost svg", "aria-label", lambda: tab.get_by_role("button", name="a house").click())
    screenshot("vae_house")

    tab = page(served("vae_app") + "/?to=7", width=390, dark=True)
    tab.locator("#vae-way h3", has_text="example 7").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("vae_digit_phone_dark")


def test_new_digits_are_drawn_and_shared(served, page, screenshot):
    tab = page(served("vae_app") + "/?noise=12&spread=1.5")
    tab.locator("#vae-new ul[aria-label='New digits, spread 1.5']").wait_for()
    changed(tab, "#vae-new img", "src", lambda: tab.get_by_role("button", name="Draw others").click())
    assert tab.get_by_label("Seed of the codes").input_value() == "13"
    screenshot("vae_new")


def test_the_presets_that_the_page_opens_with_ship():
    assert set(vae_app.PRESETS) <= set(kzoo.list_presets())
