"""The demo of the GAN: its images, its game in the plane, the code that it shows, and its page in a browser."""

import dataclasses
import os
import re
import xml.etree.ElementTree as ElementTree

import gan_app
import gan_markup
import gan_points as game
import gradio as gr
import kit
import numpy as np
import pytest

from .conftest import click_plane, copied_link, execute, told


@pytest.fixture(scope="module")
def model():
    """The shipped preset."""
    return kit.preset(gan_app.PRESETS[0])


def played(steps=3, **settings):
    run = game.PLAYER.trained(dataclasses.replace(game.Settings(), **settings), steps)
    assert run.count == steps
    return run


# --- images ----------------------------------------------------------------------------------------------------------


def test_all_classes_are_made_of_the_same_ten_codes_and_one_class_of_a_hundred(model):
    images, scores = gan_app.samples(model, gan_app.EVERY, 3)
    assert images.shape == (100, 28, 28, 1)
    assert scores.shape == (100,)
    np.testing.assert_allclose(images[40:50], model.decode(model.noise(10, 3), 4), rtol=0, atol=1e-5)
    sevens, _ = gan_app.samples(model, "7", 3)
    np.testing.assert_allclose(sevens, model.sample(100, 7, seed=3), rtol=0, atol=1e-5)
    np.testing.assert_allclose(sevens[:10], images[70:80], rtol=0, atol=1e-5)


def test_the_digits_are_those_that_were_asked_for(model):
    images, _ = gan_app.samples(model, gan_app.EVERY, 0)
    read = kit.preset("cnn_mnist").predict(images, verbose=0).argmax(axis=1)
    assert (read == np.repeat(np.arange(10), 10)).mean() > 0.9


def test_a_row_is_ordered_by_the_discriminators_score(model):
    images, scores = gan_app.samples(model, "3", 1)
    sorted_images, sorted_scores = gan_app.ordered(images, scores)
    assert (np.diff(sorted_scores.reshape(10, 10), axis=1) <= 0).all()
    np.testing.assert_allclose(np.sort(sorted_scores[:10]), np.sort(scores[:10]))
    np.testing.assert_array_equal(sorted_images[0], images[np.argmax(scores[:10])])


@pytest.mark.parametrize("way", gan_app.WAYS.values())
def test_a_way_begins_and_ends_at_its_codes_and_only_the_sphere_keeps_their_length(way):
    first, last = np.random.default_rng(0).standard_normal((2, 32))
    first, last = 5 * first / np.linalg.norm(first), 5 * last / np.linalg.norm(last)
    codes = gan_app.codes_between(first, last, [0, 0.25, 0.5, 1], way)
    np.testing.assert_allclose(codes[[0, 3]], [first, last], atol=1e-6)
    lengths = np.linalg.norm(codes, axis=1)
    if way == "sphere":
        np.testing.assert_allclose(lengths, 5, rtol=1e-5)
        # A quarter of the way is a quarter of the angle.
        angles = np.arccos(np.clip(codes @ first / lengths / 5, -1, 1))
        np.testing.assert_allclose(angles, [0, angles[3] / 4, angles[3] / 2, angles[3]], atol=1e-3)
    else:
        np.testing.assert_allclose(codes[2], (first + last) / 2, atol=1e-6)
        assert lengths[2] < 4
    np.testing.assert_allclose(gan_app.codes_between(first, first, [0.3], way)[0], first, atol=1e-6)


def test_a_walk_shows_each_class_on_the_way_and_at_the_place(model):
    images, here = gan_app.walk(model, 1, 2, "sphere", 100)
    assert images.shape == (100, 28, 28, 1)
    np.testing.assert_allclose(here, images[9::10], rtol=0, atol=1e-5)
    np.testing.assert_allclose(images[30], model.decode(model.noise(1, 1), 3)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("digit", "order"), [(gan_app.EVERY, "code"), ("5", "score")])
def test_the_shown_code_of_the_digits_gives_what_is_on_screen(digit, order, model):
    *_, text = gan_app.make(digit, 4, order)
    found = execute(text)
    images, scores = gan_app.samples(model, digit, 4)
    if order == "score":
        images, scores = gan_app.ordered(images, scores)
    np.testing.assert_allclose(found["images"], images, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found["scores"], scores, rtol=0, atol=1e-3)


