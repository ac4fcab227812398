"""The page of spiking neurons in a browser: all tabs of it, and on a machine without Brian2 or a compiler."""

import os
import sys

import pytest

from .conftest import DEMOS, free_port


def copied_link(tab, part: str) -> str:
    """The link of the tab that is open; it holds `part`."""
    tab.get_by_role("button", name="Copy link").click()
    shown = "[...document.querySelectorAll('.kz-link-box :is(textarea, input)')].map(box => box.value)"
    tab.wait_for_function(f"(part) => {shown}.some(value => value.includes(part))", arg=part)
    return next(value for value in tab.evaluate(shown) if part in value)


def spikes(tab) -> int:
    return int(tab.locator("#lif-status b").first.inner_text())


def spikes_become(tab, what: str) -> None:
    tab.wait_for_function(f"Number(document.querySelector('#lif-status b')?.innerText) {what}")


def test_the_page_answers_to_sliders_scenes_a_click_and_a_drawing(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.locator("#lif-traces svg").wait_for()
    screenshot("lif_open")
    assert spikes(tab) == 5
    tab.get_by_label("Amplitude (nA)").first.fill("0.4")
    spikes_become(tab, "> 10")
    tab.get_by_role("button", name="Just below threshold").click()
    spikes_become(tab, "=== 0")
    tab.locator("#lif-rates .area").click(position={"x": 300, "y": 40})
    spikes_become(tab, "> 10")
    tab.get_by_label("Reset (mV)").first.fill("-40")
    tab.locator("#lif-status", has_text="expected below v_threshold").wait_for()
    tab.get_by_role("button", name="A step").click()
    spikes_become(tab, "=== 5")
    tab.get_by_label("drawn", exact=True).check()
    area = tab.locator("#lif-traces .drawn")
    area.wait_for()
    box = area.bounding_box()
    tab.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.5 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 2, steps=8)
    tab.mouse.up()
    spikes_become(tab, "> 12")
    tab.get_by_text("Show the code").first.click()
    tab.locator(".cm-content", has_text="currents.from_array").first.wait_for()
    screenshot("lif_drawn")


