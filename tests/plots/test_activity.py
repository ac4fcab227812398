"""The film of a network's activity: the object that is played, its light, and the files that are written."""

import importlib.util
import json
import re
import shutil
import stat
import sys

import numpy as np
import pytest

from kzoo.errors import KzooError
from kzoo.plots import activity

GROUPS = {"excitatory": (0, 7), "inhibitory": (7, 10)}  # 7 do not fill their two rows of 4


def made(**options):
    """Ten neurons, eight spikes in 100 ms."""
    times = [0.0, 0.01, 0.02, 0.02, 0.05, 0.06, 0.08, 0.1]
    neurons = [0, 1, 8, 9, 1, 7, 3, 0]
    given = {"times": times, "neurons": neurons, "size": 10, "duration": 0.1, "groups": GROUPS} | options
    return activity.activity_data(**given)


# The object


def test_the_object_survives_json_and_gives_back_every_spike():
    rng = np.random.default_rng(0)
    times, neurons = np.sort(rng.integers(0, 5000, 900)) * 1e-4, rng.integers(0, 200, 900)
    data = json.loads(json.dumps(activity.activity_data(times, neurons, 200, 0.5)))
    found, numbers = activity.activity_spikes(data)
    np.testing.assert_allclose(found, times, atol=1e-12)
    order = np.lexsort((neurons, np.round(times * 1e4)))
    again = np.lexsort((numbers, np.round(found * 1e4)))
    np.testing.assert_array_equal(numbers[again], neurons[order])
    assert data["count"] == 900
    assert (data["ticks_type"], data["neurons_type"]) == ("u2", "u2")


def test_times_are_rounded_to_ticks_and_long_records_have_wider_ones():
    data = activity.activity_data([0.00016, 7.0], [0, 0], 1, 8.0)
    assert data["ticks_type"] == "u4"
    np.testing.assert_allclose(activity.activity_spikes(data)[0], [0.0002, 7.0])
    assert activity.activity_data([0.0], [0], 1, 6.5535)["ticks_type"] == "u2"
    assert activity.activity_data([0.0], [0], 1, 6.5536)["ticks_type"] == "u4"


def test_spikes_out_of_order_come_in_order():
    found, numbers = activity.activity_spikes(activity.activity_data([0.03, 0.01], [1, 0], 2, 0.1))
    np.testing.assert_allclose(found, [0.01, 0.03])
    np.testing.assert_array_equal(numbers, [0, 1])


def test_each_group_begins_in_a_row_of_its_own():
    data = made()
    assert (data["columns"], data["rows"]) == (4, 3)
    assert [group["row"] for group in data["groups"]] == [0, 2]
    places = activity.activity_places(data)
    np.testing.assert_array_equal(places[[0, 3, 4, 6, 7, 9]], [[0, 0], [0, 3], [1, 0], [1, 2], [2, 0], [2, 2]])


def test_of_a_large_network_every_so_many_th_neuron_of_each_group_is_drawn_and_all_are_counted():
    data = made(max_neurons=4)
    assert (data["size"], data["of"], data["every"]) == (4, 10, 3)
    excitatory, inhibitory = data["groups"]
    assert (excitatory["start"], excitatory["stop"], excitatory["first"], excitatory["of"]) == (0, 3, 0, 7)
    assert (inhibitory["start"], inhibitory["stop"], inhibitory["first"], inhibitory["of"]) == (3, 4, 7, 3)
    _, numbers = activity.activity_spikes(data)
    np.testing.assert_array_equal(numbers, [0, 3, 1, 0])  # of 0, 3, 6 and 7; 7 spiked at 60 ms, 3 at 80
    rates = data["rate"]["values"]
    assert np.sum(rates["excitatory"]) * data["rate"]["bin"] * 7 == pytest.approx(5, rel=1e-3)
    assert np.sum(rates["inhibitory"]) * data["rate"]["bin"] * 3 == pytest.approx(3, rel=1e-3)