@pytest.mark.parametrize("way", gan_app.WAYS.values())
def test_the_shown_code_of_the_walk_gives_what_is_on_screen(way, model):
    *_, text = gan_app.go(5, 6, way, 30)
    found = execute(text)
    images, here = gan_app.walk(model, 5, 6, way, 30)
    np.testing.assert_allclose(found["images"], images, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found["here"], here, rtol=0, atol=1e-4)


# --- the game --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"data": "ring", "penalty": "0"},
        {"data": "moons", "objective": "hinge", "noise": 0.2},
        {"data": "line", "objective": "wasserstein", "d_steps": 2, "g_rate": "0.001", "seed": 3},
        {"data": "own"},
        {"data": "one", "d_rate": "0.02"},
    ],
    ids=lambda settings: settings["data"],
)
def test_the_shown_code_of_the_game_gives_what_is_on_screen(settings):
    run = played(2, **settings)
    seen, found = game.look(run), execute(game.code(run))
    np.testing.assert_array_equal(found["real"], run.real)
    np.testing.assert_allclose(found["made"], seen.made, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["pulls"][: game.PULLED], seen.pulls, rtol=1e-2, atol=1e-4)
    assert found["scores"].shape == (64, 64)


def test_the_colour_and_the_arrows_say_what_the_discriminator_says():
    run = played(1)
    points = np.array([[1.9, 0.0], [0.0, 0.0], [-2.5, 2.5]], "float32")
    # Made a linear discriminator whose score rises to the right: there it is real, and there the made points go.
    weights = [0 * weight for weight in run.model.discriminator.get_weights()]
    weights[0][0, 0] = weights[2][0, 0] = weights[4][0, 0] = 1.0
    weights[1][0] = weights[3][0] = 10.0
    weights[5][0] = -20.0
    run.model.discriminator.set_weights(weights)
    np.testing.assert_allclose(run.model.scores(points), points[:, 0], atol=1e-5)
    seen = game.look(run)
    assert (np.diff(seen.field, axis=1) < 0).all(), "from orange at the left to blue at the right"
    np.testing.assert_allclose(seen.field[:, :32], -seen.field[:, :31:-1], atol=1e-6)
    np.testing.assert_allclose(seen.pulls[:, 1], 0, atol=1e-6)
    assert (seen.pulls[:, 0] > 0).all()


def test_a_cloud_is_reached_by_its_share_of_the_made_points():
    settings = game.Settings(noise=0.1)
    eight = game.clouds(settings)
    made = np.concatenate([np.repeat(eight[:3], 30, axis=0), [[0.0, 0.0]] * 9, eight[4:5]])
    assert game.reached(settings, made) == ((3, 8), 0.91), "one point of a hundred is no cloud"
    assert game.reached(game.Settings(data="moons"), made) == (None, None)
    assert game.reached(game.Settings(data="own", points=""), made) == (None, None)


@pytest.mark.parametrize("data", game.DATA.values())
def test_what_is_real_lies_in_the_plane_about_its_clouds(data):
    settings = game.Settings(data=data, noise=0.05)
    real = game.real_points(settings)
    assert real.shape == (game.SAMPLES, 2)
    assert real.dtype == np.float32
    assert np.abs(real).max() < game.REACH
    if (middles := game.clouds(settings)) is not None:
        away = np.linalg.norm(real[:, None] - middles, axis=2).min(axis=1)
        assert np.sqrt((away**2).mean() / 2) == pytest.approx(0.05, rel=0.15)
    np.testing.assert_array_equal(real, game.real_points(dataclasses.replace(settings, seed=5)))


@pytest.mark.skipif(not os.environ.get("KZOO_SLOW"), reason="4,000 steps of training: KZOO_SLOW=1 plays them")
def test_the_ring_collapses_without_the_penalty_and_not_with_it():
    found = {}
    for name in list(game.SCENES)[:2]:
        run = game.start(game.scene(name, game.Settings()))
        for _ in range(2000):
            game.advance(run)
            run.count += 1
        found[name], _ = game.look(run).reached
    collapse, cure = found.values()
    assert collapse <= 5
    assert cure >= 7


