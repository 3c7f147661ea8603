"""Judges that say what a test tells them to, and conversations to be judged."""

import json
from typing import Any

from evaluation.judging.transcript import Judged, Said
from evaluation.runs.results import CallResult
from graph.records import ConversationRecord, TurnRecord
from serving.fakes import FakeReply, ScriptedChatModel

CALL = (
    Said(0, "", "Hello, this is Lan. May I ask about your shop?"),
    Said(1, "Sure, but I'm busy.", "What do you need most?"),
    Said(2, "More people on weekday afternoons. Call me on Tuesday at ten!", "Tuesday at ten it is, I promise."),
)


def judged(*said: Said, **more: Any) -> Judged:
    return Judged("en", said or CALL, **more)


def says(*answers: object) -> ScriptedChatModel:
    """Return a judge that gives these answers in order: objects as JSON, texts as they are."""
    texts = [answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False) for answer in answers]
    return ScriptedTexts(replies=[FakeReply(text=text) for text in texts])


class ScriptedTexts(ScriptedChatModel):
    """Gives its texts to requests for JSON too, as a server does that ignores the schema."""

    def next_reply(self, messages: Any, wants_json: bool) -> FakeReply:
        return super().next_reply(messages, False)


def progress(value: object, *evidence: dict[str, Any], reason: object = "because") -> dict[str, Any]:
    """Return an answer to the rubric `process`."""
    return {"progress": {"evidence": list(evidence), "reason": reason, "value": value}}


def quote(turn: object, words: object, kind: str = "next_step") -> dict[str, Any]:
    return {"turn": turn, "quote": words, "kind": kind}


TRUE = quote(2, "call me on Tuesday, at ten")


def record(
    *said: Said, campaign: str = "lantern_local", language: str = "en", status: str = "open"
) -> ConversationRecord:
    turns: list[TurnRecord] = [
        {
            "call": "c", "turn": one.turn, "customer": one.customer, "reply": one.agent, "stage": "analysis", "intent": "",
            "confidence": 0.9, "scripts": [], "rules": [], "source": "model", "outcome": status, "ended": False, "at": "",
            "why": {"language": language, "slots": {}, "signals": []},
        }
        for one in said or CALL
    ]  # fmt: skip
    return {
        "version": 1, "call": "c", "campaign": campaign, "language": language, "profile": {}, "strategy": "need-first",
        "model": "fake", "started_at": "", "ended": True, "turns": turns,
        "outcome": {"status": status, "need": {}, "objections": [], "offers": [], "commitment": {}, "next_step": ""},
    }  # fmt: skip


def result(unit: str, *sessions: ConversationRecord, error: Any = None) -> CallResult:
    variant, scenario, customer, trial = unit.split("|")
    return {
        "unit": unit, "variant": variant, "scenario": scenario, "customer": customer, "trial": int(trial), "seed": 0,
        "sessions": list(sessions), "notes": [[] for _ in sessions], "stopped": "customer", "error": error, "seconds": 1.0,
    }  # fmt: skip