def test_a_link_brings_the_neuron_back_on_a_phone(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.locator("#lif-traces svg").wait_for()
    tab.get_by_role("button", name="Noise makes it fire").click()
    tab.locator("#lif-status", has_text="Siegert").wait_for()
    count = spikes(tab)
    other = page(copied_link(tab, "sigma=4"), width=390, dark=True)
    other.locator("#lif-status", has_text="Siegert").wait_for()
    assert spikes(other) == count
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_phone_dark")


@pytest.mark.parametrize("dark", [False, True])
def test_all_tabs_are_seen_on_a_narrow_page(served, page, screenshot, dark):
    tab = page(served("lif_app"), width=400, height=800, dark=dark)
    names = tab.locator(".tab-container[role=tablist] > button")
    names.first.wait_for()
    assert names.all_inner_texts() == ["Neuron", "Engines", "Network", "Trained"]
    edges = [box["x"] + box["width"] for box in (one.bounding_box() for one in names.all())]
    assert max(edges) <= 400
    names.last.click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    screenshot("lif_tabs_dark" if dark else "lif_tabs")


def test_the_engines_agree_on_the_page(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Engines").click()
    tab.get_by_role("button", name="Run on all three").click()
    tab.locator("#lif-engines", has_text="layer LIF on").wait_for()
    # Where Brian2 is, its program may have to be built first.
    tab.wait_for_function(
        "!/\\(\\d+ s\\)|[.]{3}/.test(document.querySelector('#lif-engines tbody').innerText)", timeout=170_000
    )
    rows = tab.locator("#lif-engines tbody tr")
    assert rows.count() == 3
    keras = rows.nth(2).locator("td").all_inner_texts()
    assert keras[0] == rows.nth(0).locator("td").first.inner_text() == "5"
    assert keras[2] == "0", "no spike moved"
    screenshot("lif_engines")


@pytest.mark.parametrize("dark", [False, True])
def test_the_table_of_engines_is_seen_whole_on_a_narrow_page(served, page, screenshot, dark):
    tab = page(served("lif_app"), width=400, height=800, dark=dark)
    tab.get_by_role("tab", name="Engines").click()
    table = tab.locator("#lif-engines .kz-table")
    table.wait_for()
    tab.get_by_role("button", name="Run on all three").click()
    tab.locator("#lif-engines", has_text="layer LIF on").wait_for()
    tab.locator("#lif-engines tr").nth(3).get_by_text("0", exact=True).first.wait_for(timeout=60_000)
    assert table.evaluate("part => part.scrollWidth - part.clientWidth") <= 0
    edges = "row => [...row.children].map(cell => cell.scrollWidth - cell.clientWidth)"
    for row in tab.locator("#lif-engines tr").all():
        assert max(row.evaluate(edges)) <= 0, "nothing runs over its cell"
    screenshot("lif_engines_phone_dark" if dark else "lif_engines_phone")


def test_the_network_answers_to_a_regime_a_place_and_a_cell(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Network").click()
    tab.locator("#lif-network", has_text="Regime C").wait_for()
    tab.locator("#lif-film canvas").first.wait_for()
    tab.wait_for_timeout(700)
    screenshot("lif_network")
    tab.get_by_role("button", name="D: synchronous").click()
    tab.locator("#lif-network", has_text="Regime D").wait_for()
    assert tab.get_by_label("Drive").first.input_value() == "0.9"
    plane = tab.locator("#lif-plane svg")
    plane.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowDown")
    tab.wait_for_function("document.querySelector('#lif-plane svg').dataset.at === '4.5,0.6'")
    assert tab.evaluate("document.activeElement.classList.contains('brunel')"), "the next key works, too"
    tab.locator("#lif-film canvas").first.click()
    tab.locator("#lif-network", has_text="cells got 0.3 nA").wait_for()
    tab.locator("#lif-film button", has_text="Pause").click()
    tab.locator("#lif-film button", has_text="Play").wait_for()
    other = page(copied_link(tab, "cell="), width=390, dark=True)
    other.locator("#lif-network", has_text="cells got 0.3 nA").wait_for()
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_network_phone_dark")


def test_the_trained_network_reads_what_is_drawn(served, page, screenshot):
    tab = page(served("lif_app"))
    tab.get_by_role("tab", name="Trained").click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
    assert tab.locator("#lif-answer b").first.inner_text() == "3"
    assert tab.locator("#pad .hint").is_hidden(), "the example is on the pad"
    tab.locator("#lif-examples button").nth(7).click()
    tab.wait_for_function("document.querySelector('#lif-answer b').innerText === '7'")
    tab.get_by_label("random spikes").check()
    tab.locator("#lif-given", has_text="Spikes into the network").wait_for()
    tab.wait_for_timeout(500)
    screenshot("lif_trained")
    other = page(copied_link(tab, "code=rate"), width=390, dark=True)
    other.locator("#lif-given", has_text="Spikes into the network").wait_for()
    assert other.locator("#lif-answer b").first.inner_text() == "7"
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("lif_trained_phone_dark")


def test_without_brian2_and_without_a_compiler_all_tabs_work(start_app, page, tmp_path_factory):
    """As on a visitor's machine that has neither."""
    folder = tmp_path_factory.mktemp("bare")
    port = free_port()
    hidden = (
        "import importlib.metadata as known, importlib.util as found, runpy, sys\n"
        "version, spec = known.version, found.find_spec\n"
        "def without(name):\n"
        "    if name.lower() == 'brian2': raise known.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "known.version = without\n"
        "found.find_spec = lambda name, package=None: None if name == 'brian2' else spec(name, package)\n"
        "sys.modules['brian2'] = None\n"
        f"sys.path.insert(0, {str(DEMOS)!r})\n"
        f"sys.argv = ['lif_app.py', '--port', '{port}']\n"
        f"runpy.run_path({str(DEMOS / 'lif_app.py')!r}, run_name='__main__')\n"
    )
    environment = {**os.environ, "PATH": str(folder), "KZOO_CACHE_DIR": str(folder / "cache")}
    environment.pop("CXX", None)
    app = start_app([sys.executable, "-c", hidden], port, folder, "bare", environment=environment)
    tab = page(app.url)
    tab.locator("#lif-traces svg").wait_for()
    tab.get_by_role("tab", name="Engines").click()
    tab.get_by_role("button", name="Run on all three").click()
    table = tab.locator("#lif-engines")
    table.get_by_text("Not here: Brian2 is not installed").wait_for()
    table.get_by_text("layer LIF on").wait_for(timeout=60_000)
    tab.get_by_role("tab", name="Network").click()
    tab.locator("#lif-network", has_text="Regime C").wait_for(timeout=60_000)
    tab.get_by_role("tab", name="Trained").click()
    tab.locator("#lif-answer", has_text="is the answer").wait_for()
