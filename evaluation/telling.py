"""What the rooms' commands share: how figures are asked for as JSON, and how progress is told."""

import time
from typing import Annotated

import typer

from graph.terminal import note

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SECONDS = 5.0
"""Between two lines of progress."""


class Paced:
    """Says one line every few seconds, and the last one always."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def say(self, line: str, *, last: bool = False) -> None:
        """Print a line of progress to standard error, unless one was printed a moment ago."""
        if last or time.monotonic() - self._told >= SECONDS:
            self._told = time.monotonic()
            note(line)
