"""The demo of the transformer: its functions against the model, the code that it shows, and its page in a browser."""

import base64
import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import gradio as gr
import keras
import numpy as np
import pytest
import transformer_app
import transformer_markup
import writing

import kzoo
from kzoo.ops.sampling import choose_token

from .conftest import copied_link, execute

TEXT = "ROMEO:\nWhat, is it day? I know not where the light of morning goes, my lord, nor why."


@pytest.fixture(scope="module")
def model():
    return transformer_app._model()


def seen_at(place, view=("2", "3"), **values):
    return writing.Seen(writing.Settings(**values), TEXT, 7, place, view)


def tokens_of(text):
    return np.array([[writing.CHARACTERS.index(character) for character in text]], "int32")


# --- what the model computes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TEXT[:1], TEXT[:40], TEXT[:64]], ids=len)
def test_what_is_inside_is_what_the_model_says_of_the_text_alone(model, text):
    maps, lens = transformer_app.inside(model, text)
    count = len(text)
    assert maps.shape == (model.num_layers, model.num_heads, count, count)
    assert lens.shape == (model.num_layers + 1, count, len(writing.CHARACTERS))
    # Read by another route, the cache, which holds no more than the text.
    logits, _ = model.stream(keras.ops.convert_to_tensor(tokens_of(text)), model.initial_state(1))
    np.testing.assert_allclose(lens[-1], keras.ops.convert_to_numpy(logits)[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(maps.sum(axis=-1), 1, atol=1e-5)
    assert np.abs(np.triu(maps, 1)).max() == 0, "nobody sees what comes later"


def test_the_window_ends_at_the_place_or_begins_with_the_text(model):
    most = model.context_length
    for length, place, wanted in (
        (500, 0, (0, most)),
        (500, most - 1, (0, most)),
        (500, most, (1, most + 1)),
        (500, 499, (500 - most, 500)),
        (10, 3, (0, 10)),
    ):
        assert transformer_app.window(model, length, place) == wanted


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1, 65, 1), (0.5, 65, 1), (1.7, 6, 1), (1, 65, 0.8), (0.8, 20, 0.6), (1, 1, 1)]
)
def test_the_chances_are_those_with_which_the_sampler_draws(temperature, top_k, top_p):
    """The sampler's own choices, for numbers spread evenly over [0, 1)."""
    logits = np.random.default_rng(2).normal(0, 2, 65).astype("float32")
    draws = 20_000
    uniform = ((np.arange(draws) + 0.5) / draws).astype("float32")
    tokens = choose_token(
        keras.ops.convert_to_tensor(np.repeat(logits[None], draws, axis=0)),
        keras.ops.convert_to_tensor(uniform),
        temperature,
        None if top_k == 65 else top_k,
        None if top_p == 1 else top_p,
    )
    shares = np.bincount(keras.ops.convert_to_numpy(tokens), minlength=65) / draws
    found = transformer_app.chances(logits, temperature, top_k, top_p)
    np.testing.assert_allclose(found, shares, atol=1.5 / draws)
    assert found.sum() == pytest.approx(1)


def test_without_temperature_only_the_likeliest_is_drawn():
    logits = np.array([0.5, 2.0, 1.9])
    np.testing.assert_array_equal(transformer_app.chances(logits, 0, 3, 1), [0, 1, 0])


def test_the_cache_is_as_large_as_the_page_says_and_the_weights_are_counted(model):
    read = 17
    cost = transformer_app.cost(model, read)
    _, caches = model.initial_state(1, read)
    assert cost["bytes"] == sum(4 * int(np.prod(part.shape)) for pair in caches for part in pair)
    width, layers = model.hidden_dim, model.num_layers
    blocks = 12 * width**2 * layers  # Kaplan et al. 2020, arXiv:2001.08361, table 1, halved: multiplications alone
    assert cost["cached"] == blocks + width * 65 + 2 * layers * width * read
    assert cost["anew"] == blocks * read + width * 65 + 2 * layers * width * read**2
    first = transformer_app.cost(model, 1)
    assert first["cached"] == first["anew"], "with one character there is nothing to save"


