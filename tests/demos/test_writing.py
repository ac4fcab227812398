"""The panel of a page that writes: its text, what it refuses, its markup, and the code that it shows."""

import threading

import gradio as gr
import numpy as np
import pytest
import writing

import kzoo
from kzoo.errors import KzooError
from kzoo.sampling import generate

from .conftest import execute

LETTERS = "\n abc"


@pytest.fixture(scope="module")
def model():
    model = kzoo.create_model(
        "transformer", seed=0, input_shape=(64,), num_outputs=5, vocabulary=LETTERS, hidden_dim=8, num_layers=1,
        num_heads=2,
    )  # fmt: skip
    table = model.get_layer("embedding").embeddings
    table.assign(30 * table)  # else all characters were as likely, at every temperature
    return model


def settings(**values):
    return writing.Settings(**{"prompt": "ab", "length": 30, **values})


def test_the_text_is_that_of_generate_however_it_comes(model):
    wanted = "ab" + generate(model, "ab", 30, temperature=0.8, seed=3)
    parts = list(writing.write(model, settings(seed=3)))
    assert parts[-1][0] == wanted
    assert len(parts) == 8, "four characters at a time, and the last two"
    assert all(wanted.startswith(text) for text, _ in parts)
    assert parts[0][1] is None
    assert all(seconds > 0 for _, seconds in parts[1:])
    assert writing.whole(model, settings(seed=3))[0] == wanted
    assert writing.whole(model, settings(length=0)) == ("ab", None)
    # Where the context is full, a piece ends early.
    assert len(list(writing.write(model, settings(length=500)))) <= 1.5 * writing.UPDATES


def test_it_stops_before_the_next_piece_and_a_link_brings_as_much_back(model):
    stop, parts = threading.Event(), []
    for text, _ in writing.write(model, settings(), stop):
        parts.append(text)
        if len(parts) == 3:
            stop.set()
    assert len(parts[-1]) == 2 + 12
    *_, (again, _) = writing.write(model, settings(), most=12)
    assert again == parts[-1]


def test_the_knobs_reach_the_model(model):
    plain = writing.whole(model, settings())[0]
    for change in ({"temperature": 2.0}, {"top_k": 1}, {"top_p": 0.05}, {"seed": 1}, {"temperature": 0}):
        assert writing.whole(model, settings(**change))[0] != plain
    likeliest = writing.whole(model, settings(temperature=0))[0]
    assert writing.whole(model, settings(top_k=1, seed=5))[0] == likeliest


def panel_of(model, **options):
    first = writing.Seen(settings(), "ab", 2, 0)
    look = lambda seen: (writing.text_html(seen), f"<p>{seen.place}</p>")  # noqa: E731
    return writing.Panel("toy", lambda: model, look, lambda seen: "pass", first, {"c": "c"}, **options)


@pytest.fixture(scope="module")
def panel(model):
    first = writing.Seen(settings(), "ab", 2, 0)
    look = lambda seen: (writing.text_html(seen), f"<p>{seen.place}</p>")  # noqa: E731
    return writing.Panel("toy", lambda: model, look, lambda seen: "pass", first, {"Three c": "ccc"})


def test_a_visitor_stops_a_text_and_looks_into_what_there_is(panel, model):
    """The handlers as Gradio calls them."""
    asked = settings(length=100)
    handled = []
    for outputs in panel._on_write(None, *vars(asked).values(), 50):
        handled.append(outputs)
        assert "Writing" in outputs[1] or "Stopped." in outputs[1]
        if len(handled) == 3:  # the first one only says that it begins
            panel._on_stop(outputs[0])
    _, line, text, begun, count, markup, picture, _, place = handled[-1]
    assert (text, begun, count, place) == (writing.whole(model, asked)[0][:10], 2, 8, 9)
    assert "<b>8</b> characters written" in line
    assert "Stopped." in line
    assert markup.count("<i") == 10
    assert picture == "<p>9</p>"


def test_a_newer_text_takes_the_place_of_an_older_one(panel):
    older = panel._on_write(None, *vars(settings(length=100)).values(), 0)
    turn = next(older)[0]
    next(older)
    newer = panel._on_example("Three c")(turn, *vars(settings()).values(), 0)
    assert next(newer)[0] == "ccc"
    assert list(older) == [], "not even its end is shown"
    *_, (prompt, _, _, text, *_) = newer
    assert prompt == "ccc"
    assert text.startswith("ccc")
    assert len(text) == 33


