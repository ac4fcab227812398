"""A network's activity as a film: a grid of neurons that light up with their spikes, and the raster beside it.

`activity_data` makes a small object of it that goes into JSON; `save_activity` writes that as GIF, MP4, or as a page
that a browser plays by itself. `activity_frames` and the player, activity.js, draw the same from the same object.

The object, version 1. Of a large network every so-many-th neuron is drawn; the drawn ones are numbered anew, from 0.

    format, version      "kzoo.activity", 1
    size, of, every      neurons drawn, neurons in all, and of how many one is drawn
    columns, rows        of the grid. A group begins in a row of its own and fills it from left to right
    groups               a list of {name, start, stop: drawn numbers; first, of: the first of all numbers, and how many;
                         row: the group's first row of the grid; color}
    duration, tick       seconds of the record, and of one unit of the times
    count                spikes of the drawn neurons
    ticks, neurons       base64 of little-endian whole numbers, one each a spike, in the order of time
    ticks_type, neurons_type   "u2" or "u4": numbers of two or of four bytes
    rate                 {bin: seconds; values: {group: [hertz, ...]}}, of all neurons, drawn or not
"""

import base64
import contextlib
import html
import itertools
import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from kzoo.errors import KzooError
from kzoo.files import replacing, write_text
from kzoo.plots.spikes import BIN, MAX_DOTS, MILLI, checked_groups, checked_spikes, positive, shown_neurons
from kzoo.plots.style import LABEL, label, new_figure

FORMAT, VERSION = "kzoo.activity", 1
MAX_NEURONS = 2500  # of the grid: 50 x 50
MAX_BINS = 400  # of the rate; more are noise beside each other
GLOW = 0.15  # seconds of the film in which a light falls to 1/e
DARK, DIM = "#0d1117", 0.14  # the ground of grid and raster, and how bright a silent neuron is
# On a dark ground: the light ones of the palette, by which the groups are told in every figure.
LIGHTS = {"excitatory": "#56B4E9", "inhibitory": "#E69F00"}
SUFFIXES = (".gif", ".mp4", ".html")


