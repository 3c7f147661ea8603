"""What a person does in the application, as a browser does it; widgets are found by their keys."""

from typing import Self

from playwright.sync_api import Browser, Locator, Page, expect

from tests.ui.browser import DESKTOP, settled


class Screen:
    """One person's browser window, with cookies of its own.

    Args:
        chromium: The browser.
        url: Address of the application.
        locale: Language that the window asks for.
        size: Width and height in pixels.
    """

    def __init__(self, chromium: Browser, url: str, locale: str = "en-GB", size: dict[str, int] | None = None) -> None:
        self.url = url
        self.context = chromium.new_context(locale=locale, viewport=size or DESKTOP)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.outside: list[str] = []
        """Addresses that the page asked for and that are not the application's."""
        self.page.on("request", self._note)
        self.page.on("dialog", lambda dialog: self.outside.append(f"dialog: {dialog.message}"))

    def _note(self, request: object) -> None:
        address = str(request.url)  # type: ignore[attr-defined]
        if not address.startswith((self.url, "data:", "blob:", "ws://127.0.0.1")):
            self.outside.append(address)

    def go(self, path: str = "") -> Self:
        """Open a page and wait until it is drawn."""
        self.page.goto(f"{self.url}/{path}")
        self.page.wait_for_selector('[data-testid="stApp"]')
        settled(self.page)
        return self

    def at(self, key: str) -> Locator:
        """Return the widget with this key."""
        return self.page.locator(f".st-key-{key}")

    def press(self, key: str) -> Self:
        """Click a button and wait until the page is drawn anew."""
        self.at(key).get_by_role("button").first.click()
        settled(self.page)
        return self

    def write(self, key: str, text: str) -> Self:
        """Type into a text field and leave it."""
        field = self.at(key).locator("input, textarea").first
        field.fill(text)
        field.blur()
        settled(self.page)
        return self

    def say(self, line: str) -> Self:
        """Say a line as the customer; does not wait for the answer."""
        box = self.at("line").locator("textarea")
        box.fill(line)
        box.press("Enter")
        return self

    def sees(self, text: str) -> Self:
        """Wait until a text can be seen."""
        expect(
            self.page.get_by_test_id("stMain")
            .get_by_text(text)
            .or_(self.page.get_by_test_id("stToast").get_by_text(text))
            .first
        ).to_be_visible()
        return self

    @property
    def call(self) -> str:
        """Id of the call that the address names."""
        self.page.wait_for_url("**call=*")
        return self.page.url.split("call=")[1].split("&")[0]

    def said(self) -> list[str]:
        """Return the bubbles of the transcript, first line is who speaks."""
        return self.page.get_by_test_id("stChatMessage").all_inner_texts()

    def bubbles(self, count: int) -> Self:
        """Wait until the transcript has so many bubbles and nothing more is drawn."""
        expect(self.page.get_by_test_id("stChatMessage")).to_have_count(count)
        settled(self.page)
        return self
