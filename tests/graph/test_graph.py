"""The drawing: every edge, every router branch, and who writes what."""

import copy
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import graph.state as state_module
from graph.build import build_graph
from graph.context import Context
from graph.routing import after_advance, after_guard, after_handoff
from graph.settings import Settings
from graph.state import CallState

STAGES = ("opening", "analysis", "objection", "close")
EDGES = {
    ("__start__", "understand"),
    ("understand", "advance"),
    *{("advance", node) for node in (*STAGES, "guard")},
    *{(stage, "respond") for stage in STAGES},
    ("respond", "guard"),
    *{("guard", node) for node in ("__end__", "handoff", "ended")},
    ("handoff", "handoff"),
    ("handoff", "__end__"),
    ("ended", "__end__"),
}


def test_the_graph_has_these_edges_and_no_others() -> None:
    assert {(edge.source, edge.target) for edge in build_graph().get_graph().edges} == EDGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_turn_goes_to_its_stage_and_a_fixed_one_to_the_guard(stage: str) -> None:
    assert after_advance({"stage": stage, "move": {"route": "stage"}}) == stage
    assert after_advance({"stage": stage, "move": {"route": "fixed"}}) == "guard"


@pytest.mark.parametrize("after", ["end", "handoff", "ended"])
def test_the_guard_ends_waits_or_closes(after: Any) -> None:
    assert after_guard({"move": {"after": after}}) == after


def test_a_call_waits_until_it_is_given_back() -> None:
    assert after_handoff({"move": {"outcome": "handoff"}}) == "handoff"
    assert after_handoff({"move": {"outcome": "open"}}) == "end"


def table() -> dict[str, set[str]]:
    """Return the head of graph/state.py as node → keys."""
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|$", state_module.__doc__ or "", flags=re.MULTILINE)
    written: dict[str, set[str]] = {}
    for keys, writers in rows:
        for node in re.findall(r"`(\w+)`", writers) or ["session"]:
            written.setdefault(node, set()).update(re.findall(r"`(\w+)`", keys))
    return written


def test_the_table_of_writers_names_every_key() -> None:
    assert set().union(*table().values()) == set(get_type_hints(CallState))


def test_nodes_write_what_the_table_says_and_change_nothing_that_they_are_handed(loaded_home: Path) -> None:
    settings = Settings(home=loaded_home, llm="fake/scripted", _env_file=None)  # type: ignore[call-arg]
    graph = build_graph()
    written = table()
    given: dict[str, Any] = {
        "call": "c", "campaign": "lantern_local", "profile": {}, "strategy": "", "turn": 1, "asked_language": "en",
        "customer": "How much does it cost per month?", "released_before": [],
    }  # fmt: skip
    before = copy.deepcopy(given)
    seen = set()
    for part in graph.stream(given, context=Context(settings), stream_mode="updates"):
        for node, update in part.items():
            seen.add(node)
            assert set(update) <= written[node], node
    assert given == before
    assert seen == {"understand", "advance", "analysis", "respond", "guard"}
