"""Live training as every app has it: a run's steps, its ends, its lock, and its page in a browser."""

import dataclasses
import sys
import threading
import time
from pathlib import Path

import gradio as gr
import kit
import live
import player
import pytest

from . import toy_app as toy
from .conftest import copied_link, free_port, told


def another(**changes) -> player.Player:
    """The toy's player, otherwise."""
    return dataclasses.replace(toy.PLAYER, pause=0.0, **changes)


def learnt(rolling, run, pace, until):
    """Counts at each picture, and why it ended."""
    seen = []
    for note in rolling.learn(run, run.stop, pace, until):
        if note != player.LEARNING:
            return seen, note
        seen.append(run.count)
    raise AssertionError("it ended without a word")


def test_a_picture_comes_after_every_pace_steps_and_it_ends_where_it_is_told_to():
    run = toy.start(toy.Settings())
    assert learnt(another(), run, 4, 10) == ([4, 8], player.AFTER_A_WHILE)
    assert run.count == 10
    assert run.model.place == pytest.approx(0.98**10)


def test_it_ends_by_itself_where_it_is_finished_and_no_step_is_made_afterwards():
    run = toy.start(toy.Settings(rate=0.4))
    _, note = learnt(another(), run, 100, 1000)
    assert note == "It has arrived."
    assert run.count == 5  # 0.2 ** 5 is the first below a thousandth
    toy.PLAYER.step(run)
    assert run.count == 5


def test_one_model_is_trained_for_so_many_steps_and_no_more():
    run = another(most=7).trained(toy.Settings(), 1000)
    assert run.count == 7
    _, note = learnt(another(most=7), run, 3, 1000)
    assert note == "This page stops after 7 steps. Take the code or the model with you."


def test_a_play_ends_after_its_seconds():
    slow = another(seconds=0.05, advance=lambda run: time.sleep(0.02))
    run = toy.start(toy.Settings())
    _, note = learnt(slow, run, 1, 1000)
    assert note == player.AFTER_A_WHILE
    assert 1 <= run.count < 10


def test_without_a_pace_a_picture_takes_its_time():
    slow = dataclasses.replace(toy.PLAYER, pause=0.05, advance=lambda run: time.sleep(0.02))
    run = toy.start(toy.Settings())
    seen, _ = learnt(slow, run, None, 9)
    assert 1 <= seen[0] <= 4
    assert run.count == 9


def test_a_flag_ends_it_in_the_middle_of_a_picture():
    run = toy.start(toy.Settings())
    stopping = another(advance=lambda run: run.count == 2 and run.stop.set())
    assert learnt(stopping, run, 10, 1000) == ([], "Paused.")
    assert run.count == 3


def test_the_api_refuses_what_cannot_be_trained():
    with pytest.raises(gr.Error, match="lies at the bottom"):
        toy.PLAYER.trained(toy.Settings(place=0.0), 5)


@pytest.mark.parametrize("act", ["advance", "frame"])
def test_nobody_else_touches_a_model_while_it_learns_or_is_drawn(act):
    run, inside, go_on, entered = toy.start(toy.Settings()), *(threading.Event() for _ in range(3))

    def busy(*_):
        inside.set()
        go_on.wait(10)
        return ("",)

    def visitor():
        with kit.alone(run.model):
            entered.set()

    working = another(**{act: busy})
    first = threading.Thread(target=working.step if act == "advance" else working.draw, args=(run,))
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=visitor)
    second.start()
    assert not entered.wait(0.2), "two threads were at one model"
    with kit.alone(toy.Ball(0.0)):
        pass  # another model keeps nobody waiting
    go_on.set()
    assert entered.wait(10)
    first.join()
    second.join()


def test_a_lock_is_one_s_own_twice_and_dies_with_its_model():
    ball = toy.Ball(0.0)
    with kit.alone(ball) as same, kit.alone(ball):
        assert same is ball
    before = len(kit._ALONE)
    del ball, same
    assert len(kit._ALONE) < before


