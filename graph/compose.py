"""A turn's record, from the graph's state after it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graph.calls import now
from graph.records import Answering, Latency, Tokens, TurnRecord
from graph.state import CallState, ModelUse
from nodes.understand import NO_USE


@dataclass(frozen=True)
class Turn:
    """A turn that is being answered."""

    call: str
    turn: int
    customer: str
    header: Mapping[str, Any]
    released: list[str] = field(default_factory=list)
    recovered: bool = False
    answering: Answering = "scripts"


def _sum(uses: list[ModelUse]) -> ModelUse:
    tokens = Tokens(
        prompt=sum(use["tokens"]["prompt"] for use in uses),
        cached=sum(use["tokens"]["cached"] for use in uses),
        completion=sum(use["tokens"]["completion"] for use in uses),
    )
    return {"calls": sum(use["calls"] for use in uses), "ms": sum(use["ms"] for use in uses), "tokens": tokens}


def compose(state: CallState, turn: Turn, started: float, first_sentence: float) -> TurnRecord:
    """Build a turn's record from the graph's state after it.

    Args:
        state: State after the turn.
        turn: What was asked.
        started: Monotonic seconds at which the customer's line came in.
        first_sentence: Milliseconds until the first released sentence.
    """
    understood, move, said = state.get("understood", {}), state.get("move", {}), state["said"]
    spoke = move.get("route") == "stage" and said["source"] != "human"
    draft = state.get("draft", {}) if spoke else {}
    plan = state.get("plan", {}) if spoke else {}
    use = _sum([part.get("use", NO_USE) for part in (understood if turn.customer else {}, draft, said)])
    latency: Latency = {
        "understand": round(understood.get("ms", 0.0), 1),
        "retrieve": round(plan.get("ms", 0.0), 1),
        "first_sentence": round(first_sentence, 1),
        "model": round(use["ms"], 1),
        "total": round((time.monotonic() - started) * 1000, 1),
    }
    record: TurnRecord = {
        "call": turn.call,
        "turn": turn.turn,
        "customer": turn.customer,
        "stage": state.get("stage", ""),
        "stage_proposed": move.get("proposed", ""),
        "stage_reason": move.get("reason", ""),
        "intent": understood.get("intent", "") if turn.customer else "",
        "confidence": round(understood.get("confidence", 0.0), 4) if turn.customer else 0.0,
        "scripts": plan.get("scripts", []),
        "reply": said["reply"],
        "rules": [*(understood.get("rules", []) if turn.customer else []), *said.get("rules", [])],
        "source": said["source"],
        "latency_ms": latency,
        "tokens": use["tokens"],
        "ended": state.get("ended", False),
        "outcome": move.get("outcome", "open"),
        "at": now(),
        "why": {
            "language": state.get("language", ""),
            "strategy": state.get("strategy", ""),
            "signals": understood.get("signals", []) if turn.customer else [],
            "slots": state.get("slots", {}),
            "intent_way": understood.get("way", "none") if turn.customer else "none",
            "intent_candidates": understood.get("candidates", []) if turn.customer else [],
            "scores": plan.get("scores", []),
            "no_hit": plan.get("no_hit", ""),
            "lead": plan.get("lead", ""),
            "turn_prompt": draft.get("turn_prompt", ""),
            "history_from": draft.get("history_from", turn.turn),
            "prompt_hash": draft.get("prompt_hash", ""),
            "model": draft.get("model", ""),
            "model_calls": use["calls"],
            "thought": draft.get("thought", ""),
            "blocked_text": "\n".join(dict.fromkeys(filter(None, [draft.get("blocked", ""), said.get("blocked", "")]))),
            "error": said.get("error", "") or understood.get("error", ""),
        },
    }
    if turn.answering != "scripts":
        record["why"]["answering"] = turn.answering
    if turn.recovered:
        record["recovered"] = True
    return record
