"""Each filter drops what it is there for, says why, and lets a sound dialogue pass."""

from typing import Any

import pytest

from evaluation.judging.rubric import find_rubrics
from evaluation.scenarios.loading import bundled_campaigns
from graph.errors import BadInput
from guardrails.rules import RULES
from serving.fakes import FakeReply, ScriptedChatModel
from training.corpus.schema import Dialogue
from training.synthesis.filters.chain import NAMES, USUAL, reasons, sift, stages, table
from training.synthesis.filters.duplicates import NEAR, signature
from training.synthesis.filters.judge import JudgeFilter
from training.synthesis.filters.rules import RULES_OF
from training.synthesis.made import Made

SOUND = (
    "Hello, this is Ada, an AI assistant calling for the Save the Children donation task. Have you heard of the charity before?",
    "I think so. What do they do exactly?",
    "It works for children's health, education and safety in about 120 countries.",
    "Okay. And where does all the money go?",
    "Nearly 9 out of every 10 dollars it spends go to programs for children.",
    "That sounds fair, let me think about it.",
    "Of course, it's entirely your choice.",
)
CHINESE = (
    "您好，我是灯笼本地的AI助手小岚。我们帮街坊小店开线上店铺，想了解下您店里的情况，现在方便吗？",
    "方便，你说吧，大概是怎么回事？",
    "简单说就是让附近的人能在网上找到您的店，您平时客人从哪来？",
    "大多是老街坊，年轻人来得少一些。",
    "明白，线上店铺正好能让年轻人看到您。",
)


def dialogue(
    *texts: str, name: str = "d", campaign: str = "save_the_children", language: str = "en", **more: Any
) -> Dialogue:
    roles = ["agent", "customer"] * len(texts)
    strategy = bundled_campaigns()[campaign].campaign.strategies[0].id
    return Dialogue.model_validate(
        {
            "id": name, "campaign": campaign, "language": language, "strategy": strategy, "split": "train",
            "turns": [{"role": role, "text": text} for role, text in zip(roles, texts, strict=False)],
            "source": {"method": "prefix", "model": "t"}, **more,
        }
    )  # fmt: skip


def changed(place: int, text: str) -> Dialogue:
    return dialogue(*SOUND[:place], text, *SOUND[place + 1 :])


def usual(names: tuple[str, ...] = USUAL) -> Any:
    return stages(names, lambda name: bundled_campaigns()[name].campaign, _no_judge)


def _no_judge() -> JudgeFilter:
    raise AssertionError("nobody asked for a judge")


def dropped_by(one: Dialogue) -> tuple[str, str]:
    return next(((stage.name, reason) for stage in usual() if (reason := stage.drop(one))), ("", ""))


@pytest.mark.parametrize(
    "one", [dialogue(*SOUND), dialogue(*CHINESE, campaign="lantern_local", language="zh")], ids=["en", "zh"]
)
def test_a_sound_dialogue_passes_every_filter(one: Dialogue) -> None:
    assert dropped_by(one) == ("", "")


@pytest.mark.parametrize(
    ("one", "stage", "reason"),
    [
        (dialogue(*SOUND[:3]), "schema", "3 turns"),
        (dialogue(*SOUND[:6]), "schema", "the agent must do both"),
        (dialogue(*SOUND, strategy="push"), "schema", "strategy 'push'"),
        (changed(1, "你们是做什么的，能详细说说吗"), "schema", "another language"),
        (changed(2, "我们帮助全世界的孩子，包括健康和教育"), "schema", "wrong_language"),
        (changed(3, "Call me on 555-123-4567, please."), "privacy", "a contact"),
        (changed(3, "My name is Barbara Miller, by the way."), "privacy", "name"),
        (changed(4, "I am a real human, I promise you."), "safety", "claims_human"),
        (changed(6, "Don't you care about dying children?"), "safety", "pressure"),
        (changed(4, "As an AI language model, I can't do that."), "safety", ""),
        (changed(5, "How can I help you today? We have a great offer for you."), "inversion", "speaks as the seller"),
        (changed(4, "I'm not interested, I will think about it."), "inversion", "speaks as the customer"),
        (changed(5, SOUND[1]), "coherence", "said before"),
        (changed(5, "That sounds fair, but I"), "", ""),
        (changed(5, "That sounds fair, because of the"), "coherence", "breaks off"),
        (changed(3, "Okay, goodbye then!"), "coherence", "follow a goodbye"),
        (changed(6, "Shall I say more? Or shall we stop? What do you want?"), "conversationality", "two_questions"),
        (changed(6, "Furthermore, it is your choice."), "conversationality", "written language"),
        (changed(5, "word " * 70 + "end"), "conversationality", "71 words"),
        (dialogue(SOUND[0], "Ok.", SOUND[2], "Yes.", SOUND[4]), "conversationality", "words a line"),
        (changed(4, "It works in 190 countries since 1850."), "facts", "unsupported_quantity"),
        (changed(4, "Your gift is tax deductible, of course."), "facts", "forbidden_claim"),
    ],
)  # fmt: skip
def test_a_filter_drops_what_it_is_there_for(one: Dialogue, stage: str, reason: str) -> None:
    found = dropped_by(one)
    assert found[0] == stage
    assert reason in found[1]