def test_losses_are_noted_once_a_picture_and_shown():
    run = played(4)
    status, plane, curves = game.PLAYER.draw(run, "a note")
    assert run.counts == [4]
    assert f"Losses by step, discriminator {run.discriminator[0]:.2f}, generator {run.generator[0]:.2f}" in curves
    assert "a note" in status
    game.PLAYER.draw(run)
    assert run.counts == [4]
    before = run.discriminator[0]
    game.PLAYER.step(run)
    game.PLAYER.draw(run)
    assert run.counts == [4, 5]
    assert run.discriminator[1] != before
    ElementTree.fromstring(plane[plane.index("</ul>") + 5 :])
    ElementTree.fromstring(curves)


def test_numbers_that_are_none_are_drawn_as_nothing_and_end_the_training():
    bad = np.full((5, 2), np.nan)
    plane = gan_markup.plane(np.full((64, 64), np.nan), 3, bad, bad, bad, label="nothing")
    assert "nan" not in plane.replace("image/png", "")[plane.index("</ul>") :].split("base64")[0]
    run = played(1)
    run.counts, run.discriminator, run.generator = [1], [np.nan], [1.0]
    assert "smaller learning rates" in game.finished(run)
    assert "nan" not in gan_markup.losses([1], [np.nan], [1.0], "hinge")


def test_arrows_can_be_left_out():
    run = played(1)
    _, with_arrows, _ = game.PLAYER.draw(run)
    run.view = False
    _, without, _ = game.PLAYER.draw(run)
    assert 'class="pull" stroke-width="1.2"' in with_arrows
    assert 'class="pull" stroke-width="1.2"' not in without


def test_wasserstein_always_has_a_penalty():
    values = dataclasses.asdict(game.Settings(objective="wasserstein", penalty="0")).values()
    assert game.check(list(values)).penalty == "0.1"
    assert game.train_client(objective="wasserstein", penalty="0", steps=1)["steps"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "star"}, "data: got 'star'; expected one of ring"),
        ({"noise": 9}, "noise: got 9; expected a number from 0.02 to 0.5"),
        ({"objective": "lsgan"}, "objective"),
        ({"penalty": "2"}, "penalty: got '2'; expected one of 0, 0.01"),
        ({"d_steps": 1.5}, "d_steps"),
        ({"seed": -1}, "seed"),
        ({"data": "own", "points": "1, 2\n1"}, "clouds, line 2: got '1'; expected x, y, both from -3 to 3"),
        ({"data": "own", "points": "0, 0\n" * 61}, "clouds: got 61; expected at most 60"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(change, words):
    with pytest.raises(gr.Error, match=re.escape(words)):
        game.check([{**dataclasses.asdict(game.Settings()), **change}[name] for name in game.FIELDS])


def test_a_game_without_clouds_says_what_to_do():
    run = game.start(game.Settings(data="own", points=""))
    assert "Place at least one cloud" in game.PLAYER.obstacle(run)
    game.PLAYER.draw(run)
    execute(game.code(run).split("with seeded")[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gan_app.make("11"), "Class: got '11'; expected one of all, 0"),
        (lambda: gan_app.make("1", 1.5), "Seed: got 1.5"),
        (lambda: gan_app.make("1", 1, "size"), "Order: got 'size'"),
        (lambda: gan_app.go(1, -1), "Seed of the last code: got -1"),
        (lambda: gan_app.go(way="curved"), "Way: got 'curved'"),
        (lambda: gan_app.go(place=101), "Place: got 101"),
    ],
)
def test_a_wrong_request_for_images_is_named(call, words):
    with pytest.raises(gr.Error, match=re.escape(words)):
        call()


# --- the page --------------------------------------------------------------------------------------------------------


def address(tab, part: str) -> str:
    return tab.locator(f"{part} img.kz-sheet").get_attribute("src")


def changed(tab, part: str, before: str) -> None:
    tab.wait_for_function(
        "([part, before]) => document.querySelector(`${part} img.kz-sheet`)?.src !== before", arg=[part, before]
    )