# --- what is seen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seen",
    [
        seen_at(40, temperature=0.7, top_k=12, top_p=0.85),
        seen_at(80, ("all", "2")),
        seen_at(84, ("all", "all"), temperature=0),
    ],
    ids=lambda seen: str(seen.place),
)
def test_the_shown_code_gives_what_is_on_screen(seen, model, monkeypatch):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    monkeypatch.setattr(kzoo.sampling, "generate", lambda model, prompt, **knobs: TEXT[len(prompt) :])
    names = execute(transformer_app.code(seen))
    assert names["text"] == TEXT
    first, beyond = transformer_app.window(model, len(TEXT), seen.place)
    maps, lens = transformer_app.inside(model, TEXT[first:beyond])
    row = seen.place - first
    np.testing.assert_allclose(names["guesses"], transformer_app.softmax(lens[:, row]), rtol=1e-5)
    knobs = seen.settings.temperature, seen.settings.top_k, seen.settings.top_p
    np.testing.assert_allclose(names["chances"], transformer_app.chances(lens[-1, row], *knobs), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(names["shares"], transformer_markup.merged(maps, seen.view)[row, : row + 1], rtol=1e-5)


def test_the_text_on_screen_is_the_one_that_the_code_writes(model, monkeypatch):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    settings = writing.Settings(length=30, seed=4)
    text, _ = writing.whole(model, settings)
    code = transformer_app.code(writing.Seen(settings, text, 7, 36, ("all", "all")))
    assert execute(code)["text"] == text


def test_pictures_are_well_formed_and_say_what_they_show(model):
    for place in (0, 40, len(TEXT) - 1):
        for text in transformer_app.look(seen_at(place)):
            ElementTree.fromstring(text)
            assert "nan" not in re.sub(r"base64,[^\"']*", "", text), "but for the letters of a picture"
    text, following, lens, looks, costs = transformer_app.look(seen_at(40))
    assert text.count("<i") == len(TEXT)
    assert following.count("came next") == 1
    assert following.count("<li>") == 10
    assert lens.count("<tr>") == model.num_layers + 1
    assert looks.count("<img") == model.num_layers * model.num_heads
    assert 'aria-label="Layer 2, head 3"' in looks
    assert looks.count('aria-pressed="true"') == 1
    assert "after 41 characters" in costs
    assert "came next" not in transformer_app.look(seen_at(len(TEXT) - 1))[1], "nothing has come yet"


def test_what_is_tinted_is_where_the_framed_letter_looks(model):
    first, last = 17, 16 + model.context_length
    text = TEXT * 2
    maps, _ = transformer_app.inside(model, text[first : last + 1])
    weights = maps[1, 2, -1]
    marks = re.findall(r"<i([^>]*)>", transformer_app.look(dataclasses.replace(seen_at(last), text=text))[0])
    for place, mark in enumerate(marks):
        found = re.search(r"--s:([\d.e-]+)", mark)
        shade = float(found[1]) if found else 0
        wanted = weights[place - first] / weights.max() if first <= place <= last else 0
        assert shade == pytest.approx(wanted, abs=0.006), place
        assert ("far" in mark) == (not first <= place <= last)
    assert "chosen" in marks[last]


def test_a_scripts_bytes_are_the_square_roots_of_the_shares(model):
    maps, _ = transformer_app.inside(model, TEXT[:64])
    code = base64.b64decode(transformer_markup.coded(maps[0, 0]))
    found = np.square(np.frombuffer(code, "uint8").reshape(64, 64) / 255)
    np.testing.assert_allclose(found, maps[0, 0], atol=1 / 255)


def test_a_map_is_the_heads_own_or_the_mean_of_those_that_are_chosen():
    maps = np.random.default_rng(0).random((4, 3, 5, 5))
    merged = transformer_markup.merged
    np.testing.assert_array_equal(merged(maps, ("2", "3")), maps[1, 2])
    np.testing.assert_allclose(merged(maps, ("all", "3")), maps[:, 2].mean(axis=0))
    np.testing.assert_allclose(merged(maps, ("4", "all")), maps[3].mean(axis=0))
    np.testing.assert_allclose(merged(maps, ("all", "all")), maps.mean(axis=(0, 1)))


@pytest.mark.parametrize("view", [("5", "1"), ("1", 1), (None, "all"), ("all", ["1"])])
def test_a_view_that_is_not_allowed_is_refused(view):
    with pytest.raises(gr.Error, match=r"(layer|head): got"):
        transformer_app.check_view(view)


def test_the_choices_are_the_models_own(model):
    assert len(transformer_app.LAYERS) == model.num_layers + 1
    assert len(transformer_app.HEADS) == model.num_heads + 1
    assert model.vocabulary == writing.CHARACTERS
    for prompt in transformer_app.EXAMPLES.values():
        assert len(prompt) <= writing.LONGEST
        assert set(prompt) <= set(model.vocabulary)


def test_a_client_gets_a_text_and_the_code_that_gives_the_same():
    answer = transformer_app.write_client(prompt="JULIET:\n", length=12)
    assert answer["text"].startswith("JULIET:\n")
    assert len(answer["text"]) == 8 + 12
    assert len(answer["layers"]) == 5
    assert 0 < sum(answer["next"].values()) <= 1 + 1e-9
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="length: got 1000000"):
        transformer_app.write_client(length=1_000_000)