def test_reasons_about_privacy_do_not_repeat_the_data() -> None:
    assert "555" not in dropped_by(changed(3, "Call me on 555-123-4567, please."))[1]


def test_every_rule_of_the_guardrails_belongs_to_one_filter() -> None:
    names = [name for rules in RULES_OF.values() for name in rules]
    assert sorted(names) == sorted(rule.name for rule in RULES)


def test_near_duplicates_go_and_the_first_one_stays() -> None:
    drop = next(stage for stage in usual() if stage.name == "duplicates").drop
    other = dialogue(*CHINESE, name="zh", campaign="lantern_local", language="zh")
    assert drop(dialogue(*SOUND, name="first")) == ""
    assert drop(other) == ""
    assert "the same as first" in drop(changed(5, "That sounds fair, let me think."))
    assert drop(dialogue(SOUND[0], "Who are you?", "Ada, an AI assistant.", "Why do you call me?", SOUND[2])) == ""


def test_the_signature_estimates_what_two_texts_share() -> None:
    words = [f"w{number}" for number in range(400)]
    for shared in (0.2, 0.5, 0.8):
        cut = round(400 * 2 * shared / (1 + shared))
        ones = [signature(dialogue("x", " ".join(text), "y")) for text in (words[:400], words[400 - cut :] + [f"v{n}" for n in range(400 - cut)])]  # fmt: skip
        assert (ones[0] == ones[1]).mean() == pytest.approx(shared, abs=0.12)
    assert 0.5 < NEAR < 0.9


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(BadInput, match="Filter 'shine' is unknown"):
        usual(("schema", "shine"))


def test_filters_stand_in_their_order_and_schema_always() -> None:
    assert [stage.name for stage in usual(("facts", "privacy"))] == ["schema", "privacy", "facts"]
    assert (*USUAL, "judge") == NAMES


def test_the_report_says_what_each_filter_left() -> None:
    made = [
        Made(id="prefix.1", method="prefix", dialogue=dialogue(*SOUND), seconds=1),
        Made(id="prefix.2", method="prefix", dialogue=dialogue(*SOUND, name="e"), seconds=1),
        Made(id="prefix.3", method="prefix", failure="an empty answer", seconds=1),
        Made(id="extraction.1", method="extraction", dialogue=changed(4, "It works in 190 countries."), seconds=1),
    ]
    kept, found = sift(made, usual())
    assert [one.id for one in kept] == ["d"]
    prefix = found["prefix"]
    assert (prefix["made"], prefix["kept"], prefix["share"]) == (3, 1, 0.3333)
    assert prefix["dropped"]["schema"] == {"count": 1, "examples": ["prefix.3: no dialogue: an empty answer"]}
    assert prefix["dropped"]["duplicates"]["count"] == 1
    assert found["extraction"]["dropped"]["facts"]["count"] == 1
    lines = table(found)
    assert lines[0].split() == ["prefix", "extraction"]
    assert lines[2].split() == ["schema", "2", "(-1)", "1", "(-0)"]
    assert lines[-3].split() == ["kept", "1", "(33%)", "0", "(0%)"]
    assert lines[-2].split() == ["turns", "7.00", "0.00"]
    assert prefix["length"] == pytest.approx(sum(len(text.replace("'s", " is").split()) for text in SOUND) / 7, abs=0.1)
    assert any(line.startswith("facts, extraction: extraction.1:") for line in reasons(found))


def _judge(tmp_path: Any, *values: int) -> tuple[JudgeFilter, ScriptedChatModel]:
    (rubric,) = find_rubrics(["telebot"])
    answers = []
    for value in values:
        evidence = [{"turn": 1, "quote": SOUND[2], "kind": "fine" if value else "fault"}]
        answers.append({one.id: {"evidence": evidence, "reason": "so", "value": value} for one in rubric.criteria})
    model = ScriptedChatModel(replies=[FakeReply.model_validate({"json": one}) for one in answers] or ["no"])
    return JudgeFilter(model, "judge", tmp_path / "judged.jsonl"), model


def test_the_judge_drops_what_is_poor_and_is_asked_once(tmp_path: Any) -> None:
    campaign = bundled_campaigns()["save_the_children"].campaign
    judge, model = _judge(tmp_path, 0)
    assert "the judge gives" in judge.drop(dialogue(*SOUND), campaign)
    asked = len(model.seen)
    again, other = _judge(tmp_path, 1)
    assert "the judge gives" in again.drop(dialogue(*SOUND), campaign)
    assert (asked > 0, len(other.seen)) == (True, 0)
    assert again.drop(dialogue(*SOUND, name="other"), campaign) == ""


def test_a_dialogue_on_which_the_judge_failed_stays(tmp_path: Any) -> None:
    judge, _ = _judge(tmp_path)
    assert judge.drop(dialogue(*SOUND), bundled_campaigns()["save_the_children"].campaign) == ""
