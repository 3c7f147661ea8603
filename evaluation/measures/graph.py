"""The graph's own work: the stages it went through, what it understood, what it found, and how often it fell back."""

from itertools import pairwise
from typing import cast

from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay, Said
from evaluation.measures.scored import Finding, counted, judged, shared
from scripts_library.schema import STAGES, Sop, Stage

METRICS = [
    Metric("graph.stage_coverage", "graph", "Stages of the SOP that the call went through", "neither", "share"),
    Metric("graph.illegal_moves", "graph", "Moves that the SOP does not allow", "lower", "count", guardrail=True),
    Metric("graph.loops", "graph", "Turns in circles", "lower", "count"),
    Metric("graph.intent_accuracy", "graph", "Customer's intents understood", "higher", "share"),
    Metric("graph.retrieval_hit", "graph", "Turns with scripts of the intent", "higher", "share"),
    Metric("graph.handoff", "graph", "Calls handed to a person", "neither", "share"),
    Metric("graph.fallback", "graph", "Turns that fell back on an approved line", "lower", "share"),
    Metric("graph.errors", "graph", "Turns with an error behind them", "lower", "share"),
]


def illegal_moves(call: Replay) -> list[Finding]:
    """Return the turns whose stage the SOP does not allow after the turn before; each session begins at the first stage."""
    sop = call.data.campaign.sop
    found: list[Finding] = []
    place: tuple[int, Stage] = (-1, STAGES[0])
    for said in call.turns:
        before = place[1] if place[0] == said.session else STAGES[0]
        after = cast(Stage, said.turn["stage"])
        fault = _fault(sop, before, after, said) if after != before else ""
        if fault:
            found.append((said, fault))
        place = (said.session, after)
    return found


def _fault(sop: Sop, before: Stage, after: Stage, said: Said) -> str:
    if after not in sop.moves.get(before, []):
        return f"{before} → {after}"
    known = said.turn["why"].get("slots", {})
    missing = [name for name in sop.close_requires if name not in known] if after == "close" else []
    return f"{before} → {after} without {', '.join(missing)}" if missing else ""


def _loops(call: Replay) -> list[Finding]:
    """Return the turns that go on in one stage with one intent beyond the SOP's limit."""
    found: list[Finding] = []
    repeats = 1
    for before, said in pairwise(call.turns):
        same = [one.turn["stage"] + "/" + one.turn["intent"] for one in (before, said)]
        repeats = repeats + 1 if same[0] == same[1] and said.turn["intent"] and before.session == said.session else 1
        if repeats >= call.data.campaign.sop.repeat_limit:
            found.append((said, f"turn {repeats} of {same[1]}"))
    return found


def graph_scores(call: Replay) -> list[Score]:
    """Score what the graph did in a call."""
    turns = call.turns
    stages = call.data.campaign.sop.stages
    visited = [stage for stage in stages if any(said.turn["stage"] == stage for said in turns)]
    labelled = [said for said in turns if said.meant and said.turn["customer"]]
    led = [said for said in turns if said.led_by_stage]
    fetched = [said for said in led if said.turn["why"].get("answering", "scripts") == "scripts"]
    handed = [said.number for said in turns if said.turn["outcome"] == "handoff"]
    return [
        {
            "metric": "graph.stage_coverage",
            "value": len(visited) / len(stages),
            "reason": f"{', '.join(visited)} of {', '.join(stages)}",
            "turns": [],
        },
        counted("graph.illegal_moves", illegal_moves(call), f"{len(turns)} turns"),
        counted("graph.loops", _loops(call), f"{len(turns)} turns"),
        shared(
            "graph.intent_accuracy",
            [said for said in labelled if said.turn["intent"] == said.meant],
            labelled,
            "customer's lines understood as they were meant",
        ),
        shared(
            "graph.retrieval_hit",
            [said for said in fetched if said.turn["why"].get("no_hit", "") == ""],
            fetched,
            "turns found scripts of their intent",
        ),
        judged("graph.handoff", bool(handed), "handed to a person" if handed else "no hand-over", handed[:1]),
        shared(
            "graph.fallback",
            [said for said in led if said.turn["source"] == "script"],
            led,
            "turns fell back on an approved line",
        ),
        shared(
            "graph.errors",
            [said for said in turns if said.turn["why"].get("error")],
            turns,
            "turns had an error behind them",
        ),
    ]
