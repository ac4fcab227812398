"""Checks of what a visitor or an API client sends: every value that a handler gets, and every request.

    noise = validate.number("noise", noise, 0, 0.5)

A check gives the value back, in its type, or raises one line that names what it is, what came and what is allowed.
"""

import html
import json
import math

import gradio as gr
import numpy as np


def refuse(message: str) -> gr.Error:
    """The error to raise for a visitor's mistake: one message, escaped, and no traceback in the log."""
    return gr.Error(html.escape(message, quote=False), print_exception=False, title="This did not work")


def shown(value) -> str:
    """A received value as a message may quote it: short, on one line."""
    text = " ".join(repr(value).split()) if not isinstance(value, np.ndarray) else f"an array of shape {value.shape}"
    return text if len(text) <= 60 else text[:57] + "..."


def number(name: str, value, low: float, high: float, *, whole: bool = False):
    """A finite number within `low`..`high`; an int where `whole`.

    Raises:
        gr.Error: one line that names what it is, what came, and what is allowed.
    """
    noun = "whole number" if whole else "number"
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Python's ints may be too large for a float.
    good = good and abs(value) < 1e300 and math.isfinite(value) and low <= value <= high
    if not good or (whole and value != int(value)):
        raise refuse(f"{name}: got {shown(value)}; expected a {noun} from {low:g} to {high:g}.")
    return int(value) if whole else float(value)


def choice(name: str, value, choices) -> str:
    """One of `choices`.

    Raises:
        gr.Error: as above.
    """
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise refuse(f"{name}: got {shown(value)}; expected one of {', '.join(map(str, choices))}.")
    return value


def flag(name: str, value) -> bool:
    """True or false.

    Raises:
        gr.Error: as above.
    """
    if not isinstance(value, bool):
        raise refuse(f"{name}: got {shown(value)}; expected true or false.")
    return value


def text(name: str, value, longest: int) -> str:
    """Text of at most `longest` characters; nothing at all counts as "".

    Raises:
        gr.Error: as above.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refuse(f"{name}: got {shown(value)}; expected text.")
    if len(value) > longest:
        raise refuse(f"{name}: got {len(value)} characters; expected at most {longest}.")
    return value


def items(name: str, value, longest: int, shortest: int = 0) -> list:
    """A list of `shortest`..`longest` items.

    Raises:
        gr.Error: as above.
    """
    if not isinstance(value, (list, tuple)):
        raise refuse(f"{name}: got {shown(value)}; expected a list.")
    if not shortest <= len(value) <= longest:
        raise refuse(f"{name}: got {len(value)} items; expected {shortest} to {longest}.")
    return list(value)


def array(name: str, value, shape: tuple, low: float, high: float) -> np.ndarray:
    """A float32 array of numbers within `low`..`high`.

    Args:
        name: What the message calls it.
        value: Nested lists or an array.
        shape: The sizes wanted; a pair (smallest, largest) leaves a size open.
        low: The least value.
        high: The greatest value.

    Raises:
        gr.Error: as above.
    """
    ranges = [size if isinstance(size, tuple) else (size, size) for size in shape]
    wanted = " x ".join(str(a) if a == b else f"{a}..{b}" for a, b in ranges)
    expected = f"expected numbers from {low:g} to {high:g} in the shape {wanted}"
    # Measured before it is converted: a ragged or huge nest of lists costs nothing this way.
    sizes, part = [], value
    while isinstance(part, (list, tuple, np.ndarray)) and len(sizes) <= len(ranges):
        sizes.append(len(part))
        part = part[0] if len(part) else None
    fits = len(sizes) == len(ranges) and all(a <= size <= b for size, (a, b) in zip(sizes, ranges, strict=True))
    if not fits:
        raise refuse(f"{name}: got {shown(value)}; {expected}.")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise refuse(f"{name}: got rows of unequal length; {expected}.") from None
    if list(array.shape) != sizes or array.dtype.kind not in "iufb":
        raise refuse(f"{name}: got something else than numbers, or rows of unequal length; {expected}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or (array.size and not (low <= array.min() and array.max() <= high)):
        raise refuse(f"{name}: got a value that is out of range or no number; {expected}.")
    return array.astype(np.float32)


class LocalFilesOnly:
    """ASGI middleware: no request makes the server fetch an address, and none is larger than a page's own.

    Gradio downloads a file that a client names by an http address, for any input of any event. A page of ours only ever
    sends files that were uploaded to it.
    """

    LARGEST = 4_000_000  # bytes of an event's JSON; uploads have Gradio's own limit

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].endswith("/gradio_api/upload"):
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= self.LARGEST:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > self.LARGEST:
            await self._refuse(send, 413, f"The request is larger than {self.LARGEST // 1_000_000} MB; send less.")
            return
        if _names_an_address(body):
            await self._refuse(send, 400, "A file must be uploaded to this page; none is fetched from an address.")
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def again():
            return waiting.pop() if waiting else await receive()

        await self.app(scope, again, send)

    @staticmethod
    async def _refuse(send, status: int, message: str):
        body = json.dumps({"detail": message}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _names_an_address(body: bytes) -> bool:
    """Whether a JSON body holds a file whose path is an address."""
    try:
        parts = [json.loads(body)]
    except (ValueError, RecursionError):
        return False  # Gradio refuses it by itself
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            path = part.get("path")
            if isinstance(path, str) and "://" in path:
                return True
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
    return False


def places(name: str, text: str, reach: float, example: str) -> list[tuple[float, float]]:
    """A visitor's points in a plane, from lines "x, y"; empty lines count for nothing.

    Args:
        name: What they are, as the page calls them.
        text: The lines.
        reach: The largest number, in size, of either coordinate.
        example: A line as it should be.

    Raises:
        gr.Error: names the first line that is not of that form.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            x, y = (float(part) for part in line.split(","))
        except ValueError:
            x = y = math.nan
        if not (abs(x) <= reach and abs(y) <= reach):
            raise refuse(
                f"{name}, line {number}: got {shown(line)}; expected x, y, both from {-reach:g} to {reach:g}, "
                f"such as {example}"
            )
        found.append((x, y))
    return found
