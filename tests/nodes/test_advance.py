"""The manager: every edge of the SOP, every special turn."""

import itertools
from typing import Any

import pytest

from nodes.advance import OPT_OUT_CONFIDENCE, _special, _track_objections, adjudicate, weighed
from scripts_library.schema import STAGES, Intent, Sop, Stage

PLAN = {"goal": {"en": "go on"}, "fallback": {"en": ["Let me see."]}}
SOP = Sop.model_validate(
    {
        "stages": {stage: PLAN for stage in STAGES},
        "moves": {
            "opening": ["analysis", "objection"],
            "analysis": ["objection", "close"],
            "objection": ["analysis", "close"],
            "close": ["objection"],
        },
        "close_requires": ["need"],
    }
)


def intent(kind: str, stage: Stage | None = None) -> Intent:
    return Intent.model_validate(
        {"name": "some_intent", "kind": kind, "stage": stage, "label": {"en": "x"}, "examples": {"en": ["x"]}}
    )


@pytest.mark.parametrize(
    ("current", "proposed", "slots", "expected", "why"),
    [
        ("opening", "analysis", {}, "analysis", "a legal move is made"),
        ("opening", "opening", {}, "opening", "staying is always legal"),
        ("opening", "close", {"need": "ads"}, "analysis", "close cannot be reached from opening: one step towards it"),
        ("opening", "close", {}, "analysis", "close waits for the need, so the need is asked for"),
        ("analysis", "close", {}, "analysis", "close waits for the need"),
        ("analysis", "close", {"need": "ads"}, "close", "the need is known"),
        ("objection", "close", {}, "analysis", "an objection is answered, but the need is still unknown"),
        ("objection", "close", {"need": "ads"}, "close", "the need is known"),
        ("close", "close", {}, "close", "a call in close stays there"),
        ("close", "opening", {"need": "ads"}, "close", "there is no way back to the opening"),
        ("close", "analysis", {"need": "ads"}, "objection", "analysis is reached through objection"),
    ],
)
def test_the_sop_adjudicates(current: Stage, proposed: Stage, slots: dict[str, str], expected: str, why: str) -> None:
    stage, reason = adjudicate(SOP, current, proposed, slots)
    assert stage == expected, why
    assert reason or stage == proposed, "a change of the proposal always has a reason"


@pytest.mark.parametrize(("current", "proposed"), list(itertools.product(STAGES, STAGES)))
@pytest.mark.parametrize("slots", [{}, {"need": "ads"}])
def test_no_proposal_makes_an_illegal_move(current: Stage, proposed: Stage, slots: dict[str, str]) -> None:
    stage, _ = adjudicate(SOP, current, proposed, slots)
    assert stage == current or stage in SOP.moves[current]
    assert stage != "close" or current == "close" or "need" in slots


@pytest.mark.parametrize(
    ("kind", "signals", "refusals", "repeats", "route", "fixed", "after", "outcome"),
    [
        ("opt_out", [], 0, 1, "fixed", "opt_out", "ended", "opted_out"),
        ("handoff", [], 0, 1, "fixed", "handoff", "handoff", "handoff"),
        ("question", ["injection"], 0, 1, "fixed", "off_topic", "end", "open"),
        ("refusal", [], 1, 1, "stage", None, "end", "open"),
        ("refusal", [], 2, 1, "fixed", "farewell", "ended", "declined"),
        ("objection", [], 0, 5, "stage", None, "end", "open"),
        ("objection", [], 0, 6, "fixed", "handoff", "handoff", "handoff"),
        ("smalltalk", [], 0, 9, "stage", None, "end", "open"),
    ],
)
def test_special_turns(
    kind: str, signals: list[str], refusals: int, repeats: int, route: str, fixed: str | None, after: str, outcome: str
) -> None:
    move = {
        "proposed": "analysis",
        "reason": "",
        "route": "stage",
        "after": "end",
        "outcome": "open",
        "repeats": repeats,
    }
    decided = _special(move, intent(kind), signals, refusals, 3)  # type: ignore[arg-type]
    assert (decided["route"], decided.get("fixed"), decided["after"], decided["outcome"]) == (
        route,
        fixed,
        after,
        outcome,
    )
    assert move["route"] == "stage", "what was handed in is not changed"


@pytest.mark.parametrize(
    ("kind", "way", "confidence", "expected", "why"),
    [
        ("opt_out", "signal", 1.0, "opt_out", "a pattern found it"),
        ("opt_out", "classifier", OPT_OUT_CONFIDENCE, "opt_out", "sure enough"),
        ("opt_out", "classifier", OPT_OUT_CONFIDENCE - 0.01, "refusal", "a guess ends no call for good"),
        ("opt_out", "model", 0.28, "refusal", "the model alone ends no call for good"),
        ("refusal", "classifier", 0.1, "refusal", "others are taken as they are"),
        ("agreement", "classifier", 0.1, "agreement", "others are taken as they are"),
    ],
)
def test_a_doubtful_opt_out_is_a_no_to_the_offer(
    kind: str, way: Any, confidence: float, expected: str, why: str
) -> None:
    assert weighed(intent(kind), {"way": way, "confidence": confidence}).kind == expected, why


def test_objections_open_and_settle() -> None:
    opened = _track_objections([], intent("objection"), 3, {"plan": {"scripts": []}})
    assert [entry["resolved_at"] for entry in opened] == [None]
    assert len(_track_objections(opened, intent("objection"), 4, {})) == 1, "the same one again is not a new one"
    shown = {"plan": {"scripts": [{"id": "s", "version": 2}]}}
    settled = _track_objections(opened, intent("agreement"), 5, shown)  # type: ignore[arg-type]
    assert settled[0]["resolved_at"] == 5
    assert settled[0]["scripts"] == [{"id": "s", "version": 2}], "what was shown when it was met"
    assert opened[0]["resolved_at"] is None, "what was handed in is not changed"
