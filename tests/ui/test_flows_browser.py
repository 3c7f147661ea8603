"""What people do in the application, whole, in a real browser on a real server."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.serving.fault_server import FaultServer
from tests.ui.app import UNTRUSTED
from tests.ui.browser import served, settled
from tests.ui.screen import Screen

pytestmark = pytest.mark.browser
LINE = "I'm afraid of bad reviews, one bad review and my shop is finished"
ANSWER = "Your reply to each review stands right below it"


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    with served(home) as address:
        yield address


def started(screen: Screen) -> Screen:
    """Start a call in English in the first campaign, and wait for the greeting."""
    return screen.go().press("start").bubbles(1)


def test_replies_stream_and_the_call_outlives_reload_closed_tab_and_restarted_server(
    chromium: Browser, home: Path
) -> None:
    words = "We take every review seriously. Would you like to see the dashboard?"
    with FaultServer("ok", text=words, token_delay=0.25) as model:
        with served(home, llm_base_url=model.base_url, llm_model="slow", turn_deadline="30") as url:
            screen = started(Screen(chromium, url))
            screen.say("How do you handle reviews?")
            last = screen.page.get_by_test_id("stChatMessage").last
            expect(last).to_contain_text("We take every review seriously.")
            assert "dashboard" not in last.inner_text(), "the second sentence came with the first"
            expect(last).to_contain_text("Would you like to see the dashboard?")
            screen.bubbles(3)
            before, call = screen.said(), screen.call
            screen.page.reload()
            assert screen.bubbles(3).said() == before
            screen.say("Tell me more")
            expect(screen.page.get_by_text("Tell me more")).to_be_visible()
            screen.page.close()  # in mid-turn
        with served(home, llm_base_url=model.base_url, llm_model="slow", turn_deadline="30") as url:
            again = Screen(chromium, url).go(f"?call={call}").bubbles(5)
            assert again.said()[:2] == before[:2]
            assert "Tell me more" in again.said()[3]


def test_the_hole_is_found_filled_tried_published_heard_in_a_running_call_and_taken_back(
    chromium: Browser, url: str
) -> None:
    customer = started(Screen(chromium, url))
    customer.say(LINE).bubbles(3)
    assert ANSWER not in customer.said()[-1]
    manager = Screen(chromium, url).go("desk?campaign=lantern_local&tab=coverage")
    manager.sees("Fears bad reviews").sees(LINE)
    manager.press("hole_objection_bad_reviews")
    manager.write("new_title", "Answer fear of reviews").write("new_situation", "I'm afraid of bad reviews")
    manager.write("new_outline", "Take the fear seriously\nSay what a shop can do").write("new_say", f"{ANSWER}.")
    manager.press("save_new").sees("Saved as a draft")
    script = manager.page.url.split("script=")[1]
    manager.write(f"try_{script}_line", LINE).press(f"try_{script}_ask").sees("Your script was found")
    customer.say(LINE + "!").bubbles(5)
    assert ANSWER not in customer.said()[-1], "a draft reached a customer"
    manager.press("publish").press("publish_now").sees("Published: running calls")
    customer.say(LINE + "!!").bubbles(7)
    assert ANSWER in customer.said()[-1]
    manager.page.get_by_text("Version 1 ·").click()
    manager.press("back_1").press("back_now_1").sees("Back to version 1")
    manager.press("archive").sees("Archived: no call")
    customer.press("new_call").press("start").bubbles(1)
    customer.say(LINE).bubbles(3)
    assert ANSWER not in customer.said()[-1]


def test_two_people_edit_one_script_while_a_call_runs_and_nothing_is_lost(chromium: Browser, url: str) -> None:
    script = "ll-en-objection-no-trust-01"
    ada, bob = (Screen(chromium, url).go(f"desk?script={script}") for _ in range(2))
    customer = started(Screen(chromium, url))
    ada.write(f"edit_{script}_title", "Ada's title")
    bob.write(f"edit_{script}_title", "Bob's title").press("save").sees("Saved as a draft")
    customer.say("I do not trust you").bubbles(3)
    ada.press("save").sees("while you were writing").sees("Ada's title").sees("Bob's title")
    ada.press("put_mine_on_top").sees("Saved as a draft")
    assert ada.at(f"edit_{script}_title").locator("input").input_value() == "Ada's title"
    customer.say("It sounds like a scam").bubbles(5)
    ada.press("publish").press("publish_now").sees("Published: running calls")
    customer.say("There must be a catch").bubbles(7)
    bob.go(f"desk?script={script}").sees("Ada's title")


def test_a_waiting_call_shows_up_within_two_seconds_is_answered_and_given_back(chromium: Browser, url: str) -> None:
    supervisor = Screen(chromium, url).go("calls").sees("No call waits")
    customer = started(Screen(chromium, url))
    customer.say("I want to speak to a real person").bubbles(3)
    asked = time.monotonic()
    supervisor.sees("I want to speak to a real person")
    assert time.monotonic() - asked < 2
    supervisor.press(f"waiting_{customer.call}")
    supervisor.write(f"take_line_{customer.call}", "Hello, this is Sue from the team.")
    supervisor.press("take_send_back").sees("Sue from the team")
    expect(customer.page.get_by_text("Hello, this is Sue from the team.")).to_be_visible()
    customer.say("Great. What does it cost?")
    expect(customer.page.get_by_test_id("stChatMessage")).to_have_count(6)


def test_a_bad_file_shows_every_error_by_row_and_changes_nothing(chromium: Browser, url: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    rows = ["id,campaign,stage,intent,language,title,situation,outline,say"]
    rows += [
        "a-1,lantern_local,objection,no_trust,en,One,Hm,Listen,Hello.",
        "a-2,lantern_local,begin,no_trust,en,Two,Hm,Listen,Hello.",
    ]
    rows += ["a-3,lantern_local,objection,no_such,en,Three,Hm,Listen,Hello {nobody}."]
    bad.write_text("\n".join(rows), encoding="utf-8")
    screen = Screen(chromium, url).go("desk?campaign=lantern_local&tab=files")
    screen.page.get_by_test_id("stFileUploader").first.locator("input[type=file]").set_input_files(bad)
    settled(screen.page)
    screen.sees("begin").sees("no_such")
    screen.go("desk?campaign=lantern_local").sees("164 of 164 scripts")


def test_nothing_that_a_customer_or_a_manager_writes_is_rendered_or_fetched(chromium: Browser, url: str) -> None:
    customer = started(Screen(chromium, url))
    customer.say(UNTRUSTED).bubbles(3)
    assert "<script>alert(1)</script> ![x](http://evil.example/x.png)" in customer.said()[1]
    manager = Screen(chromium, url).go("desk?new=1&campaign=lantern_local&intent=bad_reviews&stage=objection")
    manager.write("new_title", UNTRUSTED).write("new_situation", UNTRUSTED)
    manager.write("new_outline", UNTRUSTED).write("new_say", "Hello.").press("save_new").sees("Saved as a draft")
    manager.go("desk?campaign=lantern_local").write("browse_text", "alert").sees("1 of 165")
    supervisor = Screen(chromium, url).go("calls").go(f"calls?call={customer.call}")
    supervisor.sees("<script>alert(1)</script>")
    for screen in (customer, manager, supervisor):
        assert screen.outside == []
        main = screen.page.get_by_test_id("stMain")
        assert main.locator("a[href*='evil']").count() == 0
        assert main.locator("img[src*='evil']").count() == 0


def test_the_whole_interface_speaks_chinese(chromium: Browser, url: str) -> None:
    screen = Screen(chromium, url, locale="zh-CN").go()
    screen.sees("对话演示").press("start").bubbles(1)
    screen.go("desk").sees("话术工作台").go("calls").sees("通话").go("quality").sees("质量")
    screen.page.get_by_text("English", exact=True).click()
    screen.sees("Quality")
