"""What-if answers, the ways to answer, A/B tests and other models, through the one door."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from graph.errors import BadInput, CallEnded
from graph.session import Calls
from graph.settings import Settings
from tests.serving.fault_server import FaultServer

PRICE = "How much does it cost per month?"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok", text="I hear you. What matters most to you here?") as running:
        yield running


@pytest.fixture
def calls(loaded_home: Path, server: FaultServer) -> Calls:
    settings = Settings(home=loaded_home, llm_base_url=server.base_url, llm_api_key=SecretStr("x"), _env_file=None)  # type: ignore[call-arg]
    return Calls(settings)


def rows(home: Path) -> dict[str, list[Any]]:
    """Return everything that calls left in the home's databases."""
    kept = {}
    for name, tables in (
        ("salesman.db", ("call", "turn", "do_not_contact")),
        ("checkpoints.db", ("checkpoints", "writes")),
    ):
        with sqlite3.connect(home / name) as connection:
            for table in tables:
                kept[table] = connection.execute(f'SELECT * FROM "{table}"').fetchall()
        connection.close()
    return kept


def sent(server: FaultServer) -> list[str]:
    return [message["content"] for message in server.requests[-1]["messages"]]


def test_a_what_if_answer_in_a_call_is_the_next_answer_and_keeps_nothing(
    calls: Calls, server: FaultServer, loaded_home: Path
) -> None:
    calls.start("lantern_local", call="one", language="en")
    calls.turn("one", "What is this about?")
    calls.idle()
    before = rows(loaded_home)
    heard: list[str] = []
    guess = calls.preview("lantern_local", PRICE, call="one", on_sentence=heard.append)
    calls.idle()
    assert rows(loaded_home) == before
    assert not (loaded_home / "leases" / ".lock").exists()
    asked = sent(server)
    real = calls.turn("one", PRICE)
    assert sent(server) == asked, "the same prompt"
    assert " ".join(heard) == guess["reply"]
    same = ("call", "turn", "customer", "stage", "stage_reason", "intent", "confidence", "scripts", "reply", "source")
    assert {name: guess[name] for name in same} == {name: real[name] for name in same}  # type: ignore[literal-required]
    assert guess["why"] == real["why"]
    assert len(real["why"]["scores"]) == len(real["scripts"]) > 0
    assert real["why"]["scores"] == sorted(real["why"]["scores"], reverse=True)
    assert 0.5 < real["why"]["scores"][0] <= 1.0


def test_a_what_if_answer_to_an_opt_out_or_for_a_person_leaves_the_call_open(calls: Calls) -> None:
    calls.start("lantern_local", call="one", language="en", contact="138 0000 1234")
    assert calls.preview("lantern_local", "Never call me again!", call="one")["outcome"] == "opted_out"
    assert calls.preview("lantern_local", "I want to speak to a real person, now.", call="one")["outcome"] == "handoff"
    assert calls.turn("one", PRICE)["outcome"] == "open"
    calls.start("lantern_local", call="two", contact="138 0000 1234")


def test_a_what_if_answer_while_the_call_is_held_by_someone_else_does_not_wait(calls: Calls) -> None:
    from graph.lease import lease

    calls.start("lantern_local", call="one", language="en")
    with lease(calls.settings, calls.engine, "one"):
        assert calls.preview("lantern_local", PRICE, call="one")["reply"]


@pytest.mark.parametrize(
    ("stage", "language", "line"),
    [("objection", "en", "That is too expensive."), ("analysis", "zh", "太贵了，我要再想想")],
)
def test_a_what_if_answer_without_a_call_stands_in_the_stage_that_was_asked_for(
    calls: Calls, server: FaultServer, stage: Any, language: str, line: str
) -> None:
    turn = calls.preview("lantern_local", line, stage=stage, profile={"shop_name": "Rosie's"})
    assert (turn["stage"], turn["why"]["language"], turn["turn"]) == ("objection", language, 1)
    asked = sent(server)
    assert "Rosie's" in asked[0]
    assert len(asked) == 3, "system, greeting, line"
    assert calls.store.calls() == []


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"text": "  "}, "empty"),
        ({"campaign": "no_such"}, "no_such"),
        ({"language": "fr"}, "language 'fr'"),
        ({"call": "nobody"}, "not known"),
        ({"stage": "haggling"}, "Stage 'haggling'"),
        ({"profile": {"shoe_size": "42"}}, "shoe_size"),
        ({"call": "one", "campaign": "save_the_children"}, "belongs to campaign lantern_local"),
    ],
)
def test_a_wrong_what_if_question_is_one_clear_line(calls: Calls, given: dict[str, Any], match: str) -> None:
    calls.start("lantern_local", call="one", language="en")
    with pytest.raises(BadInput, match=match):
        calls.preview(**{"campaign": "lantern_local", "text": PRICE, **given})


