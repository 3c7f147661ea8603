"""The SQL store's engine: SQLite in WAL mode under the home, or PostgreSQL by setting; one engine per URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from graph.errors import BadInput
from graph.settings import Settings

_WAIT_S = 10
_WRITES = "salesman_writes"
_OPENER = 7_253_761


def engine_for(settings: Settings) -> Engine:
    """Return the process's engine for these settings.

    SQLite lies in `home/salesman.db` (WAL, `synchronous=NORMAL`, waits 10 s for another writer). A write must go through
    `writing`, which takes the write lock first: a transaction that reads and then writes would fail instead of waiting.

    Args:
        settings: `database_url` (PostgreSQL) or, when that is empty, `home`.

    Returns:
        An engine shared by all threads; never dispose of it.

    Raises:
        BadInput: The URL names no PostgreSQL database.
    """
    url = settings.database_url.get_secret_value()
    if not url:
        settings.home.mkdir(parents=True, exist_ok=True)
        return _engine(f"sqlite:///{(settings.home / 'salesman.db').resolve()}")
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise BadInput(
            f"SALESMAN_DATABASE_URL begins with {scheme[:20]!r}; expected postgresql://…, or leave it empty for SQLite"
        )
    return _engine(f"postgresql+psycopg://{rest}")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that holds SQLite's write lock from its start; commit at the end, roll back on an error."""
    with engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        with connection.begin():
            yield connection


@lru_cache(maxsize=64)
def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=50)
    engine = create_engine(url, connect_args={"timeout": _WAIT_S}, pool_size=10, max_overflow=90)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin its own deferred transactions
        for pragma in (f"busy_timeout={_WAIT_S * 1000}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def answered() -> Iterator[None]:
    """Turn a database that does not answer into one line, without its password.

    Raises:
        BadInput: Names the reason and the settings to look at.
    """
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
        raise BadInput(
            f"The database does not answer ({reason}); check SALESMAN_DATABASE_URL and SALESMAN_HOME"
        ) from error


@contextmanager
def one_opener(engine: Engine) -> Iterator[None]:
    """Let one process at a time open the library of a PostgreSQL database; SQLite's home has a lock file for that."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _OPENER})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _OPENER})
