"""Lists of calls for the calls page: all of them filtered and by pages, and those that wait for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, func, select

from graph.call_tables import call_state, call_table, mark_table, turn_fact
from graph.marks import counting


@dataclass(frozen=True)
class Filters:
    """Which calls are wanted; an empty field wants all."""

    campaign: str = ""
    status: str = ""
    stage: str = ""
    rules: bool = False
    """Only calls in which a rule fired."""
    marked: bool = False
    """Only calls with a mark that counts."""
    text: str = ""
    """Part of what either side said, or of the call's id; capital letters do not matter."""


@dataclass(frozen=True)
class CallRow:
    """A call in a list."""

    id: str
    campaign: str
    started_at: str
    status: str
    stage: str
    """Where it stands, or stood at its end."""
    turns: int
    rules: int
    """How often a rule fired."""
    waiting_since: str
    """Empty unless it waits for a person."""
    seconds: int
    """From its start to its last turn."""
    good: int
    bad: int


@dataclass(frozen=True)
class Waiting:
    """A call that waits for a person."""

    id: str
    campaign: str
    since: str
    answered: bool
    """True when a person spoke last: the customer's line is awaited."""
    line: str
    """What was said last."""
    turn: int


def calls_table(engine: Engine, filters: Filters, limit: int = 50, offset: int = 0) -> tuple[list[CallRow], int]:
    """Return one page of calls, newest first, and how many there are in all.

    Args:
        engine: The call store's.
        filters: Which calls.
        limit: Calls a page.
        offset: Calls before the page.
    """
    wanted = _wanted(select(call_table.c.id), filters)
    with engine.connect() as connection:
        total = connection.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        order = (call_table.c.started_at.desc(), call_table.c.id)
        columns = (call_table.c.id, call_table.c.campaign, call_table.c.started_at)
        state = (call_state.c.status, call_state.c.stage, call_state.c.last_at, call_state.c.waiting_since)
        page = _wanted(select(*columns, *state), filters).order_by(*order).limit(limit).offset(offset)
        rows = connection.execute(page).mappings().all()
        ids = [row["id"] for row in rows]
        counts = select(turn_fact.c.call, func.count().label("turns"), func.sum(turn_fact.c.rules).label("rules"))
        counted = connection.execute(counts.where(turn_fact.c.call.in_(ids)).group_by(turn_fact.c.call))
        turns = {row.call: (int(row.turns), int(row.rules)) for row in counted}
        verdicts = select(mark_table.c.call, mark_table.c.verdict, func.count().label("n"))
        verdicts = verdicts.where(mark_table.c.call.in_(ids), mark_table.c.id.in_(counting()))
        given = connection.execute(verdicts.group_by(mark_table.c.call, mark_table.c.verdict))
        marks = {(row.call, row.verdict): int(row.n) for row in given}
    return [
        CallRow(
            id=row["id"],
            campaign=row["campaign"],
            started_at=row["started_at"],
            status=row["status"] or "open",
            stage=row["stage"] or "",
            turns=turns.get(row["id"], (0, 0))[0],
            rules=turns.get(row["id"], (0, 0))[1],
            waiting_since=row["waiting_since"] or "",
            seconds=_seconds(row["started_at"], row["last_at"]),
            good=marks.get((row["id"], "good"), 0),
            bad=marks.get((row["id"], "bad"), 0),
        )
        for row in rows
    ], int(total)


def waiting(engine: Engine) -> list[Waiting]:
    """Return the calls that wait for a person, longest first: cheap enough to be asked each second."""
    last = (turn_fact.c.call == call_state.c.call) & (turn_fact.c.turn == call_state.c.last_turn)
    query = (
        select(call_state, turn_fact.c.campaign, turn_fact.c.customer, turn_fact.c.reply)
        .join(turn_fact, last)
        .where(call_state.c.status == "handoff")
        .order_by(call_state.c.answered, call_state.c.waiting_since)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return [
        Waiting(
            row["call"],
            row["campaign"],
            row["waiting_since"],
            row["answered"],
            row["customer"] or row["reply"],
            row["last_turn"],
        )
        for row in rows
    ]


def _wanted(query: Select[Any], filters: Filters) -> Select[Any]:
    query = query.select_from(call_table.outerjoin(call_state, call_state.c.call == call_table.c.id))
    if filters.campaign:
        query = query.where(call_table.c.campaign == filters.campaign)
    if filters.status:
        query = query.where(func.coalesce(call_state.c.status, "open") == filters.status)
    if filters.stage:
        query = query.where(call_state.c.stage == filters.stage)
    if filters.rules:
        query = query.where(call_table.c.id.in_(select(turn_fact.c.call).where(turn_fact.c.rules > 0)))
    if filters.marked:
        counts = mark_table.c.id.in_(counting()) & (mark_table.c.verdict != "withdrawn")
        query = query.where(call_table.c.id.in_(select(mark_table.c.call).where(counts)))
    if text := filters.text.strip():
        said = turn_fact.c.customer.icontains(text, autoescape=True) | turn_fact.c.reply.icontains(
            text, autoescape=True
        )
        heard = call_table.c.id.in_(select(turn_fact.c.call).where(said))
        query = query.where(heard | call_table.c.id.icontains(text, autoescape=True))
    return query


def _seconds(start: str, end: str | None) -> int:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()) if end else 0


def newest_turn(engine: Engine, call: str) -> tuple[int, str] | None:
    """Return a call's newest answered turn and its outcome so far, for pages that follow it; None before the first."""
    query = select(call_state.c.last_turn, call_state.c.status).where(call_state.c.call == call)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return (row.last_turn, row.status) if row else None
