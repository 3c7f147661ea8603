"""The reasons and the picture: everything that the graph records has words, and the drawing is the graph's own."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from graph.build import build_graph
from guardrails.rules import RULES
from nodes import advance
from scripts_library.loading import CampaignData, bundled, load_campaign
from scripts_library.schema import STAGES
from ui.picture import END, START, path_of, picture, rows
from ui.why import intent_name, learnt, reason_text, rule_name
from ui.words import words

REASONS = [
    ("intent no_trust leads to objection", "leads to Objection"),
    ("intent greeting keeps the stage", "keeps the call where it is"),
    ("analysis has met its exit criteria", "Analysis has reached its aim"),
    ("close waits for: interest", "closing waits until this is known: what the owner took interest in"),
    ("no legal way from close to opening", "there is no allowed way from Close to Opening"),
    ("opening → close is no legal move; analysis comes first", "go straight to Close; Analysis comes first"),
    ("close waits for: interest; turn 3 of the same: another script", "interest in; the same 3 times in a row"),
    ("the customer opted out: the call ends for good", "the call ends for good"),
    ("intent handoff asks for a person", "asks for a person"),
    ("an attempt to override the agent is not followed", "is not followed"),
    ("the customer said no 2 times", "the customer said no 2 times"),
    ("stuck: 6 turns of no_trust", "no way forward after 6 turns"),
    ("a person is awaited", "a person is awaited"),
    ("the agent opens the call", "the agent opens the call"),
    ("the turn failed inside: stage kept", "an approved line answered"),
    ("a reason of a later release", "a reason of a later release"),
]
"""Each kind of reason that `nodes.advance` gives, and what people read."""


@pytest.fixture(scope="module")
def data() -> CampaignData:
    return load_campaign(bundled()["lantern_local"])


@pytest.mark.parametrize(("reason", "said"), REASONS)
def test_each_reason_has_words_for_people(reason: str, said: str, data: CampaignData) -> None:
    text = reason_text(reason, data)
    assert said in text
    assert "_" not in text


def test_every_reason_that_the_manager_can_give_is_in_the_table_above() -> None:
    source = Path(advance.__file__).read_text(encoding="utf-8")
    given = set(
        re.findall(
            r'f?"((?:intent \{|close waits|no legal way|the |an attempt|stuck|a person|[^"]*comes first|[^"]*exit criteria)[^"]*)"',
            source,
        )
    )
    known = [reason for reason, _ in REASONS]
    for reason in given:
        pattern = "".join(
            ".+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\}+)", reason)
        )
        assert any(re.fullmatch(pattern, one) for one in known), reason
    assert len(given) >= 10


def test_a_gone_intent_and_a_new_rule_keep_their_names(data: CampaignData) -> None:
    assert intent_name("asks_the_moon", data) == "asks the moon"
    assert rule_name("a_new_rule") == "a new rule"


def test_what_a_call_knows_is_told_without_codes(data: CampaignData) -> None:
    known = learnt({"need": "quiet_hours", "contact_phone": "a_b", "gone_slot": "x"}, data)
    assert "quiet hours" in known
    assert known.endswith("a_b; gone slot: x"), "what the customer said stays as it was said"


def test_each_rule_has_a_name_for_people() -> None:
    assert not {f"rule_{rule.name}" for rule in RULES} - set(words("chat"))


def turn(**changes: Any) -> Any:
    why = {"lead": "Hello.", "turn_prompt": "x", "error": ""}
    return {
        "source": "model", "outcome": "open", "ended": False, "stage": "analysis", "scripts": [], "why": why, **changes
    }  # fmt: skip


FIXED = {"why": {"lead": "", "turn_prompt": "", "error": ""}, "source": "script"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (turn(), [START, "understand", "advance", "analysis", "respond", "guard", END]),
        (turn(stage="close", ended=True), [START, "understand", "advance", "close", "respond", "guard", "ended", END]),
        (turn(**FIXED), [START, "understand", "advance", "guard", END]),
        (turn(**FIXED, outcome="handoff"), [START, "understand", "advance", "guard", "handoff"]),
        (turn(**FIXED, outcome="opted_out", ended=True), [START, "understand", "advance", "guard", "ended", END]),
        (turn(source="human", outcome="handoff"), ["handoff"]),
        (turn(source="human"), ["handoff", END]),
    ],
)
def test_a_turns_path_follows_edges_of_the_graph(given: Any, expected: list[str]) -> None:
    assert path_of(given) == expected
    edges = {(edge.source, edge.target) for edge in build_graph().get_graph().edges}
    assert set(pairwise(expected)) <= edges


def test_the_picture_shows_every_node_and_edge_of_the_compiled_graph_and_lights_the_stage() -> None:
    graph = build_graph().get_graph()
    path = path_of(turn(stage="objection"))
    drawn = ElementTree.fromstring(picture("objection", path))
    groups = {
        group.attrib["class"].split()[0]: group.attrib["class"].split()[1:]
        for group in drawn.iter()
        if group.tag.endswith("}g")
    }
    assert set(groups) == set(graph.nodes)
    assert [name for name, marks in groups.items() if "lit" in marks] == ["objection"]
    assert {name for name, marks in groups.items() if "visited" in marks} == set(path)
    lines = [line for line in drawn.iter() if line.tag.endswith("}path")]
    assert len(lines) == len({(edge.source, edge.target) for edge in graph.edges if edge.source != edge.target})
    assert sum(line.attrib["stroke-width"] == "3" for line in lines) == len(path) - 1
    assert all(rows()[edge.source] < rows()[edge.target] for edge in graph.edges if edge.source != edge.target)


def test_each_node_of_the_graph_has_a_name_for_people() -> None:
    named = {f"node_{name}" for name in build_graph().get_graph().nodes if name not in STAGES}
    assert named <= set(words("chat"))
