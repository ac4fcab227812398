"""What every demo shares: the launch, the looks, checks of what a visitor sends, code panel, state link, download.

An app is a module with TITLE, SUMMARY, PRESETS, pure functions and `build() -> gr.Blocks`; it ends with

    if __name__ == "__main__":
        kit.launch(build, TITLE)

Importing this module imports kzoo, which chooses the backend, and Gradio; Keras is imported at first use.
"""

import argparse
import errno
import functools
import html
import inspect
import json
import math
import os
import socket
import tempfile
import threading
import time
import traceback as traceback_of
from pathlib import Path

# Gradio reads this at its import: no analytics, no question for a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# The networks of the demos are small and several visitors share the processor: threads that wait for each other in
# every operation cost far more than they bring. OpenMP reads this when a backend is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gradio as gr
import numpy as np
from starlette.middleware import Middleware

import kzoo
from kzoo.errors import KzooError

FIRST_PORT, LAST_PORT = 7860, 7959
MOST_POINTS = 200  # that a visitor may place in a plane
# A visitor's state is forgotten after this many seconds without a click, so that memory stays flat.
STATE_LIFE = 1800
# Training of several visitors side by side; others wait in the queue.
TRAIN = {"concurrency_id": "train", "concurrency_limit": 3}
# An event that belongs to the page alone: it stands in no list of endpoints.
PRIVATE = {"api_visibility": "private"}

# Fonts of the visitor's own system: a font by name from elsewhere would be a request to elsewhere.
THEME = gr.themes.Base(
    primary_hue="blue",
    secondary_hue="orange",
    neutral_hue="slate",
    radius_size="md",
    font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
    font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
).set(
    button_primary_background_fill="#005a8f",
    button_primary_background_fill_hover="#0072b2",
    button_primary_background_fill_dark="#0072b2",
    button_primary_background_fill_hover_dark="#2a8fc7",
    button_primary_text_color="#ffffff",
    button_primary_text_color_dark="#ffffff",
)

