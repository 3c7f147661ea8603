"""What a filter is: a name, and a reason to drop a dialogue."""

from collections.abc import Callable
from dataclasses import dataclass

from training.corpus.schema import Dialogue


@dataclass(frozen=True)
class Stage:
    """One filter.

    name: as reports and `--filters` call it.
    drop: returns why a dialogue is dropped; empty when it stays.
    """

    name: str
    drop: Callable[[Dialogue], str]


def quoted(place: int, text: str, why: str) -> str:
    """Return a reason that names a line: where it stands, what is wrong, its words."""
    return f"line {place}: {why}: “{text[:80]}”"