def test_digits_are_asked_for_by_class_and_seed_and_the_link_brings_them_back(served, page, screenshot):
    tab = page(served("gan_app"))
    tab.locator("#gan-digits img").wait_for()
    screenshot("gan_digits")
    before = address(tab, "#gan-digits")
    tab.get_by_label("7", exact=True).click()
    changed(tab, "#gan-digits", before)
    before = address(tab, "#gan-digits")
    tab.get_by_role("button", name="Draw others").click()
    changed(tab, "#gan-digits", before)
    assert tab.get_by_label("Seed of the codes").input_value() == "1"
    shown = address(tab, "#gan-digits")
    tab.get_by_text("Show the code").first.click()
    assert "model.sample(100, 7, seed=1)" in tab.locator(".cm-content").first.inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").first.click()
    assert download.value.suggested_filename == "gan_mnist.keras"
    other = page(copied_link(tab, "class=7"), width=390, dark=True)
    other.wait_for_function("(shown) => document.querySelector('#gan-digits img.kz-sheet')?.src === shown", arg=shown)
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("gan_phone_dark")


def test_a_walk_follows_its_slider(served, page, screenshot):
    tab = page(served("gan_app") + "/?start=3&end=4", dark=True)
    here = tab.locator("#gan-here img").first
    here.wait_for()  # the link opens the tab of what it asks for
    tab.get_by_text("code of seed 3").wait_for()
    before = here.get_attribute("src")
    tab.get_by_label("number input for Place on the way").fill("0")
    tab.keyboard.press("Tab")
    tab.wait_for_function("(before) => document.querySelector('#gan-here img').src !== before", arg=before)
    screenshot("gan_walk_dark")


def steps(tab) -> int:
    return int(tab.locator(".kz-status b").first.inner_text())


def test_a_game_is_played_paused_stepped_linked_and_reset(served, page, screenshot):
    tab = page(served("gan_app"))
    tab.get_by_role("tab", name="The game").click()
    tab.get_by_role("button", name="Mode collapse").click()
    told(tab, "Press Play.")
    tab.wait_for_function("[...document.querySelectorAll('input')].some(one => one.value === '0' && one.role)")
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("parseInt(document.querySelector('.kz-status b').innerText) >= 40", timeout=60_000)
    tab.get_by_role("button", name="Pause").click()
    told(tab, "Paused.")
    stopped = steps(tab)
    tab.get_by_role("button", name="Step").click()
    told(tab, "One step more")
    assert steps(tab) == stopped + 1
    screenshot("gan_game")
    tab.get_by_role("button", name="Copy link").last.click()
    box = tab.locator(".kz-link-box textarea, .kz-link-box input").last
    tab.wait_for_function(
        "[...document.querySelectorAll('.kz-link-box textarea, .kz-link-box input')].pop().value.includes('penalty=0')"
    )
    other = page(box.input_value(), width=390, dark=True)
    told(other, "Restored from the link.")  # it opens the tab of what it asks for
    assert steps(other) == stopped + 1
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("gan_game_phone_dark")
    tab.get_by_role("button", name="Reset", exact=True).click()
    told(tab, "Press Play.")
    assert steps(tab) == 0


def test_own_clouds_are_placed_by_a_click_and_by_keyboard(served, page):
    tab = page(served("gan_app"))
    tab.get_by_role("tab", name="The game").click()
    tab.get_by_label("own clouds").click()
    box = tab.get_by_label("The middle of each")
    box.wait_for()
    box.fill("0.5, 0.5")
    tab.get_by_role("button", name="Use the clouds").focus()
    tab.keyboard.press("Enter")
    tab.locator("#gan-plane .clickable").wait_for()
    click_plane(tab, "gan-plane", 0.25, 0.5)
    tab.wait_for_function("[...document.querySelectorAll('textarea')].some(one => one.value.includes('-1.5'))")
    x, y = (float(part) for part in box.input_value().splitlines()[-1].split(","))
    assert (x, y) == pytest.approx((-1.5, 0), abs=0.05)
    tab.get_by_text("of 2").wait_for()