CSS = """
:root { --kz-quiet: #475569; --kz-paper: #ffffff; --kz-class0: #005c94; --kz-class1: #c64f00; --kz-good: #00704f;
  --kz-test: #a83a78; --kz-mark: #009e73; }
.dark { --kz-quiet: #b4bfce; --kz-paper: #10161f; --kz-class0: #5ab8f0; --kz-class1: #ffa45c; --kz-good: #4fd1a5;
  --kz-test: #f0a3cb; --kz-mark: #2fd3a2; }
.gradio-container { width: 100% !important; max-width: 1240px !important; margin: 0 auto !important; }
.kz-heading h1 { font-size: 1.7rem; font-weight: 650; margin: 0.2rem 0 0.1rem; letter-spacing: -0.01em; }
.kz-heading p { color: var(--kz-quiet); margin: 0 0 0.4rem; font-size: 1rem; max-width: 100ch; }
.kz-caption { color: var(--kz-quiet); font-size: 0.88rem; line-height: 1.4; margin: 0; }
.kz-figure img { border-radius: 8px; }
button:focus-visible, input:focus-visible, textarea:focus-visible, select:focus-visible, a:focus-visible,
[tabindex]:focus-visible, summary:focus-visible { outline: 3px solid #e69f00 !important; outline-offset: 2px; }
/* Rendered, so that a script can click it, and out of sight, so that nobody else does. */
.kz-hidden { position: absolute !important; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.gradio-container .html-container { padding: 4px 2px; }
.kz-tight { gap: 4px !important; }
.kz-buttons { align-items: center; gap: 8px !important; }
.kz-buttons button { white-space: nowrap; }
@media (max-width: 640px) {
  /* What is to be seen comes before what is to be set. */
  .kz-first { order: -1; }
  .kz-buttons > button { flex: 1 1 0 !important; min-width: 0 !important; padding-left: 4px; padding-right: 4px; }
  .kz-buttons > :not(button) { flex: 1 0 100% !important; }
  .gradio-container { padding: 8px !important; }
  .kz-heading h1 { font-size: 1.35rem; }
  .kz-heading p { font-size: 0.95rem; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""


# --- launch --------------------------------------------------------------------------------------------------------


def free_port(host: str, first: int = FIRST_PORT, last: int = LAST_PORT) -> int:
    """The first port of `first`..`last` that nobody listens on.

    Raises:
        SystemExit: with one message, if all are taken.
    """
    for port in range(first, last + 1):
        if _is_free(host, port):
            return port
    raise SystemExit(f"All ports from {first} to {last} are taken. Choose another:  --port 9000")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As a server does: a port in the last seconds of a closed connection counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise SystemExit(f"Port {port} needs more rights than you have. Choose one above 1023.") from None
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise SystemExit(f"--host {host}: this machine has no such address. Try --host 127.0.0.1") from None
            return False
    return True


def launch(build, title: str, arguments: list[str] | None = None) -> None:
    """Serves one app until Ctrl+C.

    Args:
        build: Function that makes the `gr.Blocks`.
        title: For the help text and the line that is printed.
        arguments: Words of the command line; None takes `sys.argv`.

    Raises:
        SystemExit: with one message, for a flag that does not exist or a port that is taken.
    """
    parser = argparse.ArgumentParser(description=f"Serves the demo {title!r} on this machine.", allow_abbrev=False)
    parser.add_argument("--port", type=int, help=f"port; default: the first free one from {FIRST_PORT}")
    parser.add_argument("--host", help="address to listen on; default: 127.0.0.1, this machine alone")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args(arguments)
    if options.port is not None and not 1 <= options.port <= 65535:
        parser.error(f"--port {options.port}: expected 1 to 65535")

    # On a Space, Gradio reads the address and the port from the environment.
    hosted = "SPACE_ID" in os.environ
    host, port = options.host, options.port
    if not hosted:
        host = host or "127.0.0.1"
        if port is None:
            port = free_port(host)
        elif not _is_free(host, port):
            raise SystemExit(
                f"Port {port} is taken by another program. Choose another, or leave --port out for a free one."
            )
    try:
        backend = kzoo.backend.name()
    except KzooError as error:
        raise SystemExit(str(error)) from None
    print(f"{title}: starting on the backend {backend} ...", flush=True)

    demo = None
    try:
        demo = _serve(build(), host, port, options.open)
        print(f"{title}: {demo.local_url}   (to stop: Ctrl+C)", flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        if demo is not None:
            demo.close(verbose=False)


def _serve(demo: gr.Blocks, host: str | None, port: int | None, inbrowser: bool) -> gr.Blocks:
    """Launches a page with the looks and the limits that every demo shares; returns at once."""
    demo.queue(max_size=64, default_concurrency_limit=4)
    demo.launch(
        server_name=host,
        server_port=port,
        inbrowser=inbrowser,
        theme=THEME,
        css=CSS,
        share=False,
        ssr_mode=False,
        show_error=True,
        quiet=True,
        max_file_size="2mb",
        footer_links=["api", "settings"],
        run_history=False,
        prevent_thread_lock=True,
        enable_monitoring=False,
        app_kwargs={"middleware": [Middleware(LocalFilesOnly)]},
    )
    return demo


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


def blocks(title: str) -> gr.Blocks:
    """An empty page; files that it hands out are deleted after an hour."""
    return gr.Blocks(title=title, analytics_enabled=False, delete_cache=(600, 3600))


# --- pieces of a page ----------------------------------------------------------------------------------------------


def heading(title: str, summary: str) -> gr.HTML:
    """The page's title and one line on what is to be seen."""
    return gr.HTML(f'<div class="kz-heading"><h1>{html.escape(title)}</h1><p>{html.escape(summary)}</p></div>')


def caption(text: str = "") -> gr.HTML:
    """One line under a plot. As an output it takes what `caption_html` makes."""
    return gr.HTML(caption_html(text))


def caption_html(text: str) -> str:
    """A caption's markup; `text` is shown as it is, never read as HTML."""
    return f'<p class="kz-caption">{html.escape(text)}</p>'


def code_panel(code: str = "") -> gr.Code:
    """Keras code in a panel that opens on demand."""
    with gr.Accordion("Show the code", open=False):
        return gr.Code(
            code,
            language="python",
            label="Runs as pasted, and gives what is on screen",
            interactive=False,
            max_lines=40,
            buttons=["copy"],
        )


def figure(width: float, height: float):
    """A matplotlib figure of `width` x `height` inches on a solid white card: legible on light and dark pages."""
    from kzoo.plots.style import new_figure

    made = new_figure(width, height)
    made.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return made


# --- the state in the address --------------------------------------------------------------------------------------


