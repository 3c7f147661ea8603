"""Signing in, in a real browser: with a password, and through an identity provider."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from graph.settings import Settings
from tests.ui.browser import free_port, served, settled
from tests.ui.identity_provider import identity_provider
from ui.users import add_user

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery"


@contextmanager
def served_with_provider(home: Path, email: str) -> Iterator[str]:
    """Serve the application beside an identity provider that lets this one user in."""
    port = free_port()
    asked = {"auth": "oidc", "oidc_client_id": "salesman", "oidc_client_secret": "secret"}
    with identity_provider(email) as description:
        asked |= {"oidc_metadata_url": description, "public_url": f"http://127.0.0.1:{port}"}
        with served(home, port=port, **asked) as url:
            yield url


def pages_shown(page: Page) -> list[str]:
    return [text.strip().splitlines()[-1] for text in page.get_by_test_id("stSidebarNavLink").all_inner_texts()]


def test_a_password_opens_what_the_users_roles_allow_and_a_reload_keeps_it(chromium: Browser, home: Path) -> None:
    add_user(Settings(home=home), "vera", "viewer", PASSWORD)
    with served(home, auth="password") as url:
        page = chromium.new_context(locale="en-GB").new_page()
        page.goto(url)
        expect(page.get_by_text("Please sign in")).to_be_visible()
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Name").fill("vera")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Name").fill("vera")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button").click()
        expect(page.get_by_text("Signed in as vera")).to_be_visible()
        settled(page)
        assert pages_shown(page) == ["Chat demo", "Calls", "Quality"]
        page.reload()
        expect(page.get_by_text("Signed in as vera")).to_be_visible()
        page.goto(f"{url}/desk")
        expect(page.get_by_text("this needs the role “editor”")).to_be_visible()
        page.get_by_role("link", name="Sign out").click()
        page.goto(url)
        expect(page.get_by_text("Please sign in")).to_be_visible()


def test_an_identity_provider_says_who_it_is_and_the_users_file_what_they_may_do(chromium: Browser, home: Path) -> None:
    add_user(Settings(home=home), "sue@shop.example", "viewer, supervisor", "")
    with served_with_provider(home, "sue@shop.example") as url:
        page = chromium.new_context(locale="en-GB").new_page()
        page.goto(url)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Signed in as sue")).to_be_visible()
        settled(page)
        assert pages_shown(page) == ["Chat demo", "Calls", "Quality"]


def test_somebody_whom_the_users_file_does_not_list_may_do_nothing(chromium: Browser, home: Path) -> None:
    with served_with_provider(home, "eve@elsewhere.example") as url:
        page = chromium.new_context(locale="en-GB").new_page()
        page.goto(url)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("this needs the role “viewer”")).to_be_visible()


def test_signing_out_stops_an_open_window_and_its_downloads(chromium: Browser, home: Path) -> None:
    add_user(Settings(home=home), "sue", "viewer, supervisor", PASSWORD)
    with served(home, auth="password") as url:
        context = chromium.new_context(locale="en-GB", accept_downloads=True)
        page = context.new_page()
        page.goto(f"{url}/sign-in")
        page.get_by_label("Name").fill("sue")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button").click()
        expect(page.get_by_text("Signed in as sue")).to_be_visible()
        page.locator(".st-key-start button").click()
        expect(page.get_by_test_id("stChatMessage")).to_have_count(1)
        page.goto(f"{url}/calls")
        with page.expect_download() as taken:
            page.locator(".st-key-get_outcomes button").click()
        assert Path(taken.value.path()).read_text(encoding="utf-8-sig").startswith("call,")
        context.new_page().goto(f"{url}/sign-out")
        expect(page.get_by_text("Please sign in")).to_be_visible()
        with pytest.raises(TimeoutError), page.expect_download(timeout=3000):
            page.locator(".st-key-get_outcomes button").click(timeout=2000)
