"""A running call goes by edited facts and rules from its next turn on, whoever edits them, and nothing is trained anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from graph.session import Calls
from graph.settings import Settings
from scripts_library.library import Library, open_library
from scripts_library.schema import Fact, ForbiddenClaim
from serving.embed import load_embedder
from tests.serving.fault_server import FaultServer

NAME = "lantern_local"
PRICE = "How much does it cost per month?"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok", text="I hear you. What matters most to you here?") as running:
        yield running


@pytest.fixture
def calls(loaded_home: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr("nodes.resources.CAMPAIGN_SECONDS", 0.0)
    settings = Settings(home=loaded_home, llm_base_url=server.base_url, llm_api_key=SecretStr("x"), _env_file=None)  # type: ignore[call-arg]
    return Calls(settings)


@pytest.fixture
def desk(calls: Calls) -> Iterator[Library]:
    """Somebody else's door to the same library."""
    with open_library(calls.settings, load_embedder(calls.settings)) as library:
        yield library


def revise(library: Library, **parts: Any) -> None:
    library.revise_campaign(NAME, library.campaign_version(NAME), "mei", **parts)


def system_prompt(server: FaultServer) -> str:
    return str(server.requests[-1]["messages"][0]["content"])


def test_new_facts_are_in_the_prompt_and_may_be_said_in_the_next_turn(
    calls: Calls, desk: Library, server: FaultServer
) -> None:
    calls.start(NAME, call="one", language="en")
    server.text = lambda _: "A window sticker costs 77 yuan."
    before = calls.turn("one", PRICE)
    assert "unsupported_quantity" in {hit["name"] for hit in before["rules"]}
    assert "77 yuan" not in before["reply"] and "77 yuan" not in system_prompt(server)
    sticker = Fact(id="sticker", text={"en": "A window sticker costs 77 yuan.", "zh": "橱窗贴每张77元。"})
    revise(desk, facts=[*desk.campaign(NAME).campaign.facts, sticker])
    after = calls.turn("one", "And a sticker for the window, how much is it?")
    assert after["reply"] == "A window sticker costs 77 yuan."
    assert "A window sticker costs 77 yuan." in system_prompt(server)


def test_a_published_rule_stops_the_next_turn_and_rolled_back_it_no_longer_does(
    calls: Calls, desk: Library, server: FaultServer
) -> None:
    said = "Our shops are the talk of the town."
    server.text = lambda _: said
    calls.start(NAME, call="one", language="en")
    assert calls.turn("one", "What is this about?")["reply"] == said
    claim = ForbiddenClaim(
        id="talk", reason="Nobody measured it.", patterns={"en": ["talk of the town"]}, severity="low"
    )
    revise(desk, forbidden=[*desk.campaign(NAME).campaign.forbidden, claim])
    calls.start(NAME, call="two", language="en")
    stopped = calls.turn("two", "What is this about?")
    assert said not in stopped["reply"]
    assert ("talk", "low", "blocked") in {(h.get("claim"), h["severity"], h["action"]) for h in stopped["rules"]}
    desk.roll_back_campaign(NAME, 1, 2, "mei")
    calls.start(NAME, call="three", language="en")
    assert calls.turn("three", "What is this about?")["reply"] == said


def test_an_edit_of_facts_trains_no_intent_model(calls: Calls, desk: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.start(NAME, call="one", language="en")
    first = calls.turn("one", PRICE)

    def refuse(*_: object) -> None:
        raise AssertionError("trained anew")

    monkeypatch.setattr("nodes.intent_model.train_intent_model", refuse)
    facts = desk.campaign(NAME).campaign.facts
    revise(desk, facts=[*facts, Fact(id="extra", text={"en": "We speak plainly.", "zh": "我们有话直说。"})])
    calls.start(NAME, call="two", language="en")
    second = calls.turn("two", PRICE)
    assert (second["intent"], second["confidence"]) == (first["intent"], first["confidence"])
