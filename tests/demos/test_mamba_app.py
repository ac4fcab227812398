"""The demo of Mamba: its functions beside the model's own numbers, the code that it shows, its page in a browser."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import gradio as gr
import keras
import mamba_app
import mamba_measure
import numpy as np
import pytest
import writing
from keras import ops
from writing import Seen, Settings

import kzoo
from kzoo.sampling import codec

from .conftest import copied_link, execute

TEXT = "ROMEO:\nO, she doth teach the torches to burn bright!"
SEEN = Seen(Settings(prompt=TEXT, length=0), TEXT, len(TEXT), 30, (3, 17, "written"))


@pytest.fixture(scope="module")
def model():
    return writing.model(mamba_app.PRESETS[0])


@pytest.fixture(scope="module")
def layers(model):
    return mamba_app.read(model, TEXT)


def close(found, wanted, share=1e-4):
    """Whether two arrays differ by less than this share of the largest number: an untrained state is small."""
    wanted = np.asarray(wanted, float)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max())


def tokens(model, text=TEXT):
    return np.array([codec(model).encode(text)], "int32")


def test_what_is_filled_in_behind_a_text_changes_nothing_in_it(model, layers):
    own = model.trace(tokens(model))
    assert len(layers) == len(own) == mamba_app.LAYERS
    for layer, found in zip(layers, own.values(), strict=True):
        for name in ("inputs", "delta", "B", "C"):
            close(getattr(layer, name), found[name][0])
        assert layer.delta.shape == (len(TEXT), mamba_app.CHANNELS)


@pytest.mark.parametrize("place", [0, 1, 30])
def test_the_state_is_the_one_that_the_model_goes_on_from(model, layers, place):
    _, states = model.stream(tokens(model)[:, : place + 1], model.initial_state(1))
    for layer, (_, state) in zip(layers, states, strict=True):
        close(mamba_app.state_after(layer, place), ops.convert_to_numpy(state)[0])


@pytest.mark.parametrize(("number", "channel"), [(1, 0), (3, 17), (7, 255)])
def test_the_map_is_the_models_implied_attention_and_the_text_has_a_row_of_it(model, layers, number, channel):
    own = model.implied_attention(tokens(model), number, channel)[0]
    layer = layers[number - 1]
    close(mamba_app.implied_attention(layer, channel, 0, len(TEXT)), own)
    close(mamba_app.implied_attention(layer, channel, 9, 40), own[9:40, 9:40])
    close(mamba_app.used(layer, channel, 30), own[30, :31])


def test_the_map_times_the_inputs_is_the_state_read_out(layers):
    """y = M u = C h: two routes to what one channel puts out."""
    layer = layers[2]
    y = mamba_app.implied_attention(layer, 17, 0, len(TEXT)) @ layer.inputs[:, 17]
    read_out = [mamba_app.state_after(layer, place)[17] @ layer.C[place] for place in range(len(TEXT))]
    close(y, read_out)


@pytest.mark.parametrize(
    ("length", "place", "seen"), [(10, 3, (0, 10)), (200, 5, (0, 48)), (200, 47, (0, 48)), (200, 199, (152, 200))]
)
def test_the_window_of_the_map_ends_at_the_place_or_begins_the_text(length, place, seen):
    assert mamba_app.window(length, place) == seen
    assert seen[0] <= place < seen[1]


@pytest.mark.parametrize("shade", ["written", "used"])
def test_the_darkest_letter_is_the_one_that_is_written_or_used_most(layers, shade):
    seen = dataclasses.replace(SEEN, view=(3, 17, shade))
    text = mamba_app.look(seen)[0]
    letters = re.findall(r"<i([^>]*)>", text)
    assert len(letters) == len(TEXT)
    shades = [float(found.group(1)) if (found := re.search(r"--s:([\d.e-]+)", kinds)) else 0 for kinds in letters]
    layer = layers[2]
    values = layer.delta.mean(axis=1) if shade == "written" else np.abs(mamba_app.used(layer, 17, 30))
    assert int(np.argmax(shades)) == int(np.argmax(values))
    assert max(shades) == pytest.approx(1)
    if shade == "used":
        assert not any(shades[31:]), "nothing comes from later letters"


def test_the_shown_code_gives_what_is_on_screen(model, layers, monkeypatch):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    names = execute(mamba_app.code(SEEN))
    assert names["text"] == TEXT
    close(names["delta"], [layer.delta.mean(axis=1) for layer in layers])
    close(names["state"], mamba_app.state_after(layers[2], 30))
    first, beyond = mamba_app.window(len(TEXT), 30)
    close(names["matrix"], mamba_app.implied_attention(layers[2], 17, first, beyond))
    assert names["difference"] < 1e-4


def test_the_code_of_a_written_text_writes_it(model, monkeypatch):
    settings = Settings(prompt="O", length=3, seed=2)
    text, _ = writing.whole(model, settings)
    seen = Seen(settings, text, 1, 2, (1, 0, "used"))
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    assert execute(mamba_app.code(seen))["text"] == text
    assert len(text) == 4


def test_scan_and_step_give_the_same_numbers_and_a_difference_would_be_seen(model):
    found = mamba_measure.read_both_ways(model, tokens(model)[0])
    assert found.count == len(TEXT)
    assert found.difference < 1e-4 < found.reach
    assert found.scan > 0
    assert found.step > 0
    scan, step = mamba_measure._readers(model)
    filled = np.zeros((1, mamba_measure.CHECKED), "int32")
    filled[:, : len(TEXT)] = tokens(model)
    other = filled.copy()
    other[0, 20] = 1 - other[0, 20] if other[0, 20] < 2 else 0
    a, b = (ops.convert_to_numpy(read) for read in (scan(filled), step(other, np.int32(len(TEXT)))))
    gaps = np.abs(a - b).max(axis=1)
    assert gaps[:20].max() < 1e-4 < gaps[20], "one letter is another, and is heard of from there on"


def test_a_long_text_is_read_both_ways_as_far_as_it_goes(monkeypatch):
    monkeypatch.setattr(mamba_measure, "CHECKED", 8)
    small = kzoo.create_model("mamba", seed=0, num_outputs=5, vocabulary=5, hidden_dim=8, num_layers=1)
    found = mamba_measure.read_both_ways(small, np.arange(20) % 5)
    assert found.count == 8
    assert found.difference < 1e-5


def test_sizes_are_those_of_real_states(model):
    def bytes_of(state):
        return sum(ops.convert_to_numpy(part).nbytes for part in keras.tree.flatten(state))

    other = mamba_measure.transformer()
    for length in (1, 300):
        assert round(1000 * mamba_measure.kilobytes(model, length)) == bytes_of(model.initial_state(1))
        assert round(1000 * mamba_measure.kilobytes(other, length)) == bytes_of(other.initial_state(1, length))
    assert 0.8 < other.count_params() / model.count_params() < 1.2, "as the caption says: about as many weights"


def test_the_race_tells_of_each_length_and_ends_in_time(model, monkeypatch):
    monkeypatch.setattr(mamba_measure, "LENGTHS", (8, 16))
    told = list(mamba_measure.race(model, bound=600))
    assert [lengths for lengths, _ in told] == [(8,), (8, 16)]
    assert all(len(times) == 2 and min(times) > 0 for times in told[-1][1].values())
    assert list(mamba_measure.race(model, bound=-1)) == []


def test_pictures_are_well_formed_and_say_what_they_show():
    text, said, *pictures = mamba_app.look(SEEN)
    assert "character 31, layer 3" in said
    for picture in pictures:
        assert ElementTree.fromstring(picture).get("aria-label")
    layers, state, matrix = pictures
    assert 'data-across="place,0,52" data-down="layer,1,7"' in layers
    assert 'data-across="channel,0,256"' in state
    assert 'data-down="place,0,48"' in matrix
    assert len(re.findall(r'<i class="[^"]*\bchosen\b', text)) == 1
    for picture in (mamba_app.memory_svg(), mamba_app.time_svg(), mamba_app.time_svg((64, 256), _times())):
        ElementTree.fromstring(picture)


def _times():
    return {"mamba": [2.0, 2.0], "transformer": [1.0, 10.0]}


def test_on_logarithmic_axes_ten_times_as_much_is_one_line_higher():
    text = mamba_app.time_svg((64, 256), _times())
    lines = {kind: spots.split() for kind, spots in re.findall(r'<polyline class="(\w+)" points="([^"]+)"', text)}
    (_, low), (_, high) = (map(float, spot.split(",")) for spot in lines["transformer"])
    (x, flat), (y, still) = (map(float, spot.split(",")) for spot in lines["mamba"])
    grid = [float(y) for y in re.findall(r'class="grid" x1="[\d.]+" y1="([\d.]+)"', text)]
    assert flat == still
    assert x < y
    assert low - high == pytest.approx(grid[0] - grid[1], abs=0.2)
    assert high < flat < low, "more is higher"


def test_the_same_pictures_come_of_a_text_of_one_letter_and_of_the_longest():
    for text in ("\n", "x" * (writing.LONGEST + writing.MOST)):
        seen = Seen(Settings(prompt="\n", length=0), text, 1, len(text) - 1, (7, 255, "used"))
        for picture in mamba_app.look(seen)[2:]:
            assert "nan" not in picture
            ElementTree.fromstring(picture)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ((0, 0, "used"), "layer: got 0; expected a whole number from 1 to 7"),
        ((1.5, 0, "used"), "layer: got 1.5"),
        ((1, 256, "used"), "channel: got 256; expected a whole number from 0 to 255"),
        ((1, True, "used"), "channel: got True"),
        ((1, None, "used"), "channel: got None"),
        ((1, 0, ["used"]), "shade: got"),
    ],
)
def test_a_view_that_is_not_allowed_gets_one_clear_line(view, says):
    with pytest.raises(gr.Error) as error:
        mamba_app.check_view(view)
    assert says in error.value.message


def test_a_client_gets_numbers_and_the_code_that_gives_the_same(layers):
    answer = mamba_app.read_client(TEXT, 3, 17)
    np.testing.assert_allclose(answer["delta"], layers[2].delta.mean(axis=1), rtol=1e-5)
    assert len(answer["used"]) == len(TEXT)
    compile(answer["code"], "pasted", "exec")
    with pytest.raises(gr.Error, match="text: got nothing"):
        mamba_app.read_client("")
    with pytest.raises(gr.Error, match="layer: got 9"):
        mamba_app.read_client(TEXT, 9)
    with pytest.raises(kzoo.errors.KzooError):
        mamba_app.read_client("no such letter: \u00e9")


# --- in a browser --------------------------------------------------------------------------------------------------


def written(tab) -> int:
    return int(float(tab.locator(".kz-status b").first.inner_text()))


def click_into(area, across: float, down: float) -> None:
    """Clicks into a map at these shares of its sides, wherever on the page it is."""
    box = area.bounding_box()
    area.click(position={"x": across * box["width"], "y": down * box["height"]})


def test_the_page_writes_and_looks_into_a_letter_a_layer_and_a_channel(served, page, screenshot):
    tab = page(served("mamba_app"))
    tab.locator("#mamba-matrix svg").wait_for()
    screenshot("mamba_open")
    before = tab.locator("#mamba-text .kz-text").inner_text()
    tab.get_by_label("Length").first.fill("40")
    tab.get_by_role("button", name="A line's start").click()
    tab.wait_for_function(
        "(before) => { const box = document.querySelector('#mamba-text .kz-text');"
        " return box.dataset.place && box.innerText !== before }",
        arg=before,
    )
    assert written(tab) == 40
    tab.locator("#mamba-text i").nth(20).click()
    tab.locator("#mamba-said", has_text="character 21, layer 2").wait_for()
    click_into(tab.locator("#mamba-layers [data-down]"), 0.5, 4.5 / 7)
    tab.locator("#mamba-said", has_text="layer 5").wait_for()
    click_into(tab.locator("#mamba-state [data-across]"), 100.5 / 256, 0.5)
    tab.locator("#mamba-matrix svg[aria-label*='channel 100 in layer 5']").wait_for()
    tab.get_by_label("what is used").check()
    tab.locator("#mamba-said", has_text="adds most").wait_for()
    tab.get_by_text("Show the code").click()
    assert "mamba_shakespeare" in tab.locator(".cm-content").inner_text()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "mamba.keras"


def test_the_page_measures_on_request(served, page, screenshot):
    tab = page(served("mamba_app"))
    tab.get_by_role("button", name="Measure here and now").click()
    tab.locator("#mamba-ways", has_text="largest difference").wait_for(timeout=60_000)
    tab.locator("#mamba-time .transformer").first.wait_for(timeout=60_000)
    assert tab.locator("#mamba-memory .transformer").count() == 2
    tab.wait_for_timeout(1000)
    screenshot("mamba_measured")


def test_a_link_brings_the_text_the_place_and_the_view_back(served, page, screenshot):
    tab = page(served("mamba_app"))
    tab.locator("#mamba-matrix svg").wait_for()
    tab.locator("#mamba-text i").nth(60).click()
    tab.locator("#mamba-said", has_text="character 61").wait_for()
    tab.get_by_label("what is used").check()
    tab.locator("#mamba-said", has_text="adds most").wait_for()
    other = page(copied_link(tab, "used"), width=390, dark=True)
    other.locator("#mamba-said", has_text="character 61").wait_for(timeout=60_000)
    assert other.locator("#mamba-text .kz-text").inner_text() == tab.locator("#mamba-text .kz-text").inner_text()
    assert other.get_by_label("what is used").is_checked()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("mamba_phone_dark")


def test_the_main_path_works_by_keyboard_alone(served, page):
    tab = page(served("mamba_app"))
    tab.locator("#mamba-matrix svg").wait_for()
    tab.locator("#mamba-text .kz-text").focus()
    tab.keyboard.press("ArrowRight")
    tab.locator("#mamba-said", has_text="character 42").wait_for()
    tab.keyboard.press("ArrowLeft")
    tab.locator("#mamba-said", has_text="character 41").wait_for()
    tab.get_by_label("what is used").focus()
    tab.keyboard.press("Space")
    tab.locator("#mamba-said", has_text="adds most").wait_for()
