"""What a customer notices in a reply."""

from typing import Any

import pytest

from evaluation.customers.acts import Ear
from tests.evaluation.customers.samples import LANTERN

HIDDEN = {"need": "More people in the afternoon", "contact_phone": "138 0000 9999", "callback": "tomorrow"}

HEARD: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("It is 199 yuan a month.", "How much?", "price_question", {"answers": True}, "a price answers a price"),
    ("It is 3 yuan a month.", "How much?", "price_question", {"answers": True}, "customers cannot know a lie"),
    ("What do you sell?", "How much?", "price_question", {"answers": False, "asks": True}, "a question is no answer"),
    ("How much per month, you ask?", "How much per month?", "price_question", {"answers": False}, "nor is an echo"),
    ("You need your business licence and shop photos.", "What papers?", "ask_setup", {"answers": True}, "a fact's content"),
    ("Birds can fly.", "How much?", "price_question", {"answers": False, "beside": True}, "beside the point"),
    ("I'm calling from Lantern Local.", "Who are you?", "who_calls", {"answers": True}, "the organisation's name"),
    ("I understand, take your time.", "Hm.", "hesitates", {"empathises": True, "beside": False}, "empathy"),
    ("Which number should the adviser call?", "Ok", "", {"slots": ("contact_phone",), "proposes": True}, "asks the phone"),
    ("When can we call you?", "Ok", "", {"slots": ("callback",)}, "asks the time"),
    ("What would help your shop most?", "Ok", "", {"slots": ("need",)}, "asks the need"),
    ("Your number is safe with us.", "Ok", "", {"slots": ()}, "a statement asks nothing"),
    ("Shall we start the trial?", "Ok", "", {"proposes": True}, "next step"),
    ("  ", "Ok", "", {"empty": True}, "nothing said"),
    ("fine " * 200, "Ok", "", {"long": True}, "longer than the campaign allows"),
    ("It is 199 yuan a month, ads from 30 yuan a day.", "Ok", "", {"prices": (199.0,)}, "daily budgets are no price"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "line", "intent", "expected", "why"), HEARD, ids=[row[-1] for row in HEARD])
def test_what_a_reply_did(reply: str, line: str, intent: str, expected: dict[str, Any], why: str) -> None:
    acts = Ear(LANTERN, "en", HIDDEN).hear(reply, line, intent, [], refused=False)
    assert {name: getattr(acts, name) for name in expected} == expected, why


@pytest.mark.parametrize(
    ("reply", "intent", "expected"),
    [
        ("基础店铺每月199元。", "price_question", {"answers": True, "prices": (199.0,)}),
        ("需要营业执照和店铺照片。", "ask_setup", {"answers": True}),
        ("试用不用绑卡，条款先发您看，这样行吗？", "no_trust", {"answers": True, "asks": True}),
        ("今天天气不错。", "price_question", {"answers": False, "beside": True}),
        ("我理解您的顾虑。", "no_trust", {"empathises": True}),
        ("顾问打哪个号码找您方便？", "", {"slots": ("contact_phone",), "proposes": True}),
        ("我们是灯笼本地。", "who_calls", {"answers": True}),
    ],
)
def test_what_a_chinese_reply_did(reply: str, intent: str, expected: dict[str, Any]) -> None:
    acts = Ear(LANTERN, "zh", HIDDEN).hear(reply, "多少钱", intent, [], refused=False)
    assert {name: getattr(acts, name) for name in expected} == expected


def test_pressing_is_pushing_after_a_no_and_guilt_at_any_time() -> None:
    ear = Ear(LANTERN, "en", {})
    for reply, refused, expected in [
        ("Would you like to start the trial?", False, False),
        ("Would you like to start the trial?", True, True),
        ("You'll regret this.", False, True),
        ("No problem. Goodbye!", True, False),
    ]:
        assert ear.hear(reply, "No", "", [], refused=refused).presses is expected, reply


def test_repetition_is_heard_by_the_rule_that_also_guards_the_agent() -> None:
    said = "The basic storefront is 199 yuan a month for every shop."
    ear = Ear(LANTERN, "en", {})
    assert ear.hear(said, "Hm", "", [said], refused=False).repeats
    assert not ear.hear(said, "Hm", "", ["Hello, this is Lily."], refused=False).repeats
