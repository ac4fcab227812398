"""Diffusion's demo: its walk against kzoo's sampler, the code that it shows, its markup, and the page in a browser."""

import dataclasses
import html
import json
import re

import numpy as np
import pytest

import kzoo

diffusion_app = pytest.importorskip("diffusion_app")
import diffusion_markup as markup  # noqa: E402
import diffusion_steps as steps  # noqa: E402
import digits  # noqa: E402
import gradio as gr  # noqa: E402
import pad  # noqa: E402
from diffusion_app import Settings  # noqa: E402

from kzoo.sampling.diffusion import denoising, sample  # noqa: E402

from .conftest import copied_link, execute  # noqa: E402

FIELDS = ("3", 2.0, "ddim", 25, 0)


@pytest.fixture(scope="module")
def model():
    """As the preset, but small; its weights are random, which makes an error of the arithmetic no smaller."""
    return kzoo.create_model(
        "diffusion", seed=0, input_shape=(28, 28, 1), num_classes=10, filters=(8,), patch=4, num_heads=2
    )


@pytest.fixture
def small(model, monkeypatch):
    """The app with the small model in the place of the preset's."""
    monkeypatch.setattr(diffusion_app, "_model", lambda: model)
    return diffusion_app


@pytest.fixture(scope="module")
def five():
    return digits.prepare(pad.decode(digits.example("5"))).image


# --- the walk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm_solver"])
def test_the_walk_is_that_of_the_sampler(model, sampler):
    settings = Settings("7", 3.0, sampler, 4, 5)
    moments = list(steps.sampled(model, settings))
    way = denoising(model, 3, 7, seed=5, sampler=sampler, steps=4, guidance_scale=3.0)
    np.testing.assert_allclose([moment.image for moment in moments], way.states, atol=2e-5)
    np.testing.assert_allclose([moment.guess for moment in moments], way.guesses, atol=2e-5)
    assert [int(moment.timestep[0]) for moment in moments] == way.timesteps.tolist()
    np.testing.assert_array_equal(moments[0].x, model.noise(3, 5))
    np.testing.assert_array_equal(moments[1].x, moments[0].image)


def test_images_alike_are_those_that_each_would_be_by_itself(model):
    samplers, guidance = ["ddpm", "ddim", "dpm_solver"], [0, 1, 4.5]
    found, seconds = steps.alike(model, Settings("2", seed=8), guidance, samplers, 3)
    assert seconds > 0
    for image, sampler, scale in zip(found, samplers, guidance, strict=True):
        alone = sample(model, 1, 2, seed=8, sampler=sampler, steps=3, guidance_scale=scale)
        np.testing.assert_allclose(image, alone[0, ..., 0], atol=2e-5, err_msg=sampler)


def test_a_drawing_drowns_by_the_closed_form(model, five):
    noisy, untold, told = steps.drowned(model, five, 3, 4)
    assert noisy.shape == untold.shape == told.shape == (len(steps.NOISED), 28, 28)
    noise = model.noise(1, 4)[0, ..., 0]
    for k in (0, 5, 11):
        t = steps.NOISED[k]
        signal = np.cos(np.pi / 2 * ((t + 1) / 1000 + 0.008) / 1.008) ** 2 / np.cos(np.pi / 2 * 0.008 / 1.008) ** 2
        if k < 11:  # the very last beta is capped
            x = np.sqrt(signal) * (2 * five - 1) + np.sqrt(1 - signal) * noise
            np.testing.assert_allclose(noisy[k], np.clip((x + 1) / 2, 0, 1), atol=1e-5)
    assert np.abs(noisy[0] - five).mean() < 0.05 < 0.2 < np.abs(noisy[-1] - five).mean()
    # The same network, asked of another class, says something else.
    other = steps.drowned(model, five, 8, 4)
    np.testing.assert_array_equal(untold, other[1])
    assert np.abs(told - other[2]).max() > 1e-4


def test_a_page_without_the_classifier_reads_nothing(monkeypatch):
    monkeypatch.setattr(steps, "_classifier", lambda: None)
    assert steps.read_images(np.zeros((3, 28, 28))) == ["", "", ""]


def test_the_classifier_reads_digits():
    images = [digits.prepare(pad.decode(digits.example(name))).image for name in "048"]
    assert steps.read_images(np.stack(images)) == ["reads 0", "reads 4", "reads 8"]


# --- what is shown -------------------------------------------------------------------------------------------------


