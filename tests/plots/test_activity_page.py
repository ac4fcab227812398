"""The page that plays the activity of a network, and its player in a browser."""

import json
import re

import numpy as np
import pytest

from kzoo.plots import activity, activity_film, activity_page

from .conftest import made


def test_a_page_holds_its_data_and_asks_nobody(tmp_path):
    title = "a </script><b>title</b>"
    data = made(groups={"</script><i>": (0, 10)})
    page = activity_film.save_activity(data, tmp_path / "a.html", title=title).read_text(encoding="utf-8")
    assert page.count("</script>") == 1
    assert "<b>" not in page
    assert not re.search(r"https?:|\bsrc=|@import|\burl\(|fetch\(|XMLHttp", page)
    assert page.count("function kzooActivity(") == 1
    held = re.search(r'getElementById\("activity"\), (\{.*\}), (\{.*\})\);', page)
    assert json.loads(held[1]) == data
    assert json.loads(held[2]) == {"seconds": 10.0, "fade": None}


@pytest.fixture
def page(browser, tmp_path):
    """The page of `made()`, its player as window.player, at rest; faults and requests are noted."""
    written = activity_page.activity_page(made(), title="ten", fade=0.01)
    call = 'kzooActivity(document.getElementById("activity")'
    assert call in written
    written = written.replace(call, f"window.player = {call}")
    asks = '"fade": 0.01}'
    assert asks in written
    written = written.replace(asks, '"fade": 0.01, "play": false, "onNeuron": (...n) => { window.clicked = n; }}')
    (tmp_path / "a.html").write_text(written, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.faults, page.asked = [], []
    page.on("pageerror", lambda fault: page.faults.append(str(fault)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((tmp_path / "a.html").as_uri())
    yield page
    assert page.faults == []
    assert len(page.asked) == 1
    page.close()


def cell(page, row, column):
    """Where the middle of a cell of the grid lies in the first canvas, in CSS pixels."""
    box = page.locator("canvas").first.bounding_box()
    side = min(box["width"] / 4, box["height"] / 3)
    return {
        "x": (box["width"] - 4 * side) / 2 + (column + 0.5) * side,
        "y": (box["height"] - 3 * side) / 2 + (row + 0.5) * side,
    }


PIXEL = "([x, y]) => Array.from(document.querySelector('canvas').getContext('2d').getImageData(x, y, 1, 1).data)"


def test_the_player_draws_the_same_light_as_the_film(page):
    data = made()
    times, neurons = activity.activity_spikes(data)
    places = activity.activity_places(data)
    ground = np.array([0x0D, 0x11, 0x17])
    for at in (0.0, 0.02, 0.055, 0.1):
        page.evaluate(f"player.seek({at})")
        light = activity_film.DIM + (1 - activity_film.DIM) * activity.afterglow(times, neurons, 10, at, 0.01)
        for n in range(10):
            place = cell(page, *places[n])
            found = page.evaluate(PIXEL, [place["x"], place["y"]])
            shade = np.array([0x55, 0xA1, 0xCC] if n < 7 else [0xE3, 0x94, 0x55])
            np.testing.assert_allclose(found[:3], ground + light[n] * (shade - ground), atol=1.5)


def test_it_plays_pauses_and_seeks(page):
    button = page.get_by_role("button")
    assert button.inner_text() == "Play"
    button.click()
    page.wait_for_function("player.time() > 0.002")
    button.click()
    stands = page.evaluate("player.time()")
    page.wait_for_timeout(100)
    assert page.evaluate("player.time()") == stands
    page.get_by_label("Time of the record").fill("500")
    assert page.evaluate("player.time()") == pytest.approx(0.05)
    assert page.get_by_text("50.0 of 100 ms").is_visible()
    box = page.locator("canvas").nth(1).bounding_box()
    page.locator("canvas").nth(1).click(position={"x": 0.25 * box["width"], "y": 20})
    assert page.evaluate("player.time()") == pytest.approx(0.025, abs=1e-3)


def test_a_click_on_the_grid_names_the_neuron(page):
    for row, column, neuron in ((0, 0, 0), (1, 2, 6), (2, 1, 8)):
        page.locator("canvas").first.click(position=cell(page, row, column))
        assert page.evaluate("clicked") == [neuron, neuron]
    page.evaluate("window.clicked = null")
    for row in (1, 2):
        page.locator("canvas").first.click(position=cell(page, row, 3))  # no neuron stands there
        assert page.evaluate("clicked") is None
