"""A network's activity as a film: pictures of an object of `activity_data`, and the files made of them."""

import contextlib
import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from kzoo.errors import KzooError
from kzoo.files import replacing, write_text
from kzoo.plots.activity import activity_places, activity_spikes, afterglow
from kzoo.plots.activity_page import activity_page
from kzoo.plots.spikes import MAX_DOTS, MILLI, positive, shown_neurons, strokes
from kzoo.plots.style import LABEL, label, new_figure

GLOW = 0.15  # seconds of the film in which a light falls to 1/e
DARK, DIM = "#0d1117", 0.14  # the ground of grid and raster, and how bright a silent neuron is
SUFFIXES = (".gif", ".mp4", ".html")


def save_activity(
    data: dict,
    path,
    *,
    title: str = "Activity of a network",
    seconds: float = 10.0,
    fps: int = 20,
    fade: float | None = None,
    progress=None,
) -> Path:
    """Writes the film of an object of `activity_data`, and returns its path.

    Args:
        data: what `activity_data` gives.
        path: ends in .gif, .mp4 (made by the program ffmpeg), or .html: a page that plays by itself, with pause, scrub
            and speed, and asks nobody for anything.
        title: stands above it.
        seconds: of the film; the whole record is shown in that time. Of a page, how fast it starts.
        fps: pictures a second of the film; of a .gif at most 50, since browsers play more of them slowly.
        fade: seconds of the network's time in which a light falls to 1/e; by default 0.15 s of the film.
        progress: called with the number of pictures done, after each; None calls nothing.

    Raises:
        ValueError: for another ending, or a length or rate that is not above zero.
        KzooError: for an .mp4 where ffmpeg is missing or fails.
    """
    path = Path(path)
    seconds = positive("seconds", seconds, "seconds")
    fps = positive("fps", fps, "pictures a second")
    if fade is not None:
        fade = positive("fade", fade, "seconds")
    check_film(path)
    kind = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".html":
        activity_spikes(data)  # what is no such object is refused here, not in the browser
        write_text(path, activity_page(data, title=title, seconds=seconds, fade=fade))
        return path
    told = {"title": title, "fade": fade, "seconds": seconds}
    if kind == ".gif":
        fps = min(fps, 50.0)
    count = max(2, round(seconds * fps))
    frames = activity_frames(data, count=count, **told)
    with replacing(path) as temporary:
        if kind == ".gif":
            # In hundredths of a second, as GIF counts: at 30 a second 3, 4, 3, 3, 4, 3, ...
            ends = [round(100 * done / fps) for done in range(count + 1)]
            lengths = [10 * (after - before) for before, after in itertools.pairwise(ends)]
            _write_gif(temporary, frames, activity_frames(data, count=7, **told), lengths, progress)
        else:
            _write_mp4(temporary, frames, fps, progress, _ffmpeg(path))
    return path