def test_a_full_network_of_brunels_size_fits_in_a_megabyte():
    rng = np.random.default_rng(0)
    count = 12_500 * 38 // 2  # half a second of regime C
    data = activity.activity_data(
        np.sort(rng.random(count)) * 0.5,
        rng.integers(0, 12_500, count),
        12_500,
        0.5,
        groups={"excitatory": (0, 10_000)},
    )
    assert data["size"] == 2000  # the other group is left out
    assert len(json.dumps(data)) < 1e6


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"neurons": [0, 1, 8, 9, 1, 7, 3, 10]}, "neurons must be 0 to 9"),
        ({"duration": 0.05}, "times must lie"),
        ({"tick": 0}, "tick must be above 0"),
        ({"tick": 1e-12}, "fewer than"),
        ({"max_neurons": 0}, "max_neurons"),
        ({"groups": {"a": (0, 5), "b": (4, 10)}}, "overlap"),
    ],
)
def test_what_makes_no_film_is_refused(broken, words):
    with pytest.raises(ValueError, match=words):
        made(**broken)


@pytest.mark.parametrize("data", [{}, [], {"format": "kzoo.activity", "version": 2}, made() | {"count": 5}])
def test_what_is_no_such_object_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="data"):
        activity.activity_spikes(data)
    with pytest.raises(ValueError, match="data"):
        activity.save_activity(data, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


# The light


def test_a_light_falls_exponentially_from_the_last_spike():
    times, neurons = np.array([0.0, 0.01, 0.02]), np.array([0, 1, 1])
    light = activity.afterglow(times, neurons, 3, 0.03, 0.01)
    np.testing.assert_allclose(light, [np.exp(-3), np.exp(-1), 0])
    np.testing.assert_allclose(activity.afterglow(times, neurons, 3, 0.01, 0.01), [np.exp(-1), 1, 0])
    np.testing.assert_array_equal(activity.afterglow(times, neurons, 3, 1.0, 0.01), [0, 0, 0])


# The files


def bright(frame, color):
    """Where the left half of a picture has a colour: rows and columns, as parts of its height and width."""
    rows, columns = np.nonzero(np.abs(frame[:, :384, :3].astype(int) - color).max(axis=-1) < 3)
    assert len(rows) > 3000  # a cell of the grid, and no dot
    return np.median(rows) / len(frame), np.median(columns) / frame.shape[1]


def test_a_frame_lights_the_neuron_that_spikes_where_it_stands():
    blue, orange = [0x56, 0xB4, 0xE9], [0xE6, 0x9F, 0]
    frames = list(activity.activity_frames(made(), title="ten", count=11, fade=1e-3))  # one each 10 ms
    assert len(frames) == 11
    assert frames[0].shape == (432, 768, 4)
    zero, one, seven = bright(frames[0], blue), bright(frames[1], blue), bright(frames[6], orange)
    assert zero[0] == pytest.approx(one[0], abs=0.01)
    assert 0.05 < one[1] - zero[1] < 0.15  # the cell to the right of it
    assert seven[1] == pytest.approx(zero[1], abs=0.01)
    assert seven[0] > zero[0] + 0.3  # two rows below
    assert not (np.abs(frames[0][:, :384, :3].astype(int) - orange).max(axis=-1) < 3).any()


def test_a_gif_lasts_as_long_as_it_was_asked_to(tmp_path):
    from PIL import Image

    seen = []
    path = activity.save_activity(made(), tmp_path / "new" / "a.gif", seconds=1, fps=10, progress=seen.append)
    with Image.open(path) as film:
        assert (film.n_frames, film.size) == (10, (768, 432))
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0  # for ever
    assert seen == list(range(1, 11))


@pytest.mark.parametrize(("fps", "count"), [(30, 30), (12, 12), (300, 50)])
def test_a_gif_lasts_as_long_where_its_pictures_take_no_whole_hundredths(tmp_path, fps, count):
    from PIL import Image, ImageSequence

    path = activity.save_activity(made(), tmp_path / "a.gif", seconds=1, fps=fps)
    with Image.open(path) as film:
        lengths = [picture.info["duration"] for picture in ImageSequence.Iterator(film)]
    assert sum(lengths) == 1000
    assert len(lengths) == count
    assert min(lengths) >= 20  # browsers play what is shorter slowly


@pytest.mark.parametrize(("name", "words"), [("a.avi", "ends in .gif, .mp4, .html"), ("a", "ends in")])
def test_another_ending_is_refused(tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        activity.save_activity(made(), tmp_path / name)


@pytest.mark.parametrize("option", ["seconds", "fps", "fade"])
def test_a_film_of_no_length_is_refused(tmp_path, option):
    with pytest.raises(ValueError, match=f"{option} must be above 0"):
        activity.save_activity(made(), tmp_path / "a.gif", **{option: 0})


def program(folder, monkeypatch, body):
    """A program called ffmpeg that is alone on the PATH."""
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line")
def test_ffmpeg_is_handed_every_frame(tmp_path, monkeypatch):
    program(
        tmp_path,
        monkeypatch,
        "got = sys.stdin.buffer.read()\nopen(sys.argv[-1], 'w').write(json.dumps([len(got), sys.argv[1:]]))",
    )
    path = activity.save_activity(made(), tmp_path / "a.mp4", seconds=0.5, fps=10)
    size, words = json.loads(path.read_text(encoding="utf-8"))
    assert size == 5 * 768 * 432 * 4
    assert words[words.index("-s") + 1] == "768x432"
    assert words[words.index("-r") + 1] == "10"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line")
def test_what_ffmpeg_complains_of_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "sys.exit('Unknown encoder h264')")
    with pytest.raises(KzooError, match=r"ffmpeg left with 1: Unknown encoder h264 Write a \.gif"):
        activity.save_activity(made(), tmp_path / "a.mp4", seconds=1)
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]


