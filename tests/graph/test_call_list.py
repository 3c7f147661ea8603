"""Lists of calls, on SQLite and on PostgreSQL, and rows that older programs left out."""

import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, delete

from graph.call_list import Filters, calls_table, waiting
from graph.call_tables import call_objection, call_state, turn_fact, turn_script
from graph.calls import CallStore
from graph.marks import add_mark
from graph.session import Calls
from graph.settings import Settings
from scripts_library.database import engine_for
from tests.graph.calls_made import keep, objection, outcome, turn_of
from tests.graph.test_session import calls_for
from tests.serving.fault_server import FaultServer


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, own_home: Path) -> Iterator[Engine]:
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else ""
    engine = engine_for(Settings(home=own_home, database_url=SecretStr(url), _env_file=None))
    CallStore(engine)
    yield engine
    engine.dispose()


def some_calls(engine: Engine) -> None:
    hit = [{"name": "r", "severity": "high", "action": "blocked", "reason": "x", "text": "y"}]
    keep(engine, "won1", [turn_of("won1", 0, "", "Hello."), turn_of("won1", 1, "Fine", "Great")], outcome("won"))
    keep(engine, "open1", [turn_of("open1", 0, "", "Hi 100%_sure", rules=hit)], outcome())
    asks = turn_of("wait1", 1, "A person, please", "Somebody comes.", stage="analysis", outcome="handoff")
    keep(engine, "wait1", [turn_of("wait1", 0, "", "Hi"), asks], outcome("handoff"), campaign="save_the_children")


@pytest.mark.parametrize(
    ("filters", "expected", "why"),
    [
        (Filters(), {"won1", "open1", "wait1"}, "no filter"),
        (Filters(campaign="lantern_local"), {"won1", "open1"}, "campaign"),
        (Filters(status="handoff"), {"wait1"}, "status"),
        (Filters(stage="analysis"), {"wait1"}, "stage"),
        (Filters(rules=True), {"open1"}, "rule hits"),
        (Filters(text="GREAT"), {"won1"}, "the agent's side, in any case"),
        (Filters(text="person,"), {"wait1"}, "the customer's side"),
        (Filters(text="0%_s"), {"open1"}, "signs of LIKE are text"),
        (Filters(text="%"), {"open1"}, "a percent sign is text"),
        (Filters(text="open1"), {"open1"}, "id"),
        (Filters(marked=True), {"won1"}, "marks"),
    ],
)
def test_calls_are_filtered(engine: Engine, filters: Filters, expected: set[str], why: str) -> None:
    some_calls(engine)
    add_mark(engine, "won1", 1, "good", "", "", "ann")
    add_mark(engine, "open1", 0, "bad", "no", "", "ann")
    add_mark(engine, "open1", 0, "withdrawn", "", "", "ann")
    rows, total = calls_table(engine, filters)
    assert ({row.id for row in rows}, total) == (expected, len(expected)), why


def test_a_row_tells_what_the_table_shows(engine: Engine) -> None:
    some_calls(engine)
    add_mark(engine, "wait1", 1, "bad", "slow", "", "ann")
    row = next(row for row in calls_table(engine, Filters())[0] if row.id == "wait1")
    assert (row.status, row.stage, row.turns, row.rules, row.good, row.bad) == ("handoff", "analysis", 2, 0, 0, 1)
    assert row.waiting_since == "2026-01-01T00:01:00+00:00"


def test_pages_follow_each_other(engine: Engine) -> None:
    for number in range(7):
        keep(engine, f"c{number}", [turn_of(f"c{number}", 0, "")], outcome())
    pages = [calls_table(engine, Filters(), limit=3, offset=start) for start in (0, 3, 6)]
    assert [len(rows) for rows, _ in pages] == [3, 3, 1]
    assert {row.id for rows, _ in pages for row in rows} == {f"c{number}" for number in range(7)}
    assert {total for _, total in pages} == {7}


def test_rows_that_an_older_program_left_out_are_made_at_opening(engine: Engine) -> None:
    some_calls(engine)
    settled = outcome("won", objections=[objection(1, 2)])
    keep(engine, "c", [turn_of("c", 1, scripts=[("a", 2), ("b", 1)]), turn_of("c", 2)], settled)
    tables = (turn_fact, turn_script, call_state, call_objection)

    def everything() -> list[list[tuple[object, ...]]]:
        with engine.connect() as connection:
            return [sorted(tuple(row) for row in connection.execute(table.select())) for table in tables]

    written = everything()
    with engine.begin() as connection:
        for table in tables:
            connection.execute(delete(table))
    CallStore(engine)
    assert everything() == written


def test_a_call_that_waits_shows_its_newest_line_and_leaves_when_it_is_given_back(loaded_home: Path) -> None:
    with FaultServer("ok", text="I hear you.") as server:
        calls: Calls = calls_for(loaded_home, server)
        calls.start("lantern_local", call="one", language="en")
        assert waiting(calls.engine) == []
        calls.turn("one", "I want to speak to a real person, now.")
        (first,) = waiting(calls.engine)
        assert (first.id, first.line, first.answered) == ("one", "I want to speak to a real person, now.", False)
        calls.turn("one", "Are you still there?")
        (second,) = waiting(calls.engine)
        assert (second.line, second.since) == ("Are you still there?", first.since), (
            "the wait began with the first line"
        )
        calls.human("one", "Wang here.")
        (third,) = waiting(calls.engine)
        assert (third.line, third.answered) == ("Wang here.", True)
        calls.human("one", "", give_back=True)
        assert waiting(calls.engine) == []
        assert calls.store.header("one")["outcome"]["status"] == "open"


def quickest(ask: Callable[[], object]) -> float:
    """Return the seconds of the quickest of three askings: what else the machine does is not meant."""
    return min(timeit.repeat(ask, number=1, repeat=3))


def test_twenty_thousand_turns_are_listed_and_searched_in_half_a_second(own_home: Path) -> None:
    engine = engine_for(Settings(home=own_home, _env_file=None))
    CallStore(engine)
    calls = [
        {"id": f"c{n:04d}", "campaign": "x", "language": "", "profile": "{}", "strategy": "", "model": ""}
        for n in range(2000)
    ]
    started = {"contact": "", "started_at": "2026-01-01T00:00:00+00:00", "ended": False, "outcome": "{}"}
    state = {"status": "open", "stage": "close", "last_turn": 9, "last_at": "2026-01-01T00:05:00+00:00"}
    fact = {
        "campaign": "x",
        "stage": "close",
        "intent": "i",
        "language": "en",
        "no_hit": "",
        "rules": 0,
        "source": "model",
    }
    with engine.begin() as connection:
        from graph.call_tables import call_table

        connection.execute(call_table.insert(), [{**call, **started} for call in calls])
        waits = {"waiting_since": "", "answered": False}
        connection.execute(call_state.insert(), [{"call": call["id"], **state, **waits} for call in calls])
        lines = {"customer": "How much is it? " * 8, "reply": "It is sixty. " * 20, "at": "2026-01-01T00:00:00+00:00"}
        turns = [{"call": call["id"], "turn": n, **fact, **lines} for call in calls for n in range(10)]
        connection.execute(turn_fact.insert(), turns)
    for filters in (Filters(), Filters(text="nowhere said"), Filters(rules=True, status="open")):
        assert quickest(partial(calls_table, engine, filters)) < 0.5
    assert waiting(engine) == []
    assert quickest(partial(waiting, engine)) < 0.05
