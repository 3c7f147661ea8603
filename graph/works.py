"""What works: what came of the turns in which each script was used, and of the lines that no script was found for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, case, distinct, func, select

from graph.call_tables import call_objection, call_state, turn_fact, turn_script
from graph.derived import UNFINISHED
from graph.intervals import Share


@dataclass(frozen=True)
class ScriptWorks:
    """What came of a script. What follows a script need not come from it: only an A/B test tells that."""

    script: str
    led: int
    """Turns that it led."""
    fetched: int
    """Turns in whose outline it was, led ones included."""
    resolved: Share
    """Of the objections that it was the first answer to, those that were settled later in the call."""
    won: Share
    """Of the finished calls in which it led a turn, those that were won."""
    last_at: str
    """When it was last fetched."""


@dataclass(frozen=True)
class Heard:
    """A line that customers said, and where in the call."""

    line: str
    campaign: str
    stage: str
    intent: str
    language: str
    no_hit: str
    """`general` or `none` when no script of the intent was found."""
    times: int
    at: str
    """When it was said last."""
    call: str
    """One of the calls with it."""


def what_works(
    engine: Engine, campaign: str = "", *, script: str = "", versions: tuple[int, int] | None = None
) -> list[ScriptWorks]:
    """Return what came of each script that was ever fetched, most used first.

    Args:
        engine: The call store's.
        campaign: Only this one's calls.
        script: Only this script.
        versions: First and last version that count; all by default.
    """

    def used(*columns: Any) -> Select[Any]:
        met = (turn_fact.c.call == turn_script.c.call) & (turn_fact.c.turn == turn_script.c.turn)
        query = select(turn_script.c.script, *columns).join(turn_fact, met).group_by(turn_script.c.script)
        if campaign:
            query = query.where(turn_fact.c.campaign == campaign)
        if script:
            query = query.where(turn_script.c.script == script)
        if versions:
            query = query.where(turn_script.c.version.between(*versions))
        return query

    leads = func.sum(case((turn_script.c.rank == 0, 1), else_=0)).label("led")
    turns = used(leads, func.count().label("fetched"), func.max(turn_fact.c.at).label("last_at"))
    met = (call_objection.c.call == turn_script.c.call) & (call_objection.c.turn == turn_script.c.turn)
    answers = used(func.count().label("n"), func.count(call_objection.c.resolved_at).label("hits"))
    answers = answers.join(call_objection, met).where(turn_script.c.rank == 0)
    won = case((call_state.c.status == "won", turn_script.c.call))
    ends = used(func.count(distinct(turn_script.c.call)).label("n"), func.count(distinct(won)).label("hits"))
    ends = ends.join(call_state, call_state.c.call == turn_script.c.call)
    ends = ends.where(turn_script.c.rank == 0, call_state.c.status.not_in(UNFINISHED))
    with engine.connect() as connection:
        resolved = {row.script: Share(row.hits, row.n) for row in connection.execute(answers)}
        sold = {row.script: Share(row.hits, row.n) for row in connection.execute(ends)}
        rows = connection.execute(turns.order_by(leads.desc(), turn_script.c.script)).all()
    none = Share(0, 0)
    return [
        ScriptWorks(
            row.script,
            int(row.led),
            int(row.fetched),
            resolved.get(row.script, none),
            sold.get(row.script, none),
            row.last_at,
        )
        for row in rows
    ]


def used_script_ids(engine: Engine, campaign: str = "") -> set[str]:
    """Return the ids of the scripts that were ever fetched for a turn."""
    query = select(turn_script.c.script).distinct()
    if campaign:
        met = (turn_fact.c.call == turn_script.c.call) & (turn_fact.c.turn == turn_script.c.turn)
        query = query.join(turn_fact, met).where(turn_fact.c.campaign == campaign)
    with engine.connect() as connection:
        return set(connection.scalars(query))


def never_used(engine: Engine, published: Iterable[str], campaign: str = "") -> list[str]:
    """Return which of the published scripts no turn ever fetched, by id."""
    return sorted(set(published) - used_script_ids(engine, campaign))


def fell_through(engine: Engine, campaign: str = "", limit: int = 100) -> list[Heard]:
    """Return the lines that no script of their intent was found for, newest first, equal ones together."""
    return _heard(engine, [turn_fact.c.no_hit.in_(("general", "none"))], campaign, limit)


def recent_lines(
    engine: Engine, campaign: str = "", *, language: str = "", text: str = "", limit: int = 50
) -> list[Heard]:
    """Return what customers said lately, newest first, equal lines together.

    Args:
        engine: The call store's.
        campaign: Only its calls.
        language: Only turns answered in it.
        text: Only lines that hold this.
        limit: At most so many.
    """
    where = [turn_fact.c.language == language] if language else []
    if text.strip():
        where.append(turn_fact.c.customer.icontains(text.strip(), autoescape=True))
    return _heard(engine, where, campaign, limit)


def _heard(engine: Engine, where: list[Any], campaign: str, limit: int) -> list[Heard]:
    place = [turn_fact.c[name] for name in ("campaign", "stage", "intent", "language", "no_hit")]
    newest = func.max(turn_fact.c.at).label("newest")
    query = select(
        turn_fact.c.customer, *place, func.count().label("times"), newest, func.max(turn_fact.c.call).label("call")
    )
    query = query.where(turn_fact.c.customer != "", *where)
    if campaign:
        query = query.where(turn_fact.c.campaign == campaign)
    query = query.group_by(turn_fact.c.customer, *place).order_by(newest.desc(), turn_fact.c.customer).limit(limit)
    with engine.connect() as connection:
        return [
            Heard(
                row.customer,
                row.campaign,
                row.stage,
                row.intent,
                row.language,
                row.no_hit,
                row.times,
                row.newest,
                row.call,
            )
            for row in connection.execute(query)
        ]
