"""What every test relies on: a backend chosen by kzoo before Keras loads, no network, a fixed seed; and a browser."""

import contextlib
import ctypes
import gc
import importlib.util
import os
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KZOO_OFFLINE"] = "1"

import pytest

import kzoo  # decides KERAS_BACKEND; Keras reads it once, on import

# The last six keep a fresh Chromium from calling home by itself.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def backend() -> str:
    """The name of the backend that the tests run on."""
    return kzoo.backend.name()


@pytest.fixture(autouse=True)
def seed():
    """Seeds Keras where a test has loaded it. Tests of pure NumPy do not pay seconds for its import."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def compiled_code_of_a_module_goes_with_it():
    """JAX keeps whatever it compiled: without this a process of the whole suite grows to 6 GB."""
    yield
    if "jax" in sys.modules and kzoo.backend.name() == "jax":
        gc.collect()
        sys.modules["jax"].clear_caches()
        with contextlib.suppress(AttributeError, OSError):  # glibc alone has it, and without it keeps what is free
            ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium. One a module: Playwright's loop, while it lives, keeps asyncio out of this thread."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip('Playwright is not installed: pip install "kzoo[browser]"')
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
