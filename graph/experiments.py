"""A/B tests: two published scripts of one place (campaign, language, stage, intent), one of them given to each call at random."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from graph.call_tables import (
    assignment_table,
    call_objection,
    call_state,
    experiment_table,
    turn_fact,
    turn_script,
)
from graph.derived import UNFINISHED
from graph.errors import BadInput
from graph.intervals import Difference, Share
from scripts_library.database import writing
from scripts_library.schema import ANY_INTENT, Script
from scripts_library.tables import SCRIPT

Side = Literal["a", "b"]
_chance = random.SystemRandom()


class PublishedScripts(Protocol):
    """What an experiment asks the library."""

    def list(self, campaign: str | None = None, *, status: str | None = None) -> list[Script]:
        """Return scripts."""


@dataclass(frozen=True)
class Experiment:
    """Two scripts against each other; it runs until `stopped_at` is set."""

    id: str
    campaign: str
    language: str
    stage: str
    intent: str
    script_a: str
    script_b: str
    started_by: str
    started_at: str
    stopped_by: str | None
    stopped_at: str | None


@dataclass(frozen=True)
class Arm:
    """What came of the calls that were given one script and came to its place."""

    script: str
    assigned: int
    """Calls that drew this script, whether they came to its place or not."""
    reached: int
    """Calls that came to the place while the test ran."""
    led: int
    """Of these, calls in which the script led a turn."""
    won: Share
    """Of the finished ones, those that were won."""
    resolved: Share
    """Of those with an objection of this intent, those in which all such objections were settled."""


@dataclass(frozen=True)
class Report:
    """Both sides, by what was drawn and not by what was used, and side a less side b."""

    experiment: Experiment
    a: Arm
    b: Arm
    won: Difference
    resolved: Difference


def start(engine: Engine, library: PublishedScripts, script_a: str, script_b: str, author: str) -> Experiment:
    """Start a test; calls that begin from now on draw one of the scripts.

    Args:
        engine: The call store's.
        library: Tells which scripts customers hear.
        script_a: Id of a published script.
        script_b: Id of another one of the same campaign, language, stage and intent.
        author: Who starts it.

    Raises:
        BadInput: One is not published, they differ in their place, or another test runs in this place.
    """
    live = {script.id: script for script in library.list(status="published") if script.id in (script_a, script_b)}
    missing = [name for name in (script_a, script_b) if name not in live]
    if missing:
        raise BadInput(f"Script {', '.join(missing)} is not published: only what customers hear can be compared.")
    if script_a == script_b:
        raise BadInput(f"Script {script_a} cannot be compared with itself; choose two.")
    places = [
        (live[name].campaign, live[name].language, live[name].stage, live[name].intent) for name in (script_a, script_b)
    ]
    if places[0] != places[1]:
        raise BadInput(
            f"Scripts {script_a} ({' / '.join(places[0])}) and {script_b} ({' / '.join(places[1])}) stand in different "
            "places; choose two of the same campaign, language, stage and intent."
        )
    campaign, language, stage, intent = places[0]
    row = {"id": uuid.uuid4().hex, "campaign": campaign, "language": language, "stage": stage, "intent": intent}
    row |= {"script_a": script_a, "script_b": script_b, "started_by": author, "started_at": _now()}
    try:
        with writing(engine) as connection:
            connection.execute(insert(experiment_table).values(**row))
    except IntegrityError as error:
        raise BadInput(f"A test of {' / '.join(places[0])} is running already; stop it first.") from error
    return experiment(engine, row["id"])


def stop(engine: Engine, name: str, author: str) -> Experiment:
    """Stop a test: running calls go back to what the library finds; the report stays.

    Raises:
        BadInput: There is no such test, or it was stopped before.
    """
    held = experiment(engine, name)
    with writing(engine) as connection:
        running = (experiment_table.c.id == name) & experiment_table.c.stopped_at.is_(None)
        done = connection.execute(update(experiment_table).where(running).values(stopped_by=author, stopped_at=_now()))
    if not done.rowcount:
        raise BadInput(f"This test was stopped at {held.stopped_at} by {held.stopped_by}.")
    return experiment(engine, name)


def experiment(engine: Engine, name: str) -> Experiment:
    """Return a test.

    Raises:
        BadInput: There is no such test.
    """
    with engine.connect() as connection:
        row = connection.execute(select(experiment_table).where(experiment_table.c.id == name)).mappings().first()
    if row is None:
        raise BadInput(f"Test {name!r} is not known.")
    return Experiment(**row)


def experiments(engine: Engine, campaign: str = "") -> list[Experiment]:
    """Return the tests, running ones first, then newest first."""
    query = select(experiment_table).order_by(
        experiment_table.c.stopped_at.is_not(None), experiment_table.c.started_at.desc()
    )
    if campaign:
        query = query.where(experiment_table.c.campaign == campaign)
    with engine.connect() as connection:
        return [Experiment(**row) for row in connection.execute(query).mappings()]


def assign(connection: Connection, call: str, campaign: str, draw: Callable[[str], str] = _chance.choice) -> None:
    """Draw a side of each running test of the campaign for a new call, in the transaction that opens it."""
    running = (experiment_table.c.campaign == campaign) & experiment_table.c.stopped_at.is_(None)
    names = connection.scalars(select(experiment_table.c.id).where(running)).all()
    if names:
        rows = [{"call": call, "experiment": name, "side": draw("ab")} for name in names]
        connection.execute(insert(assignment_table), rows)


def assigned(connection: Connection, call: str) -> tuple[list[str], list[str]]:
    """Return the ids of the scripts that running tests give a call, and of those that they keep from it.

    A test with a script that is not published any more gives and keeps nothing.
    """
    query = (
        select(assignment_table.c.side, experiment_table.c.script_a, experiment_table.c.script_b)
        .join(experiment_table, experiment_table.c.id == assignment_table.c.experiment)
        .where(assignment_table.c.call == call, experiment_table.c.stopped_at.is_(None))
    )
    pairs = [(row[1], row[2]) if row[0] == "a" else (row[2], row[1]) for row in connection.execute(query)]
    if not pairs:
        return [], []
    named = [script for pair in pairs for script in pair]
    wanted = SCRIPT.c.id.in_(named) & (SCRIPT.c.status != "archived") & SCRIPT.c.published_version.is_not(None)
    live = set(connection.scalars(select(SCRIPT.c.id).where(wanted)))
    held = [pair for pair in pairs if live.issuperset(pair)]
    return [shown for shown, _ in held], [withheld for _, withheld in held]


def report(engine: Engine, name: str) -> Report:
    """Compare the two sides of a test, among the calls that came to its place while it ran.

    A call counts on the side that it drew: which script was then used, or whether it was found, is part of what is compared.

    Raises:
        BadInput: There is no such test.
    """
    held = experiment(engine, name)
    with engine.connect() as connection:
        rows = connection.execute(_calls_of(held)).mappings().all()
        drawn = connection.scalars(select(assignment_table.c.side).where(assignment_table.c.experiment == name)).all()
    arms = {}
    sides: tuple[tuple[Side, str], ...] = (("a", held.script_a), ("b", held.script_b))
    for side, script in sides:
        mine = [row for row in rows if row["side"] == side]
        finished = [row for row in mine if row["status"] not in UNFINISHED]
        objected = [row for row in mine if row["objections"]]
        arms[side] = Arm(
            script=script,
            assigned=sum(1 for entry in drawn if entry == side),
            reached=len(mine),
            led=sum(1 for row in mine if row["led_a" if side == "a" else "led_b"]),
            won=Share(sum(1 for row in finished if row["status"] == "won"), len(finished)),
            resolved=Share(sum(1 for row in objected if row["resolved"] == row["objections"]), len(objected)),
        )
    a, b = arms["a"], arms["b"]
    return Report(held, a, b, Difference(a.won, b.won), Difference(a.resolved, b.resolved))


def _calls_of(held: Experiment) -> Any:
    """Return a query: each call that came to the place, its side, its state, and its objections of this intent."""
    here = [
        turn_fact.c.campaign == held.campaign,
        turn_fact.c.stage == held.stage,
        turn_fact.c.language == held.language,
    ]
    if held.intent == ANY_INTENT:  # general scripts answer where the intent has none
        here.append(turn_fact.c.no_hit.in_(("general", "used")))
    else:
        here.append(turn_fact.c.intent == held.intent)
    if held.stopped_at:
        here.append(turn_fact.c.at <= held.stopped_at)
    came = select(turn_fact.c.call).where(*here).distinct().subquery()

    def led(script: str) -> Any:
        mine = (turn_script.c.call == came.c.call) & (turn_script.c.rank == 0) & (turn_script.c.script == script)
        return select(turn_script.c.call).where(mine).correlate(came).exists()

    objections = (
        select(
            call_objection.c.call,
            func.count().label("objections"),
            func.count(call_objection.c.resolved_at).label("resolved"),
        )
        .where(call_objection.c.intent == held.intent)
        .group_by(call_objection.c.call)
        .subquery()
    )
    return (
        select(
            assignment_table.c.side,
            call_state.c.status,
            led(held.script_a).label("led_a"),
            led(held.script_b).label("led_b"),
            func.coalesce(objections.c.objections, 0).label("objections"),
            func.coalesce(objections.c.resolved, 0).label("resolved"),
        )
        .select_from(came)
        .join(assignment_table, (assignment_table.c.call == came.c.call) & (assignment_table.c.experiment == held.id))
        .join(call_state, call_state.c.call == came.c.call)
        .outerjoin(objections, objections.c.call == came.c.call)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
