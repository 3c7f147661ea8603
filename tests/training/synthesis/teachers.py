"""A teacher without a model: what it writes is a function of the prompt."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from evaluation.scenarios.loading import bundled_campaigns
from graph.settings import Settings
from scripts_library.schema import Language
from serving.fakes import FakeChatModel, FakeReply
from training.corpus.schema import Dialogue
from training.synthesis.scene import Workshop
from training.synthesis.teacher import Teacher

Write = Callable[[str, str], str | FakeReply]
"""Given the kind of request (`customer`, `seller`, `sales`, `manager`, `extraction`, `prefix`) and the last message."""

CUSTOMER = (
    "Hello, I have a minute, what is this about?",
    "That sounds good, but where does the money go?",
    "I see. And how long has this charity existed?",
    "Alright, I will think about ten cents.",
    "Thank you for the explanation, goodbye!",
)
SELLER = (
    "Save the Children works for children's health, education and safety. Have you heard of it?",
    "Nearly 9 out of every 10 dollars it spends go to programs for children.",
    "It was founded in London in 1919. Which part of its work matters most to you?",
    "Any amount is welcome, and giving is voluntary.",
    "Thank you for your time, and have a lovely day.",
)
TRANSCRIPT = (
    ("agent", "hello there how are yuo today"),
    ("customer", "hi im ok thanks and you"),
    ("agent", "good. have you herd of save the children?"),
    ("customer", "i think i heard of them, what do they do exactly"),
    ("agent", "they help children with food and medicine in about 120 countries"),
    ("customer", "ok and where does the money go"),
    ("agent", "nearly 9 out of every 10 dollars go to programs for children"),
    ("customer", "good to know. my number is 555-123-4567 call me bye"),
    ("agent", "thank you for your time have a lovely day"),
)
CHINESE = (
    ("agent", "喂您好 我是灯笼本地的小岚 方便聊两句吗"),
    ("customer", "嗯 方便 你说吧"),
    ("agent", "您店里的客人平时从哪来"),
    ("customer", "都是老街坊 年轻人不怎么来"),
    ("agent", "线上店铺能让附近的年轻人找到您"),
    ("customer", "那一个月要多少钱"),
    ("agent", "每月199元 可以先试用"),
)


class FakeTeacher(FakeChatModel):
    """Answers with `write`; `asked` counts the requests."""

    write: Any
    asked: int = 0

    def next_reply(self, messages: Sequence[BaseMessage], wants_json: bool) -> FakeReply:
        self.asked += 1
        said = self.write(kind_of(messages, wants_json), str(messages[-1].content))
        return said if isinstance(said, FakeReply) else FakeReply(text=said)


def kind_of(messages: Sequence[BaseMessage], wants_json: bool) -> str:
    last = str(messages[-1].content)
    if not wants_json:
        return "seller" if "as the seller" in last or "销售的身份" in last else "customer"
    marks = {
        "next_stage": "sales",
        "Transcript:": "extraction",
        "转写": "extraction",
        "You manage": "manager",
        "主管": "manager",
    }
    return next((kind for mark, kind in marks.items() if mark in last), "prefix")


def good() -> Write:
    """Return a teacher that does its part, with other words each time."""
    turn = count()

    def write(kind: str, last: str) -> str:
        number = next(turn)
        if kind == "customer":
            return f"{CUSTOMER[number % 5]} {number}"
        if kind == "seller":
            return SELLER[number % 5]
        if kind == "sales":
            return json.dumps({"line": SELLER[number % 5], "next_stage": "analysis"})
        if kind == "manager":
            return json.dumps({"stage": "analysis" if '"analysis"' in last or "- analysis" in last else "opening"})
        if kind == "extraction":
            return json.dumps(extracted())
        return json.dumps({"turns": written(number)})

    return write


def extracted() -> dict[str, Any]:
    return {
        "profile": {"age_group": "under_30", "gives": "unknown", "cares_for": "nonsense"},
        "strategy": "answer-then-ask",
        "opening": "Hello there, how are you today?",
        "turns": [
            {"customer": "Hi, I'm ok, thanks.", "reason": "Greets; ask what they know.", "agent": "Good. Have you heard of Save the Children?"},
            {"customer": "I think I heard of them. What do they do exactly?", "reason": "Wants facts.", "agent": "They help children with food and medicine in about 120 countries."},
            {"customer": "Ok, and where does the money go?", "reason": "Doubts the use.", "agent": "Nearly 9 out of every 10 dollars go to programs for children."},
        ],
    }  # fmt: skip


def written(number: int = 0) -> list[dict[str, str]]:
    return [
        {"customer": f"Hello, I was just reading about number {number}.", "agent": "Glad to reach you. Do you sometimes give to charities?"},
        {"customer": f"Now and then, when I have {number} things less to pay.", "agent": "That is kind of you. It's entirely your choice today as well."},
        {"customer": f"Good, because my friend number {number} was pressed once.", "agent": "Nobody will press you here."},
    ]  # fmt: skip


def transcript(seed_id: str, split: str = "train", language: Language = "en") -> Dialogue:
    turns = [{"role": role, "text": text} for role, text in (TRANSCRIPT if language == "en" else CHINESE)]
    return Dialogue.model_validate(
        {
            "id": seed_id, "campaign": "save_the_children", "language": language, "turns": turns, "outcome": "won",
            "source": {"method": "imported"}, "split": split,
        }
    )  # fmt: skip


@pytest.fixture
def make_shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Workshop, FakeTeacher]]:
    """Return what builds a workshop whose teacher, also as the customer, is a fake."""

    def build(
        write: Write, campaign: str = "save_the_children", language: Language = "en", **more: Any
    ) -> tuple[Workshop, FakeTeacher]:
        model = FakeTeacher(write=write)
        monkeypatch.setattr("evaluation.customers.persona.load_judge", lambda settings: model)
        settings = Settings(home=tmp_path / "home", _env_file=None)  # type: ignore[call-arg]
        more = {
            "transcripts": [transcript(f"call-{number}", language=language) for number in range(40)],
            "manager": "model",
        } | more
        data = bundled_campaigns()[campaign]
        return Workshop(data, language, Teacher(lambda: model, "fake-teacher"), settings, **more), model

    return build