def activity_data(
    times,
    neurons,
    size: int,
    duration: float,
    *,
    groups=None,
    tick: float = 1e-4,
    max_neurons: int = MAX_NEURONS,
) -> dict:
    """A network's spikes as an object that goes into JSON and that `save_activity` and activity.js play.

    Args:
        times: (s,) seconds.
        neurons: (s,) whole numbers from 0 to size - 1.
        size: neurons in all.
        duration: seconds of the record.
        groups: name -> (start, stop) or slice of neurons; None means one group. A neuron of none is left out.
        tick: seconds to which the times are rounded.
        max_neurons: Neurons drawn. Of a larger network every so-many-th of each group is.

    Raises:
        ValueError: if the shapes do not fit, or a neuron or time is out of range.
    """
    times, neurons, size, duration = checked_spikes(times, neurons, size, duration)
    tick = positive("tick", tick, "seconds")
    if round(duration / tick) >= 2**32:
        raise ValueError(f"tick must be so long that the record has fewer than 2^32 of them; received {tick} s.")
    if int(max_neurons) != max_neurons or max_neurons < 1:
        raise ValueError(f"max_neurons must be a whole number of at least 1; received {max_neurons}.")
    spans = checked_groups(groups, size)
    every = -(-size // int(max_neurons))
    numbers = np.full(size, -1)
    found, shown = [], 0
    for k, (name, (first, last)) in enumerate(spans.items()):
        here = -(-(last - first) // every)
        numbers[first:last:every] = np.arange(shown, shown + here)
        light = LIGHTS.get(name, ("#56B4E9", "#E69F00", "#CC79A7", "#009E73")[k % 4])
        found.append(
            {"name": name, "start": shown, "stop": shown + here, "first": first, "of": last - first, "color": light}
        )
        shown += here
    columns = math.ceil(math.sqrt(shown))
    row = 0
    for group in found:
        group["row"] = row
        row += -(-(group["stop"] - group["start"]) // columns)
    drawn = numbers[neurons]
    inside = drawn >= 0
    ticks_type = "u2" if round(duration / tick) < 2**16 else "u4"
    neurons_type = "u2" if shown <= 2**16 else "u4"
    width = max(BIN, duration / MAX_BINS)
    bins = np.linspace(0, duration, max(2, round(duration / width) + 1))
    values = {}
    for name, (first, last) in spans.items():
        counts, _ = np.histogram(times[(neurons >= first) & (neurons < last)], bins)
        values[name] = np.round(counts / (last - first) / (bins[1] - bins[0]), 2).tolist()
    return {
        "format": FORMAT,
        "version": VERSION,
        "size": shown,
        "of": size,
        "every": every,
        "columns": columns,
        "rows": row,
        "groups": found,
        "duration": duration,
        "tick": tick,
        "count": int(inside.sum()),
        "ticks_type": ticks_type,
        "ticks": _packed(np.round(times[inside] / tick), ticks_type),
        "neurons_type": neurons_type,
        "neurons": _packed(drawn[inside], neurons_type),
        "rate": {"bin": float(bins[1] - bins[0]), "values": values},
    }


def activity_spikes(data: dict):
    """The spikes of the drawn neurons out of an object of `activity_data`: times (s,) in seconds, numbers (s,).

    Raises:
        ValueError: if it is no such object.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT or data.get("version") != VERSION:
        raise ValueError(f"data must be what activity_data gives, {FORMAT} version {VERSION}; received {data!r:.60}.")
    ticks, neurons = (
        np.frombuffer(base64.b64decode(data[key]), f"<{data[f'{key}_type']}") for key in ("ticks", "neurons")
    )
    if len(ticks) != data["count"] or len(neurons) != data["count"]:
        raise ValueError(f"data is damaged: it says {data['count']} spikes and holds {len(ticks)}, {len(neurons)}.")
    return ticks * data["tick"], neurons.astype(int)


def activity_places(data: dict) -> np.ndarray:
    """Where each drawn neuron stands in the grid: (size, 2), row and column."""
    places = np.empty((data["size"], 2), int)
    for group in data["groups"]:
        within = np.arange(group["stop"] - group["start"])
        places[group["start"] : group["stop"], 0] = group["row"] + within // data["columns"]
        places[group["start"] : group["stop"], 1] = within % data["columns"]
    return places


def afterglow(times, neurons, size: int, at: float, fade: float) -> np.ndarray:
    """How bright each neuron is at a moment: exp(-(at - its last spike) / fade), 1 at the spike, (size,).

    Args:
        times: (s,) seconds, ascending.
        neurons: (s,) numbers from 0 to size - 1.
        size: neurons.
        at: the moment, in seconds; a spike at that moment has been seen.
        fade: seconds in which a light falls to 1/e. After ten of them it is out.
    """
    # A nanosecond: times come out of ticks, and may be above a moment by rounding.
    first, last = np.searchsorted(times, [at - 10 * fade, at + 1e-9], side="right")
    light = np.zeros(size)
    # Of a number that comes several times, NumPy keeps the last: the latest spike.
    light[neurons[first:last]] = np.exp(np.minimum(times[first:last] - at, 0) / fade)
    return light


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
    _, rows = shown_neurons(neurons, spans, data["size"], MAX_DOTS)
    for group in data["groups"]:
        keep = (neurons >= group["start"]) & (neurons < group["stop"]) & (rows[neurons] >= 0)
        dots.plot(times[keep] / MILLI, neurons[keep], ".", color=group["color"], markersize=1.6, markeredgewidth=0)
        rate = data["rate"]["values"][group["name"]]
        edges = np.arange(len(rate) + 1) * data["rate"]["bin"] / MILLI
        below.stairs(rate, edges, color=group["color"], linewidth=1)
    dots.set_xlim(0, duration / MILLI)
    dots.set_ylim(data["size"] - 0.5, -0.5)  # the first on top, as in the grid
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


def player() -> str:
    """The text of activity.js: `kzooActivity(element, data, options)`, which draws into an element of a page."""
    return Path(__file__).with_name("activity.js").read_text(encoding="utf-8")


def activity_page(data: dict, *, title: str, seconds: float = 10.0, fade: float | None = None) -> str:
    """A whole page of HTML that plays an object of `activity_data` and asks nobody for anything."""
    # In a script only "</script" and "<!--" end it; in JSON a "<" may as well be written by its number.
    options = json.dumps({"seconds": seconds, "fade": fade})
    spikes = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    name = html.escape(title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
body {{ margin: 0 auto; padding: 1rem; max-width: 72rem; font: 16px system-ui, sans-serif; }}
h1 {{ font-size: 1.3rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #161b22; color: #e6edf3; }} }}
</style>
</head>
<body>
<h1>{name}</h1>
<div id="activity"></div>
<script>
{player()}
kzooActivity(document.getElementById("activity"), {spikes}, {options});
</script>
</body>
</html>
"""


def _packed(values, kind) -> str:
    return base64.b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode("ascii")


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