def test_without_ffmpeg_it_is_said_what_to_install_and_a_gif_works(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KzooError, match=r"apt install ffmpeg.*or write a \.gif or \.html"):
        activity.save_activity(made(), tmp_path / "a.mp4")
    activity.save_activity(made(), tmp_path / "a.gif", seconds=0.1)


def test_a_page_holds_its_data_and_asks_nobody(tmp_path):
    title = "a </script><b>title</b>"
    data = made(groups={"</script><i>": (0, 10)})
    page = activity.save_activity(data, tmp_path / "a.html", title=title).read_text(encoding="utf-8")
    assert page.count("</script>") == 1
    assert "<b>" not in page
    assert not re.search(r"https?:|\bsrc=|@import|\burl\(|fetch\(|XMLHttp", page)
    assert page.count("function kzooActivity(") == 1
    held = re.search(r'getElementById\("activity"\), (\{.*\}), (\{.*\})\);', page)
    assert json.loads(held[1]) == data
    assert json.loads(held[2]) == {"seconds": 10.0, "fade": None}


# The player


@pytest.fixture(scope="module")
def browser():
    if importlib.util.find_spec("playwright") is None:
        pytest.skip('Playwright is not installed: pip install "kzoo[browser]"')
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, tmp_path):
    """The page of `made()`, its player as window.player, at rest; faults and requests are noted."""
    written = activity.activity_page(made(), title="ten", fade=0.01)
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
        light = activity.DIM + (1 - activity.DIM) * activity.afterglow(times, neurons, 10, at, 0.01)
        for n in range(10):
            place = cell(page, *places[n])
            found = page.evaluate(PIXEL, [place["x"], place["y"]])
            shade = np.array([0x56, 0xB4, 0xE9] if n < 7 else [0xE6, 0x9F, 0])
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
