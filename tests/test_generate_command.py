"""`kzoo generate`: what it prints, what it refuses, and how it leaves."""

import io
import os
import signal
import subprocess
import sys

import pytest

from kzoo import create_model
from kzoo.cli import main
from kzoo.models.preset import load_model
from kzoo.sampling import generate

LETTERS = "\n abcdefg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A preset that writes text, untrained."""
    path = tmp_path_factory.mktemp("presets") / "letters"
    create_model("lstm:mu-tokens", seed=0, vocabulary=LETTERS).save_to_preset(path)
    return str(path)


def test_the_prompt_and_its_continuation_are_printed_and_a_line_ended(folder, capsys):
    flags = ["--length", "70", "--temperature", "0.7", "--top_k", "5", "--top_p", "0.9", "--seed", "3"]
    assert main(["generate", folder, "--prompt", "bad cab", *flags]) == 0
    expected = generate(load_model(folder), "bad cab", 70, temperature=0.7, top_k=5, top_p=0.9, seed=3)
    shown = capsys.readouterr()
    assert shown.out == "bad cab" + expected + "\n"
    assert shown.err == ""
    assert main(["generate", folder, "--length", "5"]) == 0
    assert capsys.readouterr().out == generate(load_model(folder), "", 5) + "\n"


def test_each_flag_reaches_the_text(folder, capsys):
    def text(*flags):
        assert main(["generate", folder, "--prompt", "a", "--length", "40", *flags]) == 0
        return capsys.readouterr().out

    plain = text()
    assert plain == text()
    for flags in (["--temperature", "0"], ["--top_k", "2"], ["--top-p", "0.3"], ["--seed", "1"], ["--prompt", "b"]):
        assert text(*flags) != plain, flags


def test_a_prompt_comes_from_standard_input_where_it_is_a_dash(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a bad\ncab"))
    assert main(["generate", folder, "--prompt", "-", "--length", "9"]) == 0
    assert capsys.readouterr().out == "a bad\ncab" + generate(load_model(folder), "a bad\ncab", 9) + "\n"


def test_a_prompt_that_is_no_text_is_refused_with_a_remedy(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8"))
    assert main(["generate", folder, "--prompt", "-", "--length", "9"]) == 2
    assert "is not utf-8: byte 3 is 0xe9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nothing"], ["No preset 'nothing'"]),
        (["cnn_digits"], ["CNN writes no text", "shakespeare"]),
        (["FOLDER", "--length", "0"], ["length: got 0"]),
        (["FOLDER", "--temperature", "-1"], ["temperature: got -1.0", "at least 0"]),
        (["FOLDER", "--top_p", "2"], ["top_p: got 2.0"]),
        (["FOLDER", "--prompt", "xyz"], ["no token for 'x', 'y', 'z'", "It knows 9 characters"]),
    ],
    ids=lambda value: value[-1],
)
def test_what_is_refused_is_said_alone(folder, argv, words, capsys):
    assert main(["generate", *(folder if word == "FOLDER" else word for word in argv)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    for word in words:
        assert word in shown.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "required: model"),
        (["x", "--length", "many"], "invalid int value: 'many'"),
        (["x", "--topk", "3"], "--topk"),
    ],
    ids=["no model", "no number", "no flag"],
)
def test_missing_and_unknown_flags_are_named_with_the_usage(argv, words, capsys):
    with pytest.raises(SystemExit) as left:
        main(["generate", *argv])
    assert left.value.code == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "usage: kzoo generate" in shown


def test_text_comes_piece_by_piece_and_ctrl_c_ends_it(folder):
    # A shell's background jobs ignore Ctrl-C, and so would their children.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kzoo.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "generate", folder, "--prompt", "abc", "--length", "100000000"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = os.read(started.stdout.fileno(), 3)
    assert first == b"abc"
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert b"kzoo: interrupted." in said
    assert b"Traceback" not in said
