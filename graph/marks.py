"""Good and bad marks on turns: appended, never changed; of an author's marks on a turn the newest counts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, insert, select

from graph.call_tables import mark_table, turn_fact
from graph.errors import BadInput
from graph.records import Mark, Verdict
from scripts_library.database import writing

LONGEST = 4000
"""Characters of a reason or a better reply."""


@dataclass(frozen=True)
class MarkedTurn:
    """A mark with the lines that it is about."""

    call: str
    campaign: str
    customer: str
    reply: str
    mark: Mark


def add_mark(engine: Engine, call: str, turn: int, verdict: Verdict, reason: str, better: str, author: str) -> int:
    """Keep a verdict on a turn, and return its number.

    Args:
        engine: The call store's.
        call: Id of the call.
        turn: Number of an answered turn.
        verdict: `withdrawn` takes the author's earlier verdict back.
        reason: Why; needed for `bad`.
        better: What the agent should have said, if the author knows.
        author: Who judges.

    Raises:
        BadInput: There is no such answered turn, the reason is missing, or a text is too long.
    """
    reason, better = reason.strip(), better.strip()
    if verdict == "bad" and not reason:
        raise BadInput("A bad mark needs a reason: say in one sentence what was wrong.")
    if len(reason) > LONGEST or len(better) > LONGEST:
        raise BadInput(f"A reason and a better reply have at most {LONGEST} characters each; shorten them.")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    row = {"call": call, "turn": turn, "verdict": verdict, "reason": reason, "better": better}
    with writing(engine) as connection:
        known = select(turn_fact.c.turn).where(turn_fact.c.call == call, turn_fact.c.turn == turn)
        if connection.scalar(known) is None:
            raise BadInput(f"Call {call} has no answered turn {turn} to mark.")
        kept = connection.execute(insert(mark_table).values(**row, author=author, at=at))
        return int((kept.inserted_primary_key or (0,))[0])


def mark_history(engine: Engine, call: str) -> list[Mark]:
    """Return every mark of a call, oldest first, withdrawn and replaced ones included."""
    query = select(mark_table).where(mark_table.c.call == call).order_by(mark_table.c.id)
    with engine.connect() as connection:
        return [_mark(row) for row in connection.execute(query).mappings()]


def marks_of(engine: Engine, call: str) -> list[Mark]:
    """Return the marks of a call that count, by turn."""
    newest = {(mark["turn"], mark["author"]): mark for mark in mark_history(engine, call)}
    return sorted((mark for mark in newest.values() if mark["verdict"] != "withdrawn"), key=lambda mark: mark["turn"])


def counting() -> Any:
    """Return a query for the ids of the newest mark of each author on each turn."""
    return select(func.max(mark_table.c.id)).group_by(mark_table.c.call, mark_table.c.turn, mark_table.c.author)


def marked_turns(engine: Engine, campaign: str = "") -> list[MarkedTurn]:
    """Return all marks that count, oldest first, with the lines they are about."""
    met = (turn_fact.c.call == mark_table.c.call) & (turn_fact.c.turn == mark_table.c.turn)
    lines = (turn_fact.c.campaign, turn_fact.c.customer, turn_fact.c.reply)
    query = select(mark_table, *lines).join(turn_fact, met)
    query = query.where(mark_table.c.id.in_(counting()), mark_table.c.verdict != "withdrawn")
    if campaign:
        query = query.where(turn_fact.c.campaign == campaign)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(mark_table.c.id)).mappings().all()
    return [MarkedTurn(row["call"], row["campaign"], row["customer"], row["reply"], _mark(row)) for row in rows]


def _mark(row: Any) -> Mark:
    return {
        "turn": row["turn"],
        "verdict": row["verdict"],
        "reason": row["reason"],
        "better": row["better"],
        "author": row["author"],
        "at": row["at"],
    }
