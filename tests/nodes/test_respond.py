"""The last message of a turn: word for word what it always was, and with thinking on a cue that asks for a thought first."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from graph.records import Answering
from graph.state import CallState
from nodes.prompting import PROMPT_MARKS
from nodes.resources import Resources
from nodes.respond import turn_prompt
from nodes.speak import ThoughtFilter
from scripts_library.loading import bundled, load_campaign

PLAN: dict[str, Any] = {"situation": "Price.", "outline": ["Say it.", "Ask one thing;"], "lead": "It is 60."}
ZH_PLAN: dict[str, Any] = {"situation": "价格。", "outline": ["报价。", "问一句；"], "lead": "六十元。"}
CASES: list[tuple[str, Answering, str]] = [
    (
        "en",
        "scripts",
        'The customer said: "How much?"\n\nStage: analysis. Price.\nDo now: Say it; Ask one thing.\nExample line: "It is 60."\nYour reply:',
    ),
    (
        "en",
        "goals",
        'The customer said: "How much?"\n\nStage: analysis.\nDo now: Say it; Ask one thing.\nYour reply:',
    ),
    ("en", "few_shot", 'The customer said: "How much?"\n\nYour reply:'),
    (
        "zh",
        "scripts",
        "客户说：“多少钱？”\n\n阶段：analysis。价格。\n现在要做：报价; 问一句。\n参考说法：“六十元。”\n你的回复：",
    ),
    ("zh", "goals", "客户说：“多少钱？”\n\n阶段：analysis。\n现在要做：报价; 问一句。\n你的回复："),
    ("zh", "few_shot", "客户说：“多少钱？”\n\n你的回复："),
]


def last_message(language: str, answering: Answering, *, think: bool) -> str:
    data = load_campaign(bundled()["lantern_local"])
    resources = SimpleNamespace(settings=SimpleNamespace(think=think), campaign=lambda _name: data)
    said, plan = ("多少钱？", ZH_PLAN) if language == "zh" else ("How much?", PLAN)
    state = {"campaign": "lantern_local", "language": language, "customer": said, "stage": "analysis", "plan": plan}
    return turn_prompt(cast(CallState, state), cast(Resources, resources), answering)


@pytest.mark.parametrize(("language", "answering", "text"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_without_thinking_the_last_message_is_byte_for_byte_what_it_was(
    language: str, answering: Answering, text: str
) -> None:
    assert last_message(language, answering, think=False) == text


@pytest.mark.parametrize(("language", "answering", "text"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_with_thinking_only_the_cue_changes_and_asks_for_a_thought(
    language: str, answering: Answering, text: str
) -> None:
    thinking = last_message(language, answering, think=True)
    before, cue = text.rsplit("\n", 1)
    assert thinking.startswith(before + "\n") and thinking.endswith("\n" + cue)
    asked = thinking.removeprefix(before + "\n").removesuffix(cue)
    assert asked.index(ThoughtFilter.OPEN) < asked.index(ThoughtFilter.CLOSE), "the markers are the filter's"
    assert any(cue.startswith(mark) for mark in PROMPT_MARKS), "spoken aloud, the cue is still a leak"