def test_the_code_gives_what_is_on_screen(small, model, five, monkeypatch):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    monkeypatch.setattr(small, "STEP_COUNTS", (2,))
    monkeypatch.setattr(small, "GUIDANCE", (0, 1, 3))
    settings = Settings("6", 2.5, "dpm_solver", 3, 9)
    text = small.code(settings, five)
    assert max(map(len, text.splitlines())) <= 120
    names = execute(text)
    moments = list(steps.sampled(model, settings))
    np.testing.assert_allclose(names["way"].states, [moment.image for moment in moments], atol=2e-5)
    assert names["figure"] is not None
    led, _ = steps.alike(model, settings, (0, 1, 3), 3 * ["dpm_solver"], 3)
    np.testing.assert_allclose([names["led"][scale][..., 0] for scale in (0, 1, 3)], led, atol=2e-5)
    table, _ = steps.alike(model, settings, 3 * [2.5], list(small.SAMPLERS.values()), 2)
    found = [names["table"][sampler, 2][..., 0] for sampler in small.SAMPLERS.values()]
    np.testing.assert_allclose(found, table, atol=2e-5)
    np.testing.assert_array_equal(names["drawing"], five)
    noisy, untold, told = steps.drowned(model, five, 6, 9)
    np.testing.assert_allclose(np.clip((names["noisy"][..., 0] + 1) / 2, 0, 1), noisy, atol=1e-6)
    np.testing.assert_allclose(names["seen"][10][..., 0], untold, atol=2e-5)
    np.testing.assert_allclose(names["seen"][6][..., 0], told, atol=2e-5)


def test_a_single_step_can_be_shown_too(small, model, five, monkeypatch):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    monkeypatch.setattr(small, "STEP_COUNTS", (1,))
    monkeypatch.setattr(small, "GUIDANCE", (1,))
    settings = Settings(steps=1)
    names = execute(small.code(settings, five))
    assert names["figure"] is None
    moments = list(steps.sampled(model, settings))
    assert json.loads(html.unescape(re.search('data-words="([^"]*)"', small.film(model, moments))[1]))[0].startswith(
        "Timestep 999, before step 1 of 1"
    )


def test_a_film_has_a_line_and_a_frame_for_each_moment(small, model):
    moments = list(steps.sampled(model, Settings(steps=4)))
    text = small.film(model, moments, fresh=True)
    words = json.loads(html.unescape(re.search('data-words="([^"]*)"', text)[1]))
    assert len(words) == 5
    assert words[0].startswith("Timestep 999, before step 1 of 4: 0.00 of an image and 1.00 of noise.")
    assert words[-1].startswith("After step 4 of 4")
    assert 'max="4"' in text
    assert len(re.findall(r"background-image:url\(data:image/png", text)) == 6 + 5, "six pictures, and the strip"
    assert 'data-made="fresh' in text
    assert small.film(model, moments).count('data-made="still') == 1


def test_the_frames_of_a_sheet_stand_in_the_order_of_time():
    import base64
    import io

    from PIL import Image

    row = np.linspace(0, 1, 4)[None, :, None, None] * np.ones((1, 4, 2, 2))
    text = markup.film_html({"<b>": row}, list("abcd"), slider="t", ends=("0", "1"), at=1)
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    sheet = re.search(r"url\(data:image/png;base64,([^)]*)\)", text)[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet))).convert("L"))
    assert pixels.shape == (2, 8)
    assert pixels[0, ::2].tolist() == [0, 85, 170, 255]


def test_tables_hold_an_image_a_cell(small, model):
    settings = Settings(steps=2)
    assert small.guidance_html(model, settings).count("<img") == len(small.GUIDANCE)
    text = small.samplers_html(model, settings)
    assert text.count("<img") == len(small.SAMPLERS) * len(small.STEP_COUNTS)
    assert all(f"{count} steps" in text for count in small.STEP_COUNTS)


# --- what is sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": "10"}, "class: got"),
        ({"label": 3}, "class: got 3"),
        ({"guidance": -1}, "guidance: got -1; expected a number from 0 to 8"),
        ({"guidance": float("nan")}, "guidance: got nan"),
        ({"sampler": "euler"}, "sampler: got"),
        ({"steps": 51}, "steps: got 51; expected a whole number from 1 to 50"),
        ({"steps": 2.5}, "steps: got 2.5"),
        ({"seed": True}, "seed: got True"),
    ],
)
def test_a_wrong_value_gets_one_clear_line(change, says):
    values = {**dict(zip([field.name for field in dataclasses.fields(Settings)], FIELDS, strict=True)), **change}
    for handler in (lambda v: next(diffusion_app.make("", *v)), lambda v: diffusion_app.drown("", *v)):
        with pytest.raises(gr.Error) as error:
            handler(values.values())
        assert says in error.value.message
        assert "\n" not in error.value.message


