"""The application in a real browser: first page, change of page, and 20 sessions that chat at once, on a full home."""

import subprocess
import sys
import time
from statistics import median

from playwright.sync_api import Browser, Error, Page

from bench.full_home import CALLS, SCRIPTS
from bench.setting import fresh_home, percentile, table
from tests.ui.browser import DESKTOP, browser, served, settled
from tests.ui.screen import Screen

LOADS = 5
PAGES = ("desk", "calls", "quality", "chat")
SESSIONS = 20
THINK = 5.0
"""Seconds between two lines of a session."""
WATCH = """count => {
  window.answered = 0;
  window.asked = performance.now();
  const look = () => {
    const bubbles = document.querySelectorAll('[data-testid="stChatMessage"]');
    const last = bubbles.length ? bubbles[bubbles.length - 1].innerText.trim() : "";
    if (!window.answered && bubbles.length >= count && !last.endsWith("…")) window.answered = performance.now();
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""Note in the page itself when the answer stands there."""
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


def _sessions(chromium: Browser, url: str) -> tuple[list[float], list[str]]:
    """Hold 20 calls side by side, a line every five seconds each; seconds from each line to its answer, and what broke."""
    screens = [Screen(chromium, url).go().press("start") for _ in range(SESSIONS)]
    waits: list[float] = []
    errors: list[str] = []
    for count, line in enumerate(LINES):
        due = time.monotonic()
        for number, screen in enumerate(screens):
            screen.page.wait_for_timeout(max(0.0, due + number * THINK / SESSIONS - time.monotonic()) * 1000)
            screen.page.evaluate(WATCH, 2 * count + 3)
            screen.say(f"{line} ({number})")
        for number, screen in enumerate(screens):
            try:
                screen.page.wait_for_function("() => window.answered", timeout=60_000)
                waits.append(float(screen.page.evaluate("() => window.answered - window.asked")) / 1000)
            except Error as error:
                errors.append(f"session {number}, line {count + 1}: {str(error).splitlines()[0]}")
    return waits, errors


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
            waits, errors = _sessions(chromium, url)
        table(
            f"The application, {SCRIPTS} scripts, {CALLS} calls, zero-latency model, browser on the same two cores",
            [
                (f"first page, empty browser cache, median of {LOADS}, s", median(loads)),
                ("first page, slowest, s", max(loads)),
                *(
                    (f"change to {name}, median / slowest, s", f"{median(took):.2f} / {max(took):.2f}")
                    for name, took in changes.items()
                ),
                (f"{SESSIONS} sessions at once, a line every 5 s each: lines answered", len(waits)),
                ("line sent → reply drawn, p50, s", median(waits)),
                ("line sent → reply drawn, p95, s", percentile(waits, 95)),
                ("lines without an answer", len(errors)),
                *((f"  {error}", "") for error in errors),
            ],
        )