def test_what_comes_after_a_letter_changes_nothing_that_is_said_of_it(model):
    short, whole = dataclasses.replace(seen_at(30), text=TEXT[:32]), seen_at(30)
    assert transformer_app.look(short)[1:3] == transformer_app.look(whole)[1:3]


# --- in a browser --------------------------------------------------------------------------------------------------


def ready(tab) -> None:
    """Waits until there is a text to look into."""
    tab.locator(".kz-text[data-place]").wait_for()
    tab.locator(".kz-map").wait_for()


def chosen(tab, place: int) -> None:
    """Waits until the letter at a place is framed."""
    tab.wait_for_function(
        "place => [...document.querySelectorAll('.kz-text i')].findIndex(one => one.matches('.chosen')) === place",
        arg=place,
    )


def test_the_page_writes_stops_and_looks_into_a_letter(served, page, screenshot):
    tab = page(served("transformer_app"))
    ready(tab)
    screenshot("transformer_open")
    tab.locator(".kz-text i").nth(100).click()
    chosen(tab, 100)
    tab.get_by_role("button", name="Layer 2, head 3").click()
    tab.locator(".kz-map .kz-title", has_text="Layer 2, head 3").wait_for()
    assert tab.get_by_role("radio", checked=True).evaluate_all("all => all.map(one => one.value)") == ["2", "3"]
    row = tab.locator(".kz-text i").nth(90)
    row.hover()
    assert "--s" in (tab.locator(".kz-text i").nth(60).get_attribute("style") or ""), "where that letter looks"
    tab.get_by_role("spinbutton", name="Length").fill("500")
    tab.get_by_role("button", name="Write").click()
    tab.locator(".kz-status em", has_text="Writing").wait_for()
    tab.get_by_role("button", name="Stop").click()
    tab.locator(".kz-text[data-place]").wait_for()  # stopped, or done: a fast machine is done before the click
    written = int(tab.locator(".kz-status b").first.inner_text())
    ready(tab)
    assert tab.locator(".kz-text i").count() == len("ROMEO:\n") + written
    tab.get_by_text("Show the code").click()
    assert "from kzoo.sampling import codec, generate" in tab.locator(".cm-content").inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "transformer.keras"


def test_a_link_brings_text_letter_and_head_back(served, page, screenshot):
    tab = page(served("transformer_app"))
    ready(tab)
    tab.get_by_role("spinbutton", name="Length").fill("40")
    tab.get_by_role("button", name="A question").click()
    prompt = transformer_app.EXAMPLES["A question"]
    tab.wait_for_function(
        "count => document.querySelectorAll('.kz-text[data-place] i').length === count", arg=len(prompt) + 40
    )
    tab.locator(".kz-text i").nth(33).click()
    chosen(tab, 33)
    tab.get_by_role("button", name="Layer 1, head 4").click()
    tab.locator(".kz-map .kz-title", has_text="Layer 1, head 4").wait_for()
    other = page(copied_link(tab, "head=4"), width=390, height=844, dark=True, touch=True)
    chosen(other, 33)
    assert other.locator(".kz-text").inner_text() == tab.locator(".kz-text").inner_text()
    assert other.locator(".kz-map .kz-title").inner_text() == "Layer 1, head 4"
    assert other.locator("#transformer-prompt textarea").input_value() == prompt
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("transformer_phone_dark")


def test_the_main_path_works_by_keyboard_alone(served, page):
    tab = page(served("transformer_app"))
    ready(tab)
    tab.locator(".kz-text").focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    chosen(tab, 43)
    tab.wait_for_function("document.activeElement.matches('.kz-text')")
    tab.keyboard.press("ArrowLeft")
    chosen(tab, 42)
    tab.get_by_role("button", name="Layer 3, head 1").focus()
    tab.keyboard.press("Enter")
    tab.locator(".kz-map .kz-title", has_text="Layer 3, head 1").wait_for()
    tab.wait_for_function("document.activeElement.getAttribute('aria-label') === 'Layer 3, head 1'")
    tab.get_by_role("spinbutton", name="Length").fill("20")
    tab.get_by_role("button", name="Write").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelectorAll('.kz-text[data-place] i').length === 27")


def test_a_letter_that_the_model_does_not_know_gets_one_line(served, page):
    tab = page(served("transformer_app"))
    ready(tab)
    tab.locator("#transformer-prompt textarea").fill("Grüße")
    tab.get_by_role("button", name="Write").click()
    tab.locator(".kz-status em", has_text="The model has no token for").wait_for()
    assert tab.get_by_text("Error", exact=True).count() == 0
