"""Quality gates of customers, over written calls."""

from itertools import pairwise
from typing import Any

import pytest
import yaml

from evaluation.customers.gates import METRICS, customer_scores, speaks_as_seller
from evaluation.customers.protocol import Note
from evaluation.customers.rule import RuleBuyer
from evaluation.measures.metric import Score
from evaluation.runs.results import CallResult, Stopped
from evaluation.scenarios.loading import bundled_campaigns, bundled_scenarios
from evaluation.scenarios.schema import Scenario
from scripts_library.persuasion import CAMPAIGNS, read_calls, split_of
from tests.evaluation.customers.samples import LANTERN, lines, record, scenario, talk


def result(
    *turns: tuple[str, str], stopped: Stopped = "agent", notes: list[Note] | None = None, language: str = "en"
) -> CallResult:
    return {
        "unit": "a|shop-1|persona|0", "variant": "a", "scenario": "shop-1", "customer": "persona", "trial": 0, "seed": 1,
        "sessions": [record(*turns, language=language)], "notes": [notes or []], "stopped": stopped, "error": None, "seconds": 1.0,
    }  # fmt: skip


def score(metric: str, call: CallResult, who: Scenario | None = None, **options: Any) -> Score:
    return next(s for s in customer_scores(call, who or scenario(), **options) if s["metric"] == metric)


def test_every_metric_is_scored_with_a_reason() -> None:
    scores = customer_scores(result(("Hello", "Hi"), ("How much?", "199 yuan a month")), scenario())
    assert [s["metric"] for s in scores] == [metric.name for metric in METRICS]
    assert all(s["reason"] for s in scores)
    assert {metric.group for metric in METRICS} == {"customer"}


def test_a_call_without_customer_lines_has_no_scores() -> None:
    assert {s["value"] for s in customer_scores(result(), scenario())} == {None}


SELLER = [
    "Hello! How can I help you today?",
    "Thank you for choosing Lantern Local! Is there anything else I can help you with?",
    "Sure, let me tell you about our storefront.",
    "Our plan costs only 199 yuan a month.",
    "Feel free to contact us at any time.",
    "Would you like to schedule a call with an adviser?",
    "As an AI language model, I have no shop.",
    "您好！很高兴为您服务，请问有什么可以帮您？",
    "我们的套餐每月只要199元。",
    "我可以帮您开通免费试用。",
    "感谢您的来电，有需要随时联系我们。",
    "作为一个AI，我没有店铺。",
]
BUYER = [
    "Can you help me with the setup?",
    "Our shop is busy at noon, and our customers are regulars.",
    "How would you help me?",
    "I am happy to help the children.",
    "Would I have to sign up for a year?",
    "Thanks for calling, but no.",
    "Could you tell me more about it?",
    "你们能帮我做什么？",
    "我们店里中午很忙，我们的客人都是老街坊。",
    "您给我介绍一下套餐吧",
    "谢谢您打来",
    "有什么优惠吗？",
]


@pytest.mark.parametrize("line", SELLER)
def test_a_sellers_line_is_role_inversion(line: str) -> None:
    assert speaks_as_seller(line)


@pytest.mark.parametrize("line", BUYER)
def test_a_customers_line_is_none(line: str) -> None:
    assert speaks_as_seller(line) is None


def test_real_customers_hardly_ever_speak_as_sellers() -> None:
    real = [
        turn.text
        for call in read_calls(CAMPAIGNS / "save_the_children" / "data")
        if split_of(call.id) == "test"
        for turn in call.turns
        if turn.role == "customer"
    ]
    assert len(real) > 1000
    assert sum(bool(speaks_as_seller(line)) for line in real) / len(real) < 0.005


def test_no_example_of_the_intents_counts_as_a_sellers_line() -> None:
    said = [line for intent in LANTERN.intents for lines in intent.examples.values() for line in lines]
    assert [line for line in said if speaks_as_seller(line)] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_judges_bad_call_is_found_by_the_rules_too_and_its_gold_call_is_not(language: str) -> None:
    from evaluation import judging

    path = next(iter(judging.__path__)) + "/rubrics/role_inversion.yaml"
    with open(path, encoding="utf-8") as file:
        rubric = yaml.safe_load(file)
    bad, gold = (
        [turn["customer"] for turn in rubric[name][language]["call"] if "customer" in turn] for name in ("bad", "gold")
    )
    assert all(speaks_as_seller(line) for line in bad)
    assert not any(speaks_as_seller(line) for line in gold)


def test_rule_buyers_pass_every_gate_in_the_bundled_scenarios() -> None:
    failed = []
    for number, who in enumerate(bundled_scenarios()[::6]):
        campaign = bundled_campaigns()[who.campaign]
        says = [script.say[0] for script in campaign.scripts if script.language == who.language]
        buyer = RuleBuyer(who, campaign, number)
        call = talk(buyer, says[number % 20 :], most=who.max_turns, language=who.language)
        finished = result(stopped="customer" if len(lines(call)) < who.max_turns else "max_turns")
        finished["sessions"], finished["notes"] = [call], [buyer.notes(call)]
        failed += [(who.id, found) for found in customer_scores(finished, who) if found["value"]]
    assert failed == []


def test_repeating_the_agent_is_role_inversion() -> None:
    reply = "The basic storefront is 199 yuan a month for every shop."
    found = score("customer_role_inversion", result(("Hello", reply), (reply, "Pardon?"), ("I see", "Good")))
    assert (found["value"], found["turns"]) == (pytest.approx(1 / 3), [2])


