"""One trace a turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graph.records import TurnRecord
from graph.settings import Settings


class TurnTrace:
    def finish(self, record: TurnRecord) -> None:
        return None


@contextmanager
def turn_trace(settings: Settings, turn: Any) -> Iterator[TurnTrace]:
    yield TurnTrace()
