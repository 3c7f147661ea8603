"""The teacher's answers: read as far as they are whole, asked for once more, and never believed."""

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from graph.errors import ModelUnavailable
from serving.fakes import FakeReply, ScriptedChatModel
from training.synthesis.prompting import PROMPTS, render, templates_hash
from training.synthesis.repair import Exchange, read_exchanges, spoken
from training.synthesis.teacher import Refused, Teacher, read_object

WHOLE = {"opening": "Hi", "turns": [{"customer": "a", "agent": "b"}, {"customer": "c}", "agent": "d"}]}


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        (json.dumps(WHOLE), WHOLE, "whole"),
        (f"Sure!\n```json\n{json.dumps(WHOLE)}\n```", WHOLE, "with words and a fence around it"),
        (json.dumps(WHOLE)[:-20], {**WHOLE, "turns": WHOLE["turns"][:1]}, "cut in the second exchange"),
        (json.dumps(WHOLE)[:-1], WHOLE, "the last brace lacks"),
    ],
)
def test_an_answer_is_read_as_far_as_it_is_whole(said: str, expected: dict[str, Any], why: str) -> None:
    assert read_object(said) == expected, why


@pytest.mark.parametrize("said", ["", "I cannot do that.", '{"opening": "Hi', "[1, 2]", "}{"])
def test_an_answer_without_an_object_is_refused(said: str) -> None:
    with pytest.raises(Refused):
        read_object(said)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Customer: How much is it?", "How much is it?"),
        ("**Seller (Ada):** It is voluntary. Customer: I see.", "It is voluntary."),
        ("销售：您好，我们有试用。客户：好的", "您好，我们有试用。"),
        ("店主：多少钱？", "多少钱？"),
        ("(smiles) Sure. Why not? And a third one.", "Sure. Why not?"),
        ("<think>hm</think>Yes. But this one was cut o", "Yes."),
        (None, ""),
        ("  ", ""),
    ],
)
def test_a_line_is_what_one_side_speaks(text: object, line: str) -> None:
    assert spoken(text) == line


def test_exchanges_without_both_sides_are_left_out() -> None:
    items = [{"customer": "Why?", "agent": "Because."}, {"customer": "", "agent": "x"}, {"customer": "y"}, "z", None]
    assert read_exchanges(items) == [Exchange("Why?", "Because.")]
    for nothing in (None, "turns", [], [{"customer": "Why?"}]):
        with pytest.raises(Refused):
            read_exchanges(nothing)


def test_a_refused_answer_is_asked_for_once_more_with_another_seed() -> None:
    model = Alternating(["nonsense", '{"a": 1}'])
    teacher = Teacher(lambda: model, "t")  # type: ignore[arg-type,return-value]
    assert teacher.ask([HumanMessage("?")], {}, lambda answer: answer["a"], tokens=9, seed=5) == 1
    assert model.seeds == [5, 6]
    model = Alternating(["no", "no"])
    with pytest.raises(Refused, match="no JSON object"):
        teacher.ask([HumanMessage("?")], {}, dict, tokens=9, seed=5)


class Alternating:
    """A model that answers from a list and remembers the seeds."""

    def __init__(self, replies: list[str]) -> None:
        self._replies, self.seeds = replies, []  # type: ignore[var-annotated]

    def invoke(self, prompt: object, *, seed: int, **options: object) -> HumanMessage:
        self.seeds.append(seed)
        return HumanMessage(self._replies.pop(0))


def test_a_teacher_that_cannot_be_reached_is_told_in_one_line() -> None:
    teacher = Teacher(lambda: ScriptedChatModel(replies=[FakeReply(error="refused")]), "qwen")
    with pytest.raises(ModelUnavailable, match="The teacher qwen does not answer") as caught:
        teacher.say([HumanMessage("?")], tokens=9, seed=1)
    assert "\n" not in str(caught.value)


def test_a_prompt_takes_exactly_its_values() -> None:
    with pytest.raises(KeyError, match="missing \\['said'\\], unused \\['sad'\\]"):
        render("seller_turn.en", sad="x")
    assert "{{said}}" in render("seller_turn.en", said="{{said}}")


def test_every_prompt_is_there_in_both_languages_with_the_same_placeholders() -> None:
    from nodes.prompting import SLOT

    files = {path.name.rpartition(".")[0] for path in PROMPTS.glob("*.md")}
    stems = {name.rpartition(".")[0] for name in files}
    for stem in stems:
        slots = [set(SLOT.findall((PROMPTS / f"{stem}.{lang}.md").read_text("utf-8"))) for lang in ("en", "zh")]
        assert slots[0] == slots[1], stem


def test_the_hash_tells_prompts_apart() -> None:
    one = templates_hash(["prefix"], "en")
    assert one == templates_hash(["prefix"], "en")
    assert len({one, templates_hash(["prefix"], "zh"), templates_hash(["prefix"], "en", customer=True)}) == 3
