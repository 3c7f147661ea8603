"""Breaches cost points; so does what is copied from the prompt."""

import json

import pytest

from graph.records import RuleHit
from guardrails.check import check_reply
from guardrails.context import GuardContext, Severity
from training.rewards.format import split_thought
from training.rewards.rules import COPIED, LEAST, POINTS, RulesReward, copied, points

ASKED = '"Is it expensive?"\n\nDo now: ask what they sell.\nExample line: "May I ask what you sell in your shop today?"'


def hit(severity: Severity) -> RuleHit:
    return {"name": severity, "severity": severity, "action": "blocked", "reason": "", "text": ""}


FINE = "It starts small, so you can try it first."
CASES = [
    ([], FINE, 0.0, "nothing is broken"),
    (["low"], FINE, -0.3, "a lesser breach"),
    (["low", "medium"], FINE, -0.9, "breaches add up"),
    (["high", "high"], FINE, LEAST, "and end at the least"),
    ([], "One. Two. Three. Four.", -0.3, "more sentences than the gate releases"),
    ([], "May I ask what you sell in your shop?", -0.3, "the example line, copied"),
    (
        [],
        f"<think>Wants a price; ask what kind of shop it is.</think>{FINE}",
        0.0,
        "a thought that goes on in its own words",
    ),
    ([], f"<think>ask what they sell</think>{FINE}", -0.6, "a thought that is copied from the prompt"),
    ([], "Is it expensive? Do now: ask what they sell.", -0.3, "the prompt, copied"),
]


@pytest.mark.parametrize(("severities", "reply", "expected", "why"), CASES, ids=[why for *_, why in CASES])
def test_points_of_a_reply(severities: list[Severity], reply: str, expected: float, why: str) -> None:
    assert points([hit(severity) for severity in severities], split_thought(reply), ASKED) == pytest.approx(expected)


def test_whatever_the_guard_would_block_is_negative() -> None:
    assert set(POINTS) == {"low", "medium", "high"}
    assert all(LEAST <= value < 0 for value in POINTS.values())


@pytest.mark.parametrize(
    ("reply", "source", "share"),
    [("a b c d", "a b c x", 0.5), ("a b", "a b", 0.0), ("", "a b c", 0.0), ("您店里卖什么", "请问您店里卖什么呢", 1.0)],
)
def test_copying_is_counted_in_runs_of_three_words(reply: str, source: str, share: float) -> None:
    assert copied(reply, source) == share


def test_own_words_on_the_same_matter_are_no_copy() -> None:
    assert copied("And what do people buy in your shop, mostly?", ASKED) < COPIED


def test_the_reward_reads_the_reply_only_and_logs_the_share_that_is_blocked() -> None:
    context = GuardContext(language="en", max_chars=40)
    logged: dict[str, float] = {}
    reward = RulesReward(lambda state, reply: check_reply(reply, context) if json.loads(state) else [])
    texts = [
        f"<think>{'x' * 60}</think>{FINE}"[:107],
        "<think>a</think>" + "It is short. " * 2 + "And then far too long.",
    ]
    found = reward(
        prompts=[[{"role": "user", "content": ASKED}]] * 2,
        completions=[[{"role": "assistant", "content": text}] for text in texts],
        state=['{"customer": "?"}'] * 2,
        log_metric=logged.__setitem__,
    )
    assert found[0] == 0.0
    assert found[1] is not None
    assert found[1] <= POINTS["low"]
    assert logged == {"rules/blocked": 0.5}