def test_a_draft_is_tried_in_a_what_if_answer_and_changes_nothing_for_live_calls(
    calls: Calls, server: FaultServer
) -> None:
    library = calls.resources.library
    calls.start("lantern_local", call="one", language="en")
    before = calls.preview("lantern_local", PRICE, call="one")
    first = before["scripts"][0]
    said = "Lantern Local costs what the plan says; shall I send you the list?"
    revised = library.revise(first["id"], first["version"], "ann", outline=["Offer the list"], say=[said])
    tried = calls.preview("lantern_local", PRICE, call="one", drafts=(first["id"],))
    assert {"id": first["id"], "version": revised.version} in tried["scripts"]
    assert first not in tried["scripts"]
    assert said in "\n".join(sent(server)), "the model is shown the draft"
    live = calls.turn("one", PRICE)
    assert (live["scripts"], live["why"]["scores"]) == (before["scripts"], before["why"]["scores"])
    assert said not in "\n".join(sent(server))


def test_the_ways_to_answer_differ_in_the_prompt_alone(calls: Calls, server: FaultServer, loaded_home: Path) -> None:
    turns = {}
    prompts = {}
    for way in ("scripts", "goals", "few_shot"):
        other = Calls(calls.settings, answering=way)  # type: ignore[arg-type]
        other.start("lantern_local", call=way, language="en")
        turns[way] = other.turn(way, PRICE)
        prompts[way] = sent(server)
    stage = turns["scripts"]["stage"]
    campaign = calls.resources.campaign("lantern_local").campaign
    goal = campaign.sop.stages[stage].goal["en"].rstrip(".")  # type: ignore[index]
    assert "Example line:" in prompts["scripts"][-1]
    assert goal in prompts["goals"][-1]
    assert "Example line:" not in prompts["goals"][-1]
    assert prompts["goals"][0] == prompts["scripts"][0]
    assert "Stage:" not in prompts["few_shot"][-1]
    assert "Stages of the call" not in prompts["few_shot"][0]
    assert prompts["few_shot"][0].count("Customer: ") == 4, "one example a stage"
    for script in calls.resources.library.list("lantern_local", language="en", status="published", stage="opening")[:1]:
        assert script.situation[0] in prompts["few_shot"][0]
    assert [turns[way]["why"].get("answering") for way in turns] == [None, "goals", "few_shot"]
    assert [bool(turns[way]["scripts"]) for way in turns] == [True, False, False]
    assert {turn["stage"] for turn in turns.values()} == {stage}
    assert "no_hit" in turns["goals"]["why"]
    assert turns["goals"]["why"]["no_hit"] == "", "no script was looked for, so none is missing"


def test_without_scripts_the_guard_and_the_approved_lines_stay(calls: Calls, server: FaultServer) -> None:
    server.text = "It is only 3 yuan a month, guaranteed."
    for way in ("goals", "few_shot"):
        turn = calls.preview("lantern_local", PRICE, language="en", stage="analysis", answering=way)  # type: ignore[arg-type]
        fallback = calls.resources.campaign("lantern_local").campaign.sop.stages["analysis"].fallback["en"]
        assert turn["source"] == "script"
        assert turn["reply"] in fallback
        assert turn["rules"]


def test_a_draft_is_tried_without_touching_live_calls(calls: Calls, server: FaultServer) -> None:
    calls.start("lantern_local", call="one", language="en")
    before = calls.preview("lantern_local", PRICE, call="one")
    library = calls.resources.library
    used = library.get(before["scripts"][0]["id"])
    draft = library.revise(used.id, used.version, "tester", outline=["mention the blue lantern"])
    tried = calls.preview("lantern_local", PRICE, call="one", drafts=[used.id])
    assert {"id": used.id, "version": draft.version} in tried["scripts"]
    live = calls.turn("one", PRICE)
    assert live["scripts"] == before["scripts"]
    assert "blue lantern" not in sent(server)[-1]


def test_a_call_of_an_ab_test_is_given_its_script_and_never_the_other(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [ref["id"] for ref in calls.preview("lantern_local", PRICE, language="en")["scripts"]]
    shown, withheld = found[1], found[0]
    header = calls.store.header
    monkeypatch.setattr(calls.store, "header", lambda call: header(call) | {"shown": [shown], "withheld": [withheld]})
    calls.start("lantern_local", call="one", language="en")
    turn = calls.turn("one", PRICE)
    assert turn["scripts"][0]["id"] == shown
    assert withheld not in [ref["id"] for ref in turn["scripts"]]


def test_two_models_on_one_home_share_all_but_the_model(loaded_home: Path) -> None:
    first = Calls(Settings(home=loaded_home, llm="fake/echo", _env_file=None))  # type: ignore[call-arg]
    second = first.for_model("fake/scripted")
    assert second.resources.library is first.resources.library
    assert second.resources.intent_model("lantern_local") is first.resources.intent_model("lantern_local")
    assert second.saver is first.saver
    first.start("lantern_local", call="one", language="en")
    assert first.turn("one", "What is this about?")["why"]["model"] == "fake/echo"
    turn = second.turn("one", "What is it that you do?")
    assert (turn["turn"], turn["why"]["model"]) == (2, "fake/scripted")
    assert turn["reply"] == "I see. May I ask what matters most to you?"
    revised = second.resources.library.get(turn["scripts"][0]["id"])
    assert first.resources.library.get(revised.id) == revised


def test_an_ended_call_is_told_from_one_that_is_not(calls: Calls) -> None:
    calls.start("lantern_local", call="one", language="en")
    calls.turn("one", "Stop calling me and take me off your list.")
    with pytest.raises(CallEnded):
        calls.turn("one", PRICE)
