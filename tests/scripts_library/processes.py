"""Real processes for the tests: each opens the test's library and does what its standard input says.

Run as `python -m tests.scripts_library.processes HOME FOLDER [CHROMA_URL [DATABASE_URL]]`; commands are lines of Python over `library`,
answered by one line of `repr`, or by `ErrorName: message`.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


class Other:
    """Another process with the same library."""

    def __init__(self, home: Path, folder: Path, *more: str) -> None:
        command = [sys.executable, "-m", "tests.scripts_library.processes", str(home), str(folder), *more]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self, seconds: float = 60.0) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self.process.stdout, selectors.EVENT_READ)
            assert ready.select(seconds), "the other process does not answer"
        return self.process.stdout.readline().strip()

    def do(self, line: str) -> str:
        self.send(line)
        return self.answer()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


@contextlib.contextmanager
def others(count: int, home: Path, folder: Path, *more: str) -> Iterator[list[Other]]:
    """Start processes at once; each has answered `'open'` when this returns."""
    started = [Other(home, folder, *more) for _ in range(count)]
    try:
        for other in started:
            assert other.answer() == "'open'"
        yield started
    finally:
        for other in started:
            other.end()


def main(home: str, folder: str, chroma_url: str = "", database_url: str = "") -> None:
    from graph.errors import SalesmanError
    from graph.settings import Settings
    from scripts_library.library import open_library
    from tests.scripts_library.conftest import HashEmbedder, find, make_script

    settings = Settings(home=home, chroma_url=chroma_url, database_url=database_url, _env_file=None)
    with open_library(settings, HashEmbedder(), campaigns={"tea_club": Path(folder)}) as library:
        names: dict[str, Any] = {"library": library, "find": find, "make_script": make_script, "os": os}
        answer: str = repr("open")
        while True:
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()
            line = sys.stdin.readline()
            if not line:
                return
            try:
                answer = repr(eval(line, names))
            except SalesmanError as error:
                answer = f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(*sys.argv[1:])
