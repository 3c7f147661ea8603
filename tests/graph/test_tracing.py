"""What reaches LangSmith, what never does, and what a LangSmith that is not there costs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from graph import trace_masking
from graph.errors import BadInput
from graph.session import Calls
from graph.settings import Settings
from graph.trace_delivery import replay, unsent_folder
from nodes.resources import Resources
from tests.graph.trace_receiver import Receiver, Way, receiver, refusing_url
from tests.serving.fault_server import FaultServer

LINES = {
    "en": [
        "Good morning, my name is Thaddeus Quill, what is this about?",
        "Ring 415-555-0132 or write to tq.private@example.org. My card is 4111 1111 1111 1111, my number 078-05-1120.",
        "And how much does it cost per month?",
    ],
    "zh": [
        "你好，我叫欧阳明华，你们是做什么的？",
        "我电话13912345678，邮箱ouyang.secret@example.cn，卡号6222021234567890128，身份证110101199003074514。",
        "那每个月多少钱？",
    ],
}
PLANTED = {
    "en": ["Thaddeus", "Quill", "555-0132", "tq.private", "4111 1111", "078-05-1120"],
    "zh": ["欧阳明华", "13912345678", "ouyang.secret", "6222021234567890128", "110101199003074514"],
}
PROFILE = {"owner_name": "Beatrix Lowenstein", "owner_phone": "020-55501234", "shop_name": "Verdigris Teahouse"}
OF_PROFILE = ["Beatrix", "Lowenstein", "55501234", "Verdigris"]
REPLY = {
    "en": "I see, Thaddeus and Beatrix. What matters most to you here?",
    "zh": "我明白，欧阳明华和Beatrix。您最看重哪一点呢？",
}


@pytest.fixture
def model() -> Iterator[FaultServer]:
    with FaultServer("ok", text=REPLY["en"]) as running:
        yield running


@pytest.fixture
def langsmith(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as running:
        point_at(running.url, monkeypatch)
        yield running


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_test")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", url)
    monkeypatch.setenv("LANGSMITH_PROJECT", "calls")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")


def settings_for(home: Path, model: FaultServer) -> Settings:
    given = {"home": home, "llm_base_url": model.base_url, "llm_api_key": SecretStr("x"), "_env_file": None}
    return Settings(**given)  # type: ignore[arg-type]


def leaked(running: Receiver, planted: list[str]) -> list[str]:
    """Return what of the planted data came over the network, plain or escaped."""
    raw = bytes(running.raw)
    return [text for text in planted if text.encode() in raw or json.dumps(text)[1:-1].encode() in raw]


def until(holds: Callable[[], bool]) -> bool:
    """Wait at most 20 seconds for something that a background thread does."""
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_each_turn_arrives_as_one_parentless_run_with_its_facts(
    loaded_home: Path, model: FaultServer, langsmith: Receiver
) -> None:
    calls = Calls(settings_for(loaded_home, model))
    records = [calls.start("lantern_local", call="one", language="en", profile=PROFILE)]
    records += [calls.turn("one", line) for line in LINES["en"]]
    roots = langsmith.wait_for_roots(len(records))
    assert langsmith.keys == {"lsv2_test"}
    assert len(roots) == len(records)
    assert [root["extra"]["metadata"]["turn"] for root in roots] == [0, 1, 2, 3]
    for root, record in zip(roots, records, strict=True):
        assert root["name"] == f"lantern_local/{record['stage']}"
        assert root["session_name"] == "calls"
        assert root["end_time"]
        assert not root.get("tags")
        known = root["extra"]["metadata"]
        assert known["thread_id"] == "one"
        same = ("stage_proposed", "stage", "stage_reason", "intent", "confidence", "latency_ms", "tokens", "source")
        assert {name: known[name] for name in same} == {name: record[name] for name in same}  # type: ignore[literal-required]
        assert known["scripts"] == [f"{script['id']}@{script['version']}" for script in record["scripts"]]
        assert known["prompt_hash"] == record["why"]["prompt_hash"]
        assert known["model"] == (record["why"]["model"] or calls.store.header("one")["model"])
        assert [rule.split(":")[0] for rule in known["rules"]] == [hit["name"] for hit in record["rules"]]


def test_nodes_and_model_calls_hang_below_their_turn(
    loaded_home: Path, model: FaultServer, langsmith: Receiver
) -> None:
    calls = Calls(settings_for(loaded_home, model))
    calls.start("lantern_local", call="one", language="en")
    calls.turn("one", "What is this about?")
    root = langsmith.wait_for_roots(2)[1]
    below = {run["name"]: run for run in langsmith.below(root)}
    assert {"sales_call", "understand", "advance", "respond", "guard"} <= below.keys()
    assert below["sales_call"]["parent_run_id"] == root["id"]
    assert below["respond"]["parent_run_id"] == below["sales_call"]["id"]
    spoken = next(run for run in below.values() if run["run_type"] == "llm")
    assert spoken["parent_run_id"] == below["respond"]["id"]
    assert spoken["outputs"]["generations"][0][0]["text"]
    assert spoken["extra"]["metadata"]["usage_metadata"]["input_tokens"] > 0
    for run in below.values():
        assert run["extra"]["metadata"]["thread_id"] == "one"
        assert run["dotted_order"].startswith(root["dotted_order"] + ".")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_personal_data_never_leave_the_process(
    loaded_home: Path, model: FaultServer, langsmith: Receiver, language: str
) -> None:
    model.text = REPLY[language]
    calls = Calls(settings_for(loaded_home, model))
    calls.start("lantern_local", call="one", language=language, profile=PROFILE)
    for line in LINES[language]:
        calls.turn("one", line)
    langsmith.wait_for_roots(4)
    assert leaked(langsmith, PLANTED[language] + OF_PROFILE) == []
    assert "[name]" in langsmith.raw.decode()
    assert "[phone]" in langsmith.raw.decode()


def test_a_name_from_long_ago_is_masked_by_a_process_that_never_heard_it(
    loaded_home: Path, model: FaultServer, langsmith: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(loaded_home, model)
    monkeypatch.delenv("LANGSMITH_API_KEY")
    Calls(settings).start("lantern_local", call="one", language="en")
    for line in [LINES["en"][0], *(f"Well, point {n}. " + "It was a long day at the counter. " * 50 for n in range(4))]:
        Calls(settings).turn("one", line)
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_test")
    turn = Calls(settings).turn("one", "Quill speaking again, hello?")
    assert turn["why"]["history_from"] > 1, "the introduction has left the prompt"
    (root,) = langsmith.wait_for_roots(1)
    assert root["inputs"]["messages"][0]["content"] == "[name] speaking again, hello?"
    assert leaked(langsmith, ["Thaddeus", "Quill"]) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_node_that_raises_leaks_nothing_either(
    loaded_home: Path, model: FaultServer, langsmith: Receiver, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    def broken(self: Resources, name: str) -> Any:
        raise RuntimeError("cannot read " + " / ".join(LINES[language]) + json.dumps(PROFILE))

    calls = Calls(settings_for(loaded_home, model))
    calls.start("lantern_local", call="one", language=language, profile=PROFILE)
    monkeypatch.setattr(Resources, "intent_model", broken)
    for line in LINES[language]:
        assert calls.turn("one", line)["source"] == "script"
    for root in langsmith.wait_for_roots(4)[1:]:
        failed = next(run for run in langsmith.below(root) if run["name"] == "understand")
        assert "RuntimeError" in failed["error"]
    assert leaked(langsmith, PLANTED[language] + OF_PROFILE) == []


def test_a_call_named_by_a_phone_number_does_not_name_its_thread_so(
    loaded_home: Path, model: FaultServer, langsmith: Receiver
) -> None:
    Calls(settings_for(loaded_home, model)).start("lantern_local", call="13912345678", language="en")
    (root,) = langsmith.wait_for_roots(1)
    assert root["extra"]["metadata"]["thread_id"].startswith("call-")
    assert leaked(langsmith, ["13912345678"]) == []


def test_what_cannot_be_masked_is_never_sent(
    loaded_home: Path,
    model: FaultServer,
    langsmith: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(text: str, names: object = ()) -> str:
        raise ValueError(text)

    calls = Calls(settings_for(loaded_home, model))
    with monkeypatch.context() as patch:
        patch.setattr(trace_masking, "mask", broken)
        calls.start("lantern_local", call="one", language="en", profile=PROFILE)
        assert until(lambda: "dropped unsent: ValueError" in caplog.text)
    calls.turn("one", "What is this about?")
    (root,) = langsmith.wait_for_roots(1)
    assert root["extra"]["metadata"]["turn"] == 1
    assert leaked(langsmith, OF_PROFILE) == []
    assert "Beatrix" not in caplog.text


def test_what_langsmith_has_taken_is_off_the_disk(loaded_home: Path, model: FaultServer, langsmith: Receiver) -> None:
    settings = settings_for(loaded_home, model)
    Calls(settings).start("lantern_local", call="one", language="en")
    langsmith.wait_for_roots(1)
    assert until(lambda: not list(unsent_folder(settings).glob("*")))


def run_call(home: Path, url: str, lines: list[str], **more: str) -> tuple[float, str]:
    """Hold a call in a process of its own; return the seconds its end took, and what it logged."""
    environment = {**os.environ, "SALESMAN_HOME": str(home), "SALESMAN_LLM": "fake/echo", "LANGSMITH_ENDPOINT": url}
    environment |= {"LANGSMITH_TRACING": "true", "PYTHONUNBUFFERED": "1", **more}
    command = [sys.executable, "-m", "tests.graph.traced_call", *lines]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        printed, logged = process.communicate(timeout=100)
        ended = time.time()
    assert process.returncode == 0, logged
    return ended - float(printed), logged


def test_without_a_key_nothing_is_sent_even_if_tracing_is_switched_on(loaded_home: Path) -> None:
    with receiver() as running:
        lines = [*LINES["en"], "Stop, I want to talk to a real person."]
        run_call(loaded_home, running.url, lines, LANGCHAIN_TRACING_V2="true")
    assert running.requests == 0
    assert not (loaded_home / "unsent_traces").exists()


@pytest.mark.parametrize(
    ("way", "why"),
    [(None, "no server"), ("hangs", "takes the request and never answers"), ("fails", "HTTP 500 each time")],
)
def test_a_langsmith_that_is_not_there_costs_nothing_and_loses_nothing(
    loaded_home: Path, monkeypatch: pytest.MonkeyPatch, way: Way | None, why: str
) -> None:
    server: AbstractContextManager[Receiver] = receiver(way) if way else nullcontext(Receiver(refusing_url()))
    with server as running:
        seconds, logged = run_call(loaded_home, running.url, LINES["en"][:2], LANGSMITH_API_KEY="lsv2_test")
    assert seconds < 2, why
    assert logged.count("\n") <= 1, logged
    assert "lsv2" not in logged
    kept = sorted((loaded_home / "unsent_traces").glob("*"))
    assert len(kept) == 3, why
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert leaked(Receiver(raw=bytearray(b"".join(path.read_bytes() for path in kept))), PLANTED["en"]) == []

    settings = Settings(home=loaded_home, _env_file=None)
    with pytest.raises(BadInput, match="LANGSMITH_API_KEY"):
        replay(settings)
    with receiver() as running:
        point_at(running.url, monkeypatch)
        assert replay(settings) == 3
        assert [root["extra"]["metadata"]["turn"] for root in running.roots()] == [0, 1, 2]
    assert not list((loaded_home / "unsent_traces").glob("*"))


@pytest.mark.parametrize("way", ["answers", "old"])
def test_a_process_that_ends_at_once_still_delivers(loaded_home: Path, way: Way) -> None:
    with receiver(way) as running:
        seconds, _ = run_call(loaded_home, running.url, LINES["en"][:2], LANGSMITH_API_KEY="lsv2_test")
    assert seconds < 2
    assert [root["extra"]["metadata"]["turn"] for root in running.roots()] == [0, 1, 2], "our tracer is the only one"
    assert leaked(running, PLANTED["en"]) == []
    assert not list((loaded_home / "unsent_traces").glob("*"))