def test_each_use_of_a_preset_has_a_model_of_its_own():
    first, again, other = kit.preset("mlp_moons"), kit.preset("mlp_moons"), kit.preset("mlp_moons", "gradients")
    assert first is again
    assert first is not other
    assert kit.preset("no_such_preset") is None


def test_a_status_line_shows_text_as_text():
    line = live.status([("<b>", "<i>")], "a < b")
    assert "<b>&lt;i&gt;</b> &lt;b&gt;" in line
    assert "a &lt; b" in line


@pytest.mark.parametrize(
    ("controls", "pictures", "says"),
    [
        (("rate", "valley", "place"), 1, "controls: got"),
        (("valley", "rate"), 1, "controls: got"),
        (("valley", "rate", "place"), 2, "pictures: got 2 components; frame gives 1"),
    ],
)
def test_a_page_that_does_not_fit_its_player_is_refused_when_it_is_built(controls, pictures, says):
    page = object.__new__(live.Page)  # a real one needs Gradio's loop, which does not go with a test's
    page.player, page.first, page.pictures = toy.PLAYER, None, ["<p>"]
    with pytest.raises(ValueError, match=says):
        page.connect(None, [None] * pictures, dict.fromkeys(controls), None)


# --- in a browser --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ball(start_app, tmp_path_factory):
    """The address of the toy's page."""
    port, folder = free_port(), tmp_path_factory.mktemp("toy")
    return start_app([sys.executable, str(Path(toy.__file__)), "--port", str(port)], port, folder, "toy").url


def shown(tab) -> str:
    return tab.locator("#ball").inner_text()


def test_a_view_changes_the_picture_and_not_the_model(ball, page):
    tab = page(ball)
    told(tab, "Press Play.")
    assert shown(tab) == "1.000"
    for _ in range(2):
        count = int(tab.locator(".kz-status b").inner_text())
        tab.get_by_role("button", name="Step").click()
        tab.wait_for_function("(n) => document.querySelector('.kz-status b').innerText === String(n)", arg=count + 1)
    assert shown(tab) == "0.960"
    tab.get_by_label("number input for Decimals").fill("5")
    tab.get_by_label("number input for Decimals").press("Tab")
    tab.locator("#ball", has_text="0.96040").wait_for()
    told(tab, "One step more.")
    other = page(copied_link(tab, "decimals=5"))
    told(other, "Restored from the link.")
    assert shown(other) == "0.96040"


def test_play_goes_on_while_the_view_changes_and_a_setting_ends_it(ball, page):
    tab = page(ball)
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("Number(document.querySelector('.kz-status b').innerText) >= 3")
    tab.get_by_label("number input for Decimals").fill("7")
    tab.get_by_label("number input for Decimals").press("Tab")
    tab.wait_for_function("document.querySelector('#ball').innerText.length === 9")
    count = int(tab.locator(".kz-status b").inner_text())
    tab.wait_for_function("(n) => Number(document.querySelector('.kz-status b').innerText) > n + 2", arg=count)
    tab.get_by_label("steep").check()
    told(tab, "Press Play.")
    assert shown(tab) == "1.0000000", "the view stays"
    assert tab.get_by_label("number input for Rate").input_value() == "0.1"
    tab.wait_for_timeout(500)
    told(tab, "Press Play.")
    tab.get_by_role("button", name="Play").click()
    told(tab, "It has arrived.")
    assert int(tab.locator(".kz-status b").inner_text()) == 31  # 0.8 ** 31 is the first below a thousandth


def test_what_cannot_be_trained_is_refused_on_the_page(ball, page):
    tab = page(ball)
    tab.get_by_label("number input for Place").fill("0")
    tab.get_by_label("number input for Place").press("Tab")
    told(tab, "It lies at the bottom.")
    tab.get_by_role("button", name="Step").click()
    tab.locator(".toast-body", has_text="It lies at the bottom.").wait_for()
