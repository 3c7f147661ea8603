"""The README's pictures of the application, taken in a real browser: `make screenshots`."""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from graph.terminal import say
from tests.ui import story
from tests.ui.browser import CHROMIUM, PHONE, browser, served
from tests.ui.screen import Screen

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "screenshots"
LARGEST = 200_000
"""Bytes of a picture."""


def pictures(screen: Screen) -> None:
    """Take the pictures, one page after the other."""
    screen.go(f"?call={story.WHOLE}").at("why_8").click()
    save(screen, "chat")
    desk = f"desk?campaign={story.CAMPAIGN}"
    save(screen.go(f"{desk}&tab=scripts"), "desk")
    save(screen.go(f"{desk}&tab=coverage").sees("Holes"), "coverage")
    save(screen.go(f"desk?script={story.SCRIPT}"), "script")
    screen.write(f"try_{story.SCRIPT}_line", story.FEAR).press(f"try_{story.SCRIPT}_ask").sees("Your script was found")
    screen.page.get_by_text("Try it", exact=True).scroll_into_view_if_needed()
    save(screen, "try")
    save(screen.go(f"{desk}&tab=works"), "works")
    save(screen.go(f"{desk}&tab=campaign"), "facts")
    save(screen.go(f"{desk}&tab=files"), "files")
    save(screen.go("calls").sees("real person"), "calls")
    save(screen.go(f"calls?call={story.WAITING}"), "takeover")
    save(screen.go("calls?call=c0ffee000002&turn=2"), "call")
    if screen.go("quality").at("report_score").count():
        screen.press("report_score")
    screen.sees("Paired differences")
    save(screen, "runs")


def save(screen: Screen, name: str) -> None:
    """Save what a window shows, with as few colours as keep it under the limit."""
    screen.page.wait_for_timeout(700)  # fonts and the table's canvas; a picture tests nothing
    narrow = screen.page.viewport_size == PHONE
    picture = Image.open(io.BytesIO(screen.page.screenshot())).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colours).save(out, "PNG", optimize=True)
        if out.tell() < LARGEST:
            break
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}{'-phone' if narrow else ''}.png"
    file.write_bytes(out.getvalue())
    say(f"{file.name}  {out.tell() // 1000} kB")


def main() -> None:
    """Tell the story to a fresh home, and take a picture of each page in it, on a desk and on a phone."""
    if not CHROMIUM:
        sys.exit("A Chromium is needed: e.g. apt install chromium")
    expect.set_options(timeout=120_000)  # a run's calls are scored while the page waits
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        home = Path(folder) / "home"
        subprocess.run([sys.executable, "-m", "tests.ui.story", str(home)], check=True)
        with tarfile.open(DOCS / "evaluation" / "persona.tar.xz") as calls:
            calls.extractall(home / "runs", filter="data")
        with served(home, llm="qwen2.5-coder-0.5b-instruct") as url:
            pictures(Screen(chromium, url))
            pictures(Screen(chromium, url, size=PHONE))


if __name__ == "__main__":
    main()
