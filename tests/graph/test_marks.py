"""Marks on turns: what is kept, what counts, and what LangSmith hears of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.calls import CallStore
from graph.errors import BadInput
from graph.feedback import mark_turn, trace_url
from graph.marks import mark_history, marked_turns, marks_of
from graph.records import Verdict
from graph.session import Calls
from graph.trace_delivery import unsent_folder
from tests.graph.test_tracing import PROFILE, leaked, point_at, settings_for, until
from tests.graph.trace_receiver import PROJECT, Receiver, receiver, refusing_url
from tests.serving.fault_server import FaultServer


@pytest.fixture
def model() -> Iterator[FaultServer]:
    with FaultServer("ok", text="I see. What matters most to you here?") as running:
        yield running


@pytest.fixture
def langsmith(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as running:
        point_at(running.url, monkeypatch)
        yield running


def held(home: Path, model: FaultServer) -> Calls:
    calls = Calls(settings_for(home, model))
    calls.start("lantern_local", call="one", language="en", profile=PROFILE)
    calls.turn("one", "Good morning, my name is Thaddeus Quill, how much is it?")
    return calls


def test_the_newest_mark_of_an_author_counts_and_every_mark_is_kept(loaded_home: Path, model: FaultServer) -> None:
    calls = held(loaded_home, model)
    turn = calls.record("one")["turns"][1]
    given: list[tuple[Verdict, str, str]] = [("good", "", "ann"), ("bad", "too vague", "ann"), ("good", "", "bob")]
    for verdict, reason, author in given:
        mark_turn(calls.settings, turn, verdict, reason, "It is 60 a month.", author)
    assert [(mark["author"], mark["verdict"]) for mark in marks_of(calls.engine, "one")] == [
        ("ann", "bad"),
        ("bob", "good"),
    ]
    assert [mark["verdict"] for mark in mark_history(calls.engine, "one")] == ["good", "bad", "good"]
    assert calls.record("one")["marks"] == marks_of(calls.engine, "one")
    mark_turn(calls.settings, turn, "withdrawn", "", "", "ann")
    assert [mark["author"] for mark in CallStore(calls.engine).record("one")["marks"]] == ["bob"]
    assert [entry.reply for entry in marked_turns(calls.engine, "lantern_local")] == [turn["reply"]]
    assert marked_turns(calls.engine, "save_the_children") == []


def test_a_bad_mark_needs_a_reason_and_a_turn(loaded_home: Path, model: FaultServer) -> None:
    calls = held(loaded_home, model)
    turn = calls.record("one")["turns"][1]
    with pytest.raises(BadInput, match="needs a reason"):
        mark_turn(calls.settings, turn, "bad", "  ", "", "ann")
    with pytest.raises(BadInput, match="no answered turn 7"):
        mark_turn(calls.settings, {**turn, "turn": 7}, "good", "", "", "ann")
    assert mark_history(calls.engine, "one") == []


def test_a_mark_on_a_traced_turn_reaches_langsmith_masked_and_names_its_run(
    loaded_home: Path, model: FaultServer, langsmith: Receiver
) -> None:
    calls = held(loaded_home, model)
    roots = langsmith.wait_for_roots(2)
    turn = calls.record("one")["turns"][1]
    assert turn["why"]["trace"] == roots[1]["id"], "the record names its trace"
    better = "Of course, Mr Quill: ring 415-555-0132."
    mark_turn(calls.settings, turn, "bad", "Thaddeus was not greeted, nor was Beatrix", better, "ann.author")
    assert until(lambda: bool(langsmith.feedback))
    (feedback,) = langsmith.feedback.values()
    assert (feedback["run_id"], feedback["trace_id"], feedback["score"], feedback["key"]) == (
        roots[1]["id"],
        roots[1]["id"],
        0,
        "mark",
    )
    assert feedback["session_id"] == PROJECT["id"]
    assert "was not greeted" in feedback["comment"]
    assert leaked(langsmith, ["Thaddeus", "Quill", "Beatrix", "555-0132", "ann.author"]) == []
    assert until(lambda: not list(unsent_folder(calls.settings).glob("*.json")))


def test_a_mark_waits_on_the_disk_for_a_langsmith_that_is_not_there(
    loaded_home: Path, model: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(refusing_url(), monkeypatch)
    calls = held(loaded_home, model)
    mark_turn(calls.settings, calls.record("one")["turns"][1], "good", "clear", "", "ann")
    assert until(lambda: len(list(unsent_folder(calls.settings).glob("*.json"))) == 3)
    with receiver() as running:
        point_at(running.url, monkeypatch)
        from graph.trace_delivery import replay

        assert replay(calls.settings) == 3
        assert [entry["score"] for entry in running.feedback.values()] == [1]


def test_the_address_of_a_trace_is_the_projects_with_the_run(
    loaded_home: Path, model: FaultServer, langsmith: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = held(loaded_home, model)
    turn = calls.record("one")["turns"][1]
    expected = (
        f"http://localhost/o/{PROJECT['tenant_id']}/projects/p/{PROJECT['id']}/r/{turn['why']['trace']}?poll=true"
    )
    assert until(lambda: trace_url(turn) == expected)
    point_at(refusing_url(), monkeypatch)
    assert trace_url(turn) == ""
    monkeypatch.delenv("LANGSMITH_API_KEY")
    assert trace_url(turn) == ""
