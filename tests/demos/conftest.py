"""What the tests of the demos share: each app served once in a process of its own, and a browser that is strict.

    def test_the_page_opens(served, page, screenshot):
        tab = page(served("cnn_app"), width=390, dark=True)
        tab.get_by_role("button", name="Clear").click()
        screenshot("cnn_phone_dark")

A test that opens a page fails at its end if the page wrote an error to the console or asked anyone but this machine
for anything. `KZOO_SCREENSHOTS` names the folder that keeps the pictures.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

DEMOS = Path(__file__).parents[2] / "demos"
LOCAL = {"localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0"}

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before any test imports Gradio
_NO_GRADIO = None if importlib.util.find_spec("gradio") else 'Gradio is not installed: pip install "kzoo[demos]"'


class _WithoutGradio(pytest.Module):
    """Stands in for a module of tests that could not even be imported here."""

    def collect(self):
        pytest.skip(_NO_GRADIO, allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    return _WithoutGradio.from_parent(parent, path=module_path) if _NO_GRADIO else None


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class App:
    """One app in a process of its own.

    Attributes:
        url: Where it answers, without a closing slash.
        process: The running `subprocess.Popen`.
        seconds: From the command to the first answer.
        watched: File with a line for each file that the process opened and each address that it called.
    """

    def __init__(self, command: list[str], port: int, folder: Path, name: str, *, cwd=None, environment=None):
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"{name}.log"
        self.watched = folder / f"{name}.watched"
        self.watched.touch()
        environment = dict(os.environ if environment is None else environment)
        environment["KZOO_WATCH"] = str(self.watched)
        environment["PYTHONPATH"] = str(Path(__file__).parent / "watch")
        environment["PYTHONUNBUFFERED"] = "1"
        environment["GRADIO_TEMP_DIR"] = str(folder / f"{name}-files")
        environment.pop("KZOO_DATA_DIR", None)  # a visitor's machine has presets and nothing else
        started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(120)
        except BaseException:
            self.stop()
            raise
        self.seconds = time.monotonic() - started

    def _wait(self, limit: float) -> None:
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the app left with code {self.process.returncode}:\n{self.output()}")
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/config", timeout=10) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"no answer within {limit:.0f} s:\n{self.output()}")

    def output(self) -> str:
        """What the process has printed so far."""
        return self.log.read_text(errors="replace")

    def events(self) -> list[tuple[str, str]]:
        """("open", path) and ("connect", address) so far."""
        lines = self.watched.read_text(errors="replace").splitlines()
        return [tuple(line.partition(" ")[::2]) for line in lines]

    def stop(self) -> None:
        """Interrupts the app as Ctrl+C does, and kills it where it does not obey within 10 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


@pytest.fixture(scope="session")
def apps(tmp_path_factory):
    """`apps("cnn_app")` is the `App` of demos/cnn_app.py: started by the first call, stopped at the session's end."""
    folder = tmp_path_factory.mktemp("apps")
    running: dict[str, App] = {}

    def app(name: str) -> App:
        if name not in running:
            port = free_port()
            running[name] = App([sys.executable, str(DEMOS / f"{name}.py"), "--port", str(port)], port, folder, name)
        return running[name]

    yield app
    for one in running.values():
        one.stop()


@pytest.fixture(scope="session")
def start_app():
    """`start_app(command, port, folder, name, cwd=None, environment=None)`: an `App` of another kind; see there."""
    running = []

    def start(*arguments, **options) -> App:
        running.append(App(*arguments, **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def served(apps):
    """`served("cnn_app")` is the address of demos/cnn_app.py, running."""
    return lambda name: apps(name).url


class Pages:
    """Opens pages and remembers what went wrong on them."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.faults: list[str] = []
        self.latest = None

    def __call__(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
        wait: bool = True,
    ):
        """A fresh visitor's page, loaded.

        Args:
            url: An address that `served` gave, with any path and query.
            width: Of the window, in CSS pixels; 390 is a phone's.
            height: Of the window, in CSS pixels.
            dark: Whether the visitor's system asks for a dark page.
            touch: Whether the visitor has a touch screen.
            wait: Whether to return only once Gradio has drawn the page.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            permissions=["clipboard-read", "clipboard-write"],
            accept_downloads=True,
        )
        context.set_default_timeout(20_000)
        self._contexts.append(context)
        context.route(self._abroad, self._refuse)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self.faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.goto(url, wait_until="load")
        if wait:
            page.locator("gradio-app .gradio-container, .gradio-container").first.wait_for()
            page.locator("footer").first.wait_for()
        self.latest = page
        return page

    @staticmethod
    def _abroad(url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOCAL

    def _refuse(self, route):
        self.faults.append(f"asked for {route.request.url}")
        route.abort()

    def close(self):
        for context in self._contexts:
            context.close()


@pytest.fixture
def page(browser):
    """`page(url, width=1280, height=900, dark=False, touch=False)`: see `Pages`. Fails the test on any fault.

    A test that provokes an error on purpose says so by `page.faults.clear()`.
    """
    pages = Pages(browser)
    yield pages
    pages.close()
    assert not pages.faults, "the page was not clean:\n" + "\n".join(pages.faults)


def told(tab, note: str) -> None:
    """Waits until the status line of a page of live training ends with `note`."""
    tab.locator(".kz-status em", has_text=note).wait_for(timeout=60_000)


def copied_link(tab, part: str) -> str:
    """The link that the page's button writes; it holds `part`."""
    tab.get_by_role("button", name="Copy link").click()
    box = tab.locator(".kz-link-box textarea, .kz-link-box input")
    tab.wait_for_function(
        "(part) => document.querySelector('.kz-link-box textarea, .kz-link-box input').value.includes(part)", arg=part
    )
    return box.input_value()


def click_plane(tab, plane: str, across: float, up: float) -> None:
    """Clicks into the plane with the id `plane`, at these shares of its sides."""
    area = tab.locator(f"#{plane} .clickable .area")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    tab.mouse.click(box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"])


def points_shown(tab, plane: str, count: int) -> None:
    """Waits until `count` points stand in the plane with the id `plane`."""
    tab.wait_for_function(
        "([plane, count]) => document.querySelectorAll(`#${plane} .c0, #${plane} .c1`).length === count",
        arg=[plane, count],
    )


def execute(text: str) -> dict:
    """The names that a pasted piece of code leaves behind."""
    names = {}
    exec(compile(text, "pasted", "exec"), names)
    return names


@pytest.fixture(scope="session")
def _pictures(tmp_path_factory):
    wanted = os.environ.get("KZOO_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def screenshot(page, _pictures):
    """`screenshot(name, tab=None, full=True)` writes NAME.png of the latest page, or of `tab`, and gives its path."""

    def take(name: str, tab=None, full: bool = True) -> Path:
        target = _pictures / f"{name}.png"
        (tab or page.latest).screenshot(path=target, full_page=full, animations="disabled")
        return target

    return take