def link_button(controls: dict, defaults: dict | None = None) -> gr.Button:
    """A button that writes the page's state into a link, shows it and copies it.

    Args:
        controls: Name in the link -> component. The browser alone does the work: no event reaches the server.
        defaults: Name -> value that a link need not mention, since `restore`'s caller takes it by itself.
    """
    with gr.Row(elem_classes="kz-link"):
        button = gr.Button("Copy link to this state", size="sm", scale=0, min_width=200)
        box = gr.Textbox(show_label=False, container=False, interactive=False, placeholder="the link appears here",
                         elem_classes="kz-link-box", scale=1, min_width=160, label="Link to this state")  # fmt: skip
    script = f"""(...values) => {{
        const names = {json.dumps(list(controls))};
        const defaults = {json.dumps({name: str(value) for name, value in (defaults or {}).items()})};
        const query = new URLSearchParams();
        names.forEach((name, i) => {{
            if (String(values[i]) === defaults[name]) return;
            if (values[i] !== null && values[i] !== undefined && values[i] !== "") query.set(name, String(values[i]));
        }});
        const link = window.location.origin + window.location.pathname + "?" + query.toString();
        if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => {{}});
        return link;
    }}"""
    button.click(None, list(controls.values()), box, js=script, show_progress="hidden", **PRIVATE)
    return button


def read_query(controls: dict, query) -> tuple[dict, list[str]]:
    """The values that an address asks for, checked against their controls.

    Args:
        controls: Name -> component, as in `link_button`.
        query: Mapping of the address's parameters, text to text.

    Returns:
        Name -> value for each good one, and the names of the bad ones.
    """
    good, bad = {}, []
    for name, component in controls.items():
        if name not in query:
            continue
        try:
            good[name] = _parse(component, str(query[name]))
        except ValueError:
            bad.append(name)
    return good, bad


def _parse(component, text: str):
    """The value of a control from its text.

    Raises:
        ValueError: if the control does not allow it.
    """
    if isinstance(component, (gr.Slider, gr.Number)):
        value = float(text) if len(text) < 40 else math.nan
        low, high = component.minimum, component.maximum
        if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(text)
        whole = getattr(component, "precision", None) == 0
        step = getattr(component, "step", None)
        if whole or (isinstance(component, gr.Slider) and isinstance(step, int) and isinstance(low, int)):
            if value != int(value):
                raise ValueError(text)
            return int(value)
        return value
    if isinstance(component, gr.Checkbox):
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    if isinstance(component, (gr.Dropdown, gr.Radio)):
        for choice in component.choices:
            value = choice[1] if isinstance(choice, (tuple, list)) else choice
            if text == str(value):
                return value
        raise ValueError(text)
    if isinstance(component, gr.Textbox):
        if len(text) > (component.max_length or 10_000):
            raise ValueError(text)
        return text
    raise ValueError(text)


def restore(controls: dict, request: gr.Request | None) -> dict:
    """Name -> value for what the page's address asks for; a bad value is ignored, and a note names its key.

    To be called in a handler of `demo.load`, whose `gr.Request` it is given.
    """
    query = request.query_params if request is not None else {}
    good, bad = read_query(controls, query)
    for name in bad:
        gr.Info(f"The link's value of {name!r} is not allowed here and was left out.")
    return good


# --- download ------------------------------------------------------------------------------------------------------


def download(model, name: str = "model") -> str:
    """The path of a fresh `.keras` file of `model` in Gradio's own cache, from which a page may hand it out."""
    root = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root)) / f"{name}.keras"
    model.save(path)
    return str(path)


_BUTTONS = iter(range(1_000_000))


def download_button(label: str, make, inputs) -> gr.Button:
    """A button that makes a file and hands it out at one click.

    Gradio's own DownloadButton needs its file before the click; here a hidden one is clicked by a script.

    Args:
        label: The button's text.
        make: From the inputs' values to a path that `download` gave.
        inputs: Components.
    """
    name = f"kz-download-{next(_BUTTONS)}"
    button = gr.Button(label, size="sm", scale=0, min_width=200)
    hidden = gr.DownloadButton("Download", elem_id=name, elem_classes="kz-hidden")
    # A moment for the new address to reach the hidden button before it is clicked.
    script = f"""() => {{ setTimeout(() => {{
        const found = document.querySelector("#{name}");
        if (found) (found.closest("a") || found.querySelector("a") || found).click();
    }}, 250); }}"""
    button.click(make, inputs, hidden, preprocess=True, **PRIVATE).success(None, None, None, js=script, **PRIVATE)
    return button


# --- one visitor's work --------------------------------------------------------------------------------------------


