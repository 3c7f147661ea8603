"""The dialogue manager: the proposed stage, the adjudicated one, and the reason (AI-Salesman's Manager).

The customer's intent proposes; the campaign's SOP adjudicates. Only legal moves are made, one step at a time; `close`
waits for the slots that it requires; a call that turns in circles is given another script, then a person.
"""

from collections.abc import Mapping
from typing import cast

from langgraph.runtime import Runtime

from graph.context import Context, context_of
from graph.records import Objection
from graph.state import CallState, Move, Understood
from nodes.resources import get_resources, intent_named
from scripts_library.schema import STAGES, Intent, Sop, Stage

REFUSALS_TO_END = 2
"""The customer's second "no" to the offer ends the call politely: a third attempt would be pressure."""
OPT_OUT_CONFIDENCE = 0.5
"""An opt-out ends a call for good. One that no pattern confirms and that is less sure than this counts as a "no" to the offer."""
GOODBYE_CONFIDENCE = 0.5
"""Outside `close`, a goodbye ends the call only when it is at least this sure."""
AWAITED = "a person is awaited"
"""Why a turn of a waiting call stays where the call is."""


def _propose(sop: Sop, current: Stage, intent: Intent, slots: Mapping[str, str]) -> tuple[Stage, str]:
    if intent.stage:
        return intent.stage, f"intent {intent.name} leads to {intent.stage}"
    plan = sop.stages[current]
    done = intent.name in plan.exit_intents or (plan.exit_slots and all(name in slots for name in plan.exit_slots))
    if done:
        following: Stage = {"opening": "analysis", "objection": "analysis"}.get(current, "close")  # type: ignore[assignment]
        return following, f"{current} has met its exit criteria"
    return current, f"intent {intent.name} keeps the stage"


def _first_step(sop: Sop, current: Stage, goal: Stage) -> Stage | None:
    """Return the first move on a shortest legal path, or None when there is none."""
    paths: list[list[Stage]] = [[current]]
    seen = {current}
    for path in paths:
        for following in sop.moves.get(path[-1], []):
            if following == goal:
                return [*path, following][1]
            if following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return None


def adjudicate(sop: Sop, current: Stage, proposed: Stage, slots: Mapping[str, str]) -> tuple[Stage, str]:
    """Return the stage that the SOP allows, with the reason when it differs from the proposal.

    Args:
        sop: The campaign's stages, legal moves and requirements.
        current: Stage of the call.
        proposed: Stage that the intent leads to.
        slots: What is known; `close` needs all of `sop.close_requires`.
    """
    missing = [name for name in sop.close_requires if name not in slots] if proposed == "close" else []
    goal: Stage = proposed
    reason = ""
    if missing and current != "close":
        goal = "analysis"
        reason = f"close waits for: {', '.join(missing)}"
    if goal == current or goal in sop.moves.get(current, []):
        return goal, reason
    step = _first_step(sop, current, goal)
    if step is None or (step == "close" and any(name not in slots for name in sop.close_requires)):
        return current, reason or f"no legal way from {current} to {goal}"
    return step, reason or f"{current} → {goal} is no legal move; {step} comes first"


def _track_objections(held: list[Objection], intent: Intent, turn: int, shown: CallState) -> list[Objection]:
    """Open an objection, or settle the open ones when the customer moves on."""
    objections = [dict(objection) for objection in held]
    standing = [objection for objection in objections if objection["resolved_at"] is None]
    if standing and not standing[-1]["scripts"]:
        standing[-1]["scripts"] = shown.get("plan", {}).get("scripts", [])
    if intent.kind in ("agreement", "interest", "information") or (intent.kind == "question" and standing):
        for objection in standing:
            objection["resolved_at"] = turn
    elif intent.kind in ("objection", "refusal"):
        repeated = bool(standing) and standing[-1]["intent"] == intent.name
        if not repeated:
            objections.append({"intent": intent.name, "turn": turn, "scripts": [], "resolved_at": None})
    return cast(list[Objection], objections[-20:])


