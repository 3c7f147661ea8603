"""The application in a real browser: first page, change of page, and 20 sessions that chat at once, on a full home."""

import subprocess
import sys
import threading
import time
from statistics import median

from playwright.sync_api import Browser, Page, expect

from bench.full_home import CALLS, SCRIPTS
from bench.setting import fresh_home, percentile, table
from tests.ui.browser import DESKTOP, browser, served, settled
from tests.ui.screen import Screen

LOADS = 5
PAGES = ("desk", "calls", "quality", "chat")
SESSIONS = 20
LINES = ("What does it cost?", "That is too expensive for me", "Do you have figures from a shop like mine?")


def _first_load(chromium: Browser, url: str) -> float:
    """Open the first page in a browser that has seen nothing yet; seconds until it has been drawn."""
    context = chromium.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page = context.new_page()
    started = time.perf_counter()
    page.goto(url)
    page.get_by_test_id("stMainBlockContainer").get_by_role("heading").first.wait_for()
    settled(page)
    took = time.perf_counter() - started
    context.close()
    return took


def _changes(page: Page) -> dict[str, list[float]]:
    """Go round the pages by the navigation; seconds until each has been drawn, after a first round."""
    took: dict[str, list[float]] = {name: [] for name in PAGES}
    for round_ in range(LOADS + 1):
        for name in PAGES:
            started = time.perf_counter()
            page.locator(f'[data-testid="stSidebarNavLink"][href$="/{name if name != "chat" else ""}"]').click()
            page.wait_for_url(f"**/{name if name != 'chat' else ''}**")
            settled(page)
            if round_:
                took[name].append(time.perf_counter() - started)
    return took


def _chat(url: str, number: int, waits: list[float], errors: list[str]) -> None:
    """Hold a call of three lines in a browser of its own thread."""
    try:
        with browser() as chromium:
            screen = Screen(chromium, url).go().press("start")
            for count, line in enumerate(LINES):
                screen.bubbles(2 * count + 1)
                started = time.perf_counter()
                screen.say(f"{line} ({number})")
                screen.bubbles(2 * count + 3)
                waits.append(time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - a session that breaks is a result
        errors.append(f"{number}: {type(error).__name__}: {str(error).splitlines()[0]}")


def run() -> None:
    """Measure and print."""
    with fresh_home() as folder:
        home = folder / "home"
        subprocess.run([sys.executable, "-m", "bench.full_home", str(home)], check=True)
        with served(home) as url, browser() as chromium:
            loads = [_first_load(chromium, url) for _ in range(LOADS)]
            page = chromium.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
            page.goto(url)
            settled(page)
            changes = _changes(page)
            page.close()
            expect.set_options(timeout=120_000)
            waits: list[float] = []
            errors: list[str] = []
            threads = [threading.Thread(target=_chat, args=(url, number, waits, errors)) for number in range(SESSIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        table(
            f"The application, {SCRIPTS} scripts, {CALLS} calls, zero-latency model, browser on the same two cores",
            [
                (f"first page, empty browser cache, median of {LOADS}, s", median(loads)),
                ("first page, slowest, s", max(loads)),
                *(
                    (f"change to {name}, median / slowest, s", f"{median(took):.2f} / {max(took):.2f}")
                    for name, took in changes.items()
                ),
                (f"{SESSIONS} sessions chatting at once: turns", len(waits)),
                ("line sent → reply drawn, p50, s", median(waits)),
                ("line sent → reply drawn, p95, s", percentile(waits, 95)),
                ("sessions that broke", len(errors)),
                *((f"  {error}", "") for error in errors),
            ],
        )
