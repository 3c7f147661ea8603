"""The call store: what was said, turn by turn, and who must not be called again.

A turn is two commits: `begin` keeps the customer's line before anything is done with it, `finish` keeps the answer. A turn between
them belongs to a process that works on it, or that died; whoever holds the call's lease next finishes it.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Engine, bindparam, func, insert, select, update

from graph.call_tables import call_state, call_table, do_not_contact, follow_up, metadata, turn_table
from graph.derived import announce, backfill, derive, write_objections
from graph.errors import BadInput
from graph.experiments import assign, assigned
from graph.marks import marks_of
from graph.outcome import NEXT_STEPS
from graph.records import RECORD_VERSION, ConversationRecord, Outcome, TurnRecord
from scripts_library.database import writing


def now() -> str:
    """Return the time as ISO text, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def contact_hash(contact: str) -> str:
    """Return what is kept of a contact: a hash of its letters and digits, so that the list holds no personal data."""
    plain = re.sub(r"[^\w@+]", "", contact).lower()
    return hashlib.sha256(plain.encode()).hexdigest() if plain else ""


# A turn runs these; to build them each time would cost more than to run them.
_CALL_AND_STATE = (
    select(call_table.c.campaign, call_table.c.contact, call_table.c.outcome, call_state)
    .outerjoin(call_state, call_state.c.call == call_table.c.id)
    .where(call_table.c.id == bindparam("id_"))
)
_KEEP_RECORD = (
    update(turn_table)
    .where(turn_table.c.call == bindparam("call_"), turn_table.c.turn == bindparam("turn_"))
    .values(record=bindparam("record"), released="[]")
)
_KEEP_OUTCOME = (
    update(call_table)
    .where(call_table.c.id == bindparam("id_"))
    .values(ended=bindparam("ended"), outcome=bindparam("outcome"))
)


