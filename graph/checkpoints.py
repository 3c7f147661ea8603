"""The graph's checkpointer: SQLite by default, PostgreSQL by `SALESMAN_DATABASE_URL`; one checkpoint a call is kept."""

import os
import sqlite3
from functools import lru_cache
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from graph.settings import Settings

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
"""Checkpoints hold plain data; anything else in the database is not brought to life."""


def _sqlite(home: Path) -> SqliteSaver:
    home.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(home / "checkpoints.db", check_same_thread=False, timeout=10)
    connection.execute("PRAGMA synchronous=NORMAL")
    saver = SqliteSaver(connection)
    saver.setup()
    return saver


def _postgres(url: str) -> BaseCheckpointSaver[str]:
    from langgraph.checkpoint.postgres import PostgresSaver
    from psycopg import Connection
    from psycopg.rows import DictRow, dict_row
    from psycopg_pool import ConnectionPool

    pool: ConnectionPool[Connection[DictRow]] = ConnectionPool(
        url,
        min_size=1,
        max_size=16,
        open=True,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    saver = PostgresSaver(pool)
    saver.setup()
    return saver


def open_checkpointer(settings: Settings) -> BaseCheckpointSaver[str]:
    """Return the process's checkpointer for these settings' database."""
    return _opened(settings.home, settings.database_url.get_secret_value())


@lru_cache(maxsize=8)
def _opened(home: Path, url: str) -> BaseCheckpointSaver[str]:
    return _postgres(url) if url else _sqlite(home)


def close_checkpointer(saver: BaseCheckpointSaver[str]) -> None:
    """Give PostgreSQL's connections back; a SQLite file needs no farewell."""
    if not isinstance(saver, SqliteSaver):
        saver.conn.close()  # type: ignore[attr-defined]
        _opened.cache_clear()


def keep_latest(saver: BaseCheckpointSaver[str], call: str) -> None:
    """Drop all but the newest checkpoint of a call: the transcript lives in the record, so history here is only weight."""
    if not isinstance(saver, SqliteSaver):
        saver.prune([call], strategy="keep_latest")
        return
    newest = "(SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = :call)"
    with saver.lock, saver.conn:
        for table in ("writes", "checkpoints"):
            saver.conn.execute(
                f"DELETE FROM {table} WHERE thread_id = :call AND checkpoint_id < {newest}", {"call": call}
            )
