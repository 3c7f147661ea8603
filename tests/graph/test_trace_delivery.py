"""The folder of unsent traces, and the two threads that fill and empty it."""

import json
import threading
import time
from pathlib import Path

import pytest

from graph import trace_delivery
from graph.errors import SalesmanError
from graph.settings import Settings
from graph.trace_delivery import Delivery, Parcel, Target, replay, target, unsent_folder
from tests.graph.trace_receiver import receiver, refusing_url


def settings_for(home: Path) -> Settings:
    return Settings(home=home, _env_file=None)


def run_named(number: int, text: str = "") -> Parcel:
    run = f"01a1fcb2-18bc-7550-aae6-{number:012d}"
    named = {"id": run, "trace_id": run, "dotted_order": f"20261121T060132316420Z{run}", "session_name": "calls"}
    return {"runs": [{**named, "name": "x/opening", "run_type": "chain", "inputs": {"text": text}}]}


@pytest.mark.parametrize(
    ("environment", "expected", "why"),
    [
        ({}, None, "no key"),
        ({"LANGSMITH_TRACING": "true"}, None, "switched on, but no key"),
        ({"LANGSMITH_API_KEY": "k"}, Target("https://api.smith.langchain.com", "k", "default"), "the key is enough"),
        ({"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "false"}, None, "switched off in words"),
        (
            {"LANGSMITH_API_KEY": "k", "LANGSMITH_ENDPOINT": "http://host:1/", "LANGSMITH_PROJECT": "p"},
            Target("http://host:1", "k", "p"),
            "endpoint and project are LangSmith's own settings",
        ),
    ],
)
def test_the_environment_says_where_traces_go(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: Target | None, why: str
) -> None:
    monkeypatch.delenv("LANGSMITH_TRACING")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert target() == expected, why


def test_the_key_is_not_in_the_targets_repr() -> None:
    assert "secret" not in repr(Target("http://host", "secret", "p"))


def test_the_oldest_traces_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_delivery, "MAX_BYTES", 6_000)
    delivery = Delivery(settings_for(tmp_path), Target(refusing_url(), "k", "p"))
    for number in range(10):
        delivery.put(lambda number=number: run_named(number, "x" * 1000))  # type: ignore[misc]
    delivery.close()
    kept = sorted(unsent_folder(settings_for(tmp_path)).glob("*"))
    assert [path.stem[-1] for path in kept] == ["6", "7", "8", "9"]


def test_traces_that_failed_go_out_when_langsmith_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_delivery, "RETRY_S", 0.05)
    with receiver("fails") as running:
        delivery = Delivery(settings_for(tmp_path), Target(running.url, "k", "p"))
        for number in range(3):
            delivery.put(lambda number=number: run_named(number))  # type: ignore[misc]
        with running.changed:
            assert running.changed.wait_for(lambda: running.requests >= 2, 20)
        running.way = "answers"
        running.wait_for_roots(3)
        delivery.close()
        delivery._sender.join(20)  # `close` waits for no sender that failed last
    assert not list(unsent_folder(settings_for(tmp_path)).glob("*"))


def test_a_turn_never_waits_for_a_queue_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_delivery, "MAX_WAITING", 2)
    masking = threading.Event()
    with receiver() as running:
        delivery = Delivery(settings_for(tmp_path), Target(running.url, "k", "p"))
        started = time.monotonic()
        for number in range(20):
            delivery.put(lambda number=number: run_named(number) if masking.wait() else {})  # type: ignore[misc]
        assert time.monotonic() - started < 1
        masking.set()
        delivery.close()
        assert 2 <= len(running.roots()) <= 3
    assert caplog.text.count("wait to be traced") == 1


def test_a_replay_that_is_refused_keeps_what_it_could_not_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = unsent_folder(settings_for(tmp_path))
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps({"version": 1, **run_named(1)}))
    monkeypatch.setenv("LANGSMITH_API_KEY", "k")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", refusing_url())
    monkeypatch.delenv("LANGSMITH_TRACING")
    with pytest.raises(SalesmanError, match="0 of 1 turns were sent"):
        replay(settings_for(tmp_path))
    assert (folder / "1.json").exists()
