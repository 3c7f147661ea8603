from collections import Counter
from typing import Any

import pytest

from evaluation.judging.telebot import agreement_with_judge, computed, overlap, telebot_scenarios, without_seeds
from evaluation.judging.transcript import Said
from evaluation.measures.metric import Score
from evaluation.measures.replay import Replay
from graph.errors import BadInput
from scripts_library.loading import CampaignData, bundled, load_campaign
from tests.evaluation.judging.fake_judge import CALL, record, result
from tests.evaluation.judging.test_pairs import scenario

LANTERN: CampaignData = load_campaign(bundled()["lantern_local"])


def scores(*exchanges: tuple[str, str, str]) -> dict[str, tuple[float | None, str]]:
    """Score a call of (customer's line, its intent, reply)."""
    said = [CALL[0], *(Said(number, line, reply) for number, (line, _, reply) in enumerate(exchanges, start=1))]
    held = record(*said)
    for turn, (_, intent, _) in zip(held["turns"][1:], exchanges, strict=True):
        turn["intent"] = intent
    found = computed(Replay(result("a|s|rule|0", held), scenario("s1"), LANTERN))
    return {score["metric"].rpartition(".")[2]: (score["value"], score["reason"]) for score in found}


PRICE = "It is 199 yuan a month for the basic storefront."


@pytest.mark.parametrize(
    ("exchanges", "metric", "value", "told"),
    [
        ([("a", "x", PRICE), ("b", "y", "There are 14 free days, too.")], "repetition", 1, "none repeats another"),
        ([("a", "x", PRICE), ("b", "y", PRICE)], "repetition", 0, "turn 2 repeats an earlier reply"),
        (
            [("a", "x", "I see. What kind of shop do you run?"), ("b", "y", "Oh! So what kind of shop do you run there?")],
            "repetition", 0, "turn 2 asks again what turn 1 asked",
        ),
        ([("a", "x", PRICE), ("b", "y", PRICE)], "diversity", None, "no two similar lines"),
        ([("how much", "price", PRICE), ("the cost", "price", PRICE + " Yes.")], "diversity", 0, "turns 1 and 2"),
        (
            [("how much", "price", PRICE), ("the cost", "price", "By the year you pay 1,980 yuan.")],
            "diversity", 1, "1 pairs of similar lines",
        ),
        ([("a", "x", PRICE)], "knowledge_grounding", 1, "nothing unsupported"),
        ([("a", "x", "It is only 99 yuan a month.")], "knowledge_grounding", 0, "turn 1, unsupported_quantity"),
        ([("a", "x", "We guarantee more orders.")], "knowledge_grounding", 0, "turn 1"),
    ],
)  # fmt: skip
def test_what_can_be_computed_is_0_or_1_with_its_reason(
    exchanges: Any, metric: str, value: float | None, told: str
) -> None:
    found, reason = scores(*exchanges)[metric]
    assert found == value, reason
    assert told in reason


@pytest.mark.parametrize(
    ("first", "second", "expected", "why"),
    [
        ("We open it today.", "we open it TODAY!", 1.0, "the same words"),
        ("We open it today.", "Nothing alike here.", 0.0, "no pair in common"),
        ("a b c", "b c d", 1 / 3, "one pair of three"),
        ("下周开始", "下周开始吧", 3 / 4, "Chinese by character"),
        ("", "", 1.0, "nothing is like nothing"),
    ],
)
def test_overlap_is_the_share_of_word_pairs(first: str, second: str, expected: float, why: str) -> None:
    assert overlap(first, second) == pytest.approx(expected), why


def both(ours: float | None, theirs: float | None) -> list[Score]:
    return [
        {"metric": "telebot_computed.repetition", "value": ours, "reason": "", "turns": []},
        {"metric": "telebot.repetition", "value": theirs, "reason": "", "turns": []},
    ]


def test_the_judge_is_compared_with_what_was_computed() -> None:
    # Cohen's own kind of table: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no gives kappa 0.4.
    calls = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    found = agreement_with_judge({str(n): both(*pair) for n, pair in enumerate(calls)})["repetition"]
    assert (found["n"], found["share"]) == (50, 0.7)
    assert found["kappa"] == pytest.approx(0.4)
    skipped = agreement_with_judge({"a": both(None, 1), "b": both(1, None), "c": both(1, 1)})["repetition"]
    assert skipped == {"n": 1, "share": 1.0, "kappa": None}
    assert agreement_with_judge({})["diversity"] == {"n": 0, "share": None, "kappa": None}


@pytest.mark.parametrize("campaign", sorted(bundled()))
def test_the_published_run_is_a_hundred_scripts_with_three_profiles_and_strategies_each(campaign: str) -> None:
    data = load_campaign(bundled()[campaign])
    for language in data.campaign.languages:
        made = telebot_scenarios(data, language)
        assert len(made) == len({one.id for one in made}) == 300
        assert set(Counter(one.opening for one in made).values()) <= {3, 6, 9}
        assert len({tuple(sorted(one.profile.items())) for one in made}) > 20
        assert {one.strategy for one in made} <= {strategy.id for strategy in data.campaign.strategies}
        assert made == telebot_scenarios(data, language)
        assert made != telebot_scenarios(data, language, seed=1)


@pytest.mark.parametrize("campaign", sorted(bundled()))
def test_no_agent_of_the_published_run_has_seen_the_lines_that_open_its_calls(campaign: str) -> None:
    data = load_campaign(bundled()[campaign])
    for language in data.campaign.languages:
        made = telebot_scenarios(data, language)
        held = without_seeds(data, made)
        seeds = {one.opening for one in made}
        known = {line for script in held.scripts for line in script.situation}
        known |= {line for intent in held.intents for line in intent.examples.get(language, [])}
        assert seeds and not seeds & known
        assert [one.say for one in held.scripts] == [one.say for one in data.scripts], "what scripts say stays"
        assert all(one.situation for one in held.scripts) and all(one.examples for one in held.intents)


def test_the_customer_knows_what_the_agent_was_told_of_it() -> None:
    one = telebot_scenarios(LANTERN, "en")[0]
    assert one.profile and all(value in one.persona for value in one.profile.values())


def test_more_scripts_than_the_campaign_has_are_refused() -> None:
    with pytest.raises(BadInput, match="999 were asked for"):
        telebot_scenarios(LANTERN, "en", n=999)
