"""What every page of the demos shares: the launch, the looks, its pieces, its models and the frame of its handlers.

An app is a module with TITLE, SUMMARY, PRESETS, pure functions and `build() -> gr.Blocks`; it ends with

    if __name__ == "__main__":
        kit.launch(build, TITLE)

Beside this module: `validate` checks what a visitor sends, `link` keeps a page's state in its address, `player` trains
step by step and `live` puts its buttons on a page, `points` has a visitor's own points, `drawing` pictures as SVG.

Importing this module imports kzoo, which chooses the backend, and Gradio; Keras is imported at first use.
"""

import argparse
import contextlib
import ctypes
import errno
import functools
import gc
import html
import inspect
import os
import socket
import tempfile
import threading
import time
import traceback
import weakref
from pathlib import Path

# Gradio reads this whenever a page is made: no analytics, no question for a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# The networks of the demos are small and several visitors share the processor: threads that wait for each other in
# every operation cost far more than they bring. OpenMP reads this when a backend is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gradio as gr
from starlette.middleware import Middleware
from validate import LocalFilesOnly, refuse

import kzoo
from kzoo.errors import KzooError

FIRST_PORT, LAST_PORT = 7860, 7959
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
  .tab-container[role="tablist"] > button { padding-left: 10px; padding-right: 10px; }
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


def _share_memory() -> None:
    """Keeps the server from growing by the hour, where the C library is glibc.

    It gives many threads up to eight heaps a core, and what one visitor's thread frees stays with that thread: two
    heaps serve all. The networks that nobody uses any more are collected twice a minute while there is work, which
    Python does ever more seldom by itself the more it holds, and what lies free goes back to the system.
    """
    arena_max = -8  # M_ARENA_MAX of malloc.h
    try:
        library = ctypes.CDLL(None)
        library.mallopt(arena_max, 2)
        trim = library.malloc_trim
    except (AttributeError, OSError):
        return

    def keep_small():
        collected = time.process_time()
        while True:
            time.sleep(30)
            # Where nobody came, there is nothing to collect, and half a million objects to look at.
            if time.process_time() - collected > 3:
                gc.collect()
                trim(0)
                collected = time.process_time()

    threading.Thread(target=keep_small, daemon=True, name="memory").start()


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
    _share_memory()

    demo = None
    try:
        import keras  # now, so that no visitor waits for it

        keras.config.set_dtype_policy("float32")
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


def blocks(title: str) -> gr.Blocks:
    """An empty page; files that it hands out are deleted after an hour."""
    return gr.Blocks(title=title, analytics_enabled=False, delete_cache=(600, 3600))


# --- pieces of a page ----------------------------------------------------------------------------------------------


def tabs() -> gr.Tabs:
    """Tabs that are all seen on a narrow page too: in a second row, where Gradio's own hide behind three dots."""
    # Older releases of Gradio do not know of it.
    known = "overflow_behavior" in inspect.signature(gr.Tabs).parameters
    return gr.Tabs(overflow_behavior="wrap") if known else gr.Tabs()


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


# --- models --------------------------------------------------------------------------------------------------------

_PRESETS: dict = {}
_ALONE = weakref.WeakKeyDictionary()  # model -> lock
_LOCK = threading.Lock()


def preset(name: str, use: str = "answers"):
    """A shipped preset's model, loaded once and shared by all visitors; None where it does not ship.

    Ask it inside of `alone`, and never train it.

    Args:
        name: Of the preset.
        use: Each use has a model of its own, so that what takes long keeps nobody else waiting.
    """
    with _LOCK:
        if (name, use) not in _PRESETS:
            import keras

            keras.config.set_dtype_policy("float32")
            _PRESETS[name, use] = kzoo.from_preset(name) if name in kzoo.list_presets() else None
        return _PRESETS[name, use]


@contextlib.contextmanager
def alone(model):
    """A block in which no other thread trains, asks or saves `model`; gives the model. Blocks may be nested.

    On JAX a training step takes the memory of the weights away while it runs, and a compiled prediction that of the
    statistics: who reads them meanwhile fails. Pure functions know nothing of this; handlers of a page do.
    """
    with _LOCK:
        lock = _ALONE.setdefault(model, threading.RLock())
    with lock:
        yield model


def download(model, name: str = "model") -> str:
    """The path of a fresh `.keras` file of `model` in Gradio's own cache, from which a page may hand it out."""
    root = Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root)) / f"{name}.keras"
    with alone(model):
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


# --- handlers ------------------------------------------------------------------------------------------------------


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
            with _in_one_line():
                yield from handler(*args, **kwargs)
    else:

        @functools.wraps(handler)
        def wrapped(*args, **kwargs):
            begin()
            with _in_one_line():
                return handler(*args, **kwargs)

    return wrapped


@contextlib.contextmanager
def _in_one_line():
    """Turns errors into one line on the page."""
    try:
        yield
    except KzooError as error:
        raise refuse(str(error)) from None
    except gr.Error:
        raise
    except Exception as error:
        traceback.print_exception(error)  # in the server's log, not on the page
        raise refuse(f"The demo itself failed ({type(error).__name__}). Reload the page to start afresh.") from None