def _fixed(move: Move, lines: str, after: str, outcome: str, reason: str) -> Move:
    return cast(Move, {**move, "route": "fixed", "fixed": lines, "after": after, "outcome": outcome, "reason": reason})


def weighed(intent: Intent, understood: Understood) -> Intent:
    """Return the intent to act on: a doubtful opt-out is a refusal."""
    doubtful = understood["way"] != "signal" and understood["confidence"] < OPT_OUT_CONFIDENCE
    return intent.model_copy(update={"kind": "refusal"}) if intent.kind == "opt_out" and doubtful else intent


def _special(move: Move, intent: Intent, signals: list[str], refusals: int, repeat_limit: int) -> Move:
    """Decide the turns that no stage script answers: opt-out, a person, override attempts, the end, circles."""
    if intent.kind == "opt_out":
        return _fixed(move, "opt_out", "ended", "opted_out", "the customer opted out: the call ends for good")
    if intent.kind == "handoff":
        return _fixed(move, "handoff", "handoff", "handoff", f"intent {intent.name} asks for a person")
    if "injection" in signals:
        return _fixed(move, "off_topic", "end", move["outcome"], "an attempt to override the agent is not followed")
    if intent.kind == "refusal" and refusals >= REFUSALS_TO_END:
        return _fixed(move, "farewell", "ended", "declined", f"the customer said no {refusals} times")
    if move["repeats"] >= 2 * repeat_limit and intent.kind in ("objection", "question", "refusal", "off_topic"):
        return _fixed(move, "handoff", "handoff", "handoff", f"stuck: {move['repeats']} turns of {intent.name}")
    return move


def _outcome(held: str, intent: Intent, stage: Stage, slots: Mapping[str, str]) -> str:
    """Return the state of the call after this line."""
    if intent.kind == "agreement" and stage == "close":
        return "won"
    if intent.kind == "refusal":
        return "declined"
    if held == "open" and intent.kind == "goodbye":
        return "follow_up" if any(name.startswith("callback") for name in slots) else "declined"
    return held


def advance(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Propose and adjudicate the stage, and send the special turns to their approved lines."""
    data = get_resources(context_of(runtime.context).settings).campaign(state["campaign"])
    sop = data.campaign.sop
    held = state.get("move", {})
    current = cast(Stage, state.get("stage") or STAGES[0])
    if not state.get("customer"):
        opening: Move = {"proposed": current, "reason": "the agent opens the call", "repeats": 0, "other_script": False}
        return {"stage": current, "move": _fixed(opening, "greeting", "end", "open", opening["reason"])}

    understood = state["understood"]
    intent = weighed(intent_named(data, understood["intent"]), understood)
    slots = state.get("slots", {})
    proposed, why = _propose(sop, current, intent, slots)
    stage, objection = adjudicate(sop, current, proposed, slots)
    same = stage == current and intent.name == held.get("intent")
    repeats = held.get("repeats", 0) + 1 if same else 1
    refusals = state.get("refusals", 0) + (intent.kind == "refusal")
    outcome = _outcome(held.get("outcome", "open"), intent, stage, slots)
    move: Move = {
        "proposed": proposed,
        "reason": objection or why,
        "route": "stage",
        "after": "end",
        "outcome": outcome,
        "intent": intent.name,
        "repeats": repeats,
        "other_script": repeats >= sop.repeat_limit,
    }
    if intent.kind == "goodbye" and (stage == "close" or understood["confidence"] >= GOODBYE_CONFIDENCE):
        move["after"] = "ended"
    if move["other_script"]:
        move["reason"] += f"; turn {repeats} of the same: another script"
    if held.get("outcome") == "handoff" and intent.kind != "opt_out":
        move = _fixed(move, "holding", "handoff", "handoff", AWAITED)
    else:
        move = _special(move, intent, understood["signals"], refusals, sop.repeat_limit)
    return {
        "stage": stage if move["route"] == "stage" else current,
        "move": move,
        "objections": _track_objections(state.get("objections", []), intent, state.get("turn", 0), state),
        "refusals": refusals,
    }
