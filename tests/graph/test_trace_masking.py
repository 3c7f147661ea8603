"""What of a value may leave the process."""

import json
from dataclasses import dataclass

import pytest
from langchain_core.messages import AIMessage
from langgraph.types import Command

from graph.trace_masking import Masker, forms, introduced, known_values
from scripts_library.loading import bundled, load_campaign


@dataclass
class Held:
    """A dataclass with something personal in it."""

    line: str


class Opaque:
    """An object that only has a `repr`."""

    def __repr__(self) -> str:
        return "Opaque(mail to mei@example.cn)"


@pytest.mark.parametrize(
    ("value", "expected", "why"),
    [
        ("Ring Mei Lin on 13912345678.", "Ring [name] on [phone].", "a name and a number in a sentence"),
        ({"a": [{"b": ("mei@example.cn",)}]}, {"a": [{"b": ["[email]"]}]}, "inside containers"),
        ({"slots": {"n": "MEI"}}, {"slots": {"n": "[name]"}}, "part of the name, in another case"),
        (json.dumps({"n": "王小明"}), '{"n": "[name]"}', "escaped inside JSON"),
        ("王总您好，小明您好", "[name]您好，[name]您好", "surname with a title, and the given name"),
        (13912345678, "[phone]", "a number that is a phone number"),
        ([1, 2.5, None, True, 98765], [1, 2.5, None, True, 98765], "plain values stay"),
        (float("nan"), "nan", "JSON knows no NaN"),
        (Held("Mei Lin"), {"line": "[name]"}, "a dataclass"),
        (Opaque(), "Opaque(mail to [email])", "an unknown object"),
        (
            Command(resume={"text": "Mei Lin"}),
            {"graph": None, "update": None, "resume": {"text": "[name]"}, "goto": []},
            "a command",
        ),
    ],
)
def test_every_string_of_a_value_is_masked(value: object, expected: object, why: str) -> None:
    masker = Masker([*forms("Mei Lin"), *forms("王小明")])
    assert masker.plain(value) == expected, why


def test_a_very_deep_value_is_masked_to_its_end() -> None:
    deep: object = "Mei Lin"
    for _ in range(60):
        deep = {"inner": [deep]}
    assert "Mei" not in json.dumps(Masker(forms("Mei Lin")).plain(deep))


def test_a_message_keeps_langchains_form_and_loses_the_name() -> None:
    plain = Masker(forms("Mei Lin")).plain(AIMessage("Good day, Mei Lin", additional_kwargs={"who": "Mei Lin"}))
    assert plain["type"] == "constructor"
    assert plain["kwargs"]["content"] == "Good day, [name]"
    assert "Mei" not in json.dumps(plain)


def test_names_are_learnt_from_what_the_customer_says_and_from_nobody_else() -> None:
    state = {
        "customer": "Hello, my name is Thaddeus Quill.",
        "history": [{"customer": "我叫欧阳明华", "reply": "I'm Nova, the assistant."}],
    }
    assert introduced([state]) == {"Thaddeus Quill", "欧阳明华"}


def test_a_campaign_says_what_is_personal_and_without_one_everything_is() -> None:
    campaign = load_campaign(bundled()["lantern_local"]).campaign
    profile = {"owner_name": "Ada Stone", "shop_name": "Blue Door", "shop_type": "cafe"}
    slots = {"contact_name": "Ben", "decision_maker": "yes"}
    known = set(known_values(profile, slots, campaign))
    assert known == {"Ada Stone", "Ada", "Stone", "Blue Door", "Ben"}
    assert {"cafe", "yes"} <= set(known_values(profile, slots, None))
