"""The film of a network: its pictures, and the files that are written."""

import json
import stat
import sys

import numpy as np
import pytest

from kzoo.errors import KzooError
from kzoo.plots import activity_film

from .conftest import made


def bright(frame, color):
    """Where the left half of a picture has a colour: rows and columns, as parts of its height and width."""
    rows, columns = np.nonzero(np.abs(frame[:, :384, :3].astype(int) - color).max(axis=-1) < 3)
    assert len(rows) > 3000  # a cell of the grid, and no dot
    return np.median(rows) / len(frame), np.median(columns) / frame.shape[1]


def test_a_frame_lights_the_neuron_that_spikes_where_it_stands():
    blue, vermillion = [0x55, 0xA1, 0xCC], [0xE3, 0x94, 0x55]  # a third lighter than on paper: the ground is dark
    frames = list(activity_film.activity_frames(made(), title="ten", count=11, fade=1e-3))  # one each 10 ms
    assert len(frames) == 11
    assert frames[0].shape == (432, 768, 4)
    zero, one, seven = bright(frames[0], blue), bright(frames[1], blue), bright(frames[6], vermillion)
    assert zero[0] == pytest.approx(one[0], abs=0.01)
    assert 0.05 < one[1] - zero[1] < 0.15  # the cell to the right of it
    assert seven[1] == pytest.approx(zero[1], abs=0.01)
    assert seven[0] > zero[0] + 0.3  # two rows below
    assert not (np.abs(frames[0][:, :384, :3].astype(int) - vermillion).max(axis=-1) < 3).any()


def test_a_light_falls_in_a_seventh_of_a_second_of_the_film_unless_told_otherwise():
    def second(**options):
        frames = activity_film.activity_frames(made(), title="ten", count=12, **options)  # 9 ms after the first spike
        return next(frame for k, frame in enumerate(frames) if k == 1)

    np.testing.assert_array_equal(second(seconds=2), second(fade=0.15 * 0.1 / 2))
    assert (second(seconds=2) != second(seconds=1)).any()  # 0.15 s


def test_a_gif_lasts_as_long_as_it_was_asked_to(tmp_path):
    from PIL import Image

    seen = []
    path = activity_film.save_activity(made(), tmp_path / "new" / "a.gif", seconds=1, fps=10, progress=seen.append)
    with Image.open(path) as film:
        assert (film.n_frames, film.size) == (10, (768, 432))
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0  # for ever
    assert seen == list(range(1, 11))


@pytest.mark.parametrize(("fps", "count"), [(30, 30), (12, 12), (300, 50)])
def test_a_gif_lasts_as_long_where_its_pictures_take_no_whole_hundredths(tmp_path, fps, count):
    from PIL import Image, ImageSequence

    path = activity_film.save_activity(made(), tmp_path / "a.gif", seconds=1, fps=fps)
    with Image.open(path) as film:
        lengths = [picture.info["duration"] for picture in ImageSequence.Iterator(film)]
    assert sum(lengths) == 1000
    assert len(lengths) == count
    assert min(lengths) >= 20  # browsers play what is shorter slowly


@pytest.mark.parametrize(("name", "words"), [("a.avi", "ends in .gif, .mp4, .html"), ("a", "ends in")])
def test_another_ending_is_refused(tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        activity_film.save_activity(made(), tmp_path / name)


@pytest.mark.parametrize("option", ["seconds", "fps", "fade"])
def test_a_film_of_no_length_is_refused(tmp_path, option):
    with pytest.raises(ValueError, match=f"{option} must be above 0"):
        activity_film.save_activity(made(), tmp_path / "a.gif", **{option: 0})


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
    path = activity_film.save_activity(made(), tmp_path / "a.mp4", seconds=0.5, fps=10)
    size, words = json.loads(path.read_text(encoding="utf-8"))
    assert size == 5 * 768 * 432 * 4
    assert words[words.index("-s") + 1] == "768x432"
    assert words[words.index("-r") + 1] == "10"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line")
def test_what_ffmpeg_complains_of_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "sys.exit('Unknown encoder h264')")
    with pytest.raises(KzooError, match=r"ffmpeg left with 1: Unknown encoder h264 Write a \.gif"):
        activity_film.save_activity(made(), tmp_path / "a.mp4", seconds=1)
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]


def test_without_ffmpeg_it_is_said_what_to_install_and_a_gif_works(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KzooError, match=r"apt install ffmpeg.*or write a \.gif or \.html"):
        activity_film.save_activity(made(), tmp_path / "a.mp4")
    activity_film.save_activity(made(), tmp_path / "a.gif", seconds=0.1)
