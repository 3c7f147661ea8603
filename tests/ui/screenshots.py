"""The README's pictures of the application, taken in a real browser: `make screenshots`."""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from graph.terminal import say
from tests.ui.browser import CHROMIUM, DESKTOP, PHONE, browser, served, settled
from tests.ui.story import tell

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
LARGEST = 200_000
"""Bytes of a picture."""


def save(page: Page, name: str) -> None:
    """Save what the page shows, with as few colours as keep it under the limit."""
    settled(page)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colours).save(out, "PNG", optimize=True)
        if out.tell() < LARGEST:
            break
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(out.getvalue())
    say(f"{name}.png  {out.tell() // 1000} kB")


def main() -> None:
    """Tell one story to a fresh home, and take a picture of each page in it, on a desk and on a phone."""
    if not CHROMIUM:
        sys.exit("A Chromium is needed: e.g. apt install chromium")
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        home = Path(folder) / "home"
        pages: dict[str, Callable[[Page], None]] = tell(home)
        with served(home, llm="qwen2.5-coder-0.5b-instruct") as url:
            for suffix, size in (("", DESKTOP), ("-phone", PHONE)):
                context = chromium.new_context(viewport=size, locale="en-GB")  # type: ignore[arg-type]
                for name, show in pages.items():
                    page = context.new_page()
                    page.goto(url)
                    settled(page)
                    show(page)
                    save(page, name + suffix)
                    page.close()


if __name__ == "__main__":
    main()