class Stop:
    """A flag by which one visitor's event ends another of theirs; it lives in that visitor's `gr.State`.

    Gradio copies a state's first value for each visitor; a copy of a flag is a fresh flag.
    """

    def __init__(self):
        self._event = threading.Event()

    def __deepcopy__(self, memo):
        return Stop()

    def set(self) -> None:
        """Asks the work to end."""
        self._event.set()

    def clear(self) -> None:
        """Allows work to begin."""
        self._event.clear()

    def __bool__(self) -> bool:
        return self._event.is_set()


_PRESETS: dict = {}
_LOCK = threading.Lock()


def preset(name: str):
    """A shipped preset's model, loaded once and shared: read it, never train it. None where it does not ship."""
    with _LOCK:
        if name not in _PRESETS:
            import keras

            keras.config.set_dtype_policy("float32")
            _PRESETS[name] = kzoo.from_preset(name) if name in kzoo.list_presets() else None
        return _PRESETS[name]


def in_float32(handler):
    """A handler (function or generator) that runs under Keras's policy float32 and speaks plain errors.

    Keras keeps its dtype policy per thread, and Gradio calls handlers in threads of its own. A `KzooError` becomes a
    message on the page; any other error becomes one that says so, without a traceback on the page.
    """

    def begin():
        import keras

        keras.config.set_dtype_policy("float32")

    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def wrapped(*args, **kwargs):
            begin()
            with _plain_errors():
                yield from handler(*args, **kwargs)
    else:

        @functools.wraps(handler)
        def wrapped(*args, **kwargs):
            begin()
            with _plain_errors():
                return handler(*args, **kwargs)

    return wrapped


class _plain_errors:  # noqa: N801
    """Turns errors into one line on the page."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, KzooError):
            raise refuse(str(error)) from None
        if isinstance(error, Exception) and not isinstance(error, gr.Error):
            traceback_of.print_exception(error)  # in the server's log, not on the page
            raise refuse(f"The demo itself failed ({kind.__name__}). Reload the page to start afresh.") from None
        return False


# --- checks of what a visitor or an API client sends ---------------------------------------------------------------


def refuse(message: str) -> gr.Error:
    """The error to raise for a visitor's mistake: one message, escaped, and no traceback in the log."""
    return gr.Error(html.escape(message, quote=False), print_exception=False, title="This did not work")


def shown(value) -> str:
    """A received value as a message may quote it: short, on one line."""
    text = " ".join(repr(value).split()) if not isinstance(value, np.ndarray) else f"an array of shape {value.shape}"
    return text if len(text) <= 60 else text[:57] + "..."


def check_number(name: str, value, low: float, high: float, *, whole: bool = False):
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


def check_choice(name: str, value, choices) -> str:
    """One of `choices`.

    Raises:
        gr.Error: as above.
    """
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise refuse(f"{name}: got {shown(value)}; expected one of {', '.join(map(str, choices))}.")
    return value


def check_flag(name: str, value) -> bool:
    """True or false.

    Raises:
        gr.Error: as above.
    """
    if not isinstance(value, bool):
        raise refuse(f"{name}: got {shown(value)}; expected true or false.")
    return value


def check_text(name: str, value, longest: int) -> str:
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


def check_list(name: str, value, longest: int, shortest: int = 0) -> list:
    """A list of `shortest`..`longest` items.

    Raises:
        gr.Error: as above.
    """
    if not isinstance(value, (list, tuple)):
        raise refuse(f"{name}: got {shown(value)}; expected a list.")
    if not shortest <= len(value) <= longest:
        raise refuse(f"{name}: got {len(value)} items; expected {shortest} to {longest}.")
    return list(value)


def check_array(name: str, value, shape: tuple, low: float, high: float) -> np.ndarray:
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


def read_points(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A visitor's points: x (n, 2) float32 in [-1, 1] and y (n,) int32 from lines "x, y, class".

    Raises:
        gr.Error: names the first line that is not of that form, or the lack of a class.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            across, up, kind = (float(part) for part in line.split(","))
        except ValueError:
            raise refuse(
                f"points, line {number}: got {shown(line)}; expected x, y, class, such as 0.3, -0.5, 1"
            ) from None
        if not (abs(across) <= 1 and abs(up) <= 1 and kind in (0, 1)):
            raise refuse(f"points, line {number}: got {shown(line)}; expected x and y from -1 to 1 and class 0 or 1.")
        rows.append((across, up, kind))
        if len(rows) > MOST_POINTS:
            raise refuse(f"points: got more than {MOST_POINTS}; this page takes {MOST_POINTS} at most.")
    array = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return array[:, :2].astype(np.float32), array[:, 2].astype(np.int32)
