"""Operating-system locks around the embedded Chroma: many processes may read, one may write while it is alone.

`flock` locks go with the process that holds them, so a killed process leaves none.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.errors import LibraryBusy

WAIT_S = 60.0
"""How long an opening process waits for one that is writing."""


class IndexLock:
    """A shared lock held from `open` to `close`, and an exclusive one for each write.

    flock turns a shared lock into an exclusive one by dropping it first, and a refusal leaves none. So every writer
    counts up a number in the lock file: whoever was without a lock for a moment learns from it that another process
    wrote, and `on_foreign_write` is called to open the index anew.

    Threads of one process share the lock; its writers take turns.
    """

    def __init__(self, path: Path, on_foreign_write: Callable[[], None]) -> None:
        self._path = path
        self._on_foreign_write = on_foreign_write
        self._turn = threading.RLock()
        self._depth = 0
        self._seen = b""
        self._file = -1

    def open(self) -> None:
        """Take the shared lock, waiting up to `WAIT_S` seconds for a process that writes.

        Raises:
            LibraryBusy: Another process kept writing.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._share()
        except LibraryBusy:
            self.close()
            raise
        self._seen = self._count()

    def close(self) -> None:
        """Give the lock back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the library alone, among processes and among this process's writers.

        Raises:
            LibraryBusy: Another process has the library open; raised at once.
        """
        with self._turn:
            if self._depth == 0:
                self._alone()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._seen = str(int(self._seen or b"0") + 1).encode()
                    os.pwrite(self._file, self._seen, 0)
                    self._share()
                    self._compare()

    def _alone(self) -> None:
        if not _try(self._file, fcntl.LOCK_EX):
            self._share()
            self._compare()
            raise LibraryBusy(
                f"Another process has the script library {self._path.parent} open, so nothing was written; end it, or set "
                "SALESMAN_CHROMA_URL to a Chroma server (`chroma run`) so that several processes can edit at once"
            )
        self._compare()

    def _share(self) -> None:
        if not _wait(self._file, fcntl.LOCK_SH, WAIT_S):
            raise LibraryBusy(
                f"Another process has been writing the script library {self._path.parent} for {WAIT_S:.0f} s; wait for it, "
                "or set SALESMAN_CHROMA_URL to a Chroma server so that several processes can use it at once"
            )

    def _compare(self) -> None:
        count = self._count()
        if count != self._seen:
            self._seen = count
            self._on_foreign_write()

    def _count(self) -> bytes:
        return os.pread(self._file, 32, 0)


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Let one process at a time open a library, so that two starting together load the campaigns once.

    Args:
        path: The lock file.

    Raises:
        LibraryBusy: Another process has been opening it for more than `WAIT_S` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _wait(file, fcntl.LOCK_EX, WAIT_S):
            raise LibraryBusy(
                f"Another process has been opening {path.parent} for {WAIT_S:.0f} s; wait for it, or end it"
            )
        yield
    finally:
        os.close(file)


class ReadWriteGuard:
    """Threads: many inside `reading`, or one inside `replacing`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._replacing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Use the guarded thing while nobody replaces it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._replacing)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._changed.notify_all()

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """Replace the guarded thing when the last reader has left it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._replacing)
            self._replacing = True
            self._changed.wait_for(lambda: self._readers == 0)
        try:
            yield
        finally:
            with self._changed:
                self._replacing = False
                self._changed.notify_all()


def _try(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(file: int, kind: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not _try(file, kind):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
