"""What lists and statistics read of turns, written beside each record so that nobody has to parse twenty thousand of them."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from graph.call_tables import (
    call_objection,
    call_state,
    call_table,
    outbox_table,
    turn_fact,
    turn_script,
    turn_table,
    upsert,
)
from graph.records import Outcome, TurnRecord
from scripts_library.database import writing

UNFINISHED = ("open", "handoff")
"""Outcomes of calls that go on."""
BATCH = 50
"""Calls whose rows are made in one transaction."""


def state_after(held: Mapping[str, Any] | None, record: TurnRecord, status: str) -> dict[str, Any]:
    """Return a call's row of `call_state` after a turn.

    Args:
        held: The row before the turn; None before the first.
        record: The turn.
        status: The call's outcome after it.
    """
    waits, answered = status == "handoff", record["source"] == "human"
    goes_on = waits and held is not None and held["status"] == "handoff" and bool(held["answered"]) == answered
    since = held["waiting_since"] if goes_on and held is not None else record["at"] if waits else ""
    return {
        "call": record["call"],
        "status": status,
        "stage": record["stage"],
        "last_turn": record["turn"],
        "last_at": record["at"],
        "waiting_since": since,
        "answered": waits and answered,
    }


def fact_of(record: TurnRecord, campaign: str) -> dict[str, Any]:
    """Return a turn's row of `turn_fact`."""
    why = record["why"]
    return {
        "call": record["call"],
        "turn": record["turn"],
        "campaign": campaign,
        "stage": record["stage"],
        "intent": record["intent"],
        "language": why.get("language", ""),
        "no_hit": why.get("no_hit", ""),
        "rules": len(record["rules"]),
        "source": record["source"],
        "customer": record["customer"],
        "reply": record["reply"],
        "at": record["at"],
    }


def scripts_of(record: TurnRecord) -> list[dict[str, Any]]:
    """Return a turn's rows of `turn_script`."""
    return [
        {
            "call": record["call"],
            "turn": record["turn"],
            "rank": rank,
            "script": script["id"],
            "version": script["version"],
        }
        for rank, script in enumerate(record["scripts"])
    ]


def write_objections(connection: Connection, call: str, outcome: Outcome) -> None:
    """Write a call's objections as they stand."""
    rows = [
        {"call": call, "turn": entry["turn"], "intent": entry["intent"], "resolved_at": entry["resolved_at"]}
        for entry in outcome["objections"]
    ]
    if rows:
        upsert(connection, call_objection, rows)


def derive(
    connection: Connection, record: TurnRecord, campaign: str, status: str, held: Mapping[str, Any] | None
) -> None:
    """Write a finished turn's rows, in the transaction that keeps the turn; `write_objections` keeps the call's.

    Args:
        connection: The transaction's.
        record: The turn.
        campaign: The call's.
        status: The call's outcome after the turn.
        held: The call's row of `call_state` before it.
    """
    upsert(connection, turn_fact, fact_of(record, campaign))
    if record["scripts"]:
        upsert(connection, turn_script, scripts_of(record))
    upsert(connection, call_state, state_after(held, record, status))


def announce(connection: Connection, call: str, before: Outcome, after: Outcome, at: str, message: str) -> None:
    """Put an outcome into the outbox when it is final and new, or when a final one was taken back."""
    final = before["status"] not in UNFINISHED or after["status"] not in UNFINISHED
    if final and before != after:
        row: dict[str, Any] = {
            "message": message,
            "call": call,
            "at": at,
            "outcome": json.dumps(after, ensure_ascii=False),
        }
        row |= {"attempts": 0, "next_at": 0.0, "claim": "", "claimed_until": 0.0, "error": ""}
        connection.execute(insert(outbox_table), row)


def backfill(engine: Engine) -> int:
    """Make the derived rows of turns that a program without them recorded; return how many turns that were."""
    with engine.connect() as connection:
        turns, facts = (connection.scalar(select(func.count()).select_from(table)) for table in (turn_table, turn_fact))
        if turns == facts:
            return 0
        missing = connection.execute(_missing()).all()
    calls: dict[str, None] = dict.fromkeys(row.call for row in missing)
    names = list(calls)
    for start in range(0, len(names), BATCH):
        with writing(engine) as connection:
            for call in names[start : start + BATCH]:
                _derive_call(connection, call)
    return len(missing)


def _missing() -> Any:
    kept = (turn_fact.c.call == turn_table.c.call) & (turn_fact.c.turn == turn_table.c.turn)
    query = select(turn_table.c.call, turn_table.c.turn).outerjoin(turn_fact, kept)
    return query.where(turn_table.c.record.is_not(None), turn_fact.c.call.is_(None)).order_by(turn_table.c.call)


def _derive_call(connection: Connection, call: str) -> None:
    """Make all derived rows of a call anew."""
    query = select(turn_table.c.record).where(turn_table.c.call == call, turn_table.c.record.is_not(None))
    records: list[TurnRecord] = [json.loads(text) for text in connection.scalars(query.order_by(turn_table.c.turn))]
    header = connection.execute(select(call_table).where(call_table.c.id == call)).mappings().one()
    outcome: Outcome = json.loads(header["outcome"])
    held: dict[str, Any] | None = None
    for record in records[:-1]:
        held = state_after(held, record, record["outcome"])
    upsert(connection, turn_fact, [fact_of(record, header["campaign"]) for record in records])
    scripts = [row for record in records for row in scripts_of(record)]
    if scripts:
        upsert(connection, turn_script, scripts)
    upsert(connection, call_state, state_after(held, records[-1], outcome["status"]))
    connection.execute(delete(call_objection).where(call_objection.c.call == call))
    write_objections(connection, call, outcome)
