"""Outcomes on their way to a webhook that is down, slow, refusing, or killed in mid-request."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, event, update
from typer.testing import CliRunner

from cli import app
from graph.call_tables import call_table, outbox_table
from graph.calls import CallStore
from graph.errors import BadInput
from graph.outbox import Outbox, Receiver, messages, start_outbox
from graph.session import Calls
from graph.settings import Settings
from scripts_library.database import engine_for, writing
from tests.graph import calls_made
from tests.graph.calls_made import objection, outcome, turn_of
from tests.graph.test_tracing import until
from tests.graph.trace_receiver import refusing_url
from tests.graph.webhook import SECRET, Taken, webhook

keep = partial(calls_made.keep, webhook=True)


def settings_for(home: Path, url: str, secret: str = SECRET) -> Settings:
    return Settings(home=home, webhook_url=url, webhook_secret=SecretStr(secret), _env_file=None)


def outbox_of(settings: Settings, lease: float = 60.0) -> Outbox:
    receiver = Receiver.of(settings)
    assert receiver is not None
    return Outbox(settings, receiver, lease=lease)


def a_won_call(settings: Settings, call: str = "one", **more: object) -> None:
    keep(engine_for(settings), call, [turn_of(call, 1)], outcome("won", **more))


def due_now(settings: Settings) -> None:
    with writing(engine_for(settings)) as connection:
        connection.execute(update(outbox_table).values(next_at=0.0))


def test_an_outcome_is_sent_once_when_it_is_final_and_again_when_it_changes(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        engine = engine_for(settings)
        keep(engine, "one", [turn_of("one", 0, "")], outcome())
        assert messages(engine) == [], "a call that goes on has no outcome yet"
        keep(engine, "one", [turn_of("one", 1)], outcome("won", commitment={"what": "Lantern"}))
        keep(engine, "one", [turn_of("one", 2)], outcome("won", commitment={"what": "Lantern"}))
        keep(engine, "one", [turn_of("one", 3)], outcome("declined"))
        assert outbox_of(settings).send_due() == (2, 0)
        assert outbox_of(settings).send_due() == (0, 0)
        (_, first), (_, second) = taken.messages
        assert len(set(taken.ids())) == 2
        assert (first["type"], first["data"]["call"], first["data"]["campaign"]) == (
            "call.outcome",
            "one",
            "lantern_local",
        )
        assert first["data"]["outcome"]["commitment"] == {"what": "Lantern"}
        assert [entry["data"]["outcome"]["status"] for entry in (first, second)] == ["won", "declined"], "in order"
        assert messages(engine) == []
        assert [message.status for message in messages(engine, unsent=False)] == ["won", "declined"]


def test_without_a_webhook_nothing_is_kept_for_one(loaded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESMAN_LLM", "fake/scripted")
    for url, kept in (("", []), ("http://127.0.0.1:9/hook", ["opted_out"])):
        settings = Settings(home=loaded_home, webhook_url=url, webhook_secret=SecretStr(SECRET), _env_file=None)
        calls = Calls(settings)
        call = calls.start("lantern_local", language="en")["call"]
        assert calls.turn(call, "Never call me again. Take me off your list.")["outcome"] == "opted_out"
        assert [message.status for message in messages(calls.engine)] == kept
        calls.close()


def test_what_is_due_is_found_without_sorting_or_reading_what_was_sent(loaded_home: Path) -> None:
    settings = settings_for(loaded_home, refusing_url())
    a_won_call(settings)
    asked: list[tuple[str, Any]] = []
    engine = engine_for(settings)

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        outbox_of(settings)._claim(time.time())
    finally:
        event.remove(engine, "before_cursor_execute", note)
    statement, parameters = next(pair for pair in asked if pair[0].startswith("SELECT"))
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = " / ".join(str(row[-1]) for row in plan)
    assert "USING INDEX outbox_unsent" in steps
    assert "SCAN" not in steps
    assert "TEMP B-TREE" not in steps


def test_a_message_that_cannot_be_made_says_why_and_waits_while_others_go(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        a_won_call(settings, "broken")
        with writing(engine_for(settings)) as connection:
            connection.execute(delete(call_table))
        a_won_call(settings, "whole")
        assert outbox_of(settings).send_due() == (1, 1)
        assert outbox_of(settings).send_due() == (0, 0), "not due yet"
        (held,) = messages(engine_for(settings))
        assert (held.call, held.attempts) == ("broken", 1)
        assert held.error.startswith("NoResultFound")


def test_sending_all_at_once_tries_each_paused_message_once_however_long_it_takes(
    loaded_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.outbox.FIRST_PAUSE", 0.0)
    settings = settings_for(loaded_home, refusing_url())
    for number in range(5):
        a_won_call(settings, f"c{number}")
    assert outbox_of(settings).send_due(now=True) == (0, 5)
    assert outbox_of(settings).send_due(now=True) == (0, 5)
    assert [message.attempts for message in messages(engine_for(settings))] == [2] * 5


def test_a_final_outcome_that_is_taken_back_is_told(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        for turn, status in ((0, "follow_up"), (1, "open"), (2, "open")):
            keep(engine_for(settings), "one", [turn_of("one", turn)], outcome(status))
        assert outbox_of(settings).send_due() == (2, 0)
        assert [entry["data"]["outcome"]["status"] for _, entry in taken.messages] == ["follow_up", "open"]


def test_personal_data_is_masked(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        turn = turn_of("one", 1, "My name is Thaddeus Quill, ring 415-555-0132.")
        agreed = {"what": "call Thaddeus", "contact": "415-555-0132", "when": "tomorrow"}
        end = outcome("follow_up", commitment=agreed)
        keep(engine_for(settings), "one", [turn], end, profile={"owner_name": "Beatrix Lowenstein"})
        assert outbox_of(settings).send_due() == (1, 0)
        assert not [word for word in ("Thaddeus", "555-0132", "Beatrix") if word.encode() in taken.raw]
        assert taken.messages[0][1]["data"]["outcome"]["commitment"]["when"] == "tomorrow"


@pytest.mark.parametrize("way", ["down", "fails", "moved"])
def test_what_is_not_taken_waits_longer_each_time_and_keeps_its_id(loaded_home: Path, way: str) -> None:
    with webhook() as taken:
        taken.way = "moved" if way == "moved" else "fails"
        settings = settings_for(loaded_home, refusing_url() if way == "down" else taken.url)
        engine = engine_for(settings)
        a_won_call(settings)
        pauses = []
        for attempt in range(1, 15):
            assert outbox_of(settings).send_due() == (0, 1)
            assert outbox_of(settings).send_due() == (0, 0), "not due yet"
            with engine.connect() as connection:
                row = connection.execute(outbox_table.select()).mappings().one()
            assert row["attempts"] == attempt
            pauses.append(row["next_at"] - time.time())
            due_now(settings)
        assert pauses[0] < 7
        assert pauses[3] > 2 * pauses[0]
        assert 2800 < pauses[-1] < 4400, "an hour at most"
        (held,) = messages(engine)
        assert held.error.startswith({"down": "ConnectError", "fails": "HTTP 500", "moved": "HTTP 307"}[way])
        taken.way = "answers"
        back = settings_for(loaded_home, taken.url)
        assert outbox_of(back).send_due() == (1, 0)
        assert set(taken.ids()) == {held.id}, "the same id however often"
        assert messages(engine) == []


def test_a_later_outcome_of_a_call_never_overtakes_an_earlier_one(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        taken.way = "fails"
        a_won_call(settings)
        assert outbox_of(settings).send_due() == (0, 1)
        keep(engine_for(settings), "one", [turn_of("one", 2)], outcome("declined"))
        a_won_call(settings, "two")
        taken.way = "answers"
        assert outbox_of(settings).send_due() == (1, 0), "another call's goes on"
        assert outbox_of(settings).send_due(now=True) == (2, 0)
        said = [(entry["data"]["call"], entry["data"]["outcome"]["status"]) for _, entry in taken.messages[1:]]
        assert said == [("two", "won"), ("one", "won"), ("one", "declined")]


def test_two_senders_never_send_one_message_at_the_same_time(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        a_won_call(settings)
        taken.way = "hangs"
        slow = threading.Thread(target=outbox_of(settings).send_due)
        slow.start()
        taken.wait_for(1)
        assert outbox_of(settings).send_due() == (0, 0), "it is under way elsewhere"
        assert outbox_of(settings).send_due(now=True) == (0, 0)
        taken.released.set()
        slow.join()
        assert len(taken.messages) == 1
        assert messages(engine_for(settings)) == []


def test_many_senders_deliver_each_message_once(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        for number in range(30):
            a_won_call(settings, f"c{number}")
        senders = [threading.Thread(target=outbox_of(settings).send_due) for _ in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert len(taken.ids()) == len(set(taken.ids())) == 30


def test_each_message_is_claimed_once_on_postgresql(loaded_home: Path, postgres: str) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url).model_copy(update={"database_url": SecretStr(postgres)})
        for number in range(10):
            a_won_call(settings, f"c{number}", objections=[objection(1)])
        senders = [threading.Thread(target=outbox_of(settings).send_due) for _ in range(3)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert outbox_of(settings).send_due() == (0, 0)
        assert len(taken.ids()) == len(set(taken.ids())) == 10
        engine_for(settings).dispose()


def test_what_a_killed_process_had_begun_to_send_is_sent_again_with_the_same_id(loaded_home: Path) -> None:
    with webhook() as taken:
        settings = settings_for(loaded_home, taken.url)
        a_won_call(settings)
        taken.way = "hangs"
        code = (
            "from graph.settings import get_settings; from graph.outbox import *;"
            "s = get_settings(); Outbox(s, Receiver.of(s), lease=1.5).send_due()"
        )
        env = {**os.environ, "SALESMAN_HOME": str(loaded_home), "SALESMAN_WEBHOOK_URL": taken.url}
        process = subprocess.Popen([sys.executable, "-c", code], env={**env, "SALESMAN_WEBHOOK_SECRET": SECRET})
        taken.wait_for(1, 60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        taken.way = "answers"
        taken.released.set()
        again = outbox_of(settings)
        assert until(lambda: any(again.send_due()) or not messages(engine_for(settings))), "when the claim has run out"
        first, second = taken.ids()
        assert first == second
        assert messages(engine_for(settings)) == []


def test_the_background_thread_delivers_and_survives_a_receiver_that_comes_late(loaded_home: Path) -> None:
    with webhook() as first:
        url = first.url
    settings = settings_for(loaded_home, url)
    CallStore(engine_for(settings))
    outbox = start_outbox(settings)
    assert outbox is not None
    try:
        a_won_call(settings)
        assert until(lambda: [message.attempts for message in messages(engine_for(settings))] == [1])
        port = int(url.split(":")[2].split("/")[0])
        with webhook(port) as taken:
            due_now(settings)
            taken.wait_for(1)
            assert until(lambda: messages(engine_for(settings)) == [])
    finally:
        outbox.stop()


@pytest.mark.parametrize(
    ("url", "secret", "message"),
    [
        ("http://crm.example.org/x", SECRET, "unencrypted"),
        ("http://10.0.0.7/x", SECRET, "unencrypted"),
        ("ftp://crm.example.org", SECRET, "no web address"),
        ("crm.example.org", SECRET, "no web address"),
        ("https://crm.example.org", "", "SALESMAN_WEBHOOK_SECRET"),
        ("https://crm.example.org", "whsec_***", "SALESMAN_WEBHOOK_SECRET"),
    ],
)
def test_a_webhook_that_would_leak_or_cannot_sign_is_refused(
    loaded_home: Path, url: str, secret: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        Receiver.of(settings_for(loaded_home, url, secret))


def test_where_a_webhook_may_be(loaded_home: Path) -> None:
    for url in ("https://crm.example.org/x", "http://localhost:1/x", "http://127.0.0.1:1", "http://[::1]:1/x"):
        assert Receiver.of(settings_for(loaded_home, url)) is not None
    assert Receiver.of(settings_for(loaded_home, "")) is None


def test_the_command_sends_lists_and_says_what_is_missing(loaded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.settings import get_settings

    runner = CliRunner()
    with webhook() as taken:
        a_won_call(settings_for(loaded_home, ""))
        assert isinstance(runner.invoke(app, ["outbox", "send"]).exception, BadInput)
        monkeypatch.setenv("SALESMAN_WEBHOOK_URL", taken.url)
        monkeypatch.setenv("SALESMAN_WEBHOOK_SECRET", SECRET)
        get_settings.cache_clear()
        assert "call one  won  0 attempts" in runner.invoke(app, ["outbox", "list"]).stdout
        assert runner.invoke(app, ["outbox", "send"]).stdout == "sent 1, not taken 0\n"
        assert runner.invoke(app, ["outbox", "list", "--json"]).stdout == ""
        assert _one(taken) == "won"


def _one(taken: Taken) -> str:
    return str(taken.messages[0][1]["data"]["outcome"]["status"])