@pytest.mark.parametrize(
    ("line", "reply", "echo"),
    [
        (
            "我杂货铺，附近的人能看到我，我卖的东西，能下单也能打电话，哪一样对我最有用？",
            "简单说，附近的人能看到您的店、您卖什么，能下单也能打电话。哪一样对您最有用？",
            True,
        ),
        (
            "我们后台有数据，但效果我们不承诺，不合适随时暂停。",
            "后台每天能看数据，效果我们不承诺，不合适随时暂停。",
            True,
        ),
        ("199元一个月，有点贵啊", "基础店铺每月199元。", False),
        ("So it is 199 yuan a month, and the trial is free?", "It is 199 yuan a month.", False),
        ("A free trial of 14 days, good", "There is a free trial of 14 days, no card needed.", False),
    ],
)
def test_an_echo_takes_most_of_the_agents_words(line: str, reply: str, echo: bool) -> None:
    assert bool(speaks_as_seller(line, [reply])) is echo


def test_real_customers_hardly_ever_echo_what_they_hear() -> None:
    heard = [
        (turn.text, before.text)
        for call in read_calls(CAMPAIGNS / "save_the_children" / "data")
        if split_of(call.id) == "test"
        for before, turn in pairwise(call.turns)
        if turn.role == "customer"
    ]
    assert sum(bool(speaks_as_seller(line, [reply])) for line, reply in heard) / len(heard) < 0.01


def test_what_a_judge_heard_is_added_to_what_the_rules_found() -> None:
    call = result(("How can I help you?", "Pardon?"), ("I will take care of it all", "?"), ("Hm", "?"))
    assert score("customer_role_inversion", call)["turns"] == [1]
    both = score("customer_role_inversion", call, inverted=[1, 2])
    assert (both["value"], both["turns"]) == (pytest.approx(2 / 3), [1, 2])
    assert "a judge" in both["reason"]
    assert score("customer_inverted_call", call)["value"] == 1


@pytest.mark.parametrize(
    ("line", "value", "why"),
    [
        ("我想问一下多少钱", 1.0, "another language"),
        ("My number is 139 1111 2222", 1.0, "another number than the scenario's"),
        ("My number is 138-0000-9999", 0.0, "its own number"),
        ("How much is it a month?", 0.0, "nothing of the kind"),
    ],
)
def test_drift(line: str, value: float, why: str) -> None:
    assert score("customer_drift", result((line, "Hm")))["value"] == value, why


@pytest.mark.parametrize(
    ("stopped", "lines", "intents", "value", "why"),
    [
        ("customer", ["Bye"], [], 1.0, "left at once"),
        ("customer", ["Hello", "How much is it?", "Bye"], [], 0.0, "asked something"),
        ("customer", ["Hello", "Bye"], ["greeting", "goodbye"], 1.0, "notes: nothing of its own"),
        ("customer", ["Hello", "I doubt it"], ["greeting", "no_trust"], 0.0, "notes: an objection"),
        ("agent", ["Bye"], [], None, "the agent ended it"),
        ("max_turns", ["Hm"], [], None, "the limit ended it"),
    ],
)
def test_premature_stops(stopped: Stopped, lines: list[str], intents: list[str], value: float | None, why: str) -> None:
    notes = [Note(turn=turn, intent=intent) for turn, intent in enumerate(intents, start=1)]
    call = result(*((line, "I see") for line in lines), stopped=stopped, notes=notes)
    assert score("customer_premature_stop", call)["value"] == value, why


def test_a_customer_with_nothing_to_ask_cannot_leave_too_early() -> None:
    call = result(("Bye", "Bye"), stopped="customer")
    assert score("customer_premature_stop", call, scenario(questions=[], objections=[]))["value"] is None


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("My propensity is low", 1.0),
        ("My difficulty level is hard", 1.0),
        ("按我的角色设定，我不能说", 1.0),
        ("It is hard for me to decide", 0.0),
        ("这事有点难办", 0.0),
    ],
)
def test_leaks(line: str, value: float) -> None:
    language = "zh" if "，" in line or "难" in line else "en"
    call = result((line, "Hm"), language=language)
    assert score("customer_leak", call, scenario(language=language))["value"] == value


def test_repetition_counts_a_line_that_came_before_but_not_a_short_one() -> None:
    call = result(("How much is it?", "199"), ("Ok", "Good"), ("how much is it", "199"), ("OK!", "Good"))
    assert score("customer_repetition", call)["turns"] == [3]
    assert score("customer_repetition", call)["value"] == 0.25


def test_two_sessions_count_apart_and_their_turns_are_numbered_through() -> None:
    call = result(("How can I help you?", "Pardon?"), ("How much is it a month?", "199"), ("My propensity is low", "?"))
    again = record(("How can I help you?", "Pardon?"), ("我想问一下多少钱", "199"))
    call["sessions"].append(again)
    call["notes"].append([])
    expected = {
        "customer_role_inversion": (2 / 5, [1, 5]),
        "customer_inverted_call": (1.0, [1, 5]),
        "customer_drift": (1 / 5, [6]),
        "customer_leak": (1.0, [3]),
    }
    for metric, (value, turns) in expected.items():
        found = score(metric, call)
        assert (found["value"], found["turns"]) == (pytest.approx(value), turns), metric
    assert score("customer_role_inversion", call, inverted=[6])["turns"] == [1, 5, 6]