class CallStore:
    """Calls and turns in SQL."""

    def __init__(self, engine: Engine, *, webhook: bool = False) -> None:
        """Open the store, making its tables.

        Args:
            engine: Of the database.
            webhook: Whether a webhook is to hear of the outcomes of calls that finish; else the outbox takes none.
        """
        self.engine, self._webhook = engine, webhook
        metadata.create_all(engine)
        backfill(engine)

    def open(self, call: str, header: Mapping[str, Any], after: str = "") -> None:
        """Write a new call's header, which call it follows, and which scripts of running A/B tests it is given."""
        empty = {"status": "open", "need": {}, "objections": [], "offers": [], "commitment": {}, "next_step": ""}
        row = {**header, "profile": json.dumps(header["profile"], ensure_ascii=False), "outcome": json.dumps(empty)}
        with writing(self.engine) as connection:
            connection.execute(insert(call_table).values(id=call, started_at=now(), ended=False, **row))
            if after:
                connection.execute(insert(follow_up).values(call=call, after=after))
            assign(connection, call, header["campaign"])

    def exists(self, call: str) -> bool:
        """Say whether a call is known."""
        with self.engine.connect() as connection:
            return connection.scalar(select(call_table.c.id).where(call_table.c.id == call)) is not None

    def header(self, call: str) -> dict[str, Any]:
        """Return a call's header.

        Returns:
            Its row, and `shown` and `withheld`, the ids of the scripts that A/B tests give it and keep from it, and `after`, the call
            that it follows, or empty.

        Raises:
            BadInput: There is no such call.
        """
        with self.engine.connect() as connection:
            row = connection.execute(select(call_table).where(call_table.c.id == call)).mappings().first()
            if row is None:
                raise BadInput(f"Call '{call}' is not known; `salesman show` lists the calls there are.")
            shown, withheld = assigned(connection, call)
            after = connection.scalar(select(follow_up.c.after).where(follow_up.c.call == call)) or ""
        read = {"profile": json.loads(row["profile"]), "outcome": json.loads(row["outcome"])}
        return {**row, **read, "shown": shown, "withheld": withheld, "after": after}

    def calls(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest calls: id, campaign, started_at, ended, turns, status."""
        turns = select(func.count()).where(turn_table.c.call == call_table.c.id).scalar_subquery()
        query = select(call_table, turns.label("turns")).order_by(call_table.c.started_at.desc()).limit(limit)
        with self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        kept = ("id", "campaign", "started_at", "ended", "turns")
        return [{**{name: row[name] for name in kept}, "status": json.loads(row["outcome"])["status"]} for row in rows]

    def begin(self, call: str, key: str, customer: str, human: str = "") -> int:
        """Keep a line, the customer's or a person's answer, as the next turn, and return the turn's number."""
        with writing(self.engine) as connection:
            last = connection.scalar(select(func.max(turn_table.c.turn)).where(turn_table.c.call == call))
            turn = 0 if last is None else int(last) + 1
            row = {"call": call, "turn": turn, "key": key, "customer": customer, "human": human}
            row |= {"released": "[]", "delivered": False}
            connection.execute(insert(turn_table).values(**row))
        return turn

    def release(self, call: str, turn: int, released: list[str]) -> None:
        """Keep what the customer is about to see of a reply."""
        with writing(self.engine) as connection:
            connection.execute(
                update(turn_table)
                .where(turn_table.c.call == call, turn_table.c.turn == turn)
                .values(released=json.dumps(released, ensure_ascii=False))
            )

    def finish(self, call: str, record: TurnRecord, outcome: Outcome) -> None:
        """Keep a turn's answer, the call's outcome so far, what is derived from them, and an opt-out, in one transaction."""
        with writing(self.engine) as connection:
            row = connection.execute(_CALL_AND_STATE, {"id_": call}).mappings().one()
            answer = {"call_": call, "turn_": record["turn"], "record": json.dumps(record, ensure_ascii=False)}
            connection.execute(_KEEP_RECORD, answer)
            changed = {"id_": call, "ended": record["ended"], "outcome": json.dumps(outcome, ensure_ascii=False)}
            connection.execute(_KEEP_OUTCOME, changed)
            before = cast(Outcome, json.loads(row["outcome"]))
            derive(connection, record, row["campaign"], outcome["status"], dict(row) if row["status"] else None)
            if outcome["objections"] != before["objections"]:
                write_objections(connection, call, outcome)
            if self._webhook:
                announce(connection, call, before, outcome, record["at"], f"msg_{uuid.uuid4().hex}")
            if outcome["status"] == "opted_out" and row["contact"]:
                listed = select(do_not_contact.c.call).where(do_not_contact.c.contact == row["contact"])
                if not connection.scalar(listed):
                    connection.execute(insert(do_not_contact).values(contact=row["contact"], call=call, at=now()))

    def given_back(self, call: str) -> None:
        """Note that a call waits for nobody any more, though nothing was said."""
        with writing(self.engine) as connection:
            outcome = json.loads(
                connection.scalar(select(call_table.c.outcome).where(call_table.c.id == call)) or "null"
            )
            if outcome is None or outcome["status"] != "handoff":
                return
            outcome |= {"status": "open", "next_step": NEXT_STEPS["open"]}
            changed = json.dumps(outcome, ensure_ascii=False)
            connection.execute(update(call_table).where(call_table.c.id == call).values(outcome=changed))
            state = {"status": "open", "waiting_since": "", "answered": False}
            connection.execute(update(call_state).where(call_state.c.call == call).values(**state))

    def by_key(self, call: str, key: str) -> dict[str, Any] | None:
        """Return the turn that an idempotency key made: `turn`, `customer`, `record` (None while unfinished)."""
        return self._one(turn_table.c.call == call, turn_table.c.key == key)

    def met(self, call: str, key: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Return the turn that has no answer yet and the turn of a key, in one query; see `unfinished` and `by_key`."""
        wanted = turn_table.c.record.is_(None) | (turn_table.c.key == key)
        query = select(turn_table).where(turn_table.c.call == call, wanted).order_by(turn_table.c.turn)
        with self.engine.connect() as connection:
            rows = [self._read(row) for row in connection.execute(query).mappings()]
        left = next((row for row in reversed(rows) if row["record"] is None), None)
        return left, next((row for row in rows if row["key"] == key), None)

    def unfinished(self, call: str) -> dict[str, Any] | None:
        """Return the turn that has no answer yet: `turn`, `customer`, `human`, `released`."""
        return self._one(turn_table.c.call == call, turn_table.c.record.is_(None))

    def undelivered(self, call: str) -> TurnRecord | None:
        """Return the last turn if it was finished but never shown (`delivered` was not called)."""
        row = self._one(turn_table.c.call == call, turn_table.c.turn > 0)
        return cast(TurnRecord, row["record"]) if row and row["record"] and not row["delivered"] else None

    def delivered(self, call: str, turn: int) -> None:
        """Mark a turn as shown to whoever asked for it."""
        with writing(self.engine) as connection:
            where = (turn_table.c.call == call, turn_table.c.turn == turn)
            connection.execute(update(turn_table).where(*where).values(delivered=True))

    def _one(self, *where: Any) -> dict[str, Any] | None:
        query = select(turn_table).where(*where).order_by(turn_table.c.turn.desc()).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return self._read(row) if row else None

    @staticmethod
    def _read(row: Mapping[Any, Any]) -> dict[str, Any]:
        record = json.loads(row["record"]) if row["record"] else None
        return {**row, "released": json.loads(row["released"]), "record": record}

    def opted_out(self, contact: str) -> str | None:
        """Return the call in which a contact opted out, or None."""
        with self.engine.connect() as connection:
            query = select(do_not_contact.c.call).where(do_not_contact.c.contact == contact)
            return cast(str | None, connection.scalar(query)) if contact else None

    def record(self, call: str) -> ConversationRecord:
        """Return the whole call; a turn that has no answer yet is left out.

        Raises:
            BadInput: There is no such call.
        """
        header = self.header(call)
        query = select(turn_table.c.record).where(turn_table.c.call == call, turn_table.c.record.is_not(None))
        with self.engine.connect() as connection:
            rows = connection.scalars(query.order_by(turn_table.c.turn)).all()
        return {
            "version": RECORD_VERSION,
            "call": call,
            "campaign": header["campaign"],
            "language": header["language"],
            "profile": header["profile"],
            "strategy": header["strategy"],
            "model": header["model"],
            "started_at": header["started_at"],
            "ended": header["ended"],
            "turns": [cast(TurnRecord, json.loads(row)) for row in rows if row],
            "outcome": cast(Outcome, header["outcome"]),
            "marks": marks_of(self.engine, call),
        }
