"""The pictures of a trained network of spiking neurons at work: arrays in, markup as text out."""

import numpy as np
import pictures
from lif_charts import Frame, safe, spread, ticks

_BLUE, _ORANGE = (0, 114, 178), (230, 120, 0)


def given_html(frames, spiking: bool) -> str:
    """What comes in at each step, as a strip of images.

    Args:
        frames: (t, h, w) in [0, 1].
        spiking: Whether these are spikes.
    """
    shown = frames[:15]
    names = [str(k) for k in range(1, len(shown) + 1)]
    what = "Spikes" if spiking else "The current"
    return (
        f'<p class="kz-title">{what} into the network, step by step'
        f"{f' (the first {len(shown)})' if len(frames) > len(shown) else ''}</p>"
        + pictures.grid(shown, label="Input at each step", names=names, side=64, columns=len(shown))
    )


def layer_svg(spikes, name: str, number: int) -> str:
    """The raster of a layer: a row a neuron, those that fire most on top.

    Args:
        spikes: (t, u) bool.
        name: Of the layer.
        number: Which of the hidden layers it is, from 1.
    """
    spikes = np.asarray(spikes, bool)
    steps, units = spikes.shape
    counts = spikes.sum(axis=0)
    first = np.where(counts > 0, spikes.argmax(axis=0), steps)
    order = np.lexsort((first, -counts))
    pixels = np.zeros((units, steps, 4), np.uint8)
    pixels[spikes.T[order]] = (*_BLUE, 255)
    fired = int((counts > 0).sum())
    frame = Frame(62.0, 470.0, 30.0, 330.0, (0.5, steps + 0.5), (units, 0))
    wide, tall = frame.right - frame.left, frame.base - frame.top
    said = f"Layer {name}: {fired} of {units} neurons fired, {int(counts.sum()):,} spikes in {steps} steps"
    whole = sorted({1, *range(5, steps + 1, 5 if steps <= 30 else 10), steps} if steps > 10 else range(1, steps + 1))
    title = f"Hidden layer {number}: {fired} of {units} fired"
    return (
        f'<svg class="mid" viewBox="0 0 480 376" role="img" aria-label="{safe(said)}">'
        f"{frame.axes(title=title, below='time step', widths=whole, heights=ticks(0, units))}"
        f'<image x="{frame.left:g}" y="{frame.top:g}" width="{wide:g}" height="{tall:g}" preserveAspectRatio="none" '
        f'href="{pictures.png(pixels)}"/>{frame.box("frame")}</svg>'
    )


def readout_svg(voltages, answers) -> str:
    """The voltages of the readout over time, one line a class, and what it would answer after each step.

    Args:
        voltages: (t, k).
        answers: (t,) the class after each step; None where nothing was drawn: then no class stands out.
    """
    voltages = np.asarray(voltages, float)
    steps, classes = voltages.shape
    means = voltages.mean(axis=0)
    best, second = np.argsort(-means)[:2] if answers is not None else (None, None)
    low, high = spread(float(voltages.min()), float(voltages.max()), 0.5)
    frame = Frame(62.0, 440.0, 30.0, 300.0, (0.5, steps + 0.5), (low, high))
    order = f"{best} is highest in the mean, then {second}" if answers is not None else "nothing is drawn"
    said = f"Voltages of ten output neurons over {steps} steps; {order}"
    whole = sorted({1, *range(5, steps + 1, 5)} if steps > 10 else range(1, steps + 1))
    parts = [
        f'<svg class="mid" viewBox="0 0 480 376" role="img" aria-label="{safe(said)}">',
        frame.axes(title="Voltage of each output neuron", below="time step", widths=whole),
    ]
    at = np.arange(1, steps + 1)
    last = [second, best] if answers is not None else []  # over the others
    for k in [*(k for k in range(classes) if k not in last), *last]:
        kind = {best: "winner", second: "second"}.get(k, "other")
        parts.append(frame.line(at, voltages[:, k], kind))
    # Names at the end, moved apart where they would cover each other.
    names = sorted(range(classes), key=lambda k: -voltages[-1, k])
    y = [float(frame.y(voltages[-1, k])) + 5 for k in names]
    for i in range(1, len(y)):
        y[i] = max(y[i], y[i - 1] + 14)
    over = max(0.0, y[-1] - frame.base)
    for k, place in zip(names, y, strict=True):
        kind = {best: "winnertext", second: "secondtext"}.get(k, "quiet")
        parts.append(f'<text class="{kind}" x="{frame.right + 8:g}" y="{place - over:.1f}">{k}</text>')
    if answers is None:
        return "".join([*parts, "</svg>"])
    parts.append(f'<text class="quiet spare" x="{frame.left - 6:g}" y="364" text-anchor="end">answer</text>')
    shown = range(0, steps, max(1, -(-steps // 15)))
    for k in shown:
        kind = "winnertext" if answers[k] == best else "quiet"
        parts.append(
            f'<text class="{kind}" x="{float(frame.x(k + 1)):.1f}" y="364" text-anchor="middle">{answers[k]}</text>'
        )
    return "".join([*parts, "</svg>"])
