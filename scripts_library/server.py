"""A Chroma server on the home's own index, so that the application, the command line and calls share it while it runs.

Its address lies in `HOME/chroma.url`; whoever opens the library meanwhile finds it there. The lock of the embedded index is held
for as long as the server runs, so that nobody opens the files beneath it.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.errors import BadInput, LibraryBusy
from graph.settings import Settings

START_SECONDS = 30.0
_ADDRESS = "chroma.url"
_PROGRAM = Path(__file__).with_name("chroma_process.py")


@contextmanager
def chroma_server(settings: Settings) -> Iterator[str]:
    """Serve the home's index until the block ends; do nothing where `SALESMAN_CHROMA_URL` names a server or one runs already.

    Args:
        settings: Names the home.

    Yields:
        The server's address.

    Raises:
        LibraryBusy: Another process has the embedded index open.
        BadInput: The server did not start.
    """
    if known := settings.chroma_url or running_server(settings.home):
        yield known
        return
    home = settings.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(home / "chroma.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LibraryBusy(
                f"Another process has the script library {home} open (a `salesman chat`?); end it, then start again"
            ) from None
        port = _free_port()
        with subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), str(home / "chroma"), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        ) as process:
            try:
                _await(process, port)
                url = f"http://127.0.0.1:{port}"
                (home / _ADDRESS).write_text(url, encoding="utf-8")
                yield url
            finally:
                (home / _ADDRESS).unlink(missing_ok=True)
                process.terminate()
    finally:
        os.close(lock)


def running_server(home: Path) -> str:
    """Return the address of the server that another process runs on this home's index; empty when there is none."""
    try:
        url = (home / _ADDRESS).read_text(encoding="utf-8").strip()
        lock = os.open(home / "chroma.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return url
    else:
        return ""  # left by a server that was killed
    finally:
        os.close(lock)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise BadInput(
        f"The Chroma server did not start within {START_SECONDS:.0f} s; set SALESMAN_CHROMA_URL to one of yours"
    )
