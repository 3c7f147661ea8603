"""Whatever the model server does, the customer gets an approved line in time."""

import re
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from graph.session import Calls
from graph.settings import Settings
from tests.serving.fault_server import PROMISE_EN, PROMISE_ZH, FaultServer

DEADLINE = 1.5
LINES = {"en": ["How much is it?", "Can you do better on the price?"], "zh": ["多少钱？", "价格能不能再便宜点？"]}


def calls_for(home: Path, url: str, deadline: float = DEADLINE) -> Calls:
    return Calls(
        Settings(home=home, llm_base_url=url, llm_model="m", llm_api_key=SecretStr("x"), turn_deadline=deadline)
    )


@pytest.mark.parametrize("behaviour", ["slow", "429", "500", "empty", "broken_json", "cut", "stall"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_failure_ends_in_an_approved_line_within_the_deadline(
    loaded_home: Path, behaviour: str, language: str
) -> None:
    with FaultServer(behaviour) as server:  # type: ignore[arg-type]
        calls = calls_for(loaded_home, server.base_url)
        calls.start("lantern_local", call="one", language=language)
        calls.warm_up("lantern_local")
        started = time.monotonic()
        turn = calls.turn("one", LINES[language][0])
        took = time.monotonic() - started
    assert turn["source"] == "script"
    assert turn["reply"].strip()
    assert turn["why"]["error"], "the record says what failed"
    assert took <= DEADLINE + 0.3, f"the turn took {took:.2f} s"


@pytest.mark.parametrize("model", ["m", ""])
def test_no_server_at_all(loaded_home: Path, model: str) -> None:
    url = "http://127.0.0.1:9/v1"
    calls = Calls(Settings(home=loaded_home, llm_base_url=url, llm_model=model, turn_deadline=DEADLINE))
    calls.start("lantern_local", call="one", language="en")
    turn = calls.turn("one", "How much is it?")
    assert (turn["source"], bool(turn["why"]["error"])) == ("script", True)


BAD = re.compile(r"90\s?%|\$\s?1\b|guarantee|promise|一折|一块钱|保证|承诺", re.IGNORECASE)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_unsupported_price_or_promise_is_never_seen(loaded_home: Path, language: str) -> None:
    heard: list[str] = []
    text = {"en": PROMISE_EN, "zh": PROMISE_ZH}[language]
    with FaultServer("ok", text=text) as server:
        calls = calls_for(loaded_home, server.base_url, 5)
        calls.start("lantern_local", call="one", language=language)
        for line in LINES[language]:
            turn = calls.turn("one", line, on_sentence=heard.append)
            assert turn["source"] == "script"
            assert any(hit["action"] == "blocked" and hit["severity"] == "high" for hit in turn["rules"])
            assert turn["why"]["model_calls"] == 2, "one repair"
    assert heard
    assert not [sentence for sentence in heard if BAD.search(sentence)]


def test_a_repair_is_asked_for_with_the_breach_named(loaded_home: Path) -> None:
    replies = iter(["It is 90% off today!", "Happy to explain. Which kind of shop do you run?"])
    with FaultServer("ok", text=lambda _: next(replies)) as server:
        calls = calls_for(loaded_home, server.base_url, 5)
        calls.start("lantern_local", call="one", language="en")
        turn = calls.turn("one", "How much is it?")
        asked = server.requests[-1]["messages"][-1]["content"]
    assert (turn["source"], turn["reply"]) == ("repair", "Happy to explain. Which kind of shop do you run?")
    assert "Not like this" in asked


def test_what_was_released_is_never_taken_back(loaded_home: Path) -> None:
    heard: list[str] = []
    with FaultServer("ok", text="That is a fair question. It is 90% off today! Shall we start?") as server:
        calls = calls_for(loaded_home, server.base_url, 5)
        calls.start("lantern_local", call="one", language="en")
        turn = calls.turn("one", "How much is it?", on_sentence=heard.append)
    assert heard[0] == "That is a fair question."
    assert turn["reply"].startswith("That is a fair question.")
    assert turn["reply"] == " ".join(heard)
    assert turn["source"] == "script", "an approved line completes it"
    assert turn["why"]["model_calls"] == 1, "no repair after a release"


def test_thoughts_are_recorded_and_never_shown(loaded_home: Path) -> None:
    with FaultServer("ok", text="<think>They ask the price.</think>Happy to help. What shop do you run?") as server:
        calls = calls_for(loaded_home, server.base_url, 5)
        calls.start("lantern_local", call="one", language="en")
        turn = calls.turn("one", "How much is it?")
    assert turn["reply"] == "Happy to help. What shop do you run?"
    assert turn["why"]["thought"] == "They ask the price."
