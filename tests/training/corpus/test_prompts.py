"""The walk over a dialogue: word for word what a served call sends its model, without asking one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from graph.context import Understanding
from graph.session import Calls
from graph.settings import Settings, get_settings
from serving.chat import load_chat_model
from tests.training.corpus.dialogues import dialogue, said
from training.corpus.prompts import ROLES, Served, walk

CALLS: dict[str, tuple[str, dict[str, str], list[tuple[str, str]]]] = {
    "en": (
        "lantern_local",
        {},
        [
            ("Yes, I have a minute. What is it?", "We put your shop online. What do you sell there?"),
            ("I run a small bakery.", "That sounds lovely. How do your customers find you today?"),
            ("That is too expensive for me.", "I understand. What would be worth it for you?"),
            ("What does it cost?", "Gladly. May I first ask how many items you sell?"),
            ("Ok, I will try it, please sign me up.", "Thank you. When does it suit you best?"),
        ],
    ),
    "zh": (
        "lantern_local",
        {},
        [
            ("有空,你说吧。", "谢谢您。请问您店里主要卖什么?"),
            ("太贵了,我不需要。", "我明白您的想法。您最在意的是什么呢?"),
            ("多少钱一个月?", "我很乐意说明。请问您现在怎么接单呢?"),
        ],
    ),
}


def held_and_walked(
    language: str, settings: Settings, tmp_path: Path
) -> tuple[list[list[dict[str, str]]], list[Served]]:
    """Hold a call with a scripted model, and walk the dialogue that it was."""
    campaign, profile, exchanges = CALLS[language]
    script = tmp_path / f"{language}-{settings.think}.yaml"
    script.write_text(yaml.safe_dump([reply for _, reply in exchanges], allow_unicode=True), encoding="utf-8")
    serving = settings.model_copy(update={"llm": f"fake/scripted:{script}"})
    calls = Calls(serving, understanding=Understanding(by="classifier"))
    record = calls.start(campaign, language=language, profile=profile)
    turns = [said("agent", record["reply"])]
    for customer, _ in exchanges:
        turn = calls.turn(record["call"], customer)
        assert turn["source"] in ("model", "script")
        turns += [said("customer", customer), said("agent", turn["reply"])]
    calls.close()
    seen: Any = load_chat_model(serving).seen  # type: ignore[attr-defined]
    sent = [[{"role": ROLES[one.type], "content": str(one.content)} for one in messages] for messages in seen]
    walked = dialogue("d", *turns, campaign=campaign, language=language, profile=profile)
    return sent, list(walk(walked, settings))


@pytest.mark.parametrize("think", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_prompts_are_word_for_word_those_of_a_call_with_the_same_words(
    language: str, think: bool, loaded_home: Path, tmp_path: Path
) -> None:
    settings = get_settings().model_copy(update={"think": think})
    sent, walked = held_and_walked(language, settings, tmp_path)
    assert len(walked) >= 3
    assert [one.prompt(think=think) for one in walked] == sent
    assert all(("<think>" in prompt[-1]["content"]) is think for prompt in sent)
