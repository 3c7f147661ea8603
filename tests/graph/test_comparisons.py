"""Calls held in other ways than usual, so that ways can be compared; and calls that follow an earlier one."""

from pathlib import Path
from typing import Any

import pytest

from graph.context import Understanding
from graph.errors import BadInput, CallEnded
from graph.records import TurnRecord
from graph.session import Calls
from graph.settings import Settings
from tests.serving.fault_server import FaultServer

LINES = ["How much does it cost per month?", "Is there a trial?", "Which cities are you in?", "Do you do delivery?"]


def calls_with(home: Path, **more: Any) -> Calls:
    return Calls(Settings(home=home, llm="fake/scripted", _env_file=None), **more)  # type: ignore[call-arg]


def ways(calls: Calls, call: str) -> list[tuple[str, str]]:
    calls.start("lantern_local", call=call, language="en")
    turns: list[TurnRecord] = []
    for line in LINES:
        if not turns or turns[-1]["outcome"] not in ("opted_out", "handoff"):
            turns.append(calls.turn(call, line))
    return [(turn["why"]["intent_way"], turn["intent"]) for turn in turns]


def test_flipped_intents_are_others_and_the_same_at_every_run(loaded_home: Path) -> None:
    usual = ways(calls_with(loaded_home), "usual")
    all_wrong = calls_with(loaded_home, understanding=Understanding(by="classifier", noise=1.0))
    wrong = ways(all_wrong, "wrong")
    assert {way for way, _ in wrong} == {"flipped"}
    assert not any(usual_intent == intent for (_, usual_intent), (_, intent) in zip(usual, wrong, strict=False))
    half = calls_with(loaded_home, understanding=Understanding(by="classifier", noise=0.5))
    some = [way for n in range(8) for way, _ in ways(half, f"half-{n}")]
    assert 0.25 < some.count("flipped") / len(some) < 0.75


def test_a_signal_of_a_pattern_is_never_flipped(loaded_home: Path) -> None:
    calls = calls_with(loaded_home, understanding=Understanding(noise=1.0))
    calls.start("lantern_local", call="stop", language="en")
    assert calls.turn("stop", "Never call me again!")["outcome"] == "opted_out"


def test_the_classifier_alone_never_asks_the_model_and_the_model_alone_always_does(loaded_home: Path) -> None:
    with FaultServer("ok", text='{"intent": "ask_trial"}') as server:
        for by, asked in (("classifier", 0), ("model", 1)):
            settings = Settings(home=loaded_home, llm_base_url=server.base_url, _env_file=None)  # type: ignore[call-arg]
            calls = Calls(settings, understanding=Understanding(by=by))  # type: ignore[arg-type]
            calls.start("lantern_local", call=by, language="en")
            calls.idle()
            before = len(server.requests)
            turn = calls.turn(by, "zxqv blorp?")
            schemas = ["response_format" in request for request in server.requests[before:]]
            assert schemas.count(True) == asked
            assert turn["why"]["intent_way"] == by


def test_a_model_that_names_no_intent_is_no_mixture_with_the_classifier(loaded_home: Path) -> None:
    with FaultServer("ok", text="I hear you.", answer={"intent": "no such intent"}) as server:
        settings = Settings(home=loaded_home, llm_base_url=server.base_url, _env_file=None)  # type: ignore[call-arg]
        for by, told in (("usual", ""), ("model", "model: named no intent")):
            calls = Calls(settings, understanding=Understanding(by=by))  # type: ignore[arg-type]
            calls.start("lantern_local", call=by, language="en")
            turn = calls.turn(by, "zxqv blorp?")
            assert turn["why"]["error"].startswith(told) and bool(turn["why"]["error"]) == bool(told)


def test_a_call_that_follows_another_knows_what_was_said_and_learnt(loaded_home: Path) -> None:
    with FaultServer("ok", text="I hear you.") as server:
        calls = Calls(Settings(home=loaded_home, llm_base_url=server.base_url, _env_file=None))  # type: ignore[call-arg]
        calls.start("lantern_local", call="first", language="en")
        first = calls.turn("first", "I need more new customers, but not now.")
        calls.start("lantern_local", call="second", language="en", after="first")
        turn = calls.turn("second", "Hello again")
        calls.idle()
        sent = [message["content"] for message in server.requests[-1]["messages"]]
        assert any("I need more new customers" in text for text in sent)
    assert turn["why"]["slots"]["need"] == first["why"]["slots"]["need"] == "new_customers"
    assert [turn["turn"] for turn in calls.record("second")["turns"]] == [0, 1]


def test_no_call_follows_an_opt_out_or_an_unknown_call(loaded_home: Path) -> None:
    calls = calls_with(loaded_home)
    calls.start("lantern_local", call="over", language="en")
    calls.turn("over", "Never call me again!")
    with pytest.raises(CallEnded, match="over"):
        calls.start("lantern_local", after="over")
    with pytest.raises(BadInput, match="nowhere"):
        calls.start("lantern_local", after="nowhere")
