"""Calls made by hand, for tests of lists, statistics, tests and the outbox: no model, no graph."""

from typing import Any

from sqlalchemy import Engine

from graph.calls import CallStore
from graph.records import Outcome, TurnRecord

HEADER = {"campaign": "lantern_local", "language": "", "profile": {}, "strategy": "s", "model": "m", "contact": ""}


def outcome(status: str = "open", **more: Any) -> Outcome:
    made: dict[str, Any] = {
        "status": status,
        "need": {},
        "objections": [],
        "offers": [],
        "commitment": {},
        "next_step": "",
    }
    return made | more  # type: ignore[return-value]


def objection(turn: int, resolved_at: int | None = None, intent: str = "price") -> dict[str, Any]:
    return {"intent": intent, "turn": turn, "scripts": [], "resolved_at": resolved_at}


def turn_of(call: str, turn: int, customer: str = "How much?", reply: str = "It is 60.", **more: Any) -> TurnRecord:
    scripts = [{"id": name, "version": version} for name, version in more.pop("scripts", [])]
    why = {"language": more.pop("language", "en"), "no_hit": more.pop("no_hit", "")} | more.pop("why", {})
    made: dict[str, Any] = {
        "call": call,
        "turn": turn,
        "customer": customer,
        "stage": "objection",
        "stage_proposed": "objection",
        "stage_reason": "the customer objects",
        "intent": "price",
        "confidence": 0.9,
        "scripts": scripts,
        "reply": reply,
        "rules": [],
        "source": "model",
        "latency_ms": {"understand": 1.0, "retrieve": 1.0, "first_sentence": 1.0, "model": 1.0, "total": 1.0},
        "tokens": {"prompt": 1, "cached": 0, "completion": 1},
        "ended": False,
        "outcome": "open",
        "at": f"2026-01-01T00:{turn:02d}:00+00:00",
        "why": {"signals": [], "slots": {}, "intent_way": "classifier", "model": "m", **why},
    }
    return made | more  # type: ignore[return-value]


def keep(
    engine: Engine, call: str, turns: list[TurnRecord], end: Outcome, *, webhook: bool = False, **header: Any
) -> None:
    """Keep turns of a call, a fresh one with an opening; the last of them has the given outcome."""
    store = CallStore(engine, webhook=webhook)
    if not store.exists(call):
        store.open(call, {**HEADER, **header})
    if turns[0]["turn"] and not store.record(call)["turns"]:
        turns = [turn_of(call, 0, "", "Good day.", stage="opening", intent=""), *turns]
    for record in turns:
        assert store.begin(call, f"k{record['turn']}", record["customer"]) == record["turn"]
        last = record is turns[-1]
        store.finish(call, record, end if last else outcome(record["outcome"]))