def test_a_character_that_is_not_known_is_told_in_the_status_line_and_nothing_else_changes(panel):
    (turn, *_), (again, line, *rest) = panel._on_write(None, *vars(settings(prompt="aZ")).values(), 0)
    assert again is turn
    assert "no token for &#x27;Z&#x27;" in line
    assert all(part == gr.skip() for part in rest)


def test_a_click_moves_the_place_and_a_strange_one_is_refused(panel):
    values = [*vars(settings()).values(), 1]
    clicked = lambda data: gr.EventData(None, data)  # noqa: E731
    _, picture, _, place = panel._on_pick(clicked({"place": 3, "temperature": 9}), "abcabc", 2, *values)
    assert (picture, place) == ("<p>3</p>", 3)
    assert panel._on_pick(clicked(None), "abcabc", 2, *values)[3] == 1
    for data in ({"place": "3"}, {"place": None}, {"place": -1}):
        with pytest.raises(gr.Error, match="place: got"):
            panel._on_pick(clicked(data), "abcabc", 2, *values)


def test_a_character_that_the_model_does_not_know_is_named(model):
    with pytest.raises(KzooError, match="no token for 'Z'"):
        writing.whole(model, settings(prompt="aZ"))


def test_the_shown_code_writes_the_text_on_screen(monkeypatch, model):
    monkeypatch.setattr(kzoo, "from_preset", lambda name: model)
    for chosen in (settings(), settings(length=0), settings(top_k=3, top_p=0.9, temperature=1.5, seed=7)):
        text = writing.whole(model, chosen)[0]
        stopped = writing.Seen(chosen, text[:20], 2, 0)
        assert execute(writing.code(stopped, "any"))["text"] == text[:20]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("prompt", "x" * 301, "prompt: got 301 characters; expected at most 300"),
        ("prompt", ["x"], "prompt: got"),
        ("length", 501, "length: got 501; expected a whole number from 0 to 500"),
        ("temperature", float("nan"), "temperature: got nan; expected a number from 0 to 2"),
        ("top_k", 0, "top-k: got 0; expected a whole number from 1 to 65"),
        ("top_p", 0, "top-p: got 0"),
        ("seed", -1, "seed: got -1"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_clear_line(key, value, says):
    values = {**vars(writing.Settings()), key: value}
    with pytest.raises(gr.Error) as error:
        writing.check([values[name] for name in writing.FIELDS])
    assert says in error.value.message


def test_a_text_that_was_never_written_is_refused():
    assert writing.check_text("abc", 2, 1) == ("abc", 2, 1)
    assert writing.check_text("abc", 9, 700) == ("abc", 3, 2), "a click on a longer text that was there before"
    for text, begun, place in (("", 0, 0), (None, 0, 0), ("x" * 801, 0, 0), ("abc", -1, 0), ("abc", 0, 0.5)):
        with pytest.raises(gr.Error, match=r"(text|prompt's length|place): got"):
            writing.check_text(text, begun, place)


def test_an_empty_prompt_is_the_beginning_of_a_line():
    values = {**vars(writing.Settings()), "prompt": None}
    assert writing.check([values[name] for name in writing.FIELDS]).prompt == "\n"


def test_a_text_says_of_each_character_what_it_is_and_hides_none():
    seen = writing.Seen(settings(), "a<b\n c&", 3, 4)
    found = writing.text_html(seen, {0: 0.5, 5: 1.0}, near=(1, 6))
    assert found.count("<i") == len(seen.text)
    assert '<i class="prompt far" style="--s:0.5">a</i>' in found
    assert '<i class="prompt">&lt;</i>' in found
    assert '<i class="end">\u21b5\n</i>' in found
    assert '<i class="chosen"> </i>' in found
    assert '<i style="--s:1">c</i>' in found
    assert '<i class="far">&amp;</i>' in found
    assert 'data-place="4"' in found
    growing = writing.growing_html("a<b\n c&", 3)
    assert "a&lt;b" in growing
    assert "data-place" not in growing, "nothing to choose yet"


def test_the_model_where_none_ships_is_untrained_and_of_its_kind():
    made = writing.model("transformer_nowhere")
    assert type(made).__name__ == "Transformer"
    assert made.vocabulary == writing.CHARACTERS
    assert writing.model("transformer_nowhere") is made
    # Every character of a prompt is known, and they are all different.
    assert np.unique(list(writing.CHARACTERS)).size == writing.VOCABULARY == 65