def test_a_wrong_drawing_gets_one_clear_line():
    with pytest.raises(gr.Error, match="drawing is of type list"):
        diffusion_app.drown(["x"], *FIELDS)
    with pytest.raises(gr.Error, match="Example: got"):
        diffusion_app.choose_example("../x")


def test_images_are_made_while_the_page_is_told_of_it(small, model):
    *_, (said, film, deep, code) = small.make("", "1", 1, "ddim", 3, 0)
    assert "<b>3</b> times the network was asked" in said
    assert "fresh" in film
    assert "told" in deep
    assert "label, seed = 1, 0" in code


def test_a_link_to_the_opening_computes_nothing(small):
    assert [part["__type__"] for part in next(small.arrive(small.FIRST, *FIELDS))] == 4 * ["update"]


def test_a_client_gets_numbers_and_the_code_that_gives_the_same(small, model):
    answer = small.sample_client("4", 2.0, "ddim", 2, 1)
    expected = sample(model, 3, 4, seed=1, steps=2, guidance_scale=2.0)
    np.testing.assert_allclose(answer["images"], expected[..., 0], atol=1e-3)
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="steps: got 0"):
        small.sample_client(steps=0)


# --- in a browser --------------------------------------------------------------------------------------------------


def words(tab, film: str = "diffusion-way"):
    return tab.locator(f"#{film} .words")


def test_the_page_makes_images_and_the_slider_goes_through_them(served, page, screenshot):
    from playwright.sync_api import expect

    tab = page(served("diffusion_app"))
    tab.locator("#diffusion-grid table").wait_for(timeout=90_000)
    screenshot("diffusion_open")
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.locator("#diffusion-way input").focus()
    tab.keyboard.press("Home")
    expect(words(tab)).to_contain_text("Timestep 999, before step 1 of 25: 0.00 of an image")
    tab.keyboard.press("End")
    expect(words(tab)).to_contain_text("After step 25 of 25")
    tab.locator("#diffusion-way [data-frame]").nth(1).click()
    expect(words(tab)).to_contain_text("Timestep 919, before step 3 of 25")
    assert not asked, "the browser has all moments already"
    tab.get_by_label("8", exact=True).first.check()
    tab.get_by_label("Steps").first.fill("4")
    tab.get_by_role("button", name="Make images").click()
    expect(words(tab)).to_contain_text("After step 4 of 4", timeout=60_000)  # the film has played by itself
    tab.get_by_role("button", name="Compare guidance").click()
    tab.locator("#diffusion-led table[aria-label^='Digit 8']").wait_for(timeout=60_000)
    tab.get_by_text("Show the code").click()
    assert "diffusion_mnist" in tab.locator(".cm-content").inner_text()
    screenshot("diffusion_made")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "diffusion_mnist.keras"


def test_a_drawing_drowns_and_a_link_brings_all_back_on_a_phone(served, page, screenshot):
    from playwright.sync_api import expect

    tab = page(served("diffusion_app"))
    tab.locator("#diffusion-grid table").wait_for(timeout=90_000)
    before = tab.locator("#diffusion-deep .kz-film").get_attribute("data-made")
    tab.get_by_role("button", name="Clear").click()
    tab.wait_for_function(
        "(before) => document.querySelector('#diffusion-deep .kz-film').dataset.made !== before", arg=before
    )
    tab.locator("#diffusion-deep input").focus()
    tab.keyboard.press("Home")
    expect(words(tab, "diffusion-deep")).to_contain_text("Timestep 0: 1.00 of the drawing")
    tab.get_by_label("7", exact=True).first.check()
    tab.get_by_label("Steps").first.fill("2")
    other = page(copied_link(tab, "digit=7"), width=390, dark=True)
    expect(words(other)).to_contain_text("After step 2 of 2", timeout=60_000)
    other.locator("#diffusion-led table[aria-label^='Digit 7']").wait_for(timeout=60_000)
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("diffusion_phone_dark")
