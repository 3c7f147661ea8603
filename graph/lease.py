"""One writer a call: a lease across processes and threads that dies with its holder.

An operating-system lock (SQLite) or a session-level advisory lock (PostgreSQL): a killed process leaves no lease behind, and none
has to expire.
"""

import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from graph.errors import CallBusy
from graph.settings import Settings

WAIT = 60.0
"""Seconds that a second writer waits; a turn lasts at most `SALESMAN_TURN_DEADLINE`."""
POLL = 0.02


def _busy(call: str) -> CallBusy:
    return CallBusy(
        f"Call {call} is being written by someone else for {WAIT:.0f} s now; try again when that turn is done."
    )


@contextmanager
def _file_lease(settings: Settings, call: str) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder = settings.home / "leases"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', call)}.lock", thread_local=False)
    try:
        lock.acquire(timeout=WAIT, poll_interval=POLL)
    except Timeout as error:
        raise _busy(call) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _advisory_lease(engine: Engine, call: str) -> Iterator[None]:
    key = zlib.crc32(call.encode())
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until = time.monotonic() + WAIT
        while not connection.scalar(
            text("SELECT pg_try_advisory_lock(:space, :key)"), {"space": 7331, "key": key - 2**31}
        ):
            if time.monotonic() > until:
                raise _busy(call)
            time.sleep(POLL)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:space, :key)"), {"space": 7331, "key": key - 2**31})


@contextmanager
def lease(settings: Settings, engine: Engine, call: str) -> Iterator[None]:
    """Hold the right to write a call.

    Args:
        settings: Say where the locks lie.
        engine: The call store; PostgreSQL holds the lock itself.
        call: Id of the call.

    Raises:
        CallBusy: Somebody else held it for `WAIT` seconds.
    """
    held = _advisory_lease(engine, call) if engine.dialect.name == "postgresql" else _file_lease(settings, call)
    with held:
        yield
