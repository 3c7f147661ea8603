"""The tables of the call store.

| table | one row is |
|---|---|
| `call` | a call: how it was started, and its outcome so far |
| `turn` | a line of the customer, or of a person, and the record of its answer once there is one |
| `follow_up` | a call that follows an earlier one with the same customer |
| `do_not_contact` | a contact that opted out |
| `call_state` | derived: where a call stands, for lists |
| `turn_fact` | derived: what lists and statistics read of a turn, so that none of them parses records |
| `turn_script` | derived: a script of a turn; rank 0 led it |
| `call_objection` | derived: an objection of a call, and when it was settled |
| `mark` | somebody's verdict on a turn; never changed, never deleted |
| `experiment`, `assignment` | two scripts against each other, and which of them a call was given |
| `outbox` | an outcome that a webhook is to hear of |

Derived rows are written with the turn that they tell of; `graph.derived` makes those that older programs left out.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql, sqlite

metadata = MetaData()

call_table = Table(
    "call",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("campaign", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("profile", Text, nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("model", String(200), nullable=False),
    Column("contact", String(64), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("outcome", Text, nullable=False),
)
follow_up = Table(
    "follow_up",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("after", String(64), nullable=False),
)
turn_table = Table(
    "turn",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("key", String(64), nullable=False),
    Column("customer", Text, nullable=False),
    Column("human", Text, nullable=False),
    Column("released", Text, nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("record", Text),
    UniqueConstraint("call", "key"),
)
do_not_contact = Table(
    "do_not_contact",
    metadata,
    Column("contact", String(64), primary_key=True),
    Column("call", String(64), nullable=False),
    Column("at", String(40), nullable=False),
)
call_state = Table(
    "call_state",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("status", String(16), nullable=False, index=True),
    Column("stage", String(16), nullable=False),
    Column("last_turn", Integer, nullable=False),
    Column("last_at", String(40), nullable=False),
    Column("waiting_since", String(40), nullable=False),
    Column("answered", Boolean, nullable=False),
)
"""`waiting_since`: since when the customer (or, `answered`, the person's answer) stands; empty unless a person is asked for."""
turn_fact = Table(
    "turn_fact",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("campaign", String(64), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("intent", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("no_hit", String(8), nullable=False),
    Column("rules", Integer, nullable=False),
    Column("source", String(8), nullable=False),
    Column("customer", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("at", String(40), nullable=False),
    Index("turn_fact_place", "campaign", "stage", "intent"),
)
turn_script = Table(
    "turn_script",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("script", String(100), nullable=False, index=True),
    Column("version", Integer, nullable=False),
)
call_objection = Table(
    "call_objection",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("intent", String(64), nullable=False),
    Column("resolved_at", Integer),
)
mark_table = Table(
    "mark",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("call", String(64), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("better", Text, nullable=False),
    Column("author", String(100), nullable=False),
    Column("at", String(40), nullable=False),
    Index("mark_turn", "call", "turn"),
)
experiment_table = Table(
    "experiment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("campaign", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("intent", String(64), nullable=False),
    Column("script_a", String(100), nullable=False),
    Column("script_b", String(100), nullable=False),
    Column("started_by", String(100), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("stopped_by", String(100)),
    Column("stopped_at", String(40)),
)
Index(
    "experiment_running",
    *(experiment_table.c[name] for name in ("campaign", "language", "stage", "intent")),
    unique=True,
    sqlite_where=experiment_table.c.stopped_at.is_(None),
    postgresql_where=experiment_table.c.stopped_at.is_(None),
)
assignment_table = Table(
    "assignment",
    metadata,
    Column("call", String(64), primary_key=True),
    Column("experiment", String(32), primary_key=True, index=True),
    Column("side", String(1), nullable=False),
)
outbox_table = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("message", String(40), nullable=False, unique=True),
    Column("call", String(64), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("claim", String(32), nullable=False),
    Column("claimed_until", Float, nullable=False),
    Column("sent_at", String(40)),
    Column("error", Text, nullable=False),
)
Index(
    "outbox_unsent",
    outbox_table.c.next_at,
    sqlite_where=outbox_table.c.sent_at.is_(None),
    postgresql_where=outbox_table.c.sent_at.is_(None),
)


def upsert(connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or overwrite those with the same primary key.

    Args:
        connection: Of a transaction that writes.
        table: Has a primary key and more.
        rows: One row, or several; every row has all columns.
    """
    connection.execute(_upsert(table, connection.dialect.name), rows)


@cache
def _upsert(table: Table, dialect: str) -> Any:
    """Build the statement once: that costs more than to run it."""
    query = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = [column.name for column in table.primary_key]
    fresh = {column.name: query.excluded[column.name] for column in table.columns if column.name not in keys}
    return query.on_conflict_do_update(index_elements=keys, set_=fresh)
