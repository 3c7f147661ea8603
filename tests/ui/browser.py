"""A real server and a real browser: Debian's Chromium, headless, driven by Playwright."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
START_SECONDS = 90
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=20_000)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, port: int = 0, **settings: str) -> Iterator[str]:
    """Run `salesman app` on a home until the block ends; yields its address.

    Args:
        home: The home; its log lies beside it.
        port: TCP port; a free one by default.
        settings: Environment variables, without the prefix `SALESMAN_`, in lower case.
    """
    port = port or free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SALESMAN_", "LANGSMITH_"))}
    env |= {f"SALESMAN_{name.upper()}": value for name, value in {"llm": "fake/echo", **settings}.items()}
    if "SALESMAN_CACHE" in os.environ:
        env["SALESMAN_CACHE"] = os.environ["SALESMAN_CACHE"]
    env["SALESMAN_HOME"] = str(home)
    log = home.with_suffix(".log")
    with log.open("ab") as out:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("salesman")), "app", "--port", str(port)],
            stdout=out,
            stderr=out,
            env=env,
            cwd=home.parent,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")[-2000:]
        time.sleep(0.1)


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def settled(page: Page) -> None:
    """Wait until Streamlit has run the script through and shows no half-drawn element."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000)
    page.wait_for_function("() => !document.querySelector('[data-testid=\"stSkeleton\"]')")