def check_film(path) -> None:
    """Refuses a path that `save_activity` would refuse, before anything has been simulated.

    Raises:
        ValueError: for another ending than .gif, .mp4 and .html.
        KzooError: for an .mp4 where ffmpeg is missing.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"a film ends in {', '.join(SUFFIXES)}; received the path {str(path)!r}.")
    if path.suffix.lower() == ".mp4":
        _ffmpeg(path)


def activity_frames(data: dict, *, title: str, count: int, fade: float | None = None, seconds: float = 10.0):
    """The pictures of a film at equal steps of time, each (h, w, 4) of 8 bits: a generator that draws as it goes.

    Args:
        data: what `activity_data` gives.
        title: stands above it.
        count: pictures.
        fade: seconds of the network's time in which a light falls to 1/e; by default 0.15 s of the film.
        seconds: of the film, for that default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb

    times, neurons = activity_spikes(data)
    duration = data["duration"]
    fade = GLOW * duration / seconds if fade is None else fade
    figure = new_figure(9.6, 5.4, title)
    figure.set_dpi(80)  # 768 x 432, even numbers, as films must have
    canvas = FigureCanvasAgg(figure)
    spots = figure.add_gridspec(2, 2, width_ratios=[1, 1.05], height_ratios=[2.4, 1])
    grid, dots = figure.add_subplot(spots[:, 0]), figure.add_subplot(spots[0, 1])
    below = figure.add_subplot(spots[1, 1], sharex=dots)

    places = activity_places(data)
    lights = np.array([to_rgb(group["color"]) for group in data["groups"]])
    owner = np.repeat(np.arange(len(lights)), [group["stop"] - group["start"] for group in data["groups"]])
    ground = np.array(to_rgb(DARK))
    pixels = np.broadcast_to(ground, (data["rows"], data["columns"], 3)).copy()
    image = grid.imshow(pixels, interpolation="nearest", animated=True)
    grid.set_xticks([])
    grid.set_yticks([])
    said = ", ".join(f"{group['of']:,} {group['name']}" for group in data["groups"])
    some = "" if data["every"] == 1 else f" (one of {data['every']} drawn)"
    label(grid, x=f"{said}{some}")
    for axes in (dots, below):
        axes.set_facecolor(DARK)
    spans = {group["name"]: (group["start"], group["stop"]) for group in data["groups"]}
    every, rows = shown_neurons(neurons, spans, data["size"], MAX_DOTS)
    for group in data["groups"]:
        keep = (neurons >= group["start"]) & (neurons < group["stop"]) & (rows[neurons] >= 0)
        strokes(dots, times[keep], neurons[keep], every, data["size"], group["color"], 0.9)
        rate = data["rate"]["values"][group["name"]]
        edges = np.arange(len(rate) + 1) * data["rate"]["bin"] / MILLI
        # The largest group, whose rate is the smoothest, on top.
        below.stairs(rate, edges, color=group["color"], linewidth=1, zorder=2 + group["of"] / data["of"])
    dots.set_xlim(0, duration / MILLI)
    dots.tick_params(labelbottom=False, labelleft=False, left=False)
    label(dots, y="neurons")
    below.set_ylim(bottom=0)
    label(below, x="time (ms)", y="rate (Hz)")
    cursors = [axes.axvline(0, color="white", linewidth=1.2, animated=True) for axes in (dots, below)]
    clock = grid.text(
        0.0, 1.01, "", transform=grid.transAxes, fontsize=LABEL, family="monospace", animated=True, va="bottom"
    )
    canvas.draw()  # all that stays; the rest is drawn over a copy of it
    still = canvas.copy_from_bbox(figure.bbox)
    for at in np.linspace(0, duration, count):
        light = DIM + (1 - DIM) * afterglow(times, neurons, data["size"], at, fade)
        pixels[places[:, 0], places[:, 1]] = ground + light[:, None] * (lights[owner] - ground)
        image.set_data(pixels)
        clock.set_text(f"{at / MILLI:6.1f} ms")
        canvas.restore_region(still)
        grid.draw_artist(image)
        grid.draw_artist(clock)
        for axes, cursor in zip((dots, below), cursors, strict=True):
            cursor.set_xdata([at / MILLI, at / MILLI])
            axes.draw_artist(cursor)
        yield np.asarray(canvas.buffer_rgba()).copy()


def _ffmpeg(path) -> str:
    """The program ffmpeg, as matplotlib finds it."""
    import matplotlib

    program = shutil.which(matplotlib.rcParams["animation.ffmpeg_path"])
    if program is None:
        raise KzooError(
            f"{path}: an .mp4 is made by the program ffmpeg, which is not on this machine. Install it (apt install "
            "ffmpeg, brew install ffmpeg, conda install ffmpeg), or write a .gif or .html instead, which need nothing."
        )
    return program


def _write_gif(path, frames, samples, lengths, progress):
    from PIL import Image  # comes with matplotlib

    # One table of colours for the whole film, made of a few of its pictures: with one each, the colours flicker.
    table = Image.fromarray(np.concatenate(list(samples))).convert("RGB").quantize(128)

    def pictures():
        for done, frame in enumerate(frames, start=1):
            yield Image.fromarray(frame).convert("RGB").quantize(palette=table, dither=Image.Dither.NONE)
            if progress is not None:
                progress(done)

    others = pictures()
    first = next(others)
    # Pillow takes them one by one, so that no more than one is held as it was drawn.
    first.save(path, format="GIF", save_all=True, append_images=others, duration=lengths, loop=0)


def _write_mp4(path, frames, fps, progress, program):
    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    command = [program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}"]
    command += ["-r", f"{fps:g}", "-i", "-", "-an", "-c:v", "h264", "-pix_fmt", "yuv420p", str(path)]
    # A file, not a pipe: nobody reads it while the frames go in.
    with tempfile.TemporaryFile() as complaints:
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints)
        try:
            with contextlib.suppress(BrokenPipeError), running.stdin:  # broken: it has ended before us, and says why
                running.stdin.write(first.tobytes())
                for done, frame in enumerate(frames, start=2):
                    running.stdin.write(frame.tobytes())
                    if progress is not None:
                        progress(done)
        except BaseException:
            running.kill()
            raise
        finally:
            code = running.wait()
        complaints.seek(0)
        said = complaints.read().decode(errors="replace").strip()
    if code:
        raise KzooError(f"{path.name}: ffmpeg left with {code}: {said[-400:]} Write a .gif or .html instead.")
