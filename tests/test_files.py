"""Files are written whole or not at all; what is read is what was expected, or is named with a remedy."""

import json

import pytest

from kzoo import files
from kzoo.errors import KzooError
from kzoo.files import copy, read_json, replacing, replacing_folder, runs_in, write_json, write_text


def test_a_file_appears_under_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "model.weights.h5"
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        # Keras reads the format from the endings.
        assert temporary.name.endswith(".weights.h5")
        assert temporary.parent == tmp_path
    assert path.read_bytes() == b"half"
    assert [p.name for p in tmp_path.iterdir()] == ["model.weights.h5"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "state.json"
    write_text(path, "old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("new, but")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_others_may_read_what_was_written(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ä": [1, 2]}
    assert (tmp_path / "a.json").stat().st_mode & 0o444 == 0o444


def test_a_copy_replaces_what_was_there(tmp_path):
    write_text(tmp_path / "last", "new")
    write_text(tmp_path / "best", "old and longer")
    copy(tmp_path / "last", tmp_path / "best")
    write_text(tmp_path / "last", "newer")
    assert (tmp_path / "best").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last"]


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    for text in ("old", "new"):
        with replacing_folder(tmp_path / "made" / "a") as temporary:
            (temporary / text).write_text(text)
    assert _names(tmp_path) == ["made", "made/a", "made/a/new"]

    def fails():
        with replacing_folder(tmp_path / "made" / "a") as temporary:
            (temporary / "half").write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fails()
    assert _names(tmp_path) == ["made", "made/a", "made/a/new"]


def test_an_empty_folder_is_filled_and_stays_the_same_folder(tmp_path):
    (tmp_path / "a").mkdir()
    before = (tmp_path / "a").stat().st_ino
    with replacing_folder(tmp_path / "a") as temporary:
        (temporary / "file").write_text("")
    assert _names(tmp_path) == ["a", "a/file"]
    assert (tmp_path / "a").stat().st_ino == before


def test_a_folder_whose_exchange_is_interrupted_is_put_back(tmp_path, monkeypatch):
    folder = tmp_path / "preset"
    folder.mkdir()
    (folder / "config.json").write_text("old")
    rename = files.os.replace

    def interrupted(source, target):
        rename(source, target)
        if source == folder:
            raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), files.replacing_folder(folder) as temporary:
        (temporary / "config.json").write_text("new")
    assert (folder / "config.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


def test_runs_are_found_by_their_recipes_and_presets_are_none(tmp_path):
    for name in ("b", "a", "preset"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.json").touch()
    (tmp_path / "preset" / "config.json").touch()
    (tmp_path / "notes").mkdir()
    assert runs_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert runs_in(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: "),
        (b"{", "no valid JSON"),
        (b'"\xff"', "no valid JSON"),
        (b"[]", "no JSON object"),
        (b'{"a": 1}', "lacks b, c"),
    ],
    ids=["absent", "half", "no UTF-8", "a list", "keys missing"],
)
def test_a_file_that_is_not_the_object_expected_is_named_with_the_remedy(content, words, tmp_path):
    path = tmp_path / "state.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KzooError) as refused:
        read_json(path, "Write it anew.", ("a", "b", "c"))
    assert str(path) in str(refused.value)
    assert words in str(refused.value)
    assert str(refused.value).endswith(" Write it anew.")
